"""How connections with the kernel end: in order, by either side first; and not in order."""

import asyncio
import errno
import hashlib
from random import Random
from typing import Any

import pytest

from mptcp.choices import Choices
from mptcp_stack.exchange import find_trouble
from mptcp_stack.lab import Lab
from mptcp_stack.stack import Stack
from mptcp_stack.streams import open_connection, start_server

pytestmark = pytest.mark.linux

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def accept_one(stack: Stack, lab: Lab, action: str, *more: str) -> tuple[Any, Streams]:
    """A kernel client that does something, and our end of its connection."""
    accepted: asyncio.Queue[Streams] = asyncio.Queue()
    server = await start_server(lambda *s: accepted.put_nowait(s), "10.77.0.2", 8000, stack=stack)
    peer = lab.peer(action, "--connect", "10.77.0.2", "8000", *more)
    streams = await accepted.get()
    server.close()
    return peer, streams


async def connect_one(stack: Stack, lab: Lab, action: str, *more: str) -> tuple[Any, Streams]:
    """A kernel server that does something, and our end of its connection."""
    peer = lab.peer(action, "--listen", "10.77.0.1", "8000", *more)
    await peer.ready()
    return peer, await open_connection("10.77.0.1", 8000, stack=stack)


ROLES = {"client": accept_one, "server": connect_one}  # by the kernel's role


@pytest.mark.parametrize("role", ROLES)
def test_half_close(lab: Lab, talk: Any, role: str) -> None:
    """The kernel has sent its last octet and reads on; we answer what we have read to its end."""

    async def main(stack: Stack) -> None:
        peer, (reader, writer) = await ROLES[role](stack, lab, "send", "--octets", "300000", "--end", "half")
        octets = await reader.read()
        assert len(octets) == 300_000
        writer.write(octets[::-1])
        writer.close()
        report = await peer.report()
        assert report["error"] is None
        assert report["sent_sha256"] == hashlib.sha256(octets).hexdigest()
        assert report["received_sha256"] == hashlib.sha256(octets[::-1]).hexdigest()
        assert report["mptcp"]

    talk(lab, main)
    assert find_trouble(lab.counters()) == {}


@pytest.mark.parametrize("role", ROLES)
def test_kernel_closes_first(lab: Lab, talk: Any, role: str) -> None:
    """It closes when all is sent; we hear the end of the stream, and close."""

    async def main(stack: Stack) -> None:
        peer, (reader, writer) = await ROLES[role](stack, lab, "send", "--octets", "100000")
        octets = await reader.read()
        writer.close()
        await writer.wait_closed()
        report = await peer.report()
        assert report["sent_sha256"] == hashlib.sha256(octets).hexdigest()

    talk(lab, main)
    assert find_trouble(lab.counters()) == {}
    assert lab.counters()["MPTcpExtMPFastcloseTx"] == 0


@pytest.mark.parametrize("role", ROLES)
def test_kernel_closes_last(lab: Lab, talk: Any, role: str) -> None:
    """We close when all is sent; it hears the end of the stream, and closes."""
    octets = Random(6).randbytes(100_000)

    async def main(stack: Stack) -> None:
        peer, (_, writer) = await ROLES[role](stack, lab, "receive")
        writer.write(octets)
        writer.close()
        await writer.wait_closed()
        report = await peer.report()
        assert report["error"] is None
        assert report["received_sha256"] == hashlib.sha256(octets).hexdigest()
        assert report["mptcp"]

    talk(lab, main)
    assert find_trouble(lab.counters()) == {}
    assert lab.counters()["MPTcpExtMPFastcloseRx"] == 0


@pytest.mark.parametrize("role", ROLES)
def test_both_close_at_once(lab: Lab, talk: Any, role: str) -> None:
    """Neither waits for the other, and nothing is lost."""

    async def main(stack: Stack) -> None:
        peer, (reader, writer) = await ROLES[role](stack, lab, "exchange", "--octets", "1000")
        writer.write(b"abc")
        writer.write_eof()
        assert len(await reader.read()) == 1000
        writer.close()
        report = await peer.report()
        assert report["error"] is None
        assert report["received"] == 3

    talk(lab, main)
    assert find_trouble(lab.counters()) == {}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("end", ["abort", "unread"])
@pytest.mark.clause("R8684-3.5-06")
def test_kernel_aborts(lab: Lab, talk: Any, end: str, role: str) -> None:
    """MP_FASTCLOSE from the kernel: its program had no patience, or left text unread."""

    async def main(stack: Stack) -> None:
        peer, (reader, writer) = await ROLES[role](stack, lab, "send", "--octets", "10", "--end", end)
        writer.write(b"what nobody will read")
        with pytest.raises(ConnectionResetError) as caught:
            await reader.readexactly(11)
        assert caught.value.errno == errno.ECONNRESET
        assert (await peer.report())["error"] is None
        assert writer.is_closing()

    talk(lab, main)
    assert lab.counters()["MPTcpExtMPFastcloseTx"] == 1


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.clause("R8684-3.5-05")
def test_we_abort(lab: Lab, talk: Any, role: str) -> None:
    """MP_FASTCLOSE from us: the kernel's program hears ECONNRESET."""

    async def main(stack: Stack) -> None:
        peer, (_, writer) = await ROLES[role](stack, lab, "send", "--octets", "10", "--end", "last")
        writer.write(b"so that the kernel has heard DSS from us")
        while writer.get_extra_info("mptcp").bytes_acked < 40:
            await asyncio.sleep(0.01)
        writer.transport.abort()
        assert (await peer.report())["error"] == "ECONNRESET"

    talk(lab, main)
    assert lab.counters()["MPTcpExtMPFastcloseRx"] == 1


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.clause("R8684-3.5-05", "R9293-3.6.1-02", "R9293-3.6.1-04")
def test_we_leave_text_unread(lab: Lab, talk: Any, role: str) -> None:
    """We close with text unread: MP_FASTCLOSE, as the kernel does it."""

    async def main(stack: Stack) -> None:
        peer, (_, writer) = await ROLES[role](stack, lab, "send", "--octets", "900000", "--end", "last")
        while writer.get_extra_info("mptcp").unread == 0:  # the reader has enough, and pauses
            await asyncio.sleep(0.01)
        writer.close()
        assert (await peer.report())["error"] in ("ECONNRESET", "EPIPE")

    talk(lab, main)
    assert lab.counters()["MPTcpExtMPFastcloseRx"] == 1


def test_kernel_refuses(lab: Lab, talk: Any) -> None:
    """Nobody listens there."""

    async def main(stack: Stack) -> None:
        with pytest.raises(ConnectionRefusedError):
            await open_connection("10.77.0.1", 9, stack=stack)
        with pytest.raises(ConnectionRefusedError):
            await open_connection("fd77::1", 9, stack=stack)

    talk(lab, main)


@pytest.mark.parametrize("kind", [(), ("--tcp",)])
def test_we_refuse(lab: Lab, talk: Any, kind: tuple[str, ...]) -> None:
    """Nobody listens here."""

    async def main(stack: Stack) -> None:
        for address in ("10.77.0.2", "fd77::2"):
            report = await lab.peer("send", "--connect", address, "9", *kind).report()
            assert report["error"] == "ECONNREFUSED"

    talk(lab, main)


async def check_unreachable(stack: Stack, address: str) -> None:
    with pytest.raises(OSError, match="cannot be reached") as caught:
        async with asyncio.timeout(10):
            await open_connection(address, 80, stack=stack)
    assert caught.value.errno == errno.EHOSTUNREACH


def test_port_is_closed_by_a_wall(lab: Lab, talk: Any) -> None:
    """ICMP says that the port cannot be reached, over either family: an OSError at once."""
    lab.run("iptables", "-A", "INPUT", "-p", "tcp", "-j", "REJECT")
    lab.run("ip6tables", "-A", "INPUT", "-p", "tcp", "-j", "REJECT")

    async def main(stack: Stack) -> None:
        await check_unreachable(stack, "10.77.0.1")
        await check_unreachable(stack, "fd77::1")

    talk(lab, main)


def test_nothing_is_routed_there(lab: Lab, talk: Any) -> None:
    """ICMP says that there is no way, which may pass: the OSError comes when we give up, and says so."""

    async def main(stack: Stack) -> None:
        await asyncio.gather(*(check_unreachable(stack, one) for one in ("192.0.2.1", "2001:db8::1")))

    talk(lab, main, Choices(syn_attempts=1))


@pytest.mark.clause("R8684-3.2-34")
def test_join_is_refused(lab: Lab, talk: Any) -> None:
    """The kernel wants a second subflow: it is told no, and the connection goes on with one."""
    lab.run("ip", "mptcp", "limits", "set", "subflows", "2")

    async def main(stack: Stack) -> None:
        device = stack.devices[0].name
        lab.run("ip", "address", "add", "10.77.0.3/24", "dev", device)
        lab.run("ip", "mptcp", "endpoint", "add", "10.77.0.3", "dev", device, "subflow")
        peer, (reader, writer) = await accept_one(
            stack, lab, "exchange", "--source", "10.77.0.1", "--octets", "200000"
        )
        writer.write(b"the first octets, which make the kernel join")
        while lab.counters()["MPTcpExtMPJoinSynTx"] == 0:
            await asyncio.sleep(0.01)
        writer.write_eof()
        assert len(await reader.read()) == 200_000
        writer.close()
        report = await peer.report()
        assert report["error"] is None
        assert report["mptcp"]

    talk(lab, main, Choices(subflows=1))
    counters = lab.counters()
    assert counters["MPTcpExtMPJoinSynTx"] >= 1
    assert counters["MPTcpExtMPJoinSynAckRx"] == 0
    assert find_trouble(counters) == {}


@pytest.mark.parametrize("role", ROLES)
def test_kernel_reads_slowly(lab: Lab, talk: Any, role: str) -> None:
    """Its window closes and opens again; not an octet is lost, and none is sent into a closed window."""
    octets = Random(7).randbytes(3_000_000)

    async def main(stack: Stack) -> None:
        peer, (_, writer) = await ROLES[role](stack, lab, "receive", "--pause", "0.02")
        writer.write(octets)
        writer.close()
        report = await peer.report()
        assert report["received_sha256"] == hashlib.sha256(octets).hexdigest()

    talk(lab, main)
    assert find_trouble(lab.counters()) == {}


@pytest.mark.parametrize("role", ROLES)
def test_we_read_slowly(lab: Lab, talk: Any, role: str) -> None:
    """Our window closes and opens again."""

    async def main(stack: Stack) -> None:
        peer, (reader, writer) = await ROLES[role](stack, lab, "send", "--octets", "6000000")
        while writer.get_extra_info("mptcp").unread < 4_000_000:  # until our buffer is full
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        unit = 1 << 7  # of the window field, which is rounded up rather than retracted (RFC 7323 §2.4)
        assert writer.get_extra_info("mptcp").unread <= Choices().receive_buffer + unit
        digest = hashlib.sha256()
        while chunk := await reader.read(1 << 16):
            digest.update(chunk)
        writer.close()
        assert (await peer.report())["sent_sha256"] == digest.hexdigest()

    talk(lab, main)
    assert find_trouble(lab.counters()) == {}


def test_many_at_once(lab: Lab, talk: Any) -> None:
    """Twenty kernel clients with one of our servers, all at the same time."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
        writer.close()

    async def main(stack: Stack) -> None:
        async with await start_server(echo, port=8000, stack=stack):
            # aside: a kernel whose SYNs meet silence while the next ones are started leaves MPTCP out
            peers = [
                await asyncio.to_thread(
                    lab.peer, "exchange", "--connect", address, "8000", "--octets", str(number * 5000 + 1)
                )
                for number, address in enumerate(["10.77.0.2", "fd77::2"] * 10)
            ]
            for peer in peers:
                report = await peer.report()
                assert report["error"] is None
                assert report["sent_sha256"] == report["received_sha256"]
                assert report["mptcp"]

    talk(lab, main)
    counters = lab.counters()
    assert counters["MPTcpExtMPCapableSYNACKRX"] == 20
    assert find_trouble(counters) == {}
