"""IPv4 (RFC 791) and IPv6 (RFC 8200) headers: as much as an end host of TCP needs.

IPv4 options are skipped; IPv6 extension headers are walked. Fragments are Malformed: TCP avoids
them (DF is set, the MSS is kept), and reassembly is the business of whoever owns the device.
"""

from typing import Final, final

from librt.strings import BytesWriter

from mptcp.errors import Malformed, Refused
from mptcp.native import i64, mypyc_attr
from mptcp.numbers import MASK_16
from mptcp.parameters import IPV4_HEADER, IPV6_HEADER
from mptcp.values import Address, Port, Value
from mptcp.wire.checksum import compute_checksum, compute_sum, fold
from mptcp.wire.octets import u16, u32, write_32

ICMP: Final = 1  # protocol numbers
TCP: Final = 6
ICMPV6: Final = 58

HOP_BY_HOP: Final = 0  # IPv6 extension headers, RFC 8200 §4
ROUTING: Final = 43
FRAGMENT: Final = 44
DESTINATION: Final = 60

DONT_FRAGMENT: Final = 0x4000
MORE_AND_OFFSET: Final = 0x3FFF


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Datagram(Value):
    """An IP header, and where in its packet the octets of the upper layer lie: [start, end).

    ``protocol`` is the upper layer's, behind all extension headers. ``traffic_class`` holds DSCP
    and ECN. ``identification`` is IPv4's, 16 bits; for IPv6 it is the flow label, 20 bits.
    """

    __match_args__ = (
        "version",
        "source",
        "destination",
        "protocol",
        "hop_limit",
        "traffic_class",
        "identification",
        "start",
        "end",
    )

    def __init__(
        self,
        version: i64,
        source: Address,
        destination: Address,
        protocol: i64,
        hop_limit: i64,
        traffic_class: i64,
        identification: i64,
        start: i64,
        end: i64,
    ) -> None:
        self.version: Final = version
        self.source: Final = source
        self.destination: Final = destination
        self.protocol: Final = protocol
        self.hop_limit: Final = hop_limit
        self.traffic_class: Final = traffic_class
        self.identification: Final = identification
        self.start: Final = start
        self.end: Final = end


def parse(packet: bytes, start: i64 = 0) -> Datagram:
    """The IP header at ``start`` of ``packet``; Malformed if it is cut, damaged or a fragment."""
    if len(packet) < start + IPV4_HEADER:
        raise Malformed(len(packet), "the packet is shorter than an IP header")
    version = packet[start] >> 4
    if version == 4:
        return _parse_4(packet, start)
    if version == 6:
        return _parse_6(packet, start, True)
    raise Malformed(start, "the version is neither 4 nor 6")


def parse_quoted(packet: bytes, start: int) -> Datagram:
    """The IP header at ``start``, quoted in an ICMP message: the packet behind it may be cut off.

    Only ``source``, ``destination``, ``protocol`` and ``start`` mean anything.
    """
    if start >= len(packet):
        raise Malformed(len(packet), "nothing is quoted")
    if packet[start] >> 4 == 6:
        return _parse_6(packet, start, False)
    header = (packet[start] & 0xF) << 2
    if packet[start] >> 4 != 4 or header < IPV4_HEADER:
        raise Malformed(start, "what is quoted is not an IP header")
    if start + header > len(packet):
        raise Malformed(len(packet), "the quoted IP header is cut")
    if u16(packet, start + 6) & 0x1FFF:
        raise Malformed(start + 6, "a later fragment is quoted")
    return Datagram(
        4,
        packet[start + 12 : start + 16],
        packet[start + 16 : start + 20],
        packet[start + 9],
        packet[start + 8],
        packet[start + 1],
        u16(packet, start + 4),
        start + header,
        len(packet),
    )


def _parse_4(packet: bytes, start: i64) -> Datagram:
    """RFC 791 §3.1, row by row of its figure."""
    first = u32(packet, start)
    header = first >> 22 & 0x3C
    length = first & MASK_16
    if header < IPV4_HEADER or length < header:
        raise Malformed(start, "the IPv4 header or total length is too small")
    if start + length > len(packet):
        raise Malformed(len(packet), "the IPv4 packet is cut")
    second = u32(packet, start + 4)
    if second & MORE_AND_OFFSET:
        raise Malformed(start + 6, "IPv4 fragment")
    third = u32(packet, start + 8)
    # [R9293-3.9.2-02] options are skipped, but they count in the header's checksum
    total = first + second + third + u32(packet, start + 12) + u32(packet, start + 16)
    if compute_sum(packet, start + IPV4_HEADER, start + header, total) != MASK_16:
        raise Malformed(start + 10, "wrong IPv4 header checksum")
    return Datagram(
        4,
        packet[start + 12 : start + 16],
        packet[start + 16 : start + 20],
        third >> 16 & 0xFF,
        third >> 24,
        first >> 16 & 0xFF,
        second >> 16,
        start + header,
        start + length,
    )


def _parse_6(packet: bytes, start: int, whole: bool) -> Datagram:
    """RFC 8200 §3 and §4; unless ``whole`` the packet may be cut off behind the headers."""
    at = start + IPV6_HEADER
    end = len(packet)
    if at > end:
        raise Malformed(end, "the IPv6 header is cut")
    if whole:
        end = at + u16(packet, start + 4)
        if end > len(packet):
            raise Malformed(len(packet), "the IPv6 packet is cut")
    first = u32(packet, start)
    protocol = packet[start + 6]
    while protocol in (HOP_BY_HOP, ROUTING, DESTINATION, FRAGMENT):
        if at + 8 > end:
            raise Malformed(at, "an IPv6 extension header is cut")
        if protocol == HOP_BY_HOP and at != start + IPV6_HEADER:
            raise Malformed(at, "hop-by-hop options that do not come first")
        length = (packet[at + 1] + 1) << 3
        if protocol == FRAGMENT:
            length = 8
            if u16(packet, at + 2) & 0xFFF9:
                raise Malformed(at + 2, "IPv6 fragment")
        if protocol == ROUTING and packet[at + 3] and whole:
            raise Malformed(at + 3, "source route with segments left")
        if at + length > end:
            raise Malformed(at, "an IPv6 extension header is cut")
        protocol = packet[at]
        at += length
    return Datagram(
        6,
        packet[start + 8 : start + 24],
        packet[start + 24 : start + 40],
        protocol,
        packet[start + 7],
        first >> 20 & 0xFF,
        first & 0xFFFFF,
        at,
        end,
    )


def emit_header(
    source: Address,
    destination: Address,
    protocol: int,
    length: int,
    hop_limit: int = 64,
    traffic_class: int = 0,
    identification: int = 0,
) -> bytes:
    """The header before ``length`` octets of ``protocol``; see ``write_header``."""
    writer = BytesWriter()
    write_header(writer, source, destination, protocol, length, hop_limit, traffic_class, identification)
    return writer.getvalue()


def write_header(
    writer: BytesWriter,
    source: Address,
    destination: Address,
    protocol: i64,
    length: i64,
    hop_limit: i64,
    traffic_class: i64,
    identification: i64,
) -> None:
    """Put the header before ``length`` octets of ``protocol`` behind what is written; of IPv4 with DF set.

    Refused for addresses of two families and for more octets than the length field can say.
    """
    if len(source) != len(destination) or len(source) not in (4, 16):
        raise Refused("both addresses have 4 octets, or both have 16")
    if (traffic_class | hop_limit | protocol) >> 8:
        raise Refused("traffic class, hop limit and protocol have 8 bits")
    if len(source) == 16:
        if length > MASK_16:
            raise Refused("too long for IPv6")
        write_32(writer, 6 << 28 | traffic_class << 20 | identification & 0xFFFFF)
        write_32(writer, length << 16 | protocol << 8 | hop_limit)
    else:
        length += IPV4_HEADER
        if length > MASK_16:
            raise Refused("too long for IPv4")
        first = (0x4500 | traffic_class) << 16 | length
        second = (identification & MASK_16) << 16 | DONT_FRAGMENT  # [R1191-2-01] [R8899-3-01]
        third = (hop_limit << 8 | protocol) << 16
        total = first + second + third + compute_addresses_sum(source, destination)
        write_32(writer, first)
        write_32(writer, second)
        write_32(writer, third | compute_checksum(total))
    writer.write(source)
    writer.write(destination)


def compute_addresses_sum(source: Address, destination: Address) -> i64:
    """The sum of both, not folded."""
    if len(source) == 4 and len(destination) == 4:  # fast path
        return u32(source, 0) + u32(destination, 0)
    return compute_sum(source, 0, len(source)) + compute_sum(destination, 0, len(destination))


def compute_pseudo_sum(source: Address, destination: Address, protocol: i64, length: i64) -> i64:
    """The sum of the pseudo-header that TCP and ICMPv6 checksums cover (RFC 9293 §3.1, 8200 §8.1)."""
    return fold(compute_addresses_sum(source, destination) + protocol + length)


# -- at a glance: of a packet that nobody has parsed ----------------------------------------------


def read_source(packet: bytes, start: int = 0) -> Address:
    """The source of the IP packet at ``start``; empty if it has none."""
    version = packet[start] >> 4 if len(packet) > start else 0
    if version == 4:
        return packet[start + 12 : start + 16]
    return packet[start + 8 : start + 24] if version == 6 else b""


def read_destination(packet: bytes, start: int = 0) -> Address:
    """The destination of the IP packet at ``start``; empty if it has none."""
    version = packet[start] >> 4 if len(packet) > start else 0
    if version == 4:
        return packet[start + 16 : start + 20]
    return packet[start + 24 : start + 40] if version == 6 else b""


def read_destination_port(packet: bytes, start: int = 0) -> Port:
    """The TCP port that the IP packet at ``start`` goes to; -1 for what is not plainly TCP."""
    if len(packet) <= start:
        return -1
    if packet[start] >> 4 == 4:
        at, protocol = start + ((packet[start] & 0xF) << 2), start + 9
    else:
        at, protocol = start + IPV6_HEADER, start + 6
    if len(packet) < at + 4 or packet[protocol] != TCP:
        return -1
    return u16(packet, at + 2)
