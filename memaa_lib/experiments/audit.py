"""Checks of printed scores: what a confusion matrix can give, and how sure a score is.

A score in a table is a rounded number that came from whole clips. Few pairs of scores can therefore
stand beside each other: for given numbers of clips per class, many a pair (UAR, UF1) belongs to no
confusion matrix at all. This module searches all matrices, without sampling. The audit page uses it
on the tables of the paper and on the systems that the paper compares itself with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from memaa_lib._support.errors import InputError, check_count
from memaa_lib.metrics import Interval, from_confusion
from memaa_lib.paper import CLASSES

UNIT = 1e-4
"""Last printed digit of a score."""

_SLACK = 1e-9  # binary fractions: 0.52805 itself is not exactly representable
_CHALLENGE = "MEGC 2019 challenge sheet"
_STSTNET = "STSTNet (FG 2019), Table III"
_HTNET = "a table of later work (HTNet, 2024)"
_PUBLISHED: tuple[tuple[str, str, float, float, str], ...] = (
    ("LBP-TOP", "composite", 0.5882, 0.5785, _CHALLENGE),
    ("LBP-TOP", "smic", 0.2000, 0.5280, _CHALLENGE),
    ("LBP-TOP", "casme2", 0.7026, 0.7429, _CHALLENGE),
    ("LBP-TOP", "samm", 0.3954, 0.4102, _CHALLENGE),
    ("Bi-WOOF", "composite", 0.6296, 0.6227, _STSTNET),
    ("Bi-WOOF", "smic", 0.5727, 0.5829, _STSTNET),
    ("Bi-WOOF", "casme2", 0.7805, 0.8026, _STSTNET),
    ("Bi-WOOF", "samm", 0.5211, 0.5139, _STSTNET),
    ("OFF-ApexNet", "composite", 0.7196, 0.7096, _STSTNET),
    ("OFF-ApexNet", "smic", 0.6817, 0.6695, _STSTNET),
    ("OFF-ApexNet", "casme2", 0.8764, 0.8681, _STSTNET),
    ("OFF-ApexNet", "samm", 0.5409, 0.5392, _STSTNET),
    ("STSTNet", "composite", 0.7353, 0.7605, _STSTNET),
    ("STSTNet", "smic", 0.6801, 0.7013, _STSTNET),
    ("STSTNet", "casme2", 0.8382, 0.8686, _STSTNET),
    ("STSTNet", "samm", 0.6588, 0.6810, _STSTNET),
    ("Dual-Inception", "composite", 0.7322, 0.7278, _HTNET),
    ("Dual-Inception", "smic", 0.6645, 0.6726, _HTNET),
    ("Dual-Inception", "casme2", 0.8621, 0.8560, _HTNET),
    ("Dual-Inception", "samm", 0.5868, 0.5663, _HTNET),
    ("RCN-A", "composite", 0.7432, 0.7190, _HTNET),
    ("RCN-A", "smic", 0.6326, 0.6441, _HTNET),
    ("RCN-A", "casme2", 0.8512, 0.8123, _HTNET),
    ("RCN-A", "samm", 0.7601, 0.6715, _HTNET),
)


def published_scores() -> pd.DataFrame:
    """Return scores that other publications print for compared systems.

    All were scored as the challenge asks: one training for each of the 68 subjects on the clips of
    all three sets, and the rows of a data set are slices of that one run.

    Returns
    -------
    pandas.DataFrame
        Index ``system`` and ``dataset``; columns ``uf1``, ``uar`` (as the source calls it) and
        ``source``.

    Examples
    --------
    >>> published_scores().loc[("LBP-TOP", "smic"), "uf1"]
    np.float64(0.2)
    """
    columns = ["system", "dataset", "uf1", "uar", "source"]
    return pd.DataFrame(list(_PUBLISHED), columns=columns).set_index(["system", "dataset"])


def row_bootstrap(
    matrix: ArrayLike, metric: str = "uf1", *, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Return a score of a confusion matrix with a 95 % interval from resampling its rows.

    Each resample draws as many clips of each true class as there are, with replacement. Where only
    the matrix is known this is all that can be done. It takes the clips as independent; clips of
    one person are not, so the true uncertainty is larger (see ``metrics.subject_bootstrap``).

    Parameters
    ----------
    matrix
        ``(3, 3)`` counts, rows true, columns predicted; every class has a clip.
    metric
        Name of a score, see :func:`memaa_lib.metrics.from_confusion`.
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
        If the matrix is no confusion matrix, a row is empty, the metric is unknown, or
        ``resamples`` is below 1.

    Examples
    --------
    >>> print(row_bootstrap([[5, 0, 0], [0, 4, 0], [0, 0, 3]], "uar"))
    1.0000 [1.0000, 1.0000]
    """
    counts = np.asarray(matrix)
    side = len(CLASSES)
    if counts.shape != (side, side) or (counts < 0).any() or (counts != np.round(counts)).any():
        raise InputError(f"expected a ({side}, {side}) matrix of counts; got {counts.tolist()}")
    clips = counts.sum(axis=1).astype(np.int64)
    if (clips == 0).any():
        raise InputError(f"each row needs a clip to draw from; got the row sums {clips.tolist()}")
    check_count("resamples", resamples)
    generator = np.random.default_rng(seed)
    shares = counts / clips[:, np.newaxis]
    drawn = np.stack(
        [generator.multinomial(clips[row], shares[row], resamples) for row in range(side)],
        axis=1,
    )
    low, high = np.percentile(from_confusion(drawn, metric), (2.5, 97.5))
    return Interval(from_confusion(counts, metric), float(low), float(high))


def uf1_range(
    class_counts: Sequence[int], uar: float, *, truncated: bool = False
) -> tuple[float, float]:
    """Return the least and the greatest UF1 of all confusion matrices with a printed UAR.

    Parameters
    ----------
    class_counts
        Clips of each of the three classes.
    uar
        Printed to four decimals.
    truncated
        Whether the last digit may also have been cut off instead of rounded.

    Returns
    -------
    tuple of float

    Raises
    ------
    InputError
        If the counts or the score are out of range, or no matrix has this UAR.

    Examples
    --------
    >>> low, high = uf1_range((4, 3, 3), 1.0)
    >>> low, high
    (1.0, 1.0)
    """
    counts = _checked_counts(class_counts)
    low, high = np.inf, -np.inf
    for right in _right_answers(counts, _printed_range(uar, truncated), counts):
        values = _uf1_of_columns(counts, right, _column_sums(counts, right))
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    if low > high:
        raise InputError(f"no matrix with {counts.tolist()} clips per class has a UAR of {uar}")
    return low, high


def find_matrix(
    class_counts: Sequence[int],
    *,
    uf1: float,
    uar: float | None = None,
    macro_precision: float | None = None,
    truncated: bool = False,
) -> NDArray[np.int64] | None:
    """Find a confusion matrix that gives two printed scores, or prove that there is none.

    The search is exhaustive: None means that no whole-numbered matrix gives the pair.

    Parameters
    ----------
    class_counts
        Clips of each of the three classes.
    uf1
        Printed to four decimals.
    uar, macro_precision
        The other score; give one of the two. A class that is never predicted has precision 0.
    truncated
        Whether the last digits may also have been cut off instead of rounded.

    Returns
    -------
    numpy.ndarray or None
        ``(3, 3)`` int64, rows true, columns predicted.

    Raises
    ------
    InputError
        If the counts or a score are out of range, or not exactly one other score is given.

    Examples
    --------
    >>> find_matrix((2, 2, 2), uf1=0.6556, uar=0.6667).sum(axis=1).tolist()
    [2, 2, 2]
    >>> find_matrix((2, 2, 2), uf1=0.2000, uar=0.6667) is None
    True
    """
    counts = _checked_counts(class_counts)
    if (uar is None) == (macro_precision is None):
        raise InputError("find_matrix: give either uar or macro_precision beside uf1")
    wanted = _printed_range(uf1, truncated)
    if uar is not None:
        for right in _right_answers(counts, _printed_range(uar, truncated), counts):
            columns = _column_sums(counts, right)
            values = _uf1_of_columns(counts, right, columns)
            fits = (values >= wanted[0]) & (values <= wanted[1])
            if fits.any():
                return _filled(counts, right, columns[int(fits.argmax())])
        return None
    assert macro_precision is not None
    precision = _printed_range(macro_precision, truncated)
    for columns in _columns_worth_trying(counts, wanted, precision):
        for right in _right_answers(columns, precision, counts):
            value = float(_uf1_of_columns(counts, right, columns))
            if wanted[0] <= value <= wanted[1] and _is_possible(counts, right, columns):
                return _filled(counts, right, columns)
    return None


# ------------------------------------------------------------------------------- the search itself


def _checked_counts(class_counts: Sequence[int]) -> NDArray[np.int64]:
    """Return the clips per class as an array."""
    counts = np.asarray(class_counts)
    if counts.shape != (len(CLASSES),) or counts.dtype.kind not in "iu" or (counts < 1).any():
        raise InputError(f"class_counts must be three whole numbers >= 1; got {class_counts!r}")
    return counts.astype(np.int64)


def _printed_range(score: float, truncated: bool) -> tuple[float, float]:
    """Return between which values a score lies that was printed to four decimals."""
    if not 0 <= score <= 1:
        raise InputError(f"a score lies between 0 and 1; got {score!r}")
    above = UNIT if truncated else UNIT / 2
    return score - UNIT / 2 - _SLACK, score + above + _SLACK


def _right_answers(
    denominators: NDArray[np.int64], mean_range: tuple[float, float], limits: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return all ``(M, 3)`` right answers per class whose mean share lies in a range.

    The shares are of ``denominators``: the clips of a class for recall, its predictions for
    precision. No class can have more right answers than its denominator or its limit.
    """
    most = np.minimum(denominators, limits)
    shares = [np.arange(n + 1) / max(int(d), 1) for n, d in zip(most, denominators, strict=True)]
    mean = (shares[0][:, None, None] + shares[1][:, None] + shares[2]) / len(CLASSES)
    return np.argwhere((mean >= mean_range[0]) & (mean <= mean_range[1])).astype(np.int64)


def _column_sums(counts: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return all ``(K, 3)`` predictions per class that go with given right answers.

    A class receives wrong answers only from the other two classes, so it receives between none and
    all of theirs. For three classes every such division of the errors can be realized.
    """
    errors = counts - right
    most = right + errors.sum() - errors
    first = np.arange(right[0], most[0] + 1)[:, np.newaxis]
    second = np.arange(right[1], most[1] + 1)
    third = counts.sum() - first - second
    fits = (third >= right[2]) & (third <= most[2])
    first, second = np.broadcast_arrays(first, second)
    return np.stack([first[fits], second[fits], third[fits]], axis=-1)


def _uf1_of_columns(
    counts: NDArray[np.int64], right: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Eqs. 13 and 14 from clips, right answers and predictions per class, ``(..., 3)``."""
    return np.asarray((2 * right / (counts + columns)).mean(axis=-1))


def _columns_worth_trying(
    counts: NDArray[np.int64],
    uf1_wanted: tuple[float, float],
    precision_wanted: tuple[float, float],
) -> Iterator[NDArray[np.int64]]:
    """Yield the predictions per class that can give both scores.

    The F1 of a class is its precision times 2 p / (n + p), with n clips and p predictions. So UF1
    divided by the macro precision lies between the least and the greatest of the three factors;
    most columns fail that, and need no search.
    """
    total = int(counts.sum())
    first, second = np.indices((total + 1, total + 1)).reshape(2, -1)
    columns = np.stack([first, second, total - first - second], axis=-1)
    columns = columns[columns[:, 2] >= 0]
    factor = 2 * columns / (counts + columns)
    best = (2 * np.minimum(counts, columns) / (counts + columns)).mean(axis=1)
    fits = factor.max(axis=1) * precision_wanted[1] >= uf1_wanted[0]
    fits &= factor.min(axis=1) * precision_wanted[0] <= uf1_wanted[1]
    fits &= best >= uf1_wanted[0]
    yield from columns[fits]


def _is_possible(
    counts: NDArray[np.int64], right: NDArray[np.int64], columns: NDArray[np.int64]
) -> bool:
    """Whether the errors of the rows can be put into the columns off the diagonal."""
    missed, received = counts - right, columns - right
    return bool((missed >= 0).all() and (received >= 0).all()) and bool(
        (missed + received <= missed.sum()).all()
    )


def _filled(
    counts: NDArray[np.int64], right: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return a matrix with given row sums, diagonal and column sums.

    With the diagonal fixed, one further entry settles the other five. The smallest that leaves all
    of them at or above zero is taken.
    """
    missed, received = counts - right, columns - right
    for entry in range(int(min(missed[0], received[1])) + 1):
        matrix = np.diag(right)
        matrix[0, 1], matrix[0, 2] = entry, missed[0] - entry
        matrix[2, 1] = received[1] - entry
        matrix[2, 0] = missed[2] - matrix[2, 1]
        matrix[1, 0] = received[0] - matrix[2, 0]
        matrix[1, 2] = missed[1] - matrix[1, 0]
        if (matrix >= 0).all():
            return matrix
    raise AssertionError("the sums were checked before")
