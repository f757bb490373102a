"""Image files and video containers: decoded, written, and refused with a clear error."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from memaa_lib._support.cache import atomic_path
from memaa_lib._support.errors import InputError

IMAGE_SUFFIXES = (".bmp", ".jpg", ".jpeg", ".png")
VIDEO_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm")
MAX_PIXELS = 8192 * 8192  # beyond this a "frame" is surely not a frame; refuse before decoding it
TAIL_BYTES = 4096  # of a file; its end mark lies in them
_HEADER_READERS = {
    b"\x89PNG": PngImageFile,
    b"\xff\xd8": JpegImageFile,
    b"BM": BmpImageFile,
}
GIVE_FPS = "give it with --fps, or with -p fps=30 to a notebook"
_CODERS = {
    # without mbtree, whose vector code gives other bytes in one run of twenty
    "libx264": {"x264-params": "mbtree=0"},
    "libvpx-vp9": {"b": "0"},  # no bit rate but the quality is held, as x264 does by itself
}
_STEADY = 0.1  # of the frame interval: how far single frames of a video may be off


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
    header = image_header(encoded.tobytes())
    width, height = header[0] if header else (0, 0)
    if height * width > MAX_PIXELS:  # a few bytes can announce gigabytes of pixels
        raise InputError(
            f"{path}: {width} x {height} pixels is too large for a frame; expected at most "
            f"{MAX_PIXELS:,} pixels"
        )
    try:
        image = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if header else None
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
    """Say why an image file is no whole JPEG, BMP or PNG file, from its ends; empty if it is.

    ``content`` is the file, or its first bytes and its last :data:`TAIL_BYTES`, and then ``size`` that
    of the whole file. Decoders fill in what a cut file lacks, so they do not tell.
    """
    size = len(content) if size is None else size
    tail = content[-TAIL_BYTES:]  # some writers add bytes after the end mark
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


def image_header(file: Path | str | bytes) -> tuple[tuple[int, int], str] | None:
    """Return ``((width, height), "gray" or "colour")`` from an image's header, without decoding it.

    ``None`` if the header cannot be read. Pillow's classes are asked directly: ``Image.open`` would
    try formats that we do not read, and warn of a huge image instead of telling its size.
    """
    try:
        with io.BytesIO(file) if isinstance(file, bytes) else open(file, "rb") as stream:
            start = stream.read(4)
            stream.seek(0)
            for mark, reader in _HEADER_READERS.items():
                if start.startswith(mark):
                    image = reader(stream)
                    return image.size, "gray" if image.mode in ("L", "1") else "colour"
    except (
        OSError,
        SyntaxError,
        ValueError,
    ):  # Pillow's SyntaxError: a header that breaks the rules
        pass
    return None


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
    memaa_lib.InputError: face.gif: expected a name that ends in .bmp, .jpg, .jpeg or .png
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


@contextlib.contextmanager
def _opened(path: Path | str) -> Iterator[tuple[Any, Any]]:
    """Open a video file and give its container and its video stream, or a clear error."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a folder of frames or a video file")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError(f"{path}: the file holds no video stream")
            yield container, container.streams.video[0]
    except FFmpegError as error:
        raise InputError(f"{path}: not a readable video ({error.strerror})") from None


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
    memaa_lib.InputError: missing.mp4: no such file; give a folder of frames or a video file
    """
    with _opened(path) as (container, stream):
        stream.thread_type = "NONE"
        for frame in container.decode(stream):
            pixels = frame.to_ndarray(format="rgb24")
            # telephones record lying down and say by how much the picture is to be turned
            turns = round(frame.rotation / 90) % 4
            yield np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


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
    memaa_lib.InputError: missing.mp4: no such file; give a folder of frames or a video file
    """
    with _opened(path) as (_, stream):
        rate = stream.average_rate
    if not rate:
        raise InputError(f"{path}: the file states no frame rate; {GIVE_FPS}")
    return float(rate)


def check_steady(path: Path | str) -> None:
    """Raise a clear error unless the frames of a video are evenly spaced in time.

    Only time stamps are read. A temporal filter would take fast motion for slow if an interval
    differed from the usual one by more than a tenth.
    """
    with _opened(path) as (container, stream):
        packets = container.demux(stream)
        times = sorted(packet.pts for packet in packets if packet.pts is not None)
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


def video_length(path: Path | str, fps: float) -> int:
    """Return how many frames a video file states to have, for a progress bar; 0 if it does not."""
    with _opened(path) as (container, stream):
        stated = int(stream.frames)
        return stated or round((container.duration or 0) / av.time_base * fps)


def write_video(path: Path | str, frames: NDArray[np.uint8], fps: float) -> None:
    """Write a video that every browser plays; same frames, same bytes.

    Parameters
    ----------
    path
        Where to, ``.mp4`` or another suffix of :data:`VIDEO_SUFFIXES`; coded in H.264, in ``.webm``
        in VP9.
    frames
        ``uint8``, RGB ``(T, H, W, 3)`` or gray ``(T, H, W)``. An odd last row or column is
        repeated: the coders need even sizes.
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
    ...     video_fps(Path(folder, "a.mp4"))
    25.0
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

    Yields a function that takes one ``uint8`` frame, RGB ``(H, W, 3)`` or gray ``(H, W)``. The file
    appears when the block ends well, and not at all if it raises.
    """
    odd = [(0, height % 2), (0, width % 2), (0, 0)]
    coder = "libvpx-vp9" if Path(path).suffix.lower() == ".webm" else "libx264"
    with atomic_path(path) as temporary, av.open(str(temporary), "w") as container:
        # one thread and the bitexact flag: the encoder's output does not depend on the machine's load
        container.flags |= 0x0400
        stream = container.add_stream(coder, rate=Fraction(fps).limit_denominator(1000))
        stream.height, stream.width = height + height % 2, width + width % 2
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        stream.options = {"crf": "18", "threads": "1", "flags": "+bitexact", **_CODERS[coder]}

        def write(frame: NDArray[np.uint8]) -> None:
            colour = frame if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=2)
            padded = np.pad(colour, odd, mode="edge")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(padded, format="rgb24")))

        yield write
        container.mux(stream.encode())


def check_frames(frames: NDArray[np.uint8], name: str = "frames") -> None:
    """Raise a clear error unless ``frames`` is a non-empty ``uint8`` stack of frames.

    ``(T, H, W, 3)`` is RGB, ``(T, H, W)`` gray; the message calls it ``name``.

    Examples
    --------
    >>> check_frames(np.zeros((5, 8, 8), np.float32))
    Traceback (most recent call last):
        ...
    memaa_lib.InputError: frames: expected uint8 frames (T, H, W, 3) or (T, H, W), got float32...
    """
    good_shape = getattr(frames, "ndim", 0) == 3 or (
        getattr(frames, "ndim", 0) == 4 and frames.shape[3] == 3
    )
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8 or not good_shape:
        raise InputError(
            f"{name}: expected uint8 frames (T, H, W, 3) or (T, H, W), got {_other_frames(frames)}"
        )
    if 0 in frames.shape:
        raise InputError(f"{name}: expected at least one frame of one pixel, got {frames.shape}")


def _other_frames(frames: Any) -> str:
    """Say what was given in place of frames and, if that is plain, how to make frames of it."""
    if not isinstance(frames, np.ndarray):
        how = "; np.stack(frames) makes one array" if isinstance(frames, (list, tuple)) else ""
        return f"a {type(frames).__name__}{how}"
    got = f"{frames.dtype} {frames.shape}"
    if frames.dtype.kind not in "fiu" or not frames.size or frames.dtype == np.uint8:
        return got
    low, high = float(frames.min()), float(frames.max())
    if not math.isfinite(low + high):
        return f"{got} with values that are not finite"
    got += f" with values from {low:g} to {high:g}"
    if low < 0 or high > np.iinfo(np.uint8).max:
        return f"{got}; bring them to 0 to 255 first"
    scaled = "frames * 255" if frames.dtype.kind == "f" and high <= 1 else "frames"
    return f"{got}; np.round({scaled}).astype(np.uint8) makes such frames"


def check_fps(fps: float, name: str = "fps") -> None:
    """Raise a clear error unless ``fps`` is a positive, finite number of frames per second."""
    if not isinstance(fps, (int, float, np.number)) or not math.isfinite(fps) or fps <= 0:
        raise InputError(f"{name}: fps is {fps!r}, expected a positive number of frames per second")
