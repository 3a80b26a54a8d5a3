"""Two hosts and a channel that loses and reorders, in every way there is: they can always close."""

import pytest

from mptcp_model.exploring import begin, compute_key, deliver, explore, is_done, list_next, settle, wait

MOST = 20_000


@pytest.mark.parametrize(
    ("multipath", "losses", "least"), [(False, 0, 5), (False, 3, 500), (True, 0, 300), (True, 1, 2_000)]
)
def test_every_world_can_close(multipath: bool, losses: int, least: int) -> None:
    """From each world that can be reached, the two read all and close, once nothing more is lost.

    The exploration is complete: it ends because there is nothing else, not because it is long.
    """
    worlds = explore(begin(losses, multipath), MOST)
    assert least <= len(worlds) < MOST
    known: set[int] = set()
    for world in worlds:
        settle(world, known)
    assert {compute_key(world) for world in worlds} <= known
    assert any(is_done(world) for world in worlds)


def test_who_does_not_close_is_found() -> None:
    """A client that never closes leaves a connection that waits for nothing."""
    with pytest.raises(AssertionError, match="waits for nothing"):
        settle(begin(0, False, closes=False), set())


def test_worlds_branch() -> None:
    """A copy goes its own way; the same way twice is the same world."""
    first = begin(1, False)
    key = compute_key(first)
    assert compute_key(deliver(first, 0)) == compute_key(deliver(first, 0)) != key
    assert compute_key(first) == key
    assert len(list_next(first)) == 2
    assert wait(first) is not None
