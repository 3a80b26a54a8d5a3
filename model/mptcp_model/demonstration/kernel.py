"""The file from and to a program of this machine's kernel, over TUN, by the same two paths.

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
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Any, Final

from mptcp.parameters import SECOND
from mptcp_model.demonstration.simulation import DEAD_FOR, LINES, name_path
from mptcp_model.demonstration.transfer import Run, Share, Transfer, read_ends
from mptcp_model.simulated.capture import Packet, read_pcap
from mptcp_model.simulated.network import Window

TUN: Final = "/dev/net/tun"
MPTCP: Final = "/proc/sys/net/mptcp/enabled"
POLL: Final = 0.1  # seconds between two looks at how far it is
NAMES: Final = ("from-kernel", "to-kernel")  # as the lab calls the files that it keeps
WAYS: Final = ("kernel_to_us", "us_to_kernel")  # and the transfers
COUNTED: Final = ("bytes_received", "bytes_sent")  # what a subflow of ours carried of each
LONGEST: Final = 1_500  # octets of a packet; a queue is so many for the lab
PREFIX: Final = "MPTcpExt"


@dataclass(frozen=True)
class Exchange:
    """The file both ways.

    ``counters`` are the kernel's own, under nstat's names; ``trouble`` those of them that speak of fallback
    or broken data and are not zero; ``fault`` is why there is nothing of all that.
    """

    runs: tuple[Run, ...] = ()
    counters: dict[str, int] | None = None
    trouble: dict[str, int] | None = None
    fault: str = ""

    def find_faults(self) -> list[str]:
        """All that should not be, each in a sentence."""
        faults = [fault for run in self.runs for fault in run.transfer.find_faults()]
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


def exchange(source: Path, folder: Path, watch: Callable[[int, int], None]) -> Exchange:
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
    command = [*(find_command() or []), *arguments, *describe_paths()]
    with outcome.open("w") as said, tempfile.TemporaryFile("w+") as complaints:
        status = run(command, said, complaints, lambda: watch(*[read_size(path) for path in files]))
        complaints.seek(0)
        sentence = read_sentence(complaints.read())
    told = outcome.read_text().strip()
    fault = f"mptcp lab ended with status {status}: {sentence}" if status else ""
    if not told:
        return Exchange(fault=fault)
    facts, packets = json.loads(told), read_pcap(pcap)
    runs = tuple(
        read_run(facts[way], way.replace("_to_", " → "), source, received, counted, packets)
        for way, received, counted in zip(WAYS, files, COUNTED, strict=True)
    )
    return Exchange(runs, facts["counters"], facts["trouble"], fault)


def describe_paths() -> list[str]:
    """The paths of the simulated network, and the end and return of the better one, as the lab takes them."""
    words = ["--paths", str(len(LINES)), "--outage", f"{DEAD_FOR / SECOND}s"]
    for line in LINES:
        words += ["--rate", f"{line.rate}bit", "--delay", f"{line.delay}us", "--loss", str(line.loss)]
        words += ["--queue", str(line.queue // LONGEST)]
    return words


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


def read_run(
    facts: dict[str, Any], what: str, source: Path, received: Path, counted: str, packets: Sequence[Packet]
) -> Run:
    """One of the two transfers that the lab tells of, by a clock that begins with its first packet."""
    subflows = facts["subflows"]
    own = select(packets, subflows)
    origin = own[0].when if own else 0
    begun, ended = (moment and moment - origin for moment in facts["outage"])
    shares = [Share(name_path(ip_address(one["local"]).packed), one[counted]) for one in subflows]
    transfer = Transfer(
        what,
        source,
        received,
        facts["seconds"],
        facts["kernel_says_mptcp"] and facts["connection"]["multipath"],
        shares=add_up(shares),
    )
    return Run(
        transfer,
        [Packet(one.when - origin, one.octets) for one in own],
        [Window(when - origin, 0, *rest) for when, *rest in facts["windows"]],
        facts["packets"],
        facts["lost"],
        (begun, ended),
    )


def add_up(shares: Sequence[Share]) -> tuple[Share, ...]:
    """One share for each path, in their order."""
    sums: dict[str, int] = {}
    for share in shares:
        sums[share.path] = sums.get(share.path, 0) + share.octets
    return tuple(Share(path, octets) for path, octets in sums.items())


def select(packets: Sequence[Packet], subflows: Sequence[dict[str, Any]]) -> list[Packet]:
    """The packets of these subflows."""
    ends = {
        frozenset((name_end(one["local"], one["local_port"]), name_end(one["remote"], one["remote_port"])))
        for one in subflows
    }
    return [packet for packet in packets if read_ends(packet.octets) in ends]


def name_end(address: str, port: int) -> bytes:
    """Address and port as octets."""
    return ip_address(address).packed + port.to_bytes(2, "big")
