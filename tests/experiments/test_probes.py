"""Probes: what is learned from training clips alone, and what is left when labels are permuted."""

import numpy as np
import pandas as pd
import pytest

from memaa_lib import metrics
from memaa_lib._support.errors import InputError
from memaa_lib.experiments.probes import (
    permutation_test,
    probe_predictions,
    without_identity,
)
from memaa_lib.protocol import make_folds

LABELS = ("negative", "positive", "surprise")


@pytest.fixture
def index() -> pd.DataFrame:
    """Six clips of each of ten subjects, two a class."""
    rows = [("smic", f"s{s}", f"c{s}-{c}", LABELS[c % 3]) for s in range(10) for c in range(6)]
    return pd.DataFrame(rows, columns=["dataset", "subject", "clip", "label"])


@pytest.mark.parametrize("protocol", ["loso", "kfold"])
def test_features_that_name_the_class_are_read_on_unseen_subjects(index, protocol):
    features = np.eye(3)[metrics.class_codes(index["label"].to_numpy())]
    folds = make_folds(index, protocol)
    table = probe_predictions(features, index, folds)
    assert table["prediction"].tolist() == index["label"].tolist()
    assert table["clip"].tolist() == index["clip"].tolist()
    null, p = permutation_test(features, index, folds, permutations=19)
    assert p == 1 / 20  # the lowest there is
    assert (np.diff(null) >= 0).all()
    assert null[-1] < 1


def test_features_of_the_person_alone_are_not_told_from_permuted_labels(index):
    person = np.eye(10)[index["subject"].str[1:].astype(int)]
    folds = make_folds(index, "loso")
    null, p = permutation_test(person, index, folds, permutations=19)
    assert np.array_equal(null, np.full(19, null[0]))  # each person has as many of each class
    assert p == 1
    assert not without_identity(person, index).any()


def test_a_row_of_features_for_each_clip(index):
    with pytest.raises(InputError, match="5 rows of features but 60 clips"):
        probe_predictions(np.zeros((5, 2)), index, make_folds(index, "loso"))
