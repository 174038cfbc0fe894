"""Settings: a contradiction is one sentence that names both sides, and defaults keep their meaning."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from gamedyn.gan.config import TrainConfig, config_text, read_config, resolve
from gamedyn.gan.config.fields import CHOICES
from gamedyn.gan.config.values import COUNTS, EVALUATED, OPTIONAL, RATES, SHARES, SWITCHES, TEXTS, WEIGHTS
from gamedyn.gan.random_architectures import random_architecture
from gamedyn.gan.runs import open_run

ADAM = {"optimizer": "adam"}
# Indices of random architectures whose critic drew a normalisation, and did not.
NORMALISED = next(index for index in range(100) if random_architecture(index).critic_norm)
PLAIN = next(index for index in range(100) if not random_architecture(index).critic_norm)

CONTRADICTIONS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "images' networks for points": (
        {"dataset": "ring", "architecture": "resnet"},
        ["'resnet'", "'ring'", "--architecture mlp"],
    ),
    "points' networks for images": ({"architecture": "mlp"}, ["'mlp'", "'digits'", "mlp-generator"]),
    "resampled points": ({"dataset": "grid", "image_size": 16}, ["image_size 16", "'grid'"]),
    "scores of points": ({"dataset": "grid", "extractor": "cifarnet:x"}, ["'cifarnet:x'", "'grid'"]),
    "levels of points": ({"dataset": "ring", "dequantise": True}, ["dequantise", "'ring'"]),
    "part without products": ({"optimizer": "adam", "curvature_batch": 0.5}, ["curvature_batch", "'adam'"]),
    "compiled, and no products": ({"optimizer": "adam", "compile": True}, ["compile True", "'adam'"]),
    "precision without products": ({"optimizer": "sgd", "precision": "relaxed"}, ["precision", "'sgd'"]),
    "a tolerance without a solve": ({**ADAM, "rtol": 1e-3}, ["rtol 0.001", "'adam'", "cgd or acgd"]),
    "a limit without a solve": (
        {"optimizer": "simgd", "max_iter": 5},
        ["max_iter 5", "'simgd'", "cgd or acgd"],
    ),
    "channels of points": ({"dataset": "ring", "channels_last": True}, ["channels_last", "'ring'"]),
    "a batch of one image": ({"batch_size": 1}, ["batch_size", "digits", "at least 2"]),
    "an index without its set": (
        {"architecture_index": 3},
        ["architecture_index 3", "--architecture random"],
    ),
    "a first moment of ACGD": ({"beta1": 0.5}, ["beta1 0.5", "adam, sgd", "'acgd'", "--beta1 None"]),
    "a second moment of SGD": ({"optimizer": "sgd", "beta2": 0.9}, ["beta2 0.9", "'sgd'"]),
    "critic steps at once": ({"n_critic": 5}, ["n_critic 5", "'acgd'", "adam, rmsprop or sgd"]),
    "the generator's own batches at once": (
        {"generator_batches": 2},
        ["generator_batches 2", "'acgd'", "adam, rmsprop or sgd"],
    ),
    "clipping at once": ({"clip": 0.01}, ["clip 0.01", "'acgd'", "adam, rmsprop or sgd"]),
    "clipping and a penalty": ({**ADAM, "clip": 0.01, "gp": 10}, ["clip 0.01", "gp 10", "leave out one"]),
    "clipping and R1": ({**ADAM, "clip": 0.01, "r1": 1}, ["clip 0.01", "r1 1", "leave out one"]),
    "clipping and R2": ({**ADAM, "clip": 0.01, "r2": 1}, ["clip 0.01", "r2 1", "leave out one"]),
    "clipping and spectral norm": (
        {**ADAM, "clip": 0.01, "spectral_norm": True},
        ["clip 0.01", "spectral_norm", "leave out one"],
    ),
    "sides of no penalty": ({"gp_sides": "one"}, ["gp_sides 'one'", "--gp 10"]),
    "smoothing without targets": ({"label_smoothing": 0.1}, ["label_smoothing 0.1", "'wgan'", "minimax"]),
    "smoothing pairs": ({"loss": "rpgan", "label_smoothing": 0.1}, ["label_smoothing 0.1", "'rpgan'"]),
    "a part of pairs": ({"loss": "rpgan", "curvature_batch": 0.5}, ["curvature_batch 0.5", "'rpgan'"]),
    "BatchNorm and a penalty": (
        {"critic_norm": "batch", "gp": 10},
        ["critic_norm 'batch'", "gp 10", "layer"],
    ),
    "BatchNorm and R1": ({"critic_norm": "batch", "r1": 1}, ["critic_norm 'batch'", "r1 1"]),
    "BatchNorm and R2": ({"critic_norm": "batch", "r2": 1}, ["critic_norm 'batch'", "r2 1"]),
    "an architecture's own BatchNorm and a penalty": (
        {**ADAM, "architecture": "tanh", "gp": 10},
        ["architecture 'tanh'", "gp 10", "--critic-norm layer"],
    ),
    "a random architecture's own BatchNorm and a penalty": (
        {**ADAM, "architecture": "random", "architecture_index": NORMALISED, "gp": 10},
        ["architecture 'random'", "gp 10", "--critic-norm layer"],
    ),
    "LayerNorm and curvature": ({"critic_norm": "layer"}, ["critic_norm 'layer'", "'acgd'", "group"]),
    "scores without an extractor": ({"eval_every": 100}, ["eval_every 100", "--extractor cifarnet:FOLDER"]),
    "samples of no scores": ({"eval_samples": 100}, ["eval_samples 100", "--eval-samples 10000"]),
    "references of no scores": ({"eval_references": 100}, ["eval_references 100", "add --extractor"]),
    "scores of points along the way": (
        {"dataset": "ring", "eval_every": 5},
        ["eval_every 5", "'ring' has points: leave it out", "--eval-every None"],
    ),
    "initial weights of points": ({"dataset": "ring", "init": "icr"}, ["init 'icr'", "'ring'", "orthogonal"]),
    "smoothing a regression": (
        {"loss": "lsgan", "label_smoothing": 0.1},
        ["label_smoothing 0.1", "written for the logistic losses", "'lsgan'", "--label-smoothing 0.0"],
    ),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_a_contradiction_is_one_sentence_that_names_both_sides(case: str) -> None:
    settings, named = CONTRADICTIONS[case]
    with pytest.raises(ValueError, match=r"\w") as refusal:
        resolve(TrainConfig(**settings))
    for words in named:
        assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


SENSIBLE: list[dict[str, Any]] = [
    {**ADAM, "architecture": "random", "architecture_index": PLAIN, "gp": 10},
    {**ADAM, "architecture": "random", "architecture_index": NORMALISED, "critic_norm": "layer", "gp": 10},
    {**ADAM, "loss": "wgan", "clip": 0.01, "n_critic": 5},
    {**ADAM, "architecture": "tanh", "critic_norm": "layer", "gp": 10, "gp_sides": "one"},
    {**ADAM, "architecture": "tanh"},
    {"critic_norm": "group", "gp": 10},
    {"critic_norm": "batch"},
    {"loss": "minimax", "label_smoothing": 0.1},
    {"loss": "rpgan", "r1": 1, "r2": 1},
    {"spectral_norm": True, "weight_decay": 1e-4, "dropout": 0.5, "instance_noise": 0.1},
    {"extractor": "cifarnet:x", "eval_every": 10},
    {"beta2": 0.9},
    {"optimizer": "sgd", "beta1": 0.9},
    {"optimizer": "rmsprop", "beta2": 0.9},
    {"n_critic": 1},
    {"architecture": "random", "architecture_index": 3},
]


@pytest.mark.parametrize("settings", SENSIBLE)
def test_what_makes_sense_is_allowed(settings: dict[str, Any]) -> None:
    config = resolve(TrainConfig(**settings))
    assert resolve(config) == config


def test_acgd_on_images_solves_for_two_iterations_unless_told_otherwise() -> None:
    assert resolve(TrainConfig(optimizer="acgd")).max_iter == 2
    assert resolve(TrainConfig(optimizer="acgd", max_iter=7)).max_iter == 7
    assert resolve(TrainConfig(optimizer="acgd", dataset="ring")).max_iter == 20
    assert resolve(TrainConfig(optimizer="cgd")).max_iter == 20


def test_acgd_has_the_measured_solve_where_it_was_measured() -> None:
    given: dict[str, Any] = {"dataset": "cifar10", "optimizer": "acgd"}
    assert resolve(TrainConfig(**given)).curvature_batch == 0.25
    assert resolve(TrainConfig(**given, curvature_batch=1.0)).curvature_batch == 1.0
    assert resolve(TrainConfig(**given)).max_iter == 100
    assert resolve(TrainConfig(**given)).precision == "relaxed"
    assert resolve(TrainConfig(**given, precision="float32")).precision == "float32"
    for other in ({"loss": "minimax"}, {"loss": "rpgan"}, {"optimizer": "cgd"}, {"dataset": "digits"}):
        config = resolve(TrainConfig(**{**given, **other}))
        assert (config.curvature_batch, config.precision) == (1.0, "float32")
        assert config.max_iter <= 20


def wrong_values(name: str) -> list[object]:
    if name in CHOICES:
        return ["nonsense", 3, ["wgan"]]
    if name in SWITCHES:
        return ["yes", 1, None]
    if name in TEXTS:
        return [3, True]
    if name in COUNTS + EVALUATED:
        return [0, -1, 1.5, True, "3", float("nan"), 2**31]
    if name in {"seed", "architecture_index"}:
        return [-1, 0.5, True, "0", None, 2**32]
    numbers: list[object] = [-1e-3, float("nan"), float("inf"), True, "0.1"]
    if name in RATES or name == "curvature_batch":
        return [*numbers, 0]
    assert name in WEIGHTS + SHARES
    return [*numbers, 1.0] if name in SHARES else [*numbers, 1e39]


@pytest.mark.parametrize("name", [field.name for field in fields(TrainConfig)])
def test_a_wrong_value_is_named_and_printed(name: str) -> None:
    values = wrong_values(name) + ([] if name in OPTIONAL else [None])
    for value in values:
        with pytest.raises(ValueError, match=rf"^{name} must") as refusal:
            TrainConfig(**{name: value})  # type: ignore[arg-type]
        assert repr(value) in str(refusal.value)


def test_the_settings_that_may_be_open_are_those_whose_default_is_none() -> None:
    assert {field.name for field in fields(TrainConfig) if field.default is None} == OPTIONAL


def test_settings_of_an_older_run_keep_their_meaning(tmp_path: Path) -> None:
    # What `gamedyn train --optimizer adam` stored before there were regularisers.
    old = {
        "dataset": "digits", "optimizer": "adam", "loss": "non-saturating", "lr": 2e-4, "max_lr": 2e-4,
        "steps": 2000, "batch_size": 64, "seed": 0, "dim": 32, "latent": 64, "init": "tflib", "rtol": 0.01,
        "max_iter": 20, "curvature_batch": 1.0, "precision": "float32", "log_every": 10, "sample_every": 500,
        "checkpoint_every": 500, "device": "cpu", "data_root": None,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(old))
    config = resolve(read_config(tmp_path / "config.json"))
    assert {name: getattr(config, name) for name in old} == old
    assert (config.architecture, config.beta1, config.beta2, config.n_critic) == ("dcgan", 0.5, 0.999, 1)
    assert config == resolve(TrainConfig(optimizer="adam"))
    open_run(tmp_path, config, resume=True)  # the same run, though its file has fewer keys
    assert read_config(tmp_path / "config.json") == config


def test_a_run_that_spreads_something_over_its_steps_keeps_them(tmp_path: Path) -> None:
    for name, value in {"lr_decay": "linear", "instance_noise": 0.1}.items():
        folder = tmp_path / name
        settings: dict[str, Any] = {name: value, "steps": 10}
        open_run(folder, resolve(TrainConfig(**settings)), resume=False)
        open_run(folder, resolve(TrainConfig(**settings, log_every=1)), resume=True)
        with pytest.raises(ValueError, match=f"{name}.*10 steps.*20"):
            open_run(folder, resolve(TrainConfig(**{**settings, "steps": 20})), resume=True)


@pytest.mark.parametrize("text", ['{"model": "of another program"}', "[1, 2]", "no JSON"])
def test_settings_of_something_else_are_not_overwritten(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"config.json that is none of gamedyn's.*: choose another --out"):
        open_run(tmp_path, resolve(TrainConfig()), resume=False)
    assert (tmp_path / "config.json").read_text() == text


def test_every_field_goes_through_a_file(tmp_path: Path) -> None:
    config = resolve(TrainConfig(**SENSIBLE[1]))
    (tmp_path / "c.json").write_text(config_text(config))
    assert read_config(tmp_path / "c.json") == config
    assert json.loads(config_text(config)) == asdict(config)
