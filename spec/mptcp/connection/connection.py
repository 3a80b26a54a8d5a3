"""The connection: the road of a segment through RFC 8684, and what the application may do.

The table of contents of this folder: each step stands in the file named after its section.
"""

from typing import Final

from mptcp.connection import (
    abort,
    acknowledge,
    addresses,
    close,
    fallback,
    fast,
    initiate,
    join,
    patience,
    reasons,
    receive,
    reinject,
    send,
)
from mptcp.connection.control import Branch, Control, Mode
from mptcp.connection.joining import Joining
from mptcp.connection.mapping import Run
from mptcp.connection.news import Told, compute_news
from mptcp.connection.state import MAY_WRITE, Signal, State
from mptcp.errors import Refused
from mptcp.events import Event
from mptcp.parameters import REASON_MPTCP
from mptcp.paths.manager import Join
from mptcp.subflow.arrival import Arrival, Kind, Verdict
from mptcp.subflow.arrive import compute_reset
from mptcp.subflow.control import NEVER
from mptcp.subflow.state import SYNCHRONIZED
from mptcp.subflow.state import State as SubflowState
from mptcp.subflow.subflow import Subflow
from mptcp.values import Address, FourTuple, Micros, Port, Record, Text
from mptcp.wire.addresses import AddAddr, AddAddrEcho, AddAddrV0, Prio, PrioV0, RemoveAddr
from mptcp.wire.dss import Dss
from mptcp.wire.endings import Fail, FastClose
from mptcp.wire.handshake import CapableAck, CapableData, JoinAck, JoinSyn
from mptcp.wire.options import Option
from mptcp.wire.segment import ACK, SYN, Outgoing, Segment, emit

LONG_TEXT: Final = 16_384  # octets; no segment of a path of 1,500


def is_signal(options: tuple[Option, ...]) -> bool:
    """Whether a segment carries MPTCP news besides Data ACKs: then it says nothing about congestion.

    Such an acknowledgment is no duplicate [R8684-3-05] [R8684-3.4.1-30] [R8684-4-03]. A DATA_FIN is
    news as well: it rides on each one until the peer has it, and these may be many in a row.
    """
    for option in options:
        if isinstance(option, Dss):
            if option.mapping is not None and option.mapping.fin:
                return True
        elif isinstance(
            option,
            (
                AddAddr,
                AddAddrEcho,
                AddAddrV0,
                RemoveAddr,
                Prio,
                PrioV0,
                Fail,
                FastClose,
                CapableAck,
                CapableData,
                JoinAck,
            ),
        ):
            return True
    return False


def compute_four(branch: Branch) -> FourTuple:
    """Who talks to whom on this subflow."""
    tcb = branch.subflow.tcb
    return (tcb.local, tcb.local_port, tcb.remote, tcb.remote_port)


def is_first_again(branch: Branch, segment: Segment) -> bool:
    """Whether ``segment`` repeats the SYN that opened the subflow."""
    return segment.flags & (SYN | ACK) == SYN and segment.sequence == branch.subflow.tcb.irs


class Connection(Record):
    """One connection, and its subflows. ``handle`` is the host's name for it; ``listener`` 0 if active."""

    FIELDS = ("control", "told")

    def __init__(self, control: Control) -> None:
        self.control = control
        self.told = Told()

    def birth(self) -> tuple[object, ...]:
        """See ``Record``."""
        return (self.control,)

    # -- opening ------------------------------------------------------------------------------

    def open(self, subflow: Subflow, is_active: bool, now: Micros) -> None:
        """The first subflow: it sends a SYN, or waits for one."""
        control = self.control
        branch = Branch(subflow, 0, 0, Joining.ESTABLISHED)
        branch.is_first = True
        branch.opened_here = is_active
        control.branches.append(branch)
        control.count += 1
        control.first = compute_four(branch)
        addresses.note_first(control)
        subflow.open(is_active, now)

    def wishes(self, now: Micros) -> list[Join]:
        """The subflows that should be opened now; asked after each change, and seldom answered."""
        control = self.control
        if not control.book.is_due or not control.is_confirmed:  # [R6824-3.1-03]
            return []
        return addresses.consider(control, now)

    def join(self, subflow: Subflow, wish: Join, nonce: bytes, now: Micros) -> None:
        """One of them: its SYN leaves. ``nonce``: 4 octets that were never used [R8684-3.2-05]."""
        branch = Branch(subflow, wish.local_id, wish.remote_id, Joining.WAITING)
        branch.opened_here = True
        self.add(branch, nonce)
        subflow.open(True, now)

    def yield_way(self, branch: Branch, now: Micros) -> None:
        """The peer opens the same subflow: ours is over, and the peer is told nothing."""
        branch.subflow.forsake(reinject.CROSSED, now)
        close.progress(self.control, now)

    def cannot(self, wish: Join) -> None:
        """It cannot be opened, and is not to be wished for again."""
        self.control.book.rests[wish.local_id, wish.remote_id] = NEVER

    def accept(self, subflow: Subflow, option: JoinSyn, nonce: bytes, now: Micros) -> None:
        """A subflow that the peer opens, whose SYN arrives next."""
        control = self.control
        local_id = max(addresses.find_local_id(control, subflow.tcb.local), 0)
        branch = Branch(subflow, local_id, option.address_id, Joining.ANSWERED)
        join.take_syn(branch, option)
        self.add(branch, nonce)
        subflow.open(False, now)

    def add(self, branch: Branch, nonce: bytes) -> None:
        """A subflow beyond the first, which is not part of the connection yet."""
        control = self.control
        branch.local_nonce = nonce
        local = control.book.locals.get(branch.local_id)
        branch.wants_backup = local is not None and local.is_backup
        branch.subflow.tcb.nagle = control.nagle
        branch.subflow.tcb.keep_alive = control.keep_alive
        control.branches.append(branch)
        control.count += 1

    def find_branch(self, four: FourTuple) -> Branch:
        """The subflow with these addresses and ports, which must be one of ours."""
        for branch in self.control.branches:
            tcb = branch.subflow.tcb
            if (
                tcb.remote_port == four[3]
                and tcb.local_port == four[1]
                and tcb.remote == four[2]
                and tcb.local == four[0]
            ):
                return branch
        raise AssertionError("a four-tuple without its subflow")

    def bury(self) -> list[FourTuple]:
        """Let go of subflows that are over; their addresses and ports are free."""
        control = self.control
        for branch in control.branches:
            if branch.is_lost:
                reinject.bury(control)
                break
        gone = control.gone
        if gone:
            control.gone = []
        return gone

    # -- the application ----------------------------------------------------------------------

    def write(self, octets: bytes, is_urgent: bool = False, start: int = 0) -> int:
        """Take as much of ``octets[start:]`` as the send buffer holds; how many. Raises Refused after close.

        ``is_urgent``: the peer's application is told that up to here it should hurry [R9293-3.8.5-01],
        which only plain TCP can say [R8684-3.3.1-14].
        """
        control = self.control
        if is_urgent and control.mode is not Mode.PLAIN:
            raise Refused("only plain TCP has urgent data")
        if control.state not in MAY_WRITE or control.snd_fin >= 0:
            raise Refused("connection closing")
        length = min(len(octets) - start, control.choices.send_buffer - len(control.snd_queue))
        control.is_short = length < len(octets) - start
        if length > 0:
            control.snd_queue.append(Text(octets, start, start + length))
            if is_urgent:
                fallback.urge(control, control.branches[0])
        return max(length, 0)

    def read(self, limit: int, now: Micros) -> bytes:
        """Up to ``limit`` octets in order, as of any TCP [R8684-1.1-02]; none if none are there.

        A long text comes alone: to join it to the next would take longer than to read again.
        """
        control = self.control
        ready = control.rcv_ready
        stop = min(min(ready.end, ready.first_end(LONG_TEXT)), ready.start + limit)
        octets = ready.take(stop)
        window = send.compute_window(control)
        for branch in control.branches:
            if branch.subflow.is_window_news(window):
                branch.subflow.acknowledge()
        return octets

    def tune(
        self,
        keep_alive: bool | None,
        user_timeout: Micros | None,
        hop_limit: int | None,
        dscp: int | None,
        nagle: bool | None,
        now: Micros,
    ) -> None:
        """What the application may set at any time; None leaves a thing as it is. Raises Refused."""
        control = self.control
        if user_timeout is not None:
            if user_timeout < 0:
                raise Refused("durations and limits are not negative")
            control.user_timeout = user_timeout
            control.patience_at = NEVER  # transmit begins the wait
        if hop_limit is not None:
            if not 0 < hop_limit < 256:
                raise Refused("the hop limit is between 1 and 255")
            control.hop_limit = hop_limit
        if dscp is not None:
            if not 0 <= dscp < 64:
                raise Refused("the DSCP is between 0 and 63")
            control.dscp = dscp
        if nagle is not None:
            control.nagle = nagle
            for branch in control.branches:
                branch.subflow.tcb.nagle = nagle
        if keep_alive is not None:
            control.keep_alive = keep_alive
            for branch in control.branches:
                branch.subflow.keep_alive(keep_alive, now)

    def close(self, now: Micros) -> None:
        """No more writes; reading goes on [R8684-3.3.3-02]."""
        close.close(self.control, now)
        close.progress(self.control, now)

    def abort(self, now: Micros) -> None:
        """End at once, whatever is under way."""
        abort.abort(self.control, "aborted", now)

    # -- addresses ----------------------------------------------------------------------------

    def add_address(self, address: Address, port: Port, is_backup: bool, is_signal: bool) -> None:
        """The host has this address, too (RFC 8684 §3.4)."""
        addresses.add_local(self.control, address, port, is_backup, is_signal)

    def remove_address(self, address: Address, now: Micros) -> None:
        """The host has lost this address (RFC 8684 §3.4.2)."""
        addresses.remove_local(self.control, address, now)
        close.progress(self.control, now)

    def set_priority(self, address: Address, is_backup: bool, now: Micros) -> None:
        """Subflows from this address are backups from now on, or no more (RFC 8684 §3.3.8)."""
        addresses.set_priority(self.control, address, is_backup, now)

    # -- the beats ----------------------------------------------------------------------------

    def arrive(self, branch: Branch, segment: Segment, now: Micros) -> Segment | None:
        """One segment for one of our subflows; the RST that answers it, if one does."""
        control = self.control
        if branch.is_forsaken:
            return None
        before = branch.subflow.tcb.state
        arrival = branch.subflow.arrive(segment, is_signal(segment.options), now)
        if arrival.verdict is Verdict.REFUSED:
            return compute_reset(segment)
        if arrival.verdict is Verdict.RESET:
            reasons.take(branch, arrival.options)
        if arrival.verdict is Verdict.RESET or control.state is State.FASTCLOSE_WAIT:
            if control.mode is Mode.MULTIPATH and abort.has_fast_close(control, arrival.options):
                abort.take_fast_close(control, now)
        elif arrival.verdict is Verdict.ACCEPTED:
            # [R8684-3-07] [R8684-2.7-02] options count on what TCP accepted
            if branch.in_row or branch.checks:
                addresses.take_life(branch)
            if not branch.is_first:
                join.settle(control, branch, before, arrival, now)
            elif before not in SYNCHRONIZED:
                self.settle(branch, before, arrival, now)
            if control.mode is Mode.MULTIPATH and branch.joining is Joining.ESTABLISHED:
                self.take_options(branch, arrival, now)
            elif control.is_alone:
                receive.take_late(control, branch, arrival, now)
            is_new = before is SubflowState.LISTEN or branch.joining is not Joining.ESTABLISHED
            if not branch.subflow.tcb.reset_now and not is_new:
                receive.take_text(control, branch, arrival.text, now)
            if control.mode is Mode.PLAIN and branch.joining is Joining.ESTABLISHED:
                acknowledge.advance(control, fallback.take_plain_ack(control, branch), now)
                fallback.take_urgent(control, branch)
        elif branch.is_first and before is SubflowState.SYN_RECEIVED and is_first_again(branch, segment):
            initiate.take_syn_again(control, segment.options)
        close.progress(control, now)
        return None

    def expire(self, branch: Branch, now: Micros) -> None:
        """A subflow leaves TIME-WAIT, since a new connection wants its ports."""
        branch.subflow.expire(now)
        close.progress(self.control, now)

    def arrive_unreachable(self, branch: Branch, code: int, sequence: int, now: Micros) -> None:
        """ICMP says that this subflow's segment with ``sequence`` could not be delivered."""
        branch.subflow.arrive_unreachable(code, sequence, now)
        close.progress(self.control, now)

    def settle(self, branch: Branch, before: SubflowState, arrival: Arrival, now: Micros) -> None:
        """The handshake of the first subflow went a step on (RFC 8684 §3.1)."""
        control = self.control
        tcb = branch.subflow.tcb
        if before is SubflowState.LISTEN:
            initiate.take_syn(control, arrival.options, now)
            fast.take_syn(control, branch, arrival.text, now)
        elif before is SubflowState.SYN_SENT:
            initiate.take_syn_ack(control, arrival.options, now)
            fast.take_syn_ack(control, branch, arrival.options)
        elif before is SubflowState.SYN_RECEIVED and tcb.state in SYNCHRONIZED and not control.is_initiator:
            initiate.take_third(control, arrival.options, now)
            fast.take_third(control)
        if tcb.state in SYNCHRONIZED:
            control.snd_edge = control.snd_una + tcb.snd_wnd
            if control.state is State.M_OPENING:
                acknowledge.move(control, Signal.ESTABLISHED, now)

    def take_options(self, branch: Branch, arrival: Arrival, now: Micros) -> None:
        """MPTCP options of an accepted segment, in the order in which they stand."""
        control = self.control
        has_data_ack = False
        if control.is_asking and not is_signal(arrival.options):
            control.is_asking = False
            if not any(isinstance(option, Dss) for option in arrival.options):
                # [R8684-3.7-06] it answers without DSS: the third packet was lost, or options are
                fallback.leave(control, branch, "no DSS from the peer", now)
                return
        for option in arrival.options:
            if isinstance(option, Dss):
                control.is_confirmed = True  # [R8684-3.1-22] [R8684-2.1-03] whoever sends DSS has our key
                if option.ack is not None:  # [R8684-3.3.2-11]
                    has_data_ack = True
                    branch.has_data_ack = True
                    acknowledge.take_data_ack(control, option.ack, arrival.window, now)
                if option.mapping is not None and control.mode is Mode.MULTIPATH:
                    receive.take_mapping(control, branch, option.mapping, arrival, now)
            elif isinstance(option, CapableData):
                self.take_capable_data(branch, option, arrival, now)
            elif isinstance(option, (AddAddr, AddAddrEcho, AddAddrV0, RemoveAddr, Prio, PrioV0)):
                control.is_confirmed = True
                addresses.take_option(control, branch, option, now)
            elif isinstance(option, Fail):
                fallback.take_fail(control, branch, option.dsn, now)
            elif isinstance(option, FastClose) and abort.has_fast_close(control, (option,)):
                abort.take_fast_close(control, now)
        self.check_path(branch, arrival, has_data_ack, now)

    def take_capable_data(self, branch: Branch, option: CapableData, arrival: Arrival, now: Micros) -> None:
        """MP_CAPABLE as the first mapping, as often as it comes [R8684-3.1-26] [R8684-3.1-29].

        It is as good as a DSS [R8684-3.1-28], and acknowledged like one [R8684-3.1-27].
        """
        control = self.control
        if control.is_initiator or control.version == 0:
            return
        if (option.checksum is not None) != control.checksum:
            receive.reset(control, branch, REASON_MPTCP, "checksum presence", now)
            return
        fallback.take_first_mapping(branch, now)
        control.is_peer_wide = True  # a DSN that needs no number is as good as a whole one
        first = 1 + branch.subflow.tcb.rcv_syn
        run = Run(first, first, option.length, option.length, option.checksum)
        receive.take_run(control, branch, run, arrival, now)

    def check_path(self, branch: Branch, arrival: Arrival, has_data_ack: bool, now: Micros) -> None:
        """Does the path carry our options at all? (RFC 8684 §3.7)

        Who acknowledges on the way, for whatever reason, has none to send [R8684-6-06].
        """
        control = self.control
        if control.mode is not Mode.MULTIPATH or branch.subflow.tcb.reset_now:
            return
        if has_data_ack or arrival.acknowledged > 0:
            branch.is_quiet = not has_data_ack
        is_silent = branch.subflow.tcb.snd_una > 1 and arrival.acknowledged > 0 and not has_data_ack
        if is_silent and not branch.has_data_ack and is_signal(arrival.options):
            is_silent = False  # an option came through: it had no room for a Data ACK beside it
        is_new = not control.has_data_ack if branch.is_first else not branch.has_data_ack
        if is_silent and is_new and control.snd_una < control.snd_nxt:
            # [R8684-3.7-06] text was acknowledged, and nothing ever at data level
            fallback.distrust(control, branch, "acknowledged without Data ACK", now)
        elif arrival.text and not branch.has_mapping:
            # [R8684-3.7-09] the first text came without mapping
            fallback.distrust(control, branch, "text without mapping", now)

    def transmit(self, now: Micros) -> list[Outgoing]:
        """All packets that may leave now."""
        control = self.control
        packets: list[Outgoing] = []
        while True:
            count = len(packets)
            if control.state is State.M_OPENING:
                fast.offer(control, control.branches[0])
            if control.state is not State.M_CLOSED and control.state is not State.FASTCLOSE_WAIT:
                send.schedule(control, now)
                close.progress(control, now)
            for branch in control.branches:
                self.drain(branch, packets, now)
            if len(packets) == count:
                break
        if control.user_timeout:
            patience.watch(control, now)
        return packets

    def drain(self, branch: Branch, packets: list[Outgoing], now: Micros) -> None:
        """Everything that one subflow may send now."""
        control = self.control
        traffic_class = control.dscp << 2  # [R9293-3.9.1.9-03]
        while True:
            if control.state is State.FASTCLOSE_WAIT:
                plan = abort.make_plan(branch)
            else:
                plan = branch.subflow.plan(now)
            if plan.kind is Kind.NOTHING:
                return
            terms = send.make_terms(control, branch, plan)
            segment = branch.subflow.transmit(plan, terms, now)
            if branch.signals and addresses.may_signal(control, branch):
                addresses.pursue(branch, now)
            send.note_window(control, branch, segment)
            size = segment.segment_size
            packets.append(emit(segment, control.hop_limit, segment_size=size, traffic_class=traffic_class))

    def tick(self, now: Micros) -> None:
        """Time has come to ``now``."""
        control = self.control
        for branch in control.branches:
            branch.subflow.tick(now)
            join.tick(control, branch, now)
        if control.mode is Mode.MULTIPATH:
            addresses.tick(control, now)
        close.tick(self.control, now)
        close.progress(self.control, now)
        patience.tick(self.control, now)

    def deadline(self) -> Micros:
        """When ``tick`` is due; NEVER if not."""
        control = self.control
        earliest = min(min(control.retransmit_at, control.orphan_at), control.patience_at)
        for branch in control.branches:
            earliest = min(earliest, branch.subflow.deadline())
        if control.mode is Mode.MULTIPATH:
            earliest = min(earliest, addresses.compute_deadline(control))
        return earliest

    def events(self) -> list[Event]:
        """What the application has not been told yet."""
        return compute_news(self.control, self.told)

    def is_over(self) -> bool:
        """Nothing more will leave, and nothing that comes is for us."""
        for branch in self.control.branches:
            tcb = branch.subflow.tcb
            if tcb.state is not SubflowState.CLOSED or tcb.reset_now:
                return False
        return self.control.state is State.M_CLOSED
