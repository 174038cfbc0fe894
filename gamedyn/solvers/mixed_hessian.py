"""Matrix-free products with the mixed second derivatives of a game.

Everything is reverse-over-reverse differentiation on the graph of one forward pass: the gradients are
built once with `create_graph=True`, and each product is one more backward pass through that kept graph.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

from gamedyn.solvers.double_backward import refuse_once_differentiable
from gamedyn.solvers.vectors import Scaling, Vector, scaled

RELAXED_ERROR = 7e-3
"""Relative error of a relaxed product: measured in bfloat16 on the products of a DCGAN."""

RELAXATION = 0.01
"""How far a solve may still have to go with relaxed products: until the residual is this part of what it is.

By then their errors add up to `RELAXED_ERROR / RELAXATION`, about one tolerance, times how far an iteration
reaches through the coupling. On DCGANs of 5 to 300 training steps, at tolerances from 1e-1 to 1e-3, a smaller
part made more claims that the exact products did not confirm, a larger one used fewer relaxed products
(`benchmarks/results/relaxation.json`).
"""

Product: TypeAlias = Callable[[Vector], Vector]
"""Half of a mixed product: a linear map from one player's space to the other's."""


class Coupling(Protocol):
    """A linear map between the two players' parameter spaces, known by its products."""

    @property
    def products(self) -> int:
        """Products spent so far."""
        ...

    def apply(self, vector: Vector) -> Vector:
        """Return `K v`, from player 0's space to player 1's."""
        ...

    def adjoint(self, vector: Vector) -> Vector:
        """Return `Kᵀ w`, from player 1's space to player 0's."""
        ...


class GradientProduct:
    """The map `q ↦ ∂⟨g, q⟩/∂θ` for a gradient `g` that still carries its graph.

    Entries of `g` that are constant (they carry no graph) contribute nothing, parameters that `g` does
    not reach get zeros, and no product reads a value back to the host.

    Args:
        gradient: The gradient `g`, one tensor per parameter of the one player.
        parameters: The parameters `θ` of the other player.

    Example:
        >>> import torch
        >>> x, y = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
        >>> (g,) = torch.autograd.grad((x * y * y).sum(), x, create_graph=True)
        >>> GradientProduct([g], [y])([torch.tensor([1.0, 3.0])])
        [tensor([2., 6.])]
    """

    def __init__(self, gradient: Sequence[Tensor], parameters: Sequence[Tensor]) -> None:
        self._active = [index for index, tensor in enumerate(gradient) if tensor.requires_grad]
        self._gradient = [gradient[index] for index in self._active]
        self._parameters = list(parameters)

    def __call__(self, vector: Sequence[Tensor]) -> Vector:
        """Return `∂⟨g, vector⟩/∂θ`, shaped like the parameters."""
        if not self._active or not self._parameters:
            return [torch.zeros_like(parameter) for parameter in self._parameters]
        product = torch.autograd.grad(
            self._gradient,
            self._parameters,
            [vector[index] for index in self._active],
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        return list(product)


class MixedHessian:
    r"""The mixed second derivative `D_yx f` of a scalar game, as an operator and its adjoint.

    With `x` (player 0) and `y` (player 1), `apply` computes `D_yx f · q = ∂⟨∇ₓf, q⟩/∂y` and `adjoint`
    computes `D_xy f · r = ∂⟨∇_y f, r⟩/∂x`, each for about the price of one gradient.

    Args:
        forward: The half that maps player 0's vectors to player 1's.
        backward: The half that maps player 1's vectors to player 0's.

    Example:
        >>> import torch
        >>> A = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> x, y = torch.zeros(2, requires_grad=True), torch.zeros(2, requires_grad=True)
        >>> K = MixedHessian.of(x @ A @ y, [x], [y])
        >>> K.apply([torch.tensor([1.0, 0.0])])      # the first row of A
        [tensor([1., 2.])]
        >>> K.adjoint([torch.tensor([1.0, 0.0])])    # the first column of A
        [tensor([1., 3.])]

    References:
        Pearlmutter (1994), Fast exact multiplication by the Hessian. Schäfer & Anandkumar (2019),
        Competitive Gradient Descent, section 3 ("Implementation").
    """

    def __init__(self, forward: Product, backward: Product) -> None:
        self._forward = forward
        self._backward = backward
        self.products = 0

    @classmethod
    def of(cls, value: Tensor, x: Sequence[Tensor], y: Sequence[Tensor]) -> "MixedHessian":
        """Build the operator of a scalar `f` from the graph of its forward pass.

        Args:
            value: The scalar `f(x, y)`, carrying its graph.
            x: Player 0's parameters.
            y: Player 1's parameters.

        Returns:
            The operator `D_yx f` at the point where `value` was computed.

        Raises:
            RuntimeError: If a function on the way is marked `@once_differentiable`.
        """
        gradients = torch.autograd.grad(
            value, [*x, *y], create_graph=True, allow_unused=True, materialize_grads=True
        )
        refuse_once_differentiable(value, *gradients, players=(x, y))
        gradient_x, gradient_y = gradients[: len(x)], gradients[len(x) :]
        return cls(GradientProduct(gradient_x, y), GradientProduct(gradient_y, x))

    def apply(self, vector: Vector) -> Vector:
        """Return `D_yx f · vector`, shaped like player 1's parameters."""
        self.products += 1
        return self._forward(vector)

    def adjoint(self, vector: Vector) -> Vector:
        """Return `D_xy f · vector`, shaped like player 0's parameters."""
        self.products += 1
        return self._backward(vector)


class ScaledCoupling:
    """The coupling `S_y K S_x` in the players' own metrics, `S = √η`.

    Args:
        coupling: The unscaled map `K`.
        scale_x: The diagonal `S_x` (numbers or tensors, one per parameter of player 0).
        scale_y: The diagonal `S_y`.

    Example:
        >>> import torch
        >>> x, y = torch.ones(1, requires_grad=True), torch.ones(1, requires_grad=True)
        >>> K = ScaledCoupling(MixedHessian.of((10 * x * y).sum(), [x], [y]), [0.3], [0.1])
        >>> K.apply([torch.tensor([1.0])])
        [tensor([0.3000])]
    """

    def __init__(self, coupling: Coupling, scale_x: Scaling, scale_y: Scaling) -> None:
        self._coupling = coupling
        self._scale_x = scale_x
        self._scale_y = scale_y

    @property
    def products(self) -> int:
        """Products spent so far."""
        return self._coupling.products

    def apply(self, vector: Vector) -> Vector:
        """Return `S_y K S_x · vector`."""
        return scaled(self._coupling.apply(scaled(vector, self._scale_x)), self._scale_y)

    def adjoint(self, vector: Vector) -> Vector:
        """Return `S_x Kᵀ S_y · vector`."""
        return scaled(self._coupling.adjoint(scaled(vector, self._scale_y)), self._scale_x)
