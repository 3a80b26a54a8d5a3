"""Packets with their moments, and the pcap files that hold them.

A capture is written in the classic libpcap format with link type RAW (the packet begins with its
IP header), one microsecond being one microsecond of virtual time; tshark, Wireshark and tcpdump
read it. Reading is what mptcp_model.decoding reads: any capture of a Linux machine.
"""

from itertools import chain
from pathlib import Path
from struct import Struct
from typing import Final, NamedTuple

from mptcp.values import Micros
from mptcp_model.decoding.captures import Damaged, Foreign, read_frames
from mptcp_model.decoding.links import find_packet
from mptcp_model.state import State

MAGIC_MICROSECONDS: Final = 0xA1B2C3D4
SNAPSHOT_LENGTH: Final = 262_144  # octets; the largest that tools accept
LINK_TYPE_RAW: Final = 101
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
    """The IP packets of the capture at ``path``; raises ValueError if it is none.

    A packet that the capture cut short, and a half-written last one, are left out.
    """
    packets: list[Packet] = []
    with path.open("rb") as stream:
        try:
            for moment, link, frame, full in chain.from_iterable(read_frames(stream)):
                start = find_packet(link, frame)
                if start >= 0 and len(frame) == full:
                    packets.append(Packet(moment // 1_000, frame[start:]))
        except Foreign as foreign:
            raise ValueError(f"{path} {foreign}") from None
        except Damaged:
            pass
    return packets
