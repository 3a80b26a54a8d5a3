"""MP_TCPRST: why a subflow is reset, and what the peer's reason says of its path (RFC 8684 §3.6)."""

from typing import Final

from mptcp.connection.control import Branch
from mptcp.parameters import (
    LONGEST_REST,
    REASON_OUTSTANDING,
    REASON_PERFORMANCE,
    REASON_RESOURCES,
    REST,
)
from mptcp.values import Micros
from mptcp.wire.endings import TRANSIENT, TcpReset
from mptcp.wire.options import Option

PASSING: Final = (REASON_RESOURCES, REASON_OUTSTANDING, REASON_PERFORMANCE)
"""What may be better the next time."""


def make(reason: int) -> TcpReset:
    """MP_TCPRST of our RST: flag T says whether another attempt may do better."""
    return TcpReset(TRANSIENT if reason in PASSING else 0, reason)


def take(branch: Branch, options: tuple[Option, ...]) -> None:
    """A RST came; its reason, if it has one, decides whether and when the path is tried again.

    [R8684-3.6-02] [R8684-3.6-04]
    """
    for option in options:
        if isinstance(option, TcpReset):
            branch.peer_reason = option.reason
            branch.is_barred = not option.flags & TRANSIENT


def compute_rest(reason: int, failures: int) -> Micros:
    """How long a path rests that the peer gave up for ``reason``, or nobody said why [R8684-3.6-06].

    It depends on what is said to be wrong [R8684-3.6-07]: a queue that was too long is gone with the
    subflow; resources and performance take their time.
    """
    if reason == REASON_OUTSTANDING:
        return REST
    if reason in (REASON_RESOURCES, REASON_PERFORMANCE):
        return LONGEST_REST
    return min(REST << min(failures, 16), LONGEST_REST)
