"""The training loop: steps, log, samples and checkpoints, exact across a resume."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from gamedyn.gan.batch import Batch
from gamedyn.gan.checkpoints import load_newest, save_step
from gamedyn.gan.config import TrainConfig, resolve
from gamedyn.gan.data.sources import Source, open_source
from gamedyn.gan.interrupts import deferred_interrupts
from gamedyn.gan.losses import LOSSES
from gamedyn.gan.models.pairs import build_pair
from gamedyn.gan.runlog import RunLog
from gamedyn.gan.runs import LOG, open_run
from gamedyn.gan.steps import Stepper, StepRecord

MakeStepper = Callable[[nn.Module, nn.Module, TrainConfig], Stepper]
Draw = Callable[[Path, Tensor], object]
Measure = Callable[[Tensor], Mapping[str, float]]

SHOWN = 64
MEASURED = 1000
# Offsets that keep the streams of one seed apart: weights, data order, training noise, shown noise.
LATENT_STREAM, SHOWN_STREAM = 1_000_003, 2_000_003


class Trainer:
    """Train a generator against a discriminator, with everything a resumed run needs in checkpoints.

    Both networks stay in training mode; samples are drawn from the same noise every time with the
    generator in evaluation mode, so with BatchNorm's running statistics.

    Args:
        config: The settings; what they leave open is resolved.
        source: Batches to imitate.
        generator: Player 0, takes noise of length `config.latent`.
        discriminator: Player 1.
        stepper: Moves both; `steps.Simultaneous` or `steps.Alternating`.
        folder: Where log, samples and checkpoints go; `runs.open_run` prepares it.
        draw: Draws samples `(64, ...)` into a file; `None` draws nothing.
        measure: Gives figures for the log from 1,000 samples, whenever samples are drawn.

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
    ) -> None:
        self.config = config = resolve(config)
        self.source, self.stepper, self.folder = source, stepper, folder
        self.generator, self.discriminator = generator, discriminator
        self.draw, self.measure = draw, measure
        self.device = open_device(config.device)
        self.loss = LOSSES[str(config.loss)]
        self.latent, self.batch_size, self.steps = (
            int(config.latent or 0),
            int(config.batch_size or 0),
            int(config.steps or 0),
        )
        self.noise = torch.Generator().manual_seed(config.seed + LATENT_STREAM)
        shown = torch.Generator().manual_seed(config.seed + SHOWN_STREAM)
        self.shown_noise = torch.randn(MEASURED, self.latent, generator=shown)
        self.step = 0
        self.saved = 0  # the step of the newest checkpoint
        self.skipped = 0
        self.seconds = 0.0
        self._drawing = 0.0  # seconds of the present step that went into its batches

    def run(self, *, seconds: float = math.inf) -> None:
        """Train up to `config.steps`, from the newest checkpoint if the folder has one.

        The first Ctrl-C (or SIGTERM) lets the step finish, writes a checkpoint and then interrupts.

        Args:
            seconds: Most seconds of steps; after them the run ends as if that had been its last step.

        Raises:
            KeyboardInterrupt: If the user stopped the run; its checkpoint is written.
            ValueError: If every checkpoint of the run is damaged.
            OSError: If a file cannot be written.
        """
        if (state := load_newest(self.folder)) is not None:
            self.load_state_dict(state)
        self.generator.train()
        self.discriminator.train()
        with (
            RunLog(self.folder / LOG, step=self.step) as log,
            deferred_interrupts() as interruption,
            tqdm(
                desc=self.config.optimizer, initial=self.step, total=self.steps, unit="step", disable=None
            ) as bar,
        ):
            last = self.step >= self.steps
            while not last and not interruption.requested:
                record = self.one_step()
                bar.update()
                last = self.step >= self.steps or self.seconds > seconds
                sampled = last or self.step % self.config.sample_every == 0
                if sampled or self.step % self.config.log_every == 0:
                    bar.set_postfix(f=f"{record.loss_generator:.3g}", cg=record.iterations, refresh=False)
                    log.write({**self.line(record), **(self.show() if sampled else {})})
                if last or self.step % self.config.checkpoint_every == 0:
                    self.save(log)
            if interruption.requested and not last:
                self.save(log)
                raise KeyboardInterrupt

    def one_step(self) -> StepRecord:
        """Do one optimizer step on the next batch, or batches.

        Returns:
            The step's losses and figures.
        """
        self._drawing = 0.0
        start = time.perf_counter()
        record = self.stepper.step(self.generator, self.discriminator, self.loss, self.next_batch)
        self.seconds += time.perf_counter() - start - self._drawing
        self.step += 1
        self.skipped += record.skipped
        return record

    def next_batch(self) -> Batch:
        """Draw real samples and noise.

        Returns:
            Both, on the device of the networks.
        """
        start = time.perf_counter()
        real = self.source.next().to(self.device)
        latent = torch.randn(self.batch_size, self.latent, generator=self.noise).to(self.device)
        self._drawing += time.perf_counter() - start
        return Batch(real, latent)

    def line(self, record: StepRecord) -> dict[str, Any]:
        """Describe a step for the log.

        Args:
            record: What the step gave.

        Returns:
            Numbers by name; `seconds` counts the optimizer's steps alone, `skipped` all skipped steps.
        """
        return {
            "step": self.step,
            "loss_generator": record.loss_generator,
            "loss_discriminator": record.loss_discriminator,
            "cg_iterations": record.iterations,
            "residual": record.residual,
            "products": record.products,
            "skipped": self.skipped,
            "seconds": round(self.seconds, 3),
        }

    @torch.no_grad()
    def samples(self, count: int) -> Tensor:
        """Generate from the fixed noise, in evaluation mode.

        Args:
            count: How many, at most 1,000.

        Returns:
            Shape `(count, *shape)`, on the CPU.
        """
        self.generator.eval()
        try:
            parts = torch.split(self.shown_noise[:count], 250)
            return torch.cat([self.generator(part.to(self.device)).cpu() for part in parts])
        finally:
            self.generator.train()

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
        save_step(self.folder, self.step, self.state_dict())
        self.saved = self.step

    def state_dict(self) -> dict[str, Any]:
        """Give everything that the rest of the run depends on.

        Returns:
            Tensors, numbers and dictionaries of them.
        """
        return {
            "step": self.step,
            "skipped": self.skipped,
            "seconds": self.seconds,
            "generator": self.generator.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "stepper": self.stepper.state_dict(),
            "source": self.source.state_dict(),
            "noise": self.noise.get_state(),
            # For networks that draw themselves, such as dropout.
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
        self.stepper.load_state_dict(state["stepper"])
        self.source.load_state_dict(state["source"])
        self.noise.set_state(state["noise"])
        torch.set_rng_state(state["torch_random"])
        if state["cuda_random"]:
            torch.cuda.set_rng_state_all(state["cuda_random"])
        self.step, self.skipped, self.seconds = state["step"], state["skipped"], state["seconds"]
        self.saved = self.step


def build_trainer(
    config: TrainConfig,
    make_stepper: MakeStepper,
    folder: Path,
    *,
    resume: bool = False,
    source: Source | None = None,
    draw: Draw | None = None,
    measure: Measure | None = None,
) -> Trainer:
    """Set up a run from its settings: data, networks, optimizer and folder.

    Args:
        config: The settings.
        make_stepper: Makes the optimizer from the generator, the discriminator and the settings.
        folder: Where the run writes.
        resume: Whether the run in the folder shall be continued.
        source: Batches to imitate, in place of the data set that the settings name.
        draw: Draws samples into a file.
        measure: Gives figures for the log from samples.

    Returns:
        The trainer; its `run` does the work.

    Raises:
        ValueError: If a setting is wrong or does not fit the run in the folder.
        FileNotFoundError: If the data are missing, or there is no run to resume.
    """
    config = resolve(config)
    device = open_device(config.device)
    source = open_source(config) if source is None else source
    open_run(folder, config, resume=resume)
    generator, discriminator = build_pair(
        source.shape,
        dim=int(config.dim or 0),
        latent=int(config.latent or 0),
        seed=config.seed,
        init=config.init or "tflib",
    )
    generator.to(device)
    discriminator.to(device)
    return Trainer(
        config,
        source=source,
        generator=generator,
        discriminator=discriminator,
        stepper=make_stepper(generator, discriminator, config),
        folder=folder,
        draw=draw,
        measure=measure,
    )


def open_device(name: str) -> torch.device:
    """Check that a device can be used.

    Args:
        name: Its name.

    Returns:
        The device.

    Raises:
        ValueError: If torch does not know it or cannot reach it.

    Example:
        >>> open_device("cpu")
        device(type='cpu')
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"device {name!r} cannot be used: {str(error).splitlines()[0]}") from error
    return device
