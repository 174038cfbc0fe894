"""Samples of many settings, in rows and columns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy.typing as npt
from matplotlib.figure import Figure

from gamedyn.plotting.samples import tiled
from gamedyn.plotting.style import add_caption, new_figure, styled


def grids_of_samples(
    rows: Mapping[str, Mapping[str, tuple[npt.ArrayLike, str]]], *, columns: int = 8, caption: str = ""
) -> Figure:
    """Draw a small grid of images for each setting.

    Args:
        rows: For each row's name, by the column's name, images of shape `(n, channels, height, width)` in
            [-1, 1] and what stands below them. All rows have the same columns.
        columns: Images in a row of a small grid.
        caption: What the figure shows.

    Returns:
        The figure.
    """
    across = list(next(iter(rows.values())))
    longest = max(len(line) for name in rows for line in halves(name))
    with styled():
        figure = new_figure(2.5 * len(across) + max(1.2, 0.12 * longest), 1.02 * len(rows) + 1.2)
        panels = figure.subplots(len(rows), len(across), squeeze=False)
        for line, (name, cells) in zip(panels, rows.items(), strict=True):
            for axes, column in zip(line, across, strict=True):
                images, below = cells[column]
                axes.imshow(tiled(images, columns), interpolation="nearest")
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
                axes.set_xlabel(below, fontsize=8.5, labelpad=2)
            line[0].set_ylabel(
                "\n".join(halves(name)), rotation=0, ha="right", va="center", fontsize=9, labelpad=6
            )
        for axes, column in zip(panels[0], across, strict=True):
            axes.set_title(column)
        add_caption(figure, caption)
    return figure


def halves(words: str) -> list[str]:
    """Break a name into two lines of similar length.

    Args:
        words: The name.

    Returns:
        One line or two.

    Example:
        >>> halves("no normalisation in G or D")
        ['no normalisation', 'in G or D']
    """
    parts = words.split()
    cuts = range(1, len(parts))
    if len(words) < 12 or not cuts:
        return [words]
    best = min(cuts, key=lambda cut: abs(len(" ".join(parts[:cut])) - len(" ".join(parts[cut:]))))
    return [" ".join(parts[:best]), " ".join(parts[best:])]
