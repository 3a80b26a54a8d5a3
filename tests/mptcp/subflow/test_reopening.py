"""TIME-WAIT and what may end it before its time: RFC 9293 §3.6.1, RFC 6191, RFC 1337."""

import pytest

from mptcp.events import Accepted, Closed, Finished
from mptcp.numbers import compute_signed_32
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.options import MaximumSegmentSize, Timestamps
from mptcp.wire.segment import ACK, FIN, RST, SYN
from mptcp_model.dialogue import Peer, User
from mptcp_model.situations import established, syn_received, time_wait

MSS = MaximumSegmentSize(1_460)


def time_wait_with_timestamps(value: int = 100, **choices: bool) -> tuple[User, Peer]:
    """TIME-WAIT after a connection with timestamps, the peer's last one being ``value``."""
    user, peer = syn_received(options=[MSS, Timestamps(value, 0)], **choices)
    peer.sends(ACK, options=[Timestamps(value, 0)])
    user.hears(Accepted)
    user.closes()
    peer.expects(FIN | ACK)
    peer.sends(FIN | ACK, options=[Timestamps(value, 0)])
    peer.expects(ACK, seq=2, ack=2)
    user.hears(Finished, Closed)
    return user, peer


def expects_reopening(user: User, peer: Peer) -> None:
    """The SYN is answered as any SYN is, and the new connection carries text."""
    old = user.connection
    start = peer.next
    peer.acked = 0
    peer.expects(SYN | ACK, seq=0)
    peer.sends(ACK, ack=1, seq=start, options=[Timestamps(1_000, 0)])
    user.hears(Accepted)
    assert user.connection != old
    user.writes(b"again")
    peer.expects(ACK, seq=1, text=b"again")


def expects_refusal(user: User, peer: Peer) -> None:
    """A challenge ACK, and nothing has happened."""
    peer.expects(ACK, seq=2, ack=2)
    user.hears_nothing()
    assert user.host.status(user.connection).subflows[0].state == "TIME-WAIT"


@pytest.mark.clause("R9293-3.6.1-03", "R6191-2-01")
@pytest.mark.parametrize("seq", [50_000, 2, -50_000])
def test_newer_timestamp(seq: int) -> None:
    """A SYN with a later timestamp opens anew, whatever its number."""
    user, peer = time_wait_with_timestamps()
    peer.sends(SYN, seq=seq, options=[MSS, Timestamps(101, 0)], at=SECOND)
    peer.next = seq + 1
    peer.isn, peer.next = peer.isn + seq & 0xFFFFFFFF, 1
    expects_reopening(user, peer)


@pytest.mark.clause("R9293-3.6.1-03", "R6191-2-01", "R6191-2-02")
@pytest.mark.parametrize(("value", "seq"), [(99, 50_000), (99, -50_000), (100, 1), (100, -50_000)])
def test_older_timestamp(value: int, seq: int) -> None:
    """One with an earlier timestamp is an old duplicate; with the same, unless its number is higher."""
    user, peer = time_wait_with_timestamps()
    peer.sends(SYN, seq=seq, options=[MSS, Timestamps(value, 0)], at=SECOND)
    peer.next = 2
    expects_refusal(user, peer)


@pytest.mark.clause("R6191-2-02", "R6191-2-04", "R9293-3.6.1-05")
@pytest.mark.parametrize("same_timestamp", [True, False])
@pytest.mark.parametrize("seq", [2, 100_000, 1 << 30])
def test_higher_number(same_timestamp: bool, seq: int) -> None:
    """With the same timestamp, or with none on either, a number beyond the last one received is enough."""
    user, peer = time_wait_with_timestamps() if same_timestamp else time_wait()
    peer.sends(SYN, seq=seq, options=[MSS, Timestamps(100, 0)] if same_timestamp else [MSS], at=SECOND)
    peer.isn, peer.next = peer.isn + seq & 0xFFFFFFFF, 1
    expects_reopening(user, peer)


@pytest.mark.clause("R6191-2-04")
@pytest.mark.parametrize("had_timestamps", [True, False])
@pytest.mark.parametrize("seq", [1, 0, -100_000])
def test_lower_number(had_timestamps: bool, seq: int) -> None:
    """Without a timestamp on the SYN, an old number is an old duplicate."""
    user, peer = time_wait_with_timestamps() if had_timestamps else time_wait()
    peer.sends(SYN, seq=seq, options=[MSS], at=SECOND)
    peer.next = 2
    expects_refusal(user, peer)


@pytest.mark.clause("R6191-2-03")
def test_timestamps_for_the_first_time() -> None:
    """The old connection had none, so that no old duplicate has one."""
    user, peer = time_wait()
    peer.sends(SYN, seq=-1_000, options=[MSS, Timestamps(5, 0)], at=SECOND)
    peer.isn, peer.next = peer.isn - 1_000 & 0xFFFFFFFF, 1
    expects_reopening(user, peer)


@pytest.mark.clause("R9293-3.6.1-05")
def test_our_numbers_go_on() -> None:
    """Our ISS is beyond what the old connection sent, also when that was more than the clock has ticked."""
    user, peer = established()
    for _ in range(40):
        user.writes(bytes(14_600))
        peer.skips()
        peer.sends(ACK)
    peer.skips()
    user.closes()
    peer.expects(FIN | ACK, seq=584_001)
    peer.sends(FIN | ACK)
    peer.expects(ACK)
    user.dialogue.events.clear()
    before = peer.host_isn
    peer.sends(SYN, seq=10, options=[MSS], at=10 * MILLISECOND)
    peer.isn, peer.next = peer.isn + 10, 1
    expects_reopening(user, peer)
    assert compute_signed_32(peer.host_isn - before) > 584_002


def test_not_without_a_listener() -> None:
    """Where nobody listens any more the old connection keeps its time."""
    user, peer = time_wait()
    user.host.unlisten(user.listener)
    peer.sends(SYN, seq=100_000, options=[MSS], at=SECOND)
    peer.next = 2
    expects_refusal(user, peer)


def test_reuse_is_a_choice() -> None:
    """Switched off, TIME-WAIT lasts 2 MSL and answers every SYN with a challenge ACK."""
    user, peer = time_wait_with_timestamps(reuse_time_wait=False)
    peer.sends(SYN, seq=100_000, options=[MSS, Timestamps(101, 0)], at=SECOND)
    peer.next = 2
    expects_refusal(user, peer)


@pytest.mark.clause("R6191-2-01")
def test_our_timestamps_go_on() -> None:
    """The clock of a later connection between the same addresses is not behind that of an earlier one."""
    user, peer = time_wait_with_timestamps()
    values = []
    for _ in range(2):
        peer.sends(SYN, seq=0, options=[MSS, Timestamps(200, 0)], at=peer.dialogue.now + MILLISECOND)
        answer = peer.skips()[0]
        values += [option.value for option in answer.options if isinstance(option, Timestamps)]
    other = peer.dialogue.meets(port=peer.port + 1)
    other.sends(SYN, options=[MSS, Timestamps(7, 0)])
    answer = other.expects(SYN | ACK)
    values += [option.value for option in answer.options if isinstance(option, Timestamps)]
    assert len(values) == 3
    assert all(
        compute_signed_32(later - earlier) >= 0 for earlier, later in zip(values, values[1:], strict=False)
    )


@pytest.mark.clause("R1337-3-01")
def test_assassination() -> None:
    """As a choice no RST, however exact, ends TIME-WAIT before its time; by default the exact one does."""
    for keeps in (True, False):
        user, peer = established(reset_ends_time_wait=not keeps)
        user.closes()
        peer.expects(FIN | ACK)
        peer.sends(FIN | ACK)
        peer.expects(ACK)
        peer.sends(RST, at=SECOND)
        state = user.host.status(user.connection).subflows[0].state
        assert state == ("TIME-WAIT" if keeps else "CLOSED")
        peer.sends(FIN | ACK, seq=1, ack=2, at=2 * SECOND)
        peer.expects(ACK if keeps else RST)


# -- half open, and a SYN in the window -------------------------------------------------------


def test_syn_in_the_window_of_a_half_open_connection() -> None:
    """RFC 9293 §3.10.7.4, fourth: after a passive OPEN it is back to LISTEN, and the next SYN begins anew."""
    user, peer = syn_received()
    peer.sends(SYN, seq=500)
    peer.expects_nothing(until=peer.dialogue.now)
    peer.isn, peer.next, peer.acked = peer.isn + 500 & 0xFFFFFFFF, 0, 0
    peer.sends(SYN)
    peer.expects(SYN | ACK, seq=0, ack=1)
    peer.sends(ACK)
    user.hears(Accepted)


def test_reset_of_a_half_open_connection() -> None:
    """RFC 9293 §3.10.7.4, second: the same, and the user is not told."""
    user, peer = syn_received()
    peer.sends(RST)
    user.hears_nothing()
    peer.next = peer.acked = 0
    peer.sends(SYN)
    peer.expects(SYN | ACK, seq=0, ack=1)
