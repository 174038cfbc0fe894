"""Games of settings of layers, and of notations, that `gan_games` leaves out."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from gan_critics import Body
from gan_games import Act
from torch import Tensor, nn
from torch.nn import functional


def scored(shape: tuple[int, ...], *layers: nn.Module) -> nn.Module:
    """A critic of layers, of whatever size they make images."""
    features = nn.Sequential(*layers, nn.Flatten())
    with torch.no_grad():
        width = copy.deepcopy(features).eval()(torch.zeros(1, *shape)).shape[1]
    return nn.Sequential(features, nn.Linear(width, 1))


def functions(x: Tensor) -> Tensor:
    x = torch.unflatten(torch.relu(x), 1, (2, 3))
    x = torch.unsqueeze(torch.permute(torch.transpose(x, 1, 2), (0, 2, 1)), 1)
    x = functional.max_pool2d(x, 2, 1, padding=1)
    x = functional.interpolate(functional.dropout(x, 0.3), scale_factor=2)
    x = functional.avg_pool2d(x, 3, 2, padding=1, ceil_mode=True)
    x = torch.squeeze(torch.clone(functional.adaptive_avg_pool2d(x, (2, 4))), 1)
    x = functional.adaptive_avg_pool1d(functional.avg_pool1d(x, 2, padding=1), 3)
    x = torch.div(torch.mul(torch.sub(torch.add(x, 1.0), 0.5), 2.0), 3.0)
    x = torch.flatten(functional.tanh(x), 1) + torch.reshape(functional.sigmoid(x), (-1, 6))
    x = functional.softplus(functional.leaky_relu(x, negative_slope=0.1), beta=2.0)
    return torch.unsqueeze(torch.sum(x, 1), 1) + torch.mean(x, 1, keepdim=True)


def methods(x: Tensor) -> Tensor:
    x = x.relu().unflatten(1, (2, 3)).transpose(1, 2).contiguous().view(-1, 3, 2)
    x = 1.0 + (-x.clone()).add(0.5).sub(0.25).mul(2.0).div(3.0)
    x = (1.5 * x.sigmoid() - 0.5) / 2.0
    return (x.sum(2) + x.permute(0, 2, 1).mean(1)).unsqueeze(1).squeeze(1).reshape(-1, 3).flatten(1)


def points() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 2))


VARIANTS: dict[str, Callable[[Act], tuple[nn.Module, nn.Module]]] = {
    "groups, dilation, output padding": lambda act: (
        nn.Sequential(
            *(nn.Linear(5, 36), nn.Unflatten(1, (4, 3, 3)), act()),
            nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=(1, 0), groups=2),
            *(act(), nn.ConvTranspose2d(6, 3, 3, dilation=(1, 2), bias=False)),
        ),
        scored(
            *((3, 8, 9), nn.Conv2d(3, 6, 3, padding=2, dilation=2, groups=3), act()),
            *(nn.Conv2d(6, 4, (3, 2), stride=(2, 3), padding=(1, 0), groups=2, bias=False), act()),
        ),
    ),
    "groups in one dimension": lambda act: (
        nn.Sequential(
            *(nn.Linear(5, 12), nn.Unflatten(1, (4, 3)), act()),
            nn.ConvTranspose1d(4, 4, 3, stride=2, padding=1, output_padding=1, groups=2),
        ),
        scored(
            *((4, 6), nn.Conv1d(4, 6, 3, padding=2, dilation=2, groups=2), act()),
            *(nn.AvgPool1d(3, 2, padding=1, ceil_mode=True), nn.AdaptiveAvgPool1d(3)),
        ),
    ),
    "norms without parameters or memory": lambda act: (
        nn.Sequential(
            *(nn.Linear(5, 12), nn.BatchNorm1d(12, affine=False), nn.Unflatten(1, (3, 2, 2))),
            *(nn.BatchNorm2d(3, momentum=None), act(), nn.Conv2d(3, 3, 1)),
            *(nn.BatchNorm2d(3, track_running_stats=False), nn.Tanh()),
        ),
        scored(
            *((3, 2, 2), nn.Conv2d(3, 4, 2, padding=1), nn.GroupNorm(2, 4, affine=False), act()),
            nn.BatchNorm2d(4, track_running_stats=False, affine=False).eval(),
        ),
    ),
    "pooling with padding and over the edge": lambda act: (
        nn.Sequential(nn.Linear(5, 48), nn.Unflatten(1, (3, 4, 4)), nn.Upsample(scale_factor=(1.5, 2))),
        scored(
            *((3, 6, 8), nn.Conv2d(3, 4, 3), act(), nn.MaxPool2d(3, 2, padding=1, ceil_mode=True)),
            *(nn.AvgPool2d(2, 1, padding=1, count_include_pad=False), nn.AdaptiveAvgPool2d((2, None))),
        ),
    ),
    "functions": lambda act: (points(), Body(functions, after=1)),
    "methods": lambda act: (points(), Body(methods, after=3)),
}
