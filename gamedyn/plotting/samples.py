"""Samples of generators: grids of images, clouds of points, and two runs beside the real thing."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

from gamedyn.plotting.style import COLOURS, GREY, add_caption, new_figure, styled

Array = npt.NDArray[np.float64]

GUTTER = 0.12


def tiled(images: npt.ArrayLike, columns: int) -> Array:
    """Lay images out on a white sheet with gutters between them.

    Args:
        images: Shape `(n, channels, height, width)` in [-1, 1], with one channel or three.
        columns: Images in a row.

    Returns:
        Shape `(rows, columns, 3)` in [0, 1].

    Raises:
        ValueError: If the shape is another, or there is no image.

    Example:
        >>> tiled(np.zeros((4, 1, 8, 8)), columns=2).shape
        (19, 19, 3)
    """
    values = (np.clip(np.asarray(images, dtype=np.float64), -1.0, 1.0) + 1.0) / 2.0
    if values.ndim != 4 or values.shape[1] not in {1, 3} or not len(values):
        raise ValueError(f"images must have shape (n, 1 or 3, height, width), got {values.shape}")
    values = np.broadcast_to(values, (len(values), 3, *values.shape[2:]))
    _, _, height, width = values.shape
    gap = max(1, round(GUTTER * width))
    rows = -(-len(values) // columns)
    sheet = np.ones((rows * (height + gap) + gap, columns * (width + gap) + gap, 3))
    for index, image in enumerate(values):
        top = gap + (index // columns) * (height + gap)
        left = gap + (index % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = image.transpose(1, 2, 0)
    return sheet


def show_images(axes: Axes, images: npt.ArrayLike, columns: int, title: str = "") -> None:
    """Draw a grid of images into axes, each pixel a square.

    Args:
        axes: Where to draw.
        images: Shape `(n, channels, height, width)` in [-1, 1].
        columns: Images in a row.
        title: Written above.
    """
    axes.imshow(tiled(images, columns), interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title)


def image_grid(images: npt.ArrayLike, *, columns: int = 8, title: str = "") -> Figure:
    """Draw a grid of images.

    Args:
        images: Shape `(n, channels, height, width)` in [-1, 1].
        columns: Images in a row.
        title: Written above.

    Returns:
        The figure.
    """
    height, width, _ = tiled(images, columns).shape
    with styled():
        figure = new_figure(5.0, 5.0 * height / width + (0.3 if title else 0.0))
        show_images(figure.subplots(), images, columns, title)
    return figure


def point_cloud(points: npt.ArrayLike, centers: npt.ArrayLike, *, title: str = "") -> Figure:
    """Draw samples in the plane over the centres of the mixture they imitate.

    Args:
        points: Shape `(n, 2)`.
        centers: Shape `(modes, 2)`.
        title: Written above.

    Returns:
        The figure.
    """
    samples, modes = np.asarray(points), np.asarray(centers)
    reach = 1.6 * float(np.abs(modes).max())
    with styled():
        figure = new_figure(4.6, 4.8)
        axes = figure.subplots()
        axes.plot(*modes.T, "o", color="white", markeredgecolor="black", markersize=11, label="modes")
        axes.plot(*samples.T, ".", color=COLOURS["ACGD"], markersize=3, alpha=0.5, label="samples")
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), title=title)
        axes.set_aspect("equal")
        axes.legend(loc="upper right")
    return figure


@dataclass(frozen=True)
class RunCurve:
    """One method's run, for `compare_runs`.

    Args:
        name: The method's name as in the shared colours (`ACGD`, `Adam`).
        label: How it was trained, one line.
        samples: Its last samples, shape `(n, channels, height, width)`.
        steps: Where it was measured, shape `(k,)`.
        distance: The measured distance to held-out images, shape `(k,)`.
        seconds: Training time up to there, shape `(k,)`; `None` leaves it out.
    """

    name: str
    label: str
    samples: npt.ArrayLike
    steps: Sequence[float]
    distance: Sequence[float]
    seconds: Sequence[float] | None = None


def compare_runs(
    real: npt.ArrayLike,
    runs: Sequence[RunCurve],
    *,
    floor: float,
    columns: int = 8,
    distance: str = "distance",
    caption: str = "",
) -> Figure:
    """Put real images, each run's samples and their curves into one figure.

    Args:
        real: Real images, shape `(n, channels, height, width)`.
        runs: The runs, at most two.
        floor: The distance between two halves of the real images, drawn as a dotted line.
        columns: Images in a row of a grid.
        distance: Name of the distance, for the axes.
        caption: What the figure shows.

    Returns:
        Three grids above the curves: distance against steps, as far as all runs went, and, where timed,
        against seconds.
    """
    with styled():
        figure = new_figure(12.0, 8.4)
        parts: Any = figure.subfigures(2, 1, height_ratios=(1.45, 1.0))
        grids, curves = parts
        axes = grids.subplots(1, 1 + len(runs))
        show_images(axes[0], real, columns, "real images")
        for panel, run in zip(axes[1:], runs, strict=True):
            show_images(panel, run.samples, columns, run.label)
        timed = [run for run in runs if run.seconds is not None]
        panels = curves.subplots(1, 2 if timed else 1, sharey=True, squeeze=False)[0]
        for run in runs:
            panels[0].plot(run.steps, run.distance, label=run.name, color=COLOURS[run.name])
        for run in timed:
            panels[1].plot(run.seconds, run.distance, color=COLOURS[run.name])
        panels[0].set_xlim(right=min(run.steps[-1] for run in runs))
        for panel, label in zip(panels, ("generator steps", "seconds of training"), strict=False):
            panel.axhline(floor, color=GREY, linestyle=":", linewidth=1.2, label="real images")
            panel.set(xlabel=label, yscale="log")
            panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            panel.yaxis.set_major_formatter(FormatStrFormatter("%g"))
            panel.yaxis.set_minor_locator(NullLocator())
            panel.set_xlim(left=0)
        panels[0].set_ylabel(textwrap.fill(distance, 34))
        curves.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(runs) + 1)
        add_caption(figure, caption)
    return figure
