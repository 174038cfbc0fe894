"""Value surfaces of critics in the plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from gamedyn.plotting.style import GREEN, ORANGE, add_caption, new_figure, styled

LEVELS = 12


def value_surfaces(
    ticks: npt.ArrayLike,
    surfaces: Mapping[str, Sequence[npt.ArrayLike]],
    real: Sequence[npt.ArrayLike],
    fake: Sequence[npt.ArrayLike],
    *,
    columns: Sequence[str],
    caption: str = "",
) -> Figure:
    """Draw level sets of critics, a row for each way to train them and a column for each data set.

    A critic is known up to a constant, so each surface is centred; each panel has its own scale, from dark,
    low, to bright, high.

    Args:
        ticks: Coordinates of the square grid, along both axes, shape `(n,)`.
        surfaces: Values by method, one array `(n, n)` a data set, the second coordinate along the rows.
        real: Real points of each data set, shape `(points, 2)`.
        fake: The critic's other points, likewise.
        columns: Names of the data sets.
        caption: What the figure shows.

    Returns:
        The figure.
    """
    grid = np.asarray(ticks)
    with styled():
        figure = new_figure(3.1 * len(columns) + 0.6, 3.0 * len(surfaces) + 1.1)
        panels = figure.subplots(len(surfaces), len(columns), squeeze=False, sharex=True, sharey=True)
        for row, (method, values) in zip(panels, surfaces.items(), strict=True):
            for index, axes in enumerate(row):
                height = np.asarray(values[index], dtype=np.float64)
                height = height - height.mean()
                axes.plot(
                    *np.asarray(fake[index]).T, ".", color=GREEN, markersize=3, alpha=0.55, label="fake"
                )
                axes.plot(*np.asarray(real[index]).T, "+", color=ORANGE, markersize=4, label="real")
                axes.contour(grid, grid, height, levels=LEVELS, cmap="cividis", linewidths=1.1)
                axes.set(xlim=(grid[0], grid[-1]), ylim=(grid[0], grid[-1]))
                axes.set_aspect("equal")
                axes.grid(visible=False)
            row[0].set_ylabel(f"{method}\n$x_2$")
        for axes, name in zip(panels[0], columns, strict=True):
            axes.set_title(name)
        for axes in panels[-1]:
            axes.set_xlabel("$x_1$")
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
        add_caption(figure, caption)
    return figure
