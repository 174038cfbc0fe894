"""The settings of a training run: every field a flag, stored beside the results. Imports no torch."""

from gamedyn.gan.architectures import ArchitectureName, NormName
from gamedyn.gan.config.combinations import ALTERNATING, COMPETITIVE, check_combinations
from gamedyn.gan.config.defaults import resolve
from gamedyn.gan.config.fields import (
    DatasetName,
    InitName,
    LossName,
    OptimizerName,
    PrecisionName,
    TrainConfig,
)
from gamedyn.gan.config.reading import config_text, read_config

__all__ = [
    "ALTERNATING",
    "COMPETITIVE",
    "ArchitectureName",
    "DatasetName",
    "InitName",
    "LossName",
    "NormName",
    "OptimizerName",
    "PrecisionName",
    "TrainConfig",
    "check_combinations",
    "config_text",
    "read_config",
    "resolve",
]
