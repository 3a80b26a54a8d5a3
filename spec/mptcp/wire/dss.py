"""DSS, the data sequence signal: Data ACK, data sequence mapping, DATA_FIN. RFC 8684 §3.3.

The numbers in it are wire numbers of 32 or 64 bits, as ``wide`` says; numbers.py turns them into
offsets and back. Layouts of versions 0 and 1 are the same.
"""

from typing import Final, final

from mptcp.errors import Refused
from mptcp.numbers import MASK_16, MASK_32, MASK_64
from mptcp.parameters import MPTCP_OPTION
from mptcp.values import Value
from mptcp.wire.octets import emit_16, emit_32, emit_64, u16, u32, u64
from mptcp.wire.options import Option

DSS: Final = 0x2  # option subtype; RFC 8684 §8

DATA_FIN: Final = 0x10  # flags F, m, M, a, A; RFC 8684 §3.3 [R8684-3.3-02]
WIDE_DSN: Final = 0x08
HAS_MAPPING: Final = 0x04
WIDE_ACK: Final = 0x02
HAS_ACK: Final = 0x01


@final
class DataAck(Value):
    """The next data sequence number expected; 64 bits of it if ``wide``, else the lower 32."""

    __match_args__ = ("number", "wide")

    def __init__(self, number: int, wide: bool) -> None:
        if number < 0 or number > (MASK_64 if wide else MASK_32):
            raise Refused("a Data ACK has 32 bits, or 64 if wide")
        self.number: Final = number
        self.wide: Final = wide


@final
class Mapping(Value):
    """``length`` octets from ``ssn`` on of the subflow are those from ``dsn`` on of the connection.

    ``ssn`` counts from the subflow's SYN, which is 0. With ``fin`` the last of the octets is the
    DATA_FIN, which no subflow carries. Length 0 is the infinite mapping of RFC 8684 §3.7.
    """

    __match_args__ = ("dsn", "wide", "ssn", "length", "checksum", "fin")

    def __init__(
        self, dsn: int, wide: bool, ssn: int, length: int, checksum: int | None, fin: bool
    ) -> None:
        if dsn < 0 or dsn > (MASK_64 if wide else MASK_32):
            raise Refused("a DSN has 32 bits, or 64 if wide")
        if ssn < 0 or ssn > MASK_32:
            raise Refused("an SSN has 32 bits")
        if length < 0 or length > MASK_16:
            raise Refused("a data-level length has 16 bits")
        if checksum is not None and (checksum < 0 or checksum > MASK_16):
            raise Refused("a checksum has 16 bits")
        self.dsn: Final = dsn
        self.wide: Final = wide
        self.ssn: Final = ssn
        self.length: Final = length
        self.checksum: Final = checksum
        self.fin: Final = fin


@final
class Dss(Option):
    """The option: a Data ACK, a mapping, or both."""

    __match_args__ = ("ack", "mapping")

    def __init__(self, ack: DataAck | None, mapping: Mapping | None) -> None:
        if ack is None and mapping is None:
            raise Refused("a DSS without Data ACK and mapping says nothing")
        self.ack: Final = ack
        self.mapping: Final = mapping

    def emit(self) -> bytes:
        flags = 0
        octets = b""
        ack, mapping = self.ack, self.mapping
        if ack is not None:
            flags = HAS_ACK | WIDE_ACK if ack.wide else HAS_ACK
            octets = emit_64(ack.number) if ack.wide else emit_32(ack.number)
        if mapping is not None:
            flags |= HAS_MAPPING
            if mapping.fin:
                flags |= DATA_FIN
            if mapping.wide:
                flags |= WIDE_DSN
                octets += emit_64(mapping.dsn)
            else:
                octets += emit_32(mapping.dsn)
            octets += emit_32(mapping.ssn) + emit_16(mapping.length)
            if mapping.checksum is not None:
                octets += emit_16(mapping.checksum)
        # [R8684-3.3-07] the other bits are zero
        return bytes((MPTCP_OPTION, 4 + len(octets), DSS << 4, flags)) + octets


def parse(packet: bytes, at: int, length: int) -> Dss | None:
    """The DSS of ``length`` >= 3 octets at ``at``; None if flags and length do not agree.

    [R8684-3.3-03] a and m mean nothing without A and M; [R8684-3.3-05] nor does F without M.
    """
    if length < 4:
        return None
    flags = packet[at + 3]
    end = at + length
    at += 4
    ack: DataAck | None = None
    if flags & HAS_ACK:
        wide = (flags & WIDE_ACK) != 0
        size = 8 if wide else 4
        if at + size > end:
            return None
        ack = DataAck(u64(packet, at) if wide else u32(packet, at), wide)
        at += size
    mapping: Mapping | None = None
    if flags & HAS_MAPPING:
        wide = (flags & WIDE_DSN) != 0
        size = 8 if wide else 4
        # [R8684-3.3-08] two octets more than the flags account for are a checksum
        checksum: int | None = None
        if at + size + 8 == end:
            checksum = u16(packet, end - 2)
        elif at + size + 6 != end:
            return None
        dsn = u64(packet, at) if wide else u32(packet, at)
        at += size
        fin = (flags & DATA_FIN) != 0
        mapping = Mapping(dsn, wide, u32(packet, at), u16(packet, at + 4), checksum, fin)
    elif at != end:
        return None
    if ack is None and mapping is None:
        return None
    return Dss(ack, mapping)
