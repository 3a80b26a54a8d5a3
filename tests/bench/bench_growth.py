"""How cost grows with what there is: subflows, connections, losses, windows, gaps.

The loads of ``mptcp_model.loads``: two hosts in one process, bulk flows between them, no device. What is
clocked is the processor time that both hosts take for one segment with text, the acknowledgments included;
then the same loads, smaller, on the interpreted build, where the lines of the protocol that it takes are
counted, which no cache and no other process disturbs. A flat curve is linear cost. ``python
tests/bench/bench_growth.py`` prints the curves.
"""

import gc
import time
from typing import Any

from figures import Curve, Figure, Table, ask_interpreted, present

import mptcp
from mptcp_model.loads import Load, count_steps

SEGMENTS = 20_000  # of one burst; the fastest of BURSTS counts
BURSTS = 3
RARELY = (50_000, 20, 100)  # for gc.set_threshold: what a program with many connections may set
COUNTED = 300  # segments of the count

SMALL = {"chunk": 1_400, "window": 1 << 16}  # of many connections: each sends a segment in a round trip
LARGE = 1 << 26
LOADS: dict[str, dict[float, dict[str, Any]]] = {
    "subflows": {count: {"subflows": count} for count in (1, 2, 4, 8)},
    "connections that talk": {n: {"connections": n, **SMALL} for n in (1, 10, 100, 1_000, 10_000)},
    "connections that rest": {n: {"connections": n + 1, "resting": n} for n in (1, 10, 100, 1_000, 10_000)},
    "loss, %": {percent: {"loss": percent / 100} for percent in (0, 0.1, 0.5, 1, 2, 5)},
    "window, KB": {1 << power: {"window": 1 << power + 10} for power in range(6, 17, 2)},
    "gaps at once": {n: {"gaps": n, "window": LARGE} for n in (1, 10, 100, 1_000, 10_000)},
}
MOST = {
    "window, KB": 1 << 10,
    "connections that talk": 100,
    "connections that rest": 1_000,
    "gaps at once": 100,
}
"""Where counting lines ends, for it takes its time."""


def clock_opening(count: int, thresholds: tuple[int, int, int]) -> float:
    """µs to open one of so many connections, both hosts', the collector of cycles having ``thresholds``."""
    best, usual = float("inf"), gc.get_threshold()
    gc.set_threshold(*thresholds)
    for _ in range(BURSTS):
        start = time.process_time()
        load = Load(connections=count, resting=count)
        best = min(best, time.process_time() - start)
        del load
    gc.set_threshold(*usual)
    return best / count * 1e6


def clock_load(fields: dict[str, Any]) -> float:
    """µs of one segment."""
    load, best = Load(**fields), float("inf")
    load.warm_up()
    for _ in range(BURSTS):
        start = time.process_time()
        segments = load.run(SEGMENTS)
        best = min(best, (time.process_time() - start) / segments)
    return best * 1e6


def count_load(fields: dict[str, Any]) -> float:
    """Steps of one segment."""
    load = Load(**fields)
    load.warm_up()
    before = load.arrived
    return count_steps(lambda: load.run(COUNTED)) / (load.arrived - before)


def count_all() -> dict[str, list[tuple[float, float]]]:
    """The curves of the interpreted build."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for by, loads in LOADS.items():
        some = {x: fields for x, fields in loads.items() if x <= MOST.get(by, x)}
        curves[by] = [(x, count_load({**fields, **make_small(by, fields)})) for x, fields in some.items()]
    return curves


def make_small(by: str, fields: dict[str, Any]) -> dict[str, Any]:
    """What is different where lines are counted: no window of megabytes."""
    return {} if by == "window, KB" else {"window": min(fields.get("window", 1 << 18), 1 << 20)}


def measure() -> Table:
    """All curves."""
    table = Table("Growth: what both hosts do for one segment with text")
    counted = ask_interpreted(__file__) if mptcp.build() == "compiled" else count_all()
    for by, loads in LOADS.items():
        points = [(x, clock_load(fields)) for x, fields in loads.items()]
        table.curves.append(Curve(f"time of a segment, {mptcp.build()}", by, "µs", points))
        steps = [(x, y) for x, y in counted[by]]
        table.curves.append(Curve("steps of a segment", by, "lines", steps))
        (few, least), (many, most) = steps[0], steps[-1]
        name, other = f"a segment, {by}: {many:g}", f"with {few:g}"
        table.figures.append(Figure(name, most, "lines", other, least))
    for words, thresholds in (("", gc.get_threshold()), (", gc looks less often", RARELY)):
        points = [(n, clock_opening(n, thresholds)) for n in (10, 100, 1_000, 10_000)]
        name = f"time to open a connection, {mptcp.build()}{words}"
        table.curves.append(Curve(name, "connections", "µs", points))
    table.remarks.append(
        "Of many connections, a part of the time is the processor's, whose caches no longer hold them, and, "
        "where they are opened, that of Python's collector of cycles, which looks at all of them when their "
        "number has grown by a quarter, unless the program tells it to look less often."
    )
    return table


if __name__ == "__main__":
    present(measure, count_all)
