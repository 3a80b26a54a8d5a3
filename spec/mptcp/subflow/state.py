"""The eleven states of a TCP connection and what moves it between them (RFC 9293 §3.3.2).

             passive OPEN                     active OPEN
    CLOSED ----------------> LISTEN   CLOSED ----------------> SYN-SENT
    LISTEN --rcv SYN-------> SYN-RECEIVED <---rcv SYN--------- SYN-SENT
    SYN-RECEIVED --rcv ACK of SYN--> ESTABLISHED <--rcv SYN,ACK-- SYN-SENT
    ESTABLISHED --CLOSE--> FIN-WAIT-1 --rcv ACK of FIN--> FIN-WAIT-2 --rcv FIN--> TIME-WAIT
                           FIN-WAIT-1 --rcv FIN--> CLOSING --rcv ACK of FIN--> TIME-WAIT
    ESTABLISHED --rcv FIN--> CLOSE-WAIT --CLOSE--> LAST-ACK --rcv ACK of FIN--> CLOSED
    TIME-WAIT --2 MSL--> CLOSED      any --RST, ABORT, timeout--> CLOSED

A CLOSE in SYN-RECEIVED waits until the state is ESTABLISHED, which RFC 9293 §3.10.4 allows when
text is waiting and which we do always.
"""

from enum import Enum
from typing import Final


class State(Enum):
    """RFC 9293 §3.3.2."""

    CLOSED = "CLOSED"
    LISTEN = "LISTEN"
    SYN_SENT = "SYN-SENT"
    SYN_RECEIVED = "SYN-RECEIVED"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN-WAIT-1"
    FIN_WAIT_2 = "FIN-WAIT-2"
    CLOSE_WAIT = "CLOSE-WAIT"
    CLOSING = "CLOSING"
    LAST_ACK = "LAST-ACK"
    TIME_WAIT = "TIME-WAIT"


class Signal(Enum):
    """What can move a state: a call of the user, a segment, a timer."""

    PASSIVE_OPEN = "passive OPEN"
    ACTIVE_OPEN = "active OPEN"
    SYN = "rcv SYN"
    SYN_ACK = "rcv SYN,ACK"
    ACK_OF_SYN = "rcv ACK of SYN"
    CLOSE = "CLOSE"
    FIN = "rcv FIN"
    ACK_OF_FIN = "rcv ACK of FIN"
    EXPIRY = "2 MSL"
    END = "RST, ABORT or timeout"


TRANSITIONS: Final[dict[State, dict[Signal, State]]] = {
    State.CLOSED: {
        Signal.PASSIVE_OPEN: State.LISTEN,
        Signal.ACTIVE_OPEN: State.SYN_SENT,
    },
    State.LISTEN: {
        Signal.SYN: State.SYN_RECEIVED,
        Signal.CLOSE: State.CLOSED,
        Signal.END: State.CLOSED,
    },
    State.SYN_SENT: {
        Signal.SYN: State.SYN_RECEIVED,
        Signal.SYN_ACK: State.ESTABLISHED,
        Signal.CLOSE: State.CLOSED,
        Signal.END: State.CLOSED,
    },
    State.SYN_RECEIVED: {
        Signal.ACK_OF_SYN: State.ESTABLISHED,
        Signal.END: State.CLOSED,
    },
    State.ESTABLISHED: {
        Signal.CLOSE: State.FIN_WAIT_1,
        Signal.FIN: State.CLOSE_WAIT,
        Signal.END: State.CLOSED,
    },
    State.FIN_WAIT_1: {
        Signal.ACK_OF_FIN: State.FIN_WAIT_2,
        Signal.FIN: State.CLOSING,
        Signal.END: State.CLOSED,
    },
    State.FIN_WAIT_2: {
        Signal.FIN: State.TIME_WAIT,
        Signal.END: State.CLOSED,
    },
    State.CLOSE_WAIT: {
        Signal.CLOSE: State.LAST_ACK,
        Signal.END: State.CLOSED,
    },
    State.CLOSING: {
        Signal.ACK_OF_FIN: State.TIME_WAIT,
        Signal.END: State.CLOSED,
    },
    State.LAST_ACK: {
        Signal.ACK_OF_FIN: State.CLOSED,
        Signal.END: State.CLOSED,
    },
    State.TIME_WAIT: {
        Signal.EXPIRY: State.CLOSED,
        Signal.END: State.CLOSED,
    },
}

# Tuples: membership is by identity, where a set would hash the name each time.
SYNCHRONIZED: Final = (
    State.ESTABLISHED,
    State.FIN_WAIT_1,
    State.FIN_WAIT_2,
    State.CLOSE_WAIT,
    State.CLOSING,
    State.LAST_ACK,
    State.TIME_WAIT,
)
"""The states in which both initial sequence numbers are known and acknowledged (RFC 9293 §3.3.2)."""

MAY_SEND_TEXT: Final = (State.ESTABLISHED, State.CLOSE_WAIT)
"""The states in which SEND queues text that goes out at once (RFC 9293 §3.10.2)."""

MAY_RECEIVE_TEXT: Final = (State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2)
"""The states in which segment text is taken (RFC 9293 §3.10.7.4, seventh)."""
