"""Mappings as we send them: RFC 8684 §3.3.1; what is on each segment, and that it never changes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mptcp.choices import ACCEPT, REQUIRE
from mptcp.keys import compute_dss_checksum
from mptcp.numbers import MASK_64
from mptcp.parameters import LARGEST_MAPPING, LONGEST_TEXT, MILLISECOND, SECOND
from mptcp.values import Text
from mptcp.wire.dss import Dss, Mapping
from mptcp.wire.options import MaximumSegmentSize, Option, Timestamps, WindowScale
from mptcp.wire.segment import ACK, Segment
from mptcp_model.dialogue import DataSignal, Peer, read_text
from mptcp_model.situations import established, m_close_wait

RTT = 50 * MILLISECOND
SCALED: tuple[Option, ...] = (MaximumSegmentSize(1460), WindowScale(7))
STAMPED: tuple[Option, ...] = (*SCALED, Timestamps(1, 0))


def get_dss(one: Segment) -> Dss:
    """The only DSS of a segment."""
    (dss,) = [option for option in one.options if isinstance(option, Dss)]
    return dss


def get_mapping(one: Segment) -> Mapping:
    """Its mapping."""
    mapping = get_dss(one).mapping
    assert mapping is not None
    return mapping


class Ledger:
    """Every data sequence number that was ever given to a subflow octet, and the octets themselves."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.places: dict[int, int] = {}  # subflow offset: data offset
        self.octets: dict[int, int] = {}  # data offset: octet
        self.lengths: set[int] = set()

    def enter(self, one: Segment) -> None:
        """A segment of the host left: nothing in it may contradict what is written here."""
        mapping, text = get_mapping(one), read_text(one)
        dsn = mapping.dsn - self.peer.host_dsn(0) & MASK_64
        start = self.peer.count(one.sequence)
        assert mapping.wide and not mapping.fin
        # [R8684-3.3.1-31] some of the mapping's octets are in this very segment; ours cover it all
        assert mapping.ssn <= start and start + len(text) <= mapping.ssn + mapping.length
        self.lengths.add(mapping.length)
        for step in range(mapping.length):
            assert self.places.setdefault(mapping.ssn + step, dsn + step) == dsn + step
        for step, octet in enumerate(text):
            data = self.places[start + step]
            assert self.octets.setdefault(data, octet) == octet


@pytest.mark.clause("R8684-3.3.1-02", "R8684-3.3.1-31", "R8684-3.7-04", "R8684-3.3-02", "R8684-C.1.2-02")
def test_each_segment_has_its_mapping() -> None:
    """Until the first Data ACK, and after it: a mapping that covers the segment, repeated on each."""
    octets = bytes(range(256)) * 100
    user, peer = established(multipath=True, options=SCALED)
    ledger = Ledger(peer)
    user.writes(octets)
    while segments := peer.skips():
        for one in segments:
            ledger.enter(one)
        peer.sends(ACK, options=[DataSignal(ack=peer.acked)], window=1_000)
    assert bytes(ledger.octets[at] for at in range(1, 25_601)) == octets
    assert max(ledger.lengths) > 1_460  # mappings are longer than a segment


@pytest.mark.clause("R8684-3.3.1-08", "R8684-3.3.1-25", "R8684-3.3.1-26", "R8684-3.3.1-30")
def test_numbers() -> None:
    """DSNs of 64 bits from IDSN + 1 on, SSNs from 1 on."""
    user, peer = established(multipath=True)
    for number in range(5):
        user.writes(b"abcde")
        one = peer.expects(ACK, text=b"abcde")
        assert get_mapping(one) == Mapping(
            peer.host_dsn(1 + 5 * number), True, 1 + 5 * number, 5, None, False
        )
        peer.sends(ACK, options=[DataSignal(ack=6 + 5 * number)])


@pytest.mark.clause("R8684-3.3.2-01", "R8684-3.3.2-02", "R8684-3.3.2-09", "R8684-C.1.3-01", "R8684-3.3-01")
def test_data_ack_is_on_every_segment() -> None:
    """Text or not: the Data ACK is there, of 64 bits, and says what is expected next."""
    user, peer = established(multipath=True)
    for number in range(1, 4):
        at = 1 + 3 * (number - 1)
        peer.sends(ACK, text=b"in.", options=[DataSignal(ack=at, dsn=at, ssn=at, length=3)])
        user.writes(b"out")
        ack = get_dss(peer.expects(ACK, text=b"out")).ack
        assert ack is not None and ack.wide and ack.number == peer.dsn(1 + 3 * number)


@pytest.mark.clause("R8684-3.3-04", "R8684-A-01", "R8684-A-04", "R8684-3.3-02")
@pytest.mark.parametrize("checksum", [ACCEPT, REQUIRE])
@pytest.mark.parametrize("options", [SCALED, STAMPED])
def test_all_options_fit(options: tuple[Option, ...], checksum: int) -> None:
    """With timestamps and checksum both, the segment is still no longer than the peer's MSS allows."""
    user, peer = established(multipath=True, options=options, checksum=checksum)
    user.writes(bytes(5_000))
    for one in peer.skips():
        mapping = get_mapping(one)
        assert (mapping.checksum is not None) == (checksum == REQUIRE)
        area = sum(len(option.emit()) for option in one.options)
        assert area <= 40
        assert area + one.text_length <= 1_460


@pytest.mark.clause("R8684-3.3.1-02")
def test_largest_mapping() -> None:
    """A mapping has at most 65,535 octets: the length has 16 bits."""
    user, peer = established(multipath=True, options=SCALED, window=4_000)
    ledger = Ledger(peer)
    user.writes(bytes(150_000))
    for _ in range(80):
        for one in peer.skips():
            ledger.enter(one)
        peer.sends(ACK, options=[DataSignal(ack=peer.acked)], window=4_000)
    assert len(ledger.octets) == 150_000
    assert 20_000 < max(ledger.lengths) <= LARGEST_MAPPING


@pytest.mark.clause("R8684-3.3.1-02", "R9293-3.9.1.2-04")
@pytest.mark.parametrize("offload", [0, 20_000, LONGEST_TEXT])
@pytest.mark.parametrize("mss", [1_460, 1_459, 536])
def test_no_crumbs(offload: int, mss: int) -> None:
    """A mapping is of whole segments, as many as the device cuts at a time: only the very last is short."""
    options: tuple[Option, ...] = (MaximumSegmentSize(mss), WindowScale(7))
    user, peer = established(multipath=True, options=options, window=8_000, offload=offload)
    size, lengths, shorter = mss - 28, [], set()
    user.writes(bytes(400_000))
    for _ in range(80):
        for one in peer.skips():
            lengths.append(one.text_length)
            if get_mapping(one).length % size:
                shorter.add(get_mapping(one).dsn)
        peer.sends(ACK, options=[DataSignal(ack=peer.acked)], window=8_000)
    assert sum(lengths) == 400_000
    assert all(length % size == 0 for length in lengths[:-1])
    assert len(shorter) == 1 and size <= max(lengths) <= max(offload, size)
    assert not offload or max(lengths) > 12 * size


@pytest.mark.clause("R8684-3.3.1-03", "R8684-3.3.1-04", "R8684-6-07")
def test_mapping_on_retransmission() -> None:
    """Sent again after a timeout, in whatever pieces: the same octets have the same mapping."""
    user, peer = established(multipath=True, options=SCALED, rtt=RTT)
    ledger = Ledger(peer)
    user.writes(bytes(range(200)) * 50)
    for one in peer.skips():
        ledger.enter(one)
    peer.acked = 1
    for _ in range(4):
        ledger.enter(peer.expects(ACK, by=peer.dialogue.now + 10 * SECOND))
        peer.acked = 1
    assert len(ledger.octets) == 10_000


@pytest.mark.clause("R8684-3.3.1-03", "R8684-3.3.1-04", "R8684-3.3.1-31", "R8684-6-07", "R8684-2.4-01")
@settings(max_examples=30)
@given(
    st.lists(st.integers(1, 20_000), min_size=1, max_size=5),
    st.lists(st.tuples(st.sampled_from("aadwx"), st.integers(0, 4_000)), max_size=30),
    st.booleans(),
)
def test_no_mapping_ever_changes(writes: list[int], story: list[tuple[str, int]], nagle: bool) -> None:
    """Whatever is lost, repeated, waited for: each subflow octet has one data number and one value."""
    user, peer = established(multipath=True, options=SCALED, rtt=RTT, nagle=nagle)
    ledger = Ledger(peer)
    total = 0
    for length in writes:
        user.writes(bytes([(total + at) % 251 for at in range(length)]))
        total += length
        for what, number in story:
            listen(peer, ledger)
            top = peer.acked
            if what == "a":  # all that came is acknowledged
                peer.sends(ACK, options=[DataSignal(ack=top)], window=number)
            elif what == "d":  # a duplicate: something before it was lost
                peer.acked = 1
                peer.sends(ACK, ack=max(1, top - number), options=[DataSignal(ack=1)], window=500)
            elif what == "w":
                peer.waits(peer.dialogue.now + number * MILLISECOND)
            else:  # subflow only
                peer.sends(ACK, options=[DataSignal(ack=1)], window=number)
    listen(peer, ledger)
    for data, octet in ledger.octets.items():
        assert octet == compute_octet(writes, data - 1)


def listen(peer: Peer, ledger: Ledger) -> None:
    """Enter all that came, and acknowledge it later."""
    for heard in list(peer.inbox):
        if heard.segment.text_length:
            ledger.enter(heard.segment)
    peer.skips()


def compute_octet(writes: list[int], offset: int) -> int:
    """What was written at ``offset``."""
    return offset % 251


@pytest.mark.clause("R8684-3.3.1-09", "R8684-3.3.1-11", "R8684-3.3.1-12", "R8684-3.3.1-13")
def test_checksum_covers_the_whole_mapping() -> None:
    """On each segment of a mapping, the checksum of all of it, with the 64-bit DSN."""
    octets = bytes(range(253)) * 60
    user, peer = established(multipath=True, options=SCALED, checksum=REQUIRE)
    user.writes(octets)
    mappings: set[Mapping] = set()
    while segments := peer.skips():
        mappings |= {get_mapping(one) for one in segments}
        peer.sends(ACK, options=[DataSignal(ack=peer.acked)], window=1_000)
    assert mappings
    for mapping in mappings:
        start = mapping.dsn - peer.host_dsn(1) & MASK_64
        text = (Text(octets, start, start + mapping.length),)
        expected = compute_dss_checksum(mapping.dsn, mapping.ssn, mapping.length, text)
        assert mapping.checksum == expected


@pytest.mark.clause("R8684-3.7-05", "R8684-3.3.2-11")
def test_dss_goes_on() -> None:
    """After the first Data ACK segments might go without; ours have the mapping all the same."""
    user, peer = established(multipath=True)
    for number in range(3):
        user.writes(b"hello")
        get_mapping(peer.expects(ACK, text=b"hello"))
        peer.sends(ACK, options=[DataSignal(ack=6 + 5 * number)])


@pytest.mark.clause("R8684-3.3.3-02", "R8684-3.3.1-02")
def test_text_after_the_peers_data_fin() -> None:
    """Half-closed by the peer: our mappings go on as before, with the Data ACK of its DATA_FIN."""
    user, peer = m_close_wait()
    user.writes(b"more")
    peer.expects(ACK, text=b"more", options=[DataSignal(ack=2, dsn=1, ssn=1, length=4, fin=False)])


@pytest.mark.clause("R9293-3.9.1.2-02", "R8684-1.1-02")
def test_small_writes_share_segments() -> None:
    """Written in small pieces while something is in flight: sent in large ones (Nagle)."""
    user, peer = established(multipath=True)
    user.writes(b"0")
    peer.expects(ACK, text=b"0")
    for number in range(1, 10):
        user.writes(bytes([48 + number]))
    peer.expects_nothing()
    peer.sends(ACK, options=[DataSignal(ack=2)])
    one = peer.expects(ACK, text=b"123456789")
    assert get_mapping(one).length == 9
