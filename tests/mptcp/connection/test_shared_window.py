"""The one window of a connection: RFC 8684 §3.3.4 as we announce it, §3.3.5 as we obey it."""

import pytest

from mptcp.choices import Choices
from mptcp.errors import Refused
from mptcp.events import Readable, SubflowEstablished
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.dss import Dss
from mptcp.wire.options import MaximumSegmentSize, Option, WindowScale
from mptcp.wire.segment import ACK, Segment
from mptcp_model.dialogue import DataSignal, Peer, read_text
from mptcp_model.joins import join
from mptcp_model.situations import established

RTT = 50 * MILLISECOND
RTO = 200 * MILLISECOND
SCALED: tuple[Option, ...] = (MaximumSegmentSize(1460), WindowScale(7))


def count_text(segments: list[Segment]) -> int:
    """Octets of text in all."""
    return sum(one.text_length for one in segments)


def get_data_ack(peer: Peer, one: Segment) -> int:
    """The data offset of a segment's Data ACK."""
    acks = [option.ack for option in one.options if isinstance(option, Dss)]
    assert len(acks) == 1 and acks[0] is not None
    return acks[0].number - peer.dsn(0)


def map_text(at: int, length: int) -> DataSignal:
    """A mapping whose data offset is its subflow offset."""
    return DataSignal(ack=1, dsn=at, ssn=at, length=length)


def gather(peer: Peer, start: int, length: int) -> bytes:
    """The text from subflow offset ``start`` on, however often and in whatever pieces it came."""
    text = bytearray(length)
    for one in peer.skips():
        at = peer.count(one.sequence) - start
        text[at : at + one.text_length] = read_text(one)
    return bytes(text)


# -- the peer's window ------------------------------------------------------------------------


@pytest.mark.clause("R8684-6-11", "R8684-3.3.5-04", "R8684-C.2.2-02")
@pytest.mark.parametrize("small", [0, 1])
def test_one_subflow_has_a_smaller_window(small: int) -> None:
    """A box shrinks the window on one path: the largest edge counts for the data, each window for its own."""
    user, first = established(multipath=True, rtt=20_000)
    other = first.dialogue.meets(port=41_000)
    join(other, first)
    user.hears(SubflowEstablished)
    peers = [first, other]
    peers[1 - small].sends(ACK, options=[DataSignal(ack=1)], window=60_000)
    peers[small].sends(ACK, options=[DataSignal(ack=1)], window=3_000)
    user.writes(bytes(100_000))
    sent = [count_text(peer.skips()) for peer in peers]
    assert 0 < sent[small] <= 3_000 < sent[1 - small]
    for _ in range(10):
        for peer in peers:
            peer.sends(ACK, options=[DataSignal(ack=1)], window=3_000 if peer is peers[small] else 60_000)
        more = [count_text(peer.skips()) for peer in peers]
        assert more[small] <= 3_000
        sent = [one + two for one, two in zip(sent, more, strict=True)]
    assert sum(sent) == 65_535  # all that the edge allows, which the SYN has moved that far


@pytest.mark.clause("R8684-3.3.5-05", "R8684-3.3.5-04", "R8684-C.1.2-03", "R8684-2.4-02")
def test_nothing_beyond_the_edge() -> None:
    """Data ACK plus window is the edge; and no octet of data passes it."""
    user, peer = established(multipath=True, window=4_000)
    user.writes(bytes(20_000))
    edge = 4_000
    sent = count_text(peer.skips())
    for _ in range(20):
        assert sent <= edge
        peer.sends(ACK, options=[DataSignal(ack=1 + sent)])
        edge = max(edge, sent + 4_000)
        sent += count_text(peer.skips())
    assert sent == 20_000


@pytest.mark.clause("R8684-3.3.2-05", "R8684-4-05", "R8684-3.3.5-01", "R8684-3.3.5-03", "R8684-C.2.2-02")
def test_window_without_data_ack() -> None:
    """A segment without Data ACK opens the subflow's window, and not the connection's."""
    user, peer = established(multipath=True, window=3_000)
    user.writes(bytes(10_000))
    assert count_text(peer.skips()) <= 3_000
    peer.sends(ACK, options=[DataSignal(ack=2)], window=2_999)
    before = peer.acked - 1 + count_text(peer.skips())
    peer.sends(ACK, options=[], window=60_000)
    assert before + count_text(peer.skips()) <= 3_000
    peer.sends(ACK, options=[DataSignal(ack=1 + before)], window=60_000)
    assert count_text(peer.skips()) > 3_000


@pytest.mark.clause("R8684-3.3.5-01", "R8684-3.3.5-02", "R8684-3.3.2-04")
def test_window_counts_from_the_data_ack() -> None:
    """The subflow's acknowledgment is ahead, the Data ACK is behind: the edge is where that one says."""
    user, peer = established(multipath=True, window=2_920)
    user.writes(bytes(10_000))
    sent = count_text(peer.skips())
    peer.sends(ACK, options=[DataSignal(ack=1)], window=2_920)
    assert sent + count_text(peer.skips()) <= 2_920


@pytest.mark.clause("R8684-3.3.5-01", "R8684-3.3.5-02", "R8684-4-06")
def test_edge_does_not_shrink() -> None:
    """A smaller window later takes nothing back of what the connection may send."""
    user, peer = established(multipath=True, window=20_000)
    user.writes(bytes(15_000))
    sent = count_text(peer.skips())
    peer.sends(ACK, options=[DataSignal(ack=1)], window=20_000)
    sent += count_text(peer.skips())
    control = user.host.connections[user.connection].control
    edge = control.snd_edge
    peer.sends(ACK, options=[DataSignal(ack=2)], window=100)
    assert control.snd_edge == edge
    peer.sends(ACK, options=[DataSignal(ack=2)], window=60_000)
    assert control.snd_edge == 60_002


@pytest.mark.clause("R8684-3.3.5-01")
def test_old_data_ack_with_a_large_window() -> None:
    """By the rule the sum counts, not the age: a late acknowledgment moves the edge if its sum is larger."""
    user, peer = established(multipath=True, window=5_000)
    user.writes(bytes(20_000))
    peer.skips()
    peer.sends(ACK, options=[DataSignal(ack=1_001)], window=5_000)
    control = user.host.connections[user.connection].control
    assert control.snd_edge == 6_001
    peer.sends(ACK, options=[DataSignal(ack=501)], window=5_000)
    assert control.snd_edge == 6_001
    peer.sends(ACK, options=[DataSignal(ack=501)], window=50_000)
    assert control.snd_edge == 50_501


@pytest.mark.clause("R9293-3.8.6.1-01", "R9293-3.8.6.1-03", "R9293-3.8.6.1-04", "R8684-3.7-04")
def test_zero_window_is_probed() -> None:
    """The window closes with all acknowledged: probes with a mapping, after one RTO and ever more slowly."""
    user, peer = established(multipath=True, rtt=RTT, window=1_000, nagle=False)
    user.writes(bytes(1_000))
    peer.skips()
    peer.sends(ACK, options=[DataSignal(ack=1_001)], window=0)
    user.writes(b"waiting")
    peer.expects_nothing()
    moments = []
    for _ in range(4):
        probe = peer.expects(ACK, by=peer.dialogue.now + 100 * SECOND)
        (dss,) = [option for option in probe.options if isinstance(option, Dss)]
        if probe.text_length:
            assert dss.mapping is not None and dss.mapping.dsn == peer.host_dsn(1_001)
            assert probe.text_length == 1
        moments.append(peer.heard_at)
        peer.acked = 1_001
        peer.sends(ACK, options=[DataSignal(ack=1_001)], window=0)
    waits = [later - earlier for earlier, later in zip(moments, moments[1:], strict=False)]
    assert waits[0] >= RTO
    assert all(second >= 2 * first - RTT for first, second in zip(waits, waits[1:], strict=False))
    peer.sends(ACK, options=[DataSignal(ack=1_001)], window=5_000)
    peer.waits(peer.dialogue.now + SECOND)
    assert gather(peer, 1_001, 7) == b"waiting"


@pytest.mark.clause("R9293-3.8.6.1-01", "R9293-3.8.6.1-02", "R8684-3.3.5-05")
def test_only_the_connections_window_is_closed() -> None:
    """The subflow has room and the connection has none: it is asked about all the same, for ever."""
    user, peer = established(multipath=True, rtt=RTT, window=1_000)
    user.writes(bytes(1_000))
    peer.skips()
    peer.sends(ACK, options=[DataSignal(ack=1_001)], window=0)
    peer.sends(ACK, options=[], window=60_000)
    user.writes(b"waiting")
    heard = 0
    for _ in range(60):
        peer.waits(peer.dialogue.now + 60 * SECOND)
        heard += len(segments := peer.skips())
        assert all(one.text_length <= 1 for one in segments)
        peer.sends(ACK, options=[DataSignal(ack=1_001)], window=0)
        peer.sends(ACK, options=[], window=60_000)
    assert heard >= 30
    user.hears_nothing()
    peer.sends(ACK, options=[DataSignal(ack=1_001)], window=5_000)
    text: dict[int, bytes] = {}
    for _ in range(10):
        peer.waits(peer.dialogue.now + 60 * SECOND)
        for one in peer.skips():
            dss = next(option for option in one.options if isinstance(option, Dss))
            if one.text_length and dss.mapping is not None:
                start = dss.mapping.dsn - peer.host_dsn(0) + peer.count(one.sequence) - dss.mapping.ssn
                text |= {start + at: read_text(one)[at : at + 1] for at in range(one.text_length)}
        peer.sends(ACK, options=[DataSignal(ack=1_001)], window=5_000)
    assert b"".join(octet for _, octet in sorted(text.items())) == b"waiting"


@pytest.mark.clause("R9293-3.8.6.1-01", "R8684-3.3.5-01")
def test_window_opens() -> None:
    """A window update with a Data ACK starts the data at once."""
    user, peer = established(multipath=True, rtt=RTT, window=1_000, nagle=False)
    user.writes(bytes(3_000))
    assert count_text(peer.skips()) <= 1_000
    peer.sends(ACK, options=[DataSignal(ack=peer.acked)], window=0)
    peer.expects_nothing()
    peer.sends(ACK, options=[DataSignal(ack=peer.acked)], window=10_000)
    assert peer.acked - 1 + count_text(peer.skips()) >= 2_500


# -- our window -------------------------------------------------------------------------------


class Edge:
    """The right edge that we announced, at data level: it never moves left.

    But for less than one unit of the window field (RFC 7323 §2.4), where the buffer leaves no room to
    round up for ever.
    """

    def __init__(self, peer: Peer, shift: int = 0) -> None:
        self.peer = peer
        self.shift = shift
        self.right = 0
        self.seen = 0

    def watch(self, segments: list[Segment]) -> None:
        for one in segments:
            right = get_data_ack(self.peer, one) + (one.window << self.shift)
            assert right > self.right - (1 << self.shift), "the right edge went back"
            self.right = max(self.right, right)
            self.seen += 1


@pytest.mark.clause("R8684-3.3.4-01", "R8684-3.3.4-02", "R8684-2.4-02", "R9293-3.8.6-03", "R8684-C.1.3-02")
@pytest.mark.parametrize("buffer", [3_000, 20_000, 65_535, 70_001, 1 << 20])
@pytest.mark.parametrize("reads", [0, 1, 700, 1 << 20])
def test_right_edge(buffer: int, reads: int) -> None:
    """While data comes and is read, slowly or not, the edge stays or moves right, and within the buffer."""
    user, peer = established(
        multipath=True, options=SCALED, receive_buffer=buffer, send_buffer=max(buffer, 4 << 20)
    )
    shift = user.host.connections[user.connection].control.branches[0].subflow.tcb.rcv_shift
    edge = Edge(peer, shift)
    at = read = 1
    for _ in range(40):
        length = min(1_400, max(edge.right, buffer) - at) if edge.seen else 1_400
        if length > 0:
            peer.sends(ACK, text=bytes(length), options=[map_text(at, length)])
            at += length
        edge.watch(peer.skips())
        if reads:
            read += len(user.reads(limit=reads))
        edge.watch(peer.skips())
        peer.waits(peer.dialogue.now + SECOND)
        edge.watch(peer.skips())
        assert edge.right <= read + buffer + (1 << shift)
    assert edge.seen > 1


@pytest.mark.clause("R8684-3.3.4-01", "R8684-3.3.4-02", "R8684-5-06")
@pytest.mark.parametrize("length", [1, 33, 1_399])
def test_small_segments_do_not_push_the_edge(length: int) -> None:
    """Nobody reads: however the data is cut, the window ends where the buffer does, give or take a unit."""
    buffer = 1 << 20
    user, peer = established(multipath=True, options=SCALED, receive_buffer=buffer, delayed_ack=0)
    edge = Edge(peer, user.host.connections[user.connection].control.branches[0].subflow.tcb.rcv_shift)
    for number in range(200):
        at = 1 + number * length
        peer.sends(ACK, text=bytes(length), options=[map_text(at, length)])
        edge.watch(peer.skips())
    assert edge.seen == 200
    assert edge.right <= 1 + buffer + (1 << edge.shift)


@pytest.mark.clause("R8684-3.3.4-04", "R8684-3.3.4-01", "R8684-5-06")
def test_window_closes_and_opens() -> None:
    """An application that does not read closes the window; reading says so at once, with a Data ACK."""
    user, peer = established(multipath=True, receive_buffer=5_000)
    for at in range(1, 5_001, 1_000):
        peer.sends(ACK, text=bytes(1_000), options=[map_text(at, 1_000)])
    peer.waits(SECOND)
    assert peer.skips()[-1].window == 0
    user.reads(limit=10)
    peer.expects_nothing()
    user.reads(limit=4_990)
    one = peer.expects(ACK, ack=5_001, text=b"", options=[DataSignal(ack=5_001)])
    assert one.window >= 2_500


@pytest.mark.clause("R8684-3.3.4-03", "R8684-3.3.4-04", "R9293-3.8.6-02")
def test_data_into_a_closed_window() -> None:
    """A probe of our closed window is answered, with a Data ACK, and its octet is not taken."""
    user, peer = established(multipath=True, receive_buffer=2_000)
    peer.sends(ACK, text=bytes(1_000), options=[map_text(1, 1_000)])
    peer.sends(ACK, text=bytes(1_000), options=[map_text(1_001, 1_000)])
    peer.waits(SECOND)
    assert peer.skips()[-1].window == 0
    peer.sends(ACK, text=b"x", options=[map_text(2_001, 1)])
    peer.expects(ACK, ack=2_001, window=0, options=[DataSignal(ack=2_001)])
    user.hears(Readable, Readable)
    user.hears_nothing()
    assert len(user.reads()) == 2_000


@pytest.mark.clause("R8684-3.3.4-06", "R8684-3.3.4-03", "R8684-5-06")
def test_data_out_of_order_is_bounded() -> None:
    """Data with holes is kept within the window that was announced, and no octet more."""
    user, peer = established(multipath=True, receive_buffer=10_000)
    at = 1
    for number in range(40):
        dsn = 2 + 1_000 * number
        peer.sends(ACK, text=bytes(900), options=[DataSignal(ack=1, dsn=dsn, ssn=at, length=900)])
        at += 900
    control = user.host.connections[user.connection].control
    assert control.rcv_held.held <= 10_000
    assert len(control.branches[0].inbound) == 0
    user.hears_nothing()


@pytest.mark.clause("R8684-3.3.4-01", "R8684-3.3.1-20")
def test_unmapped_text_does_not_close_the_window() -> None:
    """Text without mapping is no data: the connection's window is counted from the Data ACK."""
    user, peer = established(multipath=True, receive_buffer=10_000)
    peer.sends(ACK, text=b"ok", options=[map_text(1, 2)])
    peer.sends(ACK, text=bytes(1_000), options=[])
    peer.waits(SECOND)
    one = peer.skips()[-1]
    assert get_data_ack(peer, one) == 3
    assert get_data_ack(peer, one) + one.window >= 10_001
    user.hears(Readable)


@pytest.mark.clause("R9293-3.8.6.2.2-01")
def test_window_updates_are_worth_it() -> None:
    """Reading octet by octet from a full buffer does not draw an ACK for each."""
    user, peer = established(multipath=True, receive_buffer=20_000)
    for at in range(1, 20_001, 1_000):
        peer.sends(ACK, text=bytes(1_000), options=[map_text(at, 1_000)])
    peer.waits(SECOND)
    peer.skips()
    for _ in range(2_000):
        user.reads(limit=1)
    assert len(peer.skips()) <= 2


@pytest.mark.clause("R8684-3.3.5-06")
def test_send_buffer_is_as_large_as_the_receive_buffer() -> None:
    """Or the choice is refused."""
    Choices(receive_buffer=10, send_buffer=10)
    with pytest.raises(Refused):
        Choices(receive_buffer=11, send_buffer=10)


@pytest.mark.clause("R8684-1.1-02")
def test_user_is_told_once() -> None:
    """Readable comes once for what came at once, however it was cut."""
    user, peer = established(multipath=True)
    peer.sends(ACK, seq=4, text=b"def", options=[map_text(4, 3)])
    peer.sends(ACK, seq=1, text=b"abc", options=[map_text(1, 3)])
    user.hears(Readable)
    user.hears_nothing()
