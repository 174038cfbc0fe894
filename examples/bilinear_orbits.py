"""Bilinear orbits: only competitive steps converge, and the stronger the coupling the faster.

Document  F. Schäfer, A. Anandkumar, "Competitive Gradient Descent", NeurIPS 2019
Figure    Fig. 2: f = αxy, α = 1, 3, 6, both step sizes 0.2, 50 steps from (0.5, 0.5)
Claim     SimGD diverges, AltGD circles, CGD converges at every α, and faster for larger α: a step
          multiplies the distance to the equilibrium by exactly 1/√(1 + η²α²)
Command   python examples/bilinear_orbits.py
Time      8 s on one CPU core
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import tyro

from gamedyn.dynamics import trajectory
from gamedyn.games import Bilinear
from gamedyn.optimizers import ACGD, CGD, AltGD, SimGD
from gamedyn.plotting.orbits import orbits_and_distances
from gamedyn.plotting.style import save

OPTIMIZERS = {
    "SimGD": SimGD,
    "AltGD": AltGD,
    "CGD": partial(CGD, rtol=1e-14),
    "ACGD": partial(ACGD, rtol=1e-14),
}


@dataclass
class Args:
    """Arguments of the example."""

    out: Path = Path("runs/examples")
    """Folder for the pictures."""
    steps: int = 50
    """Steps of each run."""
    lr: float = 0.2
    """Step size of both players."""
    alphas: tuple[float, ...] = (1.0, 3.0, 6.0)
    """Strengths of the coupling, one picture each."""


def main(args: Args) -> None:
    """Run every optimizer at every coupling, and compare each step of CGD with its exact factor."""
    print(__doc__)
    worst, factors = 0.0, []
    for alpha in args.alphas:
        game = Bilinear(alpha, start=(0.5, 0.5))
        orbits, distances, exact = {}, {}, {}
        for name, optimizer in OPTIMIZERS.items():
            x, y = game.parameters()
            path = trajectory(optimizer([x], [y], lr=args.lr), game.closure(x, y), args.steps)
            orbits[name] = path.x[:, 0], path.y[:, 0]
            distances[name] = np.hypot(*orbits[name])
            if name != "ACGD":
                factor = float(game.contraction(name, args.lr)[0])
                exact[name] = distances[name][0] * factor ** np.arange(args.steps + 1)

        measured = distances["CGD"][1:] / distances["CGD"][:-1]
        factor = float(game.contraction("CGD", args.lr)[0])
        factors.append(factor)
        worst = max(worst, float(np.abs(measured - factor).max()))
        ends = ", ".join(f"{name} {values[-1]:.3g}" for name, values in distances.items())
        f = "xy" if alpha == 1 else f"{alpha:g}xy"
        print(f"f = {f}: CGD's factor {factor:.6f} a step; distance 0.707 -> {ends}")
        picture = orbits_and_distances(
            orbits,
            distances,
            exact,
            reach=1.5,
            title=rf"f = {f},  $\eta$ = {args.lr:g}",
            caption=f"Four optimizers on f = {f}. SimGD diverges, AltGD circles, CGD contracts by "
            f"{factor:.4f} a step. Dashed: exact factors; AltGD turns on an ellipse.",
        )
        print("wrote", save(picture, args.out / f"bilinear_orbits_alpha_{alpha:g}.png"))

    held = worst < 1e-12 and factors == sorted(factors, reverse=True)
    print(f"largest distance of a CGD step from its exact factor: {worst:.1e} (held if below 1e-12)")
    print("claim:", "held" if held else "did not hold")


if __name__ == "__main__":
    main(tyro.cli(Args))
