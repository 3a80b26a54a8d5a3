"""What is seen of a connection from beside it, and a path that dies and comes back."""

import asyncio
from typing import Any

import pytest

from mptcp.connection.info import SubflowInfo
from mptcp.values import Value
from mptcp_stack import watching
from mptcp_stack.streams import open_connection, start_server
from mptcp_stack.watching import Outage, Watcher


class Changes:
    """In place of a wire: what it was told to be."""

    def __init__(self) -> None:
        self.told: list[bool] = []

    def change(self, *, is_up: bool) -> None:
        self.told.append(is_up)


def vary(value: Value, **changes: Any) -> Any:
    """The same but for some fields."""
    return type(value)(*[changes.get(name, getattr(value, name)) for name in value.__match_args__])


def test_subflows_that_are_over_are_kept(run: Any, pair: Any) -> None:
    """Each subflow as it was last seen, in the order of their coming; a window only when it changes."""

    async def main() -> None:
        async with pair() as both:
            await start_server(lambda reader, writer: None, port=80, stack=both.right)
            _, writer = await open_connection("10.0.0.2", 80, stack=both.left)
            info = writer.get_extra_info("mptcp")
            (first,) = info.subflows
            second: SubflowInfo = vary(first, local_port=9, bytes_sent=5)
            watcher = Watcher()
            watcher.see(info)
            watcher.see(vary(info, subflows=(first, second)))
            watcher.see(vary(info, subflows=(vary(second, bytes_sent=7, snd_cwnd=12_345),)))
            assert [one.bytes_sent for one in watcher.subflows] == [0, 7]
            assert [window[1:3] for window in watcher.windows] == [
                (0, first.snd_cwnd),
                (1, first.snd_cwnd),
                (1, 12_345),
            ]
            writer.close()

    run(main())


@pytest.mark.parametrize("patient", [True, False])
def test_outage(monkeypatch: pytest.MonkeyPatch, patient: bool) -> None:
    """It begins once so much has come; cancelled on the way, the wire is whole again but nothing returned."""
    monkeypatch.setattr(watching, "LOOK", 0)
    wire, come = Changes(), iter(range(1_000))
    outage = Outage(wire, 100, 0 if patient else 1_000)  # type: ignore[arg-type]
    counted: list[int] = []

    def count() -> int:
        counted.append(next(come))
        return counted[-1]

    async def main() -> None:
        task = asyncio.create_task(outage.happen(count))
        while not wire.told:
            await asyncio.sleep(0)
        if not patient:
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert counted[-1] == 40
    assert wire.told == [False, True]
    assert outage.begun > 0 and (outage.ended >= outage.begun if patient else outage.ended == 0)
