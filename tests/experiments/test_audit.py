"""Searches over confusion matrices, against all matrices listed one by one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memaa_lib import paper
from memaa_lib._support.errors import InputError
from memaa_lib.experiments import audit
from memaa_lib.metrics import from_confusion

SMALL = (4, 3, 2)


def rows_of(total: int) -> list[tuple[int, int, int]]:
    """All rows of a confusion matrix with this sum."""
    return [(a, b, total - a - b) for a in range(total + 1) for b in range(total + 1 - a)]


def all_matrices(counts: tuple[int, int, int]) -> np.ndarray:
    """All confusion matrices with these row sums, (K, 3, 3)."""
    return np.array(list(itertools.product(*map(rows_of, counts))))


EVERY = all_matrices(SMALL)
SCORES = {
    name: np.array([from_confusion(matrix, name) for matrix in EVERY]).round(4)
    for name in ("uf1", "uar")
}
# `metrics` leaves out a class that is neither there nor predicted; here every class is there
PRECISION = np.array([from_confusion(matrix, "macro_precision") for matrix in EVERY]).round(4)


def test_the_range_of_uf1_is_that_of_the_listed_matrices():
    for uar in np.unique(SCORES["uar"]):
        listed = [from_confusion(matrix) for matrix in EVERY[SCORES["uar"] == uar]]
        assert audit.uf1_range(SMALL, uar) == pytest.approx((min(listed), max(listed)), abs=1e-12)


@pytest.mark.parametrize("other", ["uar", "macro_precision"])
def test_every_pair_of_a_listed_matrix_is_found(other):
    values = SCORES["uar"] if other == "uar" else PRECISION
    for uf1, second in sorted(set(zip(SCORES["uf1"], values, strict=True))):
        found = audit.find_matrix(SMALL, uf1=uf1, **{other: second})
        assert found is not None
        assert found.sum(axis=1).tolist() == list(SMALL)
        assert (found >= 0).all()
        assert from_confusion(found) == pytest.approx(uf1, abs=5.1e-5)
        assert from_confusion(found, other) == pytest.approx(second, abs=5.1e-5)


@pytest.mark.parametrize("other", ["uar", "macro_precision"])
@settings(deadline=None, derandomize=True, max_examples=40)
@given(first=st.integers(0, 10_000), second=st.integers(0, 10_000))
def test_a_pair_of_no_listed_matrix_is_not_found(other, first, second):
    uf1, score = first / 10_000, second / 10_000
    values = SCORES["uar"] if other == "uar" else PRECISION
    there = (abs(SCORES["uf1"] - uf1) < 1e-9) & (abs(values - score) < 1e-9)
    found = audit.find_matrix(SMALL, uf1=uf1, **{other: score})
    assert (found is not None) == bool(there.any())


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(st.lists(st.integers(1, 40), min_size=3, max_size=3), min_size=3, max_size=3))
def test_the_scores_of_any_matrix_are_consistent(rows):
    matrix = np.array(rows)
    counts = tuple(int(n) for n in matrix.sum(axis=1))
    uf1, uar = (round(from_confusion(matrix, name), 4) for name in ("uf1", "uar"))
    assert audit.find_matrix(counts, uf1=uf1, uar=uar) is not None
    low, high = audit.uf1_range(counts, uar)
    assert low - 1e-12 <= from_confusion(matrix) <= high + 1e-12


def test_truncated_digits_widen_the_search_upwards():
    matrix = paper.confusion("smic")  # UAR .745152: printed .7451, rounds to .7452
    counts = matrix.sum(axis=1)
    low, high = audit._printed_range(0.7451, truncated=True)
    assert low < from_confusion(matrix, "uar") < high
    assert not from_confusion(matrix, "uar") < audit._printed_range(0.7451, truncated=False)[1]
    assert audit.find_matrix(counts, uf1=0.7621, uar=0.7451, truncated=True) is not None


def test_pairs_in_print_that_no_matrix_gives():
    counts = {name: paper.confusion(name).sum(axis=1) for name in paper.DATASETS}
    assert audit.find_matrix(counts["smic"], uf1=0.2, uar=0.528) is None
    assert audit.find_matrix(counts["casme2"], uf1=0.8382, uar=0.8686) is None
    assert audit.find_matrix(counts["casme2"], uf1=0.8382, macro_precision=0.8686) is not None
    assert audit.uf1_range(counts["smic"], 0.528)[0] == pytest.approx(0.3983, abs=5e-5)


def test_the_papers_own_matrices_are_consistent_with_table_3():
    table = paper.table(3).loc["Our Approach"]
    for name in ("casme2", "samm"):
        title = paper.DATASET_TITLES[name]
        counts = paper.confusion(name).sum(axis=1)
        pair = {"uf1": table[(title, "UF1")], "uar": table[(title, "UAR")]}
        assert audit.find_matrix(counts, **pair) is not None


def test_published_rows_agree_with_the_papers_quotation_of_the_challenge():
    quoted = paper.table(3).loc["LBP-TOP"]
    published = audit.published_scores().loc["LBP-TOP"]
    for name, title in paper.DATASET_TITLES.items():
        assert quoted[(title, "UF1")] == published.loc[name, "uf1"]
        assert quoted[(title, "UAR")] == published.loc[name, "uar"]


def test_row_bootstrap_repeats_and_contains_the_score():
    matrix = paper.confusion("samm")
    interval = audit.row_bootstrap(matrix, "uar")
    assert interval == audit.row_bootstrap(matrix, "uar")
    assert interval != audit.row_bootstrap(matrix, "uar", seed=1)
    assert interval.low < interval.value < interval.high
    assert interval.value == from_confusion(matrix, "uar")


def test_row_bootstrap_of_accuracy_has_the_binomial_width():
    matrix = np.array([[300, 50, 50], [0, 1, 0], [0, 0, 1]])
    interval = audit.row_bootstrap(matrix, "accuracy")
    deviation = np.sqrt(400 * 0.75 * 0.25) / 402
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * deviation, rel=0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: audit.uf1_range((4, 3), 0.5), "class_counts"),
        (lambda: audit.uf1_range((4, 3, 0), 0.5), "class_counts"),
        (lambda: audit.uf1_range((4.5, 3, 1), 0.5), "class_counts"),
        (lambda: audit.uf1_range(SMALL, 1.5), "between 0 and 1"),
        (lambda: audit.uf1_range(SMALL, float("nan")), "between 0 and 1"),
        (lambda: audit.uf1_range(SMALL, 0.9999), "no matrix"),
        (lambda: audit.find_matrix(SMALL, uf1=0.5), "either uar or macro_precision"),
        (lambda: audit.find_matrix(SMALL, uf1=0.5, uar=0.5, macro_precision=0.5), "either"),
        (lambda: audit.row_bootstrap(np.eye(2)), "matrix of counts"),
        (lambda: audit.row_bootstrap(-np.eye(3)), "matrix of counts"),
        (lambda: audit.row_bootstrap(np.eye(3) / 2), "matrix of counts"),
        (lambda: audit.row_bootstrap(np.diag([1, 1, 0])), "row sums"),
        (lambda: audit.row_bootstrap(np.eye(3), "f2"), "unknown metric"),
        (lambda: audit.row_bootstrap(np.eye(3), resamples=0), "resamples"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
