"""From subflow order to data order (RFC 8684 §3.3.1, §3.3.4)."""

from typing import Final

from mptcp.connection.acknowledge import move
from mptcp.connection.control import Branch, Control, Mode
from mptcp.connection.fallback import (
    compute_receive_shift,
    is_doubtful,
    take_checksum_failure,
    take_first_mapping,
    take_infinite,
)
from mptcp.connection.mapping import Run, add, find, is_allowed, is_overlapping, release
from mptcp.connection.state import Signal, State
from mptcp.keys import compute_dss_checksum
from mptcp.numbers import (
    MASK_32,
    compute_offset_32,
    compute_offset_64,
    compute_signed_32,
    compute_wire_64,
)
from mptcp.parameters import CRUMB, REASON_MIDDLEBOX, REASON_MPTCP
from mptcp.subflow.arrival import Arrival
from mptcp.subflow.control import NO_OFFSET
from mptcp.values import Micros, Text
from mptcp.wire.dss import Dss, Mapping

MAPPINGS_AHEAD: Final = 16  # of text in no segment yet; ours
DATA_FIN_TAKEN: Final = (State.M_ESTAB, State.M_FINWAIT_1, State.M_FINWAIT_2)


def compute_dsn(control: Control, mapping: Mapping) -> int:
    """The data offset at which ``mapping`` starts, whatever its width [R8684-3.3.1-24]."""
    if mapping.wide:
        return compute_offset_64(control.remote_idsn, mapping.dsn)
    return compute_offset_32(control.remote_idsn & MASK_32, mapping.dsn, control.rcv_nxt)


def compute_ssn(branch: Branch, mapping: Mapping) -> int:
    """The subflow offset at which ``mapping`` starts: SSN counts from the SYN.

    [R8684-3.3.1-08] [R8684-6-08]
    """
    near = branch.subflow.tcb.rcv_nxt
    return near + compute_signed_32(mapping.ssn + branch.subflow.tcb.rcv_syn - near)


def compute_text_length(mapping: Mapping) -> int:
    """Octets of text that ``mapping`` is about: a DATA_FIN takes one of its numbers [R8684-3.3.3-03]."""
    return mapping.length - 1 if mapping.fin else mapping.length


def take_mapping(control: Control, branch: Branch, mapping: Mapping, arrival: Arrival, now: Micros) -> None:
    """A DSS mapping came: infinite, of text, of a DATA_FIN, or both of these."""
    heard = branch.heard
    if heard is not None and is_same_mapping(heard, mapping):
        return  # fast path: it is said again on each segment that it covers
    if mapping.length == 0:
        # [R8684-3.3.1-33]
        take_infinite(control, branch, compute_ssn(branch, mapping), compute_dsn(control, mapping), now)
        return
    checksum = mapping.checksum
    if (checksum is not None) != control.checksum:
        if control.checksum or control.version > 0:
            # [R8684-3.3-09] [R8684-3.3-10] either is a broken agreement
            reset(control, branch, REASON_MPTCP, "checksum presence", now)  # [R8684-3.3-11]
            return
        checksum = None  # [R6824-3.3-01]
    take_first_mapping(branch, now)
    control.is_peer_wide = control.is_peer_wide or mapping.wide
    dsn = compute_dsn(control, mapping)
    length = compute_text_length(mapping)
    if mapping.fin:
        if length == 0 and not is_fin_intact(control, mapping, dsn):
            return
        take_data_fin(control, branch, dsn + length)
    if length > 0:
        run = Run(compute_ssn(branch, mapping), dsn, length, mapping.length, checksum)
        if take_run(control, branch, run, arrival, now) and not mapping.fin:
            branch.heard = mapping


def is_same_mapping(one: Mapping, other: Mapping) -> bool:
    """Whether the same was said twice."""
    return (
        one.ssn == other.ssn
        and one.length == other.length
        and one.dsn == other.dsn
        and one.wide is other.wide
        and one.fin is other.fin
        and one.checksum == other.checksum
    )


def is_fin_intact(control: Control, mapping: Mapping, dsn: int) -> bool:
    """The checksum of a DATA_FIN without text covers the pseudo-header alone [R8684-3.3.3-05]."""
    if mapping.checksum is None or not control.checksum:
        return True
    number = compute_wire_64(control.remote_idsn, dsn)
    return is_same_checksum(compute_dss_checksum(number, mapping.ssn, mapping.length, ()), mapping.checksum)


def is_same_checksum(a: int, b: int) -> bool:
    """Equal in ones' complement, where 0000 and ffff are both zero."""
    return a % 0xFFFF == b % 0xFFFF


def take_run(control: Control, branch: Branch, run: Run, arrival: Arrival, now: Micros) -> bool:
    """A mapping of text is kept until its text has moved on, unless it is old or a contradiction."""
    inbound = branch.inbound
    if run.end <= inbound.start or run.ssn >= branch.subflow.tcb.rcv_edge:
        return False  # of text that has moved on, or that cannot come
    is_apart = not is_overlapping(run.ssn, run.length, arrival.seq, arrival.length)
    most = MAPPINGS_AHEAD if is_apart else MAPPINGS_AHEAD + control.choices.receive_buffer // CRUMB
    if len(branch.received) >= most:
        return False  # [R8684-3.3.1-31] each belongs to text in its own segment, a few are let pass
    if run.ssn < inbound.start and run.checksum is not None:
        return False  # nobody can tell any more whether it is right
    if run.ssn < inbound.start:
        passed = inbound.start - run.ssn
        run = Run(inbound.start, run.dsn + passed, run.length - passed, run.wire_length, None)
    if not is_allowed(branch.received, run):
        reset(control, branch, REASON_MPTCP, "mapping altered", now)  # [R8684-3.3.1-04] [R8684-3.6-12]
        return False
    ahead: int = run.ssn - branch.subflow.tcb.rcv_nxt
    if ahead > run.dsn - control.rcv_nxt >= 0:
        # [R8684-3.3.4-05] a note and no more: so it is where data in between came by another subflow
        control.journal.note(now, control.name, "mapping ahead of its data")
    add(branch.received, run)
    return True


def reset(control: Control, branch: Branch, reason: int, why: str, now: Micros) -> None:
    """End the subflow, with MP_TCPRST."""
    control.journal.note(now, control.name, "subflow reset", why)
    branch.reset_reason = reason
    branch.subflow.abort("reset", now)


def take_text(control: Control, branch: Branch, text: tuple[Text, ...], now: Micros) -> None:
    """Text became readable in subflow order, or a mapping came late: move it to data level if that goes.

    Only offsets count, however segments were split, joined, copied or robbed of options on the way.
    [R8684-1.1-01] [R8684-6-01] [R8684-6-10]
    """
    inbound = branch.inbound
    if len(text) == 1 and len(inbound) == 0 and control.mode is Mode.MULTIPATH:
        start, stop = inbound.start, inbound.start + len(text[0])
        run = find(branch.received, start)
        if run is not None and stop <= run.end and run.checksum is None:
            # fast path: nothing waits, and one mapping covers it all
            branch.line = run.dsn - run.ssn
            deliver(control, start + branch.line, text)
            inbound.skip(stop - start)
            release(branch.received, stop)
            return
    if text and is_doubtful(control, branch, now):
        reset(control, branch, REASON_MIDDLEBOX, "text that may have come before", now)
        return
    for piece in text:
        inbound.append(piece)
    advance(control, branch, now)
    if text and len(inbound) > 0 and now > branch.fresh_until:
        branch.is_late = True


def take_late(control: Control, branch: Branch, arrival: Arrival, now: Micros) -> None:
    """A peer who still maps its text has not heard that we fell back: it is told once more.

    Until it knows it may send data again under other subflow numbers, and nothing but the mapping
    tells that from new data. One of data that did not come yet is no such mapping.
    """
    for option in arrival.options:
        if isinstance(option, Dss) and option.mapping is not None:
            mapping = option.mapping
            if mapping.length == 0:
                take_infinite(
                    control, branch, compute_ssn(branch, mapping), compute_dsn(control, mapping), now
                )
                control.is_alone = False  # [R8684-3.7-21] now it does
                return
            dsn = compute_dsn(control, mapping)
            if not 0 < dsn <= control.rcv_nxt:
                return
            length = compute_text_length(mapping)
            if length > 0:
                checksum = mapping.checksum if control.checksum else None
                run = Run(compute_ssn(branch, mapping), dsn, length, mapping.length, checksum)
                take_run(control, branch, run, arrival, now)
            control.is_told_again = True
            branch.subflow.acknowledge()


def advance_plain(control: Control, branch: Branch, now: Micros) -> None:
    """In plain TCP text is data from where data ends, but for what a peer mapped that did not know."""
    inbound = branch.inbound
    while len(inbound) > 0:
        release(branch.received, inbound.start)
        run = find(branch.received, inbound.start)
        start, stop = inbound.start, inbound.end
        dsn = start + compute_receive_shift(control, branch)
        if run is not None:
            if run.checksum is not None and run.end > stop:
                return  # the whole mapping is needed
            if not is_intact(control, branch, run):
                reset(control, branch, REASON_MIDDLEBOX, "a bad checksum after fallback", now)
                return
            stop = min(run.end, stop)
            dsn = run.dsn + start - run.ssn
        elif branch.received:
            stop = min(branch.received[0].ssn, stop)
        if dsn > control.rcv_nxt:
            # data before it is missing, and nothing will bring it
            reset(control, branch, REASON_MIDDLEBOX, "a gap after fallback", now)
            return
        # the subflow's window let it in, and TCP has acknowledged it
        control.rcv_edge = max(control.rcv_edge, dsn + stop - start)
        deliver(control, dsn, inbound.cut(start, stop))
        inbound.release(stop)


def advance(control: Control, branch: Branch, now: Micros) -> None:
    """Move what is mapped, and whole where a checksum must be seen first."""
    inbound = branch.inbound
    if control.mode is Mode.PLAIN:
        advance_plain(control, branch, now)
        return
    while len(inbound) > 0:
        run = find(branch.received, inbound.start)  # [R8684-3.3.1-32] whichever segment brought it
        if run is None:
            if not branch.received or branch.received[0].ssn >= inbound.end:
                # [R8684-3.3.1-18] without mapping there is no Data ACK,
                break  # [R8684-3.3.1-17] though the subflow has acknowledged
            # [R8684-3.3.1-19] mapped text has come behind it, so its own mapping was lost: the peer
            # hears no Data ACK and sends the data again [R8684-6-04]
            control.journal.note(now, control.name, "text without mapping dropped", str(inbound.start))
            inbound.release(branch.received[0].ssn)
            continue
        start, stop = inbound.start, min(run.end, inbound.end)
        if run.checksum is not None:
            if stop < run.end:
                break  # the whole mapping is needed
            if branch.fail_dsn == run.dsn:
                break  # it was seen to be bad
            if not is_intact(control, branch, run):
                take_checksum_failure(control, branch, run.dsn, now)
                break  # [R8684-3.7-17] nothing behind it is taken either
        branch.line = run.dsn - run.ssn
        deliver(control, start + branch.line, inbound.cut(start, stop))
        inbound.release(stop)
        release(branch.received, stop)
    if len(inbound) > control.choices.receive_buffer:
        # [R8684-3.3.1-20] [R8684-3.3.1-21] [R8684-3.7-11] a full window and still no mapping
        reset(control, branch, REASON_MIDDLEBOX, "no mapping", now)  # [R8684-3.7-12] [R8684-3.6-17]


def is_intact(control: Control, branch: Branch, run: Run) -> bool:
    """Whether the text of ``run``, all there, gives the checksum that came with it [R8684-3.3.1-11].

    One that was altered by somebody who mended the checksum does [R8684-3.7-31]; without checksums
    nobody looks [R8684-3.7-14].
    """
    if run.checksum is None:
        return True
    number = compute_wire_64(control.remote_idsn, run.dsn)
    text = branch.inbound.cut(run.ssn, run.end)
    ssn = run.ssn - branch.subflow.tcb.rcv_syn & MASK_32
    checksum = compute_dss_checksum(number, ssn, run.wire_length, text)
    return is_same_checksum(checksum, run.checksum)


def deliver(control: Control, dsn: int, text: tuple[Text, ...]) -> None:
    """Data from offset ``dsn`` on: kept if it is in the window and new [R8684-3.3.4-03].

    Its own number decides where it goes [R8684-3.3.1-01] [R8684-1.4-01]. Data outside the window is
    dropped [R8684-3.8-02].
    """
    limit = max(control.rcv_edge, control.rcv_nxt)
    if control.rcv_fin != NO_OFFSET:
        limit = min(limit, control.rcv_fin)
    if dsn > control.rcv_nxt and len(control.rcv_held.pieces) > control.choices.receive_buffer // CRUMB:
        limit = control.rcv_nxt  # [R8684-5-06] too many holes: without Data ACK it comes again
    if len(text) == 1 and dsn + len(text[0]) <= limit and control.rcv_held.follow(dsn, text[0]):
        control.rcv_ready.append(text[0])  # fast path: in order, and nothing waits
        control.rcv_nxt = max(control.rcv_nxt, control.rcv_held.start)
        return
    taken = 0
    for piece in text:
        stop = min(len(piece), limit - dsn)
        if stop > 0:
            # [R8684-3.3.1-06] the first copy counts and [R8684-3.3.1-07] [R8684-3.3.6-02] no later one;
            # [R8684-3.3.4-06] what lies behind a gap waits
            taken += control.rcv_held.insert(dsn, piece if stop == len(piece) else piece.cut(0, stop))
        dsn += len(piece)
    if taken:
        for piece in control.rcv_held.take():
            control.rcv_ready.append(piece)
        control.rcv_nxt = max(control.rcv_nxt, control.rcv_held.start)


def take_data_fin(control: Control, branch: Branch, offset: int) -> None:
    """The peer's data ends before data offset ``offset`` [R8684-3.3.3-03]."""
    branch.subflow.acknowledge()
    held = control.rcv_held.ranges()
    last = held[-1][1] if held else control.rcv_nxt  # data behind a DATA_FIN would make it a lie
    if control.rcv_fin == NO_OFFSET and last <= offset <= control.rcv_edge:
        control.rcv_fin = offset


def finish(control: Control, now: Micros) -> None:
    """The DATA_FIN counts once all data before it is there [R8684-3.3.3-06]."""
    if (
        control.rcv_fin != NO_OFFSET
        and control.rcv_nxt == control.rcv_fin
        and control.state in DATA_FIN_TAKEN
    ):
        control.rcv_nxt += 1  # [R8684-4-01] it takes a number of its own
        control.rcv_edge = max(control.rcv_edge, control.rcv_nxt)
        move(control, Signal.DATA_FIN, now)
