"""Optical flow and optical strain, which Bi-WOOF, OFF-ApexNet and STSTNet start from.

The published systems use TV-L1 flow. Three estimators of OpenCV can be chosen here, and
:func:`flow_errors` holds each against the true motion of a synthetic twin.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal, get_args

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError
from memaa_lib._support.running import progress
from memaa_lib.baselines.faces import FaceClip
from memaa_lib.datasets import ClipRow, load_truth
from memaa_lib.datasets.truth import LEVELS_TO_ROOT, find_truth_folder
from memaa_lib.datasets.twins.release import rebuild_clip
from memaa_lib.synthetic import true_flow

Estimator = Literal["dis", "tvl1", "farneback"]
SMALLEST_SIDE = 16  # px; with less, OpenCV's dense inverse search ends the program
ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)


def optical_flow(
    first: NDArray[np.uint8], second: NDArray[np.uint8], estimator: Estimator = "dis"
) -> NDArray[np.float32]:
    """Estimate the motion from one gray image to another: ``(H, W, 2)``, px to the right and down.

    Examples
    --------
    >>> coarse = np.random.default_rng(0).integers(0, 256, (12, 12), dtype=np.uint8)
    >>> image = cv2.resize(coarse, (96, 96), interpolation=cv2.INTER_CUBIC)
    >>> flow = optical_flow(image, np.roll(image, 2, axis=1))
    >>> np.abs(np.median(flow[16:-16, 16:-16], axis=(0, 1)).round()).tolist()
    [2.0, 0.0]
    """
    if first.shape != second.shape or first.ndim != 2:
        raise InputError(
            f"images of {first.shape} and {second.shape}; expected two gray images of one size"
        )
    if min(first.shape) < SMALLEST_SIDE:
        height, width = first.shape
        raise InputError(
            f"images of {width} x {height} px are too small for optical flow, which needs "
            f"{SMALLEST_SIDE} px a side; enlarge them first"
        )
    if estimator == "dis":  # dense inverse search (Kroeger et al. 2016)
        dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        return np.asarray(dis.calc(first, second, None), np.float32)
    if estimator == "tvl1":  # Zach et al. (2007) with the settings of Bi-WOOF
        contributed: Any = cv2.optflow
        tvl1 = contributed.DualTVL1OpticalFlow_create(
            tau=0.25, lambda_=0.15, theta=0.3, nscales=5, scaleStep=0.5, warps=5, epsilon=0.01
        )
        return np.asarray(tvl1.calc(first, second, None), np.float32)
    if estimator == "farneback":  # Farneback (2003), OpenCV's usual settings
        flow = cv2.calcOpticalFlowFarneback(first, second, None, 0.5, 3, 15, 3, 5, 1.2, 0)
        return np.asarray(flow, np.float32)
    raise InputError(f"estimator {estimator!r}: expected one of {', '.join(ESTIMATORS)}")


def optical_strain(flow: NDArray[np.floating]) -> NDArray[np.float32]:
    r"""Return how much the skin is stretched or sheared at each pixel.

    Parameters
    ----------
    flow
        ``(H, W, 2)``, px: u to the right, v down.

    Returns
    -------
    ndarray
        ``float32`` ``(H, W)``: :math:`\sqrt{u_x^2 + v_y^2 + \frac12 (u_y + v_x)^2}` with backward
        differences, zero at the first row and column.

    Examples
    --------
    >>> rows, columns = np.indices((4, 5), float)
    >>> stretched = np.dstack([0.1 * columns, 0 * rows])
    >>> round(float(optical_strain(stretched)[2, 2]), 3)
    0.1
    """
    flow = np.asarray(flow, np.float32)
    along_x, along_y = np.zeros_like(flow), np.zeros_like(flow)
    along_x[1:, 1:] = flow[1:, 1:] - flow[1:, :-1]
    along_y[1:, 1:] = flow[1:, 1:] - flow[:-1, 1:]
    shear = along_y[..., 0] + along_x[..., 1]
    squared = along_x[..., 0] ** 2 + along_y[..., 1] ** 2 + 0.5 * shear**2
    return np.asarray(np.sqrt(squared), np.float32)


def onset_to_apex(clip: FaceClip, estimator: Estimator = "dis") -> NDArray[np.float32]:
    """Estimate the flow from the onset face to the apex face of a clip.

    Parameters
    ----------
    clip
        The clip.
    estimator
        See :func:`optical_flow`.

    Returns
    -------
    ndarray
        ``float32`` ``(rows, columns, 2)``, px of the face.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> coarse = np.random.default_rng(0).integers(0, 256, (12, 12), dtype=np.uint8)
    >>> onset = cv2.resize(coarse, (96, 96), interpolation=cv2.INTER_CUBIC)
    >>> faces = [onset, np.roll(onset, 2, axis=0)]
    >>> clip = SimpleNamespace(face=faces.__getitem__, apex=1)
    >>> np.median(onset_to_apex(clip)[16:-16, 16:-16], axis=(0, 1)).round(1).tolist()
    [0.0, 2.0]
    """
    return optical_flow(clip.face(0), clip.face(clip.apex), estimator)


def true_face_flow(clip: FaceClip) -> NDArray[np.float32]:
    """Return the true motion from onset to apex of a twin's clip, ``(rows, columns, 2)`` px.

    The px are those of the face; NaN off the face and in the eye openings.
    """
    row = clip.row
    root = find_truth_folder(row.path or "", LEVELS_TO_ROOT)
    if root is None:
        raise InputError(f"{row.path}: real data have no true flow; use a synthetic twin")
    rig, plan = rebuild_clip(root.parent, row.subject, row.clip)
    places = {int(number): t for t, number in enumerate(load_truth(row)["frame_numbers"])}
    first, apex = (places[clip.numbers[position]] for position in (0, clip.apex))
    left, top, right, bottom = clip.window
    flow = true_flow(rig, plan, first, apex)[top:bottom, left:right]
    rows, columns = clip.size
    # Nearest neighbours: an average over the edge of the face would mix it with what is unknown
    sized = cv2.resize(flow, (columns, rows), interpolation=cv2.INTER_NEAREST)
    scale = np.array([columns / (right - left), rows / (bottom - top)], np.float32)
    return np.asarray(sized * scale, np.float32)


def flow_errors(
    rows: Sequence[ClipRow], estimators: Sequence[Estimator] = ESTIMATORS
) -> pd.DataFrame:
    """Hold estimators against the true flow of clips of a twin: one row a clip and estimator.

    ``error_px`` is the mean distance between true and estimated motion on the face; ``motion_px``
    the mean length of the true one (the error of saying that nothing moves); ``ms`` processor time
    a pair.
    """
    table = []
    with progress("true flow", len(rows)) as advance:
        for row in rows:
            clip = FaceClip(row)
            truth = true_face_flow(clip)
            for estimator in estimators:
                optical_flow(clip.face(0), clip.face(clip.apex), estimator)  # warm up
                began = time.process_time()
                found = optical_flow(clip.face(0), clip.face(clip.apex), estimator)
                milliseconds = 1e3 * (time.process_time() - began)
                errors = [mean_distance(found, truth), mean_distance(0 * found, truth)]
                table.append((clip.row.dataset, clip.row.clip, estimator, *errors, milliseconds))
            advance()
    columns = ["dataset", "clip", "estimator", "error_px", "motion_px", "ms"]
    return pd.DataFrame(table, columns=columns)


def mean_distance(found: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Return the mean distance, px, of two flows where the second is not NaN (end-point error)."""
    return float(np.nanmean(np.linalg.norm(found - truth, axis=2)))
