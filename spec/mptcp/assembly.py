"""A new connection, put together: its control blocks, its parts, its first subflow (RFC 8684 §3.1)."""

from mptcp.choices import Choices
from mptcp.congestion.kinds import make_controller
from mptcp.connection.connection import Connection
from mptcp.connection.control import Control
from mptcp.journal import Journal
from mptcp.keys import compute_idsn, compute_token
from mptcp.paths.manager import PathManager
from mptcp.ports import FourTuple
from mptcp.scheduler.lowest_rtt import LowestRtt
from mptcp.subflow.control import Control as Tcb
from mptcp.subflow.negotiate import compute_mss
from mptcp.subflow.subflow import Subflow
from mptcp.values import Micros


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
        PathManager(),
        choices,
        journal,
    )
    control.version = version
    mss = compute_mss(choices.mtu, four[0])
    name = f"subflow {handle}.0"
    tcb = Tcb(*four, iss, mss, make_controller(choices.congestion), choices, journal, name)
    tcb.ts_offset = ts_offset
    connection = Connection(control)
    connection.open(Subflow(tcb), listener == 0, now)
    return connection
