"""Records: a copy has the same key, and a life of its own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mptcp.agenda import Agenda
from mptcp.chance import Chance
from mptcp.choices import ECN_ACCEPT, Choices
from mptcp.congestion.controller import Controller, Window
from mptcp.congestion.coupling import Coupling
from mptcp.congestion.cubic import Cubic
from mptcp.congestion.lia import Lia, LinkedIncreases
from mptcp.congestion.newreno import NewReno
from mptcp.connection.book import Book, Local, Remote
from mptcp.connection.connection import Connection
from mptcp.connection.control import Branch
from mptcp.connection.control import Control as ConnectionControl
from mptcp.connection.news import Told
from mptcp.connection.spans import Spans
from mptcp.destinations import Destinations
from mptcp.fast_open import FastOpens
from mptcp.host import Host
from mptcp.interfaces import Interfaces
from mptcp.intervals import Intervals
from mptcp.journal import Journal
from mptcp.known_paths import KnownPaths
from mptcp.listeners import Listeners
from mptcp.multihomed import Multihomed
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.paths.fullmesh import FullMesh
from mptcp.paths.manager import PathManager
from mptcp.ports import Ports
from mptcp.queue import Queue
from mptcp.registry import Registry
from mptcp.scheduler.lowest_rtt import LowestRtt
from mptcp.scheduler.scheduler import Scheduler
from mptcp.subflow.blocks import Blocks
from mptcp.subflow.control import Control as SubflowControl
from mptcp.subflow.ecn import Ecn
from mptcp.subflow.path_mtu import Finding, PathMtu
from mptcp.subflow.phase import Episode
from mptcp.subflow.scoreboard import Rack, Scoreboard
from mptcp.subflow.subflow import Subflow
from mptcp.values import Record, Text
from mptcp.wire.segment import ACK, CWR, ECE, SYN
from mptcp_model.dialogue import DataSignal
from mptcp_model.situations import Scene, established, established_actively


def make_intervals() -> Intervals:
    """With two runs and a hole."""
    intervals = Intervals(1)
    intervals.insert(5, Text(b"hello", 0, 5))
    intervals.insert(20, Text(bytes(1_000), 0, 1_000))
    return intervals


def make_queue() -> Queue:
    """With a released front."""
    queue = Queue(1)
    queue.append(Text(bytes(400), 0, 400))
    queue.append(Text(bytes(500), 0, 500))
    queue.release(401)
    return queue


def make_scene() -> Scene:
    """A connection in the thick of it: text unread, unsent, unacknowledged, out of order, unmapped."""
    user, peer = established(multipath=True, rtt=50 * MILLISECOND, window=5_000)
    peer.sends(ACK, text=b"hello", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    peer.sends(ACK, text=b"later", options=[DataSignal(ack=1, dsn=20, ssn=6, length=5)])
    peer.sends(ACK, text=b"hole", seq=30, options=[DataSignal(ack=1, dsn=40, ssn=30, length=9)])
    user.writes(bytes(20_000))
    peer.skips()
    return user, peer


def make_host() -> Host:
    """A host with a listener and a connection."""
    return make_scene()[0].host


def make_blocks() -> Blocks:
    """Two runs and a duplicate."""
    blocks = Blocks()
    blocks.add(10, 20)
    blocks.add(30, 40)
    blocks.duplicate = (12, 15)
    return blocks


def make_scoreboard() -> Scoreboard:
    """Something of everything."""
    board = Scoreboard()
    for start in range(1, 100, 10):
        board.send(start, start + 10, 10, start)
    board.sack(31, 61)
    board.lose(1)
    board.lose(2)
    board.resend(11, 21, 200, True)
    return board


def make_path() -> PathMtu:
    """A probe is out, and a router said something else."""
    path = PathMtu(True, 1_460)
    path.turn(Finding.BLACK_HOLE)
    path.start_test(1_300, 1, 1_241, True)
    path.claimed, path.claimed_at = 1_280, 1
    return path


def make_known_paths() -> KnownPaths:
    """One path."""
    known = KnownPaths()
    tcb = make_connection().control.branches[0].subflow.tcb
    tcb.path.size = 1_400
    known.learn(tcb, 0)
    return known


def make_ecn() -> Ecn:
    """Agreed, and reduced."""
    ecn = Ecn()
    ecn.take_syn(SYN | ECE | CWR, True, ECN_ACCEPT)
    ecn.note_reduction(1_000)
    return ecn


def make_connection() -> Connection:
    host = make_host()
    return next(iter(host.connections.values()))


def make_spans() -> Spans:
    """Two stretches."""
    spans = Spans()
    spans.add(1, 10)
    spans.add(20, 30)
    return spans


def make_branch() -> Branch:
    return make_connection().control.branches[0]


FACTORIES: dict[type[Record], Callable[[], Record]] = {
    Blocks: make_blocks,
    Book: lambda: make_connection().control.book,
    Branch: make_branch,
    Episode: lambda: Episode(1, 1_000),
    Rack: Rack,
    Scoreboard: make_scoreboard,
    Ecn: make_ecn,
    KnownPaths: make_known_paths,
    PathMtu: make_path,
    Chance: lambda: Chance(bytes(32)),
    Connection: make_connection,
    ConnectionControl: lambda: make_connection().control,
    Controller: Controller,
    Coupling: Coupling,
    Cubic: Cubic,
    Agenda: lambda: make_host().agenda,
    FastOpens: lambda: make_host().fast_opens,
    Host: make_host,
    FullMesh: FullMesh,
    Interfaces: lambda: make_host().interfaces,
    Intervals: make_intervals,
    Destinations: lambda: make_host().destinations,
    Lia: lambda: Lia(Cubic()),
    LinkedIncreases: LinkedIncreases,
    Local: lambda: make_connection().control.book.locals[0],
    Listeners: lambda: make_host().listeners,
    LowestRtt: LowestRtt,
    NewReno: NewReno,
    PathManager: PathManager,
    Ports: lambda: make_host().ports,
    Queue: make_queue,
    Remote: lambda: make_connection().control.book.remotes[0],
    Registry: lambda: Registry(make_host().interfaces.addresses, bytes(32)),
    Multihomed: lambda: Multihomed(make_host().interfaces.addresses, bytes(32)),
    Scheduler: Scheduler,
    Spans: make_spans,
    Subflow: lambda: make_branch().subflow,
    SubflowControl: lambda: make_branch().subflow.tcb,
    Told: Told,
    Window: lambda: Window(1_460),
}
KINDS = sorted(FACTORIES, key=lambda kind: (kind.__module__, kind.__name__))


def find_kinds(base: type[Record]) -> Iterator[type[Record]]:
    """All records of the protocol."""
    for kind in base.__subclasses__():
        if kind.__module__.split(".")[0] == "mptcp":
            yield kind
        yield from find_kinds(kind)


def find_parts(thing: object) -> Iterator[object]:
    """Everything in ``thing`` that can change: records, lists, dicts and sets, itself included."""
    if isinstance(thing, Record):
        yield thing
        for name in thing.FIELDS:
            yield from find_parts(getattr(thing, name))
    elif isinstance(thing, (list, set, dict)):
        yield thing
        for one in thing.values() if isinstance(thing, dict) else thing:
            yield from find_parts(one)
    elif isinstance(thing, tuple):
        for one in thing:
            yield from find_parts(one)


def is_hashable(thing: object) -> bool:
    """Whether ``thing`` is made of what an explorer can put into a set."""
    try:
        hash(thing)
    except TypeError:
        return False
    return True


def test_no_record_is_missing() -> None:
    """Whoever adds a record adds it here."""
    assert set(find_kinds(Record)) == set(FACTORIES)


@pytest.mark.parametrize("kind", KINDS, ids=lambda one: f"{one.__module__}.{one.__name__}")
def test_copy_has_the_same_key(kind: type[Record]) -> None:
    """Equal keys, and these are plain tuples that hash."""
    record = FACTORIES[kind]()
    twin = record.copy()
    assert type(twin) is kind
    assert twin.key() == record.key()
    assert is_hashable(record.key())
    assert repr(twin) == repr(record)


@pytest.mark.parametrize("kind", KINDS, ids=lambda one: f"{one.__module__}.{one.__name__}")
def test_copy_shares_nothing_that_changes(kind: type[Record]) -> None:
    """No part of the copy that could change is a part of the original: a tree, and another tree."""
    record = FACTORIES[kind]()
    twin = record.copy()
    parts = [id(part) for part in find_parts(record)]
    assert len(parts) == len(set(parts))  # a tree: nothing hangs in two places
    assert not set(parts) & {id(part) for part in find_parts(twin)}
    for name in kind.SHARED:
        assert getattr(twin, name) is getattr(record, name)


@pytest.mark.parametrize("kind", KINDS, ids=lambda one: f"{one.__module__}.{one.__name__}")
def test_every_field_counts(kind: type[Record]) -> None:
    """A field that changes changes the key, and only of the one it changed in."""
    record = FACTORIES[kind]()
    key = record.key()
    for name in kind.FIELDS:
        twin = record.copy()
        found: Any = getattr(twin, name)
        if isinstance(found, bool):
            setattr(twin, name, not found)
        elif isinstance(found, int):
            setattr(twin, name, found + 1)
        elif isinstance(found, str):
            setattr(twin, name, found + "x")
        elif isinstance(found, bytes):
            setattr(twin, name, found + b"x")
        else:
            continue
        if (kind, name) != (Intervals, "held"):  # it follows from the pieces
            assert twin.key() != key, name
        assert record.key() == key


@pytest.mark.parametrize("situation", [make_scene, established, established_actively])
def test_a_host_can_be_rewound(situation: Callable[[], Scene]) -> None:
    """The copy of a host does what the host does, from there on, and neither moves the other."""
    user, peer = situation()
    host = user.host
    twin = host.copy()
    key = twin.key()
    packets = run(host, user.connection)
    assert host.key() != key
    assert twin.key() == key
    assert run(twin, user.connection) == packets
    assert twin.key() == host.key()


def run(host: Host, connection: int) -> list[bytes]:
    """What a host sends in the minute after its user wrote, read, and closed."""
    packets: list[bytes] = []
    now = 10 * SECOND
    host.write(connection, b"more", now)
    host.read(connection, 3, now)
    host.close(connection, now)
    while True:
        packets += [one.octets() for one in host.transmit(now)]
        host.events()
        due = host.deadline()
        if due is None or due > 70 * SECOND:
            return packets
        now = max(now, due)
        host.tick(now)


def test_shared_is_left_out_of_the_key() -> None:
    """Who only watches makes no difference: two hosts with other journals have one key."""
    addresses, seed = (bytes([10, 0, 0, 1]),), bytes(32)
    noted = Host(addresses, seed, Choices(), Journal(100))
    silent = Host(addresses, seed, Choices())
    for host in (noted, silent):
        host.connect(addresses[0], bytes([10, 0, 0, 2]), 80, 0)
        host.transmit(0)
    assert noted.key() == silent.key()
    assert noted.journal.notes and not silent.journal.notes
