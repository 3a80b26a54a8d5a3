"""A DATA_FIN that comes on a mapping of which some text has left already, with checksums."""

import pytest

from mptcp.choices import REQUIRE
from mptcp.events import Aborted, Finished, Readable
from mptcp.keys import compute_dss_checksum
from mptcp.parameters import REASON_MPTCP
from mptcp.values import Text
from mptcp.wire.dss import Dss, Mapping
from mptcp.wire.endings import TcpReset
from mptcp.wire.segment import ACK, RST
from mptcp_model.dialogue import DataSignal, Peer, User
from mptcp_model.situations import established

OCTETS = bytes(range(200))


def begin() -> tuple[User, Peer]:
    """Checksums are in use, and the first half of a mapping of 200 octets has come."""
    user, peer = established(multipath=True, checksum=REQUIRE)
    peer.checksum = True
    peer.sends(ACK, text=OCTETS[:100], options=[spell(peer, 200, False)])
    return user, peer


def spell(peer: Peer, length: int, fin: bool, spoil: int = 0) -> Dss:
    """The mapping of all of OCTETS, of ``length`` at data level, as it stands on each of its segments."""
    number = peer.dsn(1)
    checksum = compute_dss_checksum(number, 1, length, (Text(OCTETS, 0, len(OCTETS)),))
    return Dss(None, Mapping(number, True, 1, length, checksum ^ spoil, fin))


@pytest.mark.clause("R8684-3.3.3-03", "R8684-3.3.1-04")
def test_data_fin_is_added() -> None:
    """The same text, one octet longer at data level and so with another checksum: no contradiction."""
    user, peer = begin()
    peer.sends(ACK, text=OCTETS[100:], options=[spell(peer, 201, True)])
    user.hears(Readable, Finished)
    user.reads(OCTETS)
    peer.skips()
    peer.sends(ACK, options=[])
    user.hears_nothing()
    user.closes()
    peer.expects(ACK, options=[DataSignal(ack=202, dsn=1, length=1, fin=True)])


@pytest.mark.clause("R8684-3.3.1-04")
def test_mapping_is_altered() -> None:
    """The same length with another checksum is an alteration, and so is a longer text."""
    for altered in (200, 202):
        user, peer = begin()
        peer.skips()
        peer.sends(ACK, text=OCTETS[100:], options=[spell(peer, altered, False, spoil=1)])
        peer.expects(RST | ACK, options=[TcpReset(0, REASON_MPTCP)])
        user.hears(Aborted)
