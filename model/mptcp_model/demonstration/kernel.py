"""The file to and from a program of this machine's kernel, over TUN.

The protocol on a real machine is another package's, and this one does not import it: the command
`mptcp lab` is run as a process of its own, tells its outcome as JSON, and leaves the packets in a file.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import IO, Any, Final

from mptcp.wire import ip
from mptcp_model.demonstration.transfer import Transfer
from mptcp_model.simulated.capture import Packet, read_pcap
from mptcp_model.simulated.network import Window

TUN: Final = "/dev/net/tun"
MPTCP: Final = "/proc/sys/net/mptcp/enabled"
POLL: Final = 0.1  # seconds between two looks at how far it is
NAMES: Final = ("from-kernel", "to-kernel")  # as the lab calls the files that it keeps
PREFIX: Final = "MPTcpExt"


@dataclass(frozen=True)
class Exchange:
    """The file both ways, with checksums or without.

    ``counters`` are the kernel's own, under nstat's names; ``trouble`` those of them that speak of fallback
    or broken data and are not zero; ``windows`` our congestion windows, by the packets' clock; ``fault``
    why there is nothing of all that.
    """

    checksum: bool
    transfers: tuple[Transfer, ...] = ()
    counters: dict[str, int] | None = None
    trouble: dict[str, int] | None = None
    packets: Sequence[Packet] = ()
    windows: tuple[Window, ...] = ()
    fault: str = ""

    @property
    def switch(self) -> str:
        """Checksums: "on" or "off"."""
        return "on" if self.checksum else "off"

    def select(self, number: int) -> list[Packet]:
        """The packets of one of its connections, from 0 in their order."""
        connections: dict[frozenset[bytes], list[Packet]] = {}
        for packet in self.packets:
            datagram = ip.parse(packet.octets)
            ports = packet.octets[datagram.start : datagram.start + 4]
            ends = frozenset((datagram.source + ports[:2], datagram.destination + ports[2:]))
            connections.setdefault(ends, []).append(packet)
        return list(connections.values())[number] if number < len(connections) else []

    def find_faults(self) -> list[str]:
        """All that should not be, each in a sentence."""
        faults = [fault for transfer in self.transfers for fault in transfer.find_faults()]
        if self.fault:
            faults.append(self.fault)
        if self.trouble:
            faults.append("the kernel counted " + spell_counters(self.trouble))
        return faults


def spell_counters(counters: dict[str, int]) -> str:
    """Counters in a line, their common prefix left out."""
    return ", ".join(f"{name.removeprefix(PREFIX)} {count}" for name, count in counters.items())


def find_command() -> list[str] | None:
    """How to run the command `mptcp` with this very interpreter; None if it is not installed."""
    for entry in entry_points(group="console_scripts", name="mptcp"):
        return [sys.executable, "-P", "-m", entry.module]
    return None


def make_environment() -> dict[str, str]:
    """Ours, so that the command runs from the sources, or the build, that we run from."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}


def find_obstacle() -> str | None:
    """Why the kernel of this machine cannot be talked to; None if it can."""
    if os.geteuid() != 0:
        return "talking to the kernel needs root"
    try:
        os.close(os.open(TUN, os.O_RDWR))
    except OSError as error:
        return f"{TUN} cannot be opened ({error.strerror})"
    if not Path(MPTCP).exists():
        return "this kernel has no MPTCP"
    command = find_command()
    if command is None:
        return "the command mptcp is not installed"
    tried = subprocess.run(
        [*command, "lab", "--", sys.executable, "-c", ""],
        env=make_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if tried.returncode == 0:
        return None
    return read_sentence(tried.stderr) or f"mptcp lab ended with status {tried.returncode}"


def read_sentence(words: str) -> str:
    """The last line that a command said, without its name."""
    lines = words.strip().splitlines() or [""]
    return lines[-1].removeprefix("mptcp: ")


def exchange(source: Path, folder: Path, checksum: bool, watch: Callable[[int, int], None]) -> Exchange:
    """Move ``source`` from a kernel program to us and from us to one.

    ``watch`` is told how many octets came each way. What came, the packets and the outcome stay in
    ``folder``.
    """
    folder.mkdir(exist_ok=True)
    files = [folder / name for name in NAMES]
    pcap, outcome = folder / "packets.pcap", folder / "outcome.json"
    for path in (*files, pcap, outcome):
        path.unlink(missing_ok=True)
    arguments = ["lab", "--in", str(source), "--out", str(folder), "--pcap", str(pcap), "--json"]
    command = [*(find_command() or []), *arguments, *(["--checksum"] if checksum else [])]
    with outcome.open("w") as said, tempfile.TemporaryFile("w+") as complaints:
        status = run(command, said, complaints, lambda: watch(*[read_size(path) for path in files]))
        complaints.seek(0)
        sentence = read_sentence(complaints.read())
    told = outcome.read_text().strip()
    fault = f"mptcp lab ended with status {status}: {sentence}" if status else ""
    if not told:
        return Exchange(checksum, fault=fault)
    facts = json.loads(told)
    return Exchange(
        checksum,
        read_transfers(facts, source, files, checksum),
        facts["counters"],
        facts["trouble"],
        read_pcap(pcap),
        tuple(
            Window(when, 0, 0, cwnd, ssthresh) for when, cwnd, ssthresh in facts["us_to_kernel"]["windows"]
        ),
        fault,
    )


def run(command: list[str], said: IO[str], complaints: IO[str], look: Callable[[], None]) -> int:
    """Run a command to its end and ``look`` now and then; its exit status."""
    process = subprocess.Popen(
        command, env=make_environment(), stdin=subprocess.DEVNULL, stdout=said, stderr=complaints
    )
    try:
        while True:
            try:
                return process.wait(POLL)
            except subprocess.TimeoutExpired:
                look()
    finally:
        if process.poll() is None:  # we are being interrupted: let it take its namespace down
            process.terminate()
            process.wait()
        look()


def read_size(path: Path) -> int:
    """Octets of a file so far."""
    return path.stat().st_size if path.exists() else 0


def read_transfers(
    facts: dict[str, Any], source: Path, files: Sequence[Path], checksum: bool
) -> tuple[Transfer, ...]:
    """The two transfers that the lab tells of."""
    transfers = []
    for key, received in zip(("kernel_to_us", "us_to_kernel"), files, strict=True):
        one = facts[key]
        transfers.append(
            Transfer(
                key.replace("_to_", " → "),
                source,
                received,
                one["seconds"],
                one["kernel_says_mptcp"] and one["connection"]["multipath"],
                one["connection"]["checksum"],
                checksum,
            )
        )
    return tuple(transfers)
