"""Path MTU discovery as a dialogue: ICMP that is believed and ICMP that is not, probes, black holes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.numbers import compute_wire_32
from mptcp.parameters import MILLISECOND, PROBE_ATTEMPTS, PROBE_STEP, SECOND
from mptcp.subflow.path_mtu import (
    PLATEAUS,
    SEARCHES,
    Finding,
    PathMtu,
    Search,
    compute_candidate,
    compute_plateau,
)
from mptcp.wire import ip
from mptcp.wire.icmp import Quote, TooBig, emit
from mptcp.wire.options import NOP, Sack, SackPermitted
from mptcp.wire.segment import ACK, Segment
from mptcp_model.dialogue import Peer
from mptcp_model.situations import PEER_OPTIONS, established, syn_sent

RTT = 100 * MILLISECOND
MSS = 1_460
ROUTER_IPV4 = bytes([192, 0, 2, 1])
ROUTER_IPV6 = bytes([0x20, 1, 0xD, 0xB8, *bytes(11), 1])


def report(peer: Peer, mtu: int, seq: int) -> None:
    """A router reports that the host's segment at ``seq`` did not fit a link of ``mtu`` octets."""
    number = compute_wire_32(peer.host_isn, seq)
    quote = Quote(peer.local, peer.address, peer.local_port, peer.port, number)
    router = ROUTER_IPV4 if len(peer.local) == 4 else ROUTER_IPV6
    peer.sends_octets(emit(TooBig(mtu, quote), router, peer.local))


def get_path(peer: Peer) -> PathMtu:
    """What the host's subflow knows."""
    (connection,) = peer.dialogue.host.connections.values()
    return connection.control.branches[0].subflow.tcb.path


# -- ICMP -------------------------------------------------------------------------------------


@pytest.mark.clause(
    "R1191-3-01",
    "R1191-3-02",
    "R1191-6.4-02",
    "R1191-6.4-03",
    "R8201-5.4-02",
    "R5927-7.2-02",
    "R9293-3.7.3-01",
)
@pytest.mark.parametrize(("ipv6", "mtu"), [(False, 1_000), (True, 1_300)])
def test_too_big(ipv6: bool, mtu: int) -> None:
    """What is out goes again at once, in segments that fit; once, however often it is said; cwnd stays."""
    user, peer = established(rtt=RTT, ipv6=ipv6)
    user.writes(bytes(3_000))
    header = 60 if ipv6 else 40
    full, short = 1_500 - header, mtu - header
    sizes = [min(full, MSS)] * 2
    for size in sizes:
        peer.expects(ACK, length=size)
    rest = 3_000 - sum(sizes)
    if rest:
        peer.expects(ACK, length=rest)
    (connection,) = peer.dialogue.host.connections.values()
    window = connection.control.branches[0].subflow.tcb.window
    before = window.cwnd, window.ssthresh
    report(peer, mtu, 1)
    again = 0
    while again < sum(sizes):
        one = peer.expects(ACK, seq=1 + again)
        assert one.text_length <= short
        again += one.text_length
    report(peer, mtu, 1 + sizes[0])
    report(peer, mtu, 1)
    peer.expects_nothing()
    assert (window.cwnd, window.ssthresh) == before
    peer.acked = 3_001
    peer.sends(ACK)
    user.writes(bytes(2 * short))
    peer.expects(ACK, length=short)
    peer.expects(ACK, length=short)


@pytest.mark.clause("R5927-4.1-01", "R8201-4-07", "R8899-3-02", "R1191-3-07", "R8201-4-06", "R5927-7.2-01")
@pytest.mark.parametrize("seq", [-5_000, 0, 1 + MSS, 1 << 20])
def test_not_in_flight(seq: int) -> None:
    """A report about what is acknowledged, or was never sent, is nobody's."""
    user, peer = established(rtt=RTT)
    user.writes(bytes(MSS))
    peer.expects(ACK, length=MSS)
    report(peer, 1_000, seq)
    report(peer, 1_500, 1)
    report(peer, 9_000, 1)
    peer.expects_nothing()
    assert get_path(peer).size == 1_500


@pytest.mark.clause("R5927-4.1-01")
def test_about_a_syn() -> None:
    """A SYN is not too big for anything."""
    _, peer = syn_sent()
    report(peer, 600, 0)
    assert get_path(peer).size == 1_500


@pytest.mark.clause("R8201-4-01", "R1191-3-06")
@pytest.mark.parametrize("ipv6", [False, True])
def test_the_smallest(ipv6: bool) -> None:
    """Below 1280 octets IPv6 believes nobody; IPv4 goes no further down than is sensible."""
    user, peer = established(rtt=RTT, ipv6=ipv6)
    user.writes(bytes(1_400))
    peer.skips()
    report(peer, 68, 1)
    assert get_path(peer).size == (1_500 if ipv6 else 552)


@pytest.mark.clause("R1191-3-05")
def test_a_router_that_does_not_say() -> None:
    """The next of the usual sizes below."""
    user, peer = established(rtt=RTT)
    user.writes(bytes(MSS))
    peer.skips()
    report(peer, 0, 1)
    assert get_path(peer).size == 1_492
    peer.expects(ACK, seq=1, length=1_452)
    report(peer, 0, 1)
    assert get_path(peer).size == 1_006


@pytest.mark.clause("R5927-7.2-03")
@pytest.mark.parametrize("is_true", [True, False])
def test_less_than_has_arrived(is_true: bool) -> None:
    """It waits for a timeout; an acknowledgment of what was quoted makes it void."""
    user, peer = established(rtt=RTT)
    user.writes(bytes(2 * MSS))
    peer.expects(ACK, length=MSS)
    peer.expects(ACK, length=MSS)
    peer.sends(ACK, at=2 * RTT)
    user.writes(bytes(MSS))
    peer.expects(ACK, seq=1 + 2 * MSS, length=MSS)
    report(peer, 1_000, 1 + 2 * MSS)
    peer.expects_nothing()
    if is_true:
        peer.expects(ACK, seq=1 + 2 * MSS, length=960, by=2 * SECOND)
        assert get_path(peer).size == 1_000
        return
    peer.sends(ACK)
    user.writes(bytes(MSS))
    peer.expects(ACK, length=MSS)
    peer.expects(ACK, length=MSS, by=2 * SECOND)
    assert get_path(peer).size == 1_500


@pytest.mark.clause("R1191-2-01", "R8899-3-01")
def test_nobody_may_fragment() -> None:
    """DF on the SYN/ACK, on text, on what goes again."""
    user, peer = established(rtt=RTT)
    user.writes(bytes(3_000))
    peer.waits(SECOND)
    mine = [one for one in peer.dialogue.story if hasattr(one, "octets")]
    from_host = [one.octets for one in mine if ip.parse(one.octets).source == peer.local]
    assert len(from_host) > 3
    assert all(packet[6] & 0x40 for packet in from_host)


# -- probes and black holes -------------------------------------------------------------------


@pytest.mark.clause("R4821-7.7-01", "R8899-4.3-01")
@pytest.mark.parametrize("ipv6", [False, True])
def test_down_in_steps(ipv6: bool) -> None:
    """After two timeouts to the base, after four to the smallest, and no further."""
    user, peer = established(rtt=RTT, ipv6=ipv6)
    user.writes(bytes(3_000))
    peer.skips()
    path, sizes = get_path(peer), []
    for _ in range(8):
        peer.waits(peer.dialogue.host.deadline() or 0)
        peer.skips()
        sizes.append(path.size)
    smallest = 1_280 if ipv6 else 552
    assert sizes == [1_500, 1_280, 1_280, smallest, smallest, smallest, smallest, smallest]
    assert path.search is (Search.BASE if ipv6 else Search.ERROR)


@pytest.mark.clause("R4821-7.7-01")
def test_short_text_is_no_evidence() -> None:
    """What would have gone through any path is not lost for its length."""
    user, peer = established(rtt=RTT)
    user.writes(bytes(500))
    peer.waits(20 * SECOND)
    assert get_path(peer).size == 1_500


def begin_probe() -> tuple[PathMtu, Peer, Segment]:
    """A black hole is behind the host; the path carries all again, and the first probe is out."""
    user, peer = established(rtt=RTT, options=[*PEER_OPTIONS, SackPermitted()])
    user.writes(bytes(100_000))
    peer.skips()
    path = get_path(peer)
    while path.search is not Search.BASE:
        peer.waits(peer.dialogue.host.deadline() or 0)
    peer.acked = 1 + peer.inbox[0].segment.text_length
    for _ in range(200):
        peer.waits(peer.dialogue.now + RTT)
        peer.sends(ACK)
        while peer.inbox:
            one = peer.inbox.pop(0).segment
            if path.is_probe and peer.count(one.sequence) == path.test_start:
                return path, peer, one
            peer.take(one)
    raise AssertionError("no probe left")


@pytest.mark.clause(
    "R4821-7.6.4-01",
    "R4821-7.1-01",
    "R4821-7.4-01",
    "R4821-4-01",
    "R4821-7.6.2-02",
    "R8899-3-03",
    "R4821-7.4-02",
)
@pytest.mark.parametrize("others", [0, 1])
def test_a_lost_probe(others: int) -> None:
    """Alone it tells of the path and not of congestion; beside another loss it is the other way about."""
    path, peer, probe = begin_probe()
    assert (path.size, path.tested, probe.text_length) == (1_280, 1_500, 1_460)
    (connection,) = peer.dialogue.host.connections.values()
    window = connection.control.branches[0].subflow.tcb.window
    before = window.cwnd, window.ssthresh
    after = [one.segment for one in peer.inbox]
    assert len(after) >= 3
    left = after[others].sequence
    peer.waits(peer.dialogue.now + RTT)
    for one in after[others:]:
        right = one.sequence + one.text_length & 0xFFFF_FFFF
        peer.sends(ACK, ack=peer.count(probe.sequence), options=[NOP, NOP, Sack(((left, right),))])
    assert not path.is_probe
    if others:
        assert path.failures == 0
        assert window.ssthresh < before[1]
        return
    assert path.failures == 1
    assert window.ssthresh == before[1]
    assert window.cwnd >= before[0]
    again = [one.segment for one in peer.inbox if peer.count(one.segment.sequence) < peer.count(left)]
    assert [one.text_length for one in again] == [1_240, 220]


@pytest.mark.clause("R8899-4.6.2-01", "R4821-7.6.2-03")
def test_a_router_tells_of_a_probe() -> None:
    """Then that is the next to try, and the text of the probe goes again at once."""
    path, peer, probe = begin_probe()
    peer.inbox.clear()
    report(peer, 1_400, peer.count(probe.sequence))
    assert (path.size, path.high) == (1_280, 1_400)
    assert peer.inbox[0].segment.sequence == probe.sequence
    peer.acked = peer.count(probe.sequence) + probe.text_length
    for _ in range(20):
        peer.sends(ACK)
        if path.is_probe:
            break
        for one in peer.inbox:
            peer.take(one.segment)
        peer.inbox.clear()
        peer.waits(peer.dialogue.now + RTT)
    assert path.tested == 1_400


@pytest.mark.clause("R4821-7.6.1-01", "R4821-7.1-02", "R4821-4-02")
def test_a_probe_arrives() -> None:
    """Its size is the path's now, and segments follow; cwnd has no more octets than before."""
    path, peer, probe = begin_probe()
    (connection,) = peer.dialogue.host.connections.values()
    window = connection.control.branches[0].subflow.tcb.window
    before = window.cwnd
    peer.inbox.clear()
    peer.sends(ACK, ack=peer.count(probe.sequence) + probe.text_length)
    assert path.size == path.arrived == 1_500
    assert window.cwnd <= before + window.mss
    peer.expects(ACK, length=1_460)


@pytest.mark.clause("R4821-7.6.3-01")
def test_a_timeout_takes_a_probe_along() -> None:
    """Nothing is learnt, and the next one waits for five times as many round trips as packets are in cwnd."""
    path, peer, _ = begin_probe()
    (connection,) = peer.dialogue.host.connections.values()
    tcb = connection.control.branches[0].subflow.tcb
    peer.inbox.clear()
    while tcb.retries == 0:
        peer.waits(peer.dialogue.host.deadline() or 0)
    assert (path.is_probe, path.failures, path.high) == (False, 0, 1_500)
    assert path.look_at == peer.dialogue.now + 5 * tcb.srtt


# -- leaves -----------------------------------------------------------------------------------

sizes = st.integers(68, 65_535)


@pytest.mark.clause("R4821-7.1-01", "R4821-7.3-02")
@given(sizes, sizes, sizes)
def test_candidates(low: int, high: int, hint: int) -> None:
    """More than what arrives and no more than may; none where the range is not worth it."""
    size = compute_candidate(low, high, hint)
    if size:
        assert low < size <= high
    else:
        assert high - low < PROBE_STEP


@pytest.mark.clause("R4821-7.3-02")
@given(st.integers(1_280, 65_535), st.integers(1_280, 65_535), st.integers(1_280, 65_535))
def test_the_search_ends_at_the_truth(base: int, bound: int, truth: int) -> None:
    """Whatever the path carries: found to eight octets, in as many probes as a number has bits."""
    if not base <= truth <= bound:
        return
    path = PathMtu(True, bound - 40)
    path.size = base
    path.start_search(0)
    probes = 0
    while size := compute_candidate(path.size, path.high, path.hint):
        path.start_test(size, 1, size, True)
        probes += 1
        if size <= truth:
            path.size = size
            path.end_test()
        else:
            path.fail(0)
    assert truth - PROBE_STEP < path.size <= truth
    assert probes <= PROBE_ATTEMPTS * 18


@given(sizes)
def test_plateaus(size: int) -> None:
    """The next one below, and never the same again."""
    assert compute_plateau(size) < size or size <= 552
    assert compute_plateau(size) in (*PLATEAUS, 552)


@pytest.mark.clause("R8899-5.2-01")
def test_the_machine() -> None:
    """Every state is left by a black hole or an arrival, and none is a trap."""
    assert set(SEARCHES) == set(Search)
    for state in Search:
        seen, ahead = {state}, [state]
        while ahead:
            for other in SEARCHES[ahead.pop()].values():
                if other not in seen:
                    seen.add(other)
                    ahead.append(other)
        assert Search.COMPLETE in seen
        assert Search.ERROR in seen
        assert Finding.BLACK_HOLE in SEARCHES[state]
