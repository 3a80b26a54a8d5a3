"""Frames out of capture files: pcap and pcapng, gzip'd or not, from a file or a pipe, as they come.

dpkt knows the headers of both formats. Its readers, though, tell neither how long a frame was on the wire
nor of which interface it is, and end silently where a file is cut; so the few numbers before each frame are
unpacked here, from large pieces of the stream, which takes a tenth of the time.
"""

import gzip
import zlib
from collections.abc import Iterator
from struct import Struct
from struct import error as StructError
from typing import Final, Protocol, TypeAlias

from dpkt import UnpackError, pcap, pcapng

Nanos: TypeAlias = int
"""A moment, nanoseconds since 1970."""

Frame: TypeAlias = tuple[Nanos, int, bytes, int]
"""When a frame was seen, its link type, its octets, and how many it had on the wire: maybe more."""

GZIP: Final = b"\x1f\x8b"
SECTION: Final = b"\x0a\x0d\x0d\x0a"
MAGICS: Final = {  # of pcap: byte order, nanoseconds in a fraction
    b"\xd4\xc3\xb2\xa1": ("<", 1_000),
    b"\xa1\xb2\xc3\xd4": (">", 1_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
SECOND: Final = 1_000_000_000  # nanoseconds
PIECE: Final = 1 << 16  # octets of the stream that are asked for at a time: what stays in a cache
LARGEST: Final = 1 << 24  # octets of a block or a frame; one that claims more is damaged
LINK_TYPE: Final = 0x0FFF_FFFF  # the upper bits tell of a checksum behind each frame


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

    read = read1  # the name by which gzip asks


def read_frames(stream: Stream) -> Iterator[Frame]:
    """The frames of a capture, one after the other; Damaged where it cannot be read on."""
    source = Ahead(stream)
    if not source.look(1):
        raise Foreign("is empty")
    try:
        if source.look(2) == GZIP:
            source = Ahead(gzip.GzipFile(fileobj=source, mode="rb"))  # type: ignore[call-overload]
        magic = source.look(4)
        if magic in MAGICS:
            yield from read_pcap(source, *MAGICS[magic])
        elif magic == SECTION:
            yield from read_pcapng(source)
        else:
            raise Foreign("is neither a pcap nor a pcapng file")
    except EOFError:
        raise Damaged("ends in the middle: what gzip wrote is cut") from None
    except (gzip.BadGzipFile, zlib.error):
        raise Damaged("is damaged: gzip cannot read on") from None


def read_pcap(source: Ahead, order: str, unit: Nanos) -> Iterator[Frame]:
    """The frames of a pcap file."""
    layout = pcap.LEFileHdr if order == "<" else pcap.FileHdr
    head = take(source, layout.__hdr_len__)
    link = layout(head).linktype & LINK_TYPE
    number, limit = 0, SECOND // unit
    record = Struct(order + pcap.PktHdr.__hdr_fmt__[1:])
    size, unpack = record.size, record.unpack_from
    rest = b""
    while True:
        piece = source.read1(PIECE)
        if not piece:
            break
        rest += piece
        at, end = 0, len(rest)
        while at + size <= end:
            seconds, fraction, length, full = unpack(rest, at)
            if length > LARGEST or fraction >= limit:
                raise Damaged(f"is damaged: frame {number + 1} cannot be")
            stop = at + size + length
            if stop > end:
                break
            number += 1
            yield seconds * SECOND + fraction * unit, link, rest[at + size : stop], full
            at = stop
        rest = rest[at:]
    if rest:
        raise Damaged(f"ends in the middle of frame {number + 1}")


def take(source: Ahead, size: int) -> bytes:
    """The next ``size`` octets, of the header of a file."""
    head = b""
    while len(head) < size:
        some = source.read1(size - len(head))
        if not some:
            raise Foreign("ends in the middle of its header")
        head += some
    return head


class Section:
    """What the blocks of one section share: the byte order, and the interfaces by their number.

    An interface is its link type, how many units of time make a second, and seconds to add.
    """

    def __init__(self, magic: bytes) -> None:
        if magic not in (b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d"):
            raise Damaged("is damaged: a section has no byte order")
        self.order: Final = "<" if magic[0] == 0x4D else ">"
        self.head: Final = Struct(self.order + "II")
        self.packet: Final = Struct(self.order + "IIIII")
        self.interfaces: Final[list[tuple[int, int, int]]] = []

    def add_interface(self, block: bytes) -> None:
        """Take note of an interface description block."""
        layout = pcapng.InterfaceDescriptionBlockLE if self.order == "<" else pcapng.InterfaceDescriptionBlock
        found = layout(block)
        units, offset = 1_000_000, 0
        for option in found.opts:
            if option.code == pcapng.PCAPNG_OPT_IF_TSRESOL and option.data:
                power = option.data[0] & 0x7F
                units = 1 << power if option.data[0] & 0x80 else 10**power
            elif option.code == pcapng.PCAPNG_OPT_IF_TSOFFSET and len(option.data) == 8:
                (offset,) = Struct(self.order + "q").unpack(option.data)
        self.interfaces.append((found.linktype, units, offset))

    def read_packet(self, block: bytes, at: int, stop: int) -> Frame:
        """The frame in an enhanced packet block whose body lies at [at, stop)."""
        interface, high, low, length, full = self.packet.unpack_from(block, at)
        link, units, offset = self.interfaces[interface]
        moment = (high << 32 | low) * SECOND // units + offset * SECOND
        at += 20
        if at + length > stop:
            raise IndexError
        return moment, link, block[at : at + length], full

    def read_old_packet(self, block: bytes, at: int, stop: int) -> Frame:
        """The same of the packet block that came before it: half as many bits for the interface."""
        interface = block[at : at + 2].rjust(4, b"\0") if self.order == ">" else block[at : at + 2] + b"\0\0"
        return self.read_packet(interface + block[at + 4 : stop], 0, stop - at)

    def read_simple_packet(self, block: bytes, at: int, stop: int) -> Frame:
        """The frame in a simple packet block: of the first interface, without a moment."""
        full = self.head.unpack_from(block, at - 4)[1]
        return 0, self.interfaces[0][0], block[at + 4 : min(at + 4 + full, stop)], full


READERS: Final = {
    pcapng.PCAPNG_BT_EPB: Section.read_packet,
    pcapng.PCAPNG_BT_PB: Section.read_old_packet,
    pcapng.PCAPNG_BT_SPB: Section.read_simple_packet,
}


def read_pcapng(source: Ahead) -> Iterator[Frame]:
    """The frames of a pcapng file, of all its sections and interfaces."""
    section = Section(source.look(12)[8:])
    number = 0
    rest = b""
    while True:
        piece = source.read1(PIECE)
        if not piece:
            break
        rest += piece
        at, end = 0, len(rest)
        while at + 12 <= end:
            if rest[at : at + 4] == SECTION:
                section = Section(rest[at + 8 : at + 12])
            kind, length = section.head.unpack_from(rest, at)
            if not 12 <= length <= LARGEST or length & 3:
                raise Damaged(f"is damaged: the block behind frame {number} cannot be")
            stop = at + length
            if stop > end:
                break
            try:
                if kind in READERS:
                    number += 1
                    yield READERS[kind](section, rest, at + 8, stop - 4)
                elif kind == pcapng.PCAPNG_BT_IDB:
                    section.add_interface(rest[at:stop])
            except (IndexError, StructError, UnpackError, UnicodeError):
                raise Damaged(f"is damaged: the block behind frame {number} cannot be") from None
            at = stop
        rest = rest[at:]
    if rest:
        raise Damaged(f"ends in the middle of the block behind frame {number}")
