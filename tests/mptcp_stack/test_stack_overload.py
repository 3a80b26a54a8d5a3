"""A device that takes nothing, and one that brings without end: what goes by another device goes on."""

import asyncio
import contextlib
import os
import socket
from ipaddress import ip_address
from typing import Any

from mptcp.choices import Choices
from mptcp.values import Text
from mptcp.wire.segment import ACK, SYN, Segment, emit
from mptcp_stack.device import Device
from mptcp_stack.streams import open_connection, start_server

OCTETS = 3_000_000
SHARE = 0.8
PLAIN = Choices(multipath=False)  # nothing moves to another device
MANY = 150  # connections: their first flights are more than a device's queue holds


async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reads all, and says how much it was."""
    octets = 0
    while chunk := await reader.read(1 << 16):
        octets += len(chunk)
    writer.write(str(octets).encode())
    writer.close()


async def send(stack: Any, address: str, octets: int, gate: asyncio.Event | None = None) -> int:
    """Sends zeros, once the gate is open; how many of them the other side has counted."""
    ours = (address[:-1] + "1", 0)
    reader, writer = await open_connection(address, 80, stack=stack, local_addr=ours)
    if gate is not None:
        await gate.wait()
    writer.write(bytes(octets))
    writer.write_eof()
    counted = int(await reader.read())
    writer.close()
    return counted


def relay(source: Device, target: Device) -> None:
    """Pass on what there is; a packet that finds no room is lost, as on a cable."""
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(target.fileno(), os.read(source.fileno(), 65_536))


def test_full_device(run: Any, cable: Any, stack_on: Any) -> None:
    """Nobody takes what leaves by one device: so many packets wait for it, the others are lost, and another
    device carries as ever. When the first takes packets again, all of its connections end well, too.
    """

    async def main() -> None:
        (near, valve), (valve_away, away), (other_near, other_away) = (
            cable(1 << 14),
            cable(),
            cable(1 << 20, 1),
        )
        loop, gate = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(valve.fileno(), relay, valve, valve_away)
        loop.add_reader(valve_away.fileno(), relay, valve_away, valve)
        async with stack_on(away, PLAIN) as server, stack_on(near, PLAIN) as client:
            server.add_device(other_away)
            client.add_device(other_near)
            await start_server(count, port=80, stack=server, backlog=MANY)
            stuck = [asyncio.ensure_future(send(client, "10.0.0.2", 20_000, gate)) for _ in range(MANY)]
            await asyncio.sleep(1)
            assert len(server.host.connections) == MANY
            loop.remove_reader(valve.fileno())
            gate.set()
            assert await send(client, "10.0.1.2", OCTETS) == OCTETS
            assert near.dropped > 0 and other_near.dropped == 0
            assert not any(one.done() for one in stuck)
            loop.add_reader(valve.fileno(), relay, valve, valve_away)
            assert await asyncio.gather(*stuck) == [20_000] * MANY
        valve.close()
        valve_away.close()

    run(main())


def make_flood() -> list[bytes]:
    """Packets of strangers: SYNs, and text of no connection."""
    source, ours = ip_address("10.0.0.1").packed, ip_address("10.0.0.2").packed
    text = (Text(bytes(1_000), 0, 1_000),)
    return [
        emit(Segment(source, ours, port, 80, port, 1, flags, 65_535, 0, (), piece)).octets()
        for port in range(2_000, 2_100)
        for flags, piece in ((SYN, ()), (ACK, text))
    ]


async def count_turns(stack_on: Any, cable: Any, packets: list[bytes]) -> int:
    """How often everybody on the loop has a turn until a transfer is over; a device is flooded all the time
    with ``packets``.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.setblocking(False)
    flooded = Device(ours.detach(), "flooded", (ip_address("10.0.0.2").packed,))
    near, away = cable(1 << 20, 1)
    turns, is_over = 0, False
    loop = asyncio.get_running_loop()

    def flood() -> None:
        nonlocal turns
        turns += 1
        with contextlib.suppress(BlockingIOError):
            for packet in packets:
                theirs.send(packet)
        with contextlib.suppress(BlockingIOError):
            while theirs.recv(65_536):
                pass
        if not is_over:
            loop.call_soon(flood)

    async with stack_on(away, PLAIN) as server, stack_on(near, PLAIN) as client:
        server.add_device(flooded)
        await start_server(count, port=80, stack=server)
        flood()
        assert await send(client, "10.0.1.2", OCTETS) == OCTETS
        is_over = True
    theirs.close()
    return turns


def test_flooded_device(run: Any, cable: Any, stack_on: Any) -> None:
    """One device always has packets for us: another has its turn as often as without it, nearly."""

    async def main() -> None:
        peace = await count_turns(stack_on, cable, [])
        war = await count_turns(stack_on, cable, make_flood())
        assert SHARE * war <= peace

    run(main())
