"""What a capture says of one connection: who sent what when, the data both ways, and what its users did.

    recording = record(read_pcap(path))      # the first connection in it

Users are not in a capture, but their traces are: data was written when its first octet left, and the
sender closed before its DATA_FIN, or the FIN of plain TCP.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from mptcp.values import Address, Micros
from mptcp.wire import ip, segment
from mptcp.wire.addresses import AddAddr, Prio, RemoveAddr
from mptcp.wire.dss import Dss
from mptcp.wire.endings import Fail, FastClose
from mptcp.wire.handshake import CapableSynAck, JoinSyn, JoinSynAck
from mptcp.wire.segment import FIN, SYN
from mptcp_model.decoding.conversation import Conversation, Reading
from mptcp_model.decoding.proofs import MULTIPATH
from mptcp_model.simulated.capture import Packet

OTHER: Final = {"A": "B", "B": "A"}
"""A is who opened the connection."""

UNFIT_TEXT: Final = "text on a SYN, which a cookie of the other end's own allowed"


@dataclass
class Seen:
    """One segment of a capture: its moment, counted from the first, µs, and what it is."""

    when: Micros
    reading: Reading

    @property
    def sender(self) -> str:
        """A or B."""
        return self.reading.place.direction.letter

    @property
    def subflow(self) -> int:
        """The number of its subflow, from 1."""
        return self.reading.place.subflow.number


class Stream:
    """The data of one direction, put together from text in any order; what came first counts."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.ahead: dict[int, bytes] = {}  # by data offset, from 1

    def add(self, offset: int, text: bytes) -> None:
        """``text`` is the data from ``offset`` on."""
        known = self.ahead.get(offset, b"")
        if len(text) > len(known):
            self.ahead[offset] = text
        for start in sorted(self.ahead):
            end = 1 + len(self.data)
            if start > end:
                return
            piece = self.ahead.pop(start)
            if start + len(piece) > end:
                self.data += piece[end - start :]

    @property
    def end(self) -> int:
        """The data offset behind the last octet."""
        return 1 + len(self.data)


@dataclass
class Side:
    """One end of the connection: its data, and when its user wrote up to where, closed or aborted."""

    stream: Stream = field(default_factory=Stream)
    writes: list[tuple[Micros, int]] = field(default_factory=list)
    closes: Micros | None = None
    aborts: Micros | None = None
    last_fin: Micros | None = None
    addresses: dict[int, Address] = field(default_factory=dict)  # by Address ID, as it used them


@dataclass
class Recording:
    """All of it. ``is_multipath``: MPTCP is still spoken at the end; ``is_broken``: that was not in order."""

    seen: list[Seen]
    sides: dict[str, Side]
    is_multipath: bool
    is_broken: bool
    subflows: int
    connections: int

    def find_obstacle(self) -> str:
        """Why our host cannot stand in for one of these ends; empty if it can."""
        if any(one.reading.segment.flags & SYN and one.reading.segment.text_length for one in self.seen):
            return UNFIT_TEXT
        return ""


def record(packets: Iterable[Packet], number: int = 1) -> Recording:
    """Read the packets of a capture in their order, and keep those of connection ``number``."""
    conversation = Conversation()
    seen: list[Seen] = []
    start: Micros | None = None
    for when, octets in packets:
        start = when if start is None else start
        parsed = segment.parse(octets, ip.parse(octets), True)
        place = conversation.find(parsed)
        reading = conversation.read(place, parsed)
        if place.subflow.connection.number == number:
            seen.append(Seen(when - start, reading))
    sides = {"A": Side(), "B": Side()}
    is_agreed = any(is_capable(one) for one in seen)
    subflows = len({one.subflow for one in seen})
    altered = find_altered(seen) if subflows > 1 else set()
    for one in seen:
        note(sides[one.sender], one, is_agreed, altered)
    for side in sides.values():
        side.closes = side.closes if side.closes is not None else side.last_fin
    options = [option for one in seen for option in one.reading.segment.options]
    is_ended = any(is_end(option) for option in options)
    is_multipath = is_agreed and (
        is_ended or not (any(isinstance(one, Fail) for one in options) or is_bare(seen))
    )
    is_broken = not all(side.closes is not None for side in sides.values()) or any(
        side.aborts is not None for side in sides.values()
    )
    return Recording(seen, sides, is_multipath, is_broken, subflows, conversation.connections)


def find_altered(seen: list[Seen]) -> set[tuple[int, str, int]]:
    """Data whose text failed its checksum, by subflow and sender: another subflow brings it again."""
    return {
        (one.subflow, one.sender, one_sum.mapped.dsn + place)
        for one in seen
        for one_sum in one.reading.sums
        if not one_sum.valid
        for place in range(one_sum.mapped.length)
    }


def is_capable(one: Seen) -> bool:
    """Whether it agrees on MPTCP."""
    return any(isinstance(option, CapableSynAck) for option in one.reading.segment.options)


def is_end(option: object) -> bool:
    """Whether it ends the data, or all at once, as only MPTCP does."""
    if isinstance(option, Dss):
        return option.mapping is not None and option.mapping.fin
    return isinstance(option, FastClose)


def is_bare(seen: list[Seen]) -> bool:
    """Whether the last FIN came without any option of MPTCP, and without a DATA_FIN before."""
    for one in reversed(seen):
        if one.reading.segment.flags & FIN:
            return not any(type(option) in MULTIPATH for option in one.reading.segment.options)
    return False


def find_offset(reading: Reading, is_agreed: bool) -> int | None:
    """The data offset of its text: that of its mapping, or in plain TCP its place in the only subflow."""
    if reading.data is not None:
        return reading.data
    subflow = reading.place.subflow
    if subflow.joined or (is_agreed and reading.segment.flags & SYN):
        return None
    return reading.sequence


def note(side: Side, one: Seen, is_agreed: bool, altered: set[tuple[int, str, int]]) -> None:
    """What a segment of this end shows of its user."""
    reading, when = one.reading, one.when
    sent = reading.segment
    offset = find_offset(reading, is_agreed)
    place = (one.subflow, one.sender, offset or 0)
    is_right = place not in altered and not any(one.fault for one in reading.notes)
    if sent.text_length and offset is not None and is_right:
        side.stream.add(offset, b"".join(piece.octets() for piece in sent.text))
        if not side.writes or side.stream.end > side.writes[-1][1]:
            side.writes.append((when, side.stream.end))
    if side.closes is None and any(is_end(option) for option in sent.options):
        side.closes = when
    if sent.flags & FIN:
        side.last_fin = when if side.last_fin is None else side.last_fin
    if not reading.place.subflow.joined:
        side.addresses[0] = sent.source
    for option in sent.options:
        if isinstance(option, FastClose) and side.aborts is None:
            side.aborts = when
        elif isinstance(option, (JoinSyn, JoinSynAck)):
            side.addresses.setdefault(option.address_id, sent.source)
        elif isinstance(option, AddAddr):
            side.addresses.setdefault(option.address_id, option.address)


def list_wishes(side: Side, seen: Seen) -> list[tuple[str, Address, bool, int]]:
    """What a segment shows that its end did with its addresses: a verb, the address, a flag, a port."""
    wishes: list[tuple[str, Address, bool, int]] = []
    one = seen.reading.segment
    for option in one.options:
        if isinstance(option, (JoinSyn, JoinSynAck)):
            wishes.append(("add", one.source, option.backup, 0))
        elif isinstance(option, AddAddr):
            wishes.append(("announce", option.address, False, option.port or 0))
        elif isinstance(option, RemoveAddr):
            wishes += [("remove", side.addresses[id], False, 0) for id in option.ids if id in side.addresses]
        elif isinstance(option, Prio):
            wishes.append(("prio", one.source, option.backup, 0))
    return wishes
