"""The game xy: gradient steps oscillate ever wider at every learning rate, the larger the faster.

Document  J. Hui, "GAN - Why it is so hard to train Generative Adversarial Networks!", 2018
Figure    x, y and xy against the iteration, where one player minimises xy and the other maximises it
Claim     the solution (0, 0) is never reached: x, y and xy oscillate with growing amplitude, and a larger
          learning rate η makes them diverge faster. The radius grows by exactly √(1 + η²) a step, the
          amplitude of xy by 1 + η², a turn takes 2π/arctan η steps; AltGD stays on an ellipse, CGD converges
Command   gamedyn reproduce xy_learning_rates
          python examples/xy_learning_rates.py
Time      5 s on one CPU core at every scale
Result    2026-11-22, commit 84ab0f6, one core of an Intel Xeon, all held: every factor, turn and ellipse
          exact to 2e-15
"""

import math
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gamedyn.dynamics import trajectory
from gamedyn.experiments import Count, Experiment, Positive, Scale, run_script
from gamedyn.games import Bilinear
from gamedyn.optimizers import CGD, AltGD, SimGD
from gamedyn.plotting.oscillation import oscillations
from gamedyn.plotting.style import save

OPTIMIZERS = {"SimGD": SimGD, "AltGD": AltGD, "CGD": partial(CGD, rtol=1e-14)}
START = (1.0, 1.0)


@dataclass
class Args:
    """Arguments of the example."""

    scale: Scale = "laptop"
    """Sizes; here all are alike."""
    out: Path = Path("runs/examples")
    """Folder for the picture, its arrays and the findings."""
    steps: Count = 200
    """Steps of each run."""
    rates: tuple[Positive, ...] = (0.05, 0.1, 0.2)
    """Learning rates."""


def turn(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> float:
    """Measure the steps of a whole turn, from the angle that was passed."""
    angle = np.unwrap(np.arctan2(y, x))
    return float(2 * math.pi * (len(x) - 1) / abs(angle[-1] - angle[0]))


def main(args: Args) -> None:
    """Run the three optimizers at every learning rate, and compare with the closed forms."""
    print(__doc__)
    game = Bilinear(1.0, start=START)
    paths, radii, growth = {}, {}, []
    errors: dict[str, float] = {}
    with Experiment(__file__, args) as experiment:
        for rate in sorted(set(args.rates)):
            runs = {}
            for name, optimizer in OPTIMIZERS.items():
                x, y = game.parameters()
                path = trajectory(optimizer([x], [y], lr=rate), game.closure(x, y), args.steps)
                runs[name] = path.x[:, 0], path.y[:, 0]
                experiment.keep(**{f"{name}_{rate:g}": np.stack(runs[name])})
            paths[rate] = runs["SimGD"]
            radii[rate] = {name: np.hypot(*run) for name, run in runs.items()}

            ratios = {name: radius[1:] / radius[:-1] for name, radius in radii[rate].items()}
            x, y = runs["AltGD"]
            kept = x * x + y * y - rate * x * y
            exact = math.hypot(1.0, rate)
            for what, ratio in {
                "SimGD's factor √(1 + η²) a step": ratios["SimGD"] / exact,
                "SimGD's turn of 2π/arctan η steps": turn(*runs["SimGD"]) * math.atan(rate) / (2 * math.pi),
                "CGD's factor 1/√(1 + η²) a step": ratios["CGD"] * exact,
                "AltGD's ellipse x² + y² − ηxy": kept / kept[0],
            }.items():
                errors[what] = max(errors.get(what, 0.0), float(np.abs(ratio - 1.0).max()))
            growth.append(float(ratios["SimGD"].prod()))
        for what, error in errors.items():
            experiment.find(f"relative error of {what}, worst η", error, "<", 1e-12)
        experiment.find("growth of SimGD's radius at the smallest η", growth[0], ">", 1.0)
        if len(growth) > 1:
            faster = min(after / before for before, after in pairwise(growth))
            experiment.find("its growth at an η over that at the η before, least", faster, ">", 1.0)

        picture = oscillations(
            paths,
            radii,
            caption=f"f = xy from (1, 1), {args.steps} steps. Above: SimGD; x, y and xy oscillate ever "
            "wider, and the faster the larger the learning rate. Below: AltGD stays on an ellipse, and CGD, "
            r"which takes the other player's answer into account, contracts by $1/\sqrt{1+\eta^2}$ a step.",
        )
        experiment.drawn(save(picture, args.out / "xy_learning_rates.png"))


if __name__ == "__main__":
    run_script(main, Args)
