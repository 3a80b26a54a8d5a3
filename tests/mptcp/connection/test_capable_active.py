"""MP_CAPABLE as the initiator sees it: RFC 8684 §3.1, from the SYN to the first Data ACK."""

import pytest

from mptcp.connection.info import ConnectionInfo
from mptcp.events import Closed, Established, FellBack, Finished, Readable, Troubled
from mptcp.numbers import MASK_32
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.dss import Dss
from mptcp.wire.handshake import (
    CHECKSUM_REQUIRED,
    HMAC_SHA256,
    CapableAck,
    CapableData,
    CapableSyn,
    CapableSynAck,
)
from mptcp.wire.options import Option, Sack, SackPermitted, Timestamps, Unknown
from mptcp.wire.segment import ACK, FIN, SYN, Segment
from mptcp_model.dialogue import PEER_KEY, DataSignal, Peer, User, read_text
from mptcp_model.simulated.capture import Packet
from mptcp_model.situations import PEER_OPTIONS, established_actively, syn_sent

MULTIPATH = (CapableSyn, CapableSynAck, CapableAck, CapableData, Dss)
RTT = 50 * MILLISECOND
ANSWER = CapableSynAck(1, HMAC_SHA256, PEER_KEY)


def status(user: User) -> ConnectionInfo:
    """STATUS of the connection of this dialogue."""
    return user.host.status(user.connection)


def find(one: Segment, kind: type[Option]) -> Option:
    """The only option of its kind."""
    (found,) = [option for option in one.options if isinstance(option, kind)]
    return found


def talks_plain(user: User, peer: Peer) -> None:
    """Nothing of MPTCP is on the wire any more, and text passes both ways."""
    peer.skips()
    peer.sends(ACK)
    user.writes(b"question")
    peer.expects(ACK, text=b"question", without=MULTIPATH)
    peer.sends(ACK, text=b"answer")
    user.hears(Readable)
    user.reads(b"answer")
    user.closes()
    peer.expects(FIN | ACK, without=MULTIPATH)


# -- the three packets ------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.1-01", "R8684-3.1-02", "R8684-3.1-08", "R8684-3.1-10", "R8684-3.1-38")
def test_syn() -> None:
    """The SYN has MP_CAPABLE with version and flags, four octets, and no key."""
    user, peer = syn_sent(multipath=True)
    packet = peer.dialogue.story[-1]
    assert isinstance(packet, Packet)
    assert packet.octets.endswith(bytes([30, 4, 0x01, 0x01]))
    user.hears_nothing()


@pytest.mark.clause("R8684-2.1-01", "R8684-3.1-24", "R8684-3.1-39", "R8684-3.1-49", "R8684-A-06")
def test_third_packet_without_data() -> None:
    """Nothing to send yet: an ACK with both keys and no more; then MPTCP is spoken."""
    user, peer = syn_sent(multipath=True)
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, ANSWER])
    one = peer.expects(ACK, seq=1, ack=1, text=b"", options=[CapableAck], without=[CapableData, Dss])
    assert find(one, CapableAck) == CapableAck(1, HMAC_SHA256, peer.host_key, PEER_KEY)
    user.hears(Established)
    user.hears_nothing()
    peer.expects_nothing(until=100 * SECOND)
    assert status(user).multipath


@pytest.mark.clause("R8684-3.1-25", "R8684-3.1-26", "R8684-2.1-02", "R8684-3.1-21", "R8684-3.7-04")
def test_first_data_has_the_keys_again() -> None:
    """The ACK may be lost, the data is not: MP_CAPABLE with the length in place of a DSS."""
    user, peer = established_actively(multipath=True)
    user.writes(b"hello")
    one = peer.expects(ACK, seq=1, text=b"hello", without=[Dss, CapableAck])
    assert find(one, CapableData) == CapableData(1, HMAC_SHA256, peer.host_key, PEER_KEY, 5, None)
    peer.sends(ACK, options=[DataSignal(ack=6)])
    user.writes(b"again")
    peer.expects(
        ACK, text=b"again", options=[DataSignal(dsn=6, ssn=6, length=5)], without=[CapableData, CapableAck]
    )


@pytest.mark.clause("R8684-3.1-23")
def test_data_on_the_third_packet() -> None:
    """What is written before the SYN/ACK leaves with the first ACK, keys and length with it."""
    user, peer = syn_sent(multipath=True)
    user.writes(b"hello")
    peer.expects_nothing()
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, ANSWER])
    one = peer.expects(ACK, seq=1, ack=1, text=b"hello", without=[Dss, CapableAck])
    assert find(one, CapableData) == CapableData(1, HMAC_SHA256, peer.host_key, PEER_KEY, 5, None)
    peer.expects_nothing()
    peer.sends(ACK, options=[DataSignal(ack=6)])
    user.hears(Established)
    assert status(user).bytes_acked == 5


@pytest.mark.clause("R8684-3.1-25", "R8684-3.1-29", "R8684-3.3.1-02", "R8684-3.3.1-04", "R8684-3.7-04")
@pytest.mark.parametrize("at_once", [True, False])
def test_first_write_in_many_segments(at_once: bool) -> None:
    """Each segment of the first write has the same MP_CAPABLE, with the length of the whole."""
    octets = bytes(range(250)) * 20
    user, peer = syn_sent(multipath=True)
    if at_once:
        user.writes(octets)
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, ANSWER])
    if not at_once:
        peer.expects(ACK, text=b"", options=[CapableAck])
        user.writes(octets)
    segments = peer.skips()
    assert len(segments) >= 4
    assert b"".join(read_text(one) for one in segments) == octets
    for one in segments:
        expected = CapableData(1, HMAC_SHA256, peer.host_key, PEER_KEY, 5_000, None)
        assert find(one, CapableData) == expected
        assert not any(isinstance(option, Dss) for option in one.options)


@pytest.mark.clause("R8684-3.1-22", "R8684-2.1-03", "R8684-3.1-28")
def test_peer_speaks_first() -> None:
    """Its DSS says that our key arrived: our first data then has an ordinary DSS."""
    user, peer = established_actively(multipath=True)
    peer.sends(ACK, text=b"welcome", options=[DataSignal(ack=1, dsn=1, ssn=1, length=7)])
    user.hears(Readable)
    user.reads(b"welcome")
    user.writes(b"thanks")
    peer.expects(
        ACK, text=b"thanks", options=[DataSignal(ack=8, dsn=1, ssn=1, length=6)], without=[CapableData]
    )


@pytest.mark.clause("R8684-3.1-22", "R8684-3.1-28")
def test_both_start_at_once() -> None:
    """Our MP_CAPABLE data crosses the peer's DSS data; what follows has DSS."""
    user, peer = established_actively(multipath=True, nagle=False)
    user.writes(b"client")
    peer.expects(ACK, text=b"client", options=[CapableData])
    peer.sends(ACK, ack=1, text=b"server", options=[DataSignal(ack=1, dsn=1, ssn=1, length=6)])
    user.hears(Readable)
    user.writes(b"more")
    peer.expects(ACK, text=b"more", options=[DataSignal(ack=7, dsn=7, ssn=7, length=4)])
    peer.sends(ACK, options=[DataSignal(ack=11)])
    assert status(user).bytes_acked == 10


@pytest.mark.clause("R8684-3.7-04", "R8684-3.1-21")
def test_nothing_overtakes_the_keys() -> None:
    """A second write waits until the peer is known to have our key; then it has a DSS."""
    user, peer = established_actively(multipath=True)
    user.writes(b"one")
    peer.expects(ACK, text=b"one", options=[CapableData])
    user.writes(b"two")
    for one in peer.skips():
        find(one, CapableData)
    peer.sends(ACK, ack=4, options=[DataSignal(ack=4)])
    peer.expects(ACK, seq=4, text=b"two", options=[DataSignal(dsn=4, ssn=4, length=3)])


# -- lost packets -----------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.1-21", "R8684-3.1-24")
def test_third_packet_lost() -> None:
    """The SYN/ACK comes again: so do the keys."""
    user, peer = established_actively(multipath=True)
    peer.sends(SYN | ACK, seq=0, ack=1, options=[*PEER_OPTIONS, ANSWER], at=SECOND)
    one = peer.expects(ACK, seq=1, ack=1, options=[CapableAck])
    assert find(one, CapableAck) == CapableAck(1, HMAC_SHA256, peer.host_key, PEER_KEY)
    user.hears_nothing()


@pytest.mark.clause("R8684-3.1-21", "R8684-3.1-25", "R8684-3.1-28")
def test_first_data_lost() -> None:
    """TCP sends it again, and the keys and the length with it, the same ones."""
    user, peer = established_actively(multipath=True, rtt=RTT)
    user.writes(b"hello")
    first = peer.expects(ACK, text=b"hello")
    peer.acked = 1
    again = peer.expects(ACK, seq=1, text=b"hello", by=2 * SECOND)
    assert find(again, CapableData) == find(first, CapableData)
    peer.sends(ACK, options=[DataSignal(ack=6)])
    assert status(user).bytes_acked == 5


@pytest.mark.clause("R8684-3.1-25", "R8684-3.1-29")
def test_first_data_partly_lost() -> None:
    """What is sent again of the first write still has MP_CAPABLE as long as no DSS came."""
    user, peer = established_actively(multipath=True, rtt=RTT)
    user.writes(bytes(5_000))
    peer.skips()
    peer.acked = 1
    again = peer.expects(ACK, seq=1, by=2 * SECOND)
    assert find(again, CapableData) == CapableData(1, HMAC_SHA256, peer.host_key, PEER_KEY, 5_000, None)


@pytest.mark.clause("R8684-3.3-04", "R8684-3.1-28", "R8684-3.1-29")
@pytest.mark.parametrize("flags", [HMAC_SHA256, HMAC_SHA256 | CHECKSUM_REQUIRED])
@pytest.mark.parametrize("stamps", [(), (Timestamps(1, 0),)])
def test_first_data_lost_and_the_key_known(stamps: tuple[Option, ...], flags: int) -> None:
    """What leaves with MP_CAPABLE has room for the longer DSS with which it may go again: it is not cut."""
    user, peer = syn_sent(multipath=True)
    options = [*PEER_OPTIONS, SackPermitted(), CapableSynAck(1, flags, PEER_KEY), *stamps]
    peer.sends(SYN | ACK, options=options)
    user.writes(bytes(8_000))
    first = peer.skips()[1]
    assert isinstance(find(first, CapableData), CapableData)
    others = (first.sequence + first.text_length & MASK_32, peer.host_isn + 8_001 & MASK_32)
    peer.sends(ACK, ack=1, options=[DataSignal(ack=1), Sack((others,)), *stamps])
    again = peer.expects(ACK, seq=1, options=[Dss])
    assert again.text_length == first.text_length
    assert sum([option.compute_size() for option in again.options]) == (40 if stamps else 28)
    peer.expects_nothing()


@pytest.mark.clause("R8684-3.1-57", "R8684-3.1-56", "R8684-3.1-05")
def test_syn_lost_again_and_again() -> None:
    """After three SYNs with MP_CAPABLE one goes without; its answer makes plain TCP."""
    user, peer = syn_sent(multipath=True)
    for at in (1, 3):
        peer.expects(SYN, options=[CapableSyn(1, HMAC_SHA256)], at=at * SECOND)
    peer.expects(SYN, without=MULTIPATH, at=7 * SECOND)
    peer.sends(SYN | ACK, options=PEER_OPTIONS)
    peer.expects(ACK, seq=1, ack=1, without=MULTIPATH)
    user.hears(Troubled, Established, FellBack)
    assert not status(user).multipath
    talks_plain(user, peer)


@pytest.mark.clause("R8684-3.1-57")
@pytest.mark.parametrize("attempts", [0, 1, 2, 5])
def test_attempts_are_a_choice(attempts: int) -> None:
    """How many SYNs carry MP_CAPABLE is ours to say."""
    user, peer = syn_sent(multipath=attempts > 0, syn_attempts_with_mptcp=attempts)
    for number in range(1, 7):
        one = peer.expects(SYN, by=200 * SECOND)
        has_option = any(isinstance(option, CapableSyn) for option in one.options)
        assert has_option == (number < attempts)


@pytest.mark.clause("R8684-3.1-58")
def test_late_answer_to_a_syn_with_the_option() -> None:
    """The SYN without MP_CAPABLE is out already; the answer to an earlier one has it. Both ends agree."""
    user, peer = syn_sent(multipath=True)
    for at in (1, 3, 7):
        peer.expects(SYN, at=at * SECOND)
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, ANSWER])
    third = peer.expects(ACK, seq=1, ack=1)
    is_offered = any(isinstance(option, CapableAck) for option in third.options)
    assert status(user).multipath == is_offered


# -- what ends in plain TCP -------------------------------------------------------------------


@pytest.mark.clause("R8684-3.1-53", "R8684-3.1-05", "R8684-3.7-02", "R8684-6-02", "R8684-1.1-03")
@pytest.mark.parametrize("text", [b"", b"early"])
def test_answer_without_the_option(text: bytes) -> None:
    """The peer does not speak MPTCP: plain TCP on the same connection, and the user hears why."""
    user, peer = syn_sent(multipath=True)
    if text:
        user.writes(text)
    peer.sends(SYN | ACK, options=PEER_OPTIONS)
    peer.expects(ACK, seq=1, ack=1, text=text, without=MULTIPATH)
    user.hears(Established, FellBack)
    assert not status(user).multipath
    talks_plain(user, peer)


@pytest.mark.clause("R8684-3.1-54")
def test_answer_to_a_plain_syn() -> None:
    """Whoever did not offer MPTCP takes no MP_CAPABLE for an answer."""
    user, peer = syn_sent(multipath=False)
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, ANSWER])
    peer.expects(ACK, without=MULTIPATH)
    user.hears(Established)
    talks_plain(user, peer)


@pytest.mark.clause("R8684-3.1-30", "R8684-3.1-40", "R8684-3.1-50", "R8684-3.1-03", "R8684-3.1-35")
@pytest.mark.parametrize(
    "option",
    [
        CapableSynAck(1, 0x00, PEER_KEY),  # no algorithm
        CapableSynAck(1, 0x02, PEER_KEY),  # one that was not offered
        CapableSynAck(1, 0x03, PEER_KEY),  # two of them
        CapableSynAck(1, 0x1F, PEER_KEY),
        CapableSynAck(1, 0x40 | HMAC_SHA256, PEER_KEY),  # flag B
        CapableSynAck(0, HMAC_SHA256, PEER_KEY),  # another version
        CapableSynAck(2, HMAC_SHA256, PEER_KEY),
        Unknown(30, bytes([0x01, HMAC_SHA256])),  # the SYN's form
        Unknown(30, bytes([0x01, HMAC_SHA256]) + bytes(16)),  # the ACK's
        Unknown(30, bytes([0x01, HMAC_SHA256]) + bytes(7)),
    ],
    ids=repr,
)
def test_answer_that_cannot_be_used(option: Option) -> None:
    """An MP_CAPABLE that chooses what was not offered: plain TCP, and no option from us."""
    user, peer = syn_sent(multipath=True)
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, option])
    peer.expects(ACK, seq=1, ack=1, without=MULTIPATH)
    user.hears(Established, FellBack)
    talks_plain(user, peer)


@pytest.mark.clause("R8684-3.7-06", "R8684-3.7-09", "R8684-3.1-21")
def test_no_dss_ever_comes_back() -> None:
    """The peer acknowledges our first data as plain TCP does: it is plain TCP."""
    user, peer = established_actively(multipath=True)
    user.writes(b"hello")
    peer.expects(ACK, text=b"hello", options=[CapableData])
    peer.sends(ACK)
    user.hears(FellBack)
    assert not status(user).multipath


# -- closing before anything else -------------------------------------------------------------


@pytest.mark.clause("R8684-3.1-24", "R8684-3.3.3-02", "R8684-3.3.3-04", "R8684-3.3.3-09")
def test_close_without_data() -> None:
    """As Linux: the DATA_FIN takes the first octet of data, without waiting for the peer's DSS."""
    user, peer = established_actively(multipath=True)
    user.closes()
    peer.expects(ACK, options=[DataSignal(ack=1, dsn=1, ssn=0, length=1, fin=True)], by=SECOND)
    peer.sends(ACK, options=[DataSignal(ack=2, dsn=1, ssn=0, length=1, fin=True)])
    user.hears(Finished, Closed)
    peer.skips()
    peer.sends(FIN | ACK, options=[DataSignal(ack=2)])


@pytest.mark.clause("R8684-3.1-24", "R8684-3.3.3-04")
def test_close_before_the_answer() -> None:
    """CLOSE in SYN-SENT waits for the handshake: first the keys, then the DATA_FIN."""
    user, peer = syn_sent(multipath=True)
    user.closes()
    peer.expects_nothing()
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, ANSWER])
    peer.expects(ACK, seq=1, ack=1, options=[CapableAck])
    peer.expects(ACK, options=[DataSignal(dsn=1, ssn=0, length=1, fin=True)], by=SECOND)
    user.hears(Established)


@pytest.mark.clause("R8684-3.1-23", "R8684-3.3.3-03")
def test_write_and_close_before_the_answer() -> None:
    """Data with the keys, and the DATA_FIN behind it."""
    user, peer = syn_sent(multipath=True)
    user.writes(b"all")
    user.closes()
    peer.sends(SYN | ACK, options=[*PEER_OPTIONS, ANSWER])
    peer.expects(ACK, seq=1, ack=1, text=b"all", options=[CapableData])
    peer.sends(ACK, ack=4, options=[DataSignal(ack=4)])
    peer.expects(ACK, options=[DataSignal(dsn=4, ssn=0, length=1, fin=True)], by=SECOND)
