"""Options as octets and as fields: every type and layout, every length, of both versions of MPTCP."""

from collections.abc import Iterator
from itertools import product
from typing import Any, Final, TypeAlias

from mptcp.wire.addresses import AddAddr, AddAddrEcho, AddAddrV0, Prio, PrioV0, RemoveAddr
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.endings import Experimental, Fail, FastClose, TcpReset
from mptcp.wire.handshake import (
    CapableAck,
    CapableData,
    CapableSyn,
    CapableSynAck,
    CapableSynV0,
    JoinAck,
    JoinSyn,
    JoinSynAck,
)
from mptcp.wire.options import (
    END,
    NOP,
    FastOpen,
    MaximumSegmentSize,
    Option,
    Sack,
    SackPermitted,
    Timestamps,
    WindowScale,
)
from mptcp.wire.segment import ACK, RST, SYN
from mptcp_model.answers.octets import make_number, make_octets
from mptcp_model.decoding.names import spell_fields
from mptcp_model.scribe import spell_flags

TITLE: Final = "Options as octets and as fields, on a segment with these flags, in this version of MPTCP"

On: TypeAlias = tuple[Option, int, int]
"""An option, the flags of a segment where it may stand, and the version of MPTCP."""

ADDRESSES: Final = (bytes([192, 0, 2, 33]), bytes.fromhex("20010db8000000000000000000000021"))
KEY_A, KEY_B = make_octets("key A", 8), make_octets("key B", 8)


def make() -> list[dict[str, Any]]:
    """The vectors."""
    made = [*list_plain(), *list_capable(), *list_join(), *list_dss(), *list_addresses(), *list_endings()]
    return [
        {
            "octets": option.emit().hex(),
            "flags": spell_flags(flags),
            "version": version,
            "fields": spell_fields(option),
        }
        for option, flags, version in made
    ]


def list_plain() -> Iterator[On]:
    """The options of TCP itself."""
    yield END, ACK, 1
    yield NOP, ACK, 1
    for size in (0, 536, 1_460, 0xFFFF):
        yield MaximumSegmentSize(size), SYN, 1
    for shift in range(15):
        yield WindowScale(shift), SYN, 1
    yield SackPermitted(), SYN, 1
    for count in range(1, 5):
        edges = [make_number(f"edge {place}", 32) for place in range(2 * count)]
        yield Sack(tuple(zip(edges[::2], edges[1::2], strict=True))), ACK, 1
    for value, echo in ((0, 0), (1, 0xFFFF_FFFF), (0x8000_0000, 0x7FFF_FFFF)):
        yield Timestamps(value, echo), ACK, 1
    for size in (0, *range(4, 17, 2)):
        yield FastOpen(make_octets("cookie", size)), SYN, 1


def list_capable() -> Iterator[On]:
    """MP_CAPABLE of 4, 12, 20, 22 and 24 octets."""
    for flags in (0x01, 0x81, 0xA1, 0x21, 0xFF):
        yield CapableSyn(1, flags), SYN, 1
        yield CapableSynV0(flags, KEY_A), SYN, 0
        yield CapableData(1, flags, KEY_A, KEY_B, 0xFFFF, None), ACK, 1
        for checksum in (0, 0xFFFF):
            yield CapableData(1, flags, KEY_A, KEY_B, 1, checksum), ACK, 1
        for version in (0, 1):
            yield CapableSynAck(version, flags, KEY_B), SYN | ACK, version
            yield CapableAck(version, flags, KEY_A, KEY_B), ACK, version


def list_join() -> Iterator[On]:
    """MP_JOIN of 12, 16 and 24 octets; the same in both versions."""
    nonce, hmac = make_octets("nonce", 4), make_octets("hmac", 20)
    for version, backup, address_id in product((0, 1), (False, True), (0, 255)):
        yield JoinSyn(backup, address_id, make_number("token", 32), nonce), SYN, version
        yield JoinSynAck(backup, address_id, hmac[:8], nonce), SYN | ACK, version
    for version in (0, 1):
        yield JoinAck(hmac), ACK, version


def list_dss() -> Iterator[On]:
    """A DSS with every combination of fields and widths; numbers small and large."""
    numbers = (1, 0xFFFF_FFFF, 0x8000_0000_0000_0000, 0xFFFF_FFFF_FFFF_FFFF)
    acks: list[DataAck | None] = [None]
    mappings: list[Mapping | None] = [None]
    for wide, number in product((False, True), numbers):
        if wide or number >> 32 == 0:
            acks.append(DataAck(number, wide))
            for checksum, fin in product((None, 0, 0xBEEF), (False, True)):
                mappings.append(Mapping(number, wide, 0x0102_0304, 0x0506, checksum, fin))
    mappings.append(Mapping(numbers[3], True, 0, 1, None, True))  # DATA_FIN alone
    mappings.append(Mapping(numbers[3], True, 7, 0, 0, False))  # the infinite mapping
    for ack, mapping, version in product(acks, mappings, (0, 1)):
        if ack is not None or mapping is not None:
            yield Dss(ack, mapping), ACK, version


def list_addresses() -> Iterator[On]:
    """ADD_ADDR of all layouts, REMOVE_ADDR of all lengths, MP_PRIO."""
    for address, port in product(ADDRESSES, (None, 1, 0xFFFF)):
        yield AddAddr(3, address, port, make_octets("hmac", 8)), ACK, 1
        yield AddAddrEcho(255, address, port), ACK, 1
        yield AddAddrV0(0, address, port), ACK, 0
    for version, count in product((0, 1), range(1, 38)):
        yield RemoveAddr(tuple(make_octets("ids", count))), ACK, version
    for version, backup in product((0, 1), (False, True)):
        yield Prio(backup), ACK, version
        if version == 0:
            yield PrioV0(backup, 255), ACK, 0


def list_endings() -> Iterator[On]:
    """MP_FAIL, MP_FASTCLOSE, MP_TCPRST, MP_EXPERIMENTAL of all lengths."""
    for version in (0, 1):
        for dsn in (0, 1, 0xFFFF_FFFF_FFFF_FFFF):
            yield Fail(dsn), ACK, version
        yield FastClose(KEY_B), RST | ACK, version
        for size in range(1, 39):
            yield Experimental(b"\xf5" + make_octets("experiment", size - 1)), ACK, version
    for flags, reason in product((0, 1), (0, 1, 2, 3, 4, 5, 6, 255)):
        yield TcpReset(flags, reason), RST, 1
