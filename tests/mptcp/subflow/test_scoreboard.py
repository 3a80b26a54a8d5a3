"""The scoreboard against an octet-by-octet account of the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.subflow.scoreboard import FLYING, LOST, SACKED, TWICE, Scoreboard

SIZE = 10


class Account:
    """Of each octet that is out: its mark."""

    def __init__(self) -> None:
        self.marks: dict[int, int] = {}

    def total(self, *marks: int) -> int:
        """Octets with one of these marks."""
        return sum(mark in marks for mark in self.marks.values())


def check(board: Scoreboard, account: Account, una: int, nxt: int) -> None:
    """Records lie side by side from SND.UNA to SND.NXT, and every count is right."""
    records = board.sent[board.first :]
    edges = [una, *[one.end for one in records]]
    assert [one.start for one in records] == edges[:-1]
    assert edges[-1] == nxt
    assert all(one.start < one.end for one in records)
    for one in records:
        assert {account.marks[octet] for octet in range(one.start, one.end)} == {one.mark}
    assert board.pipe == account.total(FLYING, TWICE) + account.total(TWICE)
    assert board.lost == account.total(LOST)
    assert board.sacked == account.total(SACKED)
    assert board.islands == sum(one.mark == SACKED for one in records)
    assert board.first <= board.cursor <= len(board.sent)
    passed = board.sent[board.first : board.cursor]
    assert not any(one.mark == FLYING and not one.is_again for one in passed)
    pairs = zip(records, records[1:], strict=False)
    assert not any(one.mark == two.mark == SACKED for one, two in pairs)  # joined
    lost = [octet for octet, mark in account.marks.items() if mark == LOST]
    assert board.find_lost() == min(lost, default=-1)


steps = st.lists(
    st.tuples(
        st.sampled_from(["send", "send", "long", "ack", "sack", "sack", "lose", "again", "timeout", "spare"]),
        st.integers(0, 300),
        st.integers(1, 60),
    ),
    max_size=60,
)


@pytest.mark.clause("R6675-4-02", "R6675-4-01")
@given(steps)
def test_every_count(story: list[tuple[str, int, int]]) -> None:
    """Whatever is sent, acknowledged, sacked, lost and sent again, in whatever pieces."""
    board, account, una, nxt, again = Scoreboard(), Account(), 1, 1, set[int]()
    for now, (what, place, length) in enumerate(story):
        left = min(una + place, nxt)
        right = min(left + length, nxt)
        if what in ("send", "long"):
            octets = length * (SIZE if what == "long" else 1)
            board.send(nxt, nxt + octets, SIZE, now)
            account.marks |= dict.fromkeys(range(nxt, nxt + octets), FLYING)
            nxt += octets
        elif what == "ack":
            while board.take(left) is not None:
                pass
            una = left
            account.marks = {octet: mark for octet, mark in account.marks.items() if octet >= una}
        elif what == "sack" and left < right:
            before = {octet for octet, mark in account.marks.items() if mark != SACKED}
            news = board.sack(left, right)
            told = {octet for one in news for octet in range(one.start, one.end)}
            assert told <= before & set(range(left, right))  # nothing is invented
            account.marks |= dict.fromkeys(told, SACKED)
        elif what == "lose" and left < nxt:
            index = board.find(left)
            one = board.sent[index]
            if one.mark in (FLYING, TWICE):
                board.lose(index)
                account.marks |= dict.fromkeys(range(one.start, one.end), LOST)
        elif what == "again" and left < nxt and account.marks[left] != SACKED:
            stop = board.find_stop(left, right)
            assert left < stop <= right
            mark = FLYING if account.marks[left] == LOST else TWICE
            board.resend(left, stop, now, True)
            account.marks |= dict.fromkeys(range(left, stop), mark)
            again |= set(range(left, stop))
        elif what == "timeout":
            if place % 2:
                board.forget_sacks()
            else:
                board.lose_all()
            for octet, mark in account.marks.items():
                if (mark == SACKED) == bool(place % 2):
                    account.marks[octet] = LOST
        elif what == "spare":
            for one in board.sent[board.first :]:
                if one.mark == LOST and not one.is_again:
                    account.marks |= dict.fromkeys(range(one.start, one.end), FLYING)
            board.spare()
        check(board, account, una, nxt)


@pytest.mark.clause("R6675-4-01")
def test_crumbs() -> None:
    """A peer that reports octet by octet makes no more records than there are segments."""
    board = Scoreboard()
    for start in range(1, 1_001, 100):
        board.send(start, start + 100, SIZE, 0)
    for octet in range(1, 1_001, 2):
        assert board.sack(octet, octet + 1) == []
    assert len(board.sent) <= 100
    for octet in range(1, 1_001, 2):
        board.sack(octet, octet + 15)
    assert len(board.sent) <= 100


def test_long_segment() -> None:
    """One that a device cut arrives in part: whole segments count."""
    board = Scoreboard()
    board.send(1, 101, SIZE, 0)
    (one,) = board.sack(35, 78)
    assert (one.start, one.end) == (41, 71)
    assert [(part.start, part.end, part.mark) for part in board.sent] == [
        (1, 41, FLYING),
        (41, 71, SACKED),
        (71, 101, FLYING),
    ]
    assert (board.pipe, board.sacked, board.high) == (70, 30, 71)


def test_one_walk() -> None:
    """A run that grows is one record: what was reported before is not looked at again."""
    board = Scoreboard()
    for start in range(1, 10_001, 10):
        board.send(start, start + 10, SIZE, 0)
    for right in range(21, 10_001, 10):
        assert len(board.sack(11, right)) == 1
        assert board.find(11) == 1
        assert board.sent[1].end == right
