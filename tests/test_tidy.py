"""The walls of the house: what may import what, how long things are, how values and records are written.

``LEVELS`` is the table to extend when a module is added. Each rule is a function from a module to the
sentences that say what is wrong with it; below them, each rule is shown to catch what it is there for.
"""

import ast
import os
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from mptcp_proofs.source import Module, Source, find_assigned, find_circle, find_init

ROOT = Path(__file__).resolve().parent.parent
SOURCE = Source(ROOT)

# Level, folder of spec/mptcp ("." is itself), modules. A module imports from lower levels and from those
# written before it in its folder. Within one level, spec/mptcp's own rows and the folders' may also look
# up the page, but no folder sees another.
LEVELS = """
0 .          native numbers parameters errors values choices journal
1 wire       octets checksum ip icmp options handshake dss addresses endings segment cutting budget
1 .          keys chance intervals queue
2 congestion controller newreno cubic coupling lia kinds
3 subflow    path_mtu ecn state arrival blocks phase scoreboard control selective timers negotiate
3 subflow    unreachable discovery rack spurious reduction recovery expire acknowledge arrive reopen
3 subflow    alive transmit subflow
4 scheduler  scheduler lowest_rtt
4 paths      manager fullmesh kinds
5 .          events
5 connection state joining spans mapping book control reasons acknowledge abort fallback initiate join
5 connection addresses reinject receive fast send close patience news info connection
6 .          agenda ports interfaces listeners destinations known_paths cookies fast_open assembly registry
6 .          multihomed host
7 .          api
"""

PURE = {"bisect", "builtins", "collections", "collections.abc", "enum", "hashlib", "heapq", "hmac", "typing"}
PURE |= {"librt.strings"}
TOOLS = {"rich", "typer"}  # of the command line
PACKAGES = {  # of ours: which others of ours it may import, and which of other people's
    "mptcp": ({"mptcp"}, {"librt"}),
    "mptcp_stack": ({"mptcp", "mptcp_stack"}, {"pyroute2", *TOOLS}),
    "mptcp_model": ({"mptcp", "mptcp_model"}, {"hypothesis", "librt", "matplotlib", *TOOLS}),
    "mptcp_proofs": ({"mptcp", "mptcp_model", "mptcp_proofs"}, {"hypothesis", "librt", "z3", *TOOLS}),
}
# The build switch runs before the protocol is imported, and is not part of it.
SWITCH = {"mptcp": {"importlib.machinery", "importlib.util", "os", "sys"}}

# Folders of tests/ beside those that mirror a package: what the packages do together, and with Linux.
TOGETHER = {"linux"}

LONGEST_FILE = 500  # lines
LONGEST_FUNCTION = 60  # lines of code in its body
DECORATORS = {"final", "mypyc_attr", "staticmethod", "classmethod", "property"}
IMPURE = {"open", "print", "input", "eval", "exec", "compile", "globals", "__import__", "float"}
WIRE_NUMBERS = {"sequence", "acknowledgment"}  # 32-bit residues: compared by before() and after()
DRIVING = {"mptcp_stack.framing", "mptcp_stack.device", "mptcp_stack.loop"}  # compiled, as setup.py has it
OPEN = "mypyc_attr(allow_interpreted_subclasses=True)"
TAG = re.compile(r"R\d{4}-[0-9A-Z]+(\.\d+)*-\d{2,3}")
SOMEBODYS_HOME = re.compile(r"(?<![\w.:/-])/(?:root|home|work|Users|mnt)/\w")


@cache
def find_places() -> dict[str, tuple[int, str, int, int]]:
    """Of each module of the table: its level, its folder, its row and its place in the row."""
    places = {}
    for row, line in enumerate(LEVELS.strip().splitlines()):
        level, folder, *modules = line.split()
        for place, module in enumerate(modules):
            name = "mptcp." + module if folder == "." else f"mptcp.{folder}.{module}"
            places[name] = (int(level), folder, row, place)
    return places


def may_import(own: str, target: str) -> bool:
    level, folder, row, place = find_places()[own]
    their_level, their_folder, their_row, their_place = find_places()[target]
    if row == their_row:
        return their_place < place
    if level == their_level:
        return their_row < row and (folder == their_folder or "." in (folder, their_folder))
    return their_level < level


# -- the rules ------------------------------------------------------------------------------------


def check_levels(module: Module) -> Iterator[str]:
    """Within spec/mptcp, arrows point down."""
    if not module.is_core or module.name == "mptcp":
        return
    if module.path.endswith("__init__.py"):
        yield from ("a folder's __init__ imports nothing" for _ in module.imports)
    elif module.name not in find_places():
        yield "is not in the table of levels"
    else:
        for one in module.imports:
            if one.target in find_places() and not may_import(module.name, one.target):
                yield f"line {one.line} reaches up to {one.target}"
            elif one.target.split(".")[0] == "mptcp" and one.target not in find_places():
                yield f"line {one.line} imports {one.target}, which is not in the table of levels"


def check_packages(module: Module) -> Iterator[str]:
    """Between packages, arrows point to mptcp; other people's packages are the declared ones."""
    top = module.name.split(".")[0]
    if top not in PACKAGES:
        return
    ours, theirs = PACKAGES[top]
    for one in module.imports:
        target = one.target.split(".")[0]
        if target == "":
            yield f"line {one.line} has a relative import"
        elif target not in ours | theirs | sys.stdlib_module_names and not one.typing_only:
            yield f"line {one.line} imports {target}"


def check_purity(module: Module) -> Iterator[str]:
    """The protocol has no clock, chance, socket, file or log."""
    if not module.is_core:
        return
    for one in module.imports:
        allowed = PURE | SWITCH.get(module.name, set())
        if one.target.split(".")[0] == "mptcp" or one.target in allowed:
            continue
        if not (one.typing_only and one.target == "mypy_extensions"):
            yield f"line {one.line} imports {one.target}, which is not pure"
    for node in module.nodes:
        if isinstance(node, ast.Name) and node.id in IMPURE:
            yield f"line {node.lineno} uses {node.id}"
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            yield f"line {node.lineno} has state outside the records"


def check_floats(module: Module) -> Iterator[str]:
    """All arithmetic of the protocol is on integers."""
    for node in module.nodes if module.is_core else ():
        if isinstance(node, ast.Constant) and isinstance(node.value, (float, complex)):
            yield f"line {node.lineno} has the float {node.value}"
        elif isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div):
            yield f"line {node.lineno} divides into a float"


def check_plainness(module: Module) -> Iterator[str]:
    """No closures and no decorators of rules: what mypyc compiles slowly and a reader must unfold."""
    if not module.is_core or module.name == "mptcp":
        return
    for function in module.functions():
        for node in ast.walk(function):
            if node is not function and isinstance(
                node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
            ):
                yield f"line {node.lineno} is nested in {function.name}"
    for node in module.nodes:
        if isinstance(node, ast.Lambda):
            yield f"line {node.lineno} has a lambda"
        for decorator in getattr(node, "decorator_list", []):
            if ast.unparse(decorator).partition("(")[0] not in DECORATORS:
                yield f"line {node.lineno} is decorated with {ast.unparse(decorator)}"


def check_length(module: Module) -> Iterator[str]:
    """A file over 500 lines is two files, a function over 60 lines of code two functions.

    What only lists the variables of a record does not count as code.
    """
    lines = module.text.splitlines()
    if len(lines) > LONGEST_FILE:
        yield f"has {len(lines)} lines"
    for function in module.functions():
        first = function.body[1 if ast.get_docstring(function) is not None and len(function.body) > 1 else 0]
        body = [line.strip() for line in lines[first.lineno - 1 : function.end_lineno]]
        weightless = ("#", "self.") if function.name == "__init__" else ("#",)
        code = sum(1 for line in body if line and not line.startswith(weightless))
        if code >= LONGEST_FUNCTION:
            yield f"line {function.lineno}: {function.name} has {code} lines of code"


def check_docstring(module: Module) -> Iterator[str]:
    """Every module says what it is."""
    if not ast.get_docstring(module.tree):
        yield "has no docstring"


def check_comparisons(module: Module) -> Iterator[str]:
    """Sequence numbers as they stand on the wire are circular: `<` does not order them."""
    for node in module.nodes if module.path.startswith("spec/") else ():
        if isinstance(node, ast.Compare) and any(
            isinstance(operator, (ast.Lt, ast.LtE, ast.Gt, ast.GtE)) for operator in node.ops
        ):
            for side in (node.left, *node.comparators):
                if isinstance(side, ast.Attribute) and side.attr in WIRE_NUMBERS:
                    yield f"line {node.lineno} orders {ast.unparse(side)}"


def check_values(module: Module) -> Iterator[str]:
    """A value names its fields in the order of its __init__, and all its attributes are Final."""
    for definition, line in SOURCE.find_family(module, "Value") if module.name else ():
        inits = [init for _, one in line if (init := find_init(one)) is not None]
        fields = SOURCE.read_names(line, "__match_args__")
        taken = [one.arg for one in (inits[0].args.args + inits[0].args.kwonlyargs)[1:]] if inits else []
        where = f"line {definition.lineno}: {definition.name}"
        if fields != taken:
            yield f"{where} has the fields {fields} and takes {taken}"
        final = {
            ast.unparse(node.target).removeprefix("self.")
            for _, one in line
            for node in ast.walk(one)
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation).startswith("Final")
        }
        for name in sorted((set(fields) | find_assigned(definition)) - final):
            yield f"{where}.{name} is not Final"


def is_compiled(module: Module) -> bool:
    """Whether there is an extension of it: as setup.py has it."""
    if module.name.startswith("mptcp_model.decoding."):
        return module.name != "mptcp_model.decoding.lines"
    return module.name in DRIVING or (module.is_core and module.name != "mptcp")


def check_heirs(module: Module) -> Iterator[str]:
    """An interpreted class cannot descend from a compiled one that does not say so."""
    for definition in module.classes() if not is_compiled(module) else ():
        for parent, one in SOURCE.find_line(module, definition)[1:]:
            if is_compiled(parent) and OPEN not in map(ast.unparse, one.decorator_list):
                yield f"line {definition.lineno}: {definition.name} descends from the compiled {one.name}"


def check_records(module: Module) -> Iterator[str]:
    """A record's FIELDS and SHARED together are its attributes, unless it does its own copying."""
    for definition, line in SOURCE.find_family(module, "Record", "State"):
        if {"copy", "key"} <= {one.name for one in definition.body if isinstance(one, ast.FunctionDef)}:
            continue
        named = Counter(SOURCE.read_names(line, "FIELDS") + SOURCE.read_names(line, "SHARED"))
        assigned = set().union(*(find_assigned(one) for _, one in line))
        where = f"line {definition.lineno}: {definition.name}"
        yield from (
            f"{where}.{name} is in neither FIELDS nor SHARED" for name in sorted(assigned - named.keys())
        )
        yield from (f"{where} has no {name}" for name in sorted(named.keys() - assigned))
        yield from (f"{where} names {name} twice" for name, count in named.items() if count > 1)


def check_tags(module: Module) -> Iterator[str]:
    """Margin tags and clause markers are ids; those of a catalogued RFC are in its catalogue."""
    for tag in module.margin_tags() + module.clause_marks():
        if TAG.fullmatch(tag) is None:
            yield f"the tag {tag!r} is not the id of a clause"
        elif tag[1:5] in find_clauses() and tag not in find_clauses()[tag[1:5]]:
            yield f"the clause {tag} is not in the catalogue"


@cache
def find_clauses() -> dict[str, set[str]]:
    """The catalogued ids by number of the RFC."""
    files = sorted((ROOT / "spec/mptcp/clauses").glob("rfc*.toml"))
    return {file.stem[3:7]: set(tomllib.loads(file.read_text(encoding="utf-8"))) for file in files}


RULES: tuple[Callable[[Module], Iterator[str]], ...] = (
    check_levels,
    check_packages,
    check_purity,
    check_floats,
    check_plainness,
    check_length,
    check_docstring,
    check_comparisons,
    check_values,
    check_records,
    check_heirs,
    check_tags,
)


@pytest.mark.parametrize("rule", RULES)
def test_walls(rule: Callable[[Module], Iterator[str]]) -> None:
    """Every module keeps every rule."""
    assert [f"{module.path}: {wrong}" for module in SOURCE.modules for wrong in rule(module)] == []


def test_no_import_circle() -> None:
    """No module, of whatever package, imports itself by a detour."""
    arrows = {module.name: {one.target for one in module.imports} for module in SOURCE.modules if module.name}
    assert find_circle(arrows) == []


def find_writers(modules: tuple[Module, ...]) -> dict[str, list[str]]:
    """By folder: the functions, other than an __init__, that assign to an attribute called state."""
    writers: dict[str, list[str]] = {}
    for module in modules:
        for function in module.functions() if module.is_core else ():
            stores = [
                one for one in ast.walk(function) if isinstance(one, ast.Attribute) and one.attr == "state"
            ]
            if function.name != "__init__" and any(isinstance(one.ctx, ast.Store) for one in stores):
                writers.setdefault(str(Path(module.path).parent), []).append(f"{module.name}.{function.name}")
    return writers


@pytest.mark.parametrize("machine", ["spec/mptcp/subflow", "spec/mptcp/connection"])
def test_one_function_writes_the_state(machine: str) -> None:
    """Each state machine is a table, and one function moves along it."""
    writers = find_writers(SOURCE.modules)
    assert set(writers) <= {"spec/mptcp/subflow", "spec/mptcp/connection"}
    assert len(writers[machine]) == 1, writers[machine]


def test_table_is_current() -> None:
    """Every module that the table of levels names is there."""
    assert sorted(find_places().keys() - SOURCE.names) == []


def test_design_page_is_current() -> None:
    """The table of levels in docs/design.rst shows the same modules as the one above."""
    page = (ROOT / "docs/design.rst").read_text(encoding="utf-8")
    shown = set(re.findall(r"\w+", page.partition(":name: levels")[2].partition("\nA folder of level")[0]))
    assert [name for name in sorted(find_places()) if name.rpartition(".")[2] not in shown] == []


def find_files() -> Iterator[Path]:
    """The files of the repository, and not what make and the tools have left in it."""
    made = re.compile(r"\.(?!ci$).*|build|dist|__pycache__|.*\.egg-info")
    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(one for one in folders if made.fullmatch(one) is None)
        yield from (Path(folder, file) for file in sorted(files) if file != ".git")  # a worktree has one


def test_nothing_compiled_in_the_tree() -> None:
    """The compiled build is made elsewhere: an extension here would hide the sources."""
    assert [path for path in find_files() if path.suffix in {".so", ".pyd", ".c", ".o"}] == []


def test_no_machine_in_the_tree() -> None:
    """No file speaks of somebody's own folders."""
    wrong = []
    for path in find_files():
        if path.suffix in {".py", ".toml", ".md", ".rst", ".sh", ".yaml", ".json"} or not path.suffix:
            found = SOMEBODYS_HOME.search(path.read_text(encoding="utf-8", errors="replace"))
            wrong += [f"{path.relative_to(ROOT)}: {found.group()}"] if found is not None else []
    assert wrong == []


def test_folders() -> None:
    """The packages' folders are packages; the tests' are not, mirror them, and reuse no name."""
    for top in ("spec", "model", "proofs"):
        for folder in {path.parent for path in (ROOT / top).rglob("*.py")}:
            assert (folder / "__init__.py").exists(), folder
    assert list((ROOT / "tests").rglob("__init__.py")) == []
    for folder in {path.parent for path in (ROOT / "tests").glob("*/**/test_*.py")}:
        assert folder.relative_to(ROOT / "tests").parts[0] in PACKAGES.keys() | TOGETHER, folder
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


# -- the rules themselves -------------------------------------------------------------------------

VALUE = """from typing import Final
from mptcp.values import Record, Value
class One(Value):
    __match_args__ = ("a", "b")
    def __init__(self, {parameters}) -> None:
        self.a{final} = a
        self.b: Final = b
"""
RECORD = """from mptcp.congestion.coupling import Coupling
from mptcp.values import Record
class One({base}):
    FIELDS = ({fields})
    SHARED = ("journal",)
    def __init__(self, a: int) -> None:
        self.a, self.journal = a, a
"""
LONG = "def long() -> None:\n" + "    ...\n" * 60
MANY = "class C:\n    def __init__(self) -> None:\n" + "        self.x = 0\n" * 90
UNORDERED = "def f() -> bool:\n    return {} < {}\n"

CAUGHT = [  # rule, path, source, what the complaint says; "" for what must pass
    (check_levels, "spec/mptcp/numbers.py", "import mptcp.host", "reaches up"),
    (check_levels, "spec/mptcp/subflow/arrive.py", "from mptcp.connection import control", "reaches up"),
    (check_levels, "spec/mptcp/subflow/control.py", "from mptcp.subflow.arrive import arrive", "reaches up"),
    (check_levels, "spec/mptcp/paths/manager.py", "from mptcp.scheduler import scheduler", "reaches up"),
    (check_levels, "spec/mptcp/wire/ip.py", "def f():\n    import mptcp.keys", "reaches up"),
    (check_levels, "spec/mptcp/values.py", "if TYPE_CHECKING:\n    import mptcp.host", "reaches up"),
    (check_levels, "spec/mptcp/wire/__init__.py", "from mptcp.wire import ip", "imports nothing"),
    (check_levels, "spec/mptcp/novel.py", "", "not in the table"),
    (check_levels, "spec/mptcp/host.py", "from mptcp import novel", "not in the table"),
    (check_levels, "spec/mptcp/keys.py", "from mptcp.wire import checksum", ""),
    (check_packages, "spec/mptcp_stack/tun.py", "import mptcp_model.ideal", "imports mptcp_model"),
    (check_packages, "model/mptcp_model/demo.py", "from mptcp_stack import lab", "imports mptcp_stack"),
    (check_packages, "model/mptcp_model/demo.py", "import mptcp_proofs", "imports mptcp_proofs"),
    (check_packages, "model/mptcp_model/demo.py", "from . import ideal", "relative"),
    (check_packages, "spec/mptcp_stack/tun.py", "import numpy", "imports numpy"),
    (check_packages, "proofs/mptcp_proofs/claims.py", "import z3, ast, mptcp_model", ""),
    (check_purity, "spec/mptcp/host.py", "import time", "not pure"),
    (check_purity, "spec/mptcp/host.py", "from mypy_extensions import i64", "not pure"),
    (check_purity, "spec/mptcp/host.py", "def f():\n    print()", "uses print"),
    (check_purity, "spec/mptcp/host.py", "def f():\n    global x", "state outside"),
    (check_purity, "spec/mptcp/host.py", "if TYPE_CHECKING:\n    from mypy_extensions import i64", ""),
    (check_purity, "spec/mptcp/__init__.py", "import os", ""),
    (check_floats, "spec/mptcp/host.py", "x = 0.5", "float 0.5"),
    (check_floats, "spec/mptcp/host.py", "x /= 2", "divides"),
    (check_floats, "spec/mptcp/host.py", "x = 3 // 2", ""),
    (check_plainness, "spec/mptcp/host.py", "def f():\n    def g(): ...", "nested in f"),
    (check_plainness, "spec/mptcp/host.py", "f = lambda: 0", "lambda"),
    (check_plainness, "spec/mptcp/host.py", "@cache\ndef f(): ...", "decorated with cache"),
    (check_plainness, "spec/mptcp/host.py", "@final\nclass C: ...", ""),
    (check_length, "spec/mptcp/host.py", "x = 0\n" * 501, "501 lines"),
    (check_length, "tests/test_one.py", LONG, "long has 60 lines"),
    (check_length, "tests/test_one.py", LONG.replace("    ...\n", "    # why\n", 59), ""),
    (check_length, "spec/mptcp/host.py", MANY, ""),
    (check_docstring, "tests/test_one.py", "x = 0", "no docstring"),
    (check_comparisons, "spec/mptcp/host.py", UNORDERED.format("one.sequence", "x"), "orders one.sequence"),
    (check_comparisons, "spec/mptcp/host.py", UNORDERED.format("0 < x", "s.acknowledgment"), "orders s.ack"),
    (check_comparisons, "spec/mptcp/host.py", UNORDERED.format("offset", "x"), ""),
    (check_values, "spec/mptcp/host.py", VALUE.format(parameters="b: int, a: int", final=": Final"), "takes"),
    (
        check_values,
        "spec/mptcp/host.py",
        VALUE.format(parameters="a: int, b: int", final=""),
        "One.a is not Final",
    ),
    (check_values, "spec/mptcp/host.py", VALUE.format(parameters="a: int, b: int", final=": Final"), ""),
    (check_records, "spec/mptcp/host.py", RECORD.format(base="Record", fields=""), "One.a is in neither"),
    (check_records, "spec/mptcp/host.py", RECORD.format(base="Record", fields="'a', 'b'"), "has no b"),
    (
        check_records,
        "spec/mptcp/host.py",
        RECORD.format(base="Coupling", fields="'a', 'a'"),
        "names a twice",
    ),
    (check_records, "spec/mptcp/host.py", RECORD.format(base="Coupling", fields="'a',"), ""),
    (
        check_heirs,
        "tests/test_one.py",
        "from mptcp.errors import Refused\nclass C(Refused): ...",
        "compiled Refused",
    ),
    (
        check_heirs,
        "tests/test_one.py",
        "from mptcp_model.decoding.sights import Sight\nclass C(Sight): ...",
        "compiled Sight",
    ),
    (check_heirs, "tests/test_one.py", "from mptcp_stack.framing import Framing\nclass C(Framing): ...", ""),
    (check_heirs, "spec/mptcp/host.py", "from mptcp.errors import Refused\nclass C(Refused): ...", ""),
    (check_tags, "spec/mptcp/host.py", "x = 0  # [R" + "8684-3.3.1]", "not the id"),
    (check_tags, "tests/test_one.py", "pytest.mark.clause('8684-1-01')", "not the id"),
    (check_tags, "spec/mptcp/host.py", "x = 0  # [R" + "8684-3.3.1-01]", ""),
]


@pytest.mark.parametrize(("rule", "path", "source", "complaint"), CAUGHT)
def test_rules_catch(rule: Callable[[Module], Iterator[str]], path: str, source: str, complaint: str) -> None:
    """Each rule complains of what is wrong and of nothing else."""
    wrong = list(rule(SOURCE.parse(path, source)))
    if complaint:
        assert len(wrong) == 1 and complaint in wrong[0]
    else:
        assert wrong == []


def test_circles_are_caught() -> None:
    """A circle is found, also behind a straight way; a diamond is none."""
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert find_circle({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}}) == []


def test_writers_are_caught() -> None:
    """Both plain and tuple assignments write a state; reading it or making it does not."""
    text = (
        "def f(t):\n    t.state, x = 1, 2\ndef g(t):\n    return t.state\ndef __init__(s):\n    s.state = 0"
    )
    writers = find_writers((SOURCE.parse("spec/mptcp/subflow/one.py", text),))
    assert writers == {"spec/mptcp/subflow": ["mptcp.subflow.one.f"]}


def test_homes_are_caught() -> None:
    """An absolute path into a home is one; a route or an address in the middle of a word is not."""
    assert SOMEBODYS_HOME.search("see /" + "home/anna/tree")
    assert not SOMEBODYS_HOME.search("docs/" + "home/page and https://host/" + "home/x")
