"""What middleboxes do to a connection: the rows of the fallback matrix, and all that should not matter.

Whatever stands on the path, both ends end up in the same mode, and the stream arrives as it was sent
(RFC 8684 §3.7, §6); where a box alters text, checksums tell from where on it is no longer ours.
"""

from typing import Any

import pytest

from mptcp.choices import REQUIRE, Choices
from mptcp.parameters import MILLISECOND, SECOND
from mptcp.wire.dss import Dss
from mptcp.wire.handshake import CapableAck, CapableData
from mptcp.wire.segment import SYN, Segment
from mptcp_model.simulated.applications import Application, Echo, Sender, Sink
from mptcp_model.simulated.link import Line
from mptcp_model.simulated.middlebox import (
    BACK,
    FORTH,
    MULTIPATH,
    BlackHole,
    Clamp,
    Flipper,
    Joiner,
    Middlebox,
    Mirror,
    Renumberer,
    Rewriter,
    Splitter,
    Stripper,
    Translator,
)
from mptcp_model.simulated.network import Network, ipv4, path, two_hosts

LINE = Line(rate=10_000_000, delay=10 * MILLISECOND, mtu=9_000)  # the hosts' own is 1500
OUTSIDE = bytes([10, 0, 0, 77])
VERSIONS = {0: Choices(version=0, lowest_version=0), 1: Choices()}


def octets(length: int) -> bytes:
    """Text in which no octet can be missed."""
    return bytes((7 * number + number // 251) % 256 for number in range(length))


REQUEST, ANSWER = octets(40_000), octets(60_000)[::-1]


def talk(
    box: Middlebox,
    client: Application | None = None,
    server: Application | None = None,
    choices: Choices | None = None,
) -> tuple[Network, Application, Application]:
    """A request and its answer through ``box``."""
    network = two_hosts(path(LINE), client=choices, server=choices)
    network.put("box", box)
    listening = server or Sink(ANSWER)
    network.machines["server"].listen(80, listening)
    calling = client or Sender(REQUEST)
    network.machines["client"].connect(ipv4(0, 1), ipv4(0, 2), 80, calling, network.now)
    network.touch("client")
    network.run(600 * SECOND)
    accepted = list(network.machines["server"].applications.values())
    assert len(accepted) <= 1
    return network, calling, accepted[0] if accepted else listening


def modes(network: Network) -> list[bool]:
    """Whether client and server speak MPTCP."""
    found = []
    for machine in network.machines.values():
        found += [machine.host.status(handle).multipath for handle in machine.applications]
    return found


def is_whole(client: Application, server: Application, text: bytes = REQUEST, answer: bytes = ANSWER) -> None:
    """Both streams arrived, and both ends closed in order."""
    assert server.inbox == text
    assert client.inbox == answer
    assert (client.outcome, server.outcome) == ("closed", "closed")


# -- options that do not get through: RFC 8684 §3.7 -----------------------------------------------


def on_syn(one: Segment, texts: int) -> bool:
    """SYN and SYN/ACK."""
    return bool(one.flags & SYN)


def on_third(one: Segment, texts: int) -> bool:
    """The packets that carry MP_CAPABLE, but for the SYNs."""
    return any(isinstance(option, (CapableAck, CapableData)) for option in one.options)


def on_pure_third(one: Segment, texts: int) -> bool:
    """The third packet without data."""
    return any(isinstance(option, CapableAck) for option in one.options)


def on_all_but_syns(one: Segment, texts: int) -> bool:
    """Everything after the handshake's first half."""
    return not one.flags & SYN


def on_all_later(one: Segment, texts: int) -> bool:
    """From the fifth segment with text of this direction on."""
    return texts >= 5


def on_text(one: Segment, texts: int) -> bool:
    """Data."""
    return one.text_length > 0


# which segments, which ways, and whether both ends still speak MPTCP afterwards
ROWS: dict[str, tuple[Any, tuple[str, ...], bool]] = {
    "SYN": (on_syn, (FORTH,), False),
    "SYN/ACK": (on_syn, (BACK,), False),
    "third packet and first data": (on_third, (FORTH,), False),
    "third packet alone": (on_pure_third, (FORTH,), False),
    "first data": (lambda one, texts: texts == 0 and one.text_length > 0, (FORTH,), False),
    "all but the SYNs": (on_all_but_syns, (FORTH, BACK), False),
    "all but the SYNs, forth": (on_all_but_syns, (FORTH,), False),
    "all but the SYNs, back": (on_all_but_syns, (BACK,), False),
    "answers to data": (on_text, (BACK,), False),
}


@pytest.mark.clause("R8684-3.7-01", "R8684-3.7-02", "R8684-3.7-06", "R8684-3.7-09", "R8684-3.1-53")
@pytest.mark.clause("R8684-3.1-55", "R8684-3.1-59", "R8684-3.7-30", "R8684-6-02", "R6824-3.6-01")
@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("first", ["client", "server"])
@pytest.mark.parametrize("row", ROWS)
def test_stripped(row: str, first: str, version: int) -> None:
    """Whoever speaks first, and whichever way the options are lost: one mode, and all of the data."""
    is_hit, ways, _ = ROWS[row]
    box = Stripper(is_hit, ways)
    if first == "client":
        network, client, server = talk(box, choices=VERSIONS[version])
        is_whole(client, server)
    else:
        network, client, server = talk(box, Sink(REQUEST), Sender(ANSWER), choices=VERSIONS[version])
        is_whole(client, server)
    one, other = modes(network)
    assert one == other
    if box.changed and version == 1 and first == "client":
        assert not one


@pytest.mark.clause("R8684-3.7-09", "R8684-6-10")
def test_stripped_later() -> None:
    """Options that stop in mid-stream, on the only path and both ways: nothing false is ever read."""
    network, client, server = talk(Stripper(on_all_later))
    assert REQUEST.startswith(server.inbox)
    assert ANSWER.startswith(client.inbox)
    assert client.outcome and (server.outcome or not server.story)


@pytest.mark.clause("R8684-6-10")
@pytest.mark.parametrize("every", [2, 3, 5])
def test_stripped_here_and_there(every: int) -> None:
    """Now and then a segment of a mapping loses its option: the mapping is on the others, too."""

    def is_hit(one: Segment, texts: int) -> bool:
        return texts > 0 and texts % every == 1 and not one.flags & SYN

    network, client, server = talk(Stripper(is_hit, (FORTH,), (Dss, CapableData)))
    assert REQUEST.startswith(server.inbox)
    assert len(set(modes(network))) == 1


@pytest.mark.clause("R8684-3.1-56", "R8684-3.1-57", "R8684-3.9.3-01")
def test_black_hole() -> None:
    """SYNs with MP_CAPABLE vanish: the one without gets through."""
    network, client, server = talk(BlackHole())
    is_whole(client, server)
    assert modes(network) == [False, False]


@pytest.mark.clause("R8684-3.1-30")
@pytest.mark.parametrize("version", [0, 1])
def test_mirror(version: int) -> None:
    """A server that sends our option back does not speak MPTCP, and is not taken for one that does."""
    network, client, server = talk(Mirror(), choices=VERSIONS[version])
    is_whole(client, server)
    assert modes(network) == [False, False]


# -- what should not matter -----------------------------------------------------------------------

BOXES: dict[str, Any] = {
    "splits, option on all": lambda: Splitter(500),
    "splits, option on the first": lambda: Splitter(500, "first"),
    "splits into crumbs": lambda: Splitter(37),
    "joins, option of the first": lambda: Joiner(4_500),
    "renumbers": lambda: Renumberer(0x9000_0001),
    "translates": lambda: Translator(OUTSIDE),
    "clamps": lambda: Clamp(600, 20_000),
}


@pytest.mark.clause("R8684-1.1-01", "R8684-6-01", "R8684-6-07", "R8684-6-08", "R8684-6-10", "R8684-3.3.1-08")
@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("checksum", [False, True])
@pytest.mark.parametrize("name", BOXES)
def test_harmless(name: str, checksum: bool, version: int) -> None:
    """Segments cut or joined, other numbers, other addresses: MPTCP, and every octet in its place."""
    versions = {"version": version, "lowest_version": version}
    box = BOXES[name]()
    choices = Choices(checksum=REQUIRE, **versions) if checksum else Choices(**versions)
    network = two_hosts(path(LINE), client=choices, server=choices)
    network.put("box", box)
    if name == "translates":
        # the way back to the NAT's address is that to the client
        network.machines["server"].interfaces[OUTSIDE] = "server>0"
    network.machines["server"].listen(80, Sink(ANSWER))
    client = Sender(REQUEST)
    network.machines["client"].connect(ipv4(0, 1), ipv4(0, 2), 80, client, network.now)
    network.touch("client")
    network.run(600 * SECOND)
    (server,) = network.machines["server"].applications.values()
    is_whole(client, server)
    assert modes(network) == [True, True]
    assert box.changed > 0


@pytest.mark.clause("R8684-3.7-09")
def test_split_with_the_last_option() -> None:
    """The first text of all comes without a mapping: plain TCP, both ways, before anything was mapped."""
    network, client, server = talk(Splitter(500, "last"))
    is_whole(client, server)
    assert modes(network) == [False, False]


def test_joined_with_the_last_option() -> None:
    """Of two mappings only the second is left: the first text waits, and comes again."""
    network, client, server = talk(Joiner(4_500, "last"))
    assert REQUEST.startswith(server.inbox)
    assert len(set(modes(network))) <= 1


# -- altered text: RFC 8684 §3.7 ------------------------------------------------------------------


@pytest.mark.clause("R8684-3.7-13", "R8684-3.7-18", "R8684-3.7-19", "R8684-3.7-20", "R8684-3.7-21")
@pytest.mark.clause("R8684-3.7-22", "R8684-3.7-27", "R8684-3.7-28")
@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("way", [FORTH, BACK])
@pytest.mark.parametrize("which", [0, 1, 9, 25])
def test_altered(which: int, way: str, version: int) -> None:
    """With checksums: MP_FAIL, then TCP on the same subflow; only what was altered is altered."""
    choices = Choices(checksum=REQUIRE, version=version, lowest_version=version)
    box = Flipper(which, way)
    network, client, server = talk(box, choices=choices)
    assert box.changed == 1 or which == 25
    assert modes(network) == [not box.changed] * 2
    assert (client.outcome, server.outcome) == ("closed", "closed")
    for sent, received in ((REQUEST, server.inbox), (ANSWER, client.inbox)):
        assert len(received) == len(sent)
        differing = [at for at in range(len(sent)) if sent[at] != received[at]]
        assert len(differing) <= box.changed


@pytest.mark.clause("R8684-3.7-14")
def test_altered_without_checksums() -> None:
    """Nobody notices, as in plain TCP."""
    network, client, server = talk(Flipper(3))
    assert modes(network) == [True, True]
    assert len(server.inbox) == len(REQUEST)
    assert server.inbox != REQUEST


@pytest.mark.clause("R8684-3.7-13", "R8684-3.7-19", "R8684-3.7-20")
@pytest.mark.parametrize("new", [b"longer than before", b"short"])
def test_length_altered(new: bytes) -> None:
    """A helper that changes the length of the text: all after it goes on as in plain TCP."""
    old = b"10.0.0.1 port 7"
    request = REQUEST[:5_000] + old + REQUEST[5_000:]
    choices = Choices(checksum=REQUIRE)
    network, client, server = talk(Rewriter(old, new), Sender(request), choices=choices)
    assert server.inbox == request.replace(old, new)
    assert client.inbox == ANSWER
    assert modes(network) == [False, False]
    assert (client.outcome, server.outcome) == ("closed", "closed")


def test_every_option_is_known() -> None:
    """What boxes strip is all that MPTCP has."""
    assert len(set(MULTIPATH)) == len(MULTIPATH) == 16


def test_echo_through_crumbs() -> None:
    """A megabyte there and back in pieces of 700 octets."""
    text = octets(300_000)
    network, client, server = talk(Splitter(700), Sender(text), Echo())
    is_whole(client, server, text, text)
    assert modes(network) == [True, True]
