"""The page of figures: ``python tests/bench/page.py FILE`` makes it from what ``make bench`` wrote to FILE.

It writes docs/figures.rst, and docs/growth.png from the curves.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from figures import Curve, Table, say, unpack

DOCS = Path(__file__).resolve().parents[2] / "docs"
SIGNS = {None: "", True: "yes", False: "**no**"}
HEAD = """
Figures
=======

What ``make bench ARGS="--json FILE"`` measured, and ``python tests/bench/page.py FILE`` wrote down: nothing
here is written by hand. A ratio above 1 says that we are better, in what is counted by the second and in what
is a cost alike. Both columns of a row come from the same run; elsewhere the ratios are what to compare.
""".strip()
COLOURS = ("#1f5fa8", "#d98a1f", "#7b4ea3")


def make_table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """A list-table; the first row is its head."""
    yield from ("", ".. list-table::", "   :header-rows: 1", "")
    for row in rows:
        for place, cell in enumerate(row):
            yield f"   {'* -' if place == 0 else '  -'} {cell}".rstrip()


def make_section(table: Table) -> Iterator[str]:
    """One benchmark."""
    yield from ("", table.title, "-" * len(table.title))
    if table.figures:
        rows = [("", "ours", "unit", "beside", "theirs", "ratio", "should be", "is")]
        for one in table.figures:
            numbers = (say(one.ours), one.unit, one.other, say(one.theirs), say(one.ratio()))
            rows.append((one.name, *numbers, one.say_goal(), SIGNS[one.is_met()]))
        yield from make_table(rows)
    if table.curves:
        yield from (
            "",
            ".. image:: growth.png",
            "   :alt: how cost grows, one panel for each cause",
        )
    for remark in table.remarks:
        yield from ("", remark)


def make_page(run: dict[str, Any]) -> str:
    """The whole page."""
    lines = [HEAD, *make_table([("The machine", ""), *run["machine"].items()])]
    for packed in run["tables"].values():
        lines += make_section(unpack(packed))
    return "\n".join(lines) + "\n"


def plot(curves: list[Curve], path: Path) -> None:
    """A panel for each thing that grows: what it costs, in time and in steps, beside its first point."""
    from matplotlib.figure import Figure

    panels = list(dict.fromkeys(curve.by for curve in curves))
    columns = 3
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4 * columns, 3 * rows), layout="constrained")
    for place, by in enumerate(panels):
        axes = figure.add_subplot(rows, columns, place + 1)
        for colour, curve in zip(COLOURS, [one for one in curves if one.by == by], strict=False):
            first = curve.points[0][1]
            xs, ys = [x for x, _ in curve.points], [y / first for _, y in curve.points]
            label = f"{curve.name}: 1 is {say(first)} {curve.unit}"
            axes.plot(xs, ys, "o-", color=colour, label=label, markersize=4)
        axes.set_xscale("symlog", linthresh=min((x for x in xs if x), default=1))
        axes.set_ylim(0, max(4.0, *(y for line in axes.get_lines() for y in line.get_ydata())) * 1.05)
        axes.set_xlabel(by)
        axes.legend(fontsize=6, frameon=False)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def main() -> None:
    """Write both."""
    if len(sys.argv) != 2:
        sys.exit("usage: page.py FILE, as make bench wrote it")
    run = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    (DOCS / "figures.rst").write_text(make_page(run), encoding="utf-8")
    curves = [curve for packed in run["tables"].values() for curve in unpack(packed).curves]
    if curves:
        plot(curves, DOCS / "growth.png")


if __name__ == "__main__":
    main()
