"""LBP-TOP on magnified clips: the factor 0 changes nothing, and the choice is made in training."""

from types import SimpleNamespace

import numpy as np
import pytest

from memaa_lib._support.errors import InputError
from memaa_lib.baselines.evm_lbp_top import ALPHAS, AlphaMachine, clip_features, of_alpha
from memaa_lib.baselines.lbp_top import lbp_top


def film(frames: np.ndarray) -> SimpleNamespace:
    return SimpleNamespace(faces=frames.astype(np.uint8), row=SimpleNamespace(fps=100.0))


@pytest.fixture
def faces() -> np.ndarray:
    return np.random.default_rng(0).integers(60, 190, (12, 96, 80))


def test_without_magnification_it_is_lbp_top_bit_for_bit(faces):
    features = clip_features(film(faces))
    assert features.shape == (len(ALPHAS) * 1200,)
    assert np.array_equal(of_alpha(features[None], 0.0)[0], lbp_top(faces.astype(np.uint8)))


def test_magnification_changes_a_clip_that_moves_and_no_still_one(faces):
    moving, still = clip_features(film(faces)), clip_features(film(0 * faces + faces[0]))
    for alpha in ALPHAS[1:]:
        assert not np.array_equal(of_alpha(moving[None], alpha), of_alpha(moving[None], 0.0))
        assert np.array_equal(of_alpha(still[None], alpha), of_alpha(still[None], 0.0))


def clips(told_by: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of 30 clips whose class can be read at one factor."""
    labels, random = np.arange(30) % 3, np.random.default_rng(seed)
    features = random.normal(size=(30, len(ALPHAS), 40))
    features[:, ALPHAS.index(told_by), 0] += 30 * labels
    return features.reshape(30, -1), labels


@pytest.mark.parametrize("alpha", [0.0, 10.0, 30.0])
def test_the_factor_that_tells_the_classes_is_found_in_the_training_clips(alpha):
    features, labels = clips(alpha)
    machine = AlphaMachine()
    machine.fit(features, labels)
    assert machine.record == {"alpha": alpha}
    unseen, truth = clips(alpha, seed=1)
    assert np.array_equal(machine.predict(unseen), truth)
    again = AlphaMachine()
    again.fit(features, labels, seed=0)
    assert again.digest == machine.digest


def test_with_a_class_of_one_clip_nothing_is_magnified():
    features, labels = clips(30.0)
    machine = AlphaMachine()
    machine.fit(features[:4], labels[:4])
    assert machine.alpha == 0


def test_a_factor_that_was_not_made_is_refused():
    with pytest.raises(InputError, match="alpha is 5, expected one of 0, 2, 4, 8"):
        of_alpha(np.zeros((2, 10800)), 5.0)
