"""How far a solve may go in bfloat16: the constant of the inexact-Krylov rule, on trained networks.

A DCGAN is trained on CIFAR-10. At several ages its step's system is solved with relaxed products from
the residual `rtol / c` on, for several `c`, and by exact ones. A claim holds if the true residual, evaluated
by exact products where the relaxed solve says that it is done, meets the tolerance; where it does not, exact
products take over and the solve costs more than it saved.

    python benchmarks/relaxation.py --data-root FOLDER     # writes benchmarks/results/relaxation.json
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections import defaultdict
from pathlib import Path
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from environment import environment

from gamedyn.gan.config import TrainConfig, resolve
from gamedyn.gan.data.sources import open_source
from gamedyn.gan.losses import LOSSES
from gamedyn.gan.models import build_pair
from gamedyn.gan.objective import GANObjective
from gamedyn.optimizers import ACGD
from gamedyn.solvers import solve, zero_sum

RESULTS = Path(__file__).parent / "results" / "relaxation.json"
CONSTANTS = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)


def main() -> None:
    """Train, solve, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-root")
    parser.add_argument("--dim", type=int, default=32)
    parser.add_argument("--ages", nargs="+", type=int, default=[5, 100, 300])
    parser.add_argument("--rtol", nargs="+", type=float, default=[1e-1, 1e-2, 1e-3])
    parser.add_argument("--batches", type=int, default=2)
    parser.add_argument("--loss", default="wgan")
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    source = open_source(resolve(TrainConfig(dataset="cifar10", data_root=args.data_root)))
    G, D = build_pair(source.shape, dim=args.dim, latent=128, seed=0, init="torch")
    players = list(G.parameters()), list(D.parameters())
    trained = ACGD(*players, lr=5e-4, max_iter=2)
    latent = torch.Generator().manual_seed(1000)
    step_game = GANObjective(G, D, LOSSES[args.loss], curvature_batch=0.25)
    game = GANObjective(G, D, LOSSES[args.loss], precision="relaxed")
    rows, trained_for = [], 0

    def draw() -> tuple[torch.Tensor, torch.Tensor]:
        return source.next(), torch.randn(64, 128, generator=latent)

    for age in args.ages:
        for _ in range(age - trained_for):
            trained.step(step_game.on(*draw()))
        trained_for = age
        found = defaultdict(list)
        for _ in range(args.batches):
            local = game.on(*draw()).linearise(*players)
            assert local is not None
            rates, _ = trained._metric([local.gradient_x, local.gradient_y])
            scales = [[rate.detach().sqrt() for rate in player] for player in rates]
            exact = local.__class__(
                local.losses, local.gradient_x, local.gradient_y, local.forward, local.backward
            )
            for rtol in args.rtol:
                for constant in (None, *CONSTANTS):
                    system = (exact if constant is None else local).system(*scales)
                    start = time.thread_time()
                    with torch.no_grad(), mock.patch.object(zero_sum, "RELAXATION", constant or 1.0):
                        solution = solve(system, rtol=rtol, max_iter=200)
                    found[rtol, constant].append((solution, time.thread_time() - start))
        for (rtol, constant), solves in found.items():
            exact_times = [spent for _, spent in found[rtol, None]]
            row = {
                "age": age,
                "rtol": rtol,
                "constant": constant,
                "iterations": statistics.mean(s.iterations for s, _ in solves),
                "exact_products": statistics.mean(s.products - s.relaxed for s, _ in solves),
                "relaxed_products": statistics.mean(s.relaxed for s, _ in solves),
                "converged": sum(s.converged for s, _ in solves),
                "claims_kept": sum(s.converged and s.products - s.relaxed <= 3 for s, _ in solves),
                "worst_residual": max(s.residual for s, _ in solves),
                "time_over_exact": statistics.median(
                    t / e for (_, t), e in zip(solves, exact_times, strict=True)
                ),
                "solves": len(solves),
            }
            rows.append(row)
            print(
                f"age {age}, rtol {rtol:g}, c {constant}: {row['iterations']:.1f} iterations, "
                f"{row['exact_products']:.1f} exact and {row['relaxed_products']:.1f} relaxed products, "
                f"worst residual / rtol {row['worst_residual'] / rtol:.2f}, "
                f"time / exact {row['time_over_exact']:.2f}",
                flush=True,
            )
    report = {"environment": environment(), "dim": args.dim, "loss": args.loss, "rows": rows}
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
