"""Was it a mistake? Late segments that were taken for lost, and what is taken back then.

Three proofs: F-RTO (RFC 5682) after a timeout, timestamps that echo the first copy (RFC 3522 §3.2), and the
receiver's word that it had all of it twice (RFC 2883, as in RFC 3708 §2).
"""

from typing import Final

from mptcp.numbers import compute_signed_32
from mptcp.subflow.control import NO_OFFSET, Control
from mptcp.subflow.negotiate import compute_timestamp
from mptcp.subflow.phase import Phase
from mptcp.subflow.rack import NO_ECHO
from mptcp.values import Micros

UNDECIDED: Final = 0  # what an acknowledgment says of a timeout
GENUINE: Final = 1
SPURIOUS: Final = 2


def note_resent(tcb: Control, octets: int, now: Micros) -> None:
    """So many octets leave again."""
    episode = tcb.episode
    if episode is not None and tcb.phase is not Phase.OPEN:
        if episode.stamp < 0:
            episode.stamp = compute_timestamp(tcb, now)
        episode.resent += octets


def note_doubled(tcb: Control, left: int, right: int) -> None:
    """The peer reports to have had ``left`` … ``right`` before."""
    episode = tcb.episode
    if episode is not None and episode.start <= left and right <= tcb.recover + 1:
        episode.doubled += right - left


def is_echo_of_first(echo: int, stamp: int) -> bool:
    """Whether timestamp ``echo`` is older than ``stamp``, that of the first copy sent again (RFC 3522 §3.2).

    [R3522-3.2-01]
    """
    return stamp >= 0 and echo != NO_ECHO and compute_signed_32(echo - stamp) < 0


def is_mistake(tcb: Control, una: int, echo: int) -> bool:
    """Whether timestamps or duplicates show that nothing was lost; SND.UNA was ``una`` before this ACK."""
    episode = tcb.episode
    if episode is None:
        return False
    if episode.doubled >= episode.resent > 0 and tcb.snd_una >= episode.start + episode.resent:
        return True  # [R2883-5-01] each octet that went again was there
    is_first = una == episode.start and tcb.snd_una > una and tcb.phase is not Phase.OPEN
    return is_first and is_echo_of_first(echo, episode.stamp)


# -- F-RTO --------------------------------------------------------------------------------------


def begin(tcb: Control) -> None:
    """Step 1 of RFC 5682 §2.1 and §3.1: only the first segment goes again for now.

    Each timeout has its own episode, and begins anew [R5682-2.1-01] [R5682-3.1-01].
    """
    episode = tcb.episode
    # [R5682-2.1-02] [R5682-3.1-02] not where a recovery was under way
    if episode is not None and tcb.choices.frto:
        episode.frto = 1


def decide(tcb: Control, acked: int, newly: int, is_duplicate: bool) -> int:
    """What this acknowledgment says of the timeout; its step is noted.

    ``newly``: octets that it shows to have arrived, acknowledged or not.
    """
    episode = tcb.episode
    if episode is None or episode.frto == 0 or (acked == 0 and newly == 0 and not is_duplicate):
        return UNDECIDED  # [R5682-2.1-03] it says nothing
    if episode.frto == 1:
        return decide_first(tcb, acked)
    episode.frto = 0
    if tcb.sack:
        # [R5682-3.1-03] what left before the timeout arrives, and nothing that left after it
        is_late = tcb.snd_una > tcb.recover or tcb.board.high > tcb.recover + 1
        return SPURIOUS if newly > 0 and not is_late else GENUINE
    return SPURIOUS if acked > 0 else GENUINE  # [R5682-2.1-04]


def decide_first(tcb: Control, acked: int) -> int:
    """Step 2: an ACK that advances lets two new segments out; a duplicate ends the test without SACK."""
    episode = tcb.episode
    assert episode is not None
    if acked == 0 and tcb.sack:
        return UNDECIDED  # [R5682-3.1-03] the ACK of what went again is awaited
    if acked == 0 or tcb.snd_una > tcb.recover or tcb.snd_una < episode.start + episode.resent:
        episode.frto = 0  # no test: what is lost goes again in slow start
        return UNDECIDED
    episode.frto = 2
    tcb.recover = tcb.snd_nxt - 1
    tcb.extra = 2 * tcb.window.mss  # [R5682-2.1-03]
    return UNDECIDED


def is_testing(tcb: Control) -> bool:
    """Whether new text goes before what is lost: the next acknowledgment decides."""
    return tcb.episode is not None and tcb.episode.frto == 2


def give_up(tcb: Control) -> None:
    """There was no new text to test with: the lost goes again."""
    if tcb.episode is not None:
        tcb.episode.frto = 0
    tcb.extra = 0


def forget(tcb: Control) -> None:
    """Nothing of it can be taken back any more."""
    tcb.episode = None
    tcb.forced = NO_OFFSET
    tcb.extra = 0
