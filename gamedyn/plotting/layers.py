"""What goes on inside networks, layer by layer: norms of gradients, and distributions of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gamedyn.plotting.studies import CYCLE
from gamedyn.plotting.style import GREY, add_caption, new_figure, styled

MARKERS = "osD^vPX*"


def draw_profiles(axes: Axes, profiles: Mapping[str, npt.ArrayLike], *, dashed: Sequence[str] = ()) -> None:
    """Draw the gradient's norm over the layers, from the output to the input.

    Args:
        axes: Where to draw.
        profiles: Decimal logarithms of norms by name, from the first layer to the last; those that are not
            finite are left out.
        dashed: Names whose line is dashed.
    """
    for index, (name, norms) in enumerate(profiles.items()):
        values = np.asarray(norms, dtype=np.float64)
        axes.plot(
            1 + np.arange(len(values)),
            np.where(np.isfinite(values), values, np.nan),
            linestyle="--" if name in dashed else "-",
            marker=MARKERS[index % len(MARKERS)],
            markersize=4,
            color=CYCLE[index % len(CYCLE)],
            label=name,
        )
    axes.invert_xaxis()
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    axes.set(
        xlabel="layer (left: output, right: input)",
        ylabel="$\\log_{10}$ of the gradient's norm",
    )


def layer_profiles(
    profiles: Mapping[str, npt.ArrayLike],
    histograms: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]],
    *,
    caption: str = "",
) -> Figure:
    """Draw gradients' norms over the layers beside the weights' distributions.

    Args:
        profiles: See `draw_profiles`.
        histograms: Of weights, by name: counts `(n,)` and edges of the bins `(n + 1,)`.
        caption: What the figure shows.

    Returns:
        The figure: a wide panel, and a narrow one for each histogram.
    """
    with styled():
        figure = new_figure(11.0, 4.9)
        panels = figure.subplots(1, 1 + len(histograms), width_ratios=[2.0, *[1.0] * len(histograms)])
        axes = np.atleast_1d(panels)
        draw_profiles(axes[0], profiles)
        axes[0].set_title("gradient of the critic's loss")
        axes[0].legend()
        names = list(profiles)
        for panel, (name, (counts, edges)) in zip(axes[1:], histograms.items(), strict=True):
            tint = CYCLE[names.index(name) % len(CYCLE)] if name in names else GREY
            share = np.asarray(counts, dtype=np.float64) / np.sum(counts)
            panel.stairs(share, edges, fill=True, color=tint)
            panel.set(title=f"weights: {name}", xlabel="weight", yscale="log")
            panel.xaxis.set_major_locator(MaxNLocator(4, min_n_ticks=3))
        if histograms:
            axes[1].set_ylabel("share of the weights in a bin")
        add_caption(figure, caption)
    return figure


def profiles_side_by_side(
    panels: Mapping[str, Mapping[str, npt.ArrayLike]],
    slopes: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike]],
    *,
    bound: str,
    caption: str = "",
) -> Figure:
    """Draw several sets of profiles, then how their slopes depend on a bound of the weights.

    Args:
        panels: Profiles by the panel's title, see `draw_profiles`.
        slopes: Of each panel: bounds `(n,)` and decades a layer `(n,)`.
        bound: What the bound is called.
        caption: What the figure shows.

    Returns:
        The figure.
    """
    with styled():
        figure = new_figure(3.4 * (len(panels) + 1), 4.6)
        axes = figure.subplots(1, len(panels) + 1)
        for panel, (title, profiles) in zip(axes, panels.items(), strict=False):
            draw_profiles(panel, profiles)
            panel.set_title(title)
            panel.legend(fontsize=8)
        low = min(panel.get_ylim()[0] for panel in axes[:-1])
        high = max(panel.get_ylim()[1] for panel in axes[:-1])
        for panel in axes[:-1]:
            panel.set_ylim(low, high)
        for panel in axes[1:-1]:
            panel.set_ylabel("")
        for index, (title, (bounds, values)) in enumerate(slopes.items()):
            axes[-1].plot(bounds, values, MARKERS[-1 - index] + "--", color=CYCLE[-1 - index], label=title)
        axes[-1].axhline(0.0, color=GREY, linewidth=1.0, linestyle=":")
        axes[-1].set(
            xscale="log",
            xlabel=bound,
            ylabel="decades a layer, towards the input",
            title="growth of the gradient",
        )
        axes[-1].legend(fontsize=8)
        add_caption(figure, caption)
    return figure
