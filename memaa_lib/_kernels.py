"""The inner loops that NumPy cannot express, compiled by Numba.

Each function says in NumPy or in words what it works out; the modules that call them hold the
method. Compiled code is cached beside this file (or where ``NUMBA_CACHE_DIR`` says).

None of them is compiled with ``fastmath``: it lets the compiler reorder sums, which it does in one
way in the process that compiles a function and in another in those that read it from the cache, and
then the same clip has two results.

The collapse of the pyramid, which is done for every alpha, is written as formulas on vectors of a
row (:func:`_row_operation`). They stand in this file because Numba compiles anew what it has kept
if this file changes, and does not look at others.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
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


class _Vector:
    """Neighbouring values of a row, while an operation is compiled: what is done becomes code."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    @classmethod
    def filled(cls, builder: Any, number: Any, count: int) -> _Vector:
        """Return a vector of so many times the same number."""
        vector = ir.VectorType(number.type, count)
        first = builder.insert_element(vector(ir.Undefined), number, ir.IntType(32)(0))
        places = ir.Constant(ir.VectorType(ir.IntType(32), count), [0] * count)
        return cls(builder, builder.shuffle_vector(first, first, places))

    def _new(self, value: Any) -> _Vector:
        return _Vector(self.builder, value)

    def _constant(self, number: float) -> Any:
        return ir.Constant(self.value.type, [number] * self.value.type.count)

    def __add__(self, other: _Vector) -> _Vector:
        return self._new(self.builder.fadd(self.value, other.value))

    def __sub__(self, other: _Vector) -> _Vector:
        return self._new(self.builder.fsub(self.value, other.value))

    def __mul__(self, factor: _Vector | float) -> _Vector:
        value = factor.value if isinstance(factor, _Vector) else self._constant(factor)
        return self._new(self.builder.fmul(self.value, value))

    def plus_exactly(self, other: _Vector, power: float) -> _Vector:
        """``self + power * other`` for a power of two, whose product is exact.

        So the machine may do both in one step, and the bytes are the same where it cannot.
        """
        product = self.builder.fmul(other.value, self._constant(power), flags=("contract",))
        return self._new(self.builder.fadd(self.value, product, flags=("contract",)))

    def woven(self, other: _Vector, channels: int) -> _Vector:
        """Return the pixels of both by turns."""
        count = self.value.type.count
        order = [
            which * count + start + channel
            for start in range(0, count, channels)
            for which in (0, 1)
            for channel in range(channels)
        ]
        places = ir.Constant(ir.VectorType(ir.IntType(32), 2 * count), order)
        return self._new(self.builder.shuffle_vector(self.value, other.value, places))

    def from_pixels(self) -> _Vector:
        """Return bytes as floats."""
        count = self.value.type.count
        whole = self.builder.zext(self.value, ir.VectorType(ir.IntType(32), count))
        return self._new(self.builder.sitofp(whole, ir.VectorType(ir.FloatType(), count)))

    def as_pixels(self) -> _Vector:
        """Return floats as bytes: rounded half up, and kept in 0 to 255.

        What is too large for an integer becomes the largest there is or, read without sign, 2**31:
        white in both cases.
        """
        count = self.value.type.count
        value = (self + self._new(self._constant(0.5))).value
        black = self._constant(0.0)
        value = self.builder.select(self.builder.fcmp_ordered(">", value, black), value, black)
        value = self.builder.fptosi(value, ir.VectorType(ir.IntType(32), count))
        white = ir.Constant(value.type, [255] * count)
        value = self.builder.select(self.builder.icmp_unsigned("<", value, white), value, white)
        return self._new(self.builder.trunc(value, ir.VectorType(ir.IntType(8), count)))


class _Row:
    """A row of values, or a stack of rows, while an operation is compiled.

    Read and written are ``count`` values from ``start`` on.
    """

    def __init__(self, builder: Any, array: Any, start: Any, count: int) -> None:
        self.builder, self.start, self.count = builder, start, count
        self.data, self.array = array.data, array
        self.alignment = 1 if self.data.type.pointee == ir.IntType(8) else 4

    def _place(self, start: Any, count: int) -> Any:
        vector = ir.VectorType(self.data.type.pointee, count)
        return self.builder.bitcast(self.builder.gep(self.data, [start]), vector.as_pointer())

    def read(self, after: int = 0) -> _Vector:
        """Return the values that lie so many places after the start."""
        start = self.builder.add(self.start, ir.Constant(self.start.type, after))
        place = self._place(start, self.count)
        return _Vector(self.builder, self.builder.load(place, align=self.alignment))

    def write(self, vector: _Vector) -> None:
        """Put values there, or twice as many in a row that is twice as long."""
        count = vector.value.type.count
        start = self.builder.mul(self.start, ir.Constant(self.start.type, count // self.count))
        self.builder.store(vector.value, self._place(start, count), align=self.alignment)

    def of_stack(self, index: Any) -> _Row:
        """Return one row of a stack."""
        stride = self.builder.extract_value(self.array.strides, 0)
        row = _Row(self.builder, self.array, self.start, self.count)
        row.data = cgutils.pointer_add(
            self.builder, self.data, self.builder.mul(index, stride), self.data.type
        )
        return row


@contextlib.contextmanager
def _each(*stacks: _Row) -> Iterator[list[_Row]]:
    """Do what follows for the first row of all stacks, the second, and so on."""
    builder = stacks[0].builder
    height = builder.extract_value(stacks[0].array.shape, 0)
    with cgutils.for_range(builder, height) as loop:
        yield [stack.of_stack(loop.index) for stack in stacks]


def _row_operation(at_once: int, least: int = 1) -> Callable[[Callable[..., None]], Any]:
    """Compile a formula on vectors into a loop over rows: ``f(length, (row, ..., number, ...))``.

    The compiler makes vectors of simple loops by itself, but not where pixels of three channels are
    woven into each other; and where it does, it first makes sure that no row overlaps another,
    which on a short row takes as long as the work. Here the caller sees to that: what is written is
    never read.

    The formula is worked out for ``at_once`` values at a time. If the length is no multiple, some
    of the last ones are worked out twice; in rows shorter than that, it is ``least`` at a time.
    """

    def compiled(formula: Callable[..., None]) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            length = arguments[0]
            given = cgutils.unpack_tuple(builder, arguments[1])
            kinds = signature.args[1].types

            def work(start: Any, count: int) -> None:
                operands: list[_Row | _Vector] = []
                for value, kind in zip(given, kinds, strict=True):
                    if isinstance(kind, types.Array):
                        array = context.make_array(kind)(context, builder, value)
                        operands.append(_Row(builder, array, start, count))
                    else:
                        operands.append(_Vector.filled(builder, value, count))
                formula(*operands)

            def loop(stop: Any, count: int) -> None:
                first, step = ir.Constant(length.type, 0), ir.Constant(length.type, count)
                with cgutils.for_range_slice(builder, first, stop, step) as (start, _):
                    work(start, count)

            vector = ir.Constant(length.type, at_once)
            left_over = builder.srem(length, vector)
            with builder.if_else(builder.icmp_signed("<", length, vector)) as (short, long):
                with short:
                    loop(length, least)
                with long:
                    loop(builder.sub(length, left_over), at_once)
                    with builder.if_then(cgutils.is_not_null(builder, left_over)):
                        work(builder.sub(length, vector), at_once)
            return context.get_dummy_value()

        @intrinsic  # type: ignore[untyped-decorator]
        def operation(_: Any, length: Any, operands: Any) -> Any:
            return types.void(length, operands), generate

        return operation

    return compiled


# weights of pyrUp, (1 6 1) / 8 and (4 4) / 8, with the factor 8 that `_widen_row` leaves
EDGE, CENTRE, BETWEEN = 1 / 64, 6 / 64, 4 / 64
# Lines an alpha works in: one to be doubled, and three each of what has been, on the last two levels
LINES = 7


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


def _doubling(channels: int) -> Callable[[_Row, _Row], None]:
    """Return the formula of pyrUp along a row of pixels, times 8."""

    def formula(row: _Row, target: _Row) -> None:
        left, centre, right = row.read(), row.read(channels), row.read(2 * channels)
        even = left + centre * 6.0 + right
        odd = (centre + right) * 4.0
        target.write(even.woven(odd, channels))

    return formula


_double_gray = _row_operation(at_once=16)(_doubling(1))
_double_colour = _row_operation(at_once=24, least=3)(_doubling(3))


@_row_kernel
def _widen_row(flat: int, channels: int, row: NDArray[np.float32], target: Any) -> None:
    """Double the pixels of a row as cv2.pyrUp does, times 8, into ``target``.

    They stand in ``row`` after one pixel of room, and ``flat`` is their length.
    """
    centre = row[channels:]
    for c in range(channels):
        row[c] = centre[(1 if flat > channels else 0) * channels + c]
        centre[flat + c] = centre[flat - channels + c]
    if channels == 3:
        _double_colour(flat, (row, target))
    else:
        _double_gray(flat, (row, target))


@_compiled
def _level(flat: NDArray[np.float32], level: int, rows: int, columns: int, channels: int) -> Any:
    """Image of a pyramid whose levels stand one after the other in ``flat``."""
    start = 0
    for _ in range(level):
        start += rows * columns * channels
        rows, columns = (rows + 1) // 2, (columns + 1) // 2
    return flat[start : start + rows * columns * channels].reshape((rows, columns * channels))


@_compiled
def _rest(flat: NDArray[np.float32], level: int, rows: int, columns: int, channels: int) -> Any:
    """Return the same of levels 1, 2, ..., whose rows have room for a pixel before and after."""
    start = 0
    rows, columns = (rows + 1) // 2, (columns + 1) // 2
    for _ in range(1, level):
        start += rows * (columns + 2) * channels
        rows, columns = (rows + 1) // 2, (columns + 1) // 2
    length = (columns + 2) * channels
    return flat[start : start + rows * length].reshape((rows, length))


@_compiled
def add_amplified(
    frame: NDArray[np.uint8],
    channels: int,
    pyramid: NDArray[np.float32],
    gains: NDArray[np.float32],
    out: NDArray[np.uint8],
    t: int,
    rests: NDArray[np.float32],
    lines: NDArray[np.float32],
) -> None:
    """Add the amplified Laplacian bands of a half-size image to a frame, for each row of gains.

    ``frame`` is ``(H, W * C)``; ``pyramid`` ``(pyramid_size(H, W, C),)`` begins with the half-size
    image ``(h, w * C)`` and has room for the smaller ones; ``gains`` ``(A, L)`` belong to them,
    finest first; ``out`` is ``(A, T, H, W * C)``, of which frame ``t`` is written. Worked with are
    ``rests`` ``(A, pyramid_size(H, W, C))`` and ``lines`` ``(A, LINES, line_length(W, C))``.

    A Laplacian band is ``level - up(next level)``. Collecting the terms of each level, no band has
    to be stored: ``total = gain * level + up(rest of the next level)``, where the rest is that
    level's total minus ``gain`` times that level.
    """
    n_alphas, levels = gains.shape
    rows, columns = (frame.shape[0] + 1) // 2, (frame.shape[1] // channels + 1) // 2
    for level in range(1, levels):
        finer = _level(pyramid, level - 1, rows, columns, channels)
        _shrink(finer, channels, lines[0], _level(pyramid, level, rows, columns, channels))
    coarsest = _level(pyramid, levels - 1, rows, columns, channels)
    for a in range(n_alphas):
        rest = _rest(rests[a], levels - 1, rows, columns, channels)
        gain, finer_gain = gains[a, levels - 1], gains[a, levels - 2]
        rest[:, channels:-channels] = gain * coarsest - finer_gain * coarsest
        for level in range(levels - 2, 0, -1):
            _collapse_level(
                _rest(rests[a], level + 1, rows, columns, channels),
                _level(pyramid, level, rows, columns, channels),
                gains[a, level],
                gains[a, level - 1],
                channels,
                lines[a],
                _rest(rests[a], level, rows, columns, channels),
            )
    _collapse_onto_frame(frame, channels, pyramid, gains[:, 0], out[:, t], rests, lines)


@_row_operation(at_once=16)
def _even_rest(
    before: _Row,
    here: _Row,
    after: _Row,
    own: _Row,
    gain: _Vector,
    finer_gain: _Vector,
    target: _Row,
) -> None:
    """Write an even row of ``gain * own + pyrUp - finer_gain * own``.

    The rows of which pyrUp is taken here are doubled along already.
    """
    grown = (here.read() * CENTRE).plus_exactly(before.read() + after.read(), EDGE)
    target.write(grown + gain * own.read() - finer_gain * own.read())


@_row_operation(at_once=16)
def _odd_rest(
    here: _Row, after: _Row, own: _Row, gain: _Vector, finer_gain: _Vector, target: _Row
) -> None:
    """Write an odd row of the same."""
    total = (gain * own.read()).plus_exactly(here.read() + after.read(), BETWEEN)
    target.write(total - finer_gain * own.read())


@_row_operation(at_once=32)
def _add_two_rows(
    frame_even: _Row,
    frame_odd: _Row,
    befores: _Row,
    heres: _Row,
    afters: _Row,
    outs_even: _Row,
    outs_odd: _Row,
) -> None:
    """Add pyrUp of what is doubled along to an even and an odd row of pixels, for each alpha."""
    pixels_even, pixels_odd = frame_even.read().from_pixels(), frame_odd.read().from_pixels()
    with _each(befores, heres, afters, outs_even, outs_odd) as rows:
        before, here, after = (row.read() for row in rows[:3])
        even = pixels_even.plus_exactly(before + after, EDGE) + here * CENTRE
        odd = pixels_odd.plus_exactly(here + after, BETWEEN)
        rows[3].write(even.as_pixels())
        rows[4].write(odd.as_pixels())


@_row_operation(at_once=16)
def _add_last_row(frame: _Row, befores: _Row, heres: _Row, afters: _Row, outs: _Row) -> None:
    """Do so for an even row alone: where the height is odd, the last one has no next one."""
    pixels = frame.read().from_pixels()
    with _each(befores, heres, afters, outs) as rows:
        before, here, after = (row.read() for row in rows[:3])
        rows[3].write((pixels.plus_exactly(before + after, EDGE) + here * CENTRE).as_pixels())


@_row_kernel
def _to_widen(row: int, n_coarser: int) -> tuple[int, int]:
    """Range of coarser rows that a row of the finer level needs and those before it did not."""
    if row % 2 == 1:
        return 0, 0
    return (row // 2 + 1 if row > 0 else 0), min(row // 2 + 2, n_coarser)


@_row_kernel
def _three_lines(row: int, n_rows: int, first: int) -> tuple[int, int, int]:
    """Where the row before, this row and the row after stand in the three lines from ``first`` on.

    At the edges it is as pyrUp has it: mirrored at the first row, the last one again at the last.
    """
    here = first + row % 3
    after = first + (row + 1) % 3 if row + 1 < n_rows else here
    return (first + (row - 1) % 3 if row > 0 else after), here, after


@_row_kernel
def _collapse_row(
    row: int,
    n_coarser: int,
    own: NDArray[np.float32],
    gain: np.float32,
    finer_gain: np.float32,
    lines: NDArray[np.float32],
    target: NDArray[np.float32],
) -> None:
    """Collapse one row: pyrUp is taken of three lines.

    They are the coarser row that two rows of the finer level lie on, and its neighbours.
    """
    i, j, k = _three_lines(row // 2, n_coarser, 1)
    before, here, after = lines[i], lines[j], lines[k]
    if row % 2 == 0:
        _even_rest(own.shape[0], (before, here, after, own, gain, finer_gain, target))
    else:
        _odd_rest(own.shape[0], (here, after, own, gain, finer_gain, target))


@_row_kernel
def _collapse_level(
    coarser_rest: NDArray[np.float32],
    level: NDArray[np.float32],
    gain: np.float32,
    finer_gain: np.float32,
    channels: int,
    lines: NDArray[np.float32],
    rest: NDArray[np.float32],
) -> None:
    """Write ``gain * level + pyrUp(coarser_rest) - finer_gain * level`` into ``rest``."""
    n_coarser, length = coarser_rest.shape
    for row in range(rest.shape[0]):
        first, stop = _to_widen(row, n_coarser)
        for i in range(first, stop):
            _widen_row(length - 2 * channels, channels, coarser_rest[i], lines[1 + i % 3])
        target = rest[row, channels:]
        _collapse_row(row, n_coarser, level[row], gain, finer_gain, lines, target)


@_row_kernel
def _collapse_onto_frame(
    frame: NDArray[np.uint8],
    channels: int,
    pyramid: NDArray[np.float32],
    gains: NDArray[np.float32],
    outs: NDArray[np.uint8],
    rests: NDArray[np.float32],
    lines: NDArray[np.float32],
) -> None:
    """As :func:`_collapse_level`, doubled again and added to the frame, row by row for all alphas."""
    rows, columns = (frame.shape[0] + 1) // 2, (frame.shape[1] // channels + 1) // 2
    n_coarser, nothing = (rows + 1) // 2, np.float32(0)
    flat, flat_coarser = columns * channels, (columns + 1) // 2 * channels
    length = flat_coarser + 2 * channels
    for row in range(rows):
        own = pyramid[row * flat : (row + 1) * flat]
        first, stop = _to_widen(row, n_coarser)
        for a in range(gains.shape[0]):
            for i in range(first, stop):
                rest = rests[a, i * length : (i + 1) * length]
                _widen_row(flat_coarser, channels, rest, lines[a, 1 + i % 3])
            change = lines[a, 0, channels:]
            _collapse_row(row, n_coarser, own, gains[a], nothing, lines[a], change)
            _widen_row(flat, channels, lines[a, 0], lines[a, 4 + row % 3])
        if row > 0:
            _add_rows(row - 1, rows, lines, frame, outs)
    _add_rows(rows - 1, rows, lines, frame, outs)


@_row_kernel
def _add_rows(
    row: int,
    rows: int,
    lines: NDArray[np.float32],
    frame: NDArray[np.uint8],
    outs: NDArray[np.uint8],
) -> None:
    """Add rows 2 row and, if there is one, 2 row + 1 of the change to the frame."""
    before, here, after = _three_lines(row, rows, 4)
    befores, heres, afters = lines[:, before], lines[:, here], lines[:, after]
    i, j, flat = 2 * row, 2 * row + 1, frame.shape[1]
    if j < frame.shape[0]:
        _add_two_rows(flat, (frame[i], frame[j], befores, heres, afters, outs[:, i], outs[:, j]))
    else:
        _add_last_row(flat, (frame[i], befores, heres, afters, outs[:, i]))


@_compiled
def magnify_recursively(
    frames: NDArray[np.uint8],
    mixing: NDArray[np.float32],
    coefficients: NDArray[np.float32],
    starts: bool,
    states: NDArray[np.float32],
    gains: NDArray[np.float32],
    out: NDArray[np.uint8],
    pyramid: NDArray[np.float32],
    rests: NDArray[np.float32],
    lines: NDArray[np.float32],
) -> None:
    """Magnify frames ``(T, H, W * C)`` one after the other with two first-order low-passes.

    For the arguments see :func:`half_size_filtered` and :func:`add_amplified`.
    """
    rows, flat = states.shape[1:]
    band = pyramid[: rows * flat].reshape((rows, flat))
    for t in range(frames.shape[0]):
        half_size_filtered(frames[t], mixing, coefficients, starts and t == 0, states, band)
        add_amplified(frames[t], mixing.shape[0], pyramid, gains, out, t, rests, lines)


def pyramid_size(height: int, width: int, channels: int) -> int:
    """Return how long the pyramids that :func:`add_amplified` takes have to be."""
    rows, columns = (height + 1) // 2, (width + 1) // 2
    return channels * (2 * rows * columns + 2 * (rows + columns) + 64)


def line_length(width: int, channels: int) -> int:
    """Return how long its lines have to be: a row of pixels, and some room."""
    return channels * (width + 5)
