"""The motion avatar: the paper's avatar, given what it lacks, the face at rest.

The paper's avatar is the mean of a clip's *frames*: it shows who somebody is before it shows what moved,
and what moved is there only as blur. The motion avatar is the mean of the *movement*: the optical flow
from the face at rest to each frame, averaged over the clip. Nobody has to know the apex, every frame has a
say, and noise averages out, as the paper wants of its avatar.

Not the paper's: it is where the steps of :mod:`memaa_lib.experiments.repair` lead, from the one to the
other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.cache import fingerprint
from memaa_lib.baselines.classifiers import System
from memaa_lib.baselines.faces import FaceClip
from memaa_lib.baselines.flow import optical_flow

GRID = 14  # places along each side at which the motion is looked at
REFERENCE = 3  # frames whose mean is the face at rest: noise in a single one would be in every flow


def face_at_rest(faces: NDArray[np.uint8], frames: int = REFERENCE) -> NDArray[np.uint8]:
    """Return the mean of the first frames of a clip ``(T, H, W)``."""
    mean = faces[:frames].mean(axis=0)
    return np.asarray(np.rint(mean), np.uint8)


def still(flow: NDArray[np.floating]) -> NDArray[np.floating]:
    """Take the median off a flow ``(H, W, 2)``, as the head's own movement."""
    return flow - np.median(flow, axis=(0, 1))


def mean_motion(
    faces: NDArray[np.uint8],
    rest: NDArray[np.uint8] | None = None,
    weights: NDArray[np.floating] | None = None,
) -> NDArray[np.float32]:
    """Return by how much the skin is away from where it was at rest, averaged over the clip.

    Parameters
    ----------
    faces
        ``uint8`` gray ``(T, H, W)``.
    rest
        The face at rest, ``uint8`` ``(H, W)``. Default: the mean of the first three.
    weights
        ``(T,)``, of the frames in the mean. Default: all the same.

    Returns
    -------
    ndarray
        ``float32`` ``(H, W, 2)``, px. The median of each flow is taken off, as the head's movement.

    Examples
    --------
    >>> faces = np.zeros((3, 32, 32), np.uint8)
    >>> mean_motion(faces).shape
    (32, 32, 2)
    """
    rest = face_at_rest(faces) if rest is None else rest
    weights = np.ones(len(faces)) if weights is None else weights
    mean = np.zeros((*rest.shape, 2))
    for weight, face in zip(weights / weights.sum(), faces, strict=True):
        mean += weight * still(optical_flow(rest, face))
    return mean.astype(np.float32)


def motion_picture(flow: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return movement and strain on a coarse grid.

    Parameters
    ----------
    flow
        ``(H, W, 2)``, px.

    Returns
    -------
    ndarray
        ``float32`` ``(5, 14, 14)``: u, v, and how much they change from one place to the next: u along x,
        v along y, and the sum of u along y and v along x.

    Examples
    --------
    >>> rows, columns = np.indices((56, 56), float)
    >>> stretched = np.dstack([0.1 * columns, 0 * rows])
    >>> motion_picture(stretched)[2:, 5, 5].round(1)
    array([0.2, 0. , 0. ], dtype=float32)
    """
    fine = cv2.resize(
        np.asarray(flow, np.float32), (2 * GRID, 2 * GRID), interpolation=cv2.INTER_AREA
    )
    u, v = fine[..., 0], fine[..., 1]
    (u_y, u_x), (v_y, v_x) = np.gradient(u), np.gradient(v)
    layers = np.stack([u, v, u_x, v_y, u_y + v_x])
    return layers.reshape(5, GRID, 2, GRID, 2).mean(axis=(2, 4)).astype(np.float32)


def clip_features(clip: FaceClip) -> NDArray[np.float32]:
    """Return the motion avatar of a clip as a vector ``(980,)``."""
    return motion_picture(mean_motion(clip.faces)).ravel()


class Regression:
    """The classifier of the probes (:func:`memaa_lib.experiments.probes.linear_probe`) as a learner.

    Examples
    --------
    >>> machine = Regression()
    >>> machine.fit(np.eye(3), np.array([0, 1, 2]))
    >>> machine.predict(np.eye(3)[::-1])
    array([2, 1, 0])
    """

    record: Mapping[str, Any] = {}

    def __init__(self) -> None:
        from memaa_lib.experiments.probes import linear_probe  # which takes seconds to import

        self.model = linear_probe()

    def fit(self, features: NDArray[Any], labels: NDArray[np.int64], seed: int = 0) -> None:
        """Learn from features ``(N, D)``; nothing in it is random."""
        self.model.fit(features.astype(np.float64), labels)

    def predict(self, features: NDArray[Any]) -> NDArray[np.int64]:
        """Return the code of every row."""
        return np.asarray(self.model.predict(features.astype(np.float64)))

    @property
    def digest(self) -> str:
        """Sixteen digits that change with anything that was learned."""
        scaler, regression = self.model[0], self.model[-1]
        return fingerprint(scaler.mean_, scaler.scale_, regression.coef_, regression.intercept_)


def learner(profile: str) -> Regression:
    """Return an untrained machine: it has one setting."""
    return Regression()


SYSTEMS = (
    System(
        "motion_avatar",
        "motion avatar (ours)",
        "this book",
        clip_features,
        learner,
        profiles=("laptop",),
    ),
)
