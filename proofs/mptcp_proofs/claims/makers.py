"""All options there are: one maker for each layout, whose annotations are its fields.

``MULTIPATH`` and ``PLAIN`` are the domains of any MPTCP option and any option of plain TCP. Kinds that
the parser gives only to octets that say nothing (Unknown, Leftover, EndOfList) stand apart.
"""

from typing import Annotated, TypeAlias

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
    FastOpen,
    MaximumSegmentSize,
    Option,
    Sack,
    SackPermitted,
    Timestamps,
    WindowScale,
)
from mptcp.wire.segment import ACK, SYN
from mptcp_proofs.claim import Between, Built, Either, Octets, OneOf, Several
from mptcp_proofs.claims.domains import Bit, Byte, Double, Half, Key, Nibble, Nonce, Word

NewVersion: TypeAlias = Annotated[int, Between(1, 15)]
Address: TypeAlias = Annotated[bytes, Either(Octets(4), Octets(16))]
Port: TypeAlias = Annotated[int | None, Either(OneOf(None), Between(1, 0xFFFF))]
Checksum: TypeAlias = Annotated[int | None, Either(OneOf(None), Between(0, 0xFFFF))]
Hmac: TypeAlias = Annotated[bytes, Octets(8)]


def make_block(left: Word, right: Word) -> tuple[int, int]:
    """A block of SACK."""
    return left, right


def make_capable_syn(version: NewVersion, flags: Byte) -> Option:
    """MP_CAPABLE on a SYN."""
    return CapableSyn(version, flags)


def make_capable_syn_v0(flags: Byte, key: Key) -> Option:
    """MP_CAPABLE on a SYN, version 0."""
    return CapableSynV0(flags, key)


def make_capable_syn_ack(version: Nibble, flags: Byte, key: Key) -> Option:
    """MP_CAPABLE on a SYN/ACK."""
    return CapableSynAck(version, flags, key)


def make_capable_ack(version: Nibble, flags: Byte, sender_key: Key, receiver_key: Key) -> Option:
    """MP_CAPABLE on the third packet."""
    return CapableAck(version, flags, sender_key, receiver_key)


def make_capable_data(
    version: NewVersion, flags: Byte, sender_key: Key, receiver_key: Key, length: Half, checksum: Checksum
) -> Option:
    """MP_CAPABLE with the first data."""
    return CapableData(version, flags, sender_key, receiver_key, length, checksum)


def make_join_syn(backup: bool, address_id: Byte, token: Word, nonce: Nonce) -> Option:
    """MP_JOIN on a SYN."""
    return JoinSyn(backup, address_id, token, nonce)


def make_join_syn_ack(backup: bool, address_id: Byte, hmac: Hmac, nonce: Nonce) -> Option:
    """MP_JOIN on a SYN/ACK."""
    return JoinSynAck(backup, address_id, hmac, nonce)


def make_join_ack(hmac: Annotated[bytes, Octets(20)]) -> Option:
    """MP_JOIN on the third packet."""
    return JoinAck(hmac)


def make_narrow_ack(number: Word) -> DataAck:
    """A Data ACK of 32 bits."""
    return DataAck(number, False)


def make_wide_ack(number: Double) -> DataAck:
    """A Data ACK of 64 bits."""
    return DataAck(number, True)


def make_narrow_mapping(dsn: Word, ssn: Word, length: Half, checksum: Checksum, fin: bool) -> Mapping:
    """A mapping whose DSN has 32 bits."""
    return Mapping(dsn, False, ssn, length, checksum, fin)


def make_wide_mapping(dsn: Double, ssn: Word, length: Half, checksum: Checksum, fin: bool) -> Mapping:
    """A mapping whose DSN has 64 bits."""
    return Mapping(dsn, True, ssn, length, checksum, fin)


Ack: TypeAlias = Annotated[DataAck, Either(Built(make_narrow_ack), Built(make_wide_ack))]
Mapped: TypeAlias = Annotated[Mapping, Either(Built(make_narrow_mapping), Built(make_wide_mapping))]


def make_dss_ack(ack: Ack) -> Option:
    """DSS with a Data ACK alone."""
    return Dss(ack, None)


def make_dss_mapping(mapping: Mapped) -> Option:
    """DSS with a mapping alone."""
    return Dss(None, mapping)


def make_dss(ack: Ack, mapping: Mapped) -> Option:
    """DSS with both."""
    return Dss(ack, mapping)


def make_add_addr(address_id: Byte, address: Address, port: Port, hmac: Hmac) -> Option:
    """ADD_ADDR."""
    return AddAddr(address_id, address, port, hmac)


def make_add_addr_echo(address_id: Byte, address: Address, port: Port) -> Option:
    """ADD_ADDR with flag E."""
    return AddAddrEcho(address_id, address, port)


def make_add_addr_v0(address_id: Byte, address: Address, port: Port) -> Option:
    """ADD_ADDR of version 0."""
    return AddAddrV0(address_id, address, port)


def make_remove_addr(ids: Annotated[bytes, Octets(1, 37)]) -> Option:
    """REMOVE_ADDR."""
    return RemoveAddr(tuple(ids))


def make_remove_few(ids: Annotated[bytes, Octets(1, 3)]) -> Option:
    """REMOVE_ADDR of a few."""
    return make_remove_addr(ids)


def make_prio(backup: bool) -> Option:
    """MP_PRIO."""
    return Prio(backup)


def make_prio_v0(backup: bool, address_id: Byte) -> Option:
    """MP_PRIO of version 0 for an address."""
    return PrioV0(backup, address_id)


def make_fail(dsn: Double) -> Option:
    """MP_FAIL."""
    return Fail(dsn)


def make_fast_close(key: Key) -> Option:
    """MP_FASTCLOSE."""
    return FastClose(key)


def make_tcp_reset(flags: Bit, reason: Byte) -> Option:
    """MP_TCPRST."""
    return TcpReset(flags, reason)


def make_experimental(nibble: Nibble, octets: Annotated[bytes, Octets(0, 37)]) -> Option:
    """MP_EXPERIMENTAL."""
    return Experimental(bytes((0xF0 | nibble,)) + octets)


def make_experimental_few(nibble: Nibble, octets: Annotated[bytes, Octets(0, 2)]) -> Option:
    """A short MP_EXPERIMENTAL."""
    return make_experimental(nibble, octets)


def make_maximum_segment_size(size: Half) -> Option:
    """MSS."""
    return MaximumSegmentSize(size)


def make_window_scale(shift: Annotated[int, Between(0, 14)]) -> Option:
    """Window scale."""
    return WindowScale(shift)


def make_sack_permitted() -> Option:
    """SACK-permitted."""
    return SackPermitted()


def make_sack(blocks: Annotated[tuple[tuple[int, int], ...], Several(Built(make_block), 1, 4)]) -> Option:
    """SACK."""
    return Sack(blocks)


def make_timestamps(value: Word, echo: Word) -> Option:
    """Timestamps."""
    return Timestamps(value, echo)


def make_fast_open(
    cookie: Annotated[bytes, Either(OneOf(b""), *[Octets(size) for size in range(4, 17, 2)])],
) -> Option:
    """Fast open."""
    return FastOpen(cookie)


HANDSHAKE = (
    make_capable_syn,
    make_capable_syn_v0,
    make_capable_syn_ack,
    make_capable_ack,
    make_capable_data,
    make_join_syn,
    make_join_syn_ack,
    make_join_ack,
)
DATA = (make_dss_ack, make_dss_mapping, make_dss)
SIGNALS = (
    make_add_addr,
    make_add_addr_echo,
    make_add_addr_v0,
    make_remove_addr,
    make_prio,
    make_prio_v0,
    make_fail,
    make_fast_close,
    make_tcp_reset,
    make_experimental,
)
OF_TCP = (
    make_maximum_segment_size,
    make_window_scale,
    make_sack_permitted,
    make_sack,
    make_timestamps,
    make_fast_open,
)

Multipath: TypeAlias = Annotated[Option, Either(*[Built(maker) for maker in HANDSHAKE + DATA + SIGNALS])]
"""Any MPTCP option."""
Handshake: TypeAlias = Annotated[Option, Either(*[Built(maker) for maker in HANDSHAKE])]
"""Any MP_CAPABLE or MP_JOIN."""
Data: TypeAlias = Annotated[Option, Either(*[Built(maker) for maker in DATA])]
"""Any DSS."""
FewSignals: TypeAlias = Annotated[
    Option,
    Either(
        *[Built(maker) for maker in SIGNALS if maker not in (make_remove_addr, make_experimental)],
        Built(make_remove_few),
        Built(make_experimental_few),
    ),
]
"""Any other MPTCP option; of those without an end only the shorter ones."""
Plain: TypeAlias = Annotated[Option, Either(*[Built(maker) for maker in OF_TCP])]
"""Any option of plain TCP that we understand."""


def is_at_home(option: Option, flags: int, version: int) -> bool:
    """Whether a segment with these flags, in that version of MPTCP, is where ``option`` belongs."""
    hands = flags & (SYN | ACK)
    if isinstance(option, (CapableSyn, CapableSynV0, JoinSyn)):
        return hands == SYN
    if isinstance(option, (CapableSynAck, JoinSynAck)):
        return hands == SYN | ACK
    if isinstance(option, (CapableAck, CapableData, JoinAck)):
        return hands == ACK
    if isinstance(option, (AddAddrV0, PrioV0)):
        return version == 0
    if isinstance(option, (AddAddr, AddAddrEcho, TcpReset)):
        return version > 0
    return True
