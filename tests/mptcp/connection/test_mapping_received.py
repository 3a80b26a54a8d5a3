"""Mappings as a receiver sees them: RFC 8684 §3.3.1 and §3.3.4, from subflow order to data order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.connection.info import ConnectionInfo
from mptcp.events import Aborted, Accepted, Readable
from mptcp.keys import compute_idsn
from mptcp.numbers import MASK_32, MASK_64
from mptcp.parameters import REASON_MIDDLEBOX, REASON_MPTCP, SECOND
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.endings import TcpReset
from mptcp.wire.handshake import HMAC_SHA256, CapableAck, CapableSyn, CapableSynAck
from mptcp.wire.segment import ACK, RST, SYN, URG
from mptcp_model.dialogue import DataSignal, Peer, User
from mptcp_model.situations import PEER_OPTIONS, established, listening

# A key whose initial data sequence number is 1,446 before a wrap of its lower half.
WRAPPING_KEY = bytes.fromhex("000000000003d9a2")


def status(user: User) -> ConnectionInfo:
    """STATUS of the connection of this dialogue."""
    return user.host.status(user.connection)


def last_data_ack(peer: Peer) -> int:
    """The data offset of the latest Data ACK, once all that is delayed has left."""
    peer.waits(peer.dialogue.now + SECOND)
    acks = [option.ack for one in peer.skips() for option in one.options if isinstance(option, Dss)]
    assert acks and acks[-1] is not None and acks[-1].wide
    return acks[-1].number - peer.dsn(0) & MASK_64


def map_text(dsn: int, ssn: int, length: int, ack: int = 1) -> DataSignal:
    """A mapping of the peer's, in offsets."""
    return DataSignal(ack=ack, dsn=dsn, ssn=ssn, length=length)


# -- one mapping, many segments ---------------------------------------------------------------


@pytest.mark.clause("R8684-3.3.1-01", "R8684-3.3.1-08", "R8684-3.3-01", "R8684-3.3.2-01", "R8684-3.3.2-02")
def test_one_segment_one_mapping() -> None:
    """The plain case: read in order, acknowledged at both levels."""
    user, peer = established(multipath=True)
    for number in range(5):
        at = 1 + 10 * number
        peer.sends(ACK, text=b"0123456789", options=[map_text(at, at, 10)])
    user.hears(*[Readable] * 5)
    user.reads(b"0123456789" * 5)
    assert last_data_ack(peer) == 51


@pytest.mark.clause("R8684-3.3.1-02", "R8684-3.3.1-32")
@pytest.mark.parametrize("which", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
def test_mapping_longer_than_a_segment(which: tuple[int, ...]) -> None:
    """The mapping may be on any of its segments, or on all: it covers them all the same."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"hi", options=[map_text(1, 1, 2)])
    user.hears(Readable)
    for index in range(3):
        options = [map_text(3, 3, 12)] if index in which else []
        peer.sends(ACK, text=b"abcd", options=options)
    assert user.reads() == b"hi" + b"abcd" * 3
    assert last_data_ack(peer) == 15
    assert status(user).multipath


@pytest.mark.clause("R8684-1.1-01", "R8684-3.3.1-02", "R8684-6-04", "R8684-6-10")
@pytest.mark.parametrize("is_copied", [True, False])
def test_middlebox_splits_segments(is_copied: bool) -> None:
    """A segment cut in two, the option on the first part or on both: nothing is missed."""
    user, peer = established(multipath=True)
    for at in (1, 101, 201):
        option = map_text(at, at, 100)
        peer.sends(ACK, text=b"l" * 37, options=[option])
        peer.sends(ACK, text=b"r" * 63, options=[option] if is_copied else [])
    assert user.reads() == (b"l" * 37 + b"r" * 63) * 3
    assert last_data_ack(peer) == 301


@pytest.mark.clause("R8684-1.1-01", "R8684-6-01", "R8684-6-04", "R8684-3.3.1-17", "R8684-3.3.1-18")
def test_middlebox_joins_segments() -> None:
    """Two segments become one, and the second mapping is lost: its data comes again, under new numbers."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"onetwo", options=[map_text(1, 1, 3)])
    user.hears(Readable)
    user.reads(b"one")
    assert last_data_ack(peer) == 4
    peer.sends(ACK, text=b"three", options=[map_text(7, 7, 5)])
    user.hears_nothing()
    peer.sends(ACK, text=b"two", options=[map_text(4, 12, 3)])
    user.hears(Readable)
    user.reads(b"twothree")
    assert last_data_ack(peer) == 12


@pytest.mark.clause("R8684-3.3.1-17", "R8684-3.3.1-18", "R8684-3.3.1-19", "R8684-3.3.1-16")
def test_mapping_comes_late() -> None:
    """Text without mapping is acknowledged by the subflow alone, and waits."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"ok", options=[map_text(1, 1, 2)])
    user.hears(Readable)
    peer.sends(ACK, text=b"later", options=[])
    user.hears_nothing()
    peer.waits(SECOND)
    peer.expects(ACK, ack=8, options=[DataSignal(ack=3)])
    peer.sends(ACK, text=b"!", options=[map_text(3, 3, 6)])
    user.hears(Readable)
    user.reads(b"oklater!")
    assert last_data_ack(peer) == 9


@pytest.mark.clause("R8684-3.3.1-31", "R8684-A-05")
def test_mapping_comes_early() -> None:
    """A mapping ahead of its text is nothing a sender may send; it does no harm."""
    user, peer = established(multipath=True)
    peer.sends(ACK, options=[map_text(1, 1, 5)])
    user.hears_nothing()
    peer.sends(ACK, text=b"hello", options=[map_text(1, 1, 5)])
    user.hears(Readable)
    user.reads(b"hello")


@pytest.mark.clause("R8684-3.3-01", "R8684-3.3.2-11")
def test_mapping_without_data_ack() -> None:
    """A DSS may have a mapping and no Data ACK."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"hello", options=[DataSignal(dsn=1, ssn=1, length=5)])
    user.hears(Readable)
    user.reads(b"hello")
    assert status(user).multipath


# -- order ------------------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.3.1-01", "R8684-1.4-01", "R8684-3.3.4-06")
def test_subflow_order_is_not_data_order() -> None:
    """What comes first on the subflow may belong later: the data sequence decides."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"world", options=[map_text(7, 1, 5)])
    user.hears_nothing()
    peer.waits(SECOND)
    peer.expects(ACK, ack=6, options=[DataSignal(ack=1)])
    peer.sends(ACK, text=b"hello ", options=[map_text(1, 6, 6)])
    user.hears(Readable)
    user.reads(b"hello world")
    assert last_data_ack(peer) == 12


@pytest.mark.clause("R8684-3.3.1-01", "R8684-3.3.1-16", "R8684-3.3.4-07", "R8684-3.3.2-01")
def test_hole_in_the_subflow() -> None:
    """Segments out of order, their data as well: duplicate ACKs below, no Data ACK above."""
    user, peer = established(multipath=True)
    peer.sends(ACK, seq=6, text=b"world", options=[map_text(6, 6, 5)])
    peer.expects(ACK, ack=1, options=[DataSignal(ack=1)])
    user.hears_nothing()
    peer.sends(ACK, seq=1, text=b"hello", options=[map_text(1, 1, 5)])
    peer.expects(ACK, ack=11, options=[DataSignal(ack=11)])
    user.hears(Readable)
    user.reads(b"helloworld")


@pytest.mark.clause("R8684-3.3.1-01", "R8684-3.3.4-06")
def test_hole_in_the_subflow_of_data_in_order() -> None:
    """Data in order on a subflow that has a hole before it: the subflow's order comes first."""
    user, peer = established(multipath=True)
    peer.sends(ACK, seq=6, text=b"first", options=[map_text(1, 6, 5)])
    peer.expects(ACK, ack=1)
    user.hears_nothing()
    peer.sends(ACK, seq=1, text=b"after", options=[map_text(6, 1, 5)])
    user.hears(Readable)
    user.reads(b"firstafter")


@pytest.mark.clause("R8684-3.3.1-01", "R8684-3.3.1-05", "R8684-3.3.1-07", "R8684-1.4-01")
@given(st.permutations(range(8)), st.permutations(range(8)), st.lists(st.integers(0, 7), max_size=4))
def test_any_order(arrivals: list[int], places: list[int], again: list[int]) -> None:
    """Eight pieces, mapped and sent in any order, some twice: what is read is the data in data order."""
    octets = [bytes([65 + number]) * (number + 1) for number in range(8)]
    user, peer = established(multipath=True)
    dsns, ssns = [0] * 8, [0] * 8
    at = 1
    for number in range(8):
        dsns[number], at = at, at + number + 1
    at = 1
    for number in places:
        ssns[number], at = at, at + number + 1
    for number in [*arrivals, *again]:
        option = map_text(dsns[number], ssns[number], number + 1)
        peer.sends(ACK, seq=ssns[number], text=octets[number], options=[option])
    user.reads(b"".join(octets))
    assert last_data_ack(peer) == 37


# -- copies -----------------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.3.1-05", "R8684-3.3.1-07", "R8684-3.3.6-02")
def test_old_copy_is_thrown_away() -> None:
    """Data that came already comes again under new subflow numbers: acknowledged there, and no more."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"hello", options=[map_text(1, 1, 5)])
    user.hears(Readable)
    user.reads(b"hello")
    peer.sends(ACK, text=b"hello", options=[map_text(1, 6, 5)])
    user.hears_nothing()
    user.reads(b"")
    peer.waits(SECOND)
    last = peer.skips()[-1]
    assert peer.count_own(last.acknowledgment) == 11
    peer.sends(ACK, text=b"lo there", options=[map_text(4, 11, 8)])
    user.hears(Readable)
    user.reads(b" there")


@pytest.mark.clause("R8684-3.3.1-06")
def test_first_copy_wins() -> None:
    """Two copies that differ: what arrived first is what is read, also while it waits out of order."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"FIRST", options=[map_text(3, 1, 5)])
    peer.sends(ACK, text=b"ab-----cd", options=[map_text(1, 6, 9)])
    user.hears(Readable)
    user.reads(b"abFIRSTcd")


@pytest.mark.clause("R8684-3.3.1-03", "R8684-3.3.1-07")
def test_repeated_segment() -> None:
    """The very same segment again: acknowledged at once, nothing new."""
    user, peer = established(multipath=True)
    for _ in range(3):
        peer.sends(ACK, seq=1, text=b"hello", options=[map_text(1, 1, 5)])
    user.hears(Readable)
    user.hears_nothing()
    user.reads(b"hello")
    assert last_data_ack(peer) == 6


@pytest.mark.clause("R8684-3.3.4-03", "R8684-3.8-02")
@pytest.mark.parametrize("away", [70_000, 1 << 31, 1 << 40, -100, -(1 << 40)])
def test_data_outside_the_window(away: int) -> None:
    """Data far ahead or long past is not kept, whatever the subflow says."""
    user, peer = established(multipath=True, receive_buffer=65_535)
    peer.sends(ACK, text=b"hello", options=[map_text(1 + away, 1, 5)])
    user.hears_nothing()
    assert last_data_ack(peer) == 1
    held = user.host.connections[user.connection].control.rcv_held
    assert held.held == 0
    peer.sends(ACK, text=b"hello", options=[map_text(1, 6, 5)])
    user.hears(Readable)
    user.reads(b"hello")


# -- what may not be said ---------------------------------------------------------------------


@pytest.mark.clause("R8684-3.3.1-03", "R8684-3.3.1-04", "R8684-3.1-29")
def test_mapping_said_again() -> None:
    """The same mapping again, before and after its text came: nothing to complain about."""
    user, peer = established(multipath=True)
    for _ in range(3):
        peer.sends(ACK, seq=3, text=b"cde", options=[map_text(1, 1, 5)])
    peer.sends(ACK, seq=1, text=b"ab", options=[map_text(1, 1, 5)])
    peer.sends(ACK, seq=6, text=b"f", options=[map_text(6, 6, 1)])
    user.hears(Readable, Readable)
    user.reads(b"abcdef")
    assert status(user).multipath


@pytest.mark.clause("R8684-3.3.1-04", "R8684-3.3.1-03")
def test_mapping_cut_differently() -> None:
    """Without checksums a mapping may be said in other pieces, as long as each octet keeps its number."""
    user, peer = established(multipath=True)
    peer.sends(ACK, seq=4, text=b"def", options=[map_text(1, 1, 6)])
    peer.sends(ACK, seq=4, text=b"def", options=[map_text(4, 4, 9)])
    peer.sends(ACK, seq=1, text=b"abc", options=[map_text(1, 1, 4)])
    peer.sends(ACK, seq=7, text=b"ghijkl", options=[])
    assert user.reads() == b"abcdefghijkl"


@pytest.mark.clause("R8684-3.3.1-03", "R8684-3.3.1-04", "R8684-3.6-12")
@pytest.mark.parametrize(
    ("dsn", "ssn", "length"),
    [(2, 1, 5), (101, 1, 5), (1, 2, 5), (9, 4, 3), (1, 5, 1), (4, 3, 100)],
)
def test_mapping_contradicted(dsn: int, ssn: int, length: int) -> None:
    """An octet that has a data sequence number is given another one: the subflow ends, reason 1."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"x", seq=5, options=[map_text(1, 1, 5)])
    peer.expects(ACK, ack=1)
    peer.sends(ACK, text=b"hello", seq=1, options=[map_text(dsn, ssn, length)])
    peer.expects(RST | ACK, options=[TcpReset(0, REASON_MPTCP)])
    user.hears(Aborted)
    user.reads(b"")


@pytest.mark.clause("R8684-3.3.1-21", "R8684-3.7-11", "R8684-3.7-12", "R8684-3.3.1-20", "R8684-3.6-17")
def test_mapping_never_comes() -> None:
    """A window full of text that nobody mapped: the subflow is broken, reason 6, nothing was read."""
    user, peer = established(multipath=True, receive_buffer=20_000)
    peer.sends(ACK, text=b"ok", options=[map_text(1, 1, 2)])
    user.hears(Readable)
    user.reads(b"ok")
    for _ in range(20):
        peer.sends(ACK, text=bytes(1_400), options=[])
        if peer.dialogue.events:
            break
    user.hears(Aborted)
    assert user.host.status(user.connection).error == "reset"
    last = peer.skips()[-1]
    assert last.flags & RST
    assert TcpReset(0, REASON_MIDDLEBOX) in last.options
    user.reads(b"")


@pytest.mark.clause("R8684-3.3.1-17", "R8684-3.3.1-18", "R8684-C.2.2-01")
def test_unmapped_text_is_acknowledged_below_only() -> None:
    """As long as there is room, in-window text is acknowledged by the subflow, and not above."""
    user, peer = established(multipath=True, receive_buffer=65_535)
    peer.sends(ACK, text=b"ok", options=[map_text(1, 1, 2)])
    for _ in range(10):
        peer.sends(ACK, text=bytes(1_400), options=[])
    peer.waits(SECOND)
    segments = peer.skips()
    assert peer.count_own(segments[-1].acknowledgment) == 14_003
    acks = [option.ack for one in segments for option in one.options if isinstance(option, Dss)]
    assert all(ack is not None and ack.number == peer.dsn(3) for ack in acks)
    user.hears(Readable)
    user.hears_nothing()


@pytest.mark.clause("R8684-5-06", "R8684-3.3.1-31")
def test_mappings_without_text_are_not_hoarded() -> None:
    """Thousands of mappings for text that never comes take no memory worth mentioning."""
    user, peer = established(multipath=True)
    for number in range(2_000):
        peer.sends(ACK, options=[map_text(3 + 2 * number, 3 + 2 * number, 1)])
    received = user.host.connections[user.connection].control.branches[0].received
    assert len(received) <= 100


# -- widths -----------------------------------------------------------------------------------


def open_wrapping() -> tuple[User, Peer]:
    """The peer's data sequence numbers soon wrap in their lower half."""
    user, peer = listening(multipath=True)
    peer.key = WRAPPING_KEY
    peer.sends(SYN, options=[*PEER_OPTIONS, CapableSyn(1, HMAC_SHA256)])
    peer.expects(SYN | ACK, options=[CapableSynAck])
    peer.sends(ACK, options=[CapableAck(1, HMAC_SHA256, WRAPPING_KEY, peer.host_key)])
    user.hears(Accepted)
    return user, peer


@pytest.mark.clause("R8684-3.3.1-24", "R8684-3.3.1-27", "R8684-3.3.2-03", "R8684-3.3-01")
@pytest.mark.parametrize("ack_is_wide", [True, False])
def test_narrow_numbers(ack_is_wide: bool) -> None:
    """DSN and Data ACK of 32 bits each, the widths mixed as the sender likes."""
    user, peer = established(multipath=True)
    user.writes(b"abc")
    peer.expects(ACK, text=b"abc")
    number = peer.host_dsn(4)
    ack = DataAck(number if ack_is_wide else number & MASK_32, ack_is_wide)
    mapping = Mapping(peer.dsn(1) & MASK_32, False, 1, 5, None, False)
    peer.sends(ACK, text=b"hello", options=[Dss(ack, mapping)])
    user.hears(Readable)
    user.reads(b"hello")
    assert status(user).bytes_acked == 3
    assert last_data_ack(peer) == 6


@pytest.mark.clause("R8684-3.3.1-22", "R8684-3.3.1-28", "R8684-3.3.2-02")
def test_narrow_numbers_wrap() -> None:
    """The lower half wraps in the middle: the upper half goes on by itself."""
    user, peer = open_wrapping()
    assert (compute_idsn(WRAPPING_KEY) & MASK_32) + 1_446 == 1 << 32
    octets = bytes(range(200)) * 15
    for at in range(0, 3_000, 500):
        option = DataSignal(ack=1, dsn=1 + at, ssn=1 + at, length=500, wide=False)
        peer.sends(ACK, text=octets[at : at + 500], options=[option])
    assert user.reads() == octets
    assert last_data_ack(peer) == 3_001


@pytest.mark.clause("R8684-3.3.1-28", "R8684-3.3.1-29")
@pytest.mark.parametrize("order", [(5, 4, 3, 2, 1, 0), (1, 0, 3, 2, 5, 4), (3, 0, 1, 2, 5, 4)])
def test_narrow_numbers_wrap_out_of_order(order: tuple[int, ...]) -> None:
    """Numbers from both sides of the wrap in any order: the nearest reading is the right one."""
    user, peer = open_wrapping()
    octets = bytes(range(200)) * 15
    for ssn, index in enumerate(order):
        at = 500 * index
        option = DataSignal(ack=1, dsn=1 + at, ssn=1 + 500 * ssn, length=500, wide=False)
        peer.sends(ACK, text=octets[at : at + 500], options=[option])
    assert user.reads() == octets
    assert last_data_ack(peer) == 3_001


@pytest.mark.clause("R8684-3.3.1-29", "R8684-3.3.1-07")
def test_old_narrow_number_after_the_wrap() -> None:
    """A copy from before the wrap is old, not 4 GiB ahead; one of 64 bits says so itself."""
    user, peer = open_wrapping()
    octets = bytes(range(200)) * 15
    peer.sends(ACK, text=octets[:1_500], options=[map_text(1, 1, 1_500)])
    for wide in (False, True):
        old = DataSignal(ack=1, dsn=1, ssn=peer.next, length=500, wide=wide)
        peer.sends(ACK, text=octets[:500], options=[old])
    peer.sends(ACK, text=octets[1_500:2_500], options=[map_text(1_501, peer.next, 1_000)])
    assert user.reads() == octets[:2_500]
    assert last_data_ack(peer) == 2_501


@pytest.mark.clause("R8684-3.3.1-08", "R8684-6-08")
def test_subflow_numbers_are_relative() -> None:
    """SSN counts from the SYN, whatever the sequence numbers on the wire, also past their wrap."""
    user, peer = established(multipath=True)  # the peer's wrap 256 octets after the SYN
    octets = bytes(range(250)) * 4
    for at in range(0, 1_000, 250):
        peer.sends(ACK, text=octets[at : at + 250], options=[map_text(1 + at, 1 + at, 250)])
    assert user.reads() == octets


@pytest.mark.clause("R8684-3.3.4-05")
@pytest.mark.parametrize(("dsn", "ssn", "is_ahead"), [(1, 1, False), (11, 6, False), (6, 11, True)])
def test_subflow_ahead_of_its_data(dsn: int, ssn: int, is_ahead: bool) -> None:
    """More is missing on the subflow than at data level: it is looked at, noted, and taken all the same.

    For so it is, too, where the data in between was sent again by another subflow.
    """
    user, peer = established(multipath=True)
    peer.sends(ACK, seq=ssn, text=b"hello", options=[map_text(dsn, ssn, 5)])
    noted = [note for note in peer.dialogue.journal.notes if note.rule == "mapping ahead of its data"]
    assert len(noted) == is_ahead
    assert status(user).state == "M_ESTAB"


# -- urgent data ------------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.3.1-15")
@pytest.mark.parametrize("urgent", [1, 3, 5, 60_000])
def test_urgent_text_has_its_place(urgent: int) -> None:
    """Urgent text is mapped like any other, and read where it stands in the data."""
    user, peer = established(multipath=True)
    peer.sends(ACK | URG, text=b"abcde", options=[map_text(1, 1, 5)], urgent=urgent)
    peer.sends(ACK, text=b"fgh", options=[map_text(6, 6, 3)])
    user.hears(Readable, Readable)
    user.reads(b"abcdefgh")


@pytest.mark.clause("R8684-3.3.1-14")
def test_we_send_nothing_urgent() -> None:
    """No segment of ours has URG, whatever came."""
    user, peer = established(multipath=True)
    peer.sends(ACK | URG, text=b"!", options=[map_text(1, 1, 1)], urgent=1)
    user.writes(bytes(5_000))
    user.closes()
    segments = peer.skips()
    assert segments and not any(one.flags & URG or one.urgent for one in segments)
