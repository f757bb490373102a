"""Landmarks drawn on frames lie where they are, also between pixels."""

import numpy as np
import pytest

from memaa_lib import InputError
from memaa_lib.figures import with_points

GRAY = 90


def center(picture: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Where the paint around a place has its center."""
    paint = np.abs(picture.astype(float) - GRAY).sum(axis=2)
    places = np.indices(paint.shape)[::-1].reshape(2, -1).T
    weights = paint.ravel() * (np.abs(places - near).max(axis=1) < 9)
    return weights @ places / weights.sum()


@pytest.mark.parametrize("shape", [(2, 30, 40), (2, 30, 40, 3)])
@pytest.mark.parametrize("enlarge", [2.0, 4.0])
def test_a_dot_and_a_ring_lie_where_the_landmarks_are(shape, enlarge):
    frames = np.full(shape, GRAY, np.uint8)
    found, true = np.full((2, 1, 2), (14.25, 11.5)), np.full((2, 1, 2), (25.0, 20.75))
    made = with_points(frames, found, true, box=(5, 3, 40, 30), enlarge=enlarge)
    assert made.shape == (2, round(27 * enlarge), round(35 * enlarge), 3)
    corner = np.array([5, 3])
    for track in (found, true):
        expected = (track[1, 0] - corner + 0.5) * enlarge - 0.5
        assert np.allclose(center(made[1], expected), expected, atol=0.2)


def test_the_frames_are_left_as_they_are():
    frames = np.full((1, 20, 20), GRAY, np.uint8)
    with_points(frames, np.full((1, 1, 2), 10.0), enlarge=1.0)
    assert (frames == GRAY).all()


def test_what_does_not_fit_is_refused():
    frames, track = np.zeros((2, 8, 8), np.uint8), np.zeros((2, 1, 2))
    with pytest.raises(InputError, match=r"2 frames, landmarks of 1"):
        with_points(frames, track[:1])
    with pytest.raises(InputError, match="nothing of the frames lies in the box"):
        with_points(frames, track, box=(9, 0, 12, 8))
