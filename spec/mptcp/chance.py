"""Randomness as an argument: octets drawn from one seed, the same seed giving the same octets.

HMAC-SHA256 over a counter, keyed by the seed: unpredictable to whoever does not know the seed,
which RFC 8684 §3.1 asks of keys and RFC 9293 §3.4.1 of initial sequence numbers, and repeatable
for whoever does, so that a failure found in one place replays in another.
"""

import hashlib
import hmac
from typing import Final

from mptcp.errors import Refused
from mptcp.values import Record

SEED_LENGTH: Final = 32  # octets


class Chance(Record):
    """A stream of octets that ``seed`` (32 octets or more) determines. Raises Refused on a short one."""

    FIELDS = ("seed", "counter")

    def __init__(self, seed: bytes) -> None:
        if len(seed) < SEED_LENGTH:
            raise Refused(f"the seed has at least {SEED_LENGTH} octets")
        self.seed = seed
        self.counter = 0

    def birth(self) -> tuple[object, ...]:
        """See ``Record``."""
        return (self.seed,)

    def draw(self, length: int) -> bytes:
        """The next ``length`` octets, at most 32."""
        assert 0 < length <= 32
        self.counter += 1
        # [R8684-3.1-12] a key cannot be predicted by third parties, [R8684-3.1-17] which is all that is
        # asked of it; [R9293-3.4.1-02] nor can an ISN
        return hmac.digest(self.seed, self.counter.to_bytes(8, "big"), hashlib.sha256)[:length]

    def draw_number(self) -> int:
        """The next 32-bit number."""
        return int.from_bytes(self.draw(4), "big")
