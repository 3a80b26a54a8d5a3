"""Deadlines: the earliest first, and none that was taken back, against a plain list of them."""

from hypothesis import given
from hypothesis import strategies as st

from mptcp.agenda import SPARE, Agenda
from mptcp.subflow.control import NEVER

moments = st.integers(0, 50) | st.just(NEVER)
steps = st.lists(
    st.tuples(st.just("set"), st.integers(1, 6), moments)
    | st.tuples(st.just("forget"), st.integers(1, 6), st.just(0))
    | st.tuples(st.just("take"), st.just(0), st.integers(0, 50)),
    max_size=60,
)


@given(steps)
def test_against_a_list(drawn: list[tuple[str, int, int]]) -> None:
    """Whatever is set, changed, forgotten and taken."""
    agenda = Agenda()
    due: dict[int, int] = {}
    for what, handle, moment in drawn:
        if what == "set":
            agenda.set(handle, moment)
            due.pop(handle, None)
            if moment != NEVER:
                due[handle] = moment
        elif what == "forget":
            agenda.forget(handle)
            due.pop(handle, None)
        else:
            taken = agenda.take(moment)
            earliest = min(due.values(), default=NEVER)
            if taken:
                assert due.pop(taken) == earliest <= moment
            else:
                assert earliest > moment
        assert agenda.first() == min(due.values(), default=None)


def test_memory() -> None:
    """A deadline that moves ten thousand times is one deadline, and among many the others stay."""
    agenda = Agenda()
    for handle in range(1, 101):
        agenda.set(handle, 1_000_000 + handle)
    for moment in range(10_000):
        agenda.set(50, 2_000_000 + moment)
        assert len(agenda.heap) <= SPARE + 2 * 100
    assert agenda.first() == 1_000_001
    assert [agenda.take(3_000_000) for _ in range(101)] == [
        *[handle for handle in range(1, 101) if handle != 50],
        50,
        0,
    ]
