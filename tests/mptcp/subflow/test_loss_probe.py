"""The tail of a flight is lost: the loss probe of RFC 8985 §7."""

from typing import Any

import pytest

from mptcp.choices import NEWRENO
from mptcp.numbers import compute_wire_32
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.subflow.control import NEVER, Control
from mptcp.subflow.phase import Phase
from mptcp.subflow.rack import compute_pto
from mptcp.wire.options import MaximumSegmentSize, Option, Sack, SackPermitted
from mptcp.wire.segment import ACK, FIN
from mptcp_model.dialogue import Peer, User
from mptcp_model.situations import Scene, established

RTT = 100 * MILLISECOND
MSS = 1_460
SYN_OPTIONS: tuple[Option, ...] = (MaximumSegmentSize(MSS), SackPermitted())


def opened(**choices: Any) -> Scene:
    """A peer that understands SACK, 100 ms away."""
    return established(options=SYN_OPTIONS, rtt=RTT, **{"congestion": NEWRENO, **choices})


def find_tcb(user: User) -> Control:
    """The control block of the only subflow."""
    return user.host.connections[user.connection].control.branches[0].subflow.tcb


def block(peer: Peer, left: int, right: int) -> list[Option]:
    """The option with this run of offsets."""
    return [Sack(((compute_wire_32(peer.host_isn, left), compute_wire_32(peer.host_isn, right)),))]


@pytest.mark.clause("R8985-7.2-01")
@pytest.mark.parametrize(
    ("srtt", "is_single", "expected"),
    [
        (0, False, SECOND),
        (0, True, SECOND),
        (100_000, False, 200_000),
        (100_000, True, 240_000),
        (1, False, 10_000),
    ],
)
def test_probe_timeout(srtt: int, is_single: bool, expected: int) -> None:
    """Two round trips, the peer's delay more where one segment is out; one second before any is known."""
    assert compute_pto(srtt, is_single, 40 * MILLISECOND) == expected


@pytest.mark.clause("R8985-7.2-01", "R8985-7.3-02", "R8985-7.3-03")
def test_last_segment_goes_again() -> None:
    """Nothing is heard of three segments: after two round trips the last goes again; the RTO starts anew."""
    user, peer = opened()
    user.writes(bytes(3 * MSS))
    peer.skips()
    peer.acked = 1
    peer.expects(ACK, seq=1 + 2 * MSS, length=MSS, at=3 * RTT)
    tcb = find_tcb(user)
    assert tcb.pto_at == NEVER
    assert tcb.rto_at == peer.dialogue.now + tcb.rto
    assert (tcb.phase, tcb.window.cwnd) == (Phase.OPEN, 10 * MSS)


@pytest.mark.clause("R8985-7.2-01")
def test_never_after_the_timeout() -> None:
    """Where the RTO would be earlier, the probe leaves then."""
    user, peer = opened(minimum_rto=1)
    tcb = find_tcb(user)
    tcb.srtt, tcb.rttvar, tcb.rto = 3 * SECOND, 0, SECOND
    user.writes(bytes(3 * MSS))
    assert tcb.pto_at == tcb.rto_at == peer.dialogue.now + SECOND


@pytest.mark.clause("R8985-7.3-02")
def test_new_text_as_probe() -> None:
    """What was not sent yet goes first, a segment, though cwnd is in use."""
    user, peer = opened()
    user.writes(bytes(20 * MSS))
    assert len(peer.skips()) == 10
    peer.acked = 1
    peer.expects(ACK, seq=1 + 10 * MSS, length=MSS, at=3 * RTT)
    peer.expects_nothing()
    assert find_tcb(user).octets_retransmitted == 0


@pytest.mark.clause("R8985-7.3-02")
def test_closed_window() -> None:
    """Where the peer's window has no room for new text, the last segment is the probe."""
    user, peer = established(options=SYN_OPTIONS, rtt=RTT, window=4 * MSS)
    user.writes(bytes(20 * MSS))
    assert len(peer.skips()) == 4
    peer.acked = 1
    peer.expects(ACK, seq=1 + 3 * MSS, length=MSS, at=3 * RTT)


@pytest.mark.clause("R8985-7.3-02")
def test_fin_as_probe() -> None:
    """A FIN is the last segment, too."""
    user, peer = opened()
    user.writes(b"bye")
    user.closes()
    peer.skips()
    peer.acked = 1
    peer.expects(FIN | ACK, seq=4, at=RTT + 240 * MILLISECOND)


@pytest.mark.clause("R8985-7.3-01")
def test_one_probe_for_one_measurement() -> None:
    """No second one before a round trip was measured: then the timeout speaks."""
    user, peer = opened(nagle=False)
    user.writes(bytes(3 * MSS))
    peer.skips()
    peer.acked = 1
    peer.expects(ACK, seq=1 + 2 * MSS, at=3 * RTT)
    user.writes(bytes(100))
    peer.skips()
    tcb = find_tcb(user)
    assert tcb.pto_at < NEVER
    peer.acked = 1
    peer.expects(ACK, seq=1, by=2 * SECOND)
    assert (tcb.retries, tcb.phase) == (1, Phase.SLOW)


@pytest.mark.clause("R8985-7.4.2-01")
@pytest.mark.parametrize("is_doubled", [False, True])
def test_repaired_by_the_probe(is_doubled: bool) -> None:
    """Was the last segment lost? The window shrinks, unless the peer says that it came twice."""
    user, peer = opened()
    user.writes(bytes(3 * MSS))
    peer.skips()
    peer.acked = 1
    peer.expects(ACK, seq=1 + 2 * MSS, at=3 * RTT)
    report = block(peer, 1 + 2 * MSS, 1 + 3 * MSS) if is_doubled else []
    peer.sends(ACK, ack=1 + 3 * MSS, options=report, at=4 * RTT)
    user.writes(bytes(100))
    peer.skips()
    peer.sends(ACK, ack=101 + 3 * MSS)
    tcb = find_tcb(user)
    assert tcb.window.ssthresh < 10 * MSS or is_doubled
    assert tcb.phase is Phase.OPEN
    assert tcb.rack.tlp_end_seq == -1


@pytest.mark.clause("R8985-7.4.2-01")
def test_bare_duplicate_is_proof_too() -> None:
    """A peer without D-SACK answers a needless probe by a duplicate without blocks."""
    user, peer = opened()
    user.writes(bytes(3 * MSS))
    peer.skips()
    peer.acked = 1
    peer.expects(ACK, seq=1 + 2 * MSS, at=3 * RTT)
    peer.sends(ACK, ack=1 + 3 * MSS, at=4 * RTT)
    tcb = find_tcb(user)
    assert tcb.rack.tlp_end_seq == 1 + 3 * MSS
    user.writes(bytes(100))
    peer.skips()
    peer.sends(ACK, ack=1 + 3 * MSS)
    peer.sends(ACK, ack=101 + 3 * MSS)
    assert tcb.window.ssthresh > 10 * MSS


@pytest.mark.clause("R8985-6.2-01", "R8985-7.1-01")
def test_probe_finds_the_others() -> None:
    """The answer to the probe shows that all before it is lost: recovery without a timeout."""
    user, peer = opened()
    user.writes(bytes(4 * MSS))
    peer.skips()
    peer.acked = 1
    peer.expects(ACK, seq=1 + 3 * MSS, at=3 * RTT)
    peer.sends(ACK, ack=1, options=block(peer, 1 + 3 * MSS, 1 + 4 * MSS), at=4 * RTT)
    tcb = find_tcb(user)
    sent = [peer.count(one.sequence) for one in peer.skips()]
    assert sent[0] == 1
    assert (tcb.phase, tcb.rack.tlp_end_seq, tcb.retries) == (Phase.FAST, -1, 0)


@pytest.mark.parametrize("without", ["sack", "rack"])
def test_no_probe_without(without: str) -> None:
    """Without SACK or RACK there is none: the timeout is the first to speak."""
    user, peer = opened(**{without: False})
    user.writes(bytes(3 * MSS))
    peer.skips()
    peer.acked = 1
    peer.expects(ACK, seq=1, by=2 * SECOND)
    assert find_tcb(user).retries == 1


@pytest.mark.clause("R8985-7.2-01")
def test_no_probe_while_blocks_are_known() -> None:
    """Where something was reported the reordering timer has the word."""
    user, peer = opened()
    user.writes(bytes(5 * MSS))
    peer.skips()
    peer.sends(ACK, ack=1, options=block(peer, 1 + 4 * MSS, 1 + 5 * MSS), at=2 * RTT)
    tcb = find_tcb(user)
    assert tcb.pto_at == NEVER
    assert tcb.reorder_at < NEVER
