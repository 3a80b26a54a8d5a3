"""What connections cost that are open and have nothing to say: memory, and time of the host's beats.

``python tests/bench/bench_idle.py`` opens thousands of connections between two hosts, over which a few
octets went each way, and prints for each kind the octets of one end of one connection: the growth of the
process, and beside it those of Python's allocator. Then the time that one round of tick, transmit, events
and deadline takes in a host with as many idle connections, beside one with ten: it should be the same.
"""

import gc
import json
import subprocess
import sys
import time
import tracemalloc

from figures import Figure, Table, present

from mptcp.choices import Choices
from mptcp.host import Host
from mptcp.parameters import SECOND

CLIENT, SECOND_CLIENT, SERVER = bytes([10, 0, 0, 1]), bytes([10, 0, 1, 1]), bytes([10, 0, 0, 2])
MANY = 10_000
KINDS = {  # whether it is MPTCP, the client's addresses, and the octets that one end may take
    "TCP": (False, (CLIENT,), 8_192),
    "MPTCP": (True, (CLIENT,), 8_192),
    "MPTCP with 2 subflows": (True, (CLIENT, SECOND_CLIENT), 16_384),
}


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


def open_many(count: int, kind: str) -> tuple[Host, Host]:
    """Two hosts with ``count`` idle connections."""
    multipath, addresses, _ = KINDS[kind]
    choices = Choices(multipath=multipath)
    hosts = Host(addresses, bytes(32), choices), Host((SERVER,), bytes([1]) * 32, choices)
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
    for host in hosts:
        assert len(host.connections) == count
        assert all(len(one.control.branches) == len(addresses) for one in host.connections.values())
    return hosts


def read_resident() -> int:
    """Octets of memory that this process has."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def measure_growth(count: int, kind: str) -> float:
    """Octets of resident memory for one end of one connection."""
    open_many(10, kind)
    gc.collect()
    before = read_resident()
    hosts = open_many(count, kind)
    gc.collect()
    return (read_resident() - before) / count / len(hosts)


def measure_traced(count: int, kind: str) -> float:
    """Octets that Python's allocator gave out for one end of one connection."""
    open_many(10, kind)
    gc.collect()
    tracemalloc.start()
    hosts = open_many(count, kind)
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


def weigh(kind: str) -> list[float]:
    """All that there is to measure of one kind."""
    growth = measure_growth(MANY, kind)
    traced = measure_traced(1_000, kind)
    few, many = open_many(10, kind)[1], open_many(MANY, kind)[1]
    return [growth, traced, measure_round(few), measure_round(many)]


def measure() -> Table:
    """Each kind in a process of its own, so that memory is counted from the start."""
    table = Table(f"{MANY:,} idle connections: memory of one end of one, and a round of a host that has them")
    for kind, (_, _, limit) in KINDS.items():
        answer = subprocess.run([sys.executable, __file__, kind], stdout=subprocess.PIPE, check=True)
        growth, traced, few, many = json.loads(answer.stdout)
        table.figures += [
            Figure(kind, growth, "octets", "objects alone", traced, goal=limit),
            Figure(f"{kind}, a round", many, "µs", "with 10 connections", few),
        ]
    return table


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in KINDS:
        print(json.dumps(weigh(sys.argv[1])))
    else:
        present(measure)
