"""The runs of Gulrajani et al., Improved Training of Wasserstein GANs (2017), on CIFAR-10.

Settings are those of the released code (igul222/improved_wgan_training); Inception Scores are the paper's.
The curves of its Figure 3 come from scores of 1,000 samples and were read by eye. DCGAN's loss of the
discriminator is not halved here, to which Adam is all but blind. The
generator of the residual network moves by two batches of 64 of its own, whose classes are those of real
batches, where the code draws them evenly; its critic's pixels get the code's dequantisation noise.
"""

from __future__ import annotations

from typing import Any

from gamedyn.gan.presets.methods import CLIPPING_RMSPROP, DCGAN_ADAM, GP_ADAM, GP_RMSPROP
from gamedyn.gan.presets.preset import Preset

RARELY: dict[str, Any] = {"log_every": 100, "sample_every": 2_000, "checkpoint_every": 2_000}
FIGURE_3: dict[str, Any] = {
    **RARELY,
    "dim": 128,
    "latent": 128,
    "init": "tflib",
    "steps": 200_000,
    "batch_size": 64,
}
RESNET: dict[str, Any] = {
    **RARELY,
    "dim": 128,
    "latent": 128,
    "init": "tflib",
    "steps": 100_000,
    "batch_size": 64,
    "dequantise": True,
}
DCGAN: dict[str, Any] = {"architecture": "dcgan"}
CURVES = "gan_cifar.py, Figure 3"
BLOCKS: dict[str, Any] = {**GP_ADAM, "lr": 2e-4, "beta1": 0.0, "lr_decay": "linear", "generator_batches": 2}

WGAN_GP = {
    "wgan-gp-dcgan": Preset(
        "WGAN-GP with Adam on the DCGAN",
        f"WGAN-GP, {CURVES}",
        "IS about 6.5 after 200k",
        {**DCGAN, **GP_ADAM},
        FIGURE_3,
    ),
    "wgan-gp-rmsprop": Preset(
        "WGAN-GP with clipping's RMSProp: the control",
        f"WGAN-GP, {CURVES}",
        "IS above 6 after 200k",
        {**DCGAN, **GP_RMSPROP},
        FIGURE_3,
    ),
    "wgan-clip": Preset(
        "WGAN with weight clipping, BatchNorm in the critic",
        f"WGAN-GP, {CURVES}; Arjovsky et al., Wasserstein GAN, 2017",
        "IS 5 to 5.5 after 200k",
        {**DCGAN, **CLIPPING_RMSPROP, "critic_norm": "batch"},
        FIGURE_3,
    ),
    "dcgan-adam": Preset(
        "DCGAN: Adam and the non-saturating loss, BatchNorm in both",
        f"WGAN-GP, {CURVES}; Radford et al., DCGAN, 2016",
        "IS about 6.5 after 200k; 6.16 in Table 3",
        {**DCGAN, **DCGAN_ADAM, "critic_norm": "batch"},
        FIGURE_3,
    ),
    "wgan-gp-resnet": Preset(
        "WGAN-GP on the residual network, rates falling to 0",
        "WGAN-GP, gan_cifar_resnet.py, appendix F",
        "IS 7.86 ± 0.07",
        {**BLOCKS, "architecture": "resnet"},
        RESNET,
    ),
    "wgan-gp-resnet-conditional": Preset(
        "the same with classes, by conditional BatchNorm and an auxiliary classifier",
        "WGAN-GP, gan_cifar_resnet.py, appendix F",
        "IS 8.42 ± 0.10",
        {**BLOCKS, "architecture": "conditional-resnet"},
        RESNET,
    ),
}
