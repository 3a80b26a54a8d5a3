"""The compiled build: mypyc over what a packet passes and the reader of captures. The rest: pyproject.toml.

Without a C compiler or without Python's headers the distribution is built all the same, to run its
interpreted sources, and one line says so. MPTCP_PURE=1 asks for that.
"""

import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

from setuptools import setup
from setuptools.command.build_ext import build_ext

BUILD = Path("build")  # whatever is made on the way lands here
BUILD.mkdir(exist_ok=True)

FOLDERS = ("spec/mptcp", "model/mptcp_model/decoding")
FILES = ("spec/mptcp_stack/framing.py", "spec/mptcp_stack/device.py", "spec/mptcp_stack/loop.py")
"""What is compiled, into one library: calls between its modules are calls of C."""

# Modules of these folders that are not compiled, and why.
INTERPRETED = {
    "__init__.py": "a package's docstring, or the build switch, which runs before any extension loads",
    "native.py": "stands in, at run time, for a decorator that only the compiler reads",
    "lines.py": "writes for people, who read no faster",
}

# All modules are one library: a call within it needs no detour. A parse gains a tenth.
FLAGS = ("-fno-semantic-interposition", "-fvisibility=hidden")


def find_sources() -> list[str]:
    """Every module that is compiled, as a path below this folder."""
    found = [path for folder in FOLDERS for path in sorted(Path(folder).rglob("*.py"))]
    return [*(str(path) for path in found if path.name not in INTERPRETED), *FILES]


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


def compile_sources() -> list[Any]:
    """The extension modules, none where they cannot be built."""
    obstacle = find_obstacle()
    if obstacle is not None:
        print(f"mptcp: interpreted build, since {obstacle}")
        return []
    from mypyc.build import mypycify

    sources = ["--config-file=", *find_sources()]  # `make lint` is strict; building asks for types alone
    extensions = list(mypycify(sources, opt_level="3", debug_level="0", multi_file=True, group_name="mptcp"))
    for extension in extensions:  # they share one list of flags: it is not to grow with each of them
        extension.extra_compile_args = [*extension.extra_compile_args, *FLAGS]
    return extensions


class Build(build_ext):
    """Compiles the C files side by side, and only those that changed: mypyc makes one of each module."""

    def build_extensions(self) -> None:
        """As setuptools has it, with another way through the list of C files."""
        compiler: Any = self.compiler
        compile_some = compiler.compile
        changed = max(path.stat().st_mtime for path in [Path(__file__), *BUILD.rglob("*.h")])

        def compile_one(source: str, options: dict[str, Any]) -> list[str]:
            objects: list[str] = compiler.object_filenames([source], output_dir=options["output_dir"])
            newest = max(changed, os.stat(source).st_mtime)
            if all(os.path.exists(one) and os.stat(one).st_mtime > newest for one in objects):
                return objects
            made: list[str] = compile_some([source], **options)
            return made

        def compile_all(sources: list[str], **options: Any) -> list[str]:
            with ThreadPool() as pool:
                made = pool.starmap(compile_one, [(source, options) for source in sources])
            return [one for some in made for one in some]

        compiler.compile = compile_all
        super().build_extensions()


# What only describes the distribution compiles nothing.
DESCRIBES = {"dist_info", "egg_info", "sdist"}

setup(
    cmdclass={"build_ext": Build},
    ext_modules=[] if DESCRIBES & set(sys.argv) else compile_sources(),
    options={"egg_info": {"egg_base": str(BUILD)}},
)
