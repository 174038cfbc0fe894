"""Imports run one way, and the two doors lead to the same room."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]

LEAVES = {"atomic", "divergence", "provenance"}
"""Single files for all, which import nothing of gamedyn."""
# What each package may import of the others; `games` is handed an optimizer, and so on.
ALLOWED = {
    "solvers": set(),
    "optimizers": {"divergence", "solvers"},
    "dynamics": set(),
    "games": {"dynamics"},
    "gan": {*LEAVES, "games", "solvers"},
    "plotting": set(),
    "experiments": LEAVES,
}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(str(node.module))
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_arrows(package):
    files = sorted((ROOT / "gamedyn" / package).rglob("*.py"))
    assert files
    for path in files:
        for name in imported(path):
            parts = name.split(".")
            if parts[0] == "gamedyn" and len(parts) > 1 and parts[1] != "__version__":
                assert parts[1] in ALLOWED[package] | {package}, f"{path} imports {name}"


def test_leaves_import_nothing_of_ours():
    for leaf in LEAVES:
        names = imported(ROOT / "gamedyn" / f"{leaf}.py")
        assert not any(name.split(".")[0] == "gamedyn" for name in names), leaf


def test_only_plotting_imports_matplotlib_and_nobody_the_alias():
    for path in sorted((ROOT / "gamedyn").rglob("*.py")):
        names = imported(path)
        assert not any(name.split(".")[0] == "optimizers" for name in names), path
        if path.parent.name != "plotting":
            assert not any(name.split(".")[0] == "matplotlib" for name in names), path


def test_help_is_instant():
    code = (
        "import sys; from gamedyn.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as e:\n    assert not e.code\n"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)


def test_the_alias_is_torch_optim_and_ours():
    import gamedyn.optimizers
    import optimizers as optim

    for name in torch.optim.__all__:
        assert getattr(optim, name) is getattr(torch.optim, name)
    for name in gamedyn.optimizers.__all__:
        assert getattr(optim, name) is getattr(gamedyn.optimizers, name)
    assert optim.lr_scheduler.CosineAnnealingLR is torch.optim.lr_scheduler.CosineAnnealingLR
    assert set(optim.__all__) >= {"Adam", "ACGD", "lr_scheduler"}
