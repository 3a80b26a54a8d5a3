"""Several paths between two hosts: links that die and return, addresses that come and go, NATs."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from mptcp.choices import ACCEPT, CUBIC, FULLMESH, LIA, NEWRENO, REQUIRE, UNCOUPLED, Choices
from mptcp.events import Aborted, Closed
from mptcp.host import Host
from mptcp.journal import Journal
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.values import Address, Micros
from mptcp.wire.ip import parse
from mptcp_model.ideal import IdealStream
from mptcp_model.ladder import Note
from mptcp_model.pair import CHANNEL_LIMIT, End, Pair
from mptcp_model.simulated.applications import Application, Sender, Sink
from mptcp_model.simulated.capture import Packet
from mptcp_model.simulated.link import Line
from mptcp_model.simulated.network import Network, ipv4, ipv6, path, two_hosts

WIFI = Line(rate=25_000_000, delay=12_500, loss=0.01, queue=60_000)
CELLULAR = Line(rate=5_000_000, delay=32_500, queue=60_000)
DSL = Line(rate=10_000_000, delay=20_000, queue=60_000)
SATELLITE = Line(rate=8_000_000, delay=250_000, queue=200_000)
LINES = [WIFI, CELLULAR, DSL, SATELLITE]
DATA = bytes((7 * number + number // 251) % 256 for number in range(2_000_000))


def lay(*lines: Line, client: Choices | None = None, server: Choices | None = None) -> Network:
    """Such paths; the server tells of all its addresses, so that each path is a way there and back."""
    paths = [path(line) for line in lines]
    return two_hosts(*paths, client=client, server=server or Choices(announce=True))


def start(network: Network, data: bytes = DATA) -> Sender:
    """The client begins to send; the server answers at the end."""
    network.machines["server"].listen(80, Sink(b"thanks"))
    client = Sender(data)
    network.machines["client"].connect(ipv4(0, 1), ipv4(0, 2), 80, client, network.now)
    network.touch("client")
    return client


def get_server(network: Network) -> Application:
    return next(iter(network.machines["server"].applications.values()))


def cut(network: Network, number: int, loss: float = 1.0) -> None:
    """From now on path ``number`` loses so much, both ways."""
    for name in (f"client>{number}", f"server>{number}"):
        network.links[name].line = replace(network.links[name].line, loss=loss)


def check(network: Network, client: Sender, data: bytes = DATA) -> None:
    """All arrived, and both sides ended in order."""
    server = get_server(network)
    assert server.inbox == data
    assert client.inbox == b"thanks"
    assert (client.outcome, server.outcome) == ("closed", "closed")


def count_carried(network: Network, number: int) -> int:
    """Octets of packets that the client's end of a path delivered."""
    return network.links[f"client>{number}"].counters.octets


@pytest.mark.clause("R8684-3.3.8-02", "R8684-2-01", "R8684-3.3.7-01")
@pytest.mark.parametrize("checksum", [ACCEPT, REQUIRE])
@pytest.mark.parametrize("paths", [1, 2, 3, 4])
def test_transfer(paths: int, checksum: int) -> None:
    """All paths carry, and the data arrives as it was."""
    choices = Choices(checksum=checksum)
    network = two_hosts(
        *[path(line) for line in LINES[:paths]], client=choices, server=Choices(announce=True)
    )
    client = start(network)
    network.run(300 * SECOND)
    check(network, client)
    assert all(count_carried(network, number) > 10_000 for number in range(paths))


@pytest.mark.clause("R8684-3.3.6-07", "R8684-3.3.6-01", "R8684-3.3.6-03")
@pytest.mark.parametrize("number", [0, 1])
def test_path_dies_and_returns(number: int) -> None:
    """The data goes on by the other meanwhile; when it returns, it carries again."""
    network = lay(WIFI, CELLULAR)
    client = start(network, DATA * 4)
    network.run(1 * SECOND)
    before = len(get_server(network).inbox)
    cut(network, number)
    network.run(3 * SECOND)
    during = len(get_server(network).inbox)
    assert during > before + 100_000
    cut(network, number, 0.0)
    network.run(5 * SECOND)
    at_return = count_carried(network, number)
    network.run(200 * SECOND)
    assert count_carried(network, number) > at_return + 50_000
    check(network, client, DATA * 4)


@pytest.mark.clause("R8684-3.3.6-07", "R8684-3.3.6-09")
@pytest.mark.parametrize("number", [0, 1, 2])
def test_path_dies_for_ever(number: int) -> None:
    """Whichever it is, the first one too: nothing is missing at the end."""
    network = lay(WIFI, CELLULAR, DSL)
    client = start(network)
    network.run(300 * MILLISECOND)
    cut(network, number)
    network.run(30 * SECOND)
    assert get_server(network).inbox == DATA
    assert client.inbox == b"thanks"


@pytest.mark.clause("R8684-3.3.3-14", "R8684-3.3.6-01")
def test_all_paths_die_and_one_returns() -> None:
    """For ten seconds there is nothing at all; then one path is enough."""
    network = lay(WIFI, CELLULAR)
    client = start(network)
    network.run(500 * MILLISECOND)
    cut(network, 0)
    cut(network, 1)
    network.run(10 * SECOND)
    cut(network, 1, 0.0)
    network.run(200 * SECOND)
    assert get_server(network).inbox == DATA
    assert client.inbox == b"thanks"


@pytest.mark.clause("R8684-3.4.2-04", "R8684-3.4.2-01", "R8684-3.2-08")
@pytest.mark.parametrize("number", [0, 1])
def test_client_walks(number: int) -> None:
    """An address goes in mid transfer and comes back later: from Wi-Fi to cellular and home again."""
    network = lay(WIFI, CELLULAR)
    client = start(network, DATA * 3)
    host = network.machines["client"].host
    network.run(700 * MILLISECOND)
    for address in (ipv4(number, 1), ipv6(number, 1)):
        host.remove_address(address, network.now)
    network.touch("client")
    cut(network, number)
    network.run(2 * SECOND)
    assert {one.local[2] for one in host.status(client.connection).subflows if len(one.local) == 4} == {
        1 - number
    }
    cut(network, number, 0.0)
    host.add_address(ipv4(number, 1), network.now)
    network.touch("client")
    network.run(2 * SECOND + 500 * MILLISECOND)
    assert ipv4(number, 1) in {one.local for one in host.status(client.connection).subflows}
    network.run(200 * SECOND)
    check(network, client, DATA * 3)


@pytest.mark.clause("R8684-3.3.3-14", "R8684-3.4.2-04")
def test_client_breaks_before_it_makes() -> None:
    """Its only address goes, and seconds later there is another one."""
    network = lay(WIFI, CELLULAR)
    host = network.machines["client"].host
    for address in (ipv4(1, 1), ipv6(1, 1), ipv6(0, 1)):
        host.remove_address(address, 0)
    client = start(network)
    network.run(300 * MILLISECOND)
    host.remove_address(ipv4(0, 1), network.now)
    network.touch("client")
    network.run(6 * SECOND)
    assert host.status(client.connection).subflows == ()
    host.add_address(ipv4(1, 1), network.now)
    network.touch("client")
    network.run(200 * SECOND)
    check(network, client)


@pytest.mark.clause("R8684-3.3.8-03", "R8684-3.3.8-06")
def test_spare_path_is_spared() -> None:
    """A backup carries nothing while the other lives, and all when it does not."""
    network = lay(WIFI, CELLULAR)
    host = network.machines["client"].host
    for address in (ipv4(1, 1), ipv6(1, 1)):
        host.remove_address(address, 0)
    host.add_address(ipv4(1, 1), 0, is_backup=True)
    client = start(network, DATA * 2)
    network.run(500 * MILLISECOND)
    spares = [one for one in host.status(client.connection).subflows if one.local == ipv4(1, 1)]
    assert spares and all(one.is_backup and one.bytes_sent == 0 for one in spares)
    cut(network, 0)
    network.run(200 * SECOND)
    assert get_server(network).inbox == DATA * 2
    assert client.inbox == b"thanks"


@pytest.mark.clause("R8684-3.3.6-03", "R8684-3.3.8-01")
def test_slow_path_does_not_hold_the_window() -> None:
    """A small window over a fast path and a satellite: opportunistic retransmission costs nothing."""
    times = []
    for opportunistic in (True, False):
        options = {"opportunistic": opportunistic, "penalise": opportunistic, "receive_buffer": 60_000}
        client_choices, server_choices = Choices(**options), Choices(announce=True, **options)
        network = lay(replace(WIFI, loss=0.0), SATELLITE, client=client_choices, server=server_choices)
        client = start(network)
        while not client.inbox and network.now < 300 * SECOND:
            network.run(network.now + 50 * MILLISECOND)
        assert get_server(network).inbox == DATA
        times.append(network.now)
    assert times[0] <= times[1] + times[1] // 10


# -- any order ----------------------------------------------------------------------------------


def get_ends(packet: bytes) -> tuple[Address, Address]:
    """Both addresses of a packet, in an order that does not depend on its direction."""
    datagram = parse(packet)
    one, two = sorted((datagram.source, datagram.destination))
    return one, two


choices = st.builds(
    Choices,
    checksum=st.sampled_from([ACCEPT, ACCEPT, REQUIRE]),
    receive_buffer=st.sampled_from([3_000, 20_000, 100_000]),
    send_buffer=st.just(100_000),
    timestamps=st.booleans(),
    sack=st.booleans(),
    congestion=st.sampled_from([NEWRENO, CUBIC]),
    coupling=st.sampled_from([LIA, UNCOUPLED]),
    paths=st.just(FULLMESH),  # whoever walks away needs one that opens others
    announce=st.booleans(),
    opportunistic=st.booleans(),
    penalise=st.booleans(),
    stale_after=st.sampled_from([1, 2]),
    delayed_ack=st.sampled_from([0, 40 * MILLISECOND]),
    nagle=st.booleans(),
    time_wait=st.sampled_from([0, 60 * SECOND]),
)


class ManyPaths(Pair):
    """``Pair`` over one to four paths, with addresses of the client's that come and go."""

    @initialize(
        one=choices,
        two=choices,
        family=st.sampled_from([ipv4, ipv6]),
        paths=st.integers(1, 4),
        is_open=st.sampled_from([True, True, True, False]),
    )
    def begin(self, one: Choices, two: Choices, family: Any, is_open: bool, paths: int = 1) -> None:
        """See ``Pair.begin``; each host has an address on each path."""
        self.now: Micros = 0
        self.is_healed = False
        self.away: list[Address] = []
        self.channel: list[tuple[int, bytes]] = []
        self.story: list[Packet | Note] = [Note(0, f"client {one!r}"), Note(0, f"server {two!r}")]
        mine = tuple(family(number, 1) for number in range(paths))
        theirs = tuple(family(number, 2) for number in range(paths))
        forth, back = IdealStream("client to server"), IdealStream("server to client")
        self.ends = [
            End("client", Host(mine, bytes(range(32)), one, Journal()), forth, back),
            End("server", Host(theirs, bytes(range(32, 64)), two, Journal()), back, forth),
        ]
        client, server = self.ends
        server.host.listen(None, 80)
        client.connection = client.host.connect(mine[0], theirs[0], 80, self.now)
        self.settle(0)
        while is_open and self.channel:
            self.arrive(*self.channel.pop(0))

    def hear_the_end(self, end: End, event: Closed | Aborted) -> None:
        """See ``Pair``; who waits for a client that left without a word, and is over, waits in vain."""
        if isinstance(event, Aborted) and event.error == "timed out" and self.ends[0].is_over:
            self.give_up(end, event.error)
        else:
            super().hear_the_end(end, event)

    @rule(index=st.integers(0, CHANNEL_LIMIT))
    def cut(self, index: int) -> None:
        """All packets of one path are lost."""
        if self.channel:
            ends = get_ends(self.channel[index % len(self.channel)][1])
            self.channel = [one for one in self.channel if get_ends(one[1]) != ends]

    @rule(index=st.integers(0, 3))
    def leave(self, index: int) -> None:
        """The client loses an address, and not its last one."""
        host = self.ends[0].host
        here = host.interfaces.addresses
        if len(here) > 1 and self.ends[0].is_open:
            address = here[index % len(here)]
            self.story.append(Note(self.now, f"client loses {address.hex()}"))
            self.away.append(address)
            host.remove_address(address, self.now)
            self.settle(0)

    @precondition(lambda self: self.away)
    @rule(is_backup=st.booleans())
    def come_back(self, is_backup: bool) -> None:
        """The client has an address again that it had lost."""
        address = self.away.pop(0)
        self.story.append(Note(self.now, f"client gets {address.hex()}"))
        self.ends[0].host.add_address(address, self.now, is_backup=is_backup)
        self.settle(0)

    @rule(side=st.sampled_from([0, 1]), index=st.integers(0, 3), is_backup=st.booleans())
    def spare(self, side: int, index: int, is_backup: bool) -> None:
        """A path is to be a backup, or no more."""
        end = self.ends[side]
        addresses = end.host.interfaces.addresses
        if end.is_open and not end.is_over:
            end.host.set_backup(end.connection, addresses[index % len(addresses)], is_backup, self.now)
            self.settle(side)


TestManyPaths = ManyPaths.TestCase
TestManyPaths.settings = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
