"""A ready-made exchange between the kernel and us, in a lab: both directions, with witnesses."""

import asyncio
import hashlib
import time
from pathlib import Path
from typing import Final, final

from mptcp.connection.info import ConnectionInfo
from mptcp_stack.lab import Lab
from mptcp_stack.ladder import Ladder
from mptcp_stack.pcap import PcapWriter
from mptcp_stack.peers import generate
from mptcp_stack.report import say
from mptcp_stack.stack import Stack
from mptcp_stack.streams import open_connection, start_server

KERNEL: Final = "10.77.0.1"
OURS: Final = "10.77.0.2"
PORT: Final = 8000
TROUBLE: Final = ("Fallback", "DataCsumErr", "InfiniteMap", "MPFail")
"""Words in the names of the counters (MPTcpExt…) that stay at zero as long as MPTCP is spoken well."""


@final
class Outcome:
    """What one transfer came to: octets, seconds, and the SHA-256 that either side computed."""

    def __init__(
        self,
        octets: int,
        seconds: float,
        sent_sha256: str,
        received_sha256: str,
        mptcp: bool,
        info: ConnectionInfo,
    ) -> None:
        self.octets: Final = octets
        self.seconds: Final = seconds
        self.sent_sha256: Final = sent_sha256
        self.received_sha256: Final = received_sha256
        self.mptcp: Final = mptcp  # whether the kernel says that MPTCP was spoken to the end
        self.info: Final = info  # and what we say

    def is_good(self) -> bool:
        """Whether what was received is what was sent, over MPTCP as either side has it."""
        return self.sent_sha256 == self.received_sha256 and self.mptcp and self.info.multipath

    def __str__(self) -> str:
        speed = self.octets * 8 / 1_000_000 / self.seconds if self.seconds else 0.0
        same = "equal" if self.sent_sha256 == self.received_sha256 else "NOT EQUAL"
        time = f"{self.seconds:.3f} s ({speed:.0f} Mbit/s)"
        return f"{self.octets} octets in {time}, SHA-256 {same} at both ends"


async def receive_from_kernel(lab: Lab, stack: Stack, octets: int, host: str = OURS) -> Outcome:
    """A kernel client sends us so many octets; we serve."""
    done: asyncio.Future[tuple[str, ConnectionInfo]] = asyncio.get_running_loop().create_future()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        digest = hashlib.sha256()
        try:
            while chunk := await reader.read(1 << 18):
                digest.update(chunk)
            info = writer.get_extra_info("mptcp")
            writer.close()
            await writer.wait_closed()
            done.set_result((digest.hexdigest(), info))
        except OSError as error:
            done.set_exception(error)

    async with await start_server(take, host, PORT, stack=stack):
        began = time.monotonic()
        peer = lab.peer("send", "--connect", host, str(PORT), "--octets", str(octets), "--end", "half")
        report, (received, info) = await asyncio.gather(peer.report(), done)
    seconds = report["seconds"] or time.monotonic() - began
    return Outcome(octets, seconds, report["sent_sha256"], received, report["mptcp"], info)


async def send_to_kernel(lab: Lab, stack: Stack, octets: int, host: str = KERNEL) -> Outcome:
    """We connect to a kernel server and send so many octets."""
    peer = lab.peer("receive", "--listen", host, str(PORT))
    await peer.ready()
    reader, writer = await open_connection(host, PORT, stack=stack)
    digest = hashlib.sha256()
    for chunk in generate(octets, seed=2):
        writer.write(chunk)
        digest.update(chunk)
        await writer.drain()
    writer.write_eof()
    await reader.read()
    info = writer.get_extra_info("mptcp")
    writer.close()
    await writer.wait_closed()
    report = await peer.report()
    return Outcome(
        octets, report["seconds"], digest.hexdigest(), report["received_sha256"], report["mptcp"], info
    )


def find_trouble(counters: dict[str, int]) -> dict[str, int]:
    """The counters that speak of fallback or of broken data and are not zero."""
    return {
        name: count
        for name, count in counters.items()
        if name.startswith("MPTcpExt") and count and any(word in name for word in TROUBLE)
    }


def show(lab: Lab, octets: int, pcap: Path | None, ladder: bool) -> bool:
    """The exchange of `mptcp lab --exchange`, told as it goes; whether all was well."""
    return asyncio.run(_show(lab, octets, pcap, ladder))


async def _show(lab: Lab, octets: int, pcap: Path | None, ladder: bool) -> bool:
    writer = PcapWriter(pcap) if pcap is not None else None
    rungs = Ladder({KERNEL: "kernel", OURS: "us"})

    def watch(packet: bytes) -> None:
        if writer is not None:
            writer.write(packet)
        if ladder:
            rungs.add(packet)

    device = lab.open_tun()
    say(f"namespace {lab.name}: the kernel is {KERNEL}, we are {OURS} on {device.name}")
    try:
        async with Stack(device, tap=watch) as stack:
            first = await receive_from_kernel(lab, stack, octets)
            say(f"kernel to us: {first}")
            second = await send_to_kernel(lab, stack, octets)
            say(f"us to kernel: {second}")
    finally:
        if writer is not None:
            writer.close()
    for line in rungs.lines():
        print(line)
    counters = lab.counters()
    trouble = find_trouble(counters)
    seen = {name: count for name, count in counters.items() if name.startswith("MPTcpExtMPCapable") and count}
    say("the kernel's witness: " + ", ".join(f"{name} {count}" for name, count in (trouble or seen).items()))
    return first.is_good() and second.is_good() and not trouble
