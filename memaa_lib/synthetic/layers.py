"""Warping painted sheets: one sheet of skin moves by head pose and action units and is lit anew.

A sheet is painted once, larger than the frame. Its motion is known on a grid of nodes: for every
action unit the projected displacement and the change of light, and the 3-D position for the pose. A
frame is made by inverting the motion at the nodes and sampling the painting once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from memaa_lib.synthetic.camera import CAMERA_DISTANCE_DM, View
from memaa_lib.synthetic.imaging import Image

_FRAMES_AT_ONCE = 16  # one matrix product makes the fields of so many
_SMALLEST_WEIGHT = 1e-7
_SMALLEST_LIGHT, _LARGEST_LIGHT = 0.3, 2.0
_TOLERANCE_PX = 0.004  # of the inverted motion


@dataclass(frozen=True, eq=False)
class Motion:
    """How a sheet moves, on its grid of nodes."""

    position: Image  # (h, w, 3) float32, where the nodes are in dm
    displacement: NDArray[np.float32]  # (K, h, w, 2) px for a full action unit
    # (K + 3, h, w, 2) for a full unit, or a radian of yaw, pitch, roll:
    # relative change of the diffuse light, and added specular light
    shading: NDArray[np.float32]
    follows: Image  # (h, w) how far the node follows the head: 1 face, 0 shoulders


@dataclass(frozen=True)
class Box:
    """Rows and columns of nodes that a sheet occupies (ends not included)."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def nodes(self) -> tuple[slice, slice]:
        """Slices into an image with one value a node."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def scaled(self, factor: int) -> tuple[slice, slice]:
        """Slices into an image with `factor` values a node along each axis."""
        return (
            slice(self.top * factor, self.bottom * factor),
            slice(self.left * factor, self.right * factor),
        )


def rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Rotation matrix: roll after yaw after pitch, angles in radians.

    Examples
    --------
    >>> np.allclose(rotation(0, 0, np.pi / 2) @ [1, 0, 0], [0, 1, 0])
    True
    """
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    cr, sr = np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    result: NDArray[np.float64] = about_z @ about_y @ about_x
    return result


class Layer:
    """One painted sheet.

    `step` is in px between nodes, `oversampling` in source px for one px, `box` the nodes that the
    sheet occupies. `source` (h, w, C + 1) is the painting of the box, premultiplied with its last
    channel, alpha; `pivot` (3,) the point that the head turns about; `white` (C,) what white light
    looks like to the camera.
    """

    def __init__(
        self,
        view: View,
        step: int,
        oversampling: int,
        box: Box,
        source: Image,
        motion: Motion,
        pivot: NDArray[np.float64],
        white: NDArray[np.float32],
    ) -> None:
        self.view, self.step, self.box = view, step, box
        self.source, self.motion, self.pivot, self.white = source, motion, pivot, white
        rows, columns = motion.follows.shape
        y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
        self._nodes = np.dstack([x, y])
        # Only px inside the window are sampled.
        full = (box.top * step, box.left * step)
        top, left = (max(0, view.pad - start) for start in full)
        bottom = min(rows * step, view.pad + view.height - full[0])
        right = min(columns * step, view.pad + view.width - full[1])
        self._inside = slice(top, bottom), slice(left, right)
        y, x = np.mgrid[top:bottom, left:right].astype(np.float32)
        self._grid = np.dstack([x, y]) * oversampling + np.float32((oversampling - 1) / 2)
        self._oversampling = oversampling
        start = (full[0] + top - view.pad, full[1] + left - view.pad)
        self.window = (
            slice(start[0], start[0] + bottom - top),
            slice(start[1], start[1] + right - left),
        )
        self._points = np.ascontiguousarray(np.moveaxis(motion.position, 2, 0))
        self._centred = self._points - np.array(view.centre, np.float32)[:, None, None]
        self._scale = view.magnification(motion.position[..., 2]).astype(np.float32)

    def fields(
        self, weights: NDArray[np.float64], pose: NDArray[np.float64]
    ) -> Iterator[tuple[Image, Image]]:
        """Motion of every node and change of light, frame by frame.

        For weights (T, K) and pose (T, 6), yaw, pitch, roll in radians and shift x, y, z in dm, it
        yields (h, w, 2) displacement from the neutral in px and (h, w, 2) shading.
        """
        # few units move in a clip: only their fields are packed and summed
        active = np.nonzero(np.abs(weights).max(0) > _SMALLEST_WEIGHT)[0]
        shape = self._nodes.shape
        n_units = weights.shape[1]
        moved = self.motion.displacement[active].reshape(len(active), shape[0] * shape[1] * 2)
        lit_by = np.append(active, n_units + np.arange(3))
        lit = self.motion.shading[lit_by].reshape(len(lit_by), -1)
        amounts = np.concatenate([weights[:, active], pose[:, :3]], 1).astype(np.float32)
        for start in range(0, len(weights), _FRAMES_AT_ONCE):
            chunk = slice(start, start + _FRAMES_AT_ONCE)
            displacement = (amounts[chunk, :-3] @ moved).reshape(-1, *shape)
            shading = (amounts[chunk] @ lit).reshape(-1, *shape)
            for expression, light, one_pose in zip(displacement, shading, pose[chunk], strict=True):
                yield self._with_pose(expression, one_pose), light

    def render(
        self, weights: NDArray[np.float64], pose: NDArray[np.float64], most_iterations: int
    ) -> Iterator[list[Image]]:
        """Warped and lit sheet, frame by frame, inside its part of the window (`window`).

        Weights and pose are those of `fields`; inverting the motion takes `most_iterations` at
        most. It yields C + 1 planes (h, w) float32, premultiplied with the last one, alpha.
        """
        # inverting starts from the frame before, so frames have to come in order
        inverse = np.zeros_like(self._nodes)
        rows, columns = self._nodes.shape[:2]
        size = (columns * self.step, rows * self.step)
        for forward, shading in self.fields(weights, pose):
            inverse = self._invert(forward, inverse, most_iterations)
            shift, shading = inverse, _sample(shading, self._moved_by(inverse))
            if self.step > 1:
                shift = cv2.resize(shift, size, interpolation=cv2.INTER_LINEAR)
                shading = cv2.resize(shading, size, interpolation=cv2.INTER_LINEAR)
            shift = np.ascontiguousarray(shift[self._inside])
            at = cv2.scaleAdd(shift, self._oversampling, self._grid)
            yield self._relit(_sample(self.source, at), shading[self._inside])

    # What follows is done to every frame: planes are several times faster than channels, and results
    # in their place, or from OpenCV, faster than new arrays.
    def _relit(self, image: Image, shading: Image) -> list[Image]:
        gain, shine = cv2.split(shading)
        gain += 1
        np.clip(gain, _SMALLEST_LIGHT, _LARGEST_LIGHT, out=gain)
        *colours, alpha = cv2.split(image)
        shine *= alpha
        for plane, white in zip(colours, self.white, strict=True):
            plane *= gain
            plane += white * shine
        return [*colours, alpha]

    def _with_pose(self, expression: Image, pose: NDArray[np.float64]) -> Image:
        """Displacement of the nodes by the pose of the head and, in its plane, the expression."""
        turn = rotation(*pose[:3]) - np.eye(3)
        shift = pose[3:] - turn @ self.pivot
        moved = turn.astype(np.float32) @ self._points.reshape(3, -1)
        moved += shift[:, None].astype(np.float32)
        moved = moved.reshape(self._points.shape)
        moved *= self.motion.follows
        right, up, forward = moved
        forward /= np.float32(self.view.px_per_dm * CAMERA_DISTANCE_DM)
        scale = 1 / (1 / self._scale - forward)
        change = scale - self._scale
        cosine, sine = np.float32(np.cos(pose[2])), np.float32(np.sin(pose[2]))
        across, down = cv2.split(expression)
        right *= scale
        right += change * self._centred[0]
        right += cosine * across
        right += sine * down
        down *= cosine
        down -= sine * across
        down -= np.multiply(scale, up, out=up)
        down -= np.multiply(change, self._centred[1], out=change)
        return cv2.merge([right, down])

    def _invert(self, forward: Image, start: Image, most_iterations: int) -> Image:
        """Solve u(x) = -forward(x + u(x)) by fixed-point iteration from the last frame's u."""
        inverse = start
        for iteration in range(most_iterations):
            found = _sample(forward, self._moved_by(inverse))
            np.negative(found, out=found)
            change = cv2.norm(found, inverse, cv2.NORM_INF)
            # Where lids nearly close the plain iteration swings: average after a few steps.
            inverse = found if iteration < 4 else 0.6 * inverse + 0.4 * found
            if change < _TOLERANCE_PX:
                break
        return inverse

    def _moved_by(self, inverse: Image) -> Image:
        """Where each node comes from, in nodes."""
        at: Image = cv2.scaleAdd(inverse, 1 / self.step, self._nodes)
        return at


def _sample(image: Image, at: Image) -> Image:
    result: Image = cv2.remap(image, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return result
