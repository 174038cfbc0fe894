"""`gamedyn train` and `gamedyn demo` as a user meets them."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path

import fake_cifar
import pytest
import torch

from gamedyn.cli import main
from gamedyn.gan.checkpoints import list_checkpoints, load_newest
from gamedyn.gan.config import TrainConfig, config_text, read_config, resolve
from gamedyn.gan.curvature.subbatch import count_of
from gamedyn.gan.data import cifar10 as cifar10_module
from gamedyn.gan.runlog import RunLog, read_log
from gamedyn.gan.steps import StepRecord
from gamedyn.gan.training import Trainer
from gamedyn.optimizers import DivergenceError

TINY = ["--dim", "4", "--latent", "4", "--batch-size", "16", "--steps", "4", "--log-every", "2"]


def train(*arguments: object) -> int:
    return main(["train", *map(str, arguments)])


@pytest.mark.parametrize("optimizer", ["simgd", "altgd", "cgd", "acgd", "adam"])
@pytest.mark.parametrize("dataset", ["digits", "ring"])
def test_every_optimizer_trains_by_name(
    dataset: str, optimizer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert train("--dataset", dataset, "--optimizer", optimizer, *TINY, "--out", out) == 0
    assert "done: step 4" in capsys.readouterr().out
    names = {path.name for path in out.iterdir()}
    assert names == {
        "config.json",
        "environment.json",
        "log.jsonl",
        "samples-00000004.png",
        "checkpoint-00000004.pt",
    }
    log = read_log(out / "log.jsonl")
    assert [line["step"] for line in log] == [2, 4]
    expected = {
        "step",
        "loss_generator",
        "loss_discriminator",
        "cg_iterations",
        "residual",
        "products",
        "skipped",
        "seconds",
        "cpu_seconds",
    }
    assert set(log[0]) == expected
    assert set(log[1]) == expected | (
        {"modes", "high_quality", "within_3_std"} if dataset == "ring" else set()
    )
    if optimizer in {"cgd", "acgd"}:
        assert log[0]["cg_iterations"] >= 1
        # Two products an iteration and one for the right-hand side.
        assert log[0]["products"] >= 2 * log[0]["cg_iterations"] + 1


def test_products_may_take_a_part_of_the_fakes_and_less_precision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    counts: list[int] = []
    asked: list[int] = []

    def counted(fraction: float, total: int, *, mixed: bool) -> int | None:
        counts.append(round(fraction * total))
        return count_of(fraction, total, mixed=mixed)

    monkeypatch.setattr("gamedyn.gan.closure.count_of", counted)
    monkeypatch.setattr("gamedyn.gan.objective.relaxed_dtype", lambda tensors: asked.append(1))
    flags = ["--dataset", "digits", *TINY, "--curvature-batch", "0.25", "--max-iter", "3"]
    flags += ["--precision", "relaxed"]
    assert train(*flags, "--out", tmp_path) == 0
    assert set(counts) == {4}
    assert len(asked) == len(counts) + 1  # and once, to say that it is none
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gamedyn: note: precision 'relaxed' changes nothing here")
    assert all(line["cg_iterations"] <= 3 for line in read_log(tmp_path / "log.jsonl"))
    assert read_config(tmp_path / "config.json").curvature_batch == 0.25


def test_products_may_be_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(graph: object, inputs: object) -> None:
        raise RuntimeError("no compiler")

    monkeypatch.setattr("gamedyn.gan.curvature.compiled.BACKEND", failing)
    assert train("--dataset", "ring", *TINY, "--compile", "--out", tmp_path) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gamedyn: note: products are not compiled: ")
    assert line.endswith("RuntimeError: no compiler")
    assert read_config(tmp_path / "config.json").compile
    assert train("--resume", "--out", tmp_path, "--no-compile") == 0
    assert not read_config(tmp_path / "config.json").compile


@pytest.mark.parametrize("write", [fake_cifar.write_pickles, fake_cifar.write_binaries, fake_cifar.write_npz])
def test_cifar10_trains_from_every_form(
    write: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "data")
    monkeypatch.setenv("GAMEDYN_DATA", str(tmp_path / "data"))
    assert train("--dataset", "cifar10", *TINY, "--out", tmp_path / "run") == 0


WRONG = {
    "unknown data set": (["--dataset", "mnist"], "mnist"),
    "unknown optimizer": (["--optimizer", "adma"], "adma"),
    "unknown loss": (["--loss", "hinges"], "hinges"),
    "unknown flag": (["--learning-rate", "1"], "--learning-rate"),
    "no number": (["--lr", "fast"], "--lr"),
    "not a number": (["--lr", "nan"], "lr must"),
    "negative rate": (["--max-lr", "-1"], "max_lr must"),
    "infinite tolerance": (["--rtol", "inf"], "rtol must"),
    "no fakes for products": (["--curvature-batch", "0"], "curvature_batch must"),
    "more than all fakes": (["--curvature-batch", "1.5"], "curvature_batch must"),
    "unknown precision": (["--precision", "half"], "half"),
    "no steps": (["--steps", "0"], "steps must"),
    "no batch": (["--batch-size", "0"], "batch_size must"),
    "batch larger than the set": (["--batch-size", "1499"], "1498"),
    "batch of one image": (["--batch-size", "1"], "batch_size must"),
    "rate beyond float32": (["--optimizer", "adam", "--lr", "1e39"], "lr must"),
    "networks beyond memory": (["--dim", str(10**9)], "out of memory"),
    "more samples than numbers": (["--batch-size", str(10**20)], "batch_size must be at most"),
    "noise longer than numbers": (["--latent", str(10**20)], "latent must be at most"),
    "more scored than numbers": (["--eval-samples", str(10**20)], "eval_samples must be at most"),
    "more threads than a process has": (["--threads", "99999999999"], "threads must be at most 4096"),
    "negative seed": (["--seed", "-1"], "seed must"),
    "no such device": (["--device", "abacus"], "abacus"),
    "a device that holds nothing": (["--device", "meta"], "cpu, cuda or mps"),
    "no such file": (["--config", "absent.json"], "absent.json"),
    "nothing to resume": (["--resume", "--out", "absent"], "absent"),
    "missing data": (["--dataset", "cifar10", "--data-root", "absent"], "absent"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_two_lines_and_exit_code_two(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable(root: Path) -> Path:
        raise OSError("no network")

    monkeypatch.setattr(cifar10_module, "download_cifar10", unreachable)
    monkeypatch.chdir(tmp_path)
    arguments, named = WRONG[case]
    assert train(*arguments) == 2
    error = capsys.readouterr().err
    assert named in error.splitlines()[0]
    assert len(error.splitlines()) <= 2
    assert "Traceback" not in error
    assert "tyro" not in error


WRONG_FILES = {
    "unknown key": ("c.json", '{"learning_rate": 1}', "learning_rate"),
    "text for a number": ("c.json", '{"steps": "many"}', "steps"),
    "a truth for a number": ("c.json", '{"lr": true}', "lr"),
    "a fraction of a step": ("c.json", '{"steps": 1.5}', "steps"),
    "unknown choice": ("c.toml", 'dataset = "mnist"', "dataset"),
    "a list for a choice": ("c.json", '{"dataset": ["ring"]}', "dataset"),
    "a number for a folder": ("c.json", '{"data_root": 3}', "data_root"),
    "broken json": ("c.json", '{"steps": ', "c.json"),
    "broken toml": ("c.toml", "steps = ", "c.toml"),
    "not a table": ("c.json", "[1]", "c.json"),
    "not text": ("c.json", b"\xff\xfe\x00", "c.json"),
    "another suffix": ("c.yaml", "steps: 1", "c.yaml"),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_a_wrong_file_is_one_line_naming_the_key(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, content, named = WRONG_FILES[case]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert train("--config", path, "--out", tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert named in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_settings_survive_the_file_and_flags_override_it(tmp_path: Path) -> None:
    assert train("--dataset", "ring", *TINY, "--lr", "0.003", "--out", tmp_path / "first") == 0
    stored = tmp_path / "first" / "config.json"
    assert read_config(stored) == resolve(read_config(stored))
    assert train("--config", stored, "--out", tmp_path / "second") == 0
    assert (tmp_path / "second" / "config.json").read_text() == stored.read_text()
    first, second = (load_newest(tmp_path / run) or {} for run in ("first", "second"))
    for name, value in first["generator"].items():
        assert torch.equal(value, second["generator"][name])

    toml = tmp_path / "c.toml"
    toml.write_text('dataset = "grid"\nsteps = 3\ndim = 4\nlatent = 4\nbatch_size = 8\nlr = 1e-3\n')
    assert train("--config", toml, "--steps", "2", "--out", tmp_path / "third") == 0
    third = read_config(tmp_path / "third" / "config.json")
    assert (third.dataset, third.steps, third.lr) == ("grid", 2, 1e-3)


def test_every_setting_has_a_flag_and_a_docstring(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--help"]) == 0
    shown = capsys.readouterr().out
    for field in fields(TrainConfig):
        assert f"--{field.name.replace('_', '-')}" in shown
    source = Path(sys.modules[TrainConfig.__module__].__file__ or "").read_text()
    assert source.count('    """', source.index("class TrainConfig")) >= len(fields(TrainConfig))
    assert json.loads(config_text(TrainConfig())) == asdict(TrainConfig())


def test_a_folder_with_a_run_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert train("--dataset", "ring", *TINY, "--out", out) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert train("--dataset", "ring", *TINY, "--out", out) == 2
    assert "--resume" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_run_that_never_began_leaves_its_folder_free(tmp_path: Path) -> None:
    assert train("--dim", 10**9, "--out", tmp_path) == 2
    assert (tmp_path / "config.json").exists()
    assert train("--dataset", "ring", *TINY, "--out", tmp_path) == 0
    (tmp_path / "log.jsonl").unlink()  # the checkpoints alone are a run too
    assert train("--dataset", "ring", *TINY, "--out", tmp_path) == 2


def test_resume_takes_the_stored_settings_and_may_go_further(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, whole = tmp_path / "run", tmp_path / "whole"
    assert train("--dataset", "ring", *TINY, "--out", out) == 0
    assert train("--resume", "--out", out, "--steps", "6") == 0
    assert train("--dataset", "ring", *TINY, "--steps", "6", "--out", whole) == 0
    states = [load_newest(folder) or {} for folder in (out, whole)]
    assert all(
        torch.equal(value, states[1]["generator"][name]) for name, value in states[0]["generator"].items()
    )
    assert [line["step"] for line in read_log(out / "log.jsonl")] == [2, 4, 6]
    capsys.readouterr()
    for flags in (["--lr", "0.1"], ["--dataset", "grid"], ["--seed", "5"]):
        assert train("--resume", "--out", out, *flags) == 2
        error = capsys.readouterr().err
        assert flags[0].strip("-") in error
        assert len(error.splitlines()) == 1
    assert train("--resume", "--config", out / "config.json", "--out", out) == 2


def test_a_damaged_newest_checkpoint_costs_only_its_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    flags = ["--dataset", "ring", *TINY, "--checkpoint-every", "2"]
    assert train(*flags, "--out", out) == 0
    newest = list_checkpoints(out)[-1]
    good = load_newest(out) or {}
    newest.write_bytes(newest.read_bytes()[:-5])
    assert train("--resume", "--out", out) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gamedyn: note: ")
    assert "damaged" in line
    again = load_newest(out) or {}
    assert again["step"] == good["step"] == 4
    assert all(torch.equal(value, again["generator"][name]) for name, value in good["generator"].items())


def test_divergence_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--dataset", "ring", "--optimizer", "simgd", "--loss", "wgan", "--lr", "1e37", "--steps", "200"]
    assert train(*flags, "--dim", "4", "--out", tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert "diverged" in error
    assert len(error.splitlines()) == 1


def diverging(monkeypatch: pytest.MonkeyPatch, *, after: int) -> None:
    whole = Trainer.one_step

    def step(trainer: Trainer) -> StepRecord:
        if trainer.step == after:
            raise DivergenceError("too many skipped steps")
        return whole(trainer)

    monkeypatch.setattr(Trainer, "one_step", step)


@pytest.mark.parametrize("after", [0, 2, 3])
@pytest.mark.parametrize("spread", [[], ["--lr-decay", "linear"], ["--instance-noise", "0.1"]])
def test_what_is_advised_after_a_divergence_works(
    after: int,
    spread: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags = ["--dataset", "ring", *TINY, "--checkpoint-every", "2", *spread]
    with monkeypatch.context() as patch:
        diverging(patch, after=after)
        assert train(*flags, "--out", tmp_path) == 2
    _, _, advice = capsys.readouterr().err.strip().partition("; ")
    if spread or not after:
        assert advice == "lower --lr"
        return
    assert advice == f"lower --lr, or end the run where it was: --resume --steps {after}"
    assert train("--resume", "--steps", after, "--out", tmp_path) == 0
    assert (load_newest(tmp_path) or {})["step"] == after


def test_a_run_is_not_resumed_for_fewer_steps_than_it_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train("--dataset", "ring", *TINY, "--out", tmp_path) == 0
    before = (tmp_path / "config.json").read_bytes()
    assert train("--resume", "--steps", "3", "--out", tmp_path) == 2
    assert "has done 4 steps, more than the 3 asked for" in capsys.readouterr().err
    assert (tmp_path / "config.json").read_bytes() == before


def test_a_last_loss_that_was_not_finite_is_reported_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert train("--dataset", "ring", "--optimizer", "simgd", *TINY, "--out", out) == 0
    assert "cg_iterations" not in capsys.readouterr().out  # it solves nothing
    *lines, last = read_log(out / "log.jsonl")
    with RunLog(out / "log.jsonl", step=lines[-1]["step"] if lines else 0) as log:
        log.write({**last, "loss_generator": math.nan})
    assert train("--out", out, "--resume") == 0
    assert "loss_generator not finite" in capsys.readouterr().out


def test_a_warning_is_one_line_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = ["--extractor", "gamedyn.gan.metrics.digits:digits", "--eval-every", "2", "--eval-samples", "20"]
    assert train("--dataset", "digits", "--optimizer", "adam", *TINY, *scores, "--out", tmp_path) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gamedyn: note: 20 samples and 1498 references for 64 features")


@pytest.mark.parametrize(("optimizer", "notes"), [("cgd", 1), ("simgd", 0), ("adam", 0)])
def test_a_game_that_fast_products_do_not_cover_is_noted_once(
    optimizer: str, notes: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--dataset", "digits", "--optimizer", optimizer, "--architecture", "conditional-resnet", *TINY]
    assert train(*flags, "--out", tmp_path) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == notes
    assert all("products cost more than they could: classes: a conditional game" in line for line in lines)


def launch(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gamedyn", "train", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def wait_for_checkpoint(folder: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not (folder.is_dir() and list_checkpoints(folder)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_and_says_how_to_resume(stop: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = launch(
        "--dataset", "ring", "--dim", 4, "--steps", 10**6, "--checkpoint-every", 50, "--out", out
    )
    wait_for_checkpoint(out, process)
    process.send_signal(stop)
    told, error = process.communicate(timeout=60)
    assert process.returncode == 0
    assert f"gamedyn train --out {out} --resume" in told
    assert "Traceback" not in error
    assert " and saved" in told
    step = int(told.split("stopped at step ")[1].split()[0])
    (out / "log.jsonl").write_text("")  # as it is before its first line
    assert train("--resume", "--out", out, "--steps", step) == 0
    assert (load_newest(out) or {})["step"] == step
    assert train("--resume", "--out", out, "--steps", step + 3) == 0
    assert (load_newest(out) or {})["step"] == step + 3


def test_a_killed_run_resumes_to_the_same_bits(tmp_path: Path) -> None:
    flags = ["--dataset", "digits", "--dim", 4, "--latent", 4, "--batch-size", 8, "--checkpoint-every", 1]
    out = tmp_path / "run"
    process = launch(*flags, "--steps", 10**6, "--out", out)
    wait_for_checkpoint(out, process)
    time.sleep(0.1)
    process.kill()
    process.communicate()
    step = (load_newest(out) or {})["step"] + 2
    assert train("--resume", "--out", out, "--steps", step) == 0
    assert train(*flags, "--steps", step, "--out", tmp_path / "whole") == 0
    ours, whole = (load_newest(folder) or {} for folder in (out, tmp_path / "whole"))
    for part in ("generator", "discriminator"):
        assert all(torch.equal(value, whole[part][name]) for name, value in ours[part].items())
    assert torch.equal(ours["noise"], whole["noise"])
    assert [line["step"] for line in read_log(out / "log.jsonl")] == [
        line["step"] for line in read_log(tmp_path / "whole" / "log.jsonl")
    ]


def test_two_processes_do_not_write_one_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    process = launch("--dataset", "ring", "--dim", 4, "--steps", 10**6, "--checkpoint-every", 5, "--out", out)
    wait_for_checkpoint(out, process)
    settings = (out / "config.json").read_bytes()
    assert train("--resume", "--out", out, "--steps", 10**7) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"another process is at work on the run in {out}" in line
    assert (out / "config.json").read_bytes() == settings
    process.kill()
    process.communicate()
    step = (load_newest(out) or {})["step"] + 1
    assert train("--resume", "--out", out, "--steps", step) == 0  # a killed run claims nothing


@pytest.mark.parametrize(
    ("every", "code", "words"),
    [
        ("2", 2, "its checkpoints are gone: put the newest back, or delete log.jsonl"),
        ("50", 0, "from step 0"),
    ],
)
def test_a_run_without_its_checkpoints_does_not_begin_again_in_silence(
    every: str, code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert train("--dataset", "ring", *TINY, "--out", out, "--checkpoint-every", every) == 0
    log = (out / "log.jsonl").read_text()
    for path in list_checkpoints(out):
        path.unlink()
    capsys.readouterr()
    assert train("--resume", "--out", out) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert str(out) in line
    assert words in line
    kept = out / (
        "log.jsonl" if code else "log-before.jsonl"
    )  # up to its first checkpoint it may not have had any
    assert kept.read_text() == log


def test_the_demo_runs_twice_into_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GAMEDYN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for _ in range(2):
        assert main(["demo", "--quick", "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    assert "scikit-learn's digits" in told
    summary = told.rstrip().splitlines()[-4:]
    assert summary[0] == "Summary:"
    assert all("nan" not in line for line in summary)
    for name in ("gan.png", "icr/stability.png", "icr/bilinear.png", "icr/two_panels.png"):
        assert (tmp_path / "out" / name).stat().st_size > 10_000
        assert f"  {tmp_path / 'out' / name}" in told


def test_the_demo_takes_cifar10_where_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake_cifar.write_pickles(tmp_path / "data")
    assert (
        main(["demo", "--quick", "--out", str(tmp_path / "out"), "--data-root", str(tmp_path / "data")]) == 0
    )
    assert "cifar10" in capsys.readouterr().out


def test_the_demo_falls_back_to_digits_and_refuses_nonsense(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out")
    assert main(["demo", "--quick", "--out", out, "--data-root", str(tmp_path / "absent")]) == 0
    assert f"No CIFAR-10 in {tmp_path / 'absent'}" in capsys.readouterr().out
    assert main(["demo", "--minutes", "0"]) == 2
    assert "--minutes" in capsys.readouterr().err
    assert main(["demo", "--steps", "0", "--quick", "--out", str(tmp_path)]) == 2
    assert "steps must" in capsys.readouterr().err
