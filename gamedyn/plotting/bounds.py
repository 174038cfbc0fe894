"""A bound on a distance: against the distance, against the noise that it is taken with, and its tightness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from gamedyn.plotting.probes import CYCLE, MARKERS
from gamedyn.plotting.style import BLACK, add_caption, new_figure, styled

Array = npt.NDArray[np.float64]


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
        for tint, (name, values) in zip(CYCLE, bounds.items(), strict=False):
            left.plot(distance, values, "--", color=tint, label=name)
        for tint, marker, (name, values) in zip(CYCLE, MARKERS, by_noise.items(), strict=False):
            middle.plot(noise, values, color=tint, label=name)
            best = int(values.argmin())
            middle.plot(noise[best], values[best], marker, color=tint, markersize=6)
        ends = [
            min(float(d.min()) for d, _ in pairs.values()),
            max(float(d.max()) for d, _ in pairs.values()),
        ]
        right.plot(ends, ends, color=BLACK, label="bound = distance")
        for tint, marker, (name, (own, bound)) in zip(CYCLE, MARKERS, pairs.items(), strict=False):
            right.plot(own, bound, marker, color=tint, markersize=5, label=name)
        left.set(title="By the noise", xlabel="Wasserstein distance of the pair", ylabel="bound")
        middle.set(title="By the pair; marked: the best noise", xlabel="noise, root of V", ylabel="bound")
        right.set(title="At the best noise", xlabel="Wasserstein distance of the pair", ylabel="bound")
        for axes in panels:
            axes.set(xscale="log", yscale="log")
            axes.grid(which="minor", visible=False)
            axes.legend(fontsize=8.0)
        add_caption(figure, caption)
    return figure
