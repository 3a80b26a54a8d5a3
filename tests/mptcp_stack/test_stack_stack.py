"""What only our own stack has: its life, its end, its devices, and connections that fail."""

import asyncio
import errno
import os
from random import Random
from typing import Any

import pytest

from mptcp.choices import ACCEPT, REQUIRE, Choices
from mptcp.wire.ip import read_destination, read_source
from mptcp_stack.stack import Stack
from mptcp_stack.streams import open_connection, start_server

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect_pair(both: Any, **more: Any) -> tuple[Streams, Streams]:
    """Two ends of one connection: the left one opened it."""
    accepted: asyncio.Queue[Streams] = asyncio.Queue()
    server = await start_server(
        lambda *streams: accepted.put_nowait(streams), "10.0.0.2", 80, stack=both.right, **more
    )
    near = await open_connection("10.0.0.2", 80, stack=both.left, **more)
    far = await accepted.get()
    server.close()
    return near, far


def test_needs_a_stack(run: Any) -> None:
    """Outside of any stack there is none to be found."""

    async def main() -> None:
        with pytest.raises(RuntimeError, match="no running stack"):
            await open_connection("10.0.0.2", 80)

    run(main())


def test_finds_its_stack(run: Any, cable: Any, stack_on: Any) -> None:
    """Within ``async with`` the streams need not be told."""

    async def main() -> None:
        left, right = cable()
        async with stack_on(right) as server:
            await start_server(lambda reader, writer: writer.close(), port=80, stack=server)
            async with stack_on(left):
                reader, writer = await open_connection("10.0.0.2", 80)
                assert await reader.read() == b""
                writer.close()
                await writer.wait_closed()

    run(main())


@pytest.mark.parametrize("checksum", [ACCEPT, REQUIRE])
def test_tells_about_the_connection(run: Any, pair: Any, checksum: int) -> None:
    """The extra "mptcp" is the ConnectionInfo, live, and as it was last when all is over."""

    async def main() -> None:
        async with pair(Choices(checksum=checksum)) as both:
            (reader, writer), (far_reader, far_writer) = await connect_pair(both)
            assert writer.get_extra_info("sockname")[0] == "10.0.0.1"
            assert writer.get_extra_info("sockname") == far_writer.get_extra_info("peername")
            assert writer.get_extra_info("peername") == ("10.0.0.2", 80)
            writer.write(b"abc")
            assert await far_reader.readexactly(3) == b"abc"
            info = far_writer.get_extra_info("mptcp")
            assert info.multipath
            assert info.checksum is (checksum == REQUIRE)
            assert info.bytes_received == 3
            writer.close()
            far_writer.close()
            await writer.wait_closed()
            assert writer.get_extra_info("mptcp").bytes_sent == 3

    run(main())


def test_plain_tcp(run: Any, pair: Any) -> None:
    """Without MPTCP on one side it is TCP, and the streams are the same."""

    async def main() -> None:
        async with pair(Choices(multipath=False)) as both:
            (_, writer), (far_reader, far_writer) = await connect_pair(both)
            writer.write(b"abc")
            writer.write_eof()
            assert await far_reader.read() == b"abc"
            assert not writer.get_extra_info("mptcp").multipath
            far_writer.close()
            writer.close()

    run(main())


def test_abort_is_a_reset(run: Any, pair: Any) -> None:
    """abort() loses what was not sent; the peer hears ConnectionResetError, we hear nothing amiss."""

    async def main() -> None:
        async with pair() as both:
            (reader, writer), (far_reader, _) = await connect_pair(both)
            writer.write(bytes(30_000_000))
            writer.transport.abort()
            writer.transport.abort()
            writer.write(b"into nothing")
            await writer.wait_closed()
            assert await reader.read() == b""
            with pytest.raises(ConnectionResetError) as caught:
                await far_reader.read()
            assert caught.value.errno == errno.ECONNRESET
            assert "10.0.0.1" in str(caught.value)

    run(main())


def test_end_delivers_what_was_written(run: Any, cable: Any, stack_on: Any) -> None:
    """A stack that ends waits for the connections that were closed."""
    octets = Random(3).randbytes(1_000_000)
    narrow = Choices(receive_buffer=100_000, send_buffer=100_000)

    async def main() -> None:
        left, right = cable()
        async with stack_on(right) as server:
            got = asyncio.get_running_loop().create_future()

            async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                got.set_result(await reader.read())
                writer.close()

            await start_server(take, port=80, stack=server)
            async with stack_on(left, narrow):
                _, writer = await open_connection("10.0.0.2", 80)
                writer.write(octets)
                writer.close()
            assert left.fileno() == -1
            assert await got == octets

    run(main())


def test_end_does_not_wait_for_ever(run: Any, cable: Any, stack_on: Any) -> None:
    """Where the peer does not answer, the wait ends, and a stack can be ended twice."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        left, right = cable()
        server = await stack_on(right).__aenter__()
        await start_server(lambda reader, writer: None, port=80, stack=server)
        client = await stack_on(left, linger=7.0).__aenter__()
        _, writer = await open_connection("10.0.0.2", 80)
        server.driver.stop()
        writer.write(b"abc")
        writer.close()
        began = loop.time()
        await client.__aexit__(None, None, None)
        assert 6.9 < loop.time() - began < 7.1
        await client.close()
        await server.close()

    run(main())


def test_end_aborts_what_nobody_closed(run: Any, pair: Any) -> None:
    """Who leaves without closing leaves a reset behind."""

    async def main() -> None:
        async with pair() as both:
            (_, writer), (far_reader, far_writer) = await connect_pair(both)
            await both.left.close()
            with pytest.raises(ConnectionResetError):
                await far_reader.read()
            assert writer.is_closing()
            assert far_writer.is_closing()

    run(main())


def test_error_within_ends_at_once(run: Any, cable: Any, stack_on: Any) -> None:
    """An exception through ``async with`` does not linger."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        left, right = cable()
        async with stack_on(right) as server:
            await start_server(lambda reader, writer: None, port=80, stack=server)
            began = loop.time()
            with pytest.raises(ZeroDivisionError):
                async with stack_on(left):
                    _, writer = await open_connection("10.0.0.2", 80)
                    server.driver.stop()
                    writer.write(bytes(10_000_000))
                    writer.close()
                    raise ZeroDivisionError
            assert loop.time() - began < 1

    run(main())


def test_nobody_answers(run: Any, cable: Any, stack_on: Any) -> None:
    """TimeoutError, after the attempts that RFC 9293 §3.8.3 asks for, which no waiting test sees pass."""

    async def main() -> None:
        left, right = cable()
        async with stack_on(left):
            with pytest.raises(TimeoutError) as caught:
                await open_connection("10.0.0.2", 80)
            assert caught.value.errno == errno.ETIMEDOUT
        right.close()

    run(main())


def test_gives_up_waiting(run: Any, cable: Any, stack_on: Any) -> None:
    """A connection attempt that is cancelled leaves nothing behind."""

    async def main() -> None:
        left, right = cable()
        async with stack_on(left) as stack:
            with pytest.raises(TimeoutError) as caught:
                async with asyncio.timeout(1):
                    await open_connection("10.0.0.2", 80)
            assert caught.value.errno is None
            assert stack.driver.flows == {}
        right.close()

    run(main())


@pytest.mark.clause("R9293-3.9.1.1-04")
def test_no_address_of_that_family(run: Any, stack_on: Any, cable: Any) -> None:
    """Somewhere that we have no address to reach it from: ENETUNREACH, in a sentence."""

    async def main() -> None:
        left, right = cable()
        stack = stack_on(left)
        stack.host.remove_address(left.addresses[1], 0)
        async with stack:
            with pytest.raises(OSError, match="2001:db8::1 cannot be reached: we have no IPv6") as caught:
                await open_connection("2001:db8::1", 80)
            assert caught.value.errno == errno.ENETUNREACH
        right.close()

    run(main())


def test_addresses_in_their_turn(run: Any, pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with two addresses: the second is tried when the first refuses; the first error is told."""

    async def main() -> None:
        async with pair() as both:
            loop = asyncio.get_running_loop()

            async def getaddrinfo(host: str, port: int, **more: Any) -> list[Any]:
                return [(0, 0, 0, "", ("fd00::2", port, 0, 0)), (0, 0, 0, "", ("10.0.0.2", port))]

            monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
            with pytest.raises(ConnectionRefusedError, match="fd00::2"):
                await open_connection("somebody", 80, stack=both.left)
            async with await start_server(lambda r, w: w.close(), "10.0.0.2", 80, stack=both.right):
                _, writer = await open_connection("somebody", 80, stack=both.left)
                assert writer.get_extra_info("peername") == ("10.0.0.2", 80)
                writer.close()

    run(main())


def test_same_ends_twice(run: Any, pair: Any) -> None:
    """The same two addresses and ports a second time: EADDRINUSE."""

    async def main() -> None:
        async with pair() as both:
            await start_server(lambda reader, writer: None, "10.0.0.2", 80, stack=both.right)
            local = ("10.0.0.1", 5000)
            _, writer = await open_connection("10.0.0.2", 80, stack=both.left, local_addr=local)
            assert writer.get_extra_info("sockname") == local
            with pytest.raises(OSError, match="exists") as caught:
                await open_connection("10.0.0.2", 80, stack=both.left, local_addr=local)
            assert caught.value.errno == errno.EADDRINUSE

    run(main())


def test_device_goes_away(run: Any, pair: Any) -> None:
    """Connections, servers and whoever wants a new one hear it: one sentence, ENETDOWN."""

    async def main() -> None:
        async with pair() as both:
            (reader, writer), _ = await connect_pair(both)
            server = await start_server(lambda reader, writer: None, port=81, stack=both.left)
            forever = asyncio.create_task(server.serve_forever())
            half_open = asyncio.create_task(open_connection("10.0.0.2", 80, stack=both.left))
            await asyncio.sleep(0)
            both.right.driver.stop()
            both.right.devices[0].close()
            for waiting in (reader.read(), forever, half_open):
                with pytest.raises(OSError, match="the device left has gone away") as caught:
                    await waiting
                assert caught.value.errno == errno.ENETDOWN
            await asyncio.sleep(0)
            assert writer.is_closing()
            assert not server.is_serving()
            with pytest.raises(OSError, match="gone away"):
                await open_connection("10.0.0.2", 80, stack=both.left)
            with pytest.raises(OSError, match="gone away"):
                await start_server(lambda reader, writer: None, port=82, stack=both.left)

    run(main())


def test_stack_that_does_not_run(run: Any, cable: Any, stack_on: Any) -> None:
    """Before its start and after its end nothing can be opened."""

    async def main() -> None:
        left, right = cable()
        stack: Stack = stack_on(left)
        for _ in range(2):
            with pytest.raises(OSError, match="not running"):
                await open_connection("10.0.0.2", 80, stack=stack)
            await stack.close()
        right.close()

    run(main())


def test_narrow_cable(run: Any, pair: Any) -> None:
    """A device that is often full: packets wait for it, some are lost, and everything arrives."""
    octets = Random(4).randbytes(500_000)

    async def main() -> None:
        async with pair(buffer=1) as both:
            (_, writer), (far_reader, far_writer) = await connect_pair(both)
            writer.write(octets)
            writer.write_eof()
            assert await far_reader.read() == octets
            far_writer.close()
            writer.close()

    run(main())


def test_user_that_fails(run: Any, pair: Any) -> None:
    """Protocol factories that raise: the client hears it, the server tells the loop's handler."""

    def fail() -> asyncio.Protocol:
        raise ZeroDivisionError

    async def main() -> None:
        handled: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: handled.append(context))
        async with pair() as both:
            async with await start_server(lambda reader, writer: None, port=80, stack=both.right):
                with pytest.raises(ZeroDivisionError):
                    await both.left.create_connection(fail, "10.0.0.2", 80)
            assert handled == []
            async with await both.right.create_server(fail, port=81):
                reader, _ = await open_connection("10.0.0.2", 81, stack=both.left)
                with pytest.raises(ConnectionResetError):
                    await reader.read()
            assert [type(context["exception"]) for context in handled] == [ZeroDivisionError]

    run(main())


def test_taps_every_packet(run: Any, cable: Any, stack_on: Any) -> None:
    """What a tap sees are whole packets, between the two of us."""
    seen: list[bytes] = []

    async def main() -> None:
        left, right = cable()
        async with stack_on(right) as server, stack_on(left, tap=seen.append):
            await start_server(lambda reader, writer: writer.close(), port=80, stack=server)
            reader, writer = await open_connection("10.0.0.2", 80)
            await reader.read()
            writer.close()

    run(main())
    ends = {bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])}
    assert all({read_source(packet), read_destination(packet)} == ends for packet in seen)
    assert len(seen) > 6


def test_foreign_packets(run: Any, pair: Any) -> None:
    """Octets that are no packets, or not for us, do nothing."""

    async def main() -> None:
        async with pair() as both:
            (reader, writer), (far_reader, far_writer) = await connect_pair(both)
            chance = Random(5)
            for length in range(1, 120):
                os.write(both.right.devices[0].fileno(), chance.randbytes(length))
                os.write(both.right.devices[0].fileno(), bytes([0x45]) + chance.randbytes(length))
            writer.write(b"abc")
            assert await far_reader.readexactly(3) == b"abc"
            far_writer.write(b"def")
            assert await reader.readexactly(3) == b"def"

    run(main())
