"""LBP-TOP, the baseline of the MEGC 2019 challenge (Zhao and Pietikainen 2007).

Each clip is brought to ten frames by temporal interpolation. Around every pixel the four neighbours
in each of three planes (XY, XT, YT) are compared with it: 16 codes a plane. Histograms over 5 x 5
blocks are the features.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError, check_count
from memaa_lib.baselines.classifiers import System
from memaa_lib.baselines.faces import FaceClip
from memaa_lib.clips import check_frames

FRAMES = 10
BLOCKS = 5
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
    """Return the matrix that turns the frames of a clip into another number of frames.

    The temporal interpolation of Zhou et al. (2011) lays a smooth curve through the frames in the
    space that they span. Worked out, it is the same for every pixel: its values over time are
    expanded in cosines (a type-II DCT) and the sum is evaluated at the new times.

    Parameters
    ----------
    n_frames
        Frames of the clip.
    length
        Frames wanted, spread evenly from the first to the last.

    Returns
    -------
    ndarray
        ``float64`` ``(length, n_frames)``; rows sum to 1. With ``length == n_frames`` the identity.

    Raises
    ------
    InputError
        If a number is below 1.

    Examples
    --------
    >>> bool(np.allclose(interpolation_matrix(7, 7), np.eye(7)))
    True
    """
    check_count("n_frames", n_frames)
    check_count("length", length)
    frequency = np.arange(n_frames)
    scale = np.where(frequency == 0, 1 / n_frames, 2 / n_frames)
    old = np.cos(np.pi * np.outer(2 * np.arange(n_frames) + 1, frequency) / (2 * n_frames))
    times = np.linspace(0, n_frames - 1, length)
    new = np.cos(np.pi * np.outer(2 * times + 1, frequency) / (2 * n_frames))
    return np.asarray((new * scale) @ old.T)


def interpolate(frames: NDArray[np.uint8], length: int = FRAMES) -> NDArray[np.uint8]:
    """Bring a gray clip to a number of frames.

    Parameters
    ----------
    frames
        ``uint8`` ``(T, H, W)``.
    length
        Frames wanted.

    Returns
    -------
    ndarray
        ``uint8`` ``(length, H, W)``, in whole gray levels again, so that pixels that do not change
        stay equal.

    Raises
    ------
    InputError
        If the frames are no gray clip.

    Examples
    --------
    >>> frames = np.arange(0, 60, 10, dtype=np.uint8)[:, None, None]
    >>> interpolate(frames, 11)[::10].ravel()
    array([ 0, 50], dtype=uint8)
    """
    check_frames(frames)
    if frames.ndim != 3:
        raise InputError(f"expected gray frames (T, H, W), got {frames.shape}")
    matrix = interpolation_matrix(len(frames), length).astype(np.float32)
    values = matrix @ frames.reshape(len(frames), -1).astype(np.float32)
    rounded = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded.reshape(length, *frames.shape[1:])


def plane_codes(
    frames: NDArray[np.uint8], space_radius: int = SPACE_RADIUS, time_radius: int = TIME_RADIUS
) -> NDArray[np.uint8]:
    """Return the codes of all pixels that have their neighbours in all three planes.

    Parameters
    ----------
    frames
        ``uint8`` gray ``(T, H, W)``.
    space_radius, time_radius
        Distance of a neighbour, px and frames.

    Returns
    -------
    ndarray
        ``uint8`` ``(3, T - 2 R_T, H - 2 R, W - 2 R)``, codes 0 to 15 of XY, XT, YT. A bit is set
        where the neighbour is at least as bright as the pixel.

    Raises
    ------
    InputError
        If no pixel has all its neighbours.

    Examples
    --------
    >>> plane_codes(np.zeros((9, 4, 4), np.uint8)).shape, plane_codes(np.zeros((9, 4, 4), np.uint8)).max()
    ((3, 1, 2, 2), np.uint8(15))
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
    """Count codes in blocks of the image.

    Parameters
    ----------
    codes
        ``(P, T, H, W)``: P planes.
    n_codes
        Number of codes.
    blocks
        Blocks along each side; a remainder at the right and the bottom is left out.

    Returns
    -------
    ndarray
        ``float32`` ``(blocks, blocks, P, n_codes)``; each histogram sums to 1.

    Raises
    ------
    InputError
        If the image is too small for the blocks.

    Examples
    --------
    >>> block_histograms(np.zeros((1, 2, 10, 10), np.uint8), 16).shape
    (5, 5, 1, 16)
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
    """Return the LBP-TOP features of a gray clip.

    Parameters
    ----------
    frames
        ``uint8`` ``(T, H, W)``.

    Returns
    -------
    ndarray
        ``float32`` ``(1200,)``: 25 blocks, 3 planes, 16 codes.

    Raises
    ------
    InputError
        If the frames are no gray clip or too small.

    Notes
    -----
    The challenge's sheet gives radii {1, 1, 4}; here R_X = R_Y = 1 and R_T = 4, as the group's
    other papers have them.

    Examples
    --------
    >>> lbp_top(np.zeros((12, 32, 32), np.uint8)).shape
    (1200,)
    """
    return block_histograms(plane_codes(interpolate(frames)), CODES).ravel()


def clip_features(clip: FaceClip) -> NDArray[np.float32]:
    """Return the features of a clip, see :func:`lbp_top`.

    Parameters
    ----------
    clip
        The clip.

    Returns
    -------
    ndarray
        ``float32`` ``(1200,)``.

    Examples
    --------
    >>> clip_features(FaceClip(load_index("smic").iloc[0])).shape  # doctest: +SKIP
    (1200,)
    """
    return lbp_top(clip.faces)


SYSTEMS = (
    System("lbp_top", "LBP-TOP", "Zhao and Pietikainen 2007; MEGC 2019 baseline", clip_features),
)
