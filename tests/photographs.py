"""Small releases as a licensee has them: the official layout, photographed faces, no twin's signature.

Six people a set are made of two photographs that installed packages carry, by mirroring, bending and
recolouring: scikit-image's portrait of an astronaut (NASA, public domain) and the first frame of the
library's sample video. Each clip shows a known movement. It is returned, not written: what lies on disk
is what the owners of the sets hand out, save that most annotated clips are missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import astronaut

from memaa_lib.clips import Clip, sample_video, to_gray, write_image
from memaa_lib.datasets.manifests import DatasetManifest, load_manifest
from memaa_lib.datasets.twins.annotation import unit_text
from memaa_lib.datasets.twins.contents import PlannedClip, plan_release, random_generator
from memaa_lib.datasets.twins.release import clip_folder, frame_name
from memaa_lib.registration import face_box, find_landmarks
from tests.fake_releases import (
    CASME2_HEADER,
    SAMM_HEADER,
    casme2_cells,
    samm_cells,
    write_sheet,
)

SUBJECTS = {  # four or three with all classes, then some who lack one or two
    "smic": ("s04", "s11", "s14", "s15", "s06", "s13"),
    "casme2": ("sub02", "sub06", "sub12", "sub15", "sub14", "sub20"),
    "samm": ("007", "014", "016", "006", "011", "023"),
}
# The plan of a twin of this seed: real subjects and clip counts, but not the default twin's clip names.
SEED = 1
FACE_IN_SAMM = 470  # px, height of the face in the uncropped frames
NOISE = 1.0  # gray levels
SMALLEST_PX, LARGEST_PX = 0.6, 2.0  # movement at the apex
_BROWS, _RIGHT_BROW, _LEFT_BROW = range(17, 27), range(17, 22), range(22, 27)
_JAW = (6, 7, 8, 9, 10, 56, 57, 58)
MOVEMENTS = {  # landmarks, and where they go: right and down
    "negative": ((_RIGHT_BROW, (0.4, 1.0)), (_LEFT_BROW, (-0.4, 1.0))),
    "positive": (((48, 59, 60), (-0.6, -1.0)), ((54, 55, 64), (0.6, -1.0))),
    "surprise": ((_BROWS, (0.0, -1.0)), (_JAW, (0.0, 0.8))),
}


@dataclass(frozen=True)
class FilmedClip:
    """A clip on disk, and what only its maker knows: the motion from onset to apex, ``(H, W, 2)`` px."""

    plan: PlannedClip
    folder: Path
    motion: NDArray[np.float32]
    peak_px: float


@dataclass(frozen=True)
class Photographs:
    """A release: the clips on disk, and all that its spreadsheet or naming says there are."""

    dataset: str
    root: Path
    clips: tuple[FilmedClip, ...]
    annotated: tuple[PlannedClip, ...]


@pytest.fixture(scope="session")
def photographs(tmp_path_factory) -> Callable[[str], Photographs]:
    """Write a set's release when it is first asked for."""
    place = tmp_path_factory.mktemp("photographs")
    return cache(lambda dataset: write_photographs(dataset, place / dataset))


def write_photographs(dataset: str, root: Path) -> Photographs:
    """Write a release of some 14 clips of 10 to 16 frames; the same bytes on every call."""
    manifest = load_manifest(dataset)
    annotated, filmed = [], []
    for plan in plan_release(dataset, SEED):
        taken = (plan.subject, plan.label) not in {(f.subject, f.label) for f in filmed}
        if plan.subject in SUBJECTS[dataset] and plan.outside is None and taken:
            plan = _shortened(plan, len(filmed))
            filmed.append(plan)
        annotated.append(plan)
    _write_annotation(manifest, root, annotated)
    clips = [_film(manifest, root, plan, number) for number, plan in enumerate(filmed)]
    return Photographs(dataset, root, tuple(clips), tuple(annotated))


def _shortened(plan: PlannedClip, number: int) -> PlannedClip:
    """The same clip with 10 to 16 frames and the apex near the middle."""
    n_frames = 10 + 4 * number % 7
    apex = plan.onset + n_frames // 2 + number % 3 - 1
    written = None if plan.written_apex is None else apex
    return replace(plan, apex=apex, written_apex=written, offset=plan.onset + n_frames - 1)


def _write_annotation(manifest: DatasetManifest, root: Path, planned: list[PlannedClip]) -> None:
    """The spreadsheet, which names missing clips too; SMIC has none."""
    if manifest.annotation is None:
        return
    coding = manifest.annotation.codings[manifest.annotation.default_coding]
    rows = tuple(
        (
            clip.subject.removeprefix("sub"), clip.clip, clip.onset,
            "/" if clip.written_apex is None else clip.written_apex, clip.offset,
            unit_text((), clip.emotion), clip.emotion,
        )
        for clip in planned
    )  # fmt: skip
    header, cells = CASME2_HEADER, casme2_cells(rows)
    if manifest.name == "samm":
        header = SAMM_HEADER
        cells = samm_cells(tuple((*row[:-1], row[-1].capitalize()) for row in rows))
    write_sheet(root / coding.written_as, header, cells, manifest.annotation.preamble_rows)


def _film(manifest: DatasetManifest, root: Path, plan: PlannedClip, number: int) -> FilmedClip:
    """Write the frames of one clip: the subject's face moves there and back, and the camera is noisy."""
    name = manifest.twin.default_variant
    variant = manifest.variants[name]
    face = _person(manifest.name, plan.subject, variant.size, variant.colour)
    peak = SMALLEST_PX + (LARGEST_PX - SMALLEST_PX) * (number * 3 % 8) / 7
    motion = _motion(_landmarks(face), str(plan.label), peak, face.shape[:2])
    rng = random_generator("noise", manifest.name, plan.key)
    folder = root / clip_folder(manifest, name, plan)
    for position, weight in enumerate(_course(plan.n_frames, plan.apex - plan.onset)):
        frame = _moved(face, weight * motion) + NOISE * rng.standard_normal(face.shape, np.float32)
        image = np.clip(np.rint(frame), 0, 255).astype(np.uint8)
        write_image(folder / frame_name(manifest, name, plan, plan.onset + position), image)
    return FilmedClip(plan, folder, motion, peak)


# ------------------------------------------------------------------ people
@cache
def _photograph(number: int) -> tuple[NDArray[np.uint8], tuple[int, int, int, int]]:
    """A portrait, and the face in it with the framing of the cropped releases."""
    image = astronaut() if number == 0 else _first_frame(sample_video())
    return image, face_box(_landmarks(image))


def _first_frame(path: Path) -> NDArray[np.uint8]:
    """A video's first frame as it is stored; the sample's pixels are not square."""
    with av.open(str(path)) as file:
        return np.asarray(next(file.decode(video=0)).to_ndarray(format="rgb24"))


@cache
def _person(dataset: str, subject: str, size: tuple[int, int], colour: bool) -> NDArray[np.float32]:
    """The face of a subject at rest: a photograph that is bent, tinted and lit in a way of its own."""
    position = SUBJECTS[dataset].index(subject)
    image, (left, top, right, bottom) = _photograph(position % 2)
    rng = random_generator("person", dataset, subject)
    width, height = size
    face_height = height if width < height else FACE_IN_SAMM
    # x and y in parts of the face's height, 0 in its middle
    y, x = (np.indices((height, width)) - [[[height / 2]], [[width / 2]]]) / face_height
    if position // 2 % 2:
        x = -x
    bend = rng.uniform(-0.15, 0.15, 4)
    narrow, short = rng.uniform(0.94, 1.06, 2)
    wide = np.exp(-2 * (x**2 + y**2))  # far from the face nothing is bent
    bent_x = narrow * x + wide * (bend[0] * x * y + bend[1] * y**2)
    bent_y = short * y + wide * (bend[2] * x**2 + bend[3] * x * y)
    scale = bottom - top
    at_x = (left + right) / 2 + scale * bent_x
    at_y = (top + bottom) / 2 + scale * bent_y
    face = cv2.remap(
        image, at_x.astype(np.float32), at_y.astype(np.float32),
        cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    light = 1 + rng.uniform(-0.25, 0.25) * x + rng.uniform(-0.15, 0.15) * y
    lit = face * rng.uniform(0.8, 1.0) * rng.uniform(0.92, 1.0, 3) * light[..., None]
    if colour:
        return lit.astype(np.float32)
    return to_gray(np.clip(lit, 0, 255).astype(np.uint8)[None])[0].astype(np.float32)


def _landmarks(face: NDArray[np.number]) -> NDArray[np.float32]:
    """dlib's landmarks, ``(68, 2)`` px."""
    frame = np.clip(face, 0, 255).astype(np.uint8)
    return find_landmarks(Clip(frame[None], fps=1))[0]


# ------------------------------------------------------------------ movements
def _motion(
    landmarks: NDArray[np.float32], label: str, peak_px: float, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Smooth motion of a class's parts of the face, ``(H, W, 2)`` px, the fastest point by ``peak_px``."""
    spread = 0.12 * (landmarks[8, 1] - landmarks[36:48, 1].mean())
    rows, columns = np.indices(shape, np.float32)
    motion = np.zeros((*shape, 2), np.float32)
    for points, direction in MOVEMENTS[label]:
        near = sum(
            np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * spread**2))
            for x, y in landmarks[list(points)]
        )
        motion += (near / near.max())[..., None] * np.array(direction, np.float32)
    return motion * np.float32(peak_px / np.linalg.norm(motion, axis=2).max())


def _course(n_frames: int, apex: int) -> NDArray[np.float32]:
    """Rise from 0 at the onset to 1 at the apex, and fall to 0 at the offset."""
    phase = np.interp(np.arange(n_frames), [0, apex, n_frames - 1], [0, np.pi, 2 * np.pi])
    return ((1 - np.cos(phase)) / 2).astype(np.float32)


def _moved(face: NDArray[np.float32], motion: NDArray[np.float32]) -> NDArray[np.float32]:
    """The face after each of its points has moved: what comes to a pixel started at it less its motion."""
    start = _places(face.shape[:2])
    origin = start - cv2.remap(motion, start - motion, None, cv2.INTER_LINEAR)
    moved = cv2.remap(face, origin, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)


@cache
def _places(shape: tuple[int, int]) -> NDArray[np.float32]:
    """Column and row of each pixel, ``(H, W, 2)``."""
    rows, columns = np.indices(shape, np.float32)
    return np.stack([columns, rows], axis=2)
