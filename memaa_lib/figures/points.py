"""Landmarks drawn on frames, for films of how they move."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError
from memaa_lib._support.media import check_frames
from memaa_lib.clips import Box
from memaa_lib.figures.plots import COLOURS, rgb

SHIFT = 4  # OpenCV draws at sixteenths of a pixel: landmarks move by less than one


def with_points(
    frames: NDArray[np.uint8],
    found: NDArray[np.floating],
    true: NDArray[np.floating] | None = None,
    *,
    box: Box | None = None,
    enlarge: float = 3.0,
) -> NDArray[np.uint8]:
    """Draw landmarks on enlarged frames: those found as dots, the true ones as rings.

    Parameters
    ----------
    frames
        ``uint8`` ``(T, H, W, 3)`` or ``(T, H, W)``.
    found, true
        ``(T, N, 2)``, px of the frames.
    box
        Left, top, right, bottom of the part to show, px; default: all.
    enlarge
        How many times the part is enlarged.

    Returns
    -------
    ndarray
        ``uint8`` ``(T, H', W', 3)``.

    Raises
    ------
    InputError
        If there is not one set of landmarks a frame, or the box is empty.

    Examples
    --------
    >>> frames, track = np.zeros((2, 20, 10), np.uint8), np.full((2, 1, 2), 5.25)
    >>> with_points(frames, track, box=(0, 0, 10, 10)).shape
    (2, 30, 30, 3)
    """
    check_frames(frames)
    tracks = [(found, "found", cv2.FILLED)] + ([] if true is None else [(true, "points", 1)])
    if any(len(track) != len(frames) for track, _, _ in tracks):
        lengths = ", ".join(str(len(track)) for track, _, _ in tracks)
        raise InputError(f"with_points: {len(frames)} frames, landmarks of {lengths}")
    left, top, right, bottom = box or (0, 0, frames.shape[2], frames.shape[1])
    shown = frames[:, max(top, 0) : bottom, max(left, 0) : right]
    if not shown.size:
        raise InputError(f"with_points: nothing of the frames lies in the box {box}")
    corner = np.array([max(left, 0), max(top, 0)])
    made = []
    for t, frame in enumerate(shown):
        large = cv2.resize(frame, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC)
        canvas = np.repeat(large[..., None], 3, axis=2) if large.ndim == 2 else large.copy()
        for track, colour, thickness in tracks:
            paint = rgb(COLOURS[colour])
            # the centre of the pixel at 0 comes to lie at (enlarge - 1) / 2
            places = (track[t] - corner + 0.5) * enlarge - 0.5
            radius = 3 if thickness == cv2.FILLED else 5
            for x, y in np.rint(places * 2**SHIFT).astype(int):
                cv2.circle(
                    canvas, (int(x), int(y)), radius << SHIFT, paint, thickness, cv2.LINE_AA, SHIFT
                )
        made.append(canvas)
    return np.stack(made)
