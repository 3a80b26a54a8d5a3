"""How much work a segment is: two hosts in one process, a bulk flow between them, and no device.

The client writes without end, the server reads; packets travel in lists, 1 ms each way, and every host has
its turn after each batch of 16. What is counted are segments with text, in one second of the process's
own time: everything that both hosts do for one, the acknowledgments included, is in it, and so is the
loop. ``python tests/bench/bench_simulated.py`` prints the table; the interpreted build runs in a process
of its own.
"""

import time

from figures import Figure, Table, ask_interpreted, present

import mptcp
from mptcp.choices import Choices
from mptcp.host import Host
from mptcp.parameters import MILLISECOND

CLIENT, SERVER = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
BATCH = 16  # packets that a host takes in before it has its turn
CHUNK = bytes(1 << 16)
GOAL = 250_000  # segments/s
SPAN = 3.0  # seconds of process time for each row
ROWS = {
    "TCP, no loss": (False, 0),
    "MPTCP, no loss": (True, 0),
    "TCP, one of 100 lost": (False, 100),
    "MPTCP, one of 100 lost": (True, 100),
}


class Flow:
    """A bulk flow; each ``loss``-th packet with text is lost, none if it is 0."""

    def __init__(self, multipath: bool, loss: int) -> None:
        choices = Choices(multipath=multipath)
        self.client = Host((CLIENT,), bytes(range(32)), choices)
        self.server = Host((SERVER,), bytes(range(32, 64)), choices)
        self.server.listen(None, 80)
        self.now = 0
        self.loss = 0
        self.sent = 0
        self.reader = 0
        self.writer = self.client.connect(CLIENT, SERVER, 80, 0)
        self.forth: list[bytes] = []
        self.back: list[bytes] = []
        for _ in range(10):
            self.turn()
        self.loss = loss

    def turn(self) -> None:
        """One round trip."""
        client, server = self.client, self.server
        self.now += MILLISECOND
        arriving, self.back = self.back, []
        for start in range(0, len(arriving) or 1, BATCH):
            for packet in arriving[start : start + BATCH]:
                client.receive(packet, self.now)
            self.write()
            for one in client.transmit(self.now):
                octets = one.octets()
                if len(octets) > 200:
                    self.sent += 1
                    if self.loss and self.sent % self.loss == 0:
                        continue
                self.forth.append(octets)
        self.tick(client)
        self.now += MILLISECOND
        arriving, self.forth = self.forth, []
        for start in range(0, len(arriving) or 1, BATCH):
            for packet in arriving[start : start + BATCH]:
                server.receive(packet, self.now)
            self.read()
            self.back += [one.octets() for one in server.transmit(self.now)]
        self.tick(server)

    def write(self) -> None:
        """Whatever the send buffer takes."""
        while self.client.write(self.writer, CHUNK, self.now) == len(CHUNK):
            pass
        self.client.events()

    def read(self) -> None:
        """All there is."""
        for event in self.server.events():
            self.reader = event.connection
        if self.reader:
            while self.server.read(self.reader, 1 << 20, self.now):
                pass

    def tick(self, host: Host) -> None:
        """Run the timers, if any are due."""
        due = host.deadline()
        if due is not None and due <= self.now:
            host.tick(self.now)


def clock_flow(multipath: bool, loss: int) -> tuple[float, int]:
    """Segments in a second of process time, and how many of a hundred were sent again."""
    flow = Flow(multipath, loss)
    flow.turn()
    start, sent = time.process_time(), flow.sent
    while time.process_time() - start < SPAN:
        flow.turn()
    rate = (flow.sent - sent) / (time.process_time() - start)
    (subflow,) = flow.client.status(flow.writer).subflows
    return rate, round(100 * subflow.bytes_retrans / (subflow.snd_mss * flow.sent))


def clock_us() -> dict[str, tuple[float, int]]:
    """All rows on this build."""
    return {name: clock_flow(*row) for name, row in ROWS.items()}


def measure() -> Table:
    """Both builds."""
    table = Table("Segments of 1,460 octets or what options leave of them: both hosts' work, one core")
    ours = clock_us()
    pure = ask_interpreted(__file__) if mptcp.build() == "compiled" else {}
    for name, (rate, again) in ours.items():
        table.figures.append(Figure(name, rate, "segments/s", goal=GOAL))
        if pure:
            table.figures.append(Figure(name, rate, "segments/s", "interpreted", pure[name][0]))
        if again:
            table.remarks.append(f"{name}: {again} of a hundred were sent again")
    return table


if __name__ == "__main__":
    present(measure, clock_us)
