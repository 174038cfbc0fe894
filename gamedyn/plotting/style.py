"""One look for every figure: colours that colour-blind readers can tell apart, one per optimizer."""

from __future__ import annotations

import io
import os
import re
import textwrap
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

# Okabe & Ito, "Color universal design" (2008).
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY = "#7F7F7F"

COLOURS: Mapping[str, str] = MappingProxyType(
    {"SimGD": VERMILLION, "AltGD": GREEN, "CGD": BLUE, "ACGD": PURPLE, "Adam": BLACK}
)


def colour(label: str) -> str:
    """Colour of a run: its optimizer's own, where the label is an optimizer's name alone.

    Args:
        label: For instance `"CGD"`, or `"SimGD with R1"`.

    Returns:
        A hexadecimal colour; orange for whatever is not one of the optimizers.
    """
    return COLOURS.get(label, ORANGE)


_STYLE: Any = {
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",  # ships with matplotlib, so that a figure looks alike everywhere
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.labelsize": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.fontsize": 9.0,
    "legend.frameon": True,
    "legend.framealpha": 0.9,
    "legend.edgecolor": "#CCCCCC",
    "lines.linewidth": 1.6,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
}


def styled() -> AbstractContextManager[None]:
    """Context in which artists are made in the shared style; the caller's settings return after it.

    Returns:
        A context manager.
    """
    return mpl.rc_context(_STYLE)


def new_figure(width: float, height: float) -> Figure:
    """Empty figure whose parts keep out of each other's way; call it within `styled()`.

    Args:
        width: Inches.
        height: Inches.

    Returns:
        The figure.
    """
    return Figure(figsize=(width, height), layout="constrained")


def add_caption(figure: Figure, caption: str) -> None:
    """Write a caption below the plots, wrapped to the figure's width.

    Args:
        figure: The figure.
        caption: What the figure shows; empty for none.
    """
    if caption:
        # A formula must not be broken: its spaces are hidden from `fill`, which breaks at plain ones only.
        whole = re.sub(
            r"\$[^$]*\$", lambda formula: formula.group().replace(" ", "\N{NO-BREAK SPACE}"), caption
        )
        # About 15 characters of the 9-point font fit an inch. The empty first line keeps a distance.
        filled = "\n" + textwrap.fill(whole, int(15 * figure.get_figwidth()))
        lines = filled.replace("\N{NO-BREAK SPACE}", " ")
        figure.supxlabel(lines, x=0.01, ha="left", fontsize=9.0, color="#333333")


def save(figure: Figure, path: str | os.PathLike[str], *, dpi: int = 160) -> Path:
    """Write a PNG without date or version in it: the same arrays give the same bytes.

    The picture takes its name only when it is complete, so that a full disk spares the old one.

    Args:
        figure: The figure.
        path: Where to; missing folders are made.
        dpi: Dots per inch.

    Returns:
        The path written.

    Raises:
        ValueError: If the path does not end in `.png`.
    """
    target = Path(path)
    if target.suffix != ".png":
        raise ValueError(f"pictures are written as .png, got {str(target)!r}")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    try:
        part.write_bytes(buffer.getvalue())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target
