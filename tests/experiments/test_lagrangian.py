"""Lagrangian magnification moves by as much as it is told, and does not amplify noise."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.data import astronaut

from memaa_lib import AvatarSettings, Clip, InputError, Magnification, clip_to_avatar, magnify, psnr
from memaa_lib.experiments.lagrangian import (
    MOST_COMPONENTS,
    magnify_motion,
    main_components,
    motion,
    rendered,
)
from memaa_lib.figures import move
from memaa_lib.streaming import magnify_stream

SHAPE = (120, 100)


@pytest.fixture(scope="module")
def texture() -> np.ndarray:
    coarse = np.random.default_rng(3).uniform(40, 210, (15, 13)).astype(np.float32)
    return cv2.resize(coarse, SHAPE[::-1], interpolation=cv2.INTER_CUBIC)


def shifted(image: np.ndarray, right: float) -> np.ndarray:
    matrix = np.array([[1, 0, right], [0, 1, 0]], np.float32)
    flags, border = cv2.INTER_CUBIC, cv2.BORDER_REFLECT
    return cv2.warpAffine(image, matrix, image.shape[::-1], flags=flags, borderMode=border)


def swinging(image: np.ndarray, peak: float, length: int = 30, noise: float = 0, seed: int = 0):
    """A clip that moves to the right by a raised cosine, and how far it has gone, px."""
    way = peak * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / (length - 1)))
    random = np.random.default_rng(seed)
    frames = np.stack([shifted(image, x) + random.normal(0, noise, image.shape) for x in way])
    return frames.round().clip(0, 255).astype(np.uint8), way


def gone(image: np.ndarray, frame: np.ndarray) -> float:
    """By how much a frame is shifted against the image, px: least squares over tenths."""
    inner = np.s_[25:-25, 25:-25]
    shifts = np.arange(-1, 12, 0.1)
    errors = [((shifted(image, x) - frame)[inner] ** 2).mean() for x in shifts]
    return float(shifts[int(np.argmin(errors))])


@pytest.mark.parametrize("rendering", ["frames", "onset"])
@pytest.mark.parametrize("alpha", [0.0, 5.0, 10.0, 15.0])
def test_a_shift_grows_by_one_plus_alpha(texture, rendering, alpha):
    """Beyond an eighth of every wavelength that is there: 8 px at the highest."""
    frames, way = swinging(texture, peak=0.5)
    [out] = magnify_motion(frames, [alpha], rendering=rendering)
    peak = int(np.argmax(way))
    assert gone(texture, out[peak]) == pytest.approx((1 + alpha) * way[peak], rel=0.1, abs=0.1)


def test_with_alpha_0_nothing_changes(texture):
    frames, _ = swinging(texture, peak=1.0, noise=2)
    assert np.array_equal(magnify_motion(frames, [0.0])[0], frames)
    still_all = rendered(frames, np.zeros((*frames.shape, 2), np.float32), 10.0)
    assert np.array_equal(still_all, frames)
    clean, _ = swinging(texture, peak=1.0)
    assert psnr(clean, magnify_motion(clean, [0.0], rendering="onset")[0]) > 40


def test_where_a_picture_is_smooth_noise_is_moved_and_not_amplified(texture):
    """Two takes of the same movement: what differs is noise. The linear method adds to it."""
    takes = [swinging(texture, 0.5, noise=3, seed=seed)[0] for seed in (1, 2)]
    noise = {}
    for method in ("linear", "lagrangian"):
        one, two = (magnify(Clip(t, 200), 15, method=method).frames.astype(float) for t in takes)
        noise[method] = np.std((one - two)[:, 20:-20, 20:-20]) / np.sqrt(2)
    added = {method: sigma**2 - 3**2 for method, sigma in noise.items()}
    assert noise["lagrangian"] < 3.5
    assert added["linear"] > 3 * added["lagrangian"]


def test_on_a_photograph_it_is_nearest_to_the_truth_and_shakes_most_with_noise():
    """As the page on magnification says; its face, its movement, its noise."""
    photograph = astronaut()[30:222, 130:322]
    column, row = np.meshgrid(np.arange(192), np.arange(192))
    raised = sum(np.exp(-((column - c) ** 2 + (row - 61) ** 2) / 288) for c in (70, 122))
    field = np.stack([0 * raised, -0.4 * raised], axis=2)
    pulse = 0.5 - 0.5 * np.cos(np.pi * np.arange(36) / 35)
    clean = np.stack([move(photograph, p * field) for p in pulse])
    random, face = np.random.default_rng(0), np.s_[22:150, 32:160]
    noisy = [clean + random.normal(0, 2, clean.shape) for _ in range(2)]
    takes = [np.clip(np.rint(take), 0, 255).astype(np.uint8) for take in noisy]
    gain, noise = {}, {}
    for method, options in (("linear", {"chroma": 1.0}), ("phase", {}), ("lagrangian", {})):
        given = {"method": method, **options}
        last = magnify(Clip(clean, 200), 10, **given).frames[-1]
        gain[method] = psnr(move(photograph, 11 * field)[face], last[face])
        one, two = (magnify(Clip(take, 200), 10, **given).frames[-1] for take in takes)
        noise[method] = np.std(one[face].astype(float) - two[face]) / np.sqrt(2)
    assert gain["lagrangian"] > gain["phase"] + 3
    assert gain["phase"] > gain["linear"]
    assert noise["lagrangian"] > 1.1 * max(noise["linear"], noise["phase"])


def test_magnification_survives_in_the_mean(texture):
    """The mean of the frames goes by (1 + alpha) times the mean way: what an avatar needs."""
    frames, way = swinging(texture, 0.5)
    mean = magnify_motion(frames, [10.0])[0].mean(axis=0)
    assert gone(texture, mean) == pytest.approx(11 * way.mean(), rel=0.25)


def test_a_head_that_is_held_still_is_not_magnified(texture):
    frames, _ = swinging(texture, 1.0)
    held = magnify_motion(frames, [10.0], still_head=True)[0]
    assert psnr(frames, held) > 35 > psnr(frames, magnify_motion(frames, [10.0])[0])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_main_components_hold_nine_tenths_of_the_energy(length, rank, seed):
    """Or there are five of them; what is kept and what is left out share nothing."""
    random = np.random.default_rng(seed)
    flat = random.normal(size=(length, rank)) @ random.normal(size=(rank, 24))
    flows = flat.reshape(length, 3, 4, 2).astype(np.float32)
    kept = main_components(flows)
    components = np.linalg.matrix_rank(kept.reshape(length, -1), tol=1e-4)
    assert components <= min(MOST_COMPONENTS, length, rank)
    assert (kept**2).sum() >= 0.9 * (flows**2).sum() * 0.999 or components == MOST_COMPONENTS
    assert abs((kept * (flows - kept)).sum()) <= 1e-3 * (flows**2).sum()


def test_nothing_moves_in_a_still_clip(texture):
    frames = np.repeat(texture.astype(np.uint8)[None], 4, axis=0)
    assert np.abs(motion(frames)).max() < 0.05
    assert np.array_equal(
        main_components(np.zeros((3, 4, 4, 2), np.float32)), np.zeros((3, 4, 4, 2))
    )


def test_colour_frames_move_with_their_brightness(texture):
    frames, _ = swinging(texture, 1.0)
    colour = np.repeat(frames[..., None], 3, axis=3)
    both = [magnify(Clip(f, 100), 5, method="lagrangian").frames for f in (frames, colour)]
    assert np.abs(both[0].astype(int) - both[1][..., 0]).max() <= 1


def test_the_chain_takes_it(texture):
    frames, _ = swinging(texture, 0.5)
    settings = AvatarSettings(Magnification(method="lagrangian"), remove_frames=False)
    landmarks = np.random.default_rng(0).uniform(30, 80, (1, 68, 2)).repeat(len(frames), axis=0)
    clip = Clip(frames, 100, dataset="smic", landmarks=landmarks)
    made = clip_to_avatar(clip, [0.0, 10.0], settings)
    assert made.shape == (2, 224, 224, 3)
    assert not np.array_equal(made[0], made[1])


def test_wrong_input_is_named(texture):
    with pytest.raises(InputError, match="neither filter nor bands"):
        Magnification(method="lagrangian", temporal="ideal")
    frames, _ = swinging(texture, 0.5)
    with pytest.raises(InputError, match="method='lagrangian' needs the whole clip"):
        next(magnify_stream(iter(frames), 100, 10, method="lagrangian"))
    with pytest.raises(InputError, match="12 x 14 px are too small for optical flow"):
        magnify(Clip(frames[:, :14, :12], 100), 10, method="lagrangian")
