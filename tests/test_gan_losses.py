"""The losses against closed forms of their values and of their first and second derivatives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gamedyn.gan.curvature.scores import derivatives, mixed_derivatives
from gamedyn.gan.losses import (
    LOSSES,
    GANLoss,
    Hinge,
    LeastSquares,
    Minimax,
    NonSaturating,
    RelativisticPairing,
    Wasserstein,
    build_loss,
)


@pytest.fixture
def scores() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(50, generator=draw, dtype=torch.float64) * 3 for _ in range(2))
    return real.requires_grad_(), fake.requires_grad_()


def test_losses_are_the_textbook_formulas(scores: tuple[Tensor, Tensor]) -> None:
    real, fake = scores
    value = real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean()
    torch.testing.assert_close(Minimax()(real, fake), value)
    generator, discriminator = NonSaturating()(real, fake)
    torch.testing.assert_close(generator, -fake.sigmoid().log().mean())
    torch.testing.assert_close(discriminator, -value)
    torch.testing.assert_close(Wasserstein()(real, fake), real.mean() - fake.mean())


def test_losses_survive_scores_of_any_size() -> None:
    huge = torch.tensor([1e4, -1e4])
    for loss in LOSSES.values():
        values = loss(huge, huge)
        for value in [values] if isinstance(values, Tensor) else values:
            assert bool(torch.isfinite(value))


@pytest.mark.parametrize("name", LOSSES)
def test_closure_and_alternating_forms_are_the_same_game(name: str, scores: tuple[Tensor, Tensor]) -> None:
    loss, (real, fake) = LOSSES[name], scores
    joint = loss(real, fake)
    of_generator, of_discriminator = (joint, -joint) if isinstance(joint, Tensor) else joint
    (together,) = torch.autograd.grad(of_generator, fake, retain_graph=True)
    (alone,) = torch.autograd.grad(loss.generator(fake, real if loss.relative else None), fake)
    torch.testing.assert_close(together, alone)
    together_d = torch.autograd.grad(of_discriminator, scores)
    alone_d = torch.autograd.grad(loss.discriminator(real, fake), scores)
    torch.testing.assert_close(together_d, alone_d)


EXACT = {"rtol": 1e-12, "atol": 1e-12}
S = 0.1


def log(x: Tensor) -> Tensor:
    return x.sigmoid().log()


# loss, l_G, l_D, dl_G/df, dl_D/dr, dl_D/df, each times the batch size, of real scores r and fake scores f
FORMS = {
    "minimax": (
        Minimax(), lambda r, f: log(r) + log(-f), lambda r, f: -log(r) - log(-f),
        lambda r, f: -f.sigmoid(), lambda r, f: r.sigmoid() - 1, lambda r, f: f.sigmoid(),
    ),
    "minimax, smoothed": (
        Minimax(S), lambda r, f: (1 - S) * log(r) + S * log(-r) + log(-f),
        lambda r, f: -(1 - S) * log(r) - S * log(-r) - log(-f),
        lambda r, f: -f.sigmoid(), lambda r, f: r.sigmoid() - (1 - S), lambda r, f: f.sigmoid(),
    ),
    "non-saturating": (
        NonSaturating(), lambda r, f: -log(f), lambda r, f: -log(r) - log(-f),
        lambda r, f: f.sigmoid() - 1, lambda r, f: r.sigmoid() - 1, lambda r, f: f.sigmoid(),
    ),
    "non-saturating, smoothed": (
        NonSaturating(S), lambda r, f: -log(f), lambda r, f: -(1 - S) * log(r) - S * log(-r) - log(-f),
        lambda r, f: f.sigmoid() - 1, lambda r, f: r.sigmoid() - (1 - S), lambda r, f: f.sigmoid(),
    ),
    "wgan": (
        Wasserstein(), lambda r, f: r - f, lambda r, f: f - r,
        lambda r, f: -torch.ones_like(f), lambda r, f: -torch.ones_like(r), lambda r, f: torch.ones_like(f),
    ),
    "hinge": (
        Hinge(), lambda r, f: -f, lambda r, f: (1 - r).clamp(min=0) + (1 + f).clamp(min=0),
        lambda r, f: -torch.ones_like(f), lambda r, f: -(r < 1).double(), lambda r, f: (f > -1).double(),
    ),
    "lsgan": (
        LeastSquares(), lambda r, f: (f - 1) ** 2, lambda r, f: ((r - 1) ** 2 + f**2) / 2,
        lambda r, f: 2 * (f - 1), lambda r, f: r - 1, lambda r, f: f,
    ),
    "rpgan": (
        RelativisticPairing(), lambda r, f: -log(f - r), lambda r, f: -log(r - f),
        lambda r, f: -(r - f).sigmoid(), lambda r, f: -(f - r).sigmoid(), lambda r, f: (f - r).sigmoid(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_values_and_gradients_are_exact(name: str, scores: tuple[Tensor, Tensor]) -> None:
    loss, of_generator, of_discriminator, g_f, d_r, d_f = FORMS[name]
    real, fake = scores
    joint = loss(real, fake)
    pair = (joint, -joint) if isinstance(joint, Tensor) else joint
    torch.testing.assert_close(pair[0], of_generator(real, fake).mean(), **EXACT)
    torch.testing.assert_close(pair[1], of_discriminator(real, fake).mean(), **EXACT)
    torch.testing.assert_close(loss.discriminator(real, fake), pair[1], **EXACT)
    (found,) = torch.autograd.grad(loss.generator(fake, real), fake)
    torch.testing.assert_close(found, g_f(real, fake) / len(fake), **EXACT)
    found_d = torch.autograd.grad(loss.discriminator(real, fake), (real, fake))
    torch.testing.assert_close(found_d[0], d_r(real, fake) / len(fake), **EXACT)
    torch.testing.assert_close(found_d[1], d_f(real, fake) / len(fake), **EXACT)


@pytest.mark.parametrize("name", FORMS)
def test_what_a_loss_says_of_its_second_derivatives_is_so(name: str, scores: tuple[Tensor, Tensor]) -> None:
    loss: GANLoss = FORMS[name][0]
    real, fake = (part.detach() for part in scores)
    for player in range(2):

        def own(r: Tensor, f: Tensor, player: int = player) -> Tensor:
            value = loss(r, f)
            return value[player] if isinstance(value, tuple) else value

        (_, cross), (_, of_fakes) = torch.autograd.functional.hessian(own, (real, fake))
        diagonal = torch.diag(torch.diag(of_fakes))
        torch.testing.assert_close(of_fakes, diagonal, **EXACT)
        _, second = derivatives(
            lambda f, own=own: own(real, f), fake, piecewise_linear=getattr(loss, "piecewise_linear", False)
        )
        expected = torch.diag(of_fakes)
        torch.testing.assert_close(torch.zeros_like(fake) if second is None else second, expected, **EXACT)
        if loss.separable:
            assert not bool(cross.any())
        else:
            torch.testing.assert_close(cross, torch.diag(mixed_derivatives(own, real, fake)), **EXACT)
            assert bool(cross.any())


def test_least_squares_bend_everywhere_alike_and_hinges_nowhere() -> None:
    scores = torch.linspace(-3.0, 3.0, 6, dtype=torch.float64)
    real = torch.zeros_like(scores)
    assert derivatives(lambda f: Hinge().discriminator(real, f), scores, piecewise_linear=True)[1] is None
    for part, curvature in ((LeastSquares().generator, 2.0), (LeastSquares().discriminator, 1.0)):
        loss = part if curvature == 2.0 else lambda f: LeastSquares().discriminator(real, f)
        second = derivatives(loss, scores)[1]
        torch.testing.assert_close(second, torch.full_like(scores, curvature / 6), **EXACT)


def test_the_smoothed_discriminator_is_best_where_it_says_nine_in_ten() -> None:
    """With as many real as fake samples at one point, the best logit gives (1 - s)/2 in place of 1/2."""
    logit = torch.tensor([0.45 / 0.55], dtype=torch.float64).log().requires_grad_()
    (slope,) = torch.autograd.grad(Minimax(S)(logit, logit), logit)
    assert abs(float(slope)) < 1e-15


@pytest.mark.parametrize("wrong", [-0.1, 1.0, float("nan"), True, "0.1"])
@pytest.mark.parametrize("kind", [Minimax, NonSaturating])
def test_smoothing_away_the_label_is_refused(kind: type, wrong: object) -> None:
    with pytest.raises(ValueError, match=f"label_smoothing.*{wrong!r}"):
        kind(wrong)


def test_losses_are_built_by_name() -> None:
    for name, loss in LOSSES.items():
        assert build_loss(name) == loss
    assert build_loss("non-saturating", label_smoothing=0.1) == NonSaturating(0.1)
    with pytest.raises(ValueError, match="'ragan'"):
        build_loss("ragan")
    for name in ("wgan", "hinge", "lsgan", "rpgan"):
        with pytest.raises(ValueError, match=f"label_smoothing.*0.1.*{name!r}"):
            build_loss(name, label_smoothing=0.1)


def test_a_pairing_needs_partners() -> None:
    loss = RelativisticPairing()
    with pytest.raises(ValueError, match="real samples' scores"):
        loss.generator(torch.zeros(4))
    with pytest.raises(ValueError, match=r"\(4,\).*\(3,\)"):
        loss(torch.zeros(4), torch.zeros(3))
    with pytest.raises(ValueError, match=r"\(4, 1\).*\(4,\)"):  # which would broadcast
        loss.discriminator(torch.zeros(4, 1), torch.zeros(4))
