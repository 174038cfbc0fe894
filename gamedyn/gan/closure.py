"""One step's closure of a GAN, which linearises its game by structure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from gamedyn.gan.auxiliary import refuse_classes, scores_alone, scores_and_classes
from gamedyn.gan.batch import Batch
from gamedyn.gan.curvature.discriminator import ScoreCurvature
from gamedyn.gan.curvature.fallback import AutogradCurvature, AutogradDiscriminator, AutogradGenerator
from gamedyn.gan.curvature.network import LinearisedNetwork
from gamedyn.gan.curvature.paired import PairedCurvature
from gamedyn.gan.curvature.precision import relaxed_maps
from gamedyn.gan.curvature.products import listed, products
from gamedyn.gan.curvature.scores import derivatives, mixed_derivatives
from gamedyn.gan.curvature.subbatch import (
    ImageMap,
    MixedDerivative,
    count_of,
    first_curvature,
    first_images,
)
from gamedyn.gan.draws import GeneratorStates
from gamedyn.gan.network_state import BufferValues
from gamedyn.gan.noise import noised
from gamedyn.gan.penalties import total_penalty, with_draws
from gamedyn.solvers import Linearisation
from gamedyn.solvers.vectors import Vector

if TYPE_CHECKING:
    from gamedyn.gan.objective import GANObjective

Losses: TypeAlias = Tensor | tuple[Tensor, Tensor]
Curvature: TypeAlias = ScoreCurvature | AutogradCurvature | PairedCurvature


class GANClosure:
    """One batch of a game: a closure, and its linearisation by structure.

    Where an optimizer asks again within a step (`AltGD`), the game is the same: what the networks draw
    (dropout) is drawn alike, and their buffers, running statistics and power iterations, advance with the
    first evaluation alone. A gamedyn optimizer says where a step begins; asked by anyone else, all
    evaluations are those of one step.

    Args:
        objective: The game.
        batch: Samples and latent vectors.

    Raises:
        ValueError: If the game's noise is negative or not finite.
    """

    def __init__(self, objective: GANObjective, batch: Batch) -> None:
        self._objective = objective
        self._batch = batch
        self._real, self._noise = noised(batch, objective.noise)
        self._penalties = with_draws(objective.penalties, self._real)
        self._beginning: tuple[GeneratorStates, list[BufferValues]] | None = None

    def begin_step(self, players: Sequence[Sequence[Tensor]]) -> None:
        """Take the next evaluation for the first of a step.

        Args:
            players: Each player's parameters.

        Raises:
            ValueError: If each player owns the other's network.
        """
        if len(players) == 2 and all(players):
            self._objective.refuse_exchanged(*players)
        self._beginning = None

    def abandon_step(self) -> None:
        """Put the networks' buffers back: a batch that is NaN must not stay in running statistics."""
        if self._beginning is not None:
            for values in self._beginning[1]:
                values.restore()

    def __call__(self) -> Losses:
        """Evaluate the losses.

        Returns:
            One scalar (zero-sum) or one loss per player, carrying their graphs.
        """
        game = self._objective
        with self._again():
            fake = self._seen(self._batch.generated(game.generator))
            real_scores, real_classes = scores_and_classes(game.discriminator(self._real))
            fake_scores, fake_classes = scores_and_classes(game.discriminator(fake))
            refuse_classes(real_scores, fake_scores)
            losses = game.loss(real_scores, fake_scores)
            if real_classes is not None and fake_classes is not None:
                losses = game.auxiliary.joined(losses, real_classes, fake_classes, self._batch)
            penalty = total_penalty(self._penalties, game.discriminator, self._real, fake)
        return losses if penalty is None else penalised(losses, penalty)

    def _seen(self, fake: Tensor) -> Tensor:
        """Return the fakes as the discriminator sees them."""
        return fake if self._noise is None else fake + self._noise

    def linearise(self, x: Sequence[Tensor], y: Sequence[Tensor]) -> Linearisation | None:
        """Evaluate the game once, with its gradients and mixed products.

        Args:
            x: Player 0's parameters, of the generator.
            y: Player 1's parameters, of the discriminator.

        Returns:
            The linearisation; None for a loss that is not separable or reads parameters, under autocast,
            without parameters, or where a player owns anything but parameters of its own network.

        Raises:
            ValueError: If a sample has several numbers for a score.
        """
        game = self._objective
        if not x or not y:  # one player is frozen as a whole: nothing is coupled
            return None
        game.warn_of_third_derivatives()
        if game.note_classes(self._batch) or "loss" in game.fallbacks:
            return None
        if game.note_players(x, y, self._real, self._batch.latent):
            return None
        if game.note_autocast(self._batch.latent.device.type):
            return None
        with self._again():
            return self._linearise(x, y)

    @contextmanager
    def _again(self) -> Iterator[None]:
        """Repeat a step's first evaluation: what it drew, from the buffers that it began with."""
        if self._beginning is None:
            self._beginning = GeneratorStates(self._batch.latent.device), self._buffers()
            yield
            return
        (drawn, before), now = self._beginning, self._buffers()
        with torch.random.fork_rng(drawn.devices):
            drawn.restore()
            try:
                for values in before:
                    values.restore()
                yield
            finally:
                for values in now:
                    values.restore()

    def _buffers(self) -> list[BufferValues]:
        return [BufferValues(self._objective.generator), BufferValues(self._objective.discriminator)]

    def _linearise(self, x: Sequence[Tensor], y: Sequence[Tensor]) -> Linearisation | None:
        """Evaluate the game once by the structure of its networks."""
        game = self._objective
        generator = game.linearised_generator(self._batch.latent, x)
        seen = self._seen(generator.output)
        real = Real(game, self._real, y)
        discriminator = game.linearised_discriminator(seen, y)
        fake = discriminator.output if isinstance(discriminator, LinearisedNetwork) else discriminator.scores
        with torch.enable_grad():
            refuse_classes(real.scores, fake)
            losses = game.loss(real.scores, fake)
        players = losses if isinstance(losses, tuple) else (losses,)
        if game.note_parameters(*players):
            return None

        mixed = any(
            not isinstance(network, LinearisedNetwork) or network.mixes_samples
            for network in (generator, discriminator)
        )
        count = count_of(game.curvature_batch, len(generator.output), mixed=mixed)

        def loss_of(player: int) -> Callable[[Tensor, Tensor], Tensor]:
            def loss(of_real: Tensor, of_fake: Tensor) -> Tensor:
                value = game.loss(of_real, of_fake)
                return value[player] if isinstance(value, tuple) else value

            return loss

        of_fakes = [partial(loss_of(player), real.scores) for player in range(len(players))]

        def curvature(player: int) -> Curvature:
            alone: ScoreCurvature | AutogradCurvature
            if isinstance(discriminator, AutogradDiscriminator):
                alone = discriminator.curvature(of_fakes[player], products=count is None)
            else:
                flat = getattr(game.loss, "piecewise_linear", False)
                alone = ScoreCurvature(
                    discriminator, *derivatives(of_fakes[player], fake, piecewise_linear=flat)
                )
            if real.map is None:
                return alone
            cross = mixed_derivatives(loss_of(player), real.scores, fake)
            return PairedCurvature(alone, discriminator, real.map, cross)

        curvatures = [curvature(player) for player in range(len(players))]
        image, weights = curvatures[0].gradients()
        if len(curvatures) > 1:
            weights = curvatures[1].gradients()[1]
        gradient_x = listed(generator.pull(image), x)
        gradient_y = listed(weights, y)
        of_real = real.gradient(lambda scores: loss_of(len(players) - 1)(scores, fake), y)
        gradient_y = [total + part for total, part in zip(gradient_y, of_real, strict=True)]
        images: ImageMap = generator
        derivatives_of: list[MixedDerivative] = [*curvatures]
        if count is not None:
            images = first_images(generator, game.generator, self._batch.latent, x, count)
            derivatives_of = [
                first_curvature(whole, game.discriminator, seen, y, of_fakes[player], fake, count)
                for player, whole in enumerate(curvatures)
                if not isinstance(whole, PairedCurvature)
            ]
        game.note_part(images, *derivatives_of)
        dtype = game.relaxed_dtype
        relaxed = None if dtype is None else relaxed_maps(images, derivatives_of, dtype, game.compiler)
        if game.compiler is not None:
            images, derivatives_of = game.compiler.maps(images, derivatives_of)
        if (penalty := total_penalty(self._penalties, game.discriminator, self._real, seen)) is not None:
            losses = penalised(losses, penalty)
            sign = 1.0 if isinstance(losses, tuple) else -1.0
            gradient_y = [g + sign * p for g, p in zip(gradient_y, gradient(penalty, y), strict=True)]
        return Linearisation(
            tuple(loss.detach() for loss in losses) if isinstance(losses, tuple) else losses.detach(),
            gradient_x,
            gradient_y,
            *products(images, derivatives_of, x, y),
            None if relaxed is None else products(*relaxed, x, y),
        )


class Real:
    """The real samples' part of a linearisation: their scores, and how they move with the weights.

    Args:
        game: The game; of a loss of pairs, products need the map from weights to scores too.
        samples: The real samples, as the discriminator sees them.
        y: The discriminator's parameters.
    """

    def __init__(self, game: GANObjective, samples: Tensor, y: Sequence[Tensor]) -> None:
        self.map: LinearisedNetwork | AutogradGenerator | None = None
        if getattr(game.loss, "separable", False):
            with torch.enable_grad():
                self._graph = scores_alone(game.discriminator(samples))
            self.scores = self._graph.detach()
        else:
            self.map = game.linearised_scores(samples, y)
            self.scores = self.map.output.detach()

    def gradient(self, loss: Callable[[Tensor], Tensor], y: Sequence[Tensor]) -> Vector:
        """Return the gradient of a loss of the scores.

        Args:
            loss: The loss of the discriminator, the fakes' scores held fixed.
            y: The discriminator's parameters.

        Returns:
            One tensor per parameter.
        """
        with torch.enable_grad():
            if self.map is None:
                return gradient(loss(self._graph), y)
            leaf = self.scores.clone().requires_grad_(True)
            return listed(self.map.pull(gradient(loss(leaf), [leaf])[0]), y)


def gradient(loss: Tensor, parameters: Sequence[Tensor]) -> Vector:
    """Return a loss's gradient, with zeros for what it does not reach."""
    if not loss.requires_grad:
        return [torch.zeros_like(parameter) for parameter in parameters]
    return list(torch.autograd.grad(loss, list(parameters), allow_unused=True, materialize_grads=True))


def penalised(losses: Losses, penalty: Tensor) -> Losses:
    """Let the discriminator minimise a penalty too: the maximiser of a zero-sum game maximises `f - P`."""
    if isinstance(losses, tuple):
        return losses[0], losses[1] + penalty
    return losses - penalty
