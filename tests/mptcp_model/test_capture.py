"""pcap files: written as they should be, and read from whoever wrote them."""

from pathlib import Path
from struct import pack

import pytest

from mptcp_model.simulated.capture import Capture, Packet, read_pcap

PACKETS = [Packet(0, b"\x45" + bytes(19)), Packet(1_234_567, b"\x60" + bytes(39))]


def write_foreign(path: Path, order: str, magic: int, link_type: int, head: bytes, fraction: int) -> None:
    """A pcap file of another writer, holding the second packet."""
    octets = head + PACKETS[1].octets
    path.write_bytes(
        pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65_535, link_type)
        + pack(order + "IIII", 1, fraction, len(octets), len(octets))
        + octets
    )


def test_round_trip(tmp_path: Path) -> None:
    """What is written is read again, moments included."""
    capture = Capture()
    for when, octets in PACKETS:
        capture.see(octets, when)
    capture.write(tmp_path / "run.pcap")
    assert read_pcap(tmp_path / "run.pcap") == PACKETS


def test_layout() -> None:
    """Magic, version 2.4, link type RAW; then seconds, microseconds and both lengths."""
    capture = Capture()
    capture.see(PACKETS[1].octets, PACKETS[1].when)
    octets = capture.octets()
    assert octets[:8].hex() == "d4c3b2a102000400"
    assert octets[20:24] == (101).to_bytes(4, "little")
    assert octets[24:40] == pack("<IIII", 1, 234_567, 40, 40)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("magic", "fraction"), [(0xA1B2C3D4, 234_567), (0xA1B23C4D, 234_567_000)])
@pytest.mark.parametrize(
    ("link_type", "head"),
    [
        (101, b""),
        (1, bytes(12) + b"\x86\xdd"),
        (113, bytes(14) + b"\x86\xdd"),
        (276, b"\x86\xdd" + bytes(18)),
    ],
)
def test_foreign_files(
    tmp_path: Path, order: str, magic: int, fraction: int, link_type: int, head: bytes
) -> None:
    """Both byte orders, both resolutions, and the link types of a Linux machine."""
    path = tmp_path / "foreign.pcap"
    write_foreign(path, order, magic, link_type, head, fraction)
    assert read_pcap(path) == [PACKETS[1]]


def test_cut_file(tmp_path: Path) -> None:
    """A half-written last packet is left out."""
    capture = Capture()
    for when, octets in PACKETS:
        capture.see(octets, when)
    path = tmp_path / "cut.pcap"
    for missing in (1, 39, 41, 55):
        path.write_bytes(capture.octets()[:-missing])
        assert read_pcap(path) == PACKETS[:1]


@pytest.mark.parametrize("octets", [b"", b"\xd4\xc3\xb2\xa1", b"<html>" + bytes(40), bytes(24)])
def test_not_a_pcap_file(tmp_path: Path, octets: bytes) -> None:
    """Anything else is refused by name."""
    path = tmp_path / "no.pcap"
    path.write_bytes(octets)
    with pytest.raises(ValueError, match=r"no\.pcap (is empty|is neither|ends in the middle)"):
        read_pcap(path)
