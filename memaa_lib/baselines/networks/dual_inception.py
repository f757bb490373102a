"""Dual-Inception: a stream of inception blocks for each direction of the flow (Zhou et al. 2019)."""

from __future__ import annotations

import torch
from torch import nn

from memaa_lib.baselines.classifiers import SIDE
from memaa_lib.paper import CLASSES

FILTERS = (6, 16)  # of the two blocks of a stream
HIDDEN = 1024
PUBLISHED_PARAMETERS = 6_450_000  # as a later publication prints it, to three digits


class DualInception(nn.Module):
    """The network.

    Examples
    --------
    >>> net = DualInception()
    >>> sum(weights.numel() for weights in net.parameters())
    6449867
    >>> net(torch.zeros(2, 3, 28, 28)).shape
    torch.Size([2, 3])
    """

    SHAPE = (3, SIDE, SIDE)

    def __init__(self) -> None:
        super().__init__()
        first, second = FILTERS
        self.streams = nn.ModuleList(
            nn.Sequential(Inception(1, first), Inception(4 * first, second), nn.Flatten())
            for _ in range(2)
        )
        flat = 2 * 4 * second * (SIDE // 4) ** 2
        self.head = nn.Sequential(
            nn.Linear(flat, HIDDEN), nn.ReLU(), nn.Dropout(0.5), nn.Linear(HIDDEN, len(CLASSES))
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return a score a class ``(N, 3)`` of u, v and strain ``(N, 3, 28, 28)``; strain is not used."""
        parts = [stream(images[:, i : i + 1]) for i, stream in enumerate(self.streams)]
        scores: torch.Tensor = self.head(torch.cat(parts, dim=1))
        return scores


class Inception(nn.Module):
    """Four branches side by side, 1 x 1, 3 x 3, 5 x 5 and pooled, and half the size."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [
                _one_by_one(channels, filters),
                nn.Sequential(_one_by_one(channels, filters), *_square(filters, 3)),
                nn.Sequential(_one_by_one(channels, filters), *_square(filters, 5)),
                nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), _one_by_one(channels, filters)),
            ]
        )
        self.halved = nn.MaxPool2d(2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return ``(N, 4 * filters, H / 2, W / 2)``."""
        halved: torch.Tensor = self.halved(torch.cat([b(images) for b in self.branches], dim=1))
        return halved


def _one_by_one(channels: int, filters: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, filters, 1), nn.ReLU())


def _square(filters: int, kernel: int) -> list[nn.Module]:
    return [nn.Conv2d(filters, filters, kernel, padding=kernel // 2), nn.ReLU()]
