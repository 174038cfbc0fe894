"""What one step costs under each way of taking the products, in Adam steps: the second half of the study.

At one point on the path of a DCGAN's training, which accurate solves took, so that a solve to 1e-2 is as long
as in the study, ACGD steps with solves of several lengths are timed beside alternating Adam steps on the same
batch, interleaved. A step of `k` iterations costs the median of those that took `k`; between two lengths the
cost is a straight line, beyond the longest the line through all of them (`cost_of`).

    python benchmarks/defaults_cost.py --data-root FOLDER     # minutes; writes results/defaults_cost.json
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from environment import environment
from step_games import cifar10_folder, dcgan, place

from gamedyn.gan.batch import Batch
from gamedyn.gan.losses import Wasserstein
from gamedyn.gan.steps import Alternating
from gamedyn.optimizers import ACGD

RESULTS = Path(__file__).parent / "results" / "defaults_cost.json"
WAYS = [(part, precision) for precision in ("float32", "relaxed") for part in (1.0, 0.5, 0.25, 0.125)]
LENGTHS = ((1, 5e-4), (2, 5e-4), (3, 5e-4), (5, 5e-4), (8, 5e-4), (100, 5e-4), (100, 1e-3), (100, 2e-3))
"""Limits and learning rates of the solves: the system of a larger rate takes more iterations to 1e-2."""


def cost_of(way: dict[str, Any], iterations: float) -> float:
    """Return the Adam steps that a step of some mean length costs, from a row of the record.

    Args:
        way: The row: medians by the number of iterations, and the line through them.
        iterations: The length.

    Returns:
        The cost, between the two measured lengths next to it in proportion.
    """
    known = sorted((int(length), cost) for length, cost in way["adam_steps"].items())
    lengths, costs = zip(*known, strict=True)
    if not lengths[0] <= iterations <= lengths[-1]:
        return float(way["base"] + way["slope"] * iterations)
    return float(np.interp(iterations, lengths, costs))


def main() -> None:
    """Measure, fit, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-root", help="folder with CIFAR-10 (GAMEDYN_DATA); else random images")
    parser.add_argument("--dim", type=int, default=32)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--warm-up", type=int, default=50, help="training steps before the measured point")
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    folder = cifar10_folder(args.data_root)
    path = dcgan(args.dim, args.batch, seed=0, folder=folder, loss=Wasserstein())
    players = (path.x, path.y)
    assert path.objective is not None
    game = path.objective()
    G, D, loss = game.generator, game.discriminator, game.loss
    trained = ACGD(*players, lr=5e-4, rtol=1e-2)
    for _ in range(args.warm_up):
        trained.step(game.on(*path.batch))
        path.next_batch()
    point = [parameter.detach().clone() for player in players for parameter in player]
    state = trained.state_dict()

    adam = Alternating(*(torch.optim.Adam(player, lr=1e-4, betas=(0.5, 0.9)) for player in players))
    steps: dict[tuple[float, str, tuple[int, float]], Any] = {}
    for part, precision in WAYS:
        objective = path.objective(curvature_batch=part, precision=precision)
        for length in LENGTHS:
            optimizer = ACGD(*players, rtol=1e-2)
            optimizer.load_state_dict(state)
            for group in optimizer.param_groups:
                group["max_iter"], group["lr"] = length
            steps[part, precision, length] = (objective, optimizer)
    times: dict[Any, list[float]] = {key: [] for key in ("adam", *steps)}
    lengths: dict[Any, list[int]] = {key: [] for key in steps}
    for repetition in range(args.repetitions):
        path.next_batch()
        for key in times:
            start = time.thread_time()
            if key == "adam":
                adam.step(G, D, loss, partial(Batch, *path.batch))
            else:
                objective, optimizer = steps[key]
                optimizer.step(objective.on(*path.batch))
            times[key].append(time.thread_time() - start)
            if key != "adam":
                lengths[key].append(optimizer.last_step.iterations)
            place(path, point)
        print(f"{repetition + 1} of {args.repetitions}", flush=True)
    rows = []
    for part, precision in WAYS:
        pairs = [
            (length, spent / unit)
            for asked in LENGTHS
            for length, spent, unit in zip(
                lengths[part, precision, asked], times[part, precision, asked], times["adam"], strict=True
            )
        ]
        ratios = {
            k: statistics.median(ratio for length, ratio in pairs if length == k) for k, _ in sorted(pairs)
        }
        slope, base = np.polyfit(list(ratios), list(ratios.values()), 1)
        rows.append(
            {
                "curvature_batch": part,
                "precision": precision,
                "adam_steps": ratios,
                "base": float(base),
                "slope": float(slope),
            }
        )
        shown = ", ".join(f"k={k}: {ratio:.2f}" for k, ratio in ratios.items())
        print(f"{part:5g} of the fakes, {precision:8}: {shown} Adam steps ({base:.2f} + {slope:.2f} k)")
    report = {
        "environment": environment(),
        "images": "CIFAR-10" if folder else "random",
        "dim": args.dim,
        "batch": args.batch,
        "rows": rows,
    }
    report["adam_ms"] = 1e3 * statistics.median(times["adam"])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
