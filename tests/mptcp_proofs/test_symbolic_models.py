"""What the prover puts in the place of C code is what it stands for: one claim, proved of the model and
tested with the real thing.
"""

import hashlib
import hmac
from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

import pytest
from hypothesis import given, settings
from librt.strings import (
    BytesWriter,
    read_i16_be,
    read_i32_be,
    read_i64_be,
    write_i16_be,
    write_i32_be,
)

from mptcp_proofs.claim import Between, Octets, OneOf, Packet, Table, require
from mptcp_proofs.engine import prove
from mptcp_proofs.sources import make_strategy
from mptcp_proofs.symbolic.explorer import LEAK, PROVED, REFUTED
from mptcp_proofs.theorem import Theorem

Byte: TypeAlias = Annotated[int, Between(0, 255)]
Any16: TypeAlias = Annotated[int, Between(-(1 << 17), 1 << 17)]
Any32: TypeAlias = Annotated[int, Between(-(1 << 33), 1 << 33)]


def catch(call: Callable[[], Any]) -> Any:
    """What a call gives, or the kind of what it raises."""
    try:
        return call()
    except Exception as error:
        return type(error)


def reads(octets: Annotated[bytes, Octets(0, 11)], at: Annotated[int, OneOf(-1, 0, 1, 3, 8, 12)]) -> bool:
    """Readers give the signed number, and refuse what is not all there."""
    for read, size in ((read_i16_be, 2), (read_i32_be, 4), (read_i64_be, 8)):
        found = catch(lambda read=read: read(octets, at))  # type: ignore[misc]
        if at < 0:
            require(found is ValueError, "a negative index")
        elif at + size > len(octets):
            require(found is IndexError, "beyond the end")
        else:
            require(found == int.from_bytes(octets[at : at + size], "big") - wrap(octets[at], size), "signed")
    return True


def wrap(first: int, size: int) -> int:
    """What to take off an unsigned number of that first octet to have the signed one."""
    return 1 << 8 * size if first & 0x80 else 0


def writes(half: Any16, word: Any32) -> bool:
    """Writers take signed numbers that fit, and no others."""
    writer = BytesWriter()
    first = catch(lambda: write_i16_be(writer, half))
    require((first is ValueError) == (not -(1 << 15) <= half < 1 << 15), "16 bits")
    second = catch(lambda: write_i32_be(writer, word))
    require((second is ValueError) == (not -(1 << 31) <= word < 1 << 31), "32 bits")
    octets = writer.getvalue()
    if first is None and second is None:
        return octets == (half % (1 << 16)).to_bytes(2, "big") + (word % (1 << 32)).to_bytes(4, "big")
    return len(octets) < 6


def appends(octet: Annotated[int, Between(-2, 260)], octets: Annotated[bytes, Octets(0, 3)]) -> bool:
    """A writer grows by octets, and by numbers that are octets."""
    writer = BytesWriter()
    writer.write(octets)
    if not 0 <= octet <= 255:
        return catch(lambda: writer.append(octet)) is TypeError and len(writer) == len(octets)
    writer.append(octet)
    writer.write(octets)
    return len(writer) == 2 * len(octets) + 1 and writer.getvalue() == octets + bytes((octet,)) + octets


def makes_bytes(
    octets: Annotated[bytes, Octets(0, 4)], number: Annotated[int, Between(-2, 260)], truth: bool
) -> bool:
    """``bytes`` of numbers, of a length, of octets, sliced, added and compared."""
    require(bytes(octets) == octets and bytes(tuple(octets)) == octets, "copied")
    require(bytes(3) == b"\0\0\0", "zeros")
    require(
        octets + b"" == octets and b"" + octets == octets and octets[:2] + octets[2:] == octets,
        "cut and joined",
    )
    require((octets == octets + b"\0") is False, "of another length")
    require(bytes((int(truth), 7)) == (b"\1\7" if truth else b"\0\7"), "a truth value")
    made = catch(lambda: bytes((1, number)))
    if not 0 <= number <= 255:
        return made is ValueError
    return len(made) == 2 and made[0] == 1 and made[1] == number and list(made) == [1, number]


def converts(number: Annotated[int, Between(-300, 70000)]) -> bool:
    """``to_bytes`` and ``from_bytes``, and what they refuse."""
    octets = catch(lambda: number.to_bytes(2, "big"))
    if not 0 <= number < 1 << 16:
        return octets is OverflowError
    return len(octets) == 2 and int.from_bytes(octets, "big") == number


def counts_bits(
    number: Annotated[int, Between(-70000, 70000)], bits: Annotated[int, OneOf(0, 1, 8, 16)]
) -> bool:
    """``bit_length`` compared with a constant."""
    is_longer = abs(number) >= 1 << bits
    return (
        (number.bit_length() > bits) == is_longer
        and (number.bit_length() >= bits + 1) == is_longer
        and (number.bit_length() <= bits) != is_longer
        and (number.bit_length() < bits + 1) != is_longer
    )


def picks(
    octets: Annotated[bytes, Octets(3)],
    at: Annotated[int, Between(0, 2)],
    count: Annotated[int, Between(0, 3)],
) -> bool:
    """A number as an index, a bound and a count."""
    total = sum(1 for _ in range(count))
    return octets[at] == list(octets)[at] and len(octets[:count]) == total == count and f"{at}" in "012"


def hashes(one: Annotated[bytes, Octets(8)], other: Annotated[bytes, Octets(8)]) -> bool:
    """The same octets have the same digest, of the length that it has."""
    first, second = hashlib.sha256(one).digest(), hashlib.sha256(other).digest()
    require(len(first) == 32 and len(hashlib.sha1(one).digest()) == 20, "their lengths")
    mac = hmac.digest(one, other, "sha256")
    require(hmac.digest(one, other, hashlib.sha256) == mac and len(mac) == 32, "however the hash is named")
    require(hmac.compare_digest(mac, mac), "compared")
    return one != other or first == second


def separates(one: Annotated[bytes, Octets(4)], other: Annotated[bytes, Octets(4)]) -> bool:
    """Other messages have other MACs, as far as anybody will ever see."""
    first, second = hmac.digest(b"key", one, "sha256"), hmac.digest(b"key", other, "sha256")
    return (one == other) == (first == second) and (one == other) == (first[-8:] == second[-8:])


def may_collide(one: Annotated[bytes, Octets(4)], other: Annotated[bytes, Octets(4)]) -> bool:
    """Other octets have another token: nobody may rely on that."""
    return one == other or hashlib.sha256(one).digest()[:4] != hashlib.sha256(other).digest()[:4]


def looks_up(
    table: Annotated[dict[int, int], Table(Between(0, 9), Between(0, 9), 0, 3)],
    key: Annotated[int, Between(0, 9)],
) -> bool:
    """A dict by its keys."""
    had = key in table
    require(table.get(key, -1) != -1 if had else table.get(key) is None, "get")
    require((catch(lambda: table[key]) is KeyError) != had, "of what is there")
    size = len(table)
    table[key] = 7
    return key in table and table[key] == 7 and len(table) == size + (not had)


def looks_far(
    packet: Annotated[bytes, Packet(600)],
    first: Annotated[int, Between(0, 700)],
    at: Annotated[int, Between(0, 700)],
) -> bool:
    """Opaque octets, cut and looked at."""
    cut = packet[first:]
    if at >= len(cut):
        return catch(lambda: cut[at]) is IndexError and (first > 600 or len(cut) == 600 - first)
    return cut[at] == packet[first + at] and len(packet[first : first + at]) == at


CLAIMS = (reads, writes, appends, makes_bytes, converts, counts_bits, picks, hashes, separates, looks_up)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.__name__)
def test_models(claim: Callable[..., bool], theorem: Callable[..., Theorem]) -> None:
    """The model does as the claim says, for all inputs."""
    result = prove(theorem(claim), claim)
    assert (result.verdict, result.why) == (PROVED, "")


@pytest.mark.parametrize("claim", (*CLAIMS, looks_far), ids=lambda claim: claim.__name__)
def test_originals(claim: Callable[..., bool]) -> None:
    """So does what it stands for."""

    @settings(max_examples=150)
    @given(make_strategy(claim))
    def holds(arguments: dict[str, Any]) -> None:
        assert claim(**arguments)

    holds()


def test_opaque_octets(theorem: Callable[..., Theorem]) -> None:
    """Opaque octets are for the theory of the line, and refused elsewhere."""
    assert prove(theorem(looks_far, theory="line"), looks_far).verdict == PROVED
    assert prove(theorem(looks_far), looks_far).verdict == LEAK


def test_hashes_are_not_ideal(theorem: Callable[..., Theorem]) -> None:
    """Of a hash nothing is assumed but that it is a function; the counterexample says what it would be."""
    result = prove(theorem(may_collide), may_collide)
    assert result.verdict == REFUTED
    assert len(result.answers) == 2
