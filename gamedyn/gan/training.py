"""The training loop: steps, log, samples and checkpoints, exact across a resume."""

from __future__ import annotations

import math
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from gamedyn.gan.averaging import AveragedGenerator
from gamedyn.gan.batches import Batches
from gamedyn.gan.checkpoints import load_newest, save_step
from gamedyn.gan.claims import claimed
from gamedyn.gan.clock import StepClock
from gamedyn.gan.config import TrainConfig, resolve
from gamedyn.gan.data.sources import Source
from gamedyn.gan.devices import open_device
from gamedyn.gan.environment import record_environment
from gamedyn.gan.interrupts import deferred_interrupts
from gamedyn.gan.loggers import Logger, TensorBoardLog
from gamedyn.gan.losses import build_loss
from gamedyn.gan.runlog import RunLog, read_log
from gamedyn.gan.runs import LOG
from gamedyn.gan.sampling import generate
from gamedyn.gan.schedules import linear_decay, remaining
from gamedyn.gan.scoring import SCORED, Score, Scoring
from gamedyn.gan.steps import Stepper, StepRecord

Draw = Callable[[Path, Tensor], object]
Measure = Callable[[Tensor], Mapping[str, float]]

SHOWN = 64
MEASURED = 1000
# Offsets that keep the streams of one seed apart, as `batches.STREAM`: shown noise, and what networks and
# penalties draw themselves.
SHOWN_STREAM, GLOBAL_STREAM = 2_000_003, 4_000_037


class Trainer:
    """Train a generator against a discriminator, with everything a resumed run needs in checkpoints.

    Both networks stay in training mode; samples are drawn from the same noise every time with the
    generator in evaluation mode, so with BatchNorm's running statistics, and from the generator's moving
    average where there is one.

    Args:
        config: The settings; what they leave open is resolved.
        source: Batches to imitate.
        generator: Player 0, takes noise of length `config.latent`.
        discriminator: Player 1.
        stepper: Moves both; `steps.Simultaneous` or `steps.Alternating`.
        folder: Where log, samples and checkpoints go; `runs.open_run` prepares it.
        draw: Draws samples `(64, ...)` into a file; `None` draws nothing.
        measure: Gives figures for the log from 1,000 samples, whenever samples are drawn.
        score: Gives scores for the log; is handed what generates so many samples, in parts.
        loggers: What else takes the lines of the log.

    Attributes:
        ema: The moving average of the generator, or `None`.

    Raises:
        ValueError: If the device does not exist.
    """

    def __init__(
        self,
        config: TrainConfig,
        *,
        source: Source,
        generator: nn.Module,
        discriminator: nn.Module,
        stepper: Stepper,
        folder: Path,
        draw: Draw | None = None,
        measure: Measure | None = None,
        score: Score | None = None,
        loggers: Sequence[Logger] = (),
    ) -> None:
        self.config = config = resolve(config)
        self.source, self.stepper, self.folder = source, stepper, folder
        self.generator, self.discriminator = generator, discriminator
        self.draw, self.measure, self.loggers = draw, measure, list(loggers)
        self.scoring = Scoring(config, score, self.generated)
        self.device = open_device(config.device)
        self.loss = build_loss(str(config.loss), label_smoothing=config.label_smoothing)
        self.latent, self.steps = int(config.latent or 0), int(config.steps or 0)
        shown = torch.Generator().manual_seed(config.seed + SHOWN_STREAM)
        self.shown_noise = torch.randn(MEASURED, self.latent, generator=shown)
        self.classes = int(getattr(generator, "classes", 0))
        self.clock = StepClock()
        self.batches = Batches(
            config, source, conditional=self.classes > 0, device=self.device, clock=self.clock
        )
        self.average = AveragedGenerator(generator, config.ema) if config.ema else None
        decaying = config.lr_decay == "linear"
        self.schedulers = linear_decay(stepper.optimizers, self.steps) if decaying else []
        self.step = 0
        self.saved = 0  # the step of the newest checkpoint
        self.skipped = 0
        self.noted = False  # what its first products tell

    @property
    def ema(self) -> nn.Module | None:
        """The moving average of the generator, if there is one."""
        return None if self.average is None else self.average.network

    def run(self, *, seconds: float = math.inf) -> None:
        """Train up to `config.steps`, from the newest checkpoint if the folder has one.

        The first Ctrl-C (or SIGTERM) lets the step finish, writes a checkpoint and then interrupts. Scores
        that it prevented are caught up with by the next start, before its first step.

        Args:
            seconds: Most seconds of steps; after them the run ends as if that had been its last step.

        Raises:
            KeyboardInterrupt: If the user stopped the run; its checkpoint is written.
            ValueError: If every checkpoint of the run is damaged, or the newest is of another run, or another
                process is at work on it.
            OSError: If a file cannot be written.
        """
        with claimed(self.folder):
            self._run(seconds)

    def _run(self, seconds: float) -> None:
        if not self.continue_from(self.folder, mend="start again with another --out"):
            torch.manual_seed(self.config.seed + GLOBAL_STREAM)
        record_environment(self.folder, self.device, step=self.step)
        self.generator.train()
        self.discriminator.train()
        scored = any(line["step"] == self.step and SCORED in line for line in read_log(self.folder / LOG))
        with (
            RunLog(self.folder / LOG, step=self.step) as log,
            deferred_interrupts() as interruption,
            tqdm(
                desc=self.config.optimizer, initial=self.step, total=self.steps, unit="step", disable=None
            ) as bar,
        ):
            loggers: list[Logger] = [log, *self.loggers]
            if self.config.tensorboard:
                loggers.append(TensorBoardLog(self.folder / "tensorboard", step=self.step))

            def write(line: Mapping[str, object] | None) -> None:
                for logger in loggers if line else []:
                    logger.write(line or {})

            last = self.step >= self.steps
            if self.step and not scored:
                write(self.scoring.line(self.step, interruption, last=last))
            while not last and not interruption.requested:
                record = self.one_step()
                bar.update()
                last = self.step >= self.steps or self.clock.seconds > seconds
                sampled = last or self.step % self.config.sample_every == 0
                if sampled or self.step % self.config.log_every == 0:
                    bar.set_postfix(f=f"{record.loss_generator:.3g}", cg=record.iterations, refresh=False)
                    write({**self.line(record), **(self.show() if sampled else {})})
                if last or self.step % self.config.checkpoint_every == 0:
                    self.save(log)
                write(self.scoring.line(self.step, interruption, last=last))
            if interruption.requested and (not last or self.scoring.given_up):
                if self.saved < self.step:
                    self.save(log)
                raise KeyboardInterrupt

    def one_step(self) -> StepRecord:
        """Do one optimizer step on the next batch, or batches.

        Returns:
            The step's losses and figures.
        """
        self.stepper.noise = self.config.instance_noise * remaining(self.step, self.steps)
        with self.clock.running():
            record = self.stepper.step(self.generator, self.discriminator, self.loss, self.batches.next)
        if record.products and not self.noted:
            self.noted = True
            for note in getattr(self.stepper, "notes", ()):
                warnings.warn(note, RuntimeWarning, stacklevel=3)
        for scheduler in self.schedulers:
            scheduler.step()
        if self.average is not None:
            self.average.update(self.generator)
        self.step += 1
        self.skipped += record.skipped
        return record

    def line(self, record: StepRecord) -> dict[str, Any]:
        """Describe a step for the log.

        Args:
            record: What the step gave.

        Returns:
            Numbers by name; `seconds` counts the optimizer's steps alone, `cpu_seconds` the processor time of
            all threads in them, and `skipped` all skipped steps.
        """
        figures = {
            "step": self.step,
            "loss_generator": record.loss_generator,
            "loss_discriminator": record.loss_discriminator,
            "cg_iterations": record.iterations,
            "residual": record.residual,
            "products": record.products,
            "skipped": self.skipped,
            "seconds": round(self.clock.seconds, 3),
            "cpu_seconds": round(self.clock.cpu_seconds, 3),
        }
        return figures | ({"lr": self.schedulers[0].get_last_lr()[0]} if self.schedulers else {})

    def generated(self, latent: Tensor) -> Iterator[Tensor]:
        """Generate in evaluation mode, from the moving average where there is one.

        Args:
            latent: Latent vectors, shape `(n, latent)`, on the CPU.

        Returns:
            Samples in parts, on the CPU.
        """
        return generate(self.ema or self.generator, latent, classes=self.classes, device=self.device)

    def samples(self, count: int) -> Tensor:
        """Generate from the fixed noise, in evaluation mode.

        Args:
            count: How many, at most 1,000.

        Returns:
            Shape `(count, *shape)`, on the CPU.
        """
        return torch.cat(list(self.generated(self.shown_noise[:count])))

    def show(self) -> Mapping[str, float]:
        """Draw samples and measure them, as far as asked for.

        Returns:
            The measured figures.
        """
        points = len(self.source.shape) == 1
        samples = self.samples(MEASURED if points or self.measure is not None else SHOWN)
        if self.draw is not None:
            self.draw(self.folder / f"samples-{self.step:08d}.png", samples if points else samples[:SHOWN])
        return {} if self.measure is None else self.measure(samples)

    def save(self, log: RunLog) -> None:
        """Write a checkpoint; the log reaches the disk first.

        Args:
            log: The run's log.
        """
        log.sync()
        save_step(self.folder, self.step, self.state_dict(), keep=self.config.keep)
        self.saved = self.step

    def continue_from(self, folder: Path, *, mend: str) -> bool:
        """Take over the newest checkpoint of a folder, if it has one.

        Args:
            folder: A run's folder.
            mend: What to do where the checkpoint is of another run, for the message.

        Returns:
            Whether there was one.

        Raises:
            ValueError: If every checkpoint in it is damaged, or the newest is of another run.
        """
        state = load_newest(folder) if folder.is_dir() else None
        if state is None:
            return False
        try:
            self.load_state_dict(state)
        except (KeyError, TypeError, AttributeError, RuntimeError) as error:
            reason = textwrap.shorten(str(error), 240, placeholder=" …")
            raise ValueError(
                f"the newest checkpoint in {folder} is of another run: {type(error).__name__}: {reason}; "
                f"{mend}"
            ) from error
        return True

    def state_dict(self) -> dict[str, Any]:
        """Give everything that the rest of the run depends on.

        Returns:
            Tensors, numbers and dictionaries of them.
        """
        return {
            "step": self.step,
            "skipped": self.skipped,
            "seconds": self.clock.seconds,
            "cpu_seconds": self.clock.cpu_seconds,
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "ema": None if self.average is None else self.average.state_dict(),
            "stepper": self.stepper.state_dict(),
            "schedulers": [scheduler.state_dict() for scheduler in self.schedulers],
            **self.batches.state_dict(),
            # For networks and penalties that draw themselves.
            "torch_random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a stored state.

        Args:
            state: What `state_dict` gave.

        Raises:
            ValueError: If the state belongs to another data set.
            RuntimeError: If it belongs to other networks.
        """
        self.generator.load_state_dict(state["generator"])
        self.discriminator.load_state_dict(state["discriminator"])
        if self.average is not None:
            self.average.load_state_dict(state["ema"], steps=state["step"])
        self.stepper.load_state_dict(state["stepper"])
        for scheduler, stored in zip(self.schedulers, state.get("schedulers", []), strict=True):
            scheduler.load_state_dict(stored)
        self.batches.load_state_dict(state)
        torch.set_rng_state(state["torch_random"])
        if state["cuda_random"]:
            torch.cuda.set_rng_state_all(state["cuda_random"])
        self.step, self.skipped = state["step"], state["skipped"]
        self.clock.seconds, self.clock.cpu_seconds = state["seconds"], state["cpu_seconds"]
        self.saved = self.step
