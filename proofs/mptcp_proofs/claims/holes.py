"""Octets with holes: reassembly (RFC 9293 §3.10.7.4, RFC 8684 §3.3.1, §3.3.4)."""

from typing import Annotated, TypeAlias

from mptcp.intervals import Intervals
from mptcp.values import Text
from mptcp_proofs.claim import Between, Built, Packet, Several, reach, require
from mptcp_proofs.claims.domains import Offset
from mptcp_proofs.theorem import Mutant, Theorem

LONGEST = 1 << 16
Gap: TypeAlias = Annotated[int, Between(0, 1 << 30)]
Skip: TypeAlias = Annotated[int, Between(0, 64)]
Length: TypeAlias = Annotated[int, Between(1, LONGEST - 64)]
Any: TypeAlias = Annotated[int, Between(0, LONGEST - 64)]
Content: TypeAlias = Annotated[bytes, Packet(LONGEST)]


def make_text(packet: Content, skip: Skip, length: Any) -> Text:
    """Text somewhere in a packet, perhaps empty."""
    return Text(packet, skip, skip + length)


def make_piece(gap: Gap, packet: Content, skip: Skip, length: Length) -> tuple[int, Text]:
    """Text that is there already, by its distance from what lies before."""
    return gap, Text(packet, skip, skip + length)


Arriving: TypeAlias = Annotated[Text, Built(make_text)]
Pieces: TypeAlias = Annotated[tuple[tuple[int, Text], ...], Several(Built(make_piece), 0, 3)]
FewPieces: TypeAlias = Annotated[tuple[tuple[int, Text], ...], Several(Built(make_piece), 0, 2)]


def make_held(start: int, pieces: tuple[tuple[int, Text], ...]) -> Intervals:
    """A stream whose next offset is ``start``, of which these pieces are there."""
    held = Intervals(start)
    at = start
    for gap, text in pieces:
        at += gap
        held.offsets.append(at)
        held.pieces.append(text)
        held.held += text.end - text.start
        at += text.end - text.start
    return held


def find_piece(held: Intervals, octet: int) -> int:
    """The index of the piece that has the octet, or -1. By looking at them all."""
    for index, offset in enumerate(held.offsets):
        if offset <= octet < offset + held.pieces[index].end - held.pieces[index].start:
            return index
    return -1


def look_up(held: Intervals, octet: int) -> int:
    """The value of the octet, or -1 if it is not there."""
    index = find_piece(held, octet)
    if index < 0:
        return -1
    piece = held.pieces[index]
    return piece.packet[piece.start + octet - held.offsets[index]]


def is_well_formed(held: Intervals) -> bool:
    """Whether the pieces are in order, disjoint, not empty, not below ``start``, and counted right."""
    at, total = held.start, 0
    for offset, piece in zip(held.offsets, held.pieces, strict=True):
        length = piece.end - piece.start
        if offset < at or length < 1:
            return False
        at = offset + length
        total += length
    return total == held.held


# -- 35: what is there ----------------------------------------------------------------------------


def takes_in(start: Offset, pieces: Pieces, offset: Offset, text: Arriving, octet: Offset) -> bool:
    """Afterwards exactly those octets are there that were or that arrived, each as it came first."""
    held = make_held(start, pieces)
    was, had = look_up(held, octet), held.held
    length = text.end - text.start
    new = held.insert(offset, text)
    require(is_well_formed(held), "well formed")
    require(held.held == had + new and new >= 0, "counted right")
    require(held.start == start, "nothing is taken")
    now = look_up(held, octet)
    if was >= 0:
        return now == was
    if octet >= start and offset <= octet < offset + length:
        reach("a new octet")
        return now == text.packet[text.start + octet - offset]
    return now == -1


def gives_out(start: Offset, pieces: Pieces, octet: Offset) -> bool:
    """What continues the stream is taken, in order and once; all behind the first hole stays."""
    held = make_held(start, pieces)
    was = look_up(held, octet)
    run = held.take()
    require(is_well_formed(held), "well formed")
    require(not held.offsets or held.offsets[0] > held.start, "a hole comes next")
    at = start
    for piece in run:
        length = piece.end - piece.start
        if at <= octet < at + length:
            reach("an octet that is taken")
            require(was == piece.packet[piece.start + octet - at], "as it was")
            require(look_up(held, octet) == -1, "once")
            return octet < held.start
        at += length
    return held.start == at and look_up(held, octet) == was


def follows(start: Offset, pieces: FewPieces, offset: Offset, text: Arriving) -> bool:
    """The fast path says yes only where insert and take would give this very text, and leaves the same."""
    held, slow = make_held(start, pieces), make_held(start, pieces)
    if not held.follow(offset, text):
        return held.start == start and held.held == slow.held and len(held.pieces) == len(pieces)
    reach("a text that is next")
    length = text.end - text.start
    new = slow.insert(offset, text)
    run = slow.take()
    require(new == length and len(run) == (1 if length else 0), "all of it, alone")
    require(length == 0 or run[0] is text, "as it came")
    return held.start == slow.start and held.held == slow.held == 0 and not slow.pieces and not held.pieces


def lists(start: Offset, pieces: Pieces, octet: Offset) -> bool:
    """The runs that are listed are sorted, disjoint and as long as can be, and say what is there."""
    held = make_held(start, pieces)
    runs = held.ranges()
    inside = False
    end = -1
    for left, right in runs:
        require(end < left < right, "sorted, not empty, not adjacent")
        inside = inside or left <= octet < right
        end = right
    if len(runs) < len(pieces):
        reach("pieces that are one run")
    return inside == (find_piece(held, octet) >= 0)


# -- 38: what it costs ----------------------------------------------------------------------------


def grows_slowly(start: Offset, pieces: Pieces, offset: Offset, text: Arriving) -> bool:
    """An arrival adds at most two to pieces and runs together: so n arrivals make at most 2n pieces."""
    held = make_held(start, pieces)
    before = len(held.pieces) + len(held.ranges())
    held.insert(offset, text)
    after = len(held.pieces) + len(held.ranges())
    if len(held.pieces) > len(pieces) + 1:
        reach("two holes are filled")
    return after <= before + 2 and len(held.pieces) == len(held.offsets)


def leaves_alone(start: Offset, pieces: Pieces, offset: Offset, text: Arriving) -> bool:
    """What is there is not touched: the same pieces remain, in their order."""
    held = make_held(start, pieces)
    held.insert(offset, text)
    at = 0
    for piece in held.pieces:
        if at < len(pieces) and piece is pieces[at][1]:
            at += 1
    return at == len(pieces)


def takes_no_more(start: Offset, pieces: FewPieces) -> bool:
    """Taking what continues the stream never makes new pieces."""
    held = make_held(start, pieces)
    run = held.take()
    return len(run) + len(held.pieces) == len(pieces) and all(
        piece is text for piece, (_, text) in zip([*run, *held.pieces], pieces, strict=True)
    )


INTERVALS = "mptcp/intervals.py"

THEOREMS = (
    Theorem(
        id="T35",
        name="reassembly",
        words="For any arrival, an octet is there afterwards if and only if it was or it arrived, at"
        " or behind the next one"
        " wanted; the first copy stays. The runs are sorted, disjoint and as long as can be. What"
        " continues the stream is"
        " taken in order, once.",
        sections="RFC 9293 §3.10.7.4, RFC 8684 §3.3.1",
        clauses=("R8684-3.3.1-06", "R8684-3.3.1-07"),
        bounds="Up to three pieces of up to 65472 octets, any holes; one arbitrary octet stands for all.",
        claims=(takes_in, gives_out, lists, follows),
        goals=("a new octet", "an octet that is taken", "pieces that are one run", "a text that is next"),
        mutants=(
            Mutant(
                INTERVALS,
                "first = bisect_right(self.offsets, offset)\n",
                "first = bisect_right(self.offsets, offset) - 1\n        first = max(first, 0)\n",
            ),
            Mutant(INTERVALS, "text.cut(at - offset, hole - offset)", "text.cut(0, hole - at)"),
            Mutant(INTERVALS, "hole = min(end, self.offsets[last])", "hole = end"),
            Mutant(
                INTERVALS,
                "text = text.cut(min(self.start, end) - offset, end - offset)",
                "text = text.cut(0, end - offset)",
            ),
            Mutant(INTERVALS, "            offset = self.start\n", ""),
            Mutant(
                INTERVALS,
                "at = max(at, self.offsets[first - 1] + before.end - before.start)",
                "at = max(at, self.offsets[first - 1])",
            ),
            Mutant(INTERVALS, "self.held += new", "self.held += end - offset"),
            Mutant(
                INTERVALS,
                "while count < len(self.offsets) and self.offsets[count] == at",
                "while count < len(self.offsets) and self.offsets[count] >= at",
                by="gives_out",
            ),
            Mutant(
                INTERVALS,
                "            if offset != right:\n",
                "            if offset > right + 1:\n",
                by="lists",
            ),
            Mutant(
                INTERVALS, "if offset != self.start or self.pieces", "if offset != self.start", by="follows"
            ),
            Mutant(INTERVALS, "if offset != self.start or self.pieces", "if self.pieces", by="follows"),
            Mutant(INTERVALS, "del self.pieces[:count]", "del self.pieces[: count - 1]", by="gives_out"),
        ),
        unclaimed="More than three pieces: an arrival meets them one after the other, but that was not run.",
        theory="line",
    ),
    Theorem(
        id="T38",
        name="reassembly-cost",
        words="An arrival adds at most two to pieces and runs together and touches no piece that is"
        " there: n arrivals make"
        " at most 2n pieces, and the work of each is bounded by the pieces it meets.",
        sections="RFC 9293 §3.10.7.4",
        clauses=(),
        bounds="Up to three pieces before an arrival; by induction any number of arrivals.",
        claims=(grows_slowly, leaves_alone, takes_no_more),
        goals=("two holes are filled",),
        mutants=(
            Mutant(
                INTERVALS,
                "            if at < hole:\n",
                "            if at <= hole:\n",
                "utcp OSEC-2026-11: reassembly whose cost grows with the square of what is held",
            ),
            Mutant(
                INTERVALS,
                "                pieces.append(piece)\n",
                "                pieces.append(piece.cut(0, piece.end - piece.start))\n",
                by="leaves_alone",
            ),
            Mutant(
                INTERVALS,
                "            at += piece.end - piece.start\n            count += 1\n",
                "            at += piece.end - piece.start\n            count += 1\n"
                "            self.pieces.append(piece.cut(0, 0))\n",
                by="takes_no_more",
            ),
        ),
        unclaimed="Seconds: benchmarks measure those.",
        theory="line",
    ),
)
