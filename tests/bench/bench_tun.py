"""Bulk transfer with the kernel over TUN, plain and with offload, beside what bounds it, all in one run.

Beside our stack, on both builds: the kernel's own MPTCP over a veth pair with and without segmentation
offload, and a bare Python loop that only carries packets between two TUN interfaces, each with a kernel
behind it. One connection, MTU 1500, reno, MPTCP without checksums; the peers are the kernel's MPTCP under
small Python programs. ``python tests/bench/bench_tun.py`` prints the table, as root; the ratios are
the point, since machines differ and this one may be busy.
"""

import asyncio
import os
import select
import statistics
import subprocess
import time

from figures import Figure, Table, ask_interpreted, present

import mptcp
from mptcp_stack.device import Device
from mptcp_stack.lab import Lab
from mptcp_stack.stack import Stack
from mptcp_stack.streams import open_connection, start_server
from mptcp_stack.tun import open_tun

SPAN = 2.0  # seconds of one transfer
ROUNDS = 3  # the median counts
COMPILED = 4  # times as fast as interpreted, without offload
QUIET = ("--no-hash",)
FLOW = (*QUIET, "--seconds", str(SPAN))


def compute_speed(octets: int, seconds: float) -> float:
    """Mbit/s."""
    return octets * 8 / 1e6 / seconds


def clock_to_us(lab: Lab, offloads: bool) -> float:
    """The kernel sends, we receive."""

    async def main() -> float:
        done = asyncio.get_running_loop().create_future()

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            octets, began = 0, time.monotonic()
            while chunk := await reader.read(1 << 18):
                octets += len(chunk)
            done.set_result(compute_speed(octets, time.monotonic() - began))
            writer.close()

        async with Stack(lab.open_tun(offloads=offloads)) as stack:
            await start_server(take, port=8000, stack=stack, limit=1 << 20)
            peer = lab.peer("send", "--connect", "10.77.0.2", "8000", *FLOW)
            speed: float = await done
            await peer.report()
            return speed

    return asyncio.run(main())


def clock_from_us(lab: Lab, offloads: bool) -> float:
    """We send, the kernel receives."""

    async def main() -> float:
        async with Stack(lab.open_tun(offloads=offloads)) as stack:
            peer = lab.peer("receive", "--listen", "10.77.0.1", "8000", *QUIET)
            await peer.ready()
            _, writer = await open_connection("10.77.0.1", 8000, stack=stack)
            chunk, end = bytes(1 << 18), time.monotonic() + SPAN
            while time.monotonic() < end:
                writer.write(chunk)
                await writer.drain()
            writer.close()
            report = await peer.report()
            return compute_speed(report["received"], report["seconds"])

    return asyncio.run(main())


def clock_veth(offload: bool) -> float:
    """The kernel with itself, from one namespace to another."""
    with Lab() as lab, Lab() as far:
        lab.join(far, offload=offload)
        server = lab.peer("receive", "--listen", "10.78.0.1", "8000", *QUIET)
        server.wait_ready()
        client = far.peer("send", "--connect", "10.78.0.1", "8000", *FLOW)
        report = server.wait_report()
        client.wait_report()
        return compute_speed(report["received"], report["seconds"])


def clock_loop() -> float:
    """The kernel with itself, and between two TUN interfaces nothing but read and write."""
    with Lab() as lab, Lab() as far:
        near = open_plain("10.79.0.1/24", lab)
        away = open_plain("10.79.0.2/24", far)
        server = lab.peer("receive", "--listen", "10.79.0.1", "8000", *QUIET)
        server.wait_ready()
        client = far.peer("send", "--connect", "10.79.0.1", "8000", *FLOW)
        carry({near.fileno(): away.fileno(), away.fileno(): near.fileno()}, server.process)
        report = server.wait_report()
        client.wait_report()
        near.close()
        away.close()
        return compute_speed(report["received"], report["seconds"])


def open_plain(theirs: str, lab: Lab) -> Device:
    """A TUN interface whose packets are those of the path."""
    return open_tun("tun0", ours=(), theirs=(theirs,), namespace=lab.name, offloads=False)


def carry(roads: dict[int, int], until: "subprocess.Popen[str]") -> None:
    """Write to the one what is read from the other, until a process has ended."""
    poll = select.poll()
    for one in roads:
        poll.register(one, select.POLLIN)
    while until.poll() is None:
        for one, _ in poll.poll(50):
            for _ in range(64):
                try:
                    os.write(roads[one], os.read(one, 65_600))
                except BlockingIOError:
                    break


def clock_us() -> dict[str, float]:
    """Our rows on this build."""
    with Lab() as lab:
        return {
            name + words: statistics.median(clock(lab, offloads) for _ in range(ROUNDS))
            for words, offloads in (("", False), (", GSO", True))
            for name, clock in (("kernel to us", clock_to_us), ("us to kernel", clock_from_us))
        }


def measure() -> Table:
    """Our rows on both builds, beside the bare loop and the kernel."""
    ours, pure = clock_us(), {}
    if mptcp.build() == "compiled":
        pure = ask_interpreted(__file__)
    loop = statistics.median(clock_loop() for _ in range(ROUNDS))
    kernels = {
        long: (name, statistics.median(clock_veth(long) for _ in range(ROUNDS)))
        for long, name in (
            (False, "kernel to kernel, veth, GSO off"),
            (True, "kernel to kernel, veth, GSO on"),
        )
    }
    table = Table(f"Bulk over TUN: MPTCP, one connection, MTU 1500, reno, {SPAN:g} s, median of {ROUNDS}")
    for name, speed in ours.items():
        long = name.endswith("GSO")
        goal = None if long else COMPILED
        table.figures += [Figure(name, speed, "Mbit/s", *kernels[long])]
        if not long:
            table.figures += [Figure(name, speed, "Mbit/s", "a bare loop between two plain TUN", loop)]
        if pure:
            table.figures += [Figure(name, speed, "Mbit/s", "interpreted", pure[name], goal_ratio=goal)]
    return table


if __name__ == "__main__":
    present(measure, clock_us, needs_root=True)
