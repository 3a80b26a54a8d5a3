"""Taking text and saying so: RFC 9293 §3.8.6.3, §3.10.7.4, RFC 5681 §3.2 and §4.2."""

import pytest

from mptcp.events import Accepted, Readable
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.options import MaximumSegmentSize
from mptcp.wire.segment import ACK, PSH, SYN
from mptcp_model.dialogue import PEER_ISN
from mptcp_model.simulated.capture import Packet
from mptcp_model.situations import established, listening

FULL = bytes(1_460)


@pytest.mark.clause("R9293-3.8.6.3-01", "R9293-3.8.6.3-02", "R5681-4.2-01")
def test_delayed() -> None:
    """One segment is acknowledged after 40 ms, a choice that is far below half a second."""
    _, peer = established()
    peer.sends(ACK, text=b"hello")
    peer.expects(ACK, ack=6, length=0, at=40 * MILLISECOND)
    peer.expects_nothing(until=SECOND)


@pytest.mark.clause("R9293-3.8.6.3-02")
@pytest.mark.parametrize("delay", [0, 10 * MILLISECOND, 400 * MILLISECOND])
def test_delay_is_a_choice(delay: int) -> None:
    """As long as we were told."""
    _, peer = established(delayed_ack=delay)
    peer.sends(ACK, text=b"hello")
    peer.expects(ACK, ack=6, at=delay)


@pytest.mark.clause("R9293-3.8.6.3-01", "R9293-3.8.6.3-02")
def test_delay_begins_with_the_first() -> None:
    """Small segments that follow do not put it off."""
    _, peer = established()
    for _ in range(2):
        peer.sends(ACK, text=FULL)
    peer.expects(ACK, ack=2_921)
    for moment in (10, 30, 49):
        peer.sends(ACK, text=b"more", at=moment * MILLISECOND)
    peer.expects(ACK, ack=2_933, length=0, at=50 * MILLISECOND)
    peer.expects_nothing(until=SECOND)


@pytest.mark.clause("R9293-3.8.6.3-03", "R5681-4.2-01")
def test_second_full_segment() -> None:
    """Every second full-sized segment is acknowledged at once."""
    _, peer = established()
    for pair in range(3):
        peer.sends(ACK, text=FULL)
        peer.expects_nothing()
        peer.sends(ACK, text=FULL)
        peer.expects(ACK, ack=1 + (pair + 1) * 2_920)


@pytest.mark.clause("R9293-3.8.6.3-03", "R5681-4.2-01")
def test_full_is_what_comes() -> None:
    """The path to us may be narrower than the one from us: full segments of 1,000 octets are full."""
    _, peer = established(options=(MaximumSegmentSize(8_960),), mtu=9_000)
    for pair in range(3):
        peer.sends(ACK, text=bytes(1_000))
        peer.expects_nothing()
        peer.sends(ACK, text=bytes(1_000))
        peer.expects(ACK, ack=1 + (pair + 1) * 2_000)


@pytest.mark.clause("R9293-3.10.7.4-01", "R9293-3.4-02", "R5681-4.2-02")
def test_text_carries_the_acknowledgment() -> None:
    """What we have to say says it too, and no ACK of its own follows."""
    user, peer = established()
    peer.sends(ACK, text=b"question")
    user.writes(b"answer")
    peer.expects(ACK, ack=9, text=b"answer")
    peer.sends(ACK)
    peer.expects_nothing(until=SECOND)


@pytest.mark.clause("R5681-3.2-01", "R9293-3.10.7.4-03", "R9293-3.10.7.4-05")
def test_out_of_order() -> None:
    """Text behind a hole is kept and answered at once by a duplicate ACK; so is what fills the hole."""
    user, peer = established()
    peer.sends(ACK, seq=6, text=b"world")
    peer.expects(ACK, ack=1, length=0)
    peer.sends(ACK, seq=11, text=b"!")
    peer.expects(ACK, ack=1, length=0)
    user.hears_nothing()
    peer.sends(ACK, seq=1, text=b"hello")
    peer.expects(ACK, ack=12)
    user.hears(Readable)
    user.reads(b"helloworld!")


@pytest.mark.clause("R5681-3.2-01")
def test_filling_part_of_a_hole() -> None:
    """While a hole remains, each segment is acknowledged at once."""
    user, peer = established()
    peer.sends(ACK, seq=11, text=b"later")
    peer.expects(ACK, ack=1)
    peer.sends(ACK, seq=1, text=b"hello")
    peer.expects(ACK, ack=6)
    user.reads(b"hello")


@pytest.mark.clause("R9293-3.10.7.4-02", "R9293-3.10.7.4-01")
def test_all_that_came_is_acknowledged_at_once() -> None:
    """What the device brings together is taken together, and then acknowledged: the last word counts."""
    user, peer = established()
    for _ in range(4):
        user.host.receive(peer.makes(ACK, text=FULL), peer.dialogue.now)
    peer.dialogue.settle()
    peer.expects(ACK, ack=1 + 4 * len(FULL))
    peer.expects_nothing()


def test_copy() -> None:
    """RFC 9293 §3.10.7.4, first: text that was taken before is answered by an ACK and not read twice."""
    user, peer = established()
    peer.sends(ACK, text=b"hello")
    peer.expects(ACK, ack=6, by=SECOND)
    peer.sends(ACK, text=b"hello", seq=1)
    peer.expects(ACK, ack=6)
    user.reads(b"hello")
    user.reads(b"")


@pytest.mark.parametrize(
    ("seq", "text"), [(1, b"hello world"), (3, b"llo world"), (6, b" world"), (5, b"o world")]
)
def test_overlap(seq: int, text: bytes) -> None:
    """Of text that overlaps what is there only the new part counts."""
    user, peer = established()
    peer.sends(ACK, text=b"hello")
    peer.sends(ACK, text=text, seq=seq)
    user.reads(b"hello world")
    peer.expects(ACK, ack=12, by=SECOND)


def test_overlap_out_of_order() -> None:
    """Pieces that overlap behind a hole come out whole."""
    user, peer = established()
    peer.sends(ACK, seq=7, text=b"ghijkl")
    peer.sends(ACK, seq=4, text=b"defgh")
    peer.sends(ACK, seq=10, text=b"jklmn")
    peer.sends(ACK, seq=1, text=b"abcd")
    user.reads(b"abcdefghijklmn")


@pytest.mark.clause("R9293-3.4-04")
@pytest.mark.parametrize("away", [-50, 70_000, 1 << 30])
def test_outside_the_window(away: int) -> None:
    """RFC 9293 §3.10.7.4, first: text outside the window is answered by an ACK and dropped."""
    user, peer = established()
    peer.sends(ACK, text=b"lost", seq=1 + away)
    peer.expects(ACK, seq=1, ack=1, length=0)
    user.hears_nothing()


@pytest.mark.clause("R9293-3.1-04")
def test_wrong_checksum() -> None:
    """A damaged segment is as if it had not come, and the next right one is taken."""
    user, peer = established()
    peer.sends(ACK, text=b"hello")
    packet = bytearray(next(one.octets for one in reversed(peer.dialogue.story) if isinstance(one, Packet)))
    user.reads(b"hello")
    packet[-1] ^= 1
    peer.sends_octets(bytes(packet))
    peer.sends(ACK, text=b"world")
    user.reads(b"world")


@pytest.mark.clause("R9293-3.4-05")
def test_numbers_wrap() -> None:
    """RFC 9293 §3.4: 2**32 lies in the middle of this stream, and nobody notices."""
    user, peer = listening()
    assert PEER_ISN + 100 * 1_460 > 1 << 32
    peer.sends(SYN)
    peer.expects(SYN | ACK)
    peer.sends(ACK)
    user.hears(Accepted)
    for number in range(100):
        peer.sends(ACK | PSH, text=bytes([number]) * 1_460)
        user.reads(bytes([number]) * 1_460)


def test_empty_acks_are_not_answered() -> None:
    """An acceptable ACK without text asks for nothing: two ends do not talk for ever."""
    _, peer = established()
    for _ in range(5):
        peer.sends(ACK)
    peer.expects_nothing(until=60 * SECOND)
