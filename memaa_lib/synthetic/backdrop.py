"""What does not move: the wall behind and the clothing in front of neck and shoulders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memaa_lib.synthetic.camera import Camera, View
from memaa_lib.synthetic.head import load_anatomy
from memaa_lib.synthetic.identity import Identity
from memaa_lib.synthetic.imaging import Image, blur, fractal_noise, smoothstep
from memaa_lib.synthetic.surface import Surface

_SHOULDER = np.linspace(0.3, 1.5, 49)  # |x| where the outline of the shoulders is measured
_SLOPE = 0.4  # of the shoulders where the mesh ends
_ARM_DM = 1.85  # |x| at which the shoulders turn into the arms
_CLOTH_DM = 0.05  # how far the cloth lies above the skin
_COLLAR_DM = 0.09  # height of the collar


@dataclass(frozen=True, eq=False)
class Backdrop:
    """Still parts of every frame, in linear light."""

    wall: Image  # (H, W, C) behind the head
    clothing: Image  # (H, W, C) in front of neck and shoulders, premultiplied
    clothing_alpha: Image  # (H, W) its cover


def paint_backdrop(identity: Identity, camera: Camera, view: View, surface: Surface) -> Backdrop:
    """Paint wall and clothing for the whole frame."""
    rng = identity.random("backdrop")
    shape = (camera.height, camera.width)
    top, left, _, _ = camera.head_window
    scale = view.px_per_dm
    y, x = np.mgrid[: camera.height, : camera.width].astype(np.float32)
    wall = _wall(identity, shape, scale, rng)

    # Positions relative to the middle of the window, in dm.
    middle = view.project(np.array([0.0, *view.centre[1:]])) - view.pad + [left, top]
    x = (x - middle[0]) / scale
    y = (middle[1] - y) / scale + view.centre[1]
    line_x, line_y, collar = _shoulder_line(surface, rng)
    edge = np.interp(np.abs(x[0]), line_x, line_y)[None]
    below = edge - y  # dm below the upper edge of the clothing
    alpha = blur(smoothstep(-0.5, 0.5, below * scale).astype(np.float32), camera.blur_px)
    cloth = _cloth(identity, x, below, collar, scale, rng)
    return Backdrop(wall, cloth * alpha[..., None], alpha)


def _wall(
    identity: Identity, shape: tuple[int, int], scale: float, rng: np.random.Generator
) -> Image:
    height, width = shape
    y, x = np.ogrid[:height, :width]
    off_centre = x / width - 0.5 + rng.uniform(-0.3, 0.3)
    falloff = 1 - 0.48 * (off_centre**2 + (y / height - 0.4) ** 2)
    texture = 0.006 * fractal_noise(shape, rng, 0.8 * scale, 3)
    brightness = identity.lighting.background * (falloff + texture)
    return np.repeat(brightness[..., None].astype(np.float32), 3, axis=2)


def _shoulder_line(
    surface: Surface, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Upper edge of the clothing, |x| and y in dm, and half the width of the collar."""
    seen = surface.vertices[load_anatomy().skin].astype(np.float64)
    chin_height = seen[(np.abs(seen[:, 0]) < 0.05) & (seen[:, 2] > seen[:, 2].max() - 0.5), 1].min()
    # Where the camera sees the skin, in dm at the depth of the face.
    view = surface.view
    points = (view.project(seen) - view.project(np.array(view.centre))) / view.px_per_dm
    x, y = np.abs(points[:, 0]), view.centre[1] - points[:, 1]
    heights = np.arange(chin_height - 0.35, chin_height - 0.05, 0.05)
    neck = min(float(x[np.abs(y - height) < 0.04].max()) for height in heights)
    collar = neck * rng.uniform(1.06, 1.16)
    below_chin = y < chin_height
    strips = {at: y[below_chin & (np.abs(x - at) < 0.06)] for at in _SHOULDER}
    tops = {at: strip.max() for at, strip in strips.items() if len(strip)}
    outline = np.interp(_SHOULDER, list(tops), list(tops.values())) + _CLOTH_DM
    outline -= _SLOPE * np.maximum(_SHOULDER - max(tops), 0)
    outline = np.minimum.accumulate(outline)  # shoulders only fall away from the neck
    outline = blur(outline[None].astype(np.float32), 2.0)[0]
    # Beyond the mesh the last slope goes on, and the arms drop away.
    slope = (outline[-8] - outline[-1]) / (_SHOULDER[-1] - _SHOULDER[-8])
    beyond = np.linspace(_SHOULDER[-1], 4.0, 60)[1:]
    drop = np.maximum(beyond - _ARM_DM, 0)
    shoulder = outline[-1] - slope * (beyond - _SHOULDER[-1]) - 1.6 * drop**2
    across = np.linspace(0, collar, 12)
    dip = rng.uniform(0.05, 0.16)  # of the collar at the throat, in dm
    side = float(np.interp(collar, _SHOULDER, outline))
    front = side - dip * (1 - (across / collar) ** 2)
    worn = collar < _SHOULDER
    line_x = np.concatenate([across, _SHOULDER[worn], beyond])
    line_y = np.concatenate([front, outline[worn], shoulder])
    return line_x, line_y, collar


def _cloth(
    identity: Identity,
    x: Image,
    below: Image,
    collar: float,
    scale: float,
    rng: np.random.Generator,
) -> Image:
    """Plain knitted cloth with a collar and soft folds, brighter towards the key light."""
    lighting = identity.lighting
    shape = x.shape
    folds = fractal_noise(shape, rng, 0.7 * scale, 3)
    knit = fractal_noise(shape, rng, 0.02 * scale + 1, 1)
    towards_light = 0.25 * np.clip(x / 2, -1, 1) * np.sign(lighting.directions[0][0])
    light = 0.75 * (lighting.ambient + lighting.powers[0] * (0.7 + towards_light))
    light = light * (0.55 + 0.45 * smoothstep(0, 0.5, below)) * (1 + 0.10 * folds + 0.03 * knit)
    band = smoothstep(0.5, -0.5, (below - _COLLAR_DM) * scale)
    seam = np.exp(-(((below - _COLLAR_DM) / 0.010) ** 2))
    at_collar = smoothstep(collar + 0.10, collar + 0.02, np.abs(x))
    light = light * (1 - at_collar * (0.12 * band + 0.35 * seam))
    colour = np.asarray(identity.appearance.clothing, np.float32)
    result: Image = (light[..., None] * colour).astype(np.float32)
    return result
