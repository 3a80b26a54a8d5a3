"""More than one subflow with the kernel: joins both ways, addresses announced and removed, paths that die."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mptcp.choices import REQUIRE, Choices
from mptcp.connection.info import ConnectionInfo
from mptcp_stack.exchange import find_trouble
from mptcp_stack.lab import Lab
from mptcp_stack.stack import Stack
from mptcp_stack.streams import open_connection, start_server

pytestmark = pytest.mark.linux

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Main = Callable[[Stack], Awaitable[None]]

LIMITS = ("ip", "mptcp", "limits", "set", "subflows", "8", "add_addr_accepted", "8")
TROUBLE_OF_A_LOST_PATH = {"TcpExtTCPAbortOnTimeout", "TcpExtTCPTimeouts"}


def talk(lab: Lab, main: Main, paths: int = 2, **choices: Any) -> dict[str, int]:
    """Run ``main`` with a stack on so many TUN interfaces; the kernel's counters at the end."""
    lab.run(*LIMITS)

    async def go() -> None:
        devices = [lab.open_tun(number) for number in range(paths)]
        async with Stack(*devices, choices=Choices(**choices)) as stack:
            await asyncio.wait_for(main(stack), 60)

    asyncio.run(go())
    counters = lab.counters()
    return counters


def add_endpoint(lab: Lab, *flags: str) -> None:
    """The kernel's second address, from which all goes by the second interface, as at home it would."""
    lab.run("ip", "rule", "add", "from", "10.77.1.1", "table", "101")
    lab.run("ip", "route", "add", "default", "dev", "tun1", "table", "101")
    lab.run("ip", "mptcp", "endpoint", "add", "10.77.1.1", "dev", "tun1", *flags)


async def accept_one(stack: Stack, lab: Lab, action: str, *more: str) -> tuple[Any, Streams]:
    """A kernel client that does something, and our end of its connection."""
    accepted: asyncio.Queue[Streams] = asyncio.Queue()
    server = await start_server(lambda *s: accepted.put_nowait(s), "10.77.0.2", 8000, stack=stack)
    peer = lab.peer(action, "--connect", "10.77.0.2", "8000", "--source", "10.77.0.1", *more)
    streams = await accepted.get()
    server.close()
    return peer, streams


async def connect_one(stack: Stack, lab: Lab, action: str, *more: str) -> tuple[Any, Streams]:
    """A kernel server that does something, and our end of its connection."""
    peer = lab.peer(action, "--listen", "::" if "--any" in more else "10.77.0.1", "8000", *more)
    await peer.ready()
    return peer, await open_connection("10.77.0.1", 8000, stack=stack)


def get_info(writer: asyncio.StreamWriter) -> ConnectionInfo:
    info: ConnectionInfo = writer.get_extra_info("mptcp")
    return info


async def wait_for_subflows(writer: asyncio.StreamWriter, count: int, seconds: float = 5) -> None:
    """Until there are so many, established."""
    for _ in range(int(seconds / 0.02)):
        live = [one for one in get_info(writer).subflows if one.joining == "established"]
        if len(live) == count:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"not {count} subflows: {get_info(writer).subflows}")


async def send_and_check(
    swap: Any, peer: Any, streams: Streams, octets: int = 2_000_000, seed: int = 3
) -> ConnectionInfo:
    """Both directions arrive whole; our last word on the connection."""
    reader, writer = streams
    sent, received = await swap(reader, writer, octets, seed)
    info = get_info(writer)
    report = await peer.report()
    assert report["error"] is None
    assert (report["received_sha256"], report["sent_sha256"]) == (sent, received)
    assert report["mptcp"] and info.multipath
    writer.close()
    return info


@pytest.mark.clause("R8684-3.2-01", "R8684-3.2-13", "R8684-3.2-18", "R8684-3.2-20", "R8684-3.2-29")
@pytest.mark.parametrize("checksum", [1, REQUIRE])
def test_we_join(lab: Lab, swap: Any, checksum: int) -> None:
    """The kernel is server: our second address joins, and both carry data both ways."""

    async def main(stack: Stack) -> None:
        peer, streams = await connect_one(stack, lab, "exchange", "--octets", "2000000")
        await wait_for_subflows(streams[1], 2)
        info = await send_and_check(swap, peer, streams)
        assert all(one.bytes_sent > 0 for one in info.subflows)

    counters = talk(lab, main, checksum=checksum)
    assert counters["MPTcpExtMPJoinAckRx"] == 1
    assert find_trouble(counters) == {}


@pytest.mark.clause("R8684-3.2-13", "R8684-3.2-18", "R8684-3.2-34")
@pytest.mark.parametrize("checksum", [1, REQUIRE])
def test_kernel_joins(lab: Lab, swap: Any, checksum: int) -> None:
    """The kernel is client with a second endpoint: its join is answered, and both carry data both ways."""

    async def main(stack: Stack) -> None:
        add_endpoint(lab, "subflow")
        peer, streams = await accept_one(stack, lab, "exchange", "--octets", "2000000")
        await wait_for_subflows(streams[1], 2)
        info = await send_and_check(swap, peer, streams)
        assert all(one.bytes_received > 0 for one in info.subflows)

    counters = talk(lab, main, checksum=checksum)
    assert counters["MPTcpExtMPJoinSynAckRx"] == 1
    assert find_trouble(counters) == {}


def check_digest(octets: bytes, report: dict[str, Any]) -> None:
    assert report["received_sha256"] == hashlib.sha256(octets).hexdigest()
