"""The transmission control block: the variables of RFC 9293 §3.3.1, and of its companions.

A record without behaviour. All sequence variables are offsets: 0 is the SYN, 1 the first octet of
text (numbers.py); they become wire numbers in transmit.py and are read from them in arrive.py.
"""

from typing import Final

from mptcp.choices import Choices
from mptcp.congestion.controller import Controller, Window
from mptcp.intervals import Intervals
from mptcp.journal import Journal
from mptcp.native import i64
from mptcp.parameters import DEFAULT_MSS_IPV4, INITIAL_RTO
from mptcp.queue import Queue
from mptcp.subflow.arrival import Layout
from mptcp.subflow.blocks import Blocks
from mptcp.subflow.ecn import Ecn
from mptcp.subflow.path_mtu import PathMtu
from mptcp.subflow.phase import Episode, Phase
from mptcp.subflow.scoreboard import Rack, Scoreboard
from mptcp.subflow.state import State
from mptcp.values import Address, Micros, Port, Record

NEVER: Final = (1 << 62) - 1
"""A deadline that does not come, µs."""

NO_OFFSET: Final = -1
"""In place of an offset that is not known yet."""


class Control(Record):
    """Everything that one subflow remembers (RFC 9293 §3.3.1)."""

    FIELDS = (
        # who
        "local",
        "local_port",
        "remote",
        "remote_port",
        "state",
        "is_passive",
        "error",
        "is_unreachable",
        "trouble",
        # send sequence variables
        "iss",
        "snd_una",
        "snd_nxt",
        "snd_wnd",
        "snd_wl1",
        "snd_wl2",
        "max_snd_wnd",
        "snd_shift",
        "snd_mss",
        "path",
        "snd_queue",
        "snd_fin",
        "snd_up",
        # receive sequence variables
        "irs",
        "rcv_nxt",
        "rcv_edge",
        "rcv_shift",
        "scaling",
        "rcv_queue",
        "rcv_fin",
        "rcv_up",
        "takes_syn_text",
        "rcv_syn",
        "snd_syn",
        "heard_at",
        # what the application may set
        "nagle",
        "keep_alive",
        "asked_at",
        "questions",
        "alive_at",
        # acknowledging
        "sack",
        "blocks",
        "ack_now",
        "ack_alone",
        "ack_waiting",
        "rcv_mss",
        "last_ack_sent",
        "challenge_at",
        # congestion marks
        "ecn",
        # timestamps
        "timestamps",
        "ts_offset",
        "ts_recent",
        # round trip and retransmission
        "srtt",
        "rttvar",
        "rto",
        "timed_offset",
        "timed_at",
        "round_end",
        "retries",
        "syn_lost",
        "syn_now",
        "board",
        "rack",
        "phase",
        "episode",
        "forced",
        "extra",
        "duplicates",
        "recover",
        "full_until",
        "probes",
        "unanswered",
        "last_sent_at",
        "window",
        "controller",
        # deadlines
        "rto_at",
        "persist_at",
        "ack_at",
        "time_wait",
        "time_wait_at",
        "pto_at",
        "reorder_at",
        "tlp_now",
        "probe_now",
        "probing",
        "ask_now",
        "reset_now",
        # counters
        "segments_sent",
        "segments_received",
        "octets_sent",
        "octets_received",
        "octets_retransmitted",
    )
    SHARED = ("choices", "journal", "name", "layout")

    def __init__(
        self,
        local: Address,
        local_port: Port,
        remote: Address,
        remote_port: Port,
        iss: int,  # 32 bits; RFC 9293 §3.4.1
        mss: int,  # octets; the largest text a packet of ours can carry
        controller: Controller,
        choices: Choices,
        journal: Journal,
        name: str,
    ) -> None:
        self.local = local
        self.local_port = local_port
        self.remote = remote
        self.remote_port = remote_port
        self.state = State.CLOSED
        self.is_passive = False  # it came from LISTEN
        self.is_unreachable = False  # ICMP said so while we were opening
        self.trouble = ""  # what the user may want to know, and no reason to end yet
        self.error = ""  # why it ended, when not by FINs: refused, reset, timed out

        self.iss: i64 = iss  # initial send sequence number, 32 bits
        self.snd_una: i64 = 0  # oldest unacknowledged on this subflow [R8684-C.2.1-01]
        self.snd_nxt: i64 = 0  # next to be sent for the first time
        # this subflow's send window, octets, scaled [R8684-3.3.5-03] [R8684-C.2.2-02] [R9293-3.1-02]
        self.snd_wnd: i64 = 0
        self.snd_wl1: i64 = 0  # our rcv_nxt-side offset of the segment that last updated the window
        self.snd_wl2: i64 = 0  # its acknowledgment
        self.max_snd_wnd: i64 = 0  # the largest window ever announced
        self.snd_shift: i64 = 0  # Snd.Wind.Shift of RFC 7323 §2.3
        self.snd_mss: i64 = mss  # the largest text we may send, before options: RFC 9293 §3.7.1
        self.path = PathMtu(len(remote) == 4, mss)
        self.snd_queue = Queue(1)  # text not yet acknowledged, sent or not
        self.snd_fin: i64 = NO_OFFSET  # offset of our FIN once CLOSE was called
        self.snd_up: i64 = 0  # offset behind the last urgent octet

        self.irs: i64 = 0  # initial receive sequence number, 32 bits
        self.rcv_nxt: i64 = 0  # next expected; each subflow has its own [R8684-3.3.4-07]
        self.rcv_edge: i64 = 0  # right edge of the window we announced: never retreats
        self.rcv_shift: i64 = 0  # Rcv.Wind.Shift of RFC 7323 §2.3
        self.scaling = False  # windows are scaled, or will be if the peer agrees
        self.rcv_queue = Intervals(1)  # text that came, with holes
        self.rcv_fin: i64 = NO_OFFSET  # offset of the peer's FIN once seen
        self.rcv_up: i64 = 0  # offset behind the last octet that the peer called urgent
        self.takes_syn_text = False  # text may come with the peer's SYN: RFC 7413
        self.rcv_syn: i64 = 0  # octets that did; no SSN counts them [R8684-B.3-01]
        self.snd_syn: i64 = 0  # octets of ours that went with the SYN and were taken
        self.heard_at: Micros = 0  # when an acceptable segment came last

        self.nagle = choices.nagle  # [R9293-3.7.4-01]
        self.keep_alive = choices.keep_alive
        self.asked_at: Micros = 0  # when a keep-alive left last
        self.questions: i64 = 0  # keep-alives without answer
        self.alive_at: Micros = NEVER  # when to look whether the peer has been silent

        self.sack = False  # agreed on both SYNs: RFC 2018 §2
        self.blocks: Blocks | None = None  # what is held out of order, if anything is
        self.ack_now = False  # an acknowledgment leaves with the next transmit
        self.ack_alone = False  # it goes before any text, so that it counts as a duplicate
        self.ack_waiting: i64 = 0  # octets received and not acknowledged
        self.rcv_mss: i64 = DEFAULT_MSS_IPV4  # octets: the longest text of a segment that came, at least this
        self.last_ack_sent: i64 = 0  # Last.ACK.sent of RFC 7323 §4.3
        self.challenge_at: Micros = 0  # when the next challenge ACK may leave: RFC 5961 §7

        self.ecn = Ecn()

        self.timestamps = False  # agreed on both SYNs: Snd.TS.OK of RFC 7323 §3.2
        self.ts_offset: i64 = 0  # added to our clock: RFC 7323 §5.4
        self.ts_recent: i64 = 0  # TS.Recent, 32 bits

        self.srtt: Micros = 0  # 0 until the first sample
        self.rttvar: Micros = 0
        self.rto: Micros = INITIAL_RTO
        self.timed_offset: i64 = NO_OFFSET  # the round trip ends when more than this is acknowledged
        self.timed_at: Micros = 0  # when the SYN left
        self.round_end: i64 = 0  # SND.NXT when the present round trip began
        self.retries: i64 = 0  # expiries of the timer since anything was acknowledged
        self.syn_lost = False  # [R5681-3.1-04], [R6298-5-04]
        self.syn_now = True  # our SYN leaves with the next transmit
        self.board = Scoreboard()  # what is out
        self.rack = Rack()
        self.phase = Phase.OPEN
        self.episode: Episode | None = None  # the latest recovery, until it cannot be a mistake any more
        self.forced: i64 = NO_OFFSET  # one segment from here goes again, whatever cwnd says
        self.extra: i64 = 0  # octets of new text that may leave though cwnd is in use
        self.duplicates: i64 = 0  # duplicate acknowledgments in a row
        self.recover: i64 = NO_OFFSET  # highest octet sent when recovery began; RFC 6582 §3.2 [R6582-3.2-01]
        self.full_until: i64 = 0  # cwnd was in use when this was the next to be sent
        self.unanswered: i64 = 0  # expiries of that timer or the probes' since the peer last said anything
        self.probes: i64 = 0  # window probes sent since the window closed
        self.last_sent_at: Micros = 0
        self.window = Window(mss)
        self.controller = controller

        self.rto_at: Micros = NEVER
        self.persist_at: Micros = NEVER
        self.ack_at: Micros = NEVER
        self.time_wait: Micros = choices.time_wait  # 2 MSL, or what the connection thinks enough
        self.time_wait_at: Micros = NEVER
        self.pto_at: Micros = NEVER  # the loss probe: RFC 8985 §7.2
        self.reorder_at: Micros = NEVER  # what may only be late counts as lost: RFC 8985 §6.2
        self.tlp_now = False  # a loss probe leaves with the next transmit
        self.probe_now = False  # a window probe leaves with the next transmit
        self.ask_now = False  # an acknowledgment leaves that will be answered
        self.probing = False  # all that is in flight is a window probe
        self.reset_now = False  # a RST leaves with the next transmit

        self.layout: Layout | None = None  # of the last segment without SACK blocks

        self.segments_sent: i64 = 0
        self.segments_received: i64 = 0
        self.octets_sent: i64 = 0
        self.octets_received: i64 = 0
        self.octets_retransmitted: i64 = 0

        self.choices = choices
        self.journal = journal
        self.name = name

    def birth(self) -> tuple[object, ...]:
        """See ``Record``."""
        addresses = (self.local, self.local_port, self.remote, self.remote_port)
        rest = (self.iss, self.snd_mss, self.controller, self.choices, self.journal, self.name)
        return addresses + rest
