"""Whole transfers over paths that carry less than their ends take, or begin to, with and without ICMP."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest

from mptcp.choices import Choices
from mptcp.numbers import add
from mptcp.parameters import MILLISECOND, PATH_MTU_LIFETIME, SECOND
from mptcp.subflow.path_mtu import PathMtu, Search
from mptcp.values import Address
from mptcp.wire import icmp, ip
from mptcp.wire.segment import Segment
from mptcp.wire.segment import parse as parse_segment
from mptcp_model.simulated.applications import Application, Sender, Sink
from mptcp_model.simulated.link import Line
from mptcp_model.simulated.network import Network, Path, ipv4, ipv6, two_hosts

LINE = Line(rate=100_000_000, delay=5 * MILLISECOND)
NARROW = "0.0>"  # the link that carries less than the others
FAMILIES = {"IPv4": ipv4, "IPv6": ipv6}
SENT = b"".join(sha256(number.to_bytes(4, "big")).digest() for number in range(100_000))  # 3.2 MB


def lay(outer: int, inner: int, silent: bool = False, **choices: object) -> Network:
    """A router between two links: the far one carries ``inner`` octets, all else ``outer``."""
    line = replace(LINE, mtu=outer)
    both = Choices(mtu=outer, **choices)  # type: ignore[arg-type]
    far = replace(line, mtu=inner)
    network = two_hosts(Path((line, far), (line, far)), client=both, server=both)
    network.routers["0.0"].silent = silent
    return network


def start(
    network: Network,
    octets: bytes,
    family: Callable[[int, int], Address] = ipv4,
    application: type[Application] = Sender,
) -> None:
    """The client begins to send ``octets``, and closes behind them unless it is another application."""
    if not network.machines["server"].host.listeners.by_handle:
        network.machines["server"].listen(80, Sink())
    network.machines["client"].connect(family(0, 1), family(0, 2), 80, application(octets), network.now)
    network.touch("client")


def finish(network: Network, octets: bytes) -> None:
    """Let all happen; every octet has arrived, once and in order."""
    network.run()
    (server,) = network.machines["server"].applications.values()
    assert isinstance(server, Sink)
    assert server.digest == sha256(octets).hexdigest()
    for machine in network.machines.values():
        assert [one.outcome for one in machine.applications.values()] == ["closed"]


def find_path(network: Network) -> PathMtu:
    """What the client's subflow knows."""
    (connection,) = network.machines["client"].host.connections.values()
    return connection.control.branches[0].subflow.tcb.path


def count_longest(network: Network, after: int = 0) -> int:
    """Octets of the longest packet that the client sent after the moment ``after``."""
    return max(len(one.octets) for one in network.tap("client>0").packets if one.when >= after)


@pytest.mark.clause("R1191-3-01", "R8201-4-02", "R1191-6.4-01", "R8201-5.4-01", "R8201-4-03", "R1191-6.4-02")
@pytest.mark.parametrize(
    ("outer", "inner", "family", "multipath"),
    [
        (1_500, 1_280, "IPv4", True),
        (1_500, 1_280, "IPv6", False),
        (1_500, 1_400, "IPv6", True),
        (1_500, 552, "IPv4", False),
        (9_000, 1_500, "IPv4", True),
        (65_535, 9_000, "IPv6", True),
    ],
)
def test_a_narrow_link(family: str, multipath: bool, outer: int, inner: int) -> None:
    """The router says so once for each packet of the first flight; nothing is lost to congestion."""
    network = lay(outer, inner, multipath=multipath)
    network.tap("client>0")
    start(network, SENT, FAMILIES[family])
    network.run(until=40 * MILLISECOND)
    path = find_path(network)
    assert (path.size, path.search) == (inner, Search.COMPLETE)
    window = network.machines["client"].host.status(1).subflows[0]
    assert window.snd_ssthresh > 1 << 30
    finish(network, SENT)
    assert 0 < network.routers["0.0"].too_big <= 10
    assert count_longest(network, after=35 * MILLISECOND) == inner


@pytest.mark.clause("R5927-7.2-03", "R1191-3-03", "R8201-4-04")
@pytest.mark.parametrize("family", FAMILIES)
def test_the_path_shrinks_and_says_so(family: str) -> None:
    """What was carried before is believed to be carried still until a timeout; then the router is right."""
    network = lay(1_500, 1_500)
    network.tap("client>0")
    start(network, SENT, FAMILIES[family])
    network.run(until=100 * MILLISECOND)
    network.set_mtu(NARROW, 1_300)
    finish(network, SENT)
    assert find_path(network).size == 1_300
    assert network.now < 200 * SECOND
    assert count_longest(network, after=SECOND) == 1_300


@pytest.mark.clause("R4821-7.7-01", "R8899-4.3-01", "R8899-5.2-01", "R4821-7.3-01", "R4821-7.3-02")
@pytest.mark.parametrize(
    ("family", "sack", "multipath"),
    [("IPv4", True, True), ("IPv6", False, True), ("IPv4", False, False), ("IPv6", True, False)],
)
def test_a_black_hole(family: str, sack: bool, multipath: bool) -> None:
    """Nobody says a word: down to the base after two timeouts, then up as far as the path carries."""
    network = lay(1_500, 1_400, silent=True, multipath=multipath, sack=sack, receive_buffer=40_000)
    start(network, SENT * 3, FAMILIES[family])
    network.run(until=700 * MILLISECOND)
    assert find_path(network).size == 1_280
    finish(network, SENT * 3)
    path = find_path(network)
    assert 1_392 < path.size <= 1_400
    assert path.search is Search.COMPLETE


@pytest.mark.clause("R4821-7.6.2-01", "R4821-4-01", "R8899-3-03", "R4821-7.6.2-02")
def test_lost_probes_are_no_congestion() -> None:
    """Each probe that is lost goes again in shorter segments, and the window stays as it was."""
    network = lay(1_500, 1_400, silent=True, receive_buffer=40_000)
    start(network, SENT * 3)
    network.run(until=SECOND)
    assert find_path(network).search is Search.SEARCHING
    windows = network.watch("client")
    finish(network, SENT * 3)
    assert find_path(network).size > 1_392
    lowered = [b for a, b in zip(windows, windows[1:], strict=False) if b.ssthresh < a.ssthresh]
    assert lowered == []


@pytest.mark.clause("R4821-7.4-02", "R4821-7.4-03", "R4821-7.6.1-01", "R4821-4-02")
@pytest.mark.parametrize("outer", [9_000, 65_535])
def test_up_to_jumbo_frames(outer: int) -> None:
    """A path that got better after a black hole: the first probe is as long as both ends take."""
    network = lay(outer, 1_400, silent=True)
    start(network, SENT * 10)
    network.run(until=1 * SECOND)
    network.set_mtu(NARROW, outer)
    finish(network, SENT * 10)
    path = find_path(network)
    assert (path.size, path.search) == (outer, Search.COMPLETE)


@pytest.mark.clause("R8201-4-05", "R1191-6.3-01", "R4821-7.3-03")
@pytest.mark.parametrize("probing", [True, False])
def test_after_ten_minutes(probing: bool) -> None:
    """What a router said is not for ever: the next text looks whether the path has become better."""
    network = lay(1_500, 1_300, path_mtu_probing=probing)
    start(network, SENT, application=Application)
    network.run(until=10 * SECOND)
    assert find_path(network).size == 1_300
    network.set_mtu(NARROW, 1_500)
    host = network.machines["client"].host
    for moment, size in ((PATH_MTU_LIFETIME - SECOND, 1_300), (PATH_MTU_LIFETIME + 2 * SECOND, 1_500)):
        network.run(until=moment)
        host.write(1, SENT[:400_000], network.now)
        network.touch("client")
        network.run(until=moment + SECOND)
        assert find_path(network).size == size


@pytest.mark.clause("R8201-5.2-01", "R8201-5.3-01", "R1191-6.2-01")
def test_the_next_connection_knows() -> None:
    """The second between the same addresses sends nothing that is too long; ten minutes later it may."""
    network = lay(1_500, 1_300)
    start(network, SENT)
    network.run(until=5 * SECOND)
    before = network.routers["0.0"].too_big
    assert before > 0
    start(network, SENT)
    network.run(until=10 * SECOND)
    assert network.routers["0.0"].too_big == before
    network.run(until=PATH_MTU_LIFETIME + SECOND)
    start(network, SENT)
    network.run()
    assert network.routers["0.0"].too_big > before


@pytest.mark.clause("R5927-4.1-01", "R5927-7.2-03")
@pytest.mark.parametrize("guess", ["blind", "in flight"])
def test_forged_reports_do_no_harm(guess: str) -> None:
    """A thousand "too big" by somebody who sees nothing, or who sees all: text goes on as it was."""
    network = lay(1_500, 1_500)
    tap = network.tap("client>0")
    start(network, SENT)
    network.run(until=60 * MILLISECOND)
    seen = [parse(one.octets) for one in tap.packets]
    last = [one for one in seen if one.text_length > 1_000][-1]
    host = network.machines["client"].host
    for number in range(1_000):
        network.run(until=60 * MILLISECOND + number * 100)
        sequence = add(last.sequence, number << 22) if guess == "blind" else newest(tap.packets[-1].octets)
        quote = icmp.Quote(last.source, last.destination, last.source_port, 80, sequence)
        host.receive(icmp.emit(icmp.TooBig(576, quote), ipv4(0, 9), last.source), network.now)
        network.touch("client")
    finish(network, SENT)
    assert find_path(network).size == 1_500
    assert host.status(1).bytes_retrans == 0


def parse(packet: bytes) -> Segment:
    """The segment in ``packet``."""
    return parse_segment(packet, ip.parse(packet))


def newest(packet: bytes) -> int:
    """The sequence number of a packet, of text that is in flight."""
    return parse(packet).sequence
