"""Eulerian motion magnification (Sec. 3.1, Eqs. 1-5, Figs. 2 and 3).

A small movement changes each pixel a little. Magnification takes those changes apart into bands of
different fineness (a Laplacian pyramid), keeps the ones of the wanted speed (a temporal filter),
adds them back ``alpha`` times, and the movement looks ``1 + alpha`` times as large.
:func:`magnify_literally` says so step by step; :func:`magnify` is the same, made fast.

The paper states neither the temporal filter nor the pyramid's gains. What stands here follows the
linear method of Wu et al. (SIGGRAPH 2012) with every open choice a field of :class:`Magnification`;
the temporal filter decides more than all others together, see :func:`surviving_magnification`.

``method="phase"`` shifts the phase of each band in place of adding to its brightness, and
``method="lagrangian"`` moves the pixels, see :mod:`memaa_lib.experiments.phase` and
:mod:`memaa_lib.experiments.lagrangian`; neither is the paper's.
"""

from __future__ import annotations

import math
import pkgutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, overload

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError, check_count, check_number
from memaa_lib._support.kernels import add_amplified, half_size, magnify_recursively
from memaa_lib.clips import LUMA, Clip, check_fps

Method = Literal["linear", "phase", "lagrangian"]
METHODS: tuple[Method, ...] = get_args(Method)
PHASE = "memaa_lib.experiments.phase:PhaseAmplifier"  # not the paper's, so loaded when asked for
LAGRANGIAN = "memaa_lib.experiments.lagrangian:magnify_motion"
TemporalFilter = Literal["iir", "butterworth", "ideal", "onset"]
TEMPORAL_FILTERS: tuple[TemporalFilter, ...] = get_args(TemporalFilter)
SMALLEST_SIDE = 10  # px; below it the pyramid has no band between its finest and its coarsest
LONGEST_MATRIX = 512  # frames; above it a T x T filter matrix costs more than the filter itself
PIXELS_AT_ONCE = 4096  # long clips are filtered in columns of this many pixels


@dataclass(frozen=True)
class Magnification:
    """Every open choice of Sec. 3.1.

    Parameters
    ----------
    band_hz
        Speeds to magnify, lower and upper limit, Hz.
    temporal
        The temporal filter. ``"iir"``: the difference of two first-order recursive low-passes.
        ``"butterworth"``: the difference of two Butterworth low-passes of the given order.
        ``"ideal"``: only the discrete frequencies strictly inside the band, both signs.
        ``"onset"``: a first-order low-pass at the upper limit, minus the first frame.
        The recursive ones start as if the first frame had stood still for ever, so the first
        filtered frame is 0.
    order
        Of the Butterworth low-passes.
    per_frame_r
        Coefficients ``(r_fast, r_slow)`` of ``"iir"`` as the original program takes them, e.g.
        ``(0.4, 0.05)``, in place of ``band_hz``. They are per frame: the band moves with the frame rate.
    cutoff_wavelength, exaggeration, clamp_gains
        The gains of the bands, see :func:`band_gains`.
    chroma
        How much of the change in colour is magnified, relative to the change in brightness, 0 to 1.
        Default: 0.1, or 1 with ``method="phase"``, which moves colours and does not amplify their
        noise.
    method
        ``"linear"``: the paper's; ``"phase"``: the phase of a Riesz pyramid (Wadhwa et al. 2014),
        which carries further, amplifies no noise and takes about thirty times as long. Every
        band but the coarsest gets the whole ``alpha``: the gains of the bands are the linear one's
        alone. ``"lagrangian"``: every point is taken further along its way since the first frame
        (after Le Ngo et al. 2018); there is neither filter nor band, so nothing else can be set.

    Raises
    ------
    InputError
        If a name is unknown or a number is out of its range.

    Examples
    --------
    >>> Magnification(temporal="ideal").band_hz
    (0.5, 10.0)
    """

    band_hz: tuple[float, float] = (0.5, 10.0)
    temporal: TemporalFilter = "iir"
    order: int = 1
    per_frame_r: tuple[float, float] | None = None
    cutoff_wavelength: float = 16.0
    chroma: float | None = None
    exaggeration: float = 2.0
    clamp_gains: bool = True
    method: Method = "linear"

    def __post_init__(self) -> None:
        """Check what does not depend on the clip."""
        for name, allowed in (("temporal", TEMPORAL_FILTERS), ("method", METHODS)):
            if getattr(self, name) not in allowed:
                raise InputError(
                    f"{name} is {getattr(self, name)!r}, expected one of {', '.join(allowed)}"
                )
        check_count("order", self.order)
        _check_band(self.band_hz)
        if self.per_frame_r is not None and self.temporal != "iir":
            raise InputError(
                f"per_frame_r is for temporal='iir', not {self.temporal!r}; give band_hz"
            )
        check_number("cutoff_wavelength", self.cutoff_wavelength, above=0)
        check_number("exaggeration", self.exaggeration, above=0)
        check_number("chroma", self.share_of_colour, at_least=0, at_most=1)
        gains = (self.cutoff_wavelength, self.exaggeration, self.clamp_gains)
        if self.method == "phase" and gains != (16.0, 2.0, True):
            raise InputError(
                "cutoff_wavelength, exaggeration and clamp_gains are for method='linear'; "
                "method='phase' gives every band the whole alpha"
            )
        if self.method == "lagrangian" and replace(self, method="linear") != Magnification():
            raise InputError(
                "method='lagrangian' has neither filter nor bands nor colour: give no other setting"
            )

    @property
    def share_of_colour(self) -> float:
        """Chroma, or what it is by default."""
        if self.chroma is None:
            return 1.0 if self.method == "phase" else 0.1
        return self.chroma


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


def laplacian_pyramid(image: NDArray[Any], levels: int) -> list[NDArray[np.float64]]:
    """Take an image apart into bands, each an octave coarser than the one before.

    Parameters
    ----------
    image
        ``(H, W)`` or ``(H, W, 3)``.
    levels
        Number of bands, the low-pass residual included.

    Returns
    -------
    list of ndarray
        ``float64``, finest first, each half as high and wide as the one before. :func:`collapse`
        adds them up to the image again.

    Examples
    --------
    >>> [band.shape for band in laplacian_pyramid(np.zeros((64, 48)), levels=3)]
    [(64, 48), (32, 24), (16, 12)]
    """
    image = image.astype(np.float64)
    bands = []
    for _ in range(levels - 1):
        smaller = cv2.pyrDown(image)
        bands.append(image - cv2.pyrUp(smaller, dstsize=image.shape[1::-1]))
        image = smaller
    return [*bands, image]


def collapse(bands: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Add up the bands of a Laplacian pyramid.

    Parameters
    ----------
    bands
        Finest first, as from :func:`laplacian_pyramid`.

    Returns
    -------
    ndarray
        ``float64``, of the size of the finest band.

    Examples
    --------
    >>> image = np.random.default_rng(0).uniform(0, 255, (40, 33, 3))
    >>> bool(np.allclose(collapse(laplacian_pyramid(image, levels=3)), image))
    True
    """
    image = bands[-1]
    for band in bands[-2::-1]:
        image = band + cv2.pyrUp(image, dstsize=band.shape[1::-1])
    return image


def band_gains(
    height: int, width: int, alpha: float, settings: Magnification | None = None, **options: Any
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
    settings, **options
        Of them count ``cutoff_wavelength``: lambda_c, px; ``exaggeration``: a factor on the gains of
        the finer bands, 2 in the authors' program; ``clamp_gains``: whether negative gains become 0.
        The original program does not clamp: where the wavelength is below
        ``cutoff_wavelength / (1 + alpha)`` it amplifies in the wrong direction.

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
    settings = replace(settings or Magnification(), **options)
    check_number("alpha", alpha, at_least=0)
    levels = pyramid_levels(height, width)
    gains = np.zeros(levels)
    if alpha == 0:
        return gains
    # the movement for which cutoff_wavelength is just long enough, by Wu's bound
    largest_movement = settings.cutoff_wavelength / 8 / (1 + alpha)
    coarsest_wavelength = math.hypot(height, width) / 3
    for level in range(1, levels - 1):
        wavelength = coarsest_wavelength / 2 ** (levels - 1 - level)
        gain = min(settings.exaggeration * (wavelength / largest_movement / 8 - 1), alpha)
        gains[level] = max(gain, 0.0) if settings.clamp_gains else gain
    return gains


def temporal_filter(
    temporal: TemporalFilter,
    fps: float,
    n_frames: int,
    band_hz: tuple[float, float] = (0.5, 10.0),
    **options: Any,
) -> NDArray[np.float64]:
    """Return a temporal filter as a matrix: the filtered signal is ``matrix @ signal``.

    Parameters
    ----------
    temporal, band_hz
        See :class:`Magnification`; ``"onset"`` uses the upper limit of the band alone.
    fps
        Frames per second.
    n_frames
        Length of the signal, T.
    **options
        ``order`` or ``per_frame_r``, see :class:`Magnification`.

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
    check_fps(fps)
    check_count("n_frames", n_frames)
    settings = Magnification(temporal=temporal, band_hz=band_hz, **options)
    return TemporalDesign(settings, fps).matrix(n_frames)


def surviving_magnification(
    temporal: TemporalFilter,
    fps: float,
    n_frames: int,
    band_hz: tuple[float, float] = (0.5, 10.0),
    alpha: float = 10.0,
    *,
    movement: NDArray[np.float64] | None = None,
    kept: NDArray[np.bool_] | None = None,
    **options: Any,
) -> float:
    """Return by how much a movement is magnified in the mean over the kept frames.

    The mean of ``I + alpha B`` is that of ``I`` plus ``alpha`` times the mean of ``B``. Over all frames
    the output ``B`` of the ideal filter has the mean 0, so that mean does not depend on ``alpha`` at
    all. A filter that starts at the first frame keeps a part, and so does a mean over some of the
    frames, as the avatar is (Sec. 3.2 removes the others).

    Parameters
    ----------
    temporal, fps, n_frames, band_hz, **options
        See :func:`temporal_filter`.
    alpha
        Amplification, 0 or more.
    movement
        ``(n_frames,)``, any unit, with a mean other than 0. Default: out and back in one raised
        cosine that fills the clip, as from onset to offset.
    kept
        ``bool`` ``(n_frames,)``: the frames over which the mean is taken. Default: all.

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
    >>> middle = np.abs(np.arange(50) - 24.5) < 12.5
    >>> round(surviving_magnification("ideal", 100, 50, (0.5, 10), alpha=10, kept=middle), 1)
    5.1
    >>> round(surviving_magnification("iir", 200, 70, (0.5, 10), alpha=10), 1)
    6.8
    """
    check_number("alpha", alpha, at_least=0)
    matrix = temporal_filter(temporal, fps, n_frames, band_hz, **options)
    if movement is None:
        if n_frames < 3:
            raise InputError(
                f"n_frames is {n_frames}; a movement out and back needs at least 3 frames"
            )
        movement = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_frames) / (n_frames - 1))
    movement = np.asarray(movement, np.float64)
    if movement.shape != (n_frames,):
        raise InputError(f"movement has shape {movement.shape}, expected ({n_frames},)")
    kept = np.ones(n_frames, bool) if kept is None else np.asarray(kept)
    if kept.shape != (n_frames,) or kept.dtype != np.bool_ or not kept.any():
        raise InputError(f"kept must be {n_frames} booleans, at least one of them true")
    mean = float(movement[kept].mean())
    if not math.isfinite(mean) or abs(mean) <= 1e-12 * float(np.abs(movement).max()):
        raise InputError(f"movement has a mean of {mean}; expected a number other than 0")
    return 1 + alpha * float((matrix @ movement)[kept].mean()) / mean


def magnify_literally(
    clip: Clip, alpha: float, settings: Magnification | None = None, **options: Any
) -> Clip:
    """Magnify the small movements of a clip as Eqs. 2 to 5 say, step by step.

    This is what the method is; :func:`magnify` is what to call. To try another method, change this.

    Parameters
    ----------
    clip, settings, **options
        See :func:`magnify`; the linear method alone.
    alpha
        Amplification, 0 or more.

    Returns
    -------
    Clip

    Examples
    --------
    >>> noise = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    >>> clip = Clip(noise, fps=100)
    >>> literal, fast = magnify_literally(clip, 10).frames, magnify(clip, 10).frames
    >>> int(np.abs(literal.astype(int) - fast).max()) <= 1
    True
    """
    settings = replace(settings or Magnification(), **options)
    alphas = band_gains(clip.height, clip.width, alpha, settings)
    gamma = TemporalDesign(settings, clip.fps).matrix(clip.n_frames)
    # Eq. 2 holds where a movement is small against what moves: so in bands, from fine to coarse
    pyramids = [laplacian_pyramid(frame, len(alphas)) for frame in clip.frames]
    magnified_bands = []
    for alpha_k, band in zip(alphas, zip(*pyramids, strict=True), strict=True):
        # Eqs. 3 and 4: B, what the temporal filter passes of each pixel's changes
        B = np.tensordot(gamma, np.stack(band), axes=1)
        magnified_bands.append(alpha_k * B)
    # Eq. 5: alpha B is added to the clip, which moves on by alpha delta
    change = np.stack([collapse(bands) for bands in zip(*magnified_bands, strict=True)])
    if clip.is_colour:  # noise in colour shows: of that, less is added than of brightness
        chroma = settings.share_of_colour
        change = chroma * change + (1 - chroma) * (change @ LUMA)[..., None]
    magnified = np.clip(np.floor(clip.frames + change + 0.5), 0, 255)
    return replace(clip, frames=magnified.astype(np.uint8))


@overload
def magnify(
    clip: Clip, alpha: float, settings: Magnification | None = None, **options: Any
) -> Clip: ...
@overload
def magnify(
    clip: Clip, alpha: Sequence[float], settings: Magnification | None = None, **options: Any
) -> list[Clip]: ...
def magnify(
    clip: Clip,
    alpha: float | Sequence[float],
    settings: Magnification | None = None,
    **options: Any,
) -> Clip | list[Clip]:
    """Magnify the small movements of a clip (Eqs. 1-5).

    Parameters
    ----------
    clip
        What is to be magnified.
    alpha
        Amplification, 0 or more; 0 changes nothing. A sequence of A values shares one pyramid and
        one filter pass.
    settings
        Default: ``Magnification()``.
    **options
        Single fields of :class:`Magnification`, e.g. ``temporal="ideal"``.

    Returns
    -------
    Clip
        With new frames, else as before; a list of A clips if ``alpha`` is a sequence.

    Raises
    ------
    InputError
        If a number is out of its range.

    Warns
    -----
    UserWarning
        If nothing can be magnified: one frame, frames under 10 px, a band that holds no frequency
        of the clip, or gains that are all 0.

    Notes
    -----
    The bytes are those of :func:`magnify_literally` but for the rounding of ``float32``. Both the
    pyramid and the temporal filter are linear and work along different axes, so they may be
    exchanged. As the finest band has gain 0, only the frames at half size are filtered in time;
    bands are made from the result, once for all alphas. No frame is dropped.

    Examples
    --------
    >>> brighter = np.full((5, 32, 32), 100, np.uint8)
    >>> brighter[3:, 8:24, 8:24] = 102
    >>> clip = Clip(brighter, fps=100)
    >>> magnify(clip, 10).frames.max()
    np.uint8(106)
    >>> [magnified.frames.max() for magnified in magnify(clip, [0, 5], temporal="onset")]
    [np.uint8(102), np.uint8(104)]
    """
    settings = replace(settings or Magnification(), **options)
    alphas = as_alphas(alpha)
    design = TemporalDesign(settings, clip.fps)
    frames = clip.frames
    magnified = np.empty((len(alphas), *frames.shape), np.uint8)
    if warn_if_idle(frames.shape, design, alphas):
        magnified[:] = frames
    elif settings.method == "lagrangian":
        magnified = pkgutil.resolve_name(LAGRANGIAN)(frames, alphas)
    else:
        amplifier = make_amplifier(settings, frames.shape[1:], alphas)
        if design.recursive:
            amplifier.run(frames, design, magnified)
        else:
            signal = np.stack([amplifier.signal(frame) for frame in frames])
            for t, band in enumerate(design.filtered(signal)):
                amplifier.add(frames[t], band, magnified, t)
    clips = [replace(clip, frames=one) for one in magnified]
    return clips[0] if np.ndim(alpha) == 0 else clips


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


def as_alphas(alpha: float | Sequence[float]) -> list[float]:
    """Return one amplification or several as a list; each must be 0 or more."""
    alphas: list[float] = list(alpha) if isinstance(alpha, (Sequence, np.ndarray)) else [alpha]
    if not len(alphas):
        raise InputError("alpha is an empty sequence, expected at least one number")
    for one in alphas:
        check_number("alpha", one, at_least=0)
    return alphas


def _as_rows(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One row for each frame."""
    frames = np.atleast_2d(frames)
    return frames.reshape(len(frames), -1)


class TemporalDesign:
    """The temporal filter at a frame rate; ``low_passes`` holds (b, a) of the fast and the slow one."""

    def __init__(self, settings: Magnification, fps: float) -> None:
        """Work out the coefficients."""
        self.settings, self.fps = settings, float(fps)
        self.low_passes: tuple[tuple[Any, Any], ...] = ()
        low, high = settings.band_hz
        if settings.temporal == "butterworth":
            if high >= fps / 2 or low == 0:
                raise InputError(
                    f"the band is {low:g} to {high:g} Hz; a Butterworth filter at {fps:g} fps needs "
                    f"limits above 0 and below {fps / 2:g} Hz"
                )
            import scipy.signal  # half a second, which only this filter has to pay

            self.low_passes = tuple(
                scipy.signal.butter(settings.order, hz, fs=fps) for hz in (high, low)
            )
        elif settings.temporal != "ideal":
            slow_hz = 0.0 if settings.temporal == "onset" else low
            r = settings.per_frame_r or tuple(
                1 - math.exp(-2 * math.pi * hz / fps) for hz in (high, slow_hz)
            )
            if len(r) != 2 or not 0 <= r[1] < r[0] <= 1:
                raise InputError(
                    f"per_frame_r is {r}, expected (fast, slow), 0 <= slow < fast <= 1"
                )
            self.low_passes = tuple(((one, 0.0), (1.0, one - 1)) for one in r)

    @property
    def recursive(self) -> bool:
        """Whether a frame needs only the frame before it."""
        settings = self.settings
        higher_order = settings.temporal == "butterworth" and settings.order > 1
        whole_clip = settings.temporal == "ideal" or settings.method == "lagrangian"
        return not whole_clip and not higher_order

    def passed_bins(self, n_frames: int) -> NDArray[np.bool_]:
        """Which bins of the real DFT the ideal filter passes."""
        hz = scipy.fft.rfftfreq(n_frames, 1 / self.fps)
        low, high = self.settings.band_hz
        return np.asarray((hz > low) & (hz < high))

    @property
    def coefficients(self) -> NDArray[np.float64]:
        """``(b0, b1, a1)`` of the fast and of the slow first-order recursion."""
        return np.array([(b[0], b[1], a[1]) for b, a in self.low_passes])

    def filtered(self, columns: NDArray[np.float32]) -> NDArray[np.float32]:
        """Filter ``(T, P)`` along its first axis; may write into it."""
        if len(columns) <= LONGEST_MATRIX:
            return np.asarray(self.matrix(len(columns)).astype(np.float32) @ columns)
        for first in range(0, columns.shape[1], PIXELS_AT_ONCE):
            some = slice(first, first + PIXELS_AT_ONCE)
            columns[:, some] = self.apply(columns[:, some].astype(np.float64))
        return columns

    def matrix(self, n_frames: int) -> NDArray[np.float64]:
        """Return the filter of a signal of T frames as a matrix ``(T, T)``."""
        return self.apply(np.eye(n_frames))

    def apply(self, signal: NDArray[np.float64]) -> NDArray[np.float64]:
        """Filter a whole signal ``(T, P)`` along its first axis."""
        if self.settings.temporal == "ideal":
            spectrum = scipy.fft.rfft(signal, axis=0)
            spectrum[~self.passed_bins(len(signal))] = 0
            return np.asarray(scipy.fft.irfft(spectrum, n=len(signal), axis=0))
        if self.recursive:
            bands = np.empty_like(signal)
            (f0, f1, f2), (s0, s1, s2) = self.coefficients
            before = fast = slow = signal[0]
            for t, now in enumerate(signal):
                # two low-passes follow the signal, one fast and one slow; between them is the band
                fast = f0 * now + f1 * before - f2 * fast
                slow = s0 * now + s1 * before - s2 * slow
                bands[t], before = fast - slow, now
            return bands
        fast, slow = (
            _steady_low_pass(self.settings.order, hz, self.fps, signal)
            for hz in self.settings.band_hz[::-1]
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


class _LinearAmplifier:
    """Half-size frames, and what a temporal filter has made of them added to frames."""

    def __init__(
        self, shape: tuple[int, ...], gains: NDArray[np.float64], mixing: NDArray[np.float32]
    ) -> None:
        """Prepare for frames of ``shape`` ``(H, W)`` or ``(H, W, 3)``; ``gains`` has a row an alpha."""
        height, width, channels = *shape[:2], len(mixing)
        self.shape = (height, width, channels)
        self.half_shape = ((height + 1) // 2, (width + 1) // 2, channels)
        self.gains, self.mixing = gains.astype(np.float32), mixing
        # without the finest band, whose gain is 0, the pyramid begins with the half-size frames
        self.levels = np.empty((gains.shape[1] - 1, *self.half_shape), np.float32)
        self.states: NDArray[np.float32] | None = None

    def run(
        self, frames: NDArray[np.uint8], design: TemporalDesign, out: NDArray[np.uint8]
    ) -> None:
        """Write the next frames ``(T, ...)``, magnified, into ``out`` ``(A, T, ...)``."""
        if self.states is None:  # as if the first frame had stood still for ever
            self.states = np.stack([self.signal(frames[0]).reshape(self.half_shape)] * 3)
        magnify_recursively(
            np.ascontiguousarray(frames).reshape(-1, *self.shape),
            self.mixing,
            design.coefficients.astype(np.float32),
            self.states,
            self.levels,
            self.gains,
            out.reshape(*out.shape[:2], *self.shape),
        )

    def signal(self, frame: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the frame at half size, colours mixed, as a flat array."""
        half = np.empty(self.half_shape, np.float32)
        half_size(np.ascontiguousarray(frame).reshape(self.shape), self.mixing, half)
        return half.ravel()

    def add(
        self, frame: NDArray[np.uint8], band: NDArray[np.float32], out: NDArray[np.uint8], t: int
    ) -> None:
        """Write the magnified frame into ``out[:, t]``, for every alpha."""
        self.levels[0] = band.reshape(self.half_shape)
        frame = np.ascontiguousarray(frame).reshape(self.shape)
        out = out.reshape(*out.shape[:2], *self.shape)
        add_amplified(frame, self.levels, self.gains, out, t)


def _chroma_mixing(chroma: float, colour: bool) -> NDArray[np.float32]:
    """Return the matrix that attenuates the colour part of a change.

    Attenuating I and Q of YIQ by ``chroma`` and going back to RGB is ``chroma`` times the change
    plus ``1 - chroma`` times its luma on every channel.
    """
    if not colour:
        return np.ones((1, 1), np.float32)
    return (chroma * np.eye(3) + (1 - chroma) * np.array([LUMA])).astype(np.float32)


def make_amplifier(settings: Magnification, shape: tuple[int, ...], alphas: Sequence[float]) -> Any:
    """Return what takes frames of ``shape`` to signals, and filtered signals to frames."""
    colour = len(shape) == 3
    mixing = _chroma_mixing(settings.share_of_colour, colour)
    if settings.method == "phase":
        amplifier = pkgutil.resolve_name(PHASE)
        return amplifier(shape, alphas, mixing, np.array(LUMA if colour else [1.0]))
    gains = np.stack([band_gains(shape[0], shape[1], alpha, settings) for alpha in alphas])
    return _LinearAmplifier(shape, gains, mixing)


def warn_if_idle(shape: tuple[int, ...], design: TemporalDesign, alphas: Sequence[float]) -> bool:
    """Warn, and return True, if nothing will be magnified though it was asked for."""
    settings = design.settings
    n_frames, height, width = shape[:3]
    reason = ""
    if not any(alphas):
        return True
    if n_frames == 1:
        reason = "the clip has one frame and so no movement; give at least two frames"
    elif min(height, width) < SMALLEST_SIDE:
        reason = (
            f"frames of {width} x {height} px are too small for the pyramid, which needs "
            f"{SMALLEST_SIDE} px a side; enlarge them first"
        )
    elif settings.temporal == "ideal" and not design.passed_bins(n_frames).any():
        low, high = settings.band_hz
        reason = (
            f"no frequency of {n_frames} frames at {design.fps:g} fps lies between {low:g} and "
            f"{high:g} Hz; widen the band, or take the temporal filter 'iir'"
        )
    elif settings.method == "linear" and not any(
        band_gains(height, width, alpha, settings).any() for alpha in alphas
    ):
        reason = "cutoff_wavelength is so long that every band has gain 0; shorten it"
    if reason:
        warnings.warn(f"nothing is magnified: {reason}", UserWarning, stacklevel=3)
    return bool(reason)


def _check_band(band_hz: tuple[float, float]) -> None:
    """Raise a clear error unless the band is one."""
    try:
        low, high = (float(limit) for limit in band_hz)
    except (TypeError, ValueError):
        raise InputError(f"the band is {band_hz!r}, expected two numbers (low, high)") from None
    if not 0 <= low < high < math.inf:
        raise InputError(
            f"the band is {low:g} to {high:g} Hz, expected a lower cut-off from 0 up and an upper one above it"
        )
