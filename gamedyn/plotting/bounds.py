"""A bound on a distance: against the distance, against the noise that it is taken with, and its tightness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from gamedyn.plotting.probes import MARKERS
from gamedyn.plotting.style import BLACK, BLUE, GREEN, SKY, add_caption, new_figure, styled

Array = npt.NDArray[np.float64]
FAMILIES = (BLUE, GREEN, SKY)


def bounds_and_noise(
    distance: Array,
    bounds: Mapping[str, Array],
    noise: Array,
    by_noise: Mapping[str, Array],
    pairs: Mapping[str, tuple[Array, Array]],
    *,
    caption: str = "",
) -> Figure:
    """Draw a bound that depends on noise.

    Args:
        distance: Distances of one family of pairs, shape (k,).
        bounds: Bounds on them, shape (k,), by the noise.
        noise: Sizes of the noise, shape (m,).
        by_noise: Bounds on single pairs, shape (m,), by the pair.
        pairs: Distances and best bounds of families of pairs, by name.
        caption: What the figure shows.

    Returns:
        Three panels on logarithmic axes.
    """
    with styled():
        figure = new_figure(13.2, 5.0)
        panels: Any = figure.subplots(1, 3)
        left, middle, right = panels
        left.plot(distance, distance, color=BLACK, label="the distance itself")
        # A colour has one meaning: a noise is purple, a pair orange, the darker the larger; families have the
        # colours of their markers.
        for tint, (name, values) in zip(shades("Purples", len(bounds)), bounds.items(), strict=True):
            left.plot(distance, values, "--", color=tint, label=name)
        for tint, (name, values) in zip(shades("Oranges", len(by_noise)), by_noise.items(), strict=True):
            middle.plot(noise, values, color=tint, label=name)
            best = int(values.argmin())
            middle.plot(noise[best], values[best], "*", color=tint, markersize=11)
        ends = [
            min(float(d.min()) for d, _ in pairs.values()),
            max(float(d.max()) for d, _ in pairs.values()),
        ]
        right.plot(ends, ends, color=BLACK, label="bound = distance")
        for hue, marker, (name, (own, bound)) in zip(FAMILIES, MARKERS, pairs.items(), strict=False):
            right.plot(own, bound, marker, color=hue, markersize=5, label=name)
        left.set(title="By the noise", xlabel="Wasserstein distance of the pair", ylabel="bound")
        middle.set(title="By the pair; star: the best noise", xlabel="noise, root of V", ylabel="bound")
        right.set(title="At the best noise", xlabel="Wasserstein distance of the pair", ylabel="bound")
        for axes in panels:
            axes.set(xscale="log", yscale="log")
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter(FormatStrFormatter("%g"))
                axis.set_minor_formatter(NullFormatter())
            axes.grid(which="minor", visible=False)
            axes.legend(fontsize=8.0)
        middle.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        add_caption(figure, caption)
    return figure


def shades(name: str, count: int) -> list[tuple[float, ...]]:
    """Give shades of one colour, from light to dark.

    Args:
        name: Matplotlib's name of a sequential colour map.
        count: How many.

    Returns:
        Colours that are told from white and from each other.
    """
    return [tuple(map(float, colour)) for colour in colormaps[name](np.linspace(0.45, 0.95, count))]
