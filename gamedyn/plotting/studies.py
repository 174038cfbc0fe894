"""Scores of several methods over steps and over time, as the papers draw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from gamedyn.gan.studies.figures import Axis, band
from gamedyn.gan.studies.study import Row
from gamedyn.plotting import style

# Told apart by colour and, in print, by the dashes of the optimizer.
CYCLE = (
    style.PURPLE,
    style.BLUE,
    style.GREEN,
    style.VERMILLION,
    style.ORANGE,
    style.SKY,
    style.GREY,
    style.BLACK,
)


def score_curves(rows: Mapping[str, Sequence[Row]], *, title: str, caption: str = "") -> Figure:
    """Draw the scores of methods over generator steps (left) and over time (right).

    Methods of competitive optimizers are solid lines, others dashed; a band spans the seeds.

    Args:
        rows: Finished runs by method.
        title: What is compared.
        caption: What the picture shows.

    Returns:
        The figure.

    Raises:
        ValueError: If no run was ever scored.
    """
    scored = {name: [row for row in own if row["curve"]] for name, own in rows.items()}
    scored = {name: own for name, own in scored.items() if own}
    if not scored:
        raise ValueError("no run has a score: set --eval-every, or let the runs go on")
    score = next(iter(scored.values()))[0]["score"]
    axes: tuple[tuple[Axis, str, float], ...] = (
        ("step", "generator steps", 1.0),
        ("seconds", "minutes of steps", 60.0),
    )
    with style.styled():
        figure = style.new_figure(10.0, 4.6)
        panels = figure.subplots(1, 2, sharey=True)
        for panel, (axis, label, unit) in zip(panels, axes, strict=True):
            for index, (name, own) in enumerate(scored.items()):
                places, mean, least, most = band(own, axis)
                dashes = "-" if name.startswith(("ACGD", "CGD")) else "--"
                tint = CYCLE[index % len(CYCLE)]
                panel.plot(places / unit, mean, dashes, color=tint, label=f"{name} ({len(own)})")
                panel.fill_between(places / unit, least, most, color=tint, alpha=0.15, linewidth=0.0)
            panel.set_xlabel(label)
            panel.set_yscale("log")
        panels[0].set_ylabel(f"{score}, lower is better")
        panels[0].legend(title="method (seeds)", fontsize=8.0)
        figure.suptitle(title)
        style.add_caption(figure, caption)
    return figure
