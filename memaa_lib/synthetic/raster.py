"""A small z-buffer rasteriser in NumPy: which triangle is seen at which pixel.

Triangles of similar size are tested together: each is compared with a square of pixels just large
enough for its group. Among the triangles that cover a pixel the nearest wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# Triangles are grouped by the side of the pixel square that holds them.
_SQUARES = (1, 2, 3, 4, 6, 9, 13, 20, 32, 64, 128, 256, 4096)
_TESTS_AT_ONCE = 1_000_000
_MARGIN = 1e-6


@dataclass(frozen=True, eq=False)
class Raster:
    """What is seen at each pixel.

    Attributes
    ----------
    triangle
        (H, W) int64 index into `triangles`, -1 where nothing is seen.
    weights
        (H, W, 3) float32 barycentric weights of the triangle's corners.
    triangles
        (N, 3) vertex numbers.
    """

    triangle: NDArray[np.int64]
    weights: NDArray[np.float32]
    triangles: NDArray[np.int64]

    @property
    def covered(self) -> NDArray[np.bool_]:
        """(H, W) where some triangle is seen."""
        return self.triangle >= 0

    def interpolate(self, attributes: NDArray[np.floating]) -> NDArray[np.float32]:
        """Interpolate vertex attributes (V, C) over the image: (H, W, C), 0 in the background."""
        seen = self.covered
        corners = self.triangles[self.triangle[seen]]
        weights = self.weights[seen]
        attributes = np.asarray(attributes, np.float32)
        image = np.zeros((*seen.shape, attributes.shape[1]), np.float32)
        image[seen] = sum(attributes[corners[:, k]] * weights[:, k : k + 1] for k in range(3))
        return image


def rasterise(
    points: NDArray[np.floating],
    depth: NDArray[np.floating],
    triangles: NDArray[np.int64],
    shape: tuple[int, int],
) -> Raster:
    """Rasterise triangles that face the camera.

    Parameters
    ----------
    points
        (V, 2) image positions of the vertices in px, pixel centres at integers, y down.
    depth
        (V,) larger is nearer.
    triangles
        (N, 3) vertex numbers, counter-clockwise seen from outside (y up).
    shape
        Height and width of the image.

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
    candidates = np.nonzero((high >= low).all(1) & (area < -1e-9))[0]
    corner = low[candidates].astype(np.int64)
    side = (high[candidates] - low[candidates]).max(1).astype(int) + 1

    pixels, owners, depths = [], [], []
    for smallest, square in zip((0, *_SQUARES[:-1]), _SQUARES, strict=True):
        group = np.nonzero((side > smallest) & (side <= square))[0]
        batch = max(1, _TESTS_AT_ONCE // square**2)
        for start in range(0, len(group), batch):
            chosen = group[start : start + batch]
            square = min(square, int(side[group].max()))
            dy, dx = (d.ravel() for d in np.mgrid[0:square, 0:square])
            t = candidates[chosen]
            x = corner[chosen, :1] + dx
            y = corner[chosen, 1:] + dy
            u, v = _barycentric(x, y, a[t, None], b[t, None], c[t, None], area[t, None])
            inside = (u >= -_MARGIN) & (v >= -_MARGIN) & (u + v <= 1 + _MARGIN)
            row, column = np.nonzero(inside & (x < width) & (y < height))
            z = depth[triangles[t[row]]]
            u, v = u[row, column], v[row, column]
            pixels.append(y[row, column] * width + x[row, column])
            owners.append(t[row])
            depths.append(z[:, 0] + u * (z[:, 1] - z[:, 0]) + v * (z[:, 2] - z[:, 0]))

    owner = np.full(height * width, -1, np.int64)
    weights = np.zeros((height * width, 3), np.float32)
    if pixels:
        pixel, candidate = np.concatenate(pixels), np.concatenate(owners)
        order = np.lexsort((np.concatenate(depths), pixel))
        pixel, candidate = pixel[order], candidate[order]
        nearest = np.append(pixel[1:] != pixel[:-1], True)
        pixel, t = pixel[nearest], candidate[nearest]
        owner[pixel] = t
        u, v = _barycentric(pixel % width, pixel // width, a[t], b[t], c[t], area[t])
        weights[pixel] = np.stack([1 - u - v, u, v], 1)
    return Raster(owner.reshape(shape), weights.reshape(*shape, 3), triangles)


def _cross(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    return p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]


def _barycentric(
    x: Array, y: Array, a: Array, b: Array, c: Array, area: Array
) -> tuple[Array, Array]:
    """Weights of the corners b and c at the points (x, y)."""
    dx, dy = x - a[..., 0], y - a[..., 1]
    u = (dx * (c[..., 1] - a[..., 1]) - dy * (c[..., 0] - a[..., 0])) / area
    v = (dy * (b[..., 0] - a[..., 0]) - dx * (b[..., 1] - a[..., 1])) / area
    return u, v


def triangles_of(quads: NDArray[np.int64]) -> NDArray[np.int64]:
    """Split quads (Q, 4) into triangles (2 Q, 3): first halves first."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def vertex_normals(vertices: NDArray[np.floating], quads: NDArray[np.int64]) -> NDArray[np.float32]:
    """Compute unit normals (V, 3) of the vertices of a quad mesh, weighted by area."""
    first = vertices[quads[:, 2]] - vertices[quads[:, 0]]
    second = vertices[quads[:, 3]] - vertices[quads[:, 1]]
    face = np.cross(first, second)
    normals = np.stack(
        [
            np.bincount(quads.ravel(), np.repeat(face[:, axis], 4), len(vertices))
            for axis in range(3)
        ],
        1,
    )
    length = np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    result: NDArray[np.float32] = (normals / length).astype(np.float32)
    return result
