"""The licence guard: no face of a gated set reaches a page that is published.

A set is gated if its folder was not made by the twin generator; a subject of it may be seen only where
the manifest lists it (``publishable_subjects``) or the user allows it for one build. The pages keep to
this by themselves (:func:`memaa_lib.datasets.examples.example_clip` lets the twin stand in). The guard
is for pages that somebody else wrote: it looks for the set's frames in every picture, video and
embedded image of what is about to be published, however they got there.

It looks for key points (SIFT) of a gated frame that lie in a picture as they lie in the frame, up to
shift, turn and scale. Parts of frames, magnified frames and avatars are found, also small and
compressed. It cannot recognise what is no longer a picture of the face: a difference image, a flow
field, a face of less than some 50 pixels. And it knows only the sets whose folder is configured or given
to the notebook.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import nbformat
import numpy as np
from numpy.typing import NDArray

from memaa_book import pages
from memaa_book.processes import RunFailed
from memaa_lib._support.cache import VERSION, fingerprint, kept_arrays
from memaa_lib._support.errors import InputError
from memaa_lib.clips import (
    VIDEO_SUFFIXES,
    Clip,
    iterate_video,
    read_image,
    scan_frames,
    to_gray,
)
from memaa_lib.datasets import ClipRow, load_index, rows_of
from memaa_lib.datasets.examples import may_be_published
from memaa_lib.datasets.manifests import dataset_names
from memaa_lib.datasets.roots import configured_root
from memaa_lib.datasets.truth import find_truth_folder
from memaa_lib.registration import find_face

# px; cropped releases are about this large (SMIC 140 x 170, CASME II 280 x 340), so that frames of
# all sets are compared at about the same detail
REFERENCE_SIDE = 256
REFERENCE_POINTS = 300  # a face of that size has some 150 to 300
PICTURE_SIDE = 1400  # px; as wide as a figure of a page gets; larger pictures are shrunk to this
SMALL_PICTURE = 300  # px; smaller ones are enlarged twice: key points need some pixels
PICTURE_POINTS = 3000  # a figure may hold ten faces, and the gated one may be the dullest of them
# the best match must be this much nearer than the next best; Lowe (2004, Sec. 7.1) gives 0.8, which
# drops nine of ten false matches and fewer than one of twenty right ones
RATIO = 0.8
# that agree on one shift, turn and scale: those of unrelated photographs agree in 3 at most, those of
# a third of a twin's frame with that frame in 13 at least
MIN_POINTS = 9
# clips that are compared in full, those with most similar points: clips of one subject share votes
CANDIDATES = 6
UNCROPPED_SIDE = 450  # px; larger frames show more than the face: raw ones are 640 wide and more
STEP = 8  # frames; of a moving picture every eighth is looked at: a face stays for longer
IMAGE_FILES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
PAGE_FILES = (".css", ".html", ".ipynb", ".js", ".json", ".md", ".svg", ".txt")
_TEMPORARY = re.compile(r"^\.(.+)-[0-9a-f]{8}(\.\w+)$")  # as atomic_path names files
_DATA_URI = re.compile(r"data:(image|video)/([\w.+-]+);base64,([A-Za-z0-9+/=\\n\s]+)")


class FaceFound(RunFailed):
    """A page shows a face that its set's licence does not let it show."""


@dataclass(frozen=True)
class Picture:
    """A picture on a page, and where it stands, e.g. ``cell 4``."""

    where: str
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class GatedClips:
    """Key points of one frame of each clip whose face may not be seen.

    ``names`` are ``dataset/subject/clip``, N; ``places`` N arrays ``float32`` ``(K, 2)``, px;
    ``descriptors`` N arrays ``float32`` ``(K, 128)`` of length 1.
    """

    names: tuple[str, ...]
    places: tuple[NDArray[np.float32], ...]
    descriptors: tuple[NDArray[np.float32], ...]


# ------------------------------------------------------------------ what may not be seen
def gated_roots(given: Mapping[str, str] | None = None) -> dict[str, Path]:
    """Return the folders of the sets whose faces may not be seen: configured, and no twins.

    ``given`` names folders beside those that are configured.
    """
    names = dataset_names()
    roots = {name: configured_root(name, (given or {}).get(name) or None) for name in names}
    return {
        name: root
        for name, root in roots.items()
        if root is not None and not find_truth_folder(root)
    }


def gated_clips(roots: Mapping[str, Path]) -> GatedClips:
    """Collect what the annotated clips look like that may not be seen, in every released form.

    Key points are kept in the cache, so only the first page of a build waits for them.
    """
    names, places, descriptors = [], [], []
    for dataset, root in roots.items():
        index = load_index(dataset, root, clips="all")
        for row in rows_of(index[index["n_frames"] > 0]):
            if may_be_published(row):
                continue
            found = _clip_points(row)
            if len(found[0]):
                names.append(row.name)
                places.append(found[0])
                descriptors.append(found[1])
    return GatedClips(tuple(names), tuple(places), tuple(descriptors))


def _clip_points(row: ClipRow) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Key points of a clip's first frame, from the cache if they are there."""
    folder = Path(row.path or "")
    frames = scan_frames(folder).frames
    file = folder / frames[min(frames, key=lambda number: abs(number - row.onset))]
    key = fingerprint(VERSION, file.read_bytes(), REFERENCE_POINTS, REFERENCE_SIDE)
    places, descriptors = kept_arrays(
        f"guard/{key}.npz",
        lambda: key_points(_face_of(read_image(file)), REFERENCE_POINTS, REFERENCE_SIDE),
    )
    return places, descriptors


def _face_of(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut the face out of an uncropped frame; whose room it is says nothing about the face."""
    if max(frame.shape[:2]) < UNCROPPED_SIDE:
        return frame
    try:
        left, top, right, bottom = find_face(Clip(frame[None], fps=1))  # one frame has any rate
    except InputError:
        return frame
    margin = (bottom - top) // 8
    return frame[max(top - margin, 0) : bottom + margin, max(left - margin, 0) : right + margin]


def key_points(
    image: NDArray[np.uint8], count: int, side: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Find the key points of an image ``(H, W, 3)`` or ``(H, W)``: the strongest, ``count`` at most.

    An image whose longer side is above ``side``, px, is shrunk to that. Returns places ``(K, 2)``, px,
    and descriptors ``(K, 128)`` of length 1.
    """
    gray = to_gray(image[None])[0]
    scale = min(side / max(gray.shape), 1.0)
    if max(gray.shape) < SMALL_PICTURE:
        scale = 2.0
    if scale != 1.0:
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        gray = np.asarray(
            cv2.resize(gray, None, fx=scale, fy=scale, interpolation=method), np.uint8
        )
    finder = cv2.SIFT.create(nfeatures=count, contrastThreshold=0.015)
    points, descriptors = finder.detectAndCompute(gray, None)
    if not points:
        return np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32)
    lengths = np.maximum(np.linalg.norm(descriptors, axis=1, keepdims=True), 1e-6)
    return np.array([p.pt for p in points], np.float32), np.asarray(
        descriptors / lengths, np.float32
    )


def find_clip(image: NDArray[np.uint8], gated: GatedClips) -> str | None:
    """Return the gated clip that a picture shows, if it shows one: ``dataset/subject/clip``.

    Other clips of the subject may look the same.
    """
    if not gated.names:
        return None
    places, descriptors = key_points(image, PICTURE_POINTS, PICTURE_SIDE)
    if len(places) < MIN_POINTS:
        return None
    owners = np.repeat(np.arange(len(gated.names)), [len(d) for d in gated.descriptors])
    nearest = np.argmax(descriptors @ np.concatenate(gated.descriptors).T, axis=1)
    votes = np.bincount(owners[nearest], minlength=len(gated.names))
    for number in np.argsort(-votes, kind="stable")[:CANDIDATES]:
        if _agreeing(places, descriptors, gated, int(number)) >= MIN_POINTS:
            return gated.names[int(number)]
    return None


def _agreeing(
    places: NDArray[np.float32],
    descriptors: NDArray[np.float32],
    gated: GatedClips,
    number: int,
) -> int:
    """Count the points of a picture that lie as a clip's points do, up to shift, turn and scale."""
    known = gated.descriptors[number]
    if len(known) < 2:
        return 0
    similarity = known @ descriptors.T
    best = np.argmax(similarity, axis=1)
    order = np.sort(similarity, axis=1)
    distances = np.sqrt(np.maximum(2 - 2 * order[:, -2:], 0))
    clear = distances[:, 1] < RATIO * distances[:, 0]
    if clear.sum() < MIN_POINTS:
        return 0
    source, target = gated.places[number][clear], places[best[clear]]
    cv2.setRNGSeed(0)
    model, inside = cv2.estimateAffinePartial2D(source, target, ransacReprojThreshold=6.0)
    if model is None:
        return 0
    scale = float(np.hypot(model[0, 0], model[1, 0]))
    # a scale far from any that is shown means that many points fell onto one
    distinct = len(np.unique(np.rint(target[inside.ravel() == 1]), axis=0))
    return distinct if 0.1 < scale < 12 else 0


# ------------------------------------------------------------------ what is to be seen
def pictures_of(path: Path) -> Iterator[Picture]:
    """Yield every picture of a file: an image, a video, or a page or notebook with images within."""
    suffix = path.suffix.lower()
    if suffix in IMAGE_FILES or suffix in VIDEO_SUFFIXES:
        yield from (Picture(path.name, image) for image in _decoded(path.read_bytes(), suffix))
    elif suffix == ".ipynb":
        yield from _notebook_pictures(path)
    elif suffix in PAGE_FILES:
        yield from _embedded(path.read_text("utf-8", errors="replace"), path.name)


def _notebook_pictures(path: Path) -> Iterator[Picture]:
    notebook = nbformat.read(path, as_version=4)
    for number, cell in enumerate(notebook.cells):
        where = f"cell {number}"
        bundles = [output.get("data", {}) for output in cell.get("outputs", [])]
        bundles += list(cell.get("attachments", {}).values())
        texts = [cell.source] + [str(o.get("text", "")) for o in cell.get("outputs", [])]
        for bundle in bundles:
            for kind, content in bundle.items():
                text = "".join(content) if isinstance(content, list) else str(content)
                main, _, subtype = kind.partition("/")
                if main in ("image", "video") and subtype != "svg+xml":
                    images = _decoded(_bytes_of(text), f".{subtype}")
                    yield from (Picture(where, image) for image in images)
                else:
                    texts.append(text)
        for text in texts:
            yield from _embedded(text, where)


def _embedded(text: str, where: str) -> Iterator[Picture]:
    """Pictures that stand in a text as data URIs."""
    for kind, subtype, encoded in _DATA_URI.findall(text):
        if kind == "image" and subtype == "svg+xml":
            yield from _embedded(_bytes_of(encoded).decode("utf-8", "replace"), where)
        else:
            for image in _decoded(_bytes_of(encoded), f".{subtype}"):
                yield Picture(where, image)


def _bytes_of(text: str) -> bytes:
    try:
        return base64.b64decode(text.replace("\\n", ""))
    except (binascii.Error, ValueError):
        return b""


def _decoded(content: bytes, suffix: str) -> Iterator[NDArray[np.uint8]]:
    """Decode an image, or some frames of a video or a moving image; nothing if it is neither."""
    flags = cv2.IMREAD_COLOR
    still = None
    if content and suffix not in (*VIDEO_SUFFIXES, ".gif"):
        still = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if still is not None:
        yield np.ascontiguousarray(still[..., ::-1])
        return
    if not content:
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"moving{suffix}")
        file.write_bytes(content)
        try:
            for number, frame in enumerate(iterate_video(file)):
                if number % STEP == 0:
                    yield frame
        except InputError:
            return


# ------------------------------------------------------------------ the checks
def refuse_gated_faces(place: Path) -> None:
    """Raise :class:`FaceFound` if an executed notebook or a folder of pages shows a gated face."""
    with contextlib.chdir(pages.ROOT):  # where notebooks find memaa.toml
        roots = gated_roots()
    if roots:
        (check_folder if place.is_dir() else check_notebook)(place, gated_clips(roots))


def check_notebook(path: Path, gated: GatedClips) -> None:
    """Refuse an executed notebook that shows a gated face; the error names the cell and the clip."""
    _refuse([path], gated)


def check_folder(folder: Path, gated: GatedClips) -> int:
    """Refuse a built book that shows a gated face; return how many pictures were looked at."""
    return _refuse(sorted(path for path in folder.rglob("*") if path.is_file()), gated)


def _refuse(paths: list[Path], gated: GatedClips) -> int:
    if not gated.names:
        return 0
    seen: set[str] = set()
    for path in paths:
        for picture in pictures_of(path):
            key = fingerprint(picture.image)
            if key in seen:
                continue
            seen.add(key)
            clip = find_clip(picture.image, gated)
            if clip is not None:
                dataset, subject, _ = clip.split("/")
                name = _TEMPORARY.sub(r"\1\2", path.name)
                raise FaceFound(
                    f"{name}: {picture.where} shows a face of {clip}, which may not be "
                    f"published; show memaa_lib.example_clip instead, or, if your licence "
                    f"allows it, list the subject in data_manifests/{dataset}.yaml or give "
                    f"--allow-subject {dataset}/{subject}"
                )
    return len(seen)
