"""MP_CAPABLE and MP_JOIN on the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.errors import Refused
from mptcp.wire.handshake import (
    CHECKSUM_REQUIRED,
    HMAC_SHA256,
    NO_JOIN,
    CapableAck,
    CapableData,
    CapableSyn,
    CapableSynAck,
    CapableSynV0,
    JoinAck,
    JoinSyn,
    JoinSynAck,
)
from mptcp.wire.options import Option, Unknown
from mptcp.wire.segment import ACK, FIN, PSH, RST, SYN, parse_options
from mptcp_model import strategies

KEY_A, KEY_B = bytes(range(8)), bytes(range(8, 16))


def walk(octets: bytes, flags: int, version: int = 1) -> tuple[Option, ...]:
    return parse_options(octets, 0, len(octets), flags, version)


@pytest.mark.clause("R8684-3-03", "R8684-3.1-08", "R8684-3.2-02")
@pytest.mark.parametrize(
    ("flags", "drawn"),
    [
        (SYN, strategies.syn_options),
        (SYN | ACK, strategies.syn_ack_options),
        (ACK, strategies.ack_options),
        (ACK | PSH | FIN, strategies.ack_options),
    ],
)
def test_round_trip(flags: int, drawn: st.SearchStrategy[Option]) -> None:
    """Each layout on the segments it belongs to, in both versions."""

    @given(drawn, st.sampled_from([0, 1]))
    def check(option: Option, version: int) -> None:
        assert len(option.emit()) == option.compute_size()
        assert walk(option.emit(), flags, version) == (option,)

    check()


@pytest.mark.clause("R8684-3.1-09")
@given(st.one_of(strategies.syn_options, strategies.syn_ack_options, strategies.ack_options))
def test_the_layout_goes_by_syn_and_ack_and_length(option: Option) -> None:
    """On any other segment the same octets are unknown, or another layout of the same octets."""
    octets = option.emit()
    belongs = [flags for flags in (0, SYN, ACK, SYN | ACK) if walk(octets, flags) == (option,)]
    assert len(belongs) == 1
    for flags in (0, SYN, ACK, SYN | ACK):
        if flags in belongs:
            continue
        (other,) = walk(octets, flags)
        twelve = isinstance(option, (CapableSynV0, CapableSynAck)) and isinstance(
            other, (CapableSynV0, CapableSynAck)
        )
        assert twelve or other == Unknown(30, octets[2:])


@pytest.mark.clause("R8684-3.1-08", "R8684-3.1-32", "R8684-3.2-03")
@pytest.mark.parametrize(
    ("option", "flags", "octets"),
    [
        (CapableSyn(1, HMAC_SHA256), SYN, "1e040101"),
        (CapableSyn(1, CHECKSUM_REQUIRED | NO_JOIN | HMAC_SHA256), SYN, "1e0401a1"),
        (CapableSynV0(0x01, KEY_A), SYN, "1e0c0001" + KEY_A.hex()),
        (CapableSynAck(1, HMAC_SHA256, KEY_B), SYN | ACK, "1e0c0101" + KEY_B.hex()),
        (CapableSynAck(0, 0x81, KEY_B), SYN | ACK, "1e0c0081" + KEY_B.hex()),
        (CapableAck(1, HMAC_SHA256, KEY_A, KEY_B), ACK, "1e140101" + KEY_A.hex() + KEY_B.hex()),
        (CapableData(1, 1, KEY_A, KEY_B, 18, None), ACK, "1e160101" + KEY_A.hex() + KEY_B.hex() + "0012"),
        (CapableData(1, 129, KEY_A, KEY_B, 18, 0x9509), ACK, "1e180181" + (KEY_A + KEY_B).hex() + "00129509"),
        (JoinSyn(True, 2, 0x34179DE5, b"abcd"), SYN, "1e0c110234179de561626364"),
        (JoinSynAck(False, 7, b"01234567", b"abcd"), SYN | ACK, "1e101007303132333435363761626364"),
        (JoinAck(bytes(range(20))), ACK, "1e181000" + bytes(range(20)).hex()),
    ],
)
def test_known_octets(option: Option, flags: int, octets: str) -> None:
    """RFC 8684 figures 4 to 7."""
    assert option.emit().hex() == octets
    assert walk(bytes.fromhex(octets), flags) == (option,)


@pytest.mark.clause("R8684-3.1-04", "R6824-3.1-01")
def test_a_syn_of_one_version_is_not_one_of_the_other() -> None:
    """Four octets and version 0, or twelve and version 1, do not exist."""
    assert walk(bytes.fromhex("1e040001"), SYN) == (Unknown(30, b"\0\1"),)
    assert walk(bytes.fromhex("1e0c0101") + KEY_A, SYN) == (Unknown(30, b"\1\1" + KEY_A),)


@pytest.mark.clause("R6824-3.6-01")
def test_version_0_maps_no_data_in_the_handshake() -> None:
    """22 and 24 octets exist from version 1 on."""
    for rest in ("0012", "00129509"):
        octets = bytes.fromhex("0001") + KEY_A + KEY_B + bytes.fromhex(rest)
        assert walk(bytes([30, 2 + len(octets)]) + octets, ACK, 0) == (Unknown(30, octets),)


@pytest.mark.clause("R8684-3-02")
@pytest.mark.parametrize("subtype", [0, 1])
def test_every_other_length_is_unknown(subtype: int) -> None:
    """From the shortest option to the longest, on every kind of segment."""
    legal = {
        (0, SYN): (4, 12),
        (0, SYN | ACK): (12,),
        (0, ACK): (20, 22, 24),
        (1, SYN): (12,),
        (1, SYN | ACK): (16,),
        (1, ACK): (24,),
    }
    for flags in (0, RST, SYN, ACK, SYN | ACK):
        for length in range(2, 41):
            octets = (bytes([subtype << 4 | 1 - subtype, 1]) + bytes(38))[: length - 2]
            (found,) = walk(bytes([30, length]) + octets, flags)
            if length not in legal.get((subtype, flags), ()) or (subtype, flags, length) == (0, SYN, 12):
                assert found == Unknown(30, octets)
            else:
                assert not isinstance(found, Unknown)


@pytest.mark.clause("R8684-3.2-11", "R8684-3.2-22")
def test_reserved_bits_are_ignored_and_sent_as_zero() -> None:
    """Of the nibble beside MP_JOIN's subtype only B counts; of the ACK's twelve bits none."""
    assert walk(bytes.fromhex("1e0c1e0234179de561626364"), SYN)[0].emit().hex() == "1e0c100234179de561626364"
    assert walk(bytes.fromhex("1e181fff") + bytes(20), ACK)[0].emit().hex() == "1e181000" + "00" * 20


@pytest.mark.clause("R8684-3.1-49")
@given(strategies.u8)
def test_all_flags_come_through(flags: int) -> None:
    """What unassigned flags mean is the listener's question, not the parser's."""
    assert walk(CapableSyn(1, flags).emit(), SYN) == (CapableSyn(1, flags),)


def test_values_cannot_be_misspelled() -> None:
    """Refused: keys, nonces, HMACs of another length, numbers out of range, versions mixed."""
    for make in (
        lambda: CapableSyn(0, 1),
        lambda: CapableSyn(16, 1),
        lambda: CapableSyn(1, 256),
        lambda: CapableSyn(1, -1),
        lambda: CapableSynV0(1, bytes(7)),
        lambda: CapableSynV0(1, bytes(9)),
        lambda: CapableSynAck(1, 1, b""),
        lambda: CapableSynAck(-1, 1, bytes(8)),
        lambda: CapableAck(1, 1, bytes(8), bytes(7)),
        lambda: CapableAck(1, 1, bytes(7), bytes(8)),
        lambda: CapableData(0, 1, bytes(8), bytes(8), 1, None),
        lambda: CapableData(1, 1, bytes(8), bytes(8), 65_536, None),
        lambda: CapableData(1, 1, bytes(8), bytes(8), 1, 65_536),
        lambda: CapableData(1, 1, bytes(8), bytes(8), 1, -1),
        lambda: CapableData(1, 1, bytes(8), bytes(8), -1, None),
        lambda: JoinSyn(False, 256, 1, bytes(4)),
        lambda: JoinSyn(False, 1, 1 << 32, bytes(4)),
        lambda: JoinSyn(False, 1, 1, bytes(3)),
        lambda: JoinSynAck(False, 1, bytes(20), bytes(4)),
        lambda: JoinSynAck(False, 1, bytes(8), bytes(5)),
        lambda: JoinSynAck(False, -1, bytes(8), bytes(4)),
        lambda: JoinAck(bytes(8)),
    ):
        with pytest.raises(Refused):
            make()
