"""Rigs that several tests share: setting one up costs a second."""

import cv2
import pytest

from memaa_lib.synthetic import CAMERAS, Camera, FaceRig, sample_identity

cv2.setNumThreads(1)

SMALL = Camera("small", 120, 100, fps=100, noise=1.0)
SMALL_UNCROPPED = Camera(
    "small_uncropped",
    150,
    180,
    fps=200,
    gray=True,
    window=(20, 40, 120, 100),
    face_fraction=0.40,
    eye_row=0.44,
)


@pytest.fixture(scope="session")
def small_rig():
    return FaceRig(sample_identity("smic", "s1"), SMALL)


@pytest.fixture(scope="session")
def uncropped_rig():
    return FaceRig(sample_identity("samm", "006"), SMALL_UNCROPPED)


@pytest.fixture(scope="session")
def smic_rig():
    return FaceRig(sample_identity("smic", "s2"), CAMERAS["smic"])
