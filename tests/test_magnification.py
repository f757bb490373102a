"""Eulerian motion magnification against literal definitions, closed forms and invariants."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.data import astronaut
from skimage.metrics import peak_signal_noise_ratio

from memaa_lib._support.errors import InputError, check_count, check_number
from memaa_lib.clips import Clip, read_clip, read_frames, write_image, write_video
from memaa_lib.magnification import (
    METHODS,
    TEMPORAL_FILTERS,
    Magnification,
    band_gains,
    magnify,
    magnify_literally,
    make_amplifier,
    psnr,
    pyramid_levels,
    surviving_magnification,
    temporal_filter,
)
from memaa_lib.streaming import magnified_paths, magnify_file, magnify_stream

RGB_TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
Floats = NDArray[np.float64]
WITH_FILTER = tuple(method for method in METHODS if method != "lagrangian")


def moving_face(
    height: int = 64, width: int = 56, n_frames: int = 12, colour: bool = True
) -> NDArray[np.uint8]:
    """A real face that drifts by parts of a pixel, with sensor noise."""
    photo = astronaut() if colour else cv2.cvtColor(astronaut(), cv2.COLOR_RGB2GRAY)
    face = cv2.resize(photo[60:200, 160:290], (width, height), interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(0)
    frames = []
    for t in range(n_frames):
        shift = 0.4 * math.sin(2 * math.pi * t / n_frames)
        moved = cv2.warpAffine(
            face.astype(np.float32),
            np.array([[1, 0, shift], [0, 1, -0.5 * shift]]),
            (width, height),
            borderMode=cv2.BORDER_REFLECT_101,
        )
        frames.append(np.clip(np.rint(moved + rng.normal(0, 1, moved.shape)), 0, 255))
    return np.stack(frames).astype(np.uint8)


def magnified(frames: Any, fps: float, alpha: Any, **options: Any) -> NDArray[np.uint8]:
    """What ``magnify`` makes of frames, ``(A, T, ...)`` for several alphas."""
    result = magnify(Clip(frames, fps), alpha, **options)
    if isinstance(result, Clip):
        return result.frames
    return np.stack([clip.frames for clip in result])


def literally(frames: Any, fps: float, alpha: float, **options: Any) -> NDArray[np.uint8]:
    """What ``magnify_literally`` makes of frames."""
    return magnify_literally(Clip(frames, fps), alpha, **options).frames


def assert_nearly_equal(a: NDArray[np.uint8], b: NDArray[np.uint8], share: float = 3e-4) -> None:
    """At most one gray level apart, in at most ``share`` of the bytes: float32 against float64."""
    assert a.shape == b.shape
    difference = np.abs(a.astype(int) - b)
    assert difference.max() <= 1
    assert (difference > 0).mean() <= share


@pytest.mark.parametrize("size", [(64, 56), (61, 43), (40, 80), (23, 31)])
@pytest.mark.parametrize("chroma", [0.0, 0.1, 1.0])
def test_equals_the_literal_method_in_colour(size: tuple[int, int], chroma: float) -> None:
    frames = moving_face(*size)
    options: dict[str, Any] = {"per_frame_r": (0.4, 0.05), "chroma": chroma}
    ours = magnified(frames, 100, 10, **options)
    assert_nearly_equal(ours, literally(frames, 100, 10, **options))
    assert np.abs(ours.astype(int) - frames).mean() > 0.3


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("width", [10, 15, 16, 17, 24, 31, 32, 33, 47, 63, 64, 66, 97])
def test_equals_the_literal_method_whatever_the_rows_leave_over(width: int, colour: bool) -> None:
    """Rows are worked on in vectors of some values, and what they leave over one by one."""
    frames = moving_face(width + 3, width, colour=colour)
    ours = magnified(frames, 100, 10, per_frame_r=(0.4, 0.05))
    literal = literally(frames, 100, 10, per_frame_r=(0.4, 0.05))
    # some thousand bytes at least: of so few, one may lie beside
    assert_nearly_equal(ours, literal, max(3e-4, 1 / ours.size))


@pytest.mark.parametrize("colour", [True, False])
def test_what_is_far_too_bright_or_dark_is_white_or_black(colour: bool) -> None:
    frames = moving_face(colour=colour)
    much, *more = magnified(frames, 100, [1e5, 1e8, 1e15, 1e30], temporal="onset")
    saturated = ((much == 0) | (much == 255)) & (much != frames)
    assert saturated[1:].mean() > 0.9
    for one in more:  # beyond what fits into 32-bit integers
        assert (one[saturated] == much[saturated]).all()


@pytest.mark.parametrize("alpha", [0.5, 5.0, 40.0])
def test_equals_the_literal_method_in_gray(alpha: float) -> None:
    frames = moving_face(57, 49, colour=False)
    assert_nearly_equal(magnified(frames, 100, alpha), literally(frames, 100, alpha))


@pytest.mark.parametrize("clamp_gains", [True, False])
def test_equals_the_literal_method_with_other_gains(clamp_gains: bool) -> None:
    frames = moving_face(64, 56)
    gains: dict[str, Any] = {"cutoff_wavelength": 80, "exaggeration": 1.5}
    gains["clamp_gains"] = clamp_gains
    literal = literally(frames, 100, 10, **gains)
    assert_nearly_equal(magnified(frames, 100, 10, **gains), literal)
    assert (band_gains(64, 56, 10, **gains) < 0).any() != clamp_gains
    assert (literal != literally(frames, 100, 10)).mean() > 0.1


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {"temporal": "ideal", "band_hz": (5, 30)},
        {"temporal": "butterworth", "order": 1},
        {"temporal": "butterworth", "order": 3},
        {"temporal": "onset"},
        {"temporal": "iir"},
    ],
)
def test_equals_the_literal_method_with_every_filter(options: dict[str, Any], colour: bool) -> None:
    frames = moving_face(45, 38, colour=colour)
    ours = magnified(frames, 100, 10, **options)
    assert_nearly_equal(ours, literally(frames, 100, 10, **options))


def test_chroma_attenuates_i_and_q_of_yiq() -> None:
    amplifier = make_amplifier(Magnification(chroma=0.3), (64, 56, 3), [10.0])
    expected = np.linalg.inv(RGB_TO_YIQ) @ np.diag([1, 0.3, 0.3]) @ RGB_TO_YIQ
    np.testing.assert_allclose(amplifier.mixing, expected, atol=1e-6)


def test_long_clips_are_filtered_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = moving_face(40, 32, n_frames=24)
    for options in ({"temporal": "ideal"}, {"temporal": "butterworth", "order": 2}):
        short = magnified(frames, 100, 10, **options)  # type: ignore[arg-type]
        monkeypatch.setattr("memaa_lib.magnification.LONGEST_MATRIX", 5)
        monkeypatch.setattr("memaa_lib.magnification.PIXELS_AT_ONCE", 77)
        assert_nearly_equal(magnified(frames, 100, 10, **options), short)  # type: ignore[arg-type]
        monkeypatch.undo()


# ------------------------------------------------------------ gains


@pytest.mark.parametrize(
    ("size", "alpha", "expected"),
    [
        ((170, 140), 5, [0, 1.44, 4.88, 5, 5, 0]),
        ((170, 140), 10, [0, 4.31, 10, 10, 10, 0]),
        ((170, 140), 15, [0, 7.18, 15, 15, 15, 0]),
        ((224, 224), 5, [0, 0.47, 2.95, 5, 5, 5, 0]),
        ((224, 224), 10, [0, 2.54, 7.07, 10, 10, 10, 0]),
    ],
)
def test_gains_follow_the_published_schedule(
    size: tuple[int, int], alpha: float, expected: list[float]
) -> None:
    np.testing.assert_allclose(band_gains(*size, alpha), expected, atol=0.006)


@given(
    height=st.integers(10, 700),
    width=st.integers(10, 700),
    alpha=st.floats(0, 200),
    wavelength=st.floats(0.5, 500),
)
@settings(deadline=None, derandomize=True, max_examples=60)
def test_gains_lie_between_zero_and_alpha_and_grow_with_coarseness(
    height: int, width: int, alpha: float, wavelength: float
) -> None:
    gains = band_gains(height, width, alpha, cutoff_wavelength=wavelength)
    assert len(gains) == pyramid_levels(height, width) >= 3
    assert gains[0] == gains[-1] == 0
    assert (gains >= 0).all() and (gains <= alpha).all()
    assert (np.diff(gains[:-1]) >= 0).all()


# ------------------------------------------------------------ filters


@pytest.mark.parametrize("kind", TEMPORAL_FILTERS)
@pytest.mark.parametrize("n_frames", [1, 2, 11, 70])
def test_no_filter_passes_what_stands_still(kind: Any, n_frames: int) -> None:
    matrix = temporal_filter(kind, 100, n_frames)
    assert matrix.shape == (n_frames, n_frames)
    np.testing.assert_allclose(matrix.sum(axis=1), 0, atol=1e-12)


@pytest.mark.parametrize("kind", ["iir", "butterworth", "onset"])
def test_recursive_filters_look_only_back_and_start_with_zero(kind: Any) -> None:
    matrix = temporal_filter(kind, 100, 20, order=2 if kind == "butterworth" else 1)
    assert (np.triu(matrix, 1) == 0).all()
    np.testing.assert_allclose(matrix[0], 0, atol=1e-12)


def test_iir_answers_a_step_with_two_exponentials() -> None:
    step = np.r_[np.zeros(3), np.ones(30)]
    response = temporal_filter("iir", 200, 33, (0.5, 10)) @ step
    n = np.arange(1, 31)
    expected = np.exp(-2 * np.pi * 0.5 / 200 * n) - np.exp(-2 * np.pi * 10 / 200 * n)
    np.testing.assert_allclose(response[3:], expected, atol=1e-12)
    np.testing.assert_allclose(response[:3], 0, atol=1e-15)


def test_onset_filter_is_a_low_pass_minus_the_first_frame() -> None:
    signal = np.random.default_rng(0).normal(size=40) + 7
    smooth = [signal[0]]
    r = 1 - math.exp(-2 * math.pi * 10 / 200)
    for value in signal[1:]:
        smooth.append((1 - r) * smooth[-1] + r * value)
    response = temporal_filter("onset", 200, 40, (0.5, 10)) @ signal
    np.testing.assert_allclose(response, np.array(smooth) - signal[0], atol=1e-12)


def test_ideal_filter_keeps_exactly_the_bins_of_its_band() -> None:
    matrix = temporal_filter("ideal", 100, 50, (4, 10))
    np.testing.assert_allclose(matrix @ matrix, matrix, atol=1e-12)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)
    t = np.arange(50) / 100
    for hz, gain in ((0, 0), (2, 0), (4, 0), (6, 1), (8, 1), (10, 0), (50, 0)):
        wave = np.cos(2 * np.pi * hz * t)
        np.testing.assert_allclose(matrix @ wave, gain * wave, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_butterworth_has_the_magnitude_of_its_two_low_passes(order: int) -> None:
    import scipy.signal

    n, fps, hz = 2000, 100.0, 3.0
    t = np.arange(n) / fps
    response = temporal_filter("butterworth", fps, n, (0.5, 10), order=order) @ np.sin(
        2 * np.pi * hz * t
    )
    tail = slice(n // 2, None)
    design = np.column_stack([np.cos(2 * np.pi * hz * t[tail]), np.sin(2 * np.pi * hz * t[tail])])
    measured = np.linalg.norm(np.linalg.lstsq(design, response[tail])[0])
    fast, slow = (
        scipy.signal.freqz(*scipy.signal.butter(order, f, fs=fps), [hz], fs=fps)[1]
        for f in (10, 0.5)
    )
    assert measured == pytest.approx(abs(fast - slow)[0], rel=1e-4)


# ------------------------------------------------------------------------- the cancellation theorem


@given(
    n_frames=st.integers(3, 90),
    low=st.floats(0, 20),
    width=st.floats(0.5, 30),
    seed=st.integers(0, 99),
    alpha=st.floats(0, 100),
)
@settings(deadline=None, derandomize=True, max_examples=40)
def test_nothing_of_an_ideal_filter_survives_the_mean(
    n_frames: int, low: float, width: float, seed: int, alpha: float
) -> None:
    movement = np.random.default_rng(seed).uniform(0.5, 2, n_frames)
    survives = surviving_magnification(
        "ideal", 100, n_frames, (low, low + width), alpha, movement=movement
    )
    assert survives == pytest.approx(1, abs=1e-9)


def test_the_mean_of_an_ideally_magnified_clip_is_the_mean_of_the_clip() -> None:
    frames = moving_face(48, 40, n_frames=40)
    frames = (96 + frames // 4).astype(np.uint8)  # far from black and white: nothing is clipped
    means = magnified(frames, 100, [0, 5, 15], temporal="ideal", band_hz=(2, 20)).mean(axis=1)
    for mean in means[1:]:  # what is left is the rounding of 40 frames
        assert np.abs(mean - means[0]).max() < 0.4
        assert np.abs(mean - means[0]).mean() < 0.05
    recursive = magnified(frames, 100, [0, 15]).mean(axis=1)
    assert np.abs(recursive[1] - recursive[0]).max() > 1


@pytest.mark.parametrize(
    ("fps", "n_frames", "temporal", "options", "mean_gain"),
    [
        (100, 11, "iir", {"per_frame_r": (0.4, 0.05)}, 0.67),
        (200, 70, "iir", {"per_frame_r": (0.4, 0.05)}, 0.20),
        (100, 34, "iir", {}, 0.59),
        (200, 70, "iir", {}, 0.58),
        (200, 126, "iir", {}, 0.39),
        (100, 11, "onset", {}, 0.96),
        (100, 20, "onset", {}, 0.99),
    ],
)
def test_surviving_magnification_of_an_expression(
    fps: float, n_frames: int, temporal: Any, options: dict[str, Any], mean_gain: float
) -> None:
    survives = surviving_magnification(temporal, fps, n_frames, alpha=10, **options)
    assert survives == pytest.approx(1 + 10 * mean_gain, abs=0.06)


# ------------------------------------------------------------ a drifting grating


def grating_amplitude(frames: NDArray[np.uint8], wavelength: float, hz: float, fps: float) -> float:
    """Amplitude (px) of the grating's movement at ``hz``, from the phase of its fundamental."""
    columns = np.arange(frames.shape[2])[120:-120]  # away from the mirrored edges
    rows = frames[:, :, 120:-120].mean(axis=1)
    wave = np.exp(-2j * np.pi * columns / wavelength) * np.hanning(len(columns))
    position = np.unwrap(np.angle((rows - rows[0].mean()) @ wave)) * wavelength / (2 * np.pi)
    t = np.arange(len(frames)) / fps
    tail = slice(len(frames) // 2, None)
    phases = 2 * np.pi * hz * t[tail]
    design = np.column_stack([np.cos(phases), np.sin(phases), np.ones(len(phases))])
    return float(np.linalg.norm(np.linalg.lstsq(design, position[tail])[0][:2]))


def binomial(omega: float) -> float:
    """Transfer function of the pyramid's filter (1 4 6 4 1) / 16."""
    return math.cos(omega / 2) ** 4


def predicted_magnification(
    wavelength: float, gains: Floats, r: tuple[float, float], hz: float, fps: float
) -> float:
    """``|1 + sum of gain x transfer of band x response of filter|`` in closed form."""
    omega = 2 * math.pi / wavelength
    spatial = 0.0
    for level, gain in enumerate(gains):
        to_level = math.prod(binomial(2**j * omega) ** 2 for j in range(level))
        spatial += gain * to_level * (1 - binomial(2**level * omega) ** 2)
    z = np.exp(2j * np.pi * hz / fps)
    fast, slow = (one / (1 - (1 - one) / z) for one in r)
    return float(abs(1 + spatial * (fast - slow)))


@pytest.mark.parametrize("wavelength", [16, 24, 40])
@pytest.mark.parametrize("alpha", [5.0, 10.0])
def test_a_drifting_grating_is_magnified_as_predicted(wavelength: float, alpha: float) -> None:
    fps, hz, n_frames, height, width = 100.0, 4.0, 100, 128, 480
    rng = np.random.default_rng(0)
    movement = 0.06 * np.sin(2 * np.pi * hz * np.arange(n_frames) / fps)
    phase = 2 * np.pi * (np.arange(width)[None] - movement[:, None]) / wavelength
    clean = 128 + 50 * np.sin(phase)[:, None, :]
    dither = rng.uniform(-0.5, 0.5, (n_frames, height, width))
    frames = np.rint(clean + dither).astype(np.uint8)
    r = (1 - math.exp(-2 * math.pi * 10 / fps), 1 - math.exp(-2 * math.pi * 0.5 / fps))
    measured = grating_amplitude(magnified(frames, fps, alpha), wavelength, hz, fps)
    before = grating_amplitude(frames, wavelength, hz, fps)
    assert before == pytest.approx(0.06, rel=0.01)
    gains = band_gains(height, width, alpha)
    predicted = predicted_magnification(wavelength, gains, r, hz, fps)
    assert measured / before == pytest.approx(predicted, rel=0.03)
    assert predicted > 1 + alpha / 8


# ------------------------------------------------------------ invariants


@pytest.mark.parametrize("method", METHODS)
def test_alpha_zero_is_the_identity(method: Any) -> None:
    frames = moving_face()
    assert (magnified(frames, 100, [0, 10], method=method)[0] == frames).all()
    assert (magnified(frames, 100, 0, method=method) == frames).all()
    assert (magnified(frames, 100, 0, clamp_gains=False) == frames).all()


@pytest.mark.parametrize("method", WITH_FILTER)
@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("temporal", ["iir", "ideal"])
def test_several_alphas_are_each_alone(colour: bool, temporal: Any, method: Any) -> None:
    frames = moving_face(colour=colour)
    alphas = [0.0, 5.0, 15.0]
    options: dict[str, Any] = {"temporal": temporal, "band_hz": (0.5, 20), "method": method}
    together = magnified(frames, 100, alphas, **options)
    for alpha, one in zip(alphas, together, strict=True):
        assert (magnified(frames, 100, alpha, **options) == one).all()


@pytest.mark.parametrize("method", WITH_FILTER)
@pytest.mark.parametrize("chroma", [0.0, 0.3, 1.0])
def test_gray_is_colour_with_equal_channels(chroma: float, method: Any) -> None:
    gray = moving_face(colour=False)
    colour = np.repeat(gray[..., None], 3, axis=-1)
    expected = np.repeat(magnified(gray, 100, 10, method=method)[..., None], 3, axis=-1)
    # a phase amplifies the rounding of float32 where there is next to nothing to have one
    share = 3e-4 if method == "linear" else 3e-3
    assert_nearly_equal(magnified(colour, 100, 10, chroma=chroma, method=method), expected, share)


@given(
    height=st.integers(16, 48),
    width=st.integers(16, 48),
    n_frames=st.integers(2, 6),
    shift=st.integers(-40, 40),
    seed=st.integers(0, 999),
)
@settings(deadline=None, derandomize=True, max_examples=25)
def test_brightness_and_axes_do_not_matter(
    height: int, width: int, n_frames: int, shift: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    frames = rng.integers(118, 138, (n_frames, height, width), dtype=np.uint8)
    plain = magnified(frames, 100, 4)
    shifted = magnified((frames.astype(int) + shift).astype(np.uint8), 100, 4)
    assert np.abs(shifted.astype(int) - shift - plain).max() <= 1
    turned = magnified(np.ascontiguousarray(frames.swapaxes(1, 2)), 100, 4)
    assert np.abs(turned.swapaxes(1, 2).astype(int) - plain).max() <= 1


@pytest.mark.parametrize("method", WITH_FILTER)
@pytest.mark.parametrize("temporal", TEMPORAL_FILTERS)
def test_what_stands_still_stays(temporal: Any, method: Any) -> None:
    frames = np.repeat(moving_face(n_frames=1), 20, axis=0)
    assert (magnified(frames, 100, 50, temporal=temporal, method=method) == frames).all()


@pytest.mark.parametrize("method", METHODS)
def test_the_input_is_not_changed_and_may_be_strided(method: Any) -> None:
    frames = moving_face()
    before = frames.copy()
    flipped = magnified(frames[:, ::-1, ::-1], 100, 10, method=method)
    assert (frames == before).all()
    again = magnified(np.ascontiguousarray(frames[:, ::-1, ::-1]), 100, 10, method=method)
    assert (flipped == again).all()


def test_a_magnified_clip_is_the_clip_with_other_frames() -> None:
    marks = np.random.default_rng(0).uniform(0, 50, (12, 68, 2))
    clip = Clip(
        moving_face(), 100, apex=3, name="a", label="positive", landmarks=marks, box=(1, 2, 30, 40)
    )
    some = magnify(clip, (5, 10))
    assert [type(one) for one in some] == [Clip, Clip]
    for one in some:
        assert replace(one, frames=clip.frames).__dict__ == clip.__dict__


def test_settings_and_options_say_the_same() -> None:
    clip = Clip(moving_face(), 100)
    slow = Magnification(band_hz=(0.5, 3))
    assert (magnify(clip, 10, slow).frames == magnify(clip, 10, band_hz=(0.5, 3)).frames).all()
    both = magnify(clip, 10, slow, chroma=1.0).frames
    assert (both == magnify(clip, 10, band_hz=(0.5, 3), chroma=1.0).frames).all()
    assert (both != magnify(clip, 10, slow).frames).any()


# ------------------------------------------------------------ streams


@pytest.mark.parametrize("method", WITH_FILTER)
@pytest.mark.parametrize("temporal", ["iir", "onset", "butterworth"])
@pytest.mark.parametrize("colour", [True, False])
def test_a_stream_gives_the_bytes_of_the_whole_clip(
    temporal: Any, colour: bool, method: Any
) -> None:
    frames = moving_face(45, 38, colour=colour)
    options: dict[str, Any] = {"temporal": temporal, "method": method}
    streamed = np.stack(list(magnify_stream(iter(frames), 100, 10, **options)))
    assert (streamed == magnified(frames, 100, 10, **options)).all()
    several = np.stack(list(magnify_stream(iter(frames), 100, [0, 10], **options)), axis=1)
    assert (several[0] == frames).all()
    assert (several[1] == streamed).all()


def test_a_stream_holds_no_more_than_a_few_frames() -> None:
    taken = 0

    def endless() -> Iterator[NDArray[np.uint8]]:
        nonlocal taken
        for frame in itertools.cycle(moving_face()):
            taken += 1
            yield frame

    stream = magnify_stream(endless(), 100, 10)
    for given_back in range(1, 40):
        next(stream)
        assert taken <= given_back + 1


def test_a_stream_refuses_what_needs_the_whole_clip() -> None:
    frames = moving_face()
    with pytest.raises(InputError, match="needs the whole clip"):
        next(magnify_stream(frames, 100, 10, temporal="ideal"))
    with pytest.raises(InputError, match="at least one"):
        next(magnify_stream([], 100, 10))
    with pytest.raises(InputError, match="frame 1: uint8"):
        list(magnify_stream([frames[0], frames[1, 2:]], 100, 10))
    with pytest.raises(InputError, match="chroma is 2"):
        next(magnify_stream(frames, 100, 10, chroma=2))
    with pytest.warns(UserWarning, match="too small"):
        tiny = list(magnify_stream([np.zeros((4, 4), np.uint8)] * 3, 100, 10))
    assert len(tiny) == 3


def test_files_are_magnified_like_clips(tmp_path: Path) -> None:
    frames = moving_face(48, 64)
    for t, frame in enumerate(frames):
        write_image(tmp_path / "in" / f"{t}.png", frame)
    assert magnify_file(tmp_path / "in", tmp_path / "out", 10, fps=100) == len(frames)
    assert (read_frames(tmp_path / "out") == magnified(frames, 100, 10)).all()
    write_video(tmp_path / "clip.mp4", frames, 25)
    magnify_file(tmp_path / "clip.mp4", tmp_path / "from_video", 10, chroma=0.5)
    clip = read_clip(tmp_path / "clip.mp4")
    expected = magnified(clip.frames, clip.fps, 10, chroma=0.5)
    assert (read_frames(tmp_path / "from_video") == expected).all()
    with pytest.raises(InputError, match="the folder is not empty"):
        magnify_file(tmp_path / "in", tmp_path / "out", 10, fps=100)
    with pytest.raises(InputError, match="states no frame rate"):
        magnify_file(tmp_path / "in", tmp_path / "new", 10)


@pytest.mark.parametrize(
    "options",
    [
        {"temporal": "ideal", "band_hz": (1, 20)},
        {"temporal": "butterworth", "order": 2},
        {"temporal": "butterworth", "order": 1},
        {"method": "phase"},
    ],
)
def test_every_filter_and_method_magnifies_files(tmp_path: Path, options: dict[str, Any]) -> None:
    frames = moving_face(48, 64)
    for t, frame in enumerate(frames):
        write_image(tmp_path / "in" / f"{t}.png", frame)
    assert magnify_file(tmp_path / "in", tmp_path / "out", 10, fps=100, **options) == len(frames)
    assert (read_frames(tmp_path / "out") == magnified(frames, 100, 10, **options)).all()


def test_several_alphas_become_several_files(tmp_path: Path) -> None:
    frames = moving_face(48, 64)
    write_video(tmp_path / "clip.mp4", frames, 25)
    clip = read_clip(tmp_path / "clip.mp4")
    expected = magnified(clip.frames, clip.fps, [5, 10])
    magnify_file(tmp_path / "clip.mp4", tmp_path / "out", [5, 10, 5])
    for alpha, one in zip((5, 10), expected, strict=True):
        assert (read_frames(tmp_path / "out" / f"alpha{alpha}") == one).all()
    magnify_file(tmp_path / "clip.mp4", tmp_path / "new" / "face.mp4", [5, 10], fps=25)
    for alpha, one in zip((5, 10), expected, strict=True):
        write_video(tmp_path / "expected.mp4", one, 25)
        written = tmp_path / "new" / f"face-alpha{alpha}.mp4"
        assert written.read_bytes() == (tmp_path / "expected.mp4").read_bytes()
    assert magnified_paths(tmp_path / "new" / "face.mp4", [5, 10])[0].is_file()


@pytest.mark.parametrize("target", ["out", "out.mp4"])
@pytest.mark.parametrize("alpha", [5.0, [5.0, 10.0]])
def test_who_stops_half_way_finds_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, alpha: Any
) -> None:
    write_video(tmp_path / "clip.mp4", moving_face(48, 64), 25)

    def stopped(path: Path) -> Iterator[NDArray[np.uint8]]:
        yield from moving_face(48, 64, n_frames=5)
        raise KeyboardInterrupt

    monkeypatch.setattr("memaa_lib.streaming.iterate_video", stopped)
    with pytest.raises(KeyboardInterrupt):
        magnify_file(tmp_path / "clip.mp4", tmp_path / target, alpha)
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert left == [tmp_path / "clip.mp4"]


def test_a_file_is_read_no_faster_than_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, written = 0, 0

    def counted(path: Path) -> Iterator[NDArray[np.uint8]]:
        nonlocal read
        for frame in moving_face(48, 64, n_frames=40):
            read += 1
            assert read <= written + 3
            yield frame

    def write(path: Path, frame: NDArray[np.uint8]) -> None:
        nonlocal written
        written += 1
        write_image(path, frame)

    write_video(tmp_path / "clip.mp4", moving_face(48, 64), 25)
    monkeypatch.setattr("memaa_lib.streaming.iterate_video", counted)
    monkeypatch.setattr("memaa_lib.streaming.write_image", write)
    assert magnify_file(tmp_path / "clip.mp4", tmp_path / "out") == 40


def test_a_folder_of_gray_and_colour_frames_is_colour(tmp_path: Path) -> None:
    colour, gray = moving_face(48, 64), moving_face(48, 64, colour=False)
    for t in range(6):
        write_image(tmp_path / "in" / f"{t}.png", gray[t] if t % 2 else colour[t])
    magnify_file(tmp_path / "in", tmp_path / "out", 10, fps=100)
    expected = magnified(read_frames(tmp_path / "in"), 100, 10)
    assert (read_frames(tmp_path / "out") == expected).all()


# ------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("frames", "options", "words"),
    [
        (moving_face(n_frames=1), {}, "one frame"),
        (np.zeros((5, 9, 40), np.uint8), {}, "too small for the pyramid"),
        (moving_face(), {"temporal": "ideal", "band_hz": (0.4, 3)}, "no frequency of 12 frames"),
        (moving_face(), {"cutoff_wavelength": 1e6}, "every band has gain 0"),
    ],
)
def test_warns_when_nothing_is_magnified(
    frames: NDArray[np.uint8], options: dict[str, Any], words: str
) -> None:
    with pytest.warns(UserWarning, match=words):
        result = magnified(frames, 100, 10, **options)
    assert (result == frames).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fps": 0}, "fps is 0"),
        ({"fps": math.nan}, "fps is nan"),
        ({"alpha": -1}, "alpha is -1"),
        ({"alpha": math.nan}, "alpha is nan"),
        ({"alpha": [5, math.inf]}, "alpha is inf"),
        ({"alpha": []}, "empty sequence"),
        ({"alpha": None}, "alpha is None"),
        ({"band_hz": (10, 0.5)}, "the band is"),
        ({"band_hz": (1, 2, 3)}, "the band is"),
        ({"band_hz": 5}, "the band is"),
        ({"band_hz": (0.5, math.inf)}, "the band is"),
        ({"temporal": "fir"}, "expected one of iir"),
        ({"temporal": "butterworth", "band_hz": (0.5, 60)}, "below 50 Hz"),
        ({"temporal": "butterworth", "order": 0}, "order is 0"),
        ({"temporal": "ideal", "per_frame_r": (0.4, 0.05)}, "per_frame_r is for"),
        ({"per_frame_r": (0.05, 0.4)}, "slow < fast"),
        ({"cutoff_wavelength": 0}, "cutoff_wavelength is 0"),
        ({"chroma": 1.5}, "chroma is 1.5"),
        ({"exaggeration": -1}, "exaggeration is -1"),
        ({"method": "eulerian"}, "method is 'eulerian', expected one of linear, phase"),
        ({"method": "phase", "cutoff_wavelength": 80}, "are for method='linear'"),
        ({"method": "phase", "chroma": 2}, "chroma is 2"),
        ({"frames": np.zeros((3, 20, 20), np.float32)}, "expected uint8 frames"),
        ({"frames": np.zeros((0, 20, 20), np.uint8)}, "at least one frame"),
        ({"frames": np.zeros((20, 20), np.uint8)}, "expected uint8 frames"),
    ],
)
def test_refuses_wrong_input(changes: dict[str, Any], words: str) -> None:
    call: dict[str, Any] = {"frames": moving_face(), "fps": 100, "alpha": 10}
    with pytest.raises(InputError, match=words):
        magnified(**(call | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"n_frames": 0},
        {"n_frames": 2},
        {"movement": np.zeros(10)},
        {"movement": np.ones(9)},
        {"alpha": -1},
    ],
)
def test_surviving_magnification_refuses_wrong_input(changes: dict[str, Any]) -> None:
    call: dict[str, Any] = {"temporal": "iir", "fps": 100, "n_frames": 10}
    with pytest.raises(InputError):
        surviving_magnification(**(call | changes))


def test_parameter_checks() -> None:
    check_number("x", np.float32(2), at_least=2, at_most=2)
    for value, options in ((3, {"at_most": 2}), (0, {"above": 0}), (None, {}), (math.inf, {})):
        with pytest.raises(InputError, match="expected a finite number"):
            check_number("x", value, **options)  # type: ignore[arg-type]
    check_count("n", np.int64(1))
    for wrong in (0, -1, 2.0, True, "3"):
        with pytest.raises(InputError, match="whole number"):
            check_count("n", wrong)  # type: ignore[arg-type]


# ------------------------------------------------------------ psnr


def test_psnr_equals_scikit_image_and_the_closed_form() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (2, 3, 20, 20, 3), dtype=np.uint8)
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(a, b))
    assert psnr(np.full((1, 4, 4), 10, np.uint8), np.full((1, 4, 4), 13, np.uint8)) == (
        pytest.approx(20 * math.log10(255 / 3))
    )
    assert psnr(a, a) == math.inf


def test_psnr_falls_with_alpha() -> None:
    frames = moving_face()
    values = [psnr(frames, one) for one in magnified(frames, 100, [1, 5, 10, 20])]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.zeros((2, 4, 4), np.uint8), np.zeros((3, 4, 4), np.uint8)),
        (np.zeros((2, 4, 4)), np.zeros((2, 4, 4))),
        (np.zeros((0, 4, 4), np.uint8), np.zeros((0, 4, 4), np.uint8)),
    ],
)
def test_psnr_refuses_wrong_input(a: Any, b: Any) -> None:
    with pytest.raises(InputError):
        psnr(a, b)
