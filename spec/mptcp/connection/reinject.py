"""When a subflow fails, its data goes elsewhere; nothing else changes at data level (RFC 8684 §3.3.6)."""

from typing import Final

from mptcp.connection import reasons
from mptcp.connection.control import Branch, Control, Mode
from mptcp.connection.join import move
from mptcp.connection.joining import Joining, Signal
from mptcp.connection.mapping import Run
from mptcp.connection.state import MAY_CARRY
from mptcp.events import SubflowClosed
from mptcp.parameters import REASON_PERFORMANCE
from mptcp.subflow.control import NEVER, NO_OFFSET
from mptcp.subflow.state import State as SubflowState
from mptcp.subflow.transmit import may_send_text
from mptcp.values import Micros

ADDRESS_REMOVED: Final = "address removed"
CROSSED: Final = "the peer opens it"
OWN_DOING: Final = (ADDRESS_REMOVED, CROSSED)  # says nothing of the path


def is_usable(branch: Branch) -> bool:
    """Whether text may be given to this subflow, now or when its windows allow."""
    tcb = branch.subflow.tcb
    return (
        branch.joining is Joining.ESTABLISHED  # [R8684-3.2-21]
        and may_send_text(tcb)
        and tcb.snd_fin == NO_OFFSET
        and not branch.is_closing
    )


def is_stale(control: Control, branch: Branch) -> bool:
    """Whether the subflow has been silent for so many timeouts that the others go on without it."""
    return branch.subflow.tcb.retries >= control.choices.stale_after


def is_spare(branch: Branch) -> bool:
    """Whether it carries data only when no other can; either side may have asked for it."""
    return branch.is_backup or branch.wants_backup  # [R8684-3.3.8-08]


def is_outstanding(branch: Branch, offset: int) -> bool:
    """Whether the subflow has the data at data offset ``offset`` in flight."""
    una = branch.subflow.tcb.snd_una
    if branch.subflow.tcb.state is SubflowState.CLOSED:
        return False
    for run in branch.sent:
        if run.dsn <= offset < run.dsn + run.length and run.end > una:
            return True
    return False


def remap(control: Control, run: Run) -> None:
    """The data of ``run``, as far as it is not acknowledged at data level, is to be mapped again."""
    control.again.add(max(run.dsn, control.snd_una), run.dsn + run.length)


def remap_missing(control: Control) -> None:
    """All data that is not acknowledged, and that no subflow has in flight."""
    control.again.add(control.snd_una, min(control.snd_nxt, control.snd_queue.end))
    for branch in control.branches:
        una = branch.subflow.tcb.snd_una
        if branch.subflow.tcb.state is not SubflowState.CLOSED:
            for run in branch.sent:
                if run.end > una:
                    control.again.remove(run.dsn, run.dsn + run.length)


def hand_over(control: Control, now: Micros) -> None:
    """After a timeout the others take what this subflow has in flight [R8684-3.3.6-07].

    It goes on trying itself [R8684-3.3.6-01], for as long as any TCP would. Once it is answered again,
    what has not gone elsewhere by then is its own business again.
    """
    for branch in control.branches:
        tcb = branch.subflow.tcb
        if tcb.retries == 0 and control.again and branch.handed > tcb.snd_una:
            branch.handed = tcb.snd_una
            for run in branch.sent:
                if run.end > tcb.snd_una:
                    control.again.remove(run.dsn, run.dsn + run.length)
        if tcb.retries == 0 or branch.handed >= tcb.snd_queue.end or not branch.sent:
            continue
        if not any(is_usable(other) and other is not branch for other in control.branches):
            continue
        control.journal.note(now, control.name, "reinjection after a timeout", tcb.name)
        for run in branch.sent:
            if run.end > branch.handed and run.end > tcb.snd_una:
                remap(control, run)
        branch.handed = tcb.snd_queue.end


def abandon(control: Control, now: Micros) -> None:
    """A subflow that others do without is given up before TCP would [R8684-3.3.6-08] [R8684-3.3.6-10].

    A new one finds out sooner than a timer that has backed off whether the path is there again; and what
    it would send again by then has gone by the others [R8684-3.3.2-08].
    """
    for branch in control.branches:
        tcb = branch.subflow.tcb
        if tcb.retries < control.choices.give_up_after or not is_usable(branch):
            continue
        for other in control.branches:
            if is_usable(other) and not is_stale(control, other):
                control.journal.note(now, control.name, "subflow given up", tcb.name)
                branch.reset_reason = REASON_PERFORMANCE  # [R8684-3.3.6-11] [R8684-3.6-16]
                branch.subflow.abort("timed out", now)
                break


def lose(control: Control, branch: Branch, now: Micros) -> None:
    """A subflow is over, in whatever way: what it had in flight is dropped there [R8684-3.3.6-09].

    The pair of addresses rests for a while, longer each time [R8684-3.9.3-07] [R8684-3.9.2-04]; after a
    join that failed, until the peer announces the address again [R8684-3.4.1-24] [R8684-3.9.3-05], unless
    no other subflow is left; after a RST that called the error permanent, even then.
    """
    branch.is_lost = True
    branch.check_at = NEVER
    branch.join_at = NEVER
    branch.signal_at = NEVER
    if control.mode is not Mode.MULTIPATH:
        return
    book = control.book
    tcb = branch.subflow.tcb
    was_part = branch.joining is Joining.ESTABLISHED
    if was_part:
        for run in branch.sent:
            remap(control, run)
        if control.state in MAY_CARRY:
            four = (tcb.local, tcb.local_port, tcb.remote, tcb.remote_port)
            control.partings.append(SubflowClosed(control.handle, *four, tcb.error))
    else:
        if branch.joining is not Joining.FAILED:
            move(control, branch, Signal.FAULT, now)
        if tcb.error not in OWN_DOING:
            book.failures += 1
    branch.sent.clear()
    is_last = not any(is_usable(other) for other in control.branches)
    rest = reasons.compute_rest(branch.peer_reason, book.failures)
    if is_last:
        for pair, until in book.rests.items():
            if until == NEVER:
                book.rests[pair] = now + rest
    pair = (branch.local_id, branch.remote_id)
    if branch.is_barred and pair not in book.barred:
        book.barred.append(pair)  # [R8684-3.6-08]
    if (branch.opened_here or was_part) and tcb.error != CROSSED:
        is_passing = branch.peer_reason != NO_OFFSET and not branch.is_barred  # [R8684-3.6-06]
        book.rests[pair] = now + rest if was_part or is_last or is_passing else NEVER
    book.is_due = True


def bury(control: Control) -> None:
    """Forget subflows that are over, while the connection goes on without them.

    Not what the peer takes for alive while there is nothing else: a RST would end the connection there.
    """
    if control.state not in MAY_CARRY:
        return
    kept: list[Branch] = []
    is_alone = not any(is_usable(branch) for branch in control.branches)
    for branch in control.branches:
        tcb = branch.subflow.tcb
        if branch.is_forsaken and is_alone:
            kept.append(branch)
        elif branch.is_lost and not tcb.reset_now and (control.mode is Mode.MULTIPATH or not branch.is_first):
            control.gone.append((tcb.local, tcb.local_port, tcb.remote, tcb.remote_port))
            control.buried_retrans += tcb.octets_retransmitted
        else:
            kept.append(branch)
    control.branches = kept
