"""Removing frames with low textural variance (Sec. 3.2, Eqs. 6-9, Fig. 4).

Each frame becomes a map of local binary patterns. The map is cut into 36 blocks, each block with
its neighbours in time is taken to the frequency domain (Eq. 6), the low frequencies are masked out
(Eqs. 7 and 8), and the magnitudes that remain add up to one number for the frame, A_i (Eq. 9).
Frames whose A_i is above the clip's mean are kept. :func:`texture_intensity_literally` says so step
by step; :func:`texture_intensity` is the same, made fast.

The reading of what the paper leaves open follows the program of the work it builds on (Li, Huang
and Zhao, ICIP 2018): 3 x 3 patterns with the 256 codes as intensities, blocks of floor((rows - 1)
/ 6) by floor((columns - 1) / 6), the first and last frame repeated beyond the ends, and the sum of
magnitudes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError, check_count, check_number
from memaa_lib._support.kernels import binary_patterns, sliding_magnitudes
from memaa_lib.clips import Clip, resize, to_gray

Padding = Literal["replicate", "reflect"]
FACE_SIZE = (170, 140)  # rows and columns, px, to which faces are brought to be scored
PRECISION = 1e-6  # relative; differences between frames below it are rounding, not texture


@dataclass(frozen=True)
class Scoring:
    """Every open choice of Sec. 3.2.

    Parameters
    ----------
    window
        N, the number of frames of a window; odd, the frame it belongs to stands in the middle.
    blocks
        Blocks along each side; 6 makes 36.
    cutoff
        D_0 of Eq. 7. Kept are the frequencies at a distance of at least ``cutoff`` bins from zero,
        bins counted alike along time, rows and columns.
    padding
        Beyond the ends of the clip: ``"replicate"`` repeats the end frame, ``"reflect"`` runs back
        through the clip (as often as needed).
    size
        Rows and columns, px, to which gray frames are brought first, as what the mask passes depends
        on the size of the frames (see :func:`passed_fraction`).

    Raises
    ------
    InputError
        If a number is out of its range.

    Examples
    --------
    >>> Scoring(window=15).size
    (170, 140)
    """

    window: int = 61
    blocks: int = 6
    cutoff: float = 30.0
    padding: Padding = "replicate"
    size: tuple[int, int] = FACE_SIZE

    def __post_init__(self) -> None:
        """Check the parameters."""
        check_count("window", self.window)
        check_count("blocks", self.blocks)
        check_number("cutoff", self.cutoff, at_least=0)
        for side in self.size:
            check_count("size", side)
        if self.window % 2 == 0:
            raise InputError(
                f"window is {self.window}, expected an odd number: a frame stands in its middle"
            )
        if self.padding not in ("replicate", "reflect"):
            raise InputError(f"padding is {self.padding!r}, expected 'replicate' or 'reflect'")


def lbp_map(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the local binary pattern of every pixel that has eight neighbours.

    Parameters
    ----------
    frames
        ``uint8``, RGB ``(T, H, W, 3)`` or gray ``(T, H, W)``, at least 3 px a side.

    Returns
    -------
    ndarray
        ``uint8`` ``(T, H - 2, W - 2)``. Bit k is set where neighbour k, counted row by row from the
        upper left, is at least as bright as the pixel.

    Raises
    ------
    InputError
        If the frames are no clip or too small.

    Examples
    --------
    >>> lbp_map(np.array([[[9, 0, 0], [0, 5, 0], [0, 0, 7]]], np.uint8))
    array([[[129]]], dtype=uint8)
    """
    gray = to_gray(frames)
    height, width = gray.shape[1:]
    if min(height, width) < 3:
        raise InputError(f"frames of {width} x {height} px have no pixel with eight neighbours")
    codes = np.empty((len(gray), height - 2, width - 2), np.uint8)
    binary_patterns(np.ascontiguousarray(gray), codes)
    return codes


def texture_intensity_literally(
    clip: Clip, settings: Scoring | None = None, **options: Any
) -> NDArray[np.float64]:
    """Return A_i of Eq. 9 for every frame as Eqs. 6 to 9 say, step by step.

    This is what the score is; :func:`texture_intensity` is what to call, about 200 times as fast.

    Parameters
    ----------
    clip, settings, **options
        See :func:`texture_intensity`.

    Returns
    -------
    ndarray
        ``float64`` ``(T,)``.

    Examples
    --------
    >>> noise = np.random.default_rng(0).integers(0, 256, (5, 64, 64), dtype=np.uint8)
    >>> clip, small = Clip(noise, fps=100), Scoring(window=5, cutoff=3, size=(64, 64))
    >>> literal = texture_intensity_literally(clip, small)
    >>> bool(np.allclose(literal, texture_intensity(clip, small), rtol=1e-6))
    True
    """
    settings = replace(settings or Scoring(), **options)
    gray, window, blocks = sized_gray(clip, settings), settings.window, settings.blocks
    n_frames, height, width = gray.shape
    # the texture map: bit k is set where neighbour k is at least as bright as the pixel
    codes = np.zeros((n_frames, height - 2, width - 2))
    neighbours = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2)]
    for k, (y, x) in enumerate(neighbours):
        codes += 2**k * (gray[:, y:, x:][:, : height - 2, : width - 2] >= gray[:, 1:-1, 1:-1])
    rows, columns = (height - 3) // blocks, (width - 3) // blocks
    # Eq. 7: H is 1 where a frequency lies at least D_0 bins from zero, along time, rows, columns
    time, row, column = (np.fft.fftfreq(n, 1 / n) for n in (window, rows, columns))
    H = np.sqrt(time[:, None, None] ** 2 + row[:, None] ** 2 + column**2) >= settings.cutoff
    padded = codes[_padded_order(n_frames, window, settings.padding)]
    intensity = np.zeros(n_frames)
    for i in range(n_frames):
        for top in range(0, blocks * rows, rows):
            for left in range(0, blocks * columns, columns):
                block = padded[i : i + window, top : top + rows, left : left + columns]
                F = np.fft.fftn(block)  # Eq. 6
                G = F * H  # Eq. 8
                intensity[i] += np.abs(G).sum()  # Eq. 9
    return intensity


def texture_intensity(
    clip: Clip, settings: Scoring | None = None, **options: Any
) -> NDArray[np.float64]:
    """Return A_i of Eq. 9 for every frame.

    Parameters
    ----------
    clip
        What is to be scored.
    settings
        Default: ``Scoring()``.
    **options
        Single fields of :class:`Scoring`, e.g. ``padding="reflect"``.

    Returns
    -------
    ndarray
        ``float64`` ``(T,)``.

    Raises
    ------
    InputError
        If the size is too small for the blocks, or a number is out of its range.

    Notes
    -----
    The spatial part of the transform is worked out once for each frame, and the temporal one slides
    from window to window. The result differs from that of :func:`texture_intensity_literally` by
    less than 1e-6 of it.

    Examples
    --------
    >>> texture_intensity(Clip(np.zeros((3, 64, 52), np.uint8), fps=100)).shape
    (3,)
    """
    settings = replace(settings or Scoring(), **options)
    window, blocks = settings.window, settings.blocks
    rows, columns = _block_size(*settings.size, blocks)
    order = _padded_order(clip.n_frames, window, settings.padding)
    chosen, kept, weights = _passed_frequencies(rows, columns, window, settings.cutoff)
    angles = 2 * np.pi * np.outer(np.arange(window // 2 + 1), np.arange(window)) / window
    total = sliding_magnitudes(
        _block_spectra(lbp_map(sized_gray(clip, settings)), blocks),
        chosen,
        order,
        kept,
        weights,
        np.cos(angles).astype(np.float32),
        np.sin(angles).astype(np.float32),
    )
    return np.asarray(total)


def flicker_intensity(
    n_frames: int, settings: Scoring | None = None, **options: Any
) -> NDArray[np.float64]:
    """Return A_i of a clip whose patterns are drawn anew in every frame, by the number of frames alone.

    Parameters
    ----------
    n_frames
        T, frames of the clip.
    settings, **options
        See :func:`texture_intensity`.

    Returns
    -------
    ndarray
        ``float64`` ``(T,)``, 1 on average.

    Notes
    -----
    Where a window shows a frame at the places P, for the padding may repeat it, the frame enters the
    transform at temporal frequency x with the sum of exp(-2 pi j x p / N) over P. Frames that have
    nothing in common add up in power, so the magnitude at x is the root of the sum of the squares; A_i
    adds it up over all frequencies that the mask passes. What a frame shows does not matter.

    Examples
    --------
    >>> flicker_intensity(4, window=3, cutoff=1).round(2)
    array([0.99, 1.01, 1.01, 0.99])
    """
    settings = replace(settings or Scoring(), **options)
    window = settings.window
    distance = _distance(*_block_size(*settings.size, settings.blocks), window)
    passed = (distance >= settings.cutoff).sum(axis=(1, 2))  # at each temporal frequency
    order = _padded_order(n_frames, window, settings.padding)
    intensity = np.empty(n_frames)
    for i in range(n_frames):
        shown = np.arange(n_frames) == order[i : i + window, None]  # which place shows which frame
        power = np.square(np.abs(scipy.fft.fft(shown, axis=0))).sum(axis=1)
        intensity[i] = passed @ np.sqrt(power)
    return intensity / intensity.mean()


def sized_gray(clip: Clip, settings: Scoring | None = None) -> NDArray[np.uint8]:
    """Return the frames in gray at the size at which they are scored, ``(T, rows, columns)``."""
    rows, columns = (settings or Scoring()).size
    return np.stack([resize(frame, rows, columns) for frame in to_gray(clip.frames)])


def above_mean(intensity: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which frames stay: those whose A_i has a probability above 0.5.

    The paper makes a probability of A_i with the clip's mean and standard deviation. Under any
    symmetric distribution it is above 0.5 exactly where A_i is above the mean.

    Parameters
    ----------
    intensity
        A_i, ``(T,)``, from :func:`texture_intensity`.

    Returns
    -------
    ndarray
        ``bool`` ``(T,)``, never all ``False``. All frames stay where A_i does not vary by more than
        rounding: then the mean says nothing about any of them.

    Raises
    ------
    InputError
        If there is no intensity or one is not finite.

    Examples
    --------
    >>> above_mean(np.array([1.0, 4.0, 3.0, 1.0]))
    array([False,  True,  True, False])
    >>> above_mean(np.array([2.0, 2.0]))
    array([ True,  True])
    """
    intensity = np.asarray(intensity, np.float64)
    if intensity.ndim != 1 or not intensity.size or not np.isfinite(intensity).all():
        raise InputError(f"intensity has shape {intensity.shape}, expected (T,) finite numbers")
    mean = intensity.mean()
    if intensity.std() <= PRECISION * abs(mean):
        return np.ones(len(intensity), bool)
    return np.asarray(intensity > mean)


def keep_frames(clip: Clip, settings: Scoring | None = None, **options: Any) -> Clip:
    """Return the clip without its frames of low textural variance (Sec. 3.2).

    Parameters
    ----------
    clip, settings, **options
        See :func:`texture_intensity`.

    Returns
    -------
    Clip
        The frames with A_i above the mean, see :func:`above_mean`. It remembers the first frame of
        the clip, to which :func:`memaa_lib.registration.register` aligns.

    Examples
    --------
    >>> frames = np.zeros((9, 64, 52), np.uint8)
    >>> frames[4] = np.random.default_rng(0).integers(0, 256, (64, 52))
    >>> keep_frames(Clip(frames, fps=100), window=3, cutoff=3).n_frames
    3
    """
    return clip[above_mean(texture_intensity(clip, settings, **options))]


def passed_fraction(
    height: int, width: int, settings: Scoring | None = None, **options: Any
) -> float:
    """Return the share of the frequencies of a block that the mask of Eq. 7 passes.

    Parameters
    ----------
    height, width
        Size of a frame, px.
    settings, **options
        See :class:`Scoring`; its own size does not count.

    Returns
    -------
    float
        0 to 1. At 170 x 140 px a few per cent pass, near the highest frequency in time; at 400 x
        400 px more than half, among them texture that does not move at all.

    Raises
    ------
    InputError
        If a number is out of its range.

    Examples
    --------
    >>> round(passed_fraction(170, 140), 3)
    0.075
    """
    settings = replace(settings or Scoring(), **options)
    block = _block_size(height, width, settings.blocks)
    return float((_distance(*block, settings.window) >= settings.cutoff).mean())


def _block_size(height: int, width: int, blocks: int) -> tuple[int, int]:
    """Rows and columns of a block of the pattern map; the remainder is left out."""
    rows, columns = (height - 3) // blocks, (width - 3) // blocks
    if min(rows, columns) < 1:
        raise InputError(
            f"frames of {width} x {height} px are too small for {blocks} x {blocks} blocks; "
            f"expected at least {blocks + 3} px a side"
        )
    return rows, columns


def _padded_order(n_frames: int, window: int, padding: Padding) -> NDArray[np.intp]:
    """Position of the frame at each place of the padded clip, ``(T + window - 1,)``."""
    mode: Literal["edge", "reflect"] = "edge" if padding == "replicate" else "reflect"
    return np.pad(np.arange(n_frames), window // 2, mode=mode)


def _block_spectra(codes: NDArray[np.uint8], blocks: int) -> NDArray[np.complex64]:
    """Return each block's spatial spectrum, ``(T, blocks ** 2, rows * (columns // 2 + 1))``."""
    rows, columns = _block_size(codes.shape[1] + 2, codes.shape[2] + 2, blocks)
    cut = codes[:, : rows * blocks, : columns * blocks].astype(np.float32)
    cut = cut.reshape(-1, blocks, rows, blocks, columns).swapaxes(2, 3)
    spectra = scipy.fft.rfft2(cut.reshape(-1, rows, columns))
    return np.asarray(spectra.reshape(len(codes), blocks**2, -1), np.complex64)


def _distance(rows: int, columns: int, window: int) -> NDArray[np.float64]:
    """Return the distance of each frequency from zero, in bins, ``(window, rows, columns)``."""
    time, row, column = (scipy.fft.fftfreq(n, 1 / n) for n in (window, rows, columns))
    return np.asarray(np.sqrt(time[:, None, None] ** 2 + row[:, None] ** 2 + column**2))


def _passed_frequencies(
    rows: int, columns: int, window: int, cutoff: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Order the spatial frequencies so that the mask passes a first part of them at each time one.

    Returns
    -------
    chosen
        Places in the half spectrum of a block, farthest from zero first, without those that the
        mask stops at every temporal frequency.
    kept
        ``(window // 2 + 1,)``, how many of them it passes at each temporal frequency.
    weights
        How often each stands in the whole spectrum: the half one leaves out mirror images.
    """
    half = columns // 2 + 1
    distance = _distance(rows, columns, window)[: window // 2 + 1, :, :half]
    passed = (distance >= cutoff).reshape(len(distance), -1)
    farthest_first = np.argsort(-distance[0].ravel(), kind="stable")
    kept = passed.sum(axis=1)
    chosen = farthest_first[: kept.max()]
    mirrored = np.full(half, 2, np.float32)
    mirrored[0] = 1
    if columns % 2 == 0:
        mirrored[-1] = 1
    return chosen, kept, np.tile(mirrored, rows)[chosen]
