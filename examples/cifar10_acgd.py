"""Wasserstein GAN without clipping or penalty: ACGD trains it on real images, alternating Adam does not.

Document  F. Schäfer, H. Zheng, A. Anandkumar, "Implicit competitive regularization in GANs", ICML 2020
Figure    samples and distance to held-out images against the step (its CIFAR-10 runs, at a small size)
Claim     on the unregularised Wasserstein loss ACGD nears the data, while Adam, alternating on the same
          loss, weights, batches and noise, stays at least twice as far away
Command   python examples/cifar10_acgd.py
Time      20 s with the digits, 2 min with CIFAR-10 (400 steps of a small DCGAN), on two CPU cores

CIFAR-10 is read from --data-root or GAMEDYN_DATA; without it scikit-learn's 8x8 digits stand in. The paper
trains for 468,600 steps and reports inception scores; this shows the beginning, measured by the sliced
Wasserstein distance between pixels, on one seed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
import tyro
from torch import Tensor
from tqdm import tqdm

from gamedyn.gan.batch import Batch
from gamedyn.gan.data import BatchOrder, ImageSet, data_root, load_cifar10, load_digits
from gamedyn.gan.losses import Wasserstein
from gamedyn.gan.metrics.sliced import SlicedWasserstein
from gamedyn.gan.models import build_pair
from gamedyn.gan.steps import Alternating, Simultaneous
from gamedyn.optimizers import ACGD
from gamedyn.plotting.samples import RunCurve, compare_runs
from gamedyn.plotting.style import save


@dataclass
class Args:
    """Arguments of the example."""

    out: Path = Path("runs/examples")
    """Folder for the picture."""
    data_root: Path | None = None
    """Folder with CIFAR-10; by default GAMEDYN_DATA."""
    steps: int = 400
    """Steps of each run."""
    batch_size: int = 64
    """Real and generated images of each step."""
    dim: int = 16
    """Channels of the DCGAN nearest to the image; the paper's code has 64."""
    latent: int = 128
    """Length of the noise vectors."""
    lr: float = 1e-3
    """Step size of ACGD."""
    lr_adam: float = 1e-4
    """Step size of Adam, alternating, betas (0.5, 0.999)."""
    checks: int = 20
    """How often the distance is measured."""
    seed: int = 0
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
) -> RunCurve:
    """Train with the optimizer called `name` and return its samples and its curve."""
    init = "tflib" if training.shape[1] == 8 else "torch"
    G, D = build_pair(training.shape, dim=args.dim, latent=args.latent, seed=args.seed, init=init)
    if name == "ACGD":
        stepper = Simultaneous(ACGD(G.parameters(), D.parameters(), lr=args.lr, rtol=1e-2, max_iter=5))
    else:
        adams = (torch.optim.Adam(net.parameters(), lr=args.lr_adam, betas=(0.5, 0.999)) for net in (G, D))
        stepper = Alternating(*adams)
    order = BatchOrder(len(training), batch_size=args.batch_size, seed=args.seed)
    noise = torch.Generator().manual_seed(args.seed)
    shown = torch.randn(count, args.latent, generator=noise)
    steps, distances = [], []
    for step in tqdm(range(1, args.steps + 1), desc=name, disable=None):
        real = training.batch(order.next())
        z = torch.randn(args.batch_size, args.latent, generator=noise)
        stepper.step(G, D, Wasserstein(), partial(Batch, real, z))
        if step % max(1, args.steps // args.checks) == 0 or step == args.steps:
            with torch.no_grad():
                samples = G.eval()(shown)
            G.train()
            steps.append(float(step))
            distances.append(distance(samples))
    print(f"{name:5s} distance to held-out images {distances[-1]:.4f} after {args.steps} steps")
    return RunCurve(name, f"{name}, Wasserstein loss", samples[:64].numpy(), steps, distances)


def main(args: Args) -> None:
    """Train twice, draw the figure and decide the claim."""
    training, held_out = load(args)
    pick = torch.Generator().manual_seed(args.seed)
    count = min(1000, len(held_out))
    reference = held_out.batch(torch.randperm(len(held_out), generator=pick)[:count])
    distance = SlicedWasserstein(reference)
    floor = distance(training.batch(torch.randperm(len(training), generator=pick)[:count]))
    print(f"{training.name}, {len(training)} images; distance of real ones to held-out ones {floor:.4f}")
    runs = [train(name, training, distance, count, args) for name in ("ACGD", "Adam")]
    picture = compare_runs(
        reference[:64].numpy(),
        runs,
        floor=floor,
        distance="sliced Wasserstein distance to held-out images",
        caption=f"{args.steps} steps of a DCGAN with {args.dim} channels on {training.name}, batches of "
        f"{args.batch_size}, Wasserstein loss without clipping or penalty. Same weights, batches and noise; "
        "one seed. Dotted: real training images.",
    )
    print("wrote", save(picture, args.out / "cifar10_acgd.png"))
    ours, adam = (run.distance[-1] for run in runs)
    print("held if ACGD's last distance is less than half of Adam's")
    print("claim:", "held" if ours < 0.5 * adam else "did not hold")


if __name__ == "__main__":
    main(tyro.cli(Args))
