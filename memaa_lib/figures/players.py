"""Players that need no kernel: plain HTML around a native slider or video element.

The images stand inside the page as data, so a page is one file; without JavaScript the poster image
remains.
"""

from __future__ import annotations

import base64
import html
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from IPython.display import HTML
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError
from memaa_lib._support.media import check_frames
from memaa_lib.clips import Clip, write_video
from memaa_lib.figures.plots import side_by_side

JPEG_QUALITY = 90
FILM_GAP = 6  # px between clips


def data_uri(image: NDArray[np.uint8]) -> str:
    """Return an image as a JPEG data URI.

    Examples
    --------
    >>> data_uri(np.zeros((8, 8), np.uint8))[:22]
    'data:image/jpeg;base64'
    """
    check_frames(np.asarray(image)[None], "image")
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
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
    return HTML(framed(player, caption, width))


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
    return HTML(framed(player, caption, width))


def film(
    clips: Mapping[str, NDArray[np.uint8]],
    *,
    fps: float,
    alt: str,
    caption: str = "",
    height: int = 300,
    poster: int = 0,
) -> HTML:
    """Return clips that play beside each other, over and over, each under its name.

    It plays by itself while it is seen, without sound, unless the reader prefers reduced motion. Below it
    are a button to stop and go on, and a slider that shows it frame by frame.

    Parameters
    ----------
    clips
        ``uint8`` ``(T, H, W, 3)`` or ``(T, H, W)``, one a name, of one length.
    fps
        Of the play-back: 200 fps recordings are shown slowed down, say so in the caption.
    alt
        What the film shows.
    caption
        Below the figure; names the data set and the slow-down.
    height
        Of the clips, px; the page scales them down where it is narrow.
    poster
        Which frame to show where nothing plays, e.g. on paper.

    Returns
    -------
    IPython.display.HTML

    Raises
    ------
    InputError
        If clips are no frames or differ in length.

    Examples
    --------
    >>> frames = np.zeros((3, 16, 16), np.uint8)
    >>> "<memaa-film" in film({"filmed": frames}, fps=10, alt="nothing").data
    True
    """
    for name, clip in clips.items():
        check_frames(clip, name)
    stacks = [sized(clip, height) for clip in clips.values()]
    if len({len(stack) for stack in stacks}) != 1:
        lengths = ", ".join(f"{name}: {len(clip)}" for name, clip in clips.items())
        raise InputError(f"film: clips of one length expected, got {lengths} frames")
    frames = side_by_side(*stacks, gap=FILM_GAP)
    shares = " ".join(f"{stack.shape[2]}fr" for stack in stacks)
    names = "".join(f"<span>{html.escape(name)}</span>" for name in clips)
    player = (
        f'<memaa-film aria-label="{html.escape(alt)}" data-fps="{fps:g}" data-frames="{len(frames)}">'
        f'<div class="names" style="grid-template-columns:{shares}">{names}</div>'
        f'<video controls loop muted playsinline preload="metadata" poster="{data_uri(frames[poster])}" '
        f'aria-label="{html.escape(alt)}"><source type="video/mp4" '
        f'src="{video_uri(frames, fps)}"></video></memaa-film>'
    )
    return HTML(framed(player, caption, f"{frames.shape[2]}px"))


def live(clips: Mapping[str, Clip], *, words: str, slower: float = 8, height: int = 240) -> HTML:
    """Return the live magnifier, with some clips that are in the page.

    It is the linear method of :mod:`memaa_lib.magnification` in the reader's browser (``live.js``), for
    these clips, a video file and a camera.

    Parameters
    ----------
    clips
        By the name that the reader chooses.
    words
        What the clips are, for the line below the pictures.
    slower
        How many times slower than filmed they play.
    height
        Of the clips, px.

    Returns
    -------
    IPython.display.HTML

    Examples
    --------
    >>> clip = Clip(np.zeros((3, 16, 16, 3), np.uint8), fps=100)
    >>> "<memaa-live" in live({"nothing": clip}, words="Black frames.").data
    True
    """
    told = [
        {
            "name": name,
            "fps": clip.fps,
            "frames": clip.n_frames,
            "rate": 1 / slower,
            "source": video_uri(sized(clip.frames, height), clip.fps),
            "words": words,
        }
        for name, clip in clips.items()
    ]
    return HTML(
        f'<memaa-live><script type="application/json">{json.dumps({"clips": told})}</script>'
        "<noscript>The magnifier is a program in this page: it needs JavaScript.</noscript></memaa-live>"
    )


def video_uri(frames: NDArray[np.uint8], fps: float) -> str:
    """Return frames as an H.264 data URI."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip.mp4")
        write_video(path, frames, fps)
        return "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode()


def sized(frames: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """Return frames of a height in px, in their proportions."""
    width = round(frames.shape[2] * height / frames.shape[1])
    way = cv2.INTER_AREA if height < frames.shape[1] else cv2.INTER_CUBIC
    return np.stack([cv2.resize(frame, (width, height), interpolation=way) for frame in frames])


def explorer(
    gains: Mapping[str, Mapping[str, Sequence[float]]],
    lengths: Sequence[int],
    alphas: Sequence[float],
    *,
    alt: str,
    caption: str = "",
    start: tuple[str, str, int, float],
) -> HTML:
    """Return two choices and two sliders over what the mean of frames keeps of a clip's magnification.

    Parameters
    ----------
    gains
        Over which frames the mean is, to the name of a filter, to one number a clip length: what the
        mean keeps of the added copy, so that the movement in it is ``1 + alpha * gain`` times as large.
    lengths
        Frames in the clip, rising.
    alphas
        Amplification factors to choose from, rising.
    alt
        What the figure shows.
    caption
        Below the figure.
    start
        Frames, filter, length and alpha to begin with.

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
    >>> gains = {"all frames": {"none": [0.0, 0.0]}}
    >>> first = ("all frames", "none", 10, 5)
    >>> "<memaa-explorer" in explorer(gains, [10, 20], [5, 10], alt="flat", start=first).data
    True
    """
    filters = list(gains[start[0]])
    for over, each in gains.items():
        for name, values in each.items():
            if len(values) != len(lengths):
                raise InputError(
                    f"explorer: {over}, {name}: {len(values)} gains, {len(lengths)} lengths"
                )
    content = json.dumps(
        {
            "over": list(gains),
            "filters": filters,
            "gains": [
                [[round(float(value), 4) for value in each[name]] for name in filters]
                for each in gains.values()
            ],
            "lengths": [int(length) for length in lengths],
            "alphas": [float(alpha) for alpha in alphas],
            "start": [
                list(gains).index(start[0]), filters.index(start[1]), list(lengths).index(start[2])
            ],
            "alpha": list(alphas).index(start[3]),
        }
    )  # fmt: skip
    head = "".join(f'<th scope="col">{length} frames</th>' for length in lengths[::6])
    rows = "".join(
        f'<tr><th scope="row">{html.escape(f"{name}, mean of {over}")}</th>'
        + "".join(f"<td>{1 + alphas[-1] * value:.1f}</td>" for value in values[::6])
        + "</tr>"
        for over, each in gains.items()
        for name, values in each.items()
    )
    table = (
        f"<table><caption>Magnification left in the mean, alpha = {alphas[-1]:g}</caption>"
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )
    player = (
        f'<memaa-explorer aria-label="{html.escape(alt)}">{table}'
        f'<script type="application/json">{content}</script></memaa-explorer>'
    )
    return HTML(framed(player, caption, "34rem"))


def framed(player: str, caption: str, width: str) -> str:
    """Return the markup that every figure of ours stands in, with its caption."""
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    return f'<figure class="memaa-figure" style="--memaa-width:{width}">{player}{below}</figure>'
