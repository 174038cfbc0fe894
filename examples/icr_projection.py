"""The projection problem: the generator matches that part of the data which is perceived strongly.

Document  F. Schäfer, H. Zheng, A. Anandkumar, "Implicit competitive regularization in GANs", ICML 2020,
          and the authors' post on it
Figure    phase plane of θ = (θ₁, θ₂), and θ₁, θ₂ against the iteration under SimGD and CGD
Claim     the data are (2, 2), outside the generator's range, and the discriminator perceives θ₁ a hundred
          times as strongly. SimGD then holds θ₁ = 2 for long, while θ₂ is far off; in the end it leaves.
          CGD prolongs the stay
Command   gamedyn reproduce icr_projection
          python examples/icr_projection.py
Time      4 s at smoke, 1 min at laptop scale on one CPU core; paper: about 5 min there, not run
Result    2026-11-22, commit 84ab0f6, one core of an Intel Xeon, 64 seeds, all held: SimGD stays 1890 steps
          at θ₁ = 2, and 15 at θ₂ = 2; with the weights exchanged 70 and 1384, with equal ones 100 and 74;
          85 % of its stays end. CGD stays 5860 steps on average, longer than SimGD on 50 seeds, as long on
          11, shorter on 3
"""

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from gamedyn.dynamics import run
from gamedyn.experiments import Experiment, Scale, run_script
from gamedyn.games import Projection
from gamedyn.plotting.projection import projection_runs
from gamedyn.plotting.style import save

Array = npt.NDArray[np.float64]

SIZES = {"smoke": (8, 1000), "laptop": (64, 20_000), "paper": (256, 20_000)}
"""Seeds, worked out side by side, and steps; the paper states neither."""
LR = 1e-3
EVERY = 10
"""Steps between two records."""
NEAR, TARGET = 0.1, 2.0
ENTERED = 500
"""A stay of so many steps is no passage."""
RUNS = {
    "SimGD (100, 1)": ("SimGD", (100.0, 1.0)),
    "SimGD (1, 1)": ("SimGD", (1.0, 1.0)),
    "SimGD (1, 100)": ("SimGD", (1.0, 100.0)),
    "CGD (100, 1)": ("CGD", (100.0, 1.0)),
}
"""Optimizers and the weights η of the discriminator's inputs."""


@dataclass
class Args:
    """Arguments of the example."""

    scale: Scale = "laptop"
    """Sizes."""
    out: Path = Path("runs/examples")
    """Folder for the picture, its arrays and the findings."""


def play(optimizer: str, eta: tuple[float, float], seeds: int, steps: int) -> dict[str, Array]:
    """Run every seed from its own weights; a run that overflows stays out of range from there on."""
    game = Projection(eta)
    x, y = game.starts(range(seeds))
    theta = [game.distribution(x)]
    for _ in tqdm(range(steps // EVERY), desc=f"{optimizer}, eta {eta}", unit=f"{EVERY} steps"):
        path = run(game, optimizer, (x, y), lr=LR, steps=EVERY)
        x, y = path.x[-1], path.y[-1]
        with np.errstate(over="ignore", invalid="ignore"):
            theta.append(game.distribution(x))
    return {"theta": np.stack(theta).astype(np.float32)}


def longest_stay(values: Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the first record of each column's longest run near the target, and the record after it."""
    near = np.abs(values - TARGET) < NEAR
    length, best, end = (np.zeros(near.shape[1], dtype=np.int64) for _ in range(3))
    for record, now in enumerate(near):
        length = np.where(now, length + 1, 0)
        longer = length > best
        best, end = np.where(longer, length, best), np.where(longer, record + 1, end)
    return end - best, end


def main(args: Args) -> None:
    """Run all seeds at three weightings, measure the stays, and compare."""
    print(__doc__)
    seeds, steps = SIZES[args.scale]
    with Experiment(__file__, args) as experiment:
        thetas, stays = {}, {}
        for name, (optimizer, eta) in RUNS.items():
            key = f"{optimizer}-{eta[0]:g}-{eta[1]:g}"
            thetas[name] = experiment.part(key, partial(play, optimizer, eta, seeds, steps))["theta"]
            stays[name] = [longest_stay(thetas[name][..., coordinate]) for coordinate in (0, 1)]
        length = {name: [EVERY * (end - begin) for begin, end in pair] for name, pair in stays.items()}
        mean = {name: (float(one.mean()), float(two.mean())) for name, (one, two) in length.items()}
        for name, (one, two) in mean.items():
            print(f"{name:14s} steps at θ₁ = 2: {one:.0f}, at θ₂ = 2: {two:.0f} (mean over {seeds} seeds)")

        theta, (begin, end) = thetas["SimGD (100, 1)"], stays["SimGD (100, 1)"][0]
        simgd, cgd = length["SimGD (100, 1)"][0], length["CGD (100, 1)"][0]
        longer, shorter = (cgd > simgd).mean(), (cgd < simgd).mean()
        entered = np.flatnonzero(simgd >= ENTERED)
        leaves = end[entered] < len(theta)
        off = [np.abs(theta[begin[seed] : end[seed], seed, 1] - TARGET) for seed in entered]

        # Shown: of the stays that end, the median one's seed.
        candidates = entered[leaves] if leaves.any() else np.arange(seeds)
        shown = int(candidates[np.argsort(simgd[candidates], kind="stable")[len(candidates) // 2]])
        records = EVERY * np.arange(len(theta))
        picture = projection_runs(
            records,
            {"SimGD": theta[:, shown], "CGD": thetas["CGD (100, 1)"][:, shown]},
            {"SimGD": simgd, "CGD": cgd},
            {name.removeprefix("SimGD "): pair for name, pair in mean.items() if name.startswith("SimGD")},
            caption=f"The generator's range leaves out the data, (2, 2). Above: η = (100, 1), seed {shown}, "
            f"the median of SimGD's stays that end. Below left: {seeds} seeds, η = (100, 1); CGD stays "
            f"longer on {longer:.0%} of them and shorter on {shorter:.0%}. Right: the mean over the same "
            "seeds for three weightings.",
        )
        experiment.drawn(save(picture, args.out / "icr_projection.png"))
        experiment.keep(steps=records, **{re.sub(r"\W+", "_", name): runs for name, runs in thetas.items()})

        one, two = mean["SimGD (100, 1)"]
        experiment.find("η = (100, 1): mean stay at θ₁ = 2 over that at θ₂ = 2", one / max(two, 1.0), ">", 10)
        one, two = mean["SimGD (1, 100)"]
        experiment.find("η = (1, 100): mean stay at θ₂ = 2 over that at θ₁ = 2", two / max(one, 1.0), ">", 10)
        one, two = (max(value, 1.0) for value in mean["SimGD (1, 1)"])
        experiment.find(
            "η = (1, 1): the longer mean stay over the shorter", max(one / two, two / one), "<", 10
        )
        away = np.median(np.concatenate(off)) if off else np.nan
        experiment.find("|θ₂ − 2| while SimGD holds θ₁, median", away, ">", 1)
        share = leaves.mean() if len(entered) else np.nan
        experiment.find(f"share of SimGD's stays of {ENTERED} steps or more that end", share, ">", 0.5)
        experiment.find("share of seeds that CGD holds longer than SimGD, ties against", longer, ">=", 0.6)
        experiment.find("mean stay of CGD over that of SimGD", cgd.mean() / max(simgd.mean(), 1.0), ">=", 1)


if __name__ == "__main__":
    run_script(main, Args)
