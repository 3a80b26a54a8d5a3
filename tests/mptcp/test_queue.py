"""Queue: octets in a row, against a body by the book."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mptcp.parameters import CRUMB
from mptcp.queue import COMPACT_AFTER, Queue
from mptcp.values import LONG, Text


def make_text(octets: bytes, before: bytes = b"<<", after: bytes = b">>>") -> Text:
    """``octets`` as they lie in a longer packet."""
    return Text(before + octets + after, len(before), len(before) + len(octets))


def read(texts: tuple[Text, ...]) -> bytes:
    """The octets of ``texts``."""
    return b"".join([text.octets() for text in texts])


class BookQueue:
    """The same by the book: one string of octets, cut where it is released."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.octets = b""

    @property
    def end(self) -> int:
        return self.start + len(self.octets)

    def append(self, octets: bytes) -> None:
        self.octets += octets

    def cut(self, start: int, end: int) -> bytes:
        return self.octets[start - self.start : end - self.start]

    def release(self, offset: int) -> None:
        self.octets = self.octets[max(offset - self.start, 0) :]
        self.start = max(self.start, offset)


class QueueMachine(RuleBasedStateMachine):
    """A queue and its book, side by side."""

    @initialize(start=st.integers(0, 1 << 62))
    def begin(self, start: int) -> None:
        self.queue, self.book = Queue(start), BookQueue(start)
        self.twin = self.queue.copy()
        self.key = self.twin.key()

    @rule(length=st.one_of(st.integers(0, 40), st.integers(CRUMB - 2, CRUMB + 2), st.just(5_000)))
    def append(self, length: int) -> None:
        octets = bytes([(self.book.end + at) & 0xFF for at in range(length)])
        self.queue.append(make_text(octets))
        self.book.append(octets)

    @rule(data=st.data())
    def cut(self, data: st.DataObject) -> None:
        start = data.draw(st.integers(self.book.start, self.book.end))
        end = data.draw(st.integers(start, self.book.end))
        texts = self.queue.cut(start, end)
        assert read(texts) == self.book.cut(start, end)
        assert all(len(text) > 0 for text in texts)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        offset = data.draw(st.integers(max(self.book.start - 5, 0), self.book.end))
        self.queue.release(offset)
        self.book.release(offset)

    @precondition(lambda self: self.book.octets)
    @rule()
    def release_all(self) -> None:
        self.queue.release(self.queue.end)
        self.book.release(self.book.end)
        assert self.queue.texts == []

    @rule()
    def copy(self) -> None:
        self.twin = self.queue.copy()
        self.key = self.twin.key()
        assert self.key == self.queue.key()

    @invariant()
    def is_by_the_book(self) -> None:
        if not hasattr(self, "queue"):
            return
        queue, book = self.queue, self.book
        assert (queue.start, queue.end, len(queue)) == (book.start, book.end, len(book.octets))
        assert read(queue.cut(queue.start, queue.end)) == book.octets
        assert self.twin.key() == self.key

    @invariant()
    def is_frugal(self) -> None:
        """Released texts are let go of sooner or later; the one at the front may still be whole."""
        if hasattr(self, "queue"):
            assert self.queue.first < COMPACT_AFTER
            assert len(self.queue.texts) == len(self.queue.offsets)


QueueMachine.TestCase.settings = settings(max_examples=40)
TestQueueMachine = QueueMachine.TestCase


@given(st.lists(st.integers(CRUMB, 2 * CRUMB), max_size=30), st.data())
def test_cut_anywhere(lengths: list[int], data: st.DataObject) -> None:
    """Any stretch comes back as it went in, by references into the packets, not by copies."""
    queue = Queue(1)
    packets = [make_text(bytes([number]) * length) for number, length in enumerate(lengths)]
    for text in packets:
        queue.append(text)
    whole = read(tuple(packets))
    start = data.draw(st.integers(1, 1 + len(whole)))
    end = data.draw(st.integers(start, 1 + len(whole)))
    texts = queue.cut(start, end)
    assert read(texts) == whole[start - 1 : end - 1]
    assert all(any(text.packet is one.packet for one in packets) for text in texts)


@pytest.mark.parametrize("length", [1, 100, CRUMB - 1])
def test_crumbs_keep_no_packets(length: int) -> None:
    """Memory follows the octets: small pieces neither keep their packets nor an entry each."""
    queue = Queue(0)
    packet = bytes(65_535)
    for _ in range(1_000):
        queue.append(Text(packet, 20, 20 + length))
    held = sum(len(one) for one in {text.packet for text in queue.texts})
    assert held <= 1_000 * length
    assert len(queue.texts) <= 2 + 1_000 * length // 4_000


def test_empty() -> None:
    """Nothing is in it: nothing can be cut from it, and releasing does nothing."""
    queue = Queue(10)
    queue.append(make_text(b""))
    assert (len(queue), queue.start, queue.end) == (0, 10, 10)
    assert queue.cut(10, 10) == ()
    queue.release(10)
    queue.release(3)
    assert queue.start == 10


@pytest.mark.parametrize(("start", "end"), [(0, 3), (4, 9), (7, 6), (9, 9)])
def test_what_is_not_held_is_our_mistake(start: int, end: int) -> None:
    """Cutting beyond what is there, or backwards, is a fault of the code that asks."""
    queue = Queue(0)
    queue.append(make_text(b"abcdefgh"))
    queue.release(2)
    with pytest.raises(AssertionError):
        queue.cut(start, end)


def test_release_beyond_the_end_is_our_mistake() -> None:
    """So is letting go of what never came."""
    queue = Queue(0)
    queue.append(make_text(b"abc"))
    with pytest.raises(AssertionError):
        queue.release(4)


@pytest.mark.parametrize("length", [10, 1_000])
def test_memory_follows_what_is_held(length: int) -> None:
    """Forty thousand texts through a queue that holds two at a time leave nothing behind."""
    queue = Queue(1)
    text = make_text(bytes(length - 5) + b"56789")
    for _ in range(20_000):
        queue.append(text)
        queue.append(text)
        queue.release(queue.end - 5)
        assert len(queue.texts) <= COMPACT_AFTER + 2
    assert read(queue.cut(queue.start, queue.end)) == b"56789"


def test_taken_together() -> None:
    """What is taken is all there is, however long its texts are."""
    pieces = [bytes([number] * (LONG + off)) for number, off in enumerate((0, -1, 10_000, 5 - LONG))]
    queue = Queue(0)
    for piece in pieces:
        queue.append(Text(b"before" + piece + b"behind", 6, 6 + len(piece)))
    whole = b"".join(pieces)
    assert queue.take(LONG + 1) == whole[: LONG + 1]
    assert queue.take(queue.end) == whole[LONG + 1 :]
    assert len(queue) == 0


def test_release_within_a_text() -> None:
    """A text is kept until its last octet is released; the released ones cannot be cut any more."""
    queue = Queue(0)
    one, two = bytes(300), bytes([1] * 300)
    queue.append(make_text(one))
    queue.append(make_text(two))
    queue.release(2)
    assert read(queue.cut(2, 600)) == one[2:] + two
    with pytest.raises(AssertionError):
        queue.cut(1, 600)
    queue.release(300)
    assert read(queue.cut(300, 600)) == two
