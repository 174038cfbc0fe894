"""What a step reports of itself."""

from dataclasses import dataclass


@dataclass(frozen=True)
class StepReport:
    """How the last step went.

    Args:
        converged: Whether the linear solve met its tolerance by its true residual (True where there is
            nothing to solve, False for a skipped step).
        iterations: Krylov iterations.
        residual: The true relative residual of the solve (0 where there is nothing to solve, NaN if skipped).
        products: Products with the mixed Hessian, each about the price of one gradient.
        skipped: Whether the step changed nothing because something was not finite.
        skipped_total: Steps skipped by this optimizer so far; a loaded state does not bring any.
        reason: A sentence on why the step was skipped or the solve did not converge; empty otherwise.

    Example:
        >>> StepReport().converged
        True
    """

    converged: bool = True
    iterations: int = 0
    residual: float = 0.0
    products: int = 0
    skipped: bool = False
    skipped_total: int = 0
    reason: str = ""


class SkipStep(Exception):  # noqa: N818 (a signal to the base class, not an error)
    """Raised inside a step that must change nothing; carries the reason."""
