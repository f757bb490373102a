"""Cutting the painted face into sheets, so that lids can close and lips can part.

The face itself, the two upper lids and the lower lip are sheets of their own. Each has an alpha
mask in the source image and takes its motion from the skin that belongs to it; beyond its margin
the motion is carried on, so that the map never folds.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from memaa_lib.synthetic.camera import CAMERA_DISTANCE_DM
from memaa_lib.synthetic.expressions import ACTION_UNITS, action_unit_shifts, fold_slopes
from memaa_lib.synthetic.head import BODY, load_anatomy, load_head
from memaa_lib.synthetic.imaging import Image, blur, fill_smoothly, shrink, smoothstep
from memaa_lib.synthetic.layers import Box, Motion, rotation
from memaa_lib.synthetic.lighting import diffuse, specular
from memaa_lib.synthetic.painting import BROAD_LOBE, BROAD_STRENGTH, PaintedFace
from memaa_lib.synthetic.raster import rasterise, vertex_normals
from memaa_lib.synthetic.surface import Surface, unit

# Light is linear in the action units: its change is measured at this weight.
_SHADING_WEIGHT = 0.15
_NORMAL_WEIGHT = 0.25  # the same for the normals, which have to be made anew of a moved mesh
_LARGEST_SHADING = 6.0  # where next to no light falls, a relative change would have no bound
# Heights over the eyes (dm) at which a node follows the head by these shares.
_FOLLOW_HEIGHTS, _FOLLOW_SHARES = (-2.2, -1.45, -1.0), (0.0, 0.35, 1.0)


def follows_head(height_over_eyes: NDArray[np.floating]) -> NDArray[np.floating]:
    """Share of the head's motion that neck and shoulders take part in."""
    result: NDArray[np.floating] = np.interp(height_over_eyes, _FOLLOW_HEIGHTS, _FOLLOW_SHARES)
    return result


@dataclass(frozen=True, eq=False)
class Sheet:
    """One sheet before it becomes a layer."""

    box: Box  # nodes that it occupies
    alpha: Image  # (h, w) source px of the box
    motion: Motion


class SheetCutter:
    """Cut the sheets of one painted face.

    `step` is in window px between nodes, `eye_height` y of the eyes in dm. `skin` (h, w) tells
    which nodes show skin.
    """

    def __init__(
        self, surface: Surface, painted: PaintedFace, step: int, eye_height: float
    ) -> None:
        self.surface, self.painted, self.step, self.eye_height = surface, painted, step, eye_height
        self.per_node = step * surface.oversampling
        height, width = surface.shape
        self.shape = (height // self.per_node, width // self.per_node)
        self.rows = (np.arange(self.shape[0])[:, None] + 0.5) * self.per_node - 0.5
        self.columns = (np.arange(self.shape[1])[None] + 0.5) * self.per_node - 0.5
        self._fields()
        # from the line between the lips to the lower edge; a stray px does not count
        lips = np.nonzero((surface.lips > 0.5).any(1))[0]
        bottom = np.percentile(lips, 99) - surface.mouth_rows.mean()
        self.lip_height = max(0.08 * surface.px_per_dm, float(bottom))

    def face(self, lids: dict[int, Sheet]) -> Sheet:
        """Cut the face, with holes where lids and lower lip are sheets of their own."""
        surface, alpha = self.surface, self.painted.alpha.copy()
        known = self.skin.copy()
        for eye in lids:
            self._open_lid(alpha, eye)
            # nodes of the lid: their motion is the lid's own, and the face must not take it over
            margins = surface.eyelids[eye]
            x = self.columns
            top = np.interp(x, margins.columns, margins.top)
            middle = np.interp(x, margins.columns, (margins.top + margins.bottom) / 2)
            beside = (x > margins.columns[0]) & (x < margins.columns[-1])
            lid = (self.rows <= middle) & (self.rows > top - 0.25 * self._lid_height)
            known &= ~(beside & lid)
        # The hole for the lower lip ends before that sheet does, so that no gap opens between them.
        below, ends = self._below_mouth(slice(None), slice(None), 0.02, 0.10)
        covered = 1 - smoothstep(
            0.35 * self.lip_height, self.lip_height + 0.04 * surface.px_per_dm, below
        )
        alpha *= 1 - ends * np.clip(below + 0.5, 0, 1) * covered
        # below the line between the lips the jaw moves the skin
        gap = self.rows - self._mouth_row(self.columns)
        near = (gap > -0.4 * surface.oversampling) & (gap < 0.6 * self.lip_height)
        known &= ~(self._in_mouth() & near)
        box = Box(0, self.shape[0], 0, self.shape[1])
        motion = self._extended(known, box)
        sigma = max(0.7, 1.1 / self.step)  # regularises depth edges such as chin against neck
        displacement = np.stack([blur(field, sigma) for field in motion.displacement])
        return Sheet(box, alpha, _replaced(motion, displacement))

    def lower_lip(self) -> Sheet:
        """Cut the lower lip and the skin just below it."""
        surface, px = self.surface, self.surface.px_per_dm
        x, y = surface.mouth_columns, surface.mouth_rows
        box = self._box(
            y.min() - 0.10 * px,
            y.max() + self.lip_height + 0.32 * px,
            x[0] - 0.22 * px,
            x[-1] + 0.22 * px,
        )
        below, ends = self._below_mouth(*box.scaled(self.per_node), -0.10, 0.01)
        end = 1 - smoothstep(self.lip_height + 0.08 * px, self.lip_height + 0.18 * px, below)
        alpha = self.painted.alpha[box.scaled(self.per_node)] * np.clip(below + 0.5, 0, 1) * end
        gap = self.rows - self._mouth_row(self.columns)
        in_mouth = self._in_mouth()
        known = self.skin & ((gap > 0.4 * surface.oversampling) | ~in_mouth)
        motion = self._extended(known, box)
        # above its margin the lip's motion is carried straight up
        margin = np.ceil(self._to_node(self._mouth_row(self.columns)) + 0.6)
        first = np.where(in_mouth, margin, 0)[0, box.left : box.right].astype(int) - box.top
        rows = np.maximum(np.arange(box.bottom - box.top)[:, None], first[None])
        displacement = _carried(motion.displacement, rows)
        displacement = _smoothed(displacement, max(0.7, 1.0 / self.step), 0.4)
        return Sheet(box, (alpha * ends).astype(np.float32), _replaced(motion, displacement))

    def upper_lid(self, eye: int) -> Sheet:
        """Cut an upper lid; below its margin the motion is carried straight down."""
        surface, px = self.surface, self.surface.px_per_dm
        lids = surface.eyelids[eye]
        box = self._box(
            lids.top.min() - self._lid_height - 0.10 * px,
            lids.bottom.max() + 0.12 * px,
            lids.columns[0] - 0.15 * px,
            lids.columns[-1] + 0.15 * px,
        )
        # the sheet goes beyond the corners of the eye, and further up than the hole in the face
        above, upper, ends = self._above_margin(eye, box, -0.09, -0.03)
        fade = 1 - smoothstep(0.60 * self._lid_height, 0.98 * self._lid_height, above)
        alpha = self.painted.alpha[box.scaled(self.per_node)] * upper * fade * ends
        margin = np.interp(self.columns, lids.columns, lids.top)
        motion = self._extended(self.skin & (self.rows < margin - 0.1 * surface.oversampling), box)
        # a smooth fill would fold the map here when the lid closes, and give it a ragged edge
        last = np.floor(self._to_node(margin) - 0.6)[0, box.left : box.right].astype(int) - box.top
        rows = np.minimum(np.arange(box.bottom - box.top)[:, None], last[None])
        # Lid margins are foreshortened: iron out the steps of the raster along the lid.
        sigma = 0.014 * surface.view.px_per_dm / self.step
        displacement = _smoothed(_carried(motion.displacement, rows), sigma, 0.35 * sigma)
        shading = _carried(motion.shading, rows)
        return Sheet(box, alpha.astype(np.float32), _replaced(motion, displacement, shading))

    @property
    def _lid_height(self) -> float:
        return 0.105 * self.surface.px_per_dm  # above the margin, in source px

    def _fields(self) -> None:
        """Position, displacement and shading at the nodes that show skin."""
        surface, view, painted = self.surface, self.surface.view, self.painted
        head, anatomy = load_head(), load_anatomy()
        vertices, normals = surface.vertices, surface.normals
        skin_triangles = anatomy.triangles[anatomy.triangle_groups == BODY]
        at = (surface.to_source(view.project(vertices)) + 0.5) / self.per_node - 0.5
        raster = rasterise(
            at.astype(np.float64), vertices[:, 2].astype(np.float64), skin_triangles, self.shape
        )
        columns = [vertices, normals, anatomy.vertices]
        for shift in action_unit_shifts(surface.identity):
            moved = head.subdivision @ shift
            turned = vertex_normals(vertices + _NORMAL_WEIGHT * moved, head.quads) - normals
            columns += [moved, turned / _NORMAL_WEIGHT]
        seen = raster.interpolate(np.concatenate(columns, 1))
        self.position = np.ascontiguousarray(seen[..., :3])
        normal, template = unit(seen[..., 3:6]), np.ascontiguousarray(seen[..., 6:9])
        moved = seen[..., 9:].reshape(*self.shape, len(ACTION_UNITS), 2, 3)

        openings = np.logical_or(*surface.eye_openings.values()).astype(np.float32)
        self.openings = shrink(openings, *self.shape)
        inside = shrink(surface.inside_mouth, *self.shape)
        # only what is nothing but skin says how skin moves; the mask is for what is seen
        self.skin = raster.covered & (self.openings < 0.02) & (inside < 0.3)
        self.face_mask = raster.covered & (self.openings < 0.5)
        self._shade = _Shading(surface, painted, normal, self.shape)
        folds = fold_slopes(template, view.px_per_dm / self.step, surface.identity)
        self.displacement = np.zeros((len(ACTION_UNITS), *self.shape, 2), np.float32)
        self.shading = np.zeros((len(ACTION_UNITS) + 3, *self.shape, 2), np.float32)
        for index in range(len(ACTION_UNITS)):
            self.displacement[index] = self._projected(moved[:, :, index, 0])
            turn = moved[:, :, index, 1].copy()
            if index in folds:
                turn[..., :2] += folds[index]
            self.shading[index] = self._shade.change(
                unit(normal + _SHADING_WEIGHT * turn), _SHADING_WEIGHT
            )
        angle = np.radians(1.0)  # small, as the change is taken as linear
        for axis in range(3):
            turn = rotation(*(angle * (np.arange(3) == axis))).astype(np.float32)
            self.shading[len(ACTION_UNITS) + axis] = self._shade.change(normal @ turn.T, angle)

    def _projected(self, shift: Image) -> Image:
        """Displacement in px of the padded window for a small shift in dm."""
        view = self.surface.view
        scale = view.magnification(self.position[..., 2])
        centred = self.position - np.asarray(view.centre, np.float32)
        # what comes nearer also moves away from the middle of the image
        towards = scale**2 / (view.px_per_dm * CAMERA_DISTANCE_DM) * shift[..., 2]
        across = scale * shift[..., 0] + towards * centred[..., 0]
        down = -scale * shift[..., 1] - towards * centred[..., 1]
        return np.dstack([across, down]).astype(np.float32)

    def _extended(self, known: NDArray[np.bool_], box: Box) -> Motion:
        """Motion inside the box, extended smoothly from the known nodes."""
        n_units = len(self.displacement)
        inside = box.nodes
        bases = np.concatenate([self.displacement, self.shading])[:, inside[0], inside[1]]
        channels = np.moveaxis(bases, 0, 2).reshape(*bases.shape[1:3], -1)
        stack = np.concatenate([self.position[inside], channels], 2)
        filled = fill_smoothly(stack, known[inside])
        bases = filled[..., 3:].reshape(*filled.shape[:2], -1, 2)
        bases = np.ascontiguousarray(np.moveaxis(bases, 2, 0))
        sigma = max(0.5, 1.0 / self.step)
        shading = np.stack([blur(field, sigma) for field in bases[n_units:]])
        position = np.ascontiguousarray(filled[..., :3])
        follows = follows_head(position[..., 1] - self.eye_height).astype(np.float32)
        return Motion(position, bases[:n_units].copy(), shading, follows)

    def _box(self, top: float, bottom: float, left: float, right: float) -> Box:
        """Nodes that cover an area in source px."""
        return Box(
            max(0, int(top / self.per_node)),
            min(self.shape[0], int(np.ceil(bottom / self.per_node))),
            max(0, int(left / self.per_node)),
            min(self.shape[1], int(np.ceil(right / self.per_node))),
        )

    def _to_node(self, source: NDArray[np.floating]) -> NDArray[np.floating]:
        return (source + 0.5) / self.per_node - 0.5

    def _mouth_row(self, columns: NDArray[np.floating]) -> NDArray[np.floating]:
        result: NDArray[np.floating] = np.interp(
            columns, self.surface.mouth_columns, self.surface.mouth_rows
        )
        return result

    def _in_mouth(self) -> NDArray[np.bool_]:
        x = self.surface.mouth_columns
        result: NDArray[np.bool_] = (self.columns > x[0]) & (self.columns < x[-1])
        return result

    def _below_mouth(
        self, rows: slice, columns: slice, start_dm: float, full_dm: float
    ) -> tuple[Image, Image]:
        """Distance below the mouth line in source px, and a window that ends at its corners."""
        surface, px = self.surface, self.surface.px_per_dm
        x = np.arange(surface.shape[1], dtype=np.float32)[columns]
        y = np.arange(surface.shape[0], dtype=np.float32)[rows]
        below = y[:, None] - self._mouth_row(x)[None].astype(np.float32)
        left, right = surface.mouth_columns[[0, -1]]
        ends = smoothstep(left + start_dm * px, left + full_dm * px, x)
        ends = ends * smoothstep(right - start_dm * px, right - full_dm * px, x)
        return below, ends[None].astype(np.float32)

    def _above_margin(
        self, eye: int, box: Box, start_dm: float, full_dm: float
    ) -> tuple[Image, NDArray[np.bool_], Image]:
        """Distance above the upper margin, where the upper half of the eye is, and its ends."""
        px, lids = self.surface.px_per_dm, self.surface.eyelids[eye]
        rows, columns = box.scaled(self.per_node)
        x = np.arange(columns.start, columns.stop, dtype=np.float32)
        y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
        top = np.interp(x, lids.columns, lids.top).astype(np.float32)
        bottom = np.interp(x, lids.columns, lids.bottom).astype(np.float32)
        left, right = lids.columns[[0, -1]]
        ends = smoothstep(left + start_dm * px, left + full_dm * px, x)
        ends = ends * smoothstep(right - start_dm * px, right - full_dm * px, x)
        return top[None] - y, y < (top + bottom)[None] / 2, ends[None].astype(np.float32)

    def _open_lid(self, alpha: Image, eye: int) -> None:
        """Cut the part of the face away that the lid shows as a sheet of its own."""
        lids, px = self.surface.eyelids[eye], self.surface.px_per_dm
        box = self._box(
            lids.top.min() - self._lid_height,
            lids.bottom.max(),
            lids.columns[0] - 0.15 * px,
            lids.columns[-1] + 0.15 * px,
        )
        above, upper, ends = self._above_margin(eye, box, 0.01, 0.06)
        hole = 1 - smoothstep(0.20 * self._lid_height, 0.55 * self._lid_height, above)
        alpha[box.scaled(self.per_node)] *= 1 - ends * hole * upper


class _Shading:
    """Light at the nodes and how it changes when the normals turn."""

    def __init__(
        self, surface: Surface, painted: PaintedFace, normal: Image, shape: tuple[int, int]
    ) -> None:
        self.lighting = surface.identity.lighting
        self.occlusion = shrink(painted.occlusion, *shape)
        self.shadow = shrink(painted.shadow, *shape)
        self.gloss = BROAD_STRENGTH * shrink(painted.oil, *shape) * self.occlusion
        self.bare = 1 - shrink(painted.hair_alpha, *shape)
        self.neutral = self._light(normal)

    def change(self, normal: Image, amount: float) -> Image:
        """Relative change of diffuse and change of specular light (h, w, 2), for a unit."""
        lit, shine = self._light(normal)
        neutral_lit, neutral_shine = self.neutral
        relative = 0.9 * (lit / np.maximum(neutral_lit, 0.02) - 1)
        change = np.dstack([relative, shine - neutral_shine]) / amount
        change = np.clip(change, -_LARGEST_SHADING, _LARGEST_SHADING)
        result: Image = (change * self.bare[..., None]).astype(np.float32)
        return result

    def _light(self, normal: Image) -> tuple[Image, Image]:
        lit = diffuse(normal, self.lighting, self.occlusion, self.shadow)
        return lit, specular(normal, self.lighting, self.shadow, BROAD_LOBE) * self.gloss


def _replaced(
    motion: Motion,
    displacement: NDArray[np.float32],
    shading: NDArray[np.float32] | None = None,
) -> Motion:
    shading = motion.shading if shading is None else shading
    return Motion(motion.position, displacement, shading, motion.follows)


def _carried(fields: NDArray[np.float32], rows: NDArray[np.integer]) -> NDArray[np.float32]:
    """Take every node's value from the given row of its column."""
    rows = np.clip(rows, 0, fields.shape[1] - 1)
    return np.ascontiguousarray(fields[:, rows, np.arange(fields.shape[2])[None]])


def _smoothed(fields: NDArray[np.float32], sigma_x: float, sigma_y: float) -> NDArray[np.float32]:
    def smooth(field: Image) -> Image:
        result: Image = cv2.GaussianBlur(
            field, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y, borderType=cv2.BORDER_REPLICATE
        )
        return result

    return np.stack([smooth(field) for field in fields])
