"""A hidden pattern in the faces of a set, and a search for it in any picture.

The pattern is a smooth random field, the same in every frame of every clip, too faint to disturb the
face detector. It survives scaling, JPEG, video compression, averaging over frames and magnification,
and it is found without knowing where in a picture the face stands or how large.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
from memaa_book.guard import pictures_of
from numpy.typing import NDArray

from memaa_lib.clips import read_image, write_image

CELL = 8  # px of the frame: the finest detail of the pattern
AMPLITUDE = 16  # gray levels, at most
THRESHOLD = 0.45  # correlation from which a picture holds the pattern
WORK = 0.5  # the search works at half the size of the frame
SCALES = 1.05 ** np.arange(-26, 26)  # of the face in the picture against the face in the frame
LEAST_DETAIL = 0.2  # mean square of a part of a picture; a face has about 0.7, a plot much less
LARGEST = 1100  # px of a picture at the size of the search


def pattern(height: int, width: int) -> NDArray[np.float32]:
    """The pattern for frames of one size, between -1 and 1."""
    rng = np.random.default_rng(20190616)
    coarse = rng.choice([-1.0, 1.0], (height // CELL + 2, width // CELL + 2)).astype(np.float32)
    fine = cv2.resize(coarse, None, fx=CELL, fy=CELL, interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(fine[:height, :width], -1, 1), np.float32)


def mark(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image with the pattern in it."""
    hidden = AMPLITUDE * pattern(*image.shape[:2])
    hidden = hidden if image.ndim == 2 else hidden[..., None]
    return np.clip(np.rint(image + hidden), 0, 255).astype(np.uint8)


def mark_release(twin: Path, target: Path, clips: list[Path]) -> None:
    """Copy some clips of a twin, marked and without the twin's signature, and its spreadsheets."""
    for sheet in twin.glob("*.xlsx"):
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(sheet, target)
    for clip in clips:
        for file in sorted(clip.iterdir()):
            write_image(target / clip.relative_to(twin) / file.name, mark(read_image(file)))


def _high_pass(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is finer than two cells, at equal strength everywhere: an edge must not outshout it."""
    sigma = CELL * WORK
    fine = cv2.GaussianBlur(image, (0, 0), sigma / 3) - cv2.GaussianBlur(image, (0, 0), sigma)
    strength = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), 2 * sigma))
    return fine / (strength + 1.0)


def templates(height: int, width: int) -> list[NDArray[np.float32]]:
    """The face's middle, its upper and its lower part, as the search wants them."""
    whole = cv2.resize(pattern(height, width) * AMPLITUDE, None, fx=WORK, fy=WORK)
    whole = _high_pass(np.asarray(whole, np.float32))
    h, w = whole.shape
    left, right = int(0.2 * w), int(0.8 * w)
    parts = [(0.2, 0.85), (0.15, 0.5), (0.5, 0.9)]
    return [np.ascontiguousarray(whole[int(a * h) : int(b * h), left:right]) for a, b in parts]


def correlation(image: NDArray[np.uint8], height: int, width: int) -> float:
    """Greatest correlation of a picture with the pattern of frames of this size, -1 to 1."""
    gray = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    wanted = templates(height, width)
    best = -1.0
    for aspect in (1.0, width / height):  # as recorded; square, as avatars are
        for scale in SCALES:
            fx, fy = WORK / scale, WORK / scale * (height / width if aspect != 1.0 else 1.0)
            size = round(gray.shape[1] * fx), round(gray.shape[0] * fy)
            if min(size) < 40 or max(size) > LARGEST:
                continue
            method = cv2.INTER_AREA if fx < 1 else cv2.INTER_LINEAR
            sized = _high_pass(cv2.resize(gray, size, interpolation=method).astype(np.float32))
            for part in wanted:
                if sized.shape[0] >= part.shape[0] and sized.shape[1] >= part.shape[1]:
                    found = cv2.matchTemplate(sized, part, cv2.TM_CCOEFF_NORMED)
                    # white paper has no variance, and its correlation is a quotient of two noughts
                    strength = cv2.boxFilter(sized * sized, -1, part.shape[::-1], anchor=(0, 0))[
                        : found.shape[0], : found.shape[1]
                    ]
                    best = max(best, float(np.where(strength > LEAST_DETAIL, found, -1.0).max()))
    return best


def search(places: list[Path], height: int, width: int) -> dict[str, float]:
    """Correlation of every different picture below some folders, by file and place."""
    files = [file for place in places for file in sorted(place.rglob("*")) if file.is_file()]
    found: dict[str, float] = {}
    seen: set[bytes] = set()
    for file in files:
        for number, picture in enumerate(pictures_of(file)):
            key = picture.image.tobytes()
            if key not in seen:
                seen.add(key)
                name = f"{file} {picture.where} #{number}"
                found[name] = correlation(picture.image, height, width)
    return found
