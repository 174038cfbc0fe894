"""Clipped critics make gradients explode or vanish over their layers; penalised ones do not.

Document  I. Gulrajani, F. Ahmed, M. Arjovsky, V. Dumoulin, A. Courville, "Improved Training of Wasserstein
          GANs", NeurIPS 2017
Figure    1(b): norms of the critic's gradients over its layers for three bounds c and for the gradient
          penalty, and histograms of the weights; networks of 12 hidden ReLU layers on the swiss roll
Claim     by the choice of c the gradient grows or vanishes exponentially on its way back through a clipped
          critic, most of whose weights lie at the two bounds (c = 0.01); with the gradient penalty the norm
          stays of one size
Command   gamedyn reproduce wgan_gp_gradient_norms
          python examples/wgan_gp_gradient_norms.py
Time      3.1 min of one CPU core (laptop), 4 s (smoke); paper: an estimate of 25 hours of one core, not run
Result    2026-11-22, commit 79ecdfe, one core of an Intel Xeon, one seed, all held: from a layer to the
          next towards the input the gradient grows by +0.54, -0.83 and -1.82 decades with c = 0.1, 0.01 and
          0.001, by -0.03 with the penalty; 91 % of the weights lie at the bounds of 0.01
Note      the histograms decide little after 150 generator steps. The initial weights are uniform and reach to
          0.11, so that clipping them to c = 0.01, before any step, already puts 91 % at the bounds, and
          training has not changed that share. The penalty's weights, too, still show their initial
          distribution, where the paper's are bell-shaped after a longer run: that half of figure 1(b),
          right, is drawn and left undecided

Width, learning rates and length are not in the paper or its code: 512 units, and the rates of its other toy
runs (RMSProp 5e-5 with clipping, Adam 1e-4 with the penalty).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import trange

from gamedyn.experiments import Count, Experiment, Scale, Seed, Weight, run_script
from gamedyn.games import SwissRoll
from gamedyn.gan.batch import Batch
from gamedyn.gan.critics import growth_a_layer, layer_gradients
from gamedyn.gan.losses import Wasserstein
from gamedyn.gan.models import perceptron
from gamedyn.gan.penalties import GradientPenalty
from gamedyn.gan.steps import Alternating
from gamedyn.plotting.layers import layer_profiles
from gamedyn.plotting.style import save

SIZES = {  # generator steps, batch, width, hidden layers
    "smoke": (2, 16, 16, 12),
    "laptop": (150, 64, 512, 12),
    "paper": (20_000, 256, 512, 12),
}
CLIPS = (0.1, 0.01, 0.001)
PENALTY = "gradient penalty"
BINS = 60


@dataclass
class Args:
    """Arguments of the example."""

    scale: Scale = "laptop"
    """Sizes of the run."""
    out: Path = Path("runs/examples")
    """Folder for the picture, its arrays and the findings."""
    seed: Seed = 0
    """Seed of weights and samples."""
    n_critic: Count = 5
    """Steps of the critic to one of the generator."""
    gp: Weight = 10.0
    """Weight of the gradient penalty."""


def train(clip: float | None, args: Args) -> dict[str, object]:
    """Train both networks, then measure the critic."""
    steps, batch, width, depth = SIZES[args.scale]
    torch.manual_seed(args.seed)
    roll = SwissRoll()
    generator = perceptron(2, 2, width=width, depth=depth)
    critic = perceptron(2, 1, width=width, depth=depth)
    initial = weights_of(critic)
    if clip is None:
        adams = (torch.optim.Adam(net.parameters(), lr=1e-4, betas=(0.5, 0.9)) for net in (generator, critic))
        stepper = Alternating(*adams, n_critic=args.n_critic, penalties=[GradientPenalty(args.gp)])
    else:
        rms = (torch.optim.RMSprop(net.parameters(), lr=5e-5, alpha=0.9) for net in (generator, critic))
        stepper = Alternating(*rms, n_critic=args.n_critic, clip=clip)
    for _ in trange(steps, desc=PENALTY if clip is None else f"c = {clip:g}", disable=None, leave=False):
        stepper.step(
            generator, critic, Wasserstein(), lambda: Batch(roll.sample(batch), torch.randn(batch, 2))
        )
    with torch.no_grad():
        real, fake = roll.sample(1024), generator(torch.randn(1024, 2))
    weights = weights_of(critic)
    # The input layer's two columns start far wider than the others: they are left out of the picture.
    reach = 1.5 * float(weights.abs().double().quantile(0.99)) if clip is None else clip
    counts, edges = np.histogram(weights.numpy(), bins=BINS, range=(-1.05 * reach, 1.05 * reach))
    found = {
        "norms": layer_gradients(critic, Wasserstein(), real, fake),
        "counts": counts,
        "edges": edges,
    }
    if clip is None:
        return found
    return {**found, "at_bounds": share_beyond(weights, clip), "at_first": share_beyond(initial, clip)}


def weights_of(critic: nn.Sequential) -> Tensor:
    """Copy all weights of the linear layers into one vector."""
    return torch.cat([layer.weight.detach().flatten() for layer in critic if isinstance(layer, nn.Linear)])


def share_beyond(weights: Tensor, bound: float) -> float:
    """Share of weights that lie at a bound, or would if they were clipped: beyond 95 % of it."""
    return float((weights.abs() > 0.95 * bound).float().mean())


def main(args: Args) -> None:
    """Train with three bounds and with the penalty, and compare the slopes over the layers."""
    print(__doc__)
    ways = {**{f"clipping, c = {clip:g}": clip for clip in CLIPS}, PENALTY: None}
    with Experiment(__file__, args) as experiment:
        found = {
            name: experiment.part(
                "gp" if clip is None else f"clip{clip:g}",
                lambda clip=clip: train(clip, args),
            )
            for name, clip in ways.items()
        }
        for name, run in found.items():
            print(f"{name}: log10 norms, input to output: {np.array2string(run['norms'], precision=2)}")
        slopes = {clip: growth_a_layer(found[name]["norms"]) for name, clip in ways.items()}
        towards = "growth a layer towards the input, decades"
        experiment.find(f"{towards}, {PENALTY}, either way", abs(slopes[None]), "<", 0.15)
        experiment.find(f"{towards}, c = 0.1", slopes[0.1], ">", 0.2)
        experiment.find(f"{towards}, c = 0.01", slopes[0.01], "<", -0.5)
        experiment.find(f"{towards}, c = 0.001", slopes[0.001], "<", -1.0)
        clipped = "clipping, c = 0.01"
        experiment.find(
            f"share of weights beyond 0.95 c, c = 0.01 ({float(found[clipped]['at_first']):.2f} by the first "
            "clipping alone)",
            found[clipped]["at_bounds"],
            ">",
            0.8,
        )
        experiment.keep(**{f"{name} {what}": run[what] for name, run in found.items() for what in run})
        growth = ", ".join(f"{slopes[clip]:+.2f} ({name})" for name, clip in ways.items())
        steps, batch, width, depth = SIZES[args.scale]
        picture = layer_profiles(
            {name: run["norms"] for name, run in found.items()},
            {name: (found[name]["counts"], found[name]["edges"]) for name in (clipped, PENALTY)},
            caption=f"Critics of {depth} hidden layers of {width} ReLU on the swiss roll after {steps:,} "
            f"generator steps of {args.n_critic} critic steps each, batch {batch}, one seed. From a layer to "
            f"the next towards the input the gradient of the critic's loss grows by {growth} decades. Right: "
            "the weights of two critics; those of the penalised one's input layer began far wider, and are "
            "cut off at the edges.",
        )
        experiment.drawn(save(picture, args.out / "wgan_gp_gradient_norms.png"))


if __name__ == "__main__":
    run_script(main, Args)
