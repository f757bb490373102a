"""Videos and folders of any length through magnification (Sec. 3.1), in bounded memory."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError
from memaa_lib._support.running import progress
from memaa_lib.clips import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    check_frames,
    check_steady,
    iterate_video,
    list_frames,
    read_image,
    video_fps,
    video_length,
    video_writer,
    write_image,
)
from memaa_lib.magnification import (
    Gains,
    Method,
    TemporalDesign,
    TemporalFilter,
    as_alphas,
    magnify,
    warn_if_idle,
)


def magnify_stream(
    frames: Iterable[NDArray[np.uint8]],
    fps: float,
    alpha: float | Sequence[float],
    *,
    band_hz: tuple[float, float] = (0.5, 10.0),
    temporal: TemporalFilter = "iir",
    per_frame_r: tuple[float, float] | None = None,
    cutoff_wavelength: float = 16.0,
    chroma: float | None = None,
    exaggeration: float = 2.0,
    clamp_gains: bool = True,
    method: Method = "linear",
) -> Iterator[NDArray[np.uint8]]:
    """Magnify frame by frame, in memory that does not grow with the length of the clip.

    Parameters
    ----------
    frames
        Any iterable of ``uint8`` frames of one size, RGB ``(H, W, 3)`` or gray ``(H, W)``.
    fps, alpha, band_hz, per_frame_r, cutoff_wavelength, chroma, exaggeration, clamp_gains, method
        As in :func:`magnify`.
    temporal
        As in :func:`magnify`, but not ``"ideal"``, which needs the whole clip. ``"butterworth"`` is
        of order 1.

    Yields
    ------
    ndarray
        ``uint8``, the same bytes that :func:`magnify` gives: a frame, or ``(A, H, W[, 3])`` if
        ``alpha`` is a sequence.

    Raises
    ------
    InputError
        As :func:`magnify`; or if the filter needs the whole clip or the frame size changes.

    Examples
    --------
    >>> clip = np.random.default_rng(0).integers(0, 256, (4, 32, 32), dtype=np.uint8)
    >>> streamed = list(magnify_stream(iter(clip), fps=100, alpha=10))
    >>> bool((np.stack(streamed) == magnify(clip, fps=100, alpha=10)).all())
    True
    """
    design = TemporalDesign.design(temporal, fps, band_hz, 1, per_frame_r)
    if not design.recursive:
        raise InputError(f"temporal={temporal!r} needs the whole clip; use magnify, or 'iir'")
    alphas = as_alphas(alpha)
    gains = Gains(method, chroma, cutoff_wavelength, exaggeration, clamp_gains)
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        raise InputError("no frames to magnify; expected at least one")
    check_frames(first[None], "the first frame")
    idle = warn_if_idle((2, *first.shape), design, alphas, gains)
    amplifier = None if idle else gains.amplifier(first.shape, alphas)
    for t, frame in enumerate(itertools.chain([first], remaining)):
        if frame.shape != first.shape or frame.dtype != np.uint8:
            raise InputError(
                f"frame {t}: {frame.dtype} {frame.shape}, expected uint8 {first.shape} as the first"
                " one"
            )
        magnified = np.empty((len(alphas), 1, *first.shape), np.uint8)
        if amplifier:
            amplifier.run(frame[None], design, magnified)
        else:
            magnified[:] = frame
        yield magnified[0, 0] if np.ndim(alpha) == 0 else magnified[:, 0]


def magnify_file(
    source: Path | str,
    target: Path | str,
    alpha: float | Sequence[float] = 10.0,
    *,
    fps: float | None = None,
    **options: Any,
) -> int:
    """Magnify a video or a folder of frames into another one, in bounded memory, with a bar.

    Parameters
    ----------
    source
        A video file, or a folder of numbered images.
    target
        A video's name (``.mp4``), or that of a new or empty folder, which gets ``img1.png``,
        ``img2.png`` and so on. See :func:`magnified_paths` for several alphas.
    alpha
        Amplification, 0 or more; a sequence writes one result for each different one.
    fps
        Frames per second. Needed for a folder; for a video it replaces what the file states.
    **options
        As in :func:`magnify`. The temporal filters ``"ideal"`` and ``"butterworth"`` of order 2 and
        more need the whole clip in memory.

    Returns
    -------
    int
        Number of frames written for each alpha.

    Raises
    ------
    InputError
        As :func:`magnify`; or if the source cannot be read or the target holds files.

    Notes
    -----
    Results appear whole or not at all: whoever stops it half-way finds nothing.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for t in range(3):
    ...         write_image(Path(folder, "in", f"{t}.png"), np.full((16, 16), 9, np.uint8))
    ...     magnify_file(Path(folder, "in"), Path(folder, "out"), fps=100)
    3
    """
    targets = magnified_paths(target, alpha)
    rate, count, frames = _open_frames(Path(source), fps)
    magnified = _magnified_frames(frames, rate, _distinct(alpha), options)
    # parameters are checked with the first frame, before anything is written
    first = next(magnified)
    written = 0
    with contextlib.ExitStack() as outputs, progress("magnify", count) as advance:
        height, width = first.shape[1:3]
        writers = [outputs.enter_context(_writer(one, height, width, rate)) for one in targets]
        for frames_now in itertools.chain([first], magnified):
            for write, frame in zip(writers, frames_now, strict=True):
                write(frame)
            written += 1
            advance()
    return written


def magnified_paths(target: Path | str, alpha: float | Sequence[float]) -> list[Path]:
    """Return where :func:`magnify_file` writes, one path for each alpha.

    Parameters
    ----------
    target, alpha
        As in :func:`magnify_file`.

    Returns
    -------
    list of pathlib.Path
        The target itself for one number; for a sequence ``NAME-alpha5.mp4`` beside it, or folders
        ``alpha5`` in it.

    Raises
    ------
    InputError
        If the target is a folder that holds files, or neither a folder's nor a video's name.

    Examples
    --------
    >>> [path.name for path in magnified_paths("face.mp4", [5, 10])]
    ['face-alpha5.mp4', 'face-alpha10.mp4']
    """
    target = Path(target)
    is_video = target.suffix.lower() in VIDEO_SUFFIXES
    if not is_video and (target.suffix or target.is_file()):
        raise InputError(
            f"{target}: expected a folder's name or a video's ({', '.join(VIDEO_SUFFIXES)})"
        )
    if target.is_dir() and any(target.iterdir()):
        raise InputError(
            f"{target}: the folder is not empty; name a new one, nothing is overwritten"
        )
    names = [f"alpha{one:g}" for one in _distinct(alpha)]
    if np.ndim(alpha) == 0:
        return [target]
    if is_video:
        return [target.with_name(f"{target.stem}-{name}{target.suffix}") for name in names]
    return [target / name for name in names]


def _open_frames(source: Path, fps: float | None) -> tuple[float, int, Iterator[NDArray[np.uint8]]]:
    """Return the frame rate, about how many frames there are, and the frames one by one."""
    if not source.exists():
        raise InputError(
            f"{source}: no such file or folder; give a folder of frames or a video file"
        )
    if source.is_dir():
        if fps is None:
            raise InputError(
                f"{source}: a folder of frames states no frame rate; give it with --fps"
            )
        paths = list_frames(source)
        return fps, len(paths), _coloured_alike(read_image(path) for path in paths)
    if source.suffix.lower() in IMAGE_SUFFIXES:
        raise InputError(f"{source}: one image is no clip; give the folder that holds the frames")
    if fps is None:
        check_steady(source)
    rate = video_fps(source) if fps is None else fps
    return rate, video_length(source), iterate_video(source)


def _magnified_frames(
    frames: Iterator[NDArray[np.uint8]],
    fps: float,
    alphas: list[float],
    options: dict[str, Any],
) -> Iterator[NDArray[np.uint8]]:
    """Yield ``(A, H, W[, 3])``, one by one where the temporal filter allows it."""
    order = options.get("order", 1)
    if options.get("temporal", "iir") == "ideal" or order != 1:
        yield from magnify(_whole_clip(frames), fps, alphas, **options).swapaxes(0, 1)
    else:
        streamed = {name: value for name, value in options.items() if name != "order"}
        yield from magnify_stream(frames, fps, alphas, **streamed)


def _distinct(alpha: float | Sequence[float]) -> list[float]:
    """Amplifications, each once."""
    return list(dict.fromkeys(as_alphas(alpha)))


def _coloured_alike(frames: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """Frames with three channels all along if the first has them: gray ones are coded as one."""
    colour = False
    for t, frame in enumerate(frames):
        colour = frame.ndim == 3 if t == 0 else colour
        yield np.repeat(frame[..., None], 3, axis=2) if colour and frame.ndim == 2 else frame


def _whole_clip(frames: Iterable[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """All frames in one array, or a clear error."""
    stack = list(frames)
    if not stack:
        raise InputError("no frames to magnify; expected at least one")
    for t, frame in enumerate(stack):
        if frame.shape != stack[0].shape:
            raise InputError(f"frame {t} has shape {frame.shape}, the first one {stack[0].shape}")
    return np.stack(stack)


@contextlib.contextmanager
def _writer(
    target: Path, height: int, width: int, fps: float
) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Write frames into a video or a folder that appears when all of them are there."""
    if target.suffix.lower() in VIDEO_SUFFIXES:
        with video_writer(target, height, width, fps) as write:
            yield write
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as unfinished:
        numbers = itertools.count(1)
        whole = Path(unfinished, "frames")
        yield lambda frame: write_image(whole / f"img{next(numbers)}.png", frame)
        if target.is_dir():
            target.rmdir()  # an empty one
        whole.rename(target)
