"""ELRCN: flow pictures in the order of time, through a network with a memory (Khor et al. 2018).

A clip is brought to ten frames, as for LBP-TOP; the nine flows between neighbours, with their lengths and
their strain, are what :mod:`memaa_lib.baselines.networks.elrcn` sees. Two systems differ in how flow and
strain come together, by *spatial* or by *temporal enrichment*.

The profile ``"laptop"`` takes flows shrunk to 28 x 28, in px. The profile ``"paper"`` takes pictures of 8
bits, 224 x 224, the published layers and their rate of learning: half an hour a clip on one core for a
hundred epochs, so that it wants a GPU.

What else differs from the publication: DIS flow; the gray frame, which spatial enrichment stacks, too, is
left out, because it shows who somebody is; picture and memory are trained together, where the authors
train the one before the other; a fixed number of epochs, where they stop as the training loss rises.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from memaa_lib.baselines.classifiers import NetSettings, SmallNet, System
from memaa_lib.baselines.faces import FaceClip
from memaa_lib.baselines.flow import optical_flow, optical_strain
from memaa_lib.baselines.lbp_top import interpolate

SMALL_SIDE, SIDE = 28, 224  # px
SETTINGS = {
    "paper": NetSettings(100, 1e-5, 1, "8 bit"),
    "laptop": NetSettings(40, 1e-3, 32, weight_decay=1e-4),
}


def flow_sequence(faces: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """Return u, v, length (px) and strain between ten frames of a clip.

    Parameters
    ----------
    faces
        ``uint8`` gray ``(T, H, W)``.
    side
        Of the square to which each is shrunk or enlarged, px.

    Returns
    -------
    ndarray
        ``float32`` ``(4, 9, side, side)``.

    Examples
    --------
    >>> flow_sequence(np.zeros((30, 64, 52), np.uint8), 28).shape
    (4, 9, 28, 28)
    """
    frames = interpolate(faces)
    pictures = []
    for pair in pairwise(frames):
        flow = optical_flow(*pair)
        layers = np.dstack([flow, np.linalg.norm(flow, axis=2), optical_strain(flow)])
        pictures.append(cv2.resize(layers, (side, side), interpolation=cv2.INTER_AREA))
    return np.ascontiguousarray(np.stack(pictures).transpose(3, 0, 1, 2), np.float32)


def clip_features(clip: FaceClip) -> NDArray[np.float32]:
    """Return the flows of a clip as a vector ``(28224,)``, see :func:`flow_sequence`."""
    return flow_sequence(clip.faces, SMALL_SIDE).ravel()


def published_features(clip: FaceClip) -> NDArray[np.uint8]:
    """Return the pictures of a clip as a vector ``(1806336,)``: flow at 16 levels a px, around 128."""
    *flow, strain = flow_sequence(clip.faces, SIDE)
    levels = np.stack([*(16 * layer + 128 for layer in flow), 255 * strain])
    return np.clip(levels.round(), 0, 255).astype(np.uint8).ravel()


def spatial(profile: str) -> SmallNet:
    """Return an untrained network with spatial enrichment."""
    from memaa_lib.baselines.networks.elrcn import PublishedSE, SmallSE

    return SmallNet(PublishedSE if profile == "paper" else SmallSE, SETTINGS[profile])


def temporal(profile: str) -> SmallNet:
    """Return an untrained network with temporal enrichment."""
    from memaa_lib.baselines.networks.elrcn import PublishedTE, SmallTE

    return SmallNet(PublishedTE if profile == "paper" else SmallTE, SETTINGS[profile])


SYSTEMS = (
    System("elrcn_se", "ELRCN-SE", "Khor et al. 2018", clip_features, spatial, published_features),
    System("elrcn_te", "ELRCN-TE", "Khor et al. 2018", clip_features, temporal, published_features),
)
