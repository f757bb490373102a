"""The rasteriser against the definition of a triangle."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from memaa_lib.synthetic.raster import rasterise, triangles_of, vertex_normals


@settings(deadline=None, derandomize=True, max_examples=25)
@given(st.integers(0, 10_000))
def test_random_triangles_match_the_literal_definition(seed):
    rng = np.random.default_rng(seed)
    points, depth = rng.uniform(-5, 25, (12, 2)), rng.uniform(0, 1, 12)
    triangles = rng.permutation(12).reshape(4, 3)
    seen = rasterise(points, depth, triangles, (20, 22))
    best = np.full((20, 22), -np.inf)
    owner = np.full((20, 22), -1)
    for number, (a, b, c) in enumerate(triangles):
        system = np.array([points[a], points[b], points[c]]).T
        system = np.vstack([system, np.ones(3)])
        area = np.linalg.det(system)
        if area >= 0:  # seen from behind: y points down
            continue
        for y in range(20):
            for x in range(22):
                weights = np.linalg.solve(system, [x, y, 1])
                nearness = weights @ depth[[a, b, c]]
                if (weights >= 0).all() and nearness > best[y, x]:
                    best[y, x], owner[y, x] = nearness, number
    np.testing.assert_array_equal(seen.triangle, owner)


def test_interpolation_reproduces_a_linear_function():
    points = np.array([[0.0, 0.0], [0.0, 30.0], [30.0, 30.0], [30.0, 0.0]])
    seen = rasterise(points, np.zeros(4), triangles_of(np.array([[0, 1, 2, 3]])), (31, 31))
    image = seen.interpolate(points)
    y, x = np.mgrid[0:31, 0:31]
    assert seen.covered.all()
    np.testing.assert_allclose(image[..., 0], x, atol=1e-4)
    np.testing.assert_allclose(image[..., 1], y, atol=1e-4)


def test_normals_of_a_flat_sheet():
    sheet = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    normals = vertex_normals(sheet, np.array([[0, 1, 2, 3]]))
    np.testing.assert_allclose(normals, [[0, 0, 1]] * 4)
