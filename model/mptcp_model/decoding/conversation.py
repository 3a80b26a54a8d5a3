"""Reads segments in the order of a capture: which connection, numbers from 0, and what holds.

    conversation = Conversation()
    place = conversation.find(segment)
    reading = conversation.read(place, segment)

A connection is kept as long as one of its subflows is; a subflow until it is closed and 256 others were
closed after it. So memory follows how many connections are open at a time.
"""

from collections import deque
from typing import Final, TypeAlias, final

from mptcp.native import mypyc_attr
from mptcp.numbers import MASK_32, compute_offset_32, compute_offset_64, compute_wire_64
from mptcp.values import Address, Port, Text, Value
from mptcp.wire.dss import Dss, Mapping
from mptcp.wire.endings import Fail
from mptcp.wire.handshake import CapableData, JoinSyn
from mptcp.wire.options import NOP, Option, Timestamps, WindowScale
from mptcp.wire.segment import ACK, FIN, RST, SYN, Segment
from mptcp_model.decoding.proofs import MULTIPATH, Finding, Note, Offsets, check, check_join
from mptcp_model.decoding.records import Connection, Direction, End, Host, Mapped, Subflow
from mptcp_model.decoding.sums import Unfinished

KEPT_CLOSED: Final = 256
"""Closed subflows that are remembered, for stragglers and for joins after the last subflow broke."""

KEPT_UNFINISHED: Final = 64
"""Mappings with a checksum whose text is waited for, of each direction."""

PLAUSIBLE: Final = 1 << 32
"""Octets from the largest known data offset; a DSN farther away does not count from this IDSN."""

FOREVER: Final = 1 << 62  # octets of the infinite mapping

Way: TypeAlias = tuple[Address, Port, Address, Port]


@final
@mypyc_attr(acyclic=True)
class Place:
    """Where a segment belongs: the direction it goes, and the other one."""

    def __init__(self, subflow: Subflow, direction: Direction, other: Direction) -> None:
        self.subflow: Final = subflow
        self.direction: Final = direction
        self.other: Final = other


@final
class Sum(Value):
    """A mapping with a checksum, all of whose text was seen with this segment."""

    __match_args__ = ("mapped", "checksum", "valid")

    def __init__(self, mapped: Mapped, checksum: int, valid: bool) -> None:
        self.mapped: Final = mapped
        self.checksum: Final = checksum
        self.valid: Final = valid


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Reading:
    """A segment as this conversation makes it out. Offsets; None where it has none.

    ``data`` is the data offset of the text's first octet; ``notes`` belong to its MPTCP options, in
    their order; ``sums`` to the mappings that are whole now.
    """

    def __init__(
        self,
        segment: Segment,
        place: Place,
        sequence: int,
        acknowledgment: int | None,
        data: int | None,
        notes: list[Note],
        sums: list[Sum],
    ) -> None:
        self.segment: Final = segment
        self.place: Final = place
        self.sequence: Final = sequence
        self.acknowledgment: Final = acknowledgment
        self.data: Final = data
        self.notes: Final = notes
        self.sums: Final = sums


@final
class Conversation:
    """All connections of a capture. ``connections`` and ``segments`` are how many there were."""

    def __init__(self) -> None:
        self.connections = 0
        self.flows: Final[dict[Way, Place]] = {}
        self.tokens: Final[dict[int, tuple[Connection, int]]] = {}  # by whose: 0 for the opener, 1
        self._closed: Final[deque[Subflow]] = deque()

    # -- where a segment belongs ----------------------------------------------------------------------
    def find(self, segment: Segment) -> Place:
        """The place of ``segment``; of a connection that begins with it, if it belongs to none."""
        place = self.flows.get(
            (segment.source, segment.source_port, segment.destination, segment.destination_port)
        )
        if place is None or (segment.flags & SYN and is_anew(place, segment)):
            return self.open(segment)
        return place

    def open(self, segment: Segment) -> Place:
        """A subflow begins: of a connection that its token names, or of a new one."""
        one = End(segment.source, segment.source_port)
        two = End(segment.destination, segment.destination_port)
        answers = segment.flags & (SYN | ACK) == SYN | ACK
        joined, receiver = False, 1
        connection: Connection | None = None
        for option in segment.options:
            if isinstance(option, JoinSyn):
                joined = True
                if option.token in self.tokens:
                    connection, receiver = self.tokens[option.token]
                break
        if connection is None:
            self.connections += 1
            connection = Connection(self.connections, (Host(), Host()))
        source, target = (receiver, 1 - receiver) if answers else (1 - receiver, receiver)
        ours = Direction(connection.hosts[source], "AB"[source])
        theirs = Direction(connection.hosts[target], "AB"[target])
        number = len(connection.subflows) + 1
        if answers:
            subflow = Subflow(number, connection, two, one, theirs, ours, False)
        else:
            subflow = Subflow(number, connection, one, two, ours, theirs, joined)
        connection.subflows.append(subflow)
        connection.kept += 1
        self.flows[(*two, *one)] = Place(subflow, theirs, ours)
        place = self.flows[(*one, *two)] = Place(subflow, ours, theirs)
        return place

    def close(self, subflow: Subflow) -> None:
        """``subflow`` is over; forget one that has been so for long."""
        if subflow.closed:
            return
        subflow.closed = True
        self._closed.append(subflow)
        if len(self._closed) > KEPT_CLOSED:
            self.forget(self._closed.popleft())

    def forget(self, subflow: Subflow) -> None:
        """Nothing more is wanted of ``subflow``, nor of its connection if it was the last one."""
        connection = subflow.connection
        for way in (
            (*subflow.source, *subflow.destination),
            (*subflow.destination, *subflow.source),
        ):
            place = self.flows.get(way)
            if place is not None and place.subflow is subflow:  # its ports may have been used again
                del self.flows[way]
        connection.kept -= 1
        if connection.kept == 0:
            for host in connection.hosts:
                if host.token is not None and self.tokens.get(host.token, (None, 0))[0] is connection:
                    del self.tokens[host.token]
            connection.subflows.clear()  # each knows its connection: without circles it goes at once

    # -- what a segment says --------------------------------------------------------------------------
    def read(self, place: Place, segment: Segment, whole: bool = True) -> Reading:
        """Count the numbers of ``segment`` from 0, and take note of what it says.

        ``whole``: its text is what was sent, and not filled up where the capture had cut it.
        """
        direction, other = place.direction, place.other
        flags = segment.flags
        if flags & (SYN | FIN | RST):
            self.turn(place, segment)
        if direction.isn is None:  # nothing was seen of it: the first number counts as 1
            direction.isn = segment.sequence - 1 & MASK_32
        sequence = compute_offset_32(direction.isn, segment.sequence, direction.highest)
        if sequence > direction.highest:
            direction.highest = sequence
        acknowledgment: int | None = None
        if flags & ACK:
            if other.isn is None:
                other.isn = segment.acknowledgment - 1 & MASK_32
            acknowledgment = compute_offset_32(other.isn, segment.acknowledgment, other.highest)
            if acknowledgment > other.highest:
                other.highest = acknowledgment
            if flags & SYN:
                other.early = max(0, acknowledgment - 1)
        notes: list[Note] = []
        for option in segment.options:
            if option is NOP or isinstance(option, Timestamps):  # nearly all there are
                continue
            if isinstance(option, Dss):
                notes.append(read_dss(place, option))
            elif type(option) in MULTIPATH:
                notes.append(self.read_option(place, option))
        first = sequence + 1 if flags & SYN else sequence
        data = find_data(direction, first) if segment.text_length else None
        if not direction.unfinished:
            return Reading(segment, place, sequence, acknowledgment, data, notes, [])
        sums = sum_up(direction, first, segment.text if whole else None)
        return Reading(segment, place, sequence, acknowledgment, data, notes, sums)

    def turn(self, place: Place, segment: Segment) -> None:
        """The beginning or an end of a direction."""
        direction, other = place.direction, place.other
        if segment.flags & SYN and not direction.begun:
            direction.begun, direction.isn, direction.highest = True, segment.sequence, 0
            for option in segment.options:
                if isinstance(option, WindowScale):
                    direction.scale = option.shift
        if segment.flags & FIN:
            direction.ended = True
        if segment.flags & RST or (direction.ended and other.ended):
            self.close(place.subflow)

    def read_option(self, place: Place, option: Option) -> Note:
        """An option of MPTCP that is no DSS: what it proves, and what is learnt from it."""
        direction, other = place.direction, place.other
        connection = place.subflow.connection
        if isinstance(option, Fail):
            return Finding(option, {"dsn_offset": count_data(other.host, option.dsn, True)}, "")
        if isinstance(option, JoinSyn):
            known = self.tokens.get(option.token, (None, 0))[0]
            number = connection.number if known is connection else None
            return check_join(number, bool(self.tokens), direction, option)
        note = check(place.subflow, direction, other, option)
        for number, host in enumerate(connection.hosts):
            if host.token is not None:
                self.tokens[host.token] = (connection, number)
        if isinstance(option, CapableData):
            keep(direction, Mapping(1, True, 1, option.length, option.checksum, False), 1)
        return note


def is_anew(place: Place, segment: Segment) -> bool:
    """Whether a SYN begins another subflow than the one whose ports it has."""
    return place.direction.begun and place.direction.isn != segment.sequence


def count_data(host: Host, number: int, wide: bool) -> int | None:
    """The data offset of a DSN of ``host``; None if its key was not seen."""
    if host.idsn is None:
        return None
    if wide:
        return compute_offset_64(host.idsn, number)
    return compute_offset_32(host.idsn & MASK_32, number, host.highest)


def is_plausible(host: Host, offset: int) -> bool:
    """Whether such an offset can be: not from before the stream, not far ahead of all seen so far."""
    if offset <= host.highest:
        return offset > 0
    if offset - host.highest >= PLAUSIBLE:
        return False
    host.highest = offset
    return True


def read_dss(place: Place, option: Dss) -> Note:
    """A DSS: its numbers as offsets, and whether they can count from these IDSNs."""
    direction, host = place.direction, place.other.host
    ack, mapping = option.ack, option.mapping
    ack_offset: int | None = None
    offset: int | None = None
    fault = ""
    if ack is not None:
        ack_offset = count_data(host, ack.number, ack.wide)
        if ack_offset is not None and not is_plausible(host, ack_offset):
            fault = "the Data ACK does not count from the IDSN of the key"
    if mapping is not None:
        offset = count_data(direction.host, mapping.dsn, mapping.wide)
        if offset is not None:
            is_only = len(place.subflow.connection.subflows) == 1
            first = mapping.ssn == 1 and is_only and mapping.length > 0
            if not is_plausible(direction.host, offset) or (first and offset != 1):
                fault = "the DSN does not count from the IDSN of the key"
            keep(direction, mapping, offset)
    return Offsets(option, ack_offset, offset, fault)


def keep(direction: Direction, mapping: Mapping, dsn: int) -> None:
    """Remember a mapping of ``direction``; one with a checksum, until its text has been seen."""
    length, checksum, relative = mapping.length, mapping.checksum, mapping.ssn
    size = length - 1 if mapping.fin else length
    ssn = compute_offset_32(-direction.early, relative, direction.highest)
    if size > 0 or length == 0:
        direction.keep(ssn, dsn, size if length else FOREVER)
    idsn = direction.host.idsn
    if checksum is not None and length > 0 and idsn is not None:
        one = Unfinished(ssn, size, compute_wire_64(idsn, dsn), dsn, relative, length, checksum)
        for other in direction.unfinished:
            if other.ssn == ssn and other.dsn == dsn:
                return
        direction.unfinished.append(one)
        del direction.unfinished[:-KEPT_UNFINISHED]


def find_data(direction: Direction, offset: int) -> int | None:
    """The data offset of the octet at ``offset`` of the subflow, by the latest mapping that has it."""
    mappings = direction.mappings
    at = len(mappings) - 1
    while at >= 0:
        one = mappings[at]
        within = offset - one.ssn
        if 0 <= within < one.length:
            return one.dsn + within
        at -= 1
    return None


def sum_up(direction: Direction, offset: int, text: tuple[Text, ...] | None) -> list[Sum]:
    """Add the text at ``offset`` to the mappings that wait for it; those that are whole now."""
    if text is None:
        direction.unfinished.clear()
        return []
    sums: list[Sum] = []
    waiting: list[Unfinished] = []
    for one in direction.unfinished:
        for piece in text:
            one.add(offset, piece)
        if one.is_whole():
            sums.append(Sum(Mapped(one.ssn, one.dsn, one.size), one.checksum, one.is_right()))
        else:
            waiting.append(one)
    direction.unfinished = waiting
    return sums
