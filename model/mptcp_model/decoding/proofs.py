"""What an option of MPTCP proves, and whether it does. RFC 8684 §3.1, §3.2, §3.4.1, §3.5."""

from typing import ClassVar, Final, TypeAlias, final

from mptcp.keys import compute_add_addr_hmac, compute_join_hmac
from mptcp.native import mypyc_attr
from mptcp.values import Value
from mptcp.wire.addresses import AddAddr, AddAddrEcho, AddAddrV0, Prio, PrioV0, RemoveAddr
from mptcp.wire.dss import Dss
from mptcp.wire.endings import Experimental, Fail, FastClose, TcpReset
from mptcp.wire.handshake import (
    ACK_HMAC,
    SYN_ACK_HMAC,
    CapableAck,
    CapableData,
    CapableSyn,
    CapableSynAck,
    CapableSynV0,
    JoinAck,
    JoinSyn,
    JoinSynAck,
)
from mptcp.wire.options import Option
from mptcp_model.decoding.records import Direction, Subflow

Facts: TypeAlias = dict[str, int | str | bool | None]
"""What the conversation adds to an option's own fields, by name; ``valid`` is whether it proves what it
should, None where that cannot be known."""


@mypyc_attr(acyclic=True)
class Note(Value):
    """An option of MPTCP, and what is wrong with it: a sentence, or nothing."""

    __match_args__: ClassVar[tuple[str, ...]] = ("option", "fault")

    def __init__(self, option: Option, fault: str) -> None:
        self.option: Final = option
        self.fault: Final = fault

    def facts(self) -> Facts:
        """What is known of it."""
        raise NotImplementedError


@final
@mypyc_attr(acyclic=True)
class Finding(Note):
    """What is known of an option, by name."""

    __match_args__ = ("option", "found", "fault")

    def __init__(self, option: Option, found: Facts, fault: str) -> None:
        super().__init__(option, fault)
        self.found: Final = found

    def facts(self) -> Facts:
        """The same."""
        return self.found


@final
@mypyc_attr(acyclic=True, free_list_len=1)
class Offsets(Note):
    """Of a DSS: its Data ACK and its DSN as offsets, None where it has none or they cannot be known."""

    __match_args__ = ("dss", "ack", "dsn", "fault")

    def __init__(self, dss: Dss, ack: int | None, dsn: int | None, fault: str) -> None:
        super().__init__(dss, fault)
        self.dss: Final = dss
        self.ack: Final = ack
        self.dsn: Final = dsn

    def facts(self) -> Facts:
        """By name, as of any option."""
        facts: Facts = {}
        if self.dss.ack is not None:
            facts["data_ack_offset"] = self.ack
        if self.dss.mapping is not None:
            facts["dsn_offset"] = self.dsn
        return facts


MULTIPATH: Final = frozenset(
    (CapableSyn, CapableSynV0, CapableSynAck, CapableAck, CapableData, JoinSyn, JoinSynAck, JoinAck)
    + (
        Dss,
        AddAddr,
        AddAddrEcho,
        AddAddrV0,
        RemoveAddr,
        Prio,
        PrioV0,
        Fail,
        FastClose,
        TcpReset,
        Experimental,
    )
)
"""The options of MPTCP."""


def check(subflow: Subflow, direction: Direction, other: Direction, option: Option) -> Note:
    """Check ``option`` against what is known of the connection, and learn from it."""
    if isinstance(option, (CapableSynV0, CapableSynAck)):
        version = 0 if isinstance(option, CapableSynV0) else option.version
        return learn(subflow, direction, option, option.key, version)
    if isinstance(option, (CapableAck, CapableData)):
        return check_keys(subflow, direction, other, option)
    if isinstance(option, JoinSynAck):
        direction.nonce, direction.address_id = option.nonce, option.address_id
        return check_hmac(subflow, direction, other, option, option.hmac, SYN_ACK_HMAC)
    if isinstance(option, JoinAck):
        return check_hmac(subflow, direction, other, option, option.hmac, ACK_HMAC)
    if isinstance(option, AddAddr):
        return check_add_addr(direction, other, option)
    if isinstance(option, FastClose) and other.host.key is not None:
        valid = option.key == other.host.key
        return Finding(option, {"valid": valid}, "" if valid else "the key is not that of the receiver")
    return Finding(option, {"valid": None} if isinstance(option, FastClose) else {}, "")


def check_join(connection: int | None, some: bool, direction: Direction, option: JoinSyn) -> Note:
    """A join's first packet: whose token it is, by the number of the connection.

    ``some``: the token of a connection was seen, so that one that is of none says something.
    """
    direction.nonce, direction.address_id = option.nonce, option.address_id
    if connection is not None:
        return Finding(option, {"connection": connection, "valid": True}, "")
    facts: Facts = {"connection": None, "valid": False if some else None}
    return Finding(option, facts, "the token is of no connection seen here" if some else "")


def learn(subflow: Subflow, direction: Direction, option: Option, key: bytes, version: int) -> Note:
    """The sender tells its key."""
    host = direction.host
    fault = "the key is not the one from before" if host.key not in (None, key) else ""
    if host.key is None or subflow.connection.version != version:
        subflow.connection.version = version
        host.learn(key, version)
    return Finding(option, {"token": f"{host.token:08x}", "idsn": f"{host.idsn:016x}"}, fault)


def check_keys(
    subflow: Subflow, direction: Direction, other: Direction, option: CapableAck | CapableData
) -> Note:
    """The third packet tells the sender's key and repeats the receiver's."""
    learnt = learn(subflow, direction, option, option.sender_key, option.version)
    fault = learnt.fault
    valid: bool | None = None
    if other.host.key is None:
        other.host.learn(option.receiver_key, option.version)
    else:
        valid = option.receiver_key == other.host.key and not fault
    fault = fault or ("the receiver's key is not the one that it told" if valid is False else "")
    return Finding(option, learnt.facts() | {"valid": valid}, fault)


def check_hmac(
    subflow: Subflow, direction: Direction, other: Direction, option: Option, hmac: bytes, size: int
) -> Note:
    """Whether the sender of an MP_JOIN knows both keys."""
    own, peer, version = direction.host.key, other.host.key, subflow.connection.version
    if own is None or peer is None or direction.nonce is None or other.nonce is None:
        return Finding(option, {"valid": None}, "")
    right = compute_join_hmac(own, peer, direction.nonce, other.nonce, 1 if version is None else version)
    valid = hmac == right[:size]
    return Finding(option, {"valid": valid}, "" if valid else f"the HMAC should be {right[:size].hex()}")


def check_add_addr(direction: Direction, other: Direction, option: AddAddr) -> Note:
    """Whether an address comes from a host that knows both keys."""
    own, peer = direction.host.key, other.host.key
    if own is None or peer is None:
        return Finding(option, {"valid": None}, "")
    right = compute_add_addr_hmac(own, peer, option.address_id, option.address, option.port)
    valid = option.hmac == right
    return Finding(option, {"valid": valid}, "" if valid else f"the HMAC should be {right.hex()}")
