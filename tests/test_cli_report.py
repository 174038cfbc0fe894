"""`gamedyn report`: what it reads, what it draws, and what it makes of damaged runs."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from gamedyn.cli import main
from gamedyn.cli.report import labels
from gamedyn.gan.config import TrainConfig, config_text
from gamedyn.gan.history import read_history, read_series
from gamedyn.gan.score_files import RunScores
from gamedyn.plotting.page import Picture, Section, Table, decoded, html_page
from gamedyn.plotting.report import ReportRun, curves, score_panels, training_panels
from gamedyn.plotting.samples import image_grid
from gamedyn.plotting.scales import running_mean, set_scale
from gamedyn.plotting.style import new_figure, save


def write_run(
    folder: Path, *, optimizer: str = "acgd", points: int = 90, scored: bool = True, **settings: Any
) -> Path:
    """A run's folder without the run."""
    folder.mkdir(parents=True)
    config = TrainConfig(dataset="digits", optimizer=optimizer, **settings)  # type: ignore[arg-type]
    (folder / "config.json").write_text(config_text(config))
    lines: list[dict[str, Any]] = []
    for number in range(1, points + 1):
        step = 10 * number
        lines.append({
            "step": step,
            "loss_generator": None if number == 7 else np.sin(number),
            "loss_discriminator": -1.0 / number,
            "cg_iterations": 3 if optimizer == "acgd" else 0,
            "residual": 1e-3,
            "products": 7,
            "skipped": 0,
            "seconds": 0.5 * number,
        })  # fmt: skip
        if scored and number % 30 == 0:
            lines.append({"step": step, "samples": 500, "FD (toy)": 100.0 / number, "KD (toy)": 0.1})
            lines[-1]["KD (toy) sd"] = 0.02
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    rng = np.random.default_rng(0)
    for step in (100, 900):
        save(
            image_grid(rng.uniform(-1, 1, (4, 1, 8, 8)), columns=2),
            folder / f"samples-{step:08d}.png",
            dpi=40,
        )
    return folder


def report(*arguments: object) -> int:
    return main(["report", *map(str, arguments)])


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert report(*arguments) == 2
    error = capsys.readouterr().err
    assert 1 <= len(error.splitlines()) <= 2
    return error


class Page(HTMLParser):
    """What a browser would load, and what it would show."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [str(value) for name, value in attrs if name in {"src", "href", "srcset", "data"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_holds_everything_and_loads_nothing(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "one"), write_run(tmp_path / "two", optimizer="adam", lr=1e-3, seed=4)]
    scores = {"FD (toy)": 3.5, "KD (toy)": 0.2, "KD (toy) sd": 0.01, "samples": 500}
    RunScores(
        "one", "checkpoint-00000900.pt", 900, False, 0, scores, {"FD (toy)": 0.5}, ["As measured."]
    ).write(runs[0] / "scores-00000900-toy.json")
    out = tmp_path / "new" / "report.html"
    assert report(*runs, "--out", out) == 0
    page = Page(out.read_text(encoding="utf-8"))
    # Two figures of curves and two grids, all inside.
    assert len(page.sources) == 4
    for source in page.sources:
        assert source.startswith("data:image/png;base64,")
        picture = matplotlib.image.imread(
            io.BytesIO(base64.b64decode(source.partition(",")[2])), format="png"
        )
        assert picture.std() > 0.05
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    for words in ("one", "two", "adam", "0.2 ± 0.01", "As measured.", "900 of 2,000", "step 900"):
        assert words in page.text
    # The newest grid, byte for byte.
    newest = base64.b64encode((runs[0] / "samples-00000900.png").read_bytes()).decode()
    assert newest in out.read_text(encoding="utf-8")
    before = out.read_bytes()
    assert report(*runs, "--out", out) == 0
    assert out.read_bytes() == before
    assert [path.name for path in out.parent.iterdir()] == ["report.html"]


def test_one_picture_of_several_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [write_run(tmp_path / f"run{number}", seed=number, scored=number < 2) for number in range(3)]
    assert report(*runs, "--out", tmp_path / "report.png") == 0
    assert "3 run(s), 2 with scores" in capsys.readouterr().out
    picture = matplotlib.image.imread(tmp_path / "report.png")
    assert picture.shape[1] == 1300
    assert picture.shape[0] > 1300


def test_a_run_without_scores_is_reported_with_its_losses(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", scored=False, optimizer="adam")
    assert report(run, "--out", tmp_path / "r.html") == 0
    page = Page((tmp_path / "r.html").read_text())
    assert "None of these runs logged a score." in page.text
    assert len(page.sources) == 2


def test_what_a_run_tells_cannot_become_part_of_the_page(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    run = write_run(tmp_path / f'"{evil.replace("/", "")}&', device=f"<img src=x>{evil}")
    other = write_run(tmp_path / "other")
    with (run / "log.jsonl").open("a") as log:
        log.write(json.dumps({"step": 900, evil: 1.0, "text": evil}) + "\n")
    RunScores(evil, evil, 1, False, 0, {evil: 1.0}, {}, [evil]).write(run / "scores-00000001.json")
    assert report(run, other, "--out", tmp_path / "r.html") == 0
    page = Page((tmp_path / "r.html").read_text())
    assert not {"script", "iframe"} & set(page.tags)
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert evil in page.text


def test_what_goes_wrong_costs_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = write_run(tmp_path / "good")
    out = ["--out", tmp_path / "r.html"]
    assert "absent holds no run" in refused(capsys, good, tmp_path / "absent", *out)
    assert "must end in .html or .png" in refused(capsys, good, "--out", "r.pdf")
    assert refused(capsys, *out)  # no run at all

    empty = write_run(tmp_path / "empty", points=0)
    assert "empty has logged no step yet" in refused(capsys, good, empty, *out)
    (empty / "log.jsonl").unlink()
    assert "empty has logged no step yet" in refused(capsys, empty, *out)
    for damage in ('{"step": 1}\nbroken\n{"step": 2}\n', '{"loss": 1}\n{"step": 2}\n', '[1]\n{"step": 2}\n'):
        (empty / "log.jsonl").write_text(damage)
        assert "log.jsonl is damaged at line" in refused(capsys, empty, *out)
    (empty / "log.jsonl").write_text('{"step": 1, "loss_generator": 1}\n')
    (empty / "scores-00000001.json").write_text("{")
    assert "scores-00000001.json holds no scores" in refused(capsys, empty, *out)
    (empty / "scores-00000001.json").unlink()
    (empty / "config.json").write_text('{"lr": "fast"}')
    assert "lr must" in refused(capsys, empty, *out)
    assert not (tmp_path / "r.html").exists()


def test_a_damaged_picture_is_left_out(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", points=2, scored=False)
    whole = (run / "samples-00000900.png").read_bytes()
    for content in (whole[: len(whole) // 2], b"\x89PNG\r\n\x1a\nrest"):
        assert decoded(content) is None
    (run / "samples-00000900.png").write_bytes(whole[: len(whole) // 2])
    assert report(run, "--out", tmp_path / "r.png") == 0
    (run / "samples-00000900.png").write_bytes(b"text")
    assert report(run, "--out", tmp_path / "r.html") == 0
    assert "Last samples" not in (tmp_path / "r.html").read_text()


def test_a_log_of_numbers_that_cannot_be_drawn(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", points=3, scored=False)
    odd = [
        '{"step": 40, "loss_generator": 1e308, "seconds": null, "score": true}',
        '{"step": 50, "loss_generator": -1e308, "loss_discriminator": null, "score": 1' + "0" * 400 + "}",
        '{"step": 50, "loss_generator": NaN, "all_null": null, "cg_iterations": "many"}',
    ]
    with (run / "log.jsonl").open("a") as log:
        log.write("\n".join(odd) + "\n")
    assert report(run, "--out", tmp_path / "r.html") == 0
    history = read_history(run)
    assert np.isnan(history.series["score"][1]).tolist() == [True]
    assert np.isnan(history.series["loss_generator"][1][-3:]).all()


def test_history_knows_steps_seconds_and_spreads(tmp_path: Path) -> None:
    history = read_history(write_run(tmp_path / "run"))
    assert history.step == 900
    assert history.score_names == ["FD (toy)", "KD (toy)"]
    assert history.scored_samples == 500
    assert (history.grid_step, history.grid and history.grid.name) == (900, "samples-00000900.png")
    steps, values = history.series["FD (toy)"]
    assert steps.tolist() == [300.0, 600.0, 900.0]
    assert values == pytest.approx([100 / 30, 100 / 60, 100 / 90])
    assert history.seconds_at(np.array([0.0, 5.0, 900.0])).tolist() == [0.0, 0.25, 45.0]
    assert np.isnan(history.series["loss_generator"][1]).sum() == 1
    with pytest.raises(ValueError, match="line 2"):
        read_series([{"step": 1}, {"step": "2"}], Path("log.jsonl"))


def test_names_tell_runs_apart() -> None:
    assert labels([Path("x/a/run"), Path("x/b/run"), Path("x/b/walk")]) == ["a/run", "b/run", "b/walk"]


@pytest.mark.parametrize("count", [1, 39, 40, 400])
def test_running_means(count: int) -> None:
    values = np.random.default_rng(0).normal(size=count)
    values[count // 2] = np.nan
    half = count // 40 // 2
    windows = [values[max(0, i - half) : i + half + 1] for i in range(count)]
    expected = [np.nanmean(window) if np.isfinite(window).any() else np.nan for window in windows]
    np.testing.assert_allclose(running_mean(values), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([1.0, 2.0], "linear"),
        ([0.0, 0.0], "linear"),
        ([1.0, 500.0], "log"),
        ([-1.0, 2.0], "linear"),
        ([-1.0, 1.0, 1.0, -1e4], "symlog"),
        ([np.nan], "linear"),
        ([], "linear"),
        ([0.0, np.inf, 3.0], "linear"),
    ],
)
def test_scales_fit_the_values(values: list[float], scale: str) -> None:
    axes = new_figure(2.0, 2.0).subplots()
    set_scale(axes, [np.array(values)])
    assert axes.get_yscale() == scale


def test_a_curve_is_drawn_at_its_numbers(tmp_path: Path) -> None:
    from gamedyn.cli.report import drawable

    history = read_history(write_run(tmp_path / "run"))
    run = drawable(history, "a run")
    figure = curves([run], [*score_panels([run], {"FD (toy)": "n = 500"}), *training_panels([run])])
    axes = figure.axes
    assert [panel.get_xlabel() for panel in axes[:2]] == ["generator steps", "seconds of training steps"]
    assert axes[0].get_ylabel() == "FD (toy), n = 500"
    assert axes[1].lines[0].get_xdata().tolist() == [15.0, 30.0, 45.0]
    np.testing.assert_allclose(axes[1].lines[0].get_ydata(), history.series["FD (toy)"][1])
    (band,) = axes[2].collections
    assert sorted(set(band.get_paths()[0].vertices[:, 1].round(9))) == [0.08, 0.12]
    assert [panel.get_ylabel() for panel in axes[4:]] == [
        "generator's loss",
        "discriminator's loss",
        "CG iterations a step",
        "seconds of training steps",
    ]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a run"]


def test_many_runs_are_told_apart() -> None:
    from gamedyn.plotting.report import styles

    looks = [(s["color"], str(s["linestyle"])) for _, s in styles([ReportRun(str(n), {}) for n in range(20)])]
    assert len(set(looks)) == 20


def test_pages_escape_and_refuse_what_is_no_picture() -> None:
    sections = [Section("<a>", ["<b>", Table(["<c>"], [["<d>"]], frozenset({0}))])]
    text = html_page("<t>", sections)
    assert not re.search("<[abdt]>", text)
    with pytest.raises(ValueError, match="'x' is no PNG"):
        html_page("t", [Section("", [Picture(b"GIF", "x")])])
