"""Two hosts and a channel that loses, repeats and reorders: nothing false is read, and nothing hangs."""

from hypothesis import HealthCheck, settings

from mptcp_model.pair import Pair

TestTwoHosts = Pair.TestCase
TestTwoHosts.settings = settings(
    max_examples=100,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
