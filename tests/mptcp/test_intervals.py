"""Octets with holes, against a dict of octets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mptcp.intervals import Intervals
from mptcp.parameters import CRUMB
from mptcp.values import Text

SPAN = 40  # offsets that collide often


def text(octets: bytes) -> Text:
    """Octets that lie somewhere in a packet."""
    return Text(b"<" + octets + b">", 1, 1 + len(octets))


def taken(intervals: Intervals) -> bytes:
    return b"".join([piece.octets() for piece in intervals.take()])


class Book:
    """Intervals by the book: one octet after the other in a dict, the first copy stays."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.octets: dict[int, int] = {}

    def insert(self, offset: int, octets: bytes) -> int:
        before = len(self.octets)
        for at, octet in enumerate(octets, offset):
            if at >= self.start:
                self.octets.setdefault(at, octet)
        return len(self.octets) - before

    def take(self) -> bytes:
        run = bytearray()
        while self.start in self.octets:
            run.append(self.octets.pop(self.start))
            self.start += 1
        return bytes(run)

    def ranges(self) -> list[tuple[int, int]]:
        lefts = [at for at in sorted(self.octets) if at - 1 not in self.octets]
        rights = [at + 1 for at in sorted(self.octets) if at + 1 not in self.octets]
        return list(zip(lefts, rights, strict=True))


class Beside(RuleBasedStateMachine):
    """Both bodies, told the same."""

    def __init__(self) -> None:
        super().__init__()
        self.fast = Intervals(3)
        self.book = Book(3)

    @rule(ahead=st.integers(-2, 2), octets=st.binary(min_size=1, max_size=SPAN))
    def follow(self, ahead: int, octets: bytes) -> None:
        offset = self.book.start + ahead
        is_next = ahead == 0 and not self.book.octets
        assert self.fast.follow(offset, text(octets)) == is_next
        if is_next:
            assert self.book.insert(offset, octets) == len(octets)
            assert self.book.take() == octets

    @rule(offset=st.integers(0, SPAN), octets=st.binary(max_size=SPAN))
    def insert(self, offset: int, octets: bytes) -> None:
        assert self.fast.insert(offset, text(octets)) == self.book.insert(offset, octets)

    @rule(octets=st.binary(min_size=1, max_size=9), far=st.integers(0, 2))
    def insert_behind(self, octets: bytes, far: int) -> None:
        offset = max([self.book.start, *self.book.octets]) + far
        assert self.fast.insert(offset, text(octets)) == self.book.insert(offset, octets)

    @rule()
    def take(self) -> None:
        assert taken(self.fast) == self.book.take()

    @rule()
    def go_on_with_a_copy(self) -> None:
        twin = self.fast.copy()
        assert twin.key() == self.fast.key()
        self.fast.insert(0, text(bytes(2 * SPAN)))
        self.fast = twin

    @invariant()
    def same(self) -> None:
        assert self.fast.start == self.book.start
        assert self.fast.held == len(self.book.octets)
        assert self.fast.ranges() == self.book.ranges()

    @invariant()
    def sorted_and_apart(self) -> None:
        pieces = list(zip(self.fast.offsets, self.fast.pieces, strict=True))
        at = self.fast.start
        for offset, piece in pieces:
            assert offset >= at
            assert len(piece) > 0
            at = offset + len(piece)


TestBeside = Beside.TestCase


def test_in_order() -> None:
    """The common case: what comes is taken."""
    intervals = Intervals(1)
    for at in range(5):
        assert intervals.insert(1 + 3 * at, text(b"abc")) == 3
        assert taken(intervals) == b"abc"
    assert (intervals.start, intervals.held, intervals.ranges()) == (16, 0, [])


@pytest.mark.clause("R9293-3.10.7.4-03")
def test_the_first_copy_wins() -> None:
    """A second one that says something else changes nothing."""
    intervals = Intervals()
    assert intervals.insert(2, text(b"cd")) == 2
    assert intervals.insert(0, text(b"ABCDEF")) == 4
    assert taken(intervals) == b"ABcdEF"


def test_what_was_taken_does_not_come_again() -> None:
    """Below ``start`` nothing counts; of text that reaches beyond, the rest does."""
    intervals = Intervals(10)
    assert intervals.insert(0, text(b"0123456789")) == 0
    assert intervals.insert(8, text(b"89ab")) == 2
    assert intervals.insert(3, text(b"")) == 0
    assert taken(intervals) == b"ab"


@given(st.lists(st.tuples(st.integers(0, SPAN), st.binary(min_size=1, max_size=9)), max_size=9), st.data())
def test_equal_octets_have_equal_keys(parts: list[tuple[int, bytes]], data: st.DataObject) -> None:
    """However they came: octets are the state, pieces are not."""
    whole, cut = Intervals(), Intervals()
    for offset, octets in parts:
        whole.insert(offset, text(octets))
        middle = data.draw(st.integers(0, len(octets)))
        cut.insert(offset + middle, text(octets[middle:]))
        cut.insert(offset, text(octets[:middle]))
    assert whole.key() == cut.key()
    whole.insert(2 * SPAN, text(b"!"))
    assert whole.key() != cut.key()


def test_a_crumb_does_not_keep_a_packet_alive() -> None:
    """Small pieces that wait are copied out of what they came in, also those that fill a hole."""
    large = Text(bytes(60_000), 0, 60_000)
    intervals = Intervals()
    intervals.insert(60_010, large.cut(0, CRUMB - 1))
    intervals.insert(1_000, large.cut(0, 50_000))
    intervals.insert(51_001, large.cut(0, 8_000))
    intervals.insert(50_999, large.cut(0, 3))
    small = [piece for piece in intervals.pieces if len(piece) < CRUMB]
    assert len(small) == 2
    for piece in small:
        assert len(piece.packet) == len(piece)


def test_many_holes_filled_at_once() -> None:
    """One insertion over thousands of pieces costs as much as they are many, not its square."""
    intervals = Intervals()
    many = 20_000
    for at in range(1, 2 * many, 2):
        intervals.insert(at, text(b"x"))
    assert intervals.insert(0, Text(bytes(2 * many), 0, 2 * many)) == many
    assert intervals.ranges() == [(0, 2 * many)]
    assert taken(intervals) == b"\0x" * many
