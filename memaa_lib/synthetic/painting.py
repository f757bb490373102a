"""Painting the neutral face once: skin, light, hair, eyes. Everything is procedural.

Colours are linear RGB. Skin colour follows melanin and blood. Light is two soft lamps and room
light, with wrap-around diffuse reflection, scattering in the skin, soft shadows and two specular
lobes.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from memaa_lib.synthetic.eyes import paint_lashes
from memaa_lib.synthetic.hair import paint_brows, paint_facial_hair, paint_scalp_hair
from memaa_lib.synthetic.imaging import (
    Image,
    blur,
    enlarge,
    fractal_noise,
    shrink,
    smoothstep,
)
from memaa_lib.synthetic.lighting import ambient_occlusion, cast_shadow, diffuse, specular
from memaa_lib.synthetic.surface import Surface, unit

# Skin from very light to very dark, linear RGB.
_SKIN_TONES = np.array(
    [
        (0.80, 0.545, 0.425),
        (0.66, 0.40, 0.275),
        (0.46, 0.235, 0.135),
        (0.22, 0.098, 0.052),
        (0.085, 0.037, 0.021),
    ]
)
# What a unit of blood or melanin adds to the logarithm of the colour.
_BLOOD = np.array([0.07, -0.20, -0.17], np.float32)
_MELANIN = np.array([-0.62, -0.95, -1.15], np.float32)
_INSIDE_MOUTH = np.array([0.06, 0.014, 0.012], np.float32)
# How far red, green and blue light travel in the skin.
_SCATTER_MM = (0.85, 0.40, 0.22)
_SCATTER_TINT = np.array([1.06, 0.995, 0.97], np.float32)
# Specular exponents: the sheen of the skin, and what is wet or oily.
BROAD_LOBE, NARROW_LOBE = 14.0, 55.0
BROAD_STRENGTH = 0.055


@dataclass(eq=False)
class PaintedFace:
    """The painted neutral and what is needed to light it anew when it moves."""

    colour: Image  # (H, W, 3) linear RGB
    alpha: Image  # (H, W) 1 on the face, 0 in the eye openings and the background
    occlusion: Image  # (H, W) light maps, see `lighting`
    shadow: Image
    oil: Image  # (H, W) strength of the broad specular lobe
    hair_alpha: Image  # (H, W) cover of scalp hair
    # by side ("l", "r"): (n, 2) source px, from the nose outwards
    brow_tops: dict[str, NDArray[np.float64]]


def paint_face(surface: Surface) -> PaintedFace:
    """Paint the neutral face of a person."""
    identity = surface.identity
    look, lighting = identity.appearance, identity.lighting
    rng = identity.random("painting")
    regions = surface.regions()
    albedo = _skin_colour(surface, regions, rng)
    bumpy = _bumpy_normals(surface, _relief(surface, regions, rng))
    occlusion, shadow = _light_maps(surface)
    light = _scattered(diffuse(bumpy, lighting, occlusion, shadow, 0.28), surface)
    tint = _SCATTER_TINT + (1 - _SCATTER_TINT) * np.minimum(light, 1)
    colour = albedo * light * tint

    oil = 0.55 + 0.5 * regions["forehead"] + 0.7 * regions["nose"] + 0.25 * regions["cheek"]
    oil = (oil + 0.2 * regions["chin"]) * look.oiliness
    oil *= 1 + 0.15 * fractal_noise(surface.shape, rng, surface.mm(5), 3)
    oil *= (1 - 0.3 * identity.age) * (1 - 0.35 * look.tone)
    shine = specular(bumpy, lighting, shadow, BROAD_LOBE) * BROAD_STRENGTH * oil
    wet = 0.05 * oil + 0.10 * np.clip(surface.lips, 0, 1)
    shine += specular(bumpy, lighting, shadow, NARROW_LOBE) * wet
    colour += (shine * occlusion)[..., None]

    lit = np.minimum(diffuse(surface.normal, lighting, occlusion, shadow), 1.4)
    brow_tops = paint_brows(colour, surface, lit, rng)
    paint_facial_hair(colour, surface, regions, lit, rng)
    hair_alpha, behind = paint_scalp_hair(colour, surface, lit, rng)
    openings = np.logical_or(*surface.eye_openings.values())
    alpha = np.maximum((surface.covered & ~openings).astype(np.float32), behind)
    alpha = paint_lashes(colour, alpha, surface, skin_base(look.tone, 0.0), rng)
    np.maximum(colour, 0, out=colour)
    return PaintedFace(colour, alpha, occlusion, shadow, oil, hair_alpha, brow_tops)


def skin_base(tone: float, undertone: float) -> NDArray[np.float32]:
    """Linear RGB of skin: `tone` 0 very light to 1 very dark, `undertone` about -2 to 2."""
    position = tone * (len(_SKIN_TONES) - 1)
    logs = np.log(_SKIN_TONES).T
    colour = np.array([np.interp(position, np.arange(len(_SKIN_TONES)), log) for log in logs])
    return np.exp(colour + undertone * np.array([-0.01, 0.015, -0.05])).astype(np.float32)


def _skin_colour(surface: Surface, regions: dict[str, Image], rng: np.random.Generator) -> Image:
    look, age, shape = surface.identity.appearance, surface.identity.age, surface.shape

    def noise(feature_mm: float, octaves: int) -> Image:
        return fractal_noise(shape, rng, surface.mm(feature_mm), octaves)

    fine = noise(1.1, 2)
    blood = look.ruddiness * (
        0.55 * regions["cheek"]
        + 0.6 * regions["nose"]
        + 0.5 * regions["nose_wing"]
        + 0.5 * regions["ear"]
        + 0.22 * regions["chin"]
        - 0.12 * regions["forehead"]
    )
    blood += look.blotches * (0.09 * noise(11, 3) + 0.06 * noise(3.2, 3) + 0.05 * fine)
    melanin = 0.10 * regions["eye_socket"] + 0.22 * regions["under_eye"] * (0.5 + age)
    melanin += 0.10 * regions["forehead"] * (look.tone > 0.3)
    melanin += look.blotches * 0.035 * (noise(18, 3) + noise(2.2, 3))
    if look.freckles > 0:
        where = regions["cheek"] + regions["nose"] + 0.3 * regions["forehead"]
        melanin += 0.55 * look.freckles * smoothstep(1.1, 1.9, noise(1.9, 2)) * np.clip(where, 0, 1)
    if age > 0.4:
        melanin += (age - 0.4) * 0.7 * smoothstep(1.6, 2.4, noise(4.5, 2))
    melanin += 1.5 * regions["nostril"] * smoothstep(0, -0.5, surface.normal[..., 1])
    _add_moles(melanin, surface, rng)

    logs = np.log(skin_base(look.tone, look.undertone))
    albedo = np.exp(logs + _BLOOD * blood[..., None] + _MELANIN * melanin[..., None])
    lips = np.clip(blur(surface.lips, surface.mm(0.35)) * (1 + 0.10 * fine), 0, 1)[..., None]
    redness = np.array([-0.16, -0.62, -0.46], np.float32) * (0.45 + 0.55 * look.lip_redness)
    lip_colour = np.exp(logs + redness + 0.07 * noise(0.9, 2)[..., None])
    albedo += lips * (lip_colour - albedo)
    inside = np.clip(blur(surface.inside_mouth, surface.mm(0.25)), 0, 1)[..., None]
    return (albedo + inside * (_INSIDE_MOUTH - albedo)).astype(np.float32)


def _add_moles(melanin: Image, surface: Surface, rng: np.random.Generator) -> None:
    rows, columns = np.nonzero(surface.skin & (surface.hair_depth < -0.05))
    for _ in range(surface.identity.appearance.moles):
        chosen = rng.integers(len(rows))
        y, x, radius = rows[chosen], columns[chosen], surface.mm(rng.uniform(0.5, 1.1))
        reach = int(4 * radius) + 2
        patch = np.s_[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach]
        rows_near, columns_near = np.ogrid[: melanin.shape[0], : melanin.shape[1]]
        squared = (rows_near[patch[0]] - y) ** 2 + (columns_near[:, patch[1]] - x) ** 2
        melanin[patch] += rng.uniform(0.35, 1.0) * np.exp(-((squared / (2 * radius**2)) ** 2))


def _relief(surface: Surface, regions: dict[str, Image], rng: np.random.Generator) -> Image:
    """Fine height of the skin in dm: pores, creases of the lips, lines of age."""
    wrinkles, shape, mm = surface.identity.appearance.wrinkles, surface.shape, surface.mm
    y, x = np.ogrid[: shape[0], : shape[1]]
    pores = 0.00030 * fractal_noise(shape, rng, mm(1.3), 3, 0.8)
    height = pores * (1 + 0.6 * regions["nose"] + 0.5 * regions["cheek"])
    height += 0.0008 * fractal_noise(shape, rng, mm(4), 2)
    # lines of age: wavy grooves across the forehead, slanting ones under the eyes
    wave = fractal_noise(shape, rng, mm(25), 2) * mm(1.6)
    period = mm(rng.uniform(6.5, 9.0))
    lines = np.clip(np.cos(2 * np.pi * (y + wave) / period), 0.55, 1)
    height -= 0.0040 * wrinkles * regions["forehead"] * lines
    slant = 0.35 * np.abs(x - shape[1] / 2)
    lines = np.clip(np.cos(2 * np.pi * (y + slant + 0.5 * wave) / mm(3.0)), 0.2, 1)
    height -= 0.0022 * wrinkles * regions["under_eye"] * lines
    # vertical creases of the lips
    sway = fractal_noise(shape, rng, mm(5), 2) * mm(0.5)
    height += 0.0016 * surface.lips * np.cos(2 * np.pi * (x + sway) / mm(1.5))
    return height.astype(np.float32)


def _bumpy_normals(surface: Surface, height: Image) -> Image:
    normals = surface.normal.copy()
    slope = 0.125 * surface.px_per_dm
    normals[..., 0] -= cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=slope)
    normals[..., 1] += cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=slope)
    return unit(normals)


def _light_maps(surface: Surface) -> tuple[Image, Image]:
    """Ambient occlusion, computed at twice the window's size, and the key light's shadow."""
    view = surface.view
    size = (view.full_height * 2, view.full_width * 2)
    covered = shrink(surface.covered.astype(np.float32), *size)
    depth = shrink(surface.position[..., 2], *size) / np.maximum(covered, 1e-3)
    facing = shrink(surface.normal[..., 2], *size)
    occlusion = ambient_occlusion(depth, covered, facing, 2 * view.px_per_dm)
    shadow = cast_shadow(surface.depth_px(), surface.identity.lighting)
    return enlarge(occlusion, *surface.shape), enlarge(shadow, *surface.shape)


def _scattered(light: Image, surface: Surface) -> Image:
    """Blur the light that falls on the skin, red most, without mixing in the background."""
    covered = surface.covered.astype(np.float32)
    radii = [surface.mm(radius) for radius in _SCATTER_MM]
    result: Image = cv2.merge(
        [blur(light * covered, r) / np.maximum(blur(covered, r), 1e-3) for r in radii]
    )
    return result
