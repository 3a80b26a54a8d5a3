"""How a connection opens and closes at data level (RFC 8684 appendix D, figure 22).

    M_OPENING --handshake over--> M_ESTAB
    M_ESTAB --M_CLOSE, snd DATA_FIN--> M_FINWAIT-1 --rcv DATA_ACK of it--> M_FINWAIT-2
            M_FINWAIT-1 --rcv DATA_FIN--> M_CLOSING --rcv DATA_ACK of it--> M_TIME-WAIT
            M_FINWAIT-2 --rcv DATA_FIN--> M_TIME-WAIT --all subflows CLOSED--> M_CLOSED
    M_ESTAB --rcv DATA_FIN--> M_CLOSE-WAIT --M_CLOSE, snd DATA_FIN--> M_LAST-ACK
            M_LAST-ACK --rcv DATA_ACK of it--> M_CLOSED

    M_ESTAB … M_LAST-ACK --snd MP_FASTCLOSE on an ACK--> FASTCLOSE_WAIT --RST comes, or none--> M_CLOSED

The figure has no state before M_ESTAB and no arc for a connection that is cut off: M_OPENING and END
are ours; FASTCLOSE_WAIT is that of §3.5. In plain TCP, after fallback, the FIN stands for the
DATA_FIN and the table holds as it is.
"""

from enum import Enum
from typing import Final


class State(Enum):
    """RFC 8684 appendix D."""

    M_OPENING = "M_OPENING"
    M_ESTAB = "M_ESTAB"
    M_FINWAIT_1 = "M_FINWAIT-1"
    M_FINWAIT_2 = "M_FINWAIT-2"
    M_CLOSE_WAIT = "M_CLOSE-WAIT"
    M_CLOSING = "M_CLOSING"
    M_LAST_ACK = "M_LAST-ACK"
    M_TIME_WAIT = "M_TIME-WAIT"
    FASTCLOSE_WAIT = "FASTCLOSE_WAIT"
    M_CLOSED = "M_CLOSED"


class Signal(Enum):
    """What moves a connection."""

    ESTABLISHED = "handshake over"
    CLOSE = "M_CLOSE"
    DATA_FIN = "rcv DATA_FIN"
    ACK_OF_DATA_FIN = "rcv DATA_ACK[DFIN]"
    SUBFLOWS_CLOSED = "all subflows in CLOSED"
    FAST_CLOSE = "snd MP_FASTCLOSE"
    END = "MP_FASTCLOSE, abort, or no subflow left"


TRANSITIONS: Final[dict[State, dict[Signal, State]]] = {
    State.M_OPENING: {
        Signal.ESTABLISHED: State.M_ESTAB,
        Signal.END: State.M_CLOSED,
    },
    State.M_ESTAB: {  # [R8684-D-01]
        Signal.CLOSE: State.M_FINWAIT_1,
        Signal.DATA_FIN: State.M_CLOSE_WAIT,
        Signal.FAST_CLOSE: State.FASTCLOSE_WAIT,
        Signal.END: State.M_CLOSED,
    },
    State.M_FINWAIT_1: {  # [R8684-D-02]
        Signal.ACK_OF_DATA_FIN: State.M_FINWAIT_2,
        Signal.DATA_FIN: State.M_CLOSING,
        Signal.FAST_CLOSE: State.FASTCLOSE_WAIT,
        Signal.END: State.M_CLOSED,
    },
    State.M_FINWAIT_2: {  # [R8684-D-03]
        Signal.DATA_FIN: State.M_TIME_WAIT,
        Signal.FAST_CLOSE: State.FASTCLOSE_WAIT,
        Signal.END: State.M_CLOSED,
    },
    State.M_CLOSE_WAIT: {  # [R8684-D-05]
        Signal.CLOSE: State.M_LAST_ACK,
        Signal.FAST_CLOSE: State.FASTCLOSE_WAIT,
        Signal.END: State.M_CLOSED,
    },
    State.M_CLOSING: {  # [R8684-D-04]
        Signal.ACK_OF_DATA_FIN: State.M_TIME_WAIT,
        Signal.FAST_CLOSE: State.FASTCLOSE_WAIT,
        Signal.END: State.M_CLOSED,
    },
    State.M_LAST_ACK: {
        Signal.ACK_OF_DATA_FIN: State.M_CLOSED,
        Signal.FAST_CLOSE: State.FASTCLOSE_WAIT,
        Signal.END: State.M_CLOSED,
    },
    State.M_TIME_WAIT: {  # [R8684-D-06] [R8684-3.3.3-15]
        Signal.SUBFLOWS_CLOSED: State.M_CLOSED,
        Signal.END: State.M_CLOSED,
    },
    State.FASTCLOSE_WAIT: {
        Signal.END: State.M_CLOSED,  # [R8684-3.5-08]
    },
    State.M_CLOSED: {},
}

OVER: Final = (State.M_TIME_WAIT, State.M_CLOSED)
"""Both DATA_FINs are acknowledged, or nothing more will come of it [R8684-3.3.3-13]."""

MAY_CARRY: Final = (
    State.M_ESTAB,
    State.M_FINWAIT_1,
    State.M_FINWAIT_2,
    State.M_CLOSE_WAIT,
    State.M_CLOSING,
    State.M_LAST_ACK,
)
"""Something may still have to go one way or the other: another subflow is of use."""

MAY_WRITE: Final = (State.M_OPENING, State.M_ESTAB, State.M_CLOSE_WAIT)
"""The application has not closed its direction."""
