"""Back to plain TCP: the infinite mapping, MP_FAIL (RFC 8684 §3.7)."""

from typing import Final

from mptcp.connection.control import Branch, Control, Mode
from mptcp.connection.joining import Joining
from mptcp.connection.mapping import Run
from mptcp.connection.spans import Spans
from mptcp.numbers import compute_offset_64
from mptcp.parameters import MILLISECOND, REASON_MIDDLEBOX
from mptcp.subflow.control import NEVER, NO_OFFSET
from mptcp.values import Micros

INFINITE: Final = 1 << 62  # octets; the length of a mapping that ends with its subflow
NO_DATA_AGAIN: Final = 200 * MILLISECOND  # µs; no data-level clock is shorter: Linux's; ours


def fall_back(control: Control, reason: str, now: Micros) -> None:
    """Plain TCP from here on, for ever [R8684-3.7-30]; ``reason`` is for people.

    Nobody is asked: the stream goes on. [R8684-1.1-03] [R8684-3.7-01] [R8684-3.7-02] [R8684-6-02]
    """
    if control.mode is Mode.PLAIN:
        return
    control.journal.note(now, control.name, "fallback", reason)
    control.mode = Mode.PLAIN
    control.reason = reason
    control.retransmit_at = NEVER
    control.fin_now = False
    # a DATA_FIN that was sent is taken back: the FIN says it now
    control.snd_nxt = min(control.snd_nxt, control.snd_queue.end)
    control.again = Spans()


def compute_send_shift(control: Control, branch: Branch) -> int:
    """What to add to a subflow offset of text we send to get its data offset, in plain TCP."""
    return control.snd_nxt - branch.subflow.tcb.snd_queue.end


def compute_receive_shift(control: Control, branch: Branch) -> int:
    """What to add to a subflow offset of text we receive to get its data offset, in plain TCP."""
    return control.rcv_nxt - branch.inbound.start


def is_alone(control: Control, branch: Branch) -> bool:
    """Whether no other subflow is part of the connection; those that are still joining are not."""
    for other in control.branches:
        if other is not branch and other.joining is Joining.ESTABLISHED and not other.is_lost:
            return False
    return True


def is_contiguous(control: Control, branch: Branch) -> bool:
    """Whether all that is unacknowledged lies in one line on this, the only subflow (RFC 8684 §3.7).

    Then the infinite mapping can stand for it, and only then.
    """
    end = min(control.snd_nxt, control.snd_queue.end)  # a DATA_FIN takes no place on the subflow
    if not is_alone(control, branch) or control.again:
        return False
    shift = end - branch.subflow.tcb.snd_queue.end
    return all(run.dsn - run.ssn == shift for run in branch.sent)


def take_first_mapping(branch: Branch, now: Micros) -> None:
    """A mapping came on this subflow: from now on text without one waits for it.

    For a while such text is new all the same. A peer sends data again after it waited in vain for a Data
    ACK, and not even of the first data can it have missed one by then.
    """
    if not branch.has_mapping:
        branch.has_mapping = True
        branch.fresh_until = now + max(NO_DATA_AGAIN, 2 * branch.subflow.tcb.srtt)


def is_waiting_for_mapping(branch: Branch) -> bool:
    """Whether text came without mapping on a subflow that had some, and nothing mapped behind it."""
    return branch.has_mapping and len(branch.inbound) > 0 and not branch.received


def is_ambiguous(branch: Branch) -> bool:
    """Whether nobody knows where the text that waits belongs.

    It may be the second copy of what the peer missed a Data ACK for [R8684-3.7-11], unless all of it came
    too early for that: then its peer has left MPTCP before us.
    """
    return is_waiting_for_mapping(branch) and (branch.is_late or not branch.is_first)


def is_doubtful(control: Control, branch: Branch, now: Micros) -> bool:
    """Whether text that comes now may be such a second copy, although we left MPTCP.

    Where only the peer's options got lost it did not leave before us, and until it has our infinite
    mapping it waits for Data ACKs of the text that waited here.
    """
    is_told = control.infinite == NO_OFFSET
    return branch.is_early and not is_told and now > branch.fresh_until and not branch.received


def has_gap(control: Control, branch: Branch) -> bool:
    """Whether text that the subflow acknowledged was not taken as data: it would be missing for ever.

    It was outside the window, or without mapping; in MPTCP the peer hears no Data ACK and sends it again.
    """
    return branch.has_mapping and branch.inbound.start + branch.line > control.rcv_nxt


def start_infinite(control: Control, branch: Branch, reason: str, now: Micros) -> None:
    """We leave MPTCP: our next text says so by a mapping of length 0 [R8684-3.7-10] [R8684-3.7-20]."""
    if control.mode is not Mode.MULTIPATH:
        return
    if not is_contiguous(control, branch):
        break_off(control, branch, now)  # [R8684-3.7-23]
        return
    fall_back(control, reason, now)
    control.infinite = branch.subflow.tcb.snd_queue.end
    for other in control.branches:
        if other is not branch:
            # [R8684-3.7-29] whatever was joining: there is nothing left to join
            other.subflow.abort("reset", now)


def leave(control: Control, branch: Branch, reason: str, now: Micros) -> None:
    """We leave MPTCP because of what we saw ourselves; the peer may hear of it later, or never."""
    if control.mode is Mode.MULTIPATH and (is_ambiguous(branch) or has_gap(control, branch)):
        break_off(control, branch, now)
        return
    branch.is_early = is_waiting_for_mapping(branch)
    start_infinite(control, branch, reason, now)
    control.is_alone = control.mode is Mode.PLAIN


def distrust(control: Control, branch: Branch, reason: str, now: Micros) -> None:
    """Options do not get through here: that ends a subflow which joined [R8684-3.7-07], whatever others
    there are, and MPTCP on the first one.
    """
    if branch.is_first:
        leave(control, branch, reason, now)
    else:
        break_off(control, branch, now)


def break_off(control: Control, branch: Branch, now: Micros) -> None:
    """The subflow ends: no mapping could stand for what is on it.

    Its RST says what is to blame [R8684-3.7-08].
    """
    branch.reset_reason = REASON_MIDDLEBOX
    branch.subflow.abort("reset", now)


def take_fail(control: Control, branch: Branch, number: int, now: Micros) -> None:
    """MP_FAIL came: the peer saw our data altered on the way; it gets one back [R8684-3.7-22].

    It names data that the peer has not acknowledged, or it is not the peer's: nothing else vouches for
    it. The answer to our own may name anything. Among several subflows only the one it came on ends, and
    its data goes by the others [R8684-3.7-15] [R8684-3.7-17].
    """
    if control.mode is not Mode.MULTIPATH:
        return
    dsn = compute_offset_64(control.local_idsn, number)
    if not branch.has_sent_fail and not control.snd_una <= dsn <= control.snd_nxt:
        control.journal.note(now, control.name, "MP_FAIL of no data that is out")
        return
    control.journal.note(now, control.name, "MP_FAIL received")
    if not is_contiguous(control, branch) or (not branch.has_sent_fail and has_gap(control, branch)):
        break_off(control, branch, now)  # [R8684-3.7-23]
        return
    if branch.has_sent_fail:
        branch.received.clear()  # what failed is not asked for any more
    else:
        branch.has_sent_fail = True
        branch.fail_dsn = control.rcv_nxt
        branch.subflow.acknowledge()
    start_infinite(control, branch, "MP_FAIL", now)
    control.is_alone = True  # until its own infinite mapping says otherwise


def take_checksum_failure(control: Control, branch: Branch, dsn: int, now: Micros) -> None:
    """The data from data offset ``dsn`` on is not what was sent [R8684-3.7-13] [R8684-6-09].

    On the only subflow, in line, MP_FAIL asks for the infinite mapping [R8684-3.7-19]; until it
    comes nothing is acknowledged at data level [R8684-3.7-18]. Otherwise the subflow ends [R8684-3.7-15].
    """
    if branch.has_sent_fail:
        return
    control.journal.note(now, control.name, "checksum failure", str(dsn))
    branch.has_sent_fail = True
    branch.fail_dsn = dsn
    if is_alone(control, branch) and dsn == control.rcv_nxt:
        branch.subflow.acknowledge()
    else:
        # [R8684-3.7-23] not in line; [R8684-3.7-24] [R6824-3.6-02] what the subflow held goes with it
        break_off(control, branch, now)


def take_infinite(control: Control, branch: Branch, ssn: int, dsn: int, now: Micros) -> None:
    """A mapping of length 0 came: it says where all text of the subflow belongs [R8684-3.7-21].

    Where no data of this stream could be, it is not the peer's.

    What waited for a mapping or a checksum is taken as it is, as plain TCP would. After a checksum
    failed the subflow's numbers are no longer the peer's, and data goes on from rcv_nxt.
    """
    if not control.rcv_nxt - control.choices.receive_buffer <= dsn <= control.rcv_edge:
        control.journal.note(now, control.name, "infinite mapping from nowhere")
        return
    control.journal.note(now, control.name, "infinite mapping received")
    branch.received.clear()
    if not branch.has_sent_fail:
        branch.fail_dsn = NO_OFFSET
        start = branch.inbound.start
        first = dsn + start - ssn
        if first > control.rcv_nxt or (control.checksum and first != control.rcv_nxt):
            # data is missing, or this mapping was altered: it has no checksum of its own
            break_off(control, branch, now)
            return
        branch.received.append(Run(start, first, INFINITE, 0, None))
    start_infinite(control, branch, "infinite mapping", now)


def urge(control: Control, branch: Branch) -> None:
    """All that was written is urgent (RFC 9293 §3.8.5) [R9293-3.8.5-01] [R9293-3.8.5-02]."""
    control.snd_up = control.snd_queue.end
    branch.subflow.urge(control.snd_up - compute_send_shift(control, branch))


def take_urgent(control: Control, branch: Branch) -> None:
    """How far the peer's urgent data goes, in plain TCP [R9293-3.8.5-03]."""
    if branch.subflow.tcb.rcv_up > 0:
        control.rcv_up = max(
            control.rcv_up, branch.subflow.tcb.rcv_up + compute_receive_shift(control, branch)
        )


def take_plain_ack(control: Control, branch: Branch) -> int:
    """In plain TCP the subflow's acknowledgment frees the data [R8684-3.7-27]: the data offset it reaches."""
    tcb = branch.subflow.tcb
    if control.infinite != NO_OFFSET and tcb.snd_una > control.infinite:
        control.infinite = NO_OFFSET  # text that said it has arrived
    return min(tcb.snd_una, tcb.snd_queue.end) + compute_send_shift(control, branch)
