"""Virtual time passes only when something happens, in an order that never differs."""

import pytest

from mptcp_model.simulated.clock import Clock, Livelock


def test_order_is_by_moment_then_by_turn() -> None:
    """Of two happenings at one moment the one scheduled first comes first."""
    clock = Clock()
    for when, node in ((20, "late"), (10, "first"), (10, "second"), (0, "now")):
        clock.schedule(when, node)
    assert [clock.take().node for _ in range(4)] == ["now", "first", "second", "late"]
    assert (clock.now, clock.peek()) == (20, None)


def test_nothing_happens_in_the_past() -> None:
    """What is scheduled before the present happens at once."""
    clock = Clock()
    clock.pass_to(50)
    clock.schedule(10, "node")
    assert clock.take().when == 50


def test_dropped() -> None:
    """What is taken off does not happen, and does not make time pass."""
    clock = Clock()
    clock.schedule(10, "dropped")
    clock.schedule(20, "node")
    clock.drop()
    assert (clock.now, clock.take().node) == (0, "node")


def test_standstill_is_found() -> None:
    """A node that is woken at one moment for ever is a livelock, and is named."""
    clock = Clock()
    with pytest.raises(Livelock, match="the last at restless"):
        while True:
            clock.schedule(clock.now, "restless")
            clock.take()


def test_copy_goes_its_own_way() -> None:
    """A copy has the same key, and what happens to it does not happen to the original."""
    clock = Clock()
    clock.schedule(10, "node", b"packet")
    twin = clock.copy()
    assert twin.key() == clock.key()
    twin.take()
    assert (clock.now, twin.now) == (0, 10)
    assert twin.key() != clock.key()
