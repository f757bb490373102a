"""Clips: order of frames, formats in and out, and what is refused."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memaa_lib._support.errors import InputError
from memaa_lib.clips import (
    VIDEO_SUFFIXES,
    Clip,
    frame_number,
    list_frames,
    read_clip,
    read_frames,
    read_image,
    sample_video,
    to_gray,
    video_fps,
    write_clip,
    write_image,
    write_video,
)

IMAGE = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)


@given(st.lists(st.integers(5_000, 30_000), min_size=1, max_size=20, unique=True))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_frames_come_in_the_order_of_their_number(tmp_path_factory, numbers):
    folder = tmp_path_factory.mktemp("frames")
    for number in numbers:
        (folder / f"reg_img{number}.jpg").write_bytes(b"")
    assert [frame_number(path) for path in list_frames(folder)] == sorted(numbers)


def test_stray_files_are_ignored(tmp_path):
    for name in ("img2.jpg", "IMG1.JPG", "Thumbs.db", "._img3.jpg", "cover.jpg", "notes4.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in list_frames(tmp_path)] == ["IMG1.JPG", "img2.jpg"]


def test_one_frame_in_two_files_is_refused(tmp_path):
    for name in ("img7.jpg", "img07.jpg"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(InputError, match="frame 7 is there twice"):
        list_frames(tmp_path)


def folder_of(folder, names):
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


# In the order of recording. The first group is read so, the second refused; nothing in between.
IN_ORDER = {
    "CASME II": ["reg_img9.jpg", "reg_img10.jpg", "reg_img100.jpg"],
    "SAMM": ["006_05562.jpg", "006_05563.jpg", "006_05564.jpg"],
    "SAMM, over a power of ten": ["007_9999.jpg", "007_10000.jpg", "007_10001.jpg"],
    "SMIC": ["reg_image076532.bmp", "reg_image076533.bmp"],
    "SMIC, eight digits": ["image9999999.bmp", "image10000000.bmp"],
    "SMIC-E, a blank": ["image 06387.jpg", "image 06388.jpg"],
    "FFmpeg": ["frame-1.png", "frame-2.png", "frame-10.png"],
    "a dash and zeros": ["img-001.png", "img-002.png", "img-100.png"],
    "a burst of a telephone": ["20240501_123000_001.jpg", "20240501_123000_002.jpg"],
    "time stamps of one minute": ["2024-05-01_12-30-08.png", "2024-05-01_12-30-09.png"],
    "milliseconds of one second": ["2024-05-01_12-30-00.040.png", "2024-05-01_12-30-00.123.png"],
    "seconds, two decimals": ["frame_0.04.png", "frame_0.08.png", "frame_0.12.png"],
    "milliseconds since 1970": ["1714559400999.png", "1714559401039.png"],
    "a point before numbers": ["clip.8.png", "clip.9.png", "clip.10.png"],
    "capitals here and there": ["IMG_1.JPG", "img_2.jpg", "Img_3.PNG"],
    "other digits": ["img٩.png", "img١٠.png"],
    "other letters": ["画像9.png", "画像10.png"],
}
UNCERTAIN = {
    "time stamps": ["2024-05-01_12-30-00.900.png", "2024-05-01_12-30-01.100.png"],
    "time stamps over a minute": ["2024-05-01_12-30-59.png", "2024-05-01_12-31-00.png"],
    "time stamps over midnight": ["20240501_235959.jpg", "20240502_000000.jpg"],
    "milliseconds, not padded": ["12-30-00.5.png", "12-30-00.45.png", "12-30-00.123.png"],
    "decimals": ["frame_0.04.png", "frame_0.1.png", "frame_0.16.png"],
    "decimals, whole part": ["t0.96.png", "t1.00.png", "t1.04.png"],
    "decimal commas": ["frame_0,04.png", "frame_0,1.png"],
    "seconds since 1970": ["1714559400.9.png", "1714559401.1.png"],
    "two series": ["left_1.png", "left_2.png", "right_1.png", "right_2.png"],
    "two series, one after the other": ["left_1.png", "left_2.png", "right_3.png", "right_4.png"],
    "two series in turn": ["a1.png", "b2.png", "a3.png", "b4.png"],
    "cropped and raw": ["img46.jpg", "reg_img46.jpg"],
    "a copy": ["img1.png", "img2.png", "img2 2.png"],
    "before and after the onset": ["img-2.png", "img-1.png", "img0.png", "img1.png"],
    "before the onset": ["frame_-3.png", "frame_-2.png", "frame_-1.png"],
    "negative numbers": ["-3.png", "-2.png", "-1.png"],
    "hexadecimal numbers": ["0x9.png", "0xa0.png"],
    "names of files that mean nothing": ["4f1e88.png", "77aa02.png"],
}


@pytest.mark.parametrize("names", IN_ORDER.values(), ids=IN_ORDER)
def test_one_series_is_read_in_the_order_of_recording(tmp_path, names):
    assert [path.name for path in list_frames(folder_of(tmp_path, reversed(names)))] == names


@pytest.mark.parametrize("names", UNCERTAIN.values(), ids=UNCERTAIN)
def test_an_order_that_is_not_certain_is_refused(tmp_path, names):
    with pytest.raises(InputError, match="so that the order of the frames is not certain") as told:
        list_frames(folder_of(tmp_path, names))
    assert any(name in str(told.value) for name in names)


@given(
    st.lists(st.integers(0, 30_000), min_size=2, max_size=12, unique=True),
    st.sampled_from(
        ["img{}", "0_{:05d}", "a-{:03d}", "x.{}", "12-30-00.{:06d}", "f{} ({{}})", "{}_l"]
    ),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_numbered_names_come_in_order_or_not_at_all(tmp_path_factory, numbers, pattern):
    names = [f"{pattern.format(number)}.png" for number in numbers]
    folder = folder_of(tmp_path_factory.mktemp("frames"), names)
    try:
        found = [path.name for path in list_frames(folder)]
    except InputError as error:
        assert re.search("no frames found|counted anew", str(error))
    else:
        assert found == [f"{pattern.format(number)}.png" for number in sorted(numbers)]


@pytest.mark.parametrize("names", [["1_left.png", "2_left.png"], ["img (1).jpg"], ["clip.mp4"]])
def test_a_folder_without_numbers_at_the_end_is_refused_by_example(tmp_path, names):
    with pytest.raises(InputError, match=f"no frames found.*not {re.escape(names[0])}"):
        list_frames(folder_of(tmp_path, names))


@pytest.mark.parametrize("suffix", [".HEIC", ".heif", ".jfif", ".webp", ".TIF", ".dng", ".gif"])
@pytest.mark.parametrize("others", [["IMG_0001.JPG", "IMG_0003.JPG"], []])
def test_frames_of_another_kind_are_not_passed_over(tmp_path, suffix, others):
    folder_of(tmp_path, [*others, f"IMG_0002{suffix}"])
    with pytest.raises(InputError, match=rf"IMG_0002\{suffix}: pictures of this kind are not read"):
        list_frames(tmp_path)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["img1.png", "img2.png", "img4.png"], "e.g. between img2.png and img4.png"),
        (["img10.png", "img20.png", "img40.png"], "e.g. between img20.png and img40.png"),
        (["img1.png", "img2.png", "img20000.png"], "e.g. between img2.png and img20000.png"),
        (["img1.png", "img2.png", "cover.jpg"], "1 pictures are left out.*e.g. cover.jpg"),
        (["img1.png", "img2.png", "img2 (1).png"], r"1 pictures are left out.*e.g. img2 \(1\).png"),
        (["img1.png", "img2.png", "cover.heic"], "1 pictures are left out.*e.g. cover.heic"),
        (["img10.png", "img20.png", "img30.png"], None),
        (["img7.png", "notes1.txt", "Thumbs.db", "._img8.png", ".DS_Store", "desktop.ini"], None),
    ],
)
def test_gaps_and_what_is_left_out_are_said(tmp_path, names, said, caplog):
    assert list_frames(folder_of(tmp_path, names))
    assert len(caplog.messages) == (said is not None)
    assert said is None or re.search(said, caplog.messages[0])


@pytest.mark.parametrize("first", [0, 1, 2])  # the first of the new ones may have been deleted
@pytest.mark.parametrize("last", [9999, 9998])
def test_a_camera_that_counts_anew_after_9999_is_noticed(tmp_path, first, last):
    names = [f"IMG_{number:04}.JPG" for number in (last - 1, last, first, first + 1)]
    with pytest.raises(
        InputError, match=rf"counted anew after IMG_{last}\.JPG.*IMG_000{first}\.JPG"
    ):
        list_frames(folder_of(tmp_path, names))


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", refused)
    with pytest.raises(InputError, match=r"cannot be read \(Permission denied\)"):
        list_frames(tmp_path)


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
@pytest.mark.parametrize("image", [IMAGE, IMAGE[..., 0]], ids=["colour", "gray"])
def test_lossless_images_come_back_as_written(tmp_path, suffix, image):
    path = tmp_path / f"image{suffix}"
    write_image(path, np.ascontiguousarray(image))
    back = read_image(path)
    assert np.array_equal(to_gray(back[None])[0] if back.ndim > image.ndim else back, image)


def test_alpha_channel_is_dropped(tmp_path):
    bgra = np.dstack([IMAGE[..., ::-1], np.full(IMAGE.shape[:2], 40, np.uint8)])
    cv2.imwrite(str(tmp_path / "a.png"), bgra)
    assert np.array_equal(read_image(tmp_path / "a.png"), IMAGE)


def test_mixed_gray_and_colour_frames_become_colour(tmp_path):
    write_image(tmp_path / "1.png", IMAGE)
    write_image(tmp_path / "2.png", np.ascontiguousarray(IMAGE[..., 0]))
    assert read_frames(tmp_path).shape == (2, 12, 10, 3)


@pytest.mark.parametrize("suffix", VIDEO_SUFFIXES)
def test_video_round_trip_is_deterministic_and_close(tmp_path, suffix):
    x = np.linspace(0, 2 * np.pi, 48)
    frames = [np.full((33, 48), 128) + 60 * np.sin(x + t / 5)[None] for t in range(12)]
    frames = np.repeat(np.rint(frames).astype(np.uint8)[..., None], 3, axis=3)
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    write_video(first, frames, 29.97)
    write_video(second, frames, 29.97)
    assert first.read_bytes() == second.read_bytes()
    clip = read_clip(first)
    assert clip.frames.shape == (12, 34, 48, 3)  # the odd row is repeated
    assert np.abs(clip.frames[:, :33].astype(int) - frames).mean() < 2
    assert clip.fps == pytest.approx(29.97, rel=1e-3)


def test_folder_round_trip_is_exact(tmp_path, colour_clip):
    write_clip(tmp_path / "out", Clip(colour_clip.frames, 100))
    assert np.array_equal(read_clip(tmp_path / "out", fps=100).frames, colour_clip.frames)


@pytest.mark.parametrize("name", ["film.mp4", "frames"])
def test_a_part_of_a_clip_is_read_and_a_wrong_one_named(tmp_path, colour_clip, name):
    path = tmp_path / name
    write_clip(path, colour_clip)
    whole = read_clip(path, 100).frames
    assert np.array_equal(read_clip(path, 100, first=5, last=7).frames, whole[5:8])
    assert np.array_equal(read_clip(path, 100, first=18, last=99).frames, whole[18:])
    with pytest.raises(InputError, match="frames first=5 to last=2, expected 0 <= first <= last"):
        read_clip(path, 100, first=5, last=2)
    with pytest.raises(InputError, match="no frame first=20"):
        read_clip(path, 100, first=20)


def test_the_sample_video_is_a_real_face_video():
    clip = read_clip(sample_video())
    assert clip.frames.shape == (120, 144, 193, 3)  # 176 wide, of pixels 128:117
    assert video_fps(sample_video()) == pytest.approx(29.97, abs=0.01)


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _png_bytes(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a readable image"),
        (b"this is no image", "not a readable image"),
        (_png_bytes(IMAGE.astype(np.uint16) * 200), "expected 8 bits"),
    ],
    ids=["empty", "text", "16-bit"],
)
def test_damaged_images_are_named(tmp_path, content, message):
    path = _write(tmp_path / "img1.png", content)
    with pytest.raises(InputError, match=message) as caught:
        read_image(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("build", "fps", "message"),
    [
        (lambda d: d / "missing", None, "no such file or folder"),
        (lambda d: d, 100, "no frames found"),
        (lambda d: d, None, "states no frame rate"),
        (lambda d: d, 0, "fps is 0"),
        (lambda d: d, float("nan"), "fps is nan"),
        (lambda d: _write(d / "film.mp4", b"no video"), None, "not a readable video"),
        (lambda d: _write(d / "img1.png", _png_bytes(IMAGE)), 100, "one image is no clip"),
    ],
)
def test_unusable_clips_are_named(tmp_path, build, fps, message):
    with pytest.raises(InputError, match=message):
        read_clip(build(tmp_path), fps)


def test_frames_of_different_size_name_the_odd_one(tmp_path):
    write_image(tmp_path / "img1.png", IMAGE)
    write_image(tmp_path / "img2.png", IMAGE[:6])
    with pytest.raises(InputError, match=r"img2\.png: 10 x 6 pixels, but img1\.png has 10 x 12"):
        read_frames(tmp_path)


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((4, 5), np.uint8),
        np.zeros((0, 4, 5), np.uint8),
        np.zeros((2, 4, 5, 4), np.uint8),
        np.zeros((2, 4, 5), np.float32),
        [[1]],
    ],
)
def test_a_clip_refuses_other_arrays(frames):
    with pytest.raises(InputError):
        Clip(frames, 100)


@pytest.mark.parametrize(
    ("frames", "hint"),
    [
        (np.linspace(0, 1, 60).reshape(3, 4, 5), "np.round(frames * 255).astype(np.uint8)"),
        (np.linspace(0, 255, 60).reshape(3, 4, 5), "np.round(frames).astype(np.uint8)"),
        (np.full((3, 4, 5), 7), "np.round(frames).astype(np.uint8)"),
        (np.full((3, 4, 5), 4095, np.uint16), "values from 4095 to 4095; bring them to 0 to 255"),
        (np.linspace(-1, 1, 60).reshape(3, 4, 5), "values from -1 to 1; bring them to 0 to 255"),
        (np.full((3, 4, 5), np.nan), "values that are not finite"),
        (list(np.zeros((3, 4, 5), np.uint8)), "a list; np.stack(frames) makes one array"),
    ],
)
def test_other_frames_get_a_hint_that_helps(frames, hint):
    with pytest.raises(InputError, match=re.escape(hint)):
        Clip(frames, 100)


def test_the_hints_do_as_they_say():
    for frames in (np.linspace(0, 1, 60), np.linspace(0, 255, 60)):
        with pytest.raises(InputError) as refused:
            Clip(frames.reshape(3, 4, 5), 100)
        call = re.search(r"np\.round.*uint8\)", str(refused.value))[0]
        made = Clip(eval(call, {"np": np, "frames": frames.reshape(3, 4, 5)}), 100).frames
        assert (made.min(), made.max()) == (0, 255)


def test_a_clip_refuses_positions_outside(colour_clip):
    with pytest.raises(InputError, match="apex is at position 20, expected 0 to 19"):
        Clip(colour_clip.frames, 100, apex=20)


def test_a_clip_refuses_landmarks_of_other_frames(colour_clip):
    with pytest.raises(
        InputError, match=r"casme2 sub01 a: 20 frames but landmarks of shape \(3, 68, 2\)"
    ):
        Clip(
            colour_clip.frames, 100, dataset="casme2", subject="sub01", name="a",
            landmarks=np.zeros((3, 68, 2)),
        )  # fmt: skip


def test_a_full_folder_is_not_overwritten(tmp_path, colour_clip):
    (tmp_path / "keep.txt").write_text("x")
    with pytest.raises(InputError, match="not empty"):
        write_clip(tmp_path, Clip(colour_clip.frames, 100))
    assert [path.name for path in tmp_path.iterdir()] == ["keep.txt"]
