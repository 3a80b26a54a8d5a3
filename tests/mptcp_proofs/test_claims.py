"""Every claim of every theorem by chance, on the build under test: the other engine of the same functions."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from mptcp_proofs.claim import Broken, Claim, Outside, describe
from mptcp_proofs.registry import THEOREMS
from mptcp_proofs.sources import make_strategy
from mptcp_proofs.theorem import Theorem

CLAIMS = [(theorem, claim) for theorem in THEOREMS for claim in theorem.claims]
NAMES = [f"{theorem.id}-{claim.__name__}" for theorem, claim in CLAIMS]
EXAMPLES = 200


@pytest.mark.parametrize(("theorem", "claim"), CLAIMS, ids=NAMES)
def test_claims(theorem: Theorem, claim: Claim) -> None:
    """No example breaks a claim, and some are what it is about."""
    inside = 0

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(make_strategy(claim))
    def holds(arguments: dict[str, Any]) -> None:
        nonlocal inside
        try:
            assert claim(**arguments), describe(claim)
        except Outside:
            return
        except Broken as broken:
            raise AssertionError(f"{describe(claim)} {broken}") from broken
        inside += 1

    holds()
    assert inside, "no example is what the claim is about"
