"""One process at a time writes into a run's folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold a run's folder for this process inside the block.

    The claim ends with the process, however that ends, so that a killed run is not in the way of its own
    continuation. Where the system has no such locks (Windows, some network file systems) nothing is held.

    Args:
        folder: The run's folder, which exists.

    Yields:
        Nothing.

    Raises:
        ValueError: If another process holds it.
        OSError: If the folder cannot be read.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with claimed(folder), claimed(folder):  # doctest: +ELLIPSIS
        ...     pass
        Traceback (most recent call last):
        ...
        ValueError: another process is at work on the run in ...
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    held = os.open(folder, os.O_RDONLY)  # the folder itself: no file is left, whatever happens
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"another process is at work on the run in {folder}: wait for it or stop it, or choose "
                "another --out"
            ) from error
        except OSError:
            pass  # this file system has no locks
        yield
    finally:
        os.close(held)
