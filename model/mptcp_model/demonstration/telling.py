"""What a person reads on the terminal while the file moves, and at the end."""

import platform
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
from mptcp_model import ladder
from mptcp_model.demonstration.kernel import PREFIX, Exchange, spell_counters
from mptcp_model.demonstration.transfer import Share, Transfer, compute_sha256
from mptcp_model.simulated.capture import Packet

OPENING: Final = 5  # packets of the ladder
CLOSING: Final = 7
MARGIN: Final = 20  # columns of a ladder beside its rungs
NARROW, WIDE = 60, 110  # columns between its ends, at least and at most
WITNESS: Final = "MPCapable"  # counters that are not zero when MPTCP was spoken
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

    def draw_ladder(self, packets: Sequence[Packet]) -> None:
        """The beginning and the end of one connection's packets."""
        origin = packets[0].when if packets else 0
        rungs: list[Packet | ladder.Note] = [Packet(one.when - origin, one.octets) for one in packets]
        left_out = len(rungs) - OPENING - CLOSING
        if left_out > 0:
            note = ladder.Note(rungs[OPENING - 1].when, f"… {left_out:,} packets more …")
            rungs = [*rungs[:OPENING], note, *rungs[-CLOSING:]]
        width = min(max(self.console.width - MARGIN, NARROW), WIDE)
        for line in ladder.draw(rungs, width).splitlines():
            self.console.print(Text(line, style="dim"), soft_wrap=True)

    def show_table(self, transfers: Sequence[Transfer]) -> None:
        """Every transfer in a line."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("file over")
        for name in ("octets", "seconds", "Mbit/s"):
            table.add_column(name, justify="right")
        for name in ("SHA-256", "MPTCP", "checksums", "who carried what"):
            table.add_column(name)
        for one in transfers:
            table.add_row(
                one.what,
                f"{one.octets:,}",
                f"{one.seconds:.2f}",
                f"{one.megabits_per_second:.1f}",
                mark(one.is_equal(), "equal", "NOT EQUAL"),
                mark(one.multipath, "to the end", "FELL BACK"),
                mark(one.checksum == one.wanted, "on" if one.checksum else "off", "NOT AS ASKED"),
                spell_shares(one.shares),
            )
        self.console.print()
        self.console.print(table)

    def show_witness(self, exchanges: Sequence[Exchange]) -> None:
        """What the kernel counted: that MPTCP was spoken, and nothing of fallback or broken data."""
        for one in exchanges:
            if one.counters is None:
                continue
            seen = {name: count for name, count in one.counters.items() if WITNESS in name and count}
            self.say(f"\nThe kernel's counters, checksums {one.switch} (MPTcpExt…):")
            self.say(f"  {spell_counters(seen)}")
            mute = {name: count for name, count in one.counters.items() if any(word in name for word in MUTE)}
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


def spell_shares(shares: Sequence[Share]) -> str:
    """The paths and their parts of the whole, which is what came on all of them."""
    total = sum(share.octets for share in shares)
    return ", ".join(f"{share.path} {100 * share.octets / total:.0f} %" for share in shares if total)


def mark(fact: bool, good: str, bad: str) -> str:
    """A tick or a cross and the word that goes with it, in colour."""
    return f"[green]✓[/] {good}" if fact else f"[bold red]✗ {bad}[/]"
