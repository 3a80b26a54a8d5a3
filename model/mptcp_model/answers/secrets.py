"""What follows from keys: tokens, IDSNs, the HMACs of joins and of addresses, of both versions."""

from typing import Any, Final

from mptcp.keys import compute_add_addr_hmac, compute_idsn, compute_join_hmac, compute_token
from mptcp.wire.handshake import ACK_HMAC, SYN_ACK_HMAC
from mptcp_model.answers.octets import make_octets
from mptcp_model.answers.options import ADDRESSES
from mptcp_model.decoding.names import name_address

TITLE: Final = (
    "Two keys and two nonces: tokens, IDSNs, the HMACs of MP_JOIN whoever opens it, those of ADD_ADDR"
)

KEYS: Final = (  # of A and B
    (bytes(range(8)), bytes(range(8, 16))),
    (bytes(8), bytes([255] * 8)),
    (make_octets("one key", 8), make_octets("one key", 8)),
    *((make_octets(f"key A {turn}", 8), make_octets(f"key B {turn}", 8)) for turn in range(12)),
)
PORTS: Final = (None, 1, 4_433, 0xFFFF)


def make() -> list[dict[str, Any]]:
    """The vectors."""
    made = []
    for version in (0, 1):
        for turn, (key_a, key_b) in enumerate(KEYS):
            nonces = make_octets(f"nonce A {turn}", 4), make_octets(f"nonce B {turn}", 4)
            made.append(make_pair(version, key_a, key_b, *nonces))
    return made


def make_pair(version: int, key_a: bytes, key_b: bytes, nonce_a: bytes, nonce_b: bytes) -> dict[str, Any]:
    """One vector: of two hosts that have these keys and draw these nonces."""
    made: dict[str, Any] = {"version": version}
    for name, key, nonce in (("a", key_a, nonce_a), ("b", key_b, nonce_b)):
        made[f"key_{name}"], made[f"nonce_{name}"] = key.hex(), nonce.hex()
        made[f"token_{name}"] = f"{compute_token(key, version):08x}"
        made[f"idsn_{name}"] = f"{compute_idsn(key, version):016x}"
    from_a = compute_join_hmac(key_a, key_b, nonce_a, nonce_b, version)
    from_b = compute_join_hmac(key_b, key_a, nonce_b, nonce_a, version)
    for name, hmac in (("a", from_a), ("b", from_b)):
        made[f"hmac_{name}"] = hmac.hex()
        made[f"syn_ack_hmac_{name}"] = hmac[:SYN_ACK_HMAC].hex()  # if the other one sends the SYN
        made[f"ack_hmac_{name}"] = hmac[:ACK_HMAC].hex()
    if version > 0:
        made["add_addr"] = [
            make_address(sender, keys, address_id, address, port)
            for sender, keys in (("a", (key_a, key_b)), ("b", (key_b, key_a)))
            for address_id, address in enumerate(ADDRESSES, 1)
            for port in PORTS
        ]
    return made


def make_address(
    sender: str, keys: tuple[bytes, bytes], address_id: int, address: bytes, port: int | None
) -> dict[str, Any]:
    """An ADD_ADDR of that sender, whose key comes first, and its HMAC."""
    hmac = compute_add_addr_hmac(*keys, address_id, address, port)
    fields: dict[str, Any] = {"sender": sender, "address_id": address_id, "address": name_address(address)}
    return fields | {"port": port, "hmac": hmac.hex()}
