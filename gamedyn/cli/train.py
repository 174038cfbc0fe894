"""`gamedyn train`: train a GAN from flags or from a file of settings, and continue it exactly.

The classes hold the flags; everything heavy is imported when `run` is called.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gamedyn.cli.notes import notes_printed
from gamedyn.cli.steppers import make_stepper
from gamedyn.gan.config import COMPETITIVE, TrainConfig, read_config, resolve
from gamedyn.gan.presets import find_preset
from gamedyn.gan.presets.preset import OWN
from gamedyn.gan.runs import CONFIG, LOG, SPREAD, default_folder

if TYPE_CHECKING:
    from torch import Tensor

    from gamedyn.gan.training import Draw, Measure


SOLVE = frozenset({"cg_iterations", "residual", "products"})
"""What the log tells of a step's linear solve."""


@dataclass
class Train:
    """Train a GAN on CIFAR-10, on digits or on Gaussian mixtures, with any of the optimizers."""

    settings: TrainConfig = field(default_factory=TrainConfig)
    out: Path | None = None
    """Folder of the run; by default runs/<dataset>-<preset or optimizer>-<seed>."""
    resume: bool = False
    """Continue the run in that folder from its newest checkpoint, with the settings stored there."""
    config: Path | None = None
    """JSON or TOML file of settings (a run's config.json repeats it); flags override it."""
    preset: str | None = None
    """Published settings by their name, see `gamedyn presets`; flags override them."""

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.out or default_folder(self.settings, self.preset)

    def stored_settings(self) -> TrainConfig | None:
        """Read the settings that the flags are to override.

        Returns:
            Those of the preset, of the file, or of the run to be resumed; `None` if none was asked for.

        Raises:
            ValueError: If more than one was asked for, or the settings are wrong.
            OSError: If they cannot be read.
        """
        if self.resume and (self.config or self.preset):
            given = "--config" if self.config else "--preset"
            raise ValueError(f"{given} starts a run and --resume continues one: give one of them")
        if self.config and self.preset:
            raise ValueError("--config and --preset both hold settings: give one of them")
        if self.preset:
            return find_preset(self.preset).config()
        path = self.config or self.folder / CONFIG
        if self.config is None and not (self.resume and path.is_file()):
            return None
        stored = read_config(path)
        if runs_code(stored.extractor) and self.settings.extractor is None:
            raise ValueError(
                f"{path} names the extractor {stored.extractor!r}, which is code that would be run: "
                f"allow it by --extractor {stored.extractor}"
            )
        return stored

    def adapted_settings(self) -> TrainConfig | None:
        """Fit a preset to another data set than it was written for.

        Returns:
            What the flags are to override instead of `stored_settings`; `None` if that was right.
        """
        if self.preset is None:
            return None
        adapted = find_preset(self.preset).config(self.settings.dataset)
        return adapted if adapted.dataset != OWN else None

    def run(self) -> None:
        """Train, printing where the results are."""
        with notes_printed():
            self._train()

    def _train(self) -> None:
        from gamedyn.gan.building import build_trainer
        from gamedyn.gan.runlog import read_log
        from gamedyn.optimizers import DivergenceError

        config, folder = resolve(self.settings), self.folder
        draw, measure = drawing(config)
        trainer = build_trainer(config, make_stepper, folder, resume=self.resume, draw=draw, measure=measure)
        print(
            f"train: {config.optimizer}, {config.loss} loss, on {config.dataset}, {config.steps} steps of "
            f"{config.batch_size}, lr {config.lr:g} / {config.max_lr:g}, seed {config.seed} -> {folder}"
        )
        try:
            trainer.run()
        except DivergenceError as error:
            mend = "lower --lr" + keeping(config, trainer.step)
            raise ValueError(f"diverged at step {trainer.step}: {error}; {mend}") from error
        except KeyboardInterrupt:
            saved = trainer.saved == trainer.step
            kept = "and saved" if saved else f"with step {trainer.saved} saved"
            print(f"stopped at step {trainer.step} {kept}; continue with:")
            print(f"gamedyn train --out {shlex.quote(str(folder))} --resume" + allowing(config))
            if not saved:  # stopped twice, the second time at once
                raise
            return
        last = {"step": trainer.step, **dict(*read_log(folder / LOG)[-1:])}
        solved = config.optimizer in COMPETITIVE
        print("done: " + ", ".join(f"{n} {shown(v)}" for n, v in last.items() if solved or n not in SOLVE))


def runs_code(extractor: str | None) -> bool:
    """Say whether opening an extractor runs code that its name points at.

    Args:
        extractor: The setting.

    Returns:
        True for a folder with a `model.py` and for a module; weights alone are read without running anything.

    Example:
        >>> runs_code("inception:weights.pt"), runs_code("cifarnet:folder"), runs_code(None)
        (False, True, False)
    """
    return extractor is not None and not extractor.startswith("inception:")


def allowing(config: TrainConfig) -> str:
    """Give what a command line needs besides to continue a run.

    Args:
        config: The run's settings.

    Returns:
        The flag that allows its extractor's code again; empty if there is none.
    """
    return f" --extractor {shlex.quote(str(config.extractor))}" if runs_code(config.extractor) else ""


def keeping(config: TrainConfig, step: int) -> str:
    """Say how a run that diverged can end with what it had reached.

    Args:
        config: The run's settings.
        step: Steps that it did.

    Returns:
        The end of a sentence; empty where nothing was reached, or where a run of fewer steps is another run.

    Example:
        >>> keeping(TrainConfig(), 70)
        ', or end the run where it was: --resume --steps 70'
        >>> keeping(TrainConfig(lr_decay="linear"), 70)
        ''
    """
    spread = any(getattr(config, name) != without for name, without in SPREAD.items())
    return "" if spread or step < 1 else f", or end the run where it was: --resume --steps {step}"


def shown(value: object) -> str:
    """Write an entry of the log for a reader.

    Args:
        value: A number, text, or `None`, which stands for a number that was not finite.

    Returns:
        Whole numbers as they are, others with four digits.

    Example:
        >>> shown(10_000), shown(0.123456), shown(None), shown("no scores")
        ('10000', '0.1235', 'not finite', 'no scores')
    """
    if value is None:
        return "not finite"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def drawing(config: TrainConfig) -> tuple[Draw, Measure | None]:
    """Say how the samples of a data set are drawn and measured.

    Args:
        config: The settings.

    Returns:
        What draws samples into a file, and what measures them.
    """
    from functools import partial

    from gamedyn.gan.data.sources import MIXTURES
    from gamedyn.gan.metrics.modes import mode_coverage
    from gamedyn.plotting.samples import image_grid, point_cloud
    from gamedyn.plotting.style import save

    def draw_images(path: Path, samples: Tensor) -> None:
        save(image_grid(samples.numpy()), path)

    if config.dataset not in MIXTURES:
        return draw_images, None
    mixture = MIXTURES[config.dataset]()

    def draw_points(path: Path, samples: Tensor) -> None:
        save(point_cloud(samples.numpy(), mixture.centers.numpy()), path)

    return draw_points, partial(mode_coverage, mixture)
