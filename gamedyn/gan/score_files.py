"""Scores of a run as a file beside its checkpoint, with all that must be said about them."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from gamedyn import __version__
from gamedyn.atomic import write_atomically

USUAL = 10_000
"""Samples and references where no other number is asked for."""
LONGEST = 100
"""Characters of an extractor in a file's name: its end, since file systems take 255."""


@dataclass(frozen=True)
class RunScores:
    """Scores of a run, and how they came about.

    Args:
        run: The run's folder.
        checkpoint: Name of the checkpoint.
        step: Its step.
        averaged: Whether the generator was the moving average.
        seed: Seed of the noise.
        scores: By name; a standard deviation is called `<name> sd`.
        real: The same scores of held-out real images, to read the others against.
        protocol: Sentences that must stand beside the numbers.
        versions: Of gamedyn and torch.
    """

    run: str
    checkpoint: str
    step: int
    averaged: bool
    seed: int
    scores: dict[str, float]
    real: dict[str, float]
    protocol: list[str]
    versions: dict[str, str] = field(
        default_factory=lambda: {"gamedyn": __version__, "torch": torch.__version__}
    )

    def write(self, path: Path) -> None:
        """Write them as JSON, atomically.

        Args:
            path: The file.

        Raises:
            OSError: If it cannot be written.
        """
        write_atomically(path, (json.dumps(asdict(self), indent=2, allow_nan=False) + "\n").encode())


def read_scores(path: Path) -> RunScores:
    """Read what `RunScores.write` wrote.

    Args:
        path: The file.

    Returns:
        The scores.

    Raises:
        ValueError: If the file holds something else.
        OSError: If it cannot be read.
    """
    try:
        content = RunScores(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} holds no scores: {error}") from error
    protocol = content.protocol if isinstance(content.protocol, list) else [None]
    texts: list[object] = [content.run, content.checkpoint, *protocol]
    whole = all(
        isinstance(table, dict)
        and all(type(number) in {int, float} and math.isfinite(number) for number in table.values())
        for table in (content.scores, content.real)
    )
    if not whole or type(content.step) is not int or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{path} holds no scores: a field has another type, or a score is not finite")
    return content


def scores_name(
    step: int,
    extractor: str | None,
    *,
    averaged: bool,
    seed: int = 0,
    samples: int = USUAL,
    references: int = USUAL,
) -> str:
    """Name the file of a run's scores, one for each way to come by them.

    Args:
        step: The step of the checkpoint.
        extractor: What the extractor was opened by, if any.
        averaged: Whether the generator was the moving average.
        seed: Seed of the noise; named where it is not 0.
        samples: Generated samples; named where they are not the usual number.
        references: Most training images compared with; named where they are not the usual number.

    Returns:
        The name.

    Example:
        >>> scores_name(5000, "my.module:net", averaged=True)
        'scores-00005000-my-module-net-ema.json'
        >>> scores_name(10, "cifarnet:nets/a", averaged=False, seed=1, samples=30)
        'scores-00000010-cifarnet-nets-a-seed1-n30.json'
    """
    parts = [f"scores-{step:08d}"]
    if extractor is not None:
        parts.append(re.sub(r"\W+", "-", extractor)[-LONGEST:].strip("-"))
    parts += ["ema"] * averaged + [f"seed{seed}"] * (seed != 0)
    parts += [f"n{samples}"] * (samples != USUAL) + [f"of{references}"] * (references != USUAL)
    return "-".join(parts) + ".json"
