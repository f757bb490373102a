"""A small z-buffer rasteriser: which triangle is seen at which pixel.

Triangles are drawn in groups of similar size, the smallest first. Among the triangles that cover a
pixel the nearest wins, among equally near ones the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]

# Triangles are grouped by the side of the pixel square that holds them, which decides draws.
_SQUARES = (1, 2, 3, 4, 6, 9, 13, 20, 32, 64, 128, 256, 4096)
_MARGIN = 1e-6


def _compiled(function: Any) -> Any:
    return njit(cache=True, boundscheck=False)(function)  # no `fastmath`: rounded as in NumPy


@dataclass(frozen=True, eq=False)
class Raster:
    """What is seen at each pixel."""

    triangle: NDArray[np.int64]  # (H, W) index into `triangles`, -1 where nothing is seen
    weights: NDArray[np.float32]  # (H, W, 3) barycentric, of its corners
    triangles: NDArray[np.int64]  # (N, 3) vertex numbers

    @property
    def covered(self) -> NDArray[np.bool_]:
        """(H, W) where some triangle is seen."""
        return self.triangle >= 0

    def interpolate(self, attributes: NDArray[np.floating]) -> NDArray[np.float32]:
        """Interpolate vertex attributes (V, C) over the image: (H, W, C), 0 in the background."""
        attributes = np.asarray(attributes, np.float32)
        image = np.zeros((*self.triangle.shape, attributes.shape[1]), np.float32)
        _interpolate(attributes, self.triangle, self.weights, self.triangles, image)
        return image


def rasterise(
    points: NDArray[np.floating],
    depth: NDArray[np.floating],
    triangles: NDArray[np.int64],
    shape: tuple[int, int],
) -> Raster:
    """Rasterise triangles (N, 3) that face the camera: counter-clockwise seen from outside, y up.

    `points` (V, 2) are image positions in px, pixel centres at integers, y down; of `depth` (V,)
    the larger is nearer.

    Examples
    --------
    >>> corners = np.array([[0.0, 0.0], [0.0, 3.0], [3.0, 0.0]])
    >>> seen = rasterise(corners, np.zeros(3), np.array([[0, 1, 2]]), (4, 4))
    >>> seen.covered.sum(1).tolist()
    [4, 3, 2, 1]
    """
    height, width = shape
    a, b, c = (points[triangles[:, k]] for k in range(3))
    area = _cross(b - a, c - a)
    low = np.maximum(np.ceil(np.minimum(np.minimum(a, b), c)), 0)
    high = np.minimum(np.floor(np.maximum(np.maximum(a, b), c)), [width - 1, height - 1])
    seen = np.nonzero((high >= low).all(1) & (area < -1e-9))[0]
    side = (high[seen] - low[seen]).max(1).astype(int) + 1
    group = np.searchsorted(_SQUARES, side)
    largest = np.zeros(len(_SQUARES), int)
    np.maximum.at(largest, group, side)
    end = np.minimum(low[seen] + largest[group, None], np.minimum(high[seen] + 2, [width, height]))
    order = np.argsort(group, kind="stable")
    box = np.concatenate([low[seen], end], 1).astype(np.int64)[order]
    order = seen[order]
    owner = np.full(shape, -1, np.int64)
    weights = np.zeros((*shape, 3), np.float32)
    corners = np.stack([a, b, c], 1)[order]
    _draw(corners, depth[triangles[order]], area[order], box, order, owner, weights)
    return Raster(owner, weights, triangles)


@_compiled
def _draw(
    corners: Array,
    depths: Array,
    areas: Array,
    boxes: Array,
    numbers: Array,
    owner: Array,
    weights: Array,
) -> None:
    """Draw triangles (N, 3, 2) one after the other where nothing nearer is drawn.

    ``boxes`` (N, 4) are first column and row and the ends of columns and rows. Of two triangles at
    the same depth the later one is seen.
    """
    nearest = np.full(owner.shape, -np.inf)
    for i in range(len(numbers)):
        ax, ay = corners[i, 0, 0], corners[i, 0, 1]
        bx, by = corners[i, 1, 0], corners[i, 1, 1]
        cx, cy = corners[i, 2, 0], corners[i, 2, 1]
        z0, z1, z2, area = depths[i, 0], depths[i, 1], depths[i, 2], areas[i]
        for y in range(boxes[i, 1], boxes[i, 3]):
            for x in range(boxes[i, 0], boxes[i, 2]):
                dx, dy = x - ax, y - ay
                u = (dx * (cy - ay) - dy * (cx - ax)) / area
                v = (dy * (bx - ax) - dx * (by - ay)) / area
                if u < -_MARGIN or v < -_MARGIN or u + v > 1 + _MARGIN:
                    continue
                z = z0 + u * (z1 - z0) + v * (z2 - z0)
                if z >= nearest[y, x]:
                    nearest[y, x] = z
                    owner[y, x] = numbers[i]
                    weights[y, x, 0], weights[y, x, 1], weights[y, x, 2] = 1 - u - v, u, v


@_compiled
def _interpolate(
    attributes: Array, owner: Array, weights: Array, triangles: Array, image: Array
) -> None:
    """Write the weighted sum of the corners' attributes (V, C) wherever a triangle is seen.

    Adding 0 turns -0 into 0.
    """
    height, width = owner.shape
    for y in range(height):
        for x in range(width):
            if owner[y, x] >= 0:
                corners, share = triangles[owner[y, x]], weights[y, x]
                a, b, c = corners[0], corners[1], corners[2]
                u, v, w = share[0], share[1], share[2]
                for i in range(attributes.shape[1]):
                    total = attributes[a, i] * u + attributes[b, i] * v
                    image[y, x, i] = np.float32(0) + (total + attributes[c, i] * w)


def _cross(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    return p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]


def triangles_of(quads: NDArray[np.int64]) -> NDArray[np.int64]:
    """Split quads (Q, 4) into triangles (2 Q, 3): first halves first."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def vertex_normals(vertices: NDArray[np.floating], quads: NDArray[np.int64]) -> NDArray[np.float32]:
    """Compute unit normals (V, 3) of the vertices of a quad mesh, weighted by area."""
    normals = np.zeros((len(vertices), 3))
    _add_crosses(vertices, quads, normals)
    length = np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    result: NDArray[np.float32] = (normals / length).astype(np.float32)
    return result


@_compiled
def _add_crosses(vertices: Array, quads: Array, normals: Array) -> None:
    """Add the cross product of the diagonals of every quad to the normals of its corners."""
    for quad in range(len(quads)):
        a, b = vertices[quads[quad, 0]], vertices[quads[quad, 1]]
        c, d = vertices[quads[quad, 2]], vertices[quads[quad, 3]]
        for x in range(3):
            y, z = (x + 1) % 3, (x + 2) % 3
            area = (c[y] - a[y]) * (d[z] - b[z])
            area -= (c[z] - a[z]) * (d[y] - b[y])
            for corner in range(4):
                normals[quads[quad, corner], x] += area
