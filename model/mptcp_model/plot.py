"""Pictures of a run: the time-sequence diagram of its data and the congestion window over time.

    capture, windows = network.tap("client"), network.watch("client")
    network.run()
    plot_run(read_samples(capture.packets), windows, Path("run.png"))

The packets may come from the simulated network or, by ``read_pcap``, from any capture.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from mptcp.errors import Malformed
from mptcp.values import Micros
from mptcp.wire import ip, segment
from mptcp_model.decoding.records import End
from mptcp_model.scribe import Scribe, ends
from mptcp_model.simulated.capture import Packet
from mptcp_model.simulated.network import Window

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MICROS_PER_SECOND: Final = 1_000_000
MEBI: Final = 1 << 20
KIBI: Final = 1 << 10
UNLIMITED: Final = 1 << 30  # octets; a slow-start threshold above this is none
BLUE, RED, GREEN, GREY, ORANGE = "#1f5fa8", "#c8321e", "#3c8c3c", "#8c8c8c", "#d98a1f"
ALL_FLOWS: Final = -1
COLOURS: Final = (BLUE, ORANGE, "#7b4ea3", "#2f8f8f")  # of flows that have names


class Sample(NamedTuple):
    """One segment: octets ``start`` … ``start + length`` and what it acknowledges.

    Counted in data sequence offsets where the segment carries or belongs to a mapping, in subflow
    offsets otherwise. ``forth`` is the direction of the first segment seen; ``again`` says that
    these octets were sent before on the same flow.
    """

    when: Micros
    flow: int
    forth: bool
    start: int
    length: int
    ack: int | None
    again: bool


def read_samples(packets: Iterable[Packet]) -> list[Sample]:
    """The TCP segments among ``packets``, counted from 0; what cannot be parsed is left out."""
    scribe, samples = Scribe(), list[Sample]()
    flows: dict[tuple[End, End], int] = {}
    highest: dict[tuple[End, End], int] = {}
    for when, octets in packets:
        try:
            datagram = ip.parse(octets)
            if datagram.protocol != ip.TCP:
                continue
            one = segment.parse(octets, datagram, True)
        except Malformed:
            continue
        numbers = scribe.read(one)
        way, back = ends(one)
        forth = (back, way) not in flows
        flow = flows.setdefault((way, back) if forth else (back, way), len(flows))
        again = one.text_length > 0 and numbers.sequence < highest.get((way, back), 0)
        highest[way, back] = max(highest.get((way, back), 0), numbers.sequence + one.text_length)
        start = numbers.sequence if numbers.data is None else numbers.data
        ack = numbers.acknowledgment if numbers.data_ack is None else numbers.data_ack
        samples.append(Sample(when, flow, forth, start, one.text_length, ack, again))
    return samples


def plot_run(
    samples: Sequence[Sample], windows: Sequence[Window], path: Path, title: str = "time and sequence"
) -> None:
    """Draw the busier direction's segments and acknowledgments into a PNG, and cwnd below if known."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    FigureCanvasAgg(figure)
    if windows:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        draw_windows(lower, windows)
    else:
        upper = lower = figure.subplots()
    draw_samples(upper, samples)
    upper.set_title(title)
    lower.set_xlabel("s")
    figure.savefig(path, dpi=110)


def draw_samples(axes: "Axes", samples: Sequence[Sample], names: Sequence[str] = ()) -> None:
    """A dot where each segment ends, red if it was sent before; a step where each is acknowledged.

    With ``names`` of the flows each has its own colour.
    """
    forth = sum(one.length for one in samples if one.forth)
    back = sum(one.length for one in samples if not one.forth)
    texts = [one for one in samples if one.length and one.forth == (forth >= back)]
    acks = [one for one in samples if one.ack is not None and one.forth != (forth >= back)]
    kinds = [(flow, False, COLOURS[flow % len(COLOURS)], name) for flow, name in enumerate(names)]
    kinds = kinds or [(ALL_FLOWS, False, BLUE, "segment")]
    for flow, again, colour, label in [*kinds, (ALL_FLOWS, True, RED, "sent again")]:
        some = [one for one in texts if one.again == again and flow in (ALL_FLOWS, one.flow)]
        times = [one.when / MICROS_PER_SECOND for one in some]
        stops = [(one.start + one.length) / MEBI for one in some]
        above = 3 - 0.1 * flow if flow != ALL_FLOWS else 4.0
        axes.plot(times, stops, ".", ms=3, color=colour, label=f"{label} ({len(some)})", zorder=above)
    times = [one.when / MICROS_PER_SECOND for one in acks]
    heights = list(accumulate(((one.ack or 0) / MEBI for one in acks), max))
    axes.step(times, heights, where="post", color=GREEN, label="acknowledged")
    axes.set_ylabel("MiB")
    axes.legend(loc="upper left", frameon=False)


def draw_windows(axes: "Axes", windows: Sequence[Window], names: Sequence[str] = ()) -> None:
    """cwnd, and ssthresh once there is one, as steps; with ``names``, cwnd of each subflow."""
    if names:
        for subflow, name in enumerate(names):
            own = [one for one in windows if one.subflow == subflow]
            times = [one.when / MICROS_PER_SECOND for one in own]
            heights = [one.cwnd / KIBI for one in own]
            axes.step(times, heights, where="post", color=COLOURS[subflow % len(COLOURS)], label=name)
        axes.set_ylabel("KiB")
        axes.legend(loc="upper right", frameon=False)
        return
    known = [one for one in windows if one.ssthresh < UNLIMITED]
    for some, field, colour, style in ((windows, 3, BLUE, "-"), (known, 4, GREY, ":")):
        times = [one.when / MICROS_PER_SECOND for one in some]
        heights = [one[field] / KIBI for one in some]
        label = Window._fields[field]
        axes.step(times, heights, where="post", color=colour, linestyle=style, label=label)
    axes.set_ylabel("KiB")
    axes.legend(loc="upper left", frameon=False)
