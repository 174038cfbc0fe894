"""Whether finished runs are those of a study: a run's name tells its rate, seed and steps alone. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from gamedyn.gan.config import TrainConfig, resolve
from gamedyn.gan.studies.study import Job, Row, Study, settings_of

DEFAULTS = asdict(TrainConfig())


def check_rows(study: Study, rows: Iterable[Row], score: str | None = None) -> None:
    """Refuse rows that would count for runs of the study, and are of other runs or of another extractor.

    Args:
        study: The study.
        rows: Finished runs; those that the study does not name count for nothing and may be anything.
        score: What the scores of its runs are called; by default any name, the same for all.

    Raises:
        ValueError: If a row's settings are not those of the study's run of that name, or its scores are of
            another extractor.
    """
    rows = list(rows)
    jobs = {job.key: job for job in study.jobs(rows)}
    for row in rows:
        if row["run"] not in jobs:
            continue
        check_settings(jobs[row["run"]], row)
        named = row.get("score")
        if named and score and named != score:
            raise ValueError(
                f"the finished run {row['run']} was scored by {named}, others of {study.name} by {score}, "
                "and the two cannot be compared: give the same --extractor to all, or choose another --out"
            )
        score = score or named


def check_settings(job: Job, row: Row) -> None:
    """Refuse a row whose run had other settings than its name stands for now.

    Args:
        job: The run.
        row: The finished run of that name.

    Raises:
        ValueError: If a setting differs.
    """
    if found := difference(job.config, row["settings"]):
        name, value, wanted = found
        raise ValueError(
            f"the finished run {row['run']} has {name} {value!r}, the study's run of that name "
            f"{wanted!r}: choose another --out for this study"
        )


def difference(config: TrainConfig, stored: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    """Find the first setting by which stored settings are of another run.

    A setting that came after they were stored counts as its default, which is how the run was done.

    Args:
        config: Resolved settings of the run.
        stored: What `settings_of` gave when it was done.

    Returns:
        The setting's name, its stored value and the run's; `None` where all are the same.
    """
    own = settings_of(config)
    later = {name: DEFAULTS[name] for name in own if name not in stored}
    found = settings_of(resolve(replace(config, **later))) | dict(stored)
    return next(
        ((name, value, own.get(name)) for name, value in found.items() if value != own.get(name)), None
    )
