"""What one subflow loses, another delivers: RFC 8684 §3.3.6, §3.3.3, §2.4."""

from typing import Any

import pytest

from mptcp.events import Aborted, Closed, Finished, Readable, SubflowClosed, SubflowEstablished
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.dss import Dss, Mapping
from mptcp.wire.segment import ACK, FIN, RST, Segment
from mptcp_model.dialogue import DataSignal, Peer, User
from mptcp_model.joins import ask, join, make_ack
from mptcp_model.situations import established

RTT = 20 * MILLISECOND


def two(**choices: Any) -> tuple[User, Peer, Peer]:
    """A connection with two subflows, of which nothing is out."""
    user, first = established(multipath=True, rtt=RTT, **choices)
    other = first.dialogue.meets(port=41_000)
    join(other, first)
    user.hears(SubflowEstablished)
    return user, first, other


def read_mappings(peer: Peer, segments: list[Segment]) -> list[tuple[int, int]]:
    """The data offsets that were sent: (first, behind the last) of each segment of text."""
    spans = []
    for one in segments:
        for option in one.options:
            if isinstance(option, Dss) and isinstance(option.mapping, Mapping) and one.text_length:
                start = option.mapping.dsn - peer.host_dsn(0)
                spans.append((start, start + option.mapping.length))
    return spans


def read_data(peer: Peer, segments: list[Segment]) -> set[int]:
    """All data offsets that were sent."""
    return {offset for start, stop in read_mappings(peer, segments) for offset in range(start, stop)}


@pytest.mark.clause("R8684-3.3.6-09", "R8684-3.3.6-04", "R8684-3.5-01", "R8684-3.3.6-03")
def test_subflow_is_reset() -> None:
    """All that it had in flight goes on the other, under new mappings and with the same data numbers."""
    user, first, other = two()
    user.writes(bytes(range(250)) * 100)
    lost = read_data(first, first.skips())
    kept = read_data(other, other.skips())
    assert lost and kept and not lost & kept
    first.sends(RST)
    user.hears(SubflowClosed)
    again: set[int] = set()
    for _ in range(20):
        again |= read_data(other, other.skips())
        other.sends(ACK, options=[DataSignal(ack=1)])
    assert lost <= again | kept


@pytest.mark.clause("R8684-3.3.6-07", "R8684-3.3.6-01", "R8684-3.3.6-03")
def test_subflow_is_silent() -> None:
    """After a timeout the other one has the data as well, and the silent one goes on trying."""
    user, first, other = two()
    user.writes(b"a")
    quiet, alive = (first, other) if first.inbox else (other, first)
    quiet.expects(ACK, text=b"a", options=[DataSignal(dsn=1, ssn=1)])
    alive.expects_nothing()
    alive.expects(ACK, text=b"a", options=[DataSignal(dsn=1, ssn=1)], by=SECOND)
    quiet.expects(ACK, seq=1, text=b"a", options=[DataSignal(dsn=1, ssn=1)], by=10 * SECOND)
    alive.sends(ACK, options=[DataSignal(ack=2)])
    quiet.expects(ACK, seq=1, text=b"a", by=20 * SECOND)  # for as long as TCP would
    user.writes(b"b")
    alive.expects(ACK, text=b"b", options=[DataSignal(dsn=2, ssn=2)])


@pytest.mark.clause("R8684-3.3.6-02", "R8684-3.3.1-06", "R8684-3.3.1-07")
def test_the_same_data_twice() -> None:
    """Whichever copy comes first counts; the other is acknowledged and dropped."""
    user, first, other = two()
    first.sends(ACK, text=b"right", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    other.sends(ACK, text=b"wrong!", options=[DataSignal(ack=1, dsn=1, ssn=1, length=6)])
    user.hears(Readable)
    user.reads(b"right!")
    other.expects(ACK, ack=7, options=[DataSignal(ack=7)], by=SECOND)


@pytest.mark.clause("R8684-2.4-02", "R8684-3.3.4-06", "R8684-3.3.4-07", "R8684-1.4-01")
def test_data_out_of_order_between_subflows() -> None:
    """Each subflow is in order, the data is not: it waits for what the other brings."""
    user, first, other = two()
    other.sends(ACK, text=b"world", options=[DataSignal(ack=1, dsn=7, ssn=1, length=5)])
    other.expects(ACK, ack=6, options=[DataSignal(ack=1)], by=SECOND)
    user.hears_nothing()
    first.sends(ACK, text=b"hello ", options=[DataSignal(ack=1, dsn=1, ssn=1, length=6)])
    user.hears(Readable)
    user.reads(b"hello world")


@pytest.mark.clause("R8684-3.3.3-10", "R8684-3.3.3-08", "R8684-3-06")
def test_data_fin_on_all_subflows() -> None:
    """The DATA_FIN leaves on both at once; when both sides' are acknowledged, so do the FINs."""
    user, first, other = two()
    user.closes()
    for peer in (first, other):
        peer.expects(ACK, options=[DataSignal(dsn=1, length=1, fin=True)])
    other.sends(ACK, options=[DataSignal(ack=2, dsn=1, ssn=0, length=1, fin=True)])
    user.hears(Finished, Closed)
    assert any(one.flags & FIN for one in first.skips())
    assert any(one.flags & FIN for one in other.skips())


@pytest.mark.clause("R8684-3.3.3-14", "R8684-3.5-01", "R8684-3.2-01")
def test_no_subflow_for_a_while() -> None:
    """Break before make: both subflows are gone, a third one joins, and the stream goes on."""
    user, first, other = two()
    user.writes(b"precious")
    first.skips()
    other.skips()
    first.sends(RST)
    other.sends(RST)
    user.hears(SubflowClosed, SubflowClosed)
    user.hears_nothing()
    third = first.dialogue.meets(bytes([192, 0, 2, 7]), 50_000)
    third.waits(10 * SECOND)
    syn_ack = ask(third, first, address_id=9)
    third.sends(ACK, options=[make_ack(third, syn_ack)])
    user.hears(SubflowEstablished)
    third.expects(ACK, text=b"precious", options=[DataSignal(dsn=1, ssn=1, length=8)])


@pytest.mark.clause("R8684-3.3.3-14")
def test_no_subflow_ever_again() -> None:
    """Nobody joins within the limit: the connection ends."""
    user, first, other = two(close_timeout=30 * SECOND)
    first.sends(RST)
    other.sends(RST)
    user.hears(SubflowClosed, SubflowClosed)
    first.waits(29 * SECOND)
    user.hears_nothing()
    first.waits(31 * SECOND)
    user.hears(Aborted)


@pytest.mark.clause("R8684-3.3.6-05")
def test_acknowledged_by_the_subflow_alone() -> None:
    """A middlebox acknowledged what the peer never got: while other data is in flight elsewhere, too."""
    user, first, other = two()
    user.writes(b"one")
    a, b = (first, other) if first.inbox else (other, first)
    a.expects(ACK, text=b"one")
    a.sends(ACK, options=[DataSignal(ack=1)])  # the text, and not the data
    again = None
    for _ in range(200):
        a.waits(a.dialogue.now + 10 * MILLISECOND)
        if a.inbox or b.inbox:
            again = a if a.inbox else b
            break
    assert again is not None
    again.expects(ACK, text=b"one", options=[DataSignal(dsn=1)])


@pytest.mark.clause("R8684-2.6-01", "R8684-4-07", "R8684-3.3.3-01")
def test_peer_closes_one_subflow() -> None:
    """A FIN ends its subflow, whose other half follows; the data goes on elsewhere."""
    user, first, other = two()
    other.sends(FIN | ACK, options=[DataSignal(ack=1)])
    other.expects(FIN | ACK, ack=2, by=SECOND)
    other.sends(ACK, options=[DataSignal(ack=1)])
    user.writes(b"hello")
    first.expects(ACK, text=b"hello")
    user.hears(SubflowClosed)
    user.hears_nothing()


@pytest.mark.clause("R8684-3.3.6-03", "R8684-3.3.8-01")
@pytest.mark.parametrize("opportunistic", [True, False])
def test_window_held_up_by_a_slow_subflow(opportunistic: bool) -> None:
    """The window is full of what the slow one has: the fast one takes the oldest of it as well."""
    user, first = established(multipath=True, rtt=200 * MILLISECOND, opportunistic=opportunistic)
    other = first.dialogue.meets(port=41_000)
    join(other, first)
    user.hears(SubflowEstablished)
    user.writes(b"x")  # a first round trip for the fast one, too
    fast = other if other.inbox else first
    fast.skips()
    fast.sends(ACK, options=[DataSignal(ack=2)], window=3_000)
    first.sends(ACK, options=[DataSignal(ack=2)], window=3_000)
    user.writes(bytes(60_000))
    held, rest = first.skips(), other.skips()
    assert held and rest
    cwnd = user.host.status(user.connection).subflows[0].snd_cwnd
    other.sends(ACK, options=[DataSignal(ack=2)], window=65_535)
    more = read_data(other, other.skips())
    slow = read_data(first, held)
    assert bool(more & slow) or not opportunistic or min(slow) != 2
    assert user.host.status(user.connection).subflows[0].snd_cwnd <= cwnd
