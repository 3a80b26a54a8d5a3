"""The host and its user: handles, what is written, and what is told once."""

from collections.abc import Callable

import pytest

from mptcp.errors import Refused
from mptcp.events import Aborted, Accepted, Closed, Established, Finished, Readable, Writable
from mptcp.host import Host
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.segment import ACK, FIN, RST, SYN
from mptcp_model.bare import LATER, make_host, make_packet, read_packets
from mptcp_model.dialogue import (
    HOST_IPV4,
    HOST_IPV6,
    PEER_IPV4,
    PEER_IPV6,
    SEED,
    DataSignal,
    Dialogue,
    Peer,
)
from mptcp_model.situations import (
    Scene,
    established,
    last_ack,
    syn_sent,
    time_wait,
)

# -- handles ----------------------------------------------------------------------------------


@pytest.mark.parametrize("handle", [0, -1, 7, 1_000])
def test_no_such_connection(handle: int) -> None:
    """RFC 9293 §3.10: "connection does not exist"."""
    host = make_host()
    calls: list[Callable[[], object]] = [
        lambda: host.write(handle, b"x", 0),
        lambda: host.read(handle, 1, 0),
        lambda: host.close(handle, 0),
        lambda: host.abort(handle, 0),
        lambda: host.status(handle),
        lambda: host.forget(handle),
    ]
    for call in calls:
        with pytest.raises(Refused, match="does not exist"):
            call()


def test_listener_is_no_connection() -> None:
    """A listener's handle is for unlisten only."""
    host = make_host()
    listener = host.listen(None, 80)
    with pytest.raises(Refused):
        host.status(listener)
    host.unlisten(listener)


@pytest.mark.parametrize("situation", [time_wait, last_ack, established])
def test_forget(situation: Callable[[], Scene]) -> None:
    """The handle is gone at once; what is under way ends by itself, in silence."""
    user, peer = situation()
    user.host.forget(user.connection)
    with pytest.raises(Refused):
        user.host.status(user.connection)
    with pytest.raises(Refused):
        user.host.forget(user.connection)
    peer.sends(FIN | ACK)
    peer.waits(LATER)
    user.hears_nothing()


@pytest.mark.parametrize("is_forgotten_first", [True, False])
def test_nothing_is_left(is_forgotten_first: bool) -> None:
    """After the end, and once it is forgotten, a connection leaves no trace in the host."""
    user, peer = last_ack()
    if is_forgotten_first:
        user.host.forget(user.connection)
    peer.sends(ACK)
    peer.waits(LATER)
    host = user.host
    if not is_forgotten_first:
        user.hears(Closed)
        assert host.status(user.connection).state == "M_CLOSED"
        host.forget(user.connection)
        peer.dialogue.settle()
    assert host.deadline() is None
    assert host.events() == []
    for table in (host.connections, host.ports.by_tuple, host.by_token, host.agenda.due, host.touched):
        assert len(table) == 0
    assert len(host.stale) == 0 and len(host.news) == 0


@pytest.mark.parametrize("situation", [established, last_ack, time_wait, syn_sent])
def test_forgotten_connections_do_not_trouble_the_clock(situation: Callable[[], Scene]) -> None:
    """Deadlines of a connection that is gone are gone too: tick finds nobody, and says nothing."""
    user, peer = situation()
    host, now = user.host, peer.dialogue.now
    if situation is not syn_sent:
        peer.sends(ACK, text=b"x")
    host.abort(user.connection, now)
    host.forget(user.connection)
    host.transmit(now)
    for step in range(100):
        host.tick(now + step * SECOND)
        host.transmit(now + step * SECOND)
        host.events()
    assert host.deadline() is None
    assert len(host.connections) == 0


def test_four_tuple_is_free_after_the_end() -> None:
    """A new SYN with the same addresses and ports is welcome as soon as the connection is over."""
    user, peer = last_ack()
    peer.sends(ACK)
    user.hears(Closed)
    peer.sends(SYN, seq=100_000)
    peer.expects(SYN | ACK)


# -- writing, and what is told ----------------------------------------------------------------


@pytest.mark.parametrize("multipath", [True, False])
def test_write_beyond_the_send_buffer(multipath: bool) -> None:
    """A write takes what there is room for; Writable tells once when there is room again."""
    user, peer = established(multipath=multipath, receive_buffer=1_000, send_buffer=1_000, nagle=False)
    assert user.writes(bytes(800)) == 800
    assert user.writes(bytes(800)) == 200
    assert user.writes(b"x") == 0
    user.hears_nothing()
    peer.skips()
    for ack in (301, 400):
        peer.sends(ACK, ack=ack, options=[DataSignal(ack=ack)] if multipath else [])
    user.hears_nothing()  # less than half of it is free
    peer.sends(ACK, options=[DataSignal(ack=1_001)] if multipath else [])
    user.hears(Writable)
    user.hears_nothing()
    assert user.writes(bytes(1_000)) == 1_000


def test_no_writable_without_need() -> None:
    """Who was never cut short is not told that there is room."""
    user, peer = established(receive_buffer=1_000, send_buffer=1_000)
    assert user.writes(bytes(1_000)) == 1_000
    peer.skips()
    peer.sends(ACK)
    user.hears_nothing()


def test_empty_write_and_empty_read() -> None:
    """Nothing to write, nothing to read: nothing happens."""
    user, peer = established()
    assert user.writes(b"") == 0
    user.reads(b"")
    user.reads(b"", limit=0)
    peer.expects_nothing()
    user.hears_nothing()


def test_read_in_pieces() -> None:
    """A limit is a limit, and what is left is left."""
    user, peer = established()
    peer.sends(ACK, text=b"0123456789")
    user.reads(b"012", limit=3)
    user.reads(b"", limit=0)
    user.reads(b"3456789", limit=100)
    user.reads(b"")


@pytest.mark.parametrize("multipath", [True, False])
def test_write_before_the_handshake(multipath: bool) -> None:
    """RFC 9293 §3.10.2: SEND in SYN-SENT is queued, and leaves with the end of the handshake."""
    user, peer = syn_sent(multipath=multipath)
    assert user.writes(b"early") == 5
    user.reads(b"")
    peer.expects_nothing()
    peer.sends(SYN | ACK)
    peer.expects(ACK, text=b"early")
    assert [type(event) for event in peer.dialogue.events][0] is Established


def test_events_are_drained() -> None:
    """events() tells each thing once; a second call has nothing to add."""
    user, peer = established()
    host = user.host
    packet_count = len(peer.dialogue.story)
    peer.sends(ACK, text=b"x")
    assert len(peer.dialogue.story) > packet_count
    user.hears(Readable)
    assert host.events() == []
    host.tick(peer.dialogue.now)
    assert host.events() == []


@pytest.mark.clause("R9293-3.6-01")
@pytest.mark.parametrize(("situation", "error"), [(syn_sent, "refused"), (established, "reset")])
def test_what_went_wrong(situation: Callable[[], Scene], error: str) -> None:
    """RST to our SYN is a refusal, later it is a reset; told once, in words."""
    user, peer = situation()
    peer.sends(RST | ACK if situation is syn_sent else RST, ack=1)
    event = user.hears(Aborted)
    assert event == Aborted(user.connection, error)
    assert user.host.status(user.connection).error == error
    peer.waits(LATER)
    user.hears_nothing()


def test_time_may_stand_still() -> None:
    """deadline() is None when nothing is awaited, and absolute µs when something is."""
    host = make_host()
    assert host.deadline() is None
    host.connect(HOST_IPV4, PEER_IPV4, 80, 5_000)
    assert host.deadline() is None  # the SYN has not left
    host.transmit(5_000)
    assert host.deadline() == 5_000 + SECOND
    host.tick(5_000)
    assert host.deadline() == 5_000 + SECOND


def test_late_tick() -> None:
    """A tick that comes late does everything that was due, once."""
    host = make_host()
    for _ in range(5):
        host.connect(HOST_IPV4, PEER_IPV4, 80, 0)
    assert len(read_packets(host)) == 5
    host.tick(10 * SECOND)
    assert len(read_packets(host, 10 * SECOND)) == 5
    assert host.deadline() == 12 * SECOND


def test_same_seed_same_packets() -> None:
    """Two hosts with one seed and one story say the same, octet for octet."""
    said = []
    for _ in range(2):
        host = make_host()
        host.connect(HOST_IPV4, PEER_IPV4, 80, 0)
        host.listen(None, 80)
        host.receive(make_packet(SYN), 10)
        said.append([one.octets() for one in host.transmit(10)])
    assert said[0] == said[1] and len(said[0]) == 2


@pytest.mark.parametrize("address", [b"", b"abc", bytes(5), bytes(17)])
def test_strange_addresses(address: bytes) -> None:
    """An address has 4 or 16 octets."""
    with pytest.raises(Refused, match="octets"):
        Host((address,), SEED)


def test_short_seed() -> None:
    """Entropy of less than 32 octets is refused."""
    with pytest.raises(Refused, match="seed"):
        Host((HOST_IPV4,), bytes(31))


@pytest.mark.clause("R9293-3.6-01")
def test_both_families() -> None:
    """The same host speaks IPv4 and IPv6; each connection keeps to its own."""
    story = Dialogue()
    story.user.listens()
    four, six = story.meets(), story.meets(PEER_IPV6, 40_000, HOST_IPV6, 80)
    peers: list[Peer] = [four, six]
    for peer in peers:
        peer.sends(SYN)
        peer.expects(SYN | ACK)
        peer.sends(ACK)
        story.user.hears(Accepted)
        story.events.clear()
    for peer in peers:
        peer.sends(ACK, text=b"hi")
    six.sends(FIN | ACK)
    kinds = [type(event) for event in story.events]
    assert kinds == [Readable, Readable, Finished]
    assert peers[0].dialogue.now < MILLISECOND
