"""Lashes, lid margins and eyeballs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memaa_lib.synthetic.camera import CAMERA_DISTANCE_DM
from memaa_lib.synthetic.head import LEFT_EYE, load_head
from memaa_lib.synthetic.imaging import Image, blur, draw_lines, fractal_noise, smoothstep
from memaa_lib.synthetic.lighting import diffuse, half_vector
from memaa_lib.synthetic.surface import Surface

_LASH = np.array([0.012, 0.009, 0.008], np.float32)
_SCLERA = np.array([0.62, 0.57, 0.54], np.float32)
_CARUNCLE = np.array([0.42, 0.17, 0.14], np.float32)
# The eyeball of the average head has a radius of 0.14 dm; iris and cornea scale with the eyeball.
_EYEBALL = 0.14
_CORNEA = 0.078  # its radius in dm
_FIBRES = 256  # of the iris, all around


def paint_lashes(
    colour: Image,
    alpha: Image,
    surface: Surface,
    skin: NDArray[np.float32],
    rng: np.random.Generator,
) -> Image:
    """Draw lid margins and lashes into `colour` (H, W, 3); return the alpha with the lashes.

    `alpha` (H, W) is 0 in the eye openings, where lashes hang over the eyeball; `skin` (3,) is the
    skin's colour.
    """
    look, px, scale = surface.identity.appearance, surface.px_per_dm, surface.oversampling / 4
    upper, lower, upper_line, lower_line = (np.zeros(surface.shape, np.uint8) for _ in range(4))
    for eye, lids in surface.eyelids.items():
        top = np.stack([lids.columns, lids.top], 1)
        bottom = np.stack([lids.columns, lids.bottom], 1)
        liner_px = max(1, round(0.010 * px * (1 + 0.7 * look.eye_liner)))
        draw_lines(upper_line, top[None], np.array([255]), np.array([liner_px]))
        draw_lines(lower_line, bottom[None], np.array([255]), np.array([max(1, round(0.006 * px))]))
        _draw_lashes(upper, surface, eye, top, int(95 * look.lashes), 0.052, -1, rng)
        _draw_lashes(lower, surface, eye, bottom, int(50 * look.lashes), 0.024, 1, rng)

    def soft(canvas: NDArray[np.uint8], sigma: float, strength: float) -> Image:
        return np.minimum(blur(canvas.astype(np.float32) / 255, sigma * scale) * strength, 1)

    strength = min(1.0, 0.55 + 0.35 * look.lashes + 0.3 * look.eye_liner)
    margin = 1 - soft(upper_line, 0.5, 1.0) * strength
    upper_cover = 1 - soft(upper, 0.6, 0.9)
    lower_cover = soft(lower, 0.6, 0.6)
    rim = skin * np.array([0.86, 0.65, 0.61], np.float32)
    colour += (0.55 * soft(lower_line, 0.8, 1.0))[..., None] * (rim - colour)
    on_skin = (1 - margin * upper_cover * (1 - lower_cover))[..., None]
    in_opening = 1 - margin * upper_cover * (1 - 0.8 * lower_cover)
    colour += on_skin * (_LASH - colour)
    colour[np.logical_or(*surface.eye_openings.values())] = _LASH
    result: Image = alpha + (1 - alpha) * in_opening
    return result


def _draw_lashes(
    canvas: NDArray[np.uint8],
    surface: Surface,
    eye: int,
    margin: NDArray[np.floating],
    count: int,
    length_dm: float,
    downwards: int,
    rng: np.random.Generator,
) -> None:
    """Lashes fan outwards and are longest at the outer corner."""
    sign = 1 if eye == LEFT_EYE else -1
    at = rng.integers(4, len(margin) - 2, count)
    outer = _from_inner_corner(margin[at, 0], margin[:, 0], eye)
    at, outer = at[outer >= 0.08], outer[outer >= 0.08]
    root = margin[at] + np.stack([np.zeros(len(at)), rng.normal(0, 0.5, len(at))], 1)
    rise = 0.75 if downwards < 0 else 0.9
    direction = np.stack([sign * (-0.55 + 1.55 * outer), np.full(len(at), downwards * rise)], 1)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    length = length_dm * surface.px_per_dm * rng.uniform(0.5, 1, len(at)) * (0.45 + 0.75 * outer)
    length = length[:, None]
    curl = np.stack([0.45 * direction[:, 0], np.full(len(at), -0.10 * downwards)], 1)
    middle = root + 0.6 * length * curl
    path = np.stack([root, middle, middle + 0.75 * length * direction], 1)
    draw_lines(canvas, path, rng.uniform(110, 235, len(at)), np.ones(len(at), int))


@dataclass(frozen=True, eq=False)
class Eyeball:
    """A painted eyeball patch: linear RGB (h, w, 3), and where it lies in source px."""

    top: int
    left: int
    colour: Image


def paint_eyeball(surface: Surface, eye: int) -> Eyeball:
    """Paint the part of an eyeball around the opening of the lids, looking at the camera."""
    identity, view, px = surface.identity, surface.view, surface.px_per_dm
    look, lighting = identity.appearance, identity.lighting
    rng = identity.random(f"eyeball {eye}")
    ball = surface.cage[load_head().eye_vertices(eye)]
    centre = (ball.max(0) + ball.min(0)) / 2
    radius = float((ball.max(0) - ball.min(0))[:2].mean() / 2)
    lids, reach = surface.eyelids[eye], int(0.15 * px)
    top, bottom = int(lids.top.min()) - reach, int(lids.bottom.max()) + reach
    left, right = int(lids.columns[0]) - reach, int(lids.columns[-1]) + reach
    rows, columns = np.mgrid[top:bottom, left:right].astype(np.float32)

    middle = surface.to_source(view.project(centre))
    depth = centre[2] + 0.7 * radius
    scale = float(view.magnification(np.array(depth))) * surface.oversampling
    x, y = (columns - middle[0]) / scale, (middle[1] - rows) / scale
    z = np.sqrt(np.maximum(radius**2 - x**2 - y**2, 1e-5))
    normal = (np.dstack([x, y, z]) / radius).astype(np.float32)
    gaze = np.array(view.centre) - centre
    gaze[2] += CAMERA_DISTANCE_DM  # both eyes look at the camera, so they converge
    gaze = (gaze / np.linalg.norm(gaze)).astype(np.float32)

    inner = _from_inner_corner(columns, lids.columns, eye)
    colour = _sclera(identity.age, inner, surface, rng)
    iris, cover = _iris(normal, gaze, radius, look.iris_colour, look.iris_radius, look.pupil, rng)
    colour += cover[..., None] * (iris - colour)
    # the pink flesh in the inner corner
    caruncle = 0.8 * smoothstep(0.10, 0.03, inner)[..., None]
    colour += caruncle * (_CARUNCLE - colour)
    ones = np.ones_like(x)
    light = diffuse(normal, lighting, ones, ones, 0.35)
    towards_edge = 0.35 * smoothstep(0.55, 1.0, np.hypot(x, y) / radius)
    colour *= ((0.15 + 0.85 * light) * (1 - towards_edge))[..., None]
    # each light is mirrored in the cornea, half way between its direction and the camera's
    cornea = _CORNEA * radius / _EYEBALL
    for direction, power in zip(lighting.directions, lighting.powers, strict=True):
        spot = gaze * (radius - cornea + 0.012) + half_vector(direction) * cornea
        squared = ((x - spot[0]) / 0.0105) ** 2 + ((y - spot[1]) / 0.0131) ** 2
        colour += (1.25 * power * np.exp(-(squared**2)))[..., None]
    # the wet line along the lower lid
    margin = np.interp(columns[0], lids.columns, lids.bottom)
    tears = np.exp(-(((rows - margin + 0.012 * px) / (0.006 * px)) ** 2))
    colour += (0.10 * tears * smoothstep(0.05, 0.3, inner))[..., None]
    return Eyeball(top, left, np.maximum(colour, 0).astype(np.float32))


def _from_inner_corner(
    x: NDArray[np.floating], columns: NDArray[Any], eye: int
) -> NDArray[np.floating]:
    """Position along the opening: 0 at the inner, 1 at the outer corner."""
    part = (x - columns[0]) / (columns[-1] - columns[0])
    result: NDArray[np.floating] = part if eye == LEFT_EYE else 1 - part
    return result


def _sclera(age: float, inner: Image, surface: Surface, rng: np.random.Generator) -> Image:
    colour = _SCLERA * np.exp(-0.22 * age * np.array([0, 0.2, 0.5], np.float32))
    vessels = np.abs(fractal_noise(inner.shape, rng, surface.mm(2.5), 2))
    pink = 0.55 * np.exp(-((inner / 0.16) ** 2)) + 0.18 * np.exp(-(((1 - inner) / 0.12) ** 2))
    pink = (pink + 0.05 * vessels)[..., None]
    result: Image = (colour * np.exp(-pink * np.array([0.08, 0.55, 0.5], np.float32))).astype(
        np.float32
    )
    return result


def _iris(
    normal: Image,
    gaze: NDArray[np.float32],
    radius: float,
    base: tuple[float, float, float],
    iris_radius: float,
    pupil: float,
    rng: np.random.Generator,
) -> tuple[Image, Image]:
    """Colour (h, w, 3) of iris and pupil and their cover (h, w)."""
    from_centre = np.arccos(np.clip(normal @ gaze, -1, 1)) * radius
    outer = iris_radius * radius / _EYEBALL  # arc lengths from the iris's centre, dm
    inner = outer * pupil
    angle = np.arctan2(normal[..., 1] - gaze[1], normal[..., 0] - gaze[0])
    turn = ((angle + np.pi) / (2 * np.pi) * _FIBRES).astype(int) % _FIBRES

    def fibres(sigma: float) -> Image:
        ring = np.tile(rng.standard_normal(_FIBRES).astype(np.float32), 3)[None]
        result: Image = blur(ring, sigma)[0, _FIBRES : 2 * _FIBRES][turn]
        return result

    part = np.clip((from_centre - inner) / (outer - inner), 0, 1)
    pattern = 0.25 * fibres(0.8) * (1 - part) + 0.5 * fibres(2.5)
    brightness = (1.1 + 0.6 * pattern) * (0.85 + 0.55 * np.exp(-(((part - 0.25) / 0.22) ** 2)))
    brightness *= 1 - 0.75 * smoothstep(0.72, 1.02, part)
    colour = brightness[..., None] * np.asarray(base, np.float32)
    hole = smoothstep(inner + 0.004, inner - 0.004, from_centre)[..., None]
    colour = colour * (1 - hole) + 0.004 * hole
    return colour, smoothstep(outer + 0.006, outer - 0.006, from_centre)
