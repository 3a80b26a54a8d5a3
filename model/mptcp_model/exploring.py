"""All that can happen to two hosts and a channel that loses and reorders: a finite exploration.

A ``World`` is the two hosts, what is on its way between them, and the time; it branches by copies and is
known again by its key. ``explore`` walks every way through deliveries in any order and a few losses;
``settle`` goes on from one world without any more, and must end with both hosts done and all read.
"""

from collections import deque
from typing import Final

from mptcp.choices import Choices
from mptcp.events import Aborted, Accepted, Closed, Event
from mptcp.host import Host
from mptcp.parameters import SECOND
from mptcp.values import Micros
from mptcp_model.state import State

CLIENT: Final = bytes([10, 0, 0, 1])
SERVER: Final = bytes([10, 0, 0, 2])
PORT: Final = 80
QUESTION: Final = b"abc"
ANSWER: Final = b"xyz"
TRIP: Final[Micros] = 10_000  # from one host to the other
PATIENCE: Final = 400  # steps in which two hosts that lose nothing are done


class World(State):
    """Two hosts, ``air``: (to whom, packet) on its way, oldest first; ``losses`` that may still happen."""

    FIELDS = ("client", "server", "air", "now", "losses", "handles", "read")

    def __init__(self, losses: int = 0) -> None:
        self.client: Host | None = None
        self.server: Host | None = None
        self.air: list[tuple[int, bytes]] = []
        self.now: Micros = 0
        self.losses = losses
        self.handles = [0, 0]  # of the connection: the client's, the server's
        self.read = [b"", b""]

    def hosts(self) -> list[Host]:
        """The client and the server."""
        assert self.client is not None and self.server is not None
        return [self.client, self.server]


def begin(losses: int, multipath: bool, closes: bool = True) -> World:
    """The client opens, writes and closes; the server does the same once it is connected."""
    choices = Choices(multipath=multipath, syn_attempts=4, retransmissions=5, time_wait=SECOND)
    world = World(losses)
    world.client = Host((CLIENT,), bytes(range(32)), choices)
    world.server = Host((SERVER,), bytes(range(32, 64)), choices)
    world.server.listen(None, PORT)
    world.handles[0] = world.client.connect(CLIENT, SERVER, PORT, 0, 40_000)
    world.client.write(world.handles[0], QUESTION, 0)
    if closes:
        world.client.close(world.handles[0], 0)
    hear(world)
    return world


def hear(world: World) -> None:
    """Both hosts say what they have to say; both users do what is left to do."""
    for number, host in enumerate(world.hosts()):
        events = host.events()
        for event in events:
            take_event(world, number, event)
        handle = world.handles[number]
        if handle in host.connections:
            world.read[number] += host.read(handle, 1 << 16, world.now)
        for event in events:
            if isinstance(event, (Closed, Aborted)):
                host.forget(handle)
                world.handles[number] = 0
        for one in host.transmit(world.now):
            world.air.append((1 - number, one.octets()))


def take_event(world: World, number: int, event: Event) -> None:
    """The server writes back and closes as soon as somebody is there."""
    if isinstance(event, Accepted):
        world.handles[number] = event.connection
        server = world.hosts()[number]
        server.write(event.connection, ANSWER, world.now)
        server.close(event.connection, world.now)


def deliver(world: World, index: int) -> World:
    """The packet at ``index`` arrives."""
    after = world.copy()
    to, packet = after.air.pop(index)
    after.now += TRIP
    after.hosts()[to].receive(packet, after.now)
    hear(after)
    return after


def lose(world: World, index: int) -> World:
    """The packet at ``index`` is lost."""
    after = world.copy()
    del after.air[index]
    after.losses -= 1
    return after


def wait(world: World) -> World | None:
    """Time passes up to the next clock of either host; None if there is none."""
    due = [at for host in world.hosts() if (at := host.deadline()) is not None]
    if not due:
        return None
    after = world.copy()
    after.now = max(after.now, min(due))
    for host in after.hosts():
        host.tick(after.now)
    hear(after)
    return after


def is_done(world: World) -> bool:
    """Nothing is on its way, nothing is waited for, and no connection is left."""
    hosts = world.hosts()  # asked for its deadline, a host lets go of what is over
    return not world.air and all(host.deadline() is None and not host.connections for host in hosts)


def settle(world: World, known: set[int]) -> None:
    """Go on without a loss, in order, until both are done; AssertionError if that never happens.

    ``known`` are worlds that were seen to come to their end; those on the way are added.
    """
    way: list[int] = []
    for _ in range(PATIENCE):
        way.append(compute_key(world))
        if way[-1] in known:
            break
        if is_done(world):
            assert world.read == [ANSWER, QUESTION], f"what was read is {world.read}"
            break
        after = deliver(world, 0) if world.air else wait(world)
        assert after is not None, "a connection is left that waits for nothing"
        world = after
    else:
        raise AssertionError("two hosts that lose nothing any more do not come to an end")
    known.update(way)


def list_next(world: World) -> list[World]:
    """All that can happen next: one of the first two packets arrives or is lost; with none, time passes."""
    after: list[World] = []
    for index in range(min(2, len(world.air))):
        after.append(deliver(world, index))
        if world.losses > 0:
            after.append(lose(world, index))
    if not world.air and (later := wait(world)) is not None:
        after.append(later)
    return after


def explore(first: World, most: int) -> list[World]:
    """Worlds that can come after ``first``, each once, nearest first; at most ``most`` of them."""
    known = {compute_key(first)}
    found = [first]
    waiting = deque(found)
    while waiting and len(found) < most:
        for after in list_next(waiting.popleft()):
            key = compute_key(after)
            if key not in known:
                known.add(key)
                found.append(after)
                waiting.append(after)
    return found


def compute_key(world: World) -> int:
    """Equal for worlds that are the same."""
    return hash(world.key())
