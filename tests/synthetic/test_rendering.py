"""Rendered clips: reproducible, and in agreement with their ground truth."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from memaa_lib._support.errors import InputError
from memaa_lib.synthetic import (
    ACTION_UNITS,
    CAMERAS,
    FaceRig,
    plan_clip,
    render_clip,
    sample_identity,
    true_flow,
)
from memaa_lib.synthetic.rendering import _blended, clip_weights

EYES = list(range(36, 48))


def gray(frame):
    return frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def still(plan):
    """The same clip without blinks, drift and flicker."""
    return replace(plan, blink=0 * plan.blink, pose=0 * plan.pose, gaze=0 * plan.gaze)


@pytest.fixture(scope="module")
def small_plan(small_rig):
    return plan_clip(small_rig, "surprise", n_frames=12, apex=5, clip="c")


def test_same_bytes_twice(small_rig, small_plan):
    first = render_clip(small_rig, small_plan)
    again = render_clip(FaceRig(small_rig.identity, small_rig.camera), small_plan)
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(first.landmarks, again.landmarks)


def test_shapes_and_types(small_rig, small_plan, uncropped_rig):
    clip = render_clip(small_rig, small_plan)
    assert clip.frames.shape == (12, 120, 100, 3)
    assert clip.frames.dtype == np.uint8
    assert clip.landmarks.shape == (12, 68, 2)
    assert clip.landmarks.dtype == np.float32
    assert clip.action_unit_weights.shape == (12, len(ACTION_UNITS))
    assert (clip.onset, clip.apex, clip.offset, clip.fps) == (0, 5, 11, 100)
    plan = plan_clip(uncropped_rig, "positive", n_frames=4, apex=2, clip="c")
    assert render_clip(uncropped_rig, plan).frames.shape == (4, 150, 180)


def test_onset_and_offset_are_neutral(small_rig, small_plan):
    plan = replace(still(small_plan), idle=0 * small_plan.idle)
    clip = render_clip(small_rig, plan, noise=False)
    neutral = small_rig.landmarks(np.zeros((1, len(ACTION_UNITS))), np.zeros((1, 6)))
    np.testing.assert_allclose(clip.landmarks[:1], neutral, atol=1e-4)
    departure = np.abs(clip.landmarks - clip.landmarks[0]).max((1, 2))
    assert int(departure.argmax()) == clip.apex
    assert departure[-1] < 0.01 * departure[clip.apex]


def test_motion_gain_scales_the_motion_of_landmarks(small_rig, small_plan):
    plan = still(small_plan)
    once, magnified = (render_clip(small_rig, plan, noise=False, motion_gain=g) for g in (1, 6))
    np.testing.assert_array_equal(once.frames[0], magnified.frames[0])
    motion = (once.landmarks - once.landmarks[0])[plan.apex]
    larger = (magnified.landmarks - magnified.landmarks[0])[plan.apex]
    # exact but for the perspective of the camera
    np.testing.assert_allclose(larger, 6 * motion, atol=0.15)
    assert magnified.peak_px == pytest.approx(6 * once.peak_px)
    frozen = render_clip(small_rig, plan, noise=False, motion_gain=0)
    assert (frozen.frames == frozen.frames[0]).all()


def test_noise_changes_frames_but_not_the_truth(small_rig, small_plan):
    noisy, clean = (render_clip(small_rig, small_plan, noise=n) for n in (True, False))
    np.testing.assert_array_equal(noisy.landmarks, clean.landmarks)
    difference = noisy.frames.astype(float) - clean.frames
    assert 0.5 < difference.std() < 3


def test_key_frames_are_rendered_and_those_between_are_nearly_right(small_rig, small_plan):
    whole = render_clip(small_rig, small_plan, noise=False)
    clip = render_clip(small_rig, small_plan, noise=False, key_frames=4)
    error = np.abs(clip.frames.astype(float) - whole.frames)
    # First, apex and last are rendered; each starts from the one before, which costs a gray level.
    assert error[[0, 5, 11]].max() <= 3
    assert error[[0, 5, 11]].mean() < 0.01
    np.testing.assert_array_equal(clip.landmarks, whole.landmarks)
    moved = np.abs(whole.frames.astype(float) - whole.frames[0])
    assert 0 < error.mean() < 0.5 * moved.mean()
    every = render_clip(small_rig, small_plan, key_frames=12)
    np.testing.assert_array_equal(every.frames, render_clip(small_rig, small_plan).frames)


def test_blend_between_two_key_frames_is_linear_in_light(small_rig):
    plan = still(plan_clip(small_rig, "positive", n_frames=5, apex=4, clip="d"))
    keys = [0, 4]
    at = [p[keys] for p in (clip_weights(small_rig, plan), plan.pose, plan.gaze)]
    first, last = small_rig.frames(*at)
    frames = list(_blended(iter([first, last]), np.array(keys)))
    assert len(frames) == 5
    np.testing.assert_allclose(frames[1], 0.75 * first + 0.25 * last, atol=1e-6)


def test_surroundings_do_not_move(uncropped_rig):
    plan = plan_clip(uncropped_rig, "negative", n_frames=6, apex=3, clip="c")
    frames = render_clip(uncropped_rig, plan, noise=False).frames
    assert (frames == frames[0]).all(0)[:, :35].all()
    assert (frames == frames[0]).all(0)[-8:].all()
    assert not (frames == frames[0]).all()


def test_window_joins_the_surroundings_without_a_seam(uncropped_rig):
    plan = plan_clip(uncropped_rig, "negative", n_frames=2, apex=1, clip="c")
    frame = render_clip(uncropped_rig, plan, noise=False).frames[0].astype(float)
    top, left, height, width = uncropped_rig.camera.head_window
    for seam in (frame[top - 1 : top + 1], frame[top + height - 1 : top + height + 1]):
        assert np.abs(np.diff(seam[:, left : left + width], axis=0)).mean() < 3
    for column in (left, left + width):
        seam = frame[top : top + height, column - 1 : column + 1]
        assert np.abs(np.diff(seam, axis=1)).mean() < 3


def test_flow_and_landmarks_agree(smic_rig):
    gaps = []
    for label in ("negative", "positive", "surprise"):
        plan = plan_clip(smic_rig, label, n_frames=9, apex=4, clip=label)
        flow = true_flow(smic_rig, plan, 0, 4)
        marks = render_clip(smic_rig, plan, noise=False).landmarks
        column, row = np.round(marks[0]).astype(int).T
        gaps.append(np.linalg.norm(flow[row, column] - (marks[4] - marks[0]), axis=1))
    assert np.nanmedian(gaps) < 0.02
    inner = np.setdiff1d(np.arange(17, 60), EYES)
    assert np.nanmax(np.array(gaps)[:, inner]) < 0.25


def test_flow_to_the_same_frame_is_zero(small_rig, small_plan):
    flow = true_flow(small_rig, small_plan, 3, 3)
    assert flow.shape == (120, 100, 2)
    assert np.nanmax(np.abs(flow)) < 0.03
    assert 0.3 < np.isfinite(flow[..., 0]).mean() < 0.95


def test_measured_flow_agrees_with_the_truth(smic_rig):
    errors = []
    dense = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dense.setFinestScale(0)
    dense.setPatchStride(2)
    for label in ("negative", "positive", "surprise"):
        plan = plan_clip(smic_rig, label, n_frames=9, apex=4, clip=label)
        first, apex = (gray(f) for f in render_clip(smic_rig, plan, noise=False).frames[[0, 4]])
        truth = true_flow(smic_rig, plan, 0, 4)
        inside = cv2.erode(np.isfinite(truth[..., 0]).astype(np.uint8), np.ones((9, 9))) > 0
        measured = dense.calc(first, apex, None)
        errors.append(np.linalg.norm(measured - truth, axis=2)[inside])
    assert np.median(np.concatenate(errors)) < 0.06


def test_a_full_blink_closes_the_eyes(small_rig, small_plan):
    blink = np.zeros(12)
    blink[6] = 1.0
    plan = replace(still(small_plan), blink=blink)
    plan = replace(plan, expression=0 * plan.expression, idle=0 * plan.idle)
    marks = render_clip(small_rig, plan, noise=False).landmarks
    openings = marks[:, [41, 40, 47, 46], 1] - marks[:, [37, 38, 43, 44], 1]
    assert (openings[6] < 0.35 * openings[0]).all()


@pytest.mark.parametrize("count", [2, 1, -3])
def test_too_few_key_frames_are_refused(small_rig, small_plan, count):
    with pytest.raises(InputError, match="key_frames"):
        render_clip(small_rig, small_plan, key_frames=count)


@pytest.mark.parametrize("gain", [-1.0, float("nan"), float("inf")])
def test_bad_gains_are_refused(small_rig, small_plan, gain):
    with pytest.raises(InputError, match="motion_gain"):
        render_clip(small_rig, small_plan, motion_gain=gain)


def test_frames_outside_the_clip_are_refused(small_rig, small_plan):
    with pytest.raises(InputError, match="12"):
        true_flow(small_rig, small_plan, 0, 12)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CAMERAS))
def test_every_camera_renders_varied_people(name):
    camera = CAMERAS[name]
    # two of them in the same view of fewer pixels, which is painted sooner
    for subject, one in enumerate((camera, with_100_rows(camera), with_100_rows(camera))):
        rig = FaceRig(sample_identity("further", f"{name}{subject}"), one)
        plan = plan_clip(rig, "negative", n_frames=3, apex=1, clip="c")
        clip = render_clip(rig, plan, motion_gain=11)
        assert clip.frames.shape == (3, *one.frame_shape)
        assert 10 < clip.frames.mean() < 245
        assert (clip.landmarks > 0).all()
        assert (clip.landmarks < [one.width, one.height]).all()


def with_100_rows(camera):
    """The same camera with a window of 100 rows."""

    def sized(pixels):
        return round(pixels * 100 / camera.head_window[2])

    window = camera.window and tuple(map(sized, camera.window))
    return replace(camera, height=sized(camera.height), width=sized(camera.width), window=window)
