"""What the application is told, found in one place by comparing before and after."""

from mptcp.connection.control import Control, Mode
from mptcp.connection.joining import Joining
from mptcp.connection.reinject import is_spare
from mptcp.connection.state import MAY_CARRY, OVER
from mptcp.events import (
    Aborted,
    Accepted,
    AddressAnnounced,
    AddressRemoved,
    Closed,
    Established,
    Event,
    FellBack,
    Finished,
    Readable,
    SubflowEstablished,
    Troubled,
    Urgent,
    Writable,
)
from mptcp.values import Address, FourTuple, Port, Record


class Told(Record):
    """What the application knows already."""

    FIELDS = ("is_open", "rcv_nxt", "rcv_up", "is_finished", "is_plain", "is_over", "joined", "remotes")

    def __init__(self) -> None:
        self.is_open = False
        self.rcv_nxt = 1
        self.rcv_up = 0
        self.is_finished = False
        self.is_plain = False
        self.is_over = False
        self.joined: dict[FourTuple, bool] = {}
        self.remotes: dict[int, tuple[Address, Port]] = {}


def compute_news(control: Control, told: Told) -> list[Event]:
    """The events that bring ``told`` up to date, in the order in which they make sense."""
    events: list[Event] = []
    if control.listener and not control.was_open:
        return events  # [R9293-3.5-02] a passive open that fails is nobody's news
    if not told.is_open and control.was_open:
        told.is_open = True
        events.append(compute_opening(control))
    if control.book.was_joined or len(control.book.remotes) > 1 or told.remotes or control.partings:
        events.extend(compute_path_news(control, told))
    if not told.is_plain and control.mode is Mode.PLAIN and control.reason and told.is_open:
        told.is_plain = True
        events.append(FellBack(control.handle, control.reason))
    for branch in control.branches:
        tcb = branch.subflow.tcb
        if tcb.trouble:
            is_part = branch.joining is Joining.ESTABLISHED
            if control.choices.report_trouble and is_part and not control.error:
                events.append(Troubled(control.handle, tcb.trouble))
            tcb.trouble = ""
    if control.rcv_up > told.rcv_up:
        told.rcv_up = control.rcv_up
        if control.rcv_up > control.rcv_ready.start:
            events.append(Urgent(control.handle))
    end = control.rcv_ready.end
    if end > told.rcv_nxt:
        told.rcv_nxt = end
        events.append(Readable(control.handle))
    if control.is_short and len(control.snd_queue) < control.choices.send_buffer // 2:
        control.is_short = False
        events.append(Writable(control.handle))
    if not told.is_finished and control.rcv_nxt > control.rcv_fin >= 0:
        told.is_finished = True
        events.append(Finished(control.handle))
    if not told.is_over and (control.error or control.state in OVER):
        told.is_over = True
        events.append(Aborted(control.handle, control.error) if control.error else Closed(control.handle))
    return events


def compute_opening(control: Control) -> Event:
    """Accepted for a passive open, Established for an active one."""
    if control.is_initiator:
        return Established(control.handle)
    return Accepted(control.handle, control.listener, *control.first)


def compute_path_news(control: Control, told: Told) -> list[Event]:
    """Subflows that joined or ended, addresses that came or went."""
    events: list[Event] = []
    for branch in control.branches:
        tcb = branch.subflow.tcb
        four = (tcb.local, tcb.local_port, tcb.remote, tcb.remote_port)
        is_joined = branch.joining is Joining.ESTABLISHED and not branch.is_first and not branch.is_lost
        if is_joined and four not in told.joined:
            told.joined[four] = True
            events.append(SubflowEstablished(control.handle, *four, is_spare(branch)))
    for parting in control.partings:
        told.joined.pop((parting.local, parting.local_port, parting.remote, parting.remote_port), False)
        if control.state in MAY_CARRY:
            events.append(parting)
    control.partings.clear()
    remotes: dict[int, tuple[Address, Port]] = {}
    for address_id, remote in control.book.remotes.items():
        if address_id != 0:
            remotes[address_id] = (remote.address, remote.port)
    if remotes != told.remotes:
        for address_id, place in told.remotes.items():
            if remotes.get(address_id) != place:
                events.append(AddressRemoved(control.handle, *place))
        for address_id, place in remotes.items():
            if told.remotes.get(address_id) != place:
                events.append(AddressAnnounced(control.handle, *place))
        told.remotes = remotes
    return events
