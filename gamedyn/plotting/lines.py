"""Language models that write short lines: scores over training above samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from gamedyn.plotting.curves import DASHES, Line
from gamedyn.plotting.studies import CYCLE
from gamedyn.plotting.style import GREY, add_caption, new_figure, styled


def scores_and_lines(
    scores: Mapping[str, Mapping[str, Line]],
    floors: Mapping[str, float],
    samples: Mapping[str, Sequence[str]],
    *,
    xlabel: str,
    ylabel: str,
    caption: str = "",
) -> Figure:
    """Draw scores over training in panels, and below them lines of text in columns.

    Args:
        scores: Curves by the method's name in panels by title.
        floors: The value of real lines in each panel.
        samples: Lines by the column's title.
        xlabel: What the places of the curves are.
        ylabel: What their values are.
        caption: What the figure shows.

    Returns:
        The figure.
    """
    count = max(len(lines) for lines in samples.values())
    with styled():
        figure = new_figure(11.5, 4.2 + 0.165 * count)
        parts: Any = figure.subfigures(2, 1, height_ratios=(3.1, 0.5 + 0.165 * count))
        panels = parts[0].subplots(1, len(scores), sharex=True, squeeze=False)[0]
        for panel, (title, curves) in zip(panels, scores.items(), strict=True):
            for index, (name, (places, values)) in enumerate(curves.items()):
                panel.plot(places, values, DASHES[index], color=CYCLE[1 + index], label=name)
            panel.axhline(floors[title], color=GREY, linestyle=":", linewidth=1.2, label="held-out text")
            panel.set(title=title, xlabel=xlabel, yscale="log", ylim=(None, 1.1))
        panels[0].set_ylabel(ylabel)
        parts[0].legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
        columns = parts[1].subplots(1, len(samples), squeeze=False)[0]
        for axes, (title, lines) in zip(columns, samples.items(), strict=True):
            axes.set_axis_off()
            axes.set_title(title, loc="left")
            # A dollar sign would begin a formula.
            text = "\n".join(lines).replace("$", r"\$")
            axes.text(0.0, 1.0, text, family="DejaVu Sans Mono", fontsize=8.5, va="top", linespacing=1.35)
        add_caption(figure, caption)
    return figure
