"""The log of a run: one JSON object a line."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gamedyn.atomic import write_atomically

Line = dict[str, Any]

FAILURE = "failure"
"""The key by which a line that should hold scores says why it has none."""


def read_log(path: Path) -> list[Line]:
    """Read a log, passing over a last line that a killed process left unfinished.

    Args:
        path: The file; a missing one counts as empty.

    Returns:
        The lines in order.

    Raises:
        ValueError: If any other line is not a JSON object with a `step`.
    """
    lines: list[Line] = []
    texts = path.read_bytes().splitlines() if path.exists() else []
    for number, text in enumerate(texts, start=1):
        try:
            line = dict(json.loads(text))
            if type(line.get("step")) is not int:
                raise ValueError("it does not say its step")
            lines.append(line)
        except (ValueError, TypeError) as error:
            if number < len(texts):
                raise ValueError(f"{path} is damaged at line {number}: {error}") from error
    return lines


class RunLog:
    """Append lines to a log; start by dropping the lines after the step that a run continues from.

    Args:
        path: The file.
        step: Steps already done: later lines will be written again, so they are dropped.

    Raises:
        OSError: If the file cannot be written.
        ValueError: If the existing log is damaged other than in its last line.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "log.jsonl")
        >>> with RunLog(file, step=0) as log:
        ...     log.write({"step": 1, "loss": 0.5})
        >>> read_log(file)
        [{'step': 1, 'loss': 0.5}]
    """

    def __init__(self, path: Path, *, step: int) -> None:
        kept = [line for line in read_log(path) if line["step"] <= step]
        write_atomically(path, "".join(json.dumps(line) + "\n" for line in kept).encode())
        self.file = path.open("a", encoding="utf-8")

    def write(self, line: Mapping[str, object]) -> None:
        """Append a line.

        Args:
            line: Numbers and text by name, with a `step`; numbers that are not finite become null.
        """
        finite = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in line.items()
        }
        self.file.write(json.dumps(finite, allow_nan=False) + "\n")
        self.file.flush()

    def sync(self) -> None:
        """Force what was written to the disk, so that no checkpoint is ahead of its log."""
        os.fsync(self.file.fileno())

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
