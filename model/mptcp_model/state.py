"""State that can be copied and keyed, on this side of the compiler.

The protocol's own records (``mptcp.values.Record``) do the same, but an interpreted class cannot
inherit from a compiled one; so the world around the protocol has its own base. A state may hold
records, a record never holds a state.
"""

from typing import ClassVar, Self

from mptcp.values import Record, compute_key


class State:
    """Base of all state in the model: ``copy()`` and ``key()`` from ``FIELDS``; a tree."""

    FIELDS: ClassVar[tuple[str, ...]] = ()

    def copy(self) -> Self:
        """A state that can change without this one changing."""
        kind = type(self)
        twin = kind.__new__(kind)
        for name in self.FIELDS:
            setattr(twin, name, copy_state(getattr(self, name)))
        return twin

    def key(self) -> tuple[object, ...]:
        """Everything that decides what happens from here on, as nested plain tuples."""
        return tuple(key_state(getattr(self, name)) for name in self.FIELDS)

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.FIELDS)
        return f"{type(self).__name__}({fields})"


def copy_state(thing: object) -> object:
    """A deep copy of states, records and the containers that hold them; all else is itself."""
    if isinstance(thing, (State, Record)):
        return thing.copy()
    if isinstance(thing, list):
        return [copy_state(one) for one in thing]
    if isinstance(thing, dict):
        return {name: copy_state(one) for name, one in thing.items()}
    if isinstance(thing, bytearray):
        return bytearray(thing)
    return thing


def key_state(thing: object) -> object:
    """A plain, hashable stand-in for ``thing``."""
    if isinstance(thing, State):
        return (type(thing).__name__, thing.key())
    if isinstance(thing, list):
        return tuple(key_state(one) for one in thing)
    if isinstance(thing, dict):
        return tuple((name, key_state(one)) for name, one in thing.items())
    if isinstance(thing, bytearray):
        return bytes(thing)
    return compute_key(thing)
