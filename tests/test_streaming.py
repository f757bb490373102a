"""Folders of frames through magnification as they lie on disk: gray among coloured, odd ones named."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from memaa_lib._support.errors import InputError
from memaa_lib.clips import Clip, read_clip, read_frames, write_image
from memaa_lib.magnification import magnify
from memaa_lib.streaming import magnify_file

PICTURE = np.random.default_rng(0).integers(0, 256, (48, 40, 3), np.uint8)


def folder_with_gray(folder: Path, gray: set[int], n_frames: int = 6) -> Path:
    """Coloured frames, some of which a program that saves bytes has stored as gray ones."""
    for t in range(n_frames):
        frame = np.roll(PICTURE, t, axis=1)
        frame = frame if t not in gray else np.ascontiguousarray(frame[..., 0])
        write_image(folder / f"img{t + 1}.png", frame)
    return folder


@pytest.mark.parametrize(
    "gray", [{0}, {3}, {5}, {0, 5}, {0, 1, 2, 3, 4}, set(range(6)), set()], ids=str
)
@pytest.mark.parametrize("temporal", ["iir", "ideal"])
def test_gray_frames_among_coloured_ones_are_read_alike(tmp_path, gray, temporal):
    folder = folder_with_gray(tmp_path / "in", gray)
    channels = () if len(gray) == 6 else (3,)
    frames = read_frames(folder)
    assert frames.shape == (6, 48, 40, *channels)
    magnify_file(folder, tmp_path / "out", 10, fps=30, temporal=temporal)
    expected = magnify(Clip(frames, 30), 10, temporal=temporal).frames
    assert np.array_equal(read_clip(tmp_path / "out", 100).frames, expected)


@pytest.mark.parametrize("odd", [1, 4, 6])
@pytest.mark.parametrize("temporal", ["iir", "ideal"])
def test_a_frame_of_another_size_is_named_before_the_work(tmp_path, odd, temporal):
    folder = folder_with_gray(tmp_path / "in", {2})
    write_image(folder / f"img{odd}.png", PICTURE[:40])
    named = 2 if odd == 1 else odd
    with pytest.raises(
        InputError, match=rf"img{named}\.png: 40 x \d+ pixels, but img1\.png has 40"
    ):
        magnify_file(folder, tmp_path / "out", 10, fps=30, temporal=temporal)
    with pytest.raises(
        InputError, match=rf"img{named}\.png: 40 x \d+ pixels, but img1\.png has 40"
    ):
        read_frames(folder)
    assert not (tmp_path / "out").exists()


def test_a_frame_without_a_header_is_named(tmp_path):
    folder = folder_with_gray(tmp_path / "in", set())
    (folder / "img1.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"img1\.png: not a readable image: the file is empty"):
        magnify_file(folder, tmp_path / "out", 10, fps=100)


def test_two_series_in_a_folder_are_not_mixed(tmp_path):
    folder = folder_with_gray(tmp_path / "in", set())
    shutil.copy(folder / "img1.png", folder / "right_7.png")
    with pytest.raises(InputError, match=r"img1\.png and right_7\.png differ in more than"):
        magnify_file(folder, tmp_path / "out", 10, fps=100)
