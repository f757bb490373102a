"""What the camera sees of one head: geometry, skin regions and facial outlines for every pixel.

All images here are "source" images: the padded window of the camera at `oversampling` times its
resolution. The face is painted at this size once, and frames are sampled from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from memaa_lib.synthetic.camera import View
from memaa_lib.synthetic.head import BODY, LEFT_EYE, RIGHT_EYE, load_anatomy, load_head
from memaa_lib.synthetic.identity import Identity
from memaa_lib.synthetic.imaging import Image, blur, enlarge, shrink, smoothstep
from memaa_lib.synthetic.raster import Raster, rasterise, vertex_normals

# How much of the drawn hair thickness a style has; styles that are not named have all.
_STYLE_THICKNESS = {"buzz": 0.25, "receding": 0.6}
_FRINGE_HEIGHT = 7.72  # y in dm on the average head
_MASK_SIDE = 1024  # px of the UV square


@dataclass(frozen=True, eq=False)
class Eyelids:
    """Margins of the lids of one eye in source px, from image left to right."""

    columns: NDArray[np.int64]  # (n,) x
    top: NDArray[np.float32]  # (n,) y of the upper margin
    bottom: NDArray[np.float32]  # (n,) y of the lower margin


class Surface:
    """Geometry of one neutral head in the source image (H, W)."""

    def __init__(self, identity: Identity, view: View, oversampling: int) -> None:
        head, anatomy = load_head(), load_anatomy()
        self.identity, self.view, self.oversampling = identity, view, oversampling
        self.px_per_dm = view.px_per_dm * oversampling
        self.shape = (view.full_height * oversampling, view.full_width * oversampling)
        self.cage = head.shape(identity.shape)  # (V, 3) control vertices
        # (W, 3) subdivided vertices without the volume of the hair, and with it
        self.skull = head.subdivision @ self.cage
        scalp = self._scalp_depth()
        outward = vertex_normals(self.skull, head.quads)
        self.vertices = self.skull + outward * self._hair_volume(scalp)[:, None]
        self.normals = vertex_normals(self.vertices, head.quads)

        self.raster = self._rasterise(self.shape, self.to_source(view.project(self.vertices)))
        columns = [self.vertices, self.normals, scalp[:, None], anatomy.jaw_drop[:, None]]
        seen = self.raster.interpolate(np.concatenate(columns, 1))
        # (H, W, 3) in dm and unit normals; (H, W) dm inside the hair-bearing scalp
        self.position, self.normal = seen[..., :3], unit(seen[..., 3:6])
        self.hair_depth, self._jaw_drop = seen[..., 6], seen[..., 7]
        group = np.where(self.covered, anatomy.triangle_groups[self.raster.triangle], 255)
        self.skin = group == BODY
        self.eye_openings = {eye: group == eye for eye in (LEFT_EYE, RIGHT_EYE)}
        self._read_texture_masks()  # lips, inside_mouth, ears: (H, W) soft masks
        self._find_mouth_line()
        self.eyelids = {eye: _find_eyelids(self.eye_openings[eye]) for eye in self.eye_openings}

    @property
    def covered(self) -> NDArray[np.bool_]:
        """(H, W) where the head is."""
        return self.raster.covered

    def mm(self, length: float) -> float:
        """Convert a length in mm to source px."""
        return length * self.px_per_dm / 100

    def to_source(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Convert px of the padded window to source px (pixel centres at integers in both)."""
        return (points + 0.5) * self.oversampling - 0.5

    def to_window(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Convert source px to px of the padded window."""
        return (points + 0.5) / self.oversampling - 0.5

    def regions(self) -> dict[str, Image]:
        """Soft maps (H, W) of the named regions of the face."""
        anatomy = load_anatomy()
        small = (self.view.full_height, self.view.full_width)
        raster = self._rasterise(small, self.view.project(self.vertices))
        maps = raster.interpolate(np.stack(list(anatomy.regions.values()), 1))
        return {
            name: enlarge(np.ascontiguousarray(maps[..., i]), *self.shape)
            for i, name in enumerate(anatomy.regions)
        }

    def depth_px(self) -> Image:
        """Height towards the camera in px of the padded window, far behind in the background."""
        size = (self.view.full_height, self.view.full_width)
        share = shrink(self.covered.astype(np.float32), *size)
        depth = shrink(self.position[..., 2], *size) / np.maximum(share, 0.5)
        return np.where(share > 0.5, depth, -3).astype(np.float32) * self.view.px_per_dm

    def _rasterise(self, shape: tuple[int, int], points: NDArray[np.floating]) -> Raster:
        points, depth = points.astype(np.float64), self.vertices[:, 2].astype(np.float64)
        return rasterise(points, depth, load_anatomy().triangles, shape)

    def _scalp_depth(self) -> NDArray[np.float32]:
        anatomy, look = load_anatomy(), self.identity.appearance
        x, y, z = anatomy.vertices.T
        depth = anatomy.hair_depth + look.hairline_shift
        if look.hair_style == "receding":
            corners = np.exp(-(((np.abs(x) - 0.38) / 0.2) ** 2)) * (y > 7.6)
            depth = depth - 0.16 * corners - 0.06
        if "fringe" in look.hair_style:
            rng = self.identity.random("fringe")
            sweep, height = rng.uniform(-0.16, 0.16), _FRINGE_HEIGHT + rng.uniform(-0.05, 0.08)
            fringe = 0.9 * (y - height - sweep * x / 0.4 - 0.25 * x**2)
            depth = np.where((np.abs(x) < 0.62) & (z > 0.5), np.maximum(depth, fringe), depth)
        return depth.astype(np.float32)

    def _hair_volume(self, scalp: NDArray[np.float32]) -> NDArray[np.float32]:
        look = self.identity.appearance
        thickness = look.hair_thickness * _STYLE_THICKNESS.get(look.hair_style, 1.0)
        earless = 1 - smoothstep(0.25, 0.5, load_anatomy().regions["ear"])
        return (thickness * smoothstep(0, 0.22, scalp) * earless).astype(np.float32)

    def _read_texture_masks(self) -> None:
        """Look the lips, the inner mouth and the ears up in the mesh's texture masks."""
        seen = self.covered
        corners = load_anatomy().triangle_uv[self.raster.triangle[seen]]
        uv = np.zeros((*self.shape, 2), np.float32)
        weights = self.raster.weights[seen]
        uv[seen] = sum(corners[:, k] * weights[:, k : k + 1] for k in range(3))
        # The masks hold the right half of the UV square; v points up.
        x = uv[..., 0] * _MASK_SIDE - _MASK_SIDE // 2 - 0.5
        y = (1 - uv[..., 1]) * _MASK_SIDE - 0.5
        masks = load_head().masks

        def look_up(name: str) -> Image:
            values = cv2.remap(masks[name], x, y, cv2.INTER_LINEAR, borderValue=0)
            result: Image = values.astype(np.float32) / 255 * self.skin
            return result

        self.lips = look_up("lips")
        self.inside_mouth = look_up("inside_mouth")
        self.ears = look_up("ears")

    def _find_mouth_line(self) -> None:
        """Find where the lips meet: below this line the jaw carries the skin."""
        lips = self.lips > 0.5
        columns, rows = np.nonzero(lips.any(0))[0], np.nonzero(lips.any(1))[0]
        left, right = columns.min(), columns.max()
        top, bottom = rows.min() - 8, rows.max() + 8
        step = np.diff(self._jaw_drop[top:bottom, left : right + 1], axis=0)
        strength = step.max(0)
        clear = strength > 0.35 * np.percentile(strength, 90)
        x = np.arange(left, right + 1)
        y = np.interp(x, x[clear], (top + step.argmax(0) + 0.5)[clear])
        self.mouth_columns = x  # and its row: source px
        self.mouth_rows = blur(y[None].astype(np.float32), 0.75 * self.oversampling)[0]


def unit(vectors: Image) -> Image:
    """Scale vectors along the last axis to length 1 (zero vectors stay zero)."""
    length = np.sqrt(np.einsum("...k,...k->...", vectors, vectors))
    result: Image = vectors / np.maximum(length, 1e-4)[..., None]
    return result


def _find_eyelids(opening: NDArray[np.bool_]) -> Eyelids:
    occupied = np.nonzero(opening.sum(0) > 1)[0]
    columns = np.arange(occupied.min(), occupied.max() + 1)
    inside = opening[:, columns]
    known = inside.any(0)
    top = inside.argmax(0)
    bottom = len(inside) - 1 - inside[::-1].argmax(0)

    def smooth(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        filled = np.interp(columns, columns[known], rows[known])
        result: NDArray[np.float32] = blur(filled[None].astype(np.float32), 2.0)[0]
        return result

    return Eyelids(columns, smooth(top), smooth(bottom))
