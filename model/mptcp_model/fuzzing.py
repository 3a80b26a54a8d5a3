"""What a fuzzer tries: any octets as a packet, and any octets as a script of packets, time and wishes.

A script begins with the situation it starts from; then come moves, each an octet that says what it is
and by whom, a length of two octets, and a body of so many octets:

    0-3  a TCP segment, header and all, whose numbers count from where the peer and the host began,
         and whose keys, tokens and checksums are put right where they are 0
    4    a TCP segment as it is, behind an IP header      6    time passes
    5    a packet as it is                                7    the user does something

``write_corpus`` makes both kinds of input from captures, so that a fuzzer begins with what is real.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from mptcp.choices import REQUIRE
from mptcp.errors import Malformed, Refused
from mptcp.keys import compute_dss_checksum, compute_idsn, compute_token
from mptcp.numbers import MASK_32, MASK_64
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire import icmp, ip, segment
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.endings import FastClose
from mptcp.wire.handshake import CapableAck, CapableData, CapableSynAck, JoinSyn
from mptcp.wire.ip import Datagram
from mptcp.wire.options import Option
from mptcp.wire.segment import SYN, Segment
from mptcp_model import situations
from mptcp_model.bounds import check_bounds
from mptcp_model.dialogue import HOST_IPV4, PEER_IPV4, Dialogue, Peer
from mptcp_model.simulated.capture import read_pcap

NO_KEY: Final = bytes(8)
MOST_MOVES: Final = 40
LONGEST_BODY: Final = 1_500
TEXT_KEPT: Final = 120  # octets of a captured segment's text; more teach a fuzzer nothing
PAUSES: Final = (
    *(1, 10, 40, 200),  # milliseconds
    *(1_000, 10_000, 60_000, 600_000),
)
AS_IT_IS, PACKET, TIME, USER = 4, 5, 6, 7  # moves; what is less is a segment put right


# -- a packet -------------------------------------------------------------------------------------


def try_packet(octets: bytes) -> None:
    """Parse: nothing but Malformed is raised, and what was read is written and read again the same."""
    try:
        datagram = ip.parse(octets)
    except Malformed:
        return
    try:
        if datagram.protocol != ip.TCP:
            icmp.parse(octets, datagram)
            return
        segment.parse(octets, datagram)
    except Malformed:
        pass
    for version in (0, 1):
        try:
            one = segment.parse(octets, datagram, True, version)
        except Malformed:
            return
        again = segment.emit(one, datagram.hop_limit, datagram.identification, 0, datagram.traffic_class)
        packet = again.octets()
        twin = ip.parse(packet)
        same = segment.parse(packet, twin, False, version)
        assert same.options == one.options, "written and read: other options"
        more = segment.emit(same, twin.hop_limit, twin.identification, 0, twin.traffic_class)
        assert more.octets() == packet, "written, read and written: other octets"


# -- a script -------------------------------------------------------------------------------------


def begin(number: int) -> Dialogue:
    """One of the situations that scripts start from."""
    if number % 6 == 0:
        user, _ = situations.listening(multipath=True)
    elif number % 6 == 1:
        user, _ = situations.established(multipath=True)
    elif number % 6 == 2:
        user, _ = situations.established(multipath=True, checksum=REQUIRE, receive_buffer=3_000)
    elif number % 6 == 3:
        user, _ = situations.syn_sent(multipath=True)
    elif number % 6 == 4:
        user, _ = situations.established(receive_buffer=3_000)
    else:
        user, _ = situations.established_actively(multipath=True, window=300)
    return user.dialogue


def list_moves(script: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The moves of a script: kind, peer, body."""
    at = 1
    for _ in range(MOST_MOVES):
        if at + 3 > len(script):
            return
        length = int.from_bytes(script[at + 1 : at + 3], "big") % (LONGEST_BODY + 1)
        yield script[at] & 7, script[at] >> 3 & 3, script[at + 3 : at + 3 + length]
        at += 3 + length


def try_script(script: bytes) -> None:
    """Play it to a host: nothing is raised, what is held is bounded, and in the end it is all over."""
    story = begin(script[0] if script else 0)
    for kind, number, body in list_moves(script):
        move(story, kind, find_peer(story, number), body)
        check_bounds(story.host)
        story.events.clear()
        story.strays.clear()
    story.advance(story.now + 5 * SECOND)
    for handle in [*story.host.connections]:
        story.host.abort(handle, story.now)
    story.settle()
    story.advance(story.now + 3_000 * SECOND)
    check_bounds(story.host)
    assert story.host.deadline() is None, "something waits for ever"


def find_peer(story: Dialogue, number: int) -> Peer:
    """The peer of that number, met when first named."""
    while len(story.peers) <= number:
        story.meets(PEER_IPV4, 40_000 + len(story.peers))
    peer = story.peers[number]
    peer.skips()
    return peer


def move(story: Dialogue, kind: int, peer: Peer, body: bytes) -> None:
    """One move."""
    if kind < AS_IT_IS:
        packet = put_right(peer, body)
        if packet is not None:
            peer.sends_octets(packet)
    elif kind == AS_IT_IS:
        peer.sends_octets(ip.emit_header(peer.address, peer.local, ip.TCP, len(body)) + body)
    elif kind == PACKET:
        peer.sends_octets(body)
    elif kind == TIME:
        step = PAUSES[body[0] % len(PAUSES)] if body else 1
        story.advance(story.now + step * MILLISECOND)
    elif body:
        act(story, body)


def act(story: Dialogue, body: bytes) -> None:
    """The user does something to the connection that there is, or opens one."""
    host, now = story.host, story.now
    size = len(body) << (body[0] >> 4)
    for handle in [*host.connections][:1]:
        with suppress(Refused):
            if body[0] % 5 == 0:
                host.read(handle, size, now)
            elif body[0] % 5 == 1:
                host.close(handle, now)
            elif body[0] % 5 == 2:
                host.abort(handle, now)
            else:
                host.write(handle, bytes(size), now)
    if not host.connections:
        with suppress(Refused):
            host.connect(HOST_IPV4, PEER_IPV4, 80, now)
    story.settle()


def put_right(peer: Peer, body: bytes) -> bytes | None:
    """The packet of a segment whose numbers count from the beginnings; None if it is no segment."""
    datagram = Datagram(4, peer.address, peer.local, ip.TCP, 64, 0, 0, 0, len(body))
    try:
        one = segment.parse(body, datagram, True)
    except Malformed:
        return None
    right = Segment(
        peer.address,
        peer.local,
        peer.port,
        peer.local_port,
        peer.isn + one.sequence & MASK_32,
        peer.host_isn + one.acknowledgment & MASK_32,
        one.flags,
        one.window,
        one.urgent,
        tuple([put_option_right(peer, option, one) for option in one.options]),
        one.text,
    )
    return segment.emit(right).octets()


def put_option_right(peer: Peer, option: Option, one: Segment) -> Option:
    """The option with this peer's numbers and keys in it."""
    if isinstance(option, Dss):
        return put_signal_right(peer, option, one)
    if isinstance(option, CapableSynAck) and option.key == NO_KEY:
        return CapableSynAck(option.version, option.flags, peer.key)
    if isinstance(option, CapableAck) and option.sender_key == NO_KEY:
        return CapableAck(option.version, option.flags, peer.key, peer.host_key)
    if isinstance(option, CapableData) and option.sender_key == NO_KEY:
        total = option.checksum
        if total == 0:
            total = compute_dss_checksum(peer.dsn(1), 1, option.length, one.text)
        return CapableData(option.version, option.flags, peer.key, peer.host_key, option.length, total)
    if isinstance(option, FastClose) and option.key == NO_KEY:
        return FastClose(peer.host_key)
    if isinstance(option, JoinSyn) and option.token == 0:
        first = peer.dialogue.peers[0]
        return JoinSyn(option.backup, option.address_id, compute_token(first.host_key), option.nonce)
    return option


def put_signal_right(peer: Peer, option: Dss, one: Segment) -> Dss:
    """A DSS whose numbers are those of the connection, its checksum right if it was 0."""
    ack, mapping = option.ack, option.mapping
    if ack is not None:
        number = compute_idsn(peer.host_key) + ack.number
        ack = DataAck(number & (MASK_64 if ack.wide else MASK_32), ack.wide)
    if mapping is not None:
        dsn = compute_idsn(peer.key) + mapping.dsn & MASK_64
        total = mapping.checksum
        if total == 0:
            total = compute_dss_checksum(dsn, mapping.ssn, mapping.length, one.text)
        if not mapping.wide:
            dsn &= MASK_32
        mapping = Mapping(dsn, mapping.wide, mapping.ssn, mapping.length, total, mapping.fin)
    return Dss(ack, mapping)


# -- the corpus -----------------------------------------------------------------------------------


def write_corpus(traces: Path, packets: Path, scripts: Path) -> None:
    """Inputs of both kinds from all captures in ``traces``; a file is named after what it came from."""
    packets.mkdir(parents=True, exist_ok=True)
    scripts.mkdir(parents=True, exist_ok=True)
    for path in sorted(traces.glob("*.pcap")):
        shapes: set[object] = set()
        captured = [one.octets for one in read_pcap(path)]
        for number, octets in enumerate(captured):
            one = segment.parse(octets, ip.parse(octets), True)
            shape = (one.flags, tuple(type(option) for option in one.options))
            if shape not in shapes:
                shapes.add(shape)
                (packets / f"{path.stem}-{number}").write_bytes(octets[:400])
        (scripts / path.stem).write_bytes(make_script(captured))


def make_script(captured: list[bytes]) -> bytes:
    """What the clients of a capture sent, told to a host that listens."""
    script = b"\0"
    segments = [segment.parse(octets, ip.parse(octets), True) for octets in captured]
    first = segments[0]
    isn = {find_way(one): one.sequence for one in segments if one.flags & SYN}
    keys = find_keys(segments)
    ways = [way for way in dict.fromkeys(map(find_way, segments)) if way[3] == first.destination_port][:4]
    for one in [one for one in segments if find_way(one) in ways][:MOST_MOVES]:
        way = find_way(one)
        body = count_from_beginnings(one, isn.get(way, 0), isn.get((*way[2:], *way[:2]), 0), keys)
        script += bytes((ways.index(way) << 3,)) + len(body).to_bytes(2, "big") + body
    return script


def find_way(one: Segment) -> tuple[bytes, int, bytes, int]:
    """From where to where it goes."""
    return (one.source, one.source_port, one.destination, one.destination_port)


def find_keys(segments: list[Segment]) -> tuple[bytes, bytes]:
    """The client's key and the server's, as far as a third packet shows them."""
    for one in segments:
        for option in one.options:
            if isinstance(option, (CapableAck, CapableData)):
                return option.sender_key, option.receiver_key
    return NO_KEY, NO_KEY


def count_from_beginnings(one: Segment, isn: int, peer_isn: int, keys: tuple[bytes, bytes]) -> bytes:
    """The TCP octets of a captured segment, its numbers counted from where the two began, keys 0."""
    relative = Segment(
        PEER_IPV4,
        HOST_IPV4,
        one.source_port,
        one.destination_port,
        one.sequence - isn & MASK_32,
        one.acknowledgment - peer_isn & MASK_32,
        one.flags,
        one.window,
        one.urgent,
        tuple([count_option(option, keys) for option in one.options]),
        tuple([piece.cut(0, min(TEXT_KEPT, piece.end - piece.start)) for piece in one.text]),
    )
    return segment.emit(relative).octets()[20:]


def count_option(option: Option, keys: tuple[bytes, bytes]) -> Option:
    """The opposite of ``put_option_right``."""
    if isinstance(option, CapableAck):
        return CapableAck(option.version, option.flags, NO_KEY, NO_KEY)
    if isinstance(option, CapableData):
        total = None if option.checksum is None else 0
        return CapableData(option.version, option.flags, NO_KEY, NO_KEY, option.length, total)
    if isinstance(option, FastClose):
        return FastClose(NO_KEY)
    if isinstance(option, JoinSyn):
        return JoinSyn(option.backup, option.address_id, 0, option.nonce)
    if isinstance(option, Dss):
        ack, mapping = option.ack, option.mapping
        if ack is not None:
            ack = DataAck(ack.number - compute_idsn(keys[1]) & (MASK_64 if ack.wide else MASK_32), ack.wide)
        if mapping is not None:
            dsn = mapping.dsn - compute_idsn(keys[0]) & (MASK_64 if mapping.wide else MASK_32)
            total = None if mapping.checksum is None else 0
            mapping = Mapping(dsn, mapping.wide, mapping.ssn, mapping.length, total, mapping.fin)
        return Dss(ack, mapping)
    return option
