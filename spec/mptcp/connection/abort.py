"""Ending at once: MP_FASTCLOSE and RST (RFC 8684 §3.5, §3.6)."""

from mptcp.connection.acknowledge import move
from mptcp.connection.control import Control
from mptcp.connection.state import Signal, State
from mptcp.keys import is_equal
from mptcp.values import Micros
from mptcp.wire.endings import FastClose
from mptcp.wire.options import Option


def abort(control: Control, error: str, now: Micros) -> None:
    """The application gives up: RST with MP_FASTCLOSE on every subflow, variant R [R8684-3.5-05].

    What plain TCP says with a RST. [R8684-3.5-02] [R8684-E-07]
    """
    if control.state is State.M_CLOSED:
        return
    control.error = error
    control.is_aborting = True
    for branch in control.branches:
        branch.subflow.abort(error, now)
    move(control, Signal.END, now)


def has_fast_close(control: Control, options: tuple[Option, ...]) -> bool:
    """Whether MP_FASTCLOSE with our own key is there; with another it has no effect [R8684-3.5-07]."""
    for option in options:
        if isinstance(option, FastClose):
            return is_equal(option.key, control.local_key)
    return False


def take_fast_close(control: Control, now: Micros) -> None:
    """The peer gave up: all subflows end, the one it came on too [R8684-3.5-06] [R8684-3.5-14]."""
    control.journal.note(now, control.name, "MP_FASTCLOSE received")
    for branch in control.branches:
        branch.subflow.abort("reset", now)
    if control.state is not State.M_CLOSED:
        control.error = "reset"
        move(control, Signal.END, now)
