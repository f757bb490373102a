"""3DHOG against loops, and its XY plane against scikit-image's HOG."""

import numpy as np
import pytest
from skimage.feature import hog

from memaa_lib._support.errors import InputError
from memaa_lib.baselines.hog3d import gradients, hog3d, orientation_histograms


def test_xy_plane_of_one_frame_is_scikit_images_hog():
    frame = np.random.default_rng(0).integers(0, 256, (40, 30), dtype=np.uint8)
    _, down, right = gradients(frame[None])
    ours = orientation_histograms(down, right, 8)
    theirs = hog(
        frame,
        orientations=8,
        pixels_per_cell=(8, 6),
        cells_per_block=(1, 1),
        block_norm="L1",
        feature_vector=False,
    )
    assert np.allclose(ours, theirs.reshape(5, 5, 8), atol=1e-6)


def test_histograms_follow_their_definition():
    random = np.random.default_rng(1)
    down, right = random.normal(size=(2, 3, 11, 13))
    histograms = orientation_histograms(down, right, 12)
    wanted = np.zeros((5, 5, 12))
    for t, y, x in np.ndindex(3, 10, 10):
        angle = np.degrees(np.arctan2(down[t, y, x], right[t, y, x])) % 180
        wanted[y // 2, x // 2, int(angle // 15)] += np.hypot(down[t, y, x], right[t, y, x])
    wanted /= wanted.sum(axis=2, keepdims=True)
    assert np.allclose(histograms, wanted, atol=1e-4)


def test_gradients_are_differences_of_neighbours():
    frames = np.random.default_rng(2).integers(0, 256, (4, 5, 6), dtype=np.uint8)
    along = gradients(frames)
    assert along[0, 2, 1, 1] == float(frames[3, 1, 1]) - float(frames[1, 1, 1])
    assert along[1, 2, 1, 1] == float(frames[2, 2, 1]) - float(frames[2, 0, 1])
    assert along[2, 2, 1, 1] == float(frames[2, 1, 2]) - float(frames[2, 1, 0])
    assert not along[0, [0, -1]].any()


def test_speed_of_an_edge_stands_in_the_xt_plane():
    """An edge that moves one pixel a frame lies at 45 degrees in XT, a still one at 0."""
    x = np.arange(60)
    moving = np.stack([np.clip(4 * (x - 20 - t), 0, 80) for t in range(10)]).astype(np.uint8)
    clip = np.repeat(moving[:, None], 10, axis=1)
    time, _, right = gradients(clip)
    inner = np.s_[2:-2, 2:-2, 31:38]
    angle = np.degrees(np.arctan2(time[inner], right[inner])) % 180
    assert np.allclose(angle, 135)


def test_a_flat_clip_has_empty_histograms():
    assert not hog3d(np.full((12, 30, 30), 7, np.uint8)).any()
    with pytest.raises(InputError, match="too small"):
        orientation_histograms(np.zeros((1, 4, 4)), np.zeros((1, 4, 4)), 8)
