"""What is seen of a connection while it goes on, and a path that dies under it and comes back."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, final

from mptcp.connection.info import ConnectionInfo, SubflowInfo
from mptcp.values import Address, Micros, Port
from mptcp_stack.wire import Wire

LOOK: Final = 0.005  # seconds between two looks
UNTIL: Final = 0.4  # of the octets come before the path dies

Window = tuple[Micros, int, int, int]
"""Time of day, number of the subflow in the order of their coming, cwnd and ssthresh in octets."""


def read_time() -> Micros:
    """The time of day, which is that of a pcap, too."""
    return time.time_ns() // 1_000


@final
class Watcher:
    """Every subflow that a connection ever had, as it was last seen, and the changes of their windows."""

    def __init__(self) -> None:
        self.windows: Final[list[Window]] = []
        self._subflows: Final[dict[tuple[Address, Port, Address, Port], SubflowInfo]] = {}

    def see(self, info: ConnectionInfo) -> None:
        """The connection is so now."""
        for one in info.subflows:
            name = (one.local, one.local_port, one.remote, one.remote_port)
            before = self._subflows.get(name)
            self._subflows[name] = one
            window = (one.snd_cwnd, one.snd_ssthresh)
            if before is None or window != (before.snd_cwnd, before.snd_ssthresh):
                self.windows.append((read_time(), list(self._subflows).index(name), *window))

    async def watch(self, look: Callable[[], ConnectionInfo]) -> None:
        """See it now and then, until cancelled."""
        while True:
            self.see(look())
            await asyncio.sleep(LOOK)

    @property
    def subflows(self) -> tuple[SubflowInfo, ...]:
        """In the order of their coming."""
        return tuple(self._subflows.values())


@final
class Outage:
    """A wire carries nothing for some seconds, once a part of ``octets`` has come.

    ``begun`` and ``ended`` are times of day; 0: not yet.
    """

    def __init__(self, wire: Wire, octets: int, seconds: float) -> None:
        self.begun: Micros = 0
        self.ended: Micros = 0
        self._wire: Final = wire
        self._enough: Final = int(octets * UNTIL)
        self._seconds: Final = seconds

    async def happen(self, count: Callable[[], int]) -> None:
        """Let it happen, where ``count`` tells the octets that have come. Cancelled, the wire is whole."""
        while count() < self._enough:
            await asyncio.sleep(LOOK)
        try:
            self.begun = read_time()
            await asyncio.to_thread(self._wire.change, is_up=False)
            await asyncio.sleep(self._seconds)
            self.ended = read_time()
        finally:
            self._wire.change(is_up=True)
