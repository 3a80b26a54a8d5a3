"""The pcap writer: dpkt reads what it writes."""

from pathlib import Path

import dpkt
import pytest

from mptcp_stack.pcap import PcapWriter


def test_packets_come_back(tmp_path: Path) -> None:
    """Every packet, in order, as raw IP, with a time that does not go back."""
    packets = [bytes([0x45]) + bytes(length) for length in (19, 0, 65_534)]
    with PcapWriter(tmp_path / "some.pcap") as writer:
        for packet in packets:
            writer.write(packet)
    with open(tmp_path / "some.pcap", "rb") as stream:
        reader = dpkt.pcap.Reader(stream)
        assert reader.datalink() == 101  # LINKTYPE_RAW
        read = list(reader)
    assert [packet for _, packet in read] == packets
    assert [moment for moment, _ in read] == sorted(moment for moment, _ in read)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_full_disk() -> None:
    """Writing goes on as if nothing were; the end says that something was."""
    writer = PcapWriter("/dev/full")
    for _ in range(20):
        writer.write(bytes(65_535))
    with pytest.raises(OSError, match="cannot write /dev/full: No space left"):
        writer.close()
    writer.close()
