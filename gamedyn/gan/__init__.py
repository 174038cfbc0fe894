"""GAN training: networks, losses, data, the training loop and its checkpoints.

Import from the submodules: `gamedyn.gan.config` (settings of a run, no torch), `gamedyn.gan.models`
(DCGAN and MLP pairs), `gamedyn.gan.losses`, `gamedyn.gan.data` (CIFAR-10, digits, Gaussian mixtures),
`gamedyn.gan.training` (the loop) and `gamedyn.gan.checkpoints`. Nothing here knows an optimizer: the
loop is handed one.
"""
