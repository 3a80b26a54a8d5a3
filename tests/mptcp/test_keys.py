"""Tokens, IDSNs, HMACs and the checksum of a mapping."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp import keys
from mptcp.values import Text
from mptcp.wire.checksum import checksum_by_the_book
from mptcp_model import strategies

KEY_A, KEY_B = bytes(range(8)), bytes(range(8, 16))


@pytest.mark.clause("R8684-3.1-41", "R8684-3.1-42", "R8684-3.1-43", "R8684-3.1-44", "R8684-3.1-60")
def test_token_and_idsn_are_both_ends_of_the_digest() -> None:
    """SHA-256 of the eight octets as they stand on the wire: first 32 bits, last 64."""
    digest = bytes.fromhex("8a851ff82ee7048ad09ec3847f1ddf44944104d2cbd17ef4e3db22c6785a0d45")
    assert keys.compute_digest(KEY_A) == digest
    assert keys.compute_token(KEY_A) == 0x8A851FF8
    assert keys.compute_idsn(KEY_A) == 0xE3DB22C6785A0D45


@pytest.mark.clause("R6824-3.1-07", "R6824-3.1-08")
def test_version_0_uses_sha_1() -> None:
    """In the same places."""
    assert keys.compute_token(KEY_A, 0) == 0x67423EBF
    assert keys.compute_idsn(KEY_A, 0) == 0xD6C0DC731A3DDD6B
    assert len(keys.compute_digest(KEY_A, 0)) == 20


@pytest.mark.clause("R8684-3.2-16", "R8684-3.2-23", "R6824-3.2-01", "R8684-5-02")
@given(strategies.keys, strategies.keys, strategies.nonces, strategies.nonces, st.sampled_from([0, 1]))
def test_each_side_can_check_the_other(
    own: bytes, peer: bytes, mine: bytes, yours: bytes, version: int
) -> None:
    """What one computes as its own the other computes as its peer's, and nobody else's."""
    sent = keys.compute_join_hmac(own, peer, mine, yours, version)
    assert len(sent) == (20 if version == 0 else 32)
    assert keys.is_equal(sent, keys.compute_join_hmac(own, peer, mine, yours, version))
    if (own, mine) != (peer, yours):
        assert not keys.is_equal(sent, keys.compute_join_hmac(peer, own, yours, mine, version))


@pytest.mark.clause("R8684-3.4.1-13", "R8684-3.4.1-14", "R8684-3.4.1-15")
def test_add_addr_hmac_covers_port_0_for_no_port() -> None:
    """The last 64 bits; the announcer's key first."""
    signed = keys.compute_add_addr_hmac(KEY_A, KEY_B, 1, bytes([192, 0, 2, 2]), None)
    assert signed.hex() == "944498d5c33c87bc"
    assert signed == keys.compute_add_addr_hmac(KEY_A, KEY_B, 1, bytes([192, 0, 2, 2]), 0)
    assert signed != keys.compute_add_addr_hmac(KEY_B, KEY_A, 1, bytes([192, 0, 2, 2]), None)


@pytest.mark.clause("R8684-3.3.1-11", "R8684-3.3.1-12", "R8684-3.3.1-13")
@given(strategies.u64, strategies.u32, strategies.u16, strategies.texts())
def test_checksum_of_a_mapping(dsn: int, ssn: int, length: int, text: tuple[Text, ...]) -> None:
    """The book's checksum over the text, padded, and the pseudo-header."""
    octets = b"".join([piece.octets() for piece in text])
    padded = octets + b"\0" * (len(octets) % 2)
    header = dsn.to_bytes(8, "big") + ssn.to_bytes(4, "big") + length.to_bytes(2, "big") + b"\0\0"
    assert keys.compute_dss_checksum(dsn, ssn, length, text) == checksum_by_the_book(padded + header)


@pytest.mark.clause("R8684-3.3.3-05")
def test_checksum_of_a_bare_data_fin() -> None:
    """Over the pseudo-header alone, with SSN 0 and length 1."""
    assert keys.compute_dss_checksum(0xE3DB22C6785A0D5D, 0, 1, ()) == 0x73A5


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_is_equal(a: bytes, b: bytes) -> None:
    """Equality, whatever time it takes."""
    assert keys.is_equal(a, a)
    assert keys.is_equal(a, b) == (a == b)
