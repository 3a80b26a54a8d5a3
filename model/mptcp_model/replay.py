"""A capture replayed: one of our hosts in place of either end, against what the other end really sent.

    outcome = replay(record(read_pcap(path)), "B")
    assert not outcome.faults

The other end's packets come at their moments with all that is in them, but for what depends on the end
that our host stands in for: its numbers, keys, tokens and nonces are those of our host instead, and HMACs
that were right are right again; those that were wrong stay wrong. Where our host has not sent yet what a
packet acknowledges, the packet waits for that. Of several subflows ours are filled otherwise than those
of the capture: there the other end acknowledges what it gets.

Everything that our host sends is judged: sequence numbers within what the other end let it send, nothing
acknowledged that did not come, tokens, HMACs and checksums right, text where its mapping says.
"""

from collections.abc import Callable
from typing import Final

from mptcp.choices import ACCEPT, REQUIRE, Choices
from mptcp.errors import Refused
from mptcp.events import Aborted, Accepted, Closed, Event
from mptcp.keys import compute_add_addr_hmac, compute_join_hmac
from mptcp.numbers import MASK_32, MASK_64
from mptcp.parameters import IPV4_HEADER, IPV6_HEADER, MILLISECOND, SECOND, TCP_HEADER
from mptcp.values import Micros
from mptcp.wire import ip, segment
from mptcp.wire.addresses import AddAddr, AddAddrEcho
from mptcp.wire.dss import DataAck, Dss
from mptcp.wire.endings import Fail, FastClose
from mptcp.wire.handshake import (
    ACK_HMAC,
    CHECKSUM_REQUIRED,
    NO_JOIN,
    SYN_ACK_HMAC,
    CapableAck,
    CapableData,
    CapableSyn,
    CapableSynAck,
    JoinAck,
    JoinSyn,
    JoinSynAck,
)
from mptcp.wire.options import MaximumSegmentSize, Option, Sack, SackPermitted, Timestamps, WindowScale
from mptcp.wire.segment import ACK, FIN, RST, SYN, Segment
from mptcp_model.decoding.conversation import Place
from mptcp_model.judging import Judge, Link, Outcome
from mptcp_model.recorded import Recording, Seen, list_wishes

PATIENCE: Final = 3 * SECOND
"""How long a packet waits for our host to send what it acknowledges."""

AFTERWARDS: Final = 5 * SECOND
"""How long our host goes on after the last packet."""

DELAY: Final = MILLISECOND
"""Until the other end acknowledges, where it does so by itself."""

DELAYED: Final = 40 * MILLISECOND
"""No acknowledgment is delayed longer by the other end, where our host waits for one that it cannot have."""

MOST_DELAYED: Final = 100


def replay(recording: Recording, role: str) -> Outcome:
    """Put our host in place of A, who opened the connection, or B."""
    return Replay(recording, role).run()


def find_choices(recording: Recording, role: str) -> Choices:
    """What that end had chosen, as its SYN shows."""
    first = next(one for one in recording.seen if one.reading.segment.flags & SYN)
    own = next((one for one in recording.seen if one.sender == role and one.subflow == 1), first)
    one = own.reading.segment
    kinds = {type(option): option for option in one.options}
    flags = [o.flags for o in one.options if isinstance(o, (CapableSyn, CapableSynAck))]
    mss = kinds.get(MaximumSegmentSize)
    header = TCP_HEADER + (IPV4_HEADER if len(one.source) == 4 else IPV6_HEADER)
    return Choices(
        multipath=role == "A" or bool(flags),
        checksum=REQUIRE if flags and flags[0] & CHECKSUM_REQUIRED else ACCEPT,
        join_initial_address=not (flags and flags[0] & NO_JOIN),
        timestamps=Timestamps in kinds,
        sack=SackPermitted in kinds,
        window_scaling=WindowScale in kinds,
        mtu=max(1_280, mss.size + header) if isinstance(mss, MaximumSegmentSize) else 1_500,
        nagle=False,
    )


class Replay(Judge):
    """One capture, and our host as the end ``role`` of it."""

    def __init__(self, recording: Recording, role: str) -> None:
        super().__init__(recording, role, find_choices(recording, role))
        first = recording.seen[0].reading.segment
        self.ports = first.source_port, first.destination_port
        self.is_open = False
        self.written = 0
        self.got = bytearray()

    # -- the course of it -----------------------------------------------------------------------
    def run(self) -> Outcome:
        """All packets in their order; then what is left."""
        if self.role == "B":
            self.host.listen(None, self.ports[1])
        for one in self.recording.seen:
            self.advance(max(self.now, one.when))
            if one.sender == self.role:
                self.act(one)
            else:
                self.feed(one)
        self.advance(self.now + AFTERWARDS)
        self.conclude(bytes(self.got))
        return self.outcome

    def advance(self, until: Micros) -> None:
        """Time passes, and our host's timers run."""
        while (due := self.host.deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.host.tick(self.now)
            self.settle()
        self.now = max(self.now, until)

    def settle(self) -> None:
        """Our host says all it has to say, and its user reads all there is."""
        while True:
            events, outgoing = self.host.events(), self.host.transmit(self.now)
            for event in events:
                self.hear(event)
            for one in outgoing:
                packet = one.octets()
                self.judge(segment.parse(packet, ip.parse(packet)))
            if self.is_open:
                self.got += self.host.read(self.connection, 1 << 24, self.now)
            if not events and not outgoing and not self.pay():
                return

    def hear(self, event: Event) -> None:
        """Our host tells its user something."""
        if isinstance(event, Accepted):
            self.connection, self.is_open = event.connection, True
        elif isinstance(event, Closed):
            self.outcome.end = "closed"
        elif isinstance(event, Aborted):
            self.outcome.end = event.error

    def act(self, one: Seen) -> None:
        """What the user of our end did when this was sent."""
        if self.role == "A" and not self.connection:
            self.connection = self.host.connect(
                self.local, self.remote, self.ports[1], self.now, local_port=self.ports[0]
            )
            self.is_open = True
        self.use_addresses(one)
        if self.is_open and not self.outcome.end:
            try:
                self.use_connection(one)
            except Refused as refused:
                self.outcome.faults.append(f"our host refuses what the user did: {refused}")
        self.settle()

    def use_addresses(self, one: Seen) -> None:
        """Addresses come, are told of, go, or change their priority."""
        held = self.host.interfaces
        for verb, address, flag, port in list_wishes(self.side, one):
            if verb == "remove" and held.has(address):
                self.host.remove_address(address, self.now)
            elif verb == "prio" and self.is_open and held.has(address):
                self.host.set_backup(self.connection, address, flag, self.now)
            elif verb == "announce" and not held.has(address):
                self.host.add_address(address, self.now, is_signal=True, port=port)
            elif verb == "add" and not held.has(address):
                self.host.add_address(address, self.now, is_backup=flag)

    def use_connection(self, one: Seen) -> None:
        """Write, close, abort."""
        end = max((end for when, end in self.side.writes if when <= one.when), default=1)
        if end - 1 > self.written:
            piece = bytes(self.side.stream.data[self.written : end - 1])
            self.written += self.host.write(self.connection, piece, self.now)
        if self.side.aborts is not None and one.when >= self.side.aborts:
            self.host.abort(self.connection, self.now)
        elif self.side.closes is not None and one.when >= self.side.closes:
            self.host.close(self.connection, self.now)

    # -- what comes -----------------------------------------------------------------------------
    def feed(self, seen: Seen) -> None:
        """One packet of the other end reaches our host."""
        captured = seen.reading.segment
        if seen.subflow not in self.links and captured.flags & (SYN | ACK) == SYN:
            four = (
                captured.destination,
                captured.destination_port,
                captured.source,
                captured.source_port,
            )
            self.links[seen.subflow] = Link(four)
            if not self.host.interfaces.has(captured.destination):
                self.host.add_address(captured.destination, self.now)
        if not self.wait(lambda: seen.subflow in self.links, PATIENCE):
            self.outcome.unopened += 1
            return
        link = self.links[seen.subflow]
        if not self.acknowledges:
            self.await_text(seen, link)
        self.arrive(link, self.translate(seen, link))

    def await_text(self, seen: Seen, link: Link) -> None:
        """Our host sends what a packet acknowledges; no acknowledgment is delayed for long meanwhile."""
        for _ in range(MOST_DELAYED):
            if self.wait(lambda: self.has_sent(seen, link), DELAYED) or link.acknowledged >= link.sent_end:
                break
            self.owed.append(link)
            self.settle()
        self.wait(lambda: self.has_sent(seen, link), PATIENCE)

    def wait(self, is_there: Callable[[], bool], span: Micros) -> bool:
        """Let time pass until something is so, but not longer; whether it is."""
        limit = self.now + span
        while not is_there():
            due = self.host.deadline()
            if due is None or due > limit:
                return False
            self.advance(max(due, self.now))
        return True

    def has_sent(self, seen: Seen, link: Link) -> bool:
        """Whether our host has sent all that a packet acknowledges."""
        acknowledged = seen.reading.acknowledgment or 0
        if acknowledged > link.sent_end:
            return False
        data = [one.facts().get("data_ack_offset") for one in seen.reading.notes]
        return all(int(one) <= self.find_data_end() for one in data if one is not None)

    def arrive(self, link: Link, one: Segment) -> None:
        """A segment, as our host sees it."""
        reading = self.talk.read(self.talk.find(one), one)
        link.window = one.window
        if one.flags & SYN:
            link.peer_isn = one.sequence
        length = one.text_length + bool(one.flags & SYN) + bool(one.flags & FIN)
        link.came_end = max(link.came_end, reading.sequence + length)
        link.is_over = link.is_over or bool(one.flags & RST)
        direction, other = reading.place.direction, reading.place.other
        is_scaled = direction.scale is not None and other.scale is not None and not one.flags & SYN
        window = one.window << (direction.scale or 0) if is_scaled else one.window
        link.acknowledged = max(link.acknowledged, reading.acknowledgment or 0)
        link.edge = max(link.edge, (reading.acknowledgment or 0) + window)
        for note in reading.notes:
            option, facts = note.option, note.facts()
            data_ack, dsn = facts.get("data_ack_offset"), facts.get("dsn_offset")
            if data_ack is not None:
                self.data_edge = max(self.data_edge, int(data_ack) + window)
            if isinstance(option, Dss) and option.mapping is not None and dsn is not None:
                self.data_came = max(self.data_came, int(dsn) + option.mapping.length)
            elif isinstance(option, CapableData):
                self.data_came = max(self.data_came, 1 + option.length)
            elif isinstance(option, (CapableSynAck, CapableAck)):
                self.data_edge = max(self.data_edge, 1 + window)
        stamp = next((option for option in one.options if isinstance(option, Timestamps)), None)
        if stamp is not None:
            link.stamps = (stamp.value, link.stamps[1] if link.stamps else 0)
        self.outcome.fed += 1
        self.host.receive(segment.emit(one).octets(), self.now)
        self.settle()

    def pay(self) -> bool:
        """The other end acknowledges what it got, where it does so by itself; whether it had to."""
        while self.owed:
            link = self.owed.pop(0)
            place = self.talk.flows.get(link.four)
            if link.is_over or place is None or place.direction.isn is None or link.came_end == 0:
                continue
            options: list[Option] = []
            if link.stamps:
                options.append(Timestamps(*link.stamps))
            if self.is_multipath() and place.direction.host.idsn is not None:
                options.append(
                    Dss(DataAck(place.direction.host.idsn + self.find_data_end() & MASK_64, True), None)
                )
            local, local_port, remote, remote_port = link.four
            number = link.peer_isn + link.came_end & MASK_32
            acknowledgment = place.direction.isn + link.sent_end & MASK_32
            ends = (remote, local, remote_port, local_port, number, acknowledgment)
            self.now += DELAY
            self.arrive(link, Segment(*ends, ACK, link.window, 0, tuple(options), ()))
            return True
        return False

    # -- put right ------------------------------------------------------------------------------
    def translate(self, seen: Seen, link: Link) -> Segment:
        """A captured segment with the numbers and secrets of our host where those of the other were."""
        captured = seen.reading.segment
        local, local_port, remote, remote_port = link.four
        place = self.talk.flows.get(link.four)
        acknowledged = seen.reading.acknowledgment or 0
        acknowledged = link.sent_end if self.acknowledges else min(acknowledged, link.sent_end)
        isn = place.direction.isn if place is not None else None
        options = [self.put_right(seen, link, option) for option in captured.options]
        return Segment(
            remote,
            local,
            remote_port,
            local_port,
            captured.sequence,
            (isn or 0) + acknowledged & MASK_32 if captured.flags & ACK else 0,
            captured.flags,
            captured.window,
            captured.urgent,
            tuple([option for option in options if option is not None]),
            captured.text,
        )

    def put_right(self, seen: Seen, link: Link, option: Option) -> Option | None:
        """One option; None if it says nothing here."""
        if isinstance(option, Timestamps):
            return Timestamps(option.value, link.stamps[1] if link.stamps and option.echo else 0)
        if isinstance(option, Sack):
            isn, own = seen.reading.place.other.isn, self.talk.flows[link.four].direction.isn
            if self.acknowledges or isn is None or own is None:
                return None
            shift = own - isn
            return Sack(
                tuple([(left + shift & MASK_32, right + shift & MASK_32) for left, right in option.blocks])
            )
        place = self.talk.flows.get(self.links[1].four)
        if place is None:
            return option
        return self.put_key_right(seen, link, option, place)

    def put_key_right(self, seen: Seen, link: Link, option: Option, place: Place) -> Option:
        """One option of MPTCP."""
        own, peer = place.direction.host, place.other.host
        if own.key is None or own.token is None or own.idsn is None:
            return option
        if isinstance(option, CapableAck):
            return CapableAck(option.version, option.flags, option.sender_key, own.key)
        if isinstance(option, CapableData):
            return CapableData(
                option.version, option.flags, option.sender_key, own.key, option.length, option.checksum
            )
        if isinstance(option, JoinSyn):
            return JoinSyn(option.backup, option.address_id, own.token, option.nonce)
        if isinstance(option, Dss) and option.ack is not None:
            return Dss(self.put_ack_right(seen, option.ack, own.idsn), option.mapping)
        if isinstance(option, FastClose):
            return FastClose(own.key)
        if isinstance(option, Fail):
            offset = next(one.facts().get("dsn_offset") for one in seen.reading.notes if one.option is option)
            return option if offset is None else Fail(own.idsn + int(offset) & MASK_64)
        if peer.key is not None:
            return self.sign(seen, link, option, own.key, peer.key)
        return option

    def put_ack_right(self, seen: Seen, ack: DataAck, idsn: int) -> DataAck:
        """A Data ACK that counts from our host's IDSN."""
        facts = next(one.facts() for one in seen.reading.notes if isinstance(one.option, Dss))
        offset = facts.get("data_ack_offset")
        end = self.find_data_end()
        count = end if self.acknowledges or offset is None else min(int(offset), end)
        return DataAck(idsn + count & (MASK_64 if ack.wide else MASK_32), ack.wide)

    def sign(self, seen: Seen, link: Link, option: Option, own: bytes, peer: bytes) -> Option:
        """What proves something proves it to our host, if it did so before."""
        is_wrong = any(one.option is option and one.fault for one in seen.reading.notes)
        place = self.talk.flows.get(link.four)
        if isinstance(option, AddAddrEcho):
            known = self.host.connections[self.connection].control.book.locals
            ids = [number for number, local in known.items() if local.address == option.address]
            return AddAddrEcho(ids[0] if ids else option.address_id, option.address, option.port)
        if is_wrong:
            return option
        if isinstance(option, AddAddr):
            hmac = compute_add_addr_hmac(peer, own, option.address_id, option.address, option.port)
            return AddAddr(option.address_id, option.address, option.port, hmac)
        if isinstance(option, (JoinSynAck, JoinAck)) and place is not None:
            nonce = option.nonce if isinstance(option, JoinSynAck) else place.other.nonce
            hmac = compute_join_hmac(peer, own, nonce or bytes(4), place.direction.nonce or bytes(4))
            if isinstance(option, JoinSynAck):
                return JoinSynAck(option.backup, option.address_id, hmac[:SYN_ACK_HMAC], option.nonce)
            return JoinAck(hmac[:ACK_HMAC])
        return option
