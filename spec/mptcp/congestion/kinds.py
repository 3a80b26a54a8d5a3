"""Which controller a subflow gets, and which coupling a connection."""

from mptcp.choices import CUBIC, LIA
from mptcp.congestion.controller import Controller
from mptcp.congestion.coupling import Coupling
from mptcp.congestion.cubic import Cubic
from mptcp.congestion.lia import Lia, LinkedIncreases
from mptcp.congestion.newreno import NewReno


def make_controller(congestion: str, coupling: str, slow_start_segments: int) -> Controller:
    """A new controller of the kinds that ``Choices.congestion`` and ``Choices.coupling`` name.

    [R9293-3.8.2-03]
    """
    alone: Controller = NewReno(slow_start_segments)
    if congestion == CUBIC:
        alone = Cubic(slow_start_segments)
    return Lia(alone) if coupling == LIA else alone


def make_coupling(coupling: str) -> Coupling:
    """A new coupling of the kind that ``Choices.coupling`` names."""
    return LinkedIncreases() if coupling == LIA else Coupling()
