"""Octets in a row: appended at the end, read anywhere, released from the front.

What a sender keeps until it is acknowledged, at both levels: the subflow's retransmission queue
(RFC 9293 §3.8) and the connection's send buffer (RFC 8684 §3.3.6). What a receiver keeps in order
until it is mapped or read. Holds references to text, never copies.
"""

from bisect import bisect_right
from typing import Final

from mptcp.parameters import CRUMB
from mptcp.values import Record, Text, join

COMPACT_AFTER: Final = 64  # released entries before the list is cut; keeps release O(1) on average
LOAF: Final = 4096  # octets; crumbs are joined up to here, so that memory follows the octets, not the pieces


class Queue(Record):
    """Text at the offsets ``start`` … ``end``, without holes.

    The text at the front may begin before ``start``: it is released as a whole, once all is.
    """

    FIELDS = ("start", "end", "texts", "offsets", "first")

    def __init__(self, start: int) -> None:
        self.start = start  # offset of the oldest octet still held
        self.end = start  # offset after the newest one
        self.texts: list[Text] = []
        self.offsets: list[int] = []  # where each text begins
        self.first = 0  # index of the text that holds ``start``

    def birth(self) -> tuple[object, ...]:
        """See ``Record``."""
        return (self.start,)

    def __len__(self) -> int:
        return self.end - self.start

    def append(self, text: Text) -> None:
        """Add ``text`` behind what is there."""
        length = len(text)
        if length < CRUMB:
            if length == 0:
                return
            last = len(self.texts) - 1
            if last >= self.first and len(self.texts[last]) <= LOAF:
                octets = self.texts[last].octets() + text.octets()
                self.texts[last] = Text(octets, 0, len(octets))
                self.end += length
                return
            text = text.alone()
        self.texts.append(text)
        self.offsets.append(self.end)
        self.end += length

    def first_end(self, length: int) -> int:
        """The offset behind the oldest text if it has so many octets left, else behind all."""
        if self.first == len(self.texts):
            return self.end
        stop = self.offsets[self.first] + len(self.texts[self.first])
        return stop if stop - self.start >= length else self.end

    def skip(self, length: int) -> None:
        """Fast path of ``append`` and ``release``, while nothing is held: ``length`` octets came and went."""
        assert self.start == self.end
        self.start += length
        self.end = self.start

    def cut(self, start: int, end: int) -> tuple[Text, ...]:
        """References to the octets ``start`` … ``end``, which must be held."""
        assert self.start <= start <= end <= self.end
        if start == end:
            return ()
        index = len(self.offsets) - 1
        if self.offsets[index] > start and index > self.first:
            index -= 1  # what is to be sent is mostly in one of the two texts that came last
        if self.offsets[index] > start:
            index = bisect_right(self.offsets, start, self.first) - 1
        offset = self.offsets[index]
        text = self.texts[index]
        if end <= offset + len(text):
            return (text.cut(start - offset, end - offset),)
        pieces: list[Text] = []
        while start < end:
            offset = self.offsets[index]
            text = self.texts[index]
            stop = min(end, offset + len(text))
            is_whole = stop - start == len(text)
            pieces.append(text if is_whole else text.cut(start - offset, stop - offset))
            start = stop
            index += 1
        return tuple(pieces)

    def take(self, end: int) -> bytes:
        """The octets before ``end``, which must be held, for good: the copy that the application gets."""
        octets = join(self.cut(self.start, end))
        self.release(end)
        return octets

    def release(self, offset: int) -> None:
        """Let go of all octets before ``offset``; one that was released before does nothing."""
        if offset <= self.start:
            return
        assert offset <= self.end
        self.start = offset
        while self.first < len(self.texts):
            if self.offsets[self.first] + len(self.texts[self.first]) > offset:
                break
            self.first += 1
        if self.first == len(self.texts):
            self.texts.clear()
            self.offsets.clear()
            self.first = 0
        elif self.first >= COMPACT_AFTER:
            del self.texts[: self.first]
            del self.offsets[: self.first]
            self.first = 0
