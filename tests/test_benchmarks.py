"""The benchmarks run, at smoke sizes, and what they write can be read."""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from gamedyn.optimizers import competitive

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
STEP_COST = str(BENCHMARKS / "step_cost.py")
SMOKE = ["--size", "4", "--steps", "1", "--warm-up", "1", "--repetitions", "1", "--rtol", "1e-2"]
EVERYWHERE = {"gradient", "Adam, alternating", "SimGD", "AltGD", "CGD rtol=0.01", "ACGD rtol=0.01"}


def ran(*command: str, cwd: Path | None = None) -> str:
    result = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, cwd=cwd)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    path = tmp_path_factory.mktemp("benchmark") / "deep" / "step_cost.json"
    options = ["--no-memory", "--trained", "0", "4", "--data-root", str(path.parent), "--out", str(path)]
    return path, ran(STEP_COST, *SMOKE, *options)


@pytest.fixture(scope="module")
def report(record: tuple[Path, str]) -> dict:
    return json.loads(record[0].read_text())


def test_step_cost_measures_every_game_and_optimizer(report: dict, record: tuple[Path, str]) -> None:
    (run,) = report["runs"]
    assert [(game["game"].partition(" ")[0], game["state"]) for game in run["games"]] == [
        ("bilinear", "steps 2 to 2"),
        ("MLP", "steps 2 to 2"),
        ("CIFAR", "steps 2 to 2"),
        ("CIFAR", "steps 6 to 6"),
    ]
    for game in run["games"]:
        assert game["game"] in record[1]
        rows = {row["contender"]: row for row in game["rows"]}
        assert set(rows) >= EVERYWHERE
        assert ("ACGD structured, max_iter=2, 1/4 of the fakes" in rows) == ("bilinear" not in game["game"])
        assert rows["gradient"]["gradients"] == rows["Adam, alternating"]["adam_steps"] == 1.0
        assert all(row["cpu_ms"] > 0.0 for row in rows.values())


def test_step_cost_compares_at_a_true_residual(report: dict) -> None:
    for game in report["runs"][0]["games"]:
        for row in game["rows"]:
            if "ACGD" in row["contender"] and "fakes" not in row["contender"]:
                assert 0.0 <= row["true_residual_worst"] <= 1.05e-2 or row["note"] == "stops early"
            elif "ACGD" in row["contender"]:
                assert "another system" in row["note"]
                assert "over_cgds" not in row


def test_step_cost_states_its_environment(report: dict) -> None:
    environment = report["environment"]
    assert environment["threads"] == 1
    assert environment["versions"]["torch"]
    assert {"cpu", "date", "commit", "changed"} <= set(environment)
    assert {"date", "load"} <= set(report["runs"][0])


def test_step_cost_shows_a_record_in_markdown(record: tuple[Path, str]) -> None:
    shown = ran(STEP_COST, "--show", str(record[0]))
    assert "| ACGD structured rtol=0.01 |" in shown
    assert "ACGD structured, relaxed rtol=0.001 <= 4.8 x Adam, aim 4" in shown


def test_step_cost_runs_without_its_rivals(tmp_path: Path) -> None:
    hidden = "sys.modules['CGDs'] = sys.modules['torch_cgd'] = None"
    code = f"import runpy, sys; {hidden}; runpy.run_path({STEP_COST!r}, run_name='__main__')"
    options = [*SMOKE, "--games", "bilinear", "--out", str(tmp_path / "out.json")]
    printed = ran("-c", code, *options, cwd=BENCHMARKS)
    assert "CGDs is not installed" in printed
    assert "torch-cgd is not installed" in printed
    assert "CGDs ACGD" not in printed


def test_a_peak_of_memory_is_taken_in_its_own_process() -> None:
    peaks = [float(ran(STEP_COST, "--peak-of", name, *SMOKE)) for name in ("the game, no step", "gradient")]
    assert 50.0 < peaks[0] <= peaks[1]


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setattr(competitive, "solve", competitive.solve)  # the benchmarks record what it returns
    yield importlib.import_module
    for name in {path.stem for path in BENCHMARKS.glob("*.py")} & set(sys.modules):
        del sys.modules[name]


def test_verdicts_name_what_both_runs_agree_on(
    step: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    targets = step("step_targets")

    def run(adam_steps: float, over_cgds: float) -> dict:
        row = {"contender": "ACGD structured rtol=0.01", "adam_steps": adam_steps, "over_cgds": over_cgds}
        peaks = {"Adam, alternating": 100.0, "ACGD structured rtol=0.01": 149.0}
        game = {"game": "CIFAR DCGAN, DIM 64, batch 64", "state": "steps 4 to 9", "rows": [row]}
        return {"games": [game], "peak_mib": peaks}

    found = targets.verdicts([run(4.9, 0.5), run(5.1, 0.45)])
    by_target = {verdict["target"]: verdict for verdict in found}
    assert by_target["CIFAR DCGAN: ACGD structured rtol=0.01 <= 5 x Adam"]["met"] == [True, False]
    faster = by_target["CIFAR DCGAN: ACGD structured rtol=0.01 >= 2.2 x faster than CGDs"]
    assert faster["values"] == pytest.approx([2.0, 1 / 0.45])
    assert faster["met"] == [False, True]
    assert by_target["memory: ACGD structured <= 1.5 x Adam's peak"]["met"] == [True, True]
    targets.print_verdicts(found)
    printed = capsys.readouterr().out
    assert "4.90 and 5.10: the runs disagree" in printed
    assert "1.49 and 1.49: met in both runs" in printed
    assert "rtol=0.001 <= 7.5 x Adam (steps 4 to 9): not measured" in printed


def test_a_rival_that_breaks_is_a_row_that_says_so(step: Callable[[str], ModuleType]) -> None:
    games, paths, tables = step("step_games"), step("step_path"), step("step_tables")
    path = paths.Path(games.GAMES["bilinear"].make(5, 0, None), [1e-2])

    def broken() -> None:
        raise RuntimeError("no end after 60 s")

    path.contenders["SimGD"].step = broken
    path.compare(1, 2)
    rows = {row["contender"]: row for row in tables.rows(path.contenders)}
    assert rows["SimGD"] == {"contender": "SimGD", "failure": "RuntimeError: no end after 60 s"}
    assert rows["ACGD rtol=0.01"]["n"] == 2


def test_repeating_a_step_leaves_the_path_alone(
    step: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    games, paths = step("step_games"), step("step_path")
    ends = []
    for most in (1, 4):
        monkeypatch.setattr(paths, "MOST", most)
        path = paths.Path(games.GAMES["bilinear"].make(5, 0, None), [1e-2])
        path.train(2)
        path.compare(1, 2)
        ends.append(path)
    for name, contender in ends[0].contenders.items():
        assert contender.residuals == ends[1].contenders[name].residuals


def test_a_step_on_a_gpu_is_timed_between_two_synchronisations(
    step: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    games, paths, tables = step("step_games"), step("step_path"), step("step_tables")
    game = games.GAMES["bilinear"].make(5, 0, None)
    monkeypatch.setattr(games.Game, "device", torch.device("cuda"))
    path = paths.Path(game, [1e-2])
    events = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: events.append("idle"))
    monkeypatch.setattr(paths, "gradients", lambda game: events.append("gradient") or [torch.zeros(5)] * 2)
    path.contenders = {"gradient": path.contenders["gradient"], "Adam, alternating": path.contenders["SimGD"]}
    path.contenders["Adam, alternating"].step = lambda: events.append("step")
    monkeypatch.setattr(paths, "MOST", 1)
    path._leader = "Adam, alternating"
    path.compare(0, 1)
    at = events.index("step")
    assert events[at - 2 : at + 2] == ["gradient", "idle", "step", "idle"]
    (_, row) = tables.rows(path.contenders, ["wall"])
    assert "cpu_ms" not in row
    assert row["wall_ms"] > 0.0


def test_residuals_on_a_gpu_are_recomputed_without_tf32(
    step: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    device = step("step_device")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    with device.without_tf32(torch.device("cpu")):
        assert torch.backends.cudnn.allow_tf32
    with device.without_tf32(torch.device("cuda")):
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32


def test_a_rival_without_end_is_given_up(
    step: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("CGDs")  # a rival, never a dependency; CI installs it
    games, paths, tables = step("step_games"), step("step_path"), step("step_tables")
    monkeypatch.setattr(step("step_rivals"), "PATIENCE", {"cpu": 0.0})
    path = paths.Path(games.GAMES["bilinear"].make(5, 0, None), [1e-2])
    path.compare(0, 1)
    rows = {row["contender"]: row for row in tables.rows(path.contenders)}
    assert rows["CGDs ACGD rtol=0.01"]["failure"].startswith("GaveUpError: not finished after 0 products")
    assert rows["ACGD rtol=0.01"]["n"] == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_step_cost_says_that_there_is_no_gpu() -> None:
    command = [sys.executable, STEP_COST, "--device", "cuda", *SMOKE]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == "--device cuda: torch finds no CUDA device here\n"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_step_cost_measures_on_a_gpu(tmp_path: Path) -> None:
    options = ["--device", "cuda", "--trained", "0", "--tf32", "off", "--out", str(tmp_path / "out.json")]
    ran(STEP_COST, *SMOKE, *options)
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["device"] == {
        "type": "cuda",
        "ratios": "wall",
        "memory": "torch.cuda.max_memory_allocated",
    }
    assert report["environment"]["gpu"]["name"]
    assert not report["environment"]["gpu"]["allow_tf32"]["cudnn"]
    (run,) = report["runs"]
    assert run["peak_mib"]["ACGD structured rtol=0.01"] > run["peak_mib"]["the game, no step"] > 0.0
    for row in (row for game in run["games"] for row in game["rows"] if "ACGD rtol" in row["contender"]):
        assert row["true_residual_worst"] <= 1.05e-2


def test_kernels_are_counted_of_the_steps_that_are_named(step: Callable[[str], ModuleType]) -> None:
    kernels = step("step_kernels")
    for name, settings in kernels.STEPS.items():
        assert (kernels.stepping(4, 8, settings, "cpu")().iterations > 0) == ("ACGD" in name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_kernels_need_a_gpu() -> None:
    command = [sys.executable, str(BENCHMARKS / "step_kernels.py")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == "torch finds no CUDA device here, and kernels are counted on one\n"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_kernels_are_counted_on_a_gpu() -> None:
    printed = ran(str(BENCHMARKS / "step_kernels.py"), "--sizes", "4x8", "--steps", "1")
    rows = [line.split(" | ") for line in printed.splitlines() if line.startswith("| 4, 8")]
    assert len(rows) == 6
    assert all(float(row[5]) > 50 for row in rows)


def test_scaling_fits_exponents_and_draws_them(tmp_path: Path) -> None:
    record, picture = tmp_path / "scaling.json", tmp_path / "scaling.png"
    sizes = ["--batches", "2", "4", "--dim", "4", "--dims", "2", "4", "--batch", "4", "--rounds", "1"]
    printed = ran(str(BENCHMARKS / "scaling.py"), *sizes, "--out", str(record), "--picture", str(picture))
    by_batch, by_parameters = json.loads(record.read_text())["axes"]
    assert by_batch["sizes"] == [2, 4]
    assert by_parameters["dim"] == [2, 4]
    assert by_parameters["sizes"][0] < by_parameters["sizes"][1]
    for axis in (by_batch, by_parameters):
        assert axis["linear"] == (axis["ACGD"]["exponent"] <= 1.1)
        assert f"exponent {axis['ACGD']['exponent']:.2f}" in printed
    assert picture.stat().st_size > 10_000


def test_an_exponent_is_that_of_a_power_law(step: Callable[[str], ModuleType]) -> None:
    assert step("scaling").exponent([1, 2, 8], [3.0, 3.0 * 2**1.5, 3.0 * 8**1.5]) == pytest.approx(1.5)


def test_step_cost_says_that_it_cannot_show_an_older_record(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text('{"games": []}')
    command = [sys.executable, STEP_COST, "--show", str(tmp_path / "old.json")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "old.json was written by an earlier version" in result.stderr
    assert "Traceback" not in result.stderr
