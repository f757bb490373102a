"""Random people: the shape of the face, what it looks like, and the light of the laboratory."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

import numpy as np

from memaa_lib._support.errors import InputError
from memaa_lib.synthetic.head import ANCESTRIES, load_head, macro_weights

Colour = tuple[float, float, float]

# Pairs of opposite shape targets and the standard deviation of their weight. "*" is l and r: both
# sides get the same draw and a little difference.
_SHAPE_SPREAD: dict[str, float] = {
    "head/head-fat-{decr|incr}": 0.25,
    "head/head-scale-horiz-{decr|incr}": 0.21,
    "head/head-scale-vert-{decr|incr}": 0.20,
    "head/head-angle-{in|out}": 0.14,
    "forehead/forehead-scale-vert-{decr|incr}": 0.25,
    "forehead/forehead-temple-{decr|incr}": 0.29,
    "forehead/forehead-nubian-{decr|incr}": 0.18,
    "eyebrows/eyebrows-angle-{down|up}": 0.29,
    "eyebrows/eyebrows-trans-{down|up}": 0.29,
    "eyebrows/eyebrows-trans-{backward|forward}": 0.29,
    "eyes/*-eye-scale-{decr|incr}": 0.22,
    "eyes/*-eye-trans-{in|out}": 0.22,
    "eyes/*-eye-trans-{down|up}": 0.22,
    "eyes/*-eye-height1-{decr|incr}": 0.20,
    "eyes/*-eye-height2-{decr|incr}": 0.22,
    "eyes/*-eye-height3-{decr|incr}": 0.20,
    "eyes/*-eye-corner1-{down|up}": 0.29,
    "eyes/*-eye-corner2-{down|up}": 0.29,
    "eyes/*-eye-bag-{decr|incr}": 0.36,
    "eyes/*-eye-eyefold-{down|up}": 0.29,
    "eyes/*-eye-eyefold-{concave|convex}": 0.29,
    "eyes/*-eye-epicanthus-{in|out}": 0.22,
    "nose/nose-scale-vert-{decr|incr}": 0.25,
    "nose/nose-scale-horiz-{decr|incr}": 0.22,
    "nose/nose-scale-depth-{decr|incr}": 0.25,
    "nose/nose-hump-{decr|incr}": 0.29,
    "nose/nose-width1-{decr|incr}": 0.22,
    "nose/nose-width2-{decr|incr}": 0.22,
    "nose/nose-width3-{decr|incr}": 0.22,
    "nose/nose-point-{down|up}": 0.29,
    "nose/nose-point-width-{decr|incr}": 0.25,
    "nose/nose-flaring-{decr|incr}": 0.25,
    "nose/nose-base-{down|up}": 0.22,
    "nose/nose-curve-{concave|convex}": 0.25,
    "nose/nose-volume-{decr|incr}": 0.20,
    "mouth/mouth-scale-horiz-{decr|incr}": 0.29,
    "mouth/mouth-scale-vert-{decr|incr}": 0.22,
    "mouth/mouth-trans-{down|up}": 0.18,
    "mouth/mouth-upperlip-volume-{decr|incr}": 0.25,
    "mouth/mouth-lowerlip-volume-{decr|incr}": 0.25,
    "mouth/mouth-upperlip-height-{decr|incr}": 0.25,
    "mouth/mouth-lowerlip-height-{decr|incr}": 0.25,
    "mouth/mouth-cupidsbow-{decr|incr}": 0.36,
    "mouth/mouth-angles-{down|up}": 0.18,
    "mouth/mouth-laugh-lines-{in|out}": 0.25,
    "mouth/mouth-philtrum-volume-{decr|incr}": 0.29,
    "chin/chin-width-{decr|incr}": 0.22,
    "chin/chin-height-{decr|incr}": 0.25,
    "chin/chin-prominent-{decr|incr}": 0.25,
    "chin/chin-bones-{decr|incr}": 0.22,
    "chin/chin-jaw-drop-{decr|incr}": 0.22,
    "chin/chin-cleft-{decr|incr}": 0.29,
}
# Means other than zero: MakeHuman's resting mouth looks sad and its heads are broad.
_SHAPE_MEAN: dict[str, float] = {
    "mouth/mouth-angles-": 0.22,
    "head/head-scale-horiz-": -0.22,
}
_LARGEST_WEIGHT = 0.9  # of a shape target
_OUTLINES = (
    "oval",
    "round",
    "rectangular",
    "square",
    "triangular",
    "invertedtriangular",
    "diamond",
)
_FEMALE_OUTLINES = ("oval", "invertedtriangular")
_OUTLINE_LARGEST = 0.19
_ASYMMETRY_CHANCE = 0.35
_ASYMMETRY_LARGEST = 0.16

_DARK_HAIR: Colour = (0.018, 0.013, 0.010)
_LIGHTER_HAIR: tuple[Colour, ...] = (
    (0.10, 0.055, 0.028),
    (0.22, 0.13, 0.06),
    (0.16, 0.05, 0.02),
    (0.05, 0.03, 0.018),
)
_GREY_HAIR: Colour = (0.45, 0.45, 0.44)
_BROWN_IRIS: Colour = (0.055, 0.026, 0.012)
_LIGHTER_IRIS: tuple[Colour, ...] = (
    (0.12, 0.18, 0.24),
    (0.13, 0.15, 0.07),
    (0.15, 0.09, 0.04),
    (0.16, 0.18, 0.18),
)
_MALE_STYLES = ("short", "fringe", "buzz", "receding")
_FEMALE_STYLES = ("back", "long", "long_fringe", "bob", "bob_fringe")


@dataclass(frozen=True)
class Appearance:
    """What a face looks like apart from its shape. Colours are linear RGB, lengths in dm."""

    tone: float  # of the skin: 0 very light to 1 very dark
    undertone: float  # yellow against pink
    ruddiness: float  # strength of the red zones
    freckles: float
    moles: int  # their number; its neighbours are strengths
    blotches: float
    wrinkles: float
    oiliness: float
    hair_colour: Colour
    greyness: float
    hair_style: str
    hair_thickness: float
    hairline_shift: float  # dm
    stubble: float  # 0 to 1, as beard and moustache
    beard: float
    moustache: float
    brow_width: float
    brow_density: float
    brow_arch: float
    brow_rise: float  # dm
    brow_length: float
    lashes: float
    eye_liner: float
    lip_redness: float
    iris_colour: Colour
    iris_radius: float  # dm, for an eyeball of 0.14 dm
    pupil: float  # as a part of the iris
    glasses: str  # "none", "round" or "square"
    clothing: Colour


@dataclass(frozen=True)
class Lighting:
    """Laboratory light: a soft key light, a fill light and room light."""

    directions: tuple[Colour, Colour]  # unit vectors towards key and fill light
    powers: tuple[float, float]
    ambient: float  # strength of the room light
    colour: Colour  # of all light
    background: float  # brightness of the wall behind
    exposure: float  # factor on everything


@dataclass(frozen=True, eq=False)
class Identity:
    """One person, as drawn for a subject of a data set."""

    dataset: str
    subject: str
    seed: int
    age: float  # 0 (about 25 years) to 1 (about 70 years)
    maleness: float  # 0 female to 1 male
    ancestry: dict[str, float]  # shares that sum to 1
    shape: dict[str, float]  # weights of the head's shape targets
    appearance: Appearance
    lighting: Lighting

    def random(self, purpose: str) -> np.random.Generator:
        """Return a random generator of this person's own for one purpose."""
        return generator(purpose, self.dataset, self.subject, self.seed)


def generator(*key: str | int) -> np.random.Generator:
    """Return a random generator that depends on the key alone, on every machine."""
    digest = hashlib.sha256(json.dumps(key).encode()).digest()
    return np.random.default_rng(np.random.SeedSequence(int.from_bytes(digest[:16], "little")))


def sample_identity(dataset: str, subject: str, seed: int = 0) -> Identity:
    """Draw the person who stands for a subject of a data set.

    Parameters
    ----------
    dataset, subject
        Names; another name of either gives another person, so data sets never share people.
    seed
        Another seed gives another cast.

    Returns
    -------
    Identity

    Raises
    ------
    memaa_lib.InputError
        If a name is empty or the seed is not a whole number from 0.

    Examples
    --------
    >>> person = sample_identity("casme2", "sub01")
    >>> person.shape == sample_identity("casme2", "sub01").shape
    True
    >>> person.shape == sample_identity("smic", "sub01").shape
    False
    """
    if not dataset or not str(subject):
        raise InputError(f"dataset and subject must be named, got {dataset!r} and {subject!r}")
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise InputError(f"seed must be a whole number from 0, got {seed!r}")
    key = (str(dataset), str(subject), int(seed))
    rng = generator("identity", *key)
    age = float(np.clip(rng.beta(1.2, 3.2), 0, 0.9))
    male = bool(rng.random() < 0.5)
    maleness = float(rng.uniform(0.85, 1) if male else rng.uniform(0, 0.15))
    shares = rng.dirichlet([0.35, 0.45, 0.45])
    ancestry = dict(zip(ANCESTRIES, map(float, shares), strict=True))
    shape = _sample_shape(rng, age, maleness, ancestry)
    appearance = _sample_appearance(rng, age, male, ancestry)
    return Identity(*key, age, maleness, ancestry, shape, appearance, _sample_lighting(rng))


def _sample_shape(
    rng: np.random.Generator, age: float, maleness: float, ancestry: dict[str, float]
) -> dict[str, float]:
    targets = load_head().targets
    muscle, weight = rng.uniform(0.35, 0.65), rng.uniform(0.28, 0.60)
    shape = macro_weights(age, maleness, ancestry, muscle, weight)
    for pattern, spread in _SHAPE_SPREAD.items():
        stem, less, more = re.fullmatch(r"(.*)\{(.*)\|(.*)\}", pattern).groups()  # type: ignore[union-attr]
        draw = rng.normal(_SHAPE_MEAN.get(stem, 0.0), spread)
        draw = float(np.clip(draw, -_LARGEST_WEIGHT, _LARGEST_WEIGHT))
        name = stem + (less if draw < 0 else more)
        if "*" in name:
            for side in "lr":
                shape[name.replace("*", side)] = abs(draw) + rng.normal(0, 0.08 * spread)
        else:
            shape[name] = abs(draw)
    outline = str(rng.choice(_OUTLINES if maleness > 0.5 else _FEMALE_OUTLINES))
    shape[f"head/head-{outline}"] = rng.uniform(0, _OUTLINE_LARGEST)
    for name in targets:
        if name.startswith("asym/asym-") and rng.random() < _ASYMMETRY_CHANCE:
            shape[name] = rng.uniform(0, _ASYMMETRY_LARGEST)
    return {name: float(weight) for name, weight in shape.items() if name in targets}


def _sample_appearance(
    rng: np.random.Generator, age: float, male: bool, ancestry: dict[str, float]
) -> Appearance:
    african, asian, caucasian = (ancestry[name] for name in ANCESTRIES)
    # skin tone follows ancestry, with scatter
    tone = 0.16 * caucasian + 0.30 * asian + 0.78 * african + rng.normal(0, 0.07)
    tone = float(np.clip(tone, 0.03, 0.97))
    dark = bool(rng.random() < 0.98 * (african + asian) + 0.45 * caucasian) or tone > 0.36
    hair = _DARK_HAIR if dark else _LIGHTER_HAIR[rng.integers(len(_LIGHTER_HAIR))]
    brown = dark or rng.random() < 0.3
    iris = _BROWN_IRIS if brown else _LIGHTER_IRIS[rng.integers(len(_LIGHTER_IRIS))]
    greyness = float(np.clip((age - 0.38) * 2.2 + rng.normal(0, 0.08), 0, 0.95))
    style = str(rng.choice(_MALE_STYLES if male else _FEMALE_STYLES))
    if style == "receding" and age < 0.2:
        style = "short"
    facial_hair = rng.random() if male else 0.0
    draw = rng.uniform
    return Appearance(
        tone=tone,
        undertone=float(rng.normal()),
        ruddiness=draw(0.2, 1.0),
        freckles=max(0.0, float(rng.normal(-0.3, 0.8))) * (tone < 0.35),
        moles=int(rng.integers(1, 6)),
        blotches=draw(0.5, 1.1),
        wrinkles=float(np.clip(0.10 + 1.1 * age + rng.normal(0, 0.08), 0.05, 1.2)),
        oiliness=draw(0.5, 1.3),
        hair_colour=_mix(hair, _GREY_HAIR, greyness),
        greyness=greyness,
        hair_style=style,
        hair_thickness=draw(0.06, 0.16) if male else draw(0.08, 0.18),
        hairline_shift=float(rng.normal(0, 0.035)),
        stubble=draw(0.15, 0.8) if male else 0.0,
        beard=draw(0.6, 1.0) if facial_hair > 0.8 else 0.0,
        moustache=draw(0.6, 1.0) if facial_hair > 0.68 else 0.0,
        brow_width=draw(0.85, 1.3) if male else draw(0.55, 1.0),
        brow_density=draw(0.7, 1.3),
        brow_arch=float(rng.normal()),
        brow_rise=float(rng.normal(0, 0.010)),
        brow_length=draw(0.9, 1.08),
        lashes=draw(0.5, 0.9) if male else draw(0.9, 1.6),
        eye_liner=0.0 if male else float(rng.random() ** 2),
        lip_redness=draw(0.2, 0.6) if male else draw(0.4, 1.2),
        iris_colour=iris,
        iris_radius=draw(0.058, 0.064),
        pupil=draw(0.34, 0.5),
        glasses=str(rng.choice(["none", "round", "square"], p=[0.84, 0.08, 0.08])),
        clothing=(draw(0.02, 0.45), draw(0.02, 0.45), draw(0.02, 0.45)),
    )


def _sample_lighting(rng: np.random.Generator) -> Lighting:
    azimuth, elevation = rng.uniform(-55, 55), rng.uniform(15, 50)
    fill_azimuth = -azimuth * rng.uniform(0.6, 1.2) - np.sign(azimuth) * 10
    warmth = float(rng.uniform(-0.06, 0.06))
    return Lighting(
        directions=(_direction(azimuth, elevation), _direction(fill_azimuth, rng.uniform(0, 30))),
        powers=(rng.uniform(0.55, 0.95), rng.uniform(0.18, 0.45)),
        ambient=rng.uniform(0.22, 0.42),
        colour=(1 + warmth, 1.0, 1 - warmth),
        background=rng.uniform(0.12, 0.6),
        exposure=rng.uniform(0.9, 1.12),
    )


def _direction(azimuth_deg: float, elevation_deg: float) -> Colour:
    a, e = np.radians(azimuth_deg), np.radians(elevation_deg)
    return float(np.sin(a) * np.cos(e)), float(np.sin(e)), float(np.cos(a) * np.cos(e))


def _mix(first: Colour, second: Colour, share: float) -> Colour:
    return tuple((1 - share) * a + share * b for a, b in zip(first, second, strict=True))  # type: ignore[return-value]
