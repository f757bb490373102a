"""Scores against their equations, scikit-learn and the paper's tables; intervals; files."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    precision_score,
)
from sklearn.metrics import confusion_matrix as sklearn_confusion_matrix

from memaa_lib import metrics, paper
from memaa_lib._support.errors import InputError
from memaa_lib.paper import CLASSES

labels = st.integers(0, 2)
pairs_of_labels = st.lists(st.tuples(labels, labels), min_size=1, max_size=60)
relaxed = settings(deadline=None, derandomize=True, max_examples=60)


def labels_with(matrix):
    """Label sequences that have the given confusion matrix."""
    rows, columns = np.indices((3, 3))
    counts = np.asarray(matrix).ravel()
    return np.repeat(rows.ravel(), counts), np.repeat(columns.ravel(), counts)


def table_of(rows):
    return pd.DataFrame(rows, columns=metrics.COLUMNS)


def random_table(seed=0, subjects=6, clips=5, hit_rate=0.6):
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(subjects):
        dataset = ("smic", "samm")[number % 2]
        for clip in range(clips):
            label = int(rng.integers(3))
            guess = label if rng.random() < hit_rate else int(rng.integers(3))
            rows.append((dataset, f"{number:03d}", f"{number:03d}_{clip}", label, guess))
    return metrics.check_predictions(table_of(rows))


# ------------------------------------------------------------------------------ definitions


def test_literal_definition_of_the_equations():
    matrix = np.array([[5, 1, 2], [0, 3, 1], [2, 2, 4]])
    f1, recall = [], []
    for c in range(3):
        tp = matrix[c, c]
        fp = sum(matrix[r, c] for r in range(3) if r != c)
        fn = sum(matrix[c, k] for k in range(3) if k != c)
        f1.append(2 * tp / (2 * tp + fp + fn))
        recall.append(tp / matrix[c].sum())
    true, predicted = labels_with(matrix)
    assert metrics.uf1(true, predicted) == pytest.approx(sum(f1) / 3, abs=1e-15)
    assert metrics.uar(true, predicted) == pytest.approx(sum(recall) / 3, abs=1e-15)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:A single label was found")
@relaxed
@given(pairs_of_labels)
def test_agrees_with_scikit_learn(pairs):
    true, predicted = map(np.array, zip(*pairs, strict=True))
    macro = {"average": "macro", "zero_division": 0}
    assert np.array_equal(
        metrics.confusion_matrix(true, predicted),
        sklearn_confusion_matrix(true, predicted, labels=[0, 1, 2]),
    )
    assert metrics.uf1(true, predicted) == pytest.approx(f1_score(true, predicted, **macro))
    assert metrics.uar(true, predicted) == pytest.approx(balanced_accuracy_score(true, predicted))
    assert metrics.accuracy(true, predicted) == pytest.approx(accuracy_score(true, predicted))
    assert metrics.macro_precision(true, predicted) == pytest.approx(
        precision_score(true, predicted, **macro)
    )


@relaxed
@given(pairs_of_labels, st.permutations(range(3)), st.randoms(use_true_random=False))
def test_order_of_clips_and_names_of_classes_do_not_matter(pairs, renamed, random):
    true, predicted = map(np.array, zip(*pairs, strict=True))
    shuffled = list(range(len(pairs)))
    random.shuffle(shuffled)
    names = np.array(renamed)
    for score in (metrics.uf1, metrics.uar, metrics.accuracy, metrics.macro_precision):
        expected = pytest.approx(score(true, predicted), abs=1e-12)
        assert score(names[true][shuffled], names[predicted][shuffled]) == expected


def test_names_and_codes_are_the_same_labels():
    assert metrics.uf1(["negative", "Positive", "2"], [0, 1, 2]) == 1.0
    assert metrics.uar(pd.Series(["negative", "surprise"]), np.array([0.0, 2.0])) == 1.0


def test_perfect_and_constant_predictions():
    true = np.repeat([0, 1, 2], [70, 51, 43])
    assert metrics.uf1(true, true) == metrics.uar(true, true) == 1.0
    constant = metrics.majority_baseline(true)
    assert set(constant) == {0}
    assert metrics.uar(true, constant) == pytest.approx(1 / 3)
    assert metrics.uf1(true, constant) == pytest.approx(2 * 70 / (70 + 164) / 3)


@pytest.mark.parametrize(
    ("dataset", "uf1"),
    [("smic", 0.1994), ("casme2", 0.2518), ("samm", 0.2726), ("composite", 0.2408)],
)
def test_published_scores_of_the_majority_class(dataset, uf1):
    true, _ = labels_with(paper.confusion(dataset))
    assert metrics.uf1(true, metrics.majority_baseline(true)) == pytest.approx(uf1, abs=5e-5)


@pytest.mark.parametrize(
    ("true", "predicted", "message"),
    [
        ([], [], "empty"),
        ([0, 1], [0], "2 labels and y_pred 1"),
        ([0, 3], [0, 0], "entry 1"),
        (["negative", "others"], [0, 0], "'others'"),
        ([[0, 1]], [[0, 1]], "one-dimensional"),
        ([0.5], [0], "0.5"),
    ],
)
def test_unusable_labels_are_refused(true, predicted, message):
    with pytest.raises(InputError, match=message):
        metrics.uf1(true, predicted)


def test_unknown_metric_and_wrong_matrix_are_refused():
    with pytest.raises(InputError, match="choose one of uf1"):
        metrics.from_confusion(np.eye(3), "f1")
    with pytest.raises(InputError, match=r"\(3, 3\)"):
        metrics.from_confusion(np.eye(2))


# ------------------------------------------------------------------------ the paper's tables


@pytest.mark.parametrize(
    ("dataset", "uf1", "uar"),
    [
        ("smic", 0.762136, 0.745152),
        ("casme2", 0.827989, 0.806515),
        ("samm", 0.705635, 0.681475),
        ("composite", 0.778498, 0.751151),
    ],
)
def test_scores_of_tables_4_to_6_and_of_their_sum(dataset, uf1, uar):
    true, predicted = labels_with(paper.confusion(dataset))
    assert metrics.uf1(true, predicted) == pytest.approx(uf1, abs=5e-7)
    assert metrics.uar(true, predicted) == pytest.approx(uar, abs=5e-7)


def printed(dataset):
    row = paper.table(3).loc["Our Approach"][paper.DATASET_TITLES[dataset]]
    return row["UF1"], row["UAR"]


@pytest.mark.parametrize("dataset", ["casme2", "samm"])
def test_table_3_agrees_with_tables_5_and_6(dataset):
    matrix = paper.confusion(dataset)
    uf1, uar = printed(dataset)
    assert round(metrics.from_confusion(matrix, "uf1"), 4) == uf1
    assert round(metrics.from_confusion(matrix, "uar"), 4) == uar


def test_table_3_has_the_smic_pair_swapped():
    uf1, uar = printed("smic")
    matrix = paper.confusion("smic")
    assert round(metrics.from_confusion(matrix, "uf1"), 4) == uar
    assert int(metrics.from_confusion(matrix, "uar") * 1e4) / 1e4 == uf1  # truncated, too


def test_the_combined_row_of_table_3_is_not_the_sum_of_tables_4_to_6():
    uf1, uar = printed("composite")
    matrix = paper.confusion("composite")
    assert metrics.from_confusion(matrix, "uf1") - uf1 == pytest.approx(0.0182, abs=5e-5)
    assert metrics.from_confusion(matrix, "uar") - uar == pytest.approx(0.0157, abs=5e-5)


# -------------------------------------------------------------------------------- intervals


def test_interval_of_perfect_predictions_is_a_point():
    table = random_table(hit_rate=1.0)
    for metric in metrics.METRICS:
        interval = metrics.subject_bootstrap(table, metric, resamples=200)
        assert (interval.value, interval.low, interval.high) == (1.0, 1.0, 1.0)


def test_interval_of_one_subject_is_a_point():
    table = random_table(subjects=1)
    interval = metrics.subject_bootstrap(table, resamples=50)
    assert interval.low == interval.value == interval.high


def test_accuracy_interval_is_the_binomial_one():
    # One clip a subject: the bootstrap of the accuracy is a binomial share of known spread.
    right = np.arange(400) % 4 != 0
    table = table_of(
        [
            ("smic", f"s{i:03d}", "c", i % 3, i % 3 if ok else (i + 1) % 3)
            for i, ok in enumerate(right)
        ]
    )
    interval = metrics.subject_bootstrap(table, "accuracy", resamples=20_000)
    half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert interval.value == 0.75
    assert interval.low == pytest.approx(0.75 - half, abs=0.004)
    assert interval.high == pytest.approx(0.75 + half, abs=0.004)


def test_subjects_are_resampled_not_clips():
    # Ten clips of each of 40 subjects, all right or all wrong: the spread is that of 40 draws.
    table = table_of(
        [
            ("smic", f"s{i:02d}", f"c{k}", k % 3, k % 3 if i % 2 else (k + 1) % 3)
            for i in range(40)
            for k in range(9)
        ]
    )
    interval = metrics.subject_bootstrap(table, "accuracy", resamples=20_000)
    half = 1.96 * np.sqrt(0.25 / 40)
    assert interval.high - interval.low == pytest.approx(2 * half, abs=0.03)


def test_bootstrap_equals_a_plain_loop():
    table = random_table()
    interval = metrics.subject_bootstrap(table, "uf1", resamples=40, seed=3)
    rng = np.random.default_rng(3)
    groups = {name: part for name, part in table.groupby(["dataset", "subject"], sort=True)}
    draws = {}
    for dataset in ("samm", "smic"):
        names = [name for name in groups if name[0] == dataset]
        draws[dataset] = (names, rng.multinomial(len(names), [1 / len(names)] * len(names), 40))
    values = []
    for b in range(40):
        parts = [
            groups[name]
            for names, weights in draws.values()
            for name, weight in zip(names, weights[b], strict=True)
            for _ in range(weight)
        ]
        drawn = pd.concat(parts)
        values.append(metrics.uf1(drawn["label"], drawn["prediction"]))
    low, high = np.percentile(values, (2.5, 97.5))
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-12)


def test_bootstrap_depends_on_the_seed_alone():
    table = random_table()
    one = metrics.subject_bootstrap(table, resamples=300, seed=1)
    assert one == metrics.subject_bootstrap(
        table.sample(frac=1, random_state=0), resamples=300, seed=1
    )
    assert one != metrics.subject_bootstrap(table, resamples=300, seed=2)


def test_paired_difference_of_a_method_with_itself_is_nothing():
    table = random_table()
    paired = metrics.paired_bootstrap(table, table.iloc[::-1], resamples=100)
    assert (paired.difference, paired.low, paired.high, paired.share_above_zero) == (0, 0, 0, 0)


def test_paired_bootstrap_sees_the_better_method():
    weak = random_table(hit_rate=0.0, subjects=20, clips=8)
    strong = weak.assign(prediction=weak["label"])
    paired = metrics.paired_bootstrap(strong, weak, resamples=500)
    assert paired.low > 0
    assert paired.share_above_zero == 1.0
    assert paired.difference == pytest.approx(1 - metrics.uf1(weak["label"], weak["prediction"]))


def test_paired_bootstrap_wants_the_same_clips():
    table = random_table()
    with pytest.raises(InputError, match="same clips"):
        metrics.paired_bootstrap(table, table.iloc[1:])


def test_comparing_many_methods_equals_comparing_two_at_a_time():
    one, other = random_table(), random_table(seed=1)
    other = one.assign(prediction=other["prediction"])
    table = metrics.compare({"one": [one, other], "other": [other, other]}, "one", resamples=90)
    score = metrics.subject_bootstrap([one, other], resamples=90)
    pair = metrics.paired_bootstrap([other, other], [one, other], resamples=90)
    assert table.loc["one", ["uf1", "low", "high"]].tolist() == [score.value, score.low, score.high]
    found = table.loc["other", ["difference", "difference_low", "difference_high"]].tolist()
    assert found == [pair.difference, pair.low, pair.high]
    with pytest.raises(InputError, match="third: not among one"):
        metrics.compare({"one": one}, "third")
    with pytest.raises(InputError, match="2 and 1 runs of the methods; give as many"):
        metrics.compare({"one": [one, one], "other": one}, "one")


def test_a_group_that_is_read_worse_is_told_from_the_others():
    weak = random_table(hit_rate=0.0, subjects=20, clips=8)
    people = sorted(set(zip(weak["dataset"], weak["subject"], strict=True)))
    group = people[::2]  # half of each data set
    outside = ~weak.set_index(["dataset", "subject"]).index.isin(group)
    table = weak.assign(prediction=weak["prediction"].mask(outside, weak["label"]))
    found = metrics.group_difference(table, group, resamples=400)
    inside = table[~outside]
    assert found.inside.value == metrics.uar(inside["label"], inside["prediction"])
    assert found.outside.value == found.outside.low == found.outside.high == 1
    assert found.difference == found.inside.value - 1
    assert found.high < 0
    assert found.p == pytest.approx(1 / 401)
    other = metrics.group_difference(table, people[1::2], resamples=400)
    assert other.difference == -found.difference
    assert other.p == found.p


def test_the_interval_of_a_group_is_that_of_its_subjects():
    """Within each group the resamples are of the same kind, so only the draws differ."""
    table = random_table(hit_rate=0.5, subjects=20, clips=8)
    group = sorted(set(zip(table["dataset"], table["subject"], strict=True)))[::2]
    found = metrics.group_difference(table, group, resamples=4000).inside
    alone = table[table.set_index(["dataset", "subject"]).index.isin(group)]
    expected = metrics.subject_bootstrap(alone, "uar", resamples=4000)
    assert found.value == expected.value
    assert [found.low, found.high] == pytest.approx([expected.low, expected.high], abs=0.02)


def test_a_group_that_is_a_data_set_cannot_be_shuffled():
    """What sets one data set apart from another is no difference of the groups."""
    table = random_table(hit_rate=0.5)
    smic = {("smic", one) for one in table.loc[table["dataset"] == "smic", "subject"]}
    assert metrics.group_difference(table, smic, resamples=50).p == 1


@pytest.mark.parametrize(
    ("members", "message"),
    [([], "0 of 6"), (None, "6 of 6"), ([("smic", "nobody")], "smic/nobody: no clip")],
)
def test_a_group_needs_others_beside_it(members, message):
    table = random_table()
    everybody = set(zip(table["dataset"], table["subject"], strict=True))
    with pytest.raises(InputError, match=message):
        metrics.group_difference(table, everybody if members is None else members)


def test_resamples_must_be_positive():
    with pytest.raises(InputError, match="resamples"):
        metrics.subject_bootstrap(random_table(), resamples=0)


def test_score_table_has_a_row_for_all_and_one_for_each_data_set():
    table = random_table()
    scores = metrics.scores(table, resamples=100)
    assert scores.index.tolist() == ["all", "samm", "smic"]
    smic = table[table["dataset"] == "smic"]
    assert scores.loc["smic", "uf1"] == metrics.uf1(smic["label"], smic["prediction"])
    assert scores.loc["all", ["clips", "subjects"]].tolist() == [30, 6]
    assert (scores["uf1_low"] <= scores["uf1"]).all()
    assert (scores["uf1"] <= scores["uf1_high"]).all()
    assert metrics.scores(table, by=None, resamples=10).index.tolist() == ["all"]


def test_scoring_by_an_unknown_column_is_refused():
    with pytest.raises(InputError, match="camera"):
        metrics.scores(random_table(), by="camera")


# ------------------------------------------------------------------------------------ files


def test_megc_log_round_trip(tmp_path):
    table = random_table()
    metrics.write_megc_log(table, tmp_path / "log.txt")
    pd.testing.assert_frame_equal(metrics.read_megc_log(tmp_path / "log.txt"), table)


def test_csv_round_trip_keeps_leading_zeros(tmp_path):
    table = random_table()
    metrics.write_predictions(table, tmp_path / "p.csv")
    back = metrics.read_predictions(tmp_path / "p.csv")
    pd.testing.assert_frame_equal(back, table)
    assert back["subject"].iloc[0] == "000"


def test_both_formats_score_alike(tmp_path):
    table = random_table()
    metrics.write_megc_log(table, tmp_path / "log.txt")
    metrics.write_predictions(table, tmp_path / "p.csv")
    pd.testing.assert_frame_equal(
        metrics.score_file(tmp_path / "log.txt", resamples=50),
        metrics.score_file(tmp_path / "p.csv", resamples=50),
    )


def test_log_as_the_challenge_writes_it(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text(
        "casme2 sub01\r\nEP02_01f 1 1\r\nEP19_05f 0 2\r\n\r\nsamm 006\r\n006_1_2 0 0\r\n"
    )
    table = metrics.read_megc_log(path)
    assert table["subject"].tolist() == ["sub01", "sub01", "006"]
    assert table["prediction"].tolist() == ["positive", "surprise", "negative"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no predictions"),
        ("EP02_01f 1 1\n", "line 1"),
        ("casme2 sub01\nEP02_01f 1 1 0\n", "line 2"),
        ("casme2 sub01\n\nEP02_01f 1 7\n", r"'7' \(line 3\)"),
        ("casme2 sub01\nEP02_01f 1 1\nEP02_01f 1 1\n", "twice"),
    ],
)
def test_unusable_logs_are_refused_by_line(tmp_path, text, message):
    path = tmp_path / "log.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        metrics.score_file(path)
    assert "log.txt" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("dataset,subject,clip,label,prediction\n", "no predictions"),
        ("dataset,subject,clip,truth,prediction\nsmic,s01,a,0,0\n", "column label missing"),
        ("dataset,subject,clip,label,prediction\nsmic,s01,a,0,happy\n", "'happy'"),
        ("dataset,subject,clip,label,prediction\nsmic,,a,0,0\n", "empty subject"),
        ("dataset,subject,clip,label,prediction\nsmic,s01,a,0\n", "line 2: 4 fields"),
        ("dataset,subject,clip,label,prediction\nsmic,s01,a,0,0,1\n", "line 2: 6 fields"),
        ('dataset,subject\n"smic', "not a CSV"),
        ("dataset,subject,clip,label,prediction\n\nsmic,s01,a,0,happy\n", r"\(line 3\)"),
        ("dataset;subject;clip;label;prediction\nsmic;None;a;0;0\n", "line 2 has an empty subject"),
        ("dataset,subject,clip,label,prediction\n" + 2 * "smic,s,a,0,0\n", "time in line 3"),
        ("Label,label\n0,0\n", "names a column twice"),
    ],
)
def test_unusable_csv_files_are_refused(tmp_path, text, message):
    path = tmp_path / "p.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        metrics.score_file(path)


PLAIN = "dataset,subject,clip,label,prediction\nsmic,s01,a,negative,1\nsamm,006,b,2,2\n"
SEMICOLONS = PLAIN.replace(",", ";")


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        (PLAIN, {}),
        (PLAIN.replace(",", ";"), {}),
        (PLAIN.replace(",", "\t"), {}),
        (PLAIN.replace(",", ", "), {}),
        (PLAIN.replace("\n", "\r\n") + ",,,,\r\n", {}),
        ("\ufeff" + PLAIN.title(), {}),
        (PLAIN.replace(",1\n", ",1.0\n").replace("2,2", "2.0,2.0"), {}),
        (PLAIN.replace(",", "|"), {}),
        (PLAIN.replace(",", " ; "), {}),
        (PLAIN.replace("\n", "\r"), {}),
        (PLAIN.replace("\n", "\n\n") + "\n \n;;;;\n".replace(";", ","), {}),
        (PLAIN.replace("\n", ",,\n"), {}),
        (PLAIN.replace(",", '","').replace("\n", '"\n"')[:-1].join('""')[:-1], {}),
        ("sep=;\n" + PLAIN.replace(",", ";"), {}),
        ('"sep=|"\r\n' + PLAIN.replace(",", "|"), {}),
        (SEMICOLONS.replace(";1\n", ";1,0\n").replace("2;2", "2,0;2,0"), {}),
        (SEMICOLONS.replace("dataset", '"a, b, c, d, e, f";dataset').replace("\ns", "\n;s"), {}),
        (PLAIN.replace("a,negative", "a ,\u00a0Negative "), {}),
        (PLAIN.replace("dataset", ",dataset").replace("smic", "0,smic").replace("samm", "1,samm"), {}),
        (PLAIN.replace("label,prediction", "Truth,guess"), {"label": "truth", "prediction": "Guess"}),
        (PLAIN.replace("label,prediction", "prediction,label"), {"label": "prediction", "prediction": "label"}),
        (PLAIN.replace("clip", "file").replace("\n", ",x\n").replace(",x\n", ",Clip\n", 1), {"clip": "file"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_as_other_programs_write_them(tmp_path, text, columns, encoding):
    path = tmp_path / "p.csv"
    path.write_bytes(text.encode(encoding))
    table = metrics.read_predictions(path, columns)
    assert table["subject"].str.lower().tolist() == ["s01", "006"]
    assert table["clip"].str.lower().tolist() == ["a", "b"]
    assert table["label"].tolist() == ["negative", "surprise"]
    assert table["prediction"].tolist() == ["positive", "surprise"]


def test_columns_that_are_not_there_are_named_with_what_is(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text(PLAIN.replace("label", "truth"))
    with pytest.raises(InputError, match=r"has dataset, .*, truth, prediction; say .* label=NAME"):
        metrics.score_file(path)
    with pytest.raises(InputError, match="column wahr missing"):
        metrics.score_file(path, {"label": "wahr"})
    with pytest.raises(InputError, match="'lable': no column; expected some of dataset,"):
        metrics.score_file(path, {"lable": "truth"})


MISSING = [
    None,
    np.nan,
    pd.NA,
    pd.NaT,
    "",
    " ",
    "\u00a0",
    "NaN",
    "None",
    "null",
    "<NA>",
    "#N/A",
    "NA",
]


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("column", metrics.COLUMNS)
def test_an_empty_cell_is_no_name(column, missing):
    table = table_of([("smic", "s01", "a", 0, 0), ("smic", "s02", "b", 0, 0)]).astype(object)
    table.loc[1, column] = missing
    for refuse in (metrics.scores, lambda table: metrics.subject_bootstrap(table, resamples=9)):
        with pytest.raises(InputError, match=f"row 2 has an empty {column}; fill it in"):
            refuse(table)


@pytest.mark.parametrize("missing", ["", " ", "nan", "None", "NULL", '""', "<NA>", "#N/A"])
@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_an_empty_field_is_named_with_its_line(tmp_path, missing, place, separator):
    row = ["smic", "s02", "b", "0", "0"]
    row[place] = missing
    lines = ["dataset,subject,clip,label,prediction", "smic,s01,a,0,0", "", ",".join(row)]
    (tmp_path / "p.csv").write_text("\n".join(lines).replace(",", separator))
    with pytest.raises(InputError, match=f"line 4 has an empty {metrics.COLUMNS[place]}"):
        metrics.score_file(tmp_path / "p.csv")


def test_blanks_around_a_name_make_nobody_else_of_it(tmp_path):
    rows = [
        ("smic", "s01", "a", 0, 0),
        ("smic ", " s01", "b", 0, 0),
        ("smic", "s01\t", "c\u00a0", 1, 1),
    ]
    scores = metrics.scores(table_of(rows), resamples=5)
    assert scores["subjects"].to_dict() == {"all": 1, "smic": 1}
    with pytest.raises(InputError, match="clip smic s01 a occurs twice"):
        metrics.scores(table_of([*rows, ("smic", "s01 ", "a", 0, 0)]))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-bom"])
def test_logs_in_any_unicode_are_read(tmp_path, encoding):
    text = "smic s01\r\na 0 1\r\n"
    content = (
        text.encode(encoding) if "be" not in encoding else ("\ufeff" + text).encode("utf-16-be")
    )
    (tmp_path / "log.txt").write_bytes(content)
    assert metrics.read_megc_log(tmp_path / "log.txt")["subject"].tolist() == ["s01"]


@pytest.mark.parametrize("name", ["p.csv", "log.txt"])
def test_missing_and_binary_files_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="no such file"):
        metrics.score_file(tmp_path / name)
    for content in (b"\xff\xfe\x00", b"\x80\x81", b"PK\x03\x04\x00\x00", "é".encode("latin-1")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match="not a"):
            metrics.score_file(tmp_path / name)


def test_log_refuses_names_it_cannot_hold(tmp_path):
    table = table_of([("smic", "s 01", "a", 0, 0)])
    with pytest.raises(InputError, match="white space"):
        metrics.write_megc_log(table, tmp_path / "log.txt")
    assert not (tmp_path / "log.txt").exists()


def test_predictions_hold_class_names():
    assert set(random_table()["prediction"]) <= set(CLASSES)
