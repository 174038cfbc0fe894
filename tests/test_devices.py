"""On a GPU: the processor's steps and scores, autograd's products, runs that resume, every preset."""

from __future__ import annotations

import copy
import json
import math
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from gan_games import FALLBACKS, KINDS, PAIRS, assert_by_structure_as_by_autograd, error, made
from optim_db import OPTIMIZERS, OptimizerInfo
from small_game import everyone, game, general
from test_gan_training import same, start, untimed
from torch import Tensor

from gamedyn.cli import main
from gamedyn.gan.losses import LOSSES
from gamedyn.gan.models.pairs import build_pair
from gamedyn.gan.objective import GANObjective
from gamedyn.gan.presets import PRESETS
from gamedyn.gan.runlog import read_log
from gamedyn.optimizers import ACGD, CGD

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
DEVICE = "cuda"


@pytest.fixture(autouse=True)
def exact_arithmetic() -> Iterator[None]:
    """Float32 without TF32, the same kernels every time."""
    backends = torch.backends
    before = backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32, backends.cudnn.deterministic
    backends.cudnn.allow_tf32 = backends.cuda.matmul.allow_tf32 = False
    backends.cudnn.deterministic = True
    yield
    backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32, backends.cudnn.deterministic = before


def on_device(objective: GANObjective) -> GANObjective:
    twin = copy.deepcopy(objective)
    twin.generator.to(DEVICE)
    twin.discriminator.to(DEVICE)
    return twin


def on_processor(tensors: list[Tensor]) -> list[Tensor]:
    return [tensor.detach().cpu() for tensor in tensors]


@pytest.mark.parametrize("general_sum", [False, True], ids=["zero-sum", "general-sum"])
@pytest.mark.parametrize("info", OPTIMIZERS, ids=repr)
def test_steps_are_those_of_the_processor(info: OptimizerInfo, general_sum: bool) -> None:
    for kwargs in info.inputs.values():
        if kwargs.get("engine") == "scipy":
            continue  # numpy's arrays live on the host
        pairs = [game(), game()]
        for parameter in everyone(pairs[1][0]):
            parameter.data = parameter.data.to(DEVICE)
        for pair, value in pairs:
            opt = info.build(pair, **kwargs)
            for _ in range(4):
                opt.step(general(value, pair) if general_sum else value)
        ours, theirs = (on_processor(everyone(pair)) for pair, _ in pairs)
        assert error(theirs, ours) < 1e-12, kwargs


@pytest.mark.parametrize(
    ("loss", "dtype"),
    [
        *((loss, torch.float64) for loss in sorted(LOSSES)),
        ("minimax", torch.float32),
        ("wgan", torch.float32),
    ],
)
@pytest.mark.parametrize("pair", PAIRS)
def test_structured_products_are_autograds(pair: str, loss: str, dtype: torch.dtype) -> None:
    game, real, latent = made(pair, loss, dtype)
    assert_by_structure_as_by_autograd(
        on_device(game), real.to(DEVICE), latent.to(DEVICE), FALLBACKS.get(pair, set()), float32=2e-5
    )


@pytest.mark.parametrize("part", [1.0, 0.5])
@pytest.mark.parametrize("loss", KINDS)
@pytest.mark.parametrize("optimizer", [CGD, ACGD])
def test_structured_steps_are_those_of_the_processor(optimizer: type, loss: str, part: float) -> None:
    processor, real, latent = made("the DCGAN", loss, torch.float64, batch=8)
    games = [processor, on_device(processor)]
    for objective in games:
        objective.curvature_batch = part
        opt = optimizer(
            objective.generator.parameters(), objective.discriminator.parameters(), lr=1e-3, rtol=1e-12
        )
        device = next(objective.generator.parameters()).device
        for _ in range(3):
            opt.step(objective.on(real.to(device), latent.to(device)))
            assert opt.last_step.converged
    ours, theirs = (
        on_processor([*objective.generator.parameters(), *objective.discriminator.parameters()])
        for objective in games
    )
    assert error(theirs, ours) < 1e-8


@pytest.mark.parametrize("loss", ["minimax", "wgan"])
def test_relaxed_steps_compute_in_bfloat16_and_meet_their_tolerance(loss: str) -> None:
    pair = build_pair((3, 32, 32), dim=16, latent=32, seed=0)
    objective = on_device(GANObjective(*pair, LOSSES[loss], precision="relaxed"))
    opt = ACGD(objective.generator.parameters(), objective.discriminator.parameters(), lr=1e-4, rtol=1e-2)
    draws = torch.Generator().manual_seed(0)
    for _ in range(5):
        real, latent = (torch.randn(16, *shape, generator=draws).to(DEVICE) for shape in ((3, 32, 32), (32,)))
        game = objective.on(real.tanh(), latent)
        found = game.linearise(
            list(objective.generator.parameters()), list(objective.discriminator.parameters())
        )
        assert found is not None
        assert found.relaxed is not None
        u = [torch.randn_like(p) for p in objective.generator.parameters()]
        assert 1e-4 < error(found.relaxed[0](u), found.forward(u)) < 0.05
        opt.step(game)
        assert opt.last_step.converged
        assert opt.last_step.residual <= 1e-2


@pytest.mark.parametrize("check_every", [1, 4])
def test_a_structured_step_waits_once_a_check_and_a_few_times_more(check_every: int) -> None:
    pair = build_pair((3, 32, 32), dim=8, latent=16, seed=0)
    objective = on_device(GANObjective(*pair, LOSSES["wgan"]))
    opt = ACGD(
        objective.generator.parameters(),
        objective.discriminator.parameters(),
        lr=1e-2,
        rtol=1e-4,
        check_every=check_every,
    )
    real, latent = torch.randn(8, 3, 32, 32, device=DEVICE), torch.randn(8, 16, device=DEVICE)
    for _ in range(3):
        opt.step(objective.on(real, latent))
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            opt.step(objective.on(real, latent))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    report = opt.last_step
    assert report is not None
    assert report.converged
    assert report.iterations > 8
    waits = sum("synchronizing CUDA operation" in str(warning.message) for warning in caught)
    assert 0 < waits <= math.ceil(report.iterations / check_every) + 4


def test_memory_stays_flat_over_steps() -> None:
    pair = build_pair((3, 32, 32), dim=8, latent=16, seed=0)
    objective = on_device(GANObjective(*pair, LOSSES["wgan"]))
    opt = ACGD(objective.generator.parameters(), objective.discriminator.parameters(), lr=1e-3, max_iter=3)
    real, latent = torch.randn(8, 3, 32, 32, device=DEVICE), torch.randn(8, 16, device=DEVICE)
    held = []
    for _ in range(8):
        opt.step(objective.on(real, latent))
        held.append(torch.cuda.memory_allocated())
    assert len(set(held[2:])) == 1


@pytest.mark.parametrize("optimizer", ["simgd", "altgd", "cgd", "acgd", "adam"])
def test_a_resumed_run_is_the_same_run(optimizer: str, tmp_path: Path) -> None:
    whole = start(tmp_path / "whole", optimizer=optimizer, device=DEVICE)
    whole.run()
    start(tmp_path / "parts", optimizer=optimizer, device=DEVICE, steps=3).run()
    rest = start(tmp_path / "parts", optimizer=optimizer, device=DEVICE, resume=True)
    rest.run()
    assert rest.step == 6
    assert next(rest.generator.parameters()).device.type == DEVICE
    assert same(untimed(whole.state_dict()), untimed(rest.state_dict()))


def test_a_run_starts_from_the_processors_weights_and_batches(tmp_path: Path) -> None:
    runs = [start(tmp_path / name, device=name, steps=1, dim=4, lr=1e-4) for name in ("cpu", DEVICE)]
    moves = []
    for run in runs:
        before = on_processor(list(map(torch.clone, run.generator.parameters())))
        run.run()
        moves.append(
            [b - a for a, b in zip(before, on_processor(list(run.generator.parameters())), strict=True)]
        )
    assert error(moves[1], moves[0]) < 0.05


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_trains_and_is_scored(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "extractor_of_tests.py").write_text(
        "def pixels(images):\n    return images.flatten(1)[:, ::8]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    scored = ["--extractor", "extractor_of_tests:pixels", "--eval-samples", "20"]
    tiny = ["--dataset", "digits", "--batch-size", "4", "--dim", "4", "--latent", "3", "--threads", "1"]
    out = ["--out", str(tmp_path / "run")]
    assert main(["train", "--preset", name, *tiny, *scored, "--steps", "2", "--device", DEVICE, *out]) == 0
    last = read_log(tmp_path / "run" / "log.jsonl")[-1]
    assert last["step"] == 2
    assert any(key.startswith("FD") and math.isfinite(value) for key, value in last.items())


def test_scores_and_samples_are_those_of_the_processor(tmp_path: Path) -> None:
    tiny = ["--dataset", "digits", "--batch-size", "8", "--dim", "4", "--latent", "3", "--steps", "2"]
    run = tmp_path / "run"
    assert main(["train", *tiny, "--device", DEVICE, "--out", str(run)]) == 0
    scores = []
    for device in ("cpu", DEVICE):
        out = tmp_path / f"{device}.json"
        flags = ["--extractor", "gamedyn.gan.metrics.digits:digits", "--samples", "100", "--out", str(out)]
        assert main(["evaluate", str(run), *flags, "--device", device]) == 0
        scores.append(out.read_text(encoding="utf-8"))
        picture = tmp_path / f"{device}.png"
        assert main(["sample", str(run), "--device", device, "--out", str(picture)]) == 0
        assert picture.stat().st_size > 0
    ours, theirs = (
        {key: value for key, value in json.loads(text)["scores"].items() if isinstance(value, float)}
        for text in scores
    )
    assert ours
    assert theirs == pytest.approx(ours, rel=1e-3)
