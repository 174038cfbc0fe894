"""What a run keeps beside its steps: decaying rates, an average of the generator, scores, loggers."""

from __future__ import annotations

import builtins
import json
import math
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from test_gan_training import same, settings, start, untimed
from torch import Tensor, nn

from gamedyn import __version__
from gamedyn.cli.steppers import make_stepper
from gamedyn.gan.averaging import AveragedGenerator
from gamedyn.gan.building import build_trainer
from gamedyn.gan.checkpoints import list_checkpoints, load_newest
from gamedyn.gan.config import ALTERNATING, TrainConfig, resolve
from gamedyn.gan.data import ImageSource
from gamedyn.gan.data.images import ImageSet
from gamedyn.gan.history import read_history
from gamedyn.gan.loggers import TensorBoardLog
from gamedyn.gan.runlog import read_log
from gamedyn.gan.sampling import generate
from gamedyn.gan.schedules import linear_decay
from gamedyn.gan.training import Trainer

EVERY = ["simgd", "altgd", "cgd", "acgd", "adam", "rmsprop", "sgd"]


@pytest.mark.parametrize("optimizer", EVERY)
def test_rates_fall_linearly_to_nothing_across_a_resume(optimizer: str, tmp_path: Path) -> None:
    changes = {"optimizer": optimizer, "lr": 1e-3, "max_lr": 4e-3, "lr_decay": "linear", "ema": 0.5}
    whole = start(tmp_path / "whole", **changes)
    whole.run()
    start(tmp_path / "parts", **changes).run(seconds=0.0)  # one step
    rest = start(tmp_path / "parts", resume=True, **changes)
    rest.run()
    assert same(untimed(whole.state_dict()), untimed(rest.state_dict()))
    logs = [read_log(tmp_path / run / "log.jsonl") for run in ("whole", "parts")]
    for log in logs:
        # The rate in a line is that of the next step.
        assert [line["lr"] for line in log] == pytest.approx([1e-3 * (1 - step / 6) for step in range(1, 7)])
    rates = [group["lr"] for player in rest.stepper.optimizers for group in player.param_groups]
    assert rates == [0.0, 0.0]
    assert len(rest.stepper.optimizers) == (2 if optimizer in ALTERNATING else 1)


def test_each_player_keeps_its_share_of_a_decaying_rate() -> None:
    networks = [nn.Linear(2, 2) for _ in range(2)]
    config = resolve(TrainConfig(dataset="ring", optimizer="acgd", lr=1e-3, max_lr=4e-3))
    (optimizer,) = make_stepper(networks[0], networks[1], config).optimizers
    (scheduler,) = linear_decay([optimizer], steps=4)
    optimizer._opt_called = True  # type: ignore[attr-defined]  # no step is taken here
    scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.75e-3, 3e-3])


def test_the_average_is_that_of_the_formula_and_buffers_are_the_generators() -> None:
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    average = AveragedGenerator(generator, decay=0.9)
    expected: dict[str, Tensor] = {}
    for _ in range(5):
        with torch.no_grad():
            for parameter in generator.parameters():
                parameter.add_(torch.randn_like(parameter))
        generator(torch.randn(8, 3))
        average.update(generator)
        for name, parameter in generator.named_parameters():
            new = parameter.detach().double()
            expected[name] = new if name not in expected else 0.9 * expected[name] + 0.1 * new
    for name, parameter in average.network.named_parameters():
        torch.testing.assert_close(parameter.double(), expected[name], rtol=1e-6, atol=1e-6)
        assert not parameter.requires_grad
    for ours, theirs in zip(average.network.buffers(), generator.buffers(), strict=True):
        assert torch.equal(ours, theirs)
    again = AveragedGenerator(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), decay=0.9)
    again.load_state_dict(average.state_dict(), steps=5)
    for one in (average, again):
        one.update(generator)
    assert same(average.state_dict(), again.state_dict())


def test_samples_are_those_of_the_average_and_checkpoints_hold_it(tmp_path: Path) -> None:
    trainer = start(tmp_path / "run", ema=0.5)
    trainer.run()
    assert trainer.ema is not None
    assert not same(trainer.ema.state_dict(), trainer.generator.state_dict())
    state = load_newest(tmp_path / "run") or {}
    assert same(state["ema"], trainer.ema.state_dict())
    by_hand = torch.cat(list(generate(trainer.ema, trainer.shown_noise[:5])))
    assert torch.equal(trainer.samples(5), by_hand)
    plain = start(tmp_path / "plain")
    plain.run()
    assert plain.ema is None
    assert (load_newest(tmp_path / "plain") or {})["ema"] is None
    # The average only watches.
    assert same(plain.generator.state_dict(), trainer.generator.state_dict())


def test_generating_leaves_the_mode_as_it_was_and_takes_classes_in_turn() -> None:
    seen: list[Tensor] = []

    class Conditional(nn.Module):
        def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
            assert not self.training
            seen.append(labels)
            return latent

    generator = Conditional()
    for training in (True, False):
        generator.train(training)
        list(generate(generator, torch.zeros(252, 1), classes=3))
        assert generator.training is training
    assert torch.cat(seen[:2]).tolist() == [index % 3 for index in range(252)]


Samples = Callable[[int], Iterator[Tensor]]


def spread(samples: Samples) -> Mapping[str, float]:
    return {"spread": float(torch.cat(list(samples(300))).double().std())}


def scored(folder: Path, *, resume: bool = False, **changes: Any) -> Trainer:
    # Any extractor: the scores are ours.
    pixels = torch.randint(0, 256, (23, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    config = settings(extractor="none:none", eval_every=2, eval_samples=300, **changes)
    source = ImageSource(ImageSet("noise", pixels.to(torch.uint8)), batch_size=5, seed=0)
    return build_trainer(config, make_stepper, folder, source=source, score=spread, resume=resume)


def lines_of_scores(folder: Path) -> list[dict[str, Any]]:
    return [line for line in read_log(folder / "log.jsonl") if "spread" in line]


def test_scores_stand_in_the_log_with_the_number_of_samples(tmp_path: Path) -> None:
    trainer = scored(tmp_path, steps=5)
    trainer.run()
    lines = lines_of_scores(tmp_path)
    assert [line["step"] for line in lines] == [2, 4, 5]  # every second step, and the last
    assert {line["samples"] for line in lines} == {300}
    assert lines[-1]["spread"] == spread(lambda count: trainer.generated(noise(trainer, count)))["spread"]
    assert lines[0]["spread"] != lines[-1]["spread"]


def noise(trainer: Trainer, count: int) -> Tensor:
    from gamedyn.gan.scoring import STREAM

    generator = torch.Generator().manual_seed(trainer.config.seed + STREAM)
    return torch.randn(count, trainer.latent, generator=generator)


def test_scores_that_a_stop_prevented_are_caught_up_with(tmp_path: Path) -> None:
    whole = scored(tmp_path / "whole")
    whole.run()
    for stop_at, steps in (("the middle", 4), ("the end", 6)):
        folder = tmp_path / stop_at
        trainer = scored(folder)
        generated = trainer.generated

        def stopping(
            latent: Tensor, of: Any = trainer, inner: Any = generated, at: int = steps
        ) -> Iterator[Tensor]:
            if of.step == at:
                signal.raise_signal(signal.SIGTERM)
            return inner(latent)

        trainer.scoring.generate = stopping
        with pytest.raises(KeyboardInterrupt):
            trainer.run()
        assert trainer.saved == steps
        assert [line["step"] for line in lines_of_scores(folder)] == [2, 4, 6][: steps // 2 - 1]
        rest = scored(folder, resume=True)
        rest.run()
        assert lines_of_scores(folder) == lines_of_scores(tmp_path / "whole")
        assert same(untimed(whole.state_dict()), untimed(rest.state_dict()))


def test_samples_that_are_not_finite_cost_their_scores_and_not_the_run(tmp_path: Path) -> None:
    trainer = scored(tmp_path)
    generated = trainer.generated

    def broken(latent: Tensor) -> Iterator[Tensor]:
        for part in generated(latent):
            yield part * math.nan if trainer.step == 4 else part

    trainer.scoring.generate = broken
    trainer.run()
    assert trainer.step == 6
    assert [line["step"] for line in lines_of_scores(tmp_path)] == [2, 6]
    (line,) = [line for line in read_log(tmp_path / "log.jsonl") if "failure" in line]
    assert line == {"step": 4, "samples": 300, "failure": "a sample is NaN or infinite: no scores"}
    assert list(read_history(tmp_path).series["spread"][0]) == [2.0, 6.0]


def test_an_extractor_that_draws_leaves_training_as_it_was(tmp_path: Path) -> None:
    def drawing(samples: Samples) -> Mapping[str, float]:
        return {**spread(samples), "drawn": float(torch.rand(7).sum())}

    states = []
    for name, score in (("quiet", spread), ("drawing", drawing)):
        trainer = scored(tmp_path / name, dropout=0.5)
        trainer.scoring.score = score
        trainer.run()
        states.append(untimed(trainer.state_dict()))
    assert same(*states)


def test_a_finished_run_is_not_scored_again(tmp_path: Path) -> None:
    scored(tmp_path).run()
    again = scored(tmp_path, resume=True)
    again.scoring.score = lambda samples: pytest.fail("scored twice")
    again.run()
    assert [line["step"] for line in lines_of_scores(tmp_path)] == [2, 4, 6]


def test_as_many_checkpoints_are_kept_as_asked_for(tmp_path: Path) -> None:
    for keep in (1, 3):
        start(tmp_path / str(keep), keep=keep, checkpoint_every=1).run()
        kept = [path.name for path in list_checkpoints(tmp_path / str(keep))]
        assert kept == [f"checkpoint-{step:08d}.pt" for step in range(7 - keep, 7)]


def test_the_environment_has_an_entry_for_every_start(tmp_path: Path) -> None:
    start(tmp_path, steps=3).run()
    start(tmp_path, steps=6, resume=True).run()
    starts = json.loads((tmp_path / "environment.json").read_text())
    assert [entry["step"] for entry in starts] == [0, 3]
    for entry in starts:
        assert entry["versions"]["gamedyn"] == __version__
        assert entry["versions"]["torch"] == torch.__version__
        assert entry["threads"] == torch.get_num_threads()
        assert entry["device"] == "cpu"
        assert entry["date"][:2] == "20"
        assert entry["commit"] is None or len(entry["commit"]) >= 40
    (tmp_path / "environment.json").write_text("damaged")
    start(tmp_path, steps=7, resume=True).run()
    assert [entry["step"] for entry in json.loads((tmp_path / "environment.json").read_text())] == [6]


def test_any_object_with_one_method_takes_the_log(tmp_path: Path) -> None:
    class Keeps:
        def __init__(self) -> None:
            self.lines: list[dict[str, object]] = []

        def write(self, line: Mapping[str, object]) -> None:
            self.lines.append(dict(line))

    keeps = Keeps()
    trainer = start(tmp_path)
    trainer.loggers.append(keeps)
    trainer.run()
    assert keeps.lines == read_log(tmp_path / "log.jsonl")


def test_a_missing_tensorboard_is_one_sentence_before_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ValueError, match=r"gamedyn\[tensorboard\]"):
        start(tmp_path / "run", tensorboard=True)
    assert not (tmp_path / "run").exists()


def test_tensorboard_shows_the_log(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    start(tmp_path, tensorboard=True, steps=3).run()
    start(tmp_path, tensorboard=True, steps=6, resume=True).run()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    for name in ("loss_generator", "cg_iterations"):
        shown = [(event.step, event.value) for event in events.Scalars(name)]
        assert shown == [
            (line["step"], pytest.approx(line[name])) for line in read_log(tmp_path / "log.jsonl")
        ]


def test_a_tensorboard_line_takes_only_numbers(tmp_path: Path) -> None:
    class Writer:
        def __init__(self, *_: object, **__: object) -> None:
            self.scalars: list[object] = []

        def add_scalar(self, *scalar: object) -> None:
            self.scalars.append(scalar)

        def flush(self) -> None:
            pass

    log = TensorBoardLog.__new__(TensorBoardLog)
    log.writer = Writer()
    log.write({"step": 3, "loss": 0.5, "note": "text", "absent": None})
    assert log.writer.scalars == [("loss", 0.5, 3)]


@pytest.mark.parametrize("optimizer", ["acgd", "sgd"])
def test_channels_last_changes_the_layout_and_hardly_the_numbers(optimizer: str, tmp_path: Path) -> None:
    runs = []
    for last in (False, True):
        trainer = start(tmp_path / str(last), optimizer=optimizer, channels_last=last, steps=2)
        weights = [p for p in trainer.discriminator.parameters() if p.ndim == 4 and min(p.shape[:2]) > 1]
        assert weights
        assert all(p.is_contiguous(memory_format=torch.channels_last) is last for p in weights)
        real = trainer.batches.next().real
        assert real.is_contiguous(memory_format=torch.channels_last) or not last
        trainer.run()
        runs.append(trainer)
    for ours, theirs in zip(runs[0].generator.parameters(), runs[1].generator.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_threads_are_what_was_asked_for(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        start(tmp_path, threads=before + 1)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_no_package_is_needed_that_was_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        assert not name.startswith(("tensorboard", "torch.utils.tensorboard"))
        return found(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    start(tmp_path).run()
