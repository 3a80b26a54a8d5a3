"""Worked values of RFC 8684 and RFC 6824, made without this code: tests/vectors/test-vectors.json."""

import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from mptcp import keys
from mptcp.numbers import compute_offset_32, compute_offset_64, compute_wire_32, compute_wire_64
from mptcp.values import Text
from mptcp.wire.addresses import AddAddr, AddAddrEcho
from mptcp.wire.checksum import compute_sum
from mptcp.wire.handshake import JoinAck, JoinSyn, JoinSynAck
from mptcp.wire.options import Unknown
from mptcp.wire.segment import ACK, RST, SYN, parse_options

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "vectors" / "test-vectors.json").read_text()
)
PAIRS = [(1, one) for one in VECTORS["v1"]] + [(0, one) for one in VECTORS["v0"]]
NAMES = [f"v{version}-{one['n']}" for version, one in PAIRS]


def octets(one: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(one[name])


@pytest.mark.clause("R8684-3.1-41", "R8684-3.1-42", "R6824-3.1-07", "R6824-3.1-08", "R8684-E-03")
@pytest.mark.parametrize(("version", "one"), PAIRS, ids=NAMES)
def test_tokens_and_idsns(version: int, one: dict[str, Any]) -> None:
    """Of both hosts."""
    for host in "AB":
        key = octets(one, "key" + host)
        assert keys.compute_digest(key, version).hex() == one["hash" + host]
        assert f"{keys.compute_token(key, version):08x}" == one["token" + host]
        assert f"{keys.compute_idsn(key, version):016x}" == one["idsn" + host]


@pytest.mark.clause("R8684-3.2-16", "R8684-3.2-23", "R6824-3.2-01", "R8684-E-03", "R8684-5-02")
@pytest.mark.parametrize(("version", "one"), PAIRS, ids=NAMES)
def test_join_hmacs(version: int, one: dict[str, Any]) -> None:
    """Whole and cut, whichever host sends the SYN, and the three options that carry them."""
    key_a, key_b = octets(one, "keyA"), octets(one, "keyB")
    nonce_a, nonce_b = octets(one, "nonceA"), octets(one, "nonceB")
    a = keys.compute_join_hmac(key_a, key_b, nonce_a, nonce_b, version)
    b = keys.compute_join_hmac(key_b, key_a, nonce_b, nonce_a, version)
    assert (a.hex(), b.hex()) == (one["hmacA_full"], one["hmacB_full"])
    assert (a[:20].hex(), b[:8].hex()) == (one["join_ack_A"], one["join_synack_B"])
    assert (a[:8].hex(), b[:20].hex()) == (one["rev_synack_A"], one["rev_ack_B"])
    token = keys.compute_token(key_b, version)
    for option, flags in (
        (JoinSyn(False, 2, token, nonce_a), SYN),
        (JoinSynAck(False, 0, b[:8], nonce_b), SYN | ACK),
        (JoinAck(a[:20]), ACK),
    ):
        found = option.emit()
        assert parse_options(found, 0, len(found), flags, version) == (option,)


@pytest.mark.clause("R8684-3.4.1-03", "R8684-3.4.1-13", "R8684-3.4.1-14", "R8684-3.4.1-15")
@pytest.mark.parametrize("one", VECTORS["v1"], ids=lambda one: f"v1-{one['n']}")
def test_add_addr(one: dict[str, Any]) -> None:
    """HMAC, option and echo, for both families, with and without port."""
    for announced in one["add_addr"]:
        sender, receiver = ("keyA", "keyB") if announced["sender"] == "A" else ("keyB", "keyA")
        address, number, port = ip_address(announced["addr"]).packed, announced["id"], announced["port"]
        signed = keys.compute_add_addr_hmac(octets(one, sender), octets(one, receiver), number, address, port)
        assert signed.hex() == announced["trunc"]
        for option, name in (
            (AddAddr(number, address, port, signed), "option"),
            (AddAddrEcho(number, address, port), "echo"),
        ):
            assert option.emit().hex() == announced[name]
            whole = octets(announced, name)
            assert parse_options(whole, 0, len(whole), ACK, 1) == (option,)


def usual_flags(name: str) -> int:
    """On which segment an option of the list stands, by its name."""
    if "SYN/ACK" in name:
        return SYN | ACK
    if "SYN" in name:
        return SYN
    return RST | ACK if "TCPRST" in name else ACK


@pytest.mark.clause("R8684-3.1-08", "R8684-3.3-02", "R8684-3.4.2-05", "R8684-3.6-03", "R8684-3.7-16")
@pytest.mark.parametrize("one", VECTORS["options"], ids=lambda one: one["name"])
def test_options(one: dict[str, Any]) -> None:
    """Each is legal in its version, and comes out again octet for octet."""
    whole = octets(one, "hex")
    assert len(whole) == one["length"] == whole[1]
    for version in (0,) if one["name"].startswith("v0") else (1,):
        (found,) = parse_options(whole, 0, len(whole), usual_flags(one["name"]), version)
        assert not isinstance(found, Unknown)
        assert found.emit() == whole


@pytest.mark.clause("R8684-3.3.1-11", "R8684-3.3.1-12", "R8684-3.3.3-05")
@pytest.mark.parametrize("one", VECTORS["checksums"], ids=lambda one: one["note"])
def test_checksums(one: dict[str, Any]) -> None:
    """Of mappings: even, odd, with DATA_FIN, bare DATA_FIN, RFC 8684's own example."""
    payload, header = octets(one, "payload"), octets(one, "pseudo_header")
    dsn = int(one["dsn"], 16)
    assert compute_sum(payload, 0, len(payload)) == int(one["payload_sum"], 16)
    assert compute_sum(header, 0, len(header)) == int(one["header_sum"], 16)
    text = (Text(payload, 0, len(payload)),)
    assert keys.compute_dss_checksum(dsn, one["ssn"], one["dlen"], text) == int(one["checksum"], 16)


@pytest.mark.clause("R8684-3.1-16")
@pytest.mark.parametrize("version", [0, 1])
def test_token_collisions(version: int) -> None:
    """Two keys, one token."""
    one = VECTORS["token_collisions"][f"v{version}"]
    assert octets(one, "key1") != octets(one, "key2")
    for name in ("key1", "key2"):
        assert f"{keys.compute_token(octets(one, name), version):08x}" == one["token"]


@pytest.mark.clause("R8684-3.3.1-28", "R8684-3.3.1-29")
@pytest.mark.parametrize("version", [0, 1])
def test_idsn_near_the_wrap_of_its_lower_half(version: int) -> None:
    """The 32-bit form wraps where the vector says, and both forms name the same offset."""
    one = VECTORS["idsn_near_32bit_wrap"][f"v{version}"]
    key = octets(one, "key")
    idsn = keys.compute_idsn(key, version)
    assert f"{idsn:016x}" == one["idsn"]
    assert f"{keys.compute_token(key, version):08x}" == one["token"]
    wrap = one["bytes_to_32bit_wrap"]
    assert compute_wire_32(idsn & 0xFFFFFFFF, wrap) == 0
    for offset in (0, 1, wrap - 1, wrap, wrap + 1, 2 * wrap):
        wire = compute_wire_64(idsn, offset)
        assert compute_offset_64(idsn, wire) == offset
        assert compute_offset_32(idsn & 0xFFFFFFFF, wire & 0xFFFFFFFF, wrap) == offset


PUBLISHED = {one["name"]: one["digest"] for one in VECTORS["published"]}
TEST2_1 = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"


@pytest.mark.parametrize("version", [0, 1])
def test_published_digests_and_hmacs(version: int) -> None:
    """RFC 6234 §8.5: the hash and the HMAC below the derivations are SHA-1 and SHA-256."""
    name = "SHA-1" if version == 0 else "SHA-256"
    same = "SHA-1(56-byte string of 6234 TEST2_1)" if version == 0 else "SHA-256(same)"
    assert keys.compute_digest(b"abc", version).hex() == PUBLISHED[f'{name}("abc")']
    assert keys.compute_digest(TEST2_1, version).hex() == PUBLISHED[same]
    for case, key, message in (
        ('case 1 key 0b*20 "Hi There"', b"\x0b" * 20, b"Hi There"),
        ('case 2 key "Jefe"', b"Jefe", b"what do ya want for nothing?"),
        ("case 3 key aa*20, dd*50", b"\xaa" * 20, b"\xdd" * 50),
    ):
        found = keys.compute_join_hmac(key[:3], key[3:], message[:5], message[5:], version)
        assert found.hex() == PUBLISHED[f"HMAC-{name} {case}"]


@pytest.mark.parametrize("one", VECTORS["linux_kunit"], ids=lambda one: one["key_ascii"])
def test_what_linux_tests_itself_with(one: dict[str, Any]) -> None:
    """Two keys and two nonces, each a half of what is given."""
    key, message = one["key_ascii"].encode(), one["msg_ascii"].encode()
    found = keys.compute_join_hmac(key[:8], key[8:], message[:4], message[4:])
    assert found.hex() == one["hmac_sha256"]
