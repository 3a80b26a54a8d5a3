"""Every constant of the protocol: its unit, its clause, its reason.

What we were free to choose per host or connection stands in choices.py instead.
"""

from typing import Final

# -- units ------------------------------------------------------------------------------------
MILLISECOND: Final = 1_000  # µs
SECOND: Final = 1_000_000  # µs
HOUR: Final = 3_600 * SECOND  # µs

# -- TCP: RFC 9293, RFC 7323 ------------------------------------------------------------------
OPTION_SPACE: Final = 40  # octets; RFC 9293 §3.1: the data offset has four bits
TCP_HEADER: Final = 20  # octets without options; RFC 9293 §3.1
IPV4_HEADER: Final = 20  # octets without options; RFC 791 §3.1
IPV6_HEADER: Final = 40  # octets; RFC 8200 §3
LONGEST_TEXT: Final = 65_455  # octets; what the lengths of IP leave beside the longest headers
DEFAULT_MSS_IPV4: Final = 536  # octets; RFC 9293 §3.7.1 [R9293-3.7.1-01]
DEFAULT_MSS_IPV6: Final = 1220  # octets; RFC 9293 §3.7.1 [R9293-3.7.1-01]
MAXIMUM_URGENT: Final = 65_535  # the urgent pointer; RFC 9293 §3.1
MAXIMUM_WINDOW: Final = 65_535  # the window field, unscaled; RFC 9293 §3.1
MAXIMUM_WINDOW_SHIFT: Final = 14  # RFC 7323 §2.3 [R7323-2.3-02]
MAXIMUM_SEGMENT_LIFETIME: Final = 30 * SECOND  # µs; RFC 9293 §3.4.2 says 2 minutes; 30 s is usual
REOPENING_STEP: Final = 65_537  # from the last old number to a new ISS, where the clock is too slow; ours
TIMESTAMP_TICK: Final = MILLISECOND  # µs; RFC 7323 §5.4 [R7323-5.4-01] wraps after 24.8 days

# -- retransmission: RFC 6298, RFC 5681, RFC 6582 ---------------------------------------------
INITIAL_RTO: Final = 1 * SECOND  # µs; RFC 6298 §2 [R6298-2-01]
MAXIMUM_RTO: Final = 60 * SECOND  # µs; RFC 6298 §2 [R6298-2-06]
RTO_AFTER_SYN_LOSS: Final = 3 * SECOND  # µs; RFC 6298 §5.7 [R6298-5-04]
CLOCK_GRANULARITY: Final = MILLISECOND  # µs; G of RFC 6298 §2 [R6298-4-01]
CRUMB: Final = 256  # octets; shorter text is copied, so that no packet is kept for the sake of it; ours
FAST_OPEN_REST: Final = HOUR  # µs; after text on a SYN was not taken: RFC 7413 §4.1.3 [R7413-4.1.3-04]; ours
COOKIE_PERIOD: Final = 64 * SECOND  # µs; a SYN cookie is good for one to two of these: RFC 4987 §3.6; ours
DUPLICATE_ACK_THRESHOLD: Final = 3  # RFC 5681 §3.2 [R5681-3.2-02]
MIN_RTT_WINDOW: Final = 300 * SECOND  # µs; RFC 8985 §6.2 asks for some window; ours
REO_WND_PERSIST: Final = 16  # recoveries; RFC 8985 §6.2, step 4
MAXIMUM_ACK_DELAY: Final = 40 * MILLISECOND  # µs; of the peer: TLP.max_ack_delay of RFC 8985 §7.2; Linux's
MINIMUM_PTO: Final = 10 * MILLISECOND  # µs; no probe sooner, RFC 8985 §7.2 leaves it open; ours
INITIAL_WINDOW_SEGMENTS: Final = 10  # segments; RFC 6928 §2
INITIAL_WINDOW_FLOOR: Final = 14_600  # octets; RFC 6928 §2
CHALLENGE_ACK_INTERVAL: Final = 5 * MILLISECOND  # µs; RFC 5961 §7 asks a limit; ours

# -- the path MTU: RFC 1191, RFC 8201, RFC 4821, RFC 8899 ---------------------------------------
SMALLEST_PATH_MTU_IPV4: Final = (
    552  # octets; RFC 1191 §3 says 68; less is a mistake or an attack, as Linux has it
)
SMALLEST_PATH_MTU_IPV6: Final = 1_280  # octets; RFC 8200 §5 [R8201-4-01]
BASE_PATH_MTU: Final = (
    1_280  # octets; RFC 8899 §5.1.2 [R8899-5.1.2-01]; what IPv6 asks of each link passes tunnels
)
PATH_MTU_LIFETIME: Final = 600 * SECOND  # µs; RFC 8201 §4 [R8201-4-05], RFC 1191 §6.3, RFC 4821 §7.3
PROBE_ATTEMPTS: Final = 2  # probes of one size; RFC 4821 §7.6.2 has one, RFC 8899 §5.1.2 three
PROBE_STEP: Final = 8  # octets; less is not worth a probe; RFC 4821 §7.3 [R4821-7.3-02]
BLACK_HOLE_TIMEOUTS: Final = (
    2  # of full-sized segments in a row; RFC 4821 §7.7 has R1, we are in more of a hurry
)
TOO_BIG_TIMEOUTS: Final = 1  # MAXSEGRTO of RFC 5927 §7.2 [R5927-7.2-03]
PATHS: Final = 1_024  # remembered by a host; ours

# -- MPTCP: RFC 8684 --------------------------------------------------------------------------
MPTCP_OPTION: Final = 30  # the option kind; RFC 8684 §7.1 [R8684-7.1-01]
KEY_LENGTH: Final = 8  # octets; RFC 8684 §3.1
DESTINATIONS: Final = 1024  # addresses of which a host remembers what it learnt; RFC 8684 §3.9.3; ours
REST: Final = 1 * SECOND  # µs; before a pair of addresses is tried again, doubled by failures; ours
LONGEST_REST: Final = 60 * SECOND  # µs; ours
STRANGERS: Final = 16  # addresses of failing joins that a connection counts; RFC 8684 §3.9.3; ours
SIGNALS_IN_ROW: Final = 2  # acknowledgments for signalling alone; RFC 8684 §3.4.1 [R8684-3.4.1-31]
KEEPALIVES: Final = 3  # probes of a path whose address was removed; RFC 8684 §3.4.2; ours
LARGEST_MAPPING: Final = 65_535  # octets; the data-level length has 16 bits; RFC 8684 §3.3.1
REASON_UNSPECIFIED: Final = 0  # MP_TCPRST reasons; RFC 8684 §3.6 [R8684-7.4-01]
REASON_MPTCP: Final = 1
REASON_RESOURCES: Final = 2
REASON_PROHIBITED: Final = 3
REASON_OUTSTANDING: Final = 4
REASON_PERFORMANCE: Final = 5
REASON_MIDDLEBOX: Final = 6
