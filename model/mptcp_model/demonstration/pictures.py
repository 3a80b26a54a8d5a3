"""The picture of a run: time, sequence and congestion windows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mptcp.parameters import MILLISECOND
from mptcp.values import Micros
from mptcp_model.demonstration.transfer import Run
from mptcp_model.plot import MEBI, MICROS_PER_SECOND, RED, Sample, draw_samples, draw_windows, read_samples

DOTS_PER_INCH: Final = 100
BEFORE: Final = 300 * MILLISECOND  # of the close-up, before the path dies
AFTER: Final = 900 * MILLISECOND
SHADE: Final = "#f0e6e0"


def draw_run(run: Run, names: Sequence[str], path: Path, title: str) -> None:
    """The whole run, a colour for each path, with the congestion windows; and a moment of it close up."""
    samples, outage = read_samples(run.packets), run.outage
    figure = make_figure(11, 6, title)
    grid = figure.add_gridspec(2, 2, height_ratios=(2, 1), width_ratios=(3, 2))
    whole, close = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[:, 1])
    below = figure.add_subplot(grid[1, 0], sharex=whole)
    draw_samples(whole, samples, names)
    draw_windows(below, run.windows, names)
    near = choose_close_up(samples, outage[0])
    draw_samples(close, near, names)
    for axes in (whole, below, close):
        if outage[0]:
            stop = outage[1] or samples[-1].when
            end = min(stop, near[-1].when) if axes is close and near else stop
            axes.axvspan(outage[0] / MICROS_PER_SECOND, end / MICROS_PER_SECOND, color=SHADE, zorder=0)
    finish(whole, f"all of it; shaded: {names[0]} is dead" if outage[0] else "all of it", "")
    finish(below, "congestion windows", "seconds")
    finish(close, f"{names[0]} dies" if outage[0] else "the beginning", "seconds")
    if near:
        mark(whole, near)
    save(figure, path)


def choose_close_up(samples: Sequence[Sample], moment: Micros) -> list[Sample]:
    """What happened around ``moment``."""
    return [one for one in samples if moment - BEFORE <= one.when <= moment + AFTER]


def mark(axes: Axes, near: Sequence[Sample]) -> None:
    """A frame around what is shown close up."""
    ends = [one.start + one.length for one in near if one.length] or [0]
    left, low = near[0].when / MICROS_PER_SECOND, min(ends) / MEBI
    width = near[-1].when / MICROS_PER_SECOND - left
    frame = Rectangle((left, low), width, max(ends) / MEBI - low, fill=False, color=RED, zorder=5)
    axes.add_patch(frame)


def make_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure of that size in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    return figure


def finish(axes: Axes, title: str, below: str) -> None:
    """Title, axis and a quiet look."""
    axes.set_title(title, fontsize="medium", loc="left")
    axes.set_xlabel(below)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure: Figure, path: Path) -> None:
    """Write the PNG."""
    figure.savefig(path, dpi=DOTS_PER_INCH)
