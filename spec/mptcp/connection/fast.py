"""Text on the SYN: fast open (RFC 7413), and its place beside MPTCP's numbers (RFC 8684 appendix B).

Such text has subflow offsets and data offsets like any other, from 1 on. On the wire it has neither DSN
nor SSN: the first octet behind it is IDSN + 1 and SSN 1. So the IDSN moves back by its length here, and
an SSN by ``snd_syn`` or ``rcv_syn`` where it is written or read.
"""

from mptcp.connection.acknowledge import move
from mptcp.connection.control import Branch, Control
from mptcp.connection.receive import deliver
from mptcp.connection.state import Signal, State
from mptcp.numbers import MASK_64
from mptcp.parameters import OPTION_SPACE
from mptcp.queue import Queue
from mptcp.subflow.control import Control as Tcb
from mptcp.subflow.state import State as SubflowState
from mptcp.values import Micros, Text
from mptcp.wire.options import FastOpen, Option


def compute_option(control: Control, tcb: Tcb) -> tuple[Option, ...]:
    """The option for our SYN or SYN/ACK: on the first one only [R7413-4.2.1-02] [R7413-4.2.2-05]."""
    if control.fast_cookie is None or tcb.retries > 0:
        return ()
    return (FastOpen(control.fast_cookie),)  # [R7413-4.2.1-01] empty, it asks for a cookie


# -- the initiator ----------------------------------------------------------------------------


def offer(control: Control, branch: Branch) -> None:
    """What has been written goes with the first SYN, as far as one segment holds it, if we have a cookie."""
    tcb = branch.subflow.tcb
    if tcb.state is not SubflowState.SYN_SENT or tcb.snd_nxt > 0 or not control.fast_cookie:
        return
    # [R7413-4.1.3-02]
    length = min(len(control.snd_queue), min(control.fast_mss, tcb.snd_mss) - OPTION_SPACE)
    if length > 0 and len(tcb.snd_queue) == 0:
        for piece in control.snd_queue.cut(1, 1 + length):
            branch.subflow.send(piece)


def take_syn_ack(control: Control, branch: Branch, options: tuple[Option, ...]) -> None:
    """How much of it the listener took, and the cookie that it gave."""
    for option in options:
        if isinstance(option, FastOpen) and option.cookie:
            control.fast_heard = option.cookie  # [R7413-4.2.1-03]
    tcb = branch.subflow.tcb
    end = tcb.snd_queue.end
    if end == 1:
        return
    if tcb.state is SubflowState.SYN_RECEIVED:
        control.snd_nxt = end  # a simultaneous open: it is in flight, in plain TCP
        return
    taken: int = tcb.snd_una - 1
    control.fast_refused = taken == 0
    tcb.snd_syn = taken  # [R8684-B.3-01]
    # [R8684-B.3-02] [R8684-B.3-03] [R7413-4.2.1-04] the rest was never sent, and is data like any other
    tcb.snd_queue = Queue(1 + taken)
    control.snd_una = control.snd_nxt = 1 + taken
    control.snd_queue.release(1 + taken)
    control.local_idsn = control.local_idsn - taken & MASK_64  # [R8684-B.2-01]


# -- the listener -----------------------------------------------------------------------------


def take_syn(control: Control, branch: Branch, text: tuple[Text, ...], now: Micros) -> None:
    """Text came with a SYN and a good cookie: the application has it at once [R7413-4.2.2-01]."""
    length = 0
    for piece in text:
        length += len(piece)
        branch.inbound.append(piece)
    if length == 0:
        return
    branch.inbound.release(1 + length)
    branch.subflow.tcb.rcv_syn = length
    control.fast_received = length
    control.rcv_edge = max(control.rcv_edge, 1 + length)
    deliver(control, 1, text)
    if control.state is State.M_OPENING:
        move(control, Signal.ESTABLISHED, now)


def take_third(control: Control) -> None:
    """The peer's key has come: data behind the SYN's begins right behind the IDSN [R8684-B.2-01]."""
    control.remote_idsn = control.remote_idsn - control.fast_received & MASK_64
