"""What a person reads on the terminal while the file moves, and at the end."""

import platform
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

import mptcp
from mptcp.parameters import SECOND
from mptcp_model import ladder
from mptcp_model.demonstration.kernel import PREFIX, Exchange, spell_counters
from mptcp_model.demonstration.transfer import Run, Share, Transfer, compute_sha256, read_ends
from mptcp_model.simulated.capture import Packet

OPENING: Final = 5  # packets of the ladder
JOINING: Final = 4  # of each further subflow
CLOSING: Final = 7
MARGIN: Final = 20  # columns of a ladder beside its rungs
NARROW, WIDE = 60, 110  # columns between its ends, at least and at most
WITNESSES: Final = tuple(f"{PREFIX}{word}" for word in ("MPCapable", "MPJoin", "Subflow"))
"""Counters that are not zero when MPTCP was spoken over several paths…"""
MUTE: Final = ("Fallback", "InfiniteMap", "DataCsumErr", "MPFail", "MPRst")  # and those that are


class Telling:
    """Writes for people: to standard output, or to standard error where that is for a program."""

    def __init__(self, to_stderr: bool) -> None:
        self.console: Final = Console(stderr=to_stderr, highlight=False)

    def begin(self, source: Path) -> None:
        """Which build runs, and what is to be moved."""
        build = f"{mptcp.build()} build, {platform.python_implementation()} {platform.python_version()}"
        self.console.print(f"[bold]Multipath TCP (RFC 8684)[/], {build}")
        if mptcp.build() == "interpreted":
            self.say("The interpreted build takes its time; the compiled one is several times faster.")
        octets, total = source.stat().st_size, compute_sha256(source)
        self.say(f"The file {source} has {octets:,} octets and the SHA-256 {total[:16]}…")

    def head(self, words: str) -> None:
        """What comes next."""
        self.console.print(f"\n[bold]{escape(words)}[/]", soft_wrap=True)

    def say(self, sentence: str) -> None:
        """A plain sentence."""
        self.console.print(escape(sentence), soft_wrap=True)

    @contextmanager
    def bars(self, total: int, *names: str) -> Iterator[Callable[..., None]]:
        """A progress bar for each name, while a person watches; call it with the octets that each has."""
        columns = (
            TextColumn("{task.description:16}"),
            BarColumn(),
            DownloadColumn(),
            TimeElapsedColumn(),
        )
        watched = self.console.is_terminal
        with Progress(*columns, console=self.console, transient=True, disable=not watched) as progress:
            tasks = [progress.add_task(name, total=total) for name in names]

            def update(*octets: int) -> None:
                for task, number in zip(tasks, octets, strict=True):
                    progress.update(task, completed=number)

            yield update

    def draw_ladder(self, run: Run, name: str) -> None:
        """How each subflow of a run begins, what happens to the path ``name``, and the end."""
        happened = [(run.outage[0], f"{name} dies"), (run.outage[1], f"{name} is back")]
        notes = [ladder.Note(when, words) for when, words in happened if when]
        rungs: list[Packet | ladder.Note] = [*run.packets, *notes]
        rungs.sort(key=lambda one: one.when)
        width = min(max(self.console.width - MARGIN, NARROW), WIDE)
        for line in ladder.draw(rungs, width, choose_rungs(rungs)).splitlines():
            self.console.print(Text(line, style="dim"), soft_wrap=True)

    def show_run(self, run: Run, name: str, how_long: str = "") -> None:
        """What was seen of one run, where ``name`` is the better path."""
        self.draw_ladder(run, name)
        self.say(f"{run.sent:,} packets on the way with the file, {run.lost:,} of them lost{how_long}.")
        begun, ended = (moment / SECOND for moment in run.outage)
        if begun:
            back = f"came back at {ended:.1f} s" if ended else "did not come back"
            self.say(f"{name} died at {begun:.1f} s and {back}; the connection went on.")

    def show_table(self, transfers: Sequence[Transfer]) -> None:
        """Every transfer in a line."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("file by", no_wrap=True)
        for name in ("octets", "s", "Mbit/s"):
            table.add_column(name, justify="right", no_wrap=True)
        for name in ("SHA-256", "MPTCP", "who carried what"):
            table.add_column(name, no_wrap=True)
        for one in transfers:
            table.add_row(
                one.what,
                f"{one.octets:,}",
                f"{one.seconds:.2f}",
                f"{one.megabits_per_second:.1f}",
                mark(one.is_equal(), "equal", "NOT EQUAL"),
                mark(one.multipath, "", "FELL BACK"),
                spell_shares(one.shares),
            )
        self.console.print()
        self.console.print(table)

    def show_witness(self, exchange: Exchange) -> None:
        """What the kernel counted: that MPTCP was spoken, and nothing of fallback or broken data."""
        if exchange.counters is None:
            return
        counters = exchange.counters
        seen = {name: count for name, count in counters.items() if count and name.startswith(WITNESSES)}
        self.say("\nThe kernel's counters (MPTcpExt…):")
        self.say(f"  {spell_counters(seen)}")
        mute = {name: count for name, count in counters.items() if any(word in name for word in MUTE)}
        for name in [name for name, count in mute.items() if count]:
            self.say(f"  {spell_counters({name: mute.pop(name)})}")
        zeros = ", ".join(name.removeprefix(PREFIX) for name in mute)
        self.console.print(Padding(f"[dim]0: {escape(zeros)}[/]", (0, 0, 0, 2)))

    def end(self, files: Sequence[Path], faults: Sequence[str], seconds: float) -> None:
        """Where everything lies, and whether all was well."""
        self.console.print("\nWritten: " + escape(", ".join(str(path) for path in files)), soft_wrap=True)
        for fault in faults:
            self.console.print(f"[bold red]✗[/] {escape(fault)}", soft_wrap=True)
        if not faults:
            self.console.print("[bold green]✓[/] What was received is what was sent, all over MPTCP.")
        self.console.print(f"{seconds:.1f} seconds in all.")


def choose_rungs(rungs: Sequence[Packet | ladder.Note]) -> set[int]:
    """The numbers of those that are shown: the notes, each subflow's first packets, and the last ones."""
    chosen = set(range(len(rungs) - CLOSING, len(rungs)))
    seen: Counter[frozenset[bytes]] = Counter()
    for number, one in enumerate(rungs):
        if isinstance(one, ladder.Note):
            chosen.add(number)
            continue
        ends = read_ends(one.octets)
        seen[ends] += 1
        if seen[ends] <= (OPENING if len(seen) == 1 else JOINING):
            chosen.add(number)
    return chosen


def spell_shares(shares: Sequence[Share]) -> str:
    """The paths, their octets and parts of the whole, which is what came on all of them."""
    total = sum(share.octets for share in shares)
    return "\n".join(
        f"{share.path} {share.octets:,}, {100 * share.octets / total:.0f} %" for share in shares if total
    )


def mark(fact: bool, good: str, bad: str) -> str:
    """A tick or a cross and the word that goes with it, in colour."""
    return f"[green]✓[/] {good}".rstrip() if fact else f"[bold red]✗ {bad}[/]"
