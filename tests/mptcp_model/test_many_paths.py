"""Several paths between two hosts: links that die and return, addresses that come and go, NATs."""

from dataclasses import replace

import pytest

from mptcp.choices import ACCEPT, REQUIRE, Choices
from mptcp.parameters import MILLISECOND, SECOND
from mptcp_model.simulated.applications import Sender, Sink
from mptcp_model.simulated.link import Line
from mptcp_model.simulated.network import Network, call, get_server, ipv4, ipv6, path, two_hosts

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
    client = Sender(data)
    call(network, client, Sink(b"thanks"))
    return client


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
