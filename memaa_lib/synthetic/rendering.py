"""Rendering a planned clip, with its ground truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError
from memaa_lib.synthetic.expressions import ACTION_UNITS
from memaa_lib.synthetic.imaging import Image
from memaa_lib.synthetic.planning import ClipPlan
from memaa_lib.synthetic.rig import FaceRig
from memaa_lib.synthetic.sensor import Sensor

_INVERSE_ITERATIONS = 10


@dataclass(frozen=True, eq=False)
class RenderedClip:
    """A clip with its ground truth.

    Attributes
    ----------
    frames
        (T, H, W, 3) RGB or (T, H, W) gray, uint8.
    landmarks
        (T, 68, 2) float32 px, exact.
    action_unit_weights
        (T, K) float64, everything that moved the face, blinks included.
    action_units
        Names of the K columns.
    active_units
        Names of those that belong to the expression.
    peak_px
        Largest motion of the expression at the apex, times the motion gain.
    blink
        (T,) 0 open to 1 closed.
    pose
        (T, 6) yaw, pitch, roll in radians and shift in dm.
    gaze
        (T, 2) shift of the eyeballs in dm.
    label, shown_label, emotion
        Class of the clip, class that the face shows, and emotion.
    onset, apex, offset
        Frame indices.
    fps
        Frames a second.
    """

    frames: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    action_unit_weights: NDArray[np.float64]
    action_units: tuple[str, ...]
    active_units: tuple[str, ...]
    peak_px: float
    blink: NDArray[np.float64]
    pose: NDArray[np.float64]
    gaze: NDArray[np.float64]
    label: str
    shown_label: str
    emotion: str
    onset: int
    apex: int
    offset: int
    fps: float


def clip_weights(rig: FaceRig, plan: ClipPlan, motion_gain: float = 1.0) -> NDArray[np.float64]:
    """Return the weights (T, K) of a clip: muscles times the gain, and blinks."""
    return motion_gain * (plan.expression + plan.idle) + plan.blink[:, None] * rig.blink_closure


def render_clip(
    rig: FaceRig,
    plan: ClipPlan,
    *,
    noise: bool = True,
    motion_gain: float = 1.0,
    key_frames: int | None = None,
) -> RenderedClip:
    """Render a clip, as the example of `memaa_lib.synthetic` does.

    Parameters
    ----------
    rig
        Who and before which camera.
    plan
        What happens, see `plan_clip`.
    noise
        Whether sensor noise and flicker are added.
    motion_gain
        Factor on the muscles' departure from the onset frame: 1 + alpha gives the clip that motion
        magnification by alpha should give. Head drift and blinks are left as they are.
    key_frames
        Render only so many frames, first, apex and last among them, and blend the light of those
        between from their neighbours: several times faster, and nearly the same where the motion
        from one to the next is far below a pixel. None renders every frame.

    Returns
    -------
    RenderedClip

    Raises
    ------
    memaa_lib.InputError
        If the gain is negative or not a number, or there are fewer than three key frames.
    """
    if not 0 <= motion_gain < np.inf:
        raise InputError(f"motion_gain must be 0 or more, got {motion_gain!r}")
    if key_frames is not None and key_frames < 3:
        raise InputError(f"key_frames must be 3 or more, or None for all; got {key_frames}")
    weights = clip_weights(rig, plan, motion_gain)
    person, backdrop = rig.identity, rig.backdrop
    surroundings = backdrop.wall * (1 - backdrop.clothing_alpha[..., None]) + backdrop.clothing
    pattern_key = ("pattern", person.dataset, person.subject, person.seed)
    sensor = Sensor(
        rig.camera, surroundings, plan.noise if noise else 0.0, plan.noise_key, pattern_key
    )
    if key_frames is None:
        images = rig.frames(weights, plan.pose, plan.gaze)
    else:
        keys = _spread(plan, key_frames)
        images = _blended(rig.frames(weights[keys], plan.pose[keys], plan.gaze[keys]), keys)
    frames = sensor.expose(images, plan.flicker)
    return RenderedClip(
        frames=frames,
        landmarks=rig.landmarks(weights, plan.pose),
        action_unit_weights=weights,
        action_units=ACTION_UNITS,
        active_units=plan.active_units,
        peak_px=plan.peak_px * motion_gain,
        blink=plan.blink,
        pose=plan.pose,
        gaze=plan.gaze,
        label=plan.label,
        shown_label=plan.shown_label,
        emotion=plan.emotion,
        onset=0,
        apex=plan.apex,
        offset=plan.n_frames - 1,
        fps=rig.camera.fps,
    )


def _spread(plan: ClipPlan, count: int) -> NDArray[np.int64]:
    """Return `count` frames or fewer, spread evenly over the clip, the apex in place of the nearest."""
    keys = np.linspace(0, plan.n_frames - 1, count).round().astype(np.int64)
    if 0 < plan.apex < plan.n_frames - 1:
        keys[1 + np.argmin(np.abs(keys[1:-1] - plan.apex))] = plan.apex
    return np.unique(keys)


def _blended(images: Iterator[Image], keys: NDArray[np.int64]) -> Iterator[Image]:
    """Yield every frame from the first key frame to the last, blended from the two around it."""
    before = next(images)
    yield before
    for first, last, after in zip(keys[:-1], keys[1:], images, strict=True):
        for frame in range(first + 1, last):
            share = np.float32((frame - first) / (last - first))
            yield before + share * (after - before)
        yield after
        before = after


def true_flow(rig: FaceRig, plan: ClipPlan, a: int, b: int) -> NDArray[np.float32]:
    """Exact optical flow from frame `a` to frame `b` of a clip.

    (H, W, 2) float32 px on the grid of frame `a`; NaN off the face and in the eye openings.
    """
    for index in (a, b):
        if not 0 <= index < plan.n_frames:
            raise InputError(f"frame {index} lies outside the clip of {plan.n_frames} frames")
    chosen = [a, b]
    weights = clip_weights(rig, plan)[chosen]
    to_a, to_b = rig.flow_from_neutral(weights, plan.pose[chosen])
    top, left, height, width = rig.camera.head_window
    y, x = np.mgrid[:height, :width].astype(np.float32)
    grid = np.dstack([x, y])
    back = np.zeros_like(grid)
    # where each px of frame a lies in the neutral face, by fixed-point iteration
    for _ in range(_INVERSE_ITERATIONS):
        back = -_sample(to_a, grid + back)
    inside = back + _sample(to_b, grid + back)
    window = np.s_[top : top + height, left : left + width]
    on_face = _sample(rig.face_mask.astype(np.float32), grid + back) > 0.5
    inside[~on_face | (rig.backdrop.clothing_alpha[window] > 0.5)] = np.nan
    flow = np.full((rig.camera.height, rig.camera.width, 2), np.nan, np.float32)
    flow[window] = inside
    return flow


def _sample(field: NDArray[np.float32], at: NDArray[np.float32]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = cv2.remap(
        field, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return result
