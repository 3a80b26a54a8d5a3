"""Others in the same run: the kernel's TCP, slirp4netns, PyTCP and aioquic; whoever is absent is named.

slirp4netns (C) and PyTCP speak TCP with the kernel over a TAP or TUN interface of MTU 1,500, as we speak
MPTCP with it: over a plain one, where the kernel receives a packet within our write of it, as it does theirs;
over a threaded one, where a thread of the kernel receives the same packets; and with segmentation offload,
which they do not have: the kernel cuts, if anyone. Of slirp4netns, what it forwards ends on the loopback of a
second namespace. What a packet to the kernel costs stands below the table: a plain device cannot be faster
than its system calls allow, a threaded one needs a processor that nobody else has for its thread.

aioquic and we move octets between two ends in one process, with no device: it encrypts, and we do not.
``make peers`` fetches what can be fetched. PyTCP needs Python 3.14, or 3.13 and two changes to its text that
are made as it is loaded: ``PYTCP_PYTHON`` names the interpreter, else it is looked for.
``python tests/bench/bench_peers.py`` prints the table, as root.
"""

import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import bench_tun
from bench_tun import GSO, PLAIN, THREADED, Road, compute_speed
from figures import Figure, Rounds, Table, present

from mptcp_model.loads import Load
from mptcp_stack import network
from mptcp_stack.lab import Lab
from mptcp_stack.namespace import call_inside

ROUNDS = 5  # the middle one counts
ROADS = (PLAIN, THREADED, GSO)
INWARD, OUTWARD = bench_tun.WAYS
TEXT = 1_420  # octets in a packet of 1,500
SLIRP, PYTCP = 1.5, 50  # times their speed
PACKAGES = Path(__file__).resolve().parents[2] / "build" / "peers" / "pytcp"
SOME = 4_000_000  # octets, for PyTCP and aioquic
FEW = 100_000  # octets that PyTCP sends
CLIENT, SERVER = ("10.0.0.1", 443), ("10.0.0.2", 443)
FLOWING = (*bench_tun.FLOWING, "--tcp")
QUIET = ("--no-hash", "--tcp")

LOAD_PYTCP = """
import importlib.machinery, re, sys
folder = sys.argv[1]
class Older(importlib.machinery.SourceFileLoader):
    def get_code(self, name):
        text = re.sub(rb"(?m)^(\\s*except )(\\w+(?:, \\w+)+):", rb"\\1(\\2):", self.get_data(self.path))
        future = b"from __future__ import annotations\\n"
        return self.source_to_code(text if future in text else future + text, self.path)
def find(path):
    if not path.startswith(folder):
        raise ImportError
    return importlib.machinery.FileFinder(path, (Older, [".py"]))
if sys.version_info < (3, 14):
    sys.path_hooks.insert(0, find)
    sys.path_importer_cache.clear()
sys.path.insert(0, folder)
import pytcp.stack
"""
"""Where annotations are not lazy and ``except A, B`` is not known."""

RUN_PYTCP = (
    LOAD_PYTCP
    + """
import time
from net_addr import Ip4IfAddr
from pytcp import stack
from pytcp.runtime import socket
way, octets = sys.argv[2], int(sys.argv[3])
device = stack.initialize_interface__tun("tun0")
print("open", flush=True)
sys.stdin.readline()
stack.init(**device, ip4_host=Ip4IfAddr("10.77.0.2/24"), ip6_support=False)
stack.start()
one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
if way == "in":
    one.bind(("10.77.0.2", 8000))
    one.listen()
    print("listens", flush=True)
    one, _ = one.accept()
    began, count = time.monotonic(), 0
    while chunk := one.recv(1 << 16):
        count += len(chunk)
    print(count, time.monotonic() - began, flush=True)
else:
    print("connects", flush=True)
    one.connect(("10.77.0.1", 8000))
    chunk = bytes(1 << 14)
    while octets > 0:
        octets -= one.send(chunk[:octets])
    one.close()
    print("sent", flush=True)
sys.stdin.readline()
"""
)


@dataclass(frozen=True)
class Run:
    """How fast one was, Mbit/s, and what a packet to the kernel took of the process: µs, and in its calls."""

    speed: float
    spent: float
    system: float


class Meter:
    """The processor time of a process and the packets that a lab's kernel receives, from now on."""

    def __init__(self, lab: Lab, process: int) -> None:
        self.lab, self.process = lab, process
        self.before = self.read()

    def read(self) -> tuple[float, float, int]:
        """Seconds in all, those in system calls; packets, counted before any are joined."""
        fields = Path(f"/proc/{self.process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        user, system = (int(field) / os.sysconf("SC_CLK_TCK") for field in fields[11:13])
        return user + system, system, self.lab.counters()["IpExtInNoECTPkts"]

    def make_run(self, speed: float) -> Run:
        """What has been spent since."""
        spent, system, packets = (now - then for now, then in zip(self.read(), self.before, strict=True))
        return Run(speed, spent / packets * 1e6, system / packets * 1e6)


def clock_us(lab: Lab, road: Road, way: str) -> Run:
    """Ours."""
    meter = Meter(lab, os.getpid())
    return meter.make_run(bench_tun.WAYS[way](lab, road, False))


def clock_kernel() -> float:
    """TCP of the kernel with itself, packets of the path."""
    with Lab() as lab, Lab() as far:
        lab.join(far, offload=False)
        server = lab.peer("receive", "--listen", "10.78.0.1", "8000", *QUIET)
        server.wait_ready()
        far.peer("send", "--connect", "10.78.0.1", "8000", *FLOWING).wait_report()
        report = server.wait_report()
        return compute_speed(report["received"], report["seconds"])


# -- slirp4netns ----------------------------------------------------------------------------------


def clock_slirp(way: str) -> Run:
    """A program of the kernel's inside and one outside, between whom slirp4netns ends both connections."""
    outside, inside = ("--listen", "127.0.0.1", "8000"), ("--connect", "10.0.2.2", "8000")
    with Lab() as lab, Lab() as far:
        server = far.peer(
            *(("send", *outside, *FLOWING) if way == OUTWARD else ("receive", *outside, *QUIET))
        )
        server.wait_ready()
        slirp = far.popen(
            *("slirp4netns", "--configure", "--mtu=1500", "--netns-type=path", "--ready-fd=1"),
            *(f"/run/netns/{lab.name}", "tap0"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert slirp.stdout is not None and slirp.stdout.read(1) == "1"
        meter = Meter(lab, slirp.pid)
        client = lab.peer(*(("receive", *inside, *QUIET) if way == OUTWARD else ("send", *inside, *FLOWING)))
        report = (client if way == OUTWARD else server).wait_report()
        run = meter.make_run(compute_speed(report["received"], report["seconds"]))
        slirp.kill()
        slirp.wait()
        return run


# -- PyTCP ----------------------------------------------------------------------------------------


def find_pytcp() -> str | None:
    """An interpreter that can run it, or None."""
    if not PACKAGES.is_dir():
        return None
    for path in list_interpreters():
        command = (path, "-I", "-c", LOAD_PYTCP, str(PACKAGES))
        if subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0:
            return path
    return None


def list_interpreters() -> Iterator[str]:
    """Those that may be able to: the one named, those on the path, those of pyenv."""
    for name in (os.environ.get("PYTCP_PYTHON", ""), "python3.14", "python3.13"):
        path = name and shutil.which(name)
        if path:
            yield path
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(pyenv.glob("versions/3.1[34].*/bin/python"), reverse=True))


def clock_pytcp(python: str, way: str) -> float:
    """The kernel and PyTCP over a TUN interface."""
    inward = way == "kernel to us"
    way, octets = ("in", SOME) if inward else ("out", FEW)
    with Lab() as lab:
        command = (python, "-I", "-O", "-c", RUN_PYTCP, str(PACKAGES), way, str(octets))
        program = lab.popen(
            *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert program.stdout is not None and program.stdin is not None
        program.stdout.readline()
        call_inside(lab.name, lambda: network.set_up("tun0", ("10.77.0.1/24",)))
        if not inward:
            server = lab.peer("receive", "--listen", "10.77.0.1", "8000", *QUIET)
            server.wait_ready()
        program.stdin.write("\n")
        program.stdin.flush()
        program.stdout.readline()
        if inward:
            send = ("send", "--connect", "10.77.0.2", "8000", *QUIET, "--octets", str(octets))
            lab.peer(*send).wait_report()
            came, seconds = program.stdout.readline().split()
            speed = compute_speed(int(came), float(seconds))
        else:
            report = server.wait_report()
            speed = compute_speed(report["received"], report["seconds"])
        program.kill()
        program.wait()
        return speed


# -- aioquic --------------------------------------------------------------------------------------


def clock_aioquic() -> float:
    """One stream from end to end, datagrams handed over in lists, packets of 1,500 octets.

    Raises ImportError where it is not installed.
    """
    from aioquic.quic.configuration import QuicConfiguration
    from aioquic.quic.connection import QuicConnection
    from aioquic.quic.events import HandshakeCompleted, StreamDataReceived

    common = {"alpn_protocols": ["x"], "max_datagram_size": 1_472, "max_data": SOME, "max_stream_data": SOME}
    there, here = QuicConfiguration(is_client=False, **common), QuicConfiguration(verify_mode=0, **common)
    there.certificate, there.private_key = make_certificate()
    client = QuicConnection(configuration=here)
    client.connect(SERVER, now=0.0)
    server = QuicConnection(
        configuration=there, original_destination_connection_id=client.original_destination_connection_id
    )
    octets, now, start = 0, 0.0, time.process_time()
    while octets < SOME:
        now += 0.001
        for one, other, address in ((client, server, CLIENT), (server, client, SERVER)):
            due = one.get_timer()
            if due is not None and due <= now:
                one.handle_timer(now)
            for datagram, _ in one.datagrams_to_send(now):
                other.receive_datagram(datagram, address, now)
            while event := other.next_event():
                if isinstance(event, StreamDataReceived):
                    octets += len(event.data)
                elif isinstance(event, HandshakeCompleted) and other is client:
                    start = time.process_time()
                    client.send_stream_data(0, bytes(SOME), end_stream=True)
    return compute_speed(octets, time.process_time() - start)


def make_certificate() -> tuple[Any, Any]:
    """One that nobody vouches for, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(datetime(2020, 1, 1)).not_valid_after(datetime(2120, 1, 1))
    return builder.sign(key, hashes.SHA256()), key


def clock_load() -> float:
    """Ours, in the same way: two hosts in one process, and lists between them."""
    load = Load()
    load.warm_up()
    (connection,) = load.server.connections
    best = 0.0
    for _ in range(ROUNDS):
        start, before = time.process_time(), load.server.status(connection).bytes_received
        load.run(10_000)
        octets = load.server.status(connection).bytes_received - before
        best = max(best, compute_speed(octets, time.process_time() - start))
    return best


# -- all ------------------------------------------------------------------------------------------


def measure() -> Table:
    """Ours beside all that is there, in turns; those that are slower by far, once."""
    table = Table("Ours, MPTCP, beside others: MTU 1,500, one connection, and the middle of its turns")
    rounds, python = Rounds("Mbit/s"), find_pytcp()
    slirp = shutil.which("slirp4netns") is not None
    costs: dict[str, list[Run]] = {}
    with ExitStack() as resources:
        labs = {road: resources.enter_context(road.open_lab()) for road in ROADS}
        for _ in range(ROUNDS):
            kernel = clock_kernel()
            for way in bench_tun.WAYS:
                theirs = clock_slirp(way) if slirp else None
                for road, lab in labs.items():
                    name, ours = f"{way}, {road.words}", clock_us(lab, road, way)
                    if theirs is not None:
                        rounds.add(name, ours.speed, "slirp4netns", theirs.speed, SLIRP)
                    if not road.offloads:
                        rounds.add(name, ours.speed, "kernel to kernel, TCP, veth, no offload", kernel)
                        if way == OUTWARD:
                            costs.setdefault(name, []).append(ours)
                if theirs is not None and way == OUTWARD:
                    costs.setdefault(f"{way}, slirp4netns", []).append(theirs)
        if python is not None:
            for way in bench_tun.WAYS:
                ours, theirs = clock_us(labs[PLAIN], PLAIN, way).speed, clock_pytcp(python, way)
                rounds.add(f"{way}, {PLAIN.words}", ours, "PyTCP", theirs, PYTCP)
    table.figures = sorted(rounds.find_middle(), key=lambda one: not one.name.startswith(INWARD))
    try:
        quic = statistics.median(clock_aioquic() for _ in range(ROUNDS))
    except ImportError:
        table.remarks.append("aioquic is not installed: skipped")
    else:
        table.figures.append(Figure("both ends in one process", clock_load(), "Mbit/s", "aioquic", quic))
    table.remarks += [say_cost(name, runs) for name, runs in sorted(costs.items())]
    if not slirp:
        table.remarks.append("slirp4netns is not installed: skipped")
    if python is None:
        table.remarks.append("PyTCP, or a Python that runs it, is not installed: skipped")
    return table


def say_cost(name: str, runs: list[Run]) -> str:
    """What a packet takes, and what that allows."""
    run = sorted(runs, key=lambda one: one.spent)[len(runs) // 2]
    return (
        f"{name}: a packet takes {run.spent:.1f} µs of the process, {run.system:.1f} of it in system calls, "
        f"which alone allow {8 * TEXT / run.system:,.0f} Mbit/s"
    )


if __name__ == "__main__":
    present(measure, needs_root=True)
