"""Every preset starts, trains, checkpoints, resumes to the same bits and is scored, at a tiny size."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from test_gan_training import same, untimed

from gamedyn.cli import main
from gamedyn.gan.architectures import ARCHITECTURES
from gamedyn.gan.checkpoints import load_newest
from gamedyn.gan.config import TrainConfig, read_config, resolve
from gamedyn.gan.presets import PRESETS
from gamedyn.gan.runlog import read_log

TINY = ["--dataset", "digits", "--batch-size", 4, "--dim", 4, "--latent", 3, "--threads", 1]
SCORED = ["--extractor", "extractor_of_tests:pixels", "--eval-samples", 20]


def train(*arguments: object) -> int:
    return main(["train", *map(str, arguments)])


@pytest.fixture(autouse=True)
def extractor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "extractor_of_tests.py").write_text(
        "def pixels(images):\n    return images.flatten(1)[:, ::8]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_trains_resumes_exactly_and_is_scored(name: str, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    flags = ["--preset", name, *TINY, *SCORED, "--steps", 3, "--checkpoint-every", 1, "--keep", 3]
    assert train(*flags, "--out", whole) == 0
    scores = read_log(whole / "log.jsonl")[-1]
    assert scores["step"] == 3
    assert any(key.startswith("FD (extractor_of_tests:pixels)") for key in scores)

    # As after a kill in the middle: what the second step and all later ones left is gone.
    parts.mkdir()
    for file in ("config.json", "log.jsonl", "checkpoint-00000001.pt"):
        (parts / file).write_bytes((whole / file).read_bytes())
    assert train("--resume", "--out", parts, *SCORED) == 0
    states = [untimed(load_newest(folder) or {}) for folder in (whole, parts)]
    assert states[0]["step"] == 3
    assert same(*states)
    logs = [[untimed(line) for line in read_log(folder / "log.jsonl")] for folder in (whole, parts)]
    assert logs[0] == logs[1]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_sensible_at_full_size_and_says_where_it_comes_from(name: str) -> None:
    preset = PRESETS[name]
    config = resolve(preset.config())
    assert config.dataset == "cifar10"
    assert int(config.steps or 0) >= 100_000
    for value in (preset.summary, preset.source, preset.published):
        assert value
        assert len(value) < 120
    settings = {**preset.settings, **preset.sizes}
    for key, value in settings.items():
        assert getattr(config, key) == value
    # On the digits the game is the same and the sizes are the digits' own.
    small = resolve(preset.config("digits"))
    assert {key: getattr(small, key) for key in preset.settings} == dict(preset.settings)
    assert (small.dim, small.latent, small.image_size, small.steps) == (32, 64, None, 2000)


def test_the_presets_cover_what_the_papers_vary() -> None:
    configs = [resolve(preset.config()) for preset in PRESETS.values()]
    assert {config.architecture for config in configs} == {
        name for name, architecture in ARCHITECTURES.items() if not architecture.points
    }
    assert {config.loss for config in configs} == {
        "minimax",
        "non-saturating",
        "wgan",
        "hinge",
        "lsgan",
        "rpgan",
    }
    assert {config.optimizer for config in configs} >= {"acgd", "adam", "rmsprop"}
    used: dict[str, Any] = {
        name: getattr(config, name)
        for config in configs
        for name in ("clip", "gp", "r1", "r2", "weight_decay", "dropout", "spectral_norm", "ema")
        if getattr(config, name)
    }
    assert len(used) == 8


def test_flags_override_a_preset_and_the_data_set_brings_its_sizes(tmp_path: Path) -> None:
    out = tmp_path / "run"
    flags = ["--dataset", "digits", "--steps", 1, "--batch-size", 4, "--dim", 2, "--lr", 3e-4, "--clip", 0.02]
    assert train("--preset", "wgan-clip", *flags, "--out", out) == 0
    config = read_config(out / "config.json")
    expected = TrainConfig(
        dataset="digits", architecture="dcgan", critic_norm="batch", optimizer="rmsprop", loss="wgan",
        lr=3e-4, beta2=0.9, clip=0.02, n_critic=5, steps=1, batch_size=4, dim=2,
    )  # fmt: skip
    assert config == resolve(expected)


def test_the_default_folder_names_the_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert train("--preset", "dcgan-adam", *TINY, "--steps", 1) == 0
    assert (tmp_path / "runs" / "digits-dcgan-adam-0" / "checkpoint-00000001.pt").exists()


def test_the_list_names_every_preset(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets", "--names"]) == 0
    names = capsys.readouterr().out.splitlines()
    assert names == list(PRESETS)
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in names)
    assert main(["presets"]) == 0
    shown = capsys.readouterr().out
    for name, preset in PRESETS.items():
        assert name in shown
        assert preset.summary in shown
        assert preset.published in shown
    assert "--clip 0.01" in shown


WRONG = {
    "unknown": (["--preset", "wgan-gp-dcgam"], "wgan-gp-dcgan"),
    "with a file": (["--preset", "wgan-clip", "--config", "c.json"], "--config and --preset"),
    "with a run": (["--preset", "wgan-clip", "--resume"], "--preset starts a run"),
    "on points": (["--preset", "wgan-clip", "--dataset", "ring"], "'dcgan'"),
    "with a contradiction": (
        ["--preset", "wgan-clip", "--gp", "10", "--dataset", "digits"],
        "clip 0.01 and gp 10",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_use_is_one_line(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, named = WRONG[case]
    assert train(*arguments) == 2
    error = capsys.readouterr().err
    assert named in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "runs").exists()


MENDED = {
    "points": (["--preset", "wgan-gp-dcgan", "--dataset", "ring"], ["--architecture", "mlp"]),
    "another optimizer": (["--preset", "icr-acgd-wgan", "--optimizer", "cgd"], ["--beta2", "None"]),
    "a critic's norm": (
        ["--preset", "lsgan", "--dataset", "ring", "--architecture", "mlp"],
        ["--critic-norm", "None"],
    ),
}


@pytest.mark.parametrize("case", MENDED)
def test_the_mend_that_a_refusal_names_leads_on(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, mend = MENDED[case]
    sizes = ["--batch-size", 4, "--dim", 4, "--latent", 3, "--steps", 1]
    sizes += [] if "--dataset" in given else ["--dataset", "digits"]
    assert train(*given, *sizes, "--out", tmp_path) == 2
    assert " ".join(mend) in capsys.readouterr().err
    assert train(*given, *sizes, *mend, "--out", tmp_path) == 0


def test_settings_of_images_become_those_of_points_by_the_mend_that_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(*TINY, "--steps", 1, "--out", tmp_path / "digits") == 0
    given = ["--config", tmp_path / "digits" / "config.json", "--dataset", "ring", "--out", tmp_path / "ring"]
    assert train(*given) == 2
    assert "choose --architecture mlp" in capsys.readouterr().err
    assert train(*given, "--architecture", "mlp") == 0


def test_an_extractor_that_a_file_names_is_code_and_wants_to_be_allowed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hostile.py").write_text(
        f"open({str(tmp_path / 'executed')!r}, 'w').close()\n\ndef pixels(images):\n    return images\n"
    )
    out = tmp_path / "run"
    assert train("--preset", "dcgan-adam", *TINY, "--steps", 1, "--out", out) == 0
    stored = out / "config.json"
    stored.write_text(stored.read_text().replace('"extractor": null', '"extractor": "hostile:pixels"'))
    for arguments in (["--resume", "--out", out], ["--config", stored, "--out", tmp_path / "other"]):
        assert train(*arguments) == 2
        error = capsys.readouterr().err
        assert "--extractor hostile:pixels" in error
        assert len(error.splitlines()) == 1
    assert not (tmp_path / "executed").exists()
