"""Clip plans: neutral at the onset, peak at the apex, back at the offset."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memaa_lib._support.errors import InputError
from memaa_lib.synthetic import plan_clip
from memaa_lib.synthetic.planning import KINDS, RECIPES, Difficulty, smooth_rise


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.sampled_from(KINDS), st.integers(2, 140), st.floats(0, 1), st.floats(0, 1))
def test_course_of_an_expression(small_rig, label, n_frames, where, difficulty):
    apex = 1 + int(where * (n_frames - 2))
    plan = plan_clip(
        small_rig, label, n_frames=n_frames, apex=apex, clip="c", difficulty=difficulty
    )
    assert plan.n_frames == n_frames
    assert plan.pose.shape == (n_frames, 6)
    assert not plan.expression[0].any()
    assert not plan.idle[0].any()
    assert plan.blink[0] < 1e-9
    active = plan.expression[apex] != 0
    assert active.any()
    # every muscle of the expression peaks at the apex
    assert (plan.expression[:, active] <= plan.expression[apex, active] + 1e-12).all()
    if apex < n_frames - 1:
        assert (plan.expression[-1] <= 1e-9).all()
    for path in (plan.pose, plan.gaze, plan.flicker, plan.blink, plan.idle):
        assert np.isfinite(path).all()


def test_peak_motion_is_what_the_plan_says(small_rig):
    plan = plan_clip(small_rig, "surprise", n_frames=30, apex=12, clip="c")
    motion = [small_rig.peak_motion(weights) for weights in plan.expression]
    assert int(np.argmax(motion)) == 12
    assert motion[12] == pytest.approx(plan.peak_px, rel=0.01)
    assert 0 < plan.peak_px <= small_rig.camera.peak_px[1]
    assert plan.expression.max() <= 0.2 + 1e-12


def test_plans_depend_on_clip_and_seed_alone(small_rig):
    def weights(**change):
        arguments = {"n_frames": 20, "apex": 9, "clip": "c", "seed": 0} | change
        return plan_clip(small_rig, "positive", **arguments).pose

    np.testing.assert_array_equal(weights(), weights())
    assert not np.array_equal(weights(), weights(clip="d"))
    assert not np.array_equal(weights(), weights(seed=1))


def test_mislabelling_follows_the_difficulty(small_rig):
    def wrong(difficulty):
        plans = [
            plan_clip(small_rig, "positive", n_frames=4, apex=2, clip=str(i), difficulty=difficulty)
            for i in range(150)
        ]
        return sum(plan.shown_label != plan.label for plan in plans)

    assert wrong(0.0) == 0
    assert 8 <= wrong(1.0) <= 30  # 12 % of 150, within three standard deviations


def test_every_recipe_names_known_units():
    from memaa_lib.synthetic import ACTION_UNITS

    for recipes in RECIPES.values():
        assert sum(recipe.chance for recipe in recipes) == pytest.approx(1)
        for recipe in recipes:
            for unit in recipe.units:
                assert unit in ACTION_UNITS or f"{unit}L" in ACTION_UNITS


def test_minimum_jerk_is_symmetric_and_flat_at_its_ends():
    x = np.linspace(0, 1, 101)
    y = smooth_rise(x)
    np.testing.assert_allclose(y + y[::-1], 1, atol=1e-12)
    assert max(y[1], 1 - y[-2]) < 2e-5


@pytest.mark.parametrize(
    "change",
    [
        {"label": "fear"},
        {"n_frames": 1, "apex": 0},
        {"apex": 0},
        {"apex": 20},
        {"difficulty": 1.5},
        {"difficulty": float("nan")},
    ],
)
def test_bad_plans_are_refused(small_rig, change):
    arguments = {"label": "positive", "n_frames": 20, "apex": 9, "difficulty": 0.5} | change
    with pytest.raises(InputError):
        plan_clip(small_rig, arguments.pop("label"), clip="c", **arguments)


def test_difficulty_levels():
    easy, hard = Difficulty.of(0), Difficulty.of(1)
    assert easy.smallest_peak == easy.noise == easy.drift == 1
    assert hard.largest_peak == pytest.approx(0.5)
