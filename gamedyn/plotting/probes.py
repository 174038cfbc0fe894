"""Measurements of a game over the iterations of one player, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from gamedyn.plotting import style

CYCLE = (style.BLUE, style.VERMILLION, style.GREEN, style.PURPLE, style.ORANGE, style.BLACK)
MARKERS = "osD^vP"


@dataclass(frozen=True)
class Panel:
    """One measurement of every run.

    Args:
        title: What is shown.
        label: Label of the axis, with its unit.
        curves: Values of every run by its name, each of shape `(k,)`.
        yscale: Scale of the values.
        xscale: Scale of the iterations; `symlog` has a place for 0.
    """

    title: str
    label: str
    curves: Mapping[str, ArrayLike]
    yscale: Literal["linear", "log"] = "log"
    xscale: Literal["linear", "symlog"] = "linear"


def curves_over_iterations(
    iterations: ArrayLike, panels: Sequence[Panel], *, runs: str, axis: str = "iteration", caption: str = ""
) -> Figure:
    """Draw measurements of several runs, one panel a measurement.

    Args:
        iterations: Where they were taken, shape `(k,)`.
        panels: The measurements.
        runs: What the runs differ in, the title of the legend.
        axis: What the iterations are.
        caption: What the figure shows.

    Returns:
        One row of panels with one legend.
    """
    with style.styled():
        figure = style.new_figure(4.6 * len(panels) + 0.6, 4.8)
        all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, panel in zip(all_axes, panels, strict=True):
            for index, (name, values) in enumerate(panel.curves.items()):
                axes.plot(
                    iterations, values, color=CYCLE[index % len(CYCLE)], label=name,
                    marker=MARKERS[index % len(MARKERS)], markersize=3.5, linewidth=1.2,
                )  # fmt: skip
            axes.set(title=panel.title, xlabel=axis, ylabel=panel.label, yscale=panel.yscale)
            if panel.xscale == "symlog":
                axes.set_xscale("symlog", linthresh=1.0)
                axes.set(xlim=(0.0, None), xlabel=f"{axis}\n(linear to 1, then logarithmic)")
        figure.legend(
            *all_axes[0].get_legend_handles_labels(),
            loc="outside upper center",
            ncols=len(panels[0].curves),
            title=runs,
        )
        style.add_caption(figure, caption)
    return figure
