"""The options of plain TCP: RFC 9293 §3.1-3.2, RFC 7323, RFC 2018, RFC 7413.

The walk over the option area is in segment.py; here are the values and, for each kind, what a
legal option of it says. An option of a known kind with an illegal length is kept as Unknown: it
says nothing, does no harm, and goes out as it came.
"""

from typing import Final, final

from librt.strings import BytesWriter

from mptcp.errors import Refused
from mptcp.native import i64, mypyc_attr
from mptcp.numbers import MASK_16, MASK_32
from mptcp.parameters import MAXIMUM_WINDOW_SHIFT, OPTION_SPACE
from mptcp.values import Value
from mptcp.wire.octets import emit_16, emit_32, u16, u32, write_16, write_32

END_OF_LIST: Final = 0  # option kinds; RFC 9293 §3.2
NO_OPERATION: Final = 1
MAXIMUM_SEGMENT_SIZE: Final = 2
WINDOW_SCALE: Final = 3  # RFC 7323 §2.2
SACK_PERMITTED: Final = 4  # RFC 2018 §2
SACK: Final = 5  # RFC 2018 §3
TIMESTAMPS: Final = 8  # RFC 7323 §3.2
FAST_OPEN: Final = 34  # RFC 7413 §4.1.1


@mypyc_attr(acyclic=True)
class Option(Value):
    """Base of all options: a value that can write itself down."""

    def emit(self) -> bytes:
        """The option's octets, kind and length included."""
        raise NotImplementedError

    def write(self, writer: BytesWriter) -> None:
        """Put the option's octets behind what is written already."""
        writer.write(self.emit())

    def compute_size(self) -> int:
        """How many octets the option takes."""
        return len(self.emit())


def compute_written(option: Option) -> bytes:
    """What ``option.write`` writes, for those options where speed makes it come first."""
    writer = BytesWriter()
    option.write(writer)
    return writer.getvalue()


@final
class EndOfList(Option):
    """The end of the option list, and the octets behind it up to the end of the header.

    Those are zero from anyone who follows [R9293-3.1-11]; they are kept as they came.
    """

    __match_args__ = ("padding",)

    def __init__(self, padding: bytes = b"") -> None:
        self.padding: Final = padding

    def emit(self) -> bytes:
        """RFC 9293 §3.2."""
        return b"\0" + self.padding


@final
class NoOperation(Option):
    """One octet between options, by which a sender aligns what follows."""

    def emit(self) -> bytes:
        """RFC 9293 §3.2."""
        return b"\1"

    def write(self, writer: BytesWriter) -> None:
        """The same as emit, faster."""
        writer.append(NO_OPERATION)

    def compute_size(self) -> int:
        """Counted, not written."""
        return 1


@final
class MaximumSegmentSize(Option):
    """The largest segment text, octets, that the sender of this SYN can take. RFC 9293 §3.7.1."""

    __match_args__ = ("size",)

    def __init__(self, size: int) -> None:
        if not 0 <= size <= MASK_16:
            raise Refused("a maximum segment size has 16 bits")
        self.size: Final = size

    def emit(self) -> bytes:
        """RFC 9293 §3.2."""
        return b"\2\4" + emit_16(self.size)


@final
class WindowScale(Option):
    """By how many bits the windows of this sender are shifted, 0 … 14. RFC 7323 §2.2."""

    __match_args__ = ("shift",)

    def __init__(self, shift: int) -> None:
        if not 0 <= shift <= MAXIMUM_WINDOW_SHIFT:
            raise Refused("a window is shifted by 0 to 14 bits")
        self.shift: Final = shift

    def emit(self) -> bytes:
        """RFC 7323 §2.2."""
        return bytes((WINDOW_SCALE, 3, self.shift))


@final
class SackPermitted(Option):
    """The sender of this SYN understands SACK. RFC 2018 §2."""

    def emit(self) -> bytes:
        """RFC 2018 §2."""
        return b"\4\2"


@final
class Sack(Option):
    """One to four blocks (left edge, right edge), sequence numbers, held out of order. RFC 2018 §3."""

    __match_args__ = ("blocks",)

    def __init__(self, blocks: tuple[tuple[int, int], ...]) -> None:
        if not 1 <= len(blocks) <= 4:
            raise Refused("SACK has one to four blocks")
        for left, right in blocks:
            if not (0 <= left <= MASK_32 and 0 <= right <= MASK_32):
                raise Refused("a sequence number has 32 bits")
        self.blocks: Final = blocks

    def emit(self) -> bytes:
        """RFC 2018 §3."""
        octets = bytes((SACK, 2 + 8 * len(self.blocks)))
        for left, right in self.blocks:
            octets += emit_32(left) + emit_32(right)
        return octets


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Timestamps(Option):
    """TSval, the sender's clock, and TSecr, the clock it echoes: 32 bits each. RFC 7323 §3.2."""

    __match_args__ = ("value", "echo")

    def __init__(self, value: i64, echo: i64) -> None:
        if (value | echo) >> 32:
            raise Refused("a timestamp has 32 bits")
        self.value: Final = value
        self.echo: Final = echo

    def emit(self) -> bytes:
        """RFC 7323 §3.2."""
        return compute_written(self)

    def write(self, writer: BytesWriter) -> None:
        """The same as emit, faster."""
        write_16(writer, TIMESTAMPS << 8 | 10)
        write_32(writer, self.value)
        write_32(writer, self.echo)

    def compute_size(self) -> int:
        """Counted, not written."""
        return 10


@final
class FastOpen(Option):
    """A fast-open cookie of 4 … 16 octets, an even number; empty to ask for one. RFC 7413 §4.1.1."""

    __match_args__ = ("cookie",)

    def __init__(self, cookie: bytes) -> None:
        if cookie and (len(cookie) % 2 or not 4 <= len(cookie) <= 16):
            raise Refused("a cookie has 4, 6, … 16 octets")
        self.cookie: Final = cookie

    def emit(self) -> bytes:
        """RFC 7413 §4.1.1."""
        return bytes((FAST_OPEN, 2 + len(self.cookie))) + self.cookie


@final
class Unknown(Option):
    """An option that we do not understand, as it came: ``octets`` are those behind its length.

    Also one of a known kind whose length or fields are illegal. [R9293-3.1-07] [R8684-3-02]
    """

    __match_args__ = ("kind", "octets")

    def __init__(self, kind: int, octets: bytes) -> None:
        if not NO_OPERATION < kind <= 0xFF:
            raise Refused("such a kind has no length")
        if len(octets) > OPTION_SPACE - 2:
            raise Refused("an option has at most 40 octets")
        self.kind: Final = kind
        self.octets: Final = octets

    def emit(self) -> bytes:
        """As it came."""
        return bytes((self.kind, 2 + len(self.octets))) + self.octets


@final
class Leftover(Option):
    """The rest of an option area from where it cannot be walked on: a length of 0, 1 or too much.

    What came before it counts; this says nothing and does no harm. [R9293-3.1-08]
    """

    __match_args__ = ("octets",)

    def __init__(self, octets: bytes) -> None:
        if not 1 <= len(octets) <= OPTION_SPACE:
            raise Refused("1 to 40 octets are left over")
        if octets[0] <= NO_OPERATION or (len(octets) > 1 and 2 <= octets[1] <= len(octets)):
            raise Refused("these octets can be walked")
        self.octets: Final = octets

    def emit(self) -> bytes:
        """As it came."""
        return self.octets


NOP: Final = NoOperation()
END: Final = EndOfList()


def parse(packet: bytes, at: int, length: int) -> Option:
    """The option of ``length`` >= 2 octets at ``at``, which lie within ``packet``."""
    kind = packet[at]
    if kind == TIMESTAMPS and length == 10:
        return Timestamps(u32(packet, at + 2), u32(packet, at + 6))
    if kind == MAXIMUM_SEGMENT_SIZE and length == 4:  # [R9293-3.1-05] [R9293-3.1-09]
        return MaximumSegmentSize(u16(packet, at + 2))
    if kind == WINDOW_SCALE and length == 3:
        # [R7323-2.3-02] a larger shift counts as 14
        return WindowScale(min(packet[at + 2], MAXIMUM_WINDOW_SHIFT))
    if kind == SACK_PERMITTED and length == 2:
        return SackPermitted()
    if kind == SACK and length in (10, 18, 26, 34):
        edges = [(u32(packet, at + step), u32(packet, at + step + 4)) for step in range(2, length, 8)]
        return Sack(tuple(edges))
    if kind == FAST_OPEN and (length == 2 or (length % 2 == 0 and 6 <= length <= 18)):
        return FastOpen(packet[at + 2 : at + length])
    return Unknown(kind, packet[at + 2 : at + length])
