"""A SYN in TIME-WAIT: a new connection, if it cannot be an old duplicate (RFC 9293 §3.6.1, RFC 6191)."""

from mptcp.numbers import MASK_32, compute_offset_32, compute_signed_32
from mptcp.parameters import REOPENING_STEP
from mptcp.subflow.control import Control
from mptcp.subflow.state import State
from mptcp.wire.options import Timestamps
from mptcp.wire.segment import ACK, RST, SYN, Segment


def is_newer(is_higher: bool, ts_recent: int, before: bool, value: int, now: bool) -> bool:
    """RFC 6191 §2: whether a SYN belongs after all that its predecessor sent.

    ``is_higher``: its number is beyond the last one received. ``before`` and ``now``: timestamps were
    used, and are used by the SYN, with ``value``; 32 bits.
    """
    if before and now:
        step = compute_signed_32(value - ts_recent)
        return step > 0 or (step == 0 and is_higher)  # [R6191-2-01] [R6191-2-02]
    if now:
        return True  # [R6191-2-03] old duplicates have none
    return is_higher  # [R6191-2-04] [R9293-3.6.1-05]


def may_reopen(tcb: Control, segment: Segment) -> bool:
    """Whether ``segment`` ends TIME-WAIT and is a listener's affair again [R9293-3.6.1-03]."""
    if tcb.state is not State.TIME_WAIT or segment.flags & (SYN | ACK | RST) != SYN:
        return False
    if not tcb.choices.reuse_time_wait:
        return False
    value, has_timestamps = 0, False
    for option in segment.options:
        if isinstance(option, Timestamps):
            value, has_timestamps = option.value, tcb.choices.timestamps
    is_higher = compute_offset_32(tcb.irs, segment.sequence, tcb.rcv_nxt) >= tcb.rcv_nxt
    return is_newer(is_higher, tcb.ts_recent, tcb.timestamps, value, has_timestamps)


def compute_next_iss(tcb: Control, iss: int) -> int:
    """``iss``, unless the connection that ``tcb`` was has come near or past it: then well beyond.

    [R9293-3.6.1-05] The new numbers are larger than all the old ones.
    """
    last = tcb.iss + tcb.snd_nxt
    return iss if compute_signed_32(iss - last) > 0 else last + REOPENING_STEP & MASK_32
