"""Octets between a connection and files, counted on the way, and hashed if somebody asks.

Reading standard input or writing to a slow pipe may block for ever, and hashing lasts, while packets must go
on being answered: such calls run on threads that nobody waits for at the end.
"""

import asyncio
import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Final, TypeVar, final

CHUNK: Final = 1 << 20  # octets per read
LOOK: Final = 0.005  # seconds between two looks at what is acknowledged

T = TypeVar("T")


@final
class Aside:
    """A thread for calls that may block or last, one by one; the interpreter does not wait for it."""

    def __init__(self, room: int = 0) -> None:
        self._jobs: Final[Queue[Callable[[], None] | None]] = Queue(room)
        self._thread: threading.Thread | None = None

    def post(self, job: Callable[[], None]) -> None:
        """Have it done, sooner or later; waits where ``room`` jobs are waiting."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def _work(self) -> None:
        while job := self._jobs.get():
            job()

    def start(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Call a function there: what it will return or raise."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: Exception | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]

        def work() -> None:
            try:
                result, error = function(), None
            except Exception as caught:
                result, error = None, caught
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                loop.call_soon_threadsafe(settle, result, error)

        self.post(work)
        return future

    def end(self) -> None:
        """What was posted is done, and nothing more."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread = None

    def wait(self) -> None:
        """Until all that was posted is done."""
        done = threading.Event()
        self.post(done.set)
        done.wait()


HASHING: Final = Aside(16)
"""Where SHA-256 is computed: on another core, at best, than the packets."""


@final
class Tally:
    """What went one way: octets, and the seconds from the first octet to the last, or to its end.

    ``hashing``: their SHA-256, too, which takes longer than all the rest.
    """

    def __init__(self, hashing: bool = True) -> None:
        self.octets = 0
        self._digest: Final = hashlib.sha256() if hashing else None
        self._first = self._last = 0.0

    def add(self, chunk: bytes) -> None:
        """Count a chunk in, now."""
        self._last = time.monotonic()
        if not self.octets:
            self._first = self._last
        self.octets += len(chunk)
        if self._digest is not None:
            HASHING.post(partial(self._digest.update, chunk))

    def end(self) -> None:
        """All of it has arrived, now."""
        self._last = time.monotonic()

    @property
    def sha256(self) -> str:
        """The SHA-256 so far, in hexadecimal; empty if nobody asked."""
        if self._digest is None:
            return ""
        HASHING.wait()
        return self._digest.hexdigest()

    @property
    def seconds(self) -> float:
        """From the first chunk to the end."""
        return self._last - self._first

    @property
    def megabits_per_second(self) -> float:
        """10**6 bits per second between the first chunk and the end; 0 for a single one without an end."""
        return self.octets * 8 / 1_000_000 / self.seconds if self.seconds > 0 else 0.0


@final
class FileEnd:
    """A file, or standard input or output, as one end of a copy. Raises OSError where it cannot be opened."""

    def __init__(self, path: Path | None, descriptor: int, flags: int) -> None:
        self.path: Final = path
        self.descriptor: Final = descriptor if path is None else os.open(path, flags | os.O_CLOEXEC, 0o644)
        self._plain: Final = path is not None and path.is_file()
        self._aside: Final = Aside()
        self._writing: asyncio.Future[None] | None = None

    def size(self) -> int | None:
        """Octets of a plain file; None for anything else."""
        return os.fstat(self.descriptor).st_size if self._plain else None

    async def read(self) -> bytes:
        """The next chunk; empty at the end."""
        if self._plain:
            return os.read(self.descriptor, CHUNK)
        return await self._aside.start(lambda: os.read(self.descriptor, CHUNK))

    async def write(self, chunk: bytes) -> None:
        """Write all of a chunk; where that may block, what became of it is told by the next call."""
        if self._plain:
            write_all(self.descriptor, chunk)
            return
        await self.flush()
        self._writing = self._aside.start(lambda: write_all(self.descriptor, chunk))

    async def flush(self) -> None:
        """Until all is written. Raises OSError where it cannot be."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            await writing

    def close(self) -> None:
        """Close what we opened."""
        self._aside.end()
        if self.path is not None:
            os.close(self.descriptor)


def open_source(path: Path | None) -> FileEnd:
    """A file to read, or standard input."""
    return FileEnd(path, 0, os.O_RDONLY)


def open_sink(path: Path | None) -> FileEnd:
    """A file to write anew, or standard output."""
    return FileEnd(path, 1, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)


def write_all(descriptor: int, chunk: bytes) -> None:
    """Write until nothing is left."""
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


async def send_file(source: FileEnd | None, writer: asyncio.StreamWriter, tally: Tally) -> None:
    """Send a file to its end (None: nothing), say that no more will come, and wait until it has arrived."""
    while source is not None and (chunk := await source.read()):
        writer.write(chunk)
        tally.add(chunk)
        await writer.drain()
    if not writer.is_closing():
        writer.write_eof()
    while tally.octets and not writer.is_closing():
        if writer.get_extra_info("mptcp").bytes_acked >= tally.octets:
            tally.end()
            return
        await asyncio.sleep(LOOK)


async def receive_file(reader: asyncio.StreamReader, sink: FileEnd, tally: Tally) -> None:
    """Receive to the end of the stream."""
    while chunk := await reader.read(CHUNK):
        tally.add(chunk)
        await sink.write(chunk)
    await sink.flush()


async def copy_both_ways(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    source: FileEnd | None,
    sink: FileEnd,
    sent: Tally,
    received: Tally,
) -> None:
    """Copy until both directions have ended; where a person types, the peer's end is the end of both."""
    sending = asyncio.create_task(send_file(source, writer, sent))
    receiving = asyncio.create_task(receive_file(reader, sink, received))
    try:
        done, _ = await asyncio.wait((sending, receiving), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if sending not in done and source is not None and os.isatty(source.descriptor):
            sending.cancel()
        await asyncio.wait((sending, receiving), return_when=asyncio.FIRST_EXCEPTION)
        for task in (receiving, sending):
            if task.done() and not task.cancelled():
                task.result()
    finally:
        for task in (sending, receiving):
            task.cancel()
        await asyncio.gather(sending, receiving, return_exceptions=True)
