"""What an experiment's script needs beside the library: sizes, finished parts, findings and their page."""

from gamedyn.experiments.arguments import Scale
from gamedyn.experiments.bounds import Count, Index, Positive, Seed, Weight, within
from gamedyn.experiments.catalogue import Entry, read_catalogue
from gamedyn.experiments.experiment import Experiment, Finding
from gamedyn.experiments.script import run_script

__all__ = [
    "Count",
    "Entry",
    "Experiment",
    "Finding",
    "Index",
    "Positive",
    "Scale",
    "Seed",
    "Weight",
    "read_catalogue",
    "run_script",
    "within",
]
