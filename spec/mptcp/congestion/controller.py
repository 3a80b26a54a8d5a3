"""The base of all congestion controllers, and the one record they see of a subflow."""

from mptcp.parameters import INITIAL_WINDOW_FLOOR, INITIAL_WINDOW_SEGMENTS
from mptcp.values import Micros, Record

UNLIMITED = 1 << 40  # octets; ssthresh before the first loss: arbitrarily high, RFC 5681 §3.1


class Window(Record):
    """What a controller knows and sets of one subflow. Octets, and µs for times."""

    FIELDS = ("mss", "cwnd", "ssthresh", "srtt", "acked")

    def __init__(self, mss: int) -> None:
        self.mss = mss  # SMSS of RFC 5681: text octets of a full-sized segment
        self.cwnd = compute_initial_window(mss)
        self.ssthresh = UNLIMITED  # [R5681-3.1-05]
        self.srtt: Micros = 0  # 0 until measured
        self.acked = 0  # acknowledged octets that have not grown cwnd yet

    def birth(self) -> tuple[object, ...]:
        """See ``Record``."""
        return (self.mss,)


def compute_initial_window(mss: int) -> int:
    """IW in octets: ten segments, and not more than 14,600 octets or two segments (RFC 6928 §2).

    Where RFC 5681 [R5681-3.1-02] has two to four.
    """
    return min(INITIAL_WINDOW_SEGMENTS * mss, max(2 * mss, INITIAL_WINDOW_FLOOR))


class Controller(Record):
    """Same beats in every controller: on an acknowledgment, a loss, a timeout, after idleness."""

    FIELDS = ()

    def on_ack(self, window: Window, acked: int) -> None:
        """``acked`` octets were newly acknowledged outside of recovery."""
        raise NotImplementedError

    def on_loss(self, window: Window, flight: int) -> None:
        """A segment was lost, with ``flight`` octets in the network: sets ssthresh and cwnd."""
        raise NotImplementedError

    def on_timeout(self, window: Window, flight: int) -> None:
        """The retransmission timer expired, for the first time on this text."""
        raise NotImplementedError

    def on_idle(self, window: Window) -> None:
        """Nothing was sent for longer than one RTO."""
        # [R5681-4.1-01] the restart window
        window.cwnd = min(window.cwnd, compute_initial_window(window.mss))
