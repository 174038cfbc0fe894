"""Short runs for comparisons: the distance is that of the trained generator, and failures are results."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gamedyn.cli.steppers import make_stepper
from gamedyn.gan.building import build_trainer
from gamedyn.gan.config import TrainConfig, resolve
from gamedyn.gan.data import load_digits
from gamedyn.gan.losses import GANLoss
from gamedyn.gan.metrics import frechet_distance
from gamedyn.gan.steps import StepRecord
from gamedyn.gan.steps.alternating import DrawBatch
from gamedyn.gan.trials import features_at, moments, run_trial

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
CONFIG = TrainConfig(optimizer="adam", steps=3, dim=4, latent=8, batch_size=8)


def pixels(images: Tensor) -> Tensor:
    return images.flatten(1)


def test_the_distance_is_that_of_the_run_that_the_trainer_does(tmp_path) -> None:
    trainer = build_trainer(CONFIG, make_stepper, tmp_path / "run")
    for _ in range(3):
        trainer.one_step()
    digits = load_digits()
    every = digits.batch(torch.arange(len(digits)))
    direct = frechet_distance(moments(pixels, [trainer.samples(1000)]), moments(pixels, [every]))
    trial = run_trial(CONFIG, make_stepper, pixels)
    assert trial.distance == pytest.approx(direct, rel=1e-6)
    torch.testing.assert_close(trial.images, trainer.samples(64))
    assert trial.failure == ""


def test_moments_do_not_depend_on_the_batches() -> None:
    images = torch.randn(30, 1, 4, 4)
    one, many = moments(pixels, [images]), moments(pixels, images.split(7))
    np.testing.assert_allclose(one.covariance, many.covariance, atol=1e-12)


class Failing:
    """Diverges at its second step, as an ordinary optimizer's step reports it."""

    noise = 0.0

    def __init__(self, message: str) -> None:
        self.message, self.steps = message, 0

    def step(
        self, generator: nn.Module, discriminator: nn.Module, loss: GANLoss, draw: DrawBatch
    ) -> StepRecord:
        self.steps += 1
        if self.steps == 2:
            raise ValueError(self.message)
        return StepRecord(0.0, 0.0)


def test_a_run_that_diverges_is_infinitely_far() -> None:
    trial = run_trial(CONFIG, lambda *_: Failing("the loss became nan: the run diverged"), pixels)  # type: ignore[arg-type,return-value]
    assert trial.distance == math.inf
    assert trial.failure.startswith("step 1: the loss became nan")
    assert trial.images.shape == (64, 1, 8, 8)
    assert trial.images.isfinite().all()


def test_other_errors_are_not_swallowed() -> None:
    with pytest.raises(ValueError, match="no labels"):
        run_trial(CONFIG, lambda *_: Failing("there are no labels"), pixels)  # type: ignore[arg-type,return-value]


def script(name: str) -> ModuleType:
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.mark.parametrize("method", ["DCGAN", "LSGAN", "WGAN (clipping)", "WGAN-GP"])
def test_varied_architectures_at_paper_scale_are_the_codes_at_64x64(method: str) -> None:
    module = script("wgan_gp_varied_architectures")
    args = module.Args(scale="paper", data_root="somewhere", extractor="torch.nn:Flatten")
    for architecture in module.VARIANTS:
        config = resolve(module.config_of(architecture, method, args))
        assert (config.dataset, config.data_root, config.image_size) == ("cifar10", "somewhere", 64)
        assert (config.init, config.steps, config.dim, config.batch_size) == ("uniform", 200_000, 64, 64)
        assert config.lr == module.METHODS[method]["lr"]
        norm = {"no-norm": None}.get(architecture, "layer" if method == "WGAN-GP" else "batch")
        assert config.critic_norm == norm
    smaller = resolve(module.config_of("dcgan", method, module.Args(scale="laptop")))
    assert (smaller.dataset, smaller.init) == ("digits", "tflib")


@pytest.mark.parametrize("method", ["standard GAN", "WGAN-GP"])
def test_random_architectures_at_paper_scale_are_on_cifar10(method: str) -> None:
    module = script("wgan_gp_random_architectures")
    for index in range(4):
        config = resolve(module.config_of(method, index, module.Args(scale="paper")))
        assert (config.dataset, config.image_size, config.init) == ("cifar10", None, "tflib")
        assert (config.architecture, config.architecture_index) == ("random", index)
        assert (config.steps, config.lr) == (100_000, module.METHODS[method]["lr"])


def test_features_of_trials_are_the_extractors_that_are_named() -> None:
    images = load_digits().batch(torch.arange(4))
    torch.testing.assert_close(features_at("smoke")(images), pixels(images))
    assert features_at("laptop")(images).shape == (4, 64)
    torch.testing.assert_close(features_at("paper", "torch.nn:Flatten")(images), pixels(images))
    with pytest.raises(ValueError, match="--extractor"):
        features_at("paper")
