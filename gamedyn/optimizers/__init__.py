"""The optimizers of gamedyn."""
