"""Cameras, projection and sensor."""

import numpy as np
import pytest

from memaa_lib._support.errors import InputError
from memaa_lib.synthetic import CAMERAS, Camera
from memaa_lib.synthetic.camera import View
from memaa_lib.synthetic.sensor import Sensor, develop


def test_cameras_of_the_three_releases():
    shapes = {name: CAMERAS[name].frame_shape for name in ("smic", "casme2", "samm")}
    assert shapes == {"smic": (178, 146, 3), "casme2": (340, 280, 3), "samm": (650, 960)}
    assert {name: camera.fps for name, camera in CAMERAS.items()} == {
        "smic": 100,
        "smic_raw": 100,
        "casme2": 200,
        "casme2_raw": 200,
        "samm": 200,
    }


@pytest.mark.parametrize(
    "change",
    [{"height": 20}, {"fps": 0}, {"fps": float("nan")}, {"noise": -1}, {"window": (0, 0, 99, 999)}],
)
def test_impossible_cameras_are_refused(change):
    with pytest.raises(InputError, match="camera 'x'"):
        Camera(**({"name": "x", "height": 100, "width": 80, "fps": 100} | change))


def test_projection_is_a_pinhole():
    view = View(100, 80, 0, (0.0, 0.0, 0.0), 50.0)
    near, far = view.project(np.array([[1.0, 0, 1.0], [1.0, 0, -1.0]]))
    assert near[0] - 39.5 == pytest.approx(50 * 9 / 8)
    assert far[0] - 39.5 == pytest.approx(50 * 9 / 10)


def test_tone_curve_rises_from_black_to_white():
    levels = develop(np.linspace(0, 2, 500, dtype=np.float32))
    assert levels[0] == 0
    assert levels[-1] == pytest.approx(255, abs=0.5)
    assert (np.diff(levels) >= 0).all()


def test_noise_has_the_stated_strength_and_no_memory():
    camera = Camera("x", 100, 120, fps=100, gray=True)
    flat = np.full((100, 120, 1), 0.2159, np.float32)  # about mid gray
    window = flat.reshape(1, 100, 120)
    frames = Sensor(camera, flat, 2.0, ("a",), ("p",)).expose([window] * 6, np.ones(6))
    frames = frames.astype(float)
    noise = frames - frames.mean(0)
    assert noise.std() * np.sqrt(6 / 5) == pytest.approx(2.0, rel=0.06)
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1] + 1 / 5) < 0.05
    again = Sensor(camera, flat, 2.0, ("a",), ("p",)).expose([window] * 6, np.ones(6))
    np.testing.assert_array_equal(frames, again)
    other = Sensor(camera, flat, 2.0, ("b",), ("p",)).expose([window] * 6, np.ones(6))
    assert (frames != other).mean() > 0.5
