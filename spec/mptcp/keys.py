"""Keys and what is derived from them: tokens, IDSNs, the HMACs, the checksum of a mapping.

RFC 8684 §3.1-3.4 uses SHA-256; version 0 (RFC 6824) SHA-1 in the same places.
"""

import hmac
from hashlib import sha1, sha256
from typing import Final

from mptcp.values import Address, Port, Text
from mptcp.wire.checksum import compute_checksum, compute_sum, compute_text_sum
from mptcp.wire.octets import emit_16, emit_32, emit_64, u32

ADD_ADDR_HMAC: Final = 8  # octets; RFC 8684 §3.4.1


def compute_digest(key: bytes, version: int = 1) -> bytes:
    """The hash of ``key`` as it stands on the wire: 32 octets, or 20 in version 0.

    [R8684-3.1-43] [R8684-E-03]
    """
    return sha1(key).digest() if version == 0 else sha256(key).digest()


def compute_token(key: bytes, version: int = 1) -> int:
    """The token by which a connection is joined: the first 32 bits of the digest."""
    # [R8684-3.1-41] [R6824-3.1-07]
    return u32(compute_digest(key, version), 0)


def compute_idsn(key: bytes, version: int = 1) -> int:
    """The initial data sequence number: the last 64 bits of the digest."""
    # [R8684-3.1-42] [R6824-3.1-08] [R8684-3.1-44]
    return int.from_bytes(compute_digest(key, version)[-8:], "big")


def compute_join_hmac(
    own_key: bytes, peer_key: bytes, own_nonce: bytes, peer_nonce: bytes, version: int = 1
) -> bytes:
    """What proves on an MP_JOIN that its sender ("own") knows both keys: the whole HMAC.

    The SYN/ACK carries its first 8 octets, the ACK its first 20. [R8684-3.2-16] [R6824-3.2-01]
    """
    # [R8684-3.2-23] [R8684-5-02] the own key and the own nonce come first, whoever opened the connection
    return hmac.digest(own_key + peer_key, own_nonce + peer_nonce, "sha1" if version == 0 else "sha256")


def compute_add_addr_hmac(
    sender_key: bytes, receiver_key: bytes, address_id: int, address: Address, port: Port | None
) -> bytes:
    """What proves that an ADD_ADDR comes from the peer: 8 octets."""
    # [R8684-3.4.1-15] no port counts as port 0, [R8684-3.4.1-14] the announcer's key comes first
    message = bytes((address_id,)) + address + emit_16(0 if port is None else port)
    # [R8684-3.4.1-13] of this HMAC it is the last 64 bits
    return hmac.digest(sender_key + receiver_key, message, "sha256")[-ADD_ADDR_HMAC:]


def compute_dss_checksum(dsn: int, ssn: int, length: int, text: tuple[Text, ...]) -> int:
    """The checksum of a mapping over its text and the pseudo-header of RFC 8684 §3.3.1.

    ``dsn`` has 64 bits whatever the option carries [R8684-3.3.1-12]; ``length`` is the option's,
    a DATA_FIN included; ``text`` is all the text of the mapping.
    """
    # [R8684-3.3.1-11]
    header = emit_64(dsn) + emit_32(ssn) + emit_16(length) + b"\0\0"
    return compute_checksum(compute_text_sum(text, compute_sum(header, 0, len(header))))


def is_equal(a: bytes, b: bytes) -> bool:
    """Whether ``a`` and ``b`` are the same, in a time that does not tell where they differ."""
    return hmac.compare_digest(a, b)
