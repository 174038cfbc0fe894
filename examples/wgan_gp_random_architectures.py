"""Random architectures: many that only WGAN-GP can train, few that only the standard GAN can.

Document  I. Gulrajani, F. Ahmed, M. Arjovsky, V. Dumoulin, A. Courville, "Improved Training of Wasserstein
          GANs", NeurIPS 2017
Figure    Tables 1, 2 and 5: 200 random architectures trained by both methods on 32x32 ImageNet, and how many
          exceed each of several scores with one method alone, with both, with neither
Claim     at nearly every threshold more architectures succeed with WGAN-GP alone than with the standard GAN
          alone
Command   gamedyn reproduce wgan_gp_random_architectures
          python examples/wgan_gp_random_architectures.py
Time      5.9 min of one CPU core (laptop), 5 s (smoke)
Result    2026-11-22, one core of an Intel Xeon, n = 8, one seed, held: with WGAN-GP alone 4, 2, 1 and 1
          architectures come below a half, a quarter, an eighth and a sixteenth of the distance of noise,
          with the standard GAN none
Note      at equal generator steps, of which WGAN-GP's have five critic steps each. At 400 steps most runs
          have not trained at all, so n is too small and the run too short for more than the sign of the
          paper's table. After 200 steps, tried first, one architecture came below the first three
          thresholds, with WGAN-GP alone

Here the data are scikit-learn's 8x8 digits, the score is the Fréchet distance on a digit classifier's
features, and success is a distance below a half, a quarter, an eighth or a sixteenth of that of noise.
Filters are an eighth of the drawn ones; both learning rates are five times the paper's, for a run 250 times
shorter.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from gamedyn.cli.steppers import make_stepper
from gamedyn.experiments import Experiment, Scale
from gamedyn.gan.config import TrainConfig
from gamedyn.gan.data import load_digits
from gamedyn.gan.metrics.digits import digits
from gamedyn.gan.presets.methods import DCGAN_ADAM, GP_ADAM
from gamedyn.gan.random_architectures import random_architecture
from gamedyn.gan.trials import Features, distance_of_noise, run_trial
from gamedyn.plotting.curves import paired_scores
from gamedyn.plotting.style import save

SIZES: dict[str, dict[str, Any]] = {  # n: how many architectures
    "smoke": {"n": 2, "steps": 2, "dim": 2, "batch_size": 8, "latent": 8},
    "laptop": {"n": 8, "steps": 400, "dim": 8, "batch_size": 32, "latent": 64},
    "paper": {"n": 200, "steps": 100_000, "dim": 64, "batch_size": 64, "latent": 128},
}
PARTS = (2, 4, 8, 16)
METHODS: dict[str, dict[str, Any]] = {
    "standard GAN": DCGAN_ADAM,
    "WGAN-GP": {**GP_ADAM, "beta1": 0.0, "critic_norm": "layer"},
}


@dataclass
class Args:
    """Arguments of the example."""

    scale: Scale = "laptop"
    """Sizes of the run."""
    out: Path = Path("runs/examples")
    """Folder for the picture, its arrays and the findings."""
    seed: int = 0
    """Seed of weights and samples."""
    first: int = 0
    """Index of the first architecture."""
    rate: float | None = None
    """Factor on the paper's learning rates; by default 1 at the paper's scale, else 5."""


def train(method: str, index: int, args: Args) -> dict[str, object]:
    """Train one architecture; decay the weights of a normalised discriminator, as the paper does."""
    settings = {**SIZES[args.scale], **METHODS[method]}
    settings.pop("n")
    settings["lr"] *= args.rate or (1.0 if args.scale == "paper" else 5.0)
    normed = random_architecture(index).critic_norm
    config = TrainConfig(
        dataset="digits",
        architecture="random",
        architecture_index=index,
        init="tflib",
        seed=args.seed,
        weight_decay=5e-4 if normed else 0.0,  # its gradient is the paper's 1e-3 times the weight
        **settings,
    )
    trial = run_trial(config, make_stepper, features_of(args))
    return {"distance": trial.distance, "failure": trial.failure}


def features_of(args: Args) -> Features:
    """Give what distances are measured by; at smoke scale the pixels, so that no classifier is trained."""
    return torch.nn.Flatten() if args.scale == "smoke" else digits.features


def main(args: Args) -> None:
    """Train every architecture both ways, and count successes at several thresholds."""
    print(__doc__)
    n = SIZES[args.scale]["n"]
    with Experiment(__file__, args.scale, args.out) as experiment:
        found = {
            method: np.array(
                [
                    float(
                        experiment.part(
                            f"{method.replace(' ', '_')}-{index}-seed{args.seed}-rate{args.rate}",
                            lambda method=method, index=index: train(method, index, args),
                        )["distance"]
                    )
                    for index in range(args.first, args.first + n)
                ]
            )
            for method in METHODS
        }
        noise = distance_of_noise(load_digits(), features_of(args))
        gan, ours = found.values()
        print(f"distance of noise: {noise:.1f}")
        print("| distance below | only GAN | only WGAN-GP | both | neither |")
        lead = []
        for part in PARTS:
            good, better = gan < noise / part, ours < noise / part
            counts = [(good & ~better), (better & ~good), (good & better), ~(good | better)]
            print(f"| {noise / part:.1f} |", " | ".join(str(int(one.sum())) for one in counts), "|")
            lead.append(int(counts[1].sum()) - int(counts[0].sum()))
        experiment.find(
            f"architectures of n = {n} with WGAN-GP alone, less those with the GAN alone, over 4 thresholds",
            sum(lead),
            ">",
            0,
        )
        experiment.keep(gan=gan, wgan_gp=ours, noise=noise)
        depths = [random_architecture(index) for index in range(args.first, args.first + n)]
        deep = np.array([max(one.generator_depth, one.discriminator_depth) for one in depths])
        shown = {
            "at most 8 layers": deep <= 8,
            "at most 12 layers": deep == 12,
            "20 layers in one network or both": deep == 20,
        }
        highest = 1.5 * max(noise, *(float(each[np.isfinite(each)].max(initial=0.0)) for each in (gan, ours)))
        diverged = int(sum((~np.isfinite(each)).sum() for each in (gan, ours)))
        drawn = [np.where(np.isfinite(each), each, highest) for each in (gan, ours)]
        picture = paired_scores(
            {name: (drawn[0][mask], drawn[1][mask]) for name, mask in shown.items() if mask.any()},
            xlabel="standard GAN: Fréchet distance (digit features)",
            ylabel="WGAN-GP: Fréchet distance (digit features)",
            level=noise / 4,
            caption=f"n = {n} random architectures on 8x8 digits after {SIZES[args.scale]['steps']:,} "
            f"generator steps, one seed; lower is better, and {diverged} of the {2 * n} runs diverged (at "
            "the edge). Dotted: a quarter of the distance of noise, to the right of which and below "
            "which only WGAN-GP succeeds.",
        )
        experiment.drawn(save(picture, args.out / "wgan_gp_random_architectures.png"))


if __name__ == "__main__":
    main(tyro.cli(Args))
