"""OFF-ApexNet: two streams over the flow from onset to apex (Gan et al. 2019).

One stream sees the horizontal part of the flow, the other the vertical one, each as an image of 28
x 28. Each stream is two convolutions of 5 x 5 (6 and 16 channels), each followed by pooling; three
fully connected layers follow.
"""

from __future__ import annotations

import torch
from torch import nn

from memaa_lib.baselines.classifiers import SIDE
from memaa_lib.paper import CLASSES

PUBLISHED_PARAMETERS = 2_770_000  # Liong et al. 2019 (STSTNet), to three digits
HIDDEN = 1024


class OffApexNet(nn.Module):
    """The network.

    Notes
    -----
    Only the abstract and later descriptions could be read. They agree on the layers; whether the
    convolutions are rectified and whether the dense layers have dropout is not settled. Here the
    convolutions are rectified and dropout is 0.5, as usual.

    The layers as described have 2,664,475 parameters. A later paper of the group (Liong et al.
    2019, the table of run times) prints 2.77 million and does not say how it counts. It is not
    explained: padding, pooling, normalization and the number of classes were varied, and no square
    maps give it, since 7 x 7 of them in two streams give 2.66 million and 8 x 8 give 3.16. Biases
    counted twice, which explains what the same table prints for STSTNet, give 2.67, one digit away:
    a misprint is possible.

    Examples
    --------
    >>> net = OffApexNet()
    >>> sum(weights.numel() for weights in net.parameters())
    2664475
    >>> net(torch.zeros(2, 3, 28, 28)).shape
    torch.Size([2, 3])
    """

    SHAPE = (3, SIDE, SIDE)

    def __init__(self) -> None:
        super().__init__()
        self.streams = nn.ModuleList(_stream() for _ in range(2))
        flat = 2 * 16 * (SIDE // 4) ** 2
        self.head = nn.Sequential(
            nn.Linear(flat, HIDDEN),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(HIDDEN, len(CLASSES)),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return a score a class.

        Parameters
        ----------
        images
            ``(N, 3, 28, 28)``: horizontal flow, vertical flow, and strain, which is not used.

        Returns
        -------
        torch.Tensor
            ``(N, 3)``.
        """
        parts = [stream(images[:, i : i + 1]) for i, stream in enumerate(self.streams)]
        scores: torch.Tensor = self.head(torch.cat(parts, dim=1))
        return scores


def _stream() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
    )
