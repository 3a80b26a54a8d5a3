"""What two SYNs agree on, and options where they do not belong: RFC 9293 §3.2, §3.7.1, RFC 7323."""

import pytest

from mptcp.events import Accepted, Established, Readable
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.options import MaximumSegmentSize, NoOperation, Option, Timestamps, Unknown, WindowScale
from mptcp.wire.segment import ACK, FIN, RST, SYN, Segment, parse_options
from mptcp_model.dialogue import DataSignal, Peer
from mptcp_model.situations import established, established_actively, listening, syn_received, syn_sent


def read_options(octets: str) -> tuple[Option, ...]:
    """Octets of an option area, in hexadecimal digits, as options that write themselves down again."""
    area = bytes.fromhex(octets)
    return parse_options(area, 0, len(area), SYN)


def find_timestamps(segment: Segment) -> Timestamps:
    """The timestamps of a segment, which must have them."""
    return next(option for option in segment.options if isinstance(option, Timestamps))


# -- segment size -----------------------------------------------------------------------------


@pytest.mark.clause("R9293-3.7.1-01")
@pytest.mark.parametrize(("ipv6", "size"), [(False, 536), (True, 1_220)])
def test_default_segment_size(ipv6: bool, size: int) -> None:
    """Without the peer's MSS option segments have 536 octets (IPv4) or 1,220 (IPv6)."""
    user, peer = established(options=(), ipv6=ipv6)
    user.writes(bytes(2 * size + 1))
    peer.expects(ACK, length=size)
    peer.expects(ACK, length=size)


@pytest.mark.clause("R9293-3.1-09", "R9293-3.7.1-02")
@pytest.mark.parametrize("size", [100, 536, 1_000, 1_460])
@pytest.mark.parametrize("situation", [established, established_actively])
def test_segment_size_of_the_peer(situation: type, size: int) -> None:
    """No segment is longer than the peer takes."""
    user, peer = situation(options=[MaximumSegmentSize(size)])
    user.writes(bytes(2 * size + 1))
    peer.expects(ACK, length=size)
    peer.expects(ACK, length=size)


@pytest.mark.clause("R9293-3.7.1-02")
@pytest.mark.parametrize(("ipv6", "size"), [(False, 1_360), (True, 1_340)])
def test_segment_size_of_the_own_mtu(ipv6: bool, size: int) -> None:
    """Nor than the own MTU carries, whatever the peer takes."""
    user, peer = established(options=[MaximumSegmentSize(9_000)], mtu=1_400, ipv6=ipv6)
    user.writes(bytes(3_000))
    peer.expects(ACK, length=size)


@pytest.mark.clause("R9293-3.7.1-02")
def test_segment_size_with_options() -> None:
    """Options take their room from the text: 12 octets of timestamps."""
    user, peer = established(options=[MaximumSegmentSize(1_460), Timestamps(1, 0)])
    user.writes(bytes(3_000))
    peer.expects(ACK, length=1_448, options=[Timestamps])


@pytest.mark.clause("R9293-3.1-09", "R9293-3.7.1-04", "R9293-3.7.1-05", "R9293-3.7.1-03", "R9293-3.2-02")
@pytest.mark.parametrize(("ipv6", "size"), [(False, 1_460), (True, 1_440)])
def test_own_segment_size(ipv6: bool, size: int) -> None:
    """MSS says what fits the MTU behind both headers, on SYN and SYN/ACK and nowhere else."""
    _, peer = syn_sent(ipv6=ipv6)
    peer.expects(SYN, options=[MaximumSegmentSize(size)], at=SECOND)
    _, peer = syn_received(ipv6=ipv6)
    peer.expects(SYN | ACK, options=[MaximumSegmentSize(size)], at=SECOND)
    user, peer = established(ipv6=ipv6)
    user.writes(b"hello")
    peer.expects(ACK, text=b"hello", without=[MaximumSegmentSize])


def test_absurd_segment_size() -> None:
    """An MSS of 0 does not stop the sender, nor make it send nothing for ever."""
    user, peer = established(options=[MaximumSegmentSize(0)])
    user.writes(bytes(100))
    assert peer.expects(ACK).text_length > 0


# -- unknown and broken options ---------------------------------------------------------------


@pytest.mark.clause("R9293-3.1-06", "R9293-3.1-07")
def test_unknown_options_anywhere() -> None:
    """An unknown option is skipped, on a SYN and on any other segment."""
    user, peer = listening()
    peer.sends(SYN, options=[Unknown(200, b"abc"), NoOperation(), MaximumSegmentSize(700)])
    peer.expects(SYN | ACK)
    peer.sends(ACK, text=b"hello", options=[Unknown(99, b""), Unknown(253, bytes(20))])
    user.hears(Accepted, Readable)
    user.reads(b"hello")
    user.writes(bytes(1_000))
    peer.expects(ACK, length=700)


@pytest.mark.clause("R9293-3.1-08")
@pytest.mark.parametrize("octets", ["c800", "c801", "c8ff", "02", "0200", "1e", "0800", "0305", "0106c8"])
def test_broken_options(octets: str) -> None:
    """A length of 0, 1, or beyond the header does no damage: the connection goes on."""
    user, peer = listening()
    peer.sends(SYN, options=[MaximumSegmentSize(700), *read_options(octets)])
    peer.expects(SYN | ACK)
    peer.sends(ACK, text=b"hello", options=read_options(octets))
    peer.skips()
    user.hears(Accepted)
    peer.sends(ACK, text=b"hello", seq=1)
    user.reads(b"hello")


# -- window scale -----------------------------------------------------------------------------


@pytest.mark.clause("R7323-2.2-01")
def test_window_scale_needs_both() -> None:
    """A peer that does not offer to scale is not scaled to, and its windows are taken as they are."""
    user, peer = established(window=1_000)
    user.writes(bytes(5_000))
    peer.expects(ACK, length=1_000, without=[WindowScale])
    peer.expects_nothing()
    user, peer = established_actively(window=1_000)
    user.writes(bytes(5_000))
    peer.expects(ACK, length=1_000)
    peer.expects_nothing()
    peer.sends(ACK, text=b"x" * 536)
    peer.sends(ACK, text=b"x" * 1_460)
    peer.expects(ACK, window=65_535)


@pytest.mark.clause("R7323-2.2-01")
def test_window_scale_is_a_choice() -> None:
    """Without the wish to scale no option leaves, and the peer's offer is not taken up."""
    _, peer = syn_sent(window_scaling=False)
    peer.expects(SYN, without=[WindowScale], at=SECOND)
    _, peer = listening(window_scaling=False)
    peer.sends(SYN, options=[WindowScale(7)])
    peer.expects(SYN | ACK, without=[WindowScale])


@pytest.mark.clause("R7323-2.2-01", "R7323-2.3-01")
@pytest.mark.parametrize("buffer", [1_000, 65_535, 65_536, 4 << 20])
def test_both_scale_or_none(buffer: int) -> None:
    """Whoever answers without the option must not take the peer's windows as scaled."""
    user, peer = listening(receive_buffer=buffer)
    peer.sends(SYN, options=[MaximumSegmentSize(1_000), WindowScale(7)])
    answer = peer.expects(SYN | ACK)
    scales = any(isinstance(option, WindowScale) for option in answer.options)
    peer.sends(ACK, window=16)
    user.hears(Accepted)
    user.writes(bytes(5_000))
    sent = sum(one.text_length for one in peer.skips())
    assert sent == (2_000 if scales else 16)  # of 2,048 octets two whole segments are used


@pytest.mark.clause("R7323-2.2-02")
def test_window_scale_without_syn() -> None:
    """The option counts on a SYN only."""
    user, peer = established(window=1_000)
    peer.sends(ACK, options=[WindowScale(7)], window=1_000)
    user.writes(bytes(5_000))
    peer.expects(ACK, length=1_000)
    peer.expects_nothing()


@pytest.mark.clause("R7323-2.2-03", "R7323-2.3-01")
def test_windows_are_scaled() -> None:
    """Not on the SYNs, but on all else: incoming by the peer's shift, outgoing by our own."""
    _, peer = listening(receive_buffer=4 << 20)
    peer.sends(SYN, options=[MaximumSegmentSize(1_200), WindowScale(3)], window=300)
    peer.expects(SYN | ACK, options=[WindowScale(7)], window=65_535)
    peer.sends(ACK, window=300)
    user = peer.dialogue.user
    user.hears(Accepted)
    user.writes(bytes(5_000))
    first, second = peer.skips()
    assert first.text_length == second.text_length == 1_200
    assert first.window == (4 << 20) >> 7


@pytest.mark.clause("R7323-2.2-03", "R7323-2.3-01")
def test_windows_are_scaled_when_active() -> None:
    """The same for the side that opens: the window of the SYN/ACK is not scaled."""
    user, peer = syn_sent(receive_buffer=4 << 20)
    peer.sends(SYN | ACK, options=[MaximumSegmentSize(1_000), WindowScale(3)], window=500)
    assert peer.expects(ACK).window == (4 << 20) >> 7
    user.hears(Established)
    user.writes(bytes(5_000))
    assert sum(one.text_length for one in peer.skips()) <= 500
    peer.sends(ACK, window=500)
    assert peer.acked + sum(one.text_length for one in peer.skips()) <= 501 + 4_000


@pytest.mark.clause("R7323-2.3-02", "R9293-3.1-02")
def test_shift_of_at_most_14() -> None:
    """A shift above 14 counts as 14."""
    user, peer = established(options=[MaximumSegmentSize(1_000), Unknown(3, b"\xff")], window=1)
    user.writes(bytes(30_000))
    assert sum(one.text_length for one in peer.skips()) <= 1 << 14
    user.hears_nothing()


# -- timestamps -------------------------------------------------------------------------------

TIMED = (MaximumSegmentSize(1_460), Timestamps(1_000, 0))


def sends_at(peer: Peer, value: int, seq: int, text: bytes = b"x", ack: int = 1) -> None:
    """The peer sends ``text`` at ``seq`` with the timestamp ``value``."""
    peer.sends(ACK, text=text, seq=seq, ack=ack, options=[Timestamps(value, 0)])


@pytest.mark.clause("R7323-3.2-01", "R7323-3.2-02")
def test_timestamps_are_echoed_everywhere() -> None:
    """Once agreed, every segment carries our clock and echoes the peer's."""
    user, peer = syn_received(options=TIMED)
    peer.sends(SYN, seq=0, options=TIMED)
    answer = find_timestamps(peer.expects(SYN | ACK))
    assert answer.echo == 1_000
    peer.sends(ACK, options=[Timestamps(1_010, answer.value)], at=10 * MILLISECOND)
    user.hears(Accepted)
    user.writes(b"hello")
    first = find_timestamps(peer.expects(ACK, text=b"hello"))
    assert first.echo == 1_010
    assert first.value - answer.value & 0xFFFFFFFF >= 1
    user.closes()
    assert find_timestamps(peer.expects(FIN | ACK)).echo == 1_010


@pytest.mark.clause("R7323-3.2-02")
def test_timestamps_need_both() -> None:
    """A peer that does not offer them gets none; and we offer none if we were told not to."""
    user, peer = established()
    user.writes(b"hello")
    peer.expects(ACK, without=[Timestamps])
    user, peer = established(options=TIMED, timestamps=False)
    user.writes(b"hello")
    peer.expects(ACK, without=[Timestamps])


@pytest.mark.clause("R7323-3.2-03")
def test_missing_timestamp() -> None:
    """A segment without them is no reason to break off."""
    user, peer = established(options=TIMED)
    peer.sends(ACK, text=b"hello")
    user.writes(b"still here")
    peer.expects(ACK, text=b"still here", options=[Timestamps])


@pytest.mark.clause("R7323-4.3-01")
def test_which_timestamp_is_echoed() -> None:
    """TS.Recent comes from the segment that covers Last.ACK.sent, not from one out of order."""
    _, peer = established(options=TIMED)
    sends_at(peer, 2_000, seq=1)
    assert find_timestamps(peer.expects(ACK, ack=2, by=SECOND)).echo == 2_000
    sends_at(peer, 2_002, seq=3)
    assert find_timestamps(peer.expects(ACK, ack=2)).echo == 2_000
    sends_at(peer, 2_001, seq=2)
    assert find_timestamps(peer.expects(ACK, ack=4)).echo == 2_001


@pytest.mark.clause("R7323-4.3-01")
def test_delayed_acknowledgment_echoes_the_first() -> None:
    """Of two segments that one ACK covers, the first one's timestamp is echoed."""
    _, peer = established(options=TIMED)
    sends_at(peer, 2_000, seq=1)
    sends_at(peer, 2_010, seq=2)
    assert find_timestamps(peer.expects(ACK, ack=3, by=SECOND)).echo == 2_000


@pytest.mark.clause("R7323-5.3-01")
def test_paws() -> None:
    """An older timestamp gets an ACK, and nothing of the segment counts."""
    user, peer = established(options=TIMED)
    sends_at(peer, 2_000, seq=1)
    peer.expects(ACK, ack=2, by=SECOND)
    user.reads(b"x")
    sends_at(peer, 1_999, seq=2, text=b"old")
    peer.expects(ACK, ack=2)
    user.reads(b"")
    sends_at(peer, 2_000, seq=2, text=b"new")
    user.reads(b"new")


@pytest.mark.clause("R8684-A-03", "R7323-5.3-01")
def test_paws_below_multipath() -> None:
    """A subflow keeps to it, too, whatever the numbers of the data level say."""
    user, peer = established(multipath=True, options=TIMED)
    mapping = DataSignal(ack=1, dsn=1, ssn=1, length=5)
    peer.sends(ACK, b"early", [Timestamps(999, 0), mapping], seq=1)
    user.reads(b"")
    peer.sends(ACK, b"later", [Timestamps(1_000, 0), mapping], seq=1)
    user.reads(b"later")


@pytest.mark.clause("R7323-5.3-01")
def test_paws_around_the_wrap() -> None:
    """Timestamps are compared modulo 2**32."""
    user, peer = established(options=[MaximumSegmentSize(1_460), Timestamps(0xFFFFFFF0, 0)])
    sends_at(peer, 5, seq=1, text=b"after the wrap")
    user.reads(b"after the wrap")
    sends_at(peer, 0xFFFFFFF8, seq=15, text=b"before")
    user.reads(b"")


@pytest.mark.clause("R7323-5.2-01")
def test_reset_is_exempt_from_paws() -> None:
    """A RST counts whatever its timestamp."""
    user, peer = established(options=TIMED)
    sends_at(peer, 2_000, seq=1)
    peer.expects(ACK, by=SECOND)
    user.hears(Readable)
    peer.sends(RST, seq=2, options=[Timestamps(5, 0)])
    assert len(peer.dialogue.events) == 1


@pytest.mark.clause("R7323-5.4-01")
def test_clock_of_timestamps() -> None:
    """Our clock ticks about once a millisecond: at least once for 2**31 octets, and no wrap within an MSL."""
    user, peer = established(options=TIMED)
    values = []
    for moment in (1, 2):
        user.writes(b"x", at=moment * SECOND)
        values.append(find_timestamps(peer.expects(ACK)).value)
        peer.sends(ACK, options=[Timestamps(2_000 + moment, values[-1])])
    assert 10 <= (values[1] - values[0]) & 0xFFFFFFFF <= 10_000
