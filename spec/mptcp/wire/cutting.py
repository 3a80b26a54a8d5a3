"""From one long segment to segments that fit the path: what a device with segmentation offload does.

For devices that have none. The core hands down text of many segments behind one header (see
``Outgoing``), and whoever cuts repeats its options on each: one DSS mapping serves them all, since a
mapping may be longer than a segment (RFC 8684 §3.3.1 [R8684-3.3.1-02]).
"""

from typing import Final

from librt.strings import BytesWriter

from mptcp.native import i64
from mptcp.numbers import MASK_16, MASK_32
from mptcp.parameters import IPV4_HEADER, IPV6_HEADER
from mptcp.values import Text, compute_length
from mptcp.wire.checksum import compute_checksum, compute_sum, compute_text_sum, fold
from mptcp.wire.octets import u16, u32, write_16, write_32
from mptcp.wire.segment import CWR, FIN, PSH, Outgoing

ONLY_LAST: Final = FIN | PSH
ONLY_FIRST: Final = CWR


def cut(outgoing: Outgoing) -> list[Outgoing]:
    """Packets with up to ``segment_size`` octets of the text each, checksums finished, in their order.

    FIN and PSH stay with the last, CWR with the first (RFC 3168 §6.1.2). What is finished stays whole.
    """
    header = outgoing.header
    size = outgoing.segment_size
    if size == 0:
        return [outgoing]
    start: i64 = IPV4_HEADER if header[0] >> 4 == 4 else IPV6_HEADER
    length = compute_length(outgoing.text)
    head: i64 = len(header) - start
    ports, ack, window = u32(header, start), u32(header, start + 8), u16(header, start + 14)
    rest = header[start + 18 :]  # the urgent pointer and the options
    # The sum of what is the same in all. The field has the pseudo-header's sum with the length of the
    # whole, which goes out of it; that of each comes into it with the text.
    same = u16(header, start + 16) + MASK_16 - fold(head + length) + head + ports + ack + window
    same = compute_sum(rest, 0, len(rest), same)
    pieces = cut_text(outgoing.text, size) if length > size else [outgoing.text]
    packets: list[Outgoing] = []
    passed: i64 = 0
    for text in pieces:
        octets = compute_length(text)
        flags = u16(header, start + 12)
        if passed > 0:
            flags &= ~ONLY_FIRST
        if passed + octets < length:
            flags &= ~ONLY_LAST
        sequence = u32(header, start + 4) + passed & MASK_32
        total = same + octets + (sequence >> 16) + (sequence & MASK_16) + flags
        writer = BytesWriter()
        write_ip(writer, header, start, head + octets)
        write_32(writer, ports)
        write_32(writer, sequence)
        write_32(writer, ack)
        write_32(writer, flags << 16 | window)
        write_16(writer, compute_checksum(compute_text_sum(text, total)))
        writer.write(rest)
        packets.append(Outgoing(writer.getvalue(), text, 0))
        passed += octets
    return packets


def write_ip(writer: BytesWriter, header: bytes, start: i64, length: i64) -> None:
    """The IP header of ``start`` octets in ``header``, before ``length`` octets of TCP."""
    if start == IPV6_HEADER:
        writer.write(header[:4])
        write_16(writer, length)
        writer.write(header[6:start])
        return
    length += start
    # Its checksum was right for another length: that goes out of the sum, and this one into it (RFC 1624 §3).
    total = (MASK_16 - u16(header, 10)) + (MASK_16 - u16(header, 2)) + length
    write_16(writer, u16(header, 0))
    write_16(writer, length)
    write_32(writer, u32(header, 4))
    write_16(writer, u16(header, 8))
    write_16(writer, compute_checksum(total))
    writer.write(header[12:start])


def cut_text(text: tuple[Text, ...], size: i64) -> list[tuple[Text, ...]]:
    """References to ``size`` octets after ``size`` octets of ``text``; the last may be shorter."""
    found: list[tuple[Text, ...]] = []
    some: list[Text] = []
    room = size
    for piece in text:
        at: i64 = 0
        length: i64 = piece.end - piece.start
        while at < length:
            stop = min(length, at + room)
            some.append(piece.cut(at, stop))
            room -= stop - at
            at = stop
            if room == 0:
                found.append(tuple(some))
                some = []
                room = size
    if some:
        found.append(tuple(some))
    return found
