"""A video that lacks a part is refused or named, whichever its container."""

import logging

import numpy as np
import pytest

from memaa_lib._support.containers import missing_part
from memaa_lib._support.errors import InputError
from memaa_lib.clips import read_clip
from tests.films import MOVING, film

NOISE = np.random.default_rng(0).integers(0, 256, MOVING.shape, np.uint8)
FILMS = {
    "index at the end.mp4": {},
    "index first.mp4": {"container": {"movflags": "+faststart"}},
    "fragments.mp4": {"container": {"movflags": "frag_keyframe+empty_moov"}, "g": "8"},
    "apple.mov": {},
    "telephone.3gp": {},
    "h264.mkv": {},
    "live.mkv": {"form": "matroska", "container": {"live": "1"}},
    "vp8.webm": {"coder": "libvpx"},
    "vp9.webm": {"coder": "libvpx-vp9"},
    "h264.avi": {},
    "xvid.avi": {"coder": "mpeg4"},
    "jpeg.avi": {"coder": "mjpeg", "pixels": "yuvj420p"},
    "camera.ts": {},
    "dvd.mpg": {"coder": "mpeg2video"},
    "web.flv": {"coder": "flv"},
    "raw.h264": {"form": "h264"},
    "raw.hevc": {"form": "hevc", "coder": "libx265"},
    "raw.mjpeg": {"form": "mjpeg", "coder": "mjpeg", "pixels": "yuvj420p"},
    "raw.m4v": {"form": "m4v", "coder": "mpeg4"},
    "raw.y4m": {"coder": "wrapped_avframe"},
}


@pytest.fixture(params=FILMS)
def whole(request, tmp_path):
    return film(tmp_path / request.param, NOISE, **FILMS[request.param])


def test_a_whole_video_is_read_and_a_cut_one_never_passes_for_it(whole, caplog):
    assert missing_part(whole) == ""
    assert read_clip(whole, 30).n_frames == len(NOISE)
    content = whole.read_bytes()
    for share in np.linspace(0.03, 0.97, 24):
        caplog.clear()
        whole.write_bytes(content[: int(share * len(content))])
        try:
            count = read_clip(whole, 30).n_frames
        except InputError as error:
            assert str(whole) in str(error)
        else:
            assert count == len(NOISE) or f"{count}" in caplog.text, share


@pytest.mark.parametrize("name", [name for name in FILMS if name.endswith(("mp4", "mov", "3gp"))])
def test_a_missing_index_is_named_with_its_mend(tmp_path, name):
    whole = film(tmp_path / name, NOISE, **FILMS[name])
    content = whole.read_bytes()
    place = content.index(b"moov") + 40
    whole.write_bytes(content[:place])
    with pytest.raises(InputError, match=r"index \(moov\) is missing.* untrunc"):
        read_clip(whole)


@pytest.mark.parametrize(
    "name", ["index first.mp4", "h264.avi", "xvid.avi", "h264.mkv", "raw.mjpeg"]
)
@pytest.mark.parametrize("more", [b"\0", bytes(700), b"\0\0\0\x18free", b"made with a camera"])
def test_bytes_behind_the_end_are_no_fault(tmp_path, name, more, caplog):
    whole = film(tmp_path / name, NOISE, **FILMS[name])
    whole.write_bytes(whole.read_bytes() + more)
    assert missing_part(whole) == ""


def test_what_is_there_can_be_kept(tmp_path, caplog):
    """A video that lost its list of chunks alone has all its frames."""
    whole = film(tmp_path / "a.avi", NOISE)
    content = whole.read_bytes()
    whole.write_bytes(content[: content.rindex(b"idx1")])
    assert read_clip(whole).n_frames == len(NOISE)


def test_frames_that_the_file_states_and_does_not_hold_are_named(tmp_path, caplog):
    """Capture programs drop frames and leave a gap in their place."""
    path = film(tmp_path / "gap.mp4", NOISE, bf="0", packets=lambda coded: coded[:-4])
    assert read_clip(path).n_frames == len(NOISE) - 4
    assert caplog.text == ""
    avi = film(tmp_path / "gap.avi", NOISE, coder="mjpeg", pixels="yuvj420p")
    content = avi.read_bytes()
    place = content.index(b"strh") + 8 + 32
    avi.write_bytes(content[:place] + (44).to_bytes(4, "little") + content[place + 4 :])
    assert read_clip(avi, 30).n_frames == len(NOISE)
    assert "states 44 frames, but holds 40" in caplog.text
    assert caplog.records[0].levelno == logging.WARNING
