"""The runs of Schäfer, Zheng and Anandkumar, Implicit competitive regularization in GANs (ICML 2020).

Settings are those of the authors' code (devzhk/Implicit-Competitive-Regularization) and notebook, numbers
were read off the figures of their blog post and off the notebook. Its Inception Score is their own
(torchvision's network, images not normalised) and compares with nothing else. Deviations:

- a solve stops at a relative residual of 1e-2 or after 20 iterations, where theirs went to 1e-6 (add
  `--rtol 1e-6 --max-iter 1000`); docs/performance.md measures what that loses;
- the gradient penalty draws its points uniformly, where theirs draws the weights from a normal distribution.
"""

from __future__ import annotations

from typing import Any

from gamedyn.gan.presets.preset import Preset

# 600 epochs of 781 batches. The notebook's weights are N(0, 0.01²).
SIZES: dict[str, Any] = {
    "dim": 64,
    "latent": 128,
    "init": "icr",
    "steps": 468_600,
    "batch_size": 64,
    "sample_every": 5_000,
    "checkpoint_every": 5_000,
    "log_every": 100,
}
ACGD_RATES: dict[str, Any] = {"architecture": "icr-dcgan", "optimizer": "acgd", "lr": 1e-4, "beta2": 0.99}
ACGD: dict[str, Any] = {**ACGD_RATES, "max_iter": 20, "curvature_batch": 1.0, "precision": "float32"}
ADAM: dict[str, Any] = {
    "architecture": "icr-dcgan",
    "optimizer": "adam",
    "lr": 1e-4,
    "beta1": 0.5,
    "beta2": 0.99,
}
CODE = "ICR, the authors' code"

ICR = {
    "icr-acgd-wgan": Preset(
        "ACGD, Wasserstein game, no regulariser: the paper's claim",
        f"{CODE} and train.ipynb",
        "IS 5.45, FID 22.8 (means over iterations 300k-465k); IS 2.2 at 4.5k, 3.8 at 24.5k",
        {**ACGD, "loss": "wgan"},
        SIZES,
    ),
    "icr-acgd-minimax": Preset(
        "ACGD, the original GAN game, no regulariser",
        CODE,
        "none that could be read",
        {**ACGD, "loss": "minimax"},
        SIZES,
    ),
    "icr-acgd-wgan-l2": Preset(
        "ACGD, Wasserstein game, weight decay 1e-4 on the critic",
        f"{CODE}, train_wgan()",
        "none that could be read",
        {**ACGD, "loss": "wgan", "weight_decay": 1e-4},
        SIZES,
    ),
    "icr-acgd-wgan-gp": Preset(
        "ACGD, Wasserstein game, gradient penalty 10 on detached fakes",
        CODE,
        "none that could be read",
        {**ACGD, "loss": "wgan", "gp": 10.0},
        SIZES,
    ),
    "icr-acgd-wgan-dropout": Preset(
        "ACGD, Wasserstein game, dropout 0.5 in the critic",
        CODE,
        "none that could be read",
        {**ACGD, "loss": "wgan", "dropout": 0.5},
        SIZES,
    ),
    "icr-adam-wgan-gp": Preset(
        "Adam, WGAN-GP with five critic steps: the baseline of the paper",
        f"{CODE}, wgan_gp.py",
        "IS 4.89, FID 32.0 (means over iterations 300k-465k)",
        {**ADAM, "loss": "wgan", "gp": 10.0, "n_critic": 5},
        {**SIZES, "init": "icr-adam"},
    ),
    "icr-adam-wgan-sn": Preset(
        "Adam, Wasserstein game, spectral norm: the other baseline",
        "ICR, blog post; its rate and critic steps are not known, these are usual ones",
        "IS 5.09, FID 26.2, very jagged (means over iterations 300k-465k)",
        {**ADAM, "loss": "wgan", "lr": 2e-4, "spectral_norm": True},
        SIZES,
    ),
    "icr-adam-wgan": Preset(
        "Adam, Wasserstein game, no regulariser: expected to fail",
        "ICR, the counterpart of icr-acgd-wgan",
        "none",
        {**ADAM, "loss": "wgan"},
        SIZES,
    ),
    "icr-adam-minimax": Preset(
        "Adam, the original GAN game (non-saturating), no regulariser",
        f"{CODE}, train_gd(); its rate is not known, this is the DCGAN paper's",
        "none that could be read",
        {**ADAM, "loss": "non-saturating", "lr": 2e-4, "beta2": 0.999},
        SIZES,
    ),
}
