"""The registries of RFC 8684 §7: the option kind, its subtypes, the flags, the reasons, number by number."""

import pytest

from mptcp import parameters
from mptcp.wire import addresses, dss, endings, handshake
from mptcp.wire.addresses import AddAddr, AddAddrEcho, Prio, RemoveAddr
from mptcp.wire.dss import DataAck, Dss
from mptcp.wire.endings import Experimental, Fail, FastClose, TcpReset
from mptcp.wire.handshake import CapableSyn, JoinSyn
from mptcp.wire.options import Option

KEY = bytes(8)
SUBTYPES = (
    (0x0, handshake.CAPABLE, CapableSyn(1, 1)),
    (0x1, handshake.JOIN, JoinSyn(False, 1, 2, bytes(4))),
    (0x2, dss.DSS, Dss(DataAck(1, True), None)),
    (0x3, addresses.ADD_ADDR, AddAddr(1, bytes(4), None, KEY)),
    (0x3, addresses.ADD_ADDR, AddAddrEcho(1, bytes(4), None)),
    (0x4, addresses.REMOVE_ADDR, RemoveAddr((1,))),
    (0x5, addresses.PRIO, Prio(True)),
    (0x6, endings.FAIL, Fail(1)),
    (0x7, endings.FAST_CLOSE, FastClose(KEY)),
    (0x8, endings.TCP_RESET, TcpReset(0, 1)),
    (0xF, endings.EXPERIMENTAL, Experimental(b"\xf0")),
)


@pytest.mark.clause("R8684-7.1-01", "R8684-7.2-01", "R8684-2-01", "R8684-3-01", "R8684-E-08")
@pytest.mark.parametrize(("subtype", "named", "option"), SUBTYPES)
def test_kind_and_subtypes(subtype: int, named: int, option: Option) -> None:
    """RFC 8684 §7.1 and §7.2: kind 30, and the subtype in the upper half of the third octet."""
    octets = option.emit()
    assert parameters.MPTCP_OPTION == octets[0] == 30
    assert octets[1] == len(octets)
    assert named == octets[2] >> 4 == subtype


@pytest.mark.clause("R8684-7.3-01")
def test_flags_of_mp_capable() -> None:
    """RFC 8684 §7.3, table 3: A, B and C from the left, H on the right; D to G are nobody's."""
    flags = (handshake.CHECKSUM_REQUIRED, handshake.EXTENSIBILITY, handshake.NO_JOIN, handshake.HMAC_SHA256)
    assert flags == (0b1000_0000, 0b0100_0000, 0b0010_0000, 0b0000_0001)


@pytest.mark.clause("R8684-7.4-01")
def test_reasons() -> None:
    """RFC 8684 §7.4, table 4."""
    assert tuple(range(7)) == (
        parameters.REASON_UNSPECIFIED,
        parameters.REASON_MPTCP,
        parameters.REASON_RESOURCES,
        parameters.REASON_PROHIBITED,
        parameters.REASON_OUTSTANDING,
        parameters.REASON_PERFORMANCE,
        parameters.REASON_MIDDLEBOX,
    )


@pytest.mark.clause("R6824-3.1-05")
def test_version_0_says_so() -> None:
    """The lower half of the third octet is the version."""
    assert handshake.CapableSynV0(1, KEY).emit()[2] == 0
    assert CapableSyn(1, 1).emit()[2] == 1
