"""The nearest px of the skin is found near a point as it would be among all px."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from memaa_lib.synthetic.landmarks import _nearest


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from([0.001, 0.01, 0.3]), st.booleans())
def test_the_nearest_px_is_the_first_of_all_that_are_as_near(seed, share, whole):
    rng = np.random.default_rng(seed)
    solid = rng.random((70, 90)) < share
    solid[rng.integers(70), rng.integers(90)] = True
    x, y = rng.uniform(-3, 93), rng.uniform(-3, 73)
    if whole:  # many px are as near as each other
        x, y = round(x), round(y)
    rows, columns = solid.nonzero()
    first = int(np.argmin((rows - y) ** 2 + (columns - x) ** 2))
    assert _nearest(solid, x, y) == (rows[first], columns[first])
