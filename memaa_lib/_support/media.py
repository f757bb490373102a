"""Image files and video containers: decoded, written, and refused with a clear error."""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
import math
import os
import re
import struct
import warnings
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import av
import cv2
import numpy as np
from av.error import FFmpegError, InvalidDataError
from av.format import Flags
from av.stream import Disposition
from av.video.reformatter import ColorTrc
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from memaa_lib._support.cache import atomic_path
from memaa_lib._support.containers import missing_part
from memaa_lib._support.errors import InputError

logger = logging.getLogger(__name__)

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
_TO_RGB = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}  # by the number of channels
GIVE_FPS = "give it with --fps, or with -p fps=30 to a notebook"
SPARE_MEMORY = (
    "take a part of it (to a notebook with -p first=100 -p last=150), make the frames smaller, or close "
    "other programs"
)
_CODERS = {
    # without mbtree, whose vector code gives other bytes in one run of twenty
    "libx264": {"x264-params": "mbtree=0"},
    "libvpx-vp9": {"b": "0"},  # no bit rate but the quality is held, as x264 does by itself
}
_STEADY = 0.1  # of the frame interval: how far single frames of a video may be off
_SQUARE = 0.01  # how far the sides of a pixel may differ before it is made square
_MOST_RAW_FPS = 1000  # streams whose rate varies state their clock's, 90000 or so
_COVERS = Disposition.attached_pic | Disposition.timed_thumbnails
_HDR = (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)
_STATES_LENGTH = ("mov", "matroska", "avi")  # what a cut file lacks is noticed
_PACKET_IS_FRAME = ("mov", "matroska")  # elsewhere a packet may hold half a frame, or two
_REORDERED = 64  # frames: more than the time stamps of a video are out of order


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
    pixels: NDArray[np.uint8] = image
    if image.ndim == 3:  # three times as fast as NumPy's way
        pixels = cv2.cvtColor(image, _TO_RGB[image.shape[2]])
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
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
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
        with av.open(_address(path)) as container:
            streams = _videos(container)
            if not streams:
                only = ", only a cover picture" if container.streams.video else ""
                raise InputError(f"{path}: the file holds no video stream{only}")
            # where there are several, players show the one that is marked
            marked = [one for one in streams if one.disposition & Disposition.default]
            stream = (marked or streams)[0]
            if stream.codec_context is None:
                raise InputError(f"{path}: not a readable video; no decoder for its format is here")
            yield container, stream
    except MemoryError:
        raise InputError(f"{path}: not enough memory to decode the video; {SPARE_MEMORY}") from None
    except FFmpegError as error:
        raise InputError(f"{path}: not a readable video ({error.strerror})") from None


def _address(path: Path) -> str:
    """Return a path as FFmpeg takes it: of ``12:30.mp4`` alone it would ask a server ``12``."""
    return f"file:{path}"


def _videos(container: Any) -> list[Any]:
    """Video streams, without the covers of songs and the thumbnails of films."""
    return [one for one in container.streams.video if not one.disposition & _COVERS]


def check_whole(path: Path | str) -> None:
    """Raise a clear error if a video file is shorter than it states."""
    if problem := missing_part(Path(path)):
        raise InputError(f"{path}: {problem}")


def iterate_video(
    path: Path | str, first: int = 0, last: int | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Decode a video file frame by frame, in bounded memory.

    Frames come as players show them: turned and mirrored as the file says, with square pixels.

    Parameters
    ----------
    path
        Any video that FFmpeg reads.
    first, last
        The first and the last frame to give, counted from 0.

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
    count = None if last is None else last - first + 1
    for frame, ratio in itertools.islice(_frames_from(path, first), count):
        yield _picture(path, frame, ratio)


def _picture(path: Path | str, frame: Any, ratio: float) -> NDArray[np.uint8]:
    """Return what a frame shows; ``ratio`` is a pixel's width over its height."""
    width = frame.width if abs(ratio - 1) < _SQUARE else max(1, round(frame.width * ratio))
    if width * frame.height > MAX_PIXELS:
        raise InputError(
            f"{path}: {width} x {frame.height} pixels is too large for a frame; expected at most "
            f"{MAX_PIXELS:,} pixels"
        )
    pixels: NDArray[np.uint8] = frame.to_ndarray(format="rgb24", width=width)
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return pixels
    # telephones record lying down, selfies are mirrored: x, y is shown at a x + c y, b x + d y
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    if abs(b) > abs(a):
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    return np.ascontiguousarray(pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def _frames_from(path: Path | str, first: int) -> Iterator[tuple[Any, float]]:
    """Frames from one on, with the ratio of their pixels; few of those before it are decoded."""
    packet, time = _key_packet(path, first) if first else (0, None)
    if time is not None:
        frames = itertools.dropwhile(lambda one: (one[0].pts or 0) < time, _decoded(path, packet))
        start = next(frames, None)
        if start and start[0].pts == time:
            yield start
            yield from frames
            return  # else the coder needs more than the key frame, and so all of it
    yield from itertools.islice(_decoded(path), first, None)


def _key_packet(path: Path | str, first: int) -> tuple[int, int | None]:
    """Return which packet to decode from to see a frame, and the frame's time; (0, None) if unsure."""
    with _opened(path) as (container, stream):
        if not container.format.name.startswith(_PACKET_IS_FRAME) or stream.codec.name == "vp8":
            return 0, None
        packets = _packets(container, stream, first)
    times = _times(packets)
    counts = packets and packets[0].is_key and all(one.pts is not None for one in packets)
    if not counts or first >= len(times):
        return 0, None
    keys = [n for n, one in enumerate(packets) if one.is_key and one.pts <= times[first]]
    return (keys[-1], times[first]) if keys else (0, None)


class _Packet(NamedTuple):
    pts: Any
    is_key: bool
    is_shown: bool  # not cut away by an edit list


def _packets(container: Any, stream: Any, last: int | None) -> list[_Packet]:
    """Read time stamps, to the end of the file or until that of frame ``last`` is surely there."""
    packets: list[_Packet] = []
    shown = 0
    for packet in container.demux(stream):
        if packet.size:
            packets.append(_Packet(packet.pts, packet.is_keyframe, not packet.is_discard))
            shown += packets[-1].is_shown
        if last is not None and shown > last + _REORDERED:
            break
    return packets


def _times(packets: list[_Packet]) -> list[int]:
    """Time stamps of the frames that are shown, in their order."""
    return sorted(one.pts for one in packets if one.is_shown and one.pts is not None)


def _decoded(path: Path | str, start: int = 0) -> Iterator[tuple[Any, float]]:
    """Frames from a packet on, with the ratio of their pixels; says what is lost or odd."""
    with _opened(path) as (container, stream):
        stream.thread_type = "NONE"
        ratio = float(stream.sample_aspect_ratio or 1)
        stated, number, said = stream.frames, 0, set[str]()
        for position, packet in enumerate(container.demux(stream)):
            stated -= packet.is_discard
            if position < start:
                continue
            if not position and packet.size and not packet.is_keyframe:
                logger.warning("%s: begins between key frames, so its first frames are bad", path)
            try:
                frames = packet.decode()
            except InvalidDataError:
                if number or packet.is_keyframe:
                    raise _damage(path, number) from None
                continue  # before the first key frame
            for frame in frames:
                if frame.is_corrupt or packet.is_corrupt:
                    raise _damage(path, number)
                remarks = _remarks(container, frame)
                for remark in remarks - said:
                    logger.warning("%s: %s", path, remark)
                said |= remarks
                yield frame, ratio
                number += 1
        if not start and stated > number:
            logger.warning("%s: states %d frames, but holds %d", path, stated, number)
        if not container.format.name.startswith(_STATES_LENGTH):
            logger.warning(
                "%s: %d frames; such a file does not tell if some are missing", path, number
            )


def _damage(path: Path | str, number: int) -> InputError:
    """Return the error for what cannot be decoded whole."""
    mend = "copy the file again"
    if number:
        mend += f", or keep what is whole with: ffmpeg -i OLD -frames:v {number} -crf 12 NEW.mp4"
    return InputError(f"{path}: not a readable video, damaged after {number} frames; {mend}")


def _remarks(container: Any, frame: Any) -> set[str]:
    """Tell what to know of a video before it is magnified."""
    remarks = set()
    if len(_videos(container)) > 1:
        remarks.add(f"of several videos in it that of {frame.width} x {frame.height} px is read")
    if frame.interlaced_frame:
        remarks.add(
            "interlaced, so a frame shows two moments in alternate rows and motion as combs, which are "
            "magnified; make it progressive first: ffmpeg -i OLD -vf bwdif -crf 12 NEW.mp4"
        )
    if frame.color_trc in _HDR:
        remarks.add("HDR, read as if it were not, so its contrast is lower than players show it")
    return remarks


def video_fps(path: Path | str, first: int = 0, last: int | None = None) -> float:
    """Return the frame rate of a video file whose frames are evenly spaced in time.

    A temporal filter would take fast motion for slow if an interval differed from the usual one by
    more than a tenth. Only time stamps are read, nothing is decoded.

    Parameters
    ----------
    path
        A video file.
    first, last
        The first and the last frame that matter, counted from 0.

    Returns
    -------
    float
        Frames per second, as the file states them; as its time stamps do if the two differ.

    Raises
    ------
    InputError
        If the file cannot be read, states no frame rate, or that varies.

    Examples
    --------
    >>> video_fps("missing.mp4")
    Traceback (most recent call last):
        ...
    memaa_lib.InputError: missing.mp4: no such file; give a folder of frames or a video file
    """
    with _opened(path) as (container, stream):
        stated = float(_stated_rate(container, stream) or 0)
        raw = _is_raw(container)
        # time stamps are made up where none stand beside the frames; MPEG-4 has them in the frames
        clocked = not raw or stream.codec.name == "mpeg4"
        times = _times(_packets(container, stream, last)) if clocked else []
        # in a transport stream a packet may be half a frame
        reliable = raw or not container.format.flags & Flags.ts_discont.value
        tick = float(stream.time_base)
    times = times[first : None if last is None else last + 1]
    measured = _steady_rate(path, times) / tick
    if reliable and measured and not _agree(stated, measured, len(times) - 1, tick):
        if stated and not raw:
            logger.warning(
                "%s: states %g frames a second, but its frames come at %g, which is taken",
                path, stated, measured,
            )  # fmt: skip
        return measured
    if not stated:
        raise InputError(f"{path}: the file states no frame rate; {GIVE_FPS}")
    return stated


def _is_raw(container: Any) -> bool:
    """Whether frames stand without a container, and so without time stamps."""
    name: str = container.format.name
    return bool(container.format.flags & Flags.no_timestamps.value) or name.endswith("_pipe")


def _stated_rate(container: Any, stream: Any) -> Fraction | None:
    """Frame rate by the container; of a raw stream by the coder's header, as FFmpeg makes up 25."""
    if not _is_raw(container):
        return stream.average_rate
    rate = stream.codec_context.framerate
    return rate if rate and rate <= _MOST_RAW_FPS else None


def _steady_rate(path: Path | str, times: list[int]) -> float:
    """Frames a tick, 0 if there are too few to tell; a clear error if they are not evenly spaced."""
    if len(times) < 3 or times[0] == times[-1]:
        return 0.0
    intervals = np.diff(times)
    usual = float(np.median(intervals))
    # a tick and a half: where time is kept in milliseconds, 120 frames a second are 8 or 9 apart
    if np.abs(intervals - usual).max() > max(_STEADY * usual, 1.5):
        raise InputError(
            f"{path}: the frame rate varies within the video; re-encode it at a constant one, or give "
            "--fps to take the frames as evenly spaced"
        )
    return len(intervals) / float(times[-1] - times[0])


def _agree(stated: float, measured: float, intervals: int, tick: float) -> bool:
    """Whether two rates put the last frame at one time, to a tick and a half or a hundredth.

    They do not where the last frame is shown for long: what is stated counts that in.
    """
    seconds = intervals / measured
    return stated > 0 and abs(intervals / stated - seconds) <= max(1.5 * tick, 0.01 * seconds)


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
    with atomic_path(path) as temporary, av.open(_address(temporary), "w") as container:
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


def check_memory(count: int, name: str) -> None:
    """Raise a clear error if so many bytes are surely more than there is memory for.

    Linux promises more memory than it has, and kills who uses it.
    """
    try:
        lines = Path("/proc/meminfo").read_text("utf-8").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if "MemAvailable" in line)
    except (OSError, StopIteration):  # no Linux
        return
    if count > free:
        raise InputError(
            f"{name}: its frames need {count / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free; "
            f"{SPARE_MEMORY}"
        )


def check_fps(fps: float, name: str = "fps") -> None:
    """Raise a clear error unless ``fps`` is a positive, finite number of frames per second."""
    if not isinstance(fps, (int, float, np.number)) or not math.isfinite(fps) or fps <= 0:
        raise InputError(f"{name}: fps is {fps!r}, expected a positive number of frames per second")
