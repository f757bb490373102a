"""Videos as they are found: how they lie, what they state, what their names and their parts are."""

import itertools
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

import memaa_lib._support.media as media
from memaa_lib import cli
from memaa_lib._support.errors import InputError
from memaa_lib._support.media import check_memory, iterate_video, video_fps
from memaa_lib.clips import VIDEO_SUFFIXES, read_clip, read_frames, stack_frames, write_video
from memaa_lib.streaming import magnify_file
from tests.films import MOVING, film

CORNERS = np.zeros((6, 48, 64, 3), np.uint8)  # each of another gray
for place, gray in zip(itertools.product((0, 1), (0, 1)), (40, 100, 160, 220), strict=True):
    CORNERS[:, 24 * place[0] :, 32 * place[1] :] = gray


# ------------------------------------------------------------------ how a picture lies
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_all_eight_ways_to_hold_a_camera(tmp_path, suffix, degrees, mirrored):
    as_stored = read_clip(film(tmp_path / f"stored{suffix}", CORNERS)).frames
    path = film(
        tmp_path / f"held{suffix}", CORNERS,
        settle=lambda stream: stream.set_display_rotation(degrees, hflip=mirrored),
    )  # fmt: skip
    with av.open(str(path)) as file:
        data = next(file.decode(video=0)).side_data.get("DISPLAYMATRIX")
    matrix = [65536, 0, 0, 0, 65536] if data is None else np.frombuffer(data, np.int32)[:5].tolist()
    across, down = np.sign([matrix[0], matrix[3]]), np.sign([matrix[1], matrix[4]])
    # where each pixel is shown, as the format has it; corners are moved to begin at 0
    y, x = np.indices(as_stored.shape[1:3])
    shown_x, shown_y = across[0] * x + across[1] * y, down[0] * x + down[1] * y
    shown_x, shown_y = shown_x - shown_x.min(), shown_y - shown_y.min()
    expected = np.zeros((6, shown_y.max() + 1, shown_x.max() + 1, 3), np.uint8)
    expected[:, shown_y, shown_x] = as_stored
    assert np.array_equal(read_clip(path).frames, expected)
    magnify_file(path, tmp_path / "out", 0)
    assert np.array_equal(read_frames(tmp_path / "out"), expected)


def test_the_eight_ways_differ(tmp_path):
    shown = set()
    for degrees, mirrored in itertools.product((0, 90, 180, 270), (False, True)):
        path = film(
            tmp_path / "a.mp4", CORNERS,
            settle=lambda s, d=degrees, m=mirrored: s.set_display_rotation(d, hflip=m),
        )  # fmt: skip
        frame = read_clip(path).frames[0]
        shown.add((frame.shape, tuple(frame[[2, 2, -2, -2], [2, -2, 2, -2], 0] // 30)))
    assert len(shown) == 8


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts"])
@pytest.mark.parametrize(
    ("ratio", "width"),
    [("2/1", 128), ("1/2", 32), ("16/15", 68), ("12/11", 70), ("10/11", 58), ("8/9", 57),
     ("4/3", 85), ("40/33", 78), ("1/1", 64), ("0/1", 64), ("255/256", 64)],
)  # fmt: skip
def test_pixels_become_square(tmp_path, suffix, ratio, width):
    def settle(stream):
        stream.codec_context.sample_aspect_ratio = Fraction(ratio)

    path = film(tmp_path / f"a{suffix}", CORNERS, settle=settle)
    frames = read_clip(path).frames
    assert frames.shape == (6, 48, width, 3)
    means = [frames[:, rows, columns].mean() for rows in (slice(0, 20), slice(28, 48))
             for columns in (slice(0, width // 2 - 4), slice(width // 2 + 4, width))]  # fmt: skip
    assert means == pytest.approx([40, 100, 160, 220], abs=3)
    magnify_file(path, tmp_path / "out", 0)
    assert np.array_equal(read_frames(tmp_path / "out"), frames)
    magnify_file(path, tmp_path / "copy.mp4", 0)
    assert read_clip(tmp_path / "copy.mp4").frames.shape == (6, 48, width + width % 2, 3)


def test_pixels_are_made_square_before_the_picture_is_turned(tmp_path):
    def settle(stream):
        stream.codec_context.sample_aspect_ratio = Fraction(2)
        stream.set_display_rotation(90)

    assert read_clip(film(tmp_path / "a.mp4", settle=settle)).frames.shape == (40, 128, 48, 3)


def test_absurd_pixels_are_refused(tmp_path, monkeypatch):
    def settle(stream):
        stream.codec_context.sample_aspect_ratio = Fraction(20)

    monkeypatch.setattr(media, "MAX_PIXELS", 48 * 64 * 10)
    with pytest.raises(InputError, match="1280 x 48 pixels is too large for a frame"):
        read_clip(film(tmp_path / "a.mp4", settle=settle))


@pytest.mark.parametrize(
    ("suffix", "coder", "pixels"),
    [(".mkv", "ffv1", "yuv420p"), (".mkv", "ffv1", "gray16le"), (".mov", "png", "rgba"),
     (".avi", "rawvideo", "bgr24"), (".mp4", "libx264", "yuv444p10le"), (".mov", "prores_ks", "yuv422p10le"),
     (".webm", "libvpx-vp9", "yuva420p")],
)  # fmt: skip
def test_odd_sizes_deep_pixels_and_alpha_are_read(tmp_path, suffix, coder, pixels):
    frames = MOVING[:6, :47, :63]
    read = read_clip(film(tmp_path / f"a{suffix}", frames, coder=coder, pixels=pixels)).frames
    assert read.shape == frames.shape
    assert np.abs(read.astype(int) - frames).mean() < 4


# ------------------------------------------------------------------ what is said of it
@pytest.mark.parametrize(
    ("name", "coder", "options"),
    [("a.mp4", "libx264", {"x264-params": "interlaced=1"}),
     ("a.ts", "mpeg2video", {"flags": "+ildct+ilme"}),
     ("a.mkv", "libx264", {"x264-params": "interlaced=1"})],
)  # fmt: skip
def test_interlaced_video_is_named_once(tmp_path, caplog, name, coder, options):
    read_clip(film(tmp_path / name, coder=coder, fps=25, **options))
    assert caplog.text.count("interlaced, so a frame shows two moments") == 1
    assert "bwdif" in caplog.text


def test_hdr_is_named_and_plain_video_is_not(tmp_path, caplog):
    def settle(stream):
        stream.codec_context.color_trc = 16

    read_clip(film(tmp_path / "plain.mp4"))
    assert caplog.text == ""
    read_clip(film(tmp_path / "hdr.mp4", pixels="yuv420p10le", settle=settle))
    assert caplog.text.count("HDR") == 1


def two_streams(path, second):
    """A video with another stream beside it: a second view, or a picture."""
    with av.open(str(path), "w") as file:
        streams = [file.add_stream("libx264", rate=30), file.add_stream(second, rate=30)]
        for number, stream in enumerate(streams):
            stream.width, stream.height = 64, 48
            stream.pix_fmt = "yuvj420p" if stream.codec_context.name == "mjpeg" else "yuv420p"
            stream.disposition = Disposition.default if number == 0 else Disposition(0)
            if second == "mjpeg" and number:
                stream.disposition = Disposition.attached_pic
        for stream, images in zip(streams, (MOVING, MOVING[:1] * 0), strict=True):
            for image in images:
                file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            file.mux(stream.encode())
    return path


def test_several_videos_in_one_file_are_named(tmp_path, caplog):
    assert read_clip(two_streams(tmp_path / "a.mkv", "mpeg4"), 30).n_frames == 40
    assert caplog.text.count("several videos") == 1


def test_a_cover_is_no_second_video(tmp_path, caplog):
    assert read_clip(two_streams(tmp_path / "a.mp4", "mjpeg")).n_frames == 40
    assert caplog.text == ""


def song(path, form=None):
    with av.open(str(path), "w", format=form) as file:
        sound = file.add_stream("mp3" if path.suffix == ".mp3" else "aac", rate=44100)
        cover = file.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        image = av.VideoFrame.from_ndarray(MOVING[0], format="rgb24")
        for packet in [*cover.encode(image), *cover.encode()]:
            file.mux(packet)
        samples = np.zeros((1, sound.frame_size or 1152), np.float32)
        for _ in range(8):
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate = 44100
            file.mux(sound.encode(frame))
        file.mux(sound.encode())
    return path


@pytest.mark.parametrize(("name", "form"), [("song.m4a", "mp4"), ("song.mp3", None)])
@pytest.mark.parametrize("fps", [None, 25])
def test_a_song_with_a_cover_is_no_video(tmp_path, name, form, fps):
    path = song(tmp_path / name, form)
    for read in (
        lambda: read_clip(path, fps),
        lambda: magnify_file(path, tmp_path / "o.mp4", fps=fps),
    ):
        with pytest.raises(InputError, match="holds no video stream, only a cover picture"):
            read()


# ------------------------------------------------------------------ its rate
@pytest.mark.parametrize("fps", [7.5, 12.5, 15, 24, 25, 29.97, 50, 90, 120])
@pytest.mark.parametrize(
    ("form", "coder"), [("h264", "libx264"), ("hevc", "libx265"), ("m4v", "mpeg4")]
)
def test_a_raw_stream_has_the_rate_of_its_own_header(tmp_path, form, coder, fps):
    path = film(tmp_path / f"raw.{form}", fps=fps, form=form, coder=coder)
    assert video_fps(path) == pytest.approx(fps, rel=1e-3)


@pytest.mark.parametrize(
    ("form", "coder", "options"),
    [("mjpeg", "mjpeg", {}), ("image2pipe", "mjpeg", {}),
     ("hevc", "libx265", {"x265-params": "log-level=0:vui-timing-info=0"})],
)  # fmt: skip
def test_a_raw_stream_that_states_no_rate_is_asked_for_it(tmp_path, form, coder, options, caplog):
    pixels = "yuvj420p" if coder == "mjpeg" else "yuv420p"
    path = film(tmp_path / "raw.bin", fps=90, form=form, coder=coder, pixels=pixels, **options)
    for read in (lambda: read_clip(path), lambda: magnify_file(path, tmp_path / "o.mp4")):
        with pytest.raises(InputError, match="states no frame rate; give it with --fps"):
            read()
    assert (read_clip(path, 90).fps, read_clip(path, 90).n_frames) == (90, 40)
    assert magnify_file(path, tmp_path / "o.mp4", fps=90) == 40
    assert video_fps(tmp_path / "o.mp4") == 90


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("held", [2, 10, 60])
def test_a_last_frame_that_is_shown_for_long_does_not_change_the_rate(
    tmp_path, suffix, held, caplog
):
    """Telephones and screen recorders write such files; the mean over all of it is another rate."""

    def packets(coded):
        coded[-1].duration = held * 20
        return coded

    path = film(
        tmp_path / f"a{suffix}", times=list(range(0, 800, 20)), tick=Fraction(1, 600), packets=packets, bf="0",
    )  # fmt: skip
    assert video_fps(path) == pytest.approx(30)
    assert read_clip(path).fps == pytest.approx(30)
    assert "30, which is taken" in caplog.text


def test_only_the_part_that_is_used_need_be_evenly_spaced(tmp_path):
    times = [*range(0, 400, 20), *range(400, 1200, 40)]
    path = film(tmp_path / "a.mp4", times=times, tick=Fraction(1, 600), bf="0")
    with pytest.raises(InputError, match="frame rate varies"):
        read_clip(path)
    assert read_clip(path, last=15).fps == pytest.approx(30)
    assert read_clip(path, first=25, last=35).fps == pytest.approx(15)


# ------------------------------------------------------------------ a part of it
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".avi", ".ts"])
@pytest.mark.parametrize("options", [{}, {"g": "8"}, {"g": "8", "bf": "3"}])
def test_any_part_is_that_part_of_the_whole(tmp_path, suffix, options):
    coder = "libvpx" if suffix == ".webm" else "libx264"
    path = film(tmp_path / f"a{suffix}", coder=coder, **options)
    whole = read_clip(path, 30).frames
    for first in (0, 1, 7, 8, 9, 20, 39):
        assert np.array_equal(read_clip(path, 30, first=first).frames, whole[first:])
        assert np.array_equal(
            read_clip(path, 30, first=first, last=first + 3).frames, whole[first : first + 4]
        )


def test_a_coder_without_clean_key_frames_gives_the_same_part(tmp_path):
    path = film(tmp_path / "a.mkv", **{"x264-params": "intra-refresh=1:keyint=10"})
    whole = read_clip(path).frames
    for first in range(0, 40, 3):
        assert np.array_equal(read_clip(path, first=first).frames, whole[first:])


@pytest.mark.parametrize(("first", "last", "most"), [(0, 5, 6), (30, 33, 12)])
def test_what_is_not_asked_for_is_not_decoded(tmp_path, monkeypatch, first, last, most):
    taken = 0
    decoded = media._decoded

    def counted(path, start=0):
        nonlocal taken
        for one in decoded(path, start):
            taken += 1
            yield one

    monkeypatch.setattr(media, "_decoded", counted)
    path = film(tmp_path / "a.mp4", g="8", bf="0")
    assert read_clip(path, first=first, last=last).n_frames == last - first + 1
    assert taken <= most


def test_a_recording_that_begins_between_key_frames_says_what_is_lost(tmp_path, caplog):
    """Cameras and receivers begin when they are told to."""
    path = film(tmp_path / "a.ts", g="8", bf="0", packets=lambda coded: coded[3:])
    assert read_clip(path, 30).n_frames <= 37
    assert caplog.text.count("begins between key frames, so its first frames are bad") == 1
    path = film(tmp_path / "a.mkv", g="8", bf="0", packets=lambda coded: coded[3:])
    assert np.array_equal(read_clip(path, first=20).frames, read_clip(path).frames[20:])


# ------------------------------------------------------------------ memory
def test_a_video_that_does_not_fit_is_refused_at_its_first_frame(tmp_path, monkeypatch):
    path = film(tmp_path / "a.mp4")
    monkeypatch.setattr("memaa_lib.clips.video_length", lambda path, fps: 10**12)
    for read in (
        lambda: read_clip(path),
        lambda: read_clip(path, first=20),
        lambda: magnify_file(path, tmp_path / "b.mp4", temporal="ideal"),
    ):
        monkeypatch.setattr("memaa_lib.streaming.video_length", lambda path, fps: 10**12)
        with pytest.raises(InputError, match=r"GB of memory and .* are free; take a part"):
            read()
    assert read_clip(path, last=3).n_frames == 4


def test_memory_that_runs_out_on_the_way_is_named():
    def frames():
        yield MOVING[0]
        raise MemoryError

    with pytest.raises(InputError, match=r"film\.mp4: not enough memory for 1 frames and more"):
        stack_frames(frames(), "film.mp4")
    check_memory(10**6, "a small clip")


# ------------------------------------------------------------------ names
NAMES = [
    "12:30", "2024-05-01T12:30:00", "file:x", "concat:a", "pipe:0", "http:", "-x", "--fps", "100%", "img%03d",
    "%d", "a#b", "a?b=1&c", "with blanks", " leading", "[1] {2}", "a|b", "a\\b", "a'b\"c", "~", "微表情",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_a_files(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_video(f"{name}.mp4", MOVING[:6], 25)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.mp4"]
    assert (read_clip(f"{name}.mp4").n_frames, read_clip(f"{name}.mp4").name) == (6, name)
    assert magnify_file(f"{name}.mp4", f"{name}.webm", 5) == 6
    assert magnify_file(f"{name}.webm", name, 5) == 6
    assert len(read_frames(name)) == 6
    assert magnify_file(name, f"{name}.mkv", [5, 10], fps=25) == 6


@pytest.mark.parametrize("name", ["12:30", "a?b", "%d", "-x"])
@pytest.mark.parametrize("suffix", VIDEO_SUFFIXES)
def test_commands_take_any_name(tmp_path, monkeypatch, capsys, name, suffix):
    monkeypatch.chdir(tmp_path)
    write_video(f"{name}{suffix}", MOVING[:6], 25)
    arguments = ["memaa", "magnify", "--alpha", "5", "--", f"{name}{suffix}", f"{name}-out{suffix}"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert (ended.value.code, capsys.readouterr().err) == (0, "")
    assert len(list(iterate_video(tmp_path / f"{name}-out{suffix}"))) == 6
