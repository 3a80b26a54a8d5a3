"""Situations: the beginnings that dialogues share, each built from the one before.

    user, peer = established(rtt=100 * MILLISECOND)

Each returns the user and the peer in the named state (RFC 9293 §3.3.2) of the host under test; the
names with ``m_`` are the states of the data level (RFC 8684 appendix D). Without ``multipath``
neither side speaks MPTCP. ``options`` are the peer's on its SYN; whatever else is named is a field
of the host's ``Choices``.
"""

from collections.abc import Sequence
from typing import Any, Final

from mptcp.choices import Choices
from mptcp.events import Accepted, Closed, Established, Finished
from mptcp.values import Micros
from mptcp.wire.handshake import HMAC_SHA256, CapableAck, CapableSyn, CapableSynAck
from mptcp.wire.options import MaximumSegmentSize, Option
from mptcp.wire.segment import ACK, FIN, SYN
from mptcp_model.dialogue import (
    HOST_IPV4,
    HOST_IPV6,
    PEER_IPV4,
    PEER_IPV6,
    DataSignal,
    Dialogue,
    Peer,
    User,
)

Scene = tuple[User, Peer]

PEER_OPTIONS: Final[tuple[Option, ...]] = (MaximumSegmentSize(1460),)


# -- opening, RFC 9293 §3.5 -------------------------------------------------------------------


def begin(multipath: bool, choices: dict[str, Any]) -> Dialogue:
    """A dialogue whose host has these choices, and speaks MPTCP only if ``multipath``."""
    return Dialogue(Choices(**{"multipath": multipath, **choices}))


def listening(multipath: bool = False, ipv6: bool = False, **choices: Any) -> Scene:
    """The user listens on port 80."""
    story = begin(multipath, choices)
    story.user.listens()
    return story.user, story.meets(*((PEER_IPV6, 40_000, HOST_IPV6) if ipv6 else ()))


def syn_received(
    multipath: bool = False,
    options: Sequence[Option] = PEER_OPTIONS,
    window: int = 65_535,
    ipv6: bool = False,
    **choices: Any,
) -> Scene:
    """The peer's SYN was answered."""
    user, peer = listening(multipath, ipv6, **choices)
    peer.window = window
    peer.sends(SYN, options=[*options, CapableSyn(1, HMAC_SHA256)] if multipath else options)
    peer.expects(SYN | ACK, seq=0, ack=1, options=[CapableSynAck] if multipath else [])
    return user, peer


def established(
    multipath: bool = False,
    options: Sequence[Option] = PEER_OPTIONS,
    rtt: Micros = 0,
    window: int = 65_535,
    ipv6: bool = False,
    **choices: Any,
) -> Scene:
    """Opened by the peer, with a first round trip of ``rtt``."""
    user, peer = syn_received(multipath, options, window, ipv6, **choices)
    peer.sends(ACK, options=[peer.capable_ack()] if multipath else [], at=rtt)
    user.hears(Accepted)
    return user, peer


def syn_sent(multipath: bool = False, ipv6: bool = False, **choices: Any) -> Scene:
    """The user opens actively; the peer has seen the SYN."""
    story = begin(multipath, choices)
    if ipv6:
        story.user.connects(PEER_IPV6, local=HOST_IPV6)
        peer = story.meets(PEER_IPV6, 80, HOST_IPV6, 40_000)
    else:
        story.user.connects(PEER_IPV4, local=HOST_IPV4)
        peer = story.meets(PEER_IPV4, 80, HOST_IPV4, 40_000)
    peer.expects(SYN, seq=0, options=[CapableSyn] if multipath else [])
    return story.user, peer


def established_actively(
    multipath: bool = False,
    options: Sequence[Option] = PEER_OPTIONS,
    rtt: Micros = 0,
    window: int = 65_535,
    ipv6: bool = False,
    **choices: Any,
) -> Scene:
    """Opened by the user, with a first round trip of ``rtt``."""
    user, peer = syn_sent(multipath, ipv6, **choices)
    peer.window = window
    capable = [CapableSynAck(1, HMAC_SHA256, peer.key)] if multipath else []
    peer.sends(SYN | ACK, options=[*options, *capable], at=rtt)
    peer.expects(ACK, seq=1, ack=1, options=[CapableAck] if multipath else [])
    user.hears(Established)
    return user, peer


# -- closing a plain connection, RFC 9293 §3.6 ------------------------------------------------


def fin_wait_1() -> Scene:
    """The user closed; the FIN is out."""
    user, peer = established()
    user.closes()
    peer.expects(FIN | ACK, seq=1)
    return user, peer


def fin_wait_2() -> Scene:
    """The peer has acknowledged the FIN: half closed, the peer may go on."""
    user, peer = fin_wait_1()
    peer.sends(ACK)
    return user, peer


def closing() -> Scene:
    """Both closed at once: the FINs crossed."""
    user, peer = fin_wait_1()
    peer.sends(FIN | ACK, ack=1)
    peer.expects(ACK, seq=2, ack=2)
    user.hears(Finished)
    return user, peer


def time_wait() -> Scene:
    """The user closed first, and everything is done."""
    user, peer = fin_wait_2()
    peer.sends(FIN | ACK)
    peer.expects(ACK, seq=2, ack=2)
    user.hears(Finished, Closed)
    return user, peer


def close_wait() -> Scene:
    """The peer closed: half closed, the user may go on."""
    user, peer = established()
    peer.sends(FIN | ACK)
    peer.expects(ACK, seq=1, ack=2)
    user.hears(Finished)
    return user, peer


def last_ack() -> Scene:
    """Then the user closed too; the FIN is out."""
    user, peer = close_wait()
    user.closes()
    peer.expects(FIN | ACK, seq=1, ack=2)
    return user, peer


# -- closing an MPTCP connection, RFC 8684 §3.3.3 ---------------------------------------------


def m_fin_wait_1() -> Scene:
    """The user closed; the DATA_FIN is out, and no FIN."""
    user, peer = established(multipath=True)
    user.closes()
    peer.expects(ACK, options=[DataSignal(dsn=1, length=1, fin=True)])
    return user, peer


def m_fin_wait_2() -> Scene:
    """The peer has acknowledged the DATA_FIN."""
    user, peer = m_fin_wait_1()
    peer.sends(ACK, options=[DataSignal(ack=2)])
    return user, peer


def m_close_wait() -> Scene:
    """The peer sent its DATA_FIN: half closed, the user may go on."""
    user, peer = established(multipath=True)
    peer.sends(ACK, options=[DataSignal(ack=1, dsn=1, ssn=0, length=1, fin=True)])
    peer.expects(ACK, options=[DataSignal(ack=2)])
    user.hears(Finished)
    return user, peer


def m_last_ack() -> Scene:
    """Then the user closed too; the DATA_FIN is out."""
    user, peer = m_close_wait()
    user.closes()
    peer.expects(ACK, options=[DataSignal(ack=2, dsn=1, length=1, fin=True)])
    return user, peer
