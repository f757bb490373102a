"""Emotion Avatar Image (Sec. 3.4, Fig. 5) and the whole chain from clip to avatar.

The avatar is the mean of the registered frames that frame removal has kept: one image for a clip.
:func:`clip_to_avatar` runs Secs. 3.1 to 3.4 on one clip, :func:`make_avatars` on a whole index of
clips, in parallel and with a cache on disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memaa_lib._support.cache import VERSION, cache_root, fingerprint, kept
from memaa_lib._support.errors import InputError, check_count
from memaa_lib._support.running import in_parallel, progress
from memaa_lib.clips import Clip, check_frames, read_image, to_gray, write_image
from memaa_lib.magnification import TemporalFilter, as_alphas, magnify
from memaa_lib.registration import (
    FACE_SIZE,
    Box,
    Points,
    crop_window,
    find_face,
    find_landmarks,
    is_uncropped,
    register,
)
from memaa_lib.texture import Padding, keep_frames, texture_intensity


@dataclass(frozen=True)
class AvatarSettings:
    """Every parameter of the chain from clip to avatar.

    Parameters
    ----------
    temporal, band_hz, order, per_frame_r, cutoff_wavelength, chroma, exaggeration, clamp_gains
        Magnification, see :func:`memaa_lib.magnification.magnify`.
    remove_frames
        Whether frames of low textural variance are left out (Sec. 3.2).
    window, blocks, cutoff, padding
        Frame scoring, see :func:`memaa_lib.texture.texture_intensity`.
    scoring_size
        Rows and columns, px, to which gray frames are brought before they are scored.
    sequence
        ``"magnify_first"``: magnify, score, align, as the paper's sections follow each other;
        ``"align_first"``: align, then magnify and score, so that head movement is not magnified.
    landmarks
        ``"magnified"``: found by dlib in the magnified frames; ``"original"``: in the frames as
        they came; ``"given"``: passed with the clip or stored with a twin (positions in the
        original frames).
    points, smooth
        Registration, see :func:`memaa_lib.registration.register`.
    crop
        ``"auto"``: cut out the face where it is small in the frame (SAMM and the raw releases);
        ``"never"``: take frames as they are.
    size
        Sides of the avatar, px.

    Examples
    --------
    >>> AvatarSettings().band_hz, AvatarSettings(temporal="ideal").temporal
    ((0.5, 10.0), 'ideal')
    """

    temporal: TemporalFilter = "iir"
    band_hz: tuple[float, float] = (0.5, 10.0)
    order: int = 1
    per_frame_r: tuple[float, float] | None = None
    cutoff_wavelength: float = 16.0
    chroma: float = 0.1
    exaggeration: float = 2.0
    clamp_gains: bool = True
    remove_frames: bool = True
    window: int = 61
    blocks: int = 6
    cutoff: float = 30.0
    padding: Padding = "replicate"
    scoring_size: tuple[int, int] = FACE_SIZE
    sequence: Literal["magnify_first", "align_first"] = "magnify_first"
    landmarks: Literal["magnified", "original", "given"] = "magnified"
    points: Points = "all"
    smooth: float = 0.0
    crop: Literal["auto", "never"] = "auto"
    size: int = 224

    def __post_init__(self) -> None:
        """Check what no stage checks by itself."""
        check_count("size", self.size)
        for side in self.scoring_size:
            check_count("scoring_size", side)
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


def emotion_avatar(
    frames: NDArray[np.uint8], keep: NDArray[np.bool_] | None = None, size: int = 224
) -> NDArray[np.uint8]:
    """Return the mean of registered frames as one square colour image.

    Parameters
    ----------
    frames
        ``uint8``, RGB ``(T, H, W, 3)`` or gray ``(T, H, W)``, registered.
    keep
        ``bool`` ``(T,)``, which frames enter the mean. Default: all.
    size
        Sides of the avatar, px.

    Returns
    -------
    ndarray
        ``uint8`` ``(size, size, 3)``; gray frames give three equal channels. Rounded once, at the
        end.

    Raises
    ------
    InputError
        If the frames are no clip, or ``keep`` has another length or keeps none.

    Examples
    --------
    >>> frames = np.stack([np.full((8, 8), level, np.uint8) for level in (10, 20, 90)])
    >>> emotion_avatar(frames, keep=np.array([True, True, False]), size=4)[0, 0]
    array([15, 15, 15], dtype=uint8)
    """
    check_frames(frames)
    check_count("size", size)
    kept = np.ones(len(frames), bool) if keep is None else np.asarray(keep)
    if kept.shape != (len(frames),) or kept.dtype != np.bool_ or not kept.any():
        raise InputError(f"keep: expected {len(frames)} booleans, at least one of them true")
    mean = frames[kept].mean(axis=0, dtype=np.float64).astype(np.float32)
    resized = _resize(mean, size, size)
    rounded = _rounded(resized)
    return rounded if rounded.ndim == 3 else np.repeat(rounded[..., None], 3, axis=2)


def clip_to_avatar(
    clip: Clip,
    alpha: float | Sequence[float] = 10.0,
    settings: AvatarSettings | None = None,
    landmarks: NDArray[np.floating] | None = None,
) -> NDArray[np.uint8]:
    """Run the whole chain on one clip: magnify, score and remove, align, average.

    Parameters
    ----------
    clip
        The frames from onset to offset, all of which are used.
    alpha
        Amplification; a sequence of A values shares what does not depend on it.
    settings
        Default: ``AvatarSettings()``.
    landmarks
        ``(T, 68, 2)``, px, of the frames as they are. Used for everything if
        ``settings.landmarks == "given"``.

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
    >>> still = Clip(np.full((4, 64, 52), 90, np.uint8), fps=100)
    >>> face = np.random.default_rng(0).uniform(10, 50, (68, 2))
    >>> face[8] = (26, 60)
    >>> given = AvatarSettings(landmarks="given", size=32)
    >>> clip_to_avatar(still, 10, given, landmarks=np.stack([face] * 4)).shape
    (32, 32, 3)
    """
    settings = settings or AvatarSettings()
    alphas = as_alphas(alpha)
    frames, positions, box = _prepared(clip, settings, landmarks)
    if settings.sequence == "align_first":
        if positions is None:
            positions = find_landmarks(frames, box=box)
        frames = register(frames, positions, points=settings.points, smooth=settings.smooth)
    magnified = magnify(
        frames,
        clip.fps,
        alphas,
        band_hz=settings.band_hz,
        temporal=settings.temporal,
        order=settings.order,
        per_frame_r=settings.per_frame_r,
        cutoff_wavelength=settings.cutoff_wavelength,
        chroma=settings.chroma,
        exaggeration=settings.exaggeration,
        clamp_gains=settings.clamp_gains,
    )
    avatars = np.stack([_average(one, positions, box, settings) for one in magnified])
    return avatars[0] if np.ndim(alpha) == 0 else avatars


def original_emotion_avatar(
    clips: Sequence[NDArray[np.uint8]], *, levels: int = 2, size: int = 224
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Make the Emotion Avatar Images of Yang and Bhanu (2012), the idea the paper starts from.

    Every frame of every clip is brought onto one face, the avatar reference, by dense flow; a
    clip's avatar is the mean of its frames, and the mean of all avatars is the next level's
    reference. The paper keeps the mean and replaces the rest by one affine transform onto the
    clip's own first frame, which leaves the person in the picture.

    Parameters
    ----------
    clips
        M clips of cropped faces, each ``uint8`` RGB ``(T, H, W, 3)`` or gray ``(T, H, W)``; sizes
        may differ.
    levels
        How often the reference is made anew.
    size
        Sides of the avatars, px.

    Returns
    -------
    avatars
        ``uint8`` ``(M, size, size, 3)``.
    reference
        ``uint8`` ``(size, size, 3)``, the last level's.

    Raises
    ------
    InputError
        If there is no clip, or one is none.

    Notes
    -----
    Yang and Bhanu use SIFT flow; here it is dense inverse search (Kroeger et al. 2016), which is
    free, fast and as exact on small movements. They also raise the resolution; this does not.

    Examples
    --------
    >>> clips = [np.full((2, 60, 50), level, np.uint8) for level in (10, 30)]
    >>> avatars, reference = original_emotion_avatar(clips, levels=1, size=32)
    >>> avatars.shape, int(reference[0, 0, 0])
    ((2, 32, 32, 3), 20)
    """
    check_count("levels", levels)
    check_count("size", size)
    if not clips:
        raise InputError("no clips to make avatars of; expected at least one")
    stacks = []
    for number, frames in enumerate(clips):
        check_frames(frames, f"clip {number}")
        colour = frames if frames.ndim == 4 else np.repeat(frames[..., None], 3, axis=3)
        stacks.append(np.stack([_resize(frame, size, size) for frame in colour]))
    reference = _rounded(np.mean([stack.mean(axis=0) for stack in stacks], axis=0))
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    for _ in range(levels):
        means = []
        for stack in stacks:
            moved = [_onto_reference(frame, reference, flow) for frame in stack]
            means.append(np.mean(moved, axis=0, dtype=np.float64))
        reference = _rounded(np.mean(means, axis=0))
    return np.stack([_rounded(mean) for mean in means]), reference


def _onto_reference(
    frame: NDArray[np.uint8], reference: NDArray[np.uint8], flow: Any
) -> NDArray[np.uint8]:
    """Frame with every pixel of the reference fetched from where the flow finds it."""
    both = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (reference, frame)]
    rows, columns = np.indices(both[0].shape, np.float32)
    field = flow.calc(both[0], both[1], None)
    moved = cv2.remap(
        frame,
        columns + field[..., 0],
        rows + field[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(moved, np.uint8)


def _rounded(image: Any) -> NDArray[np.uint8]:
    """Image in whole gray levels."""
    return np.asarray(np.clip(np.rint(image), 0, 255), np.uint8)


def score_frames(
    frames: NDArray[np.uint8], settings: AvatarSettings | None = None
) -> NDArray[np.float64]:
    """Return A_i of every frame, scored as the chain does: gray and at the scoring size.

    Parameters
    ----------
    frames
        ``uint8``, RGB ``(T, H, W, 3)`` or gray ``(T, H, W)``.
    settings
        Default: ``AvatarSettings()``.

    Returns
    -------
    ndarray
        ``float64`` ``(T,)``.

    Raises
    ------
    InputError
        If the frames are no clip.

    Examples
    --------
    >>> score_frames(np.zeros((3, 64, 52), np.uint8)).shape
    (3,)
    """
    settings = settings or AvatarSettings()
    rows, columns = settings.scoring_size
    sized = np.stack([_resize(frame, rows, columns) for frame in to_gray(frames)])
    return texture_intensity(
        sized,
        window=settings.window,
        blocks=settings.blocks,
        cutoff=settings.cutoff,
        padding=settings.padding,
    )


def make_avatars(
    index: pd.DataFrame,
    alphas: Sequence[float] = (0.0, 5.0, 10.0, 15.0),
    settings: AvatarSettings | None = None,
    n_jobs: int = 2,
    on_error: Literal["raise", "skip"] = "raise",
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
        Processes. The result does not depend on it.
    on_error
        ``"raise"``: go through all clips, then raise one error that lists those that failed;
        ``"skip"``: black avatars for those.

    Returns
    -------
    ndarray
        ``uint8`` ``(N, A, size, size, 3)``, clips in the order of the index.

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
    rows = index.to_dict("records")
    common = (tuple(alphas), settings)
    results: list[NDArray[np.uint8] | str] = []
    with progress("avatars", len(rows)) as advance:
        for row in rows:  # no process is started for what is kept
            results.append(_kept_avatars(row, *common, may_make=False))
            advance(not isinstance(results[-1], str))
        missing = [i for i, result in enumerate(results) if isinstance(result, str)]
        if missing and n_jobs != 1:
            _compile_kernels()
        tasks = ((rows[i], *common) for i in missing)
        made = in_parallel(_kept_avatars, tasks, n_jobs) if missing else ()
        for i, result in zip(missing, made, strict=True):
            results[i] = result
            advance()
    failures = [result for result in results if isinstance(result, str)]
    if failures and on_error == "raise":
        raise InputError(f"{len(failures)} of {len(rows)} clips failed: " + "; ".join(failures))
    black = np.zeros((len(alphas), settings.size, settings.size, 3), np.uint8)
    return np.stack([one if isinstance(one, np.ndarray) else black for one in results])


def _compile_kernels() -> None:
    """Compile once here what every process would otherwise compile for itself."""
    tiny = np.zeros((2, 16, 16), np.uint8)
    tiny[1] = 9
    texture_intensity(magnify(tiny, 100, 10, cutoff_wavelength=1), window=3, blocks=1, cutoff=1)


def _kept_avatars(
    row: Mapping[str, Any],
    alphas: tuple[float, ...],
    settings: AvatarSettings,
    may_make: bool = True,
) -> NDArray[np.uint8] | str:
    """Avatars of one clip, from the cache where they are there; what went wrong, as text."""
    from memaa_lib.datasets import load_clip

    def make(missing: list[int]) -> NDArray[np.uint8]:
        if not may_make:
            raise InputError("not in the cache")
        wanted = [alphas[i] for i in missing]
        return clip_to_avatar(load_clip(row), wanted, settings, _given_landmarks(row, settings))

    try:
        files = _avatar_files(row, alphas, settings)
        avatars: list[NDArray[np.uint8]] = kept(files, make, read_image, write_image)
        return np.stack(avatars)
    except (InputError, OSError) as error:
        return f"{row['dataset']} {row['subject']} {row['clip']}: {error}"


def _avatar_files(
    row: Mapping[str, Any], alphas: tuple[float, ...], settings: AvatarSettings
) -> list[Path]:
    """Where the avatars of one clip are kept."""
    from memaa_lib.datasets.layout import clip_fingerprint

    parts = (clip_fingerprint(row), settings, _given_landmarks(row, settings))
    folder = cache_root() / "avatars" / fingerprint(VERSION, *parts)
    return [folder / f"alpha-{float(alpha)}.png" for alpha in alphas]


def _given_landmarks(
    row: Mapping[str, Any], settings: AvatarSettings
) -> NDArray[np.float32] | None:
    """Return the true landmarks of a twin's clip if the settings ask for them."""
    from memaa_lib.datasets import load_truth_landmarks

    return load_truth_landmarks(row) if settings.landmarks == "given" else None


def _prepared(
    clip: Clip, settings: AvatarSettings, landmarks: NDArray[np.floating] | None
) -> tuple[NDArray[np.uint8], NDArray[np.floating] | None, Box | None]:
    """Return cropped frames, landmarks in them if they are settled already, the face's box."""
    name, box = _name(clip), None
    if settings.landmarks == "given":
        if landmarks is None:
            raise InputError(
                f"{name}: settings.landmarks is 'given' but no landmarks were; pass them or choose "
                "'magnified' or 'original'"
            )
        if len(landmarks) != clip.n_frames:
            raise InputError(f"{name}: {clip.n_frames} frames but landmarks of {len(landmarks)}")
        first = landmarks[0]
    else:
        box = find_face(clip.frames, whole_image=True, name=name)
        n_needed = clip.n_frames if settings.landmarks == "original" else 1
        found = find_landmarks(clip.frames[:n_needed], box=box)
        first = found[0]
        landmarks = found if settings.landmarks == "original" else None
    if settings.crop == "never" or not is_uncropped(clip.frames, first):
        return clip.frames, landmarks, box
    left, top, right, bottom = crop_window(clip.frames, first)
    frames = np.ascontiguousarray(clip.frames[:, top:bottom, left:right])
    if landmarks is not None:
        landmarks = landmarks - np.array([left, top])
    if box is not None:
        box = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
    return frames, landmarks, box


def _average(
    frames: NDArray[np.uint8],
    landmarks: NDArray[np.floating] | None,
    box: Box | None,
    settings: AvatarSettings,
) -> NDArray[np.uint8]:
    """Remove frames, align what is left, average."""
    keep = np.ones(len(frames), bool)
    if settings.remove_frames:
        keep = keep_frames(score_frames(frames, settings))
    if settings.sequence == "magnify_first":
        # the first frame stays the reference even where it is not kept itself
        used = np.unique(np.concatenate([[0], np.flatnonzero(keep)]))
        frames, keep = frames[used], keep[used]
        found = find_landmarks(frames, box=box) if landmarks is None else landmarks[used]
        frames = register(frames, found, points=settings.points, smooth=settings.smooth)
    return emotion_avatar(frames, keep, settings.size)


def _resize(image: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """Image at another size, averaged over areas where it shrinks."""
    shrinks = image.shape[0] * image.shape[1] > rows * columns
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (columns, rows), interpolation=method))


def _name(clip: Clip) -> str:
    """Return what messages call the clip."""
    return " ".join(part for part in (clip.dataset, clip.subject, clip.name) if part) or "the clip"
