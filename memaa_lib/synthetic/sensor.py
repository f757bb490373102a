"""From linear light to 8-bit frames: tone curve, flicker, sensor noise."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from memaa_lib.synthetic.camera import Camera
from memaa_lib.synthetic.identity import generator
from memaa_lib.synthetic.imaging import Image

_TABLE_SIZE = 32768
_BRIGHTEST = 2.0  # linear light; all above is as bright
# Shots of noise are windows into one larger field, so that drawing it costs little.
_NOISE_SHIFTS = (61, 59)
_FIXED_PATTERN = 0.25  # gray levels, the same in every frame


def _tone_table() -> NDArray[np.float32]:
    """Tabulate sRGB with a soft shoulder, for light from 0 to `_BRIGHTEST`: 0 to 255."""
    light = np.linspace(0, _BRIGHTEST, _TABLE_SIZE)
    light = np.minimum(light / (1 + 0.12 * light**2), 1)
    low, high = 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055
    return (255 * np.where(light < 0.0031308, low, high)).astype(np.float32)


_TONE = _tone_table()


def develop(light: Image, gain: float = 1.0) -> Image:
    """Apply the tone curve to linear light; float gray levels 0 to 255."""
    index = np.minimum(light * np.float32(gain * (_TABLE_SIZE - 1) / _BRIGHTEST), _TABLE_SIZE - 1)
    return _TONE[index.astype(np.uint16)]


class Sensor:
    """Make the frames of one clip from its window images and its still surroundings.

    `surroundings` (H, W, C) is the linear light of what does not move. `noise` is the standard
    deviation in gray levels at mid gray, 0 for none, and no flicker. The keys say what the noise of
    the clip and the fixed pattern of the sensor are drawn from.
    """

    def __init__(
        self,
        camera: Camera,
        surroundings: Image,
        noise: float,
        noise_key: tuple[str | int, ...],
        pattern_key: tuple[str | int, ...],
    ) -> None:
        self.camera, self.noise = camera, noise
        top, left, height, width = camera.head_window
        self._window = np.s_[:, top : top + height, left : left + width]
        self._only_window = (height, width) == (camera.height, camera.width)
        surroundings = np.ascontiguousarray(np.moveaxis(surroundings, 2, 0))
        self._still = develop(surroundings)
        self._still_change = (develop(surroundings, 1.01) - self._still) / np.float32(0.01)
        if noise:
            shape = self._still.shape
            self._rng = generator(*noise_key)
            larger = (shape[0], shape[1] + _NOISE_SHIFTS[0], shape[2] + _NOISE_SHIFTS[1])
            self._field = self._rng.standard_normal(larger, dtype=np.float32)
            pattern = generator(*pattern_key).standard_normal(shape, dtype=np.float32)
            self._pattern = _FIXED_PATTERN * pattern
            self._level: Image | None = None

    def expose(self, images: Iterable[Image], flicker: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Make the frames (T, *camera.frame_shape) of a clip.

        `images` are T images (C, h, w) of the window in linear light, `flicker` (T,) factors on the
        light.
        """
        frames = np.empty((len(flicker), *self.camera.frame_shape), np.uint8)
        order = self._shifts(len(flicker)) if self.noise else None
        for index, image in enumerate(images):
            gain = float(flicker[index]) if self.noise else 1.0
            levels = self._surround(develop(image, gain), gain)
            if order is not None:
                levels = self._add_noise(levels, order[index])
            frames[index] = cv2.merge([cv2.convertScaleAbs(plane) for plane in levels])
        return frames

    def _surround(self, window: Image, gain: float) -> Image:
        if self._only_window:
            return window
        pairs = zip(self._still_change, self._still, strict=True)
        frame = np.stack([cv2.scaleAdd(change, gain - 1, still) for change, still in pairs])
        frame[self._window] = window
        return frame

    def _shifts(self, n_frames: int) -> NDArray[np.int64]:
        """Different offsets into the noise field, one for each frame."""
        rows, columns = _NOISE_SHIFTS
        chosen = self._rng.permutation(rows * columns)
        chosen = np.resize(chosen, n_frames)
        return np.stack([chosen // columns, chosen % columns], 1)

    def _add_noise(self, levels: Image, shift: NDArray[np.int64]) -> Image:
        if self._level is None:  # shot noise grows with brightness
            self._level = self.noise * (0.55 + 0.45 * np.sqrt(levels / 128)).astype(np.float32)
        _, height, width = levels.shape
        y, x = shift
        noise = self._field[:, y : y + height, x : x + width]
        noise = np.multiply(noise, self._level)
        noise += levels
        noise += self._pattern
        return np.maximum(noise, 0, out=noise)
