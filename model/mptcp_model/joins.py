"""More subflows in a dialogue: a peer that joins, or is joined, by every rule or against one.

    user, first = established(multipath=True)
    other = first.dialogue.meets(port=41_000)
    join(other, first)                      # all four packets; ``other`` is a subflow now

``first`` is the peer on the first subflow, of which keys and checksums are those of the connection.
"""

from mptcp.keys import compute_add_addr_hmac, compute_join_hmac, compute_token
from mptcp.values import Address, Port
from mptcp.wire.addresses import AddAddr
from mptcp.wire.handshake import JoinAck, JoinSyn, JoinSynAck
from mptcp.wire.options import MaximumSegmentSize
from mptcp.wire.segment import ACK, SYN, Segment
from mptcp_model.dialogue import DataSignal, Peer

NONCE = b"none"  # the peer's


def share(other: Peer, first: Peer) -> None:
    """The keys, the version and the use of checksums are those of ``first``."""
    other.key, other.host_key = first.key, first.host_key
    other.version, other.checksum = first.version, first.checksum


def make_syn(other: Peer, first: Peer, address_id: int = 1, backup: bool = False) -> JoinSyn:
    """MP_JOIN of a SYN from ``other``."""
    share(other, first)
    return JoinSyn(backup, address_id, compute_token(first.host_key, first.version), NONCE)


def compute_hmac(other: Peer, host_nonce: bytes) -> bytes:
    """All of the HMAC with which the peer proves that it knows both keys."""
    return compute_join_hmac(other.key, other.host_key, NONCE, host_nonce, other.version)


def compute_host_hmac(other: Peer, host_nonce: bytes) -> bytes:
    """And that of the host."""
    return compute_join_hmac(other.host_key, other.key, host_nonce, NONCE, other.version)


def find_nonce(one: Segment) -> bytes:
    """The nonce in the MP_JOIN of the host's SYN or SYN/ACK."""
    for option in one.options:
        if isinstance(option, (JoinSyn, JoinSynAck)):
            return option.nonce
    raise AssertionError(f"no MP_JOIN with a nonce in {one.options!r}")


def make_syn_ack(
    other: Peer, first: Peer, syn: Segment, address_id: int = 0, backup: bool = False
) -> JoinSynAck:
    """MP_JOIN of the SYN/ACK that answers the host's ``syn``."""
    share(other, first)
    return JoinSynAck(backup, address_id, compute_hmac(other, find_nonce(syn))[:8], NONCE)


def make_ack(other: Peer, syn_ack: Segment) -> JoinAck:
    """MP_JOIN of the third packet, after the host's ``syn_ack``."""
    return JoinAck(compute_hmac(other, find_nonce(syn_ack))[:20])


def ask(other: Peer, first: Peer, address_id: int = 1, backup: bool = False) -> Segment:
    """The peer's SYN with MP_JOIN; the host's SYN/ACK."""
    other.sends(SYN, options=[MaximumSegmentSize(1460), make_syn(other, first, address_id, backup)])
    return other.expects(SYN | ACK, seq=0, ack=1, options=[JoinSynAck])


def join(other: Peer, first: Peer, address_id: int = 1, backup: bool = False) -> None:
    """The peer opens another subflow, up to the fourth packet."""
    syn_ack = ask(other, first, address_id, backup)
    other.sends(ACK, options=[make_ack(other, syn_ack)])
    other.expects(ACK, seq=1, ack=1, options=[DataSignal()])


def be_joined(other: Peer, first: Peer, address_id: int = 0, backup: bool = False) -> None:
    """The host opens another subflow, and the peer lets it, up to the fourth packet."""
    syn = other.expects(SYN, seq=0, options=[JoinSyn])
    other.sends(
        SYN | ACK,
        options=[MaximumSegmentSize(1460), make_syn_ack(other, first, syn, address_id, backup)],
    )
    other.expects(ACK, seq=1, ack=1, options=[JoinAck])
    other.sends(ACK, options=[DataSignal(ack=1)])


def announce(peer: Peer, address_id: int, address: Address, port: Port | None = None) -> AddAddr:
    """ADD_ADDR as only the peer can make it."""
    hmac = compute_add_addr_hmac(peer.key, peer.host_key, address_id, address, port)
    return AddAddr(address_id, address, port, hmac)
