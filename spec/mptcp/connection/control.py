"""The MPTCP control block: the variables of RFC 8684 appendix C.

A record without behaviour. All data sequence variables are offsets: 0 is the octet that MP_CAPABLE
takes (the IDSN), 1 the first octet of data (numbers.py). [R8684-3.1-62]
"""

from enum import Enum

from mptcp.choices import Choices
from mptcp.congestion.coupling import Coupling
from mptcp.connection.book import Book
from mptcp.connection.joining import Joining
from mptcp.connection.mapping import Run, Said
from mptcp.connection.spans import Spans
from mptcp.connection.state import State
from mptcp.events import SubflowClosed
from mptcp.intervals import Intervals
from mptcp.journal import Journal
from mptcp.paths.manager import PathManager
from mptcp.queue import Queue
from mptcp.scheduler.scheduler import Scheduler
from mptcp.subflow.control import NEVER, NO_OFFSET
from mptcp.subflow.subflow import Subflow
from mptcp.values import FourTuple, Micros, Record
from mptcp.wire.dss import Mapping
from mptcp.wire.options import Option


class Mode(Enum):
    """What the two ends speak."""

    OPENING = "opening"  # MP_CAPABLE is offered and not yet agreed
    MULTIPATH = "multipath"  # RFC 8684
    PLAIN = "plain"  # TCP, from the start or after fallback [R8684-3.7-30]: there is no way back


class Branch(Record):
    """What the connection remembers of one subflow (RFC 8684 appendix C.2)."""

    FIELDS = (
        "subflow",
        "local_id",
        "remote_id",
        "joining",
        "is_first",
        "opened_here",
        "local_nonce",
        "remote_nonce",
        "join_at",
        "join_tries",
        "is_backup",
        "wants_backup",
        "sent",
        "received",
        "inbound",
        "has_mapping",
        "fresh_until",
        "is_late",
        "is_early",
        "line",
        "has_data_ack",
        "handed",
        "penalised_at",
        "signals",
        "in_row",
        "signal_at",
        "check_at",
        "checks",
        "is_quiet",
        "is_closing",
        "is_lost",
        "is_forsaken",
        "reset_reason",
        "peer_reason",
        "is_barred",
        "fail_dsn",
        "has_sent_fail",
    )
    SHARED = ("said", "heard")

    def __init__(self, subflow: Subflow, local_id: int, remote_id: int, joining: Joining) -> None:
        self.subflow = subflow
        self.local_id = local_id  # Address IDs of both ends [R8684-3.2-10]
        self.remote_id = remote_id
        self.joining = joining
        self.is_first = False  # it opened with MP_CAPABLE
        self.opened_here = False  # our SYN began it
        self.local_nonce = b""  # of MP_JOIN, 4 octets each
        self.remote_nonce = b""
        self.join_at: Micros = NEVER  # when our ACK with MP_JOIN goes again
        self.join_tries = 0
        self.is_backup = False  # the peer asks us to send elsewhere if we can [R8684-3.2-12]
        self.wants_backup = False  # we ask that of the peer
        self.sent: list[Run] = []  # mappings of text that the subflow has not had acknowledged
        self.received: list[Run] = []  # mappings of text that has not been moved to data level
        self.inbound = Queue(1)  # text in subflow order that has not been moved to data level
        self.said: Said | None = None  # on the last segment of text
        self.heard: Mapping | None = None  # the last mapping of text that was kept
        self.line = 0  # data offset minus subflow offset of the last text that was mapped
        self.has_mapping = False  # a mapping arrived here: the path carries options
        self.fresh_until: Micros = 0  # what comes by then was never sent before
        self.is_late = False  # text came without mapping after that
        self.is_early = False  # when we left MPTCP such text waited, from before that
        self.has_data_ack = False  # and so did a Data ACK
        self.handed = 1  # text before this subflow offset was handed to the other subflows as well
        self.penalised_at: Micros = 0  # when its window was last halved for being slow
        self.signals: list[Option] = []  # each leaves on an acknowledgment of its own
        self.in_row = 0  # of them, since the peer last said something here
        self.signal_at: Micros = NEVER  # when those that are left may leave in any case
        self.check_at: Micros = NEVER  # when a path whose address was removed is asked again
        self.checks = 0  # how often it was asked
        self.is_quiet = False  # the last acknowledgment of text came without Data ACK
        self.is_closing = False  # our FIN was ordered
        self.is_lost = False  # it is over, and what follows from that is done
        self.is_forsaken = False  # and the peer cannot be told before there is another
        self.reset_reason = NO_OFFSET  # its RST carries MP_TCPRST with this reason
        self.peer_reason = NO_OFFSET  # the peer's RST carried MP_TCPRST with this reason
        self.is_barred = False  # and it said that the path is not to be tried again
        self.fail_dsn = NO_OFFSET  # data offset that MP_FAIL is to name here, and on no other subflow
        self.has_sent_fail = False

    def birth(self) -> tuple[object, ...]:
        """See ``Record``."""
        return (self.subflow, self.local_id, self.remote_id, self.joining)


class Control(Record):
    """Everything that one connection remembers (RFC 8684 appendix C.1)."""

    FIELDS = (
        "handle",
        "listener",
        "is_initiator",
        "state",
        "mode",
        "reason",
        "error",
        "was_open",
        "is_forgotten",
        "is_counted",
        # version and keys: RFC 8684 §3.1
        "version",
        "local_key",
        "local_token",
        "local_idsn",
        "remote_key",
        "remote_token",
        "remote_idsn",
        "checksum",
        "peer_refuses_joins",
        "is_asked",
        "is_unheard",
        "has_sent_key",
        "is_asking",
        "is_confirmed",
        # sending: RFC 8684 §3.3.5, §3.3.6
        "snd_una",
        "snd_nxt",
        "snd_edge",
        "snd_queue",
        "snd_fin",
        "again",
        "rescued",
        "has_data_ack",
        "is_short",
        "snd_up",
        "fast_cookie",
        "fast_mss",
        "fast_heard",
        "fast_refused",
        "fast_received",
        "is_fast",
        # receiving: RFC 8684 §3.3.4
        "rcv_nxt",
        "rcv_edge",
        "rcv_held",
        "rcv_ready",
        "rcv_fin",
        "rcv_up",
        "is_peer_wide",
        # signals that leave with the next segment
        "fin_now",
        "infinite",
        "is_alone",
        "is_told_again",
        "is_aborting",
        # data-level clocks
        "retries",
        "unanswered",
        "retransmit_at",
        "orphan_at",
        # what the application may set
        "nagle",
        "keep_alive",
        "user_timeout",
        "patience_una",
        "patience_at",
        "hop_limit",
        "dscp",
        # parts
        "first",
        "branches",
        "count",
        "gone",
        "buried_retrans",
        "partings",
        "book",
        "scheduler",
        "paths",
        "coupling",
    )
    SHARED = ("choices", "journal", "name")

    def __init__(
        self,
        handle: int,
        listener: int,
        local_key: bytes,
        local_token: int,
        local_idsn: int,
        scheduler: Scheduler,
        paths: PathManager,
        choices: Choices,
        journal: Journal,
    ) -> None:
        self.handle = handle  # the host's name for this connection
        self.listener = listener  # 0 for an active open
        self.is_initiator = listener == 0
        self.state = State.M_OPENING
        self.mode = Mode.OPENING if choices.multipath else Mode.PLAIN
        self.reason = ""  # why it is plain TCP, when MPTCP was wished
        self.error = ""  # why it ended, when not in order
        self.was_open = False  # the handshake ended well
        self.is_forgotten = False  # the application wants to hear no more
        self.is_counted = listener != 0  # it takes a place in its listener's backlog

        self.version = choices.version  # 0 or 1; a listener's is that of the SYN
        self.local_key = local_key  # [R8684-C.1.1-01]
        self.local_token = local_token
        self.local_idsn = local_idsn
        self.remote_key = b""
        self.remote_token = 0
        self.remote_idsn = 0
        self.checksum = False  # [R8684-3.1-47] [R8684-C.1.1-02] one decision for both directions
        self.peer_refuses_joins = False  # flag C was received [R8684-3.1-37]
        self.is_asked = False  # the last SYN from the peer had MP_CAPABLE
        self.is_unheard = False  # SYNs with MP_CAPABLE met silence, and the last one went without
        self.has_sent_key = False  # MP_CAPABLE with both keys has left
        self.is_asking = False  # we made the peer say something, to see whether it says it with DSS
        self.is_confirmed = False  # the peer is known to have our key

        self.snd_una = 1  # oldest octet without Data ACK [R8684-C.1.2-01]
        self.snd_nxt = 1  # next to be mapped for the first time [R8684-C.1.2-02]
        self.snd_edge = 1  # right edge of the peer's connection-level window
        self.snd_queue = Queue(1)  # written, and not yet acknowledged at data level [R8684-3.3.6-04]
        self.snd_fin = NO_OFFSET  # offset of our DATA_FIN once the application closed
        self.again = Spans()  # of what was mapped, to be mapped again [R8684-3.3.6-03]
        self.rescued = 1  # data before this offset was mapped again because it held the window up
        self.has_data_ack = False  # a Data ACK of something that we sent has come
        self.is_short = False  # the last write was cut short
        self.fast_cookie: bytes | None = None  # for our first SYN or SYN/ACK; empty to ask for one
        self.fast_mss = 0  # what the listener was known to take
        self.fast_heard = b""  # the cookie that came on the SYN/ACK
        self.fast_refused = False  # text went with our SYN and nothing of it was taken
        self.fast_received = 0  # octets of data that came with the peer's SYN; no DSN counts them
        self.is_fast = False  # opened by a cookie, and the handshake is not over
        self.snd_up = 0  # in plain TCP: data offset behind the last urgent octet written

        self.rcv_nxt = 1  # next expected, right after the IDSN [R8684-3.1-61] [R8684-C.1.3-01]
        self.rcv_edge = 1  # right edge of the window we announced: never retreats [R8684-C.1.3-02]
        self.rcv_held = Intervals(1)  # data out of order
        self.rcv_ready = Queue(1)  # data in order, for the application
        self.rcv_fin = NO_OFFSET  # offset of the peer's DATA_FIN once seen
        self.rcv_up = 0  # in plain TCP: data offset behind the last octet that the peer called urgent
        self.is_peer_wide = False  # data came with a DSN of 64 bits [R8684-3.3.2-02]

        self.fin_now = False  # the DATA_FIN leaves (again) with the next acknowledgment
        self.infinite = NO_OFFSET  # subflow offset where the infinite mapping starts, until sent
        self.is_alone = False  # we fell back, and the peer may not have heard of it
        self.is_told_again = False  # the infinite mapping goes on the next segment, with text or without
        self.is_aborting = False  # RSTs carry MP_FASTCLOSE

        self.retries = 0  # expiries since the last progress: the back-off
        self.unanswered = 0  # expiries since the peer last let us hope: the limit
        self.retransmit_at: Micros = NEVER
        self.orphan_at: Micros = NEVER  # when a connection that no subflow can end is given up

        self.nagle = choices.nagle  # on every subflow
        self.keep_alive = choices.keep_alive
        self.user_timeout: Micros = choices.user_timeout  # 0: wait for ever
        self.patience_una = 0  # snd_una when the wait began
        self.patience_at: Micros = NEVER
        self.hop_limit = choices.hop_limit  # of our packets [R9293-3.9.2-01]
        self.dscp = choices.dscp  # [R9293-3.9.1.9-01]

        self.first: FourTuple = (b"", 0, b"", 0)  # of the first subflow
        self.branches: list[Branch] = []
        self.count = 0  # of subflows that there ever were
        self.gone: list[FourTuple] = []  # of subflows that are over: the host takes them back
        self.buried_retrans = 0  # octets that subflows which are gone had sent again
        self.partings: list[SubflowClosed] = []  # that the application has not been told
        self.book = Book()
        self.scheduler = scheduler
        self.paths = paths
        self.coupling = Coupling()  # of the windows of all subflows [R8684-3.3.7-02]

        self.choices = choices
        self.journal = journal
        self.name = f"connection {handle}"

    def birth(self) -> tuple[object, ...]:
        """See ``Record``."""
        keys = (self.local_key, self.local_token, self.local_idsn)
        return (self.handle, self.listener, *keys, self.scheduler, self.paths, self.choices, self.journal)
