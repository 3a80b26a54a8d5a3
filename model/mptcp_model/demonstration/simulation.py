"""The file over a simulated network: a phone with Wi-Fi and a cellular path, and a server behind both.

The better path dies on the way and comes back; the file arrives whole.
"""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from mptcp.host import Host
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.values import Address, Micros
from mptcp_model.demonstration.transfer import Run, Share, Transfer
from mptcp_model.simulated.applications import Sender, Sink
from mptcp_model.simulated.link import Line
from mptcp_model.simulated.machine import Machine
from mptcp_model.simulated.network import Network, ipv4
from mptcp_model.simulated.router import Router

NAMES: Final = ("Wi-Fi", "cellular")
LINES: Final = (
    Line(rate=25_000_000, delay=25 * MILLISECOND, loss=0.01, queue=250_000),
    Line(rate=5_000_000, delay=65 * MILLISECOND, queue=250_000),
)
LINES_IN_WORDS: Final = "Wi-Fi (25 Mbit/s, 25 ms, 1 % loss) and cellular (5 Mbit/s, 65 ms)"
SERVER: Final = ipv4(9, 2)
SEED: Final = "demo 8684"
PORT: Final = 8000
SLICE: Final = 50 * MILLISECOND  # between two looks at how far it is
DEAD_AFTER: Final = 0.4  # of the file: then the better path dies
DEAD_FOR: Final = 4 * SECOND
PATIENCE: Final = 3_600 * SECOND  # virtual; nothing takes so long


class Download(Sink):
    """Reads to the end and remembers when that was."""

    FIELDS = (*Sink.FIELDS, "ended_at")

    def __init__(self) -> None:
        super().__init__()
        self.ended_at: Micros = 0

    def end(self, host: Host, now: Micros) -> None:
        """All is read."""
        self.ended_at = now
        super().end(host, now)


def simulate(source: Path, folder: Path, watch: Callable[[int], None]) -> Run:
    """Move ``source`` from the phone to the server; ``watch`` is told how many octets have come.

    Leaves what came in folder/simulated and the packets in folder/simulated.pcap.
    """
    network = lay()
    capture, windows = network.tap("client"), network.watch("client")
    client, server = network.machines["client"], network.machines["server"]
    server.listen(PORT, Download())
    sender = Sender(source.read_bytes())
    client.connect(ipv4(0, 1), SERVER, PORT, sender, network.now)
    network.touch("client")
    outage = run(network, source.stat().st_size, watch)
    received, seconds, is_multipath = folder / "simulated", 0.0, False
    shares: tuple[Share, ...] = ()
    with received.open("wb") as stream:
        for connection, application in server.applications.items():
            assert isinstance(application, Download)
            stream.writelines(application.received)
            seconds = application.ended_at / SECOND
            info = server.host.status(connection)
            is_multipath = info.multipath
            shares = tuple(
                Share(name_path(subflow.remote), subflow.bytes_received) for subflow in info.subflows
            )
    is_multipath = is_multipath and client.host.status(sender.connection).multipath
    capture.write(folder / "simulated.pcap")
    transfer = Transfer("simulation", source, received, seconds, is_multipath, shares=shares)
    links = [network.links[f"client>{number}"].counters for number in range(len(LINES))]
    sent, lost = sum(one.packets for one in links), sum(one.lost + one.overflowed for one in links)
    return Run(transfer, capture.packets, windows, sent, lost, outage)


def lay() -> Network:
    """The phone's two paths meet in a router, behind which the server has one address."""
    network = Network()
    phone = {ipv4(number, 1): f"client>{number}" for number in range(len(LINES))}
    for name, interfaces in (("client", phone), ("server", {SERVER: "server>"})):
        entropy = sha256(f"{SEED}/{name}".encode()).digest()
        network.machines[name] = Machine(name, Host(tuple(interfaces), entropy), interfaces)
    router = network.routers["router"] = Router("router", (ipv4(9, 1),))
    network.add_link("server>", "router", Line(), SEED)
    network.add_link("router>", "server", Line(), SEED)
    router.add_route(SERVER, 32, "router>", Line().mtu)
    for number, line in enumerate(LINES):
        network.add_link(f"client>{number}", "router", line, SEED)
        network.add_link(f"<{number}", "client", line, SEED)
        router.add_route(ipv4(number, 1), 32, f"<{number}", line.mtu)
    return network


def name_path(phone: Address) -> str:
    """By the phone's address."""
    return NAMES[phone[2]]


def run(network: Network, octets: int, watch: Callable[[int], None]) -> tuple[Micros, Micros]:
    """Let things happen until all is quiet; when the better path was dead, from and to."""
    server = network.machines["server"]
    begun = ended = 0
    while network.find_next() is not None and network.now < PATIENCE:
        network.run(until=network.now + SLICE)
        came = sum(server.host.status(connection).bytes_received for connection in server.applications)
        watch(came)
        if not begun and DEAD_AFTER * octets <= came < octets:
            begun = network.now
            cut(network, 1.0)
        elif begun and not ended and network.now >= begun + DEAD_FOR:
            ended = network.now
            cut(network, LINES[0].loss)
    return begun, ended


def cut(network: Network, loss: float) -> None:
    """The better path loses this share of its packets from now on."""
    for name in ("client>0", "<0"):
        link = network.links[name]
        link.line = replace(link.line, loss=loss)
