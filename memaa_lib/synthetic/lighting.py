"""How the lights of the laboratory fall on a surface."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from memaa_lib.synthetic.identity import Lighting
from memaa_lib.synthetic.imaging import Image, blur, smoothstep

_TO_CAMERA = np.array([0, 0, 1], np.float32)


def diffuse(
    normals: Image, lighting: Lighting, occlusion: Image, shadow: Image, wrap: float = 0.3
) -> Image:
    """Light received by a surface with unit normals (..., 3), as float32 irradiance (...).

    `occlusion` (...) is the share of the room light that arrives, `shadow` (...) that of the key
    light, 0 to 1. `wrap` says how far light reaches around the terminator, in place of scattering
    in the skin.
    """
    light = lighting.ambient * occlusion * (0.82 + 0.18 * normals[..., 1])
    arrives = (shadow, np.sqrt(occlusion))
    lights = zip(lighting.directions, lighting.powers, arrives, strict=True)
    for direction, power, reaching in lights:
        facing = normals @ np.asarray(direction, np.float32)
        lit = np.maximum((facing + wrap) / (1 + wrap), 0)
        light = light + power * lit * reaching * (0.35 + 0.65 * occlusion)
    return light.astype(np.float32, copy=False)


def specular(normals: Image, lighting: Lighting, shadow: Image, power: float) -> Image:
    """Mirror-like reflection of the two lights towards the camera (Blinn-Phong)."""
    total = np.zeros(normals.shape[:-1], np.float32)
    for index, (direction, strength) in enumerate(
        zip(lighting.directions, lighting.powers, strict=True)
    ):
        facing = np.clip(normals @ half_vector(direction), 1e-6, 1)
        lobe = np.exp(np.log(facing) * np.float32(power))
        scale = np.float32(strength * (power + 8) / 25)
        total += scale * lobe * (shadow if index == 0 else 1)
    return total


def half_vector(direction: tuple[float, float, float]) -> NDArray[np.float32]:
    """Return the unit vector half way between a light and the camera."""
    half = np.asarray(direction, np.float32) + _TO_CAMERA
    return (half / np.linalg.norm(half)).astype(np.float32)


def cast_shadow(height_px: Image, lighting: Lighting) -> Image:
    """Share (H, W) of the key light that arrives on a height field (H, W), in px towards the camera.

    Shadows are soft; the first of the lights casts them.
    """
    x, y, z = lighting.directions[0]
    rows, columns = height_px.shape
    occluded = np.zeros_like(height_px)
    for step in np.geomspace(2.5, 90, 22):  # px of height along the ray towards the light
        shift = np.array([[1, 0, -x / z * step], [0, 1, y / z * step]], np.float32)
        towards = cv2.warpAffine(height_px, shift, (columns, rows), borderMode=cv2.BORDER_REPLICATE)
        excess = (towards - (height_px + step)) / (1 + 0.22 * step)
        occluded = np.maximum(occluded, smoothstep(0, 1, excess))
    return blur(1 - occluded.astype(np.float32), 2.2)


def ambient_occlusion(depth: Image, covered: Image, facing: Image, px_per_dm: float) -> Image:
    """Room light that arrives, by unsharp masking the depth (Luft, Colditz and Deussen 2006).

    `depth` (H, W) is the height towards the camera in dm, `covered` (H, W) 1 where there is a
    surface and 0 in the background, `facing` (H, W) z of the unit normal.
    """
    light = np.ones_like(depth)
    for radius_dm, strength, largest in ((0.016, 9.0, 0.5), (0.05, 4.0, 0.45), (0.13, 1.6, 0.35)):
        radius = radius_dm * px_per_dm
        around = blur(depth * covered, radius) / np.maximum(blur(covered, radius), 1e-3)
        below = np.maximum(around - depth, 0)
        above = np.maximum(depth - around, 0)
        light *= 1 - largest * (1 - np.exp(-strength * below / largest))
        light *= np.clip(1 + 0.2 * strength * above, 1, 1.08)
    # Grazing surfaces have unreliable depth: trust them less.
    result: Image = (1 + (light - 1) * (0.35 + 0.65 * smoothstep(0.05, 0.55, facing))).astype(
        np.float32
    )
    return result
