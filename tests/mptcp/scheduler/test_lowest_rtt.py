"""The scheduler that prefers the shortest round trip."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.scheduler.lowest_rtt import LowestRtt
from mptcp.scheduler.scheduler import Candidate

CANDIDATES = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 100_000), st.booleans()),
    max_size=8,
).map(lambda rows: [Candidate(index * 3, *row) for index, row in enumerate(rows)])


def test_nobody() -> None:
    """Where no subflow has room, none is chosen."""
    assert LowestRtt().pick([]) == -1


@pytest.mark.clause("R8684-3.3.8-01")
def test_shortest_round_trip() -> None:
    """The lowest one wins, wherever it stands in the list."""
    rows = [(0, 30_000), (1, 20_000), (2, 25_000)]
    for shift in range(3):
        turned = rows[shift:] + rows[:shift]
        assert LowestRtt().pick([Candidate(index, srtt, 100, False) for index, srtt in turned]) == 1


def test_first_of_equals() -> None:
    """A tie is no reason to change: the first one offered wins."""
    assert LowestRtt().pick([Candidate(7, 10, 1, False), Candidate(3, 10, 9, False)]) == 7


@pytest.mark.clause("R8684-3.3.8-03", "R8684-3.3.8-06")
@pytest.mark.parametrize("order", [1, -1])
def test_backup_waits(order: int) -> None:
    """A backup subflow carries nothing while another can, however fast it is."""
    candidates = [Candidate(0, 1, 9_000, True), Candidate(1, 900_000, 1, False)][::order]
    assert LowestRtt().pick(candidates) == 1


@pytest.mark.clause("R8684-3.3.8-03")
def test_backups_among_themselves() -> None:
    """With only backup subflows left the fastest of them is used."""
    assert LowestRtt().pick([Candidate(0, 50, 1, True), Candidate(1, 40, 1, True)]) == 1


def test_room_does_not_matter() -> None:
    """Room is for the connection to use; the scheduler goes by time."""
    assert LowestRtt().pick([Candidate(0, 10, 1, False), Candidate(1, 11, 1_000_000, False)]) == 0


@pytest.mark.clause("R8684-3.3.8-01", "R8684-3.3.8-03")
@given(CANDIDATES)
def test_by_the_book(candidates: list[Candidate]) -> None:
    """The least of (is backup, round trip, place in the list)."""
    expected = -1
    if candidates:
        expected = min(candidates, key=lambda one: (one.is_backup, one.srtt)).index
    assert LowestRtt().pick(candidates) == expected
