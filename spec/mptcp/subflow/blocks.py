"""What a receiver holds out of order, as it tells the sender: runs of offsets, the latest first.

Selective acknowledgments, RFC 2018 §4, and the report of what came twice, RFC 2883 §4. Made when the first
text comes out of order, and let go when nothing is out of order any more.
"""

from bisect import bisect_left, bisect_right
from typing import Final

from mptcp.values import Record

RECENT: Final = 8  # runs remembered in order of news; four fit an option, and runs grow together
NOTHING: Final = (0, 0)


class Blocks(Record):
    """Runs that do not touch, in order: run i is ``lefts[i]`` … ``rights[i]``, offsets, without its end.

    ``recent`` has an offset inside of each of the runs that changed last, newest first. ``duplicate`` is
    what came a second time and was not reported yet. A call takes O(log runs), besides moving the lists.
    """

    FIELDS = ("lefts", "rights", "recent", "duplicate")

    def __init__(self) -> None:
        self.lefts: list[int] = []
        self.rights: list[int] = []
        self.recent: list[int] = []
        self.duplicate = NOTHING

    def add(self, left: int, right: int) -> None:
        """Octets ``left`` … ``right`` are held: a run of their own, or part of a larger one, and the news."""
        at = left
        first = bisect_left(self.rights, left)  # the first run that reaches to ``left``
        last = bisect_right(self.lefts, right)  # the first one wholly behind ``right``
        if first < last:
            left = min(left, self.lefts[first])
            right = max(right, self.rights[last - 1])
        self.lefts[first:last] = [left]
        self.rights[first:last] = [right]
        self.recent = [at] + [one for one in self.recent if not left <= one < right][: RECENT - 1]

    def release(self, offset: int) -> None:
        """All before ``offset`` is in order now."""
        gone = bisect_right(self.rights, offset)
        if gone:
            del self.lefts[:gone]
            del self.rights[:gone]
        if self.lefts and self.lefts[0] < offset:
            self.lefts[0] = offset
        self.recent = [one for one in self.recent if one >= offset]

    def find(self, offset: int) -> tuple[int, int]:
        """The run that holds ``offset``, or NOTHING."""
        at = bisect_right(self.lefts, offset) - 1
        if at >= 0 and offset < self.rights[at]:
            return self.lefts[at], self.rights[at]
        return NOTHING

    def find_overlap(self, left: int, right: int) -> tuple[int, int]:
        """What of ``left`` … ``right`` is held already: the first piece of it, or NOTHING."""
        at = bisect_right(self.rights, left)
        if at < len(self.lefts) and self.lefts[at] < right:
            return max(left, self.lefts[at]), min(right, self.rights[at])
        return NOTHING

    def report(self, limit: int) -> list[tuple[int, int]]:
        """At most ``limit`` blocks in the order of RFC 2018 §4, behind a duplicate, which is said once.

        [R2018-4-03] the run that changed last comes first [R2018-4-04]; [R2883-4-01] a duplicate before
        it, and [R2883-4-02] behind that the run it lies in.
        """
        blocks: list[tuple[int, int]] = []
        if self.duplicate != NOTHING:
            blocks.append(self.duplicate)
            around = self.find(self.duplicate[0])
            if around != NOTHING:
                blocks.append(around)
        for offset in self.recent:
            run = self.find(offset)
            if run != NOTHING and (run not in blocks[1:] if self.duplicate != NOTHING else True):
                blocks.append(run)
        return blocks[:limit]
