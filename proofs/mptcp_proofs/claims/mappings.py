"""Which mapping an octet belongs to (RFC 8684 §3.3.1)."""

from typing import Annotated, TypeAlias

from mptcp.connection.mapping import Run, add, find, is_allowed
from mptcp_proofs.claim import Between, Built, Several, assume, reach, require
from mptcp_proofs.claims.domains import Offset
from mptcp_proofs.theorem import Mutant, Theorem

Gap: TypeAlias = Annotated[int, Between(0, 1 << 30)]
Length: TypeAlias = Annotated[int, Between(1, 0xFFFF)]


def make_piece(gap: Gap, dsn: Offset, length: Length) -> tuple[int, int, int]:
    """A mapping by its distance from the one before."""
    return gap, dsn, length


Pieces: TypeAlias = Annotated[tuple[tuple[int, int, int], ...], Several(Built(make_piece), 0, 3)]
MorePieces: TypeAlias = Annotated[tuple[tuple[int, int, int], ...], Several(Built(make_piece), 0, 7)]


def make_runs(first: int, pieces: tuple[tuple[int, int, int], ...]) -> list[Run]:
    """Disjoint mappings in order of SSN."""
    runs: list[Run] = []
    ssn = first
    for gap, dsn, length in pieces:
        ssn += gap
        runs.append(Run(ssn, dsn, length, length, None))
        ssn += length
    return runs


def look_up(runs: list[Run], ssn: int) -> int:
    """The data offset of the octet at ``ssn``; -1 if no mapping has it. By looking at them all."""
    for run in runs:
        if run.ssn <= ssn < run.ssn + run.length:
            return run.dsn + ssn - run.ssn
    return -1


def is_in_order(runs: list[Run]) -> bool:
    """Whether the mappings are disjoint, not empty, and in order."""
    end = -1
    for run in runs:
        if run.length < 1 or run.ssn < end:
            return False
        end = run.ssn + run.length
    return True


def finds(first: Offset, pieces: MorePieces, ssn: Offset) -> bool:
    """The one mapping that covers an octet is found, and none where none does."""
    runs = make_runs(first, pieces)
    expected = look_up(runs, ssn)
    run = find(runs, ssn)
    if run is None:
        return expected == -1
    reach("an octet that is mapped")
    require(run.ssn <= ssn < run.end, "it covers the octet")
    return run.dsn + ssn - run.ssn == expected


def keeps(first: Offset, pieces: Pieces, ssn: Offset, dsn: Offset, length: Length, octet: Offset) -> bool:
    """A further mapping that contradicts none maps what was not mapped, and changes nothing that was."""
    runs = make_runs(first, pieces)
    new = Run(ssn, dsn, length, length, None)
    before = look_up(runs, octet)
    if not is_allowed(runs, new):
        reach("a contradiction")
        return True
    add(runs, new)
    require(is_in_order(runs), "in order")
    after = look_up(runs, octet)
    if before >= 0:
        return after == before
    return after == (dsn + octet - ssn if ssn <= octet < ssn + length else -1)


def welcomes(first: Offset, pieces: Pieces, ssn: Offset, dsn: Offset, length: Length) -> bool:
    """A mapping of octets that have none is allowed."""
    runs = make_runs(first, pieces)
    for run in runs:
        assume(run.ssn + run.length <= ssn or ssn + length <= run.ssn)
    return is_allowed(runs, Run(ssn, dsn, length, length, None))


def contradicts(
    first: Offset, pieces: Pieces, ssn: Offset, dsn: Offset, length: Length, octet: Offset
) -> bool:
    """A mapping that gives an octet another number than it has is not allowed."""
    runs = make_runs(first, pieces)
    assume(ssn <= octet < ssn + length)
    had = look_up(runs, octet)
    assume(had >= 0 and had != dsn + octet - ssn)
    return not is_allowed(runs, Run(ssn, dsn, length, length, None))


MAPPING = "mptcp/connection/mapping.py"

THEOREMS = (
    Theorem(
        id="T33",
        name="mapping-lookup",
        words="Among disjoint mappings the one that covers an octet is found, at the right data"
        " sequence number, and none"
        " where none covers it.",
        sections="RFC 8684 §3.3.1",
        clauses=("R8684-3.3.1-02", "R8684-3.3.1-08"),
        bounds="Up to seven mappings of 1 … 65535 octets anywhere; wraps are T14's business.",
        claims=(finds,),
        goals=("an octet that is mapped",),
        mutants=(
            Mutant(
                MAPPING,
                "if low < len(runs) and runs[low].ssn <= ssn",
                "if low < len(runs) and runs[low].ssn + 3 <= ssn",
                "multipath-tcp #33: the mapping found is three octets short at its front",
            ),
            Mutant(
                MAPPING,
                "        return self.ssn + self.length",
                "        return self.ssn + (self.length & 0x7FFF)",
                "net-next #501: mappings of more than 32767 octets are bad under load",
            ),
            Mutant(MAPPING, "if runs[middle].end <= ssn", "if runs[middle].end < ssn"),
            Mutant(MAPPING, "low = middle + 1", "low = middle + 2"),
            Mutant(
                MAPPING, "runs[low].ssn <= ssn:\n        return runs[low]", "True:\n        return runs[low]"
            ),
        ),
        unclaimed="More than seven mappings: by the same search, but not run.",
        theory="line",
    ),
    Theorem(
        id="T34",
        name="mappings-stand",
        words="A mapping, once made, is never altered: a further one adds what was not mapped, and"
        " one that contradicts"
        " is not allowed.",
        sections="RFC 8684 §3.3.1",
        clauses=("R8684-3.3.1-03", "R8684-3.3.1-04"),
        bounds="Up to three mappings of 1 … 65535 octets anywhere, and one more; without checksums.",
        claims=(keeps, contradicts, welcomes),
        goals=("a contradiction",),
        mutants=(
            Mutant(
                MAPPING,
                "                return False  # [R8684-3.3.1-04] a mapping, once made, is never altered",
                "                continue",
                by="contradicts",
            ),
            Mutant(MAPPING, "        passed = max(stands.end - ssn, 0)", "        passed = stands.length"),
            Mutant(
                MAPPING, "            gap = stands.ssn - ssn\n", "            gap = stands.ssn - ssn + 1\n"
            ),
            Mutant(
                MAPPING,
                "return dsn - ssn == other_dsn - other_ssn",
                "return dsn == other_dsn",
                by="contradicts",
            ),
            Mutant(
                MAPPING,
                "a < b + b_length and b < a + a_length",
                "a < b + b_length",
                by="welcomes",
            ),
        ),
        unclaimed="Mappings with checksums, which may not be cut.",
        theory="line",
    ),
)
