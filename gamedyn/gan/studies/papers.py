"""The comparisons of two papers on CIFAR-10: implicit competitive regularisation, and WGAN-GP."""

from __future__ import annotations

from typing import Any

from gamedyn.gan.config import TrainConfig
from gamedyn.gan.presets.icr import ACGD, ACGD_RATES, ADAM
from gamedyn.gan.presets.methods import CLIPPING_RMSPROP, DCGAN_ADAM, GP_ADAM, GP_RMSPROP
from gamedyn.gan.studies.study import Method, Scale, Study

PENALTIES: dict[str, dict[str, Any]] = {
    "": {},
    " + weight decay": {"weight_decay": 1e-4},
    " + gradient penalty": {"gp": 10.0},
    " + spectral norm": {"spectral_norm": True},
}


def icr_cifar10(scale: Scale, extractor: str) -> Study:
    """Give the study of Schäfer, Zheng and Anandkumar: which regulariser does which optimizer need.

    Both losses (with Adam the minimax game becomes the non-saturating one, as in their code), four
    regularisers of the discriminator, Adam and ACGD. The learning rate is theirs, 1e-4, for all. Gradient
    penalties take five discriminator steps with Adam, as in the WGAN-GP paper, and one with ACGD, which moves
    both players at once. Off the paper's scale the solve has the
    defaults of `gamedyn train`.

    Args:
        scale: `paper`: DIM 64, 468,600 generator steps; `laptop`: DIM 32, 1,500; `smoke`: digits, 4.
        extractor: What features are taken by.

    Returns:
        The study.

    References:
        Schäfer, Zheng and Anandkumar, Implicit competitive regularization in GANs, 2020, section 4.
    """
    shared = sizes(scale, extractor, paper=468_600, laptop=1_500)
    if scale == "paper":
        shared |= {"init": "icr"}
    acgd = ACGD if scale == "paper" else ACGD_RATES
    methods = []
    for name, loss in (("WGAN", "wgan"), ("minimax", "minimax")):
        for words, penalty in PENALTIES.items():
            critics = {"n_critic": 5} if "gp" in penalty else {}
            methods += [
                Method(f"ACGD, {name}{words}", {**acgd, "loss": loss, **penalty}),
                Method(
                    f"Adam, {'WGAN' if loss == 'wgan' else 'non-saturating'}{words}",
                    {**ADAM, "loss": "wgan" if loss == "wgan" else "non-saturating", **penalty, **critics},
                ),
            ]
    return Study(
        name="icr-cifar10",
        title=f"Which regulariser does which optimizer need? {images(scale)}",
        claim="ACGD with the WGAN loss and no explicit regulariser reaches the best scores, and ACGD is more "
        "consistent than Adam over losses and regularisers.",
        shared=shared,
        methods=methods,
        steps={"paper": 468_600, "laptop": 1_500, "smoke": 4}[scale],
    )


def wgan_gp_cifar10(scale: Scale, extractor: str) -> Study:
    """Give the study of Figure 3 of the WGAN-GP paper: clipping against the penalty, over steps and time.

    Args:
        scale: `paper`: DIM 128, 200,000 generator steps; `laptop`: DIM 32, 1,500; `smoke`: digits, 4.
        extractor: What features are taken by.

    Returns:
        The study.

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, figure 3; `gan_cifar.py` of its code.
    """
    shared = sizes(scale, extractor, paper=200_000, laptop=1_500)
    if scale == "paper":
        shared |= {"dim": 128, "init": "tflib"}
    return Study(
        name="wgan-gp-cifar10",
        title=f"Weight clipping against the gradient penalty, {images(scale)}",
        claim="The gradient penalty beats weight clipping with the same RMSProp, and with Adam it is better "
        "still; a DCGAN is faster in time, but less steady at the end.",
        shared=shared,
        methods=[
            Method("WGAN, clipping, RMSProp", {**CLIPPING_RMSPROP, "critic_norm": "batch"}),
            Method("WGAN-GP, RMSProp", GP_RMSPROP),
            Method("WGAN-GP, Adam", GP_ADAM),
            Method("DCGAN, Adam", {**DCGAN_ADAM, "critic_norm": "batch"}),
        ],
        steps={"paper": 200_000, "laptop": 1_500, "smoke": 4}[scale],
    )


def images(scale: Scale) -> str:
    """Say which images a study of CIFAR-10 takes at a scale.

    Args:
        scale: How large.

    Returns:
        Their name.
    """
    return "digits" if scale == "smoke" else "CIFAR-10"


def sizes(scale: Scale, extractor: str, *, paper: int, laptop: int) -> dict[str, Any]:
    """Give what all runs of a CIFAR-10 study share.

    Args:
        scale: How large.
        extractor: What features are taken by.
        paper: Generator steps at the paper's scale.
        laptop: Generator steps on two cores.

    Returns:
        Settings: at the smallest scale those of digits.
    """
    if scale == "smoke":
        small = {"dataset": "digits", "dim": 4, "latent": 8, "batch_size": 8}
        return {**small, **scored(extractor, 2, 80), "log_every": 1, "sample_every": 4}
    if scale == "laptop":
        return {"dataset": "cifar10", "dim": 32, **scored(extractor, laptop // 6, 2_000)}
    return {"dataset": "cifar10", "dim": 64, **scored(extractor, paper // 40, 50_000)}


def scored(extractor: str, every: int, samples: int) -> dict[str, Any]:
    """Give the settings of scores along the way, against no fewer images than samples.

    Args:
        extractor: What features are taken by.
        every: Generator steps between two scores.
        samples: Samples that a score is computed from.

    Returns:
        Settings.
    """
    references = max(samples, TrainConfig.eval_references)
    return {
        "extractor": extractor,
        "eval_every": every,
        "eval_samples": samples,
        "eval_references": references,
    }
