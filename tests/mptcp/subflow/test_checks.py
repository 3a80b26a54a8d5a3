"""SEGMENT ARRIVES, check by check and state by state: RFC 9293 §3.10.7.4."""

from collections.abc import Callable

import pytest

from mptcp.events import Readable, Urgent
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.subflow.state import MAY_RECEIVE_TEXT, State
from mptcp.wire.options import MaximumSegmentSize, Timestamps
from mptcp.wire.segment import ACK, FIN, PSH, RST, SYN, URG
from mptcp_model.dialogue import Peer, User
from mptcp_model.situations import (
    Scene,
    close_wait,
    closing,
    established,
    fin_wait_1,
    fin_wait_2,
    last_ack,
    syn_received,
    time_wait,
)

SITUATIONS = [established, fin_wait_1, fin_wait_2, close_wait, closing, last_ack, time_wait]
every_state = pytest.mark.parametrize("situation", SITUATIONS)


def get_state(user: User) -> State:
    """Of the only subflow."""
    return State(user.host.status(user.connection).subflows[0].state)


def begin(situation: Callable[[], Scene]) -> tuple[User, Peer, State]:
    """The scene, all events heard, and its state."""
    user, peer = situation()
    user.dialogue.events.clear()
    return user, peer, get_state(user)


def find_ack(state: State) -> int | None:
    """What a peer acknowledges that has not had our FIN; None for what it has had."""
    return 1 if state in (State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK) else None


@every_state
@pytest.mark.parametrize("seq", [-1, -70_000, 70_000, 1 << 30])
def test_first(situation: Callable[[], Scene], seq: int) -> None:
    """Out of the window: an ACK of what is expected answers, and nothing else happens."""
    user, peer, state = begin(situation)
    expected = peer.next
    peer.sends(ACK | PSH, text=b"x", seq=expected + seq)
    peer.next = expected
    peer.expects(ACK, ack=expected, length=0)
    assert get_state(user) is state
    user.hears_nothing()


@every_state
def test_first_old_copy_and_new_text(situation: Callable[[], Scene]) -> None:
    """What straddles the left edge counts from there on, where text still counts."""
    user, peer, state = begin(situation)
    expected = peer.next
    peer.sends(ACK, text=b"abcde", seq=expected - 2, ack=find_ack(state))
    if state in MAY_RECEIVE_TEXT:
        user.hears(Readable)
        user.reads(b"cde")
    else:
        user.hears_nothing()
    assert get_state(user) is state


@every_state
def test_fourth(situation: Callable[[], Scene]) -> None:
    """SYN, wherever it lies: a challenge ACK [R5961-4.2-01], but for one that opens anew from TIME-WAIT."""
    user, peer, state = begin(situation)
    if state is State.TIME_WAIT:
        return
    for number, seq in enumerate((0, peer.next, peer.next + 100, peer.next + (1 << 30)), start=1):
        expected = peer.next
        peer.sends(SYN, seq=seq, at=number * 100 * MILLISECOND)
        peer.next = expected
        answers = peer.skips()
        assert any(one.flags == ACK and peer.count_own(one.acknowledgment) == expected for one in answers)
        assert not any(one.flags & (SYN | RST) for one in answers)
    assert get_state(user) is state
    user.hears_nothing()


@every_state
@pytest.mark.parametrize("flags", [0, PSH, FIN, URG])
def test_fifth_without_ack(situation: Callable[[], Scene], flags: int) -> None:
    """No ACK bit: dropped, in silence."""
    user, peer, state = begin(situation)
    peer.sends(flags, text=b"x", urgent=1)
    peer.next -= 1 + bool(flags & FIN)
    assert get_state(user) is state
    user.hears_nothing()
    peer.sends(ACK, ack=find_ack(state))
    user.hears_nothing()


@every_state
@pytest.mark.clause("R9293-3.10.7.4-04", "R5961-5.2-01")
@pytest.mark.parametrize("ack", [1, 70_000, -70_000, 1 << 30])
def test_fifth_of_what_was_never_sent(situation: Callable[[], Scene], ack: int) -> None:
    """An ACK of the future, or of long ago: an ACK answers, and the text does not count."""
    user, peer, state = begin(situation)
    newest = user.host.connections[user.connection].control.branches[0].subflow.tcb.snd_nxt
    peer.sends(ACK, text=b"x", ack=newest + ack)
    peer.next -= 1
    peer.expects(ACK, ack=peer.next)
    assert get_state(user) is state
    user.hears_nothing()


@every_state
def test_sixth_and_seventh(situation: Callable[[], Scene]) -> None:
    """URG and text count up to the peer's FIN, and are ignored behind it."""
    user, peer, state = begin(situation)
    peer.sends(ACK | URG, text=b"now", urgent=3, ack=find_ack(state))
    if state in MAY_RECEIVE_TEXT:
        user.hears(Urgent, Readable)
        user.reads(b"now")
    else:
        user.hears_nothing()
        assert user.reads() == b""


@every_state
def test_eighth(situation: Callable[[], Scene]) -> None:
    """The FIN moves on from three states; in the others it has come before, and nothing moves."""
    user, peer, state = begin(situation)
    after = {
        State.ESTABLISHED: State.CLOSE_WAIT,
        State.FIN_WAIT_1: State.CLOSING,
        State.FIN_WAIT_2: State.TIME_WAIT,
    }
    seq = peer.next if state in after else peer.next - 1
    peer.sends(FIN | ACK, seq=seq, ack=find_ack(state))
    assert get_state(user) is after.get(state, state)
    assert any(one.flags & ACK for one in peer.skips())


def test_eighth_and_fifth_in_one() -> None:
    """FIN-WAIT-1: the ACK of our FIN counts before the peer's FIN: TIME-WAIT at once."""
    user, peer, _ = begin(fin_wait_1)
    peer.sends(FIN | ACK)
    assert get_state(user) is State.TIME_WAIT


@pytest.mark.clause("R7323-5.2-01", "R7323-5.3-01")
def test_paws_before_the_first() -> None:
    """An old timestamp: an ACK, and nothing of the segment counts; but a RST does."""
    user, peer = syn_received(options=[MaximumSegmentSize(1_460), Timestamps(1_000, 0)])
    peer.sends(ACK, options=[Timestamps(1_000, 0)])
    user.dialogue.events.clear()
    peer.sends(ACK, text=b"old", options=[Timestamps(999, 0)])
    peer.expects(ACK, ack=1)
    user.hears_nothing()
    peer.sends(RST, seq=1, options=[Timestamps(999, 0)])
    peer.expects_nothing(until=SECOND)
    assert user.host.deadline() is None


@pytest.mark.clause("R9293-3.4-03")
@pytest.mark.parametrize("ack", [0, 2, 70_000])
def test_fifth_in_syn_received(ack: int) -> None:
    """An unacceptable ACK of our SYN gets a RST with that number, and the state stays."""
    user, peer = syn_received()
    peer.sends(ACK, ack=ack)
    peer.expects(RST, seq=ack)
    user.hears_nothing()
    peer.sends(ACK, ack=1)
    assert user.dialogue.events
