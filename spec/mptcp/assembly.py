"""A new connection, put together: its control blocks, its parts, its first subflow (RFC 8684 §3.1)."""

from mptcp.choices import UNCOUPLED, Choices
from mptcp.congestion.kinds import make_controller, make_coupling
from mptcp.connection.connection import Connection
from mptcp.connection.control import Control
from mptcp.journal import Journal
from mptcp.keys import compute_idsn, compute_token
from mptcp.paths.kinds import make_manager
from mptcp.scheduler.lowest_rtt import LowestRtt
from mptcp.subflow.control import Control as Tcb
from mptcp.subflow.negotiate import compute_mss
from mptcp.subflow.subflow import Subflow
from mptcp.values import FourTuple, Micros


def assemble(
    handle: int,
    listener: int,
    four: FourTuple,
    choices: Choices,
    version: int,
    key: bytes,
    iss: int,
    ts_offset: int,
    journal: Journal,
    now: Micros,
) -> Connection:
    """The connection ``handle``, open: actively, or passively for ``listener``."""
    control = Control(
        handle,
        listener,
        key,
        compute_token(key, version),
        compute_idsn(key, version),
        LowestRtt(),
        make_manager(choices.paths),
        choices,
        journal,
    )
    control.version = version
    control.coupling = make_coupling(choices.coupling)
    connection = Connection(control)
    connection.open(make_subflow(control, four, iss, ts_offset), listener == 0, now)
    return connection


def make_subflow(control: Control, four: FourTuple, iss: int, ts_offset: int) -> Subflow:
    """A subflow of the connection between these addresses and ports, not open yet."""
    choices = control.choices
    mss = compute_mss(choices.mtu, four[0])
    name = f"subflow {control.handle}.{control.count}"
    coupling = choices.coupling if choices.multipath else UNCOUPLED
    controller = make_controller(choices.congestion, coupling, choices.slow_start_segments)
    tcb = Tcb(*four, iss, mss, controller, choices, control.journal, name)
    tcb.ts_offset = ts_offset
    return Subflow(tcb)
