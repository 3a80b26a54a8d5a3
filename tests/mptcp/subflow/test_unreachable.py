"""ICMP "unreachable": RFC 9293 §3.9.2.2, as far as RFC 5927 lets anybody be believed."""

import pytest

from mptcp.events import Aborted, Established, Troubled
from mptcp.numbers import compute_wire_32
from mptcp.parameters import SECOND
from mptcp.wire.icmp import Quote, TooBig, Unreachable, emit
from mptcp.wire.segment import ACK, SYN
from mptcp_model.dialogue import Peer
from mptcp_model.situations import established, syn_sent

ROUTER_IPV4 = bytes([192, 0, 2, 1])
ROUTER_IPV6 = bytes([0x20, 1, 0xD, 0xB8, *bytes(11), 1])
SOFT_4 = [0, 1, 5, 9, 10, 13]
SOFT_6 = [0, 2, 3, 5]


def report(peer: Peer, code: int, seq: int, port: int | None = None) -> None:
    """A router reports that the host's segment at ``seq`` could not be delivered."""
    number = compute_wire_32(peer.host_isn, seq)
    ports = (peer.local_port, peer.port if port is None else port)
    quote = Quote(peer.local, peer.address, *ports, number)
    router = ROUTER_IPV4 if len(peer.local) == 4 else ROUTER_IPV6
    peer.sends_octets(emit(Unreachable(code, quote), router, peer.local))


@pytest.mark.clause("R9293-3.9.2.2-05", "R9293-3.9.2.2-01")
@pytest.mark.parametrize(("ipv6", "code"), [(False, 2), (False, 3), (True, 1), (True, 4)])
def test_hard_error_while_opening(ipv6: bool, code: int) -> None:
    """Nobody is at that port or protocol: the open fails at once, and the SYN goes no more."""
    user, peer = syn_sent(ipv6=ipv6)
    report(peer, code, 0)
    assert user.hears(Aborted) == Aborted(user.connection, "unreachable")
    peer.expects_nothing(until=300 * SECOND)


@pytest.mark.clause("R9293-3.9.2.2-03", "R9293-3.9.1.8-01", "R9293-3.9.2.2-04")
@pytest.mark.parametrize(("ipv6", "code"), [(False, c) for c in SOFT_4] + [(True, c) for c in SOFT_6])
def test_soft_error_while_opening(ipv6: bool, code: int) -> None:
    """What cannot be reached now may be later: the SYN goes on, and in the end the reason is told."""
    user, peer = syn_sent(ipv6=ipv6)
    report(peer, code, 0)
    user.hears(Troubled(user.connection, "unreachable"))
    peer.expects(SYN, at=SECOND)
    peer.waits(600 * SECOND)
    user.hears(Troubled(user.connection, "retransmissions"))
    assert user.hears(Aborted) == Aborted(user.connection, "unreachable")


@pytest.mark.clause("R9293-3.9.2.2-03")
def test_soft_error_and_success() -> None:
    """Whoever answers after all is heard."""
    user, peer = syn_sent()
    report(peer, 1, 0)
    peer.expects(SYN, at=SECOND)
    peer.sends(SYN | ACK)
    user.hears(Troubled, Established)


@pytest.mark.clause("R9293-3.9.1.8-02")
def test_reports_are_a_choice() -> None:
    """Whoever does not want to hear of trouble does not."""
    user, peer = syn_sent(report_trouble=False)
    report(peer, 1, 0)
    peer.waits(30 * SECOND)
    user.hears_nothing()


@pytest.mark.clause("R9293-3.9.2.2-03", "R9293-3.9.2.2-04", "R9293-3.9.1.8-01")
@pytest.mark.parametrize("code", range(16))
def test_no_error_breaks_what_stands(code: int) -> None:
    """Anybody can send such a packet: a connection that is open goes on."""
    if code == 4:
        code = 15
    user, peer = established()
    user.writes(b"hello")
    peer.expects(ACK, text=b"hello")
    report(peer, code, 1)
    user.hears(Troubled(user.connection, "unreachable"))
    peer.expects(ACK, seq=1, text=b"hello", by=10 * SECOND)
    peer.sends(ACK)
    user.writes(b"world")
    peer.expects(ACK, text=b"world")


@pytest.mark.clause("R9293-3.9.2.2-01")
@pytest.mark.parametrize("seq", [1, -1, 1 << 30])
def test_what_was_never_sent(seq: int) -> None:
    """A report that quotes a number which is not in flight is somebody's guess: nothing happens."""
    user, peer = syn_sent()
    report(peer, 3, seq)
    user.hears_nothing()
    peer.expects(SYN, at=SECOND)


@pytest.mark.clause("R9293-3.9.2.2-01")
def test_of_another_connection() -> None:
    """A report is for the connection whose ports it quotes, and for no other."""
    user, peer = syn_sent()
    report(peer, 3, 0, port=81)
    user.hears_nothing()
    peer.expects(SYN, at=SECOND)


def test_too_big() -> None:
    """RFC 5927 §7: "too big" breaks nothing off, even with an absurd size."""
    user, peer = established()
    user.writes(bytes(5_000))
    peer.skips()
    peer.acked = 1
    for mtu in (0, 1, 67, 576, 65_535):
        quote = Quote(peer.local, peer.address, peer.local_port, peer.port, compute_wire_32(peer.host_isn, 1))
        peer.sends_octets(emit(TooBig(mtu, quote), ROUTER_IPV4, peer.local))
    user.hears_nothing()
    assert peer.expects(ACK, seq=1, by=10 * SECOND).text_length > 0
