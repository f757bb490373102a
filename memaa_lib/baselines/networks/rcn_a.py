"""RCN-A, a recurrent convolutional network with attention that has no weights of its own (Xia et al. 2020).

One convolution, one block that applies the same layers to its own output again and again, and a dense
layer. Where the dense layer looks is where the early features are weighted up.
"""

from __future__ import annotations

import torch
from torch import nn

from memaa_lib.paper import CLASSES

SIDE = 60
WIDTH = 32
PLACES = 5  # features are averaged to 5 x 5 places
NO_RANGE = 1e-6  # of a flat map, as of a clip without motion, which would be divided by 0


class RCNA(nn.Module):
    """The network.

    Notes
    -----
    The authors' program has 64 channels and 7 x 7 places unless told otherwise, 55,747 weights; 32 and
    5 x 5 are the smaller of the sizes that they name.

    Examples
    --------
    >>> net = RCNA()
    >>> sum(weights.numel() for weights in net.parameters())
    15331
    >>> net(torch.zeros(2, 3, 60, 60)).shape
    torch.Size([2, 3])
    """

    SHAPE = (3, SIDE, SIDE)

    def __init__(self, width: int = WIDTH, places: int = PLACES) -> None:
        super().__init__()
        self.first = nn.Sequential(
            *_convolution(3, width, 5, padding=0), nn.MaxPool2d(2), nn.Dropout(0.5)
        )
        self.forward_path = _convolution(width, width, 1, padding=0)
        self.recurrent = _convolution(width, width, 3, padding=1)
        self.thinned = nn.Sequential(nn.MaxPool2d(2), nn.Dropout(0.5))
        self.averaged = nn.AdaptiveAvgPool2d(places)
        self.classify = nn.Linear(width * places**2, len(CLASSES))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return a score a class ``(N, 3)`` of u, v and strain ``(N, 3, 60, 60)``."""
        early = self.first(images)
        found = self.forward_path(early)
        for _ in range(2):
            found = self.recurrent(early + found)
        features = self.averaged(self.thinned(found)) * self.attention(self.averaged(early))
        scores: torch.Tensor = self.classify(features.flatten(1))
        return scores

    def attention(self, early: torch.Tensor) -> torch.Tensor:
        """Return how much each place counts, 0 to 1: ``(N, 1, P, P)`` of ``(N, C, P, P)``."""
        weights = self.classify.weight.view(len(CLASSES), *early.shape[1:])
        maps = (early[:, None] * weights).mean(dim=2)  # one a class
        low, high = maps.amin((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)
        return ((maps - low) / (high - low + NO_RANGE)).mean(dim=1, keepdim=True)


def _convolution(channels: int, width: int, kernel: int, padding: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels, width, kernel, padding=padding)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU())
