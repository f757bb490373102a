"""3DHOG: histograms of gradient orientations in three planes (after Polikovsky et al. 2009).

The authors count orientations in twelve regions around facial muscles, marked by hand. Here 5 x 5
blocks stand for the regions, as in LBP-TOP, so that the two differ in what is counted only. The
interpolation to ten frames, one histogram over all of them, the numbers of bins and the linear
support vector machine are our choices, too: the authors describe single frames. Davison et al.
(2017), whom the paper names, use the descriptor and did not propose it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError
from memaa_lib.baselines.classifiers import System
from memaa_lib.baselines.faces import FaceClip
from memaa_lib.baselines.lbp_top import BLOCKS, interpolate

BINS = (8, 12, 12)  # orientations in XY, XT, YT
PLANE_AXES = ((1, 2), (0, 2), (0, 1))  # axes (t, y, x) of each plane: first, second
SMALL = 1e-5  # keeps an empty histogram from being divided by zero


def gradients(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the differences ``(3, T, H, W)`` along t, y, x between each pixel's two neighbours.

    They are zero at the borders.
    """
    values = frames.astype(np.float32)
    result = np.zeros((3, *values.shape), np.float32)
    result[0, 1:-1] = values[2:] - values[:-2]
    result[1, :, 1:-1] = values[:, 2:] - values[:, :-2]
    result[2, :, :, 1:-1] = values[:, :, 2:] - values[:, :, :-2]
    return result


def orientation_histograms(
    down: NDArray[np.floating], right: NDArray[np.floating], bins: int, blocks: int = BLOCKS
) -> NDArray[np.float32]:
    """Count unsigned orientations in blocks, each pixel with the length of its gradient.

    ``down`` and ``right`` ``(T, H, W)`` are the two components of the gradient in a plane; the bins
    are evenly spread from 0 to 180 degrees. Each histogram of the result ``(blocks, blocks, bins)``
    is divided by its sum. A remainder at the right and the bottom is left out.
    """
    height, width = down.shape[1] // blocks, down.shape[2] // blocks
    if min(height, width) < 1:
        raise InputError(f"{down.shape[1:]} px are too small for {blocks} x {blocks} blocks")
    down, right = np.asarray(down, np.float64), np.asarray(right, np.float64)
    length = np.hypot(right, down)
    degrees = np.rad2deg(np.arctan2(down, right)) % 180
    places = np.minimum((degrees * (bins / 180)).astype(np.intp), bins - 1)
    histograms = np.empty((blocks, blocks, bins), np.float32)
    for row, column in np.ndindex(blocks, blocks):
        part = np.s_[:, row * height : (row + 1) * height, column * width : (column + 1) * width]
        counts = np.bincount(places[part].ravel(), length[part].ravel(), bins) / length[part].size
        histograms[row, column] = counts / (counts.sum() + SMALL)
    return histograms


def hog3d(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the 800 3DHOG features of a gray clip: 25 blocks, 8 + 12 + 12 orientations.

    The clip is brought to ten frames as for LBP-TOP.
    """
    along = gradients(interpolate(frames))
    parts = [
        orientation_histograms(along[first], along[second], bins)
        for (first, second), bins in zip(PLANE_AXES, BINS, strict=True)
    ]
    return np.concatenate(parts, axis=2).ravel()


def clip_features(clip: FaceClip) -> NDArray[np.float32]:
    """Return the features of a clip, see :func:`hog3d`."""
    return hog3d(clip.faces)


SYSTEMS = (System("hog3d", "3DHOG", "after Polikovsky et al. 2009", clip_features),)
