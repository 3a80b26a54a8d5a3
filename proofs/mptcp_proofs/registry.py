"""All theorems, in order."""

from collections.abc import Iterable
from string import ascii_lowercase

from mptcp_proofs.claims import (
    choosing,
    clocks,
    closing,
    headers,
    holes,
    lengths,
    mappings,
    numerals,
    offsets,
    opening,
    packing,
    reading,
    secrets,
    serial,
    states,
    streams,
    walking,
    windows,
)
from mptcp_proofs.theorem import Theorem

TOPICS = (
    choosing,
    clocks,
    closing,
    headers,
    holes,
    lengths,
    mappings,
    numerals,
    opening,
    offsets,
    packing,
    reading,
    secrets,
    serial,
    states,
    streams,
    walking,
    windows,
)


def compute_order(theorem: Theorem) -> tuple[int, str]:
    """By number, then letter."""
    digits = theorem.id[1:].rstrip(ascii_lowercase)
    return int(digits), theorem.id


THEOREMS: tuple[Theorem, ...] = tuple(
    sorted((theorem for topic in TOPICS for theorem in topic.THEOREMS), key=compute_order)
)


def select(names: Iterable[str]) -> list[Theorem]:
    """The theorems that these ids, names and topics mean. Raises KeyError with the first that means none."""
    chosen: list[Theorem] = []
    for name in names:
        found = [one for one in THEOREMS if name.lower() in (one.id.lower(), one.name, one.topic)]
        if not found:
            raise KeyError(name)
        chosen += [one for one in found if one not in chosen]
    return sorted(chosen, key=compute_order)
