"""What a study found: scores at equal steps and at equal time, mean and spread over seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gamedyn.gan.studies.study import Row, Study, level

Axis = Literal["step", "seconds"]
FAILED = float("nan")


@dataclass(frozen=True)
class Line:
    """One method's line of a study's table.

    Args:
        method: Its name.
        rate: Its learning rate.
        seeds: Finished seeds.
        failed: How many of them failed (their scores count in no mean).
        steps: Generator steps of its runs.
        mean: Mean over seeds of a run's level, the mean of its last scores.
        deviation: Standard deviation over seeds; `None` for a single one.
        at_equal_steps: Mean score after as many steps as the shortest method has.
        at_equal_time: Mean score after as many seconds as the quickest method took in all. Runs that failed
            count neither in means nor in how long a method is.
        seconds: Mean seconds a step.
    """

    method: str
    rate: float
    seeds: int
    failed: int
    steps: int
    mean: float
    deviation: float | None
    at_equal_steps: float
    at_equal_time: float
    seconds: float


def summary(study: Study, rows: Iterable[Row]) -> list[Line]:
    """Sum up the reported runs.

    Args:
        study: The study.
        rows: Its finished runs.

    Returns:
        A line for each method with a finished run, in the study's order.
    """
    found = {method: own for method, own in study.reported(rows).items() if own}
    ends = [[row["curve"][-1] for row in own if ended_well(row)] for own in found.values()]
    common_steps = min((min(end["step"] for end in own) for own in ends if own), default=0)
    common_time = min((statistics.fmean(end["seconds"] for end in own) for own in ends if own), default=0.0)
    return [line(method, own, common_steps, common_time) for method, own in found.items()]


def line(method: str, rows: Sequence[Row], steps: float, seconds: float) -> Line:
    """Sum up one method.

    Args:
        method: Its name.
        rows: Its finished runs.
        steps: Steps at which methods are compared.
        seconds: Seconds at which methods are compared.

    Returns:
        The line.
    """
    good = [row for row in rows if ended_well(row)]
    levels = [level(row) for row in good]
    ends = [row["curve"][-1] for row in rows if row["curve"]]
    return Line(
        method=method,
        rate=rows[0]["settings"]["lr"],
        seeds=len(rows),
        failed=len(rows) - len(good),
        steps=rows[0]["settings"]["steps"],
        mean=statistics.fmean(levels) if levels else FAILED,
        deviation=statistics.stdev(levels) if len(levels) > 1 else None,
        at_equal_steps=mean_at(good, "step", steps),
        at_equal_time=mean_at(good, "seconds", seconds),
        seconds=statistics.fmean(end["seconds"] / end["step"] for end in ends) if ends else FAILED,
    )


def ended_well(row: Row) -> bool:
    """Say whether a run did not fail: it reached its last step, and its last scores are known.

    Args:
        row: The finished run.

    Returns:
        Whether it counts in means.
    """
    return math.isfinite(level(row))


def mean_at(rows: Sequence[Row], axis: Axis, where: float) -> float:
    """Give the mean score at a point of time, on lines between measured ones.

    Args:
        rows: Finished runs.
        axis: Whether the point is a step or a number of seconds.
        where: The point.

    Returns:
        The mean over runs; NaN where no run was scored by then.

    Example:
        >>> run = {"curve": [{"step": 10, "score": 8.0}, {"step": 20, "score": 4.0}]}
        >>> mean_at([run], "step", 15)
        6.0
    """
    values = [
        float(np.interp(where, *points(row, axis)))
        for row in rows
        if row["curve"] and row["curve"][0][axis] <= where
    ]
    return statistics.fmean(values) if values else FAILED


def points(row: Row, axis: Axis) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give a run's curve.

    Args:
        row: The finished run.
        axis: What its scores stand over.

    Returns:
        Places and scores, both of shape `(scores,)`; NaN for a score that was not finite.
    """
    places = np.array([point[axis] for point in row["curve"]], dtype=np.float64)
    scores = [np.nan if point["score"] is None else point["score"] for point in row["curve"]]
    return places, np.array(scores, dtype=np.float64)


def band(
    rows: Sequence[Row], axis: Axis
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Average the curves of a method's seeds.

    Over time the scores of different seeds stand at slightly different seconds: the mean ones are taken.

    Args:
        rows: Finished runs of one method.
        axis: What their scores stand over.

    Returns:
        Places, mean, least and largest score, each of shape `(scores,)`, as far as all seeds go.

    Example:
        >>> runs = [{"curve": [{"step": 10, "score": value}]} for value in (4.0, 6.0)]
        >>> [part.tolist() for part in band(runs, "step")]
        [[10.0], [5.0], [4.0], [6.0]]
    """
    curves = [points(row, axis) for row in rows if row["curve"]]
    count = min(len(places) for places, _ in curves)
    places = np.mean([places[:count] for places, _ in curves], axis=0)
    scores = np.array([scores[:count] for _, scores in curves])
    return places, scores.mean(axis=0), scores.min(axis=0), scores.max(axis=0)
