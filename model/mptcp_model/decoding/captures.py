"""Frames out of capture files: pcap and pcapng, gzip'd or not, from a file or a pipe, as they come.

The layouts are those of draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng. The stream is read in large
pieces, and the frames come as many at a time as are whole in one.
"""

import gzip
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, final

from librt.strings import read_i16_be, read_i16_le, read_i32_be, read_i32_le, read_i64_be, read_i64_le

from mptcp.numbers import MASK_16, MASK_32

if TYPE_CHECKING:
    from mypy_extensions import i64

Nanos: TypeAlias = int
"""A moment, nanoseconds since 1970."""

Frame: TypeAlias = tuple[Nanos, int, bytes, int]
"""When a frame was seen, its link type, its octets, and how many it had on the wire: maybe more."""

GZIP: Final = b"\x1f\x8b"
SECTION: Final = b"\x0a\x0d\x0d\x0a"
MAGICS: Final = {  # of pcap: whether the lowest octet comes first, nanoseconds in a fraction
    b"\xd4\xc3\xb2\xa1": (True, 1_000),
    b"\xa1\xb2\xc3\xd4": (False, 1_000),
    b"\x4d\x3c\xb2\xa1": (True, 1),
    b"\xa1\xb2\x3c\x4d": (False, 1),
}
FILE_HEADER: Final = 24  # octets of pcap's, whose last four are the link type
FRAME_HEADER: Final = 16
SECOND: Final = 1_000_000_000  # nanoseconds
PIECE: Final = 1 << 16  # octets of the stream that are asked for at a time: what stays in a cache
LARGEST: Final = 1 << 24  # octets of a block or a frame; one that claims more is damaged
LINK_TYPE: Final = 0x0FFF_FFFF  # the upper bits tell of a checksum behind each frame

INTERFACE: Final = 1  # blocks of pcapng
OLD_PACKET: Final = 2
SIMPLE_PACKET: Final = 3
ENHANCED_PACKET: Final = 6
END_OF_OPTIONS: Final = 0  # of an interface
RESOLUTION: Final = 9
OFFSET: Final = 14


class Damaged(Exception):
    """The capture cannot be read on; the words say why. What came before is good."""


class Foreign(Damaged):
    """It is no capture at all, not even the beginning of one."""


class Stream(Protocol):
    """What a frame is read from; ``read1`` gives what is there, so that a pipe is followed."""

    def read1(self, size: int, /) -> bytes:
        """At most ``size`` octets, none at the end."""
        ...


class Ahead:
    """A stream whose first octets may be looked at."""

    def __init__(self, stream: Stream) -> None:
        self._stream: Final = stream
        self._ahead = b""

    def look(self, size: int) -> bytes:
        """The first ``size`` octets; fewer if there are no more."""
        while len(self._ahead) < size:
            some = self._stream.read1(PIECE)
            if not some:
                break
            self._ahead += some
        return self._ahead[:size]

    def read1(self, size: int, /) -> bytes:
        """At most ``size`` octets, none at the end."""
        if not self._ahead:
            return self._stream.read1(size)
        some, self._ahead = self._ahead[:size], self._ahead[size:]
        return some

    def read(self, size: int, /) -> bytes:
        """The same under the name by which gzip asks."""
        return self.read1(size)


def read_frames(stream: Stream) -> Iterator[list[Frame]]:
    """The frames of a capture, piece by piece; Damaged where it cannot be read on."""
    source = Ahead(stream)
    if not source.look(1):
        raise Foreign("is empty")
    try:
        if source.look(2) == GZIP:
            source = Ahead(gzip.GzipFile(fileobj=source, mode="rb"))  # type: ignore[call-overload]
        magic = source.look(4)
        if magic in MAGICS:
            yield from read_pieces(source, open_pcap(source, *MAGICS[magic]))
        elif magic == SECTION:
            yield from read_pieces(source, Pcapng())
        else:
            raise Foreign("is neither a pcap nor a pcapng file")
    except EOFError:
        raise Damaged("ends in the middle: what gzip wrote is cut") from None
    except (gzip.BadGzipFile, zlib.error):
        raise Damaged("is damaged: gzip cannot read on") from None


class Format:
    """What is known of a capture between one piece of it and the next."""

    def __init__(self) -> None:
        self.number = 0  # of the frames so far
        self.damaged = False  # what comes next cannot be

    def cut(self, octets: bytes, frames: list[Frame]) -> int:
        """Put the frames that are whole in ``octets`` behind ``frames``; where the rest begins."""
        raise NotImplementedError

    def place(self) -> str:
        """Where the reading stands, in words."""
        raise NotImplementedError


def read_pieces(source: Ahead, form: Format) -> Iterator[list[Frame]]:
    """The frames of a capture of that format, as many at a time as are whole."""
    rest = b""
    while True:
        piece = source.read1(PIECE)
        if not piece:
            break
        rest += piece
        frames: list[Frame] = []
        at = form.cut(rest, frames)
        form.number += len(frames)
        yield frames
        if form.damaged:
            raise Damaged(f"is damaged: {form.place()} cannot be")
        rest = rest[at:]
    if rest:
        raise Damaged(f"ends in the middle of {form.place()}")


def read_16(octets: bytes, at: "i64", little: bool) -> int:
    """The 16-bit number at ``at``; IndexError where there are too few octets."""
    number: int = read_i16_le(octets, at) if little else read_i16_be(octets, at)
    return number & MASK_16


def read_32(octets: bytes, at: "i64", little: bool) -> int:
    """The 32-bit number at ``at``; IndexError where there are too few octets."""
    number: int = read_i32_le(octets, at) if little else read_i32_be(octets, at)
    return number & MASK_32


# -- pcap -----------------------------------------------------------------------------------------


def open_pcap(source: Ahead, little: bool, unit: Nanos) -> "Pcap":
    """Read the header of a pcap file."""
    head = b""
    while len(head) < FILE_HEADER:
        some = source.read1(FILE_HEADER - len(head))
        if not some:
            raise Foreign("ends in the middle of its header")
        head += some
    return Pcap(little, unit, read_32(head, 20, little) & LINK_TYPE)


@final
class Pcap(Format):
    """All frames are of one link type; their moments are seconds and ``unit`` nanoseconds each."""

    def __init__(self, little: bool, unit: Nanos, link: int) -> None:
        super().__init__()
        self.little: Final = little
        self.unit: Final = unit
        self.link: Final = link

    def place(self) -> str:
        """The frame that comes next."""
        return f"frame {self.number + 1}"

    def cut(self, octets: bytes, frames: list[Frame]) -> int:
        """Frames have a header each: seconds, fraction, octets that are here, octets that were."""
        little, unit, link = self.little, self.unit, self.link
        at, end = 0, len(octets)
        while at + FRAME_HEADER <= end:
            fraction = read_32(octets, at + 4, little) * unit
            length = read_32(octets, at + 8, little)
            if length > LARGEST or fraction >= SECOND:
                self.damaged = True
                break
            start = at + FRAME_HEADER
            stop = start + length
            if stop > end:
                break
            moment = read_32(octets, at, little) * SECOND + fraction
            frames.append((moment, link, octets[start:stop], read_32(octets, at + 12, little)))
            at = stop
        return at


# -- pcapng ---------------------------------------------------------------------------------------


@final
class Pcapng(Format):
    """Blocks in sections, each with its byte order and its interfaces by their number.

    An interface is its link type, how many units of time make a second, and seconds to add.
    """

    def __init__(self) -> None:
        super().__init__()
        self.little = True
        self.interfaces: list[tuple[int, int, int]] = []

    def place(self) -> str:
        """The block that comes next."""
        return f"the block behind frame {self.number}"

    def cut(self, octets: bytes, frames: list[Frame]) -> int:
        """Blocks have a kind and a length before their body and the length once more behind it."""
        at, end = 0, len(octets)
        while at + 12 <= end:
            begins = octets[at : at + 4] == SECTION
            little = octets[at + 8] == 0x4D if begins else self.little
            kind, length = read_32(octets, at, little), read_32(octets, at + 4, little)
            if not 12 <= length <= LARGEST or length & 3:
                self.damaged = True
                break
            stop = at + length
            if stop > end:
                break
            try:
                if begins:
                    self.begin(octets[at + 8 : at + 12])
                elif kind == INTERFACE:
                    self.add_interface(octets, at + 8, stop - 4)
                elif kind == ENHANCED_PACKET:
                    frames.append(self.read_packet(octets, at + 8, stop - 4, read_32(octets, at + 8, little)))
                elif kind == OLD_PACKET:  # half as many bits for the interface
                    frames.append(self.read_packet(octets, at + 8, stop - 4, read_16(octets, at + 8, little)))
                elif kind == SIMPLE_PACKET:
                    frames.append(self.read_simple_packet(octets, at + 8, stop - 4))
            except IndexError:
                self.damaged = True
                break
            at = stop
        return at

    def begin(self, magic: bytes) -> None:
        """A section begins."""
        if magic not in (b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d"):
            raise IndexError
        self.little = magic[0] == 0x4D
        self.interfaces = []

    def add_interface(self, octets: bytes, at: int, stop: int) -> None:
        """Take note of the interface whose description lies at [at, stop)."""
        little = self.little
        link, units, offset = read_16(octets, at, little), 1_000_000, 0
        at += 8
        if at > stop:
            raise IndexError
        while at + 4 <= stop:
            code, length = read_16(octets, at, little), read_16(octets, at + 2, little)
            at += 4
            if code == END_OF_OPTIONS:
                break
            if at + length > stop:
                raise IndexError
            if code == RESOLUTION and length > 0:
                power = octets[at] & 0x7F
                units = 1 << power if octets[at] & 0x80 else 10**power
            elif code == OFFSET and length == 8:
                offset = read_i64_le(octets, at) if little else read_i64_be(octets, at)
            at += length + 3 & ~3
        self.interfaces.append((link, units, offset))

    def read_packet(self, octets: bytes, at: int, stop: int, interface: int) -> Frame:
        """The frame in a packet block whose body lies at [at, stop)."""
        little = self.little
        link, units, offset = self.interfaces[interface]
        ticks = read_32(octets, at + 4, little) << 32 | read_32(octets, at + 8, little)
        length, full = read_32(octets, at + 12, little), read_32(octets, at + 16, little)
        start = at + 20
        if start + length > stop:
            raise IndexError
        return ticks * SECOND // units + offset * SECOND, link, octets[start : start + length], full

    def read_simple_packet(self, octets: bytes, at: int, stop: int) -> Frame:
        """The frame in a simple packet block: of the first interface, without a moment."""
        full = read_32(octets, at, self.little)
        return 0, self.interfaces[0][0], octets[at + 4 : min(at + 4 + full, stop)], full
