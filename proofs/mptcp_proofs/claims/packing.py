"""What fits in 40 octets (RFC 8684 appendix A)."""

from typing import Annotated, TypeAlias

from mptcp.parameters import OPTION_SPACE
from mptcp.wire.addresses import AddAddr, AddAddrEcho, Prio, RemoveAddr
from mptcp.wire.budget import EXTRA, arrange, arrange_any, compute_length, compute_need
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.endings import Experimental, Fail, FastClose, TcpReset
from mptcp.wire.handshake import (
    CapableAck,
    CapableData,
    CapableSyn,
    CapableSynAck,
    JoinAck,
    JoinSyn,
    JoinSynAck,
)
from mptcp.wire.options import (
    FastOpen,
    MaximumSegmentSize,
    NoOperation,
    Option,
    Sack,
    SackPermitted,
    Timestamps,
    Unknown,
    WindowScale,
)
from mptcp.wire.segment import emit_options
from mptcp_proofs.claim import OneOf, Several, assume, reach, require
from mptcp_proofs.theorem import Mutant, Theorem

KEY = bytes(8)
NARROW = DataAck(7, False)
WIDE = DataAck(7, True)
MAPPINGS = tuple(Mapping(5, wide, 1, 9, checksum, False) for wide in (False, True) for checksum in (None, 3))
STAMPS = Timestamps(1, 2)
LONGEST_DSS = Dss(WIDE, Mapping(5, True, 1, 9, 3, False))  # 28 octets
LONGEST_ADD_ADDR = AddAddr(1, bytes(16), 80, KEY)  # 30 octets
IN_SYN: tuple[Option, ...] = (MaximumSegmentSize(1460), WindowScale(7), SackPermitted(), STAMPS)
HANDSHAKES: tuple[Option, ...] = (
    CapableSyn(1, 1),
    CapableSynAck(1, 1, KEY),
    JoinSyn(False, 1, 2, bytes(4)),
    JoinSynAck(False, 1, bytes(8), bytes(4)),
)
# One option of each size and need that there is.
ALL: tuple[Option, ...] = (
    *IN_SYN,
    *HANDSHAKES,
    *[Sack(tuple((edge, edge + 1) for edge in range(count))) for count in (1, 2, 3, 4)],
    FastOpen(b""),
    FastOpen(bytes(8)),
    FastOpen(bytes(16)),
    CapableAck(1, 1, KEY, KEY),
    CapableData(1, 1, KEY, KEY, 9, None),
    CapableData(1, 1, KEY, KEY, 9, 3),
    JoinAck(bytes(20)),
    *[Dss(ack, mapping) for ack in (None, NARROW, WIDE) for mapping in (None, *MAPPINGS) if ack or mapping],
    AddAddr(1, bytes(4), None, KEY),
    AddAddr(1, bytes(4), 80, KEY),
    AddAddr(1, bytes(16), None, KEY),
    LONGEST_ADD_ADDR,
    AddAddrEcho(1, bytes(4), None),
    AddAddrEcho(1, bytes(16), 80),
    RemoveAddr((1,)),
    RemoveAddr((1, 2, 3, 4, 5)),
    Prio(True),
    Fail(9),
    FastClose(KEY),
    TcpReset(0, 1),
    Experimental(b"\xf0\1\2\3"),
    Unknown(200, b"\1\2"),
)
Any: TypeAlias = Annotated[Option, OneOf(*ALL)]
FEW = (
    STAMPS,
    ALL[0],
    ALL[8],
    ALL[11],
    FastOpen(bytes(16)),
    CapableData(1, 1, KEY, KEY, 9, 3),
    JoinAck(bytes(20)),
    Dss(WIDE, None),
    Dss(None, MAPPINGS[3]),
    LONGEST_DSS,
    LONGEST_ADD_ADDR,
    AddAddr(1, bytes(4), None, KEY),
    RemoveAddr((1, 2, 3, 4, 5)),
    Fail(9),
    TcpReset(0, 1),
    Experimental(b"\xf0\1\2\3"),
    Unknown(200, b"\1\2"),
)
OneOfFew: TypeAlias = Annotated[Option, OneOf(*FEW)]
Wanted: TypeAlias = Annotated[tuple[Option, ...], Several(OneOf(*ALL), 0, 2)]
Syn: TypeAlias = Annotated[tuple[Option, ...], OneOf(*[IN_SYN[: count + 1] for count in range(len(IN_SYN))])]


def count(options: tuple[Option, ...]) -> int:
    """Octets that ``options`` take without any padding."""
    return sum(option.compute_size() for option in options)


def without_padding(area: tuple[Option, ...]) -> list[Option]:
    """What is no padding."""
    return [option for option in area if not isinstance(option, NoOperation)]


def is_part(option: Option, wanted: tuple[Option, ...]) -> bool:
    """Whether ``option`` was wanted, a SACK perhaps with more blocks."""
    if isinstance(option, Sack):
        blocks = option.blocks
        return any(isinstance(one, Sack) and one.blocks[: len(blocks)] == blocks for one in wanted)
    return any(one is option for one in wanted)


def fits(wanted: tuple[Option, ...]) -> bool:
    """Whether what is arranged of ``wanted`` can be written, and is all of it if that is possible at all."""
    area = arrange(wanted)
    octets = emit_options(area)
    kept = without_padding(area)
    require(len(octets) <= OPTION_SPACE and len(octets) == compute_length(area), "it fits")
    require(all(is_part(option, wanted) for option in kept), "nothing is invented")
    if len(kept) < len(wanted):
        reach("something gives way")
    if count(wanted) <= OPTION_SPACE:
        needed = [option for option in wanted if compute_need(option) != EXTRA]
        require(
            len([one for one in kept if compute_need(one) != EXTRA]) == len(needed),
            "nothing needed is left out",
        )
    return True


def two_fit(wanted: Wanted) -> bool:
    """Any two options, of those that exist, are arranged so that they fit."""
    return fits(wanted)


def beside_timestamps(wanted: Wanted) -> bool:
    """Any two options beside timestamps are arranged so that they fit, and the timestamps stay."""
    assume(not any(isinstance(option, Timestamps) for option in wanted))
    everything = (STAMPS, *wanted)
    return fits(everything) and any(option is STAMPS for option in arrange(everything))


def in_a_handshake(
    syn: Syn, option: Annotated[Option, OneOf(*HANDSHAKES)], cookie: Annotated[int, OneOf(-1, 0, 8)]
) -> bool:
    """On a SYN all of TCP's own options fit beside MP_CAPABLE or MP_JOIN; only a cookie gives way."""
    wanted = (*syn, option) if cookie < 0 else (*syn, FastOpen(bytes(cookie)), option)
    kept = without_padding(arrange(wanted))
    return fits(wanted) and all(any(one is other for other in kept) for one in (*syn, option))


def least_first(one: OneOfFew, other: OneOfFew, third: OneOfFew) -> bool:
    """Whatever is left out of three options is needed less than, or as little as, all that stays."""
    wanted = (one, other, third)
    kept = without_padding(arrange(wanted))
    out = [option for option in wanted if not any(is_part(stays, (option,)) for stays in kept)]
    needs = [compute_need(option) for option in kept]
    return all(compute_need(option) <= need for option in out for need in needs)


def on_borders(wanted: Wanted) -> bool:
    """Where there is room for padding, the area ends on a border of four octets and MPTCP begins on one."""
    area = arrange(wanted)
    at = 0
    borders = []
    for option in area:
        if option.emit()[0] == 30:
            borders.append(at % 4)
        at += option.compute_size()
    if count(wanted) + 3 * len(wanted) > OPTION_SPACE:
        return True
    return at % 4 == 0 and not any(borders)


def a_glance_is_enough(one: Any, other: Any) -> bool:
    """The usual one, and the usual pair, arranged without thinking, are what arranging them gives."""
    return arrange((one,)) == arrange_any((one,)) and arrange((one, other)) == arrange_any((one, other))


def longest_fits_exactly(dss: Annotated[Option, OneOf(LONGEST_DSS)]) -> bool:
    """The longest DSS fits beside padded timestamps, to the octet."""
    area = arrange((STAMPS, dss))
    return without_padding(area) == [STAMPS, dss] and compute_length(area) == OPTION_SPACE == 12 + 28


def add_addr_fits_unpadded(option: Annotated[Option, OneOf(LONGEST_ADD_ADDR)]) -> bool:
    """The longest ADD_ADDR fits beside timestamps, though not if these are padded."""
    area = arrange((STAMPS, option))
    return list(area) == [STAMPS, option] and count(area) == OPTION_SPACE < 12 + 30


BUDGET = "mptcp/wire/budget.py"

THEOREMS = (
    Theorem(
        id="T7",
        name="option-space",
        words="Whatever options are wanted together, what is arranged of them fits 40 octets;"
        " nothing is left out that"
        " could stay, and what is left out is needed least. The longest DSS (28) fits beside padded"
        " timestamps (12)"
        " exactly, the longest ADD_ADDR (30) only beside unpadded ones (10).",
        sections="RFC 8684 appendix A",
        clauses=(
            "R8684-A-01",
            "R8684-A-02",
            "R8684-A-04",
            "R8684-A-06",
            "R8684-A-07",
            "R8684-3-04",
            "R7323-3.2-02",
        ),
        bounds="One option of each layout and size, any three at a time; all sets that a SYN carries.",
        claims=(
            two_fit,
            beside_timestamps,
            in_a_handshake,
            least_first,
            on_borders,
            a_glance_is_enough,
            longest_fits_exactly,
            add_addr_fits_unpadded,
        ),
        goals=("something gives way",),
        mutants=(
            Mutant(
                BUDGET, "if compute_length(padded) <= OPTION_SPACE", "if True", by="add_addr_fits_unpadded"
            ),
            Mutant(
                BUDGET,
                "if compute_length(padded) <= OPTION_SPACE",
                "if compute_length(padded) <= OPTION_SPACE + 4",
            ),
            Mutant(
                BUDGET,
                "if _count(kept) <= OPTION_SPACE",
                "if _count(kept) <= OPTION_SPACE + 4",
                by="beside_timestamps",
            ),
            Mutant(
                BUDGET,
                "if _count(kept) <= OPTION_SPACE",
                "if _count(kept) < OPTION_SPACE",
                by="add_addr_fits_unpadded",
            ),
            Mutant(
                BUDGET,
                "if compute_need(option) <= compute_need(kept[place])",
                "if compute_need(option) >= compute_need(kept[place])",
                by="least_first",
            ),
            Mutant(
                BUDGET,
                "if second.compute_size() % 4",
                "if second.compute_size() % 4 == 0",
                by="a_glance_is_enough",
            ),
            Mutant(BUDGET, "Sack(option.blocks[:-1])", "Sack(option.blocks[1:])", by="two_fit"),
            Mutant(
                BUDGET, "        if not in_front:\n            area += [NOP] * padding\n", "", by="on_borders"
            ),
            Mutant(BUDGET, "return (length + 3) & ~3", "return length", by="two_fit"),
        ),
        unclaimed="Four and more options beside each other, except on a SYN; what the sender wants"
        " is its business.",
    ),
)
