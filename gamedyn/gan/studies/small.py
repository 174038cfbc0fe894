"""Two comparisons that two processors can carry: CIFAR-10 for a while, digits for very many steps."""

from __future__ import annotations

from typing import Any

from gamedyn.gan.presets.methods import DCGAN_ADAM, GP_ADAM
from gamedyn.gan.studies.papers import images, scored
from gamedyn.gan.studies.study import Method, Scale, Study

RATES = (1e-4, 2e-4, 5e-4, 1e-3)
# The solve that was the default of `gamedyn train` when the published rows were made.
ACGD: dict[str, Any] = {"optimizer": "acgd", "max_iter": 2, "precision": "float32"}
DIGITS: dict[str, Any] = {"dataset": "digits", "dim": 8, "latent": 32, "batch_size": 32, "init": "torch"}
SMOKE: dict[str, Any] = {"dataset": "digits", "dim": 4, "latent": 8, "batch_size": 8}


def cifar10_short(scale: Scale, extractor: str) -> Study:
    """Give the study of which method trains at all on CIFAR-10 within some thousand steps.

    Every method has the best of four learning rates, chosen on another seed than those that are reported.

    Args:
        scale: `laptop`: DIM 32, 3,000 to 10,000 generator steps; `paper`: DIM 64, 50,000; `smoke`: digits, 4.
        extractor: What features are taken by.

    Returns:
        The study.
    """
    long = {"smoke": 4, "laptop": 10_000, "paper": 50_000}[scale]
    rest = {"smoke": 4, "laptop": 3_000, "paper": 50_000}[scale]
    every = {"smoke": 2, "laptop": 500, "paper": 2_500}[scale]
    shared: dict[str, Any] = {"dataset": "cifar10", "dim": 64 if scale == "paper" else 32}
    if scale == "smoke":
        shared = SMOKE
    return Study(
        name="cifar10-short",
        title=f"Some thousand steps on {images(scale)}",
        claim="Adam on the unregularised WGAN fails where ACGD on the unregularised WGAN trains.",
        shared={**shared, **scored(extractor, every, 80 if scale == "smoke" else 2_000)},
        methods=[
            Method("ACGD, WGAN", {**ACGD, "loss": "wgan"}, long),
            Method("Adam, WGAN", {**DCGAN_ADAM, "loss": "wgan"}, rest),
            Method("ACGD, minimax", {**ACGD, "loss": "minimax"}, rest),
            Method("Adam, non-saturating", DCGAN_ADAM, long),
            Method("Adam, non-saturating + spectral norm", {**DCGAN_ADAM, "spectral_norm": True}, rest),
            Method("Adam, WGAN-GP", GP_ADAM, long),
        ],
        steps=rest,
        rates=RATES,
        pilot_steps={"smoke": 2, "laptop": 1_500, "paper": 5_000}[scale],
    )


def digits_long(scale: Scale, extractor: str) -> Study:
    """Give the study of what happens late: a hundred thousand steps on scikit-learn's 8x8 digits.

    The runs that choose a learning rate are a result of their own: over how many rates a method ends well.

    Args:
        scale: `laptop`: 100,000 generator steps, rates chosen at a quarter of them; `paper`: 400,000, rates
            chosen at full length; `smoke`: 4.
        extractor: What features are taken by.

    Returns:
        The study.
    """
    steps = {"smoke": 4, "laptop": 100_000, "paper": 400_000}[scale]
    every = {"smoke": 2, "laptop": 2_500, "paper": 10_000}[scale]
    shared = {
        **(SMOKE if scale == "smoke" else DIGITS),
        **scored(extractor, every, 80 if scale == "smoke" else 2_000),
        "sample_every": max(every, 1),
        "log_every": max(every // 25, 1),
    }
    return Study(
        name="digits-long",
        title="A hundred thousand steps on digits",
        claim="Late in training ACGD without a regulariser overtakes, and stays where Adam drifts or "
        "collapses.",
        shared=shared,
        methods=[
            Method("ACGD, WGAN", {**ACGD, "loss": "wgan"}),
            Method("Adam, WGAN", {**DCGAN_ADAM, "loss": "wgan"}),
            Method("ACGD, minimax", {**ACGD, "loss": "minimax"}),
            Method("Adam, non-saturating", DCGAN_ADAM),
        ],
        steps=steps,
        rates=RATES,
        pilot_steps={"smoke": 2, "laptop": 25_000, "paper": steps}[scale],
    )
