"""Middleboxes: what stands on a path and does not leave packets as they are (RFC 8684 §6, RFC 3234).

Each is put on a path for both directions, is shown one packet at a time with its way (FORTH: towards
the server) and returns those that go on: it may take one, change it, keep it back, or make several.
TCP checksums are right again behind it, as they are behind real ones.
"""

from collections.abc import Callable
from typing import ClassVar, Final

from mptcp.errors import Malformed
from mptcp.numbers import MASK_32
from mptcp.values import Address, Port, Text
from mptcp.wire import ip, segment
from mptcp.wire.addresses import AddAddr, AddAddrEcho, Prio, RemoveAddr
from mptcp.wire.dss import Dss
from mptcp.wire.endings import Fail, FastClose, TcpReset
from mptcp.wire.handshake import (
    CapableAck,
    CapableData,
    CapableSyn,
    CapableSynAck,
    CapableSynV0,
    JoinAck,
    JoinSyn,
    JoinSynAck,
)
from mptcp.wire.options import NOP, MaximumSegmentSize, Option
from mptcp.wire.segment import ACK, FIN, PSH, RST, SYN, Segment
from mptcp_model.state import State

FORTH: Final = "forth"
BACK: Final = "back"

HANDSHAKE: Final = (
    CapableSyn,
    CapableSynV0,
    CapableSynAck,
    CapableAck,
    CapableData,
    JoinSyn,
    JoinSynAck,
    JoinAck,
)
MULTIPATH: Final = (*HANDSHAKE, Dss, AddAddr, AddAddrEcho, RemoveAddr, Prio, Fail, FastClose, TcpReset)
"""All options of kind 30."""


# -- what is done to one packet -------------------------------------------------------------------


def read(packet: bytes) -> Segment | None:
    """The segment in ``packet``; None if there is none."""
    try:
        datagram = ip.parse(packet)
        return segment.parse(packet, datagram) if datagram.protocol == ip.TCP else None
    except Malformed:
        return None


def write(one: Segment) -> bytes:
    """The packet with ``one`` in it."""
    return segment.emit(one).octets()


def change(
    one: Segment,
    options: tuple[Option, ...] | None = None,
    text: bytes | None = None,
    sequence: int | None = None,
    acknowledgment: int | None = None,
    flags: int | None = None,
    source: tuple[Address, Port] | None = None,
    destination: tuple[Address, Port] | None = None,
    window: int | None = None,
) -> Segment:
    """``one`` with some of it otherwise."""
    from_address, from_port = source or (one.source, one.source_port)
    to_address, to_port = destination or (one.destination, one.destination_port)
    return Segment(
        from_address,
        to_address,
        from_port,
        to_port,
        one.sequence if sequence is None else sequence & MASK_32,
        one.acknowledgment if acknowledgment is None else acknowledgment & MASK_32,
        one.flags if flags is None else flags,
        one.window if window is None else window,
        one.urgent,
        one.options if options is None else options,
        one.text if text is None else ((Text(text, 0, len(text)),) if text else ()),
    )


def get_text(one: Segment) -> bytes:
    """The octets of its text."""
    return b"".join(piece.octets() for piece in one.text)


def strip(one: Segment, kinds: tuple[type[Option], ...] = MULTIPATH) -> Segment:
    """``one`` with NOPs in place of the options of these ``kinds``."""
    options: list[Option] = []
    for option in one.options:
        if isinstance(option, kinds):
            options += [NOP] * option.compute_size()
        else:
            options.append(option)
    return change(one, tuple(options))


def split(one: Segment, size: int, keep: str = "all") -> list[Segment]:
    """``one`` in pieces of ``size`` octets of text; "all" of them have its MPTCP options, or one has.

    ``keep`` is "all", "first" or "last"; FIN and PSH are on the last.
    """
    text = get_text(one)
    if len(text) <= size or one.flags & (SYN | RST):
        return [one]
    starts = range(0, len(text), size)
    pieces: list[Segment] = []
    for start in starts:
        is_first, is_last = start == 0, start + size >= len(text)
        flags = one.flags if is_last else one.flags & ~(FIN | PSH)
        piece = change(one, text=text[start : start + size], sequence=one.sequence + start, flags=flags)
        if (keep == "first" and not is_first) or (keep == "last" and not is_last):
            piece = strip(piece)
        pieces.append(piece)
    return pieces


def join(one: Segment, other: Segment, keep: str = "first") -> Segment | None:
    """Both as one segment with the options of one of them; None if ``other`` does not follow ``one``."""
    text, more = get_text(one), get_text(other)
    is_next = other.sequence == (one.sequence + len(text)) & MASK_32
    if not (text and more and is_next) or (one.flags | other.flags) & (SYN | RST) or one.flags & FIN:
        return None
    kept = one if keep == "first" else other
    joined = change(other, kept.options, text + more, one.sequence)
    return joined if len(write(joined)) <= 0xFFFF else None


def flip(one: Segment, at: int, bits: int) -> Segment:
    """``one`` with ``bits`` of the octet ``at`` of its text, counted around, turned over."""
    text = bytearray(get_text(one))
    if text:
        text[at % len(text)] ^= bits
    return change(one, text=bytes(text))


# -- boxes ----------------------------------------------------------------------------------------


class Middlebox(State):
    """Lets everything through. ``changed`` counts the segments that it did not leave as they were."""

    FIELDS: ClassVar[tuple[str, ...]] = ("changed",)

    def __init__(self) -> None:
        self.changed = 0

    def arrive(self, packet: bytes, way: str) -> list[bytes]:
        """What goes on of ``packet``, which goes ``way``."""
        one = read(packet)
        if one is None:
            return [packet]
        passed = self.handle(one, way)
        if len(passed) == 1 and passed[0] is one:
            return [packet]
        self.changed += 1
        return [write(other) for other in passed]

    def handle(self, one: Segment, way: str) -> list[Segment]:
        """The segments that go on in place of ``one``."""
        return [one]


class Stripper(Middlebox):
    """Takes the options of some ``kinds`` out of the segments going ``ways`` that ``is_hit``.

    ``is_hit`` is asked with the segment and with how many segments with text went that way before.
    """

    FIELDS = (*Middlebox.FIELDS, "ways", "kinds", "is_hit", "texts")

    def __init__(
        self,
        is_hit: Callable[[Segment, int], bool],
        ways: tuple[str, ...] = (FORTH, BACK),
        kinds: tuple[type[Option], ...] = MULTIPATH,
    ) -> None:
        super().__init__()
        self.ways = ways
        self.kinds = kinds
        self.is_hit = is_hit
        self.texts = {FORTH: 0, BACK: 0}

    def handle(self, one: Segment, way: str) -> list[Segment]:
        """Strip it, or not."""
        before = self.texts[way]
        self.texts[way] += 1 if one.text_length else 0
        if way not in self.ways or not self.is_hit(one, before):
            return [one]
        if not any(isinstance(option, self.kinds) for option in one.options):
            return [one]
        return [strip(one, self.kinds)]


class BlackHole(Middlebox):
    """Lets no SYN with an MPTCP option through."""

    def handle(self, one: Segment, way: str) -> list[Segment]:
        """Take it, or let it go."""
        is_hit = one.flags & SYN and any(isinstance(option, MULTIPATH) for option in one.options)
        return [] if is_hit else [one]


class Splitter(Middlebox):
    """Cuts segments into pieces of ``size`` octets, as a path with another MSS does."""

    FIELDS = (*Middlebox.FIELDS, "size", "keep")

    def __init__(self, size: int, keep: str = "all") -> None:
        super().__init__()
        self.size = size
        self.keep = keep

    def handle(self, one: Segment, way: str) -> list[Segment]:
        """Split it."""
        return split(one, self.size, self.keep)


class Joiner(Middlebox):
    """Makes one segment of several that follow each other, up to ``size`` octets or to one with PSH or FIN.

    It keeps one segment back for each way; one that does not continue it sends both on.
    """

    FIELDS = (*Middlebox.FIELDS, "size", "keep", "held")

    def __init__(self, size: int, keep: str = "first") -> None:
        super().__init__()
        self.size = size
        self.keep = keep
        self.held: dict[str, Segment] = {}

    def handle(self, one: Segment, way: str) -> list[Segment]:
        """Keep it back, join it to what was kept, or send both on."""
        before = self.held.pop(way, None)
        if before is not None:
            joined = join(before, one, self.keep)
            if joined is None or joined.text_length > self.size:
                return [before, *self.handle(one, way)]
            one = joined
        if one.text_length and not one.flags & (PSH | FIN | SYN | RST):
            self.held[way] = one
            return []
        return [one]


class Flipper(Middlebox):
    """Turns ``bits`` of an octet of the text number ``which`` (from 0) that goes ``way`` over."""

    FIELDS = (*Middlebox.FIELDS, "which", "way", "bits", "texts")

    def __init__(self, which: int, way: str = FORTH, bits: int = 0x20) -> None:
        super().__init__()
        self.which = which
        self.way = way
        self.bits = bits
        self.texts = 0

    def handle(self, one: Segment, way: str) -> list[Segment]:
        """Alter it, if it is the one."""
        if way != self.way or not one.text_length:
            return [one]
        self.texts += 1
        return [flip(one, 0, self.bits)] if self.texts - 1 == self.which else [one]


class Rewriter(Middlebox):
    """Puts ``new`` in place of ``old`` in text going forth, of whatever length: what an FTP helper does.

    Sequence numbers behind it are moved, and acknowledgments coming back are moved back.
    """

    FIELDS = (*Middlebox.FIELDS, "old", "new", "at")

    def __init__(self, old: bytes, new: bytes) -> None:
        super().__init__()
        self.old = old
        self.new = new
        self.at: int | None = None  # the sequence number behind what was replaced, once it was

    def handle(self, one: Segment, way: str) -> list[Segment]:
        """Replace it the first time; move the numbers of all that comes later."""
        shift = len(self.new) - len(self.old)
        if way == BACK:
            if self.at is None or not one.flags & ACK:
                return [one]
            behind = (one.acknowledgment - self.at - shift) & MASK_32 < 1 << 31
            return [change(one, acknowledgment=one.acknowledgment - shift)] if behind else [one]
        text = get_text(one)
        found = text.find(self.old)
        if found >= 0 and (self.at is None or self.at == (one.sequence + found + len(self.old)) & MASK_32):
            self.at = (one.sequence + found + len(self.old)) & MASK_32
            return [change(one, text=text[:found] + self.new + text[found + len(self.old) :])]
        if self.at is None or (one.sequence - self.at) & MASK_32 >= 1 << 31:
            return [one]
        return [change(one, sequence=one.sequence + shift)]


class Translator(Middlebox):
    """A NAT: whoever calls from inside is seen from outside at ``address``, at a port of the NAT's own.

    It may stand on several paths; from outside it is found on whichever its peer takes.
    """

    FIELDS = (*Middlebox.FIELDS, "address", "next_port", "inside", "outside")

    def __init__(self, address: Address) -> None:
        super().__init__()
        self.address = address
        self.next_port = 20_000
        self.inside: dict[Port, tuple[Address, Port]] = {}  # by the port outside
        self.outside: dict[tuple[Address, Port], Port] = {}

    def handle(self, one: Segment, way: str) -> list[Segment]:
        """Rewrite the inner end; what nobody inside asked for is dropped."""
        if way == FORTH:
            inner = (one.source, one.source_port)
            port = self.outside.get(inner)
            if port is None:
                port = self.outside[inner] = self.next_port
                self.next_port += 1
            self.inside[port] = inner
            return [change(one, source=(self.address, port))]
        found = self.inside.get(one.destination_port) if one.destination == self.address else None
        return [] if found is None else [change(one, destination=found)]

    def forget(self, inner: tuple[Address, Port]) -> Port:
        """Who is inside gets another port from now on; the one that it had."""
        port = self.outside.pop(inner)
        del self.inside[port]
        return port


class Renumberer(Middlebox):
    """Gives those who go forth another initial sequence number, ``shift`` higher."""

    FIELDS = (*Middlebox.FIELDS, "shift")

    def __init__(self, shift: int) -> None:
        super().__init__()
        self.shift = shift

    def handle(self, one: Segment, way: str) -> list[Segment]:
        """Move the one number or the other."""
        if way == FORTH:
            return [change(one, sequence=one.sequence + self.shift)]
        return [change(one, acknowledgment=one.acknowledgment - self.shift) if one.flags & ACK else one]


class Mirror(Middlebox):
    """Puts the MPTCP options of the last SYN on the SYN/ACK, as a host that copies what it does not know."""

    FIELDS = (*Middlebox.FIELDS, "seen")

    def __init__(self) -> None:
        super().__init__()
        self.seen: tuple[Option, ...] = ()

    def handle(self, one: Segment, way: str) -> list[Segment]:
        """Remember, or copy."""
        if way == FORTH and one.flags & SYN:
            self.seen = tuple(option for option in one.options if isinstance(option, MULTIPATH))
            return [strip(one)]
        if way == BACK and one.flags & SYN:
            return [change(one, options=(*strip(one).options, *self.seen))]
        return [one]


class Clamp(Middlebox):
    """Lets no MSS above ``mss`` and no window field above ``window`` through."""

    FIELDS = (*Middlebox.FIELDS, "mss", "window")

    def __init__(self, mss: int = 0xFFFF, window: int = 0xFFFF) -> None:
        super().__init__()
        self.mss = mss
        self.window = window

    def handle(self, one: Segment, way: str) -> list[Segment]:
        """Lower both where they are higher."""
        options = tuple(
            MaximumSegmentSize(min(option.size, self.mss))
            if isinstance(option, MaximumSegmentSize)
            else option
            for option in one.options
        )
        if options == one.options and one.window <= self.window:
            return [one]
        return [change(one, options, window=min(one.window, self.window))]
