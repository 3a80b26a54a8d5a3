"""What a sender makes of SACK: scoreboard and recovery (RFC 6675), RACK (RFC 8985 §6), PRR (RFC 6937)."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.choices import NEWRENO
from mptcp.numbers import compute_wire_32
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.subflow.control import NEVER, Control
from mptcp.subflow.phase import Phase
from mptcp.subflow.reduction import compute_sendable
from mptcp.subflow.scoreboard import FLYING
from mptcp.wire.options import MaximumSegmentSize, Option, Sack, SackPermitted, Timestamps
from mptcp.wire.segment import ACK
from mptcp_model.dialogue import Peer, User
from mptcp_model.situations import Scene, established

RTT = 100 * MILLISECOND
MSS = 1_460
SYN_OPTIONS: tuple[Option, ...] = (MaximumSegmentSize(MSS), SackPermitted())


def sending(count: int = 10, text: int = 200, **choices: Any) -> Scene:
    """A peer that understands SACK; ``count`` segments are out, a round trip of 100 ms was measured."""
    user, peer = established(options=SYN_OPTIONS, rtt=RTT, **{"congestion": NEWRENO, **choices})
    user.writes(bytes(MSS * text))
    sent = len(peer.skips())
    while sent < count:
        peer.sends(ACK, ack=1 + sent * MSS, at=peer.dialogue.now + RTT)
        sent = (peer.acked - 1) // MSS + len(peer.skips())
    peer.waits(peer.dialogue.now + RTT)
    return user, peer


def blocks(peer: Peer, *runs: tuple[int, int]) -> list[Option]:
    """The option that reports these runs of segments."""
    edges = [tuple(compute_wire_32(peer.host_isn, 1 + edge * MSS) for edge in run) for run in runs]
    return [Sack(tuple((edge[0], edge[1]) for edge in edges))]


def reports(peer: Peer, ack: int, *runs: tuple[int, int], after: int = 0) -> list[int]:
    """The peer acknowledges segments before ``ack`` and reports runs; the numbers of what leaves then."""
    peer.waits(peer.dialogue.now + after)
    peer.sends(ACK, ack=1 + ack * MSS, options=blocks(peer, *runs) if runs else [])
    return leaves(peer)


def leaves(peer: Peer) -> list[int]:
    """The numbers of the segments that have left and were not looked at."""
    return [(peer.count(one.sequence) - 1) // MSS for one in peer.skips()]


def find_tcb(user: User) -> Control:
    """The control block of the only subflow."""
    return user.host.connections[user.connection].control.branches[0].subflow.tcb


# -- losing --------------------------------------------------------------------------------------


@pytest.mark.clause("R6675-5-02", "R6675-5-01", "R8985-6.2-01")
@pytest.mark.parametrize("is_rack", [True, False])
def test_third_segment(is_rack: bool) -> None:
    """Two segments behind a hole let new text out, one each; the third makes the hole go again first."""
    user, peer = sending(rack=is_rack)
    assert reports(peer, 0, (1, 2)) == [10]
    assert reports(peer, 0, (1, 3)) == [11]
    assert reports(peer, 0, (1, 4))[0] == 0
    assert find_tcb(user).phase is Phase.FAST


@pytest.mark.clause("R6675-5-02")
def test_islands() -> None:
    """Three islands are as good as three segments in a row: all below the highest three are lost."""
    user, peer = sending(rack=False)
    assert reports(peer, 0, (2, 3)) == [10]
    assert reports(peer, 0, (4, 5), (2, 3)) == [11]
    assert reports(peer, 0, (6, 7), (4, 5), (2, 3))[:1] == [0]
    assert find_tcb(user).board.lost == MSS  # 1; 0 has left already


@pytest.mark.clause("R8985-6.2-02", "R8985-3.3.2-01")
def test_reordering_timer() -> None:
    """One segment behind a hole, and no more: a quarter of the smallest round trip later the hole is lost."""
    user, peer = sending(text=10)
    assert reports(peer, 0, (9, 10)) == []
    now = peer.dialogue.now
    peer.expects_nothing(until=now + RTT // 4 - 1)
    peer.waits(now + RTT // 4)
    assert leaves(peer)[0] == 0
    assert find_tcb(user).phase is Phase.FAST


@pytest.mark.clause("R8985-6.2-03", "R8985-3.3.2-01")
def test_reordering_seen() -> None:
    """Once a segment was overtaken, three are no proof any more: only time is."""
    user, peer = sending()
    assert reports(peer, 0, (1, 3)) == [10, 11]
    assert 0 not in reports(peer, 3)
    tcb = find_tcb(user)
    assert tcb.rack.reordering_seen
    peer.waits(peer.dialogue.now + RTT)
    assert 3 not in reports(peer, 3, (4, 9))
    now = peer.dialogue.now
    peer.waits(now + RTT // 4)
    assert 3 in leaves(peer)


@pytest.mark.clause("R8985-3.3.2-01", "R2883-5-01")
def test_a_mistake_shows_reordering() -> None:
    """What went again and then came twice had been overtaken: the next one is waited for."""
    user, peer = sending()
    assert reports(peer, 0, (1, 4))[0] == 0
    tcb = find_tcb(user)
    assert 1 not in reports(peer, 4) and tcb.phase is Phase.FAST and not tcb.rack.reordering_seen
    reports(peer, 4, (0, 1))
    assert tcb.phase is Phase.OPEN and tcb.rack.reordering_seen
    assert 4 not in reports(peer, 4, (5, 9))
    now = peer.dialogue.now
    peer.waits(now + RTT // 2)  # two quarters, since there was a report of a duplicate
    assert 4 in leaves(peer)


@pytest.mark.clause("R8985-3.3.2-01", "R2883-4-05")
def test_duplicates_make_patient() -> None:
    """Each round trip with a report of duplicates adds a quarter, up to a smoothed round trip."""
    user, peer = sending()
    tcb = find_tcb(user)
    for number in range(1, 10):
        before = tcb.snd_nxt
        reports(peer, number, (number - 1, number))
        reports(peer, number, (number - 1, number))
        assert tcb.rack.reo_wnd_mult == 1 + number
        assert tcb.rack.dsack_round == before
        tcb.rack.dsack_round = tcb.snd_una  # its round is over
    assert tcb.board.sacked == 0  # such a block reports nothing that is held
    assert tcb.phase is Phase.OPEN


@pytest.mark.clause("R2883-4-05")
def test_duplicate_inside_of_a_run() -> None:
    """A first block inside of the second one is a report, too."""
    user, peer = sending()
    reports(peer, 0, (2, 6))
    assert find_tcb(user).rack.reo_wnd_mult == 1
    reports(peer, 0, (3, 4), (2, 6))
    assert find_tcb(user).rack.reo_wnd_mult == 2


@pytest.mark.clause("R8985-6.1-01", "R8985-6.2-01")
def test_lost_again() -> None:
    """What was sent again and is lost again goes a third time, once something sent later has arrived."""
    user, peer = sending()
    assert reports(peer, 0, (1, 4))[0] == 0
    again_at = peer.dialogue.now
    assert 0 not in reports(peer, 0, (1, 10), after=1)
    peer.waits(again_at + RTT)
    assert 0 in reports(peer, 0, (1, 14), after=10 * MILLISECOND)
    assert find_tcb(user).retries == 0


@pytest.mark.clause("R8985-6.2-04")
def test_too_soon_to_be_the_copy() -> None:
    """An acknowledgment of what went again, in less than the smallest round trip, is of the first copy."""
    user, peer = sending()
    reports(peer, 0, (1, 4))
    tcb = find_tcb(user)
    before = tcb.rack.xmit_ts
    reports(peer, 4, after=MILLISECOND)
    assert tcb.rack.xmit_ts == before
    assert tcb.rack.rtt >= RTT
    assert tcb.window.min_rtt >= RTT


@pytest.mark.clause("R8985-6.2-05")
def test_smallest_round_trip_is_forgotten() -> None:
    """After five minutes a longer path is believed."""
    user, peer = sending(keep_alive_idle=3_600 * SECOND)
    tcb = find_tcb(user)
    assert tcb.window.min_rtt == RTT
    tcb.rack.min_rtt_at -= 301 * SECOND
    reports(peer, 2, after=RTT)
    assert tcb.window.min_rtt == 2 * RTT


@pytest.mark.clause("R8985-9.2-01", "R8985-4-01")
def test_one_of_both() -> None:
    """With RACK no counting of islands; without SACK no time: three duplicates."""
    user, peer = sending()
    tcb = find_tcb(user)
    reports(peer, 0, (1, 3))
    reports(peer, 3)
    peer.waits(peer.dialogue.now + RTT)
    for run in ((4, 5), (6, 7), (8, 9)):
        assert 3 not in reports(peer, 3, run)
    assert tcb.board.islands == 3
    user, peer = sending(sack=False)
    reports(peer, 0)
    peer.waits(peer.dialogue.now + RTT)
    assert 0 not in leaves(peer)
    assert find_tcb(user).reorder_at == NEVER


# -- recovering ----------------------------------------------------------------------------------


@pytest.mark.clause("R6675-5-03", "R6675-5-04", "R6937-3-03")
def test_recovery_ends_at_its_point() -> None:
    """Half the flight, and it lasts until all that was out is acknowledged; then cwnd is ssthresh."""
    user, peer = sending()
    tcb = find_tcb(user)
    reports(peer, 0, (1, 4))
    assert (tcb.window.ssthresh, tcb.recover) == (5 * MSS, tcb.snd_nxt - 1 if tcb.snd_nxt else 0)
    point = (tcb.recover + 1) // MSS
    reports(peer, point - 1)
    assert tcb.phase is Phase.FAST
    reports(peer, point)
    assert tcb.phase is Phase.OPEN
    assert tcb.window.cwnd == 5 * MSS


@pytest.mark.clause("R6675-4-03")
def test_next_segment() -> None:
    """What is lost, then new text, then what may be lost, then the last once: RFC 6675's four rules."""
    user, peer = sending(text=12, rack=False)
    tcb = find_tcb(user)
    assert reports(peer, 0, (1, 4)) == [0]
    assert reports(peer, 0, (6, 9), (1, 4)) == [4, 5, 10]  # what is lost, and new text
    assert reports(peer, 0, (6, 10), (1, 4)) == [11]
    assert reports(peer, 0, (11, 12), (6, 10), (1, 4)) == [10]  # overtaken, but by one only
    assert tcb.board.pipe == (1 + 1 + 1 + 2) * MSS  # 0, 4, 5, and 10 twice
    assert reports(peer, 4, (11, 12), (6, 10)) == [10]  # the last that is out, once
    assert reports(peer, 5, (11, 12), (6, 10)) == []
    assert tcb.octets_retransmitted == 5 * MSS


@pytest.mark.clause("R6675-5.1-01", "R2018-5-01", "R8985-6.3-01", "R8985-7.1-01")
def test_timeout_while_recovering() -> None:
    """The left edge goes first, one segment; nothing halves again before all that was out is there."""
    user, peer = sending()
    tcb = find_tcb(user)
    reports(peer, 0, (1, 4))
    half, due = tcb.window.ssthresh, tcb.rto_at
    peer.waits(due)
    assert leaves(peer) == [0]
    assert (tcb.phase, tcb.window.cwnd) == (Phase.SLOW, MSS)
    point = tcb.recover
    reports(peer, 4, (5, 9), after=RTT)
    reports(peer, 4, (5, 10), after=RTT)
    assert (tcb.phase, tcb.recover) == (Phase.SLOW, point)
    assert tcb.window.ssthresh <= half
    reports(peer, (point + 1) // MSS + 1, after=RTT)
    assert tcb.phase is Phase.OPEN


@pytest.mark.clause("R8985-6.3-01")
def test_not_all_is_lost() -> None:
    """When the clock strikes, what left a moment ago is still on its way."""
    user, peer = sending(9, text=9)
    tcb = find_tcb(user)
    tcb.pto_at = NEVER
    peer.waits(tcb.rto_at - 10 * MILLISECOND)
    user.writes(bytes(MSS))
    assert leaves(peer) == [9]
    tcb.pto_at = NEVER
    peer.waits(tcb.rto_at)
    assert leaves(peer) == [0]
    assert tcb.board.lost == 8 * MSS
    assert tcb.board.sent[-1].mark == FLYING


@pytest.mark.clause("R2018-8-01", "R2018-5-01", "R6675-4-01")
def test_reneging() -> None:
    """A receiver that lets go of what it reported gets it again, all of it."""
    user, peer = sending(text=10)
    tcb = find_tcb(user)
    reports(peer, 0, (1, 10), after=1)
    peer.skips()
    assert tcb.board.sacked == 9 * MSS
    assert tcb.snd_queue.start == 1
    reports(peer, 1, after=RTT)  # the hole is filled, and the rest is not there any more
    peer.skips()
    peer.waits(tcb.rto_at)
    assert leaves(peer)[0] == 1
    ack = 1
    for _ in range(12):
        sent = reports(peer, ack := ack + 1, after=RTT) if ack < 10 else []
        assert all(number >= ack - 1 for number in sent)
    assert tcb.snd_una == 1 + 10 * MSS


@pytest.mark.clause("R8985-9.3-01", "R6937-3-02")
def test_lost_waits_for_its_turn() -> None:
    """Of eight lost segments as many go as have arrived, and one more, by proportional rate reduction."""
    user, peer = sending(20)
    tcb = find_tcb(user)
    first = (tcb.snd_una - 1) // MSS
    last = (tcb.snd_nxt - 1) // MSS
    assert last - first == 11
    assert reports(peer, first, (last - 3, last)) == [first, first + 1, first + 2, first + 3]
    assert tcb.board.lost == 4 * MSS
    assert len(reports(peer, first + 1, (last - 3, last))) == 2


# -- proportional rate reduction -----------------------------------------------------------------


@pytest.mark.clause("R6937-3-01")
def test_proportion() -> None:
    """RFC 6937 §3.1: of twenty out one is lost and ssthresh is ten: one leaves for each two that arrive."""
    pipe, delivered, out, pattern = 18, 2, 0, []
    for _ in range(17):
        delivered += 1
        pipe -= 1
        sendable = compute_sendable(pipe * MSS, 10 * MSS, delivered * MSS, out * MSS, 20 * MSS, MSS, MSS)
        pattern.append(sendable // MSS)
        out += sendable // MSS
        pipe += sendable // MSS
    assert pattern == [1, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1]
    assert pipe == 10


@pytest.mark.clause("R6937-3-02")
def test_many_losses() -> None:
    """RFC 6937 §3.1: fifteen of twenty are lost: two leave for each of the last that arrives."""
    pipe, out, sent = 4, 2, []
    for delivered in (3, 4, 5):
        sendable = compute_sendable(pipe * MSS, 10 * MSS, delivered * MSS, out * MSS, 20 * MSS, MSS, MSS)
        sent.append(sendable // MSS)
        out += sendable // MSS
        pipe += sendable // MSS - 1
    assert sent == [2, 2, 2]


octets = st.integers(0, 1 << 24)


@pytest.mark.clause("R6937-3-01", "R6937-3-02")
@given(octets, octets, octets, octets, octets, octets, st.integers(1, 65_535))
def test_reduction_is_bounded(
    pipe: int, ssthresh: int, delivered: int, out: int, flight: int, newly: int, mss: int
) -> None:
    """Never negative; below ssthresh never above it, and at most a segment more than arrived."""
    sendable = compute_sendable(pipe, ssthresh, delivered, out, flight, newly, mss)
    assert sendable >= 0
    if pipe <= ssthresh:
        assert pipe + sendable <= ssthresh
        assert sendable <= max(delivered - out, newly) + mss


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.clause("R6675-4-01")
@pytest.mark.parametrize(
    "run",
    [(10, 11), (5, 11), (3, 3), (5, 2), (-5, -2), (-1, 0), (900_000, 900_001), (-700_000, 5), (0, 10)],
)
def test_nonsense(run: tuple[int, int]) -> None:
    """Blocks of what was never sent, or turned round, or long ago, change nothing; one of all is no ACK."""
    user, peer = sending(text=10)
    tcb = find_tcb(user)
    reports(peer, 0, (9, 10), run)
    assert tcb.snd_una == 1
    assert tcb.board.sacked == (0 if run == (0, 10) else MSS)  # what lies inside of another is a duplicate
    assert tcb.board.pipe + tcb.board.sacked == 10 * MSS
    for number in range(1, 11):
        reports(peer, number, after=MILLISECOND)
    assert (tcb.snd_una, tcb.board.pipe, tcb.board.lost, tcb.board.sacked) == (1 + 10 * MSS, 0, 0, 0)


edges = st.integers(-3 * MSS, 25 * MSS)
signals = st.lists(
    st.tuples(
        st.integers(0, 4 * MSS),
        st.lists(st.tuples(edges, edges), max_size=4),
        st.sampled_from([0, 1, 10 * MILLISECOND, 60 * MILLISECOND, SECOND]),
        st.sampled_from([0, 1_000, 65_535]),
        st.booleans(),
    ),
    max_size=40,
)


@given(signals, st.booleans(), st.booleans(), st.booleans(), st.sampled_from([0, 20_000]))
def test_hostile_acknowledgments(
    story: Sequence[tuple[int, list[tuple[int, int]], int, int, bool]],
    is_sack: bool,
    is_rack: bool,
    has_stamps: bool,
    offload: int,
) -> None:
    """Whatever a peer acknowledges and reports: nothing beyond its window, no flight without a clock."""
    options = (*SYN_OPTIONS, Timestamps(1, 0)) if has_stamps else SYN_OPTIONS
    user, peer = established(
        options=options, rtt=RTT, sack=is_sack, rack=is_rack, offload=offload, retransmissions=100
    )
    user.writes(bytes(400 * MSS))
    tcb = find_tcb(user)
    una, edge = tcb.snd_una, 1 + 65_535
    for step, runs, span, window, is_old in story:
        peer.waits(peer.dialogue.now + span)
        ack = min(tcb.snd_una + step, tcb.snd_nxt) if not is_old else max(tcb.snd_una - step, 1)
        found = [tuple(compute_wire_32(peer.host_isn, tcb.snd_una + one) for one in run) for run in runs]
        extra: list[Option] = [Timestamps(2, 0)] if has_stamps else []
        if found:
            extra.append(Sack(tuple((run[0], run[1]) for run in found[: 3 if has_stamps else 4])))
        peer.sends(ACK, ack=ack, options=extra, window=window)
        edge = max(edge, ack + window)
        board = tcb.board
        assert una <= tcb.snd_una <= tcb.snd_nxt <= edge
        una = tcb.snd_una
        for one in peer.skips():
            assert peer.count(one.sequence) + one.text_length <= edge + 1  # a window probe has one octet
        out = board.sent[board.first :]
        assert sum(one.end - one.start for one in out) == tcb.snd_nxt - tcb.snd_una
        assert board.pipe >= 0 <= board.lost
        assert len(board.sent) + len(board.again) + len(board.losses) < 2_000
        clocks = (tcb.rto_at, tcb.persist_at, tcb.reorder_at, tcb.pto_at)
        assert tcb.snd_una == tcb.snd_nxt or min(clocks) < NEVER
        assert tcb.window.cwnd >= tcb.window.mss
        assert tcb.choices.minimum_rto <= tcb.rto <= 60 * SECOND
