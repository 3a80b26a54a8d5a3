"""Two hosts and an adversary on the path between them, who can do to packets what middleboxes do."""

import pytest
from hypothesis import HealthCheck, settings

from mptcp_model.adversary import Adversary, AdversaryWithChecksums, set_bit

SETTINGS = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestAdversary = Adversary.TestCase
TestAdversary.settings = SETTINGS
TestAdversaryWithChecksums = AdversaryWithChecksums.TestCase
TestAdversaryWithChecksums.settings = SETTINGS


@pytest.mark.clause("R8684-3.7-13")
@pytest.mark.parametrize("at", [0, 1, 4])
def test_bits_are_set_one_by_one(at: int) -> None:
    """He never sets one that is set already."""
    assert set_bit(bytes([1, 1, 2, 1, 4]), at) == bytes([1, 1, 3, 1, 4] if at < 4 else [1, 1, 2, 1, 5])
