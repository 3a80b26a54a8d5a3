"""The sub-command `mptcp demo`: a file over Multipath TCP, in a simulated network and to this kernel.

It leaves in its folder:

    sent                              the file, of octets by chance, the same each time
    simulated, .pcap, .png            what came, the packets, and the picture of the simulated network
    kernel                            a folder with what came, the packets and the outcome of the exchange
    from-kernel.png, to-kernel.png    its pictures

Its parts are in mptcp_model.demonstration.
"""

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from mptcp_model.demonstration import kernel, pictures
from mptcp_model.demonstration.kernel import Exchange
from mptcp_model.demonstration.outcome import Outcome
from mptcp_model.demonstration.simulation import LINES_IN_WORDS, NAMES, simulate
from mptcp_model.demonstration.telling import Telling
from mptcp_model.demonstration.transfer import Run, write_source

OCTETS = 8_000_000


def demo(
    folder: Annotated[Path, typer.Option("--out", help="Where to leave files, packets and pictures.")] = Path(
        "build/demo"
    ),
    octets: Annotated[int, typer.Option("--octets", min=1, help="Octets of the file.")] = OCTETS,
    alone: Annotated[bool, typer.Option("--simulated", help="The simulated network alone.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The outcome as JSON on standard output, the rest on error.")
    ] = False,
) -> None:
    """Move a file over Multipath TCP, in a simulated network and to this kernel, and draw it.

    There are two paths, Wi-Fi and cellular. The better one dies on the way, and returns.

    The simulated network needs nothing. To and from the kernel, over TUN, needs root, /dev/net/tun and
    the kernel's MPTCP; where one of them is missing that part is left out, and said so.

    The exit status is 0 if every file that was received is the one that was sent.
    """
    began = time.monotonic()
    telling = Telling(to_stderr=as_json)
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "sent"
    write_source(source, octets)
    telling.begin(source)
    simulated = show_simulation(telling, source, folder)
    left_out = "only the simulated network was asked for" if alone else kernel.find_obstacle()
    exchange: Exchange | None = None
    if left_out is None:
        exchange = show_exchange(telling, source, folder)
    elif not alone:
        telling.head("From and to this machine's kernel")
        telling.say(f"Left out: {left_out}.")
    outcome = Outcome(folder, simulated.transfer, exchange, left_out)
    raise typer.Exit(conclude(telling, outcome, time.monotonic() - began, as_json))


def conclude(telling: Telling, outcome: Outcome, seconds: float, as_json: bool) -> int:
    """The last words; the exit status."""
    faults = outcome.find_faults()
    telling.show_table(outcome.transfers)
    if outcome.exchange is not None:
        telling.show_witness(outcome.exchange)
    telling.end(outcome.find_files(), faults, seconds)
    if as_json:
        print(json.dumps(outcome.summarize(seconds)))
    return 1 if faults else 0


def show_simulation(telling: Telling, source: Path, folder: Path) -> Run:
    """The simulated part, told as it goes."""
    telling.head(f"Two of our hosts in a simulated network: {LINES_IN_WORDS}")
    began = time.monotonic()
    with telling.bars(source.stat().st_size, "client → server") as watch:
        run = simulate(source, folder, watch)
    took = time.monotonic() - began
    telling.show_run(run, NAMES[0], f"; {run.transfer.seconds:.2f} seconds there took {took:.1f} here")
    draw(telling, run, folder / "simulated.png")
    return run


def show_exchange(telling: Telling, source: Path, folder: Path) -> Exchange:
    """The exchange with the kernel, told as it goes."""
    telling.head(f"From and to this machine's kernel, by two TUN interfaces: {LINES_IN_WORDS}")
    with telling.bars(source.stat().st_size, "kernel → us", "us → kernel") as watch:
        exchange = kernel.exchange(source, folder / "kernel", watch)
    for name in kernel.NAMES:
        (folder / f"{name}.png").unlink(missing_ok=True)
    for name, run in zip(kernel.NAMES, exchange.runs, strict=False):
        telling.say(f"\n{run.transfer.what}:")
        telling.show_run(run, NAMES[0])
        draw(telling, run, folder / f"{name}.png")
    return exchange


def draw(telling: Telling, run: Run, path: Path) -> None:
    """The picture of a run."""
    title = f"{run.transfer.octets / 1e6:g} MB over Multipath TCP, {run.transfer.what}: {LINES_IN_WORDS}"
    with telling.console.status("drawing"):
        pictures.draw_run(run, NAMES, path, title)
