"""What a host sends in place of one end of a capture, judged by whether the other end could take it.

Sequence numbers within what the other end let it send, nothing acknowledged that did not come, tokens,
HMACs and checksums right, text where its mapping says.
"""

from dataclasses import dataclass, field
from typing import Final

from mptcp.choices import Choices
from mptcp.connection.control import Mode
from mptcp.host import Host
from mptcp.journal import Journal
from mptcp.values import FourTuple, Micros
from mptcp.wire.dss import Dss
from mptcp.wire.options import Timestamps
from mptcp.wire.segment import ACK, FIN, RST, SYN, Segment
from mptcp_model.decoding.conversation import Conversation, Reading
from mptcp_model.recorded import OTHER, Recording, Stream, find_offset

SEED: Final = bytes(range(32))


@dataclass
class Link:
    """A subflow as our host has it; offsets in both directions."""

    four: FourTuple
    sent_end: int = 0  # behind the last that our host sent
    came_end: int = 0  # behind the last that came
    acked: int = 0  # the highest that our host acknowledged
    acknowledged: int = 0  # and the other end
    edge: int = 1  # what the other end lets it send
    window: int = 0  # the other end's last, as it stands in the header
    peer_isn: int = 0
    stamps: tuple[int, int] | None = None  # the last of the other end, and of our host
    is_over: bool = False  # the other end reset it


@dataclass
class Outcome:
    """What came of it. ``faults``: sentences about what our host did wrong."""

    faults: list[str] = field(default_factory=list)
    judged: int = 0
    fed: int = 0
    unopened: int = 0  # packets on subflows that our host did not open
    is_multipath: bool = False
    end: str = ""
    got: bytes = b""
    sent: bytes = b""


class Judge:
    """One capture, a host of ours as the end ``role`` of it, and all that was said so far."""

    def __init__(self, recording: Recording, role: str, choices: Choices) -> None:
        self.recording, self.role = recording, role
        self.side, self.peer = recording.sides[role], recording.sides[OTHER[role]]
        first = recording.seen[0].reading.segment
        self.local, self.remote = first.source, first.destination
        if role == "B":
            self.local, self.remote = self.remote, self.local
        self.host = Host((self.local,), SEED, choices, Journal())
        self.talk = Conversation()
        self.now: Micros = 0
        self.connection = 0
        self.links: dict[int, Link] = {}
        self.owed: list[Link] = []  # where the other end is to acknowledge
        self.data_came = 1  # offset behind the last data that came, DATA_FIN included
        self.data_edge = 1
        self.data_fin = 0  # offset of our own DATA_FIN
        self.sent = Stream()
        self.outcome = Outcome()
        self.acknowledges = recording.subflows > 1  # what it gets, whatever the capture says

    def find_data_end(self) -> int:
        """Up to where our data has left, DATA_FIN included."""
        end = self.sent.end
        return end + 1 if self.data_fin and self.data_fin == end else end

    # -- what our host sends ----------------------------------------------------------------------
    def judge(self, one: Segment) -> None:
        """Whether the other end could take it."""
        self.outcome.judged += 1
        reading = self.talk.read(self.talk.find(one), one)
        link = self.find_link(one)
        says = self.outcome.faults
        where = f"at {self.now} µs, subflow {reading.place.subflow.number}, seq {reading.sequence}:"
        says += [f"{where} {one_note.fault}" for one_note in reading.notes if one_note.fault]
        says += [f"{where} wrong DSS checksum" for one_sum in reading.sums if not one_sum.valid]
        if link is None or one.flags & RST:
            return
        end = reading.sequence + one.text_length + bool(one.flags & SYN) + bool(one.flags & FIN)
        if end > link.edge + 1:
            says.append(f"{where} {end} is beyond the window, which ends at {link.edge}")
        if reading.acknowledgment is not None:
            if reading.acknowledgment > link.came_end:
                says.append(f"{where} acknowledges {reading.acknowledgment}, which never came")
            if reading.acknowledgment < link.acked:
                says.append(f"{where} takes an acknowledgment back")
            link.acked = max(link.acked, reading.acknowledgment)
        stamp = next((option for option in one.options if isinstance(option, Timestamps)), None)
        if stamp is not None:
            link.stamps = (link.stamps[0] if link.stamps else 0, stamp.value)
        self.judge_data(reading, where)
        if end > link.sent_end or one.text_length:
            if self.acknowledges and not one.flags & SYN:
                self.owed.append(link)
            link.sent_end = max(link.sent_end, end)

    def judge_data(self, reading: Reading, where: str) -> None:
        """The data level: what it acknowledges, and what its text is."""
        says, one = self.outcome.faults, reading.segment
        for note in reading.notes:
            option, facts = note.option, note.facts()
            data_ack, dsn = facts.get("data_ack_offset"), facts.get("dsn_offset")
            if data_ack is not None and int(data_ack) > self.data_came:
                says.append(f"{where} acknowledges data {data_ack}, which never came")
            if isinstance(option, Dss) and option.mapping is not None and option.mapping.fin:
                self.data_fin = int(dsn or 0) + option.mapping.length - 1
                if self.acknowledges:
                    self.owed += [link for link in self.links.values() if link.four[0] == one.source][:1]
        if not one.text_length:
            return
        text = b"".join(piece.octets() for piece in one.text)
        offset = find_offset(reading, True)
        if offset is None or (reading.data is None and self.is_multipath()):
            says.append(f"{where} text without mapping")
            return
        if bytes(self.side.stream.data[offset - 1 : offset - 1 + len(text)]) != text:
            says.append(f"{where} text is not what was written at {offset}")
        if self.is_multipath() and offset + len(text) > self.data_edge + 1:
            says.append(f"{where} data {offset + len(text)} is beyond the window, {self.data_edge}")
        self.sent.add(offset, text)

    def find_link(self, one: Segment) -> Link | None:
        """The subflow of a segment of our host; a new one if it is a SYN that the capture has as well."""
        four: FourTuple = (one.source, one.source_port, one.destination, one.destination_port)
        for link in self.links.values():
            if link.four == four:
                return link
        if one.flags & (SYN | ACK) != SYN:
            return None
        for seen in self.recording.seen:
            captured = seen.reading.segment
            ends = (captured.source, captured.destination)
            is_opening = seen.sender == self.role and captured.flags & (SYN | ACK) == SYN
            if is_opening and ends == four[::2] and seen.subflow not in self.links:
                link = self.links[seen.subflow] = Link(four)
                return link
        return None

    def is_multipath(self) -> bool:
        """Whether our host speaks MPTCP."""
        connection = self.host.connections.get(self.connection)
        return connection is not None and connection.control.mode is Mode.MULTIPATH

    # -- in the end -----------------------------------------------------------------------------
    def conclude(self, got: bytes) -> None:
        """The data both ways, and what is spoken."""
        outcome, says = self.outcome, self.outcome.faults
        outcome.got, outcome.sent = got, bytes(self.sent.data)
        outcome.is_multipath = self.is_multipath()
        is_broken = self.recording.is_broken
        wanted, written = bytes(self.peer.stream.data), bytes(self.side.stream.data)
        if outcome.got != wanted and not (is_broken and wanted.startswith(outcome.got)):
            says.append(f"{len(outcome.got)} octets were read, and the capture has {len(wanted)}")
        if outcome.sent != written and not (is_broken and written.startswith(outcome.sent)):
            says.append(f"{len(outcome.sent)} octets were sent, and the capture has {len(written)}")
        if outcome.is_multipath != self.recording.is_multipath and not is_broken:
            says.append(f"MPTCP in the end: {outcome.is_multipath}; in the capture it is the other way")
