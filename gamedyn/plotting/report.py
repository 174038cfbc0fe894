"""Several runs side by side: scores, losses and work over steps and time, and their last samples."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from gamedyn.plotting.page import decoded
from gamedyn.plotting.scales import SMOOTHED, running_mean, set_scale
from gamedyn.plotting.studies import CYCLE
from gamedyn.plotting.style import add_caption, new_figure, styled

Array = npt.NDArray[np.float64]
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.2, 1.5)), (0, (5, 1.5, 1, 1.5)))
WIDTH, ROW = 10.0, 2.9


@dataclass(frozen=True)
class Line:
    """One curve of a run.

    Args:
        steps: Shape `(k,)`.
        values: Shape `(k,)`; NaN leaves a gap.
        spread: Half the width of a band around the values; `None` for no band.
    """

    steps: Array
    values: Array
    spread: Array | None = None


@dataclass(frozen=True)
class ReportRun:
    """What a report draws of a run.

    Args:
        label: Its name in the legend.
        lines: Its curves by name: `loss_generator`, `loss_discriminator`, `cg_iterations`, `seconds`.
        scores: Its scores by name.
        seconds: Seconds of training up to given steps.
        grid: The bytes of a PNG of its samples; `None` if it has none.
        grid_label: What stands above it.
    """

    label: str
    lines: Mapping[str, Line]
    scores: Mapping[str, Line] = field(default_factory=dict)
    seconds: Callable[[Array], Array] = np.zeros_like
    grid: bytes | None = None
    grid_label: str = ""


Draw = Callable[[Axes], None]


def score_panels(runs: Sequence[ReportRun], counts: Mapping[str, str]) -> list[Draw]:
    """Say how to draw every score, over steps and over time.

    Args:
        runs: The runs.
        counts: What stands behind the name of a score, for instance `n = 10,000`.

    Returns:
        Two panels a score.
    """
    names = list(dict.fromkeys(name for run in runs for name in run.scores))
    scale, unit = time_unit(runs)

    def panel(name: str, *, timed: bool) -> Draw:
        def draw(axes: Axes) -> None:
            for run, style in styles(runs):
                if (line := run.scores.get(name)) is None:
                    continue
                places = run.seconds(line.steps) / scale if timed else line.steps
                axes.plot(places, line.values, **style, marker="o", markersize=2.6)
                if line.spread is not None:
                    low, high = line.values - line.spread, line.values + line.spread
                    axes.fill_between(places, low, high, color=style["color"], alpha=0.15, linewidth=0)
            set_scale(axes, [run.scores[name].values for run in runs if name in run.scores])
            axes.set_ylabel(
                textwrap.fill(", ".join(filter(None, [name.replace("_", " "), counts.get(name, "")])), 30)
            )
            axes.set_xlabel(f"{unit} of training steps" if timed else "generator steps")
            axes.set_xlim(left=0)

        return draw

    return [panel(name, timed=timed) for name in names for timed in (False, True)]


def training_panels(runs: Sequence[ReportRun]) -> list[Draw]:
    """Say how to draw losses, iterations of the linear solves, and the time that steps took.

    Args:
        runs: The runs.

    Returns:
        Two panels of losses, one of iterations where a run has any, and one of time.
    """
    scale, unit = time_unit(runs)

    def panel(name: str, label: str, divisor: float = 1.0) -> Draw:
        def draw(axes: Axes) -> None:
            means = []
            for run, style in styles(runs):
                line = run.lines.get(name)
                if line is None or (name == "cg_iterations" and not iterates(run)):
                    continue
                mean = running_mean(line.values) / divisor
                means.append(mean)
                if len(mean) >= SMOOTHED and name != "seconds":
                    thin = {**style, "linewidth": 0.6, "alpha": 0.3, "linestyle": "-"}
                    axes.plot(line.steps, line.values / divisor, **thin)
                axes.plot(line.steps, mean, **style, marker="o" if len(mean) == 1 else "")
            if name.startswith("loss"):
                set_scale(axes, means)
            else:
                axes.set_ylim(bottom=0)
            axes.set(xlabel="generator steps", ylabel=label)
            axes.set_xlim(left=0)

        return draw

    panels = [
        panel("loss_generator", "generator's loss"),
        panel("loss_discriminator", "discriminator's loss"),
    ]
    if any(map(iterates, runs)):
        panels.append(panel("cg_iterations", "CG iterations a step"))
    return [*panels, panel("seconds", f"{unit} of training steps", scale)]


def iterates(run: ReportRun) -> bool:
    """Say whether a run solves linear systems.

    Args:
        run: The run.

    Returns:
        Whether it has logged an iteration.
    """
    line = run.lines.get("cg_iterations")
    return line is not None and bool(np.nan_to_num(line.values).any())


def curves(runs: Sequence[ReportRun], panels: Sequence[Draw], *, caption: str = "") -> Figure:
    """Draw panels, two in a row, below one legend.

    Args:
        runs: The runs, for the legend.
        panels: What to draw.
        caption: What the figure shows.

    Returns:
        The figure.
    """
    rows = -(-len(panels) // 2)
    with styled():
        figure = new_figure(WIDTH, ROW * rows + 0.3 * legend_rows(runs) + (0.5 if caption else 0.0))
        spaced(figure)
        fill(figure, panels)
        add_legend(figure, runs)
        add_caption(figure, caption)
    return figure


def overview(runs: Sequence[ReportRun], panels: Sequence[Draw], *, caption: str = "") -> Figure:
    """Draw panels, and the samples of the runs beside each other below them.

    Args:
        runs: The runs.
        panels: What to draw.
        caption: What the figure shows.

    Returns:
        The figure.
    """
    pictures = [(run.grid_label, picture) for run in runs if (picture := decoded(run.grid)) is not None]
    rows = -(-len(panels) // 2)
    columns = max(1, min(3, len(pictures)))
    below = -(-len(pictures) // columns) * (WIDTH / columns + 0.3)
    heights = [ROW * rows + 0.3 * legend_rows(runs), below]
    with styled():
        figure = new_figure(WIDTH, sum(heights) + (0.5 if caption else 0.0))
        spaced(figure)
        parts: Any = figure.subfigures(2 if pictures else 1, 1, height_ratios=heights if pictures else None)
        above = parts[0] if pictures else parts
        fill(above, panels)
        add_legend(above, runs)
        if pictures:
            grid = parts[1].subplots(-(-len(pictures) // columns), columns, squeeze=False).flatten()
            for axes in grid:
                axes.set_axis_off()
            for axes, (label, picture) in zip(grid, pictures, strict=False):
                axes.imshow(picture)
                axes.set_title(textwrap.fill(label, 108 // columns), fontsize=9.0)
        add_caption(figure, caption)
    return figure


def spaced(figure: Figure) -> None:
    """Keep panels and their labels apart.

    Args:
        figure: The figure.
    """
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(w_pad=0.1, h_pad=0.08)


def fill(figure: Any, panels: Sequence[Draw]) -> None:
    """Fill a figure, or a part of one, with panels, two in a row.

    Args:
        figure: Where to draw.
        panels: What to draw.
    """
    rows = -(-len(panels) // 2)
    places = figure.subplots(rows, 2, squeeze=False).flatten()
    for axes, draw in zip(places, panels, strict=False):
        draw(axes)
    for axes in places[len(panels) :]:
        axes.set_axis_off()


def styles(runs: Sequence[ReportRun]) -> list[tuple[ReportRun, dict[str, Any]]]:
    """Give every run a colour that colour-blind readers can tell apart, dashed after eight.

    Args:
        runs: The runs.

    Returns:
        Each run with what `plot` takes.
    """
    return [
        (
            run,
            {
                "color": CYCLE[index % len(CYCLE)],
                "linestyle": DASHES[index // len(CYCLE) % len(DASHES)],
                "linewidth": 1.6,
            },
        )
        for index, run in enumerate(runs)
    ]


def legend_columns(runs: Sequence[ReportRun]) -> int:
    """Say how many entries of the legend fit side by side.

    Args:
        runs: The runs.

    Returns:
        From 1 to 4.
    """
    longest = max(len(run.label) for run in runs)
    return max(1, min(4, len(runs), int(120 / (longest + 6))))


def legend_rows(runs: Sequence[ReportRun]) -> int:
    """Say how many rows the legend has.

    Args:
        runs: The runs.

    Returns:
        At least 1.
    """
    return -(-len(runs) // legend_columns(runs))


def add_legend(figure: Any, runs: Sequence[ReportRun]) -> None:
    """Put one legend above everything.

    Args:
        figure: The figure, or a part of one.
        runs: The runs.
    """
    handles = [Line2D([], [], **style, label=run.label) for run, style in styles(runs)]
    figure.legend(handles=handles, loc="outside upper center", ncols=legend_columns(runs))


def time_unit(runs: Sequence[ReportRun]) -> tuple[float, str]:
    """Choose the unit of time in which the longest run reads well.

    Args:
        runs: The runs.

    Returns:
        Seconds in a unit, and its name.
    """
    ends = [np.nanmax(run.lines["seconds"].values, initial=0.0) for run in runs if "seconds" in run.lines]
    longest = max(ends, default=0.0)
    for seconds, name in ((3600.0, "hours"), (60.0, "minutes")):
        if longest >= 2 * seconds:
            return seconds, name
    return 1.0, "seconds"
