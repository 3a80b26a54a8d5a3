"""The two shapes of data: values, which never change, and records, which hold what does.

A *value* (segment, option, verdict) is compared by what it holds. A *record* (the variables of
RFC 9293 §3.3.1, of RFC 8684 appendix C) is changed in place by the rules, and can be copied and
keyed, so that an explorer can branch on a whole host and a simulator can rewind.

Both name their fields once, in ``__match_args__`` or ``FIELDS``, in the order of ``__init__``.
"""

from builtins import memoryview  # the compiler does not know it by itself
from typing import Any, ClassVar, Final, Self, TypeAlias, final

from mptcp.native import i64, mypyc_attr

Micros: TypeAlias = i64
"""A moment or a span, microseconds. The origin is the caller's: only differences mean anything."""

Port: TypeAlias = int
"""A TCP port, 0 … 65535."""

Address: TypeAlias = bytes
"""An IP address as it stands in the header: 4 octets (IPv4) or 16 (IPv6)."""

FourTuple: TypeAlias = tuple[Address, Port, Address, Port]
"""Local address and port, remote address and port (RFC 9293 §3.3.1)."""

LONG: Final = 8_192  # octets; to copy fewer takes less time than to refer to them


@mypyc_attr(acyclic=True)
class Value:
    """Base of all values: equality, hash and repr from ``__match_args__``; attributes are Final."""

    __match_args__: ClassVar[tuple[str, ...]] = ()

    def plain(self) -> tuple[object, ...]:
        """The fields as a plain tuple, nested values included."""
        return tuple([compute_key(getattr(self, name)) for name in self.__match_args__])

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return False
        for name in self.__match_args__:
            if getattr(self, name) != getattr(other, name):
                return False
        return True

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.plain()))

    def __repr__(self) -> str:
        fields = [name + "=" + repr(getattr(self, name)) for name in self.__match_args__]
        return type(self).__name__ + "(" + ", ".join(fields) + ")"


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Text(Value):
    """Segment text where it lies: octets ``start`` … ``end`` of ``packet``, never copied on the way.

    RFC 9293 calls a segment's payload its text. ``len()`` is its octets.
    """

    __match_args__ = ("packet", "start", "end")

    def __init__(self, packet: bytes, start: i64, end: i64) -> None:
        self.packet: Final = packet
        self.start: Final = start
        self.end: Final = end

    def __len__(self) -> int:
        return self.end - self.start

    def cut(self, start: int, end: int) -> "Text":
        """The octets ``start`` … ``end`` of this text, counted from its own beginning."""
        return Text(self.packet, self.start + start, self.start + end)

    def alone(self) -> "Text":
        """The same octets in a packet of their own: what is kept does not keep more alive."""
        octets = self.octets()
        return Text(octets, 0, len(octets))

    def octets(self) -> bytes:
        """The octets themselves: the one copy, made when the application reads."""
        return self.packet[self.start : self.end]


def join(texts: tuple[Text, ...]) -> bytes:
    """The octets of all texts, one after the other. A long one is copied once."""
    if len(texts) == 1:
        return texts[0].octets()
    pieces: list[bytes | memoryview] = []
    for text in texts:
        if text.end - text.start < LONG:
            pieces.append(text.octets())
        else:
            pieces.append(memoryview(text.packet)[text.start : text.end])
    return b"".join(pieces)


def compute_length(texts: tuple[Text, ...]) -> i64:
    """The octets of all texts together."""
    length: i64 = 0
    for text in texts:
        length += text.end - text.start
    return length


class Record:
    """Base of all records: ``copy()`` and ``key()`` from ``FIELDS``; a tree, no reference upward.

    A field named in ``SHARED`` is handed to the copy as it is and left out of the key: what only
    watches (the journal), never changes after birth (choices), or saves work and may be forgotten.
    """

    FIELDS: ClassVar[tuple[str, ...]] = ()
    SHARED: ClassVar[tuple[str, ...]] = ()

    def birth(self) -> tuple[object, ...]:
        """Arguments for ``__init__`` with which a twin is made, before its fields are filled in.

        A compiled class has no other way to make an object.
        """
        return ()

    def copy(self) -> Self:
        """A record that can change without this one changing."""
        kind: Any = type(self)
        twin: Self = kind(*self.birth())
        for name in self.FIELDS:
            setattr(twin, name, compute_copy(getattr(self, name)))
        for name in self.SHARED:
            setattr(twin, name, getattr(self, name))
        return twin

    def key(self) -> tuple[object, ...]:
        """All state as nested plain tuples: equal keys, equal behaviour from here on."""
        return tuple([compute_key(getattr(self, name)) for name in self.FIELDS])

    def __repr__(self) -> str:
        fields = [name + "=" + repr(getattr(self, name)) for name in self.FIELDS]
        return type(self).__name__ + "(" + ", ".join(fields) + ")"


def compute_copy(thing: object) -> object:
    """A deep copy of records and of the lists, dicts and sets that hold them; all else is itself."""
    if isinstance(thing, Record):
        return thing.copy()
    if isinstance(thing, list):
        return [compute_copy(one) for one in thing]
    if isinstance(thing, dict):
        return {name: compute_copy(one) for name, one in thing.items()}
    if isinstance(thing, set):
        return set(thing)
    return thing


def compute_key(thing: object) -> object:
    """A plain, hashable stand-in for ``thing``: tuples all the way down."""
    if isinstance(thing, Record):
        return (type(thing).__name__, thing.key())
    if isinstance(thing, Value):
        return (type(thing).__name__, thing.plain())
    if isinstance(thing, (list, tuple)):
        return tuple([compute_key(one) for one in thing])
    if isinstance(thing, dict):
        return tuple([(compute_key(name), compute_key(one)) for name, one in thing.items()])
    if isinstance(thing, set):
        return tuple(sorted([compute_key(one) for one in thing], key=repr))
    return thing
