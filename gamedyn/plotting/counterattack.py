"""A discriminator trained on alone from a checkpoint, and what the generator then does to it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from gamedyn.plotting.samples import show_images
from gamedyn.plotting.style import BLACK, BLUE, ORANGE, VERMILLION, add_caption, new_figure, styled

Array = npt.NDArray[np.float64]
Curves = Mapping[str, Array]

COLOURS = {"alone": ORANGE, "SimGD": VERMILLION, "CGD": BLUE, "checkpoint": BLACK}
"""The discriminator's trainings, by the names that `counterattack` takes."""


def counterattack(
    steps: Array,
    losses: Curves,
    drifts: Mapping[str, tuple[Array, Array]],
    attacks: tuple[Array, Curves],
    samples: npt.ArrayLike,
    *,
    caption: str = "",
) -> Figure:
    """The discriminator's loss and drift as it trains on, its loss under attack, and the checkpoint's images.

    Args:
        steps: Steps of the first two panels, shape (k,).
        losses: The discriminator's loss by training (`alone`, `SimGD`, `CGD`), shapes (k,).
        drifts: L2 distance of its logits from the checkpoint's, on real and on generated images, likewise.
        attacks: Steps of the generator, shape (j,), and the loss of each discriminator at rest.
        samples: Images of the checkpoint's generator, shape (n, channels, height, width).
        caption: What the figure shows.

    Returns:
        Four panels.
    """
    with styled():
        figure = new_figure(10.4, 8.2)
        (loss, drift), (attack, images) = figure.subplots(2, 2)
        for name, values in losses.items():
            loss.plot(steps, values, color=COLOURS[name], label=_word(name))
        loss.set_title("From the checkpoint on: its loss")
        for name, pair in drifts.items():
            for values, line, kind in zip(pair, ("-", (0, (4, 1.5))), ("real", "generated"), strict=True):
                drift.plot(
                    steps, values, color=COLOURS[name], linestyle=line, label=f"{_word(name)}, {kind} images"
                )
        drift.set_title("How far its logits moved")
        for name, values in attacks[1].items():
            label = "at the checkpoint" if name == "checkpoint" else f"trained on: {_word(name)}"
            attack.plot(attacks[0], values, color=COLOURS[name], label=label)
        attack.set_title("Frozen, while the generator strikes back")
        for axes, label in ((loss, "discriminator's loss"), (attack, "discriminator's loss")):
            axes.axhline(2 * np.log(2), color="#555555", linewidth=0.9, linestyle=":")
            axes.set(ylabel=label, ylim=(0, None))
        loss.annotate("chance, 2 ln 2", (1, 2 * np.log(2)), (-4, 3), xycoords=("axes fraction", "data"),
                      textcoords="offset points", ha="right", fontsize=9)  # fmt: skip
        top = max(float(np.max(values)) for pair in drifts.values() for values in pair)
        drift.set(ylabel="L2 distance of the logits", ylim=(0, 1.45 * top))  # room for the legend
        for axes, last, label in ((loss, steps, "step"), (drift, steps, "step"),
                                  (attack, attacks[0], "step of the generator")):  # fmt: skip
            axes.set(xlabel=label, xlim=(0, last[-1]))
            axes.legend(loc="best")
        show_images(images, samples, 8, "The checkpoint's generator")
        add_caption(figure, caption)
    return figure


def _word(name: str) -> str:
    return {"alone": "discriminator alone (SGD)", "SimGD": "both (SimGD)", "CGD": "alone by CGD"}[name]
