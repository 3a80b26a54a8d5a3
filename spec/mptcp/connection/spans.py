"""Stretches of data offsets: what is to be mapped again (RFC 8684 §3.3.6)."""

from mptcp.values import Record


class Spans(Record):
    """Stretches (first offset, offset behind the last), in order, apart from each other."""

    FIELDS = ("spans",)

    def __init__(self) -> None:
        self.spans: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self.spans)

    def add(self, start: int, stop: int) -> None:
        """The octets ``start`` … ``stop`` as well; those that are there already stay there once."""
        if start >= stop:
            return
        kept: list[tuple[int, int]] = []
        place = 0
        for left, right in self.spans:
            if right < start:
                place += 1
            elif left <= stop:
                start, stop = min(start, left), max(stop, right)
                continue
            kept.append((left, right))
        kept.insert(place, (start, stop))
        self.spans = kept

    def remove(self, start: int, stop: int) -> None:
        """The octets ``start`` … ``stop`` no more."""
        kept: list[tuple[int, int]] = []
        for left, right in self.spans:
            if left < min(right, start):
                kept.append((left, min(right, start)))
            if max(left, stop) < right:
                kept.append((max(left, stop), right))
        self.spans = kept
