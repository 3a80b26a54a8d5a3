"""Captures of every kind give the same frames, and a damaged one gives what is good of it and a sentence."""

import gzip
import io
from itertools import chain, pairwise
from pathlib import Path
from struct import pack

import dpkt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pcapng import FileScanner
from pcapng.blocks import EnhancedPacket

from mptcp_model.decoding.captures import SECOND, Damaged, Foreign, Frame, read_frames
from mptcp_model.decoding.links import find_packet

TRACES = Path(__file__).parent.parent / "traces"
IPV4, IPV6 = b"\x45" + bytes(19), b"\x60" + bytes(39)
ETHERNET = bytes(12) + b"\x08\x00"
FRAMES: list[Frame] = [
    (1_700_000_000_123_456_000, 1, ETHERNET + IPV4, 34),
    (1_700_000_001_000_000_000, 1, ETHERNET + IPV4[:8], 1_500),
    (1_700_000_002_999_999_000, 1, b"", 0),
]


class Drops(io.BytesIO):
    """A stream that gives one octet at a time, as a slow pipe might."""

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(min(1, size or 0))


def make_pcap(order: str = "<", unit: int = 1_000) -> bytes:
    """A pcap file of the frames."""
    made = pack(order + "IHHiIII", {1_000: 0xA1B2C3D4, 1: 0xA1B23C4D}[unit], 2, 4, 0, 0, 65_535, 1)
    for moment, _, octets, full in FRAMES:
        made += pack(order + "IIII", moment // SECOND, moment % SECOND // unit, len(octets), full) + octets
    return made


def make_block(order: str, kind: int, body: bytes) -> bytes:
    """A block of pcapng."""
    body += bytes(-len(body) % 4)
    return pack(order + "II", kind, len(body) + 12) + body + pack(order + "I", len(body) + 12)


def make_options(order: str, *options: tuple[int, bytes]) -> bytes:
    """Options of a block, and their end."""
    made = [pack(order + "HH", code, len(data)) + data + bytes(-len(data) % 4) for code, data in options]
    return b"".join(made) + bytes(4)


def make_section(order: str = "<") -> bytes:
    """A section header, with a comment."""
    head = pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + make_options(order, (1, b"words"))
    return make_block(order, 0x0A0D0D0A, head)


def make_interface(order: str, link: int, *options: tuple[int, bytes]) -> bytes:
    """An interface description."""
    return make_block(order, 1, pack(order + "HHI", link, 0, 65_535) + make_options(order, *options))


def make_packet(order: str, interface: int, time: int, octets: bytes, full: int) -> bytes:
    """An enhanced packet block."""
    head = pack(order + "IIIII", interface, time >> 32, time & 0xFFFFFFFF, len(octets), full)
    padded = octets + bytes(-len(octets) % 4)
    return make_block(order, 6, head + padded + make_options(order, (2, bytes(4))))


def make_pcapng(order: str = "<", unit: int = 1_000) -> bytes:
    """A pcapng file of the frames, with a block of no interest among them."""
    made = make_section(order) + make_interface(order, 1, *([(9, b"\x09")] if unit == 1 else []))
    for moment, _, octets, full in FRAMES:
        made += make_packet(order, 0, moment // unit, octets, full) + make_block(order, 5, bytes(12))
    return made


def read(octets: bytes) -> list[Frame]:
    return [*chain.from_iterable(read_frames(io.BytesIO(octets)))]


@pytest.mark.parametrize("make", [make_pcap, make_pcapng])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("unit", [1_000, 1])
def test_formats(make: "type[bytes]", order: str, unit: int) -> None:
    """Both formats, byte orders and resolutions, gzip'd or not, at once or octet by octet."""
    made = make(order, unit)  # type: ignore[call-overload]
    assert read(made) == FRAMES
    assert read(gzip.compress(made)) == FRAMES
    assert [*chain.from_iterable(read_frames(Drops(made)))] == FRAMES
    assert [*chain.from_iterable(read_frames(Drops(gzip.compress(made))))] == FRAMES


def test_sections_and_interfaces() -> None:
    """Each section has its byte order and interfaces; each interface its link type, resolution and offset."""
    made = b""
    for order in "<>":
        made += make_section(order) + make_interface(order, 1)
        made += make_interface(order, 101, (9, b"\x83"), (14, pack(order + "q", 7)))
        made += make_packet(order, 1, 11, IPV4, 20) + make_packet(order, 0, 5, b"x", 1)
        made += make_block(order, 2, pack(order + "HHIIII", 1, 9, 0, 8, 20, 21) + IPV4)
        made += make_block(order, 3, pack(order + "I", 3) + b"abc")
    one = [
        (8_375_000_000, 101, IPV4, 20),
        (5_000, 1, b"x", 1),
        (8 * SECOND, 101, IPV4, 21),
        (0, 1, b"abc", 3),
    ]
    assert read(made) == one * 2


@pytest.mark.parametrize("name", ["subflows2_csum_v4", "addaddr_port_v4"])
def test_as_others_read_it(name: str, tmp_path: Path) -> None:
    """dpkt's reader and python-pcapng see the same, in the file and in a pcapng that dpkt wrote of it."""
    path = TRACES / f"{name}.pcap"
    ours = read(path.read_bytes())
    with path.open("rb") as stream:
        theirs = list(dpkt.pcap.Reader(stream))
    assert [octets for _, _, octets, _ in ours] == [octets for _, octets in theirs]
    assert [moment / SECOND for moment, *_ in ours] == pytest.approx([moment for moment, _ in theirs])
    written = tmp_path / "written.pcapng"
    with written.open("wb") as sink:
        link = dpkt.pcapng.InterfaceDescriptionBlockLE(linktype=ours[0][1])
        dpkt.pcapng.Writer(sink, idb=link).writepkts([(m / SECOND, octets) for m, _, octets, _ in ours])
    again = read(written.read_bytes())
    assert [frame[1:] for frame in again] == [frame[1:] for frame in ours]
    assert max(abs(one[0] - two[0]) for one, two in zip(again, ours, strict=True)) < 2_000
    with written.open("rb") as stream:
        blocks = [block for block in FileScanner(stream) if isinstance(block, EnhancedPacket)]
    assert [block.packet_data for block in blocks] == [octets for _, _, octets, _ in again]


def take(octets: bytes) -> tuple[list[Frame], str]:
    """The frames that can be read, and the sentence at the end."""
    frames: list[Frame] = []
    try:
        for some in read_frames(io.BytesIO(octets)):
            frames += some
    except Damaged as damaged:
        return frames, str(damaged)
    return frames, ""


@pytest.mark.parametrize("make", [make_pcap, make_pcapng])
def test_cut(make: "type[bytes]") -> None:
    """A file that is cut anywhere gives the frames before the cut, and says that it is cut."""
    made = make()
    whole = [take(made[:end]) for end in range(len(made) + 1)]
    assert whole[0] == ([], "is empty") and whole[-1] == (FRAMES, "")
    assert {len(frames) for frames, _ in whole} == {0, 1, 2, 3}
    assert all(frames == FRAMES[: len(frames)] for frames, _ in whole)
    assert all(len(one[0]) <= len(two[0]) for one, two in pairwise(whole))
    said = {words.partition(" of ")[0] for _, words in whole}
    assert said <= {"", "is empty", "is neither a pcap nor a pcapng file", "ends in the middle", *said}
    assert all("middle" in words or not words for _, words in whole[40:])


def test_cut_by_gzip() -> None:
    """The same of what gzip wrote, and of what it did not write."""
    zipped = gzip.compress(make_pcap() + bytes(200_000))
    assert take(zipped[:-40])[1] == "ends in the middle: what gzip wrote is cut"
    assert "gzip cannot read on" in take(zipped[:12] + b"\xff" * 40)[1]
    assert "gzip cannot read on" in take(zipped[:-8] + bytes(8))[1]
    assert take(gzip.compress(b"words"))[1] == "is neither a pcap nor a pcapng file"


@pytest.mark.parametrize("octets", [b"", b"\xd4\xc3", b"<html>" + bytes(99), b"\x1f\x8b"])
def test_foreign(octets: bytes) -> None:
    """What is no capture is called so."""
    with pytest.raises((Foreign, Damaged)):
        read(octets)


@given(st.sampled_from([make_pcap(), make_pcapng(), make_pcapng(">")]), st.data())
def test_any_damage(made: bytes, data: st.DataObject) -> None:
    """Whatever octets are changed, reading ends with frames or with a sentence."""
    octets = bytearray(made)
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    take(bytes(octets))


@given(st.sampled_from([make_pcap()[:4], make_section(), b"\x1f\x8b\x08", b""]), st.binary(max_size=100))
def test_any_octets(head: bytes, rest: bytes) -> None:
    """The same of octets that were never a capture."""
    take(head + rest)


@pytest.mark.parametrize(
    ("link", "head"),
    [
        (1, ETHERNET),
        (1, bytes(12) + b"\x81\x00\x00\x07\x08\x00"),
        (1, bytes(12) + b"\x88\xa8\x00\x07\x81\x00\x00\x08\x08\x00"),
        (113, bytes(14) + b"\x08\x00"),
        (113, bytes(14) + b"\x81\x00\x00\x07\x08\x00"),
        (276, b"\x08\x00" + bytes(18)),
        (276, b"\x81\x00" + bytes(18) + b"\x00\x07\x08\x00"),
        (0, b"\x02\x00\x00\x00"),
        (0, b"\x00\x00\x00\x02"),
        (108, b"\x00\x00\x00\x02"),
        *((link, b"") for link in (12, 14, 101, 228)),
    ],
)
def test_links(link: int, head: bytes) -> None:
    """Each link type has its own head before the packet; a cut one has none behind it."""
    assert find_packet(link, head + IPV4) == len(head)
    assert find_packet(link, head.replace(b"\x08\x00", b"\x86\xdd") + IPV6) == len(head)
    for end in range(len(head)):
        assert not 0 <= find_packet(link, head[:end]) < end


@pytest.mark.parametrize("link", [1, 113, 276])
def test_what_is_no_ip(link: int) -> None:
    """ARP is left out."""
    assert find_packet(link, b"\x08\x06" * 30) == -1
