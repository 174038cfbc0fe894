"""What a run has left in its folder: settings, curves, scores and the last picture of samples."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gamedyn.gan.config import TrainConfig, read_config, resolve
from gamedyn.gan.runlog import Line, read_log
from gamedyn.gan.runs import CONFIG, LOG
from gamedyn.gan.score_files import RunScores, read_scores

Array = npt.NDArray[np.float64]
Series = tuple[Array, Array]
"""Steps and values, shapes `(k,)`; a value that was not finite is NaN."""

FIGURES = frozenset(
    {"loss_generator", "loss_discriminator", "cg_iterations", "residual", "products"}
    | {"skipped", "seconds", "cpu_seconds", "lr"}
)
"""What every step logs; any other number of the log is a score."""
COUNTS = frozenset({"step", "eval_samples", "samples", "references"})
TAKEN = ("eval_samples", "samples")
"""Under which of these names a line of scores says how many samples they took."""
SPREAD = " sd"
LARGEST = 1e100
"""Beyond it a number counts as not finite: no axis could show it."""
GRID = re.compile(r"samples-(\d{8})\.png")
SCORES = re.compile(r"scores-\d{8}.*\.json")


@dataclass(frozen=True)
class RunHistory:
    """A run as its folder tells it.

    Args:
        folder: The folder.
        config: Its settings.
        series: Every number of the log by its name.
        scored_samples: How many samples the log's scores took; 0 where it has none.
        scores: What `gamedyn evaluate` left, oldest step first.
        grid: The newest picture of samples, if there is one.
    """

    folder: Path
    config: TrainConfig
    series: dict[str, Series]
    scored_samples: int
    scores: list[RunScores]
    grid: Path | None

    @property
    def step(self) -> int:
        """The last step of the log."""
        return int(max(steps[-1] for steps, _ in self.series.values()))

    @property
    def grid_step(self) -> int:
        """The step of the newest picture; 0 without one."""
        match = None if self.grid is None else GRID.fullmatch(self.grid.name)
        return 0 if match is None else int(match[1])

    @property
    def score_names(self) -> list[str]:
        """Names of the log's scores, without their spreads."""
        return [name for name in self.series if name not in FIGURES and not name.endswith(SPREAD)]

    def seconds_at(self, steps: Array) -> Array:
        """Give the seconds of training up to steps, between logged ones by interpolation.

        Args:
            steps: Shape `(k,)`.

        Returns:
            Shape `(k,)`; NaN if the log does not say.
        """
        if "seconds" not in self.series:
            return np.full(len(steps), np.nan)
        known, seconds = self.series["seconds"]
        interpolated: Array = np.interp(steps, [0.0, *known], [0.0, *seconds])
        return interpolated


def read_history(folder: Path) -> RunHistory:
    """Read a run's folder.

    Args:
        folder: The folder.

    Returns:
        What it tells.

    Raises:
        FileNotFoundError: If it holds no run, or one that has not logged a step.
        ValueError: If a file in it is damaged.

    Example:
        >>> read_history(Path("absent"))
        Traceback (most recent call last):
        ...
        FileNotFoundError: absent holds no run (no config.json): give the folder of a run
    """
    if not (folder / CONFIG).is_file():
        raise FileNotFoundError(f"{folder} holds no run (no {CONFIG}): give the folder of a run")
    config = resolve(read_config(folder / CONFIG))
    lines = read_log(folder / LOG)
    series = read_series(lines, folder / LOG)
    if not series:
        raise FileNotFoundError(f"{folder} has logged no step yet: train the run first")
    taken = [count for line in lines for key in TAKEN if type(count := line.get(key)) is int and count > 0]
    grids = sorted(path for path in folder.iterdir() if GRID.fullmatch(path.name))
    scores = sorted(path for path in folder.iterdir() if SCORES.fullmatch(path.name))
    return RunHistory(
        folder=folder,
        config=config,
        series=series,
        scored_samples=taken[-1] if taken else 0,
        scores=[read_scores(path) for path in scores],
        grid=grids[-1] if grids else None,
    )


def read_series(lines: list[Line], path: Path) -> dict[str, Series]:
    """Turn the lines of a log into one series for every number in it.

    Args:
        lines: The lines.
        path: The log, for messages.

    Returns:
        By name; text is left out, a null is NaN.

    Raises:
        ValueError: If a line has no step.

    Example:
        >>> found = read_series([{"step": 1, "loss": 0.5}, {"step": 2, "loss": None}], Path("log.jsonl"))
        >>> [values.tolist() for values in found["loss"]]
        [[1.0, 2.0], [0.5, nan]]
    """
    found: dict[str, tuple[list[float], list[float]]] = {}
    for number, line in enumerate(lines, start=1):
        step = line.get("step")
        if type(step) is not int or not 0 <= step < 2**53:
            raise ValueError(f"{path} is damaged at line {number}: it has no step")
        for name, value in line.items():
            if name in COUNTS or isinstance(value, bool) or not isinstance(value, int | float | None):
                continue
            steps, values = found.setdefault(name, ([], []))
            steps.append(float(step))
            values.append(math.nan if value is None or not abs(value) <= LARGEST else float(value))
    return {name: (np.array(steps), np.array(values)) for name, (steps, values) in found.items()}
