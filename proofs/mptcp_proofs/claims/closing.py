"""How a connection ends (RFC 8684 §3.3.3, §3.5, appendix D): along its figure, and not before the data."""

from typing import Annotated, TypeAlias

from mptcp.choices import Choices
from mptcp.connection.abort import abort, expire, has_fast_close, take_fast_close
from mptcp.connection.acknowledge import take_data_ack
from mptcp.connection.close import close
from mptcp.connection.control import Branch, Control
from mptcp.connection.receive import finish, take_data_fin
from mptcp.connection.state import MAY_WRITE, TRANSITIONS, Signal, State
from mptcp.queue import Queue
from mptcp.subflow.control import NEVER, NO_OFFSET
from mptcp.subflow.state import State as SubflowState
from mptcp.values import Text
from mptcp.wire.dss import DataAck
from mptcp.wire.endings import FastClose
from mptcp_proofs.claim import Between, Built, OneOf, reach, require
from mptcp_proofs.claims.domains import Key
from mptcp_proofs.claims.ends import make_branch, make_connected, make_numbered
from mptcp_proofs.theorem import Mutant, Theorem

StateName: TypeAlias = Annotated[str, OneOf(*[state.name for state in State])]
SignalName: TypeAlias = Annotated[str, OneOf(*[signal.name for signal in Signal])]
Stream: TypeAlias = Annotated[int, Between(1, 1 << 60)]
Length: TypeAlias = Annotated[int, Between(0, 1 << 30)]
CARRYING = ("M_ESTAB", "M_FINWAIT_1", "M_FINWAIT_2", "M_CLOSE_WAIT", "M_CLOSING", "M_LAST_ACK")
Carrying: TypeAlias = Annotated[str, OneOf(*CARRYING)]

FIGURE = """
    M_OPENING      ESTABLISHED M_ESTAB           END M_CLOSED
    M_ESTAB        CLOSE M_FINWAIT_1             DATA_FIN M_CLOSE_WAIT
    M_FINWAIT_1    ACK_OF_DATA_FIN M_FINWAIT_2   DATA_FIN M_CLOSING
    M_FINWAIT_2    DATA_FIN M_TIME_WAIT
    M_CLOSE_WAIT   CLOSE M_LAST_ACK
    M_CLOSING      ACK_OF_DATA_FIN M_TIME_WAIT
    M_LAST_ACK     ACK_OF_DATA_FIN M_CLOSED
    M_TIME_WAIT    SUBFLOWS_CLOSED M_CLOSED      END M_CLOSED
    FASTCLOSE_WAIT END M_CLOSED
    M_CLOSED
"""
"""RFC 8684 figure 22, with an opening before it and FASTCLOSE_WAIT of §3.5 beside it."""
OPEN_AT_HERE = ("M_ESTAB", "M_CLOSE_WAIT")  # our DATA_FIN is not sent
OPEN_AT_THERE = ("M_ESTAB", "M_FINWAIT_1", "M_FINWAIT_2")  # the peer's has not come
UNACKNOWLEDGED = ("M_FINWAIT_1", "M_CLOSING", "M_LAST_ACK")  # ours is sent


def read_figure() -> dict[tuple[str, str], str]:
    """The figure as (state, signal) -> state."""
    moves: dict[tuple[str, str], str] = {}
    for line in FIGURE.strip().splitlines():
        state, *rest = line.split()
        for at in range(0, len(rest), 2):
            moves[state, rest[at]] = rest[at + 1]
        if state in CARRYING:
            moves[state, "FAST_CLOSE"] = "FASTCLOSE_WAIT"
            moves[state, "END"] = "M_CLOSED"
    return moves


# -- 26, 27: the table ----------------------------------------------------------------------------


def decided(state: StateName, signal: SignalName) -> bool:
    """Each signal in each state leads where the figure says, and nowhere where it says nothing."""
    after = TRANSITIONS[State[state]].get(Signal[signal])
    return read_figure().get((state, signal)) == (None if after is None else after.name)


def ends(state: StateName) -> bool:
    """From each state M_CLOSED can be reached without a fault, and no way there comes back."""
    ways = [[State[state]]]
    is_reached = state in ("M_CLOSED", "FASTCLOSE_WAIT")
    for _ in range(len(State)):
        longer = []
        for way in ways:
            for signal, after in TRANSITIONS[way[-1]].items():
                require(after not in way, "no way comes back to where it was")
                if signal is Signal.END or signal is Signal.FAST_CLOSE:
                    continue
                is_reached = is_reached or after is State.M_CLOSED
                longer.append([*way, after])
        ways = longer
    return is_reached and not ways


def ends_both_ways(
    order: Annotated[
        tuple[str, ...],
        OneOf(
            ("CLOSE", "ACK_OF_DATA_FIN", "DATA_FIN"),
            ("CLOSE", "DATA_FIN", "ACK_OF_DATA_FIN"),
            ("DATA_FIN", "CLOSE", "ACK_OF_DATA_FIN"),
        ),
    ],
) -> bool:
    """In whatever order the two DATA_FINs and our acknowledgment come, both directions end."""
    state = State.M_ESTAB
    for signal in order:
        require(state not in (State.M_TIME_WAIT, State.M_CLOSED), "not before the last")
        state = TRANSITIONS[state][Signal[signal]]
    return state in (State.M_TIME_WAIT, State.M_CLOSED)


# -- 45: what moves it ----------------------------------------------------------------------------


def make_sender(state: Carrying, snd_una: Stream, flight: Length, unsent: Length) -> Control:
    """A connection somewhere on its way; where our DATA_FIN is sent, it is the last that is in flight."""
    control = make_numbered(0, 0)
    control.state = State[state]
    control.snd_una = snd_una
    control.snd_nxt = snd_una + flight
    end = snd_una + flight + unsent
    if state in UNACKNOWLEDGED:
        control.snd_fin = end
        if unsent == 0:
            control.snd_nxt = end + 1
    elif state == "M_FINWAIT_2":
        control.snd_nxt = snd_una
        end = control.snd_fin = snd_una - 1
    control.snd_queue = Queue(min(snd_una, end))
    control.snd_queue.append(Text(b"", 0, end - control.snd_queue.start))
    control.snd_edge = control.snd_nxt
    return control


def make_receiver(state: Carrying, rcv_nxt: Stream, missing: Length, is_known: bool) -> Control:
    """Likewise; the peer's DATA_FIN, if it ``is_known``, is behind ``missing`` octets that have not come."""
    control = make_numbered(0, 0)
    control.state = State[state]
    control.rcv_nxt = rcv_nxt
    control.rcv_edge = rcv_nxt + missing
    if state not in OPEN_AT_THERE:
        control.rcv_fin = rcv_nxt - 1
    elif is_known:
        control.rcv_fin = control.rcv_edge
    return control


Sender: TypeAlias = Annotated[Control, Built(make_sender)]
Receiver: TypeAlias = Annotated[Control, Built(make_receiver)]


def acknowledged_means_all(control: Sender, number: Annotated[int, Between(0, (1 << 62) - 1)]) -> bool:
    """A Data ACK ends our direction exactly if it is of the DATA_FIN, and so of all data before it."""
    before, fin = control.state, control.snd_fin
    is_of_fin = before.name in UNACKNOWLEDGED and fin < number <= control.snd_nxt
    take_data_ack(control, DataAck(number, True), 0, 0)
    if control.state is before:
        return not is_of_fin
    reach("our DATA_FIN is acknowledged")
    require(control.state is TRANSITIONS[before][Signal.ACK_OF_DATA_FIN], "along the table")
    require(len(control.snd_queue) == 0 and control.snd_una == fin + 1, "all data is, too")
    return is_of_fin


def finished_means_all(control: Receiver) -> bool:
    """The peer's direction ends exactly when its DATA_FIN and all data before it have come, and once."""
    before, nxt, fin = control.state, control.rcv_nxt, control.rcv_fin
    is_due = before.name in OPEN_AT_THERE and fin == nxt
    finish(control, 0)
    if control.state is before:
        require(control.rcv_nxt == nxt, "nothing is counted")
        return not is_due
    reach("the peer's DATA_FIN")
    require(control.state is TRANSITIONS[before][Signal.DATA_FIN], "along the table")
    require(control.rcv_nxt == fin + 1 and control.rcv_edge >= control.rcv_nxt, "it takes one number")
    after = control.state
    finish(control, 0)
    return is_due and control.state is after and control.rcv_nxt == fin + 1


def fin_stands(control: Receiver, offset: Stream, other: Stream) -> bool:
    """Where the peer's data ends is said once: inside the window, not before what has come, for good."""
    branch = make_branch()
    had = control.rcv_fin
    take_data_fin(control, branch, offset)
    if had != NO_OFFSET:
        return control.rcv_fin == had
    if control.rcv_fin == NO_OFFSET:
        return not control.rcv_nxt <= offset <= control.rcv_edge
    reach("an end")
    require(control.rcv_fin == offset, "as it was said")
    require(control.rcv_nxt <= offset <= control.rcv_edge, "inside the window")
    take_data_fin(control, branch, other)
    return control.rcv_fin == offset


def closes_once(control: Sender) -> bool:
    """The application's close puts the DATA_FIN behind all that was written, wherever that is possible."""
    before, fin = control.state, control.snd_fin
    close(control, 0)
    if before not in MAY_WRITE:
        return control.state is before and control.snd_fin == fin
    require(control.snd_fin == control.snd_queue.end, "behind the last octet")
    after, end = control.state, control.snd_fin
    close(control, 0)
    return control.state is after and control.snd_fin == end and after is TRANSITIONS[before][Signal.CLOSE]


# -- 57: the fast way -----------------------------------------------------------------------------


def make_live(control: Control) -> list[Branch]:
    """Two subflows that are part of the connection."""
    for _ in range(2):
        branch = make_branch()
        branch.subflow.tcb.state = SubflowState.ESTABLISHED
        branch.subflow.tcb.snd_una = branch.subflow.tcb.snd_nxt = 1
        control.branches.append(branch)
    return control.branches


def needs_our_key(key: Key, peer_key: Key, named: Key) -> bool:
    """MP_FASTCLOSE has an effect only with our own key."""
    control = make_connected(key, peer_key, 1)
    is_heard = has_fast_close(control, (FastClose(named),))
    if is_heard:
        reach("our key")
    return is_heard == (named == key)


def ends_at_once(
    state: Annotated[str, OneOf(*CARRYING, "M_TIME_WAIT", "FASTCLOSE_WAIT", "M_CLOSED")],
) -> bool:
    """The peer's MP_FASTCLOSE ends the connection and all its subflows, in any state."""
    control = make_numbered(0, 0)
    control.state = State[state]
    branches = make_live(control)
    take_fast_close(control, 0)
    require(all(branch.subflow.tcb.state is SubflowState.CLOSED for branch in branches), "all subflows")
    return control.state is State.M_CLOSED


def gives_up(
    state: Carrying,
    by_ack: Annotated[bool, OneOf(True, False)],
    tries: Annotated[int, OneOf(0, 1, 3)],
    version: Annotated[int, OneOf(0, 1)],
) -> bool:
    """Ours ends, too, answered or not: at once by RST, or after a few acknowledgments with MP_FASTCLOSE."""
    control = make_numbered(0, 0)
    control.choices = Choices(fast_close_by_ack=by_ack, fast_close_retransmissions=tries)
    control.version = version
    control.state = State[state]
    branches = make_live(control)
    abort(control, "aborted", 0)
    if not by_ack and version == 1:
        reach("by RST")
        require(all(branch.subflow.tcb.reset_now for branch in branches), "RST on all")
        return control.state is State.M_CLOSED and control.is_aborting
    require(control.state is State.FASTCLOSE_WAIT, "it waits")
    for _ in range(tries):
        require(control.retransmit_at != NEVER and branches[0].subflow.tcb.ack_now, "it is said again")
        expire(control, 0)
        require(control.state is State.FASTCLOSE_WAIT, "it goes on waiting")
    expire(control, 0)
    reach("no answer")
    require(all(branch.subflow.tcb.state is SubflowState.CLOSED for branch in branches), "all subflows")
    return control.state is State.M_CLOSED and control.is_aborting and control.retransmit_at == NEVER


TABLE = "mptcp/connection/state.py"
ACKNOWLEDGE = "mptcp/connection/acknowledge.py"
RECEIVE = "mptcp/connection/receive.py"
CLOSE = "mptcp/connection/close.py"
ABORT = "mptcp/connection/abort.py"

THEOREMS = (
    Theorem(
        id="T26",
        name="closing-table",
        words="The table of a connection's states decides every signal in every state as figure 22 of"
        " RFC 8684 does, with an opening, FASTCLOSE_WAIT and faults beside it; no way through it comes back,"
        " and from each state M_CLOSED is reached, without a fault too.",
        sections="RFC 8684 §3.5, appendix D",
        clauses=("R8684-D-01", "R8684-D-02", "R8684-D-03", "R8684-D-04", "R8684-D-05", "R8684-D-06"),
        bounds="All states and signals.",
        claims=(decided, ends),
        goals=(),
        mutants=(
            Mutant(
                TABLE,
                "        Signal.DATA_FIN: State.M_CLOSING,\n",
                "        Signal.DATA_FIN: State.M_TIME_WAIT,\n",
            ),
            Mutant(TABLE, "        Signal.CLOSE: State.M_LAST_ACK,\n", ""),
            Mutant(
                TABLE,
                "        Signal.ACK_OF_DATA_FIN: State.M_FINWAIT_2,\n",
                "        Signal.ACK_OF_DATA_FIN: State.M_ESTAB,\n",
                by="ends",
            ),
            Mutant(TABLE, "        Signal.SUBFLOWS_CLOSED: State.M_CLOSED,\n", "", by="ends"),
            Mutant(TABLE, "        Signal.END: State.M_CLOSED,  # [R8684-3.5-08]\n", ""),
        ),
        unclaimed="When a signal is given: T45 and T57.",
    ),
    Theorem(
        id="T27",
        name="both-directions-end",
        words="Whichever DATA_FIN is first, and also if both are under way at once, a connection is over"
        " after both have come and ours is acknowledged, and not before.",
        sections="RFC 8684 §3.3.3, appendix D",
        clauses=("R8684-3.3.3-13", "R8684-D-04"),
        bounds="All orders of the three signals.",
        claims=(ends_both_ways,),
        goals=(),
        mutants=(
            Mutant(
                TABLE,
                "        Signal.DATA_FIN: State.M_CLOSING,\n",
                "        Signal.DATA_FIN: State.M_TIME_WAIT,\n",
            ),
            Mutant(
                TABLE, "        Signal.CLOSE: State.M_LAST_ACK,\n", "        Signal.CLOSE: State.M_CLOSED,\n"
            ),
            Mutant(
                TABLE,
                "        Signal.ACK_OF_DATA_FIN: State.M_TIME_WAIT,\n",
                "        Signal.ACK_OF_DATA_FIN: State.M_FINWAIT_2,\n",
            ),
        ),
        unclaimed="Losses on the way: what is lost is said again, T46 and the dialogues.",
    ),
    Theorem(
        id="T45",
        name="not-before-the-data",
        words="Our direction ends exactly with the Data ACK of our DATA_FIN, which is of all data before it;"
        " the peer's exactly when all data before its DATA_FIN has come. Where data ends is said once, and"
        " holds.",
        sections="RFC 8684 §3.3.3",
        clauses=("R8684-3.3.3-02", "R8684-3.3.3-03", "R8684-3.3.3-06", "R8684-4-01"),
        bounds="Offsets below 2**60, up to 2**30 octets in flight, waiting and missing; all states that carry"
        " data, all Data ACKs.",
        claims=(acknowledged_means_all, finished_means_all, fin_stands, closes_once),
        goals=("our DATA_FIN is acknowledged", "the peer's DATA_FIN", "an end"),
        mutants=(
            Mutant(
                ACKNOWLEDGE,
                "control.snd_fin != NO_OFFSET and offset > control.snd_fin",
                "control.snd_fin != NO_OFFSET and offset >= control.snd_fin",
            ),
            Mutant(
                ACKNOWLEDGE, "    if offset > control.snd_nxt:\n", "    if offset > control.snd_nxt + 9:\n"
            ),
            Mutant(ACKNOWLEDGE, "control.snd_queue.release(min(offset, control.snd_queue.end))", "pass"),
            Mutant(
                RECEIVE,
                "        and control.rcv_nxt == control.rcv_fin\n",
                "        and control.rcv_nxt <= control.rcv_fin\n",
                by="finished_means_all",
            ),
            Mutant(
                RECEIVE,
                "        control.rcv_nxt += 1  # [R8684-4-01]",
                "        control.rcv_nxt += 2  #",
                by="finished_means_all",
            ),
            Mutant(
                RECEIVE,
                "if control.rcv_fin == NO_OFFSET and last <= offset <= control.rcv_edge:",
                "if last <= offset <= control.rcv_edge:",
                by="fin_stands",
            ),
            Mutant(
                RECEIVE, "last <= offset <= control.rcv_edge:", "offset <= control.rcv_edge:", by="fin_stands"
            ),
            Mutant(
                CLOSE,
                "    control.snd_fin = control.snd_queue.end  #",
                "    control.snd_fin = control.snd_nxt  #",
                by="closes_once",
            ),
        ),
        unclaimed="Data out of order when the DATA_FIN comes: the dialogues have it.",
        theory="line",
    ),
    Theorem(
        id="T57",
        name="fast-close",
        words="MP_FASTCLOSE is heeded with our own key alone, and then ends the connection and all its"
        " subflows in any state. Ours ends it, too: by RST at once, or by acknowledgments that are said"
        " again a few"
        " times, also if nobody answers.",
        sections="RFC 8684 §3.5",
        clauses=(
            "R8684-3.5-04",
            "R8684-3.5-05",
            "R8684-3.5-06",
            "R8684-3.5-07",
            "R8684-3.5-08",
            "R8684-3.5-11",
        ),
        bounds="All keys; all states that carry data, two subflows, up to three retransmissions, both"
        " versions.",
        claims=(needs_our_key, ends_at_once, gives_up),
        goals=("our key", "by RST", "no answer"),
        mutants=(
            Mutant(
                ABORT,
                "return is_equal(option.key, control.local_key)",
                "return is_equal(option.key, control.remote_key)",
            ),
            Mutant(ABORT, "return is_equal(option.key, control.local_key)", "return True"),
            Mutant(
                ABORT,
                '        branch.subflow.abort("reset", now)\n    if control.state is not',
                "        pass\n    if control.state is not",
                by="ends_at_once",
            ),
            Mutant(
                ABORT,
                "    if control.state is not State.M_CLOSED:\n        control.error = control.error or",
                "    if control.state is not State.FASTCLOSE_WAIT:\n        control.error = control.error or",
                by="ends_at_once",
            ),
            Mutant(
                ABORT,
                "if control.retries > control.choices.fast_close_retransmissions:",
                "if control.retries > control.choices.fast_close_retransmissions + 1:",
                by="gives_up",
            ),
            Mutant(
                ABORT,
                "    control.retransmit_at = now + compute_backoff(branch.subflow.tcb.rto, 0)",
                "    control.retries = 0",
                by="gives_up",
            ),
            Mutant(
                ABORT,
                "    control.is_aborting = True\n    end(control, error, now)",
                "    control.is_aborting = True",
                by="gives_up",
            ),
        ),
        unclaimed="The RST that answers, and what it looks like: the dialogues have it.",
        assumes="SHA-256 is a function of its octets, and nothing more is known of it.",
    ),
)
