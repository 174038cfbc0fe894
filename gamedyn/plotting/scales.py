"""Series of any size on one panel: which scale shows them, and how they are smoothed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from gamedyn.plotting.style import GREY

Array = npt.NDArray[np.float64]
SMOOTHED = 40
"""Running means are taken over this part of a series."""


def running_mean(values: npt.ArrayLike) -> Array:
    """Average over a fortieth of the values around each, leaving out those that are not finite.

    Args:
        values: Shape `(k,)`.

    Returns:
        Shape `(k,)`; NaN where no value around is finite.

    Example:
        >>> running_mean([1.0, 2.0, 4.0]).tolist()
        [1.0, 2.0, 4.0]
    """
    array = np.asarray(values, dtype=np.float64)
    half = len(array) // SMOOTHED // 2
    finite = np.isfinite(array)
    total = np.concatenate([[0.0], np.cumsum(np.where(finite, array, 0.0))])
    count = np.concatenate([[0], np.cumsum(finite)])
    last = np.minimum(np.arange(len(array)) + half + 1, len(array))
    first = np.maximum(np.arange(len(array)) - half, 0)
    with np.errstate(invalid="ignore"):
        mean: Array = (total[last] - total[first]) / (count[last] - count[first])
    return mean


def set_scale(axes: Axes, series: Sequence[npt.ArrayLike]) -> None:
    """Choose a linear axis, a logarithmic one where values span decades, or both where they change sign.

    Args:
        axes: The axes.
        series: What is drawn on them.
    """
    values = np.concatenate(
        [np.ravel(np.asarray(part, dtype=np.float64)) for part in series] or [np.empty(0)]
    )
    values = values[np.isfinite(values)]
    if not len(values):
        return
    if values.min() > 0 and values.max() > 20 * values.min():
        axes.set_yscale("log")
        return
    if values.min() >= 0:
        # From zero where that costs at most half of the panel; a series of zeros has no height of its own.
        if values.min() <= values.max() / 2:
            top = float(values.max()) or 1.0
            axes.set_ylim(bottom=-0.02 * top, top=1.06 * top)
        return
    sizes = np.abs(values[values != 0])
    if len(sizes) and sizes.max() > 100 * (middle := float(np.median(sizes))):
        axes.set_yscale("symlog", linthresh=middle)
        axes.axhline(0.0, color=GREY, linewidth=0.6)
