"""The file over a simulated network: two of our hosts, one link with a rate, a delay and losses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mptcp.host import Host
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.values import Micros
from mptcp_model.demonstration.transfer import Transfer
from mptcp_model.simulated.applications import Sender, Sink
from mptcp_model.simulated.capture import Packet
from mptcp_model.simulated.link import Counters, Line
from mptcp_model.simulated.network import Network, Window, ipv4, path, two_hosts

LINE: Final = Line(rate=50_000_000, delay=10 * MILLISECOND, loss=0.001, queue=250_000)
LINE_IN_WORDS: Final = "50 Mbit/s, 10 ms each way, 0.1 % of the packets lost"
SEED: Final = "demo 7"  # of the losses: the first one comes when slow start has filled the link
PORT: Final = 8000
SLICE: Final = 50 * MILLISECOND  # between two looks at how far it is
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


@dataclass(frozen=True)
class Simulation:
    """What was seen: the transfer, the client's packets and windows, and what the link did."""

    transfer: Transfer
    packets: Sequence[Packet]
    windows: Sequence[Window]
    link: Counters


def simulate(source: Path, folder: Path, watch: Callable[[int], None]) -> Simulation:
    """Move ``source`` from one host to the other; ``watch`` is told how many octets have come.

    Leaves what came in folder/simulated and the packets in folder/simulated.pcap.
    """
    network = two_hosts(path(LINE), seed=SEED)
    capture, windows = network.tap("client"), network.watch("client")
    client, server = network.machines["client"], network.machines["server"]
    server.listen(PORT, Download())
    sender = Sender(source.read_bytes())
    client.connect(ipv4(0, 1), ipv4(0, 2), PORT, sender, network.now)
    network.touch("client")
    run(network, watch)
    received, seconds, is_multipath = folder / "simulated", 0.0, False
    with received.open("wb") as stream:
        for connection, application in server.applications.items():
            assert isinstance(application, Download)
            stream.writelines(application.received)
            seconds = application.ended_at / SECOND
            is_multipath = server.host.status(connection).multipath
    is_multipath = is_multipath and client.host.status(sender.connection).multipath
    capture.write(folder / "simulated.pcap")
    transfer = Transfer("simulated network", source, received, seconds, is_multipath)
    return Simulation(transfer, capture.packets, windows, network.links["client>0"].counters)


def run(network: Network, watch: Callable[[int], None]) -> None:
    """Let things happen until all is quiet."""
    server = network.machines["server"]
    while network.find_next() is not None and network.now < PATIENCE:
        network.run(until=network.now + SLICE)
        for connection in server.applications:
            watch(server.host.status(connection).bytes_received)
