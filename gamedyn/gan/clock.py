"""What steps cost, apart from the data, samples and scores between them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class StepClock:
    """Wall-clock and processor time of the steps of a run.

    Attributes:
        seconds: Seconds of steps so far.
        cpu_seconds: Seconds of processor time of all threads in them.

    Example:
        >>> clock = StepClock()
        >>> with clock.running(), clock.paused():
        ...     time.sleep(0.1)
        >>> clock.seconds < 0.05
        True
    """

    def __init__(self) -> None:
        self.seconds = self.cpu_seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the block.

        Yields:
            Nothing.
        """
        start, cpu_start = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - start
            self.cpu_seconds += time.process_time() - cpu_start

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the block out, inside one that is counted.

        Yields:
            Nothing.
        """
        start, cpu_start = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.seconds -= time.perf_counter() - start
            self.cpu_seconds -= time.process_time() - cpu_start
