"""The methods that the WGAN-GP paper compares, as its released code sets them; nothing of data or networks.

RMSProp has TensorFlow's decay of 0.9, but torch's place for epsilon. The code gives a discriminator BatchNorm
(`critic_norm`) with every method but WGAN-GP; that belongs to the network and is left to those who build it.

References:
    Gulrajani et al., Improved Training of Wasserstein GANs, 2017; `gan_cifar.py` and `gan_64x64.py` of
    igul222/improved_wgan_training.
"""

from __future__ import annotations

from typing import Any

Settings = dict[str, Any]

# What the penalty asks of any optimizer, and what two optimizers take for their defaults.
PENALISED: Settings = {"loss": "wgan", "gp": 10.0, "n_critic": 5}
RMSPROP: Settings = {"optimizer": "rmsprop", "beta2": 0.9}

DCGAN_ADAM: Settings = {
    "optimizer": "adam",
    "loss": "non-saturating",
    "lr": 2e-4,
    "beta1": 0.5,
    "beta2": 0.999,
}
LSGAN_RMSPROP: Settings = {**RMSPROP, "loss": "lsgan", "lr": 1e-4}
CLIPPING_RMSPROP: Settings = {**RMSPROP, "loss": "wgan", "lr": 5e-5, "clip": 0.01, "n_critic": 5}
GP_RMSPROP: Settings = {**RMSPROP, **PENALISED, "lr": 5e-5}
GP_ADAM: Settings = {**PENALISED, "optimizer": "adam", "lr": 1e-4, "beta1": 0.5, "beta2": 0.9}
