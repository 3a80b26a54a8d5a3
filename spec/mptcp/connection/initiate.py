"""MP_CAPABLE: the handshake of the first subflow (RFC 8684 §3.1) [R8684-3.1-01] [R8684-2.1-01]."""

from mptcp.choices import REFUSE, REQUIRE
from mptcp.connection.control import Control, Mode
from mptcp.connection.fallback import fall_back
from mptcp.keys import compute_idsn, compute_token, is_equal
from mptcp.subflow.control import Control as Tcb
from mptcp.values import Micros
from mptcp.wire.handshake import (
    CHECKSUM_REQUIRED,
    EXTENSIBILITY,
    HMAC_SHA256,
    NO_JOIN,
    CapableAck,
    CapableData,
    CapableSyn,
    CapableSynAck,
    JoinSyn,
)
from mptcp.wire.options import Option

VERSION = 1  # [R8684-3.1-02] the highest that we speak
CRYPTO = 0x1F  # flags D to H
NO_CAPABLE = "the peer does not speak MPTCP"


def compute_flags(control: Control, wants_checksum: bool) -> int:
    """The flags of our MP_CAPABLE [R8684-3.1-34] [R8684-3.1-38] [R8684-3.1-39]."""
    flags = HMAC_SHA256  # [R8684-3.1-49] all that we know
    if wants_checksum:
        flags |= CHECKSUM_REQUIRED
    if not control.choices.join_initial_address:
        flags |= NO_JOIN
    return flags


def compute_syn_option(control: Control, tcb: Tcb) -> tuple[Option, ...]:
    """MP_CAPABLE for our SYN; after some lost ones it goes without [R8684-3.1-56] [R8684-3.1-57]."""
    if control.mode is Mode.PLAIN or tcb.retries >= control.choices.syn_attempts_with_mptcp:
        return ()
    # [R8684-3.1-10] nothing but the version and the flags
    return (CapableSyn(VERSION, compute_flags(control, control.choices.checksum == REQUIRE)),)


def compute_syn_ack_option(control: Control) -> tuple[Option, ...]:
    """MP_CAPABLE for our SYN/ACK, unless the SYN had none [R8684-3.1-54]."""
    if control.mode is Mode.PLAIN or not control.is_asked:
        return ()
    flags = compute_flags(control, control.choices.checksum == REQUIRE)
    return (CapableSynAck(VERSION, flags, control.local_key),)  # [R8684-3.1-50] one algorithm


def compute_ack_option(control: Control) -> CapableAck:
    """MP_CAPABLE for an acknowledgment without data, until our key is known [R8684-3.1-24]."""
    flags = compute_flags(control, control.checksum)  # [R8684-3.1-46]
    return CapableAck(VERSION, flags, control.local_key, control.remote_key)


def compute_data_option(control: Control, length: int, checksum: int | None) -> CapableData:
    """MP_CAPABLE for the first data: it stands in for the mapping [R8684-3.1-23] [R8684-3.1-25].

    The keys go on all of it, so that no loss of one packet loses them. [R8684-3.1-21] [R8684-2.1-02]
    """
    flags = compute_flags(control, control.checksum)
    return CapableData(VERSION, flags, control.local_key, control.remote_key, length, checksum)


def is_usable(control: Control, version: int, flags: int) -> str:
    """Why a peer's MP_CAPABLE cannot be used; empty when it can."""
    if flags & EXTENSIBILITY:
        return "flag B is set"  # [R8684-3.1-35]
    if not flags & CRYPTO:
        return "no algorithm is offered"  # [R8684-3.1-40]
    if not flags & HMAC_SHA256:
        return "no algorithm in common"  # [R8684-3.1-51]
    if version < VERSION:
        return "version 0"  # [R8684-3.1-03] a lower one is another handshake
    if flags & CHECKSUM_REQUIRED and control.choices.checksum == REFUSE:
        return "checksums are asked for"  # [R8684-3.1-48]
    return ""


def set_remote_key(control: Control, key: bytes) -> None:
    """What follows from the peer's key [R8684-3.1-41] [R8684-3.1-60]."""
    control.remote_key = key
    control.remote_token = compute_token(key)
    control.remote_idsn = compute_idsn(key)


def take_syn(control: Control, options: tuple[Option, ...], now: Micros) -> None:
    """The listener reads the SYN."""
    capable: CapableSyn | None = None
    for option in options:
        if isinstance(option, CapableSyn):
            capable = option
        elif isinstance(option, JoinSyn):
            fall_back(control, "MP_CAPABLE and MP_JOIN on one SYN", now)  # [R8684-3.1-52]
            return
    if control.mode is Mode.PLAIN:
        return
    reason = NO_CAPABLE if capable is None else is_usable(control, capable.version, capable.flags)
    if reason or capable is None:
        fall_back(control, reason, now)
        return
    control.is_asked = True
    control.checksum = control.choices.checksum == REQUIRE or bool(capable.flags & CHECKSUM_REQUIRED)
    control.peer_refuses_joins = bool(capable.flags & NO_JOIN)


def take_syn_again(control: Control, options: tuple[Option, ...]) -> None:
    """A repeated SYN may have given up on MP_CAPABLE: so does its answer [R8684-3.1-54].

    The mode stays open until the third packet: the two SYNs may have been reordered [R8684-3.1-58].
    """
    control.is_asked = any(isinstance(option, CapableSyn) for option in options)


def take_syn_ack(control: Control, options: tuple[Option, ...], now: Micros) -> None:
    """The initiator reads the SYN/ACK: MPTCP from here, or plain TCP [R8684-3.1-53].

    At once and on this connection [R8684-3.1-05].
    """
    if control.mode is Mode.PLAIN:
        return
    capable: CapableSynAck | None = None
    for option in options:
        if isinstance(option, CapableSynAck):
            capable = option
    if capable is None:
        fall_back(control, NO_CAPABLE, now)
        return
    reason = is_usable(control, capable.version, capable.flags)
    if not reason and (capable.version != VERSION or capable.flags & CRYPTO != HMAC_SHA256):
        reason = "the SYN/ACK chooses what was not offered"  # [R8684-3.1-30]
    if reason:
        fall_back(control, reason, now)
        return
    # [R8684-3.1-45] either side's wish is enough
    control.checksum = control.choices.checksum == REQUIRE or bool(capable.flags & CHECKSUM_REQUIRED)
    control.peer_refuses_joins = bool(capable.flags & NO_JOIN)
    set_remote_key(control, capable.key)
    control.mode = Mode.MULTIPATH


def take_third(control: Control, options: tuple[Option, ...], now: Micros) -> None:
    """The listener reads the packet that ends the handshake: it settles the mode [R8684-3.1-58]."""
    if control.mode is Mode.PLAIN:
        return
    for option in options:
        if isinstance(option, (CapableAck, CapableData)):
            reason = is_usable(control, option.version, option.flags)
            if not is_equal(option.receiver_key, control.local_key):
                reason = "the third packet echoes another key"
            elif not reason and bool(option.flags & CHECKSUM_REQUIRED) != control.checksum:
                reason = "the third packet disagrees about checksums"  # [R8684-3.1-46]
            if reason or option.version != VERSION:
                fall_back(control, reason or "the third packet has another version", now)  # [R8684-3.1-30]
                return
            set_remote_key(control, option.sender_key)
            control.mode = Mode.MULTIPATH
            control.is_confirmed = True
            return
    fall_back(control, "the third packet has no MP_CAPABLE", now)  # [R8684-3.1-55] [R8684-3.1-59]
