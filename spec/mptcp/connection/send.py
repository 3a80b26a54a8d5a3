"""From data order to subflow order, and the options of each segment (RFC 8684 §3.3)."""

from typing import Final

from mptcp.congestion.controller import Window
from mptcp.connection import fast, join, reasons
from mptcp.connection.addresses import is_long, take_signal
from mptcp.connection.control import Branch, Control, Mode
from mptcp.connection.fallback import compute_send_shift
from mptcp.connection.initiate import (
    compute_ack_option,
    compute_data_option,
    compute_syn_ack_option,
    compute_syn_option,
)
from mptcp.connection.joining import Joining
from mptcp.connection.mapping import Run, Said, find, release
from mptcp.connection.reinject import is_outstanding, is_spare, is_stale, is_usable
from mptcp.connection.state import State as ConnectionState
from mptcp.keys import compute_dss_checksum
from mptcp.numbers import MASK_32, compute_wire_64
from mptcp.parameters import LARGEST_MAPPING, REASON_UNSPECIFIED
from mptcp.scheduler.scheduler import Candidate
from mptcp.subflow.arrival import Kind, Plan, Terms
from mptcp.subflow.control import NO_OFFSET
from mptcp.subflow.state import State
from mptcp.values import Micros
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.endings import Fail, FastClose
from mptcp.wire.handshake import CapableAck, CapableData
from mptcp.wire.options import Option
from mptcp.wire.segment import SYN, Segment

NARROW_END: Final = 1 << 32  # data offset from which on all numbers are wide
DSS_LENGTH: Final = 28  # octets: both numbers wide, with checksum or padding; RFC 8684 §3.3 [R8684-3.3-04]


def compute_window(control: Control) -> int:
    """The connection-level receive window to announce, octets, the same on every subflow [R8684-3.3.4-01].

    One buffer serves them all [R8684-2.4-02]; as long as it is full the window is closed
    [R9293-3.8.6.1-05].
    """
    announced = control.rcv_edge - control.rcv_nxt
    free = control.choices.receive_buffer - len(control.rcv_ready)
    step = min(control.choices.receive_buffer // 2, control.choices.mtu)
    # [R9293-3.8.6.2.2-01] small steps are not worth telling; [R8684-3.3.4-02] nor is the edge moved back
    return free if free - announced >= step else max(announced, 0)


def compute_announced(window: int, free: int, shift: int) -> int:
    """``window`` octets as the field can say them: in units of 1 << ``shift`` (RFC 7323 §2.3).

    Rounded up, so that the right edge stays; but down where that would promise more than one unit over
    the ``free`` octets of the buffer, or octets that come one by one would push the edge on for ever.
    The edge that was once announced is honoured all the same [R7323-2.4-01].
    """
    unit = 1 << shift
    up = (window + unit - 1) & -unit
    return up if up <= free + unit else window & -unit


def note_window(control: Control, branch: Branch, segment: Segment) -> None:
    """Remember how far the peer may send, now that ``segment`` has told it: from the Data ACK on.

    [R8684-4-05]
    """
    shift = 0 if segment.flags & SYN else branch.subflow.tcb.rcv_shift
    control.rcv_edge = max(control.rcv_edge, control.rcv_nxt + (segment.window << shift))


# -- which data goes where --------------------------------------------------------------------


def schedule(control: Control, now: Micros) -> None:
    """Give waiting data to subflows that would send it at once; what was lost goes first."""
    if is_waiting_for_key(control):
        return
    if len(control.branches) != 1 or control.branches[0].subflow.tcb.window.total:
        couple(control)
    while control.again and schedule_again(control, now):
        pass
    while schedule_new(control, now) or rescue(control, now):
        pass


def couple(control: Control) -> None:
    """Tell the windows of the usable subflows of each other [R8684-3.3.7-01]."""
    windows: list[Window] = []
    for branch in control.branches:
        if is_usable(branch):
            windows.append(branch.subflow.tcb.window)
    control.coupling.couple(windows)


def schedule_again(control: Control, now: Micros) -> bool:
    """Map the oldest of what is to go again, where it is not in flight; whether it went."""
    start, stop = control.again.spans[0]
    index, length = choose(control, stop - start, stop - start, start, now)
    if index < 0:
        return False
    assign(control, control.branches[index], start, length)
    control.again.remove(start, start + length)
    return True


def schedule_new(control: Control, now: Micros) -> bool:
    """Map the oldest data that never was; whether any went."""
    offset = control.snd_nxt
    waiting = control.snd_queue.end - offset
    if waiting <= 0:
        return False
    allowed = waiting
    if control.mode is Mode.MULTIPATH:
        allowed = min(waiting, control.snd_edge - offset)  # [R8684-3.3.5-05]
    index, length = choose(control, waiting, allowed, NO_OFFSET, now)
    if index < 0:
        return False
    assign(control, control.branches[index], offset, length)
    control.snd_nxt = offset + length
    return True


def rescue(control: Control, now: Micros) -> bool:
    """The window is full because of a slow subflow: the oldest data goes on a faster one as well.

    Opportunistic retransmission and penalisation (Raiciu et al., NSDI 2012): once for each octet, and
    once for each round trip of the slow subflow. Whether any went.
    """
    una = control.snd_una
    if (
        len(control.branches) < 2
        or not control.choices.opportunistic
        or control.mode is not Mode.MULTIPATH
        or control.snd_nxt < control.snd_edge
        or control.snd_queue.end <= control.snd_nxt
        or control.rescued > una
        or control.again
    ):
        return False
    for branch in control.branches:
        for run in branch.sent:
            if run.dsn <= una < run.dsn + run.length and is_outstanding(branch, una):
                stop = run.dsn + run.length
                index, length = choose(control, stop - una, stop - una, una, now)
                if index < 0 or 2 * control.branches[index].subflow.tcb.srtt > branch.subflow.tcb.srtt:
                    return False  # none is free that is faster by far
                control.rescued = una + length
                control.journal.note(now, control.name, "opportunistic retransmission", str(una))
                penalise(control, branch, now)
                assign(control, control.branches[index], una, length)
                return True
    return False


def penalise(control: Control, branch: Branch, now: Micros) -> None:
    """Halve the window of a subflow that holds the others up, once in a round trip."""
    tcb = branch.subflow.tcb
    if control.choices.penalise and now >= branch.penalised_at:
        branch.penalised_at = now + tcb.srtt
        tcb.window.cwnd = max(tcb.window.cwnd // 2, 2 * tcb.window.mss)
        tcb.window.ssthresh = tcb.window.cwnd


def is_waiting_for_key(control: Control) -> bool:
    """One mapping rides on MP_CAPABLE; the second waits until the keys are known to be there.

    A DSS that overtakes the third packet would find a listener without our key. [R8684-3.7-04]
    """
    if control.mode is Mode.OPENING:
        return True
    if control.version == 0:
        # [R6824-3.6-01] the third packet has no room for a mapping; it goes first, and alone
        return control.mode is Mode.MULTIPATH and control.is_initiator and not control.has_sent_key
    if control.mode is Mode.PLAIN or not control.is_initiator or control.is_confirmed:
        return False
    if not control.branches:
        return True
    return control.snd_nxt > 1 + control.branches[0].subflow.tcb.snd_syn


def choose(control: Control, waiting: int, allowed: int, offset: int, now: Micros) -> tuple[int, int]:
    """The subflow and the number of octets for the next mapping; -1 where none may go.

    ``allowed`` is what the connection's window has room for; the subflow's own counts as well
    [R8684-6-11]. Where only a window that is too small holds
    everything back, idle subflows start the clock of the probe that asks [R9293-3.8.6.1-01]. ``offset``
    is that of data which goes again, and not where it is in flight; else NO_OFFSET.
    """
    overhead, longest = (DSS_LENGTH, LARGEST_MAPPING) if control.mode is Mode.MULTIPATH else (0, 0)
    suited = find_suited(control, offset)
    candidates: list[Candidate] = []
    rooms: list[int] = []
    for index in suited:
        branch = control.branches[index]
        is_probe = branch.subflow.tcb.probe_now and control.snd_una == control.snd_nxt
        room = branch.subflow.room(waiting, overhead, longest, now)
        room = min(room, max(allowed, 1) if is_probe else allowed)
        rooms.append(room)
        if room > 0:
            candidates.append(Candidate(index, branch.subflow.tcb.srtt, room, is_spare(branch)))
    index = control.scheduler.pick(candidates)
    if index >= 0:
        return index, rooms[suited.index(index)]
    for index in suited:
        control.branches[index].subflow.wait(now)
    return -1, 0


def find_suited(control: Control, offset: int) -> list[int]:
    """The indexes of the subflows that may carry data, if their windows let them.

    A spare one only while no other is usable [R8684-3.3.8-03] [R8684-3.3.8-06], a stale one only while
    all are.
    """
    if len(control.branches) == 1:
        return [0] if is_usable(control.branches[0]) else []
    best = 3
    suited: list[int] = []
    for index, branch in enumerate(control.branches):
        if is_usable(branch):
            rank = (2 if is_stale(control, branch) else 0) + (1 if is_spare(branch) else 0)
            if rank < best:
                best = rank
                suited = []
            if rank == best and (offset == NO_OFFSET or not is_outstanding(branch, offset)):
                suited.append(index)
    return suited


def assign(control: Control, branch: Branch, offset: int, length: int) -> None:
    """Map ``length`` octets of data at ``offset`` to the subflow's next octets, and queue them there."""
    tcb = branch.subflow.tcb
    text = control.snd_queue.cut(offset, offset + length)
    if control.mode is Mode.MULTIPATH:
        ssn = tcb.snd_queue.end
        checksum: int | None = None
        if control.checksum:  # [R8684-3.3.1-09]
            number = compute_wire_64(control.local_idsn, offset)
            checksum = compute_dss_checksum(number, ssn - tcb.snd_syn & MASK_32, length, text)
        branch.sent.append(Run(ssn, offset, length, length, checksum))
    for piece in text:
        branch.subflow.send(piece)


# -- the options of one segment ---------------------------------------------------------------


def make_terms(control: Control, branch: Branch, plan: Plan) -> Terms:
    """On what terms the planned segment leaves; it is noted that it does."""
    tcb = branch.subflow.tcb
    limit = tcb.snd_queue.end
    overhead = 0
    options: tuple[Option, ...] = ()
    if plan.kind is Kind.SYN:
        if not branch.is_first:
            options = (join.compute_syn_option(control, branch),)
        elif tcb.state is State.SYN_RECEIVED:
            options = compute_syn_ack_option(control)
        else:
            options = compute_syn_option(control, tcb)
            control.is_unheard = not options and tcb.retries > 0
        options += fast.compute_option(control, tcb)
    elif plan.kind is Kind.RESET:
        options = compute_reset_options(control, branch)
    elif branch.joining is Joining.PRE_ESTABLISHED:
        options = (join.compute_ack_option(control, branch),)  # [R8684-3.2-19]
    elif control.mode is Mode.MULTIPATH:
        release(branch.sent, tcb.snd_una)
        run = find(branch.sent, plan.start) if plan.kind is Kind.TEXT else None
        if run is not None:
            limit = run.end
            # [R8684-3-03] data has its mapping, [R8684-3.7-05] also when it could do without
            options = compute_text_options(control, branch, run)
            if carries_key(control):
                overhead = DSS_LENGTH  # under which it may go again, and which is longer
        else:
            options = compute_ack_options(control, branch)
        note_key(control, options)
    elif control.mode is Mode.PLAIN:
        options = compute_plain_options(control, branch, plan)
        control.is_told_again = False
        if plan.kind is Kind.ACK:
            branch.fail_dsn = NO_OFFSET  # said once; again when asked again
    shift = 0 if plan.kind is Kind.SYN else tcb.rcv_shift
    free = control.choices.receive_buffer - len(control.rcv_ready)
    return Terms(compute_announced(compute_window(control), free, shift), options, limit, overhead)


def is_narrow(control: Control, offset: int) -> bool:
    """Whether 32 bits will do for the number of data offset ``offset``: a choice [R8684-3.3.1-23].

    Only as long as no number has come by twice, whatever the rate. [R8684-3.3.1-26]
    """
    return control.choices.narrow_numbers and offset < NARROW_END


def compute_data_ack(control: Control) -> DataAck:
    """Cumulative [R8684-3.3.2-01], and wide wherever data with a wide DSN came [R8684-3.3.2-02].

    It is on every segment [R8684-3.3.2-09], so that a lost one is no harm [R8684-6-05].
    """
    number = compute_wire_64(control.remote_idsn, control.rcv_nxt)
    if not control.is_peer_wide and is_narrow(control, control.rcv_nxt):
        return DataAck(number & MASK_32, False)
    return DataAck(number, True)


def make_mapping(
    control: Control, dsn: int, ssn: int, length: int, checksum: int | None, fin: bool
) -> Mapping:
    """The mapping of our data at data offset ``dsn``; both widths can be sent [R8684-3.3.1-25]."""
    number = compute_wire_64(control.local_idsn, dsn)
    if is_narrow(control, dsn):
        return Mapping(number & MASK_32, False, ssn & MASK_32, length, checksum, fin)
    return Mapping(number, True, ssn & MASK_32, length, checksum, fin)


def compute_text_options(control: Control, branch: Branch, run: Run) -> tuple[Option, ...]:
    """What a segment of text in ``run`` says: the very same as the one before, where nothing changed."""
    said, wide = branch.said, control.is_peer_wide
    if said is not None and said.run is run and said.rcv_nxt == control.rcv_nxt and said.wide == wide:
        return said.options  # fast path: a mapping is that of many segments
    option = compute_text_option(control, run, branch.subflow.tcb.snd_syn)
    options = (option,)
    if isinstance(option, Dss):
        branch.said = Said(run, control.rcv_nxt, wide, options)
    return options


def carries_key(control: Control) -> bool:
    """Whether text has MP_CAPABLE in place of DSS, since the peer may not have our key [R8684-3.1-25]."""
    return control.version > 0 and control.is_initiator and not control.is_confirmed


def compute_text_option(control: Control, run: Run, snd_syn: int = 0) -> Option:
    """The mapping of a segment of text: repeated on each segment it covers [R8684-3.3.1-02].

    ``snd_syn`` octets went with the SYN, and no SSN counts them [R8684-B.3-01].
    """
    if carries_key(control):
        return compute_data_option(control, run.wire_length, run.checksum)
    mapping = make_mapping(control, run.dsn, run.ssn - snd_syn, run.wire_length, run.checksum, False)
    return Dss(compute_data_ack(control), mapping)


def compute_ack_options(control: Control, branch: Branch) -> tuple[Option, ...]:
    """What an acknowledgment without text carries: keys until they are known, then DSS and signals."""
    if control.state is ConnectionState.FASTCLOSE_WAIT:
        return (Dss(compute_data_ack(control), None), FastClose(control.remote_key))  # [R8684-3.5-04]
    mapping = compute_fin_mapping(control) if is_fin_out(control) else None
    if control.is_initiator and not control.is_confirmed and (mapping is None or not control.has_sent_key):
        return (compute_ack_option(control),)  # [R8684-3.1-24]
    options: list[Option] = [Dss(compute_data_ack(control), mapping)]
    if branch.fail_dsn != NO_OFFSET:
        options.append(Fail(compute_wire_64(control.remote_idsn, branch.fail_dsn)))
    if branch.signals:
        tcb = branch.subflow.tcb
        if is_long(branch.signals[0]) and tcb.last_ack_sent != tcb.rcv_nxt:
            # what is new is acknowledged with a Data ACK, the next one repeats it
            return tuple(options)  # [R8684-3-04]
        one = take_signal(branch)
        if one is not None:
            options.append(one)
    return tuple(options)


def note_key(control: Control, options: tuple[Option, ...]) -> None:
    """Our key leaves; a DATA_FIN that waits behind it follows on an acknowledgment of its own."""
    for option in options:
        if isinstance(option, (CapableAck, CapableData)):
            control.has_sent_key = True
            if isinstance(option, CapableAck) and is_fin_out(control):
                control.fin_now = True


def is_fin_out(control: Control) -> bool:
    """Whether our DATA_FIN has been sent and not been acknowledged."""
    return control.snd_fin != NO_OFFSET and control.snd_una <= control.snd_fin < control.snd_nxt


def compute_fin_mapping(control: Control) -> Mapping:
    """A DATA_FIN alone: SSN 0, length 1 [R8684-3.3.3-04], and its checksum if agreed [R8684-3.3.3-05]."""
    number = compute_wire_64(control.local_idsn, control.snd_fin)
    checksum = compute_dss_checksum(number, 0, 1, ()) if control.checksum else None
    return make_mapping(control, control.snd_fin, 0, 1, checksum, True)


def compute_plain_options(control: Control, branch: Branch, plan: Plan) -> tuple[Option, ...]:
    """Plain TCP has none, but for the signals that end MPTCP [R8684-3.7-10] [R8684-3.7-22].

    No Data ACK either [R8684-3.7-28].
    """
    options: list[Option] = []
    if control.is_told_again or (control.infinite != NO_OFFSET and plan.kind is Kind.TEXT):
        # on every segment of text until one that has it is acknowledged
        una = branch.subflow.tcb.snd_una
        number = compute_wire_64(control.local_idsn, una + compute_send_shift(control, branch))
        checksum = 0 if control.checksum else None  # [R8684-3.3.1-33]
        ssn = una - branch.subflow.tcb.snd_syn & MASK_32
        options.append(Dss(None, Mapping(number, True, ssn, 0, checksum, False)))
    if branch.fail_dsn != NO_OFFSET and plan.kind is Kind.ACK:
        options.append(Fail(compute_wire_64(control.remote_idsn, branch.fail_dsn)))
    return tuple(options)


def compute_reset_options(control: Control, branch: Branch) -> tuple[Option, ...]:
    """Why the subflow ends: MP_FASTCLOSE [R8684-3.5-05], MP_FAIL [R8684-3.7-15], MP_TCPRST [R8684-3.6-01].

    Version 0 knows only the second [R6824-3.3-02] [R6824-3.5-01] [R8684-E-04].
    """
    if control.mode is not Mode.MULTIPATH or not control.remote_key:
        return ()
    options: list[Option] = []
    if control.is_aborting:
        options.append(FastClose(control.remote_key))  # [R8684-3.5-03] the key of the receiver
    elif branch.fail_dsn != NO_OFFSET:
        options.append(Fail(compute_wire_64(control.remote_idsn, branch.fail_dsn)))
    if branch.reset_reason != NO_OFFSET:
        options.append(reasons.make(branch.reset_reason))
    elif control.is_aborting:
        options.append(reasons.make(REASON_UNSPECIFIED))  # [R8684-3.6-11]
    if control.version == 0:
        return tuple([option for option in options if isinstance(option, Fail)])
    return tuple(options)
