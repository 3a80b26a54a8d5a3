"""The host: ports, tokens, handles, and who gets the segment."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.choices import Choices
from mptcp.errors import Refused
from mptcp.events import Aborted, Accepted, Closed, Established, Finished, Readable, Writable
from mptcp.host import FIRST_EPHEMERAL, LAST_EPHEMERAL, Host, compute_iss, is_unicast
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.values import Text
from mptcp.wire import ip, segment
from mptcp.wire.segment import ACK, FIN, RST, SYN, Segment
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
from mptcp_model.simulated.capture import Packet
from mptcp_model.situations import (
    Scene,
    established,
    last_ack,
    listening,
    syn_received,
    syn_sent,
    time_wait,
)

OTHER_IPV4 = bytes([10, 0, 0, 3])
LATER = 1_000 * SECOND


def make_host(**choices: Any) -> Host:
    """A host with two addresses of each kind."""
    return Host((HOST_IPV4, OTHER_IPV4, HOST_IPV6), SEED, Choices(**choices))


def make_packet(
    flags: int,
    source: bytes = PEER_IPV4,
    destination: bytes = HOST_IPV4,
    source_port: int = 40_000,
    destination_port: int = 80,
    text: bytes = b"",
    sequence: int = 0,
) -> bytes:
    """A packet for the host."""
    texts = (Text(text, 0, len(text)),) if text else ()
    one = Segment(source, destination, source_port, destination_port, sequence, 0, flags, 1_000, 0, (), texts)
    return segment.emit(one).octets()


def read_packets(host: Host, now: int = 0) -> list[Segment]:
    """What leaves now, parsed."""
    packets = [one.octets() for one in host.transmit(now)]
    return [segment.parse(packet, ip.parse(packet)) for packet in packets]


# -- who gets the segment ---------------------------------------------------------------------


@pytest.mark.clause("R9293-3.6-01")
@pytest.mark.parametrize("flags", [SYN, SYN | FIN, ACK, FIN | ACK, SYN | ACK, FIN, 0])
def test_reset_for_nobody(flags: int) -> None:
    """RFC 9293 §3.10.7.1: what belongs to nobody is answered by RST, numbered as it asks for."""
    host = make_host()
    host.receive(make_packet(flags, sequence=1_000, text=b"hello"), 0)
    (one,) = read_packets(host)
    if flags & ACK:
        assert (one.flags, one.sequence) == (RST, 0)
    else:
        length = 5 + bool(flags & SYN) + bool(flags & FIN)
        assert (one.flags, one.sequence, one.acknowledgment) == (RST | ACK, 0, 1_000 + length)
    assert (one.source, one.source_port) == (HOST_IPV4, 80)
    assert read_packets(host) == []
    assert host.events() == [] and host.deadline() is None


@pytest.mark.parametrize("flags", [RST, RST | ACK, RST | SYN])
def test_no_reset_for_a_reset(flags: int) -> None:
    """RFC 9293 §3.10.7.1: or two hosts would answer each other for ever."""
    host = make_host()
    host.receive(make_packet(flags), 0)
    assert read_packets(host) == []


@pytest.mark.clause("R9293-3.9.2.3-01", "R9293-3.9.2.3-02")
@pytest.mark.parametrize(
    "source",
    [
        bytes([224, 0, 0, 1]),
        bytes([239, 255, 255, 250]),
        bytes([255] * 4),
        bytes(4),
        bytes([0, 1, 2, 3]),
        bytes([240, 0, 0, 1]),
    ],
    ids=lambda one: ".".join(map(str, one)),
)
def test_syn_from_nobody_in_particular(source: bytes) -> None:
    """A SYN whose source is no single host opens nothing."""
    host = make_host()
    host.listen(None, 80)
    host.receive(make_packet(SYN, source=source), 0)
    assert read_packets(host) == []
    assert host.connections == {}


@pytest.mark.clause("R9293-3.9.2.3-01")
@pytest.mark.parametrize(
    "destination", [bytes([255] * 4), bytes([10, 0, 0, 255]), bytes([224, 0, 0, 1]), bytes([10, 0, 0, 9])]
)
def test_packet_for_somebody_else(destination: bytes) -> None:
    """Broadcast, multicast, or simply not ours: silence, not even a RST."""
    host = make_host()
    host.listen(None, 80)
    host.receive(make_packet(SYN, destination=destination), 0)
    host.receive(make_packet(ACK, destination=destination), 0)
    assert read_packets(host) == []


@pytest.mark.parametrize("address", [bytes([0xFF, 2, *bytes(13), 1]), bytes(16)])
def test_unicast_ipv6(address: bytes) -> None:
    """Neither multicast nor the unspecified address is one host."""
    assert not is_unicast(address)
    assert is_unicast(PEER_IPV6)


@pytest.mark.clause("R9293-3.1-04")
def test_wrong_checksum() -> None:
    """A packet that was damaged is dropped, and counted; vouched for by the device, it is taken."""
    host = make_host()
    packet = bytearray(make_packet(SYN))
    packet[-1] ^= 1
    host.receive(bytes(packet), 0)
    assert read_packets(host) == [] and host.malformed == 1
    host.receive(bytes(packet), 0, checked=True)
    assert len(read_packets(host)) == 1


@given(st.binary(max_size=100))
def test_any_octets(octets: bytes) -> None:
    """Whatever comes from the device: no exception, and at most a count."""
    host = make_host()
    host.receive(octets, 0)
    host.receive(bytes([0x45]) + octets, 0)
    host.receive(bytes([0x60]) + octets, 0)
    host.transmit(0)
    assert host.connections == {}


@given(st.data())
def test_damaged_packets(data: st.DataObject) -> None:
    """A packet of an established connection, damaged anywhere: no exception, its checksum seen or not."""
    user, peer = established(multipath=True)
    peer.sends(ACK, text=b"hello", options=[DataSignal(ack=1, dsn=1, ssn=1, length=5)])
    sent = [one.octets for one in peer.dialogue.story if isinstance(one, Packet)]
    packet = bytearray(sent[-1])
    for _ in range(data.draw(st.integers(1, 4))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(packet)))
    for octets in (bytes(packet), bytes(packet[:cut])):
        user.host.receive(octets, 0, checked=True)
        user.host.receive(octets, 0)
        peer.dialogue.settle()


def test_other_protocols() -> None:
    """UDP, ICMP echo and the like pass by."""
    host = make_host()
    packet = bytearray(make_packet(SYN))
    packet[9] = 17
    packet[10:12] = bytes(2)
    host.receive(bytes(packet), 0)
    assert read_packets(host) == []


def test_answers_are_limited() -> None:
    """A flood for nobody takes no memory: RSTs beyond a limit are not kept."""
    host = make_host()
    for port in range(1, 2_000):
        host.receive(make_packet(ACK, source_port=port), 0)
    assert len(read_packets(host)) <= 256


# -- listeners --------------------------------------------------------------------------------


@pytest.mark.clause("R9293-3.9.1.1-03")
@pytest.mark.parametrize(
    ("one", "other", "allowed"),
    [
        (None, None, False),
        (None, HOST_IPV4, False),
        (HOST_IPV4, None, False),
        (HOST_IPV4, HOST_IPV4, False),
        (HOST_IPV4, OTHER_IPV4, True),
        (HOST_IPV4, HOST_IPV6, True),
    ],
)
def test_port_in_use(one: bytes | None, other: bytes | None, allowed: bool) -> None:
    """One listener for an address and port; "all addresses" is one too."""
    host = make_host()
    host.listen(one, 80)
    if allowed:
        host.listen(other, 80)
    else:
        with pytest.raises(Refused, match="port in use"):
            host.listen(other, 80)
    host.listen(other, 81)


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_port_that_is_none(port: int) -> None:
    """A port is between 1 and 65535, for listeners and for whom we connect to."""
    host = make_host()
    with pytest.raises(Refused, match="port"):
        host.listen(None, port)
    with pytest.raises(Refused, match="port"):
        host.connect(HOST_IPV4, PEER_IPV4, port, 0)


def test_address_that_is_not_ours() -> None:
    """Neither to listen on nor to connect from."""
    host = make_host()
    with pytest.raises(Refused, match="address"):
        host.listen(PEER_IPV4, 80)
    with pytest.raises(Refused, match="address"):
        host.connect(PEER_IPV4, PEER_IPV4, 80, 0)


@pytest.mark.clause("R9293-3.9.1.1-03", "R9293-3.9.1.1-05")
def test_listener_of_one_address() -> None:
    """It hears only what is for its address; the same port of another address is closed."""
    story = Dialogue(addresses=(HOST_IPV4, OTHER_IPV4))
    story.user.listens(address=OTHER_IPV4)
    peer, other = story.meets(), story.meets(local=OTHER_IPV4)
    peer.sends(SYN)
    peer.expects(RST | ACK)
    other.sends(SYN)
    one = other.expects(SYN | ACK)
    assert one.source == OTHER_IPV4


@pytest.mark.clause("R9293-3.9.1.1-01", "R9293-3.9.1.1-02")
def test_unlisten() -> None:
    """No more SYNs; what was accepted lives on; the port may be listened on again."""
    user, peer = established()
    user.host.unlisten(user.listener)
    other = peer.dialogue.meets(port=41_000)
    other.sends(SYN)
    other.expects(RST | ACK)
    peer.sends(ACK, text=b"alive")
    user.hears(Readable)
    user.listens()
    other.sends(SYN, seq=0)
    other.expects(SYN | ACK)
    user.host.unlisten(user.listener)
    with pytest.raises(Refused, match="listener"):
        user.host.unlisten(user.listener)


def test_unlisten_with_connections_half_open() -> None:
    """A connection in SYN-RECEIVED is the listener's no more; nothing breaks when it goes on."""
    user, peer = syn_received()
    user.host.unlisten(user.listener)
    peer.sends(ACK)
    peer.skips()
    peer.expects_nothing(until=300 * SECOND)


def test_backlog() -> None:
    """So many may wait in SYN-RECEIVED; further SYNs are not heard until there is room again."""
    user, first = listening(backlog=3)
    peers = [first] + [first.dialogue.meets(port=50_000 + number) for number in range(5)]
    for peer in peers:
        peer.sends(SYN)
    for peer in peers[:3]:
        peer.expects(SYN | ACK)
    for peer in peers[3:]:
        peer.expects_nothing()
    peers[0].sends(ACK)
    user.hears(Accepted)
    peers[1].sends(RST)
    for peer in peers[3:]:
        peer.sends(SYN, seq=0)
    for peer in peers[3:5]:
        peer.expects(SYN | ACK)
    peers[5].expects_nothing()


def test_backlog_of_those_who_never_answer() -> None:
    """Half-open connections are given up in the end, and make room."""
    user, first = listening(backlog=1)
    first.sends(SYN)
    first.skips()
    first.waits(300 * SECOND)
    first.skips()
    other = first.dialogue.meets(port=50_000)
    other.sends(SYN)
    other.expects(SYN | ACK)
    user.hears_nothing()
    assert len(user.host.connections) == 1


@pytest.mark.clause("R9293-3.9.1.1-02")
def test_choices_of_a_listener() -> None:
    """What the listener chose holds for its connections; the host's choices for the others."""
    story = Dialogue(Choices(multipath=True))
    story.user.listens(80, choices=Choices(multipath=False, mtu=1_300))
    story.user.listens(81)
    plain, multipath = story.meets(local_port=80), story.meets(local_port=81)
    for peer in (plain, multipath):
        peer.sends(SYN)
    assert plain.expects(SYN | ACK).options != multipath.expects(SYN | ACK).options


# -- connecting -------------------------------------------------------------------------------


@pytest.mark.clause("R9293-3.9.1.1-06")
@pytest.mark.parametrize(
    "remote",
    [bytes([255] * 4), bytes([224, 0, 0, 5]), bytes(4), bytes([0xFF, *bytes(15)]), bytes(16), b"", b"abc"],
)
def test_remote_that_is_no_host(remote: bytes) -> None:
    """Broadcast, multicast, unspecified, or no address at all: refused at once."""
    host = make_host()
    local = HOST_IPV6 if len(remote) == 16 else HOST_IPV4
    with pytest.raises(Refused):
        host.connect(local, remote, 80, 0)
    assert host.connections == {}


def test_families_do_not_mix() -> None:
    """An IPv4 address cannot talk to an IPv6 address."""
    host = make_host()
    with pytest.raises(Refused):
        host.connect(HOST_IPV4, PEER_IPV6, 80, 0)
    with pytest.raises(Refused):
        host.connect(HOST_IPV6, PEER_IPV4, 80, 0)


def test_ephemeral_ports() -> None:
    """Port 0: any that is free, within RFC 6335's dynamic range; the same twice only for other peers."""
    host = make_host()
    for _ in range(100):
        host.connect(HOST_IPV4, PEER_IPV4, 80, 0)
    ports = [host.status(handle).local_port for handle in host.connections]
    assert len(set(ports)) == 100
    assert all(FIRST_EPHEMERAL <= port <= LAST_EPHEMERAL for port in ports)
    other = Host((HOST_IPV4,), bytes(32))
    other.connect(HOST_IPV4, PEER_IPV4, 80, 0)
    assert other.status(1).local_port != ports[0]  # where it starts is drawn


def test_all_ephemeral_ports_are_taken() -> None:
    """Then the call is refused, and another remote port is still possible."""
    host = make_host()
    count = LAST_EPHEMERAL - FIRST_EPHEMERAL + 1
    first = host.next_port
    for port in range(FIRST_EPHEMERAL, LAST_EPHEMERAL + 1):
        host.by_tuple[HOST_IPV4, port, PEER_IPV4, 80] = -1
    assert len(host.by_tuple) == count
    with pytest.raises(Refused, match="insufficient resources"):
        host.connect(HOST_IPV4, PEER_IPV4, 80, 0)
    handle = host.connect(HOST_IPV4, PEER_IPV4, 81, 0)
    assert host.status(handle).local_port == first


def test_connection_exists() -> None:
    """RFC 9293 §3.10.1: the same four-tuple cannot be opened twice while it is in use."""
    user, peer = syn_sent()
    with pytest.raises(Refused, match="already exists"):
        user.connects()
    peer.sends(RST | ACK, ack=1)
    user.hears(Aborted)
    user.connects()
    peer.expects(SYN)


@pytest.mark.clause("R9293-3.9.1.1-01", "R9293-3.9.1.1-02")
def test_many_connections() -> None:
    """Ten peers at one port, and one that we called: each hears its own and nothing else."""
    story = Dialogue()
    story.user.listens()
    peers = [story.meets(port=50_000 + number) for number in range(10)]
    handles = []
    for peer in peers:
        peer.sends(SYN)
        peer.expects(SYN | ACK)
    for peer in peers:
        peer.sends(ACK)
        event = story.user.hears(Accepted)
        assert isinstance(event, Accepted) and event.remote_port == peer.port
        handles.append(event.connection)
        story.events.clear()
    for number, peer in enumerate(peers):
        peer.sends(ACK, text=b"from %d" % number)
    story.events.clear()
    for number, handle in enumerate(handles):
        assert story.host.read(handle, 100, story.now) == b"from %d" % number
        story.host.write(handle, b"to %d" % number, story.now)
    story.settle()
    for number, peer in enumerate(peers):
        peer.expects(ACK, text=b"to %d" % number)
    assert len(set(handles)) == 10


@pytest.mark.clause("R8684-3.1-13", "R8684-3.1-15", "R8684-1.3-01", "R8684-1.3-02")
def test_tokens_and_handles_differ() -> None:
    """No two connections of a host share a token or a handle; a listener has one of its own too."""
    host = make_host()
    listeners = [host.listen(None, port) for port in range(80, 90)]
    handles = [host.connect(HOST_IPV4, PEER_IPV4, 80, 0) for _ in range(50)]
    assert len(set(listeners) | set(handles)) == 60
    tokens = {host.status(handle).local_token for handle in handles}
    assert len(tokens) == 50
    assert set(host.by_token) == tokens


@pytest.mark.clause("R8684-3-08", "R9293-3.4.1-01", "R9293-3.4.1-02", "R9293-3.4.1-03")
def test_initial_sequence_numbers() -> None:
    """A clock of 4 µs that runs for each four-tuple, from a place that the secret decides."""
    four = (HOST_IPV4, 80, PEER_IPV4, 40_000)
    other = (HOST_IPV4, 80, PEER_IPV4, 40_001)
    start = compute_iss(SEED, four, 0)
    assert compute_iss(SEED, four, 4_000) - start & 0xFFFFFFFF == 1_000
    assert compute_iss(SEED, other, 0) != start
    assert compute_iss(bytes(32), four, 0) != start


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
    for table in (host.connections, host.by_tuple, host.by_token, host.due, host.touched):
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
