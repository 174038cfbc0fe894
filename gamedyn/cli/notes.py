"""Warnings of the library, as one line each on a user's terminal."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def notes_printed() -> Iterator[None]:
    """Print what gamedyn warns of inside the block as a line `gamedyn: note: ...` on standard error.

    The same words are printed once, above a progress bar if there is one.

    Yields:
        Nothing.
    """
    printed: set[str] = set()

    def show(message: Warning | str, *_: object, **__: object) -> None:
        from tqdm import tqdm

        text = " ".join(str(message).split())
        if text not in printed:
            printed.add(text)
            tqdm.write(f"gamedyn: note: {text}", file=sys.stderr)

    with warnings.catch_warnings():
        for category in (RuntimeWarning, UserWarning):
            warnings.simplefilter("default", category)
        warnings.showwarning = show
        yield
