"""The sub-command `mptcp decode`: a capture or octets, segment by segment. Its parts are in
mptcp_model.decoding.
"""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from mptcp.errors import Malformed, Refused
from mptcp_model.decoding import objects
from mptcp_model.decoding.captures import Damaged, Stream, read_frames
from mptcp_model.decoding.conversation import Conversation, Reading
from mptcp_model.decoding.octets import find_frame, find_segment, read_hexadecimal
from mptcp_model.decoding.sights import Sight, look

if TYPE_CHECKING:
    from mptcp_model.decoding.lines import Lines

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
        self._lines: Final = None if as_json else make_lines()
        self._connection: Final = connection
        self._left = count  # segments that are still wanted; None if all are

    def tell_capture(self, stream: BufferedReader, name: str, size: int) -> None:
        """The segments of a capture of ``size`` octets, 0 if nobody knows."""
        conversation = Conversation()
        damage: Damaged | None = None
        try:
            with watch(stream, size) as watched, without_collector():
                for sights in look(read_frames(watched), conversation):
                    self.tell(self.select(sights))
                    if self._left == 0:
                        break
        except Damaged as damaged:
            damage = damaged
        if self._lines is not None and (damage is None or self._lines.segments):
            write(self._lines.conclude(conversation.connections))
        if damage is not None:
            raise Refused(f"{name} {damage}")

    def select(self, sights: list[Sight]) -> list[Sight]:
        """Those that were asked for."""
        if self._connection is not None:
            sights = [one for one in sights if is_of(one, self._connection)]
        if self._left is not None:
            sights = sights[: self._left]
            self._left -= len(sights)
        return sights

    def tell(self, sights: list[Sight]) -> None:
        """All of them."""
        if self._lines is None:
            write(objects.tell_all(sights))
        else:
            write("".join([self._lines.tell(one) for one in sights]))

    def tell_octets(self, octets: bytes) -> None:
        """Octets that somebody typed."""
        conversation = Conversation()
        frame = find_frame(octets)
        if frame is not None:
            (sights,) = look([[frame]], conversation)
            if not sights:
                raise Refused("these octets are a packet, but not of TCP")
            if isinstance(sights[0].reading, Malformed):
                raise Refused(f"these octets are a packet that cannot be read: {sights[0].reading}")
            self.tell(sights)
        else:
            try:
                segment = find_segment(octets)
            except Malformed as malformed:
                raise Refused(f"these octets cannot be read: {malformed}") from None
            reading = conversation.read(conversation.find(segment), segment)
            write(objects.tell_bare(reading) if self._lines is None else self._lines.tell_bare(reading))


def make_lines() -> "Lines":
    """Who tells in lines; what he needs takes longer to import than a short capture to read."""
    from rich.console import Console

    from mptcp_model.decoding.lines import Lines, Paint

    return Lines(Paint(Console()))


def write(words: str) -> None:
    """Write at once: whoever reads a pipe wants what is there."""
    sys.stdout.buffer.write(words.encode())
    sys.stdout.buffer.flush()


def is_of(sight: Sight, connection: int) -> bool:
    """Whether it is a segment of that connection."""
    reading = sight.reading
    return isinstance(reading, Reading) and reading.place.subflow.connection.number == connection


@contextmanager
def without_collector() -> Iterator[None]:
    """Without Python's search for circles: the one there is, of connections and subflows, is cut by hand."""
    wanted = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if wanted:
            gc.enable()


@contextmanager
def watch(stream: BufferedReader, size: int) -> Iterator[Stream]:
    """The stream; of a long file with a bar that moves on, where a person sees that and nothing else."""
    if size < LONG or not sys.stderr.isatty() or sys.stdout.isatty():
        yield stream
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("decoding"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=size)
        yield Watched(stream, lambda: progress.update(task, completed=stream.tell()))


class Watched:
    """A stream that lets somebody know before it is read."""

    def __init__(self, stream: BufferedReader, tell: Callable[[], None]) -> None:
        self._stream: Final = stream
        self._tell: Final = tell

    def read1(self, size: int, /) -> bytes:
        """At most ``size`` octets, none at the end."""
        self._tell()
        return self._stream.read1(size)
