"""Explicit congestion notification: RFC 3168 §6.1, as a dialogue of flags and marks."""

from typing import Any

import pytest

from mptcp.choices import ECN_ACCEPT, ECN_ASK, ECN_REFUSE
from mptcp.events import Accepted, Established
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.values import Micros
from mptcp.wire.segment import ACK, CE, CWR, ECE, ECT_0, NOT_ECT, SYN
from mptcp_model.dialogue import HOST_IPV4, PEER_IPV4, Peer
from mptcp_model.situations import PEER_OPTIONS, Scene, begin, established, listening

RTT = 100 * MILLISECOND
MSS = 1_460


def agreed(**choices: Any) -> Scene:
    """Opened by a peer that asked for ECN."""
    user, peer = listening(**choices)
    peer.sends(SYN | ECE | CWR, options=PEER_OPTIONS)
    peer.expects(SYN | ACK | ECE, ack=1, ecn=NOT_ECT)
    peer.sends(ACK, at=RTT)
    user.hears(Accepted)
    return user, peer


def asking(**choices: Any) -> Scene:
    """The user opens and asks for ECN."""
    story = begin(False, {"ecn": ECN_ASK, **choices})
    story.user.connects()
    peer = story.meets(PEER_IPV4, 80, HOST_IPV4, 40_000)
    peer.expects(SYN | ECE | CWR, seq=0, ecn=NOT_ECT)
    return story.user, peer


def get_cwnd(peer: Peer) -> int:
    """The host's congestion window, octets."""
    (connection,) = peer.dialogue.host.connections.values()
    return connection.control.branches[0].subflow.tcb.window.cwnd


# -- SYNs -------------------------------------------------------------------------------------


@pytest.mark.clause("R3168-6.1.1-01", "R3168-6.1.1-04", "R3168-6.1.2-01", "R9293-3.8.2-02")
def test_asking_and_agreeing() -> None:
    """Both flags on the SYN, ECE alone on the answer: text is marked as capable."""
    user, peer = asking()
    peer.sends(SYN | ACK | ECE, options=PEER_OPTIONS)
    peer.expects(ACK, ecn=NOT_ECT)
    user.hears(Established)
    user.writes(bytes(MSS))
    peer.expects(ACK, length=MSS, ecn=ECT_0)


@pytest.mark.clause("R3168-6.1.1.2-01", "R3168-6.1.1-03")
@pytest.mark.parametrize("flags", [0, CWR, ECE | CWR])
def test_asking_in_vain(flags: int) -> None:
    """No flag, the wrong one, or an echo of both: no ECN."""
    user, peer = asking()
    peer.sends(SYN | ACK | flags, options=PEER_OPTIONS)
    peer.expects(ACK)
    user.writes(bytes(MSS))
    peer.expects(ACK, length=MSS, ecn=NOT_ECT)


@pytest.mark.clause("R3168-6.1.1.1-01", "R3168-6.1.1-03")
@pytest.mark.parametrize("flags", [0, ECE])
def test_fallback(flags: int) -> None:
    """The SYN that goes again does not ask; whoever answers it late by ECE has agreed to nothing."""
    user, peer = asking()
    peer.expects(SYN, seq=0, at=SECOND)
    peer.sends(SYN | ACK | flags, options=PEER_OPTIONS)
    peer.expects(ACK)
    user.writes(bytes(MSS))
    peer.expects(ACK, length=MSS, ecn=NOT_ECT)


@pytest.mark.clause("R3168-6.1.1-02")
@pytest.mark.parametrize("choice", [ECN_REFUSE, ECN_ACCEPT, ECN_ASK])
@pytest.mark.parametrize("flags", [0, ECE, CWR, ECE | CWR])
def test_answering(choice: int, flags: int) -> None:
    """Only a SYN with both flags is answered with ECE, and only by whoever is willing."""
    user, peer = listening(ecn=choice)
    peer.sends(SYN | flags, options=PEER_OPTIONS)
    is_agreed = choice != ECN_REFUSE and flags == ECE | CWR
    peer.expects(SYN | ACK | (ECE if is_agreed else 0), ecn=NOT_ECT)
    peer.sends(ACK)
    user.hears(Accepted)
    user.writes(bytes(MSS))
    peer.expects(ACK, length=MSS, ecn=ECT_0 if is_agreed else NOT_ECT)


@pytest.mark.clause("R3168-6.1.1-03")
def test_a_second_syn_takes_it_back() -> None:
    """The answer was lost and the peer asks no more: neither does the host agree any more."""
    user, peer = listening()
    peer.sends(SYN | ECE | CWR, options=PEER_OPTIONS)
    peer.expects(SYN | ACK | ECE)
    peer.sends(SYN, options=PEER_OPTIONS, seq=0, at=10 * MILLISECOND)
    peer.expects(SYN | ACK)
    peer.sends(ACK)
    user.hears(Accepted)
    user.writes(bytes(MSS))
    peer.expects(ACK, length=MSS, ecn=NOT_ECT)


@pytest.mark.clause("R3168-6.1.1-03")
def test_simultaneous_open() -> None:
    """Both ask at once, and both agree."""
    user, peer = asking()
    peer.sends(SYN | ECE | CWR, options=PEER_OPTIONS)
    peer.expects(SYN | ACK | ECE, seq=0)
    peer.sends(SYN | ACK | ECE, seq=0, options=PEER_OPTIONS)
    user.hears(Established)
    peer.skips()
    user.writes(bytes(MSS))
    peer.expects(ACK, length=MSS, ecn=ECT_0)


# -- the receiver -----------------------------------------------------------------------------


@pytest.mark.clause("R3168-6.1.3-01", "R3168-6.1.4-01")
def test_marks_are_echoed_until_the_window_is_reduced() -> None:
    """ECE on every segment after the mark, until CWR comes."""
    user, peer = agreed(delayed_ack=0)
    peer.sends(ACK, text=b"one", ecn=ECT_0)
    peer.expects(ACK, ecn=NOT_ECT)
    peer.sends(ACK, text=b"two", ecn=CE)
    peer.expects(ACK | ECE, ecn=NOT_ECT)
    peer.sends(ACK, text=b"three", ecn=ECT_0)
    peer.expects(ACK | ECE)
    user.writes(b"text")
    peer.expects(ACK | ECE, text=b"text", ecn=ECT_0)
    peer.sends(ACK | CWR, text=b"four", ecn=ECT_0)
    peer.expects(ACK)


@pytest.mark.clause("R3168-6.1.3-02")
def test_a_mark_on_the_segment_with_cwr() -> None:
    """The series ends, and another begins."""
    _, peer = agreed(delayed_ack=0)
    peer.sends(ACK, text=b"one", ecn=CE)
    peer.expects(ACK | ECE)
    peer.sends(ACK | CWR, text=b"two", ecn=CE)
    peer.expects(ACK | ECE)


@pytest.mark.clause("R3168-6.1.5-02")
def test_marks_that_count_for_nothing() -> None:
    """On text outside of the window, on an ACK without text, on a connection without ECN."""
    _, peer = agreed(delayed_ack=0)
    peer.sends(ACK, text=b"old", seq=-1_000, ecn=CE)
    peer.expects(ACK)
    peer.sends(ACK, ecn=CE)
    peer.sends(ACK, text=b"one")
    peer.expects(ACK)
    _, other = established(delayed_ack=0)
    other.sends(ACK, text=b"one", ecn=CE)
    other.expects(ACK)


# -- the sender -------------------------------------------------------------------------------


def fill(peer: Peer, count: int) -> None:
    """Take ``count`` full segments of the host, all capable."""
    for _ in range(count):
        peer.expects(ACK, length=MSS, ecn=ECT_0)


@pytest.mark.clause("R3168-6.1.2-02", "R3168-6.1.2-03", "R3168-6.1.2-04")
def test_one_reduction_in_a_window() -> None:
    """The first echo reduces as a loss would, the others of the window do not; CWR once, on new text."""
    user, peer = agreed(congestion="newreno")
    user.writes(bytes(60 * MSS))
    fill(peer, 10)
    before = get_cwnd(peer)
    peer.sends(ACK | ECE, ack=1 + MSS, at=2 * RTT)
    reduced = get_cwnd(peer)
    assert reduced == before // 2
    for number in range(2, 7):
        peer.sends(ACK | ECE, ack=1 + number * MSS)
    assert get_cwnd(peer) == reduced
    peer.expects(ACK | CWR, length=MSS, ecn=ECT_0)
    peer.sends(ACK, ack=1 + 10 * MSS)
    fill(peer, 4)
    for number in range(3, 5):
        peer.sends(ACK, at=number * RTT)
        assert get_cwnd(peer) == reduced + (number - 3) * MSS  # congestion avoidance, a round later
        fill(peer, get_cwnd(peer) // MSS)
    grown = get_cwnd(peer)
    peer.sends(ACK | ECE, at=5 * RTT)
    assert get_cwnd(peer) < grown
    peer.expects(ACK | CWR, length=MSS, ecn=ECT_0)


@pytest.mark.clause("R3168-6.1.2-03")
def test_a_loss_in_a_window_that_was_reduced() -> None:
    """A mark and a loss of one window are one congestion."""
    user, peer = agreed(congestion="newreno", sack=False)
    user.writes(bytes(60 * MSS))
    fill(peer, 10)
    peer.sends(ACK | ECE, ack=1 + MSS, at=2 * RTT)
    (connection,) = peer.dialogue.host.connections.values()
    window = connection.control.branches[0].subflow.tcb.window
    reduced = window.ssthresh
    for _ in range(3):
        peer.sends(ACK, ack=1 + MSS)
    peer.expects(ACK | CWR, length=MSS)  # limited transmit
    peer.expects(ACK, length=MSS)
    peer.expects(ACK, seq=1 + MSS, length=MSS, ecn=NOT_ECT)
    assert window.ssthresh == reduced


@pytest.mark.clause("R3168-6.1.5-01", "R3168-6.1.2-04")
@pytest.mark.parametrize("cause", ["timeout", "duplicates"])
def test_what_goes_again(cause: str) -> None:
    """Neither mark nor CWR on it; CWR on the new text that follows."""
    user, peer = agreed(congestion="newreno", sack=False)
    user.writes(bytes(60 * MSS))
    fill(peer, 10)
    moment: Micros | None = None
    if cause == "duplicates":
        for _ in range(3):
            peer.sends(ACK, ack=1, at=2 * RTT if moment is None else None)
            moment = 2 * RTT
        while (one := peer.inbox[0].segment).ecn == ECT_0:  # limited transmit
            peer.expects(one.flags, length=MSS)
    peer.expects(ACK, seq=1, length=MSS, ecn=NOT_ECT, by=2 * SECOND)
    peer.skips()
    peer.sends(ACK)
    one = peer.expects(ACK | CWR, length=MSS, ecn=ECT_0)
    peer.expects(ACK, length=MSS, ecn=ECT_0)


@pytest.mark.clause("R3168-6.1.6-01")
def test_window_probes() -> None:
    """They have no mark, and no CWR."""
    user, peer = agreed()
    peer.sends(ACK, window=0)
    user.writes(bytes(MSS))
    peer.expects(ACK, length=1, ecn=NOT_ECT, by=2 * SECOND)


@pytest.mark.clause("R3168-6.1.2-02")
def test_an_echo_that_nobody_agreed_to() -> None:
    """Without ECN the flag means nothing."""
    user, peer = established()
    user.writes(bytes(20 * MSS))
    peer.skips()
    before = get_cwnd(peer)
    peer.sends(ACK | ECE, ack=1 + MSS, at=RTT)
    assert get_cwnd(peer) > before
