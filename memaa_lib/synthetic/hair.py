"""Brows, beards and scalp hair, drawn as strands over the painted skin."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

from memaa_lib.synthetic.head import LEFT_EYE, load_anatomy, load_head
from memaa_lib.synthetic.imaging import (
    Image,
    blur,
    draw_lines,
    enlarge,
    fractal_noise,
    shrink,
    smoothstep,
)
from memaa_lib.synthetic.lighting import half_vector
from memaa_lib.synthetic.surface import Surface

# Centre line of the subject's left brow on the average head, from the nose outwards: x and y in dm.
_BROW = np.array(
    [(0.105, 7.447), (0.20, 7.470), (0.30, 7.487), (0.39, 7.482), (0.465, 7.448), (0.525, 7.395)]
)
_BROW_ARCH = np.array([-0.3, 0.1, 0.6, 0.8, 0.4, -0.2])
_BROW_POINTS = 60
_BROW_HAIRS = 430
_LONG_STYLES = ("long", "long_fringe", "bob", "bob_fringe")
_PARTED_STYLES = ("short", "fringe", *_LONG_STYLES)


def paint_brows(
    colour: Image, surface: Surface, lit: Image, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Draw the brows into the painted skin `colour` (H, W, 3) and return their upper edges.

    `lit` (H, W) is the light that falls on the face. The edges are by side ("l", "r"): (60, 2)
    source px from the nose outwards.
    """
    look = surface.identity.appearance
    hairs, shade = np.zeros(surface.shape, np.uint8), np.zeros(surface.shape, np.uint8)
    tops = {}
    for side, sign in (("l", 1), ("r", -1)):
        curve = _brow_curve(surface, sign)
        along = np.gradient(curve, axis=0)
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        upwards = np.stack([along[:, 1], -along[:, 0]], 1) * sign
        part = np.linspace(0, 1, _BROW_POINTS)
        profile = np.interp(part, [0, 0.12, 0.35, 0.65, 1], [0.62, 0.95, 1.0, 0.72, 0.16])
        width = 0.036 * surface.px_per_dm * look.brow_width * profile
        tops[side] = curve + upwards * (0.9 * width)[:, None]
        _draw_brow_hairs(hairs, surface, curve, along, upwards, width, rng)
        for k in range(_BROW_POINTS - 1):
            thickness = max(1, int(width[k] * 1.3))
            start, end = curve[k].astype(int).tolist(), curve[k + 1].astype(int).tolist()
            cv2.line(shade, start, end, 255, thickness)
    seen = surface.covered
    cover = np.clip(_soft(hairs, 0.2 * surface.oversampling) * 1.05, 0, 0.9) * seen
    shaded = np.clip(_soft(shade, 0.018 * surface.px_per_dm), 0, 1) * seen
    darkening = 0.30 * min(1.0, look.brow_density) * (1 - 0.6 * look.greyness)
    colour *= (1 - darkening * shaded)[..., None]
    light = (0.35 + 0.65 * np.minimum(lit, 1.3))[..., None]
    _cover(colour, cover, 0.75 * np.asarray(look.hair_colour, np.float32) * light)
    return tops


def _brow_curve(surface: Surface, sign: int) -> NDArray[np.float64]:
    look = surface.identity.appearance
    index, weights = load_anatomy().nearest(_BROW * [sign, 1], 4, smallest_z=0.9)
    points = np.einsum("nk,nkc->nc", weights, surface.skull[index])
    line = surface.to_source(surface.view.project(points))
    rise = look.brow_rise + 0.010 * look.brow_arch * _BROW_ARCH
    line[:, 1] -= rise * surface.px_per_dm
    line = line[2] + (line - line[2]) * look.brow_length
    knots, part = np.linspace(0, 1, len(line)), np.linspace(0, 1, _BROW_POINTS)
    x = Polynomial.fit(knots, line[:, 0], 3)(part)
    y = Polynomial.fit(knots, line[:, 1], 4)(part)
    return np.stack([x, y], 1)


def _draw_brow_hairs(
    canvas: NDArray[np.uint8],
    surface: Surface,
    curve: NDArray[np.float64],
    along: NDArray[np.float64],
    upwards: NDArray[np.float64],
    width: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    """Hairs stand up near the nose and lie down towards the temple."""
    count = int(_BROW_HAIRS * surface.identity.appearance.brow_density)
    u = rng.beta(1.15, 1.25, count)
    at = np.minimum((u * _BROW_POINTS).astype(int), _BROW_POINTS - 1)
    across = np.clip(rng.normal(0, 0.45, count), -1, 1)
    root = curve[at] + upwards[at] * (across * width[at])[:, None]
    lean_deg = np.interp(u, [0, 0.15, 0.4, 0.7, 1], [68, 48, 26, 10, 2])
    lean_deg -= 16 * across * np.interp(u, [0, 0.4, 1], [0.3, 1, 1.2])
    lean = np.radians(lean_deg) + rng.normal(0, 0.13, count)
    length = 0.062 * surface.px_per_dm * np.interp(u, [0, 0.3, 0.8, 1], [0.8, 1.0, 0.75, 0.5])
    length = (length * rng.uniform(0.7, 1.2, count))[:, None]
    direction = along[at] * np.cos(lean)[:, None] + upwards[at] * np.sin(lean)[:, None]
    bend = 0.35 * along[at] - 0.15 * upwards[at]
    middle = root + 0.55 * length * direction
    tip = middle + 0.42 * length * (direction + bend)
    thickness = _thickness(surface, np.where(rng.random(count) < 0.8, 1, 2))
    draw_lines(canvas, np.stack([root, middle, tip], 1), rng.uniform(90, 220, count), thickness)


def paint_facial_hair(
    colour: Image,
    surface: Surface,
    regions: dict[str, Image],
    lit: Image,
    rng: np.random.Generator,
) -> None:
    """Draw stubble, moustache and beard into `colour`."""
    look = surface.identity.appearance
    if not look.stubble:
        return
    # stubble darkens the skin; moustache and beard are strands upon it
    off_lips = 1 - smoothstep(0.2, 0.6, blur(surface.lips, surface.mm(1)))
    off_lips *= 1 - smoothstep(0.1, 0.5, surface.inside_mouth)
    whiskers = np.clip(regions["goatee"] + 0.9 * regions["jaw"], 0, 1) * off_lips
    moustache = np.clip(1.2 * regions["moustache"], 0, 1) * off_lips
    zone = np.maximum(whiskers, moustache)
    dots = smoothstep(0.2, 1.6, fractal_noise(surface.shape, rng, max(surface.mm(0.7), 1.5), 1))
    stubble = zone * look.stubble * (0.16 + 0.30 * dots) * (1 - 0.5 * look.greyness)
    darkening = np.array([0.64, 0.88, 1.09], np.float32)
    colour *= np.exp(-stubble[..., None] * darkening)
    if not look.moustache:
        return

    zone = np.maximum(whiskers * (look.beard > 0), moustache)
    zone = smoothstep(0.18, 0.55, zone) * surface.skin
    rows, columns = np.nonzero(zone > 0.02)
    if not len(rows):
        return
    count = int(9000 * len(rows) / surface.px_per_dm**2)
    chosen = rng.integers(0, len(rows), count)
    chosen = chosen[rng.random(count) < zone[rows[chosen], columns[chosen]]]
    root = np.stack([columns[chosen], rows[chosen]], 1).astype(float)
    middle_x = surface.mouth_columns.mean()
    outwards = np.clip((root[:, 0] - middle_x) / (0.5 * surface.px_per_dm), -1, 1)
    angle = 0.9 * outwards + rng.normal(0, 0.25, len(root))
    direction = np.stack([np.sin(angle), np.cos(angle)], 1)
    length = (0.055 * surface.px_per_dm * rng.uniform(0.5, 1.2, len(root)))[:, None]
    bend = np.stack([rng.normal(0, 0.15, len(root)), np.zeros(len(root))], 1)
    path = [root, root + 0.5 * length * direction, root + length * (direction + bend)]
    hairs = np.zeros(surface.shape, np.uint8)
    thickness = _thickness(surface, np.ones(len(root), int))
    draw_lines(hairs, np.stack(path, 1), rng.uniform(70, 210, len(root)), thickness)
    strength = max(look.beard, look.moustache)
    base = 0.62 * strength * blur(zone.astype(np.float32), surface.mm(1.0))
    strands = strength * _soft(hairs, 0.2 * surface.oversampling) * blur(off_lips, surface.mm(0.4))
    cover = np.clip(1 - (1 - base) * (1 - strands), 0, 0.92) * surface.skin
    light = (0.30 + 0.70 * np.minimum(lit, 1.3))[..., None]
    _cover(colour, cover.astype(np.float32), np.asarray(look.hair_colour, np.float32) * light)


def paint_scalp_hair(
    colour: Image, surface: Surface, lit: Image, rng: np.random.Generator
) -> tuple[Image, Image]:
    """Draw the hair on the skull, and for long styles the hair that hangs behind the face.

    Returned are the covers (H, W) of all hair, and of the hair that lies outside the head.
    """
    look = surface.identity.appearance
    flow = _strand_flow(surface, rng)
    strands = _draw_strands(surface, flow, rng)
    earless = 1 - smoothstep(0.3, 0.6, surface.ears)
    raggedness = 0.09 if "fringe" in look.hair_style else 0.035
    # a ragged hairline that follows the strands
    ragged = blur(strands - 1, 1.0) * raggedness
    if look.hair_style == "buzz":
        cover = 0.80 * smoothstep(-0.03, 0.13, surface.hair_depth + 0.5 * ragged)
    else:
        cover = smoothstep(-0.015, 0.06, surface.hair_depth + ragged)
    cover = (cover * surface.skin * earless).astype(np.float32)

    base = np.asarray(look.hair_colour, np.float32)
    shine = 0.045 * _strand_shine(surface, flow) * strands * lit
    hair = base * (strands * (0.25 + 0.75 * lit))[..., None]
    hair += shine[..., None] * (0.6 + 2 * base)
    behind = np.zeros(surface.shape, np.float32)
    if look.hair_style in _LONG_STYLES:
        behind = _hanging_shape(surface, rng)
        hanging = _hanging_colour(surface, behind, rng)
        _cover(hair, behind, hanging)
        cover = np.maximum(cover, behind)
    roots = blur(cover, 0.02 * surface.px_per_dm)
    colour *= (1 - 0.25 * roots * (1 - cover))[..., None]
    _cover(colour, cover, hair)
    return cover, behind


def _strand_flow(surface: Surface, rng: np.random.Generator) -> Image:
    """Direction (h, w, 2) of the strands at the window's size, away from hairline and parting."""
    view = surface.view
    shape = (view.full_height, view.full_width)
    # away from the hairline is up the gradient of the depth inside the scalp
    depth = blur(shrink(surface.hair_depth, *shape), 5)
    flow = _unit_flow(cv2.Sobel(depth, cv2.CV_32F, 1, 0), cv2.Sobel(depth, cv2.CV_32F, 0, 1))
    x = np.arange(view.full_width, dtype=np.float32)
    parting = view.full_width / 2
    if surface.identity.appearance.hair_style in _PARTED_STYLES:
        parting += rng.uniform(-0.25, 0.25) * view.px_per_dm
    sideways = np.clip((x - parting) / (0.3 * view.px_per_dm), -1, 1)
    wave = 0.35 * fractal_noise(shape, rng, 0.25 * view.px_per_dm, 2)
    flow_x = blur(flow[..., 0] + 0.6 * sideways - wave * flow[..., 1], 3)
    flow_y = blur(flow[..., 1] - 0.36 + wave * flow[..., 0], 3)
    return _unit_flow(flow_x, flow_y)


def _draw_strands(surface: Surface, flow: Image, rng: np.random.Generator) -> Image:
    """Brightness (H, W) of strands that follow the flow, about 1 on average."""
    look, view = surface.identity.appearance, surface.view
    canvas = np.full(surface.shape, 110, np.uint8)
    rows, columns = np.nonzero((surface.hair_depth > -0.06) & surface.skin)
    if len(rows):
        count = int(min(5200, 2600 * len(rows) / surface.px_per_dm**2 + 200))
        chosen = rng.integers(0, len(rows), count)
        point = np.stack([columns[chosen], rows[chosen]], 1).astype(np.float32)
        step = 0.045 * surface.px_per_dm * (0.25 if look.hair_style == "buzz" else 1.0)
        path, last = [point], [view.full_width - 1, view.full_height - 1]
        for _ in range(7):
            at = np.clip((point / surface.oversampling).astype(int), 0, last)
            point = point + flow[at[:, 1], at[:, 0]] * step
            path.append(point)
        values = np.clip(rng.normal(120, 55, count), 15, 255)
        thickness = _thickness(surface, np.where(rng.random(count) < 0.55, 1, 2))
        draw_lines(canvas, np.stack(path, 1), values, thickness)
    return blur(canvas.astype(np.float32) / 110, 0.18 * surface.oversampling)


def _strand_shine(surface: Surface, flow: Image) -> Image:
    """Highlight across the strands (Kajiya and Kay 1989)."""
    along = np.dstack([flow[..., 0], -flow[..., 1], 0 * flow[..., 0]])
    along = enlarge(along.astype(np.float32), *surface.shape)
    along -= np.einsum("...k,...k->...", along, surface.normal)[..., None] * surface.normal
    length = np.maximum(np.sqrt(np.einsum("...k,...k->...", along, along)), 1e-3)
    cosine = along @ half_vector(surface.identity.lighting.directions[0]) / length
    result: Image = np.maximum(1 - cosine**2, 0) ** 20
    return result


def _hanging_shape(surface: Surface, rng: np.random.Generator) -> Image:
    """Cover (H, W) of hair that hangs beside the neck, outside the head."""
    look, px = surface.identity.appearance, surface.px_per_dm
    height, width = surface.shape
    bob = look.hair_style.startswith("bob")
    eye_y = surface.cage[load_head().eye_vertices(LEFT_EYE)].mean(0)[1]
    heights = [(0.0, eye_y + rise, 0.4) for rise in (0.35, 0.0, -0.5, -1.1, -1.7)]
    rows = surface.to_source(surface.view.project(np.array(heights)))[:, 1]
    at_eyes = np.nonzero(surface.covered[int(np.clip(rows[1], 0, height - 1))])[0]
    centre, half = at_eyes.mean(), (at_eyes.max() - at_eyes.min()) / 2

    fullness, flare = rng.uniform(0, 0.16), -0.25 if bob else rng.uniform(-0.05, 0.2)
    extra = [-0.06, 0.03, fullness, fullness + 0.3 * flare, fullness + flare]
    y, x = np.ogrid[:height, :width]
    edge = np.interp(y[:, 0], rows, half + px * np.array(extra))
    walk = np.cumsum(rng.standard_normal((2, height)).astype(np.float32), axis=1)
    wobble = 0.10 * blur(walk, 0.08 * px)
    limit = np.where(x < centre, (edge + wobble[0])[:, None], (edge + wobble[1])[:, None])
    cover = smoothstep(0.5, -0.5, (np.abs(x - centre) - limit) / (0.02 * px))
    cover = cover * smoothstep(rows[0] - 0.02 * px, rows[0] + 0.12 * px, y)
    if bob:
        tips = fractal_noise((4, width), rng, 0.12 * px, 4)
        tips += 0.4 * fractal_noise((4, width), rng, 0.012 * px, 1)
        end = rows[2] - 0.1 * px + 0.05 * px * tips[:1]
        cover = cover * smoothstep(end + 0.42 * px, end + 0.37 * px, y)
    return (cover * ~surface.covered).astype(np.float32)


def _hanging_colour(surface: Surface, cover: Image, rng: np.random.Generator) -> Image:
    look, lighting, px = surface.identity.appearance, surface.identity.lighting, surface.px_per_dm
    height, width = surface.shape
    columns = np.nonzero(cover.max(0) > 0.5)[0]
    left, right = (columns.min(), columns.max()) if len(columns) else (0, width)
    count, part = 900, np.linspace(0, 1, 9)
    x = rng.uniform(left, right, (count, 1))
    y = rng.uniform(0, height, (count, 1))
    sway = rng.normal(0, 0.05 * px, (count, 1)) * np.sin(3 * part + rng.uniform(0, 6, (count, 1)))
    lean = np.sign(x - width / 2) * 0.05 * px * part
    path = np.stack([x + sway + lean, y + rng.uniform(0.5, 1.3, (count, 1)) * px * part], -1)
    canvas = np.full(surface.shape, 120, np.uint8)
    values = np.clip(rng.normal(120, 55, count), 20, 255)
    draw_lines(canvas, path, values, _thickness(surface, np.where(rng.random(count) < 0.5, 1, 2)))
    strands = blur(canvas.astype(np.float32) / 120, 0.18 * surface.oversampling)
    # hair is darker next to the neck
    near_head = blur(surface.covered.astype(np.float32), 0.05 * px)
    light = (lighting.ambient + 0.45 * lighting.powers[0]) * (1 - 0.75 * near_head)
    light = strands * light * (0.45 + 0.55 * blur(cover, 0.06 * px))
    return light[..., None] * (np.asarray(look.hair_colour, np.float32) + 0.012)


def _thickness(surface: Surface, at_four: NDArray[np.integer]) -> NDArray[np.integer]:
    """Scale line widths meant for four source px per window px."""
    return np.maximum(1, np.round(at_four * surface.oversampling / 4)).astype(int)


def _soft(canvas: NDArray[np.uint8], sigma: float) -> Image:
    return blur(canvas.astype(np.float32) / 255, sigma)


def _cover(image: Image, alpha: Image, colour: Image) -> None:
    """Lay `colour` over `image` in place."""
    image += alpha[..., None] * (colour - image)


def _unit_flow(x: Image, y: Image) -> Image:
    length = np.maximum(np.hypot(x, y), 1e-4)
    return np.dstack([x / length, y / length])
