"""`gamedyn study`: a comparison of methods over seeds, run by run, continued where it stopped.

The class holds the flags; everything heavy is imported when `run` is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import tyro

from gamedyn.gan.studies import STUDIES, Job, Scale, Study

if TYPE_CHECKING:
    from gamedyn.gan.studies.study import Row

StudyName: TypeAlias = Literal["icr-cifar10", "wgan-gp-cifar10", "cifar10-short", "digits-long"]
DIGITS = "gamedyn.gan.metrics.digits:digits"


@dataclass
class StudyCommand:
    """Compare methods over losses, regularisers, learning rates and seeds; draws the scores as curves."""

    name: Annotated[StudyName, tyro.conf.Positional]
    """Which comparison."""
    scale: Scale = "laptop"
    """Sizes: smoke (digits, seconds), laptop (hours on two processors), paper (the source's, for a GPU)."""
    out: Path | None = None
    """Folder of its rows, runs and picture; by default studies/<name>-<scale>."""
    extractor: str | None = None
    """Features of the Fréchet distance, as for gamedyn train; digits bring their own."""
    data_root: str | None = None
    """Folder of the data sets; by default GAMEDYN_DATA, else the platform's cache folder."""
    device: str = "cpu"
    """Where the networks live."""
    processes: int = 1
    """Runs at a time, each with one thread if there are several."""
    shard: str = "1/1"
    """This machine's share of the runs, i/n, where several share the folder."""
    seeds: tuple[int, ...] | None = None
    """Seeds of the reported runs; by default 1 2 3."""
    steps: int | None = None
    """Generator steps of every reported run, in place of the study's."""
    list: bool = False
    """Print what is missing, and stop."""
    draw: bool = False
    """Draw and print what is there, without running anything."""
    costs: bool = False
    """Measure the seconds of a step of every method alone, for the times of later tables and pictures."""

    def run(self) -> None:
        """Do what is missing, then draw and print all that is there.

        Raises:
            ValueError: If a flag is wrong, or the folder holds runs or costs that are none of this study's.
            ChildProcessError: If a run's process was killed.
        """
        from gamedyn.cli.study_report import report
        from gamedyn.gan.studies.costs import COSTS, read_costs
        from gamedyn.gan.studies.rows import check_rows
        from gamedyn.gan.studies.sweep import ROWS, read_rows, sweep

        self._check_task()
        study = self.study()
        folder = self.out or Path("studies", f"{self.name}-{self.scale}")
        rows = read_rows(folder / ROWS)
        check_rows(study, rows, self.score() if rows else None)
        missing, waiting = study.missing(rows), study.waiting(rows)
        later = f": {len(missing)} now, {waiting} once these have chosen their learning rates" * (waiting > 0)
        if self.list:
            print("\n".join(job.key for job in missing))
            total = len(study.jobs(rows)) + waiting
            print(f"{len(missing) + waiting} of {total} runs missing in {folder}{later}")
            return
        if self.costs:
            self._measure(study, rows, folder)
            return
        costs = read_costs(folder / COSTS, study)
        if not self.draw:
            print(f"study: {study.title}; {len(missing) + waiting} runs to do{later} -> {folder}")
            job = RunJob(self.device, self.data_root, 1 if self.processes > 1 else None)
            try:
                rows = sweep(study, folder, job, processes=self.processes, shard=read_shard(self.shard))
            except KeyboardInterrupt:
                print(
                    "stopped; every run kept its newest checkpoint, and the same command goes on from there"
                )
                return
        report(study, rows, folder, costs)

    def _measure(self, study: Study, rows: Sequence[Row], folder: Path) -> None:
        from gamedyn.atomic import check_writable
        from gamedyn.cli.notes import notes_printed
        from gamedyn.cli.steppers import make_stepper
        from gamedyn.gan.checkpoints import list_checkpoints
        from gamedyn.gan.studies.costs import COSTS, jobs_to_time
        from gamedyn.gan.studies.measuring import measure_costs
        from gamedyn.gan.studies.tables import costs_table

        check_writable(folder / COSTS)  # now, not after all the work
        runs = {row["run"]: folder / "runs" / row["run"] for row in rows if not row.get("failure")}
        finished = {name: run for name, run in runs.items() if run.is_dir() and list_checkpoints(run)}
        jobs = [
            replace(job, config=replace(job.config, device=self.device, data_root=self.data_root))
            for job in jobs_to_time(study, rows, finished)
        ]
        with notes_printed():
            costs = measure_costs(jobs, make_stepper, finished)
        costs.write(folder / COSTS)
        print(f"{costs_table(costs)}\n\ncosts: {folder / COSTS}")

    def _check_task(self) -> None:
        flags = {"--list": self.list, "--draw": self.draw, "--costs": self.costs}
        tasks = [flag for flag, given in flags.items() if given]
        if len(tasks) > 1:
            raise ValueError(f"{' and '.join(tasks)} ask for different things: give one of them")
        for task in tasks:
            for flag, value, unused in (("--shard", self.shard, "1/1"), ("--processes", self.processes, 1)):
                if value != unused:
                    raise ValueError(
                        f"{flag} {value} is for runs and {task} does none: leave out one of them"
                    )

    @property
    def features(self) -> str | None:
        """The extractor that is named or that the images bring, if there is one."""
        of_digits = self.scale == "smoke" or self.name == "digits-long"
        return self.extractor or (DIGITS if of_digits else None)

    def score(self) -> str | None:
        """Say what the scores of this study's runs are called.

        Returns:
            The name; `None` where no extractor is named, as it may be for listing and drawing.

        Raises:
            ValueError: If the extractor cannot be opened.
        """
        from gamedyn.gan.metrics.extractors import open_extractor

        return None if self.features is None else open_extractor(self.features).frechet

    def study(self) -> Study:
        """Give the study with its flags applied.

        Returns:
            The study.

        Raises:
            ValueError: If a flag is wrong, or the images need an extractor and none is named.
        """
        extractor = self.features
        if extractor is None and (self.list or self.draw or self.costs):
            extractor = "cifarnet:FOLDER"  # nothing is scored
        if extractor is None:
            raise ValueError(
                f"{self.name} compares scores on CIFAR-10, so --extractor is needed: "
                "cifarnet:FOLDER or inception:PATH"
            )
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"--steps must be at least 1, got {self.steps}")
        if self.seeds is not None:
            check_seeds(self.seeds)
        study = STUDIES[self.name](self.scale, extractor)
        if self.seeds is not None:
            study = replace(study, seeds=self.seeds)
        if self.steps is not None:
            methods = [replace(method, steps=None) for method in study.methods]
            study = replace(study, methods=methods, steps=self.steps)
        return study


@dataclass(frozen=True)
class RunJob:
    """Does one run of a study; a process of its own imports it."""

    device: str
    data_root: str | None
    threads: int | None

    def __call__(self, job: Job, folder: Path) -> str:
        """Train, from the newest checkpoint if there is one.

        Args:
            job: The run.
            folder: Its folder.

        Returns:
            Why it ended early; empty if it did not.

        Raises:
            ValueError: If a setting is wrong.
        """
        from gamedyn.cli.notes import notes_printed
        from gamedyn.cli.steppers import make_stepper
        from gamedyn.gan.building import build_trainer
        from gamedyn.gan.runs import has_begun
        from gamedyn.optimizers import DivergenceError

        config = replace(job.config, device=self.device, data_root=self.data_root, threads=self.threads)
        trainer = build_trainer(config, make_stepper, folder, resume=has_begun(folder))
        try:
            with notes_printed():
                trainer.run()
        except DivergenceError as error:
            return f"step {trainer.step}: {error}"
        except ValueError as error:
            if "diverged" not in str(error):
                raise
            return f"step {trainer.step}: {error}"
        return ""


def check_seeds(seeds: tuple[int, ...]) -> None:
    """Refuse seeds that no run can have, or two runs would share.

    Args:
        seeds: The flag.

    Raises:
        ValueError: If a seed is out of range or stands there twice, or there is none.

    Example:
        >>> check_seeds((4, 5, 4))
        Traceback (most recent call last):
        ...
        ValueError: --seeds must differ, got 4 5 4: leave out the second 4
    """
    given = " ".join(map(str, seeds))
    if not seeds or not all(0 <= seed < 2**32 for seed in seeds):
        raise ValueError(f"--seeds must be whole numbers from 0 to 2**32 - 1, got {given or 'none'}")
    for place, seed in enumerate(seeds):
        if seed in seeds[:place]:
            raise ValueError(f"--seeds must differ, got {given}: leave out the second {seed}")


def read_shard(text: str) -> tuple[int, int]:
    """Read `i/n`.

    Args:
        text: The flag.

    Returns:
        Both numbers.

    Raises:
        ValueError: If it is anything else.

    Example:
        >>> read_shard("2/8")
        (2, 8)
    """
    number, slash, count = text.partition("/")
    if not (slash and number.isdigit() and count.isdigit()):
        raise ValueError(f"--shard must be i/n, such as 1/4, got {text!r}")
    return int(number), int(count)
