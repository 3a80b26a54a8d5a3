"""Octets between connections and files."""

import asyncio
import hashlib
import os
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from mptcp.choices import Choices
from mptcp_stack.copying import (
    Aside,
    Tally,
    copy_both_ways,
    open_sink,
    open_source,
    send_file,
    write_all,
)
from mptcp_stack.streams import open_connection, start_server


def test_aside_returns_and_raises() -> None:
    """What a function returns or raises on the thread arrives here."""

    async def main() -> None:
        aside = Aside()
        assert await aside.start(lambda: 1 + 1) == 2
        with pytest.raises(ZeroDivisionError):
            await aside.start(lambda: 1 // 0)
        aside.end()

    asyncio.run(main())


def test_aside_does_one_after_the_other() -> None:
    """In order, on a thread that ends after the last one and begins again with the next."""
    aside, done = Aside(), []
    aside.end()
    for number in range(100):
        aside.post(partial(done.append, number))
    aside.wait()
    assert done == list(range(100))
    aside.end()
    aside.post(partial(done.append, 100))
    aside.wait()
    assert done[-1] == 100
    aside.end()


def test_nobody_waits_for_an_aside() -> None:
    """A read that never returns keeps nobody from leaving."""
    reading, writing = os.pipe()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await Aside().start(lambda: os.read(reading, 1))

    asyncio.run(main())
    os.write(writing, b"x")
    os.close(writing)


def test_tally() -> None:
    """Octets, SHA-256, and the speed between the first octet and the last."""
    tally = Tally()
    assert (tally.octets, tally.seconds, tally.megabits_per_second) == (0, 0, 0)
    tally.add(b"abc")
    assert tally.megabits_per_second == 0
    tally.add(b"def")
    assert tally.octets == 6
    assert tally.sha256 == hashlib.sha256(b"abcdef").hexdigest()
    tally = Tally(hashing=False)
    tally.add(b"abc")
    assert (tally.octets, tally.sha256) == (3, "")


def test_full_disk() -> None:
    """What could not be written is told by the next write, or at the end."""

    async def main() -> None:
        sink = open_sink(Path("/dev/full"))
        await sink.write(b"one")
        with pytest.raises(OSError, match="No space left"):
            await sink.write(b"two")
        await sink.write(b"three")
        with pytest.raises(OSError, match="No space left"):
            await sink.flush()
        await sink.flush()
        sink.close()

    asyncio.run(main())


def test_files(tmp_path: Path) -> None:
    """A plain file knows its size, and a sink begins anew."""
    (tmp_path / "one").write_bytes(b"abc")
    source = open_source(tmp_path / "one")
    assert source.size() == 3
    sink = open_sink(tmp_path / "one")
    assert sink.size() == 0
    write_all(sink.descriptor, b"xy")
    assert os.pread(source.descriptor, 10, 0) == b"xy"
    source.close()
    sink.close()
    assert open_source(None).size() is None
    with pytest.raises(FileNotFoundError):
        open_source(tmp_path / "none")


def test_copies_both_ways(run: Any, pair: Any, tmp_path: Path) -> None:
    """A file there and what comes back here; each side counts what it saw."""
    octets = Random(8).randbytes(300_000)
    (tmp_path / "there").write_bytes(octets)
    sent, received = Tally(), Tally()

    async def reverse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read())[::-1])
        writer.close()

    async def main() -> None:
        source, sink = open_source(tmp_path / "there"), open_sink(tmp_path / "back")
        async with pair() as both:
            await start_server(reverse, port=80, stack=both.right)
            reader, writer = await open_connection("10.0.0.2", 80, stack=both.left)
            await copy_both_ways(reader, writer, source, sink, sent, received)
            writer.close()
        source.close()
        sink.close()

    run(main())
    assert (tmp_path / "back").read_bytes() == octets[::-1]
    assert (sent.octets, received.octets) == (300_000, 300_000)
    assert sent.sha256 == hashlib.sha256(octets).hexdigest()
    assert received.sha256 == hashlib.sha256(octets[::-1]).hexdigest()


def test_sent_is_what_has_arrived(run: Any, pair: Any, tmp_path: Path) -> None:
    """A copy there is over once all of it is acknowledged, and not when it is in a buffer."""
    octets = Random(9).randbytes(300_000)
    (tmp_path / "there").write_bytes(octets)

    async def main() -> None:
        source, tally = open_source(tmp_path / "there"), Tally()
        async with pair(Choices(receive_buffer=60_000)) as both:
            accepted: asyncio.Queue[asyncio.StreamReader] = asyncio.Queue()
            await start_server(lambda reader, _: accepted.put_nowait(reader), port=80, stack=both.right)
            _, writer = await open_connection("10.0.0.2", 80, stack=both.left)
            sending = asyncio.create_task(send_file(source, writer, tally))
            reader = await accepted.get()
            await asyncio.sleep(2)  # of the loop's time, which jumps
            assert not sending.done()
            assert await reader.read() == octets
            await sending
            assert writer.get_extra_info("mptcp").bytes_acked == len(octets)
        source.close()

    run(main())


def test_failure_of_either_way_ends_both(run: Any, pair: Any, tmp_path: Path) -> None:
    """A peer that resets: the copy fails with what the connection says, and nobody is left waiting."""

    async def main() -> None:
        sink = open_sink(tmp_path / "back")
        async with pair() as both:
            await start_server(lambda r, w: w.transport.abort(), port=80, stack=both.right)
            reader, writer = await open_connection("10.0.0.2", 80, stack=both.left)
            with pytest.raises(ConnectionResetError):
                await copy_both_ways(reader, writer, None, sink, Tally(), Tally())
            writer.close()
            assert len(asyncio.all_tasks()) == 1
        sink.close()

    run(main())
