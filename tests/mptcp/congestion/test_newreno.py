"""NewReno: RFC 5681's window, octet by octet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.choices import CUBIC, LIA, NEWRENO, UNCOUPLED
from mptcp.congestion.controller import UNLIMITED, Window, compute_initial_window
from mptcp.congestion.newreno import NewReno, compute_reduced
from mptcp.wire.segment import ACK
from mptcp_model.situations import established

MSS = 1_460


def make_window(cwnd: int = 10 * MSS, ssthresh: int = UNLIMITED, mss: int = MSS) -> Window:
    """A window in the middle of a connection."""
    window = Window(mss)
    window.cwnd, window.ssthresh = cwnd, ssthresh
    return window


@pytest.mark.parametrize(
    ("mss", "initial"),
    [(88, 880), (536, 5_360), (1_220, 12_200), (1_460, 14_600), (2_000, 14_600), (8_960, 17_920)],
)
def test_initial_window(mss: int, initial: int) -> None:
    """RFC 6928 §2: ten segments, at most 14,600 octets, at least two segments."""
    assert compute_initial_window(mss) == initial
    assert Window(mss).cwnd == initial


@pytest.mark.clause("R5681-3.1-05")
def test_threshold_starts_high() -> None:
    """Slow start goes on until something is lost: no window field reaches the first threshold."""
    assert Window(MSS).ssthresh > 65_535 << 14


@pytest.mark.clause("R5681-3.1-01", "R5681-3.1-06")
@pytest.mark.parametrize(("acked", "growth"), [(1, 1), (MSS - 1, MSS - 1), (MSS, MSS), (10 * MSS, MSS)])
def test_slow_start(acked: int, growth: int) -> None:
    """Each acknowledgment adds what it acknowledges, and at most one segment."""
    window = make_window()
    NewReno().on_ack(window, acked, 0)
    assert window.cwnd == 10 * MSS + growth


@pytest.mark.clause("R5681-3.1-01", "R5681-3.1-06")
def test_slow_start_doubles() -> None:
    """One round trip with an acknowledgment for every segment doubles the window."""
    window = make_window()
    for _ in range(10):
        NewReno().on_ack(window, MSS, 0)
    assert window.cwnd == 20 * MSS


@pytest.mark.parametrize(("acked", "growth"), [(1, 1), (MSS, MSS), (2 * MSS, 2 * MSS), (44 * MSS, 2 * MSS)])
def test_slow_start_by_two(acked: int, growth: int) -> None:
    """RFC 3465 §2.2, L = 2, where it was chosen: an acknowledgment of many segments adds two."""
    window = make_window()
    NewReno(2).on_ack(window, acked, 0)
    assert window.cwnd == 10 * MSS + growth


def test_slow_start_by_two_ends_with_a_timeout() -> None:
    """RFC 3465 §2.3: what is acknowledged after one may have arrived before, and adds one segment."""
    window, controller = make_window(), NewReno(2)
    controller.on_timeout(window, 10 * MSS, 0)
    controller.on_ack(window, 2 * MSS, 0)
    assert window.cwnd == 2 * MSS


@pytest.mark.parametrize(("slow_start_segments", "growth"), [(1, 1), (2, 2)])
@pytest.mark.parametrize("congestion", [NEWRENO, CUBIC])
@pytest.mark.parametrize("coupling", [LIA, UNCOUPLED])
def test_slow_start_is_a_choice(
    congestion: str, coupling: str, slow_start_segments: int, growth: int
) -> None:
    """It reaches the controller of a subflow, whichever it is."""
    user, peer = established(
        congestion=congestion, coupling=coupling, slow_start_segments=slow_start_segments
    )
    window = user.host.connections[user.connection].control.branches[0].subflow.tcb.window
    start = window.cwnd
    user.writes(bytes(2 * start))
    peer.skips()
    peer.acked = 1
    peer.sends(ACK, ack=1 + 8 * MSS)
    assert window.cwnd == start + growth * MSS


@pytest.mark.clause("R5681-3.1-01", "R5681-3.1-06", "R5681-3-01")
@given(st.lists(st.integers(1, 4 * MSS), min_size=1, max_size=200), st.integers(2, 100))
def test_congestion_avoidance(acks: list[int], segments: int) -> None:
    """One segment for each window of octets acknowledged, however these are cut, and never more."""
    start = segments * MSS
    window = make_window(start, start)
    for acked in acks:
        before = window.cwnd
        NewReno().on_ack(window, acked, 0)
        assert window.cwnd - before in (0, MSS)
    grown = (window.cwnd - start) // MSS
    assert sum(start + step * MSS for step in range(grown)) <= sum(acks)


@pytest.mark.clause("R5681-3.1-06")
def test_one_segment_per_round_trip() -> None:
    """Exactly: after cwnd octets one segment more, and not an octet earlier."""
    window = make_window(10 * MSS, 10 * MSS)
    for _ in range(9):
        NewReno().on_ack(window, MSS, 0)
    NewReno().on_ack(window, MSS - 1, 0)
    assert window.cwnd == 10 * MSS
    NewReno().on_ack(window, 1, 0)
    assert window.cwnd == 11 * MSS


@pytest.mark.clause("R5681-3.1-07")
def test_small_steps_are_not_lost() -> None:
    """Acknowledgments too small for an octet of growth each still add up to a segment."""
    window = make_window(100 * MSS, MSS)
    for _ in range(100 * MSS):
        NewReno().on_ack(window, 1, 0)
    assert window.cwnd == 101 * MSS


@pytest.mark.clause("R5681-3.1-08", "R5681-3.2-04")
@pytest.mark.parametrize(
    ("flight", "expected"),
    [(0, 2 * MSS), (MSS, 2 * MSS), (4 * MSS, 2 * MSS), (5 * MSS, 5 * MSS // 2), (100 * MSS, 50 * MSS)],
)
def test_reduction(flight: int, expected: int) -> None:
    """RFC 5681, equation 4: half of what is in flight, not of cwnd, and at least two segments."""
    assert compute_reduced(flight, MSS) == expected


@pytest.mark.clause("R5681-3.2-04")
def test_loss() -> None:
    """Fast retransmit: threshold and window are halved together; half-counted octets are forgotten."""
    window = make_window(20 * MSS, 20 * MSS)
    NewReno().on_ack(window, 3 * MSS, 0)
    NewReno().on_loss(window, 16 * MSS, 0)
    assert (window.ssthresh, window.cwnd, window.acked) == (8 * MSS, 8 * MSS, 0)


@pytest.mark.clause("R5681-3.1-08", "R5681-3.1-09")
def test_timeout() -> None:
    """One segment; then slow start up to half of what was in flight, and avoidance from there."""
    window = make_window(20 * MSS)
    controller = NewReno()
    controller.on_timeout(window, 12 * MSS, 0)
    assert (window.ssthresh, window.cwnd) == (6 * MSS, MSS)
    for _ in range(5):
        controller.on_ack(window, MSS, 0)
    assert window.cwnd == 6 * MSS
    controller.on_ack(window, MSS, 0)
    assert window.cwnd == 6 * MSS


@pytest.mark.clause("R5681-4.1-01")
@pytest.mark.parametrize(("before", "after"), [(100 * MSS, 10 * MSS), (3 * MSS, 3 * MSS)])
def test_idle(before: int, after: int) -> None:
    """The restart window is the initial one, unless the window is smaller; the threshold stays."""
    window = make_window(before, 50 * MSS)
    NewReno().on_idle(window, 0)
    assert (window.cwnd, window.ssthresh) == (after, 50 * MSS)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("ack"), st.integers(1, 100_000)),
            st.tuples(st.sampled_from(["loss", "timeout"]), st.integers(0, 1 << 30)),
            st.tuples(st.just("idle"), st.just(0)),
        ),
        max_size=50,
    ),
    st.integers(88, 65_495),
)
def test_never_below_one_segment(story: list[tuple[str, int]], mss: int) -> None:
    """Whatever happens a segment may be in flight, and the threshold is at least two."""
    window, controller = Window(mss), NewReno()
    for what, octets in story:
        if what == "ack":
            controller.on_ack(window, octets, 0)
        elif what == "loss":
            controller.on_loss(window, octets, 0)
        elif what == "timeout":
            controller.on_timeout(window, octets, 0)
        else:
            controller.on_idle(window, 0)
        assert window.cwnd >= mss
        assert window.ssthresh >= 2 * mss
