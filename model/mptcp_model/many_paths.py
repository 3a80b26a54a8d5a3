"""Two hosts with up to four paths between them, which die and return, and addresses that come and go.

Path number i begins at address i of each end: a packet goes the path of its source address, there it
waits behind those that went before it, and what is on a path when it dies is lost. In the end either
all is well again, or one path alone; where there is a way that the ends can know of, both
applications come to an end, and soon.

Needs hypothesis, the `prove` extra; tests make machines of it.
"""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from mptcp.choices import ACCEPT, CUBIC, NEWRENO, REQUIRE, Choices
from mptcp.connection.control import Mode
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.values import Address, Micros
from mptcp.wire.options import Option
from mptcp_model.adversary import KINDS, Adversary, AdversaryWithChecksums
from mptcp_model.ladder import Note
from mptcp_model.pair import End, Pair, make_choices
from mptcp_model.simulated.machine import get_source
from mptcp_model.simulated.network import ipv4, ipv6

PATHS = 4

SOON = 300 * SECOND
"""For how long both ends may go on after all is well: the longest back-offs of a path and of a join."""

choices = st.builds(
    make_choices,
    versions=st.sampled_from([(1, 1), (1, 1), (1, 0), (0, 0)]),
    checksum=st.sampled_from([ACCEPT, REQUIRE]),
    announce=st.booleans(),
    subflows=st.just(64),
    fast_close_by_ack=st.booleans(),
    narrow_numbers=st.booleans(),
    receive_buffer=st.sampled_from([3_000, 20_000, 100_000]),
    send_buffer=st.just(100_000),
    timestamps=st.booleans(),
    sack=st.booleans(),
    congestion=st.sampled_from([NEWRENO, CUBIC]),
    delayed_ack=st.sampled_from([0, 40 * MILLISECOND]),
    time_wait=st.just(0),
    close_timeout=st.just(2 * SOON),
    mtu=st.sampled_from([1_280, 1_500]),
)
ends = st.sampled_from([0, 1])
numbers = st.integers(0, PATHS - 1)


class ManyPaths(Pair):
    """The pair with ``count`` paths: ``places[side][path]`` is an address, ``dead`` holds paths."""

    @initialize(
        one=choices,
        two=choices,
        family=st.sampled_from([ipv4, ipv6]),
        is_open=st.booleans(),
        count=st.integers(1, PATHS),
        mixed=st.booleans(),
        at_first=st.integers(1, PATHS),
        survivor=st.integers(-PATHS, PATHS - 1),
    )
    def begin(
        self,
        one: Choices,
        two: Choices,
        family: Any,
        is_open: bool,
        count: int = 1,
        mixed: bool = False,
        at_first: int = 1,
        survivor: int = -1,
    ) -> None:
        """See ``Pair``; ``survivor`` is the path that lives in the end, or a negative number for all."""
        other = ipv6 if family is ipv4 else ipv4
        families = [other if mixed and number == 2 else family for number in range(count)]
        self.places = [[kind(number, 1 + side) for number, kind in enumerate(families)] for side in (0, 1)]
        self.at_first = at_first
        self.survivors = range(count) if survivor < 0 else [survivor % count]
        self.dead: set[int] = set()
        self.has_way = False  # in the end, one that the ends can know of
        self.healed_at: Micros = 0
        super().begin(one, two, family, is_open)

    def list_places(self, side: int, family: Any) -> tuple[Address, ...]:
        """Some of them are there from the beginning."""
        return tuple(self.places[side][: self.at_first])

    # -- paths ----------------------------------------------------------------------------------
    def find_path(self, packet: bytes) -> int:
        """The number of the path that ``packet`` takes."""
        source = get_source(packet)
        return next(i for i, pair in enumerate(zip(*self.places, strict=True)) if source in pair)

    def send(self, side: int, packet: bytes) -> None:
        """Nothing leaves from an address that is gone, nor on a dead path."""
        is_there = self.ends[side].host.interfaces.has(get_source(packet))
        if is_there and self.find_path(packet) not in self.dead:
            super().send(side, packet)

    def arrive(self, side: int, packet: bytes) -> None:
        """Nothing comes out of a dead path."""
        if self.find_path(packet) not in self.dead:
            super().arrive(side, packet)

    @rule(path=numbers, is_dead=st.booleans())
    def cut(self, path: int, is_dead: bool) -> None:
        """A path dies with all that is on it, or it returns."""
        path %= len(self.places[0])
        if is_dead and path not in self.dead:
            self.story.append(Note(self.now, f"path {path} dies"))
            self.dead.add(path)
            self.channel = [one for one in self.channel if self.find_path(one[1]) != path]
        elif not is_dead and path in self.dead:
            self.story.append(Note(self.now, f"path {path} returns"))
            self.dead.remove(path)

    @rule(path=numbers, count=st.integers(1, 20))
    def carry_one(self, path: int, count: int) -> None:
        """The oldest packets of one path arrive before all others."""
        for _ in range(count):
            for place, (_, packet) in enumerate(self.channel):
                if self.find_path(packet) == path:
                    self.arrive(*self.channel.pop(place))
                    break

    # -- addresses ------------------------------------------------------------------------------
    @rule(side=ends, path=numbers, is_backup=st.booleans(), is_signal=st.booleans())
    def add_address(self, side: int, path: int, is_backup: bool, is_signal: bool) -> None:
        """An end gets an address."""
        path %= len(self.places[side])
        end, address = self.ends[side], self.places[side][path]
        if not end.host.interfaces.has(address):
            self.story.append(Note(self.now, f"{end.name} gets address {path}"))
            end.host.add_address(address, self.now, is_backup, is_signal)
            self.settle(side)

    @rule(side=ends, path=numbers)
    def remove_address(self, side: int, path: int) -> None:
        """An end loses an address."""
        path %= len(self.places[side])
        end, address = self.ends[side], self.places[side][path]
        if end.host.interfaces.has(address):
            self.story.append(Note(self.now, f"{end.name} loses address {path}"))
            end.host.remove_address(address, self.now)
            self.settle(side)

    @rule(side=ends, path=numbers, is_backup=st.booleans())
    def set_backup(self, side: int, path: int, is_backup: bool) -> None:
        """Subflows from an address become backups, or cease to be."""
        path %= len(self.places[side])
        end, address = self.ends[side], self.places[side][path]
        if end.connection and not end.is_over and end.host.interfaces.has(address):
            end.host.set_backup(end.connection, address, is_backup, self.now)
            self.settle(side)

    # -- in the end -----------------------------------------------------------------------------
    def teardown(self) -> None:
        """The paths that survive live, and both ends have their addresses there."""
        if self.is_begun():
            self.dead = set(range(len(self.places[0]))) - set(self.survivors)
            self.channel = [one for one in self.channel if self.find_path(one[1]) not in self.dead]
            self.healed_at = self.now
            for path in self.survivors:
                for side in (0, 1):
                    self.add_address(side, path, False, False)
            self.has_way = self.is_known()
        super().teardown()

    def is_known(self) -> bool:
        """Whether the one who opened may know of an address of the other on a path that lives."""
        controls = [end.host.connections[end.connection].control for end in self.ends if end.is_open]
        if len(controls) < 2:
            return False
        client = controls[0]
        known = [one.address for one in client.book.remotes.values() if not one.is_removed]
        if client.mode is not Mode.MULTIPATH or not all(one.is_confirmed for one in controls):
            return False
        return any(self.places[1][path] in known for path in self.survivors)

    def hear_the_end(self, end: End, event: Any) -> None:
        """Where there is a way, the end comes in order, and soon."""
        other = self.ends[1 - self.ends.index(end)]
        if self.is_healed and self.has_way and not other.is_over:
            self.demand(self.now <= self.healed_at + SOON, f"{end.name} heard the end late: {event!r}")
            super().hear_the_end(end, event)
        else:
            self.is_healed, healed = False, self.is_healed
            super().hear_the_end(end, event)
            self.is_healed = healed


class AdversaryOnPaths(ManyPaths, Adversary):
    """And on each path the adversary, who may take options from all that goes there one way."""

    @rule(side=ends, kinds=st.sampled_from([None, *KINDS]), path=numbers)
    def reroute(self, side: int, kinds: str | None, path: int = 0) -> None:
        """From now on everything to one end on one path loses options; or nothing does any more."""
        path %= len(self.places[0])
        if kinds is None:
            self.stripped.pop(side + 2 * path, None)
        else:
            self.stripped[side + 2 * path] = KINDS[kinds]

    def find_taken(self, side: int, packet: bytes) -> tuple[type[Option], ...] | None:
        """See ``Adversary``."""
        return self.stripped.get(side + 2 * self.find_path(packet))

    def is_known(self) -> bool:
        """He may have made of it what only one end knows of, so nothing is promised but an end."""
        return False


class AdversaryWithChecksumsOnPaths(AdversaryOnPaths, AdversaryWithChecksums):
    """Checksums are agreed on: he may alter mappings and text on any path."""
