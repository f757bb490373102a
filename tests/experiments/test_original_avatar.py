"""The avatar of Yang and Bhanu: movement that is not affine is undone, and faces come together."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError
from memaa_lib.avatar import emotion_avatar
from memaa_lib.clips import Clip
from memaa_lib.experiments.original_avatar import original_emotion_avatar
from tests.test_avatar import PHOTO, face_clip


def test_the_original_avatar_undoes_movement_that_is_not_affine() -> None:
    frames = []
    rows, columns = np.indices(PHOTO.shape[:2], np.float32)
    for t in range(5):
        wave = np.float32(3 * np.sin(t)) * np.sin(rows / 25)
        frames.append(cv2.remap(PHOTO, columns + wave, rows, cv2.INTER_CUBIC, borderMode=4))
    clip = Clip(np.stack(frames), 100)
    avatars, reference = original_emotion_avatar([clip], size=168)
    plain = emotion_avatar(clip, size=168)

    def sharpness(image: NDArray[np.uint8]) -> float:
        return float(cv2.Laplacian(image, cv2.CV_64F)[20:-20, 20:-20].std())

    assert sharpness(avatars[0]) > 1.1 * sharpness(plain)
    assert np.abs(avatars[0].astype(int) - reference).max() <= 1


def test_original_avatars_come_closer_to_one_face() -> None:
    clips = [face_clip(3, seed) for seed in range(2)]
    clips[1] = replace(clips[1], frames=np.roll(clips[1].frames, 4, axis=2))
    avatars, reference = original_emotion_avatar(clips, size=96)
    plain = [emotion_avatar(clip, size=96).astype(int) for clip in clips]
    apart = np.abs(plain[0] - plain[1])[10:-10, 10:-10].mean()
    together = np.abs(avatars[0].astype(int) - avatars[1])[10:-10, 10:-10].mean()
    assert together < 0.5 * apart
    expected = np.rint(avatars.astype(float).mean(axis=0))
    assert np.abs(reference - expected).max() <= 1


def test_the_original_avatar_refuses_wrong_input() -> None:
    with pytest.raises(InputError, match="no clips"):
        original_emotion_avatar([])
    with pytest.raises(InputError, match="levels is 0"):
        original_emotion_avatar([face_clip(2)], levels=0)
