"""Small programs over the kernel's own MPTCP, for tests and demonstrations.

    python -m mptcp_stack.peers send     --listen 10.77.0.1 8000 --octets 1000000 --end half
    python -m mptcp_stack.peers receive  --connect 10.77.0.2 8000
    python -m mptcp_stack.peers echo     --listen fd77::1 8000 --tcp
    python -m mptcp_stack.peers exchange --connect 10.77.0.2 8000 --octets 5000

One connection each, or ``--count`` of them at once. The first line on standard output is {"port": …} as
soon as it listens or tries to connect, the last its report: what was sent and received (octets, SHA-256),
the seconds that took, whether MPTCP was spoken to the end, and the error it met, by its errno's name; of
many connections the sums, how many got back what they sent, and the first error.

Nothing but the standard library: it also runs by its path alone, on a machine without this project.
"""

import argparse
import ctypes
import errno
import hashlib
import json
import random
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, BinaryIO, Final, final

IPPROTO_MPTCP: Final = 262
SOL_MPTCP: Final = 284
MPTCP_INFO: Final = 1
MPTCP_TCPINFO: Final = 2
SUBFLOW_DATA: Final = struct.Struct("=IIII")  # its size, subflows, the kernel's size of a tcp_info, and ours
TCP_INFO: Final = 104  # octets of struct tcp_info, up to tcpi_total_retrans
MOST_SUBFLOWS: Final = 8
SYN_SENT: Final = b"\x02"  # of TCP_INFO's first octet
MPTCP_INFO_FALLBACK: Final = 1  # a bit of mptcpi_flags, the 32 bits after six octets and two of padding
TCP_FASTOPEN_CONNECT: Final = 30
CHUNK: Final = 65_536
LOOK: Final = 0.01  # seconds between two looks at the congestion windows


def generate(octets: int, seed: int) -> Iterator[bytes]:
    """``octets`` octets by chance, the same for the same seed, a chunk at a time."""
    source = random.Random(seed)
    while octets > 0:
        chunk = source.randbytes(min(octets, CHUNK))
        octets -= len(chunk)
        yield chunk


def repeat(seconds: float) -> Iterator[bytes]:
    """Zeros, for so long."""
    chunk, end = bytes(4 * CHUNK), time.monotonic() + seconds
    while time.monotonic() < end:
        yield chunk


def read_chunks(stream: BinaryIO) -> Iterator[bytes]:
    """A file, a chunk at a time."""
    while chunk := stream.read(CHUNK):
        yield chunk


@final
class Count:
    """Octets that went one way, and their SHA-256 (left out when there is no need: it costs time)."""

    def __init__(self, hashed: bool) -> None:
        self.octets = 0
        self._digest = hashlib.sha256() if hashed else None

    def add(self, chunk: bytes) -> None:
        """Count a chunk in."""
        self.octets += len(chunk)
        if self._digest is not None:
            self._digest.update(chunk)

    def hexdigest(self) -> str | None:
        """The SHA-256 so far."""
        return None if self._digest is None else self._digest.hexdigest()


@final
class Program:
    """One connection from its opening to its report."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options: Final = options
        self.sent: Final = Count(options.hash)
        self.received: Final = Count(options.hash)
        self.came: Final = threading.Event()  # the first octets did
        self.error: str | None = None
        self.windows: Final[list[tuple[int, int, int, int]]] = []
        self._is_over = threading.Event()
        self.started = self.finished = time.monotonic()

    def send(self, handle: socket.socket) -> None:
        """Send a file, or so many octets by chance, or the same ones over and over for some seconds."""
        if self.options.seconds:
            self.send_all(handle, repeat(self.options.seconds))
        elif self.options.file:
            with open(self.options.file, "rb") as stream:
                self.send_all(handle, read_chunks(stream))
        else:
            self.send_all(handle, generate(self.options.octets, self.options.seed))

    def send_all(self, handle: socket.socket, chunks: Iterator[bytes]) -> None:
        """Send the chunks."""
        for chunk in chunks:
            handle.sendall(chunk)
            self.sent.add(chunk)
            if self.options.in_turn and not self.came.wait(self.options.timeout):
                raise TimeoutError

    def receive(self, handle: socket.socket, limit: int | None = None) -> Iterator[bytes]:
        """The chunks that come, to the end of the stream or to ``limit`` octets; slowly if asked."""
        while limit is None or self.received.octets < limit:
            chunk = handle.recv(self.options.chunk)
            if not chunk:
                return
            self.received.add(chunk)
            self.came.set()
            yield chunk
            if self.options.pause:
                time.sleep(self.options.pause)

    def save(self, handle: socket.socket, limit: int | None = None) -> None:
        """Receive into a file, or into nothing."""
        if self.options.out:
            with open(self.options.out, "wb") as stream:
                for chunk in self.receive(handle, limit):
                    stream.write(chunk)
        else:
            for _ in self.receive(handle, limit):
                pass

    def act(self, handle: socket.socket) -> None:
        """What the program is for."""
        action = self.options.action
        if action == "send":
            self.send(handle)
        elif action == "receive":
            time.sleep(self.options.sleep)
            self.save(handle, self.options.limit)
        elif action == "echo":
            self.send_all(handle, self.receive(handle))
        elif action == "answer":
            self.save(handle)
            self.send(handle)
        else:
            reading = threading.Thread(target=self.read_aside, args=(handle,))
            reading.start()
            self.send(handle)
            handle.shutdown(socket.SHUT_WR)
            reading.join()

    def read_aside(self, handle: socket.socket) -> None:
        """The other half of an exchange."""
        try:
            self.save(handle)
        except OSError as error:
            self.error = explain(error)

    def end(self, handle: socket.socket) -> None:
        """End the connection in the way that was asked for."""
        end = self.options.end
        if self.options.fast_open:
            wait_established(handle)
        if end == "half":
            handle.shutdown(socket.SHUT_WR)
        if end in ("half", "last") and self.options.action == "send":
            self.save(handle)
        if end == "abort":
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if end == "unread":
            select.select([handle], [], [], self.options.timeout)

    def run(self, open_socket: Callable[[], socket.socket]) -> dict[str, Any]:
        """All of it; the report."""
        multipath = False
        try:
            with open_socket() as handle:
                handle.settimeout(self.options.timeout)
                self.started = time.monotonic()
                if self.options.windows:
                    threading.Thread(target=self.watch, args=(handle,), daemon=True).start()
                try:
                    self.act(handle)
                    self.end(handle)
                finally:
                    self._is_over.set()
                    self.finished = time.monotonic()
                    multipath = is_multipath(handle)
        except OSError as error:
            self.error = explain(error)
        return {
            "sent": self.sent.octets,
            "sent_sha256": self.sent.hexdigest(),
            "received": self.received.octets,
            "received_sha256": self.received.hexdigest(),
            "seconds": round(self.finished - self.started, 6),
            "mptcp": multipath,
            "error": self.error,
            **({"windows": self.windows} if self.options.windows else {}),
        }

    def watch(self, handle: socket.socket) -> None:
        """Note each change of a congestion window until all is over: time of day in µs, subflow, octets."""
        before: dict[int, tuple[int, int]] = {}
        while not self._is_over.wait(LOOK):
            now = time.time_ns() // 1_000
            for number, window in enumerate(read_windows(handle)):
                if before.get(number) != window:
                    before[number] = window
                    self.windows.append((now, number, *window))


def run_many(options: argparse.Namespace, open_socket: Callable[[], socket.socket]) -> dict[str, Any]:
    """Many connections at once, each on a thread of its own; the report of them all."""
    reports: list[dict[str, Any]] = []

    def run(number: int) -> None:
        seed = argparse.Namespace(**{**vars(options), "seed": options.seed + number})
        reports.append(Program(seed).run(open_socket))

    began = time.monotonic()
    threads = [threading.Thread(target=run, args=(number,)) for number in range(options.count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "sent": sum(one["sent"] for one in reports),
        "received": sum(one["received"] for one in reports),
        "whole": sum(one["sent_sha256"] == one["received_sha256"] for one in reports),
        "seconds": round(time.monotonic() - began, 6),
        "mptcp": all(one["mptcp"] for one in reports),
        "error": next((one["error"] for one in reports if one["error"]), None),
    }


def make_socket(options: argparse.Namespace) -> tuple[socket.socket, Any]:
    """A socket as the options want it, and the address of --listen or --connect."""
    host, port = options.listen or options.connect
    family, _, _, _, address = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0]
    protocol = socket.IPPROTO_TCP if options.tcp else IPPROTO_MPTCP
    handle = socket.socket(family, socket.SOCK_STREAM, protocol)
    handle.settimeout(options.timeout)
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if options.receive_buffer:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options.receive_buffer)
    return handle, address


def connect(options: argparse.Namespace) -> socket.socket:
    """A connection of ours."""
    handle, address = make_socket(options)
    if options.source or options.source_port:
        handle.bind((options.source or "", options.source_port))
    if options.fast_open:
        handle.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)  # SYN leaves with the first text
    handle.connect(address)
    return handle


def listen(options: argparse.Namespace) -> socket.socket:
    """A listener."""
    handle, address = make_socket(options)
    handle.bind(address)
    if options.fast_open:
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, options.backlog)
    handle.listen(options.backlog)
    return handle


def main(arguments: list[str]) -> int:
    """The command line; the exit status."""
    options = parse_arguments(arguments)
    run = Program(options).run if options.count == 1 else partial(run_many, options)
    if options.connect:
        say({"port": int(options.connect[1])})
        report = run(partial(connect, options))
    else:
        try:
            listener = listen(options)
        except OSError as error:
            print(f"peers: {error.strerror}", file=sys.stderr)
            return 1
        say({"port": listener.getsockname()[1]})
        with listener:  # as long as there are connections: without it the kernel refuses joins
            report = run(lambda: listener.accept()[0])
    say(report)
    return 0 if report["error"] is None else 1


def wait_established(handle: socket.socket) -> None:
    """After a fast open: closing one half of a connection that is not there yet would end all of it."""
    while handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == SYN_SENT:
        time.sleep(0.001)


def is_multipath(handle: socket.socket) -> bool:
    """Whether the kernel speaks MPTCP on this connection and has not fallen back to TCP."""
    try:
        info = handle.getsockopt(SOL_MPTCP, MPTCP_INFO, 16)
    except OSError:
        return False
    return not struct.unpack_from("=I", info, 8)[0] & MPTCP_INFO_FALLBACK


def read_windows(handle: socket.socket) -> list[tuple[int, int]]:
    """Congestion window and slow-start threshold of each subflow, octets; nothing without MPTCP."""
    room = SUBFLOW_DATA.size + MOST_SUBFLOWS * TCP_INFO
    buffer = ctypes.create_string_buffer(SUBFLOW_DATA.pack(SUBFLOW_DATA.size, 0, 0, TCP_INFO), room)
    length = ctypes.c_uint(room)
    library = ctypes.CDLL(None)
    if library.getsockopt(handle.fileno(), SOL_MPTCP, MPTCP_TCPINFO, buffer, ctypes.byref(length)):
        return []
    count = min(SUBFLOW_DATA.unpack_from(buffer)[1], MOST_SUBFLOWS)
    windows = []
    for start in range(SUBFLOW_DATA.size, SUBFLOW_DATA.size + count * TCP_INFO, TCP_INFO):
        (mss,) = struct.unpack_from("=I", buffer, start + 16)
        threshold, window = struct.unpack_from("=II", buffer, start + 76)
        windows.append((window * mss, threshold * mss))
    return windows


def explain(error: OSError) -> str:
    """An error's name: "ECONNRESET"."""
    if isinstance(error, TimeoutError) and error.errno is None:
        return "ETIMEDOUT"
    return errno.errorcode.get(error.errno or 0, str(error))


def say(report: dict[str, Any]) -> None:
    """One line of JSON."""
    print(json.dumps(report), flush=True)


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="peers", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("action", choices=("send", "receive", "echo", "answer", "exchange"))
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--listen", nargs=2, metavar=("ADDRESS", "PORT"))
    where.add_argument("--connect", nargs=2, metavar=("ADDRESS", "PORT"))
    parser.add_argument("--source", metavar="ADDRESS", help="connect from this address")
    parser.add_argument("--source-port", type=int, default=0, help="and from this port")
    parser.add_argument("--count", type=int, default=1, help="how many connections at once")
    parser.add_argument("--fast-open", action="store_true", help="text in the SYN (RFC 7413)")
    parser.add_argument("--receive-buffer", type=int, default=0, help="octets of SO_RCVBUF")
    parser.add_argument("--backlog", type=int, default=16)
    parser.add_argument("--octets", type=int, default=1, help="how many to send")
    parser.add_argument("--in-turn", action="store_true", help="exchange: wait for octets after the first")
    parser.add_argument("--seed", type=int, default=1, help="of what is sent by chance")
    parser.add_argument("--file", help="send this file instead")
    parser.add_argument("--seconds", type=float, default=0, help="send zeros for so long instead")
    parser.add_argument("--out", help="save what is received here")
    parser.add_argument("--limit", type=int, help="stop receiving after so many octets")
    parser.add_argument(
        "--end",
        choices=("close", "half", "last", "abort", "unread"),
        default="close",
        help="close at once; close one half and read on; let the peer close first; reset; close unread",
    )
    parser.add_argument("--chunk", type=int, default=CHUNK, help="octets per read")
    parser.add_argument("--pause", type=float, default=0, help="seconds to wait after each read")
    parser.add_argument("--sleep", type=float, default=0, help="seconds to wait before the first read")
    parser.add_argument("--timeout", type=float, default=60, help="seconds to wait for anything")
    parser.add_argument("--tcp", action="store_true", help="plain TCP")
    parser.add_argument("--windows", action="store_true", help="report the congestion windows, too")
    parser.add_argument("--no-hash", dest="hash", action="store_false", help="leave the SHA-256 out")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
