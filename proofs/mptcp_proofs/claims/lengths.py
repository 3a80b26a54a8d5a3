"""Which lengths exist, and that no octets mean two things (RFC 8684 §3, RFC 6824)."""

from typing import Annotated

from mptcp.parameters import MPTCP_OPTION
from mptcp.wire.dss import HAS_ACK, HAS_MAPPING, WIDE_ACK, WIDE_DSN
from mptcp.wire.options import Option, Unknown
from mptcp.wire.segment import ACK, SYN, parse_multipath
from mptcp_proofs.claim import Octets, assume, reach
from mptcp_proofs.claims.domains import Bit, Byte
from mptcp_proofs.claims.makers import Data, FewSignals, Handshake, is_at_home
from mptcp_proofs.theorem import Mutant, Theorem

NONE: tuple[int, ...] = ()


def list_lengths(octets: bytes, flags: int, version: int) -> tuple[int, ...]:
    """The lengths that exist for the MPTCP option which begins with ``octets``, as the RFCs tell them."""
    subtype, nibble = octets[2] >> 4, octets[2] & 0xF
    is_syn, is_ack = flags & SYN != 0, flags & ACK != 0
    if subtype == 0x0:
        if is_syn:
            return (12,) if is_ack or nibble == 0 else (4,)
        return NONE if not is_ack else (20, 22, 24) if nibble > 0 else (20,)
    if subtype == 0x1:
        return (16,) if is_syn and is_ack else (12,) if is_syn else (24,) if is_ack else NONE
    if subtype == 0x2:
        return list_dss_lengths(octets[3]) if len(octets) > 3 else NONE
    if subtype == 0x3:
        if version == 0:
            return (8, 10) if nibble == 4 else (20, 22) if nibble == 6 else NONE
        return (8, 10, 20, 22) if nibble & 1 else (16, 18, 28, 30)
    if subtype == 0x4:
        return tuple(range(4, 41))
    if subtype == 0x5:
        return (3, 4) if version == 0 else (3,)
    if subtype == 0x8:
        return (4,) if version > 0 else NONE
    if subtype == 0xF:
        return tuple(range(3, 41))
    return (12,) if subtype == 0x6 or subtype == 0x7 else NONE


def list_dss_lengths(flags: int) -> tuple[int, ...]:
    """RFC 8684 §3.3: the lengths follow from the flags, and a checksum takes two octets more."""
    length = 4
    if flags & HAS_ACK:
        length += 8 if flags & WIDE_ACK else 4
    if not flags & HAS_MAPPING:
        return (length,) if length > 4 else NONE
    length += 14 if flags & WIDE_DSN else 10
    return (length, length + 2)


def is_port_zero(octets: bytes) -> bool:
    """Whether this ADD_ADDR announces port 0, which no option may."""
    at = {10: 8, 18: 8, 22: 20, 30: 20}.get(len(octets))
    return octets[2] >> 4 == 0x3 and at is not None and octets[at] == 0 and octets[at + 1] == 0


def exactly_these(rest: Annotated[bytes, Octets(1, 38)], flags: Byte, version: Bit) -> bool:
    """An MPTCP option is read if and only if its length is one that exists where it stands."""
    octets = bytes((MPTCP_OPTION, len(rest) + 2)) + rest
    option = parse_multipath(octets, 0, len(octets), flags, version)
    is_read = not isinstance(option, Unknown)
    if is_read and len(octets) == 24:
        reach("an option of 24 octets")
    return is_read == (len(octets) in list_lengths(octets, flags, version) and not is_port_zero(octets))


def have_one_meaning(one: Option, other: Option, flags: int, version: int) -> bool:
    """Whether two options that are at home in one place are the same if their octets are."""
    assume(one.compute_size() == other.compute_size())
    assume(is_at_home(one, flags, version) and is_at_home(other, flags, version))
    if one.emit() != other.emit():
        return True
    reach("the same octets")
    return one == other


def handshakes_differ(one: Handshake, other: Handshake, flags: Byte, version: Bit) -> bool:
    """No two MP_CAPABLE or MP_JOIN that differ have the same octets in one place."""
    return have_one_meaning(one, other, flags, version)


def data_differ(one: Data, other: Data) -> bool:
    """No two DSS that differ have the same octets."""
    return have_one_meaning(one, other, ACK, 1)


def signals_differ(one: FewSignals, other: FewSignals, version: Bit) -> bool:
    """No two other MPTCP options that differ have the same octets in one version."""
    return have_one_meaning(one, other, ACK, version)


HANDSHAKE = "mptcp/wire/handshake.py"
ADDRESSES = "mptcp/wire/addresses.py"
ENDINGS = "mptcp/wire/endings.py"
DSS = "mptcp/wire/dss.py"

THEOREMS = (
    Theorem(
        id="T4",
        name="one-meaning",
        words="No two options of a family (handshake, data, signals; families differ in the subtype)"
        " share their octets in one place; MP_CAPABLE of versions 0 and 1 are never taken for each"
        " other.",
        sections="RFC 8684 §3.1-3.7, RFC 6824",
        clauses=("R8684-1-01", "R8684-3.1-09"),
        bounds="All values of all fields; REMOVE_ADDR and MP_EXPERIMENTAL of up to three octets.",
        claims=(handshakes_differ, data_differ, signals_differ),
        goals=("the same octets",),
        mutants=(
            Mutant(
                HANDSHAKE,
                "return bytes((MPTCP_OPTION, 4, CAPABLE << 4 | self.version, self.flags))",
                "return bytes((MPTCP_OPTION, 4, CAPABLE << 4 | self.version | 1, self.flags))",
            ),
            Mutant(
                HANDSHAKE,
                "return head + emit_32(self.token) + self.nonce",
                "return head + bytes(4) + self.nonce",
            ),
            Mutant(
                DSS, "            if mapping.fin:\n                flags |= DATA_FIN\n", "", by="data_differ"
            ),
            Mutant(
                ADDRESSES,
                "return bytes((MPTCP_OPTION, 3, PRIO << 4 | int(self.backup)))",
                "return bytes((MPTCP_OPTION, 3, PRIO << 4))",
                by="signals_differ",
            ),
            Mutant(
                ENDINGS,
                "bytes((MPTCP_OPTION, 12, FAST_CLOSE << 4, 0))",
                "bytes((MPTCP_OPTION, 12, FAIL << 4, 0))",
                by="signals_differ",
            ),
        ),
        unclaimed="Nothing of options on segments where they do not belong.",
    ),
    Theorem(
        id="T5",
        name="lengths",
        words="Exactly the lengths of the RFCs are read: MP_CAPABLE 4, 12, 20, 22, 24 by the segment"
        " it is on, MP_JOIN"
        " 12, 16, 24, DSS by its flags with or without two octets of checksum, ADD_ADDR 16, 18, 28,"
        " 30 and its echo"
        " 8, 10, 20, 22, and so on.",
        sections="RFC 8684 §3.1-3.7, RFC 6824",
        clauses=(
            "R8684-3-02",
            "R8684-3.1-08",
            "R8684-3.1-09",
            "R8684-3.2-02",
            "R8684-3.3-04",
            "R8684-3.3-08",
            "R8684-3.4.1-03",
            "R8684-3.4.1-11",
            "R8684-3.4.2-05",
            "R8684-3.3.8-04",
            "R8684-3.6-03",
            "R8684-3.6-18",
            "R6824-3.1-01",
            "R6824-3.4.1-02",
            "R6824-3.3.8-01",
        ),
        bounds="Option lengths 3 … 40, all octets, all flags, versions 0 and 1.",
        claims=(exactly_these,),
        goals=("an option of 24 octets",),
        mutants=(
            Mutant(
                HANDSHAKE,
                "if length == 24 and version > 0",
                "if length == 22 and version > 0",
                "multipath-tcp #427: MP_CAPABLE with data and checksum says length 22, not 24",
            ),
            Mutant(HANDSHAKE, "if length == 4 and version > 0", "if length == 4"),
            Mutant(HANDSHAKE, "elif ack and length == 24", "elif length == 24"),
            Mutant(DSS, "if rest != 0 and rest != 2", "if rest < 0 or rest > 2"),
            Mutant(
                DSS,
                "return Dss(ack, None) if ack is not None and at == end else None",
                "return Dss(ack, None) if ack is not None else None",
            ),
            Mutant(ADDRESSES, "if size not in (8, 10, 20, 22)", "if size not in (8, 10, 20, 22, 24)"),
            Mutant(ADDRESSES, "        if port == 0:\n            return None\n", ""),
            Mutant(ADDRESSES, "if length == 4 and version == 0", "if length == 4"),
            Mutant(ENDINGS, "length == 4 and version > 0", "length == 4"),
            Mutant(ENDINGS, "subtype == FAIL and length == 12", "subtype == FAIL and length >= 12"),
        ),
        unclaimed="That an option may be on the segment it is on, beyond what its layout says.",
    ),
)
