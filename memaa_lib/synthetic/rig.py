"""One person in front of one camera: everything that is needed to make frames.

Setting a rig up takes seconds: the neutral face is painted and cut into sheets. Frames then cost
milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from memaa_lib.synthetic.backdrop import Backdrop, paint_backdrop
from memaa_lib.synthetic.camera import Camera, View
from memaa_lib.synthetic.expressions import ACTION_UNITS, action_unit_index
from memaa_lib.synthetic.eyes import paint_eyeball
from memaa_lib.synthetic.glasses import paint_glasses
from memaa_lib.synthetic.head import LEFT_EYE, RIGHT_EYE, load_head
from memaa_lib.synthetic.identity import Identity
from memaa_lib.synthetic.imaging import Image, blur, shrink, smoothstep
from memaa_lib.synthetic.landmarks import LandmarkTracker
from memaa_lib.synthetic.layers import Box, Layer, Motion, rotation
from memaa_lib.synthetic.painting import PaintedFace, paint_face
from memaa_lib.synthetic.sheets import Sheet, SheetCutter
from memaa_lib.synthetic.surface import Surface

# The head turns about the neck joint, relative to the point between the eyes.
_NECK_JOINT = np.array([0.0, -0.95, -0.75])
_PAD_PX = 16  # margin of the window, into which the head may move
_SOURCE_PX_PER_DM = 450  # of the painting: about this fine, but two to four times the frame
_LARGEST_FINE_SCALE = 120  # px per dm up to which every px is a node
# Frames of a gray camera, from linear light (Rec. 709).
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
# For inverting the motion; it swings where lids nearly close, see `layers`.
_FACE_ITERATIONS, _LID_ITERATIONS = 8, 24
_BLINKS = {LEFT_EYE: "AU45L", RIGHT_EYE: "AU45R"}
# Between parted lips, linear RGB.
_CAVITY = np.array([0.030, 0.008, 0.007], np.float32)
_TEETH = np.array([1.0, 0.92, 0.8], np.float32)


class FaceRig:
    """A painted, animatable face; it takes hundreds of MB, so make one, render all its clips, drop it.

    Parameters
    ----------
    identity
        Who, see `sample_identity`.
    camera
        One of `CAMERAS` or your own.

    Attributes
    ----------
    identity, camera
        As given.
    view
        The camera's view of the head.
    peaks
        (K,) largest displacement in px for a full action unit, one for each of `ACTION_UNITS`.
    blink_closure
        (K,) action unit weights that close both eyes.
    face_mask
        (h, w) where the neutral's window shows skin or hair of the head.
    backdrop
        Wall and clothing.
    """

    def __init__(self, identity: Identity, camera: Camera) -> None:
        self.identity, self.camera = identity, camera
        eyes = self._look_at_face()
        self.pivot = eyes + _NECK_JOINT
        fine = self.view.px_per_dm <= _LARGEST_FINE_SCALE
        self._step = 1 if fine else 2
        oversampling = int(np.clip(round(_SOURCE_PX_PER_DM / self.view.px_per_dm), 2, 4))
        surface = Surface(identity, self.view, oversampling)
        painted = paint_face(surface)
        colour = np.asarray(identity.lighting.colour, np.float32) * identity.lighting.exposure
        colour = colour.astype(np.float32)
        self._to_camera = (colour * _LUMA)[:, None] if camera.gray else np.diag(colour)
        self._white = self._to_camera.sum(0)
        self._tracker = LandmarkTracker(surface, painted.brow_tops, self.pivot, float(eyes[1]))
        self._cut(surface, painted, float(eyes[1]))
        self.backdrop = self._see_backdrop(paint_backdrop(identity, camera, self.view, surface))

    def _look_at_face(self) -> NDArray[np.float64]:
        """Choose the view and return the point between the eyes."""
        head, camera = load_head(), self.camera
        cage = head.shape(self.identity.shape)
        centres = [cage[head.eye_vertices(eye)].mean(0) for eye in (LEFT_EYE, RIGHT_EYE)]
        eyes = np.mean(centres, 0).astype(np.float64)
        x, y, z = (head.subdivision @ cage).T
        # the lowest point of the middle of the face; neck and body are left out
        chin = y[(np.abs(x) < 0.05) & (y > eyes[1] - 1.5) & (z > eyes[2] - 0.3)].min()
        _, _, height, width = camera.head_window
        scale = float(camera.face_fraction * height / (eyes[1] - chin))
        middle = float(eyes[1] - (0.5 - camera.eye_row) * height / scale)
        self.view = View(height, width, _PAD_PX, (0.0, middle, float(eyes[2] + 0.1)), scale)
        result: NDArray[np.float64] = eyes
        return result

    # ---------------------------------------------------------------- setting up
    def _cut(self, surface: Surface, painted: PaintedFace, eye_height: float) -> None:
        # lids first: the face is cut open where they are
        cutter = SheetCutter(surface, painted, self._step, eye_height)
        lids = {eye: cutter.upper_lid(eye) for eye in _BLINKS}
        face, lip = cutter.face(lids), cutter.lower_lip()
        colour = painted.colour @ self._to_camera
        self._face = self._layer(face, colour, surface)
        self._lip = self._layer(lip, colour, surface)
        self._lids = {eye: self._layer(sheet, colour, surface) for eye, sheet in lids.items()}
        self._eyeballs = {
            eye: _Eyeball(self, surface, lids[eye].box, eye, self._step) for eye in _BLINKS
        }
        glasses = paint_glasses(surface)
        self._glasses = None
        if glasses is not None:
            motion = _rigid(self.view, cutter.shape, self._step, glasses.depth)
            sheet = Sheet(face.box, glasses.alpha, motion)
            self._glasses = self._layer(sheet, glasses.colour @ self._to_camera, surface)
        self._paint_mouth_cavity(surface)
        mask = cv2.resize(cutter.face_mask.astype(np.float32), None, fx=self._step, fy=self._step)
        self.face_mask = self._window(mask) > 0.5
        sheets = (face, lip, *lids.values())
        known = [cutter.skin[sheet.box.nodes] for sheet in sheets]
        moved = [
            sheet.motion.displacement[:, nodes] for sheet, nodes in zip(sheets, known, strict=True)
        ]
        self._skin_motion = np.ascontiguousarray(np.concatenate(moved, axis=1)[:, ::2])
        self.peaks = np.sqrt(_squared(self._skin_motion).max(1)).astype(np.float64)
        self.blink_closure = np.zeros(len(ACTION_UNITS))
        for eye, unit in _BLINKS.items():
            index = action_unit_index(unit)
            self.blink_closure[index] = _closing_weight(cutter, face, lids[eye], eye, index)

    def _layer(self, sheet: Sheet, colour: Image, surface: Surface) -> Layer:
        per_node = self._step * surface.oversampling
        source = np.empty((*sheet.alpha.shape, colour.shape[2] + 1), np.float32)
        source[..., -1] = sheet.alpha
        # premultiplied: the lens's blur mixes no colour in from where the sheet is not
        source[..., :-1] = colour[sheet.box.scaled(per_node)] * sheet.alpha[..., None]
        source = blur(source, self.camera.blur_px * surface.oversampling)
        return Layer(
            self.view,
            self._step,
            surface.oversampling,
            sheet.box,
            source,
            sheet.motion,
            self.pivot,
            self._white,
        )

    def _paint_mouth_cavity(self, surface: Surface) -> None:
        """Paint what shows between parted lips: a dark cavity and a row of teeth."""
        rows, columns = self._lip.window
        scale = self.view.px_per_dm
        y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + self.view.pad
        x = np.arange(columns.start, columns.stop, dtype=np.float32) + self.view.pad
        line_x = surface.to_window(surface.mouth_columns)
        line_y = np.interp(x, line_x, surface.to_window(surface.mouth_rows))
        below = (y - line_y) / scale  # dm below the line between the lips
        # soft at the corners of the mouth, from just above the line to the lower lip
        alpha = smoothstep(0, 0.03, (x - line_x[0]) / scale)
        alpha = alpha * smoothstep(0, 0.03, (line_x[-1] - x) / scale)
        alpha = alpha * smoothstep(-0.08, -0.04, below) * smoothstep(0.32, 0.26, below)
        teeth = 0.05 * self.identity.lighting.ambient * np.exp(-(((below + 0.005) / 0.03) ** 2))
        colour = (_CAVITY + teeth[..., None] * _TEETH) @ self._to_camera
        alpha = alpha.astype(np.float32)
        self._cavity = [*(_planes(colour.astype(np.float32)) * alpha), alpha]

    def _see_backdrop(self, backdrop: Backdrop) -> Backdrop:
        wall, clothing = (c @ self._to_camera for c in (backdrop.wall, backdrop.clothing))
        return Backdrop(wall, clothing, backdrop.clothing_alpha)

    def _window(self, image: Image) -> Image:
        """Cut the window out of an image with margin."""
        view = self.view
        return image[view.pad : view.pad + view.height, view.pad : view.pad + view.width]

    # ---------------------------------------------------------------- frames
    def frames(
        self, weights: NDArray[np.float64], pose: NDArray[np.float64], gaze: NDArray[np.float64]
    ) -> Iterator[Image]:
        """Render the window frame by frame, as linear light (3, h, w), or (1, h, w) for a gray camera.

        `weights` (T, K) are of action units, `pose` (T, 6) is yaw, pitch, roll in radians and shift
        x, y, z in dm, `gaze` (T, 2) the shift of the eyeballs' front in dm, right and down in the
        image.
        """
        rows, columns = self._window_in_frame
        wall = _planes(self.backdrop.wall[rows, columns])
        clothing, cloth_rows = self._clothing_in_window()
        mouth = (slice(None), *self._lip.window)
        areas = [(slice(None), *layer.window) for layer in self._lids.values()]

        faces = self._face.render(weights, pose, _FACE_ITERATIONS)
        lips = self._lip.render(weights, pose, _FACE_ITERATIONS)
        lids = [layer.render(weights, pose, _LID_ITERATIONS) for layer in self._lids.values()]
        balls = [ball.render(pose, gaze) for ball in self._eyeballs.values()]
        glasses = self._glasses and self._glasses.render(0 * weights, pose, _FACE_ITERATIONS)
        for face in faces:  # back to front
            image = wall.copy()
            _lay_over(image[mouth], self._cavity)
            _lay_over(image[mouth], next(lips))
            _lay_over(image, face)
            for area, lid, ball in zip(areas, lids, balls, strict=True):
                self._add_eye(
                    image[area], [plane[area[1:]] for plane in face], next(lid), next(ball)
                )
            if glasses:
                _lay_over(image, next(glasses))
            if cloth_rows.start < cloth_rows.stop:
                _lay_over(image[:, cloth_rows], clothing)
            yield np.maximum(image, 0, out=image)

    def _clothing_in_window(self) -> tuple[list[Image], slice]:
        """Planes of the clothing, and the rows of the window that it reaches."""
        rows, columns = self._window_in_frame
        alpha = self.backdrop.clothing_alpha[rows, columns]
        reached = np.nonzero(alpha.max(1) > 0)[0]
        inside = slice(int(reached[0]) if len(reached) else len(alpha), len(alpha))
        colour = _planes(self.backdrop.clothing[rows, columns][inside])
        return [*colour, np.ascontiguousarray(alpha[inside])], inside

    @property
    def _window_in_frame(self) -> tuple[slice, slice]:
        top, left, height, width = self.camera.head_window
        return slice(top, top + height), slice(left, left + width)

    def _add_eye(
        self, image: Image, face: list[Image], lid: list[Image], ball: list[Image]
    ) -> None:
        """Put the eyeball behind the face and the lid before it; the lids shade the eyeball."""
        cover = 1 - (1 - face[-1]) * (1 - lid[-1])
        # the lids' shadow falls a little below them
        drop = round(0.018 * self.view.px_per_dm)
        cover = np.concatenate([np.repeat(cover[:1], drop, 0), cover[: len(cover) - drop]])
        shade = np.clip(1.12 - 0.85 * blur(cover, 0.022 * self.view.px_per_dm), 0.12, 1)
        seen = shade * (1 - face[-1])
        for plane, skin, eyeball in zip(image, face[:-1], ball, strict=True):
            plane[...] = skin + seen * eyeball
        _lay_over(image, lid)

    # ---------------------------------------------------------------- ground truth
    def landmarks(
        self, weights: NDArray[np.float64], pose: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Exact landmarks (T, 68, 2) in px of the frame."""
        top, left, _, _ = self.camera.head_window
        points = self._tracker.track(weights, pose) + np.array([left, top])
        result: NDArray[np.float32] = points.astype(np.float32)
        return result

    def peak_motion(self, weights: NDArray[np.float64]) -> float:
        """Largest displacement in px of the still head's face for action units (K,)."""
        moved = np.tensordot(weights.astype(np.float32), self._skin_motion, 1)
        return float(np.sqrt(_squared(moved).max()))

    def flow_from_neutral(
        self, weights: NDArray[np.float64], pose: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Displacement (T, h, w, 2) in px from the neutral face, on its own window.

        It is carried on smoothly where there is no face, see `face_mask`.
        """
        layers = (self._face, self._lip, *self._lids.values())
        return np.stack(
            [
                self._blended([field for field, _ in fields])
                for fields in zip(*(layer.fields(weights, pose) for layer in layers), strict=True)
            ]
        )

    def _blended(self, fields: list[Image]) -> Image:
        """Combine the motion of the sheets by what is seen of each."""
        size = (self.view.full_width, self.view.full_height)
        flow = cv2.resize(fields[0], size, interpolation=cv2.INTER_LINEAR)
        face_alpha = self._alpha(self._face)
        for layer, field in zip((self._lip, *self._lids.values()), fields[1:], strict=True):
            area = flow[layer.box.scaled(self._step)]
            own = cv2.resize(field, area.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            hidden = 1 - smoothstep(0.4, 0.6, face_alpha[layer.box.scaled(self._step)])
            share = (smoothstep(0.4, 0.6, self._alpha(layer)) * hidden)[..., None]
            area += (share * (own - area)).astype(np.float32)
        return self._window(flow)

    def _alpha(self, layer: Layer) -> Image:
        rows, columns = layer.motion.follows.shape
        return shrink(layer.source[..., -1], rows * self._step, columns * self._step)


class _Eyeball:
    """An eyeball behind the lids: it moves as a whole."""

    def __init__(self, rig: FaceRig, surface: Surface, box: Box, eye: int, step: int) -> None:
        per_node = step * surface.oversampling
        ball = paint_eyeball(surface, eye)
        rows, columns = box.scaled(per_node)
        n_channels = rig._to_camera.shape[1]
        canvas = np.zeros((*surface.shape, n_channels), np.float32)
        height, width = ball.colour.shape[:2]
        patch = np.s_[ball.top : ball.top + height, ball.left : ball.left + width]
        canvas[patch] = ball.colour @ rig._to_camera
        canvas = np.ascontiguousarray(canvas[rows, columns])
        self._source = blur(canvas, rig.camera.blur_px * surface.oversampling)
        self._source = self._source.reshape(canvas.shape)
        vertices = surface.cage[load_head().eye_vertices(eye)]
        # a point before the middle, as the front of the eyeball is what is seen
        self._centre = (vertices.max(0) + vertices.min(0)) / 2 + [0, 0, 0.1]
        layer = rig._lids[eye]
        self._grid, self._oversampling = layer._grid, surface.oversampling
        self._view, self._pivot = rig.view, rig.pivot

    def render(self, pose: NDArray[np.float64], gaze: NDArray[np.float64]) -> Iterator[list[Image]]:
        """Planes of the eyeball, frame by frame."""
        start = self._view.project(self._centre)
        for one_pose, one_gaze in zip(pose, gaze, strict=True):
            turned = rotation(*one_pose[:3]) @ (self._centre - self._pivot) + self._pivot
            shift = self._view.project(turned + one_pose[3:]) - start
            shift = (shift + one_gaze * self._view.px_per_dm) * self._oversampling
            at = self._grid - shift.astype(np.float32)
            yield list(cv2.split(cv2.remap(self._source, at, None, cv2.INTER_LINEAR)))


def _lay_over(image: Image, layer: list[Image]) -> None:
    """Lay the planes of a premultiplied layer over those of an image, in place."""
    *colours, alpha = layer
    rest = 1 - alpha
    for plane, colour in zip(image, colours, strict=True):
        plane *= rest
        plane += colour


def _planes(image: Image) -> Image:
    """(h, w, C) as (C, h, w)."""
    return np.ascontiguousarray(np.moveaxis(image, 2, 0))


def _rigid(view: View, nodes: tuple[int, int], step: int, depth: float) -> Motion:
    """Motion of something stiff at one depth that is fixed to the head."""
    y, x = (np.mgrid[0 : nodes[0], 0 : nodes[1]] + 0.5) * step - 0.5
    scale = float(view.magnification(np.array(depth)))
    across = (x - (view.full_width - 1) / 2) / scale + view.centre[0]
    up = ((view.full_height - 1) / 2 - y) / scale + view.centre[1]
    still = np.broadcast_to(np.float32(0), (len(ACTION_UNITS) + 3, *nodes, 2))
    return Motion(
        position=np.dstack([across, up, np.full(nodes, depth)]).astype(np.float32),
        displacement=still[3:],
        shading=still,
        follows=np.ones(nodes, np.float32),
    )


def _squared(vectors: Image) -> Image:
    result: Image = np.einsum("...k,...k->...", vectors, vectors)
    return result


def _closing_weight(cutter: SheetCutter, face: Sheet, lid: Sheet, eye: int, index: int) -> float:
    """Weight at which the margins of the lids meet in the middle of the eye."""
    lids, per_node = cutter.surface.eyelids[eye], cutter.per_node
    middle = (lids.columns[0] + lids.columns[-1]) / 2
    top = float(np.interp(middle, lids.columns, lids.top)) / per_node
    bottom = float(np.interp(middle, lids.columns, lids.bottom)) / per_node
    column = int(middle / per_node)
    upper = lid.motion.displacement[
        index, max(0, int(top - 1) - lid.box.top), column - lid.box.left, 1
    ]
    lower = face.motion.displacement[index, int(bottom) + 1, column, 1]
    # the upper margin comes down by `upper` px for a full unit, the lower by `lower`
    gap_px = (bottom - top) * cutter.step
    return float(np.clip(gap_px / max(upper - lower, 1.0), 0.3, 1.2))
