"""Two stacks in one process, on an event loop whose time jumps to whatever happens next."""

import asyncio
import selectors
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import pytest

from mptcp.choices import Choices
from mptcp_stack.device import Device
from mptcp_stack.stack import Stack


class Jumping(selectors.DefaultSelector):
    """Instead of waiting, moves ``now`` to the moment that was to be waited for."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise AssertionError("everyone waits and nothing can happen any more")
        self.now += timeout
        return []


class JumpingLoop(asyncio.SelectorEventLoop):
    """No test on it takes longer for the time that passes."""

    def __init__(self) -> None:
        self.jumping = Jumping()
        super().__init__(self.jumping)

    def time(self) -> float:
        return self.jumping.now


Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture
def run() -> Run:
    """Runs a coroutine to its end on a loop that jumps."""

    def run_on_jumping_loop(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=JumpingLoop) as runner:
            runner.run(main)

    return run_on_jumping_loop


def join_devices(buffer: int = 1 << 20, number: int = 0) -> tuple[Device, Device]:
    """Two devices that are each other's cable: 10.0.N.1 and fd00:N::1, .2 and ::2."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    left, right = (
        Device(
            end.detach(),
            name if not number else f"{name}{number}",
            (ip_address(f"10.0.{number}.{host}").packed, ip_address(f"fd00:{number:x}::{host}").packed),
        )
        for end, name, host in zip(ends, ("left", "right"), (1, 2), strict=True)
    )
    return left, right


def make_stack(device: Device, choices: Choices | None = None, **more: Any) -> Stack:
    """A stack on the running loop's time, without chance."""
    loop = asyncio.get_running_loop()
    seed = device.name.encode().ljust(32)
    return Stack(device, choices=choices, seed=seed, clock=lambda: int(loop.time() * 1_000_000), **more)


@dataclass
class Pair:
    """Two stacks, each other's neighbours."""

    left: Stack
    right: Stack


@asynccontextmanager
async def open_pair(choices: Choices | None = None, buffer: int = 1 << 20) -> AsyncIterator[Pair]:
    """Both of them, running."""
    left, right = join_devices(buffer)
    async with make_stack(right, choices) as server, make_stack(left, choices) as client:
        yield Pair(client, server)


@pytest.fixture
def pair() -> Callable[..., Any]:
    """How to make two stacks that are each other's neighbours, for ``async with``."""
    return open_pair


@pytest.fixture
def cable() -> Callable[..., tuple[Device, Device]]:
    """How to make two devices that are each other's ends."""
    return join_devices


@pytest.fixture
def stack_on() -> Callable[..., Stack]:
    """``stack_on(device)``: a stack on the running loop's time."""
    return make_stack
