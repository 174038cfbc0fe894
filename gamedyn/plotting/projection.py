"""The projection problem: where a run goes, how long it holds a coordinate, and what decides which."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gamedyn.plotting.style import BLUE, COLOURS, GREY, ORANGE, add_caption, new_figure, styled

Array = npt.NDArray[np.float64]
NAMES = r"$\theta_1$", r"$\theta_2$"


def projection_runs(
    steps: Array,
    runs: Mapping[str, Array],
    stays: Mapping[str, Array],
    by_eta: Mapping[str, tuple[float, float]],
    *,
    target: float = 2.0,
    caption: str = "",
) -> Figure:
    """One seed's runs in the plane and against the step; below, the lengths of stay over all seeds.

    Args:
        steps: Steps at which the runs were recorded, shape (k,).
        runs: For each of two optimizers θ of the seed shown, shape (k, 2); the first is drawn in the plane.
        stays: For each optimizer the longest stay near the data's θ₁ of every seed, in steps, shape (seeds,).
        by_eta: For each weighting of the inputs the mean stays near the data's θ₁ and θ₂, in steps.
        target: Both coordinates of the data.
        caption: What the figure shows.

    Returns:
        Four panels.
    """
    with styled():
        figure = new_figure(10.0, 8.0)
        (plane, course), (lengths, bars) = figure.subplots(2, 2)
        _plane(plane, *next(iter(runs.items())), target)
        for name, theta in runs.items():
            for coordinate, line in enumerate(("-", (0, (4, 1.5)))):
                label = f"{name}, {NAMES[coordinate]}"
                course.plot(steps, theta[:, coordinate], color=COLOURS[name], linestyle=line, label=label)
        course.axhline(target, color=GREY, linewidth=0.9, linestyle=":")
        course.set_yscale("symlog", linthresh=4.0, linscale=2.0)
        course.set_yticks([0, 1, 2, 3, 4, 10, 30], ["0", "1", "2", "3", "4", "10", "30"])
        course.minorticks_off()
        course.set(xlabel="step", ylim=(0, 60), xlim=(0, steps[-1]))
        course.set_ylabel(rf"{NAMES[0]}, {NAMES[1]}  (linear to 4, then logarithmic)")
        course.set_title("The same seed against the step")
        course.legend(ncols=2, loc="upper right")

        for name, values in stays.items():
            share = np.arange(1, len(values) + 1) / len(values)
            lengths.plot(share, np.sort(values)[::-1], color=COLOURS[name], drawstyle="steps-pre", label=name)
        lengths.set(xlabel="share of the seeds that stay at least so long", ylabel="longest stay (steps)")
        lengths.set(xlim=(0, 1), ylim=(0, None))
        lengths.set_title(rf"Longest stay at $|\theta_1 - {target:g}| < 0.1$, every seed")
        lengths.legend()

        place = np.arange(len(by_eta))
        for coordinate, colour in enumerate((BLUE, ORANGE)):
            means = [pair[coordinate] for pair in by_eta.values()]
            label = rf"$|\theta_{coordinate + 1} - {target:g}| < 0.1$"
            bars.bar(place + 0.38 * (coordinate - 0.5), means, 0.36, color=colour, label=label)
        bars.set_yscale("symlog", linthresh=1.0)
        bars.set_xticks(place, list(by_eta))
        bars.grid(visible=False, axis="x")
        bars.set(xlabel=r"weights $\eta$ of the inputs")
        bars.set_ylabel("longest stay (steps, mean; logarithmic from 1)")
        bars.set_title("SimGD holds the coordinate that weighs more")
        bars.legend()
        add_caption(figure, caption)
    return figure


def _plane(axes: Axes, name: str, theta: Array, target: float) -> None:
    """One run in the plane, in the generator's range."""
    reach = 5.0
    line = np.linspace(0.05, reach, 400)
    axes.fill_between(line, math.exp(-1) / line, math.e / line, color="#EEF2F6", label="generator's range")
    for bound in (math.exp(-1), math.e):
        axes.plot(line, bound / line, color=GREY, linewidth=1.0)
    axes.plot(*theta.T, color=COLOURS[name], linewidth=0.5, alpha=0.5)
    axes.plot(*theta.T, ".", color=COLOURS[name], markersize=2.5, label=name)
    axes.plot(*theta[0], "o", markersize=7, color="white", markeredgecolor="black", zorder=5, label="start")
    axes.plot(target, target, "+", color="black", markersize=12, markeredgewidth=1.8, zorder=5, label="data")
    axes.set(xlim=(0, reach), ylim=(0, reach), xlabel=NAMES[0], ylabel=NAMES[1])
    axes.set_title("One seed in the plane of distributions")
    axes.set_aspect("equal")
    axes.legend(loc="upper right")
