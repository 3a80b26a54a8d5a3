"""Segmentation and checksum offload: the header before each packet of an IFF_VNET_HDR device.

Ten octets (``struct virtio_net_hdr`` of Linux): what is still to be done with the packet. With it a
packet may hold up to 64 KB of text behind one header, in both directions: whoever puts it on a real wire
cuts it and finishes the checksum, and between a kernel and us nobody has to.
"""

import struct
from typing import Final

from mptcp.parameters import IPV4_HEADER, IPV6_HEADER
from mptcp.wire.segment import Outgoing

HEADER: Final = struct.Struct("<BBHHHH")  # flags, kind, header length, segment size, checksum from, at
NEEDS_CHECKSUM: Final = 1  # flags: the field holds the sum of the pseudo-header
CHECKSUM_IS_GOOD: Final = 2
KIND_V4: Final = 1  # TCP over IPv4, longer than a segment
KIND_V6: Final = 4
CHECKSUM_AT: Final = 16  # octets into the TCP header

TUNGETFEATURES: Final = 0x800454CF
TUNSETOFFLOAD: Final = 0x400454D0
IFF_VNET_HDR: Final = 0x4000
ACCEPTED: Final = 0x01 | 0x02 | 0x04 | 0x08  # what we take as it is: CSUM, TSO4, TSO6, TSO_ECN

PLAIN: Final = HEADER.pack(0, 0, 0, 0, 0, 0)
"""Nothing is to be done: the packet is short enough and its checksum finished."""


def is_checked(packet: bytes) -> bool:
    """Whether the TCP checksum of the packet behind this header is the kernel's business.

    Either the kernel has verified it, or the text has never left this machine and has none yet.
    """
    return len(packet) > 0 and packet[0] & (NEEDS_CHECKSUM | CHECKSUM_IS_GOOD) != 0


def emit_header(outgoing: Outgoing) -> bytes:
    """The ten octets that go before ``outgoing``."""
    size = outgoing.segment_size
    if size == 0:
        return PLAIN
    is_ipv4 = outgoing.header[0] >> 4 == 4
    start = IPV4_HEADER if is_ipv4 else IPV6_HEADER
    length = sum(len(piece) for piece in outgoing.text)
    if length <= size:
        return HEADER.pack(NEEDS_CHECKSUM, 0, 0, 0, start, CHECKSUM_AT)
    kind = KIND_V4 if is_ipv4 else KIND_V6
    return HEADER.pack(NEEDS_CHECKSUM, kind, len(outgoing.header), size, start, CHECKSUM_AT)
