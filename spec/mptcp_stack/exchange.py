"""A ready-made exchange between the kernel and us, in a lab: both directions, with witnesses.

Over one TUN interface as fast as it goes, or over several wires, of which the first may die on the way and
come back. Then each of our addresses is a path: the kernel answers it by the wire of its network, so
that a subflow lies wholly on one of them.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, final

import mptcp
from mptcp.connection.info import ConnectionInfo
from mptcp_stack.device import Device
from mptcp_stack.forwarder import Line
from mptcp_stack.lab import Lab
from mptcp_stack.pcap import PcapWriter
from mptcp_stack.peers import generate, read_chunks
from mptcp_stack.report import describe_subflows, print_json, say, simplify
from mptcp_stack.stack import Stack, vary
from mptcp_stack.streams import open_connection, start_server
from mptcp_stack.transcript import Transcript
from mptcp_stack.watching import Outage, Watcher, Window
from mptcp_stack.wire import Wire

KERNEL: Final = "10.77.0.1"
OURS: Final = "10.77.0.2"
PORT: Final = 8000
TROUBLE: Final = ("Fallback", "DataCsumErr", "InfiniteMap", "MPFail")
"""Words in the names of the counters (MPTcpExt…) that stay at zero as long as MPTCP is spoken well."""
IPV4: Final = 4  # octets of an address
PATIENCE: Final = 600.0  # seconds for a transfer
TO_US, TO_KERNEL = 0, 1  # the ways of a wire


@final
class Cargo:
    """What goes each way: so many octets by chance, or all of a file; and the folder that keeps what came.

    Raises OSError where there is no such file.
    """

    def __init__(self, octets: int = 0, source: Path | None = None, folder: Path | None = None) -> None:
        self.octets: Final = octets if source is None else source.stat().st_size
        self.source: Final = source
        self.folder: Final = folder

    def chunks(self) -> Iterator[bytes]:
        """All of it, for us to send."""
        if self.source is None:
            yield from generate(self.octets, seed=2)
            return
        with open(self.source, "rb") as stream:
            yield from read_chunks(stream)

    def arguments(self) -> tuple[str, str]:
        """The same for the kernel's program."""
        return ("--octets", str(self.octets)) if self.source is None else ("--file", str(self.source))

    def sink(self, name: str) -> str:
        """Where to write what comes."""
        return os.devnull if self.folder is None else str(self.folder / name)


@final
class Scene:
    """Where an exchange takes place: the lab, our stack, the wires if there are any, and their misfortune.

    ``outage``: seconds for which the first wire carries nothing; 0: never.
    """

    def __init__(self, lab: Lab, stack: Stack, wires: Sequence[Wire] = (), outage: float = 0) -> None:
        self.lab: Final = lab
        self.stack: Final = stack
        self._wires: Final = wires
        self._outage: Final = outage

    @property
    def paths(self) -> int:
        """How many there are."""
        return max(1, len(self._wires))

    def count(self, way: int) -> tuple[int, int]:
        """Packets that have gone one way by all wires, and those of them that were lost."""
        counts = [wire.counts()[way] for wire in self._wires]
        return sum(one["packets"] for one in counts), sum(one["lost"] + one["overflowed"] for one in counts)

    @asynccontextmanager
    async def watch(
        self, octets: int, look: Callable[[], ConnectionInfo], count: Callable[[ConnectionInfo], int]
    ) -> AsyncIterator[tuple[Watcher, Outage | None]]:
        """Watch a connection and let things happen; of ``octets`` so many have come as ``count`` says."""
        watcher = Watcher()
        outage = Outage(self._wires[0], octets, self._outage) if self._wires and self._outage else None
        tasks = [asyncio.create_task(watcher.watch(look))]
        if outage is not None:
            tasks.append(asyncio.create_task(outage.happen(lambda: count(look()))))
        try:
            yield watcher, outage
            watcher.see(look())
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ends:
            if isinstance(error, Exception):
                raise error


@final
class Outcome:
    """What one transfer came to: octets, seconds, and the SHA-256 that either side computed.

    ``windows`` are those of the side that sent; ``packets`` and ``lost`` count those on the wires in the
    direction of the file.
    """

    def __init__(
        self,
        octets: int,
        seconds: float,
        sent_sha256: str,
        received_sha256: str,
        mptcp: bool,
        info: ConnectionInfo,
        seen: tuple[Watcher, Outage | None],
        windows: Sequence[Window],
        counts: tuple[int, int],
    ) -> None:
        self.octets: Final = octets
        self.seconds: Final = seconds
        self.sent_sha256: Final = sent_sha256
        self.received_sha256: Final = received_sha256
        self.mptcp: Final = mptcp  # whether the kernel says that MPTCP was spoken to the end
        self.info: Final = info  # and what we say
        self.subflows: Final = seen[0].subflows
        self.windows: Final = tuple(windows)
        self.outage: Final = (0, 0) if seen[1] is None else (seen[1].begun, seen[1].ended)
        self.packets, self.lost = counts

    def is_good(self) -> bool:
        """Whether what was received is what was sent, over MPTCP as either side has it."""
        return self.sent_sha256 == self.received_sha256 and self.mptcp and self.info.multipath

    def __str__(self) -> str:
        speed = self.octets * 8 / 1_000_000 / self.seconds if self.seconds else 0.0
        same = "equal" if self.sent_sha256 == self.received_sha256 else "NOT EQUAL"
        time = f"{self.seconds:.3f} s ({speed:.{0 if speed >= 10 else 1}f} Mbit/s)"
        return f"{self.octets} octets in {time}, SHA-256 {same} at both ends"

    def summarize(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return {
            "octets": self.octets,
            "seconds": self.seconds,
            "sent_sha256": self.sent_sha256,
            "received_sha256": self.received_sha256,
            "kernel_says_mptcp": self.mptcp,
            "connection": simplify(self.info),
            "subflows": simplify(self.subflows),
            "windows": self.windows,
            "outage": self.outage,
            "packets": self.packets,
            "lost": self.lost,
        }


async def receive_from_kernel(scene: Scene, cargo: Cargo, host: str = OURS) -> Outcome:
    """A kernel client sends us the cargo; we serve, and tell it of our other addresses."""
    done: asyncio.Future[tuple[str, ConnectionInfo, Any]] = asyncio.get_running_loop().create_future()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        digest = hashlib.sha256()

        def look() -> ConnectionInfo:
            info: ConnectionInfo = writer.get_extra_info("mptcp")
            return info

        try:
            async with scene.watch(cargo.octets, look, lambda info: info.bytes_received) as seen:
                with open(cargo.sink("from-kernel"), "wb") as sink:
                    while chunk := await reader.read(1 << 18):
                        digest.update(chunk)
                        sink.write(chunk)
            info = look()
            writer.close()
            await writer.wait_closed()
            done.set_result((digest.hexdigest(), info, seen))
        except OSError as error:
            done.set_exception(error)

    before = scene.count(TO_US)
    choices = vary(scene.stack.choices, announce=scene.paths > 1)
    async with await start_server(take, host, PORT, stack=scene.stack, choices=choices):
        began = time.monotonic()
        peer = scene.lab.peer(
            "send", "--connect", host, str(PORT), *cargo.arguments(), "--end", "half", "--windows"
        )
        report, (received, info, seen) = await asyncio.gather(peer.report(PATIENCE), done)
    seconds = report["seconds"] or time.monotonic() - began
    return Outcome(
        cargo.octets,
        seconds,
        report["sent_sha256"],
        received,
        report["mptcp"],
        info,
        seen,
        report["windows"],
        subtract(scene.count(TO_US), before),
    )


async def send_to_kernel(scene: Scene, cargo: Cargo, host: str = KERNEL) -> Outcome:
    """We connect to a kernel server and send the cargo."""
    before = scene.count(TO_KERNEL)
    peer = scene.lab.peer("receive", "--listen", host, str(PORT), "--out", cargo.sink("to-kernel"))
    await peer.ready()
    reader, writer = await open_connection(host, PORT, stack=scene.stack, local_addr=(OURS, 0))
    digest = hashlib.sha256()

    def look() -> ConnectionInfo:
        info: ConnectionInfo = writer.get_extra_info("mptcp")
        return info

    async with scene.watch(cargo.octets, look, lambda info: info.bytes_acked) as seen:
        for chunk in cargo.chunks():
            writer.write(chunk)
            digest.update(chunk)
            await writer.drain()
        writer.write_eof()
        await reader.read()
    info = look()
    writer.close()
    await writer.wait_closed()
    report = await peer.report(PATIENCE)
    return Outcome(
        cargo.octets,
        report["seconds"],
        digest.hexdigest(),
        report["received_sha256"],
        report["mptcp"],
        info,
        seen,
        seen[0].windows,
        subtract(scene.count(TO_KERNEL), before),
    )


def subtract(more: tuple[int, int], less: tuple[int, int]) -> tuple[int, int]:
    """What came to two counts."""
    return more[0] - less[0], more[1] - less[1]


def find_trouble(counters: dict[str, int]) -> dict[str, int]:
    """The counters that speak of fallback or of broken data and are not zero."""
    return {
        name: count
        for name, count in counters.items()
        if name.startswith("MPTcpExt") and count and any(word in name for word in TROUBLE)
    }


def show(
    lab: Lab,
    cargo: Cargo,
    pcap: Path | None,
    packets: bool,
    as_json: bool = False,
    lines: Sequence[Line] = (),
    outage: float = 0,
) -> bool:
    """The exchange of `mptcp lab --exchange`, told as it goes; whether all was well.

    By TUN alone, or by a wire for each line, of which the first is dead for ``outage`` seconds on the way.
    """
    devices, wires = open_paths(lab, lines)
    return asyncio.run(_show(lab, devices, wires, outage, cargo, pcap, packets, as_json))


def open_paths(lab: Lab, lines: Sequence[Line]) -> tuple[list[Device], list[Wire]]:
    """Our devices and the wires behind them; without any line a plain TUN interface."""
    if not lines:
        return [lab.open_tun()], []
    lab.set_limits()
    ends = [lab.open_wire(number, line, seed=number + 1, apart=False) for number, line in enumerate(lines)]
    return [device for device, _ in ends], [wire for _, wire in ends]


def keep_to_one_family(stack: Stack) -> None:
    """Only the addresses that a connection over IPv4 can use are announced.

    The kernel drops an ADD_ADDR that comes while it works on another, and has to hear it again.
    """
    for address in stack.addresses:
        if len(address) != IPV4:
            stack.host.remove_address(address, stack.driver.now())


async def _show(
    lab: Lab,
    devices: list[Device],
    wires: list[Wire],
    outage: float,
    cargo: Cargo,
    pcap: Path | None,
    packets: bool,
    as_json: bool,
) -> bool:
    writer = PcapWriter(pcap) if pcap is not None else None
    transcript = Transcript({KERNEL: "kernel", OURS: "us"})

    def watch(packet: bytes) -> None:
        if writer is not None:
            writer.write(packet)
        if packets:
            transcript.add(packet)

    by = " and ".join(device.name for device in devices)
    say(f"namespace {lab.name}: the kernel is {KERNEL}, we are {OURS} on {by}")
    try:
        async with Stack(*devices, tap=watch) as stack:
            if wires:
                keep_to_one_family(stack)
            scene = Scene(lab, stack, wires, outage)
            first = await receive_from_kernel(scene, cargo)
            tell("kernel to us", first)
            second = await send_to_kernel(scene, cargo)
            tell("us to kernel", second)
    finally:
        if writer is not None:
            writer.close()
    for line in transcript.lines():
        print(line)
    counters = {name: count for name, count in lab.counters().items() if name.startswith("MPTcpExt")}
    trouble = find_trouble(counters)
    seen = {name: count for name, count in counters.items() if count and "MPCapable" in name}
    say("the kernel's witness: " + ", ".join(f"{name} {count}" for name, count in (trouble or seen).items()))
    is_good = first.is_good() and second.is_good() and not trouble
    if as_json:
        summary = {
            "build": mptcp.build(),
            "kernel_to_us": first.summarize(),
            "us_to_kernel": second.summarize(),
        }
        print_json({**summary, "counters": counters, "trouble": trouble, "is_good": is_good}, to_stdout=True)
    return is_good


def tell(way: str, outcome: Outcome) -> None:
    """What a transfer came to, and who carried it."""
    say(f"{way}: {outcome}")
    begun, ended = outcome.outage
    if begun:
        say(f"  the first path died on the way{f' for {(ended - begun) / 1_000_000:.1f} s' if ended else ''}")
    for line in describe_subflows(outcome.subflows):
        say(line)
