"""A study: methods compared over seeds, each at the learning rate that did best on another seed. No torch."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from gamedyn.gan.config import TrainConfig, resolve

Scale = Literal["smoke", "laptop", "paper"]
Row = Mapping[str, Any]
"""What a finished run left behind, see `sweep.finished_row`."""

# Where a run of the same study may differ without being another run.
ELSEWHERE = ("data_root", "device", "extractor", "threads", "tensorboard", "keep", "checkpoint_every")
NOISE = 0.34
"""Part of the scores, the last ones, that a run is judged by: single scores jump about."""


@dataclass(frozen=True)
class Method:
    """One way to train: what the legend calls it, and its settings beyond those that all share."""

    name: str
    settings: Mapping[str, Any]
    steps: int | None = None
    """Generator steps, where not those of the study."""


@dataclass(frozen=True)
class Job:
    """One run of a study."""

    method: str
    config: TrainConfig
    pilot: bool = False
    """Whether the run is there to choose a learning rate, not to be reported."""

    @property
    def key(self) -> str:
        """The run in one word, which names its folder.

        Example:
            >>> Job("ACGD, WGAN", resolve(TrainConfig(optimizer="acgd", steps=9))).key
            'acgd-wgan-lr0.0005-seed0-steps9'
        """
        words = "".join(letter if letter.isalnum() else " " for letter in self.method.lower()).split()
        own = self.config
        return "-".join([*words, f"lr{own.lr:g}", f"seed{own.seed}", f"steps{own.steps}"])


@dataclass(frozen=True)
class Study:
    """A comparison, and the runs that it needs.

    Args:
        name: Its name on the command line.
        title: What the picture shows.
        claim: What the source claims of it, in one sentence.
        shared: Settings that all runs share.
        methods: What is compared.
        steps: Generator steps of the reported runs.
        seeds: Seeds of the reported runs.
        rates: Learning rates that each method chooses from; empty: those of its settings.
        pilot_steps: Generator steps of the runs that choose.
        pilot_seed: Their seed, none of `seeds`.

    Raises:
        ValueError: If the pilot's seed would be reported.
    """

    name: str
    title: str
    claim: str
    shared: Mapping[str, Any]
    methods: Sequence[Method]
    steps: int
    seeds: Sequence[int] = (1, 2, 3)
    rates: Sequence[float] = ()
    pilot_steps: int = 0
    pilot_seed: int = 0

    def __post_init__(self) -> None:
        if self.rates and self.pilot_seed in self.seeds:
            raise ValueError(
                f"seed {self.pilot_seed} chooses the learning rates, so it cannot be reported: seeds "
                f"{tuple(self.seeds)}"
            )

    def jobs(self, rows: Iterable[Row] = ()) -> list[Job]:
        """List the runs that can be named so far: the reported ones wait for their learning rate.

        Args:
            rows: Finished runs.

        Returns:
            All pilots, then the reported runs, seed by seed.
        """
        rows = list(rows)
        pilots = [job for method in self.methods for job in self.pilots(method)]
        chosen = {method.name: self.rate(method, rows) for method in self.methods}
        reported = [
            self._job(method, chosen[method.name], seed)
            for seed in self.seeds
            for method in self.methods
            if not self.rates or chosen[method.name] is not None
        ]
        return [*pilots, *reported]

    def missing(self, rows: Iterable[Row]) -> list[Job]:
        """List the runs that have no row yet.

        Args:
            rows: Finished runs.

        Returns:
            The rest, in order.
        """
        rows = list(rows)
        done = {row["run"] for row in rows}
        return [job for job in self.jobs(rows) if job.key not in done]

    def waiting(self, rows: Iterable[Row]) -> int:
        """Count the reported runs that wait for their learning rate, which `jobs` cannot name yet.

        Args:
            rows: Finished runs.

        Returns:
            Their number; 0 where there is nothing to choose.
        """
        rows = list(rows)
        undecided = [method for method in self.methods if self.rates and self.rate(method, rows) is None]
        return len(undecided) * len(self.seeds)

    def rate(self, method: Method, rows: Iterable[Row]) -> float | None:
        """Choose a method's learning rate.

        Args:
            method: The method.
            rows: Finished runs.

        Returns:
            The rate of its best pilot; `None` while a pilot is missing, or where there is nothing to choose.
        """
        by_key = {row["run"]: row for row in rows}
        pilots = self.pilots(method)
        if not pilots or any(job.key not in by_key for job in pilots):
            return None
        best = min(pilots, key=lambda job: level(by_key[job.key]))
        return best.config.lr

    def reported(self, rows: Iterable[Row]) -> dict[str, list[Row]]:
        """Group the finished reported runs.

        Args:
            rows: Finished runs.

        Returns:
            Rows by method, in the order of the study's methods and seeds.
        """
        rows = list(rows)
        by_key = {row["run"]: row for row in rows}
        found: dict[str, list[Row]] = {method.name: [] for method in self.methods}
        for job in self.jobs(rows):
            if not job.pilot and job.key in by_key:
                found[job.method].append(by_key[job.key])
        return found

    def pilots(self, method: Method) -> list[Job]:
        """List the runs that choose a method's learning rate.

        Args:
            method: The method.

        Returns:
            One run a rate.
        """
        return [self._job(method, rate, self.pilot_seed, pilot=True) for rate in self.rates]

    def _job(self, method: Method, rate: float | None, seed: int, *, pilot: bool = False) -> Job:
        own: dict[str, Any] = {**self.shared, **method.settings, "seed": seed}
        own["steps"] = self.pilot_steps if pilot else method.steps or self.steps
        if rate is not None:
            own["lr"] = rate
        return Job(method.name, resolve(TrainConfig(**own)), pilot)


def level(row: Row) -> float:
    """Judge a run by the mean of its last scores, lower being better.

    Args:
        row: The finished run.

    Returns:
        The mean over the last third of its scores; infinite for a run that failed or was never scored.

    Example:
        >>> level({"curve": [{"step": s, "score": v} for s, v in ((1, 9.0), (2, 4.0), (3, 2.0))]})
        2.0
    """
    scores = [point["score"] for point in row["curve"]]
    if row.get("failure") or not scores:
        return math.inf
    last = scores[-max(1, round(NOISE * len(scores))) :]
    return math.inf if any(score is None for score in last) else statistics.fmean(last)


def settings_of(config: TrainConfig) -> dict[str, Any]:
    """Give the settings that make a run what it is, for its row.

    Args:
        config: Resolved settings.

    Returns:
        Them without the places of files, the device and the like.
    """
    return {name: value for name, value in asdict(config).items() if name not in ELSEWHERE}
