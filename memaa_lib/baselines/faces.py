"""What every compared system sees of a clip: cropped gray faces of one size, and the apex frame.

A :class:`FaceClip` reads only what is asked for: a system that looks at onset and apex decodes two
frames, one that looks at the whole clip decodes all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError
from memaa_lib.clips import Box, Clip, read_image, resize, to_gray
from memaa_lib.datasets.index import present_frames
from memaa_lib.datasets.rows import ClipRow
from memaa_lib.registration import crop_window, first_landmarks, is_uncropped
from memaa_lib.texture import FACE_SIZE, lbp_map, texture_intensity

ApexRule = Literal["middle", "searched"]
EYES = ((17, 22, 36, 42), (22, 27, 42, 48))  # landmarks: brow from, to; eye from, to
MOUTH = (48, 68)
REGION_MARGIN = 0.15  # by how much of its size a region is widened on each side


@dataclass(frozen=True)
class FaceClip:
    """The cropped gray faces of one clip, read as they are asked for.

    Parameters
    ----------
    row
        A row of :func:`memaa_lib.datasets.load_index`.
    size
        Rows and columns, px, to which faces are brought.
    apex_rule
        Where nobody annotated an apex (SMIC): ``"middle"`` takes the middle frame, ``"searched"``
        that of :func:`searched_apex`.

    Examples
    --------
    >>> FaceClip({"path": "nowhere", "onset": 1, "offset": 9}).numbers
    Traceback (most recent call last):
        ...
    memaa_lib.InputError: nowhere: no frame from 1 to 9; get the clip again or leave it out
    """

    row: ClipRow
    size: tuple[int, int] = FACE_SIZE
    apex_rule: ApexRule = "middle"

    def __post_init__(self) -> None:
        """Take any form of a row."""
        object.__setattr__(self, "row", ClipRow.of(self.row))

    @cached_property
    def _present(self) -> tuple[list[Path], list[int]]:
        return present_frames(self.row)

    @property
    def numbers(self) -> list[int]:
        """Numbers of the frames from onset to offset that are on disk."""
        return self._present[1]

    @cached_property
    def _first(self) -> Clip:
        """The onset frame as it is on disk."""
        row = self.row
        first = self._read(0)[None]
        return Clip(first, row.fps, dataset=row.dataset, subject=row.subject, name=row.clip)

    @cached_property
    def landmarks(self) -> NDArray[np.floating]:
        """``(68, 2)``, px, of the onset frame as it is on disk, found by dlib."""
        return first_landmarks(self._first)

    @cached_property
    def window(self) -> Box:
        """Left, top, right, bottom of the face in a frame; the whole frame if it is cropped."""
        if is_uncropped(self._first, self.landmarks):
            return crop_window(self._first, self.landmarks)
        return 0, 0, self._first.width, self._first.height

    @cached_property
    def faces(self) -> NDArray[np.uint8]:
        """All faces, ``uint8`` gray ``(T, rows, columns)``."""
        return np.stack([self.face(position) for position in range(len(self.numbers))])

    @cached_property
    def apex(self) -> int:
        """Position of the apex: annotated, else by the rule; the nearest frame on disk."""
        annotated = self.row.apex
        if annotated is None and self.apex_rule == "searched":
            return searched_apex(self.faces, self.face_landmarks)
        wanted = self.row.apex_or_middle if annotated is None else annotated
        return int(np.argmin([abs(number - wanted) for number in self.numbers]))

    @cached_property
    def face_landmarks(self) -> NDArray[np.float32]:
        """``(68, 2)``, px, in the onset face."""
        left, top, right, bottom = self.window
        scale = np.array([self.size[1] / (right - left), self.size[0] / (bottom - top)])
        scaled: NDArray[np.float32] = ((self.landmarks - (left, top)) * scale).astype(np.float32)
        return scaled

    def face(self, position: int) -> NDArray[np.uint8]:
        """Read one face.

        Parameters
        ----------
        position
            Counted from 0 at the onset.

        Returns
        -------
        ndarray
            ``uint8`` gray ``(rows, columns)``.
        """
        left, top, right, bottom = self.window
        frame = self._first.frames[0] if position == 0 else self._read(position)
        return np.asarray(resize(frame[top:bottom, left:right], *self.size), np.uint8)

    def _read(self, position: int) -> NDArray[np.uint8]:
        gray: NDArray[np.uint8] = to_gray(read_image(self._present[0][position])[None])[0]
        return gray


def apex_position(row: ClipRow) -> int:
    """Return the position of a clip's apex, counted from 0 at the onset.

    Parameters
    ----------
    row
        A row of :func:`memaa_lib.datasets.load_index`.

    Returns
    -------
    int
        The annotated one; where nobody annotated any (SMIC), the middle frame.

    Examples
    --------
    >>> apex_position(load_index("smic").iloc[0])  # doctest: +SKIP
    17
    """
    return FaceClip(row).apex


def searched_apex(faces: NDArray[np.uint8], landmarks: NDArray[np.floating]) -> int:
    """Find the apex by halving the clip (Liong et al. 2015), for sets without an annotated one.

    In three regions (each eye with its brow, the mouth) the histogram of local binary patterns of
    every frame is held against that of the onset. The clip is then halved again and again, and the
    half with the larger sum of differences is kept.

    Parameters
    ----------
    faces
        ``uint8`` gray ``(T, H, W)``, the onset first.
    landmarks
        ``(68, 2)`` of the onset face, px.

    Returns
    -------
    int
        0 to T - 1.

    Examples
    --------
    >>> face = np.random.default_rng(0).uniform(20, 100, (68, 2))
    >>> searched_apex(np.zeros((5, 120, 120), np.uint8), face) in range(5)
    True
    """
    codes = lbp_map(faces)
    difference = np.zeros(len(faces))
    for top, bottom, left, right in face_regions(landmarks, codes.shape[1:]):
        parts = codes[:, top:bottom, left:right].reshape(len(codes), -1)
        histograms = np.stack([np.bincount(part, minlength=256) for part in parts])
        difference += 1 - _correlation(histograms, histograms[0])
    return halving_maximum(difference)


def face_regions(
    landmarks: NDArray[np.floating], shape: tuple[int, ...]
) -> list[tuple[int, int, int, int]]:
    """Return the boxes of the two eyes with their brows, and of the mouth.

    Parameters
    ----------
    landmarks
        ``(68, 2)``, px.
    shape
        Rows and columns of the image, px.

    Returns
    -------
    list of tuple of int
        Top, bottom, left, right of three boxes inside the image, at least 1 px a side.

    Examples
    --------
    >>> face = np.zeros((68, 2))
    >>> face[48:68] = np.linspace((20, 60), (60, 80), 20)
    >>> face_regions(face, (100, 100))[2]
    (57, 83, 14, 66)
    """
    groups = [np.r_[landmarks[a:b], landmarks[c:d]] for a, b, c, d in EYES]
    boxes = []
    for points in (*groups, landmarks[slice(*MOUTH)]):
        low, high = points.min(axis=0), points.max(axis=0)
        margin = REGION_MARGIN * (high - low)
        left, top = np.clip(np.rint(low - margin), 0, np.array(shape[::-1]) - 1).astype(int)
        right, bottom = np.clip(np.rint(high + margin), (left + 1, top + 1), shape[::-1]).astype(
            int
        )
        boxes.append((int(top), int(bottom), int(left), int(right)))
    return boxes


def halving_maximum(values: NDArray[np.floating]) -> int:
    """Find a maximum by halving: keep the half with the larger sum until one place is left.

    Parameters
    ----------
    values
        ``(T,)``.

    Returns
    -------
    int
        A place; the first half is kept where both sums are equal. Not always the largest value:
        a single high frame in a low half is passed over, which is the point of the rule.

    Raises
    ------
    InputError
        If there is no value.

    Examples
    --------
    >>> halving_maximum(np.array([0.0, 1.0, 2.0, 3.0, 2.0]))
    3
    """
    if not len(values):
        raise InputError("no values to search; expected at least one frame")
    start, stop = 0, len(values)
    while stop - start > 1:
        middle = (start + stop) // 2
        first, second = values[start:middle].sum(), values[middle:stop].sum()
        start, stop = (start, middle) if first >= second else (middle, stop)
    return start


def _correlation(
    histograms: NDArray[np.integer], reference: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Correlation of each histogram with the reference; 1 where one of them is flat."""
    centred = histograms - histograms.mean(axis=1, keepdims=True)
    against = reference - reference.mean()
    norms = np.linalg.norm(centred, axis=1) * np.linalg.norm(against)
    return np.where(norms > 0, centred @ against / np.maximum(norms, 1e-12), 1.0)


def spotted_apex(faces: NDArray[np.uint8]) -> int:
    """Find the apex in the frequency domain (Li, Huang and Zhao 2018): the frame of greatest A_i.

    Parameters
    ----------
    faces
        ``uint8`` gray ``(T, H, W)``.

    Returns
    -------
    int
        The first such frame.

    Notes
    -----
    A_i is that of Eq. 9 (:func:`memaa_lib.texture.texture_intensity`), with which the paper removes
    frames.

    Examples
    --------
    >>> spotted_apex(np.zeros((4, 64, 64), np.uint8))
    0
    """
    # any frame rate will do: A_i counts in frames
    return int(np.argmax(texture_intensity(Clip(faces, fps=1), size=faces.shape[1:])))
