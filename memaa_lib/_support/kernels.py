"""The inner loops that NumPy cannot express, compiled by Numba.

What they work out stands in the modules that call them: ``magnify_literally`` and
``texture_intensity_literally`` are the definitions, and the tests hold the two together. Compiled
code is cached beside this file, or where ``NUMBA_CACHE_DIR`` says (see ``cache.place_compiled_code``);
Numba compiles anew what it has kept if this file changes, and does not look at others.

None of them is compiled with ``fastmath``: it lets the compiler reorder sums, which it does in one
way in the process that compiles a function and in another in those that read it from the cache, and
then the same clip has two results.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

# Windows after which the sliding transform starts anew, so that rounding cannot pile up
REFRESH = 256
# Weights of cv2.pyrUp, (1 6 1) / 8 and (4 4) / 8, with the factor 8 that `_double_row` leaves
EDGE, CENTRE, BETWEEN = np.float32(1 / 64), np.float32(6 / 64), np.float32(4 / 64)
HALF, BLACK, WHITE = np.float32(0.5), np.float32(0), np.float32(255)
PI, HALF_PI, TURNS = np.float32(np.pi), np.float32(np.pi / 2), np.float32(1 / (2 * np.pi))
TINY = np.float32(np.finfo(np.float32).tiny)
# Series in t ** 2 of arctan(t) / t up to 1, and of sin(t) / t and cos(t) up to a quarter turn
ARCTAN = tuple(
    np.float32(c)
    for c in (1, -0.3333314528, 0.1999355085, -0.1420889944, 0.1065626393, -0.0752896400,
              0.0429096138, -0.0161657367, 0.0028662257)
)  # fmt: skip
SINE = tuple(np.float32((-1) ** k / math.factorial(2 * k + 1)) for k in range(7))
COSINE = tuple(np.float32((-1) ** k / math.factorial(2 * k)) for k in range(7))


def _compiled(function: Any) -> Any:
    return njit(cache=True, nogil=True, boundscheck=False, error_model="numpy")(function)


def _row_kernel(function: Any) -> Any:
    """Compile what allocates nothing and is called for each row.

    It counts no references: for rows of a few hundred values counting takes as long as the work.
    """
    return njit(cache=True, nogil=True, boundscheck=False, error_model="numpy", _nrt=False)(
        function
    )


# ------------------------------------------------------------ Section 3.1, magnification
# The channels of a pixel stand side by side, so a row of an image is one flat array, and most steps
# do not see how many channels there are. Simple loops over flat rows become vector instructions.


@_compiled
def magnify_recursively(
    frames: Bytes,
    mixing: Floats,
    coefficients: Floats,
    states: Floats,
    levels: Floats,
    gains: Floats,
    out: Bytes,
) -> None:
    """Magnify frames ``(T, H, W, C)`` one after the other with two first-order low-passes.

    ``states`` ``(3, h, w, C)`` holds the half-size frame before, the fast and the slow low-pass.
    For the rest see :func:`half_size`, :func:`recursion_step` and :func:`add_amplified`.
    """
    now = np.empty_like(states[0])
    before, fast, slow = states[0].ravel(), states[1].ravel(), states[2].ravel()
    for t in range(frames.shape[0]):
        half_size(frames[t], mixing, now)
        recursion_step(now.ravel(), before, fast, slow, coefficients, levels[0].ravel())
        add_amplified(frames[t], levels, gains, out, t)


@_compiled
def half_size(frame: Bytes, mixing: Floats, out: Floats) -> None:
    """Write ``cv2.pyrDown(frame) @ mixing.T`` into ``out`` ``(h, w, C)``."""
    height, width, channels = frame.shape
    image, half = frame.reshape(height, -1), out.reshape(out.shape[0], -1)
    sums = np.empty((2, (width + 4) * channels), np.uint16)  # exact: 255 * 16 * 16 < 2 ** 16
    for y in range(out.shape[0]):
        _shrink_row(image, y, height, width, mixing, sums, half[y])


@_row_kernel
def recursion_step(
    now: Floats, before: Floats, fast: Floats, slow: Floats, coefficients: Floats, band: Floats
) -> None:
    """One step of two first-order low-passes; their difference goes into ``band``.

    ``y <- b0 * now + b1 * before - a1 * y`` for ``fast`` and ``slow``, whose ``(b0, b1, a1)`` are
    the rows of ``coefficients``; then ``before`` becomes ``now``. Arrays are flat, of one length.
    """
    f0, f1, f2 = coefficients[0, 0], coefficients[0, 1], coefficients[0, 2]
    s0, s1, s2 = coefficients[1, 0], coefficients[1, 1], coefficients[1, 2]
    for i in range(now.shape[0]):
        quick = f0 * now[i] + f1 * before[i] - f2 * fast[i]
        slack = s0 * now[i] + s1 * before[i] - s2 * slow[i]
        fast[i], slow[i], before[i] = quick, slack, now[i]
        band[i] = quick - slack


@_compiled
def add_amplified(frame: Bytes, levels: Floats, gains: Floats, out: Bytes, t: int) -> None:
    """Add the amplified bands of a change, which is given at half size, to a frame.

    The change is ``levels[0]`` of ``(L, h, w, C)``; the coarser levels of its pyramid are made in
    the others. ``gains`` ``(A, L + 1)`` has a row for each alpha, finest band first, whose gain is
    0. Of ``out`` ``(A, T, H, W, C)`` frame ``t`` is written.

    A band is ``level - up(coarser level)``. With the terms of each level collected no band has to
    be stored: what is added is ``up(rest)`` of the first level, and the rest of any level is
    ``gain * level + up(rest of the coarser level) - finer gain * level``.
    """
    height, width, channels = frame.shape
    n_alphas, n_levels = gains.shape[0], gains.shape[1] - 1
    rows, columns = levels.shape[1:3]
    image, pyramid = frame.reshape(height, -1), levels.reshape(n_levels, rows, -1)
    images = out.reshape(n_alphas, out.shape[1], height, -1)
    sums = np.empty((2, (columns + 4) * channels), np.float32)
    unmixed = np.eye(channels).astype(np.float32)
    for k in range(1, n_levels):
        for y in range(_halved(height, k + 1)):
            finer_size = _halved(height, k), _halved(width, k)
            _shrink_row(pyramid[k - 1], y, *finer_size, unmixed, sums, pyramid[k, y])
    # two rests take turns, as each needs only the coarser one
    rests = np.empty((2, rows, (columns + 2) * channels), np.float32)
    lines = np.empty((5, 2 * columns * channels), np.float32)
    for a in range(n_alphas):
        rests[n_levels % 2, : _halved(height, n_levels + 1)] = 0  # nothing is coarser than the last
        for k in range(n_levels - 1, -1, -1):
            size = _halved(height, k + 1), _halved(width, k + 1), channels
            coarser, rest = rests[(k + 1) % 2], rests[k % 2]
            _collapse(coarser, pyramid[k], size, gains[a, k + 1], gains[a, k], lines, rest)
        _add_to_frame(rests[0], image, (height, width, channels), lines, images[a, t])


@_row_kernel
def _halved(n: int, times: int) -> int:
    """Length of a side after so many halvings, each of which rounds up."""
    return (n + (1 << times) - 1) >> times


@_row_kernel
def _mirrored(i: int, n: int) -> int:
    """Position ``i`` mirrored into 0 to n - 1 without repeating the edge."""
    return abs(n - 1 - abs(n - 1 - i))


@_row_kernel
def _shrink_row(
    image: Any, y: int, height: int, width: int, mixing: Floats, sums: Any, out: Floats
) -> None:
    """Write row ``y`` of ``cv2.pyrDown(image) @ mixing.T``."""
    channels = mixing.shape[0]
    # down the columns, into a row with room for two pixels before and after, which mirror it
    row, filtered = sums[0], sums[1, : width * channels]
    _binomial(
        image[_mirrored(2 * y - 2, height)],
        image[_mirrored(2 * y - 1, height)],
        image[2 * y],
        image[_mirrored(2 * y + 1, height)],
        image[_mirrored(2 * y + 2, height)],
        row[2 * channels : (2 + width) * channels],
    )
    for x in (-2, -1, width, width + 1):
        for c in range(channels):
            row[(2 + x) * channels + c] = row[(2 + _mirrored(x, width)) * channels + c]
    # along the row: slices, not sums in the index, which might be negative for all Numba knows
    b, c, d, e = row[channels:], row[2 * channels :], row[3 * channels :], row[4 * channels :]
    _binomial(row, b, c, d, e, filtered)
    # every other pixel
    share = np.float32(1 / 256)
    if channels == 1:
        for x in range((width + 1) // 2):
            out[x] = np.float32(filtered[2 * x]) * (share * mixing[0, 0])
        return
    m00, m01, m02 = share * mixing[0, 0], share * mixing[0, 1], share * mixing[0, 2]
    m10, m11, m12 = share * mixing[1, 0], share * mixing[1, 1], share * mixing[1, 2]
    m20, m21, m22 = share * mixing[2, 0], share * mixing[2, 1], share * mixing[2, 2]
    for x in range((width + 1) // 2):
        red = np.float32(filtered[6 * x])
        green = np.float32(filtered[6 * x + 1])
        blue = np.float32(filtered[6 * x + 2])
        out[3 * x] = m00 * red + m01 * green + m02 * blue
        out[3 * x + 1] = m10 * red + m11 * green + m12 * blue
        out[3 * x + 2] = m20 * red + m21 * green + m22 * blue


@_row_kernel
def _binomial(a: Any, b: Any, c: Any, d: Any, e: Any, out: Any) -> None:
    """Write the sum of five rows with the weights 1, 4, 6, 4, 1."""
    four, six = out.dtype.type(4), out.dtype.type(6)
    for x in range(out.shape[0]):
        out[x] = (a[x] + e[x]) + four * (b[x] + d[x]) + six * c[x]


@_row_kernel
def _collapse(
    coarser: Floats,
    level: Floats,
    size: tuple[int, int, int],
    gain: np.float32,
    finer_gain: np.float32,
    lines: Floats,
    rest: Floats,
) -> None:
    """Write ``gain * level + cv2.pyrUp(coarser) - finer_gain * level`` into ``rest``."""
    height, width, channels = size
    for i in range((height + 1) // 2):
        b, h, a = _double_rows(coarser, i, size, lines)
        before, here, after = lines[b], lines[h], lines[a]
        own, target = level[2 * i], rest[2 * i, channels:]
        for x in range(width * channels):
            grown = here[x] * CENTRE + (before[x] + after[x]) * EDGE
            target[x] = grown + gain * own[x] - finer_gain * own[x]
        if 2 * i + 1 < height:
            own, target = level[2 * i + 1], rest[2 * i + 1, channels:]
            for x in range(width * channels):
                grown = (here[x] + after[x]) * BETWEEN
                target[x] = grown + gain * own[x] - finer_gain * own[x]


@_row_kernel
def _add_to_frame(
    coarser: Floats, frame: Bytes, size: tuple[int, int, int], lines: Floats, out: Bytes
) -> None:
    """Write ``frame + cv2.pyrUp(coarser)``, rounded half up and kept in 0 to 255."""
    height, flat = frame.shape
    for i in range((height + 1) // 2):
        b, h, a = _double_rows(coarser, i, size, lines)
        before, here, after = lines[b], lines[h], lines[a]
        own, target = frame[2 * i], out[2 * i]
        for x in range(flat):
            value = np.float32(own[x]) + (before[x] + after[x]) * EDGE + here[x] * CENTRE
            target[x] = np.uint8(min(max(value + HALF, BLACK), WHITE))
        if 2 * i + 1 < height:
            own, target = frame[2 * i + 1], out[2 * i + 1]
            for x in range(flat):
                value = np.float32(own[x]) + (here[x] + after[x]) * BETWEEN
                target[x] = np.uint8(min(max(value + HALF, BLACK), WHITE))


@_row_kernel
def _double_rows(
    coarser: Floats, i: int, size: tuple[int, int, int], lines: Floats
) -> tuple[int, int, int]:
    """Double along the coarser rows that rows ``2 i`` and ``2 i + 1`` need, each once.

    Returned is where rows i - 1, i and i + 1 stand in ``lines``, which holds three. At the edges it
    is as cv2.pyrUp has it: mirrored at the first row, the last one again at the last.
    """
    height, width, channels = size
    n = (height + 1) // 2
    for k in range(i + 1 if i > 0 else 0, min(i + 2, n)):
        _double_row(coarser[k], (width + 1) // 2, channels, lines, lines[k % 3])
    here = i % 3
    after = (i + 1) % 3 if i + 1 < n else here
    before = (i - 1) % 3 if i > 0 else after
    return before, here, after


@_row_kernel
def _double_row(row: Floats, width: int, channels: int, lines: Floats, target: Floats) -> None:
    """Double the pixels of a row as cv2.pyrUp does, times 8; it has room for one at each end."""
    flat = width * channels
    centre, right = row[channels:], row[2 * channels :]
    for c in range(channels):
        row[c] = centre[channels + c]
        centre[flat + c] = centre[flat - channels + c]
    if channels == 1:
        for x in range(flat):
            p = row[x] + np.float32(6) * centre[x] + right[x]
            q = np.float32(4) * (centre[x] + right[x])
            target[2 * x], target[2 * x + 1] = p, q
        return
    even, odd = lines[3], lines[4]
    for x in range(flat):
        even[x] = row[x] + np.float32(6) * centre[x] + right[x]
        odd[x] = np.float32(4) * (centre[x] + right[x])
    for x in range(width):
        # all is read before anything is written: then the compiler moves a pixel at a time
        i, o = 3 * x, 6 * x
        a, b, c = even[i], even[i + 1], even[i + 2]
        d, e, f = odd[i], odd[i + 1], odd[i + 2]
        target[o], target[o + 1], target[o + 2] = a, b, c
        target[o + 3], target[o + 4], target[o + 5] = d, e, f


# ------------------------------------------------------------ phase-based magnification
# Loops that write one row each become vector instructions; loops that write more do not, since the
# compiler would have to compare too many addresses. Nor would calls of atan2, sine and cosine.


@_compiled
def add_phase_change(before: Floats, now: Floats, phase: Floats) -> None:
    """Add to ``phase`` ``(2, rows, columns)`` what lies between two bands ``(3, rows, columns)``."""
    share = np.empty(now.shape[2], np.float32)
    for y in range(now.shape[1]):
        a, ax, ay = before[0, y], before[1, y], before[2, y]
        b, bx, by = now[0, y], now[1, y], now[2, y]
        _angle_per_length(a, ax, ay, b, bx, by, share)
        _add_part(a, ax, b, bx, share, phase[0, y])
        _add_part(a, ay, b, by, share, phase[1, y])


@_row_kernel
def _angle_per_length(
    a: Floats, ax: Floats, ay: Floats, b: Floats, bx: Floats, by: Floats, share: Floats
) -> None:
    """Write the angle of the quaternion ``b * conj(a)`` over the length of its imaginary part."""
    for i in range(share.shape[0]):
        real = a[i] * b[i] + ax[i] * bx[i] + ay[i] * by[i]
        x, y = bx[i] * a[i] - b[i] * ax[i], by[i] * a[i] - b[i] * ay[i]
        length = np.sqrt(x * x + y * y)
        share[i] = _arctan2(length, real) / max(length, TINY)


@_row_kernel
def _add_part(a: Floats, ax: Floats, b: Floats, bx: Floats, share: Floats, phase: Floats) -> None:
    """Add one imaginary part, times the share, to the phase."""
    for i in range(phase.shape[0]):
        phase[i] += (bx[i] * a[i] - b[i] * ax[i]) * share[i]


@_row_kernel
def _arctan2(y: np.float32, x: np.float32) -> np.float32:
    """``arctan2`` for y from 0 up, to 1e-6; the series is 4.4.49 of Abramowitz and Stegun (1964)."""
    size = abs(x)
    t = min(y, size) / max(max(y, size), TINY)
    u = t * t
    series = ARCTAN[-1]
    for k in range(len(ARCTAN) - 2, -1, -1):
        series = series * u + ARCTAN[k]
    angle = t * series
    angle = HALF_PI - angle if y > size else angle
    return PI - angle if x < BLACK else angle


@_row_kernel
def lengths(vectors: Floats, out: Floats) -> None:
    """Write the lengths of ``(3, N)``, the amplitudes of a band, into ``out`` ``(N,)``."""
    x, y, z = vectors[0], vectors[1], vectors[2]
    for i in range(out.shape[0]):
        out[i] = np.sqrt(x[i] * x[i] + y[i] * y[i] + z[i] * z[i])


@_row_kernel
def move_on(bands: Floats, shift: Floats, alpha: np.float32, change: Floats) -> None:
    """Write by how much a band ``(3, N)`` changes when its phase grows by ``alpha`` times ``(2, N)``.

    With s, the length of the shift, that is ``band * (cos(alpha * s) - 1) - (bx, by) . shift / s *
    sin(alpha * s)``. It is worked out with sine and cosine of half the angle, of which whole half
    turns are taken off (they change both signs).
    """
    band, bx, by, sx, sy = bands[0], bands[1], bands[2], shift[0], shift[1]
    for i in range(change.shape[0]):
        length = np.sqrt(sx[i] * sx[i] + sy[i] * sy[i])
        along = (bx[i] * sx[i] + by[i] * sy[i]) / max(length, TINY)
        turns = alpha * length * TURNS
        half = (turns - np.floor(turns + HALF)) * PI
        u = half * half
        sine, cosine = SINE[-1], COSINE[-1]
        for k in range(len(SINE) - 2, -1, -1):
            sine = sine * u + SINE[k]
            cosine = cosine * u + COSINE[k]
        sine *= half
        change[i] = np.float32(-2) * sine * (sine * band[i] + cosine * along)


# ------------------------------------------------------------ Section 3.2, texture


@_compiled
def binary_patterns(gray: Bytes, codes: Bytes) -> None:
    """Write the 3 x 3 local binary patterns of ``gray`` ``(T, H, W)`` into ``codes``.

    Bit k of a code is set where neighbour k, counted row by row from the upper left, is at least as
    bright as the pixel.
    """
    n_frames, height, width = gray.shape
    for t in range(n_frames):
        for y in range(1, height - 1):
            above, row, below = gray[t, y - 1], gray[t, y], gray[t, y + 1]
            code = codes[t, y - 1]
            for x in range(1, width - 1):
                centre = row[x]
                code[x - 1] = (
                    (above[x - 1] >= centre) * np.uint8(1)
                    | (above[x] >= centre) * np.uint8(2)
                    | (above[x + 1] >= centre) * np.uint8(4)
                    | (row[x - 1] >= centre) * np.uint8(8)
                    | (row[x + 1] >= centre) * np.uint8(16)
                    | (below[x - 1] >= centre) * np.uint8(32)
                    | (below[x] >= centre) * np.uint8(64)
                    | (below[x + 1] >= centre) * np.uint8(128)
                )


@_compiled
def sliding_magnitudes(
    spectra: NDArray[np.complex64],
    chosen: NDArray[np.intp],
    order: NDArray[np.intp],
    kept: NDArray[np.intp],
    weights: Floats,
    cosines: Floats,
    sines: Floats,
) -> NDArray[np.float64]:
    """Sum the magnitudes of the temporal DFT of every window over the frequencies that are kept.

    ``spectra`` ``(T, B, F)`` are the spatial spectra of B blocks, of which ``chosen`` ``(K,)`` are
    used; ``order`` ``(T + N - 1,)`` the frames of the padded clip; ``cosines`` and ``sines`` ``(N
    // 2 + 1, N)`` the rows of the temporal DFT. Of temporal frequency ``q`` (and ``-q``) the first
    ``kept[q]`` chosen ones count, each ``weights[k]`` times.

    One window differs from the one before by one frame that enters and one that leaves. With the
    entering frame written where the leaving one stood, the DFT changes by their difference times
    one factor; the window is then a rotation of the true one, which no magnitude notices.
    """
    n_frames, n_spatial = spectra.shape[0], chosen.shape[0]
    window = cosines.shape[1]
    n_windows = order.shape[0] - window + 1
    total = np.zeros(n_windows)
    # real and imaginary parts stand apart, or the loops over frequencies would be no simple ones
    signal = np.empty((n_frames, 2, n_spatial), np.float32)
    change = np.empty((n_windows, 2, n_spatial), np.float32)
    plus = np.empty((2, n_spatial), np.float32)
    minus = np.empty((2, n_spatial), np.float32)
    magnitudes = np.empty((n_windows, n_spatial), np.float32)
    for block in range(spectra.shape[1]):
        magnitudes[:] = 0
        for t in range(n_frames):
            for k in range(n_spatial):
                value = spectra[t, block, chosen[k]]
                signal[t, 0, k], signal[t, 1, k] = value.real, value.imag
        for i in range(1, n_windows):
            change[i] = signal[order[i + window - 1]] - signal[order[i - 1]]
        for q in np.flatnonzero(kept):
            count = kept[q]
            # q = 0 is its own mirror image; every other frequency stands for itself and for -q
            share = np.float32(0.5) if q == 0 else np.float32(1)
            for i in range(n_windows):
                if i % REFRESH == 0:
                    plus[:] = 0
                    minus[:] = 0
                    for place in range(window):
                        # the frame that stands at this place of the rotated window
                        frame = signal[order[i + (place - i) % window]]
                        _accumulate(plus, minus, frame, cosines[q, place], sines[q, place], count)
                else:
                    place = (i - 1) % window
                    _accumulate(plus, minus, change[i], cosines[q, place], sines[q, place], count)
                for k in range(count):
                    magnitudes[i, k] += share * (
                        np.sqrt(plus[0, k] * plus[0, k] + plus[1, k] * plus[1, k])
                        + np.sqrt(minus[0, k] * minus[0, k] + minus[1, k] * minus[1, k])
                    )
        # only here are values of one window summed: a sum in order is one addition at a time
        for i in range(n_windows):
            for k in range(n_spatial):
                total[i] += weights[k] * magnitudes[i, k]
    return total


@_row_kernel
def _accumulate(
    plus: Floats, minus: Floats, signal: Floats, cosine: np.float32, sine: np.float32, count: int
) -> None:
    """Add a signal times ``cosine + i sine`` to ``plus``, and times the conjugate to ``minus``."""
    for k in range(count):
        re_cos, im_sin = signal[0, k] * cosine, signal[1, k] * sine
        re_sin, im_cos = signal[0, k] * sine, signal[1, k] * cosine
        plus[0, k] += re_cos - im_sin
        plus[1, k] += re_sin + im_cos
        minus[0, k] += re_cos + im_sin
        minus[1, k] += im_cos - re_sin
