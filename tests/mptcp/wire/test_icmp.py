"""ICMP and ICMPv6: reports about a subflow's path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.errors import Malformed, Refused
from mptcp.wire import icmp, ip
from mptcp.wire.checksum import checksum_by_the_book
from mptcp.wire.icmp import Quote, Report, TooBig, Unreachable
from mptcp_model import strategies

QUOTE_4 = Quote(b"\x0a\0\0\1", b"\x0a\0\0\2", 443, 50_000, 0xFEDCBA98)
QUOTE_6 = Quote(bytes([0xFD, *bytes(14), 1]), bytes([0xFD, *bytes(14), 2]), 443, 50_000, 7)


def emit(report: Report, quoted: bytes = b"") -> bytes:
    """As a router on the way would: its own address does not matter."""
    return icmp.emit(report, report.quote.destination, report.quote.source, quoted)


@pytest.mark.clause("R9293-3.9.2.2-01")
@given(strategies.reports())
def test_round_trip(report: Report) -> None:
    """Who, where, which sequence number, and what the trouble is."""
    packet = emit(report)
    assert icmp.parse(packet, ip.parse(packet)) == report


@pytest.mark.clause("R9293-3.9.2.2-01")
@given(strategies.packets(), st.booleans())
def test_a_real_packet_is_quoted(packet: bytes, big: bool) -> None:
    """However long it is and whatever stands between IP and TCP in it."""
    about = ip.parse(packet)
    at = about.start
    quote = Quote(
        about.source,
        about.destination,
        int.from_bytes(packet[at : at + 2], "big"),
        int.from_bytes(packet[at + 2 : at + 4], "big"),
        int.from_bytes(packet[at + 4 : at + 8], "big"),
    )
    report: Report = TooBig(1280, quote) if big else Unreachable(1, quote)
    sent = emit(report, packet)
    assert len(sent) <= (576 if about.version == 4 else 1280)
    assert icmp.parse(sent, ip.parse(sent)) == report


def test_known_octets_of_ipv4() -> None:
    """RFC 792, RFC 1191 §4: type 3, code 4, the MTU in the last two octets of the second word."""
    sent = emit(TooBig(1400, QUOTE_4))
    assert sent[9] == ip.ICMP
    assert sent[20:22] == b"\3\4"
    assert sent[24:28] == b"\0\0\x05\x78"
    assert sent[28 + 9] == ip.TCP


def test_known_octets_of_ipv6() -> None:
    """RFC 4443 §3.2: type 2, code 0, the MTU in the second word."""
    sent = emit(TooBig(1400, QUOTE_6))
    assert sent[6] == ip.ICMPV6
    assert sent[40:42] == b"\2\0"
    assert sent[44:48] == b"\0\0\x05\x78"


def test_as_much_is_quoted_as_may_be() -> None:
    """576 octets of IPv4 in all (RFC 1812 §4.3.2.3), 1280 of IPv6 (RFC 4443 §2.4)."""
    for quote, most in ((QUOTE_4, 576), (QUOTE_6, 1280)):
        quoted = ip.emit_header(quote.source, quote.destination, ip.TCP, 1400) + bytes(1400)
        assert len(emit(Unreachable(1, quote), quoted)) == most


@pytest.mark.clause("R9293-3.9.2.2-02")
@pytest.mark.parametrize("kind", [0, 4, 5, 8, 11, 12])
def test_other_messages_are_none_of_our_business(kind: int) -> None:
    """Echo, source quench, redirect and the like give None."""
    message = bytes([kind, 0, 0, 0]) + bytes(40)
    message = message[:2] + checksum_by_the_book(message).to_bytes(2, "big") + message[4:]
    packet = ip.emit_header(b"\x0a\0\0\1", b"\x0a\0\0\2", ip.ICMP, len(message)) + message
    assert icmp.parse(packet, ip.parse(packet)) is None


def test_the_shortest_message_is_whole() -> None:
    """Eight octets: an echo without data is none of our business, and not cut."""
    message = bytes([0, 0, 0xFF, 0xFF, *bytes(4)])
    packet = ip.emit_header(b"\x0a\0\0\1", b"\x0a\0\0\2", ip.ICMP, len(message)) + message
    assert icmp.parse(packet, ip.parse(packet)) is None


def test_a_route_that_went_on_is_quoted() -> None:
    """A router on the way of a source route reports, too: segments were left where the packet was lost."""
    header = ip.emit_header(QUOTE_6.source, QUOTE_6.destination, ip.ROUTING, 28)
    quoted = header + bytes([ip.TCP, 0, 0, 1, 0, 0, 0, 0]) + b"\x01\xbb\xc3\x50\0\0\0\x07" + bytes(12)
    sent = emit(Unreachable(1, QUOTE_6), quoted)
    assert icmp.parse(sent, ip.parse(sent)) == Unreachable(1, QUOTE_6)


def test_quotes_of_other_protocols_are_none_of_our_business() -> None:
    """A UDP datagram that did not fit."""
    quoted = ip.emit_header(b"\x0a\0\0\1", b"\x0a\0\0\2", 17, 8) + bytes(8)
    sent = emit(TooBig(1400, QUOTE_4), quoted)
    assert icmp.parse(sent, ip.parse(sent)) is None


@pytest.mark.parametrize("report", [TooBig(1400, QUOTE_4), Unreachable(1, QUOTE_6)])
def test_damage_is_malformed(report: Report) -> None:
    """A wrong checksum, and each length at which the message can be cut."""
    sent = emit(report)
    wrong = sent[:-1] + bytes([sent[-1] ^ 1])
    with pytest.raises(Malformed, match="checksum"):
        icmp.parse(wrong, ip.parse(wrong))
    datagram = ip.parse(sent)
    for end in range(datagram.start, datagram.end):
        shorter = ip.Datagram(
            datagram.version,
            datagram.source,
            datagram.destination,
            datagram.protocol,
            64,
            0,
            0,
            datagram.start,
            end,
        )
        with pytest.raises(Malformed):
            icmp.parse(sent, shorter)


@pytest.mark.parametrize(
    "quoted",
    [
        ip.emit_header(b"\x0a\0\0\1", b"\x0a\0\0\2", ip.TCP, 20) + bytes(7),
        b"\x45\0",
        b"\x44" + bytes(40),
        b"\0" + bytes(40),
        b"\x60" + bytes(20),
        b"\x60\0\0\0\0\x14\x06\x40" + bytes(31),
    ],
)
def test_quotes_that_are_cut_or_no_packet(quoted: bytes) -> None:
    """Malformed, though the message around them is whole."""
    sent = emit(TooBig(1400, QUOTE_4), quoted)
    with pytest.raises(Malformed):
        icmp.parse(sent, ip.parse(sent))


def test_a_later_fragment_is_quoted() -> None:
    """It has no ports."""
    quoted = bytearray(ip.emit_header(b"\x0a\0\0\1", b"\x0a\0\0\2", ip.TCP, 20) + bytes(20))
    quoted[7] = 1
    sent = emit(TooBig(1400, QUOTE_4), bytes(quoted))
    with pytest.raises(Malformed, match="fragment"):
        icmp.parse(sent, ip.parse(sent))


def test_values_cannot_be_misspelled() -> None:
    """Refused: families mixed, numbers out of range, an unreachable that means too big."""
    for make in (
        lambda: Quote(b"\0\0\0\0", bytes(16), 1, 2, 3),
        lambda: Quote(b"\0\0\0\0", b"\0\0\0\0", 65_536, 2, 3),
        lambda: Quote(b"\0\0\0\0", b"\0\0\0\0", 1, 2, 1 << 32),
        lambda: TooBig(65_536, QUOTE_4),
        lambda: TooBig(-1, QUOTE_6),
        lambda: Unreachable(4, QUOTE_4),
        lambda: Unreachable(256, QUOTE_6),
        lambda: icmp.emit(Unreachable(1, QUOTE_6), bytes(4), bytes(4)),
    ):
        with pytest.raises(Refused):
            make()


@given(st.binary(max_size=120), st.sampled_from([ip.ICMP, ip.ICMPV6]), strategies.pairs, st.integers(0, 255))
def test_any_octets_are_a_report_or_malformed(
    octets: bytes, protocol: int, pair: tuple[bytes, bytes], kind: int
) -> None:
    """Never another exception, also where the checksum happens to be right."""
    message = bytes([kind % 4]) + octets
    for packet in (
        ip.emit_header(*pair, protocol, len(message)) + message,
        emit(TooBig(1280, QUOTE_4 if len(pair[0]) == 4 else QUOTE_6), octets or b"\0"),
    ):
        try:
            icmp.parse(packet, ip.parse(packet))
        except Malformed as error:
            assert 0 <= error.offset <= len(packet)
