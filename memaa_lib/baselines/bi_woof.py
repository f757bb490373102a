"""Bi-WOOF: orientations of optical flow, weighted twice (Liong et al. 2018).

From the onset to the apex the flow says how the skin moves. Its orientations are counted in 5 x 5
blocks, each pixel with the length of its flow (the local weight); each block's histogram is then
multiplied by the optical strain in it (the global weight).

The program that the authors released differs. Its bins end at 135 degrees, so that
directions from there to 180 seem to count nowhere (the helper that decides it is not in their
repository); here they fill the eighth bin. Its blocks overlap, and the global weight is the sum of a
block's strain, not the mean. Its flow is TV-L1, which the profile ``"paper"`` takes here, too.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError
from memaa_lib.baselines.classifiers import System
from memaa_lib.baselines.faces import FaceClip
from memaa_lib.baselines.flow import Estimator, onset_to_apex, optical_strain

BLOCKS = 5
BINS = 8


def bi_woof(
    flow: NDArray[np.floating], blocks: int = BLOCKS, bins: int = BINS
) -> NDArray[np.float32]:
    """Return the Bi-WOOF features of a flow ``(H, W, 2)``, px: ``(blocks * blocks * bins,)``.

    The bins are evenly spread from -180 to 180 degrees. The features have length 1, or are zeros
    where nothing moves. A remainder at the right and the bottom is left out; the authors' blocks
    overlap by one or two pixels, these do not.
    """
    height, width = flow.shape[0] // blocks, flow.shape[1] // blocks
    if min(height, width) < 1:
        raise InputError(
            f"a flow of {flow.shape[:2]} px is too small for {blocks} x {blocks} blocks"
        )
    length = np.hypot(flow[..., 0], flow[..., 1])
    degrees = np.rad2deg(np.arctan2(flow[..., 1], flow[..., 0]))
    places = np.minimum(((degrees + 180) * (bins / 360)).astype(np.intp), bins - 1)
    strain = optical_strain(flow)
    features = np.zeros((blocks, blocks, bins))
    for row, column in np.ndindex(blocks, blocks):
        part = np.s_[row * height : (row + 1) * height, column * width : (column + 1) * width]
        # local weight: the length of the flow; global weight: the mean strain of the block
        counts = np.bincount(places[part].ravel(), length[part].ravel(), bins)
        if counts.sum() > 0:
            features[row, column] = counts / counts.sum() * strain[part].mean()
    norm = np.linalg.norm(features)
    return np.asarray(features.ravel() / (norm if norm > 0 else 1.0), np.float32)


def clip_features(clip: FaceClip, estimator: Estimator = "dis") -> NDArray[np.float32]:
    """Return the features of a clip, see :func:`bi_woof`."""
    return bi_woof(onset_to_apex(clip, estimator))


SYSTEMS = (
    System(
        "bi_woof",
        "Bi-WOOF",
        "Liong et al. 2018",
        clip_features,
        published=partial(clip_features, estimator="tvl1"),
    ),
)
