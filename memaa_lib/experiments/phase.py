"""Phase-based motion magnification with a Riesz pyramid (Wadhwa et al. 2014).

Not in the paper: the modern reference beside its linear method (Sec. 3.1). The linear method adds
changes of brightness, so a point brightens or darkens in place of moving on, and it breaks where
the magnified movement exceeds an eighth of a wavelength. Here each band of the image is taken
apart into an amplitude and a phase; a movement shifts the phase, and to magnify the movement is to
shift it further. The amplitude stays, so nothing is brightened and noise is not amplified.

Steps, with the names of Wadhwa, Rubinstein, Durand and Freeman, "Riesz Pyramids for Fast
Phase-Based Video Magnification" (ICCP 2014):

1. A pyramid of octave bands; of each band ``I`` the Riesz transform ``(R1, R2)``, the
   two-dimensional Hilbert transform. ``I = A cos(phi)``, ``R1 = A sin(phi) cos(theta)``, ``R2 = A
   sin(phi) sin(theta)`` with the amplitude A, the phase phi and the orientation theta.
2. The *quaternionic phase* ``(phi cos theta, phi sin theta)``, whose sign does not depend on the
   arbitrary choice between theta and theta + pi. Its change from frame to frame is the logarithm
   of a quaternion product; the changes add up.
3. A temporal filter, any of :func:`memaa_lib.magnification.temporal_filter`.
4. A blur in space, weighted with the amplitude, as phase means nothing where there is none.
5. The band moved on: ``I cos(alpha p) - (R1, R2) . n sin(alpha p)`` for a filtered phase of length
   p and direction n.

The authors approximate the bands and the Riesz transform with small filters in space. This module
works them out exactly, with cosine and sine transforms: those see the image mirrored at its edges,
take any size, and halve it by leaving high frequencies out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import cv2
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from memaa_lib._support.kernels import recursion_step

Images = NDArray[np.float32]
SMALLEST_BAND = 5  # px; the shorter side of the coarsest band
BLUR = 2.0  # px of each band; standard deviation of the amplitude-weighted blur
FAINTEST = np.float32(1e-3)  # gray levels; keeps the blur from dividing by 0


class Recursion(Protocol):
    """A temporal filter that is the difference of two first-order low-passes."""

    @property
    def coefficients(self) -> NDArray[np.float64]:
        """``(2, 3)``, see :func:`memaa_lib._support.kernels.recursion_step`."""


@dataclass(frozen=True)
class RieszPyramid:
    """Octave bands of an image and their Riesz transforms, exact and invertible.

    Band l holds the wavelengths around ``2 ** (l + 1)`` px, from half of that to twice that (the
    finest everything below 4 px). The squares of the bands' windows and of the low-pass residual's
    add up to 1, so that analysis and synthesis with the same windows give the image back.

    Examples
    --------
    >>> RieszPyramid(170, 140).sizes
    [(170, 140), (170, 140), (85, 70), (43, 35), (22, 18), (11, 9), (6, 5)]
    """

    height: int  # px
    width: int

    @cached_property
    def sizes(self) -> list[tuple[int, int]]:
        """Rows and columns of each band, finest first."""
        sizes = [(self.height, self.width)]
        while True:
            factor = 2 ** max(len(sizes) - 1, 0)
            rows, columns = -(-self.height // factor), -(-self.width // factor)
            if min(rows, columns) < SMALLEST_BAND:
                return sizes
            sizes.append((rows, columns))

    @cached_property
    def windows(self) -> list[tuple[Images, Images, Images]]:
        """For each band its window, and the window times the Riesz transform's x and y factor.

        ``float32`` ``(rows, columns)`` over the frequencies of the cosine transform. The factors
        are ``omega_x / |omega|`` and ``omega_y / |omega|``.
        """
        across, down = np.arange(self.width) / self.width, np.arange(self.height) / self.height
        radius = np.hypot(across, down[:, None])  # of Nyquist's frequency
        radius[0, 0] = 1.0  # no band holds the mean
        windows = []
        passed = np.ones_like(radius)
        for level, (rows, columns) in enumerate(self.sizes):
            octave = np.clip(np.log2(radius) + level + 1, 0, 1)
            low = np.cos(np.pi / 2 * octave)
            low[0, 0] = 1.0
            window = np.sqrt(np.maximum(passed**2 - low**2, 0))
            window[0, 0] = 0.0
            passed = low
            some = np.s_[:rows, :columns]
            # a smaller image holds the same coefficients, scaled
            scale = np.sqrt(rows * columns / (self.height * self.width))
            window = (window * scale)[some]
            factors = (across[:columns] / radius[some], down[:rows, None] / radius[some])
            windows.append(
                (
                    window.astype(np.float32),
                    (window * factors[0]).astype(np.float32),
                    (window * factors[1]).astype(np.float32),
                )
            )
        return windows

    def analyse(self, image: Images) -> list[Images]:
        """Return of an image ``(..., H, W)`` each band and its Riesz transform.

        They are ``float32`` ``(3, ..., rows, columns)``: I, R1 (along x), R2 (along y).
        """
        spectrum = scipy.fft.dctn(image, axes=(-2, -1), norm="ortho")
        bands = []
        for (rows, columns), windows in zip(self.sizes, self.windows, strict=True):
            low = spectrum[..., :rows, :columns]
            parts = [low * window for window in windows]
            band = np.empty((3, *low.shape), np.float32)
            band[0] = scipy.fft.idctn(parts[0], axes=(-2, -1), norm="ortho")
            band[1] = _inverse(_as_sines(parts[1], -1), sines=-1)
            band[2] = _inverse(_as_sines(parts[2], -2), sines=-2)
            bands.append(band)
        return bands

    def synthesise(self, bands: list[Images]) -> Images:
        """Return the image that bands make up, the low-pass residual left out."""
        shape = bands[0].shape[:-2]
        spectrum = np.zeros((*shape, self.height, self.width), np.float32)
        size = self.height * self.width
        for (rows, columns), (window, _, _), band in zip(
            self.sizes, self.windows, bands, strict=True
        ):
            part = scipy.fft.dctn(band, axes=(-2, -1), norm="ortho")
            part *= window * np.float32(size / (rows * columns))
            spectrum[..., :rows, :columns] += part
        return np.asarray(scipy.fft.idctn(spectrum, axes=(-2, -1), norm="ortho"))


def phase_change(before: Images, now: Images) -> Images:
    """Return by how much the quaternionic phase changes from one frame's band to the next's.

    From bands ``(3, rows, columns)`` (I, R1, R2) it is ``(2, rows, columns)``, radians: the i and j
    part of the logarithm of ``now * conj(before) / |...|``. (The k part, a turn of the orientation,
    is left out.)
    """
    real = (now * before).sum(axis=0)
    parts = now[1:] * before[0] - now[0] * before[1:]
    length = np.sqrt((parts * parts).sum(axis=0))
    angle = np.arctan2(length, real)
    # where nothing changed the quotient is 0 / 0 and the change 0
    return np.asarray(parts * (angle / np.maximum(length, np.finfo(np.float32).tiny)))


def blur_phase(band: Images, phase: Images) -> Images:
    """Blur a band's phase ``(2, rows, columns)``, each pixel weighted with its amplitude."""
    amplitude = np.sqrt((band * band).sum(axis=0))
    weighted = np.dstack([phase[0] * amplitude, phase[1] * amplitude, amplitude])
    blurred = cv2.GaussianBlur(weighted, (0, 0), BLUR, borderType=cv2.BORDER_REFLECT)
    return np.asarray((blurred[..., :2] / (blurred[..., 2:] + FAINTEST)).transpose(2, 0, 1))


class PhaseAmplifier:
    """Makes phases of frames and moves frames on by what a filter has made of them.

    ``shape`` is that of a frame, ``(H, W)`` or ``(H, W, 3)``. ``mixing`` ``(3, 3)``, rows with a
    sum of 1, is applied to the colours of what is added, and ``luma`` ``(3,)`` are the weights of
    the colours in the image whose phase counts; ``(1, 1)`` and ``(1,)`` for gray frames.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        alphas: Sequence[float],
        mixing: Images,
        luma: Images,
    ) -> None:
        self.pyramid = RieszPyramid(*shape[:2])
        self.alphas = alphas
        self.luma = luma.astype(np.float32)
        # without colour in the mixing all rows are the same: one image to move on in place of three
        self.mixing = mixing[:1] if (mixing == mixing[0]).all() else mixing
        self.seen: NDArray[np.uint8] | None = None
        self.bands: list[Images] = []
        self.luma_bands: list[Images] = []
        self.phases: list[Images] = []
        self.states: list[Images] = []

    def run(self, frames: NDArray[np.uint8], design: Recursion, out: NDArray[np.uint8]) -> None:
        """Write the next frames ``(T, ...)``, magnified, into ``out`` ``(A, T, ...)``."""
        for t, frame in enumerate(frames):
            now = self.signal(frame)
            if not self.states:
                self.states = [now.copy() for _ in range(3)]
            band = np.empty_like(now)
            recursion_step(now, *self.states, design.coefficients.astype(np.float32), band)
            self.add(frame, band, out, t)

    def signal(self, frame: NDArray[np.uint8]) -> Images:
        """Return the phase of every band since the first frame, as a flat array, radians."""
        before = self.luma_bands
        self._look_at(frame)
        if not before:
            self.phases = [np.zeros_like(band[1:]) for band in self.luma_bands]
        elif self.luma_bands is not before:
            for phase, a, b in zip(self.phases, before, self.luma_bands, strict=True):
                phase += phase_change(a, b)
        return np.concatenate([phase.ravel() for phase in self.phases])

    def add(self, frame: NDArray[np.uint8], flat: Images, out: NDArray[np.uint8], t: int) -> None:
        """Write the magnified frame into ``out[:, t]``, for every alpha."""
        self._look_at(frame)
        shifts = []
        start = 0
        for band, (rows, columns) in zip(self.luma_bands, self.pyramid.sizes, strict=True):
            stop = start + 2 * rows * columns
            shifts.append(blur_phase(band, flat[start:stop].reshape(2, rows, columns)))
            start = stop
        for a, alpha in enumerate(self.alphas):
            changes = [
                _moved_on(band, alpha * shift)
                for band, shift in zip(self.bands, shifts, strict=True)
            ]
            change = np.moveaxis(self.pyramid.synthesise(changes), 0, -1)
            whole = np.rint(frame.reshape(*frame.shape[:2], -1) + change)
            out[a, t] = np.clip(whole, 0, 255).reshape(frame.shape)

    def _look_at(self, frame: NDArray[np.uint8]) -> None:
        """Take a frame into its bands, unless it was the last one looked at."""
        if self.seen is None or not np.array_equal(frame, self.seen):
            planes = frame.reshape(*frame.shape[:2], -1).astype(np.float32) @ self.mixing.T
            self.bands = self.pyramid.analyse(np.ascontiguousarray(np.moveaxis(planes, -1, 0)))
            self.luma_bands = [self._luma(band) for band in self.bands]
            self.seen = frame.copy()

    def _luma(self, band: Images) -> Images:
        """Luma of a band ``(3, C, rows, columns)``."""
        if band.shape[1] == 1:
            return band[:, 0]
        red, green, blue = self.luma
        return np.asarray(band[:, 0] * red + band[:, 1] * green + band[:, 2] * blue)


def _moved_on(band: Images, shift: Images) -> Images:
    """By how much a band ``(3, C, rows, columns)`` changes when its phase grows by ``shift``."""
    length = np.sqrt((shift * shift).sum(axis=0))
    direction = shift / np.maximum(length, np.finfo(np.float32).tiny)
    along = band[1] * direction[0] + band[2] * direction[1]
    return np.asarray(band[0] * (np.cos(length) - 1) - along * np.sin(length))


def _as_sines(cosines: Images, axis: int) -> Images:
    """Coefficients of the cosine transform in the places of the sine transform.

    Coefficient k of the cosine transform and k - 1 of the sine transform have the same frequency.
    """
    sines = np.zeros_like(cosines)
    if axis == -1:
        sines[..., :-1] = cosines[..., 1:]
    else:
        sines[..., :-1, :] = cosines[..., 1:, :]
    return sines


def _inverse(spectrum: Images, sines: int) -> Images:
    """Inverse transform, with sines along one of the last two axes and cosines along the other."""
    image = scipy.fft.idst(spectrum, axis=sines, norm="ortho")
    return np.asarray(scipy.fft.idct(image, axis=-3 - sines, norm="ortho"))
