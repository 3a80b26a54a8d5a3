"""What `mptcp connect` and `mptcp serve` do once they have a stack."""

import asyncio
import ipaddress
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self, final

from mptcp_stack.copying import CHUNK, FileEnd, Tally, copy_both_ways, open_sink, open_source
from mptcp_stack.live import Board
from mptcp_stack.report import describe, describe_subflows, print_json, say, summarize
from mptcp_stack.stack import Stack
from mptcp_stack.streams import open_connection, start_server

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@final
class Wishes:
    """The files of a conversation, opened before anything else so that a missing one is told at once."""

    def __init__(self, source: Path | None, sink: Path | None, as_json: bool, quiet: bool) -> None:
        self.source: Final = open_source(source)
        try:
            self.sink: Final = open_sink(sink)
        except OSError:
            self.source.close()
            raise
        self.as_json: Final = as_json
        self.quiet: Final = quiet

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.source.close()
        self.sink.close()

    @property
    def wants_board(self) -> bool:
        """Whether a person watches, and standard output is free or goes elsewhere."""
        if self.quiet or self.as_json:
            return False
        return sys.stderr.isatty() and (self.sink.path is not None or not sys.stdout.isatty())


async def connect(stack: Stack, host: str, port: int, wishes: Wishes, timeout: float) -> None:
    """One conversation with the other side. Raises OSError; its sentence says what happened."""
    async with stack:
        try:
            async with asyncio.timeout(timeout):
                streams = await open_connection(host, port, stack=stack, limit=CHUNK)
        except TimeoutError as error:
            if error.errno is not None:
                raise
            raise OSError(f"no connection to {host} port {port} within {timeout:g} seconds") from None
        except OSError as error:
            if error.errno is not None and error.errno < 0:  # a name that nobody knows
                raise OSError(f"{host} is neither an address nor a name that is known") from None
            raise
        conversation = Conversation(streams, wishes, wishes.source)
        await conversation.run()
    conversation.report()


async def serve(stack: Stack, port: int, wishes: Wishes, keep: bool) -> None:
    """Conversations with whoever connects: one, or one after the other until interrupted."""
    async with stack:
        waiting: asyncio.Queue[Streams] = asyncio.Queue()
        server = await start_server(
            lambda *streams: waiting.put_nowait(streams), port=port, stack=stack, limit=CHUNK
        )
        names = " and ".join(str(ipaddress.ip_address(one)) for one in stack.addresses)
        say(f"listening on {names} port {port} (interface {stack.devices[0].name})")
        serving = asyncio.create_task(server.serve_forever())
        try:
            while keep:
                await serve_again(await get_or_fail(waiting, serving), wishes)
            streams = await get_or_fail(waiting, serving)
            server.close()
            conversation = Conversation(streams, wishes, wishes.source)
            await conversation.run()
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
    conversation.report()


async def serve_again(streams: Streams, wishes: Wishes) -> None:
    """One of many conversations: a peer that breaks off is no reason to stop."""
    source = wishes.source if wishes.source.path is not None else None
    if source is not None:
        os.lseek(source.descriptor, 0, os.SEEK_SET)
    conversation = Conversation(streams, wishes, source)
    try:
        await conversation.run()
    except ConnectionError as error:
        say(f"mptcp: {error.strerror}")
    else:
        conversation.report()


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


@final
class Conversation:
    """Copies both ways over one connection, ``source`` (None: nothing) there, what comes to the sink."""

    def __init__(self, streams: Streams, wishes: Wishes, source: FileEnd | None) -> None:
        self._reader, self._writer = streams
        self._wishes: Final = wishes
        self._source: Final = source
        self._board: Final = Board(
            wishes.wants_board,
            source.size() if source is not None else 0,
            lambda: self._writer.get_extra_info("mptcp"),
        )
        self._sent: Final = Tally(wishes.as_json)
        self._received: Final = Tally(wishes.as_json)

    async def run(self) -> None:
        """Until both directions have ended. Raises OSError when one could not."""
        writer = self._writer
        async with self._board:
            try:
                await copy_both_ways(
                    self._reader, writer, self._source, self._wishes.sink, self._sent, self._received
                )
                writer.close()
                await writer.wait_closed()
            except BaseException:
                writer.transport.abort()
                raise

    def report(self) -> None:
        """Say what happened."""
        info = self._writer.get_extra_info("mptcp")
        if self._wishes.as_json:
            summary = summarize(info, self._sent, self._received)
            print_json(summary, to_stdout=self._wishes.sink.path is not None)
        else:
            say(describe(info, self._sent, self._received))
            for line in describe_subflows(info.subflows):
                say(line)
