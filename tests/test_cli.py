"""The command line as a user meets it: results, messages, exit codes."""

import sys

import numpy as np
import pytest

from memaa_lib import cli
from memaa_lib.clips import read_clip, read_image, sample_video, write_clip


@pytest.fixture
def memaa(monkeypatch, capsys):
    """Run a command line; return its exit code, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["memaa", *arguments])
        # the consoles keep the streams they were made with; make them anew for this test
        monkeypatch.setattr(cli, "out", cli.Console(soft_wrap=True))
        monkeypatch.setattr(cli, "err", cli.Console(stderr=True, soft_wrap=True))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        written = capsys.readouterr()
        code = ended.value.code
        return (0 if code is None else int(code)), written.out, written.err

    return run


def test_magnify_writes_a_video_and_says_so(memaa, tmp_path):
    target = tmp_path / "out.mp4"
    code, out, err = memaa("magnify", str(sample_video()), str(target), "--alpha", "5")
    assert code == 0, err
    assert f"wrote {target}: 120 frames, alpha 5" in out
    assert read_clip(target).frames.shape == (120, 144, 176, 3)


def test_magnify_takes_a_folder_with_a_frame_rate(memaa, tmp_path, colour_clip):
    write_clip(tmp_path / "in", colour_clip.frames, 100)
    code, _, err = memaa("magnify", str(tmp_path / "in"), str(tmp_path / "out"), "--fps", "100")
    assert code == 0, err
    magnified = read_clip(tmp_path / "out", 100).frames
    assert magnified.shape == colour_clip.frames.shape
    # the grating moves, so its magnified copy differs
    assert np.abs(magnified.astype(int) - colour_clip.frames).max() > 20


@pytest.mark.slow
def test_avatar_of_the_sample_video(memaa, tmp_path):
    target = tmp_path / "avatar.png"
    code, out, err = memaa("avatar", str(sample_video()), str(target))
    assert code == 0, err
    assert f"wrote {target}" in out
    assert read_image(target).shape == (224, 224, 3)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["magnify", "nothing.mp4", "out.mp4"], 1, "nothing.mp4: no such file or folder"),
        (["magnify", "{folder}", "out.mp4"], 1, "states no frame rate; give it with --fps"),
        (["magnify", "{folder}", "out.mp4", "--fps", "100"], 1, "no frames found"),
        (["magnify", "{video}", "{folder}/x.gif"], 1, "expected a folder's name or a video's"),
        (["magnify", "{video}", "{folder}/x.mp4", "--alpha", "-1"], 1, "alpha"),
        (["magnify", "{video}", "{folder}/x.mp4", "--temporal", "magic"], 2, "magic"),
        (["magnify", "{video}", "{folder}/x.mp4", "--low", "20", "--high", "10"], 1, "band"),
        (["magnify", "{video}", "{folder}/x.mp4", "--alpha", "ten"], 2, "--alpha"),
        (["magnify", "{video}"], 2, "OUT"),
        (["magnify", "{video}", "{full}"], 1, "not empty"),
        (["avatar", "{video}", "{folder}/x.mp4"], 1, "expected an image's name"),
        (["avatar", "{black}", "{folder}/x.png", "--fps", "100"], 1, "no face"),
        (["run", "99"], 1, "99: no such notebook; there are"),
        (["run", "05", "--dataset", "fer"], 1, "fer: unknown data set"),
        (["run", "05", "-p", "datset=smic"], 1, "no parameter 'datset'"),
        (["run", "05", "-p", "alpha=big"], 1, "parameter alpha is 'big', expected a float"),
        (["run", "05", "-p", "alpha"], 1, "expected NAME=VALUE"),
        (["book", "--dataset", "fer"], 1, "fer: unknown data set"),
        (["data", "twin", "fer"], 1, "fer"),
        (["data", "check", "smic", "--root", "{folder}/none"], 1, "none"),
        (["score", "{folder}/none.csv"], 1, "none.csv"),
        (["frobnicate"], 2, "frobnicate"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_input_gets_one_clear_line(memaa, tmp_path, arguments, code, message):
    folder = tmp_path / "folder"
    folder.mkdir()
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("x")
    black = tmp_path / "black"
    write_clip(black, np.zeros((3, 480, 640), np.uint8), 100)
    places = {"folder": folder, "full": full, "black": black, "video": sample_video()}
    before = sorted(tmp_path.rglob("*"))
    got, _, err = memaa(*(argument.format(**places) for argument in arguments))
    assert got == code
    assert message in err
    assert "Traceback" not in err
    assert sorted(tmp_path.rglob("*")) == before, "something was written"
    if code == 1:
        assert len(err.strip().splitlines()) == 1


def test_score_prints_the_papers_scores_to_four_decimals(memaa, tmp_path):
    matrix = [(65, 2, 3), (11, 37, 3), (17, 1, 25)]  # Table 4
    rows = [
        f"smic,s01,c{true}{predicted}{number},{true},{predicted}"
        for true, counts in enumerate(matrix)
        for predicted, count in enumerate(counts)
        for number in range(count)
    ]
    table = tmp_path / "predictions.csv"
    table.write_text("\n".join(["dataset,subject,clip,label,prediction", *rows]))
    code, out, err = memaa("score", str(table))
    assert code == 0, err
    assert "0.7621" in out
    assert "0.7452" in out


def test_doctor_names_versions_and_cache(memaa):
    code, out, err = memaa("doctor")
    assert code == 0, err
    assert "torch" in out
    assert "cache" in out


def test_every_command_has_help_with_an_example(memaa):
    commands = ["magnify", "avatar", "score", "train", "reference", "run", "book"]
    commands += ["doctor", "clean"]
    for command in [[name] for name in commands] + [["data", n] for n in ("list", "check", "twin")]:
        code, out, _ = memaa(*command, "--help")
        assert code == 0
        assert "Example" in out, command


def test_clean_removes_the_cache_and_nothing_else(memaa, tmp_path, monkeypatch):
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "twins").mkdir(parents=True)
    (tmp_path / "mine").mkdir()
    code, out, _ = memaa("clean", "--yes")
    assert code == 0
    assert "removed" in out
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
