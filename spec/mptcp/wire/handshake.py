"""MP_CAPABLE and MP_JOIN: RFC 8684 §3.1, §3.2, and RFC 6824 for version 0.

Both options have another layout on each packet of their three-way handshake, so each layout is a
class of its own [R8684-3.1-08] [R8684-3.2-02]. SYN, ACK and the length together decide which one
it is. [R8684-3.1-09]
"""

from typing import Final, final

from mptcp.errors import Refused
from mptcp.numbers import MASK_16, MASK_32
from mptcp.parameters import KEY_LENGTH, MPTCP_OPTION
from mptcp.wire.octets import emit_16, emit_32, u16, u32
from mptcp.wire.options import Option

CAPABLE: Final = 0x0  # option subtypes; RFC 8684 §7.2 [R8684-7.2-01] [R8684-2-01]
JOIN: Final = 0x1

CHECKSUM_REQUIRED: Final = 0x80  # flags A, B, C and H of MP_CAPABLE; RFC 8684 §3.1 [R8684-7.3-01]
EXTENSIBILITY: Final = 0x40
NO_JOIN: Final = 0x20
HMAC_SHA256: Final = 0x01

BACKUP: Final = 0x01  # flag B of MP_JOIN; RFC 8684 §3.2
NONCE_LENGTH: Final = 4  # octets; RFC 8684 §3.2
SYN_ACK_HMAC: Final = 8  # octets of the HMAC on the SYN/ACK; RFC 8684 §3.2
ACK_HMAC: Final = 20  # and on the ACK


def check_capable(version: int, flags: int) -> None:
    """Refused unless both fit their fields: 4 bits and 8 bits."""
    if not 0 <= version <= 15:
        raise Refused("a version has 4 bits")
    if not 0 <= flags <= 0xFF:
        raise Refused("MP_CAPABLE has 8 flags")


def check_key(key: bytes) -> None:
    """Refused unless ``key`` has 8 octets."""
    if len(key) != KEY_LENGTH:
        raise Refused("a key has 8 octets")


def check_join(address_id: int) -> None:
    """Refused unless ``address_id`` has 8 bits."""
    if not 0 <= address_id <= 0xFF:
        raise Refused("an address ID has 8 bits")


@final
class CapableSyn(Option):
    """MP_CAPABLE on a SYN, 4 octets: the version asked for (1 or more) and the flags."""

    __match_args__ = ("version", "flags")

    def __init__(self, version: int, flags: int) -> None:
        check_capable(version, flags)
        if version == 0:
            raise Refused("in version 0 the SYN carries a key")
        self.version: Final = version
        self.flags: Final = flags

    def emit(self) -> bytes:
        """RFC 8684 §3.1, figure 4."""
        return bytes((MPTCP_OPTION, 4, CAPABLE << 4 | self.version, self.flags))


@final
class CapableSynV0(Option):
    """MP_CAPABLE of version 0 on a SYN, 12 octets: the flags and the sender's key. [R6824-3.1-01]"""

    __match_args__ = ("flags", "key")

    def __init__(self, flags: int, key: bytes) -> None:
        check_capable(0, flags)
        check_key(key)
        self.flags: Final = flags
        self.key: Final = key

    def emit(self) -> bytes:
        """RFC 6824 §3.1, figure 4."""
        # [R6824-3.1-05] the version is 0
        return bytes((MPTCP_OPTION, 12, CAPABLE << 4, self.flags)) + self.key


@final
class CapableSynAck(Option):
    """MP_CAPABLE on a SYN/ACK, 12 octets: the version chosen, the flags, the listener's key."""

    __match_args__ = ("version", "flags", "key")

    def __init__(self, version: int, flags: int, key: bytes) -> None:
        check_capable(version, flags)
        check_key(key)
        self.version: Final = version
        self.flags: Final = flags
        self.key: Final = key

    def emit(self) -> bytes:
        """RFC 8684 §3.1, figure 4."""
        return bytes((MPTCP_OPTION, 12, CAPABLE << 4 | self.version, self.flags)) + self.key


@final
class CapableAck(Option):
    """MP_CAPABLE on the third packet without data, 20 octets: both keys, the initiator's first."""

    __match_args__ = ("version", "flags", "sender_key", "receiver_key")

    def __init__(self, version: int, flags: int, sender_key: bytes, receiver_key: bytes) -> None:
        check_capable(version, flags)
        check_key(sender_key)
        check_key(receiver_key)
        self.version: Final = version
        self.flags: Final = flags
        self.sender_key: Final = sender_key
        self.receiver_key: Final = receiver_key

    def emit(self) -> bytes:
        """RFC 8684 §3.1, figure 4."""
        head = bytes((MPTCP_OPTION, 20, CAPABLE << 4 | self.version, self.flags))
        return head + self.sender_key + self.receiver_key


@final
class CapableData(Option):
    """MP_CAPABLE with the first data, 22 octets, or 24 with a checksum: keys and a mapping.

    The mapping is ``length`` octets from SSN 1 and the sender's IDSN + 1 on. [R8684-3.1-26]
    """

    __match_args__ = ("version", "flags", "sender_key", "receiver_key", "length", "checksum")

    def __init__(
        self,
        version: int,
        flags: int,
        sender_key: bytes,
        receiver_key: bytes,
        length: int,
        checksum: int | None,
    ) -> None:
        check_capable(version, flags)
        if version == 0:
            raise Refused("in version 0 the third packet maps no data")
        check_key(sender_key)
        check_key(receiver_key)
        if not 0 <= length <= MASK_16:
            raise Refused("a data-level length has 16 bits")
        if checksum is not None and not 0 <= checksum <= MASK_16:
            raise Refused("a checksum has 16 bits")
        self.version: Final = version
        self.flags: Final = flags
        self.sender_key: Final = sender_key
        self.receiver_key: Final = receiver_key
        self.length: Final = length
        self.checksum: Final = checksum

    def emit(self) -> bytes:
        """RFC 8684 §3.1, figure 4."""
        checksum = b"" if self.checksum is None else emit_16(self.checksum)
        head = bytes((MPTCP_OPTION, 22 + len(checksum), CAPABLE << 4 | self.version, self.flags))
        return head + self.sender_key + self.receiver_key + emit_16(self.length) + checksum


@final
class JoinSyn(Option):
    """MP_JOIN on a SYN, 12 octets: flag B, the sender's address ID, the receiver's token, a nonce.

    [R8684-3.2-03]
    """

    __match_args__ = ("backup", "address_id", "token", "nonce")

    def __init__(self, backup: bool, address_id: int, token: int, nonce: bytes) -> None:
        check_join(address_id)
        if not 0 <= token <= MASK_32:
            raise Refused("a token has 32 bits")
        if len(nonce) != NONCE_LENGTH:
            raise Refused("a nonce has 4 octets")
        self.backup: Final = backup
        self.address_id: Final = address_id
        self.token: Final = token
        self.nonce: Final = nonce

    def emit(self) -> bytes:
        """RFC 8684 §3.2, figure 5."""
        # [R8684-3.2-11] the flags beside B are zero
        head = bytes((MPTCP_OPTION, 12, JOIN << 4 | int(self.backup), self.address_id))
        return head + emit_32(self.token) + self.nonce


@final
class JoinSynAck(Option):
    """MP_JOIN on a SYN/ACK, 16 octets: flag B, the address ID, 64 bits of the HMAC, a nonce."""

    __match_args__ = ("backup", "address_id", "hmac", "nonce")

    def __init__(self, backup: bool, address_id: int, hmac: bytes, nonce: bytes) -> None:
        check_join(address_id)
        if len(hmac) != SYN_ACK_HMAC:
            raise Refused("the HMAC on a SYN/ACK has 8 octets")
        if len(nonce) != NONCE_LENGTH:
            raise Refused("a nonce has 4 octets")
        self.backup: Final = backup
        self.address_id: Final = address_id
        self.hmac: Final = hmac
        self.nonce: Final = nonce

    def emit(self) -> bytes:
        """RFC 8684 §3.2, figure 6."""
        head = bytes((MPTCP_OPTION, 16, JOIN << 4 | int(self.backup), self.address_id))
        return head + self.hmac + self.nonce


@final
class JoinAck(Option):
    """MP_JOIN on the third packet, 24 octets: 160 bits of the HMAC."""

    __match_args__ = ("hmac",)

    def __init__(self, hmac: bytes) -> None:
        if len(hmac) != ACK_HMAC:
            raise Refused("the HMAC on an ACK has 20 octets")
        self.hmac: Final = hmac

    def emit(self) -> bytes:
        """RFC 8684 §3.2, figure 7."""
        # [R8684-3.2-22] the twelve reserved bits are zero
        return bytes((MPTCP_OPTION, 24, JOIN << 4, 0)) + self.hmac


def parse_capable(packet: bytes, at: int, length: int, syn: bool, ack: bool) -> Option | None:
    """The MP_CAPABLE of ``length`` >= 3 octets at ``at``; None if such a one does not exist.

    The version in it is taken as it is: which one to speak is the listener's choice.
    """
    if length < 4:
        return None
    version, flags = packet[at + 2] & 0xF, packet[at + 3]  # [R8684-3.1-32]
    if syn and not ack:
        # [R8684-3.1-04] a SYN of one version is none of the other
        if length == 4 and version > 0:
            return CapableSyn(version, flags)
        if length == 12 and version == 0:
            return CapableSynV0(flags, packet[at + 4 : at + 12])
    elif syn:
        if length == 12:
            return CapableSynAck(version, flags, packet[at + 4 : at + 12])
    elif ack:
        sender_key, receiver_key = packet[at + 4 : at + 12], packet[at + 12 : at + 20]
        if length == 20:
            return CapableAck(version, flags, sender_key, receiver_key)
        if length == 22 and version > 0:
            return CapableData(version, flags, sender_key, receiver_key, u16(packet, at + 20), None)
        if length == 24 and version > 0:
            mapped, checksum = u16(packet, at + 20), u16(packet, at + 22)
            return CapableData(version, flags, sender_key, receiver_key, mapped, checksum)
    return None


def parse_join(packet: bytes, at: int, length: int, syn: bool, ack: bool) -> Option | None:
    """The MP_JOIN of ``length`` >= 3 octets at ``at``; None if such a one does not exist."""
    if length < 4:
        return None
    backup, address_id = (packet[at + 2] & BACKUP) != 0, packet[at + 3]
    if syn and not ack:
        if length == 12:
            return JoinSyn(backup, address_id, u32(packet, at + 4), packet[at + 8 : at + 12])
    elif syn:
        if length == 16:
            return JoinSynAck(backup, address_id, packet[at + 4 : at + 12], packet[at + 12 : at + 16])
    elif ack and length == 24:
        return JoinAck(packet[at + 4 : at + 24])
    return None
