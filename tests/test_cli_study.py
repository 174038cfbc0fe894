"""`gamedyn study` from the command line: what is missing, a whole small study, mistakes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gamedyn.cli import main
from gamedyn.gan.checkpoints import load_newest
from gamedyn.gan.runlog import read_log
from gamedyn.gan.studies import STUDIES
from gamedyn.gan.studies.study import settings_of
from gamedyn.gan.studies.sweep import append, read_rows
from gamedyn.gan.studies.tables import grid


def test_the_list_names_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study", "digits-long", "--list", "--out", str(tmp_path / "none")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "acgd-wgan-lr0.0001-seed0-steps25000"
    assert lines[-1].startswith("28 of 28 runs missing in ")
    assert lines[-1].endswith(": 16 now, 12 once these have chosen their learning rates")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("flag", ["--list", "--draw"])
@pytest.mark.parametrize("line", ["{}", "[1]", "3", '{"score": 1}'])
def test_a_line_that_is_no_run_is_named(
    line: str, flag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.jsonl").write_text(line + "\n")
    assert main(["study", "digits-long", flag, "--out", str(tmp_path)]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert f"{tmp_path / 'rows.jsonl'} holds {line!r}" in said


def test_the_grid_says_how_many_rates_end_well() -> None:
    own = STUDIES["digits-long"]("smoke", "x:y")
    scores = {"ACGD, WGAN": (4.0, 5.0, 7.0, 9.0), "Adam, WGAN": (None, 90.0, 8.0, None)}
    rows = [
        {"run": job.key, "failure": "" if score else "step 3: diverged", "curve": [{"score": score}]}
        for method in own.methods
        for job, score in zip(own.pilots(method), scores.get(method.name, ()), strict=False)
    ]
    lines = grid(own, rows).splitlines()
    assert lines[2] == "| method | 0.0001 | 0.0002 | 0.0005 | 0.001 | within twice the best |"
    assert lines[4] == "| ACGD, WGAN | 4 | 5 | 7 | 9 | 3 of 4 |"
    assert lines[5] == "| Adam, WGAN | failed | 90 | 8 | failed | 1 of 4 |"
    assert lines[6] == "| ACGD, minimax |  |  |  |  | 0 of 0 |"


def test_the_grid_is_printed_before_any_reported_run_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = STUDIES["digits-long"]("laptop", "x:y").jobs()[0]
    settings = settings_of(first.config)
    row = {"run": first.key, "settings": settings, "failure": "", "curve": [{"score": 4.0}]}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n")
    assert main(["study", "digits-long", "--draw", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert f"| {first.method} | 4 |  |  |  | 1 of 1 |" in said
    assert "nothing to draw" in said


def test_the_finished_runs_of_the_documentation_count_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(__file__).parents[1] / "docs" / "studies" / "digits-long"
    assert main(["study", "digits-long", "--list", "--out", str(folder)]) == 0
    assert "-seed0-" not in capsys.readouterr().out  # the pilots', of before the newest settings


@pytest.mark.parametrize(
    ("scores", "flags", "problem"),
    [
        (("FD (cifarnet)", "FID"), (), "was scored by FID, others of cifar10-short by FD (cifarnet)"),
        (("FID", "", "FID"), (), None),
        (("FD (cifarnet)",), ("--extractor", "torch.nn:Flatten"), "others of cifar10-short by FD (torch.nn"),
    ],
)
def test_scores_of_two_extractors_are_never_compared(
    scores: tuple[str, ...],
    flags: tuple[str, ...],
    problem: str | None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    jobs = STUDIES["cifar10-short"]("laptop", "x:y").jobs()
    for job, score in zip(jobs, scores, strict=False):
        row = {"run": job.key, "settings": settings_of(job.config), "score": score, "curve": []}
        append(tmp_path / "rows.jsonl", row)
    arguments = ["study", "cifar10-short", "--draw", *flags, "--out", str(tmp_path)]
    assert main(arguments) == (0 if problem is None else 2)
    assert (problem or "") in capsys.readouterr().err


def test_listing_and_drawing_need_no_extractor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for flag, said in (("--list", "42 of 42 runs missing in "), ("--draw", "nothing to draw")):
        assert main(["study", "cifar10-short", flag, "--out", str(tmp_path)]) == 0
        assert said in capsys.readouterr().out


def test_a_small_study_runs_once_and_is_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["study", "wgan-gp-cifar10", "--scale", "smoke", "--seeds", "1", "--out", str(tmp_path)]
    assert main(arguments) == 0
    rows = read_rows(tmp_path / "rows.jsonl")
    assert [row["method"] for row in rows] == [
        *("WGAN, clipping, RMSProp", "WGAN-GP, RMSProp", "WGAN-GP, Adam", "DCGAN, Adam")
    ]
    assert [point["step"] for point in rows[0]["curve"]] == [2, 4]
    assert all(point["score"] > 0 for row in rows for point in row["curve"])
    assert "| WGAN-GP, Adam | 0.0001 | 1 (0) | 4 |" in capsys.readouterr().out
    assert (tmp_path / "wgan-gp-cifar10.png").stat().st_size > 10_000
    assert (tmp_path / "wgan-gp-cifar10-samples.png").stat().st_size > 10_000
    before = (tmp_path / "rows.jsonl").read_bytes()
    assert main([*arguments, "--draw"]) == 0
    assert (tmp_path / "rows.jsonl").read_bytes() == before

    shutil.rmtree(tmp_path / "runs" / rows[0]["run"])  # as where another machine did this run
    capsys.readouterr()
    assert main([*arguments, "--draw"]) == 0
    assert "samples: none, since " in capsys.readouterr().out


def test_a_killed_study_takes_its_runs_along_and_they_save(tmp_path: Path) -> None:
    flags = ["--scale", "smoke", "--seeds", "1", "--steps", "1000000", "--out", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "gamedyn", "study", "wgan-gp-cifar10", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        wait_for(lambda: any(read_log(log) for log in tmp_path.glob("runs/*/log.jsonl")))
    finally:
        process.kill()
    process.communicate(timeout=120)  # it ends once the processes of the runs have ended, too
    (run,) = tmp_path.glob("runs/*")
    assert (load_newest(run) or {}).get("step") == read_log(run / "log.jsonl")[-1]["step"]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["cifar10-short"], "--extractor is needed"),
        (["digits-long", "--shard", "3/2"], "shard must be i/n"),
        (["digits-long", "--shard", "half"], "--shard must be i/n"),
        (["digits-long", "--list", "--shard", "1/3"], "--shard 1/3 is for runs and --list does none"),
        (["digits-long", "--draw", "--processes", "2"], "--processes 2 is for runs and --draw does none"),
        (["digits-long", "--list", "--draw"], "--list and --draw"),
        (["digits-long", "--draw", "--costs"], "--draw and --costs ask for different things"),
        (["digits-long", "--costs", "--processes", "2"], "--processes 2 is for runs and --costs does none"),
        (["digits-long", "--costs", "--shard", "1/3"], "--shard 1/3 is for runs and --costs does none"),
        (["digits-long", "--costs", "--device", "abacus"], "abacus"),
        (["digits-long", "--steps", "0"], "--steps must be at least 1, got 0"),
        (["digits-long", "--seeds", "0", "1"], "seed 0 chooses"),
        (["digits-long", "--seeds", "3", "4", "3"], "--seeds must differ, got 3 4 3"),
        (
            ["digits-long", "--seeds", "1", "-1"],
            "--seeds must be whole numbers from 0 to 2**32 - 1, got 1 -1",
        ),
        (["digits-long", "--seeds", "4294967296"], "2**32 - 1, got 4294967296"),
    ],
)
def test_mistakes_cost_one_line(
    arguments: list[str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", *arguments, "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert len(error.splitlines()) == 1
