"""Streams and transports: asyncio's own semantics, over our stack as over the machine's sockets.

The scenarios run twice, once on asyncio's sockets and once on ours, and expect the same.
"""

import asyncio
import errno
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from mptcp.choices import Choices

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class World:
    """A way to listen and to connect."""

    address: str
    create_connection: Callable[..., Awaitable[tuple[asyncio.Transport, Any]]]
    create_server: Callable[..., Awaitable[Any]]
    open_connection: Callable[..., Awaitable[Streams]]
    start_server: Callable[..., Awaitable[Any]]


Scenario = Callable[[Callable[[World], Coroutine[Any, Any, None]]], None]


@pytest.fixture(params=["sockets", "ours", "ours v6"])
def scenario(request: pytest.FixtureRequest, run: Any, pair: Any) -> Scenario:
    """Runs a scenario in one of the worlds."""

    @asynccontextmanager
    async def open_world() -> AsyncIterator[World]:
        if request.param == "sockets":
            loop = asyncio.get_running_loop()
            yield World(
                "127.0.0.1",
                loop.create_connection,
                loop.create_server,
                asyncio.open_connection,
                asyncio.start_server,
            )
            return
        from mptcp_stack.streams import open_connection, start_server

        async with pair(Choices(receive_buffer=200_000, send_buffer=300_000)) as both:
            yield World(
                "10.0.0.2" if request.param == "ours" else "fd00::2",
                both.left.create_connection,
                both.right.create_server,
                lambda *a, **k: open_connection(*a, stack=both.left, **k),
                lambda *a, **k: start_server(*a, stack=both.right, **k),
            )

    async def inside(main: Callable[[World], Coroutine[Any, Any, None]]) -> None:
        async with open_world() as world:
            await main(world)

    def play(main: Callable[[World], Coroutine[Any, Any, None]]) -> None:
        if request.param == "sockets":
            asyncio.run(inside(main))
        else:
            run(inside(main))

    return play


class Recorder(asyncio.Protocol):
    """Writes down what it is told."""

    def __init__(self, keep_open: bool = True) -> None:
        self.told: list[object] = []
        self.keep_open = keep_open
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.told.append("made")

    def data_received(self, data: bytes) -> None:
        if self.told and isinstance(self.told[-1], bytes):
            self.told[-1] += data
        else:
            self.told.append(data)

    def eof_received(self) -> bool:
        self.told.append("eof")
        return self.keep_open

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append(("lost", type(exc)))
        self.lost.set_result(None)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while octets := await reader.read(1 << 16):
        writer.write(octets)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


def test_echo(scenario: Scenario) -> None:
    """What is written is read, and the end of the stream is the end of the stream."""

    async def main(world: World) -> None:
        async with await world.start_server(echo, world.address, 0) as server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await world.open_connection(world.address, port)
            assert writer.get_extra_info("peername")[:2] == (world.address, port)
            assert writer.get_extra_info("nothing", "such") == "such"
            writer.write(b"hello")
            writer.writelines([b", ", bytearray(b"wor"), memoryview(b"ld")])
            assert await reader.readexactly(12) == b"hello, world"
            assert writer.can_write_eof()
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
            assert writer.is_closing()

    scenario(main)


def test_much_both_ways(scenario: Scenario) -> None:
    """A million octets there and back again, both at once."""
    octets = Random(1).randbytes(1_000_000)

    async def main(world: World) -> None:
        async with await world.start_server(echo, world.address, 0) as server:
            reader, writer = await world.open_connection(world.address, server.sockets[0].getsockname()[1])
            writer.write(octets)
            writer.write_eof()
            back = await reader.read()
            assert hashlib.sha256(back).digest() == hashlib.sha256(octets).digest()
            writer.close()
            await writer.wait_closed()

    scenario(main)


def test_half_close(scenario: Scenario) -> None:
    """Who has sent its last octet can still read, and the other can still write."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        question = await reader.read()
        writer.write(question[::-1] * 1000)
        writer.close()

    async def main(world: World) -> None:
        async with await world.start_server(answer, world.address, 0) as server:
            reader, writer = await world.open_connection(world.address, server.sockets[0].getsockname()[1])
            writer.write(b"abc")
            writer.write_eof()
            with pytest.raises(RuntimeError, match="write_eof"):
                writer.write(b"more")
            assert await reader.read() == b"cba" * 1000
            writer.close()
            await writer.wait_closed()

    scenario(main)


def test_callbacks_of_a_protocol(scenario: Scenario) -> None:
    """connection_made, data_received, eof_received, connection_lost, in that order, once each."""

    async def main(world: World) -> None:
        near, far = Recorder(), Recorder(keep_open=False)
        async with await world.create_server(lambda: far, world.address, 0) as server:
            port = server.sockets[0].getsockname()[1]
            transport, protocol = await world.create_connection(lambda: near, world.address, port)
            assert protocol is near
            assert near.transport is transport
            assert transport.get_protocol() is near
            transport.write(b"abc")
            transport.write_eof()
            transport.write_eof()
            await far.lost
            await asyncio.sleep(0.01)
            transport.close()
            transport.close()
            await near.lost
        assert near.told == ["made", "eof", ("lost", type(None))]
        assert far.told == ["made", b"abc", "eof", ("lost", type(None))]

    scenario(main)


def test_close_with_unread_text_is_a_reset(scenario: Scenario) -> None:
    """Text that nobody will read is not acknowledged as if somebody had."""

    async def main(world: World) -> None:
        near, far = Recorder(), Recorder()
        async with await world.create_server(lambda: far, world.address, 0) as server:
            port = server.sockets[0].getsockname()[1]
            transport, _ = await world.create_connection(lambda: near, world.address, port)
            while far.transport is None:
                await asyncio.sleep(0.01)
            far.transport.pause_reading()
            await asyncio.sleep(0.01)
            transport.write(b"abc")
            await asyncio.sleep(0.1)
            far.transport.close()
            await far.lost
            await near.lost
        assert near.told == ["made", ("lost", ConnectionResetError)]
        assert far.told == ["made", ("lost", type(None))]

    scenario(main)


def test_refused(scenario: Scenario) -> None:
    """Nobody listens there."""

    async def main(world: World) -> None:
        with pytest.raises(ConnectionRefusedError) as caught:
            await world.open_connection(world.address, 9)
        assert caught.value.errno == errno.ECONNREFUSED

    scenario(main)


def test_port_in_use(scenario: Scenario) -> None:
    """Two servers on one port: the second is told EADDRINUSE; when the first is closed it may."""

    async def main(world: World) -> None:
        async with await world.start_server(echo, world.address, 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(OSError, match="in use") as caught:
                await world.start_server(echo, world.address, port)
            assert caught.value.errno == errno.EADDRINUSE
        await (await world.start_server(echo, world.address, port)).__aexit__(None, None, None)

    scenario(main)


def test_address_of_somebody_else(scenario: Scenario) -> None:
    """To listen where we are not, or to connect from there: EADDRNOTAVAIL."""

    async def main(world: World) -> None:
        foreign = "192.0.2.1" if "." in world.address else "2001:db8::1"
        with pytest.raises(OSError) as caught:  # noqa: PT011
            await world.start_server(echo, foreign, 8000)
        assert caught.value.errno == errno.EADDRNOTAVAIL
        with pytest.raises(OSError) as caught:  # noqa: PT011
            await world.open_connection(world.address, 8000, local_addr=(foreign, 0))
        assert caught.value.errno == errno.EADDRNOTAVAIL

    scenario(main)


def test_back_pressure(scenario: Scenario) -> None:
    """Nobody reads: the writer is told to pause, holds what it was given, and resumes later."""
    told = []

    class Writer(Recorder):
        def pause_writing(self) -> None:
            told.append("pause")

        def resume_writing(self) -> None:
            told.append("resume")

    async def main(world: World) -> None:
        near, far = Writer(), Recorder()
        async with await world.create_server(lambda: far, world.address, 0) as server:
            port = server.sockets[0].getsockname()[1]
            transport, _ = await world.create_connection(lambda: near, world.address, port)
            while far.transport is None:
                await asyncio.sleep(0.01)
            far.transport.pause_reading()
            assert not far.transport.is_reading()
            assert transport.get_write_buffer_limits() == (16_384, 65_536)
            transport.set_write_buffer_limits(high=100_000)
            assert transport.get_write_buffer_limits() == (25_000, 100_000)
            total = 0
            while not told:
                transport.write(bytes(200_000))
                total += 200_000
                await asyncio.sleep(0)
                assert total < 100_000_000
            assert transport.get_write_buffer_size() > 100_000
            await asyncio.sleep(0.1)
            far.transport.resume_reading()
            assert far.transport.is_reading()
            transport.write_eof()
            while "eof" not in far.told:
                await asyncio.sleep(0.01)
            assert transport.get_write_buffer_size() == 0
            assert len(far.told[1]) == total  # type: ignore[arg-type]
            assert told == ["pause", "resume"]
            transport.close()
            far.transport.close()
            await near.lost

    scenario(main)


def test_wrong_arguments(scenario: Scenario) -> None:
    """What is not octets, and limits that make no sense."""

    async def main(world: World) -> None:
        async with await world.start_server(echo, world.address, 0) as server:
            _, writer = await world.open_connection(world.address, server.sockets[0].getsockname()[1])
            with pytest.raises(TypeError, match="bytes-like"):
                writer.write("text")  # type: ignore[arg-type]
            with pytest.raises(ValueError, match="high"):
                writer.transport.set_write_buffer_limits(high=1, low=2)
            writer.write(b"")
            writer.close()
            await writer.wait_closed()

    scenario(main)


def test_buffered_protocol(scenario: Scenario) -> None:
    """A protocol that brings its own buffer gets everything through it."""
    octets = Random(2).randbytes(100_000)

    class Buffered(asyncio.BufferedProtocol):
        def __init__(self) -> None:
            self.room = bytearray(1000)
            self.got = b""
            self.ended = asyncio.get_running_loop().create_future()

        def get_buffer(self, sizehint: int) -> bytearray:
            return self.room

        def buffer_updated(self, nbytes: int) -> None:
            self.got += self.room[:nbytes]

        def eof_received(self) -> None:
            self.ended.set_result(None)

    async def main(world: World) -> None:
        far = Buffered()
        async with await world.create_server(lambda: far, world.address, 0) as server:
            _, writer = await world.open_connection(world.address, server.sockets[0].getsockname()[1])
            writer.write(octets)
            writer.close()
            await far.ended
            assert far.got == octets
            await writer.wait_closed()

    scenario(main)


def test_protocol_that_raises(scenario: Scenario) -> None:
    """Its exception is told to the loop's handler and ends its own connection, nothing else."""

    class Raising(Recorder):
        def data_received(self, data: bytes) -> None:
            raise ZeroDivisionError("mine")

    async def main(world: World) -> None:
        handled: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: handled.append(context))
        near, far = Recorder(keep_open=False), Raising()
        async with await world.create_server(lambda: far, world.address, 0) as server:
            port = server.sockets[0].getsockname()[1]
            transport, _ = await world.create_connection(lambda: near, world.address, port)
            transport.write(b"abc")
            await far.lost
            assert far.told[-1] == ("lost", ZeroDivisionError)
            assert [type(context["exception"]) for context in handled] == [ZeroDivisionError]
            await near.lost

    scenario(main)


def test_server_life(scenario: Scenario) -> None:
    """Serving, not yet, no more; connections outlive the closing of their server."""

    async def main(world: World) -> None:
        server = await world.start_server(echo, world.address, 0, start_serving=False)
        assert not server.is_serving()
        await server.start_serving()
        await server.start_serving()
        assert server.is_serving()
        assert server.get_loop() is asyncio.get_running_loop()
        port = server.sockets[0].getsockname()[1]
        reader, writer = await world.open_connection(world.address, port)
        forever = asyncio.create_task(server.serve_forever())
        writer.write(b"a")
        assert await reader.readexactly(1) == b"a"
        with pytest.raises(RuntimeError, match="already"):
            await server.serve_forever()
        forever.cancel()
        with pytest.raises(asyncio.CancelledError):
            await forever
        assert not server.is_serving()
        assert server.sockets == ()
        writer.write(b"b")
        assert await reader.readexactly(1) == b"b"
        with pytest.raises(ConnectionRefusedError):
            await world.open_connection(world.address, port)
        writer.close()
        await writer.wait_closed()
        await server.wait_closed()

    scenario(main)
