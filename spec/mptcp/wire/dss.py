"""DSS, the data sequence signal: Data ACK, data sequence mapping, DATA_FIN. RFC 8684 §3.3.

The numbers in it are wire numbers of 32 or 64 bits, as ``wide`` says; numbers.py turns them into
offsets and back. Layouts of versions 0 and 1 are the same.
"""

from typing import Final, final

from librt.strings import BytesWriter

from mptcp.errors import Refused
from mptcp.native import i64, mypyc_attr
from mptcp.parameters import MPTCP_OPTION
from mptcp.values import Value
from mptcp.wire.octets import u16, u32, u64, write_16, write_32, write_64
from mptcp.wire.options import Option, compute_written

DSS: Final = 0x2  # option subtype; RFC 8684 §7.2

DATA_FIN: Final = 0x10  # flags F, m, M, a, A; RFC 8684 §3.3 [R8684-3.3-02]
WIDE_DSN: Final = 0x08
HAS_MAPPING: Final = 0x04
WIDE_ACK: Final = 0x02
HAS_ACK: Final = 0x01


def fits(number: int, wide: bool) -> bool:
    """Whether ``number`` has at most 64 bits, or 32 unless ``wide``, and is not negative.

    Comparing numbers of more than 62 bits is slow when compiled; a negative one of those is not
    found here but refused by ``emit_64``.
    """
    bits = number.bit_length()
    if bits > 62:
        return wide and bits <= 64
    return number >= 0 and (wide or bits <= 32)


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class DataAck(Value):
    """The next data sequence number expected; 64 bits of it if ``wide``, else the lower 32."""

    __match_args__ = ("number", "wide")

    def __init__(self, number: int, wide: bool) -> None:
        if not fits(number, wide):
            raise Refused("a Data ACK has 32 bits, or 64 if wide")
        self.number: Final = number
        self.wide: Final = wide


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Mapping(Value):
    """``length`` octets from ``ssn`` on of the subflow are those from ``dsn`` on of the connection.

    ``ssn`` counts from the subflow's SYN, which is 0. With ``fin`` the last of the octets is the
    DATA_FIN, which no subflow carries. Length 0 is the infinite mapping of RFC 8684 §3.7.
    """

    __match_args__ = ("dsn", "wide", "ssn", "length", "checksum", "fin")

    def __init__(self, dsn: int, wide: bool, ssn: i64, length: i64, checksum: int | None, fin: bool) -> None:
        if not fits(dsn, wide):
            raise Refused("a DSN has 32 bits, or 64 if wide")
        if ssn >> 32:
            raise Refused("an SSN has 32 bits")
        if length >> 16:
            raise Refused("a data-level length has 16 bits")
        if checksum is not None and checksum >> 16:
            raise Refused("a checksum has 16 bits")
        self.dsn: Final = dsn
        self.wide: Final = wide
        self.ssn: Final = ssn
        self.length: Final = length
        self.checksum: Final = checksum
        self.fin: Final = fin


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Dss(Option):
    """The option: a Data ACK, a mapping, or both. [R8684-3.3-01]"""

    __match_args__ = ("ack", "mapping")

    def __init__(self, ack: DataAck | None, mapping: Mapping | None) -> None:
        if ack is None and mapping is None:
            raise Refused("a DSS without Data ACK and mapping says nothing")
        self.ack: Final = ack
        self.mapping: Final = mapping

    def emit(self) -> bytes:
        """RFC 8684 §3.3, figure 9."""
        return compute_written(self)

    def write(self, writer: BytesWriter) -> None:
        """RFC 8684 §3.3, figure 9."""
        # [R8684-3.3-02] the flags, [R8684-3.3-07] whose other bits are zero, and the fields' order
        ack, mapping = self.ack, self.mapping
        flags: i64 = 0
        if ack is not None:
            flags = HAS_ACK | WIDE_ACK if ack.wide else HAS_ACK
        if mapping is not None:
            flags |= HAS_MAPPING | WIDE_DSN if mapping.wide else HAS_MAPPING
            if mapping.fin:
                flags |= DATA_FIN
        write_32(writer, (MPTCP_OPTION << 8 | self.compute_size()) << 16 | DSS << 12 | flags)
        if ack is not None:
            if ack.wide:
                write_64(writer, ack.number)
            else:
                write_32(writer, ack.number)
        if mapping is not None:
            if mapping.wide:
                write_64(writer, mapping.dsn)
            else:
                write_32(writer, mapping.dsn)
            write_32(writer, mapping.ssn)
            write_16(writer, mapping.length)
            if mapping.checksum is not None:
                write_16(writer, mapping.checksum)

    def compute_size(self) -> int:
        """Counted, not written."""
        size = 4
        ack, mapping = self.ack, self.mapping
        if ack is not None:
            size += 8 if ack.wide else 4
        if mapping is not None:
            size += 14 if mapping.wide else 10
            if mapping.checksum is not None:
                size += 2
        return size


def parse(packet: bytes, at: i64, length: i64) -> Dss | None:
    """The DSS of ``length`` >= 3 octets at ``at``; None if flags and length do not agree.

    [R8684-3.3-03] a and m mean nothing without A and M; [R8684-3.3-05] nor does F without M.
    Both widths are read [R8684-3.3.1-24], and one does not bind the other
    [R8684-3.3.1-27], nor one option the next [R8684-A-05].
    """
    if length < 4:
        return None
    flags = packet[at + 3]
    end = at + length
    at += 4
    ack: DataAck | None = None
    if flags & HAS_ACK:
        if flags & WIDE_ACK:
            if at + 8 > end:
                return None
            ack = DataAck(u64(packet, at), True)
            at += 8
        else:
            if at + 4 > end:
                return None
            ack = DataAck(u32(packet, at), False)
            at += 4
    if not flags & HAS_MAPPING:
        return Dss(ack, None) if ack is not None and at == end else None
    wide = (flags & WIDE_DSN) != 0
    rest = end - at - 14 if wide else end - at - 10
    # [R8684-3.3-08] two octets more than the flags account for are a checksum
    if rest != 0 and rest != 2:
        return None
    checksum = u16(packet, end - 2) if rest == 2 else None
    dsn: int = u32(packet, at)
    if wide:
        dsn = u64(packet, at)
    at = end - rest - 6
    fin = (flags & DATA_FIN) != 0
    return Dss(ack, Mapping(dsn, wide, u32(packet, at), u16(packet, at + 4), checksum, fin))
