"""Fast open: RFC 7413, plain, and with MPTCP as RFC 8684 appendix B has it."""

from typing import Any

import pytest

from mptcp.choices import Choices
from mptcp.events import Aborted, Accepted, Established, Readable, Troubled
from mptcp.fast_open import compute_cookie
from mptcp.parameters import DESTINATIONS, FAST_OPEN_REST, HOUR, MILLISECOND, SECOND
from mptcp.wire.dss import Dss
from mptcp.wire.handshake import HMAC_SHA256, CapableSyn, CapableSynAck
from mptcp.wire.options import FastOpen, MaximumSegmentSize, SackPermitted, Timestamps, WindowScale
from mptcp.wire.segment import ACK, FIN, RST, SYN
from mptcp_model.dialogue import HOST_IPV4, PEER_IPV4, DataSignal, Dialogue, Peer, User
from mptcp_model.joins import join
from mptcp_model.situations import listening

MSS = MaximumSegmentSize(1_460)
COOKIE = b"cookie\x00\x01"
CAPABLE = CapableSyn(1, HMAC_SHA256)


# -- the listener -----------------------------------------------------------------------------


def fast_listener(multipath: bool = False, **choices: Any) -> tuple[User, Peer, bytes]:
    """A listener that takes text on SYNs, and a cookie for the peer."""
    user, peer = listening(multipath, fast_open=True, **choices)
    host = user.host
    return user, peer, compute_cookie(host.secret, peer.address, host.choices, 0, 0)


@pytest.mark.clause("R7413-4.2.2-03", "R7413-4.1.1-01", "R7413-4.1.2-01", "R7413-4.2.2-02")
@pytest.mark.parametrize("asked", [b"", b"wrong!", b"wrong too"[:8]])
def test_cookie_given(asked: bytes) -> None:
    """Whoever asks for a cookie, or brings a wrong one, gets the right one; the text is not taken."""
    user, peer, cookie = fast_listener()
    peer.sends(SYN, text=b"hello", options=[MSS, FastOpen(asked)])
    peer.expects(SYN | ACK, seq=0, ack=1, options=[FastOpen(cookie)])
    user.hears_nothing()
    peer.sends(ACK, seq=1, text=b"hello")
    user.hears(Accepted, Readable)
    user.reads(b"hello")


@pytest.mark.clause("R7413-4.2.2-01", "R7413-4.2.2-04")
def test_text_on_the_syn() -> None:
    """A good cookie: the application has the text before the handshake is over, and answers at once."""
    user, peer, cookie = fast_listener()
    peer.sends(SYN, text=b"request", options=[MSS, FastOpen(cookie)])
    peer.expects(SYN | ACK, seq=0, ack=8, without=[FastOpen])
    user.hears(Accepted, Readable)
    user.reads(b"request")
    user.writes(b"response")
    peer.expects(ACK, seq=1, ack=8, text=b"response")
    peer.sends(ACK, ack=9)
    peer.sends(ACK, text=b" and more")
    user.hears(Readable)
    user.reads(b" and more")
    user.writes(b"!")
    peer.expects(ACK, seq=9, text=b"!")


@pytest.mark.clause("R7413-4.2.2-01")
def test_close_before_the_handshake_is_over() -> None:
    """The FIN waits for ESTABLISHED."""
    user, peer, cookie = fast_listener()
    peer.sends(SYN, text=b"request", options=[MSS, FastOpen(cookie)])
    peer.expects(SYN | ACK, ack=8)
    user.hears(Accepted, Readable)
    user.writes(b"response")
    user.closes()
    peer.expects(ACK, seq=1, text=b"response")
    peer.expects_nothing(until=0)
    peer.sends(ACK, ack=1)
    peer.expects(FIN | ACK, seq=9)


@pytest.mark.clause("R7413-4.2.2-05")
def test_syn_ack_lost() -> None:
    """It goes again, without the option and without the response, which follows in its turn."""
    user, peer, _ = fast_listener()
    peer.sends(SYN, options=[MSS, FastOpen(b"")])
    peer.expects(SYN | ACK, options=[FastOpen])
    peer.expects(SYN | ACK, length=0, without=[FastOpen], at=SECOND)
    user, peer, cookie = fast_listener()
    peer.sends(SYN, text=b"request", options=[MSS, FastOpen(cookie)])
    user.hears(Accepted, Readable)
    user.writes(b"response")
    peer.skips()
    peer.acked = 0
    peer.expects(SYN | ACK, seq=0, ack=8, length=0, without=[FastOpen], at=SECOND)
    peer.sends(ACK, ack=1)
    peer.expects(ACK, seq=1, text=b"response", by=10 * SECOND)


def test_syn_repeated() -> None:
    """The text counts once."""
    user, peer, cookie = fast_listener()
    peer.sends(SYN, text=b"request", options=[MSS, FastOpen(cookie)])
    user.hears(Accepted, Readable)
    peer.expects(SYN | ACK, ack=8)
    peer.sends(SYN, seq=0, text=b"request", options=[MSS, FastOpen(cookie)])
    peer.acked = 0
    peer.expects(SYN | ACK, seq=0, ack=8)
    user.hears_nothing()
    user.reads(b"request")


def test_never_finished() -> None:
    """A handshake that does not end is told as an end, since the beginning was told."""
    user, peer, cookie = fast_listener(syn_attempts=2)
    peer.sends(SYN, text=b"request", options=[MSS, FastOpen(cookie)])
    user.hears(Accepted, Readable)
    peer.waits(100 * SECOND)
    assert user.hears(Aborted) == Aborted(user.connection, "timed out")
    user, peer, cookie = fast_listener()
    peer.sends(SYN, text=b"request", options=[MSS, FastOpen(cookie)])
    user.hears(Accepted, Readable)
    peer.sends(RST, seq=8)
    user.hears(Aborted)


@pytest.mark.clause("R7413-4.1.2-01")
def test_cookies_expire() -> None:
    """One is good in its own lifetime and in the next; in that it is replaced."""
    for at, taken, replaced in ((23 * HOUR, True, False), (47 * HOUR, True, True), (48 * HOUR, False, True)):
        user, peer, cookie = fast_listener()
        peer.sends(SYN, text=b"hello", options=[MSS, FastOpen(cookie)], at=at)
        answer = peer.expects(SYN | ACK, ack=6 if taken else 1)
        assert any(isinstance(one, FastOpen) for one in answer.options) == replaced
        assert bool(user.dialogue.events) == taken


@pytest.mark.clause("R7413-4.1.2-01")
def test_cookie_of_somebody_else() -> None:
    """A cookie is good for one address."""
    user, peer, _ = fast_listener()
    other = compute_cookie(user.host.secret, bytes([10, 0, 0, 99]), user.host.choices, 0, 0)
    peer.sends(SYN, text=b"hello", options=[MSS, FastOpen(other)])
    peer.expects(SYN | ACK, ack=1)


@pytest.mark.clause("R7413-5.1-01")
def test_limit() -> None:
    """So many may be open before their handshakes are over; the others wait for theirs."""
    user, first, cookie = fast_listener(fast_open_backlog=2)
    peers = [first] + [first.dialogue.meets(port=50_000 + number) for number in range(3)]
    for peer in peers:
        peer.sends(SYN, text=b"hello", options=[MSS, FastOpen(cookie)])
    for peer, ack in zip(peers, (6, 6, 1, 1), strict=True):
        peer.expects(SYN | ACK, ack=ack)
    peers[0].sends(ACK)
    late = first.dialogue.meets(port=60_000)
    late.sends(SYN, text=b"hello", options=[MSS, FastOpen(cookie)])
    late.expects(SYN | ACK, ack=6)


@pytest.mark.clause("R7413-2-01", "R7413-4.1.1-02")
def test_off_by_default() -> None:
    """Nobody who did not ask for it gets text from a SYN, or a cookie."""
    assert not Choices().fast_open
    for choices in ({}, {"fast_open_backlog": 0, "fast_open": True}):
        user, peer = listening(**choices)  # type: ignore[arg-type]
        cookie = compute_cookie(user.host.secret, peer.address, user.host.choices, 0, 0)
        peer.sends(SYN, text=b"hello", options=[MSS, FastOpen(cookie)])
        peer.expects(SYN | ACK, ack=1, without=[FastOpen])
        user.hears_nothing()


@pytest.mark.clause("R7413-4.1.1-02")
def test_option_without_syn() -> None:
    """On any other segment it says nothing."""
    user, peer, cookie = fast_listener()
    peer.sends(SYN, options=[MSS])
    peer.expects(SYN | ACK, ack=1, without=[FastOpen])
    peer.sends(ACK, text=b"hello", options=[FastOpen(cookie)])
    user.hears(Accepted, Readable)


# -- the listener, MPTCP ----------------------------------------------------------------------


@pytest.mark.clause("R8684-B.1-01", "R8684-B.2-01", "R8684-B.3-01")
@pytest.mark.parametrize("checksum", [False, True])
def test_multipath_listener(checksum: bool) -> None:
    """Text of the SYN is outside of MPTCP's numbers: IDSN + 1 and SSN 1 are the octet behind it."""
    user, peer, cookie = fast_listener(True, checksum=2 if checksum else 1)
    everything = [MSS, SackPermitted(), Timestamps(1, 0), WindowScale(7), CAPABLE, FastOpen(cookie)]
    peer.sends(SYN, text=b"request", options=everything)
    peer.expects(SYN | ACK, seq=0, ack=8, options=[CapableSynAck])
    user.hears(Accepted, Readable)
    user.reads(b"request")
    user.writes(b"response")
    peer.expects_nothing(until=0)  # it needs the peer's key
    stamp = Timestamps(1, 0)
    peer.sends(ACK, options=[stamp, peer.capable_ack()])
    peer.expects(ACK, seq=1, ack=8, text=b"response", options=[DataSignal(ack=1, dsn=1, ssn=1, length=8)])
    signal = DataSignal(ack=9, dsn=1, ssn=1, length=5)
    peer.sends(ACK, text=b"again", options=[stamp, signal])
    user.hears(Readable)
    user.reads(b"again")
    peer.expects(ACK, ack=13, options=[DataSignal(ack=6)], by=SECOND)
    info = user.host.status(user.connection)
    assert info.multipath and info.checksum == checksum and info.bytes_received == 12


@pytest.mark.clause("R8684-B.2-01", "R8684-B.3-01")
def test_another_subflow() -> None:
    """On a subflow that joins nothing came with the SYN: SSN 1 is its first octet, and the DSNs go on."""
    user, peer, cookie = fast_listener(True)
    peer.sends(SYN, text=b"request", options=[MSS, CAPABLE, FastOpen(cookie)])
    peer.expects(SYN | ACK, ack=8)
    user.hears(Accepted)
    peer.sends(ACK, options=[peer.capable_ack()])
    peer.sends(ACK, text=b" one", options=[DataSignal(ack=1, dsn=1, ssn=1, length=4)])
    other = peer.dialogue.meets(port=41_000)
    join(other, peer)
    other.skips()
    other.sends(ACK, text=b" two", options=[DataSignal(ack=1, dsn=5, ssn=1, length=4)])
    user.dialogue.events.clear()
    user.reads(b"request one two")
    user.writes(b"answer")
    peer.waits(SECOND)
    answers = [one for one in peer.skips() + other.skips() if one.text_length]
    assert answers
    mapping = next(one.mapping for one in answers[0].options if isinstance(one, Dss))
    assert mapping is not None and (mapping.dsn, mapping.ssn) == (peer.host_dsn(1), 1)


@pytest.mark.clause("R8684-B.1-01")
def test_room_for_a_cookie() -> None:
    """With all usual options and MP_CAPABLE the cookie still fits the SYN/ACK."""
    user, peer, cookie = fast_listener(True)
    peer.sends(SYN, options=[MSS, SackPermitted(), Timestamps(1, 0), WindowScale(7), CAPABLE, FastOpen(b"")])
    peer.expects(
        SYN | ACK,
        options=[MSS, SackPermitted, Timestamps, WindowScale, CapableSynAck, FastOpen(cookie)],
    )


@pytest.mark.clause("R8684-B.2-01", "R8684-B.3-01")
def test_multipath_listener_and_first_data() -> None:
    """MP_CAPABLE with data maps the first octets behind the SYN's."""
    user, peer, cookie = fast_listener(True)
    peer.sends(SYN, text=b"request", options=[MSS, CAPABLE, FastOpen(cookie)])
    peer.expects(SYN | ACK, ack=8)
    peer.sends(ACK, text=b"more", options=[peer.capable_data(4)])
    user.hears(Accepted, Readable)
    user.reads(b"requestmore")
    peer.expects(ACK, ack=12, options=[DataSignal(ack=5)], by=SECOND)


# -- the initiator ----------------------------------------------------------------------------


def calls(
    story: Dialogue, text: bytes = b"", multipath: bool = False, port: int = 50_000, **choices: Any
) -> Peer:
    """The user connects and writes before the SYN leaves."""
    host = story.host
    chosen = Choices(fast_open=True, multipath=multipath, **choices)
    story.user.connection = host.connect(HOST_IPV4, PEER_IPV4, 80, story.now, port, chosen)
    if text:
        host.write(story.user.connection, text, story.now)
    story.settle()
    return story.meets(PEER_IPV4, 80, HOST_IPV4, port)


def acquainted(multipath: bool = False) -> Dialogue:
    """A host that has the peer's cookie."""
    story = Dialogue()
    peer = calls(story, multipath=multipath, port=49_999)
    peer.expects(SYN, length=0, options=[FastOpen(b"")])
    peer.sends(SYN | ACK, options=[MSS, FastOpen(COOKIE)])
    story.user.hears(Established)
    story.events.clear()
    return story


@pytest.mark.clause("R7413-4.2.1-01", "R7413-4.1.3-01")
def test_first_call() -> None:
    """Without a cookie one is asked for, and what was written waits for the handshake."""
    story = Dialogue()
    peer = calls(story, b"request")
    peer.expects(SYN, length=0, options=[FastOpen(b"")])
    peer.sends(SYN | ACK, options=[MSS, FastOpen(COOKIE)])
    peer.expects(ACK, seq=1, text=b"request")
    assert story.host.fast_opens.find(PEER_IPV4).cookie == COOKIE


@pytest.mark.clause("R7413-4.1.3-01", "R7413-4.1.3-02")
def test_second_call() -> None:
    """With a cookie the text goes with the SYN, as much as one segment holds."""
    story = acquainted()
    peer = calls(story, b"request")
    peer.expects(SYN, seq=0, text=b"request", options=[FastOpen(COOKIE)])
    peer.sends(SYN | ACK, options=[MSS])
    story.user.hears(Established)
    peer.expects(ACK, seq=8, length=0)
    story.user.writes(b"more")
    peer.expects(ACK, seq=8, text=b"more")
    assert story.host.status(story.user.connection).bytes_acked == 7
    peer = calls(story, bytes(3_000), port=50_001)
    one = peer.expects(SYN, seq=0)
    assert one.text_length == 1_420
    peer.sends(SYN | ACK, options=[MSS])
    rest = [one.text_length for one in peer.skips()]
    assert sum(rest) == 3_000 - 1_420


@pytest.mark.clause("R7413-4.2.1-04", "R7413-4.1.3-03", "R7413-4.1.3-04")
def test_text_refused() -> None:
    """Only the SYN was acknowledged: all goes again after the handshake, and Fast Open rests."""
    story = acquainted()
    peer = calls(story, b"request")
    peer.expects(SYN, text=b"request")
    peer.acked = 1
    peer.sends(SYN | ACK, options=[MSS])
    story.user.hears(Established)
    segments = peer.skips()
    assert b"".join([piece.octets() for one in segments for piece in one.text]) == b"request"
    other = calls(story, b"request", port=50_001)
    other.expects(SYN, length=0, without=[FastOpen])
    story.advance(story.now + FAST_OPEN_REST)
    third = calls(story, b"request", port=50_002)
    third.expects(SYN, length=0, options=[FastOpen(b"")])


@pytest.mark.clause("R7413-4.2.1-04")
def test_text_taken_in_part() -> None:
    """The rest is sent as if it had never been."""
    story = acquainted()
    peer = calls(story, b"0123456789")
    peer.expects(SYN, text=b"0123456789")
    peer.acked = 5
    peer.sends(SYN | ACK, options=[MSS])
    segments = peer.skips()
    assert b"".join([piece.octets() for one in segments for piece in one.text]) == b"456789"
    assert peer.count(segments[-1].sequence) == 5
    peer.sends(ACK, ack=11)
    assert story.host.status(story.user.connection).bytes_acked == 10


@pytest.mark.clause("R7413-4.2.1-02", "R7413-4.1.3-03")
@pytest.mark.parametrize("is_taken", [False, True])
def test_syn_lost(is_taken: bool) -> None:
    """The SYN goes again without text and without option; either may be the one that is answered."""
    story = acquainted()
    peer = calls(story, b"request")
    peer.expects(SYN, text=b"request")
    peer.expects(SYN, seq=0, length=0, without=[FastOpen], at=story.now + SECOND)
    peer.acked = 8 if is_taken else 1
    peer.sends(SYN | ACK, options=[MSS])
    story.user.hears(Established)
    segments = peer.skips()
    text = b"".join([piece.octets() for one in segments for piece in one.text])
    assert text == (b"" if is_taken else b"request")
    calls(story, b"request", port=50_001).expects(SYN, length=0, without=[FastOpen])


@pytest.mark.clause("R7413-4.2.1-03")
def test_new_cookie() -> None:
    """A cookie on the SYN/ACK replaces the one that is known."""
    story = acquainted()
    peer = calls(story, b"request")
    peer.expects(SYN, options=[FastOpen(COOKIE)])
    peer.sends(SYN | ACK, options=[MSS, FastOpen(b"newest")])
    calls(story, b"request", port=50_001).expects(SYN, options=[FastOpen(b"newest")])


def test_answer_behind_the_syn_ack() -> None:
    """What the listener says at once is read at once."""
    story = acquainted()
    peer = calls(story, b"request")
    peer.expects(SYN, text=b"request")
    peer.sends(SYN | ACK, options=[MSS])
    peer.sends(ACK, text=b"response")
    story.user.hears(Established, Readable)
    story.user.reads(b"response")


def test_cookies_are_counted() -> None:
    """Memory of servers is bounded."""
    story = Dialogue()
    for number in range(DESTINATIONS + 10):
        story.host.fast_opens.keep(number.to_bytes(4, "big"), COOKIE, 1_460)
    assert len(story.host.fast_opens.given) == DESTINATIONS
    assert story.host.fast_opens.find((0).to_bytes(4, "big")).cookie == b""


@pytest.mark.clause("R7413-2-01")
def test_initiator_off_by_default() -> None:
    """A cookie that is known is not used by whoever did not ask for it."""
    story = acquainted()
    story.host.connect(HOST_IPV4, PEER_IPV4, 80, story.now, 50_000, Choices(multipath=False))
    story.settle()
    story.meets(PEER_IPV4, 80, HOST_IPV4, 50_000).expects(SYN, without=[FastOpen])


# -- the initiator, MPTCP ---------------------------------------------------------------------


@pytest.mark.clause("R8684-B.2-01", "R8684-B.3-01")
def test_multipath_initiator() -> None:
    """The mapping of the first data behind the SYN's says SSN 1 and IDSN + 1."""
    story = acquainted()
    peer = calls(story, b"request", True)
    peer.expects(SYN, text=b"request", options=[FastOpen(COOKIE), CapableSyn])
    peer.sends(SYN | ACK, options=[MSS, CapableSynAck(1, HMAC_SHA256, peer.key)])
    story.user.hears(Established)
    peer.expects(ACK, seq=8, length=0)
    peer.sends(ACK, text=b"reply", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    story.user.hears(Readable)
    story.user.writes(b"more")
    peer.expects(ACK, seq=8, text=b"more", options=[DataSignal(ack=6, dsn=1, ssn=1, length=4)])
    peer.sends(ACK, options=[DataSignal(ack=5)])
    info = story.host.status(story.user.connection)
    assert info.multipath and info.bytes_acked == 11
    story.user.closes()
    peer.expects(ACK, options=[DataSignal(dsn=5, length=1, fin=True)])


@pytest.mark.clause("R8684-B.3-02", "R8684-B.3-03")
@pytest.mark.parametrize("taken", [0, 3])
def test_multipath_and_text_refused(taken: int) -> None:
    """What the listener did not take is mapped data like any other."""
    story = acquainted()
    peer = calls(story, b"request", True)
    peer.expects(SYN, text=b"request")
    peer.acked = 1 + taken
    peer.sends(SYN | ACK, options=[MSS, CapableSynAck(1, HMAC_SHA256, peer.key)])
    story.user.hears(Established)
    segments = [one for one in peer.skips() if one.text_length]
    assert b"".join([piece.octets() for one in segments for piece in one.text]) == b"request"[taken:]
    assert peer.count(segments[0].sequence) == 1 + taken
    rest = 7 - taken
    peer.sends(ACK, options=[DataSignal(ack=1 + rest)])
    assert story.host.status(story.user.connection).bytes_acked == 7


def test_multipath_initiator_falls_back() -> None:
    """Plain TCP answers: the text of the SYN stays taken."""
    story = acquainted()
    peer = calls(story, b"request", True)
    peer.expects(SYN, text=b"request")
    peer.sends(SYN | ACK, options=[MSS])
    story.user.hears(Established)
    story.user.writes(b"more")
    peer.skips()
    assert story.host.status(story.user.connection).bytes_acked == 7
    peer.sends(ACK, ack=12)
    assert story.host.status(story.user.connection).bytes_acked == 11


def test_simultaneous_open() -> None:
    """Both SYNs carry text: ours is in flight, and is acknowledged as any."""
    story = acquainted()
    peer = calls(story, b"request")
    peer.expects(SYN, text=b"request")
    peer.acked = 0
    peer.sends(SYN, options=[MSS])
    peer.expects(SYN | ACK, seq=0, length=0)
    peer.sends(SYN | ACK, seq=0, ack=1, options=[MSS])
    story.user.hears(Established)
    text = b""
    while len(text) < 7:
        one = peer.expects(ACK, by=story.now + 10 * SECOND)
        text += b"".join([piece.octets() for piece in one.text])
    assert text == b"request"
    peer.sends(ACK, ack=8)
    assert story.host.status(story.user.connection).bytes_acked == 7
    assert story.now >= MILLISECOND or Troubled not in story.events
