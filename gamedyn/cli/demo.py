"""`gamedyn demo`: the ICR figures, and a GAN on real images by ACGD and by alternating Adam.

The class holds the flags; everything heavy is imported when `run` is called.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gamedyn.cli.icr import IcrBilinear, IcrQuadratic, IcrStability
from gamedyn.cli.steppers import make_stepper
from gamedyn.gan.config import TrainConfig, resolve
from gamedyn.gan.runs import LOG

if TYPE_CHECKING:
    from torch import Tensor

    from gamedyn.gan.data.images import ImageSet
    from gamedyn.gan.training import Trainer

# What fits into the demo's minutes on two CPU cores.
SETTINGS: dict[str, dict[str, Any]] = {
    "digits": {"dim": 32, "latent": 64, "batch_size": 64, "steps": 1000},
    "cifar10": {"dim": 16, "latent": 128, "batch_size": 32, "steps": 500},
}
METHODS: dict[str, dict[str, Any]] = {
    "ACGD": {"optimizer": "acgd", "loss": "wgan", "max_iter": 5, "curvature_batch": 1.0},
    "Adam": {"optimizer": "adam", "loss": "non-saturating"},
}
# The best of the few that were tried on one seed: for ACGD 5e-4 and 1e-3, for Adam 2e-4 and 1e-3.
RATES = {"digits": {"ACGD": 5e-4, "Adam": 2e-4}, "cifar10": {"ACGD": 1e-3, "Adam": 2e-4}}
MEASUREMENTS = 20
SHOWN = 64
REFERENCES = 1000
QUICK_STEPS = 4


@dataclass
class Demo:
    """Draw the ICR figures, then train a GAN on real images with ACGD and with alternating Adam."""

    out: Path = Path("demo-output")
    """Folder for everything; the runs of an earlier demo in it are replaced."""
    data_root: str | None = None
    """Folder that may hold CIFAR-10; by default GAMEDYN_DATA. Without it: scikit-learn's digits."""
    steps: int | None = None
    """Steps of each training run; by default 1000 on digits, 500 on CIFAR-10."""
    minutes: float = 2.5
    """Most minutes of ACGD steps; a slow machine ends early. Adam gets the same steps, then the same time."""
    seed: int = 0
    """Seed of weights, noise and data order, the same for both methods."""
    quick: bool = False
    """A few steps of everything, to see that it runs."""

    def run(self) -> None:
        """Do everything, then list the files and say in three lines what was measured."""
        if not 0.0 < self.minutes < float("inf"):
            raise ValueError(f"--minutes must be a positive number, got {self.minutes}")
        began = time.perf_counter()
        config, training, held_out = self._data()
        print("1/3  Implicit competitive regularisation and the bilinear game")
        cells, steps = (100, 200) if self.quick else (400, 500)
        IcrQuadratic(out=self.out / "icr").run()
        IcrStability(out=self.out / "icr", cells=cells, steps=steps).run()
        IcrBilinear(out=self.out / "icr").run()

        print("2/3  A GAN on real images")
        print(
            f"  {training.name}: {len(training)} images {tuple(training.shape)} to train on, "
            f"{len(held_out)} held out; DCGAN with {config.dim} channels, batches of {config.batch_size}"
        )
        floor, logs, samples = self._train(config, training, held_out)

        print("3/3  The figure")
        self._draw(config, held_out, floor, logs, samples)
        print("Files:")
        for path in sorted(path for path in self.out.rglob("*") if path.is_file()):
            print(f"  {path}")
        print("Summary:")
        for line in summary(logs, floor, time.perf_counter() - began):
            print(f"  {line}")

    def _data(self) -> tuple[TrainConfig, ImageSet, ImageSet]:
        """Choose the images: CIFAR-10 where it is, else the digits. Nothing is downloaded."""
        from gamedyn.gan.data.cifar10 import find_cifar10, load_cifar10
        from gamedyn.gan.data.digits import load_digits
        from gamedyn.gan.data.roots import data_root

        root = data_root(self.data_root)
        if find_cifar10(root) is not None:
            name, training, held_out = "cifar10", load_cifar10(root), load_cifar10(root, "test")
        else:
            print(f"No CIFAR-10 in {root}: taking scikit-learn's digits")
            name, training, held_out = "digits", load_digits(), load_digits("test")
        settings: dict[str, Any] = {"dataset": name, "seed": self.seed, **SETTINGS[name]}
        if self.steps is not None or self.quick:
            settings["steps"] = QUICK_STEPS if self.steps is None else self.steps
        if self.quick:
            settings["dim"] = 8
        return TrainConfig(**settings), training, held_out

    def _train(
        self, config: TrainConfig, training: ImageSet, held_out: ImageSet
    ) -> tuple[float, dict[str, list[dict[str, Any]]], dict[str, Tensor]]:
        """Train both from the same weights, on the same batches: Adam for ACGD's steps, then for its time."""
        import torch

        from gamedyn.gan.building import build_trainer
        from gamedyn.gan.data.sources import ImageSource
        from gamedyn.gan.metrics.sliced import SlicedWasserstein
        from gamedyn.gan.runlog import read_log

        pick = torch.Generator().manual_seed(self.seed)
        count = min(REFERENCES, len(held_out))
        some = torch.randperm(len(held_out), generator=pick)[:count]
        others = torch.randperm(len(training), generator=pick)[:count]
        distance = SlicedWasserstein(held_out.batch(some))
        floor = distance(training.batch(others))
        print(f"  sliced Wasserstein distance of {count} training images to held-out ones: {floor:.4f}")

        def measure(samples: Tensor) -> Mapping[str, float]:
            return {"distance": distance(samples)}

        def train(settings: TrainConfig, folder: Path, seconds: float, *, resume: bool = False) -> Trainer:
            source = ImageSource(training, batch_size=int(config.batch_size or 1), seed=self.seed)
            trainer = build_trainer(
                settings, make_stepper, folder, resume=resume, source=source, measure=measure
            )
            trainer.run(seconds=seconds)
            return trainer

        logs: dict[str, list[dict[str, Any]]] = {}
        samples: dict[str, Tensor] = {}
        steps, seconds = int(config.steps or 1), 0.0
        for method, how in METHODS.items():
            folder = self.out / f"gan-{how['optimizer']}"
            if (folder / LOG).exists():
                shutil.rmtree(folder)
            cadence: dict[str, Any] = {
                "sample_every": max(1, steps // MEASUREMENTS),
                "checkpoint_every": steps,
            }
            rate = RATES[config.dataset][method]
            settings = resolve(replace(config, **how, **cadence, steps=steps, lr=rate))
            print(f"  {method}, {settings.loss} loss, lr {settings.lr:g}: {steps} steps")
            trainer = train(settings, folder, 60.0 * self.minutes)
            lines = [line for line in read_log(folder / LOG) if "distance" in line]
            if method == "ACGD":
                steps, seconds = trainer.step, lines[-1]["seconds"]
            elif (longer := int(steps * seconds / lines[-1]["seconds"])) > steps:
                print(f"  {method} for as long as ACGD took: {longer} steps")
                trainer = train(replace(settings, steps=longer), folder, seconds, resume=True)
                lines = [line for line in read_log(folder / LOG) if "distance" in line]
            logs[method] = lines
            samples[method] = trainer.samples(SHOWN)
            last = lines[-1]
            print(f"    distance {last['distance']:.4f} after {last['step']} steps, {last['seconds']:.0f} s")
        return floor, logs, samples

    def _draw(
        self,
        config: TrainConfig,
        held_out: ImageSet,
        floor: float,
        logs: dict[str, list[dict[str, Any]]],
        samples: dict[str, Tensor],
    ) -> None:
        """Put real images, both sample grids and both curves into one figure."""
        import torch

        from gamedyn.plotting.samples import RunCurve, compare_runs
        from gamedyn.plotting.style import save

        real = held_out.batch(torch.arange(min(SHOWN, len(held_out))))
        runs = []
        for method, log in logs.items():
            how, last = METHODS[method], log[-1]
            runs.append(
                RunCurve(
                    name=method,
                    label=f"{method}, {how['loss']} loss: {last['step']} steps, {last['seconds']:.0f} s",
                    samples=samples[method].numpy(),
                    steps=[line["step"] for line in log],
                    distance=[line["distance"] for line in log],
                    seconds=[line["seconds"] for line in log],
                )
            )
        figure = compare_runs(
            real.numpy(),
            runs,
            floor=floor,
            distance="sliced Wasserstein distance to held-out images",
            caption=f"One seed, the same weights, batches and noise. DCGAN with {config.dim} channels on "
            f"{held_out.name.split(' (')[0]}, batches of {config.batch_size}. ACGD plays the Wasserstein "
            "game without clipping or penalty, both players at once; Adam alternates with the "
            "non-saturating loss, for as long. Left: equal steps, right: equal time. The distance compares "
            "pixels, not objects; the dotted line is that of real training images.",
        )
        print(f"  wrote {save(figure, self.out / 'gan.png')}")


def summary(logs: Mapping[str, list[dict[str, Any]]], floor: float, seconds: float) -> list[str]:
    """Say what the two training runs measured.

    Args:
        logs: Each method's measured log lines.
        floor: The distance between real images.
        seconds: Wall time of the whole demo.

    Returns:
        Three lines.
    """
    acgd, adam = logs["ACGD"][-1], logs["Adam"][-1]
    level = max(
        (line for line in logs["Adam"] if line["step"] <= acgd["step"]), key=lambda line: line["step"]
    )
    return [
        f"Distance to held-out images after {acgd['step']} steps each: ACGD {acgd['distance']:.4f}, "
        f"Adam {level['distance']:.4f}; real images {floor:.4f} (one seed).",
        f"After {acgd['seconds']:.0f} s each (ACGD {acgd['step']} steps, Adam {adam['step']}): "
        f"ACGD {acgd['distance']:.4f}, Adam {adam['distance']:.4f}; a step took ACGD "
        f"{acgd['seconds'] / acgd['step']:.3f} s, Adam {adam['seconds'] / adam['step']:.3f} s.",
        f"The whole demo took {seconds / 60:.1f} minutes.",
    ]
