"""A NAT on the way: whoever comes from behind it is known by Address IDs (RFC 8684 §3.2, §3.4).

All that the client has lies behind one translator; the server sees one address, of which the client never
heard, and of the client's own addresses none.
"""

import pytest

from mptcp.choices import Choices
from mptcp.connection.control import Control
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.addresses import AddAddr, AddAddrEcho, RemoveAddr
from mptcp.wire.handshake import JoinSyn
from mptcp.wire.options import Option
from mptcp.wire.segment import Segment
from mptcp_model.simulated.applications import Sender, Sink
from mptcp_model.simulated.link import Line
from mptcp_model.simulated.middlebox import Translator, read
from mptcp_model.simulated.network import Network, call, get_server, ipv4, ipv6, path, two_hosts

LINE = Line(rate=5_000_000, delay=10 * MILLISECOND, queue=60_000)
OUTSIDE = bytes([203, 0, 113, 1])
DATA = bytes((7 * number + number // 251) % 256 for number in range(1_500_000))
PATHS = 2


def lay(version: int = 1, announce: bool = False) -> Network:
    """Two IPv4 paths, and one NAT at the client's end of both; the server tells of both its addresses."""
    versions = {"version": version, "lowest_version": version}
    network = two_hosts(
        *[path(LINE)] * PATHS,
        client=Choices(announce=announce, **versions),
        server=Choices(announce=True, **versions),
    )
    nat = Translator(OUTSIDE)
    for number in range(PATHS):
        for name, end in (("client", 1), ("server", 2)):
            network.machines[name].host.remove_address(ipv6(number, end), 0)
        network.put("nat", nat, f"client>{number}", f"server>{number}")
    network.tap("client")
    return network


def start(network: Network, data: bytes = DATA) -> Sender:
    """The client calls from behind the NAT."""
    client = Sender(data)
    call(network, client, Sink(b"thanks"))
    return client


def get_controls(network: Network) -> tuple[Control, Control]:
    """What the client remembers, and the server."""
    one, two = (next(iter(machine.host.connections.values())) for machine in network.machines.values())
    return one.control, two.control


def list_pairs(control: Control) -> set[tuple[int, int]]:
    """The Address IDs of its subflows, ours first."""
    return {(branch.local_id, branch.remote_id) for branch in control.branches if not branch.is_lost}


def check(network: Network, client: Sender, data: bytes = DATA) -> None:
    """All arrived, and both sides ended in order."""
    network.run(network.now + 300 * SECOND)
    server = get_server(network)
    assert (server.inbox, client.inbox) == (data, b"thanks")
    assert (client.outcome, server.outcome) == ("closed", "closed")


def list_seen(network: Network, kind: type[Option]) -> list[Segment]:
    """What the client's machine sent or got with such an option."""
    found = [read(packet.octets) for packet in network.taps["client"].packets]
    return [one for one in found if one and any(isinstance(option, kind) for option in one.options)]


@pytest.mark.clause("R8684-3.2-06", "R8684-3.2-07", "R8684-3.2-33", "R8684-3.4-01")
@pytest.mark.parametrize("version", [0, 1])
def test_joins(version: int) -> None:
    """Every pair of addresses has a subflow; the server sees one address, and tells them apart by ID."""
    network = lay(version)
    client = start(network)
    network.run(SECOND)
    one, two = get_controls(network)
    ids = [number for number, local in one.book.locals.items() if local.address in (ipv4(0, 1), ipv4(1, 1))]
    assert len(ids) == 2 and 0 in ids
    assert {pair[0] for pair in list_pairs(one)} == set(ids)
    assert list_pairs(two) == {(theirs, ours) for ours, theirs in list_pairs(one)}
    assert {branch.subflow.tcb.remote for branch in two.branches} == {OUTSIDE}
    assert len(list_pairs(one)) == 4
    check(network, client)


@pytest.mark.clause("R8684-3.4.2-01", "R8684-3.4.2-09", "R8684-3.2-07")
@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("number", [0, 1])
def test_address_goes(number: int, version: int) -> None:
    """REMOVE_ADDR names the ID: the server lets go of these subflows alone, though all have one address."""
    network = lay(version)
    client = start(network)
    network.run(SECOND)
    gone = next(
        key for key, local in get_controls(network)[0].book.locals.items() if local.address[2] == number
    )
    network.machines["client"].host.remove_address(ipv4(number, 1), network.now)
    network.touch("client")
    network.run(2 * SECOND + SECOND // 2)
    assert list_seen(network, RemoveAddr)
    _, two = get_controls(network)
    assert list_pairs(two) and all(theirs != gone for _, theirs in list_pairs(two))
    check(network, client)


@pytest.mark.clause("R8684-3.4.1-22", "R8684-3.4.1-23", "R8684-3.9.3-05")
@pytest.mark.parametrize("version", [0, 1])
def test_client_tells_of_its_own_address(version: int) -> None:
    """What it tells is an address behind the NAT: nobody gets there, and nothing comes of it."""
    network = lay(version, announce=True)
    tap = network.tap("server")
    client = start(network)
    network.run(SECOND)
    if version == 1:
        assert list_seen(network, AddAddr) and list_seen(network, AddAddrEcho)
    _, two = get_controls(network)
    assert ipv4(1, 1) in {one.address for one in two.book.remotes.values()}
    joins = [
        one
        for one in (read(packet.octets) for packet in tap.packets)
        if one and one.destination == ipv4(1, 1)
    ]
    assert all(any(isinstance(option, JoinSyn) for option in one.options) for one in joins)
    check(network, client)


@pytest.mark.clause("R8684-3.5-01", "R8684-3.3.6-09", "R8684-3.9.3-07")
def test_nat_forgets() -> None:
    """The same end gets another port: the server resets what it does not know, and is joined anew."""
    network = lay()
    client = start(network, DATA * 2)
    network.run(SECOND // 2)
    nat = network.boxes["nat"]
    assert isinstance(nat, Translator)
    before = {branch.subflow.tcb.remote_port for branch in get_controls(network)[1].branches}
    gone = nat.forget((ipv4(1, 1), get_controls(network)[0].first[1]))
    network.run(2 * SECOND + SECOND // 4)
    _, two = get_controls(network)
    after = {branch.subflow.tcb.remote_port for branch in two.branches if not branch.is_lost}
    assert gone in before and after - before
    check(network, client, DATA * 2)
