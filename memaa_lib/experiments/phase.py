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
take any size, and halve it by leaving high frequencies out. What is done to each pixel of a band,
steps 2 and 5, stands with the compiled loops in :mod:`memaa_lib._support.kernels`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, idct, idst

from memaa_lib._support.kernels import add_phase_change, lengths, move_on, recursion_step

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

    Band l holds the wavelengths around ``2 ** (l + 2)`` px, from half of that to twice that (the
    finest everything below 8 px). The squares of the bands' windows and of the low-pass residual's
    add up to 1, so that analysis and synthesis with the same windows give the image back.

    Examples
    --------
    >>> RieszPyramid(170, 140).sizes
    [(170, 140), (85, 70), (43, 35), (22, 18), (11, 9), (6, 5)]
    """

    height: int  # px
    width: int

    @cached_property
    def sizes(self) -> list[tuple[int, int]]:
        """Rows and columns of each band, finest first."""
        sizes = [(self.height, self.width)]
        while True:
            factor = 2 ** len(sizes)
            rows, columns = -(-self.height // factor), -(-self.width // factor)
            if min(rows, columns) < SMALLEST_BAND:
                return sizes
            sizes.append((rows, columns))

    @cached_property
    def windows(self) -> list[Images]:
        """For each band its window, and the window times the Riesz transform's x and y factor.

        ``float32`` ``(3, rows, columns)`` over the frequencies of the cosine transform. The factors
        are ``omega_x / |omega|`` and ``omega_y / |omega|``.
        """
        windows = []
        for level, (rows, columns) in enumerate(self.sizes):
            across, down = np.arange(columns) / self.width, np.arange(rows)[:, None] / self.height
            radius = np.hypot(across, down)  # of Nyquist's frequency
            radius[0, 0] = np.finfo(float).tiny  # no band holds the mean
            octave = np.clip(np.log2(radius) + level + 1, -1, 1)
            above = np.cos(np.pi / 2 * np.maximum(octave, 0)) if level else 1.0
            below = np.cos(np.pi / 2 * np.minimum(octave + 1, 1))
            # a smaller image holds the same coefficients, scaled
            scale = np.sqrt(rows * columns / (self.height * self.width))
            window = scale * np.sqrt(above**2 - below**2)
            factors = [np.ones_like(radius), across / radius, down / radius]
            windows.append((window * factors).astype(np.float32))
        return windows

    def analyse(self, image: Images) -> list[Images]:
        """Return of an image ``(..., H, W)`` each band and its Riesz transform.

        They are ``float32`` ``(..., 3, rows, columns)``: I, R1 (along x), R2 (along y).
        """
        spectrum = _transform(image, dct, dct)
        kinds = [(idct, idct), (idct, idst), (idst, idct)]
        bands = []
        for (rows, columns), (even, along_x, along_y) in zip(self.sizes, self.windows, strict=True):
            low = spectrum[..., :rows, :columns]
            band = np.empty((*low.shape[:-2], 3, rows, columns), np.float32)
            np.multiply(low, even, out=band[..., 0, :, :])
            # coefficient k of the cosine and k - 1 of the sine transform have the same frequency
            np.multiply(low[..., 1:], along_x[:, 1:], out=band[..., 1, :, :-1])
            np.multiply(low[..., 1:, :], along_y[1:], out=band[..., 2, :-1, :])
            band[..., 1, :, -1], band[..., 2, -1, :] = 0, 0
            for k, kind in enumerate(kinds):
                band[..., k, :, :] = _transform(band[..., k, :, :], *kind, overwrite=True)
            bands.append(band)
        return bands

    def synthesise(self, bands: list[Images]) -> Images:
        """Return the image that bands ``(..., rows, columns)`` make up, without the low-pass residual."""
        whole = self.height * self.width
        spectra = [
            _transform(band, dct, dct) * (window * np.float32(whole / window.size))
            for band, (window, _, _) in zip(bands, self.windows, strict=True)
        ]
        spectrum = spectra[0]
        for (rows, columns), part in zip(self.sizes[1:], spectra[1:], strict=True):
            spectrum[..., :rows, :columns] += part
        return _transform(spectrum, idct, idct, overwrite=True)


def blur_phase(band: Images, phase: Images) -> Images:
    """Blur a band's phase ``(2, rows, columns)``, each pixel weighted with its amplitude."""
    amplitude = np.empty_like(band[0])
    lengths(band.reshape(3, -1), amplitude.ravel())
    weighted = phase * amplitude
    for part in (*weighted, amplitude):
        cv2.GaussianBlur(part, (0, 0), BLUR, dst=part, borderType=cv2.BORDER_REFLECT)
    weighted /= amplitude + FAINTEST
    return weighted


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
        # the first plane is the luma; without colour in the mixing it is all that has to be moved
        only_luma = (mixing == mixing[0]).all()
        planes = luma[None] if only_luma else np.stack([luma, [1, 0, 0], [0, 0, 1]])
        self.to_planes = planes.astype(np.float32)
        self.from_planes = (mixing @ np.linalg.pinv(planes)).astype(np.float32)
        self.seen: NDArray[np.uint8] | None = None
        self.bands: list[Images] = []
        length = 2 * sum(math.prod(size) for size in self.pyramid.sizes)
        self.phases = np.zeros(length, np.float32)
        self.states: list[Images] = []

    def run(self, frames: NDArray[np.uint8], design: Recursion, out: NDArray[np.uint8]) -> None:
        """Write the next frames ``(T, ...)``, magnified, into ``out`` ``(A, T, ...)``."""
        for t, frame in enumerate(frames):
            now = self._follow(frame)
            if not self.states:
                self.states = [now.copy() for _ in range(3)]
            band = np.empty_like(now)
            recursion_step(now, *self.states, design.coefficients.astype(np.float32), band)
            self.add(frame, band, out, t)

    def signal(self, frame: NDArray[np.uint8]) -> Images:
        """Return the phase of every band since the first frame, as a flat array, radians."""
        return self._follow(frame).copy()

    def add(self, frame: NDArray[np.uint8], flat: Images, out: NDArray[np.uint8], t: int) -> None:
        """Write the magnified frame into ``out[:, t]``, for every alpha."""
        self._look_at(frame)
        shifts = [
            blur_phase(band[0], p) for band, p in zip(self.bands, self._split(flat), strict=True)
        ]
        changes = [np.empty((len(band), *band.shape[2:]), np.float32) for band in self.bands]
        for a, alpha in enumerate(self.alphas):
            for bands, shift, change in zip(self.bands, shifts, changes, strict=True):
                for band, part in zip(bands, change, strict=True):
                    move_on(
                        band.reshape(3, -1), shift.reshape(2, -1), np.float32(alpha), part.ravel()
                    )
            planes = cv2.merge(list(self.pyramid.synthesise(changes)))
            change = cv2.transform(planes, self.from_planes)
            out[a, t] = cv2.add(frame, change, dtype=cv2.CV_8U)  # rounded, kept in 0 to 255

    def _follow(self, frame: NDArray[np.uint8]) -> Images:
        """Return the phases, with their change from the last frame to this one added."""
        before = self.bands
        self._look_at(frame)
        if self.bands is not before:
            for a, b, phase in zip(before, self.bands, self._split(self.phases), strict=False):
                add_phase_change(a[0], b[0], phase)
        return self.phases

    def _split(self, flat: Images) -> list[Images]:
        """Return views ``(2, rows, columns)`` of what each band has in a flat signal."""
        ends = np.cumsum([2 * math.prod(size) for size in self.pyramid.sizes])
        parts = zip(np.split(flat, ends[:-1]), self.pyramid.sizes, strict=True)
        return [part.reshape(2, *size) for part, size in parts]

    def _look_at(self, frame: NDArray[np.uint8]) -> None:
        """Take a frame into its bands, unless it was the last one looked at."""
        if self.seen is None or not np.array_equal(frame, self.seen):
            planes = cv2.split(cv2.transform(frame.astype(np.float32), self.to_planes))
            self.bands = self.pyramid.analyse(np.stack(planes))
            self.seen = frame.copy()


def _transform(image: Images, down: Any, across: Any, *, overwrite: bool = False) -> Images:
    """Transform the columns and then the rows of images, with orthonormal matrices."""
    image = down(image, axis=-2, norm="ortho", overwrite_x=overwrite)
    return np.asarray(across(image, axis=-1, norm="ortho", overwrite_x=True))
