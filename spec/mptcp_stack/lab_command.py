"""The sub-command `mptcp lab`."""

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Final

import typer

from mptcp_stack import exchange
from mptcp_stack.forwarder import Line
from mptcp_stack.lab import Lab
from mptcp_stack.report import say

USAGE: Final = 2  # exit status: the command line is wrong
INTERRUPTED: Final = 130  # exit status: 128 + SIGINT
MOST_PATHS: Final = 8

RATES: Final = {"": 1, "bit": 1, "kbit": 1_000, "mbit": 1_000_000, "gbit": 1_000_000_000}  # bit/s
TIMES: Final = {"us": 1, "": 1_000, "ms": 1_000, "s": 1_000_000}  # µs
PARTS: Final = {"": 1.0, "%": 0.01}
COUNTED: Final = {"mtu": "octets", "queue": "packets"}
NUMBER: Final = re.compile(r"(\d+(?:\.\d*)?) *([a-z%]*)", re.IGNORECASE)

EACH: Final = "Again for the next path; the last one holds for those that follow."


def read_number(text: str, units: Mapping[str, float], what: str) -> float:
    """A number with its unit, "25mbit". Raises ValueError."""
    match = NUMBER.fullmatch(text.strip())
    if match is None or match[2].lower() not in units:
        known = ", ".join(unit for unit in units if unit)
        raise ValueError(f"{text} is not a {what}" + (f": a number and one of {known}" if known else ""))
    return float(match[1]) * units[match[2].lower()]


def read_lines(paths: int, **words: list[str] | None) -> list[Line]:
    """What each path is like, from the options. Raises ValueError."""
    lines = []
    for number in range(paths):
        chosen = {name: texts[min(number, len(texts) - 1)] for name, texts in words.items() if texts}
        fields: dict[str, float] = {}
        for name, text in chosen.items():
            if name == "rate":
                fields[name] = int(read_number(text, RATES, "rate"))
            elif name in ("mtu", "queue"):
                fields[name] = int(read_number(text, {"": 1}, f"number of {COUNTED[name]}"))
            elif name in ("delay", "jitter"):
                fields[name] = int(read_number(text, TIMES, "time"))
            else:
                fields[name] = read_number(text, PARTS, "part")
                if fields[name] > 1:
                    raise ValueError(f"{text} is more than all: say {text}%")
        lines.append(Line(**fields))  # type: ignore[arg-type]
    return lines


def lab(
    command: Annotated[
        list[str] | None,
        typer.Argument(help="What to run inside; a shell if nothing.", show_default=False),
    ] = None,
    ladder: Annotated[
        bool,
        typer.Option(
            "--ladder", help="Instead: try the stack against this kernel, rung by rung; tcp, mptcp or all."
        ),
    ] = False,
    rung: Annotated[
        list[str] | None, typer.Option("--rung", help="Only the rungs whose names begin so; again for more.")
    ] = None,
    list_them: Annotated[bool, typer.Option("--list", help="Only name the rungs of --ladder.")] = False,
    paths: Annotated[
        int,
        typer.Option(
            "--paths",
            min=0,
            max=MOST_PATHS,
            help="So many paths: to a second namespace, with the kernel there, or those of --exchange.",
        ),
    ] = 0,
    rate: Annotated[list[str] | None, typer.Option("--rate", help=f"Of a path, as 25mbit. {EACH}")] = None,
    delay: Annotated[list[str] | None, typer.Option("--delay", help="One way, as 25ms.")] = None,
    jitter: Annotated[list[str] | None, typer.Option("--jitter", help="Up to so much more, as 2ms.")] = None,
    loss: Annotated[list[str] | None, typer.Option("--loss", help="As 1%.")] = None,
    reorder: Annotated[
        list[str] | None, typer.Option("--reorder", help="Packets that take 3 ms longer, as 5%.")
    ] = None,
    duplicate: Annotated[
        list[str] | None, typer.Option("--duplicate", help="Packets that come twice, as 1%.")
    ] = None,
    mtu: Annotated[
        list[str] | None, typer.Option("--mtu", help="Of the path between two interfaces of 1500 octets.")
    ] = None,
    queue: Annotated[
        list[str] | None, typer.Option("--queue", help=f"Packets that wait for a line at most. {EACH}")
    ] = None,
    outage: Annotated[
        str | None,
        typer.Option("--outage", help="The first path of --exchange dies midway, and returns after 4s."),
    ] = None,
    octets: Annotated[
        int | None,
        typer.Option("--exchange", min=1, help="Instead: so many octets from the kernel to us and back."),
    ] = None,
    checksum: Annotated[bool, typer.Option("--checksum", help="Have the kernel use DSS checksums.")] = False,
    pcap: Annotated[
        Path | None, typer.Option("--pcap", help="Write the packets of --exchange to this file.")
    ] = None,
    packets: Annotated[
        bool, typer.Option("--packets", help="Print the first packets of --exchange, one a line.")
    ] = False,
    source: Annotated[
        Path | None, typer.Option("--in", help="Instead: all of this file from the kernel to us and back.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Keep what came in this folder: from-kernel, to-kernel.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Outcome of --exchange or --ladder as JSON on standard output.")
    ] = False,
) -> None:
    """Open a network namespace with the kernel's MPTCP in it, and run a shell or a command there.

    Nothing leaves it, and at its end nothing of it is left. `mptcp serve` and `mptcp connect` work inside,
    beside the kernel's own programs. With --paths there is a second namespace, $MPTCP_LAB_FAR, and wires
    between the two: path N is 10.77.N.1 here and 10.77.N.2 there, fd77:N::1 and fd77:N::2; we are 10.79.N.2.

    Examples:
    mptcp lab -- sh -c 'python -m mptcp_stack.peers echo --listen :: 8000 &
    echo hello | mptcp connect 10.77.0.1 8000'

    mptcp lab --paths 2 --rate 25mbit --delay 25ms --loss 1% --rate 5mbit --delay 65ms --
    sh -c 'ip netns exec $MPTCP_LAB_FAR iperf3 -s -1 -D; iperf3 -c 10.77.0.2'

    mptcp lab --ladder tcp --rung loss

    mptcp lab --exchange 1000000 --packets

    mptcp lab --exchange 4000000 --paths 2 --rate 25mbit --delay 25ms --rate 5mbit --delay 65ms --outage 2s
    """
    if ladder or rung or list_them:
        climb(" ".join(command or ["all"]), tuple(rung or ()), list_them, as_json)
        return
    try:
        lines = read_lines(
            paths,
            rate=rate,
            delay=delay,
            jitter=jitter,
            loss=loss,
            reorder=reorder,
            duplicate=duplicate,
            mtu=mtu,
            queue=queue,
        )
        dead_for = read_number(outage, TIMES, "time") / TIMES["s"] if outage else 0
    except ValueError as error:
        say(f"mptcp: {error}")
        raise typer.Exit(USAGE) from None
    cargo = exchange.Cargo(octets or 0, source, folder)
    with ExitStack() as resources:
        sysctls = {"net.mptcp.checksum_enabled": str(int(checksum))}
        ground = resources.enter_context(Lab(sysctls))
        if octets is not None or source is not None:
            if not exchange.show(ground, cargo, pcap, packets, as_json, lines, dead_for):
                raise typer.Exit(1)
            return
        variables = {"MPTCP_LAB": ground.name}
        if lines:
            far = resources.enter_context(Lab(sysctls))
            variables["MPTCP_LAB_FAR"] = far.name
            for number, line in enumerate(lines):
                ground.lay_wire(far, number, line)
        if not command:
            beside = f", and {variables['MPTCP_LAB_FAR']} at the other end" if lines else ""
            say(f"in the namespace {ground.name}{beside}, until this shell ends; the kernel's MPTCP is on")
        inside = command or [os.environ.get("SHELL", "/bin/sh")]
        raise typer.Exit(run_inside(ground, inside, not command, variables))


def climb(ladder: str, names: tuple[str, ...], list_them: bool, as_json: bool) -> None:
    """The ladder, or the names of its rungs."""
    from rich.console import Console

    from mptcp_stack.ladder import climbers

    try:
        if list_them:
            Console().print(climbers.draw_list(ladder, names))
        elif not climbers.run(ladder, names, as_json):
            raise typer.Exit(1)
    except ValueError as error:
        say(f"mptcp: {error}")
        raise typer.Exit(USAGE) from None


def run_inside(ground: Lab, command: list[str], patient: bool, variables: Mapping[str, str]) -> int:
    """Run a command on this terminal inside the lab; its exit status.

    A shell (``patient``) gets Ctrl-C for itself; another command is ended by it.
    """
    try:
        process = ground.popen(*command, env={**os.environ, **variables})
    except OSError as error:
        raise OSError(error.errno, f"cannot run {command[0]}: {error.strerror}") from error
    before = signal.getsignal(signal.SIGINT)
    if patient:
        signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        status = process.wait()
    except KeyboardInterrupt:
        try:
            process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, before)
    return status if status >= 0 else 128 - status
