"""Keep-alives: is somebody still there, when nothing was said for long? (RFC 9293 §3.8.4)"""

from typing import Final

from mptcp.subflow.control import NEVER, Control
from mptcp.subflow.state import State
from mptcp.subflow.timers import end
from mptcp.values import Micros

MAY_ASK: Final = (State.ESTABLISHED, State.FIN_WAIT_2, State.CLOSE_WAIT)


def start(tcb: Control, is_wanted: bool, now: Micros) -> None:
    """Ask, or ask no more, a peer that is silent [R9293-3.8.4-01] [R9293-3.8.4-08]."""
    tcb.keep_alive = is_wanted
    tcb.alive_at = now + tcb.choices.keep_alive_idle if is_wanted and tcb.state in MAY_ASK else NEVER


def tick(tcb: Control, now: Micros) -> None:
    """The time to look has come: a segment may have put the question off without touching the clock."""
    choices = tcb.choices
    tcb.alive_at = NEVER
    if not tcb.keep_alive or tcb.state not in MAY_ASK:
        return
    if tcb.heard_at >= tcb.asked_at:
        tcb.questions = 0
    quiet_until = tcb.heard_at + choices.keep_alive_idle
    if tcb.questions == 0 and now < quiet_until:
        tcb.alive_at = quiet_until  # [R9293-3.8.4-03] only after silence
    elif tcb.snd_una < tcb.snd_nxt:
        tcb.alive_at = now + choices.keep_alive_idle  # what is in flight asks already
    elif tcb.questions >= choices.keep_alive_probes:
        tcb.journal.note(now, tcb.name, "no answer to keep-alives")
        end(tcb, "timed out", now)
    else:
        tcb.questions += 1  # [R9293-3.8.4-06] one that is lost proves nothing
        tcb.asked_at = now
        tcb.ask_now = True  # [R9293-3.8.4-07] [R9293-3.8.4-09] without an octet: MPTCP could not map it
        tcb.alive_at = now + choices.keep_alive_interval
