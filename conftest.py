"""Run the examples of README and docs, and keep every test on one thread so that its bits repeat."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

torch.set_num_threads(1)

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser()], patterns=["README.md", "migration.md"]
).pytest()
