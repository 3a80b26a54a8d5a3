"""Rungs that move octets: each is a function of the ground, and raises Fell."""

import asyncio
from functools import partial
from typing import Final

from mptcp_stack.lab import Lab
from mptcp_stack.ladder.ground import SEED, Ground, Talk, aside, choose_address, require, together
from mptcp_stack.ladder.rung import CLIENT, KERNEL
from mptcp_stack.peers import generate
from mptcp_stack.streams import open_connection, start_server

CROWD: Final = 500  # connections at once


async def exchange(ground: Ground) -> None:
    """So many octets each way at once."""
    if ground.role == KERNEL:
        await compare(ground)
        return
    await swap(await ground.open("exchange", "--octets", str(ground.rung.octets)))


async def swap(talk: Talk) -> None:
    """Both ways at once to both ends, and what either side says of it."""
    await together(talk.send(talk.ground.rung.octets), talk.receive())
    await talk.close()
    await talk.check()


async def in_turn(ground: Ground) -> None:
    """So many octets to the kernel, and when they are there so many back."""
    talk = await ground.open("answer", "--octets", str(ground.rung.octets))
    await talk.send(ground.rung.octets)
    await talk.receive()
    await talk.close()
    await talk.check()


async def shrink(ground: Ground) -> None:
    """In the midst of a transfer the path carries no more than 1,300 octets."""
    wire = ground.wires[0]
    talk = await ground.open("exchange", "--octets", str(ground.rung.octets))

    async def narrow() -> None:
        part = ground.rung.octets // 10
        await aside(partial(wire.wait_until, lambda *ways: all(way["octets"] > part for way in ways)))
        await aside(partial(wire.change, mtu=1_300))

    await together(talk.send(ground.rung.octets), talk.receive(), narrow())
    await talk.close()
    await talk.check()
    for way, who in zip(wire.counts(), ("the kernel", "we"), strict=True):
        require(way["oversized"] > 0, f"{who} sent nothing that was too long")


async def crowd(ground: Ground, size: int = CROWD) -> None:
    """Many connections at once, each with octets of its own that come back."""
    arguments = ("--count", str(size), "--backlog", str(2 * size), "--octets", str(ground.rung.octets))
    if ground.role == CLIENT:
        peer = ground.peer("echo", *arguments)
        await peer.ready()
        await together(*(call(ground, number) for number in range(size)))
        await ground.wait_report(peer)
        return
    ended: asyncio.Queue[int] = asyncio.Queue()
    server = await start_server(
        partial(echo, ended), ground.ours, ground.port, stack=ground.stack, backlog=2 * size
    )
    try:
        report = await ground.wait_report(ground.peer("exchange", *arguments))
        for _ in range(size):
            ground.octets += await ended.get()
    finally:
        server.close()
    require(report["whole"] == size, f"{size - report['whole']} of {size} connections were not whole")


async def call(ground: Ground, number: int) -> None:
    """One of many: what we send comes back."""
    streams = await open_connection(
        ground.kernel, ground.port, stack=ground.stack, local_addr=(ground.ours, 0)
    )
    reader, writer = streams
    octets = b"".join(generate(ground.rung.octets, SEED + number))
    writer.write(octets)
    writer.write_eof()
    back = await reader.read(-1)
    ground.octets += len(back)
    writer.close()
    await writer.wait_closed()
    require(back == octets, f"connection {number} got back {len(back)} octets that are not its own")


async def echo(
    ended: "asyncio.Queue[int]", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Send back what comes."""
    count = 0
    while chunk := await reader.read(1 << 16):
        count += len(chunk)
        writer.write(chunk)
        await writer.drain()
    writer.close()
    await writer.wait_closed()
    ended.put_nowait(count)


async def fast_open(ground: Ground) -> None:
    """One connection for the cookie, and one whose first text is in the SYN."""
    for _ in range(2):
        ground.next_port()
        if ground.role == CLIENT:
            peer = ground.peer("answer", "--octets", str(ground.rung.octets), "--fast-open")
            await peer.ready()
            first = b"".join(generate(ground.rung.octets, SEED))
            streams = await open_connection(
                ground.kernel,
                ground.port,
                stack=ground.stack,
                local_addr=(ground.ours, 0),
                first=first,
            )
            talk = Talk(ground, peer, streams)
            talk.sent.update(first)
            talk.writer.write_eof()
        else:
            arguments = ("--octets", str(ground.rung.octets), "--end", "half", "--fast-open")
            talk = await ground.open("send", *arguments)
        await talk.receive()
        if ground.role != CLIENT:
            await talk.send(ground.rung.octets)
        await talk.close()
        await talk.check()
    kind = "Passive" if ground.role == CLIENT else "Active"
    require(ground.count(f"TcpExtTCPFastOpen{kind}") > 0, "the text was not in the SYN")


async def compare(ground: Ground) -> None:
    """The kernel with itself over the same wire."""
    octets = ("--octets", str(ground.rung.octets))
    far = await aside(Lab)
    try:
        number = len(ground.wires)
        wire = partial(ground.lab.lay_wire, far, number, ground.rung.lines[0], mtu=ground.rung.mtu)
        await aside(wire)
        where = (choose_address(ground.family, number, 1), str(ground.port))
        kind = () if ground.stack.choices.multipath else ("--tcp",)
        server = ground.lab.peer("exchange", *octets, "--listen", *where, *kind)
        await server.ready()
        client = far.peer("exchange", *octets, "--connect", *where, *kind)
        one, other = await asyncio.gather(ground.wait_report(server), ground.wait_report(client))
    finally:
        await aside(far.close)
    require(one["received_sha256"] == other["sent_sha256"], "what arrived is not what was sent")
    require(other["received_sha256"] == one["sent_sha256"], "what arrived is not what was sent")
