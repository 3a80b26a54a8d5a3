"""MP_FAIL, MP_FASTCLOSE, MP_TCPRST and MP_EXPERIMENTAL on the wire."""

import pytest
from hypothesis import given

from mptcp.errors import Refused
from mptcp.wire.endings import TRANSIENT, Experimental, Fail, FastClose, TcpReset
from mptcp.wire.options import Option, Unknown
from mptcp.wire.segment import ACK, RST, parse_options
from mptcp_model import strategies


def walk(octets: bytes, version: int = 1, flags: int = ACK | RST) -> tuple[Option, ...]:
    return parse_options(octets, 0, len(octets), flags, version)


@pytest.mark.clause("R8684-3-01", "R8684-3.5-03", "R8684-3.6-03", "R8684-3.7-16")
@pytest.mark.parametrize(
    ("option", "octets"),
    [
        (Fail(0xE3DB22C6785A0D58), "1e0c6000e3db22c6785a0d58"),
        (FastClose(b"abcdefgh"), "1e0c70006162636465666768"),
        (TcpReset(0, 1), "1e048001"),
        (TcpReset(TRANSIENT, 2), "1e048102"),
        (Experimental(b"\xf1\2\3"), "1e05f10203"),
        (Experimental(b"\xf0"), "1e03f0"),
    ],
)
def test_known_octets(option: Option, octets: str) -> None:
    """RFC 8684 figures 14 to 16 and 3."""
    assert option.emit().hex() == octets
    assert walk(bytes.fromhex(octets)) == (option,)


@pytest.mark.clause("R8684-3.6-18")
@given(strategies.u8)
def test_any_reason_is_taken(reason: int) -> None:
    """The registry can grow."""
    assert walk(bytes([30, 4, 0x80, reason])) == (TcpReset(0, reason),)


@pytest.mark.clause("R8684-3.6-09", "R8684-3.6-10", "R8684-3.6-05")
def test_u_v_and_w_are_ignored_and_sent_as_zero() -> None:
    """Only T is told."""
    for nibble in range(16):
        (found,) = walk(bytes([30, 4, 0x80 | nibble, 6]))
        assert found == TcpReset(nibble & TRANSIENT, 6)


@pytest.mark.clause("R6824-8-01")
def test_version_0_has_no_mp_tcprst() -> None:
    """Its subtype was not assigned."""
    assert walk(bytes.fromhex("1e048001"), 0) == (Unknown(30, b"\x80\1"),)


@pytest.mark.clause("R8684-3-02", "R8684-7.2-02")
def test_every_other_length_and_subtype_is_unknown() -> None:
    """Whatever stands in it."""
    legal = {6: (12,), 7: (12,), 8: (4,), 15: tuple(range(3, 41))}
    for subtype in range(6, 16):
        for length in range(2, 41):
            octets = (bytes([subtype << 4]) + bytes(range(1, 39)))[: length - 2]
            (found,) = walk(bytes([30, length]) + octets)
            assert isinstance(found, Unknown) == (length not in legal.get(subtype, ()))
            if isinstance(found, Unknown):
                assert found.emit() == bytes([30, length]) + octets


def test_values_cannot_be_misspelled() -> None:
    """Refused: numbers out of range, keys of another length, flags that are not assigned."""
    for make in (
        lambda: Fail(-1),
        lambda: Fail(1 << 64),
        lambda: FastClose(bytes(7)),
        lambda: TcpReset(2, 1),
        lambda: TcpReset(0, 256),
        lambda: TcpReset(0, -1),
        lambda: Experimental(b""),
        lambda: Experimental(b"\xe0"),
        lambda: Experimental(b"\xf0" + bytes(38)),
    ):
        with pytest.raises(Refused):
            make()
