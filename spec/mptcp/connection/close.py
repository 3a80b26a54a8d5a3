"""DATA_FIN, and the FINs that follow it (RFC 8684 §3.3.3)."""

from typing import Final

from mptcp.connection import abort
from mptcp.connection.acknowledge import advance, move
from mptcp.connection.addresses import is_hopeful
from mptcp.connection.control import Branch, Control, Mode
from mptcp.connection.fallback import leave, take_plain_ack
from mptcp.connection.joining import Joining
from mptcp.connection.receive import finish
from mptcp.connection.reinject import abandon, hand_over, is_outstanding, is_usable, lose, remap_missing
from mptcp.connection.state import MAY_WRITE, OVER, Signal, State
from mptcp.parameters import REASON_OUTSTANDING
from mptcp.subflow.control import NEVER, NO_OFFSET
from mptcp.subflow.state import SYNCHRONIZED
from mptcp.subflow.state import State as SubflowState
from mptcp.subflow.timers import compute_backoff
from mptcp.values import Micros

HALF_CLOSED: Final = (SubflowState.CLOSE_WAIT, SubflowState.CLOSING, SubflowState.LAST_ACK)


def close(control: Control, now: Micros) -> None:
    """The application will write no more [R8684-3.3.3-02]; what it wrote goes first."""
    if control.state not in MAY_WRITE:
        return
    control.snd_fin = control.snd_queue.end  # [R8684-3.3.3-03] after the last octet of data
    if control.state is State.M_OPENING:
        return  # once the handshake is over
    move(control, Signal.CLOSE, now)


def progress(control: Control, now: Micros) -> None:
    """Whatever an ending calls for next: after each arrival, tick and call of the user."""
    if control.state is State.FASTCLOSE_WAIT:
        abort.progress(control, now)
        return
    if control.state is State.M_ESTAB and control.snd_fin != NO_OFFSET:
        move(control, Signal.CLOSE, now)  # it was called before the handshake was over
    if control.mode is Mode.MULTIPATH:
        finish(control, now)
        send_data_fin(control)
        if control.state in OVER and not control.error:
            close_subflows(control, now)  # [R8684-3.3.3-08] [R8684-3.3.3-09] not before
        elif len(control.branches) > 1:
            shed(control, now)
            hand_over(control, now)
            abandon(control, now)
    elif control.mode is Mode.PLAIN:
        progress_plain(control, now)
    watch_subflows(control, now)
    watch_orphan(control, now)
    if control.mode is Mode.MULTIPATH:
        watch_data_level(control, now)


def send_data_fin(control: Control) -> None:
    """The DATA_FIN leaves, by itself, once all data has left [R8684-3.3.3-04].

    No FIN comes with it [R8684-3.3.3-07].
    """
    if control.snd_fin != NO_OFFSET and control.snd_nxt == control.snd_fin and not control.again:
        if not is_ready_for_fin(control):
            return
        control.snd_nxt = control.snd_fin + 1
        control.fin_now = True
    if control.fin_now and all(is_drained(branch) for branch in control.branches):
        for branch in control.branches:
            branch.subflow.acknowledge()  # one on every subflow [R8684-3-06] [R8684-3.4.1-31] [R8684-4-04]
        control.fin_now = False


def is_drained(branch: Branch) -> bool:
    """All text that was given to the subflow has left: an acknowledgment will not ride on more of it."""
    tcb = branch.subflow.tcb
    return tcb.snd_nxt >= tcb.snd_queue.end or tcb.state is SubflowState.CLOSED


def is_ready_for_fin(control: Control) -> bool:
    """Not while the first data, which carries our key, may be lost: a DSS must not overtake it."""
    if control.is_confirmed or not control.is_initiator or control.version == 0:
        return True
    return control.snd_una == control.snd_nxt


def close_subflows(control: Control, now: Micros) -> None:
    """FIN on every subflow, once [R8684-3.3.3-10].

    After it a subflow keeps its ports for less than TCP would [R8684-3.3.3-11]: what comes late is no
    data of the next connection, whose keys are others. One that still tries to send what came by the
    others is of no use to anybody [R8684-3.3.3-12].
    """
    for branch in control.branches:
        tcb = branch.subflow.tcb
        tcb.time_wait = min(control.choices.time_wait, control.choices.subflow_time_wait)
        if tcb.retries > 0 and tcb.snd_una < tcb.snd_queue.end and tcb.state in SYNCHRONIZED:
            branch.is_closing = True
            branch.reset_reason = REASON_OUTSTANDING  # [R8684-3.6-15]
            branch.subflow.abort("", now)
        elif not branch.is_closing and is_drained(branch):
            branch.is_closing = True
            if branch.joining is Joining.ESTABLISHED:
                branch.subflow.close(now)
            else:
                branch.subflow.abort("reset", now)  # it never became part of the connection


def progress_plain(control: Control, now: Micros) -> None:
    """In plain TCP the FIN of the only subflow is the end of the data."""
    for branch in control.branches:
        tcb = branch.subflow.tcb
        if branch.joining is not Joining.ESTABLISHED:
            continue
        if (
            control.snd_fin != NO_OFFSET
            and not branch.is_closing
            and control.snd_nxt == control.snd_queue.end
            and tcb.state is not SubflowState.SYN_RECEIVED  # a fast open: then it waits for ESTABLISHED
        ):
            branch.is_closing = True
            branch.subflow.close(now)
        is_fin = tcb.rcv_fin != NO_OFFSET and tcb.rcv_nxt > tcb.rcv_fin
        if is_fin and len(branch.inbound) == 0 and control.rcv_fin == NO_OFFSET:
            control.rcv_fin = control.rcv_nxt
        if tcb.snd_fin != NO_OFFSET and tcb.snd_una > tcb.snd_fin:
            take_plain_ack_of_fin(control, now)
    finish(control, now)


def take_plain_ack_of_fin(control: Control, now: Micros) -> None:
    """Our FIN was acknowledged."""
    if control.state in (State.M_FINWAIT_1, State.M_CLOSING, State.M_LAST_ACK):
        move(control, Signal.ACK_OF_DATA_FIN, now)


# -- what can no longer happen by itself ------------------------------------------------------


def watch_orphan(control: Control, now: Micros) -> None:
    """The peer closed its subflows without a DATA_FIN: wait for new ones, not for ever [R8684-3.3.3-14].

    A FIN says nothing of the data [R8684-3.3.3-01] [R8684-4-07] [R8684-1.4-02] [R8684-2.6-01].
    Where no subflow is left at all it is the same: one may join until then.
    """
    is_orphan = control.state is not State.M_CLOSED
    for branch in control.branches:
        if not branch.is_lost and not is_stuck(control, branch.subflow.tcb.state):
            is_orphan = False
    if not is_orphan:
        control.orphan_at = NEVER
    elif control.orphan_at == NEVER:
        control.orphan_at = now + control.choices.close_timeout


def is_stuck(control: Control, state: SubflowState) -> bool:
    """Whether a subflow in ``state`` may wait for its peer for ever, with no clock of its own."""
    if control.state in OVER:
        return state is SubflowState.FIN_WAIT_2
    if control.is_forgotten and control.state is State.M_FINWAIT_2:
        return True
    return control.rcv_fin == NO_OFFSET and state in HALF_CLOSED


def watch_subflows(control: Control, now: Micros) -> None:
    """What is over, is over: its data goes elsewhere; and without any subflow, so is the connection.

    A RST ends its subflow alone [R8684-3.5-01] [R8684-4-08], also one with MP_FAIL [R8684-3.7-25]: where
    another one may come, it is waited for.
    """
    for branch in control.branches:
        if branch.subflow.tcb.state is SubflowState.CLOSED and not branch.is_lost:
            lose(control, branch, now)
    for branch in control.branches:
        if not branch.is_lost:
            return
    if control.state is State.M_TIME_WAIT:
        move(control, Signal.SUBFLOWS_CLOSED, now)
    elif control.state is not State.M_CLOSED and not is_hopeful(control, now):
        for branch in control.branches:
            control.error = control.error or branch.subflow.tcb.error
        if control.state is not State.M_CLOSING and control.state is not State.M_LAST_ACK:
            control.error = control.error or "reset"
        move(control, Signal.END, now)


def shed(control: Control, now: Micros) -> None:
    """A subflow that the peer has closed is closed, too, while another goes on [R8684-2.6-01]."""
    for branch in control.branches:
        if branch.subflow.tcb.state is SubflowState.CLOSE_WAIT and not branch.is_closing:
            for other in control.branches:
                if is_usable(other) and other.subflow.tcb.state is SubflowState.ESTABLISHED:
                    branch.is_closing = True
            if branch.is_closing:
                control.book.is_due = True  # another may take its place
                branch.subflow.close(now)  # what it was given goes first


def watch_data_level(control: Control, now: Micros) -> None:
    """The clock of what a subflow had acknowledged and the peer's MPTCP had not [R8684-3.3.6-05].

    It runs for the oldest octet alone: as long as a subflow has that in flight, its own clock does.
    """
    is_waiting = control.snd_una < control.snd_nxt and control.state is not State.M_CLOSED
    rto = 0
    for branch in control.branches:
        tcb = branch.subflow.tcb
        rto = max(rto, tcb.rto)
        if is_waiting and tcb.snd_una < tcb.snd_nxt and is_outstanding(branch, control.snd_una):
            is_waiting = False
    if not is_waiting or rto == 0:
        control.retransmit_at = NEVER
    elif control.retransmit_at == NEVER:
        control.retransmit_at = now + compute_backoff(rto, control.retries)


def tick(control: Control, now: Micros) -> None:
    """The connection's own clocks."""
    if control.orphan_at <= now:
        control.orphan_at = NEVER
        give_up(control, now)
    if control.retransmit_at <= now and control.state is State.FASTCLOSE_WAIT:
        abort.expire(control, now)
    elif control.retransmit_at <= now:
        control.retransmit_at = NEVER
        control.retries += 1
        control.unanswered += 1
        control.journal.note(now, control.name, "data-level retransmission", str(control.snd_una))
        if control.unanswered > control.choices.retransmissions:
            give_up(control, now)
        elif is_unheard(control):
            # [R8684-3.7-06] the acknowledgment had no DSS: options are taken out by now, or the peer
            # fell back; data sent again would be taken for new
            leave(control, control.branches[0], "no Data ACK any more", now)
            if control.mode is Mode.PLAIN:
                advance(control, take_plain_ack(control, control.branches[0]), now)
        elif control.snd_una == control.snd_fin:
            control.fin_now = True
            if control.is_initiator and not control.is_confirmed:
                # silence is no evidence: the key goes again, and then a question that TCP answers
                control.has_sent_key = False
                control.is_asking = True
                for branch in control.branches:
                    branch.subflow.ask()
        else:
            remap_missing(control)  # [R8684-3.3.6-03] [R8684-3.3.1-05] under a new mapping


def is_unheard(control: Control) -> bool:
    """Whether text is acknowledged on the only subflow, and no longer with Data ACKs."""
    is_text_out = control.snd_una < min(control.snd_nxt, control.snd_queue.end)
    return is_text_out and len(control.branches) == 1 and control.branches[0].is_quiet


def give_up(control: Control, now: Micros) -> None:
    """Nothing was heard of the peer for too long; where only its FIN is missing, no harm is done."""
    if control.state in OVER:
        for branch in control.branches:
            branch.subflow.abort("", now)
        if control.state is State.M_TIME_WAIT and not control.branches:
            move(control, Signal.SUBFLOWS_CLOSED, now)
        return
    control.error = "timed out"
    control.is_aborting = True
    for branch in control.branches:
        branch.subflow.abort("timed out", now)
    move(control, Signal.END, now)
