"""How many connections a second open, carry one octet, and close: ours with the kernel, and the kernel's own.

Who connects sends an octet and closes; the other reads to the end and closes, too; many are under way at
once. Over TUN one side is ours, on both builds; over a veth pair both are the kernel's, under small Python
programs. Beside the rates stands what processor time a connection takes: ours, of which the part in system
calls has, over TUN, the kernel's work for its own end in it, and that of the kernel's program.
``python tests/bench/bench_connections.py`` prints the table, as root.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable

from figures import Figure, Table, ask_interpreted, present

import mptcp
from mptcp_stack.lab import Lab
from mptcp_stack.stack import Stack, suit

COUNT = 4_000  # connections of one run
TOGETHER = 64  # under way at once
ROUNDS = 3  # the median counts
RATE = 2_500  # connections a second
SHARE = 0.2  # of the kernel's
PROTOCOLS = {"MPTCP": 262, "TCP": 6}  # of a socket
KERNEL, OURS, VETH, PORT = "10.77.0.1", "10.77.0.2", "10.78.0.1", 8000

CLIENT = """
import os, select, socket, sys
address, port, count, together, protocol = sys.argv[1], *map(int, sys.argv[2:])
poll, under_way, begun, done = select.epoll(), {}, 0, 0
while done < count:
    while begun < count and len(under_way) < together:
        one = socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
        one.setblocking(False)
        one.connect_ex((address, port))
        poll.register(one, select.EPOLLOUT)
        under_way[one.fileno()] = one
        begun += 1
    for number, _ in poll.poll():
        one = under_way.pop(number)
        one.send(b"x")
        one.close()
        done += 1
spent = os.times()
print(spent.user + spent.system)
"""
"""The kernel's program that connects."""

SERVER = """
import os, socket, sys, time
address, port, count, protocol = sys.argv[1], *map(int, sys.argv[2:])
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((address, port))
listener.listen(1024)
print("ready", flush=True)
octets = began = 0
for _ in range(count):
    one, _ = listener.accept()
    began = began or time.monotonic()
    while octet := one.recv(10):
        octets += len(octet)
    one.close()
seconds, spent = time.monotonic() - began, os.times()
assert octets == count
print(seconds)
print(spent.user + spent.system)
"""
"""The kernel's program that is connected to."""

Clocked = tuple[float, float, float, float]
"""Connections a second; and µs of processor time of each: ours, in system calls, the other program's."""


class Reading(asyncio.Protocol):
    """Our end of a connection that comes to us."""

    def __init__(self, tally: "Tally") -> None:
        self.tally = tally

    def data_received(self, data: bytes) -> None:
        self.tally.octets += len(data)

    def connection_lost(self, error: BaseException | None) -> None:
        self.tally.add()


class Writing(asyncio.Protocol):
    """Our end of a connection that we open: closed as soon as it is there."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"x")
        transport.close()


class Tally:
    """Counts connections that are over, and tells when all are."""

    def __init__(self) -> None:
        self.count = self.octets = 0
        self.began = 0.0
        self.before = os.times()
        self.over = asyncio.Event()

    def make_reading(self) -> Reading:
        """The next connection; the first one starts the clocks."""
        if not self.began:
            self.began, self.before = time.monotonic(), os.times()
        return Reading(self)

    def add(self) -> None:
        """One is over."""
        self.count += 1
        if self.count == COUNT:
            self.over.set()


def start(lab: Lab, text: str, *arguments: object) -> "subprocess.Popen[str]":
    """A program of the kernel's side."""
    command = (sys.executable, "-I", "-c", text, *map(str, arguments))
    return lab.popen(*command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def compute_clocked(seconds: float, before: os.times_result, theirs: float) -> Clocked:
    """``before``: the processor time of this process until then; ``theirs``, seconds."""
    after, each = os.times(), 1e6 / COUNT
    user, system = after.user - before.user, after.system - before.system
    return COUNT / seconds, (user + system) * each, system * each, theirs * each


def clock_to_us(lab: Lab, name: str) -> Clocked:
    """The kernel connects, we read and close."""

    async def main() -> Clocked:
        device, tally = lab.open_tun(), Tally()
        async with Stack(device, choices=suit((device,), multipath=name == "MPTCP")) as stack:
            await stack.create_server(tally.make_reading, OURS, PORT)
            program = start(lab, CLIENT, OURS, PORT, COUNT, TOGETHER, PROTOCOLS[name])
            await asyncio.wait_for(tally.over.wait(), 100)
            seconds = time.monotonic() - tally.began
            assert tally.octets == COUNT
            said, _ = await asyncio.to_thread(program.communicate)
            return compute_clocked(seconds, tally.before, float(said))

    return asyncio.run(main())


def clock_from_us(lab: Lab, name: str) -> Clocked:
    """We connect, the kernel reads and closes."""

    async def main() -> Clocked:
        device = lab.open_tun()
        async with Stack(device, choices=suit((device,), multipath=name == "MPTCP")) as stack:
            program = start(lab, SERVER, KERNEL, PORT, COUNT, PROTOCOLS[name])
            assert program.stdout is not None
            await asyncio.to_thread(program.stdout.readline)
            before, left = os.times(), iter(range(COUNT))

            async def connect() -> None:
                for _ in left:
                    await stack.create_connection(Writing, KERNEL, PORT)

            await asyncio.gather(*(connect() for _ in range(TOGETHER)))
            said, _ = await asyncio.to_thread(program.communicate)
            seconds, theirs = said.split()
            return compute_clocked(float(seconds), before, float(theirs))

    return asyncio.run(main())


def clock_kernel(name: str) -> Clocked:
    """The kernel with itself: what stands for ours is its server."""
    with Lab() as lab, Lab() as far:
        lab.join(far, offload=False)
        server = start(lab, SERVER, VETH, PORT, COUNT, PROTOCOLS[name])
        assert server.stdout is not None
        server.stdout.readline()
        client = start(far, CLIENT, VETH, PORT, COUNT, TOGETHER, PROTOCOLS[name])
        said, _ = server.communicate()
        theirs, _ = client.communicate()
        seconds, spent = map(float, said.split())
        return COUNT / seconds, spent / COUNT * 1e6, 0.0, float(theirs) / COUNT * 1e6


def find_median(clock: Callable[[], Clocked]) -> Clocked:
    """Of a few runs, the one in the middle."""
    return sorted(clock() for _ in range(ROUNDS))[ROUNDS // 2]


def clock_in_lab(clock: Callable[[Lab, str], Clocked], name: str) -> Clocked:
    """Each run in a laboratory of its own: no port rests from the run before."""
    with Lab() as lab:
        return clock(lab, name)


def clock_us() -> dict[str, Clocked]:
    """Our rows on this build."""
    return {
        f"{name}, {words}": find_median(lambda clock=clock, name=name: clock_in_lab(clock, name))
        for name in PROTOCOLS
        for words, clock in (("kernel to us", clock_to_us), ("us to kernel", clock_from_us))
    }


def measure() -> Table:
    """Ours on both builds, beside the kernel's."""
    table = Table(
        f"Connect, one octet, close: {COUNT:,} connections over TUN, {TOGETHER} at once, median of {ROUNDS}"
    )
    ours, unit = clock_us(), "connections/s"
    pure = ask_interpreted(__file__) if mptcp.build() == "compiled" else {}
    kernel = {name: find_median(lambda name=name: clock_kernel(name)) for name in PROTOCOLS}
    for words, (rate, spent, system, theirs) in ours.items():
        beside = kernel[words.partition(",")[0]][0]
        table.figures += [
            Figure(words, rate, unit, goal=RATE),
            Figure(words, rate, unit, "kernel to kernel, veth", beside, goal_ratio=SHARE),
        ]
        if pure:
            table.figures.append(Figure(words, rate, unit, "interpreted", pure[words][0]))
        table.remarks.append(
            f"{words}: a connection takes {spent:.0f} µs of our process, {system:.0f} of them in system "
            f"calls, and {theirs:.0f} of the kernel's program"
        )
    for name, (_, spent, _, theirs) in kernel.items():
        table.remarks.append(
            f"{name}, kernel to kernel: {spent:.0f} µs of the program that accepts, {theirs:.0f} of the other"
        )
    return table


if __name__ == "__main__":
    present(measure, clock_us, needs_root=True)
