"""Two machines in a simulated network: what is written at one end is read at the other."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from subprocess import run

import pytest

from mptcp.choices import REQUIRE, Choices
from mptcp.host import Host
from mptcp.journal import Note
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.values import Address, Micros
from mptcp.wire import icmp, ip
from mptcp.wire.segment import RST, SYN
from mptcp.wire.segment import parse as parse_segment
from mptcp_model.simulated.applications import Application, Echo, Sender, Sink
from mptcp_model.simulated.link import Line
from mptcp_model.simulated.machine import Machine
from mptcp_model.simulated.network import EVERYWHERE, Network, ipv4, ipv6, path, two_hosts
from mptcp_model.simulated.network import Path as Way

FAST = Line(rate=100_000_000, delay=10 * MILLISECOND)
LINES = {
    "perfect": Line(),
    "fast": FAST,
    "loss": replace(FAST, loss=0.01),
    "reorder": replace(FAST, reorder=0.05, reorder_delay=4 * MILLISECOND),
    "duplicate": replace(FAST, duplicate=0.05),
    "small queue": replace(FAST, queue=20_000),
    "all at once": Line(
        20_000_000, 5_000, 0.01, queue=60_000, reorder=0.02, reorder_delay=9_000, duplicate=0.02
    ),
}
WAIT = 60 * SECOND  # in TIME-WAIT, after a DATA_FIN as well
USUAL = Choices(subflow_time_wait=WAIT)
SPOKEN = {
    "MPTCP": (USUAL, USUAL),
    "checksums": (Choices(checksum=REQUIRE, subflow_time_wait=WAIT), USUAL),
    "plain client": (Choices(multipath=False), USUAL),
    "plain server": (USUAL, Choices(multipath=False)),
}


def octets(length: int) -> bytes:
    """That many octets, none of which is like its neighbours."""
    block = b"".join(sha256(number.to_bytes(4, "big")).digest() for number in range(2_048))
    return (block * (length // len(block) + 1))[:length]


def converse(
    network: Network,
    client: Application,
    server: Application,
    until: Micros | None = None,
    family: Callable[[int, int], Address] = ipv4,
) -> tuple[Application, Application]:
    """Let ``client`` talk to ``server`` until all is quiet; both, as they are then."""
    network.machines["server"].listen(80, server)
    network.machines["client"].connect(family(0, 1), family(0, 2), 80, client, network.now)
    network.touch("client")
    network.run(until)
    return client, next(iter(network.machines["server"].applications.values()))


def states(machine: Machine) -> list[bool]:
    """Whether each of its connections speaks MPTCP."""
    return [machine.host.status(handle).multipath for handle in machine.applications]


# -- transfers --------------------------------------------------------------------------------


@pytest.mark.parametrize("spoken", SPOKEN)
@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("length", [0, 1, 300_000])
def test_transfer(line: str, spoken: str, length: int) -> None:
    """Every octet once and in order, then the end, then both sides closed; in MPTCP if both speak it."""
    client_choices, server_choices = SPOKEN[spoken]
    network = two_hosts(path(LINES[line]), seed=f"{line}", client=client_choices, server=server_choices)
    sent = octets(length)
    client, server = converse(network, Sender(sent), Sink(b"thanks"))
    assert server.digest == sha256(sent).hexdigest()
    assert client.inbox == b"thanks"
    assert (client.outcome, server.outcome) == ("closed", "closed")
    for machine in network.machines.values():
        assert states(machine) == [not spoken.startswith("plain")]


@pytest.mark.parametrize("line", LINES)
def test_megabytes_both_ways(line: str) -> None:
    """A megabyte to an echo and back at the same time, over IPv6."""
    network = two_hosts(path(LINES[line]))
    sent = octets(1_000_000)
    client, server = converse(network, Sender(sent), Echo(), family=ipv6)
    assert client.digest == server.digest == sha256(sent).hexdigest()
    assert (client.outcome, server.outcome) == ("closed", "closed")
    assert states(network.machines["client"]) == [True]


def test_many_megabytes_with_loss() -> None:
    """4 MB with 1 % loss each way: done, and in a time that loss recovery makes possible."""
    network = two_hosts(path(LINES["loss"]))
    sent = octets(4_000_000)
    client, server = converse(network, Sender(sent), Sink())
    assert server.digest == sha256(sent).hexdigest()
    assert states(network.machines["client"]) == [True]
    info = network.machines["client"].host.status(client.connection)
    assert 0 < info.bytes_retrans < 400_000


def test_rate_is_used() -> None:
    """A window that fits the queue keeps a line of 20 Mbit/s full nearly all the time."""
    network = two_hosts(
        path(Line(rate=20_000_000, delay=10 * MILLISECOND)), server=Choices(receive_buffer=200_000)
    )
    client, server = converse(network, Sender(octets(2_000_000)), Sink(), until=1_000 * MILLISECOND)
    assert client.outcome == server.outcome == "closed"


def test_closing_is_not_slow() -> None:
    """Five octets and both ends, in a few round trips: no timer is needed for any of it."""
    network = two_hosts(path(FAST), client=Choices(time_wait=0), server=Choices(time_wait=0))
    client, server = converse(network, Sender(b"hello"), Sink())
    assert (client.outcome, server.outcome) == ("closed", "closed")
    assert network.now < 6 * 20 * MILLISECOND


def test_first_data_rides_on_the_third_packet() -> None:
    """RFC 8684 §3.1: the keys and the first mapping leave together, in the first flight."""
    network = two_hosts(path(FAST))
    tap = network.tap("client>0")
    converse(network, Sender(b"hello"), Sink())
    assert b"hello" in b"".join(one.octets for one in tap.packets[:3])


# -- endings ----------------------------------------------------------------------------------


@pytest.mark.parametrize("spoken", SPOKEN)
@pytest.mark.parametrize("line", ["fast", "all at once"])
def test_half_close_both_ways(line: str, spoken: str) -> None:
    """The client ends first and still hears all; then the server ends first and still hears all."""
    client_choices, server_choices = SPOKEN[spoken]
    much = octets(50_000)
    for first, second in ((Sender(b"request"), Sink(much)), (Sink(much), Sender(b"greeting"))):
        network = two_hosts(path(LINES[line]), client=client_choices, server=server_choices)
        client, server = converse(network, first, second)
        assert client.inbox == bytes(server.outbox)
        assert server.inbox == bytes(client.outbox)
        assert (client.outcome, server.outcome) == ("closed", "closed")


def test_both_close_at_once() -> None:
    """Neither waits for the other."""
    network = two_hosts(path(FAST))
    client, server = converse(network, Sender(b"one"), Sender(b"two"))
    assert (client.inbox, server.inbox) == (b"two", b"one")
    assert (client.outcome, server.outcome) == ("closed", "closed")


@pytest.mark.parametrize("spoken", SPOKEN)
def test_everything_is_let_go(spoken: str) -> None:
    """When all is over and forgotten, nothing is left in either host, and nobody waits for anything."""
    client_choices, server_choices = SPOKEN[spoken]
    network = two_hosts(path(FAST), client=client_choices, server=server_choices)
    converse(network, Sender(octets(10_000)), Echo())
    assert network.now >= WAIT
    for machine in network.machines.values():
        assert machine.deadline() is None
        for handle in machine.applications:
            machine.host.forget(handle)
        machine.turn(network.now)
        machine.deadline()
        assert not machine.host.connections
        assert not machine.host.ports.by_tuple
        assert not machine.host.by_token


class Aborter(Application):
    """Writes, and breaks off as soon as anything comes."""

    def on_readable(self, host: Host, now: Micros) -> None:
        """Break off."""
        host.abort(self.connection, now)


@pytest.mark.parametrize("spoken", SPOKEN)
def test_abort(spoken: str) -> None:
    """One side breaks off: the other hears of a reset, and of no orderly end."""
    client_choices, server_choices = SPOKEN[spoken]
    network = two_hosts(path(FAST), client=client_choices, server=server_choices)
    _, server = converse(network, Aborter(octets(100_000)), Sender(b"x"))
    assert server.outcome == "reset"
    assert "Finished" not in server.story
    assert network.machines["server"].deadline() is None


def test_silence() -> None:
    """A network that carries nothing: the connect times out, after three minutes at least."""
    network = two_hosts(path(Line(loss=1.0)))
    client = Sender(b"hello")
    network.machines["client"].connect(ipv4(0, 1), ipv4(0, 2), 80, client, 0)
    network.touch("client")
    network.run()
    assert client.outcome == "timed out"


def test_cut_in_the_middle() -> None:
    """A network that dies in mid-transfer: both sides give up by themselves, neither hears an orderly end."""
    network = two_hosts(path(FAST))
    client, server = converse(network, Sender(octets(1_000_000)), Sink(), until=60 * MILLISECOND)
    assert server.inbox
    for link in network.links.values():
        link.line = Line(loss=1.0)
    network.run()
    assert client.outcome == "timed out"
    assert not server.outcome or server.outcome != "closed"
    assert bytes(client.outbox).startswith(server.inbox)


# -- slow readers -----------------------------------------------------------------------------


@pytest.mark.parametrize("spoken", SPOKEN)
def test_slow_reader(spoken: str) -> None:
    """A reader that takes 20,000 octets each 100 ms closes the window often, and gets everything."""
    client_choices, server_choices = SPOKEN[spoken]
    server_choices = Choices(
        multipath=server_choices.multipath, checksum=server_choices.checksum, receive_buffer=50_000
    )
    network = two_hosts(path(FAST), client=client_choices, server=server_choices)
    tap = network.tap("server>0")
    sent = octets(400_000)
    client, server = converse(network, Sender(sent), Sink(b"thanks", 20_000, 100 * MILLISECOND))
    assert server.digest == sha256(sent).hexdigest()
    assert client.inbox == b"thanks"
    windows = [parse_segment(one.octets, ip.parse(one.octets)).window for one in tap.packets]
    assert min(windows) < 1_460
    assert (client.outcome, server.outcome) == ("closed", "closed")


def test_reader_that_sleeps() -> None:
    """A window closed for ten minutes does not end the connection (RFC 9293 §3.8.6.1)."""
    network = two_hosts(path(FAST), server=Choices(receive_buffer=20_000))
    sent = octets(60_000)
    client, server = converse(network, Sender(sent), Sink(appetite=1 << 20, pause=600 * SECOND))
    assert server.digest == sha256(sent).hexdigest()
    assert (client.outcome, server.outcome) == ("closed", "closed")
    assert network.now > 1_200 * SECOND


def test_send_buffer_is_a_limit() -> None:
    """A writer gets no more accepted than the buffer holds, and is told when there is room."""
    small = Choices(receive_buffer=30_000, send_buffer=30_000)
    network = two_hosts(path(FAST), client=small, server=small)
    sent = octets(200_000)
    client, server = converse(network, Sender(sent), Sink())
    assert server.digest == sha256(sent).hexdigest()
    assert client.story.count("Writable") >= 5


# -- many -------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["fast", "all at once"])
def test_many_connections_and_listeners(line: str) -> None:
    """Twelve conversations on three ports at once do not mix."""
    network = two_hosts(path(LINES[line]))
    server, client = network.machines["server"], network.machines["client"]
    for port in (80, 81, 82):
        server.listen(port, Echo())
    senders = []
    for number in range(12):
        senders.append(Sender(bytes([number]) * (10_000 + 1_000 * number)))
        pair = (ipv6(0, 1), ipv6(0, 2)) if number % 2 else (ipv4(0, 1), ipv4(0, 2))
        client.connect(*pair, 80 + number % 3, senders[-1], network.now)
    network.touch("client")
    network.run()
    assert all(sender.inbox == bytes(sender.outbox) for sender in senders)
    assert {sender.outcome for sender in senders} == {"closed"}
    assert len(server.applications) == 12


def test_closed_port() -> None:
    """Nobody listens: refused at once, over both families."""
    network = two_hosts(path(FAST))
    for local, remote in ((ipv4(0, 1), ipv4(0, 2)), (ipv6(0, 1), ipv6(0, 2))):
        client = Sender(b"hello")
        network.machines["client"].connect(local, remote, 81, client, network.now)
        started = network.now
        network.touch("client")
        network.run()
        assert client.story == ["Aborted"]
        assert client.outcome == "refused"
        assert network.now - started < 25 * MILLISECOND


def test_unlisten() -> None:
    """A port that is no longer listened on refuses, and the connections it brought live on."""
    network = two_hosts(path(FAST))
    server, client = network.machines["server"], network.machines["client"]
    listener = server.listen(80, Echo())
    first, second = Application(b"hello"), Sender(b"hello")
    client.connect(ipv4(0, 1), ipv4(0, 2), 80, first, 0)
    network.touch("client")
    network.run(SECOND)
    server.host.unlisten(listener)
    client.connect(ipv4(0, 1), ipv4(0, 2), 80, second, network.now)
    network.touch("client")
    network.run(2 * SECOND)
    assert (first.inbox, first.outcome, second.outcome) == (b"hello", "", "refused")


# -- one thing, twice -------------------------------------------------------------------------


def capture_run(seed: str) -> tuple[bytes, tuple[object, ...], list[Note]]:
    """The pcap of a run, the final state, and both journals."""
    network = two_hosts(path(LINES["all at once"]), seed=seed, journals=100_000)
    taps = [network.tap("client"), network.tap("server")]
    converse(network, Sender(octets(100_000)), Echo())
    journals = [machine.host.journal.notes for machine in network.machines.values()]
    notes = [note for journal in journals for note in journal]
    return b"".join(tap.octets() for tap in taps), network.key(), notes


def test_same_seed_same_run() -> None:
    """Octet for octet, note for note, and in the end the same state; another seed, another run."""
    one, two, three = capture_run("seed"), capture_run("seed"), capture_run("other")
    assert one == two
    assert one[2]
    assert one[0] != three[0]


def test_branch() -> None:
    """A copy in mid-transfer has the same key, and both go on to the same end without touching each other."""
    network = two_hosts(path(LINES["all at once"]))
    client, server = converse(network, Sender(octets(200_000)), Echo(), until=150 * MILLISECOND)
    assert 0 < len(client.inbox) < 200_000
    twin = network.copy()
    assert twin.key() == network.key()
    at_the_branch = twin.key()
    network.run()
    assert twin.key() == at_the_branch
    twin.run()
    assert twin.key() == network.key()
    assert (client.outcome, server.outcome) == ("closed", "closed")


def test_branch_of_a_host() -> None:
    """A whole Host can be copied and keyed: the twin goes on as the original does."""
    network = two_hosts(path(LINES["loss"]))
    converse(network, Sender(octets(200_000)), Echo(), until=50 * MILLISECOND)
    original = network.machines["client"].host
    twin = original.copy()
    assert twin.key() == original.key()
    assert hash(twin.key()) == hash(original.key())
    now = original.deadline()
    assert now is not None
    original.tick(now)
    assert twin.key() != original.key()
    twin.tick(now)
    assert [one.octets() for one in twin.transmit(now)] == [one.octets() for one in original.transmit(now)]
    assert twin.key() == original.key()


# -- routers and captures ---------------------------------------------------------------------


def routed(mtu: int = 1_500) -> Network:
    """Two routers between the machines, the link between them with ``mtu``."""
    lines = (FAST, replace(FAST, mtu=mtu), FAST)
    return two_hosts(Way(lines, lines))


@pytest.mark.parametrize("family", [ipv4, ipv6])
def test_through_routers(family: Callable[[int, int], Address]) -> None:
    """Each router takes one off the hop limit, and the octets arrive."""
    network = routed()
    tap = network.tap("server")
    client, server = converse(network, Sender(octets(50_000)), Echo(), family=family)
    assert client.inbox == server.inbox == octets(50_000)
    datagrams = [ip.parse(one.octets) for one in tap.packets]
    assert {one.hop_limit for one in datagrams if one.source == family(0, 1)} == {62}
    assert all(router.forwarded for router in network.routers.values())


def test_tap_everywhere() -> None:
    """One capture of all links holds what the captures of the links hold."""
    network = routed()
    everywhere, each = network.tap(EVERYWHERE), [network.tap(name) for name in network.links]
    converse(network, Sender(octets(5_000)), Echo())
    assert sorted(everywhere.packets) == sorted(packet for tap in each for packet in tap.packets)


@pytest.mark.parametrize("family", [ipv4, ipv6])
def test_router_says_too_big(family: Callable[[int, int], Address]) -> None:
    """A packet that the next link does not carry is reported to its sender, quoting it."""
    network = routed(mtu=1_280)
    tap = network.tap("<0.0")
    converse(network, Sender(octets(50_000)), Sink(), SECOND, family)
    reports = []
    for one in tap.packets:
        datagram = ip.parse(one.octets)
        if datagram.protocol in (ip.ICMP, ip.ICMPV6):
            reports.append(icmp.parse(one.octets, datagram))
    assert reports
    assert isinstance(report := reports[0], icmp.TooBig)
    assert (report.mtu, report.quote.destination, report.quote.destination_port) == (1_280, family(0, 2), 80)


def test_hop_limit() -> None:
    """A packet that has no hop left goes no further, nor does one that nobody knows the way for."""
    network = routed()
    router = network.routers["0.0"]
    packet = ip.emit_header(ipv4(0, 1), ipv4(0, 2), 6, 0, hop_limit=1)
    assert router.arrive(packet) == []
    assert router.arrive(ip.emit_header(ipv4(0, 1), ipv4(9, 9), 6, 0)) == []
    assert router.arrive(b"\x45") == []
    assert (router.expired, router.lost) == (1, 2)


CHECKS = ("tcp.check_checksum:TRUE", "ip.check_checksum:TRUE", "tcp.relative_sequence_numbers:TRUE")
FAULTS = (
    "_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0 "
    "|| _ws.expert.severity == error || !tcp"
)


def find_faults(pcap: Path) -> str:
    """What tshark has to complain about in a capture of TCP segments."""
    options = [word for check in CHECKS for word in ("-o", check)]
    command = ["tshark", "-r", str(pcap), *options, "-Y", FAULTS]
    return run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("spoken", SPOKEN)
@pytest.mark.needs("tshark")
def test_tshark_reads_it(tmp_path: Path, spoken: str) -> None:
    """Nothing malformed, no checksum wrong, and the handshake is what it should be."""
    client_choices, server_choices = SPOKEN[spoken]
    network = two_hosts(path(LINES["all at once"]), client=client_choices, server=server_choices)
    tap = network.tap("client")
    network.machines["server"].listen(9_999, Echo())
    senders = [Sender(octets(60_000)), Sender(octets(60_000))]
    for sender, family in zip(senders, (ipv4, ipv6), strict=True):
        network.machines["client"].connect(family(0, 1), family(0, 2), 9_999, sender, 0)
    network.touch("client")
    network.run()
    tap.write(tmp_path / "run.pcap")
    assert find_faults(tmp_path / "run.pcap") == ""
    first = parse_segment(tap.packets[0].octets, ip.parse(tap.packets[0].octets))
    assert first.flags & (SYN | RST) == SYN


def test_story_of_the_events() -> None:
    """The events of a simple conversation, in order, on both sides."""
    network = two_hosts(path(FAST))
    client, server = converse(network, Sender(b"hello"), Sink(b"thanks"))
    assert client.story == ["Established", "Readable", "Finished", "Closed"]
    assert server.story == ["Accepted", "Readable", "Finished", "Closed"]


def test_watching_windows() -> None:
    """The congestion window of a watched machine is noted whenever it changes, and only then."""
    network = two_hosts(path(LINES["loss"]))
    windows = network.watch("client")
    converse(network, Sender(octets(500_000)), Sink())
    assert len(windows) > 10
    assert all(one[3:] != two[3:] for one, two in zip(windows, windows[1:], strict=False))
    assert max(one.cwnd for one in windows) > windows[0].cwnd >= 10_000
