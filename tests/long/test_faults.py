"""A few faults of each kind; `make long CHECK=faults` has them many times."""

import json
import sys
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from memaa_book import build

from memaa_lib import network
from memaa_lib._support import weights
from memaa_lib._support.cache import kept_arrays
from memaa_lib._support.errors import InputError
from memaa_lib._support.running import in_parallel
from memaa_lib.avatar import AvatarSettings, make_avatars
from memaa_lib.clips import Clip, sample_video
from memaa_lib.datasets import load_clip, load_index, load_truth, roots
from memaa_lib.datasets.twins import release
from memaa_lib.experiments import pretraining
from memaa_lib.protocol import Fold, FoldTask, _read_result, _write_result
from tests.book.test_publish import project
from tests.conftest import TINY
from tests.fake_releases import fake_renderer, no_roots
from tests.long import harness
from tests.long.harness import (
    QUICK_STOP,
    book_job,
    contents,
    has_begun,
    interrupt,
    kill_a_worker,
    kill_at_random,
    leftovers,
    runs_a_notebook,
    small_disk,
    whole,
)

__all__ = ["fake_renderer", "no_roots", "project"]
# faces are drawn where these faults strike many times
WAITING = (sys.executable, "-c", "from tests.long.waiting_twin import main; main()")
twin_job = partial(harness.twin_job, program=WAITING)


@pytest.fixture
def run_here(fake_renderer, memaa):
    """Give a job's command in this process, without waiting: exit code and standard error."""

    def run(job):
        code, _, err = memaa(*job.command[len(WAITING) : -1], "1")
        return code, err

    return run


@pytest.fixture
def calm(run_here, tmp_path_factory):
    """The files of a twin of a few clips that nobody disturbed."""
    job = twin_job(tmp_path_factory.mktemp("calm"))
    assert run_here(job) == (0, "")
    return contents(job.results)


@pytest.mark.slow
def test_a_twin_that_was_killed_comes_out_the_same(calm, run_here, tmp_path):
    undisturbed = twin_job(tmp_path / "undisturbed")
    code, err, seconds = undisturbed.run()
    assert code == 0, err
    assert contents(undisturbed.results) == calm
    job = twin_job(tmp_path / "killed")
    assert kill_at_random(job, times=2, seconds=seconds, seed=1)
    assert run_here(job) == (0, "")
    assert whole(job.results) == calm


@pytest.mark.slow
def test_two_runs_at_once_make_one_twin(calm, tmp_path):
    job = twin_job(tmp_path, jobs=1)
    both = [job.start(), job.start()]
    errors = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert contents(job.results) == calm
    assert leftovers(job.results) == []


@pytest.mark.slow
@pytest.mark.parametrize("how", ["Ctrl-C", "kill"])
def test_a_stop_ends_at_once_and_leaves_nothing_running(calm, run_here, tmp_path, how):
    job = twin_job(tmp_path)
    code, last, took, left = interrupt(job, has_begun(job), how)
    assert code == 130
    assert last == "stopped; give the same command again to go on where it was"
    assert took < QUICK_STOP
    assert left == []
    assert run_here(job) == (0, "")
    assert whole(job.results) == calm


@pytest.mark.slow
def test_a_worker_that_dies_is_named_and_the_next_run_goes_on(calm, run_here, tmp_path):
    job = twin_job(tmp_path)
    code, err = kill_a_worker(job)
    assert code == 3, err
    assert "a worker process was killed" in err
    assert "Traceback" not in err
    assert run_here(job) == (0, "")
    assert whole(job.results) == calm


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_no_place_is_said_in_one_line(tmp_path, kind):
    job = twin_job(tmp_path)
    try:
        with small_disk(job.results, kilobytes=60, read_only=kind == "read-only"):
            code, err, _ = job.run()
            assert leftovers(job.results) == []
    except PermissionError as error:
        warnings.warn(f"no right to mount a small disk: {error}", UserWarning, stacklevel=1)
        pytest.skip(f"NOT TESTED: no right to mount a small disk ({error})")
    assert code == 1, err
    assert "cannot be written" in err
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize("how", ["Ctrl-C", "kill"])
def test_a_book_that_was_stopped_goes_on(tmp_path, how):
    job = book_job(tmp_path, seconds=60)
    code, last, took, left = interrupt(job, runs_a_notebook, how)
    assert code == 130
    assert last.startswith("stopped")
    assert took < QUICK_STOP
    assert left == []


# ------------------------------------------------------------------ damaged cache entries
DAMAGES = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "zeros": lambda data: bytes(len(data)),
    "text": lambda data: b"not what was here",
    "one byte": lambda data: data[: len(data) // 2] + b"\x55\xaa\x55" + data[len(data) // 2 + 3 :],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_avatar_is_made_again(damage, tmp_path, monkeypatch):
    import pandas as pd

    made = []

    def avatars(clip, alphas, settings):
        made.append(alphas)
        return np.full((len(alphas), 8, 8, 3), 7, np.uint8)

    monkeypatch.setattr("memaa_lib.avatar.clip_to_avatar", avatars)
    still = Clip(np.zeros((1, 8, 8), np.uint8), 30)
    monkeypatch.setattr("memaa_lib.avatar.load_clip", lambda row, crop: still)
    row = {"dataset": "own", "subject": "a", "clip": "b", "path": str(sample_video())}
    index = pd.DataFrame([row | {"onset": 0, "offset": 5, "fps": 30.0}])
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path))
    options = {"settings": AvatarSettings(size=8), "n_jobs": 1}
    good = make_avatars(index, (5.0, 10.0), **options)
    (entry,) = tmp_path.rglob("alpha-5.0.png")
    before = entry.read_bytes()
    entry.write_bytes(DAMAGES[damage](before))
    assert np.array_equal(make_avatars(index, (5.0, 10.0), **options), good)
    assert made == [[5.0, 10.0], [5.0]]
    assert entry.read_bytes() == before


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_arrays_are_made_again(damage, tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.arange(999))
    assert kept_arrays(path, lambda: pytest.fail("made again"))[0].sum() == 499 * 999
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert kept_arrays(path, lambda: (np.ones(3),))[0].sum() == 3
    assert kept_arrays(path, lambda: pytest.fail("made again"))[0].sum() == 3


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_starting_weights_are_passed_over(damage, tmp_path, shallow_network):
    path = weights.write_weights(network.scratch_weights(), tmp_path, "start")
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(network.InputError, match="hash in the name"):
        weights.read_weights(path)


RESULT = {"fold": "s01", "fingerprint": "0123", "predictions": [2], "weights_digest": "9"}


@pytest.fixture
def task():
    """A fold with one test clip."""
    fold = Fold("s01", np.array([0]), np.array([1]))
    return FoldTask(fold, np.array([0]), 0, "0123", {})


@pytest.mark.parametrize("damage", [name for name in DAMAGES if name != "one byte"])
def test_a_damaged_fold_is_run_again(damage, task, tmp_path):
    path = tmp_path / "fold.json"
    _write_result(path, RESULT)
    assert _read_result(path, task) == RESULT
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert _read_result(path, task) is None


@pytest.mark.parametrize(
    "damage",
    [
        {"predictions": [3]},
        {"predictions": ["2"]},
        {"predictions": 2},
        {"predictions": [2, 2]},
        {"fingerprint": "0124"},
        {"weights_digest": None},
    ],
    ids=str,
)
def test_a_fold_file_that_says_what_no_fold_says_is_run_again(damage, task, tmp_path):
    path = tmp_path / "fold.json"
    path.write_text(json.dumps(RESULT))
    assert _read_result(path, task) == RESULT
    bad = {key: value for key, value in (RESULT | damage).items() if value is not None}
    path.write_text(json.dumps(bad))
    assert _read_result(path, task) is None


@pytest.mark.parametrize("damage", ["cut", "one byte"])
def test_clips_and_weights_of_pretraining_are_made_again(
    damage, tmp_path, monkeypatch, shallow_network
):
    """One file of each kind is damaged: that one is made again, and comes out the same."""
    training = replace(TINY, epochs=1, train_alphas=(5.0,))
    settings = pretraining.Pretraining(identities=2, clips_per_class=1, training=training)
    rendered = []

    def render(number, part):
        rendered.append(number)
        rng = np.random.default_rng(number)
        faces = rng.integers(0, 256, (3, 32, 32, 3), np.uint8)
        return faces, np.arange(3), rng.random((3, 4)).astype(np.float32)

    monkeypatch.setattr(pretraining, "_render_identity", render)
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path))
    weights = pretraining.pretrained_weights(settings, n_jobs=1)
    good = contents(tmp_path)
    assert len(good) == 3
    assert rendered == [0, 1]
    identity = next(tmp_path.rglob("identity-0001-*.npz"))
    for path in (weights, identity):
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert pretraining.pretrained_weights(settings, n_jobs=1) == weights
    assert rendered == [0, 1, 1]
    assert contents(tmp_path) == good


@pytest.fixture
def kept_twin(fake_renderer, no_roots, monkeypatch):
    """The whole twin of SMIC in the cache, drawn by a renderer that costs nothing."""

    def serial(function, tasks, n_jobs, *, ordered=True):
        return in_parallel(function, tasks, 1)

    monkeypatch.setattr(release, "in_parallel", serial)  # other processes have the real renderer
    root = release.ensure_twin("smic")
    return root, contents(root), fake_renderer


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_twin_whose_truth_file_is_damaged_is_made_anew(damage, kept_twin, caplog):
    root, good, rendered = kept_twin
    truth = root / "_memaa_truth" / "truth.json"
    clips = len(rendered)
    assert roots.ensure_root("smic").path == root
    assert len(rendered) == clips  # a whole twin is left as it is
    if damage == "gone":
        truth.unlink()
    else:
        truth.write_bytes(DAMAGES[damage](truth.read_bytes()))
    assert roots.ensure_root("smic").path == root
    assert "the twin is made anew" in caplog.text
    assert len(rendered) == 2 * clips
    assert contents(root) == good


@pytest.mark.parametrize(("kind", "damage"), [("frame", "cut"), ("truth", "cut")])
def test_a_damaged_clip_of_a_twin_is_named_and_rendered_again(kind, damage, kept_twin):
    root, good, rendered = kept_twin
    clips = len(rendered)
    row = load_index("smic").iloc[0]
    truth = root / "_memaa_truth" / row["subject"] / f"{row['clip']}.npz"
    file = truth if kind == "truth" else sorted(Path(row["path"]).iterdir())[1]
    file.write_bytes(DAMAGES[damage](file.read_bytes()))
    with pytest.raises(InputError) as caught:
        (load_truth if kind == "truth" else load_clip)(row)
    message = str(caught.value)
    assert message.startswith(str(file))
    assert message.endswith(f"remove {truth} and run memaa data twin")
    truth.unlink()
    release.write_twin("smic", n_jobs=1)
    assert len(rendered) == clips + 1
    assert contents(root) == good


STATES = {
    "empty": b"",
    "cut": b'{"html": {"_values_:": {}, "deps',
    "binary": b"\xff\x00\xfe",
    "a list": b"[1, 2]",
    "no tasks": b'{"html": 3}',
}


@pytest.mark.parametrize("state", STATES)
def test_a_damaged_memory_of_the_book_is_forgotten(state, tmp_path, caplog):
    path = tmp_path / ".doit.json"
    path.write_bytes(STATES[state])
    build.forget_damaged_state(path)
    assert not path.exists()
    assert [record.message for record in caplog.records] == [
        f"{path}: damaged, so every page is taken for stale and runs again"
    ]


def test_a_whole_memory_of_the_book_is_left_alone(tmp_path, caplog):
    path = tmp_path / ".doit.json"
    path.write_text('{"html": {"checker:": "MD5Checker"}}')
    build.forget_damaged_state(path)
    build.forget_damaged_state(tmp_path / "none.json")
    assert path.is_file()
    assert not caplog.records


@pytest.mark.slow
def test_a_book_whose_memory_is_damaged_or_gone_comes_out_the_same(project, caplog):
    assert build.build_book().ok
    good = contents(project / "_build" / "html")
    state = project / "build" / ".doit.json"
    whole_state = state.read_bytes()
    for damage in ("cut", None):
        caplog.clear()
        if damage is None:
            state.unlink()
        else:
            state.write_bytes(DAMAGES[damage](whole_state))
        report = build.build_book()
        assert report.ok, report.failed
        assert caplog.text.count(f"{state}: damaged, so every page") == (damage is not None)
        assert (len(report.ran), report.fresh) == (3, [])
        assert contents(project / "_build" / "html") == good
    assert len(build.build_book().fresh) == 3
