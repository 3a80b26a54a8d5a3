"""What sockets set by setsockopt and flags of send: fast open, urgent data, keep-alives, the user timeout."""

import asyncio
import errno
from typing import Any

import pytest

from mptcp.choices import Choices
from mptcp_stack.streams import open_connection, start_server

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what came, to its end, in capitals."""
    writer.write((await reader.read()).upper())
    writer.close()


@pytest.mark.clause("R7413-4.2.1-01", "R7413-4.2.2-01")
@pytest.mark.parametrize("multipath", [False, True])
def test_fast_open(run: Any, pair: Any, multipath: bool) -> None:
    """The first octets are written before the connection is open; from the second call on they fly ahead."""

    async def main() -> None:
        choices = Choices(fast_open=True, multipath=multipath)
        async with pair(choices) as both, await start_server(answer, port=80, stack=both.right):
            for number in range(3):
                reader, writer = await open_connection(
                    "10.0.0.2", 80, stack=both.left, first=b"hello %d" % number
                )
                connection = writer.transport.connection  # type: ignore[attr-defined]
                tcb = both.left.host.connections[connection].control.branches[0].subflow.tcb
                assert tcb.snd_syn == (7 if number else 0)
                writer.write(b" again")
                writer.write_eof()
                assert await reader.read() == b"HELLO %d AGAIN" % number
                assert writer.get_extra_info("mptcp").multipath == multipath
                writer.close()

    run(main())


def test_first_octets_that_do_not_fit(run: Any, pair: Any) -> None:
    """More than the send buffer takes is refused at once."""

    async def main() -> None:
        small = Choices(send_buffer=1_000, receive_buffer=1_000)
        async with pair(small) as both, await start_server(answer, port=80, stack=both.right):
            with pytest.raises(OSError, match="first octets"):
                await open_connection("10.0.0.2", 80, stack=both.left, first=bytes(1_001))

    run(main())


def test_urgent(run: Any, pair: Any) -> None:
    """Plain TCP tells the peer how far it should hurry; MPTCP has no such word."""

    async def main(multipath: bool) -> None:
        accepted: asyncio.Queue[Streams] = asyncio.Queue()
        choices = Choices(multipath=multipath)
        async with pair(choices) as both:
            server = await start_server(lambda *one: accepted.put_nowait(one), port=80, stack=both.right)
            _, writer = await open_connection("10.0.0.2", 80, stack=both.left)
            reader, other = await accepted.get()
            other.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(b"slowly, ")
            transport: Any = writer.transport
            if multipath:
                with pytest.raises(OSError, match="urgent") as caught:
                    transport.write_urgent(b"now!")
                assert caught.value.errno == errno.EOPNOTSUPP
            else:
                transport.write_urgent(b"now!")
                while other.get_extra_info("mptcp").unread < 12:
                    await asyncio.sleep(0.01)
                assert other.get_extra_info("mptcp").urgent == 12
                other.transport.resume_reading()  # type: ignore[attr-defined]
                assert await reader.readexactly(12) == b"slowly, now!"
                assert other.get_extra_info("mptcp").urgent == 0
            writer.close()
            other.close()
            server.close()

    run(main(False))
    run(main(True))


def test_user_timeout(run: Any, pair: Any) -> None:
    """A peer that acknowledges nothing any more is given up after so many seconds."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with pair() as both, await start_server(answer, port=80, stack=both.right):
            reader, writer = await open_connection("10.0.0.2", 80, stack=both.left)
            writer.transport.tune(user_timeout=7.5)  # type: ignore[attr-defined]
            both.right.driver.stop()  # it hears nothing more
            began = loop.time()
            writer.write(b"anybody?")
            with pytest.raises(TimeoutError, match="user timeout"):
                await reader.read()
            assert 7.4 < loop.time() - began < 7.6

    run(main())


def test_out_of_range_and_after_the_end(run: Any, pair: Any) -> None:
    """As setsockopt would say it."""

    async def main() -> None:
        async with pair() as both, await start_server(answer, port=80, stack=both.right):
            _, writer = await open_connection("10.0.0.2", 80, stack=both.left)
            transport: Any = writer.transport
            for wrong in ({"hop_limit": 0}, {"dscp": 64}, {"user_timeout": -1.0}):
                with pytest.raises(ValueError):
                    transport.tune(**wrong)
            transport.tune(keep_alive=True, hop_limit=3, dscp=46, nagle=False)
            control = both.left.host.connections[transport.connection].control
            assert (control.hop_limit, control.dscp, control.nagle) == (3, 46, False)
            transport.abort()
            with pytest.raises(OSError, match="over"):
                transport.tune(keep_alive=False)

    run(main())
