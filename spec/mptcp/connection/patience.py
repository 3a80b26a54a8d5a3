"""The user timeout: how long what was written may wait for its acknowledgment (RFC 9293 §3.10.8)."""

from typing import Final

from mptcp.connection.abort import abort
from mptcp.connection.control import Control
from mptcp.connection.state import State
from mptcp.subflow.control import NEVER
from mptcp.values import Micros

WAITS_FOR_ACK_OF_FIN: Final = (State.M_FINWAIT_1, State.M_CLOSING, State.M_LAST_ACK)


def is_waiting(control: Control) -> bool:
    """Whether the peer owes us an acknowledgment: of the SYN, of data, of the end of data."""
    if control.state is State.M_OPENING:
        return control.is_initiator
    if control.state is State.M_CLOSED:
        return False
    return control.snd_una < control.snd_queue.end or control.state in WAITS_FOR_ACK_OF_FIN


def watch(control: Control, now: Micros) -> None:
    """Each acknowledgment of something new begins the wait anew; none is needed where nothing is owed."""
    if control.user_timeout == 0 or not is_waiting(control):
        control.patience_at = NEVER
    elif control.patience_at == NEVER or control.snd_una != control.patience_una:
        control.patience_una = control.snd_una
        control.patience_at = now + control.user_timeout


def tick(control: Control, now: Micros) -> None:
    """The connection ends, and the user learns why."""
    if control.patience_at <= now:
        control.patience_at = NEVER
        abort(control, "user timeout", now)
