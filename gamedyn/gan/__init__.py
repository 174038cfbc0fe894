"""GAN training: networks, losses, data, the training loop and its checkpoints.

Import from the submodules: `gamedyn.gan.config` (settings of a run) and `gamedyn.gan.presets` (published
ones by name), which need no torch; `gamedyn.gan.models`, `gamedyn.gan.losses`, `gamedyn.gan.penalties`
(with weight clipping), `gamedyn.gan.objective` and `gamedyn.gan.steps` (a step by one optimizer, or by two
in turn), `gamedyn.gan.data`, `gamedyn.gan.building` (a run from its settings), `gamedyn.gan.training` (the
loop) and `gamedyn.gan.checkpoints`. Nothing here knows an optimizer: the loop is handed one.
"""
