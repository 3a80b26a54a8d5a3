"""What nearly every segment takes, the fast path, and the general one: they agree, whatever comes.

Text in two pieces never takes the fast path, so that the same segment in one piece and in two is the test.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.connection.connection import Connection
from mptcp.host import Host
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
