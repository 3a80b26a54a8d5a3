"""Chance: the one place where the stack asks the machine for randomness."""

import os
from typing import Final

SEED_LENGTH: Final = 32
"""Octets that a host is seeded with: all keys, nonces and initial numbers are drawn from them."""


def draw_seed() -> bytes:
    """A fresh seed for a ``Host``."""
    return os.urandom(SEED_LENGTH)
