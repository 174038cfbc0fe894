"""GANs on mixtures in the plane: modes covered over time, and where the samples lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from gamedyn.plotting.style import COLOURS, GREY, add_caption, new_figure, styled

Array = npt.NDArray[np.float64]


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
        figure = new_figure(9.6, 7.2)
        parts: Any = figure.subfigures(2, 1, height_ratios=(1.25, 1.0))
        curves, scatters = parts
        left, right = curves.subplots(1, 2)
        for axes, values, label, top in (
            (left, covered, "modes covered", len(centers)),
            (right, high_quality, "high-quality fraction", 1.0),
        ):
            for name, runs in values.items():
                axes.plot(steps, runs.mean(axis=0), color=COLOURS[name], label=name)
                if len(runs) > 1:
                    axes.fill_between(
                        steps,
                        runs.min(axis=0),
                        runs.max(axis=0),
                        color=COLOURS[name],
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
            axes.plot(*points.T, ".", color=COLOURS[name], markersize=2.0, alpha=0.5)
            axes.set(xlim=(-reach, reach), ylim=(-reach, reach), title=name)
            axes.set_aspect("equal")
        add_caption(figure, caption)
    return figure
