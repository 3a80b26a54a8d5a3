"""Rungs of openings, ends and closed windows: each is a function of the ground, and raises Fell."""

import asyncio
from functools import partial
from typing import Final

from mptcp_stack.ladder.ground import Ground, Talk, aside, require, together
from mptcp_stack.ladder.rung import CLIENT, FEW
from mptcp_stack.ladder.transfers import swap
from mptcp_stack.streams import open_connection

PIECE: Final = 4_096  # octets per read of a slow reader
PAUSE: Final = 0.002  # seconds between two of them
TO_US: Final = (0,)  # ways of a wire


async def half_close(ground: Ground) -> None:
    """One side closes its half, and only then the other sends; the one, then the other way round."""
    first = await ground.open("answer", "--octets", str(ground.rung.octets))
    await first.send(ground.rung.octets)
    require(await first.receive() == ground.rung.octets, "the answer is incomplete")
    await first.close()
    await first.check()
    ground.next_port()
    second = await ground.open("send", "--octets", str(ground.rung.octets), "--end", "half")
    require(await second.receive() == ground.rung.octets, "the question is incomplete")
    await second.send(ground.rung.octets)
    await second.close()
    await second.check()


async def open_both(ground: Ground) -> None:
    """Both sides call; each SYN is on its way before the other arrives."""
    wire = ground.wires[0]
    await aside(wire.hold)
    source = ("--source", ground.kernel, "--source-port", str(ground.port + 1))
    peer = ground.peer("exchange", "--octets", str(ground.rung.octets), *source, connect=True)
    opening = asyncio.create_task(
        open_connection(
            ground.kernel, ground.port + 1, stack=ground.stack, local_addr=(ground.ours, ground.port)
        )
    )
    await ground.wait_until(lambda: ground.count("TcpActiveOpens") > 0, "the kernel did not call")
    await aside(partial(wire.wait_until, lambda there, back: back["waiting"] > 0))
    await aside(wire.release)
    await swap(Talk(ground, peer, await opening))
    require(ground.noted("SYN-SENT -> SYN-RECEIVED"), "our SYN did not cross the kernel's")


async def close_both(ground: Ground) -> None:
    """Both sides close; each FIN is on its way before the other arrives."""
    wire = ground.wires[0]
    talk = await ground.open("receive", "--limit", str(FEW))
    await aside(partial(wire.hold, TO_US))
    await talk.send(FEW, end=False)
    report = await ground.wait_report(talk.peer)  # it has closed: its FIN is held
    require(report["received_sha256"] == talk.sent.hexdigest(), "what the kernel got is not what we sent")
    talk.writer.write_eof()
    await ground.wait_until(lambda: ground.noted("ESTABLISHED -> FIN-WAIT-1"), "we did not close")
    await aside(partial(wire.release, TO_US))
    require(await talk.receive() == 0, "octets came from nowhere")
    await talk.close()
    await ground.wait_until(
        lambda: ground.noted("CLOSING -> TIME-WAIT"), "our FIN did not cross the kernel's"
    )


async def hear_reset(ground: Ground) -> Talk:
    """The kernel ends at once, and we hear of it."""
    talk = await ground.open("send", "--octets", str(FEW), "--end", "abort")
    try:
        await talk.receive()
    except ConnectionResetError:
        pass
    else:
        require(False, "we did not hear the kernel's reset")
    return talk


async def reset(ground: Ground) -> None:
    """The kernel resets, we reset, and nobody is there."""
    talk = await hear_reset(ground)
    await ground.wait_report(talk.peer)
    ground.next_port()
    talk = await ground.open("receive")
    await talk.send(FEW, end=False)
    await ground.wait_until(lambda: talk.info.bytes_acked == FEW, "what we sent is not acknowledged")
    talk.writer.transport.abort()
    await ground.wait_report(talk.peer, "ECONNRESET")
    ground.next_port()
    if ground.role != CLIENT:
        await ground.wait_report(ground.peer("receive"), "ECONNREFUSED")
        return
    try:
        await open_connection(ground.kernel, ground.port, stack=ground.stack)
    except ConnectionRefusedError:
        return
    require(False, "a connection to a port where nobody listens was opened")


async def kernel_is_slow(ground: Ground) -> None:
    """The kernel's program sleeps, then reads slowly from a small buffer."""
    slowness = ("--receive-buffer", "16384", "--chunk", str(PIECE), "--pause", str(PAUSE), "--sleep", "1")
    talk = await ground.open("receive", *slowness)
    await together(talk.send(ground.rung.octets), talk.receive())
    await talk.close()
    await talk.check()
    require(ground.noted("window probe"), "we did not probe the closed window")


async def we_are_slow(ground: Ground) -> None:
    """We do not read until the kernel has probed our closed window, and then slowly."""
    talk = await ground.open("send", "--octets", str(ground.rung.octets), "--end", "half")
    await ground.wait_until(
        lambda: ground.count("TcpExtTCPWinProbe") > 0, "the kernel did not probe our window"
    )
    await talk.receive(chunk=PIECE, pause=PAUSE)
    talk.writer.write_eof()
    await talk.close()
    await talk.check()
