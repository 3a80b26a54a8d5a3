"""What of Python and of libraries the symbolic sources find in other shape.

Nothing else is replaced: builtins ``bytes``, ``int`` and ``len``, which are written in C and would not
take symbols; ``librt.strings``, which reads and writes numbers in octets; ``hashlib`` and ``hmac``, which
no prover looks into. Tests hold each model against what it stands for.

A hash is any function of its octets. A MAC is ideal: of two different keys or messages it shares neither
the first 64, nor the last 64 bits, and so nothing longer either; that is an assumption of each theorem
that uses it.
"""

import builtins
import hashlib
import hmac
from types import ModuleType
from typing import Any

import z3

from mptcp_proofs.symbolic import context
from mptcp_proofs.symbolic.integers import Leak, SymBool, SymInt, combine, is_number, lift, negate, split
from mptcp_proofs.symbolic.octets import SymBytes, is_octets, join, make

SIZES = {"sha1": 20, "sha256": 32}  # octets of a digest


class SymbolicBytes:
    """Stands in for ``bytes``, where that is called."""

    def __new__(cls, source: Any = b"", *rest: Any) -> Any:
        """As of bytes; octets remain symbolic."""
        if isinstance(source, (bytes, SymBytes)):
            return source
        if rest or isinstance(source, (int, str, SymInt)):
            return bytes(source, *rest)
        return make([lift_truth(one) for one in source])

    fromhex = staticmethod(bytes.fromhex)


def lift_truth(thing: Any) -> Any:
    """A truth value as the number that Python takes it for."""
    return lift(thing) if isinstance(thing, SymBool) else thing


class SymbolicInt:
    """Stands in for ``int``, where that is called."""

    def __new__(cls, source: Any = 0, *rest: Any) -> Any:
        """As of int; numbers and truth values remain symbolic."""
        if isinstance(source, SymBool):
            return lift(source)
        return source if isinstance(source, SymInt) else int(source, *rest)

    @staticmethod
    def from_bytes(octets: Any, order: str = "big", *, signed: bool = False) -> Any:
        """As of int."""
        if isinstance(octets, bytes):
            return int.from_bytes(octets, order, signed=signed)  # type: ignore[arg-type]
        if order != "big" or signed:
            raise Leak("from_bytes in another order than big-endian, or signed")
        return join(octets)


def compute_length(thing: Any) -> Any:
    """Stands in for ``len``: a length may be symbolic."""
    if not hasattr(type(thing), "__len__"):
        raise TypeError(f"object of type {type(thing).__name__!r} has no len()")
    return type(thing).__len__(thing)


BUILTINS = {"bytes": SymbolicBytes, "int": SymbolicInt, "len": compute_length}


# -- librt.strings --------------------------------------------------------------------------------


def read(octets: Any, at: Any, length: int) -> Any:
    """The signed number in ``length`` octets from ``at`` on, big-endian."""
    if at < 0:
        raise ValueError("index must be non-negative")
    if at + length > compute_length(octets):
        raise IndexError(f"index out of range for bytes of length {len(octets)}")
    if isinstance(octets, bytes) and isinstance(at, int):
        return int.from_bytes(octets[at : at + length], "big", signed=True)
    number = join(octets[at : at + length])
    half = 1 << 8 * length - 1
    return (number ^ half) - half


def write(writer: "Writer", number: Any, length: int) -> None:
    """A signed number in ``length`` octets."""
    half = 1 << 8 * length - 1
    if number < -half or number >= half:
        raise ValueError(f"int too large to convert to i{8 * length}")
    writer.items += split(number, length)


class Writer:
    """``BytesWriter``: octets that grow at the end."""

    def __init__(self) -> None:
        self.items: list[Any] = []

    def append(self, number: Any) -> None:
        """One octet."""
        if number < 0 or number > 255:
            raise TypeError("u8 object expected; got int")
        self.items.append(number)

    def write(self, octets: Any) -> None:
        """All of these."""
        if not is_octets(octets):
            raise Leak("opaque octets are written")
        self.items += list(octets)

    def getvalue(self) -> Any:
        """What was written."""
        return make(list(self.items))

    def __len__(self) -> int:
        return len(self.items)


# -- hashlib and hmac -----------------------------------------------------------------------------


class Call:
    """One use of a hash or MAC on this path: what went in, and the digest that came out."""

    def __init__(self, kind: str, parts: tuple[Any, ...], digest: Any, term: Any) -> None:
        self.kind = kind
        self.parts = parts
        self.digest = digest
        self.term = term


def compute_digest(kind: str, size: int, parts: tuple[Any, ...], is_ideal: bool) -> Any:
    """A digest of ``size`` octets: the same for the same ``parts``, otherwise unknown."""
    explorer = context.current()
    for call in explorer.digests:
        if call.kind == kind and is_same(call.parts, parts) is True:
            return call.digest
    name = f"{kind}#{len(explorer.digests)}"
    octets = explorer.octets(name, size)
    del explorer.inputs[name]
    call = Call(kind, parts, octets, join(octets))
    for other in explorer.digests:
        if other.kind == kind:
            explorer.know(relate(call, other, size, is_ideal))
    explorer.digests.append(call)
    return octets


def is_same(one: tuple[Any, ...], other: tuple[Any, ...]) -> Any:
    """Whether two lists of octets are the same."""
    same: Any = True
    for left, right in zip(one, other, strict=True):
        same = combine("and", same, left == right)
    return same


def relate(call: Call, other: Call, size: int, is_ideal: bool) -> Any:
    """What two digests have to do with each other."""
    same = is_same(call.parts, other.parts)
    equal = call.term == other.term
    if not is_ideal:
        return z3.Implies(as_term(same), as_term(equal))
    first, last = call.digest[:8] == other.digest[:8], call.digest[size - 8 :] == other.digest[size - 8 :]
    return z3.If(as_term(same), as_term(equal), z3.And(as_term(negate(first)), as_term(negate(last))))


def as_term(truth: Any) -> Any:
    """A truth value as z3 takes it."""
    return z3.BoolVal(truth) if isinstance(truth, bool) else truth.term


class Hash:
    """``hashlib.sha256(octets)``: any function of its octets."""

    def __init__(self, name: str, octets: Any) -> None:
        self.name = name
        self.octets = octets

    def digest(self) -> Any:
        """The digest."""
        return compute_digest(self.name, SIZES[self.name], (self.octets,), is_ideal=False)


def sha1(octets: Any = b"") -> Hash:
    """``hashlib.sha1``."""
    return Hash("sha1", octets)


def sha256(octets: Any = b"") -> Hash:
    """``hashlib.sha256``."""
    return Hash("sha256", octets)


def compute_mac(key: Any, message: Any, algorithm: Any) -> Any:
    """``hmac.digest``: an ideal MAC."""
    name = find_algorithm(algorithm)
    return compute_digest("hmac-" + name, SIZES[name], (key, message), is_ideal=True)


def find_algorithm(algorithm: Any) -> str:
    """The name of a hash that is given by its name or by its function."""
    return algorithm if isinstance(algorithm, str) else str(algorithm.__name__).removeprefix("openssl_")


def is_equal(one: Any, other: Any) -> Any:
    """``hmac.compare_digest``."""
    return one == other


def make_oracle(answers: list[tuple[str, tuple[bytes, ...], bytes]]) -> dict[str, ModuleType]:
    """hashlib and hmac for plain sources: the answers of a model where it gave one, else the real ones."""
    known = {(kind, parts): digest for kind, parts, digest in answers}

    class Answer:
        """``hashlib.sha256(octets)`` and ``hashlib.sha1(octets)``."""

        def __init__(self, name: str, octets: bytes) -> None:
            self.name = name
            self.octets = octets

        def digest(self) -> bytes:
            """The digest."""
            real = hashlib.new(self.name, self.octets).digest()
            return known.get((self.name, (self.octets,)), real)

    def answer(key: bytes, message: bytes, algorithm: Any) -> bytes:
        name = find_algorithm(algorithm)
        return known.get(("hmac-" + name, (key, message)), hmac.digest(key, message, name))

    return {
        "hashlib": make_module(
            hashlib,
            sha1=lambda octets=b"": Answer("sha1", octets),
            sha256=lambda octets=b"": Answer("sha256", octets),
        ),
        "hmac": make_module(hmac, digest=answer, compare_digest=hmac.compare_digest),
    }


def make_module(real: ModuleType, **members: Any) -> ModuleType:
    """A module of that name that has nothing but ``members``."""
    module = ModuleType(real.__name__)
    module.__dict__.update(members)
    return module


def make_strings() -> ModuleType:
    """The model of ``librt.strings``."""
    import librt.strings

    members: dict[str, Any] = {"BytesWriter": Writer}
    for bits in (16, 32, 64):
        members[f"read_i{bits}_be"] = make_reader(bits // 8)
        members[f"write_i{bits}_be"] = make_writer(bits // 8)
    return make_module(librt.strings, **members)


def make_reader(length: int) -> Any:
    """``read_i16_be`` and its kin."""
    return lambda octets, at: read(octets, at, length)


def make_writer(length: int) -> Any:
    """``write_i16_be`` and its kin."""
    return lambda writer, number: write(writer, number, length)


MODULES = {
    "librt.strings": make_strings(),
    "hashlib": make_module(hashlib, sha1=sha1, sha256=sha256),
    "hmac": make_module(hmac, digest=compute_mac, compare_digest=is_equal),
}


# -- what is replaced among the sources, once it is proved to be the same ---------------------------


def read_number(octets: Any, at: Any, length: int) -> Any:
    """``u16``, ``u32`` and ``u64`` in one piece."""
    if at < 0:
        raise ValueError("index must be non-negative")
    if at + length > compute_length(octets):
        raise IndexError(f"index out of range for bytes of length {len(octets)}")
    return join(octets[at : at + length])


def write_number(writer: Any, number: Any, length: int) -> None:
    """``write_16``, ``write_32`` and ``write_64`` in one piece."""
    assert is_number(number)
    writer.items += split(number, length)


SUMMARIES: dict[str, dict[str, Any]] = {
    "mptcp.wire.octets": {
        "u16": lambda octets, at: read_number(octets, at, 2),
        "u32": lambda octets, at: read_number(octets, at, 4),
        "u64": lambda octets, at: read_number(octets, at, 8),
        "write_16": lambda writer, number: write_number(writer, number, 2),
        "write_32": lambda writer, number: write_number(writer, number, 4),
        "write_64": lambda writer, number: write_number(writer, number, 8),
    }
}

ALL = dict(vars(builtins)) | BUILTINS
