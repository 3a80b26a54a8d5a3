"""Where one rung is climbed: a lab, a stack of ours in it, the wires between, and what is seen on the way."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, final

from mptcp.connection.info import ConnectionInfo
from mptcp.journal import Journal
from mptcp_stack.lab import Lab
from mptcp_stack.ladder.rung import CLIENT, Fell, Result, Rung
from mptcp_stack.peer import Peer
from mptcp_stack.peers import generate
from mptcp_stack.stack import Stack
from mptcp_stack.streams import open_connection, start_server
from mptcp_stack.wire import Wire

T = TypeVar("T")
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

SEED: Final = 2  # of what we send; the kernel's programs have another
CHUNK: Final = 1 << 18  # octets per read
MULTIPATH: Final = "MPTcpExt"  # the kernel's counters of MPTCP
POLL: Final = 0.02  # seconds between two looks at something that comes when it comes


def choose_address(family: int, number: int, host: int) -> str:
    """The address of path ``number``: host 1 is the kernel, 2 are we."""
    return f"10.77.{number}.{host}" if family == 4 else f"fd77:{number:x}::{host}"


def require(holds: bool, words: str) -> None:
    """Fall if it does not hold."""
    if not holds:
        raise Fell(words)


async def aside(function: Callable[[], T]) -> T:
    """Call what blocks on another thread, while packets go on."""
    return await asyncio.to_thread(function)


@final
class Ground:
    """Of one rung in one family and role. ``port`` is the server's, and new for each."""

    def __init__(
        self,
        rung: Rung,
        lab: Lab,
        stack: Stack,
        wires: tuple[Wire, ...],
        journal: Journal,
        family: int,
        role: str,
        port: int,
    ) -> None:
        self.rung: Final = rung
        self.lab: Final = lab
        self.stack: Final = stack
        self.wires: Final = wires
        self.journal: Final = journal
        self.family: Final = family
        self.role: Final = role
        self.port = port
        self.kernel: Final = choose_address(family, 0, 1)
        self.ours: Final = choose_address(family, 0, 2)
        self.anywhere = "0.0.0.0" if family == 4 else "::"  # where the kernel listens
        self.octets = 0
        self.resent = 0
        self.deviations: Final[list[str]] = []
        self.sha256: Final[list[str]] = []
        self.began = time.monotonic()
        self._peers: Final[list[Peer]] = []
        self._before: Final = lab.counters()

    # -- the kernel's side --------------------------------------------------------------------------

    def peer(self, action: str, *arguments: str, connect: bool | None = None) -> Peer:
        """Start a program of the kernel: it listens where we are the client, and connects to us otherwise."""
        connects = self.role != CLIENT if connect is None else connect
        verb, address = ("--connect", self.ours) if connects else ("--listen", self.anywhere)
        kind = () if self.stack.choices.multipath else ("--tcp",)
        patience = ("--timeout", str(self.rung.seconds))
        peer = self.lab.peer(action, verb, address, str(self.port), *kind, *patience, *arguments)
        self._peers.append(peer)
        return peer

    async def wait_report(self, peer: Peer, error: str | None = None) -> dict[str, Any]:
        """A program's report; falls if it met another ``error``."""
        report = await peer.report(self.rung.seconds)
        require(report["error"] == error, f"the kernel's program met {report['error'] or 'no error'}")
        self.octets += report["received"]
        return report

    def count(self, name: str) -> int:
        """By how much a counter of the kernel has risen."""
        return self.lab.counters().get(name, 0) - self._before.get(name, 0)

    def deviate(self, words: str) -> None:
        """The kernel was seen to do something that the RFC does not; said once."""
        if words not in self.deviations:
            self.deviations.append(words)

    # -- ours ---------------------------------------------------------------------------------------

    async def open(self, action: str, *arguments: str, choices: dict[str, Any] | None = None) -> "Talk":
        """A connection with a program of the kernel, opened from the side that the role says."""
        chosen = None if choices is None else self.vary(**choices)
        if self.role == CLIENT:
            peer = self.peer(action, *arguments)
            await peer.ready()
            streams = await open_connection(
                self.kernel, self.port, stack=self.stack, local_addr=(self.ours, 0), choices=chosen
            )
            return Talk(self, peer, streams)
        came: asyncio.Future[Streams] = asyncio.get_running_loop().create_future()
        server = await start_server(
            lambda *streams: came.set_result(streams),
            self.ours,
            self.port,
            stack=self.stack,
            choices=chosen,
            backlog=self.stack.choices.backlog,
        )
        try:
            peer = self.peer(action, *arguments)
            streams = await came
        finally:
            server.close()
        return Talk(self, peer, streams)

    def vary(self, **changes: Any) -> Any:
        """Our choices but for some."""
        fields = {name: getattr(self.stack.choices, name) for name in self.stack.choices.__match_args__}
        return type(self.stack.choices)(**{**fields, **changes})

    def declare(self, path: int, *, is_backup: bool = False, is_signal: bool = False, port: int = 0) -> None:
        """Say what our address on a path is for."""
        size = 4 if self.family == 4 else 16
        address = next(one for one in self.stack.devices[path].addresses if len(one) == size)
        now = self.stack.driver.now()
        self.stack.host.remove_address(address, now)
        self.stack.host.add_address(address, now, is_backup, is_signal, port)

    def next_port(self) -> None:
        """For one more connection."""
        self.port += 1

    def noted(self, words: str) -> bool:
        """Whether the journal has a rule, or a change of state, in these words."""
        return self.count_notes(words) > 0

    def count_notes(self, words: str) -> int:
        """How often it has."""
        return sum(words in (note.rule, note.detail) for note in self.journal.notes)

    async def wait_until(self, holds: Callable[[], bool], words: str) -> None:
        """Wait until something holds; how long, the rung's own patience says."""
        try:
            async with asyncio.timeout(self.rung.seconds / 2):
                while not holds():
                    await asyncio.sleep(POLL)
        except TimeoutError:
            raise Fell(words) from None

    def summarize(self, verdict: str, words: str = "") -> Result:
        """What came of it."""
        rung = self.rung
        now = self.lab.counters()
        risen = {name: count for name in now if (count := now[name] - self._before.get(name, 0)) > 0}
        told = {*rung.rises, *rung.stays, *(name for name in risen if name.startswith(MULTIPATH))}
        return Result(
            rung.name,
            self.family,
            self.role,
            verdict,
            self.octets,
            round(time.monotonic() - self.began, 3),
            self.resent,
            self.count("TcpRetransSegs"),
            words,
            {name: count for name, count in risen.items() if name in told},
            {rule: self.count_notes(rule) for rule in rung.notes},
            "; ".join(self.deviations),
            tuple(self.sha256),
        )

    def check_counters(self) -> None:
        """What the kernel has counted tells whether that which was to be tried has happened."""
        for name in self.rung.rises:
            require(self.count(name) > 0, f"the kernel has not counted {name}")
        for name in self.rung.stays:
            require(self.count(name) == 0, f"the kernel counted {self.count(name)} {name}")
        for rule in self.rung.notes:
            require(self.noted(rule), f"our journal has no {rule}")

    def close(self) -> None:
        """End the programs that have not ended."""
        for peer in self._peers:
            peer.kill()


@final
class Talk:
    """One connection between a program of the kernel and us."""

    def __init__(self, ground: Ground, peer: Peer, streams: Streams) -> None:
        self.ground: Final = ground
        self.peer: Final = peer
        self.reader: Final = streams[0]
        self.writer: Final = streams[1]
        self.sent: Final = hashlib.sha256()
        self.received: Final = hashlib.sha256()

    @property
    def info(self) -> ConnectionInfo:
        """How it stands, or stood last."""
        info: ConnectionInfo = self.writer.get_extra_info("mptcp")
        return info

    async def send(self, octets: int, end: bool = True) -> None:
        """Send so many octets, and the end of them."""
        for chunk in generate(octets, SEED):
            self.sent.update(chunk)
            self.writer.write(chunk)
            await self.writer.drain()
        if end:
            self.writer.write_eof()

    async def receive(self, limit: int | None = None, chunk: int = CHUNK, pause: float = 0) -> int:
        """Receive to the end, or so many octets; how many it were."""
        count = 0
        while limit is None or count < limit:
            octets = await self.reader.read(chunk if limit is None else min(chunk, limit - count))
            if not octets:
                break
            self.received.update(octets)
            self.ground.octets += len(octets)
            count += len(octets)
            if pause:
                await asyncio.sleep(pause)
        return count

    async def close(self) -> None:
        """Close, and wait until that is done as far as the application is concerned."""
        self.writer.close()
        await self.writer.wait_closed()

    async def check(self) -> None:
        """Wait for the kernel's report: both ways must have arrived as they left."""
        report = await self.ground.wait_report(self.peer)
        self.ground.resent += self.info.bytes_retrans
        wished = self.ground.stack.choices.multipath
        require(report["received_sha256"] == self.sent.hexdigest(), "what the kernel got is not what we sent")
        require(report["sent_sha256"] == self.received.hexdigest(), "what we got is not what the kernel sent")
        self.ground.sha256.extend((self.sent.hexdigest(), self.received.hexdigest()))
        require(
            report["mptcp"] == wished, "the kernel fell back to TCP" if wished else "the kernel spoke MPTCP"
        )
        require(self.info.multipath == wished, f"we fell back to TCP: {self.info.reason}")


async def together(*tasks: Awaitable[Any]) -> None:
    """All at once; the first that fails fails all."""
    async with asyncio.TaskGroup() as group:
        for task in tasks:
            group.create_task(_run(task))


async def _run(task: Awaitable[Any]) -> None:
    await task
