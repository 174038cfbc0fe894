"""What a step is to cost, and whether it did: once for every run of the table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from step_tables import ADAM

CHOSEN = "ACGD structured, max_iter=2, 1/4 of the fakes"
"""The cheap way to step that the targets speak of."""


@dataclass(frozen=True)
class Target:
    """A bound on one number of the table.

    Args:
        game: The beginning of the game's title; empty for the memory.
        row: The contender; the rest of a row's name for all rows that begin so.
        column: A row's number; "speed" for how many times faster than CGDs.
        limit: The most (for "speed" the least) that meets the target.
        aim: A bound hoped for.
    """

    game: str
    row: str
    column: str
    limit: float
    aim: float | None = None

    def __str__(self) -> str:
        at_least = self.column == "speed"
        unit = {"speed": "x faster than CGDs", "memory": "x Adam's peak", "over_cgds": "x CGDs' cost"}
        aim = f", aim {self.aim:g}" if self.aim else ""
        bound = f"{'>=' if at_least else '<='} {self.limit:g} {unit.get(self.column, 'x Adam')}{aim}"
        return f"{self.game or 'memory'}: {self.row} {bound}"

    def met(self, value: float) -> bool:
        """Whether a measured value meets the target."""
        return value >= self.limit if self.column == "speed" else value <= self.limit

    def reached(self, value: float) -> bool:
        """Whether it reaches the aim as well."""
        if self.aim is None:
            return False
        return value >= self.aim if self.column == "speed" else value <= self.aim


def targets() -> Iterator[Target]:
    """List the targets, at their sizes (DIM 64 and batch 64, 1000x1000)."""
    for rtol, adam, relaxed, aim, faster in (("0.01", 5, 3.2, 2.5, 5), ("0.001", 7.5, 4.8, 4, 4)):
        yield Target("CIFAR DCGAN", f"ACGD structured rtol={rtol}", "adam_steps", adam)
        yield Target("CIFAR DCGAN", f"ACGD structured rtol={rtol}", "speed", 2.2)
        yield Target("CIFAR DCGAN", f"ACGD structured, relaxed rtol={rtol}", "adam_steps", relaxed, aim)
        yield Target("CIFAR DCGAN", f"ACGD structured, relaxed rtol={rtol}", "speed", 2.2, faster)
    yield Target("CIFAR DCGAN", CHOSEN, "adam_steps", 1.8, 1.25)
    for rtol in ("0.01", "0.001"):
        yield Target("bilinear", f"ACGD rtol={rtol}", "speed", 2)
        yield Target("MLP GAN", f"ACGD structured rtol={rtol}", "speed", 2)
        for game in ("bilinear", "MLP GAN", "CIFAR DCGAN"):
            yield Target(game, f"ACGD rtol={rtol}", "over_cgds", 1)
    yield Target("", "ACGD structured", "memory", 1.5)


def verdicts(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Judge every run by every target, at each state that a game was measured at."""
    found: list[dict[str, Any]] = []
    for target in targets():
        places = _places(target, runs[0])
        for place in places:
            values = [_places(target, run).get(place) for run in runs]
            verdict = {"target": str(target), "at": place, "values": values}
            if all(value is not None for value in values):
                verdict["met"] = [target.met(value) for value in values]
                if target.aim is not None:
                    verdict["aim_reached"] = [target.reached(value) for value in values]
            found.append(verdict)
    return found


def _places(target: Target, run: dict[str, Any]) -> dict[str, float | None]:
    """Return the value that a target speaks of, for each state of its game."""
    if target.column == "memory":
        peaks = run.get("peak_mib", {})
        beside = {name: peak / peaks[ADAM] for name, peak in peaks.items() if name.startswith(target.row)}
        return beside or {"": None}
    values: dict[str, float | None] = {}
    for game in run["games"]:
        if game["game"].startswith(target.game):
            row = next((row for row in game["rows"] if row["contender"] == target.row), {})
            column = "over_cgds" if target.column == "speed" else target.column
            value = row.get(column)
            values[game["state"]] = 1 / value if target.column == "speed" and value else value
    return values


def print_verdicts(found: list[dict[str, Any]]) -> None:
    """Print the verdicts, one line for each target and state."""
    print("\ntargets")
    for verdict in found:
        name = verdict["target"] + (f" ({verdict['at']})" if verdict["at"] else "")
        if "met" not in verdict:
            print(f"  {name}: not measured")
            continue
        values = " and ".join(f"{value:.2f}" for value in verdict["values"])
        met = verdict["met"]
        both = " in both runs" if len(met) == 2 else ""
        word = f"met{both}" if all(met) else "the runs disagree" if any(met) else f"MISSED{both}"
        if any(verdict.get("aim_reached", ())):
            word += ", aim reached" if all(verdict["aim_reached"]) else ", aim reached once"
        print(f"  {name}: {values}: {word}")
