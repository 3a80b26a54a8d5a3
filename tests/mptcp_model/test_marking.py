"""Whole transfers through a queue that marks instead of dropping (RFC 3168)."""

from hashlib import sha256

import pytest

from mptcp.choices import CUBIC, ECN_ASK, ECN_REFUSE, NEWRENO, Choices
from mptcp.parameters import MILLISECOND
from mptcp.wire import ip
from mptcp.wire.segment import ACK, CE, Segment, emit, parse
from mptcp_model.simulated.applications import Sender, Sink
from mptcp_model.simulated.link import Line, mark
from mptcp_model.simulated.network import Network, ipv4, ipv6, path, two_hosts

SENT = b"".join(sha256(number.to_bytes(4, "big")).digest() for number in range(100_000))  # 3.2 MB
LINE = Line(rate=20_000_000, delay=20 * MILLISECOND, queue=150_000, mark=30_000)


def transfer(ecn: int, congestion: str, multipath: bool, family: int) -> Network:
    """3.2 MB from a client with this choice of ECN, through a line of 20 Mbit/s."""
    choices = Choices(ecn=ecn, congestion=congestion, multipath=multipath)
    network = two_hosts(path(LINE), client=choices, server=Choices(congestion=congestion))
    network.machines["server"].listen(80, Sink())
    address = ipv4 if family == 4 else ipv6
    network.machines["client"].connect(address(0, 1), address(0, 2), 80, Sender(SENT), network.now)
    network.touch("client")
    network.run()
    (server,) = network.machines["server"].applications.values()
    assert isinstance(server, Sink)
    assert server.digest == sha256(SENT).hexdigest()
    return network


@pytest.mark.clause("R3168-6.1.2-02", "R3168-6.1.2-01", "R3168-6.1.3-01")
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("multipath", [True, False])
@pytest.mark.parametrize("congestion", [NEWRENO, CUBIC])
def test_marks_in_place_of_losses(congestion: str, multipath: bool, family: int) -> None:
    """With ECN the window follows the marks: nothing is lost or sent twice, and the queue stays short."""
    network = transfer(ECN_ASK, congestion, multipath, family)
    link = network.links["client>0"].counters
    assert link.marked > 0
    assert link.overflowed == 0
    assert network.machines["client"].host.status(1).bytes_retrans == 0


@pytest.mark.parametrize("congestion", [NEWRENO, CUBIC])
def test_without(congestion: str) -> None:
    """Whoever does not speak it is never marked, and loses what the queue cannot hold."""
    link = transfer(ECN_REFUSE, congestion, True, 4).links["client>0"].counters
    assert link.marked == 0
    assert link.overflowed > 0


@pytest.mark.parametrize("family", [4, 6])
def test_a_mark_on_a_packet(family: int) -> None:
    """Two bits, and the checksum that goes with them; whoever is not capable passes unmarked."""
    address = ipv4 if family == 4 else ipv6
    for before in range(4):
        one = Segment(address(0, 1), address(0, 2), 1, 2, 3, 4, ACK, 5, 0, (), (), 0, before)
        packet = mark(emit(one, traffic_class=0xA0).octets())
        datagram = ip.parse(packet)
        assert parse(packet, datagram).ecn == (CE if before else 0)
        assert datagram.traffic_class >> 2 == 0xA0 >> 2
