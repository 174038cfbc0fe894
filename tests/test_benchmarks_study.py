"""The study of defaults: its runs resume, its costs are measured, and its table adds up."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import fake_cifar
import pytest
import tiny_classifier

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def ran(script: str, *options: str) -> str:
    command = [sys.executable, str(BENCHMARKS / script), *options]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture
def table(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("defaults_table")
    del sys.modules["defaults_table"]


def row(seed, curve, **settings):
    run = {"loss": "wgan", "optimizer": "acgd", "lr": 5e-4, "rtol": 1e-2, "max_iter": 2}
    run |= {"curvature_batch": 0.25, "precision": "float32", "seed": seed}
    return {"run": run | settings, "curve": curve, "skipped": 0, "failure": ""}


def test_finished_runs_are_not_run_again(tmp_path):
    fake_cifar.write_pickles(tmp_path, count=20)
    tiny_classifier.write(tmp_path)
    out = tmp_path / "rows.jsonl"
    options = ["--classifier", str(tmp_path), "--data-root", str(tmp_path), "--out", str(out)]
    before = ran("defaults.py", *options, "--list").splitlines()
    ran("defaults.py", *options, "--steps", "1", "--most", "1")
    (line,) = out.read_text().splitlines()
    found = json.loads(line)
    ((step, distance, seconds, iterations),) = found["curve"]
    assert (step, iterations) == (1, 2)
    assert distance > 0.0
    assert seconds > 0.0
    after = ran("defaults.py", *options, "--list").splitlines()
    assert after[:-1] == before[1:-1], "the first of the list is done"


def test_a_rows_cost_and_distance_within_a_budget(table, tmp_path, capsys, monkeypatch):
    curve = [[500, 60.0, 1.0, 1000], [1000, 40.0, 2.0, 2000], [1500, 30.0, 3.0, 3000]]
    other = [[500, 64.0, 1.0, 1000], [1000, 44.0, 2.0, 2000], [1500, None, 3.0, 3000]]
    line = {"base": 1.25, "slope": 0.5}
    known = {"1": 1.5, "2": 2.0, "4": 3.5}
    ways = [{"curvature_batch": 0.25, "precision": "float32", "adam_steps": known, **line}]
    arm = table.Arm({"optimizer": "acgd", "curvature_batch": 0.25, "precision": "float32"})
    arm.rows = [row(0, curve), row(1, other)]
    assert arm.cost(ways) == 2.0
    assert table.cost_of(ways[0], 3.0) == 2.75, "between two lengths in proportion"
    assert table.cost_of(ways[0], 6.0) == 1.25 + 0.5 * 6.0, "beyond the longest by the line through all"
    assert arm.at(1500) == [30.0, 100.0], "a run whose samples are not finite counts as 100"
    assert arm.within(1500.0, 2.0) == "52.0 ± 2.8", "half way between 500 and 1,000 steps: 50 and 54"
    assert arm.within(900.0, 2.0) == "–"
    assert arm.within(3001.0, 2.0) == "–", "the run was shorter"
    (tmp_path / "rows").write_text("".join(json.dumps(one) + "\n" for one in arm.rows))
    (tmp_path / "costs").write_text(json.dumps({"rows": ways}))
    paths = [f"--{name}={tmp_path / name}" for name in ("rows", "costs")]
    monkeypatch.setattr(sys, "argv", ["table", *paths, f"--picture={tmp_path / 'p.png'}"])
    table.main()
    printed = capsys.readouterr().out
    assert "| at most 2, 1/4 of the fakes | 2 | 2.0 | 2.00 | 62.0 ± 2.8 | 42.0 ± 2.8 |" in printed
    assert (tmp_path / "p.png").stat().st_size > 10_000
    with pytest.raises(ValueError, match=r"run benchmarks/defaults_cost\.py"):
        table.Arm(arm.settings | {"precision": "relaxed", "max_iter": 2}, arm.rows).cost(ways)


def test_costs_are_measured_for_every_way(tmp_path):
    out = tmp_path / "costs.json"
    options = ["--dim", "4", "--batch", "16", "--warm-up", "1", "--repetitions", "1", "--out", str(out)]
    ran("defaults_cost.py", *options)
    rows = json.loads(out.read_text())["rows"]
    assert [(one["precision"], one["curvature_batch"]) for one in rows] == [
        (precision, part) for precision in ("float32", "relaxed") for part in (1.0, 0.5, 0.25, 0.125)
    ]
    assert all(ratio > 0.0 for one in rows for ratio in one["adam_steps"].values())


def test_the_constant_of_relaxed_products_is_tried_on_a_trained_network(tmp_path):
    fake_cifar.write_pickles(tmp_path, count=20)
    out = tmp_path / "relaxation.json"
    options = ["--dim", "4", "--ages", "1", "2", "--rtol", "1e-2", "--batches", "1"]
    ran("relaxation.py", *options, "--data-root", str(tmp_path), "--out", str(out))
    rows = json.loads(out.read_text())["rows"]
    assert [one["age"] for one in rows] == [1] * 6 + [2] * 6
    for one in rows:
        assert one["converged"] == one["solves"] == 1
        assert one["worst_residual"] <= 1e-2
        assert (one["relaxed_products"] > 0.0) <= (one["constant"] is not None)


def test_steps_on_a_part_of_the_fakes_are_held_against_the_whole(tmp_path):
    out = tmp_path / "part.json"
    options = ["--dim", "4", "--batch", "16", "--ages", "1", "2", "--data-root", str(tmp_path)]
    ran("part_of_the_fakes.py", *options, "--out", str(out))
    report = json.loads(out.read_text())
    assert report["images"] == "random"
    assert len(report["rows"]) == 2 * 2 * 4 * 2
    for one in report["rows"]:
        for cosine, length in (one["generator"], one["discriminator"]):
            assert -1.0 <= cosine <= 1.0
            assert length > 0.0
            if one["curvature_batch"] == 1.0 and one["max_iter"] > 2:
                assert cosine > 0.999


def test_compiled_products_are_held_against_eager_ones(tmp_path):
    out = tmp_path / "compiled.json"
    options = ["--dim", "2", "--batch", "8", "--warm-up", "1", "--repetitions", "1", "--backend", "eager"]
    ran("compiled_products.py", *options, "--out", str(out))
    report = json.loads(out.read_text())
    assert [one.get("curvature_batch", "relaxed") for one in report["rows"]] == [1.0, 0.25, "relaxed"]
    for one in report["rows"]:
        assert one["fallbacks"] == {}
        assert all(error < 2e-2 for error in one["errors"])
        assert one["compiling_s"] > 0.0
        for timed in ("pair", "step of 2", "step of 5"):
            assert one[timed]["lowest"] == one[timed]["ratio"] > 0.0
