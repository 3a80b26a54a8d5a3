"""A ready-made exchange between the kernel and us, in a lab: both directions, with witnesses."""

import asyncio
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, final

import mptcp
from mptcp.connection.info import ConnectionInfo
from mptcp_stack.lab import Lab
from mptcp_stack.pcap import PcapWriter
from mptcp_stack.peers import generate, read_chunks
from mptcp_stack.report import print_json, say, simplify
from mptcp_stack.stack import Stack
from mptcp_stack.streams import open_connection, start_server
from mptcp_stack.transcript import Transcript

KERNEL: Final = "10.77.0.1"
OURS: Final = "10.77.0.2"
PORT: Final = 8000
TROUBLE: Final = ("Fallback", "DataCsumErr", "InfiniteMap", "MPFail")
"""Words in the names of the counters (MPTcpExt…) that stay at zero as long as MPTCP is spoken well."""
WATCH: Final = 0.005  # seconds between two looks at the congestion window

Window = tuple[int, int, int]  # time of day in µs, cwnd and ssthresh in octets


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
class Outcome:
    """What one transfer came to: octets, seconds, and the SHA-256 that either side computed.

    ``windows`` are the congestion windows of our side while it sent.
    """

    def __init__(
        self,
        octets: int,
        seconds: float,
        sent_sha256: str,
        received_sha256: str,
        mptcp: bool,
        info: ConnectionInfo,
        windows: tuple[Window, ...] = (),
    ) -> None:
        self.octets: Final = octets
        self.seconds: Final = seconds
        self.sent_sha256: Final = sent_sha256
        self.received_sha256: Final = received_sha256
        self.mptcp: Final = mptcp  # whether the kernel says that MPTCP was spoken to the end
        self.info: Final = info  # and what we say
        self.windows: Final = windows

    def is_good(self) -> bool:
        """Whether what was received is what was sent, over MPTCP as either side has it."""
        return self.sent_sha256 == self.received_sha256 and self.mptcp and self.info.multipath

    def __str__(self) -> str:
        speed = self.octets * 8 / 1_000_000 / self.seconds if self.seconds else 0.0
        same = "equal" if self.sent_sha256 == self.received_sha256 else "NOT EQUAL"
        time = f"{self.seconds:.3f} s ({speed:.0f} Mbit/s)"
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
            "windows": self.windows,
        }


async def receive_from_kernel(lab: Lab, stack: Stack, cargo: Cargo, host: str = OURS) -> Outcome:
    """A kernel client sends us the cargo; we serve."""
    done: asyncio.Future[tuple[str, ConnectionInfo]] = asyncio.get_running_loop().create_future()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        digest = hashlib.sha256()
        try:
            with open(cargo.sink("from-kernel"), "wb") as sink:
                while chunk := await reader.read(1 << 18):
                    digest.update(chunk)
                    sink.write(chunk)
            info = writer.get_extra_info("mptcp")
            writer.close()
            await writer.wait_closed()
            done.set_result((digest.hexdigest(), info))
        except OSError as error:
            done.set_exception(error)

    async with await start_server(take, host, PORT, stack=stack):
        began = time.monotonic()
        peer = lab.peer("send", "--connect", host, str(PORT), *cargo.arguments(), "--end", "half")
        report, (received, info) = await asyncio.gather(peer.report(), done)
    seconds = report["seconds"] or time.monotonic() - began
    return Outcome(cargo.octets, seconds, report["sent_sha256"], received, report["mptcp"], info)


async def send_to_kernel(lab: Lab, stack: Stack, cargo: Cargo, host: str = KERNEL) -> Outcome:
    """We connect to a kernel server and send the cargo."""
    peer = lab.peer("receive", "--listen", host, str(PORT), "--out", cargo.sink("to-kernel"))
    await peer.ready()
    reader, writer = await open_connection(host, PORT, stack=stack)
    digest = hashlib.sha256()
    windows: list[Window] = []
    watching = asyncio.create_task(watch_windows(writer, windows))
    try:
        for chunk in cargo.chunks():
            writer.write(chunk)
            digest.update(chunk)
            await writer.drain()
        writer.write_eof()
        await reader.read()
    finally:
        watching.cancel()
    info = writer.get_extra_info("mptcp")
    writer.close()
    await writer.wait_closed()
    report = await peer.report()
    return Outcome(
        cargo.octets,
        report["seconds"],
        digest.hexdigest(),
        report["received_sha256"],
        report["mptcp"],
        info,
        tuple(windows),
    )


async def watch_windows(writer: asyncio.StreamWriter, windows: list[Window]) -> None:
    """Note what the congestion windows are now and then, until cancelled."""
    while True:
        for subflow in writer.get_extra_info("mptcp").subflows:
            windows.append((time.time_ns() // 1_000, subflow.snd_cwnd, subflow.snd_ssthresh))
        await asyncio.sleep(WATCH)


def find_trouble(counters: dict[str, int]) -> dict[str, int]:
    """The counters that speak of fallback or of broken data and are not zero."""
    return {
        name: count
        for name, count in counters.items()
        if name.startswith("MPTcpExt") and count and any(word in name for word in TROUBLE)
    }


def show(lab: Lab, cargo: Cargo, pcap: Path | None, packets: bool, as_json: bool = False) -> bool:
    """The exchange of `mptcp lab --exchange`, told as it goes; whether all was well."""
    return asyncio.run(_show(lab, cargo, pcap, packets, as_json))


async def _show(lab: Lab, cargo: Cargo, pcap: Path | None, packets: bool, as_json: bool) -> bool:
    writer = PcapWriter(pcap) if pcap is not None else None
    transcript = Transcript({KERNEL: "kernel", OURS: "us"})

    def watch(packet: bytes) -> None:
        if writer is not None:
            writer.write(packet)
        if packets:
            transcript.add(packet)

    device = lab.open_tun()
    say(f"namespace {lab.name}: the kernel is {KERNEL}, we are {OURS} on {device.name}")
    try:
        async with Stack(device, tap=watch) as stack:
            first = await receive_from_kernel(lab, stack, cargo)
            say(f"kernel to us: {first}")
            second = await send_to_kernel(lab, stack, cargo)
            say(f"us to kernel: {second}")
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
