"""ELRCN: a network that sees one flow picture at a time, and one that remembers (Khor et al. 2018).

*Spatial enrichment* stacks flow and strain as channels of one picture. *Temporal enrichment* gives each
a network of its own and lays what they find side by side. A recurrent layer (LSTM) then goes through the
pictures of a clip, and its last output decides.

The published networks are VGG-16 with 4,096 numbers a picture and an LSTM of 3,000. The small ones have
two convolutions and an LSTM of 64, which two cores train in minutes.
"""

from __future__ import annotations

import torch
from torch import nn

from memaa_lib.paper import CLASSES

STEPS = 9  # flow pictures a clip
CHANNELS = {"flow": 3, "strain": 1}  # u, v, length; strain
SMALL_SIDE, SIDE = 28, 224
VGG16 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)  # 0: pool
SMALL = (16, 0, 32, 0)


class _ELRCN(nn.Module):
    """Both enrichments: one network a picture over all channels, or one a modality."""

    def __init__(
        self, channels: tuple[int, ...], frame: tuple[int, ...], dense: tuple[int, ...], side: int
    ) -> None:
        super().__init__()
        self.channels = channels
        self.frames = nn.ModuleList(_frame_network(each, frame, dense, side) for each in channels)
        hidden = 3000 if frame == VGG16 else 64
        self.remember = nn.LSTM(len(channels) * dense[-1], hidden, batch_first=True)
        small = [nn.Dropout(0.5), nn.Linear(hidden, len(CLASSES))]
        published = [nn.Linear(hidden, 128), nn.ReLU(), nn.Linear(128, len(CLASSES))]
        self.head = nn.Sequential(*(published if frame == VGG16 else small))

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Return a score a class ``(N, 3)`` of u, v, length and strain ``(N, 4, 9, side, side)``."""
        scores: torch.Tensor = self.head(self.remember(self.sequence(clips))[0][:, -1])
        return scores

    def sequence(self, clips: torch.Tensor) -> torch.Tensor:
        """Return what is found in each picture, ``(N, 9, D)``, which the LSTM goes through."""
        pictures = clips.transpose(1, 2).flatten(0, 1)  # of all clips, one after the other
        modalities = torch.split(pictures, list(self.channels), dim=1)
        found = [net(part) for net, part in zip(self.frames, modalities, strict=True)]
        return torch.cat(found, dim=1).reshape(len(clips), STEPS, -1)


class SmallSE(_ELRCN):
    """Spatial enrichment, small.

    Examples
    --------
    >>> net = SmallSE()
    >>> sum(weights.numel() for weights in net.parameters())
    139123
    >>> net(torch.zeros(2, 4, 9, 28, 28)).shape
    torch.Size([2, 3])
    """

    SHAPE = (sum(CHANNELS.values()), STEPS, SMALL_SIDE, SMALL_SIDE)

    def __init__(self) -> None:
        super().__init__((sum(CHANNELS.values()),), SMALL, (64,), SMALL_SIDE)


class SmallTE(_ELRCN):
    """Temporal enrichment, small."""

    SHAPE = SmallSE.SHAPE

    def __init__(self) -> None:
        super().__init__(tuple(CHANNELS.values()), SMALL, (32,), SMALL_SIDE)


class PublishedSE(_ELRCN):
    """Spatial enrichment as published: 219,821,635 weights for three classes.

    Notes
    -----
    The authors' program counts 12,000 fewer: PyTorch's LSTM has a second bias, which adds nothing. It
    ends with sigmoids where we, with the same cross-entropy, take a softmax.
    """

    SHAPE = (sum(CHANNELS.values()), STEPS, SIDE, SIDE)

    def __init__(self) -> None:
        super().__init__((sum(CHANNELS.values()),), VGG16, (4096, 4096), SIDE)


class PublishedTE(_ELRCN):
    """Temporal enrichment as published, from random weights.

    Notes
    -----
    The authors start both networks from weights that were trained to tell people apart, which we may
    not pass on.
    """

    SHAPE = PublishedSE.SHAPE

    def __init__(self) -> None:
        super().__init__(tuple(CHANNELS.values()), VGG16, (4096, 4096), SIDE)


def _frame_network(
    channels: int, widths: tuple[int, ...], dense: tuple[int, ...], side: int
) -> nn.Sequential:
    """Return 3 x 3 convolutions with pooling where the width is 0, then dense layers."""
    layers: list[nn.Module] = []
    for width in widths:
        if width == 0:
            layers.append(nn.MaxPool2d(2))
            side //= 2
        else:
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
    layers.append(nn.Flatten())
    inputs = channels * side**2
    for outputs in dense:
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers)
