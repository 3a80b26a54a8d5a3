"""Octets by no chance: the same in every run, and without a pattern that would hide a mistake."""

from hashlib import sha256


def make_octets(name: str, size: int) -> bytes:
    """``size`` octets that belong to ``name``."""
    made = b""
    while len(made) < size:
        made += sha256(f"{name} {len(made)}".encode()).digest()
    return made[:size]


def make_number(name: str, bits: int) -> int:
    """A number of at most ``bits`` bits that belongs to ``name``."""
    return int.from_bytes(make_octets(name, bits // 8), "big")
