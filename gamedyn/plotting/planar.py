"""Runs of planar games: phase planes, one player against time, growth against the ratio of step sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gamedyn.plotting.style import COLOURS, GREY, ORANGE, VERMILLION, add_caption, new_figure, styled

Array = npt.NDArray[np.float64]
Path = tuple[Array, Array]


def with_and_without_answer(both: Path, alone: Path, *, lr: tuple[float, float], caption: str = "") -> Figure:
    """The ICR two-panel figure: y converges in play with x, and diverges while x is held.

    Args:
        both: x and y of the run in which both players move, shapes (steps + 1,).
        alone: x and y of the run in which x is held.
        lr: Step sizes (η_x, η_y) of the first run.
        caption: What the figure shows.

    Returns:
        Left the phase plane, right y against the step.
    """
    with styled():
        figure = new_figure(9.6, 4.9)
        plane, time = figure.subplots(1, 2)
        reach = 1.25 * max(np.abs(both[0]).max(), np.abs(both[1]).max())
        labels = f"both players move, η = ({lr[0]:g}, {lr[1]:g})", f"y alone, x held at {alone[0][0]:g}"
        plane.plot(*both, color=VERMILLION, marker="o", markersize=3.2, linewidth=0.9)
        plane.plot(*alone, color=ORANGE, linewidth=2.4)
        _mark_plane(plane, both, reach)
        if np.abs(alone[1]).max() > reach:
            end = alone[0][0], reach
            arrow = {"arrowstyle": "-|>", "color": ORANGE, "linewidth": 2.4, "mutation_scale": 16}
            plane.annotate("", end, (end[0], 0.9 * reach), arrowprops=arrow)
            plane.annotate(
                f"on to y = {alone[1][-1]:.3g}", end, (9, -13), textcoords="offset points", fontsize=9
            )
        plane.set_title("Phase plane")
        time.plot(both[1], color=VERMILLION, label=labels[0])
        time.plot(alone[1], color=ORANGE, linewidth=2.4, label=labels[1])
        time.axhline(0.0, color=GREY, linewidth=0.8)
        time.set(title="The discriminator's variable", xlabel="step", ylabel="y", xlim=(0, len(both[1]) - 1))
        time.set_yscale("symlog", linthresh=1.0)
        ticks = [
            t for t in (-100, -10, -1, -0.5, 0, 0.5, 1, 2, 5, 10, 20, 50, 100) if _within(t, both, alone)
        ]
        time.set_yticks(ticks, [f"{t:g}".replace("-", "−") for t in ticks])
        time.minorticks_off()
        figure.legend(*time.get_legend_handles_labels(), loc="outside upper center", ncols=2)
        add_caption(figure, caption)
    return figure


def _within(tick: float, both: Path, alone: Path) -> bool:
    """Whether a tick lies in the range of either run's y, give or take a half."""
    return bool(min(both[1].min(), alone[1].min()) - 0.5 <= tick <= 1.1 * max(both[1].max(), alone[1].max()))


def phase_planes(paths: Sequence[Path], titles: Sequence[str], *, reach: float, caption: str = "") -> Figure:
    """Phase planes side by side in one frame, so that their sizes compare.

    Args:
        paths: x and y of each run, shapes (steps + 1,).
        titles: Title of each panel.
        reach: Half the width of the frame; what leaves it is cut.
        caption: What the figure shows.

    Returns:
        One panel a run, its steps drawn as arrows.
    """
    with styled():
        figure = new_figure(3.5 * len(paths), 4.5)
        panels = figure.subplots(1, len(paths), squeeze=False)[0]
        for axes, (x, y), title in zip(panels, paths, titles, strict=True):
            seen = (np.abs(x) <= 1.5 * reach) & (np.abs(y) <= 1.5 * reach)
            last = int(np.argmin(seen)) if not seen.all() else len(x)
            u, v = x[:last], y[:last]
            axes.quiver(
                u[:-1], v[:-1], np.diff(u), np.diff(v), color=VERMILLION, angles="xy", scale_units="xy",
                scale=1, width=0.007, headwidth=4.5, headlength=5, clip_on=True,
            )  # fmt: skip
            _mark_plane(axes, (x, y), reach)
            axes.set_title(title)
        add_caption(figure, caption)
    return figure


def _mark_plane(axes: Axes, path: Path, reach: float) -> None:
    """Frame, start and equilibrium of a phase plane."""
    axes.plot(path[0][:1], path[1][:1], "o", markersize=7, color="white", markeredgecolor="black", zorder=5)
    axes.annotate("start", (path[0][0], path[1][0]), (7, 2), textcoords="offset points", fontsize=9)
    axes.plot(0, 0, "+", color="black", markersize=11, markeredgewidth=1.6, zorder=5)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="x  (generator)", ylabel="y  (discriminator)")
    axes.set_aspect("equal")


def slow_player(
    ratio: Array,
    predicted: Mapping[str, Array],
    measured_at: Array,
    measured: Mapping[str, Array],
    alone: Array,
    *,
    mean_lr: float,
    caption: str = "",
) -> Figure:
    """Factor a step against the ratio η_y/η_x at a constant geometric mean of the two.

    Args:
        ratio: Ratios of the curves, shape (k,).
        predicted: Spectral radius of each optimizer at those ratios.
        measured_at: Ratios of the markers, shape (j,).
        measured: Measured factor of each optimizer at those ratios.
        alone: Factor of y alone, x held, shape (k,).
        mean_lr: The geometric mean √(η_x η_y).
        caption: What the figure shows.

    Returns:
        One panel, the ratio on a logarithmic axis.
    """
    with styled():
        figure = new_figure(7.2, 4.9)
        axes = figure.subplots()
        axes.axhspan(0.0, 1.0, color="#F1F5F9", zorder=0)
        axes.axhline(1.0, color=GREY, linewidth=0.9)
        axes.axvline(1.0, color=GREY, linewidth=0.9, linestyle=":")
        for name, values in predicted.items():
            axes.plot(ratio, values, color=COLOURS[name], label=name)
            axes.plot(measured_at, measured[name], "o", color=COLOURS[name], markersize=4.5, fillstyle="none")
        axes.plot(ratio, alone, color=ORANGE, linestyle="--", label="y alone, x held")
        axes.plot([], [], "ok", fillstyle="none", markersize=4.5, label="measured on runs")
        low = min(float(values.min()) for values in predicted.values())
        top = 1.0 + 1.6 * (1.0 - low)
        axes.set(
            xscale="log", xlim=(ratio[0], ratio[-1]), ylim=(low - 0.02, top),
            xlabel=r"$\eta_y\,/\,\eta_x$   (left: slow discriminator, right: fast discriminator)",
            ylabel="factor a step (spectral radius)",
            title=rf"Who may be fast?  f = x² + 10xy + y²,  $\sqrt{{\eta_x \eta_y}}$ = {mean_lr:g}",
        )  # fmt: skip
        for word, height, side in (("stable", 0.996, "top"), ("unstable", 1.004, "bottom")):
            axes.text(ratio[-1] / 1.1, height, word, va=side, ha="right", fontsize=9, color="#444444")
        axes.legend(loc="lower right")
        add_caption(figure, caption)
    return figure
