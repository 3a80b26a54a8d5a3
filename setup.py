"""The compiled build: mypyc over spec/mptcp. All else about the distribution is in pyproject.toml.

Without a C compiler or without Python's headers the distribution is built all the same, to run its
interpreted sources, and one line says so. MPTCP_PURE=1 asks for that.
"""

import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from setuptools import Extension, setup

# Modules that are not compiled, and why.
INTERPRETED = {
    "__init__.py": "a package's docstring and the build switch, which must run before any extension loads",
}


def find_sources() -> list[str]:
    """Every module of spec/mptcp that is compiled, as a path below this folder."""
    return [str(path) for path in sorted(Path("spec/mptcp").rglob("*.py")) if path.name not in INTERPRETED]


def find_obstacle() -> str | None:
    """Why nothing can be compiled here, or None when it can."""
    if os.environ.get("MPTCP_PURE") == "1":
        return "MPTCP_PURE=1 is set"
    try:
        import mypyc.build  # noqa: F401
    except ImportError:
        return "mypyc is not installed"
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder, "probe.c")
        for text, obstacle in (
            ("int one;\n", f"there is no C compiler ({command[0]})"),
            ("#include <Python.h>\n", "Python's C headers are missing (Debian: python3-dev)"),
        ):
            probe.write_text(text)
            flags = ["-I" + sysconfig.get_path("include"), "-c", str(probe), "-o", str(probe) + ".o"]
            try:
                subprocess.run([*command, *flags], check=True, capture_output=True)
            except (OSError, subprocess.CalledProcessError):
                return obstacle
    return None


def compile_sources() -> list[Extension]:
    """The extension modules, none where they cannot be built."""
    obstacle = find_obstacle()
    if obstacle is not None:
        print(f"mptcp: interpreted build, since {obstacle}")
        return []
    from mypyc.build import mypycify

    return mypycify(find_sources(), opt_level="3", debug_level="0", group_name="mptcp")


# What only describes the distribution compiles nothing.
DESCRIBES = {"dist_info", "egg_info", "sdist"}

BUILD = Path("build")  # whatever is made on the way lands here
BUILD.mkdir(exist_ok=True)
setup(
    ext_modules=[] if DESCRIBES & set(sys.argv) else compile_sources(),
    options={"egg_info": {"egg_base": str(BUILD)}},
)
