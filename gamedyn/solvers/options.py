"""What a Krylov method may be told."""

from __future__ import annotations

from numbers import Real
from typing import TypeGuard


def is_number(value: object) -> TypeGuard[float]:
    """Say whether an option is a real number, which True, "1" and a tensor are not.

    Args:
        value: What was given.

    Returns:
        Whether it is one; NaN is.

    Example:
        >>> is_number(1e-3), is_number(True), is_number("1e-3")
        (True, False, False)
    """
    return isinstance(value, Real) and not isinstance(value, bool)


def check_options(*, rtol: float, atol: float, **counts: int) -> None:
    """Refuse a tolerance that is no number of at least 0, and a count that is no whole number of at least 1.

    Args:
        rtol: The relative tolerance.
        atol: The absolute tolerance.
        counts: Numbers of iterations, by name.

    Raises:
        ValueError: With the name and the value.

    Example:
        >>> check_options(rtol=1e-6, atol=0.0, restart=0)
        Traceback (most recent call last):
        ValueError: Invalid restart: 0 (must be an integer >= 1)
    """
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if not is_number(tolerance) or not tolerance >= 0.0:  # nor NaN, which no residual meets
            raise ValueError(f"Invalid {name}: {tolerance!r} (must be a number >= 0)")
    for name, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise ValueError(f"Invalid {name}: {count!r} (must be an integer >= 1)")
