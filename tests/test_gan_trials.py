"""Short runs for comparisons: the distance is that of the trained generator, and failures are results."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gamedyn.cli.steppers import make_stepper
from gamedyn.gan.building import build_trainer
from gamedyn.gan.config import TrainConfig
from gamedyn.gan.data import load_digits
from gamedyn.gan.losses import GANLoss
from gamedyn.gan.metrics import frechet_distance
from gamedyn.gan.steps import StepRecord
from gamedyn.gan.steps.alternating import DrawBatch
from gamedyn.gan.trials import features_at, moments, run_trial
from gamedyn.optimizers import DivergenceError

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


def test_what_a_penalty_draws_depends_on_the_seed_alone_and_is_that_of_a_run(tmp_path) -> None:
    config = replace(CONFIG, loss="wgan", gp=10.0, dropout=0.3)
    trainer = build_trainer(config, make_stepper, tmp_path / "run")
    trainer.run()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    trial = run_trial(config, make_stepper, pixels)
    assert torch.equal(trial.images, trainer.samples(1000)[:64])
    assert torch.equal(torch.get_rng_state(), state)


def test_moments_do_not_depend_on_the_batches() -> None:
    images = torch.randn(30, 1, 4, 4)
    one, many = moments(pixels, [images]), moments(pixels, images.split(7))
    np.testing.assert_allclose(one.covariance, many.covariance, atol=1e-12)


class Failing:
    """Diverges at its second step, as an ordinary optimizer's step reports it."""

    noise = 0.0

    def __init__(self, error: Exception) -> None:
        self.error, self.steps = error, 0

    def step(
        self, generator: nn.Module, discriminator: nn.Module, loss: GANLoss, draw: DrawBatch
    ) -> StepRecord:
        self.steps += 1
        if self.steps == 2:
            raise self.error
        return StepRecord(0.0, 0.0)


@pytest.mark.parametrize(
    "error",
    [ValueError("the loss became nan: the run diverged"), DivergenceError("20 steps skipped")],
)
def test_a_run_that_diverges_is_infinitely_far(error: Exception) -> None:
    trial = run_trial(CONFIG, lambda *_: Failing(error), pixels)  # type: ignore[arg-type,return-value]
    assert trial.distance == math.inf
    assert trial.failure == f"step 1: {error}"
    assert trial.images.shape == (64, 1, 8, 8)
    assert trial.images.isfinite().all()


def test_an_optimizer_for_games_that_gives_up_is_infinitely_far() -> None:
    config = replace(CONFIG, optimizer="simgd", loss="wgan", lr=1e37, steps=100)
    assert run_trial(config, make_stepper, pixels).distance == math.inf


@pytest.mark.parametrize("error", [ValueError("there are no labels"), RuntimeError("no memory")])
def test_other_errors_are_not_swallowed(error: Exception) -> None:
    with pytest.raises(type(error), match="no"):
        run_trial(CONFIG, lambda *_: Failing(error), pixels)  # type: ignore[arg-type,return-value]


def test_features_of_trials_are_the_extractors_that_are_named() -> None:
    images = load_digits().batch(torch.arange(4))
    torch.testing.assert_close(features_at("smoke")(images), pixels(images))
    assert features_at("laptop")(images).shape == (4, 64)
    torch.testing.assert_close(features_at("paper", "torch.nn:Flatten")(images), pixels(images))
    with pytest.raises(ValueError, match="--extractor"):
        features_at("paper")
