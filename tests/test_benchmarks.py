"""The benchmarks run, at smoke sizes, and what they write can be read."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
SMOKE = ["--size", "8", "--steps", "1", "--warm-up", "1", "--repetitions", "1", "--rtol", "1e-2"]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, str]:
    path = tmp_path_factory.mktemp("benchmark") / "deep" / "step_cost.json"
    command = [sys.executable, str(BENCHMARKS / "step_cost.py"), *SMOKE, "--out", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(path.read_text()), result.stdout


def test_step_cost_measures_every_game_and_optimizer(report: tuple[dict, str]) -> None:
    written, printed = report
    assert len(written["games"]) == 3
    for game in written["games"]:
        assert game["game"] in printed
        rows = {row["contender"]: row for row in game["rows"]}
        assert {"gradient", "Adam, alternating", "SimGD", "AltGD", "CGD rtol=0.01", "ACGD rtol=0.01"} <= set(
            rows
        )
        assert rows["gradient"]["gradients"] == rows["Adam, alternating"]["adam_steps"] == 1.0
        assert all(row["cpu_ms"] > 0.0 for row in rows.values())


def test_step_cost_compares_at_a_true_residual(report: tuple[dict, str]) -> None:
    for game in report[0]["games"]:
        for row in game["rows"]:
            if "ACGD" in row["contender"]:
                assert 0.0 <= row["true_residual_worst"] <= 1.05e-2


def test_step_cost_states_its_environment(report: tuple[dict, str]) -> None:
    environment = report[0]["environment"]
    assert environment["threads"] == 1
    assert environment["versions"]["torch"]
    assert {"cpu", "date", "commit"} <= set(environment)


def test_step_cost_runs_without_its_rival(tmp_path: Path) -> None:
    script = "import runpy, sys; sys.modules['CGDs'] = None; runpy.run_path(sys.argv[0], run_name='__main__')"
    options = [*SMOKE, "--games", "bilinear", "--out", str(tmp_path / "out.json")]
    code = script.replace("sys.argv[0]", repr(str(BENCHMARKS / "step_cost.py")))
    result = subprocess.run(
        [sys.executable, "-c", code, *options], capture_output=True, text=True, check=False, cwd=BENCHMARKS
    )
    assert result.returncode == 0, result.stderr
    assert "CGDs is not installed" in result.stdout
    assert "CGDs ACGD" not in result.stdout
