"""The seconds of a step of each of a study's methods, measured alone. No torch.

Runs that share an accelerator wait for each other: the seconds in their rows say little about a method.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gamedyn.atomic import write_atomically
from gamedyn.gan.studies.rows import difference
from gamedyn.gan.studies.study import Job, Row, Study, settings_of

COSTS = "costs.json"
# Settings in which the timed run may be another than the finished ones.
UNTIMED = (
    *("lr", "max_lr", "seed", "steps", "log_every", "sample_every"),
    *("eval_every", "eval_samples", "eval_references"),
)


@dataclass(frozen=True)
class StepCost:
    """What a generator step of one method costs, the discriminator's steps that belong to it included.

    Args:
        seconds: Seconds a step, its data included and without logs, samples and scores.
        iterations: Mean iterations of its linear solve; 0 where nothing is solved.
        start: The step of the timed run's checkpoint that was continued; 0 without.
        settings: Settings of that run.
    """

    seconds: float
    iterations: float
    start: int
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Costs:
    """What the steps of a study's methods cost, and how that was measured.

    Args:
        methods: By the method's name.
        steps: Steps a method that were timed.
        environment: On what, see `gamedyn.gan.environment`.
    """

    methods: Mapping[str, StepCost]
    steps: int
    environment: Mapping[str, Any]

    @property
    def machine(self) -> str:
        """The accelerator, or the processor with its threads."""
        device, threads = str(self.environment["device"]), self.environment.get("threads", 1)
        if not device.startswith("cpu"):
            return device
        return f"{threads} thread{'s' * (threads != 1)} of {self.environment['processor']}"

    @property
    def note(self) -> str:
        """What a time computed from them is, which must stand beside it."""
        return f"steps times the seconds of one step measured alone on {self.machine}"

    def timed(self, rows: Iterable[Row]) -> list[Row]:
        """Give rows the time that their steps take alone.

        Args:
            rows: Finished runs; those of other methods stay as they are.

        Returns:
            The same runs, the seconds of their scores replaced by steps times the seconds of a step.
        """
        return [
            {**row, "curve": [{**point, "seconds": point["step"] * cost.seconds} for point in row["curve"]]}
            if (cost := self.methods.get(row.get("method", "")))
            else row
            for row in rows
        ]

    def write(self, path: Path) -> None:
        """Write them as JSON, atomically.

        Args:
            path: The file.

        Raises:
            OSError: If it cannot be written.
        """
        write_atomically(path, (json.dumps(asdict(self), indent=2, allow_nan=False) + "\n").encode())


def read_costs(path: Path, study: Study) -> Costs | None:
    """Read what `Costs.write` wrote.

    Args:
        path: The file.
        study: The study.

    Returns:
        The costs; `None` if there is no such file.

    Raises:
        ValueError: If the file holds something else, or costs of other methods than the study's.
        OSError: If it cannot be read.
    """
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        methods = {name: StepCost(**own) for name, own in content.pop("methods").items()}
        costs = Costs(methods, **content)
        for name, cost in methods.items():
            if type(cost.seconds) not in {int, float} or not 0 < cost.seconds < math.inf:
                raise ValueError(f"the seconds of {name} are {cost.seconds!r}")
            dict(cost.settings)
        _ = costs.machine
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path} is damaged ({reason}): measure again with --costs, or delete it") from error
    check_costs(costs, study, path)
    return costs


def check_costs(costs: Costs, study: Study, path: Path) -> None:
    """Refuse costs that are not those of a study's methods.

    Args:
        costs: The costs.
        study: The study.
        path: Where they were read, for the message.

    Raises:
        ValueError: If a method is missing or is none of the study's, or a step of it was timed with other
            settings.
    """
    mend = "measure again with --costs, or delete it"
    jobs = {job.method: job for job in jobs_to_time(study, [])}
    for name in jobs:
        if name not in costs.methods:
            raise ValueError(f"{path} has no seconds of a step of {name!r}: {mend}")
    for name, cost in costs.methods.items():
        if name not in jobs:
            raise ValueError(f"{path} has a method {name!r}, which {study.name} has not: {mend}")
        own = settings_of(jobs[name].config)
        stored = {**cost.settings, **{setting: own[setting] for setting in UNTIMED}}
        if found := difference(jobs[name].config, stored):
            setting, value, wanted = found
            raise ValueError(
                f"{path} timed {name!r} with {setting} {value!r}, the study has {wanted!r}: {mend}"
            )


def other_rates(costs: Costs, rows: Iterable[Row]) -> list[str]:
    """Say which methods were timed at another learning rate than their runs have.

    Args:
        costs: The costs.
        rows: Reported runs.

    Returns:
        A sentence for each: how long a solve is depends on the rate.
    """
    rates = {row["method"]: row["settings"]["lr"] for row in rows}
    return [
        f"a step of {name!r} was timed at lr {cost.settings['lr']:g}, its runs have {rates[name]:g}: measure "
        "again with --costs"
        for name, cost in costs.methods.items()
        if name in rates and cost.settings["lr"] != rates[name]
    ]


def jobs_to_time(study: Study, rows: Iterable[Row], kept: Collection[str] = ()) -> list[Job]:
    """Name a run of each method whose steps cost what the method's do.

    Args:
        study: The study.
        rows: Finished runs.
        kept: Names of those whose last checkpoint is at hand.

    Returns:
        A reported run where the learning rate is known, one that is kept if there is one; else a run at the
        first rate. In the study's order.
    """
    found: dict[str, Job] = {}
    for job in sorted(study.jobs(rows), key=lambda job: (job.pilot, job.key not in kept)):
        found.setdefault(job.method, job)
    return [found[method.name] for method in study.methods]
