"""The two ends of a connection, made by hand: what claims about connections start from."""

from mptcp.choices import Choices
from mptcp.congestion.newreno import NewReno
from mptcp.connection.control import Branch, Control, Mode
from mptcp.connection.initiate import set_remote_key
from mptcp.connection.joining import Joining
from mptcp.journal import Journal
from mptcp.keys import compute_idsn, compute_token
from mptcp.paths.manager import PathManager
from mptcp.scheduler.lowest_rtt import LowestRtt
from mptcp.subflow.control import Control as Tcb
from mptcp.subflow.subflow import Subflow

HERE, THERE = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))


def make_end(key: bytes, listener: int) -> Control:
    """What a host remembers of a connection that begins; ``listener`` 0 makes it the initiator."""
    token, idsn = compute_token(key), compute_idsn(key)
    return Control(2, listener, key, token, idsn, LowestRtt(), PathManager(), Choices(), Journal())


def make_connected(key: bytes, peer_key: bytes, listener: int) -> Control:
    """The same, once the keys are exchanged and nothing has been sent."""
    control = make_end(key, listener)
    set_remote_key(control, peer_key)
    control.mode = Mode.MULTIPATH
    control.is_confirmed = True
    return control


def make_numbered(local_idsn: int, remote_idsn: int) -> Control:
    """An end whose IDSNs are given, whatever the keys may be."""
    control = make_end(bytes(8), 1)
    control.local_idsn = local_idsn
    control.remote_idsn = remote_idsn
    control.mode = Mode.MULTIPATH
    control.is_confirmed = True
    return control


def make_branch() -> Branch:
    """A first subflow on which nothing has come yet."""
    tcb = Tcb(HERE, 1, THERE, 2, 0, 1460, NewReno(), Choices(), Journal(), "subflow 2.0")
    return Branch(Subflow(tcb), 0, 0, Joining.ESTABLISHED)
