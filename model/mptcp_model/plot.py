"""Pictures of a run: the time-sequence diagram of its data and the congestion window over time.

    plot_run(read_samples(capture.packets), windows, Path("run.png"))

The packets may come from the simulated network or, by ``read_pcap``, from any capture.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from mptcp.errors import Malformed
from mptcp.values import Micros
from mptcp.wire import ip, segment
from mptcp_model.scribe import End, Scribe, ends
from mptcp_model.simulated.capture import Packet

MICROS_PER_SECOND = 1e6
MEBI = 1 << 20


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


class Window(NamedTuple):
    """The congestion window and slow-start threshold, octets, at one moment (µs)."""

    when: Micros
    cwnd: int
    ssthresh: int


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
    """Draw the busier direction's segments and acknowledgments, and below it cwnd, into a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    forth = sum(one.length for one in samples if one.forth) >= sum(
        one.length for one in samples if not one.forth
    )
    texts = [one for one in samples if one.length and one.forth == forth]
    acks = [one for one in samples if one.ack is not None and one.forth != forth]
    figure = Figure(figsize=(10, 7), layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for again, colour, label in ((False, "#1f5fa8", "segment"), (True, "#c8321e", "sent again")):
        some = [one for one in texts if one.again == again]
        times = [one.when / MICROS_PER_SECOND for one in some]
        ends_of_text = [(one.start + one.length) / MEBI for one in some]
        upper.plot(times, ends_of_text, ".", markersize=3, color=colour, label=f"{label} ({len(some)})")
    ack_times = [one.when / MICROS_PER_SECOND for one in acks]
    upper.step(
        ack_times,
        [(one.ack or 0) / MEBI for one in acks],
        where="post",
        color="#3c8c3c",
        label="acknowledged",
    )
    upper.set(ylabel="MiB", title=title)
    upper.legend(loc="upper left", frameon=False)
    moments = [one.when / MICROS_PER_SECOND for one in windows]
    lower.step(moments, [one.cwnd / 1024 for one in windows], where="post", color="#1f5fa8", label="cwnd")
    known = [one for one in windows if one.ssthresh < 1 << 30]
    lower.step(
        [one.when / MICROS_PER_SECOND for one in known],
        [one.ssthresh / 1024 for one in known],
        where="post",
        color="#8c8c8c",
        linestyle=":",
        label="ssthresh",
    )
    lower.set(xlabel="s", ylabel="KiB")
    lower.legend(loc="upper left", frameon=False)
    figure.savefig(path, dpi=110)
