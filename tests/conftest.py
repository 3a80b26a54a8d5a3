"""What all tests share: which build runs, what this machine lacks, and an honest last word on both."""

import os
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

import mptcp

settings.register_profile("house", derandomize=True, database=None, deadline=None)
settings.load_profile("house")

# A run in the background may have been told to ignore these; the programs under test must not inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def describe_build() -> str:
    """The build under test and where it lies, seen from here."""
    return f"{mptcp.build()} ({os.path.relpath(Path(mptcp.__file__).parent)})"


def find_obstacle() -> str | None:
    """Why the kernel of this machine cannot be talked to, or None."""
    if os.geteuid() != 0:
        return "talking to the kernel needs root"
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        return f"/dev/net/tun: {error.strerror}"
    if not Path("/proc/sys/net/mptcp/enabled").exists():
        return "this kernel has no MPTCP"
    for program in ("ip", "unshare"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode != 0:
        return "network namespaces are not permitted here"
    return None


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to run when the build is not the one that was asked for."""
    expected = os.environ.get("MPTCP_EXPECT_BUILD")
    if expected is not None and expected != mptcp.build():
        raise pytest.UsageError(f"the {expected} build was to be tested, but this is {describe_build()}")


def pytest_report_header() -> str:
    """Which build it is, before the first test."""
    return f"mptcp {mptcp.__version__}: {describe_build()}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run, and keep all that touches its kernel in one worker."""
    talking = [item for item in items if item.get_closest_marker("linux") is not None]
    obstacle = find_obstacle() if talking else None
    for item in talking:
        item.add_marker(pytest.mark.xdist_group("linux"))
        if obstacle is not None:
            item.add_marker(pytest.mark.skip(reason=obstacle))
    for item in items:
        for marker in item.iter_markers("needs"):
            for program in marker.args:
                if shutil.which(program) is None:
                    item.add_marker(pytest.mark.skip(reason=f"{program} is not installed"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which build was tested, and what was not tested, and why."""
    terminalreporter.write_line(f"build under test: {describe_build()}")
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        where = report.longrepr
        reason = where[2] if isinstance(where, tuple) else str(where)
        reasons[reason.removeprefix("Skipped: ")] += 1
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"skipped {count}, so not tested: {reason}")
