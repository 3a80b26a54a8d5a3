"""Theorems: claims with what makes them worth believing.

A theorem says in words what it shows and what it does not, names its clauses and its bounds, lists the
cases that must be reachable (else it would be vacuous), and carries mutants: small wrong changes to the
source, each of which must be refuted.
"""

from dataclasses import dataclass, field

from mptcp_proofs.claim import Claim


@dataclass(frozen=True)
class Mutant:
    """A wrong source: in ``file`` (below spec/), ``old``, which stands there once, reads ``new``.

    ``history`` names the published bug that it seeds, if any; ``by`` the claim to try first.
    """

    file: str
    old: str
    new: str
    history: str = ""
    by: str = ""


@dataclass(frozen=True)
class Theorem:
    """One statement about the sources, and its evidence.

    ``sections`` are those of the RFCs, ``clauses`` the ids of what they ask there, as far as they ask.
    ``claims`` are to be proved, ``refuted`` to be refuted: things one might believe, with the
    counterexample as their worth. ``theory`` is how numbers are written for the solver: "bits" (exact
    for all of Python's operations that are followed) or "line" (linear arithmetic on unbounded integers).
    ``stubs`` replace functions of the sources by functions of the claims, while proving only, as
    ``module:function`` to ``module:function``; ``assumes`` says what that and the models assume.
    """

    id: str
    name: str
    words: str
    sections: str
    clauses: tuple[str, ...]
    bounds: str
    claims: tuple[Claim, ...]
    goals: tuple[str, ...]
    mutants: tuple[Mutant, ...]
    unclaimed: str
    refuted: tuple[Claim, ...] = ()
    theory: str = "bits"
    assumes: str = ""
    stubs: dict[str, str] = field(default_factory=dict)
    is_octets_summed_up: bool = True  # mptcp.wire.octets by its models, which T0 proves to be the same

    @property
    def topic(self) -> str:
        """The module of its claims."""
        return (self.claims + self.refuted)[0].__module__.rpartition(".")[2]
