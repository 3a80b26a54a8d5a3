"""The two builds: which one runs, and the switch between them."""

import os
import pkgutil
import subprocess
import sys
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES

import pytest

import mptcp
from mptcp_model import decoding

REPORT = """
import mptcp_model.decoding.sums as s, mptcp.numbers as n, mptcp
print(mptcp.build(), n.__file__.endswith('.py'), s.__file__.endswith('.py'), n.add(-1, 2))
"""


def report(pure: str) -> list[str]:
    """What a fresh Python with MPTCP_PURE set to ``pure`` says of its build."""
    environment = {**os.environ, "MPTCP_PURE": pure, "PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run(
        [sys.executable, "-c", REPORT], env=environment, capture_output=True, text=True, check=True
    )
    return told.stdout.split()


def find_modules() -> list[str]:
    """All modules that are compiled in a compiled build: packages are not, nor what setup.py leaves out."""
    found = [*pkgutil.walk_packages(mptcp.__path__, "mptcp.")]
    found += pkgutil.iter_modules(decoding.__path__, "mptcp_model.decoding.")
    names = {module.name for module in found if not module.ispkg}
    return sorted(names - {"mptcp.native", "mptcp_model.decoding.lines"})


@pytest.mark.parametrize("name", find_modules())
def test_every_module_is_of_the_build(name: str) -> None:
    """No module of a compiled build is interpreted, and none of an interpreted one compiled."""
    compiled = str(import_module(name).__file__).endswith(tuple(EXTENSION_SUFFIXES))
    assert compiled == (mptcp.build() == "compiled")


def test_compiled_classes_are_native() -> None:
    """The build is what it says: only in a compiled one do Final attributes refuse to be set."""
    from mptcp.values import Text

    text = Text(b"octets", 0, 6)
    try:
        text.start = 1  # type: ignore[misc]
        refused = False
    except AttributeError:
        refused = True
    assert refused == (mptcp.build() == "compiled")


def test_switch_off() -> None:
    """Without the switch a fresh Python runs the build that is here."""
    assert report("")[0] == mptcp.build()


def test_switch_on() -> None:
    """MPTCP_PURE=1 runs the sources of any build, and they compute the same."""
    assert report("1") == ["interpreted", "True", "True", "1"]
