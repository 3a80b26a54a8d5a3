"""Proving one claim: symbols through a private copy of the sources, and what was found tried for real."""

from typing import Any, TypeAlias

from mptcp_proofs.claim import Claim, draw_arguments
from mptcp_proofs.mutants import change
from mptcp_proofs.sources import HOLDS, OUTSIDE, replay
from mptcp_proofs.symbolic import models
from mptcp_proofs.symbolic.explorer import LEAK, REFUTED, Exploration, Explorer
from mptcp_proofs.symbolic.loader import World
from mptcp_proofs.theorem import Mutant, Theorem

Answers: TypeAlias = list[tuple[str, tuple[bytes, ...], bytes]]

CHECK_SECONDS = 20.0  # for one question to z3
SECONDS = 150.0  # for one claim


def make_symbolic_world(theorem: Theorem, mutant: Mutant | None = None) -> World:
    """The sources as symbols can run through them."""
    summaries = models.SUMMARIES if theorem.is_octets_summed_up else {}
    return put_stubs(World(change(mutant), models.ALL, models.MODULES, summaries), theorem)


def make_twin_world(theorem: Theorem, mutant: Mutant | None, answers: Answers) -> World:
    """The plain sources under the same assumptions: the same change and stubs, hashes with these answers."""
    return put_stubs(World(change(mutant), modules=models.make_oracle(answers) if answers else None), theorem)


def make_plain_world() -> World:
    """The sources as they are, interpreted."""
    return World()


def put_stubs(world: World, theorem: Theorem) -> World:
    """Put the functions in place that the theorem names."""
    for old, new in theorem.stubs.items():
        world.find(new)
        world.replace(old, new)
    return world


def prove(
    theorem: Theorem,
    claim: Claim,
    mutant: Mutant | None = None,
    seconds: float = SECONDS,
    check_seconds: float = CHECK_SECONDS,
) -> Exploration:
    """Explore ``claim`` on all paths; a counterexample counts once the plain sources show it too."""
    twin = make_symbolic_world(theorem, mutant).find(claim)
    explorer = Explorer(theorem.theory, check_seconds, seconds)
    result = explorer.explore(lambda source: twin(**draw_arguments(twin, source)), mutant is None)
    if result.verdict == REFUTED and result.counterexample is not None:
        plain = replay(make_twin_world(theorem, mutant, result.answers).find(claim), result.counterexample)
        if plain in (HOLDS, OUTSIDE):
            result.verdict = LEAK
            result.why += f", say the symbols, but the sources themselves say: {plain}"
    return result


def sample(theorem: Theorem, claim: Claim, count: int, seconds: float = SECONDS) -> list[dict[str, Any]]:
    """Arguments that ``claim`` is about, one for each of its first ``count`` paths."""
    twin = make_symbolic_world(theorem).find(claim)
    explorer = Explorer(theorem.theory, CHECK_SECONDS, seconds)
    return explorer.explore(lambda source: twin(**draw_arguments(twin, source)), enough=count).records
