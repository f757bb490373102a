"""Figures of the notebooks: faces, players that need no kernel, matrices, the provenance box.

A player is plain HTML around a native slider or video element. The images stand inside the page as
data, so a page is one file; without JavaScript the poster image remains.
"""

from __future__ import annotations

import base64
import html
import json
import platform
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import matplotlib.pyplot as plt
import numpy as np
import scipy.ndimage
from IPython.display import HTML
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from memaa_lib import __version__, doctor
from memaa_lib.clips import Clip, check_frames, write_video
from memaa_lib.paper import CLASSES
from memaa_lib.storage import InputError

CLASS_COLOURS = {"negative": "#b5442e", "positive": "#2c7fb8", "surprise": "#c98a00"}
ALPHA_COLOURS = {0: "#777777", 5: "#7fb3b8", 10: "#0b6e75", 15: "#b5442e"}
JPEG_QUALITY = 90


def style() -> None:
    """Set matplotlib up for the book: readable at phone width, on a light ground in both modes.

    Examples
    --------
    >>> style()
    >>> plt.rcParams["figure.dpi"]
    110.0
    """
    plt.rcParams.update(
        {
            "figure.dpi": 110,
            "figure.figsize": (6.4, 3.4),
            "figure.constrained_layout.use": True,
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.3,
            "image.cmap": "gray",
            "lines.linewidth": 1.8,
            "savefig.facecolor": "white",
        }
    )


def faces(
    images: Sequence[NDArray[np.uint8]],
    titles: Sequence[str] = (),
    *,
    columns: int = 4,
    width: float = 7.0,
) -> Figure:
    """Show images side by side.

    Parameters
    ----------
    images
        ``uint8``, RGB ``(H, W, 3)`` or gray ``(H, W)``.
    titles
        One an image, or none.
    columns
        Images a row.
    width
        Of the figure, inches.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is no image, or not one title an image.

    Examples
    --------
    >>> figure = faces([np.zeros((8, 6), np.uint8)] * 3, ["a", "b", "c"])
    >>> len(figure.axes)
    3
    >>> plt.close(figure)
    """
    if not images:
        raise InputError("faces: expected at least one image")
    if titles and len(titles) != len(images):
        raise InputError(f"faces: {len(images)} images but {len(titles)} titles")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    height, breadth = images[0].shape[:2]
    cell = width / columns
    figure: Figure = plt.figure(
        figsize=(width, rows * (cell * height / breadth + 0.25 * bool(titles)))
    )
    for number, image in enumerate(images):
        axes = figure.add_subplot(rows, columns, number + 1)
        axes.imshow(image, vmin=0, vmax=255)
        axes.axis("off")
        if titles:
            axes.set_title(titles[number], fontsize=9)
    return figure


def signed_difference(image: NDArray[np.uint8], reference: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return ``image - reference`` as a gray image: 128 is no change, scaled to fill the range.

    Parameters
    ----------
    image, reference
        ``uint8`` of one shape.

    Returns
    -------
    ndarray
        ``uint8`` ``(H, W)``.

    Examples
    --------
    >>> a = np.full((2, 2), 10, np.uint8)
    >>> signed_difference(a, a)[0, 0]
    np.uint8(128)
    """
    change = image.astype(np.float32) - reference.astype(np.float32)
    if change.ndim == 3:
        change = change.mean(axis=2)
    scale = max(float(np.percentile(np.abs(change), 99.5)), 1.0)
    return np.clip(np.round(128 + 127 * change / scale), 0, 255).astype(np.uint8)


# ------------------------------------------------------------------ players
def data_uri(image: NDArray[np.uint8]) -> str:
    """Return an image as a JPEG data URI.

    Parameters
    ----------
    image
        ``uint8``, RGB ``(H, W, 3)`` or gray ``(H, W)``.

    Returns
    -------
    str

    Examples
    --------
    >>> data_uri(np.zeros((8, 8), np.uint8))[:22]
    'data:image/jpeg;base64'
    """
    check_frames(np.asarray(image)[None], "image")
    pixels = np.ascontiguousarray(image[..., ::-1]) if image.ndim == 3 else image
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def scrubber(
    images: Sequence[NDArray[np.uint8]],
    labels: Sequence[str],
    *,
    alt: str,
    caption: str = "",
    start: int = 0,
    width: str = "22rem",
) -> HTML:
    """Return a slider over a stack of images.

    Parameters
    ----------
    images
        ``uint8`` images of one size.
    labels
        What each shows, e.g. ``"alpha = 10"``.
    alt
        What the figure shows, for those who do not see it.
    caption
        Below the figure; names the data set.
    start
        Which image is shown first.
    width
        CSS width.

    Returns
    -------
    IPython.display.HTML

    Raises
    ------
    InputError
        If there is not one label an image.

    Examples
    --------
    >>> "<memaa-scrubber" in scrubber([np.zeros((8, 8), np.uint8)], ["a"], alt="nothing").data
    True
    """
    if len(images) != len(labels) or not images:
        raise InputError(f"scrubber: {len(images)} images, {len(labels)} labels; expected one each")
    sources = [data_uri(image) for image in images]
    content = json.dumps({"sources": sources, "labels": list(labels), "start": start})
    poster = f'<img src="{sources[start]}" alt="{html.escape(f"{alt}: {labels[start]}")}">'
    player = (
        f'<memaa-scrubber aria-label="{html.escape(alt)}">{poster}'
        f'<script type="application/json">{content}</script></memaa-scrubber>'
    )
    return HTML(_figure(player, caption, width))


def compare(
    before: NDArray[np.uint8],
    after: NDArray[np.uint8],
    *,
    names: tuple[str, str],
    alt: str,
    caption: str = "",
    width: str = "22rem",
) -> HTML:
    """Return two images, one over the other, with a divider to drag.

    Parameters
    ----------
    before, after
        ``uint8`` images of one size.
    names
        What the two are called.
    alt
        What the figure shows.
    caption
        Below the figure; names the data set.
    width
        CSS width.

    Returns
    -------
    IPython.display.HTML

    Raises
    ------
    InputError
        If the sizes differ.

    Examples
    --------
    >>> image = np.zeros((8, 8), np.uint8)
    >>> "<memaa-compare" in compare(image, image, names=("a", "b"), alt="nothing").data
    True
    """
    if before.shape[:2] != after.shape[:2]:
        raise InputError(f"compare: sizes {before.shape[:2]} and {after.shape[:2]} differ")
    first, second = (html.escape(name) for name in names)
    images = "".join(
        f'<img src="{data_uri(image)}" alt="{html.escape(f"{alt}: {name}")}">'
        for image, name in zip((before, after), names, strict=True)
    )
    player = (
        f'<memaa-compare aria-label="{html.escape(alt)}">{images}'
        f'<div class="names"><span>{first}</span><span>{second}</span></div></memaa-compare>'
    )
    return HTML(_figure(player, caption, width))


def video(
    frames: NDArray[np.uint8],
    *,
    fps: float,
    alt: str,
    caption: str = "",
    width: str = "22rem",
    poster: int = 0,
) -> HTML:
    """Return a looping H.264 video that stands inside the page.

    Parameters
    ----------
    frames
        ``uint8`` ``(T, H, W, 3)`` or ``(T, H, W)``.
    fps
        Of the play-back: 200 fps recordings are shown slowed down, say so in the caption.
    alt
        What the video shows.
    caption
        Below the figure; names the data set and the slow-down.
    width
        CSS width.
    poster
        Which frame to show before play.

    Returns
    -------
    IPython.display.HTML

    Examples
    --------
    >>> "<video" in video(np.zeros((3, 16, 16), np.uint8), fps=10, alt="nothing").data
    True
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.mp4")
        write_video(path, frames, fps)
        encoded = base64.b64encode(path.read_bytes()).decode()
    player = (
        f'<video controls loop muted playsinline preload="metadata" poster="{data_uri(frames[poster])}" '
        f'aria-label="{html.escape(alt)}"><source type="video/mp4" '
        f'src="data:video/mp4;base64,{encoded}"></video>'
    )
    return HTML(_figure(player, caption, width))


def side_by_side(*stacks: NDArray[np.uint8], gap: int = 4) -> NDArray[np.uint8]:
    """Put clips of one length beside each other.

    Parameters
    ----------
    *stacks
        ``uint8`` ``(T, H, W, 3)`` or ``(T, H, W)``, equal T and H.
    gap
        White columns between them.

    Returns
    -------
    ndarray
        ``uint8`` ``(T, H, W', 3)``.

    Examples
    --------
    >>> side_by_side(np.zeros((2, 4, 4), np.uint8), np.zeros((2, 4, 4), np.uint8)).shape
    (2, 4, 12, 3)
    """
    colour = [
        stack if stack.ndim == 4 else np.repeat(stack[..., None], 3, axis=3) for stack in stacks
    ]
    count, height = colour[0].shape[:2]
    white = np.full((count, height, gap, 3), 255, np.uint8)
    parts = [part for stack in colour for part in (white, stack)][1:]
    return np.concatenate(parts, axis=2)


def timeline(
    frames: NDArray[np.uint8],
    values: NDArray[np.floating],
    positions: Sequence[int],
    *,
    kept: NDArray[np.bool_] | None = None,
    label: str = "$A_i$",
    height: int = 220,
) -> list[NDArray[np.uint8]]:
    """Put frames of a clip beside a curve over the whole clip, a line at the frame shown.

    Parameters
    ----------
    frames
        ``uint8`` ``(T, H, W, 3)`` or ``(T, H, W)``.
    values
        ``(T,)``, one number a frame.
    positions
        Which frames to show.
    kept
        ``bool`` ``(T,)``, frames to mark with a dot on the curve; default: none.
    label
        What the curve is.
    height
        Of the images, px.

    Returns
    -------
    list of ndarray
        ``uint8`` ``(height, W', 3)``, one a position, for :func:`scrubber`.

    Raises
    ------
    InputError
        If there is not one value a frame.

    Examples
    --------
    >>> images = timeline(np.zeros((3, 40, 30), np.uint8), np.arange(3.0), [0, 2], height=80)
    >>> len(images), images[0].shape
    (2, (80, 188, 3))
    """
    check_frames(frames)
    if np.shape(values) != (len(frames),):
        raise InputError(f"timeline: {len(frames)} frames, values of shape {np.shape(values)}")
    dots_per_inch = 100
    figure = Figure(figsize=(1.6 * height / dots_per_inch, height / dots_per_inch))
    figure.set_dpi(dots_per_inch)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(values, color="#0b6e75")
    if kept is not None:
        axes.plot(np.flatnonzero(kept), values[kept], ".", color="#b5442e", label="kept")
        axes.legend(fontsize=7)
    axes.set_xlabel("frame", fontsize=8)
    axes.set_ylabel(label, fontsize=8)
    axes.tick_params(labelsize=7)
    canvas.draw()
    curve = np.asarray(canvas.buffer_rgba())[..., :3]
    box = axes.get_window_extent()
    top, bottom = round(height - box.y1), round(height - box.y0)
    width = round(frames.shape[2] * height / frames.shape[1])
    images = []
    for position in positions:
        marked = curve.copy()
        column = round(float(axes.transData.transform((position, 0))[0]))
        marked[top:bottom, column - 1 : column + 1] = (201, 138, 0)
        face = cv2.resize(frames[position], (width, height), interpolation=cv2.INTER_AREA)
        images.append(side_by_side(face[None], marked[None], gap=0)[0])
    return images


def explorer(
    gains: Mapping[str, Sequence[float]],
    lengths: Sequence[int],
    alphas: Sequence[float],
    *,
    alt: str,
    caption: str = "",
    start: tuple[str, int, float] | None = None,
) -> HTML:
    """Return a choice of filter and two sliders over what a clip's mean keeps of its magnification.

    Parameters
    ----------
    gains
        Name of a filter to one number a clip length: what the mean keeps of the added copy, so that
        the movement in the mean is ``1 + alpha * gain`` times as large.
    lengths
        Frames in the clip, rising.
    alphas
        Amplification factors to choose from, rising.
    alt
        What the figure shows.
    caption
        Below the figure.
    start
        Filter, length and alpha to begin with; default: the first filter, the middle of the rest.

    Returns
    -------
    IPython.display.HTML
        Without JavaScript: a table of the numbers at the largest alpha.

    Raises
    ------
    InputError
        If a filter has not one gain a length.

    Examples
    --------
    >>> "<memaa-explorer" in explorer({"none": [0.0, 0.0]}, [10, 20], [5, 10], alt="flat").data
    True
    """
    for name, values in gains.items():
        if len(values) != len(lengths):
            raise InputError(f"explorer: {name}: {len(values)} gains, {len(lengths)} lengths")
    first = start or (next(iter(gains)), lengths[len(lengths) // 2], alphas[len(alphas) // 2])
    content = json.dumps(
        {
            "filters": list(gains),
            "gains": [[round(float(value), 4) for value in values] for values in gains.values()],
            "lengths": [int(length) for length in lengths],
            "alphas": [float(alpha) for alpha in alphas],
            "start": [list(gains).index(first[0]), list(lengths).index(first[1])],
            "alpha": list(alphas).index(first[2]),
        }
    )
    head = "".join(f'<th scope="col">{length} frames</th>' for length in lengths[::6])
    rows = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th>'
        + "".join(f"<td>{1 + alphas[-1] * value:.1f}</td>" for value in values[::6])
        + "</tr>"
        for name, values in gains.items()
    )
    table = (
        f"<table><caption>Magnification left in the mean, alpha = {alphas[-1]:g}</caption>"
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )
    player = (
        f'<memaa-explorer aria-label="{html.escape(alt)}">{table}'
        f'<script type="application/json">{content}</script></memaa-explorer>'
    )
    return HTML(_figure(player, caption, "34rem"))


# ------------------------------------------------------------------ tables that speak
TELL = "Point at a {what}, tap it, or reach it by the tabulator and arrow keys: its numbers stand here."


def confusion_tables(matrices: Mapping[str, NDArray[np.int64]], *, caption: str = "") -> HTML:
    """Return confusion matrices side by side, as tables whose cells say in words what they count.

    Parameters
    ----------
    matrices
        What each shows, e.g. data set and profile, to ``(3, 3)`` counts. Rows are true classes, as
        in the paper's Tables 4-6.
    caption
        Below them.

    Returns
    -------
    IPython.display.HTML
        Pointing at a cell, tapping it or reaching it by keyboard shows what it counts, and what the
        same cell of the other tables counts. Without JavaScript: the tables.

    Raises
    ------
    InputError
        If there is no matrix, or one is not 3 x 3.

    Examples
    --------
    >>> counts = np.diag([3, 1, 1]) + np.eye(3, k=1, dtype=int)
    >>> "a twin: 3 of 4 negative clips" in confusion_tables({"a twin": counts}).data
    True
    """
    if not matrices:
        raise InputError("confusion_tables: expected at least one matrix")
    tables = "".join(_confusion_table(name, np.asarray(each)) for name, each in matrices.items())
    return HTML(_told(f'<div class="memaa-beside">{tables}</div>', "cell", caption))


def _confusion_table(name: str, counts: NDArray[np.int64]) -> str:
    size = len(CLASSES)
    if counts.shape != (size, size):
        raise InputError(f"{name}: confusion matrix of shape {counts.shape}, expected (3, 3)")
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = []
    for row, true in enumerate(CLASSES):
        cells = []
        for column, said in enumerate(CLASSES):
            count, share = int(counts[row, column]), float(shares[row, column])
            words = f"{name}: {count} of {counts[row].sum()} {true} clips were called {said} ({share:.0%})."
            kind = "hit" if row == column else "miss"
            cells.append(
                f'<td class="{kind}" data-words="{html.escape(words)}" style="--share:{share:.2f}">'
                f"{count}<small>{share:.0%}</small></td>"
            )
        rows.append(f'<tr><th scope="row">{true}</th>{"".join(cells)}</tr>')
    head = "".join(f'<th scope="col">{said}</th>' for said in CLASSES)
    return (
        f'<table class="memaa-confusion"><caption>{html.escape(name)}</caption><thead><tr>'
        f'<th scope="col">true \\ predicted</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


class IntervalRow(NamedTuple):
    """One row of :func:`intervals`.

    Parameters
    ----------
    name
        What was measured.
    value, low, high
        The number and the bounds of its interval.
    marked
        Draw it in red, its name in bold.
    hollow
        Draw an open point.
    note
        What else to say of the row when it is pointed at.
    """

    name: str
    value: float
    low: float
    high: float
    marked: bool = False
    hollow: bool = False
    note: str = ""


def intervals(
    rows: Sequence[IntervalRow],
    *,
    heads: tuple[str, str],
    caption: str = "",
    line: float | None = None,
    limits: tuple[float, float] | None = None,
) -> HTML:
    """Return numbers with their intervals as a table that draws them.

    Parameters
    ----------
    rows
        From top to bottom.
    heads
        What the rows are, and what the numbers are.
    caption
        Below the figure; names the data set and says what the line is.
    line
        A value to mark with a vertical line, e.g. chance.
    limits
        Ends of the axis; default: round numbers around the intervals and the line.

    Returns
    -------
    IPython.display.HTML
        Numbers stand beside the drawing, so nothing depends on it; pointing at a row, tapping it or
        reaching it by keyboard tells them with the note. If the axis goes below zero, numbers have a
        sign.

    Raises
    ------
    InputError
        If there is no row.

    Examples
    --------
    >>> rows = [IntervalRow("a", 0.5, 0.4, 0.6)]
    >>> "0.500 (0.400 to 0.600)" in intervals(rows, heads=("system", "UF1")).data
    True
    """
    if not rows:
        raise InputError("intervals: expected at least one row")
    ends = [end for row in rows for end in (row.low, row.high)] + ([] if line is None else [line])
    ticks = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(*(limits or (min(ends), max(ends))))
    first, last = limits or (ticks[0], ticks[-1])
    sign = "+" if first < 0 else ""

    def place(value: float) -> str:
        return f"{100 * (min(max(value, first), last) - first) / (last - first):.1f}%"

    body = []
    for row in rows:
        numbers = f"{row.value:{sign}.3f} ({row.low:{sign}.3f} to {row.high:{sign}.3f})"
        words = html.escape(f"{row.name}: {numbers}. {row.note}".strip())
        kind = " ".join(name for name in ("marked", "hollow") if getattr(row, name))
        track = f"--low:{place(row.low)};--high:{place(row.high)};--value:{place(row.value)}"
        body.append(
            f'<tr class="{kind}" data-words="{words}"><th scope="row">{html.escape(row.name)}</th>'
            f'<td><div><span class="track" style="{track}"></span><span>{numbers}</span></div></td></tr>'
        )
    shown = [tick for tick in ticks if first - 1e-9 <= tick <= last + 1e-9]
    scale = "".join(f'<span style="left:{place(tick)}">{tick + 0.0:g}</span>' for tick in shown)
    style = "" if line is None else f' style="--line:{place(line)}"'
    table = (
        f'<table class="memaa-intervals"{style}><thead><tr>'
        f'<th scope="col">{html.escape(heads[0])}</th><th scope="col">{html.escape(heads[1])}'
        f'<div aria-hidden="true"><span class="scale">{scale}</span><span></span></div></th></tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>"
    )
    return HTML(_told(table, "row", caption))


def _told(tables: str, what: str, caption: str) -> str:
    words = f'<p class="memaa-words" aria-live="polite" data-hint="{TELL.format(what=what)}"></p>'
    return _figure(f'<div class="memaa-told">{tables}{words}</div>', caption, "100%")


def _figure(player: str, caption: str, width: str) -> str:
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return f'<figure class="memaa-figure" style="--memaa-width:{width}">{player}{below}</figure>'


# ------------------------------------------------------------------ pictures with known motion
def pixels(figure: Figure) -> NDArray[np.uint8]:
    """Return a figure as an image and close it, so that it can go into a player.

    Parameters
    ----------
    figure
        Of matplotlib.

    Returns
    -------
    ndarray
        ``uint8`` ``(H, W, 3)``.

    Examples
    --------
    >>> pixels(plt.figure(figsize=(2, 1), dpi=100)).shape
    (100, 200, 3)
    """
    plt.close(figure)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def move(image: NDArray[np.uint8], shift_px: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Move an image by a known, also sub-pixel, shift: the truth of experiments on a photograph.

    Parameters
    ----------
    image
        ``uint8`` ``(H, W, 3)`` or ``(H, W)``.
    shift_px
        ``(H, W, 2)``, right and down, px: where the content that is seen at a pixel came from, seen
        from there. Or ``(2,)`` for the whole image.

    Returns
    -------
    ndarray
        ``uint8``, like ``image``. Cubic splines; OpenCV's ``remap`` would round to 1/32 px.

    Raises
    ------
    InputError
        If the shift has another size than the image.

    Examples
    --------
    >>> ramp = np.tile(np.arange(0, 200, 10, dtype=np.uint8), (5, 1))
    >>> move(ramp, np.array([0.5, 0.0]))[2, 9:12]
    array([ 85,  95, 105], dtype=uint8)
    """
    shift = np.asarray(shift_px, np.float64)
    if shift.shape not in ((2,), (*image.shape[:2], 2)):
        raise InputError(
            f"shift_px has shape {shift.shape}, expected (2,) or {image.shape[:2]} + (2,)"
        )
    rows, columns = np.indices(image.shape[:2], dtype=np.float64)
    places = [rows - shift[..., 1], columns - shift[..., 0]]
    channels = image.reshape(*image.shape[:2], -1)
    moved = [
        scipy.ndimage.map_coordinates(channel.astype(np.float64), places, order=3, mode="mirror")
        for channel in np.moveaxis(channels, 2, 0)
    ]
    stacked = np.stack(moved, axis=2).reshape(image.shape)
    return np.clip(np.round(stacked), 0, 255).astype(np.uint8)


def grating(
    shift_px: NDArray[np.floating], wavelength_px: float, *, size: int = 192, contrast: float = 30
) -> NDArray[np.uint8]:
    """Return a clip of stripes that move as told.

    The stripes lean by one wavelength over the height of the frame, so that rounding to whole gray
    levels differs from row to row and averages out.

    Parameters
    ----------
    shift_px
        ``(T,)``, to the right, px.
    wavelength_px
        From stripe to stripe, px.
    size
        Height and width of the frames, px.
    contrast
        Amplitude, gray levels around 128.

    Returns
    -------
    ndarray
        ``uint8`` ``(T, size, size)``.

    Examples
    --------
    >>> grating(np.array([0.0, 4.0]), 16.0, size=64)[:, 0, 0]
    array([158, 128], dtype=uint8)
    """
    rows, columns = np.indices((size, size))
    shift = np.asarray(shift_px, np.float64)[:, None, None]
    wave = np.cos(2 * np.pi * ((columns - shift) / wavelength_px - rows / size))
    return np.round(128 + contrast * wave).astype(np.uint8)


def grating_shift(frames: NDArray[np.uint8], wavelength_px: float) -> NDArray[np.float64]:
    """Measure by how much the stripes of :func:`grating` have moved since the first frame.

    Parameters
    ----------
    frames
        ``uint8`` ``(T, H, W)``.
    wavelength_px
        From stripe to stripe, px.

    Returns
    -------
    ndarray
        ``float64`` ``(T,)``, px, from the phase of the stripes in the middle of the frames.

    Examples
    --------
    >>> grating_shift(grating(np.array([0.0, 0.3, -0.3]), 20.0), 20.0).round(2) + 0.0
    array([ 0. ,  0.3, -0.3])
    """
    height, width = frames.shape[1:]
    used = max(int(width / 2 // wavelength_px), 1) * wavelength_px
    columns = np.arange(round((width - used) / 2), round((width + used) / 2))
    wave = np.exp(-2j * np.pi * columns / wavelength_px)
    middle = frames[:, height // 4 : height - height // 4][:, :, columns].astype(np.float64)
    component = (middle - middle.mean(axis=2, keepdims=True)) @ wave
    phase = np.angle((component * component[0].conj()).sum(axis=1))
    return np.asarray(-np.unwrap(phase) * wavelength_px / (2 * np.pi))


# ------------------------------------------------------------------ provenance
def provenance(data: str, parameters: Mapping[str, Any]) -> HTML:
    """Return the box that ends each page: what was run, on what, with which parameters.

    Parameters
    ----------
    data
        The data in words, e.g. ``"CASME II twin, seed 0, difficulty 0.5 (synthetic)"``.
    parameters
        Name to value.

    Returns
    -------
    IPython.display.HTML

    Notes
    -----
    No date and no duration: the same run must give the same page.

    Examples
    --------
    >>> "seed" in provenance("nothing", {"seed": 0}).data
    True
    """
    packages = doctor.versions()
    named = ("numpy", "scipy", "opencv-contrib-python-headless", "torch")
    rows = {
        "data": data,
        "parameters": ", ".join(f"{name} = {value!r}" for name, value in parameters.items()),
        "code": f"memaa {__version__}, commit {doctor.commit()}",
        "packages": ", ".join(f"{name} {packages[name]}" for name in named),
        "machine": f"{doctor.processor()}, Python {platform.python_version()}",
    }
    cells = "".join(
        f'<tr><th scope="row">{name}</th><td>{html.escape(value)}</td></tr>'
        for name, value in rows.items()
    )
    return HTML(f'<div class="memaa-provenance"><table>{cells}</table></div>')


# ------------------------------------------------------------------ the method at a glance
def overview(
    clip: Clip,
    magnified: NDArray[np.uint8],
    score: NDArray[np.float64],
    kept: NDArray[np.bool_],
    landmarks: NDArray[np.floating],
    avatar: NDArray[np.uint8],
) -> Figure:
    """Draw the stages of the method on one clip, as the paper's Fig. 1 lays them out.

    Parameters
    ----------
    clip
        As recorded.
    magnified
        ``uint8`` ``(T, H, W[, 3])``.
    score, kept
        A_i and whether the frame is kept, ``(T,)``.
    landmarks
        ``(T, 68, 2)``, px.
    avatar
        ``uint8`` ``(S, S, 3)``.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> still = Clip(np.full((4, 40, 32), 90, np.uint8), fps=100)
    >>> points = np.full((4, 68, 2), 16.0)
    >>> image = np.zeros((8, 8, 3), np.uint8)
    >>> figure = overview(still, still.frames, np.arange(4.0), np.ones(4, bool), points, image)
    >>> len(figure.axes)
    6
    >>> plt.close(figure)
    """
    peak = clip.apex if clip.apex is not None else clip.n_frames // 2
    figure: Figure = plt.figure(figsize=(10.5, 2.5))
    panels = figure.subplots(1, 6)
    pictures = {0: clip.frames[peak], 1: magnified[peak], 3: magnified[0], 4: avatar}
    for place, picture in pictures.items():
        panels[place].imshow(picture, vmin=0, vmax=255)
    for place in (0, 1, 3, 4, 5):
        panels[place].axis("off")
    panels[2].plot(score, color=ALPHA_COLOURS[10])
    frames = np.arange(len(score))
    panels[2].fill_between(frames, score.min(), score, where=kept, alpha=0.25, color="#0b6e75")
    panels[2].set(xlabel="frame", yticks=[], ylabel="$A_i$")
    panels[3].scatter(*landmarks[0].T, s=3, color="#ffd24a")
    for height, name in zip((0.75, 0.5, 0.25), CLASSES, strict=True):
        panels[5].text(0.28, height, name, va="center", color=CLASS_COLOURS[name], fontsize=11)
        panels[5].annotate(
            "", (0.25, height), (0.0, 0.5), arrowprops={"arrowstyle": "->", "color": "gray"}
        )
    titles = ("clip", "magnify (3.1)", "remove frames (3.2)", "align (3.3)", "average (3.4)")
    for panel, title in zip(panels, (*titles, "classify (3.5)"), strict=True):
        panel.set_title(title, fontsize=10)
    return figure
