"""Values never change, records do; both are known by what they hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.intervals import Intervals
from mptcp.journal import Journal, Note
from mptcp.values import Text, compute_copy, compute_key
from mptcp.wire.dss import DataAck, Dss, Mapping
from mptcp.wire.options import Sack, SackPermitted, Timestamps
from mptcp_model import strategies

ONES = st.one_of(strategies.tcp_options, strategies.signals, strategies.v1_options, strategies.segments())


@given(ONES, ONES)
def test_equal_if_all_fields_are(a: object, b: object) -> None:
    """And then they hash and print alike; values of different kinds are never equal."""
    assert a == a
    assert (a == b) == (repr(a) == repr(b))
    if a == b:
        assert hash(a) == hash(b)
    if type(a) is not type(b):
        assert a != b


def test_a_repr_is_how_it_is_made() -> None:
    """Names and values in the order of ``__init__``."""
    dss = Dss(DataAck(5, False), Mapping(1, True, 2, 3, None, False))
    assert repr(dss) == (
        "Dss(ack=DataAck(number=5, wide=False), "
        "mapping=Mapping(dsn=1, wide=True, ssn=2, length=3, checksum=None, fin=False))"
    )
    made = eval(repr(dss), {"Dss": Dss, "DataAck": DataAck, "Mapping": Mapping})
    assert made == dss
    assert repr(SackPermitted()) == "SackPermitted()"


def test_a_value_can_be_matched() -> None:
    """By position, in the order of ``__init__``."""
    match Timestamps(7, 8):
        case Timestamps(value, echo):
            assert (value, echo) == (7, 8)


def test_a_text_is_part_of_a_packet() -> None:
    """It has a length, can be cut, and gives its octets when asked."""
    text = Text(b"[hello]", 1, 6)
    assert (len(text), text.octets()) == (5, b"hello")
    part = text.cut(1, 4)
    assert (part.octets(), part.packet is text.packet) == (b"ell", True)
    alone = part.alone()
    assert (alone.octets(), alone.packet) == (b"ell", b"ell")
    assert Text(b"", 0, 0).octets() == b""


def test_a_copy_lives_on_its_own() -> None:
    """Records and containers are copied, values are shared."""
    record = Intervals(1)
    record.insert(5, Text(b"x" * 300, 0, 300))
    twin = record.copy()
    assert (twin.key(), twin.pieces[0] is record.pieces[0]) == (record.key(), True)
    record.insert(1, Text(b"abcd", 0, 4))
    assert twin.ranges() == [(5, 305)]
    assert twin.key() != record.key()
    inside = {"one": [record], "two": {3}}
    copied = compute_copy(inside)
    record.take()
    assert compute_key(copied) != compute_key(inside)


def test_keys_are_plain_and_hashable() -> None:
    """Tuples all the way down; sets in an order of their own."""
    thing = {1: [Sack(((1, 2),)), {3, 2, 1}], "two": (Intervals(4), None, b"x")}
    key = compute_key(thing)
    assert hash(key) == hash(compute_key(compute_copy(thing)))
    assert compute_key({3, 1, 2}) == (1, 2, 3)
    assert compute_key(Timestamps(1, 2)) == ("Timestamps", (1, 2))


def test_the_journal_notes_up_to_its_limit() -> None:
    """In the order in which rules fire; by default nothing."""
    journal, silent = Journal(2), Journal()
    for now in range(4):
        journal.note(now, "subflow 1", "fourth", "challenge")
        silent.note(now, "subflow 1", "fourth")
    assert journal.notes == [
        Note(0, "subflow 1", "fourth", "challenge"),
        Note(1, "subflow 1", "fourth", "challenge"),
    ]
    assert silent.notes == []


@pytest.mark.parametrize("value", [Timestamps(1, 2), Text(b"", 0, 0), DataAck(1, True)])
def test_values_do_not_change(value: object) -> None:
    """Compiled, an attribute cannot be written; interpreted, mypy says so."""
    import mptcp

    if mptcp.build() == "compiled":
        with pytest.raises(AttributeError):
            setattr(value, type(value).__match_args__[0], 3)  # type: ignore[attr-defined]
