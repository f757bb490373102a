"""The search for the hidden pattern finds it where it is, and only there."""

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from tests.long import watermark

# as soft as the frames of the sets are
FACE = cv2.GaussianBlur(cv2.resize(astronaut()[0:230, 110:300], (280, 340)), (0, 0), 5)


@pytest.mark.parametrize("scale", [0.5, 0.9, 1.3])
def test_the_pattern_is_found_at_any_place_and_size(scale):
    shown = cv2.resize(watermark.mark(FACE), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    canvas = np.full((shown.shape[0] + 90, shown.shape[1] + 190, 3), 255, np.uint8)
    canvas[60 : 60 + shown.shape[0], 150 : 150 + shown.shape[1]] = shown
    packed = cv2.imdecode(cv2.imencode(".jpg", canvas, [1, 85])[1], 1)
    assert watermark.correlation(packed, 340, 280) > watermark.THRESHOLD


def test_the_pattern_is_found_in_a_square_avatar():
    shown = cv2.resize(watermark.mark(FACE), (224, 224), interpolation=cv2.INTER_AREA)
    assert watermark.correlation(shown, 340, 280) > watermark.THRESHOLD


def test_a_face_without_it_has_it_not():
    assert watermark.correlation(FACE, 340, 280) < watermark.THRESHOLD - 0.1
