"""The states of a subflow (RFC 9293 §3.3.2): what moves them, and that all end."""

from typing import Annotated, TypeAlias

from mptcp.numbers import MASK_32
from mptcp.subflow.arrive import arrive
from mptcp.subflow.state import SYNCHRONIZED, TRANSITIONS, Signal, State
from mptcp.wire.segment import ACK, RST, SYN
from mptcp_proofs.claim import OneOf, reach, require
from mptcp_proofs.claims.tcbs import BEGINNING, AnySegment, Example, Moment, Opening
from mptcp_proofs.theorem import Mutant, Theorem

StateName: TypeAlias = Annotated[str, OneOf(*[state.name for state in State])]
SignalName: TypeAlias = Annotated[str, OneOf(*[signal.name for signal in Signal])]

BOOK = """
    CLOSED        PASSIVE_OPEN LISTEN          ACTIVE_OPEN SYN_SENT
    LISTEN        SYN SYN_RECEIVED             CLOSE CLOSED              END CLOSED
    SYN_SENT      SYN SYN_RECEIVED             SYN_ACK ESTABLISHED       CLOSE CLOSED     END CLOSED
    SYN_RECEIVED  ACK_OF_SYN ESTABLISHED       END CLOSED
    ESTABLISHED   CLOSE FIN_WAIT_1             FIN CLOSE_WAIT            END CLOSED
    FIN_WAIT_1    ACK_OF_FIN FIN_WAIT_2        FIN CLOSING               END CLOSED
    FIN_WAIT_2    FIN TIME_WAIT                END CLOSED
    CLOSE_WAIT    CLOSE LAST_ACK               END CLOSED
    CLOSING       ACK_OF_FIN TIME_WAIT         END CLOSED
    LAST_ACK      ACK_OF_FIN CLOSED            END CLOSED
    TIME_WAIT     EXPIRY CLOSED                END CLOSED
"""
"""RFC 9293 figure 5 and its notes, with a CLOSE in SYN-RECEIVED that waits, as §3.10.4 allows."""


def read_book() -> dict[tuple[str, str], str]:
    """The figure as (state, signal) -> state."""
    moves: dict[tuple[str, str], str] = {}
    for line in BOOK.strip().splitlines():
        state, *rest = line.split()
        for at in range(0, len(rest), 2):
            moves[state, rest[at]] = rest[at + 1]
    return moves


def decided(state: StateName, signal: SignalName) -> bool:
    """Each signal in each state leads where the RFC's figure says, and nowhere where it says nothing."""
    after = TRANSITIONS[State[state]].get(Signal[signal])
    if after is None:
        return (state, signal) not in read_book()
    return read_book().get((state, signal)) == after.name


def ends(state: StateName) -> bool:
    """From each state CLOSED can be reached without a reset or a timeout, and no way there has a circle."""
    ways = [[State[state]]]
    is_reached = state == "CLOSED"
    for _ in range(len(State)):
        longer = []
        for way in ways:
            for signal, after in TRANSITIONS[way[-1]].items():
                if after is State.CLOSED:
                    is_reached = is_reached or signal is not Signal.END
                    continue
                require(after not in way, "no way comes back to where it was")
                longer.append([*way, after])
        ways = longer
    return is_reached and not ways


def compute_reachable(before: State, moves: int) -> set[State]:
    """Where at most so many signals lead."""
    found = {before}
    for _ in range(moves):
        found |= {after for state in found for after in TRANSITIONS[state].values()}
    return found


def opens_by_the_book(tcb: Opening, segment: AnySegment, now: Moment) -> bool:
    """While opening, any segment is decided: nothing is raised, and only the right one opens."""
    before = tcb.state
    arrive(tcb, segment, False, now)
    require(tcb.state in compute_reachable(before, 2), "along the table")
    if tcb.state in SYNCHRONIZED:
        require(segment.flags & (ACK | RST) == ACK, "opened by an ACK")
        if before is State.SYN_SENT:
            reach("a SYN/ACK")
            require(segment.flags & SYN != 0, "that is a SYN, too")
        else:
            reach("the ACK of a SYN")
        return segment.acknowledgment == (BEGINNING + 1) & MASK_32
    return True


def goes_on_by_the_book(tcb: Example, segment: AnySegment, now: Moment) -> bool:
    """Once open, any segment is decided: nothing is raised, and the state goes where the table leads."""
    before = tcb.state
    arrive(tcb, segment, False, now)
    require(tcb.state in compute_reachable(before, 2), "along the table")
    if before is State.FIN_WAIT_1 and tcb.state is State.TIME_WAIT:
        reach("the FIN and the ACK of ours at once")
    if tcb.state is State.CLOSED and before is not State.LAST_ACK:
        reach("a reset")
        require(segment.flags & RST != 0, "only a reset ends it")
        require(segment.sequence == (BEGINNING + tcb.rcv_nxt) & MASK_32, "and only the exact one")
    return tcb.state in SYNCHRONIZED or tcb.state is State.CLOSED


TABLE = "mptcp/subflow/state.py"
ARRIVE = "mptcp/subflow/arrive.py"
ACKNOWLEDGE = "mptcp/subflow/acknowledge.py"

THEOREMS = (
    Theorem(
        id="T61",
        name="state-table",
        words="The table of a subflow's states decides every signal in every state as RFC 9293 does; no way"
        " through it comes back to where it was, and from each state CLOSED is reached, without a reset or"
        " a timeout too.",
        sections="RFC 9293 §3.3.2, §3.6, §3.10",
        clauses=("R9293-3.5-01",),
        bounds="All states and signals.",
        claims=(decided, ends),
        goals=(),
        mutants=(
            Mutant(TABLE, "        Signal.FIN: State.CLOSE_WAIT,\n", "        Signal.FIN: State.CLOSING,\n"),
            Mutant(TABLE, "        Signal.ACK_OF_FIN: State.FIN_WAIT_2,\n", ""),
            Mutant(
                TABLE,
                "        Signal.SYN: State.SYN_RECEIVED,\n        Signal.CLOSE: State.CLOSED,\n"
                "        Signal.END: State.CLOSED,\n    },\n    State.SYN_SENT",
                "        Signal.SYN: State.ESTABLISHED,\n        Signal.CLOSE: State.CLOSED,\n"
                "        Signal.END: State.CLOSED,\n    },\n    State.SYN_SENT",
            ),
            Mutant(TABLE, "Signal.EXPIRY: State.CLOSED", "Signal.EXPIRY: State.LISTEN", by="ends"),
            Mutant(TABLE, "        Signal.EXPIRY: State.CLOSED,\n", "", by="ends"),
            Mutant(TABLE, "Signal.FIN: State.TIME_WAIT", "Signal.FIN: State.FIN_WAIT_1", by="ends"),
        ),
        unclaimed="When a signal is given: the claims about segments, timers and calls say that.",
    ),
    Theorem(
        id="T62",
        name="segments-decided",
        words="Any segment in any state is decided: nothing is raised, the state goes where the table leads."
        " Only the ACK of our SYN opens, with a SYN or behind one; only a RST with the exact number ends what"
        " is open; nothing that was open opens again.",
        sections="RFC 9293 §3.10.7, RFC 5961 §3.2",
        clauses=("R9293-3.10.7.4-04", "R5961-3.2-01", "R5961-3.2-02", "R9293-3.5-01"),
        bounds="All numbers and flags, with and without an octet of text, no options; windows open and shut,"
        " octets in flight or none, in both streams just before a wrap.",
        claims=(opens_by_the_book, goes_on_by_the_book),
        goals=(
            "a SYN/ACK",
            "the ACK of a SYN",
            "the FIN and the ACK of ours at once",
            "a reset",
        ),
        mutants=(
            Mutant(ARRIVE, "if has_ack and not 0 < ack <= tcb.snd_nxt:", "if has_ack and not 0 <= ack:"),
            Mutant(
                ARRIVE,
                "if not tcb.snd_una < ack <= tcb.snd_nxt:  # [R9293-3.4-03]",
                "if not tcb.snd_una <= ack <= tcb.snd_nxt:",
            ),
            Mutant(
                ARRIVE,
                '    if seq != tcb.rcv_nxt:\n        challenge(tcb, "RST in the window", now)'
                '  # [R5961-3.2-02]\n        return dropped("R5961-3.2-02")\n',
                "",
                by="goes_on_by_the_book",
            ),
            Mutant(
                ACKNOWLEDGE,
                "        move(tcb, Signal.ACK_OF_FIN, now)",
                "        move(tcb, Signal.EXPIRY, now)",
                by="goes_on_by_the_book",
            ),
            Mutant(ARRIVE, "    move(tcb, Signal.SYN_ACK, now)", "    move(tcb, Signal.ACK_OF_SYN, now)"),
            Mutant(
                ARRIVE,
                '    challenge(tcb, "SYN", now)  # [R5961-4.2-01]',
                '    end(tcb, "reset", now)',
                by="goes_on_by_the_book",
            ),
        ),
        unclaimed="What is answered, and what becomes of the text: the dialogues say that.",
    ),
)
