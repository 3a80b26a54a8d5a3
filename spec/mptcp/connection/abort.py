"""Ending at once: MP_FASTCLOSE and RST (RFC 8684 §3.5, §3.6)."""

from mptcp.connection.acknowledge import move
from mptcp.connection.control import Branch, Control, Mode
from mptcp.connection.joining import Joining
from mptcp.connection.state import TRANSITIONS, Signal, State
from mptcp.keys import is_equal
from mptcp.subflow.arrival import Kind, Plan
from mptcp.subflow.control import NEVER
from mptcp.subflow.state import SYNCHRONIZED
from mptcp.subflow.state import State as SubflowState
from mptcp.subflow.timers import compute_backoff
from mptcp.values import Micros
from mptcp.wire.endings import FastClose
from mptcp.wire.options import Option


def abort(control: Control, error: str, now: Micros) -> None:
    """The application gives up: by an acknowledgment with MP_FASTCLOSE (A), or by RSTs with it (R).

    What plain TCP says with a RST. [R8684-3.5-02] [R8684-E-07] [R8684-2.6-02]
    """
    if control.state is State.M_CLOSED or control.state is State.FASTCLOSE_WAIT:
        return
    control.error = error
    if is_by_acknowledgment(control):
        for branch in control.branches:
            if is_synchronized(branch):
                wait(control, branch, now)
                return
    control.is_aborting = True
    end(control, error, now)


def end(control: Control, error: str, now: Micros) -> None:
    """RST on every subflow, with MP_FASTCLOSE where we abort: variant R [R8684-3.5-05]. No waiting."""
    for branch in control.branches:
        branch.subflow.abort(error, now)
    move(control, Signal.END, now)


# -- by an acknowledgment: FASTCLOSE_WAIT -----------------------------------------------------


def is_by_acknowledgment(control: Control) -> bool:
    """Whether to abort in variant A; version 0 has no other [R6824-3.5-01]."""
    if control.mode is not Mode.MULTIPATH or Signal.FAST_CLOSE not in TRANSITIONS[control.state]:
        return False
    return control.version == 0 or control.choices.fast_close_by_ack


def is_synchronized(branch: Branch) -> bool:
    """Whether the peer's answer to an acknowledgment would be heard."""
    state = branch.subflow.tcb.state
    if branch.joining is not Joining.ESTABLISHED:
        return False
    return state in SYNCHRONIZED and state is not SubflowState.TIME_WAIT


def wait(control: Control, last: Branch, now: Micros) -> None:
    """MP_FASTCLOSE leaves on ``last``, the other subflows end by RST [R8684-3.5-04]."""
    for branch in control.branches:
        if branch is not last:
            branch.subflow.abort(control.error, now)
    control.orphan_at = NEVER
    control.retries = 0
    move(control, Signal.FAST_CLOSE, now)
    say_again(control, last, now)


def say_again(control: Control, branch: Branch, now: Micros) -> None:
    """MP_FASTCLOSE goes on the next acknowledgment, and again after one RTO of its subflow."""
    branch.subflow.acknowledge()
    control.retransmit_at = now + compute_backoff(branch.subflow.tcb.rto, 0)  # [R8684-3.5-10]


def make_plan(branch: Branch) -> Plan:
    """What leaves in FASTCLOSE_WAIT: no text any more, only acknowledgments and the RST at the end."""
    tcb = branch.subflow.tcb
    if tcb.reset_now:
        return Plan(Kind.RESET, tcb.snd_nxt)
    return Plan(Kind.ACK if tcb.ack_now else Kind.NOTHING, tcb.snd_nxt)


def progress(control: Control, now: Micros) -> None:
    """In FASTCLOSE_WAIT: the last subflow ended, by the RST that was awaited or otherwise [R8684-3.5-08]."""
    for branch in control.branches:
        if branch.subflow.tcb.state is not SubflowState.CLOSED:
            return
    move(control, Signal.END, now)


def expire(control: Control, now: Micros) -> None:
    """In FASTCLOSE_WAIT: no RST came for one RTO."""
    control.retries += 1
    if control.retries > control.choices.fast_close_retransmissions:  # [R8684-3.5-11] [R8684-3.5-12]
        control.is_aborting = True  # [R8684-3.5-13] for middleboxes that still remember
        end(control, control.error, now)
        return
    control.journal.note(now, control.name, "MP_FASTCLOSE again", str(control.retries))
    for branch in control.branches:
        if is_synchronized(branch):
            say_again(control, branch, now)


# -- the peer's -------------------------------------------------------------------------------


def has_fast_close(control: Control, options: tuple[Option, ...]) -> bool:
    """Whether MP_FASTCLOSE with our own key is there; with another it has no effect [R8684-3.5-07]."""
    for option in options:
        if isinstance(option, FastClose):
            return is_equal(option.key, control.local_key)
    return False


def take_fast_close(control: Control, now: Micros) -> None:
    """The peer gave up: all subflows end, the one it came on too [R8684-3.5-06] [R8684-3.5-14].

    If we did so at the same time, likewise [R8684-3.5-09].
    """
    control.journal.note(now, control.name, "MP_FASTCLOSE received")
    for branch in control.branches:
        branch.subflow.abort("reset", now)
    if control.state is not State.M_CLOSED:
        control.error = control.error or "reset"
        move(control, Signal.END, now)
