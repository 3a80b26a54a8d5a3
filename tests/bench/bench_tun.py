"""Bulk transfer with the kernel over TUN, plain and with offload, beside what bounds it, all in one run.

Beside our stack: the kernel's own MPTCP over veth pairs with the same offload, subflows and checksums, a
bare Python loop that only carries packets between two TUN interfaces of the same kind, each with a kernel
behind it, and our interpreted build. "Threaded": the packets are those of the path all the same, but what is
written to the TUN interface is received by a thread of the kernel's, and not within the write. One
connection, MTU 1500, reno; the peers are the kernel's MPTCP under small Python programs. Everybody has a turn
in each round, the others one before ours and one after, since machines differ and this one may be busy: the
ratios, to the mean of these two, are the point, and a row is the round whose ratio is in the middle. Before a
row counts, octets by chance have come through it with the right SHA-256. As root,
``python tests/bench/bench_tun.py`` prints the table.
"""

import asyncio
import hashlib
import os
import select
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass

from figures import Rounds, Table, ask_interpreted, present

import mptcp
from mptcp.connection.info import ConnectionInfo
from mptcp_stack import network
from mptcp_stack.device import Device
from mptcp_stack.lab import Lab
from mptcp_stack.namespace import call_inside
from mptcp_stack.peers import generate
from mptcp_stack.stack import Stack, suit
from mptcp_stack.streams import open_connection
from mptcp_stack.tun import open_tun

SPAN = 1.0  # seconds of one transfer
ROUNDS = 5  # the middle one counts
COMPILED = 4  # times as fast as interpreted, without offload
PROBE = 8_000_000  # octets whose SHA-256 is compared
SEED = 8684
PROBING = ("--octets", str(PROBE), "--seed", str(SEED))
FLOWING = ("--no-hash", "--seconds", str(SPAN))


@dataclass(frozen=True)
class Road:
    """How the packets go, and what part of the kernel's speed ours should be."""

    words: str
    offloads: bool
    threaded: bool = False
    paths: int = 1
    checksum: bool = False
    goal: float | None = None

    def open_lab(self) -> Lab:
        """A namespace whose kernel goes this road."""
        lab = Lab({"net.mptcp.checksum_enabled": str(int(self.checksum))})
        lab.set_limits()
        return lab

    def check(self, info: ConnectionInfo) -> None:
        """Whether ours went it."""
        assert info.multipath and len(info.subflows) == self.paths and info.checksum == self.checksum, info


PLAIN = Road("without offload", False)
THREADED = Road("threaded", False, threaded=True)
GSO = Road("GSO", True, goal=0.7)
ROADS = (
    PLAIN,
    THREADED,
    GSO,
    Road("GSO, 2 subflows", True, paths=2, goal=0.7),
    Road("GSO, checksums", True, checksum=True, goal=0.5),
)
BARE_LOOP = 0.8  # of its speed, without offload
BARE = "a bare loop between two TUN"


def compute_speed(octets: int, seconds: float) -> float:
    """Mbit/s."""
    return octets * 8 / 1e6 / seconds


class Sink(asyncio.Protocol):
    """Counts what comes."""

    def __init__(self, is_hashed: bool) -> None:
        self.octets = 0
        self.digest = hashlib.sha256() if is_hashed else None
        self.speed: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.info: ConnectionInfo | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The clock runs."""
        self.transport = transport
        self.began = time.monotonic()

    def data_received(self, data: bytes) -> None:
        """Count it."""
        self.octets += len(data)
        if self.digest is not None:
            self.digest.update(data)

    def eof_received(self) -> None:
        """All is there."""
        self.info = self.transport.get_extra_info("mptcp")
        self.speed.set_result(compute_speed(self.octets, time.monotonic() - self.began))


def run(lab: Lab, road: Road, talk: Callable[[Stack], Awaitable[float]]) -> float:
    """Our stack on the road in the lab."""

    async def main() -> float:
        devices = tuple(open_road(lab, number, road) for number in range(road.paths))
        async with Stack(*devices, choices=suit(devices, announce=True, subflows=road.paths)) as stack:
            return await talk(stack)

    return asyncio.run(main())


def clock_to_us(lab: Lab, road: Road, is_probe: bool) -> float:
    """The kernel sends, we receive."""

    async def talk(stack: Stack) -> float:
        sink = Sink(is_probe)
        await stack.create_server(lambda: sink, port=8000)
        peer = lab.peer("send", "--connect", "10.77.0.2", "8000", *(PROBING if is_probe else FLOWING))
        speed = await sink.speed
        report = await peer.report()
        assert sink.octets == report["sent"], report
        if sink.digest is not None:
            assert sink.digest.hexdigest() == report["sent_sha256"], report
        elif sink.info is not None:
            road.check(sink.info)
        return speed

    return run(lab, road, talk)


def clock_from_us(lab: Lab, road: Road, is_probe: bool) -> float:
    """We send, the kernel receives."""

    async def talk(stack: Stack) -> float:
        peer = lab.peer("receive", "--listen", "10.77.0.1", "8000", *(() if is_probe else ("--no-hash",)))
        await peer.ready()
        _, writer = await open_connection("10.77.0.1", 8000, stack=stack)
        digest, octets = hashlib.sha256(), 0
        if is_probe:
            for chunk in generate(PROBE, SEED):
                digest.update(chunk)
                writer.write(chunk)
                octets += len(chunk)
                await writer.drain()
        else:
            chunk, end = bytes(1 << 18), time.monotonic() + SPAN
            while time.monotonic() < end:
                writer.write(chunk)
                octets += len(chunk)
                await writer.drain()
            road.check(writer.get_extra_info("mptcp"))
        writer.close()
        report = await peer.report()
        assert report["received"] == octets, report
        assert not is_probe or report["received_sha256"] == digest.hexdigest(), report
        return compute_speed(report["received"], report["seconds"])

    return run(lab, road, talk)


WAYS = {"kernel to us": clock_to_us, "us to kernel": clock_from_us}


def clock_kernel(road: Road) -> float:
    """The kernel with itself, from one namespace to another."""
    with road.open_lab() as lab, road.open_lab() as far:
        lab.join(far, offload=road.offloads)
        if road.paths > 1:
            join_again(lab, far)
            lab.add_endpoint("10.78.1.1", "signal")
        server = lab.peer("receive", "--listen", "0.0.0.0", "8000", "--no-hash")
        server.wait_ready()
        client = far.peer("send", "--connect", "10.78.0.1", "8000", *FLOWING)
        report = server.wait_report()
        client.wait_report()
        joined = lab.counters()["MPTcpExtMPJoinAckRx"]
        assert report["mptcp"] and joined == road.paths - 1, (report, joined)
        return compute_speed(report["received"], report["seconds"])


def join_again(lab: Lab, far: Lab) -> None:
    """A second veth pair, beside the first."""
    call_inside(lab.name, lambda: network.add_veth("veth1", "veth1", far.name))
    call_inside(lab.name, lambda: network.set_up("veth1", ("10.78.1.1/24",)))
    call_inside(far.name, lambda: network.set_up("veth1", ("10.78.1.2/24",)))


def clock_loop(road: Road) -> float:
    """The kernel with itself, and between two TUN interfaces nothing but read and write."""
    with Lab() as lab, Lab() as far:
        near = open_plain("10.79.0.1/24", lab, road)
        away = open_plain("10.79.0.2/24", far, road)
        server = lab.peer("receive", "--listen", "10.79.0.1", "8000", "--no-hash")
        server.wait_ready()
        client = far.peer("send", "--connect", "10.79.0.1", "8000", *FLOWING)
        carry({near.fileno(): away.fileno(), away.fileno(): near.fileno()}, server.process)
        report = server.wait_report()
        client.wait_report()
        near.close()
        away.close()
        return compute_speed(report["received"], report["seconds"])


def open_plain(theirs: str, lab: Lab, road: Road) -> Device:
    """A TUN interface whose packets are those of the path."""
    return open_tun(
        "tun0", ours=(), theirs=(theirs,), namespace=lab.name, offloads=False, threaded=road.threaded
    )


def open_road(lab: Lab, number: int, road: Road) -> Device:
    """As the lab has them, but with one address of ours, so that no more than one can be joined."""
    return open_tun(
        f"tun{number}",
        ours=(f"10.77.{number}.2",),
        theirs=(f"10.77.{number}.1/24",),
        namespace=lab.name,
        offloads=road.offloads,
        threaded=road.threaded,
    )


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


def clock_ways(lab: Lab, road: Road) -> dict[str, float]:
    """Ours, both ways."""
    return {way: clock(lab, road, False) for way, clock in WAYS.items()}


def clock_us() -> dict[str, dict[str, float]]:
    """Packets of the path on this build, once."""
    found = {}
    for road in (PLAIN, THREADED):
        with road.open_lab() as lab:
            found[road.words] = clock_ways(lab, road)
    return found


def clock_others(road: Road) -> dict[str, float]:
    """The kernel and, with packets of the path, the bare loop."""
    kernel = {f"kernel to kernel, veth, {road.words if road.offloads else PLAIN.words}": clock_kernel(road)}
    return kernel if road.offloads else {**kernel, BARE: clock_loop(road)}


def measure() -> Table:
    """All roads; packets of the path on both builds."""
    table = Table(f"Bulk over TUN: MPTCP, one connection, MTU 1500, reno, {SPAN:g} s, the middle of {ROUNDS}")
    rounds = Rounds("Mbit/s")
    with ExitStack() as resources:
        labs = {road: resources.enter_context(road.open_lab()) for road in ROADS}
        for road, lab in labs.items():
            for clock in WAYS.values():
                clock(lab, road, True)
        for _ in range(ROUNDS):
            pure = ask_interpreted(__file__) if mptcp.build() == "compiled" else {}
            for road, lab in labs.items():
                before, ours, after = clock_others(road), clock_ways(lab, road), clock_others(road)
                for way, speed in ours.items():
                    name = f"{way}, {road.words}"
                    for other in before:
                        goal = BARE_LOOP if other == BARE else road.goal
                        rounds.add(name, speed, other, (before[other] + after[other]) / 2, goal)
                    if road.words in pure:
                        rounds.add(name, speed, "interpreted", pure[road.words][way], COMPILED)
    table.figures = rounds.find_middle()
    return table


if __name__ == "__main__":
    present(measure, clock_us, needs_root=True)
