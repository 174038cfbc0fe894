"""Who may be fast: the step sizes at which SimGD, AltGD and CGD converge on the ICR quadratic.

Document  F. Schäfer, H. Zheng, A. Anandkumar, "Implicit competitive regularization in GANs", ICML 2020,
          and the authors' post on it
Figure    the three phase planes on f = x² + 10xy + y², as a map over all pairs of step sizes
Claim     SimGD converges to the origin only while the discriminator y is the slower player; at equal step
          sizes it spirals out, and the faster y is, the faster. CGD converges at equal step sizes too, and at
          every η_y once 1/52 ≤ η_x < 1
Command   gamedyn reproduce icr_step_sizes
          python examples/icr_step_sizes.py
Time      4 s at smoke, 10 s at laptop scale on one CPU core; paper: about 2 min there, not run
Result    2026-11-22, commit 84ab0f6, one core of an Intel Xeon, all held: spectral radii 0.9625, 1.0423 and
          1.1164; of 160,000 pairs of step sizes 1, 0 and 2 do not run as predicted, on the boundary
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from gamedyn.dynamics import refine_ends, run, stability_map
from gamedyn.experiments import Experiment, Scale, run_script
from gamedyn.games import Quadratic
from gamedyn.plotting.planar import phase_planes
from gamedyn.plotting.stability import stability_maps
from gamedyn.plotting.style import save

OPTIMIZERS = ("SimGD", "AltGD", "CGD")
PAIRS = ((0.09, 0.01), (0.03, 0.03), (0.01, 0.09))
SIZES = {"smoke": (40, 200), "laptop": (400, 500), "paper": (800, 2000)}
"""Step sizes along each axis of the map, and steps of each run; the paper shows three pairs only."""
LOW, HIGH = 3e-3, 10.0


@dataclass
class Args:
    """Arguments of the example."""

    scale: Scale = "laptop"
    """Sizes."""
    out: Path = Path("runs/examples")
    """Folder for the pictures, their arrays and the findings."""


def main(args: Args) -> None:
    """Measure convergence on a grid of step sizes and hold it against the spectral radius and the claim."""
    print(__doc__)
    cells, steps = SIZES[args.scale]
    game = Quadratic.icr()
    with Experiment(__file__, args) as experiment:
        lr, max_lr = np.array(PAIRS).T
        paths = run(game, "SimGD", game.start, lr=lr, max_lr=max_lr, steps=50)
        radii = [float(game.spectral_radius("SimGD", *pair)) for pair in PAIRS]
        planes = phase_planes(
            [(paths.x[:, i, 0], paths.y[:, i, 0]) for i in range(len(PAIRS))],
            [
                rf"$(\eta_x, \eta_y)$ = ({a:g}, {b:g})" + f"\nspectral radius {radius:.4f}"
                for (a, b), radius in zip(PAIRS, radii, strict=True)
            ],
            reach=3.0,
            caption="The first 50 steps of SimGD on f = x² + 10xy + y². The faster the discriminator is "
            "beside the generator, the less stable the game: converging, slowly and rapidly diverging.",
        )
        experiment.drawn(save(planes, args.out / "icr_step_sizes_planes.png"))

        eta, fine = np.geomspace(LOW, HIGH, cells), np.geomspace(LOW, HIGH, 4000)
        for name in OPTIMIZERS:
            fine = refine_ends(partial(game.boundary, name), fine)
        maps = {}
        for name in tqdm(OPTIMIZERS, desc="maps", unit="optimizer"):
            maps[name] = stability_map(game, name, lr=eta, max_lr=eta, start=game.start, steps=steps)
            experiment.keep(**{f"{name}_growth": maps[name].growth, f"{name}_radius": maps[name].radius})
        experiment.keep(lr=eta, x=paths.x[..., 0], y=paths.y[..., 0])
        picture = stability_maps(
            eta,
            eta,
            {name: found.measured for name, found in maps.items()},
            {name: found.predicted for name, found in maps.items()},
            {name: game.boundary(name, fine) for name in OPTIMIZERS},
            boundary_lr=fine,
            caption=f"f = x² + 10xy + y². Shaded: the distance to the equilibrium shrinks over {steps} steps "
            "of the update law. Lines: the spectral radius of the exact iteration matrix is 1. SimGD is "
            "stable only below the diagonal, where the discriminator is the slower player; CGD is stable for "
            r"every $\eta_y$ once $1/52 \leq \eta_x < 1$.",
        )
        experiment.drawn(save(picture, args.out / "icr_step_sizes.png"))

        for pair, radius, relation in zip(PAIRS, radii, ("<", ">", ">"), strict=True):
            experiment.find(f"spectral radius of SimGD at {pair}", radius, relation, 1.0)
        experiment.find("that at (0.01, 0.09) over that at (0.03, 0.03)", radii[2] / radii[1], ">", 1.0)
        column, row = eta[None, :], eta[:, None]
        agreement = min(found.agreement for found in maps.values())
        experiment.find("share of the map that runs as predicted, worst optimizer", agreement, ">=", 0.99)
        stray = max(found.off_boundary for found in maps.values())
        experiment.find("cells off the boundary that do not, worst optimizer", stray, "<=", 0)
        fast = maps["SimGD"].measured & (row >= column)
        experiment.find("cells where SimGD converges with y as fast as x or faster", fast.sum(), "<=", 0)
        covered = (column >= 1 / 52) & (column < 1.0) & ~maps["CGD"].boundary
        stuck = ~maps["CGD"].measured & covered
        experiment.find("cells with 1/52 ≤ η_x < 1 where CGD does not converge", stuck.sum(), "<=", 0)


if __name__ == "__main__":
    run_script(main, Args)
