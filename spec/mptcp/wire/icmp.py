"""ICMP (RFC 792, RFC 1191) and ICMPv6 (RFC 4443): the two reports that concern a subflow.

"Too big" tells the path MTU, "unreachable" that a destination cannot be reached; both quote the
start of the packet that met the trouble, which names the subflow and the sequence number.
Others, a source quench among them [R9293-3.9.2.2-02], say nothing.
"""

from typing import Final, TypeAlias, final

from mptcp.errors import Malformed, Refused
from mptcp.parameters import IPV4_HEADER, IPV6_HEADER, TCP_HEADER
from mptcp.values import Address, Port, Value
from mptcp.wire.checksum import compute_checksum, compute_sum
from mptcp.wire.ip import ICMP, ICMPV6, TCP, Datagram, compute_pseudo_sum, emit_header, parse_quoted
from mptcp.wire.octets import emit_16, emit_32, u16, u32

UNREACHABLE_4: Final = 3  # ICMP type; RFC 792
FRAGMENTATION_NEEDED: Final = 4  # its code; RFC 1191 §4
UNREACHABLE_6: Final = 1  # ICMPv6 type; RFC 4443 §3.1
TOO_BIG_6: Final = 2  # RFC 4443 §3.2
QUOTED: Final = 8  # octets of TCP that a quote holds at least: both ports and the sequence number
HEADER: Final = 8  # octets of an ICMP message before the quote
LARGEST_4: Final = 576  # octets of a whole error message; RFC 1812 §4.3.2.3
LARGEST_6: Final = 1280  # RFC 4443 §2.4 (c)


@final
class Quote(Value):
    """Of the quoted segment: the addresses and ports as we sent them, and its sequence number."""

    __match_args__ = ("source", "destination", "source_port", "destination_port", "sequence")

    def __init__(
        self, source: Address, destination: Address, source_port: Port, destination_port: Port, sequence: int
    ) -> None:
        if len(source) != len(destination) or len(source) not in (4, 16):
            raise Refused("both addresses have 4 octets, or both have 16")
        if not (0 <= source_port <= 0xFFFF and 0 <= destination_port <= 0xFFFF):
            raise Refused("a port has 16 bits")
        if not 0 <= sequence <= 0xFFFFFFFF:
            raise Refused("a sequence number has 32 bits")
        self.source: Final = source
        self.destination: Final = destination
        self.source_port: Final = source_port
        self.destination_port: Final = destination_port
        self.sequence: Final = sequence


@final
class TooBig(Value):
    """A packet did not fit: ``mtu`` octets would have. 0 if an old router did not say (RFC 1191 §5)."""

    __match_args__ = ("mtu", "quote")

    def __init__(self, mtu: int, quote: Quote) -> None:
        if not 0 <= mtu <= (0xFFFF if len(quote.source) == 4 else 0xFFFFFFFF):
            raise Refused("an MTU has 16 bits (IPv4) or 32 (IPv6)")
        self.mtu: Final = mtu
        self.quote: Final = quote


@final
class Unreachable(Value):
    """A destination cannot be reached; ``code`` as in RFC 792 or RFC 4443, by the quote's family."""

    __match_args__ = ("code", "quote")

    def __init__(self, code: int, quote: Quote) -> None:
        if not 0 <= code <= 0xFF:
            raise Refused("a code has 8 bits")
        if code == FRAGMENTATION_NEEDED and len(quote.source) == 4:
            raise Refused("that code says that a packet was too big")
        self.code: Final = code
        self.quote: Final = quote


Report: TypeAlias = TooBig | Unreachable


def parse(packet: bytes, datagram: Datagram) -> Report | None:
    """The report in ``datagram``, or None for any other message; Malformed if it is ICMP, cut or damaged."""
    if datagram.protocol != (ICMP if datagram.version == 4 else ICMPV6):
        return None
    start, end = datagram.start, datagram.end
    if end - start < HEADER:
        raise Malformed(end, "the ICMP message is cut")
    initial = 0
    if datagram.version == 6:
        initial = compute_pseudo_sum(datagram.source, datagram.destination, ICMPV6, end - start)
    if compute_sum(packet, start, end, initial) != 0xFFFF:
        raise Malformed(start + 2, "wrong ICMP checksum")
    kind, code = packet[start], packet[start + 1]
    if datagram.version == 4 and kind == UNREACHABLE_4:
        quote = _parse_quote(packet[:end], start + HEADER)
        if quote is None or len(quote.source) != 4:
            return None
        if code == FRAGMENTATION_NEEDED:
            return TooBig(u16(packet, start + 6), quote)
        return Unreachable(code, quote)
    if datagram.version == 6 and kind in (UNREACHABLE_6, TOO_BIG_6):
        quote = _parse_quote(packet[:end], start + HEADER)
        if quote is None or len(quote.source) != 16:
            return None
        if kind == TOO_BIG_6:
            return TooBig(u32(packet, start + 4), quote)
        return Unreachable(code, quote)
    return None


def _parse_quote(packet: bytes, start: int) -> Quote | None:
    """The quoted segment; None if what is quoted is not TCP."""
    quoted = parse_quoted(packet, start)
    if quoted.protocol != TCP:
        return None
    at = quoted.start
    if at + QUOTED > len(packet):
        raise Malformed(len(packet), "the quoted segment is cut")
    return Quote(quoted.source, quoted.destination, u16(packet, at), u16(packet, at + 2), u32(packet, at + 4))


def emit(report: Report, source: Address, destination: Address, quoted: bytes = b"") -> bytes:
    """The packet in which ``source`` reports to ``destination``.

    ``quoted`` is the packet that met the trouble, of which as much is quoted as may be; without it
    a header and 8 octets are made up from the report's quote.
    """
    quote = report.quote
    family = len(quote.source)
    if not family == len(source) == len(destination):
        raise Refused("a report goes by the family of what it quotes")
    if not quoted:
        quoted = emit_header(quote.source, quote.destination, TCP, TCP_HEADER)
        quoted += emit_16(quote.source_port) + emit_16(quote.destination_port) + emit_32(quote.sequence)
    if family == 4:
        quoted = quoted[: LARGEST_4 - IPV4_HEADER - HEADER]
        kind, code, protocol, initial = UNREACHABLE_4, FRAGMENTATION_NEEDED, ICMP, 0
    else:
        quoted = quoted[: LARGEST_6 - IPV6_HEADER - HEADER]
        kind, code, protocol = TOO_BIG_6, 0, ICMPV6
        initial = compute_pseudo_sum(source, destination, ICMPV6, HEADER + len(quoted))
    value = 0
    if isinstance(report, TooBig):
        value = report.mtu
    else:
        code = report.code
        kind = UNREACHABLE_4 if family == 4 else UNREACHABLE_6
    body = emit_32(value) + quoted
    total = compute_sum(body, 0, len(body), initial + (kind << 8 | code))
    message = bytes((kind, code)) + emit_16(compute_checksum(total)) + body
    return emit_header(source, destination, protocol, len(message)) + message
