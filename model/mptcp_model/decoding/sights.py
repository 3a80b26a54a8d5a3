"""From frames to readings: what is no TCP is left out, what is damaged is read as far as it goes."""

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from mptcp.errors import Malformed
from mptcp.numbers import MASK_16
from mptcp.wire import ip, segment
from mptcp.wire.checksum import compute_checksum, compute_sum
from mptcp.wire.ip import TCP, Datagram, compute_pseudo_sum
from mptcp.wire.octets import emit_16, u16
from mptcp.wire.segment import Segment
from mptcp_model.decoding.captures import Damaged, Frame, Nanos
from mptcp_model.decoding.conversation import Conversation, Reading
from mptcp_model.decoding.links import KNOWN, find_packet

Sight: TypeAlias = tuple[int, Nanos, Reading | Malformed, tuple[str, ...]]
"""The number of a frame in its capture, its moment, what it is, and what is wrong around the options."""

FINE: Final[tuple[str, ...]] = ()
IP_SUM: Final = "wrong IPv4 header checksum"
TCP_SUM: Final = "wrong TCP checksum"
UNFINISHED: Final = "TCP checksum not filled in (the sender's device does that)"


def look(frames: Iterable[Frame], conversation: Conversation) -> Iterator[Sight]:
    """The TCP segments among ``frames``, in their order, as ``conversation`` makes them out."""
    find, read, parse_ip, parse_tcp = conversation.find, conversation.read, ip.parse, segment.parse
    for number, (moment, link, frame, full) in enumerate(frames, 1):
        start = find_packet(link, frame)
        if start < 0:
            if link not in KNOWN:
                raise Damaged(f"has frames of link type {link}, which are not read here")
            continue
        packet, cut = frame, full - len(frame)
        try:
            if cut > 0:
                raise Malformed(len(packet), "the packet is cut")
            datagram = parse_ip(packet, start)
            if datagram.protocol != TCP:
                continue
            one = parse_tcp(packet, datagram)
        except Malformed:
            try:
                mended = mend(frame[start:], max(0, cut))
            except Malformed as malformed:
                yield number, moment, malformed, FINE
                continue
            if mended is None:
                continue
            packet, datagram, one, faults = mended
        else:
            faults = FINE
        place = find(one)
        if place.subflow.connection.version == 0:  # some options have another layout there
            one = parse_tcp(packet, datagram, True, 0)
        yield number, moment, read(place, one, cut <= 0), faults


def mend(packet: bytes, cut: int) -> tuple[bytes, Datagram, Segment, tuple[str, ...]] | None:
    """A packet of which ``cut`` octets were not captured, or whose checksums are wrong.

    It is read with zeros behind it and with its faults named; None if it is not TCP. Malformed if
    that does not help.
    """
    if not may_be_tcp(packet):
        return None
    faults = []
    here = len(packet)
    packet += bytes(cut)
    try:
        datagram = ip.parse(packet)
    except Malformed as malformed:
        if malformed.offset != 10:
            raise
        faults.append(IP_SUM)
        header = packet[:10] + b"\0\0" + packet[12 : (packet[0] & 0xF) << 2]
        right = compute_checksum(compute_sum(header, 0, len(header)))
        packet = packet[:10] + emit_16(right) + packet[12:]
        datagram = ip.parse(packet)
    if datagram.protocol != TCP:
        return None
    one = segment.parse(packet, datagram, True)
    start, end = datagram.start, datagram.end
    if cut:
        if start + (packet[start + 12] >> 4 << 2) > here:
            raise Malformed(here, "the capture has cut the TCP header")
        faults.append(f"cut by the capture: {min(here, end) - start} of {end - start} octets are here")
        return packet, datagram, one, tuple(faults)
    initial = compute_pseudo_sum(datagram.source, datagram.destination, TCP, end - start)
    if compute_sum(packet, start, end, initial) != MASK_16:
        faults.append(UNFINISHED if u16(packet, start + 16) == initial else TCP_SUM)
    return packet, datagram, one, tuple(faults)


def may_be_tcp(packet: bytes) -> bool:
    """Whether the IP header says so, as far as it is there; what is no IP at all may be anything."""
    if len(packet) >= 20 and packet[0] >> 4 == 4:
        return packet[9] == TCP and not u16(packet, 6) & 0x1FFF
    if len(packet) >= 40 and packet[0] >> 4 == 6:
        return packet[6] in (TCP, ip.HOP_BY_HOP, ip.ROUTING, ip.DESTINATION)
    return True
