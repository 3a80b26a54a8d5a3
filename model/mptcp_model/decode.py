"""The sub-command `mptcp decode`: a capture or octets, segment by segment. Its parts are in
mptcp_model.decoding.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import Annotated, Final, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from mptcp.errors import Malformed, Refused
from mptcp_model.decoding import objects
from mptcp_model.decoding.captures import Damaged, read_frames
from mptcp_model.decoding.conversation import Conversation, Reading
from mptcp_model.decoding.lines import Lines, Paint
from mptcp_model.decoding.octets import find_frame, find_segment, read_hexadecimal
from mptcp_model.decoding.sights import Sight, look

LONG: Final = 8_000_000  # octets of a file for which a bar is shown
PIPE_CLOSED: Final = 141  # exit status: 128 + SIGPIPE, as shells have it


def decode(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE|HEX",
            help="A capture (pcap or pcapng, maybe gzip'd), - for standard input, or octets in hexadecimal: "
            "a packet, an Ethernet frame, a segment, or TCP options alone.",
            show_default=False,
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="One object of JSON for each segment, in a line.")
    ] = False,
    count: Annotated[
        int | None, typer.Option("-n", min=1, metavar="COUNT", help="Only the first segments, so many.")
    ] = None,
    connection: Annotated[
        int | None,
        typer.Option("--connection", min=1, metavar="NUMBER", help="Only the segments of this connection."),
    ] = None,
) -> None:
    """Print a capture, or octets, segment by segment: each option, and what does not verify.

    Subflows are put together into connections by their tokens; numbers count from the SYN and from the IDSN.
    Keys that the capture shows are used to verify HMACs, tokens and data sequence numbers; the checksums of
    TCP and of mappings are verified, too. What does not hold is marked with ✗.

    Examples:
    mptcp decode trace.pcap -n 20

    tcpdump -i any -U -w - tcp | mptcp decode - --json | jq -c .options

    mptcp decode 1e0c10088a851ff810111213

    The exit status is 1 if there is no reading on: the file is cut, damaged, empty, or no capture.
    """
    telling = Telling(as_json, count, connection)
    octets = None if what == "-" or Path(what).exists() else read_hexadecimal(what)
    try:
        if octets is not None:
            telling.tell_octets(octets)
        elif what == "-":
            telling.tell_capture(cast(BufferedReader, sys.stdin.buffer), "standard input", 0)
        else:
            with open_file(what) as stream:
                telling.tell_capture(stream, what, os.fstat(stream.fileno()).st_size)
    except BrokenPipeError:  # whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(PIPE_CLOSED) from None


def open_file(name: str) -> BufferedReader:
    """The file of that name; Refused in words that think of the other things it could have been."""
    try:
        return open(name, "rb")
    except FileNotFoundError:
        raise Refused(f"{name} is neither a file nor octets in hexadecimal") from None


class Telling:
    """Writes what is seen to standard output, as objects or as lines."""

    def __init__(self, as_json: bool, count: int | None, connection: int | None) -> None:
        self._as_json: Final = as_json
        self._count: Final = count
        self._connection: Final = connection
        self._lines: Final = Lines(Paint(Console()))
        self._tell: Final[Callable[[Sight], str]] = objects.tell if as_json else self._lines.tell
        self._told: Final[list[str]] = []

    def tell_capture(self, stream: BufferedReader, name: str, size: int) -> None:
        """The segments of a capture of ``size`` octets, 0 if nobody knows."""
        conversation = Conversation()
        damage: Damaged | None = None
        with self.watch(stream, size) as watched:
            try:
                tell, keep = self._tell, self._told.append
                for sight in self.select(look(read_frames(watched), conversation)):
                    keep(tell(sight))
            except Damaged as damaged:
                damage = damaged
            if not self._as_json and (damage is None or self._lines.segments):
                self._told.append(self._lines.conclude(conversation.connections))
            self.flush()
        if damage is not None:
            raise Refused(f"{name} {damage}")

    def select(self, sights: Iterator[Sight]) -> Iterator[Sight]:
        """Those that were asked for."""
        if self._connection is not None:
            sights = (one for one in sights if is_of(one, self._connection))
        return sights if self._count is None else islice(sights, self._count)

    def tell_octets(self, octets: bytes) -> None:
        """Octets that somebody typed."""
        conversation = Conversation()
        frame = find_frame(octets)
        if frame is not None:
            sights = list(look([frame], conversation))
            if not sights:
                raise Refused("these octets are a packet, but not of TCP")
            if isinstance(sights[0][2], Malformed):
                raise Refused(f"these octets are a packet that cannot be read: {sights[0][2]}")
            self._told.append(self._tell(sights[0]))
        else:
            try:
                segment = find_segment(octets)
            except Malformed as malformed:
                raise Refused(f"these octets cannot be read: {malformed}") from None
            reading = conversation.read(conversation.find(segment), segment)
            if self._as_json:
                self._told.append(objects.tell_bare(reading))
            else:
                self._told.append(self._lines.tell_bare(reading))
        self.flush()

    def flush(self) -> None:
        """Write what was told."""
        sys.stdout.buffer.write("".join(self._told).encode())
        sys.stdout.buffer.flush()
        self._told.clear()

    @contextmanager
    def watch(self, stream: BufferedReader, size: int) -> Iterator["Watched"]:
        """The stream; before it is read on, what was told is written, and the bar of a long file moves on."""
        wanted = size >= LONG and sys.stderr.isatty() and not sys.stdout.isatty()
        columns = (TextColumn("decoding"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True, disable=not wanted) as progress:
            task = progress.add_task("", total=size)

            def pause() -> None:
                self.flush()
                if wanted:
                    progress.update(task, completed=stream.tell())

            yield Watched(stream, pause)


class Watched:
    """A stream that lets somebody know before it is read, which may take long."""

    def __init__(self, stream: BufferedReader, pause: Callable[[], None]) -> None:
        self._stream: Final = stream
        self._pause: Final = pause

    def read1(self, size: int, /) -> bytes:
        """At most ``size`` octets, none at the end."""
        self._pause()
        return self._stream.read1(size)


def is_of(sight: Sight, connection: int) -> bool:
    """Whether it is a segment of that connection."""
    reading = sight[2]
    return isinstance(reading, Reading) and reading.place.subflow.connection.number == connection
