"""Stability maps over pairs of step sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from gamedyn.plotting.style import COLOURS, VERMILLION, add_caption, new_figure, styled

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def stability_maps(
    lr: Array,
    max_lr: Array,
    measured: Mapping[str, Mask],
    predicted: Mapping[str, Mask],
    boundaries: Mapping[str, Sequence[Array]],
    *,
    boundary_lr: Array,
    caption: str = "",
) -> Figure:
    """Measured stable regions with the analytic boundary drawn over them, one panel an optimizer.

    Args:
        lr: Step sizes η_x of the columns, evenly spaced in logarithm, shape (columns,).
        max_lr: Step sizes η_y of the rows, likewise, shape (rows,).
        measured: For each optimizer where runs converged, shape (rows, columns).
        predicted: For each optimizer where the spectral radius is below 1.
        boundaries: For each optimizer its curves η_y(η_x), NaN where there is none.
        boundary_lr: The η_x of the curves.
        caption: What the figure shows.

    Returns:
        The panels side by side on shared logarithmic axes.
    """
    with styled():
        figure = new_figure(3.75 * len(measured), 4.9)
        panels = figure.subplots(1, len(measured), squeeze=False, sharey=True)[0]
        for axes, (name, stable) in zip(panels, measured.items(), strict=True):
            axes.pcolormesh(
                lr, max_lr, stable, cmap=ListedColormap(["white", COLOURS[name]]), vmin=0, vmax=1, alpha=0.35,
                shading="nearest", rasterized=True, linewidth=0,
            )  # fmt: skip
            rows, columns = np.nonzero(stable != predicted[name])
            axes.plot(lr[columns], max_lr[rows], "x", color=VERMILLION, markersize=5, zorder=4)
            for curve in boundaries[name]:
                axes.plot(boundary_lr, curve, color="black", linewidth=1.5)
            axes.plot(lr, lr, color="#555555", linestyle=":", linewidth=1.1)
            axes.set(xscale="log", yscale="log", xlabel=r"$\eta_x$  (generator)")
            axes.set(xlim=(lr[0], lr[-1]), ylim=(max_lr[0], max_lr[-1]))
            axes.set_title(f"{name}: {len(rows)} of {stable.size:,} cells disagree")
            axes.set_aspect("equal")
            axes.grid(visible=False)
        panels[0].set_ylabel(r"$\eta_y$  (discriminator)")
        figure.legend(
            handles=[
                Patch(facecolor="#AAAAAA", alpha=0.6, label="runs converge (measured)"),
                Line2D([], [], color="black", label="boundary, closed form"),
                Line2D([], [], color="#555555", linestyle=":", label=r"$\eta_y = \eta_x$"),
                Line2D([], [], color=VERMILLION, marker="x", linestyle="", label="cells that disagree"),
            ],
            loc="outside upper center",
            ncols=4,
        )
        add_caption(figure, caption)
    return figure
