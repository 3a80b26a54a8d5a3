"""The host: ports, tokens, handles, and who gets the segment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.choices import Choices
from mptcp.errors import Refused
from mptcp.events import Aborted, Accepted, Readable
from mptcp.host import Host
from mptcp.parameters import SECOND
from mptcp.ports import LAST_EPHEMERAL, Ports, compute_iss, is_unicast
from mptcp.wire.segment import ACK, FIN, RST, SYN
from mptcp_model.bare import OTHER_IPV4, make_host, make_packet, read_packets
from mptcp_model.dialogue import (
    HOST_IPV4,
    HOST_IPV6,
    PEER_IPV4,
    PEER_IPV6,
    SEED,
    DataSignal,
    Dialogue,
    read_text,
)
from mptcp_model.simulated.capture import Packet
from mptcp_model.situations import (
    established,
    listening,
    syn_received,
    syn_sent,
)

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
    user, first = listening(backlog=3, syn_cookies=False)
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
    assert all(49_152 <= port <= LAST_EPHEMERAL for port in ports)
    other = Host((HOST_IPV4,), bytes(32))
    other.connect(HOST_IPV4, PEER_IPV4, 80, 0)
    assert other.status(1).local_port != ports[0]  # where it starts is drawn


@pytest.mark.clause("R6056-3.3-01", "R6056-3.3.4-01")
def test_ports_tell_nothing_of_each_other() -> None:
    """To one place one port after the other; where that begins depends on the place and on the secret."""
    ports, others = Ports(bytes(32), 49_152), Ports(bytes([1]) * 32, 49_152)
    places = [(PEER_IPV4, 80), (PEER_IPV4, 81), (OTHER_IPV4, 80)]
    firsts = [ports.draw(HOST_IPV4, *place) for place in places]
    assert len(set(firsts)) == 3
    assert ports.draw(HOST_IPV4, PEER_IPV4, 80) - firsts[0] in (1, 49_152 - 65_535)
    assert others.draw(HOST_IPV4, PEER_IPV4, 80) != firsts[0]


@given(
    st.lists(
        st.tuples(st.sampled_from(["find", "find", "take", "release"]), st.integers(0, 3), st.integers(1, 2))
    )
)
def test_ports_are_a_table(calls: list[tuple[str, int, int]]) -> None:
    """Whatever was found before, ``find`` says who has the four-tuple now."""
    ports, table = Ports(bytes(32), 49_152), dict[int, int]()
    for call, number, handle in calls:
        four = (HOST_IPV4, 50_000 + number % 2, PEER_IPV4, 80 + number // 2)
        if call == "take":
            ports.take(four, handle)
            table[number] = handle
        elif call == "release":
            ports.release(four, handle)
            if table.get(number) == handle:
                del table[number]
        assert ports.find(four) == table.get(number, 0)


@pytest.mark.clause("R6056-3.3.4-02")
def test_all_ephemeral_ports_are_taken() -> None:
    """Then the call is refused, and another remote port is still possible."""
    host = make_host()
    for port in range(49_152, LAST_EPHEMERAL + 1):
        host.ports.take((HOST_IPV4, port, PEER_IPV4, 80), -1)
    with pytest.raises(Refused, match="insufficient resources"):
        host.connect(HOST_IPV4, PEER_IPV4, 80, 0)
    host.connect(HOST_IPV4, PEER_IPV4, 81, 0)
    host.ports.release((HOST_IPV4, 60_000, PEER_IPV4, 80), -1)
    handle = host.connect(HOST_IPV4, PEER_IPV4, 80, 0)
    assert host.status(handle).local_port == 60_000


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


@pytest.mark.clause("R8684-1.1-02")
def test_write_from_the_middle() -> None:
    """What a full send buffer left over is written from where it begins, and not cut off first."""
    user, peer = established(multipath=True, window=65_535, send_buffer=4_000, receive_buffer=4_000)
    octets = bytes(range(250)) * 24
    start = user.host.write(user.connection, octets, 0)
    assert start == 4_000
    assert user.host.write(user.connection, octets, 0, start=start) == 0
    story, came = peer.dialogue, b""
    while len(came) < len(octets):
        story.settle()
        came += b"".join(read_text(one) for one in peer.skips())
        peer.sends(ACK, options=[DataSignal(ack=peer.acked)])
        start += user.host.write(user.connection, octets, story.now, start=start)
    assert came == octets and start == len(octets)


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


@pytest.mark.clause("R6528-3-01", "R6528-3-02")
@pytest.mark.clause("R8684-3-08", "R9293-3.4.1-01", "R9293-3.4.1-02", "R9293-3.4.1-03")
def test_initial_sequence_numbers() -> None:
    """A clock of 4 µs that runs for each four-tuple, from a place that the secret decides."""
    four = (HOST_IPV4, 80, PEER_IPV4, 40_000)
    other = (HOST_IPV4, 80, PEER_IPV4, 40_001)
    start = compute_iss(SEED, four, 0)
    assert compute_iss(SEED, four, 4_000) - start & 0xFFFFFFFF == 1_000
    assert compute_iss(SEED, other, 0) != start
    assert compute_iss(bytes(32), four, 0) != start
