"""More than one subflow with the kernel: joins both ways, addresses announced and removed, paths that die."""

import asyncio
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

EXCHANGE = ("exchange", "--in-turn")  # a kernel that has said all neither joins nor lets join
LIMITS = ("ip", "mptcp", "limits", "set", "subflows", "8", "add_addr_accepted", "8")


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
    peer = lab.peer(action, "--listen", "0.0.0.0", "8000", *more)
    await peer.ready()
    return peer, await open_connection("10.77.0.1", 8000, stack=stack)


def get_info(writer: asyncio.StreamWriter) -> ConnectionInfo:
    info: ConnectionInfo = writer.get_extra_info("mptcp")
    return info


async def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for what the kernel does when it does it; ``talk`` says how long."""
    while not holds():
        await asyncio.sleep(0.01)


async def wait_for_subflows(writer: asyncio.StreamWriter, count: int) -> None:
    """Until there are so many, established."""
    await wait_until(lambda: [one.joining for one in get_info(writer).subflows].count("established") == count)


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
        peer, streams = await connect_one(stack, lab, *EXCHANGE, "--octets", "2000000")
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
        peer, streams = await accept_one(stack, lab, *EXCHANGE, "--octets", "2000000")
        await wait_for_subflows(streams[1], 2)
        info = await send_and_check(swap, peer, streams)
        assert all(one.bytes_received > 0 for one in info.subflows)

    counters = talk(lab, main, checksum=checksum)
    assert counters["MPTcpExtMPJoinSynAckRx"] == 1
    assert find_trouble(counters) == {}


# -- addresses --------------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.4.1-01", "R8684-3.4.1-13", "R8684-3.4.1-20", "R8684-3.4.1-12")
def test_kernel_announces(lab: Lab, swap: Any) -> None:
    """The kernel is server and signals a second address: we echo, and join it from both of ours."""

    async def main(stack: Stack) -> None:
        add_endpoint(lab, "signal")
        peer, streams = await connect_one(stack, lab, *EXCHANGE, "--octets", "2000000")
        await wait_for_subflows(streams[1], 4)
        await send_and_check(swap, peer, streams)

    counters = talk(lab, main)
    assert counters["MPTcpExtEchoAdd"] == 1
    assert counters["MPTcpExtMPJoinAckRx"] == 3
    assert find_trouble(counters) == {}


@pytest.mark.clause("R8684-3.4.1-01", "R8684-3.4.1-14", "R8684-3.4.1-15", "R8684-3.4.1-20")
@pytest.mark.parametrize("port", [0, 8_443])
def test_we_announce(lab: Lab, swap: Any, port: int) -> None:
    """The kernel is client: it checks our HMAC, echoes, and joins the address and port that we named."""

    async def main(stack: Stack) -> None:
        ours = stack.devices[1].addresses[0]
        stack.host.remove_address(ours, stack.driver.clock())
        stack.host.add_address(ours, stack.driver.clock(), is_signal=True, port=port)
        peer, streams = await accept_one(stack, lab, *EXCHANGE, "--octets", "2000000")
        await wait_for_subflows(streams[1], 2)
        assert {one.local_port for one in get_info(streams[1]).subflows} == {8_000, port or 8_000}
        await send_and_check(swap, peer, streams)

    counters = talk(lab, main)
    assert counters["MPTcpExtAddAddr"] == 1
    assert counters["MPTcpExtPortAdd"] == (1 if port else 0)
    assert counters["MPTcpExtMPJoinSynAckRx"] == 1
    assert find_trouble(counters) == {}


@pytest.mark.clause("R8684-3.4-05", "R8684-3.4.1-03")
def test_we_announce_the_other_family(lab: Lab, swap: Any) -> None:
    """An IPv6 address, told over IPv4, with timestamps: the kernel joins it where its endpoint lets it."""

    async def main(stack: Stack) -> None:
        lab.run("ip", "mptcp", "endpoint", "add", "fd77::1", "dev", "tun0", "subflow", "fullmesh")
        ours = stack.devices[0].addresses[1]
        stack.host.remove_address(ours, stack.driver.clock())
        stack.host.add_address(ours, stack.driver.clock(), is_signal=True)
        peer, streams = await accept_one(stack, lab, *EXCHANGE, "--octets", "500000")
        await wait_until(lambda: lab.counters()["MPTcpExtAddAddr"] > 0)
        await send_and_check(swap, peer, streams, 500_000)

    counters = talk(lab, main)
    assert counters["MPTcpExtAddAddr"] == 1
    assert find_trouble(counters) == {}


@pytest.mark.clause("R8684-3.4.2-04", "R8684-3.4.2-05", "R8684-3.4.2-07")
def test_kernel_removes(lab: Lab, swap: Any) -> None:
    """REMOVE_ADDR of an address that was joined: the subflow goes, the data does not."""

    async def main(stack: Stack) -> None:
        add_endpoint(lab, "signal")
        peer, streams = await connect_one(stack, lab, *EXCHANGE, "--octets", "300000")
        await wait_for_subflows(streams[1], 4)
        lab.run("ip", "mptcp", "endpoint", "delete", "id", "1")
        await wait_for_subflows(streams[1], 2)
        await send_and_check(swap, peer, streams)

    counters = talk(lab, main)
    assert counters["MPTcpExtRmAddr"] == 0
    assert find_trouble(counters) == {}


@pytest.mark.clause("R8684-3.4.2-01", "R8684-3.4.2-14", "R8684-3.4.2-05")
@pytest.mark.parametrize("which", [0, 1])
def test_we_remove(lab: Lab, swap: Any, which: int) -> None:
    """We lose an address in mid transfer, the first one or the second: all arrives by the other."""

    async def main(stack: Stack) -> None:
        peer, streams = await connect_one(stack, lab, *EXCHANGE, "--octets", "20000000")
        await wait_for_subflows(streams[1], 2)
        task = asyncio.create_task(send_and_check(swap, peer, streams, 20_000_000))
        while get_info(streams[1]).bytes_received < 1_000_000:
            await asyncio.sleep(0.005)
        stack.host.remove_address(stack.devices[which].addresses[0], stack.driver.clock())
        stack.driver.wake()
        await task
        assert len(get_info(streams[1]).subflows) == 1

    counters = talk(lab, main)
    assert counters["MPTcpExtRmAddr"] == 1


@pytest.mark.clause("R8684-3.2-12", "R8684-3.3.8-03", "R8684-3.3.8-04")
def test_kernel_asks_for_a_backup(lab: Lab, swap: Any) -> None:
    """Its second endpoint is a backup: nothing of ours goes there, until MP_PRIO says otherwise."""

    async def main(stack: Stack) -> None:
        add_endpoint(lab, "subflow", "backup")
        octets = 20_000_000  # more than our buffer holds: it has not said all when it is asked
        peer, streams = await accept_one(stack, lab, *EXCHANGE, "--octets", str(octets))
        await wait_for_subflows(streams[1], 2)
        reader, writer = streams
        writer.write(bytes(500_000))
        await wait_until(lambda: get_info(writer).bytes_acked == 500_000)
        assert [one.bytes_sent > 0 for one in get_info(writer).subflows] == [True, False]
        lab.run("ip", "mptcp", "endpoint", "change", "id", "1", "nobackup")
        await wait_until(lambda: not any(one.is_backup for one in get_info(writer).subflows))
        writer.write_eof()
        assert len(await reader.read()) == octets
        report = await peer.report()
        assert (report["error"], report["received"]) == (None, 500_000)

    counters = talk(lab, main)
    assert counters["MPTcpExtMPPrioTx"] == 1


@pytest.mark.clause("R8684-3.3.8-04", "R8684-3.2-12")
def test_we_ask_for_a_backup(lab: Lab, swap: Any) -> None:
    """The kernel sends next to nothing on a subflow that we want to spare."""

    async def main(stack: Stack) -> None:
        ours = stack.devices[1].addresses[0]
        stack.host.remove_address(ours, stack.driver.clock())
        stack.host.add_address(ours, stack.driver.clock(), is_backup=True)
        peer, streams = await connect_one(stack, lab, *EXCHANGE, "--octets", "3000000")
        await wait_for_subflows(streams[1], 2)
        before = get_info(streams[1]).subflows[1].bytes_received
        info = await send_and_check(swap, peer, streams)
        spared = info.subflows[1].bytes_received - before
        assert spared < 300_000  # of three million; where its first subflow is busy, the kernel uses it yet

    counters = talk(lab, main)
    assert find_trouble(counters) == {}


# -- paths that die ---------------------------------------------------------------------------


@pytest.mark.clause("R8684-3.3.6-07", "R8684-3.3.6-01", "R8684-3.5-01")
@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("role", ["server", "client"])
def test_path_dies(lab: Lab, swap: Any, role: str, which: int) -> None:
    """Packets of one path vanish in mid transfer, either one: both directions arrive whole by the other."""

    async def main(stack: Stack) -> None:
        if role == "client":
            add_endpoint(lab, "subflow")
        start = connect_one if role == "server" else accept_one
        peer, streams = await start(stack, lab, *EXCHANGE, "--octets", "10000000", "--timeout", "50")
        await wait_for_subflows(streams[1], 2)
        task = asyncio.create_task(send_and_check(swap, peer, streams, 10_000_000))
        while get_info(streams[1]).bytes_received < 1_000_000:
            await asyncio.sleep(0.005)
        for chain in ("INPUT", "OUTPUT"):
            direction = "-i" if chain == "INPUT" else "-o"
            lab.run("iptables", "-A", chain, direction, f"tun{which}", "-j", "DROP")
        await task

    talk(lab, main)
