"""What the prover's tests share: a theorem around any claim."""

from collections.abc import Callable
from typing import Any

import pytest

from mptcp_proofs.theorem import Theorem


@pytest.fixture
def theorem() -> Callable[..., Theorem]:
    """A maker of theorems that say nothing beyond their claims."""

    def make(*claims: Callable[..., bool], **fields: Any) -> Theorem:
        usual: dict[str, Any] = {"goals": (), "mutants": (), "is_octets_summed_up": False}
        return Theorem("T0", "made-up", "", "", (), "", claims, unclaimed="", **{**usual, **fields})

    return make
