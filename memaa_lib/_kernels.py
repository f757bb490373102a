"""The inner loops that NumPy cannot express, compiled by Numba.

Each function says in NumPy or in words what it works out; the modules that call them hold the
method. Compiled code is cached beside this file (or where ``NUMBA_CACHE_DIR`` says).

None of them is compiled with ``fastmath``: it lets the compiler reorder sums, which it does in one
way in the process that compiles a function and in another in those that read it from the cache, and
then the same clip has two results.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

# Windows after which the sliding transform starts anew, so that rounding cannot pile up
REFRESH = 256


def _compiled(function: Any) -> Any:
    return njit(cache=True, nogil=True, boundscheck=False)(function)


def _row_kernel(function: Any) -> Any:
    """Compile what allocates nothing and is called for each row.

    It counts no references: for rows of a few hundred values counting takes as long as the work.
    """
    return njit(cache=True, nogil=True, boundscheck=False, _nrt=False)(function)


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
    magnitudes = np.empty((n_windows, n_spatial), np.float32)
    for block in range(n_blocks):
        magnitudes[:] = 0
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
                for k in range(count):
                    magnitudes[i, k] += share * (
                        np.sqrt(plus_re[k] * plus_re[k] + plus_im[k] * plus_im[k])
                        + np.sqrt(minus_re[k] * minus_re[k] + minus_im[k] * minus_im[k])
                    )
        # only here are values of one window summed: a sum in order is one addition at a time
        for i in range(n_windows):
            for k in range(n_spatial):
                total[i] += weights[k] * magnitudes[i, k]
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
    ``out`` ``(ceil(H / 2), ceil(W / 2) * C)``.
    """
    sums = np.empty((2, frame.shape[1] + 4 * mixing.shape[0]), np.uint16)
    shares = mixing.ravel() * np.float32(1 / 256)
    for y in range(out.shape[0]):
        _half_size_row(frame, y, mixing.shape[0], shares, sums, out[y])


@_compiled
def half_size_filtered(
    frame: NDArray[np.uint8],
    mixing: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    starts: bool,
    states: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """One step of :func:`recursion_step` on ``pyrDown(frame)``; the band goes into ``out``.

    ``states`` ``(3, h, w * C)`` holds the frame before, the fast and the slow low-pass; if the clip
    ``starts``, all three are this frame. For the rest see :func:`half_size`. Row by row, so that
    what is worked on stays in the cache.
    """
    sums = np.empty((2, frame.shape[1] + 4 * mixing.shape[0]), np.uint16)
    now = np.empty(out.shape[1], np.float32)
    shares = mixing.ravel() * np.float32(1 / 256)
    for y in range(out.shape[0]):
        _half_size_row(frame, y, mixing.shape[0], shares, sums, now)
        if starts:
            states[:, y] = now
        recursion_step(now, states[0, y], states[1, y], states[2, y], coefficients, out[y])


@_row_kernel
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


@_row_kernel
def _half_size_row(
    frame: NDArray[np.uint8],
    y: int,
    channels: int,
    m: NDArray[np.float32],
    sums: NDArray[np.uint16],
    target: NDArray[np.float32],
) -> None:
    """Row ``y`` of pyrDown: (1 4 6 4 1) down and along, in 16 bits, which hold the sums exactly."""
    height, flat = frame.shape
    width = flat // channels
    a = frame[_mirrored(2 * y - 2, height)]
    b = frame[_mirrored(2 * y - 1, height)]
    c = frame[2 * y]
    d = frame[_mirrored(2 * y + 1, height)]
    e = frame[_mirrored(2 * y + 2, height)]
    row, filtered = sums[0], sums[1]
    inside = row[2 * channels :]
    for x in range(flat):
        outer = np.uint16(a[x]) + np.uint16(e[x])
        inner = np.uint16(b[x]) + np.uint16(d[x])
        inside[x] = np.uint16(outer + np.uint16(4) * inner + np.uint16(6) * np.uint16(c[x]))
    _mirror_row(row, width, channels)
    r1, r2, r3, r4 = row[channels:], inside, row[3 * channels :], row[4 * channels :]
    for x in range(flat):
        outer = row[x] + r4[x]
        inner = r1[x] + r3[x]
        filtered[x] = np.uint16(outer + np.uint16(4) * inner + np.uint16(6) * r2[x])
    if channels == 1:
        for x in range(target.shape[0]):
            target[x] = np.float32(filtered[2 * x]) * m[0]
    else:
        for x in range(target.shape[0] // 3):
            red = np.float32(filtered[6 * x])
            green = np.float32(filtered[6 * x + 1])
            blue = np.float32(filtered[6 * x + 2])
            target[3 * x] = m[0] * red + m[1] * green + m[2] * blue
            target[3 * x + 1] = m[3] * red + m[4] * green + m[5] * blue
            target[3 * x + 2] = m[6] * red + m[7] * green + m[8] * blue


@_row_kernel
def _mirror_row(row: Any, width: int, channels: int) -> None:
    """Fill the two pixels of room before and after a row, which stands at pixel 2 of ``row``."""
    for channel in range(channels):
        for place in (-2, -1, width, width + 1):
            inside = _mirrored(place, width)
            row[(2 + place) * channels + channel] = row[(2 + inside) * channels + channel]


@_row_kernel
def _mirrored(i: int, n: int) -> int:
    """Position ``i`` mirrored into 0 to n - 1 without repeating the edge."""
    if i < 0:
        i = -i
    if i >= n:
        i = 2 * n - 2 - i
    return max(i, 0)


@_row_kernel
def _binomial_along_row(
    row: NDArray[np.float32], width: int, channels: int, out: NDArray[np.float32]
) -> None:
    """Filter a row of pixels, which stands in ``row`` after two pixels of room, by 1/256."""
    _mirror_row(row, width, channels)
    # slices, not sums in the index: Numba then knows that no index is negative and vectorises
    b, c, d, e = row[channels:], row[2 * channels :], row[3 * channels :], row[4 * channels :]
    for x in range(width * channels):
        outer, inner = row[x] + e[x], b[x] + d[x]
        out[x] = (outer + np.float32(4) * inner + np.float32(6) * c[x]) * np.float32(1 / 256)


@_row_kernel
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


@_row_kernel
def _widen_row(flat: int, channels: int, lines: NDArray[np.float32], target: Any) -> None:
    """Double the pixels of a row as cv2.pyrUp does, times 8, into ``target``.

    The row stands in ``lines[0]`` after one pixel of room, and ``flat`` is its length.
    """
    columns = flat // channels
    left, even, odd = lines[0], lines[1], lines[2]
    centre, right = left[channels:], left[2 * channels :]
    for c in range(channels):
        left[c] = centre[(1 if columns > 1 else 0) * channels + c]
        centre[flat + c] = centre[flat - channels + c]
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
    pyramid: NDArray[np.float32],
    gains: NDArray[np.float32],
    out: NDArray[np.uint8],
    t: int,
    scratch: NDArray[np.float32],
) -> None:
    """Add the amplified Laplacian bands of a half-size image to a frame, for each row of gains.

    ``frame`` is ``(H, W * C)``; ``pyramid`` ``(pyramid_size(H, W, C),)`` begins with the half-size
    image ``(h, w * C)`` and has room for the smaller ones; ``gains`` ``(A, L)`` belong to them,
    finest first; ``out`` is ``(A, T, H, W * C)``, of which frame ``t`` is written; ``scratch``
    ``(2, pyramid_size(H, W, C))``.

    A Laplacian band is ``level - up(next level)``. Collecting the terms of each level, no band has
    to be stored: ``total = gain * level + up(total of the coarser ones - gain * next level)``.
    """
    n_alphas, levels = gains.shape
    rows, columns = (frame.shape[0] + 1) // 2, (frame.shape[1] // channels + 1) // 2
    totals = scratch[0]
    # rows of twice the half-size image's width, and some room: what is doubled, and what has been
    lines = scratch[1, : 9 * (2 * columns + 4) * channels].reshape((9, -1))
    for level in range(1, levels):
        finer = _level(pyramid, level - 1, rows, columns, channels)
        _shrink(finer, channels, lines, _level(pyramid, level, rows, columns, channels))
    for a in range(n_alphas):
        coarsest = _level(pyramid, levels - 1, rows, columns, channels)
        _level(totals, levels - 1, rows, columns, channels)[:] = gains[a, levels - 1] * coarsest
        for level in range(levels - 2, 0, -1):
            _collapse_level(
                _level(totals, level + 1, rows, columns, channels),
                _level(pyramid, level + 1, rows, columns, channels),
                _level(pyramid, level, rows, columns, channels),
                gains[a, level],
                channels,
                lines,
                _level(totals, level, rows, columns, channels),
            )
        _collapse_onto_frame(
            _level(totals, 1, rows, columns, channels),
            _level(pyramid, 1, rows, columns, channels),
            _level(pyramid, 0, rows, columns, channels),
            gains[a, 0],
            channels,
            lines,
            frame,
            out[a, t],
        )


@_row_kernel
def _widen_rest(
    coarser_total: NDArray[np.float32],
    coarser_level: NDArray[np.float32],
    row: int,
    gain: np.float32,
    channels: int,
    lines: NDArray[np.float32],
) -> None:
    """Double a row of ``coarser_total - gain * coarser_level`` into one of three lines.

    Three doubled rows are held at a time: the one two rows of the finer level lie on, and its
    neighbours.
    """
    rest = lines[0, channels:]
    a, b = coarser_total[row], coarser_level[row]
    for x in range(a.shape[0]):
        rest[x] = a[x] - gain * b[x]
    _widen_row(a.shape[0], channels, lines, lines[3 + row % 3])


@_row_kernel
def _collapse_row(
    row: int,
    n_coarser: int,
    own: NDArray[np.float32],
    gain: np.float32,
    lines: NDArray[np.float32],
    target: NDArray[np.float32],
) -> None:
    """Row of ``gain * own + pyrUp(rest)``, from the doubled rows that :func:`_widen_rest` made."""
    i = row // 2
    here = lines[3 + i % 3]
    after = lines[3 + (i + 1) % 3] if i + 1 < n_coarser else here
    before = lines[3 + (i - 1) % 3] if i > 0 else after
    if row % 2 == 0:
        for x in range(own.shape[0]):
            grown = (before[x] + after[x]) * EDGE + here[x] * CENTRE
            target[x] = grown + gain * own[x]
    else:
        for x in range(own.shape[0]):
            target[x] = (here[x] + after[x]) * BETWEEN + gain * own[x]


@_row_kernel
def _collapse_level(
    coarser_total: NDArray[np.float32],
    coarser_level: NDArray[np.float32],
    level: NDArray[np.float32],
    gain: np.float32,
    channels: int,
    lines: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Write ``gain * level + pyrUp(coarser_total - gain * coarser_level)`` into ``out``."""
    n_coarser = coarser_total.shape[0]
    _widen_rest(coarser_total, coarser_level, 0, gain, channels, lines)
    for row in range(out.shape[0]):
        if row % 2 == 0 and row // 2 + 1 < n_coarser:
            _widen_rest(coarser_total, coarser_level, row // 2 + 1, gain, channels, lines)
        _collapse_row(row, n_coarser, level[row], gain, lines, out[row])


@_row_kernel
def _collapse_onto_frame(
    coarser_total: NDArray[np.float32],
    coarser_level: NDArray[np.float32],
    level: NDArray[np.float32],
    gain: np.float32,
    channels: int,
    lines: NDArray[np.float32],
    frame: NDArray[np.uint8],
    out: NDArray[np.uint8],
) -> None:
    """As :func:`_collapse_level`, doubled again and added to the frame, row by row."""
    n_coarser, rows = coarser_total.shape[0], level.shape[0]
    change = lines[0, channels:]
    _widen_rest(coarser_total, coarser_level, 0, gain, channels, lines)
    for row in range(rows):
        if row % 2 == 0 and row // 2 + 1 < n_coarser:
            _widen_rest(coarser_total, coarser_level, row // 2 + 1, gain, channels, lines)
        _collapse_row(row, n_coarser, level[row], gain, lines, change)
        _widen_row(level.shape[1], channels, lines, lines[6 + row % 3])
        if row > 0:
            _add_rows(row - 1, rows, lines, frame, out)
    _add_rows(rows - 1, rows, lines, frame, out)


@_row_kernel
def _add_rows(
    row: int,
    rows: int,
    lines: NDArray[np.float32],
    frame: NDArray[np.uint8],
    out: NDArray[np.uint8],
) -> None:
    """Add rows 2 row and, if there is one, 2 row + 1 of the change to the frame."""
    here = lines[6 + row % 3]
    after = lines[6 + (row + 1) % 3] if row + 1 < rows else here
    before = lines[6 + (row - 1) % 3] if row > 0 else after
    even = 2 * row
    if even + 1 < frame.shape[0]:
        _add_two_rows(frame[even], frame[even + 1], before, here, after, out[even], out[even + 1])
    else:
        _add_last_row(frame[even], before, here, after, out[even])


@_row_kernel
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


@_row_kernel
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


@_compiled
def magnify_recursively(
    frames: NDArray[np.uint8],
    mixing: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    starts: bool,
    states: NDArray[np.float32],
    gains: NDArray[np.float32],
    out: NDArray[np.uint8],
    scratch: NDArray[np.float32],
) -> None:
    """Magnify frames ``(T, H, W * C)`` one after the other with two first-order low-passes.

    See :func:`half_size_filtered` and :func:`add_amplified`; ``scratch`` ``(3, pyramid_size(H, W,
    C))``.
    """
    rows, flat = states.shape[1:]
    pyramid = scratch[2]
    band = pyramid[: rows * flat].reshape((rows, flat))
    for t in range(frames.shape[0]):
        half_size_filtered(frames[t], mixing, coefficients, starts and t == 0, states, band)
        add_amplified(frames[t], mixing.shape[0], pyramid, gains, out, t, scratch)


def pyramid_size(height: int, width: int, channels: int) -> int:
    """Return how long the arrays that :func:`add_amplified` takes have to be."""
    rows, columns = (height + 1) // 2, (width + 1) // 2
    whole_pyramid = 2 * rows * columns + 2 * (rows + columns) + 64
    return channels * max(whole_pyramid, 9 * (2 * columns + 4))
