"""Two hosts over a channel that drops, repeats, reorders and delays, against the ideal stream.

Each rule does one thing that users, time or the channel may do, in any order that hypothesis finds;
after each, what was read is compared with what the ideal stream says was written. In the end the
channel is healed, and everything written must come through: no deadlock, no silence.

Needs hypothesis, the `prove` extra; tests make machines of it, with more rules or as it is.
"""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mptcp.choices import ACCEPT, CUBIC, NEWRENO, REFUSE, REQUIRE, Choices
from mptcp.connection.control import Mode
from mptcp.errors import Refused
from mptcp.events import Aborted, Accepted, Closed, Established, Finished
from mptcp.host import Host
from mptcp.journal import Journal
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.values import Address, Micros
from mptcp_model.ideal import IdealStream
from mptcp_model.ladder import Note, draw
from mptcp_model.simulated.capture import Packet
from mptcp_model.simulated.network import ipv4, ipv6

PATTERN = bytes((7 * number + number // 251) % 256 for number in range(1 << 18))
CHANNEL_LIMIT = 60
"""Packets in the channel; what does not fit is lost."""

SERVER_SEED = bytes(range(32, 64))

HEALING_LIMIT = 20_000
"""Packets that a healed channel may need to bring everything through."""


class End:
    """One host and the user on top of it."""

    def __init__(self, name: str, host: Host, writes: IdealStream, reads: IdealStream) -> None:
        self.name = name
        self.host = host
        self.writes = writes
        self.reads = reads
        self.connection = 0
        self.is_open = False
        self.is_closed = False
        self.is_finished = False
        self.is_over = False
        self.error = ""


def make_choices(versions: tuple[int, int], **others: Any) -> Choices:
    """Choices of a highest and a lowest version, and of ``others``."""
    return Choices(version=versions[0], lowest_version=versions[1], **others)


choices = st.builds(
    make_choices,
    versions=st.sampled_from([(1, 1), (1, 0), (0, 0)]),
    multipath=st.sampled_from([True, True, True, False]),
    checksum=st.sampled_from([ACCEPT, ACCEPT, REFUSE, REQUIRE]),
    narrow_numbers=st.booleans(),
    fast_close_by_ack=st.booleans(),
    receive_buffer=st.sampled_from([1_000, 3_000, 20_000, 100_000]),
    send_buffer=st.just(100_000),
    window_scaling=st.booleans(),
    timestamps=st.booleans(),
    sack=st.booleans(),
    rack=st.booleans(),
    frto=st.booleans(),
    congestion=st.sampled_from([NEWRENO, CUBIC]),
    delayed_ack=st.sampled_from([0, 40 * MILLISECOND]),
    nagle=st.booleans(),
    time_wait=st.sampled_from([0, 60 * SECOND]),
    mtu=st.sampled_from([1_280, 1_500]),
)


class Pair(RuleBasedStateMachine):
    """Ends 0 (opens) and 1 (listens); ``channel`` holds (to which end, packet) in the order sent."""

    @initialize(
        one=choices,
        two=choices,
        family=st.sampled_from([ipv4, ipv6]),
        is_open=st.sampled_from([True, True, False]),
    )
    def begin(self, one: Choices, two: Choices, family: Any, is_open: bool) -> None:
        """The client calls the server; in most runs undisturbed, until both are open."""
        self.now: Micros = 0
        self.is_healed = False
        self.channel: list[tuple[int, bytes]] = []
        self.story: list[Packet | Note] = [Note(0, f"client {one!r}"), Note(0, f"server {two!r}")]
        forth, back = IdealStream("client to server"), IdealStream("server to client")
        self.ends = [
            End("client", Host(self.list_places(0, family), bytes(range(32)), one, Journal()), forth, back),
            End(
                "server", Host(self.list_places(1, family), bytes(range(32, 64)), two, Journal()), back, forth
            ),
        ]
        client, server = self.ends
        server.host.listen(None, 80)
        client.connection = client.host.connect(family(0, 1), family(0, 2), 80, self.now)
        self.settle(0)
        while is_open and self.channel:
            self.arrive(*self.channel.pop(0))

    def list_places(self, side: int, family: Any) -> tuple[Address, ...]:
        """The addresses that an end has at first."""
        return (family(0, side + 1),)

    # -- users ----------------------------------------------------------------------------------
    @rule(side=st.sampled_from([0, 1]), length=st.sampled_from([1, 10, 1_000, 1_500, 5_000, 60_000]))
    def write(self, side: int, length: int) -> None:
        """Write up to ``length`` octets."""
        end = self.ends[side]
        if end.is_open and not end.is_closed and not end.is_over:
            start = len(end.writes.written)
            octets = PATTERN[start % 1_000 : start % 1_000 + length]
            accepted = end.host.write(end.connection, octets, self.now)
            end.writes.write(octets[:accepted])
            self.settle(side)

    @rule(side=st.sampled_from([0, 1]), limit=st.sampled_from([1, 700, 1 << 20]))
    def read(self, side: int, limit: int) -> None:
        """Read up to ``limit`` octets."""
        end = self.ends[side]
        if end.is_open:
            octets = end.host.read(end.connection, limit, self.now)
            self.compare(end, octets)
            if not octets and end.is_finished:
                end.reads.finish()
            self.settle(side)

    @rule(side=st.sampled_from([0, 1]))
    def close(self, side: int) -> None:
        """Write no more."""
        end = self.ends[side]
        if end.is_open and not end.is_closed and not end.is_over:
            end.is_closed = True
            end.writes.close()
            end.host.close(end.connection, self.now)
            self.settle(side)

    @precondition(lambda self: len(self.story) > 60)
    @rule(side=st.sampled_from([0, 1]), really=st.integers(0, 7))
    def abort(self, side: int, really: int) -> None:
        """Break off, but seldom."""
        end = self.ends[side]
        if really == 0 and end.is_open and not end.is_over:
            self.story.append(Note(self.now, f"{end.name} aborts"))
            end.host.abort(end.connection, self.now)
            self.give_up(end, "own")
            self.settle(side)

    def compare(self, end: End, octets: bytes) -> None:
        """What ``end`` read is what was written."""
        end.reads.deliver(octets)

    # -- the channel ----------------------------------------------------------------------------
    @rule(count=st.integers(1, 20))
    def carry(self, count: int) -> None:
        """The oldest packets arrive, in order."""
        for _ in range(min(count, len(self.channel))):
            self.arrive(*self.channel.pop(0))

    @rule(index=st.integers(0, CHANNEL_LIMIT))
    def overtake(self, index: int) -> None:
        """Any packet arrives before the older ones."""
        if self.channel:
            self.arrive(*self.channel.pop(index % len(self.channel)))

    @rule(index=st.integers(0, CHANNEL_LIMIT), count=st.integers(1, 5))
    def drop(self, index: int, count: int) -> None:
        """Some packets are lost."""
        if self.channel:
            start = index % len(self.channel)
            del self.channel[start : start + count]

    @rule(index=st.integers(0, CHANNEL_LIMIT))
    def duplicate(self, index: int) -> None:
        """A packet arrives, and stays."""
        if self.channel:
            self.arrive(*self.channel[index % len(self.channel)])

    @rule(span=st.sampled_from([1, 5 * MILLISECOND, 50 * MILLISECOND, SECOND, 10 * SECOND]))
    def wait(self, span: Micros) -> None:
        """Time passes."""
        self.pass_time(self.now + span)

    # -- what happens by itself -------------------------------------------------------------------
    def arrive(self, side: int, packet: bytes) -> None:
        """A packet reaches an end."""
        self.ends[side].host.receive(packet, self.now)
        self.settle(side)

    def pass_time(self, until: Micros) -> None:
        """Timers run in their order."""
        for _ in range(10_000):
            dues = [
                (due, side) for side, end in enumerate(self.ends) if (due := end.host.deadline()) is not None
            ]
            if not dues or min(dues)[0] > until:
                self.now = until
                return
            due, side = min(dues)
            self.now = max(self.now, due)
            self.ends[side].host.tick(self.now)
            self.settle(side)
        raise AssertionError(f"timers without end\n{draw(self.story[-40:])}")

    def settle(self, side: int) -> None:
        """One end says all it has to say."""
        end = self.ends[side]
        while True:
            events, outgoing = end.host.events(), end.host.transmit(self.now)
            for event in events:
                self.story.append(Note(self.now, f"{end.name} hears {event!r}"))
                if isinstance(event, (Accepted, Established)):
                    assert not end.is_open, "opened twice"
                    end.is_open, end.connection = True, event.connection
                elif isinstance(event, Finished):
                    assert not end.is_finished, "finished twice"
                    end.is_finished = True
                elif isinstance(event, (Closed, Aborted)):
                    self.hear_the_end(end, event)
            for one in outgoing:
                self.send(side, one.octets())
            if not events and not outgoing:
                return

    def send(self, side: int, packet: bytes) -> None:
        """A packet leaves an end; the channel has room for it, or it has not."""
        self.story.append(Packet(self.now, packet))
        if len(self.channel) < CHANNEL_LIMIT:
            self.channel.append((1 - side, packet))

    def hear_the_end(self, end: End, event: Closed | Aborted) -> None:
        """Closed or Aborted: once, and Closed only after both directions ended."""
        assert not end.is_over or end.error == "own", "told twice that it is over"
        end.is_over = True
        if isinstance(event, Aborted):
            self.demand(not self.is_healed or event.error != "timed out", "timed out on a good channel")
            self.give_up(end, event.error)
        else:
            assert end.is_closed, "Closed although the user did not close"
            assert end.is_finished, "Closed although the peer did not finish"

    def give_up(self, end: End, error: str) -> None:
        """The connection broke: nothing more needs to come."""
        end.is_over, end.error = True, error
        end.writes.abort()
        end.reads.abort()

    # -- what always holds ------------------------------------------------------------------------
    @invariant()
    def somebody_is_awake(self) -> None:
        """While an end has something outstanding, its clock runs: lost packets are missed."""
        for end in self.ends if self.is_begun() else []:
            if not end.connection or end.is_over:
                continue
            try:
                info = end.host.status(end.connection)
            except Refused:
                continue
            is_waiting = info.unsent > 0 or any(one.unacked for one in info.subflows if one.state != "CLOSED")
            if is_waiting or info.bytes_acked < len(end.writes.written):
                self.demand(end.host.deadline() is not None, f"{end.name} sleeps with text outstanding")

    @invariant()
    def memory_is_bounded(self) -> None:
        """No host holds more than its windows allow."""
        for end in self.ends if self.is_begun() else []:
            for connection in end.host.connections.values():
                control = connection.control
                limit = control.choices.receive_buffer
                held = control.rcv_held.held
                held += sum(
                    len(branch.inbound) + branch.subflow.tcb.rcv_queue.held for branch in control.branches
                )
                # what TCP let in while it waited for a mapping counts once there is none to wait for
                most = limit if control.mode is Mode.MULTIPATH else 2 * limit
                self.demand(len(control.rcv_ready) <= most, "more to read than the window")
                most = (1 + len(control.branches)) * limit
                self.demand(held <= most, f"{end.name} holds {held} octets out of order")
                self.demand(len(control.snd_queue) <= control.choices.send_buffer, "send buffer exceeded")

    def is_begun(self) -> bool:
        """Whether the first rule has run."""
        return hasattr(self, "ends")

    def demand(self, fact: bool, fault: str) -> None:
        """Fail with ``fault`` and the end of the story unless ``fact``."""
        if not fact:
            raise AssertionError(f"{fault} at {self.now} µs\n{draw(self.story[-60:])}")

    # -- and in the end ---------------------------------------------------------------------------
    def teardown(self) -> None:
        """The channel heals, the users read all and close: everything comes through."""
        if not self.is_begun():
            return
        self.is_healed = True
        if not any(end.is_open or end.error for end in self.ends):
            self.run_on(lambda: any(end.is_open or end.error for end in self.ends))
        for side in (0, 1):
            self.close(side)
        self.run_on(self.is_done)
        for end in self.ends:
            if not end.is_open:
                continue
            if not end.reads.aborted:  # else the RST may be lost, and who only waits is told nothing
                self.demand(end.reads.is_complete(), f"{end.name} misses {end.reads.missing} octets")
                self.demand(end.is_over, f"{end.name} was never told that it is over")
        self.run_on(self.is_silent)
        self.demand(self.is_silent(), "a clock runs although all is over")

    def is_silent(self) -> bool:
        """Nobody waits for anything, and nothing is on its way."""
        return not self.channel and all(end.host.deadline() is None for end in self.ends)

    def is_done(self) -> bool:
        """Both ends were told that it is over, and have read all."""
        return all(
            not end.is_open or (end.is_over and (end.error or end.reads.is_complete())) for end in self.ends
        )

    def run_on(self, is_done: Any) -> None:
        """A good channel of 10 ms and eager readers, until ``is_done`` or an hour has passed."""
        until, limit = self.now + 3_600 * SECOND, len(self.story) + HEALING_LIMIT
        while not is_done() and self.now < until:
            self.demand(len(self.story) < limit, "packets without end")
            if self.channel:
                self.pass_time(self.now + 10 * MILLISECOND)
                arriving, self.channel = self.channel, []
                for side, packet in arriving:
                    self.arrive(side, packet)
            else:
                dues = [due for end in self.ends if (due := end.host.deadline()) is not None]
                if not dues:
                    break
                self.pass_time(max(min(dues), self.now))
            for side, end in enumerate(self.ends):
                if end.is_open:
                    self.read(side, 1 << 20)
                    self.close(side)
        for side in (0, 1, 0, 1):
            self.read(side, 1 << 20)
