"""Divergences between laws on the line: their integrands, values and gradients as one law moves away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from gamedyn.plotting.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    add_caption,
    new_figure,
    styled,
)

Array = npt.NDArray[np.float64]
_CYCLE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)


@dataclass(frozen=True)
class Densities:
    """Curves over the line.

    Args:
        title: What they show.
        x: Points, shape (n,).
        curves: Values by name, shape (n,): the first in black, the others in colours.
        filled: Values by name whose area is what counts.
    """

    title: str
    x: Array
    curves: Mapping[str, Array]
    filled: Mapping[str, Array]


@dataclass(frozen=True)
class Rates:
    """Positive values against how far the laws are apart.

    Args:
        title: What they show.
        label: Label of the axis.
        floor: The least value drawn.
        curves: Values by name, shape (k,); a name keeps its colour from one panel to the next.
    """

    title: str
    label: str
    floor: float
    curves: Mapping[str, Array]


def divergences_apart(
    densities: tuple[Densities, Densities], means: Array, rates: tuple[Rates, Rates], *, caption: str = ""
) -> Figure:
    """Draw densities with integrands above, and divergences with their gradients below.

    Args:
        densities: The two upper panels.
        means: Distance of the laws, shape (k,), for the lower panels.
        rates: The two lower panels, on logarithmic axes.
        caption: What the figure shows.

    Returns:
        Four panels.
    """
    with styled():
        figure = new_figure(10.0, 8.0)
        panels: Any = figure.subplots(2, 2)
        for axes, shown in zip(panels[0], densities, strict=True):
            for tint, (name, values) in zip((BLACK, ORANGE, SKY), shown.curves.items(), strict=False):
                axes.plot(shown.x, values, color=tint, label=name)
            for tint, style, (name, values) in zip(
                (BLUE, VERMILLION), ("-", "--"), shown.filled.items(), strict=False
            ):
                axes.plot(shown.x, values, style, color=tint, linewidth=1.0)
                axes.fill_between(shown.x, values, color=tint, alpha=0.2, linewidth=0.0, label=name)
            axes.axhline(0.0, color=GREY, linewidth=0.8)
            axes.set(
                title=shown.title,
                xlabel="x",
                xlim=(shown.x[0], shown.x[-1]),
                ylabel="density, integrand" if shown.filled else "density",
            )
            axes.set_ylim(top=1.35 * axes.get_ylim()[1])  # room for the legend
            axes.legend(loc="upper center", ncols=2)
        names = list(dict.fromkeys(name for shown in rates for name in shown.curves))
        for axes, rate in zip(panels[1], rates, strict=True):
            for name, values in rate.curves.items():
                dashed = "--" if names.index(name) % 2 else "-"
                axes.plot(means, values, dashed, color=_CYCLE[names.index(name) % len(_CYCLE)], label=name)
            axes.set(
                title=rate.title, xlabel="mean of q (p has mean 0)", ylabel=rate.label, yscale="log",
                xlim=(means[0], means[-1]),
            )  # fmt: skip
            axes.set_ylim(bottom=rate.floor)
            axes.legend()
        add_caption(figure, caption)
    return figure
