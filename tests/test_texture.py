"""Frame scoring against the literal three-dimensional Fourier transform."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from memaa_lib._support import kernels
from memaa_lib._support.errors import InputError
from memaa_lib.clips import Clip
from memaa_lib.texture import (
    Scoring,
    above_mean,
    flicker_intensity,
    keep_frames,
    lbp_map,
    passed_fraction,
    texture_intensity,
    texture_intensity_literally,
)


def noise(n_frames: int, height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Frames of independent pixels."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n_frames, height, width), dtype=np.uint8)


def scores(frames: Any, **options: Any) -> NDArray[np.float64]:
    """A_i of frames, scored at their own size."""
    return texture_intensity(Clip(frames, 100), **{"size": frames.shape[1:3], **options})


def literally(frames: Any, **options: Any) -> NDArray[np.float64]:
    """A_i of frames as the definition says, at their own size."""
    return texture_intensity_literally(Clip(frames, 100), **{"size": frames.shape[1:3], **options})


def mask(shape: tuple[int, int, int], cutoff: float) -> NDArray[np.bool_]:
    """Eq. 7 over all bins of a transform of this shape."""
    bins = [np.fft.fftfreq(n, 1 / n) for n in shape]
    return np.asarray(
        np.sqrt(bins[0][:, None, None] ** 2 + bins[1][:, None] ** 2 + bins[2] ** 2) >= cutoff
    )


def test_patterns_equal_the_definition() -> None:
    gray = noise(2, 9, 13)
    gray[1] //= 64  # many ties
    codes = lbp_map(gray)
    assert codes.shape == (2, 7, 11)
    for t, y, x in np.ndindex(codes.shape):
        around = gray[t, y : y + 3, x : x + 3].ravel()
        bits = np.delete(around, 4) >= around[4]
        assert codes[t, y, x] == sum(2**k for k in np.flatnonzero(bits))


def test_patterns_do_not_see_brightness_or_contrast() -> None:
    gray = noise(2, 12, 10) // 3
    assert (lbp_map(gray) == lbp_map(gray * 2 + 50)).all()
    assert (lbp_map(np.full((1, 5, 5), 9, np.uint8)) == 255).all()


def test_colour_is_scored_as_gray() -> None:
    gray = noise(3, 40, 36)
    colour = np.repeat(gray[..., None], 3, axis=3)
    options: dict[str, Any] = {"window": 5, "blocks": 3, "cutoff": 4}
    assert (lbp_map(colour) == lbp_map(gray)).all()
    assert (scores(colour, **options) == scores(gray, **options)).all()


@given(
    n_frames=st.integers(1, 24),
    height=st.integers(15, 50),
    width=st.integers(15, 50),
    window=st.sampled_from([1, 3, 9, 21]),
    blocks=st.integers(1, 4),
    cutoff=st.floats(0, 12),
    padding=st.sampled_from(["replicate", "reflect"]),
    seed=st.integers(0, 99),
)
@settings(deadline=None, derandomize=True, max_examples=60)
def test_intensity_equals_the_literal_transform(
    n_frames: int,
    height: int,
    width: int,
    window: int,
    blocks: int,
    cutoff: float,
    padding: Any,
    seed: int,
) -> None:
    gray = noise(n_frames, height, width, seed)
    options: dict[str, Any] = {"window": window, "blocks": blocks, "padding": padding}
    expected = literally(gray, cutoff=cutoff, **options)
    found = scores(gray, cutoff=cutoff, **options)
    # a single frame has no temporal frequency but 0: what remains of the others is rounding
    whole = literally(gray, cutoff=0, **options)
    scale = whole.max() if n_frames == 1 else 0
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * scale)


def test_intensity_at_the_published_parameters() -> None:
    gray = noise(4, 170, 140)
    expected = literally(gray)
    np.testing.assert_allclose(scores(gray), expected, rtol=1e-6)


def test_rounding_does_not_pile_up_over_long_clips() -> None:
    n_frames = 2 * kernels.REFRESH + 30
    gray = noise(n_frames, 18, 16)
    found = scores(gray, window=13, blocks=2, cutoff=5)
    expected = literally(gray, window=13, blocks=2, cutoff=5)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_still_clip_scores_alike_in_every_frame_and_all_stay() -> None:
    still = np.repeat(noise(1, 60, 60), 12, axis=0)
    intensity = scores(still, window=5, blocks=2, cutoff=10)
    assert intensity.std() < 1e-6 * intensity.mean()
    assert above_mean(intensity).all()


@pytest.mark.parametrize("n_frames", [31, 58, 90])
@pytest.mark.parametrize("padding", ["replicate", "reflect"])
def test_frames_that_have_nothing_in_common_score_by_the_length_of_the_clip_alone(
    n_frames: int, padding: str
) -> None:
    found = scores(noise(n_frames, 170, 140), padding=padding)
    expected = flicker_intensity(n_frames, padding=padding)
    np.testing.assert_allclose(found / found.mean(), expected, atol=0.01)
    assert np.corrcoef(found, expected)[0, 1] > 0.98


def test_a_frame_and_its_mirror_image_add_up_and_copies_side_by_side_do_not() -> None:
    mirrored, copied = (flicker_intensity(101, padding=one) for one in ("reflect", "replicate"))
    free, edges = slice(30, 71), [*range(2, 25), *range(76, 99)]
    assert np.ptp(mirrored[free]) == pytest.approx(0, abs=1e-12)
    assert mirrored[edges].min() > mirrored[free].max()
    assert copied[edges].max() < copied[free].min()


def test_a_flickering_part_of_the_clip_scores_higher() -> None:
    frames = np.repeat(noise(1, 60, 60), 40, axis=0)
    frames[15:25, 10:40, 10:40] = noise(10, 30, 30, seed=5)
    intensity = scores(frames, window=5, blocks=3, cutoff=2)
    assert set(np.flatnonzero(above_mean(intensity))) <= set(range(12, 28))
    assert intensity[20] > 1.2 * intensity[3]


def test_reversing_the_clip_reverses_the_scores() -> None:
    gray = noise(15, 45, 38)
    options: dict[str, Any] = {"window": 7, "blocks": 3, "cutoff": 4}
    forward = scores(gray, **options)
    np.testing.assert_allclose(scores(gray[::-1], **options), forward[::-1], rtol=1e-6)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
@settings(deadline=None, derandomize=True, max_examples=100)
def test_kept_frames_are_those_above_the_mean(values: list[float]) -> None:
    intensity = np.array(values)
    keep = above_mean(intensity)
    assert keep.dtype == bool and keep.any()
    if intensity.std() > 1e-6 * abs(intensity.mean()):
        assert (keep == (intensity > intensity.mean())).all()
        assert not keep.all()
    else:
        assert keep.all()


def test_the_clip_without_removed_frames_remembers_its_first_frame() -> None:
    frames = np.repeat(noise(1, 60, 60), 20, axis=0)
    frames[8:14] = noise(6, 60, 60, seed=5)
    marks = np.random.default_rng(0).uniform(0, 50, (20, 68, 2))
    clip = Clip(frames, 100, onset=0, apex=10, landmarks=marks, box=(1, 2, 30, 40))
    options = Scoring(window=5, blocks=3, cutoff=2)
    stays = above_mean(texture_intensity(clip, options))
    assert stays[10] and not stays[0]
    kept = keep_frames(clip, options)
    assert (kept.frames == frames[stays]).all()
    assert kept.landmarks is not None and (kept.landmarks == marks[stays]).all()
    assert (kept.onset, kept.apex) == (None, stays[:10].sum())
    assert kept.reference is not None and kept.reference.landmarks is not None
    assert (kept.reference.frames == frames[:1]).all()
    assert (kept.reference.landmarks == marks[:1]).all()
    again = kept[np.arange(kept.n_frames) > 0]
    assert again.reference is kept.reference
    assert clip[np.arange(20) < 5].reference is None  # the first frame is still there


def test_probability_above_one_half_is_above_the_mean() -> None:
    from scipy.stats import logistic, norm

    intensity = np.random.default_rng(0).gamma(2, size=40)
    for law in (norm, logistic):
        probability = law.cdf(intensity, intensity.mean(), intensity.std())
        assert (above_mean(intensity) == (probability > 0.5)).all()


@pytest.mark.parametrize(
    ("size", "expected"),
    [((128, 128), 0.055), ((170, 140), 0.075), ((224, 224), 0.148), ((400, 400), 0.575)],
)
def test_passed_fraction_grows_with_the_frame(size: tuple[int, int], expected: float) -> None:
    rows, columns = ((side - 3) // 6 for side in size)
    assert passed_fraction(*size) == pytest.approx(mask((61, rows, columns), 30).mean())
    assert passed_fraction(*size) == pytest.approx(expected, abs=0.001)


def test_at_170_x_140_the_mask_passes_only_fast_flicker() -> None:
    passed = mask((61, 27, 22), 30)
    slowest = np.abs(np.fft.fftfreq(61))[passed.any(axis=(1, 2))].min()
    assert slowest > 0.4  # cycles a frame: 41 Hz at 100 fps, 82 Hz at 200 fps


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"window": 60}, "expected an odd number"),
        ({"window": 0}, "window is 0"),
        ({"blocks": 0}, "blocks is 0"),
        ({"blocks": 40}, "too small for 40 x 40 blocks"),
        ({"cutoff": -1}, "cutoff is -1"),
        ({"cutoff": float("nan")}, "cutoff is nan"),
        ({"padding": "zero"}, "expected 'replicate' or 'reflect'"),
        ({"size": (170, 0)}, "size is 0"),
        ({"frames": np.zeros((3, 2, 9), np.uint8)}, "too small"),
        ({"frames": np.zeros((3, 40, 40))}, "expected uint8 frames"),
        ({"frames": np.zeros((0, 40, 40), np.uint8)}, "at least one frame"),
    ],
)
def test_refuses_wrong_input(changes: dict[str, Any], words: str) -> None:
    call: dict[str, Any] = {"frames": noise(3, 40, 40)}
    with pytest.raises(InputError, match=words):
        scores(**(call | changes))


def test_refuses_frames_without_inner_pixels() -> None:
    with pytest.raises(InputError, match="no pixel with eight neighbours"):
        lbp_map(np.zeros((1, 2, 5), np.uint8))


@pytest.mark.parametrize("wrong", [np.array([]), np.array([1.0, np.nan]), np.ones((2, 2))])
def test_above_mean_refuses_wrong_input(wrong: NDArray[np.float64]) -> None:
    with pytest.raises(InputError, match="finite numbers"):
        above_mean(wrong)


def test_the_smallest_frame_has_blocks_of_one_pixel() -> None:
    frames = np.random.default_rng(0).integers(0, 255, (3, 9, 9), dtype=np.uint8)
    assert scores(frames, window=3, cutoff=0).shape == (3,)
    with pytest.raises(InputError, match="expected at least 9 px a side"):
        scores(frames[:, :8], window=3, cutoff=0)


def test_a_single_number_is_no_intensity() -> None:
    with pytest.raises(InputError, match=r"shape \(\), expected \(T,\)"):
        above_mean(np.array(3.0))
