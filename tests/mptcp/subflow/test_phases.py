"""The table of losing and recovering: every pair of phase and news."""

import pytest

from mptcp.choices import Choices
from mptcp.congestion.newreno import NewReno
from mptcp.journal import Journal
from mptcp.subflow.control import NEVER, Control
from mptcp.subflow.phase import News, Phase
from mptcp.subflow.recovery import turn

# RFC 5681 §3.2, RFC 6298 §5, RFC 6582 §3.2, RFC 5682 §2: a timeout may come at any time, a loss begins
# nothing while something is being repaired, and a mistake may show when all is over.
ARCS = {
    (Phase.OPEN, News.LOSS): Phase.FAST,
    (Phase.OPEN, News.TIMEOUT): Phase.SLOW,
    (Phase.OPEN, News.MISTAKE): Phase.OPEN,
    (Phase.FAST, News.TIMEOUT): Phase.SLOW,
    (Phase.FAST, News.REPAIRED): Phase.OPEN,
    (Phase.FAST, News.MISTAKE): Phase.OPEN,
    (Phase.SLOW, News.TIMEOUT): Phase.SLOW,
    (Phase.SLOW, News.REPAIRED): Phase.OPEN,
    (Phase.SLOW, News.MISTAKE): Phase.OPEN,
}


@pytest.mark.clause("R6582-3.2-02", "R6675-5.1-01", "R8985-7.1-01")
@pytest.mark.parametrize("news", News, ids=lambda one: one.name)
@pytest.mark.parametrize("phase", Phase, ids=lambda one: one.name)
def test_every_pair(phase: Phase, news: News) -> None:
    """Each arc leads where it should, and forgets the loss probe; what is no arc is our mistake."""
    here, there = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
    tcb = Control(here, 80, there, 40_000, 7, 1_460, NewReno(), Choices(), Journal(), "subflow")
    tcb.phase, tcb.rack.tlp_end_seq, tcb.tlp_now, tcb.pto_at = phase, 77, True, 1_000
    if (phase, news) not in ARCS:
        with pytest.raises(KeyError):
            turn(tcb, news, 500)
        return
    turn(tcb, news, 500)
    assert tcb.phase is ARCS[phase, news]
    assert (tcb.rack.tlp_end_seq, tcb.tlp_now, tcb.pto_at) == (-1, False, NEVER)
