"""LBP-TOP against loops, against scikit-image, and its interpolation against Zhou's formula."""

import numpy as np
import pytest
import scipy.fft
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.feature import local_binary_pattern

from memaa_lib._support.errors import InputError
from memaa_lib.baselines.lbp_top import (
    block_histograms,
    interpolate,
    interpolation_matrix,
    lbp_top,
    plane_codes,
)

QUICKLY = settings(deadline=None, derandomize=True, max_examples=25)
FRAMES = np.random.default_rng(0).integers(0, 40, (11, 13, 12), dtype=np.uint8)


def literal_codes(frames, r, rt):
    """Codes as the challenge's sheet defines them, one voxel at a time."""
    n, h, w = frames.shape
    around = {
        0: lambda t, y, x: [(t, y, x + r), (t, y - r, x), (t, y, x - r), (t, y + r, x)],
        1: lambda t, y, x: [(t, y, x + r), (t - rt, y, x), (t, y, x - r), (t + rt, y, x)],
        2: lambda t, y, x: [(t, y - r, x), (t - rt, y, x), (t, y + r, x), (t + rt, y, x)],
    }
    codes = np.zeros((3, n - 2 * rt, h - 2 * r, w - 2 * r), int)
    for plane, neighbours in around.items():
        for t in range(rt, n - rt):
            for y in range(r, h - r):
                for x in range(r, w - r):
                    for bit, place in enumerate(neighbours(t, y, x)):
                        if frames[place] >= frames[t, y, x]:
                            codes[plane, t - rt, y - r, x - r] += 2**bit
    return codes


@pytest.mark.parametrize(("r", "rt"), [(1, 1), (1, 4), (2, 3)])
def test_codes_follow_their_definition(r, rt):
    assert np.array_equal(plane_codes(FRAMES, r, rt), literal_codes(FRAMES, r, rt))


def test_planes_agree_with_scikit_image():
    """Frames four apart make an image in which the radius in time is one."""
    codes = plane_codes(FRAMES)
    for i, t in enumerate(range(4, 7)):
        inner = local_binary_pattern(FRAMES[t], 4, 1)[1:-1, 1:-1]
        assert np.array_equal(codes[0, i], inner)
        for y in range(1, 12):
            image = FRAMES[[t - 4, t, t + 4], y]
            assert np.array_equal(codes[1, i, y - 1], local_binary_pattern(image, 4, 1)[1, 1:-1])
        for x in range(1, 11):
            image = FRAMES[[t - 4, t, t + 4], ::-1, x]  # theirs begins at y + 1, ours at y - 1
            assert np.array_equal(
                codes[2, i, :, x - 1], local_binary_pattern(image, 4, 1)[1, 1:-1][::-1]
            )


def test_histograms_count_every_code_of_a_block():
    codes = np.random.default_rng(1).integers(0, 16, (3, 2, 11, 12), dtype=np.uint8)
    histograms = block_histograms(codes, 16)
    for row, column, plane in np.ndindex(5, 5, 3):
        part = codes[plane, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        for code in range(16):
            assert histograms[row, column, plane, code] == pytest.approx(np.mean(part == code))


@QUICKLY
@given(st.integers(1, 40))
def test_interpolation_to_the_same_length_is_the_identity(n):
    assert np.allclose(interpolation_matrix(n, n), np.eye(n), atol=1e-12)


@QUICKLY
@given(st.integers(2, 40), st.integers(1, 30))
def test_interpolation_keeps_constants_and_the_ends(n, length):
    matrix = interpolation_matrix(n, length)
    assert np.allclose(matrix.sum(axis=1), 1)
    assert np.allclose(matrix[0], np.eye(n)[0], atol=1e-10)
    if length > 1:
        assert np.allclose(matrix[-1], np.eye(n)[-1], atol=1e-10)


@pytest.mark.parametrize("n", [5, 12, 33])
def test_interpolation_is_zhous_curve(n):
    """Their curve through the path graph: sin(pi k t + pi (n - k) / (2 n)), k = 1 ... n - 1."""
    frames = np.random.default_rng(n).normal(size=(n, 60))
    k = np.arange(1, n)

    def curve(t):
        return np.sin(np.pi * np.outer(t, k) + np.pi * (n - k) / (2 * n))

    mean = frames.mean(axis=0)
    weights = np.linalg.lstsq(curve(np.arange(1, n + 1) / n), frames - mean, rcond=None)[0]
    wanted = curve(np.linspace(1 / n, 1, 10)) @ weights + mean
    assert np.allclose(interpolation_matrix(n, 10) @ frames, wanted, atol=1e-9)


def test_interpolation_is_a_cosine_transform():
    frames = np.random.default_rng(3).normal(size=(8, 5))
    coefficients = scipy.fft.dct(frames, axis=0, norm="ortho")
    twice = np.concatenate([coefficients, np.zeros_like(coefficients)])
    dense = scipy.fft.idct(twice, axis=0, norm="ortho") * np.sqrt(2)  # at i / 2 - 1 / 4
    times = np.arange(16) / 2 - 0.25
    frequency = np.arange(8)
    basis = np.cos(np.pi * np.outer(2 * times + 1, frequency) / 16)
    scale = np.where(frequency == 0, np.sqrt(1 / 8), np.sqrt(2 / 8))
    assert np.allclose(dense, (basis * scale) @ coefficients)
    assert np.allclose((basis * scale) @ coefficients, dense)
    assert np.allclose(interpolation_matrix(8, 8) @ frames, frames)


def test_still_pixels_stay_equal():
    frames = np.repeat(np.random.default_rng(0).integers(0, 256, (1, 6, 6), dtype=np.uint8), 7, 0)
    assert np.array_equal(interpolate(frames), np.repeat(frames[:1], 10, axis=0))


def test_features_of_a_clip_are_histograms_of_75_parts():
    features = lbp_top(np.random.default_rng(0).integers(0, 256, (9, 32, 30), dtype=np.uint8))
    assert features.shape == (1200,)
    assert features.sum() == pytest.approx(75, abs=1e-3)


def test_wrong_input_is_named():
    with pytest.raises(InputError, match="no pixel has neighbours"):
        plane_codes(np.zeros((8, 9, 9), np.uint8))
    with pytest.raises(InputError, match="gray frames"):
        interpolate(np.zeros((8, 9, 9, 3), np.uint8))
    with pytest.raises(InputError, match="too small for 5 x 5"):
        block_histograms(np.zeros((1, 1, 4, 9), np.uint8), 16)
