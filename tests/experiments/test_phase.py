"""Phase-based magnification against literal transforms, closed forms and a renderer's truth."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from memaa_lib._support.kernels import add_phase_change, move_on
from memaa_lib.experiments.phase import BLUR, RieszPyramid, blur_phase
from memaa_lib.figures import grating, grating_shift
from memaa_lib.magnification import TEMPORAL_FILTERS, psnr, temporal_filter
from memaa_lib.synthetic import CAMERAS, FaceRig, plan_clip, render_clip, sample_identity
from tests.test_magnification import magnified

Floats = NDArray[np.float64]


def literal_band(image: Floats) -> tuple[Floats, Floats, Floats]:
    """The finest band and its Riesz transform, by a plain DFT of the image mirrored at its edges.

    R(w) = -i w / |w|, the window's complement a raised cosine over log2 of the frequency.
    """
    height, width = image.shape
    mirrored = np.block([[image, image[:, ::-1]], [image[::-1], image[::-1, ::-1]]])
    down, across = np.fft.fftfreq(2 * height)[:, None], np.fft.fftfreq(2 * width)[None]
    radius = np.hypot(down, across)
    radius[0, 0] = 1e-9
    low = np.cos(math.pi / 2 * np.clip(np.log2(2 * radius) + 2, 0, 1))
    spectrum = np.fft.fft2(mirrored) * np.sqrt(1 - low**2)
    factors = (np.ones_like(radius), -1j * across / radius, -1j * down / radius)
    band, along_x, along_y = (
        np.fft.ifft2(spectrum * factor).real[:height, :width] for factor in factors
    )
    return band, along_x, along_y


@pytest.mark.parametrize("size", [(64, 48), (61, 43), (32, 79)])
def test_the_finest_band_and_its_riesz_transform_equal_a_literal_dft(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).normal(0, 20, size)
    finest = RieszPyramid(*size).analyse(image.astype(np.float32))[0]
    for got, expected in zip(finest, literal_band(image), strict=True):
        assert np.abs(got - expected).max() < 2e-3


@pytest.mark.parametrize("size", [(64, 48), (61, 43), (30, 79)])
def test_a_smaller_band_is_the_full_one_sampled(size: tuple[int, int]) -> None:
    pyramid = RieszPyramid(*size)
    rows, columns = pyramid.sizes[1]
    i, j = 7, 5  # a wave of the cosine transform, about 12 px long
    y, x = ((np.arange(n) + 0.5) / n for n in size)
    image = np.outer(np.cos(math.pi * i * y), np.cos(math.pi * j * x))
    band, along_x, along_y = pyramid.analyse(image.astype(np.float32))[1]
    y, x = (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns
    wave = np.outer(np.cos(math.pi * i * y), np.cos(math.pi * j * x))
    window = np.vdot(band, wave) / np.vdot(wave, wave)
    assert 0.3 < window <= 1
    np.testing.assert_allclose(band, window * wave, atol=1e-5)
    frequency = np.array([j / size[1], i / size[0]])
    direction = frequency / np.linalg.norm(frequency)
    turned = np.outer(np.cos(math.pi * i * y), np.sin(math.pi * j * x))
    np.testing.assert_allclose(along_x, window * direction[0] * turned, atol=1e-5)
    turned = np.outer(np.sin(math.pi * i * y), np.cos(math.pi * j * x))
    np.testing.assert_allclose(along_y, window * direction[1] * turned, atol=1e-5)


@pytest.mark.parametrize("size", [(64, 48), (61, 43), (10, 10), (100, 11)])
def test_synthesis_gives_back_all_but_the_low_pass(size: tuple[int, int]) -> None:
    pyramid = RieszPyramid(*size)
    image = np.random.default_rng(0).normal(0, 20, size).astype(np.float32)
    back = pyramid.synthesise([band[0] for band in pyramid.analyse(image)])
    left = scipy.fft.dctn(image - back, norm="ortho")
    down, across = (np.arange(n) / n for n in size)
    radius = np.hypot(down[:, None], across)
    coarse = radius < 2.0 ** -len(pyramid.sizes)
    assert np.abs(left[~coarse]).max() < 1e-3
    assert coarse.sum() < 120


def quaternion_product(p: Floats, q: Floats) -> Floats:
    """Hamilton's product of two quaternions (w, x, y, z)."""
    (a, b, c, d), (e, f, g, h) = p, q
    return np.array(
        [
            a * e - b * f - c * g - d * h,
            a * f + b * e + c * h - d * g,
            a * g - b * h + c * e + d * f,
            a * h + b * g - c * f + d * e,
        ]
    )


def test_phase_change_is_the_logarithm_of_a_quaternion_product() -> None:
    rng = np.random.default_rng(0)
    before, now = rng.normal(size=(2, 3, 9, 37)).astype(np.float32)
    started = rng.normal(size=(2, 9, 37)).astype(np.float32)
    phase = started.copy()
    add_phase_change(before, now, phase)
    for y in range(9):
        for x in range(37):
            p = np.array([*now[:, y, x], 0.0])
            conjugate = np.array([1, -1, -1, -1]) * np.array([*before[:, y, x], 0.0])
            product = quaternion_product(p, conjugate)
            # without the k part: a turn of the orientation is no movement
            imaginary = product[1:3]
            angle = math.atan2(float(np.linalg.norm(imaginary)), product[0])
            logarithm = imaginary / np.linalg.norm(imaginary) * angle
            np.testing.assert_allclose(phase[:, y, x] - started[:, y, x], logarithm, atol=1e-5)


def test_phase_change_of_what_stands_still_or_is_empty_is_zero() -> None:
    band = np.random.default_rng(0).normal(size=(3, 6, 6)).astype(np.float32)
    band[:, :2] = 0
    for before in (band, -band):  # the phase of the opposite is half a turn away, in no direction
        phase = np.zeros((2, 6, 6), np.float32)
        add_phase_change(before, band, phase)
        assert np.abs(phase).max() < 1e-6
    add_phase_change(0 * band, band, phase)
    assert np.abs(phase).max() < 1e-6


@pytest.mark.parametrize("alpha", [0.0, 1.0, 50.0])
def test_a_band_is_moved_on_by_alpha_times_its_shift(alpha: float) -> None:
    rng = np.random.default_rng(0)
    band = rng.normal(size=(3, 333)).astype(np.float32)
    shift = rng.normal(size=(2, 333)).astype(np.float32)
    shift[:, :9] = 0
    change = np.empty(333, np.float32)
    move_on(band, shift, np.float32(alpha), change)
    length = np.hypot(*shift.astype(float))
    x, y = shift / np.maximum(length, 1e-9)
    along = band[1] * x + band[2] * y
    expected = band[0] * (np.cos(alpha * length) - 1) - along * np.sin(alpha * length)
    np.testing.assert_allclose(change, expected, atol=1e-6 * (5 + alpha))


def test_phase_is_blurred_with_the_amplitude_as_weight() -> None:
    rng = np.random.default_rng(0)
    band, phase = rng.normal(size=(3, 40, 30)), rng.normal(size=(2, 40, 30))
    amplitude = np.sqrt((band**2).sum(axis=0))

    def blur(image: Floats) -> Floats:
        return np.asarray(scipy.ndimage.gaussian_filter(image, BLUR, mode="reflect", truncate=4))

    expected = [blur(part * amplitude) / blur(amplitude) for part in phase]
    ours = blur_phase(band.astype(np.float32), phase.astype(np.float32))
    np.testing.assert_allclose(ours, expected, atol=2e-3)


@pytest.mark.parametrize("wavelength", [4.0, 6.0, 16.0, 40.0])
@pytest.mark.parametrize(("peak", "alpha"), [(0.004, 10.0), (0.03, 10.0), (0.03, 40.0)])
def test_a_drifting_grating_keeps_its_gain_where_the_linear_method_breaks(
    wavelength: float, peak: float, alpha: float
) -> None:
    fps = 100.0
    t = np.arange(60) / fps
    swing = peak * wavelength * np.sin(2 * np.pi * 4 * t)
    frames = grating(swing, wavelength, size=160, contrast=60)
    wanted = swing + alpha * temporal_filter("iir", fps, 60) @ swing
    reached = grating_shift(magnified(frames, fps, alpha, method="phase"), wavelength)
    assert np.std(reached) / np.std(wanted) == pytest.approx(1, rel=0.03)
    beyond = np.abs(wanted).max() > wavelength / 8
    assert beyond == (peak == 0.03)
    if beyond:
        linear = grating_shift(magnified(frames, fps, alpha), wavelength)
        assert np.std(linear) / np.std(wanted) < 0.7


@pytest.mark.parametrize(
    ("temporal", "order"), [*((kind, 1) for kind in TEMPORAL_FILTERS), ("butterworth", 2)]
)
def test_the_movement_is_filtered_with_the_stated_matrix(temporal: Any, order: int) -> None:
    t = np.arange(40)
    movement = 0.3 * np.sin(2 * np.pi * t / 20) * np.exp(-t / 30)
    frames = grating(movement, 12.0, size=96, contrast=60)
    matrix = temporal_filter(temporal, 100, 40, (1, 20), order=order)
    moved_on = magnified(
        frames, 100, 8, temporal=temporal, band_hz=(1, 20), order=order, method="phase"
    )
    expected = movement + 8 * matrix @ movement
    shift = grating_shift(moved_on, 12.0)
    # whole gray levels leave some hundredths of a pixel, however little a filter lets through
    allowed = max(0.05, 0.03 * np.abs(expected).max())
    assert np.abs(shift - (expected - expected[0])).max() < allowed


@pytest.mark.parametrize("size", [(10, 10), (11, 64), (61, 43), (23, 31)])
def test_any_size_and_either_axis(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(60, 190, (5, *size), dtype=np.uint8)
    result = magnified(frames, 100, 3, method="phase")
    assert result.shape == frames.shape
    assert (result != frames).any()
    turned = magnified(np.ascontiguousarray(frames.swapaxes(1, 2)), 100, 3, method="phase")
    off = np.abs(turned.swapaxes(1, 2).astype(int) - result)
    assert (off > 1).mean() < 1e-3


def test_colours_move_with_the_luma() -> None:
    """Channels of different contrast, all of one movement: each is moved as if it were alone."""
    swing = 0.3 * np.sin(2 * np.pi * np.arange(12) / 12)
    channels = [grating(swing, 12.0, size=64, contrast=contrast) for contrast in (60, 30, 90)]
    colour = magnified(np.stack(channels, axis=-1), 100, 10, method="phase")
    for k, channel in enumerate(channels):
        alone = magnified(channel, 100, 10, method="phase")
        assert np.abs(colour[..., k].astype(int) - alone).max() <= 3


def test_noise_is_moved_and_not_amplified() -> None:
    wall = np.clip(np.random.default_rng(0).normal(128, 4, (20, 64, 64)), 0, 255).astype(np.uint8)
    still, phase, linear = (
        wall.std(),
        *(magnified(wall, 100, 20, method=method).std() for method in ("phase", "linear")),
    )
    assert phase < 1.2 * still
    assert linear > 2 * still


@pytest.mark.slow
def test_nearer_to_the_truth_than_the_linear_method_where_alpha_is_large() -> None:
    rig = FaceRig(sample_identity("further", "demonstration"), CAMERAS["smic"])
    plan = plan_clip(rig, "surprise", n_frames=15, apex=7, clip="phase", difficulty=0.0)
    still = replace(
        plan,
        idle=0 * plan.idle,
        blink=0 * plan.blink,
        gaze=plan.gaze[:1].repeat(15, 0),
        pose=plan.pose[:1].repeat(15, 0),
        flicker=np.ones(15),
    )
    top, left, height, width = rig.camera.head_window
    one_px = 1 / plan.peak_px

    def film(gain: float) -> NDArray[np.uint8]:
        frames = render_clip(rig, still, noise=False, motion_gain=gain * one_px).frames
        return frames[:, top : top + height, left : left + width]

    clip = film(1.0)
    options: dict[str, Any] = {"temporal": "onset", "band_hz": (0.5, 25)}
    for alpha, better_by in ((5, 0.5), (15, 1.5)):
        truth = film(1.0 + alpha)
        alone = psnr(truth, clip)
        phase = psnr(truth, magnified(clip, rig.camera.fps, alpha, method="phase", **options))
        linear = psnr(truth, magnified(clip, rig.camera.fps, alpha, **options))
        assert phase > alone + 0.5
        assert phase > linear + better_by
