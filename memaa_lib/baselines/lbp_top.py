"""LBP-TOP, the baseline of the MEGC 2019 challenge (Zhao and Pietikainen 2007).

Each clip is brought to ten frames by temporal interpolation. Around every pixel the four neighbours
in each of three planes (XY, XT, YT) are compared with it: 16 codes a plane. Histograms over 5 x 5
blocks are the features. Of the ten frames two are centres: the others have no neighbour four frames
before or after them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError, check_count
from memaa_lib.baselines.classifiers import System
from memaa_lib.baselines.faces import FaceClip

FRAMES = 10
BLOCKS = 5
# The challenge's sheet gives radii {1, 1, 4}; they are shared out as in the group's other papers.
SPACE_RADIUS = 1  # R_X = R_Y, px
TIME_RADIUS = 4  # R_T, frames
CODES = 16
# Neighbours of the three planes as steps (t, y, x); neighbour k sets bit k
PLANES = (
    ((0, 0, 1), (0, -1, 0), (0, 0, -1), (0, 1, 0)),  # XY
    ((0, 0, 1), (-1, 0, 0), (0, 0, -1), (1, 0, 0)),  # XT
    ((0, -1, 0), (-1, 0, 0), (0, 1, 0), (1, 0, 0)),  # YT
)


def interpolation_matrix(n_frames: int, length: int = FRAMES) -> NDArray[np.float64]:
    """Return the ``(length, n_frames)`` matrix that brings a clip to another number of frames.

    The temporal interpolation of Zhou et al. (2011) lays a smooth curve through the frames in the
    space that they span. Worked out, it is the same for every pixel. The new frames are spread
    evenly from the first to the last; rows sum to 1.
    """
    check_count("n_frames", n_frames)
    check_count("length", length)
    # each pixel's values over time as a sum of cosines (a type-II DCT) ...
    frequency = np.arange(n_frames)
    scale = np.where(frequency == 0, 1 / n_frames, 2 / n_frames)
    old = np.cos(np.pi * np.outer(2 * np.arange(n_frames) + 1, frequency) / (2 * n_frames))
    # ... which is evaluated at the new times
    times = np.linspace(0, n_frames - 1, length)
    new = np.cos(np.pi * np.outer(2 * times + 1, frequency) / (2 * n_frames))
    return np.asarray((new * scale) @ old.T)


def interpolate(frames: NDArray[np.uint8], length: int = FRAMES) -> NDArray[np.uint8]:
    """Bring a gray clip to a number of frames."""
    if frames.ndim != 3:
        raise InputError(f"expected gray frames (T, H, W), got {frames.shape}")
    matrix = interpolation_matrix(len(frames), length).astype(np.float32)
    values = matrix @ frames.reshape(len(frames), -1).astype(np.float32)
    # whole gray levels again, so that pixels that do not change stay equal
    rounded = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded.reshape(length, *frames.shape[1:])


def plane_codes(
    frames: NDArray[np.uint8], space_radius: int = SPACE_RADIUS, time_radius: int = TIME_RADIUS
) -> NDArray[np.uint8]:
    """Return the codes, 0 to 15, of all pixels that have their neighbours in all three planes.

    Of ``uint8`` gray frames ``(T, H, W)`` they are ``uint8`` ``(3, T - 2 R_T, H - 2 R, W - 2 R)``:
    XY, XT, YT. A bit is set where the neighbour, at a radius in px or frames, is at least as bright
    as the pixel.
    """
    margins = np.array([time_radius, space_radius, space_radius])
    inner = np.array(frames.shape) - 2 * margins
    if (inner < 1).any():
        raise InputError(
            f"{frames.shape[0]} frames of {frames.shape[2]} x {frames.shape[1]} px: no pixel has "
            f"neighbours at {space_radius} px and {time_radius} frames"
        )
    centre = frames[tuple(slice(m, m + n) for m, n in zip(margins, inner, strict=True))]
    codes = np.zeros((len(PLANES), *inner), np.uint8)
    for plane, steps in enumerate(PLANES):
        for bit, step in enumerate(steps):
            start = margins * (1 + np.array(step))
            shifted = frames[tuple(slice(a, a + n) for a, n in zip(start, inner, strict=True))]
            codes[plane] |= (shifted >= centre).astype(np.uint8) << bit
    return codes


def block_histograms(
    codes: NDArray[np.uint8], n_codes: int, blocks: int = BLOCKS
) -> NDArray[np.float32]:
    """Count codes ``(P, T, H, W)`` in blocks: ``float32`` ``(blocks, blocks, P, n_codes)``.

    P are planes; each histogram sums to 1. A remainder at the right and the bottom is left out.
    """
    height, width = codes.shape[2] // blocks, codes.shape[3] // blocks
    if min(height, width) < 1:
        raise InputError(f"{codes.shape[2:]} px are too small for {blocks} x {blocks} blocks")
    histograms = np.empty((blocks, blocks, len(codes), n_codes), np.float32)
    for row, column in np.ndindex(blocks, blocks):
        rows = slice(row * height, (row + 1) * height)
        columns = slice(column * width, (column + 1) * width)
        for plane in range(len(codes)):
            part = codes[plane, :, rows, columns].ravel()
            histograms[row, column, plane] = np.bincount(part, minlength=n_codes) / part.size
    return histograms


def lbp_top(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the 1,200 LBP-TOP features of a gray clip: 25 blocks, 3 planes, 16 codes."""
    return block_histograms(plane_codes(interpolate(frames)), CODES).ravel()


def clip_features(clip: FaceClip) -> NDArray[np.float32]:
    """Return the features of a clip, see :func:`lbp_top`."""
    return lbp_top(clip.faces)


SYSTEMS = (
    System("lbp_top", "LBP-TOP", "Zhao and Pietikainen 2007; MEGC 2019 baseline", clip_features),
)
