"""Packets with their moments, and the pcap files that hold them.

A capture is written in the classic libpcap format with link type RAW (the packet begins with its
IP header), one microsecond being one microsecond of virtual time; tshark, Wireshark and tcpdump
read it. Reading knows both time resolutions, both byte orders and the link types that a Linux
machine produces (RAW, Ethernet, "any").
"""

from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple

from mptcp.values import Micros
from mptcp_model.state import State

MAGIC_MICROSECONDS: Final = 0xA1B2C3D4
MAGIC_NANOSECONDS: Final = 0xA1B23C4D
SNAPSHOT_LENGTH: Final = 262_144  # octets; the largest that tools accept
LINK_TYPE_RAW: Final = 101
SKIP: Final = {101: 0, 12: 0, 14: 0, 228: 0, 229: 0, 1: 14, 113: 16, 276: 20}
"""Octets before the IP header for each link type that we read."""

FILE_HEADER: Final = "IHHiIII"  # magic, version 2.4, zone, accuracy, snapshot length, link type
PACKET_HEADER: Final = "IIII"  # seconds, fraction, octets here, octets on the wire


class Packet(NamedTuple):
    """One packet and the moment (µs) when it was seen."""

    when: Micros
    octets: bytes


class Capture(State):
    """What a tap saw, in order."""

    FIELDS = ("packets",)

    def __init__(self) -> None:
        self.packets: list[Packet] = []

    def see(self, packet: bytes, now: Micros) -> None:
        """Keep ``packet`` as seen at ``now``."""
        self.packets.append(Packet(now, packet))

    def octets(self) -> bytes:
        """The whole pcap file."""
        file_header, packet_header = Struct("<" + FILE_HEADER), Struct("<" + PACKET_HEADER)
        pieces = [file_header.pack(MAGIC_MICROSECONDS, 2, 4, 0, 0, SNAPSHOT_LENGTH, LINK_TYPE_RAW)]
        for when, octets in self.packets:
            seconds, micros = divmod(when, 1_000_000)
            pieces.append(packet_header.pack(seconds, micros, len(octets), len(octets)))
            pieces.append(octets)
        return b"".join(pieces)

    def write(self, path: Path) -> None:
        """Write the pcap file to ``path``."""
        path.write_bytes(self.octets())


def read_pcap(path: Path) -> list[Packet]:
    """The IP packets of the pcap file at ``path``; raises ValueError if it is none that we read.

    A packet that the capture cut short, and a half-written last one, are left out.
    """
    octets = path.read_bytes()
    order = "<" if octets[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    file_header, packet_header = Struct(order + FILE_HEADER), Struct(order + PACKET_HEADER)
    if len(octets) < file_header.size:
        raise ValueError(f"{path} is not a pcap file")
    magic, _, _, _, _, _, link_type = file_header.unpack_from(octets)
    if magic not in (MAGIC_MICROSECONDS, MAGIC_NANOSECONDS) or link_type not in SKIP:
        raise ValueError(f"{path} is not a pcap file of IP packets")
    divisor = 1_000 if magic == MAGIC_NANOSECONDS else 1
    packets: list[Packet] = []
    at = file_header.size
    while at + packet_header.size <= len(octets):
        seconds, fraction, length, full = packet_header.unpack_from(octets, at)
        at += packet_header.size
        if length == full and at + length <= len(octets):
            inner = octets[at + SKIP[link_type] : at + length]
            packets.append(Packet(seconds * 1_000_000 + fraction // divisor, inner))
        at += length
    return packets
