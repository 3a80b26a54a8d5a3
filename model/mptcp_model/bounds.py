"""How much a host may hold, whatever comes: windows, buffers, backlog, and nothing beyond them."""

from typing import Final

from mptcp.host import Host
from mptcp.registry import ANSWERS

MOST_RECEIVED: Final = 1_000  # subflow texts of one branch that wait for their mapping


def check_bounds(host: Host) -> None:
    """Raise AssertionError if a connection holds more than its windows and buffers allow."""
    for connection in host.connections.values():
        control = connection.control
        limit = control.choices.receive_buffer
        assert len(control.rcv_ready) <= limit, "more to read than the buffer holds"
        assert control.rcv_held.held <= limit, "more held of the connection than the buffer holds"
        assert len(control.snd_queue) <= control.choices.send_buffer, "more to send than the buffer holds"
        for branch in control.branches:
            assert branch.subflow.tcb.rcv_queue.held <= limit, "more held of a subflow than its window"
            assert len(branch.inbound) <= 2 * limit, "more mappings than octets"
            assert len(branch.received) <= MOST_RECEIVED, "too many texts without a mapping"
    assert len(host.answers) <= ANSWERS, "answers to nobody pile up"
