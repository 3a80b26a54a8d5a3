"""Linked increases: subflows that share a bottleneck take as much of it as one TCP would (RFC 6356).

    alpha = total * max(cwnd_i / rtt_i^2) / (sum of cwnd_i / rtt_i)^2          equation 2

In whole octets and µs. As much as one TCP on the best path [R6356-1-01], on no shared path more than one
[R6356-1-02], and less where more is lost [R6356-1-03] [R6356-5-01]. Only the growth in congestion avoidance
is coupled [R6356-1-04]; what happens on a loss happens to its own subflow [R6356-3-01].
"""

from typing import ClassVar, Final, final

from mptcp.congestion.controller import Controller, Window
from mptcp.congestion.coupling import Coupling, decouple
from mptcp.congestion.newreno import NewReno
from mptcp.values import Micros

ALPHA_SCALE: Final = 512  # alpha is counted in parts of it; RFC 6356 §4.1 [R6356-4.1-01] [R6356-4.1-02]


def compute_alpha(windows: list[Window]) -> int:
    """alpha times ALPHA_SCALE (RFC 6356 §3, equation 2) [R6356-3-11] [R6356-3-12].

    Numerator and denominator are multiplied by the square of the best subflow's round trip, as in
    equation 4: then no term is smaller than an octet. The round trips must be known.
    """
    best = windows[0]
    total = 0
    for window in windows:
        total += window.cwnd
        if window.cwnd * best.srtt * best.srtt > best.cwnd * window.srtt * window.srtt:
            best = window
    pace = 0
    for window in windows:
        pace += window.cwnd * best.srtt // window.srtt
    return max(ALPHA_SCALE * total * best.cwnd // (pace * pace), 1)


def compute_increase(alpha: int, acked: int, mss: int, cwnd: int, total: int) -> int:
    """Octets by which ``acked`` octets let cwnd grow: never more than in TCP (RFC 6356 §3, equation 1).

    [R6356-3-04] [R6356-3-05] [R6356-3-06] So whatever happens on other paths, none is bolder [R6356-6-01].
    """
    coupled = alpha * acked * mss // (ALPHA_SCALE * total)
    alone = acked * mss // cwnd
    return max(min(coupled, alone), 1)  # [R6356-3-07]


@final
class LinkedIncreases(Coupling):
    """Writes alpha and the total into the windows, when one of them has gained or lost a segment.

    [R6356-4.1-04]
    """

    FIELDS: ClassVar[tuple[str, ...]] = ()

    def couple(self, windows: list[Window]) -> None:
        """See ``Coupling.couple``; a window without a round trip does not count yet [R6356-3-02]."""
        known = [window for window in windows if window.srtt > 0]
        if len(known) < 2:
            decouple(windows)
            return
        is_same = True
        for window in known:
            segments = window.cwnd // window.mss
            if segments != window.counted or window.total == 0:
                window.counted = segments
                is_same = False
        if is_same:
            return
        alpha = compute_alpha(known)
        total = 0
        for window in known:
            total += window.cwnd  # [R6356-3-03] [R6356-3-09] PRR inflates none
        for window in known:
            window.alpha = alpha
            window.total = total


@final
class Lia(Controller):
    """By itself as ``alone`` does; beside others, NewReno whose growth is linked (RFC 6356 §3)."""

    FIELDS: ClassVar[tuple[str, ...]] = ("alone", "reno")

    def __init__(self, alone: Controller) -> None:
        super().__init__(alone.slow_start_segments)
        self.alone = alone
        self.reno = NewReno()

    def birth(self) -> tuple[object, ...]:
        """See ``Record``."""
        return (self.alone,)

    def on_ack(self, window: Window, acked: int, now: Micros) -> None:
        """Grow as one of several (RFC 6356 §3, equation 1)."""
        if window.total == 0:
            self.alone.on_ack(window, acked, now)
        elif window.cwnd < window.ssthresh:
            self.grow_slowly(window, acked)
        else:
            window.cwnd += compute_increase(window.alpha, acked, window.mss, window.cwnd, window.total)

    def on_loss(self, window: Window, flight: int, now: Micros) -> None:
        """Halve this one [R6356-3-01]."""
        if window.total == 0:
            self.alone.on_loss(window, flight, now)
        else:
            self.reno.on_loss(window, flight, now)

    def on_timeout(self, window: Window, flight: int, now: Micros) -> None:
        """Begin this one again [R6356-3-01]."""
        if window.total == 0:
            self.alone.on_timeout(window, flight, now)
        else:
            self.reno.on_timeout(window, flight, now)

    def on_spurious(self, window: Window, flight: int, now: Micros) -> None:
        """See ``Controller.on_spurious``."""
        if window.total == 0:
            self.alone.on_spurious(window, flight, now)
        else:
            self.reno.on_spurious(window, flight, now)

    def on_idle(self, window: Window, now: Micros) -> None:
        """See ``Controller.on_idle``."""
        self.alone.on_idle(window, now)
