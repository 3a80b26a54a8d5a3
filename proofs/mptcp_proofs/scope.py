"""Which RFCs of the catalogue are built: every clause of these is met, or filed with its reason.

A clause of such an RFC that is neither is an *orphan*, and a test fails on it. What is not listed here is
not claimed.
"""

from collections.abc import Iterable
from typing import Final

from mptcp_proofs.clauses import Clause

BUILT: Final = {
    8684: "Multipath TCP",
    6824: "Multipath TCP, version 0",
    9293: "TCP",
    5681: "congestion control",
    2018: "selective acknowledgment",
    2883: "duplicates reported",
    3042: "limited transmit",
    3522: "echoes of the first copy",
    5682: "late or lost",
    6675: "recovery with selective acknowledgment",
    6937: "proportional rate reduction",
    8312: "CUBIC",
    8985: "loss by time, and loss probes",
    5961: "blind attacks",
    6298: "the retransmission timer",
    6582: "NewReno",
    6356: "coupled congestion control",
    3168: "explicit congestion notification",
    1191: "path MTU by ICMP",
    8201: "path MTU by ICMPv6",
    4821: "path MTU by probing",
    8899: "path MTU by probing, as a machine",
    5927: "ICMP that anybody may have sent",
    7323: "window scale and timestamps",
    6528: "initial sequence numbers",
    6056: "ephemeral ports",
    4987: "SYN cookies",
    7413: "fast open",
    6191: "TIME-WAIT and new connections",
    1337: "TIME-WAIT and old resets",
}


def is_built(clause: Clause, rfcs: Iterable[int] = BUILT) -> bool:
    """Whether ``clause`` belongs to an RFC that is built."""
    return clause.rfc in rfcs
