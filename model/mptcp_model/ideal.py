"""The ideal stream: what an octet-stream service promises, with no network in it.

This is the whole of what an application may rely on, in RFC 9293 and RFC 8684 §1 alike: what is
written at one end comes out at the other once, in order and unaltered; the end of the stream is
seen after the last octet and only if the writer closed. Losing the connection excuses octets that
never come, never wrong ones.

Tests write to the real hosts and to the ideal at the same time, and compare at every step.
"""

from mptcp_model.state import State


class Broken(AssertionError):
    """The real stream did what the ideal one cannot do."""


class IdealStream(State):
    """One direction: ``written`` octets at one end, a prefix of them ``delivered`` at the other."""

    FIELDS = ("name", "written", "delivered", "closed", "finished", "aborted")

    def __init__(self, name: str) -> None:
        self.name = name
        self.written = bytearray()
        self.delivered = 0
        self.closed = False
        self.finished = False
        self.aborted = False

    # -- the writer's end ---------------------------------------------------------------------
    def write(self, octets: bytes) -> None:
        """The writer's octets were accepted."""
        self.demand(not self.closed, "accepts octets after close")
        self.written += octets

    def close(self) -> None:
        """The writer will write no more."""
        self.closed = True

    def abort(self) -> None:
        """Either end, or the network, gave up: nothing more needs to come."""
        self.aborted = True

    # -- the reader's end ---------------------------------------------------------------------
    def deliver(self, octets: bytes) -> None:
        """The reader got ``octets``: they must be the next ones. Raises Broken otherwise."""
        self.demand(not (self.finished and octets), "delivers octets after the end of the stream")
        expected = self.written[self.delivered : self.delivered + len(octets)]
        self.demand(len(expected) == len(octets), "delivers octets that nobody wrote")
        self.demand(expected == octets, f"alters octets after the first {self.delivered}")
        self.delivered += len(octets)

    def finish(self) -> None:
        """The reader saw the end of the stream. Raises Broken if there should be more."""
        self.demand(self.closed, "ends although the writer did not close")
        self.demand(self.delivered == len(self.written), f"ends with {self.missing} octets missing")
        self.finished = True

    # -- both ---------------------------------------------------------------------------------
    @property
    def missing(self) -> int:
        """Octets written and not yet delivered."""
        return len(self.written) - self.delivered

    def is_complete(self) -> bool:
        """Whether everything came through, the end included."""
        return self.finished and not self.missing

    def demand(self, fact: bool, fault: str) -> None:
        """Raise Broken with ``fault`` unless ``fact``."""
        if not fact:
            raise Broken(f"the stream {self.name} {fault}")
