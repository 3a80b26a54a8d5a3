"""The catalogue of clauses, the ledger over it, and what both say of this tree."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mptcp_proofs import clause_commands
from mptcp_proofs.citations import Citation, find_code, find_tests, find_theorems, read_theorems
from mptcp_proofs.clauses import LEVELS, Clause, parse_catalogue
from mptcp_proofs.ledger import Entry, compute_coverage, find_tree, load_ledger
from mptcp_proofs.mutants import change
from mptcp_proofs.needs import escape, make_needs
from mptcp_proofs.registry import THEOREMS
from mptcp_proofs.scope import BUILT, is_built

ROOT = Path(__file__).resolve().parent.parent.parent
LEDGER = load_ledger(ROOT)
RUNNER = CliRunner()

ROLES = {"both", "sender", "receiver", "initiator", "listener", "API", "path manager", "scheduler"}


# -- the catalogue --------------------------------------------------------------------------------


def find_faults(clause: Clause) -> list[str]:
    """What is wrong with the form of a clause."""
    faults = {
        "the id names another section": not clause.id.startswith(f"R{clause.rfc}-{clause.section}-"),
        "no such level": clause.level not in LEVELS,
        "no such role": clause.role not in ROLES,
        "no subject": not clause.subject,
        "the text is no sentence": not clause.text.endswith((".", "?", ")")),
        "white space": clause.text != " ".join(clause.text.split()),
        "filed without a reason": not clause.met and len(clause.why) < 20,
        "a reason, but not filed": clause.met and bool(clause.why),
    }
    return [f"{clause.id}: {what}" for what, is_so in faults.items() if is_so]


def test_clauses_are_whole() -> None:
    """An id names its RFC and section; the words are a sentence; what is filed says why, and only that."""
    clauses = LEDGER.catalogue.clauses.values()
    assert [fault for clause in clauses for fault in find_faults(clause)] == []
    assert len(find_faults(Clause("R1000-2-01", "WOULD", "3", "nobody", "", " a", met=False))) == 7


def test_catalogue_is_all_there() -> None:
    """Sixteen RFCs at least; the ids of one section count up without a gap."""
    assert len(LEDGER.catalogue.titles) >= 16
    numbers: dict[str, list[int]] = {}
    for clause in LEDGER.catalogue.clauses.values():
        section, _, number = clause.id.rpartition("-")
        numbers.setdefault(section, []).append(int(number))
    assert {
        section: all_of for section, all_of in numbers.items() if all_of != list(range(1, len(all_of) + 1))
    } == {}


@pytest.mark.parametrize("rfc", [6356, 6897, 8684])
def test_every_key_word_has_its_clause(rfc: int) -> None:
    """Section by section there are as many clauses of each level as key words of RFC 2119 in the text."""
    path = ROOT / "tests" / "data" / f"keywords-rfc{rfc}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["section"] != "TOTAL"]
    wanted = Counter(
        {(row["section"], level): int(row[level]) for row in rows for level in LEVELS if level in row}
    )
    clauses = [entry.clause for entry in LEDGER.select(rfc) if entry.clause.level != "IMPLIED"]
    assert Counter((one.section, one.level) for one in clauses) == +wanted
    assert sum(int(row["total"]) for row in rows) == len(clauses)


def test_labels_are_unique() -> None:
    """RFC 9293's own names for its requirements: each of MUST-1 … once, as far as the catalogue has them."""
    labels = Counter(one.label for one in LEDGER.catalogue.clauses.values() if one.label)
    assert [label for label, count in labels.items() if count > 1] == []
    assert LEDGER.catalogue.find("must-34") is LEDGER.catalogue.clauses["R9293-3.8.6-01"]


# -- this tree ------------------------------------------------------------------------------------


def test_each_rfc_has_its_page() -> None:
    """The pages would not be written without it."""
    for rfc in LEDGER.catalogue.titles:
        page = (ROOT / "docs" / "clauses" / f"rfc{rfc}.rst").read_text(encoding="utf-8")
        assert page.startswith(f"RFC {rfc}\n") and f".. clauses:: {rfc}\n" in page


def test_no_stale_mutant() -> None:
    """The text that a theorem's mutant changes stands in the source, once: whoever moves it moves both."""
    for theorem in THEOREMS:
        for mutant in theorem.mutants:
            assert change(mutant), theorem.id


def test_no_unknown_clause() -> None:
    """Every id in code, tests and theorems is in the catalogue."""
    assert [f"{one.path}:{one.line} {one.id}" for one in LEDGER.unknown] == []


def test_no_orphan() -> None:
    """Every clause of an RFC that is built is met, or filed with its reason."""
    orphans = [
        f"{entry.clause.id} {entry.standing}: {entry.clause.text}"
        for entry in LEDGER.entries.values()
        if is_built(entry.clause) and entry.standing in ("partly", "open")
    ]
    assert orphans == []


def test_what_is_built_has_clauses() -> None:
    """Each RFC that is said to be built is in the catalogue, with its clauses."""
    assert set(BUILT) <= {clause.rfc for clause in LEDGER.catalogue.clauses.values()}


# Of the RFCs of Multipath TCP itself, so many clauses may be filed and no more.
MOST_FILED = {8684: 10, 6356: 10, 6824: 3}


@pytest.mark.parametrize("rfc", MOST_FILED)
def test_few_are_filed(rfc: int) -> None:
    """What is filed is the exception."""
    filed = [one for one in LEDGER.entries.values() if one.clause.rfc == rfc and one.standing == "filed"]
    assert len(filed) <= MOST_FILED[rfc]


def test_theorems_have_clauses() -> None:
    """Each theorem names at least one clause or section, and has an id of its own."""
    assert [one.id for one in LEDGER.theorems if not one.id or not (one.clauses or one.sections)] == []
    ids = Counter(one.id for one in LEDGER.theorems)
    assert [id for id, count in ids.items() if count > 1] == []


# -- the ledger itself ----------------------------------------------------------------------------

TOML = """# RFC 1, Host Software.

["R1000-2-01"]
level = "MUST"
section = "2"
role = "both"
subject = "wire"
text = "Something."

["R1000-2-02"]
level = "MAY"
section = "2"
role = "both"
subject = "wire"
text = "Something else."
met = false
why = "Nobody needs it."

["R1000-10-01"]
level = "SHOULD"
section = "10"
role = "both"
subject = "wire"
text = "A third thing."

["R1000-A-01"]
level = "IMPLIED"
section = "A"
role = "both"
subject = "keys"
text = "A fourth thing."
"""
CODE = '''"""Of [R1000-A-01]."""
LIMIT = 3  # [R1000-2-01]
class Thing:
    def does(self) -> str:
        # [R1000-2-01] [R1000-9-01]
        return "R1000-10-01"
'''
TEST = """import pytest
pytestmark = pytest.mark.clause("R1000-A-01")
CASES = [pytest.param(1, marks=pytest.mark.clause("R1000-2-02"))]
class TestThing:
    @pytest.mark.parametrize("case", CASES)
    @pytest.mark.clause("R1000-2-01", "R1000-10-01")
    def test_it(self, case: int) -> None: ...
    @pytest.mark.clause(*IDS)
    def test_other(self) -> None: ...
"""
CLAIMS = """THEOREMS = (
    Theorem(id="T1", name="one", words="It is"
    " so.", clauses=("R1000-2-01",), bounds="All.", unclaimed="No more."),
)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree with code, a test and a theorem."""
    for path, text in (
        ("spec/mptcp/clauses/rfc1000.toml", TOML),
        ("spec/mptcp/thing.py", CODE),
        ("tests/test_thing.py", TEST),
        ("proofs/mptcp_proofs/claims/some.py", CLAIMS),
    ):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path


def test_order() -> None:
    """Sections as a reader counts them: 2 before 10, appendices last."""
    catalogue = parse_catalogue([TOML])
    assert list(catalogue.clauses) == ["R1000-2-01", "R1000-2-02", "R1000-10-01", "R1000-A-01"]
    assert catalogue.titles == {1000: "Host Software"}


def test_code_is_found(tree: Path) -> None:
    """Margins by the function, class or constant around them; verdicts too; each id once a line."""
    path = "spec/mptcp/thing.py"
    assert list(find_code(tree)) == [
        Citation("R1000-A-01", path, 1, ""),
        Citation("R1000-2-01", path, 2, "LIMIT"),
        Citation("R1000-2-01", path, 5, "Thing.does"),
        Citation("R1000-9-01", path, 5, "Thing.does"),
        Citation("R1000-10-01", path, 6, "Thing.does"),
    ]


def test_tests_are_found(tree: Path) -> None:
    """Markers of a module, a parameter and a method; what is not literal is an id that nobody knows."""
    found = {(one.id, one.name) for one in find_tests(tree)}
    assert found == {
        ("R1000-A-01", "pytestmark"),
        ("R1000-2-02", "CASES"),
        ("R1000-2-01", "TestThing.test_it"),
        ("R1000-10-01", "TestThing.test_it"),
        ("*IDS", "TestThing.test_other"),
    }


def test_theorems_are_found(tree: Path) -> None:
    """What a theorem says is read from its text; nothing is imported."""
    (theorem,) = read_theorems(tree)
    assert (theorem.id, theorem.words, theorem.unclaimed) == ("T1", "It is so.", "No more.")
    assert [(one.id, one.name) for one in find_theorems(tree)] == [("R1000-2-01", "T1 one")]


def test_standings(tree: Path) -> None:
    """Met with code and evidence, partly with one of them, open with none; filed whatever else there is."""
    ledger = load_ledger(tree)
    standings = {id: entry.standing for id, entry in ledger.entries.items()}
    assert standings == {
        "R1000-2-01": "met",
        "R1000-2-02": "filed",
        "R1000-10-01": "met",
        "R1000-A-01": "met",
    }
    assert [one.id for one in ledger.unknown] == ["R1000-9-01", "*IDS"]
    clause = ledger.catalogue.clauses["R1000-2-01"]
    here = [Citation(clause.id, "", 1, "")]
    assert Entry(clause).standing == "open"
    assert Entry(clause, code=here).standing == Entry(clause, theorems=here).standing == "partly"
    assert Entry(clause, code=here, theorems=here).standing == "met"
    assert compute_coverage(ledger.entries.values()).met == 3
    assert [entry.clause.id for entry in ledger.select(1000, "2", "MAY")] == ["R1000-2-02"]


def test_what_is_built_goes_by_rfc() -> None:
    """All clauses of an RFC, or none."""
    clause = Clause("R1000-3.1-01", "MUST", "3.1", "both", "wire", "…")
    assert is_built(clause, [1001, 1000]) and not is_built(clause, [1001]) and not is_built(clause, [])


def test_needs(tree: Path) -> None:
    """Clauses link to their theorems; the words are reStructuredText that says the same."""
    needs = make_needs(load_ledger(tree))["versions"].popitem()[1]["needs"]
    assert needs["R1000-2-01"]["proved_by"] == ["T1"]
    assert escape("a*b and c_") == r"a\*b and c\_"
    assert needs["T1"]["unclaimed"] == "No more."
    assert json.dumps(needs)


# -- the command ----------------------------------------------------------------------------------


def run(*arguments: str) -> str:
    """What `mptcp clauses` prints; it must succeed."""
    application = clause_commands.typer.Typer()
    application.command()(clause_commands.clauses)
    result = RUNNER.invoke(application, arguments, env={"COLUMNS": "120"}, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_command_counts() -> None:
    """Without arguments: by RFC and by level; with an RFC by section and by level."""
    output = run()
    assert "9293" in output and "MUST NOT" in output and f"{len(LEDGER.entries)} clauses" in output
    assert "3.3.1" in run("--rfc", "8684")


def test_command_lists() -> None:
    """A section, a level, what is missing: one line and more for each clause."""
    listed = run("--section", "3.3.1", "--level", "must-not")
    assert "R8684-3.3.1-04" in listed and "R8684-3.3.1-14" in listed and "R8684-3.3.1-06" not in listed
    assert "R5961-3.2-01" not in run("--missing", "--rfc", "5961")


def test_command_shows_one() -> None:
    """One clause, by id or label, with all that carries its id."""
    output = run("R8684-3.3.1-04")
    assert "spec/mptcp/connection/mapping.py" in output and "tests/mptcp/connection" in output
    assert "R9293-3.8.6-01" in run("MUST-34")


def test_command_speaks_json() -> None:
    """The same for programs, with a format number."""
    answer = json.loads(run("--json", "--rfc", "5961"))
    assert answer["format"] == clause_commands.FORMAT and answer["tree"] is True
    assert answer["coverage"]["clauses"] == len(answer["clauses"]) == 6
    assert {one["standing"] for one in answer["clauses"]} <= {"met", "filed"}
    assert json.loads(run("--json", "MUST-34"))["clauses"][0]["label"] == "MUST-34"


@pytest.mark.parametrize(
    "arguments", [["R8684-9-99"], ["--rfc", "1"], ["--section", "99"], ["--level", "would"]]
)
def test_command_refuses(arguments: list[str]) -> None:
    """What is not in the catalogue is one sentence."""
    with pytest.raises(clause_commands.Refused):
        run(*arguments)


def test_without_a_tree(capsys: pytest.CaptureFixture[str]) -> None:
    """Away from any tree the installed catalogue is still there, and one sentence says what is not."""
    assert find_tree() == ROOT
    ledger = load_ledger(None)
    assert list(ledger.entries) == list(LEDGER.entries) and ledger.root is None
    entries = list(ledger.entries.values())
    assert {entry.standing for entry in entries} == {"filed", "unread"}
    clause_commands.print_coverage(entries, "level", ledger)
    clause_commands.print_list(entries[:3])
    clause_commands.print_entry(entries[0], ledger)
    clause_commands.print_totals(entries, ledger)
    output = capsys.readouterr().out
    assert clause_commands.NO_TREE in output and "partly" not in output
