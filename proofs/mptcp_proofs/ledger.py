"""The ledger: for each clause, the code that keeps it, the tests and the theorems that hold it to that.

Code names a clause in its margin, ``[R8684-3.3.1-04]``; a test by the marker ``clause``; a theorem by the
clauses it lists. All three are read from the text, so that nothing runs and both builds give one ledger.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from mptcp_proofs.citations import (
    Citation,
    Statement,
    find_code,
    find_tests,
    find_theorems,
    read_theorems,
)
from mptcp_proofs.clauses import Catalogue, Clause, load_catalogue

STANDINGS = {
    "met": "code keeps it, and a test or a theorem says so",
    "partly": "either code or evidence carries its id, not both",
    "open": "nothing carries its id yet",
    "filed": "not kept, and the catalogue says why",
    "unread": "no source tree was read",
}


@dataclass
class Entry:
    """One clause and all that carries its id."""

    clause: Clause
    code: list[Citation] = field(default_factory=list)
    tests: list[Citation] = field(default_factory=list)
    theorems: list[Citation] = field(default_factory=list)
    is_read: bool = True

    @property
    def standing(self) -> str:
        """One of STANDINGS. A clause that is filed stays so, whatever code says where it departs."""
        if not self.clause.met:
            return "filed"
        if not self.is_read:
            return "unread"
        if self.code and (self.tests or self.theorems):
            return "met"
        return "partly" if self.code or self.tests or self.theorems else "open"


@dataclass(frozen=True)
class Coverage:
    """How many clauses there are, by how they stand and by what carries their ids."""

    clauses: int
    met: int
    partly: int
    open: int
    filed: int
    code: int
    tests: int
    theorems: int


@dataclass
class Ledger:
    """Every clause of the catalogue with its entry, and the citations of ids that are in no catalogue.

    ``root`` is the tree that was read; None when there was none, and the entries hold clauses alone.
    """

    catalogue: Catalogue
    root: Path | None
    entries: dict[str, Entry]
    unknown: list[Citation]
    theorems: list[Statement]

    def select(self, rfc: int | None = None, section: str = "", level: str = "") -> list[Entry]:
        """The entries of one RFC, below one section, of one level; of all where that is not given."""
        return [
            entry
            for entry in self.entries.values()
            if rfc in (None, entry.clause.rfc)
            and (not section or entry.clause.is_below(section))
            and level in ("", entry.clause.level)
        ]


def compute_coverage(entries: Iterable[Entry]) -> Coverage:
    """The counts over ``entries``."""
    every = list(entries)
    standings = Counter(entry.standing for entry in every)
    return Coverage(
        clauses=len(every),
        met=standings["met"],
        partly=standings["partly"],
        open=standings["open"],
        filed=standings["filed"],
        code=sum(1 for entry in every if entry.code),
        tests=sum(1 for entry in every if entry.tests),
        theorems=sum(1 for entry in every if entry.theorems),
    )


def group(entries: Iterable[Entry], by: str) -> dict[object, list[Entry]]:
    """The entries by an attribute of their clauses (``rfc``, ``section``, ``level``), in their order."""
    groups: dict[object, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(getattr(entry.clause, by), []).append(entry)
    return groups


def find_tree() -> Path | None:
    """The repository's folder: that of this file, or else the working directory or one above it."""
    here = Path(__file__).resolve().parent.parent.parent
    for folder in (here, Path.cwd(), *Path.cwd().parents):
        if all((folder / one).is_dir() for one in ("spec/mptcp/clauses", "proofs/mptcp_proofs", "tests")):
            return folder
    return None


def load_ledger(root: Path | None) -> Ledger:
    """The ledger of the tree at ``root``; without a tree the installed catalogue alone."""
    catalogue = load_catalogue(root)
    entries = {id: Entry(clause, is_read=root is not None) for id, clause in catalogue.clauses.items()}
    ledger = Ledger(catalogue, root, entries, [], [])
    if root is None:
        return ledger
    ledger.theorems += read_theorems(root)
    for kind, find in (("code", find_code), ("tests", find_tests), ("theorems", find_theorems)):
        for citation in find(root):
            entry = entries.get(citation.id)
            if entry is None:
                ledger.unknown.append(citation)
            else:
                getattr(entry, kind).append(citation)
    return ledger
