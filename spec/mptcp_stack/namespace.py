"""Network namespaces: work inside one, make one, remove one, find who lives in one.

Whoever works inside does so on a thread of its own: the calling thread is never moved, whatever
happens, and an event loop running on it is left alone.
"""

import ctypes
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from pyroute2 import netns

from mptcp_stack.signals import held

T = TypeVar("T")

CLONE_NEWNET: Final = 0x40000000
FOLDER: Final = Path(netns.NETNS_RUN_DIR)
"""Where ``ip netns`` and we keep the names of namespaces."""


def call_inside(name: str | None, function: Callable[[], T]) -> T:
    """Call ``function`` on a new thread inside the namespace ``name`` (None: the caller's own).

    A process started there stays there, and so does a device or a socket opened there. What the function
    raises is raised here; OSError if there is no such namespace or no right to enter it. A signal waits
    until the thread is done: nothing goes on there behind the caller's back.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def enter() -> None:
        try:
            if name is not None:
                netns.setns(name, flags=0, fork=False)
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=enter, name=f"inside {name}", daemon=True)
    with held():
        thread.start()
        thread.join()
    if errors:
        raise errors[0]
    return results[0]


def create(name: str) -> None:
    """Make an empty namespace. Raises OSError: it is there, or we have no right."""
    call_inside(None, lambda: _create(name))


def _create(name: str) -> None:
    """The calling thread's namespace from now on is a new one, which gets a name."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    netns.attach(name, f"self/task/{threading.get_native_id()}")


def remove(name: str) -> None:
    """Take the name away, once everyone who lives there has been ended. No such name is no harm."""
    end_residents(name)
    try:
        netns.remove(name)
    except FileNotFoundError:
        return


def list_names() -> list[str]:
    """The namespaces that have a name."""
    return sorted(str(name) for name in netns.listnetns())


def list_residents(name: str) -> list[int]:
    """The processes that live in a namespace, by their numbers; we ourselves never count."""
    try:
        home = os.stat(FOLDER / name)
    except OSError:
        return []
    residents = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            there = os.stat(entry / "ns" / "net")
        except OSError:
            continue
        if (there.st_dev, there.st_ino) == (home.st_dev, home.st_ino):
            residents.append(int(entry.name))
    return residents


def end_residents(name: str) -> None:
    """End every process that lives in a namespace."""
    for process in list_residents(name):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue
