"""The ladder without its labs: which rungs there are, who climbs when, and what is written of it."""

import asyncio
import dataclasses
import io
import json

import pytest
from rich.console import Console

from mptcp.journal import Journal
from mptcp_stack.ladder import climb, climbers
from mptcp_stack.ladder.climbers import Climb, choose, conclude, describe, draw, draw_list, summarize
from mptcp_stack.ladder.rung import CLIENT, FELL, KERNEL, OK, SERVER, SKIPPED, Fell, Result, Rung

RESULTS = [
    Result("loss-1%", 4, CLIENT, OK, 2_000_000, 2.0, 1_448, 7, "", {"TcpExtTCPSackRecovery": 3}),
    Result("loss-1%", 6, KERNEL, OK, 10, 0.0),
    Result("mtu-9000", 6, SERVER, FELL, words="not done within 60 s"),
    Result("reset", 4, CLIENT, SKIPPED, words="no root"),
]


async def do_nothing(ground: object) -> None:
    """A rung that nobody knows."""


def show(thing: object) -> str:
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(thing)
    return console.export_text()


def test_rungs_have_names_of_their_own() -> None:
    """No two have the same name, each says what it is about, and each is tried at least once."""
    rungs = choose("all", ())
    assert len({rung.name for rung in rungs}) == len(rungs)
    assert all(rung.about and rung.cases() for rung in rungs)
    assert all(climb.find_rung(rung.name) is rung for rung in rungs)


@pytest.mark.parametrize(
    "group", ["subflows", "errors", "signal", "timeout", "ports", "mixed", "add", "remove", "endpoint",
              "backup", "link", "cookies", "checksum", "deny", "fullmesh", "fastclose", "fail", "slow",
              "crowd", "gigabyte"],
)  # fmt: skip
def test_what_the_mptcp_ladder_has(group: str) -> None:
    """The groups of the kernel's own tests of joins, and what else a stack must stand; in both roles."""
    cases = [case for rung in choose("mptcp", (group,)) for case in rung.cases()]
    if group != "mixed":
        assert {role for _, role in cases} == {CLIENT, SERVER}
    if group not in ("mixed", "gigabyte"):
        assert {family for family, _ in cases} == {4, 6}


@pytest.mark.parametrize(
    "group", ["octets", "loss", "reordering", "duplicates", "half", "open", "close", "reset", "window",
              "scaling", "timestamps", "sack", "crowd", "mtu", "path", "fast", "cookies"],
)  # fmt: skip
def test_what_the_tcp_ladder_has(group: str) -> None:
    """Both families of everything, and both roles of everything that has two."""
    rungs = choose("tcp", (group,))
    assert all(rung.name.startswith(group) for rung in rungs)
    assert {family for rung in rungs for family, _ in rung.cases()} == {4, 6}
    if group != "open":
        assert {role for rung in rungs for _, role in rung.cases()} >= {CLIENT, SERVER}


def test_wrong_names() -> None:
    """One sentence."""
    with pytest.raises(ValueError, match="there is no ladder down: there are all, tcp, mptcp"):
        choose("down", ())
    with pytest.raises(ValueError, match="there is no rung that: --list names them"):
        choose("tcp", ("octets", "that"))


def test_a_rung_whose_process_dies_has_fallen() -> None:
    """Every case of it, with what the process said last; the others are not concerned."""
    heard: list[Result] = []
    rungs = [Rung("unheard-of", "nothing", do_nothing), Rung("unknown", "alone", do_nothing, alone=True)]
    results = asyncio.run(Climb(rungs, heard.append).run())
    assert [(one.rung, one.family, one.role, one.verdict) for one in results] == [
        (rung.name, family, role, FELL) for rung in rungs for family, role in rung.cases()
    ]
    assert {one.words for one in results} == {
        "KeyError: 'there is no rung unheard-of'",
        "KeyError: 'there is no rung unknown'",
    }
    assert sorted(heard, key=str) == sorted(results, key=str)


def test_who_is_alone() -> None:
    """A rung that wants the machine for itself gets it; others share it."""

    async def main() -> None:
        climb = Climb([], lambda result: None)
        inside: list[str] = []

        async def stay(name: str, alone: bool) -> None:
            async with climb._take(alone):
                inside.append(name)
                assert not alone or inside == [name]
                assert len(inside) <= climbers.WIDTH
                for _ in range(5):
                    await asyncio.sleep(0)
                    assert not alone or inside == [name]
                inside.remove(name)

        names = ["a", "B", "c", "d", "e", "F", "g", "h"]
        await asyncio.gather(*(stay(name, name.isupper()) for name in names))

    asyncio.run(main())


def test_the_table() -> None:
    """Who, how much, how fast, what was sent again, and why it fell."""
    text = show(draw(RESULTS))
    rows = [line.split("│")[1:-1] for line in text.splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in row] for row in rows]
    assert cells[0] == [
        "loss-1%", "v4", "client", "2,000,000", "2.00", "8", "1448", "7", "ok", "TCPSackRecovery 3"
    ]  # fmt: skip
    assert cells[1][2] == "absent"
    assert cells[2][8:] == ["fell", "not done within 60 s"]
    assert cells[3][8:] == ["skipped", "no root"]
    assert "octets-1M" in show(draw_list("tcp", ("octets",)))


def test_deviations_have_a_column() -> None:
    """Where the kernel was seen to do what the RFC does not; counters that always rise are left out."""
    witness = {"MPTcpExtMPCapableSYNRX": 1, "MPTcpExtRmAddrTx": 2, "MPTcpExtOFOQueue": 9}
    one = Result("remove", 4, CLIENT, OK, 10, 0.5, witness=witness, noted={"join failed": 1},
                 deviations="is rude [R8684-3.4.2-16]")  # fmt: skip
    text = show(draw([RESULTS[0], one]))
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if "│ v4" in line]
    assert rows[1][8:] == ["ok", "RmAddrTx 2; join failed 1", "is rude [R8684-3.4.2-16]"]
    assert rows[0][10] == ""
    assert climbers.spell({"MPTcpExtMPCapableSYNRX": 1}) == "MPCapableSYNRX 1"


def test_lines() -> None:
    """One for each result, one for all; what was skipped is said aloud."""
    assert show(describe(RESULTS[2])).strip() == "fell mtu-9000 IPv6 server, 0.0 s: not done within 60 s"
    last = show(conclude(RESULTS, 3.2)).strip()
    assert last == "2 of 4 ok, 1 fell, 1 skipped, so not tried (no root), in 3 s"


def test_json() -> None:
    """The same for programs, and a result survives the way."""
    summary = json.loads(json.dumps(summarize(RESULTS, 3.25)))
    assert summary["is_good"] is False
    assert Result(**summary["results"][0]) == dataclasses.replace(RESULTS[0], sha256=[])
    assert summarize(RESULTS[:2], 1)["is_good"] is True


def test_what_happened_last() -> None:
    """Of a rung that is not done in time."""
    journal = Journal(9)
    assert climb.tell_last(journal) == ""
    journal.note(1_000_000, "subflow 1.0", "active OPEN", "CLOSED -> SYN-SENT")
    journal.note(2_500_000, "connection 1", "MP_FAIL received")
    assert climb.tell_last(journal) == "; last noted, after 1.5 s, by connection 1: MP_FAIL received"


def test_first_thing_that_went_wrong() -> None:
    """In the words of whoever met it."""
    group = BaseExceptionGroup("several", [ExceptionGroup("one", [Fell("it broke")]), OSError(5, "other")])
    assert climb.explain(group) == "it broke"
    assert climb.explain(OSError(5, "input")) == "input"
    assert climb.explain(KeyError("x")) == "KeyError('x')"
    assert dataclasses.replace(RESULTS[0], verdict=FELL) != RESULTS[0]
