"""Flow estimators against the true motion of a small twin."""

import numpy as np
import pytest

from memaa_lib._support.errors import InputError
from memaa_lib.baselines import FaceClip
from memaa_lib.baselines.flow import flow_errors, true_face_flow
from memaa_lib.datasets import load_index, load_truth_landmarks

# in one process, so that two do not make the twin at the same time
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("tiny twin")]


@pytest.fixture
def rows(tiny_twin):
    """Three clips, one a class."""
    index = load_index("smic", tiny_twin)
    return index.drop_duplicates("label").to_dict("records")


def test_true_flow_moves_the_true_landmarks(rows):
    """Landmarks inside the face move as the flow says, in px of the resized face."""
    clip = FaceClip(rows[0])
    flow = true_face_flow(clip)
    left, top, right, bottom = clip.window
    scale = np.array([clip.size[1] / (right - left), clip.size[0] / (bottom - top)])
    landmarks = (load_truth_landmarks(rows[0]) - (left, top)) * scale
    moved = landmarks[clip.apex] - landmarks[0]
    nose = range(27, 36)
    places = np.rint(landmarks[0]).astype(int)
    found = np.array([flow[places[i, 1], places[i, 0]] for i in nose])
    assert np.allclose(found, moved[list(nose)], atol=0.25)


def test_estimators_do_better_than_saying_that_nothing_moves(rows):
    table = flow_errors(rows, ("dis", "farneback"))
    assert len(table) == 2 * len(rows)
    mean = table[table["estimator"] == "dis"][["error_px", "motion_px"]].mean()
    assert mean["error_px"] < mean["motion_px"]


def test_real_data_have_no_true_flow(tmp_path):
    with pytest.raises(InputError, match="no true flow"):
        true_face_flow(FaceClip({"path": str(tmp_path)}))
