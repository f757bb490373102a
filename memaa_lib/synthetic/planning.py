"""What happens in a clip: which muscles move when, how the head drifts, when the eyes blink.

A clip runs from onset (index 0) to offset (last index), as the released clips do. At the onset the
face is at rest by definition; each muscle of the expression rises smoothly to its peak at the apex
and falls back. Weaker disturbances run along: idle muscles, head drift, blinks, flicker.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError
from memaa_lib.synthetic.expressions import ACTION_UNITS, action_unit_index
from memaa_lib.synthetic.identity import generator
from memaa_lib.synthetic.rig import FaceRig


@dataclass(frozen=True)
class Recipe:
    """One way to show an expression."""

    chance: float  # relative to the other recipes of the label
    emotion: str
    units: dict[str, tuple[float, float]]  # range of the share of the peak motion
    one_sided: bool = False  # shown by one half of the face


RECIPES: dict[str, tuple[Recipe, ...]] = {
    "positive": (
        Recipe(0.45, "happiness", {"AU12": (0.8, 1.0), "AU6": (0.2, 0.7)}),
        Recipe(0.25, "happiness", {"AU12": (0.9, 1.0)}),
        Recipe(0.15, "happiness", {"AU12": (0.9, 1.0), "AU25": (0.15, 0.4)}),
        Recipe(0.15, "happiness", {"AU12": (0.9, 1.0), "AU14": (0.1, 0.4)}, one_sided=True),
    ),
    "surprise": (
        Recipe(0.40, "surprise", {"AU1": (0.7, 1.0), "AU2": (0.7, 1.0)}),
        Recipe(0.35, "surprise", {"AU1": (0.6, 1.0), "AU2": (0.6, 1.0), "AU5": (0.3, 0.7)}),
        Recipe(
            0.25,
            "surprise",
            {
                "AU1": (0.5, 0.9),
                "AU2": (0.5, 0.9),
                "AU5": (0.2, 0.6),
                "AU25": (0.1, 0.3),
                "AU26": (0.3, 0.8),
            },
        ),
    ),
    "negative": (
        Recipe(0.20, "disgust", {"AU4": (0.5, 1.0), "AU9": (0.4, 0.9), "AU7": (0.2, 0.5)}),
        Recipe(0.12, "disgust", {"AU10": (0.6, 1.0), "AU4": (0.3, 0.7), "AU17": (0.0, 0.4)}),
        Recipe(0.20, "anger", {"AU4": (0.8, 1.0), "AU7": (0.3, 0.6), "AU24": (0.0, 0.5)}),
        Recipe(0.14, "repression", {"AU14": (0.6, 1.0), "AU24": (0.2, 0.6), "AU17": (0.2, 0.6)}),
        Recipe(0.12, "sadness", {"AU1": (0.5, 0.9), "AU4": (0.4, 0.8), "AU15": (0.5, 1.0)}),
        Recipe(0.10, "sadness", {"AU15": (0.7, 1.0), "AU17": (0.3, 0.7)}),
        Recipe(0.06, "contempt", {"AU14": (0.8, 1.0)}, one_sided=True),
        Recipe(
            0.06,
            "fear",
            {
                "AU1": (0.6, 0.9),
                "AU2": (0.3, 0.6),
                "AU4": (0.4, 0.8),
                "AU20": (0.3, 0.7),
                "AU5": (0.1, 0.4),
            },
        ),
    ),
}
KINDS = tuple(sorted(RECIPES))  # of expression; sorted, as what is drawn depends on the order
_BLINK_UNITS = ("AU45L", "AU45R")
_NEVER_IDLE = (*_BLINK_UNITS, "AU25", "AU26")
_IDLE_UNITS = 5
_BLINK_CHANCE = 0.18
_GAZE_SHIFT_CHANCE = 0.25
# Share of a full action unit in a micro-expression, however small the muscle's range.
_LARGEST_WEIGHT = 0.2
_LARGEST_DRIFT_PX = 2.0
_LARGEST_LATE_START = 0.25  # of the time from onset to apex


@dataclass(frozen=True)
class Difficulty:
    """What `difficulty` in [0, 1] stands for."""

    smallest_peak: float  # factors on the camera's range of peak motion
    largest_peak: float
    noise: float  # factor on the sensor noise
    drift: float  # factor on the head drift
    distractor_chance: float  # that an unrelated muscle joins in
    idle_px: float  # largest motion of an idle muscle
    mislabel_chance: float  # that the face shows another class than the label says

    @classmethod
    def of(cls, difficulty: float) -> Difficulty:
        """Interpolate from 0 (clear expressions) to 1."""
        if not 0 <= difficulty <= 1:
            raise InputError(f"difficulty must be from 0 to 1, got {difficulty!r}")
        d = float(difficulty)
        return cls(
            smallest_peak=1 - 0.45 * d,
            largest_peak=1 - 0.50 * d,
            noise=1 + 0.6 * d,
            drift=1 + 0.7 * d,
            distractor_chance=0.35 + 0.4 * d,
            idle_px=0.25 + 0.15 * d,
            mislabel_chance=0.12 * d,  # what people report disagrees with the face
        )


@dataclass(frozen=True, eq=False)
class ClipPlan:
    """Everything that happens in one clip of T frames, for K action units."""

    label: str  # class of the clip
    shown_label: str  # class that the face really shows
    emotion: str
    active_units: tuple[str, ...]  # names; distractor included
    apex: int  # index of the frame with the peak
    expression: NDArray[np.float64]  # (T, K) weights, zero at the onset
    idle: NDArray[np.float64]  # (T, K) of idle muscles, zero at the onset
    blink: NDArray[np.float64]  # (T,) 0 open to 1 closed
    pose: NDArray[np.float64]  # (T, 6) yaw, pitch, roll in radians and shift in dm
    gaze: NDArray[np.float64]  # (T, 2) shift of the eyeballs in dm
    flicker: NDArray[np.float64]  # (T,) factor on the light
    peak_px: float  # largest motion of the expression at the apex
    noise: float  # of the sensor: standard deviation in gray levels
    noise_key: tuple[str | int, ...]  # what it is drawn from

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.expression)


def plan_clip(
    rig: FaceRig,
    label: str,
    *,
    n_frames: int,
    apex: int,
    clip: str,
    seed: int = 0,
    difficulty: float = 0.5,
) -> ClipPlan:
    """Plan a micro-expression from onset (index 0) to offset (last index).

    `memaa_lib.synthetic` shows an example, rendered.

    Parameters
    ----------
    rig
        Who and before which camera.
    label
        "negative", "positive" or "surprise".
    n_frames
        Number of frames, at least 2.
    apex
        Index of the apex, 1 to `n_frames` - 1.
    clip
        Name of the clip; together with the person and `seed` it decides everything random.
    seed
        Another seed gives another clip.
    difficulty
        0 clear to 1 hard, see `Difficulty`.

    Raises
    ------
    memaa_lib.InputError
        If the label is unknown, the apex lies outside the clip or the difficulty outside [0, 1].
    """
    if label not in KINDS:
        raise InputError(f"label must be one of {', '.join(KINDS)}, got {label!r}")
    if n_frames < 2 or not 1 <= apex < n_frames:
        raise InputError(
            f"clip {clip!r}: the apex must be 1 to n_frames - 1, got apex={apex}, "
            f"n_frames={n_frames}"
        )
    level = Difficulty.of(difficulty)
    person, fps = rig.identity, rig.camera.fps
    # without the clip in the key all clips of a person would share their durations and drift
    key = (person.dataset, person.subject, person.seed, str(clip), int(seed))
    rng = generator("clip", *key)
    shown = label
    if rng.random() < level.mislabel_chance:
        shown = str(rng.choice([other for other in KINDS if other != label]))
    emotion, at_apex = _draw_expression(rng, shown, rig.peaks)
    # without distractors simple flow features tell the classes apart too well
    if rng.random() < level.distractor_chance:
        _add_distractor(rng, at_apex, rig.peaks)
    wanted_px = _draw_peak(rng, rig.camera.peak_px, level)
    at_apex *= wanted_px / max(rig.peak_motion(at_apex), 1e-6)
    at_apex *= min(1.0, _LARGEST_WEIGHT / at_apex.max())
    return ClipPlan(
        label=label,
        shown_label=shown,
        emotion=emotion,
        active_units=tuple(ACTION_UNITS[i] for i in np.nonzero(at_apex)[0]),
        apex=int(apex),
        expression=_time_course(rng, at_apex, n_frames, apex),
        idle=_idle_muscles(rng, rig.peaks, n_frames, fps, level),
        blink=_blink(rng, n_frames, fps),
        pose=_head_drift(rng, n_frames, fps, rig.view.px_per_dm, level),
        gaze=_gaze(rng, n_frames, fps),
        flicker=_flicker(rng, n_frames, fps),
        peak_px=rig.peak_motion(at_apex),
        noise=rig.camera.noise * level.noise,
        noise_key=("noise", *key),
    )


def smooth_rise(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Minimum-jerk rise from 0 at x = 0 to 1 at x = 1 (Flash and Hogan 1985)."""
    x = np.clip(x, 0, 1)
    return x**3 * (10 - 15 * x + 6 * x**2)


def _draw_expression(
    rng: np.random.Generator, label: str, peaks: NDArray[np.float64]
) -> tuple[str, NDArray[np.float64]]:
    """Emotion and relative action unit weights at the apex."""
    recipes = RECIPES[label]
    chances = np.array([recipe.chance for recipe in recipes])
    recipe = recipes[rng.choice(len(recipes), p=chances / chances.sum())]
    motion = np.zeros(len(ACTION_UNITS))
    bias, stronger_side = rng.normal(0, 0.16), rng.choice(["L", "R"])
    for unit, (low, high) in recipe.units.items():
        amount = rng.uniform(low, high)
        if unit in ACTION_UNITS:
            motion[action_unit_index(unit)] = amount
            continue
        for side, sign in (("L", 1), ("R", -1)):
            factor = 1 + sign * (bias + rng.normal(0, 0.06))
            if recipe.one_sided and side != stronger_side:
                factor *= rng.uniform(0, 0.35)
            motion[action_unit_index(unit + side)] = max(0.0, amount * factor)
    return recipe.emotion, motion / peaks


def _add_distractor(
    rng: np.random.Generator, weights: NDArray[np.float64], peaks: NDArray[np.float64]
) -> None:
    """Let an unrelated muscle join in, often on both sides."""
    free = [i for i, name in enumerate(ACTION_UNITS) if name not in _NEVER_IDLE and weights[i] == 0]
    index = int(rng.choice(free))
    motion = rng.uniform(0.25, 0.7) * float((weights * peaks).max())
    weights[index] = motion / peaks[index]
    name = ACTION_UNITS[index]
    mate = name[:-1] + {"L": "R", "R": "L"}.get(name[-1], "")
    if mate in ACTION_UNITS and mate != name and rng.random() < 0.6:
        other = action_unit_index(mate)
        weights[other] += motion * rng.uniform(0.5, 1.2) / peaks[other]


def _draw_peak(rng: np.random.Generator, peak_px: tuple[float, float], level: Difficulty) -> float:
    low, high = peak_px[0] * level.smallest_peak, peak_px[1] * level.largest_peak
    typical = 0.55 * (low + high)
    return float(np.clip(typical * np.exp(rng.normal(0, 0.35)), low, high))


def _time_course(
    rng: np.random.Generator, at_apex: NDArray[np.float64], n_frames: int, apex: int
) -> NDArray[np.float64]:
    """Rise of every muscle to the apex and fall to the offset; muscles start one after another."""
    frame = np.arange(n_frames)
    weights = np.zeros((n_frames, len(at_apex)))
    starts: dict[str, float] = {}
    for index in np.nonzero(at_apex)[0]:
        unit = ACTION_UNITS[index].rstrip("LR")
        start = starts.setdefault(unit, rng.uniform(0, _LARGEST_LATE_START))
        start = apex * (start + rng.uniform(0, 0.03))
        rise = smooth_rise((frame - start) / (apex - start))
        end = n_frames - 1 - rng.uniform(0, 0.1) * (n_frames - 1 - apex)
        fall = smooth_rise((frame - apex) / max(end - apex, 1.0))
        weights[:, index] = at_apex[index] * rise * (1 - fall)
    weights[0] = 0
    return weights


def _idle_muscles(
    rng: np.random.Generator,
    peaks: NDArray[np.float64],
    n_frames: int,
    fps: float,
    level: Difficulty,
) -> NDArray[np.float64]:
    free = [i for i, name in enumerate(ACTION_UNITS) if name not in _NEVER_IDLE]
    chosen = rng.choice(free, _IDLE_UNITS, replace=False)
    motion_px = rng.uniform(0.02, level.idle_px, _IDLE_UNITS)
    weights = np.zeros((n_frames, len(ACTION_UNITS)))
    weights[:, chosen] = _wander(rng, n_frames, 0.08 * fps, _IDLE_UNITS) * motion_px / peaks[chosen]
    return weights


def _blink(rng: np.random.Generator, n_frames: int, fps: float) -> NDArray[np.float64]:
    """Draw a blink or none. Closing takes a third of it; the eyes are open at the onset."""
    chance, length = rng.random(), rng.uniform(0.16, 0.28) * fps
    first = 0.38 * length
    middle = first + rng.random() * max(1.15 * n_frames - first, 1.0)
    depth = rng.uniform(0.6, 1.0)
    if chance >= _BLINK_CHANCE:
        return np.zeros(n_frames)
    x = (np.arange(n_frames) - middle) / length
    return depth * np.where(x < 0, smooth_rise(1 + x / 0.38), 1 - smooth_rise(x / 0.62))


def _head_drift(
    rng: np.random.Generator, n_frames: int, fps: float, px_per_dm: float, level: Difficulty
) -> NDArray[np.float64]:
    """Slow drift of up to 2 px and a third of a degree about a slightly turned head."""
    amount = min(rng.gamma(2.0, 0.35) * level.drift, _LARGEST_DRIFT_PX)
    shift = _wander(rng, n_frames, 0.10 * fps, 3) * amount * rng.uniform(0.3, 1.0, 3) / px_per_dm
    turn_deg = _wander(rng, n_frames, 0.12 * fps, 3) * min(amount, 1.6) * rng.uniform(0.05, 0.35, 3)
    shift[:, :2] += rng.uniform(-1.5, 1.5, 2) / px_per_dm
    turn_deg += rng.normal(0, [0.8, 0.8, 0.7])
    return np.concatenate([np.radians(turn_deg), shift], 1)


def _gaze(rng: np.random.Generator, n_frames: int, fps: float) -> NDArray[np.float64]:
    """Steady gaze with tremor; sometimes it jumps."""
    tremor = 0.0006 * rng.standard_normal((n_frames, 2)).cumsum(0) / np.sqrt(n_frames)
    gaze = rng.normal(0, 0.004, 2) + tremor
    if rng.random() < _GAZE_SHIFT_CHANCE:
        start, jump = rng.uniform(0.1, 0.9) * n_frames, rng.normal(0, 0.008, 2)
        gaze += jump * smooth_rise((np.arange(n_frames) - start) / (0.025 * fps))[:, None]
    result: NDArray[np.float64] = gaze
    return result


def _flicker(rng: np.random.Generator, n_frames: int, fps: float) -> NDArray[np.float64]:
    """Mains flicker that beats with the shutter, and slow changes of the light."""
    time = np.arange(n_frames) / fps
    beat_hz, phase = rng.uniform(18, 42), rng.random()
    beat = rng.uniform(0, 0.004) * np.sin(2 * np.pi * (beat_hz * time + phase))
    slow = 0.004 * _wander(rng, n_frames, 0.15 * fps, 1)[:, 0]
    return 1 + beat + slow + 0.0006 * rng.standard_normal(n_frames)


def _wander(
    rng: np.random.Generator, n_frames: int, sigma_frames: float, n_paths: int
) -> NDArray[np.float64]:
    """Smooth random paths (n_frames, n_paths) from 0 with a largest value of 1."""
    margin = int(4 * sigma_frames) + 2
    offset = np.arange(-margin, margin + 1)
    kernel = np.exp(-(offset**2) / (2 * sigma_frames**2))
    noise = rng.standard_normal((n_paths, n_frames + 2 * margin))
    paths = np.stack([np.convolve(row, kernel, "valid") for row in noise], 1)
    paths -= paths[0]
    result: NDArray[np.float64] = paths / np.maximum(np.abs(paths).max(0), 1e-9)
    return result
