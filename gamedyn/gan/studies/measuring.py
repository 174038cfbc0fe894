"""Time the steps of a study's methods alone, one after another on one device."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from gamedyn.divergence import DivergenceError
from gamedyn.gan.building import MakeStepper, build_trainer
from gamedyn.gan.config import TrainConfig
from gamedyn.gan.data.sources import Source, open_source
from gamedyn.gan.environment import environment
from gamedyn.gan.steps import StepRecord
from gamedyn.gan.studies.costs import Costs, StepCost
from gamedyn.gan.studies.study import Job, settings_of
from gamedyn.gan.training import Trainer

WARM_UP = 10
ROUNDS, BLOCK = 7, 10
"""Blocks of so many steps are timed of every method in turn: a machine that slows down favours none."""
# What a source of batches depends on.
DATA = ("dataset", "image_size", "dequantise", "data_root", "batch_size", "seed")


def measure_costs(jobs: Sequence[Job], make_stepper: MakeStepper, finished: Mapping[str, Path]) -> Costs:
    """Time steps of runs: drawing batches and stepping, without logs, samples and scores.

    How long a solve is depends on the rate, and may on where a run is: a finished run is continued from its
    last checkpoint. All runs are set up before the first is timed, and nothing of them stays on the disk.

    Args:
        jobs: A run a method, all on the same device.
        make_stepper: Makes the optimizer from the generator, the discriminator and the settings.
        finished: Folders of finished runs by their names; the others start afresh.

    Returns:
        What a step costs: of each method the median over blocks of steps.

    Raises:
        ValueError: If a setting is wrong, a checkpoint is damaged, or a method diverges at once.
        FileNotFoundError: If the data are missing.
    """
    sources: dict[tuple[object, ...], Source] = {}
    trainers: dict[str, Trainer] = {}
    with tempfile.TemporaryDirectory(prefix="gamedyn-") as folder:
        for job in jobs:
            trainers[job.method] = trainer = build_trainer(
                job.config,
                make_stepper,
                Path(folder, job.key),
                source=open_once(job.config, sources),
                score=lambda _: {},  # nothing is scored, so that no extractor is needed
            )
            if job.key in finished:
                trainer.continue_from(finished[job.key], mend="move that folder away")
    starts = {method: trainer.step for method, trainer in trainers.items()}
    seconds: dict[str, list[float]] = {method: [] for method in trainers}
    records: dict[str, list[StepRecord]] = {method: [] for method in trainers}
    total = len(trainers) * (WARM_UP + ROUNDS * BLOCK)
    with tqdm(desc="steps", total=total, unit="step", disable=None) as bar:
        for count in (WARM_UP, *[BLOCK] * ROUNDS):
            for method, trainer in trainers.items():
                try:
                    spent, done = timed_steps(trainer, count)
                except (DivergenceError, ValueError) as error:
                    raise ValueError(f"a step of {method!r} cannot be timed: {error}") from error
                seconds[method].append(spent / count)
                records[method] += done
                bar.update(count)
    return Costs(
        methods={
            job.method: StepCost(
                seconds=statistics.median(seconds[job.method][1:]),
                iterations=statistics.fmean(record.iterations for record in records[job.method][WARM_UP:]),
                start=starts[job.method],
                settings=settings_of(job.config),
            )
            for job in jobs
        },
        steps=ROUNDS * BLOCK,
        environment=environment(next(iter(trainers.values())).device),
    )


def open_once(config: TrainConfig, opened: dict[tuple[object, ...], Source]) -> Source:
    """Open the training data that settings name, unless another run of the same data has.

    Args:
        config: Resolved settings.
        opened: The sources so far, added to.

    Returns:
        The stream of batches.

    Raises:
        ValueError: If a file of the data set is damaged, or a batch is larger than the set.
        FileNotFoundError: If the data are missing.
    """
    key = tuple(getattr(config, name) for name in DATA)
    if key not in opened:
        opened[key] = open_source(config)
    return opened[key]


def timed_steps(trainer: Trainer, count: int) -> tuple[float, list[StepRecord]]:
    """Do some steps, and wait for the device before and after them.

    Args:
        trainer: The run.
        count: How many.

    Returns:
        Their seconds by the clock, and what each gave.
    """
    wait_for(trainer.device)
    start = time.perf_counter()
    records = [trainer.one_step() for _ in range(count)]
    wait_for(trainer.device)
    return time.perf_counter() - start, records


def wait_for(device: torch.device) -> None:
    """Wait until an accelerator has done all that it was given.

    Args:
        device: The device; a processor needs no waiting for.
    """
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
