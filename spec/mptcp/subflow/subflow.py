"""A subflow: the user's calls of RFC 9293 §3.10, and the beats of the host."""

from mptcp.native import i64
from mptcp.parameters import MAXIMUM_WINDOW
from mptcp.subflow import alive, discovery, expire, timers, transmit, unreachable
from mptcp.subflow import arrive as arriving
from mptcp.subflow.arrival import Arrival, Kind, Plan, Terms
from mptcp.subflow.control import NO_OFFSET, Control
from mptcp.subflow.negotiate import begin
from mptcp.subflow.state import SYNCHRONIZED, Signal, State
from mptcp.values import Micros, Record, Text
from mptcp.wire.segment import Segment


class Subflow(Record):
    """One TCP connection between two addresses and ports: its control block, and what may happen to it."""

    FIELDS = ("tcb",)

    def __init__(self, tcb: Control) -> None:
        self.tcb = tcb

    def birth(self) -> tuple[object, ...]:
        """See ``Record``."""
        return (self.tcb,)

    # -- the user's calls, RFC 9293 §3.10.1-3.10.6 --------------------------------------------

    def open(self, is_active: bool, now: Micros) -> None:
        """OPEN: send a SYN, or wait for one."""
        begin(self.tcb)
        self.tcb.is_passive = not is_active
        timers.move(self.tcb, Signal.ACTIVE_OPEN if is_active else Signal.PASSIVE_OPEN, now)

    def send(self, text: Text) -> None:
        """SEND: ``text`` goes behind what is queued; the caller has asked ``room`` before."""
        assert self.tcb.snd_fin == NO_OFFSET
        self.tcb.snd_queue.append(text)

    def close(self, now: Micros) -> None:
        """CLOSE: a FIN follows what is queued; calling it again does nothing (RFC 9293 §3.10.4)."""
        tcb = self.tcb
        if tcb.state in (State.ESTABLISHED, State.CLOSE_WAIT):
            tcb.snd_fin = tcb.snd_queue.end
            timers.move(tcb, Signal.CLOSE, now)
        elif tcb.state in (State.LISTEN, State.SYN_SENT):
            timers.move(tcb, Signal.CLOSE, now)

    def expire(self, now: Micros) -> None:
        """The end of TIME-WAIT, before its time: a new connection takes its place (RFC 9293 §3.6.1)."""
        timers.move(self.tcb, Signal.EXPIRY, now)

    def abort(self, error: str, now: Micros) -> None:
        """ABORT: a RST leaves, if the peer knows of us, and nothing else does (RFC 9293 §3.10.5)."""
        tcb = self.tcb
        if tcb.state not in (State.CLOSED, State.LISTEN, State.SYN_SENT, State.TIME_WAIT):
            tcb.reset_now = True
        timers.end(tcb, error, now)

    def forsake(self, error: str, now: Micros) -> None:
        """It is over on this side, and the peer is told nothing: there is no way to tell it."""
        timers.end(self.tcb, error, now)

    def acknowledge(self) -> None:
        """An acknowledgment leaves with the next transmit, for what the connection has to say."""
        if self.tcb.state in SYNCHRONIZED:
            self.tcb.ack_now = True

    def ask(self) -> None:
        """Make the peer acknowledge: a segment leaves that is just out of its window (RFC 9293 §3.8.4)."""
        if self.tcb.state in SYNCHRONIZED:
            self.tcb.ask_now = True

    def keep_alive(self, is_wanted: bool, now: Micros) -> None:
        """Keep-alives, on or off (RFC 9293 §3.8.4)."""
        alive.start(self.tcb, is_wanted, now)

    def urge(self, offset: i64) -> None:
        """Text before ``offset`` is urgent: a segment says so as soon as one can (RFC 9293 §3.8.5)."""
        self.tcb.snd_up = offset
        self.acknowledge()

    # -- the beats ----------------------------------------------------------------------------

    def arrive(self, segment: Segment, is_signal: bool, now: Micros) -> Arrival:
        """SEGMENT ARRIVES. ``is_signal``: it must not count as a duplicate acknowledgment."""
        return arriving.arrive(self.tcb, segment, is_signal, now)

    def arrive_unreachable(self, code: i64, sequence: i64, now: Micros) -> None:
        """ICMP "unreachable" with ``code`` quotes our segment ``sequence`` (RFC 9293 §3.9.2.2)."""
        unreachable.arrive(self.tcb, code, sequence, now)

    def arrive_too_big(self, mtu: i64, sequence: i64, now: Micros) -> None:
        """ICMP says that our segment ``sequence`` did not fit a link of ``mtu`` octets; 0: of what, not."""
        discovery.arrive(self.tcb, mtu, sequence, now)

    def tick(self, now: Micros) -> None:
        """Time has come to ``now``."""
        expire.tick(self.tcb, now)
        if self.tcb.alive_at <= now:
            alive.tick(self.tcb, now)

    def deadline(self) -> Micros:
        """When ``tick`` is due; NEVER if not."""
        return timers.compute_deadline(self.tcb)

    def room(self, waiting: i64, overhead: i64, longest: i64, now: Micros) -> i64:
        """Octets of ``waiting`` that would leave at once, beside ``overhead`` octets of options.

        ``longest``: octets of one mapping, at most; 0: there are none.
        """
        tcb = self.tcb
        if tcb.snd_una == tcb.snd_nxt and tcb.last_sent_at + tcb.rto < now:
            tcb.controller.on_idle(tcb.window, now)  # [R5681-4.1-01]
        if tcb.path.look_at <= now:
            discovery.look(tcb, now)
        return transmit.compute_room(tcb, waiting, overhead, longest)

    def wait(self, now: Micros) -> None:
        """Text waits above for the window of this subflow, if it is idle: ask in a while."""
        transmit.wait(self.tcb, now)

    def plan(self, now: Micros) -> Plan:
        """What ``transmit`` would send next."""
        return transmit.make_plan(self.tcb, now)

    def transmit(self, plan: Plan, terms: Terms, now: Micros) -> Segment:
        """The planned segment, on the connection's terms."""
        assert plan.kind is not Kind.NOTHING
        return transmit.transmit(self.tcb, plan, terms, now)

    def is_window_news(self, window: i64) -> bool:
        """Whether ``window`` octets are enough more than announced to say so (RFC 9293 §3.8.6.2.2)."""
        tcb = self.tcb
        announced = tcb.rcv_edge - tcb.rcv_nxt
        growth = min(window, MAXIMUM_WINDOW << tcb.rcv_shift) - announced
        buffer = tcb.choices.receive_buffer
        step = min(2 * tcb.window.mss, max(buffer // 2, 1))
        # [R9293-3.8.6.2.2-01] a worthy step, and the peer may be waiting for it
        return growth >= step and (announced < 2 * step or growth >= buffer // 4)
