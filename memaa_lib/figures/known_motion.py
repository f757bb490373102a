"""Pictures whose motion is known, for experiments that need a truth."""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError


def move(image: NDArray[np.uint8], shift_px: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Move an image by a known, also sub-pixel, shift: the truth of experiments on a photograph.

    Parameters
    ----------
    image
        ``uint8`` ``(H, W, 3)`` or ``(H, W)``.
    shift_px
        ``(H, W, 2)``, right and down, px: where the content that is seen at a pixel came from, seen
        from there. Or ``(2,)`` for the whole image.

    Returns
    -------
    ndarray
        ``uint8``, like ``image``. Cubic splines; OpenCV's ``remap`` would round to 1/32 px.

    Raises
    ------
    InputError
        If the shift has another size than the image.

    Examples
    --------
    >>> ramp = np.tile(np.arange(0, 200, 10, dtype=np.uint8), (5, 1))
    >>> move(ramp, np.array([0.5, 0.0]))[2, 9:12]
    array([ 85,  95, 105], dtype=uint8)
    """
    shift = np.asarray(shift_px, np.float64)
    if shift.shape not in ((2,), (*image.shape[:2], 2)):
        raise InputError(
            f"shift_px has shape {shift.shape}, expected (2,) or {image.shape[:2]} + (2,)"
        )
    rows, columns = np.indices(image.shape[:2], dtype=np.float64)
    places = [rows - shift[..., 1], columns - shift[..., 0]]
    channels = image.reshape(*image.shape[:2], -1)
    moved = [
        scipy.ndimage.map_coordinates(channel.astype(np.float64), places, order=3, mode="mirror")
        for channel in np.moveaxis(channels, 2, 0)
    ]
    stacked = np.stack(moved, axis=2).reshape(image.shape)
    return np.clip(np.round(stacked), 0, 255).astype(np.uint8)


def grating(
    shift_px: NDArray[np.floating], wavelength_px: float, *, size: int = 192, contrast: float = 30
) -> NDArray[np.uint8]:
    """Return a clip of stripes that move as told.

    The stripes lean by one wavelength over the height of the frame, so that rounding to whole gray
    levels differs from row to row and averages out.

    Parameters
    ----------
    shift_px
        ``(T,)``, to the right, px.
    wavelength_px
        From stripe to stripe, px.
    size
        Height and width of the frames, px.
    contrast
        Amplitude, gray levels around 128.

    Returns
    -------
    ndarray
        ``uint8`` ``(T, size, size)``.

    Examples
    --------
    >>> grating(np.array([0.0, 4.0]), 16.0, size=64)[:, 0, 0]
    array([158, 128], dtype=uint8)
    """
    rows, columns = np.indices((size, size))
    shift = np.asarray(shift_px, np.float64)[:, None, None]
    wave = np.cos(2 * np.pi * ((columns - shift) / wavelength_px - rows / size))
    return np.round(128 + contrast * wave).astype(np.uint8)


def grating_shift(frames: NDArray[np.uint8], wavelength_px: float) -> NDArray[np.float64]:
    """Measure by how much the stripes of :func:`grating` have moved since the first frame.

    Parameters
    ----------
    frames
        ``uint8`` ``(T, H, W)``.
    wavelength_px
        From stripe to stripe, px.

    Returns
    -------
    ndarray
        ``float64`` ``(T,)``, px, from the phase of the stripes in the middle of the frames.

    Examples
    --------
    >>> grating_shift(grating(np.array([0.0, 0.3, -0.3]), 20.0), 20.0).round(2) + 0.0
    array([ 0. ,  0.3, -0.3])
    """
    height, width = frames.shape[1:]
    used = max(int(width / 2 // wavelength_px), 1) * wavelength_px
    columns = np.arange(round((width - used) / 2), round((width + used) / 2))
    wave = np.exp(-2j * np.pi * columns / wavelength_px)
    middle = frames[:, height // 4 : height - height // 4][:, :, columns].astype(np.float64)
    component = (middle - middle.mean(axis=2, keepdims=True)) @ wave
    phase = np.angle((component * component[0].conj()).sum(axis=1))
    return np.asarray(-np.unwrap(phase) * wavelength_px / (2 * np.pi))
