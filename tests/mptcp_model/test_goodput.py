"""How fast over a bad path: what each part of loss recovery is worth, in the simulated network.

Nothing here is left to chance: the links' dice are seeded, and time is simulated. The figures are far
enough from what was measured that another seed would do, and near enough to fail when a part does not work.
"""

import dataclasses
from typing import Any

import pytest

from mptcp.choices import CUBIC, NEWRENO, Choices
from mptcp.parameters import MILLISECOND, SECOND
from mptcp_model.simulated.applications import Sender, Sink
from mptcp_model.simulated.link import Line
from mptcp_model.simulated.network import Path, ipv4, two_hosts

LOSSY = Line(rate=100_000_000, delay=25 * MILLISECOND, loss=0.01, queue=500_000)
SHUFFLED = Line(50_000_000, 10 * MILLISECOND, reorder=0.05, reorder_delay=3 * MILLISECOND, queue=100_000)
LONG = Line(delay=500 * MILLISECOND, lose=frozenset({150}))


def measure(line: Line, octets: int, **fields: Any) -> tuple[float, float]:
    """Megabits in a second until the last octet was read, and octets sent again for each one sent."""
    choices = Choices(**{"multipath": False, **fields})
    back = dataclasses.replace(line, lose=frozenset())
    network = two_hosts(Path((line,), (back,)), seed="goodput", client=choices, server=choices)
    client, server = network.machines["client"], network.machines["server"]
    server.listen(80, Sink())
    handle = client.connect(ipv4(0, 1), ipv4(0, 2), 80, Sender(bytes(octets)), network.now)
    network.touch("client")
    while not any(one.finished for one in server.applications.values()):
        assert network.find_next() is not None, "it came to a standstill"
        network.step()
    (application,) = server.applications.values()
    assert len(application.inbox) == octets
    again = client.host.status(handle).bytes_retrans / octets
    return octets * 8 * SECOND / network.now / 1e6, again


@pytest.mark.parametrize("congestion", [NEWRENO, CUBIC])
def test_one_in_a_hundred_lost(congestion: str) -> None:
    """What is lost goes again and nothing else; the speed is what a loss in a hundred leaves of a window.

    1.22 / sqrt(0.01) segments each round trip are 2.8 Mbit/s for standard TCP (RFC 5348 §3.1, simplified).
    """
    speed, again = measure(LOSSY, 2_000_000, congestion=congestion)
    assert speed > 2.4
    assert 0.005 < again < 0.014


def test_each_way_of_detection_recovers() -> None:
    """By time, by counting blocks, by duplicates: none is much slower at one loss in a hundred."""
    speeds = {
        fields: measure(LOSSY, 1_000_000, sack=fields != "neither", rack=fields == "both")[0]
        for fields in ("both", "sack", "neither")
    }
    assert min(speeds.values()) > 0.7 * max(speeds.values()), speeds


@pytest.mark.clause("R8985-3.3.2-01")
def test_reordering_is_no_loss() -> None:
    """Where one packet in twenty is late, patience pays: less goes again, and more arrives."""
    patient, few = measure(SHUFFLED, 4_000_000)
    counting, many = measure(SHUFFLED, 4_000_000, rack=False)
    blind, _ = measure(SHUFFLED, 4_000_000, sack=False)
    assert patient > 33
    assert patient > 1.3 * blind
    assert patient > 0.95 * counting
    assert few < 0.6 * many


@pytest.mark.clause("R8312-4.1-01")
def test_cubic_refills_a_long_path() -> None:
    """One loss on a path of a second: CUBIC is back in a few seconds, NewReno in as many as segments."""
    cubic, _ = measure(LONG, 2_000_000, congestion=CUBIC)
    newreno, _ = measure(LONG, 2_000_000, congestion=NEWRENO)
    assert cubic > 1.3 * newreno


@pytest.mark.clause("R8985-7.3-02")
def test_lost_tail() -> None:
    """The last packet of a short transfer is lost: the probe is there before the timeout would be."""
    times = {}
    for rack in (True, False):
        line = Line(delay=50 * MILLISECOND, lose=frozenset({8}))
        speed, again = measure(line, 8_000, rack=rack, minimum_rto=SECOND)
        times[rack] = 8_000 * 8 / speed
        assert again > 0
    assert times[True] < 0.5 * times[False]
