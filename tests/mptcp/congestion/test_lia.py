"""Linked increases: RFC 6356, equation by equation, and its goals in closed form."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.congestion.controller import UNLIMITED, Window
from mptcp.congestion.cubic import Cubic
from mptcp.congestion.lia import ALPHA_SCALE, Lia, LinkedIncreases, compute_alpha, compute_increase
from mptcp.congestion.newreno import NewReno
from mptcp.parameters import MILLISECOND

MSS = 1_460

windows = st.lists(st.tuples(st.integers(2, 2_000), st.integers(1_000, 2_000_000)), min_size=2, max_size=8)


def make(segments: int, srtt: int, mss: int = MSS) -> Window:
    """In congestion avoidance."""
    window = Window(mss)
    window.cwnd = window.ssthresh = segments * mss
    window.srtt = srtt
    return window


def make_all(pairs: list[tuple[int, int]]) -> list[Window]:
    return [make(segments, srtt) for segments, srtt in pairs]


def compute_by_the_book(all_windows: list[Window]) -> Fraction:
    """Equation 2 in fractions."""
    total = sum(window.cwnd for window in all_windows)
    best = max(Fraction(window.cwnd, window.srtt**2) for window in all_windows)
    pace = sum(Fraction(window.cwnd, window.srtt) for window in all_windows)
    return total * best / pace**2


@pytest.mark.clause("R6356-3-11", "R6356-3-12", "R6356-4.1-01", "R6356-4.1-02", "R6356-3-02")
@given(windows)
def test_alpha(pairs: list[tuple[int, int]]) -> None:
    """The whole number is the fraction of equation 2, 512 times, but for what rounding takes."""
    all_windows = make_all(pairs)
    exact = compute_by_the_book(all_windows) * ALPHA_SCALE
    assert abs(compute_alpha(all_windows) - exact) <= max(exact / 50, 2)


@pytest.mark.clause("R6356-3-04", "R6356-3-05", "R6356-3-07", "R6356-6-01", "R6356-1-02")
@given(windows, st.integers(1, 4 * MSS))
def test_never_bolder_than_tcp(pairs: list[tuple[int, int]], acked: int) -> None:
    """Whatever alpha, no acknowledgment opens a window further than TCP would, nor by nothing."""
    all_windows = make_all(pairs)
    alpha = compute_alpha(all_windows)
    total = sum(window.cwnd for window in all_windows)
    for window in all_windows:
        increase = compute_increase(alpha, acked, MSS, window.cwnd, total)
        assert 1 <= increase <= max(acked * MSS // window.cwnd, 1)


@pytest.mark.clause("R6356-3-06", "R6356-1-02", "R6356-3-03")
@pytest.mark.parametrize("count", [2, 3, 8])
def test_same_bottleneck(count: int) -> None:
    """Equal paths: together they gain about one segment in a round trip, as one TCP does."""
    all_windows = [make(100, 50 * MILLISECOND) for _ in range(count)]
    coupling, controller = LinkedIncreases(), Lia(Cubic())
    before = sum(window.cwnd for window in all_windows)
    for _ in range(100):  # one round trip: each window acknowledged once, segment by segment
        for window in all_windows:
            coupling.couple(all_windows)
            controller.on_ack(window, MSS, 0)
    gain = sum(window.cwnd for window in all_windows) - before
    assert 0.5 * MSS / count <= gain <= 1.2 * MSS


@pytest.mark.clause("R6356-1-01", "R6356-5-01", "R6356-1-03")
def test_better_path_grows_as_tcp_would() -> None:
    """One path with a tenth of the round trip and most of the window: its growth is nearly that of TCP."""
    fast, slow = make(100, 10 * MILLISECOND), make(4, 100 * MILLISECOND)
    alpha = compute_alpha([fast, slow])
    increase = compute_increase(alpha, MSS, MSS, fast.cwnd, fast.cwnd + slow.cwnd)
    assert increase >= 0.9 * (MSS * MSS // fast.cwnd)
    # the lossier, smaller window grows by the same for each octet: it falls behind where it loses more
    assert compute_increase(alpha, MSS, MSS, slow.cwnd, fast.cwnd + slow.cwnd) == increase


@pytest.mark.clause("R6356-1-04", "R6356-3-01", "R6356-3-09")
@pytest.mark.clause("R8684-3.3.7-02")
def test_a_loss_is_its_own() -> None:
    """Slow start, loss and timeout are RFC 5681's, and change nobody else's window."""
    one, other = make(40, 20 * MILLISECOND), make(40, 20 * MILLISECOND)
    coupling, controller, reno = LinkedIncreases(), Lia(Cubic()), NewReno()
    coupling.couple([one, other])
    assert one.total == other.total == 80 * MSS
    twin = make(40, 20 * MILLISECOND)
    controller.on_loss(one, one.cwnd, 0)
    reno.on_loss(twin, twin.cwnd, 0)
    assert (one.cwnd, one.ssthresh) == (twin.cwnd, twin.ssthresh) == (20 * MSS, 20 * MSS)
    assert other.cwnd == 40 * MSS
    controller.on_timeout(one, one.cwnd, 0)
    assert (one.cwnd, one.ssthresh) == (MSS, 10 * MSS)
    controller.on_ack(one, MSS, 0)
    assert one.cwnd == 2 * MSS


@pytest.mark.clause("R6356-4.1-04")
def test_alpha_follows_whole_segments() -> None:
    """It is computed anew when a window has gained or lost a segment, and not before."""
    one, other = make(10, 20 * MILLISECOND), make(10, 40 * MILLISECOND)
    coupling = LinkedIncreases()
    coupling.couple([one, other])
    alpha, total = one.alpha, one.total
    one.cwnd += MSS - 1
    coupling.couple([one, other])
    assert (one.alpha, one.total) == (alpha, total)
    one.cwnd += 1
    coupling.couple([one, other])
    assert other.total == total + MSS
    assert other.alpha == one.alpha


@pytest.mark.clause("R6356-3-02", "R8684-3.3.7-01")
def test_alone() -> None:
    """One subflow, or one that is not measured yet: nothing is coupled, and whoever acts alone does."""
    one, other, plain = make(10, 20 * MILLISECOND), Window(MSS), make(10, 20 * MILLISECOND)
    coupling, controller, alone = LinkedIncreases(), Lia(NewReno()), NewReno()
    coupling.couple([one, other])
    assert (one.total, other.total, other.ssthresh) == (0, 0, UNLIMITED)
    for _ in range(30):
        controller.on_ack(one, MSS, 0)
        alone.on_ack(plain, MSS, 0)
    assert one.cwnd == plain.cwnd
    other.srtt = 20 * MILLISECOND
    coupling.couple([one, other])
    assert one.total == one.cwnd + other.cwnd
    coupling.couple([one])
    assert one.total == 0
