"""What a Krylov method may be told."""

from __future__ import annotations


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
        if not tolerance >= 0.0:  # nor NaN, which no residual meets
            raise ValueError(f"Invalid {name}: {tolerance} (must be a number >= 0)")
    for name, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise ValueError(f"Invalid {name}: {count} (must be an integer >= 1)")
