"""The loop: exact resume for every optimizer, statistics once a step, nothing lost on the way."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gamedyn.cli.steppers import make_stepper
from gamedyn.gan.batch import Batch
from gamedyn.gan.building import build_trainer
from gamedyn.gan.config import COMPETITIVE, TrainConfig, resolve
from gamedyn.gan.data import ImageSource
from gamedyn.gan.data.images import image_set
from gamedyn.gan.devices import open_device
from gamedyn.gan.interrupts import deferred_interrupts
from gamedyn.gan.models import build_pair
from gamedyn.gan.runlog import read_log
from gamedyn.gan.steps import Alternating
from gamedyn.gan.training import Trainer
from gamedyn.optimizers import AltGD, SimGD

OPTIMIZERS = ["simgd", "altgd", "cgd", "acgd", "adam"]


def settings(**changes: Any) -> TrainConfig:
    base: dict[str, Any] = {
        "steps": 6,
        "batch_size": 5,
        "dim": 3,
        "latent": 4,
        "log_every": 1,
        "sample_every": 3,
        "checkpoint_every": 3,
    }
    if changes.get("optimizer", "acgd") in COMPETITIVE:
        base["max_iter"] = 4
    return resolve(TrainConfig(**(base | changes)))


def start(folder: Path, *, resume: bool = False, measure: Any = None, **changes: Any) -> Trainer:
    pixels = torch.randint(0, 256, (23, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    config = settings(**changes)
    images = image_set(pixels.to(torch.uint8))
    source = ImageSource(images, batch_size=int(config.batch_size or 0), seed=config.seed)
    return build_trainer(config, make_stepper, folder, resume=resume, source=source, measure=measure)


def same(a: object, b: object) -> bool:
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and torch.equal(a, b)
    if isinstance(a, Mapping):
        return isinstance(b, Mapping) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(same, a, b))
    return a == b


def untimed(state: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in state.items() if not key.endswith("seconds")}


@pytest.mark.parametrize("loss", ["minimax", "non-saturating", "wgan"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_resumed_run_is_the_same_run(optimizer: str, loss: str, tmp_path: Path) -> None:
    whole = start(tmp_path / "whole", optimizer=optimizer, loss=loss)
    whole.run()
    start(tmp_path / "parts", optimizer=optimizer, loss=loss, steps=3).run()
    rest = start(tmp_path / "parts", optimizer=optimizer, loss=loss, resume=True)
    rest.run()
    assert rest.step == 6
    assert same(untimed(whole.state_dict()), untimed(rest.state_dict()))
    logs = [list(map(untimed, read_log(tmp_path / run / "log.jsonl"))) for run in ("whole", "parts")]
    assert [line["step"] for line in logs[0]] == [1, 2, 3, 4, 5, 6]
    assert logs[0] == logs[1]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_running_statistics_advance_once_a_step(optimizer: str, tmp_path: Path) -> None:
    trainer = start(tmp_path / "run", optimizer=optimizer)
    trainer.run()
    assert int(trainer.generator.project_norm.num_batches_tracked) == 6  # type: ignore[union-attr, arg-type]


def test_a_run_on_the_same_seed_has_the_same_bits_whatever_the_global_generator_holds(tmp_path: Path) -> None:
    states = []
    for run in range(2):
        torch.manual_seed(run)
        trainer = start(tmp_path / str(run))
        trainer.run()
        states.append({key: trainer.state_dict()[key] for key in ("generator", "discriminator", "stepper")})
    assert same(*states)


def test_methods_see_the_same_batches_and_noise(tmp_path: Path) -> None:
    seen: dict[str, list[Tensor]] = {}
    for optimizer in OPTIMIZERS:
        trainer = start(tmp_path / optimizer, optimizer=optimizer)
        trainer.run()
        state = trainer.state_dict()
        seen[optimizer] = [state["noise"], state["source"]["permutation"], state["source"]["generator"]]
    assert all(same(seen["acgd"], other) for other in seen.values())


@pytest.mark.parametrize("optimizer", ["simgd", "altgd"])
def test_steps_are_those_of_plain_optimizers(optimizer: str) -> None:
    config = settings(optimizer=optimizer, loss="wgan", lr=0.1)
    pairs = [build_pair((2,), dim=8, latent=4, seed=0) for _ in range(2)]
    real, latent = torch.randn(5, 2), torch.randn(5, 4)
    from gamedyn.gan.losses import LOSSES

    make_stepper(*pairs[0], config).step(*pairs[0], LOSSES["wgan"], partial(Batch, real, latent))
    generator, discriminator = pairs[1]
    plain = (SimGD if optimizer == "simgd" else AltGD)(
        generator.parameters(), discriminator.parameters(), lr=0.1
    )
    plain.step(lambda: discriminator(real).mean() - discriminator(generator(latent)).mean())
    for ours, theirs in zip(pairs[0], pairs[1], strict=True):
        assert same(ours.state_dict(), theirs.state_dict())


def test_alternating_moves_the_discriminator_first_and_on_detached_fakes() -> None:
    from gamedyn.gan.losses import LOSSES

    ours = build_pair((2,), dim=8, latent=4, seed=0)
    generator, discriminator = build_pair((2,), dim=8, latent=4, seed=0)
    real, latent = torch.randn(5, 2), torch.randn(5, 4)
    loss = LOSSES["non-saturating"]
    sgd = [torch.optim.SGD(network.parameters(), lr=0.1) for network in ours]
    Alternating(*sgd).step(*ours, loss, partial(Batch, real, latent))
    assert all(parameter.requires_grad for parameter in ours[1].parameters())

    def descend(network: nn.Module, value: Tensor) -> None:
        parameters = list(network.parameters())
        for parameter, gradient in zip(parameters, torch.autograd.grad(value, parameters), strict=True):
            parameter.data.sub_(0.1 * gradient)

    descend(discriminator, loss.discriminator(discriminator(real), discriminator(generator(latent).detach())))
    descend(generator, loss.generator(discriminator(generator(latent))))
    for mine, hand in zip(ours, (generator, discriminator), strict=True):
        for a, b in zip(mine.parameters(), hand.parameters(), strict=True):
            torch.testing.assert_close(a, b)


def test_adam_stops_at_a_loss_that_is_not_finite(tmp_path: Path) -> None:
    trainer = start(tmp_path / "run", optimizer="adam")
    with torch.no_grad():
        next(trainer.generator.parameters()).fill_(float("nan"))
    with pytest.raises(ValueError, match="lower --lr"):
        trainer.run()


def test_samples_come_from_the_same_noise_in_evaluation_mode(tmp_path: Path) -> None:
    measured: list[Tensor] = []

    def measure(samples: Tensor) -> dict[str, float]:
        measured.append(samples)
        return {"spread": float(samples.std())}

    trainer = start(tmp_path / "run", measure=measure)
    first = trainer.samples(7)
    assert torch.equal(first, trainer.samples(7))
    assert trainer.generator.training
    trainer.run()
    assert [len(samples) for samples in measured] == [1000, 1000]
    assert [line["step"] for line in read_log(tmp_path / "run" / "log.jsonl") if "spread" in line] == [3, 6]


def test_a_time_limit_ends_a_run_with_its_checkpoint(tmp_path: Path) -> None:
    trainer = start(tmp_path / "run", steps=1000, log_every=1000, sample_every=1000, checkpoint_every=1000)
    trainer.run(seconds=0.0)
    assert trainer.step == 1
    assert read_log(tmp_path / "run" / "log.jsonl")[-1]["step"] == 1
    assert (tmp_path / "run" / "checkpoint-00000001.pt").exists()


def test_an_interrupt_between_steps_saves_and_resumes_exactly(tmp_path: Path) -> None:
    whole = start(tmp_path / "whole")
    whole.run()
    trainer = start(tmp_path / "run")
    one_step = trainer.one_step

    def interrupted() -> Any:
        record = one_step()
        if trainer.step == 2:
            signal.raise_signal(signal.SIGINT)
        return record

    trainer.one_step = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    assert (tmp_path / "run" / "checkpoint-00000002.pt").exists()
    rest = start(tmp_path / "run", resume=True)
    rest.run()
    assert same(untimed(whole.state_dict()), untimed(rest.state_dict()))


def test_the_second_interrupt_acts_at_once() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    try:
        with deferred_interrupts() as interruption:
            signal.raise_signal(signal.SIGINT)
            assert interruption.requested
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_sigterm_may_come_twice() -> None:
    """Pools of processes and batch systems send it again while a run saves; Ctrl-C still acts at once."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with deferred_interrupts() as interruption:
            for _ in range(3):
                signal.raise_signal(signal.SIGTERM)
            assert interruption.requested
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_unknown_devices_are_refused() -> None:
    with pytest.raises(ValueError, match="'abacus'"):
        open_device("abacus")


REGULARISED: dict[str, dict[str, Any]] = {
    "clipping, five critic steps": {"optimizer": "rmsprop", "loss": "wgan", "clip": 0.01, "n_critic": 5},
    "gradient penalty": {"optimizer": "adam", "loss": "wgan", "gp": 10, "n_critic": 2, "lr_decay": "linear"},
    "the generator's own batches": {"optimizer": "adam", "generator_batches": 2, "instance_noise": 0.5},
    "one-sided, played at once": {"optimizer": "acgd", "loss": "wgan", "gp": 10, "gp_sides": "one"},
    "pairs with R1 and R2": {"optimizer": "adam", "loss": "rpgan", "r1": 1, "r2": 1, "ema": 0.9},
    "pairs played at once": {"optimizer": "cgd", "loss": "rpgan", "r1": 1},
    "everything inside the critic": {
        "optimizer": "adam",
        "loss": "hinge",
        "spectral_norm": True,
        "dropout": 0.5,
        "weight_decay": 1e-3,
    },
    "noise and smoothing": {
        "optimizer": "sgd",
        "loss": "non-saturating",
        "instance_noise": 0.5,
        "label_smoothing": 0.1,
        "beta1": 0.5,
    },
    "noise and dropout, evaluated twice": {"optimizer": "altgd", "instance_noise": 0.5, "dropout": 0.5},
    "spectral norm under curvature": {"optimizer": "acgd", "spectral_norm": True, "weight_decay": 1e-3},
    "least squares, normalised": {"optimizer": "rmsprop", "loss": "lsgan", "critic_norm": "layer", "gp": 1},
    "curvature of a normalised critic": {"optimizer": "acgd", "critic_norm": "group", "gp": 10},
}


@pytest.mark.parametrize("case", REGULARISED)
def test_a_regularised_run_resumes_exactly_and_does_what_it_says(case: str, tmp_path: Path) -> None:
    changes = REGULARISED[case]
    whole = start(tmp_path / "whole", **changes)
    whole.run()
    assert whole.skipped == 0
    torch.manual_seed(99)  # whatever the global generator held before
    start(tmp_path / "parts", **changes).run(seconds=0.0)  # one step
    torch.manual_seed(98)
    rest = start(tmp_path / "parts", resume=True, **changes)
    rest.run()
    assert same(untimed(whole.state_dict()), untimed(rest.state_dict()))
    logs = [list(map(untimed, read_log(tmp_path / run / "log.jsonl"))) for run in ("whole", "parts")]
    assert logs[0] == logs[1]

    largest = max(float(parameter.detach().abs().max()) for parameter in whole.discriminator.parameters())
    assert (largest <= 0.0101) is ("clip" in changes)
    visits = int(whole.source.order.position)  # type: ignore[attr-defined]
    epochs, batches = divmod(6 * changes.get("n_critic", 1), 23 // 5)
    assert visits == 5 * (batches or 23 // 5), epochs
    assert whole.stepper.noise == pytest.approx(changes.get("instance_noise", 0.0) / 6)
    # Every regulariser is wired: the run without it ends elsewhere.
    for name in changes.keys() - {"optimizer", "loss", "ema", "gp", "critic_norm"}:
        plain = start(tmp_path / f"without {name}", **{key: changes[key] for key in changes if key != name})
        plain.run()
        assert not same(whole.discriminator.state_dict(), plain.discriminator.state_dict()), name
