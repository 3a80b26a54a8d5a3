"""The TCP segment: RFC 9293 §3.1, its options, and the way back to octets."""

from typing import Final, final

from librt.strings import BytesWriter

from mptcp.errors import Malformed, Refused
from mptcp.native import i64, mypyc_attr
from mptcp.numbers import MASK_16
from mptcp.parameters import MPTCP_OPTION, OPTION_SPACE, TCP_HEADER
from mptcp.values import Address, Text, Value, compute_length, join
from mptcp.wire import addresses, dss, endings, handshake, options
from mptcp.wire.checksum import compute_checksum, compute_sum, compute_text_sum
from mptcp.wire.ip import TCP, Datagram, compute_pseudo_sum, write_header
from mptcp.wire.octets import emit_16, u16, u32, write_32
from mptcp.wire.options import (
    END,
    END_OF_LIST,
    NO_OPERATION,
    NOP,
    EndOfList,
    Leftover,
    Option,
    Timestamps,
    Unknown,
)

FIN: Final = 0x01  # flags; RFC 9293 §3.1
SYN: Final = 0x02
RST: Final = 0x04
PSH: Final = 0x08
ACK: Final = 0x10
URG: Final = 0x20
ECE: Final = 0x40  # RFC 3168 §6.1
CWR: Final = 0x80

NOT_ECT: Final = 0  # the ECN field of the IP header; RFC 3168 §5
ECT_1: Final = 1
ECT_0: Final = 2
CE: Final = 3

USUAL_START: Final = 0x0101080A  # NOP, NOP, timestamps of length 10: RFC 7323 appendix A
TWO_NOPS: Final = 0x0101


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Segment(Value):
    """One segment with the addresses around it. ``text_length`` is the octets of ``text``.

    ``window`` is the field, unsigned [R9293-3.1-01] and not yet scaled; ``urgent`` the urgent
    pointer. ``options`` are all that stand in the header, padding included, in their order.
    ``segment_size``: the device may cut the text into segments of so many octets; 0 when it must not.
    ``ecn`` are the two bits in the IP header: one of NOT_ECT, ECT_1, ECT_0, CE.
    """

    __match_args__ = (
        "source",
        "destination",
        "source_port",
        "destination_port",
        "sequence",
        "acknowledgment",
        "flags",
        "window",
        "urgent",
        "options",
        "text",
        "segment_size",
        "ecn",
    )

    def __init__(
        self,
        source: Address,
        destination: Address,
        source_port: i64,
        destination_port: i64,
        sequence: i64,
        acknowledgment: i64,
        flags: i64,
        window: i64,
        urgent: i64,
        options: tuple[Option, ...],
        text: tuple[Text, ...],
        segment_size: i64 = 0,
        ecn: i64 = NOT_ECT,
    ) -> None:
        if (source_port | destination_port | window | urgent) >> 16:
            raise Refused("ports, window and urgent pointer have 16 bits")
        if (sequence | acknowledgment) >> 32:
            raise Refused("sequence and acknowledgment numbers have 32 bits")
        if flags >> 8 or ecn >> 2:
            raise Refused("there are 8 flags, and 2 bits for ECN")
        self.source: Final = source
        self.destination: Final = destination
        self.source_port: Final = source_port
        self.destination_port: Final = destination_port
        self.sequence: Final = sequence
        self.acknowledgment: Final = acknowledgment
        self.flags: Final = flags
        self.window: Final = window
        self.urgent: Final = urgent
        self.options: Final = options
        self.text: Final = text
        self.text_length: Final = compute_length(text)
        self.segment_size: Final = segment_size
        self.ecn: Final = ecn


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Outgoing(Value):
    """A packet on its way out: ``header`` (IP, TCP, options) and the pieces of the text behind it.

    ``segment_size`` 0: the packet goes out as it is. Otherwise the device cuts the text into
    segments of that size (all with this header's options) and finishes the TCP checksum, whose
    field holds the sum of the pseudo-header only.
    """

    __match_args__ = ("header", "text", "segment_size")

    def __init__(self, header: bytes, text: tuple[Text, ...], segment_size: i64) -> None:
        self.header: Final = header
        self.text: Final = text
        self.segment_size: Final = segment_size

    def text_length(self) -> int:
        """Octets of all pieces of the text."""
        return compute_length(self.text)

    def octets(self) -> bytes:
        """The whole packet in one piece, its checksum finished."""
        header = self.header
        if self.segment_size > 0:
            start = (header[0] & 0xF) << 2 if header[0] >> 4 == 4 else 40
            total = compute_text_sum(self.text, compute_sum(header, start, len(header)))
            header = header[: start + 16] + emit_16(compute_checksum(total)) + header[start + 18 :]
        return header + join(self.text)


def parse(packet: bytes, datagram: Datagram, checked: bool = False, version: int = 1) -> Segment:
    """The segment in ``datagram``; Malformed if it is cut or damaged.

    ``checked``: somebody else has verified the checksum. ``version`` is the MPTCP version of the
    connection, by which some options are read. [R8684-1-01]
    """
    start: i64 = datagram.start
    end: i64 = datagram.end
    if end - start < TCP_HEADER:
        raise Malformed(end, "the TCP header is cut")
    row = u32(packet, start + 12)
    text: i64 = start + (row >> 28 << 2)
    if text < start + TCP_HEADER or text > end:
        raise Malformed(start + 12, "impossible data offset")
    if not checked:
        # [R9293-3.1-04]
        initial = compute_pseudo_sum(datagram.source, datagram.destination, TCP, end - start)
        if compute_sum(packet, start, end, initial) != MASK_16:
            raise Malformed(start + 16, "wrong TCP checksum")
    ports = u32(packet, start)
    flags = row >> 16 & 0xFF
    return Segment(
        datagram.source,
        datagram.destination,
        ports >> 16,
        ports & MASK_16,
        u32(packet, start + 4),
        u32(packet, start + 8),
        flags,
        row & MASK_16,
        u16(packet, start + 18),
        parse_options(packet, start + TCP_HEADER, text, flags, version),
        (Text(packet, text, end),) if text < end else (),
        0,
        datagram.traffic_class & CE,  # [R3168-5-01]
    )


def parse_options(packet: bytes, start: i64, end: i64, flags: int, version: int = 1) -> tuple[Option, ...]:
    """The options in ``packet[start:end]`` of any segment, in their order, the padding included.

    [R9293-3.1-06]
    Any octets give a tuple. Same as ``walk_options``, with the layouts of nearly every segment of
    an established connection taken at a glance: timestamps alone, or with one MPTCP option.
    """
    space = end - start
    if space < 12 or u32(packet, start) != USUAL_START:
        return walk_options(packet, start, end, flags, version)
    timestamps = Timestamps(u32(packet, start + 4), u32(packet, start + 8))
    if space == 12:
        return (NOP, NOP, timestamps)
    at = start + 12
    if space < 16 or packet[at] != MPTCP_OPTION:
        return walk_options(packet, start, end, flags, version)
    length: i64 = packet[at + 1]
    if space == 12 + length:
        return (NOP, NOP, timestamps, parse_multipath(packet, at, length, flags, version))
    if space == 14 + length and length >= 2 and u16(packet, end - 2) == TWO_NOPS:
        return (NOP, NOP, timestamps, parse_multipath(packet, at, length, flags, version), NOP, NOP)
    return walk_options(packet, start, end, flags, version)


def walk_options(packet: bytes, start: int, end: int, flags: int, version: int) -> tuple[Option, ...]:
    """``parse_options`` one option after the other, whatever they are.

    [R9293-3.1-08] Where a length is 0, 1 or reaches beyond the end, the walk ends and the rest is
    kept as a Leftover: what was legal before it holds, and a segment is not lost for an option
    that nobody could read. Options begin at any octet [R9293-3.2-01], and all but the two of one
    octet have a length [R9293-3.1-10].
    """
    found: list[Option] = []
    at = start
    while at < end:
        kind = packet[at]
        if kind == NO_OPERATION:
            found.append(NOP)
            at += 1
            continue
        if kind == END_OF_LIST:  # [R9293-3.1-05]
            found.append(EndOfList(packet[at + 1 : end]) if at + 1 < end else END)
            break
        length = packet[at + 1] if at + 1 < end else 0
        if length < 2 or at + length > end:
            found.append(Leftover(packet[at:end]))
            break
        if kind == MPTCP_OPTION:
            found.append(parse_multipath(packet, at, length, flags, version))
        else:
            found.append(options.parse(packet, at, length))
        at += length
    return tuple(found)


def parse_multipath(packet: bytes, at: i64, length: i64, flags: int, version: int) -> Option:
    """The MPTCP option of ``length`` >= 2 octets at ``at``; Unknown if it is not legal. RFC 8684 §3.

    The subtype decides [R8684-3-01]; what fits no layout is skipped [R8684-3-02].
    """
    option: Option | None = None
    if length > 2:
        subtype = packet[at + 2] >> 4
        syn, ack = (flags & SYN) != 0, (flags & ACK) != 0
        if subtype == dss.DSS:
            option = dss.parse(packet, at, length)
        elif subtype == handshake.CAPABLE:
            option = handshake.parse_capable(packet, at, length, syn, ack)
        elif subtype == handshake.JOIN:
            option = handshake.parse_join(packet, at, length, syn, ack)
        elif subtype == addresses.ADD_ADDR:
            option = addresses.parse_add_addr(packet, at, length, version)
        elif subtype == addresses.REMOVE_ADDR:
            option = addresses.parse_remove_addr(packet, at, length)
        elif subtype == addresses.PRIO:
            option = addresses.parse_prio(packet, at, length, version)
        else:
            option = endings.parse(packet, at, length, version)
    if option is None:
        return Unknown(MPTCP_OPTION, packet[at + 2 : at + length])
    return option


def emit_options(listed: tuple[Option, ...]) -> bytes:
    """The option area: the options in their order, padded with zeros to a multiple of 4 octets.

    Refused if it takes more than 40 octets; budget.py knows what to leave out.
    """
    writer = BytesWriter()
    for option in listed:
        option.write(writer)
    while len(writer) & 3:
        writer.append(END_OF_LIST)  # [R9293-3.1-11]
    if len(writer) > OPTION_SPACE:
        raise Refused("the options take more than 40 octets")
    return writer.getvalue()


def emit(
    segment: Segment,
    hop_limit: i64 = 64,
    identification: i64 = 0,
    segment_size: i64 = 0,
    traffic_class: i64 = 0,
) -> Outgoing:
    """The segment in octets, behind an IP header; the text is referred to, not copied.

    With ``segment_size`` the text may be longer than what fits a packet of the path (but not than
    what fits IP), and the device cuts it: see Outgoing. ``traffic_class`` is the DSCP, shifted by 2; the
    segment's ECN bits go below it.
    """
    area = emit_options(segment.options)
    offset = TCP_HEADER + len(area)
    length = offset + segment.text_length
    field = compute_pseudo_sum(segment.source, segment.destination, TCP, length)
    if segment_size == 0:
        total = field + _compute_fields_sum(segment, offset)
        total = compute_text_sum(segment.text, compute_sum(area, 0, len(area), total))
        field = compute_checksum(total)  # [R9293-3.1-03]
    writer = BytesWriter()
    write_header(
        writer,
        segment.source,
        segment.destination,
        TCP,
        length,
        hop_limit,
        traffic_class | segment.ecn,
        identification,
    )
    write_32(writer, segment.source_port << 16 | segment.destination_port)
    write_32(writer, segment.sequence)
    write_32(writer, segment.acknowledgment)
    write_32(writer, (offset << 10 | segment.flags) << 16 | segment.window)
    write_32(writer, field << 16 | segment.urgent)
    writer.write(area)
    return Outgoing(writer.getvalue(), segment.text, segment_size)


def _compute_fields_sum(segment: Segment, offset: i64) -> i64:
    """The words of the TCP header but for its options, added up; ``offset`` octets are the whole header."""
    seq, ack = segment.sequence, segment.acknowledgment
    numbers = (seq >> 16) + (seq & MASK_16) + (ack >> 16) + (ack & MASK_16)
    ports = segment.source_port + segment.destination_port
    return numbers + ports + (offset << 10 | segment.flags) + segment.window + segment.urgent
