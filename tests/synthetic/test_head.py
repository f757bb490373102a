"""The head: its file, its subdivision, its shape targets."""

import hashlib

import numpy as np
import pytest

from memaa_lib.synthetic import load_head
from memaa_lib.synthetic.head import HEAD_FILE, load_anatomy, macro_weights, subdivide
from tools.build_head import HEAD_SHA256


def test_file_is_what_the_builder_documents():
    assert hashlib.sha256(HEAD_FILE.read_bytes()).hexdigest() == HEAD_SHA256


def test_a_closed_cube_gets_26_vertices_and_24_faces():
    cube = [[0, 1, 2, 3], [7, 6, 5, 4], [0, 4, 5, 1], [1, 5, 6, 2], [2, 6, 7, 3], [3, 7, 4, 0]]
    corners = np.array(
        [[x, y, z] for z in (-1, 1) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))], float
    )
    matrix, quads = subdivide(8, np.array(cube))
    points = matrix @ corners
    assert points.shape == (26, 3)
    assert quads.shape == (24, 4)
    # Catmull and Clark: corners of the cube go to 5/9, edges to 3/4, faces stay at 1.
    np.testing.assert_allclose(np.abs(points[:8]), 5 / 9, atol=1e-6)
    np.testing.assert_allclose(np.sort(np.abs(points[8:20]), 1)[:, 1:], 3 / 4, atol=1e-6)
    np.testing.assert_allclose(np.abs(points[20:]).sum(1), 1, atol=1e-6)


def test_subdivision_keeps_a_constant():
    head = load_head()
    ones = np.ones(len(head.vertices))
    np.testing.assert_allclose(head.subdivision @ ones, 1, atol=1e-5)
    np.testing.assert_allclose(head.neighbours @ ones, 1, atol=1e-5)


def test_shapes_are_linear_in_the_weights():
    head = load_head()
    both = head.shifts({"au/jawOpen": 0.5, "nose/nose-hump-incr": 0.2})
    apart = head.shifts({"au/jawOpen": 0.5}) + head.shifts({"nose/nose-hump-incr": 0.2})
    np.testing.assert_allclose(both, apart, atol=1e-7)
    np.testing.assert_array_equal(head.shape({}), head.vertices)


@pytest.mark.parametrize("age", [0.0, 0.3, 1.0])
def test_shares_of_age_sex_and_ancestry_sum_to_one(age):
    weights = macro_weights(age, 0.7, {"african": 0.2, "asian": 0.5, "caucasian": 0.3})
    assert sum(w for name, w in weights.items() if name.startswith("race/")) == pytest.approx(1)


def test_the_jaw_drops_at_the_chin_and_not_at_the_forehead():
    anatomy = load_anatomy()
    chin, forehead = (anatomy.regions[name].argmax() for name in ("chin", "forehead"))
    assert anatomy.jaw_drop[chin] > 0.05
    assert abs(anatomy.jaw_drop[forehead]) < 0.001
