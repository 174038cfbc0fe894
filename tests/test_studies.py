"""Studies: which runs they need, how rates are chosen, what survives a crash, what the table says."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from gamedyn.gan.interrupts import deferred_interrupts
from gamedyn.gan.studies import STUDIES, Method, Study
from gamedyn.gan.studies.figures import band, mean_at, summary
from gamedyn.gan.studies.rows import check_rows
from gamedyn.gan.studies.study import Job, level, settings_of
from gamedyn.gan.studies.sweep import append, finished_row, read_rows, sweep
from gamedyn.plotting.studies import Curve, score_curves

SMALL: dict[str, Any] = {"dataset": "digits", "dim": 4, "latent": 4, "batch_size": 4}


def study(**changes: Any) -> Study:
    """Two methods, two rates, two seeds."""
    methods = [Method("ACGD", {"optimizer": "acgd"}), Method("Adam", {"optimizer": "adam"}, 6)]
    given = {"shared": SMALL, "methods": methods, "steps": 4, "seeds": (1, 2), "rates": (1e-3, 1e-2)}
    return Study(**{"name": "s", "title": "t", "claim": "c", "pilot_steps": 2, **given, **changes})


def row(job: Job, *scores: float | None, failure: str = "", pace: float = 1.0) -> dict[str, Any]:
    """A finished run with scores at 10, 20, ... steps."""
    curve = [{"step": 10 * i, "seconds": 10 * i * pace, "score": s} for i, s in enumerate(scores, 1)]
    return {
        "run": job.key,
        "method": job.method,
        "pilot": job.pilot,
        "curve": curve,
        "failure": failure,
        "score": "FD (x)",
        "settings": {"lr": job.config.lr, "steps": job.config.steps},
        "skipped": 0,
    }


def test_reported_runs_wait_for_their_learning_rate() -> None:
    own = study()
    pilots = own.jobs()
    assert [job.pilot for job in pilots] == [True] * 4
    assert {job.config.seed for job in pilots} == {0}
    assert {job.config.steps for job in pilots} == {2}
    rows = [row(pilots[0], 9.0), row(pilots[1], 5.0)]  # ACGD's: the second rate is better
    assert own.rate(own.methods[0], rows) == 1e-2
    assert own.rate(own.methods[1], rows) is None
    reported = [job for job in own.jobs(rows) if not job.pilot]
    assert [(job.method, job.config.lr, job.config.seed, job.config.steps) for job in reported] == [
        ("ACGD", 1e-2, 1, 4),
        ("ACGD", 1e-2, 2, 4),
    ]
    rows += [row(pilots[2], 3.0), row(pilots[3], 4.0)]
    assert [job.config.steps for job in own.jobs(rows) if job.method == "Adam" and not job.pilot] == [6, 6]
    assert len(own.missing(rows)) == 4


def test_a_failed_pilot_is_never_chosen() -> None:
    own = study()
    pilots = own.jobs()[:2]
    assert own.rate(own.methods[0], [row(pilots[0], 9.0), row(pilots[1], 1.0, failure="step 7")]) == 1e-3
    assert own.rate(own.methods[0], [row(pilots[0], 9.0), row(pilots[1], 1.0, None)]) == 1e-3


def test_without_rates_everything_is_reported_at_once() -> None:
    jobs = study(rates=(), methods=[Method("ACGD", {"optimizer": "acgd", "lr": 0.5})]).jobs()
    assert [(job.config.lr, job.config.seed) for job in jobs] == [(0.5, 1), (0.5, 2)]


def test_the_seed_that_chooses_is_not_reported() -> None:
    with pytest.raises(ValueError, match="seed 0 chooses"):
        study(seeds=(0, 1))


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("scale", ["smoke", "laptop", "paper"])
def test_every_study_names_different_runs(name: str, scale: Any) -> None:
    keys = [job.key for job in STUDIES[name](scale, "package:features").jobs()]
    assert len(keys) == len(set(keys)) >= 12


def test_runs_are_judged_by_the_mean_of_their_last_third() -> None:
    job = study().jobs()[0]
    assert level(row(job, 9.0, 9.0, 9.0, 9.0, 2.0, 4.0)) == 3.0
    assert level(row(job)) == math.inf


def train_badly(job: Job, folder: Path) -> str:
    """Stands for a run: writes the log of one, or fails."""
    folder.mkdir(parents=True)
    rate = float(job.config.lr or 0.0)
    lines: list[dict[str, object]] = []
    for step in (1, 2):
        lines.append({"step": step, "cpu_seconds": step / 2, "skipped": 0})
        lines.append({"step": step, "eval_samples": 9, "FD (x)": 100 * rate + step})
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return "step 2: diverged" if rate == 1e-2 and job.config.optimizer == "adam" else ""


def test_a_sweep_does_every_run_once_and_pilots_first(tmp_path: Path) -> None:
    own = study()
    rows = sweep(own, tmp_path, train_badly, processes=2)
    assert len(rows) == 8
    assert own.missing(rows) == []
    assert rows[0]["pilot"]
    assert {found["settings"]["lr"] for found in rows if not found["pilot"]} == {1e-3}
    assert [found["failure"] for found in rows].count("step 2: diverged") == 1
    first = next(found for found in rows if found["run"] == own.jobs()[0].key)
    assert first["curve"][0] == {"step": 1, "seconds": 0.5, "score": 1.1}
    # nothing is left to do, so nothing is done: the folders would be in the way
    assert sweep(own, tmp_path, train_badly) == rows


@pytest.mark.parametrize("later", [{"batch_size": 8}, {"gp": 10.0, "loss": "wgan"}])
def test_a_row_of_other_settings_is_refused_and_not_counted(later: dict[str, Any], tmp_path: Path) -> None:
    sweep(study(), tmp_path, train_badly)
    other = study(shared={**SMALL, **later})
    said = r"acgd-lr0.001-seed0-steps2 has (batch_size 4, .* 8|gp 0.0, .* 10.0): choose another --out"
    with pytest.raises(ValueError, match=said):
        sweep(other, tmp_path, train_badly)
    check_rows(
        study(name="of other methods", methods=[Method("SGD", {"optimizer": "sgd"})]),
        read_rows(tmp_path / "rows.jsonl"),
    )


def test_a_setting_that_came_later_counts_as_its_default() -> None:
    own = study()
    for job in own.jobs():
        settings = settings_of(job.config)
        for name in ("generator_batches", "max_iter", "precision"):
            del settings[name]
        check_rows(own, [{"run": job.key, "settings": settings}])
    assert settings["lr"] == 1e-2
    two = study(methods=[Method("Adam", {"optimizer": "adam", "generator_batches": 2})])
    with pytest.raises(ValueError, match="has generator_batches None, the study's run of that name 2"):
        check_rows(two, [{"run": two.jobs()[1].key, "settings": settings}])


def test_shards_share_the_work(tmp_path: Path) -> None:
    own = study(rates=())
    first = sweep(own, tmp_path, train_badly, shard=(1, 2))
    both = sweep(own, tmp_path, train_badly, shard=(2, 2))
    assert 0 < len(first) < len(both) == 4


@pytest.mark.parametrize("shard", [(0, 2), (3, 2)])
def test_a_shard_that_does_not_exist_is_named(shard: tuple[int, int], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shard must be i/n"):
        sweep(study(), tmp_path, train_badly, shard=shard)


def test_a_torn_line_costs_its_run_only(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    append(path, {"run": "a"})
    with path.open("a") as file:
        file.write('{"run": "b", "cur')
    append(path, {"run": "c"})
    assert [found["run"] for found in read_rows(path)] == ["a", "c"]


def test_the_summary_compares_at_equal_steps_and_equal_time() -> None:
    own = study(rates=())
    jobs = {(job.method, job.config.seed): job for job in own.jobs()}
    rows = [
        row(jobs["ACGD", 1], 8.0, 6.0, 4.0, pace=2.0),
        row(jobs["ACGD", 2], 10.0, 8.0, 6.0, pace=2.0),
        row(jobs["Adam", 1], 20.0, 10.0),
        row(jobs["Adam", 2], 30.0, None),
    ]
    acgd, adam = summary(own, rows)
    assert (acgd.mean, acgd.deviation, acgd.seeds, acgd.failed) == (5.0, pytest.approx(2**0.5), 2, 0)
    assert (acgd.at_equal_steps, acgd.at_equal_time, acgd.seconds) == (7.0, 9.0, 2.0)
    assert (adam.mean, adam.deviation, adam.failed, adam.at_equal_steps) == (10.0, None, 1, 10.0)


def test_a_run_that_failed_early_shortens_no_comparison() -> None:
    own = study(rates=())
    jobs = {(job.method, job.config.seed): job for job in own.jobs()}
    rows = [
        row(jobs["ACGD", 1], 8.0, 6.0, 4.0),
        row(jobs["ACGD", 2], 9.0, failure="step 12: diverged"),
        row(jobs["Adam", 1], 20.0, 10.0, 8.0),
        row(jobs["Adam", 2], 22.0, 12.0, 10.0),
    ]
    acgd, adam = summary(own, rows)
    assert (acgd.seeds, acgd.failed, acgd.at_equal_steps, acgd.at_equal_time) == (2, 1, 4.0, 4.0)
    assert (adam.at_equal_steps, adam.at_equal_time) == (9.0, 9.0)


def test_samples_that_could_not_be_scored_count_as_an_unknown_score(tmp_path: Path) -> None:
    lines: list[dict[str, object]] = [
        {"step": 1, "cpu_seconds": 0.5, "skipped": 0},
        {"step": 1, "samples": 9, "FD (x)": 4.0},
        {"step": 2, "cpu_seconds": 1.0, "skipped": 0},
        {"step": 2, "samples": 9, "failure": "a sample is NaN or infinite: no scores"},
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    own = study()
    found = finished_row(own, own.jobs()[0], tmp_path, "")
    assert (found["score"], [point["score"] for point in found["curve"]]) == ("FD (x)", [4.0, None])
    assert level(found) == math.inf


@pytest.mark.parametrize(("device", "seconds"), [("cpu", 0.5), ("cuda:1", 7.0), (None, 0.5)])
def test_time_is_the_processors_or_on_an_accelerator_the_clocks(
    device: str | None, seconds: float, tmp_path: Path
) -> None:
    lines = [
        {"step": 1, "seconds": 7.0, "cpu_seconds": 0.5, "skipped": 0},
        {"step": 1, "samples": 9, "FD (x)": 4.0},
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if device:
        (tmp_path / "config.json").write_text(json.dumps({"device": device}))
    own = study()
    found = finished_row(own, own.jobs()[0], tmp_path, "")
    assert "accelerator" not in found, "no start recorded one"
    (tmp_path / "environment.json").write_text(json.dumps([{"device": "old"}, {"device": "a GPU"}]))
    found = finished_row(own, own.jobs()[0], tmp_path, "")
    assert found.get("accelerator") == ("a GPU" if device == "cuda:1" else None)
    assert (found["device"], found["curve"][0]["seconds"]) == (device or "cpu", seconds)


def test_bands_span_the_seeds() -> None:
    runs = [{"curve": [{"step": 1, "score": a}, {"step": 2, "score": 1.0}]} for a in (2.0, 4.0)]
    places, mean, least, most = band(runs, "step")
    assert (places.tolist(), mean.tolist()) == ([1.0, 2.0], [3.0, 1.0])
    assert (least.tolist(), most.tolist()) == ([2.0, 1.0], [4.0, 1.0])
    assert mean_at(runs, "step", 1.5) == 2.0


@pytest.mark.parametrize(("longest", "unit", "last"), [(0.2, "seconds", 12.0), (200.0, "minutes", 200.0)])
def test_curves_show_every_method_twice(longest: float, unit: str, last: float) -> None:
    curves = [
        Curve(name, ([1, 2], [0.1, longest]), [9, 5], [8, 4], [10, 6], name == "Adam")
        for name in ("ACGD", "Adam")
    ]
    figure = score_curves(curves, title="t", score="FD (x)", caption="c")
    left, right = figure.axes
    assert [line.get_label() for line in left.lines] == ["ACGD", "Adam"]
    assert [line.get_linestyle() for line in right.lines] == ["-", "--"]
    assert left.get_ylabel() == "FD (x), lower is better"
    assert right.get_xlabel() == f"{unit} of processor time in steps"
    assert right.lines[0].get_xdata()[-1] == pytest.approx(last)


def run_until_told(job: Job, folder: Path) -> str:
    """Stands for a long run: says that it has begun, and what it did when it was told to stop."""
    with deferred_interrupts() as interruption:
        folder.mkdir(parents=True)
        deadline = time.monotonic() + 60.0
        while not interruption.requested and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)  # saving takes a while; to be told again meanwhile changes nothing
        (folder / "saved").touch()
    raise KeyboardInterrupt


def run_beside_an_idle_process(job: Job, folder: Path) -> str:
    """Stands for the last run of a study, once another process has nothing more to do."""
    return run_until_told(job, folder) if job.config.lr == 1e-2 else "ended early"


SWEEP = """
import sys; sys.path[:0] = {path!r}
from pathlib import Path
import test_studies
from gamedyn.gan.studies.sweep import sweep
if __name__ == "__main__":
    try:
        sweep(test_studies.study({changes}), Path({folder!r}), test_studies.{run}, processes=2)
    except KeyboardInterrupt:
        sys.exit(7)
"""


def begin_sweep(folder: Path, run: str, changes: str = "") -> subprocess.Popen[bytes]:
    script = folder / "script.py"
    path = [str(Path(__file__).parent), *sys.path]
    script.write_text(SWEEP.format(path=path, folder=str(folder / "study"), run=run, changes=changes))
    return subprocess.Popen([sys.executable, str(script)])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_sweep_lets_its_runs_save(number: int, tmp_path: Path) -> None:
    process = begin_sweep(tmp_path, "run_until_told")
    deadline = time.monotonic() + 120.0
    while len(list(tmp_path.glob("study/runs/*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(timeout=60) == 7
    assert len(list(tmp_path.glob("study/runs/*/saved"))) == 2
    assert not (tmp_path / "study" / "rows.jsonl").exists()


def test_a_stopped_sweep_lets_its_last_run_save_beside_an_idle_process(tmp_path: Path) -> None:
    """The idle process dies of the signal, and the pool, now broken, tells the run a second time."""
    methods = "methods=[test_studies.Method('ACGD', {'optimizer': 'acgd'})]"
    process = begin_sweep(tmp_path, "run_beside_an_idle_process", methods)
    deadline = time.monotonic() + 120.0
    wanted = ("study/rows.jsonl", "study/runs/*")
    while not all(list(tmp_path.glob(name)) for name in wanted) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 7
    assert len(list(tmp_path.glob("study/runs/*/saved"))) == 1


def run_beside_a_kill(job: Job, folder: Path) -> str:
    """Stands for two runs at a time, one of which the machine kills."""
    if (job.method, job.config.lr) == ("ACGD", 1e-3):
        while not list(folder.parent.glob("*/begun")):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGKILL)
    return run_until_told(job, folder / "begun")


def test_a_killed_run_is_said_in_a_sentence_and_the_others_save(tmp_path: Path) -> None:
    with pytest.raises(ChildProcessError, match="killed, perhaps for want of memory: try fewer --processes"):
        sweep(study(), tmp_path, run_beside_a_kill, processes=2)
    assert len(list(tmp_path.glob("runs/*/begun/saved"))) == 1
    assert not (tmp_path / "rows.jsonl").exists()
