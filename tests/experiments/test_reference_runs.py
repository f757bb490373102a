"""Reference runs: what is written is read back, and nothing else passes."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from memaa_lib._support.errors import InputError
from memaa_lib.experiments import reference_runs as library
from memaa_lib.experiments.comparison import OURS, REMARKS, printed_scores, score_table
from memaa_lib.experiments.reference_runs import (
    AS_TRAINED,
    LEAKING,
    STARTS,
    read_reference,
    results_folder,
    write_reference,
    write_starts,
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


def test_starts_differ_in_the_seed_of_the_pre_training_alone(tmp_path, monkeypatch):
    asked = []

    def trained(dataset, protocol, profile, *, weights, seed, n_jobs):
        asked.append((dataset, protocol, profile, weights, seed))
        return SimpleNamespace(start=weights, folds=[1, 2])

    monkeypatch.setattr(library.pretraining, "pretrained_weights", lambda made, n_jobs: made)
    monkeypatch.setattr(library, "train", trained)
    monkeypatch.setattr(library, "load_index", lambda dataset: dataset)
    monkeypatch.setattr(library, "describe", lambda index: index)
    monkeypatch.setattr(library, "write_reference", lambda path, runs, told: asked.append(runs))
    write_starts(tmp_path / "a.json", "samm", "kfold", seed=7)
    *calls, runs = asked
    assert list(runs) == [f"seed {number}" for number in range(STARTS)]
    assert [weights.seed for *_, weights, _ in calls] == list(range(STARTS))
    assert len({replace(weights, seed=0) for *_, weights, _ in calls}) == 1
    assert {(*names, seed) for *names, _, seed in calls} == {("samm", "kfold", "laptop", 7)}


def test_starts_of_what_has_none_are_refused(tmp_path):
    with pytest.raises(InputError, match="starts from imagenet"):
        write_starts(tmp_path / "a.json", "smic", profile="paper")
    with pytest.raises(InputError, match="choose loso, kfold or composite"):
        write_starts(tmp_path / "a.json", "smic", "cross")
    assert not list(tmp_path.iterdir())


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
