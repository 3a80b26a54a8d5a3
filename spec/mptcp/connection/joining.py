"""How a subflow joins a connection (RFC 8684 §3.2, figure 8): a machine of its own beside TCP's.

    who opens:  WAITING --rcv MP_JOIN on SYN/ACK--> PRE_ESTABLISHED --rcv ACK--> ESTABLISHED
    who answers: ANSWERED --rcv MP_JOIN on ACK--> ESTABLISHED
    any --HMAC or option not as it must be, or the subflow over--> FAILED

The first subflow has nothing to join: it is ESTABLISHED here from its beginning.
"""

from enum import Enum
from typing import Final


class Joining(Enum):
    """RFC 8684 §3.2."""

    WAITING = "waiting"  # our SYN with MP_JOIN is out
    ANSWERED = "answered"  # our SYN/ACK with MP_JOIN is out
    PRE_ESTABLISHED = "pre-established"  # our ACK with MP_JOIN is out [R8684-3.2-20]
    ESTABLISHED = "established"  # part of the connection [R8684-3.2-29]
    FAILED = "failed"


class Signal(Enum):
    """What moves a join."""

    SYN_ACK = "rcv MP_JOIN on SYN/ACK"
    JOIN_ACK = "rcv MP_JOIN on ACK"
    ACK = "rcv ACK"
    FAULT = "join failed"


TRANSITIONS: Final[dict[Joining, dict[Signal, Joining]]] = {
    Joining.WAITING: {
        Signal.SYN_ACK: Joining.PRE_ESTABLISHED,
        Signal.FAULT: Joining.FAILED,
    },
    Joining.ANSWERED: {
        Signal.JOIN_ACK: Joining.ESTABLISHED,
        Signal.FAULT: Joining.FAILED,
    },
    Joining.PRE_ESTABLISHED: {
        Signal.ACK: Joining.ESTABLISHED,
        Signal.FAULT: Joining.FAILED,
    },
    Joining.ESTABLISHED: {},
    Joining.FAILED: {},
}
