"""The command line as a user meets it: results, messages, exit codes."""

import errno
import json
import re
import sys
from concurrent.futures import BrokenExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from memaa_book import cli
from rich.console import Console

from memaa_lib import __version__, metrics, protocol
from memaa_lib import cli as library_cli
from memaa_lib._support import machine
from memaa_lib.clips import Clip, read_clip, read_image, sample_video, write_clip
from memaa_lib.datasets.manifests import load_manifest
from memaa_lib.datasets.twins.release import read_truth
from memaa_lib.experiments import ablations, comparison, reference_runs
from memaa_lib.protocol import Results
from tests.fake_releases import fake_renderer, trees

__all__ = ["fake_renderer", "trees"]


@pytest.fixture
def memaa(monkeypatch, capsys):
    """Run a command line; return its exit code, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["memaa", *arguments])
        # the consoles keep the streams they were made with; make them anew for this test
        for module in (library_cli, cli):
            monkeypatch.setattr(module, "out", Console(soft_wrap=True))
            monkeypatch.setattr(module, "err", Console(stderr=True, soft_wrap=True))
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
    write_clip(tmp_path / "in", Clip(colour_clip.frames, 100))
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
        (["run", "1"], 1, "1: fits several notebooks: 10_"),
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
    write_clip(black, Clip(np.zeros((3, 480, 640), np.uint8), 100))
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


def test_version(memaa):
    assert memaa("--version") == (0, f"{__version__}\n", "")


# ------------------------------------------------------------------ data
def test_data_list_names_each_set_with_its_licence(memaa):
    code, out, err = memaa("data", "list")
    assert code == 0, err
    for name in ("smic", "casme2", "samm"):
        assert f"\n{name}: {load_manifest(name).title}\n" in out
    assert out.count("  licence: ") == out.count("  where: ") == out.count("  root: ")


def test_data_check_says_what_it_found_as_text_and_as_json(memaa, tmp_path, trees):
    root = trees.smic(tmp_path / "real")
    code, out, _ = memaa("data", "check", "smic", "--root", str(root))
    assert code == 1  # three clips are no whole release
    assert "smic" in out
    found = json.loads(memaa("data", "check", "smic", "--root", str(root), "--json")[1])
    assert found["dataset"] == "smic"
    assert str(root) in json.dumps(found)


def test_data_twin_writes_a_twin_with_the_settings_that_were_given(memaa, tmp_path, fake_renderer):
    root = tmp_path / "twin"
    given = ["--clips", "4", "--seed", "3", "--difficulty", "0.25", "--defects", "--jobs", "1"]
    code, out, err = memaa("data", "twin", "smic", "--out", str(root), *given)
    assert (code, out) == (0, f"{root}\n"), err
    truth = read_truth(root)
    wanted = {"dataset": "smic", "clips_asked": 4, "seed": 3, "difficulty": 0.25, "defects": True}
    assert {name: truth[name] for name in wanted} == wanted
    assert len(fake_renderer) == len(truth["clips"])


# ------------------------------------------------------------------ training
def results(folder: Path, **changes: object) -> Results:
    rows = [("smic", f"s{i % 4:02d}", f"c{i}", i % 3, (i + (i < 6)) % 3) for i in range(24)]
    table = metrics.check_predictions(pd.DataFrame(rows, columns=list(metrics.COLUMNS)))
    names = [f"smic/s{i:02d}" for i in range(4)]
    folds = pd.DataFrame({"fold": names, "weights_digest": list("abcd")})
    fields = {"predictions": table, "folds": folds, "seed": 0}
    fields |= {"method": "bi_woof", "profile": "laptop"}
    fields |= {"start": "scratch", "leak": None, "complete": True, "folder": folder}
    return Results(**fields | changes)


@pytest.mark.parametrize("method", ["memaa", "bi_woof"])
def test_train_hands_on_what_was_given_and_prints_the_scores(memaa, tmp_path, monkeypatch, method):
    found, calls = results(tmp_path), []

    def train(*names, **options):
        calls.append((names, options))
        return found

    monkeypatch.setattr(protocol, "train", train)
    log = tmp_path / "log.txt"
    given = ["--protocol", "kfold", "--k", "3"]
    given += ["--seed", "7", "--jobs", "1", "--time-limit", "60", "--out", str(tmp_path)]
    code, out, err = memaa("train", "smic", *given, "--method", method, "--log", str(log))
    assert code == 0, err
    ((names, options),) = calls
    assert names == ("smic", method, "kfold", "laptop")
    wanted = {"out": tmp_path, "n_jobs": 1, "k": 3, "seed": 7, "time_limit": 60.0}
    assert {name: options[name] for name in wanted} == wanted
    scores = found.scores()
    assert f"{scores.loc['all', 'uf1']:.4f}" in out
    assert f"digest {found.digest}, fold files: {tmp_path}" in out
    read = metrics.read_megc_log(log).sort_values("clip", ignore_index=True)
    pd.testing.assert_frame_equal(read, found.predictions.sort_values("clip", ignore_index=True))


def test_an_unfinished_training_and_a_leak_are_said(memaa, tmp_path, monkeypatch):
    leaking = results(tmp_path, complete=False, leak="early-stopping")
    monkeypatch.setattr(protocol, "train", lambda *names, **options: leaking)
    code, out, err = memaa("train", "smic", "--leak", "early-stopping")
    assert code == 3
    assert "LEAKING (early-stopping)" in out
    assert err == "the time limit came first; give the same command again to go on\n"


@pytest.mark.parametrize(
    "option",
    [("--weights", "a.pth"), ("--device", "cuda"), ("--leak", "early-stopping")],
    ids=lambda option: option[0],
)
def test_compared_systems_take_no_option_of_the_network(memaa, option):
    code, _, err = memaa("train", "smic", "--method", "bi_woof", *option)
    assert code == 1
    assert "leave out --weights, --device and --leak" in err


@pytest.mark.parametrize(
    ("what", "experiment"),
    [
        ("runs", reference_runs.leak),
        ("starts", reference_runs.starts),
        ("arms", ablations.every_arm),
        ("systems", comparison.systems),
    ],
)
def test_reference_runs_are_written_where_pages_look(memaa, monkeypatch, what, experiment):
    calls = []
    monkeypatch.setattr(
        reference_runs, "keep", lambda *names, **options: calls.append((names, options))
    )
    folder = reference_runs.results_folder() / what
    assert memaa("reference", what, "smic", "--seed", "2")[:2] == (
        0,
        f"wrote {folder / 'smic.json'}\n",
    )
    memaa("reference", what, "smic", "--protocol", "cross", "--jobs", "1")
    memaa("reference", what, "samm", "--out", "mine.json", "--profile", "paper")
    cross = folder / "cross-smic.json"
    assert calls == [
        ((folder / "smic.json", experiment, "smic", "loso", "laptop"), {"seed": 2, "n_jobs": 2}),
        ((cross, experiment, "smic", "cross", "laptop"), {"seed": 0, "n_jobs": 1}),
        ((Path("mine.json"), experiment, "samm", "loso", "paper"), {"seed": 0, "n_jobs": 2}),
    ]


# ------------------------------------------------------------------ what goes wrong
@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (BrokenExecutor(), 3, "memaa: a worker process was killed, perhaps for want of memory"),
        (OSError(errno.ENOSPC, "No space left", "x.png"), 1, "memaa: x.png: cannot be written (No"),
        (PermissionError(errno.EACCES, "Denied", "x.png"), 1, "memaa: x.png: cannot be written"),
        (KeyboardInterrupt(), 130, "stopped; give the same command again to go on"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_what_the_machine_does_is_said_in_one_line(memaa, monkeypatch, error, code, message):
    def fails():
        raise error

    monkeypatch.setattr(machine, "examine", fails)
    got, _, err = memaa("doctor")
    assert got == code
    lines = err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(message)


def test_an_error_that_nobody_foresaw_is_not_hidden(memaa, monkeypatch):
    def fails():
        raise OSError(errno.EIO, "the disk failed")

    monkeypatch.setattr(machine, "examine", fails)
    with pytest.raises(OSError, match="the disk failed"):
        memaa("doctor")


def test_doctor_names_each_problem_and_ends_with_1(memaa, tmp_path, monkeypatch, trees):
    monkeypatch.setattr(machine, "locked_versions", lambda: {"numpy": "0.1", "torch": "0"})
    monkeypatch.setattr(machine, "FREE_GB", 10.0**9)
    monkeypatch.setenv("MEMAA_SMIC_ROOT", str(tmp_path / "gone"))
    monkeypatch.setenv("MEMAA_SAMM_ROOT", str(trees.samm(tmp_path / "samm")))
    cache = tmp_path / "cache"
    (cache / "avatars").mkdir(parents=True)
    (cache / "avatars" / "a.bin").write_bytes(bytes(20_000_000))
    monkeypatch.setenv("MEMAA_CACHE", str(cache))
    code, out, err = memaa("doctor")
    assert code == 1
    assert f"numpy is {np.__version__}, tested with 0.1: run make venv" in err
    assert "GB free for the cache, 1000000000 GB needed: set MEMAA_CACHE" in err
    assert f"{tmp_path / 'gone'}: no such folder (MEMAA_SMIC_ROOT)" in err
    told = " ".join(re.sub("[│\n]", " ", out).split())  # the table breaks long lines
    assert "(real data; faces that may be published: " in told
    assert "smic data cannot be used" in told
    assert "(0.02 GB)" in told
