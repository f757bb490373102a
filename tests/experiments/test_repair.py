"""The steps of the repair see what their names say, and run on the folds of everything else."""

import numpy as np
import pandas as pd
import pytest

from memaa_lib import InputError
from memaa_lib.baselines import FaceClip, motion_avatar
from memaa_lib.baselines.flow import onset_to_apex
from memaa_lib.baselines.flow_images import clip_features as off_apexnet_features
from memaa_lib.baselines.motion_avatar import motion_picture, still
from memaa_lib.datasets import load_index, rows_of
from memaa_lib.experiments import repair
from memaa_lib.experiments.repair import BOUND, MOTION_AVATAR, NETWORK, OFF_APEXNET, STEPS


@pytest.mark.slow
def test_every_step_sees_what_its_name_says(tiny_twin):
    row = rows_of(load_index("smic", tiny_twin))[0]
    found = repair.step_pictures(row)
    assert set(found) == set(STEPS.values())
    clip = FaceClip(row)
    assert np.array_equal(found[STEPS[MOTION_AVATAR]], motion_avatar.clip_features(clip))
    assert np.array_equal(found[STEPS[OFF_APEXNET]], off_apexnet_features(clip))
    to_apex = motion_picture(still(onset_to_apex(clip))).ravel()
    assert np.array_equal(found[STEPS[BOUND]], to_apex)
    flow_only = found["rest"]
    assert np.array_equal(flow_only, found["strain"][: len(flow_only)])
    assert {
        len(found[name]) for name in ("flow", "late", "lagrangian", "plain", "mean", "rest")
    } == {392}
    magnified = ("flow", "late", "lagrangian", "plain")
    assert len({found[name].tobytes() for name in magnified}) == len(magnified)


def test_one_network_is_left_out_where_there_are_many_folds(monkeypatch, tmp_path):
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path))
    index = six_subjects()
    monkeypatch.setattr(repair, "off_apexnet", repair.learner)  # a network would take long
    monkeypatch.setattr(repair, "load_members", lambda *_, **__: index)
    monkeypatch.setattr(repair, "rows_of", lambda index: list(range(len(index))))
    monkeypatch.setattr(repair, "_kept_pictures", pictures)
    kfold, _ = repair.ladder("smic", "kfold", "laptop", seed=0, n_jobs=1)
    assert list(kfold) == list(STEPS)
    loso, _ = repair.ladder("smic", "loso", "laptop", seed=0, n_jobs=1)
    assert [step for step in STEPS if step not in loso] == [NETWORK]
    assert all(len(run.predictions) == len(index) for run in loso.values())


def six_subjects() -> pd.DataFrame:
    labels = ["negative", "positive", "surprise"] * 6
    rows = {
        "subject": np.repeat([f"s{i}" for i in range(6)], 3),
        "clip": [f"c{i}" for i in range(18)],
    }
    return pd.DataFrame({"dataset": "smic", "label": labels} | rows)


def pictures(number: int) -> tuple[np.ndarray, ...]:
    """What stands for a clip's pictures: those of the networks are 28 x 28."""
    random = np.random.default_rng(number)
    lengths = [2352 if "image" in name else 40 for name in STEPS.values()]
    return tuple(random.normal(size=n).astype(np.float32) for n in lengths)


def test_a_profile_that_the_steps_lack_is_refused_before_the_work():
    with pytest.raises(InputError, match="unknown profile 'paper-pretrained'"):
        repair.ladder("smic", "kfold", "paper-pretrained", seed=0, n_jobs=1)
