"""MP_JOIN (RFC 8684 §3.2): for now it is refused, politely."""

from mptcp.parameters import REASON_MPTCP, REASON_PROHIBITED
from mptcp.subflow.arrive import compute_reset
from mptcp.wire.endings import TcpReset
from mptcp.wire.handshake import CapableSyn, JoinSyn
from mptcp.wire.segment import ACK, SYN, Segment


def find_join(segment: Segment) -> JoinSyn | None:
    """The MP_JOIN of a SYN, if it has one."""
    if segment.flags & (SYN | ACK) != SYN:
        return None
    join: JoinSyn | None = None
    for option in segment.options:
        if isinstance(option, CapableSyn):
            return None  # both make no sense: the handshake becomes plain TCP
        if isinstance(option, JoinSyn):
            join = option
    return join


def refuse(segment: Segment, is_known: bool) -> Segment | None:
    """The RST for a joining SYN; its MP_TCPRST says whether the token is known or the wish is not granted.

    [R8684-3.2-24] [R8684-3.2-14] [R8684-3.2-25] [R8684-3.6-14]
    """
    reset = compute_reset(segment)
    if reset is None:
        return None
    reason = REASON_PROHIBITED if is_known else REASON_MPTCP
    return Segment(
        reset.source,
        reset.destination,
        reset.source_port,
        reset.destination_port,
        reset.sequence,
        reset.acknowledgment,
        reset.flags,
        0,
        0,
        (TcpReset(0, reason),),
        (),
    )
