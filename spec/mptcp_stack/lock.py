"""Who owns a lab: a lock file that its owner's death opens, and the sweep that follows."""

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Final

from mptcp_stack.namespace import list_names, remove

FOLDER: Final = Path("/run/mptcp-lab")


class Lock:
    """Held while the process lives, whatever ends it. Raises OSError without the right to write there."""

    def __init__(self, name: str) -> None:
        self.path: Final = FOLDER / name
        while True:
            FOLDER.mkdir(parents=True, exist_ok=True)
            try:
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:  # the last lab has just removed the folder
                continue
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            if os.fstat(self._descriptor).st_nlink:  # a sweep may have taken it between the two calls
                return
            os.close(self._descriptor)

    def release(self) -> None:
        """Give it up and leave no trace."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
            FOLDER.rmdir()
        os.close(self._descriptor)


def list_locks() -> list[Path]:
    """The lock files there are; none where there is no folder, which the last lab removes at any time."""
    try:
        return list(FOLDER.iterdir())
    except FileNotFoundError:
        return []


def is_abandoned(path: Path) -> bool:
    """Whether nobody holds the lock; the file is then removed."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        path.unlink(missing_ok=True)
        return True
    finally:
        os.close(descriptor)


def is_alive(process: int) -> bool:
    """Whether there is such a process."""
    return Path(f"/proc/{process}").exists()


def sweep(prefix: str) -> list[str]:
    """Remove the namespaces of labs whose process is dead; their names.

    A name is ``prefix``, the owner's process number, a dash and chance. One without a lock file belongs to
    its process as long as that lives.
    """
    swept = []
    for name in list_names():
        owner = name.removeprefix(prefix).partition("-")[0]
        if not name.startswith(prefix) or not owner.isdigit():
            continue
        path = FOLDER / name
        if is_abandoned(path) if path.exists() else not is_alive(int(owner)):
            remove(name)
            swept.append(name)
    for path in list_locks():
        if path.name.startswith(prefix):
            is_abandoned(path)
    return swept
