"""Keys, and what is made of them (RFC 8684 §3.1, §3.2, §3.4.1)."""

from hashlib import sha1, sha256
from typing import Annotated, TypeAlias

from mptcp.connection.control import Mode
from mptcp.connection.initiate import take_third
from mptcp.host import Host
from mptcp.keys import compute_add_addr_hmac, compute_idsn, compute_join_hmac, compute_token
from mptcp.wire.handshake import CHECKSUM_REQUIRED, EXTENSIBILITY, HMAC_SHA256, CapableAck, CapableData
from mptcp_proofs.claim import Between, Octets, Table, assume, reach, require
from mptcp_proofs.claims.domains import Byte, Key, Nibble, Nonce
from mptcp_proofs.claims.ends import make_end
from mptcp_proofs.claims.makers import Address, NewVersion, Port
from mptcp_proofs.theorem import Mutant, Theorem

Seed: TypeAlias = Annotated[bytes, Octets(32)]
Live: TypeAlias = Annotated[dict[int, int], Table(Between(0, 0xFFFFFFFF), Between(1, 9), 0, 2)]
FLAGS = CHECKSUM_REQUIRED | EXTENSIBILITY | HMAC_SHA256  # that decide; nobody asked for checksums
HOME = bytes((192, 0, 2, 1))


# -- 16: token and IDSN ---------------------------------------------------------------------------


def derived(key: Key) -> bool:
    """The token is the first 32 bits of the key's SHA-256, the IDSN its last 64."""
    digest = sha256(key).digest()
    require(len(digest) == 32, "256 bits")
    return compute_token(key) == int.from_bytes(digest[:4], "big") and compute_idsn(key) == int.from_bytes(
        digest[24:], "big"
    )


def derived_v0(key: Key) -> bool:
    """In version 0 they are those of its SHA-1."""
    digest = sha1(key).digest()
    require(len(digest) == 20, "160 bits")
    return compute_token(key, 0) == int.from_bytes(digest[:4], "big") and compute_idsn(
        key, 0
    ) == int.from_bytes(digest[12:], "big")


# -- 18: drawing a key ----------------------------------------------------------------------------


def draws_free_key(seed: Seed, live: Live, taken: Annotated[int, Between(0, 3)]) -> bool:
    """The key that a host draws has a token that no live connection has: the first such key of its chance."""
    host = Host((HOME,), seed)
    twin = host.chance.copy()
    keys = [twin.draw(8) for _ in range(3)]
    tokens = [compute_token(key) for key in keys]
    for token in tokens[:taken]:
        live[token] = 1
    free = [token not in live for token in tokens]
    assume(free[0] or free[1] or free[2])
    host.by_token = live
    key, token = host.draw_key(1)
    first = 0 if free[0] else 1 if free[1] else 2
    if first == 2:
        reach("two keys were not good enough")
    return key == keys[first] and token == tokens[first] and token not in live


# -- 19: the echo of the key ----------------------------------------------------------------------


def needs_echo(key: Key, version: Nibble, flags: Byte, sender_key: Key, echoed: Key) -> bool:
    """The listener speaks MPTCP only after a third packet that echoes its key, in its version."""
    control = make_end(key, 1)
    take_third(control, (CapableAck(version, flags, sender_key, echoed),), 0)
    is_multipath = control.mode is Mode.MULTIPATH
    if is_multipath:
        reach("an echo that is right")
        require(control.remote_key == sender_key, "the peer's key is the one it sent")
        require(control.remote_idsn == compute_idsn(sender_key), "and its IDSN")
    is_good = echoed == key != sender_key and version == 1 and flags & FLAGS == HMAC_SHA256
    return is_multipath == is_good


def needs_echo_with_data(key: Key, version: NewVersion, flags: Byte, sender_key: Key, echoed: Key) -> bool:
    """Likewise when the third packet carries data."""
    control = make_end(key, 1)
    take_third(control, (CapableData(version, flags, sender_key, echoed, 9, None),), 0)
    is_good = echoed == key != sender_key and version == 1 and flags & FLAGS == HMAC_SHA256
    return (control.mode is Mode.MULTIPATH) == is_good


def needs_capable(key: Key) -> bool:
    """A third packet without MP_CAPABLE makes it plain TCP."""
    control = make_end(key, 1)
    take_third(control, (), 0)
    return control.mode is Mode.PLAIN


# -- 20: two hosts with one key -------------------------------------------------------------------


def never_its_own_echo(
    key: Key, other: Key, nonce: Nonce, peer_nonce: Nonce, own_nonce: Nonce, sent_nonce: Nonce
) -> bool:
    """With two different keys, no HMAC that a host sends is one that it waits for: none can be mirrored."""
    assume(key != other)
    sent = compute_join_hmac(key, other, own_nonce, sent_nonce)
    awaited = compute_join_hmac(other, key, peer_nonce, nonce)
    return sent[:8] != awaited[:8] and sent[:20] != awaited[:20]


def never_its_own_echo_with_one_key(key: Key, other: Key, nonce: Nonce, peer_nonce: Nonce) -> bool:
    """Whatever the keys, what a host sends on its own join is not what it awaits on another's."""
    sent = compute_join_hmac(key, other, peer_nonce, nonce)  # as the initiator of the one join
    awaited = compute_join_hmac(other, key, peer_nonce, nonce)  # as the listener of the other
    return sent[:20] != awaited[:20]


def mirror_passes(key: Key, first: Nonce, second: Nonce) -> bool:
    """With one key at both ends, who mirrors a host's own packets passes both checks of MP_JOIN.

    The host joins with nonce ``first``; the mirror returns the SYN; the host answers it with nonce
    ``second``; the mirror returns the answer, then the ACK. Fresh nonces are no help.
    """
    answered = compute_join_hmac(key, key, second, first)[:8]
    awaited = compute_join_hmac(key, key, second, first)[:8]
    acknowledged = compute_join_hmac(key, key, first, second)[:20]
    awaited_then = compute_join_hmac(key, key, first, second)[:20]
    return answered == awaited and acknowledged == awaited_then


# -- 55: one key, two uses ------------------------------------------------------------------------


def uses_apart(
    key: Key, other: Key, own_nonce: Nonce, peer_nonce: Nonce, address_id: Byte, address: Address, port: Port
) -> bool:
    """No HMAC of an MP_JOIN is ever that of an ADD_ADDR: their messages have 8 octets, and 7 or 19."""
    join = compute_join_hmac(key, other, own_nonce, peer_nonce)
    announcement = compute_add_addr_hmac(key, other, address_id, address, port)
    require(len(join) == 32 and len(announcement) == 8, "256 bits and 64")
    return join[-8:] != announcement


def announcements_apart(
    key: Key,
    other: Key,
    address_id: Byte,
    address: Address,
    port: Port,
    another_id: Byte,
    another: Address,
    third: Port,
) -> bool:
    """The HMAC of an ADD_ADDR is good for one ID, address and port alone; no port is port 0."""
    one = compute_add_addr_hmac(key, other, address_id, address, port)
    two = compute_add_addr_hmac(key, other, another_id, another, third)
    assume(one == two)
    reach("the same announcement")
    return address_id == another_id and address == another and port == third


def directions_apart(
    key: Key, other: Key, own_nonce: Nonce, peer_nonce: Nonce, address_id: Byte, address: Address
) -> bool:
    """Neither HMAC is good for the other direction."""
    assume(key != other)
    join = compute_join_hmac(key, other, own_nonce, peer_nonce)
    back = compute_join_hmac(other, key, own_nonce, peer_nonce)
    one = compute_add_addr_hmac(key, other, address_id, address, None)
    two = compute_add_addr_hmac(other, key, address_id, address, None)
    return join[:8] != back[:8] and join[:20] != back[:20] and one != two


def port_zero_is_no_port(key: Key, other: Key, address_id: Byte, address: Address) -> bool:
    """Port 0 and no port have one HMAC, which is why an option never says port 0."""
    one = compute_add_addr_hmac(key, other, address_id, address, None)
    return one == compute_add_addr_hmac(key, other, address_id, address, 0)


KEYS = "mptcp/keys.py"
HOST = "mptcp/registry.py"
INITIATE = "mptcp/connection/initiate.py"
HASH = "SHA-256 and SHA-1 are functions of their octets, and nothing more is known of them."
MAC = (
    "HMAC is ideal: for two different keys or messages neither the first 64 nor the last 64 bits are the"
    " same."
)

THEOREMS = (
    Theorem(
        id="T16",
        name="token-and-idsn",
        words="The token is the most significant 32, the IDSN the least significant 64 bits of the"
        " key's SHA-256 (in"
        " version 0, SHA-1), over the octets as they stand on the wire.",
        sections="RFC 8684 §3.1, RFC 6824 §3.1",
        clauses=(
            "R8684-3.1-41",
            "R8684-3.1-42",
            "R8684-3.1-43",
            "R8684-3.1-44",
            "R8684-3.1-60",
            "R6824-3.1-07",
            "R6824-3.1-08",
        ),
        bounds="All keys.",
        claims=(derived, derived_v0),
        goals=(),
        mutants=(
            Mutant(
                KEYS,
                "return u32(compute_digest(key, version), 0)",
                "return u32(compute_digest(key, version), 4)",
            ),
            Mutant(KEYS, "compute_digest(key, version)[-8:]", "compute_digest(key, version)[:8]"),
            Mutant(
                KEYS,
                "compute_digest(key, version)[-8:]",
                "compute_digest(key, version)[24:]",
                by="derived_v0",
            ),
            Mutant(
                KEYS, "sha1(key).digest() if version == 0 else", "sha1(key).digest() if version == 1 else"
            ),
            Mutant(KEYS, "sha256(key).digest()", "sha256(key[::-1]).digest()"),
        ),
        unclaimed="Nothing about SHA-256: known answers, and keys seen on the wire, show that it is that.",
        assumes=HASH,
    ),
    Theorem(
        id="T18",
        name="key-without-twin",
        words="A host draws keys until one has a token that none of its live connections has, and"
        " takes that one.",
        sections="RFC 8684 §3.1",
        clauses=("R8684-3.1-13", "R8684-3.1-15"),
        bounds="Any seed; up to five live tokens, anywhere; one of the first three keys is free.",
        claims=(draws_free_key,),
        goals=("two keys were not good enough",),
        mutants=(
            Mutant(
                HOST,
                "            if token not in self.by_token:\n                return key, token",
                "            return key, token",
            ),
            Mutant(
                HOST,
                "            if token not in self.by_token:\n                return key, token",
                "            return key, compute_token(self.chance.draw(KEY_LENGTH)) if token in"
                " self.by_token else token",
            ),
            Mutant(
                HOST,
                "            token = compute_token(key, version)\n            if",
                "            token = compute_token(key, version) & 0xFFFF\n            if",
            ),
        ),
        unclaimed="That the loop ends when all tokens are taken: it would not.",
        assumes=HASH + " " + MAC,
    ),
    Theorem(
        id="T19",
        name="key-echo",
        words="A listener speaks MPTCP after the third packet if and only if that echoes the key"
        " which the listener sent,"
        " in its version, and with another key for its sender;"
        " then the peer's key and IDSN are those of the packet.",
        sections="RFC 8684 §3.1",
        clauses=("R8684-3.1-30", "R8684-3.1-55", "R8684-3.1-59", "R8684-3.1-60"),
        bounds="All keys, versions and flags; a listener with state.",
        claims=(needs_echo, needs_echo_with_data, needs_capable),
        goals=("an echo that is right",),
        mutants=(
            Mutant(INITIATE, "not is_equal(capable.receiver_key, control.local_key)", "False"),
            Mutant(
                INITIATE,
                "not is_equal(capable.receiver_key, control.local_key)",
                "not is_equal(capable.sender_key, control.local_key)",
            ),
            Mutant(INITIATE, "if capable.version != control.version", "if False"),
            Mutant(INITIATE, "is_equal(capable.sender_key, control.local_key)", "False"),
            Mutant(
                INITIATE, "isinstance(option, (CapableAck, CapableData))", "isinstance(option, CapableData)"
            ),
            Mutant(
                INITIATE,
                "set_remote_key(control, option.sender_key)",
                "set_remote_key(control, option.receiver_key)",
            ),
            Mutant(
                INITIATE,
                'fall_back(control, "the third packet has no MP_CAPABLE", now)',
                "return",
                by="needs_capable",
            ),
        ),
        unclaimed="A listener without state, which we are not.",
        assumes=HASH,
    ),
    Theorem(
        id="T20",
        name="two-keys",
        words="With two different keys no HMAC that a host sends on a join is one that it waits for,"
        " so that nothing can"
        " be mirrored. With one key at both ends a mirror passes both checks, fresh nonces and truncation"
        " notwithstanding.",
        sections="RFC 8684 §3.1-3.2",
        clauses=("R8684-3.2-05", "R8684-3.2-16", "R8684-3.2-23"),
        bounds="All keys and nonces; the HMACs on SYN/ACK (8 octets) and ACK (20).",
        claims=(never_its_own_echo, mirror_passes),
        refuted=(never_its_own_echo_with_one_key,),
        goals=(),
        mutants=(
            Mutant(
                KEYS,
                "hmac.digest(own_key + peer_key, own_nonce + peer_nonce",
                "hmac.digest(max(own_key, peer_key), own_nonce + peer_nonce",
            ),
            Mutant(
                KEYS,
                "hmac.digest(own_key + peer_key, own_nonce + peer_nonce",
                "hmac.digest(own_nonce + peer_nonce, own_nonce + peer_nonce",
            ),
        ),
        unclaimed="Who else may know the keys: whoever saw the handshake passes every check.",
        assumes=MAC,
    ),
    Theorem(
        id="T55",
        name="uses-of-a-key",
        words="Under one pair of keys the HMACs of MP_JOIN and of ADD_ADDR never coincide, nor those"
        " of two announcements"
        " or of two directions; port 0 and no port share one, so that port 0 must not be said.",
        sections="RFC 8684 §3.2, §3.4.1",
        clauses=(
            "R8684-3.2-16",
            "R8684-3.2-23",
            "R8684-3.4.1-13",
            "R8684-3.4.1-14",
            "R8684-3.4.1-15",
            "R8684-3.4.1-16",
        ),
        bounds="All keys, nonces, IDs, addresses of both families and ports.",
        claims=(uses_apart, announcements_apart, directions_apart, port_zero_is_no_port),
        goals=("the same announcement",),
        mutants=(
            Mutant(
                KEYS, "message = bytes((address_id,)) + address", "message = bytes((0, address_id)) + address"
            ),
            Mutant(KEYS, "message = bytes((address_id,)) + address", "message = address"),
            Mutant(KEYS, "+ emit_16(0 if port is None else port)", "", by="announcements_apart"),
            Mutant(
                KEYS,
                "hmac.digest(sender_key + receiver_key, message",
                "hmac.digest(min(sender_key, receiver_key), message",
                by="directions_apart",
            ),
            Mutant(
                KEYS, "0 if port is None else port", "80 if port is None else port", by="port_zero_is_no_port"
            ),
        ),
        unclaimed="Replay of a whole ADD_ADDR: it has no nonce, and verifies again.",
        assumes=MAC,
    ),
)
