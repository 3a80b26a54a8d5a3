"""ADD_ADDR, REMOVE_ADDR and MP_PRIO on the wire, in both versions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.errors import Refused
from mptcp.wire.addresses import AddAddr, AddAddrEcho, AddAddrV0, Prio, PrioV0, RemoveAddr
from mptcp.wire.options import Option, Unknown
from mptcp.wire.segment import ACK, RST, parse_options
from mptcp_model import strategies

FOUR = bytes([192, 0, 2, 2])
SIX = bytes.fromhex("20010db8000000000000000000000002")
HMAC = b"01234567"


def walk(octets: bytes, version: int = 1, flags: int = ACK) -> tuple[Option, ...]:
    return parse_options(octets, 0, len(octets), flags, version)


@pytest.mark.clause("R8684-1-01", "R8684-3.4.1-03", "R6824-3.4.1-02")
@given(st.sampled_from([0, 1]), st.data())
def test_round_trip(version: int, data: st.DataObject) -> None:
    """Each option that goes on any segment, in its version."""
    option = data.draw(strategies.v0_options if version == 0 else strategies.v1_options)
    assert len(option.emit()) == option.compute_size()
    for flags in (ACK, RST, 0):
        assert walk(option.emit(), version, flags) == (option,)


@pytest.mark.clause("R8684-3.4.1-03", "R8684-3.4.1-11", "R8684-3.4.1-20", "R8684-3.4.2-05", "R8684-3.3.8-04")
@pytest.mark.parametrize(
    ("version", "option", "octets"),
    [
        (1, AddAddr(1, FOUR, None, HMAC), "1e103001c0000202" + HMAC.hex()),
        (1, AddAddr(1, FOUR, 443, HMAC), "1e123001c000020201bb" + HMAC.hex()),
        (1, AddAddr(1, SIX, None, HMAC), "1e1c3001" + SIX.hex() + HMAC.hex()),
        (1, AddAddr(1, SIX, 443, HMAC), "1e1e3001" + SIX.hex() + "01bb" + HMAC.hex()),
        (1, AddAddrEcho(1, FOUR, None), "1e083101c0000202"),
        (1, AddAddrEcho(1, FOUR, 443), "1e0a3101c000020201bb"),
        (1, AddAddrEcho(1, SIX, None), "1e143101" + SIX.hex()),
        (1, AddAddrEcho(1, SIX, 443), "1e163101" + SIX.hex() + "01bb"),
        (0, AddAddrV0(1, FOUR, None), "1e083401c0000202"),
        (0, AddAddrV0(1, FOUR, 443), "1e0a3401c000020201bb"),
        (0, AddAddrV0(1, SIX, None), "1e143601" + SIX.hex()),
        (0, AddAddrV0(1, SIX, 443), "1e163601" + SIX.hex() + "01bb"),
        (1, RemoveAddr((1, 2, 255)), "1e06400102ff"),
        (1, Prio(False), "1e0350"),
        (1, Prio(True), "1e0351"),
        (0, PrioV0(True, 2), "1e045102"),
    ],
)
def test_known_octets(version: int, option: Option, octets: str) -> None:
    """RFC 8684 figures 11 to 13, RFC 6824 figures 11 and 12."""
    assert option.emit().hex() == octets
    assert walk(bytes.fromhex(octets), version) == (option,)


@pytest.mark.clause("R8684-3-02", "R8684-3.4.1-03")
def test_every_length_of_add_addr() -> None:
    """Without E 16, 18, 28, 30; with E 8, 10, 20, 22; in version 0 these with the right family."""
    for version in (0, 1):
        for nibble in range(16):
            for length in range(2, 41):
                octets = (bytes([0x30 | nibble, 9]) + bytes(range(1, 39)))[: length - 2]
                (found,) = walk(bytes([30, length]) + octets, version)
                if version == 0:
                    legal = {4: (8, 10), 6: (20, 22)}.get(nibble, ())
                else:
                    legal = (8, 10, 20, 22) if nibble & 1 else (16, 18, 28, 30)
                kind = AddAddrV0 if version == 0 else AddAddrEcho if nibble & 1 else AddAddr
                assert type(found) is (kind if length in legal else Unknown)


@pytest.mark.clause("R8684-3.4.1-18", "R8684-3.4.1-19")
def test_flags_beside_e_are_ignored_and_sent_as_zero() -> None:
    """They may mean something one day."""
    assert walk(bytes.fromhex("1e083f01c0000202"))[0].emit().hex() == "1e083101c0000202"
    assert walk(bytes.fromhex("1e103e01c0000202" + HMAC.hex()))[0].emit()[2] == 0x30


def test_an_explicit_port_0_is_not_legal() -> None:
    """It would have the HMAC of an option without port."""
    for version, octets in (
        (1, "1e123001c00002020000" + HMAC.hex()),
        (1, "1e0a3101c00002020000"),
        (0, "1e0a3401c00002020000"),
    ):
        (found,) = walk(bytes.fromhex(octets), version)
        assert isinstance(found, Unknown)


@pytest.mark.clause("R8684-3.4.2-05")
def test_remove_addr_names_at_least_one() -> None:
    """And as many as fit."""
    assert walk(bytes.fromhex("1e0340")) == (Unknown(30, b"\x40"),)
    many = tuple(range(37))
    assert walk(bytes([30, 40, 0x40, *many])) == (RemoveAddr(many),)


@pytest.mark.clause("R8684-3.3.8-04", "R6824-3.3.8-01")
def test_four_octets_of_mp_prio_are_version_0() -> None:
    """Version 1 ignores them; three octets are the same in both."""
    assert walk(bytes.fromhex("1e045102"), 1) == (Unknown(30, b"\x51\2"),)
    assert walk(bytes.fromhex("1e0351"), 0) == (Prio(True),)
    assert walk(bytes.fromhex("1e05510203"), 0) == (Unknown(30, b"\x51\2\3"),)


def test_values_cannot_be_misspelled() -> None:
    """Refused: addresses and HMACs of another length, port 0, no ID or too many."""
    for make in (
        lambda: AddAddr(256, FOUR, None, HMAC),
        lambda: AddAddr(1, FOUR + b"\0", None, HMAC),
        lambda: AddAddr(1, FOUR, 0, HMAC),
        lambda: AddAddr(1, FOUR, 65_536, HMAC),
        lambda: AddAddr(1, FOUR, None, HMAC[:7]),
        lambda: AddAddrEcho(-1, FOUR, None),
        lambda: AddAddrEcho(1, b"", None),
        lambda: AddAddrV0(1, SIX, 0),
        lambda: RemoveAddr(()),
        lambda: RemoveAddr((256,)),
        lambda: RemoveAddr(tuple(range(38))),
        lambda: PrioV0(True, 256),
    ):
        with pytest.raises(Refused):
            make()
