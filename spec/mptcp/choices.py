"""Every MAY and SHOULD that we decided: field, default, clause.

``Choices`` is handed to a host and reaches every rule that was free to do otherwise. The tests
draw it, so that each permitted behaviour is tried and not just the default.
"""

from typing import Final, final

from mptcp.errors import Refused
from mptcp.parameters import HOUR, LONGEST_TEXT, MAXIMUM_SEGMENT_LIFETIME, MILLISECOND, SECOND
from mptcp.values import Micros, Port, Value

REFUSE: Final = 0  # checksums: fall back to TCP when the peer asks for them
ACCEPT: Final = 1  # checksums: use them if the peer asks
REQUIRE: Final = 2  # checksums: ask for them

NEWRENO: Final = "newreno"  # congestion control: RFC 5681
CUBIC: Final = "cubic"  # RFC 8312

LIA: Final = "lia"  # coupling of subflows: RFC 6356
UNCOUPLED: Final = "none"  # each subflow for itself

FULLMESH: Final = "fullmesh"  # path manager: a subflow between every two addresses
SINGLE: Final = "single"  # opens none beyond the first, and lets the peer


ECN_REFUSE: Final = 0  # ECN: leave it
ECN_ACCEPT: Final = 1  # ECN: use it if the peer asks
ECN_ASK: Final = 2  # ECN: ask for it


@final
class Choices(Value):
    """What the standards leave to us. All durations are µs, all sizes octets.

    Raises Refused when a combination makes no sense.
    """

    __match_args__ = (
        "multipath",
        "version",
        "lowest_version",
        "checksum",
        "join_initial_address",
        "paths",
        "subflows",
        "half_open_joins",
        "failed_joins",
        "addresses",
        "announce",
        "announcements",
        "stale_after",
        "give_up_after",
        "opportunistic",
        "penalise",
        "narrow_numbers",
        "fast_close_by_ack",
        "fast_close_retransmissions",
        "syn_attempts_with_mptcp",
        "blackhole_timeout",
        "receive_buffer",
        "send_buffer",
        "window_scaling",
        "timestamps",
        "sack",
        "rack",
        "frto",
        "congestion",
        "slow_start_segments",
        "coupling",
        "ecn",
        "minimum_rto",
        "syn_attempts",
        "retransmissions",
        "delayed_ack",
        "nagle",
        "time_wait",
        "subflow_time_wait",
        "reuse_time_wait",
        "reset_ends_time_wait",
        "close_timeout",
        "backlog",
        "syn_cookies",
        "fast_open",
        "fast_open_backlog",
        "fast_open_lifetime",
        "keep_alive",
        "keep_alive_idle",
        "keep_alive_interval",
        "keep_alive_probes",
        "user_timeout",
        "advice_after",
        "report_trouble",
        "hop_limit",
        "dscp",
        "mtu",
        "path_mtu_probing",
        "offload",
        "first_port",
    )

    def __init__(
        self,
        multipath: bool = True,
        version: int = 1,
        lowest_version: int = 1,
        checksum: int = ACCEPT,
        join_initial_address: bool = True,
        paths: str = FULLMESH,
        subflows: int = 8,
        half_open_joins: int = 8,
        failed_joins: int = 16,
        addresses: int = 8,
        announce: bool = False,
        announcements: int = 4,
        stale_after: int = 2,
        give_up_after: int = 10,
        opportunistic: bool = True,
        penalise: bool = True,
        narrow_numbers: bool = False,
        fast_close_by_ack: bool = False,
        fast_close_retransmissions: int = 3,
        syn_attempts_with_mptcp: int = 3,
        blackhole_timeout: Micros = 3_600 * SECOND,
        receive_buffer: int = 4 << 20,
        send_buffer: int = 4 << 20,
        window_scaling: bool = True,
        timestamps: bool = True,
        sack: bool = True,
        rack: bool = True,
        frto: bool = True,
        congestion: str = CUBIC,
        slow_start_segments: int = 1,
        coupling: str = LIA,
        ecn: int = ECN_ACCEPT,
        minimum_rto: Micros = 200 * MILLISECOND,
        syn_attempts: int = 8,
        retransmissions: int = 15,
        delayed_ack: Micros = 40 * MILLISECOND,
        nagle: bool = True,
        time_wait: Micros = 2 * MAXIMUM_SEGMENT_LIFETIME,
        subflow_time_wait: Micros = 10 * SECOND,
        reuse_time_wait: bool = True,
        reset_ends_time_wait: bool = True,
        close_timeout: Micros = 60 * SECOND,
        backlog: int = 1024,
        syn_cookies: bool = True,
        fast_open: bool = False,
        fast_open_backlog: int = 16,
        fast_open_lifetime: Micros = 24 * HOUR,
        keep_alive: bool = False,
        keep_alive_idle: Micros = 2 * HOUR,
        keep_alive_interval: Micros = 75 * SECOND,
        keep_alive_probes: int = 9,
        user_timeout: Micros = 0,
        advice_after: int = 3,
        report_trouble: bool = True,
        hop_limit: int = 64,
        dscp: int = 0,
        mtu: int = 1500,
        path_mtu_probing: bool = True,
        offload: int = 0,
        first_port: Port = 49_152,
    ) -> None:
        if checksum not in (REFUSE, ACCEPT, REQUIRE):
            raise Refused("checksum is one of REFUSE, ACCEPT, REQUIRE")
        if not 0 <= lowest_version <= version <= 1:
            raise Refused("the versions are 0 and 1, and the lowest is not above the highest")
        if receive_buffer < 1 or send_buffer < receive_buffer:
            # [R8684-3.3.5-06] the send buffer is at least as large as the receive buffer
            raise Refused("the send buffer is at least as large as the receive buffer")
        if congestion not in (NEWRENO, CUBIC):
            raise Refused("congestion is one of newreno, cubic")
        if not 1 <= slow_start_segments <= 2:
            # RFC 3465 §2.3: more is too bold
            raise Refused("in slow start an acknowledgment adds one segment or two")
        if coupling not in (LIA, UNCOUPLED):
            raise Refused("coupling is one of lia, none")
        if paths not in (FULLMESH, SINGLE):
            raise Refused("paths is one of fullmesh, single")
        if (
            min(subflows, announcements, stale_after, give_up_after) < 1
            or min(half_open_joins, failed_joins, addresses) < 0
        ):
            raise Refused("there is at least one subflow, and no limit is negative")
        if ecn not in (ECN_REFUSE, ECN_ACCEPT, ECN_ASK):
            raise Refused("ecn is one of ECN_REFUSE, ECN_ACCEPT, ECN_ASK")
        if not 1280 <= mtu <= 65_535:
            raise Refused("the MTU is between 1280 and 65535 octets")
        durations = (minimum_rto, delayed_ack, time_wait, subflow_time_wait, close_timeout, blackhole_timeout)
        if min(*durations, backlog, fast_close_retransmissions) < 0:
            raise Refused("durations and limits are not negative")
        if delayed_ack >= SECOND // 2:
            raise Refused("an acknowledgment is delayed by less than half a second")
        if min(keep_alive_idle, keep_alive_interval, fast_open_lifetime) <= 0 or keep_alive_probes < 1:
            raise Refused("keep-alives and cookies need some time")
        if min(user_timeout, advice_after, fast_open_backlog) < 0:
            raise Refused("durations and limits are not negative")
        if not 0 < hop_limit < 256 or not 0 <= dscp < 64:
            raise Refused("the hop limit is between 1 and 255, the DSCP between 0 and 63")
        if not 0 <= offload <= LONGEST_TEXT:
            raise Refused("a packet holds up to 65455 octets of text")
        if not 0 < first_port <= 65_535:
            raise Refused("a port is between 1 and 65535")
        if syn_attempts < 1 or retransmissions < 1:
            raise Refused("at least one attempt is made")
        # Speak MPTCP at all; off gives plain RFC 9293 TCP. RFC 8684 §3.1
        self.multipath: Final = multipath
        # The MPTCP version that our SYN offers, and the highest that we answer. RFC 8684 §3.1
        # [R8684-3.1-02] [R8684-3.1-03]
        self.version: Final = version
        # The lowest that we answer. 0 speaks RFC 6824 with whoever knows nothing newer, and tries it
        # where version 1 met no answer. RFC 8684 §3.1 [R8684-3.1-06]
        self.lowest_version: Final = lowest_version
        # Flag A: refuse, accept or require DSS checksums. RFC 8684 §3.1 [R8684-3.1-33] asks for
        # REQUIRE by default; like Linux we trust the TCP checksum, see [R8684-3.3.1-10]
        self.checksum: Final = checksum
        # Flag C clear: the peer may join to the initial address and port. RFC 8684 §3.1
        self.join_initial_address: Final = join_initial_address
        # Who decides about subflows beyond the first. RFC 8684 §3.4 [R8684-3.4-03]
        self.paths: Final = paths
        # Subflows of one connection at the same time, as Linux has them at most. RFC 8684 §3.2
        # [R8684-3.2-14] [R8684-3.9.2-03]
        self.subflows: Final = subflows
        # Joins of one connection that wait for their third packet. RFC 7430 §3
        self.half_open_joins: Final = half_open_joins
        # Joins of ours that fail in a row before no more are tried. RFC 8684 §3.9.2 [R8684-3.9.2-03]
        self.failed_joins: Final = failed_joins
        # Addresses of the peer that are remembered beside its first. RFC 8684 §3.4.1 [R8684-3.4.1-07]
        self.addresses: Final = addresses
        # Tell the peer of all addresses of the host, so that it may join them; as with Linux, only those
        # are told of otherwise that the caller names for it. RFC 8684 §3.4.1
        self.announce: Final = announce
        # ADD_ADDRs without an echo before the peer is left alone. RFC 8684 §3.4.1 [R8684-3.4.1-21]
        self.announcements: Final = announcements
        # Timeouts in a row after which a subflow carries nothing new while another can. RFC 8684 §3.3.6
        self.stale_after: Final = stale_after
        # And after which it is reset, while another carries what it would. RFC 8684 §3.3.6 [R8684-3.3.6-08]
        self.give_up_after: Final = give_up_after
        # Data that holds the window up goes on a faster subflow as well. RFC 8684 §3.3.6 [R8684-3.3.6-03]
        self.opportunistic: Final = opportunistic
        # And the window of the slower one is halved for it. RFC 8684 §3.3.8 [R8684-3.3.8-01]
        self.penalise: Final = penalise
        # DSNs, and Data ACKs to a peer that does likewise, of 32 bits up to the 2**32nd octet, so that no
        # rate wraps them. RFC 8684 §3.3.1 [R8684-3.3.1-23] [R8684-3.3.1-26]
        self.narrow_numbers: Final = narrow_numbers
        # Abort by an acknowledgment with MP_FASTCLOSE that the peer answers, and not by RSTs that may
        # be lost; version 0 always does. RFC 8684 §3.5 [R8684-3.5-04]
        self.fast_close_by_ack: Final = fast_close_by_ack
        # How often that acknowledgment is repeated. RFC 8684 §3.5 [R8684-3.5-12]
        self.fast_close_retransmissions: Final = fast_close_retransmissions
        # SYNs that carry MP_CAPABLE before one goes without. RFC 8684 §3.1 [R8684-3.1-57]
        self.syn_attempts_with_mptcp: Final = syn_attempts_with_mptcp
        # How long a destination that answered no SYN with MP_CAPABLE, but one without, gets SYNs
        # without; and one that did not answer in version 1 gets version 0. 0: this is not
        # remembered. RFC 8684 §3.9.3 [R8684-3.9.3-02] §3.1 [R8684-3.1-07]
        self.blackhole_timeout: Final = blackhole_timeout
        # The connection-level receive window is cut from this. RFC 8684 §3.3.4
        self.receive_buffer: Final = receive_buffer
        # Octets written and not yet acknowledged at data level. RFC 8684 §3.3.5
        self.send_buffer: Final = send_buffer
        # RFC 7323 §2
        self.window_scaling: Final = window_scaling
        # RFC 7323 §3. With MPTCP an acknowledgment has room for one SACK block beside them, else for
        # three. RFC 8684 appendix A [R8684-A-07]
        self.timestamps: Final = timestamps
        # Selective acknowledgments, both ways. RFC 2018 §2
        self.sack: Final = sack
        # With SACK, losses are told by time (RFC 8985) and not by counting (RFC 6675). RFC 8985 §9.2
        # [R8985-9.2-01] says not by both
        self.rack: Final = rack
        # After a timeout, see first whether it was one. RFC 5682 §2.1, §3.1
        self.frto: Final = frto
        # Who sets the congestion window: CUBIC, as nearly everybody does, since a path of high bandwidth
        # and delay is refilled in time; no bolder than NEWRENO where that would do. RFC 8312 §4.2
        self.congestion: Final = congestion
        # Segments that one acknowledgment adds in the first slow start: 1, RFC 5681 §3.1 [R5681-3.1-06]; or
        # 2, by way of experiment, for peers that acknowledge many segments at once: L of RFC 3465 §2.3
        self.slow_start_segments: Final = slow_start_segments
        # How the subflows of one connection share what they share: as one TCP would. RFC 8684 §3.3.7
        # [R8684-3.3.7-01]
        self.coupling: Final = coupling
        # Explicit congestion notification: refuse, accept or ask for it. RFC 3168 §6.1.1; as in Linux not
        # asked for, since there are boxes that take such a SYN amiss
        self.ecn: Final = ecn
        # RFC 6298 §2 [R6298-2-05] says 1 s; 200 ms is what all stacks do and Linux needs
        self.minimum_rto: Final = minimum_rto
        # SYNs and SYN/ACKs sent before giving up: 183 s, where RFC 9293 §3.8.3 [R9293-3.8.3-04]
        # asks for at least 3 minutes
        self.syn_attempts: Final = syn_attempts
        # Retransmissions of one segment before the subflow fails (R2). RFC 9293 §3.8.3
        self.retransmissions: Final = retransmissions
        # Below the half second of RFC 9293 §3.8.6.3 [R9293-3.8.6.3-01]
        self.delayed_ack: Final = delayed_ack
        # Small pieces wait for an acknowledgment, by default. RFC 9293 §3.7.4 [R9293-3.7.4-01]
        self.nagle: Final = nagle
        # 2 MSL. RFC 9293 §3.6.1 [R9293-3.6.1-01]
        self.time_wait: Final = time_wait
        # At most this after both DATA_FINs, which is when the stream is over. RFC 8684 §3.3.3
        # [R8684-3.3.3-11]
        self.subflow_time_wait: Final = subflow_time_wait
        # A SYN that is newer, by its timestamp or its number, opens anew from TIME-WAIT. RFC 9293
        # §3.6.1 [R9293-3.6.1-03] [R9293-3.6.1-05], RFC 6191 §2
        self.reuse_time_wait: Final = reuse_time_wait
        # RFC 9293 §3.10.7.4; False keeps TIME-WAIT to its end, as RFC 1337 §3 advises
        self.reset_ends_time_wait: Final = reset_ends_time_wait
        # How long a connection without subflows, or whose closing does not end, is kept. RFC 8684
        # §3.3.3 [R8684-3.3.3-14]. One that never had a second subflow, and knows of no other path, ends
        # with a RST of the peer: nobody will join it
        self.close_timeout: Final = close_timeout
        # Connections of one listener that wait in SYN-RECEIVED
        self.backlog: Final = backlog
        # Where the backlog is full, answer SYNs without keeping anything. RFC 4987 §3.6
        self.syn_cookies: Final = syn_cookies
        # Text on SYNs, both ways. RFC 7413 §2 [R7413-2-01]: only for those who can bear it twice
        self.fast_open: Final = fast_open
        # Connections of one listener that wait for the end of a fast open. RFC 7413 §4.2 [R7413-5.1-01]
        self.fast_open_backlog: Final = fast_open_backlog
        # How long our cookies are good, at least; at most twice so long. RFC 7413 §4.1.2 [R7413-4.1.2-01]
        self.fast_open_lifetime: Final = fast_open_lifetime
        # Keep-alives, by default. RFC 9293 §3.8.4 [R9293-3.8.4-02] [R9293-3.8.4-08]
        self.keep_alive: Final = keep_alive
        # Silence before the first one. RFC 9293 §3.8.4 [R9293-3.8.4-04] [R9293-3.8.4-05]
        self.keep_alive_idle: Final = keep_alive_idle
        # Silence before the next one, and how many are sent. RFC 9293 §3.8.4 [R9293-3.8.4-06]; as in Linux
        self.keep_alive_interval: Final = keep_alive_interval
        self.keep_alive_probes: Final = keep_alive_probes
        # How long what was written may wait for an acknowledgment; 0: for ever. RFC 9293 §3.9.1.1
        self.user_timeout: Final = user_timeout
        # Retransmissions of one segment before the user hears of trouble (R1). RFC 9293 §3.8.3
        # [R9293-3.8.3-01] [R9293-3.8.3-06]
        self.advice_after: Final = advice_after
        # Whether the user hears of trouble at all. RFC 9293 §3.9.1.8 [R9293-3.9.1.8-02]
        self.report_trouble: Final = report_trouble
        # Of every packet. RFC 9293 §3.9.2 [R9293-3.9.2-01]
        self.hop_limit: Final = hop_limit
        # The six bits of RFC 2474. RFC 9293 §3.9.1.9 [R9293-3.9.1.9-01]
        self.dscp: Final = dscp
        # Of the device, for the MSS we announce. RFC 9293 §3.7.1
        self.mtu: Final = mtu
        # Look for a larger path MTU by segments of text after it was found to be less than both ends
        # take. RFC 4821 §7 [R4821-7.3-01], RFC 8201 §4 [R8201-4-05]
        self.path_mtu_probing: Final = path_mtu_probing
        # Octets of text in one segment where the device cuts it into those that the path takes; 0: it
        # does not. Every count follows octets, so that nothing else changes
        self.offload: Final = offload
        # Active opens call from here up to 65535, RFC 6335 §6
        self.first_port: Final = first_port
