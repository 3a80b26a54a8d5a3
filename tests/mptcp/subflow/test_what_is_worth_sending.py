"""Text that a subflow has already, when the window shrinks under it (RFC 9293 §3.8.6.2.1)."""

import pytest

from mptcp.subflow.control import NEVER, NO_OFFSET
from mptcp.subflow.transmit import compute_text_limit, find_new
from mptcp.values import Text
from mptcp_model.situations import established

MSS = 1460


@pytest.mark.clause("R9293-3.8.6.2.1-01", "R9293-3.8.6.1-01")
@pytest.mark.parametrize(
    ("unsent", "largest", "usable", "leaves"),
    [
        (1_000, 65_535, 1_000, True),  # all there is
        (1_000, 65_535, 999, False),
        (5_000, 65_535, MSS, True),  # a full segment
        (5_000, 65_535, MSS - 1, False),
        (5_000, 2_000, 1_000, True),  # half of the largest window there ever was
        (5_000, 2_000, 999, False),
        (5_000, 3, 1, True),  # however small that is
        (5_000, 1, 1, True),
        (5_000, 1, 0, False),  # but nothing is never enough
    ],
)
def test_what_is_worth_sending(unsent: int, largest: int, usable: int, leaves: bool) -> None:
    """Else it waits, and where nothing is out the clock runs of the probe that asks."""
    user, peer = established()
    tcb = user.host.connections[user.connection].control.branches[0].subflow.tcb
    assert compute_text_limit(tcb, 0) == MSS
    tcb.snd_queue.append(Text(bytes(unsent), 0, unsent))
    tcb.max_snd_wnd, tcb.snd_wnd = largest, usable
    assert find_new(tcb, peer.dialogue.now) == (tcb.snd_nxt if leaves else NO_OFFSET)
    assert (tcb.persist_at == NEVER) == leaves
