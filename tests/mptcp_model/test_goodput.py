"""How fast over a bad path: what each part of loss recovery is worth, in the simulated network.

Nothing here is left to chance: the links' dice are seeded, and time is simulated. The figures are far
enough from what was measured that another seed would do, and near enough to fail when a part does not work.
"""

import dataclasses
from random import Random
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


def measure(line: Line, octets: int, seed: int = 0, **fields: Any) -> tuple[float, float]:
    """Megabits in a second until the last octet was read, and octets sent again for each one sent."""
    choices = Choices(**{"multipath": False, **fields})
    back = dataclasses.replace(line, lose=frozenset())
    network = two_hosts(Path((line,), (back,)), seed=f"goodput{seed}", client=choices, server=choices)
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


@pytest.mark.clause("R8985-3.3.2-01")
@pytest.mark.parametrize("timestamps", [True, False])
@pytest.mark.parametrize("multipath", [True, False])
def test_reordering_is_learnt(multipath: bool, timestamps: bool) -> None:
    """Where nothing is lost hardly anything goes again, with room for one SACK block or for four."""
    line = dataclasses.replace(SHUFFLED, queue=1_000_000)
    for seed in range(4):
        speed, again = measure(line, 4_000_000, seed, multipath=multipath, timestamps=timestamps)
        assert speed > 33
        assert again < 0.005


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


@pytest.mark.parametrize("seed", range(30))
def test_any_path(seed: int) -> None:
    """Whatever a path loses, repeats and shuffles, and whatever was chosen: all arrives, and in time."""
    dice = Random(seed)
    is_long = dice.random() < 0.3
    line = Line(
        rate=dice.choice([0, 1_000_000, 20_000_000]),
        delay=dice.choice([100, 5 * MILLISECOND, 100 * MILLISECOND]),
        loss=dice.choice([0, 0.01, 0.1, 0.3]),
        reorder=dice.choice([0, 0.05, 0.3]),
        reorder_delay=dice.choice([100, 3 * MILLISECOND, 200 * MILLISECOND]),
        duplicate=dice.choice([0, 0.05]),
        queue=dice.choice([0, 20_000]),
        mtu=65_535 if is_long else 1_500,
    )
    speed, _ = measure(
        line,
        dice.choice([300, 30_000, 100_000]),
        multipath=dice.random() < 0.5,
        sack=dice.random() < 0.8,
        rack=dice.random() < 0.7,
        frto=dice.random() < 0.8,
        timestamps=dice.random() < 0.5,
        congestion=dice.choice([CUBIC, NEWRENO]),
        receive_buffer=dice.choice([3_000, 40_000, 1 << 20]),
        send_buffer=1 << 20,
        delayed_ack=dice.choice([0, 40 * MILLISECOND]),
        offload=dice.choice([0, 20_000]) if is_long else 0,
        nagle=dice.random() < 0.5,
        retransmissions=30,
        syn_attempts=12,
    )
    assert speed > 0 if line.loss else speed > 0.001
