"""The window test, RFC 9293 §3.4 and §3.10.7.4, against the definition: octet by octet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mptcp.subflow.acknowledge import is_acceptable_ack
from mptcp.subflow.arrive import is_acceptable

offsets = st.integers(0, 60)


@pytest.mark.clause("R9293-3.4-04")
@given(offsets, st.integers(0, 20), offsets, st.integers(0, 20))
def test_is_acceptable(seq: int, length: int, rcv_nxt: int, rcv_wnd: int) -> None:
    """An empty segment stands in the window, or at RCV.NXT if that is closed; of another one its first or
    last octet must lie in the window.
    """
    window = range(rcv_nxt, rcv_nxt + rcv_wnd)
    if length == 0:
        expected = seq in window if rcv_wnd else seq == rcv_nxt
    else:
        expected = seq in window or seq + length - 1 in window
    assert is_acceptable(seq, length, rcv_nxt, rcv_wnd) == expected


@pytest.mark.clause("R5961-5.2-01")
@given(offsets, offsets, st.integers(0, 20), st.integers(0, 20))
def test_is_acceptable_ack(ack: int, snd_una: int, flight: int, max_snd_wnd: int) -> None:
    """Nothing that was not sent, and nothing older than the largest window."""
    acceptable = range(snd_una - max_snd_wnd, snd_una + flight + 1)
    assert is_acceptable_ack(ack, snd_una, snd_una + flight, max_snd_wnd) == (ack in acceptable)
