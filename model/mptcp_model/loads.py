"""Loads: two hosts with much to do and nothing between them but lists, so that what is counted is theirs.

    load = Load(subflows=2, loss=0.01)
    load.run(10_000)           # segments with text that arrived
    load.now                   # µs: each way takes a millisecond

What grows in a load is a matter of its arguments: subflows, connections, losses, windows, gaps. What it
costs is told by a clock or, the same on every machine, by ``count_steps``.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, Final

import mptcp
from mptcp.choices import UNCOUPLED, Choices
from mptcp.events import Accepted, Readable, Writable
from mptcp.host import Host
from mptcp.parameters import MILLISECOND
from mptcp.values import Address, Micros
from mptcp.wire.segment import Outgoing

SERVER: Final = bytes([10, 0, 0, 2])
PORT: Final = 80
BATCH: Final = 2  # packets that a host takes in before it has its turn: each pair is acknowledged
OPENING: Final = 500  # connections that are opened at once
WARM: Final = 30  # segments of each connection before a load runs as it will for ever
LONG: Final = 1_400  # octets of text in a segment, about
SHORT: Final = 200  # octets; packets that are longer have text
CHUNK: Final = bytes(1 << 16)
READ_LIMIT: Final = 1 << 20  # octets
PROTOCOL: Final = str(Path(mptcp.__file__).parent)


def count_steps(call: Callable[[], object]) -> int:
    """How many lines of the protocol are executed by ``call``. Lines of compiled modules are not seen."""
    steps = 0

    def step(frame: FrameType, event: str, _: object) -> Any:
        nonlocal steps
        steps += event == "line"
        return step

    def enter(frame: FrameType, event: str, argument: object) -> Any:
        return step if frame.f_code.co_filename.startswith(PROTOCOL) else None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        call()
    finally:
        sys.settrace(before)
    return steps


class Load:
    """``connections`` from a client with as many addresses as ``subflows`` to a server that reads all.

    loss         the part of the client's packets with text that is lost, by seeded dice
    window       octets of all buffers
    gaps         of every so many pairs of packets, once as many are under way, the second ones come before
                 all of the first ones, so that the server has as many gaps at once; 0: all come in order
    chunk        octets that each connection writes in every round trip; 0: as many as are taken
    resting      how many of the connections write nothing
    """

    def __init__(
        self,
        subflows: int = 1,
        connections: int = 1,
        loss: float = 0.0,
        window: int = 4 << 20,
        gaps: int = 0,
        chunk: int = 0,
        resting: int = 0,
        **fields: Any,
    ) -> None:
        choices = Choices(
            receive_buffer=window, send_buffer=window, coupling=UNCOUPLED, nagle=not chunk, **fields
        )
        addresses = tuple(bytes([10, 0, number, 1]) for number in range(subflows))
        self.client = Host(addresses, bytes(range(32)), choices)
        self.server = Host((SERVER,), bytes(range(32, 64)), choices)
        self.now: Micros = 0
        self.warmth = max(WARM * (connections - resting), 4 * window // LONG)
        self.loss = 0.0
        self.gaps = gaps
        self.turned = 0  # round trips with gaps
        self.chunk = b""
        self.arrived = 0  # segments with text
        self._dice = Random("load")
        self._writers: list[int] = []
        self._forth: list[bytes] = []
        self._back: list[bytes] = []
        self.server.listen(None, PORT)
        self._open(addresses[0], connections)
        del self._writers[:resting]
        self.loss = loss
        self.chunk = CHUNK[:chunk]
        if not chunk:
            for connection in self._writers:
                self._fill(connection)

    def _open(self, local: Address, count: int) -> None:
        """All handshakes, joins included."""
        while count > 0:
            for _ in range(min(count, OPENING)):
                self._writers.append(self.client.connect(local, SERVER, PORT, self.now))
            count -= OPENING
            for _ in range(5):
                self._pass_forth(False)
                self._pass_back()

    def run(self, segments: int) -> int:
        """Until so many more segments with text have arrived at the server; how many it were."""
        before = self.arrived
        while self.arrived < before + segments:
            self.turn()
        return self.arrived - before

    def warm_up(self) -> None:
        """Until it runs as it will for ever: windows are full, and delayed acknowledgments are under way."""
        self.run(self.warmth)

    def turn(self) -> None:
        """One round trip."""
        self._pass_back()
        self._pass_forth(True)

    # -- the way there and back ---------------------------------------------------------------------

    def _pass_back(self) -> None:
        """What the server sent reaches the client, which answers and writes."""
        client = self.client
        self.now += MILLISECOND
        arriving, self._back = self._back, []
        if self.chunk:
            for connection in self._writers:
                client.write(connection, self.chunk, self.now)
        for start in range(0, len(arriving) or 1, BATCH):
            for packet in arriving[start : start + BATCH]:
                client.receive(packet, self.now)
            self._hear_client()
            self._send(client.transmit(self.now))
        self._tick(client)

    def _pass_forth(self, is_counted: bool) -> None:
        """What the client sent reaches the server, which reads and answers."""
        server = self.server
        self.now += MILLISECOND
        arriving, self._forth = self._arrange(self._forth), []
        for start in range(0, len(arriving) or 1, BATCH):
            for packet in arriving[start : start + BATCH]:
                server.receive(packet, self.now)
                self.arrived += is_counted and len(packet) > SHORT
            for event in server.events():
                if isinstance(event, (Accepted, Readable)):
                    while server.read(event.connection, READ_LIMIT, self.now):
                        pass
            self._back += [one.octets() for one in server.transmit(self.now)]
        self._tick(server)

    def _send(self, leaving: list[Outgoing]) -> None:
        """Put packets on their way, but for those that are lost."""
        for one in leaving:
            packet = one.octets()
            if not self.loss or len(packet) <= SHORT or self._dice.random() >= self.loss:
                self._forth.append(packet)

    def _arrange(self, packets: list[bytes]) -> list[bytes]:
        """In the order in which they arrive."""
        if not 0 < 2 * self.gaps <= len(packets):
            return packets
        arranged: list[bytes] = []
        for start in range(0, len(packets), 2 * self.gaps):
            some = packets[start : start + 2 * self.gaps]
            arranged += some[1::2] + some[::2]
        self.turned += 1
        return arranged

    # -- the two hosts ------------------------------------------------------------------------------

    def _hear_client(self) -> None:
        """Whoever may write writes."""
        for event in self.client.events():
            if isinstance(event, Writable) and not self.chunk:
                self._fill(event.connection)

    def _fill(self, connection: int) -> None:
        """Whatever the send buffer takes."""
        while self.client.write(connection, CHUNK, self.now) == len(CHUNK):
            pass

    def _tick(self, host: Host) -> None:
        """Run the timers, if any are due."""
        due = host.deadline()
        if due is not None and due <= self.now:
            host.tick(self.now)
            if host is self.client:
                self._send(host.transmit(self.now))
            else:
                self._back += [one.octets() for one in host.transmit(self.now)]
