"""The path along which all contenders step, from one common point after another."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Mapping, Sequence

from step_contenders import EQUAL, acgd, contenders, structured
from step_device import clock, synchronize, without_tf32
from step_games import Game, place
from step_recording import Contender, Solved
from step_residual import COMMON, Rates, TrueResidual, gradients
from torch import Tensor
from tqdm import tqdm

BURST, MOST = 0.03, 10
"""A step is repeated as often as gradients fit into these seconds, but not more often than this."""


class Path:
    """One game on ACGD's path, with everything that steps from it.

    Args:
        game: The game at its initial point.
        rtols: The tolerances that the contenders solve to.
        compiled: Whether compiled products compete as well.
    """

    def __init__(self, game: Game, rtols: Sequence[float], *, compiled: bool = False) -> None:
        self.contenders = contenders(game, rtols, compiled=compiled)
        self.steps = 0
        """Steps taken along the path."""
        self._game = game
        self._leader = f"ACGD rtol={min(rtols):g}"
        metrics = {COMMON, *(contender.metric for contender in self.contenders.values())}
        self._rates = {metric: Rates(game, metric) for metric in metrics if metric is not None}
        if game.objective is None:
            self._trainer = acgd(game, lambda: game.value, rtol=1e-2)
        else:
            self._trainer = structured(game, EQUAL[0], rtol=1e-2)

    def train(self, until: int) -> None:
        """Go on by ACGD alone (structured where the game is), to a number of steps from the start."""
        if self.steps >= until:
            return
        if self.steps > 0:
            self._trainer.adopt(self._rates[COMMON])
        for _ in tqdm(range(until - self.steps), desc="training", leave=False, disable=None):
            self._advance()
            self._trainer.step()
        for contender in self.contenders.values():
            if contender.metric is not None:
                contender.adopt(self._rates[contender.metric])

    def compare(self, warm_up: int, steps: int) -> None:
        """Let all step from each point, in rotating order; measure all but the first steps."""
        order = list(self.contenders)
        gc.collect()
        gc.freeze()  # what is here stays: collecting it before each step would take longer than the step
        for step in tqdm(range(warm_up + steps), desc="comparing", leave=False, disable=None):
            self._advance()
            origin = self._point()
            repeats = self._repeats() if step >= warm_up else 1
            solved: dict[str, Solved] = {}
            for name in [*order[step % len(order) :], *order[: step % len(order)]]:
                contender = self.contenders[name]
                if contender.failure:
                    continue
                times = self._timed(contender, origin, repeats)
                if name == self._leader:
                    ahead = self._point()
                place(self._game, origin)
                if times and step >= warm_up:
                    contender.cpu.append(statistics.median(cpu for cpu, _ in times))
                    contender.wall.append(statistics.median(wall for _, wall in times))
                    if contender.solved is not None:
                        solved[name] = contender.solved()
            self._check(solved)
            place(self._game, ahead)
        gc.unfreeze()

    def _advance(self) -> None:
        self.steps += 1
        self._game.next_batch()
        with without_tf32(self._game.device):
            found = gradients(self._game)
        for rates in self._rates.values():
            rates.advance(found)

    def _timed(
        self, contender: Contender, origin: Sequence[Tensor], repeats: int
    ) -> list[tuple[float, float]]:
        """Step once, or repeatedly from the same point and state; return CPU and wall times."""
        times = []
        state = contender.save() if repeats > 1 else None
        gc.collect()
        gc.disable()
        try:
            for repeat in range(repeats):
                if repeat:
                    contender.load(state)
                    place(self._game, origin)
                gradients(self._game)
                synchronize(self._game.device)
                wall, cpu = time.perf_counter(), time.process_time()
                contender.step()
                synchronize(self._game.device)
                times.append((time.process_time() - cpu, time.perf_counter() - wall))
        except Exception as error:  # a rival may break in any way: its row says so
            contender.failure = f"{type(error).__name__}: {error}"
            if "gamedyn" in type(error).__module__:
                raise
            return []
        finally:
            gc.enable()
        return times

    def _check(self, solved: Mapping[str, Solved]) -> None:
        """Note what was solved at the current point, and how well."""
        with without_tf32(self._game.device):
            residual = TrueResidual(self._game)
            for name, (side, solution, iterations) in solved.items():
                contender = self.contenders[name]
                contender.iterations.append(iterations)
                if contender.metric is not None and contender.whole:
                    diagonals = self._rates[contender.metric].diagonals
                    contender.residuals.append(residual(diagonals, side, solution))

    def _repeats(self) -> int:
        times, now = [], clock(self._game.device)
        for _ in range(3):
            synchronize(self._game.device)
            start = now()
            gradients(self._game)
            synchronize(self._game.device)
            times.append(now() - start)
        return min(MOST, max(1, int(BURST / min(times))))

    def _point(self) -> list[Tensor]:
        return [parameter.detach().clone() for parameter in (*self._game.x, *self._game.y)]
