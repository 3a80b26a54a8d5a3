"""What nearly every segment takes, the fast path, and the general one: they agree, whatever comes.

Text in two pieces never takes the fast path, so that the same segment in one piece and in two is the test.
What a host remembers to save work makes no difference either: it may forget it at any time.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.choices import ACCEPT, REQUIRE, Choices
from mptcp.connection.connection import Connection
from mptcp.host import Host
from mptcp.parameters import MILLISECOND
from mptcp.values import Text
from mptcp.wire.dss import Dss, Mapping
from mptcp.wire.options import Option
from mptcp.wire.segment import ACK, Segment
from mptcp_model.situations import Scene, established

CHUNK = 3  # octets; the smallest text that can be cut in two with an odd place
RUN = 4  # chunks that one mapping covers
CHUNKS = 12
OCTETS = bytes(range(CHUNK * CHUNKS))

ARRIVALS = st.lists(
    st.tuples(
        st.integers(0, CHUNKS - 1),  # the first chunk
        st.integers(1, RUN + 1),  # how many
        st.sampled_from(["mapped", "mapped", "mapped", "bare", "beyond"]),
        st.booleans(),  # whether the application reads
    ),
    max_size=16,
)


def find_connection(host: Host) -> Connection:
    """The only one."""
    (connection,) = host.connections.values()
    return connection


def make_segment(scene: Scene, first: int, count: int, kind: str, is_cut: bool, is_swapped: bool) -> Segment:
    """Chunks in one segment, with the mapping of the run of the first one, or of the next run, or none."""
    user, peer = scene
    start, stop = first * CHUNK, min(first + count, CHUNKS) * CHUNK
    packet = b"<" + OCTETS[start:stop] + b">"
    whole = Text(packet, 1, len(packet) - 1)
    text = (whole.cut(0, 1), whole.cut(1, len(whole))) if is_cut else (whole,)
    run = first // RUN + (kind == "beyond")
    options: tuple[Option, ...] = ()
    if kind != "bare" and run < CHUNKS // RUN:
        place = CHUNKS // RUN - 1 - run if is_swapped else run  # the runs come in another order, or not
        mapping = Mapping(
            peer.dsn(1 + place * RUN * CHUNK), True, 1 + run * RUN * CHUNK, RUN * CHUNK, None, False
        )
        options = (Dss(None, mapping),)
    tcb = find_connection(user.host).control.branches[0].subflow.tcb
    return Segment(
        tcb.remote,
        tcb.local,
        tcb.remote_port,
        tcb.local_port,
        tcb.irs + 1 + start & 0xFFFFFFFF,
        tcb.iss + tcb.snd_una & 0xFFFFFFFF,
        ACK,
        65_535,
        0,
        options,
        text,
    )


def describe(scene: Scene) -> tuple[object, ...]:
    """All that receiving changes, however the octets are cut into pieces."""
    control = find_connection(scene[0].host).control
    branch = control.branches[0]
    tcb = branch.subflow.tcb
    held, queue = control.rcv_held, tcb.rcv_queue
    return (
        control.state,
        (control.rcv_nxt, control.rcv_edge, len(control.rcv_ready)),
        (held.start, held.held, held.ranges()),
        (branch.line, branch.inbound.start, branch.inbound.end, branch.received),
        (tcb.state, tcb.rcv_nxt, tcb.rcv_edge, queue.start, queue.held, queue.ranges()),
        (tcb.ack_now, tcb.ack_alone, tcb.ack_waiting, tcb.ack_at, tcb.octets_received),
    )


@pytest.mark.clause("R9293-3.10.7.4-03", "R8684-3.3.1-01", "R8684-3.3.1-32", "R8684-3.3.4-06")
@given(ARRIVALS, st.booleans())
def test_both_ways(arrivals: list[tuple[int, int, str, bool]], is_swapped: bool) -> None:
    """Segments in order, twice, with gaps, with and without mappings: the records are the same."""
    scenes = [established(multipath=True, window=65_535) for _ in range(2)]
    read = [b"", b""]
    for first, count, kind, is_reading in arrivals:
        for number, scene in enumerate(scenes):
            connection = find_connection(scene[0].host)
            branch = connection.control.branches[0]
            connection.arrive(branch, make_segment(scene, first, count, kind, number == 1, is_swapped), 0)
            if is_reading:
                read[number] += scene[0].host.read(scene[0].connection, 1 << 20, 0)
        assert describe(scenes[0]) == describe(scenes[1])
    assert read[0] == read[1]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "carry", "carry", "lose", "swap", "repeat", "read", "pass"]),
        st.integers(0, 1),  # whose turn it is
        st.integers(1, 9),
    ),
    min_size=30,
    max_size=50,
)


class Talk:
    """Two hosts, and what is on the way between them; ``is_forgetful``: they remember nothing."""

    def __init__(self, choices: Choices, is_forgetful: bool) -> None:
        places = (bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
        self.is_forgetful = is_forgetful
        self.now = 0
        self.hosts = [Host((place,), bytes([place[3]]) * 32, choices) for place in places]
        self.hosts[1].listen(None, 80)
        self.handles = [self.hosts[0].connect(*places, 80, 0), 0]
        self.ways: list[list[bytes]] = [[], []]  # to whom
        for number in range(4):
            self.step("carry", number % 2, 9)
            self.step("carry", 1 - number % 2, 9)

    def forget(self, host: Host) -> None:
        """Everything that only saves work."""
        if not self.is_forgetful:
            return
        host.recent = 0
        host.ports.found = None
        for connection in host.connections.values():
            for branch in connection.control.branches:
                branch.said = branch.heard = branch.subflow.tcb.layout = None

    def step(self, what: str, side: int, count: int) -> list[bytes]:
        """One thing happens on ``side``; all packets that its host sends then."""
        host, way = self.hosts[side], self.ways[side]
        handle = self.handles[side]
        self.forget(host)
        if what == "pass":
            self.now += count * 50 * MILLISECOND
            due = host.deadline()
            if due is not None and due <= self.now:
                host.tick(self.now)
        elif what == "write" and handle:
            host.write(handle, bytes(range(256)) * 4 * count, self.now)
        elif what == "read" and handle:
            host.read(handle, 1_000 * count, self.now)
        elif what == "lose":
            del way[:count]
        elif what == "swap":
            way.reverse()
        elif what == "repeat":
            way.extend(way[:count])
        elif what == "carry":
            self.now += MILLISECOND // 3
            for _ in range(min(count, len(way))):
                self.forget(host)
                host.receive(way.pop(0), self.now)
        self.forget(host)
        packets = [one.octets() for one in host.transmit(self.now)]
        self.ways[1 - side] += packets
        if not handle or what == "read":
            for event in host.events():
                self.handles[side] = event.connection
        return packets


@given(STEPS, st.booleans(), st.sampled_from([ACCEPT, REQUIRE]), st.booleans(), st.booleans())
def test_what_is_remembered(
    steps: list[tuple[str, int, int]], multipath: bool, checksum: int, narrow: bool, stamps: bool
) -> None:
    """Hosts that forget before each call whatever only saves work send the same packets, and end the same."""
    choices = Choices(multipath=multipath, checksum=checksum, narrow_numbers=narrow, timestamps=stamps)
    talks = [Talk(choices, is_forgetful) for is_forgetful in (False, True)]
    for step in steps:
        one, other = [talk.step(*step) for talk in talks]
        assert one == other
    for host, twin in zip(talks[0].hosts, talks[1].hosts, strict=True):
        assert host.key() == twin.key()
