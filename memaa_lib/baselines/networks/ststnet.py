"""STSTNet: three shallow streams over flow and strain (Liong et al. 2019).

Horizontal flow, vertical flow and optical strain make one image of 28 x 28 with three channels.
Three streams of one convolution each (3, 5 and 8 channels) look at it; their outputs are pooled and
go into one dense layer. The paper does not compare itself with it, though it was published at the
same challenge.
"""

from __future__ import annotations

import torch
from torch import nn

from memaa_lib.baselines.classifiers import SIDE
from memaa_lib.paper import CLASSES

PUBLISHED_PARAMETERS = 1670
WIDTHS = (3, 5, 8)


class STSTNet(nn.Module):
    """The network.

    Notes
    -----
    As described it has 432 weights in its convolutions and 1,200 in its dense layer, 1,632, and 19
    biases, one for each of 16 filters and 3 classes: 1,651. Batch normalization adds 32. The
    publication prints 1,670 "of weights and biases"; that is 1,632 + 2 x 19, so biases seem to have
    been counted twice (our inference). Borders: one pixel here, which keeps 28 x 28 as the authors'
    first program does; their PyTorch version pads two.

    Examples
    --------
    >>> net = STSTNet()
    >>> sum(weights.numel() for weights in net.parameters())
    1683
    >>> net(torch.zeros(2, 3, 28, 28)).shape
    torch.Size([2, 3])
    """

    SHAPE = (3, SIDE, SIDE)

    def __init__(self) -> None:
        super().__init__()
        self.streams = nn.ModuleList(_stream(width) for width in WIDTHS)
        pooled = -(-SIDE // 3) // 2
        self.head = nn.Sequential(
            nn.AvgPool2d(2), nn.Flatten(), nn.Linear(sum(WIDTHS) * pooled**2, len(CLASSES))
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return a score a class.

        Parameters
        ----------
        images
            ``(N, 3, 28, 28)``: horizontal flow, vertical flow, strain.

        Returns
        -------
        torch.Tensor
            ``(N, 3)``.
        """
        scores: torch.Tensor = self.head(torch.cat([s(images) for s in self.streams], dim=1))
        return scores


def _stream(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1),
        nn.ReLU(),
        nn.BatchNorm2d(width),
        nn.MaxPool2d(3, stride=3, padding=1),  # 28 -> 10, as "same" pooling gives
        nn.Dropout(0.5),
    )
