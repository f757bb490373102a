"""Video files as cameras, telephones and programs write them, small."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

MOVING = np.stack(
    [
        np.roll(np.linspace(20, 230, 64, dtype=np.uint8), 3 * t)[None].repeat(48, 0)
        for t in range(40)
    ]
)[..., None].repeat(3, 3)
OPTIONS = {
    "libx264": {"x264-params": "mbtree=0:scenecut=0"},  # same frames, same bytes
    "libx265": {"x265-params": "log-level=0:keyint=10:scenecut=0"},
}


def film(
    path: Path,
    frames: NDArray[np.uint8] = MOVING,
    fps: float = 30,
    coder: str = "libx264",
    *,
    form: str | None = None,
    pixels: str = "yuv420p",
    times: list[int] | None = None,
    tick: Fraction | None = None,
    settle: Callable[[Any], Any] = lambda stream: None,
    packets: Callable[[list[Any]], list[Any]] = list,
    container: dict[str, str] | None = None,
    **options: str,
) -> Path:
    """Write a video; ``settle`` changes its stream, ``packets`` what is written of it."""
    with av.open(f"file:{path}", "w", format=form, options=container or {}) as file:
        stream = file.add_stream(coder, rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt, stream.thread_count = pixels, 1
        stream.options = {**OPTIONS.get(coder, {}), **options}
        if tick:
            stream.codec_context.time_base = tick
        settle(stream)
        coded = []
        for t, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if times:
                frame.pts, frame.time_base = times[t], tick
            coded += stream.encode(frame)
        for packet in packets(coded + stream.encode()):
            file.mux(packet)
    return path
