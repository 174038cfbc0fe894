"""Orbits of several optimizers on one game, and their distance to the equilibrium."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from gamedyn.plotting.style import add_caption, colour, new_figure, styled

Array = npt.NDArray[np.float64]


def orbits_and_distances(
    orbits: Mapping[str, tuple[Array, Array]],
    distances: Mapping[str, Array],
    references: Mapping[str, Array],
    *,
    reach: float,
    title: str,
    axes_labels: tuple[str, str] = ("x", "y"),
    reference_label: str = "exact factor",
    caption: str = "",
) -> Figure:
    """Phase plane on the left, distance to the equilibrium against the step on the right.

    Args:
        orbits: For each optimizer one coordinate of x and of y, shapes (steps + 1,); equilibrium at 0.
        distances: For each optimizer the distance to the equilibrium, shape (steps + 1,).
        references: Exact distances where they are known, drawn as dashed lines over the measured ones.
        reach: Half the width of the phase plane's frame; what leaves it is cut.
        title: Title of the phase plane.
        axes_labels: Labels of the phase plane's axes.
        reference_label: What the dashed lines are.
        caption: What the figure shows.

    Returns:
        The two panels.
    """
    with styled():
        figure = new_figure(10.0, 5.0)
        plane, decay = figure.subplots(1, 2)
        for name, (x, y) in orbits.items():
            seen = (np.abs(x) <= 3 * reach) & (np.abs(y) <= 3 * reach)
            last = int(np.argmin(seen)) if not seen.all() else len(x)
            plane.plot(
                x[:last], y[:last], color=colour(name), marker="o", markersize=2.2, linewidth=1.0, label=name
            )
            decay.plot(distances[name], color=colour(name), linewidth=2.4, alpha=0.75, label=name)
        x, y = next(iter(orbits.values()))
        plane.plot(x[:1], y[:1], "o", markersize=7, color="white", markeredgecolor="black", zorder=5)
        plain = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8}
        plane.annotate("start", (x[0], y[0]), (8, 6), textcoords="offset points", fontsize=9, bbox=plain)
        plane.plot(0, 0, "+", color="black", markersize=11, markeredgewidth=1.6, zorder=5)
        plane.set(xlim=(-reach, reach), ylim=(-reach, reach), title=title)
        plane.set(xlabel=axes_labels[0], ylabel=axes_labels[1])
        plane.set_aspect("equal")
        for index, values in enumerate(references.values()):
            label = reference_label if index == 0 else None
            decay.plot(values, color="black", linestyle=(0, (4, 3)), linewidth=1.0, label=label, zorder=4)
        steps = max(len(values) for values in distances.values()) - 1
        decay.set(yscale="log", xlim=(0, steps), xlabel="step", ylabel="distance to the equilibrium")
        decay.set_title("Distance to the equilibrium")
        figure.legend(
            *decay.get_legend_handles_labels(), loc="outside upper center", ncols=len(distances) + 1
        )
        add_caption(figure, caption)
    return figure
