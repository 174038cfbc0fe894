"""One way to step, and what is remembered of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from step_residual import Metric, Rates
from torch import Tensor

Solved = tuple[str, Tensor, int]
"""What a step solved: for which player, its solution, the iterations."""


class Recorder:
    """A function that remembers what it returned last, put in its place for good (so that no time is lost).

    Args:
        module: Where the function is looked up.
        name: Its name.
    """

    def __init__(self, module: Any, name: str) -> None:
        self.last: Any = None
        self._function = getattr(module, name)
        setattr(module, name, self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        self.last = self._function(*args, **kwargs)
        return self.last


@dataclass
class Contender:
    """One way to step, with the measurements taken of it.

    Args:
        step: Takes one step on the game's current batch.
        solved: What the last step solved (competitive ones only).
        metric: The step sizes that it adapts to the gradients; None where it does not.
        whole: Whether it solved the system of the whole batch, so that its residual can be checked.
        adopt: Takes over step sizes gathered along a path.
        save: Returns a copy of its state.
        load: Goes back to such a copy.
        note: Why it is not to be compared at equal residual; empty where it is.
        failure: Why it was given up; empty where it was not.
    """

    step: Callable[[], object]
    solved: Callable[[], Solved] | None = None
    metric: Metric | None = None
    whole: bool = True
    adopt: Callable[[Rates], None] = lambda rates: None
    save: Callable[[], Any] = lambda: None
    load: Callable[[Any], None] = lambda state: None
    note: str = ""
    failure: str = ""
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    iterations: list[int] = field(default_factory=list)
    residuals: list[float] = field(default_factory=list)

    def take(self, other: Contender) -> None:
        """Take over another's measurements, leaving it without any."""
        self.failure = self.failure or other.failure
        for mine, theirs in (
            (self.cpu, other.cpu),
            (self.wall, other.wall),
            (self.iterations, other.iterations),
            (self.residuals, other.residuals),
        ):
            mine.extend(theirs)
            theirs.clear()
