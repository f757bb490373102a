"""Glasses: stiff, they follow the head but not the skin."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from memaa_lib.synthetic.head import LEFT_EYE, RIGHT_EYE, load_head
from memaa_lib.synthetic.imaging import Image, blur
from memaa_lib.synthetic.surface import Surface

_BEFORE_EYES_DM = 0.16
_FRAME_COLOURS = np.array([(0.015, 0.013, 0.012), (0.09, 0.035, 0.015), (0.20, 0.20, 0.21)])


@dataclass(frozen=True, eq=False)
class Glasses:
    """A painted pair of glasses, in source px."""

    colour: Image  # (H, W, 3) linear RGB
    alpha: Image  # (H, W) the frame, and faintly the reflections on the lenses
    depth: float  # z in dm


def paint_glasses(surface: Surface) -> Glasses | None:
    """Paint the person's glasses; None if the person wears none."""
    style = surface.identity.appearance.glasses
    if style == "none":
        return None
    head, px = load_head(), surface.px_per_dm
    rng = surface.identity.random("glasses")
    eyes = {eye: surface.cage[head.eye_vertices(eye)] for eye in (LEFT_EYE, RIGHT_EYE)}
    depth = float(max(ball[:, 2].max() for ball in eyes.values())) + _BEFORE_EYES_DM
    half_width = px * (rng.uniform(0.20, 0.22) if style == "round" else rng.uniform(0.23, 0.25))
    half_height = px * (rng.uniform(0.18, 0.20) if style == "round" else rng.uniform(0.14, 0.16))
    power = 2.2 if style == "round" else 4.0
    thickness = max(1, round(px * rng.uniform(0.010, 0.022)))
    angle = np.linspace(0, 2 * np.pi, 120)
    cosine, sine = np.cos(angle), np.sin(angle)
    # a superellipse: 2 is an ellipse, more is squarer
    outline = np.stack(
        [
            half_width * np.sign(cosine) * np.abs(cosine) ** (2 / power),
            half_height * np.sign(sine) * np.abs(sine) ** (2 / power),
        ],
        1,
    )
    canvas = np.zeros(surface.shape, np.uint8)
    lenses = np.zeros(surface.shape, np.uint8)
    centres = {}
    for eye, ball in eyes.items():
        centre = (ball.max(0) + ball.min(0)) / 2
        sign = 1 if eye == LEFT_EYE else -1
        at = surface.to_source(surface.view.project(centre))
        centres[sign] = at + np.array([sign * 0.02 * px, 0.03 * px])
        _stroke(canvas, centres[sign] + outline, thickness)
        edge = np.round((centres[sign] + outline) * 16).astype(np.int32)
        cv2.fillPoly(lenses, [edge], 255, cv2.LINE_AA, 4)
    inner_left = centres[1] + [-half_width, -0.25 * half_height]
    inner_right = centres[-1] + [half_width, -0.25 * half_height]
    part = np.linspace(0, 1, 15)[:, None]
    bridge = inner_right + part * (inner_left - inner_right)
    bridge[:, 1:] -= 0.8 * half_height * part * (1 - part)
    _stroke(canvas, bridge, thickness)
    for sign in (-1, 1):
        # the temple runs from the hinge to the side of the head; ears do not count
        hinge = centres[sign] + [sign * half_width, -0.3 * half_height]
        row = int(np.clip(hinge[1], 0, surface.shape[0] - 1))
        covered = np.nonzero(surface.covered[row] & (surface.ears[row] < 0.5))[0]
        end = covered.max() if sign > 0 else covered.min()
        _stroke(canvas, np.array([hinge, [end, hinge[1] + 0.02 * px]]), thickness)
    frame = blur(canvas.astype(np.float32) / 255, 0.3)
    base = _FRAME_COLOURS[rng.integers(len(_FRAME_COLOURS))].astype(np.float32)
    shine = 0.6 + 0.8 * np.clip(blur(frame, 0.01 * px), 0, 1)
    lens = 0.012 * blur(lenses.astype(np.float32) / 255, 0.02 * px) * (1 - frame)
    alpha = np.maximum(frame, lens)
    colour = base * shine[..., None] * (frame / np.maximum(alpha, 1e-4))[..., None]
    colour += 0.75 * (lens / np.maximum(alpha, 1e-4))[..., None]
    return Glasses(colour.astype(np.float32), alpha.astype(np.float32), depth)


def _stroke(canvas: NDArray[np.uint8], path: NDArray[np.floating], thickness: int) -> None:
    points = np.round(path * 16).astype(np.int32)
    cv2.polylines(canvas, [points], False, 255, thickness, cv2.LINE_AA, 4)
