"""The common form of benchmarks: ratios that say the same of speeds and of costs, and the page of figures."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).resolve().parent / "bench"


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("figures")


def test_ratio(figures: ModuleType) -> None:
    """Above 1 is better, be it speed or cost."""
    assert figures.Figure("", 20, "Mbit/s", "other", 10).ratio() == 2
    assert figures.Figure("", 20, "µs", "other", 10).ratio() == 0.5
    assert figures.Figure("", 20, "µs").ratio() is None


def test_goals(figures: ModuleType) -> None:
    """Of our figure or of the ratio; at least of what is good, at most of what costs."""
    assert figures.Figure("", 20, "Mbit/s", goal=20).is_met() is True
    assert figures.Figure("", 20, "Mbit/s", goal=21).is_met() is False
    assert figures.Figure("", 20, "octets", goal=19).is_met() is False
    assert figures.Figure("", 20, "Mbit/s", "other", 10, goal_ratio=3).is_met() is False
    assert figures.Figure("", 20, "Mbit/s", "other", None, goal_ratio=3).is_met() is None
    assert figures.Figure("", 20, "Mbit/s").is_met() is None
    assert figures.Figure("", 2, "octets", goal=8_192).say_goal() == "≤ 8,192"


def test_rounds(figures: ModuleType) -> None:
    """Of a row, the turn with the median ratio counts, whole as it is; rows stay in their order."""
    rounds = figures.Rounds("Mbit/s")
    for ours, theirs in ((10, 10), (40, 10), (60, 20)):
        rounds.add("a", ours, "b", theirs, 2)
        rounds.add("a", ours, "c", 1)
    first, second = rounds.find_middle()
    assert (first.ours, first.theirs, first.other, first.is_met()) == (60, 20, "b", True)
    assert (second.ours, second.other, second.is_met()) == (40, "c", None)


def test_page(figures: ModuleType, tmp_path: Path) -> None:
    """Everything that was measured stands there, also after it was written to a file."""
    page = importlib.import_module("page")
    curve = figures.Curve("time", "windows", "µs", [(1, 2.0), (2, 2.5)])
    figure = figures.Figure("kernel to us", 1_234.5, "Mbit/s", "the kernel", 2_469, goal_ratio=0.7)
    table = figures.Table("Bulk", [figure], ["somebody is absent"], [curve])
    figures.write_json(tmp_path / "run.json", figures.pack(table))
    assert figures.unpack(figures.pack(table)) == table
    text = page.make_page({"machine": {"Cores": "2"}, "tables": {"bulk": figures.pack(table)}})
    for words in ("Cores", "Bulk\n----\n", "1,234", "0.50", "ratio ≥ 0.7", "**no**", "somebody is absent"):
        assert words in text
    pytest.importorskip("matplotlib")
    page.plot(table.curves, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 1_000
