"""Action units (FACS, Ekman and Friesen 1978) as movements of the head, different in each person.

A movement is a blend of shape targets. How an action unit looks varies between people: each gets a
little of its neighbours mixed in, drawn once for a person. Skin folds appear along fixed lines of
the average head, deeper in wrinkled faces.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from memaa_lib.synthetic.head import load_anatomy, load_head
from memaa_lib.synthetic.identity import Identity
from memaa_lib.synthetic.imaging import Image, smoothstep

# Action units of either side: shape targets with their weight. "Left" or "Right" is appended where
# the target has sides; the others are cut at the midline.
_SIDED: dict[str, dict[str, float]] = {
    "AU1": {"browInnerUp": 1.0},
    "AU2": {"browOuterUp": 1.0},
    "AU4": {"browDown": 1.0},
    "AU5": {"eyeWide": 1.0},
    "AU6": {"cheekSquint": 1.0, "eyeSquint": 0.35},
    "AU7": {"eyeSquint": 1.0},
    "AU9": {"noseSneer": 1.0, "mouthUpperUp": 0.35},
    "AU10": {"mouthUpperUp": 1.0},
    "AU12": {"mouthSmile": 1.0},
    "AU14": {"mouthDimple": 1.0},
    "AU15": {"mouthFrown": 1.0},
    "AU20": {"mouthStretch": 1.0},
    "AU24": {"mouthPress": 1.0},
    "AU45": {"eyeBlink": 1.0},
}
_MIDDLE: dict[str, dict[str, float]] = {
    "AU17": {"mouthShrugLower": 1.0, "mouthShrugUpper": 0.35},
    "AU25": {
        "mouthLowerDownLeft": 0.6,
        "mouthLowerDownRight": 0.6,
        "mouthUpperUpLeft": 0.35,
        "mouthUpperUpRight": 0.35,
    },
    "AU26": {"jawOpen": 1.0},
}
# Neighbours that are mixed in from person to person.
_NEIGHBOURS: dict[str, tuple[str, ...]] = {
    "AU1": ("browOuterUp", "browDown"),
    "AU2": ("browInnerUp",),
    "AU4": ("browInnerUp", "noseSneer", "browOuterUp"),
    "AU6": ("noseSneer",),
    "AU7": ("cheekSquint",),
    "AU9": ("browDown", "cheekSquint"),
    "AU10": ("noseSneer", "cheekSquint"),
    "AU12": ("cheekSquint", "mouthDimple", "mouthStretch", "mouthUpperUp"),
    "AU14": ("mouthStretch", "mouthPress", "mouthSmile"),
    "AU15": ("mouthStretch", "mouthPress"),
    "AU20": ("mouthFrown", "mouthDimple"),
    "AU24": ("mouthDimple",),
    "AU17": ("mouthRollLower",),
    "AU26": ("mouthFunnel",),
}
_UNSIDED_TARGETS = ("browInnerUp",)
# The brow targets end abruptly; skin does not: they are averaged over neighbouring vertices.
_SMOOTHED_UNITS, _SMOOTHING_STEPS = ("AU1", "AU2", "AU4"), 6
# Standard deviations: of a neighbour's share, of its difference between the sides, of log strength.
_BLEND_SPREAD, _SIDE_SPREAD, _GAIN_SPREAD = 0.18, 0.02, 0.15
_MIDLINE_SOFTNESS_DM = 0.07

ACTION_UNITS: tuple[str, ...] = (
    *(f"{unit}{side}" for side in "LR" for unit in _SIDED),
    *_MIDDLE,
)

# Lines along which the skin folds, on the subject's left half of the average head (x, y in dm):
# line, depth of the fold in dm at weight 1, and half of its width in dm.
_Fold = tuple[tuple[tuple[float, float], ...], float, float]
_GLABELLA: tuple[_Fold, ...] = (
    (((0.07, 7.38), (0.075, 7.48), (0.10, 7.58)), 0.012, 0.018),
    (((0.12, 7.46), (0.14, 7.54)), 0.006, 0.016),
)
_FOREHEAD_INNER: tuple[_Fold, ...] = tuple(
    (((0.0, y), (0.14, y + 0.01), (0.30, y + 0.03)), 0.007, 0.018) for y in (7.64, 7.72, 7.80)
)
_FOREHEAD_OUTER: tuple[_Fold, ...] = tuple(
    (((0.22, y), (0.36, y + 0.02), (0.48, y - 0.01)), 0.007, 0.018) for y in (7.64, 7.72, 7.80)
)
_CROWS_FEET: tuple[_Fold, ...] = (
    (((0.49, 7.27), (0.56, 7.32), (0.62, 7.38)), 0.006, 0.013),
    (((0.50, 7.23), (0.58, 7.23), (0.65, 7.25)), 0.006, 0.013),
    (((0.49, 7.19), (0.56, 7.15), (0.62, 7.12)), 0.006, 0.013),
)
_LOWER_LID: tuple[_Fold, ...] = ((((0.17, 7.15), (0.28, 7.11), (0.42, 7.15)), 0.006, 0.016),)
_NASOLABIAL: tuple[_Fold, ...] = (
    (((0.18, 6.97), (0.26, 6.87), (0.34, 6.76), (0.38, 6.66)), 0.014, 0.028),
)
_NOSE_ROOT: tuple[_Fold, ...] = (
    (((0.0, 7.33), (0.10, 7.36)), 0.008, 0.014),
    (((0.07, 7.20), (0.13, 7.14)), 0.007, 0.014),
)
_DIMPLE: tuple[_Fold, ...] = ((((0.36, 6.74), (0.38, 6.66), (0.36, 6.58)), 0.010, 0.020),)
_MOUTH_CORNER: tuple[_Fold, ...] = ((((0.30, 6.64), (0.34, 6.54), (0.34, 6.46)), 0.009, 0.022),)
_CHIN: tuple[_Fold, ...] = ((((0.0, 6.47), (0.08, 6.47), (0.17, 6.44)), 0.010, 0.024),)
_FOLDS: dict[str, tuple[_Fold, ...]] = {
    "AU1": _FOREHEAD_INNER,
    "AU2": _FOREHEAD_OUTER,
    "AU4": _GLABELLA,
    "AU6": (*_CROWS_FEET, *_LOWER_LID),
    "AU7": _LOWER_LID,
    "AU9": (*_NOSE_ROOT, *_NASOLABIAL),
    "AU10": _NASOLABIAL,
    "AU12": _NASOLABIAL,
    "AU14": _DIMPLE,
    "AU15": _MOUTH_CORNER,
    "AU17": _CHIN,
}
_FRONT_Z = 0.55  # folds are in the face, not at the back of the head


def action_unit_index(name: str) -> int:
    """Position of an action unit in `ACTION_UNITS`."""
    return ACTION_UNITS.index(name)


def action_unit_shifts(identity: Identity) -> NDArray[np.float32]:
    """Shift of every control vertex for a full action unit, in this person's own way.

    (K, V, 3) float32 dm, one for each of `ACTION_UNITS`.
    """
    head, rng = load_head(), identity.random("action units")
    x = load_anatomy().cage[:, 0]
    left = smoothstep(-_MIDLINE_SOFTNESS_DM, _MIDLINE_SOFTNESS_DM, x)
    halves = {"L": left[:, None], "R": 1 - left[:, None]}
    endings = {"L": "Left", "R": "Right"}
    blends = {unit: _personal_blend(unit, rng) for unit in (*_SIDED, *_MIDDLE)}
    shifts = []
    for name in ACTION_UNITS:
        unit, side = _unit_and_side(name)
        total = np.zeros_like(head.vertices)
        for target, weight in blends[unit].items():
            if side and target in _NEIGHBOURS.get(unit, ()):
                weight += rng.normal(0, _SIDE_SPREAD)
            if side and target not in _UNSIDED_TARGETS:
                total += head.shifts({f"au/{target}{endings[side]}": weight})
            elif side:
                total += head.shifts({f"au/{target}": weight}) * halves[side]
            else:
                total += head.shifts({f"au/{target}": weight})
        shifts.append(_smoothed(total) if unit in _SMOOTHED_UNITS else total)
    return np.stack(shifts).astype(np.float32)


def _unit_and_side(name: str) -> tuple[str, str]:
    return (name[:-1], name[-1]) if name[-1] in "LR" else (name, "")


def _smoothed(shifts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average shifts (V, 3) with those of the neighbouring vertices, keeping the largest."""
    largest = np.linalg.norm(shifts, axis=1).max()
    for _ in range(_SMOOTHING_STEPS):
        shifts = load_head().neighbours @ shifts
    result: NDArray[np.float32] = shifts * (
        largest / max(np.linalg.norm(shifts, axis=1).max(), 1e-9)
    )
    return result


def _personal_blend(unit: str, rng: np.random.Generator) -> dict[str, float]:
    blend = dict(_SIDED.get(unit) or _MIDDLE[unit])
    first = next(iter(blend))
    for target in blend:
        if target != first and unit in _SIDED:
            blend[target] *= float(np.exp(rng.normal(0, 2 * _GAIN_SPREAD)))
    blend[first] *= float(np.exp(rng.normal(0, _GAIN_SPREAD))) if unit != "AU45" else 1.0
    for target in _NEIGHBOURS.get(unit, ()):
        share = float(rng.normal(0, _BLEND_SPREAD)) * _reach(first) / _reach(target)
        blend[target] = blend.get(target, 0.0) + share
    return blend


@lru_cache(maxsize=64)
def _reach(target: str) -> float:
    """Largest shift of a shape target in dm."""
    targets = load_head().targets
    _, shifts = targets.get(f"au/{target}") or targets[f"au/{target}Left"]
    return float(np.linalg.norm(shifts, axis=1).max())


def fold_slopes(template: Image, px_per_dm: float, identity: Identity) -> dict[int, Image]:
    """Slopes of the skin folds that action units make; wrinkled faces fold more deeply.

    `template` (h, w, 3) is the position on the average head that is seen at each node, `px_per_dm`
    the nodes for one dm. The index of an action unit leads to (h, w, 2): what a full one adds to x
    and y of the normal.
    """
    depth = 0.55 + 0.9 * identity.appearance.wrinkles
    front = smoothstep(_FRONT_Z, _FRONT_Z + 0.2, template[..., 2])
    slopes = {}
    for index, name in enumerate(ACTION_UNITS):
        unit, side = _unit_and_side(name)
        if unit not in _FOLDS:
            continue
        x, y = template[..., 0], template[..., 1]
        x = {"L": x, "R": -x, "": np.abs(x)}[side]
        height = np.zeros(x.shape, np.float32)
        for line, fold_depth, width in _FOLDS[unit]:
            height -= fold_depth * _line_profile(x, y, np.array(line), width)
        height *= depth * front
        scale = 0.125 * px_per_dm  # Sobel sums eight differences of neighbours: height to slope
        slope_x = cv2.Sobel(height, cv2.CV_32F, 1, 0, ksize=3, scale=scale)
        slope_y = cv2.Sobel(height, cv2.CV_32F, 0, 1, ksize=3, scale=scale)
        slopes[index] = np.dstack([-slope_x, slope_y])
    return slopes


def _line_profile(x: Image, y: Image, line: NDArray[np.float64], width: float) -> Image:
    """Gaussian profile around a polyline."""
    nearest = np.full(x.shape, 9.0, np.float32)
    for (ax, ay), (bx, by) in itertools.pairwise(line):
        dx, dy = bx - ax, by - ay
        part = np.clip(((x - ax) * dx + (y - ay) * dy) / (dx**2 + dy**2), 0, 1)
        gap = (x - ax - part * dx) ** 2 + (y - ay - part * dy) ** 2
        nearest = np.minimum(nearest, gap)
    result: Image = np.exp(-nearest / width**2)
    return result
