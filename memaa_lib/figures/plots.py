"""Plots of the pages: their style and colours, faces side by side, the method at a glance."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError
from memaa_lib._support.media import check_frames
from memaa_lib.clips import Clip
from memaa_lib.paper import CLASSES
from memaa_lib.texture import above_mean

COLOURS = {
    "main": "#0b6e75",  # what the page is about: the method, its prediction
    "pale": "#7fb3b8",  # the same, fainter: intervals
    "contrast": "#b5442e",  # what it is held against, and what goes wrong: errors, noise
    "other": "#2c7fb8",  # a third thing beside these two
    "mark": "#c98a00",  # marks: the frame shown, a limit, the truth
    "plain": "#777777",  # without magnification
    "faint": "#b5b5b5",  # raw data behind a smoothed curve
    "ink": "#444444",  # a curve that is alone
    "points": "#ffd24a",  # landmarks on a face
    "found": "#39c0c8",  # landmarks found, beside the true ones
}
"""The palette of the book, by meaning.

:meta hide-value:
"""

CLASS_COLOURS = {
    "negative": COLOURS["contrast"],
    "positive": COLOURS["other"],
    "surprise": COLOURS["mark"],
}
FOREHEAD = 0.22  # how far a face reaches above its brows, as a share of what is below them
SMALLEST_ARROW = 0.15  # px
ALPHA_COLOURS = {
    0: COLOURS["plain"],
    5: COLOURS["pale"],
    10: COLOURS["main"],
    15: COLOURS["contrast"],
}


def rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of a color such as ``"#0b6e75"``, 0 to 255."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


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


def face_mask(landmarks: NDArray[np.floating], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return where the face is, for pictures of movement: what the background does is left out.

    Parameters
    ----------
    landmarks
        ``(68, 2)``, px.
    shape
        Rows and columns of the image, px.

    Returns
    -------
    ndarray
        ``bool`` ``(rows, columns)``: the convex hull of the landmarks, and a part of the forehead.

    Examples
    --------
    >>> jaw = np.linspace((10, 20), (90, 80), 68)
    >>> inside = face_mask(jaw, (100, 100))
    >>> inside.shape, bool(inside[0, 0])
    ((100, 100), False)
    """
    brows = landmarks[17:27]
    forehead = brows - (0, FOREHEAD * (landmarks[:, 1].max() - brows[:, 1].mean()))
    hull = cv2.convexHull(np.rint(np.concatenate([landmarks, forehead])).astype(np.int32))
    return cv2.fillConvexPoly(np.zeros(shape[:2], np.uint8), hull, 1).astype(bool)


def arrows(
    face: NDArray[np.uint8],
    flow: NDArray[np.floating],
    where: NDArray[np.bool_] | None = None,
    *,
    longer: float = 10.0,
    step: int = 7,
    zoom: int = 3,
) -> NDArray[np.uint8]:
    """Draw a movement as arrows on a face.

    Parameters
    ----------
    face
        ``uint8`` gray ``(H, W)``.
    flow
        ``(H, W, 2)``, px to the right and down.
    where
        ``bool`` ``(H, W)``, see :func:`face_mask`. Default: everywhere.
    longer
        How many times as long as the movement an arrow is.
    step
        From one arrow to the next, px.
    zoom
        How many times as large as the face the picture is.

    Returns
    -------
    ndarray
        ``uint8`` ``(zoom H, zoom W, 3)``. Where the movement is too small to be told there is no
        arrow.

    Examples
    --------
    >>> arrows(np.full((20, 16), 90, np.uint8), np.ones((20, 16, 2)), zoom=2).shape
    (40, 32, 3)
    """
    height, width = face.shape
    large = cv2.resize(face, (zoom * width, zoom * height), interpolation=cv2.INTER_CUBIC)
    faint = 255 - (255 - large.astype(float)) * 0.6  # so that the arrows can be seen on it
    picture = np.repeat(np.rint(faint).astype(np.uint8)[..., None], 3, axis=2)
    color = rgb(COLOURS["contrast"])
    fine = 4  # bits behind the point, so that small movements are smooth
    for row in range(step // 2, height, step):
        for column in range(step // 2, width, step):
            moved = flow[row, column]
            if not (where is None or where[row, column]) or not np.hypot(*moved) >= SMALLEST_ARROW:
                continue
            foot = (np.array([column, row]) + 0.5) * zoom
            ends = np.array([foot, foot + longer * moved * zoom]) * 2**fine
            start, tip = np.rint(ends).astype(int).tolist()
            cv2.arrowedLine(picture, start, tip, color, 2, cv2.LINE_AA, fine, 0.3)
    return picture


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
    axes.plot(values, color=COLOURS["main"])
    if kept is not None:
        axes.plot(np.flatnonzero(kept), values[kept], ".", color=COLOURS["contrast"], label="kept")
        axes.legend(fontsize=7)
    axes.set_xlabel("frame", fontsize=8)
    axes.set_ylabel(label, fontsize=8)
    axes.tick_params(labelsize=7)
    canvas.draw()
    curve = np.asarray(canvas.buffer_rgba())[..., :3]
    box = axes.get_window_extent()
    top, bottom = round(height - box.y1), round(height - box.y0)
    width = round(frames.shape[2] * height / frames.shape[1])
    line = rgb(COLOURS["mark"])
    images = []
    for position in positions:
        marked = curve.copy()
        column = round(float(axes.transData.transform((position, 0))[0]))
        marked[top:bottom, column - 1 : column + 1] = line
        face = cv2.resize(frames[position], (width, height), interpolation=cv2.INTER_AREA)
        images.append(side_by_side(face[None], marked[None], gap=0)[0])
    return images


def overview(
    clip: Clip,
    magnified: Clip,
    score: NDArray[np.float64],
    landmarks: NDArray[np.floating],
    avatar: NDArray[np.uint8],
) -> Figure:
    """Draw the stages of the method on one clip, as the paper's Fig. 1 lays them out.

    Parameters
    ----------
    clip
        As recorded.
    magnified
        The same clip, magnified.
    score
        A_i of the magnified clip, ``(T,)``.
    landmarks
        ``(T, 68, 2)`` of the magnified clip, px.
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
    >>> figure = overview(still, still, np.arange(4.0), points, image)
    >>> len(figure.axes)
    6
    >>> plt.close(figure)
    """
    peak = clip.apex if clip.apex is not None else clip.n_frames // 2
    figure: Figure = plt.figure(figsize=(6.4, 5.6))  # two rows: to be read on a phone, too
    panels = figure.subplots(2, 3).ravel()
    pictures = {0: clip.frames[peak], 1: magnified.frames[peak], 3: magnified.frames[0], 4: avatar}
    tall = clip.height / clip.width  # the avatar is square, for the network; the face is not
    for place, picture in pictures.items():
        aspect = tall * picture.shape[1] / picture.shape[0]
        panels[place].imshow(picture, vmin=0, vmax=255, aspect=aspect)
    for place in (0, 1, 3, 4, 5):
        panels[place].axis("off")
    panels[2].plot(score, color=COLOURS["main"])
    frames = np.arange(len(score))
    panels[2].fill_between(
        frames, score.min(), score, where=above_mean(score), alpha=0.25, color=COLOURS["main"]
    )
    panels[2].set(xlabel="frame", yticks=[], ylabel="$A_i$")
    panels[3].scatter(*landmarks[0].T, s=3, color=COLOURS["points"])
    for height, name in zip((0.75, 0.5, 0.25), CLASSES, strict=True):
        panels[5].text(0.28, height, name, va="center", color=CLASS_COLOURS[name], fontsize=15)
        panels[5].annotate(
            "", (0.25, height), (0.0, 0.5), arrowprops={"arrowstyle": "->", "color": "gray"}
        )
    titles = ("clip", "magnify (3.1)", "remove frames (3.2)", "align (3.3)", "average (3.4)")
    for panel, title in zip(panels, (*titles, "classify (3.5)"), strict=True):
        panel.set_title(title, fontsize=13)
    return figure
