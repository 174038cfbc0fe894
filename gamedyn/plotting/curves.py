"""Panels of curves, and pairs of scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

from gamedyn.plotting.layers import MARKERS
from gamedyn.plotting.studies import CYCLE
from gamedyn.plotting.style import GREY, add_caption, new_figure, styled

Line = tuple[npt.ArrayLike, npt.ArrayLike]
DASHES = ("-", "--", ":", "-.")


def panels_of_curves(
    panels: Mapping[str, Mapping[str, Line]],
    *,
    xlabel: str,
    ylabel: str | Mapping[str, str],
    log: bool = False,
    levels: Mapping[str, tuple[str, float]] | None = None,
    caption: str = "",
) -> Figure:
    """Draw curves in panels side by side, each with its own scale.

    The first name's curve is broad and pale beside others, so that it shows where another lies upon it.

    Args:
        panels: Curves by name in panels by title; a curve is its places and its values. The same name has the
            same colour everywhere, and is explained once.
        xlabel: What the places are.
        ylabel: What the values are, in all panels or by their titles.
        log: Whether values are drawn on a logarithmic scale.
        levels: A dotted line in some of the panels, by their titles: what it is, and its value.
        caption: What the figure shows.

    Returns:
        The figure.
    """
    names = list(dict.fromkeys(name for curves in panels.values() for name in curves))
    with styled():
        figure = new_figure(max(3.3 * len(panels), 6.0) + 1.0, 4.3)
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        explained: set[str] = set()
        for panel, (title, curves) in zip(axes, panels.items(), strict=True):
            for name, (places, values) in curves.items():
                index = names.index(name)
                dash = DASHES[index % len(DASHES)]
                broad = {"linewidth": 4.5, "alpha": 0.5} if index == 0 and len(curves) > 1 else {}
                panel.plot(
                    places, values, color=CYCLE[index % len(CYCLE)], linestyle=dash, label=name, **broad
                )
            if levels and title in levels:
                panel.axhline(levels[title][1], color=GREY, linestyle=":", label=levels[title][0])
            panel.set(title=title, xlabel=xlabel, yscale="log" if log else "linear")
            panel.set_ylabel(ylabel if isinstance(ylabel, str) else ylabel[title])
            if not explained.issuperset(curves):
                panel.legend()
            explained.update(curves)
        add_caption(figure, caption)
    return figure


def paired_scores(
    pairs: Mapping[str, Line], *, xlabel: str, ylabel: str, level: float | None = None, caption: str = ""
) -> Figure:
    """Draw two scores of the same settings against each other, lower being better, on logarithmic scales.

    Args:
        pairs: First and second scores by the kind of setting.
        xlabel: What the first score is.
        ylabel: What the second score is.
        level: A score that counts as success, drawn along both axes.
        caption: What the figure shows.

    Returns:
        The figure; above the diagonal the first is better.
    """
    with styled():
        figure = new_figure(6.2, 6.9)
        axes = figure.subplots()
        for index, (name, (first, second)) in enumerate(pairs.items()):
            axes.plot(
                first,
                second,
                MARKERS[index % len(MARKERS)],
                color=CYCLE[index % len(CYCLE)],
                markersize=7,
                alpha=0.85,
                label=name,
            )
        everything = np.concatenate([np.ravel(part) for pair in pairs.values() for part in pair])
        finite = everything[np.isfinite(everything)]
        ends = (0.8 * float(finite.min()), 1.25 * float(finite.max())) if len(finite) else (0.1, 1.0)
        axes.plot(ends, ends, color=GREY, linewidth=1.0, label="equal")
        if level is not None:
            axes.axvline(level, color=GREY, linestyle=":", linewidth=1.2, label="success is below")
            axes.axhline(level, color=GREY, linestyle=":", linewidth=1.2)
        axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel=xlabel, ylabel=ylabel)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.set_major_formatter(FormatStrFormatter("%g"))
            axis.set_minor_locator(NullLocator())
        axes.set_aspect("equal")
        figure.legend(loc="outside upper center", ncols=2)  # inside it may hide points or a dotted line
        add_caption(figure, caption)
    return figure
