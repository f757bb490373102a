"""Optical flow and optical strain, which Bi-WOOF, OFF-ApexNet and STSTNet start from.

The published systems use TV-L1 flow. Three estimators of OpenCV can be chosen here, and
:func:`flow_errors` holds each against the true motion of a synthetic twin.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError
from memaa_lib._support.running import progress
from memaa_lib.baselines.faces import FaceClip
from memaa_lib.datasets import load_truth
from memaa_lib.datasets.truth import LEVELS_TO_ROOT, find_truth_folder
from memaa_lib.datasets.twins.release import rebuild_clip
from memaa_lib.synthetic import true_flow

Estimator = Literal["dis", "tvl1", "farneback"]
ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)


def optical_flow(
    first: NDArray[np.uint8], second: NDArray[np.uint8], estimator: Estimator = "dis"
) -> NDArray[np.float32]:
    """Estimate the motion from one image to another.

    Parameters
    ----------
    first, second
        ``uint8`` gray ``(H, W)``.
    estimator
        ``"dis"``: dense inverse search (Kroeger et al. 2016), medium preset; ``"tvl1"``: Zach et al.
        (2007) with the settings of Bi-WOOF (tau 0.25, lambda 0.15, theta 0.3, 5 scales of factor
        0.5, 5 warps, epsilon 0.01); ``"farneback"``: Farneback (2003), OpenCV's usual settings.

    Returns
    -------
    ndarray
        ``float32`` ``(H, W, 2)``, px to the right and down.

    Raises
    ------
    InputError
        If there is no such estimator or the images differ in size.

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
    if estimator == "dis":
        dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        return np.asarray(dis.calc(first, second, None), np.float32)
    if estimator == "tvl1":
        contributed: Any = cv2.optflow
        tvl1 = contributed.DualTVL1OpticalFlow_create(
            tau=0.25, lambda_=0.15, theta=0.3, nscales=5, scaleStep=0.5, warps=5, epsilon=0.01
        )
        return np.asarray(tvl1.calc(first, second, None), np.float32)
    if estimator == "farneback":
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
    >>> onset_to_apex(FaceClip(load_index("smic").iloc[0])).shape  # doctest: +SKIP
    (170, 140, 2)
    """
    return optical_flow(clip.face(0), clip.face(clip.apex), estimator)


def true_face_flow(clip: FaceClip) -> NDArray[np.float32]:
    """Return the true motion from onset to apex of a twin's clip, in px of the face.

    Parameters
    ----------
    clip
        A clip of a synthetic twin.

    Returns
    -------
    ndarray
        ``float32`` ``(rows, columns, 2)``; NaN off the face and in the eye openings.

    Raises
    ------
    InputError
        If the clip is of no twin, or of one that another version of the generator wrote.

    Examples
    --------
    >>> true_face_flow(FaceClip(load_index("smic").iloc[0])).shape  # doctest: +SKIP
    (170, 140, 2)
    """
    root = find_truth_folder(clip.row["path"], LEVELS_TO_ROOT)
    if root is None:
        raise InputError(f"{clip.row['path']}: real data have no true flow; use a synthetic twin")
    rig, plan = rebuild_clip(root.parent, str(clip.row["subject"]), str(clip.row["clip"]))
    places = {int(number): t for t, number in enumerate(load_truth(clip.row)["frame_numbers"])}
    first, apex = (places[clip.numbers[position]] for position in (0, clip.apex))
    left, top, right, bottom = clip.window
    flow = true_flow(rig, plan, first, apex)[top:bottom, left:right]
    rows, columns = clip.size
    # Nearest neighbours: an average over the edge of the face would mix it with what is unknown
    sized = cv2.resize(flow, (columns, rows), interpolation=cv2.INTER_NEAREST)
    scale = np.array([columns / (right - left), rows / (bottom - top)], np.float32)
    return np.asarray(sized * scale, np.float32)


def flow_errors(
    rows: Sequence[Mapping[str, Any]], estimators: Sequence[Estimator] = ESTIMATORS
) -> pd.DataFrame:
    """Hold estimators against the true flow of clips of a twin.

    Parameters
    ----------
    rows
        Rows of a twin's index.
    estimators
        Which.

    Returns
    -------
    pandas.DataFrame
        One row a clip and estimator: ``dataset, clip, estimator``; ``error_px``, the mean distance
        between true and estimated motion on the face; ``motion_px``, the mean length of the true
        one (the error of saying that nothing moves); ``ms``, processor time a pair.

    Examples
    --------
    >>> flow_errors(load_index("smic").to_dict("records")[:3])  # doctest: +SKIP
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
                table.append((row["dataset"], row["clip"], estimator, *errors, milliseconds))
            advance()
    columns = ["dataset", "clip", "estimator", "error_px", "motion_px", "ms"]
    return pd.DataFrame(table, columns=columns)


def mean_distance(found: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Return the mean distance between two flows where the second is known (end-point error).

    Parameters
    ----------
    found, truth
        ``(H, W, 2)``, px; NaN in ``truth`` where it is not known.

    Returns
    -------
    float
        px.

    Examples
    --------
    >>> truth = np.full((2, 2, 2), np.nan)
    >>> truth[0, 0] = (3.0, 4.0)
    >>> mean_distance(np.zeros((2, 2, 2)), truth)
    5.0
    """
    return float(np.nanmean(np.linalg.norm(found - truth, axis=2)))
