"""DSS on the wire."""

import itertools

import pytest
from hypothesis import given

from mptcp.errors import Refused
from mptcp.wire import dss
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.options import Option, Unknown
from mptcp.wire.segment import ACK, SYN, parse_options
from mptcp_model import strategies

WIDE_A, WIDE_N = 0x9AC0C6C29EF61A06, 0xE3DB22C6785A0D58


def walk(octets: bytes, flags: int = ACK, version: int = 1) -> tuple[Option, ...]:
    return parse_options(octets, 0, len(octets), flags, version)


@pytest.mark.clause("R8684-3.3-02", "R8684-3.3-04", "R8684-3.3-08", "R8684-3.3.1-24", "R8684-3.3.1-27")
@given(strategies.signals)
def test_round_trip(signal: Dss) -> None:
    """All combinations, on every segment and in both versions: DSS looks the same everywhere."""
    octets = signal.emit()
    assert 8 <= len(octets) == signal.compute_size() <= 28
    for version in (0, 1):
        for flags in (0, SYN, ACK):
            assert walk(octets, flags, version) == (signal,)


@pytest.mark.parametrize(
    ("signal", "octets"),
    [
        (Dss(DataAck(0x9EF61A06, False), None), "1e0820019ef61a06"),
        (Dss(DataAck(WIDE_A, True), None), "1e0c20039ac0c6c29ef61a06"),
        (Dss(None, Mapping(0x785A0D58, False, 19, 5, None, False)), "1e0e2004785a0d58000000130005"),
        (Dss(None, Mapping(WIDE_N, True, 19, 5, 0x2FC1, False)), "1e14200ce3db22c6785a0d580000001300052fc1"),
        (
            Dss(DataAck(WIDE_A, True), Mapping(WIDE_N + 5, True, 0, 1, None, True)),
            "1e1a201f9ac0c6c29ef61a06e3db22c6785a0d5d000000000001",
        ),
        (
            Dss(DataAck(0x9EF61A06, False), Mapping(WIDE_N, True, 19, 0, None, False)),
            "1e16200d9ef61a06e3db22c6785a0d58000000130000",
        ),
    ],
)
def test_known_octets(signal: Dss, octets: str) -> None:
    """RFC 8684 figure 9; the last but one is a bare DATA_FIN, the last an infinite mapping."""
    assert signal.emit().hex() == octets
    assert walk(bytes.fromhex(octets)) == (signal,)


@pytest.mark.clause("R8684-3.3-02", "R8684-3.3-03", "R8684-3.3-04", "R8684-3.3-05", "R8684-3.3-08")
def test_every_flag_with_every_length() -> None:
    """A length is right if the flags account for it, or for all but a checksum."""
    for flags, length in itertools.product(range(256), range(2, 41)):
        octets = (bytes([dss.DSS << 4, flags]) + bytes(range(1, 40)))[: length - 2]
        (found,) = walk(bytes([30, length]) + octets)
        ack = (8 if flags & 2 else 4) if flags & 1 else 0
        mapping = (14 if flags & 8 else 10) if flags & 4 else 0
        legal = [4 + ack + mapping] if ack or mapping else []
        legal += [4 + ack + mapping + 2] if mapping else []
        if length not in legal:
            assert found == Unknown(30, octets)
            continue
        assert isinstance(found, Dss)
        assert (found.ack is not None, found.mapping is not None) == (ack > 0, mapping > 0)
        if found.ack is not None:
            assert found.ack.wide == (flags & 2 > 0)
        if found.mapping is not None:
            assert found.mapping.wide == (flags & 8 > 0)
            assert found.mapping.fin == (flags & 16 > 0)
            assert (found.mapping.checksum is None) == (length == legal[0])


@pytest.mark.clause("R8684-3.3-07")
def test_reserved_bits_are_ignored_and_sent_as_zero() -> None:
    """Twelve of them, some beside the subtype and some beside F."""
    (found,) = walk(bytes.fromhex("1e082fe19ef61a06"))
    assert found.emit().hex() == "1e0820019ef61a06"


def test_values_cannot_be_misspelled() -> None:
    """Refused: numbers that do not fit their width, and a DSS that says nothing."""
    for make in (
        lambda: Dss(None, None),
        lambda: DataAck(1 << 32, False),
        lambda: DataAck(1 << 64, True),
        lambda: DataAck(-1, True),
        lambda: DataAck(-1, False),
        lambda: Dss(DataAck(-(1 << 63), True), None).emit(),
        lambda: DataAck(-(1 << 61), True),
        lambda: Mapping(1 << 32, False, 0, 0, None, False),
        lambda: Mapping(1 << 64, True, 0, 0, None, False),
        lambda: Mapping(-1, True, 0, 0, None, False),
        lambda: Mapping(0, True, 1 << 32, 0, None, False),
        lambda: Mapping(0, True, -1, 0, None, False),
        lambda: Mapping(0, True, 0, 1 << 16, None, False),
        lambda: Mapping(0, True, 0, -1, None, False),
        lambda: Mapping(0, True, 0, 0, 1 << 16, False),
        lambda: Mapping(0, True, 0, 0, -1, False),
    ):
        with pytest.raises(Refused):
            make()
