"""Checkpoints are whole or not there, and never run code."""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import pickle
import random
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from gamedyn.gan.checkpoints import (
    DIGEST_BYTES,
    MAGIC,
    list_checkpoints,
    load_newest,
    read_checkpoint,
    save_step,
    write_checkpoint,
)
from gamedyn.gan.runlog import RunLog, read_log

STATE = {"step": 3, "weights": torch.arange(5000.0), "nested": {"list": [1, 2.5, "text", None]}}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint-1.pt"
    write_checkpoint(path, STATE)
    state = read_checkpoint(path)
    assert torch.equal(state.pop("weights"), STATE["weights"])  # type: ignore[arg-type]
    assert state == {"step": 3, "nested": STATE["nested"]}
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_every_flipped_bit_and_every_truncation_is_detected(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint-1.pt"
    write_checkpoint(path, STATE)
    content = path.read_bytes()
    draw = random.Random(0)
    flips = [draw.randrange(8 * len(content)) for _ in range(120)] + list(range(8 * len(MAGIC)))
    for bit in flips:
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"checkpoint-1\.pt"):
            read_checkpoint(path)
    for length in [0, 1, 8, 40, *(draw.randrange(len(content)) for _ in range(56))]:
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"checkpoint-1\.pt"):
            read_checkpoint(path)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    assert load_newest(tmp_path) is None
    for step in (1, 2, 3):
        save_step(tmp_path, step, {"step": step})
    assert [path.name for path in list_checkpoints(tmp_path)] == [
        "checkpoint-00000002.pt",
        "checkpoint-00000003.pt",
    ]
    assert load_newest(tmp_path) == {"step": 3}
    older, newer = list_checkpoints(tmp_path)
    newer.write_bytes(newer.read_bytes()[:-1])
    with pytest.warns(RuntimeWarning, match="checkpoint-00000003.pt is damaged"):
        assert load_newest(tmp_path) == {"step": 2}
    older.write_bytes(b"")
    with pytest.warns(RuntimeWarning), pytest.raises(ValueError, match="every checkpoint"):
        load_newest(tmp_path)


class Executes:
    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, ("touch executed",))


def test_a_hostile_checkpoint_with_the_right_checksum_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    torch.save({"step": Executes()}, buffer)
    for payload in (buffer.getvalue(), pickle.dumps(Executes(), protocol=2)):
        path = tmp_path / "checkpoint-1.pt"
        path.write_bytes(MAGIC + hashlib.sha256(payload).digest() + payload)
        assert DIGEST_BYTES == 32
        with pytest.raises(ValueError, match="refused"):
            read_checkpoint(path)
    assert not Path("executed").exists()


@contextmanager
def largest_file(limit: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint-1.pt"
    write_checkpoint(path, {"step": 1})
    with largest_file(4096), pytest.raises(OSError, match="large"):
        write_checkpoint(path, STATE)
    assert read_checkpoint(path) == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]


def save_for_ever(folder: Path) -> None:
    step = 0
    while True:
        step += 1
        save_step(folder, step, {"step": step, "weights": torch.full((300_000,), float(step))})


def test_kill_at_any_instant_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    draw = random.Random(0)
    context = multiprocessing.get_context("fork")
    for kill in range(12):
        folder = tmp_path / str(kill)
        folder.mkdir()
        writer = context.Process(target=save_for_ever, args=(folder,), daemon=True)
        writer.start()
        while not list_checkpoints(folder):
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.05))
        os.kill(int(writer.pid or 0), signal.SIGKILL)
        writer.join()
        state = load_newest(folder)
        assert state is not None
        assert bool((state["weights"] == state["step"]).all())


def test_the_log_drops_what_comes_after_the_step_it_continues(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with RunLog(path, step=0) as log:
        for step in (1, 2, 3):
            log.write({"step": step})
    path.write_text(path.read_text() + '{"step": 4, "lo')
    with RunLog(path, step=2) as log:
        log.write({"step": 3, "again": True})
    assert read_log(path) == [{"step": 1}, {"step": 2}, {"step": 3, "again": True}]
    path.write_text('{"step": 1\n{"step": 2}\n')
    with pytest.raises(ValueError, match="line 1"):
        read_log(path)
