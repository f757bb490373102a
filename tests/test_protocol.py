"""Folds, what may reach training, and the running of folds."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memaa_lib import metrics, network, protocol
from memaa_lib._support.cache import fingerprint
from memaa_lib._support.errors import InputError
from memaa_lib._support.weights import write_weights
from memaa_lib.experiments import pretraining
from memaa_lib.paper import DATASETS
from memaa_lib.profiles import PROFILES
from memaa_lib.protocol import Fold
from tests import conftest
from tests.conftest import make_index, shallow

pytest.importorskip("torch")

ALPHAS = (5.0, 10.0, 15.0)  # of the paper's profile, and so of TINY
SYSTEM_OPTIONS = {"profile", "seed", "weights", "device", "leak"}
TINY = replace(conftest.TINY, batch_size=8, epochs=1)
relaxed = settings(deadline=None, derandomize=True, max_examples=40)


pytestmark = pytest.mark.usefixtures("shallow_network")


@pytest.fixture(scope="module")
def index():
    return make_index({"smic": ("01", "02"), "samm": ("01", "06")}, clips=2)


@pytest.fixture(scope="module")
def avatars(index):
    shape = (len(index), len(ALPHAS), 32, 32, 3)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def run(avatars, index, folder, folds=None, **options):
    folds = protocol.leave_one_subject_out(index) if folds is None else folds
    given = {name: options.pop(name) for name in SYSTEM_OPTIONS & set(options)}
    system = protocol.Memaa(**{"profile": TINY, **given})
    return protocol.evaluate(avatars, index, folds, system, out=folder, **{"n_jobs": 1, **options})


# ------------------------------------------------------------------------------------ folds

indices = st.lists(
    st.tuples(st.sampled_from(("smic", "casme2", "samm")), st.integers(1, 6), st.integers(0, 2)),
    min_size=4,
    max_size=40,
).map(
    lambda rows: pd.DataFrame(
        [(d, f"{s:03d}", f"c{i}", c) for i, (d, s, c) in enumerate(rows)],
        columns=list(protocol.REQUIRED_COLUMNS),
    )
)


def assert_partition(index, folds):
    keys = protocol.subject_keys(index)
    tested = np.concatenate([fold.test for fold in folds])
    assert sorted(tested) == list(range(len(index)))
    for fold in folds:
        assert not set(keys[fold.train]) & set(keys[fold.test])
        assert sorted([*fold.train, *fold.test]) == list(range(len(index)))
    protocol.check_folds(index, folds)


@relaxed
@given(indices)
def test_leaving_subjects_out_tests_each_clip_once_and_shares_no_subject(index):
    subjects = len(set(protocol.subject_keys(index)))
    if subjects < 2:
        with pytest.raises(InputError, match="only subject"):
            protocol.leave_one_subject_out(index)
        return
    folds = protocol.leave_one_subject_out(index)
    assert len(folds) == subjects
    assert_partition(index, folds)


@relaxed
@given(indices, st.integers(2, 5), st.integers(0, 3))
def test_grouped_folds_test_each_clip_once_and_share_no_subject(index, k, seed):
    if k > len(set(protocol.subject_keys(index))):
        with pytest.raises(InputError, match="number of subjects"):
            protocol.grouped_k_fold(index, k, seed)
        return
    if k > index["label"].value_counts().max():
        with pytest.raises(InputError, match="more than the clips of any class"):
            protocol.grouped_k_fold(index, k, seed)
        return
    folds = protocol.grouped_k_fold(index, k, seed)
    assert [fold.name for fold in folds] == [f"fold {i} of {k}" for i in range(1, k + 1)]
    assert_partition(index, folds)


def test_grouped_folds_are_balanced_where_subjects_allow_it():
    index = make_index({"smic": [f"{i:02d}" for i in range(20)]}, clips=6)
    for fold in protocol.grouped_k_fold(index, 5):
        assert index.iloc[fold.test]["label"].value_counts().tolist() == [8, 8, 8]


def test_grouped_folds_follow_the_seed():
    index = make_index({"smic": [f"{i:02d}" for i in range(20)]})
    members = [
        [fold.test.tolist() for fold in protocol.grouped_k_fold(index, 5, seed)]
        for seed in (0, 0, 1)
    ]
    assert members[0] == members[1] != members[2]


def test_equal_ids_of_different_data_sets_are_different_subjects(index):
    names = [fold.name for fold in protocol.leave_one_subject_out(index)]
    assert names == ["samm/01", "samm/06", "smic/01", "smic/02"]


def test_cross_dataset_fold_trains_on_one_set_and_tests_on_the_other(index):
    (fold,) = protocol.cross_dataset(index, "smic", "samm")
    assert set(index.iloc[fold.train]["dataset"]) == {"smic"}
    assert set(index.iloc[fold.test]["dataset"]) == {"samm"}
    assert len(fold.train) + len(fold.test) == len(index)


@pytest.mark.parametrize(("train", "test"), [("smic", "casme2"), ("smic", "smic")])
def test_impossible_cross_dataset_pairs_are_refused(index, train, test):
    with pytest.raises(InputError, match="data set"):
        protocol.cross_dataset(index, train, test)


@pytest.mark.parametrize("k", [1, 0, 5, 2.0, True])
def test_impossible_numbers_of_folds_are_refused(index, k):
    with pytest.raises(InputError, match="number of subjects"):
        protocol.grouped_k_fold(index, k)


def test_protocols_by_name(index):
    assert len(protocol.make_folds(index, "loso")) == 4
    assert len(protocol.make_folds(index, "kfold", k=2)) == 2
    assert [f.name for f in protocol.make_folds(index, "cross", train="samm")] == ["samm to smic"]
    with pytest.raises(InputError, match="unknown protocol"):
        protocol.make_folds(index, "holdout")


def test_index_without_the_columns_is_refused(index):
    with pytest.raises(InputError, match="column subject missing"):
        protocol.leave_one_subject_out(index.drop(columns="subject"))
    with pytest.raises(InputError, match="no clips"):
        protocol.leave_one_subject_out(index.iloc[:0])


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ([], "no folds"),
        ([Fold("a", np.array([0]), np.array([1]))], "subject smic/01 is in training and in test"),
        ([Fold("a", np.array([], int), np.array([1]))], "nothing to train on"),
        ([Fold("a", np.array([0]), np.array([99]))], "outside the index"),
        (
            [Fold("a", np.array([2]), np.array([0])), Fold("a", np.array([2]), np.array([1]))],
            "same name",
        ),
        (
            [Fold("a", np.array([2]), np.array([0])), Fold("b", np.array([2]), np.array([0]))],
            "tested in two folds",
        ),
    ],
)
def test_wrong_folds_are_refused(index, folds, message):
    with pytest.raises(InputError, match=message):
        protocol.check_folds(index, folds)


# ------------------------------------------------------------------------------------- leaks


def weights_of(results):
    return results.folds.set_index("fold")["weights_digest"].to_dict()


def garble(avatars, rows):
    garbage = avatars.copy()
    garbage[rows] = np.random.default_rng(9).integers(0, 256, garbage[rows].shape, np.uint8)
    return garbage


@pytest.mark.parametrize("trainable", ["all", "layer4", "fc"])
def test_no_byte_of_a_test_subject_reaches_its_training(
    avatars, index, tmp_path, trainable, weights
):
    profile = replace(TINY, trainable=trainable, initialisation="pretrained")
    fold = protocol.leave_one_subject_out(index)[0]
    one = run(avatars, index, tmp_path / "a", [fold], profile=profile, weights=weights)
    garbage = garble(avatars, fold.test)
    two = run(garbage, index, tmp_path / "b", [fold], profile=profile, weights=weights)
    assert weights_of(one) == weights_of(two)
    changed = garble(avatars, fold.train[:1])
    three = run(changed, index, tmp_path / "c", [fold], profile=profile, weights=weights)
    assert weights_of(one) != weights_of(three)  # the test can fail


def test_labels_of_the_test_clips_reach_neither_training_nor_prediction(avatars, index, tmp_path):
    fold = protocol.leave_one_subject_out(index)[0]
    wrong = index.copy()
    wrong.loc[fold.test, "label"] = "surprise"
    one = run(avatars, index, tmp_path / "a", [fold])
    two = run(avatars, wrong, tmp_path / "b", [fold])
    assert weights_of(one) == weights_of(two)
    assert one.predictions["prediction"].equals(two.predictions["prediction"])


def test_early_stopping_on_the_test_clips_is_labelled_and_never_scores_less(
    avatars, index, tmp_path
):
    profile = replace(TINY, epochs=3)
    folds = protocol.leave_one_subject_out(index)[:2]
    honest = run(avatars, index, tmp_path, folds, profile=profile)
    leaking = run(avatars, index, tmp_path, folds, profile=profile, leak="early-stopping")
    assert honest.leak is None
    assert leaking.leak == "early-stopping"
    assert (leaking.folds["leak"] == "early-stopping").all()
    assert leaking.folds["epoch"].between(1, 3).all()
    assert weights_of(honest) == weights_of(leaking)
    hits = [(r.predictions["label"] == r.predictions["prediction"]) for r in (honest, leaking)]
    by_fold = [hit.groupby(honest.predictions["fold"]).mean() for hit in hits]
    assert (by_fold[1] >= by_fold[0]).all()


def test_the_leak_has_predictions_even_if_no_epoch_is_ever_right():
    answers = iter([np.array([1, 1]), np.array([2, 2])])
    learner = SimpleNamespace(predict=lambda inputs: next(answers))
    best = protocol._BestEpoch(learner, np.zeros((2, 1)), np.array([0, 0]))
    for epoch in (1, 2):
        best(epoch)
    assert best.epoch == 1
    assert best.predictions.tolist() == [1, 1]


@pytest.mark.parametrize(("device", "gpu"), [("cpu", False), ("cuda", True)])
def test_only_folds_on_a_graphics_card_ask_for_one(device, gpu, avatars, index, monkeypatch):
    asked = []

    def run_tasks(function, shared, tasks, n_jobs, **options):
        asked.append(options["gpu"])
        return iter(())

    monkeypatch.setattr(protocol, "run_tasks", run_tasks)
    with pytest.raises(InputError, match="no fold finished"):
        run(avatars, index, None, device=device)
    assert asked == [gpu]


def test_a_fold_is_quick_where_the_last_layer_alone_is_trained():
    assert [name for name in PROFILES if protocol.Memaa(name).quick] == ["laptop"]


def test_unknown_leak_is_refused(avatars, index, tmp_path):
    with pytest.raises(InputError, match="unknown leak"):
        run(avatars, index, tmp_path, leak="everything")


# ----------------------------------------------------------------------------------- running


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    return write_weights(network.scratch_weights(0), folder, "start")


@pytest.fixture(scope="module")
def serial(avatars, index, tmp_path_factory):
    return run(avatars, index, tmp_path_factory.mktemp("serial"))


def test_every_clip_is_predicted_in_the_fold_that_leaves_its_subject_out(serial, index):
    assert serial.complete
    table = serial.predictions
    assert table["clip"].tolist() == index["clip"].tolist()
    assert (table["fold"] == table["dataset"] + "/" + table["subject"]).all()
    assert serial.scores().loc["all", "clips"] == len(index)


def test_result_files_are_small_plain_and_tell_what_was_run(serial):
    files = sorted(serial.folder.iterdir())
    assert len(files) == 4
    result = json.loads(files[0].read_text())
    assert result["fold"] == "samm/01"
    assert result["profile"] == "tiny"
    assert result["trained_images"] == 6 * 3  # six clips, three amplifications
    assert len(result["predictions"]) == 2
    assert files[0].stat().st_size < 2000


def test_folds_go_into_the_cache_if_no_folder_is_given(avatars, index, tmp_path, monkeypatch):
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path))
    results = run(avatars, index, None, protocol.leave_one_subject_out(index)[:1])
    assert results.folder == tmp_path / "folds"
    assert [path.name[:7] for path in results.folder.iterdir()] == ["samm-01"]


def test_finished_folds_are_kept_and_missing_ones_made_again(
    serial, avatars, index, monkeypatch, tmp_path
):
    for file in serial.folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    files = sorted(tmp_path.iterdir())
    files[1].unlink()
    files[2].write_text("{ cut off")
    called = []
    original = protocol.run_fold

    def counting(inputs, learner, task):
        called.append(task.fold.name)
        return original(inputs, learner, task)

    monkeypatch.setattr(protocol, "run_fold", counting)
    again = run(avatars, index, tmp_path)
    assert called == ["samm/06", "smic/01"]
    assert again.digest == serial.digest


def test_what_the_frozen_layers_see_is_kept_and_made_anew_if_damaged(
    avatars, index, tmp_path, monkeypatch
):
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path))
    weights = write_weights(network.scratch_weights(1), tmp_path, "start")
    only_output = replace(TINY, name="frozen", initialisation="pretrained", trainable="fc")
    made = []
    original = network.network_inputs

    def counting(*arguments):
        made.append(1)
        return original(*arguments)

    monkeypatch.setattr(network, "network_inputs", counting)

    def digest(folder):
        return run(avatars, index, tmp_path / folder, profile=only_output, weights=weights).digest

    first = digest("a")
    assert digest("b") == first
    assert len(made) == 1
    (kept,) = (tmp_path / "inputs").iterdir()
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    kept.write_bytes(content)
    assert digest("c") == first
    assert len(made) == 2


def test_kept_folds_read_no_weights(avatars, index, tmp_path, monkeypatch):
    path = write_weights(network.scratch_weights(1), tmp_path, "start")
    monkeypatch.setattr(pretraining, "pretrained_weights", lambda *settings, **options: path)
    pretrained = replace(TINY, name="ours", initialisation="pretrained")
    first = run(avatars, index, tmp_path / "folds", profile=pretrained)
    monkeypatch.setattr(protocol, "read_weights", lambda path: pytest.fail("weights were read"))
    assert run(avatars, index, tmp_path / "folds", profile=pretrained).digest == first.digest


def test_a_killed_run_resumes_to_the_same_digest(serial, avatars, index, monkeypatch, tmp_path):
    original = protocol.run_fold

    def killed_in_the_third_fold(inputs, learner, task):
        if task.fold.name == "smic/01":
            raise KeyboardInterrupt
        return original(inputs, learner, task)

    monkeypatch.setattr(protocol, "run_fold", killed_in_the_third_fold)
    with pytest.raises(KeyboardInterrupt):
        run(avatars, index, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    monkeypatch.setattr(protocol, "run_fold", original)
    assert run(avatars, index, tmp_path).digest == serial.digest


def test_order_of_folds_does_not_matter(serial, avatars, index, tmp_path):
    names = [fold.name for fold in protocol.leave_one_subject_out(index)]
    last = run(avatars, index, tmp_path, protocol.leave_one_subject_out(index)[:1:-1])
    assert weights_of(last) == {name: weights_of(serial)[name] for name in names[2:]}
    assert run(avatars, index, tmp_path).digest == serial.digest


def test_each_fold_has_a_seed_of_its_own_made_from_the_runs_and_its_name(serial, avatars, index):
    folds = protocol.leave_one_subject_out(index)
    tasks = protocol.plan_tasks(avatars, index, folds, protocol.Memaa(TINY, seed=5))
    seeds = [task.seed for task in tasks]
    assert seeds == [int(fingerprint(5, fold.name)[:8], 16) for fold in folds]
    assert len({*seeds, *serial.folds["seed"]}) == 8
    assert max(seeds) < 2**32  # what every generator takes


def test_seed_data_and_settings_change_the_file_names(serial, avatars, index, tmp_path):
    folds = protocol.leave_one_subject_out(index)[:1]
    names = set()
    for changed in (
        {},
        {"seed": 1},
        {"profile": replace(TINY, learning_rate=1e-3)},
        {"profile": replace(TINY, initialisation="pretrained"), "weights": None},
    ):
        if "weights" in changed:
            path = write_weights(network.scratch_weights(3), tmp_path / "w", "start")
            changed = {**changed, "weights": path}
        results = run(avatars, index, tmp_path / "out", folds, **changed)
        names.add(results.folds.loc[0, "fingerprint"])
    results = run(garble(avatars, [0]), index, tmp_path / "out", folds)
    names.add(results.folds.loc[0, "fingerprint"])
    assert len(names) == 5


def run_shallow_fold(inputs, learner, task):
    """Run a fold in another process, which has not heard of the shallow network."""
    network._resnet34 = shallow
    return protocol.run_fold(inputs, learner, task)


@pytest.mark.slow
def test_two_processes_give_the_same_digest(serial, avatars, index, monkeypatch, tmp_path):
    monkeypatch.setattr(protocol, "run_fold", run_shallow_fold)
    two = run(avatars, index, tmp_path / "two", n_jobs=2)
    assert serial.digest == two.digest
    assert serial.predictions.equals(two.predictions)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_dask_worker_that_dies_in_a_fold_loses_nothing_and_gives_the_same_digest(
    serial, avatars, index, monkeypatch, tmp_path
):
    distributed = pytest.importorskip("distributed")
    died = tmp_path / "died"

    def dying_once(inputs, learner, task):
        import os

        if task.fold.name == "samm/01" and not died.exists():
            died.touch()
            os._exit(9)
        return run_shallow_fold(inputs, learner, task)

    monkeypatch.setattr(protocol, "run_fold", dying_once)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        address = cluster.scheduler_address
        two = run(avatars, index, tmp_path / "two", cluster=address)
    assert died.exists()
    assert two.digest == serial.digest


def test_time_limit_stops_between_folds_and_the_run_goes_on_later(
    serial, avatars, index, monkeypatch, tmp_path
):
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(protocol.time, "monotonic", lambda: next(clock))
    stopped = run(avatars, index, tmp_path, time_limit=25)
    assert not stopped.complete
    assert 0 < len(stopped.folds) < 4
    assert set(stopped.predictions["fold"]) == set(stopped.folds["fold"])
    finished = run(avatars, index, tmp_path)
    assert finished.complete
    assert finished.digest == serial.digest


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"profile": "desktop"}, "unknown profile"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"time_limit": 0}, "the time limit is 0 s"),
        ({"profile": replace(TINY, test_alpha=20.0)}, "at alpha 5, 10, 15, 20 have the shape"),
        ({"cluster": "localhost"}, "tcp://"),
    ],
)
def test_wrong_options_are_refused(avatars, index, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        run(avatars, index, tmp_path, **options)


def test_starting_weights_that_cannot_be_had_are_found_before_the_avatars(index, monkeypatch):
    def gone():
        raise InputError("cannot be had")

    def make_avatars(*names, **options):
        raise AssertionError("avatars were made")

    monkeypatch.setattr(protocol, "load_index", lambda *names, **options: index)
    monkeypatch.setattr(protocol, "make_avatars", make_avatars)
    monkeypatch.setattr(network, "_download_imagenet", gone)
    with pytest.raises(InputError, match="cannot be had"):
        protocol.train("composite", "memaa", profile="paper", root={})


@pytest.mark.parametrize(
    ("dataset", "name", "members"),
    [
        ("smic", "kfold", ("smic",)),
        ("smic", "cross", DATASETS),
        ("smic", "composite", DATASETS),
        ("composite", "loso", DATASETS),
    ],
)
def test_what_a_protocol_reads(dataset, name, members):
    assert protocol.members_of(dataset, name) == members


def test_avatars_must_fit_the_index(avatars, index, tmp_path):
    with pytest.raises(InputError, match="one row for 8 clips"):
        run(avatars[:-1], index, tmp_path)
    with pytest.raises(InputError, match=r"\(8, 3, S, S, 3\)"):
        run(avatars[:, :2], index, tmp_path)


def test_wrong_label_is_refused(avatars, index, tmp_path):
    wrong = index.copy()
    wrong.loc[3, "label"] = "others"
    with pytest.raises(InputError, match="'others'"):
        run(avatars, wrong, tmp_path)


def test_results_are_scored_like_any_predictions(serial, tmp_path):
    metrics.write_megc_log(serial.predictions, tmp_path / "log.txt")
    scores = metrics.score_file(tmp_path / "log.txt", resamples=50)
    assert scores.loc["all", "uf1"] == serial.scores().loc["all", "uf1"]
