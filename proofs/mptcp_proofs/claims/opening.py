"""How two hosts agree on MPTCP, or not (RFC 8684 §3.1, §3.7)."""

from typing import Annotated, TypeAlias

from mptcp.choices import ACCEPT, REFUSE, REQUIRE, Choices
from mptcp.congestion.newreno import NewReno
from mptcp.connection.connection import Connection
from mptcp.connection.control import Control, Mode
from mptcp.connection.initiate import (
    compute_ack_option,
    compute_syn_ack_option,
    compute_syn_option,
    find_version,
    take_syn,
    take_syn_ack,
    take_third,
)
from mptcp.connection.mapping import Run
from mptcp.journal import Journal
from mptcp.keys import compute_idsn, compute_token
from mptcp.paths.manager import PathManager
from mptcp.queue import Queue
from mptcp.scheduler.lowest_rtt import LowestRtt
from mptcp.subflow.arrival import Arrival, Verdict
from mptcp.subflow.control import Control as Tcb
from mptcp.subflow.state import State
from mptcp.values import Text
from mptcp.wire.dss import DataAck, Dss
from mptcp.wire.handshake import (
    CHECKSUM_REQUIRED,
    EXTENSIBILITY,
    HMAC_SHA256,
    CapableAck,
    CapableData,
    CapableSyn,
    CapableSynAck,
)
from mptcp.wire.options import Option
from mptcp_proofs.claim import Built, Either, OneOf, reach, require
from mptcp_proofs.claims.domains import Byte, Nibble
from mptcp_proofs.claims.ends import HERE, THERE, make_branch
from mptcp_proofs.claims.makers import HANDSHAKE
from mptcp_proofs.theorem import Mutant, Theorem

KEY, PEER_KEY = bytes(8), bytes((0, 0, 0, 0, 0, 0, 0, 1))
PACKETS = ("SYN", "SYN/ACK", "ACK")


def make_wishes(
    multipath: Annotated[bool, OneOf(True, False)],
    versions: Annotated[tuple[int, int], OneOf((1, 1), (1, 0), (0, 0))],
    checksum: Annotated[int, OneOf(REFUSE, ACCEPT, REQUIRE)],
    joins: Annotated[bool, OneOf(True, False)],
) -> Choices:
    """What a host wants: MPTCP at all, its highest and lowest version, checksums, joins to its address."""
    version, lowest = versions
    return Choices(multipath, version, lowest, checksum, joins)


Wishes: TypeAlias = Annotated[Choices, Built(make_wishes)]
Few: TypeAlias = Annotated[Choices, OneOf(Choices(), Choices(version=0, lowest_version=0))]
Lost: TypeAlias = Annotated[str, OneOf("", *PACKETS)]
Policy: TypeAlias = Annotated[int, OneOf(REFUSE, ACCEPT, REQUIRE)]


def make_host(choices: Choices, key: bytes, listener: int, version: int) -> Control:
    """An end that has said and heard nothing yet."""
    token, idsn = compute_token(key, version), compute_idsn(key, version)
    end = Control(2, listener, key, token, idsn, LowestRtt(), PathManager(), choices, Journal())
    end.version = version
    return end


def make_first_tcb() -> Tcb:
    """The first subflow, whose SYN has not been sent again."""
    return Tcb(HERE, 1, THERE, 2, 0, 1460, NewReno(), Choices(), Journal(), "subflow 2.0")


def shake_hands(wishes: Choices, peer_wishes: Choices, lost: str) -> tuple[Control, Control]:
    """Both ends after three packets; of the packet ``lost`` something took the MPTCP options."""
    initiator = make_host(wishes, KEY, 0, wishes.version)
    offer = compute_syn_option(initiator, make_first_tcb())
    if lost == "SYN":
        offer = ()
    listener = make_host(peer_wishes, PEER_KEY, 1, find_version(peer_wishes, offer))
    take_syn(listener, offer, 0)
    answer = compute_syn_ack_option(listener)
    if lost == "SYN/ACK":
        answer = ()
    take_syn_ack(initiator, answer, 0)
    third: tuple[Option, ...] = ()
    if initiator.mode is Mode.MULTIPATH and lost != "ACK":
        third = (compute_ack_option(initiator),)
    take_third(listener, third, 0)
    return initiator, listener


def is_agreement(wishes: Choices, peer_wishes: Choices) -> bool:
    """Whether two such hosts have a version in common that the initiator offers, and no quarrel."""
    if not wishes.multipath or not peer_wishes.multipath:
        return False
    if {wishes.checksum, peer_wishes.checksum} == {REFUSE, REQUIRE}:
        return False
    return peer_wishes.lowest_version <= wishes.version <= peer_wishes.version


# -- 21: the table of what is agreed --------------------------------------------------------------


def agree(wishes: Wishes, peer_wishes: Wishes) -> bool:
    """Both ends speak MPTCP in the initiator's version, or neither does: by what both want, and no else."""
    initiator, listener = shake_hands(wishes, peer_wishes, "")
    require(initiator.mode is listener.mode, "one mode")
    if initiator.mode is Mode.PLAIN:
        reach("plain TCP")
        return not is_agreement(wishes, peer_wishes)
    require(initiator.mode is Mode.MULTIPATH, "nothing is left open")
    require(initiator.version == listener.version == wishes.version, "one version")
    require(initiator.remote_key == listener.local_key, "the key that was sent")
    require(listener.remote_key == initiator.local_key, "both ways")
    require(initiator.local_idsn == listener.remote_idsn, "one IDSN")
    require(initiator.remote_idsn == listener.local_idsn, "both ways")
    may_join = listener.version == 0 or peer_wishes.join_initial_address
    require(initiator.peer_refuses_joins != may_join, "flag C is heard")
    reach(f"version {initiator.version}")
    return is_agreement(wishes, peer_wishes)


# -- 22: checksums --------------------------------------------------------------------------------


def agree_on_checksums(wishes: Wishes, peer_wishes: Wishes) -> bool:
    """Checksums are in use at both ends or at neither: as soon as one of them requires them."""
    initiator, listener = shake_hands(wishes, peer_wishes, "")
    require(initiator.mode is listener.mode, "no quarrel")
    if initiator.mode is Mode.PLAIN:
        return True
    is_wanted = REQUIRE in (wishes.checksum, peer_wishes.checksum)
    reach("checksums" if is_wanted else "no checksums")
    return initiator.checksum == listener.checksum == is_wanted


def never_changes_checksums(wishes: Wishes, peer_wishes: Wishes, version: Nibble, flags: Byte) -> bool:
    """A third packet that says otherwise ends MPTCP, and changes nothing of what was agreed."""
    listener = make_host(peer_wishes, PEER_KEY, 1, 1)
    take_syn(listener, (CapableSyn(1, HMAC_SHA256),), 0)
    before = listener.checksum
    take_third(listener, (CapableAck(version, flags, KEY, PEER_KEY),), 0)
    if listener.mode is Mode.MULTIPATH:
        require(bool(flags & CHECKSUM_REQUIRED) == before, "no other word")
    return listener.checksum == before


# -- 23: MP_CAPABLE on all three ------------------------------------------------------------------

Answer: TypeAlias = Annotated[Option | None, Either(OneOf(None), *[Built(maker) for maker in HANDSHAKE])]


def needs_capable_on_syn(option: Answer, checksum: Policy) -> bool:
    """A listener of version 1 says MP_CAPABLE to a SYN with MP_CAPABLE that it can use, and to no other."""
    listener = make_host(Choices(checksum=checksum), PEER_KEY, 1, 1)
    take_syn(listener, () if option is None else (option,), 0)
    answer = compute_syn_ack_option(listener)
    if not answer:
        require(listener.mode is Mode.PLAIN, "silence is plain TCP")
        return not isinstance(option, CapableSyn) or not is_usable(option.version, option.flags, checksum)
    reach("an answer")
    require(isinstance(option, CapableSyn), "MP_CAPABLE was asked")
    return isinstance(option, CapableSyn) and is_usable(option.version, option.flags, checksum)


def is_usable(version: int, flags: int, checksum: int) -> bool:
    """RFC 8684 §3.1: version 1 or more, flag B clear, flag H set, and no checksums where they are refused."""
    if flags & CHECKSUM_REQUIRED and checksum == REFUSE:
        return False
    return version >= 1 and not flags & EXTENSIBILITY and bool(flags & HMAC_SHA256)


def needs_capable_on_syn_ack(option: Answer, checksum: Policy) -> bool:
    """An initiator speaks MPTCP after a SYN/ACK with MP_CAPABLE that chooses from its offer, and no other."""
    initiator = make_host(Choices(checksum=checksum), KEY, 0, 1)
    take_syn_ack(initiator, () if option is None else (option,), 0)
    if initiator.mode is not Mode.MULTIPATH:
        require(initiator.mode is Mode.PLAIN, "settled")
        require(compute_syn_option(initiator, make_first_tcb()) == (), "for good")
    is_good = (
        isinstance(option, CapableSynAck)
        and option.version == 1
        and option.flags & (EXTENSIBILITY | 0x1F) == HMAC_SHA256
        and (not option.flags & CHECKSUM_REQUIRED or checksum != REFUSE)
        and option.key != KEY
    )
    if is_good:
        reach("a choice from the offer")
    return (initiator.mode is Mode.MULTIPATH) == is_good


def needs_capable_on_ack(option: Answer) -> bool:
    """A listener speaks MPTCP only after a third packet with MP_CAPABLE, alone or with data."""
    listener = make_host(Choices(), PEER_KEY, 1, 1)
    take_syn(listener, (CapableSyn(1, HMAC_SHA256),), 0)
    require(listener.mode is Mode.OPENING, "open until then")
    take_third(listener, () if option is None else (option,), 0)
    if listener.mode is Mode.MULTIPATH:
        reach("a third packet")
        return isinstance(option, (CapableAck, CapableData))
    return listener.mode is Mode.PLAIN


# -- 24: one mode, whatever is lost ---------------------------------------------------------------


def loses_alike(wishes: Wishes, peer_wishes: Wishes, lost: Lost) -> bool:
    """Options that are lost from a SYN or a SYN/ACK make both ends plain TCP, at once."""
    initiator, listener = shake_hands(wishes, peer_wishes, lost)
    modes = (initiator.mode.value, listener.mode.value)
    require("opening" not in modes, "settled")
    if modes == ("multipath", "plain"):
        reach("an initiator that does not know yet")
        return lost == "ACK"
    return modes == ("plain", "plain") or (modes == ("multipath", "multipath") and lost == "")


def learns(
    wishes: Few, length: Annotated[int, OneOf(1, 700, 1460)], taken: Annotated[int, OneOf(1, 700, 1460)]
) -> bool:
    """If it was the third packet, the first acknowledgment of data tells the initiator; nothing is lost."""
    initiator, _ = shake_hands(wishes, wishes, "ACK")
    if initiator.mode is Mode.PLAIN:
        return True
    branch = make_branch()
    branch.is_first = True
    tcb = branch.subflow.tcb
    tcb.state = State.ESTABLISHED
    taken = min(taken, length)
    initiator.branches.append(branch)
    for queue in (initiator.snd_queue, tcb.snd_queue):
        queue.append(Text(b"", 0, length))
    initiator.snd_nxt = 1 + length
    branch.sent.append(Run(1, 1, length, length, None))
    tcb.snd_una, tcb.snd_nxt = 1 + taken, 1 + length
    tcb.snd_queue = Queue(1 + taken)
    tcb.snd_queue.append(Text(b"", 0, length - taken))
    if taken == length:
        branch.sent.clear()
    Connection(initiator).check_path(branch, Arrival(Verdict.ACCEPTED, acknowledged=taken), False, 0)
    reach("it has heard")
    require(initiator.snd_nxt == 1 + length and initiator.snd_queue.start == 1, "all data is kept")
    return (initiator.mode.value, tcb.state.value) == ("plain", State.ESTABLISHED.value)


def believes(wishes: Few, acknowledged: Annotated[int, OneOf(0, 1, 1460)]) -> bool:
    """A Data ACK on it keeps MPTCP: a peer that speaks it is not left."""
    initiator, _ = shake_hands(wishes, wishes, "")
    if initiator.mode is Mode.PLAIN:
        return True
    branch = make_branch()
    branch.is_first = True
    tcb = branch.subflow.tcb
    tcb.state = State.ESTABLISHED
    initiator.branches.append(branch)
    tcb.snd_una = tcb.snd_nxt = 1 + acknowledged
    initiator.snd_nxt = 1 + acknowledged
    option = Dss(DataAck(initiator.local_idsn + 1 & 0xFFFFFFFFFFFFFFFF, True), None)
    arrival = Arrival(Verdict.ACCEPTED, acknowledged=acknowledged, options=(option,))
    Connection(initiator).take_options(branch, arrival, 0)
    require(initiator.is_confirmed, "the peer has our key")
    return initiator.mode is Mode.MULTIPATH


INITIATE = "mptcp/connection/initiate.py"
CONNECTION = "mptcp/connection/connection.py"
HANDS = "All wishes of both ends: MPTCP or not, versions, checksums refused, accepted or required, joins"
DIGESTS = "SHA-256 and SHA-1 are functions of their octets, and nothing more is known of them."

THEOREMS = (
    Theorem(
        id="T21",
        name="negotiation",
        words="After three packets both ends speak MPTCP, in the version that the initiator offered and with"
        " each other's keys, or both speak plain TCP: MPTCP exactly if both want it, know the version, and"
        " do not quarrel about checksums.",
        sections="RFC 8684 §3.1",
        clauses=("R8684-3.1-03", "R8684-3.1-37", "R8684-3.1-48", "R8684-3.1-53", "R8684-3.1-60"),
        bounds=f"{HANDS}: 1,296 pairs.",
        claims=(agree,),
        goals=("plain TCP", "version 0", "version 1"),
        mutants=(
            Mutant(INITIATE, "isinstance(option, CapableSynV0) and choices.lowest_version == 0", "False"),
            Mutant(INITIATE, '        return "checksums are asked for"  # [R8684-3.1-48]', "        pass"),
            Mutant(
                INITIATE,
                "    if control.mode is Mode.PLAIN or not control.is_asked:\n        return ()\n"
                "    flags = compute_flags(control, control.choices.checksum == REQUIRE)\n"
                "    return (CapableSynAck(control.version",
                "    flags = compute_flags(control, control.choices.checksum == REQUIRE)\n"
                "    return (CapableSynAck(control.version",
            ),
            Mutant(INITIATE, "bool(flags & NO_JOIN)", "not flags & NO_JOIN"),
            Mutant(
                INITIATE,
                "set_remote_key(control, option.sender_key)",
                "set_remote_key(control, option.receiver_key)",
            ),
        ),
        unclaimed="Peers that are not ours: T23 takes whatever they may say.",
        assumes=DIGESTS,
    ),
    Theorem(
        id="T22",
        name="one-word-on-checksums",
        words="Checksums are in use at both ends as soon as one of them requires them, otherwise at neither;"
        " nothing that comes later changes that.",
        sections="RFC 8684 §3.1",
        clauses=("R8684-3.1-45", "R8684-3.1-46", "R8684-3.1-47"),
        bounds=f"{HANDS}; a third packet with any version and flags.",
        claims=(agree_on_checksums, never_changes_checksums),
        goals=("checksums", "no checksums"),
        mutants=(
            Mutant(
                INITIATE,
                "control.checksum = control.choices.checksum == REQUIRE or bool(flags & CHECKSUM_REQUIRED)",
                "control.checksum = bool(flags & CHECKSUM_REQUIRED)",
            ),
            Mutant(
                INITIATE,
                "control.checksum = control.choices.checksum == REQUIRE or bool(flags & CHECKSUM_REQUIRED)",
                "control.checksum = control.choices.checksum == REQUIRE",
            ),
            Mutant(
                INITIATE,
                "    if not reason and bool(capable.flags & CHECKSUM_REQUIRED) != control.checksum:\n"
                '        return "the third packet disagrees about checksums"  # [R8684-3.1-46]\n',
                "",
                by="never_changes_checksums",
            ),
            Mutant(
                INITIATE,
                "    flags = compute_flags(control, control.checksum)  # [R8684-3.1-46]",
                "    flags = compute_flags(control, control.choices.checksum == REQUIRE)",
            ),
        ),
        unclaimed="Mappings with and without checksum: the dialogues say what becomes of them.",
        assumes=DIGESTS,
    ),
    Theorem(
        id="T23",
        name="capable-on-all-three",
        words="MPTCP is spoken only after MP_CAPABLE on the SYN, on the SYN/ACK and on the third packet, each"
        " in the same version, with flag B clear and an algorithm that was offered; whatever else comes in"
        " their place makes it plain TCP.",
        sections="RFC 8684 §3.1",
        clauses=(
            "R8684-3.1-30",
            "R8684-3.1-35",
            "R8684-3.1-40",
            "R8684-3.1-51",
            "R8684-3.1-53",
            "R8684-3.1-54",
            "R8684-3.1-55",
        ),
        bounds="No option, or any of a handshake with any fields; checksums refused, accepted or required.",
        claims=(needs_capable_on_syn, needs_capable_on_syn_ack, needs_capable_on_ack),
        goals=("an answer", "a choice from the offer", "a third packet"),
        mutants=(
            Mutant(INITIATE, '        return "flag B is set"  # [R8684-3.1-35]', "        pass"),
            Mutant(
                INITIATE,
                "compute_crypto(control, capable.flags) != HMAC_SHA256",
                "not compute_crypto(control, capable.flags)",
                by="needs_capable_on_syn_ack",
            ),
            Mutant(
                INITIATE,
                "is_offered = capable.version == control.version",
                "is_offered = True",
                by="needs_capable_on_syn_ack",
            ),
            Mutant(
                INITIATE,
                "    if is_equal(capable.key, control.local_key):\n        reason = OWN_KEY\n    if reason:\n"
                "        fall_back(control, reason, now)\n        return\n"
                "    set_flags(control, capable.flags)\n    set_remote_key",
                "    if reason:\n        fall_back(control, reason, now)\n        return\n"
                "    set_flags(control, capable.flags)\n    set_remote_key",
                by="needs_capable_on_syn_ack",
            ),
            Mutant(
                INITIATE,
                "isinstance(option, Dss) and control.version == 0 and control.is_asked",
                "isinstance(option, JoinSyn)",
                by="needs_capable_on_ack",
            ),
            Mutant(INITIATE, '        return "no algorithm in common"  # [R8684-3.1-51]', "        pass"),
        ),
        unclaimed="The echo of the key on the third packet: T19. Version 0.",
        assumes=DIGESTS,
    ),
    Theorem(
        id="T24",
        name="no-split-brain",
        words="Whichever of the first three packets loses its MPTCP options, both ends come to the same mode:"
        " at once, or, if it was the third, with the first acknowledgment of data, which then loses none.",
        sections="RFC 8684 §3.1, §3.7",
        clauses=("R8684-3.1-53", "R8684-3.1-55", "R8684-3.1-59", "R8684-3.7-06"),
        bounds=f"{HANDS}; one mapping of a few lengths, acknowledged as a whole or in part.",
        claims=(loses_alike, learns, believes),
        goals=("an initiator that does not know yet", "it has heard"),
        mutants=(
            Mutant(
                INITIATE,
                "    if capable is None:\n        fall_back(control, NO_CAPABLE, now)\n        return\n"
                "    reason = is_usable(control, capable.version",
                "    if capable is None:\n        return\n    reason = is_usable(control, capable.version",
                by="loses_alike",
            ),
            Mutant(
                INITIATE,
                '    fall_back(control, "the third packet has no MP_CAPABLE", now)  # [R8684-3.1-55]',
                "    control.mode = Mode.MULTIPATH  #",
                by="loses_alike",
            ),
            Mutant(
                CONNECTION,
                "if is_silent and is_new and control.snd_una < control.snd_nxt:",
                "if is_silent and not is_new and control.snd_una < control.snd_nxt:",
                by="learns",
            ),
            Mutant(
                CONNECTION,
                "        if control.is_asking and not is_signal(arrival.options):",
                '        fallback.leave(control, branch, "", now)\n'
                "        if control.is_asking and not is_signal(arrival.options):",
                by="believes",
            ),
        ),
        unclaimed="Options that are lost later, and from data: the simulated middleboxes try that.",
        assumes=DIGESTS,
    ),
)
