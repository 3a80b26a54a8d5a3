"""The ideal stream accepts what a stream may do, and nothing else."""

import pytest

from mptcp_model.ideal import Broken, IdealStream


def test_a_good_life() -> None:
    """Written, read in other pieces, closed, finished."""
    stream = IdealStream("a to b")
    stream.write(b"hello ")
    stream.deliver(b"hel")
    stream.write(b"world")
    stream.close()
    stream.deliver(b"lo world")
    assert (stream.missing, stream.is_complete()) == (0, False)
    stream.finish()
    stream.deliver(b"")
    assert stream.is_complete()


def test_alteration() -> None:
    """Another octet than the one written."""
    stream = IdealStream("a to b")
    stream.write(b"hello")
    with pytest.raises(Broken, match="a to b alters octets after the first 0"):
        stream.deliver(b"hallo")


def test_invention_and_repetition() -> None:
    """More octets than were written."""
    stream = IdealStream("a to b")
    stream.write(b"hello")
    stream.deliver(b"hello")
    with pytest.raises(Broken, match="nobody wrote"):
        stream.deliver(b"o")


def test_early_end() -> None:
    """An end before the last octet, or without a close."""
    stream = IdealStream("a to b")
    stream.write(b"hello")
    with pytest.raises(Broken, match="did not close"):
        stream.finish()
    stream.close()
    with pytest.raises(Broken, match="5 octets missing"):
        stream.finish()


def test_octets_after_the_end() -> None:
    """The end is the end, at both ends."""
    stream = IdealStream("a to b")
    stream.close()
    with pytest.raises(Broken, match="after close"):
        stream.write(b"x")
    stream.finish()
    with pytest.raises(Broken, match="after the end"):
        stream.deliver(b"x")


def test_copy() -> None:
    """A branch of the story."""
    stream = IdealStream("a to b")
    stream.write(b"hello")
    twin = stream.copy()
    twin.write(b"!")
    assert (stream.missing, twin.missing) == (5, 6)
    assert stream.key() != twin.key()
