"""Reference runs: what is written is read back, and nothing else passes."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from memaa_lib import metrics, protocol
from memaa_lib._support.errors import InputError
from memaa_lib.experiments import comparison
from memaa_lib.experiments import reference_runs as library
from memaa_lib.experiments.ablations import every_arm
from memaa_lib.experiments.comparison import OURS, REMARKS, printed_scores, score_table, systems
from memaa_lib.experiments.reference_runs import (
    AS_TRAINED,
    LEAKING,
    STARTS,
    read_reference,
    results_folder,
    starts,
    write_reference,
)
from memaa_lib.metrics import COLUMNS, uar, uf1
from memaa_lib.paper import DATASET_TITLES, table

KEPT = sorted(
    path
    for kind in ("runs", "starts", "arms", "systems")
    for path in (results_folder() / kind).glob("*")
)


def predictions(shift: int = 0) -> pd.DataFrame:
    sets = ("smic", "casme2", "samm")
    rows = [
        (sets[i % 3], f"s{i % 5}", f"c{i}", i % 2, (i + shift * (i % 4)) % 3) for i in range(30)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


@pytest.fixture
def kept(tmp_path):
    path = tmp_path / "run.json"
    cost = pd.DataFrame({"method": ["a"], "ms": [1.23456789]})
    write_reference(
        path, {"one": predictions(), "two": predictions(1)}, {"seed": 3}, {"cost": cost}
    )
    return path


def test_predictions_come_back(kept):
    reference = read_reference(kept)
    assert list(reference.runs) == ["one", "two"]
    for name, shift in (("one", 0), ("two", 1)):
        wanted = predictions(shift)
        found = reference.runs[name]
        assert found["clip"].tolist() == wanted["clip"].tolist()
        assert uf1(found["label"], found["prediction"]) == uf1(
            wanted["label"], wanted["prediction"]
        )
    assert reference.provenance["seed"] == 3
    assert {"memaa", "digest"} <= set(reference.provenance)
    assert reference.tables["cost"].loc[0, "ms"] == 1.23457


def test_a_file_changed_by_hand_is_refused(kept):
    content = json.loads(kept.read_text("utf-8"))
    text = content["runs"]["one"]["predictions"]
    content["runs"]["one"]["predictions"] = text[::-1]
    kept.write_text(json.dumps(content), "utf-8")
    with pytest.raises(InputError, match="changed since it was made"):
        read_reference(kept)
    kept.write_text("{", "utf-8")
    with pytest.raises(InputError, match="damaged"):
        read_reference(kept)
    kept.write_text("{}", "utf-8")
    with pytest.raises(InputError, match="no reference run of predictions"):
        read_reference(kept)
    with pytest.raises(InputError, match="no such reference run"):
        read_reference("arms/nothing")


def test_runs_of_other_clips_are_not_mixed(tmp_path):
    with pytest.raises(InputError, match="different clips"):
        write_reference(tmp_path / "a.json", {"a": predictions(), "b": predictions()[:9]}, {})
    with pytest.raises(InputError, match="at least one"):
        write_reference(tmp_path / "a.json", {}, {})


def test_starts_differ_in_the_seed_of_the_pre_training_alone(monkeypatch):
    asked = []

    def trained(dataset, method, protocol, profile, *, weights, seed, n_jobs):
        asked.append((weights, dataset, method, protocol, profile, seed))

    monkeypatch.setattr(library.pretraining, "pretrained_weights", lambda made, n_jobs: made)
    monkeypatch.setattr(library, "train", trained)
    runs, tables = starts("samm", "kfold", "laptop", seed=7, n_jobs=1)
    assert list(runs) == [f"seed {number}" for number in range(STARTS)]
    assert not tables
    assert [weights.seed for weights, *_ in asked] == list(range(STARTS))
    assert {replace(weights, seed=0) for weights, *_ in asked} == {library.pretraining.PRETRAINING}
    assert {tuple(rest) for _, *rest in asked} == {("samm", "memaa", "kfold", "laptop", 7)}


def test_starts_of_what_has_none_are_refused():
    with pytest.raises(InputError, match="starts from imagenet"):
        starts("smic", "loso", "paper", seed=0, n_jobs=1)
    with pytest.raises(InputError, match="choose loso, kfold or composite"):
        starts("smic", "cross", "laptop", seed=0, n_jobs=1)


def test_an_experiment_is_kept_with_what_was_run(tmp_path, monkeypatch):
    found = SimpleNamespace(start="scratch", folds=[1, 2])
    told = {}
    monkeypatch.setattr(protocol, "load_index", lambda dataset, *_, **__: dataset)
    monkeypatch.setattr(library, "describe", lambda index: f"the clips of {index}")
    monkeypatch.setattr(library, "write_reference", lambda path, *given: told.update(all=given))
    calls = []

    def experiment(*names, **options):
        calls.append((names, options))
        return {"one": found}, {"cost": 1}

    library.keep(tmp_path / "a.json", experiment, "smic", "cross", seed=3, n_jobs=1)
    assert calls == [(("smic", "cross", "laptop"), {"seed": 3, "n_jobs": 1})]
    provenance = {"data": "the clips of composite", "dataset": "smic", "protocol": "cross"}
    provenance |= {"profile": "laptop", "seed": 3, "start": "scratch", "folds": 2}
    assert told["all"] == ({"one": found}, provenance, {"cost": 1})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"protocol": "LOSO"}, "unknown protocol 'LOSO'"),
        ({"dataset": "fer"}, "fer: unknown data set"),
        ({"profile": "desk"}, "unknown profile 'desk'"),
        ({"protocol": "cross", "dataset": "composite"}, "choose one of smic, casme2, samm"),
        ({"path": "/dev/null/a.json"}, "/dev/null: no folder"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_it_is_run(tmp_path, changes, message):
    def experiment(*names, **options):
        raise AssertionError("it was run")

    given = {
        "path": tmp_path / "a.json",
        "dataset": "smic",
        "protocol": "loso",
        "profile": "laptop",
    }
    with pytest.raises(InputError, match=message):
        library.keep(experiment=experiment, **given | changes)


@pytest.mark.parametrize(
    ("given", "read_from"), [("kfold", "smic"), ("loso", "smic"), ("composite", "composite")]
)
@pytest.mark.parametrize("experiment", [library.leak, every_arm, systems])
def test_every_experiment_reads_the_clips_of_its_protocol(
    monkeypatch, experiment, given, read_from
):
    class Asked(Exception):
        pass

    def read(dataset, root=None, *, allow_mixed=False):
        assert (dataset, root, allow_mixed) == (read_from, {"smic": "r"}, True)
        raise Asked

    monkeypatch.setattr(protocol, "load_index", read)
    monkeypatch.setattr(protocol, "check_mixture", lambda root, allow_mixed: None)
    monkeypatch.setattr(library.pretraining, "pretrained_weights", lambda made, n_jobs: made)
    where = {"root": {"smic": "r"}, "allow_mixed": True}
    with pytest.raises(Asked):
        experiment("smic", given, "laptop", seed=0, n_jobs=1, **where)


def test_a_profile_that_one_system_lacks_is_refused_before_the_first_runs():
    with pytest.raises(InputError, match="unknown profile 'paper-pretrained'"):
        systems("smic", "kfold", "paper-pretrained", seed=0, n_jobs=1)


def test_only_published_settings_are_kept_as_published():
    with pytest.raises(InputError, match="'laptop' is not as published; give 'paper'"):
        comparison.published("smic", "kfold", "laptop", seed=0, n_jobs=1)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_committed_runs_can_be_read_and_say_what_they_are(path):
    reference = read_reference(path)
    assert reference.runs
    assert {"data", "dataset", "protocol", "profile", "seed", "memaa"} <= set(reference.provenance)
    assert path.stat().st_size < 100_000


def test_the_method_was_run_on_every_set_alone_together_and_across():
    names = {path.stem for path in (results_folder() / "runs").glob("*.json")}
    sets = {"smic", "casme2", "samm"}
    assert names == {*sets, "composite", *(f"cross-{name}" for name in sets)}
    for name in (*sets, "composite"):
        runs = read_reference(f"runs/{name}").runs
        assert set(runs) == {AS_TRAINED, LEAKING}
        honest, leaking = (
            uf1(runs[key]["label"], runs[key]["prediction"]) for key in (AS_TRAINED, LEAKING)
        )
        assert honest < leaking


def test_the_first_of_the_starts_is_the_run_itself():
    starts = read_reference("starts/composite").runs
    assert list(starts) == [f"seed {number}" for number in range(STARTS)]
    assert starts["seed 0"].equals(read_reference("runs/composite").runs[AS_TRAINED])
    assert len({tuple(run["prediction"]) for run in starts.values()}) == STARTS


def test_score_table_scores_each_part():
    runs = {OURS: predictions(), "other": predictions(1)}
    scored = score_table(runs)
    for name, part in predictions(1).groupby("dataset"):
        title = DATASET_TITLES[name]
        assert scored.loc["other", (title, "UF1")] == uf1(part["label"], part["prediction"])
        assert scored.loc["other", (title, "UAR")] == uar(part["label"], part["prediction"])
    combined = scored["Combined"]
    assert (combined["low"] <= combined["UF1"]).all()
    assert (combined["UF1"] <= combined["high"]).all()


def test_printed_scores_are_those_of_table_3_with_every_remark():
    printed = printed_scores()
    for title in table(3).index:
        for part in DATASET_TITLES.values():
            value = table(3).loc[title, (part, "UF1")]
            assert printed.loc[(title, part), "paper"] == pytest.approx(value, nan_ok=True)
    assert sum(printed["remark"] != "") == len(REMARKS)
    assert printed.loc[("STSTNet", "Combined"), "published"] == 0.7353
    assert printed.loc[("Our Approach", "Combined"), "source"] == ""


# ------------------------------------------------------- the paper's own training, as page 07 tells it
@pytest.fixture(scope="module")
def full_training():
    return read_reference("paper/composite")


def test_the_paper_s_training_is_above_the_majority_on_each_twin(full_training):
    scores = metrics.scores(full_training.runs["leave one subject out"])
    assert (scores["uf1_low"] > scores["majority_uf1"]).all()
    assert scores.loc["all", "clips"] == 442
    assert len(full_training.tables["folds"].query("run == 'leave one subject out'")) == 68


def test_from_random_weights_it_learns_little(full_training):
    run = full_training.runs["five folds, from scratch"]
    assert round((run["prediction"] == "negative").mean(), 1) == 0.9  # "nine of ten clips"
    folds = full_training.tables["folds"].query("run == 'five folds, from scratch'")
    first, last = np.stack(folds["losses"]).mean(axis=0)[[0, -1]]
    assert round(1 - last / first, 1) == 0.2  # "by a fifth"


def test_most_of_the_result_is_the_starting_weights(full_training):
    start, random = (
        full_training.runs[name] for name in ("five folds", "five folds, from scratch")
    )
    assert metrics.paired_bootstrap(start, random, "uf1").low > 0
    gained, learned = (
        metrics.uf1(run["label"], run["prediction"])
        - metrics.scores(run).loc["all", "majority_uf1"]
        for run in (start, random)
    )
    assert learned < gained / 2


def test_it_comes_out_where_the_laptop_profile_does(full_training):
    laptop = read_reference("runs/composite").runs["as trained"]
    change = metrics.paired_bootstrap(full_training.runs["leave one subject out"], laptop, "uf1")
    assert change.low < 0 < change.high
    assert abs(change.difference) < 0.05


@pytest.mark.parametrize("dataset", ["smic", "casme2", "samm"])
def test_each_set_has_five_folds_of_the_paper_s_training(dataset):
    folds = read_reference(f"paper/{dataset}").tables["folds"]
    assert len(folds) == 5
    assert folds["weights_digest"].is_unique
