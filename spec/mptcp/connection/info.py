"""A look at a connection from outside (RFC 9293 §3.10.6 STATUS)."""

from typing import Final, final

from mptcp.connection.control import Branch, Control, Mode
from mptcp.connection.reinject import is_spare
from mptcp.values import Address, Micros, Port, Value


@final
class SubflowInfo(Value):
    """One subflow: addresses, state, and the numbers that matter. Octets and µs."""

    __match_args__ = (
        "state",
        "local",
        "local_port",
        "remote",
        "remote_port",
        "snd_cwnd",
        "snd_ssthresh",
        "srtt",
        "rto",
        "snd_wnd",
        "rcv_wnd",
        "unacked",
        "bytes_retrans",
        "snd_mss",
        "joining",
        "is_backup",
        "local_id",
        "remote_id",
        "bytes_sent",
        "bytes_received",
    )

    def __init__(
        self,
        state: str,
        local: Address,
        local_port: Port,
        remote: Address,
        remote_port: Port,
        snd_cwnd: int,
        snd_ssthresh: int,
        srtt: Micros,
        rto: Micros,
        snd_wnd: int,
        rcv_wnd: int,
        unacked: int,
        bytes_retrans: int,
        snd_mss: int,
        joining: str,
        is_backup: bool,
        local_id: int,
        remote_id: int,
        bytes_sent: int,
        bytes_received: int,
    ) -> None:
        self.state: Final = state
        self.local: Final = local
        self.local_port: Final = local_port
        self.remote: Final = remote
        self.remote_port: Final = remote_port
        self.snd_cwnd: Final = snd_cwnd
        self.snd_ssthresh: Final = snd_ssthresh
        self.srtt: Final = srtt
        self.rto: Final = rto
        self.snd_wnd: Final = snd_wnd
        self.rcv_wnd: Final = rcv_wnd
        self.unacked: Final = unacked
        self.bytes_retrans: Final = bytes_retrans
        self.snd_mss: Final = snd_mss
        self.joining: Final = joining  # whether it is part of the connection yet
        self.is_backup: Final = is_backup
        self.local_id: Final = local_id  # Address IDs
        self.remote_id: Final = remote_id
        self.bytes_sent: Final = bytes_sent  # each octet once for this subflow
        self.bytes_received: Final = bytes_received


@final
class ConnectionInfo(Value):
    """A connection: what is spoken, what went, what is left. Octets."""

    __match_args__ = (
        "state",
        "multipath",
        "reason",
        "error",
        "checksum",
        "local",
        "local_port",
        "remote",
        "remote_port",
        "local_token",
        "remote_token",
        "bytes_sent",
        "bytes_acked",
        "bytes_received",
        "bytes_retrans",
        "unread",
        "unsent",
        "is_finished",
        "urgent",
        "subflows",
    )

    def __init__(
        self,
        state: str,
        multipath: bool,
        reason: str,
        error: str,
        checksum: bool,
        local: Address,
        local_port: Port,
        remote: Address,
        remote_port: Port,
        local_token: int,
        remote_token: int,
        bytes_sent: int,
        bytes_acked: int,
        bytes_received: int,
        bytes_retrans: int,
        unread: int,
        unsent: int,
        is_finished: bool,
        urgent: int,
        subflows: tuple[SubflowInfo, ...],
    ) -> None:
        self.state: Final = state
        self.multipath: Final = multipath  # False with a plain peer and after fallback
        self.reason: Final = reason  # why it is plain TCP although MPTCP was wished
        self.error: Final = error
        self.checksum: Final = checksum
        self.local: Final = local
        self.local_port: Final = local_port
        self.remote: Final = remote
        self.remote_port: Final = remote_port
        self.local_token: Final = local_token
        self.remote_token: Final = remote_token
        self.bytes_sent: Final = bytes_sent  # of data, each octet once
        self.bytes_acked: Final = bytes_acked
        self.bytes_received: Final = bytes_received  # in order
        self.bytes_retrans: Final = bytes_retrans  # on all subflows
        self.unread: Final = unread
        self.unsent: Final = unsent
        self.is_finished: Final = is_finished  # the peer will send no more
        self.urgent: Final = urgent  # octets from the next one to be read to the end of the urgent ones
        self.subflows: Final = subflows


def compute_subflow_info(branch: Branch) -> SubflowInfo:
    """STATUS of one subflow."""
    tcb = branch.subflow.tcb
    return SubflowInfo(
        tcb.state.value,
        tcb.local,
        tcb.local_port,
        tcb.remote,
        tcb.remote_port,
        tcb.window.cwnd,
        tcb.window.ssthresh,
        tcb.srtt,
        tcb.rto,
        tcb.snd_wnd,
        tcb.rcv_edge - tcb.rcv_nxt,
        tcb.snd_nxt - tcb.snd_una,
        tcb.octets_retransmitted,
        tcb.snd_mss,
        branch.joining.value,
        is_spare(branch),
        branch.local_id,
        branch.remote_id,
        tcb.octets_sent,
        tcb.octets_received,
    )


def compute_info(control: Control) -> ConnectionInfo:
    """STATUS of a connection."""
    # [R8684-4-10] as plain TCP would show it
    subflows = tuple([compute_subflow_info(branch) for branch in control.branches if not branch.is_forsaken])
    end = control.snd_queue.end
    return ConnectionInfo(
        control.state.value,
        control.mode is Mode.MULTIPATH,
        control.reason,
        control.error,
        control.checksum,
        *control.first,
        control.local_token,
        control.remote_token,
        min(control.snd_nxt, end) - 1,
        min(control.snd_una, end) - 1,
        control.rcv_ready.end - 1,
        control.buried_retrans + sum([one.bytes_retrans for one in subflows]),
        len(control.rcv_ready),
        end - min(control.snd_nxt, end),
        control.rcv_nxt > control.rcv_fin >= 0,
        max(control.rcv_up - control.rcv_ready.start, 0),  # [R9293-3.8.5-04]
        subflows,
    )
