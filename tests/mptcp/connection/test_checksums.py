"""DSS checksums in use: RFC 8684 §3.3, §3.3.1; MP_FAIL and the infinite mapping of §3.7, both ways."""

import pytest

from mptcp.choices import REQUIRE
from mptcp.connection.info import ConnectionInfo
from mptcp.events import Aborted, FellBack, Finished, Readable
from mptcp.keys import compute_dss_checksum
from mptcp.parameters import MILLISECOND, REASON_MPTCP, SECOND
from mptcp.values import Text
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.endings import Fail, TcpReset
from mptcp.wire.handshake import CHECKSUM_REQUIRED, HMAC_SHA256, CapableAck, CapableData
from mptcp.wire.segment import ACK, FIN, RST
from mptcp_model.dialogue import DataSignal, Peer, User
from mptcp_model.situations import established

RTT = 50 * MILLISECOND
MULTIPATH = (Dss, Fail, CapableAck, CapableData)


def status(user: User) -> ConnectionInfo:
    """STATUS of the connection of this dialogue."""
    return user.host.status(user.connection)


def with_checksums(length: int = 0) -> tuple[User, Peer]:
    """Checksums are in use, and ``length`` octets have come and been read."""
    user, peer = established(multipath=True, rtt=RTT, checksum=REQUIRE)
    peer.checksum = True
    assert status(user).checksum
    if length:
        peer.sends(ACK, text=bytes(length), options=[map_text(1, 1, length)])
        user.hears(Readable)
        user.reads(bytes(length))
        peer.waits(SECOND)
        peer.skips()
    return user, peer


def map_text(dsn: int, ssn: int, length: int, ack: int = 1) -> DataSignal:
    """A mapping of the peer's, in offsets."""
    return DataSignal(ack=ack, dsn=dsn, ssn=ssn, length=length)


def spoil(peer: Peer, option: DataSignal, text: bytes) -> Dss:
    """The DSS for ``text`` as somebody on the way left it: the text is another one now."""
    dss = peer.spell(option, text)
    assert isinstance(dss, Dss)
    mapping = dss.mapping
    assert mapping is not None and mapping.checksum is not None
    altered = Mapping(
        mapping.dsn, mapping.wide, mapping.ssn, mapping.length, mapping.checksum ^ 0x0101, mapping.fin
    )
    return Dss(dss.ack, altered)


# -- good ones --------------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.3.1-11", "R8684-3.3.1-12", "R8684-3.1-45", "R8684-3.3-08")
@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("text", [b"x", b"even", b"odd", bytes(range(256)) * 5, bytes(1_000)])
def test_good_checksum(text: bytes, wide: bool) -> None:
    """The text is what was sent: it is read; the 64-bit DSN is summed also where 32 are on the wire."""
    user, peer = with_checksums()
    option = DataSignal(ack=1, dsn=1, ssn=1, length=len(text), wide=wide)
    peer.sends(ACK, text=text, options=[option])
    user.hears(Readable)
    user.reads(text)
    peer.expects(ACK, options=[DataSignal(ack=1 + len(text))], by=SECOND)


@pytest.mark.clause("R8684-3.3.1-09", "R8684-3.3.1-11", "R8684-3.3.1-18", "R8684-3.3.1-02")
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
def test_mapping_in_pieces(order: tuple[int, ...]) -> None:
    """Nothing of a mapping is delivered or acknowledged at data level before all of it was summed."""
    text = bytes(range(1, 204)) * 10
    cuts = [text[:701], text[701:1_500], text[1_500:]]
    starts = [1, 702, 1_501]
    user, peer = with_checksums()
    option = peer.spell(map_text(1, 1, len(text)), text)
    for index in order:
        user.hears_nothing()
        peer.sends(ACK, seq=starts[index], text=cuts[index], options=[option])
    user.hears(Readable)
    user.reads(text)
    peer.waits(SECOND)
    acks = [one.ack for heard in peer.skips() for one in heard.options if isinstance(one, Dss)]
    assert {ack.number for ack in acks if ack is not None} <= {peer.dsn(1), peer.dsn(1 + len(text))}


@pytest.mark.clause("R8684-3.3.1-32", "R8684-3.3.1-11", "R8684-1.1-01")
def test_mapping_on_the_first_piece_only() -> None:
    """The checksum came with the first segment; the rest came without option."""
    user, peer = with_checksums()
    option = peer.spell(map_text(1, 1, 6), b"abcdef")
    peer.sends(ACK, text=b"abc", options=[option])
    user.hears_nothing()
    peer.sends(ACK, text=b"def", options=[])
    user.hears(Readable)
    user.reads(b"abcdef")


@pytest.mark.clause("R8684-3.3-10", "R8684-3.3.2-11")
def test_data_ack_alone_needs_no_checksum() -> None:
    """A DSS without mapping has no checksum, agreed or not."""
    user, peer = with_checksums()
    user.writes(b"hello")
    peer.expects(ACK, text=b"hello")
    peer.sends(ACK, options=[Dss(DataAck(peer.host_dsn(6), True), None)])
    assert status(user).bytes_acked == 5
    assert status(user).multipath


def find_zero(peer: Peer, at: int) -> bytes:
    """Two octets whose mapping at offset ``at`` has the checksum zero."""
    for number in range(65_536):
        text = number.to_bytes(2, "big")
        if compute_dss_checksum(peer.dsn(at), at, 2, (Text(text, 0, 2),)) % 0xFFFF == 0:
            return text
    raise AssertionError("there is none")


@pytest.mark.clause("R8684-3.3.1-11")
def test_zero_has_two_forms() -> None:
    """In ones' complement 0000 and ffff are both zero: a mapping that sums to it is good with either."""
    user, peer = with_checksums()
    at = 1
    for wanted in (0x0000, 0xFFFF):
        text = find_zero(peer, at)
        option = Dss(None, Mapping(peer.dsn(at), True, at, 2, wanted, False))
        peer.sends(ACK, text=text, options=[option])
        user.hears(Readable)
        user.reads(text)
        at += 2


# -- against the agreement --------------------------------------------------------------------


@pytest.mark.clause("R8684-3.3-10", "R8684-3.3-11", "R8684-3.6-12")
@pytest.mark.parametrize("length", [0, 10])
def test_checksum_is_missing(length: int) -> None:
    """Agreed, and not there: the subflow is reset, reason 1, and nothing is delivered."""
    user, peer = with_checksums(length)
    peer.checksum = False
    at = 1 + length
    peer.sends(ACK, text=b"hello", options=[map_text(at, at, 5)])
    peer.expects(RST | ACK, options=[TcpReset(0, REASON_MPTCP)])
    event = user.hears(Aborted)
    assert isinstance(event, Aborted) and event.error == "reset"
    user.reads(b"")


@pytest.mark.clause("R8684-3.3-09", "R8684-3.3-11", "R8684-3.3-08")
@pytest.mark.parametrize("is_first", [True, False])
def test_checksum_was_not_agreed(is_first: bool) -> None:
    """Not agreed, and there: the same."""
    user, peer = established(multipath=True)
    at = 1
    if not is_first:
        peer.sends(ACK, text=b"ok", options=[map_text(1, 1, 2)])
        user.hears(Readable)
        user.reads(b"ok")
        at = 3
    peer.checksum = True
    peer.sends(ACK, text=b"hello", options=[map_text(at, at, 5)])
    peer.expects(RST | ACK, options=[TcpReset(0, REASON_MPTCP)])
    user.hears(Aborted)
    user.reads(b"")


@pytest.mark.clause("R8684-3.3-10", "R8684-3.3.3-05", "R8684-3.3-11")
def test_data_fin_without_checksum() -> None:
    """A DATA_FIN is a mapping like any other."""
    user, peer = with_checksums()
    peer.checksum = False
    peer.sends(ACK, options=[DataSignal(ack=1, dsn=1, ssn=0, length=1, fin=True)])
    peer.expects(RST | ACK, options=[TcpReset(0, REASON_MPTCP)])
    user.hears(Aborted)


@pytest.mark.clause("R8684-3.3.1-04", "R8684-3.3.1-09")
def test_mapping_cut_differently() -> None:
    """With checksums a mapping is one whole: other cuts of it are another mapping."""
    user, peer = with_checksums()
    peer.sends(ACK, text=b"abc", options=[peer.spell(map_text(1, 1, 6), b"abcdef")])
    peer.sends(ACK, text=b"def", options=[peer.spell(map_text(4, 4, 3), b"def")])
    peer.expects(RST | ACK, options=[TcpReset(0, REASON_MPTCP)])
    user.hears(Aborted)


@pytest.mark.clause("R8684-3.7-31", "R8684-3.7-21")
@pytest.mark.parametrize("text", [b"10.0.0.1:21", bytes(12), bytes([255]) * 12])
def test_box_that_mends_the_checksum(text: bytes) -> None:
    """Who alters text and the checksum with it (RFC 1624) is part of the path: MPTCP goes on."""
    user, peer = with_checksums()
    dss = peer.spell(map_text(1, 1, len(text)), text)
    assert isinstance(dss, Dss) and dss.mapping is not None and dss.mapping.checksum is not None
    one = dss.mapping
    new = b"\xc0\xa8" + text[2:]
    mended = 0xFFFF - one.checksum + 0xFFFF - int.from_bytes(text[:2], "big") + 0xC0A8
    while mended > 0xFFFF:
        mended = (mended >> 16) + (mended & 0xFFFF)
    mapping = Mapping(one.dsn, one.wide, one.ssn, one.length, 0xFFFF - mended, False)
    peer.sends(ACK, text=new, options=[Dss(dss.ack, mapping)])
    user.hears(Readable)
    user.reads(new)
    assert status(user).multipath


@pytest.mark.clause("R8684-3.7-14")
def test_altered_and_no_checksums() -> None:
    """Nobody looks, so nobody sees: the text is taken as it came."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"spoilt", options=[map_text(1, 1, 6)])
    user.hears(Readable)
    user.reads(b"spoilt")
    peer.skips()
    assert status(user).multipath


# -- a bad one comes --------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.7-13", "R8684-3.7-16", "R8684-3.7-18", "R8684-3.7-19", "R8684-3.3.1-09")
@pytest.mark.clause("R8684-6-09")
@pytest.mark.parametrize("length", [1, 10])
def test_bad_checksum(length: int) -> None:
    """On the only subflow: MP_FAIL names the start of the mapping; no Data ACK, nothing delivered yet."""
    user, peer = with_checksums(length)
    at = 1 + length
    peer.sends(ACK, text=b"spoilt", options=[spoil(peer, map_text(at, at, 6), b"spoilt")])
    one = peer.expects(ACK, ack=at + 6, options=[Fail(peer.dsn(at))])
    acks = [option.ack for option in one.options if isinstance(option, Dss)]
    assert all(ack is None or ack.number == peer.dsn(at) for ack in acks)
    user.hears_nothing()
    user.reads(b"")


@pytest.mark.clause("R8684-3.7-13", "R8684-3.7-18")
def test_nothing_behind_a_bad_checksum_is_trusted() -> None:
    """All data from the start of that mapping on waits, however good its own checksum is."""
    user, peer = with_checksums(10)
    peer.sends(ACK, text=b"spoilt", options=[spoil(peer, map_text(11, 11, 6), b"spoilt")])
    peer.sends(ACK, text=b"good", options=[map_text(17, 17, 4)])
    user.hears_nothing()
    peer.waits(peer.dialogue.now + SECOND)
    acks = [one.ack for heard in peer.skips() for one in heard.options if isinstance(one, Dss)]
    assert all(ack is not None and ack.number == peer.dsn(11) for ack in acks)


@pytest.mark.clause(
    "R8684-3.7-19", "R8684-3.7-20", "R8684-3.7-21", "R8684-3.7-22", "R8684-3.7-28", "R8684-3.7-30"
)
def test_infinite_mapping_answers_our_fail() -> None:
    """The peer agrees: MP_FAIL back, then an infinite mapping; from there on it is plain TCP, both ways."""
    user, peer = with_checksums(10)
    peer.sends(ACK, text=b"spoilt", options=[spoil(peer, map_text(11, 11, 6), b"spoilt")])
    peer.expects(ACK, options=[Fail(peer.dsn(11))])
    peer.sends(ACK, options=[Fail(peer.host_dsn(1)), DataSignal(ack=1)])
    infinite = Dss(DataAck(peer.host_dsn(1), True), Mapping(peer.dsn(11), True, 11, 0, 0, False))
    peer.sends(ACK, text=b"more", options=[infinite])
    user.hears(FellBack, Readable)
    user.reads(b"spoiltmore")
    peer.waits(peer.dialogue.now + SECOND)
    peer.skips()
    peer.sends(ACK, text=b"and more", options=[])
    user.hears(Readable)
    user.reads(b"and more")
    peer.expects(ACK, without=MULTIPATH, by=peer.dialogue.now + SECOND)
    assert not status(user).multipath


@pytest.mark.clause("R8684-3.7-19", "R8684-3.7-17")
def test_fail_is_repeated_until_answered() -> None:
    """MP_FAIL may be lost: it is on our acknowledgments until the peer reacts."""
    user, peer = with_checksums(10)
    peer.sends(ACK, text=b"spoilt", options=[spoil(peer, map_text(11, 11, 6), b"spoilt")])
    peer.expects(ACK, options=[Fail(peer.dsn(11))])
    peer.sends(ACK, seq=11, text=b"spoilt!", options=[])
    peer.waits(peer.dialogue.now + SECOND)
    last = peer.skips()[-1]
    assert Fail(peer.dsn(11)) in last.options
    user.hears_nothing()


@pytest.mark.clause("R8684-3.7-23", "R8684-3.7-15", "R8684-3.7-24")
def test_bad_checksum_out_of_line() -> None:
    """Data before it is missing, so that what is in flight is not in one line: RST with MP_FAIL."""
    user, peer = with_checksums(10)
    peer.sends(ACK, text=b"spoilt", options=[spoil(peer, map_text(50, 11, 6), b"spoilt")])
    one = peer.expects(RST | ACK, options=[Fail(peer.dsn(50))])
    assert any(isinstance(option, TcpReset) for option in one.options)
    user.hears(Aborted)


@pytest.mark.clause("R8684-3.3.3-05", "R8684-3.7-13")
def test_data_fin_with_a_bad_checksum() -> None:
    """A DATA_FIN whose checksum is wrong ends nothing."""
    user, peer = with_checksums(10)
    option = DataSignal(ack=1, dsn=11, ssn=0, length=1, fin=True)
    peer.sends(ACK, options=[spoil(peer, option, b"")])
    user.hears_nothing()
    assert status(user).state == "M_ESTAB"
    peer.skips()
    peer.sends(ACK, options=[option])
    user.hears(Finished)


# -- the peer complains -----------------------------------------------------------------------


def written(length: int = 10) -> tuple[User, Peer]:
    """``length`` octets arrived at the peer, and five more are out."""
    user, peer = with_checksums()
    user.writes(bytes(length))
    peer.skips()
    peer.sends(ACK, options=[DataSignal(ack=1 + length)])
    user.writes(b"hello")
    peer.expects(ACK, text=b"hello")
    return user, peer


@pytest.mark.clause(
    "R8684-3.7-20", "R8684-3.7-22", "R8684-3.7-27", "R8684-3.7-30", "R8684-3.3.1-33", "R8684-3.7-10"
)
def test_fail_arrives() -> None:
    """MP_FAIL back, once, and an infinite mapping on our next new text; then no MPTCP option ever."""
    user, peer = written()
    peer.sends(ACK, options=[DataSignal(ack=11), Fail(peer.host_dsn(11))])
    answer = peer.expects(ACK, text=b"")
    assert any(isinstance(option, Fail) for option in answer.options)
    user.hears(FellBack)
    user.writes(b"world")
    one = peer.expects(ACK, text=b"world", without=[Fail])
    (dss,) = [option for option in one.options if isinstance(option, Dss)]
    mapping = dss.mapping
    assert mapping is not None
    assert (mapping.length, mapping.checksum, mapping.fin) == (0, 0, False)
    # it refers back: subflow and data number of one and the same octet, of the last known to be good
    assert mapping.dsn - peer.host_dsn(0) == mapping.ssn
    assert mapping.ssn <= 16
    peer.sends(ACK, options=[])
    assert status(user).bytes_acked == 20
    user.writes(b"!")
    peer.expects(ACK, text=b"!", without=MULTIPATH)
    peer.sends(ACK, text=b"plain", options=[])
    user.hears(Readable)
    user.reads(b"plain")
    user.closes()
    peer.expects(FIN | ACK, without=MULTIPATH)


@pytest.mark.clause("R8684-3.7-22")
def test_fail_is_answered_once() -> None:
    """No ping-pong: a second MP_FAIL, or the answer to ours, draws none."""
    user, peer = written()
    for _ in range(3):
        peer.sends(ACK, options=[DataSignal(ack=11), Fail(peer.host_dsn(11))])
    fails = [one for heard in peer.skips() for one in heard.options if isinstance(one, Fail)]
    assert len(fails) == 1
    user.hears(FellBack)
    user.hears_nothing()


@pytest.mark.clause("R8684-3.7-20", "R8684-3.7-27")
def test_infinite_mapping_is_lost() -> None:
    """The segment that has it is sent again, and has it again."""
    user, peer = written()
    peer.sends(ACK, options=[DataSignal(ack=11), Fail(peer.host_dsn(11))])
    peer.skips()
    user.writes(b"world")
    first = peer.expects(ACK, text=b"world", options=[Dss])
    peer.acked = 16
    again = peer.expects(ACK, seq=16, text=b"world", by=10 * SECOND)
    signals = [[option for option in one.options if isinstance(option, Dss)] for one in (first, again)]
    assert len(signals[0]) == 1 and signals[1] == signals[0]
    user.hears(FellBack)


@pytest.mark.clause("R8684-3.7-22", "R8684-3.7-14")
def test_fail_without_checksums() -> None:
    """A peer that has other reasons to complain is believed as well."""
    user, peer = established(multipath=True)
    user.writes(b"hello")
    peer.expects(ACK, text=b"hello")
    peer.sends(ACK, options=[DataSignal(ack=6), Fail(peer.host_dsn(6))])
    user.hears(FellBack)
    peer.expects(ACK, options=[Fail])
    user.writes(b"world")
    one = peer.expects(ACK, text=b"world")
    (dss,) = [option for option in one.options if isinstance(option, Dss)]
    assert dss.mapping is not None and dss.mapping.length == 0 and dss.mapping.checksum is None


@pytest.mark.clause("R8684-3.1-46", "R8684-3.1-25")
def test_flags_stay() -> None:
    """The peer's key and flags on its data say A as well: the agreement is one for the connection."""
    user, peer = established(multipath=True, checksum=REQUIRE)
    flags = HMAC_SHA256 | CHECKSUM_REQUIRED
    option = DataSignal(ack=1, dsn=1, ssn=1, length=5)
    dss = peer.spell(option, b"hello")
    assert isinstance(dss, Dss) and dss.mapping is not None
    capable = CapableData(1, flags, peer.key, peer.host_key, 5, dss.mapping.checksum)
    peer.sends(ACK, text=b"hello", options=[capable])
    user.hears(Readable)
    user.reads(b"hello")
