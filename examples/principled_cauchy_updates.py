"""With a noisy perfect discriminator, updates by -log D follow a Cauchy law: batches do not calm them.

Document  M. Arjovsky, L. Bottou, "Towards Principled Methods for Training Generative Adversarial
          Networks", ICLR 2017
Figure    none; Theorem 2.6, the explanation that is given for Figure 3
Claim     where D* = 0 and its gradient is 0, a discriminator that errs by white Gaussian noise ε, its
          gradient by independent white Gaussian noise r, gives updates -Jᵀr/ε: every coordinate is a centred
          Cauchy variable, whose mean and variance are not finite, and so is the average over a batch,
          however large
Command   gamedyn reproduce principled_cauchy_updates
          python examples/principled_cauchy_updates.py
Time      3 s at smoke, 4 s at laptop, 8 s at paper scale, on one CPU core
Result    2026-11-22, commit 84ab0f6, one core of an Intel Xeon, one seed, all held: Kolmogorov distance
          1.07/√n of 200,000 updates from Cauchy's law (a Gaussian's: 36/√n); averages of 1,024 updates are
          as wide as one (power 0.005 of the batch)
Note      no discriminator is trained: ε and r are drawn as the theorem supposes them, and a quotient of
          independent centred Gaussian variables has Cauchy's law by construction. What is tested is what
          the theorem concludes, and what it means for batches; not whether training makes such errors
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.stats import cauchy, kstest, norm

from gamedyn.experiments import Experiment, Positive, Scale, Seed, run_script
from gamedyn.games import GaussianMixture, GaussianMixtureGAN
from gamedyn.plotting.style import save
from gamedyn.plotting.tails import tails_and_averages

SIZES = {"smoke": (5_000, 64), "laptop": (200_000, 1024), "paper": (1_000_000, 4096)}
"""Updates drawn, and the largest batch that is averaged."""
AVERAGES = 2_000
"""Averages drawn of every batch size."""
KOLMOGOROV = 1.628
"""Over √n: what the distance of n samples from their law exceeds once in a hundred times."""


@dataclass
class Args:
    """Arguments of the example."""

    scale: Scale = "laptop"
    """Sizes: how many updates are drawn."""
    out: Path = Path("runs/examples")
    """Folder for the picture, its arrays and the findings."""
    noise: Positive = 1e-3
    """Standard deviation of the discriminator's error ε."""
    slope_noise: Positive = 1e-2
    """Standard deviation of each coordinate of its gradient's error r."""
    seed: Seed = 0
    """Seed of the generator's weights and of the noises."""


def jacobian(game: GaussianMixtureGAN) -> np.ndarray:
    """Derivative of one generated point by the generator's weights, shape (2, weights)."""
    random = torch.Generator().manual_seed(0)
    point = game.generator(torch.randn(1, game.latent, generator=random)).double()[0]
    rows = [torch.autograd.grad(part, list(game.generator.parameters()), retain_graph=True) for part in point]
    return np.stack([torch.cat([part.reshape(-1) for part in row]).numpy() for row in rows])


def updates(J: np.ndarray, args: Args, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw updates -Jᵀr/ε of one weight, in units of the scale of its Cauchy law."""
    error = args.noise * random.standard_normal(shape)
    slope = args.slope_noise * random.standard_normal((*shape, 2))
    return -(slope @ J) / error / (np.linalg.norm(J) * args.slope_noise / args.noise)


def main(args: Args) -> None:
    """Draw updates of a generator's weight, and compare their quantiles with Cauchy's."""
    print(__doc__)
    count, largest = SIZES[args.scale]
    with Experiment(__file__, args) as experiment:
        game = GaussianMixtureGAN(GaussianMixture.ring(), latent=16, width=64, seed=args.seed)
        rows = jacobian(game).astype(np.float64)
        J = rows[:, np.linalg.norm(rows, axis=0).argmax()]
        random = np.random.default_rng(args.seed)
        drawn = updates(J, args, random, (count,))
        gaussian = random.standard_normal(count) / norm.ppf(0.75)  # its quartiles, too, are at ±1
        samples = {"updates by −log D": drawn, "Gaussian of the same quartiles": gaussian}

        distance = {name: float(kstest(found, cauchy.cdf).statistic) for name, found in samples.items()}
        own, other = distance.values()
        experiment.find(
            "Kolmogorov distance of the updates from Cauchy, by √n", own * count**0.5, "<=", KOLMOGOROV
        )
        experiment.find("that of a Gaussian of the same quartiles", other * count**0.5, ">", KOLMOGOROV)
        far = float(np.mean(np.abs(drawn) > 50.0))
        exact, deviation = 2 * cauchy.sf(50.0), (2 * cauchy.sf(50.0) / count) ** 0.5
        experiment.find(
            "share beyond 50 scales, deviation from Cauchy's 1.27 % in standard errors",
            abs(far - exact) / deviation, "<=", 3,
        )  # fmt: skip

        sizes = 2 ** np.arange(0, int(np.log2(largest)) + 1, 2)
        averages = {name: [] for name in samples}
        for size in sizes:
            noise = random.standard_normal((AVERAGES, size)) / norm.ppf(0.75)
            for found, batch in zip(
                averages.values(), (updates(J, args, random, noise.shape), noise), strict=True
            ):
                found.append(np.subtract(*np.quantile(batch.mean(axis=1), (0.75, 0.25))))
        slopes = {name: np.polyfit(np.log(sizes), np.log(found), 1)[0] for name, found in averages.items()}
        own, other = slopes.values()
        experiment.find(
            "power of the batch by which averages of updates narrow (Gaussian: -0.5)", own, ">=", -0.05
        )

        levels = np.concatenate((np.geomspace(10 / count, 0.1, 12), np.linspace(0.15, 0.5, 8)))
        levels = np.concatenate((levels, 1 - levels[-2::-1]))
        quantiles = {name: np.quantile(found, levels) for name, found in samples.items()}
        thresholds = np.geomspace(1.0, 1e4, 25)
        tails = {
            name: np.array([np.mean(np.abs(found) > t) for t in thresholds])
            for name, found in samples.items()
        }
        widths = {name: np.array(found) for name, found in averages.items()}
        experiment.keep(
            levels=levels, thresholds=thresholds, sizes=sizes,
            **{f"quantiles {k}": v for k, v in quantiles.items()},
            **{f"tails {k}": v for k, v in tails.items()},
            **{f"widths {k}": v for k, v in widths.items()},
        )  # fmt: skip
        picture = tails_and_averages(
            cauchy.ppf(levels), quantiles, thresholds, tails, sizes, widths, law="Cauchy",
            caption=f"{count:,} updates −Jᵀr/ε of one weight of a generator, ε and r independent Gaussian "
            r"errors of the discriminator and of its gradient; in units of the scale "
            r"$|J| \sigma_r / \sigma_\varepsilon$. They have Cauchy's quantiles and its tail 2/(πt): "
            "mean and variance are not finite, and averages over a batch are as wide as one update, where a "
            "Gaussian's narrow like 1/√n.",
        )  # fmt: skip
        experiment.drawn(save(picture, args.out / "principled_cauchy_updates.png", dpi=130))


if __name__ == "__main__":
    run_script(main, Args)
