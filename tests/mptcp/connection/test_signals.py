"""MP_JOIN refused, and what acknowledgments with MPTCP signals mean to congestion control."""

import pytest

from mptcp.events import Aborted, Accepted, FellBack, Readable
from mptcp.parameters import MILLISECOND, REASON_MPTCP, REASON_PROHIBITED, SECOND
from mptcp.wire.addresses import AddAddr, AddAddrEcho, Prio, RemoveAddr
from mptcp.wire.dss import Dss
from mptcp.wire.endings import Experimental, TcpReset
from mptcp.wire.handshake import (
    HMAC_SHA256,
    CapableAck,
    CapableSyn,
    CapableSynAck,
    JoinAck,
    JoinSyn,
    JoinSynAck,
)
from mptcp.wire.options import Option, Unknown
from mptcp.wire.segment import ACK, FIN, RST, SYN
from mptcp_model.dialogue import HOST_IPV6, PEER_IPV6, DataSignal, Peer, User
from mptcp_model.situations import (
    PEER_OPTIONS,
    established,
    established_actively,
    listening,
    m_last_ack,
)

RTT = 50 * MILLISECOND
NONCE = b"once"


# -- MP_JOIN ----------------------------------------------------------------------------------


def join(user: User, token: int) -> JoinSyn:
    """The option of a joining SYN."""
    return JoinSyn(False, 1, token, NONCE)


@pytest.mark.clause("R8684-3.2-14", "R8684-3.2-24", "R8684-3.2-25", "R8684-3.6-12", "R8684-3.6-14")
@pytest.mark.parametrize("port", [80, 81])
@pytest.mark.parametrize("is_known", [True, False])
def test_join_is_refused(is_known: bool, port: int) -> None:
    """RST with MP_TCPRST: 3 for one too many, 1 for a token that we do not know; the connection lives on."""
    user, peer = established(multipath=True, subflows=1)
    token = user.host.status(user.connection).local_token
    other = peer.dialogue.meets(port=41_000, local_port=port)
    other.sends(SYN, options=[*PEER_OPTIONS, join(user, token if is_known else token ^ 1)])
    reason = REASON_PROHIBITED if is_known else REASON_MPTCP
    other.expects(RST | ACK, seq=None, ack=1, options=[TcpReset(0, reason)], without=[JoinSynAck])
    other.expects_nothing(until=100 * SECOND)
    user.hears_nothing()
    peer.sends(ACK, text=b"alive", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    user.hears(Readable)


@pytest.mark.clause("R8684-3.2-34", "R8684-3.2-33")
def test_join_to_the_host_that_opened() -> None:
    """The token decides, not the port: nobody listens here, and the reason says 3 all the same."""
    user, peer = established_actively(multipath=True)  # of which the peer has not said that it has our key
    token = user.host.status(user.connection).local_token
    other = peer.dialogue.meets(port=50_000, local_port=40_000)
    other.sends(SYN, options=[join(user, token)])
    other.expects(RST | ACK, options=[TcpReset(0, REASON_PROHIBITED)])
    other.sends(SYN, seq=0, options=[join(user, token + 1)])
    other.expects(RST | ACK, options=[TcpReset(0, REASON_MPTCP)])


@pytest.mark.clause("R8684-3.2-34", "R8684-1.3-02")
def test_join_over_ipv6() -> None:
    """From any address: the token is the host's own."""
    user, peer = established(multipath=True, subflows=1)
    token = user.host.status(user.connection).local_token
    other = peer.dialogue.meets(PEER_IPV6, 41_000, HOST_IPV6, 80)
    other.sends(SYN, options=[join(user, token)])
    other.expects(RST | ACK, options=[TcpReset(0, REASON_PROHIBITED)])


@pytest.mark.clause("R8684-3.2-24")
def test_join_with_the_peers_own_token() -> None:
    """The token in MP_JOIN is that of the host which is asked; the asker's own is unknown here."""
    user, peer = established(multipath=True)
    other = peer.dialogue.meets(port=41_000)
    other.sends(SYN, options=[join(user, user.host.status(user.connection).remote_token)])
    other.expects(RST | ACK, options=[TcpReset(0, REASON_MPTCP)])


@pytest.mark.clause("R8684-3.2-24")
def test_join_after_the_end() -> None:
    """A token whose connection is over is unknown."""
    user, peer = m_last_ack()
    token = user.host.status(user.connection).local_token
    peer.sends(ACK, options=[DataSignal(ack=2)])
    peer.skips()
    peer.sends(FIN | ACK, options=[DataSignal(ack=2)])
    peer.skips()
    peer.waits(1_000 * SECOND)
    other = peer.dialogue.meets(port=41_000)
    other.sends(SYN, options=[join(user, token)])
    other.expects(RST | ACK, options=[TcpReset(0, REASON_MPTCP)])


@pytest.mark.clause("R8684-3.2-24", "R8684-3.1-14")
def test_join_of_a_plain_connection() -> None:
    """A connection that speaks plain TCP has no token that could be joined."""
    user, peer = listening(multipath=True)
    peer.sends(SYN, options=PEER_OPTIONS)
    peer.expects(SYN | ACK)
    peer.sends(ACK)
    user.hears(Accepted, FellBack)
    token = user.host.status(user.connection).local_token
    other = peer.dialogue.meets(port=41_000)
    other.sends(SYN, options=[join(user, token)])
    other.expects(RST | ACK, options=[TcpReset])


@pytest.mark.clause("R8684-3.1-52")
def test_capable_and_join_on_one_syn() -> None:
    """Both make no sense together: as without either, plain TCP; or refused. Never MPTCP."""
    user, peer = listening(multipath=True)
    peer.sends(SYN, options=[CapableSyn(1, HMAC_SHA256), JoinSyn(False, 1, 12_345, NONCE)])
    one = peer.skips()[0]
    assert not any(isinstance(option, (CapableSynAck, JoinSynAck)) for option in one.options)
    if one.flags & SYN:
        peer.sends(ACK)
        user.hears(Accepted, FellBack)


@pytest.mark.clause("R8684-3.2-24", "R8684-3.1-09")
def test_join_ack_out_of_nowhere() -> None:
    """The third packet of a join that never began belongs to nobody: RST."""
    user, peer = established(multipath=True)
    other = peer.dialogue.meets(port=41_000)
    other.sends(ACK, seq=1, ack=77, options=[JoinAck(bytes(20))])
    other.expects(RST, seq=77)
    user.hears_nothing()


@pytest.mark.clause("R8684-3.2-02", "R8684-3-03")
@pytest.mark.parametrize("option", [JoinAck(bytes(20)), Unknown(30, bytes([0x10, 1]) + bytes(8))], ids=repr)
def test_join_on_an_established_subflow(option: Option) -> None:
    """MP_JOIN has no meaning on a subflow that is there already."""
    user, peer = established(multipath=True)
    peer.sends(ACK, options=[option])
    user.hears_nothing()
    assert user.host.status(user.connection).multipath


# -- duplicate acknowledgments ----------------------------------------------------------------

SIGNALS: list[Option] = [
    AddAddr(1, bytes([10, 0, 0, 9]), None, bytes(8)),
    AddAddr(1, bytes([10, 0, 0, 9]), 81, bytes(8)),
    AddAddrEcho(1, bytes([10, 0, 0, 9]), None),
    RemoveAddr((3,)),
    Prio(False),
]


def in_flight() -> tuple[User, Peer]:
    """A window of segments is out, after a Data ACK."""
    user, peer = established(multipath=True, rtt=RTT)
    user.writes(b"0")
    peer.skips()
    peer.sends(ACK, options=[DataSignal(ack=2)])
    user.writes(bytes(12_000))
    assert len(peer.skips()) >= 5
    return user, peer


@pytest.mark.clause("R8684-3-05", "R8684-4-03", "R8684-3.4.1-30")
@pytest.mark.parametrize("has_dss", [True, False])
@pytest.mark.parametrize("signal", SIGNALS, ids=repr)
def test_signals_are_no_duplicates(signal: Option, has_dss: bool) -> None:
    """An acknowledgment that carries news says nothing about loss, however often it comes."""
    user, peer = in_flight()
    window = user.host.status(user.connection).subflows[0].snd_cwnd
    options: list[Option | DataSignal] = [signal]
    if has_dss:
        options.append(DataSignal(ack=2))
    for _ in range(6):
        peer.sends(ACK, ack=2, options=options)
    peer.expects_nothing()
    assert user.host.status(user.connection).subflows[0].snd_cwnd == window


@pytest.mark.clause("R8684-4-03", "R8684-3-05", "R5681-3.2-02")
@pytest.mark.parametrize("has_dss", [True, False])
def test_dss_alone_is_a_duplicate(has_dss: bool) -> None:
    """DSS is on every segment: with nothing else it counts, and the third one repeats."""
    _, peer = in_flight()
    for number in range(3):
        peer.expects_nothing()
        peer.sends(ACK, ack=2, options=[DataSignal(ack=2)] if has_dss else [])
        assert number < 3
    peer.expects(ACK, seq=2, options=[DataSignal(dsn=2, ssn=2)])


@pytest.mark.clause("R8684-3-05", "R8684-3.3.3-02")
def test_repeated_data_fin_is_no_duplicate() -> None:
    """The peer's DATA_FIN rides on each of its acknowledgments until it has ours."""
    user, peer = in_flight()
    window = user.host.status(user.connection).subflows[0].snd_cwnd
    for _ in range(5):
        peer.sends(ACK, ack=2, options=[DataSignal(ack=2, dsn=1, ssn=0, length=1, fin=True)])
    assert all(one.text_length == 0 for one in peer.skips())
    assert user.host.status(user.connection).subflows[0].snd_cwnd == window


@pytest.mark.clause("R8684-3-02", "R9293-3.1-07", "R8684-3.4.1-07")
@pytest.mark.parametrize(
    "option",
    [
        *SIGNALS,
        Experimental(b"\xf0experiment"),
        Unknown(30, bytes([0xA0, 1, 2, 3])),  # a subtype that nobody assigned
        Unknown(30, bytes([0x20])),  # a DSS without flags
        Unknown(30, b""),
        Unknown(99, b"what is this"),
        CapableAck(1, HMAC_SHA256, b"PEER KEY", bytes(8)),
    ],
    ids=repr,
)
def test_options_that_say_nothing_to_us(option: Option) -> None:
    """Known or not, understood or not: the segment is taken, its text too, and nothing is answered."""
    user, peer = established(multipath=True)
    peer.sends(ACK, options=[option])
    peer.expects_nothing()
    mapped = DataSignal(ack=1, dsn=1, ssn=1, length=5)
    if len(option.emit()) <= 14:
        peer.sends(ACK, text=b"hello", options=[mapped, option])
    else:
        peer.sends(ACK, text=b"hello", options=[mapped])
    user.hears(Readable)
    user.reads(b"hello")
    one = peer.expects(ACK, ack=6, options=[DataSignal(ack=6)], by=SECOND)
    assert not any(isinstance(got, (AddAddr, AddAddrEcho)) for got in one.options)


@pytest.mark.clause("R8684-3.1-22", "R8684-2.1-03")
def test_address_confirms_the_keys() -> None:
    """As Linux: a peer that announces an address has our key, so that our data may have DSS."""
    user, peer = established_actively(multipath=True)
    peer.sends(ACK, options=[AddAddr(1, bytes([10, 0, 0, 9]), None, bytes(8))])
    user.hears_nothing()
    user.writes(b"hello")
    peer.expects(ACK, text=b"hello", options=[Dss])


@pytest.mark.clause("R8684-3-06", "R8684-4-04", "R8684-3.4.1-31")
def test_we_send_no_rows_of_signals() -> None:
    """However long the DATA_FIN waits, no more than two acknowledgments in a row leave at a time."""
    user, peer = established(multipath=True, rtt=RTT)
    user.closes()
    for _ in range(8):
        assert len(peer.skips()) <= 2
        peer.waits(peer.dialogue.now + 10 * MILLISECOND)


@pytest.mark.clause("R8684-3-01", "R8684-3-02", "R8684-3.3-01")
def test_two_dss_on_one_segment() -> None:
    """Nobody sends that; both are read, and nothing breaks."""
    user, peer = established(multipath=True)
    signals = [DataSignal(ack=1), DataSignal(dsn=1, ssn=1, length=5)]
    peer.sends(ACK, text=b"hello", options=signals)
    user.hears(Readable)
    user.reads(b"hello")


@pytest.mark.clause("R8684-3.1-31", "R8684-3.9.2-03")
def test_we_join_nothing() -> None:
    """Before any DSS, after it, and after an announcement: no SYN of ours leaves but the first."""
    user, peer = established_actively(multipath=True)
    peer.sends(ACK, options=[AddAddr(1, bytes([10, 0, 0, 9]), None, bytes(8))])
    user.writes(b"hello")
    peer.skips()
    peer.sends(ACK, options=[DataSignal(ack=6)])
    peer.expects_nothing(until=1_000 * SECOND)
    assert peer.dialogue.strays == []


@pytest.mark.clause("R8684-4-10", "R8684-1.1-02")
def test_addresses_of_the_first_subflow() -> None:
    """The application sees one pair of addresses and ports, also when the subflow is gone."""
    user, peer = established(multipath=True)
    before = user.host.status(user.connection)
    peer.sends(RST)
    user.hears(Aborted)
    after = user.host.status(user.connection)
    assert (after.local, after.local_port) == (before.local, before.local_port) == (peer.local, 80)
    assert (after.remote, after.remote_port) == (peer.address, peer.port)
