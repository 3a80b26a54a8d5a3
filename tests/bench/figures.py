"""The common form of a benchmark: figures of ours, each beside another's of the same run, and their ratio.

A benchmark is a program whose ``main`` calls ``present`` with what measures its ``Table``. It prints the
table; ``--json FILE`` writes it, too. A ratio above 1 always says that we are better: faster in what is
counted by the second, smaller in what is a cost.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import rich
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Drawn

COSTS = frozenset(("ns", "µs", "octets", "MB", "lines", "instructions"))  # units of which less is better
WIDTH = 118  # columns, where no terminal says otherwise


@dataclass(frozen=True)
class Figure:
    """One of our figures and, beside it, somebody else's in the same unit."""

    name: str
    ours: float
    unit: str
    other: str = ""
    theirs: float | None = None
    goal: float | None = None
    """What our figure should be at least, at most if it is a cost."""
    goal_ratio: float | None = None
    """What the ratio should be at least."""

    def ratio(self) -> float | None:
        """How many times as good as the other's."""
        if not self.theirs or not self.ours:
            return None
        return self.theirs / self.ours if self.unit in COSTS else self.ours / self.theirs

    def is_met(self) -> bool | None:
        """Whether it is what it should be; None if nobody says what."""
        ratio = self.ratio()
        if self.goal_ratio is not None:
            return None if ratio is None else ratio >= self.goal_ratio
        if self.goal is not None:
            return self.ours <= self.goal if self.unit in COSTS else self.ours >= self.goal
        return None

    def say_goal(self) -> str:
        """The same in a few signs."""
        if self.goal_ratio is not None:
            return f"ratio ≥ {self.goal_ratio:g}"
        if self.goal is not None:
            return f"{'≤' if self.unit in COSTS else '≥'} {say(self.goal)}"
        return ""


@dataclass(frozen=True)
class Curve:
    """How a cost grows: by what, in which unit, and the points."""

    name: str
    by: str
    unit: str
    points: list[tuple[float, float]]


@dataclass
class Table:
    """What one benchmark has to say: under which conditions, the figures, and what else there is to know."""

    title: str
    figures: list[Figure] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)


def say(number: float | None) -> str:
    """Three digits at least, thousands apart."""
    if number is None:
        return ""
    size = abs(number)
    return f"{number:,.0f}" if size >= 100 else f"{number:.1f}" if size >= 10 else f"{number:.2f}"


def draw(table: Table) -> None:
    """On the terminal."""
    console = rich.get_console() if sys.stdout.isatty() else Console(width=WIDTH)
    drawn = Drawn(title=table.title, box=SIMPLE_HEAD, title_justify="left")
    for head in ("", "ours", "unit", "beside", "theirs", "ratio", "should be", ""):
        drawn.add_column(head, justify="right" if head in ("ours", "theirs", "ratio") else "left")
    for one in table.figures:
        met = {None: "", True: "yes", False: "[red]no[/red]"}[one.is_met()]
        drawn.add_row(
            one.name,
            say(one.ours),
            one.unit,
            one.other,
            say(one.theirs),
            say(one.ratio()),
            one.say_goal(),
            met,
        )
    if table.figures:
        console.print(drawn)
    for curve in table.curves:
        points = "  ".join(f"{x:g}: {say(y)}" for x, y in curve.points)
        console.print(f"{curve.name}, {curve.unit} by {curve.by}: {points}", highlight=False)
    for remark in table.remarks:
        console.print(remark, highlight=False)


def pack(table: Table) -> dict[str, Any]:
    """As JSON has it, with the ratios."""
    packed = asdict(table)
    for one, figure in zip(packed["figures"], table.figures, strict=True):
        one.update(ratio=figure.ratio(), met=figure.is_met())
    return packed


def unpack(packed: dict[str, Any]) -> Table:
    """What ``pack`` made."""
    figures = [
        Figure(**{key: value for key, value in one.items() if key not in ("ratio", "met")})
        for one in packed["figures"]
    ]
    curves = [Curve(**{**one, "points": [(x, y) for x, y in one["points"]]}) for one in packed["curves"]]
    return Table(packed["title"], figures, packed["remarks"], curves)


class Rounds:
    """Rows that are measured in turns: of each, the turn whose ratio is the median of all is what counts."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.turns: dict[tuple[str, str], list[Figure]] = {}

    def add(self, name: str, ours: float, other: str, theirs: float, goal_ratio: float | None = None) -> None:
        """One turn of one row: what was measured soon after each other."""
        figure = Figure(name, ours, self.unit, other, theirs, goal_ratio=goal_ratio)
        self.turns.setdefault((name, other), []).append(figure)

    def find_middle(self) -> list[Figure]:
        """The rows, in the order of their first turn."""
        return [
            sorted(turns, key=lambda one: one.ratio() or 0)[len(turns) // 2] for turns in self.turns.values()
        ]


def ask_interpreted(file: str) -> Any:
    """What the benchmark ``file`` finds about us on the interpreted build, in a process of its own."""
    answer = subprocess.run(
        [sys.executable, file, "--only-us"],
        env={**os.environ, "MPTCP_PURE": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(answer.stdout)


def present(
    measure: Callable[[], Table], only_us: Callable[[], Any] | None = None, needs_root: bool = False
) -> None:
    """Be the benchmark: measure, print, and write JSON if asked to. ``only_us``: for ``ask_interpreted``."""
    parser = argparse.ArgumentParser(description="Print the figures of one benchmark.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write them to this file, too")
    if only_us is not None:
        parser.add_argument("--only-us", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if only_us is not None and options.only_us:
        print(json.dumps(only_us()))
        return
    if needs_root and os.geteuid() != 0:
        name = Path(sys.argv[0]).stem
        table = Table(name, remarks=[f"{name} needs root for network namespaces: not run"])
    else:
        table = measure()
    draw(table)
    if options.json is not None:
        write_json(options.json, pack(table))


def write_json(path: Path, value: Any) -> None:
    """For a person to read, too."""
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
