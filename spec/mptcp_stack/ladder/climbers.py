"""Who sends the climbers up, watches them, and writes the table."""

import asyncio
import contextlib
import dataclasses
import json
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, Final, final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import mptcp
from mptcp_stack.ladder import climb
from mptcp_stack.ladder.rung import FELL, KERNEL, OK, SKIPPED, Result, Rung

PATIENCE: Final = 30.0  # seconds for a rung beside those of its cases
WIDE: Final = 180  # columns of a table that goes into a file
WIDTH: Final = 3  # rungs at once, where none wants to be alone
COLOURS: Final = {OK: "green", FELL: "bold red", SKIPPED: "yellow"}
TUN: Final = Path("/dev/net/tun")
MPTCP: Final = Path("/proc/sys/net/mptcp/enabled")

USUAL: Final = frozenset((
    "RcvWndShared", "SndWndShared", "RcvWndConflict", "RcvWndConflictUpdate", "OFOQueue", "OFOQueueTail",
    "OFOMerge", "DuplicateData", "WinProbe", "MPTCPRetrans", "NoDSSInWindow", "MPCapableSYNTX",
    "MPCapableSYNACKRX", "MPCapableSYNRX", "MPCapableACKRX",
))  # fmt: skip
"""Counters that rise in any transfer: the table leaves them out where there are others."""

Tell = Callable[[Result], None]


def find_obstacle() -> str:
    """Why no rung can be climbed on this machine; "" if they can."""
    if os.geteuid() != 0:
        return "the ladder needs root"
    if not TUN.exists():
        return f"this machine has no {TUN}"
    return "" if MPTCP.exists() else "this kernel has no MPTCP"


def choose(ladder: str, names: tuple[str, ...]) -> list[Rung]:
    """The rungs of a ladder ("all": of each), or those of them whose names begin so. Raises ValueError."""
    if ladder != "all" and ladder not in climb.LADDERS:
        raise ValueError(f"there is no ladder {ladder}: there are all, {', '.join(climb.LADDERS)}")
    rungs = [rung for name, rungs in climb.LADDERS.items() if ladder in ("all", name) for rung in rungs]
    for name in names:
        if not any(rung.name.startswith(name) for rung in rungs):
            raise ValueError(f"there is no rung {name}: --list names them")
    return [rung for rung in rungs if not names or rung.name.startswith(names)]


@final
class Climb:
    """All the rungs, some at once; ``tell`` hears each result as it comes."""

    def __init__(self, rungs: list[Rung], tell: Tell) -> None:
        self.results: Final[list[Result]] = []
        self._rungs: Final = rungs
        self._tell: Final = tell
        self._free: Final = asyncio.Semaphore(WIDTH)
        self._alone: Final = asyncio.Lock()

    async def run(self) -> list[Result]:
        """In the order of the table."""
        await asyncio.gather(*(self._climb(rung) for rung in self._rungs))
        order = {rung.name: number for number, rung in enumerate(self._rungs)}
        return sorted(self.results, key=lambda result: order[result.rung])

    async def _climb(self, rung: Rung) -> None:
        async with self._take(rung.alone):
            left = rung.cases()
            words = "its process ended too early"
            try:
                async with asyncio.timeout(len(left) * rung.seconds + PATIENCE):
                    async for result in run_rung(rung):
                        with contextlib.suppress(ValueError):
                            left.remove((result.family, result.role))
                        self._note(result)
            except TimeoutError:
                words = "its process did not end"
            except (OSError, ValueError) as error:
                words = str(error)
            for family, role in left:
                self._note(Result(rung.name, family, role, FELL, words=words))

    def _note(self, result: Result) -> None:
        self.results.append(result)
        self._tell(result)

    @contextlib.asynccontextmanager
    async def _take(self, alone: bool) -> AsyncIterator[None]:
        """A place among the climbers, or all of them."""
        taken = 0
        try:
            async with self._alone if alone else contextlib.nullcontext():
                for _ in range(WIDTH if alone else 1):
                    await self._free.acquire()
                    taken += 1
            yield
        finally:
            for _ in range(taken):
                self._free.release()


async def run_rung(rung: Rung) -> AsyncIterator[Result]:
    """Climb one rung in a process of its own; its results as they come."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", climb.__name__, rung.name),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},  # the packages we have
    )
    assert process.stdout is not None and process.stderr is not None
    complaining = asyncio.create_task(process.stderr.read())
    try:
        async for line in process.stdout:
            yield Result(**json.loads(line))
        complaint = (await complaining).decode(errors="replace").strip()
        if await process.wait():
            raise OSError(complaint.splitlines()[-1] if complaint else "its process failed")
    finally:
        if process.returncode is None:
            process.terminate()  # the lab is taken down on the way
            await process.wait()
        complaining.cancel()


# -- what people see ------------------------------------------------------------------------------------


def run(ladder: str, names: tuple[str, ...], as_json: bool) -> bool:
    """Climb, and print what came of it; whether nothing fell. Raises ValueError for a wrong name."""
    rungs = choose(ladder, names)
    obstacle = find_obstacle()
    began = time.monotonic()
    if obstacle:
        results = [skip(rung, family, role, obstacle) for rung in rungs for family, role in rung.cases()]
    else:
        results = asyncio.run(watch(rungs))
    seconds = time.monotonic() - began
    if as_json:
        print(json.dumps(summarize(results, seconds)))
    else:
        Console(width=None if sys.stdout.isatty() else WIDE).print(draw(results))
    Console(stderr=True, highlight=False).print(conclude(results, seconds))
    return all(result.verdict != FELL for result in results)


def skip(rung: Rung, family: int, role: str, words: str) -> Result:
    """A rung that cannot be climbed here."""
    return Result(rung.name, family, role, SKIPPED, words=words)


async def watch(rungs: list[Rung]) -> list[Result]:
    """Climb, with a bar for whoever watches, or with a line for each result."""
    console = Console(stderr=True, highlight=False)
    bar = Progress(
        TextColumn("{task.description:24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    task = bar.add_task("", total=sum(len(rung.cases()) for rung in rungs))

    def tell(result: Result) -> None:
        bar.update(task, advance=1, description=result.rung)
        if result.verdict != OK or not console.is_terminal:
            console.print(describe(result))

    with bar:
        return await Climb(rungs, tell).run()


def describe(result: Result) -> str:
    """One result in a line."""
    colour = COLOURS[result.verdict]
    words = f": {result.words}" if result.words else ""
    return (
        f"[{colour}]{result.verdict:4}[/] {result.rung} IPv{result.family} {result.role}, "
        f"{result.seconds:.1f} s{words}"
    )


def draw(results: list[Result]) -> Table:
    """The table."""
    table = Table(title=f"mptcp {mptcp.__version__} ({mptcp.build()}) and the kernel", title_justify="left")
    for heading, justify in (("rung", "left"), ("IP", "left"), ("we are", "left"), ("octets", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for heading in ("s", "Mbit/s", "again: ours, octets", "its, segments"):
        table.add_column(heading, justify="right")
    table.add_column("")
    table.add_column("the kernel counted; we noted; or why", overflow="fold")
    deviates = any(result.deviations for result in results)
    if deviates:
        table.add_column("where the kernel deviates", overflow="fold")
    before = ""
    for result in results:
        if before and before != result.rung.partition("-")[0]:
            table.add_section()
        before = result.rung.partition("-")[0]
        colour = COLOURS[result.verdict]
        table.add_row(
            result.rung,
            f"v{result.family}",
            "absent" if result.role == KERNEL else result.role,
            f"{result.octets:,}",
            f"{result.seconds:.2f}",
            f"{result.octets * 8 / 1_000_000 / result.seconds:.0f}" if result.seconds else "",
            str(result.ours or ""),
            str(result.kernels or ""),
            f"[{colour}]{result.verdict}[/]",
            result.words or "; ".join(filter(None, (spell(result.witness), spell(result.noted)))),
            *((escape(result.deviations),) if deviates else ()),
        )
    return table


def spell(witness: Mapping[str, int]) -> str:
    """Counters in a line, without the prefixes that all have."""
    names = {name.removeprefix("TcpExt").removeprefix("MPTcpExt"): count for name, count in witness.items()}
    telling = {name: count for name, count in names.items() if name not in USUAL}
    return ", ".join(f"{name} {count}" for name, count in (telling or names).items())


def conclude(results: list[Result], seconds: float) -> str:
    """The last line."""
    verdicts = Counter(result.verdict for result in results)
    words = [f"{verdicts[OK]} of {len(results)} ok"]
    if verdicts[FELL]:
        words.append(f"[bold red]{verdicts[FELL]} fell[/]")
    if verdicts[SKIPPED]:
        reasons = {result.words for result in results if result.verdict == SKIPPED}
        words.append(f"[yellow]{verdicts[SKIPPED]} skipped, so not tried ({'; '.join(sorted(reasons))})[/]")
    return f"{', '.join(words)}, in {seconds:.0f} s"


def summarize(results: list[Result], seconds: float) -> dict[str, Any]:
    """The same as JSON has it."""
    return {
        "build": mptcp.build(),
        "seconds": round(seconds, 1),
        "is_good": all(result.verdict != FELL for result in results),
        "results": [dataclasses.asdict(result) for result in results],
    }


def draw_list(ladder: str, names: tuple[str, ...]) -> Table:
    """The rungs, and what each is about."""
    table = Table(box=None, show_header=False)
    for rung in choose(ladder, names):
        table.add_row(rung.name, rung.about, f"{len(rung.cases())} cases")
    return table
