"""From settings to a run: data, networks, optimizer and folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import nn

from gamedyn.gan.config import TrainConfig, resolve
from gamedyn.gan.data.sources import Source, open_source
from gamedyn.gan.devices import open_device
from gamedyn.gan.loggers import Logger, summary_writer
from gamedyn.gan.models.pairs import build_pair
from gamedyn.gan.runs import open_run
from gamedyn.gan.scoring import Score, open_score
from gamedyn.gan.steps import Stepper
from gamedyn.gan.training import Draw, Measure, Trainer

MakeStepper = Callable[[nn.Module, nn.Module, TrainConfig], Stepper]


def build_trainer(
    config: TrainConfig,
    make_stepper: MakeStepper,
    folder: Path,
    *,
    resume: bool = False,
    source: Source | None = None,
    draw: Draw | None = None,
    measure: Measure | None = None,
    score: Score | None = None,
    loggers: Sequence[Logger] = (),
) -> Trainer:
    """Set up a run from its settings: data, networks, optimizer and folder.

    Sets torch's number of threads where the settings name one.

    Args:
        config: The settings.
        make_stepper: Makes the optimizer from the generator, the discriminator and the settings.
        folder: Where the run writes.
        resume: Whether the run in the folder shall be continued.
        source: Batches to imitate, in place of the data set that the settings name.
        draw: Draws samples into a file.
        measure: Gives figures for the log from samples.
        score: Gives scores, in place of those of the extractor that the settings name.
        loggers: What else takes the lines of the log.

    Returns:
        The trainer; its `run` does the work.

    Raises:
        ValueError: If a setting is wrong or does not fit the run in the folder.
        FileNotFoundError: If the data are missing, or there is no run to resume.
    """
    config = resolve(config)
    device = open_device(config.device)
    if config.tensorboard:
        summary_writer()  # asked for now, not after the data have been read
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    source = open_source(config) if source is None else source
    score = open_score(config, source) if score is None else score
    open_run(folder, config, resume=resume)
    generator, discriminator = build_networks(config, source.shape, source.classes)
    for network in (generator, discriminator):
        network.to(device)
        if config.channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in the stubs
    return Trainer(
        config,
        source=source,
        generator=generator,
        discriminator=discriminator,
        stepper=make_stepper(generator, discriminator, config),
        folder=folder,
        draw=draw,
        measure=measure,
        score=score,
        loggers=loggers,
    )


def build_networks(
    config: TrainConfig, shape: Sequence[int], classes: int = 0
) -> tuple[nn.Module, nn.Module]:
    """Build the networks that settings name.

    Args:
        config: The settings; what they leave open is resolved.
        shape: Shape of one sample.
        classes: Number of classes of the samples; 0 without.

    Returns:
        The generator and the discriminator, on the CPU, with the initial weights of the seed.

    Raises:
        ValueError: If the networks do not fit the samples.
    """
    config = resolve(config)
    return build_pair(
        shape,
        dim=int(config.dim or 0),
        latent=int(config.latent or 0),
        seed=config.seed,
        init=config.init or "tflib",
        architecture=config.architecture,
        index=config.architecture_index,
        classes=classes,
        critic_norm=config.critic_norm,
        spectral_norm=config.spectral_norm,
        dropout=config.dropout,
    )
