"""Simple baselines of today, on the networks that are here.

Neither is a reproduction: the networks, the batch and the length of the run differ from the papers', whose
numbers stand beside for the scale only. They are from memory, as are the settings.
"""

from __future__ import annotations

from typing import Any

from gamedyn.gan.presets.preset import Preset

SIZES: dict[str, Any] = {
    "dim": 128,
    "latent": 128,
    "init": "tflib",
    "steps": 100_000,
    "batch_size": 64,
    "log_every": 100,
    "sample_every": 2_000,
    "checkpoint_every": 2_000,
}

BASELINES = {
    "rpgan-r1-r2": Preset(
        "relativistic pairing with R1 and R2, the generator averaged",
        "Huang et al., The GAN is dead; long live the GAN! A modern GAN baseline, 2024",
        "FID 1.96 with their networks, batches of 512 and classes",
        {
            "architecture": "resnet",
            "optimizer": "adam",
            "loss": "rpgan",
            "lr": 2e-4,
            "beta1": 0.0,
            "beta2": 0.99,
            "r1": 0.05,
            "r2": 0.05,
            "ema": 0.999,
        },
        SIZES,
    ),
    "hinge-sn": Preset(
        "hinge loss with spectral norm",
        "Miyato et al., Spectral normalization for generative adversarial networks, 2018",
        "IS 8.22 ± 0.05, FID 21.7 with their wider residual network",
        {
            "architecture": "resnet",
            "optimizer": "adam",
            "loss": "hinge",
            "lr": 2e-4,
            "beta1": 0.0,
            "beta2": 0.9,
            "lr_decay": "linear",
            "spectral_norm": True,
            "n_critic": 5,
        },
        SIZES,
    ),
}
