"""The folder of a run: who may write into it, and with which settings."""

from __future__ import annotations

import warnings
from dataclasses import fields
from pathlib import Path

from gamedyn.atomic import write_atomically
from gamedyn.gan.claims import claimed
from gamedyn.gan.config import TrainConfig, config_text, read_config, resolve
from gamedyn.gan.runlog import read_log

CONFIG = "config.json"
LOG, OLD_LOG = "log.jsonl", "log-before.jsonl"
# What a continued run may change: how long it runs, what it writes, and where it runs.
CHANGEABLE = {
    "steps",
    "log_every",
    "sample_every",
    "eval_every",
    "eval_samples",
    "eval_references",
    "extractor",
    "checkpoint_every",
    "keep",
    "tensorboard",
    "device",
    "threads",
    "channels_last",
    "compile",
    "data_root",
}
# What is spread over the whole run, so that its length cannot change any more.
SPREAD = {"lr_decay": "none", "instance_noise": 0.0}


def default_folder(config: TrainConfig, preset: str | None = None) -> Path:
    """Name the folder of a run that was given none.

    Args:
        config: The run's settings.
        preset: The preset that they come from, if any.

    Returns:
        `runs/<dataset>-<preset or optimizer>-<seed>`, relative to the current folder.

    Example:
        >>> default_folder(TrainConfig()).as_posix()
        'runs/digits-acgd-0'
    """
    return Path("runs", f"{config.dataset}-{preset or config.optimizer}-{config.seed}")


def has_begun(folder: Path) -> bool:
    """Say whether a folder holds anything of a run that a new one would overwrite.

    Args:
        folder: The run's folder.

    Returns:
        Whether it has a checkpoint or a line of a log; settings alone, left by a start that failed, are
        nothing to lose.
    """
    log = folder / LOG
    return (log.is_file() and log.stat().st_size > 0) or any(folder.glob("checkpoint-*.pt"))


def steps_saved(folder: Path) -> int:
    """Say how many steps a run has done by its newest checkpoint.

    Args:
        folder: The run's folder.

    Returns:
        The number; 0 without a checkpoint.
    """
    numbers = [path.stem.partition("-")[2] for path in folder.glob("checkpoint-*.pt")]
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def open_run(folder: Path, config: TrainConfig, *, resume: bool) -> None:
    """Make a run's folder and store its settings, or check that they fit the run that is there.

    Args:
        folder: The run's folder.
        config: Resolved settings.
        resume: Whether the run in the folder shall be continued.

    Raises:
        ValueError: If the folder holds a run that has begun, or settings of something else, and `resume` is
            false; or if `resume` changes a setting that would make it another run, or asks for fewer steps
            than were done; or if the run's checkpoints are gone, or another process is at work on it.
        FileNotFoundError: If there is no run to continue.
        OSError: If the folder cannot be written.
    """
    stored = folder / CONFIG
    if resume:
        if not stored.is_file():
            raise FileNotFoundError(
                f"{folder} holds no run to resume (no {CONFIG}); leave out --resume to start one"
            )
        before = resolve(read_config(stored))
        for field in fields(TrainConfig):
            old, new = getattr(before, field.name), getattr(config, field.name)
            if old != new and field.name not in CHANGEABLE:
                raise ValueError(
                    f"the run in {folder} has {field.name} {old!r}, not {new!r}: a resumed run keeps it; "
                    "choose another --out for a new run"
                )
        for name, without in SPREAD.items():
            if (value := getattr(config, name)) != without and before.steps != config.steps:
                raise ValueError(
                    f"the run in {folder} spreads {name} {value!r} over its {before.steps} steps, so steps "
                    f"cannot become {config.steps}: leave out --steps, or choose another --out for a new run"
                )
        if (done := steps_saved(folder)) > (config.steps or 0):
            raise ValueError(
                f"the run in {folder} has done {done} steps, more than the {config.steps} asked for: give "
                "--steps of at least as many, or choose another --out for a new run"
            )
        if not any(folder.glob("checkpoint-*.pt")):
            check_not_lost(folder, before.checkpoint_every)
    elif has_begun(folder):
        raise ValueError(f"{folder} already holds a run: continue it with --resume, or choose another --out")
    elif stored.is_file():
        try:
            read_config(stored)
        except ValueError as error:
            raise ValueError(
                f"{folder} holds a {CONFIG} that is none of gamedyn's and would be overwritten ({error}): "
                "choose another --out"
            ) from error
    folder.mkdir(parents=True, exist_ok=True)
    with claimed(folder):
        write_atomically(stored, config_text(config).encode())
        if resume:
            set_log_aside(folder)


def check_not_lost(folder: Path, checkpoint_every: int) -> None:
    """Refuse to begin a run again that had checkpoints and has none any more.

    Args:
        folder: The run's folder, without checkpoints.
        checkpoint_every: Steps from one checkpoint to the next.

    Raises:
        ValueError: If its log goes beyond the step of the first checkpoint. Up to there the run may have been
            killed before that was written, and begins again to the same end.
    """
    logged = max((line["step"] for line in read_log(folder / LOG)), default=0)
    if logged > checkpoint_every:
        raise ValueError(
            f"the run in {folder} has logged {logged} steps, and its checkpoints are gone: put the newest "
            f"back, or delete {LOG} there to start again from step 0"
        )


def set_log_aside(folder: Path) -> None:
    """Keep the log of a run that begins again, for want of a checkpoint, under another name, and say so.

    Args:
        folder: The run's folder.
    """
    log = folder / LOG
    if has_begun(folder) and not any(folder.glob("checkpoint-*.pt")):
        log.replace(folder / OLD_LOG)
        warnings.warn(
            f"the run in {folder} has no checkpoint: it starts again from step 0, and its log is kept as "
            f"{OLD_LOG}",
            RuntimeWarning,
            stacklevel=3,
        )
