"""What stands before each IP packet of a device: nothing, or what is still to be done with the packet.

With the ten octets of ``struct virtio_net_hdr`` a packet may hold up to 64 KB of text behind one header,
in both directions: whoever puts it on a real wire cuts it and finishes the checksum, and between a kernel
and us nobody has to.
"""

import struct
from typing import Final, final

from mptcp.native import mypyc_attr
from mptcp.parameters import IPV4_HEADER, IPV6_HEADER
from mptcp.wire.segment import Outgoing

HEADER: Final = struct.Struct("<BBHHHH")  # flags, kind, header length, segment size, checksum from, at
NEEDS_CHECKSUM: Final = 1  # flags: the field holds the sum of the pseudo-header
CHECKSUM_IS_GOOD: Final = 2
KIND_V4: Final = 1  # TCP over IPv4, longer than a segment
KIND_V6: Final = 4
CHECKSUM_AT: Final = 16  # octets into the TCP header

PLAIN: Final = HEADER.pack(0, 0, 0, 0, 0, 0)
"""Nothing is to be done: the packet is short enough and its checksum finished."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Framing:
    """Nothing before the packet, ``size`` 0: a plain TUN interface, which does not cut (``offloads``)."""

    def __init__(self, size: int = 0, offloads: bool = False) -> None:
        self.size: Final = size
        self.offloads: Final = offloads

    def emit(self, outgoing: Outgoing) -> bytes | None:
        """What goes before the packet; None if nobody can take it now."""
        return b""

    def is_checked(self, packet: bytes) -> bool:
        """Whether the TCP checksum of the packet behind its framing is somebody else's business."""
        return False


@final
class Virtual(Framing):
    """A TUN interface with IFF_VNET_HDR."""

    def __init__(self) -> None:
        super().__init__(HEADER.size, True)

    def emit(self, outgoing: Outgoing) -> bytes:
        """See ``Framing``."""
        return emit_header(outgoing)

    def is_checked(self, packet: bytes) -> bool:
        """The kernel has verified it, or the text has never left this machine and has none yet."""
        return is_checked(packet)


def is_checked(packet: bytes) -> bool:
    """What the flags say of the packet behind them."""
    return len(packet) > 0 and packet[0] & (NEEDS_CHECKSUM | CHECKSUM_IS_GOOD) != 0


def emit_header(outgoing: Outgoing, link: int = 0) -> bytes:
    """The ten octets that go before ``outgoing`` and the ``link`` octets of its link-layer header."""
    size = outgoing.segment_size
    if size == 0:
        return PLAIN
    is_ipv4 = outgoing.header[0] >> 4 == 4
    start = link + (IPV4_HEADER if is_ipv4 else IPV6_HEADER)
    if outgoing.text_length() <= size:
        return HEADER.pack(NEEDS_CHECKSUM, 0, 0, 0, start, CHECKSUM_AT)
    kind = KIND_V4 if is_ipv4 else KIND_V6
    return HEADER.pack(NEEDS_CHECKSUM, kind, link + len(outgoing.header), size, start, CHECKSUM_AT)
