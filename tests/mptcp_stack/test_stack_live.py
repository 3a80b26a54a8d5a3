"""What a person sees while a conversation goes on."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mptcp.connection.info import SubflowInfo
from mptcp_stack.conversation import Wishes
from mptcp_stack.live import COLUMNS, Board, Rates, draw_subflows

LEFT, RIGHT = bytes([10, 77, 0, 2]), bytes([10, 77, 0, 1])


@dataclass
class Info:
    """In place of a connection's: what is shown of it."""

    subflows: tuple[SubflowInfo, ...]
    bytes_acked: int = 1_500
    bytes_received: int = 10


def make(port: int = 8000, **changes: Any) -> SubflowInfo:
    """A subflow that has sent 2,000 octets and received 1,000."""
    fields: dict[str, Any] = dict.fromkeys(SubflowInfo.__match_args__, 0)
    fields.update(state="ESTABLISHED", joining="established", local=LEFT, remote=RIGHT, local_port=port)
    fields.update(is_backup=False, bytes_sent=2_000, bytes_received=1_000, srtt=50_200, snd_cwnd=14_240)
    return SubflowInfo(**{**fields, **changes})


def draw(*subflows: SubflowInfo) -> list[str]:
    """The table's lines."""
    console = Console(width=110)
    with console.capture() as capture:
        console.print(draw_subflows(subflows, [1.25] * len(subflows)))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_a_line_for_each_subflow() -> None:
    """Its ends, its state and whether it is for backup, octets both ways, rate, round trip and window."""
    head, first, second = draw(
        make(), make(remote=bytes(15) + b"\1", local=bytes(16), joining="requested", is_backup=True)
    )
    assert all(word in head for word in COLUMNS)
    assert first.split() == [
        "10.77.0.2", "-", "10.77.0.1", "ESTABLISHED", "2,000", "1,000", "1.2", "50.2", "14,240",
    ]  # fmt: skip
    assert ":: - ::1" in second and "ESTABLISHED (joining), backup" in second


def test_rates() -> None:
    """What came and went since the look before; a subflow that is new began with nothing."""
    rates = Rates()
    assert rates.look([make()], 10.0) == [0.0]
    later = [make(bytes_sent=127_000), make(port=8001, bytes_sent=0)]
    assert rates.look(later, 10.5) == [2.0, 1_000 * 8 / 1e6 / 0.5]
    assert rates.look(later[1:], 11.0) == [0.0]
    assert rates.look(later[1:], 11.0) == [0.0]


@pytest.mark.parametrize("wanted", [True, False])
def test_board_on_a_terminal(monkeypatch: pytest.MonkeyPatch, wanted: bool) -> None:
    """Bars and subflows on standard error while somebody watches, and nothing of them stays."""
    looks: list[Info] = []

    def look() -> Any:
        looks.append(Info((make(),)))
        return looks[-1]

    async def main() -> None:
        async with Board(wanted, 2_000, look):
            while wanted and not looks:
                await asyncio.sleep(0)

    master, slave = os.openpty()
    with os.fdopen(slave, "w") as terminal:
        for name, value in (("TERM", "xterm"), ("COLUMNS", "120")):
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stderr", terminal)
        asyncio.run(main())
        terminal.write("the end")
        terminal.flush()
        shown = ""
        while not shown.endswith("the end"):
            shown += os.read(master, 65_536).decode(errors="replace")
    os.close(master)
    words = ("sent", "1.5/2.0 kB", "10/? bytes", "10.77.0.2 - 10.77.0.1", "ESTABLISHED")
    assert [word in shown for word in words] == [wanted] * len(words)
    assert shown.endswith("\x1b[2Kthe end" if wanted else "the end")  # its lines are erased
    assert wanted or shown == "the end"


@pytest.mark.parametrize(("as_json", "quiet"), [(False, False), (True, False), (False, True)])
def test_who_wants_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, as_json: bool, quiet: bool) -> None:
    """Whoever watches a terminal where nothing else is written, and asks neither for JSON nor for silence."""
    for is_watched in (True, False):
        monkeypatch.setattr(sys.stderr, "isatty", lambda is_watched=is_watched: is_watched)
        with Wishes(None, tmp_path / "out", as_json, quiet) as wishes:
            assert wishes.wants_board == (is_watched and not as_json and not quiet)
