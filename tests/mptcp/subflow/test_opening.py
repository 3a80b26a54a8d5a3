"""Opening: RFC 9293 §3.5 and §3.10.7.1 to §3.10.7.4, as a peer sees it."""

import pytest

from mptcp.events import Aborted, Accepted, Established, Readable, Troubled
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.segment import ACK, FIN, PSH, RST, SYN
from mptcp_model.dialogue import HOST_IPV6, PEER_IPV6, Dialogue
from mptcp_model.situations import established, established_actively, listening, syn_received, syn_sent


def test_passive() -> None:
    """SYN, SYN/ACK, ACK; the user hears of it with the third."""
    user, peer = listening()
    peer.sends(SYN)
    peer.expects(SYN | ACK, seq=0, ack=1, length=0)
    user.hears_nothing()
    peer.sends(ACK)
    peer.expects_nothing()
    user.hears(Accepted)
    user.writes(b"welcome")
    peer.expects(ACK, seq=1, ack=1, text=b"welcome")


def test_active() -> None:
    """SYN, SYN/ACK, ACK; the user hears of it with the second."""
    user, peer = syn_sent()
    peer.sends(SYN | ACK)
    peer.expects(ACK, seq=1, ack=1, length=0)
    user.hears(Established)
    user.writes(b"hello")
    peer.expects(ACK, seq=1, ack=1, text=b"hello")


def test_ipv6_both_ways() -> None:
    """The same over IPv6."""
    story = Dialogue()
    story.user.listens()
    peer = story.meets(PEER_IPV6, 40_000, HOST_IPV6, 80)
    peer.sends(SYN)
    peer.expects(SYN | ACK, seq=0, ack=1)
    peer.sends(ACK)
    story.user.hears(Accepted)
    _, other = established_actively(ipv6=True)
    other.expects_nothing()


def test_text_on_the_third_segment() -> None:
    """The ACK of the SYN/ACK may carry text, which the user gets."""
    user, peer = syn_received()
    peer.sends(ACK, text=b"hello")
    user.hears(Accepted, Readable)
    user.reads(b"hello")


def test_third_segment_lost() -> None:
    """Text that follows a lost ACK opens the connection as well."""
    user, peer = syn_received()
    peer.sends(ACK, text=b"hello", at=10 * MILLISECOND)
    user.hears(Accepted, Readable)
    peer.expects(ACK, ack=6, at=50 * MILLISECOND)


def test_fin_on_the_third_segment() -> None:
    """Open and half closed with one segment."""
    user, peer = syn_received()
    peer.sends(FIN | ACK, text=b"bye")
    peer.expects(ACK, ack=5)
    user.hears(Accepted)
    user.reads(b"bye")


@pytest.mark.clause("R9293-3.5-01")
def test_simultaneous() -> None:
    """Two SYNs that cross open one connection: each is answered by a SYN/ACK."""
    user, peer = syn_sent()
    peer.sends(SYN)
    peer.expects(SYN | ACK, seq=0, ack=1)
    user.hears_nothing()
    peer.sends(SYN | ACK, seq=0)
    user.hears(Established)
    peer.skips()
    peer.sends(ACK, text=b"hello")
    user.hears(Readable)
    user.writes(b"world")
    peer.expects(ACK, seq=1, ack=6, text=b"world")


# -- nobody there -----------------------------------------------------------------------------


@pytest.mark.clause("R9293-3.4-06")
def test_syn_to_a_closed_port() -> None:
    """RFC 9293 §3.10.7.1: <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>."""
    peer = Dialogue().meets()
    peer.sends(SYN, text=b"xy")
    assert peer.expects(RST | ACK, ack=3, length=0).sequence == 0


def test_ack_to_a_closed_port() -> None:
    """RFC 9293 §3.10.7.1: <SEQ=SEG.ACK><CTL=RST>."""
    peer = Dialogue().meets()
    peer.sends(ACK, text=b"anyone?", ack=77)
    peer.expects(RST, seq=77, length=0)


@pytest.mark.parametrize("flags", [RST, RST | ACK])
def test_reset_to_a_closed_port(flags: int) -> None:
    """RFC 9293 §3.10.7.1: a RST is never answered by a RST."""
    peer = Dialogue().meets()
    peer.sends(flags)
    peer.expects_nothing(until=SECOND)


def test_ack_to_a_listener() -> None:
    """RFC 9293 §3.10.7.2: an ACK has no place at a listener."""
    user, peer = listening()
    peer.sends(ACK, ack=5)
    peer.expects(RST, seq=5)
    peer.sends(SYN | ACK, seq=0, ack=9)
    peer.expects(RST, seq=9)
    user.hears_nothing()


@pytest.mark.parametrize("flags", [RST, RST | SYN, FIN, PSH, 0])
def test_nonsense_to_a_listener(flags: int) -> None:
    """RFC 9293 §3.10.7.2: RST, and whatever has neither SYN nor ACK, opens nothing."""
    user, peer = listening()
    peer.sends(flags)
    peer.skips()
    peer.expects_nothing(until=SECOND)
    user.hears_nothing()
    peer.sends(SYN, seq=0)
    peer.expects(SYN | ACK, seq=0)


# -- half open --------------------------------------------------------------------------------


@pytest.mark.clause("R9293-3.5-02")
def test_reset_in_syn_received_from_listen() -> None:
    """A RST returns a passive open to LISTEN: the user hears nothing, the next SYN is welcome."""
    user, peer = syn_received()
    peer.sends(RST, seq=1)
    peer.expects_nothing()
    user.hears_nothing()
    peer.sends(SYN, seq=0)
    peer.expects(SYN | ACK)
    peer.sends(ACK, seq=1)
    user.hears(Accepted)


@pytest.mark.clause("R9293-3.5-02")
def test_reset_in_syn_received_from_syn_sent() -> None:
    """A RST in a simultaneous open refuses the active one."""
    user, peer = syn_sent()
    peer.sends(SYN)
    peer.expects(SYN | ACK)
    peer.sends(RST, seq=1)
    assert isinstance(event := user.hears(Aborted), Aborted)
    assert event.error in ("refused", "reset")


@pytest.mark.clause("R9293-3.4-03")
@pytest.mark.parametrize("ack", [0, 2, 100_000])
def test_bad_ack_in_syn_received(ack: int) -> None:
    """RFC 9293 §3.10.7.4, fifth: an unacceptable ACK in SYN-RECEIVED is answered by <SEQ=SEG.ACK> RST."""
    user, peer = syn_received()
    peer.sends(ACK, ack=ack)
    peer.expects(RST, seq=ack)
    user.hears_nothing()
    peer.sends(ACK, ack=1)
    user.hears(Accepted)


def test_repeated_syn_in_syn_received() -> None:
    """A SYN that comes again asks for the SYN/ACK again."""
    user, peer = syn_received()
    peer.sends(SYN, seq=0, at=500 * MILLISECOND)
    peer.expects(SYN | ACK, seq=0, ack=1)
    peer.sends(ACK)
    user.hears(Accepted)


def test_refused() -> None:
    """RFC 9293 §3.10.7.3, second: RST with an acceptable ACK ends an active open."""
    user, peer = syn_sent()
    peer.sends(RST | ACK, seq=0, ack=1)
    assert user.hears(Aborted) == Aborted(user.connection, "refused")
    peer.expects_nothing(until=10 * SECOND)


@pytest.mark.parametrize(("flags", "ack"), [(RST, 0), (RST | ACK, 0), (RST | ACK, 2)])
def test_reset_of_another_syn(flags: int, ack: int) -> None:
    """RFC 9293 §3.10.7.3: a RST that does not acknowledge our SYN is dropped."""
    user, peer = syn_sent()
    peer.sends(flags, seq=0, ack=ack)
    peer.expects_nothing()
    user.hears_nothing()
    peer.sends(SYN | ACK, seq=0, ack=1)
    user.hears(Established)


@pytest.mark.parametrize("flags", [ACK, SYN | ACK, FIN | ACK])
@pytest.mark.parametrize("ack", [0, 2, 1 << 30])
def test_bad_ack_in_syn_sent(flags: int, ack: int) -> None:
    """RFC 9293 §3.10.7.3, first: an ACK of what was not sent gets <SEQ=SEG.ACK> RST, and we go on."""
    user, peer = syn_sent()
    peer.sends(flags, seq=0, ack=ack)
    peer.expects(RST, seq=ack)
    peer.sends(SYN | ACK, seq=0, ack=1)
    peer.expects(ACK, seq=1, ack=1)
    user.hears(Established)


@pytest.mark.parametrize("flags", [FIN, PSH, 0])
def test_nonsense_in_syn_sent(flags: int) -> None:
    """RFC 9293 §3.10.7.3, fifth: without SYN and RST a segment is dropped."""
    user, peer = syn_sent()
    peer.sends(flags, seq=0)
    peer.expects_nothing()
    user.hears_nothing()


# -- loss -------------------------------------------------------------------------------------


@pytest.mark.clause("R6298-2-01", "R6298-5-03", "R9293-3.8.3-03", "R9293-3.8.3-04")
def test_syn_is_repeated_and_given_up() -> None:
    """SYNs at 0, 1, 3, 7 … 63 s, then, after at least three minutes, the open has failed."""
    user, peer = syn_sent()
    for moment in (1, 3, 7, 15, 31, 63):
        peer.expects(SYN, seq=0, at=moment * SECOND)
    peer.waits(180 * SECOND)
    user.hears(Troubled)
    user.hears_nothing()
    peer.skips()
    peer.expects_nothing(until=600 * SECOND)
    assert user.hears(Aborted) == Aborted(user.connection, "timed out")


@pytest.mark.clause("R9293-3.8.3-02")
def test_syn_attempts_are_a_choice() -> None:
    """With two attempts a lost SYN is repeated once."""
    user, peer = syn_sent(syn_attempts=2)
    peer.expects(SYN, seq=0, at=1 * SECOND)
    peer.expects_nothing(until=30 * SECOND)
    user.hears(Aborted)


def test_syn_ack_is_repeated_and_given_up() -> None:
    """The answer too; and who never became a connection leaves no word."""
    user, peer = syn_received()
    for moment in (1, 3, 7, 15, 31, 63):
        peer.expects(SYN | ACK, seq=0, ack=1, at=moment * SECOND)
    peer.waits(200 * SECOND)
    peer.skips()
    peer.expects_nothing(until=600 * SECOND)
    user.hears_nothing()


def test_answer_after_repetition() -> None:
    """A SYN/ACK that comes late opens all the same."""
    user, peer = syn_sent()
    peer.expects(SYN, at=1 * SECOND)
    peer.sends(SYN | ACK, at=2 * SECOND)
    peer.expects(ACK, seq=1, ack=1)
    user.hears(Established)


@pytest.mark.clause("R6298-5-04")
def test_rto_is_three_seconds_after_a_lost_syn() -> None:
    """When the SYN timed out and no round trip was measured, data start with an RTO of 3 s."""
    user, peer = syn_sent()
    peer.expects(SYN, at=1 * SECOND)
    peer.sends(SYN | ACK, at=1_100 * MILLISECOND)
    peer.expects(ACK)
    user.writes(b"hello")
    peer.expects(ACK, text=b"hello")
    peer.expects(ACK, seq=1, text=b"hello", at=4_100 * MILLISECOND)


@pytest.mark.clause("R5681-3.1-04")
def test_one_segment_after_a_lost_syn() -> None:
    """A lost SYN makes the initial window one segment."""
    user, peer = syn_sent()
    peer.expects(SYN, at=1 * SECOND)
    peer.sends(SYN | ACK, at=1_100 * MILLISECOND)
    peer.expects(ACK)
    user.writes(bytes(20_000))
    peer.expects(ACK, length=536)
    peer.expects_nothing()


@pytest.mark.clause("R5681-3.1-03", "R5681-3.1-02")
def test_initial_window() -> None:
    """Ten segments leave at first (RFC 6928): the handshake's acknowledgment adds nothing."""
    user, peer = established()
    user.writes(bytes(100_000))
    assert [len(one.text) and one.text_length for one in peer.skips()] == [1_460] * 10


# -- numbers ----------------------------------------------------------------------------------


@pytest.mark.clause("R9293-3.4.1-02")
def test_initial_numbers_differ() -> None:
    """Two connections of one host, and two hosts, do not share initial numbers."""
    story = Dialogue()
    story.user.listens()
    numbers = set()
    for port in range(40_000, 40_010):
        peer = story.meets(port=port)
        peer.sends(SYN)
        numbers.add(peer.expects(SYN | ACK).sequence)
    other = Dialogue(seed=bytes(32))
    other.user.listens()
    peer = other.meets()
    peer.sends(SYN)
    numbers.add(peer.expects(SYN | ACK).sequence)
    assert len(numbers) == 11


@pytest.mark.clause("R9293-3.9.1.1-01", "R9293-3.9.1.1-02")
def test_listener_and_connections_share_a_port() -> None:
    """Two peers are served on one port, and the listener goes on listening."""
    user, peer = established()
    first = user.connection
    other = peer.dialogue.meets(port=40_001)
    other.sends(SYN)
    other.expects(SYN | ACK)
    other.sends(ACK)
    user.hears(Accepted)
    assert user.connection != first
    user.writes(b"two")
    other.expects(ACK, text=b"two")
    peer.sends(ACK, text=b"one")
    user.connection = first
    user.reads(b"one")
