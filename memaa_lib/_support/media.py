"""Image files and video containers: decoded, written, and refused with a clear error."""

from __future__ import annotations

import contextlib
import io
import math
import os
import re
import struct
import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import cv2
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from memaa_lib._support.cache import atomic_path
from memaa_lib._support.errors import InputError

IMAGE_SUFFIXES = (".bmp", ".jpg", ".jpeg", ".png")
VIDEO_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm")
MAX_PIXELS = 8192 * 8192  # beyond this a "frame" is surely not a frame; refuse before decoding it
_HEADER_READERS = {
    b"\x89PNG": PngImageFile,
    b"\xff\xd8": JpegImageFile,
    b"BM": BmpImageFile,
}
# 0xff in the coded pixels is followed by 0, or by D0 to D7 where decoding may start anew
_JPEG_MARK = re.compile(rb"\xff([^\x00\xd0-\xd8\xff])", re.DOTALL)
_PNG_NOTES = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")  # may state an orientation, also after the pixels
# How EXIF says that the stored picture is to be shown, 1 to 8: steps through its rows and columns,
# from 5 on after these have changed places
_ORIENTATIONS = 2 * ((1, 1), (1, -1), (-1, -1), (-1, 1))
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
    stream = io.BytesIO(encoded.data)
    stated = _stated(stream)
    (width, height), _, orientation = stated or ((0, 0), "", 1)
    if height * width > MAX_PIXELS:  # a few bytes can announce gigabytes of pixels
        raise InputError(
            f"{path}: {width} x {height} pixels is too large for a frame; expected at most "
            f"{MAX_PIXELS:,} pixels"
        )
    problem = cut_short(stream)
    if problem:
        raise InputError(f"{path}: {problem}; copy it again")
    try:
        image = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if stated else None
    except cv2.error:
        image = None
    if image is None:
        raise InputError(f"{path}: not a readable image; it may be damaged, copy it again")
    if image.dtype != np.uint8:
        raise InputError(
            f"{path}: {image.dtype} pixels, expected 8 bits a channel; convert the image"
        )
    pixels: NDArray[np.uint8] = image if image.ndim == 2 else image[..., 2::-1]
    rows, columns = _ORIENTATIONS[orientation - 1]
    shown = pixels if orientation < 5 else pixels.swapaxes(0, 1)
    return np.ascontiguousarray(shown[::rows, ::columns])


def cut_short(stream: BinaryIO) -> str:
    """Say why a file is no whole JPEG, BMP or PNG file; empty if it is.

    Its structure is followed to the end of the picture, whatever comes after it: telephones add films
    and second pictures. Decoders fill in what a cut file lacks, so they do not tell.
    """
    stream.seek(0)
    start = stream.read(4)
    if not start:
        return "not a readable image: the file is empty"
    if start[:2] == b"\xff\xd8":
        return "" if _jpeg_is_whole(stream) else "the JPEG file is cut short"
    if start[:2] == b"BM":
        return "" if _bmp_is_whole(stream) else "the BMP file is cut short"
    if start == b"\x89PNG":
        whole = any(name == b"IEND" for name, _ in _png_chunks(stream))
        return "" if whole else "the PNG file is cut short"
    return "not a readable image: no JPEG, BMP or PNG file, whatever its name says"


def _jpeg_is_whole(stream: BinaryIO) -> bool:
    """Whether the end mark of the picture itself is there, not only that of a thumbnail."""
    stream.seek(0)
    content = stream.read()
    ends_so = content.endswith(b"\xff\xd9")
    place = 2
    while mark := _JPEG_MARK.search(content, place):
        # from where the coded pixels begin (DA) the mark of the end (D9) can be nothing else
        if mark[1] == b"\xd9" or (mark[1] == b"\xda" and ends_so):
            return True
        # a segment states its length; what lies in it, a thumbnail perhaps, is passed over
        place = mark.end() + int.from_bytes(content[mark.end() : mark.end() + 2], "big")
    return False


def _bmp_is_whole(stream: BinaryIO) -> bool:
    """Whether all pixels are there; the size of the file that a BMP states is often wrong."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(38)
    try:
        start, kind = struct.unpack_from("<II", head, 10)
        if kind == 12:  # the header of OS/2
            width, height, _, bits = struct.unpack_from("<HHHH", head, 18)
            compression, coded = 0, 0
        else:
            width, height, _, bits, compression, coded = struct.unpack_from("<iiHHII", head, 18)
    except struct.error:
        return False
    row = (width * bits + 31) // 32 * 4
    return bool(start + (coded if compression in (1, 2) else abs(height) * row) <= size)


def _png_chunks(stream: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Name and whole bytes of each chunk up to the end mark, or to where the file is cut.

    Of the pixels' chunks only the name is read.
    """
    size = stream.seek(0, os.SEEK_END)
    name, place = b"", 8
    while name != b"IEND" and place < size:
        stream.seek(place)
        head = stream.read(8)
        name, length = head[4:], 12 + int.from_bytes(head[:4], "big")
        if place + length > size or not name.isalpha():
            return
        stream.seek(place)
        yield name, b"" if name in (b"IDAT", b"fdAT") else stream.read(length)
        place += length


def image_header(file: Path | str) -> tuple[tuple[int, int], str] | None:
    """Return ``((width, height), kind)`` from an image's header, without decoding it.

    Width and height are those of the picture as it is to be shown; the kind is ``"gray"``,
    ``"colour"``, or ``"16-bit"``, which is not read. ``None`` if the header cannot be read.
    """
    try:
        with open(file, "rb") as stream:
            stated = _stated(stream)
    except OSError:
        return None
    return None if stated is None else stated[:2]


def _stated(stream: BinaryIO) -> tuple[tuple[int, int], str, int] | None:
    """Size, kind and EXIF orientation that an image's header states; ``None`` if there is no header.

    Pillow's classes are asked directly: ``Image.open`` would try formats that we do not read, and warn
    of a huge image instead of telling its size.
    """
    stream.seek(0)
    start = stream.read(4)
    reader = next((one for mark, one in _HEADER_READERS.items() if start.startswith(mark)), None)
    if reader is None:
        return None
    if reader is PngImageFile:  # without its pixels: Pillow would decode them to look behind them
        notes = (b"IHDR", *_PNG_NOTES, b"IEND")
        kept = (content for name, content in _png_chunks(stream) if name in notes)
        stream = io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"".join(kept))
    stream.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of notes that are damaged
        try:
            image = reader(stream)
        except (OSError, SyntaxError, ValueError, struct.error):
            return None  # Pillow's SyntaxError: a header that breaks the rules
        orientation = _orientation(image)
    kind = "gray" if image.mode in ("L", "1") else "colour"
    if reader is PngImageFile:
        stream.seek(24)
        kind = "16-bit" if stream.read(1) == b"\x10" else kind
    width, height = image.size
    return (width, height) if orientation < 5 else (height, width), kind, orientation


def _orientation(image: Image.Image) -> int:
    """EXIF orientation of an image, 1 to 8; 1, as it is stored, if none or nonsense is stated."""
    try:
        stated = Image.Image.getexif(image).get(ExifTags.Base.Orientation)
    except (LookupError, OSError, SyntaxError, TypeError, ValueError, struct.error):
        return 1
    return int(stated) if stated in range(1, 9) else 1


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
