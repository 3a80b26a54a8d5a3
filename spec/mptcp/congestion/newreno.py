"""Standard TCP's congestion control (RFC 5681; recovery itself is in subflow/recovery.py)."""

from typing import ClassVar, final

from mptcp.congestion.controller import Controller, Window, remember
from mptcp.values import Micros


def compute_reduced(flight: int, mss: int) -> int:
    """ssthresh after a loss, octets (RFC 5681 §3.1, equation 4)."""
    return max(flight // 2, 2 * mss)


@final
class NewReno(Controller):
    """Slow start, congestion avoidance, and halving on loss (RFC 5681), and nothing bolder.

    [R5681-3-01] [R5681-3.1-01] [R9293-3.8.2-01]
    """

    FIELDS: ClassVar[tuple[str, ...]] = ()

    def on_ack(self, window: Window, acked: int, now: Micros) -> None:
        """Grow by what was acknowledged, then by one segment per window (RFC 5681 §3.1)."""
        if window.cwnd < window.ssthresh:
            self.grow_slowly(window, acked)
            return
        # [R5681-3.1-06] at most SMSS per round trip: one for each cwnd of octets acknowledged
        window.acked += acked  # [R5681-3.1-07] small steps add up: none is rounded to nothing
        if window.acked >= window.cwnd:
            window.acked -= window.cwnd
            window.cwnd += window.mss

    def on_loss(self, window: Window, flight: int, now: Micros) -> None:
        """Halve (RFC 5681 §3.2, step 2)."""
        remember(window)
        window.ssthresh = compute_reduced(flight, window.mss)
        window.cwnd = window.ssthresh
        window.acked = 0

    def on_timeout(self, window: Window, flight: int, now: Micros) -> None:
        """One segment, and slow start up to half of what was in flight (RFC 5681 §3.1)."""
        remember(window)
        window.ssthresh = compute_reduced(flight, window.mss)  # [R5681-3.1-08]
        window.cwnd = window.mss  # [R5681-3.1-09]
        window.acked = 0
