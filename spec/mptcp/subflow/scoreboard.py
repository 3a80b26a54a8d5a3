"""The scoreboard: what is out, when it left, and what became of it (RFC 6675 §3, RFC 8985 §5.2).

A list of records in the order of their offsets, without holes, from SND.UNA to SND.NXT. What is selectively
acknowledged is joined with its neighbours, so that a peer's blocks are never walked twice; a record is cut
only at whole segments, so that no peer can make it fall to crumbs.
"""

from heapq import heappop, heappush
from typing import Final, final

from mptcp.native import i64, mypyc_attr
from mptcp.values import Micros, Record, Value

FLYING: Final = 0  # in the network, as far as we know
SACKED: Final = 1  # arrived, out of order
LOST: Final = 2  # not in the network any more: to be sent again
TWICE: Final = 3  # sent again though not known to be lost: RFC 6675 §4 counts both [R6675-4-02]

COMPACT_AFTER: Final = 64  # records taken off before the list is cut; keeps that O(1) on average


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Sent(Value):
    """The octets ``start`` … ``end``, in segments of ``size``: when they left last, and their mark."""

    __match_args__ = ("start", "end", "size", "sent_at", "is_again", "mark")

    def __init__(self, start: i64, end: i64, size: i64, sent_at: Micros, is_again: bool, mark: i64) -> None:
        self.start: Final = start
        self.end: Final = end
        self.size: Final = size
        self.sent_at: Final = sent_at
        self.is_again: Final = is_again
        self.mark: Final = mark


class Scoreboard(Record):
    """``pipe``, ``sacked``, ``lost``: octets in the network, arrived out of order, to be sent again.

    ``sent[first:]`` is what is out. Before ``cursor`` nothing flies for the first time: detection goes on
    from there. ``again`` has what was sent again in the order of time, ``losses`` where what is lost begins.
    """

    FIELDS = ("sent", "first", "cursor", "again", "losses", "pipe", "sacked", "lost", "islands", "high")

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.first: i64 = 0
        self.cursor: i64 = 0
        self.again: list[Sent] = []
        self.losses: list[int] = []  # a heap; an offset counts if what begins there is lost
        self.pipe: i64 = 0  # RFC 6675 §4 [R6675-4-02]
        self.sacked: i64 = 0
        self.lost: i64 = 0
        self.islands: i64 = 0  # runs of what is sacked
        self.high: i64 = 0  # behind the highest sacked octet, ever

    # -- what leaves --------------------------------------------------------------------------

    def send(self, start: i64, end: i64, size: i64, now: Micros) -> None:
        """The octets ``start`` … ``end`` left for the first time, behind all others [R8985-6.1-01]."""
        self.sent.append(Sent(start, end, size, now, False, FLYING))
        self.pipe += end - start

    def resend(self, start: i64, end: i64, now: Micros, is_timed: bool) -> None:
        """They left again [R8985-6.1-01]; ``is_timed``: somebody asks when."""
        self.cut(start)
        self.cut(end)
        low, high = self.find(start), self.find(end)
        mark = FLYING if self.sent[low].mark == LOST else TWICE
        one = Sent(start, end, end - start, now, True, mark)
        self.replace(low, high, [one])
        if is_timed:
            self.again.append(one)

    # -- what comes back ----------------------------------------------------------------------

    def take(self, ack: i64) -> Sent | None:
        """The next record that ends at or before ``ack``, taken off; None when there is none."""
        if self.first == len(self.sent):
            return None
        one = self.sent[self.first]
        if one.end > ack:
            if one.start < ack:
                self.cut_front(one, ack)
            return None
        self.first += 1
        if one.mark == FLYING:
            self.pipe -= one.end - one.start
        else:
            self.count(one, -1)
        if self.first == len(self.sent):
            self.sent.clear()
            self.again.clear()
            self.losses.clear()
            self.first = self.cursor = 0
            return one
        self.cursor = max(self.cursor, self.first)
        if self.first >= COMPACT_AFTER:
            del self.sent[: self.first]
            self.cursor -= self.first
            self.first = 0
        return one

    def cut_front(self, one: Sent, ack: i64) -> None:
        """The first record is acknowledged in part."""
        rest = Sent(ack, one.end, one.size, one.sent_at, one.is_again, one.mark)
        self.count(one, -1)
        self.count(rest, 1)
        self.sent[self.first] = rest
        if rest.mark == LOST:
            heappush(self.losses, ack)

    def sack(self, left: i64, right: i64) -> list[Sent]:
        """The octets ``left`` … ``right`` arrived: the records of it that had not been known to.

        They must be out. What covers a segment only in part says nothing.
        """
        low = self.find_whole(left)
        high = low
        while high < len(self.sent) and self.sent[high].end <= right:
            high += 1
        if high < len(self.sent):
            last = self.sent[high]
            whole = last.start + (right - last.start) // last.size * last.size
            if last.start < whole and last.mark != SACKED:
                self.cut(whole)
                high += 1
        news = [one for one in self.sent[low:high] if one.mark != SACKED]
        if news:
            self.join(low, high)
            self.high = max(self.high, news[-1].end)
        return news

    def find_whole(self, left: i64) -> i64:
        """The index of the record that begins with the first whole segment at or behind ``left``."""
        low = self.find(left)
        if low < len(self.sent) and self.sent[low].start < left and self.sent[low].mark != SACKED:
            one = self.sent[low]
            whole = one.start + (left - one.start + one.size - 1) // one.size * one.size
            if whole < one.end:
                self.cut(whole)
            low += 1
        return low

    def join(self, low: i64, high: i64) -> None:
        """Records ``low`` … ``high`` and the sacked ones beside them become one."""
        if low > self.first and self.sent[low - 1].mark == SACKED:
            low -= 1
        if high < len(self.sent) and self.sent[high].mark == SACKED:
            high += 1
        start, end = self.sent[low].start, self.sent[high - 1].end
        self.replace(low, high, [Sent(start, end, end - start, 0, False, SACKED)])

    # -- what does not ------------------------------------------------------------------------

    def lose(self, index: i64) -> None:
        """The record at ``index`` is lost: out of the network, and to be sent again."""
        one = self.sent[index]
        self.count(one, -1)
        lost = Sent(one.start, one.end, one.size, one.sent_at, one.is_again, LOST)
        self.count(lost, 1)
        self.sent[index] = lost
        heappush(self.losses, one.start)

    def lose_first(self) -> None:
        """What is awaited is lost, unless it is known to be anyway."""
        if self.first < len(self.sent) and self.sent[self.first].mark in (FLYING, TWICE):
            self.lose(self.first)

    def lose_all(self) -> None:
        """Everything that is not known to have arrived is lost."""
        for index in range(self.first, len(self.sent)):
            if self.sent[index].mark in (FLYING, TWICE):
                self.lose(index)
        self.cursor = len(self.sent)

    def lose_unless_arrived(self, index: i64) -> None:
        """The record at ``index`` is lost, unless it is known to be, or to have arrived."""
        if self.sent[index].mark in (FLYING, TWICE):
            self.lose(index)

    def lose_longer(self, shrink: i64) -> bool:
        """What went in packets too long, now that they are ``shrink`` octets shorter; whether any."""
        has_lost = False
        for index in range(self.first, len(self.sent)):
            one = self.sent[index]
            if one.mark in (FLYING, TWICE) and min(one.size, one.end - one.start) > one.size - shrink:
                self.lose(index)
                has_lost = True
        return has_lost

    def find_longest(self) -> i64:
        """Text octets of the longest segment that is out and not known to have arrived."""
        longest = 0
        for index in range(self.first, len(self.sent)):
            one = self.sent[index]
            if one.mark != SACKED:
                longest = max(longest, min(one.size, one.end - one.start))
        return longest

    def forget_sacks(self) -> None:
        """The receiver let go of what it had, or may have: nothing counts as arrived (RFC 2018 §8)."""
        for index in range(self.first, len(self.sent)):
            if self.sent[index].mark == SACKED:
                self.lose(index)

    def spare(self) -> None:
        """What was taken for lost and not sent again is on its way after all."""
        for index in range(self.first, len(self.sent)):
            one = self.sent[index]
            if one.mark == LOST and not one.is_again:
                self.count(one, -1)
                self.sent[index] = Sent(one.start, one.end, one.size, one.sent_at, False, FLYING)
                self.count(self.sent[index], 1)
        self.cursor = self.first

    def find_lost(self) -> i64:
        """Where the lowest lost record begins; -1 when nothing is lost."""
        while self.losses:
            index = self.find(self.losses[0])
            if index < len(self.sent):
                one = self.sent[index]
                if one.start == self.losses[0] and one.mark == LOST:
                    return one.start
            heappop(self.losses)
        return -1

    def find_overtaken(self) -> i64:
        """Where the lowest record begins that was sent once and that something sent later overtook; or -1."""
        while self.cursor < len(self.sent):
            one = self.sent[self.cursor]
            if one.mark == FLYING and not one.is_again:
                return one.start if one.end <= self.high else -1
            self.cursor += 1
        return -1

    # -- finding and cutting ------------------------------------------------------------------

    def find(self, offset: i64) -> i64:
        """The index of the record that holds ``offset``; the first one out if that is behind it."""
        low, high = self.first, len(self.sent)
        while low < high:
            middle = (low + high) // 2
            if self.sent[middle].end <= offset:
                low = middle + 1
            else:
                high = middle
        return low

    def find_stop(self, start: i64, stop: i64) -> i64:
        """How far at most to ``stop`` the octets from ``start`` on share one fate: lost, or not arrived."""
        index = self.find(start)
        if index == len(self.sent):
            return stop
        is_lost = self.sent[index].mark == LOST
        while index < len(self.sent) and self.sent[index].start < stop:
            mark = self.sent[index].mark
            if mark == SACKED or (mark == LOST) != is_lost:
                return max(self.sent[index].start, start)
            index += 1
        return stop

    def cut(self, offset: i64) -> None:
        """See to it that a record begins at ``offset``, if one holds it."""
        index = self.find(offset)
        if index == len(self.sent) or self.sent[index].start >= offset:
            return
        one = self.sent[index]
        parts = [
            Sent(one.start, offset, one.size, one.sent_at, one.is_again, one.mark),
            Sent(offset, one.end, one.size, one.sent_at, one.is_again, one.mark),
        ]
        self.replace(index, index + 1, parts)
        if one.mark == LOST:
            heappush(self.losses, offset)

    def replace(self, low: i64, high: i64, new: list[Sent]) -> None:
        """Put ``new`` in the place of records ``low`` … ``high``; all counts follow."""
        for one in self.sent[low:high]:
            self.count(one, -1)
        for one in new:
            self.count(one, 1)
        self.sent[low:high] = new
        if high <= self.cursor:
            self.cursor += len(new) - (high - low)
        else:
            self.cursor = min(self.cursor, low)

    def count(self, one: Sent, sign: i64) -> None:
        """Add a record to what its mark counts in, or with ``sign`` -1 take it away."""
        length = sign * (one.end - one.start)
        if one.mark == FLYING:
            self.pipe += length
        elif one.mark == TWICE:
            self.pipe += 2 * length
        elif one.mark == LOST:
            self.lost += length
        else:
            self.sacked += length
            self.islands += sign


class Rack(Record):
    """What loss detection by time remembers (RFC 8985 §5.3), under its names."""

    FIELDS = (
        "xmit_ts",
        "end_seq",
        "rtt",
        "fack",
        "reordering_seen",
        "reo_wnd_mult",
        "reo_wnd_persist",
        "dsack_round",
        "tlp_end_seq",
        "tlp_is_retrans",
        "is_measured",
        "min_rtt_at",
    )

    def __init__(self) -> None:
        self.xmit_ts: Micros = -1  # when the delivered segment that was sent last was sent
        self.end_seq: i64 = 0  # behind its last octet
        self.rtt: Micros = 0  # of the segment delivered last
        self.fack: i64 = 0  # behind the highest octet delivered
        self.reordering_seen = False
        self.reo_wnd_mult: i64 = 1  # quarters of the smallest round trip that a segment may be late
        self.reo_wnd_persist: i64 = 0  # recoveries until that becomes one again
        self.dsack_round: i64 = -1  # SND.NXT when a duplicate was reported; -1: none in this round
        self.tlp_end_seq: i64 = -1  # SND.NXT when the loss probe left; -1: none is out
        self.tlp_is_retrans = False
        self.is_measured = False  # a round trip was measured since it left
        self.min_rtt_at: Micros = 0  # when the smallest round trip was measured
