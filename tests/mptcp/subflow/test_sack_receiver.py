"""What a receiver says about text out of order: SACK, RFC 2018 §3-4, and D-SACK, RFC 2883 §4."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.numbers import compute_offset_32
from mptcp.parameters import MILLISECOND
from mptcp.subflow.blocks import NOTHING, Blocks
from mptcp.wire.options import MaximumSegmentSize, Option, Sack, SackPermitted, Timestamps
from mptcp.wire.segment import ACK, FIN, SYN
from mptcp_model.dialogue import Peer
from mptcp_model.situations import Scene, established, listening

SYN_OPTIONS: tuple[Option, ...] = (MaximumSegmentSize(1460), SackPermitted())
STAMPS = Timestamps(1_000, 0)


def receiving(options: Sequence[Option] = SYN_OPTIONS, **choices: Any) -> Scene:
    """A peer that understands SACK has opened."""
    return established(options=options, **choices)


def hundred(peer: Peer, number: int, count: int = 1) -> None:
    """The peer sends so many octets from hundred ``number`` on: 0 is what is awaited first."""
    peer.sends(ACK, seq=1 + 100 * number, text=bytes([number]) * 100 * count)


def blocks(peer: Peer, ack: int | None = None) -> list[tuple[int, int]]:
    """The blocks of the next ACK, in hundreds."""
    one = peer.expects(ACK, ack=None if ack is None else 1 + 100 * ack)
    found = [option for option in one.options if isinstance(option, Sack)]
    assert len(found) <= 1
    edges = [edge for option in found for block in option.blocks for edge in block]
    offsets = [(compute_offset_32(peer.isn, edge, peer.next) - 1) / 100 for edge in edges]
    return [(int(left), int(right)) for left, right in zip(offsets[::2], offsets[1::2], strict=True)]


@pytest.mark.clause("R2018-2-01", "R2018-4-01")
@pytest.mark.parametrize(("peer_has", "we_have"), [(True, True), (False, True), (True, False)])
def test_permitted_on_both(peer_has: bool, we_have: bool) -> None:
    """SACK-permitted answers SACK-permitted, on SYNs only; without it no blocks are sent."""
    user, peer = listening(sack=we_have)
    peer.sends(SYN, options=SYN_OPTIONS if peer_has else SYN_OPTIONS[:1])
    one = peer.expects(SYN | ACK)
    both = peer_has and we_have
    assert any(isinstance(option, SackPermitted) for option in one.options) == both
    peer.sends(ACK)
    hundred(peer, 1)
    one = peer.expects(ACK, ack=1, without=[SackPermitted])
    assert any(isinstance(option, Sack) for option in one.options) == both


@pytest.mark.clause("R2018-4-03", "R2018-4-02")
def test_hole() -> None:
    """Each segment behind a hole is reported at once, in one growing block, until the hole is filled."""
    user, peer = receiving()
    hundred(peer, 1)
    assert blocks(peer, 0) == [(1, 2)]
    hundred(peer, 2)
    assert blocks(peer, 0) == [(1, 3)]
    hundred(peer, 0)
    assert blocks(peer, 3) == []


@pytest.mark.clause("R2018-4-03", "R2018-4-04")
def test_latest_first() -> None:
    """The block that holds the segment that came comes first, then those that changed before it."""
    user, peer = receiving()
    for number, expected in [
        (2, [(2, 3)]),
        (6, [(6, 7), (2, 3)]),
        (4, [(4, 5), (6, 7), (2, 3)]),
        (7, [(6, 8), (4, 5), (2, 3)]),
        (3, [(2, 5), (6, 8)]),  # it joins two
        (10, [(10, 11), (2, 5), (6, 8)]),
        (12, [(12, 13), (10, 11), (2, 5), (6, 8)]),
        (14, [(14, 15), (12, 13), (10, 11), (2, 5)]),  # four fit
        (9, [(9, 11), (14, 15), (12, 13), (2, 5)]),
        (8, [(6, 11), (14, 15), (12, 13), (2, 5)]),  # the older run was not forgotten
    ]:
        hundred(peer, number)
        assert blocks(peer, 0) == expected


@pytest.mark.clause("R2018-4-04")
def test_three_beside_timestamps() -> None:
    """Timestamps leave room for three."""
    user, peer = receiving(options=(*SYN_OPTIONS, STAMPS))
    for number in (2, 4, 6, 8):
        peer.sends(ACK, seq=1 + 100 * number, text=bytes(100), options=[STAMPS])
    for _ in range(3):
        peer.expects(ACK)
    assert blocks(peer, 0) == [(8, 9), (6, 7), (4, 5)]


@pytest.mark.clause("R2018-4-02")
def test_every_acknowledgment() -> None:
    """As long as there is a hole, text and window updates report it too; the duplicate goes before text."""
    user, peer = receiving()
    hundred(peer, 1)
    assert blocks(peer, 0) == [(1, 2)]
    user.writes(b"hello")
    assert blocks(peer, 0) == [(1, 2)]
    user.writes(bytes(100_000))
    peer.skips()
    hundred(peer, 2)
    peer.expects(ACK, length=0, options=[Sack])


def test_pure_duplicate_before_text() -> None:
    """While text could leave, the ACK of an out-of-order segment still goes by itself: it must count."""
    user, peer = receiving()
    user.writes(bytes(30_000))
    sent = len(peer.skips())
    peer.sends(ACK, ack=1 + sent * 1_460, seq=101, text=b"later")  # lets new text out
    peer.expects(ACK, length=0, options=[Sack])
    peer.expects(ACK, length=1_448)


def test_beside_a_data_ack() -> None:
    """With timestamps and a Data ACK one block fits, the newest; on text with its mapping none does."""
    user, peer = established(True, options=(*SYN_OPTIONS, STAMPS))
    peer.skips()
    for number in (2, 4):
        peer.sends(ACK, seq=1 + 100 * number, text=bytes(100), options=[STAMPS])
    peer.expects(ACK)
    assert blocks(peer, 0) == [(4, 5)]


@pytest.mark.clause("R2883-4-01", "R2883-4-04")
def test_old_segment_again() -> None:
    """What was acknowledged and comes again is reported, in the first block, once."""
    user, peer = receiving()
    hundred(peer, 0, 3)
    assert blocks(peer, 3) == [] if peer.inbox else True
    hundred(peer, 1)
    assert blocks(peer, 3) == [(1, 2)]
    hundred(peer, 4)
    assert blocks(peer, 3) == [(4, 5)]


@pytest.mark.clause("R2883-4-01", "R2883-4-02")
def test_held_segment_again() -> None:
    """What is held and comes again: the duplicate, the run around it, then the others."""
    user, peer = receiving()
    hundred(peer, 6)
    hundred(peer, 2, 3)
    peer.skips()
    hundred(peer, 3)
    assert blocks(peer, 0) == [(3, 4), (2, 5), (6, 7)]
    hundred(peer, 8)
    assert blocks(peer, 0) == [(8, 9), (2, 5), (6, 7)]


@pytest.mark.clause("R2883-4-03")
def test_only_what_is_old() -> None:
    """Of a segment that is partly new only the old part is a duplicate, and of several parts the first."""
    user, peer = receiving()
    hundred(peer, 0, 2)
    peer.skips()
    hundred(peer, 1, 2)
    assert blocks(peer, 3) == [(1, 2)]
    hundred(peer, 4)
    hundred(peer, 6)
    peer.skips()
    hundred(peer, 4, 3)
    assert blocks(peer, 3) == [(4, 5), (4, 7)]


@pytest.mark.clause("R2883-4-01")
def test_no_duplicate_without_sack() -> None:
    """Who did not ask for SACK hears of no duplicates either."""
    user, peer = receiving(options=SYN_OPTIONS[:1])
    hundred(peer, 0, 3)
    peer.skips()
    hundred(peer, 1)
    assert blocks(peer, 3) == []


def test_window_edge_and_fin() -> None:
    """What lies outside of the window is not reported, nor is a FIN."""
    user, peer = receiving(receive_buffer=1_000, send_buffer=1_000)
    hundred(peer, 8, 4)
    assert blocks(peer, 0) == [(8, 10)]
    user, peer = receiving()
    peer.sends(ACK | FIN, seq=101, text=bytes(100))
    assert blocks(peer, 0) == [(1, 2)]


def test_nothing_remains() -> None:
    """With all in order there is no more record of it."""
    user, peer = receiving()
    hundred(peer, 1)
    hundred(peer, 0)
    peer.skips()
    (connection,) = user.host.connections.values()
    assert connection.control.branches[0].subflow.tcb.blocks is None
    hundred(peer, 0)
    peer.skips()
    assert connection.control.branches[0].subflow.tcb.blocks is None


def test_delayed_acknowledgment_stays_delayed() -> None:
    """SACK changes nothing as long as all comes in order."""
    user, peer = receiving()
    hundred(peer, 0)
    peer.expects_nothing()
    peer.expects(ACK, ack=101, at=40 * MILLISECOND, without=[Sack])


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 10), st.integers(0, 20)), max_size=60))
def test_runs_against_a_set(story: list[tuple[int, int, int]]) -> None:
    """Runs are those of a set of numbers; the newest is reported first; nothing touches or repeats."""
    runs, held, low = Blocks(), set[int](), 0
    for left, length, step in story:
        left = max(left, low)
        again = next((one for one in range(left, left + length) if one in held), None)
        overlap = runs.find_overlap(left, left + length)
        assert (overlap == NOTHING) if again is None else overlap[0] == again
        runs.add(left, left + length)
        held |= set(range(left, left + length))
        assert runs.report(4)[0] == runs.find(left)
        if step % 5 == 0:
            low += step
            runs.release(low)
            held = {one for one in held if one >= low}
        found = [
            one for left, right in zip(runs.lefts, runs.rights, strict=True) for one in range(left, right)
        ]
        assert found == sorted(held)
        assert all(right < left for right, left in zip(runs.rights, runs.lefts[1:], strict=False))
        told = runs.report(4)
        assert len(set(told)) == len(told) <= 4
        assert set(told) <= set(zip(runs.lefts, runs.rights, strict=True))
