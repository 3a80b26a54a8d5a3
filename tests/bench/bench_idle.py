"""What connections cost that are open and have nothing to say: memory, and time of the host's beats.

``python tests/bench/bench_idle.py`` opens thousands of connections between two hosts, over which a few
octets went each way, and prints for each kind the octets of one end of one connection: those of Python's
allocator, and the growth of the process. Then the time that one round of tick, transmit, events and
deadline takes in a host with as many idle connections, beside one with ten: it should be the same.
"""

import gc
import subprocess
import sys
import time
import tracemalloc

import mptcp
from mptcp.choices import Choices
from mptcp.host import Host
from mptcp.parameters import SECOND

CLIENT, SERVER = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
MANY = 10_000
LIMIT = 8_192  # octets for one end, compiled


def settle(hosts: tuple[Host, Host], now: int) -> None:
    """Carry packets between the two until neither has any."""
    while True:
        count = 0
        for one, other in (hosts, hosts[::-1]):
            one.tick(now)
            for packet in one.transmit(now):
                other.receive(packet.octets(), now)
                count += 1
        if count == 0:
            return


def open_many(count: int, multipath: bool) -> tuple[Host, Host]:
    """Two hosts with ``count`` idle connections."""
    choices = Choices(multipath=multipath)
    hosts = Host((CLIENT,), bytes(32), choices), Host((SERVER,), bytes([1]) * 32, choices)
    listeners = [hosts[1].listen(None, 80 + port) for port in range(1 + count // 10_000)]
    for number in range(count):
        connection = hosts[0].connect(CLIENT, SERVER, 80 + number % len(listeners), 0)
        hosts[0].write(connection, b"request", 0)
        settle(hosts, 0)
        hosts[0].events()
        for event in hosts[1].events():
            if hasattr(event, "listener"):
                hosts[1].read(event.connection, 100, 0)
                hosts[1].write(event.connection, b"response", 0)
        settle(hosts, 0)
        hosts[0].read(connection, 100, 0)
        hosts[0].events()
        hosts[1].events()
    for now in (SECOND, 10 * SECOND, 60 * SECOND):
        settle(hosts, now)
        for host in hosts:
            host.events()
    assert hosts[0].deadline() is None and hosts[1].deadline() is None
    assert len(hosts[0].connections) == len(hosts[1].connections) == count
    return hosts


def read_resident() -> int:
    """Octets of memory that this process has."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def measure_growth(count: int, multipath: bool) -> float:
    """Octets of resident memory for one end of one connection."""
    open_many(10, multipath)
    gc.collect()
    before = read_resident()
    hosts = open_many(count, multipath)
    gc.collect()
    return (read_resident() - before) / count / len(hosts)


def measure_traced(count: int, multipath: bool) -> float:
    """Octets that Python's allocator gave out for one end of one connection."""
    open_many(10, multipath)
    gc.collect()
    tracemalloc.start()
    hosts = open_many(count, multipath)
    gc.collect()
    traced = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return traced / count / len(hosts)


def measure_round(host: Host) -> float:
    """Microseconds of one round of a host to which nothing happens: the fastest of many."""
    best = float("inf")
    for _ in range(200):
        start = time.perf_counter()
        for now in range(100 * SECOND, 100 * SECOND + 100):
            host.tick(now)
            host.transmit(now)
            host.events()
            host.deadline()
        best = min(best, (time.perf_counter() - start) / 100)
    return best * 1e6


def report(name: str) -> None:
    """One row: a process of its own, so that memory is counted from the start."""
    multipath = name == "MPTCP"
    growth = measure_growth(MANY, multipath)
    traced = measure_traced(1_000, multipath)
    few, many = open_many(10, multipath)[1], open_many(MANY, multipath)[1]
    print(
        f"{name:6} {traced:9,.0f} {growth:9,.0f} {measure_round(few):9.2f} {measure_round(many):9.2f}",
        flush=True,
    )
    if mptcp.build() == "compiled" and max(traced, growth) > LIMIT:
        sys.exit(f"an idle connection takes more than {LIMIT:,} octets")


def main() -> None:
    """Print the table."""
    if len(sys.argv) > 1:
        report(sys.argv[1])
        return
    print(f"{MANY:,} idle connections, {mptcp.build()} build")
    print("       octets of one end    µs of one round with")
    print(f"        objects  resident        10 {MANY:>9,}")
    for name in ("TCP", "MPTCP"):
        subprocess.run([sys.executable, __file__, name], check=True)


if __name__ == "__main__":
    main()
