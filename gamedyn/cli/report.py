"""`gamedyn report`: the curves of several runs side by side, on one page or in one picture.

The class holds the flags; everything heavy is imported when `run` is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from gamedyn.gan.history import RunHistory
    from gamedyn.gan.score_files import RunScores
    from gamedyn.plotting.page import Section, Table
    from gamedyn.plotting.report import ReportRun

LARGEST_PICTURE = 20_000_000
CAPTION = (
    "Thick lines are running means over a fortieth of a run, thin ones what was logged. Losses of different "
    "games do not compare. Time counts the steps alone, not data, samples and scores."
)


@dataclass
class Report:
    """Draw the curves, scores and samples of several runs side by side into one HTML page or one PNG."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN [RUN ...]")]
    """Folders of runs."""
    out: Path = Path("report.html")
    """Page (.html, everything inside it) or picture (.png) to write."""

    def run(self) -> None:
        """Read the runs, draw them, write the page."""
        if self.out.suffix not in {".html", ".png"}:
            raise ValueError(f"--out must end in .html or .png, got {str(self.out)!r}")
        if not self.runs:
            raise ValueError("give the folder of at least one run")

        from gamedyn.atomic import write_atomically
        from gamedyn.gan.history import read_history
        from gamedyn.plotting.report import overview, score_panels, training_panels
        from gamedyn.plotting.style import save

        folders = list(dict.fromkeys(self.runs))
        histories = [read_history(folder) for folder in folders]
        drawn = [drawable(history, label) for history, label in zip(histories, labels(folders), strict=True)]
        counts = {name: counted(histories, name) for history in histories for name in history.score_names}
        if self.out.suffix == ".png":
            panels = [*score_panels(drawn, counts), *training_panels(drawn)]
            save(overview(drawn, panels, caption=CAPTION), self.out, dpi=130)
        else:
            self.out.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.out, page(histories, drawn, counts).encode())
        scored = sum(bool(history.score_names) for history in histories)
        print(f"report: {len(histories)} run(s), {scored} with scores in their logs")
        print(f"  wrote {self.out}")


def labels(folders: Sequence[Path]) -> list[str]:
    """Name runs by as much of their folders' ends as tells them apart.

    Args:
        folders: The folders, no two alike.

    Returns:
        One name each.

    Example:
        >>> labels([Path("a/run"), Path("b/run")])
        ['a/run', 'b/run']
        >>> labels([Path("a/one"), Path("b/two")])
        ['one', 'two']
    """
    parts = [folder.resolve().parts for folder in folders]
    for length in range(1, max(map(len, parts))):
        names = ["/".join(part[-length:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return [str(folder) for folder in folders]


def drawable(history: RunHistory, label: str) -> ReportRun:
    """Turn a run's history into what a report draws.

    Args:
        history: The run.
        label: Its name.

    Returns:
        Its curves and its picture, if that is a PNG of a decent size.
    """
    from gamedyn.gan.history import SPREAD
    from gamedyn.plotting.page import PNG
    from gamedyn.plotting.report import Line, ReportRun

    def line(name: str) -> Line:
        steps, values = history.series[name]
        spread = history.series.get(name + SPREAD)
        fits = spread is not None and len(spread[1]) == len(values)
        return Line(steps, values, spread[1] if spread is not None and fits else None)

    grid = history.grid
    picture = grid.read_bytes() if grid is not None and grid.stat().st_size < LARGEST_PICTURE else b""
    return ReportRun(
        label=label,
        lines={name: line(name) for name in history.series},
        scores={name: line(name) for name in history.score_names},
        seconds=history.seconds_at,
        grid=picture if picture.startswith(PNG) else None,
        grid_label=f"{label}, step {history.grid_step:,}",
    )


def counted(histories: Sequence[RunHistory], name: str) -> str:
    """Say how many samples a score was taken on.

    Args:
        histories: The runs.
        name: The score.

    Returns:
        For instance `n = 10,000`; empty where the logs do not say.
    """
    taken = sorted({history.scored_samples for history in histories if name in history.series} - {0})
    return f"n = {' or '.join(f'{count:,}' for count in taken)}" if taken else ""


def page(histories: Sequence[RunHistory], drawn: Sequence[ReportRun], counts: dict[str, str]) -> str:
    """Write the page.

    Args:
        histories: The runs.
        drawn: What is drawn of them.
        counts: What stands behind the name of a score.

    Returns:
        HTML.
    """
    from gamedyn import __version__
    from gamedyn.plotting.page import Picture, Section, html_page, png_of
    from gamedyn.plotting.report import curves, score_panels, training_panels

    sections = [Section("Runs", [settings_table(histories, drawn)])]
    sections += evaluations(histories, drawn)
    if panels := score_panels(drawn, counts):
        picture = png_of(curves(drawn, panels))
        sections.append(
            Section("Scores while training", [Picture(picture, "Scores over steps and over time.")])
        )
    else:
        sections.append(Section("Scores while training", ["None of these runs logged a score."]))
    picture = png_of(curves(drawn, training_panels(drawn)))
    sections.append(Section("Training", [Picture(picture, CAPTION)]))
    pictures = [Picture(run.grid, run.grid_label, narrow=True) for run in drawn if run.grid is not None]
    if pictures:
        sections.append(Section("Last samples", pictures))
    sections.append(Section("", [f"Written by gamedyn {__version__}."]))
    return html_page("Runs side by side" if len(drawn) > 1 else f"The run {drawn[0].label}", sections)


def settings_table(histories: Sequence[RunHistory], drawn: Sequence[ReportRun]) -> Table:
    """Lay out what the runs are: what distinguishes them, and how far they went.

    Args:
        histories: The runs.
        drawn: Their names.

    Returns:
        One row a run.
    """
    from dataclasses import fields

    from gamedyn.plotting.page import Table

    always = ["dataset", "optimizer", "loss", "lr", "batch_size", "dim", "seed"]
    without = {"steps", "data_root", "device", "log_every", "sample_every", "checkpoint_every", "keep"}
    configs = [history.config for history in histories]
    differing = [
        item.name
        for item in fields(configs[0])
        if item.name not in {*always, *without}
        and len({repr(getattr(config, item.name)) for config in configs}) > 1
    ]
    names = [*always, *differing]
    rows = []
    for history, run in zip(histories, drawn, strict=True):
        shown = [_text(getattr(history.config, name)) for name in names]
        seconds = history.series["seconds"][1][-1] if "seconds" in history.series else float("nan")
        skipped = history.series["skipped"][1][-1] if "skipped" in history.series else float("nan")
        steps = f"{history.step:,} of {int(history.config.steps or 0):,}"
        rows.append([run.label, *shown, steps, f"{seconds / 60:.1f}", f"{skipped:.0f}"])
    head = ["run", *(name.replace("_", " ") for name in names), "steps", "minutes", "skipped steps"]
    numbers = frozenset(range(len(head) - 3, len(head)))
    return Table(head, rows, numbers)


def evaluations(histories: Sequence[RunHistory], drawn: Sequence[ReportRun]) -> list[Section]:
    """Lay out what `gamedyn evaluate` left beside the runs.

    Args:
        histories: The runs.
        drawn: Their names.

    Returns:
        One section, or none.
    """
    from gamedyn.plotting.page import Picture, Section, Table

    found = [
        (run.label, scores)
        for history, run in zip(histories, drawn, strict=True)
        for scores in history.scores
    ]
    if not found:
        return []
    parts: list[str | Table | Picture] = []
    for names in dict.fromkeys(_named(scores) for _, scores in found):
        alike = [(label, scores) for label, scores in found if _named(scores) == names]
        rows = []
        for label, scores in alike:
            for who, values in ((label, scores.scores), (f"real, beside {label}", scores.real)):
                n = f"{values['samples']:,.0f}" if "samples" in values else ""
                rows.append([who, f"{scores.step:,}", n, *(_cell(values, name) for name in names)])
        head = ["", "step", "n", *(name.replace("_", " ") for name in names)]
        parts.append(Table(head, rows, frozenset(range(1, len(head)))))
        parts += dict.fromkeys(f"{label}: {' '.join(scores.protocol)}" for label, scores in alike)
    return [Section("Evaluations", parts)]


def _named(scores: RunScores) -> tuple[str, ...]:
    counts = {"samples", "references"}
    return tuple(name for name in scores.scores if name not in counts and not name.endswith(" sd"))


def _cell(values: Mapping[str, float], name: str) -> str:
    spread = f" ± {values[f'{name} sd']:.3g}" if f"{name} sd" in values else ""
    return f"{values[name]:.4g}{spread}" if name in values else ""


def _text(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else "" if value is None else str(value)
