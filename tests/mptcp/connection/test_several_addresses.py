"""Several addresses of ours announced at once: one after the other (RFC 8684 §3.4.1)."""

import pytest

from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.addresses import AddAddr, AddAddrEcho
from mptcp.wire.segment import ACK
from mptcp_model.dialogue import DataSignal, Peer, User
from mptcp_model.situations import established

RTT = 20 * MILLISECOND


def announced(peer: Peer) -> list[AddAddr]:
    """The ADD_ADDRs that came since the last look."""
    return [option for one in peer.skips() for option in one.options if isinstance(option, AddAddr)]


def add_several(user: User, peer: Peer, count: int) -> None:
    """So many addresses come at once."""
    for number in range(count):
        user.host.add_address(bytes([10, 0, 1, number + 1]), peer.dialogue.now, is_signal=True)
    peer.dialogue.settle()


@pytest.mark.clause("R8684-3.4.1-31", "R8684-3-06", "R8684-3.4.1-20")
def test_several_announcements() -> None:
    """One at a time, the next as soon as the last one is echoed: Linux would drop it before."""
    user, peer = established(multipath=True, rtt=RTT)
    add_several(user, peer, 5)
    for number in range(5):
        (one,) = announced(peer)
        assert one.address[3] == number + 1
        peer.expects_nothing(until=peer.dialogue.now + RTT)
        peer.sends(ACK, options=[DataSignal(ack=1), AddAddrEcho(one.address_id, one.address, one.port)])
    assert announced(peer) == []
    peer.expects_nothing(until=100 * SECOND)


@pytest.mark.clause("R8684-3.4.1-21", "R8684-3.4.1-09")
@pytest.mark.parametrize("is_removed", [False, True])
def test_several_announcements_to_nobody(is_removed: bool) -> None:
    """Where nothing is echoed, the next one's turn comes when the last was said often enough, or is gone."""
    user, peer = established(multipath=True, rtt=RTT)
    add_several(user, peer, 3)
    if is_removed:
        assert [one.address[3] for one in announced(peer)] == [1]
        user.host.remove_address(bytes([10, 0, 1, 1]), peer.dialogue.now)
        peer.dialogue.settle()
    seen = []
    for _ in range(400):
        seen += [one.address[3] for one in announced(peer)]
        peer.waits(peer.dialogue.now + 50 * MILLISECOND)
    assert seen == [*([] if is_removed else [1] * 4), *[2] * 4, *[3] * 4]
