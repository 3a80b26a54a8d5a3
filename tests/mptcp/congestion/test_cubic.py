"""CUBIC: RFC 8312's curve, with numbers worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.choices import CUBIC, NEWRENO, UNCOUPLED
from mptcp.congestion.controller import Controller, Window
from mptcp.congestion.cubic import Cubic, compute_cube_root, compute_cubic, compute_k, compute_standard
from mptcp.congestion.kinds import make_controller
from mptcp.congestion.newreno import NewReno
from mptcp.parameters import MILLISECOND, SECOND
from mptcp_model.situations import established

MSS = 1_000
RTT = 100 * MILLISECOND


def make_window(cwnd: int, ssthresh: int = 0) -> Window:
    """A window in congestion avoidance on a path of 100 ms."""
    window = Window(MSS)
    window.cwnd, window.ssthresh, window.srtt = cwnd, ssthresh or cwnd, RTT
    return window


def go_on(controller: Cubic, window: Window, start: int, span: int) -> None:
    """For ``span`` µs each window is acknowledged segment by segment, evenly over a round trip."""
    now = start
    while now < start + span:
        controller.on_ack(window, MSS, now)
        now += RTT * MSS // window.cwnd


@given(st.integers(0, (1 << 90) - 1))
def test_cube_root(number: int) -> None:
    """The largest whole number whose cube is not above."""
    root = compute_cube_root(number)
    assert root**3 <= number < (root + 1) ** 3


@pytest.mark.clause("R8312-4.1-01")
@pytest.mark.parametrize(("rise", "k"), [(0, 0), (-5, 0), (30_000, 4_217), (400, 1_000), (3_200, 2_000)])
def test_k(rise: int, k: int) -> None:
    """The cube root of 30 segments over 0.4 is that of 75: 4.217 s; of 0.4 over 0.4 one second."""
    assert compute_k(rise, MSS) == k


@pytest.mark.clause("R8312-4.1-01")
@pytest.mark.parametrize(
    ("elapsed", "expected"),
    [
        (0, 99_600),  # 100 - 0.4
        (500, 99_950),  # 100 - 0.4 / 8
        (1_000, 100_000),  # flat
        (2_000, 100_400),
        (3_000, 103_200),  # 100 + 0.4 * 8
        (11_000, 500_000),  # 100 + 0.4 * 1,000
    ],
)
def test_curve(elapsed: int, expected: int) -> None:
    """W_cubic with W_max = 100 segments and K = 1 s."""
    assert compute_cubic(elapsed, 1_000, 100_000, MSS) == expected


@pytest.mark.clause("R8312-4.2-01")
def test_standard() -> None:
    """9/17 of a segment per round trip: 17 of them give nine segments."""
    assert compute_standard(70_000, 17 * RTT, RTT, MSS) == 79_000


@pytest.mark.clause("R8312-4.5-01")
def test_loss() -> None:
    """Window and threshold become seven tenths of the window, whatever is in flight."""
    window, cubic = make_window(100_000), Cubic()
    cubic.on_loss(window, 80_000, 0)
    assert (window.cwnd, window.ssthresh, cubic.w_max) == (70_000, 70_000, 100_000)
    cubic.on_loss(window, 2_000, 0)
    small = make_window(2_000)
    cubic.on_loss(small, 2_000, 0)
    assert (small.cwnd, small.ssthresh) == (2_000, 2_000)


@pytest.mark.clause("R8312-4.1-01", "R8312-4.3-01", "R8312-4.4-01")
def test_back_in_k() -> None:
    """After a loss at 100 segments it stands there again after 4.2 s, is slow around it, then fast."""
    window, cubic = make_window(100_000), Cubic()
    cubic.on_loss(window, 100_000, 0)
    go_on(cubic, window, 0, 2 * SECOND)
    assert 95_500 <= window.cwnd <= 97_500  # 100 - 0.4 * 2.217**3 = 95.6 at 2 s, 96.2 a round trip later
    go_on(cubic, window, 2 * SECOND, 2_217 * MILLISECOND)
    assert 99_000 <= window.cwnd <= 101_000
    go_on(cubic, window, 4_217 * MILLISECOND, 4 * SECOND)
    assert 123_000 <= window.cwnd <= 130_000  # 100 + 0.4 * 4**3 = 125.6


@pytest.mark.clause("R8312-4.2-01")
def test_no_slower_than_standard() -> None:
    """Where round trips are short and windows small, standard TCP's window is the larger and counts."""
    window, cubic = make_window(10_000), Cubic()
    window.srtt = 10 * MILLISECOND
    cubic.on_loss(window, 10_000, 0)
    now = 0
    for _ in range(340):  # ten milliseconds each
        for _ in range(max(window.cwnd // MSS, 1)):
            cubic.on_ack(window, MSS, now)
        now += 10 * MILLISECOND
    # 9/17 of a segment per round trip, 339 of them: 7 + 179.5; the curve is at 10 + 0.4 * 1.4**3
    assert 185_000 <= window.cwnd <= 187_000


@pytest.mark.clause("R8312-4.6-01")
def test_fast_convergence() -> None:
    """A second loss below the first flattens the curve at 0.85 of the window, and one above does not."""
    window, cubic = make_window(100_000), Cubic()
    cubic.on_loss(window, 0, 0)
    cubic.on_loss(window, 0, 0)
    assert (cubic.w_max, cubic.w_last_max, window.cwnd) == (59_500, 70_000, 49_000)
    window.cwnd = 80_000
    cubic.on_loss(window, 0, 0)
    assert cubic.w_max == 80_000


@pytest.mark.clause("R8312-4.7-01", "R8312-4.7-02", "R8312-4.8-01")
def test_timeout() -> None:
    """One segment, slow start up to seven tenths, and from there the far half of the curve."""
    window, cubic = make_window(100_000), Cubic()
    cubic.on_timeout(window, 100_000, 0)
    assert (window.cwnd, window.ssthresh) == (1_000, 70_000)
    for _ in range(69):
        cubic.on_ack(window, 5 * MSS, 0)
    assert window.cwnd == 70_000
    cubic.on_ack(window, MSS, SECOND)
    assert (cubic.k, cubic.w_max) == (0, 70_000)


def test_mistake() -> None:
    """A reduction that was one is taken back: slow start leads to the old window and curve."""
    window, cubic = make_window(100_000), Cubic()
    cubic.on_loss(window, 0, 0)
    window.cwnd = 90_000
    cubic.on_timeout(window, 0, 0)
    cubic.on_spurious(window, 20_000, 0)
    assert (window.ssthresh, window.cwnd) == (90_000, 30_000)
    assert (cubic.w_max, cubic.w_last_max) == (100_000, 100_000)


def test_idle_is_no_time_on_the_curve() -> None:
    """After an hour of silence the window grows from the restart window on, and not in one leap."""
    window, cubic = make_window(100_000), Cubic()
    cubic.on_loss(window, 0, 0)
    cubic.on_ack(window, MSS, 0)
    cubic.on_idle(window, 3_600 * SECOND)
    before = window.cwnd
    cubic.on_ack(window, MSS, 3_600 * SECOND)
    assert before == 10_000
    assert before <= window.cwnd <= before + MSS


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ack", "loss", "timeout", "idle", "spurious"]),
            st.integers(1, 100_000),
            st.integers(0, 3_600 * SECOND),
        ),
        max_size=50,
    ),
    st.integers(88, 65_495),
    st.integers(0, 60 * SECOND),
)
def test_always_within_reason(story: list[tuple[str, int, int]], mss: int, rtt: int) -> None:
    """Whatever happens: at least a segment, thresholds of two, and no faster growth than slow start."""
    window, cubic, now = Window(mss), Cubic(), 0
    window.srtt = rtt
    for what, octets, span in story:
        now += span
        before = window.cwnd
        if what == "ack":
            cubic.on_ack(window, octets, now)
            assert before <= window.cwnd <= before + octets
        elif what == "loss":
            cubic.on_loss(window, octets, now)
        elif what == "timeout":
            cubic.on_timeout(window, octets, now)
        elif what == "spurious":
            cubic.on_spurious(window, octets, now)
        else:
            cubic.on_idle(window, now)
        assert window.cwnd >= mss
        assert window.ssthresh >= 2 * mss


@pytest.mark.clause("R9293-3.8.2-03")
@pytest.mark.parametrize(("name", "kind"), [(CUBIC, Cubic), (NEWRENO, NewReno)])
def test_controllers_are_a_choice(name: str, kind: type[Controller]) -> None:
    """Alone or beside others in a coupling, each connection has the one it asked for."""
    assert type(make_controller(name, UNCOUPLED, 1)) is kind
    user, _ = established(congestion=name, coupling=UNCOUPLED)
    tcb = user.host.connections[user.connection].control.branches[0].subflow.tcb
    assert type(tcb.controller) is kind
