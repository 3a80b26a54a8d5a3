"""Segments and their octets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.errors import Malformed, Refused
from mptcp.values import Text
from mptcp.wire import ip, segment
from mptcp.wire.options import EndOfList, MaximumSegmentSize, Option, SackPermitted
from mptcp.wire.segment import ACK, FIN, PSH, SYN, Segment
from mptcp_model import strategies

HERE, THERE = b"\x0a\0\0\1", b"\x0a\0\0\2"


def make(
    options: tuple[Option, ...] = (), text: tuple[Text, ...] = (), flags: int = ACK, window: int = 500
) -> Segment:
    return Segment(HERE, THERE, 443, 50_000, 1, 2, flags, window, 0, options, text)


def plain(one: Segment) -> tuple[object, ...]:
    """A segment without regard to where its text lies."""
    octets = b"".join([piece.octets() for piece in one.text])
    return (*(getattr(one, name) for name in one.__match_args__ if name != "text"), octets, one.text_length)


@pytest.mark.clause("R9293-3.1-01", "R3168-5-01")
@given(st.data(), st.sampled_from([0, 1]), strategies.u8, strategies.u16, st.integers(0, 63))
def test_values_survive(data: st.DataObject, version: int, hop_limit: int, mark: int, dscp: int) -> None:
    """parse(emit(x)) == x, for every segment that can be spelled; the ECN bits stand below the DSCP."""
    one = data.draw(strategies.segments(version))
    packet = segment.emit(one, hop_limit, mark, 0, dscp << 2).octets()
    datagram = ip.parse(packet)
    assert (datagram.hop_limit, datagram.identification, datagram.traffic_class) == (
        hop_limit,
        mark,
        dscp << 2 | one.ecn,
    )
    assert plain(segment.parse(packet, datagram, False, version)) == plain(one)


@given(st.data(), st.sampled_from([0, 1]))
def test_octets_survive(data: st.DataObject, version: int) -> None:
    """emit(parse(x)) == x, octet for octet; what stood between IP and TCP is skipped, though."""
    packet = data.draw(strategies.packets(version))
    datagram = ip.parse(packet)
    one = segment.parse(packet, datagram, False, version)
    again = segment.emit(one, datagram.hop_limit, datagram.identification, 0, datagram.traffic_class)
    assert again.octets()[-(datagram.end - datagram.start) :] == packet[datagram.start : datagram.end]
    if datagram.start == (20 if datagram.version == 4 else 40):
        assert again.octets() == packet


@pytest.mark.clause("R9293-3.1-04")
@given(strategies.packets(), st.data())
def test_the_checksum_is_verified_unless_somebody_has(packet: bytes, data: st.DataObject) -> None:
    """One bit of the segment or of an address changed."""
    datagram = ip.parse(packet)
    at = data.draw(st.integers(datagram.start, datagram.end - 1))
    if at in (datagram.start + 12, datagram.start + 13):
        return
    changed = bytearray(packet)
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Malformed, match="checksum"):
        segment.parse(bytes(changed), datagram)
    segment.parse(bytes(changed), datagram, True)


def test_the_text_is_referred_to() -> None:
    """Neither direction copies it."""
    packet = segment.emit(make(text=(Text(b"[hello]", 1, 6),))).octets()
    (piece,) = segment.parse(packet, ip.parse(packet)).text
    assert piece.packet is packet
    assert piece.octets() == b"hello"
    text = (Text(b"abc", 0, 3), Text(b"defgh", 1, 4))
    assert segment.emit(make(text=text)).text is text


@pytest.mark.clause("R9293-3.1-03")
def test_known_octets() -> None:
    """RFC 9293 figure 1 behind RFC 791 §3.1; both checksums were done by hand."""
    packet = segment.emit(make((MaximumSegmentSize(1460),), (), SYN), 64, 7).octets()
    assert packet.hex(" ", 4) == (
        "4500002c 00074000 400626c3 0a000001 0a000002 01bbc350 00000001 00000002 600201f4 bd210000 020405b4"
    )


@pytest.mark.parametrize("end", range(20, 40))
def test_cut_headers_are_malformed(end: int) -> None:
    """At each octet."""
    packet = segment.emit(make()).octets()
    datagram = ip.Datagram(4, HERE, THERE, ip.TCP, 64, 0, 0, 20, end)
    with pytest.raises(Malformed) as caught:
        segment.parse(packet, datagram, True)
    assert caught.value.offset == end


@pytest.mark.parametrize("words", [0, 4, 6, 15])
def test_impossible_data_offsets(words: int) -> None:
    """Less than a header, or beyond the end."""
    packet = bytearray(segment.emit(make()).octets())
    packet[32] = words << 4
    with pytest.raises(Malformed, match="data offset") as caught:
        segment.parse(bytes(packet), ip.parse(bytes(packet)), True)
    assert caught.value.offset == 32


@pytest.mark.clause("R9293-3.1-11")
def test_padding_is_zero() -> None:
    """Up to the border, and parsed as the end of the list."""
    packet = segment.emit(make((SackPermitted(),))).octets()
    assert packet[40:] == b"\4\2\0\0"
    assert segment.parse(packet, ip.parse(packet)).options == (SackPermitted(), EndOfList(b"\0"))


def test_reserved_bits_are_ignored_and_sent_as_zero() -> None:
    """Four of them, beside the data offset."""
    packet = bytearray(segment.emit(make()).octets())
    packet[32] |= 0xF
    found = segment.parse(bytes(packet), ip.parse(bytes(packet)), True)
    assert found == make()


@given(strategies.segments(), st.integers(1, 1500))
def test_what_a_device_has_to_finish(one: Segment, size: int) -> None:
    """With a segment size the field holds the sum of the pseudo-header; the whole is the same."""
    finished = segment.emit(one)
    open_one = segment.emit(one, 64, 0, size)
    assert open_one.octets() == finished.octets()
    assert open_one.segment_size == size
    start = 20 if len(one.source) == 4 else 40
    length = len(finished.octets()) - start
    field = int.from_bytes(open_one.header[start + 16 : start + 18], "big")
    total = ip.compute_pseudo_sum(one.source, one.destination, ip.TCP, length)
    assert field == total
    assert open_one.header[: start + 16] == finished.header[: start + 16]
    assert open_one.header[start + 18 :] == finished.header[start + 18 :]


def test_sixty_four_kilobytes() -> None:
    """The longest segment that IPv4 carries, and one octet more."""
    longest = 65_535 - 40
    text = (Text(b"\xff" * (longest + 1), 0, longest),)
    packet = segment.emit(make(text=text)).octets()
    assert len(packet) == 65_535
    assert segment.parse(packet, ip.parse(packet)).text_length == longest
    with pytest.raises(Refused):
        segment.emit(make(text=(Text(b"\xff" * (longest + 1), 0, longest + 1),)))


def test_values_cannot_be_misspelled() -> None:
    """Refused: numbers that do not fit their fields."""
    good = [HERE, THERE, 443, 50_000, 1, 2, ACK | PSH | FIN, 500, 0]
    for at, bad in ((2, 65_536), (3, -1), (4, 1 << 32), (5, -1), (6, 256), (6, -1), (7, 65_536), (8, 65_536)):
        fields = [*good]
        fields[at] = bad
        with pytest.raises(Refused):
            Segment(*fields, (), ())  # type: ignore[arg-type]
