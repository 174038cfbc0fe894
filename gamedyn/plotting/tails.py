"""Heavy tails: quantiles against quantiles, tails on logarithmic axes, and what averaging does to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from gamedyn.plotting.style import BLUE, GREY, ORANGE, VERMILLION, add_caption, new_figure, styled

Array = npt.NDArray[np.float64]
_TINTS = (BLUE, VERMILLION, ORANGE)


def tails_and_averages(
    expected: Array,
    quantiles: Mapping[str, Array],
    thresholds: Array,
    exceeding: Mapping[str, Array],
    sizes: Array,
    widths: Mapping[str, Array],
    *,
    law: str,
    caption: str = "",
) -> Figure:
    """Draw samples' quantiles, their tails, and the width of their averages.

    Args:
        expected: Quantiles of the law that samples are held against, shape (k,).
        quantiles: Quantiles of the samples at the same levels, by name, shape (k,).
        thresholds: Positive thresholds, shape (j,).
        exceeding: Share of each sample's absolute values above them, shape (j,); zeros are left out.
        sizes: How many values are averaged, shape (m,).
        widths: Interquartile range of such averages, by name, shape (m,).
        law: The law's name.
        caption: What the figure shows.

    Returns:
        Three panels.
    """
    with styled():
        figure = new_figure(13.0, 4.8)
        panels: Any = figure.subplots(1, 3)
        left, middle, right = panels
        left.plot(expected, expected, color=GREY, linewidth=3.0, alpha=0.5, label=f"{law}, exact")
        for tint, marker, name in zip(_TINTS, "os^", quantiles, strict=False):
            dots = {"color": tint, "marker": marker, "markersize": 3.5, "label": name}
            left.plot(expected, quantiles[name], linestyle="", **dots)
            some = exceeding[name] > 0
            middle.plot(thresholds[some], exceeding[name][some], linewidth=1.0, **dots)
            right.plot(sizes, widths[name], linewidth=1.0, **dots)
        reach = np.abs(expected).max()
        powers = [power for power in 100.0 ** np.arange(10) if power <= reach]
        ticks = [-power for power in reversed(powers)] + [0.0, *powers]
        for scaled in (left.set_xscale, left.set_yscale):
            scaled("symlog", linthresh=1.0)
        left.set_xticks(ticks)
        left.set_yticks(ticks)
        left.set(title="Quantiles", xlabel=f"quantile of the {law} law", ylabel="quantile of the sample")
        middle.set(title="Tails", xlabel="t, in scales", ylabel="P(|update| > t)", xscale="log", yscale="log")
        right.set(
            title="Averages over a batch", xlabel="samples averaged", ylabel="interquartile range, in scales",
            xscale="log", yscale="log",
        )  # fmt: skip
        figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=1 + len(quantiles))
        add_caption(figure, caption)
    return figure
