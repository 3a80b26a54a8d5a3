"""What is ten times as much costs ten times as much: a segment takes the same steps in any crowd.

Steps are lines of the protocol that are executed: no clock is asked, and the same load takes the same steps
on every machine. What one line makes the interpreter do, a copy or a search in C, is not seen here;
``tests/bench/bench_growth.py`` clocks the same loads on the compiled build, larger.
"""

from typing import Any

import pytest

import mptcp
from mptcp.wire.checksum import checksum_by_the_book
from mptcp_model.loads import Load, count_steps

SEGMENTS = 300
MANY_SMALL = {"chunk": 1_400, "window": 1 << 16}

interpreted = pytest.mark.skipif(mptcp.build() != "interpreted", reason="compiled lines are not counted")


def compute_cost(**load: Any) -> float:
    """Steps of one segment with text, both hosts', the acknowledgments included."""
    one = Load(**{"window": 1 << 18, **load})
    one.warm_up()
    before = one.arrived
    return count_steps(lambda: one.run(SEGMENTS)) / (one.arrived - before)


def check_even(slack: float, *loads: dict[str, Any]) -> None:
    """The dearest costs little more than the cheapest: a look at all that is there would show."""
    costs = [compute_cost(**load) for load in loads]
    assert max(costs) <= slack * min(costs), costs


@interpreted
def test_steps_are_counted() -> None:
    """What passes over twice as much takes twice as many, and what takes no time takes none."""
    once = count_steps(lambda: checksum_by_the_book(bytes(1_000)))
    twice = count_steps(lambda: checksum_by_the_book(bytes(2_000)))
    assert once < twice
    assert count_steps(lambda: None) == 0


@interpreted
def test_subflows() -> None:
    """Each is looked at before a segment leaves, and a host has eight at most."""
    check_even(1.4, *({"subflows": count} for count in (1, 2, 4, 8)))


@interpreted
def test_connections() -> None:
    """All of them talk."""
    check_even(1.1, *({"connections": count, **MANY_SMALL} for count in (1, 20, 300)))


@interpreted
def test_resting_connections() -> None:
    """One talks, and the others cost nothing at all."""
    alone, crowded = (compute_cost(connections=count, resting=count - 1) for count in (1, 300))
    assert alone == crowded


@interpreted
def test_losses() -> None:
    """Each segment that is lost costs its recovery, and no more where there are many."""
    check_even(1.3, *({"loss": loss} for loss in (0.0, 0.01, 0.05)))


@interpreted
def test_windows() -> None:
    check_even(1.02, *({"window": window} for window in (1 << 16, 1 << 18, 1 << 20)))


@interpreted
def test_gaps() -> None:
    """However many gaps there are at once, each segment finds its own."""
    load = Load(gaps=150, window=1 << 20)
    load.warm_up()
    assert load.turned > 0
    check_even(1.03, *({"gaps": gaps, "window": 1 << 20} for gaps in (20, 60, 150)))


def test_load_is_the_same_again() -> None:
    """One load is like another, its losses too."""
    one, other = (Load(subflows=2, loss=0.02) for _ in range(2))
    assert (one.run(2_000), one.now) == (other.run(2_000), other.now)
    (connection,) = one.client.connections
    assert one.client.status(connection) == other.client.status(connection)
    assert len(one.client.status(connection).subflows) == 2
