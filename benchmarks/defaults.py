"""What the settings of ACGD's solve cost and lose on the CIFAR-10 DCGAN: the runs behind the defaults.

Every run trains the same DCGAN without any regulariser, from weights, batches and noise that depend on the
seed alone, and is scored along the way by the Fréchet distance of 2,000 samples on a classifier's features.
Finished runs are lines of `benchmarks/results/defaults.jsonl`; a run that is there is not run again, and
several processes may share the work.

    python benchmarks/defaults.py --classifier FOLDER --data-root FOLDER            # all that is missing
    python benchmarks/defaults.py --classifier FOLDER --list                        # what there is to do
    python benchmarks/defaults_table.py                                             # the table, the picture

The features' classifier is a folder with `model.py` and weights (`gamedyn.gan.metrics.open_classifier`).
"""

from __future__ import annotations

import argparse
import fcntl
import json
import math
import os
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from environment import environment
from torch import Tensor, nn

from gamedyn.cli.steppers import make_stepper
from gamedyn.gan.batch import Batch
from gamedyn.gan.config import TrainConfig, resolve
from gamedyn.gan.data.cifar10 import load_cifar10
from gamedyn.gan.data.sources import open_source
from gamedyn.gan.losses import LOSSES
from gamedyn.gan.metrics import Moments, frechet_distance, open_classifier
from gamedyn.gan.models import build_pair
from gamedyn.optimizers import DivergenceError

RESULTS = Path(__file__).parent / "results" / "defaults.jsonl"
STEPS, EVERY, SAMPLES, REFERENCES = 1500, 250, 2000, 10_000
UNLIMITED = 100
"""A limit that is meant to end no solve; the mean number of iterations stands in every row."""


@dataclass(frozen=True)
class Run:
    """One training run of the study."""

    loss: str = "wgan"
    optimizer: str = "acgd"
    lr: float = 5e-4
    rtol: float = 1e-2
    max_iter: int = UNLIMITED
    curvature_batch: float = 1.0
    precision: str = "float32"
    seed: int = 0

    @property
    def key(self) -> str:
        """The run in one word."""
        return "-".join(str(value) for value in asdict(self).values())


def runs() -> Iterator[Run]:
    """List the study's runs, those that decide first."""
    tight = Run()
    quarter, whole = (Run(max_iter=2, curvature_batch=part) for part in (0.25, 1.0))
    adam = Run(optimizer="adam")
    yield from (whole, tight, quarter, adam)
    # other seeds, then the other game
    yield from (replace(run, seed=seed) for seed in (1, 2) for run in (quarter, whole))
    minimax = [replace(run, loss="minimax") for run in (quarter, whole, adam, tight)]
    yield from minimax[:3]
    yield from (replace(tight, seed=1), minimax[3], replace(whole, max_iter=1, curvature_batch=0.25))
    yield from (replace(tight, seed=2), replace(whole, max_iter=1))
    yield from (replace(adam, seed=seed) for seed in (1, 2))
    # the learning rate decides most
    for lr in (1e-3, 1e-4):
        yield from (replace(run, lr=lr) for run in (quarter, whole, adam))
    yield from (replace(whole, curvature_batch=part) for part in (0.5, 0.125))
    yield replace(whole, max_iter=3)
    yield replace(tight, precision="relaxed")
    for lr in (1e-3, 1e-4):
        yield from (replace(run, lr=lr) for run in minimax[:3])
    # tighter and looser solves
    yield replace(whole, max_iter=1, curvature_batch=0.125)
    for precision in ("float32", "relaxed"):
        part = replace(tight, curvature_batch=0.25, precision=precision)
        yield from (replace(part, seed=seed) for seed in (0, 1, 2))
    yield replace(whole, max_iter=5)
    yield from (replace(tight, rtol=rtol) for rtol in (1e-1, 3e-2, 1e-3))
    yield replace(whole, precision="relaxed")
    # cheaper still than the cheapest that lost nothing: looser solves on parts of the fakes
    for fakes in (0.25, 0.125):
        part = replace(tight, curvature_batch=fakes, precision="relaxed")
        yield from (part, replace(part, rtol=3e-2), replace(part, rtol=1e-1), replace(part, max_iter=5))
    # the whole grid at the other learning rates and the other loss, one seed
    rest = [*(replace(whole, max_iter=count) for count in (1, 3, 5)), tight]
    rest += [replace(whole, curvature_batch=part) for part in (0.5, 0.125)]
    rest += [replace(tight, rtol=rtol) for rtol in (1e-1, 3e-2, 1e-3)]
    rest += [replace(tight, curvature_batch=part, precision="relaxed") for part in (1.0, 0.25)]
    for lr in (1e-3, 1e-4):
        yield from (replace(run, lr=lr) for run in rest)
    chosen = replace(tight, curvature_batch=0.25, precision="relaxed")  # at the rate where it does best
    yield from (replace(chosen, lr=1e-3, seed=seed) for seed in (1, 2))
    # the cheap ones there: two to five iterations on parts of the fakes
    yield from (replace(whole, lr=1e-3, curvature_batch=0.5, seed=seed) for seed in (1, 2))
    for count, fakes in ((3, 0.25), (5, 0.125), (5, 0.25)):
        yield replace(chosen, lr=1e-3, max_iter=count, curvature_batch=fakes)
    yield from (replace(run, seed=seed) for seed in (1, 2) for run in minimax)
    yield from (replace(run, loss="minimax", lr=lr) for lr in (5e-4, 1e-3, 1e-4) for run in rest)
    yield replace(tight, rtol=1e-6)


class Scores:
    """The Fréchet distance of generated images to training images, on a classifier's features."""

    def __init__(self, features: Callable[[Tensor], Tensor], data_root: str | None) -> None:
        self._features = features
        images = load_cifar10(data_root)
        some = torch.arange(min(REFERENCES, len(images)))
        self._reference = self._moments(images.batch(part) for part in some.split(500))

    def __call__(self, generator: nn.Module, noise: Tensor) -> float:
        """Score a generator in evaluation mode; infinite where its samples are not finite."""
        generator.eval()
        try:
            with torch.inference_mode():
                return frechet_distance(
                    self._moments(generator(part) for part in noise.split(250)), self._reference
                )
        except ValueError:
            return math.inf
        finally:
            generator.train()

    def _moments(self, batches: Iterator[Tensor]) -> Moments:
        moments: Moments | None = None
        for batch in batches:
            features = self._features(batch)
            moments = moments or Moments(features.shape[1])
            moments.add(features)
        assert moments is not None
        return moments


def train(run: Run, scores: Scores, data_root: str | None, steps: int) -> dict[str, Any]:
    """Train one run and return its row."""
    settings = asdict(run)
    if run.optimizer == "adam":  # nothing is solved
        settings = {name: settings[name] for name in ("loss", "optimizer", "lr", "seed")}
    config = resolve(TrainConfig(dataset="cifar10", dim=32, data_root=data_root, **settings))
    source, loss = open_source(config), LOSSES[str(config.loss)]
    generator, discriminator = build_pair(source.shape, dim=32, latent=128, seed=run.seed, init="torch")
    stepper = make_stepper(generator, discriminator, config)
    latent = torch.Generator().manual_seed(1000 + run.seed)
    shown = torch.randn(SAMPLES, 128, generator=torch.Generator().manual_seed(77))
    curve, spent, iterations, skipped, failure = [], 0.0, 0, 0, ""
    for step in range(1, steps + 1):
        draw = partial(Batch, source.next(), torch.randn(64, 128, generator=latent))
        start = time.thread_time()
        try:
            record = stepper.step(generator, discriminator, loss, draw)
        except (DivergenceError, ValueError) as error:
            failure = f"step {step}: {error}"
            break
        spent += time.thread_time() - start
        iterations, skipped = iterations + record.iterations, skipped + record.skipped
        if step % EVERY == 0 or step == steps:
            distance = scores(generator, shown)
            known = round(distance, 3) if math.isfinite(distance) else None
            curve.append([step, known, round(spent, 2), iterations])
            print(f"{run.key}: step {step}, FD {distance:.1f}, {spent:.0f} s", flush=True)
    return {"run": asdict(run), "curve": curve, "skipped": skipped, "failure": failure}


def done(path: Path) -> set[Run]:
    """Return the runs that a file of rows holds."""
    if not path.exists():
        return set()
    return {Run(**json.loads(line)["run"]) for line in path.read_text(encoding="utf-8").splitlines() if line}


def main() -> None:
    """Do what is missing, run by run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--classifier", type=Path, required=True, help="folder with model.py and its weights")
    parser.add_argument("--data-root", help="folder that holds CIFAR-10; GAMEDYN_DATA by default")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--most", type=int, default=10_000, help="runs after which to stop")
    parser.add_argument("--list", action="store_true", help="print what is missing and stop")
    args = parser.parse_args()
    torch.set_num_threads(1)
    todo = [run for run in dict.fromkeys(runs()) if run not in done(args.out)]
    if args.list:
        print("\n".join(run.key for run in todo), f"\n{len(todo)} runs missing")
        return
    scores = Scores(open_classifier(args.classifier), args.data_root)
    shared = zlib.crc32(str(args.out.resolve()).encode())  # by the processes that write to one file
    claims = Path(tempfile.gettempdir()) / f"gamedyn-defaults-{shared:08x}"
    claims.mkdir(exist_ok=True)
    where = environment()
    source = where["commit"] + ("+changes" if where["changed"] else "")
    for run in todo[: args.most]:
        with (claims / run.key).open("w") as claim:
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)  # given back when the process ends
            except OSError:
                continue
            if run in done(args.out):
                continue
            row = train(run, scores, args.data_root, args.steps)
            row |= {
                "commit": source,
                "torch": torch.__version__,
                "date": time.strftime("%Y-%m-%d %H:%M"),
            }
            args.out.parent.mkdir(parents=True, exist_ok=True)
            with args.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
