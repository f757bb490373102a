"""The command line as a user meets it: results, messages, exit codes."""

import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from concurrent.futures import BrokenExecutor
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest
import torch
from memaa_book import pages

from memaa_lib import __version__, clips, metrics, network, protocol, streaming
from memaa_lib import cli as library_cli
from memaa_lib._support import machine
from memaa_lib._support.errors import InputError
from memaa_lib.clips import Clip, read_clip, read_image, sample_video, write_clip
from memaa_lib.datasets.manifests import dataset_names, load_manifest
from memaa_lib.datasets.twins.release import read_truth
from memaa_lib.experiments import ablations, comparison, pretraining, reference_runs
from memaa_lib.paper import DATASETS
from memaa_lib.protocol import Results
from tests.fake_releases import fake_renderer, make_twin, trees

ROOT = Path(__file__).resolve().parents[1]

__all__ = ["fake_renderer", "make_twin", "trees"]


def test_magnify_writes_a_video_and_says_so(memaa, tmp_path):
    target = tmp_path / "out.mp4"
    code, out, err = memaa("magnify", str(sample_video()), str(target), "--alpha", "5")
    assert code == 0, err
    assert f"wrote {target}: 120 frames, alpha 5" in out
    assert read_clip(target).frames.shape == (120, 144, 194, 3)  # its pixels are not square


def test_a_warning_is_one_line(memaa, tmp_path, monkeypatch):
    given = ["--temporal", "ideal", "--low", "100", "--high", "200"]
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        code, _, err = memaa("magnify", str(sample_video()), str(tmp_path / "o.mp4"), *given)
    assert code == 0
    assert err.startswith("memaa: nothing is magnified: no frequency of 120 frames at 29.97 fps")
    assert len(err.splitlines()) == 1
    assert not re.search(r"\w+=", err)  # no argument of a function


def test_magnify_writes_webm(memaa, tmp_path, colour_clip):
    write_clip(tmp_path / "in", Clip(colour_clip.frames, 100))
    target = tmp_path / "out.webm"
    code, _, err = memaa("magnify", str(tmp_path / "in"), str(target), "--fps", "100")
    assert code == 0, err
    assert (read_clip(target).n_frames, read_clip(target).fps) == (20, 100)


def test_a_notebook_is_told_the_roots_of_whoever_runs_it(memaa, tmp_path, monkeypatch, trees):
    trees.smic(tmp_path / "mine")
    (tmp_path / "memaa.toml").write_text('[roots]\nsmic = "mine"\n')
    monkeypatch.chdir(tmp_path)
    seen = []
    monkeypatch.setattr(
        pages, "execute", lambda *given, **_: seen.append((os.environ["MEMAA_SMIC_ROOT"], given[2]))
    )
    assert memaa("run", "05", "--dataset", "smic", "-p", "root=mine")[0] == 0
    assert seen.pop()[1] == {"dataset": "smic", "root": str(tmp_path / "mine")}
    code, _, err = memaa("run", "05", "--dataset", "smic")
    assert code == 0
    assert seen == [(str(tmp_path / "mine"), {"dataset": "smic"})]
    assert f"memaa: smic: real data at {tmp_path / 'mine'}" in err


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
        (
            ["magnify", "{video}", "{folder}/x.mp4", "--temporal", "butterworth", "--low", "0"],
            1,
            "the band is 0 to 10 Hz",
        ),
        (["magnify", "{video}", "{folder}/x.mp4", "--alpha", "ten"], 2, "--alpha"),
        (["magnify", "{video}"], 2, "OUT"),
        (
            ["magnify", "{black}", "x.mp4", "--fps", "0"],
            1,
            "black: fps is 0.0, expected a positive",
        ),
        (["magnify", "{video}", "{full}/mine.txt/x.mp4"], 1, "mine.txt: no folder"),
        (["avatar", "{video}", "{full}/mine.txt/x.png"], 1, "mine.txt: no folder"),
        (["data", "twin", "smic", "--out", "{full}/mine.txt/x"], 1, "mine.txt: no folder"),
        (["score", "{full}/mine.txt", "--columns", "label"], 1, "expected e.g. label=truth"),
        (["magnify", "{video}", "{full}"], 1, "not empty"),
        (["avatar", "{video}", "{folder}/x.mp4"], 1, "expected an image's name"),
        (["avatar", "{black}", "{folder}/x.png", "--fps", "100"], 1, "no face"),
        (["run", "99"], 1, "99: no such notebook; there are"),
        (["run", "1"], 1, "1: fits several notebooks: 10_"),
        (["run", "05", "--dataset", "fer"], 1, "fer: unknown data set"),
        (["run", "05", "-p", "datset=smic"], 1, "no parameter 'datset'"),
        (
            ["run", "05", "-p", "alpha=big"],
            1,
            "parameter alpha is 'big', expected a number such as 10.0",
        ),
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
    if code == 1 and arguments[0] != "run":  # which names notebooks and their parameters
        # what is advised can be done at the prompt: no arguments of Python
        assert not re.search(r"\w=(True|False|None|')|\w_\w", err.replace(str(tmp_path), ""))


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


def test_score_maps_columns_and_prints_json(memaa, tmp_path):
    table = tmp_path / "predictions.csv"
    table.write_text("Set;Subject;clip;truth;guess\nsmic;s01;a;0;0\nsmic;s02;b;1.0;2\n")
    given = ["score", str(table), "--columns", "dataset=set,label=truth, prediction=Guess"]
    code, out, err = memaa(*given, "--json")
    assert code == 0, err
    scores = json.loads(out)
    assert set(scores) == {"all", "smic"}
    assert (scores["all"]["clips"], scores["all"]["accuracy"]) == (2, 0.5)
    code, out, _ = memaa(*given)
    assert f"{scores['all']['uf1']:.4f}" in out
    code, _, err = memaa("score", str(table))
    assert code == 1
    assert "the header has Set, Subject, clip, truth, guess" in err
    table.write_text("dataset,subject,clip,label,prediction\nsmic,s01,a,0,0\nsmic,,b,1,2\n")
    assert "line 3 has an empty subject" in memaa("score", str(table))[2]
    help_text = " ".join(memaa("score", "--help")[1].split())
    assert "dataset, subject, clip, label (the truth) and prediction" in help_text


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


def test_clean_removes_the_cache_and_nothing_else(memaa, tmp_path, monkeypatch, fake_renderer):
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path / "cache"))
    assert memaa("clean", "--yes")[:2] == (0, f"{tmp_path / 'cache'}: nothing there\n")
    (tmp_path / "mine").mkdir()
    assert memaa("data", "twin", "smic", "--clips", "4", "--jobs", "1")[0] == 0
    assert any((tmp_path / "cache").iterdir())
    code, out, _ = memaa("clean", "--yes")
    assert (code, out) == (0, f"removed what memaa kept in {tmp_path / 'cache'}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_clean_says_what_it_leaves_and_what_it_cannot_do(memaa, tmp_path, monkeypatch):
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path))
    for number in range(10):
        (tmp_path / f"mine{number}.txt").write_text("x")
    code, out, _ = memaa("clean", "--yes")
    assert code == 0
    assert f"what is not memaa's stays: {tmp_path / 'mine0.txt'}, " in out
    assert out.endswith(f"{tmp_path / 'mine7.txt'} and 2 more\n")
    monkeypatch.setattr(library_cli, "remove_kept", lambda folder: ([], ["x: Permission denied"]))
    code, _, err = memaa("clean", "--yes")
    assert (code, err) == (3, "cannot be removed: x: Permission denied\n")
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path / "mine0.txt"))
    code, _, err = memaa("clean", "--yes")
    assert (code, "mine0.txt: no folder; MEMAA_CACHE" in err) == (1, True)


def test_version(memaa):
    assert memaa("--version") == (0, f"{__version__}\n", "")


# ------------------------------------------------------------------ data
def test_data_list_names_each_set_with_its_licence(memaa):
    code, out, err = memaa("data", "list")
    assert code == 0, err
    for name in ("smic", "casme2", "samm"):
        assert f"\n{name}: {load_manifest(name).title}\n" in out
    table = out.split("\n\n")[0].splitlines()
    assert [line.split()[0] for line in table] == ["dataset", *dataset_names(), "composite"]
    assert max(map(len, table)) <= 80
    assert out.count("  licence: ") == out.count("  where: ") == out.count("  root: ")


def test_a_root_that_holds_something_else_is_a_problem_and_never_real(memaa, tmp_path, monkeypatch):
    monkeypatch.setenv("MEMAA_CASME2_ROOT", str(tmp_path))
    code, out, err = memaa("data", "list")
    assert code == 0, err
    assert re.search("^casme2 +problem ", out, re.MULTILINE)
    assert re.search("^composite +problem ", out, re.MULTILINE)
    assert (
        f"  problem: {tmp_path}: no CASME II frames found; expected folders such as Cropped" in out
    )
    for command in (
        ["data", "check"],
        ["train"],
        ["reference", "runs"],
        ["run", "05", "--dataset"],
    ):
        given = ["--out", str(tmp_path / "r.json")] if command[0] == "reference" else []
        code, out, err = memaa(*command, "casme2", *given)
        assert (code, out) == (1, ""), command
        assert f"memaa: {tmp_path}: no CASME II frames found" in err
    assert memaa("doctor")[0] == 1


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
MEMAA = ("--method", "memaa")


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
    code, out, err = memaa("train", "smic", *MEMAA, "--leak", "early-stopping")
    assert code == 3
    assert "LEAKING (early-stopping)" in out
    assert err == "the time limit came first; give the same command again to go on\n"


@pytest.mark.parametrize(
    "option",
    [("--weights", "a.pth"), ("--device", "cuda"), ("--leak", "early-stopping")],
    ids=lambda option: option[0],
)
@pytest.mark.parametrize("method", [(), ("--method", "bi_woof")], ids=["default", "bi_woof"])
def test_compared_systems_take_no_option_of_the_network(memaa, method, option):
    code, _, err = memaa("train", "smic", *method, *option)
    assert code == 1
    assert "leave out --weights, --device and --leak, or give --method memaa" in err


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

    def keep(*names, **options):
        assert (options.pop("root"), options.pop("allow_mixed")) == (None, False)
        calls.append((names, options))
        return "SMIC (real)"

    monkeypatch.setattr(reference_runs, "keep", keep)
    folder = reference_runs.results_folder() / what
    said = f"wrote {folder / 'smic.json'}: SMIC (real)\n"
    assert memaa("reference", what, "smic", "--seed", "2")[:2] == (0, said)
    memaa("reference", what, "smic", "--protocol", "cross", "--jobs", "1")
    memaa("reference", what, "samm", "--out", "mine.json", "--profile", "paper")
    cross = folder / "cross-smic.json"
    assert calls == [
        ((folder / "smic.json", experiment, "smic", "loso", "laptop"), {"seed": 2, "n_jobs": 2}),
        ((cross, experiment, "smic", "cross", "laptop"), {"seed": 0, "n_jobs": 1}),
        ((Path("mine.json"), experiment, "samm", "loso", "paper"), {"seed": 0, "n_jobs": 2}),
    ]


class Dull:
    """A system that says negative to everything, at once."""

    name, profile, seed, device, leak, start = "dull", "laptop", 0, "cpu", None, "scratch"
    quick = False
    digest = "0" * 16
    record = MappingProxyType({})

    def __init__(self, profile: str, **options: object) -> None:
        pass

    def features(self, index: pd.DataFrame, n_jobs: int, cluster: str | None = None) -> np.ndarray:
        return np.zeros((len(index), 1))

    def key(self) -> str:
        return self.name

    def learner(self, features: np.ndarray) -> tuple[np.ndarray, "Dull"]:
        return features, self

    def fit(self, inputs: np.ndarray, labels: np.ndarray, seed: int) -> None:
        pass

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        return np.zeros(len(inputs), np.int64)


@pytest.fixture
def dull(memaa, monkeypatch):
    """Train the dull system; return what ``memaa`` returns."""
    monkeypatch.setitem(protocol.SYSTEMS, "dull", Dull)
    return lambda *arguments: memaa("train", *arguments, "--method", "dull", "--jobs", "1")


def test_a_training_says_which_data_it_read(dull, tmp_path, trees, make_twin, monkeypatch):
    real = {name: getattr(trees, name)(tmp_path / name) for name in DATASETS}
    twin = make_twin("smic", clips=6)
    code, out, err = dull("smic", "--root", str(real["smic"]), "--out", str(tmp_path / "folds"))
    assert code == 0, err
    assert out.startswith("SMIC: 3 clips of 2 subjects (real)\nsmic, loso, dull, laptop profile, ")
    assert err.splitlines()[0] == f"memaa: smic: real data at {real['smic']}"
    assert "161 x missing clip" in err  # a warning
    fold = json.loads(next((tmp_path / "folds").iterdir()).read_text())
    assert fold["data"] == "SMIC: 3 clips of 2 subjects (real)"
    monkeypatch.setenv("MEMAA_SMIC_ROOT", str(twin))
    code, out, err = dull("smic")
    assert out.startswith("SMIC twin (synthetic, seed 0, difficulty 0.5): 6 clips of ")
    assert err.splitlines()[0] == f"memaa: smic: synthetic twin at {twin}"
    given = [f"--root={name}={real[name]}" for name in ("casme2", "samm")]
    code, out, err = dull("composite", "--protocol", "composite", *given)
    assert code == 1
    assert "casme2, samm real but smic synthetic" in err
    code, out, err = dull("composite", *given, "--allow-mixed")
    assert code == 0, err
    first = out.splitlines()[0]
    assert first.startswith("SMIC twin (synthetic, seed 0, difficulty 0.5) + CASME II + SAMM: ")
    assert first.endswith("(real and synthetic MIXED)")
    assert max(map(len, out.splitlines()[2:-1])) <= 80
    code, out, err = dull("smic", "--protocol", "cross", "--root", str(tmp_path))
    assert out.startswith("SMIC + CASME II + SAMM: ")


def test_a_long_training_says_how_long_after_its_first_fold(dull, tmp_path, trees, monkeypatch):
    root = trees.smic(tmp_path / "smic")
    now = iter(range(0, 10_000, 100))
    monkeypatch.setattr(protocol.time, "perf_counter", lambda: next(now))
    code, _, err = dull("smic", "--root", str(root), "--out", str(tmp_path / "folds"))
    assert code == 0
    assert "memaa: the first of 2 folds took 100 s: about 2 min left\n" in err
    assert "left" not in dull("smic", "--root", str(root), "--out", str(tmp_path / "folds"))[2]


@pytest.mark.parametrize(
    ("option", "code", "message"),
    [
        (["--protocol", "LOSO"], 1, "unknown protocol 'LOSO': choose one of loso"),
        (["--profile", "desk"], 1, "unknown profile 'desk'"),
        (["--profile", "paper"], 1, "motion_avatar has laptop; choose of these, or the paper's"),
        (["--method", "magic"], 1, "magic: no such method; there are memaa"),
        (["--protocol", "kfold", "--k", "1"], 2, "--k"),
        (["--jobs", "0"], 2, "--jobs"),
        (["--time-limit", "0"], 1, "the time limit is 0.0 s: expected more than 0"),
        (["--cluster", "nowhere"], 1, "give 'tcp://host:port'"),
        (["--cluster", "tcp://127.0.0.1:9"], 1, "no Dask scheduler answers there"),
        (["--cluster", "tcp://127.0.0.1"], 1, "no Dask scheduler answers there"),
        (["--cluster", "tcp://127.0.0.1:port"], 1, "no Dask scheduler answers there"),
        (["--cluster", "slurm"], 1, "there is no sbatch here"),
        (["--protocol", "kfold", "--k", "17"], 1, "k is 17: expected 2 to 16, the number of subj"),
        (["--seed", "-1"], 1, "seed is -1, expected a whole number from 0"),
        (["--seed", "4294967296"], 1, "seed is 4294967296, expected a whole number from 0"),
        ([*MEMAA, "--profile", "paper"], 1, "the starting weights cannot be had"),
        (
            [*MEMAA, "--profile", "paper", "--weights", "{checkpoint}"], 1,
            "expected in a file named resnet34",
        ),
        ([*MEMAA, "--weights", "{checkpoint}"], 1, "a checkpoint, whose weights stand under 'model'"),
        ([*MEMAA, "--weights", "{tmp}/x-12345678.pth"], 1, "x-12345678.pth: no such weights file"),
        ([*MEMAA, "--weights", "{file}"], 1, "file.txt: the name of a weights file ends in"),
        ([*MEMAA, "--leak", "early"], 1, "unknown leak 'early'"),
        ([*MEMAA, "--device", "gpu"], 1, "device 'gpu': choose cpu or cuda"),
        (["--out", "{file}"], 1, "file.txt: no folder"),
        (["--log", "{tmp}"], 1, "a folder; give the name of a file"),
        (["--log", "{file}/log.txt"], 1, "file.txt: no folder"),
        (["--root", "{tmp}/gone"], 1, "gone: no such folder (the root given for smic)"),
        (["--root", "{tmp}"], 1, "no SMIC-HS frames found"),
        (["--root", "samm={tmp}"], 1, "expected one folder for each of smic"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)  # fmt: skip
def test_wrong_options_are_refused_before_the_work(
    memaa, tmp_path, monkeypatch, option, code, message
):
    def works(*names, **options):
        raise AssertionError("the work began")

    def gone():
        raise InputError("the starting weights cannot be had")

    monkeypatch.setattr(protocol, "load_index", works)
    monkeypatch.setattr(network, "_download_imagenet", gone)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    file = tmp_path / "file.txt"
    file.write_text("x")
    checkpoint = write_checkpoint(tmp_path)
    given = [text.format(tmp=tmp_path, file=file, checkpoint=checkpoint) for text in option]
    got, out, err = memaa("train", "smic", *given)
    assert (got, out) == (code, "")
    assert message in err
    if code == 1:
        assert len(err.splitlines()) == 1


def write_checkpoint(folder: Path) -> Path:
    """What a trainer writes: weights in a table beside other things."""
    path = folder / "checkpoint.pth"
    torch.save({"epoch": 3, "model": {"conv1.weight": torch.zeros(2)}}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    return path.rename(folder / f"checkpoint-{digest}.pth")


@pytest.mark.parametrize(
    ("what", "option", "code", "message"),
    [
        ("runs", ["--protocol", "LOSO"], 1, "unknown protocol 'LOSO'"),
        ("runs", ["--profile", "desk"], 1, "unknown profile 'desk'"),
        ("runs", ["--jobs", "0"], 2, "--jobs"),
        ("runs", ["--seed", "-1"], 1, "seed is -1"),
        ("runs", ["--out", "{tmp}"], 1, "a folder; give the name of a file"),
        ("runs", ["--root", "{tmp}/gone"], 1, "gone: no such folder"),
        ("what", [], 2, "'what' is not one of"),
        ("starts", ["--profile", "paper"], 1, "profile 'paper' starts from imagenet"),
        ("starts", ["--protocol", "cross"], 1, "choose loso, kfold or composite"),
        ("arms", ["--profile", "paper"], 1, "profile 'paper' starts from imagenet"),
        ("arms", ["--protocol", "cross"], 1, "'cross' has no arms"),
        ("systems", ["--profile", "paper-pretrained"], 1, "unknown profile 'paper-pretrained'"),
        ("published", [], 1, "'laptop' is not as published; give 'paper'"),
        ("repair", ["--profile", "paper-pretrained"], 1, "unknown profile 'paper-pretrained'"),
        ("arms", ["--protocol", "composite", "--root", "smic={real}"], 1, "smic real but casme2, samm"),
        ("runs", ["--protocol", "cross", "--root", "smic={real}"], 1, "smic real but casme2, samm"),
    ],
)  # fmt: skip
def test_reference_refuses_wrong_options_before_the_work(
    memaa, trees, tmp_path, monkeypatch, what, option, code, message
):
    def works(*names, **options):
        raise AssertionError("the work began")

    monkeypatch.setattr(protocol, "load_index", works)
    monkeypatch.setattr(pretraining, "pretrained_weights", works)
    real = trees.smic(tmp_path / "real")
    given = [text.format(tmp=tmp_path, real=real) for text in option]
    got, out, err = memaa("reference", what, "smic", *given)
    assert (got, out) == (code, "")
    assert message in err


@pytest.mark.parametrize(
    ("command", "option", "code", "message"),
    [
        ("magnify", ["--alpha", "nan"], 1, "alpha is nan"),
        ("magnify", ["--alpha", "5", "--alpha=-1"], 1, "alpha is -1.0"),
        ("magnify", ["--low", "5", "--high", "2"], 1, "the band is 5 to 2 Hz, expected"),
        ("magnify", ["--fps", "0"], 1, "fps is 0.0"),
        ("magnify", ["--method", "magic"], 2, "'magic' is not one of"),
        ("magnify", ["--temporal", "magic"], 2, "'magic' is not one of"),
        ("avatar", ["--alpha", "inf"], 1, "alpha is inf"),
        ("avatar", ["--alpha=-1"], 1, "alpha is -1.0"),
        ("avatar", ["--fps", "nan"], 1, "fps is nan"),
        ("score", ["--columns", "lable=x"], 1, "'lable': no column"),
        ("score", ["--columns", "label"], 1, "expected e.g. label=truth"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_other_commands_refuse_wrong_options_before_they_read(
    memaa, tmp_path, monkeypatch, command, option, code, message
):
    def reads(*names, **options):
        raise AssertionError("it was read")

    for name in ("video_fps", "video_length", "check_whole", "iterate_video"):
        monkeypatch.setattr(streaming, name, reads)
        monkeypatch.setattr(clips, name, reads, raising=False)
    monkeypatch.setattr(metrics, "_existing", reads)
    target = (
        []
        if command == "score"
        else [str(tmp_path / {"magnify": "o.mp4", "avatar": "o.png"}[command])]
    )
    got, out, err = memaa(command, str(sample_video()), *target, *option)
    assert (got, out) == (code, "")
    assert message in err
    assert not list(tmp_path.iterdir())


def test_a_graphics_card_that_cannot_be_used_is_said_in_one_line(memaa, monkeypatch):
    def zeros(count, device):
        raise RuntimeError("Found no NVIDIA driver.\nSecond line")

    monkeypatch.setattr(torch, "zeros", zeros)
    code, _, err = memaa("train", "smic", *MEMAA, "--device", "cuda")
    assert code == 1
    assert err == (
        "memaa: device cuda: PyTorch can use no GPU here (Found no NVIDIA driver.); choose cpu\n"
    )


# ------------------------------------------------------------------ what goes wrong
@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (BrokenExecutor(), 3, "memaa: a worker process was killed, perhaps for want of memory"),
        (
            OSError(errno.ENAMETOOLONG, "Too long", "x.png"),
            1,
            "memaa: x.png: cannot be written (Too",
        ),
        (UnicodeEncodeError("utf-8", "\udce9", 0, 1, "no"), 1, "memaa: '\\udce9': no Unicode"),
        (OSError(errno.ENOSPC, "No space left", "x.png"), 1, "memaa: x.png: cannot be written (No"),
        (OSError(errno.ENOSPC, "No", "a", None, "b"), 1, "memaa: b: cannot be written (No)"),
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


# ------------------------------------------------------------------ names, locales, homes
LOCALES = {
    "utf-8": {},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
}
BYTES = os.fsdecode(b"caf\xe9 \xf0\x9f\x98\x80")


ONE_BY_ONE = """
import ast, os, sys
from memaa_book import cli

for given in ast.literal_eval(sys.argv.pop()):
    sys.argv = ["memaa", *map(os.fsdecode, given)]
    try:
        cli.main()
    except SystemExit as end:
        print("ended", end.code or 0, file=sys.stderr, flush=True)
"""


def in_a_process(commands: list[list[str]], cwd: Path, **environment: str) -> list[tuple[int, str]]:
    """Run commands one by one; return each exit code and what was said on standard error."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "book")])
    given = repr([[os.fsencode(word) for word in command] for command in commands])
    done = subprocess.run(
        [sys.executable, "-c", ONE_BY_ONE, given],
        cwd=cwd, env=os.environ | {"PYTHONPATH": path} | environment, capture_output=True,
        text=True, errors="surrogateescape",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *said, rest = re.split(r"^ended (\d+)\n", done.stderr, flags=re.MULTILINE)
    assert rest == ""
    return [(int(code), err) for err, code in zip(said[::2], said[1::2], strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize("locale", LOCALES)
def test_names_that_are_no_text_are_used_or_named(tmp_path, locale, colour_clip):
    folder = tmp_path / BYTES
    write_clip(folder / f"{BYTES}.mp4", Clip(colour_clip.frames, 25))
    name = f"{BYTES}.mp4"
    codes, commands = zip(
        (0, ["magnify", name, f"out{BYTES}.mp4"]),
        (0, ["magnify", name, f"out{BYTES}"]),
        (1, ["magnify", f"no{BYTES}.mp4", "x.mp4"]),
        (1, ["avatar", name, f"{BYTES}.gif"]),
        (1, ["score", f"{BYTES}.csv"]),
        (1, ["data", "check", "smic", "--root", "."]),
        (1, ["run", "11", "-p", f"video={name}"]),
        (1, ["run", BYTES]),
        (2, [BYTES]),
        (0, ["data", "list"]),
        (0, ["--help"]),
        strict=True,
    )
    cache = {"MEMAA_CACHE": str(folder / f"cache{BYTES}")}
    ended = in_a_process(list(commands), folder, **LOCALES[locale], **cache)
    assert len(ended) == len(codes)
    for expected, (code, err) in zip(codes, ended, strict=True):
        assert code == expected, err
        assert "Traceback" not in err
    assert (folder / f"out{BYTES}.mp4").is_file()
    assert len(list((folder / f"out{BYTES}").iterdir())) == 20


def test_brackets_in_a_path_are_no_markup(memaa, tmp_path, monkeypatch):
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path / "[bold]x[/red]"))
    monkeypatch.setenv("COLUMNS", "300")
    code, out, err = memaa("doctor")
    assert code == 0, err
    assert f"{tmp_path / '[bold]x[/red]'} (0.00 GB)" in out


def test_a_user_whom_the_system_does_not_know(memaa, tmp_path, monkeypatch):
    def unknown(number):
        raise KeyError(number)

    monkeypatch.setattr("pwd.getpwuid", unknown)
    for name in ("HOME", "XDG_CACHE_HOME", "MEMAA_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert memaa("data", "list")[0] == 0
    assert memaa("magnify", str(sample_video()), "o.mp4")[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["o.mp4"]  # no folder called ~


def test_paths_in_the_environment_are_handed_on_as_absolute_ones(memaa, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MEMAA_CACHE", "../cache")
    assert memaa("data", "list")[0] == 0
    assert os.environ["MEMAA_CACHE"] == str(tmp_path / ".." / "cache")


def test_a_folder_that_was_removed_under_the_user_is_said(memaa, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    code, _, err = memaa("data", "list")
    monkeypatch.chdir(tmp_path)
    assert (code, err) == (1, "memaa: the current folder has been removed; change to another one\n")


@pytest.mark.parametrize("what", ["file", "read-only"])
def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    memaa, tmp_path, monkeypatch, what
):
    monkeypatch.setattr(pages, "execute", lambda *_, **__: pytest.fail("the work began"))
    (tmp_path / "file").write_text("x")
    can = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: can(path, mode) and Path(path) != tmp_path / "read-only"
    )
    (tmp_path / "read-only").mkdir()
    code, _, err = memaa("run", "11", "--out", str(tmp_path / what / "o.ipynb"))
    assert code == 1
    assert f"{tmp_path / what}: " in err
    assert len(err.splitlines()) == 1


def test_a_book_that_cannot_be_written_is_refused_before_the_work(memaa, tmp_path, monkeypatch):
    project = tmp_path / "project"
    shutil.copytree(pages.ROOT / "notebooks", project / "notebooks")
    shutil.copy(pages.ROOT / "_toc.yml", project)
    monkeypatch.setattr(pages, "ROOT", project)
    can = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: can(path, mode) and Path(path) != project)
    code, _, err = memaa("book", "--dataset", "smic")
    assert code == 1
    assert f"memaa: {project}: cannot be written, so neither can {project / 'build'}" in err


def test_a_book_of_a_folder_that_is_not_there_is_refused_before_the_first_task(
    memaa, tmp_path, monkeypatch
):
    def build(*arguments, **options):
        raise AssertionError("a task ran")

    monkeypatch.setattr("memaa_book.build.build_book", build)
    monkeypatch.setenv("MEMAA_CASME2_ROOT", str(tmp_path / "nowhere"))
    code, _, err = memaa("book", "--dataset", "casme2")
    assert code == 1
    assert err.count("nowhere") == 1, "said once"


def test_slides_that_speak_of_twins_are_not_made_of_real_data(memaa, tmp_path, monkeypatch, trees):
    monkeypatch.setenv("MEMAA_SMIC_ROOT", str(trees.smic(tmp_path / "smic")))
    code, _, err = memaa("slides")
    assert code == 1
    assert "memaa: smic: the real data; the slides speak of the synthetic twins" in err


def test_a_folder_without_the_book_is_named(memaa, tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    for command in (["run", "05"], ["book"]):
        code, _, err = memaa(*command)
        assert code == 1
        assert f"memaa: {tmp_path}: holds no " in err
        assert "set MEMAA_PROJECT" in err
