"""What must not get dearer: instructions that the processor executes, counted by callgrind, not clocked.

A count hardly depends on the machine and not at all on what else it does. Each job runs twice under
valgrind, once short and once long; the difference is of the job alone. Calls from Python are in it, as
they are for whoever calls. ``python tests/bench instructions --strict`` fails where a count is more than a
tenth above what it was when it was last noted here.
"""

import os
import re
import shutil
import subprocess
import sys
from collections import deque
from itertools import repeat

import bench_parse
from bench_simulated import Flow
from figures import Figure, Table, present

import mptcp
from mptcp.wire import ip, segment

NOTED = {
    "parse": 3_550,
    "build, the device sums": 2_870,
    "build, TCP checksum summed": 6_090,
    "a segment of TCP, both hosts": 28_200,
    "a segment of MPTCP, both hosts": 31_800,
}
SLACK = 1.1
SHORT, LONG = 1_000, 6_000  # times


def run(job: str, times: int) -> int:
    """Do the job so many times, or a few more; how often it was done."""
    made = bench_parse.make_segment()
    packet = segment.emit(made, 64, 1).octets()
    if job == "parse":
        consume(map(segment.parse, repeat(packet, times), map(ip.parse, repeat(packet)), repeat(True)))
    elif job == "build, the device sums":
        consume(map(segment.emit, repeat(made, times), repeat(64), repeat(1), repeat(1_400)))
    elif job == "build, TCP checksum summed":
        consume(map(segment.emit, repeat(made, times), repeat(64)))
    else:
        flow = Flow("MPTCP" in job, 0)
        before = flow.sent
        while flow.sent - before < times:
            flow.turn()
        return flow.sent - before
    return times


def consume(calls: "map[object]") -> None:
    """Call, and forget what comes."""
    deque(calls, maxlen=0)


def count(job: str) -> float:
    """Instructions of one."""
    found = []
    for times in (SHORT, LONG):
        program = subprocess.run(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
            + [sys.executable, __file__, "--run", job, str(times)],
            env={**os.environ, "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=True,
        )
        collected = re.search(r"Collected : (\d+)", program.stderr)
        assert collected is not None
        found.append((int(program.stdout), int(collected[1])))
    (few, less), (many, more) = found
    return (more - less) / (many - few)


def measure() -> Table:
    """Each job beside what it took when it was noted."""
    table = Table(f"Instructions, counted by callgrind, {mptcp.build()} build")
    if shutil.which("valgrind") is None:
        table.remarks.append("valgrind is not installed: nothing was counted")
    elif mptcp.build() != "compiled":
        table.remarks.append("only the compiled build is counted")
    else:
        for job, noted in NOTED.items():
            table.figures.append(
                Figure(job, count(job), "instructions", "when noted", noted, goal=noted * SLACK)
            )
    return table


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        print(run(sys.argv[2], int(sys.argv[3])))
    else:
        present(measure)
