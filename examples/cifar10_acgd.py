"""Wasserstein GAN without clipping or penalty: ACGD trains it on real images, alternating Adam does not.

Document  F. Schäfer, H. Zheng, A. Anandkumar, "Implicit competitive regularization in GANs", ICML 2020
Figure    samples and distance to held-out images against the step (its CIFAR-10 runs, at a small size)
Claim     on the unregularised Wasserstein loss ACGD nears the data, while Adam, alternating on the same
          loss, weights, batches and noise, stays at least twice as far away
Command   gamedyn reproduce cifar10_acgd
          python examples/cifar10_acgd.py
Time      20 s with the digits, 2 min with CIFAR-10 (laptop: 400 steps of a small DCGAN), on two CPU cores;
          4 s at smoke scale; paper: weeks of one core, not run
Result    2026-11-22, commit 78e9289, one core of an Intel Xeon, seed 0, CIFAR-10, held: ACGD ends at 0.19
          of Adam's distance
Note      each optimizer has a learning rate of its own (--lr, --lr-adam)

CIFAR-10 is read from --data-root or GAMEDYN_DATA; without it scikit-learn's 8x8 digits stand in. The paper
trains for 468,600 steps and reports inception scores; this shows the beginning, measured by the sliced
Wasserstein distance between pixels, on one seed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from gamedyn.experiments import Count, Experiment, Positive, Scale, Seed, run_script
from gamedyn.gan.batch import Batch
from gamedyn.gan.data import BatchOrder, ImageSet, data_root, load_cifar10, load_digits
from gamedyn.gan.losses import Wasserstein
from gamedyn.gan.metrics.sliced import SlicedWasserstein
from gamedyn.gan.models import build_pair
from gamedyn.gan.steps import Alternating, Simultaneous
from gamedyn.optimizers import ACGD
from gamedyn.plotting.samples import RunCurve, compare_runs
from gamedyn.plotting.style import save

SIZES = {  # steps, batch, DIM
    "smoke": (2, 4, 4),
    "laptop": (400, 64, 16),
    "paper": (468_600, 64, 64),
}


@dataclass
class Args:
    """Arguments of the example."""

    scale: Scale = "laptop"
    """Sizes of the run: steps, batch and networks."""
    out: Path = Path("runs/examples")
    """Folder for the picture, its arrays and the findings."""
    data_root: Path | None = None
    """Folder with CIFAR-10; by default GAMEDYN_DATA."""
    latent: Count = 128
    """Length of the noise vectors."""
    lr: Positive = 1e-3
    """Step size of ACGD."""
    lr_adam: Positive = 1e-4
    """Step size of Adam, alternating, betas (0.5, 0.999)."""
    checks: Count = 20
    """How often the distance is measured."""
    seed: Seed = 0
    """Seed of weights, batches and noise."""


def load(args: Args) -> tuple[ImageSet, ImageSet]:
    """Return images to train on and held-out ones."""
    try:
        root = data_root(args.data_root)
        return tuple(load_cifar10(root, split, download=False) for split in ("train", "test"))
    except FileNotFoundError as error:
        print(f"{error}\ntaking scikit-learn's digits")
        return load_digits(), load_digits("test")


def train(
    name: str, training: ImageSet, distance: Callable[[Tensor], float], count: int, args: Args
) -> dict[str, object]:
    """Train with the optimizer called `name`; give samples and distances by step."""
    total, batch_size, dim = SIZES[args.scale]
    init = "tflib" if training.shape[1] == 8 else "torch"
    G, D = build_pair(training.shape, dim=dim, latent=args.latent, seed=args.seed, init=init)
    if name == "ACGD":
        stepper = Simultaneous(ACGD(G.parameters(), D.parameters(), lr=args.lr, rtol=1e-2, max_iter=5))
    else:
        adams = (torch.optim.Adam(net.parameters(), lr=args.lr_adam, betas=(0.5, 0.999)) for net in (G, D))
        stepper = Alternating(*adams)
    order = BatchOrder(len(training), batch_size=batch_size, seed=args.seed)
    noise = torch.Generator().manual_seed(args.seed)
    shown = torch.randn(count, args.latent, generator=noise)
    steps, distances = [], []
    for step in tqdm(range(1, total + 1), desc=name, disable=None):
        real = training.batch(order.next())
        z = torch.randn(batch_size, args.latent, generator=noise)
        stepper.step(G, D, Wasserstein(), partial(Batch, real, z))
        if step % max(1, total // args.checks) == 0 or step == total:
            with torch.no_grad():
                samples = G.eval()(shown)
            G.train()
            steps.append(float(step))
            distances.append(distance(samples))
    return {"samples": samples[:64].numpy(), "steps": steps, "distances": distances}


def main(args: Args) -> None:
    """Train twice, draw the figure and decide the claim."""
    print(__doc__)
    training, held_out = load(args)
    pick = torch.Generator().manual_seed(args.seed)
    count = min(1000, len(held_out))
    reference = held_out.batch(torch.randperm(len(held_out), generator=pick)[:count])
    distance = SlicedWasserstein(reference)
    floor = distance(training.batch(torch.randperm(len(training), generator=pick)[:count]))
    print(f"{training.name}, {len(training)} images; distance of real ones to held-out ones {floor:.4f}")
    with Experiment(__file__, args) as experiment:
        found = {
            name: experiment.part(
                f"{name}-{training.name.split()[0]}",  # what is found of the data sets may change
                lambda name=name: train(name, training, distance, count, args),
            )
            for name in ("ACGD", "Adam")
        }
        runs = [
            RunCurve(name, f"{name}, Wasserstein loss", run["samples"], run["steps"], run["distances"])
            for name, run in found.items()
        ]
        ours, adam = (float(run["distances"][-1]) for run in found.values())
        experiment.find(
            f"sliced Wasserstein distance to held-out images of {training.name}, ACGD over Adam",
            ours / adam,
            "<",
            0.5,
        )
        experiment.keep(
            reference=reference[:64].numpy(),
            floor=floor,
            **{f"{name} {what}": run[what] for name, run in found.items() for what in run},
        )
        steps, batch_size, dim = SIZES[args.scale]
        picture = compare_runs(
            reference[:64].numpy(),
            runs,
            floor=floor,
            distance="sliced Wasserstein distance to held-out images",
            caption="Without clipping or penalty ACGD should end at less than half of Adam's distance; here "
            f"at {ours / adam:.2f} of it. {steps:,} steps of a DCGAN with {dim} channels on {training.name}, "
            f"batches of {batch_size}, Wasserstein loss; learning rates {args.lr:g} and {args.lr_adam:g}. "
            "Same weights, batches and noise; one seed. Dotted: real training images.",
        )
        experiment.drawn(save(picture, args.out / "cifar10_acgd.png"))


if __name__ == "__main__":
    run_script(main, Args)
