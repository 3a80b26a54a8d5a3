"""MP_JOIN: another subflow becomes part of the connection (RFC 8684 §3.2).

Both roles: who opens it is Host A of the RFC for this subflow, whoever opened the first one
[R8684-3.2-01]. Every packet of the handshake carries MP_JOIN [R8684-3.2-02], which proves that the two
ends are those of the connection, that the new address is theirs, and that all this is fresh [R8684-5-01].
"""

from typing import Final

from mptcp.connection import reasons
from mptcp.connection.control import Branch, Control, Mode
from mptcp.connection.joining import TRANSITIONS, Joining, Signal
from mptcp.connection.state import MAY_CARRY
from mptcp.keys import compute_join_hmac, is_equal
from mptcp.parameters import REASON_MPTCP, REASON_PROHIBITED, REASON_RESOURCES, STRANGERS
from mptcp.subflow.arrival import Arrival
from mptcp.subflow.arrive import compute_reset
from mptcp.subflow.control import NEVER
from mptcp.subflow.state import SYNCHRONIZED, State
from mptcp.subflow.timers import compute_backoff
from mptcp.values import Address, FourTuple, Micros
from mptcp.wire.handshake import (
    ACK_HMAC,
    SYN_ACK_HMAC,
    CapableSyn,
    CapableSynV0,
    JoinAck,
    JoinSyn,
    JoinSynAck,
)
from mptcp.wire.options import Option
from mptcp.wire.segment import ACK, SYN, Segment

TOO_MANY_HALF_OPEN: Final = "as many half-open joins as there may be"
OPENING: Final = (Joining.WAITING, Joining.ANSWERED, Joining.PRE_ESTABLISHED)


def move(control: Control, branch: Branch, signal: Signal, now: Micros) -> None:
    """The one place that writes ``joining`` after birth."""
    before = branch.joining
    branch.joining = TRANSITIONS[before][signal]
    control.journal.note_move(now, branch.subflow.tcb.name, signal, before, branch.joining)
    branch.join_at = NEVER
    if branch.joining is Joining.ESTABLISHED:
        control.book.was_joined = True
        control.book.failures = 0
        control.book.is_due = True


# -- whether one is let in --------------------------------------------------------------------


def find_join(segment: Segment) -> JoinSyn | None:
    """The MP_JOIN of a SYN, if it has one."""
    if segment.flags & (SYN | ACK) != SYN:
        return None
    join: JoinSyn | None = None
    for option in segment.options:
        if isinstance(option, (CapableSyn, CapableSynV0)):
            return None  # both make no sense: the handshake becomes plain TCP
        if isinstance(option, JoinSyn):
            join = option
    return join


def count_open(control: Control) -> int:
    """Subflows that are there or begin; one that ends makes room, and may be replaced [R8684-3.9.2-03]."""
    count = 0
    for branch in control.branches:
        if not branch.is_lost and not branch.is_closing and branch.subflow.tcb.state is not State.CLOSED:
            count += 1
    return count


def find_objection(control: Control, four: FourTuple) -> str:
    """Why the owner of our token may not join from ``four``; empty when it may [R8684-3.2-14].

    That our own initial address is not to be joined was said with flag C [R8684-3.1-37].
    """
    if control.mode is not Mode.MULTIPATH or not control.is_confirmed:
        return "not spoken here"
    if control.state not in MAY_CARRY:
        return "nothing left to carry"
    if not control.choices.join_initial_address and four[:2] == control.first[:2]:
        return "flag C"
    half = 0
    for branch in control.branches:
        if not branch.is_lost and branch.joining is Joining.ANSWERED:
            half += 1
    limit = control.choices.subflows
    # those that end take memory, too: of them there may be as many again
    if count_open(control) >= limit or len(control.branches) >= 2 * limit:
        return "as many subflows as there may be"
    if half >= control.choices.half_open_joins:
        return TOO_MANY_HALF_OPEN
    if control.book.strangers.get(four[2], 0) >= control.choices.failed_joins:
        return "too many joins from there were wrong"  # [R8684-3.9.3-04]
    return ""


def find_reason(objection: str) -> int:
    """What MP_TCPRST says to a SYN with ``objection``: empty where the token is nobody's.

    [R8684-3.2-24] [R8684-3.2-14] [R8684-3.2-25] [R8684-3.6-14] [R8684-3.8-01]
    """
    if not objection:
        return REASON_MPTCP
    return REASON_RESOURCES if objection == TOO_MANY_HALF_OPEN else REASON_PROHIBITED  # [R8684-3.6-13]


def refuse(segment: Segment, reason: int) -> Segment | None:
    """The RST for a joining SYN, with MP_TCPRST.

    A SYN whose MP_JOIN was taken out does not come here: a listener takes it for another connection, or
    TCP refuses it [R8684-3.2-32].
    """
    reset = compute_reset(segment)
    if reset is None:
        return None
    return Segment(
        reset.source,
        reset.destination,
        reset.source_port,
        reset.destination_port,
        reset.sequence,
        reset.acknowledgment,
        reset.flags,
        0,
        0,
        (reasons.make(reason),),
        (),
    )


# -- what we say ------------------------------------------------------------------------------


def compute_own_hmac(control: Control, branch: Branch) -> bytes:
    """What proves that we know both keys, for these two nonces and no others [R8684-3.2-23] [R8684-5-09]."""
    nonces = (branch.local_nonce, branch.remote_nonce)
    return compute_join_hmac(control.local_key, control.remote_key, *nonces, control.version)


def compute_peer_hmac(control: Control, branch: Branch) -> bytes:
    """What the peer has to prove [R8684-3.2-23]."""
    nonces = (branch.remote_nonce, branch.local_nonce)
    return compute_join_hmac(control.remote_key, control.local_key, *nonces, control.version)


def compute_syn_option(control: Control, branch: Branch) -> Option:
    """MP_JOIN of our SYN or SYN/ACK: [R8684-3.2-04] the peer's token, [R8684-3.2-06] our Address ID.

    Flag B asks for our own direction; that of the SYN/ACK is no echo [R8684-3.2-12].
    """
    if branch.opened_here:
        return JoinSyn(branch.wants_backup, branch.local_id, control.remote_token, branch.local_nonce)
    hmac = compute_own_hmac(control, branch)[:SYN_ACK_HMAC]  # [R8684-3.2-13]
    return JoinSynAck(branch.wants_backup, branch.local_id, hmac, branch.local_nonce)


def compute_ack_option(control: Control, branch: Branch) -> Option:
    """MP_JOIN of the third packet, and of each one until the fourth has come [R8684-3.2-19]."""
    return JoinAck(compute_own_hmac(control, branch)[:ACK_HMAC])


# -- what the peer says -----------------------------------------------------------------------


def take_syn(branch: Branch, join: JoinSyn) -> None:
    """The SYN that we answer."""
    branch.remote_nonce = join.nonce
    branch.is_backup = join.backup


def settle(control: Control, branch: Branch, before: State, arrival: Arrival, now: Micros) -> None:
    """A segment that TCP accepted came on a subflow that is not the first; a step of its handshake?"""
    joining = branch.joining
    state = branch.subflow.tcb.state
    if joining is Joining.WAITING:
        take_syn_ack(control, branch, state, arrival, now)
    elif joining is Joining.ANSWERED and before is State.SYN_RECEIVED and state in SYNCHRONIZED:
        take_third(control, branch, arrival, now)
    elif joining is Joining.PRE_ESTABLISHED and before in SYNCHRONIZED:
        # [R8684-3.2-20] the fourth packet, or anything that says that the third has come
        move(control, branch, Signal.ACK, now)
    elif joining is Joining.ESTABLISHED and not branch.opened_here:
        for option in arrival.options:
            if isinstance(option, JoinAck):
                branch.subflow.acknowledge()  # the fourth packet was lost [R8684-3.2-18]


def take_syn_ack(control: Control, branch: Branch, state: State, arrival: Arrival, now: Micros) -> None:
    """The SYN/ACK, which must have MP_JOIN with the right HMAC [R8684-3.2-26] [R8684-3.2-30].

    Without, the option was taken out on the way [R8684-3.7-03], and the other end, if there is one, thinks
    that this is a connection of its own [R8684-3.2-31]; or our token is that of two of its connections
    [R8684-3.1-16].
    """
    for option in arrival.options:
        if isinstance(option, JoinSynAck) and state is State.ESTABLISHED:
            branch.remote_nonce = option.nonce
            if is_equal(option.hmac, compute_peer_hmac(control, branch)[:SYN_ACK_HMAC]):
                branch.is_backup = option.backup
                branch.remote_id = option.address_id
                move(control, branch, Signal.SYN_ACK, now)
                branch.join_at = now + branch.subflow.tcb.rto
                return
    fail(control, branch, "no MP_JOIN, or not the right one, on the SYN/ACK", now)


def take_third(control: Control, branch: Branch, arrival: Arrival, now: Micros) -> None:
    """The third packet, which must prove that whoever joins knows the keys [R8684-3.2-28] [R8684-3.7-03].

    Whoever guesses has one attempt for each nonce [R8684-3.2-17].
    """
    for option in arrival.options:
        if isinstance(option, JoinAck) and is_equal(
            option.hmac, compute_peer_hmac(control, branch)[:ACK_HMAC]
        ):
            move(control, branch, Signal.JOIN_ACK, now)
            branch.subflow.acknowledge()  # [R8684-3.2-18] at once
            return
    note_stranger(control, branch.subflow.tcb.remote)
    fail(control, branch, "no MP_JOIN, or not the right one, on the ACK", now)


def note_stranger(control: Control, address: Address) -> None:
    """Somebody at ``address``, who hears what we send there, does not know the keys [R8684-3.9.3-04]."""
    strangers = control.book.strangers
    if address in strangers or len(strangers) < STRANGERS:
        strangers[address] = strangers.get(address, 0) + 1


def fail(control: Control, branch: Branch, why: str, now: Micros) -> None:
    """RST with MP_TCPRST, and nothing else happens to the connection.

    [R8684-3.2-27] [R8684-3.9.3-03] [R8684-6-03]
    """
    control.journal.note(now, branch.subflow.tcb.name, "join failed", why)
    move(control, branch, Signal.FAULT, now)
    branch.reset_reason = REASON_MPTCP
    branch.subflow.abort("reset", now)


def tick(control: Control, branch: Branch, now: Micros) -> None:
    """The third packet goes again, until the fourth comes [R8684-3.2-19]."""
    if branch.join_at <= now:
        branch.join_tries += 1
        if branch.join_tries > control.choices.syn_attempts:
            fail(control, branch, "no answer to the ACK with MP_JOIN", now)
            return
        branch.join_at = now + compute_backoff(branch.subflow.tcb.rto, branch.join_tries)
        branch.subflow.acknowledge()
