"""What runs on top of a connection: programs that write, read, close, and remember what they saw.

An application belongs to one connection. It is told of events and alarms and answers by calling
its host; whoever called it then lets the host transmit. A listener holds an application as the
pattern, of which each accepted connection gets a copy.
"""

from hashlib import sha256
from typing import ClassVar, Final

from mptcp.errors import Refused
from mptcp.events import (
    Aborted,
    Accepted,
    Closed,
    Established,
    Event,
    FellBack,
    Finished,
    PathEvent,
    Readable,
    Troubled,
    Urgent,
    Writable,
)
from mptcp.host import Host
from mptcp.values import Micros
from mptcp_model.state import State

READ_LIMIT: Final = 1 << 16
"""Octets of one read or write."""


class Application(State):
    """Reads what comes and remembers it; the subclasses say what to write and when to close.

    outbox      octets to write, of which the host has accepted the first ``written``
    received    what was read, in pieces
    finished    the peer's end of the stream was seen, and all before it read
    closing     we closed our side
    outcome     "" while it lasts, then "closed", or the error that aborted it
    story       the names of the events, in order
    """

    FIELDS: ClassVar[tuple[str, ...]] = (
        "connection",
        "outbox",
        "written",
        "received",
        "finished",
        "closing",
        "outcome",
        "story",
    )

    def __init__(self, outbox: bytes = b"") -> None:
        self.connection = 0
        self.outbox = bytearray(outbox)
        self.written = 0
        self.received: list[bytes] = []
        self.finished = False
        self.closing = False
        self.outcome = ""
        self.story: list[str] = []

    # -- what the machine tells -----------------------------------------------------------------
    def on_event(self, host: Host, event: Event, now: Micros) -> None:
        """The host has an event for this connection."""
        self.story.append(type(event).__name__)
        if isinstance(event, Closed):
            self.outcome = "closed"
        elif isinstance(event, Aborted):
            self.outcome = event.error
        elif isinstance(event, (Accepted, Established)):
            self.on_open(host, now)
        elif isinstance(event, Readable):
            self.on_readable(host, now)
        elif isinstance(event, Finished):
            self.on_finished(host, now)
        elif isinstance(event, Writable):
            self.push(host, now)
        else:
            assert isinstance(event, FellBack | Troubled | Urgent | PathEvent), event

    def on_alarm(self, host: Host, now: Micros) -> None:
        """The moment that ``deadline`` named has come."""

    def deadline(self) -> Micros | None:
        """When this application wants to be woken."""
        return None

    # -- what the subclasses decide -------------------------------------------------------------
    def on_open(self, host: Host, now: Micros) -> None:
        """The connection is open."""
        self.push(host, now)

    def on_readable(self, host: Host, now: Micros) -> None:
        """There are octets to read."""
        self.pull(host, now)

    def on_finished(self, host: Host, now: Micros) -> None:
        """The peer will send no more."""
        self.pull(host, now)
        self.finished = True

    # -- what they do ---------------------------------------------------------------------------
    def push(self, host: Host, now: Micros) -> None:
        """Write what the host accepts."""
        while self.written < len(self.outbox) and not self.closing:
            octets = bytes(self.outbox[self.written : self.written + READ_LIMIT])
            accepted = host.write(self.connection, octets, now)
            self.written += accepted
            if accepted < len(octets):
                break

    def pull(self, host: Host, now: Micros) -> bytes:
        """Read all there is."""
        pieces: list[bytes] = []
        while octets := host.read(self.connection, READ_LIMIT, now):
            pieces.append(octets)
        self.received += pieces
        return b"".join(pieces)

    def close(self, host: Host, now: Micros) -> None:
        """Write no more; reading goes on."""
        if not self.closing:
            self.closing = True
            try:
                host.close(self.connection, now)
            except Refused:
                self.story.append("close refused")

    # -- what a test asks -----------------------------------------------------------------------
    @property
    def inbox(self) -> bytes:
        """All octets read so far."""
        return b"".join(self.received)

    @property
    def digest(self) -> str:
        """SHA-256 of what was read, in hexadecimal digits."""
        total = sha256()
        for piece in self.received:
            total.update(piece)
        return total.hexdigest()


class Sender(Application):
    """Writes its octets, closes its side at once, reads until the other side ends."""

    def push(self, host: Host, now: Micros) -> None:
        """Write what is accepted; after the last octet, close."""
        super().push(host, now)
        if self.written == len(self.outbox):
            self.close(host, now)


class Sink(Application):
    """Reads to the end, at its own pace, then writes its answer, if any, and closes.

    appetite    octets of one sitting; 0: all there is, as soon as it is there
    pause       µs between two sittings
    """

    FIELDS = (*Application.FIELDS, "appetite", "pause", "hungry_at", "at_end")

    def __init__(self, answer: bytes = b"", appetite: int = 0, pause: Micros = 0) -> None:
        super().__init__(answer)
        self.appetite = appetite
        self.pause = pause
        self.hungry_at: Micros | None = None
        self.at_end = False

    def deadline(self) -> Micros | None:
        """The next sitting."""
        return self.hungry_at

    def on_open(self, host: Host, now: Micros) -> None:
        """Nothing is written before the end; a slow reader takes its first rest."""
        self.hungry_at = now + self.pause if self.appetite else None

    def on_readable(self, host: Host, now: Micros) -> None:
        """Read now, or leave it for the next sitting."""
        if not self.appetite:
            self.pull(host, now)

    def on_alarm(self, host: Host, now: Micros) -> None:
        """One sitting."""
        octets = host.read(self.connection, self.appetite, now)
        if octets:
            self.received.append(octets)
        self.hungry_at = None if self.outcome else now + self.pause
        if self.at_end and not octets:
            self.end(host, now)

    def on_finished(self, host: Host, now: Micros) -> None:
        """Nothing comes after what is there."""
        self.at_end = True
        if not self.appetite:
            self.pull(host, now)
            self.end(host, now)

    def push(self, host: Host, now: Micros) -> None:
        """Write what is accepted of the answer; after the last octet, close."""
        super().push(host, now)
        if self.finished and self.written == len(self.outbox):
            self.close(host, now)

    def end(self, host: Host, now: Micros) -> None:
        """All is read: answer and close."""
        self.finished = True
        self.hungry_at = None
        self.push(host, now)


class Echo(Application):
    """Writes back what it reads; closes when the peer did and all is written."""

    def on_readable(self, host: Host, now: Micros) -> None:
        """Read, and write it back."""
        self.outbox += self.pull(host, now)
        self.push(host, now)

    def on_finished(self, host: Host, now: Micros) -> None:
        """Write the rest back."""
        self.outbox += self.pull(host, now)
        self.finished = True
        self.push(host, now)

    def push(self, host: Host, now: Micros) -> None:
        """Write what is accepted; after the peer's last octet, close."""
        super().push(host, now)
        if self.finished and self.written == len(self.outbox):
            self.close(host, now)
