"""Windows, both ways: RFC 9293 §3.8.6, and Nagle, §3.7.4."""

import pytest

from mptcp.events import Aborted, Readable
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.segment import ACK, FIN, PSH
from mptcp_model.dialogue import Peer, read_text
from mptcp_model.situations import established

RTT = 100 * MILLISECOND
RTO = 300 * MILLISECOND


# -- the peer's window ------------------------------------------------------------------------


@pytest.mark.clause("R5681-2-01", "R9293-3.8.6-01")
def test_within_the_window() -> None:
    """No octet beyond the peer's window leaves; an ACK that moves it lets more out."""
    user, peer = established(window=4_000)
    user.writes(bytes(20_000))
    sent = sum(one.text_length for one in peer.skips())
    assert 2_920 <= sent <= 4_000
    peer.sends(ACK)
    more = sum(one.text_length for one in peer.skips())
    assert sent + more <= sent + 4_000


@pytest.mark.clause("R9293-3.8.6-01", "R9293-3.8.6-04", "R9293-3.8.6-05", "R9293-3.8.6-07")
def test_shrunken_window() -> None:
    """A window that moves left breaks nothing: no new text leaves, the old is repeated when it is time."""
    user, peer = established(rtt=RTT, window=10_000)
    user.writes(bytes(30_000))
    assert sum(one.text_length for one in peer.skips()) >= 8_760
    peer.acked = 1
    peer.sends(ACK, ack=1_461, window=2_000)
    peer.expects_nothing()
    one = peer.expects(ACK, seq=1_461, by=RTT + 3 * RTO)
    assert one.text_length == 1_460
    peer.sends(ACK, ack=8_761, window=20_000)
    assert peer.skips()


def test_stale_window() -> None:
    """RFC 9293 §3.10.7.4, fifth: an older segment does not change the window."""
    user, peer = established(window=500)
    peer.sends(ACK, seq=4, text=b"def", window=500)
    peer.sends(ACK, seq=1, text=b"abc", window=60_000)
    user.writes(bytes(5_000))
    assert sum(one.text_length for one in peer.skips()) == 500


@pytest.mark.clause("R9293-3.8.6-06")
def test_text_beyond_a_window_that_shut() -> None:
    """A window that shuts over text that is out: it is repeated for hours, if each time the peer answers."""
    user, peer = established(rtt=RTT, window=10_000, report_trouble=False)
    user.writes(bytes(1_000))
    peer.expects(ACK, length=1_000)
    peer.acked = 1
    peer.sends(ACK, ack=1, window=0)
    for _ in range(60):
        peer.expects(ACK, seq=1, length=1_000, by=peer.dialogue.now + 61 * SECOND)
        peer.acked = 1
        peer.sends(ACK, ack=1, window=0)
    user.hears_nothing()
    peer.sends(ACK, ack=1_001, window=10_000)
    user.writes(b"on")
    peer.expects(ACK, text=b"on")


@pytest.mark.clause("R9293-3.8.6-06", "R9293-3.8.3-02")
def test_silence_about_text_beyond_a_window_that_shut() -> None:
    """But it is given up where nobody answers, after as many as in an open window."""
    user, peer = established(rtt=RTT, window=10_000, retransmissions=5, report_trouble=False)
    user.writes(bytes(1_000))
    peer.expects(ACK, length=1_000)
    peer.acked = 1
    peer.sends(ACK, ack=1, window=0)
    for _ in range(4):
        peer.expects(ACK, seq=1, length=1_000, by=peer.dialogue.now + 61 * SECOND)
    peer.waits(peer.dialogue.now + 61 * SECOND)
    assert user.hears(Aborted) == Aborted(user.connection, "timed out")


@pytest.mark.clause("R9293-3.8.3-02")
def test_answers_without_acknowledgment() -> None:
    """In an open window what is never acknowledged is given up, whatever the peer says else."""
    user, peer = established(rtt=RTT, window=10_000, retransmissions=5, report_trouble=False)
    user.writes(bytes(1_000))
    for _ in range(5):
        peer.expects(ACK, seq=1, length=1_000, by=peer.dialogue.now + 61 * SECOND)
        peer.acked = 1
        peer.sends(ACK, ack=1, window=10_000)
    peer.waits(peer.dialogue.now + 61 * SECOND)
    assert user.hears(Aborted) == Aborted(user.connection, "timed out")


@pytest.mark.clause("R9293-3.8.6-02", "R9293-3.8.6.1-01", "R9293-3.8.6.1-03", "R9293-3.8.6.1-04")
def test_zero_window_probes() -> None:
    """A closed window is probed after one RTO, and ever more slowly; when it opens all goes on."""
    user, peer = established(rtt=RTT)
    peer.sends(ACK, window=0)
    user.writes(b"hello")
    peer.expects_nothing()
    moments = [peer.dialogue.now]
    for _ in range(5):
        probe = peer.expects(ACK, by=100 * SECOND)
        assert peer.count(probe.sequence) + probe.text_length in (1, 2)
        moments.append(peer.heard_at)
        peer.acked = 1
        peer.sends(ACK, ack=1, window=0)
    waits = [later - earlier for earlier, later in zip(moments, moments[1:], strict=False)]
    assert waits == [RTO << doubling for doubling in range(5)]
    peer.sends(ACK, ack=1, window=10_000)
    text = bytearray(5)
    for _ in range(2):
        for one in peer.skips():
            start, octets = peer.count(one.sequence) - 1, read_text(one)
            text[start : start + len(octets)] = octets
        peer.sends(ACK, window=10_000)
    assert text == b"hello"


@pytest.mark.clause("R9293-3.8.6.1-02", "R9293-3.8.6.1-05")
def test_window_may_stay_closed() -> None:
    """As long as probes are answered the connection lives: for hours, if need be."""
    user, peer = established(rtt=RTT)
    peer.sends(ACK, window=0)
    user.writes(b"hello")
    for _ in range(100):
        peer.expects(ACK, by=peer.dialogue.now + 61 * SECOND)
        peer.acked = 1
        peer.sends(ACK, ack=1, window=0)
        peer.skips()
        peer.acked = 1
    user.hears_nothing()
    assert peer.dialogue.now > 3_600 * SECOND


@pytest.mark.clause("R9293-3.8.6.1-01")
def test_probe_that_is_taken() -> None:
    """A peer may take the probe's octet and say so; then the next one is asked about."""
    user, peer = established(rtt=RTT)
    peer.sends(ACK, window=0)
    user.writes(b"hello")
    got = b""
    for _ in range(20):
        probe = peer.expects(ACK, by=peer.dialogue.now + 100 * SECOND)
        if peer.count(probe.sequence) == len(got) + 1:
            got += read_text(probe)
        peer.sends(ACK, ack=len(got) + 1, window=0)
        if got == b"hello":
            break
    assert got == b"hello"


@pytest.mark.clause("R9293-3.8.6.2.1-01")
def test_silly_window() -> None:
    """A window that opens by a few octets does not draw a few octets out."""
    user, peer = established(window=2_920)
    user.writes(bytes(10_000))
    assert sum(one.text_length for one in peer.skips()) == 2_920
    peer.sends(ACK, window=10)
    peer.expects_nothing()
    peer.sends(ACK, window=1_459)
    peer.expects_nothing()
    peer.sends(ACK, window=1_460)
    peer.expects(ACK, length=1_460)


@pytest.mark.clause("R9293-3.8.6.2.1-01")
def test_silly_window_that_stays() -> None:
    """A window that stays small, with nothing out, is used as it is after one RTO: no deadlock."""
    user, peer = established(rtt=RTT, window=2_920)
    user.writes(bytes(10_000))
    assert sum(one.text_length for one in peer.skips()) == 2_920
    peer.sends(ACK, window=1_000)
    for _ in range(3):
        heard = peer.dialogue.now
        peer.expects(ACK, length=1_000, by=heard + SECOND)
        assert peer.heard_at - heard >= 100 * MILLISECOND
        peer.sends(ACK, window=1_000)
    peer.expects_nothing()


def test_small_window() -> None:
    """A peer whose whole window is small is served in halves of it, at least."""
    user, peer = established(window=100)
    user.writes(bytes(1_000))
    total = 0
    for _ in range(40):
        total += sum(one.text_length for one in peer.skips())
        peer.sends(ACK, at=peer.dialogue.now + 10 * MILLISECOND)
    assert total == 1_000


def test_fin_beyond_a_closed_window() -> None:
    """A FIN with nothing before it needs no room."""
    user, peer = established(rtt=RTT)
    peer.sends(ACK, window=0)
    user.closes()
    peer.expects(FIN | ACK, seq=1, by=10 * SECOND)


# -- Nagle ------------------------------------------------------------------------------------


@pytest.mark.clause("R9293-3.7.4-02")
def test_nagle() -> None:
    """Small pieces wait for the acknowledgment of what is out, and then go together."""
    user, peer = established(rtt=RTT)
    for piece in (b"h", b"e", b"l", b"l", b"o"):
        user.writes(piece)
    peer.expects(ACK, text=b"h")
    peer.expects_nothing()
    peer.sends(ACK)
    peer.expects(ACK, text=b"ello")


@pytest.mark.clause("R9293-3.7.4-02", "R9293-3.8.6.2.1-01")
def test_nagle_in_a_small_window() -> None:
    """Half of the peer's window is much only where more waits: less than a segment waits as ever."""
    user, peer = established(rtt=RTT, window=1_000)
    user.writes(bytes(100))
    peer.expects(ACK, length=100)
    user.writes(bytes(600))
    peer.expects_nothing()
    peer.sends(ACK)
    peer.expects(ACK, length=600)


@pytest.mark.clause("R9293-3.7.4-01")
def test_nagle_off_and_on() -> None:
    """The application may change its mind about one connection; the other one keeps to it."""
    user, peer = established(rtt=RTT)
    user.writes(b"h")
    peer.expects(ACK, text=b"h")
    user.host.tune(user.connection, peer.dialogue.now, nagle=False)
    user.writes(b"e")
    peer.expects(ACK, text=b"e")
    user.host.tune(user.connection, peer.dialogue.now, nagle=True)
    user.writes(b"y")
    peer.expects_nothing()
    peer.sends(ACK)
    peer.expects(ACK, text=b"y")


@pytest.mark.clause("R9293-3.7.4-01")
def test_without_nagle() -> None:
    """Switched off, each piece leaves at once."""
    user, peer = established(rtt=RTT, nagle=False)
    for piece in (b"h", b"e", b"l", b"l", b"o"):
        user.writes(piece)
        peer.expects(ACK, text=piece)


@pytest.mark.clause("R9293-3.7.4-02", "R9293-3.9.1.2-04")
def test_full_segments_do_not_wait() -> None:
    """Nagle holds back only what does not fill a segment; and segments are as long as may be."""
    user, peer = established(rtt=RTT)
    user.writes(bytes(1_000))
    peer.expects(ACK, length=1_000)
    user.writes(bytes(2_000))
    peer.expects(ACK, length=1_460)
    peer.expects_nothing()
    peer.sends(ACK)
    peer.expects(ACK, length=540)


def test_close_sends_the_rest() -> None:
    """CLOSE says that no company will come: the small rest leaves with the FIN, or just before it."""
    user, peer = established(rtt=RTT)
    user.writes(b"hel")
    user.writes(b"lo")
    peer.expects(ACK, text=b"hel")
    user.closes()
    segments = peer.skips()
    if not segments:
        peer.sends(ACK)
        segments = peer.skips()
    assert segments[0].text_length == 2
    assert segments[-1].flags & FIN


@pytest.mark.clause("R9293-3.9.1.2-02", "R9293-3.9.1.2-03", "R9293-3.9.1.2-01")
def test_push() -> None:
    """PSH stands on the last segment of what was written."""
    user, peer = established()
    user.writes(bytes(3_000))
    first, second, third = peer.skips()
    assert [one.flags & PSH for one in (first, second, third)] == [0, 0, PSH]


# -- our window -------------------------------------------------------------------------------


@pytest.mark.clause("R9293-3.8.6-03")
def test_right_edge_never_moves_left() -> None:
    """Whatever comes and is not read, ACK plus window never shrinks, and ends at the buffer's end."""
    user, peer = established(receive_buffer=8_000)
    edge = 0
    for _ in range(6):
        peer.sends(ACK, text=bytes(1_460))
        for one in peer.skips():
            now = peer.count_own(one.acknowledgment) + one.window
            assert now >= edge
            edge = now
    assert edge <= 8_001
    user.reads(limit=100)
    for one in peer.skips():
        assert peer.count_own(one.acknowledgment) + one.window >= edge


@pytest.mark.clause("R9293-3.8.6-02")
def test_text_beyond_a_closed_window() -> None:
    """Text beyond the window is not taken, and answered by an ACK that says so."""
    user, peer = established(receive_buffer=2_920)
    peer.sends(ACK, text=b"a" * 1_460)
    peer.sends(ACK, text=b"b" * 1_460)
    peer.expects(ACK, ack=2_921, window=0)
    peer.sends(ACK, text=b"c", seq=2_921)
    peer.expects(ACK, ack=2_921, window=0)
    assert user.reads() == b"a" * 1_460 + b"b" * 1_460
    peer.expects(ACK, ack=2_921, window=2_920)
    peer.sends(ACK, text=b"c", seq=2_921)
    user.reads(b"c")


@pytest.mark.clause("R9293-3.4-04")
def test_text_across_the_edge() -> None:
    """RFC 9293 §3.10.7.4, first: of text that crosses the window's edge the part inside is taken."""
    user, peer = established(receive_buffer=2_000)
    peer.sends(ACK, text=b"a" * 1_460)
    peer.sends(ACK, text=b"b" * 1_460)
    peer.expects(ACK, ack=2_001, window=0)
    user.reads(b"a" * 1_460 + b"b" * 540)


def test_acknowledgments_count_with_a_closed_window() -> None:
    """RFC 9293 §3.8.6: ACKs of our text are heeded although our own window is zero."""
    user, peer = established(receive_buffer=1_000)
    user.writes(b"hello")
    peer.expects(ACK, text=b"hello")
    peer.sends(ACK, text=bytes(1_000), ack=1)
    peer.expects(ACK, ack=1_001, window=0, by=SECOND)
    peer.sends(ACK, text=b"probe", ack=6)
    peer.skips()
    peer.expects_nothing(until=60 * SECOND)
    user.hears(Readable)


@pytest.mark.clause("R9293-3.8.6.2.2-01")
def test_silly_window_of_our_own() -> None:
    """Reading a few octets announces nothing; reading much does."""
    user, peer = established(receive_buffer=14_600)
    for _ in range(10):
        peer.sends(ACK, text=bytes(1_460))
    peer.waits(SECOND)
    assert peer.skips()[-1].window == 0
    user.reads(limit=10)
    peer.expects_nothing()
    user.reads(limit=7_300)
    one = peer.expects(ACK)
    assert one.window >= 1_460


def read_window(peer: Peer) -> int:
    """The window of an ACK that the peer asks for by text that came before."""
    peer.sends(ACK, text=b"old", seq=-2)
    return peer.expects(ACK).window


@pytest.mark.clause("R9293-3.8.6.2.2-01")
@pytest.mark.parametrize(("buffer", "worthy", "news"), [(14_600, 1_500, 2_920), (2_000, 1_000, 1_000)])
def test_steps_of_our_window(buffer: int, worthy: int, news: int) -> None:
    """The edge stays until a packet's worth, or half the buffer, is free; two are told unasked."""
    user, peer = established(receive_buffer=buffer)
    for start in range(0, buffer, 1_000):
        peer.sends(ACK, text=bytes(min(1_000, buffer - start)))
    peer.waits(SECOND)
    assert peer.skips()[-1].window == 0
    user.reads(limit=worthy - 1)
    peer.expects_nothing()
    assert read_window(peer) == 0
    user.reads(limit=1)
    if worthy < news:
        peer.expects_nothing()
        assert read_window(peer) == worthy
        user.reads(limit=news - 1)
        peer.expects_nothing()
        user.reads(limit=1)
    assert peer.expects(ACK).window >= news


@pytest.mark.clause("R9293-3.8.6.2.2-01")
def test_a_wide_window_needs_no_news() -> None:
    """Who may still send much is told of room when it sends, and by no ACK for the room alone."""
    user, peer = established(receive_buffer=58_400)
    for _ in range(4):
        peer.sends(ACK, text=bytes(1_460))
    assert peer.skips()[-1].window == 58_400 - 4 * 1_460
    assert len(user.reads()) == 4 * 1_460
    peer.expects_nothing()
    peer.sends(ACK, text=bytes(1_460))
    peer.expects(ACK, window=58_400 - 1_460, by=SECOND)


@pytest.mark.clause("R7323-2.4-01")
def test_text_that_fitted_an_announced_window() -> None:
    """What was announced once is honoured, although nothing was read since."""
    user, peer = established(receive_buffer=10_000)
    peer.sends(ACK, text=bytes(1_000), seq=9_001)
    peer.sends(ACK, text=bytes(9_000), seq=1)
    assert len(user.reads()) == 10_000
