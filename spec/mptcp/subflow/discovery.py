"""Path MTU discovery: ICMP (RFC 1191, RFC 8201), probes and black holes (RFC 4821, RFC 8899), one at a time.

A router is believed about what is in flight and no shorter than what has arrived (RFC 5927 §7); a lost
probe is no congestion; what was too long goes again at once, in shorter segments.
"""

from mptcp.native import i64
from mptcp.numbers import compute_offset_32
from mptcp.parameters import BLACK_HOLE_TIMEOUTS, PATH_MTU_LIFETIME, TOO_BIG_TIMEOUTS
from mptcp.subflow.control import NEVER, Control
from mptcp.subflow.path_mtu import Finding, Search, compute_candidate, compute_plateau
from mptcp.subflow.phase import Phase
from mptcp.subflow.timers import start_retransmission
from mptcp.subflow.unreachable import is_plausible
from mptcp.values import Micros


def set_size(tcb: Control, size: i64, why: str, now: Micros) -> None:
    """Packets are up to ``size`` octets from now on; SND.MSS follows [R1191-6.4-01] [R8201-5.4-01].

    [R9293-3.7.3-01] cwnd counts octets and stays [R4821-4-02], but for room for one segment.
    """
    path, window = tcb.path, tcb.window
    tcb.journal.note(now, tcb.name, "path MTU " + str(size), why)
    path.size = size
    path.arrived = min(path.arrived, size)
    tcb.snd_mss = path.mss
    window.mss = path.mss
    window.cwnd = max(window.cwnd, window.mss)


# -- what a router says -------------------------------------------------------------------------


def arrive(tcb: Control, mtu: i64, sequence: i64, now: Micros) -> None:
    """ICMP "too big": a segment of ours from ``sequence`` did not fit a link of ``mtu`` octets (0: not said).

    [R8201-4-07] [R8899-3-02] It must be in flight [R5927-4.1-01], and longer than the link takes
    [R5927-7.2-01]: so of all the reports that a flight provokes the first counts [R1191-6.4-03].
    """
    path = tcb.path
    offset = compute_offset_32(tcb.iss, sequence, tcb.snd_una)
    if offset == 0 or not is_plausible(offset, tcb.snd_una, tcb.snd_nxt):
        return
    claimed = mtu if mtu else compute_plateau(path.size)  # [R1191-3-05]
    if claimed < path.floor:
        if len(tcb.remote) != 4:
            return  # [R8201-4-01] nobody may say so
        claimed = path.floor  # [R1191-3-06]
    is_about_probe = path.is_probe and path.test_start <= offset < path.test_end
    if claimed >= (path.tested if is_about_probe else path.size):
        return  # [R1191-3-07] [R8201-4-06] nothing is raised by it
    if is_about_probe:
        lose_probe(tcb, claimed, now)
    elif claimed >= path.arrived:
        believe(tcb, claimed, now)  # [R5927-7.2-02] nothing longer has ever arrived
    else:
        # [R5927-7.2-03] what longer segments did before they may do still: progress would show it
        tcb.journal.note(now, tcb.name, "too big, perhaps", str(claimed))
        path.claimed = claimed
        path.claimed_at = offset


def believe(tcb: Control, size: i64, now: Micros) -> None:
    """The router is right [R1191-3-01] [R8201-4-02]: shorter packets, for a while.

    At once, and nobody has to say it twice [R1191-3-02] [R1191-3-03] [R8201-4-03] [R8201-4-04].
    """
    path = tcb.path
    shrink = path.size - size
    path.turn(Finding.TOO_BIG)
    path.claimed = 0
    path.high = size
    path.look_at = now + PATH_MTU_LIFETIME
    give_up_probe(tcb)
    set_size(tcb, size, "too big", now)
    resend(tcb, shrink, now)


def resend(tcb: Control, shrink: i64, now: Micros) -> None:
    """What is out and was longer than packets may be now is lost: it goes again at once.

    [R1191-6.4-02] [R8201-5.4-02] Nobody's congestion lost it: cwnd and ssthresh stay.
    """
    if tcb.board.lose_longer(shrink):
        start_retransmission(tcb, now)


def lose_probe(tcb: Control, claimed: i64, now: Micros) -> None:
    """A router tells how far short of the probe the path is [R4821-7.6.2-03] [R8899-4.6.2-01]."""
    path = tcb.path
    path.high = claimed
    path.hint = claimed
    path.failures = 0
    path.look_at = now
    index = tcb.board.find(path.test_start)
    give_up_probe(tcb)
    if index < len(tcb.board.sent):
        tcb.board.lose_unless_arrived(index)


# -- probes -------------------------------------------------------------------------------------


def look(tcb: Control, now: Micros) -> None:
    """It is time to think of the next probe, or that the path may have become better [R8201-4-05]."""
    path = tcb.path
    if path.search is Search.COMPLETE:
        path.turn(Finding.EXPIRY)
        path.start_search(now)
        if not tcb.choices.path_mtu_probing:
            set_size(tcb, path.bound, "expiry", now)  # [R1191-6.3-01] begin anew
    if path.search is not Search.SEARCHING:
        path.look_at = NEVER
        return
    if tcb.phase is not Phase.OPEN or tcb.board.lost or path.test_end != NEVER:
        return  # [R4821-7.4-01] no outstanding probes or losses
    size = compute_candidate(path.size, path.high, path.hint) if tcb.choices.path_mtu_probing else 0
    if size:
        path.probe_size = size
        path.look_at = NEVER
        return
    path.turn(Finding.FOUND)
    tcb.journal.note(now, tcb.name, "path MTU found", str(path.size))
    # [R4821-7.3-03] a better one is looked for again, later
    path.look_at = NEVER if path.size == path.bound else now + PATH_MTU_LIFETIME


def compute_headway(tcb: Control) -> Micros:
    """How long probes rest after one that was lost: as many round trips as packets are in cwnd.

    [R4821-7.6.2-02] So a loss that does not shrink the window is rarer than those that do.
    """
    return tcb.srtt * max(tcb.window.cwnd // tcb.window.mss, 1)


def take_lost_probe(tcb: Control, start: i64, now: Micros) -> bool:
    """Whether what is lost from ``start`` on is a probe, and nothing but a probe: no congestion then.

    [R4821-4-01] [R8899-3-03] With other losses beside it nobody knows [R4821-7.6.4-01].
    """
    path = tcb.path
    if not path.is_probe:
        return False
    is_isolated = start == path.test_start and tcb.board.lost == path.test_end - path.test_start
    if is_isolated:
        tcb.journal.note(now, tcb.name, "path MTU probe lost", str(path.tested))
        path.fail(now + compute_headway(tcb))
    else:
        path.look_at = now
        give_up_probe(tcb)
    return is_isolated


def give_up_probe(tcb: Control) -> None:
    """Nothing will be learnt from a probe that is out."""
    tcb.path.probe_size = 0
    tcb.path.end_test()


def take_arrival(tcb: Control, now: Micros) -> None:
    """The segment whose arrival matters is acknowledged [R4821-7.6.1-01] [R4821-7.1-02]."""
    path = tcb.path
    path.arrived = max(path.arrived, path.tested)
    was_probe = path.is_probe
    path.end_test()
    if was_probe:
        path.failures = 0
        path.look_at = now
        set_size(tcb, path.tested, "probe", now)
    elif path.search is Search.BASE or path.search is Search.ERROR:
        path.turn(Finding.ARRIVED)
        path.start_search(now)


def compute_probe_room(tcb: Control, waiting: i64, usable: i64, overhead: i64) -> i64:
    """Octets of the ``waiting`` for a probe that is due; 0: it waits for room; -1: it cannot leave now.

    ``usable`` is what may leave now, ``overhead`` all option octets. Enough must follow for a loss to be
    seen [R4821-7.4-02]; the window is let run down by a probe's length, and no further [R4821-7.4-03].
    """
    length = tcb.path.probe_size - tcb.path.header - overhead
    enough = length + 4 * tcb.snd_mss
    if waiting < enough or min(tcb.snd_wnd, tcb.window.cwnd) < enough:
        return -1
    if usable >= length:
        return length
    return 0 if tcb.snd_una < tcb.snd_nxt else -1


def compute_size(tcb: Control, start: i64, stop: i64, size: i64, options: i64) -> i64:
    """Text octets of the new segment at ``start``, ``size`` unless it is a probe; notes what is tested.

    ``stop`` is where its text must end at the latest, ``options`` are octets of options.
    """
    path = tcb.path
    length = stop - start
    if size < length <= path.probe_size - path.header - options:
        path.start_test(path.header + options + length, start, stop, True)
        return length
    if path.test_end == NEVER and length >= size:
        path.start_test(path.header + options + size, start, start + size, False)
    return size


# -- black holes --------------------------------------------------------------------------------


def expire(tcb: Control, now: Micros) -> None:
    """The retransmission timer expired: routers are believed now, and silence says something, too."""
    path = tcb.path
    if path.is_probe:
        path.look_at = now + 5 * compute_headway(tcb)  # [R4821-7.6.3-01]
    give_up_probe(tcb)
    if path.claimed and path.claimed_at >= tcb.snd_una and tcb.retries >= TOO_BIG_TIMEOUTS:
        believe(tcb, path.claimed, now)
    elif tcb.retries % BLACK_HOLE_TIMEOUTS == 0:
        take_black_hole(tcb, now)
    path.claimed = 0


def take_black_hole(tcb: Control, now: Micros) -> None:
    """Nothing arrives, and it may be for its length: down to the base, then to the smallest.

    [R4821-7.7-01] [R8899-4.3-01]
    """
    path = tcb.path
    size = path.base if path.size > path.base else path.floor
    if size >= path.size or tcb.board.find_longest() <= size - path.header - 40:
        return
    shrink = path.size - size
    path.turn(Finding.BLACK_HOLE)
    path.look_at = NEVER
    path.arrived = 0
    set_size(tcb, size, "black hole", now)
    tcb.board.lose_longer(shrink)
