"""Every claim of every theorem on the build under test, by chance and by the prover's own examples."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from mptcp_proofs.claim import Broken, Claim, Outside, describe
from mptcp_proofs.engine import sample
from mptcp_proofs.registry import THEOREMS
from mptcp_proofs.sources import HOLDS, OUTSIDE, make_strategy, replay
from mptcp_proofs.theorem import Theorem

CLAIMS = [(theorem, claim) for theorem in THEOREMS for claim in theorem.claims]
NAMES = [f"{theorem.id}-{claim.__name__}" for theorem, claim in CLAIMS]
EXAMPLES = 200
PATHS = 8


@pytest.mark.parametrize(("theorem", "claim"), CLAIMS, ids=NAMES)
def test_by_chance(theorem: Theorem, claim: Claim) -> None:
    """No example that chance gives breaks a claim: the other engine of the same functions."""

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(make_strategy(claim))
    def holds(arguments: dict[str, Any]) -> None:
        try:
            assert claim(**arguments), describe(claim)
        except Outside:
            return
        except Broken as broken:
            raise AssertionError(f"{describe(claim)} {broken}") from broken

    holds()


@pytest.mark.parametrize(("theorem", "claim"), CLAIMS, ids=NAMES)
def test_by_paths(theorem: Theorem, claim: Claim) -> None:
    """What the prover finds on a claim's first paths is what the claim is about, here too, and holds."""
    said = {replay(claim, record) for record in sample(theorem, claim, PATHS)}
    assert HOLDS in said, "the prover knows no arguments that the claim is about"
    assert said <= {HOLDS, OUTSIDE}
    assert OUTSIDE not in said or theorem.assumes, "outside, though the prover assumes nothing"
