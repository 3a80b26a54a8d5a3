"""asyncio's streams over our own stack: the same names, arguments and exceptions.

    reader, writer = await open_connection("10.77.0.1", 8000)
    server = await start_server(callback, "10.77.0.2", 8000)

``writer.get_extra_info("mptcp")`` tells what became of the connection (``mptcp.api.ConnectionInfo``).

A program that opens thousands of connections may tell Python's collector of cycles to look less often,
with ``gc.set_threshold(50_000, 20, 100)``: 10,000 are opened in half the time then. A connection is some
fifty objects to look at, and none of them waits for the collector when it is over.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from mptcp.choices import Choices
from mptcp_stack.server import Server
from mptcp_stack.stack import Stack, get_stack

LIMIT: Final = 65_536  # octets a StreamReader holds before it pauses the transport; asyncio's default

Callback = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None] | None]


async def open_connection(
    host: str,
    port: int,
    *,
    stack: Stack | None = None,
    limit: int = LIMIT,
    local_addr: tuple[str, int] | None = None,
    choices: Choices | None = None,
    first: bytes = b"",
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """As ``asyncio.open_connection``, over ``stack`` (None: the one whose ``async with`` we are in).

    ``first`` is written before the connection is open: with ``choices.fast_open`` it goes with the SYN.

    Raises what ``Stack.create_connection`` raises.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=limit, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await (stack or get_stack()).create_connection(
        lambda: protocol, host, port, local_addr=local_addr, choices=choices, first=first
    )
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def start_server(
    client_connected_cb: Callback,
    host: str | None = None,
    port: int = 0,
    *,
    stack: Stack | None = None,
    limit: int = LIMIT,
    backlog: int = 100,
    choices: Choices | None = None,
    start_serving: bool = True,
) -> Server:
    """As ``asyncio.start_server``: ``client_connected_cb(reader, writer)`` for each connection.

    Raises what ``Stack.create_server`` raises.
    """
    loop = asyncio.get_running_loop()

    def make_protocol() -> asyncio.StreamReaderProtocol:
        reader = asyncio.StreamReader(limit=limit, loop=loop)
        return asyncio.StreamReaderProtocol(reader, client_connected_cb, loop=loop)

    return await (stack or get_stack()).create_server(
        make_protocol, host, port, backlog=backlog, choices=choices, start_serving=start_serving
    )
