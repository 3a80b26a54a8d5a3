"""MP_CAPABLE as the listener sees it: RFC 8684 §3.1, from the SYN to the first data."""

import hashlib

import pytest

from mptcp.connection.info import ConnectionInfo
from mptcp.events import Accepted, FellBack, Readable
from mptcp.numbers import MASK_64
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.dss import Dss
from mptcp.wire.handshake import (
    CHECKSUM_REQUIRED,
    HMAC_SHA256,
    CapableAck,
    CapableData,
    CapableSyn,
    CapableSynAck,
    CapableSynV0,
)
from mptcp.wire.options import Option, Unknown
from mptcp.wire.segment import ACK, FIN, SYN
from mptcp_model.dialogue import PEER_KEY, DataSignal, Peer, User
from mptcp_model.situations import PEER_OPTIONS, established, listening, syn_received

MULTIPATH = (CapableSyn, CapableSynAck, CapableAck, CapableData, Dss)
OTHER_KEY = b"OTHERKEY"
CAPABLE = CapableSyn(1, HMAC_SHA256)


def status(user: User) -> ConnectionInfo:
    """STATUS of the connection of this dialogue."""
    return user.host.status(user.connection)


def talks_plain(user: User, peer: Peer) -> None:
    """Nothing of MPTCP is on the wire any more, and text passes both ways."""
    peer.skips()
    peer.sends(ACK, text=b"question", options=[])
    user.hears(Readable)
    user.reads(b"question")
    peer.expects(ACK, ack=peer.next, without=MULTIPATH, by=peer.dialogue.now + SECOND)
    user.writes(b"answer")
    peer.expects(ACK, text=b"answer", without=MULTIPATH)
    peer.sends(ACK)
    user.closes()
    peer.expects(FIN | ACK, without=MULTIPATH)


# -- the three packets ------------------------------------------------------------------------


@pytest.mark.clause("R8684-2.1-01", "R8684-3.1-01", "R8684-3.1-08", "R8684-3.1-11", "R8684-3.1-50")
def test_three_packets() -> None:
    """SYN with flags, SYN/ACK with the listener's key, ACK with both keys: then MPTCP is spoken."""
    user, peer = listening(multipath=True)
    peer.sends(SYN, options=[CAPABLE])
    one = peer.expects(SYN | ACK, options=[CapableSynAck(1, HMAC_SHA256, peer.host_key)])
    assert len([option for option in one.options if isinstance(option, MULTIPATH)]) == 1
    user.hears_nothing()
    peer.sends(ACK, options=[CapableAck(1, HMAC_SHA256, PEER_KEY, peer.host_key)])
    user.hears(Accepted)
    user.hears_nothing()
    peer.expects_nothing()
    assert status(user).multipath
    assert not status(user).checksum


@pytest.mark.clause("R8684-3.1-41", "R8684-3.1-43", "R8684-3.1-44", "R8684-3.1-14", "R8684-C.1.1-01")
def test_tokens() -> None:
    """Tokens are the first 32 bits of SHA-256 over the eight octets of each key."""
    user, peer = established(multipath=True)
    info = status(user)
    assert info.local_token.to_bytes(4, "big") == hashlib.sha256(peer.host_key).digest()[:4]
    assert info.remote_token.to_bytes(4, "big") == hashlib.sha256(PEER_KEY).digest()[:4]


@pytest.mark.clause("R8684-3.1-42", "R8684-3.1-60", "R8684-3.1-62", "R8684-3.3.1-30")
def test_initial_data_sequence_numbers() -> None:
    """The first octet of data has the last 64 bits of SHA-256 over the key, plus one; both ways."""
    user, peer = established(multipath=True)
    user.writes(b"x")
    one = peer.expects(ACK, text=b"x")
    dss = next(option for option in one.options if isinstance(option, Dss))
    own = int.from_bytes(hashlib.sha256(peer.host_key).digest()[24:], "big")
    theirs = int.from_bytes(hashlib.sha256(PEER_KEY).digest()[24:], "big")
    assert dss.mapping is not None and dss.ack is not None
    assert dss.mapping.dsn == own + 1 & MASK_64
    assert dss.ack.number == theirs + 1 & MASK_64


@pytest.mark.clause("R8684-3.1-12", "R8684-3.1-13")
def test_keys_differ() -> None:
    """Each connection has a key of its own, and so has another host's first."""
    user, peer = syn_received(multipath=True)
    keys = {peer.host_key}
    for port in range(50_000, 50_020):
        other = peer.dialogue.meets(port=port)
        other.sends(SYN, options=[CAPABLE])
        other.expects(SYN | ACK)
        keys.add(other.host_key)
    assert len(keys) == 21


@pytest.mark.clause("R8684-3.1-54")
def test_plain_syn() -> None:
    """A SYN without MP_CAPABLE gets a SYN/ACK without."""
    user, peer = listening(multipath=True)
    peer.sends(SYN)
    peer.expects(SYN | ACK, without=MULTIPATH)
    peer.sends(ACK)
    user.hears(Accepted, FellBack)
    assert not status(user).multipath
    talks_plain(user, peer)


def test_mptcp_switched_off() -> None:
    """Choices.multipath off: MP_CAPABLE is an option like any other that nobody knows."""
    user, peer = listening(multipath=False)
    peer.sends(SYN, options=[CAPABLE])
    peer.expects(SYN | ACK, without=MULTIPATH)
    peer.sends(ACK)
    user.hears(Accepted)
    user.hears_nothing()
    talks_plain(user, peer)


# -- data on the third packet -----------------------------------------------------------------


@pytest.mark.clause("R8684-3.1-23", "R8684-3.1-26", "R8684-3.1-27", "R8684-3.1-55")
def test_data_at_once() -> None:
    """The third packet may bring the first data: its mapping starts at IDSN + 1 and SSN 1."""
    user, peer = syn_received(multipath=True)
    peer.sends(ACK, text=b"hello", options=[peer.capable_data(5)])
    user.hears(Accepted, Readable)
    user.reads(b"hello")
    peer.expects(ACK, ack=6, options=[DataSignal(ack=6)], by=SECOND)
    assert status(user).multipath


@pytest.mark.clause("R8684-3.1-24", "R8684-3.1-25", "R8684-3.1-28", "R8684-3.1-29", "R8684-3.3.2-02")
def test_data_later() -> None:
    """As Linux: both keys on an ACK of its own, then again with the length on the first data."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"hello", options=[peer.capable_data(5)])
    user.hears(Readable)
    user.reads(b"hello")
    one = peer.expects(ACK, ack=6, options=[DataSignal(ack=6)], by=SECOND)
    assert all(option.ack.wide for option in one.options if isinstance(option, Dss) and option.ack)
    peer.sends(ACK, text=b"again", options=[DataSignal(ack=1, dsn=6, ssn=6, length=5)])
    user.hears(Readable)
    user.reads(b"again")


@pytest.mark.clause("R8684-3.1-29", "R8684-3.3.1-02")
@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (2, 1, 0), (1, 0, 0, 2)])
def test_first_write_in_many_segments(at_once: bool, order: tuple[int, ...]) -> None:
    """MP_CAPABLE with the length of the whole write is on each of its segments: one mapping, not three."""
    user, peer = syn_received(multipath=True)
    pieces = [b"a" * 1_400, b"b" * 1_400, b"c" * 700]
    if not at_once:
        peer.sends(ACK, options=[peer.capable_ack()])
    for index in order:
        peer.sends(ACK, seq=1 + 1_400 * index, text=pieces[index], options=[peer.capable_data(3_500)])
    user.hears(Accepted, Readable)
    assert user.reads() == b"".join(pieces)
    peer.waits(SECOND)
    last = [option for one in peer.skips() for option in one.options if isinstance(option, Dss)][-1]
    assert last.ack is not None and last.ack.number == peer.dsn(3_501)


@pytest.mark.clause("R8684-3.1-29", "R8684-3.3.1-32")
def test_option_on_the_first_segment_only() -> None:
    """A segment that an earlier MP_CAPABLE covers needs no option."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"abc", options=[peer.capable_data(6)])
    peer.sends(ACK, text=b"def", options=[])
    user.hears(Readable, Readable)
    user.reads(b"abcdef")
    assert status(user).multipath


@pytest.mark.clause("R8684-3.1-29")
def test_first_data_repeated() -> None:
    """MP_CAPABLE and its data come again: nothing new, and acknowledged at both levels."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"hello", options=[peer.capable_data(5)])
    user.hears(Readable)
    peer.waits(SECOND)
    peer.skips()
    peer.sends(ACK, seq=1, text=b"hello", options=[peer.capable_data(5)])
    peer.expects(ACK, ack=6, options=[DataSignal(ack=6)])
    peer.sends(ACK, options=[peer.capable_ack()])
    user.hears_nothing()
    user.reads(b"hello")
    assert status(user).multipath


@pytest.mark.clause("R8684-3.1-28")
def test_both_start_at_once() -> None:
    """Data with MP_CAPABLE may come when we have sent data with DSS already."""
    user, peer = established(multipath=True)
    user.writes(b"server")
    peer.expects(ACK, text=b"server", options=[DataSignal(ack=1, dsn=1, ssn=1, length=6)])
    peer.sends(ACK, ack=1, text=b"client", options=[peer.capable_data(6)])
    user.hears(Readable)
    user.reads(b"client")
    peer.sends(ACK, options=[DataSignal(ack=7)])
    assert status(user).multipath
    assert status(user).bytes_acked == 6


@pytest.mark.clause("R8684-3.1-22", "R8684-2.1-03", "R8684-3.7-04")
def test_listener_speaks_first() -> None:
    """Its data carries a Data ACK of the MP_CAPABLE octet, so that the peer knows its key arrived."""
    user, peer = established(multipath=True)
    user.writes(b"welcome")
    peer.expects(ACK, text=b"welcome", options=[DataSignal(ack=1, dsn=1, ssn=1, length=7)])
    peer.sends(ACK, text=b"thanks", options=[DataSignal(ack=8, dsn=1, ssn=1, length=6)])
    user.hears(Readable)
    user.reads(b"thanks")


@pytest.mark.clause("R8684-3.1-24")
def test_keys_with_data_and_no_length() -> None:
    """Both keys and data, but no mapping for it: text is never lost, with or without MPTCP."""
    user, peer = syn_received(multipath=True)
    peer.sends(ACK, text=b"hello", options=[peer.capable_ack()])
    user.hears(Accepted)
    assert Readable in [type(event) for event in peer.dialogue.events]
    user.reads(b"hello")


@pytest.mark.clause("R8684-3.1-26", "R8684-3.1-61")
def test_capable_data_shorter_than_the_text() -> None:
    """Text behind the mapping waits for one of its own; the mapped octets do not."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"hello world", options=[peer.capable_data(5)])
    user.hears(Readable)
    user.reads(b"hello")
    peer.expects(ACK, ack=12, options=[DataSignal(ack=6)], by=SECOND)
    peer.sends(ACK, seq=6, text=b" world!", options=[DataSignal(ack=1, dsn=6, ssn=6, length=7)])
    user.hears(Readable)
    user.reads(b" world!")


# -- lost packets -----------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.1-21", "R8684-3.1-24")
def test_third_packet_lost() -> None:
    """The SYN/ACK comes again, the same one, and the keys with the answer to it."""
    user, peer = syn_received(multipath=True)
    key = peer.host_key
    peer.expects(SYN | ACK, seq=0, ack=1, options=[CapableSynAck(1, HMAC_SHA256, key)], at=SECOND)
    peer.sends(ACK, options=[peer.capable_ack()])
    user.hears(Accepted)
    assert status(user).multipath


@pytest.mark.clause("R8684-3.1-21", "R8684-3.1-25", "R8684-3.1-55")
def test_third_packet_lost_but_data_comes() -> None:
    """The first data then is the third packet: it has the keys as well."""
    user, peer = syn_received(multipath=True)
    peer.sends(ACK, text=b"hello", options=[peer.capable_data(5)], at=100 * MILLISECOND)
    user.hears(Accepted, Readable)
    user.reads(b"hello")
    assert status(user).multipath


@pytest.mark.clause("R8684-3.1-58", "R8684-3.1-55")
def test_dss_overtakes_the_keys() -> None:
    """Data with DSS and no keys cannot be read as MPTCP: plain TCP, nothing lost."""
    user, peer = syn_received(multipath=True)
    peer.sends(ACK, text=b"hello", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Accepted, FellBack, Readable)
    user.reads(b"hello")
    talks_plain(user, peer)


@pytest.mark.clause("R8684-3.1-58")
def test_syn_repeated() -> None:
    """A SYN that comes again asks for the same SYN/ACK, with the same key."""
    user, peer = syn_received(multipath=True)
    key = peer.host_key
    peer.sends(SYN, seq=0, options=[*PEER_OPTIONS, CAPABLE], at=300 * MILLISECOND)
    peer.expects(SYN | ACK, seq=0, options=[CapableSynAck(1, HMAC_SHA256, key)])
    peer.sends(ACK, options=[peer.capable_ack()])
    user.hears(Accepted)
    assert status(user).multipath


@pytest.mark.clause("R8684-3.1-54", "R8684-3.1-58")
def test_syn_repeated_without_the_option() -> None:
    """The peer tries without MP_CAPABLE: no SYN/ACK answers that with one, and the third settles it."""
    user, peer = syn_received(multipath=True)
    peer.sends(SYN, seq=0, options=PEER_OPTIONS, at=300 * MILLISECOND)
    peer.expects(SYN | ACK, seq=0, without=MULTIPATH)
    peer.sends(ACK)
    user.hears(Accepted, FellBack)
    talks_plain(user, peer)


@pytest.mark.clause("R8684-3.1-58")
def test_syns_reordered() -> None:
    """A plain SYN came first, the one with MP_CAPABLE later: a third packet without keys is plain TCP."""
    user, peer = listening(multipath=True)
    peer.sends(SYN, options=PEER_OPTIONS)
    peer.expects(SYN | ACK, without=MULTIPATH)
    peer.sends(SYN, seq=0, options=[*PEER_OPTIONS, CAPABLE], at=300 * MILLISECOND)
    peer.expects(SYN | ACK, seq=0)
    peer.sends(ACK)
    user.hears(Accepted, FellBack)
    talks_plain(user, peer)


# -- what ends in plain TCP -------------------------------------------------------------------


@pytest.mark.clause("R8684-3.1-55", "R8684-3.1-58", "R8684-3.1-59", "R8684-3.7-02", "R8684-6-02")
@pytest.mark.parametrize("text", [b"", b"hello"])
def test_third_packet_without_keys(text: bytes) -> None:
    """Somebody took the option away: plain TCP, and the application hears why."""
    user, peer = syn_received(multipath=True)
    peer.sends(ACK, text=text)
    user.hears(Accepted, FellBack)
    if text:
        user.hears(Readable)
        user.reads(text)
    assert not status(user).multipath
    talks_plain(user, peer)


@pytest.mark.clause("R8684-3.1-30")
@pytest.mark.parametrize("text", [b"", b"hello"])
def test_third_packet_echoes_another_key(text: bytes) -> None:
    """The key that comes back is not ours: the handshake was tampered with, MPTCP ends here."""
    user, peer = syn_received(multipath=True)
    option: Option = CapableAck(1, HMAC_SHA256, PEER_KEY, OTHER_KEY)
    if text:
        option = CapableData(1, HMAC_SHA256, PEER_KEY, OTHER_KEY, len(text), None)
    peer.sends(ACK, text=text, options=[option])
    user.hears(Accepted, FellBack)
    if text:
        user.hears(Readable)
        user.reads(text)
    talks_plain(user, peer)


@pytest.mark.clause("R8684-3.1-30", "R8684-3.1-03")
@pytest.mark.parametrize("version", [0, 2, 15])
def test_third_packet_of_another_version(version: int) -> None:
    """The version was settled by the SYN/ACK; another one now is none of ours."""
    user, peer = syn_received(multipath=True)
    peer.sends(ACK, options=[CapableAck(version, HMAC_SHA256, PEER_KEY, peer.host_key)])
    user.hears(Accepted, FellBack)
    talks_plain(user, peer)


@pytest.mark.clause("R8684-3.1-40")
def test_third_packet_without_algorithm() -> None:
    """An MP_CAPABLE whose flags D to H are all zero is invalid wherever it stands."""
    user, peer = syn_received(multipath=True)
    peer.sends(ACK, options=[peer.capable_ack(flags=0)])
    user.hears(Accepted, FellBack)
    talks_plain(user, peer)


@pytest.mark.clause("R8684-3.1-08", "R8684-3.1-09", "R8684-3-02")
@pytest.mark.parametrize("length", [3, 12, 19, 21])
def test_third_packet_of_a_strange_length(length: int) -> None:
    """Only 20 octets, or 22 and 24 with data and checksum, are an MP_CAPABLE on an ACK."""
    user, peer = syn_received(multipath=True)
    octets = (bytes([0x01, HMAC_SHA256]) + PEER_KEY + peer.host_key + bytes(4))[: length - 2]
    peer.sends(ACK, options=[Unknown(30, octets)])
    user.hears(Accepted, FellBack)
    talks_plain(user, peer)


@pytest.mark.clause(
    "R8684-3.1-40", "R8684-3.1-51", "R8684-3.1-35", "R8684-3.1-04", "R8684-3.1-08", "R8684-3-02"
)
@pytest.mark.parametrize(
    "option",
    [
        CapableSyn(1, 0x00),  # no algorithm
        CapableSyn(1, CHECKSUM_REQUIRED),
        CapableSyn(1, 0x1E),  # only algorithms that we do not know
        CapableSyn(1, 0x40 | HMAC_SHA256),  # flag B
        CapableSyn(2, 0x40 | HMAC_SHA256),
        CapableSynV0(HMAC_SHA256, PEER_KEY),  # version 0 has the key on the SYN
        Unknown(30, bytes([0x01, HMAC_SHA256]) + bytes(8)),  # the SYN/ACK's form
        Unknown(30, bytes([0x01, HMAC_SHA256]) + bytes(16)),  # the ACK's form
        Unknown(30, bytes([0x00, HMAC_SHA256])),  # version 0 without the key
        Unknown(30, bytes([0x01])),
        Unknown(30, b""),
    ],
    ids=repr,
)
def test_syn_that_cannot_be_used(option: Option) -> None:
    """A SYN whose MP_CAPABLE is not for us is answered as if it had none."""
    user, peer = listening(multipath=True)
    peer.sends(SYN, options=[option])
    peer.expects(SYN | ACK, without=MULTIPATH)
    peer.sends(ACK)
    user.hears(Accepted, FellBack)
    talks_plain(user, peer)


@pytest.mark.clause("R8684-3.1-03", "R8684-3.1-38", "R8684-3.1-50", "R8684-3.1-51")
@pytest.mark.parametrize(
    "option", [CapableSyn(1, 0x1F), CapableSyn(2, HMAC_SHA256), CapableSyn(15, 0x03)], ids=repr
)
def test_syn_that_offers_more(option: CapableSyn) -> None:
    """More algorithms or a later version: we choose version 1 and H, and nothing else."""
    user, peer = listening(multipath=True)
    peer.sends(SYN, options=[option])
    peer.expects(SYN | ACK, options=[CapableSynAck(1, HMAC_SHA256, peer.host_key)])
    peer.sends(ACK, options=[peer.capable_ack()])
    user.hears(Accepted)
    assert status(user).multipath


@pytest.mark.clause("R8684-3-03", "R8684-3.1-09")
def test_dss_on_a_syn() -> None:
    """DSS has no place on a SYN: it says nothing there."""
    user, peer = listening(multipath=True)
    peer.sends(SYN, options=[CAPABLE, DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    peer.expects(SYN | ACK, options=[CapableSynAck])
    peer.sends(ACK, options=[peer.capable_ack()])
    user.hears(Accepted)
    assert status(user).multipath


@pytest.mark.clause("R8684-3.1-52", "R8684-3.1-29")
def test_keys_of_somebody_else_later() -> None:
    """Once the keys are settled another MP_CAPABLE does not change them."""
    user, peer = established(multipath=True)
    token = status(user).remote_token
    peer.sends(ACK, options=[CapableAck(1, HMAC_SHA256, OTHER_KEY, OTHER_KEY)])
    assert status(user).remote_token == token
    peer.sends(ACK, text=b"hello", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Readable)
    user.reads(b"hello")
