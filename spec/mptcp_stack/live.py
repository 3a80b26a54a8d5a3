"""What a person sees on a terminal while a conversation goes on: how far it is, a line for each subflow."""

import asyncio
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Final, Self, final

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from mptcp.connection.info import ConnectionInfo, SubflowInfo
from mptcp.values import Address, Port

LOOK: Final = 0.25  # seconds between two looks
COLUMNS: Final = ("state", "sent", "received", "Mbit/s", "srtt ms", "cwnd")


@final
class Rates:
    """How fast each subflow is, from one look to the next."""

    def __init__(self) -> None:
        self._before: dict[tuple[Address, Port, Address, Port], int] = {}
        self._then: float | None = None

    def look(self, subflows: Sequence[SubflowInfo], now: float) -> list[float]:
        """10**6 bits per second of each, both ways together, since the look before; ``now`` in seconds."""
        names = [(one.local, one.local_port, one.remote, one.remote_port) for one in subflows]
        counts = [one.bytes_sent + one.bytes_received for one in subflows]
        past = now - self._then if self._then is not None else 0.0
        before, self._before, self._then = self._before, dict(zip(names, counts, strict=True)), now
        if past <= 0:
            return [0.0] * len(counts)
        gains = [count - before.get(name, 0) for name, count in zip(names, counts, strict=True)]
        return [max(gain, 0) * 8 / 1e6 / past for gain in gains]


def draw_subflows(subflows: Sequence[SubflowInfo], rates: Sequence[float]) -> Table:
    """A line for each subflow: the two ends, state, octets, rate, round trip, congestion window."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("subflow", no_wrap=True)
    for name in COLUMNS:
        table.add_column(name, justify="left" if name == "state" else "right", no_wrap=True)
    for one, rate in zip(subflows, rates, strict=True):
        table.add_row(
            f"{ip_address(one.local)} - {ip_address(one.remote)}",
            describe_state(one),
            f"{one.bytes_sent:,}",
            f"{one.bytes_received:,}",
            f"{rate:.1f}",
            f"{one.srtt / 1_000:.1f}",
            f"{one.snd_cwnd:,}",
        )
    return table


def describe_state(subflow: SubflowInfo) -> str:
    """TCP's state, or that it is not part of the connection yet; and whether it is for backup."""
    state = subflow.state if subflow.joining == "established" else f"{subflow.state} (joining)"
    return f"{state}, backup" if subflow.is_backup else state


@final
class Board:
    """Two progress bars and the subflows on standard error if ``wanted``; nothing otherwise.

    The bars are what the peer has acknowledged and what came. ``look`` tells how the connection is; it is
    called on the event loop, never by another thread.
    """

    def __init__(self, wanted: bool, to_send: int | None, look: Callable[[], ConnectionInfo]) -> None:
        self._progress: Final = Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
        )
        self._sent: Final = self._progress.add_task("sent", total=to_send)
        self._received: Final = self._progress.add_task("received", total=None)
        self._look: Final = look
        self._rates: Final = Rates()
        self._live: Final = (
            Live(console=Console(stderr=True), auto_refresh=False, transient=True) if wanted else None
        )
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._live is not None:
            self._live.start()
            self._task = asyncio.create_task(self._watch(self._live))
        return self

    async def __aexit__(self, *what: object) -> None:
        if self._live is not None and self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._live.stop()

    async def _watch(self, live: Live) -> None:
        while True:
            info = self._look()
            self._progress.update(self._sent, completed=info.bytes_acked)
            self._progress.update(self._received, completed=info.bytes_received)
            rates = self._rates.look(info.subflows, time.monotonic())
            live.update(Group(self._progress, draw_subflows(info.subflows, rates)), refresh=True)
            await asyncio.sleep(LOOK)
