"""From frames to readings: what is no TCP is left out, what is damaged is read as far as it goes."""

from collections.abc import Iterable, Iterator
from typing import Final, final

from mptcp.errors import Malformed
from mptcp.native import mypyc_attr
from mptcp.numbers import MASK_16
from mptcp.wire import ip, segment
from mptcp.wire.checksum import compute_checksum, compute_sum
from mptcp.wire.ip import TCP, Datagram, compute_pseudo_sum
from mptcp.wire.octets import emit_16, u16
from mptcp.wire.segment import Segment
from mptcp_model.decoding.captures import Damaged, Frame, Nanos
from mptcp_model.decoding.conversation import Conversation, Reading
from mptcp_model.decoding.links import KNOWN, find_packet

FINE: Final[tuple[str, ...]] = ()
IP_SUM: Final = "wrong IPv4 header checksum"
TCP_SUM: Final = "wrong TCP checksum"
UNFINISHED: Final = "TCP checksum not filled in (the sender's device does that)"


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Sight:
    """The number of a frame in its capture, its moment, what it is, and what is wrong around the options."""

    def __init__(
        self, number: int, moment: Nanos, reading: Reading | Malformed, faults: tuple[str, ...]
    ) -> None:
        self.number: Final = number
        self.moment: Final = moment
        self.reading: Final = reading
        self.faults: Final = faults


def look(pieces: Iterable[list[Frame]], conversation: Conversation) -> Iterator[list[Sight]]:
    """The TCP segments among the frames of each piece, in their order, as ``conversation`` makes them out."""
    number = 0
    for frames in pieces:
        sights: list[Sight] = []
        strange = look_through(frames, number, conversation, sights)
        yield sights
        if strange >= 0:
            raise Damaged(f"has frames of link type {strange}, which are not read here")
        number += len(frames)


def look_through(frames: list[Frame], number: int, conversation: Conversation, sights: list[Sight]) -> int:
    """Put what is seen in ``frames``, before which there were ``number``, behind ``sights``.

    Ends before a frame of an unknown link type, which it returns; -1 if there is none.
    """
    for moment, link, frame, full in frames:
        number += 1
        start = find_packet(link, frame)
        if start < 0:
            if link not in KNOWN:
                return link
            continue
        cut = full - len(frame)
        faults = FINE
        try:
            if cut > 0:
                raise Malformed(len(frame), "the packet is cut")
            packet, datagram = frame, ip.parse(frame, start)
            if datagram.protocol != TCP:
                continue
            one = segment.parse(packet, datagram)
        except Malformed:
            try:
                mended = mend(frame[start:], max(0, cut))
            except Malformed as malformed:
                sights.append(Sight(number, moment, malformed, FINE))
                continue
            if mended is None:
                continue
            packet, datagram, one, faults = mended
        place = conversation.find(one)
        if place.subflow.connection.version == 0:  # some options have another layout there
            one = segment.parse(packet, datagram, True, 0)
        sights.append(Sight(number, moment, conversation.read(place, one, cut <= 0), faults))
    return -1


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
