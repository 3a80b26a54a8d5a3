"""From one long segment to segments that fit the path: what a device with segmentation offload does.

For devices that have none. The core hands down text of many segments behind one header (see
``Outgoing``), and whoever cuts repeats its options on each: one DSS mapping serves them all, since a
mapping may be longer than a segment (RFC 8684 §3.3.1 [R8684-3.3.1-02]).
"""

from typing import Final

from librt.strings import BytesWriter

from mptcp.numbers import MASK_16
from mptcp.parameters import IPV4_HEADER, IPV6_HEADER
from mptcp.values import Text
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
    start = IPV4_HEADER if header[0] >> 4 == 4 else IPV6_HEADER
    length = sum([len(piece) for piece in outgoing.text])
    head = len(header) - start
    # the field holds the pseudo-header's sum with the length of the whole; that length goes out of it
    pseudo = u16(header, start + 16) + MASK_16 - fold(head + length)
    pieces = cut_text(outgoing.text, size) if length > size else [outgoing.text]
    packets: list[Outgoing] = []
    passed = 0
    for text in pieces:
        octets = sum([len(piece) for piece in text])
        flags = u16(header, start + 12)
        if passed > 0:
            flags &= ~ONLY_FIRST
        if passed + octets < length:
            flags &= ~ONLY_LAST
        writer = BytesWriter()
        write_ip(writer, header, start, head + octets)
        total = compute_sum(header, start, start + 4, fold(pseudo) + head + octets)
        sequence = u32(header, start + 4) + passed
        total += (sequence >> 16 & MASK_16) + (sequence & MASK_16) + flags
        total += u16(header, start + 14)
        total = compute_sum(header, start + 8, start + 12, fold(total))
        total = compute_sum(header, start + 18, len(header), total)
        writer.write(header[start : start + 4])
        write_32(writer, sequence)
        writer.write(header[start + 8 : start + 12])
        write_16(writer, flags)
        writer.write(header[start + 14 : start + 16])
        write_16(writer, compute_checksum(compute_text_sum(text, total)))
        writer.write(header[start + 18 :])
        packets.append(Outgoing(writer.getvalue(), text, 0))
        passed += octets
    return packets


def write_ip(writer: BytesWriter, header: bytes, start: int, length: int) -> None:
    """The IP header of ``start`` octets in ``header``, before ``length`` octets of TCP."""
    if start == IPV6_HEADER:
        writer.write(header[:4])
        write_16(writer, length)
        writer.write(header[6:start])
        return
    total = compute_sum(header, 0, 2, start + length)
    total = compute_sum(header, 4, 10, total)
    total = compute_sum(header, 12, start, total)
    writer.write(header[:2])
    write_16(writer, start + length)
    writer.write(header[4:10])
    write_16(writer, compute_checksum(total))
    writer.write(header[12:start])


def cut_text(text: tuple[Text, ...], size: int) -> list[tuple[Text, ...]]:
    """References to ``size`` octets after ``size`` octets of ``text``; the last may be shorter."""
    found: list[tuple[Text, ...]] = []
    some: list[Text] = []
    room = size
    for piece in text:
        at = 0
        while at < len(piece):
            stop = min(len(piece), at + room)
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
