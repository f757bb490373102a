"""Videos and folders of any length through magnification (Sec. 3.1), in bounded memory."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError
from memaa_lib._support.media import GIVE_FPS
from memaa_lib._support.running import progress
from memaa_lib.clips import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    Clip,
    check_alike,
    check_fps,
    check_target,
    check_whole,
    iterate_video,
    list_frames,
    read_image,
    stack_frames,
    video_fps,
    video_length,
    video_writer,
    write_image,
)
from memaa_lib.magnification import (
    Magnification,
    TemporalDesign,
    as_alphas,
    magnify,
    make_amplifier,
    warn_if_idle,
)


def magnify_stream(
    frames: Iterable[NDArray[np.uint8]],
    fps: float,
    alpha: float | Sequence[float],
    settings: Magnification | None = None,
    **options: Any,
) -> Iterator[NDArray[np.uint8]]:
    """Magnify frame by frame, in memory that does not grow with the length of the clip.

    Parameters
    ----------
    frames
        Any iterable of ``uint8`` frames of one size, RGB ``(H, W, 3)`` or gray ``(H, W)``.
    fps
        Frames per second.
    alpha, settings, **options
        As in :func:`memaa_lib.magnification.magnify`, but neither ``temporal="ideal"`` nor an ``order``
        above 1, which need the whole clip.

    Yields
    ------
    ndarray
        ``uint8``, the same bytes that ``magnify`` gives: a frame, or ``(A, H, W[, 3])`` if ``alpha``
        is a sequence.

    Raises
    ------
    InputError
        As ``magnify``; or if the filter needs the whole clip or the frame size changes.

    Examples
    --------
    >>> clip = Clip(np.random.default_rng(0).integers(0, 256, (4, 32, 32), dtype=np.uint8), fps=100)
    >>> streamed = list(magnify_stream(iter(clip.frames), clip.fps, alpha=10))
    >>> bool((np.stack(streamed) == magnify(clip, alpha=10).frames).all())
    True
    """
    settings = replace(settings or Magnification(), **options)
    alphas = as_alphas(alpha)
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        raise InputError("no frames to magnify; expected at least one")
    Clip(first[None], fps, name="the first frame")  # frames and frame rate are checked at its door
    design = TemporalDesign(settings, fps)
    if not design.recursive:
        what = f"temporal={settings.temporal!r}"
        if settings.method == "lagrangian":
            what = "method='lagrangian'"
        raise InputError(f"{what} needs the whole clip; use magnify, or a linear method with 'iir'")
    idle = warn_if_idle((2, *first.shape), design, alphas)
    amplifier = None if idle else make_amplifier(settings, first.shape, alphas)
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
        Fields of :class:`memaa_lib.magnification.Magnification`. The temporal filters ``"ideal"`` and
        ``"butterworth"`` of order 2 and more need the whole clip in memory.

    Returns
    -------
    int
        Number of frames written for each alpha.

    Raises
    ------
    InputError
        As ``magnify``; or if the source cannot be read or the target holds files.

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
    # all that can be wrong is found before a long video is opened
    targets, settings = magnified_paths(target, alpha), Magnification(**options)
    if fps is not None:
        check_fps(fps, str(source))
    rate, count, frames = _open_frames(Path(source), fps)
    check_fps(rate, str(source))
    alphas = _distinct(alpha)
    if TemporalDesign(settings, rate).recursive:
        magnified = magnify_stream(frames, rate, alphas, settings)
    else:
        clip = Clip(stack_frames(frames, str(source), count), rate, name=str(source))
        clips = magnify(clip, alphas, settings)
        magnified = iter(np.stack([one.frames for one in clips], axis=1))
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
    target = check_target(target)
    names = [f"alpha{one:g}" for one in _distinct(alpha)]
    if np.ndim(alpha) == 0:
        return [target]
    if target.suffix:
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
            raise InputError(f"{source}: a folder of frames states no frame rate; {GIVE_FPS}")
        paths = list_frames(source)
        return fps, len(paths), _read_alike(paths, colour=check_alike(paths))
    if source.suffix.lower() in IMAGE_SUFFIXES:
        raise InputError(f"{source}: one image is no clip; give the folder that holds the frames")
    check_whole(source)
    rate = video_fps(source) if fps is None else fps
    return rate, video_length(source, rate), iterate_video(source)


def _distinct(alpha: float | Sequence[float]) -> list[float]:
    """Amplifications, each once."""
    return list(dict.fromkeys(as_alphas(alpha)))


def _read_alike(paths: Iterable[Path], *, colour: bool) -> Iterator[NDArray[np.uint8]]:
    """Frames one by one, with three channels all along if any of them has: gray ones are coded as one."""
    for frame in map(read_image, paths):
        yield np.repeat(frame[..., None], 3, axis=2) if colour and frame.ndim == 2 else frame


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
