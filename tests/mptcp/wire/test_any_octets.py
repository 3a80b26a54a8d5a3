"""Any octets from a device: a value or Malformed, never another exception."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mptcp.errors import Malformed
from mptcp.wire import icmp, ip, segment
from mptcp_model import strategies


def take(packet: bytes, version: int) -> None:
    """What a host does with a packet, before it knows whom it is for."""
    try:
        datagram = ip.parse(packet)
        assert 0 < datagram.start <= datagram.end <= len(packet)
        if datagram.protocol in (ip.ICMP, ip.ICMPV6):
            icmp.parse(packet, datagram)
            return
        one = segment.parse(packet, datagram, True, version)
        size = 20 + sum(option.compute_size() for option in one.options)
        assert datagram.start + size + one.text_length == datagram.end
        for option in one.options:
            assert len(option.emit()) == option.compute_size()
        segment.parse(packet, datagram, False, version)
    except Malformed as error:
        assert 0 <= error.offset <= len(packet)
        assert error.reason


@pytest.mark.clause("R9293-3.1-08", "R8684-3-02")
@settings(max_examples=500)
@given(st.binary(max_size=120), st.sampled_from([0, 1]))
def test_any_octets(octets: bytes, version: int) -> None:
    """As they are, and as what follows a header that is right."""
    take(octets, version)
    for protocol in (ip.TCP, ip.ICMP, ip.ICMPV6):
        take(ip.emit_header(bytes(4), bytes(4), protocol, len(octets)) + octets, version)
        take(ip.emit_header(bytes(16), bytes(16), protocol, len(octets)) + octets, version)
        take(ip.emit_header(bytes(16), bytes(16), ip.DESTINATION, len(octets)) + octets, version)


@pytest.mark.clause("R9293-3.1-08", "R8684-3-02")
@given(st.binary(max_size=40), strategies.u8, st.sampled_from([0, 1]))
def test_any_option_area(octets: bytes, flags: int, version: int) -> None:
    """Behind a TCP header whose data offset covers it."""
    area = octets + bytes(-len(octets) % 4)
    header = bytearray(20)
    header[12:14] = bytes([(20 + len(area)) << 2, flags])
    whole = bytes(header) + area
    take(ip.emit_header(bytes(4), bytes(4), ip.TCP, len(whole)) + whole, version)


@settings(max_examples=500)
@given(strategies.damaged(strategies.packets()), st.sampled_from([0, 1]))
def test_damaged_packets(packet: bytes, version: int) -> None:
    """Changed, cut, shortened, lengthened."""
    take(packet, version)


@given(
    strategies.damaged(
        strategies.reports().map(lambda one: icmp.emit(one, one.quote.source, one.quote.source))
    )
)
def test_damaged_reports(packet: bytes) -> None:
    """The same of ICMP."""
    take(packet, 1)


@given(strategies.packets())
def test_every_shorter_packet(packet: bytes) -> None:
    """Cut at each octet: always Malformed, by the length in the header."""
    for end in range(len(packet)):
        with pytest.raises(Malformed):
            datagram = ip.parse(packet[:end])
            segment.parse(packet[:end], datagram)
