"""The Internet checksum, fast and by the book."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.values import Text
from mptcp.wire.checksum import checksum_by_the_book, compute_checksum, compute_sum, compute_text_sum, fold
from mptcp_model import strategies


@given(st.binary(max_size=300))
def test_fast_is_by_the_book(octets: bytes) -> None:
    """RFC 1071 §1, in two bodies."""
    assert compute_checksum(compute_sum(octets, 0, len(octets))) == checksum_by_the_book(octets)


@given(st.binary(max_size=100), st.binary(max_size=7), st.binary(max_size=7), st.integers(0, 0xFFFFFFFF))
def test_a_part_of_a_packet_and_what_was_summed_before(
    octets: bytes, before: bytes, after: bytes, initial: int
) -> None:
    """Only ``start`` … ``end`` count, and the initial sum adds up like a word put in front."""
    found = compute_sum(before + octets + after, len(before), len(before) + len(octets), initial)
    words = initial.to_bytes(4, "big")
    assert compute_checksum(found) == checksum_by_the_book(words + octets)


def test_example_of_the_rfc() -> None:
    """RFC 1071 §3: 00 01 f2 03 f4 f5 f6 f7 sum to ddf2."""
    assert compute_sum(bytes.fromhex("0001f203f4f5f6f7"), 0, 8) == 0xDDF2


def test_sixty_four_kilobytes_of_ones() -> None:
    """No lane runs over on the longest packet: all ones stay all ones."""
    assert compute_sum(b"\xff" * 65_536, 0, 65_536) == 0xFFFF
    assert compute_sum(b"\xff" * 65_535, 0, 65_535) == fold(0xFFFF * 32_767 + 0xFF00)


def test_nothing_sums_to_zero() -> None:
    """The empty sum is 0, its checksum all ones."""
    assert compute_sum(b"", 0, 0) == 0
    assert compute_checksum(0) == 0xFFFF


@pytest.mark.clause("R8684-3.3.1-13")
@given(strategies.texts(), st.integers(0, 0xFFFF))
def test_pieces_add_up_wherever_they_are_cut(text: tuple[Text, ...], initial: int) -> None:
    """The sum of all pieces is that of the whole, odd pieces included."""
    whole = b"".join([piece.octets() for piece in text])
    assert compute_text_sum(text, initial) == compute_sum(whole, 0, len(whole), initial)


@given(st.binary(min_size=1, max_size=64).filter(lambda octets: len(octets) % 2 == 0))
def test_octets_with_their_checksum_sum_to_all_ones(octets: bytes) -> None:
    """What a receiver tests."""
    field = checksum_by_the_book(octets).to_bytes(2, "big")
    assert compute_sum(octets + field, 0, len(octets) + 2) == 0xFFFF
