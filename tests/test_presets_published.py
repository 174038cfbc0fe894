"""The presets' numbers, typed a second time from the papers and their codes."""

from __future__ import annotations

from typing import Any

import pytest

from gamedyn.gan.config import resolve
from gamedyn.gan.presets import PRESETS

# ICR: 600 epochs of 781 batches. WGAN-GP: gan_cifar.py, gan_cifar_resnet.py, section 5, appendices B, E, F.
TABLE = """
name                        optimizer loss           lr   beta1 beta2 gp n_critic clip steps   dim lr_decay
icr-acgd-wgan               acgd      wgan           1e-4 -     .99   0  -        -    468_600 64  none
icr-acgd-minimax            acgd      minimax        1e-4 -     .99   0  -        -    468_600 64  none
icr-acgd-wgan-l2            acgd      wgan           1e-4 -     .99   0  -        -    468_600 64  none
icr-acgd-wgan-gp            acgd      wgan           1e-4 -     .99   10 -        -    468_600 64  none
icr-acgd-wgan-dropout       acgd      wgan           1e-4 -     .99   0  -        -    468_600 64  none
icr-adam-wgan-gp            adam      wgan           1e-4 .5    .99   10 5        -    468_600 64  none
icr-adam-wgan-sn            adam      wgan           2e-4 .5    .99   0  1        -    468_600 64  none
icr-adam-wgan               adam      wgan           1e-4 .5    .99   0  1        -    468_600 64  none
icr-adam-minimax            adam      non-saturating 2e-4 .5    .999  0  1        -    468_600 64  none
wgan-gp-dcgan               adam      wgan           1e-4 .5    .9    10 5        -    200_000 128 none
wgan-gp-rmsprop             rmsprop   wgan           5e-5 -     .9    10 5        -    200_000 128 none
wgan-clip                   rmsprop   wgan           5e-5 -     .9    0  5        .01  200_000 128 none
dcgan-adam                  adam      non-saturating 2e-4 .5    .999  0  1        -    200_000 128 none
wgan-gp-resnet              adam      wgan           2e-4 0     .9    10 5        -    100_000 128 linear
wgan-gp-resnet-conditional  adam      wgan           2e-4 0     .9    10 5        -    100_000 128 linear
varied-dcgan                adam      wgan           1e-4 .5    .9    10 5        -    200_000 64  none
varied-constant-filters     adam      wgan           1e-4 .5    .9    10 5        -    200_000 64  none
varied-mlp-generator        adam      wgan           1e-4 .5    .9    10 5        -    200_000 64  none
varied-no-norm              adam      wgan           1e-4 .5    .9    10 5        -    200_000 64  none
varied-gated                adam      wgan           1e-4 .5    .9    10 5        -    200_000 64  none
varied-tanh                 adam      wgan           1e-4 .5    .9    10 5        -    200_000 64  none
varied-resnet101            adam      wgan           1e-4 .5    .9    10 5        -    200_000 64  none
lsgan                       rmsprop   lsgan          1e-4 -     .9    0  1        -    200_000 64  none
random-architecture-wgan-gp adam      wgan           1e-4 0     .9    10 5        -    100_000 64  none
random-architecture-gan     adam      non-saturating 2e-4 .5    .999  0  1        -    100_000 64  none
"""
APART: dict[str, dict[str, Any]] = {
    "icr-acgd-wgan-l2": {"weight_decay": 1e-4},
    "icr-acgd-wgan-dropout": {"dropout": 0.5},
    "icr-adam-wgan-sn": {"spectral_norm": True},
    "wgan-gp-resnet": {"generator_batches": 2, "dequantise": True},
    "wgan-gp-resnet-conditional": {"generator_batches": 2, "dequantise": True},
}
COMMON = {
    "batch_size": 64,
    "latent": 128,
    "weight_decay": 0.0,
    "dropout": 0.0,
    "spectral_norm": False,
    "generator_batches": None,
    "dequantise": False,
    "r1": 0.0,
    "r2": 0.0,
    "ema": 0.0,
    "gp_sides": "two",
    "instance_noise": 0.0,
    "label_smoothing": 0.0,
    "curvature_batch": 1.0,
}
STAND_INS = {"rpgan-r1-r2", "hinge-sn"}
"""Presets that repeat no paper's run."""
HEADER, *ROWS = (line.split() for line in TABLE.strip().splitlines())


def read(word: str) -> float | str | None:
    """A number, nothing for a dash, else the word."""
    try:
        return None if word == "-" else float(word)
    except ValueError:
        return word


def test_every_preset_of_a_papers_run_is_in_the_table() -> None:
    assert [name for name, *_ in ROWS] == [name for name in PRESETS if name not in STAND_INS]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_preset_has_the_published_numbers(row: list[str]) -> None:
    published = dict(zip(HEADER[1:], map(read, row[1:]), strict=True))
    published |= {"max_lr": published["lr"], **COMMON, **APART.get(row[0], {})}
    config = resolve(PRESETS[row[0]].config())
    assert {name: getattr(config, name) for name in published} == published


@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("icr-")])
def test_the_icr_runs_have_their_code_s_networks_and_weights(name: str) -> None:
    config = resolve(PRESETS[name].config())
    assert config.architecture == "icr-dcgan"
    assert config.init == ("icr-adam" if name == "icr-adam-wgan-gp" else "icr")
