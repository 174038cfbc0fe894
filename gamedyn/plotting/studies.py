"""Scores of several methods over steps and over time, as the papers draw them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike

from gamedyn.plotting import style

CYCLE = (
    *(style.PURPLE, style.BLUE, style.GREEN, style.VERMILLION),
    *(style.ORANGE, style.BLACK, style.SKY, style.GREY),
)
SHORT = 2.0
"""Below so many minutes a picture is in seconds."""


@dataclass(frozen=True)
class Curve:
    """The scores of one method.

    Args:
        name: What the legend calls it.
        places: Where its scores stand: generator steps (left panel), then minutes (right panel), each of
            shape `(scores,)`.
        mean: Mean over seeds, shape `(scores,)`.
        least: Least score over seeds.
        most: Largest score over seeds.
        dashed: Whether it is drawn dashed.
    """

    name: str
    places: tuple[ArrayLike, ArrayLike]
    mean: ArrayLike
    least: ArrayLike
    most: ArrayLike
    dashed: bool = False


def score_curves(
    curves: Sequence[Curve],
    *,
    title: str,
    score: str,
    time: str = "processor time in steps",
    caption: str = "",
) -> Figure:
    """Draw the scores of methods over generator steps (left) and over time (right, logarithmic).

    Args:
        curves: The methods; lines are means, bands span the seeds.
        title: What is compared.
        score: Name of the score.
        time: What the minutes are of; where there are few, seconds are drawn.
        caption: What the picture shows.

    Returns:
        The figure.
    """
    with style.styled():
        figure = style.new_figure(10.0, 5.0)
        panels = figure.subplots(1, 2, sharey=True)
        longest = max((float(np.max(curve.places[1], initial=0.0)) for curve in curves), default=0.0)
        unit, per_minute = ("seconds", 60.0) if longest < SHORT else ("minutes", 1.0)
        for index, curve in enumerate(curves):
            tint = CYCLE[index % len(CYCLE)]
            steps, minutes = curve.places
            for panel, places in zip(panels, (steps, per_minute * np.asarray(minutes)), strict=True):
                panel.plot(places, curve.mean, "--" if curve.dashed else "-", color=tint, label=curve.name)
                panel.fill_between(places, curve.least, curve.most, color=tint, alpha=0.15, linewidth=0.0)
        panels[0].set(xlabel="generator steps", ylabel=f"{score}, lower is better", yscale="log")
        panels[1].set(xlabel=f"{unit} of {time}", xscale="log")  # a method may cost ten times another
        for axis in (panels[0].yaxis, panels[1].xaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(FuncFormatter(lambda value, _: some(value)))
        panels[0].legend(title="method (seeds)", fontsize=8.0)
        figure.suptitle(title)
        style.add_caption(figure, caption)
    return figure


def some(value: float) -> str:
    """Label some of the ticks between the powers of ten.

    Args:
        value: Where a tick is.

    Returns:
        Its value if that is two, three or five times a power of ten; else nothing.

    Example:
        >>> some(20.0), some(40.0), some(0.3)
        ('20', '', '0.3')
    """
    return f"{value:g}" if f"{value:.0e}"[0] in "235" else ""
