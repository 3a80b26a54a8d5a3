"""Octets with holes: reassembly, for a subflow (RFC 9293 §3.10.7.4) and a connection (RFC 8684 §3.3.4)."""

from bisect import bisect_right

from mptcp.parameters import CRUMB
from mptcp.values import Record, Text, compute_key


class Intervals(Record):
    """The octets of a stream that are there but not yet taken, by their offsets.

    ``start`` is the next offset wanted in order, ``held`` how many octets are there. The pieces do
    not overlap and are sorted: piece i holds the octets from ``offsets[i]`` on. What came first
    stays. How much may be held is the caller's concern: it trims to its window before it inserts.
    In order each call takes the same time; else finding the place takes O(log pieces).
    """

    FIELDS = ("start", "held", "offsets", "pieces")

    def __init__(self, start: int = 0) -> None:
        self.start = start
        self.held = 0
        self.offsets: list[int] = []
        self.pieces: list[Text] = []

    def birth(self) -> tuple[object, ...]:
        """See ``Record``."""
        return (self.start,)

    def insert(self, offset: int, text: Text) -> int:
        """Put ``text`` at ``offset``; returns how many octets of it are new.

        What lies below ``start`` or is there already is left out: the first copy wins.
        """
        end = offset + (text.end - text.start)
        if offset < self.start:
            text = text.cut(min(self.start, end) - offset, end - offset)
            offset = self.start
        if offset >= end:
            return 0
        if not self.offsets or self._end() <= offset:  # fast path: behind all that is there
            self.offsets.append(offset)
            self.pieces.append(self._settle(offset, text))
            self.held += end - offset
            return end - offset
        return self._fill(offset, end, text)

    def follow(self, offset: int, text: Text) -> bool:
        """Fast path of ``insert`` and ``take``: whether ``text``, not empty, is next and nothing is held.

        Then it counts as taken, and ``start`` moves behind it; else nothing happens.
        """
        if offset != self.start or self.pieces:
            return False
        self.start = offset + (text.end - text.start)
        return True

    def take(self) -> list[Text]:
        """The pieces that continue the stream at ``start``, which moves behind them."""
        count = 0
        at = self.start
        while count < len(self.offsets) and self.offsets[count] == at:
            piece = self.pieces[count]
            at += piece.end - piece.start
            count += 1
        run = self.pieces[:count]
        del self.pieces[:count]
        del self.offsets[:count]
        self.held -= at - self.start
        self.start = at
        return run

    def ranges(self) -> list[tuple[int, int]]:
        """The runs (first offset, offset behind the last) of what is there, merged, in order."""
        runs: list[tuple[int, int]] = []
        left = right = -1
        for offset, piece in zip(self.offsets, self.pieces, strict=True):
            if offset != right:
                if right >= 0:
                    runs.append((left, right))
                left = offset
            right = offset + piece.end - piece.start
        if right >= 0:
            runs.append((left, right))
        return runs

    def key(self) -> tuple[object, ...]:
        """As of any record, but by the octets that are there, however they are cut."""
        runs: list[object] = []
        at = 0
        for left, right in self.ranges():
            octets = b""
            while at < len(self.offsets) and self.offsets[at] < right:
                octets += self.pieces[at].octets()
                at += 1
            runs.append((left, octets))
        return (compute_key(self.start), tuple(runs))

    def _end(self) -> int:
        """The offset behind the last piece."""
        piece = self.pieces[-1]
        return self.offsets[-1] + piece.end - piece.start

    def _settle(self, offset: int, piece: Text) -> Text:
        """A piece that may lie here for long; a small one does not keep a large packet alive."""
        if piece.end - piece.start < CRUMB and offset > self.start:
            return piece.alone()
        return piece

    def _fill(self, offset: int, end: int, text: Text) -> int:
        """Put those parts of ``text`` that fall into holes among the pieces, all at once."""
        first = bisect_right(self.offsets, offset)
        at = offset  # everything of text below this is in place
        if first > 0:
            before = self.pieces[first - 1]
            at = max(at, self.offsets[first - 1] + before.end - before.start)
        offsets: list[int] = []
        pieces: list[Text] = []
        new = 0
        last = first
        while at < end:
            hole = end
            if last < len(self.offsets):
                hole = min(end, self.offsets[last])
            if at < hole:
                offsets.append(at)
                pieces.append(self._settle(at, text.cut(at - offset, hole - offset)))
                new += hole - at
                at = hole
            if at < end:
                piece = self.pieces[last]
                offsets.append(self.offsets[last])
                pieces.append(piece)
                at += piece.end - piece.start
                last += 1
        self.offsets[first:last] = offsets
        self.pieces[first:last] = pieces
        self.held += new
        return new
