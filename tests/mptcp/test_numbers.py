"""Circles on the wire, straight lines inside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.numbers import (
    HALF_32,
    HALF_64,
    MASK_32,
    MASK_64,
    add,
    after,
    before,
    compute_offset_32,
    compute_offset_64,
    compute_signed_32,
    compute_signed_64,
    compute_wire_32,
    compute_wire_64,
    distance,
)
from mptcp_model.strategies import u32, u64

STEPS = st.one_of(st.sampled_from([1, 2, HALF_32 - 2, HALF_32 - 1]), st.integers(1, HALF_32 - 1))
OFFSETS = st.one_of(st.sampled_from([0, 1, MASK_32, MASK_32 + 1, 1 << 40]), st.integers(0, 1 << 62))


@pytest.mark.clause("R9293-3.4-01")
@given(u32, STEPS)
def test_less_than_half_the_space_ahead_is_ahead(a: int, step: int) -> None:
    """And the other is behind; never both."""
    b = add(a, step)
    assert before(a, b) and after(b, a)
    assert not before(b, a) and not after(a, b)
    assert not before(a, a) and not after(a, a)
    assert distance(a, b) == step


@given(u32)
def test_half_the_space_is_neither(a: int) -> None:
    """Exactly opposite: no order."""
    assert not before(a, add(a, HALF_32))
    assert not after(a, add(a, HALF_32))


@given(u32, st.integers(-(1 << 40), 1 << 40))
def test_add_stays_on_the_circle(a: int, step: int) -> None:
    """32 bits, and back again."""
    assert 0 <= add(a, step) <= MASK_32
    assert add(add(a, step), -step) == a


@given(st.integers(-(1 << 70), 1 << 70), st.integers(-(1 << 62), 1 << 62))
def test_signed_residues(number: int, shorter: int) -> None:
    """The one within half a circle of zero."""
    assert -HALF_32 <= compute_signed_32(shorter) < HALF_32
    assert (compute_signed_32(shorter) - shorter) % (1 << 32) == 0
    assert -HALF_64 <= compute_signed_64(number) < HALF_64
    assert (compute_signed_64(number) - number) % (1 << 64) == 0


@pytest.mark.clause("R8684-3.3.1-28", "R8684-3.3.1-29")
@given(u32, OFFSETS, st.integers(-HALF_32, HALF_32 - 1))
def test_a_32_bit_number_near_an_offset_names_it(initial: int, near: int, step: int) -> None:
    """Anywhere within half a circle of ``near``, whatever wraps between."""
    offset = near + step
    assert compute_offset_32(initial, compute_wire_32(initial, offset), near) == offset


@pytest.mark.clause("R8684-3.3.1-22")
@given(u64, st.integers(-HALF_64, HALF_64 - 1))
def test_a_64_bit_number_is_exact(initial: int, offset: int) -> None:
    """No guess is needed."""
    assert 0 <= compute_wire_64(initial, offset) <= MASK_64
    assert compute_offset_64(initial, compute_wire_64(initial, offset)) == offset


@pytest.mark.clause("R8684-3.3.1-23", "R8684-3.3.1-24")
@given(u64, OFFSETS, st.integers(-HALF_32, HALF_32 - 1))
def test_both_widths_name_the_same_octet(idsn: int, near: int, step: int) -> None:
    """The lower half of a DSN, with the lower half of the IDSN."""
    wire = compute_wire_64(idsn, near + step)
    assert compute_offset_32(idsn & MASK_32, wire & MASK_32, near) == compute_offset_64(idsn, wire)
