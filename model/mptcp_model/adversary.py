"""Two hosts and an adversary on the path between them, who can do to packets what middleboxes do.

Besides losing, repeating, reordering and delaying he strips MPTCP options, here and there or for good,
alters them, splits and joins segments, and turns bits of text over. With checksums, what is read is
always a prefix of what was written for as long as MPTCP is spoken; without, the same unless he touched
text. When he lets go both ends speak the same, and both applications come to an end.

Needs hypothesis, the `prove` extra; tests make machines of it.
"""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from mptcp.choices import REQUIRE, Choices
from mptcp.errors import Refused
from mptcp.numbers import MASK_32, MASK_64
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.handshake import CapableAck, CapableData, CapableSyn, CapableSynAck, CapableSynV0
from mptcp.wire.options import Option
from mptcp.wire.segment import Segment
from mptcp_model.pair import CHANNEL_LIMIT, End, Pair, make_choices
from mptcp_model.simulated.middlebox import (
    HANDSHAKE,
    MULTIPATH,
    change,
    get_text,
    join,
    read,
    split,
    strip,
    write,
)
from mptcp_model.simulated.network import ipv4, ipv6

KINDS: dict[str, tuple[type[Option], ...]] = {"all": MULTIPATH, "DSS": (Dss,), "MP_CAPABLE": HANDSHAKE}

choices = st.builds(
    make_choices,
    versions=st.sampled_from([(1, 1), (1, 1), (1, 0), (0, 0)]),
    fast_close_by_ack=st.booleans(),
    narrow_numbers=st.booleans(),
    receive_buffer=st.sampled_from([3_000, 20_000, 100_000]),
    send_buffer=st.just(100_000),
    timestamps=st.booleans(),
    delayed_ack=st.sampled_from([0, 40_000]),
    time_wait=st.just(0),
    close_timeout=st.just(5_000_000),
    mtu=st.sampled_from([1_280, 1_500]),
)


def alter_dss(dss: Dss, field: str, step: int) -> Dss:
    """``dss`` with one of its numbers another."""
    ack, mapping = dss.ack, dss.mapping
    if field == "ack" and ack is not None:
        return Dss(DataAck((ack.number + step) & (MASK_64 if ack.wide else MASK_32), ack.wide), mapping)
    if mapping is None:
        return dss
    dsn, ssn, length, fin = mapping.dsn, mapping.ssn, mapping.length, mapping.fin
    if field == "dsn":
        dsn = (dsn + step) & (MASK_64 if mapping.wide else MASK_32)
    elif field == "ssn":
        ssn = (ssn + step) & MASK_32
    elif field == "length":
        length = max(1, min(length + step, 0xFFFF))
    elif field == "checksum" and mapping.checksum is not None:
        other = Mapping(dsn, mapping.wide, ssn, length, mapping.checksum ^ 0x1234, fin)
        return Dss(ack, other)
    return Dss(ack, Mapping(dsn, mapping.wide, ssn, length, mapping.checksum, fin))


def alter_capable(option: Option, bit: int) -> Option:
    """A MP_CAPABLE with one bit of its flags or its first key turned over."""
    flags, key = 1 << bit % 8, 1 << bit // 8 % 8
    if isinstance(option, CapableSyn):
        return CapableSyn(option.version, option.flags ^ flags)
    if isinstance(option, CapableSynV0):
        return CapableSynV0(option.flags, bytes([option.key[0] ^ key]) + option.key[1:])
    if isinstance(option, CapableSynAck):
        if bit % 2:
            return CapableSynAck(option.version, option.flags ^ flags, option.key)
        return CapableSynAck(option.version, option.flags, bytes([option.key[0] ^ key]) + option.key[1:])
    if isinstance(option, CapableAck):
        other = bytes([option.receiver_key[0] ^ key]) + option.receiver_key[1:]
        return CapableAck(option.version, option.flags, option.sender_key, other)
    if isinstance(option, CapableData):
        length = (option.length ^ flags) or 1
        return CapableData(
            option.version, option.flags, option.sender_key, option.receiver_key, length, option.checksum
        )
    return option


def set_bit(text: bytes, at: int) -> bytes:
    """``text`` with the lowest bit of an octet set that had it clear: such sums never cancel out."""
    for step in range(len(text)):
        place = (at + step) % len(text)
        if not text[place] & 1:
            return text[:place] + bytes([text[place] | 1]) + text[place + 1 :]
    return text


class Adversary(Pair):
    """The pair, and what he does to what is in the channel. ``has_checksums`` decides what he may touch."""

    @initialize(one=choices, two=choices, family=st.sampled_from([ipv4, ipv6]), is_open=st.booleans())
    def begin(self, one: Choices, two: Choices, family: Any, is_open: bool) -> None:
        """See ``Pair``."""
        self.stripped: dict[int, tuple[type[Option], ...]] = {}  # by the end that it goes to, for good
        self.is_altered = False  # he touched numbers
        self.flipped = [0, 0]  # octets altered on the way to each end
        self.has_written_plain = [False, False]
        super().begin(one, two, family, is_open)

    # -- what he does ---------------------------------------------------------------------------
    def pick(self, index: int) -> tuple[int, int, Segment | None]:
        """A packet in the channel: its place, the end it goes to, and the segment in it."""
        place = index % len(self.channel)
        side, packet = self.channel[place]
        return place, side, read(packet)

    @rule(index=st.integers(0, CHANNEL_LIMIT), kinds=st.sampled_from(list(KINDS)))
    def strip(self, index: int, kinds: str) -> None:
        """One packet loses options."""
        if self.channel:
            place, side, one = self.pick(index)
            if one is not None:
                self.channel[place] = (side, write(strip(one, KINDS[kinds])))

    @rule(side=st.sampled_from([0, 1]), kinds=st.sampled_from([None, *KINDS]))
    def reroute(self, side: int, kinds: str | None) -> None:
        """From now on everything to one end loses options; or nothing does any more."""
        if kinds is None:
            self.stripped.pop(side, None)
        else:
            self.stripped[side] = KINDS[kinds]

    @rule(
        index=st.integers(0, CHANNEL_LIMIT),
        size=st.sampled_from([1, 100, 700]),
        keep=st.sampled_from(["all", "first", "last"]),
    )
    def split(self, index: int, size: int, keep: str) -> None:
        """One segment becomes several."""
        if self.channel:
            place, side, one = self.pick(index)
            if one is not None and one.text_length <= 20 * size:
                self.channel[place : place + 1] = [(side, write(part)) for part in split(one, size, keep)]

    @rule(index=st.integers(0, CHANNEL_LIMIT), keep=st.sampled_from(["first", "last"]))
    def join(self, index: int, keep: str) -> None:
        """Two segments become one."""
        if not self.channel:
            return
        place, side, one = self.pick(index)
        for other_place in range(place + 1, len(self.channel)):
            other_side, packet = self.channel[other_place]
            if other_side == side:
                other = read(packet)
                joined = None if one is None or other is None else join(one, other, keep)
                if joined is not None:
                    self.channel[place] = (side, write(joined))
                    del self.channel[other_place]
                return

    @rule(index=st.integers(0, CHANNEL_LIMIT), bit=st.integers(0, 63))
    def alter_handshake(self, index: int, bit: int) -> None:
        """A bit of MP_CAPABLE is another."""
        if self.channel:
            place, side, one = self.pick(index)
            if one is not None:
                options = tuple(alter_capable(option, bit) for option in one.options)
                self.channel[place] = (side, write(change(one, options)))

    # -- what always holds ------------------------------------------------------------------------
    def arrive(self, side: int, packet: bytes) -> None:
        """On the way he takes the options that he takes for good."""
        kinds = self.find_taken(side, packet)
        one = read(packet) if kinds is not None and not self.is_healed else None
        super().arrive(side, packet if one is None or kinds is None else write(strip(one, kinds)))

    def find_taken(self, side: int, packet: bytes) -> tuple[type[Option], ...] | None:
        """The options that he takes from everything that goes the way of ``packet``."""
        return self.stripped.get(side)

    @rule(side=st.sampled_from([0, 1]), length=st.sampled_from([1, 10, 1_000, 1_500, 5_000, 60_000]))
    def write(self, side: int, length: int) -> None:
        """Write, and remember what was spoken then."""
        end = self.ends[side]
        before = len(end.writes.written)
        super().write(side, length)
        if len(end.writes.written) > before:
            plain = not end.host.status(end.connection).multipath
            self.has_written_plain[side] = self.has_written_plain[side] or plain

    def compare(self, end: End, octets: bytes) -> None:
        """A prefix, but for octets that he altered while nothing protected them."""
        side = self.ends.index(end)
        if not self.flipped[side] or end.host.status(end.connection).multipath:
            super().compare(end, octets)
            return
        expected = bytes(end.reads.written[end.reads.delivered : end.reads.delivered + len(octets)])
        self.demand(len(expected) == len(octets), "octets that nobody wrote")
        differing = sum(one != other for one, other in zip(octets, expected, strict=True))
        self.demand(differing <= self.flipped[side], f"{differing} octets altered, he did {self.flipped}")
        super().compare(end, expected)

    def hear_the_end(self, end: End, event: Any) -> None:
        """On a path that was his an end may come by RST or silence, but it comes."""
        self.is_healed, healed = False, self.is_healed
        super().hear_the_end(end, event)
        self.is_healed = healed

    def teardown(self) -> None:
        """He lets go; then as ever, and both ends speak the same."""
        super().teardown()
        if not self.is_begun() or any(end.error or not end.is_open for end in self.ends):
            return
        try:
            modes = [end.host.status(end.connection).multipath for end in self.ends]
        except Refused:
            return
        if modes[0] != modes[1]:
            # an end that is over already need not hear of it; new text brings the infinite mapping
            side = 0 if not modes[0] else 1
            self.demand(self.ends[1 - side].is_over, "the ends do not speak the same")
            self.demand(not self.has_written_plain[side], "and the plain one has written since")


class AdversaryWithChecksums(Adversary):
    """Checksums are agreed on: he may alter mappings and text."""

    @initialize(one=choices, two=choices, family=st.sampled_from([ipv4, ipv6]), is_open=st.booleans())
    def begin(self, one: Choices, two: Choices, family: Any, is_open: bool) -> None:
        """See ``Pair``; the client asks for checksums."""
        plain = {name: getattr(one, name) for name in Choices.__match_args__}
        super().begin(Choices(**plain | {"checksum": REQUIRE}), two, family, is_open)

    @rule(index=st.integers(0, CHANNEL_LIMIT), at=st.integers(0, 1_500))
    def flip(self, index: int, at: int) -> None:
        """A bit of text is set."""
        if self.channel:
            place, side, one = self.pick(index)
            if one is not None and one.text_length:
                altered = set_bit(get_text(one), at)
                self.flipped[side] += altered != get_text(one)
                self.channel[place] = (side, write(change(one, text=altered)))

    @rule(
        index=st.integers(0, CHANNEL_LIMIT),
        field=st.sampled_from(["ack", "dsn", "ssn", "length", "checksum"]),
        step=st.sampled_from([-1_000, -1, 1, 7, 1_000, 1 << 31]),
    )
    def alter(self, index: int, field: str, step: int) -> None:
        """A number of a DSS is another."""
        if self.channel:
            place, side, one = self.pick(index)
            if one is not None:
                options = tuple(
                    alter_dss(option, field, step) if isinstance(option, Dss) else option
                    for option in one.options
                )
                self.channel[place] = (side, write(change(one, options)))
