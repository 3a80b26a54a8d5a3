"""Which controller a subflow gets."""

from mptcp.choices import CUBIC
from mptcp.congestion.controller import Controller
from mptcp.congestion.cubic import Cubic
from mptcp.congestion.newreno import NewReno


def make_controller(congestion: str) -> Controller:
    """A new controller of the kind that ``Choices.congestion`` names."""
    if congestion == CUBIC:
        return Cubic()
    return NewReno()
