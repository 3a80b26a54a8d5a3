"""Options on the wire and back (RFC 8684 §3, RFC 9293 §3.1)."""

from typing import Annotated, TypeAlias

from mptcp.parameters import MPTCP_OPTION
from mptcp.wire.addresses import AddAddr, AddAddrEcho, Prio, PrioV0, RemoveAddr
from mptcp.wire.dss import Dss
from mptcp.wire.endings import Fail, FastClose, TcpReset
from mptcp.wire.handshake import JoinAck, JoinSyn, JoinSynAck
from mptcp.wire.options import Option, Unknown, WindowScale
from mptcp.wire.options import parse as parse_plain
from mptcp.wire.segment import parse_multipath
from mptcp_proofs.claim import Between, Octets, assume, reach, require
from mptcp_proofs.claims.domains import Bit, Byte
from mptcp_proofs.claims.makers import Multipath, Plain, is_at_home
from mptcp_proofs.theorem import Mutant, Theorem

Area: TypeAlias = Annotated[bytes, Octets(2, 40)]
Before: TypeAlias = Annotated[bytes, Octets(2)]
Behind: TypeAlias = Annotated[bytes, Octets(8)]
Kind: TypeAlias = Annotated[int, Between(2, 0xFF)]


# -- 1: what is written is read -------------------------------------------------------------------


def reads_back(option: Multipath, flags: Byte, version: Bit) -> bool:
    """An MPTCP option, where it belongs, is read as it was written."""
    assume(is_at_home(option, flags, version))
    octets = option.emit()
    require(2 < len(octets) <= 40, "it fits the option space")
    require(octets[0] == MPTCP_OPTION and octets[1] == len(octets), "kind and length")
    require(option.compute_size() == len(octets), "its size is counted right")
    if len(octets) == 28:
        reach("the longest DSS")
    return parse_multipath(octets, 0, len(octets), flags, version) == option


def plain_reads_back(option: Plain) -> bool:
    """An option of plain TCP is read as it was written."""
    octets = option.emit()
    require(2 <= len(octets) <= 40 and octets[1] == len(octets), "length")
    require(option.compute_size() == len(octets), "its size is counted right")
    return parse_plain(octets, 0, len(octets)) == option


# -- 2: any octets are read, and no others --------------------------------------------------------


def stays_inside(
    option: Area, before: Before, behind: Behind, other: Before, flags: Byte, version: Bit
) -> bool:
    """Any octets give an MPTCP option or say nothing; what stands around them does not matter."""
    length = len(option)
    amid = parse_multipath(before + option + behind, 2, length, flags, version)
    last = parse_multipath(other + option, 2, length, flags, version)
    if not isinstance(last, Unknown):
        reach("an option that is read")
    return amid == last


def plain_stays_inside(
    kind: Kind, octets: Annotated[bytes, Octets(0, 38)], before: Before, behind: Behind, other: Before
) -> bool:
    """Any octets give an option of plain TCP or say nothing; what stands around them does not matter."""
    option = bytes((kind, len(octets) + 2)) + octets
    amid = parse_plain(before + option + behind, 2, len(option))
    last = parse_plain(other + option, 2, len(option))
    return amid == last


# -- 3: what is read is written again -------------------------------------------------------------


def find_meaning(option: Option) -> tuple[int, int]:
    """Of the third and fourth octet of ``option``, the bits that mean something."""
    if isinstance(option, Dss):
        flags = 0x05  # A and M always mean something, a with A only, F and m with M only
        if option.ack is not None:
            flags |= 0x02
        if option.mapping is not None:
            flags |= 0x18
        return 0xF0, flags
    if isinstance(option, (JoinSyn, JoinSynAck, AddAddr, AddAddrEcho, Prio, PrioV0, TcpReset)):
        return 0xF1, 0xFF
    if isinstance(option, RemoveAddr):
        return 0xF0, 0xFF
    if isinstance(option, (JoinAck, Fail, FastClose)):
        return 0xF0, 0
    return 0xFF, 0xFF


def is_written_again(option: Option, octets: bytes) -> bool:
    """Whether ``option`` gives ``octets`` again, up to bits that mean nothing."""
    again = option.emit()
    require(len(again) == len(octets), "as long as it came")
    third, fourth = find_meaning(option)
    if len(again) > 2:
        require(again[2] == octets[2] & third, "third octet")
    if len(again) > 3:
        require(again[3] == octets[3] & fourth, "fourth octet")
    return again[:2] == octets[:2] and again[4:] == octets[4:]


def writes_again(octets: Annotated[bytes, Octets(0, 38)], flags: Byte, version: Bit) -> bool:
    """Whatever MPTCP option is read is written as it came, bits that mean nothing as zero."""
    area = bytes((MPTCP_OPTION, len(octets) + 2)) + octets
    option = parse_multipath(area, 0, len(area), flags, version)
    if isinstance(option, Unknown):
        return option.emit() == area
    if option.emit() != area:
        reach("bits that mean nothing")
    return is_written_again(option, area)


def plain_writes_again(kind: Kind, octets: Annotated[bytes, Octets(0, 38)]) -> bool:
    """Whatever option of plain TCP is read is written as it came, a window shift above 14 as 14."""
    area = bytes((kind, len(octets) + 2)) + octets
    option = parse_plain(area, 0, len(area))
    if isinstance(option, WindowScale) and area[2] > 14:
        reach("a shift that is too large")
        return option.shift == 14
    return option.emit() == area


# -- 8: reserved bits -----------------------------------------------------------------------------


def indifferent(
    octets: Annotated[bytes, Octets(1, 38)], third: Byte, fourth: Byte, flags: Byte, version: Bit
) -> bool:
    """Bits that mean nothing change nothing: other ones in their place give the same option."""
    length = len(octets) + 2
    head = bytes((MPTCP_OPTION, length))
    option = parse_multipath(head + octets, 0, length, flags, version)
    assume(not isinstance(option, Unknown))
    meaning = find_meaning(option)
    other = bytes((octets[0] ^ (third & ~meaning[0]),))
    if len(octets) > 1:
        other += bytes((octets[1] ^ (fourth & ~meaning[1]),)) + octets[2:]
    return parse_multipath(head + other, 0, length, flags, version) == option


HANDSHAKE = "mptcp/wire/handshake.py"
DSS = "mptcp/wire/dss.py"
ADDRESSES = "mptcp/wire/addresses.py"
ENDINGS = "mptcp/wire/endings.py"
OPTIONS = "mptcp/wire/options.py"
SEGMENT = "mptcp/wire/segment.py"
WIDE_ACK = "            ack = DataAck(u64(packet, at), True)\n            at += 8\n"

THEOREMS = (
    Theorem(
        id="T1",
        name="written-then-read",
        words="Every option there is, with any values in its fields, is read back as the same option"
        " from the octets"
        " it writes; its length octet and its counted size are theirs.",
        sections="RFC 8684 §3.1-3.7, RFC 6824, RFC 9293 §3.2, RFC 7323, RFC 2018, RFC 7413",
        clauses=(
            "R8684-3-01",
            "R8684-3.1-08",
            "R8684-3.1-32",
            "R8684-3.2-02",
            "R8684-3.3-02",
            "R8684-3.3-04",
            "R8684-3.4.1-03",
            "R8684-3.4.1-11",
            "R8684-3.4.2-05",
            "R8684-3.5-03",
            "R8684-3.6-03",
            "R8684-3.7-16",
            "R6824-3.1-01",
            "R6824-3.4.1-02",
            "R9293-3.1-10",
        ),
        bounds="All values of all fields; all lengths of lists; versions 0 and 1.",
        claims=(reads_back, plain_reads_back),
        goals=("the longest DSS",),
        mutants=(
            Mutant(
                HANDSHAKE,
                "22 + len(checksum)",
                "22",
                "multipath-tcp #427: MP_CAPABLE with data and checksum says length 22, not 24",
            ),
            Mutant(
                DSS,
                WIDE_ACK,
                WIDE_ACK.replace("at += 8", "at += 4"),
                "multipath-tcp #333: the pointer does not move over the second half of a 64-bit number",
            ),
            Mutant(
                ADDRESSES,
                "address_id)) + rest\n",
                "address_id)) + rest + bytes(2)\n",
                "net-next #95: garbage octets behind the echo of ADD_ADDR",
            ),
            Mutant(DSS, "size += 14 if mapping.wide else 10", "size += 14"),
            Mutant(DSS, "            if mapping.fin:\n                flags |= DATA_FIN\n", ""),
            Mutant(
                HANDSHAKE,
                "JOIN << 4 | int(self.backup), self.address_id))\n        return head + emit_32",
                "JOIN << 4, self.address_id))\n        return head + emit_32",
            ),
            Mutant(HANDSHAKE, "return head + self.hmac + self.nonce", "return head + self.nonce + self.hmac"),
            Mutant(ADDRESSES, "if size - family == 6:  # [R8684-3.4.1-11]", "if size - family == 8:"),
            Mutant(ENDINGS, "FAST_CLOSE << 4, 0)) + self.key", "FAIL << 4, 0)) + self.key"),
            Mutant(
                OPTIONS,
                "write_32(writer, self.value)\n        write_32(writer, self.echo)",
                "write_32(writer, self.echo)\n        write_32(writer, self.value)",
            ),
        ),
        unclaimed="That these layouts are the RFCs': captures of other implementations show that.",
    ),
    Theorem(
        id="T2",
        name="any-octets",
        words="Any octets of 2 to 40 give an option or say nothing; no exception, and nothing around"
        " them is looked at.",
        sections="RFC 8684 §3, RFC 9293 §3.1",
        clauses=("R8684-3-02", "R9293-3.1-07", "R9293-3.1-08"),
        bounds="Option lengths 2 … 40, all octets, all flags, versions 0 and 1.",
        claims=(stays_inside, plain_stays_inside),
        goals=("an option that is read",),
        mutants=(
            Mutant(DSS, "            if at + 8 > end:\n                return None\n", ""),
            Mutant(DSS, "    if length < 4:\n        return None\n    flags", "    flags"),
            Mutant(HANDSHAKE, "    if length < 4:\n        return None\n    version", "    version"),
            Mutant(HANDSHAKE, "if length == 22 and version > 0", "if length > 20 and version > 0"),
            Mutant(
                ADDRESSES,
                "    if length < 4:\n        return None\n    return RemoveAddr",
                "    return RemoveAddr",
            ),
            Mutant(
                ADDRESSES, "tuple(packet[at + 3 : at + length])", "tuple(packet[at + 3 : at + length + 1])"
            ),
            Mutant(ENDINGS, "if subtype == FAIL and length == 12", "if subtype == FAIL and length >= 8"),
            Mutant(
                OPTIONS, "if kind == MAXIMUM_SEGMENT_SIZE and length == 4", "if kind == MAXIMUM_SEGMENT_SIZE"
            ),
            Mutant(OPTIONS, "length in (10, 18, 26, 34)", "length in (10, 18, 26, 34, 38)"),
        ),
        unclaimed="What is done with an option once it is read.",
    ),
    Theorem(
        id="T3",
        name="read-then-written",
        words="Any option that is read is written as it came, octet for octet, but for bits that"
        " mean nothing, which"
        " become zero, and a window shift above 14, which becomes 14; what says nothing goes out as it came.",
        sections="RFC 8684 §3, RFC 7323 §2.3",
        clauses=(
            "R8684-3.2-11",
            "R8684-3.2-22",
            "R8684-3.3-03",
            "R8684-3.3-07",
            "R8684-3.4.1-18",
            "R8684-3.6-09",
            "R7323-2.3-02",
        ),
        bounds="Option lengths 2 … 40, all octets, all flags, versions 0 and 1.",
        claims=(writes_again, plain_writes_again),
        goals=("bits that mean nothing", "a shift that is too large"),
        mutants=(
            Mutant(
                ADDRESSES,
                "address_id)) + rest\n",
                "address_id)) + rest + bytes(2)\n",
                "net-next #95: garbage octets behind the echo of ADD_ADDR",
            ),
            Mutant(DSS, "dsn = u64(packet, at)", "dsn = u32(packet, at)"),
            Mutant(
                DSS,
                "<< 16 | DSS << 12 | flags)",
                "        << 16 | DSS << 12 | flags | 0x20)",
            ),
            Mutant(DSS, "checksum = u16(packet, end - 2) if rest == 2 else None", "checksum = None"),
            Mutant(
                ENDINGS, "TcpReset(packet[at + 2] & TRANSIENT, packet[at + 3])", "TcpReset(0, packet[at + 3])"
            ),
            Mutant(
                ADDRESSES,
                "bytes((MPTCP_OPTION, 3, PRIO << 4 | int(self.backup)))",
                "bytes((MPTCP_OPTION, 3, PRIO << 4 | 8 | int(self.backup)))",
            ),
            Mutant(OPTIONS, "min(packet[at + 2], MAXIMUM_WINDOW_SHIFT)", "packet[at + 2] & 15"),
            Mutant(
                OPTIONS,
                "return bytes((self.kind, 2 + len(self.octets))) + self.octets",
                "return bytes((self.kind, 2))",
            ),
        ),
        unclaimed="That two options in one segment keep their order: T6 shows that.",
    ),
    Theorem(
        id="T8",
        name="reserved-bits",
        words="What stands in reserved bits and in flags without meaning makes no difference to what"
        " is read.",
        sections="RFC 8684 §3.1-3.7",
        clauses=("R8684-3.3-03", "R8684-3.4.1-19", "R8684-3.6-10"),
        bounds="Option lengths 3 … 40, all octets, all flags, versions 0 and 1.",
        claims=(indifferent,),
        goals=(),
        mutants=(
            Mutant(
                ENDINGS,
                "TcpReset(packet[at + 2] & TRANSIENT, packet[at + 3])",
                "TcpReset(packet[at + 2] >> 1 & TRANSIENT, packet[at + 3])",
            ),
            Mutant(DSS, "    wide = (flags & WIDE_DSN) != 0", "    wide = (flags & (WIDE_DSN | 0x20)) != 0"),
            Mutant(
                ADDRESSES, "signed = version > 0 and not nibble & ECHO", "signed = version > 0 and not nibble"
            ),
            Mutant(
                HANDSHAKE,
                "backup, address_id = (packet[at + 2] & BACKUP) != 0",
                "backup, address_id = (packet[at + 2] & 0xF) != 0",
            ),
        ),
        unclaimed="That a reserved bit which a later RFC assigns is understood.",
    ),
)
