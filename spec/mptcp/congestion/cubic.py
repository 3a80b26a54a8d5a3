"""CUBIC (RFC 8312): after a loss the window comes back along a cubic curve of time, not of round trips.

All in whole octets and milliseconds: C = 0.4 and beta = 0.7 are the fractions 4/10 and 7/10.
"""

from typing import ClassVar, Final, final

from mptcp.congestion.controller import Controller, Window, remember
from mptcp.parameters import MILLISECOND
from mptcp.values import Micros

BETA: Final = 7  # tenths; RFC 8312 §4.5
ROOT_BITS: Final = 30  # of the largest cube root: 2**30 ms are 12 days


def compute_cube_root(number: int) -> int:
    """The largest whole number whose cube is not above ``number``, bit by bit; at most 2**30 - 1."""
    root = 0
    for bit in range(ROOT_BITS - 1, -1, -1):
        trial = root + (1 << bit)
        if trial * trial * trial <= number:
            root = trial
    return root


def compute_k(rise: int, mss: int) -> int:
    """K: milliseconds that the curve takes to rise by ``rise`` octets (RFC 8312 §4.1, equation 2).

    The cube of K in seconds is the rise in segments over C.
    """
    return compute_cube_root(rise * 10_000_000_000 // (4 * mss)) if rise > 0 else 0


def compute_cubic(elapsed: int, k: int, w_max: int, mss: int) -> int:
    """W_cubic, octets, ``elapsed`` milliseconds after the curve began (RFC 8312 §4.1, equation 1)."""
    distance = elapsed - k
    return w_max + 4 * mss * distance * distance * distance // 10_000_000_000


def compute_standard(origin: int, elapsed: int, rtt: int, mss: int) -> int:
    """W_est, octets: what standard TCP with the same decrease would have by now (RFC 8312 §4.2, eq. 4).

    Its steps of 3 (1 - beta) / (1 + beta) = 9/17 of a segment per round trip start from ``origin``, the
    window when the curve began; ``elapsed`` and ``rtt`` are µs.
    """
    return origin + 9 * mss * elapsed // (17 * max(rtt, 1))


@final
class Cubic(Controller):
    """Slow start, then the curve; by seven tenths on loss, a little lower if the last was no better."""

    FIELDS: ClassVar[tuple[str, ...]] = (
        "w_max",
        "w_last_max",
        "epoch",
        "k",
        "origin",
        "is_after_timeout",
        "prior_max",
        "prior_last_max",
    )

    def __init__(self, slow_start_segments: int = 1) -> None:
        super().__init__(slow_start_segments)
        self.w_max = 0  # octets: where the curve flattens; cwnd before the last reduction
        self.w_last_max = 0  # the same one reduction earlier
        self.epoch = -1  # when congestion avoidance began; -1: it did not
        self.k = 0  # milliseconds from there to w_max
        self.origin = 0  # cwnd at the epoch, octets
        self.is_after_timeout = False  # the next curve begins at its flat point
        self.prior_max = 0  # both as they were before the last reduction
        self.prior_last_max = 0

    def on_ack(self, window: Window, acked: int, now: Micros) -> None:
        """Towards the curve, or standard TCP's window if that is larger (RFC 8312 §4.2-4.4)."""
        if window.cwnd < window.ssthresh:
            self.grow_slowly(window, acked)  # [R8312-4.8-01]
            return
        if self.epoch < 0:
            self.begin(window, now)
        elapsed: int = now - self.epoch
        standard = compute_standard(self.origin, elapsed, window.srtt, window.mss)
        here = compute_cubic(elapsed // MILLISECOND, self.k, self.w_max, window.mss)
        if here < standard:  # [R8312-4.2-01]
            growth = standard - window.cwnd
        else:
            ahead = (elapsed + window.srtt) // MILLISECOND
            target = compute_cubic(ahead, self.k, self.w_max, window.mss)
            # [R8312-4.3-01] [R8312-4.4-01] (W_cubic(t + RTT) - cwnd) / cwnd a segment; the rest is kept
            window.acked += max(target - window.cwnd, 0) * acked
            growth = window.acked // window.cwnd
            window.acked -= growth * window.cwnd
        # at most half of what was acknowledged: the bound of RFC 9438 §4.2, which the curve's far end needs
        window.cwnd += min(max(growth, 0), (acked + 1) // 2)

    def begin(self, window: Window, now: Micros) -> None:
        """Congestion avoidance begins: the curve starts at cwnd (RFC 8312 §4.1)."""
        self.epoch = now
        self.origin = window.cwnd
        window.acked = 0
        if self.is_after_timeout or self.w_max < window.cwnd:
            # [R8312-4.7-02] the flat point is here
            self.is_after_timeout = False
            self.w_max = window.cwnd
        self.k = compute_k(self.w_max - window.cwnd, window.mss)  # [R8312-4.1-01]

    def on_loss(self, window: Window, flight: int, now: Micros) -> None:
        """Multiplicative decrease and fast convergence (RFC 8312 §4.5, §4.6)."""
        self.reduce(window)
        window.cwnd = window.ssthresh  # [R8312-4.5-01]

    def on_timeout(self, window: Window, flight: int, now: Micros) -> None:
        """One segment, and slow start up to seven tenths (RFC 8312 §4.7)."""
        self.reduce(window)
        window.cwnd = window.mss  # [R8312-4.7-01]
        self.is_after_timeout = True

    def reduce(self, window: Window) -> None:
        """Remember where it became too much, and set the threshold below."""
        remember(window)
        self.prior_max = self.w_max
        self.prior_last_max = self.w_last_max
        is_less = window.cwnd < self.w_last_max
        self.w_last_max = window.cwnd
        # [R8312-4.6-01] less than last time: others want room, so the curve flattens earlier
        self.w_max = window.cwnd * (10 + BETA) // 20 if is_less else window.cwnd
        window.ssthresh = max(window.cwnd * BETA // 10, 2 * window.mss)
        window.acked = 0
        self.epoch = -1
        self.is_after_timeout = False

    def on_spurious(self, window: Window, flight: int, now: Micros) -> None:
        """As in every controller, and the old curve goes on."""
        super().on_spurious(window, flight, now)
        self.w_max = self.prior_max
        self.w_last_max = self.prior_last_max
        self.epoch = -1
        self.is_after_timeout = False

    def on_idle(self, window: Window, now: Micros) -> None:
        """As in every controller; the time in which nothing was sent is not time on the curve."""
        super().on_idle(window, now)
        self.epoch = -1
