"""Which parts of the catalogue are built: every clause of these is met, or filed with its reason.

A clause of a built part that is neither is an *orphan*, and a test fails on it. What is not listed here is
not claimed; a part is added when its code is.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from mptcp_proofs.clauses import Clause


@dataclass(frozen=True)
class Part:
    """Some sections of one RFC (each with what is below it), of them those subjects, or all of them."""

    name: str
    rfc: int
    sections: tuple[str, ...]
    subjects: tuple[str, ...] = ()

    def has(self, clause: Clause) -> bool:
        """Whether ``clause`` belongs to this part."""
        return (
            clause.rfc == self.rfc
            and any(clause.is_below(section) for section in self.sections)
            and (not self.subjects or clause.subject in self.subjects)
        )


BUILT: tuple[Part, ...] = ()


def is_built(clause: Clause, parts: Iterable[Part] = BUILT) -> bool:
    """Whether ``clause`` belongs to a part that is built."""
    return any(part.has(clause) for part in parts)
