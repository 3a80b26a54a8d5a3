"""Forty octets of options: the layouts of Linux, and what gives way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.wire.addresses import AddAddr, AddAddrEcho, Prio, RemoveAddr
from mptcp.wire.budget import SACK, TCP, arrange, arrange_any, compute_length, compute_need
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
    NOP,
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
from mptcp.wire.segment import ACK, SYN, emit_options
from mptcp_model import strategies

MSS, SOK, TS, WS = MaximumSegmentSize(1460), SackPermitted(), Timestamps(1, 2), WindowScale(7)
KEY = bytes(8)
SIX = bytes(16)
ACK_8, ACK_4 = DataAck(1, True), DataAck(1, False)
MAP_4 = Mapping(1, False, 2, 3, None, False)
MAP_8 = Mapping(1, True, 2, 3, None, False)
SUMMED = Mapping(1, True, 2, 3, 4, False)
BLOCKS = tuple((at, at + 1) for at in range(4))


def name(options: tuple[Option, ...]) -> str:
    """A layout in words: N for NOP, classes otherwise."""
    return " ".join("N" if isinstance(one, NoOperation) else type(one).__name__ for one in options)


@pytest.mark.clause(
    "R9293-3.7.1-02", "R8684-3.4.1-29", "R8684-A-02", "R8684-A-04", "R8684-A-06", "R8684-A-08", "R8684-B.1-01"
)
@pytest.mark.parametrize(
    ("wanted", "layout", "length"),
    [
        ((TS, Dss(ACK_8, MAP_8)), "N N Timestamps Dss N N", 40),
        ((TS, Dss(ACK_8, SUMMED)), "N N Timestamps Dss", 40),
        ((TS, Dss(ACK_4, MAP_8)), "N N Timestamps Dss N N", 36),
        ((TS, Dss(ACK_8, None)), "N N Timestamps Dss", 24),
        (
            (CapableSyn(1, 1), WS, TS, SOK, MSS),
            "MaximumSegmentSize SackPermitted Timestamps N WindowScale CapableSyn",
            24,
        ),
        (
            (MSS, WS, SOK, CapableSyn(1, 1)),
            "MaximumSegmentSize N N SackPermitted N WindowScale CapableSyn",
            16,
        ),
        ((MSS, WS, TS, CapableSyn(1, 1)), "MaximumSegmentSize N N Timestamps N WindowScale CapableSyn", 24),
        (
            (MSS, SOK, TS, WS, JoinSyn(False, 1, 2, bytes(4))),
            "MaximumSegmentSize SackPermitted Timestamps N WindowScale JoinSyn",
            32,
        ),
        (
            (MSS, SOK, TS, WS, JoinSynAck(False, 1, KEY, bytes(4))),
            "MaximumSegmentSize SackPermitted Timestamps N WindowScale JoinSynAck",
            36,
        ),
        (
            (MSS, SOK, TS, WS, FastOpen(KEY), CapableSyn(1, 1)),
            "MaximumSegmentSize SackPermitted Timestamps N WindowScale FastOpen N N CapableSyn",
            36,
        ),
        (
            (MSS, SOK, TS, WS, CapableSynAck(1, 1, KEY)),
            "MaximumSegmentSize SackPermitted Timestamps N WindowScale CapableSynAck",
            32,
        ),
        ((TS, CapableAck(1, 1, KEY, KEY)), "N N Timestamps CapableAck", 32),
        ((TS, CapableData(1, 1, KEY, KEY, 5, None)), "N N Timestamps CapableData N N", 36),
        ((TS, CapableData(1, 1, KEY, KEY, 5, 6)), "N N Timestamps CapableData", 36),
        ((TS, JoinAck(bytes(20))), "N N Timestamps JoinAck", 36),
        ((TS, Dss(ACK_8, None), Sack(BLOCKS[:1])), "N N Timestamps N N Sack Dss", 36),
        ((TS, Dss(ACK_8, None), RemoveAddr((1,))), "N N Timestamps Dss RemoveAddr", 28),
        ((TS, Dss(ACK_8, None), RemoveAddr((1, 2, 3))), "N N Timestamps Dss RemoveAddr N N", 32),
        ((TS, Dss(ACK_8, None), Prio(True)), "N N Timestamps Dss Prio N", 28),
        ((TS, Dss(ACK_8, None), Fail(1)), "N N Timestamps Dss Fail", 36),
        ((TS, TcpReset(0, 0), FastClose(KEY)), "N N Timestamps FastClose TcpReset", 28),
        ((TS, TcpReset(0, 6), Fail(1)), "N N Timestamps Fail TcpReset", 28),
        ((TcpReset(0, 1),), "TcpReset", 4),
        ((TS, AddAddr(1, SIX, None, KEY)), "N N Timestamps AddAddr", 40),
        ((TS, AddAddr(1, bytes(4), 80, KEY)), "N N Timestamps AddAddr N N", 32),
        ((TS, AddAddrEcho(1, SIX, 80)), "N N Timestamps AddAddrEcho N N", 36),
        ((), "", 0),
    ],
)
def test_layouts(wanted: tuple[Option, ...], layout: str, length: int) -> None:
    """As Linux sends them, in whatever order they are wanted."""
    for order in (wanted, tuple(reversed(wanted))):
        found = arrange(order)
        assert name(found) == layout
        assert compute_length(found) == len(emit_options(found)) == length


@pytest.mark.clause("R9293-3.2-01")
def test_padding_gives_way_first() -> None:
    """An IPv6 address with a port beside timestamps fills 40 octets, if nothing is aligned."""
    found = arrange((TS, AddAddr(1, SIX, 80, KEY)))
    assert found == (TS, AddAddr(1, SIX, 80, KEY))
    assert compute_length(found) == 40


@pytest.mark.clause("R8684-A-07", "R8684-A-01", "R8684-B.1-01")
@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        # SACK goes block by block, the last one after the padding: RFC 8684 appendix A
        ((TS, Sack(BLOCKS), Dss(ACK_8, None)), (TS, Sack(BLOCKS[:1]), Dss(ACK_8, None))),
        ((TS, Sack(BLOCKS), Dss(ACK_4, None)), (TS, Sack(BLOCKS[:2]), Dss(ACK_4, None))),
        ((TS, Sack(BLOCKS)), (TS, Sack(BLOCKS[:3]))),
        ((TS, Sack(BLOCKS), Dss(ACK_4, MAP_4)), (TS, Sack(BLOCKS[:1]), Dss(ACK_4, MAP_4))),
        ((TS, Sack(BLOCKS), Dss(ACK_8, MAP_8)), (TS, Dss(ACK_8, MAP_8))),
        # a bare Data ACK gives way to an address, the address to a mapping
        ((TS, Dss(ACK_8, None), AddAddr(1, SIX, None, KEY)), (TS, AddAddr(1, SIX, None, KEY))),
        ((TS, Dss(ACK_8, MAP_8), AddAddr(1, SIX, None, KEY)), (TS, Dss(ACK_8, MAP_8))),
        # of two signals the one that was wanted last
        ((TS, AddAddr(1, SIX, None, KEY), RemoveAddr((1,))), (TS, AddAddr(1, SIX, None, KEY))),
        # the cookie gives way to MP_CAPABLE
        ((MSS, SOK, TS, WS, FastOpen(bytes(16)), CapableSyn(1, 1)), (MSS, SOK, TS, WS, CapableSyn(1, 1))),
        # nobody relies on what is unknown
        ((TS, Unknown(254, bytes(9)), Dss(ACK_8, MAP_8)), (TS, Dss(ACK_8, MAP_8))),
        ((TS, Experimental(b"\xf0" + bytes(9)), Dss(ACK_8, MAP_8)), (TS, Dss(ACK_8, MAP_8))),
    ],
)
def test_what_gives_way(wanted: tuple[Option, ...], kept: tuple[Option, ...]) -> None:
    """The least needed first."""
    found = arrange(wanted)
    assert set(found) - {NOP} == set(kept)
    assert compute_length(found) <= 40


@pytest.mark.clause("R7323-3.2-02")
def test_timestamps_stay() -> None:
    """Once agreed they are on every segment, however long the other options are."""
    assert TS in arrange((TS, Sack(BLOCKS), Dss(ACK_8, SUMMED), AddAddr(1, SIX, 1, KEY), Fail(1)))


def is_needed(option: Option) -> bool:
    """Whether leaving the option out is worse than leaving the padding out."""
    return compute_need(option) > SACK and option != NOP


def drawn(flags: int) -> st.SearchStrategy[tuple[Option, ...]]:
    one = st.one_of(strategies.tcp_options, strategies.multipath_options(flags), st.just(NOP))
    return st.lists(one, max_size=7).map(tuple)


@given(st.one_of(drawn(SYN), drawn(SYN | ACK), drawn(ACK)))
def test_whatever_is_wanted_fits(wanted: tuple[Option, ...]) -> None:
    """And nothing comes back that nobody wanted, except NOPs and fewer SACK blocks."""
    found = arrange(wanted)
    assert len(emit_options(found)) == compute_length(found) <= 40
    for option in found:
        if isinstance(option, Sack):
            assert any(
                isinstance(one, Sack) and one.blocks[: len(option.blocks)] == option.blocks for one in wanted
            )
        else:
            assert option == NOP or option in wanted
    if sum(one.compute_size() for one in wanted if one != NOP) <= 40:
        assert sorted(map(repr, filter(is_needed, wanted))) == sorted(map(repr, filter(is_needed, found)))
    assert arrange(found) == found


@given(st.one_of(drawn(SYN), drawn(ACK)))
def test_nothing_gives_way_to_what_is_needed_less(wanted: tuple[Option, ...]) -> None:
    """Whatever is left out is needed no more than anything of its size or longer that stays."""
    found = list(arrange(wanted))
    for option in wanted:
        if option in found or option == NOP or isinstance(option, Sack):
            continue
        for other in found:
            if other != NOP and other.compute_size() >= option.compute_size():
                assert compute_need(option) <= compute_need(other)


@given(strategies.signals)
def test_at_a_glance_is_as_for_any(signal: Dss) -> None:
    """The fast path and the general one agree."""
    assert arrange((TS, signal)) == arrange_any((TS, signal))
    assert arrange((TS,)) == arrange_any((TS,))
    assert arrange((signal,)) == arrange_any((signal,))


def test_needs_are_ordered() -> None:
    """What TCP agreed on is needed most."""
    assert max(compute_need(one) for one in (MSS, SOK, TS, WS)) == TCP
    assert (
        compute_need(Dss(ACK_8, None))
        < compute_need(Prio(True))
        < compute_need(Fail(1))
        < compute_need(Dss(None, MAP_8))
    )
