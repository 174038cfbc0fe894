"""How good a step is whose products see a part of the fakes: its angle to the step that sees all of them.

A DCGAN is trained on CIFAR-10 by ACGD steps of two iterations. At several ages both players' steps are solved
for with all fakes to a residual of 1e-4, and with a part of them.

    python benchmarks/part_of_the_fakes.py --data-root FOLDER     # minutes; results/part_of_the_fakes.json
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from environment import environment
from step_games import cifar10_folder, dcgan
from torch import Tensor

from gamedyn.gan.losses import Minimax, Wasserstein
from gamedyn.optimizers import ACGD
from gamedyn.solvers import Linearisation, solve

RESULTS = Path(__file__).parent / "results" / "part_of_the_fakes.json"
LOSSES = {"wgan": Wasserstein, "minimax": Minimax}


def moves(game: Linearisation, rates: Sequence[Sequence[Tensor]], rtol: float, max_iter: int) -> list[Tensor]:
    """Return both players' moves, each as one vector."""
    scales = [[rate.sqrt() for rate in player] for player in rates]
    steps = solve(game.system(*scales), rtol=rtol, max_iter=max_iter).value
    return [
        torch.cat([(part * root).reshape(-1) for part, root in zip(step, scale, strict=True)])
        for step, scale in zip(steps, scales, strict=True)
    ]


def main() -> None:
    """Train, compare, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-root", help="folder with CIFAR-10 (GAMEDYN_DATA); else random images")
    parser.add_argument("--dim", type=int, default=32)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--ages", nargs="+", type=int, default=[20, 60, 200])
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    folder = cifar10_folder(args.data_root)
    rows = []
    for loss, kind in LOSSES.items():
        path = dcgan(args.dim, args.batch, 0, folder, kind())
        assert path.objective is not None
        game = path.objective()
        trained = ACGD(path.x, path.y, lr=5e-4, max_iter=2)
        for age in range(1, max(args.ages) + 1):
            if age in args.ages:
                whole = game.on(*path.batch).linearise(path.x, path.y)
                assert whole is not None
                with torch.no_grad():
                    rates, _ = trained._metric([whole.gradient_x, whole.gradient_y])
                    exact = moves(whole, rates, 1e-4, 300)
                for part in (1.0, 0.5, 0.25, 0.125):
                    own = path.objective(curvature_batch=part).on(*path.batch).linearise(path.x, path.y)
                    assert own is not None
                    for max_iter in (2, 300):
                        with torch.no_grad():
                            found = moves(own, rates, 1e-2, max_iter)
                        row = {"loss": loss, "age": age, "curvature_batch": part, "max_iter": max_iter}
                        for player, move, goal in zip(
                            ("generator", "discriminator"), found, exact, strict=True
                        ):
                            cosine = torch.nn.functional.cosine_similarity(
                                move.double(), goal.double(), dim=0
                            )
                            row[player] = [
                                round(float(cosine), 3),
                                round(float(move.norm() / goal.norm()), 3),
                            ]
                        rows.append(row)
                        print(f"{row} (cosine, length / exact)", flush=True)
            trained.step(game.on(*path.batch))
            path.next_batch()
    report = {"environment": environment(), "images": "CIFAR-10" if folder else "random", "rows": rows}
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
