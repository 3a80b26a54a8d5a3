"""A wire with faults, seen from the lab that has it; ``mptcp_stack.forwarder`` carries the packets."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, final

from mptcp.values import Address
from mptcp_stack import forwarder
from mptcp_stack.device import Device
from mptcp_stack.forwarder import Line

ROOM: Final = 8 << 20  # octets of packets that wait in a socket before the forwarder has to
SO_SNDBUFFORCE: Final = 32
BOTH: Final = (0, 1)
POLL: Final = 0.01  # seconds between two looks at what waits


@final
class Wire:
    """A running forwarder between two descriptors, which it takes over; way 0 leads to the second.

    ``line`` is for both ways until changed. Raises OSError when the forwarder does not start.
    """

    def __init__(self, first: int, second: int, line: Line, seed: int = 1, back: Line | None = None) -> None:
        self._process: Final = subprocess.Popen(
            [sys.executable, "-I", forwarder.__file__, str(first), str(second), "--seed", str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=(first, second),
            encoding="utf-8",
        )
        self._turn: Final = threading.Lock()
        os.close(first)
        os.close(second)
        self.change(ways=(0,), **dataclasses.asdict(line))
        self.change(ways=(1,), **dataclasses.asdict(back or line))

    def change(self, ways: tuple[int, ...] = BOTH, **fields: Any) -> None:
        """Change what the wire is like, by fields of ``Line``: ``wire.change(loss=0.01)``."""
        self._ask({"ways": ways, "line": fields})

    def hold(self, ways: tuple[int, ...] = BOTH) -> None:
        """Let nothing out from now on; what comes in waits."""
        self._ask({"ways": ways, "hold": True})

    def release(self, ways: tuple[int, ...] = BOTH) -> None:
        """Let out what has waited, and carry on."""
        self._ask({"ways": ways, "hold": False})

    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """What became of the packets of either way so far: the names in ``forwarder.COUNTS``."""
        there, back = self._ask({"ways": ()})
        return there, back

    def wait_until(
        self, holds: Callable[[dict[str, int], dict[str, int]], bool], timeout: float = 30
    ) -> None:
        """Wait until the counts are as ``holds`` wants them. Raises TimeoutError."""
        end = time.monotonic() + timeout
        while not holds(*self.counts()):
            if time.monotonic() > end:
                raise TimeoutError(f"what was to pass on the wire did not, in {timeout:g} seconds")
            time.sleep(POLL)

    def _ask(self, order: Mapping[str, Any]) -> list[dict[str, int]]:
        assert self._process.stdin is not None and self._process.stdout is not None
        with self._turn:
            try:
                self._process.stdin.write(json.dumps(order) + "\n")
                self._process.stdin.flush()
                answer: list[dict[str, int]] = json.loads(self._process.stdout.readline())
            except (OSError, ValueError) as error:
                raise OSError("the wire has been cut: its forwarder is no more") from error
        return answer

    def close(self) -> None:
        """End the forwarder; both ends of the wire are gone. Closing twice is no harm."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.kill()
        self._process.wait()


def make_ends() -> tuple[int, int]:
    """Two descriptors: a packet that is written to one can be read from the other."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, ROOM)
    return ends[0].detach(), ends[1].detach()


def make_device(name: str, addresses: tuple[Address, ...], mtu: int) -> tuple[Device, int]:
    """A device for a stack, and the descriptor of its far end."""
    ours, theirs = make_ends()
    return Device(ours, name, addresses, mtu), theirs
