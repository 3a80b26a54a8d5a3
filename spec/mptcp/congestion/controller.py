"""The base of all congestion controllers, and the one record they see of a subflow."""

from typing import ClassVar, Final

from mptcp.parameters import INITIAL_WINDOW_FLOOR, INITIAL_WINDOW_SEGMENTS
from mptcp.values import Micros, Record

UNLIMITED: Final = 1 << 40  # octets; ssthresh before the first loss: arbitrarily high, RFC 5681 §3.1


class Window(Record):
    """What a controller knows and sets of one subflow. Octets, and µs for times.

    ``cwnd``, ``ssthresh``, ``acked`` and the ``prior`` two are the controller's; the subflow measures
    the rest. A controller that couples subflows reads the windows of all of them, one that goes by delay
    the round trips and their count: neither needs more than stands here.
    """

    FIELDS = (
        "mss",
        "cwnd",
        "ssthresh",
        "acked",
        "srtt",
        "rtt",
        "min_rtt",
        "rounds",
        "prior_cwnd",
        "prior_ssthresh",
        "alpha",
        "total",
        "counted",
    )

    def __init__(self, mss: int) -> None:
        self.mss = mss  # SMSS of RFC 5681: text octets of a full-sized segment
        self.cwnd = compute_initial_window(mss)
        self.ssthresh = UNLIMITED  # [R5681-3.1-05]
        self.acked = 0  # growth that is earned and does not make a whole step yet; its controller knows
        self.srtt = 0  # 0 until measured
        self.rtt = 0  # the latest measured
        self.min_rtt = 0  # the smallest of the last minutes
        self.rounds = 0  # round trips: what was sent last when one began is acknowledged when it ends
        self.prior_cwnd = 0  # both as they were before the last reduction, in case there was no loss
        self.prior_ssthresh = 0
        self.alpha = 0  # of the coupling, which alone writes these: how boldly to grow, scaled
        self.total = 0  # the windows of all subflows together; 0: there is nothing to be coupled to
        self.counted = 0  # segments in cwnd when alpha was last computed

    def birth(self) -> tuple[object, ...]:
        """See ``Record``."""
        return (self.mss,)


def compute_initial_window(mss: int) -> int:
    """IW in octets: ten segments, and not more than 14,600 octets or two segments (RFC 6928 §2).

    Where RFC 5681 [R5681-3.1-02] has two to four.
    """
    return min(INITIAL_WINDOW_SEGMENTS * mss, max(2 * mss, INITIAL_WINDOW_FLOOR))


def remember(window: Window) -> None:
    """Keep cwnd and ssthresh: a reduction follows that may turn out to be a mistake."""
    window.prior_cwnd = window.cwnd
    window.prior_ssthresh = window.ssthresh


class Controller(Record):
    """Same beats in every controller: acknowledgment, loss, timeout, mark, mistake, idleness.

    One per subflow, and with no state but its own: what it does with a window follows from the calls.
    ``flight`` are the octets in the network when the call is made. During fast recovery ``on_ack`` is not
    called: proportional rate reduction leads cwnd to ssthresh.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ()
    SHARED: ClassVar[tuple[str, ...]] = ("slow_start_segments",)

    def __init__(self, slow_start_segments: int = 1) -> None:
        self.slow_start_segments = slow_start_segments  # see ``Choices``

    def grow_slowly(self, window: Window, acked: int) -> None:
        """Slow start, the same in all (RFC 5681 §3.1, RFC 3465 §2.2)."""
        # after a timeout one segment: what is acknowledged then may have arrived long ago (RFC 3465 §2.3)
        segments = self.slow_start_segments if window.ssthresh == UNLIMITED else 1
        window.cwnd += min(acked, segments * window.mss)  # [R5681-3.1-06] by default at most SMSS per ACK

    def on_ack(self, window: Window, acked: int, now: Micros) -> None:
        """``acked`` octets were newly delivered outside of recovery, and cwnd was in use."""
        raise NotImplementedError

    def on_loss(self, window: Window, flight: int, now: Micros) -> None:
        """A segment was lost: sets ssthresh, and cwnd to it."""
        raise NotImplementedError

    def on_timeout(self, window: Window, flight: int, now: Micros) -> None:
        """The retransmission timer expired, for the first time on this text."""
        raise NotImplementedError

    def on_ecn(self, window: Window, flight: int, now: Micros) -> None:
        """The peer echoed a congestion mark, for the first time in this round: a loss (RFC 3168 §6.1.2)."""
        self.on_loss(window, flight, now)

    def on_spurious(self, window: Window, flight: int, now: Micros) -> None:
        """The last reduction was a mistake: nothing had been lost (RFC 5682 §1).

        Slow start leads back to where cwnd was, so that no burst does (RFC 4015 §3).
        """
        window.ssthresh = max(window.ssthresh, window.prior_ssthresh, window.prior_cwnd)
        room = flight + compute_initial_window(window.mss)
        window.cwnd = max(window.cwnd, min(window.prior_cwnd, room))
        window.acked = 0

    def on_idle(self, window: Window, now: Micros) -> None:
        """Nothing was sent for longer than one RTO."""
        # [R5681-4.1-01] the restart window
        window.cwnd = min(window.cwnd, compute_initial_window(window.mss))
