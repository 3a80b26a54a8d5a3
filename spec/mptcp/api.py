"""The user: the verbs of RFC 6897, and what Linux tells of a connection under Linux's own names.

An application that knows nothing of Multipath TCP needs none of this: the calls of ``Host`` are
those of RFC 9293 §3.10 (RFC 6897 §4). This is for one that wants to know. Every call raises Refused
when the connection does not exist.
"""

from typing import Final, final

from mptcp.host import Host
from mptcp.values import Address, Port, Value

FALLBACK: Final = 1  # MPTCP_INFO_FLAG_FALLBACK of linux/mptcp.h
REMOTE_KEY_RECEIVED: Final = 2  # MPTCP_INFO_FLAG_REMOTE_KEY_RECEIVED


@final
class AddressPair(Value):
    """The addresses and ports of one subflow (RFC 6897 §5.3.1)."""

    __match_args__ = ("local", "local_port", "remote", "remote_port")

    def __init__(self, local: Address, local_port: Port, remote: Address, remote_port: Port) -> None:
        self.local: Final = local
        self.local_port: Final = local_port
        self.remote: Final = remote
        self.remote_port: Final = remote_port


@final
class MptcpInfo(Value):
    """``struct mptcp_info`` of linux/mptcp.h, as far as it speaks of what there is. Octets.

    The sequence numbers are offsets from the initial data sequence number, not numbers of the wire.
    """

    __match_args__ = (
        "mptcpi_subflows",
        "mptcpi_flags",
        "mptcpi_token",
        "mptcpi_csum_enabled",
        "mptcpi_write_seq",
        "mptcpi_snd_una",
        "mptcpi_rcv_nxt",
        "mptcpi_bytes_sent",
        "mptcpi_bytes_received",
        "mptcpi_bytes_acked",
        "mptcpi_bytes_retrans",
    )

    def __init__(
        self,
        mptcpi_subflows: int,
        mptcpi_flags: int,
        mptcpi_token: int,
        mptcpi_csum_enabled: int,
        mptcpi_write_seq: int,
        mptcpi_snd_una: int,
        mptcpi_rcv_nxt: int,
        mptcpi_bytes_sent: int,
        mptcpi_bytes_received: int,
        mptcpi_bytes_acked: int,
        mptcpi_bytes_retrans: int,
    ) -> None:
        self.mptcpi_subflows: Final = mptcpi_subflows  # beyond the first one
        self.mptcpi_flags: Final = mptcpi_flags
        self.mptcpi_token: Final = mptcpi_token
        self.mptcpi_csum_enabled: Final = mptcpi_csum_enabled
        self.mptcpi_write_seq: Final = mptcpi_write_seq
        self.mptcpi_snd_una: Final = mptcpi_snd_una
        self.mptcpi_rcv_nxt: Final = mptcpi_rcv_nxt
        self.mptcpi_bytes_sent: Final = mptcpi_bytes_sent
        self.mptcpi_bytes_received: Final = mptcpi_bytes_received
        self.mptcpi_bytes_acked: Final = mptcpi_bytes_acked
        self.mptcpi_bytes_retrans: Final = mptcpi_bytes_retrans


def is_multipath(host: Host, connection: int) -> bool:
    """Whether MPTCP is spoken; False with a plain peer and after fallback (RFC 6897 §5.3.1)."""
    return host.status(connection).multipath


def get_subflows(host: Host, connection: int) -> tuple[AddressPair, ...]:
    """The pairs in use: TCP_MULTIPATH_SUBFLOWS (RFC 6897 §5.3.1)."""
    return tuple(
        [
            AddressPair(one.local, one.local_port, one.remote, one.remote_port)
            for one in host.status(connection).subflows
        ]
    )


def get_connection_id(host: Host, connection: int) -> int:
    """A number unique on this host: TCP_MULTIPATH_CONNID, our token (RFC 6897 §5.3.1)."""
    return host.status(connection).local_token


def get_mptcp_info(host: Host, connection: int) -> MptcpInfo:
    """What getsockopt MPTCP_INFO of Linux would tell."""
    info = host.status(connection)
    flags = (0 if info.multipath else FALLBACK) | (REMOTE_KEY_RECEIVED if info.remote_token else 0)
    return MptcpInfo(
        len(info.subflows) - 1,
        flags,
        info.local_token,
        int(info.checksum),
        info.bytes_sent + info.unsent + 1,
        info.bytes_acked + 1,
        info.bytes_received + 1,
        info.bytes_sent,
        info.bytes_received,
        info.bytes_acked,
        info.bytes_retrans,
    )
