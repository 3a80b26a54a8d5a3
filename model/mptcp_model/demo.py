"""The sub-command `mptcp demo`: a file over Multipath TCP, in a simulated network and to this kernel.

It leaves in its folder:

    sent                        the file, of octets by chance, the same each time
    simulated, .pcap, .png      what came, the packets, and the picture of the simulated network
    kernel, kernel-checksums    folders with what came, the packets and the outcome of the kernel's exchanges
    kernel.png                  their picture

Its parts are in mptcp_model.demonstration.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mptcp.parameters import SECOND
from mptcp_model.demonstration import kernel, pictures
from mptcp_model.demonstration.kernel import Exchange
from mptcp_model.demonstration.outcome import Outcome
from mptcp_model.demonstration.simulation import LINES_IN_WORDS, NAMES, Simulation, simulate
from mptcp_model.demonstration.telling import Telling
from mptcp_model.demonstration.transfer import write_source
from mptcp_model.plot import read_samples

OCTETS = 20_000_000


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
    simulation = show_simulation(telling, source, folder)
    left_out = "only the simulated network was asked for" if alone else kernel.find_obstacle()
    exchanges: list[Exchange] = []
    if left_out is None:
        exchanges = [show_exchange(telling, source, folder, checksum) for checksum in (False, True)]
        draw_exchanges(telling, exchanges, folder / "kernel.png")
    elif not alone:
        telling.head("To and from this machine's kernel")
        telling.say(f"Left out: {left_out}.")
    outcome = Outcome(folder, simulation.transfer, exchanges, left_out)
    raise typer.Exit(conclude(telling, outcome, time.monotonic() - began, as_json))


def conclude(telling: Telling, outcome: Outcome, seconds: float, as_json: bool) -> int:
    """The last words; the exit status."""
    faults = outcome.find_faults()
    telling.show_table(outcome.transfers)
    telling.show_witness(outcome.exchanges)
    telling.end(outcome.find_files(), faults, seconds)
    if as_json:
        print(json.dumps(outcome.summarize(seconds)))
    return 1 if faults else 0


def show_simulation(telling: Telling, source: Path, folder: Path) -> Simulation:
    """The simulated part, told as it goes."""
    telling.head(f"Two of our hosts in a simulated network: {LINES_IN_WORDS}")
    octets, began = source.stat().st_size, time.monotonic()
    with telling.bars(octets, "client → server") as watch:
        simulation = simulate(source, folder, watch)
    seconds = time.monotonic() - began
    telling.draw_ladder(simulation.packets)
    telling.say(
        f"{simulation.sent:,} packets from the client, {simulation.lost:,} of them lost; "
        f"{simulation.transfer.seconds:.2f} seconds there took {seconds:.1f} here."
    )
    begun, ended = (moment / SECOND for moment in simulation.outage)
    if begun:
        back = f"came back at {ended:.1f} s" if ended else "did not come back"
        telling.say(f"{NAMES[0]} died at {begun:.1f} s and {back}; the connection went on.")
    title = f"{octets / 1e6:g} MB over Multipath TCP: {LINES_IN_WORDS}"
    with telling.console.status("drawing"):
        samples = read_samples(simulation.packets)
        place = folder / "simulated.png"
        pictures.draw_simulation(samples, simulation.windows, NAMES, simulation.outage, place, title)
    return simulation


def show_exchange(telling: Telling, source: Path, folder: Path, checksum: bool) -> Exchange:
    """An exchange with the kernel, told as it goes."""
    telling.head(f"To and from this machine's kernel, over TUN, checksums {'on' if checksum else 'off'}")
    with telling.bars(source.stat().st_size, "kernel → us", "us → kernel") as watch:
        place = folder / ("kernel-checksums" if checksum else "kernel")
        exchange = kernel.exchange(source, place, checksum, watch)
    if checksum:
        telling.draw_ladder(exchange.select(1))
    for one in exchange.transfers:
        telling.say(f"{one.what}: {one.seconds:.2f} seconds, {one.megabits_per_second:.0f} Mbit/s")
    return exchange


def draw_exchanges(telling: Telling, exchanges: Sequence[Exchange], path: Path) -> None:
    """The picture of the exchanges that came to something."""
    path.unlink(missing_ok=True)
    some = [one for one in exchanges if one.transfers]
    if some:
        octets = some[0].transfers[0].sent.stat().st_size
        title = f"{octets / 1e6:g} MB over Multipath TCP, from and to the kernel by way of a TUN interface"
        with telling.console.status("drawing"):
            pictures.draw_exchanges(some, path, title)
