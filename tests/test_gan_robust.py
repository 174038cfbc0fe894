"""Runs under fire: kills, full disks, damaged and hostile files, contradictory settings."""

from __future__ import annotations

import errno
import hashlib
import importlib
import io
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from test_gan_checkpoints import Executes, largest_file
from test_gan_config import CONTRADICTIONS
from test_gan_training import same, untimed

from gamedyn.cli import main
from gamedyn.gan.checkpoints import MAGIC, list_checkpoints, load_newest, read_checkpoint, write_checkpoint
from gamedyn.gan.runlog import read_log

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
TINY = ["--dataset", "digits", "--dim", 3, "--latent", 3, "--batch-size", 4, "--max-iter", 3, "--ema", 0.9]
OFTEN = ["--steps", 5, "--log-every", 1, "--checkpoint-every", 1, "--sample-every", 1000]


def train(*arguments: object) -> int:
    return main(["train", *map(str, arguments)])


def ending(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return untimed(load_newest(folder) or {}), [untimed(line) for line in read_log(folder / "log.jsonl")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was left alone."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert train(*TINY, *OFTEN, "--out", folder) == 0
    return folder


@pytest.fixture
def kills(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script that kills runs."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("kills")


def test_kill_at_any_instant_tears_nothing_and_changes_nothing(kills: ModuleType, tmp_path: Path) -> None:
    tally = kills.kill_runs(4, tmp_path, seed=1)
    assert tally.kills == 4
    assert tally.runs >= 1
    assert (tally.torn, tally.differing) == (0, 0)


def test_the_comparison_of_endings_can_fail(kills: ModuleType) -> None:
    same_bits = kills.same
    one = {"a": [torch.zeros(2), 1], "b": {"c": "x"}}
    assert same_bits(one, {"a": [torch.zeros(2), 1], "b": {"c": "x"}})
    for other in (
        {"a": [torch.ones(2), 1], "b": {"c": "x"}},
        {"a": [torch.zeros(2), 2], "b": {"c": "x"}},
        {"a": [torch.zeros(2), 1], "b": {"c": "y"}},
        {"a": [torch.zeros(2)], "b": {"c": "x"}},
        {"a": [torch.zeros(2), 1]},
    ):
        assert not same_bits(one, other)


def failing(call: Callable[..., Any], at: int, code: int) -> Callable[..., Any]:
    """Make a system call fail once, the `at`-th time."""
    calls = 0

    def counted(*arguments: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            raise OSError(code, os.strerror(code))
        return call(*arguments, **more)

    return counted


@pytest.mark.parametrize(
    ("name", "code"), [("fsync", errno.ENOSPC), ("fsync", errno.EIO), ("replace", errno.EACCES)]
)
@pytest.mark.parametrize("at", [2, 5, 9])
def test_a_full_disk_costs_steps_and_nothing_else(
    name: str,
    code: int,
    at: int,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(os, name, failing(getattr(os, name), at, code))
        ended = train(*TINY, *OFTEN, "--out", out)
    error = capsys.readouterr().err
    if ended:  # the fewest calls of `replace` leave the ninth uncalled
        assert ended == 2
        assert os.strerror(code) in error
        assert len(error.splitlines()) == 1
    for checkpoint in list_checkpoints(out):
        assert read_checkpoint(checkpoint)
    assert not list(out.glob(".*"))
    assert (
        train("--resume" if (out / "config.json").exists() else "--seed=0", *TINY, *OFTEN, "--out", out) == 0
    )
    assert same(ending(out), ending(whole))


def test_a_file_that_may_not_grow_ends_the_run_in_one_line(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert train(*TINY, *OFTEN, "--steps", 2, "--out", out) == 0
    with largest_file(20_000):
        assert train("--resume", "--out", out, "--steps", 5) == 2
    assert os.strerror(errno.EFBIG) in capsys.readouterr().err
    assert [path.name for path in list_checkpoints(out)] == [
        "checkpoint-00000001.pt",
        "checkpoint-00000002.pt",
    ]
    assert not list(out.glob(".*"))
    assert train("--resume", "--out", out, "--steps", 5) == 0
    ours, theirs = ending(out), ending(whole)
    assert same(ours, theirs)


def test_a_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert train(*TINY, *OFTEN, "--out", tmp_path / "file" / "run") == 2
    error = capsys.readouterr().err
    assert str(tmp_path / "file") in error
    assert len(error.splitlines()) == 1


def test_240_corruptions_of_a_runs_newest_checkpoint_are_detected(whole: Path, tmp_path: Path) -> None:
    older, newest = (path.read_bytes() for path in list_checkpoints(whole))
    (tmp_path / "checkpoint-00000004.pt").write_bytes(older)
    victim = tmp_path / "checkpoint-00000005.pt"
    draw = random.Random(0)
    detected = 0
    for number in range(240):
        damaged = bytearray(newest)
        if number % 4:
            bit = draw.randrange(8 * len(newest))
            damaged[bit // 8] ^= 1 << bit % 8
        else:
            del damaged[draw.randrange(len(newest)) :]
        victim.write_bytes(damaged)
        with pytest.warns(RuntimeWarning, match=r"checkpoint-00000005\.pt"):
            state = load_newest(tmp_path)
        detected += state is not None and state["step"] == 4
    assert detected == 240


def test_a_hostile_checkpoint_does_not_run_when_a_run_is_resumed(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "run"
    out.mkdir()
    (out / "config.json").write_bytes((whole / "config.json").read_bytes())
    buffer = io.BytesIO()
    torch.save({"step": Executes()}, buffer)
    payload = buffer.getvalue()
    hostile = MAGIC + hashlib.sha256(payload).digest() + payload
    (out / "checkpoint-00000002.pt").write_bytes(hostile)
    assert train("--resume", "--out", out) == 2
    note, error = capsys.readouterr().err.splitlines()
    assert "checkpoint-00000002.pt holds more than tensors and numbers, maybe code: refused" in note
    assert "every checkpoint" in error
    (out / "checkpoint-00000001.pt").write_bytes(list_checkpoints(whole)[0].read_bytes())
    assert train("--resume", "--out", out) == 0  # the one before it is whole
    assert "refused" in capsys.readouterr().err
    assert not Path("executed").exists()


WRONG_STATES: dict[str, Callable[[dict[str, Any]], object]] = {
    "nothing": lambda state: {},
    "no discriminator": lambda state: {key: state[key] for key in state if key != "discriminator"},
    "another average": lambda state: {**state, "ema": None},
    "other weights": lambda state: {**state, "generator": state["discriminator"]},
    "another optimizer": lambda state: {**state, "stepper": {"generator": {}, "discriminator": {}}},
    "another data set": lambda state: {
        **state,
        "source": {**state["source"], "permutation": torch.arange(3)},
    },
    "no random numbers": lambda state: {**state, "noise": torch.zeros(3, dtype=torch.uint8)},
    "a list": lambda state: [1, 2],
}


@pytest.mark.parametrize("case", WRONG_STATES)
def test_a_checkpoint_of_another_run_is_one_line(
    case: str, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_bytes((whole / "config.json").read_bytes())
    state: Any = WRONG_STATES[case](load_newest(whole) or {})
    write_checkpoint(tmp_path / "checkpoint-00000005.pt", state)
    assert train("--resume", "--out", tmp_path) == 2
    error = capsys.readouterr().err
    assert error.startswith("gamedyn: error: ")
    assert str(tmp_path) in error or "samples" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("line", ["{}", "3", '{"step": "one"}', '{"step": 1', '{"step": "\xff"}'])
def test_a_damaged_log_is_named_with_its_line(
    line: str, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in whole.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    log = tmp_path / "log.jsonl"
    log.write_bytes(line.encode("latin-1") + b"\n" + log.read_bytes())
    assert train("--resume", "--out", tmp_path) == 2
    error = capsys.readouterr().err
    assert "log.jsonl is damaged at line 1" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_a_contradiction_on_the_command_line_is_one_line(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, named = CONTRADICTIONS[case]
    (tmp_path / "c.json").write_text(json.dumps(settings))
    # An extractor is code, which a file alone may not name.
    allowed = ["--extractor", settings["extractor"]] if "extractor" in settings else []
    assert train("--config", tmp_path / "c.json", *allowed, "--out", tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert all(words in error for words in named)
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "run").exists()
