"""What the standards leave to us: defaults, and what makes no sense."""

from typing import Any

import pytest
from hypothesis import given

from mptcp.choices import ACCEPT, Choices
from mptcp.errors import Malformed, Refused
from mptcp.parameters import SECOND
from mptcp_model import strategies


def test_defaults() -> None:
    """Speak MPTCP, take checksums if asked, retry a SYN with MPTCP a few times."""
    usual = Choices()
    assert usual.multipath
    assert usual.checksum == ACCEPT
    assert usual.join_initial_address
    assert usual.mtu == 1500
    assert usual == Choices()
    assert usual != Choices(multipath=False)


@given(strategies.choices())
def test_each_choice_is_a_field(one: Choices) -> None:
    """What is chosen can be read, compared, and chosen again."""
    fields = {name: getattr(one, name) for name in Choices.__match_args__}
    assert Choices(**fields) == one


@pytest.mark.clause("R8684-3.3.5-06", "R9293-3.8.6.3-01")
@pytest.mark.parametrize(
    "chosen",
    [
        {"checksum": 3},
        {"congestion": "vegas"},
        {"slow_start_segments": 0},
        {"slow_start_segments": 3},
        {"receive_buffer": 0},
        {"receive_buffer": 10_000, "send_buffer": 9_999},
        {"mtu": 1_279},
        {"mtu": 65_536},
        {"minimum_rto": -1},
        {"delayed_ack": -1},
        {"delayed_ack": SECOND // 2},
        {"time_wait": -1},
        {"close_timeout": -1},
        {"backlog": -1},
        {"syn_attempts": 0},
        {"retransmissions": 0},
    ],
)
def test_what_makes_no_sense_is_refused(chosen: dict[str, Any]) -> None:
    """Among it a send buffer smaller than the receive buffer, and ACKs that wait for half a second."""
    with pytest.raises(Refused):
        Choices(**chosen)


def test_both_exceptions_say_why() -> None:
    """Octets that are wrong say where; a call that is wrong says what."""
    malformed, refused = Malformed(7, "wrong checksum"), Refused("no such connection")
    assert (malformed.offset, malformed.reason) == (7, "wrong checksum")
    assert str(malformed) == "wrong checksum (at octet 7)"
    assert (refused.reason, str(refused)) == ("no such connection", "no such connection")
