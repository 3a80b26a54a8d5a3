"""Back to plain TCP: RFC 8684 §3.7, for options that are lost on the way."""

from collections.abc import Callable
from typing import Any

import pytest

from mptcp.choices import REQUIRE
from mptcp.connection.info import ConnectionInfo
from mptcp.events import Aborted, Closed, Established, FellBack, Finished, Readable
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.addresses import AddAddr, Prio, RemoveAddr
from mptcp.wire.dss import Dss, Mapping
from mptcp.wire.endings import Fail, FastClose, TcpReset
from mptcp.wire.handshake import CapableAck, CapableData, CapableSyn, CapableSynAck
from mptcp.wire.options import Option
from mptcp.wire.segment import ACK, FIN, RST
from mptcp_model.dialogue import DataSignal, Peer, User
from mptcp_model.situations import Scene, established, established_actively

RTT = 50 * MILLISECOND
LATER = 1_000 * SECOND
MULTIPATH: tuple[type[Option], ...] = (
    CapableSyn,
    CapableSynAck,
    CapableAck,
    CapableData,
    Dss,
    Fail,
    FastClose,
    TcpReset,
)
BOTH = [established, established_actively]


def status(user: User) -> ConnectionInfo:
    """STATUS of the connection of this dialogue."""
    return user.host.status(user.connection)


def speaks_plain(user: User, peer: Peer) -> None:
    """From here on, to the end: no MPTCP option leaves, and none that comes counts."""
    signals: list[Option | DataSignal] = [DataSignal(ack=1, dsn=1 << 20, ssn=1, length=3), Prio(True)]
    peer.sends(ACK, text=b"in", options=signals)
    user.hears(Readable)
    assert user.reads().endswith(b"in")
    user.writes(b"out")
    peer.expects(ACK, text=b"out", without=MULTIPATH, by=peer.dialogue.now + SECOND)
    peer.acked -= 3
    peer.expects(ACK, text=b"out", without=MULTIPATH, by=peer.dialogue.now + 10 * SECOND)
    peer.sends(ACK, options=[FastClose(peer.host_key), Fail(1), RemoveAddr((0,))])
    user.hears_nothing()
    user.closes()
    peer.expects(FIN | ACK, without=MULTIPATH)
    peer.sends(FIN | ACK)
    peer.expects(ACK, without=MULTIPATH)
    user.hears(Finished, Closed)
    assert not status(user).multipath
    assert status(user).reason
    peer.expects_nothing(until=peer.dialogue.now + LATER)


# -- our data is acknowledged without Data ACK ------------------------------------------------


@pytest.mark.clause("R8684-3.7-06", "R8684-3.7-09", "R8684-3.7-10", "R8684-3.7-27", "R8684-3.7-30")
@pytest.mark.clause("R8684-6-06")
@pytest.mark.parametrize("situation", BOTH)
def test_acknowledged_without_data_ack(situation: Callable[..., Scene]) -> None:
    """No Data ACK has ever come, and data is acknowledged without: one infinite mapping, then plain TCP."""
    user, peer = situation(multipath=True, rtt=RTT)
    user.writes(b"hello")
    peer.expects(ACK, text=b"hello")
    peer.sends(ACK, options=[])
    user.hears(FellBack)
    assert status(user).bytes_acked == 5
    user.writes(b"world")
    one = peer.expects(ACK, text=b"world", without=[CapableData, CapableAck, Fail])
    (dss,) = [option for option in one.options if isinstance(option, Dss)]
    assert dss.mapping is not None and dss.mapping.length == 0
    assert dss.mapping.dsn - peer.host_dsn(0) == dss.mapping.ssn
    peer.sends(ACK, options=[])
    assert status(user).bytes_acked == 10
    speaks_plain(user, peer)


@pytest.mark.clause("R8684-3.7-06")
@pytest.mark.parametrize("situation", BOTH)
def test_acknowledgment_of_the_syn_alone(situation: Callable[..., Scene]) -> None:
    """An acknowledgment without DSS that acknowledges no data says nothing about the path."""
    user, peer = situation(multipath=True)
    peer.sends(ACK, options=[])
    user.writes(b"hello")
    peer.skips()
    peer.sends(ACK, ack=1, options=[])
    user.hears_nothing()
    assert status(user).multipath
    peer.sends(ACK, options=[DataSignal(ack=6)])
    assert status(user).multipath


@pytest.mark.clause("R8684-3.7-05", "R8684-3.7-06", "R8684-3.3.2-11")
def test_after_a_data_ack() -> None:
    """Once a Data ACK has come, an acknowledgment without DSS is nothing special."""
    user, peer = established(multipath=True)
    user.writes(b"hello")
    peer.skips()
    peer.sends(ACK, options=[DataSignal(ack=6)])
    user.writes(b"world")
    peer.skips()
    peer.sends(ACK, options=[])
    user.hears_nothing()
    assert status(user).multipath


@pytest.mark.clause("R8684-3.7-06", "R8684-3.7-09")
def test_data_ack_that_does_not_move() -> None:
    """A Data ACK is a Data ACK, even one that acknowledges nothing yet: the path carries options."""
    user, peer = established(multipath=True, rtt=RTT)
    user.writes(b"hello")
    peer.skips()
    peer.sends(ACK, options=[DataSignal(ack=1)])
    user.hears_nothing()
    assert status(user).multipath


@pytest.mark.clause("R8684-3.7-10", "R8684-3.3.1-33")
def test_infinite_mapping_with_checksums() -> None:
    """Where checksums are in use its checksum field is there, and zero."""
    user, peer = established(multipath=True, checksum=REQUIRE)
    user.writes(b"hello")
    peer.skips()
    peer.sends(ACK, options=[])
    user.hears(FellBack)
    user.writes(b"world")
    one = peer.expects(ACK, text=b"world")
    (dss,) = [option for option in one.options if isinstance(option, Dss)]
    assert dss.mapping is not None
    assert (dss.mapping.length, dss.mapping.checksum) == (0, 0)


@pytest.mark.clause("R8684-3.7-20", "R8684-3.7-06")
def test_much_in_flight() -> None:
    """Ten segments are out when the first is acknowledged: all arrive, in plain TCP from there."""
    octets = bytes(range(250)) * 40
    user, peer = established(multipath=True, rtt=RTT)
    user.writes(octets)
    peer.skips()
    last = peer.acked
    peer.sends(ACK, ack=1_461, options=[])
    user.hears(FellBack)
    peer.sends(ACK, ack=last, options=[])
    while peer.skips():
        peer.sends(ACK, options=[])
    assert status(user).bytes_acked == 10_000
    user.writes(b"last")
    peer.expects(ACK, text=b"last", options=[Dss])
    peer.sends(ACK, options=[])
    speaks_plain(user, peer)


@pytest.mark.clause("R8684-3.7-06", "R8684-3.3.3-02")
@pytest.mark.parametrize("situation", BOTH)
def test_closed_already(situation: Callable[..., Scene]) -> None:
    """The DATA_FIN was sent in vain: the FIN says it now."""
    user, peer = situation(multipath=True, rtt=RTT)
    user.writes(b"all")
    user.closes()
    peer.skips()
    peer.sends(ACK, options=[])
    user.hears(FellBack)
    assert any(one.flags & FIN for one in peer.skips())
    peer.sends(FIN | ACK, options=[])
    user.hears(Finished, Closed)
    peer.expects(ACK, without=MULTIPATH)


# -- text comes without mapping ---------------------------------------------------------------


@pytest.mark.clause("R8684-3.7-01", "R8684-3.7-06", "R8684-3.7-09", "R8684-3.7-10", "R8684-1.1-03")
@pytest.mark.parametrize("situation", BOTH)
def test_first_text_without_mapping(situation: Callable[..., Scene]) -> None:
    """The path dropped the option of the very first text: plain TCP, and the text is read."""
    user, peer = situation(multipath=True)
    peer.sends(ACK, text=b"hello", options=[])
    user.hears(FellBack, Readable)
    user.reads(b"hello")
    peer.expects(ACK, ack=6, without=MULTIPATH, by=SECOND)
    user.writes(b"x")
    peer.skips()
    peer.sends(ACK, options=[])
    speaks_plain(user, peer)


@pytest.mark.clause("R8684-3.7-09", "R8684-3.7-10")
def test_first_text_without_mapping_after_ours() -> None:
    """We have sent text with a mapping before: an infinite one follows, on the next."""
    user, peer = established(multipath=True)
    user.writes(b"welcome")
    peer.expects(ACK, text=b"welcome", options=[DataSignal(dsn=1, ssn=1, length=7)])
    peer.sends(ACK, text=b"hello", options=[])
    user.hears(FellBack, Readable)
    user.reads(b"hello")
    user.writes(b"more")
    one = peer.expects(ACK, text=b"more")
    mappings = [option.mapping for option in one.options if isinstance(option, Dss)]
    assert mappings and mappings[0] is not None and mappings[0].length == 0
    peer.sends(ACK, options=[])
    speaks_plain(user, peer)


@pytest.mark.clause("R8684-3.7-11", "R8684-3.3.1-17", "R8684-3.3.1-19")
def test_text_without_mapping_later() -> None:
    """After a first mapping it is no reason to fall back: it waits for its mapping."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"hello", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Readable)
    peer.sends(ACK, text=b"world", options=[])
    user.hears_nothing()
    assert status(user).multipath


# -- an infinite mapping comes ----------------------------------------------------------------


@pytest.mark.clause("R8684-3.3.1-33", "R8684-3.7-20", "R8684-3.7-21", "R8684-3.7-28", "R8684-3.7-10")
@pytest.mark.parametrize("situation", BOTH)
@pytest.mark.parametrize("back", [0, 5])
def test_infinite_mapping(situation: Callable[..., Scene], back: int) -> None:
    """From its octet on, or from an earlier one that came, the subflow is the stream."""
    user, peer = situation(multipath=True)
    peer.sends(ACK, text=b"hello", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Readable)
    at = 6 - back
    infinite = Dss(None, Mapping(peer.dsn(at), True, at, 0, None, False))
    peer.sends(ACK, text=b"world", options=[infinite])
    user.hears(FellBack, Readable)
    user.reads(b"helloworld")
    peer.waits(peer.dialogue.now + SECOND)
    assert not any(isinstance(option, Dss) for option in peer.skips()[-1].options)
    user.writes(b"x")
    peer.skips()
    peer.sends(ACK, options=[])
    speaks_plain(user, peer)


@pytest.mark.clause("R8684-3.3.1-33", "R8684-3.7-20")
def test_infinite_mapping_repeated() -> None:
    """On each segment of a burst, as Linux does it: told once."""
    user, peer = established(multipath=True)
    infinite = Dss(None, Mapping(peer.dsn(1), True, 1, 0, None, False))
    for number in range(3):
        peer.sends(ACK, text=bytes([48 + number]), options=[infinite])
    user.hears(FellBack)
    assert [type(event) for event in peer.dialogue.events] == [Readable] * 3
    user.reads(b"012")


@pytest.mark.clause("R8684-3.7-20", "R8684-3.7-21")
def test_infinite_mapping_for_waiting_text() -> None:
    """Text that waited for a mapping becomes readable as it is."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"ok", options=[DataSignal(ack=1, dsn=1, ssn=1, length=2)])
    user.hears(Readable)
    peer.sends(ACK, text=b"wait", options=[])
    user.hears_nothing()
    infinite = Dss(None, Mapping(peer.dsn(3), True, 3, 0, None, False))
    peer.sends(ACK, text=b"ing", options=[infinite])
    user.hears(FellBack, Readable)
    user.reads(b"okwaiting")


@pytest.mark.clause("R8684-3.7-20", "R8684-1.1-01")
def test_infinite_mapping_out_of_order() -> None:
    """The segment that has it overtakes others: nothing is missed."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"hello", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    infinite = Dss(None, Mapping(peer.dsn(6), True, 6, 0, None, False))
    peer.sends(ACK, seq=8, text=b"rld", options=[infinite])
    peer.sends(ACK, seq=6, text=b"wo", options=[infinite])
    peer.dialogue.events.clear()
    user.reads(b"helloworld")


@pytest.mark.clause("R8684-3.7-27", "R8684-3.7-28")
def test_data_acks_after_fallback_count_for_nothing() -> None:
    """Only the subflow's acknowledgments free what was sent."""
    user, peer = established(multipath=True)
    user.writes(b"hello")
    peer.skips()
    peer.sends(ACK, options=[])
    user.hears(FellBack)
    user.writes(b"world")
    peer.skips()
    peer.sends(ACK, ack=6, options=[DataSignal(ack=11)])
    assert status(user).bytes_acked == 5
    peer.sends(ACK, options=[])
    assert status(user).bytes_acked == 10


@pytest.mark.clause("R8684-3.7-23", "R8684-3.7-12", "R8684-3.7-11")
def test_not_in_one_line() -> None:
    """Data was retransmitted under new subflow numbers, and no DSS comes any more: no fallback is possible.

    The infinite mapping could not say which octets are which: RST, reason 6.
    """
    user, peer = established(multipath=True, rtt=RTT)
    user.writes(b"hello")
    peer.expects(ACK, text=b"hello")
    peer.sends(ACK, options=[DataSignal(ack=1)])
    peer.expects(ACK, seq=6, text=b"hello", options=[DataSignal(dsn=1, ssn=6, length=5)], by=10 * SECOND)
    peer.sends(ACK, options=[Fail(peer.host_dsn(1)), DataSignal(ack=1)])
    segments = peer.skips()
    if any(one.flags & RST for one in segments):
        assert any(isinstance(option, TcpReset) and option.reason == 6 for option in segments[-1].options)
        assert any(isinstance(event, Aborted) for event in peer.dialogue.events)
    else:
        user.hears(FellBack)


# -- windows and sizes in plain TCP -----------------------------------------------------------


@pytest.mark.clause("R8684-3.7-27", "R8684-1.1-03")
@pytest.mark.parametrize("choices", [{}, {"receive_buffer": 3_000, "send_buffer": 3_000}])
def test_streams_go_on(choices: dict[str, Any]) -> None:
    """A long stream in each direction, begun with MPTCP and ended without: not an octet is lost."""
    out, into = bytes(range(251)) * 60, bytes(range(241)) * 60
    user, peer = established(multipath=True, rtt=RTT, **choices)
    written = user.writes(out)
    sent, heard, got = 0, bytearray(len(out)), b""
    for number in range(400):
        peer.waits(peer.dialogue.now + RTT)
        window = 3_000
        for one in peer.skips():
            window = one.window
            start = peer.count(one.sequence) - 1
            for piece in one.text:
                heard[start : start + len(piece)] = piece.octets()
        piece_in = into[sent : sent + min(700, window)]
        options: list[DataSignal] = []
        if number < 2:
            options = [DataSignal(ack=peer.acked, dsn=1 + sent, ssn=1 + sent, length=len(piece_in))]
        peer.sends(ACK, text=piece_in, options=options if piece_in else [])
        if number == 2:
            peer.sends(ACK, options=[Fail(peer.host_dsn(peer.acked))])
        sent += len(piece_in)
        got += user.reads()
        written += user.writes(out[written:]) if written < len(out) else 0
    assert got == into
    assert bytes(heard) == out
    assert status(user).bytes_acked == len(out)


def test_established_actively_is_told_in_order() -> None:
    """Established comes before FellBack."""
    user, peer = established_actively(multipath=True)
    user.hears_nothing()
    peer.sends(ACK, text=b"x")
    assert not any(isinstance(event, Established) for event in peer.dialogue.events)
    user.hears(FellBack, Readable)


@pytest.mark.clause("R8684-3.7-30")
@pytest.mark.parametrize(
    "option",
    [
        DataSignal(ack=1, dsn=1, ssn=1, length=2),
        DataSignal(ack=1, dsn=1, ssn=0, length=1, fin=True),
        DataSignal(ack=1),
        AddAddr(1, bytes([10, 0, 0, 9]), None, bytes(8)),
        Prio(True),
    ],
    ids=repr,
)
def test_there_is_no_way_back(option: Option | DataSignal) -> None:
    """Options that come after fallback change nothing."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"a", options=[])
    user.hears(FellBack, Readable)
    peer.sends(ACK, text=b"bc", options=[option])
    user.hears(Readable)
    user.hears_nothing()
    user.reads(b"abc")
    assert not status(user).multipath
