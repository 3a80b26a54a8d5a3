"""Chance: octets from a seed, repeatable and unpredictable."""

import hashlib
import hmac
from collections import Counter

import pytest

from mptcp.chance import SEED_LENGTH, Chance
from mptcp.errors import Refused

SEED = bytes(range(SEED_LENGTH))


@pytest.mark.clause("R8684-3.1-12", "R8684-3.1-17")
def test_by_the_book() -> None:
    """Draw n is the HMAC-SHA256 of n, eight octets, keyed by the seed: only the seed can tell it."""
    chance = Chance(SEED)
    for number in range(1, 20):
        message = number.to_bytes(8, "big")
        assert chance.draw(32) == hmac.new(SEED, message, hashlib.sha256).digest()


def test_same_seed_same_octets() -> None:
    """What failed in one place is found again in another."""
    one, two = Chance(SEED), Chance(SEED)
    assert [one.draw(8) for _ in range(50)] == [two.draw(8) for _ in range(50)]


@pytest.mark.clause("R8684-3.1-12", "R8684-3.2-05", "R9293-3.4.1-02")
def test_other_seed_other_octets() -> None:
    """No draw of one seed is a draw of another, and none comes twice."""
    draws: list[bytes] = []
    for last in range(20):
        chance = Chance(SEED[:-1] + bytes([last]))
        draws += [chance.draw(8) for _ in range(100)]
    assert len(set(draws)) == len(draws)


@pytest.mark.parametrize("length", [1, 4, 8, 31, 32])
def test_length(length: int) -> None:
    """As many octets as were asked for; a short draw uses up as much as a long one."""
    one, two = Chance(SEED), Chance(SEED)
    assert len(one.draw(length)) == length
    two.draw(32)
    assert one.draw(32) == two.draw(32)


def test_number() -> None:
    """A 32-bit number is four octets in network order; all parts of the range come up."""
    one, two = Chance(SEED), Chance(SEED)
    numbers = [one.draw_number() for _ in range(1_000)]
    assert numbers == [int.from_bytes(two.draw(4), "big") for _ in range(1_000)]
    sixteenths = Counter(number >> 28 for number in numbers)
    assert len(sixteenths) == 16
    assert min(sixteenths.values()) > 30


def test_octets_are_even() -> None:
    """Ones and zeros in equal parts, as far as 10,000 octets can tell."""
    chance = Chance(SEED)
    ones = sum(chance.draw(25).hex().count("f") for _ in range(400))
    assert 1_100 < ones < 1_400  # of 20,000 hexadecimal digits, one in sixteen


@pytest.mark.parametrize("length", [0, 1, 16, SEED_LENGTH - 1])
def test_short_seed(length: int) -> None:
    """A seed that could be guessed is refused, and says how long it ought to be."""
    with pytest.raises(Refused, match="32 octets"):
        Chance(bytes(length))


def test_copy_goes_its_own_way() -> None:
    """A copy draws what the original would have drawn, and does not move it."""
    chance = Chance(SEED)
    chance.draw(8)
    twin = chance.copy()
    assert twin.key() == chance.key()
    drawn = [twin.draw(8) for _ in range(5)]
    assert twin.key() != chance.key()
    assert [chance.draw(8) for _ in range(5)] == drawn
