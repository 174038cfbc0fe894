"""Costs of a study's steps: measured alone, and taken for the times of tables and pictures."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from test_studies import row, study

from gamedyn.cli import main
from gamedyn.cli.steppers import make_stepper
from gamedyn.cli.study import RunJob
from gamedyn.gan.checkpoints import save_step
from gamedyn.gan.data import cifar10
from gamedyn.gan.studies import STUDIES, Method, Study, measuring
from gamedyn.gan.studies.costs import Costs, StepCost, jobs_to_time, other_rates, read_costs
from gamedyn.gan.studies.figures import summary
from gamedyn.gan.studies.measuring import measure_costs, timed_steps, wait_for
from gamedyn.gan.studies.study import Row, settings_of
from gamedyn.gan.studies.sweep import append
from gamedyn.gan.studies.tables import costs_table, table
from gamedyn.plotting.studies import score_curves

NOTE = "steps times the seconds of one step measured alone on H100"


def costs(own: Study, *seconds: float, rows: Sequence[Row] = ()) -> Costs:
    """Costs of a study's methods in order, as measured after some runs."""
    return Costs(
        {
            job.method: StepCost(spent, 2.0 * (job.config.optimizer == "acgd"), 0, settings_of(job.config))
            for job, spent in zip(jobs_to_time(own, rows), seconds, strict=True)
        },
        steps=70,
        environment={"device": "H100", "processor": "Xeon"},
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time a few steps only."""
    for name, count in (("WARM_UP", 1), ("ROUNDS", 2), ("BLOCK", 2)):
        monkeypatch.setattr(measuring, name, count)


def test_equal_time_and_seconds_a_step_are_those_measured_alone() -> None:
    own = study(rates=())
    jobs = {job.method: job for job in own.jobs()}
    rows = [row(jobs["ACGD"], 8.0, 6.0, 4.0, pace=2.0), row(jobs["Adam"], 20.0, 10.0)]
    found = costs(own, 0.5, 1.0)
    acgd, adam = summary(own, found.timed(rows))
    assert (acgd.at_equal_time, acgd.seconds) == (4.0, 0.5)  # after its 15 seconds
    assert (adam.at_equal_time, adam.seconds) == (15.0, 1.0)
    assert [line.at_equal_time for line in summary(own, rows)] == [8.0, 10.0]  # after Adam's 20
    first, _, _, _, *lines = table(own, rows, found).splitlines()
    assert first == f"FD (x); mean ± sd over seeds that did not fail; time: {NOTE}"
    assert lines[0] == "| ACGD | 0.0005 | 1 (0) | 4 | 4 | 6 | 4 | 0.5 |"
    assert "| 6 | 8 | 2 |" in table(own, rows)
    assert "time:" not in table(own, rows)
    assert found.timed([{"run": "of another study"}]) == [{"run": "of another study"}]


def test_costs_are_read_as_they_were_written(tmp_path: Path) -> None:
    own = study()
    assert read_costs(tmp_path / "costs.json", own) is None
    found = costs(own, 0.5, 1.0)
    found.write(tmp_path / "costs.json")
    assert read_costs(tmp_path / "costs.json", own) == found
    # of a file from before a setting was there, and for runs of other rates, seeds and lengths
    content = json.loads((tmp_path / "costs.json").read_text())
    del content["methods"]["ACGD"]["settings"]["precision"]
    (tmp_path / "costs.json").write_text(json.dumps(content))
    assert read_costs(tmp_path / "costs.json", study(rates=(), seeds=(7,), steps=9)) is not None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"methods": {"ACGD": 3}}', "\udcff"])
def test_a_damaged_file_is_named_with_the_mend(text: str, tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=r"costs.json is damaged \(.*\): measure again with --costs, or del"):
        read_costs(path, study())


@pytest.mark.parametrize("value", [0.0, -1.0, None, "1", True, float("inf"), float("nan")])
def test_seconds_that_are_none_are_refused(value: Any, tmp_path: Path) -> None:
    own = study()
    costs(own, 0.5, 1.0).write(tmp_path / "costs.json")
    content = json.loads((tmp_path / "costs.json").read_text())
    content["methods"]["Adam"]["seconds"] = value
    (tmp_path / "costs.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"is damaged .*the seconds of Adam are .*: measure again"):
        read_costs(tmp_path / "costs.json", own)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"methods": [Method("ACGD", {})]}, "has a method 'Adam', which s has not"),
        (
            {"methods": [Method(name, {}) for name in ("ACGD", "Adam", "SGD")]},
            "has no seconds of a step of 'SGD'",
        ),
        ({"shared": {"dataset": "digits", "dim": 8}}, r"timed 'ACGD' with dim 4, the study has 8"),
        (
            {"methods": [Method("ACGD", {"max_iter": 9}), Method("Adam", {"optimizer": "adam"})]},
            "timed 'ACGD' with max_iter 2, the study has 9",
        ),
    ],
)
def test_costs_of_other_methods_are_refused(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    costs(study(), 0.5, 1.0).write(tmp_path / "costs.json")
    with pytest.raises(ValueError, match=f"costs.json {said}: measure again with --costs, or delete it"):
        read_costs(tmp_path / "costs.json", study(**change))


def test_the_run_to_time_is_a_finished_one_at_the_chosen_rate() -> None:
    own = study()
    assert [(job.pilot, job.config.lr) for job in jobs_to_time(own, [])] == [(True, 1e-3)] * 2
    pilots = own.jobs()
    rows = [row(pilots[0], 9.0), row(pilots[1], 5.0)]  # the second rate is better
    reported = [job for job in own.jobs(rows) if not job.pilot]
    assert jobs_to_time(own, rows) == [reported[0], pilots[2]]
    rows += [row(job, 9.0) for job in reported]
    assert jobs_to_time(own, rows)[0] == reported[0]
    assert jobs_to_time(own, rows, {reported[1].key})[0] == reported[1], "its checkpoint is at hand"


def test_a_rate_that_the_runs_have_not_is_said() -> None:
    own = study()
    pilots = own.jobs()
    rows = [row(pilots[0], 9.0), row(pilots[1], 5.0)]
    before, after = costs(own, 0.5, 1.0), costs(own, 0.5, 1.0, rows=rows)
    reported = [row(job, 9.0) for job in own.jobs(rows) if not job.pilot]
    (said,) = other_rates(before, reported)
    assert said.startswith(f"a step of 'ACGD' was timed at lr 0.001, its runs have {pilots[1].config.lr:g}: ")
    assert other_rates(after, reported) == other_rates(before, []) == []


@pytest.mark.parametrize(
    ("device", "threads", "said"),
    [("H100", 4, "H100"), ("cpu", 1, "1 thread of Xeon"), ("cpu", 2, "2 threads of Xeon")],
)
def test_the_machine_is_named_with_the_threads_of_a_processor(device: str, threads: int, said: str) -> None:
    environment = {"device": device, "processor": "Xeon", "threads": threads}
    assert Costs({}, 1, environment).note.endswith(f" alone on {said}")


def test_a_checkpoint_of_other_networks_is_one_line(quick: None, tmp_path: Path) -> None:
    own = study(rates=())
    job, *_ = own.jobs()
    save_step(tmp_path, 3, {"generator": {}}, keep=1)
    with pytest.raises(
        ValueError, match=r"is of another run: RuntimeError: .*; move that folder away"
    ) as caught:
        measure_costs([job], make_stepper, {job.key: tmp_path})
    assert "\n" not in str(caught.value)


def test_the_table_of_costs_counts_in_steps_of_adam() -> None:
    first, _, head, _, *lines = costs_table(costs(study(), 0.0125, 0.005)).splitlines()
    assert first == "A generator step measured alone on H100, 70 steps a method:"
    assert head == "| method | lr | from step | iterations | ms/step | steps of Adam |"
    assert lines == ["| ACGD | 0.001 | 0 | 2 | 12.5 | 2.50 |", "| Adam | 0.001 | 0 | – | 5 | 1.00 |"]
    alone = costs(study(methods=[Method("ACGD", {})]), 0.5)
    assert costs_table(alone).splitlines()[-1] == "| ACGD | 0.001 | 0 | 2 | 500 |"


def test_a_finished_run_is_continued_and_left_as_it_is(quick: None, tmp_path: Path) -> None:
    acgd, adam = jobs_to_time(study(rates=()), [])
    RunJob("cpu", None, None)(acgd, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    found = measure_costs([acgd, adam], make_stepper, {acgd.key: tmp_path, adam.key: tmp_path / "elsewhere"})
    assert [own.start for own in found.methods.values()] == [4, 0]
    assert [own.iterations > 0 for own in found.methods.values()] == [True, False]
    assert all(0 < own.seconds < 1 for own in found.methods.values())
    assert found.steps == 4
    assert found.environment["versions"]["torch"] == torch.__version__
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_methods_are_timed_in_turn_without_the_warm_up(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    timed: list[tuple[str, int]] = []

    def steps(trainer: Any, count: int) -> tuple[float, list[Any]]:
        name = trainer.config.optimizer
        timed.append((name, count))
        seconds = 999.0 if count == 1 else count * {"acgd": 2.0, "adam": 1.0}[name]
        return seconds, [trainer.one_step() for _ in range(count)]

    monkeypatch.setattr(measuring, "timed_steps", steps)
    found = measure_costs(jobs_to_time(study(), []), make_stepper, {})
    assert timed == [("acgd", 1), ("adam", 1)] + [("acgd", 2), ("adam", 2)] * 2
    assert [own.seconds for own in found.methods.values()] == [2.0, 1.0]


def test_a_block_ends_when_the_device_has_done_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[Any] = []
    monkeypatch.setattr(torch.accelerator, "synchronize", waited.append)
    for name in ("cpu", "cuda:1"):
        wait_for(torch.device(name))
    assert waited == [torch.device("cuda:1")]

    class Late:
        """Steps that return at once, and are done later."""

        device = torch.device("cuda")
        pending = 0

        def one_step(self) -> None:
            self.pending += 1

        def finish(self, _: object) -> None:
            time.sleep(0.02 * self.pending)
            self.pending = 0

    trainer: Any = Late()
    monkeypatch.setattr(torch.accelerator, "synchronize", trainer.finish)
    spent, records = timed_steps(trainer, 3)
    assert spent >= 0.06
    assert len(records) == 3


def test_a_method_that_diverges_is_named(quick: None) -> None:
    own = study(methods=[Method("wild", {"optimizer": "sgd", "loss": "wgan"})], rates=(1e30,))
    with pytest.raises(ValueError, match="a step of 'wild' cannot be timed: the loss became"):
        measure_costs(jobs_to_time(own, []), make_stepper, {})


def test_the_command_measures_without_an_extractor_or_runs(
    quick: None, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("gamedyn.gan.building.open_score")
    arguments = ["study", "digits-long", "--scale", "smoke", "--out", str(tmp_path)]
    assert main([*arguments, "--costs"]) == 0
    said = capsys.readouterr().out
    assert "| ACGD, WGAN | 0.0001 | 0 |" in said
    assert "steps of Adam, WGAN |" in said
    assert f"costs: {tmp_path / 'costs.json'}" in said
    assert [path.name for path in tmp_path.iterdir()] == ["costs.json"]
    assert read_costs(tmp_path / "costs.json", STUDIES["digits-long"]("smoke", "x:y")) is not None


def finished(folder: Path) -> Study:
    """A small study whose rows are all there."""
    own = replace(STUDIES["wgan-gp-cifar10"]("smoke", "x:y"), seeds=(1,))
    known = {"score": "FD (digits)"}
    for job in own.jobs():
        append(folder / "rows.jsonl", {**row(job, 8.0, 4.0), **known, "settings": settings_of(job.config)})
    return own


def test_the_picture_and_the_printed_table_take_the_costs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[Any, Any]] = []

    def record(curves: Any, **words: Any) -> Any:
        drawn.append((curves, words))
        return score_curves(curves, **words)

    monkeypatch.setattr("gamedyn.plotting.studies.score_curves", record)
    own = finished(tmp_path)
    arguments = ["study", "wgan-gp-cifar10", "--scale", "smoke", "--seeds", "1", "--draw"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    assert NOTE not in capsys.readouterr().out
    costs(own, 60.0, 6.0, 6.0, 6.0).write(tmp_path / "costs.json")
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert NOTE in said
    assert "| – | 60 |" in said  # no score of the slow method when the others are done
    (plain, usual), (curves, words) = drawn
    assert [list(curve.places[1])[1] for curve in plain] == [pytest.approx(20 / 60)] * 4
    assert [list(curve.places[1])[1] for curve in curves] == pytest.approx([20.0, 2.0, 2.0, 2.0])
    assert usual["time"] == "processor time in steps"
    assert words["time"] == "steps measured alone"
    assert words["caption"].endswith(f" Time: {NOTE}.")


def test_missing_data_are_said_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(root: Path) -> Path:
        raise OSError("no network")

    monkeypatch.setattr(cifar10, "download_cifar10", unreachable)
    arguments = ["study", "cifar10-short", "--costs", "--data-root", str(tmp_path / "none")]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert f"no CIFAR-10 in {tmp_path / 'none'}" in said
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("flags", [[], ["--draw"]])
def test_wrong_costs_are_said_before_anything_is_done(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "costs.json").write_text("{")
    assert main(["study", "digits-long", *flags, "--out", str(tmp_path)]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert f"{tmp_path / 'costs.json'} is damaged" in said
    assert [path.name for path in tmp_path.iterdir()] == ["costs.json"]
