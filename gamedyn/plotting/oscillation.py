"""A planar game against the step, one column a step size: both players, and the value of the game."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from gamedyn.plotting.style import BLACK, GREY, ORANGE, SKY, add_caption, colour, new_figure, styled

Array = npt.NDArray[np.float64]


def oscillations(
    paths: Mapping[float, tuple[Array, Array]],
    radii: Mapping[float, Mapping[str, Array]],
    *,
    caption: str = "",
) -> Figure:
    """Both players and their value xy of one optimizer above the distances of several, by step size.

    Args:
        paths: For each step size x and y of the optimizer looked at, shapes (steps + 1,).
        radii: For each step size the distance to the equilibrium of each optimizer, shapes (steps + 1,).
        caption: What the figure shows.

    Returns:
        Two rows of panels, one column a step size.
    """
    with styled():
        figure = new_figure(3.2 * len(paths) + 0.6, 6.0)
        rows = figure.subplots(2, len(paths), squeeze=False, sharey="row", height_ratios=(1.25, 1.0))
        for (rate, (x, y)), upper, lower in zip(paths.items(), *rows, strict=True):
            last = len(x) - 1
            upper.axhline(0.0, color=GREY, linewidth=0.8)
            upper.plot(x * y, color=SKY, linewidth=1.2, label="SimGD: xy")
            upper.plot(x, color=BLACK, label="x (minimises xy)")
            upper.plot(y, color=ORANGE, linestyle=(0, (5, 1.5)), label="y (maximises xy)")
            upper.set_yscale("symlog", linthresh=2.0)
            upper.set(title=rf"$\eta$ = {rate:g}", xlabel="step", xlim=(0, last))
            for name, radius in radii[rate].items():
                lower.plot(radius, color=colour(name), label=name)
            lower.set(xlabel="step", yscale="log", xlim=(0, last))
        rows[0, 0].set_ylabel("x, y, xy  (linear to ±2, then logarithmic)")
        rows[1, 0].set_ylabel("distance to the equilibrium")
        handles = [axes.get_legend_handles_labels() for axes in rows[:, 0]]
        lines, labels = (list(chain(*parts)) for parts in zip(*handles, strict=True))
        figure.legend(lines, labels, loc="outside upper center", ncols=len(labels))
        add_caption(figure, caption)
    return figure
