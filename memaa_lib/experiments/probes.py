"""Simple classifiers that probe what the twins give away.

A synthetic set may betray its labels by something that is not motion: a pose, a light, a face that
goes with a class. A classifier that sees only the first frame of each clip must therefore do no better
than chance, and one that sees the motion must do far better. Both are linear, so that nothing is
hidden in the classifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from memaa_lib._support.errors import InputError
from memaa_lib._support.running import progress
from memaa_lib.clips import Clip, scan_frames, stack_images, to_gray
from memaa_lib.datasets import ClipRow, load_truth_landmarks, rows_of
from memaa_lib.metrics import uar
from memaa_lib.protocol import Fold, subject_keys
from memaa_lib.registration import affine_to_reference, apply_affine, crop_window

BROWS_AND_MOUTH = (*range(17, 27), *range(48, 68))  # landmarks that expressions move most
GRID = (14, 12)  # rows and columns of the feature grid
GRID_FACE_SIZE = (168, 140)  # px: rows are 14 x 12, so each of the grid averages whole rows


def onset_and_apex(row: ClipRow) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read the face at onset and at apex, framed alike in every data set.

    Where nobody annotated an apex, the middle frame stands for it.

    Examples
    --------
    >>> onset_and_apex({"path": "/", "dataset": "smic", "subject": "s01", "clip": "s01_ne_01"})
    Traceback (most recent call last):
        ...
    memaa_lib.InputError: smic/s01/s01_ne_01: real data have no true landmarks; ...
    """
    row = ClipRow.of(row)
    landmarks = load_truth_landmarks(row)[0]
    names = scan_frames(row.path or "").frames
    files = [Path(row.path or "", names[number]) for number in (row.onset, row.apex_or_middle)]
    both = Clip(to_gray(stack_images(files)), row.fps, name=row.name)
    left, top, right, bottom = crop_window(both, landmarks)
    faces = both.frames[:, top:bottom, left:right]
    onset, apex = (cv2.resize(f, GRID_FACE_SIZE[::-1], interpolation=cv2.INTER_AREA) for f in faces)
    return onset, apex


def onset_features(onset: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the gray levels of the first frame on a coarse grid, its mean taken off.

    Examples
    --------
    >>> onset_features(np.full(GRID_FACE_SIZE, 9, np.uint8)).shape
    (168,)
    """
    small = cv2.resize(onset, GRID[::-1], interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.ravel(small - small.mean())


def flow_features(onset: NDArray[np.uint8], apex: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the optical flow from onset to apex on a coarse grid, its median (the head) taken off.

    Examples
    --------
    >>> face = np.random.default_rng(0).integers(0, 256, GRID_FACE_SIZE, dtype=np.uint8)
    >>> float(np.abs(flow_features(face, face)).max()) < 0.1
    True
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(onset, apex, None)
    small = cv2.resize(flow, GRID[::-1], interpolation=cv2.INTER_AREA)
    return np.ravel(small - np.median(small, axis=(0, 1))).astype(np.float32)


def probe_features(index: pd.DataFrame) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return both kinds of features for all clips of a twin.

    Parameters
    ----------
    index
        From :func:`memaa_lib.datasets.load_index`; twins only.

    Returns
    -------
    onset : ndarray
        ``(N, 168)``, see :func:`onset_features`.
    flow : ndarray
        ``(N, 336)``, see :func:`flow_features`.

    Raises
    ------
    InputError
        If a row is not of a twin.
    """
    onset, flow = [], []
    with progress("reading faces", len(index)) as advance:
        for row in rows_of(index):
            first, peak = onset_and_apex(row)
            onset.append(onset_features(first))
            flow.append(flow_features(first, peak))
            advance()
    return np.stack(onset), np.stack(flow)


def linear_probe() -> Pipeline:
    """Return an untrained logistic regression on standardized features, each class with the same say."""
    regression = LogisticRegression(C=0.003, class_weight="balanced", max_iter=500)
    return make_pipeline(StandardScaler(), regression)


def probe_predictions(
    features: NDArray[np.floating], index: pd.DataFrame, folds: Sequence[Fold]
) -> pd.DataFrame:
    """Predict the test clips of every fold by logistic regression on its training clips.

    Parameters
    ----------
    features
        ``(N, D)``; scaled with statistics of the training clips only.
    index
        One row a clip, in the same order.
    folds
        From :func:`memaa_lib.protocol.make_folds`; no clip is tested twice.

    Returns
    -------
    pandas.DataFrame
        ``dataset, subject, clip, label, prediction`` of the clips that are tested, as
        :mod:`memaa_lib.metrics` takes it.

    Raises
    ------
    InputError
        If there are not as many rows as clips.

    Examples
    --------
    >>> from memaa_lib.protocol import make_folds
    >>> labels = ["negative", "positive", "surprise"] * 2
    >>> columns = {"dataset": "smic", "subject": ["s01"] * 3 + ["s02"] * 3, "clip": list("abcdef")}
    >>> index = pd.DataFrame(columns | {"label": labels})
    >>> features = np.eye(3)[[0, 1, 2, 0, 1, 2]]
    >>> table = probe_predictions(features, index, make_folds(index, "loso"))
    >>> bool((table["label"] == table["prediction"]).all())
    True
    """
    if len(features) != len(index):
        raise InputError(f"{len(features)} rows of features but {len(index)} clips")
    labels = index["label"].to_numpy(dtype=str)
    predicted = np.empty(len(index), dtype=labels.dtype)
    for fold in folds:
        model = linear_probe()
        model.fit(features[fold.train], labels[fold.train])
        predicted[fold.test] = model.predict(features[fold.test])
    table = index[["dataset", "subject", "clip", "label"]].copy()
    table["prediction"] = predicted
    return table.iloc[np.sort(np.concatenate([fold.test for fold in folds]))]


def without_identity(features: NDArray[np.floating], index: pd.DataFrame) -> NDArray[np.floating]:
    """Take each subject's average off that subject's features, so that only the clip is left.

    Parameters
    ----------
    features
        ``(N, D)``.
    index
        One row a clip, in the same order.

    Returns
    -------
    ndarray
        ``(N, D)``.

    Examples
    --------
    >>> columns = {"dataset": "smic", "subject": ["s01", "s01", "s02"], "clip": list("abc")}
    >>> index = pd.DataFrame(columns | {"label": "negative"})
    >>> without_identity(np.array([[1.0], [3.0], [5.0]]), index).ravel()
    array([-1.,  1.,  0.])
    """
    frame = pd.DataFrame(np.asarray(features))
    subjects = subject_keys(index)
    centered: NDArray[np.floating] = (frame - frame.groupby(subjects).transform("mean")).to_numpy()
    return centered


def permutation_test(
    features: NDArray[np.floating],
    index: pd.DataFrame,
    folds: Sequence[Fold],
    permutations: int = 200,
    seed: int = 0,
) -> tuple[NDArray[np.float64], float]:
    """Test whether a probe reads the labels: permute them within each subject, and score it again.

    What is left of the score then is chance, with the subjects, their numbers of clips and the
    classifier as they are: a fairer yardstick than 1/3.

    Parameters
    ----------
    features, index, folds
        See :func:`probe_predictions`.
    permutations
        How many times the labels are permuted.
    seed
        Of the permutations.

    Returns
    -------
    null : ndarray
        ``float64`` ``(permutations,)``: UAR with permuted labels, sorted.
    p : float
        Of the UAR with the true labels: ``(1 + #(null >= UAR)) / (1 + permutations)``, which counts
        the true labels as one of the permutations and so is never 0 (Phipson and Smyth, 2010).

    Examples
    --------
    >>> from memaa_lib.protocol import make_folds
    >>> labels = ["negative", "positive", "surprise"] * 2
    >>> columns = {"dataset": "smic", "subject": ["s01"] * 3 + ["s02"] * 3, "clip": list("abcdef")}
    >>> index = pd.DataFrame(columns | {"label": labels})
    >>> folds = make_folds(index, "loso")
    >>> null, p = permutation_test(np.eye(3)[[0, 1, 2, 0, 1, 2]], index, folds, permutations=9)
    >>> null.shape, p
    ((9,), 0.2)
    """
    random = np.random.default_rng(seed)
    subjects = pd.Series(subject_keys(index), index.index)
    reached = probe_uar(features, index, folds)
    null = []
    with progress("permuted labels", permutations) as advance:
        for _ in range(permutations):
            labels = index["label"].groupby(subjects).transform(random.permutation)
            null.append(probe_uar(features, index.assign(label=labels), folds))
            advance()
    as_high = sum(score >= reached for score in null)
    return np.sort(np.array(null)), (1 + as_high) / (1 + permutations)


def probe_uar(features: NDArray[np.floating], index: pd.DataFrame, folds: Sequence[Fold]) -> float:
    """Return the UAR of :func:`probe_predictions`."""
    table = probe_predictions(features, index, folds)
    return uar(table["label"], table["prediction"])


def expression_movement(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how far brows and mouth are from where they were at onset, the head's movement taken off.

    Parameters
    ----------
    landmarks
        ``(T, 68, 2)``, px; a twin's true ones.

    Returns
    -------
    ndarray
        ``float64`` ``(T,)``, mean distance in px.

    Examples
    --------
    >>> face = np.random.default_rng(0).uniform(0, 100, (68, 2))
    >>> moved = face + 3.0
    >>> bool(expression_movement(np.stack([face, moved])).max() < 1e-6)
    True
    """
    still_head = apply_affine(affine_to_reference(landmarks, points="stable"), landmarks)
    distance = np.linalg.norm(still_head - still_head[0], axis=2)
    mean: NDArray[np.float64] = distance[:, list(BROWS_AND_MOUTH)].mean(axis=1, dtype=np.float64)
    return mean
