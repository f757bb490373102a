"""Cameras: how large the frames are, how fast they come, how much they blur and how noisy they are.

Each of the three data sets has a camera of its own here. `smic` and `casme2` stand for the cropped
releases, `smic_raw` and `casme2_raw` for the uncropped ones; `samm` is released uncropped only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError


@dataclass(frozen=True)
class Camera:
    """One camera; `CAMERAS` holds those of the data sets.

    Examples
    --------
    >>> CAMERAS["samm"].frame_shape
    (650, 960)
    """

    name: str  # key in `CAMERAS`
    height: int  # px, as the width
    width: int
    fps: float  # frames a second
    gray: bool = False  # frames (T, H, W) in place of RGB (T, H, W, 3)
    noise: float = 1.0  # of the sensor at mid gray: standard deviation in gray levels
    blur_px: float = 0.5  # of the lens: standard deviation
    # smallest and largest peak of an expression, before `difficulty` weakens it
    peak_px: tuple[float, float] = (0.5, 2.5)
    # top, left, height, width; the head moves in it
    window: tuple[int, int, int, int] | None = None
    face_fraction: float = 0.56  # from the eyes to the chin, as a part of the window's height
    eye_row: float = 0.385  # from the window's top to the eyes, as a part of its height

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 64:
            raise InputError(
                f"camera {self.name!r}: frames must be at least 64 px high and wide, "
                f"got {self.height} x {self.width}"
            )
        if not self.fps > 0:
            raise InputError(f"camera {self.name!r}: fps must be above 0, got {self.fps}")
        if not (self.noise >= 0 and self.blur_px > 0):
            raise InputError(f"camera {self.name!r}: noise must be >= 0 and blur_px > 0")
        top, left, height, width = self.head_window
        if min(top, left) < 0 or top + height > self.height or left + width > self.width:
            raise InputError(
                f"camera {self.name!r}: window {self.window} does not fit into the frame"
            )

    @property
    def head_window(self) -> tuple[int, int, int, int]:
        """Top, left, height and width of the part that the head moves in."""
        return self.window or (0, 0, self.height, self.width)

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of one frame."""
        return (self.height, self.width) if self.gray else (self.height, self.width, 3)


_UNCROPPED: dict[str, Any] = {"face_fraction": 0.377, "eye_row": 0.472}
_SMIC: dict[str, Any] = {"fps": 100, "noise": 1.5, "blur_px": 0.55, "peak_px": (0.45, 1.7)}
_CASME2: dict[str, Any] = {"fps": 200, "noise": 0.9, "peak_px": (0.7, 3.0)}
_SAMM: dict[str, Any] = {"fps": 200, "noise": 0.8, "peak_px": (0.5, 2.5), "gray": True}

CAMERAS: dict[str, Camera] = {
    camera.name: camera
    for camera in (
        Camera("smic", 178, 146, **_SMIC),
        Camera("smic_raw", 480, 640, window=(54, 212, 282, 216), **_SMIC, **_UNCROPPED),
        Camera("casme2", 340, 280, **_CASME2),
        Camera("casme2_raw", 480, 640, window=(0, 146, 454, 348), **_CASME2, **_UNCROPPED),
        Camera("samm", 650, 960, window=(54, 306, 454, 348), **_SAMM, **_UNCROPPED),
    )
}


CAMERA_DISTANCE_DM = 9.0


@dataclass(frozen=True)
class View:
    """A camera's view of one head, in px of its window with a margin around it."""

    height: int  # of the window, as the width
    width: int
    pad: int  # margin on every side; the head may move into it
    centre: tuple[float, float, float]  # x, y, z in dm of the point that is seen in the middle
    px_per_dm: float  # at the depth of `centre`

    @property
    def full_height(self) -> int:
        """Height with the margin, rounded up to an even number."""
        return _even(self.height + 2 * self.pad)

    @property
    def full_width(self) -> int:
        """Width with the margin, rounded up to an even number."""
        return _even(self.width + 2 * self.pad)

    def magnification(self, z: NDArray[np.floating]) -> NDArray[np.floating]:
        """Px for one dm at depth z (dm) of a perspective camera."""
        return self.px_per_dm * CAMERA_DISTANCE_DM / (CAMERA_DISTANCE_DM - (z - self.centre[2]))

    def project(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Project points (..., 3) in dm to px (..., 2) of the padded window, y down.

        Examples
        --------
        >>> View(100, 80, 10, (0.0, 7.0, 1.0), 50.0).project(np.array([0.0, 7.0, 1.0])).tolist()
        [49.5, 59.5]
        """
        scale = self.magnification(points[..., 2])
        x = (self.full_width - 1) / 2 + scale * (points[..., 0] - self.centre[0])
        y = (self.full_height - 1) / 2 - scale * (points[..., 1] - self.centre[1])
        return np.stack([x, y], -1)


def _even(size: int) -> int:
    return size + size % 2
