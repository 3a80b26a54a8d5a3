"""The two tables of states: every pair of state and signal, against the figures of the RFCs.

The arcs are written here once more, from the figures, so that a slip of the table shows.
"""

from enum import Enum

import pytest

from mptcp.choices import Choices
from mptcp.congestion.newreno import NewReno
from mptcp.connection import state as data
from mptcp.connection.acknowledge import move as move_connection
from mptcp.connection.control import Control as ConnectionControl
from mptcp.journal import Journal
from mptcp.paths.manager import PathManager
from mptcp.scheduler.lowest_rtt import LowestRtt
from mptcp.subflow import state as tcp
from mptcp.subflow.control import Control
from mptcp.subflow.subflow import Subflow
from mptcp.subflow.timers import move as move_subflow

T = tcp.State
S = tcp.Signal
M = data.State
D = data.Signal

# RFC 9293 figure 5, and the words of §3.10 where the figure has no arc: RST, ABORT and the user timeout
# end every state but CLOSED. Two arcs of the figure are not there: SEND in LISTEN, for a listener of ours
# is no connection; and CLOSE in SYN-RECEIVED, which waits for ESTABLISHED.
FIGURE_5 = {
    (T.CLOSED, S.PASSIVE_OPEN): T.LISTEN,
    (T.CLOSED, S.ACTIVE_OPEN): T.SYN_SENT,
    (T.LISTEN, S.SYN): T.SYN_RECEIVED,
    (T.LISTEN, S.CLOSE): T.CLOSED,
    (T.SYN_SENT, S.SYN): T.SYN_RECEIVED,
    (T.SYN_SENT, S.SYN_ACK): T.ESTABLISHED,
    (T.SYN_SENT, S.CLOSE): T.CLOSED,
    (T.SYN_RECEIVED, S.ACK_OF_SYN): T.ESTABLISHED,
    (T.ESTABLISHED, S.CLOSE): T.FIN_WAIT_1,
    (T.ESTABLISHED, S.FIN): T.CLOSE_WAIT,
    (T.FIN_WAIT_1, S.ACK_OF_FIN): T.FIN_WAIT_2,
    (T.FIN_WAIT_1, S.FIN): T.CLOSING,
    (T.FIN_WAIT_2, S.FIN): T.TIME_WAIT,
    (T.CLOSE_WAIT, S.CLOSE): T.LAST_ACK,
    (T.CLOSING, S.ACK_OF_FIN): T.TIME_WAIT,
    (T.LAST_ACK, S.ACK_OF_FIN): T.CLOSED,
    (T.TIME_WAIT, S.EXPIRY): T.CLOSED,
} | {(state, S.END): T.CLOSED for state in T if state is not T.CLOSED}

# RFC 8684 figure 22, with what it leaves out: the state before M_ESTAB, and the end by force.
UNENDED = (M.M_ESTAB, M.M_FINWAIT_1, M.M_FINWAIT_2, M.M_CLOSE_WAIT, M.M_CLOSING, M.M_LAST_ACK)

FIGURE_22 = {
    (M.M_OPENING, D.ESTABLISHED): M.M_ESTAB,
    (M.M_ESTAB, D.CLOSE): M.M_FINWAIT_1,
    (M.M_ESTAB, D.DATA_FIN): M.M_CLOSE_WAIT,
    (M.M_FINWAIT_1, D.ACK_OF_DATA_FIN): M.M_FINWAIT_2,
    (M.M_FINWAIT_1, D.DATA_FIN): M.M_CLOSING,
    (M.M_FINWAIT_2, D.DATA_FIN): M.M_TIME_WAIT,
    (M.M_CLOSE_WAIT, D.CLOSE): M.M_LAST_ACK,
    (M.M_CLOSING, D.ACK_OF_DATA_FIN): M.M_TIME_WAIT,
    (M.M_LAST_ACK, D.ACK_OF_DATA_FIN): M.M_CLOSED,
    (M.M_TIME_WAIT, D.SUBFLOWS_CLOSED): M.M_CLOSED,
    **{(state, D.FAST_CLOSE): M.FASTCLOSE_WAIT for state in UNENDED},  # RFC 8684 §3.5
} | {(state, D.END): M.M_CLOSED for state in M if state is not M.M_CLOSED}

BOTH = [(tcp.TRANSITIONS, T.CLOSED, T.CLOSED), (data.TRANSITIONS, M.M_OPENING, M.M_CLOSED)]


def make_subflow(state: tcp.State) -> Subflow:
    """A subflow that stands in ``state``."""
    local, remote = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
    tcb = Control(local, 80, remote, 40_000, 7, 1_460, NewReno(), Choices(), Journal(), "subflow")
    subflow = Subflow(tcb)
    subflow.tcb.state = state
    return subflow


def make_control(state: data.State) -> ConnectionControl:
    """The record of a connection that stands in ``state``."""
    journal = Journal(10)
    control = ConnectionControl(1, 0, bytes(8), 0, 0, LowestRtt(), PathManager(), Choices(), journal)
    control.state = state
    return control


@pytest.mark.clause("R9293-3.5-01", "R9293-3.6.1-01")
@pytest.mark.parametrize("signal", S, ids=lambda one: one.name)
@pytest.mark.parametrize("state", T, ids=lambda one: one.name)
def test_subflow_moves(state: tcp.State, signal: tcp.Signal) -> None:
    """RFC 9293 figure 5: each arc leads where it does there, and what is no arc is our mistake."""
    tcb = make_subflow(state).tcb
    if (state, signal) in FIGURE_5:
        move_subflow(tcb, signal, 1_000)
        assert tcb.state is FIGURE_5[state, signal]
    else:
        with pytest.raises(KeyError):
            move_subflow(tcb, signal, 1_000)
        assert tcb.state is state


@pytest.mark.clause("R8684-D-01", "R8684-D-02", "R8684-D-03", "R8684-D-04", "R8684-D-05", "R8684-D-06")
@pytest.mark.parametrize("signal", D, ids=lambda one: one.name)
@pytest.mark.parametrize("state", M, ids=lambda one: one.name)
def test_connection_moves(state: data.State, signal: data.Signal) -> None:
    """RFC 8684 figure 22, likewise."""
    control = make_control(state)
    if (state, signal) in FIGURE_22:
        move_connection(control, signal, 1_000)
        assert control.state is FIGURE_22[state, signal]
    else:
        with pytest.raises(KeyError):
            move_connection(control, signal, 1_000)
        assert control.state is state


def reach(table: dict[Enum, dict[Enum, Enum]], start: Enum) -> set[Enum]:
    """All states that signals lead to from ``start``, itself included."""
    found, new = {start}, [start]
    while new:
        for target in table[new.pop()].values():
            if target not in found:
                found.add(target)
                new.append(target)
    return found


@pytest.mark.parametrize(("table", "first", "last"), BOTH, ids=["subflow", "connection"])
def test_every_state_is_reached_and_left(
    table: dict[Enum, dict[Enum, Enum]], first: Enum, last: Enum
) -> None:
    """No state is out of reach of the first one, and from each the last one can be reached."""
    assert reach(table, first) == set(type(first))
    for state in table:
        assert last in reach(table, state)


@pytest.mark.parametrize(("table", "first", "last"), BOTH, ids=["subflow", "connection"])
def test_every_state_is_in_the_table(table: dict[Enum, dict[Enum, Enum]], first: Enum, last: Enum) -> None:
    """A state without a row would be an exception at the first signal."""
    assert set(table) == set(type(first))


def test_every_signal_moves_something() -> None:
    """A signal that no state knows has no business being there."""
    for signals, table in ((S, tcp.TRANSITIONS), (D, data.TRANSITIONS)):
        assert {one for row in table.values() for one in row} == set(signals)


@pytest.mark.clause("R9293-3.6.1-01")
def test_time_wait_has_its_clock() -> None:
    """Whoever enters TIME-WAIT waits for 2 MSL, and for nothing else."""
    subflow = make_subflow(T.FIN_WAIT_2)
    subflow.tcb.rto_at = 5_000
    move_subflow(subflow.tcb, S.FIN, 1_000)
    assert subflow.deadline() == 1_000 + Choices().time_wait


@pytest.mark.parametrize("state", [one for one in T if one is not T.CLOSED], ids=lambda one: one.name)
def test_closed_has_no_clock(state: tcp.State) -> None:
    """Nothing is due in CLOSED, whatever was before."""
    subflow, idle = make_subflow(state), make_subflow(T.CLOSED)
    tcb = subflow.tcb
    tcb.rto_at = tcb.persist_at = tcb.ack_at = tcb.time_wait_at = 5_000
    tcb.ack_now = tcb.probe_now = True
    move_subflow(tcb, S.END, 1_000)
    assert subflow.deadline() == idle.deadline()
    assert not tcb.ack_now and not tcb.probe_now


@pytest.mark.clause("R8684-3.3.3-13")
def test_over_means_both_data_fins() -> None:
    """The states in which both DATA_FINs are acknowledged are those the figure ends with."""
    assert {M.M_TIME_WAIT, M.M_CLOSED} == set(data.OVER)
    assert {M.M_OPENING, M.M_ESTAB, M.M_CLOSE_WAIT} == set(data.MAY_WRITE)


@pytest.mark.parametrize("state", T, ids=lambda one: one.name)
def test_which_states_send_and_receive(state: tcp.State) -> None:
    """RFC 9293 §3.3.2: text flows while the own direction is open, and is taken until the peer's FIN."""
    has_closed = {T.FIN_WAIT_1, T.FIN_WAIT_2, T.CLOSING, T.LAST_ACK, T.TIME_WAIT}
    has_heard_fin = {T.CLOSE_WAIT, T.CLOSING, T.LAST_ACK, T.TIME_WAIT}
    is_synchronized = state not in {T.CLOSED, T.LISTEN, T.SYN_SENT, T.SYN_RECEIVED}
    assert (state in tcp.SYNCHRONIZED) == is_synchronized
    assert (state in tcp.MAY_SEND_TEXT) == (is_synchronized and state not in has_closed)
    assert (state in tcp.MAY_RECEIVE_TEXT) == (is_synchronized and state not in has_heard_fin)
