"""Do the runs of a study in several processes; every finished one is a line that is never done again."""

from __future__ import annotations

import contextlib
import json
import math
import multiprocessing
import multiprocessing.connection
import multiprocessing.process
import os
import signal
import threading
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from gamedyn.gan.config import read_config
from gamedyn.gan.interrupts import deferred_interrupts
from gamedyn.gan.runlog import FAILURE, read_log
from gamedyn.gan.runs import CONFIG, LOG
from gamedyn.gan.studies.rows import check_rows
from gamedyn.gan.studies.study import Job, Row, Study, settings_of
from gamedyn.provenance import commit, processor

RunJob = Callable[[Job, Path], str]
"""Does one run in its folder, continuing what is there; returns why it ended early, or nothing."""

ROWS = "rows.jsonl"
KILLED = (
    "a run's process was killed, perhaps for want of memory: try fewer --processes; the same command goes on "
    "from what the runs saved"
)
BUSY = threading.Lock()
"""Held while this process does a run."""


def read_rows(path: Path) -> list[Row]:
    """Read finished runs.

    Args:
        path: The file; a missing one holds none.

    Returns:
        The rows in order, without a line that a killed process left unfinished: that run's checkpoint is
        complete, so that it costs seconds to write it again.

    Raises:
        ValueError: If a line is whole and no row.
    """
    rows: list[Row] = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        with contextlib.suppress(json.JSONDecodeError):
            rows.append(json.loads(line))
            if not (isinstance(rows[-1], dict) and "run" in rows[-1]):
                raise ValueError(f"{path} holds {line[:40]!r}, which is no run of a study: delete that line")
    return rows


def sweep(
    study: Study, folder: Path, run_job: RunJob, *, processes: int = 1, shard: tuple[int, int] = (1, 1)
) -> list[Row]:
    """Do what is missing of a study.

    Runs are started in order as processes become free, and appended to `rows.jsonl` as they finish; a run
    that is interrupted continues from its checkpoint the next time. Reported runs start once their method's
    pilots are done; where other machines do those, call it again then.

    Args:
        study: The study.
        folder: Where its rows and the folders of its runs are.
        run_job: What does a run; importable by name, since each process imports it.
        processes: Runs at a time.
        shard: This machine's number and the number of machines: of all missing runs it does every so many.

    Returns:
        All finished rows.

    Raises:
        KeyboardInterrupt: If Ctrl-C or SIGTERM stopped it; the runs saved what they had.
        ValueError: If the shard or the number of processes makes no sense, or a finished row is none of the
            study's, see `check_rows`.
        ChildProcessError: If a run's process was killed; the others saved what they had.
        OSError: If the folder cannot be written.
    """
    number, count = shard
    if not 1 <= number <= count:
        raise ValueError(f"shard must be i/n with 1 <= i <= n, got {number}/{count}")
    if processes < 1:
        raise ValueError(f"processes must be at least 1, got {processes}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ROWS
    running: dict[Future[str], Job] = {}
    children: set[multiprocessing.process.BaseProcess] = set()
    others = set(multiprocessing.active_children())  # the caller's own
    context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
    bar = tqdm(desc=study.name, unit="run", disable=None)
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=begin_process)
    with bar, deferred_interrupts() as interruption, pool:
        try:
            while not interruption.requested:
                rows = read_rows(path)  # other machines may write to it, too
                check_rows(study, rows)
                missing = study.missing(rows)
                bar.n = len(study.jobs(rows)) - len(missing)
                bar.total = bar.n + len(missing) + study.waiting(rows)
                bar.refresh()
                busy = {job.key for job in running.values()}
                free = [job for job in missing if job.key not in busy]
                free = [job for job in free if zlib.crc32(job.key.encode()) % count == number - 1]
                for job in free[: processes - len(running)]:
                    running[pool.submit(run_alone, run_job, job, folder / "runs" / job.key)] = job
                if not running:
                    return rows
                children.update(set(multiprocessing.active_children()) - others)
                if any((child.exitcode or 0) < 0 for child in children):  # the pool may notice hours later
                    end_processes(children, others)
                    raise ChildProcessError(KILLED)
                for future in wait(running, timeout=1.0, return_when=FIRST_COMPLETED).done:
                    job = running.pop(future)
                    append(path, finished_row(study, job, folder / "runs" / job.key, future.result()))
        except BrokenProcessPool as error:
            end_processes(children, others)
            raise ChildProcessError(KILLED) from error
        end_processes(children, others)
    raise KeyboardInterrupt


def end_processes(
    children: set[multiprocessing.process.BaseProcess], others: set[multiprocessing.process.BaseProcess]
) -> None:
    """Wait until the processes of runs have ended; runs save and stop after their step.

    They are told again and again: a run takes no notice of it twice, and its process, once it is idle, ends
    only then. A pool of which one process died would wait for the others for ever (Python 3.12 and newer).

    Args:
        children: The processes; those that have begun since count, too.
        others: Processes that are none of the pool's.
    """
    while alive := [
        child for child in children.union(multiprocessing.active_children()) - others if child.is_alive()
    ]:
        for child in alive:
            child.terminate()
        multiprocessing.connection.wait([child.sentinel for child in alive], timeout=1.0)


def run_alone(run_job: RunJob, job: Job, folder: Path) -> str:
    """Do a run in a process that has no other.

    Args:
        run_job: What does it.
        job: The run.
        folder: Its folder.

    Returns:
        Why it ended early, or nothing.
    """
    with BUSY:
        return run_job(job, folder)


def begin_process() -> None:
    """Have a process of runs listen to the one that started it alone, and end with it.

    Ctrl-C of a terminal reaches a whole group of processes: the runs leave it, and are told by the study. If
    that is killed they must not go on, or the next start would do the same run a second time beside them.
    """
    if hasattr(os, "setpgrp"):
        os.setpgrp()
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch(sentinel: int) -> None:
        multiprocessing.connection.wait([sentinel])
        os.kill(os.getpid(), signal.SIGTERM)  # inside a run that saves, elsewhere it ends the process
        with BUSY:
            os._exit(1)

    threading.Thread(target=watch, args=[parent.sentinel], daemon=True).start()


def finished_row(study: Study, job: Job, folder: Path, failure: str) -> Row:
    """Describe a finished run.

    Args:
        study: The study.
        job: The run.
        folder: Its folder, with the log.
        failure: Why it ended early; empty if it did not.

    Returns:
        The row: the run's name, method and settings, its scores by step and by seconds in steps (of
        processor time, or on an accelerator of wall-clock time), and where it was done.
    """
    lines = read_log(folder / LOG)
    timed = [line for line in lines if "cpu_seconds" in line]
    device = read_config(folder / CONFIG).device if (folder / CONFIG).exists() else "cpu"
    # While an accelerator works the processor waits, or does not.
    clock = "cpu_seconds" if device.startswith("cpu") else "seconds"
    steps, seconds = [line["step"] for line in timed], [line[clock] for line in timed]
    curve, name = [], ""
    for line in lines:
        scored = [key for key in line if key.startswith(("FD", "FID"))]
        if scored or FAILURE in line:  # samples that could not be scored count as a score that is not known
            name = scored[0] if scored else name
            value: Any = line[name] if scored else None
            known = isinstance(value, float | int) and math.isfinite(value)
            curve.append(
                {
                    "step": line["step"],
                    "seconds": round(float(np.interp(line["step"], steps, seconds)), 2),
                    "score": round(value, 3) if known else None,
                }
            )
    return {
        "study": study.name,
        "run": job.key,
        "method": job.method,
        "pilot": job.pilot,
        "settings": settings_of(job.config),
        "score": name,
        "curve": curve,
        "skipped": timed[-1]["skipped"] if timed else 0,
        "failure": failure,
        "device": device,
        **({} if device.startswith("cpu") else accelerator(folder)),
        **where(),
    }


def accelerator(folder: Path) -> Mapping[str, str]:
    """Name what a run's networks lived on, as its own process saw it.

    Args:
        folder: The run's folder.

    Returns:
        The name; nothing where the run recorded none.
    """
    from gamedyn.gan.environment import ENVIRONMENT

    try:
        starts = json.loads((folder / ENVIRONMENT).read_text(encoding="utf-8"))
        return {"accelerator": str(starts[-1]["device"])}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def where() -> Mapping[str, Any]:
    """Say on what a run was done.

    Returns:
        The date, the versions, the commit and the processor.
    """
    import torch

    import gamedyn

    return {
        "gamedyn": gamedyn.__version__,
        "torch": torch.__version__,
        "commit": commit(),
        "processor": processor(),
        "processors": os.cpu_count(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
    }


def append(path: Path, row: Row) -> None:
    """Add a line to a file and see it on the disk.

    Args:
        path: The file.
        row: What to add.

    Raises:
        OSError: If it cannot be written.
    """
    content = path.read_bytes() if path.exists() else b""
    torn = bool(content) and not content.endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" * torn + json.dumps(row) + "\n")
        file.flush()
        os.fsync(file.fileno())
