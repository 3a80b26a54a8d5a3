"""Two hosts, one to four paths, and what becomes of paths, addresses and packets."""

from hypothesis import HealthCheck, settings

from mptcp_model.many_paths import AdversaryOnPaths, AdversaryWithChecksumsOnPaths, ManyPaths

SETTINGS = settings(
    max_examples=80,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestManyPaths = ManyPaths.TestCase
TestManyPaths.settings = SETTINGS
TestAdversaryOnPaths = AdversaryOnPaths.TestCase
TestAdversaryOnPaths.settings = SETTINGS
TestAdversaryWithChecksumsOnPaths = AdversaryWithChecksumsOnPaths.TestCase
TestAdversaryWithChecksumsOnPaths.settings = SETTINGS
