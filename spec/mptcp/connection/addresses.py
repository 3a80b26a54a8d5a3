"""ADD_ADDR, REMOVE_ADDR, MP_PRIO, and what the path manager makes of them (RFC 8684 §3.4, §3.3.8).

The Address ID is what links the three with MP_JOIN [R8684-3.4.1-04], whatever addresses a NAT shows
[R8684-3.2-07] [R8684-2.7-01]. Each is information: what becomes of it is the receiver's choice
[R8684-3.9.3-06].
"""

from typing import Final

from mptcp.connection.book import Local, Remote
from mptcp.connection.control import Branch, Control, Mode
from mptcp.connection.join import count_open
from mptcp.connection.joining import Joining
from mptcp.connection.state import MAY_CARRY, State
from mptcp.keys import compute_add_addr_hmac, is_equal
from mptcp.parameters import KEEPALIVES, MAXIMUM_SEGMENT_LIFETIME, SIGNALS_IN_ROW
from mptcp.paths.manager import Announce, Facts, Join, Pair, Place
from mptcp.subflow.control import NEVER
from mptcp.subflow.state import MAY_SEND_TEXT
from mptcp.subflow.state import State as SubflowState
from mptcp.subflow.timers import compute_backoff
from mptcp.values import Address, Micros, Port
from mptcp.wire.addresses import AddAddr, AddAddrEcho, AddAddrV0, Prio, PrioV0, RemoveAddr
from mptcp.wire.options import Option

IDS: Final = 256


# -- what there is ----------------------------------------------------------------------------


def note_first(control: Control) -> None:
    """The addresses of the first subflow have Address ID 0, and nobody says so [R8684-3.2-08]."""
    local, _, remote, port = control.first
    control.book.locals[0] = Local(local, 0, False, False)
    control.book.remotes[0] = Remote(remote, port)


def find_local_id(control: Control, address: Address) -> int:
    """The Address ID of an address of ours; -1 if it has none."""
    for address_id, local in control.book.locals.items():
        if local.address == address:
            return address_id
    return -1


def add_local(control: Control, address: Address, port: Port, is_backup: bool, is_signal: bool) -> None:
    """An address of ours may be used; its ID is its own until it is removed.

    [R8684-3.4.1-05] [R6824-3.4.1-05]
    """
    book = control.book
    known = find_local_id(control, address)
    if known >= 0:
        book.locals[known].is_backup = is_backup
        return
    for address_id in range(1, IDS):
        # [R8684-3.4.1-28] one that the peer knows for another address first has to be removed there
        if address_id not in book.locals and address_id not in book.removed:
            book.locals[address_id] = Local(address, port, is_backup, is_signal)
            refresh(control, address_id, -1)
            return


def refresh(control: Control, local_id: int, remote_id: int) -> None:
    """What was tried with one of these is worth another try; -1 stands for none."""
    book = control.book
    for pair in [*book.rests, *book.barred]:
        if pair[0] == local_id or pair[1] == remote_id:
            book.rests.pop(pair, None)
            if pair in book.barred:
                book.barred.remove(pair)
    book.is_due = True


def remove_local(control: Control, address: Address, now: Micros) -> None:
    """An address of ours is gone: the peer is told, and its subflows end [R8684-3.4.2-01] [R8684-3.4.2-04].

    Or the caller wishes it so, while it still works [R8684-3.4.2-03]; to end a subflow alone, there is
    FIN [R8684-3.4.2-16].

    Also where no subflow used it, if it was announced [R8684-3.4.2-02].
    """
    book = control.book
    gone = find_local_id(control, address)
    if gone < 0:
        return
    local = book.locals.pop(gone)
    refresh(control, gone, -1)
    others = [branch for branch in control.branches if is_speaking(branch) and branch.local_id != gone]
    for four in [four for four, until in book.vacated.items() if until <= now]:
        del book.vacated[four]
    is_known = gone == 0 or local.tries > 0
    for branch in control.branches:
        if branch.local_id == gone and not branch.is_lost:
            is_known = True
            tcb = branch.subflow.tcb
            if tcb.local_port == control.first[1]:
                four = (tcb.local, tcb.local_port, tcb.remote, tcb.remote_port)
                book.vacated[four] = now + MAXIMUM_SEGMENT_LIFETIME  # [R9293-3.4.1-01]
            if others:
                branch.subflow.abort("address removed", now)  # [R8684-3.4.2-14]
            else:
                branch.subflow.forsake("address removed", now)  # the peer shall wait for another
                branch.is_forsaken = control.is_initiator
    if is_known and control.mode is Mode.MULTIPATH:
        book.was_joined = True  # another one may come, and join
        book.removed.append(gone)
        tell_removed(control, now)


def is_speaking(branch: Branch) -> bool:
    """Whether signals can leave on it."""
    return branch.joining is Joining.ESTABLISHED and branch.subflow.tcb.state in MAY_SEND_TEXT


def tell_removed(control: Control, now: Micros) -> None:
    """REMOVE_ADDR for all that is gone, on a subflow that is not [R8684-3.4.2-05]."""
    book = control.book
    speakers = [one for one in control.branches if is_speaking(one) and one.local_id not in book.removed]
    while book.removed and speakers:
        option = RemoveAddr(tuple(book.removed[:16]))
        del book.removed[:16]
        for branch in speakers:
            signal(branch, option, now)
            if control.version > 0:
                break  # [R6824-3.4.1-03]


def set_priority(control: Control, address: Address, is_backup: bool, now: Micros) -> None:
    """Subflows from this address are to be backups from now on, or no more [R8684-3.3.8-05].

    To drain them before the address goes, say [R8684-3.4.2-11]; the peer need not heed it [R8684-3.3.8-07].
    """
    local_id = find_local_id(control, address)
    if local_id >= 0:
        control.book.locals[local_id].is_backup = is_backup
    for branch in control.branches:
        if branch.local_id == local_id and is_speaking(branch) and branch.wants_backup != is_backup:
            branch.wants_backup = is_backup
            signal(branch, Prio(is_backup), now)  # [R8684-3.3.8-04] on the subflow itself [R8684-2.5-01]


# -- what is said -----------------------------------------------------------------------------


def signal(branch: Branch, option: Option, now: Micros) -> None:
    """``option`` leaves on an acknowledgment of its own [R8684-3.4.1-29]; the same one only once."""
    if option not in branch.signals:
        branch.signals.append(option)
    pursue(branch, now)


def may_signal(control: Control, branch: Branch) -> bool:
    """Whether the next acknowledgment here would carry a signal: where it cannot, none is asked for."""
    if control.mode is not Mode.MULTIPATH or control.state is State.FASTCLOSE_WAIT:
        return False
    return branch.joining is Joining.ESTABLISHED and control.is_confirmed


def take_signal(branch: Branch) -> Option | None:
    """The one that leaves now, if one does: few in a row [R8684-3.4.1-31]."""
    if not branch.signals or branch.in_row >= SIGNALS_IN_ROW:
        return None
    branch.in_row += 1
    return branch.signals.pop(0)


def pursue(branch: Branch, now: Micros) -> None:
    """Signals wait: the next one leaves with the next acknowledgment, or when it may."""
    if branch.in_row < SIGNALS_IN_ROW:
        branch.subflow.acknowledge()
    elif branch.signal_at == NEVER:
        branch.signal_at = now + branch.subflow.tcb.rto


def is_long(option: Option) -> bool:
    """Whether timestamps leave no room for a Data ACK beside it [R8684-A-08]."""
    return option.compute_size() > 16


def announce(control: Control, now: Micros) -> None:
    """ADD_ADDR for those addresses of ours whose time has come [R8684-3.4.1-01] [R8684-3.4.1-21].

    Private ones as well [R8684-3.4.1-22]: a join of somebody else's fails by its token [R8684-3.4.1-23].
    It is said again until it is echoed [R8684-3.4.1-09], or was said often enough in vain; then it is the
    turn of the next.
    """
    book = control.book
    for address_id, local in book.locals.items():
        if local.announce_at > now:
            continue
        local.announce_at = NEVER
        if local.tries >= control.choices.announcements:
            book.is_due = True
            continue
        speakers = [one for one in control.branches if is_speaking(one)]
        if not speakers:
            continue
        local.tries += 1
        local.announce_at = now + compute_backoff(speakers[0].subflow.tcb.rto, local.tries)
        for branch in speakers:
            signal(branch, make_announcement(control, address_id, local), now)
            if control.version > 0:
                break  # [R6824-3.4.1-03] nothing echoes in version 0: all that there are say it


def is_announcing(control: Control) -> bool:
    """Whether the peer has yet to echo what it was told last: Linux drops what comes to it meanwhile.

    Version 0 echoes nothing.
    """
    if control.version > 0:
        for local in control.book.locals.values():
            if local.announce_at != NEVER:
                return True
    return False


def make_announcement(control: Control, address_id: int, local: Local) -> Option:
    """ADD_ADDR, signed with our key first [R8684-3.4.1-14]; version 0 signs nothing."""
    port = local.port if local.port else None
    if control.version == 0:
        return AddAddrV0(address_id, local.address, port)
    hmac = compute_add_addr_hmac(control.local_key, control.remote_key, address_id, local.address, port)
    return AddAddr(address_id, local.address, port, hmac)


# -- what the peer says -----------------------------------------------------------------------


def take_option(control: Control, branch: Branch, option: Option, now: Micros) -> None:
    """One of these options, on a segment that TCP accepted [R8684-3.4.1-02] [R8684-3.4.2-12].

    As many as there are in it [R6824-3.4.1-01].
    """
    if isinstance(option, AddAddr):
        take_announcement(control, branch, option, now)
    elif isinstance(option, AddAddrV0):
        take_address(control, branch, option.address_id, option.address, option.port)
    elif isinstance(option, AddAddrEcho):
        take_echo(control, option)
    elif isinstance(option, RemoveAddr):
        for address_id in option.ids:
            take_removal(control, address_id, now)
    elif isinstance(option, Prio):
        branch.is_backup = option.backup  # [R8684-3.3.8-04] [R8684-E-05] this subflow and no other
    elif isinstance(option, PrioV0):
        for other in control.branches:
            if other.remote_id == option.address_id:  # [R6824-3.3.8-01]
                other.is_backup = option.backup


def take_announcement(control: Control, branch: Branch, option: AddAddr, now: Micros) -> None:
    """ADD_ADDR: dropped unless its HMAC is right [R8684-3.4.1-17]; else it is echoed, used or not.

    Nobody in between makes one, or alters it [R8684-3.4.1-16] [R8684-5-08]. The journal may feed whoever
    looks for intruders [R8684-3.4.2-13]. The echo has no HMAC [R8684-2.3-02] [R8684-E-06], and goes as
    often as the option comes [R8684-3.4.1-20]: it may have been lost.
    """
    address_id, address, port = option.address_id, option.address, option.port
    hmac = compute_add_addr_hmac(control.remote_key, control.local_key, address_id, address, port)
    if not is_equal(hmac, option.hmac):
        control.journal.note(now, control.name, "ADD_ADDR with a wrong HMAC")
        return
    known = control.book.remotes.get(address_id)
    if known is not None and known.address != address:
        # [R8684-3.4.1-26] [R8684-3.4.1-28] an ID means another address only after a REMOVE_ADDR
        control.journal.note(now, control.name, "ADD_ADDR gives an ID away")
        return
    signal(branch, AddAddrEcho(address_id, address, port), now)
    take_address(control, branch, address_id, address, port)


def take_address(
    control: Control, branch: Branch, address_id: int, address: Address, port: Port | None
) -> None:
    """An address of the peer: kept, if there is room, and worth an attempt [R8684-3.4.1-25].

    Also one of a family that we have no address of: one may come [R8684-3.4.1-10].

    Without a port it is that of the subflow which brought the news [R8684-3.4.1-12].
    """
    book = control.book
    wanted = branch.subflow.tcb.remote_port if port is None else port
    known = book.remotes.get(address_id)
    if known is None:
        if len(book.remotes) > control.choices.addresses:
            return  # [R8684-3.4.1-07]
        book.remotes[address_id] = Remote(address, wanted)
    elif known.address != address:
        return  # [R6824-3.4.1-06]
    else:
        known.port = wanted  # [R8684-3.4.1-27]
        known.is_removed = False
    refresh(control, -1, address_id)


def take_echo(control: Control, option: AddAddrEcho) -> None:
    """The peer has our announcement, if it is ours to the letter."""
    local = control.book.locals.get(option.address_id)
    if local is not None and local.address == option.address and local.port == (option.port or 0):
        local.is_echoed = True
        local.announce_at = NEVER
        control.book.is_due = True  # the next one's turn


def take_removal(control: Control, address_id: int, now: Micros) -> None:
    """REMOVE_ADDR: nothing new goes there [R8684-3.4.2-09]; what is there is asked first [R8684-3.4.2-07].

    An ID that means nothing is ignored [R8684-3.4.2-15] [R8684-3.8-03].
    """
    book = control.book
    if address_id == 0:
        book.remotes[0].is_removed = True
    else:
        book.remotes.pop(address_id, None)
    for branch in control.branches:
        if branch.remote_id == address_id and branch.check_at == NEVER and not branch.is_lost:
            branch.checks = 0
            branch.check_at = now


def take_life(branch: Branch) -> None:
    """Something came: the peer is there [R8684-3.4.2-08], and signals are no more in a row.

    Whoever removed the address may end the path [R8684-3.4.2-10].
    """
    branch.in_row = 0
    branch.signal_at = NEVER
    if branch.checks > 0:
        branch.check_at = NEVER
        branch.checks = 0
    if branch.signals:
        branch.subflow.acknowledge()


# -- clocks -----------------------------------------------------------------------------------


def tick(control: Control, now: Micros) -> None:
    """Whatever is due: signals, keepalives, announcements, another look at the paths."""
    for branch in control.branches:
        if branch.signal_at <= now:
            take_row(branch)
        if branch.check_at <= now:
            check(branch, now)
    announce(control, now)
    if control.book.wake_at <= now:
        control.book.wake_at = NEVER
        control.book.is_due = True


def take_row(branch: Branch) -> None:
    """The peer had its time: signals may leave again."""
    branch.signal_at = NEVER
    branch.in_row = 0
    branch.subflow.acknowledge()


def check(branch: Branch, now: Micros) -> None:
    """A path whose address is said to be gone is asked a few times; in silence it ends [R8684-3.4.2-06].

    With a RST [R8684-3.4.2-14]: the peer has sent one, too.
    """
    if branch.checks >= KEEPALIVES or branch.joining is not Joining.ESTABLISHED:
        branch.check_at = NEVER
        branch.subflow.abort("address removed", now)
        return
    branch.checks += 1
    branch.check_at = now + branch.subflow.tcb.rto
    branch.subflow.ask()


def compute_deadline(control: Control) -> Micros:
    """When ``tick`` is due; NEVER if not."""
    earliest = control.book.wake_at
    for local in control.book.locals.values():
        earliest = min(earliest, local.announce_at)
    for branch in control.branches:
        earliest = min(min(earliest, branch.signal_at), min(branch.check_at, branch.join_at))
    return earliest


# -- facts and wishes -------------------------------------------------------------------------


def compute_facts(control: Control, now: Micros) -> Facts:
    """What the path manager is told."""
    book = control.book
    places = tuple(
        [
            Place(address_id, local.address, local.port, local.is_backup, local.is_signal)
            for address_id, local in book.locals.items()
        ]
    )
    remotes = tuple(
        [
            Place(address_id, remote.address, remote.port, False, False)
            for address_id, remote in book.remotes.items()
            if not remote.is_removed and not (control.peer_refuses_joins and is_initial(control, remote))
        ]
    )
    taken: list[Pair] = []
    resting = [pair for pair, until in book.rests.items() if until > now] + book.barred
    for branch in control.branches:
        if branch.is_lost:
            continue
        if is_taken(control, branch):
            taken.append((branch.local_id, branch.remote_id))
        elif branch.is_closing:
            resting.append((branch.local_id, branch.remote_id))  # its rest begins when it is over
    room = control.choices.subflows - count_open(control)  # [R8684-5-07] however many are announced
    is_open = control.mode is Mode.MULTIPATH and control.is_confirmed and control.state in MAY_CARRY
    if not is_open or book.failures >= control.choices.failed_joins:
        room = 0
    return Facts(control.is_initiator, places, remotes, tuple(taken), tuple(resting), room, book.was_joined)


def is_taken(control: Control, branch: Branch) -> bool:
    """Whether a subflow stands for its pair of addresses; not if the peer names another port by now.

    [R8684-3.4.1-27]
    """
    tcb = branch.subflow.tcb
    if branch.is_closing or tcb.state is SubflowState.CLOSED:
        return False
    remote = control.book.remotes.get(branch.remote_id)
    return not branch.opened_here or remote is None or remote.port == tcb.remote_port


def is_initial(control: Control, remote: Remote) -> bool:
    """Whether it is what flag C is about: the peer's initial address and port [R8684-3.1-37]."""
    return (remote.address, remote.port) == control.first[2:]


def consider(control: Control, now: Micros) -> list[Join]:
    """The subflows that the path manager wants; what it wants announced is seen to here."""
    book = control.book
    book.is_due = False
    if control.mode is not Mode.MULTIPATH or not control.is_confirmed or control.state not in MAY_CARRY:
        return []
    tell_removed(control, now)
    facts = compute_facts(control, now)
    joins: list[Join] = []
    for wish in control.paths.decide(facts):
        if isinstance(wish, Join):
            if len(joins) < facts.room:
                joins.append(wish)
        elif isinstance(wish, Announce) and wish.local_id != 0:
            local = book.locals[wish.local_id]
            if local.tries == 0 and local.announce_at == NEVER and not is_announcing(control):
                local.announce_at = now  # one at a time
    announce(control, now)
    for until in book.rests.values():
        if now < until < book.wake_at:
            book.wake_at = until
    return joins


def is_hopeful(control: Control, now: Micros) -> bool:
    """Whether another subflow may come, now that there is none: not where the keys may not have arrived."""
    if (
        not control.is_confirmed
        or control.mode is not Mode.MULTIPATH
        or control.state not in MAY_CARRY
        or not control.was_open
    ):
        return False
    return control.paths.is_hopeful(compute_facts(control, now))
