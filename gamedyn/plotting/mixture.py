"""GANs on mixtures in the plane: modes covered over time, and where the samples lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import cycle
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from gamedyn.plotting.style import (
    COLOURS,
    GREEN,
    GREY,
    ORANGE,
    SKY,
    VERMILLION,
    add_caption,
    new_figure,
    styled,
)

Array = npt.NDArray[np.float64]

_OTHERS = (VERMILLION, ORANGE, GREEN, SKY, GREY)


def tints(names: Iterable[str]) -> dict[str, str]:
    """Give every run a colour: an optimizer's own, else one of those that are left.

    Args:
        names: The runs' names.

    Returns:
        Hexadecimal colours by name.

    Example:
        >>> tints(["CGD", "k = 0"])["CGD"] == COLOURS["CGD"]
        True
    """
    names = list(names)
    taken = {COLOURS[name] for name in names if name in COLOURS}
    left = cycle(tint for tint in _OTHERS if tint not in taken)
    return {name: COLOURS[name] if name in COLOURS else next(left) for name in names}


def modes_over_time(
    steps: Array,
    covered: Mapping[str, Array],
    high_quality: Mapping[str, Array],
    samples: Mapping[str, Array],
    centers: Array,
    *,
    caption: str = "",
) -> Figure:
    """Modes covered and high-quality fraction against the step, above the last samples of each optimizer.

    Args:
        steps: Steps of the checkpoints, shape (k,).
        covered: For each optimizer the modes covered, shape (seeds, k).
        high_quality: For each optimizer the high-quality fraction, shape (seeds, k).
        samples: For each optimizer samples of its last generator, shape (n, 2).
        centers: Centres of the modes, shape (modes, 2).
        caption: What the figure shows.

    Returns:
        Two panels of curves (mean over seeds, the range shaded), then one scatter an optimizer.
    """
    with styled():
        tint = tints(covered)
        figure = new_figure(max(9.6, 2.1 * len(samples)), 7.2)
        parts: Any = figure.subfigures(2, 1, height_ratios=(1.25, 1.0))
        curves, scatters = parts
        left, right = curves.subplots(1, 2)
        for axes, values, label, top in (
            (left, covered, "modes covered", len(centers)),
            (right, high_quality, "high-quality fraction", 1.0),
        ):
            for name, runs in values.items():
                axes.plot(steps, runs.mean(axis=0), color=tint[name], label=name)
                if len(runs) > 1:
                    axes.fill_between(
                        steps,
                        runs.min(axis=0),
                        runs.max(axis=0),
                        color=tint[name],
                        alpha=0.13,
                        linewidth=0,
                    )
            axes.axhline(top, color=GREY, linewidth=0.9, linestyle=":")
            axes.set(xlabel="step", ylabel=label, xlim=(steps[0], steps[-1]), ylim=(-0.03 * top, 1.06 * top))
        curves.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=len(covered))
        reach = 1.6 * float(np.abs(centers).max())
        for axes, (name, points) in zip(
            scatters.subplots(1, len(samples), squeeze=False)[0], samples.items(), strict=True
        ):
            axes.plot(*centers.T, "o", color="white", markeredgecolor="black", markersize=9)
            axes.plot(*points.T, ".", color=tint[name], markersize=2.0, alpha=0.5)
            axes.set(xlim=(-reach, reach), ylim=(-reach, reach), title=name)
            axes.set_aspect("equal")
        add_caption(figure, caption)
    return figure


def samples_over_time(
    steps: Array, samples: Mapping[str, Array], centers: Array, *, caption: str = ""
) -> Figure:
    """Samples of each method at some steps of its training.

    Args:
        steps: The steps, shape (k,).
        samples: For each method its generators' samples, shape (k, n, 2).
        centers: Centres of the modes, shape (modes, 2).
        caption: What the figure shows.

    Returns:
        One row of scatters a method, one column a step.
    """
    with styled():
        tint = tints(samples)
        figure = new_figure(1.75 * len(steps), 1.75 * len(samples) + 0.8)
        panels: Any = figure.subplots(len(samples), len(steps), squeeze=False)
        reach = 1.6 * float(np.abs(centers).max())
        for row, (name, found) in zip(panels, samples.items(), strict=True):
            for axes, step, points in zip(row, steps, found, strict=True):
                axes.plot(*centers.T, "o", color="white", markeredgecolor=GREY, markersize=7)
                axes.plot(*points.T, ".", color=tint[name], markersize=2.5, alpha=0.6)
                axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[])
                axes.set_aspect("equal")
                if name == next(iter(samples)):
                    axes.set_title(f"step {step}")
            row[0].set_ylabel(name)
        add_caption(figure, caption)
    return figure
