"""Overload: somebody floods, does not read, fills a queue. The others keep their share, memory its bounds.

A share is what the same connections carried, in the same simulated time over the same links, while nobody
misbehaved. What a host holds is counted in octets of text, wherever they wait.
"""

from functools import cache
from random import Random

import pytest

from mptcp.choices import Choices
from mptcp.connection.control import Control
from mptcp.host import Host
from mptcp.parameters import CRUMB, HOUR, MILLISECOND, SECOND
from mptcp.values import Text
from mptcp.wire import ip
from mptcp.wire.segment import ACK, PSH, SYN, Segment, emit, parse
from mptcp_model.simulated.applications import Application, Sink
from mptcp_model.simulated.link import Line
from mptcp_model.simulated.network import Network, ipv4, path, two_hosts

SHARE = 0.8
BUFFER = 1 << 18  # octets of each connection's two buffers
MOST = BUFFER + 8  # octets that may be held: a window is told in units of 8 here, and rounded up
CHOICES = Choices(receive_buffer=BUFFER, send_buffer=BUFFER, backlog=64)
LINE = Line(rate=20_000_000, delay=5 * MILLISECOND, queue=100_000)
NARROW = Line(rate=10_000_000, delay=5 * MILLISECOND, queue_packets=20)
SPAN = 1_500 * MILLISECOND
FLOOD = 500 * MILLISECOND  # when it begins
LONG = 6 * SECOND
RAIDER = bytes([172, 16, 0, 1])
MANY = 4  # connections that behave


class Endless(Application):
    """Writes as long as there is room."""

    def push(self, host: Host, now: int) -> None:
        """Zeros, as many as are taken."""
        while host.write(self.connection, bytes(1 << 14), now) == 1 << 14:
            pass


def open_all(network: Network, count: int = MANY, port: int = 80) -> None:
    """The client opens so many connections, and writes on each without end."""
    client = network.machines["client"]
    for _ in range(count):
        client.connect(ipv4(0, 1), ipv4(0, 2), port, Endless(), network.now)
    network.touch("client")


def count_carried(network: Network, port: int = 80) -> list[int]:
    """Octets that came by each connection to a port, fewest first."""
    server = network.machines["server"]
    return sorted(
        sum(map(len, one.received))
        for handle, one in server.applications.items()
        if server.host.connections[handle].control.first[1] == port
    )


def count_held(host: Host) -> list[int]:
    """Octets of text that each connection of a host holds for its reader; what it writes is bounded, too."""
    held = []
    for connection in host.connections.values():
        control = connection.control
        branches = [(len(one.inbound), one.subflow.tcb.rcv_queue.held) for one in control.branches]
        received = len(control.rcv_ready) + control.rcv_held.held + sum(map(sum, branches))
        assert len(control.snd_queue) <= control.choices.send_buffer
        held.append(received)
    return held


def make_network(line: Line = LINE) -> Network:
    """Two hosts, the server listening at port 80."""
    network = two_hosts(path(line), client=CHOICES, server=CHOICES)
    network.machines["server"].listen(80, Sink())
    return network


@cache
def run_in_peace() -> list[int]:
    """What each carries while nobody misbehaves."""
    network = make_network()
    open_all(network)
    network.run(SPAN)
    carried = count_carried(network)
    assert len(carried) == MANY and carried[0] > 100_000
    return carried


def make_flood(dice: Random, kind: str) -> bytes:
    """A packet of a flood, from an address of a path of its own."""
    source = bytes([172, 16, dice.randrange(256), dice.randrange(1, 255)])
    flags, text = {"SYN": (SYN, b""), "text": (ACK | PSH, bytes(1_000))}[kind]
    ports = (dice.randrange(1_024, 65_536), 80)
    numbers = (dice.randrange(1 << 32), dice.randrange(1 << 32))
    segment = Segment(source, ipv4(0, 2), *ports, *numbers, flags, 65_535, 0, (), (Text(text, 0, len(text)),))
    return emit(segment).octets()


def check_share(network: Network, end: int = SPAN) -> None:
    """Who behaves has carried as much as in peace, nearly, and no host holds more than it offered."""
    for machine in network.machines.values():
        assert max(count_held(machine.host)) <= MOST
    network.run(end)
    for peace, war in zip(run_in_peace(), count_carried(network), strict=True):
        assert war >= SHARE * peace


@pytest.mark.parametrize("kind", ["SYN", "text"])
def test_flood_of_strangers(kind: str) -> None:
    """Five packets in each millisecond, from everywhere: what is kept for them is bounded."""
    network, dice = make_network(), Random(kind)
    server = network.machines["server"]
    open_all(network)
    for moment in range(FLOOD, SPAN, MILLISECOND):
        network.run(moment)
        for _ in range(5):
            network.carry("server", server.arrive(make_flood(dice, kind), network.now))
        network.set_alarm(server)
    assert len(server.host.connections) <= MANY + CHOICES.backlog
    assert len(server.host.answers) == 0
    check_share(network)


class Raider:
    """A peer that opens a connection in order, and then sends what it likes."""

    def __init__(self, network: Network) -> None:
        self.network = network
        host = Host((RAIDER,), bytes(32), Choices(multipath=False, timestamps=False))
        network.machines["server"].listen(82, Sink())
        host.connect(RAIDER, ipv4(0, 2), 82, network.now)
        for _ in range(2):
            (leaving,) = host.transmit(network.now)
            for packet in self.send(leaving.octets()):
                host.receive(packet, network.now)
        self.last = parse(leaving.octets(), ip.parse(leaving.octets()))

    def send(self, packet: bytes) -> list[bytes]:
        """What the server answers us; what it says to others goes its way."""
        server = self.network.machines["server"]
        leaving = server.arrive(packet, self.network.now)
        others = [one for one in leaving if one[1][16:20] != RAIDER]
        self.network.carry("server", others)
        self.network.set_alarm(server)
        return [one for _, one in leaving if one[16:20] == RAIDER]

    def send_text(self, offset: int, text: bytes) -> None:
        """Text so many octets behind where its stream begins."""
        last = self.last
        number = (last.sequence + offset) % (1 << 32)
        ports = (last.source_port, last.destination_port)
        piece = (Text(text, 0, len(text)),)
        self.send(
            emit(
                Segment(RAIDER, ipv4(0, 2), *ports, number, last.acknowledgment, ACK, 65_535, 0, (), piece)
            ).octets()
        )

    def find_control(self) -> Control:
        """The server's side of it."""
        four = (ipv4(0, 2), 82, RAIDER, self.last.source_port)
        host = self.network.machines["server"].host
        return host.connections[host.ports.find(four)].control


@pytest.mark.clause("R8684-5-06")
@pytest.mark.parametrize("kind", ["beyond its window", "crumbs"])
def test_flood_of_a_peer(kind: str) -> None:
    """It sends far more than the window takes, or single octets with gaps between: neither is kept."""
    network = make_network()
    open_all(network)
    network.run(FLOOD)
    raider, number = Raider(network), 0
    for moment in range(FLOOD, SPAN, MILLISECOND):
        network.run(moment)
        for _ in range(5):
            number += 1
            if kind == "crumbs":
                raider.send_text(2 * number, b"x")
            else:
                raider.send_text(1_000 * number, bytes(1_000))
    control = raider.find_control()
    (branch,) = control.branches
    assert 0 < branch.subflow.tcb.rcv_queue.held <= MOST
    assert len(branch.subflow.tcb.rcv_queue.pieces) <= BUFFER // CRUMB + 1
    check_share(network)


def test_stalled_reader() -> None:
    """Two are never read: their windows are full, and then they take nothing from the others."""
    network = make_network()
    network.machines["server"].listen(81, Sink(appetite=1, pause=HOUR))
    open_all(network, 2, 81)
    network.run(FLOOD)
    server = network.machines["server"]
    stalled = [one for one in server.host.connections.values() if one.control.first[1] == 81]
    assert all(BUFFER - 1_500 <= len(one.control.rcv_ready) <= MOST for one in stalled)
    open_all(network)
    check_share(network, FLOOD + SPAN)


def test_full_queue() -> None:
    """A queue of twenty packets before a slow line, and one connection that offers it sixteen times as much
    as the others: they still get their part of the line.
    """
    network = make_network(NARROW)
    open_all(network)
    client = network.machines["client"]
    greedy = Choices(receive_buffer=16 * BUFFER, send_buffer=16 * BUFFER)
    server = network.machines["server"]
    server.listen(81, Sink(), choices=greedy)
    client.connect(ipv4(0, 1), ipv4(0, 2), 81, Endless(), network.now, greedy)
    network.touch("client")
    network.run(LONG)
    assert network.links["client>0"].counters.overflowed > 100
    others, (most,) = sum(count_carried(network)), count_carried(network, 81)
    assert others >= SHARE * MANY / (MANY + 1) * (others + most)
    assert max(count_held(server.host)) <= 16 * MOST
