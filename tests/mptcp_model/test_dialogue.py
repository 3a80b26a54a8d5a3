"""The dialogue itself: it must notice whatever differs, and show how it came to it."""

from collections.abc import Callable

import pytest

from mptcp.events import Accepted, Closed, Finished, Readable
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.options import MaximumSegmentSize, Timestamps, WindowScale
from mptcp.wire.segment import ACK, FIN, PSH, RST, SYN
from mptcp_model import situations
from mptcp_model.dialogue import DataSignal, Peer, User
from mptcp_model.situations import Scene, established, listening, syn_received


def test_multipath_dialogue() -> None:
    """Numbers of both levels are offsets, sent and expected alike."""
    user, peer = established(multipath=True)
    user.writes(b"hello")
    peer.expects(ACK, seq=1, text=b"hello", options=[DataSignal(dsn=1, ssn=1, length=5)])
    peer.sends(ACK, text=b"world!", options=[DataSignal(ack=6, dsn=1, ssn=1, length=6)])
    user.hears(Readable)
    user.reads(b"world!")
    peer.expects(ACK, ack=7, options=[DataSignal(ack=7)], by=SECOND)
    peer.sends(ACK, text=b"32", options=[DataSignal(ack=6, dsn=7, ssn=7, length=2, wide=False)])
    user.reads(b"32")


@pytest.mark.parametrize(
    ("fault", "wrong"),
    [
        ("flags", lambda peer: peer.expects(FIN | ACK)),
        ("flags", lambda peer: peer.expects(RST)),
        ("sequence number", lambda peer: peer.expects(ACK, seq=2)),
        ("acknowledgment", lambda peer: peer.expects(ACK, ack=2)),
        ("text", lambda peer: peer.expects(ACK, text=b"hallo")),
        ("length", lambda peer: peer.expects(ACK, length=4)),
        ("window", lambda peer: peer.expects(ACK, window=1)),
        ("time", lambda peer: peer.expects(ACK, at=1)),
        ("no option like", lambda peer: peer.expects(ACK, options=[WindowScale])),
        ("no option like", lambda peer: peer.expects(ACK, options=[Timestamps(0, 0)])),
        ("no option like", lambda peer: peer.expects(ACK, options=[DataSignal(dsn=2)])),
        ("no option like", lambda peer: peer.expects(ACK, options=[DataSignal(ack=2)])),
        ("there is a Timestamps", lambda peer: peer.expects(ACK, without=[Timestamps])),
        ("hears 1 segments", lambda peer: peer.expects_nothing()),
        ("hears nothing", lambda peer: [peer.expects(ACK), peer.expects(ACK)]),
        ("is in the past", lambda peer: peer.waits(-1)),
    ],
)
def test_differences(fault: str, wrong: Callable[[Peer], object]) -> None:
    """Each field that is named is compared, and the failure tells the whole dialogue."""
    options = (MaximumSegmentSize(1_460), Timestamps(7, 0))
    user, peer = established(multipath=True, options=options)
    user.writes(b"hello")
    with pytest.raises(AssertionError, match=fault) as failure:
        wrong(peer)
    ladder = str(failure.value)
    assert "user writes 5 octets" in ladder
    assert "MP_CAPABLE(v1, H, both keys)" in ladder
    assert ladder.index("SYN 0") < ladder.index("user hears Accepted") < ladder.index("map 1+5@1")


@pytest.mark.parametrize(
    ("fault", "wrong"),
    [
        ("hears nothing", lambda user: user.hears(Finished)),
        ("reads b'', not b'x'", lambda user: user.reads(b"x")),
    ],
)
def test_differences_of_the_user(fault: str, wrong: Callable[[User], object]) -> None:
    """What the user hears and reads is compared too."""
    user, _ = established()
    with pytest.raises(AssertionError, match=fault):
        wrong(user)


def test_another_event() -> None:
    """An event of another class, or with other fields, is not the one."""
    user, peer = syn_received()
    peer.sends(ACK)
    with pytest.raises(AssertionError, match="not <class 'mptcp.events.Closed'>"):
        user.hears(Closed)
    user, peer = syn_received()
    peer.sends(ACK)
    with pytest.raises(AssertionError, match="not Accepted"):
        user.hears(Accepted(99, 1, peer.local, 80, peer.address, peer.port))


def test_push_is_compared_where_named() -> None:
    """ACK finds ACK and PSH ACK; PSH ACK finds only itself."""
    user, peer = established()
    user.writes(b"a")
    peer.expects(ACK)
    peer.sends(ACK)
    user.writes(b"b")
    peer.expects(PSH | ACK)
    peer.sends(ACK, text=b"x")
    with pytest.raises(AssertionError, match="flags"):
        peer.expects(PSH | ACK, by=SECOND)


def test_time() -> None:
    """``at`` waits and demands the moment, ``by`` waits and tells it, ``until`` waits for silence."""
    _, peer = established()
    peer.sends(ACK, text=b"x", at=SECOND)
    peer.expects(ACK, at=SECOND + 40 * MILLISECOND)
    peer.sends(ACK, text=b"x")
    peer.expects(ACK, by=10 * SECOND)
    assert peer.heard_at == SECOND + 80 * MILLISECOND
    peer.expects_nothing(until=20 * SECOND)
    assert peer.dialogue.now == 20 * SECOND


def test_two_peers() -> None:
    """Each peer hears what is for it; what nobody was there for is kept for who comes."""
    user, one = listening()
    two = one.dialogue.meets(port=50_000)
    two.sends(SYN)
    one.expects_nothing()
    one.sends(SYN)
    one.expects(SYN | ACK)
    two.expects(SYN | ACK)
    user.connects(one.address, 443)
    late = one.dialogue.meets(port=443, local_port=40_000)
    late.expects(SYN, seq=0)


@pytest.mark.parametrize(
    "name",
    [
        "listening",
        "syn_received",
        "established",
        "syn_sent",
        "established_actively",
        "fin_wait_1",
        "fin_wait_2",
        "closing",
        "time_wait",
        "close_wait",
        "last_ack",
        "m_fin_wait_1",
        "m_fin_wait_2",
        "m_close_wait",
        "m_last_ack",
    ],
)
def test_situations(name: str) -> None:
    """Each situation comes about, with nothing left unheard; its subflow is in the state of that name."""
    situation: Callable[[], Scene] = getattr(situations, name)
    user, peer = situation()
    peer.expects_nothing()
    user.hears_nothing()
    if name not in ("listening", "syn_received"):
        states = [subflow.state for subflow in user.host.status(user.connection).subflows]
        expected = "ESTABLISHED" if name.startswith("m_") else name.removesuffix("_actively")
        assert states == [expected.upper().replace("_", "-")]
