"""MP_CAPABLE: the handshake of the first subflow (RFC 8684 §3.1) [R8684-3.1-01] [R8684-2.1-01].

Version 0 (RFC 6824) is the same handshake but for this: the SYN carries the initiator's key
[R6824-3.1-01], so that no data has to bring it [R8684-E-01], and nothing but MP_CAPABLE fits on the
third packet.
"""

from typing import Final

from mptcp.choices import REFUSE, REQUIRE, Choices
from mptcp.connection.control import Control, Mode
from mptcp.connection.fallback import fall_back
from mptcp.keys import compute_idsn, compute_token, is_equal
from mptcp.subflow.control import Control as Tcb
from mptcp.values import Micros
from mptcp.wire.dss import Dss
from mptcp.wire.handshake import (
    CHECKSUM_REQUIRED,
    EXTENSIBILITY,
    HMAC_SHA256,
    NO_JOIN,
    CapableAck,
    CapableData,
    CapableSyn,
    CapableSynAck,
    CapableSynV0,
    JoinSyn,
)
from mptcp.wire.options import Option

CRYPTO: Final = 0x1F  # flags D to H
CRYPTO_V0: Final = 0x3F  # flags C to H: there is no flag C yet [R6824-3.1-06] [R8684-E-02]
NOTHING: Final = -1  # in place of a version to offer
NO_CAPABLE: Final = "the peer does not speak MPTCP"
OWN_KEY: Final = "the peer's key is our own"  # of a mirror: it would pass every HMAC of ours for its own


# -- which version ----------------------------------------------------------------------------


def find_version(choices: Choices, options: tuple[Option, ...]) -> int:
    """The version in which a listener with ``choices`` answers a SYN with ``options``.

    The highest that both know [R8684-3.1-03]; what can be read of one SYN is a SYN of one version
    alone [R8684-3.1-04], so that nobody is led to version 0 by a change on the way [R8684-5-05].
    """
    for option in options:
        if isinstance(option, CapableSynV0) and choices.lowest_version == 0:
            return 0
    return choices.version


def is_to_be_ignored(choices: Choices, options: tuple[Option, ...]) -> bool:
    """Whether version 0 wants this SYN left without any answer: it has flag B [R6824-3.1-04]."""
    for option in options:
        if isinstance(option, CapableSynV0) and option.flags & EXTENSIBILITY:
            return choices.multipath and choices.lowest_version == 0
    return False


# -- what we say ------------------------------------------------------------------------------


def compute_flags(control: Control, wants_checksum: bool) -> int:
    """The flags of our MP_CAPABLE [R8684-3.1-34] [R8684-3.1-38] [R8684-3.1-39]."""
    # [R8684-3.1-49] all that we know, nothing to be led to [R8684-5-04]; in version 0 it means HMAC-SHA1
    flags = HMAC_SHA256
    if wants_checksum:
        flags |= CHECKSUM_REQUIRED
    if control.version > 0 and not control.choices.join_initial_address:
        flags |= NO_JOIN
    return flags


def skip(control: Control, now: Micros) -> None:
    """Nothing is offered: this destination did not answer when it was [R8684-3.9.3-02]."""
    fall_back(control, "SYNs with MP_CAPABLE get no answer there", now)


def compute_syn_option(control: Control, tcb: Tcb) -> tuple[Option, ...]:
    """MP_CAPABLE for our SYN; after some lost ones it goes without [R8684-3.1-56] [R8684-3.1-57]."""
    if control.mode is Mode.PLAIN or tcb.retries >= control.choices.syn_attempts_with_mptcp:
        return ()
    flags = compute_flags(control, control.choices.checksum == REQUIRE)
    if control.version == 0:
        return (CapableSynV0(flags, control.local_key),)
    # [R8684-3.1-02] the highest version, and [R8684-3.1-10] nothing but it and the flags
    return (CapableSyn(control.version, flags),)


def compute_syn_ack_option(control: Control) -> tuple[Option, ...]:
    """MP_CAPABLE for our SYN/ACK, unless the SYN had none [R8684-3.1-54]."""
    if control.mode is Mode.PLAIN or not control.is_asked:
        return ()
    flags = compute_flags(control, control.choices.checksum == REQUIRE)
    return (CapableSynAck(control.version, flags, control.local_key),)  # [R8684-3.1-50] one algorithm


def compute_ack_option(control: Control) -> CapableAck:
    """MP_CAPABLE for an acknowledgment without data, until our key is known [R8684-3.1-24]."""
    flags = compute_flags(control, control.checksum)  # [R8684-3.1-46]
    return CapableAck(control.version, flags, control.local_key, control.remote_key)


def compute_data_option(control: Control, length: int, checksum: int | None) -> CapableData:
    """MP_CAPABLE for the first data: it stands in for the mapping [R8684-3.1-23] [R8684-3.1-25].

    The keys go on all of it, so that no loss of one packet loses them. [R8684-3.1-21] [R8684-2.1-02]
    """
    flags = compute_flags(control, control.checksum)
    return CapableData(control.version, flags, control.local_key, control.remote_key, length, checksum)


# -- what the peer says -----------------------------------------------------------------------


def compute_crypto(control: Control, flags: int) -> int:
    """Those of ``flags`` that name algorithms."""
    return flags & (CRYPTO if control.version > 0 else CRYPTO_V0)


def is_usable(control: Control, version: int, flags: int) -> str:
    """Why a peer's MP_CAPABLE cannot be used; empty when it can."""
    if flags & EXTENSIBILITY:
        return "flag B is set"  # [R8684-3.1-35]
    if not compute_crypto(control, flags):
        return "no algorithm is offered"  # [R8684-3.1-40]
    if not flags & HMAC_SHA256:
        return "no algorithm in common"  # [R8684-3.1-51]
    if version < control.version:
        return "version 0"  # [R8684-3.1-03] a lower one is another handshake
    if flags & CHECKSUM_REQUIRED and control.choices.checksum == REFUSE:
        return "checksums are asked for"  # [R8684-3.1-48]
    return ""


def set_remote_key(control: Control, key: bytes) -> None:
    """What follows from the peer's key [R8684-3.1-41] [R8684-3.1-60]."""
    control.remote_key = key
    control.remote_token = compute_token(key, control.version)
    control.remote_idsn = compute_idsn(key, control.version)


def set_flags(control: Control, flags: int) -> None:
    """What follows from the flags of the peer's SYN or SYN/ACK."""
    # [R8684-3.1-45] either side's wish is enough
    control.checksum = control.choices.checksum == REQUIRE or bool(flags & CHECKSUM_REQUIRED)
    control.peer_refuses_joins = control.version > 0 and bool(flags & NO_JOIN)


def find_capable(control: Control, options: tuple[Option, ...]) -> CapableSyn | CapableSynV0 | None:
    """The MP_CAPABLE of a SYN in the version that we speak with its sender."""
    for option in options:
        if isinstance(option, CapableSynV0) and control.version == 0:
            return option
        if isinstance(option, CapableSyn) and control.version > 0:
            return option
    return None


def take_syn(control: Control, options: tuple[Option, ...], now: Micros) -> None:
    """The listener reads the SYN."""
    if control.mode is Mode.PLAIN:
        return
    for option in options:
        if isinstance(option, JoinSyn):
            fall_back(control, "MP_CAPABLE and MP_JOIN on one SYN", now)  # [R8684-3.1-52]
            return
    capable = find_capable(control, options)
    if capable is None:
        fall_back(control, NO_CAPABLE, now)
        return
    version = capable.version if isinstance(capable, CapableSyn) else 0
    reason = is_usable(control, version, capable.flags)
    if isinstance(capable, CapableSynV0):
        if is_equal(capable.key, control.local_key):
            reason = OWN_KEY
        set_remote_key(control, capable.key)
    if reason:
        fall_back(control, reason, now)
        return
    control.is_asked = True
    set_flags(control, capable.flags)


def take_syn_again(control: Control, options: tuple[Option, ...]) -> None:
    """A repeated SYN may have given up on MP_CAPABLE: so does its answer [R8684-3.1-54].

    The mode stays open until the third packet: the two SYNs may have been reordered [R8684-3.1-58].
    """
    control.is_asked = find_capable(control, options) is not None


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
    is_offered = capable.version == control.version
    if not reason and (not is_offered or compute_crypto(control, capable.flags) != HMAC_SHA256):
        reason = "the SYN/ACK chooses what was not offered"  # [R8684-3.1-30]
    if is_equal(capable.key, control.local_key):
        reason = OWN_KEY
    if reason:
        fall_back(control, reason, now)
        return
    set_flags(control, capable.flags)
    set_remote_key(control, capable.key)
    control.mode = Mode.MULTIPATH


def find_lesson(control: Control) -> int | None:
    """What to offer this destination the next time: a version, or NOTHING; None if as before."""
    if control.mode is not Mode.PLAIN or not control.is_initiator or not control.was_open:
        return None
    if control.is_unheard:
        return NOTHING  # [R8684-3.9.3-01] the path, or the peer, drops them
    if control.reason == NO_CAPABLE and control.choices.lowest_version < control.version:
        return control.choices.lowest_version  # [R8684-3.1-06] it may be older than we are
    return None


def take_third(control: Control, options: tuple[Option, ...], now: Micros) -> None:
    """The listener reads the packet that ends the handshake: it settles the mode [R8684-3.1-58]."""
    if control.mode is Mode.PLAIN:
        return
    for option in options:
        if isinstance(option, (CapableAck, CapableData)):
            reason = find_fault(control, option)
            if reason:
                fall_back(control, reason, now)  # [R8684-3.1-30]
                return
            set_remote_key(control, option.sender_key)
            control.mode = Mode.MULTIPATH
            control.is_confirmed = True
            return
        if isinstance(option, Dss) and control.version == 0 and control.is_asked:
            # the third packet is lost; of its keys one came before, and whoever sends DSS has the other
            control.mode = Mode.MULTIPATH
            control.is_confirmed = True
            return
    fall_back(control, "the third packet has no MP_CAPABLE", now)  # [R8684-3.1-55] [R8684-3.1-59]


def find_fault(control: Control, capable: CapableAck | CapableData) -> str:
    """What is wrong with the MP_CAPABLE of the third packet; empty when nothing is."""
    if not is_equal(capable.receiver_key, control.local_key):
        return "the third packet echoes another key"
    if is_equal(capable.sender_key, control.local_key):
        return OWN_KEY
    if capable.version != control.version:
        return "the third packet has another version"
    if control.version == 0 and not is_equal(capable.sender_key, control.remote_key):
        return "the third packet has another key than the SYN"
    reason = is_usable(control, capable.version, capable.flags)
    if not reason and bool(capable.flags & CHECKSUM_REQUIRED) != control.checksum:
        return "the third packet disagrees about checksums"  # [R8684-3.1-46]
    return reason
