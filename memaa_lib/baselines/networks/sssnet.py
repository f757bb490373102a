"""SSSNet, a plain small network over flow and strain (Varanka et al. 2021).

Two convolutions, each pooled, normalized and thinned out, and two dense layers over images of 64 x 64.
"""

from __future__ import annotations

import torch
from torch import nn

from memaa_lib.paper import CLASSES

SIDE = 64


class SSSNet(nn.Module):
    """The network.

    Examples
    --------
    >>> net = SSSNet()
    >>> sum(weights.numel() for weights in net.parameters())
    1349251
    >>> net(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 3])
    """

    SHAPE = (3, SIDE, SIDE)

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_pooled(3, 32, kernel=5, pool=3),  # 64 -> 60 -> 20
            *_pooled(32, 64, kernel=3, pool=2),  # 20 -> 18 -> 9
            nn.Flatten(),
            nn.Linear(64 * 9 * 9, 256),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(256, len(CLASSES)),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return a score a class ``(N, 3)`` of u, v and strain ``(N, 3, 64, 64)``."""
        scores: torch.Tensor = self.layers(images)
        return scores


def _pooled(channels: int, width: int, kernel: int, pool: int) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, width, kernel)
    return [convolution, nn.ReLU(), nn.MaxPool2d(pool), nn.BatchNorm2d(width), nn.Dropout2d(0.5)]
