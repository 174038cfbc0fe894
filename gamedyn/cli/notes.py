"""Warnings of the library, as one line each on a user's terminal."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def notes_printed() -> Iterator[None]:
    """Print what gamedyn warns of inside the block as a line `gamedyn: note: ...` on standard error.

    Yields:
        Nothing.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            yield
        finally:
            for warning in caught:
                print(f"gamedyn: note: {' '.join(str(warning.message).split())}", file=sys.stderr)
