"""Emotion Avatar Image (Sec. 3.4, Fig. 5) and the whole chain from clip to avatar.

The avatar is the mean of the registered frames that frame removal has kept: one image for a clip.
:func:`clip_to_avatar` runs Secs. 3.1 to 3.4 on one clip, :func:`make_avatars` on a whole index of
clips, in parallel and with a cache on disk.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memaa_lib._support.cache import VERSION, cache_root, fingerprint, kept
from memaa_lib._support.errors import InputError, check_count
from memaa_lib._support.running import kept_or_made, progress
from memaa_lib.clips import Clip, read_image, resize, write_image
from memaa_lib.datasets import ClipRow, load_clip, load_truth_landmarks, rows_of
from memaa_lib.datasets.layout import clip_fingerprint
from memaa_lib.magnification import Magnification, as_alphas, magnify
from memaa_lib.registration import Points, crop_clip, find_face, find_landmarks, register
from memaa_lib.texture import Scoring, keep_frames

LARGEST_IN_MEMORY = (
    4 << 30
)  # bytes; more avatars than that lie in a file and are read as they are used


@dataclass(frozen=True)
class AvatarSettings:
    """Every parameter of the chain from clip to avatar: each stage's own, and how they are joined.

    Parameters
    ----------
    magnification
        Sec. 3.1.
    scoring
        Sec. 3.2.
    remove_frames
        Whether frames of low textural variance are left out.
    sequence
        ``"magnify_first"``: magnify, score, align, as the paper's sections follow each other;
        ``"align_first"``: align, then magnify and score, so that head movement is not magnified.
    landmarks
        ``"magnified"``: found by dlib in the magnified frames; ``"original"``: in the frames as
        they came; ``"given"``: those that the clip carries, or that are stored with a twin (positions
        in the original frames).
    points, smooth
        Registration, see :func:`memaa_lib.registration.register`.
    crop
        ``"auto"``: cut out the face where it is small in the frame (SAMM and the raw releases);
        ``"never"``: take frames as they are.
    size
        Sides of the avatar, px.

    Examples
    --------
    >>> AvatarSettings(Magnification(temporal="ideal")).magnification.band_hz
    (0.5, 10.0)
    """

    magnification: Magnification = field(default_factory=Magnification)
    scoring: Scoring = field(default_factory=Scoring)
    remove_frames: bool = True
    sequence: Literal["magnify_first", "align_first"] = "magnify_first"
    landmarks: Literal["magnified", "original", "given"] = "magnified"
    points: Points = "all"
    smooth: float = 0.0
    crop: Literal["auto", "never"] = "auto"
    size: int = 224

    def __post_init__(self) -> None:
        """Check what no stage checks by itself."""
        check_count("size", self.size)
        choices: dict[str, tuple[str, ...]] = {
            "sequence": ("magnify_first", "align_first"),
            "landmarks": ("magnified", "original", "given"),
            "crop": ("auto", "never"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise InputError(
                    f"{name} is {getattr(self, name)!r}, expected one of {', '.join(allowed)}"
                )


def emotion_avatar(clip: Clip, size: int = 224) -> NDArray[np.uint8]:
    """Return the mean of registered frames as one square colour image.

    Parameters
    ----------
    clip
        Registered, without the frames that frame removal takes.
    size
        Sides of the avatar, px.

    Returns
    -------
    ndarray
        ``uint8`` ``(size, size, 3)``; gray frames give three equal channels. Rounded once, at the
        end.

    Examples
    --------
    >>> frames = np.stack([np.full((8, 8), level, np.uint8) for level in (10, 20)])
    >>> emotion_avatar(Clip(frames, fps=100), size=4)[0, 0]
    array([15, 15, 15], dtype=uint8)
    """
    check_count("size", size)
    mean = clip.frames.mean(axis=0, dtype=np.float64).astype(np.float32)
    avatar = whole_levels(resize(mean, size, size))
    return avatar if avatar.ndim == 3 else np.repeat(avatar[..., None], 3, axis=2)


def clip_to_avatar(
    clip: Clip, alpha: float | Sequence[float] = 10.0, settings: AvatarSettings | None = None
) -> NDArray[np.uint8]:
    """Run the whole chain on one clip: magnify, score and remove, align, average.

    Parameters
    ----------
    clip
        The frames from onset to offset, all of which are used. The landmarks that it carries are used
        for everything if ``settings.landmarks == "given"``, else not at all.
    alpha
        Amplification; a sequence of A values shares what does not depend on it.
    settings
        Default: ``AvatarSettings()``.

    Returns
    -------
    ndarray
        ``uint8`` ``(size, size, 3)``; ``(A, size, size, 3)`` if ``alpha`` is a sequence.

    Raises
    ------
    InputError
        If a face cannot be found, landmarks are wanted and not given, or a parameter is wrong.

    Examples
    --------
    >>> face = np.random.default_rng(0).uniform(10, 50, (68, 2))
    >>> face[8] = (26, 60)
    >>> still = np.full((4, 64, 52), 90, np.uint8)
    >>> clip = Clip(still, fps=100, landmarks=np.stack([face] * 4))
    >>> clip_to_avatar(clip, 10, AvatarSettings(landmarks="given", size=32)).shape
    (32, 32, 3)
    """
    settings = settings or AvatarSettings()
    clip = _prepared(clip, settings)
    if settings.sequence == "align_first":
        clip = register(clip, points=settings.points, smooth=settings.smooth)
    avatars = []
    for one in magnify(clip, as_alphas(alpha), settings.magnification):
        if settings.remove_frames:
            one = keep_frames(one, settings.scoring)
        if settings.sequence == "magnify_first":
            one = register(one, points=settings.points, smooth=settings.smooth)
        avatars.append(emotion_avatar(one, settings.size))
    return avatars[0] if np.ndim(alpha) == 0 else np.stack(avatars)


def _prepared(clip: Clip, settings: AvatarSettings) -> Clip:
    """Return the clip as the chain takes it: cropped, with its face's box and the wanted landmarks."""
    if settings.landmarks == "given":
        if clip.landmarks is None:
            raise InputError(
                f"{clip}: settings.landmarks is 'given' but the clip carries none; give it some or "
                "choose 'magnified' or 'original'"
            )
    else:
        # the box of the clip as it came serves the magnified frames, too
        clip = replace(clip, landmarks=None, box=find_face(clip))
    if settings.landmarks == "original":
        clip = replace(clip, landmarks=find_landmarks(clip))
    return clip if settings.crop == "never" else crop_clip(clip)


def whole_levels(image: Any) -> NDArray[np.uint8]:
    """Return an image in whole gray levels."""
    return np.asarray(np.clip(np.rint(image), 0, 255), np.uint8)


def make_avatars(
    index: pd.DataFrame,
    alphas: Sequence[float] = (0.0, 5.0, 10.0, 15.0),
    settings: AvatarSettings | None = None,
    n_jobs: int = 2,
    on_error: Literal["raise", "skip"] = "raise",
    cluster: str | None = None,
) -> NDArray[np.uint8]:
    """Make the avatars of all clips of an index, in parallel, each kept in the cache.

    Parameters
    ----------
    index
        One row a clip, from :func:`memaa_lib.datasets.load_index`.
    alphas
        A amplifications.
    settings
        Default: ``AvatarSettings()``.
    n_jobs
        Processes at most; a few clips are made in this one. The result does not depend on it.
    on_error
        ``"raise"``: go through all clips, then raise one error that lists those that failed;
        ``"skip"``: black avatars for those.
    cluster
        Dask scheduler, see :func:`memaa_lib.protocol.evaluate`. Its workers read the clips by the
        same paths, so they need the same file system, and keep avatars in their own cache.

    Returns
    -------
    ndarray
        ``uint8`` ``(N, A, size, size, 3)``, clips in the order of the index. Above 4 GiB it is a
        memory map of a file in the cache folder, which goes with it.

    Raises
    ------
    InputError
        If clips failed (with ``on_error="raise"``), or index or alphas are unusable.

    Examples
    --------
    >>> from memaa_lib.datasets import load_index  # doctest: +SKIP
    >>> make_avatars(load_index("smic")).shape  # doctest: +SKIP
    (164, 4, 224, 224, 3)
    """
    settings = settings or AvatarSettings()
    if not len(index):
        raise InputError("the index holds no clip; choose a data set and protocol that do")
    as_alphas(alphas)
    rows = rows_of(index)
    tasks = [(row, tuple(alphas), settings) for row in rows]
    avatars = _black((len(rows), len(alphas), settings.size, settings.size, 3))
    failures: list[str] = []
    with progress("avatars", len(rows)) as advance:
        for i, result in kept_or_made(_kept_avatars, tasks, n_jobs, cluster=cluster):
            if isinstance(result, str):
                failures.append(result)
            else:
                avatars[i] = result
            advance()
    if failures and on_error == "raise":
        raise InputError(f"{len(failures)} of {len(rows)} clips failed: " + "; ".join(failures))
    return avatars


def _black(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return an array of zeros; in a file without a name where memory might not hold it."""
    size = math.prod(shape)
    if size <= LARGEST_IN_MEMORY:
        return np.zeros(shape, np.uint8)
    with tempfile.TemporaryFile(dir=cache_root()) as file:
        if hasattr(os, "posix_fallocate"):  # a full disk is found here, and not amid the work
            os.posix_fallocate(file.fileno(), 0, size)
        return np.memmap(file, np.uint8, "w+", shape=shape)


def _kept_avatars(
    row: ClipRow,
    alphas: tuple[float, ...],
    settings: AvatarSettings,
) -> NDArray[np.uint8] | str:
    """Avatars of one clip, from the cache where they are there; what went wrong, as text."""

    def make(missing: list[int]) -> NDArray[np.uint8]:
        # cropped by clip_to_avatar, with the true landmarks if the settings ask for them
        clip = replace(load_clip(row, crop=False), landmarks=truth)
        return clip_to_avatar(clip, [alphas[i] for i in missing], settings)

    try:
        truth = load_truth_landmarks(row) if settings.landmarks == "given" else None
        key = fingerprint(VERSION, clip_fingerprint(row), settings, truth)
        files = [f"avatars/{key}/alpha-{float(alpha)}.png" for alpha in alphas]
        avatars: list[NDArray[np.uint8]] = kept(files, make, read_image, write_image)
        return np.stack(avatars)
    except (InputError, OSError) as error:
        return f"{row.dataset} {row.subject} {row.clip}: {error}"
