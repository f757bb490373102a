"""Flow, strain and Bi-WOOF: closed forms and definitions."""

import numpy as np
import pytest

from memaa_lib._support.errors import InputError
from memaa_lib.baselines.bi_woof import bi_woof
from memaa_lib.baselines.flow import ESTIMATORS, mean_distance, optical_flow, optical_strain
from memaa_lib.baselines.flow_images import flow_image
from tests.baselines.conftest import smooth_noise


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("step", [(1, 0), (-1, 2)])
def test_a_shifted_texture_moves_by_its_shift(estimator, step):
    image = smooth_noise((80, 70), sigma=3)
    flow = optical_flow(image, np.roll(image, step[::-1], axis=(0, 1)), estimator)
    assert np.allclose(np.median(flow[15:-15, 15:-15], axis=(0, 1)), step, atol=0.15)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_nothing_moves_between_equal_images(estimator):
    image = smooth_noise((64, 64))
    assert np.abs(optical_flow(image, image, estimator)).max() < 0.1


def test_wrong_input_is_named():
    image = np.zeros((32, 32), np.uint8)
    with pytest.raises(InputError, match="one of dis, tvl1, farneback"):
        optical_flow(image, image, "horn")
    with pytest.raises(InputError, match="of one size"):
        optical_flow(image, image[:30])


def test_strain_follows_its_definition():
    flow = np.random.default_rng(0).normal(size=(6, 7, 2)).astype(np.float32)
    strain = optical_strain(flow)
    for y, x in np.ndindex(6, 7):
        if y == 0 or x == 0:
            assert strain[y, x] == 0
            continue
        u_x, v_x = flow[y, x] - flow[y, x - 1]
        u_y, v_y = flow[y, x] - flow[y - 1, x]
        assert strain[y, x] == pytest.approx(np.sqrt(u_x**2 + v_y**2 + 0.5 * (u_y + v_x) ** 2))


@pytest.mark.parametrize("turn", [0.0, 0.01])
def test_a_rigid_motion_strains_nothing(turn):
    y, x = np.indices((20, 20), float)
    assert np.allclose(optical_strain(np.dstack([3 - turn * y, 1 + turn * x])), 0, atol=1e-5)


def test_bi_woof_follows_its_definition():
    flow = np.random.default_rng(1).normal(size=(16, 17, 2))
    strain = optical_strain(flow)
    wanted = np.zeros((5, 5, 8))
    for row, column in np.ndindex(5, 5):
        for y in range(3 * row, 3 * row + 3):
            for x in range(3 * column, 3 * column + 3):
                angle = np.degrees(np.arctan2(flow[y, x, 1], flow[y, x, 0]))
                place = min(int((angle + 180) // 45), 7)
                wanted[row, column, place] += np.hypot(*flow[y, x])
        block = strain[3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
        wanted[row, column] *= block.mean() / wanted[row, column].sum()
    wanted /= np.linalg.norm(wanted)
    assert np.allclose(bi_woof(flow), wanted.ravel(), atol=1e-5)


def test_bi_woof_of_a_still_face_is_zero_and_of_a_mirrored_one_is_mirrored():
    assert not bi_woof(np.zeros((20, 20, 2))).any()
    flow = np.random.default_rng(2).normal(size=(25, 25, 2))
    features = bi_woof(flow).reshape(5, 5, 8)
    assert np.isclose(np.linalg.norm(features), 1)
    assert np.allclose(bi_woof(3 * flow), bi_woof(flow), atol=1e-6)
    with pytest.raises(InputError, match="too small"):
        bi_woof(flow[:4])


def test_flow_image_averages_blocks():
    flow = np.random.default_rng(3).normal(size=(56, 84, 2)).astype(np.float32)
    layers = np.dstack([flow, optical_strain(flow)])
    wanted = layers.reshape(28, 2, 28, 3, 3).mean(axis=(1, 3)).transpose(2, 0, 1)
    assert np.allclose(flow_image(flow), wanted, atol=1e-5)


def test_distance_counts_only_what_is_known():
    truth = np.full((3, 3, 2), np.nan)
    truth[1, 1], truth[0, 2] = (1, 0), (0, 3)
    assert mean_distance(np.zeros((3, 3, 2)), truth) == 2.0
