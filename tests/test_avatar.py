"""The avatar, and the chain from clip to avatar with its cache."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from skimage.data import astronaut

from memaa_lib import avatar as avatar_module
from memaa_lib._support import running
from memaa_lib._support.cache import fingerprint
from memaa_lib._support.errors import InputError
from memaa_lib.avatar import (
    AvatarSettings,
    clip_to_avatar,
    emotion_avatar,
    make_avatars,
)
from memaa_lib.clips import Clip, read_image, to_gray, write_image
from memaa_lib.magnification import Magnification, magnify
from memaa_lib.registration import crop_clip, find_landmarks, register
from memaa_lib.texture import Scoring, above_mean, keep_frames, texture_intensity
from tests.fake_releases import copied_elsewhere

PHOTO = cv2.resize(astronaut()[48:190, 165:282], (168, 204))  # framed as a cropped release is
SMALL = AvatarSettings(size=48)


def face_clip(n_frames: int = 8, seed: int = 0) -> Clip:
    """A photograph that shakes by parts of a pixel, with sensor noise."""
    rng = np.random.default_rng(seed)
    frames = []
    for t in range(n_frames):
        shift = np.array([[1, 0, 0.3 * np.sin(t)], [0, 1, 0.2 * np.cos(t)]])
        moved = cv2.warpAffine(PHOTO.astype(np.float32), shift, PHOTO.shape[1::-1], borderMode=4)
        frames.append(np.clip(np.rint(moved + rng.normal(0, 1.5, moved.shape)), 0, 255))
    return Clip(np.stack(frames).astype(np.uint8), 100, dataset="smic", subject="s1", name="a")


def uncropped(clip: Clip) -> Clip:
    """The same face, small in a wide frame."""
    wide = np.full((clip.n_frames, 480, 640, 3), 60, np.uint8)
    wide[:, 100 : 100 + clip.height, 200 : 200 + clip.width] = clip.frames
    return Clip(wide, clip.fps, name="wide")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of each test's own."""
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write_index(folder: Path, n_clips: int = 3) -> pd.DataFrame:
    """Clips on disk and their index."""
    rows = []
    for number in range(n_clips):
        clip = face_clip(5, seed=number)
        path = folder / f"clip{number}"
        for t, frame in enumerate(clip.frames):
            write_image(path / f"img{t + 1}.png", frame)
        rows.append(
            {
                "dataset": "smic",
                "subject": f"s{number}",
                "clip": f"clip{number}",
                "onset": 1,
                "apex": None,
                "offset": 5,
                "fps": 100.0,
                "label": "surprise",
                "path": str(path),
                "n_frames": 5,
            }
        )
    return pd.DataFrame(rows)


# ------------------------------------------------------------ the mean


def test_the_avatar_is_the_mean_of_the_kept_frames() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)
    keep = np.array([True, False, True, True, False, False, True])
    expected = np.rint(frames[keep].astype(float).mean(axis=0))
    clip = Clip(frames, 100)
    assert (emotion_avatar(clip[keep], size=32) == expected).all()
    assert (emotion_avatar(clip, size=32) == np.rint(frames.mean(axis=0))).all()


def test_the_mean_is_rounded_once() -> None:
    frames = np.zeros((1000, 4, 4), np.uint8)
    frames[:499] = 1
    assert (emotion_avatar(Clip(frames, 100), size=4) == 0).all()
    frames[:501] = 1
    assert (emotion_avatar(Clip(frames, 100), size=4) == 1).all()


@pytest.mark.parametrize("shape", [(20, 20), (300, 220), (224, 224)])
def test_the_avatar_is_a_square_colour_image(shape: tuple[int, int]) -> None:
    image = emotion_avatar(Clip(np.full((2, *shape), 77, np.uint8), 100))
    assert image.shape == (224, 224, 3) and image.dtype == np.uint8
    assert (image == 77).all()


def test_noise_falls_with_the_root_of_the_number_of_frames() -> None:
    noise = np.random.default_rng(0).normal(128, 12, (64, 60, 60))
    frames = np.clip(np.rint(noise), 0, 255).astype(np.uint8)
    one = emotion_avatar(Clip(frames[:1], 100), size=60).std()
    many = emotion_avatar(Clip(frames, 100), size=60).std()
    assert one / many == pytest.approx(8, rel=0.1)  # the variance by N = 64, as Sec. 3.4 says


@pytest.mark.parametrize(
    "keep", [np.zeros(3, bool), np.ones(4, bool), np.ones(3), np.array([0, 2])]
)
def test_refuses_a_choice_of_frames_that_does_not_fit(keep: Any) -> None:
    with pytest.raises(InputError, match="the clip: expected 3 booleans"):
        Clip(np.zeros((3, 8, 8), np.uint8), 100)[keep]


def test_refuses_a_wrong_size() -> None:
    with pytest.raises(InputError, match="size is 0"):
        emotion_avatar(Clip(np.zeros((3, 8, 8), np.uint8), 100), size=0)


# ------------------------------------------------------------ the chain


def test_the_chain_is_its_four_stages() -> None:
    clip = face_clip()
    magnified = magnify(clip, 10)
    gray = np.stack([cv2.resize(f, (140, 170), interpolation=3) for f in to_gray(magnified.frames)])
    keep = above_mean(texture_intensity(Clip(gray, 100)))
    aligned = register(replace(magnified, landmarks=find_landmarks(magnified)))
    expected = emotion_avatar(aligned[keep])
    assert (clip_to_avatar(clip, 10) == expected).all()
    assert (emotion_avatar(register(keep_frames(magnify(crop_clip(clip), 10)))) == expected).all()


def test_the_reference_is_the_first_frame_even_if_it_is_not_kept() -> None:
    clip = face_clip()
    landmarks = find_landmarks(clip).astype(float)
    landmarks[1:] += (3, 0)  # all frames but the first are said to lie 3 px to the right
    clip = replace(clip, landmarks=landmarks)
    keep = above_mean(texture_intensity(clip))
    assert not keep[0] or keep[1:].any()
    expected = emotion_avatar(register(clip)[keep])
    assert (clip_to_avatar(clip, 0, AvatarSettings(landmarks="given")) == expected).all()


def test_several_alphas_are_each_alone() -> None:
    clip = face_clip()
    together = clip_to_avatar(clip, (0, 10), SMALL)
    assert together.shape == (2, 48, 48, 3)
    for alpha, one in zip((0, 10), together, strict=True):
        assert (clip_to_avatar(clip, alpha, SMALL) == one).all()
    assert (together[0] != together[1]).any()


def test_an_uncropped_clip_gives_the_avatar_of_its_crop() -> None:
    wide = uncropped(face_clip())
    wide = replace(wide, landmarks=find_landmarks(wide))
    settings = AvatarSettings(size=48, landmarks="given")
    inside = clip_to_avatar(crop_clip(wide), 5, settings)
    assert (clip_to_avatar(wide, 5, settings) == inside).all()
    assert (clip_to_avatar(wide, 5, SMALL).astype(int) - inside).mean() < 5
    whole = clip_to_avatar(wide, 5, AvatarSettings(size=48, crop="never")).astype(int)
    assert np.abs(whole - inside).mean() > 10


def test_given_landmarks_move_with_the_crop() -> None:
    wide = uncropped(face_clip())
    marked = replace(wide, landmarks=find_landmarks(wide))
    given = clip_to_avatar(marked, 0, AvatarSettings(size=48, landmarks="given"))
    original = clip_to_avatar(wide, 0, AvatarSettings(size=48, landmarks="original"))
    assert (given == original).all()


def test_gray_clips_have_gray_avatars() -> None:
    clip = face_clip()
    image = clip_to_avatar(Clip(to_gray(clip.frames), clip.fps), 5, SMALL)
    assert image.shape == (48, 48, 3)
    assert (image[..., 0] == image[..., 1]).all() and (image[..., 0] == image[..., 2]).all()


@pytest.mark.parametrize(
    "options",
    [
        {"sequence": "align_first"},
        {"sequence": "align_first", "landmarks": "original"},
        {"remove_frames": False},
        {"points": "stable", "smooth": 1.0},
        {"magnification": Magnification(temporal="onset")},
        {"magnification": Magnification(temporal="ideal", band_hz=(10, 40))},
        {"scoring": Scoring(size=(224, 224), padding="reflect")},
    ],
)
def test_every_setting_changes_the_avatar(options: dict[str, Any]) -> None:
    clip = face_clip()
    assert (clip_to_avatar(clip, 10, SMALL) != 0).any()
    changed = clip_to_avatar(clip, 10, AvatarSettings(**{"size": 48, **options}))
    assert (changed != clip_to_avatar(clip, 10, SMALL)).any()


def test_without_removal_an_ideal_filter_cancels() -> None:
    clip = face_clip(20)
    frames = (96 + clip.frames // 4).astype(np.uint8)  # no clipping
    landmarks = np.repeat(find_landmarks(clip)[:1], 20, axis=0)
    clip = Clip(frames, 100, landmarks=landmarks)
    results = {}
    for temporal in ("ideal", "iir"):
        settings = AvatarSettings(
            Magnification(temporal=temporal, band_hz=(4, 20)),  # type: ignore[arg-type]
            remove_frames=False,
            landmarks="given",
        )
        none, strong = clip_to_avatar(clip, (0, 15), settings).astype(int)
        results[temporal] = np.abs(strong - none).max()
    assert results["ideal"] <= 1
    assert results["iir"] >= 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 0}, "size is 0"),
        ({"sequence": "both"}, "expected one of magnify_first"),
        ({"landmarks": "dlib"}, "expected one of magnified"),
        ({"crop": "yes"}, "expected one of auto"),
    ],
)
def test_settings_refuse_unknown_values(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        AvatarSettings(**options)


def test_missing_landmarks_are_an_error() -> None:
    clip = face_clip(3)
    settings = AvatarSettings(landmarks="given")
    with pytest.raises(InputError, match=r"smic s1 a: .* the clip carries none"):
        clip_to_avatar(clip, 10, settings)


def test_scoring_does_not_depend_on_the_size_of_the_frame() -> None:
    clip = face_clip()
    twice = np.stack([cv2.resize(f, None, fx=2, fy=2, interpolation=0) for f in clip.frames])
    large = texture_intensity(Clip(twice, 100))
    assert large.shape == (8,)
    ratio = large / texture_intensity(clip)
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=0.05)


# ------------------------------------------------------------ many clips


def test_many_clips_are_each_clip(tmp_path: Path) -> None:
    index = write_index(tmp_path / "data", 2)
    made = make_avatars(index, (0, 10), SMALL, n_jobs=1)
    assert made.shape == (2, 2, 48, 48, 3)
    for number in range(2):
        assert (made[number] == clip_to_avatar(face_clip(5, seed=number), (0, 10), SMALL)).all()


def test_finished_avatars_are_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = write_index(tmp_path / "data", 2)
    calls: list[list[float]] = []

    def counted(clip: Clip, alpha: Any, *rest: Any) -> NDArray[np.uint8]:
        calls.append(list(alpha))
        return clip_to_avatar(clip, alpha, *rest)

    monkeypatch.setattr(avatar_module, "clip_to_avatar", counted)
    options: dict[str, Any] = {"settings": SMALL, "n_jobs": 1}
    first = make_avatars(index, (0, 10), **options)
    assert calls == [[0, 10], [0, 10]]
    again = make_avatars(index, (10, 5, 0), **options)
    assert calls[2:] == [[5], [5]]  # only the new alpha
    assert (again[:, [2, 0]] == first).all()
    frame = Path(index.path[0]) / "img2.png"
    write_image(frame, np.zeros_like(PHOTO))
    make_avatars(index, (0, 10), **options)
    assert calls[4:] == [[0, 10]]  # only the changed clip
    make_avatars(index.iloc[1:], (0,), **(options | {"settings": AvatarSettings(size=40)}))
    assert calls[5:] == [[0]]  # other settings


def test_what_is_in_the_cache_starts_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = write_index(tmp_path / "data", 3)
    options: dict[str, Any] = {"settings": SMALL}
    first = make_avatars(index, (0, 10), n_jobs=1, **options)
    started: list[Any] = []

    def in_parallel(function: Any, tasks: Any, n_jobs: int, *, ordered: bool) -> Any:
        started.extend(tasks)
        return [function(*task) for task in started]

    monkeypatch.setattr(running, "in_parallel", in_parallel)
    monkeypatch.setattr(running, "WORTH_PROCESSES", -1.0)
    assert (make_avatars(index, (0, 10), **options) == first).all()
    assert started == []
    for lost in sorted((tmp_path / "cache").rglob("alpha-10.0.png"))[:2]:
        lost.unlink()
    assert (make_avatars(index, (0, 10), **options) == first).all()
    assert len(started) == 1, "the other is made here"


def test_a_cluster_makes_the_same_avatars(tmp_path: Path, cluster: str) -> None:
    index = write_index(tmp_path / "data", 3)
    theirs = make_avatars(index, (0, 10), SMALL, cluster=cluster)
    shutil.rmtree(tmp_path / "cache")
    assert (make_avatars(index, (0, 10), SMALL, n_jobs=1) == theirs).all()


def test_more_avatars_than_memory_holds_lie_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = write_index(tmp_path / "data", 2)
    held = make_avatars(index, (0, 10), SMALL, n_jobs=1)
    files = set((tmp_path / "cache").rglob("*"))
    monkeypatch.setattr("memaa_lib.avatar.LARGEST_IN_MEMORY", held.nbytes - 1)
    mapped = make_avatars(index, (0, 10), SMALL, n_jobs=1)
    assert isinstance(mapped, np.memmap)
    assert not isinstance(held, np.memmap)
    assert (mapped == held).all()
    assert fingerprint(mapped) == fingerprint(held)
    assert set((tmp_path / "cache").rglob("*")) == files, "the file has a name and stays"


def test_a_copied_cache_serves_copied_clips(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = write_index(tmp_path / "data", 2)
    first = make_avatars(index, (0, 10), SMALL, n_jobs=1)
    index["path"] = copied_elsewhere(tmp_path / "data", index["path"])
    monkeypatch.setenv("MEMAA_CACHE", str(shutil.copytree(cache, tmp_path / "copy")))
    made: list[str] = []

    def counted(clip: Clip, *rest: Any) -> NDArray[np.uint8]:
        made.append(clip.name)
        return clip_to_avatar(clip, *rest)

    monkeypatch.setattr(avatar_module, "clip_to_avatar", counted)
    assert (make_avatars(index, (0, 10), SMALL, n_jobs=1) == first).all()
    assert made == []
    frame = Path(index["path"][1]) / "img2.png"
    image = read_image(frame)
    image[0, 0, 0] ^= 1
    write_image(frame, image)
    make_avatars(index, (0, 10), SMALL, n_jobs=1)
    assert made == ["clip1"]


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_failures_are_collected(tmp_path: Path, on_error: Any) -> None:
    index = write_index(tmp_path / "data", 3)
    (Path(index.path[0]) / "img3.png").write_bytes(b"no image")
    index.loc[2, "path"] = str(tmp_path / "gone")
    options: dict[str, Any] = {"settings": SMALL, "n_jobs": 1}
    if on_error == "raise":
        with pytest.raises(InputError, match=r"2 of 3 clips failed: .*clip0.*img3.*clip2.*gone"):
            make_avatars(index, (0,), on_error="raise", **options)
        assert len(list((tmp_path / "cache").rglob("*.png"))) == 1
    else:
        made = make_avatars(index, (0,), on_error="skip", **options)
        assert [image.any() for image in made] == [False, True, False]


def test_a_clip_without_a_face_is_named_and_the_others_are_made(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    index = write_index(tmp_path / "data", 3)
    for file in Path(index.path[1]).iterdir():
        write_image(file, np.ascontiguousarray(read_image(file)[::-1]))  # upside down
    made = make_avatars(index, (10,), SMALL, n_jobs=1)
    assert caplog.messages == [
        "smic s1 clip1: no face found; its frames are taken for a tight crop of an upright one"
    ]
    assert made[1].any()
    for number in (0, 2):
        assert (made[number, 0] == clip_to_avatar(face_clip(5, seed=number), 10, SMALL)).all()


@pytest.mark.slow
def test_two_processes_make_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = write_index(tmp_path / "data", 4)
    one = make_avatars(index, (0, 10), SMALL, n_jobs=1)
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path / "another"))
    monkeypatch.setattr(running, "WORTH_PROCESSES", -1.0)
    two = make_avatars(index, (0, 10), SMALL, n_jobs=2)
    assert (one == two).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"index": pd.DataFrame({"path": []})}, "holds no clip"),
        ({"alphas": ()}, "empty sequence"),
        ({"alphas": (5, -1)}, "alpha is -1"),
    ],
)
def test_make_avatars_refuses_wrong_input(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    call = {"index": write_index(tmp_path, 1)}
    with pytest.raises(InputError, match=words):
        make_avatars(**(call | changes))
