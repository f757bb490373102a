"""The single frame: uniform patterns by their definition."""

import numpy as np
import pytest

from memaa_lib.baselines.apex import picture_features, uniform_codes
from memaa_lib.texture import lbp_map


def test_uniform_patterns_are_those_of_two_changes_at_most():
    """Once round the pixel: left to right above, down, right to left below, up."""
    table = uniform_codes()
    ring = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    by_rows = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    uniform = []
    for pattern in range(256):
        bits = {place: pattern >> k & 1 for k, place in enumerate(by_rows)}
        changes = sum(bits[ring[i]] != bits[ring[i - 1]] for i in range(8))
        if changes <= 2:
            uniform.append(pattern)
        else:
            assert table[pattern] == 58
    assert table[uniform].tolist() == list(range(58))


def test_features_are_shares_of_uniform_patterns():
    face = np.random.default_rng(0).integers(0, 256, (42, 37), dtype=np.uint8)
    codes = uniform_codes()[lbp_map(face[None])][0]
    features = picture_features(face).reshape(5, 5, 59)
    assert features[2, 3, 58] == pytest.approx(np.mean(codes[16:24, 21:28] == 58))
    assert np.allclose(features.sum(axis=2), 1)
