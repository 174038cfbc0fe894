"""`gamedyn train`: train a GAN from flags or from a file of settings, and continue it exactly.

The classes hold the flags; everything heavy is imported when `run` is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gamedyn.cli.steppers import make_stepper
from gamedyn.gan.config import TrainConfig, read_config, resolve
from gamedyn.gan.runs import CONFIG, LOG, default_folder

if TYPE_CHECKING:
    from torch import Tensor

    from gamedyn.gan.training import Draw, Measure

NEAR = 0.1


@dataclass
class Train:
    """Train a GAN on CIFAR-10, on digits or on Gaussian mixtures, with any of the optimizers."""

    settings: TrainConfig = field(default_factory=TrainConfig)
    out: Path | None = None
    """Folder of the run; by default runs/<dataset>-<optimizer>-<seed>."""
    resume: bool = False
    """Continue the run in that folder from its newest checkpoint, with the settings stored there."""
    config: Path | None = None
    """JSON or TOML file of settings (a run's config.json repeats it); flags override it."""

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.out or default_folder(self.settings)

    def stored_settings(self) -> TrainConfig | None:
        """Read the settings that the flags are to override.

        Returns:
            Those of the file, or of the run to be resumed; `None` if neither was asked for.

        Raises:
            ValueError: If both were asked for, or the settings are wrong.
            OSError: If they cannot be read.
        """
        if self.resume and self.config:
            raise ValueError("--config starts a run and --resume continues one: give one of them")
        if self.config:
            return read_config(self.config)
        stored = self.folder / CONFIG
        return read_config(stored) if self.resume and stored.is_file() else None

    def run(self) -> None:
        """Train, printing where the results are."""
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
            raise ValueError(
                f"diverged at step {trainer.step}: {error}; lower --lr, or resume with fewer --steps"
            ) from error
        except KeyboardInterrupt:
            saved = trainer.saved == trainer.step
            kept = "and saved" if saved else f"with step {trainer.saved} saved"
            print(f"stopped at step {trainer.step} {kept}; continue with:")
            print(f"gamedyn train --out {folder} --resume")
            if not saved:  # stopped twice, the second time at once
                raise
            return
        last = {"step": trainer.step, **dict(*read_log(folder / LOG)[-1:])}
        print("done: " + ", ".join(f"{name} {value:.4g}" for name, value in last.items()))


def drawing(config: TrainConfig) -> tuple[Draw, Measure | None]:
    """Say how the samples of a data set are drawn and measured.

    Args:
        config: The settings.

    Returns:
        What draws samples into a file, and what measures them.
    """
    from gamedyn.gan.data.sources import MIXTURES
    from gamedyn.plotting.samples import image_grid, point_cloud
    from gamedyn.plotting.style import save

    def draw_images(path: Path, samples: Tensor) -> None:
        save(image_grid(samples.numpy()), path)

    if config.dataset not in MIXTURES:
        return draw_images, None
    mixture = MIXTURES[config.dataset]()

    def draw_points(path: Path, samples: Tensor) -> None:
        save(point_cloud(samples.numpy(), mixture.centers.numpy()), path)

    def count_modes(samples: Tensor) -> Mapping[str, float]:
        near = mixture.report(samples, radius=NEAR)
        return {
            "modes": near.covered,
            "high_quality": round(near.high_quality, 4),
            "within_3_std": round(mixture.report(samples).high_quality, 4),
        }

    return draw_points, count_modes
