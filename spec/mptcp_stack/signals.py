"""The signals that end a process, and how to put them off for a moment."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

ENDING: Final = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)


@contextmanager
def held() -> Iterator[None]:
    """What ends us, Ctrl-C for one, comes after the block: what must not be left half done is short.

    Python hears signals on its main thread; on another one nothing is held.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[signal.Signals] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(signal.Signals(number))

    before = {number: signal.getsignal(number) for number in ENDING}
    heard = [number for number in ENDING if before[number] not in (signal.SIG_IGN, None)]
    try:
        for number in heard:
            signal.signal(number, note)
        yield
    finally:
        for number in heard:  # SIGINT is the last: from then on it may raise
            signal.signal(number, before[number])
        for number in came:
            signal.raise_signal(number)
