"""Scores of Sec. 4.2: pooled confusion matrix, UF1 (Eqs. 10-14), UAR (Eq. 15), intervals, files.

All scores are computed from the confusion matrix pooled over all folds, as the equations say and as
the challenge (MEGC 2019) demands: most subjects lack a class, so a score of one fold means nothing.

A *predictions table* is a ``pandas.DataFrame`` with one row a clip and the columns ``dataset``,
``subject``, ``clip``, ``label`` and ``prediction``; the last two hold class names.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from memaa_lib._support.cache import atomic_path
from memaa_lib._support.errors import InputError, check_count
from memaa_lib.paper import CLASSES

COLUMNS: tuple[str, ...] = ("dataset", "subject", "clip", "label", "prediction")
"""Columns of a predictions table."""

_CODE_OF_LABEL: Mapping[str, int] = {
    **{name: code for code, name in enumerate(CLASSES)},
    **{str(code): code for code in range(len(CLASSES))},
    # what a gap in a column makes of it, here and where the decimal sign is a comma
    **{f"{code}{sign}0": code for code in range(len(CLASSES)) for sign in ".,"},
}
# how programs write a cell without a value
_MISSING = ("", "nan", "none", "null", "na", "n/a", "#n/a", "<na>", "nat")
_SEPARATORS = (",", ";", "\t", "|")


def class_codes(
    labels: ArrayLike, name: str = "labels", place_of: Callable[[int], str] = "entry {}".format
) -> NDArray[np.int64]:
    """Turn class names or codes, in any one-dimensional sequence, into codes 0, 1, 2.

    Messages call the labels ``name``, and the place of a wrong one what ``place_of`` says.
    """
    values = np.asarray(labels)
    if values.ndim != 1:
        raise InputError(f"{name} must be one-dimensional, one label a clip; got {values.shape}")
    if values.dtype.kind == "f" and np.array_equal(values, np.round(values)):
        values = values.astype(np.int64)
    codes = [_CODE_OF_LABEL.get(str(value).strip().lower(), -1) for value in values.tolist()]
    if -1 in codes:
        place = codes.index(-1)
        raise InputError(
            f"{name}: {values.tolist()[place]!r} ({place_of(place)}) is no class: use "
            f"{', '.join(CLASSES)} or 0, 1, 2"
        )
    return np.array(codes, dtype=np.int64)


def confusion_matrix(y_true: ArrayLike, y_pred: ArrayLike) -> NDArray[np.int64]:
    """Count how often each class (rows) was taken for each class (columns), as in Tables 4-6.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1, 2], [0, 1, 1, 2]).tolist()
    [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    """
    true, predicted = class_codes(y_true, "y_true"), class_codes(y_pred, "y_pred")
    if true.size != predicted.size:
        raise InputError(
            f"y_true holds {true.size} labels and y_pred {predicted.size}: give one pair a clip"
        )
    if not true.size:
        raise InputError("y_true is empty: a score needs at least one clip")
    matrix = np.zeros((len(CLASSES), len(CLASSES)), dtype=np.int64)
    np.add.at(matrix, (true, predicted), 1)
    return matrix


def _mean_over_classes(
    numerator: NDArray[Any], denominator: NDArray[Any], counted: NDArray[np.bool_]
) -> Any:
    """Return the mean of the ratios of the counted classes; 0/0 of a counted class is 0."""
    ratios = np.divide(numerator, denominator, out=np.zeros(numerator.shape), where=denominator > 0)
    return np.where(counted, ratios, 0.0).sum(axis=-1) / counted.sum(axis=-1)


def from_confusion(matrix: ArrayLike, metric: str = "uf1") -> Any:
    """Compute a score from a confusion matrix, or from many at once.

    Parameters
    ----------
    matrix
        ``(..., 3, 3)``, rows true, columns predicted; pooled over all folds.
    metric
        ``"uf1"`` (Eqs. 10-14), ``"uar"`` (Eq. 15), ``"accuracy"`` or ``"macro_precision"``.

    Returns
    -------
    float or numpy.ndarray
        ``(...)``.

    Raises
    ------
    InputError
        If the metric is unknown or the matrix is not 3 by 3.

    Notes
    -----
    Eq. 14 is printed without its sum over the classes; the sum is meant and used here. A class that
    occurs neither in the truth nor in the predictions does not count.

    Examples
    --------
    >>> from memaa_lib.paper import confusion
    >>> round(from_confusion(confusion("casme2"), "uf1"), 4)
    0.828
    """
    values = np.asarray(matrix)
    if values.shape[-2:] != (len(CLASSES), len(CLASSES)):
        raise InputError(f"a confusion matrix ends in shape (3, 3); got {values.shape}")
    TP = np.diagonal(values, axis1=-2, axis2=-1)  # Eqs. 10 to 12, for each class
    FN = values.sum(axis=-1) - TP  # the rest of its row: clips of the class taken for another
    FP = values.sum(axis=-2) - TP  # the rest of its column: clips of others taken for it
    occurs = TP + FN + FP > 0
    if metric == "uf1":
        score = _mean_over_classes(2 * TP, 2 * TP + FP + FN, occurs)  # Eqs. 13 and 14
    elif metric == "uar":
        score = _mean_over_classes(TP, TP + FN, TP + FN > 0)  # Eq. 15
    elif metric == "macro_precision":
        score = _mean_over_classes(TP, TP + FP, occurs)
    elif metric == "accuracy":
        score = TP.sum(axis=-1) / values.sum(axis=(-2, -1))
    else:
        raise InputError(f"unknown metric {metric!r}: choose one of {', '.join(METRICS)}")
    return float(score) if values.ndim == 2 else score


METRICS: tuple[str, ...] = ("uf1", "uar", "accuracy", "macro_precision")
"""Scores of :func:`from_confusion`."""


def uf1(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Unweighted F1 score: the mean of the classes' F1 scores, 2TP/(2TP + FP + FN) (Eqs. 10-14).

    Parameters
    ----------
    y_true, y_pred
        Labels of the clips of all folds together, names or codes, same length.

    Returns
    -------
    float
        Between 0 and 1. As in scikit-learn's ``f1_score(average="macro")``, a class that occurs
        neither in the truth nor in the predictions does not count.

    Examples
    --------
    >>> uf1(["negative", "positive", "surprise"], ["negative", "positive", "positive"])
    0.5555555555555555
    """
    return from_confusion(confusion_matrix(y_true, y_pred), "uf1")


def uar(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Unweighted average recall, or balanced accuracy (Eq. 15, Sec. 4.2).

    Parameters
    ----------
    y_true, y_pred
        Labels of the clips of all folds together, names or codes, same length.

    Returns
    -------
    float
        Between 0 and 1. As in scikit-learn's ``balanced_accuracy_score``, a class absent from the
        truth does not count.

    Examples
    --------
    >>> uar([0, 0, 0, 0, 1, 2], [0, 0, 0, 1, 1, 0])
    0.5833333333333334
    """
    return from_confusion(confusion_matrix(y_true, y_pred), "uar")


def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Share of clips classified rightly."""
    return from_confusion(confusion_matrix(y_true, y_pred), "accuracy")


def macro_precision(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Mean over the classes of the share of right predictions among those of the class.

    Not a score of the paper: some published "UAR" columns turn out to hold it (audit page).
    """
    return from_confusion(confusion_matrix(y_true, y_pred), "macro_precision")


def majority_baseline(y_true: ArrayLike) -> NDArray[np.int64]:
    """Predict the most frequent class for every clip, as a useless classifier does; ties: lower code.

    Examples
    --------
    >>> majority_baseline(["negative", "surprise", "surprise"]).tolist()
    [2, 2, 2]
    """
    true = class_codes(y_true, "y_true")
    if not true.size:
        raise InputError("y_true is empty: there is no most frequent class")
    return np.full(true.size, np.bincount(true, minlength=len(CLASSES)).argmax(), dtype=np.int64)


# ---------------------------------------------------------------------------------- uncertainty


@dataclass(frozen=True)
class Interval:
    """A score of all clips, and the 2.5 % and 97.5 % points of its bootstrap distribution."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return for example ``0.7353 [0.6802, 0.7891]``."""
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class PairedDifference:
    """Score of one method minus that of another on the same clips, with its 95 % bootstrap interval.

    ``share_above_zero`` is the share of resamples in which the first method is ahead.
    """

    difference: float
    low: float
    high: float
    share_above_zero: float


Predictions: TypeAlias = pd.DataFrame | Sequence[pd.DataFrame]


def subject_bootstrap(
    predictions: Predictions, metric: str = "uf1", *, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Return a score with the 95 % interval that resampling *subjects* gives.

    Clips of one subject resemble each other, so the subject is the unit drawn with replacement.
    Subjects are drawn within their data set, so every resample holds as many subjects of each.

    Parameters
    ----------
    predictions
        Predictions table, or several of the same clips from runs that chance alone tells apart, such
        as those from several starting weights: the score is then their mean, and each resample draws
        runs with replacement, too.
    metric
        Name of a score, see :func:`from_confusion`.
    resamples
        Number of bootstrap resamples.
    seed
        Seed of the resampling.

    Returns
    -------
    Interval

    Raises
    ------
    InputError
        If the table is unusable, the metric unknown, or ``resamples`` is below 1.

    Examples
    --------
    >>> rows = [("smic", "s01", str(i), "negative", "negative") for i in range(5)]
    >>> print(subject_bootstrap(pd.DataFrame(rows, columns=COLUMNS), "uar"))
    1.0000 [1.0000, 1.0000]
    """
    ((value, drawn),) = _bootstrap([predictions], metric, resamples, seed)
    return Interval(value, *_middle(drawn))


def paired_bootstrap(
    first: Predictions,
    second: Predictions,
    metric: str = "uf1",
    *,
    resamples: int = 10_000,
    seed: int = 0,
) -> PairedDifference:
    """Compare two methods on the same clips by resampling subjects.

    Parameters
    ----------
    first, second
        Predictions tables of the same clips with the same labels, in any order; or as many runs of
        each, see :func:`subject_bootstrap`, the first of one beside the first of the other.
    metric
        Name of a score, see :func:`from_confusion`.
    resamples
        Number of bootstrap resamples.
    seed
        Seed of the resampling.

    Returns
    -------
    PairedDifference

    Raises
    ------
    InputError
        If the two tables do not hold the same clips and labels.

    Examples
    --------
    >>> rows = [("smic", f"s{i:02d}", "c", "negative", "negative") for i in range(5)]
    >>> table = pd.DataFrame(rows, columns=COLUMNS)
    >>> paired_bootstrap(table, table).difference
    0.0
    """
    (one, drawn_one), (two, drawn_two) = _bootstrap([first, second], metric, resamples, seed)
    ahead = float(np.mean(drawn_one > drawn_two))
    return PairedDifference(one - two, *_middle(drawn_one - drawn_two), ahead)


def compare(
    methods: Mapping[str, Predictions],
    reference: str,
    metric: str = "uf1",
    *,
    resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the score of each method and its difference from that of one of them.

    Parameters
    ----------
    methods
        Name to predictions as :func:`paired_bootstrap` takes them, all of the same clips.
    reference
        The method that all are held against.
    metric
        Name of a score, see :func:`from_confusion`.
    resamples
        Number of bootstrap resamples; all methods are scored on the same ones.
    seed
        Seed of the resampling.

    Returns
    -------
    pandas.DataFrame
        One row a method: the score under the name of the metric, ``low``, ``high``; then
        ``difference``, ``difference_low``, ``difference_high``. The bounds are those of
        :func:`subject_bootstrap` and :func:`paired_bootstrap`.

    Raises
    ------
    InputError
        If the reference is no key, or the methods do not hold the same clips and labels.

    Examples
    --------
    >>> rows = [("smic", f"s{i:02d}", "c", i % 3, i % 3) for i in range(6)]
    >>> right = pd.DataFrame(rows, columns=COLUMNS)
    >>> table = compare({"right": right, "mute": right.assign(prediction="negative")}, "right")
    >>> table["difference"].round(3).to_dict()
    {'right': 0.0, 'mute': -0.833}
    """
    if reference not in methods:
        raise InputError(f"{reference}: not among {', '.join(methods)}")
    scored = dict(
        zip(methods, _bootstrap(list(methods.values()), metric, resamples, seed), strict=True)
    )
    against, drawn_against = scored[reference]
    rows = [
        (value, *_middle(drawn), value - against, *_middle(drawn - drawn_against))
        for value, drawn in scored.values()
    ]
    bounds = ["low", "high", "difference", "difference_low", "difference_high"]
    return pd.DataFrame(rows, index=list(scored), columns=[metric, *bounds])


@dataclass(frozen=True)
class GroupDifference:
    """Score of a group of people minus that of all others, with its 95 % bootstrap interval.

    ``inside`` and ``outside`` are the scores of the two. ``p`` is the share of shuffles, of who belongs to
    the group, that put the two at least as far apart.
    """

    difference: float
    low: float
    high: float
    p: float
    inside: Interval
    outside: Interval


def group_difference(
    predictions: pd.DataFrame,
    members: Collection[tuple[str, str]],
    metric: str = "uar",
    *,
    resamples: int = 10_000,
    seed: int = 0,
) -> GroupDifference:
    """Compare the score of some of the subjects with that of all others.

    Parameters
    ----------
    predictions
        Predictions table of one run.
    members
        Data set and subject of everyone in the group.
    metric
        Name of a score, see :func:`from_confusion`. UAR does not depend on how many clips of each class
        a group has; UF1 and accuracy do.
    resamples
        Number of bootstrap resamples, and of shuffles.
    seed
        Seed of both.

    Returns
    -------
    GroupDifference
        Subjects are drawn, and shuffled, within their data set: what sets one data set apart from
        another is no difference of the groups.

    Raises
    ------
    InputError
        If the table is unusable, a member has no clip in it, or the group is nobody or everybody.

    Examples
    --------
    >>> rows = [("smic", f"s{i:02d}", "c", "negative", "negative") for i in range(6)]
    >>> table = pd.DataFrame(rows, columns=COLUMNS)
    >>> found = group_difference(table, [("smic", "s00"), ("smic", "s01")], resamples=100)
    >>> found.difference, found.p
    (0.0, 1.0)
    """
    table = check_predictions(predictions)
    matrices, strata = _subject_matrices(table)
    people = sorted(set(zip(table["dataset"], table["subject"], strict=True)))
    strangers = sorted(set(members) - set(people))
    if strangers:
        raise InputError(f"{'/'.join(map(str, strangers[0]))}: no clip of this subject to score")
    inside = np.array([person in set(members) for person in people])
    if inside.all() or not inside.any():
        raise InputError(
            f"a group of {inside.sum()} of {inside.size} subjects has nothing beside it"
        )

    def scores_of(weights: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(from_confusion(np.tensordot(weights, matrices, axes=1), metric))

    drawn = _draws(2 * strata + inside, resamples, seed)
    ends = [(scores_of(1.0 * part), scores_of(drawn * part)) for part in (inside, ~inside)]
    difference = float(ends[0][0] - ends[1][0])
    generator = np.random.default_rng([seed, 2])
    shuffled = np.tile(inside, (resamples, 1))
    for stratum in np.unique(strata):
        in_set = strata == stratum
        shuffled[:, in_set] = generator.permuted(shuffled[:, in_set], axis=1)
    chance = scores_of(1.0 * shuffled) - scores_of(1.0 * ~shuffled)
    as_far = (
        np.abs(chance) >= abs(difference) - 1e-12
    )  # the same difference, summed in another order
    return GroupDifference(
        difference,
        *_middle(ends[0][1] - ends[1][1]),
        float((1 + as_far.sum()) / (1 + resamples)),
        *(Interval(float(value), *_middle(resampled)) for value, resampled in ends),
    )


def _middle(drawn: NDArray[np.float64]) -> tuple[float, float]:
    """Return the bounds of the middle 95 % of the resamples."""
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(low), float(high)


def _bootstrap(
    methods: Sequence[Predictions], metric: str, resamples: int, seed: int
) -> list[tuple[float, NDArray[np.float64]]]:
    """Return each method's score, and that of each resample of subjects, the same for all methods.

    The score of several runs is their mean; a resample then draws runs, too.
    """
    matrices, strata = _matrices_of_runs(methods)
    weights = _draws(strata, resamples, seed)
    scored = []
    for runs in matrices:
        value = float(np.mean([from_confusion(run.sum(axis=0), metric) for run in runs]))
        drawn = np.stack(
            [from_confusion(np.tensordot(weights, run, axes=1), metric) for run in runs]
        )
        chosen = np.random.default_rng([seed, 1]).integers(len(runs), size=drawn.shape)
        scored.append((value, np.take_along_axis(drawn, chosen, axis=0).mean(axis=0)))
    return scored


def _matrices_of_runs(
    methods: Sequence[Predictions],
) -> tuple[list[list[NDArray[np.int64]]], NDArray[np.int64]]:
    """Return each run's confusion matrix of each subject, and the subjects' data sets."""
    keys = ["dataset", "subject", "clip"]
    runs = [[given] if isinstance(given, pd.DataFrame) else list(given) for given in methods]
    if len({len(some) for some in runs}) > 1:
        numbers = " and ".join(str(len(some)) for some in runs)
        raise InputError(f"{numbers} runs of the methods; give as many of each")
    tables = [
        [check_predictions(table).sort_values(keys, ignore_index=True) for table in some]
        for some in runs
    ]
    first = tables[0][0][[*keys, "label"]]
    for table in (table for some in tables for table in some):
        if not table[[*keys, "label"]].equals(first):
            raise InputError(
                "the methods were not scored on the same clips and labels: "
                f"{len(first)} and {len(table)} rows; keep the clips that all have"
            )
    matrices = [[_subject_matrices(table) for table in some] for some in tables]
    return [[one for one, _ in some] for some in matrices], matrices[0][0][1]


def _subject_matrices(table: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return each subject's confusion matrix ``(G, 3, 3)`` and data-set number ``(G,)``."""
    pairs = pd.MultiIndex.from_frame(table[["dataset", "subject"]])
    subject_of_clip, subjects = pd.factorize(pairs, sort=True)
    matrices = np.zeros((len(subjects), len(CLASSES), len(CLASSES)), dtype=np.int64)
    codes = class_codes(table["label"]), class_codes(table["prediction"])
    np.add.at(matrices, (subject_of_clip, *codes), 1)
    strata = pd.factorize(subjects.get_level_values(0), sort=True)[0]
    return matrices, strata


def _draws(strata: NDArray[np.int64], resamples: int, seed: int) -> NDArray[np.float64]:
    """Return how often each subject is drawn in each resample, ``(resamples, G)``."""
    check_count("resamples", resamples)
    return _drawn(tuple(strata.tolist()), resamples, seed)


@lru_cache(maxsize=4)  # the same subjects are drawn for every method and metric
def _drawn(strata: tuple[int, ...], resamples: int, seed: int) -> NDArray[np.float64]:
    generator = np.random.default_rng(seed)
    # How often each is drawn is all that matters: a resample's matrix is a weighted sum of theirs.
    weights = np.zeros((resamples, len(strata)))
    for stratum in np.unique(strata):
        members = np.flatnonzero(np.equal(strata, stratum))
        equal = np.full(members.size, 1.0 / members.size)
        weights[:, members] = generator.multinomial(members.size, equal, size=resamples)
    weights.setflags(write=False)
    return weights


def scores(
    predictions: pd.DataFrame,
    by: str | None = "dataset",
    *,
    resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return all scores of a predictions table: for all clips, and for each data set.

    Parameters
    ----------
    predictions
        Predictions table.
    by
        Column whose values get a row each below the row ``"all"``; None for that row alone.
    resamples
        Number of bootstrap resamples for the intervals of UF1 and UAR.
    seed
        Seed of the resampling.

    Returns
    -------
    pandas.DataFrame
        Rows ``"all"`` and the values of ``by``; columns ``clips``, ``subjects``, ``uf1``,
        ``uf1_low``, ``uf1_high``, ``uar``, ``uar_low``, ``uar_high``, ``accuracy``,
        ``macro_precision``, ``majority_uf1`` (UF1 of always saying the most frequent class).

    Raises
    ------
    InputError
        If the table is unusable or has no column ``by``.

    Examples
    --------
    >>> rows = [("smic", "s01", "a", 0, 0), ("smic", "s02", "b", 1, 1), ("samm", "006", "c", 2, 0)]
    >>> table = scores(pd.DataFrame(rows, columns=COLUMNS), resamples=10)
    >>> table["uf1"].round(4).to_dict()
    {'all': 0.5556, 'samm': 0.0, 'smic': 1.0}
    """
    table = check_predictions(predictions)
    parts: dict[str, pd.DataFrame] = {"all": table}
    if by is not None:
        if by not in table:
            raise InputError(f"cannot score by {by!r}: columns are {', '.join(table.columns)}")
        parts.update({str(value): part for value, part in table.groupby(by, sort=True)})
    rows = {name: _score_row(part, resamples, seed) for name, part in parts.items()}
    return pd.DataFrame.from_dict(rows, orient="index")


def _score_row(part: pd.DataFrame, resamples: int, seed: int) -> dict[str, float | int]:
    """Compute the scores of one slice."""
    f1 = subject_bootstrap(part, "uf1", resamples=resamples, seed=seed)
    recall = subject_bootstrap(part, "uar", resamples=resamples, seed=seed)
    return {
        "clips": len(part),
        "subjects": len(part[["dataset", "subject"]].drop_duplicates()),
        "uf1": f1.value,
        "uf1_low": f1.low,
        "uf1_high": f1.high,
        "uar": recall.value,
        "uar_low": recall.low,
        "uar_high": recall.high,
        "accuracy": accuracy(part["label"], part["prediction"]),
        "macro_precision": macro_precision(part["label"], part["prediction"]),
        "majority_uf1": uf1(part["label"], majority_baseline(part["label"])),
    }


# ---------------------------------------------------------------------------------------- files


def check_predictions(
    predictions: pd.DataFrame, source: str = "predictions", lines: Sequence[int] | None = None
) -> pd.DataFrame:
    """Check a predictions table and return it in standard form, as a copy.

    Text columns are text, and classes are names. Columns beside those of ``COLUMNS`` are kept. Messages
    name the ``source``, and the line of each row if they are given.
    """

    def place_of(row: int) -> str:
        return f"row {row + 1}" if lines is None else f"line {lines[row]}"

    missing = [name for name in COLUMNS if name not in predictions]
    if missing:
        raise InputError(
            f"{source}: column {', '.join(missing)} missing; a predictions table has the columns "
            f"{', '.join(COLUMNS)}"
        )
    if predictions.empty:
        raise InputError(f"{source}: no predictions in it; expected one row a clip")
    table = predictions.reset_index(drop=True).copy()
    for name in COLUMNS:
        text = [str(value).strip() for value in table[name]]
        empty = table[name].isna().to_numpy() | [value.lower() in _MISSING for value in text]
        if empty.any():
            row = place_of(int(empty.argmax()))
            raise InputError(f"{source}: {row} has an empty {name}; fill it in")
        if name in ("dataset", "subject", "clip"):
            table[name] = text  # without blanks around it: "s01 " is nobody else than "s01"
    for name in ("label", "prediction"):
        codes = class_codes(table[name].to_numpy(), f"{source}, column {name}", place_of)
        table[name] = np.array(CLASSES, dtype=object)[codes]
    twice = table.duplicated(["dataset", "subject", "clip"])
    if twice.any():
        place = int(twice.to_numpy().argmax())
        clip = " ".join(table.loc[place, ["dataset", "subject", "clip"]])
        raise InputError(
            f"{source}: clip {clip} occurs twice, the second "
            f"time in {place_of(place)}; a clip is predicted once, in the fold that leaves its subject out"
        )
    return table


def write_predictions(predictions: pd.DataFrame, path: Path | str) -> None:
    """Write a predictions table as CSV; the file appears whole or not at all.

    Examples
    --------
    >>> import tempfile
    >>> row = pd.DataFrame([("samm", "006", "006_1_2", 0, 0)], columns=COLUMNS)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_predictions(row, f"{folder}/p.csv")
    ...     read_predictions(f"{folder}/p.csv").loc[0, "subject"]
    '006'
    """
    table = check_predictions(predictions)
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def read_predictions(path: Path | str, columns: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Read a predictions table from text with commas, semicolons, tabs or bars between the fields.

    The header names at least the columns of ``COLUMNS``, in any order and in small or capital letters.
    ``columns`` says what the file calls some of them, e.g. ``{"label": "truth"}``.

    Raises
    ------
    InputError
        If the file is missing, empty, no such text, or its contents are unusable.
    """
    unknown = sorted(set(columns or {}) - set(COLUMNS))
    if unknown:
        raise InputError(f"{unknown[0]!r}: no column; expected some of {', '.join(COLUMNS)}")
    path = _existing(path)
    text = _read_text(path, f"not a CSV file with {','.join(COLUMNS)}")
    first = next((line for line in text.splitlines() if line.strip()), "")
    stated = re.fullmatch(r'"?sep=(.)"?', first.strip())  # how Excel is told the separator
    if stated:
        text = text.replace(first, "", 1)
    try:
        separator = stated[1] if stated else max(_SEPARATORS, key=partial(_n_fields, first))
        stream = io.StringIO(text, newline="")
        reader = csv.reader(stream, strict=True, delimiter=separator, skipinitialspace=True)
        rows = [(reader.line_num, row) for row in reader if any(field.strip() for field in row)]
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV file with {','.join(COLUMNS)}") from error
    if not rows:
        raise InputError(f"{path}: the file is empty; expected {','.join(COLUMNS)}")
    header = [name.strip() for name in rows.pop(0)[1]]
    while header and not header[-1]:  # spreadsheet programs write columns that are empty now
        header.pop()
        rows = [
            (number, row if "".join(row[len(header) :]).strip() else row[: len(header)])
            for number, row in rows
        ]
    # pandas would take a field too many for an index, and move all columns by one
    for number, row in rows:
        if len(row) != len(header):
            raise InputError(
                f"{path}, line {number}: {len(row)} fields, but the header has {len(header)}"
            )
    names = _column_names(header, columns or {}, str(path))
    table = pd.DataFrame([row for _, row in rows], columns=names, dtype=str)
    return check_predictions(table, str(path), [number for number, _ in rows])


def _n_fields(line: str, separator: str) -> int:
    return len(next(csv.reader([line], delimiter=separator), []))


def _column_names(header: Sequence[str], columns: Mapping[str, str], source: str) -> list[str]:
    """Return the header with our names where the file has others, or other letters."""
    theirs = [name.strip() for name in header]
    named = [name.lower() for name in theirs if name]
    if len(set(named)) < len(named):
        raise InputError(f"{source}: the header names a column twice: {', '.join(theirs)}")
    ours = {columns.get(name, name).strip().lower(): name for name in COLUMNS}
    missing = [name for name in ours if name not in [their.lower() for their in theirs]]
    if missing:
        raise InputError(
            f"{source}: column {', '.join(missing)} missing; the header has {', '.join(theirs)}; "
            f"say what stands for {ours[missing[0]]} with --columns {ours[missing[0]]}=NAME"
        )
    # a column that has one of our names but is not meant keeps it in other letters
    return [
        ours.get(their.lower(), their.upper() if their.lower() in COLUMNS else their)
        for their in theirs
    ]


def write_megc_log(predictions: pd.DataFrame, path: Path | str) -> None:
    """Write a predictions table in the log format of the challenge (MEGC 2019).

    For each subject a line ``dataset subject``, then for each clip ``clip truth prediction`` with
    the codes 0, 1, 2.

    The file appears whole or not at all. The format cannot say a name that holds white space.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> row = pd.DataFrame([("smic", "s01", "s01_ne_01", 0, 2)], columns=COLUMNS)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_megc_log(row, f"{folder}/log.txt")
    ...     print(pathlib.Path(folder, "log.txt").read_text(), end="")
    smic s01
    s01_ne_01 0 2
    """
    table = check_predictions(predictions)
    for name in ("dataset", "subject", "clip"):
        spaced = table[name].str.contains(r"\s", regex=True)
        if spaced.any():
            raise InputError(
                f"{name} {table.loc[int(spaced.to_numpy().argmax()), name]!r} holds white space, "
                "which the MEGC log cannot say: write a CSV file"
            )
    lines: list[str] = []
    for (dataset, subject), part in table.groupby(["dataset", "subject"], sort=False):
        lines.append(f"{dataset} {subject}")
        truth, predicted = class_codes(part["label"]), class_codes(part["prediction"])
        lines += [f"{c} {t} {p}" for c, t, p in zip(part["clip"], truth, predicted, strict=True)]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_megc_log(path: Path | str) -> pd.DataFrame:
    """Read the log format of the challenge (MEGC 2019), with codes or class names.

    Raises
    ------
    InputError
        If the file is missing or empty, or a line is of neither kind; the message gives the line.
    """
    path = _existing(path)
    text = _read_text(path, "not a text file; expected an MEGC log")
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    fold: tuple[str, str] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if len(words) == 2:
            fold = (words[0], words[1])
        elif len(words) == 3 and fold is not None:
            rows.append((*fold, *words))
            lines.append(number)
        elif words:
            raise InputError(
                f"{path}, line {number}: {line.strip()[:60]!r} is neither 'dataset subject' nor, "
                "below such a line, 'clip truth prediction'; the name of a table ends in .csv or .tsv"
            )
    return check_predictions(pd.DataFrame(rows, columns=list(COLUMNS)), str(path), lines)


def score_file(
    path: Path | str,
    columns: Mapping[str, str] | None = None,
    *,
    resamples: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Score a file of predictions of any method.

    Parameters
    ----------
    path
        ``.csv`` or ``.tsv`` with the columns of a predictions table; any other suffix is read as MEGC
        log.
    columns
        What the file calls columns of a predictions table, e.g. ``{"label": "truth"}``.
    resamples
        Number of bootstrap resamples.
    seed
        Seed of the resampling.

    Returns
    -------
    pandas.DataFrame
        As ``scores`` returns it.

    Raises
    ------
    InputError
        If the file cannot be used.
    """
    is_table = columns or Path(path).suffix.lower() in (".csv", ".tsv")
    table = read_predictions(path, columns) if is_table else read_megc_log(path)
    return scores(table, resamples=resamples, seed=seed)


def _read_text(path: Path, problem: str) -> str:
    """Return a file's text, in UTF-8 or, as Excel and PowerShell write it, in UTF-16."""
    contents = path.read_bytes()
    utf16 = contents.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = contents.decode("utf-16" if utf16 else "utf-8").lstrip("\ufeff")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: {problem}; if it is one, save it in UTF-8") from error
    if "\0" in text:
        raise InputError(f"{path}: {problem}")
    return text


def _existing(path: Path | str) -> Path:
    """Return the path if it is a file."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    return path
