"""The paper's numbers as printed, and what they say about each other."""

import numpy as np
import pytest

from memaa_lib import paper
from memaa_lib._support.errors import InputError


@pytest.mark.parametrize("number", range(1, 8))
def test_every_table_is_there(number):
    assert not paper.table(number).empty


@pytest.mark.parametrize("number", [0, 8, "3"])
def test_unknown_table_is_refused(number):
    with pytest.raises(InputError, match="choose a number from 1 to 7"):
        paper.table(number)


def test_tables_are_copies():
    changed = paper.table(2)
    changed.loc["Total", "SMIC"] = 0
    assert paper.table(2).loc["Total", "SMIC"] == 164


def test_table_2_adds_up():
    table = paper.table(2)
    classes = table.loc[["Negative", "Positive", "Surprise"]]
    assert (classes.sum() == table.loc["Total"]).all()
    assert (table[["SMIC", "CASME II", "SAMM"]].sum(axis=1) == table["Combined"]).all()


def test_confusion_rows_are_the_class_counts_of_table_2():
    for dataset in (*paper.DATASETS, "composite"):
        counts = paper.table(2)[paper.DATASET_TITLES[dataset]].iloc[:3]
        assert paper.confusion(dataset).sum(axis=1).tolist() == counts.tolist()


def test_tables_4_to_6_are_the_confusion_matrices():
    for number, dataset in zip((4, 5, 6), paper.DATASETS, strict=True):
        assert np.array_equal(paper.table(number).to_numpy(), paper.confusion(dataset))


def test_unknown_confusion_matrix_is_refused():
    with pytest.raises(InputError, match="casme3"):
        paper.confusion("casme3")


@pytest.mark.parametrize(("dataset", "total"), [("smic", 164), ("casme2", 255), ("samm", 159)])
def test_emotion_counts_add_up_to_the_stated_clips(dataset, total):
    assert sum(paper.EMOTIONS[dataset].values()) == total


def classes_from_emotions(dataset):
    counts = dict.fromkeys(paper.CLASSES, 0)
    for emotion, name in paper.CLASS_OF_EMOTION[dataset].items():
        counts[name] += paper.EMOTIONS[dataset][emotion]
    return list(counts.values())


def test_samm_classes_follow_from_its_emotions():
    assert classes_from_emotions("samm") == [92, 26, 15]


def test_casme2_emotions_give_two_negatives_more_than_table_2():
    assert classes_from_emotions("casme2") == [90, 32, 25]
    assert paper.table(2)["CASME II"].iloc[:3].tolist() == [88, 32, 25]


def test_subjects_add_up():
    assert sum(paper.SUBJECTS[name] for name in paper.DATASETS) == paper.SUBJECTS["composite"]


def test_table_3_has_a_dash_where_the_paper_has_one():
    assert paper.table(3).isna().sum(axis=1).tolist() == [0, 5, 3, 0]


def test_table_7_has_no_diagonal():
    table = paper.table(7)
    for name in ("SMIC", "CASME II", "SAMM"):
        assert table.loc[name, name].isna().all()
    assert table.isna().sum().sum() == 6


def test_tripling_every_class_leaves_the_shares_as_they_are():
    counts = paper.confusion("composite").sum(axis=1)
    tripled = len(paper.TRAINING_ALPHAS) * counts
    assert np.array_equal(tripled / tripled.sum(), counts / counts.sum())
