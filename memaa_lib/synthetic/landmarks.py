"""The 68 iBUG landmarks, anchored on the mesh so that they move with the skin.

Jaw and nose are points of the average head; brows, eyes and mouth follow the painted outlines.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from memaa_lib.synthetic.expressions import action_unit_shifts
from memaa_lib.synthetic.head import LEFT_EYE, RIGHT_EYE, load_anatomy, load_head
from memaa_lib.synthetic.layers import rotation
from memaa_lib.synthetic.sheets import follows_head
from memaa_lib.synthetic.surface import Surface

Points = dict[int, tuple[float, float]]

# Jaw, base of the nose and brow points (upper edge, not centre line) were moved towards where dlib
# finds them.
# Average head, subject's right half (image left): y and |x| of the landmarks 0 to 7, in dm.
_JAW = np.array(
    [
        (7.33, 0.750),
        (7.15, 0.720),
        (6.95, 0.690),
        (6.79, 0.655),
        (6.61, 0.580),
        (6.44, 0.480),
        (6.32, 0.345),
        (6.245, 0.205),
    ]
)
_JAW_BAND = 0.05  # dm up and down in which the outline is searched
_CHIN = 8
_CHIN_Y = 6.24
_NOSE = {
    27: (0.0, 7.34, 1.45),
    28: (0.0, 7.22, 1.50),
    29: (0.0, 7.10, 1.56),
    30: (0.0, 6.985, 1.62),
    31: (-0.14, 6.905, 1.44),
    32: (-0.07, 6.89, 1.48),
    33: (0.0, 6.878, 1.53),
    34: (0.07, 6.89, 1.48),
    35: (0.14, 6.905, 1.44),
}
_BROWS = {"r": (21, 20, 19, 18, 17), "l": (22, 23, 24, 25, 26)}
# Parts of the way: along the brow from the nose, and along the mouth from image left to right.
_BROW_PARTS = (0.02, 0.27, 0.52, 0.77, 0.98)
# Outer corner, upper lid from outside to inside, inner corner, lower lid from inside to outside.
_EYES = {RIGHT_EYE: (36, 37, 38, 39, 40, 41), LEFT_EYE: (45, 44, 43, 42, 47, 46)}
_UPPER_LIP = {49: 0.20, 50: 0.38, 51: 0.50, 52: 0.62, 53: 0.80}
_LOWER_LIP = {55: 0.78, 56: 0.62, 57: 0.50, 58: 0.38, 59: 0.22}
_INNER_UPPER = {60: 0.07, 61: 0.36, 62: 0.50, 63: 0.64, 64: 0.93}
_INNER_LOWER = {65: 0.64, 66: 0.50, 67: 0.36}


class LandmarkTracker:
    """Exact landmarks of one head for any expression and pose.

    `brow_tops` are the upper edges of the brows, see `painting.PaintedFace`; `pivot` (3,) is the
    point that the head turns about, `eye_height` y of the eyes in dm.
    """

    def __init__(
        self,
        surface: Surface,
        brow_tops: dict[str, NDArray[np.float64]],
        pivot: NDArray[np.float64],
        eye_height: float,
    ) -> None:
        self.view, self.pivot = surface.view, pivot
        vertices = np.zeros((68, 3), np.int64)
        weights = np.zeros((68, 3))
        self._offset = np.zeros((68, 2))
        for number, (index, weight) in _template_anchors().items():
            vertices[number], weights[number] = index, weight
        points = _outline_points(surface, brow_tops)
        triangle, in_triangle, offset = _nearest_skin(surface, list(points.values()))
        for row, number in enumerate(points):
            vertices[number] = surface.raster.triangles[triangle[row]]
            weights[number], self._offset[number] = in_triangle[row], offset[row]
        subdivision = load_head().subdivision[vertices.ravel()]
        self._neutral = np.einsum("lk,lkc->lc", weights, surface.vertices[vertices])
        self._shift = np.stack(
            [
                np.einsum("lk,lkc->lc", weights, (subdivision @ shift).reshape(68, 3, 3))
                for shift in action_unit_shifts(surface.identity)
            ]
        )
        self._follows = follows_head(self._neutral[:, 1] - eye_height)[:, None]

    def track(self, weights: NDArray[np.float64], pose: NDArray[np.float64]) -> NDArray[np.float64]:
        """Landmarks (T, 68, 2) in px of the window for action units (T, K) and pose (T, 6)."""
        points = self._neutral + np.tensordot(weights, self._shift, 1)
        turns = np.stack([rotation(*angles) - np.eye(3) for angles in pose[:, :3]])
        moved = np.einsum("tij,tlj->tli", turns, points - self.pivot) + pose[:, None, 3:]
        return self.view.project(points + self._follows * moved) + self._offset - self.view.pad


def _template_anchors() -> dict[int, tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Vertices and weights of jaw and nose landmarks."""
    anatomy = load_anatomy()
    skin = anatomy.skin
    x, y, z = anatomy.vertices[skin].T
    equal = np.full(3, 1 / 3)
    anchors = {}
    for number, (height, half_width) in enumerate(_JAW):
        for sign, landmark in ((-1, number), (1, 16 - number)):
            # Of the points on the outline the one nearest to the camera.
            gap = (x - sign * half_width) ** 2 + (y - height) ** 2 - 0.05 * z
            gap[np.abs(y - height) >= _JAW_BAND] = np.inf
            anchors[landmark] = (skin[np.argsort(gap, kind="stable")[:3]], equal)
    gap = np.abs(y - _CHIN_Y)
    gap[(np.abs(x) >= 0.03) | (y >= 6.40) | (z <= 1.2)] = np.inf
    anchors[_CHIN] = (skin[np.argsort(gap, kind="stable")[:3]], equal)
    index, weights = anatomy.nearest(np.array(list(_NOSE.values())), 3)
    for row, number in enumerate(_NOSE):
        anchors[number] = (index[row], weights[row])
    return anchors


def _outline_points(surface: Surface, brow_tops: dict[str, NDArray[np.float64]]) -> Points:
    """Landmarks on brows, lids and lips of the neutral face, in source px."""
    points: Points = {}
    for side, numbers in _BROWS.items():
        top = brow_tops[side]
        for number, part in zip(numbers, _BROW_PARTS, strict=True):
            points[number] = tuple(top[int(part * (len(top) - 1))])
    for eye, around in _EYES.items():
        points |= _eye_points(surface, eye, around)
    return points | _mouth_points(surface)


def _eye_points(surface: Surface, eye: int, numbers: tuple[int, ...]) -> Points:
    lids = surface.eyelids[eye]
    left, right = lids.columns[[0, -1]]

    def at(part: float, upper: float) -> tuple[float, float]:
        """`part` 0 outer to 1 inner corner; `upper` 1 upper, 0 lower lid, 0.5 between."""
        x = float(left + (part if eye == RIGHT_EYE else 1 - part) * (right - left))
        top = np.interp(x, lids.columns, lids.top)
        bottom = np.interp(x, lids.columns, lids.bottom)
        return x, float(upper * top + (1 - upper) * bottom)

    places = ((0, 0.5), (0.33, 1), (0.67, 1), (1, 0.5), (0.67, 0), (0.33, 0))
    return {number: at(*place) for number, place in zip(numbers, places, strict=True)}


def _mouth_points(surface: Surface) -> Points:
    lips, scale = surface.lips > 0.5, surface.oversampling / 4
    left, right = surface.mouth_columns[0] + 1, surface.mouth_columns[-1] - 1

    def column(part: float) -> float:
        return float(left + part * (right - left))

    def line(part: float) -> float:
        return float(np.interp(column(part), surface.mouth_columns, surface.mouth_rows))

    points: Points = {48: (column(0), line(0)), 54: (column(1), line(1))}
    for number, part in (_UPPER_LIP | _LOWER_LIP).items():
        rows = np.nonzero(lips[:, round(column(part))])[0]
        edge = rows.min() if number in _UPPER_LIP else rows.max()
        points[number] = (column(part), float(edge))
    points |= {n: (column(part), line(part) - 2 * scale) for n, part in _INNER_UPPER.items()}
    points |= {n: (column(part), line(part) + 3 * scale) for n, part in _INNER_LOWER.items()}
    return points


def _nearest_skin(
    surface: Surface, points: list[tuple[float, float]]
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float64]]:
    """Nearest skin px of source points: triangle, weights in it, and the rest in window px."""
    solid = surface.skin & (surface.inside_mouth < 0.5)
    found = [_nearest(solid, x, y) for x, y in points]
    row, column = np.array(found).T
    offset = (np.array(points) - np.stack([column, row], 1)) / surface.oversampling
    return surface.raster.triangle[row, column], surface.raster.weights[row, column], offset


def _nearest(solid: NDArray[np.bool_], x: float, y: float) -> tuple[int, int]:
    """Row and column of the first px set that is nearest to a point, in squares that grow."""
    reach = 8
    while True:
        top, left = max(0, round(y) - reach), max(0, round(x) - reach)
        bottom, right = max(0, round(y) + reach + 1), max(0, round(x) + reach + 1)
        near = solid[top:bottom, left:right]
        rows, columns = near.nonzero()
        rows, columns = rows + top, columns + left
        distances = (rows - y) ** 2 + (columns - x) ** 2
        everything = near.shape == solid.shape
        if len(rows) and (everything or distances.min() < (reach - 1) ** 2):
            nearest = int(np.argmin(distances))
            return int(rows[nearest]), int(columns[nearest])
        if everything:
            raise ValueError("no px is set")
        reach *= 4
