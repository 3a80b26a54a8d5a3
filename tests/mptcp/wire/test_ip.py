"""IPv4 and IPv6 headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.errors import Malformed, Refused
from mptcp.wire import ip
from mptcp_model import strategies

HERE_4, THERE_4 = b"\x0a\0\0\1", b"\x0a\0\0\2"
HERE_6, THERE_6 = bytes([0xFD, *bytes(14), 1]), bytes([0xFD, *bytes(14), 2])
TEXT = b"0123456789abcdef0123"


def make_4(protocol: int = ip.TCP) -> bytes:
    return ip.emit_header(HERE_4, THERE_4, protocol, len(TEXT)) + TEXT


def make_6(protocol: int = ip.TCP, chain: bytes = b"") -> bytes:
    return ip.emit_header(HERE_6, THERE_6, protocol, len(chain) + len(TEXT)) + chain + TEXT


def amend_4(packet: bytes, at: int, octets: bytes) -> bytes:
    """An IPv4 packet with other octets in its header, the checksum made right again."""
    changed = bytearray(packet)
    changed[at : at + len(octets)] = octets
    return strategies.lengthened(bytes(changed[:20]), b"") + bytes(changed[20:])


UPPER = st.sampled_from([ip.ICMP, ip.TCP, ip.ICMPV6, 17, 50, 59, 255])


@given(
    strategies.pairs,
    UPPER,
    st.tuples(strategies.u8, strategies.u8, strategies.numbers(20)),
    st.binary(max_size=40),
)
def test_round_trip(
    pair: tuple[bytes, bytes], protocol: int, fields: tuple[int, int, int], text: bytes
) -> None:
    """A header says what was put into it, and where the octets behind it lie."""
    source, destination = pair
    packet = ip.emit_header(source, destination, protocol, len(text), *fields) + text
    version, mask = (4, 0xFFFF) if len(source) == 4 else (6, 0xFFFFF)
    hop_limit, traffic_class, mark = fields
    header = len(packet) - len(text)
    assert ip.parse(packet + b"what the link padded") == ip.Datagram(
        version, source, destination, protocol, hop_limit, traffic_class, mark & mask, header, len(packet)
    )


@pytest.mark.clause("R9293-3.9.2-02")
@given(st.integers(0, 10))
def test_ipv4_options_are_skipped(words: int) -> None:
    """Whatever stands between the header and the text."""
    head = ip.emit_header(HERE_4, THERE_4, ip.TCP, len(TEXT) + 4 * words)
    packet = strategies.lengthened(head, b"\x94\4\0\0" * words) + TEXT
    found = ip.parse(packet)
    assert packet[found.start : found.end] == TEXT


def test_do_not_fragment_is_set() -> None:
    """RFC 1191: a router tells us instead."""
    assert make_4()[6:8] == b"\x40\0"


@pytest.mark.parametrize("field", ["2000", "6000", "0001", "5fff"])
def test_ipv4_fragments_are_malformed(field: str) -> None:
    """More to come, or an offset."""
    with pytest.raises(Malformed, match="fragment"):
        ip.parse(amend_4(make_4(), 6, bytes.fromhex(field)))


def test_ipv4_checksum_is_verified() -> None:
    """One bit off."""
    packet = bytearray(make_4())
    packet[8] ^= 1
    with pytest.raises(Malformed, match="checksum") as caught:
        ip.parse(bytes(packet))
    assert caught.value.offset == 10


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\x45",
        make_4()[:19],
        make_4()[:-1],
        b"\x44" + make_4()[1:],
        amend_4(make_4(), 2, b"\0\x13"),
        b"\x55" + make_4()[1:],
        make_6()[:39],
        make_6()[:-1],
    ],
)
def test_cut_and_contradicting_headers_are_malformed(packet: bytes) -> None:
    """No octet is read that is not there."""
    with pytest.raises(Malformed):
        ip.parse(packet)


def test_extension_headers_are_walked() -> None:
    """Hop-by-hop, routing, destination and an atomic fragment, one behind the other."""
    chain = (
        bytes([ip.ROUTING, 0, *bytes(6)])
        + bytes([ip.DESTINATION, 1, 0, 0, *bytes(12)])
        + bytes([ip.FRAGMENT, 0, *bytes(6)])
        + bytes([ip.TCP, 0, 0, 0, 0, 0, 0, 9])
    )
    packet = make_6(ip.HOP_BY_HOP, chain)
    found = ip.parse(packet)
    assert found.protocol == ip.TCP
    assert packet[found.start : found.end] == TEXT


@pytest.mark.parametrize(
    ("first", "chain", "reason"),
    [
        (ip.FRAGMENT, bytes([ip.TCP, 0, 0, 1, 0, 0, 0, 9]), "fragment"),
        (ip.FRAGMENT, bytes([ip.TCP, 0, 0, 8, 0, 0, 0, 9]), "fragment"),
        (ip.ROUTING, bytes([ip.TCP, 0, 0, 1, 0, 0, 0, 0]), "source route"),
        (ip.DESTINATION, bytes([ip.HOP_BY_HOP, *bytes(7)]) + bytes([ip.TCP, *bytes(7)]), "first"),
        (ip.DESTINATION, bytes([ip.TCP, 255, *bytes(6)]), "cut"),
        (ip.DESTINATION, bytes([ip.DESTINATION, 1, *bytes(6)]), "cut"),
    ],
)
def test_extension_headers_that_an_end_host_does_not_take(first: int, chain: bytes, reason: str) -> None:
    """Fragments, routes that go on, hop-by-hop options elsewhere, lengths beyond the end."""
    with pytest.raises(Malformed, match=reason):
        ip.parse(make_6(first, chain))


def test_a_chain_that_ends_the_packet() -> None:
    """An extension header cannot be there if no octet is left."""
    packet = ip.emit_header(HERE_6, THERE_6, ip.DESTINATION, 0)
    with pytest.raises(Malformed, match="cut"):
        ip.parse(packet + bytes(8))


def test_only_what_fits_is_emitted() -> None:
    """Refused: two families, too long, numbers out of range."""
    for arguments in (
        (HERE_4, THERE_6, ip.TCP, 0),
        (b"", b"", ip.TCP, 0),
        (HERE_4, THERE_4, ip.TCP, 65_516),
        (HERE_6, THERE_6, ip.TCP, 65_536),
        (HERE_4, THERE_4, 256, 0),
    ):
        with pytest.raises(Refused):
            ip.emit_header(*arguments)
    with pytest.raises(Refused):
        ip.emit_header(HERE_4, THERE_4, ip.TCP, 0, -1)
    with pytest.raises(Refused):
        ip.emit_header(HERE_4, THERE_4, ip.TCP, 0, 256, 256)


def test_the_hop_limit_that_nobody_names() -> None:
    """64, as RFC 1700 has it."""
    assert ip.parse(ip.emit_header(HERE_4, THERE_4, ip.TCP, 0)).hop_limit == 64
    assert ip.parse(ip.emit_header(HERE_6, THERE_6, ip.TCP, 0)).hop_limit == 64


@given(st.binary(max_size=120))
def test_any_octets_are_a_header_or_malformed(octets: bytes) -> None:
    """Never another exception, and the octets claimed are there."""
    for packet in (octets, b"\x45" + octets, b"\x60" + octets):
        try:
            found = ip.parse(packet)
        except Malformed as error:
            assert 0 <= error.offset <= len(packet)
        else:
            assert 0 < found.start <= found.end <= len(packet)
