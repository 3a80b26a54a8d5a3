"""Published bugs of MPTCP and TCP implementations, seeded as mutants: which theorem would have found each."""

from collections.abc import Iterable
from dataclasses import dataclass

from mptcp_proofs.runner import MUTANT, Outcome, Result
from mptcp_proofs.symbolic.explorer import REFUTED
from mptcp_proofs.theorem import Mutant, Theorem


@dataclass(frozen=True)
class Seeding:
    """One bug in one theorem: ``outcome`` is what came of the mutant."""

    bug: str
    theorem: Theorem
    mutant: Mutant
    outcome: Outcome

    @property
    def is_killed(self) -> bool:
        """Whether the theorem refutes it."""
        return self.outcome.verdict == REFUTED


def has_history(theorem: Theorem) -> bool:
    """Whether one of its mutants is a published bug."""
    return any(mutant.history for mutant in theorem.mutants)


def list_seedings(results: Iterable[Result]) -> list[Seeding]:
    """All published bugs among the mutants of these results, by bug, then theorem."""
    found = [
        Seeding(mutant.history, result.theorem, mutant, outcome)
        for result in results
        for outcome in result.of(MUTANT)
        if (mutant := result.theorem.mutants[outcome.task.index]).history
    ]
    return sorted(found, key=lambda one: one.bug)
