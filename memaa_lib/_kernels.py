"""The inner loops that NumPy cannot express, compiled by Numba.

Each function says in NumPy or in words what it works out; the modules that call them hold the
method. Compiled code is cached beside this file (or where ``NUMBA_CACHE_DIR`` says).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Windows after which the sliding transform starts anew, so that rounding cannot pile up
REFRESH = 256


def _compiled(function: Any) -> Any:
    return njit(cache=True, fastmath=True, nogil=True, boundscheck=False)(function)


@_compiled
def sliding_magnitudes(
    spectra: NDArray[np.complex64],
    chosen: NDArray[np.intp],
    order: NDArray[np.intp],
    kept: NDArray[np.intp],
    weights: NDArray[np.float32],
    cosines: NDArray[np.float32],
    sines: NDArray[np.float32],
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
    n_frames, n_blocks, _ = spectra.shape
    n_spatial = chosen.shape[0]
    n_temporal, window = cosines.shape
    n_windows = order.shape[0] - window + 1
    total = np.zeros(n_windows)
    real = np.empty((n_frames, n_spatial), np.float32)
    imaginary = np.empty((n_frames, n_spatial), np.float32)
    plus_re = np.empty(n_spatial, np.float32)
    plus_im = np.empty(n_spatial, np.float32)
    minus_re = np.empty(n_spatial, np.float32)
    minus_im = np.empty(n_spatial, np.float32)
    change_re = np.empty((n_windows, n_spatial), np.float32)
    change_im = np.empty((n_windows, n_spatial), np.float32)
    for block in range(n_blocks):
        for t in range(n_frames):
            for k in range(n_spatial):
                value = spectra[t, block, chosen[k]]
                real[t, k] = value.real
                imaginary[t, k] = value.imag
        for i in range(1, n_windows):
            enters, leaves = order[i + window - 1], order[i - 1]
            for k in range(n_spatial):
                change_re[i, k] = real[enters, k] - real[leaves, k]
                change_im[i, k] = imaginary[enters, k] - imaginary[leaves, k]
        for q in range(n_temporal):
            count = kept[q]
            if count == 0:
                continue
            # q = 0 is its own mirror image; every other frequency stands for itself and for -q
            share = np.float32(0.5) if q == 0 else np.float32(1)
            for i in range(n_windows):
                if i % REFRESH == 0:
                    plus_re[:count] = 0
                    plus_im[:count] = 0
                    minus_re[:count] = 0
                    minus_im[:count] = 0
                    for place in range(window):
                        # frame that stands at this place of the rotated window
                        frame = order[i + (place - i) % window]
                        _accumulate(
                            plus_re, plus_im, minus_re, minus_im,
                            real[frame], imaginary[frame],
                            cosines[q, place], sines[q, place], count,
                        )  # fmt: skip
                else:
                    place = (i - 1) % window
                    _accumulate(
                        plus_re, plus_im, minus_re, minus_im,
                        change_re[i], change_im[i], cosines[q, place], sines[q, place], count,
                    )  # fmt: skip
                magnitudes = np.float32(0)
                for k in range(count):
                    magnitudes += weights[k] * (
                        np.sqrt(plus_re[k] * plus_re[k] + plus_im[k] * plus_im[k])
                        + np.sqrt(minus_re[k] * minus_re[k] + minus_im[k] * minus_im[k])
                    )
                total[i] += share * magnitudes
    return total


@_compiled
def _accumulate(
    plus_re: NDArray[np.float32],
    plus_im: NDArray[np.float32],
    minus_re: NDArray[np.float32],
    minus_im: NDArray[np.float32],
    real: NDArray[np.float32],
    imaginary: NDArray[np.float32],
    cosine: np.float32,
    sine: np.float32,
    count: int,
) -> None:
    """Add a signal times ``cosine + i sine`` to ``plus``, and times the conjugate to ``minus``."""
    for k in range(count):
        re_cos, im_sin = real[k] * cosine, imaginary[k] * sine
        re_sin, im_cos = real[k] * sine, imaginary[k] * cosine
        plus_re[k] += re_cos - im_sin
        plus_im[k] += re_sin + im_cos
        minus_re[k] += re_cos + im_sin
        minus_im[k] += im_cos - re_sin


@_compiled
def binary_patterns(gray: NDArray[np.uint8], codes: NDArray[np.uint8]) -> None:
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


# weights of pyrUp, (1 6 1) / 8 and (4 4) / 8, with the factor 8 that `_widen` leaves
EDGE = np.float32(1 / 64)
CENTRE = np.float32(6 / 64)
BETWEEN = np.float32(4 / 64)
HALF, BLACK, WHITE = np.float32(0.5), np.float32(0), np.float32(255)


@_compiled
def half_size(
    frame: NDArray[np.uint8], mixing: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    """Write ``pyrDown(frame)``, each pixel multiplied by ``mixing``, into ``out``.

    ``frame`` is ``(H, W * C)``, the channels of a pixel side by side, ``mixing`` ``(C, C)`` and
    ``out`` ``(ceil(H / 2), ceil(W / 2) * C)``. The binomial filter (1 4 6 4 1) / 16 runs down the
    columns in 16-bit integers, which hold its sums exactly.
    """
    channels = mixing.shape[0]
    height, flat = frame.shape
    width = flat // channels
    columns = out.shape[1] // channels
    sums = np.empty(flat, np.int16)
    row = np.empty(flat + 4 * channels, np.float32)
    filtered = np.empty(flat, np.float32)
    m = mixing.ravel()
    for y in range(out.shape[0]):
        a = frame[_mirrored(2 * y - 2, height)]
        b = frame[_mirrored(2 * y - 1, height)]
        c = frame[2 * y]
        d = frame[_mirrored(2 * y + 1, height)]
        e = frame[_mirrored(2 * y + 2, height)]
        for x in range(flat):
            outer = np.int16(a[x]) + np.int16(e[x])
            inner = np.int16(b[x]) + np.int16(d[x])
            sums[x] = outer + np.int16(4) * inner + np.int16(6) * np.int16(c[x])
        inside = row[2 * channels :]
        for x in range(flat):
            inside[x] = np.float32(sums[x])
        _binomial_along_row(row, width, channels, filtered)
        target = out[y]
        if channels == 1:
            for x in range(columns):
                target[x] = filtered[2 * x]
        else:
            for x in range(columns):
                r, g, b_ = filtered[6 * x], filtered[6 * x + 1], filtered[6 * x + 2]
                target[3 * x] = m[0] * r + m[1] * g + m[2] * b_
                target[3 * x + 1] = m[3] * r + m[4] * g + m[5] * b_
                target[3 * x + 2] = m[6] * r + m[7] * g + m[8] * b_


@_compiled
def _mirrored(i: int, n: int) -> int:
    """Position ``i`` mirrored into 0 to n - 1 without repeating the edge."""
    if i < 0:
        i = -i
    if i >= n:
        i = 2 * n - 2 - i
    return max(i, 0)


@_compiled
def _binomial_along_row(
    row: NDArray[np.float32], width: int, channels: int, out: NDArray[np.float32]
) -> None:
    """Filter a row of pixels, which stands in ``row`` after two pixels of room, by 1/256."""
    for channel in range(channels):
        for place in (-2, -1, width, width + 1):
            inside = _mirrored(place, width)
            row[(2 + place) * channels + channel] = row[(2 + inside) * channels + channel]
    # slices, not sums in the index: Numba then knows that no index is negative and vectorises
    b, c, d, e = row[channels:], row[2 * channels :], row[3 * channels :], row[4 * channels :]
    for x in range(width * channels):
        outer, inner = row[x] + e[x], b[x] + d[x]
        out[x] = (outer + np.float32(4) * inner + np.float32(6) * c[x]) * np.float32(1 / 256)


@_compiled
def _shrink(
    image: NDArray[np.float32], channels: int, scratch: NDArray[np.float32], out: Any
) -> None:
    """cv2.pyrDown of an image ``(H, W * channels)``."""
    height, flat = image.shape
    width = flat // channels
    row, filtered = scratch[0], scratch[1]
    inside = row[2 * channels :]
    for y in range(out.shape[0]):
        a = image[_mirrored(2 * y - 2, height)]
        b = image[_mirrored(2 * y - 1, height)]
        c = image[2 * y]
        d = image[_mirrored(2 * y + 1, height)]
        e = image[_mirrored(2 * y + 2, height)]
        for x in range(flat):
            outer, inner = a[x] + e[x], b[x] + d[x]
            inside[x] = outer + np.float32(4) * inner + np.float32(6) * c[x]
        _binomial_along_row(row, width, channels, filtered)
        target = out[y]
        if channels == 3:
            for x in range(out.shape[1] // 3):
                r, g, b_ = filtered[6 * x], filtered[6 * x + 1], filtered[6 * x + 2]
                target[3 * x], target[3 * x + 1], target[3 * x + 2] = r, g, b_
        else:
            for x in range(out.shape[1]):
                target[x] = filtered[2 * x]


@_compiled
def _widen_row(
    source: NDArray[np.float32], channels: int, lines: NDArray[np.float32], target: Any
) -> None:
    """Double the pixels of a row as cv2.pyrUp does, times 8, into ``target``."""
    flat = source.shape[0]
    columns = flat // channels
    left, even, odd = lines[0], lines[1], lines[2]
    centre, right = left[channels:], left[2 * channels :]
    for x in range(flat):
        centre[x] = source[x]
    for c in range(channels):
        left[c] = source[(1 if columns > 1 else 0) * channels + c]
        centre[flat + c] = source[flat - channels + c]
    for x in range(flat):
        even[x] = left[x] + np.float32(6) * centre[x] + right[x]
        odd[x] = np.float32(4) * (centre[x] + right[x])
    if channels == 3:
        for x in range(columns):
            # all loads before all stores: that lets the compiler move a pixel at a time
            i, o = 3 * x, 6 * x
            a, b, c = even[i], even[i + 1], even[i + 2]
            d, e, f = odd[i], odd[i + 1], odd[i + 2]
            target[o], target[o + 1], target[o + 2] = a, b, c
            target[o + 3], target[o + 4], target[o + 5] = d, e, f
    else:
        for x in range(columns):
            target[2 * x] = even[x]
            target[2 * x + 1] = odd[x]


@_compiled
def recursion_step(
    now: NDArray[np.float32],
    before: NDArray[np.float32],
    fast: NDArray[np.float32],
    slow: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    band: NDArray[np.float32],
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
        fast[i] = quick
        slow[i] = slack
        band[i] = quick - slack
        before[i] = now[i]


@_compiled
def _level(flat: NDArray[np.float32], level: int, rows: int, columns: int, channels: int) -> Any:
    """Image of a pyramid whose levels stand one after the other in ``flat``."""
    start = 0
    for _ in range(level):
        start += rows * columns * channels
        rows, columns = (rows + 1) // 2, (columns + 1) // 2
    return flat[start : start + rows * columns * channels].reshape((rows, columns * channels))


@_compiled
def add_amplified(
    frame: NDArray[np.uint8],
    channels: int,
    band: NDArray[np.float32],
    gains: NDArray[np.float32],
    out: NDArray[np.uint8],
    t: int,
    scratch: NDArray[np.float32],
) -> None:
    """Add the amplified Laplacian bands of a half-size image to a frame, for each row of gains.

    ``frame`` is ``(H, W * C)``, ``band`` ``(h, w * C)``; ``gains`` ``(A, L)`` belong to the pyramid
    of ``band``, finest first; ``out`` is ``(A, T, H, W * C)``, of which frame ``t`` is written;
    ``scratch`` ``(9, scratch_size(h, w, C))``.

    A Laplacian band is ``level - up(next level)``. Collecting the terms of each level, no band has
    to be stored: ``total = gain * level + up(total of the coarser ones - gain * next level)``.
    """
    n_alphas, levels = gains.shape
    height, flat = frame.shape
    rows, columns = band.shape[0], (flat // channels + 1) // 2
    pyramid, totals, coarser = scratch[0], scratch[1], scratch[2]
    lines, wide = scratch[3:6], scratch[6:9]
    _level(pyramid, 0, rows, columns, channels)[:] = band
    for level in range(1, levels):
        finer = _level(pyramid, level - 1, rows, columns, channels)
        _shrink(finer, channels, lines, _level(pyramid, level, rows, columns, channels))
    for a in range(n_alphas):
        coarsest = _level(pyramid, levels - 1, rows, columns, channels)
        _level(totals, levels - 1, rows, columns, channels)[:] = gains[a, levels - 1] * coarsest
        for level in range(levels - 2, -1, -1):
            _collapse_level(
                _level(totals, level + 1, rows, columns, channels),
                _level(pyramid, level + 1, rows, columns, channels),
                _level(pyramid, level, rows, columns, channels),
                gains[a, level],
                channels,
                lines,
                wide,
                coarser,
                _level(totals, level, rows, columns, channels),
            )
        change = _level(totals, 0, rows, columns, channels)
        # three doubled rows are held at a time: the one two output rows lie on, and its neighbours
        _widen_row(change[0], channels, lines, wide[0])
        for row in range(rows):
            if row + 1 < rows:
                _widen_row(change[row + 1], channels, lines, wide[(row + 1) % 3])
            here = wide[row % 3]
            after = wide[(row + 1) % 3] if row + 1 < rows else here
            before = wide[(row - 1) % 3] if row > 0 else after
            even = 2 * row
            if even + 1 < height:
                _add_two_rows(
                    frame[even], frame[even + 1], before, here, after,
                    out[a, t, even], out[a, t, even + 1],
                )  # fmt: skip
            else:
                _add_last_row(frame[even], before, here, after, out[a, t, even])


@_compiled
def _collapse_level(
    coarser_total: NDArray[np.float32],
    coarser_level: NDArray[np.float32],
    level: NDArray[np.float32],
    gain: np.float32,
    channels: int,
    lines: NDArray[np.float32],
    wide: NDArray[np.float32],
    flat: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Write ``gain * level + pyrUp(coarser_total - gain * coarser_level)`` into ``out``."""
    rows, small = coarser_total.shape
    rest = flat[: rows * small].reshape((rows, small))
    for y in range(rows):
        a, b, c = coarser_total[y], coarser_level[y], rest[y]
        for x in range(small):
            c[x] = a[x] - gain * b[x]
    _widen_row(rest[0], channels, lines, wide[0])
    for row in range(rows):
        if row + 1 < rows:
            _widen_row(rest[row + 1], channels, lines, wide[(row + 1) % 3])
        here = wide[row % 3]
        after = wide[(row + 1) % 3] if row + 1 < rows else here
        before = wide[(row - 1) % 3] if row > 0 else after
        own, target = level[2 * row], out[2 * row]
        for x in range(target.shape[0]):
            grown = (before[x] + after[x]) * EDGE + here[x] * CENTRE
            target[x] = grown + gain * own[x]
        if 2 * row + 1 < out.shape[0]:
            own, target = level[2 * row + 1], out[2 * row + 1]
            for x in range(target.shape[0]):
                target[x] = (here[x] + after[x]) * BETWEEN + gain * own[x]


@_compiled
def _add_two_rows(
    frame_even: NDArray[np.uint8],
    frame_odd: NDArray[np.uint8],
    before: NDArray[np.float32],
    here: NDArray[np.float32],
    after: NDArray[np.float32],
    out_even: NDArray[np.uint8],
    out_odd: NDArray[np.uint8],
) -> None:
    """Add rows 2 i and 2 i + 1 of pyrUp to two rows of pixels, round half up, keep in 0 to 255."""
    for x in range(frame_even.shape[0]):
        own, next_one = here[x], after[x]
        value = np.float32(frame_even[x]) + (before[x] + next_one) * EDGE + own * CENTRE + HALF
        out_even[x] = np.uint8(min(max(value, BLACK), WHITE))
        value = np.float32(frame_odd[x]) + (own + next_one) * BETWEEN + HALF
        out_odd[x] = np.uint8(min(max(value, BLACK), WHITE))


@_compiled
def _add_last_row(
    frame: NDArray[np.uint8],
    before: NDArray[np.float32],
    here: NDArray[np.float32],
    after: NDArray[np.float32],
    out: NDArray[np.uint8],
) -> None:
    """Add row 2 i of pyrUp, which has no next one where the height is odd."""
    for x in range(frame.shape[0]):
        value = np.float32(frame[x]) + (before[x] + after[x]) * EDGE + here[x] * CENTRE + HALF
        out[x] = np.uint8(min(max(value, BLACK), WHITE))


def scratch_size(rows: int, columns: int, channels: int) -> int:
    """Return how long the rows of ``scratch`` of :func:`add_amplified` have to be."""
    whole_pyramid = 2 * rows * columns + 2 * (rows + columns) + 64
    return channels * max(whole_pyramid, 2 * columns + 16)
