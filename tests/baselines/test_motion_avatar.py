"""The motion avatar is the mean movement from rest, the head's own taken off, and learns on photographs."""

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memaa_lib import metrics
from memaa_lib.baselines import SYSTEMS, make_features
from memaa_lib.baselines.flow import optical_strain
from memaa_lib.baselines.motion_avatar import (
    GRID,
    Regression,
    face_at_rest,
    mean_motion,
    motion_picture,
)
from memaa_lib.datasets import load_index
from memaa_lib.experiments.probes import probe_predictions
from memaa_lib.protocol import evaluate, make_folds, subject_keys, system_named
from tests.baselines.conftest import smooth_noise
from tests.photographs import photographs

__all__ = ["photographs"]


def moved(face: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """A face whose points have gone by a small, smooth flow."""
    rows, columns = np.indices(face.shape, np.float32)
    source = (columns - flow[..., 0]).astype(np.float32), (rows - flow[..., 1]).astype(np.float32)
    return cv2.remap(face, *source, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


@pytest.fixture(scope="module")
def raised() -> np.ndarray:
    """A patch of 170 x 140 that goes up by at most 2 px."""
    rows, columns = np.indices((170, 140))
    patch = np.exp(-((rows - 60) ** 2 + (columns - 70) ** 2) / (2 * 14**2))
    return np.dstack([0 * patch, -2 * patch])


def test_it_is_the_mean_of_the_way(raised):
    face = smooth_noise((170, 140))
    way = np.array([0, 0, 0, 0.3, 0.7, 1.0, 0.8, 0.4])
    motion = mean_motion(np.stack([moved(face, w * raised) for w in way]))
    at_patch, far = motion[55:66, 65:76], motion[130:160, 20:120]
    wanted = raised[55:66, 65:76, 1].mean() * way.mean()
    assert at_patch[..., 1].mean() == pytest.approx(wanted, rel=0.25)
    assert abs(at_patch[..., 0].mean()) < 0.1
    assert np.abs(far).mean() < 0.05


def test_the_head_s_own_movement_is_taken_off(raised):
    face = smooth_noise((170, 140))
    way = np.array([0, 0, 0, 0.3, 0.7, 1.0, 0.8, 0.4])
    still_head = mean_motion(np.stack([moved(face, w * raised) for w in way]))
    head = np.array([1.5, 1.0])
    moving_head = mean_motion(np.stack([moved(face, w * raised + w * head) for w in way]))
    inner = np.s_[20:-20, 20:-20]
    assert np.abs(moving_head - still_head)[inner].mean() < 0.1


def test_weights_and_rest_are_those_given(raised):
    face = smooth_noise((170, 140))
    faces = np.stack([face, moved(face, raised), face])
    second = mean_motion(faces, rest=face, weights=np.array([0.0, 1.0, 0.0]))
    even = mean_motion(faces, rest=face)
    np.testing.assert_allclose(even, second / 3, atol=0.02)
    assert np.array_equal(face_at_rest(np.stack([face, face])), face)


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[st.floats(-0.05, 0.05)] * 6))
def test_a_linear_field_has_its_slopes_everywhere(slopes):
    a, b, c, d, right, down = slopes
    rows, columns = np.indices((112, 112), float)
    picture = motion_picture(
        np.dstack([a * columns + b * rows + right, c * columns + d * rows + down])
    )
    step = 112 / (2 * GRID)
    for layer, slope in zip(picture[2:], (a, d, b + c), strict=True):
        np.testing.assert_allclose(layer, step * slope, atol=1e-4)


def test_a_turning_head_is_not_strained():
    rows, columns = np.indices((112, 112), float) - 56
    turning = np.dstack([-0.02 * rows, 0.02 * columns])
    assert np.abs(motion_picture(turning)[2:]).max() < 1e-5
    assert optical_strain(turning)[1:, 1:].max() < 1e-5


def test_a_factor_on_every_movement_changes_no_prediction():
    random = np.random.default_rng(0)
    features, labels = random.normal(size=(30, 12)), np.arange(30) % 3
    features[:, 0] += labels
    said = []
    for factor in (1, 11):
        machine = Regression()
        machine.fit(factor * features, labels)
        said.append(machine.predict(factor * features))
    assert np.array_equal(*said)


def test_the_regression_is_that_of_the_probes():
    random = np.random.default_rng(1)
    index = random_index(random)
    features = random.normal(size=(len(index), 20)).astype(np.float32)
    folds = make_folds(index, "loso")
    ours = evaluate(features, index, folds, system_named("motion_avatar")(), n_jobs=1)
    probe = probe_predictions(features.astype(np.float64), index, folds)
    assert ours.predictions["prediction"].tolist() == probe["prediction"].tolist()


def random_index(random: np.random.Generator) -> pd.DataFrame:
    names = np.array(["negative", "positive", "surprise"])
    return pd.DataFrame(
        {
            "dataset": "smic",
            "subject": [f"s{i // 6:02d}" for i in range(24)],
            "clip": [f"c{i}" for i in range(24)],
            "label": names[random.permutation(np.arange(24) % 3)],
        }
    )


@pytest.mark.slow
@pytest.mark.xdist_group("photographs")
@pytest.mark.parametrize("dataset", ["smic", "casme2", "samm"])
def test_it_learns_on_photographs(photographs, dataset, tmp_path, monkeypatch):
    """As the network on avatars does not: the interval's lower end is above the majority's score."""
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path))
    index = load_index(dataset, photographs(dataset).root)
    features = make_features(index, ["motion_avatar"], n_jobs=1)["motion_avatar"]
    assert features.shape == (len(index), 5 * GRID**2)
    folds = make_folds(index, "loso")
    assert len(folds) == len(np.unique(subject_keys(index)))
    results = evaluate(features, index, folds, system_named("motion_avatar")(), n_jobs=1)
    table = results.predictions
    score = metrics.subject_bootstrap(table, "uf1")
    assert score.low > metrics.uf1(table["label"], metrics.majority_baseline(table["label"])) + 0.2


def test_it_stands_beside_the_compared_systems():
    assert "ours" in SYSTEMS["motion_avatar"].title
