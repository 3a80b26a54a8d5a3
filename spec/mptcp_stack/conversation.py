"""What `mptcp connect` and `mptcp serve` do once they have a stack."""

import asyncio
import ipaddress
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self, final

from mptcp_stack.copying import FileEnd, Tally, copy_both_ways, open_sink, open_source
from mptcp_stack.report import Bars, describe, print_json, say, summarize
from mptcp_stack.stack import Stack
from mptcp_stack.streams import open_connection, start_server

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@final
class Wishes:
    """The files of a conversation, opened before anything else so that a missing one is told at once."""

    def __init__(self, source: Path | None, sink: Path | None, as_json: bool) -> None:
        self.source: Final = open_source(source)
        try:
            self.sink: Final = open_sink(sink)
        except OSError:
            self.source.close()
            raise
        self.as_json: Final = as_json

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.source.close()
        self.sink.close()

    @property
    def wants_bars(self) -> bool:
        """Whether a person watches, and standard output is free or goes elsewhere."""
        return sys.stderr.isatty() and (self.sink.path is not None or not sys.stdout.isatty())


async def connect(stack: Stack, host: str, port: int, wishes: Wishes, timeout: float) -> None:
    """One conversation with the other side. Raises OSError; its sentence says what happened."""
    async with stack:
        try:
            async with asyncio.timeout(timeout):
                streams = await open_connection(host, port, stack=stack)
        except TimeoutError as error:
            if error.errno is not None:
                raise
            raise OSError(f"no connection to {host} port {port} within {timeout:g} seconds") from None
        except OSError as error:
            if error.errno is not None and error.errno < 0:  # a name that nobody knows
                raise OSError(f"{host} is neither an address nor a name that is known") from None
            raise
        await converse(streams, wishes, wishes.source)


async def serve(stack: Stack, port: int, wishes: Wishes, keep: bool) -> None:
    """Conversations with whoever connects: one, or one after the other."""
    waiting: asyncio.Queue[Streams] = asyncio.Queue()
    async with stack:
        server = await start_server(lambda *streams: waiting.put_nowait(streams), port=port, stack=stack)
        names = " and ".join(str(ipaddress.ip_address(one)) for one in stack.addresses)
        say(f"listening on {names} port {port} (interface {stack.devices[0].name})")
        serving = asyncio.create_task(server.serve_forever())
        try:
            while True:
                streams = await get_or_fail(waiting, serving)
                if not keep:
                    server.close()
                if wishes.source.path is not None:
                    os.lseek(wishes.source.descriptor, 0, os.SEEK_SET)
                is_fed = wishes.source.path is not None or not keep
                try:
                    await converse(streams, wishes, wishes.source if is_fed else None)
                except ConnectionError as error:
                    if not keep:
                        raise
                    say(f"mptcp: {error.strerror}")
                if not keep:
                    return
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


async def get_or_fail(waiting: "asyncio.Queue[Streams]", serving: "asyncio.Task[None]") -> Streams:
    """The next connection, or the error that ended the server."""
    getting = asyncio.create_task(waiting.get())
    try:
        await asyncio.wait((getting, serving), return_when=asyncio.FIRST_COMPLETED)
        if getting.done():
            return getting.result()
        serving.result()
        raise OSError("the server has ended")
    finally:
        getting.cancel()


async def converse(streams: Streams, wishes: Wishes, source: FileEnd | None) -> None:
    """Copy both ways, then say what happened."""
    reader, writer = streams
    with Bars(wishes.wants_bars, source.size() if source is not None else 0) as bars:
        sent, received = Tally(bars.sent), Tally(bars.received)
        try:
            await copy_both_ways(reader, writer, source, wishes.sink, sent, received)
            writer.close()
            await writer.wait_closed()
        except BaseException:
            writer.transport.abort()
            raise
    info = writer.get_extra_info("mptcp")
    if wishes.as_json:
        print_json(summarize(info, sent, received), to_stdout=wishes.sink.path is not None)
    else:
        say(describe(info, sent, received))
