"""Ctrl-C between two steps, never inside one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Whether the user, or the machine, has asked the run to stop."""

    def __init__(self) -> None:
        self.requested = False


@contextmanager
def deferred_interrupts() -> Iterator[Interruption]:
    """Turn the first SIGINT or SIGTERM inside the block into a flag; a second Ctrl-C acts at once.

    A step that is cut in the middle has written some parameters and not others; with the flag the
    loop finishes its step and saves it. SIGTERM after SIGTERM is no impatience: pools of processes (since
    Python 3.12) and batch systems send it again, so it stays a flag. Outside the main thread signals
    cannot be caught and nothing is changed.

    Yields:
        The flag.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def request(number: int, frame: FrameType | None) -> None:
        interruption.requested = True
        for signal_number, handler in previous.items():
            if not number == signal_number == signal.SIGTERM:
                signal.signal(signal_number, handler)

    for number in previous:
        signal.signal(number, request)
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
