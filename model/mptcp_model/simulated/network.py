"""The network: nodes, links between them, one clock, and the loop that lets things happen."""

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, NamedTuple

from mptcp.choices import Choices
from mptcp.host import Host
from mptcp.journal import Journal
from mptcp.values import Address, Micros
from mptcp_model.simulated.applications import Application
from mptcp_model.simulated.capture import Capture
from mptcp_model.simulated.clock import Clock, Livelock
from mptcp_model.simulated.link import Line, Link
from mptcp_model.simulated.machine import Machine
from mptcp_model.simulated.middlebox import BACK, FORTH, Middlebox
from mptcp_model.simulated.router import Router
from mptcp_model.state import State

STEP_LIMIT: Final = 20_000_000
"""Happenings in one call of ``run`` before we say that it never ends."""

EVERYWHERE: Final = "*"
"""In place of a link's name: all links."""


class Window(NamedTuple):
    """The congestion window and slow-start threshold, octets, of a connection's subflow at a moment."""

    when: Micros
    connection: int
    subflow: int
    cwnd: int
    ssthresh: int


class Network(State):
    """Machines, routers and links by name, and a clock.

    ``taps`` holds the captures by the name of the link or machine that they watch, ``windows`` the
    congestion windows seen on machines that are watched.
    """

    FIELDS = ("clock", "machines", "routers", "links", "boxes", "places", "taps", "windows", "alarms")

    def __init__(self) -> None:
        self.clock = Clock()
        self.machines: dict[str, Machine] = {}
        self.routers: dict[str, Router] = {}
        self.links: dict[str, Link] = {}
        self.boxes: dict[str, Middlebox] = {}
        self.places: dict[str, list[tuple[str, str]]] = {}  # by link: the boxes before it, and their ways
        self.taps: dict[str, Capture] = {}
        self.windows: dict[str, list[Window]] = {}
        self.alarms: dict[str, Micros] = {}

    @property
    def now(self) -> Micros:
        """The present moment, µs."""
        return self.clock.now

    def tap(self, name: str) -> Capture:
        """Capture from now on what enters the link ``name``, or what the machine ``name`` sees.

        A link's tap sees packets that the link will lose; a machine's sees those that it sends
        and those that reach it; the tap EVERYWHERE sees what enters any link.
        """
        return self.taps.setdefault(name, Capture())

    def watch(self, name: str) -> list[Window]:
        """Note from now on every change of a congestion window of the machine ``name``."""
        return self.windows.setdefault(name, [])

    # -- the loop -------------------------------------------------------------------------------
    def run(self, until: Micros | None = None) -> None:
        """Let things happen until all is quiet, or up to the moment ``until``.

        Raises Livelock if that never comes.
        """
        steps = 0
        while (moment := self.find_next()) is not None and (until is None or moment <= until):
            self.step()
            steps += 1
            if steps > STEP_LIMIT:
                raise Livelock(f"{STEP_LIMIT} happenings by {self.now} µs and no end")
        if until is not None:
            self.clock.pass_to(until)

    def find_next(self) -> Micros | None:
        """When the next thing happens; alarms that nobody waits for any more are taken off."""
        while (ahead := self.clock.peek()) is not None:
            if ahead.packet is not None or self.alarms.get(ahead.node) == ahead.when:
                return ahead.when
            self.clock.drop()
        return None

    def step(self) -> None:
        """Let the next thing happen."""
        happening = self.clock.take()
        router = self.routers.get(happening.node)
        if router is not None:
            assert happening.packet is not None
            self.carry(happening.node, router.arrive(happening.packet))
            return
        machine = self.machines[happening.node]
        if happening.packet is not None:
            self.see(machine.name, happening.packet)
            self.carry(machine.name, machine.arrive(happening.packet, self.now))
        else:
            del self.alarms[machine.name]
            self.carry(machine.name, machine.wake(self.now))
        self.set_alarm(machine)

    def touch(self, name: str) -> None:
        """The machine ``name`` was used from outside: let it send what it now may."""
        machine = self.machines[name]
        self.carry(name, machine.turn(self.now))
        self.set_alarm(machine)

    # -- its parts ------------------------------------------------------------------------------
    def carry(self, node: str, leaving: list[tuple[str, bytes]]) -> None:
        """Give packets that leave ``node`` to their links."""
        for name, packet in leaving:
            self.see(node, packet)
            self.see(name, packet)
            self.see(EVERYWHERE, packet)
            link = self.links[name]
            for one in self.go_through(name, packet):
                passed = link.mark(one, self.now)
                for arrival in link.send(passed, self.now):
                    self.clock.schedule(arrival, link.target, passed)

    def go_through(self, name: str, packet: bytes) -> list[bytes]:
        """What the boxes before the link ``name`` leave of ``packet``, in the order in which they stand."""
        packets = [packet]
        for box, way in self.places.get(name, ()):
            packets = [passed for one in packets for passed in self.boxes[box].arrive(one, way)]
        return packets

    def put(self, name: str, box: Middlebox, forth: str = "client>0", back: str = "server>0") -> None:
        """Put ``box`` before two links: FORTH on the one and BACK on the other. Taps see what comes to it."""
        self.boxes[name] = box
        self.places.setdefault(forth, []).append((name, FORTH))
        self.places.setdefault(back, []).insert(0, (name, BACK))

    def see(self, name: str, packet: bytes) -> None:
        """Show a packet to the tap on ``name``, if there is one."""
        capture = self.taps.get(name)
        if capture is not None:
            capture.see(packet, self.now)

    def set_alarm(self, machine: Machine) -> None:
        """The machine had its turn: schedule its next waking, unless one as early is scheduled."""
        if machine.name in self.windows:
            self.note_windows(machine, self.windows[machine.name])
        due = machine.deadline()
        alarm = self.alarms.get(machine.name)
        if due is None:
            self.alarms.pop(machine.name, None)
        elif alarm is None or due < alarm:
            due = max(due, self.now)
            self.alarms[machine.name] = due
            self.clock.schedule(due, machine.name)

    def note_windows(self, machine: Machine, windows: list[Window]) -> None:
        """Note the congestion windows of ``machine`` that are not what they were."""
        for connection in machine.applications:
            for i, subflow in enumerate(machine.host.status(connection).subflows):
                window = Window(self.now, connection, i, subflow.snd_cwnd, subflow.snd_ssthresh)
                before = next((one for one in reversed(windows) if one[1:3] == window[1:3]), None)
                if before is None or before[3:] != window[3:]:
                    windows.append(window)

    def set_mtu(self, link: str, mtu: int) -> None:
        """From now on ``link`` carries ``mtu`` octets, and the router before it knows."""
        self.links[link].line = replace(self.links[link].line, mtu=mtu)
        for router in self.routers.values():
            router.set_mtu(link, mtu)

    def add_link(self, name: str, target: str, line: Line, seed: str) -> str:
        """Lay one direction of a wire towards ``target``; its name."""
        self.links[name] = Link(name, target, line, seed)
        return name


@dataclass(frozen=True)
class Path:
    """A way between two machines: a line each way, or several in a row with routers between."""

    forth: tuple[Line, ...] = (Line(),)
    back: tuple[Line, ...] = (Line(),)


def path(line: Line) -> Path:
    """The same line both ways."""
    return Path((line,), (line,))


def two_hosts(
    *paths: Path,
    seed: str = "two hosts",
    client: Choices | None = None,
    server: Choices | None = None,
    journals: int = 0,
) -> Network:
    """A machine "client" and a machine "server" with ``paths`` between them (default: one, perfect).

    Path number i (from 0) joins 10.0.i.1 and fd00:i::1 of the client to 10.0.i.2 and fd00:i::2 of
    the server. Its links are "client>0", "server>0"; a path of several lines has routers "0.0",
    "0.1" … between them and links "0.0>" (towards the server) and "<0.0" (towards the client).
    ``journals`` is the number of notes that each host's journal keeps.
    """
    network = Network()
    ways = paths or (Path(),)
    for name, number, choices in (("client", 1, client), ("server", 2, server)):
        interfaces: dict[Address, str] = {}
        for i in range(len(ways)):
            interfaces[ipv4(i, number)] = f"{name}>{i}"
            interfaces[ipv6(i, number)] = f"{name}>{i}"
        entropy = sha256(f"{seed}/{name}".encode()).digest()
        host = Host(tuple(interfaces), entropy, choices or Choices(), Journal(journals))
        network.machines[name] = Machine(name, host, interfaces)
    for i, way in enumerate(ways):
        lay(network, i, way, seed)
    return network


def call(network: Network, client: Application, server: Application) -> None:
    """The client of two hosts opens a connection to the server's port 80, by the first path over IPv4."""
    network.machines["server"].listen(80, server)
    network.machines["client"].connect(ipv4(0, 1), ipv4(0, 2), 80, client, network.now)
    network.touch("client")


def get_server(network: Network) -> Application:
    """The application of the first connection that the server of two hosts has."""
    return next(iter(network.machines["server"].applications.values()))


def lay(network: Network, i: int, way: Path, seed: str) -> None:
    """Lay path number ``i`` from the client to the server, routers included."""
    assert len(way.forth) == len(way.back), "as many lines forth as back"
    nodes = ["client", *(f"{i}.{k}" for k in range(len(way.forth) - 1)), "server"]
    forth = [f"client>{i}", *(f"{name}>" for name in nodes[1:-1])]
    back = [*(f"<{name}" for name in nodes[1:-1]), f"server>{i}"]
    for k, line in enumerate(way.forth):
        network.add_link(forth[k], nodes[k + 1], line, seed)
        network.add_link(back[k], nodes[k], way.back[k], seed)
    for k, name in enumerate(nodes[1:-1]):
        router = Router(name, (ipv4(i, 100 + k), ipv6(i, 100 + k)))
        for client_end, server_end in ((ipv4(i, 1), ipv4(i, 2)), (ipv6(i, 1), ipv6(i, 2))):
            router.add_route(client_end, 8 * len(client_end), back[k], way.back[k].mtu)
            router.add_route(server_end, 8 * len(server_end), forth[k + 1], way.forth[k + 1].mtu)
        network.routers[name] = router


def ipv4(path_number: int, end: int) -> Address:
    """10.0.path_number.end."""
    return bytes([10, 0, path_number, end])


def ipv6(path_number: int, end: int) -> Address:
    """fd00:path_number::end."""
    return bytes([0xFD, 0, 0, path_number, *bytes(11), end])
