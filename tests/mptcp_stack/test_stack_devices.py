"""Devices that come and go while connections run over them."""

import asyncio
import errno
import os
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from mptcp.choices import Choices
from mptcp_stack.device import Device
from mptcp_stack.stack import Stack
from mptcp_stack.streams import open_connection, start_server

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

OCTETS = Random(7).randbytes(1_200_000)
FEW, HALF = 1_000, len(OCTETS) // 2
NARROW = Choices(receive_buffer=60_000, send_buffer=60_000)  # most of it is still to come whenever it matters


async def wait_for(holds: Callable[[], bool]) -> None:
    """Let things happen until it holds; the loop's time jumps, so that this takes none."""
    async with asyncio.timeout(1_000):
        while not holds():
            await asyncio.sleep(0.01)


def list_ways(writer: asyncio.StreamWriter) -> list[tuple[str, str]]:
    """The last two parts of the ends of the subflows that are up, ours and the other's."""
    return [
        (".".join(map(str, one.local[2:])), ".".join(map(str, one.remote[2:])))
        for one in writer.get_extra_info("mptcp").subflows
        if one.joining == "established" and len(one.local) == 4
    ]


class Scene:
    """Two stacks, a cable between them, and a connection from left to right."""

    def __init__(self, left: Stack, right: Stack, near: Streams, far: Streams) -> None:
        self.left, self.right = left, right
        self.near, self.far = near, far
        self.sent = 0
        self.came = bytearray()

    async def move(self, octets: int) -> None:
        """So many more octets from left to right."""
        start, self.sent = self.sent, self.sent + octets
        self.near[1].write(OCTETS[start : self.sent])
        self.came += await self.far[0].readexactly(octets)

    async def finish(self) -> None:
        """All that is left, and the end of it: what came is what was sent."""
        self.near[1].write(OCTETS[self.sent :])
        self.near[1].write_eof()
        self.came += await self.far[0].read()
        assert self.came == OCTETS
        self.near[1].close()
        self.far[1].close()


@pytest.fixture
def play(run: Any, cable: Any, stack_on: Any) -> Callable[..., None]:
    """Runs a play between two stacks: ``play(main)`` calls ``main(scene, cable)``."""

    def start(main: Any) -> None:
        async def go() -> None:
            near, far = cable()
            async with stack_on(far, NARROW) as right, stack_on(near, NARROW) as left:
                accepted: asyncio.Queue[Streams] = asyncio.Queue()
                await start_server(lambda *streams: accepted.put_nowait(streams), port=80, stack=right)
                streams = await open_connection("10.0.0.2", 80, stack=left)
                await main(Scene(left, right, streams, await accepted.get()), cable)

        run(go())

    return start


def keep_cable(device: Device) -> int:
    """Another hold on the end of its cable: the other side does not notice when the device goes."""
    return os.dup(device.fileno())


def add_cable(scene: Scene, cable: Any, number: int, **wishes: bool) -> tuple[Device, Device]:
    """One more cable between the two."""
    near, far = cable(number=number)
    scene.right.add_device(far)
    scene.left.add_device(near, **wishes)
    return near, far


@pytest.mark.clause("R8684-3.2-01")
def test_device_comes(play: Any) -> None:
    """A connection that runs joins over a device that comes, and sends by both."""

    async def main(scene: Scene, cable: Any) -> None:
        await scene.move(HALF)
        assert list_ways(scene.near[1]) == [("0.1", "0.2")]
        near, _ = add_cable(scene, cable, 1)
        assert near in scene.left.devices and set(near.addresses) < set(scene.left.addresses)
        await wait_for(lambda: ("1.1", "0.2") in list_ways(scene.near[1]))
        await scene.finish()
        carried = [one.bytes_sent for one in scene.near[1].get_extra_info("mptcp").subflows]
        assert min(carried) > 0

    play(main)


@pytest.mark.clause("R8684-3.4.2-01")
@pytest.mark.clause("R8684-3.3.6-07")
def test_device_goes_and_comes_back(play: Any) -> None:
    """The first subflow's device goes in the middle: all goes by the other, and by both once it is back."""

    async def main(scene: Scene, cable: Any) -> None:
        (first,) = scene.left.devices
        end = keep_cable(first)
        await scene.move(FEW)
        add_cable(scene, cable, 1)
        await wait_for(lambda: len(list_ways(scene.near[1])) > 1)
        scene.near[1].write(OCTETS[FEW:HALF])  # more than the windows hold: they are on their way
        await wait_for(lambda: scene.near[1].get_extra_info("mptcp").bytes_sent > FEW)
        scene.left.remove_device(first)
        assert first.fileno() == -1 and first not in scene.left.devices
        assert not set(first.addresses) & set(scene.left.addresses)
        scene.came += await scene.far[0].readexactly(HALF - FEW)
        assert {way[0] for way in list_ways(scene.near[1])} == {"1.1"}
        assert {way[1] for way in list_ways(scene.far[1])} == {"1.1"}  # which was told

        scene.left.add_device(Device(end, first.name, first.addresses))
        await wait_for(lambda: "0.1" in {way[0] for way in list_ways(scene.near[1])})
        scene.sent = HALF
        await scene.finish()
        carried = {one.local[2]: one.bytes_sent for one in scene.near[1].get_extra_info("mptcp").subflows}
        assert carried[0] > 0 and carried[1] > 0

    play(main)


def test_spare_device(play: Any) -> None:
    """A device for backup carries nothing while there is another, and everything after that."""

    async def main(scene: Scene, cable: Any) -> None:
        (first,) = scene.left.devices
        await scene.move(FEW)
        add_cable(scene, cable, 1, is_backup=True)
        await wait_for(lambda: len(list_ways(scene.near[1])) > 1)
        await scene.move(HALF)
        spare = scene.near[1].get_extra_info("mptcp").subflows[-1]
        assert spare.is_backup and spare.local[2] == 1 and spare.bytes_sent == 0
        end = keep_cable(first)
        scene.left.remove_device(first)
        await scene.finish()
        os.close(end)
        assert {one.local[2] for one in scene.near[1].get_extra_info("mptcp").subflows} == {1}

    play(main)


@pytest.mark.clause("R8684-3.4.1-01")
def test_peers_are_told(play: Any) -> None:
    """Whoever was connected to is told of an address that comes, and joins it."""

    async def main(scene: Scene, cable: Any) -> None:
        await scene.move(FEW)
        _, far = cable(number=1)
        scene.right.add_device(far, is_signal=True)
        await wait_for(lambda: ("0.1", "1.2") in list_ways(scene.near[1]))
        await scene.finish()

    play(main)


def test_address_that_is_ours_already(play: Any) -> None:
    """EADDRINUSE, in a sentence; the device is left to who made it, and the stack is as before."""

    async def main(scene: Scene, cable: Any) -> None:
        near, far = cable()
        with pytest.raises(OSError, match=r"10\.0\.0\.1 is an address already") as caught:
            scene.left.add_device(near)
        assert caught.value.errno == errno.EADDRINUSE
        assert near not in scene.left.devices and near.fileno() >= 0
        near.close()
        far.close()
        await scene.finish()

    play(main)


@pytest.mark.parametrize("is_lost", [False, True])
def test_last_device_goes(play: Any, is_lost: bool) -> None:
    """Taken away or gone by itself: the connection ends with ENETDOWN; with another one all begins anew."""

    async def main(scene: Scene, cable: Any) -> None:
        (first,), (other,) = scene.left.devices, scene.right.devices
        await scene.move(FEW)
        scene.right.remove_device(other) if is_lost else scene.left.remove_device(first)
        with pytest.raises(OSError) as caught:
            await scene.near[0].read()
        assert caught.value.errno == errno.ENETDOWN
        with pytest.raises(OSError):
            await open_connection("10.0.1.2", 81, stack=scene.left)
        near, far = cable(number=1)
        scene.right.add_device(far)
        scene.left.add_device(near)
        async with await start_server(lambda reader, writer: writer.close(), port=81, stack=scene.right):
            reader, writer = await open_connection("10.0.1.2", 81, stack=scene.left)
            assert await reader.read() == b""
            assert writer.get_extra_info("sockname")[0] == "10.0.1.1"
            writer.close()

    play(main)
