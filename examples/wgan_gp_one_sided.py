"""One-sided or two-sided: which gradient penalty makes the better generator?

Document  I. Gulrajani, F. Ahmed, M. Arjovsky, V. Dumoulin, A. Courville, "Improved Training of Wasserstein
          GANs", NeurIPS 2017
Figure    none; section 4 and the comparison in the appendix: max(0, |gradient| - 1)² against
          (|gradient| - 1)² on 174 random architectures, of which the two-sided one won 100 and the other 77
Claim     the two-sided penalty does slightly better, but the difference is not significant (sign test, 5 %)
Command   gamedyn reproduce wgan_gp_one_sided
          python examples/wgan_gp_one_sided.py
Time      about 4 min on one CPU core (laptop), 5 s (smoke)

Here the settings are the paper's three toy sets, with n seeds each (n = 4 at laptop scale: 12 pairs), in
place of architectures; a pair starts from the same weights. The score is the sliced Wasserstein distance.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import tyro
from scipy.stats import binomtest
from tqdm import trange

from gamedyn.experiments import Experiment, Scale
from gamedyn.games import TOY_SETS
from gamedyn.gan.batch import Batch
from gamedyn.gan.losses import Wasserstein
from gamedyn.gan.metrics import SlicedWasserstein
from gamedyn.gan.models import perceptron
from gamedyn.gan.penalties import GradientPenalty
from gamedyn.gan.steps import Alternating
from gamedyn.plotting.curves import paired_scores
from gamedyn.plotting.style import save

SIZES = {  # generator steps, batch, width, seeds
    "smoke": (2, 16, 8, 1),
    "laptop": (300, 128, 64, 4),
    "paper": (100_000, 256, 512, 58),
}
SIDES: tuple[Literal["two", "one"], ...] = ("two", "one")
JUDGED = 4000


@dataclass
class Args:
    """Arguments of the example."""

    scale: Scale = "laptop"
    """Sizes of the run."""
    out: Path = Path("runs/examples")
    """Folder for the picture, its arrays and the findings."""
    gp: float = 10.0
    """Weight of the penalty."""
    lr: float = 1e-3
    """Step size of both networks: ten times the paper's, for a run a hundred times shorter."""


def train(name: str, sides: Literal["two", "one"], seed: int, args: Args) -> dict[str, object]:
    """Train, and measure the distance of generated points to fresh ones over the last fifth of the run."""
    steps, batch, width, _ = SIZES[args.scale]
    data = TOY_SETS[name]()
    torch.manual_seed(seed)
    generator, critic = perceptron(2, 2, width=width), perceptron(2, 1, width=width)
    adams = (torch.optim.Adam(net.parameters(), lr=args.lr, betas=(0.5, 0.9)) for net in (generator, critic))
    stepper = Alternating(*adams, n_critic=5, penalties=[GradientPenalty(args.gp, sides)])
    distance = SlicedWasserstein(data.sample(JUDGED, torch.Generator().manual_seed(1)))
    noise = torch.randn(JUDGED, 2, generator=torch.Generator().manual_seed(2))
    found: list[float] = []
    for step in trange(steps, desc=f"{name}, {sides}-sided, seed {seed}", disable=None, leave=False):
        stepper.step(
            generator, critic, Wasserstein(), lambda: Batch(data.sample(batch), torch.randn(batch, 2))
        )
        if step + 1 >= 0.8 * steps and (step % max(steps // 50, 1) == 0 or step == steps - 1):
            with torch.no_grad():
                found.append(distance(generator(noise)))
    return {"distance": float(np.mean(found))}


def main(args: Args) -> None:
    """Train every setting with both penalties and count the wins."""
    print(__doc__)
    seeds = range(SIZES[args.scale][3])
    with Experiment(__file__, args.scale, args.out) as experiment:
        scores = {
            name: {
                sides: np.array(
                    [
                        float(
                            experiment.part(
                                f"{name}-{sides}-seed{seed}-gp{args.gp:g}-lr{args.lr:g}".replace(" ", "_"),
                                lambda name=name, sides=sides, seed=seed: train(name, sides, seed, args),
                            )["distance"]
                        )
                        for seed in seeds
                    ]
                )
                for sides in SIDES
            }
            for name in TOY_SETS
        }
        two, one = (np.concatenate([found[sides] for found in scores.values()]) for sides in SIDES)
        for name, found in scores.items():
            print(f"{name}: two-sided {found['two'].mean():.4f}, one-sided {found['one'].mean():.4f}")
        wins, pairs = int((two < one).sum()), len(two)
        print(f"two-sided better in {wins} of {pairs}")
        experiment.find(
            f"share of n = {pairs} pairs in which the two-sided penalty is better", wins / pairs, ">=", 0.5
        )
        test = binomtest(wins, pairs)
        experiment.find("p-value of the sign test (significant below 0.05)", test.pvalue, ">", 0.05)
        experiment.keep(two=two, one=one)
        steps, _, width, _ = SIZES[args.scale]
        picture = paired_scores(
            {name: (found["two"], found["one"]) for name, found in scores.items()},
            xlabel="two-sided penalty: sliced Wasserstein distance to the data",
            ylabel="one-sided penalty: sliced Wasserstein distance to the data",
            caption=f"WGAN-GP (3 hidden layers of {width} ReLU, {steps:,} generator steps), n = {pairs} "
            "pairs from the same initial weights; lower is better, above the diagonal the two-sided "
            f"penalty wins. It wins {wins} of {pairs} (sign test p = {test.pvalue:.2f}).",
        )
        experiment.drawn(save(picture, args.out / "wgan_gp_one_sided.png"))


if __name__ == "__main__":
    main(tyro.cli(Args))
