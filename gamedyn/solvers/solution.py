"""What a solve returns: the value, and a truthful word about it."""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Result(Enum):
    """How a solve ended; the value is a sentence that says what to do about it."""

    CONVERGED = "The true relative residual meets the tolerance."
    TRUNCATED = (
        "The iteration limit was reached before the tolerance: the value is the last iterate, with its true "
        "residual beside it. Raise max_iter, loosen rtol, or accept the truncated step."
    )
    STAGNATED = (
        "The residual stopped falling above the tolerance, at the rounding level of this precision: "
        "use float64 parameters or a larger rtol."
    )
    BREAKDOWN = (
        "The operator is not positive definite (conjugate gradients) or is singular (GMRES): the value is "
        "the best iterate before that. Check that the losses are exact negatives, or lower the learning rate."
    )
    NONFINITE = (
        "A product with the operator was NaN or infinite: the value is the last finite iterate. "
        "Check the loss for overflow and the data for NaN."
    )


@dataclass(frozen=True)
class Solution(Generic[Value]):
    """The outcome of a linear solve: failure is data, never silence.

    Args:
        value: The solution, or the best iterate.
        result: How the solve ended, as a sentence.
        iterations: Krylov iterations taken.
        residual: The true relative residual `‖b − A·value‖ / ‖b‖` (0 for a zero right-hand side).
        products: Operator products spent, verification included.
        relaxed: How many of them were relaxed ones, cheaper and less accurate.

    Example:
        >>> from gamedyn.solvers import Result, Solution
        >>> Solution(value=[], result=Result.CONVERGED, iterations=0, residual=0.0).converged
        True
    """

    value: Value
    result: Result
    iterations: int
    residual: float
    products: int = 0
    relaxed: int = 0

    @property
    def converged(self) -> bool:
        """Whether the *true* residual meets the tolerance."""
        return self.result is Result.CONVERGED


def relative(residual: float, size: float) -> float:
    """Return a residual's norm relative to the right-hand side's.

    Args:
        residual: The norm of the residual.
        size: The norm of the right-hand side.

    Returns:
        The quotient; 0 for an exact solve of a zero right-hand side, infinite for any other and for NaN.

    Example:
        >>> relative(1.0, 4.0), relative(0.0, 0.0), relative(math.nan, 1.0)
        (0.25, 0.0, inf)
    """
    if not math.isfinite(residual):
        return math.inf
    if size == 0.0:
        return 0.0 if residual == 0.0 else math.inf
    return residual / size
