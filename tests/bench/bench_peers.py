"""Others in the same run: the kernel's TCP, slirp4netns, PyTCP and aioquic; whoever is absent is named.

slirp4netns (C) and PyTCP speak TCP with the kernel over a TAP or TUN interface in packets of 1,500 octets, as
we speak MPTCP with it; of slirp4netns, what it forwards ends on the loopback of a second namespace. aioquic
and we move octets between two ends in one process, with no device: it encrypts, and we do not. ``make peers``
fetches what can be fetched. PyTCP needs Python 3.14, or 3.13 and two changes to its text, which are made as
it is loaded: ``PYTCP_PYTHON`` names the interpreter. ``python tests/bench/bench_peers.py`` prints the table,
as root.
"""

import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import bench_tun
from bench_tun import PLAIN, compute_speed
from figures import Figure, Table, present

from mptcp_model.loads import Load
from mptcp_stack import network
from mptcp_stack.lab import Lab
from mptcp_stack.namespace import call_inside

ROUNDS = 3  # the median counts
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


def clock_us() -> dict[str, float]:
    """Both ways, packets of the path."""
    with PLAIN.open_lab() as lab:
        return {
            name: statistics.median(clock(lab, PLAIN, False) for _ in range(ROUNDS))
            for name, clock in bench_tun.WAYS.items()
        }


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


def clock_slirp(way: str) -> float:
    """A program of the kernel's inside and one outside, between whom slirp4netns ends both connections."""
    outside, inside = ("--listen", "127.0.0.1", "8000"), ("--connect", "10.0.2.2", "8000")
    with Lab() as lab, Lab() as far:
        inward = way == "us to kernel"
        server = far.peer(*(("send", *outside, *FLOWING) if inward else ("receive", *outside, *QUIET)))
        server.wait_ready()
        slirp = far.popen(
            *("slirp4netns", "--configure", "--mtu=1500", "--netns-type=path", "--ready-fd=1"),
            *(f"/run/netns/{lab.name}", "tap0"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert slirp.stdout is not None and slirp.stdout.read(1) == "1"
        client = lab.peer(*(("receive", *inside, *QUIET) if inward else ("send", *inside, *FLOWING)))
        report = (client if inward else server).wait_report()
        slirp.kill()
        slirp.wait()
        return compute_speed(report["received"], report["seconds"])


# -- PyTCP ----------------------------------------------------------------------------------------


def find_pytcp() -> str | None:
    """An interpreter that can run it, or None."""
    if not PACKAGES.is_dir():
        return None
    for name in (os.environ.get("PYTCP_PYTHON"), "python3.14", "python3.13"):
        path = name and shutil.which(name)
        command = (path or "", "-I", "-c", LOAD_PYTCP, str(PACKAGES))
        if path and subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0:
            return path
    return None


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


def find_median(clock: Callable[..., float], *arguments: str) -> float:
    """Of a few runs, the one in the middle."""
    return statistics.median(clock(*arguments) for _ in range(ROUNDS))


def measure() -> Table:
    """Ours beside all that is there."""
    table, python = Table("Ours, MPTCP, beside others: packets of 1,500 octets, one connection"), find_pytcp()
    kernel = find_median(clock_kernel)
    for way, ours in clock_us().items():
        table.figures.append(Figure(way, ours, "Mbit/s", "kernel to kernel, TCP, veth, GSO off", kernel))
        if shutil.which("slirp4netns") is not None:
            theirs = find_median(clock_slirp, way)
            table.figures.append(Figure(way, ours, "Mbit/s", "slirp4netns", theirs, goal_ratio=SLIRP))
        if python is not None:
            theirs = clock_pytcp(python, way)
            table.figures.append(Figure(way, ours, "Mbit/s", "PyTCP", theirs, goal_ratio=PYTCP))
    try:
        quic = find_median(clock_aioquic)
    except ImportError:
        table.remarks.append("aioquic is not installed: skipped")
    else:
        table.figures.append(Figure("both ends in one process", clock_load(), "Mbit/s", "aioquic", quic))
    if shutil.which("slirp4netns") is None:
        table.remarks.append("slirp4netns is not installed: skipped")
    if python is None:
        table.remarks.append("PyTCP, or a Python that runs it, is not installed: skipped")
    return table


if __name__ == "__main__":
    present(measure, needs_root=True)
