"""Kill training runs at random instants, continue them, and compare their end with an uninterrupted one's.

`python benchmarks/kills.py --kills 50` prints how often a run was killed (`kill -9`), how many checkpoints
were torn, and how many runs ended in other bits (weights, optimizers, random numbers, data order, average) or
with another log than the same run left alone. Both should be 0. About half a minute on one core.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gamedyn.cli.steppers import make_stepper
from gamedyn.gan.building import build_trainer
from gamedyn.gan.checkpoints import list_checkpoints, load_newest, read_checkpoint
from gamedyn.gan.config import TrainConfig
from gamedyn.gan.runlog import read_log
from gamedyn.gan.runs import LOG, has_begun

STEPS = 25
LATE = ["gamedyn.optimizers", "sklearn.datasets", "torch._dynamo"]  # imported in a first step otherwise
SHARED: dict[str, Any] = {
    "dataset": "digits",
    "steps": STEPS,
    "batch_size": 8,
    "dim": 4,
    "latent": 4,
    "ema": 0.9,
    "lr_decay": "linear",
    "log_every": 1,
    "sample_every": 1000,
    "checkpoint_every": 1,
    "threads": 1,
}
GAMES: list[dict[str, Any]] = [
    {"optimizer": "acgd", "loss": "wgan", "max_iter": 3},
    {"optimizer": "adam", "loss": "wgan", "gp": 10.0, "n_critic": 2, "dropout": 0.3},
    {"optimizer": "altgd", "loss": "minimax", "instance_noise": 0.1, "label_smoothing": 0.1},
    {"optimizer": "rmsprop", "loss": "wgan", "clip": 0.1, "spectral_norm": False},
]
UNTIMED = ("seconds", "cpu_seconds")


@dataclass
class Tally:
    """What happened: kills, checkpoints that could not be read, runs, and runs that ended differently."""

    kills: int = 0
    torn: int = 0
    runs: int = 0
    differing: int = 0


def train(folder: str, settings: dict[str, Any]) -> None:
    """Start a run, or continue the one in the folder, up to its end."""
    path = Path(folder)
    build_trainer(TrainConfig(**settings), make_stepper, path, resume=has_begun(path)).run()


def ending(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Give what a finished run left: its last checkpoint and its log, without the times."""
    state = {key: value for key, value in (load_newest(folder) or {}).items() if key not in UNTIMED}
    log = [
        {key: value for key, value in line.items() if key not in UNTIMED} for line in read_log(folder / LOG)
    ]
    return state, log


def same(one: object, other: object) -> bool:
    """Say whether two nested values have the same bits."""
    import torch

    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(same(one[key], other[key]) for key in one)
        )
    if isinstance(one, list | tuple):
        return isinstance(other, type(one)) and len(one) == len(other) and all(map(same, one, other))
    return one == other


def kill_runs(kills: int, folder: Path, *, seed: int = 0) -> Tally:
    """Kill runs until there were so many kills; every run that was begun is brought to its end."""
    # A server that has imported everything and run nothing: every start is a fork of it.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["kills", *LATE])
    draw = random.Random(seed)
    tally = Tally()
    while tally.kills < kills:
        settings = {**SHARED, **GAMES[tally.runs % len(GAMES)], "seed": tally.runs}
        whole, cut = (folder / f"{tally.runs}-{name}" for name in ("whole", "cut"))
        began = time.monotonic()
        process = context.Process(target=train, args=(str(whole), settings))
        process.start()
        process.join()
        alone = time.monotonic() - began
        assert process.exitcode == 0, f"the uninterrupted run failed: {settings}"
        while True:
            process = context.Process(target=train, args=(str(cut), settings))
            process.start()
            # As long as the whole run at most, so that most starts are killed, some before their first step.
            process.join(draw.uniform(0.0, 0.8 * alone) if tally.kills < kills else None)
            if process.exitcode is None:
                process.kill()
                process.join()
            if process.exitcode == 0:
                break
            assert process.exitcode == -9, f"the continued run failed: {settings}"
            tally.kills += 1
            tally.torn += sum(not whole_file(path) for path in list_checkpoints(cut)) if cut.is_dir() else 0
        tally.runs += 1
        tally.differing += not same(ending(whole), ending(cut))
    return tally


def whole_file(path: Path) -> bool:
    """Say whether a checkpoint can be read."""
    try:
        return bool(read_checkpoint(path))
    except ValueError:
        return False


def main() -> None:
    """Do it and print the counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = kill_runs(args.kills, Path(folder), seed=args.seed)
    print(f"{tally.kills} kills in {tally.runs} runs: {tally.torn} torn, {tally.differing} differing")


if __name__ == "__main__":
    from kills import main as importable_main  # by its name, under which the server of processes knows it

    importable_main()
