"""Data sequence signals in offsets, and what an expected option is compared with.

The numbers of a DSS are 64 or 32 bits from a secret beginning (RFC 8684 §3.3.1); dialogues count
from 0 instead, and this is where one becomes the other.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from mptcp.keys import compute_dss_checksum, compute_idsn
from mptcp.numbers import MASK_32, compute_offset_32, compute_offset_64, compute_wire_64
from mptcp.values import Text, join
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.options import Option
from mptcp.wire.segment import Segment
from mptcp_model.scribe import FLAG_NAMES


class DataSignal(NamedTuple):
    """A DSS in offsets: data offset ``dsn`` (first octet: 1), subflow offset ``ssn``, ``length``.

    Sent, it becomes the option with the numbers of the wire, and with a checksum if the peer's
    ``checksum`` is set; expected, it compares what is not None. ``ack`` is a data offset too.
    """

    ack: int | None = None
    dsn: int | None = None
    ssn: int | None = None
    length: int | None = None
    fin: bool | None = None
    wide: bool = True


Wanted: TypeAlias = "Option | DataSignal | type[Option] | Callable[[Option], bool]"
"""What an option is compared with: itself, its numbers, its class, or a predicate."""


def spell_signal(
    signal: DataSignal, key: bytes, host_key: bytes, text: bytes, checksum: bool, version: int = 1
) -> Dss:
    """The option that the owner of ``key`` sends to the owner of ``host_key`` before ``text``."""
    ack = None
    if signal.ack is not None:
        number = compute_wire_64(compute_idsn(host_key, version), signal.ack)
        ack = DataAck(number if signal.wide else number & MASK_32, signal.wide)
    if signal.dsn is None:
        return Dss(ack, None)
    number = compute_wire_64(compute_idsn(key, version), signal.dsn)
    ssn, length = signal.ssn or 0, signal.length or 0
    total = compute_dss_checksum(number, ssn, length, (Text(text, 0, len(text)),)) if checksum else None
    number = number if signal.wide else number & MASK_32
    return Dss(ack, Mapping(number, signal.wide, ssn, length, total, bool(signal.fin)))


def is_like(option: Option, wanted: Wanted, key: bytes, host_key: bytes, version: int = 1) -> bool:
    """Whether ``option``, from the owner of ``host_key`` to the owner of ``key``, is what is wanted."""
    if isinstance(wanted, DataSignal):
        return isinstance(option, Dss) and is_like_signal(option, wanted, key, host_key, version)
    if isinstance(wanted, Option):
        return option == wanted
    if isinstance(wanted, type):
        return isinstance(option, wanted)
    return wanted(option)


def is_like_signal(dss: Dss, wanted: DataSignal, key: bytes, host_key: bytes, version: int) -> bool:
    """Whether the named numbers of ``wanted`` are those of ``dss``."""
    ack, mapping = dss.ack, dss.mapping
    found = DataSignal()
    if ack is not None:
        found = found._replace(ack=count_data(key, ack.number, ack.wide, version))
    if mapping is not None:
        dsn = count_data(host_key, mapping.dsn, mapping.wide, version)
        found = found._replace(dsn=dsn, ssn=mapping.ssn, length=mapping.length, fin=mapping.fin)
    pairs = zip(found[:5], wanted[:5], strict=True)
    return all(two is None or one == two for one, two in pairs)


def count_data(key: bytes, number: int, wide: bool, version: int) -> int:
    """The data offset of a DSN or Data ACK in the stream of the owner of ``key``."""
    idsn = compute_idsn(key, version)
    return compute_offset_64(idsn, number) if wide else compute_offset_32(idsn & MASK_32, number, 0)


def read_text(one: Segment) -> bytes:
    """The octets of a segment's text."""
    return join(one.text)


def name_flags(flags: int) -> str:
    """The flags in words: "SYN ACK"."""
    return " ".join(name for flag, name in FLAG_NAMES if flags & flag) or "no flags"
