"""IP and TCP headers of any octets (RFC 791, RFC 8200, RFC 9293 §3.1)."""

from typing import Annotated

from mptcp.errors import Malformed
from mptcp.wire import ip
from mptcp.wire.ip import TCP, Datagram
from mptcp.wire.options import EndOfList, Option
from mptcp.wire.segment import parse
from mptcp_proofs.claim import Octets, reach, require
from mptcp_proofs.claims.domains import Bit
from mptcp_proofs.claims.ends import HERE, THERE
from mptcp_proofs.theorem import Mutant, Theorem


def opaque_options(packet: bytes, start: int, end: int, flags: int, version: int = 1) -> tuple[Option, ...]:
    """An option area that nobody walked; in place of parse_options while proving."""
    return (EndOfList(packet[start:end]),) if start < end else ()


def opaque_sum(octets: bytes, start: int, end: int, initial: int = 0) -> int:
    """Some checksum that need not be right; in place of compute_sum while proving."""
    return initial & 0xFFFF


def any_segment(
    before: Annotated[bytes, Octets(2)],
    octets: Annotated[bytes, Octets(0, 34)],
    behind: Annotated[bytes, Octets(2)],
    version: Bit,
) -> bool:
    """Any octets give a TCP segment or are Malformed: cut, or with an impossible data offset."""
    packet = before + octets + behind
    start, end = 2, 2 + len(octets)
    offset = octets[12] >> 4 << 2 if len(octets) > 12 else 0
    is_whole = len(octets) >= 20 and 20 <= offset <= len(octets)
    try:
        segment = parse(packet, Datagram(4, HERE, THERE, TCP, 64, 0, 0, start, end), True, version)
    except Malformed:
        reach("a segment that is cut")
        return not is_whole
    require(is_whole, "it is whole")
    require(segment.source_port == int.from_bytes(octets[:2], "big"), "source port")
    require(segment.destination_port == int.from_bytes(octets[2:4], "big"), "destination port")
    require(segment.sequence == int.from_bytes(octets[4:8], "big"), "sequence")
    require(segment.acknowledgment == int.from_bytes(octets[8:12], "big"), "acknowledgment")
    require(segment.flags == octets[13], "flags")
    require(segment.window == int.from_bytes(octets[14:16], "big"), "window")
    require(segment.urgent == int.from_bytes(octets[18:20], "big"), "urgent pointer")
    require(segment.text_length == len(octets) - offset, "the text is the rest")
    if segment.text_length == 0:
        return segment.text == ()
    piece = segment.text[0]
    reach("a segment with text")
    return len(segment.text) == 1 and piece.start == start + offset and piece.end == end


def any_datagram(before: Annotated[bytes, Octets(0, 1)], octets: Annotated[bytes, Octets(0, 56)]) -> bool:
    """Octets behind any framing give an IP header or are Malformed; what lies behind it is in the packet."""
    at = len(before)
    try:
        datagram = ip.parse(before + octets, at)
    except Malformed:
        reach("no IP header")
        return True
    start, end = datagram.start - at, datagram.end - at
    require(datagram.version == octets[0] >> 4, "version")
    least = 20 if datagram.version == 4 else 40
    require(least <= start <= end <= len(octets), "inside the packet")
    if datagram.version == 4:
        reach("an IPv4 header")
        require(datagram.source == octets[12:16] and datagram.destination == octets[16:20], "addresses")
        require(start == (octets[0] & 0xF) * 4, "behind the options")
        require(end == int.from_bytes(octets[2:4], "big"), "total length")
        require(octets[6] & 0x3F == 0 and octets[7] == 0, "no fragment")
        require(datagram.hop_limit == octets[8] and datagram.traffic_class == octets[1], "8-bit fields")
        require(datagram.identification == int.from_bytes(octets[4:6], "big"), "identification")
        return datagram.protocol == octets[9]
    if start > 40:
        reach("an extension header")
    elif datagram.protocol != octets[6]:
        return False
    first = int.from_bytes(octets[:4], "big")
    require(datagram.traffic_class == first >> 20 & 0xFF, "traffic class")
    require(datagram.identification == first & 0xFFFFF and datagram.hop_limit == octets[7], "other fields")
    require(datagram.source == octets[8:24] and datagram.destination == octets[24:40], "addresses")
    return end == 40 + int.from_bytes(octets[4:6], "big")


SEGMENT = "mptcp/wire/segment.py"
IP = "mptcp/wire/ip.py"

THEOREMS = (
    Theorem(
        id="T2a",
        name="any-packet",
        words="Any octets give an IP header and a TCP segment or are Malformed; fields are where the"
        " RFCs put them, a data"
        " offset below 5 or beyond the segment is never believed, and nothing outside the packet is.",
        sections="RFC 9293 §3.1, RFC 791 §3.1, RFC 8200 §3-4",
        clauses=("R9293-3.1-01", "R9293-3.9.2-02"),
        bounds="IP packets of up to 56 octets, TCP segments of up to 34, with any options in them.",
        claims=(any_segment, any_datagram),
        goals=(
            "a segment that is cut",
            "a segment with text",
            "no IP header",
            "an IPv4 header",
            "an extension header",
        ),
        mutants=(
            Mutant(
                SEGMENT,
                "if text < start + TCP_HEADER or text > end",
                "if text > end",
                "utcp 0.0.2: a TCP header length below 5 is believed",
            ),
            Mutant(SEGMENT, "if text < start + TCP_HEADER or text > end", "if text < start + TCP_HEADER"),
            Mutant(SEGMENT, "if end - start < TCP_HEADER", "if end - start < TCP_HEADER - 12"),
            Mutant(
                SEGMENT,
                "        row & MASK_16,\n        u16(packet, start + 18),",
                "        u16(packet, start + 18),\n        row & MASK_16,",
            ),
            Mutant(
                IP,
                "if header < IPV4_HEADER or length < header",
                "if header < IPV4_HEADER",
                by="any_datagram",
            ),
            Mutant(IP, "if second & MORE_AND_OFFSET", "if second & 0x2000", by="any_datagram"),
            Mutant(
                IP,
                "        if at + length > end:\n"
                '            raise Malformed(at, "an IPv6 extension header is cut")\n',
                "",
                by="any_datagram",
            ),
            Mutant(
                IP,
                "        if end > len(packet):\n"
                '            raise Malformed(len(packet), "the IPv6 packet is cut")\n',
                "",
                by="any_datagram",
            ),
            Mutant(IP, "len(packet) < start + IPV4_HEADER:", "len(packet) < start + 1:", by="any_datagram"),
            Mutant(IP, "if start + length > len(packet)", "if length > len(packet)", by="any_datagram"),
            Mutant(IP, "first >> 20 & 0xFF", "first >> 24 & 0xFF", by="any_datagram"),
        ),
        unclaimed="That a wrong checksum is found: T10 would say what it finds.",
        assumes="While proving, checksums are any number that the octets determine, and options are"
        " not walked (T6).",
        stubs={
            "mptcp.wire.segment:parse_options": "mptcp_proofs.claims.headers:opaque_options",
            "mptcp.wire.checksum:compute_sum": "mptcp_proofs.claims.headers:opaque_sum",
        },
    ),
)
