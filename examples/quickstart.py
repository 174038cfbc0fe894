"""Quickstart: the README's snippet. A Wasserstein GAN without any regulariser learns a circle.

Document  F. Schäfer, H. Zheng, A. Anandkumar, "Implicit competitive regularization in GANs", ICML 2020
Claim     ACGD trains an unregularised Wasserstein GAN: the samples' radius goes to 1
Command   python examples/quickstart.py
Time      4 s on one CPU core, after torch is imported
"""

from argparse import ArgumentParser, RawDescriptionHelpFormatter

import torch
from torch import nn

from gamedyn.optimizers import ACGD

ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter).parse_args()  # it takes none

torch.manual_seed(0)
G = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
D = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
opt = ACGD(G.parameters(), D.parameters(), lr=5e-3)  # G minimises, D maximises

for _ in range(300):
    angle = 2 * torch.pi * torch.rand(256)
    real = torch.stack([angle.cos(), angle.sin()], dim=1)
    z = torch.randn(256, 16)
    loss = opt.step(lambda: D(real).mean() - D(G(z)).mean())  # noqa: B023

radius = G(torch.randn(1000, 16)).norm(dim=1)
print(f"radius of the samples: {radius.mean():.2f} ± {radius.std():.2f} (the data's is 1)")
print(opt.last_step)
