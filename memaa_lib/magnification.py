"""Eulerian motion magnification (Sec. 3.1, Eqs. 1-5, Figs. 2 and 3).

A small movement changes each pixel a little. Magnification takes those changes apart into bands of
different fineness (a Laplacian pyramid), keeps the ones of the wanted speed (a temporal filter),
adds them back ``alpha`` times, and the movement looks ``1 + alpha`` times as large.

The paper states neither the temporal filter nor the pyramid's gains. What stands here follows the
linear method of Wu et al. (SIGGRAPH 2012) with every open choice as a parameter; the temporal
filter decides more than all others together, see :func:`surviving_magnification`.

``method="phase"`` shifts the phase of each band in place of adding to its brightness, see
:mod:`memaa_lib.phase`; it is not the paper's.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from memaa_lib._kernels import (
    LINES,
    add_amplified,
    half_size,
    line_length,
    magnify_recursively,
    pyramid_size,
    recursion_step,
)
from memaa_lib.clips import (
    IMAGE_SUFFIXES,
    VIDEO_SUFFIXES,
    check_fps,
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
from memaa_lib.phase import PhaseAmplifier
from memaa_lib.storage import InputError, progress

Method = Literal["linear", "phase"]
METHODS: tuple[Method, ...] = ("linear", "phase")
TemporalFilter = Literal["iir", "butterworth", "ideal", "onset"]
TEMPORAL_FILTERS: tuple[TemporalFilter, ...] = ("iir", "butterworth", "ideal", "onset")
LUMA = (0.299, 0.587, 0.114)  # the first row of the RGB to YIQ matrix
SMALLEST_SIDE = 10  # px; below it the pyramid has no band between its finest and its coarsest
LONGEST_MATRIX = 512  # frames; above it a T x T filter matrix costs more than the filter itself
PIXELS_AT_ONCE = 4096  # long clips are filtered in columns of this many pixels


def pyramid_levels(height: int, width: int) -> int:
    """Return the number of levels of the Laplacian pyramid, the low-pass residual included.

    Parameters
    ----------
    height, width
        Size of a frame, px.

    Returns
    -------
    int
        One plus how often both sides can be halved before the shorter one is under 5 px.

    Examples
    --------
    >>> pyramid_levels(170, 140), pyramid_levels(224, 224)
    (6, 7)
    """
    levels = 1
    while min(height, width) >= 5:
        height, width, levels = height // 2, width // 2, levels + 1
    return levels


def band_gains(
    height: int,
    width: int,
    alpha: float,
    *,
    cutoff_wavelength: float = 16.0,
    exaggeration: float = 2.0,
    clamp_gains: bool = True,
) -> NDArray[np.float64]:
    """Return how much each band of the pyramid is amplified, finest first.

    Magnifying ``delta`` px by ``1 + alpha`` holds for wavelengths above ``8 (1 + alpha) delta``
    (Wu et al., Eq. 14). ``cutoff_wavelength`` names the shortest one that still gets the whole
    ``alpha`` when ``exaggeration`` is 1; finer bands get less. The finest band and the low-pass
    residual get nothing.

    Parameters
    ----------
    height, width
        Size of a frame, px.
    alpha
        Amplification, 0 or more. With 0 every gain is 0.
    cutoff_wavelength
        Lambda_c, px.
    exaggeration
        Factor on the gains of the finer bands; 2 in the authors' program.
    clamp_gains
        Whether negative gains become 0. The original program does not clamp: where the wavelength
        is below ``cutoff_wavelength / (1 + alpha)`` it amplifies in the wrong direction.

    Returns
    -------
    ndarray
        ``float64``, ``(pyramid_levels(height, width),)``.

    Raises
    ------
    InputError
        If a number is out of its range.

    Examples
    --------
    >>> band_gains(170, 140, 10).round(2)
    array([ 0.  ,  4.31, 10.  , 10.  , 10.  ,  0.  ])
    """
    check_number("alpha", alpha, at_least=0)
    check_number("cutoff_wavelength", cutoff_wavelength, above=0)
    check_number("exaggeration", exaggeration, above=0)
    levels = pyramid_levels(height, width)
    gains = np.zeros(levels)
    if alpha == 0:
        return gains
    largest_movement = cutoff_wavelength / 8 / (1 + alpha)
    coarsest_wavelength = math.hypot(height, width) / 3
    for level in range(1, levels - 1):
        wavelength = coarsest_wavelength / 2 ** (levels - 1 - level)
        gain = min(exaggeration * (wavelength / largest_movement / 8 - 1), alpha)
        gains[level] = max(gain, 0.0) if clamp_gains else gain
    return gains


def temporal_filter(
    kind: TemporalFilter,
    fps: float,
    n_frames: int,
    band_hz: tuple[float, float] = (0.5, 10.0),
    *,
    order: int = 1,
    per_frame_r: tuple[float, float] | None = None,
) -> NDArray[np.float64]:
    """Return a temporal filter as a matrix: the filtered signal is ``matrix @ signal``.

    Parameters
    ----------
    kind
        ``"iir"``: the difference of two first-order recursive low-passes.
        ``"butterworth"``: the difference of two Butterworth low-passes of the given order.
        ``"ideal"``: only the discrete frequencies strictly inside the band, both signs.
        ``"onset"``: a first-order low-pass at the upper limit, minus the first frame.
        The recursive ones start as if the first frame had stood still for ever, so the first
        filtered frame is 0.
    fps
        Frames per second.
    n_frames
        Length of the signal, T.
    band_hz
        Lower and upper limit, Hz; ``"onset"`` uses the upper one alone.
    order
        Of the Butterworth low-passes.
    per_frame_r
        Coefficients ``(r_fast, r_slow)`` of ``"iir"`` as the original program takes them, e.g.
        ``(0.4, 0.05)``, in place of ``band_hz``. They are per frame: the band moves with ``fps``.

    Returns
    -------
    ndarray
        ``float64``, ``(T, T)``. Its rows sum to 0: no filter here passes what does not move.

    Raises
    ------
    InputError
        If the filter is unknown or a number is out of its range.

    Examples
    --------
    >>> matrix = temporal_filter("iir", fps=100, n_frames=3)
    >>> (matrix @ [5.0, 5.0, 6.0]).round(3)
    array([0.   , 0.   , 0.436])
    """
    design = _Filter.design(kind, fps, band_hz, order, per_frame_r)
    check_count("n_frames", n_frames)
    return design.apply(np.eye(n_frames))


def surviving_magnification(
    temporal: TemporalFilter,
    fps: float,
    n_frames: int,
    band_hz: tuple[float, float] = (0.5, 10.0),
    alpha: float = 10.0,
    *,
    movement: NDArray[np.float64] | None = None,
    order: int = 1,
    per_frame_r: tuple[float, float] | None = None,
) -> float:
    """Return by how much a movement is magnified in the mean over all frames.

    The avatar is a mean over frames, and the mean of ``I + alpha B`` is that of ``I`` plus
    ``alpha`` times the mean of ``B``. The ideal filter passes no constant, so the mean of ``B`` is
    0 and the avatar does not depend on ``alpha`` at all. A filter that starts at the first frame
    keeps a part.

    Parameters
    ----------
    temporal, fps, n_frames, band_hz, order, per_frame_r
        See :func:`temporal_filter`.
    alpha
        Amplification, 0 or more.
    movement
        ``(n_frames,)``, any unit, with a mean other than 0. Default: out and back in one raised
        cosine that fills the clip, as from onset to offset.

    Returns
    -------
    float
        1 if nothing of the magnification survives the mean, ``1 + alpha`` if all does.

    Raises
    ------
    InputError
        If a number is out of its range or the movement has a mean of 0.

    Examples
    --------
    >>> round(surviving_magnification("ideal", 100, 50, (3, 10), alpha=10), 6)
    1.0
    >>> round(surviving_magnification("iir", 200, 70, (0.5, 10), alpha=10), 1)
    6.8
    """
    check_number("alpha", alpha, at_least=0)
    matrix = temporal_filter(temporal, fps, n_frames, band_hz, order=order, per_frame_r=per_frame_r)
    if movement is None:
        if n_frames < 3:
            raise InputError(
                f"n_frames is {n_frames}; a movement out and back needs at least 3 frames"
            )
        movement = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_frames) / (n_frames - 1))
    movement = np.asarray(movement, np.float64)
    if movement.shape != (n_frames,):
        raise InputError(f"movement has shape {movement.shape}, expected ({n_frames},)")
    mean = float(movement.mean())
    if not math.isfinite(mean) or abs(mean) <= 1e-12 * float(np.abs(movement).max()):
        raise InputError(f"movement has a mean of {mean}; expected a number other than 0")
    return 1 + alpha * float((matrix @ movement).mean()) / mean


def magnify(
    frames: NDArray[np.uint8],
    fps: float,
    alpha: float | Sequence[float],
    *,
    band_hz: tuple[float, float] = (0.5, 10.0),
    temporal: TemporalFilter = "iir",
    order: int = 1,
    per_frame_r: tuple[float, float] | None = None,
    cutoff_wavelength: float = 16.0,
    chroma: float | None = None,
    exaggeration: float = 2.0,
    clamp_gains: bool = True,
    method: Method = "linear",
) -> NDArray[np.uint8]:
    """Magnify the small movements of a clip (Eqs. 1-5).

    Parameters
    ----------
    frames
        ``uint8``, RGB ``(T, H, W, 3)`` or gray ``(T, H, W)``.
    fps
        Frames per second.
    alpha
        Amplification, 0 or more; 0 returns the frames unchanged. A sequence of A values shares one
        pyramid and one filter pass.
    band_hz
        Speeds to magnify, Hz.
    temporal, order, per_frame_r
        The temporal filter, see :func:`temporal_filter`.
    cutoff_wavelength, exaggeration, clamp_gains
        The gains of the bands, see :func:`band_gains`.
    chroma
        How much of the change in colour is magnified, relative to the change in brightness, 0 to 1.
        Default: 0.1, or 1 with ``method="phase"``, which moves colours and does not amplify their
        noise.
    method
        ``"linear"``: the paper's; ``"phase"``: the phase of a Riesz pyramid (Wadhwa et al. 2014),
        which carries further, amplifies no noise and takes about a hundred times as long. Every
        band but the coarsest gets the whole ``alpha``: the gains of the bands are the linear one's
        alone.

    Returns
    -------
    ndarray
        ``uint8``, like ``frames``; ``(A, T, ...)`` if ``alpha`` is a sequence.

    Raises
    ------
    InputError
        If the frames are no clip or a number is out of its range.

    Warns
    -----
    UserWarning
        If nothing can be magnified: one frame, frames under 10 px, a band that holds no frequency
        of the clip, or gains that are all 0.

    Notes
    -----
    Both the pyramid and the temporal filter are linear and work along different axes, so they may
    be exchanged. As the finest band has gain 0, only the frames at half size are filtered in time;
    bands are made from the result, once for all alphas. No frame is dropped.

    Examples
    --------
    >>> brighter = np.full((5, 32, 32), 100, np.uint8)
    >>> brighter[3:, 8:24, 8:24] = 102
    >>> magnify(brighter, fps=100, alpha=10).max()
    np.uint8(106)
    >>> magnify(brighter, fps=100, alpha=[0, 5, 10]).shape
    (3, 5, 32, 32)
    """
    check_frames(frames)
    design = _Filter.design(temporal, fps, band_hz, order, per_frame_r)
    alphas = as_alphas(alpha)
    gains = _Gains(method, chroma, cutoff_wavelength, exaggeration, clamp_gains)
    magnified = np.empty((len(alphas), *frames.shape), np.uint8)
    if _warn_if_idle(frames.shape, design, alphas, gains):
        magnified[:] = frames
    else:
        amplifier = gains.amplifier(frames.shape[1:], alphas)
        if design.recursive:
            amplifier.run(frames, design, magnified)
        else:
            signal = np.stack([amplifier.signal(frame) for frame in frames])
            for t, band in enumerate(design.filtered(signal)):
                amplifier.add(frames[t], band, magnified, t)
    return magnified[0] if np.ndim(alpha) == 0 else magnified


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
    design = _Filter.design(temporal, fps, band_hz, 1, per_frame_r)
    if not design.recursive:
        raise InputError(f"temporal={temporal!r} needs the whole clip; use magnify, or 'iir'")
    alphas = as_alphas(alpha)
    gains = _Gains(method, chroma, cutoff_wavelength, exaggeration, clamp_gains)
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        raise InputError("no frames to magnify; expected at least one")
    check_frames(first[None], "the first frame")
    idle = _warn_if_idle((2, *first.shape), design, alphas, gains)
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


def psnr(reference: NDArray[np.uint8], frames: NDArray[np.uint8]) -> float:
    """Return the peak signal-to-noise ratio of a clip against a reference (Fig. 3).

    The paper measures it against the unmagnified clip, where it must fall with alpha: the wanted
    movement counts as error too. Against the true magnified clip, which only a renderer can give,
    it says how good the magnification is.

    Parameters
    ----------
    reference, frames
        ``uint8`` arrays of one shape.

    Returns
    -------
    float
        dB over all pixels of all frames, peak 255; ``inf`` if both are the same.

    Raises
    ------
    InputError
        If the arrays are not ``uint8``, are empty or differ in shape.

    Examples
    --------
    >>> psnr(np.zeros((2, 8, 8), np.uint8), np.full((2, 8, 8), 255, np.uint8))
    0.0
    """
    for name, array in (("reference", reference), ("frames", frames)):
        if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.size == 0:
            raise InputError(f"{name}: expected a non-empty uint8 array")
    if reference.shape != frames.shape:
        raise InputError(
            f"reference has shape {reference.shape} and frames {frames.shape}; expected the same"
        )
    rows = zip(_as_rows(reference), _as_rows(frames), strict=True)
    # sums of whole numbers, so exact
    error = sum(cv2.norm(*row, cv2.NORM_L2SQR) for row in rows) / frames.size
    return 10 * math.log10(255**2 / error) if error else math.inf


def check_number(
    name: str,
    value: float,
    *,
    at_least: float = -math.inf,
    above: float = -math.inf,
    at_most: float = math.inf,
) -> None:
    """Raise a clear error unless a parameter is a finite number in its range.

    Parameters
    ----------
    name
        What the message calls it.
    value
        What was given.
    at_least, above, at_most
        The range; ``above`` itself is outside.

    Raises
    ------
    InputError
        If it is not.

    Examples
    --------
    >>> check_number("alpha", -1, at_least=0)
    Traceback (most recent call last):
        ...
    memaa_lib.storage.InputError: alpha is -1, expected a finite number of at least 0
    """
    if (
        isinstance(value, (int, float, np.number))
        and math.isfinite(value)
        and at_least <= value <= at_most
        and value > above
    ):
        return
    limits = [("of at least", at_least), ("above", above), ("up to", at_most)]
    expected = " ".join(f"{words} {limit:g}" for words, limit in limits if math.isfinite(limit))
    raise InputError(f"{name} is {value!r}, expected a finite number {expected}".rstrip())


def as_alphas(alpha: float | Sequence[float]) -> list[float]:
    """Return the amplifications as a list.

    Parameters
    ----------
    alpha
        One number or a sequence of them.

    Returns
    -------
    list of float

    Raises
    ------
    InputError
        If there is none, or one is negative or not finite.

    Examples
    --------
    >>> as_alphas(10), as_alphas((0, 5))
    ([10], [0, 5])
    """
    alphas: list[float] = list(alpha) if isinstance(alpha, (Sequence, np.ndarray)) else [alpha]
    if not len(alphas):
        raise InputError("alpha is an empty sequence, expected at least one number")
    for one in alphas:
        check_number("alpha", one, at_least=0)
    return alphas


def check_count(name: str, value: int) -> None:
    """Raise a clear error unless a parameter is a whole number of at least 1.

    Parameters
    ----------
    name
        What the message calls it.
    value
        What was given.

    Raises
    ------
    InputError
        If it is not.

    Examples
    --------
    >>> check_count("order", 1.5)
    Traceback (most recent call last):
        ...
    memaa_lib.storage.InputError: order is 1.5, expected a whole number from 1 up
    """
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name} is {value!r}, expected a whole number from 1 up")


def _as_rows(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One row for each frame."""
    frames = np.atleast_2d(frames)
    return frames.reshape(len(frames), -1)


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


@dataclass(frozen=True)
class _Filter:
    """A temporal filter; ``low_passes`` holds (b, a) of the fast and of the slow one."""

    kind: TemporalFilter
    fps: float
    band_hz: tuple[float, float]
    order: int
    low_passes: tuple[tuple[Any, Any], ...]

    @classmethod
    def design(
        cls,
        kind: TemporalFilter,
        fps: float,
        band_hz: tuple[float, float],
        order: int,
        per_frame_r: tuple[float, float] | None,
    ) -> _Filter:
        """Check the parameters and work out the coefficients."""
        if kind not in TEMPORAL_FILTERS:
            raise InputError(f"temporal is {kind!r}, expected one of {', '.join(TEMPORAL_FILTERS)}")
        check_fps(fps)
        check_count("order", order)
        low, high = _check_band(band_hz)
        if per_frame_r is not None and kind != "iir":
            raise InputError(f"per_frame_r is for temporal='iir', not {kind!r}; give band_hz")
        low_passes: tuple[tuple[Any, Any], ...] = ()
        if kind == "butterworth":
            if high >= fps / 2 or low == 0:
                raise InputError(
                    f"band_hz is {band_hz}; a Butterworth filter at {fps} fps needs limits above 0 "
                    f"and below {fps / 2} Hz"
                )
            import scipy.signal  # half a second, which only this filter has to pay

            low_passes = tuple(scipy.signal.butter(order, hz, fs=fps) for hz in (high, low))
        elif kind != "ideal":
            slow_hz = 0.0 if kind == "onset" else low
            r = per_frame_r or tuple(
                1 - math.exp(-2 * math.pi * hz / fps) for hz in (high, slow_hz)
            )
            if len(r) != 2 or not 0 <= r[1] < r[0] <= 1:
                raise InputError(
                    f"per_frame_r is {r}, expected (fast, slow), 0 <= slow < fast <= 1"
                )
            low_passes = tuple(((one, 0.0), (1.0, one - 1)) for one in r)
            order = 1
        return cls(kind, float(fps), (low, high), order, low_passes)

    @property
    def recursive(self) -> bool:
        """Whether a frame needs only the frame before it."""
        return self.kind != "ideal" and self.order == 1

    def passed_bins(self, n_frames: int) -> NDArray[np.bool_]:
        """Which bins of the real DFT the ideal filter passes."""
        hz = scipy.fft.rfftfreq(n_frames, 1 / self.fps)
        return np.asarray((hz > self.band_hz[0]) & (hz < self.band_hz[1]))

    @property
    def coefficients(self) -> NDArray[np.float64]:
        """``(b0, b1, a1)`` of the fast and of the slow first-order recursion."""
        return np.array([(b[0], b[1], a[1]) for b, a in self.low_passes])

    def filtered(self, columns: NDArray[np.float32]) -> NDArray[np.float32]:
        """Filter ``(T, P)`` along its first axis; may write into it."""
        if len(columns) <= LONGEST_MATRIX:
            matrix = self.apply(np.eye(len(columns))).astype(np.float32)
            return np.asarray(matrix @ columns)
        for first in range(0, columns.shape[1], PIXELS_AT_ONCE):
            some = slice(first, first + PIXELS_AT_ONCE)
            columns[:, some] = self.apply(columns[:, some].astype(np.float64))
        return columns

    def apply(self, signal: NDArray[np.float64]) -> NDArray[np.float64]:
        """Filter a whole signal ``(T, P)`` along its first axis."""
        if self.kind == "ideal":
            spectrum = scipy.fft.rfft(signal, axis=0)
            spectrum[~self.passed_bins(len(signal))] = 0
            return np.asarray(scipy.fft.irfft(spectrum, n=len(signal), axis=0))
        if self.recursive:
            bands = np.empty_like(signal)
            before, fast, slow = (signal[0].copy() for _ in range(3))
            for now, band in zip(signal, bands, strict=True):
                recursion_step(now, before, fast, slow, self.coefficients, band)
            return bands
        fast, slow = (
            _steady_low_pass(self.order, hz, self.fps, signal) for hz in self.band_hz[::-1]
        )
        return fast - slow


def _steady_low_pass(
    order: int, hz: float, fps: float, signal: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Butterworth low-pass that starts as if the first frame had lasted for ever."""
    import scipy.signal

    sections = scipy.signal.butter(order, hz, fs=fps, output="sos")
    start = scipy.signal.sosfilt_zi(sections)[:, :, None] * signal[0]
    return np.asarray(scipy.signal.sosfilt(sections, signal, axis=0, zi=start)[0])


class _Amplifier:
    """The linear method: half-size frames, and what a filter has made of them added to frames."""

    def __init__(
        self, shape: tuple[int, ...], all_gains: Sequence[NDArray[np.float64]], chroma: float
    ) -> None:
        """Prepare for frames of ``shape`` ``(H, W)`` or ``(H, W, 3)``."""
        self.channels = 3 if len(shape) == 3 else 1
        self.half_shape = ((shape[0] + 1) // 2, (shape[1] + 1) // 2 * self.channels)
        self.flat_shape = (shape[0], shape[1] * self.channels)
        # the finest band, whose gain is 0, is not in the pyramid of the half-size frames
        self.gains = np.stack(all_gains)[:, 1:].astype(np.float32)
        self.mixing = _chroma_mixing(chroma) if self.channels == 3 else np.ones((1, 1), np.float32)
        size, n_alphas = pyramid_size(shape[0], shape[1], self.channels), len(self.gains)
        self.pyramid = np.zeros(size, np.float32)
        self.rests = np.zeros((n_alphas, size), np.float32)
        length = line_length(shape[1], self.channels)
        self.lines = np.zeros((n_alphas, LINES, length), np.float32)
        self.states = np.zeros((3, *self.half_shape), np.float32)
        self.starts = True

    def run(self, frames: NDArray[np.uint8], design: _Filter, out: NDArray[np.uint8]) -> None:
        """Write the next frames ``(T, ...)``, magnified, into ``out`` ``(A, T, ...)``."""
        magnify_recursively(
            self._flat(frames),
            self.mixing,
            design.coefficients.astype(np.float32),
            self.starts,
            self.states,
            self.gains,
            self._flat(out),
            self.pyramid,
            self.rests,
            self.lines,
        )
        self.starts = False

    def signal(self, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the first level of the Gaussian pyramid, colours mixed, as a flat array."""
        half = np.empty(self.half_shape, np.float32)
        half_size(self._flat(frame), self.mixing, half)
        return half.ravel()

    def add(
        self, frame: NDArray[np.uint8], band: NDArray[np.float32], out: NDArray[np.uint8], t: int
    ) -> None:
        """Write the magnified frame into ``out[:, t]``, for every alpha."""
        self.pyramid[: band.size] = band
        add_amplified(
            self._flat(frame),
            self.channels,
            self.pyramid,
            self.gains,
            self._flat(out),
            t,
            self.rests,
            self.lines,
        )

    def _flat(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Frames with the channels of a pixel side by side, ``(..., H, W * C)``."""
        before = frames.ndim - (3 if self.channels == 3 else 2)
        return np.ascontiguousarray(frames).reshape(*frames.shape[:before], *self.flat_shape)


def _chroma_mixing(chroma: float) -> NDArray[np.float32]:
    """Return the matrix that attenuates the colour part of a change.

    Attenuating I and Q of YIQ by ``chroma`` and going back to RGB is ``chroma`` times the change
    plus ``1 - chroma`` times its luma on every channel.
    """
    return (chroma * np.eye(3) + (1 - chroma) * np.array([LUMA])).astype(np.float32)


@dataclass(frozen=True)
class _Gains:
    """How what has passed the temporal filter is put back into the frames."""

    method: Method
    chroma: float | None
    cutoff_wavelength: float
    exaggeration: float
    clamp_gains: bool

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"method is {self.method!r}, expected one of {', '.join(METHODS)}")
        check_number("chroma", self.share_of_colour, at_least=0, at_most=1)
        given = (self.cutoff_wavelength, self.exaggeration, self.clamp_gains)
        if self.method == "phase" and given != (16.0, 2.0, True):
            raise InputError(
                "cutoff_wavelength, exaggeration and clamp_gains are for method='linear'; "
                "method='phase' gives every band the whole alpha"
            )

    @property
    def share_of_colour(self) -> float:
        """Chroma, or what it is by default."""
        if self.chroma is None:
            return 1.0 if self.method == "phase" else 0.1
        return self.chroma

    def of_bands(self, height: int, width: int, alpha: float) -> NDArray[np.float64]:
        """Gains of the linear method's bands."""
        return band_gains(
            height,
            width,
            alpha,
            cutoff_wavelength=self.cutoff_wavelength,
            exaggeration=self.exaggeration,
            clamp_gains=self.clamp_gains,
        )

    def amplifier(
        self, shape: tuple[int, ...], alphas: Sequence[float]
    ) -> _Amplifier | PhaseAmplifier:
        """Return what takes frames of ``shape`` to signals, and filtered signals to frames."""
        if self.method == "phase":
            colour = len(shape) == 3
            mixing = _chroma_mixing(self.share_of_colour) if colour else np.ones((1, 1), np.float32)
            return PhaseAmplifier(shape, alphas, mixing, np.array(LUMA if colour else [1.0]))
        all_gains = [self.of_bands(shape[0], shape[1], alpha) for alpha in alphas]
        return _Amplifier(shape, all_gains, self.share_of_colour)


def _warn_if_idle(
    shape: tuple[int, ...], design: _Filter, alphas: Sequence[float], gains: _Gains
) -> bool:
    """Warn, and return True, if nothing will be magnified though it was asked for."""
    n_frames, height, width = shape[:3]
    low, high = design.band_hz
    reason = ""
    all_gains = [gains.of_bands(height, width, alpha) for alpha in alphas]
    if not any(alphas):
        return True
    if n_frames == 1:
        reason = "the clip has one frame and so no movement; give at least two frames"
    elif min(height, width) < SMALLEST_SIDE:
        reason = (
            f"frames of {width} x {height} px are too small for the pyramid, which needs "
            f"{SMALLEST_SIDE} px a side; enlarge them first"
        )
    elif design.kind == "ideal" and not design.passed_bins(n_frames).any():
        reason = (
            f"no frequency of {n_frames} frames at {design.fps:g} fps lies between {low:g} and "
            f"{high:g} Hz; widen band_hz, or take temporal='iir'"
        )
    elif gains.method == "linear" and not any(one.any() for one in all_gains):
        reason = "cutoff_wavelength is so long that every band has gain 0; shorten it"
    if reason:
        warnings.warn(f"nothing is magnified: {reason}", UserWarning, stacklevel=3)
    return bool(reason)


def _check_band(band_hz: tuple[float, float]) -> tuple[float, float]:
    """Return the band as two floats, or raise a clear error."""
    try:
        low, high = (float(limit) for limit in band_hz)
    except (TypeError, ValueError):
        raise InputError(f"band_hz is {band_hz!r}, expected two numbers (low, high)") from None
    if not 0 <= low < high < math.inf:
        raise InputError(f"band_hz is {band_hz!r}, expected 0 <= low < high, in Hz")
    return low, high
