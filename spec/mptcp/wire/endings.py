"""MP_FAIL, MP_FASTCLOSE, MP_TCPRST and MP_EXPERIMENTAL: RFC 8684 §3.7, §3.5, §3.6, §7.2."""

from typing import Final, final

from mptcp.errors import Refused
from mptcp.numbers import MASK_64
from mptcp.parameters import KEY_LENGTH, MPTCP_OPTION, OPTION_SPACE
from mptcp.wire.octets import emit_64, u64
from mptcp.wire.options import Option

FAIL: Final = 0x6  # option subtypes; RFC 8684 §7.2
FAST_CLOSE: Final = 0x7
TCP_RESET: Final = 0x8
EXPERIMENTAL: Final = 0xF

TRANSIENT: Final = 0x01  # flag T of MP_TCPRST; RFC 8684 §3.6 [R8684-3.6-05]


@final
class Fail(Option):
    """MP_FAIL: the data from the 64-bit ``dsn`` on had a wrong checksum. [R8684-3.7-16]"""

    __match_args__ = ("dsn",)

    def __init__(self, dsn: int) -> None:
        if not 0 <= dsn <= MASK_64:
            raise Refused("the DSN of MP_FAIL has 64 bits")
        self.dsn: Final = dsn

    def emit(self) -> bytes:
        """RFC 8684 §3.7, figure 16."""
        return bytes((MPTCP_OPTION, 12, FAIL << 4, 0)) + emit_64(self.dsn)


@final
class FastClose(Option):
    """MP_FASTCLOSE: the connection is over; ``key`` is that of the host it goes to. [R8684-3.5-03]"""

    __match_args__ = ("key",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_LENGTH:
            raise Refused("a key has 8 octets")
        self.key: Final = key

    def emit(self) -> bytes:
        """RFC 8684 §3.5, figure 14."""
        return bytes((MPTCP_OPTION, 12, FAST_CLOSE << 4, 0)) + self.key


@final
class TcpReset(Option):
    """MP_TCPRST: why a subflow is reset; ``flags`` is 0 or TRANSIENT. [R8684-3.6-03]

    Reasons that are not assigned yet are as good as any other. [R8684-3.6-18]
    """

    __match_args__ = ("flags", "reason")

    def __init__(self, flags: int, reason: int) -> None:
        if flags not in (0, TRANSIENT):
            raise Refused("of the flags of MP_TCPRST only T is assigned")  # [R8684-3.6-09]
        if not 0 <= reason <= 0xFF:
            raise Refused("a reason has 8 bits")
        self.flags: Final = flags
        self.reason: Final = reason

    def emit(self) -> bytes:
        """RFC 8684 §3.6, figure 15."""
        return bytes((MPTCP_OPTION, 4, TCP_RESET << 4 | self.flags, self.reason))


@final
class Experimental(Option):
    """MP_EXPERIMENTAL: ``octets`` are those behind the length; the first begins with nibble 0xF.

    [R8684-7.2-02] the subtypes 9 to 14 are nobody's, and stay Unknown. [R8684-E-08]
    """

    __match_args__ = ("octets",)

    def __init__(self, octets: bytes) -> None:
        if not 1 <= len(octets) <= OPTION_SPACE - 2 or octets[0] >> 4 != EXPERIMENTAL:
            raise Refused("1 to 38 octets whose first begins with the subtype 0xf")
        self.octets: Final = octets

    def emit(self) -> bytes:
        """RFC 8684 §3, figure 3."""
        return bytes((MPTCP_OPTION, 2 + len(self.octets))) + self.octets


def parse(packet: bytes, at: int, length: int, version: int) -> Option | None:
    """The option of one of these subtypes, ``length`` >= 3 octets at ``at``; None if not legal."""
    subtype = packet[at + 2] >> 4
    if subtype == FAIL and length == 12:
        return Fail(u64(packet, at + 4))
    if subtype == FAST_CLOSE and length == 12:
        return FastClose(packet[at + 4 : at + 12])
    if subtype == TCP_RESET and length == 4 and version > 0:  # [R6824-8-01] version 0 has none
        # [R8684-3.6-10] U, V and W are ignored
        return TcpReset(packet[at + 2] & TRANSIENT, packet[at + 3])
    if subtype == EXPERIMENTAL:
        return Experimental(packet[at + 2 : at + length])
    return None
