"""`gamedyn sample` and `gamedyn evaluate` as a user meets them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake_cifar
import numpy as np
import pytest
import tiny_classifier
import torch

from gamedyn.cli import main
from gamedyn.gan.building import build_networks
from gamedyn.gan.checkpoints import MAGIC, read_checkpoint, write_checkpoint
from gamedyn.gan.config import TrainConfig, config_text, resolve
from gamedyn.gan.restore import SHAPES, restore_run, sample_shape
from gamedyn.gan.score_files import read_scores

TINY = ["--dim", "4", "--latent", "4", "--batch-size", "16", "--steps", "2"]
STEP = "checkpoint-00000002.pt"


def command(*arguments: object) -> int:
    return main([*map(str, arguments)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One tiny run on digits, one on points, with a classifier beside them."""
    folder = tmp_path_factory.mktemp("runs")
    for dataset in ("digits", "ring"):
        assert (
            command("train", "--dataset", dataset, "--optimizer", "adam", *TINY, "--out", folder / dataset)
            == 0
        )
    tiny_classifier.write(folder)
    return {"digits": folder / "digits", "ring": folder / "ring", "classifier": folder}


@pytest.fixture
def run(trained: dict[str, Path], tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    shutil.copytree(trained["digits"], tmp_path / "run")
    return tmp_path / "run"


def change(run: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    state = read_checkpoint(run / STEP)
    edit(state)
    write_checkpoint(run / STEP, state)


def with_average(state: dict[str, Any]) -> None:
    """Give a checkpoint a moving average that generates black alone."""
    state["ema"] = {name: tensor.clone() for name, tensor in state["generator"].items()}
    last = max(name for name in state["ema"] if name.startswith("convolutions") and name.endswith("bias"))
    state["ema"][last].fill_(-50.0)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a user reads who made a mistake: at most two lines, and exit code 2."""
    capsys.readouterr()
    assert command(*arguments) == 2
    error = capsys.readouterr().err
    assert 1 <= len(error.splitlines()) <= 2
    assert error.startswith("gamedyn: error: ")
    return error


# gamedyn sample


def test_samples_of_a_run_and_of_its_checkpoint_are_the_same(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arrays = []
    for number, source in enumerate((run, run / STEP)):
        npz = tmp_path / f"{number}.npz"
        assert (
            command("sample", source, "--count", 5, "--seed", 1, "--npz", npz, "--out", tmp_path / "s.png")
            == 0
        )
        arrays.append(np.load(npz, allow_pickle=False)["samples"])
    assert arrays[0].shape == (5, 8, 8, 1)
    assert arrays[0].dtype == np.uint8
    assert np.array_equal(*arrays)
    assert (tmp_path / "s.png").read_bytes()[:4] == b"\x89PNG"
    assert "5 from the generator at step 2, seed 1" in capsys.readouterr().out

    assert command("sample", run, "--count", 5, "--seed", 2, "--npz", tmp_path / "2.npz") == 0
    assert (run / "samples-00000002-seed2.png").is_file()
    assert not np.array_equal(arrays[0], np.load(tmp_path / "2.npz")["samples"])


def test_restored_networks_are_in_evaluation_mode(run: Path) -> None:
    restored = restore_run(run)
    assert torch.equal(next(restored.generate(3, seed=3)), next(restored.generate(3, seed=3)))
    assert not restored.generator.training
    assert not restored.discriminator.training


def test_the_moving_average_is_sampled_unless_it_is_declined(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(run, with_average)
    assert command("sample", run, "--npz", tmp_path / "a.npz", "--count", 4) == 0
    assert "moving average" in capsys.readouterr().out
    assert command("sample", run, "--npz", tmp_path / "b.npz", "--count", 4, "--no-ema") == 0
    assert "moving average" not in capsys.readouterr().out
    assert np.load(tmp_path / "a.npz")["samples"].max() == 0
    assert np.load(tmp_path / "b.npz")["samples"].max() > 0


def test_points_are_sampled_too(trained: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "points.png"
    assert command("sample", trained["ring"], "--out", out, "--npz", tmp_path / "p.npz", "--count", 9) == 0
    assert np.load(tmp_path / "p.npz")["samples"].shape == (9, 2)
    assert out.is_file()


@pytest.mark.parametrize("dataset", sorted(SHAPES))
def test_shapes_that_are_known_are_those_of_the_data(dataset: str, tmp_path: Path) -> None:
    from gamedyn.gan.data.sources import open_source

    fake_cifar.write_npz(tmp_path)
    size = None if dataset in {"ring", "grid"} else 16
    for config in (
        resolve(TrainConfig(dataset=dataset, data_root=str(tmp_path), batch_size=4)),
        resolve(TrainConfig(dataset=dataset, data_root=str(tmp_path), batch_size=4, image_size=size)),
    ):
        assert sample_shape(config) == open_source(config).shape


def test_a_conditional_generator_shows_its_classes_in_turn(tmp_path: Path) -> None:
    config = resolve(TrainConfig(dataset="cifar10", architecture="conditional-resnet", dim=4, latent=8))
    generator, discriminator = build_networks(config, (3, 32, 32), 10)
    (tmp_path / "config.json").write_text(config_text(config))
    state = {"step": 2, "generator": generator.state_dict(), "discriminator": discriminator.state_dict()}
    write_checkpoint(tmp_path / STEP, state)
    restored = restore_run(tmp_path)
    asked = []
    restored.generator.register_forward_pre_hook(lambda module, given: asked.append(given[1]))
    assert torch.cat(list(restored.generate(23))).shape == (23, 3, 32, 32)
    assert torch.cat(asked).tolist() == [number % 10 for number in range(23)]


# gamedyn evaluate


def test_an_evaluation_prints_a_table_and_writes_it(
    run: Path, trained: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["evaluate", run, "--extractor", f"tiny:{trained['classifier']}", "--samples", 40]
    assert command(*arguments, "--references", 200) == 0
    shown = capsys.readouterr().out
    (path,) = run.glob("scores-00000002-tiny-*-n40-of200.json")
    found = read_scores(path)
    assert set(found.scores) == {
        "FD (tiny)",
        "KD (tiny)",
        "KD (tiny) sd",
        "classifier score (tiny)",
        "classifier score (tiny) sd",
        "sliced Wasserstein",
        "samples",
        "references",
        "nearest training image",
        "critic loss, training images",
        "critic loss, held-out images",
    }
    assert (found.scores["samples"], found.scores["references"]) == (40, 200)
    assert found.real["FD (tiny)"] < found.scores["FD (tiny)"]
    assert found.real["nearest training image"] > 0
    assert (found.run, found.checkpoint, found.step, found.averaged) == ("run", STEP, 2, False)
    for words in (
        "real images",
        "40 samples against 200 reference images",
        "No FID",
        "seed 0",
        "Critic loss",
    ):
        assert words in shown
        assert words == "real images" or any(words in line for line in found.protocol)
    # The same command gives the same numbers.
    before = found.scores
    assert command(*arguments, "--references", 200, "--out", run / "again.json") == 0
    assert read_scores(run / "again.json").scores == before


def test_an_evaluation_without_a_network_and_one_of_the_average(run: Path) -> None:
    change(run, with_average)
    assert command("evaluate", run, "--samples", 30, "--references", 50) == 0
    assert command("evaluate", run, "--samples", 30, "--references", 50, "--no-ema") == 0
    average = read_scores(run / "scores-00000002-ema-n30-of50.json")
    raw = read_scores(run / "scores-00000002-n30-of50.json")
    assert average.averaged
    assert not raw.averaged
    assert not any("FD" in name for name in raw.scores)
    assert average.scores["sliced Wasserstein"] != raw.scores["sliced Wasserstein"]


def test_points_are_scored_by_their_modes(
    trained: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("evaluate", trained["ring"], "--samples", 500, "--out", tmp_path / "s.json") == 0
    found = read_scores(tmp_path / "s.json")
    assert found.real["modes"] == 8
    assert found.real["within_3_std"] > 0.95
    assert 0 <= found.scores["modes"] <= 8
    extractor = f"tiny:{trained['classifier']}"
    assert "points" in refused(capsys, "evaluate", trained["ring"], "--extractor", extractor)
    shutil.copytree(trained["ring"], tmp_path / "run")
    change(tmp_path / "run", lambda state: state["generator"]["0.weight"].fill_(float("nan")))
    assert "NaN or infinite" in refused(capsys, "evaluate", tmp_path / "run")


def test_few_samples_are_noted_in_one_line(
    run: Path, trained: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    extractor = f"tiny:{trained['classifier']}"
    assert command("evaluate", run, "--samples", 2, "--references", 50, "--extractor", extractor) == 0
    error = capsys.readouterr().err
    notes = [line for line in error.splitlines() if line.startswith("gamedyn: note: ")]
    assert len(notes) == 1  # of the samples, and in the same words of as many real images
    assert "2 samples and 50 references for 2 features" in notes[0]


# What goes wrong


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--samples", "0"], "--samples must be a whole number of at least 2, got 0"),
        (["--samples", "1"], "--samples must be a whole number of at least 2, got 1"),
        (["--samples", str(10**20)], f"--samples must be at most 2147483647, got {10**20}"),
        (["--references", "1"], "--references must be a whole number of at least 2"),
        (["--references", str(10**20)], "--references must be at most"),
        (["--seed", "-1"], "--seed must be a whole number of at least 0"),
        (["--seed", str(10**23)], "--seed must be at most"),
        (["--out", "scores.txt"], "must end in .json"),
        (["--device", "abacus"], "abacus"),
        (["--device", "meta"], "cpu, cuda or mps, with an index or without, got 'meta'"),
        (["--extractor", "nonsense"], "module.path:attribute"),
        (["--extractor", "inception:absent.pth"], "6726825d"),
        (["--extractor", "cifarnet:absent"], "model.py"),
        (["--samples", "many"], "--samples"),
    ],
)
def test_wrong_flags_of_evaluate(
    arguments: list[str], words: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in refused(capsys, "evaluate", run, *arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--count", "0"], "--count must be a whole number of at least 1"),
        (["--count", str(9 * 10**18)], "--count must be at most 2147483647"),
        (["--seed", "-1"], "--seed must be a whole number of at least 0"),
        (["--seed", str(10**23)], f"--seed must be at most 4294967295, got {10**23}"),
        (["--out", "s.jpg"], "must end in .png"),
        (["--npz", "s.npy"], "must end in .npz"),
        (["--device", "abacus"], "abacus"),
    ],
)
def test_wrong_flags_of_sample(
    arguments: list[str], words: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in refused(capsys, "sample", run, *arguments)


@pytest.mark.parametrize("name", ["sample", "evaluate"])
def test_a_source_that_is_no_run(
    name: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "does not exist" in refused(capsys, name, tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    assert "holds no run" in refused(capsys, name, tmp_path / "empty")
    shutil.copy(run / "config.json", tmp_path / "empty")
    assert "no checkpoint yet" in refused(capsys, name, tmp_path / "empty")
    assert "is no gamedyn checkpoint" in refused(capsys, name, run / "config.json")
    (run / "config.json").write_text('{"optimizer": "adma"}')
    assert "adma" in refused(capsys, name, run)
    (run / "config.json").unlink()
    assert "holds no run" in refused(capsys, name, run / STEP)


@pytest.mark.parametrize("name", ["sample", "evaluate"])
def test_a_damaged_checkpoint(name: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = (run / STEP).read_bytes()
    (run / STEP).write_bytes(content[:-100])
    assert "damaged" in refused(capsys, name, run / STEP)
    # Of a run's folder the one before is taken, with a note.
    (run / "checkpoint-00000001.pt").write_bytes(content)
    few = ["--count", 2] if name == "sample" else ["--samples", 20, "--references", 20]
    capsys.readouterr()
    assert command(name, run, *few) == 0
    assert "note: " in capsys.readouterr().err
    (run / "checkpoint-00000001.pt").unlink()
    capsys.readouterr()
    assert command(name, run, *few) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "every checkpoint" in lines[-1]


class Hostile:
    """Executes a command when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.target}",)


def forged(payload: bytes) -> bytes:
    """A checkpoint with a checksum that fits whatever is in it."""
    return MAGIC + hashlib.sha256(payload).digest() + payload


@pytest.mark.parametrize("name", ["sample", "evaluate"])
def test_a_hostile_checkpoint_is_refused_and_runs_nothing(
    name: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "owned"
    buffer = io.BytesIO()
    torch.save({"step": 2, "generator": Hostile(target)}, buffer)
    whole = io.BytesIO()
    torch.save({"step": 2}, whole)
    zipped = whole.getvalue()
    payloads = [
        buffer.getvalue(),
        pickle.dumps(Hostile(target)),
        b"",
        b"PK\x03\x04" + bytes(50),
        zipped[:-30],
        zipped.replace(b"step", b"\xff\xff\xff\xff"),
        struct.pack("<Q", 2**60) * 9,
    ]
    for payload in payloads:
        (run / STEP).write_bytes(forged(payload))
        assert STEP in refused(capsys, name, run / STEP)
    assert not target.exists()


@pytest.mark.parametrize("name", ["sample", "evaluate"])
@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda state: state.pop("generator"), "holds no generator"),
        (lambda state: state.pop("discriminator"), "holds no discriminator"),
        (lambda state: state.update(generator=[1]), "holds no generator"),
        (lambda state: state.update(ema=3), "holds no ema"),
        (lambda state: state.update(generator={}), "does not fit the settings"),
        (lambda state: state.update(generator={"project.weight": "text"}), "does not fit the settings"),
        (lambda state: state.update(step="2"), "step"),
        (
            lambda state: state["generator"].update({"project.weight": torch.zeros(2, 2)}),
            "does not fit the settings",
        ),
    ],
)
def test_a_checkpoint_of_something_else(
    edit: Callable[[dict[str, Any]], object],
    words: str,
    name: str,
    run: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(run, edit)
    assert words in refused(capsys, name, run)


def test_a_file_that_holds_no_dictionary(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_checkpoint(run / STEP, [1, 2])  # type: ignore[arg-type]
    assert "it holds a list" in refused(capsys, "sample", run)


def test_samples_that_are_not_finite(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(run, lambda state: state["generator"]["project.weight"].fill_(float("nan")))
    assert "NaN or infinite" in refused(capsys, "sample", run, "--npz", tmp_path / "s.npz")
    assert "NaN or infinite" in refused(capsys, "evaluate", run, "--samples", 20)
    assert not list(tmp_path.glob("*.npz"))
    assert not list(run.glob("scores*"))


def test_a_critic_that_is_not_finite(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(run, lambda state: state["discriminator"]["score.bias"].fill_(float("inf")))
    assert "critic's score" in refused(capsys, "evaluate", run, "--samples", 20)


def test_scores_that_cannot_be_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.json").mkdir()
    monkeypatch.setattr("gamedyn.gan.run_scores.evaluate_run", None)  # it fails before all the work
    assert "file" in refused(capsys, "evaluate", run, "--out", tmp_path / "file" / "s.json")
    assert "is a folder" in refused(capsys, "evaluate", run, "--out", tmp_path / "folder.json")


def test_no_result_is_overwritten_by_another(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["--samples", 20, "--references", 20]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        tiny_classifier.write(tmp_path / name)
        assert command("evaluate", run, *few, "--extractor", f"cifarnet:{tmp_path / name}") == 0
    for other in ([], ["--seed", 1], ["--samples", 30], ["--references", 30]):
        assert command("evaluate", run, *few, *other) == 0
    assert len(list(run.glob("scores-*.json"))) == 6
    assert f"Extractor: cifarnet:{tmp_path / 'b'}." in capsys.readouterr().out
    assert command("report", run, "--out", tmp_path / "report.html") == 0
    page = (tmp_path / "report.html").read_text()
    assert all(f"cifarnet:{tmp_path / name}" in page for name in ("a", "b"))

    shutil.copy(run / STEP, run / "checkpoint-00000001.pt")
    change(run, with_average)
    state = read_checkpoint(run / "checkpoint-00000001.pt")
    write_checkpoint(run / "checkpoint-00000001.pt", {**state, "step": 1})
    for source in (run / "checkpoint-00000001.pt", run / STEP):
        assert command("sample", source, "--count", 2) == 0
    assert command("sample", run / STEP, "--count", 2, "--no-ema") == 0
    drawn = {path.name for path in run.glob("samples-*-seed0*.png")}
    assert drawn == {
        "samples-00000001-seed0.png",
        "samples-00000002-seed0-ema.png",
        "samples-00000002-seed0.png",
    }


def test_scores_that_are_no_scores(run: Path, tmp_path: Path) -> None:
    assert command("evaluate", run, "--samples", 20, "--references", 20) == 0
    good = json.loads((run / "scores-00000002-n20-of20.json").read_text())
    path = tmp_path / "scores.json"
    wrong: list[Any] = [
        [],
        3,
        {},
        {**good, "more": 1},
        {**good, "scores": {"FD": "x"}},
        {**good, "step": "2"},
    ]
    wrong += [{**good, "protocol": "x"}, {**good, "protocol": [3]}, {**good, "real": None}]
    for content in wrong:
        path.write_text(json.dumps(content))
        with pytest.raises(ValueError, match=r"scores\.json holds no scores"):
            read_scores(path)
    path.write_text(json.dumps({**good, "scores": {"FD": float("nan")}}))
    with pytest.raises(ValueError, match="not finite"):
        read_scores(path)
    path.write_text("{")
    with pytest.raises(ValueError, match="holds no scores"):
        read_scores(path)
