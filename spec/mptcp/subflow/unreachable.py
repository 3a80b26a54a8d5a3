"""ICMP "unreachable" (RFC 9293 §3.9.2.2), believed no further than RFC 5927 advises.

An open that is under way may fail by it. A connection that stands is never cut off by what anybody
could have sent: RFC 5927 §6.2 treats every error there as a soft one.
"""

from typing import Final

from mptcp.numbers import compute_offset_32
from mptcp.subflow.control import Control
from mptcp.subflow.state import State
from mptcp.subflow.timers import end
from mptcp.values import Micros

HARD_4: Final = (2, 3)  # protocol and port unreachable: RFC 9293 §3.9.2.2, RFC 1122 §4.2.3.9
HARD_6: Final = (1, 4)  # administratively prohibited, port unreachable: RFC 4443 §3.1


def is_hard(code: int, is_ipv4: bool) -> bool:
    """Whether trying again is in vain [R9293-3.9.2.2-05]."""
    return code in HARD_4 if is_ipv4 else code in HARD_6


def is_plausible(offset: int, snd_una: int, snd_nxt: int) -> bool:
    """Whether the quoted segment can be one that is in flight (RFC 5927 §4.1)."""
    return snd_una <= offset < snd_nxt


def arrive(tcb: Control, code: int, sequence: int, now: Micros) -> None:
    """A soft error is remembered, and named if the open fails; a hard one ends an open at once."""
    if not is_plausible(compute_offset_32(tcb.iss, sequence, tcb.snd_una), tcb.snd_una, tcb.snd_nxt):
        return
    tcb.journal.note(now, tcb.name, "ICMP unreachable", str(code))
    tcb.trouble = "unreachable"  # [R9293-3.9.1.8-01] [R9293-3.9.2.2-04]
    if tcb.state is not State.SYN_SENT:
        return  # [R9293-3.9.2.2-03] a soft error does not abort
    tcb.is_unreachable = True
    if is_hard(code, len(tcb.remote) == 4):
        end(tcb, "unreachable", now)
