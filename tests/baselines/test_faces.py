"""Faces: what is read, where the apex is, what changes the key of a kept file."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memaa_lib._support.errors import InputError
from memaa_lib.baselines import FaceClip, apex_position, searched_apex, spotted_apex
from memaa_lib.baselines.faces import face_regions, halving_maximum
from memaa_lib.clips import Clip, read_image
from memaa_lib.texture import FACE_SIZE, texture_intensity

QUICKLY = settings(deadline=None, derandomize=True, max_examples=30)


def test_faces_are_gray_and_of_one_size(index):
    clip = FaceClip(index.iloc[1].to_dict())
    assert clip.faces.shape == (12, *FACE_SIZE)
    assert clip.faces.dtype == np.uint8
    assert np.array_equal(clip.face(4), clip.faces[4])


def test_two_frames_are_read_where_two_are_wanted(index, monkeypatch):
    read = []
    monkeypatch.setattr(
        "memaa_lib.baselines.faces.read_image", lambda path: read.append(path) or read_image(path)
    )
    clip = FaceClip(index.iloc[1].to_dict())
    clip.face(0), clip.face(clip.apex)
    assert len(read) == 2


def test_apex_is_the_annotated_one_else_the_middle(index):
    assert apex_position(index.iloc[1].to_dict()) == 6
    assert apex_position(index.iloc[0].to_dict()) == 5
    searched = FaceClip(index.iloc[0].to_dict(), apex_rule="searched").apex
    assert 0 <= searched < 12


def test_nearest_frame_stands_for_a_missing_apex(index):
    row = index.iloc[1].to_dict()
    for number in (7, 8):
        (index_path := f"{row['path']}/img{number}.png")
        __import__("os").remove(index_path)
    assert FaceClip(row).numbers[FaceClip(row).apex] == 6


@QUICKLY
@given(st.integers(1, 40), st.data())
def test_a_single_spike_is_found(length, data):
    spike = data.draw(st.integers(0, length - 1))
    values = np.zeros(length)
    values[spike] = 1.0
    assert halving_maximum(values) == spike


def test_halving_keeps_the_heavier_half():
    """A lone high frame in a low half is passed over."""
    assert halving_maximum(np.array([0, 9, 0, 0, 5, 6, 5, 4.0])) in (4, 5)
    with pytest.raises(InputError, match="no values"):
        halving_maximum(np.array([]))


def test_searched_apex_is_where_the_mouth_changes_most():
    random = np.random.default_rng(0)
    faces = np.repeat(random.integers(0, 256, (1, 120, 100), dtype=np.uint8), 16, axis=0)
    landmarks = np.full((68, 2), 30.0)
    landmarks[48:68] = random.uniform((30, 80), (70, 100), (20, 2))
    for t in (9, 10, 11):
        faces[t, 80:100, 30:70] = random.integers(0, 256, (20, 40))
    assert searched_apex(faces, landmarks) in (9, 10, 11)


def test_regions_lie_in_the_image_and_hold_their_landmarks():
    face = np.random.default_rng(1).uniform(10, 90, (68, 2))
    for (top, bottom, left, right), points in zip(
        face_regions(face, (100, 100)),
        (face[[*range(17, 22), *range(36, 42)]], face[[*range(22, 27), *range(42, 48)]], face[48:]),
        strict=True,
    ):
        assert 0 <= top < bottom <= 100
        assert 0 <= left < right <= 100
        assert (points >= (left - 1, top - 1)).all()
        assert (points <= (right + 1, bottom + 1)).all()


def test_spotted_apex_has_the_greatest_intensity():
    frames = np.random.default_rng(0).integers(0, 256, (7, 40, 40), dtype=np.uint8)
    scores = texture_intensity(Clip(frames, 100), size=(40, 40))
    assert spotted_apex(frames) == int(np.argmax(scores))
