"""A kernel program that runs inside a lab, seen from outside (``mptcp_stack.peers`` is what it runs)."""

import asyncio
import json
import subprocess
import threading
from typing import Any, Final


class PeerFailed(OSError):
    """The program ended without a report; the text is what it said."""


class Peer:
    """One such program. It prints a line of JSON when it listens, and one at the end: its report.

    The calls that wait block the caller's thread; within an event loop that also has to carry the packets,
    use their ``async`` twins.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process: Final = process
        self._said: dict[str, Any] | None = None

    def wait_ready(self) -> int:
        """Wait until it listens (or has a connection); the port. Raises PeerFailed."""
        if self._said is None:
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
            if not line:
                raise PeerFailed(self._explain())
            self._said = json.loads(line)
        return int(self._said["port"])

    def wait_report(self, timeout: float = 120) -> dict[str, Any]:
        """Wait for its end: octets and SHA-256 sent and received, seconds, whether MPTCP was spoken.

        A failure it met is in "error", by its errno's name. After ``timeout`` seconds it is ended. Raises
        PeerFailed.
        """
        self.wait_ready()
        assert self.process.stdout is not None
        watchdog = threading.Timer(timeout, self.process.kill)
        watchdog.start()
        try:
            lines = self.process.stdout.read().splitlines()
        finally:
            watchdog.cancel()
        if not lines:
            raise PeerFailed(self._explain())
        self.process.wait()
        report: dict[str, Any] = json.loads(lines[-1])
        return report

    async def ready(self) -> int:
        """``wait_ready`` beside a running event loop."""
        return await asyncio.to_thread(self.wait_ready)

    async def report(self, timeout: float = 120) -> dict[str, Any]:
        """``wait_report`` beside a running event loop."""
        return await asyncio.to_thread(self.wait_report, timeout)

    def kill(self) -> None:
        """End it at once."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def _explain(self) -> str:
        said = self.process.stderr.read().splitlines() if self.process.stderr is not None else []
        return said[-1] if said else f"the peer ended with status {self.process.wait()} and said nothing"
