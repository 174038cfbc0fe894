"""What the flags of a script may be."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

Check = Callable[[str, Any], None]
"""Takes a flag and a value, and raises a `ValueError` that names both."""
LARGEST = 1e37
"""The largest rate or weight: float32 ends at 3.4e38, and optimizers multiply a little."""


def within(least: float, most: float, *, least_too: bool = True) -> Check:
    """Give the check of a number.

    Args:
        least: The smallest that it may be.
        most: The largest that it may be.
        least_too: Whether it may be the smallest itself.

    Returns:
        The check; for a flag of several values it holds for each.
    """
    bound = f"{'at least' if least_too else 'above'} {least:g}"

    def check(flag: str, value: float) -> None:
        if not (least <= value if least_too else least < value):  # not a number is neither
            raise ValueError(f"{flag} must be {bound}, got {value}")
        if value > most:
            raise ValueError(f"{flag} must be at most {most:.10g}, got {value}")

    return check


Count = Annotated[int, within(1, 2**31 - 1)]
Index = Annotated[int, within(0, 2**31 - 1)]
Seed = Annotated[int, within(0, 2**32 - 1)]
Positive = Annotated[float, within(0, LARGEST, least_too=False)]
Weight = Annotated[float, within(0, LARGEST)]


def check_arguments(args: object) -> None:
    """Refuse flags that make no sense.

    Every number must be finite, every flag of several values must have one, and what a field's type is
    annotated with must hold.

    Args:
        args: The dataclass of a script's flags.

    Raises:
        ValueError: If one is wrong; the message names the flag, the value and what it may be.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass
        ... class Args:
        ...     steps: Count = 3
        >>> check_arguments(Args(steps=0))
        Traceback (most recent call last):
        ...
        ValueError: --steps must be at least 1, got 0
    """
    types = get_type_hints(type(args), include_extras=True)
    for name, value in vars(args).items():
        flag = f"--{name.replace('_', '-')}"
        if value == ():
            raise ValueError(f"{flag} needs at least one value, or leave it out")
        for one in value if isinstance(value, tuple) else (value,):
            if one is None:
                continue
            if isinstance(one, float) and not math.isfinite(one):
                raise ValueError(f"{flag} must be finite, got {one}")
            for check in checks_of(types[name]):
                check(flag, one)


def checks_of(kind: Any) -> list[Check]:
    """Collect what a type is annotated with, at any depth.

    Args:
        kind: A type, such as `Count | None` or `tuple[Positive, ...]`.

    Returns:
        The checks.
    """
    own = [check for check in getattr(kind, "__metadata__", ()) if callable(check)]
    inner = (kind.__origin__,) if own else getattr(kind, "__args__", ())
    return [*own, *(check for one in inner for check in checks_of(one))]
