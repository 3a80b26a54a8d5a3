"""What the application may set: the user timeout, the hop limit, the DSCP (RFC 9293 §3.9.1, §3.9.2)."""

import pytest

from mptcp.choices import Choices
from mptcp.errors import Refused
from mptcp.events import Aborted, Established, Readable
from mptcp.host import Host
from mptcp.parameters import HOUR, MILLISECOND, SECOND
from mptcp.wire import ip
from mptcp.wire.segment import ACK, FIN, RST, SYN
from mptcp_model.dialogue import HOST_IPV4, HOST_IPV6, PEER_IPV4, PEER_IPV6, SEED, DataSignal, User
from mptcp_model.joins import join
from mptcp_model.situations import established, established_actively, fin_wait_1, syn_sent

RTT = 50 * MILLISECOND


def hears_timeout(user: User) -> None:
    """The end, and why."""
    events = [event for event in user.dialogue.events if isinstance(event, Aborted)]
    assert events == [Aborted(user.connection, "user timeout")]


# -- the user timeout -------------------------------------------------------------------------


@pytest.mark.parametrize("multipath", [False, True])
def test_nothing_is_acknowledged(multipath: bool) -> None:
    """What was written waits so long for an acknowledgment and no longer; then a RST says so."""
    user, peer = established(multipath, rtt=RTT, user_timeout=10 * SECOND)
    user.writes(b"hello", at=SECOND)
    peer.waits(11 * SECOND - 1)
    assert not any(isinstance(event, Aborted) for event in user.dialogue.events)
    peer.waits(11 * SECOND)
    hears_timeout(user)
    assert any(one.flags & RST for one in peer.skips())
    peer.expects_nothing(until=HOUR)


@pytest.mark.parametrize("multipath", [False, True])
def test_progress(multipath: bool) -> None:
    """Each acknowledgment of something new begins the wait anew, and idleness is none."""
    user, peer = established(multipath, rtt=RTT, user_timeout=10 * SECOND)
    user.writes(bytes(2_000), at=SECOND)
    peer.skips()
    half = [DataSignal(ack=1_001)] if multipath else []
    peer.sends(ACK, ack=1_001, options=half, at=9 * SECOND)
    peer.waits(18 * SECOND)
    assert not any(isinstance(event, Aborted) for event in user.dialogue.events)
    peer.skips()
    peer.sends(ACK, ack=2_001, options=[DataSignal(ack=2_001)] if multipath else [], at=18 * SECOND)
    peer.waits(HOUR)
    assert not any(isinstance(event, Aborted) for event in user.dialogue.events)


def test_closed_window() -> None:
    """Text that a closed window holds back is not delivered either."""
    user, peer = established(window=0, user_timeout=10 * SECOND)
    user.writes(b"hello")
    for at in range(1, 10):
        peer.sends(ACK, at=at * SECOND)
    peer.waits(10 * SECOND)
    hears_timeout(user)


def test_opening() -> None:
    """The SYN waits no longer than text does."""
    user, peer = syn_sent(user_timeout=10 * SECOND)
    peer.waits(10 * SECOND)
    hears_timeout(user)
    peer.skips()
    peer.expects_nothing(until=HOUR)


def test_fin() -> None:
    """Nor does the FIN, set after it had left."""
    user, peer = fin_wait_1()
    user.host.tune(user.connection, 0, user_timeout=5 * SECOND)
    user.dialogue.settle()
    peer.waits(5 * SECOND)
    hears_timeout(user)


def test_switched_off() -> None:
    """Zero waits for ever, as it is by default."""
    user, peer = established(rtt=RTT, user_timeout=10 * SECOND)
    user.writes(b"hello")
    user.host.tune(user.connection, peer.dialogue.now, user_timeout=0)
    user.dialogue.settle()
    peer.waits(100 * SECOND)
    assert not any(isinstance(event, Aborted) for event in user.dialogue.events)
    assert Choices().user_timeout == 0


# -- the header of IP -------------------------------------------------------------------------


def read_headers(host: Host) -> list[tuple[int, int]]:
    """Hop limit and DSCP of what leaves."""
    found = [ip.parse(one.octets()) for one in host.transmit(0)]
    return [(one.hop_limit, one.traffic_class >> 2) for one in found]


@pytest.mark.clause("R9293-3.9.2-01", "R9293-3.9.1.9-01", "R9293-3.9.1.9-02", "R9293-3.9.1.9-03")
@pytest.mark.parametrize("ipv6", [False, True])
def test_hop_limit_and_dscp(ipv6: bool) -> None:
    """From the first SYN on as chosen, and from any moment on as set; as they are, for IP."""
    local, remote = (HOST_IPV6, PEER_IPV6) if ipv6 else (HOST_IPV4, PEER_IPV4)
    host = Host((local,), SEED, Choices(hop_limit=3, dscp=46))
    connection = host.connect(local, remote, 80, 0)
    assert read_headers(host) == [(3, 46)]
    host.tune(connection, 0, hop_limit=255, dscp=10)
    host.tick(SECOND)
    assert read_headers(host) == [(255, 10)]
    other = host.connect(local, remote, 80, 0, choices=Choices())
    assert other != connection
    assert read_headers(host) == [(64, 0)]


@pytest.mark.parametrize(
    "settings", [{"hop_limit": 0}, {"hop_limit": 256}, {"dscp": -1}, {"dscp": 64}, {"user_timeout": -1}]
)
def test_out_of_range(settings: dict[str, int]) -> None:
    """Refused, and nothing is changed."""
    user, _ = established_actively()
    with pytest.raises(Refused):
        user.host.tune(user.connection, 0, **settings)  # type: ignore[arg-type]
    with pytest.raises(Refused):
        user.host.tune(99, 0)
    control = user.host.connections[user.connection].control
    assert (control.hop_limit, control.dscp, control.user_timeout) == (64, 0, 0)


def test_tuning_while_opening() -> None:
    """What is set before the handshake is over holds when it is."""
    user, peer = syn_sent(keep_alive_idle=100 * SECOND)
    user.host.tune(user.connection, 0, keep_alive=True, user_timeout=30 * SECOND)
    peer.sends(SYN | ACK)
    user.hears(Established)
    peer.skips()
    peer.expects(ACK, seq=0, at=100 * SECOND)
    peer.sends(FIN | ACK, text=b"bye")
    user.hears(Readable)


@pytest.mark.clause("R9293-3.7.4-01")
def test_nagle_on_all_subflows() -> None:
    """Switched off for the connection it is off on the subflows that there are, and those that come."""
    user, first = established(multipath=True)
    user.host.tune(user.connection, 0, nagle=False)
    other = first.dialogue.meets(port=41_000)
    join(other, first)
    tcbs = [branch.subflow.tcb for branch in user.host.connections[user.connection].control.branches]
    assert [tcb.nagle for tcb in tcbs] == [False, False]
    user.host.tune(user.connection, 0, nagle=True)
    assert [tcb.nagle for tcb in tcbs] == [True, True]


def test_keep_alive_on_a_later_subflow() -> None:
    """What was set for the connection holds for subflows that join it afterwards."""
    user, first = established(multipath=True, keep_alive_idle=100 * SECOND)
    user.host.tune(user.connection, 0, keep_alive=True)
    other = first.dialogue.meets(port=41_000)
    join(other, first)
    first.dialogue.settle()
    other.skips()
    other.expects(ACK, seq=0, length=0, at=100 * SECOND)
    user.host.tune(user.connection, 100 * SECOND, keep_alive=False)
    first.sends(ACK, options=[DataSignal(ack=1)])
    other.sends(ACK, options=[DataSignal(ack=1)])
    first.skips()
    other.expects_nothing(until=HOUR)
    first.expects_nothing(until=HOUR)
