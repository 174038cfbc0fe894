"""The same linear maps by automatic differentiation, for networks that the rules do not cover."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from gamedyn.gan.auxiliary import scores_alone
from gamedyn.solvers import refuse_once_differentiable


class AutogradGenerator:
    """`J_G` and its adjoint at one latent batch, from the graph of one forward pass.

    The tangent is taken by differentiating the adjoint, which is linear in its cotangent; the adjoint's graph
    is built with the first tangent.

    Args:
        network: The generator.
        latent: The latent batch.
        parameters: What tangents are with respect to.
    """

    def __init__(
        self, network: Callable[[Tensor], Tensor], latent: Tensor, parameters: Sequence[Tensor]
    ) -> None:
        self._parameters = list(parameters)
        with torch.enable_grad():
            self._image = scores_alone(network(latent))
        self._adjoint: tuple[Tensor, tuple[Tensor, ...]] | None = None
        self.output = self._image.detach()

    def _graph(self) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return a cotangent of the image and those of the parameters, which depend on it."""
        if self._adjoint is None:
            refuse_once_differentiable(self._image)
            with torch.enable_grad():
                cotangent = torch.zeros_like(self._image, requires_grad=True)
                pulled = torch.autograd.grad(
                    self._image,
                    self._parameters,
                    cotangent,
                    create_graph=True,
                    allow_unused=True,
                    materialize_grads=True,
                )
            self._adjoint = cotangent, pulled
        return self._adjoint

    def push(self, weights: Mapping[int, Tensor]) -> Tensor:
        """Return the image tangent of a tangent of the parameters."""
        if not self._image.requires_grad:
            return torch.zeros_like(self.output)
        cotangent, adjoint = self._graph()
        moving = [
            (pulled, weights[id(parameter)])
            for pulled, parameter in zip(adjoint, self._parameters, strict=True)
            if pulled.requires_grad and id(parameter) in weights
        ]
        if not moving:
            return torch.zeros_like(self.output)
        outputs, cotangents = zip(*moving, strict=True)
        return torch.autograd.grad(outputs, cotangent, cotangents, retain_graph=True)[0]

    def pull(self, image: Tensor) -> dict[int, Tensor]:
        """Return the parameters' cotangents of an image cotangent."""
        if not self._image.requires_grad:  # computed under no_grad, or of none of them
            return {}
        gradients = torch.autograd.grad(
            self._image, self._parameters, image, retain_graph=True, allow_unused=True
        )
        return _found(self._parameters, gradients)


class AutogradDiscriminator:
    """The mixed second derivative of `F(h, y)` in the fakes and the weights, from one kept graph.

    Args:
        network: The discriminator.
        fakes: The generated batch.
        parameters: The discriminator's parameters.
    """

    def __init__(self, network: nn.Module, fakes: Tensor, parameters: Sequence[Tensor]) -> None:
        self._parameters = list(parameters)
        with torch.enable_grad():
            self._fakes = fakes.detach().requires_grad_(True)
            self._scores = network(self._fakes.clone())  # which it may overwrite
        self._adjoint: tuple[Tensor, Tensor] | None = None
        self.scores = self._scores.detach()

    def push(self, dot: Tensor) -> Tensor:
        """Return the scores' tangent as the fakes move."""
        if not self._scores.requires_grad:
            return torch.zeros_like(self.scores)
        if self._adjoint is None:
            refuse_once_differentiable(self._scores)
            with torch.enable_grad():
                cotangent = torch.zeros_like(self._scores, requires_grad=True)
                pulled = torch.autograd.grad(
                    self._scores, self._fakes, cotangent, create_graph=True, materialize_grads=True
                )
            self._adjoint = cotangent, pulled[0]
        cotangent, adjoint = self._adjoint
        if not adjoint.requires_grad:
            return torch.zeros_like(self.scores)
        return torch.autograd.grad(adjoint, cotangent, dot, retain_graph=True)[0]

    def pull(self, bar: Tensor) -> Tensor:
        """Return the fakes' cotangent of one of the scores, the adjoint of `push`."""
        if not self._scores.requires_grad:
            return torch.zeros_like(self._fakes)
        return torch.autograd.grad(
            self._scores, self._fakes, bar, retain_graph=True, allow_unused=True, materialize_grads=True
        )[0]

    def curvature(self, loss: Callable[[Tensor], Tensor], *, products: bool = True) -> "AutogradCurvature":
        """Return the curvature of a loss of the fakes' scores.

        Args:
            loss: The loss.
            products: Whether products will be asked for, and not its gradients alone; a graph is built for
                them now, otherwise with the first one.

        Returns:
            The curvature.
        """
        return AutogradCurvature(self._fakes, self._scores, self._parameters, loss, products)


class AutogradCurvature:
    """Gradients and mixed products of one loss of the fakes' scores."""

    def __init__(
        self,
        fakes: Tensor,
        scores: Tensor,
        parameters: list[Tensor],
        loss: Callable[[Tensor], Tensor],
        products: bool,
    ) -> None:
        self._fakes = fakes
        self._scores = scores
        self._parameters = parameters
        self._loss = loss
        self._differentiate(products)

    def _differentiate(self, products: bool) -> None:
        self._has_graph = products
        inputs = [self._fakes, *self._parameters]
        if not self._scores.requires_grad:  # computed under no_grad
            self._of_input, *self._of_weights = map(torch.zeros_like, inputs)
            return
        with torch.enable_grad():
            loss = self._loss(self._scores)
            if products:
                refuse_once_differentiable(loss)
            self._of_input, *self._of_weights = torch.autograd.grad(
                loss,
                inputs,
                create_graph=products,
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )

    def gradients(self) -> tuple[Tensor, dict[int, Tensor]]:
        """Return `∂F/∂h` and `∂F/∂y`."""
        weights = {id(p): g.detach() for p, g in zip(self._parameters, self._of_weights, strict=True)}
        return self._of_input.detach(), weights

    def to_weights(self, dot: Tensor) -> dict[int, Tensor]:
        """Return `∂²F/∂y∂h · ḣ`."""
        if not self._has_graph:
            self._differentiate(True)
        if not self._of_input.requires_grad:
            return {}
        gradients = torch.autograd.grad(
            self._of_input, self._parameters, dot, retain_graph=True, allow_unused=True
        )
        return _found(self._parameters, gradients)

    def to_image(self, weights: Mapping[int, Tensor]) -> Tensor:
        """Return `∂²F/∂h∂y · ẏ`."""
        if not self._has_graph:
            self._differentiate(True)
        moving = [
            (gradient, weights[id(parameter)])
            for gradient, parameter in zip(self._of_weights, self._parameters, strict=True)
            if gradient.requires_grad and id(parameter) in weights
        ]
        if not moving:
            return torch.zeros_like(self._fakes)
        outputs, cotangents = zip(*moving, strict=True)
        (image,) = torch.autograd.grad(
            outputs, self._fakes, cotangents, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        return image


def _found(parameters: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> dict[int, Tensor]:
    return {id(p): g for p, g in zip(parameters, gradients, strict=True) if g is not None}
