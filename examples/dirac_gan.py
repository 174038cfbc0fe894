"""The Dirac-GAN: gradient descent circles the equilibrium, a penalty or a competitive step reaches it.

Document  L. Mescheder, A. Geiger, S. Nowozin, "Which training methods for GANs do actually converge?",
          ICML 2018
Figure    the training trajectories on the Dirac-GAN (simultaneous, alternating, and with the R1 penalty)
Claim     SimGD moves away from the equilibrium and AltGD circles it; the R1 penalty makes SimGD converge,
          and CGD converges without one. Near the equilibrium a step of SimGD, AltGD and CGD multiplies the
          distance by √(1 + η²/4), 1 and 1/√(1 + η²/4)
Command   gamedyn reproduce dirac_gan
          python examples/dirac_gan.py
Time      5 s on one CPU core at every scale
Result    2026-11-22, commit 84ab0f6, one core of an Intel Xeon, nothing random, all held: over 300 steps
          SimGD goes out by 5.8, AltGD stays; CGD's factor is 0.9889 a step, that of SimGD with R1 0.9335.
          Near the equilibrium the factors of SimGD and CGD are the claim's to 1e-8
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from gamedyn.dynamics import trajectory
from gamedyn.dynamics.runs import Steppable
from gamedyn.experiments import Count, Experiment, Positive, Scale, Weight, run_script
from gamedyn.games import DiracGAN
from gamedyn.optimizers import CGD, AltGD, SimGD
from gamedyn.plotting.orbits import orbits_and_distances
from gamedyn.plotting.style import save

NEAR, FEW = 1e-4, 50
"""Both players' first value where the game is all but linear, and the steps taken from there."""


@dataclass
class Args:
    """Arguments of the example."""

    scale: Scale = "laptop"
    """Sizes; here all are alike."""
    out: Path = Path("runs/examples")
    """Folder for the picture, its arrays and the findings."""
    steps: Count = 300
    """Steps of each run."""
    start: Positive = 0.4
    """Both players' first value; the equilibrium is 0."""
    lr: Positive = 0.3
    """Step size of both players."""
    r1: Weight = 0.5
    """Weight of the R1 penalty in the run that has one."""
    loss: Literal["saturating", "nonsaturating"] = "saturating"
    """The zero-sum loss, or the general-sum one that practice prefers (CGD then solves by GMRES)."""


def deviation(optimizer: Callable[..., Steppable], args: Args, factor: float) -> float:
    """Largest relative deviation of the factors a step from the exact one, near the equilibrium."""
    game = DiracGAN(args.loss, start=(NEAR, NEAR))
    x, y = game.parameters()
    path = trajectory(optimizer([x], [y], lr=args.lr), game.closure(x, y), FEW)
    distance = np.hypot(path.x[:, 0], path.y[:, 0])
    return float(np.abs(distance[1:] / distance[:-1] / factor - 1.0).max())


def main(args: Args) -> None:
    """Run the four trainings, and compare the end of each with the linearisation."""
    print(__doc__)
    runs: dict[str, tuple[Callable[..., Steppable], float]] = {
        "SimGD": (SimGD, 0.0),
        "AltGD": (AltGD, 0.0),
        "CGD": (partial(CGD, rtol=1e-12), 0.0),
        "SimGD with R1": (SimGD, args.r1),
    }
    orbits, distances, references, factors = {}, {}, {}, {}
    with Experiment(__file__, args) as experiment:
        for label, (optimizer, r1) in runs.items():
            game = DiracGAN(args.loss, r1=r1, start=(args.start, args.start))
            x, y = game.parameters()
            path = trajectory(optimizer([x], [y], lr=args.lr), game.closure(x, y), args.steps)
            orbits[label] = path.x[:, 0], path.y[:, 0]
            distances[label] = np.hypot(*orbits[label])
            half = args.steps // 2
            ratio = distances[label][-1] / distances[label][half]
            factors[label] = float(ratio ** (1.0 / (args.steps - half)))
            radius = float(game.spectral_radius(label.split()[0], args.lr))
            references[label] = distances[label][0] * radius ** np.arange(args.steps + 1)
            print(
                f"{label:14s} distance {distances[label][0]:.3g} -> {distances[label][-1]:.3g}; factor a "
                f"step {factors[label]:.4f} over the second half, {radius:.4f} at the equilibrium"
            )
            experiment.keep(**{label.replace(" ", "_"): np.stack(orbits[label])})

        picture = orbits_and_distances(
            orbits,
            distances,
            {label: references[label] for label in ("SimGD", "AltGD", "CGD")},
            reach=3.6 if args.loss == "saturating" else 1.2,
            title=rf"Dirac-GAN, {args.loss},  $\eta$ = {args.lr:g}",
            axes_labels=("x  (where the generator is)", "y  (slope of the discriminator)"),
            reference_label="linearisation",
            caption="The smallest GAN: the generator places a point at x, the data lie at 0, the "
            "discriminator is t ↦ yt. Without a penalty only CGD converges at a linear rate; R1 "
            f"(γ = {args.r1:g}) makes SimGD converge too. Dashed: the factors at the equilibrium, which far "
            "from it are only a guide.",
        )
        experiment.drawn(save(picture, args.out / f"dirac_gan_{args.loss}.png"))

        away = distances["SimGD"][-1] / distances["SimGD"][0]
        experiment.find("SimGD's distance at the end / start", away, ">", 1.2)
        exact = math.hypot(1.0, args.lr / 2)
        for label, factor in (("SimGD", exact), ("CGD", 1 / exact)):
            wrong = deviation(runs[label][0], args, factor)
            experiment.find(
                f"relative error of {label}'s factor a step near the equilibrium", wrong, "<=", 1e-6
            )
        circles = abs(factors["AltGD"] - 1.0)
        experiment.find("distance of AltGD's factor a step from 1, second half", circles, "<", 3e-3)
        for label in ("CGD", "SimGD with R1"):
            experiment.find(f"{label}'s factor a step, second half", factors[label], "<", 0.995)


if __name__ == "__main__":
    run_script(main, Args)
