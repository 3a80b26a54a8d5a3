"""Dialogues: one host under test between its user and its peers, told line by line.

    story = Dialogue()
    user, peer = story.user, story.meets()
    user.listens(80)
    peer.sends(SYN, options=[CapableSyn(1, HMAC_SHA256)])
    peer.expects(SYN | ACK, options=[CapableSynAck])
    peer.sends(ACK, options=[peer.capable_ack()], at=30 * MILLISECOND)
    user.hears(Accepted)
    user.writes(b"hello")
    peer.expects(ACK, text=b"hello", options=[DataSignal(dsn=1, ssn=1, length=5)])

The peer is no stack: it sends exactly what the line says, and its sequence numbers are offsets,
counted from 0 in each direction (the SYN has 0, the first octet of text 1). What is not said takes
its usual value: the next number to send, an acknowledgment of what was expected so far, a window
of 65,535. ``expects`` takes the host's next segment and compares only what is named; PSH is
compared only where it is named. What differs raises AssertionError with the ladder so far.

Time stands still until a line says ``at`` (the line happens then), ``by`` (wait for the next
segment until then) or ``until``; on the way the host's timers run.

situations.py has the beginnings that most dialogues share: ``user, peer = established()``.
"""

from collections.abc import Sequence
from typing import NamedTuple

from mptcp.choices import Choices
from mptcp.events import Accepted, Event, Troubled
from mptcp.host import Host
from mptcp.journal import Journal
from mptcp.keys import compute_idsn
from mptcp.numbers import compute_offset_32, compute_wire_32, compute_wire_64
from mptcp.values import Address, Micros, Port, Text
from mptcp.wire import ip, segment
from mptcp.wire.handshake import (
    CHECKSUM_REQUIRED,
    HMAC_SHA256,
    CapableAck,
    CapableData,
    CapableSyn,
    CapableSynAck,
    CapableSynV0,
)
from mptcp.wire.options import Option
from mptcp.wire.segment import ACK, FIN, NOT_ECT, PSH, SYN, Segment
from mptcp_model.ladder import Note, draw
from mptcp_model.signals import DataSignal, Wanted, is_like, name_flags, read_text, spell_signal
from mptcp_model.simulated.capture import Packet

__all__ = ["DataSignal", "Dialogue", "Heard", "Peer", "User", "read_text"]

HOST_IPV4: Address = bytes([10, 0, 0, 2])
HOST_IPV6: Address = bytes([0xFD, *bytes(14), 2])
PEER_IPV4: Address = bytes([10, 0, 0, 1])
PEER_IPV6: Address = bytes([0xFD, *bytes(14), 1])
PEER_ISN = 0xFFFFFF00  # soon wraps: whoever forgets modulo 2**32 is found
PEER_KEY = b"PEER KEY"
SEED = bytes(range(32))
STANDSTILL = 1_000  # ticks at one moment before we say that the host does not use them


class Dialogue:
    """The host under test, its user, its peers, the time, and all that happened."""

    def __init__(
        self,
        choices: Choices | None = None,
        addresses: tuple[Address, ...] = (HOST_IPV4, HOST_IPV6),
        seed: bytes = SEED,
    ) -> None:
        self.journal = Journal(100_000)
        self.host = Host(addresses, seed, choices or Choices(), self.journal)
        self.now: Micros = 0
        self.story: list[Packet | Note] = []
        self.events: list[Event] = []
        self.peers: list[Peer] = []
        self.strays: list[Segment] = []
        self.user = User(self)

    def meets(
        self,
        address: Address = PEER_IPV4,
        port: Port = 40_000,
        local: Address = HOST_IPV4,
        local_port: Port = 80,
        isn: int = PEER_ISN,
    ) -> "Peer":
        """A peer at ``address`` and ``port`` who talks to the host's ``local`` and ``local_port``."""
        peer = Peer(self, address, port, local, local_port, isn)
        self.peers.append(peer)
        for stray in [one for one in self.strays if peer.is_for(one)]:
            self.strays.remove(stray)
            peer.hear(self.now, stray)
        return peer

    def advance(self, to: Micros) -> None:
        """Let time pass to the moment ``to``, the host's timers running on the way."""
        still = 0
        while (due := self.host.deadline()) is not None and due <= to:
            still = 0 if due > self.now else still + 1
            self.demand(still < STANDSTILL, f"the host wants to be woken at {due} µs for ever")
            self.now = max(self.now, due)
            self.host.tick(self.now)
            self.settle()
        self.demand(to >= self.now, f"{to} µs is in the past")
        self.now = to

    def settle(self) -> None:
        """Let the host say all it has to say now, to its user and to its peers."""
        while True:
            events, outgoing = self.host.events(), self.host.transmit(self.now)
            self.events += events
            for event in events:
                self.note(f"user hears {event!r}")
            for one in outgoing:
                self.carry(one.octets())
            if not events and not outgoing:
                return

    def carry(self, packet: bytes) -> None:
        """Bring a packet of the host to the peer that it is for."""
        self.story.append(Packet(self.now, packet))
        one = segment.parse(packet, ip.parse(packet))
        for peer in self.peers:
            if peer.is_for(one):
                if peer.version == 0:
                    one = segment.parse(packet, ip.parse(packet), version=0)
                peer.hear(self.now, one)
                return
        self.strays.append(one)

    def note(self, words: str) -> None:
        """Write ``words`` into the ladder."""
        self.story.append(Note(self.now, words))

    def demand(self, fact: bool, fault: str) -> None:
        """Fail with ``fault`` and the ladder so far unless ``fact``."""
        if not fact:
            raise AssertionError(f"{fault}\nat {self.now} µs, after this dialogue:\n{draw(self.story)}")


class User:
    """The application on top of the host; ``connection`` is the handle of the latest one opened."""

    def __init__(self, dialogue: Dialogue) -> None:
        self.dialogue = dialogue
        self.host = dialogue.host
        self.connection = 0
        self.listener = 0

    def listens(
        self, port: Port = 80, address: Address | None = None, choices: Choices | None = None
    ) -> None:
        """Open passively."""
        self.listener = self.host.listen(address, port, choices)

    def connects(
        self,
        remote: Address = PEER_IPV4,
        port: Port = 80,
        local: Address = HOST_IPV4,
        local_port: Port = 40_000,
        choices: Choices | None = None,
    ) -> None:
        """Open actively."""
        story = self.dialogue
        story.note("user connects")
        self.connection = self.host.connect(local, remote, port, story.now, local_port, choices)
        story.settle()

    def writes(self, octets: bytes, at: Micros | None = None) -> int:
        """Write; how many octets were accepted."""
        self.come(at, f"user writes {len(octets)} octets")
        accepted = self.host.write(self.connection, octets, self.dialogue.now)
        self.dialogue.settle()
        return accepted

    def reads(self, expected: bytes | None = None, limit: int = 1 << 20, at: Micros | None = None) -> bytes:
        """Read all there is, up to ``limit`` octets; they must be those ``expected``, if any are named."""
        self.come(at, "user reads")
        octets = self.host.read(self.connection, limit, self.dialogue.now)
        self.dialogue.settle()
        if expected is not None:
            self.dialogue.demand(octets == expected, f"user reads {octets!r}, not {expected!r}")
        return octets

    def closes(self, at: Micros | None = None) -> None:
        """Write no more."""
        self.come(at, "user closes")
        self.host.close(self.connection, self.dialogue.now)
        self.dialogue.settle()

    def aborts(self, at: Micros | None = None) -> None:
        """Break the connection off."""
        self.come(at, "user aborts")
        self.host.abort(self.connection, self.dialogue.now)
        self.dialogue.settle()

    def hears(self, *expected: type[Event] | Event) -> Event:
        """The next events must be these, each a class or the very event; the last one.

        Word of trouble is passed over where it is not what is expected.
        """
        story = self.dialogue
        event: Event | None = None
        for one in expected:
            is_trouble = one is Troubled or isinstance(one, Troubled)
            while story.events and isinstance(story.events[0], Troubled) and not is_trouble:
                story.events.pop(0)
            story.demand(bool(story.events), f"user hears nothing, not {one!r}")
            event = story.events.pop(0)
            same = isinstance(event, one) if isinstance(one, type) else event == one
            story.demand(same, f"user hears {event!r}, not {one!r}")
            if isinstance(event, Accepted):
                self.connection = event.connection
        assert event is not None
        return event

    def hears_nothing(self) -> None:
        """There is no event."""
        events = self.dialogue.events
        self.dialogue.demand(not events, f"user hears {events!r}, not nothing")

    def come(self, at: Micros | None, words: str) -> None:
        """Go to the moment ``at`` and tell the ladder."""
        if at is not None:
            self.dialogue.advance(at)
        self.dialogue.note(words)


class Heard(NamedTuple):
    """A segment of the host and when it left."""

    when: Micros
    segment: Segment


class Peer:
    """The other end of one subflow, in raw segments.

    next        offset that ``sends`` uses if none is named
    acked       offset that it acknowledges: all that was expected so far, without gaps
    inbox       what the host sent and nobody expected yet
    heard_at    when the segment taken last was sent, µs
    version     of MPTCP, as the host's MP_CAPABLE says
    """

    def __init__(
        self, dialogue: Dialogue, address: Address, port: Port, local: Address, local_port: Port, isn: int
    ) -> None:
        self.dialogue = dialogue
        self.address, self.port = address, port
        self.local, self.local_port = local, local_port
        self.isn = isn
        self.host_isn = 0
        self.next = 0
        self.acked = 0
        self.inbox: list[Heard] = []
        self.heard_at: Micros = 0
        self.window = 65_535
        self.version = 1
        self.key = PEER_KEY
        self.host_key = bytes(8)
        self.checksum = False

    # -- speaking -------------------------------------------------------------------------------
    def sends(
        self,
        flags: int,
        text: bytes = b"",
        options: Sequence[Option | DataSignal] = (),
        at: Micros | None = None,
        seq: int | None = None,
        ack: int | None = None,
        window: int | None = None,
        urgent: int = 0,
        ecn: int = NOT_ECT,
    ) -> None:
        """Send one segment: ``seq`` and ``ack`` are offsets, ``window`` is the field as it stands.

        ``ecn`` is the mark with which it arrives.
        """
        if at is not None:
            self.dialogue.advance(at)
        self.sends_octets(self.makes(flags, text, options, seq, ack, window, urgent, ecn))

    def makes(
        self,
        flags: int,
        text: bytes = b"",
        options: Sequence[Option | DataSignal] = (),
        seq: int | None = None,
        ack: int | None = None,
        window: int | None = None,
        urgent: int = 0,
        ecn: int = NOT_ECT,
    ) -> bytes:
        """The packet that ``sends`` would send, for ``sends_octets`` or the host."""
        start = self.next if seq is None else seq
        acked = self.acked if ack is None else ack
        one = Segment(
            self.address,
            self.local,
            self.port,
            self.local_port,
            compute_wire_32(self.isn, start),
            compute_wire_32(self.host_isn, acked) if flags & ACK else 0,
            flags,
            self.window if window is None else window,
            urgent,
            tuple([self.spell(option, text) for option in options]),
            (Text(text, 0, len(text)),) if text else (),
            0,
            ecn,
        )
        length = len(text) + bool(flags & SYN) + bool(flags & FIN)
        self.next = max(self.next, start + length)
        return segment.emit(one).octets()

    def sends_octets(self, packet: bytes, at: Micros | None = None) -> None:
        """Send a whole packet as it is."""
        story = self.dialogue
        if at is not None:
            story.advance(at)
        story.story.append(Packet(story.now, packet))
        story.host.receive(packet, story.now)
        story.settle()

    # -- listening ------------------------------------------------------------------------------
    def expects(
        self,
        flags: int,
        seq: int | None = None,
        ack: int | None = None,
        text: bytes | None = None,
        length: int | None = None,
        options: Sequence[Wanted] = (),
        without: Sequence[type[Option]] = (),
        window: int | None = None,
        ecn: int | None = None,
        at: Micros | None = None,
        by: Micros | None = None,
    ) -> Segment:
        """Take the host's next segment, which must be so.

        ``at`` waits for it and demands that it left exactly then; ``by`` waits at most so long;
        with neither it must have left already.
        """
        if not self.inbox and (at is not None or by is not None):
            self.wait(by if at is None else at)
        story = self.dialogue
        story.demand(bool(self.inbox), f"the peer hears nothing, not {name_flags(flags)}")
        self.heard_at, one = self.inbox.pop(0)
        self.compare("time", self.heard_at, at)
        self.compare("flags", name_flags(one.flags & ~(PSH & ~flags)), name_flags(flags))
        self.compare("sequence number", self.count(one.sequence), seq)
        self.compare("acknowledgment", self.count_own(one.acknowledgment), ack)
        self.compare("length", one.text_length, length)
        self.compare("text", read_text(one), text)
        self.compare("window", one.window, window)
        self.compare("ECN", one.ecn, ecn)
        for wanted in options:
            keys = self.key, self.host_key, self.version
            found = any(is_like(option, wanted, *keys) for option in one.options)
            story.demand(found, f"no option like {wanted!r} in {one.options!r}")
        for kind in without:
            found = any(isinstance(option, kind) for option in one.options)
            story.demand(not found, f"there is a {kind.__name__} in {one.options!r}")
        self.take(one)
        return one

    def expects_nothing(self, until: Micros | None = None) -> None:
        """The host has sent nothing, and sends nothing up to and including the moment ``until``."""
        if until is not None:
            self.dialogue.advance(until)
        count = len(self.inbox)
        self.dialogue.demand(not count, f"the peer hears {count} segments, not nothing")

    def waits(self, until: Micros) -> None:
        """Let time pass to the moment ``until``."""
        self.dialogue.advance(until)

    def skips(self) -> list[Segment]:
        """Take whatever the host has sent so far, and compare nothing."""
        segments = [heard.segment for heard in self.inbox]
        self.inbox.clear()
        for one in segments:
            self.take(one)
        return segments

    # -- MPTCP ----------------------------------------------------------------------------------
    def capable_ack(self, flags: int | None = None) -> CapableAck:
        """The MP_CAPABLE of a third packet, with both keys; flag A as the SYNs agreed."""
        return CapableAck(self.version, self.agreed() if flags is None else flags, self.key, self.host_key)

    def capable_data(self, length: int, flags: int | None = None) -> CapableData:
        """The MP_CAPABLE of a third packet with ``length`` octets of data, without checksum."""
        flags = self.agreed() if flags is None else flags
        return CapableData(1, flags, self.key, self.host_key, length, None)

    def agreed(self) -> int:
        """The flags of a third packet: A if checksums are in use."""
        return HMAC_SHA256 | CHECKSUM_REQUIRED if self.checksum else HMAC_SHA256

    def dsn(self, offset: int) -> int:
        """The peer's DSN, 64 bits, at a data offset."""
        return compute_wire_64(compute_idsn(self.key, self.version), offset)

    def host_dsn(self, offset: int) -> int:
        """The host's DSN, 64 bits, at a data offset."""
        return compute_wire_64(compute_idsn(self.host_key, self.version), offset)

    # -- what it does to do so ------------------------------------------------------------------
    def is_for(self, one: Segment) -> bool:
        """Whether a segment of the host is for this peer."""
        mine = (self.address, self.port, self.local, self.local_port)
        return (one.destination, one.destination_port, one.source, one.source_port) == mine

    def hear(self, when: Micros, one: Segment) -> None:
        """A segment of the host arrives."""
        if one.flags & SYN:
            self.host_isn = one.sequence
        for option in one.options:
            if isinstance(option, (CapableSyn, CapableSynV0, CapableSynAck)):
                self.version = 0 if isinstance(option, CapableSynV0) else option.version
                self.checksum = self.checksum or bool(option.flags & CHECKSUM_REQUIRED)
            if isinstance(option, (CapableSynV0, CapableSynAck)):
                self.host_key = option.key
            elif isinstance(option, (CapableAck, CapableData)):
                self.host_key = option.sender_key
        self.inbox.append(Heard(when, one))

    def wait(self, until: Micros | None) -> None:
        """Let time pass until the host says something to this peer, at most up to ``until``."""
        story = self.dialogue
        assert until is not None
        while not self.inbox and (due := story.host.deadline()) is not None and due <= until:
            story.advance(max(due, story.now))
        if not self.inbox:
            story.advance(until)

    def take(self, one: Segment) -> None:
        """Acknowledge ``one`` from now on, if it comes next."""
        start = self.count(one.sequence)
        end = start + one.text_length + bool(one.flags & SYN) + bool(one.flags & FIN)
        if start <= self.acked:
            self.acked = max(self.acked, end)

    def count(self, number: int) -> int:
        """The offset of a sequence number of the host."""
        return compute_offset_32(self.host_isn, number, self.acked)

    def count_own(self, number: int) -> int:
        """The offset of a sequence number of this peer."""
        return compute_offset_32(self.isn, number, self.next)

    def compare(self, name: str, found: object, wanted: object) -> None:
        """Fail if ``found`` is not what was ``wanted``, unless that is None."""
        self.dialogue.demand(wanted is None or found == wanted, f"{name}: {found!r}, not {wanted!r}")

    def spell(self, option: Option | DataSignal, text: bytes) -> Option:
        """The option as it goes over the wire, before ``text``."""
        if isinstance(option, Option):
            return option
        return spell_signal(option, self.key, self.host_key, text, self.checksum, self.version)
