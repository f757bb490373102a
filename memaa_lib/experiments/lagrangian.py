"""Motion magnification that moves pixels, after Le Ngo, Johnston, Phan and See (2018).

The paper takes its test amplification, 10, from that work, and magnifies otherwise. The Eulerian method
(Sec. 3.1) watches a place and amplifies what happens there; the Lagrangian one follows a point and takes it
further along its way. *Global* is said of the whole clip: all pixels share a few courses in time.

Steps:

1. The way of each point: the optical flow d(x, t) from the first frame to frame t.
2. Its main components over time, at most five, which hold nine tenths of its energy.
3. Each frame is rendered so that a point that has gone d has gone (1 + alpha) d.

We could read the abstract alone, so this is "after" it: estimator, number of components and both renderings
are our choices. There is no bound of an eighth of a wavelength, and the noise of a frame is moved, not
amplified. In return everything rests on the flow, and the flow's own error is amplified: by noise in the
frames it errs by parts of a pixel, and alpha times as much shakes every edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from memaa_lib.baselines.flow import optical_flow
from memaa_lib.clips import to_gray

Flows: TypeAlias = NDArray[np.float32]  # (T, H, W, 2), px to the right and down
Rendering = Literal["frames", "onset"]
ENERGY = 0.9  # share of the motion's energy that the components hold at least
MOST_COMPONENTS = 5
INVERSION_STEPS = 3


def motion(frames: NDArray[np.uint8], *, still_head: bool = False) -> Flows:
    """Return how far every point has gone since the first frame.

    Parameters
    ----------
    frames
        ``uint8`` ``(T, H, W)`` or ``(T, H, W, 3)``.
    still_head
        Whether the median of each flow is taken off, as the head's own movement.

    Returns
    -------
    ndarray
        ``float32`` ``(T, H, W, 2)``, px, reduced to its main components, see :func:`main_components`.

    Examples
    --------
    >>> coarse = np.random.default_rng(0).integers(0, 256, (12, 12), dtype=np.uint8)
    >>> face = cv2.resize(coarse, (96, 96), interpolation=cv2.INTER_CUBIC)
    >>> gone = motion(np.stack([face, np.roll(face, 1, axis=1), np.roll(face, 2, axis=1)]))
    >>> np.median(gone[:, 16:-16, 16:-16, 0], axis=(1, 2)).round(1).tolist()
    [0.0, 1.0, 2.0]
    """
    gray = to_gray(frames)
    flows = np.zeros((*gray.shape, 2), np.float32)
    for flow, frame in zip(flows[1:], gray[1:], strict=True):
        flow[:] = optical_flow(gray[0], frame)
    if still_head:
        flows -= np.median(flows, axis=(1, 2), keepdims=True)
    return main_components(flows)


def main_components(flows: Flows) -> Flows:
    """Keep the main components over time: the fewest that hold ``ENERGY``, at most five.

    Examples
    --------
    >>> course, place = np.array([0.0, 1.0, 3.0]), np.ones((8, 9, 2))
    >>> one = (course[:, None, None, None] * place).astype(np.float32)
    >>> np.allclose(main_components(one), one)
    True
    """
    flat = flows.reshape(len(flows), -1)
    energy, courses = np.linalg.eigh(flat.astype(np.float64) @ flat.T)  # smallest first
    share = np.cumsum(energy[::-1]) / max(energy.sum(), np.finfo(float).tiny)
    kept = min(int(np.searchsorted(share, ENERGY)) + 1, MOST_COMPONENTS)
    courses = courses[:, ::-1][:, :kept].astype(np.float32)
    return np.asarray(courses @ (courses.T @ flat)).reshape(flows.shape)


def rendered(
    frames: NDArray[np.uint8], flows: Flows, alpha: float, rendering: Rendering = "frames"
) -> NDArray[np.uint8]:
    """Move the points of a clip on.

    Parameters
    ----------
    frames
        ``uint8`` ``(T, H, W)`` or ``(T, H, W, 3)``.
    flows
        Of :func:`motion`.
    alpha
        Amplification, 0 or more.
    rendering
        ``"frames"``: each frame is warped by alpha d, so that its noise is its own and a mean over
        frames lowers it; ``"onset"``: the first frame is warped by (1 + alpha) d, so that what it does
        not show, as an opened mouth, is never there.

    Returns
    -------
    ndarray
        ``uint8``, as ``frames``.
    """
    height, width = flows.shape[1:3]
    columns, rows = np.meshgrid(
        np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    )
    grid = np.dstack([columns, rows])
    out = np.empty_like(frames)
    for t, flow in enumerate(flows):
        onset = grid - _backwards((1 + alpha) * flow, grid)  # where what is shown at x was at first
        place, source = onset, frames[0]
        if rendering == "frames":
            place, source = onset + _sampled(flow, onset), frames[t]
        warped = cv2.remap(
            source.astype(np.float32), place, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
        out[t] = np.clip(np.rint(warped), 0, 255)
    return out


def magnify_motion(
    frames: NDArray[np.uint8],
    alphas: Sequence[float],
    *,
    rendering: Rendering = "frames",
    still_head: bool = False,
) -> NDArray[np.uint8]:
    """Magnify the motion of a clip by each of A factors: ``uint8`` ``(A, T, ...)``.

    :func:`memaa_lib.magnification.magnify` calls it for ``method="lagrangian"``; the parameters are those
    of :func:`motion` and :func:`rendered`.

    Examples
    --------
    >>> frames = np.random.default_rng(0).integers(0, 256, (4, 32, 32), dtype=np.uint8)
    >>> bool((magnify_motion(frames, [0.0])[0] == frames).all())
    True
    """
    flows = motion(frames, still_head=still_head)
    return np.stack(
        [frames if alpha == 0 and rendering == "frames" else rendered(frames, flows, alpha, rendering)
         for alpha in alphas]
    )  # fmt: skip


def _sampled(flow: NDArray[np.float32], place: NDArray[np.float32]) -> NDArray[Any]:
    """Return a flow at places ``(H, W, 2)``, px."""
    border = cv2.BORDER_REPLICATE
    return np.asarray(cv2.remap(flow, place, None, cv2.INTER_LINEAR, borderMode=border))


def _backwards(flow: NDArray[np.float32], grid: NDArray[np.float32]) -> NDArray[Any]:
    """Return how far what is at each place after a flow has come: b(x) = flow(x - b(x))."""
    back: NDArray[Any] = flow
    for _ in range(INVERSION_STEPS):
        back = _sampled(flow, grid - back)
    return back
