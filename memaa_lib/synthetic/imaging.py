"""Small image helpers shared by the painting modules."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Image = NDArray[Any]  # float32 unless said otherwise


def smoothstep(low: float, high: float, x: ArrayLike) -> NDArray[np.floating]:
    """Rise smoothly from 0 at `low` to 1 at `high` (falls if `high` < `low`).

    Examples
    --------
    >>> smoothstep(0, 2, [-1, 1, 3]).tolist()
    [0.0, 0.5, 1.0]
    """
    t = np.clip((np.asarray(x) - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def blur(image: Image, sigma: float) -> Image:
    """Blur with a Gaussian of `sigma` px; the border is replicated."""
    if sigma < 0.05:
        return image
    result: Image = cv2.GaussianBlur(image, (0, 0), float(sigma), borderType=cv2.BORDER_REPLICATE)
    return result


def shrink(image: Image, height: int, width: int) -> Image:
    """Resample to a smaller size by averaging over areas."""
    result: Image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return result


def enlarge(image: Image, height: int, width: int) -> Image:
    """Resample to a larger size, bilinearly."""
    result: Image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return result


def fractal_noise(
    shape: tuple[int, int],
    rng: np.random.Generator,
    feature_px: float,
    octaves: int = 4,
    gain: float = 0.55,
) -> Image:
    """Draw smooth noise of unit variance whose largest features are `feature_px` wide.

    Every octave halves the features and has `gain` times the amplitude of the one before.
    """
    height, width = shape
    total = np.zeros(shape, np.float32)
    amplitude = 1.0
    for octave in range(octaves):
        cell = max(feature_px / 2**octave, 1.0)
        grid = (int(np.ceil(height / cell)) + 3, int(np.ceil(width / cell)) + 3)
        noise = rng.standard_normal(grid, dtype=np.float32)
        noise = cv2.resize(noise, None, fx=cell, fy=cell, interpolation=cv2.INTER_CUBIC)
        top, left = rng.integers(0, int(cell) + 1, 2)
        total += amplitude * noise[top : top + height, left : left + width]
        amplitude *= gain
    result: Image = total / total.std()
    return result


def fill_smoothly(field: Image, known: NDArray[np.bool_]) -> Image:
    """Extend a field (H, W, C) smoothly to where it is not known, with a normalised image pyramid.

    The `known` (H, W) values come out unchanged.
    """
    if field.shape[2] > 16:  # OpenCV limits the number of channels
        parts = [fill_smoothly(field[..., i : i + 16], known) for i in range(0, field.shape[2], 16)]
        return np.concatenate(parts, axis=2)
    weight: Image = known.astype(np.float32)
    levels: list[tuple[Image, Image]] = [(field * weight[..., None], weight)]
    while min(levels[-1][1].shape) >= 4 and len(levels) < 7:
        value, weight = (_halve(part) for part in levels[-1])
        levels.append((value.reshape(*weight.shape, -1), weight))
    value, weight = levels[-1]
    filled = value / np.maximum(weight, 1e-4)[..., None]
    for value, weight in reversed(levels[:-1]):
        coarse = enlarge(filled, *weight.shape).reshape(value.shape)
        filled = value + (1 - weight[..., None]) * coarse
    return filled


def _halve(image: Image) -> Image:
    result: Image = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return result


def draw_lines(
    canvas: NDArray[np.uint8],
    paths: NDArray[np.floating],
    values: NDArray[np.floating],
    thickness: NDArray[np.integer],
) -> None:
    """Draw many antialiased polylines into an 8-bit canvas (H, W).

    `paths` (N, P, 2) are x and y in px, `values` (N,) gray levels, rounded to steps of 16: the
    lines of a level are drawn at once. `thickness` (N,) is in px.
    """
    # OpenCV takes positions in whole sixteenths of a px: 4 binary digits
    points = np.round(paths * 16).astype(np.int32)
    levels = np.clip(np.round(np.asarray(values) / 16) * 16, 0, 255).astype(int)
    for size in np.unique(thickness):
        for level in np.unique(levels[thickness == size]):
            lines = points[(thickness == size) & (levels == level)]
            cv2.polylines(canvas, list(lines), False, int(level), int(size), cv2.LINE_AA, 4)
