"""The sub-commands `mptcp connect` and `mptcp serve`.

What a user can get wrong is one sentence on standard error and exit status 1 (2 where the command line
itself is wrong); ``mptcp_stack.command`` prints the sentence of an OSError that comes out of here.
"""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Final

import typer

from mptcp.choices import ACCEPT, REQUIRE
from mptcp_stack import conversation
from mptcp_stack.attach import attach
from mptcp_stack.conversation import Wishes
from mptcp_stack.interface import open_interface
from mptcp_stack.pcap import PcapWriter
from mptcp_stack.report import say
from mptcp_stack.stack import Stack, suit

USAGE: Final = 2  # exit status: the command line is wrong

Port = Annotated[int, typer.Argument(min=1, max=65_535, help="The TCP port.", show_default=False)]
In = Annotated[Path | None, typer.Option("--in", help="Send this file instead of standard input.")]
Out = Annotated[Path | None, typer.Option("--out", help="Write to this file instead of standard output.")]
Checksum = Annotated[bool, typer.Option("--checksum", help="Ask for DSS checksums.")]
Device = Annotated[
    str | None,
    typer.Option("--device", help="Name of the TUN interface; one that is there keeps its addresses."),
]
Address = Annotated[
    list[str] | None,
    typer.Option("--address", help="Our address, as 10.77.0.2/24; again for a second one."),
]
Interface = Annotated[
    str | None,
    typer.Option("--interface", help="Share this interface and its addresses with the kernel instead."),
]
Paths = Annotated[
    list[str] | None,
    typer.Option(
        "--path",
        help="One more path, by a TUN interface of its own with this address of ours, or auto; again.",
    ),
]
Pcap = Annotated[Path | None, typer.Option("--pcap", help="Write every packet to this file.")]
Json = Annotated[
    bool, typer.Option("--json", help="Summary as JSON: on standard output if --out is given, or on error.")
]

Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress and no subflows on the way.")]


def open_stack(
    resources: ExitStack,
    device: str | None,
    interface: str | None,
    address: list[str] | None,
    paths: list[str] | None,
    listening: tuple[int, ...],
    checksum: bool,
    pcap: Path | None,
) -> Stack:
    """A stack as the options want it; what it needs is released with ``resources``."""
    writer = resources.enter_context(PcapWriter(pcap)) if pcap is not None else None
    ours = tuple(address or ())
    if interface is not None and device is not None:
        say("mptcp: --device makes an interface and --interface shares one: say one of them")
        raise typer.Exit(USAGE)
    try:
        if interface is None:
            grounds = [attach(device, ours)]
        else:
            grounds = [open_interface(interface, ours=ours, listening=listening)]
        resources.callback(grounds[0].close)
        for path in paths or ():
            grounds.append(attach(None, () if path == "auto" else tuple(path.split(","))))
            resources.callback(grounds[-1].close)
    except ValueError as error:
        say(f"mptcp: {error}")
        raise typer.Exit(USAGE) from None
    return Stack(
        *grounds,
        # whoever connects is told of the other addresses, and joins them
        choices=suit(
            tuple(grounds), checksum=REQUIRE if checksum else ACCEPT, announce=bool(paths and listening)
        ),
        tap=writer.write if writer is not None else None,
    )


def connect(
    host: Annotated[str, typer.Argument(help="Name or address of the other side.", show_default=False)],
    port: Port,
    source: In = None,
    sink: Out = None,
    checksum: Checksum = False,
    device: Device = None,
    interface: Interface = None,
    address: Address = None,
    path: Paths = None,
    pcap: Pcap = None,
    as_json: Json = False,
    quiet: Quiet = False,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait for the connection.")] = 130,
) -> None:
    """Open a connection and copy standard input there and what comes back here, like nc.

    It runs over a TUN interface that it makes (as root) and that goes when it ends: we are 10.77.0.2, the
    kernel is 10.77.0.1. In `mptcp lab` all of this stays in a namespace of its own.

    While it goes on, each subflow has a line on a terminal.

    Example, against a kernel program that listens on 10.77.0.1 port 8000:

    mptcp connect 10.77.0.1 8000 --in README.md --out answer --json
    """
    with ExitStack() as resources:
        wishes = resources.enter_context(Wishes(source, sink, as_json, quiet))
        stack = open_stack(resources, device, interface, address, path, (), checksum, pcap)
        asyncio.run(conversation.connect(stack, host, port, wishes, timeout))


def serve(
    port: Port,
    source: In = None,
    sink: Out = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Serve one connection after the other; --in is sent to each.")
    ] = False,
    checksum: Checksum = False,
    device: Device = None,
    interface: Interface = None,
    address: Address = None,
    path: Paths = None,
    pcap: Pcap = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Wait for a connection and copy standard input there and what comes back here, like nc -l.

    It runs over a TUN interface that it makes (as root) and that goes when it ends: we are 10.77.0.2, the
    kernel is 10.77.0.1. In `mptcp lab` all of this stays in a namespace of its own.

    While it goes on, each subflow has a line on a terminal.

    Example, and a kernel program that fetches the file:

    mptcp serve 8000 --in README.md &

    python -m mptcp_stack.peers receive --connect 10.77.0.2 8000
    """
    with ExitStack() as resources:
        wishes = resources.enter_context(Wishes(source, sink, as_json, quiet))
        stack = open_stack(resources, device, interface, address, path, (port,), checksum, pcap)
        asyncio.run(conversation.serve(stack, port, wishes, keep))
