"""Goodput over a path that loses: ours beside the kernel's own CUBIC, over the same wire in the same run.

One TCP connection over 50 ms of round trip, each way losing one packet of a hundred; the wire is the
laboratory's forwarder, its dice seeded. The kernel talks to another kernel behind it, and to us in its
place, in turns. ``python tests/bench/bench_lossy.py`` prints the table, as root. Time is real: loss is what
bounds both, not the machine.
"""

import asyncio
import statistics
import subprocess
import sys
import time

from figures import Figure, Table, present

from mptcp_stack.forwarder import Line
from mptcp_stack.lab import Lab
from mptcp_stack.stack import Stack, suit
from mptcp_stack.streams import open_connection

LINE = Line(delay=25_000, loss=0.01)
SPAN = 10.0  # seconds of one transfer
ROUNDS = 3  # each with other dice; the mean counts
KERNEL, PLACE = "10.77.0.1", "10.77.0.2"
QUIET = ("--no-hash", "--tcp", "--timeout", "120")

SEND = """
import socket, sys, time
flow = socket.create_connection((sys.argv[1], 8000))
flow.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    flow.send(bytes(1 << 14))
"""
"""The kernel's sender: a namespace has a congestion control of its own, a socket may have another."""


def compute_speed(report: dict[str, float]) -> float:
    """Mbit/s of what a receiver has counted."""
    return report["received"] * 8 / 1e6 / report["seconds"]


def clock_kernel(seed: int) -> float:
    """From kernel to kernel."""
    with Lab() as lab, Lab() as far:
        lab.lay_wire(far, line=LINE, seed=seed)
        server = lab.peer("receive", "--listen", KERNEL, "8000", *QUIET)
        server.wait_ready()
        sender = far.popen(sys.executable, "-I", "-c", SEND, KERNEL, str(SPAN), stdin=subprocess.DEVNULL)
        report = server.wait_report()
        sender.wait()
        return compute_speed(report)


def clock_us(seed: int) -> float:
    """From us to the kernel."""

    async def main(lab: Lab) -> float:
        device, _ = lab.open_wire(0, LINE, seed=seed)
        choices = suit((device,), multipath=False)
        async with Stack(device, choices=choices) as stack:
            server = lab.peer("receive", "--listen", KERNEL, "8000", *QUIET)
            await server.ready()
            _, writer = await open_connection(KERNEL, 8000, stack=stack)
            end = time.monotonic() + SPAN
            while time.monotonic() < end:
                writer.write(bytes(1 << 14))
                await writer.drain()
            writer.close()
            return compute_speed(await server.report())

    with Lab() as lab:
        return asyncio.run(main(lab))


def measure() -> Table:
    """Ours beside the kernel's, in turns."""
    kernel, ours = [], []
    for seed in range(ROUNDS):
        kernel.append(clock_kernel(seed))
        ours.append(clock_us(seed))
    figure = Figure(
        "us to kernel, CUBIC",
        statistics.mean(ours),
        "Mbit/s",
        "kernel to kernel, CUBIC",
        statistics.mean(kernel),
    )
    return Table("TCP over 50 ms, one packet of a hundred lost each way", [figure])


if __name__ == "__main__":
    present(measure, needs_root=True)
