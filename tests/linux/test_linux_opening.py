"""How connections with the kernel begin, and what may trouble them: RFC 7413, 4987, 6191, 9293 §3.5, §3.8."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mptcp.choices import Choices
from mptcp.connection.info import ConnectionInfo
from mptcp.parameters import MILLISECOND
from mptcp_stack.exchange import find_trouble
from mptcp_stack.lab import Lab
from mptcp_stack.stack import Stack
from mptcp_stack.streams import open_connection, start_server

pytestmark = pytest.mark.linux

HEAD = """
import json, select, socket, struct, sys, time
kind = int(sys.argv[1])
def say(**words): print(json.dumps(words), flush=True)
def make():
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM, kind)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.settimeout(20)
    return one
def read(one):
    octets = b""
    while chunk := one.recv(65536): octets += chunk
    return octets
"""
TCP, MPTCP = "6", "262"


class Script:
    """A few lines of Python inside a lab: each line that it prints is a dict."""

    def __init__(self, lab: Lab, lines: str, kind: str = TCP, *more: str) -> None:
        self.process = lab.popen(
            sys.executable, "-I", "-c", HEAD + lines, kind, *more,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    async def says(self) -> dict[str, Any]:
        """Its next line; what it says at its end instead, if it ends badly."""
        assert self.process.stdout is not None and self.process.stderr is not None
        line = await asyncio.to_thread(self.process.stdout.readline)
        assert line, await asyncio.to_thread(self.process.stderr.read)
        said: dict[str, Any] = json.loads(line)
        return said


@pytest.fixture(name="start")
def make_start(lab: Lab) -> Iterator[Callable[..., Script]]:
    """How to start a script in the lab; they all end with the test."""
    scripts: list[Script] = []

    def begin(lines: str, kind: str = TCP, *more: str) -> Script:
        scripts.append(Script(lab, lines, kind, *more))
        return scripts[-1]

    yield begin
    for one in scripts:
        one.process.kill()
        one.process.communicate()


def get_info(writer: asyncio.StreamWriter) -> ConnectionInfo:
    """STATUS."""
    info: ConnectionInfo = writer.get_extra_info("mptcp")
    return info


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what came, to its end, in capitals."""
    with contextlib.suppress(OSError):
        writer.write((await reader.read()).upper())
        writer.close()


# -- fast open --------------------------------------------------------------------------------

FAST_SERVER = """
one = make()
one.setsockopt(socket.IPPROTO_TCP, 23, 16)  # TCP_FASTOPEN
one.bind(("10.77.0.1", 8000)); one.listen()
say(ready=True)
for _ in range(int(sys.argv[2])):
    peer, _ = one.accept(); peer.settimeout(20)
    octets = read(peer); peer.sendall(octets.upper()); peer.close()
    say(octets=octets.decode())
"""

FAST_CLIENT = """
for number in range(int(sys.argv[2])):
    one = make(); one.settimeout(None)
    one.sendto(b"hello %d " % number, 0x20000000, ("10.77.0.2", 8000))  # MSG_FASTOPEN
    one.sendall(b"and more"); one.shutdown(socket.SHUT_WR)
    say(octets=read(one).decode()); one.close()
"""


@pytest.mark.clause("R7413-4.2.1-01", "R7413-4.1.3-01", "R8684-B.2-01", "R8684-B.3-01")
@pytest.mark.parametrize("kind", [TCP, MPTCP])
def test_fast_open_to_the_kernel(lab: Lab, start: Any, talk: Any, kind: str) -> None:
    """The first call gets a cookie, the others bring their text with the SYN, and more after it."""
    lab.set_sysctl("net.ipv4.tcp_fastopen", 3)

    async def main(stack: Stack) -> None:
        script = start(FAST_SERVER, kind, "3")
        await script.says()
        chosen = Choices(fast_open=True, multipath=kind == MPTCP)
        for number in range(3):
            reader, writer = await open_connection(
                "10.77.0.1", 8000, stack=stack, choices=chosen, first=b"hello "
            )
            writer.write(b"world %d" % number)
            writer.write_eof()
            assert await reader.read() == b"HELLO WORLD %d" % number
            assert get_info(writer).multipath == (kind == MPTCP)
            writer.close()
            await writer.wait_closed()
            assert await script.says() == {"octets": f"hello world {number}"}

    talk(lab, main)
    counters = lab.counters()
    assert counters["TcpExtTCPFastOpenCookieReqd"] == 1
    assert counters["TcpExtTCPFastOpenPassive"] == 2
    assert find_trouble(counters) == {}


@pytest.mark.clause("R7413-4.2.2-01", "R7413-4.2.2-03", "R8684-B.2-01", "R8684-B.3-01")
@pytest.mark.parametrize("kind", [TCP, MPTCP])
def test_fast_open_from_the_kernel(lab: Lab, start: Any, talk: Any, kind: str) -> None:
    """It asks for a cookie once, and then sends text with its SYNs, which we take."""
    lab.set_sysctl("net.ipv4.tcp_fastopen", 3)

    async def main(stack: Stack) -> None:
        chosen = Choices(fast_open=True, multipath=kind == MPTCP)
        async with await start_server(answer, "10.77.0.2", 8000, stack=stack, choices=chosen):
            script = start(FAST_CLIENT, kind, "3")
            for number in range(3):
                assert await script.says() == {"octets": f"HELLO {number} AND MORE"}

    talk(lab, main)
    counters = lab.counters()
    assert counters["TcpExtTCPFastOpenActive"] == 2
    assert counters.get("TcpExtTCPFastOpenActiveFail", 0) == 0
    assert find_trouble(counters) == {}


# -- SYN cookies ------------------------------------------------------------------------------

CLIENTS = """
for number in range(int(sys.argv[2])):
    one = make(); one.connect(("10.77.0.2", 8000))
    one.sendall(b"hello %d" % number); one.shutdown(socket.SHUT_WR)
    say(octets=read(one).decode()); one.close()
"""


@pytest.mark.clause("R4987-3.6-01", "R4987-3.6-03", "R8684-3.1-18")
@pytest.mark.parametrize("kind", [TCP, MPTCP])
@pytest.mark.parametrize("timestamps", [0, 1])
def test_our_cookies(lab: Lab, start: Any, talk: Any, kind: str, timestamps: int) -> None:
    """With no room for a SYN every connection of the kernel is by cookie, and MPTCP if it wants."""
    lab.set_sysctl("net.ipv4.tcp_timestamps", timestamps)

    async def main(stack: Stack) -> None:
        modes: list[bool] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await answer(reader, writer)
            modes.append(get_info(writer).multipath)

        async with await start_server(serve, "10.77.0.2", 8000, stack=stack, backlog=0):
            script = start(CLIENTS, kind, "5")
            for number in range(5):
                assert await script.says() == {"octets": f"HELLO {number}"}
        assert modes == [kind == MPTCP] * 5
        assert stack.host.listeners.opening == {}

    talk(lab, main)
    assert find_trouble(lab.counters()) == {}


@pytest.mark.parametrize("multipath", [False, True])
def test_cookies_of_the_kernel(lab: Lab, talk: Any, swap: Any, check_report: Any, multipath: bool) -> None:
    """It answers every SYN by cookie; we do not notice."""
    lab.set_sysctl("net.ipv4.tcp_syncookies", 2)

    async def main(stack: Stack) -> None:
        more = () if multipath else ("--tcp",)
        peer = lab.peer("exchange", "--listen", "10.77.0.1", "8000", "--octets", "200000", *more)
        await peer.ready()
        reader, writer = await open_connection("10.77.0.1", 8000, stack=stack)
        sent, received = await swap(reader, writer, 200_000, 3)
        writer.close()
        check_report(await peer.report(), sent, received, writer, multipath)

    talk(lab, main)
    counters = lab.counters()
    assert counters["TcpExtSyncookiesSent"] >= 1 and counters["TcpExtSyncookiesRecv"] == 1
    assert find_trouble(counters) == {}


# -- TIME-WAIT --------------------------------------------------------------------------------

SAME_PORT_CLIENT = """
for number in range(3):
    one = make(); one.bind(("10.77.0.1", 5000))
    one.connect(("10.77.0.2", 8000))
    octets = read(one); one.shutdown(socket.SHUT_WR)
    while one.getsockopt(socket.IPPROTO_TCP, 11, 1) != b"\x07": time.sleep(0.001)  # TCP_INFO, TCP_CLOSE
    one.close()
    say(octets=octets.decode())
"""

SAME_PORT_SERVER = """
one = make(); one.bind(("10.77.0.1", 8000)); one.listen(); say(ready=True)
for number in range(3):
    peer, _ = one.accept(); peer.sendall(b"%d" % number); peer.close()
"""


def check_let_in(packets: list[bytes], count: int) -> None:
    """So many came again, and the first answer to each first SYN was SYN, ACK."""
    answers: dict[bytes, int] = {}  # by the initial sequence number: flags
    calling = None
    for packet in packets:
        source, number, flags = packet[12:16], packet[24:28], packet[33]
        if flags & 0x12 == 0x02 and number not in answers:
            calling = source, number
        elif calling is not None and source != calling[0]:
            answers[calling[1]] = flags
            calling = None
    assert list(answers.values()) == [0x12] * count


@pytest.mark.clause("R6191-2-01", "R6191-2-04", "R9293-3.6.1-03", "R9293-3.6.1-05")
@pytest.mark.parametrize("timestamps", [0, 1])
def test_our_time_wait(lab: Lab, start: Any, talk: Any, timestamps: int) -> None:
    """We closed first; the kernel comes from the same port again, and is let in at once."""
    lab.set_sysctl("net.ipv4.tcp_timestamps", timestamps)

    async def main(stack: Stack) -> None:
        count = 0

        def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal count
            writer.write(b"%d" % count)
            writer.close()
            count += 1

        async with await start_server(serve, "10.77.0.2", 8000, stack=stack):
            script = start(SAME_PORT_CLIENT)
            for number in range(3):
                assert await script.says() == {"octets": str(number)}
        assert count == 3

    packets: list[bytes] = []
    talk(lab, main, tap=packets.append)
    check_let_in(packets, 3)
    assert lab.counters().get("TcpOutRsts", 0) == 0


@pytest.mark.clause("R6191-2-01")
def test_time_wait_of_the_kernel(lab: Lab, start: Any, talk: Any) -> None:
    """It closed first; our timestamps go on from one connection to the next, so that it lets us in."""

    async def main(stack: Stack) -> None:
        script = start(SAME_PORT_SERVER)
        await script.says()
        for number in range(3):
            reader, writer = await open_connection(
                "10.77.0.1", 8000, stack=stack, local_addr=("10.77.0.2", 5000)
            )
            assert await reader.read() == b"%d" % number
            writer.close()
            await stack.driver.wait_idle()

    packets: list[bytes] = []
    talk(lab, main, tap=packets.append)
    check_let_in(packets, 3)
    assert lab.counters().get("TcpExtTCPChallengeACK", 0) == 0


# -- simultaneous open ------------------------------------------------------------------------

CROSSING = """
one = make(); one.bind(("10.77.0.1", 5000)); say(ready=True)
one.connect(("10.77.0.2", 6000))
one.sendall(b"hello"); one.shutdown(socket.SHUT_WR)
say(octets=read(one).decode())
"""


@pytest.mark.clause("R9293-3.5-01")
@pytest.mark.parametrize(("lost", "kind"), [("ours", TCP), ("ours", MPTCP), ("theirs", TCP)])
def test_simultaneous_open(lab: Lab, start: Any, talk: Any, lost: str, kind: str) -> None:
    """Both call each other, and the first SYN of one is lost: one connection, in plain TCP.

    Not the kernel's MPTCP sockets where it is theirs: there its TCP is open, and connect() does not return.
    """
    where = ("INPUT", "-i") if lost == "ours" else ("OUTPUT", "-o")
    rule = (where[0], where[1], "tun0", "-p", "tcp", "--tcp-flags", "SYN,ACK", "SYN", "-j", "DROP")

    async def main(stack: Stack) -> None:
        lab.run("iptables", "-w", "-A", *rule)
        opening = asyncio.create_task(
            open_connection("10.77.0.1", 5000, stack=stack, local_addr=("10.77.0.2", 6000))
        )
        if lost == "ours":
            await asyncio.sleep(0.1)
            script = start(CROSSING, kind)
            await script.says()
        else:
            opening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await opening
            script = start(CROSSING, kind)
            await script.says()
            while lab.counters()["TcpActiveOpens"] == 0:  # until its SYN is lost
                await asyncio.sleep(0.01)
            opening = asyncio.create_task(
                open_connection("10.77.0.1", 5000, stack=stack, local_addr=("10.77.0.2", 6000))
            )
        reader, writer = await asyncio.wait_for(opening, 10)
        lab.run("iptables", "-w", "-D", *rule)
        assert await reader.read() == b"hello"
        writer.write(b"world")
        writer.close()
        assert await script.says() == {"octets": "world"}

    talk(lab, main)


# -- keep-alives, the user timeout, urgent data -----------------------------------------------

SILENT = """
one = make(); one.bind(("10.77.0.1", 8000)); one.listen(); say(ready=True)
peer, _ = one.accept()
if len(sys.argv) > 2:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((4, 1), (5, 1), (6, 2)):  # TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT
        peer.setsockopt(socket.IPPROTO_TCP, option, value)
time.sleep(float(sys.argv[3]) if len(sys.argv) > 3 else 1.5)
peer.sendall(b"still here"); say(octets=read(peer).decode())
"""


@pytest.mark.clause("R9293-3.8.4-03", "R9293-3.8.4-06")
@pytest.mark.parametrize("kind", [TCP, MPTCP])
def test_our_keep_alives(lab: Lab, start: Any, talk: Any, kind: str) -> None:
    """The kernel answers each, and nothing comes of it; with nobody to answer the connection is dead."""
    chosen = Choices(
        keep_alive=True,
        keep_alive_idle=200 * MILLISECOND,
        keep_alive_interval=200 * MILLISECOND,
        keep_alive_probes=3,
        multipath=kind == MPTCP,
    )

    async def main(stack: Stack) -> None:
        script = start(SILENT, kind)
        await script.says()
        reader, writer = await open_connection("10.77.0.1", 8000, stack=stack, choices=chosen)
        assert await reader.readexactly(10) == b"still here"
        lab.run("iptables", "-w", "-A", "INPUT", "-i", "tun0", "-j", "DROP")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(), 10)
        writer.close()

    talk(lab, main)


@pytest.mark.parametrize("kind", [TCP, MPTCP])
def test_keep_alives_of_the_kernel(lab: Lab, start: Any, talk: Any, kind: str) -> None:
    """We answer: after longer than the kernel would wait for us it is still there."""

    async def main(stack: Stack) -> None:
        script = start(SILENT, kind, "keep", "4.5")
        await script.says()
        reader, writer = await open_connection("10.77.0.1", 8000, stack=stack)
        assert await reader.readexactly(10) == b"still here"
        writer.close()
        assert await script.says() == {"octets": ""}

    talk(lab, main)
    assert lab.counters()["TcpExtTCPKeepAlive"] >= 2


@pytest.mark.parametrize("kind", [TCP, MPTCP])
def test_user_timeout(lab: Lab, start: Any, talk: Any, kind: str) -> None:
    """What the kernel does not acknowledge in time ends the connection, with the reason."""

    async def main(stack: Stack) -> None:
        script = start(SILENT, kind)
        await script.says()
        reader, writer = await open_connection("10.77.0.1", 8000, stack=stack)
        writer.transport.tune(user_timeout=0.5)  # type: ignore[attr-defined]
        lab.run("iptables", "-w", "-A", "INPUT", "-i", "tun0", "-j", "DROP")
        writer.write(b"hello")
        with pytest.raises(TimeoutError, match="user timeout"):
            await asyncio.wait_for(reader.read(), 10)

    talk(lab, main)


URGENT = """
one = make(); one.bind(("10.77.0.1", 8000)); one.listen(); say(ready=True)
peer, _ = one.accept(); peer.settimeout(20)
select.select([], [], [peer], 20)
say(urgent=peer.recv(1, socket.MSG_OOB).decode(), octets=peer.recv(100).decode())
peer.send(b"hurr"); peer.send(b"y", socket.MSG_OOB)
say(octets=read(peer).decode())
"""


@pytest.mark.clause("R9293-3.8.5-01", "R9293-3.8.5-04", "R9293-3.8.5-05")
def test_urgent(lab: Lab, start: Any, talk: Any) -> None:
    """The kernel finds our urgent octet out of band, and we learn how far its own urgent data go."""

    async def main(stack: Stack) -> None:
        script = start(URGENT)
        await script.says()
        reader, writer = await open_connection(
            "10.77.0.1", 8000, stack=stack, choices=Choices(multipath=False)
        )
        transport: Any = writer.transport
        transport.pause_reading()
        transport.write_urgent(b"stop!")
        assert await script.says() == {"urgent": "!", "octets": "stop"}
        async with asyncio.timeout(10):
            while get_info(writer).unread < 5:
                await asyncio.sleep(0.01)
        assert get_info(writer).urgent == 5
        transport.resume_reading()
        assert await reader.readexactly(5) == b"hurry"
        assert get_info(writer).urgent == 0
        writer.close()
        assert await script.says() == {"octets": ""}

    talk(lab, main)


def test_no_urgent_data_in_mptcp(lab: Lab, start: Any, talk: Any) -> None:
    """As sockets say it: not supported."""

    async def main(stack: Stack) -> None:
        script = start(SILENT, MPTCP)
        await script.says()
        _, writer = await open_connection("10.77.0.1", 8000, stack=stack)
        with pytest.raises(OSError, match="urgent"):
            writer.transport.write_urgent(b"!")  # type: ignore[attr-defined]
        writer.close()

    talk(lab, main)
