"""DTSCNN: two networks over space and time, for clips brought to 64 and to 128 steps (Peng et al. 2017).

Each is four convolutions over space and time. What the last of them finds goes to a support vector
machine; of the two machines the one that is surer decides (:mod:`memaa_lib.baselines.dtscnn`).
"""

from __future__ import annotations

import torch
from torch import nn

from memaa_lib.paper import CLASSES

WIDTHS = (16, 32, 64, 128)
SMALL_WIDTHS = (8, 16, 32, 64)
SIZE = (112, 96)  # rows, columns, px
SMALL_SIDE = 28
FIRST_IN_TIME = {64: (8, 4, 2), 128: (16, 8, 4)}  # kernel, stride and padding of the first layer


class Stream(nn.Module):
    """One of the two networks.

    Parameters
    ----------
    steps
        64 or 128.
    widths
        Channels of the four convolutions.
    colours
        Channels of the input.
    pooled
        Whether the input is large enough to be pooled before the second layer and at the end, as the
        published one is.
    classes
        The publication has four.

    Examples
    --------
    >>> for steps in (64, 128):
    ...     print(sum(weights.numel() for weights in Stream(steps, classes=4).parameters()))
    372340
    375796
    """

    def __init__(
        self,
        steps: int,
        widths: tuple[int, int, int, int] = WIDTHS,
        colours: int = 3,
        pooled: bool = True,
        classes: int = len(CLASSES),
    ) -> None:
        super().__init__()
        one, two, three, four = widths
        kernel, stride, padding = FIRST_IN_TIME[steps]
        in_space = [nn.MaxPool3d((1, 2, 2))] if pooled else []
        self.code = nn.Sequential(
            *(nn.Conv3d(colours, one, (kernel, 3, 3), (stride, 2, 2), (padding, 1, 1)), nn.ReLU()),
            *in_space,
            *(nn.Conv3d(one, two, 3, padding=1), nn.ReLU(), nn.MaxPool3d(2)),
            *(nn.Conv3d(two, three, 3, padding=1), nn.ReLU(), nn.MaxPool3d(2)),
            *(nn.Conv3d(three, four, (4, 3, 3), padding=(0, 1, 1)), nn.ReLU()),
            *in_space,
            nn.Flatten(),
        )
        self.decide = nn.Sequential(nn.Dropout(0.5), nn.Linear(four * 3 * 3, classes))

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Return a score a class ``(N, 3)`` of pictures ``(N, colours, steps, H, W)``."""
        scores: torch.Tensor = self.decide(self.code(clips))
        return scores


class Published64(Stream):
    """64 coloured flow pictures of 96 x 112."""

    SHAPE = (3, 64, *SIZE)

    def __init__(self) -> None:
        super().__init__(64)


class Published128(Stream):
    """128 coloured flow pictures of 96 x 112."""

    SHAPE = (3, 128, *SIZE)

    def __init__(self) -> None:
        super().__init__(128)


class Small64(Stream):
    """64 flows, u and v, of 28 x 28, and half the channels."""

    SHAPE = (2, 64, SMALL_SIDE, SMALL_SIDE)

    def __init__(self) -> None:
        super().__init__(64, SMALL_WIDTHS, colours=2, pooled=False)


class Small128(Stream):
    """128 flows, u and v, of 28 x 28, and half the channels."""

    SHAPE = (2, 128, SMALL_SIDE, SMALL_SIDE)

    def __init__(self) -> None:
        super().__init__(128, SMALL_WIDTHS, colours=2, pooled=False)
