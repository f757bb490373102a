"""What carries the result: the method with one part changed at a time.

The paper has no such comparison. An arm changes one thing in the chain or in the training and keeps
the folds, the seed and everything else. Most arms change a setting of the chain
(:class:`memaa_lib.avatar.AvatarSettings`); some put another picture in the avatar's place.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memaa_lib import metrics
from memaa_lib._support.cache import VERSION, fingerprint, kept, kept_arrays
from memaa_lib._support.errors import InputError
from memaa_lib._support.running import all_kept_or_made, one_opencv_thread
from memaa_lib.avatar import AvatarSettings, clip_to_avatar, emotion_avatar, make_avatars
from memaa_lib.baselines import apex_position
from memaa_lib.clips import Clip, read_image, write_image
from memaa_lib.datasets import ClipRow, load_clip, rows_of
from memaa_lib.datasets.index import Roots
from memaa_lib.datasets.layout import clip_fingerprint
from memaa_lib.experiments import pretraining
from memaa_lib.experiments.original_avatar import original_emotion_avatar
from memaa_lib.experiments.reference_runs import Runs, Tables, read_reference
from memaa_lib.magnification import Magnification, magnify
from memaa_lib.paper import DATASETS, TEST_ALPHA, TRAINING_ALPHAS
from memaa_lib.profiles import profile_named
from memaa_lib.protocol import Memaa, Results, evaluate, load_members, make_folds
from memaa_lib.registration import register
from memaa_lib.texture import keep_frames

Picture = Literal[
    "avatar", "unaligned", "plain mean", "apex frame", "original avatar", "late start", "jittered"
]
FULL = "full method"


@dataclass(frozen=True)
class Arm:
    """The method with one part changed.

    Parameters
    ----------
    name
        What is different.
    part
        The part of the method that is changed.
    train_alphas, test_alpha
        Amplification of training and test avatars.
    settings
        Chain from clip to avatar.
    picture
        What the network sees: the ``"avatar"``; ``"unaligned"``: the mean of the kept magnified
        frames without registration; ``"plain mean"``: the mean of all frames, nothing done to them;
        ``"apex frame"``: the magnified apex frame alone; ``"original avatar"``: that of Yang and
        Bhanu, see :func:`memaa_lib.experiments.original_avatar.original_emotion_avatar`; ``"late
        start"``: the avatar, whose filter starts from the mean of the first frames in place of the
        first one; ``"jittered"``: the avatar of a clip that is cut out less exactly.
    class_weights
        How the classes are balanced, see :class:`memaa_lib.profiles.TrainingProfile`.

    Examples
    --------
    >>> ARMS["full method"].test_alpha
    10.0
    """

    name: str
    part: str = ""
    train_alphas: tuple[float, ...] = TRAINING_ALPHAS
    test_alpha: float = TEST_ALPHA
    settings: AvatarSettings = field(default_factory=AvatarSettings)
    picture: Picture = "avatar"
    class_weights: str = "balanced"

    def __post_init__(self) -> None:
        """Check the picture."""
        if self.picture not in get_args(Picture):
            raise InputError(
                f"picture is {self.picture!r}, expected one of {', '.join(get_args(Picture))}"
            )

    @property
    def needs_own_avatars(self) -> bool:
        """Whether the avatars of the full method do not serve."""
        return self.settings != AvatarSettings() or self.picture != "avatar"


def _magnified(**options: Any) -> AvatarSettings:
    """Change the magnification of the chain."""
    return AvatarSettings(Magnification(**options))


_UNMAGNIFIED: dict[str, Any] = {"train_alphas": (0.0,), "test_alpha": 0.0}
ARMS: dict[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm(FULL),
        Arm("no magnification", "magnification", **_UNMAGNIFIED),
        Arm("alpha 5 only", "magnification", (5.0,), 5.0),
        Arm("alpha 10 only", "magnification", (10.0,), 10.0),
        Arm("alpha 15 only", "magnification", (15.0,), 15.0),
        Arm(
            "A: r = 0.4, 0.05 a frame",
            "temporal filter",
            settings=_magnified(per_frame_r=(0.4, 0.05)),
        ),
        Arm(
            "B: ideal 0.4-3 Hz, a band that is often empty",
            "temporal filter",
            settings=_magnified(temporal="ideal", band_hz=(0.4, 3.0)),
        ),
        Arm(
            "C: ideal 5-25 Hz, faster than the movement",
            "temporal filter",
            settings=_magnified(temporal="ideal", band_hz=(5.0, 25.0)),
        ),
        Arm(
            "F: ideal 0.5-10 Hz",
            "temporal filter",
            settings=_magnified(temporal="ideal"),
        ),
        Arm(
            "F, no frame removed",
            "temporal filter",
            settings=AvatarSettings(Magnification(temporal="ideal"), remove_frames=False),
        ),
        Arm("started from the mean of five frames", "temporal filter", picture="late start"),
        Arm(
            "D: onset-referenced",
            "temporal filter",
            settings=_magnified(temporal="onset"),
        ),
        Arm(
            "E: only wavelengths above 48 px in full",
            "spatial gains",
            settings=_magnified(cutoff_wavelength=48.0),
        ),
        Arm("no frame removed", "frame removal", settings=AvatarSettings(remove_frames=False)),
        Arm("aligned first", "registration", settings=AvatarSettings(sequence="align_first")),
        Arm(
            "aligned first, landmarks smoothed",
            "registration",
            settings=AvatarSettings(sequence="align_first", smooth=3.0),
        ),
        Arm("no registration", "registration", picture="unaligned"),
        Arm("apex frame", "picture", picture="apex frame"),
        Arm("mean of the clip as it is", "picture", **_UNMAGNIFIED, picture="plain mean"),
        Arm("original avatar", "picture", **_UNMAGNIFIED, picture="original avatar"),
        Arm("cut out less exactly", "picture", picture="jittered"),
        Arm("loss not weighted", "imbalance", class_weights="none"),
        Arm(
            "loss not weighted, copies by class",
            "imbalance",
            (10.0, 5.0, 15.0),  # a frequent class has the first of them only
            class_weights="copies",
        ),
    )
}
TITLES: Mapping[str, str] = {
    FULL: "the full method",
    "no magnification": "not magnified",
    "alpha 5 only": "one factor only: 5",
    "alpha 10 only": "one factor only: 10",
    "alpha 15 only": "one factor only: 15",
    "A: r = 0.4, 0.05 a frame": "filter A: set in frames",
    "B: ideal 0.4-3 Hz, a band that is often empty": "filter B: a slow band, 0.4 to 3 Hz",
    "C: ideal 5-25 Hz, faster than the movement": "filter C: a fast band, 5 to 25 Hz",
    "F: ideal 0.5-10 Hz": "filter F: an ideal one, 0.5 to 10 Hz",
    "F, no frame removed": "filter F, and every frame kept",
    "started from the mean of five frames": "filter started from five frames",
    "D: onset-referenced": "filter D: change since the first frame",
    "E: only wavelengths above 48 px in full": "fine detail magnified less",
    "no frame removed": "every frame kept",
    "aligned first": "aligned, then magnified",
    "aligned first, landmarks smoothed": "the same, landmarks smoothed",
    "no registration": "not aligned",
    "apex frame": "the apex frame alone, magnified",
    "mean of the clip as it is": "plain mean of the clip",
    "original avatar": "avatar of Yang and Bhanu",
    "cut out less exactly": "face cut out less exactly",
    "loss not weighted": "classes not weighted",
    "loss not weighted, copies by class": "more copies of rarer classes",
}
"""What the pages call an arm.

:meta hide-value:
"""
ARM_STARTS = 3  # starting weights that the reference run takes every arm from: seeds 0 to 2
LATE_START = 5  # frames whose mean a "late start" begins from
JITTER = (0.9, 1.1), 0.05  # sizes of a cut, and how far it is off, as shares of the sides
QUICK = tuple(name for name, arm in ARMS.items() if not arm.needs_own_avatars)


def run_arm(
    name: str,
    dataset: str,
    protocol: str = "loso",
    profile: str = "laptop",
    *,
    root: Roots = None,
    allow_mixed: bool = False,
    weights: Path | str | None = None,
    seed: int = 0,
    n_jobs: int = 2,
) -> Results:
    """Train and test one arm.

    Parameters
    ----------
    name
        A key of :data:`ARMS`.
    dataset, protocol, root, allow_mixed
        See :func:`memaa_lib.protocol.train`.
    profile
        Name of the training profile; the arm replaces its amplifications.
    weights
        Starting weights; default: those of the profile.
    seed
        Seed of folds and training.
    n_jobs
        Processes. The result does not depend on it.

    Returns
    -------
    memaa_lib.protocol.Results

    Raises
    ------
    InputError
        For an unknown arm.
    """
    if name not in ARMS:
        raise InputError(f"{name}: no such arm; there are {', '.join(ARMS)}")
    arm = ARMS[name]
    changes: dict[str, Any] = {"train_alphas": arm.train_alphas, "test_alpha": arm.test_alpha}
    if arm.class_weights != ARMS[FULL].class_weights:  # otherwise the profile's own
        changes["class_weights"] = arm.class_weights
    changed = profile_named(profile, **changes)
    index = load_members(dataset, protocol, root, allow_mixed=allow_mixed)
    folds = make_folds(index, protocol, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an ideal filter warns of clips in which its band is empty
        pictures = make_pictures(index, changed.alphas, arm, n_jobs=n_jobs)
    system = Memaa(changed, seed=seed, weights=weights, n_jobs=n_jobs)
    return evaluate(pictures, index, folds, system, n_jobs=n_jobs)


def make_pictures(
    index: pd.DataFrame, alphas: Sequence[float], arm: Arm, n_jobs: int = 2
) -> NDArray[np.uint8]:
    """Make what the network of an arm sees of every clip; each picture is kept on disk.

    Parameters
    ----------
    index
        One row a clip.
    alphas
        A amplifications.
    arm
        What to make.
    n_jobs
        Processes. The result does not depend on it.

    Returns
    -------
    ndarray
        ``uint8`` ``(N, A, size, size, 3)``.

    Raises
    ------
    InputError
        If a clip cannot be used.

    Examples
    --------
    >>> make_pictures(load_index("smic"), [10.0], ARMS["apex frame"]).shape  # doctest: +SKIP
    (164, 1, 224, 224, 3)
    """
    if arm.picture == "avatar":
        return make_avatars(index, alphas, arm.settings, n_jobs=n_jobs)
    rows = rows_of(index)
    if arm.picture == "original avatar":
        return _original_avatars(rows, len(alphas), arm.settings.size)
    calls = [(row, tuple(alphas), arm) for row in rows]
    return np.stack(all_kept_or_made(arm.name, _kept_pictures, calls, n_jobs))


def clip_pictures(clip: Clip, alphas: Sequence[float], arm: Arm, apex: int) -> NDArray[np.uint8]:
    """Make what stands in the avatar's place for one cropped clip, ``uint8`` ``(A, size, size, 3)``.

    Examples
    --------
    >>> clip = Clip(np.full((4, 64, 52), 90, np.uint8), fps=100)
    >>> clip_pictures(clip, [0.0], Arm("mean", picture="plain mean"), apex=2).shape
    (1, 224, 224, 3)
    """
    settings = arm.settings
    if arm.picture == "jittered":
        return clip_to_avatar(_jittered(clip), alphas, settings)
    if arm.picture == "late start":
        magnified = _magnified_from_the_mean(clip, alphas, settings)
        aligned = (register(keep_frames(one, settings.scoring)) for one in magnified)
        return np.stack([emotion_avatar(one, settings.size) for one in aligned])
    if arm.picture == "plain mean":
        pictures = [clip] * len(alphas)
    else:
        pictures = magnify(clip, alphas, settings.magnification)
    if arm.picture == "apex frame":
        pictures = [one[np.arange(one.n_frames) == apex] for one in pictures]
    if arm.picture == "unaligned" and settings.remove_frames:
        pictures = [keep_frames(one, settings.scoring) for one in pictures]
    return np.stack([emotion_avatar(one, settings.size) for one in pictures])


def _magnified_from_the_mean(
    clip: Clip, alphas: Sequence[float], settings: AvatarSettings
) -> list[Clip]:
    """Magnify a clip with the mean of its first frames before it, which the filter then starts from."""
    mean = clip.frames[:LATE_START].mean(axis=0).round().astype(np.uint8)
    led = Clip(np.concatenate([mean[None], clip.frames]), clip.fps)
    return [
        replace(clip, frames=one.frames[1:], landmarks=None)
        for one in magnify(led, alphas, settings.magnification)
    ]


def _jittered(clip: Clip) -> Clip:
    """Cut a clip out anew, a tenth too large or too small and a little aside; repeat the border."""
    sizes, reach = JITTER
    generator = np.random.default_rng(int(fingerprint(str(clip))[:8], 16))
    size, (right, down) = generator.choice(sizes), generator.choice([-reach, reach], 2)
    middle = np.array([clip.width, clip.height]) / 2
    shift = middle * (1 - size) + size * middle * 2 * (right, down)
    matrix = np.array([[size, 0, shift[0]], [0, size, shift[1]]], np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    frames = [
        cv2.warpAffine(
            frame, matrix, (clip.width, clip.height), flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        for frame in clip.frames
    ]
    return replace(clip, frames=np.stack(frames), landmarks=None)


def _kept_pictures(row: ClipRow, alphas: tuple[float, ...], arm: Arm) -> NDArray[np.uint8]:
    """Pictures of one clip, from the cache where they are there."""
    key = fingerprint(VERSION, clip_fingerprint(row), arm.picture, arm.settings)
    files = [f"pictures/{key}/alpha-{float(alpha)}.png" for alpha in alphas]

    def make(missing: list[int]) -> NDArray[np.uint8]:
        apex = apex_position(row) if arm.picture == "apex frame" else 0
        return clip_pictures(load_clip(row), [alphas[i] for i in missing], arm, apex)

    pictures: list[NDArray[np.uint8]] = kept(files, make, read_image, write_image)
    return np.stack(pictures)


def _original_avatars(rows: Sequence[ClipRow], n_alphas: int, size: int) -> NDArray[np.uint8]:
    """Return the avatars of Yang and Bhanu; their reference is made of all clips, without labels."""
    key = fingerprint(VERSION, "original", size, [clip_fingerprint(row) for row in rows])

    def make() -> tuple[NDArray[np.uint8], ...]:
        clips = [load_clip(row) for row in rows]
        with one_opencv_thread():
            return original_emotion_avatar(clips, size=size)

    avatars, _ = kept_arrays(f"pictures/{key}.npz", make)
    return np.repeat(avatars[:, None], n_alphas, axis=1)


Run: TypeAlias = Results | metrics.Predictions


def compare_arms(
    runs: Mapping[str, Run], reference: str = FULL, resamples: int = 10_000
) -> pd.DataFrame:
    """Return the score of each arm with its interval, and its difference from the full method.

    Parameters
    ----------
    runs
        Arm to results, to their table of predictions, or to tables from several starting weights,
        on the same clips and folds.
    reference
        The arm that the others are held against.
    resamples
        Of the bootstrap; 1 where the intervals are not wanted.

    Returns
    -------
    pandas.DataFrame
        One row an arm: ``part``; ``uf1, low, high``; ``uar``; and ``difference, difference_low,
        difference_high`` of UF1 from a paired bootstrap over subjects, and over starting weights
        where there are several.

    Raises
    ------
    InputError
        If the reference was not run.
    """
    if reference not in runs:
        raise InputError(f"{reference}: was not run; run it to compare with it")
    tables = {name: getattr(run, "predictions", run) for name, run in runs.items()}
    compared = metrics.compare(tables, reference, resamples=resamples)
    compared["uar"] = metrics.compare(tables, reference, "uar", resamples=1)["uar"]
    compared["part"] = [ARMS[name].part if name in ARMS else "" for name in tables]
    return compared


def every_arm(
    dataset: str, protocol: str, profile: str, *, seed: int, n_jobs: int, **where: Any
) -> tuple[Runs, Tables]:
    """Run every arm from starting weights of several seeds."""
    if protocol == "cross":
        raise InputError("protocol 'cross' has no arms; choose loso, kfold or composite")
    given: Any = {"seed": seed, "n_jobs": n_jobs, **where}
    runs = {}
    for start in range(ARM_STARTS):
        weights = pretraining.weights_from_seed(profile_named(profile), start, n_jobs=n_jobs)
        for name in ARMS:
            runs[f"{name} | {start}"] = run_arm(
                name, dataset, protocol, profile, weights=weights, **given
            )
    return runs, {}


def matching_reference(
    data: str, dataset: str, protocol: str, profile: str
) -> dict[str, list[pd.DataFrame]]:
    """Return the reference run of every arm on the same data, or none.

    Parameters
    ----------
    data
        What :func:`memaa_lib.datasets.examples.describe` says of the data.
    dataset, protocol, profile
        How the arms are run.

    Returns
    -------
    dict of str to list of pandas.DataFrame
        Arm to a table of predictions for each starting weights, for :func:`compare_arms`; empty if no
        run of the same data, protocol and profile is kept.
    """
    try:
        kept = read_reference(f"arms/{dataset}")
    except InputError:
        return {}
    wanted = {"data": data, "protocol": protocol, "profile": profile}
    if any(kept.provenance[key] != value for key, value in wanted.items()):
        return {}
    return by_arm(kept.runs)


def by_arm(runs: Mapping[str, pd.DataFrame]) -> dict[str, list[pd.DataFrame]]:
    """Put the runs of an arm from several starting weights, ``"arm | start"``, together."""
    arms: dict[str, list[pd.DataFrame]] = {}
    for name, table in runs.items():
        arms.setdefault(name.split(" | ")[0], []).append(table)
    return arms


def pooled_reference(datasets: Sequence[str] = DATASETS) -> dict[str, list[pd.DataFrame]]:
    """Pool the reference runs of several data sets: every arm on the clips of all of them.

    Each set was trained and tested on its own; only the answers are put together. A part that
    matters in one set by chance of its few people is not likely to matter in the pool.

    Parameters
    ----------
    datasets
        Sets that ``memaa reference arms`` was run on.

    Returns
    -------
    dict of str to list of pandas.DataFrame
        Arm to a table of predictions for each starting weights, for :func:`compare_arms`.

    Raises
    ------
    InputError
        If the run of a set is missing, or they differ in protocol, profile, seed or starting
        weights.

    Examples
    --------
    >>> [len(table) for table in pooled_reference(["smic"])["full method"]]
    [164, 164, 164]
    """
    kept = [read_reference(f"arms/{dataset}") for dataset in datasets]
    alike = ("protocol", "profile", "seed", "start")
    for dataset, reference in zip(datasets, kept, strict=True):
        for key in alike:
            own, first = reference.provenance[key], kept[0].provenance[key]
            if own != first:
                raise InputError(
                    f"arms/{dataset}: {key} is {own!r}, that of arms/{datasets[0]} {first!r}; run "
                    f"'memaa reference arms {dataset}' again"
                )
    return by_arm(
        {
            name: pd.concat([reference.runs[name] for reference in kept], ignore_index=True)
            for name in kept[0].runs
        }
    )


def arm_names(which: str) -> Sequence[str]:
    """Return the arms that ``one``, ``quick`` or ``all`` stands for.

    Parameters
    ----------
    which
        ``"one"``: the full method; ``"quick"``: those that use its avatars; ``"all"``.

    Returns
    -------
    sequence of str

    Raises
    ------
    InputError
        For any other word.

    Examples
    --------
    >>> list(arm_names("quick"))[:2]
    ['full method', 'no magnification']
    """
    named = {"one": (FULL,), "quick": QUICK, "all": tuple(ARMS)}
    if which not in named:
        raise InputError(f"{which!r}: expected 'one', 'quick' or 'all'")
    return named[which]
