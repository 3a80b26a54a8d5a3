"""One long segment against the segments that it stands for, each made by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.values import Text
from mptcp.wire import ip, segment
from mptcp.wire.cutting import cut, cut_text
from mptcp.wire.segment import CWR, FIN, PSH, Segment
from mptcp_model import strategies


def part(one: Segment, start: int, stop: int, length: int) -> Segment:
    """The segment that carries the text from ``start`` to ``stop`` of ``length``."""
    flags = one.flags
    if start > 0:
        flags &= ~CWR
    if stop < length:
        flags &= ~(FIN | PSH)
    text = b"".join([piece.octets() for piece in one.text])[start:stop]
    return Segment(
        one.source,
        one.destination,
        one.source_port,
        one.destination_port,
        (one.sequence + start) & 0xFFFF_FFFF,
        one.acknowledgment,
        flags,
        one.window,
        one.urgent,
        one.options,
        (Text(text, 0, len(text)),) if text else (),
        0,
        one.ecn,
    )


@pytest.mark.clause("R8684-3.3.1-02")
@given(strategies.segments(), st.integers(1, 40), st.integers(0, 63), st.integers(0, 0xFFFF))
def test_as_if_each_had_been_made_by_itself(one: Segment, size: int, dscp: int, identification: int) -> None:
    """Same octets, options and all, whatever the pieces of the text were."""
    long = segment.emit(one, 64, identification, size, dscp << 2)
    length = one.text_length
    starts = range(0, length, size) if length else range(1)
    parts = [part(one, start, min(start + size, length), length) for start in starts]
    found = [packet.octets() for packet in cut(long)]
    assert found == [segment.emit(two, 64, identification, 0, dscp << 2).octets() for two in parts]
    for packet in found:
        segment.parse(packet, ip.parse(packet))


@given(st.lists(st.binary(max_size=20), max_size=6), st.integers(1, 9))
def test_text_is_all_there(pieces: list[bytes], size: int) -> None:
    """Nothing lost, nothing twice, every part but the last of the size."""
    text = tuple(Text(b"<" + piece + b">", 1, 1 + len(piece)) for piece in pieces)
    found = [b"".join([piece.octets() for piece in some]) for some in cut_text(text, size)]
    assert b"".join(found) == b"".join(pieces)
    assert all(len(some) == size for some in found[:-1])
    assert not found or 0 < len(found[-1]) <= size
