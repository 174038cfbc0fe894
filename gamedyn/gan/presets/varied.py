"""The architecture studies of Gulrajani et al., Improved Training of Wasserstein GANs (2017).

Six variations of a DCGAN at 64x64, each trained by WGAN-GP with one setting (section 5.2, appendix E; there
on LSUN bedrooms, here on CIFAR-10 resampled to 64x64), and networks drawn at random (section 5.1, Table 1;
there on ImageNet at 32x32). The other methods of the first study are flags away: DCGAN is `--gp 0
--n-critic 1 --critic-norm batch --loss non-saturating --lr 2e-4 --beta2 0.999`, and so on.
"""

from __future__ import annotations

from typing import Any

from gamedyn.gan.presets.methods import DCGAN_ADAM, GP_ADAM, LSGAN_RMSPROP
from gamedyn.gan.presets.preset import Preset

LARGE: dict[str, Any] = {
    "image_size": 64,
    "dim": 64,
    "latent": 128,
    "init": "tflib64",
    "steps": 200_000,
    "batch_size": 64,
    "log_every": 100,
    "sample_every": 2_000,
    "checkpoint_every": 2_000,
}
SMALL: dict[str, Any] = {**LARGE, "image_size": None, "init": "tflib", "steps": 100_000}
GP: dict[str, Any] = {**GP_ADAM, "critic_norm": "layer"}
SOURCE = "WGAN-GP, Figure 2, gan_64x64.py"
SEEN = "good samples (no numbers); of four methods the only one that trained all"

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "varied-dcgan": ("the unvaried DCGAN at 64x64", {"architecture": "dcgan"}),
    "varied-constant-filters": (
        "no normalisation and a constant number of filters in the generator",
        {"architecture": "constant-filters"},
    ),
    "varied-mlp-generator": ("a 4-layer ReLU MLP as generator", {"architecture": "mlp-generator"}),
    # The discriminator has no place for a normalisation.
    "varied-no-norm": ("no normalisation in either", {"architecture": "no-norm", "critic_norm": None}),
    "varied-gated": ("gated multiplicative nonlinearities everywhere", {"architecture": "gated"}),
    "varied-tanh": ("tanh nonlinearities everywhere", {"architecture": "tanh"}),
    "varied-resnet101": ("101-layer residual networks", {"architecture": "resnet101"}),
}

VARIED = {
    **{
        name: Preset(f"WGAN-GP: {what}", SOURCE, SEEN, {**GP, **settings}, LARGE)
        for name, (what, settings) in VARIANTS.items()
    },
    "lsgan": Preset(
        "least-squares GAN on the DCGAN at 64x64, BatchNorm in both",
        f"{SOURCE}; Mao et al., Least Squares GANs, 2017",
        "samples of the unvaried DCGAN only",
        {**LSGAN_RMSPROP, "architecture": "dcgan", "critic_norm": "batch"},
        LARGE,
    ),
    # Where the critic drew a normalisation the paper adds --weight-decay 1e-3.
    "random-architecture-wgan-gp": Preset(
        "a random architecture by WGAN-GP (--architecture-index)",
        "WGAN-GP, Table 1 and appendix B",
        "of 200: IS above 5.0 for 189 (147 of them only so), GAN 42",
        {**GP, "beta1": 0.0, "architecture": "random"},
        SMALL,
    ),
    "random-architecture-gan": Preset(
        "a random architecture by the non-saturating GAN",
        "WGAN-GP, Table 1 and appendix B",
        "of 200: IS above 5.0 for 42 (none only so), WGAN-GP 189",
        {**DCGAN_ADAM, "architecture": "random"},
        SMALL,
    ),
}
