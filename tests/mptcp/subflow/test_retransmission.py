"""The retransmission timer: RFC 6298, and RFC 9293 §3.8.1 to §3.8.3.

Round trips of 100 ms, so that after the first the RTO is 100 + 4 · 50 = 300 ms.
"""

import pytest

from mptcp.events import Aborted, Troubled
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.segment import ACK, FIN, SYN
from mptcp_model.dialogue import Peer, User
from mptcp_model.situations import established, established_actively, syn_sent

RTT = 100 * MILLISECOND
RTO = 300 * MILLISECOND


def exchange(user: User, peer: Peer, round_trip: int) -> None:
    """The user writes 100 octets, which the peer acknowledges after ``round_trip``."""
    user.writes(bytes(100))
    peer.expects(ACK, length=100)
    peer.sends(ACK, at=peer.dialogue.now + round_trip)


def measure_rto(user: User, peer: Peer) -> int:
    """How long one segment waits for its acknowledgment, µs; then it is acknowledged."""
    user.writes(b"!")
    peer.expects(ACK, length=1)
    sent = peer.heard_at
    peer.expects(ACK, length=1, by=sent + 100 * SECOND)
    waited = peer.heard_at - sent
    peer.sends(ACK)
    return waited


@pytest.mark.clause("R6298-2-02", "R6298-2-04")
@pytest.mark.parametrize("situation", [established, established_actively])
def test_first_sample(situation: type) -> None:
    """One round trip R gives RTO = R + 4 · R/2."""
    user, peer = situation(rtt=RTT)
    assert measure_rto(user, peer) == RTO


@pytest.mark.clause("R6298-2-03", "R6298-2-04")
def test_later_samples() -> None:
    """RTTVAR moves by a quarter, with the old SRTT; then SRTT by an eighth."""
    user, peer = established(rtt=RTT)
    srtt, rttvar = RTT, RTT // 2
    for sample in (180 * MILLISECOND, 100 * MILLISECOND, 260 * MILLISECOND):
        exchange(user, peer, sample)
        rttvar = (3 * rttvar + abs(srtt - sample)) // 4
        srtt = (7 * srtt + sample) // 8
    assert abs(measure_rto(user, peer) - (srtt + 4 * rttvar)) <= MILLISECOND


@pytest.mark.clause("R6298-2-05")
@pytest.mark.parametrize("minimum", [200 * MILLISECOND, SECOND])
def test_minimum(minimum: int) -> None:
    """However short the round trip, the RTO has a floor, which is a choice."""
    user, peer = established(rtt=MILLISECOND, minimum_rto=minimum)
    assert measure_rto(user, peer) == minimum


@pytest.mark.clause("R6298-4-01")
def test_no_variation() -> None:
    """When nothing varies any more, the RTO still exceeds the round trip, by the clock's granularity."""
    user, peer = established(rtt=RTT, minimum_rto=0)
    for _ in range(60):
        exchange(user, peer, RTT)
    assert RTT + MILLISECOND <= measure_rto(user, peer) <= RTT + 5 * MILLISECOND


@pytest.mark.clause("R6298-5-01", "R6298-5-02", "R6298-5-03", "R9293-3.8.2-01")
def test_back_off() -> None:
    """The same segment goes again after 1, 2, 4, 8 … RTO, alone."""
    user, peer = established(rtt=RTT)
    user.writes(bytes(1_200))  # full-sized ones would get shorter: test_path_mtu.py
    user.writes(bytes(1_200))
    peer.skips()
    moment = RTT
    for doubling in range(6):
        moment += RTO << doubling
        peer.expects(ACK, seq=1, length=1_200, at=moment)
        peer.expects_nothing()


@pytest.mark.clause("R6298-2-06", "R6298-5-03")
def test_longest_wait() -> None:
    """Doubling ends at a minute."""
    user, peer = established(rtt=RTT)
    user.writes(b"hello")
    peer.waits(500 * SECOND)
    moments = [heard.when for heard in peer.inbox]
    waits = [later - earlier for earlier, later in zip(moments, moments[1:], strict=False)]
    assert waits[-1] == waits[-2] == 60 * SECOND
    assert waits[0] == RTO
    assert waits == sorted(waits)


@pytest.mark.clause("R9293-3.8.3-01", "R9293-3.8.3-07")
def test_giving_up() -> None:
    """After R2, far more than 100 s, the connection is over, and the user hears why."""
    user, peer = established(rtt=RTT)
    user.writes(b"hello")
    peer.waits(100 * SECOND)
    user.hears(Troubled(user.connection, "retransmissions"))
    user.hears_nothing()
    peer.waits(3_600 * SECOND)
    assert user.hears(Aborted) == Aborted(user.connection, "timed out")
    peer.skips()
    peer.expects_nothing(until=7_200 * SECOND)


@pytest.mark.clause("R9293-3.8.3-01", "R9293-3.8.3-05", "R9293-3.8.3-06")
@pytest.mark.parametrize("limit", [1, 3, 5])
def test_advice(limit: int) -> None:
    """At R1, three retransmissions by default, the user hears of it, once, and nothing ends."""
    user, peer = established(rtt=RTT, **({} if limit == 3 else {"advice_after": limit}))
    user.writes(b"hello")
    for _ in range(limit):
        user.hears_nothing()
        peer.expects(ACK, text=b"hello", by=100 * SECOND)
    user.hears_nothing()
    peer.expects(ACK, text=b"hello", by=100 * SECOND)
    user.hears(Troubled(user.connection, "retransmissions"))
    peer.expects(ACK, text=b"hello", by=100 * SECOND)
    user.hears_nothing()
    peer.sends(ACK)
    user.writes(b"world")
    peer.expects(ACK, text=b"world")


@pytest.mark.clause("R9293-3.8.3-03", "R9293-3.8.3-05")
def test_advice_while_opening() -> None:
    """SYNs obey R1 as well."""
    user, peer = syn_sent()
    for at in (1, 3):
        peer.expects(SYN, at=at * SECOND)
    user.hears_nothing()
    peer.expects(SYN, at=7 * SECOND)
    user.hears(Troubled(user.connection, "retransmissions"))


@pytest.mark.clause("R9293-3.8.3-02")
def test_giving_up_is_a_choice() -> None:
    """R2 is what we were told: here the third expiry ends it."""
    user, peer = established(rtt=RTT, retransmissions=3)
    user.writes(b"hello")
    peer.expects(ACK, length=5)
    peer.waits(20 * SECOND)
    assert len([one for one in peer.skips() if one.text_length]) == 2
    user.hears(Aborted)


@pytest.mark.clause("R6298-5-02")
def test_timer_is_restarted_by_new_acknowledgments() -> None:
    """An ACK of new text starts the RTO anew for what remains."""
    user, peer = established(rtt=RTT)
    user.writes(bytes(2_920))
    peer.skips()
    peer.sends(ACK, ack=1_461, at=RTT + 200 * MILLISECOND)
    peer.expects_nothing(until=RTT + RTO + 100 * MILLISECOND)
    peer.expects(ACK, seq=1_461, length=1_460, by=RTT + 200 * MILLISECOND + 2 * RTO)


@pytest.mark.clause("R6298-5-02")
def test_timer_is_stopped() -> None:
    """When all is acknowledged nothing is sent again."""
    user, peer = established(rtt=RTT)
    exchange(user, peer, RTT)
    assert user.host.deadline() is None
    peer.expects_nothing(until=60 * SECOND)


@pytest.mark.clause("R6298-5-02")
def test_old_acknowledgments_do_not_restart_it() -> None:
    """An ACK that acknowledges nothing new does not push the retransmission away."""
    user, peer = established(rtt=RTT)
    user.writes(b"hello")
    peer.expects(ACK, length=5)
    peer.sends(ACK, ack=1, window=60_000, at=RTT + RTO - 1)
    peer.expects(ACK, seq=1, text=b"hello", at=RTT + RTO)


@pytest.mark.clause("R6298-3-01", "R9293-3.8.1-01")
def test_karn() -> None:
    """What was sent twice measures no round trip: the RTO stays as it was, or backed off."""
    user, peer = established(rtt=RTT)
    user.writes(b"hello")
    peer.expects(ACK, length=5)
    peer.expects(ACK, length=5, at=RTT + RTO)
    peer.sends(ACK, at=RTT + RTO + MILLISECOND)
    assert measure_rto(user, peer) >= RTO


@pytest.mark.clause("R6298-5-02")
def test_back_off_ends_with_new_text() -> None:
    """Once new text is acknowledged without loss the RTO is computed again."""
    user, peer = established(rtt=RTT)
    user.writes(b"hello")
    for _ in range(4):
        peer.expects(ACK, length=5, by=60 * SECOND)
    peer.sends(ACK)
    exchange(user, peer, RTT)
    assert measure_rto(user, peer) <= RTO


@pytest.mark.clause("R5681-3.1-08", "R5681-3.1-09", "R5681-3.1-06")
def test_slow_start_after_a_timeout() -> None:
    """One segment goes, its ACK brings two, and so on up to half of what was in flight."""
    user, peer = established(rtt=RTT)
    user.writes(bytes(200_000))
    assert len(peer.skips()) == 10
    peer.acked = 1
    peer.expects(ACK, seq=1, at=RTT + RTO)
    peer.expects_nothing()
    counts = []
    for ack in (1_461, 1_461 + 2 * 1_460, 1_461 + 6 * 1_460):
        peer.sends(ACK, ack=ack)
        counts.append(len(peer.skips()))
    assert counts[0] == 2
    assert counts[1] <= 4
    assert counts[2] <= 6


@pytest.mark.clause("R6298-5-02")
def test_everything_unacknowledged_goes_again() -> None:
    """After a timeout whatever was lost behind the first segment follows."""
    user, peer = established(rtt=RTT)
    user.writes(bytes(range(200)) * 73)
    peer.skips()
    received = {}
    peer.acked = 1
    moment = RTT + RTO
    peer.waits(moment)
    for _ in range(40):
        for heard in peer.inbox:
            one = heard.segment
            received[peer.count(one.sequence)] = b"".join(piece.octets() for piece in one.text)
        peer.inbox.clear()
        end = 1
        while end in received:
            end += len(received[end])
        peer.sends(ACK, ack=end, at=peer.dialogue.now + RTT)
    assert b"".join(received[start] for start in sorted(received)) == bytes(range(200)) * 73


def test_fin_is_timed_out_with_its_text() -> None:
    """Text and FIN lost together come again together."""
    user, peer = established(rtt=RTT)
    user.writes(b"bye")
    user.closes()
    peer.skips()
    peer.acked = 1
    peer.waits(RTT + RTO)
    segments = peer.skips()
    assert peer.count(segments[0].sequence) == 1
    assert segments[0].text_length == 3
    if not segments[0].flags & FIN:
        peer.sends(ACK, ack=4)
        peer.expects(FIN | ACK, seq=4, by=10 * SECOND)
