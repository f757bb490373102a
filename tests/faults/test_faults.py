"""A few faults of each kind; `make faults` has them many times (tools/run_faults.py)."""

import warnings

import numpy as np
import pytest
from harness import (
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
    twin_job,
    whole,
)

from memaa_lib import guard, network
from memaa_lib.avatar import AvatarSettings, make_avatars
from memaa_lib.clips import sample_video
from memaa_lib.protocol import FoldTask, _read_result
from memaa_lib.storage import read_arrays


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """A twin of a few clips that nobody disturbed."""
    job = twin_job(tmp_path_factory.mktemp("calm"))
    code, err, seconds = job.run()
    assert code == 0, err
    return job, seconds


@pytest.mark.slow
def test_a_twin_that_was_killed_comes_out_the_same(calm, tmp_path):
    job = twin_job(tmp_path)
    assert kill_at_random(job, times=2, seconds=calm[1], seed=1)
    assert whole(job.results) == contents(calm[0].results)


@pytest.mark.slow
def test_two_runs_at_once_make_one_twin(calm, tmp_path):
    job = twin_job(tmp_path, jobs=1)
    both = [job.start(), job.start()]
    errors = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert contents(job.results) == contents(calm[0].results)
    assert leftovers(job.results) == []


@pytest.mark.slow
def test_ctrl_c_ends_at_once_and_leaves_nothing_running(calm, tmp_path):
    job = twin_job(tmp_path)
    code, last, took, left = interrupt(job, has_begun(job))
    assert code == 130
    assert last == "stopped; give the same command again to go on where it was"
    assert took < QUICK_STOP
    assert left == []
    assert job.run()[0] == 0
    assert whole(job.results) == contents(calm[0].results)


@pytest.mark.slow
def test_a_worker_that_dies_is_named_and_the_next_run_goes_on(calm, tmp_path):
    job = twin_job(tmp_path)
    code, err = kill_a_worker(job)
    assert code == 3, err
    assert "a worker process was killed" in err
    assert "Traceback" not in err
    assert job.run()[0] == 0
    assert whole(job.results) == contents(calm[0].results)


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
def test_a_book_that_was_stopped_goes_on(tmp_path):
    job = book_job(tmp_path, seconds=60)
    code, last, took, left = interrupt(job, runs_a_notebook)
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


@pytest.mark.parametrize("damage", [name for name in DAMAGES if name != "one byte"])
def test_a_damaged_avatar_is_made_again(damage, tmp_path, monkeypatch):
    import pandas as pd

    made = []

    def avatars(clip, alphas, settings, given):
        made.append(alphas)
        return np.full((len(alphas), 8, 8, 3), 7, np.uint8)

    monkeypatch.setattr("memaa_lib.avatar.clip_to_avatar", avatars)
    monkeypatch.setattr("memaa_lib.datasets.load_clip", lambda row: None)
    row = {"dataset": "own", "subject": "a", "clip": "b", "path": str(sample_video())}
    index = pd.DataFrame([row | {"onset": 0, "offset": 5, "fps": 30.0}])
    options = {"settings": AvatarSettings(size=8), "cache": tmp_path, "n_jobs": 1}
    good = make_avatars(index, (5.0, 10.0), **options)
    (entry,) = tmp_path.rglob("alpha-5.0.png")
    before = entry.read_bytes()
    entry.write_bytes(DAMAGES[damage](before))
    assert np.array_equal(make_avatars(index, (5.0, 10.0), **options), good)
    assert made == [[5.0, 10.0], [5.0]]
    assert entry.read_bytes() == before


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_arrays_are_as_good_as_none(damage, tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.arange(999))
    assert read_arrays(path, ["a"])["a"].sum() == 499 * 999
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert read_arrays(path, ["a"]) is None
    assert read_arrays(path, ["b"]) is None


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_starting_weights_are_passed_over(damage, tmp_path):
    path = network.write_weights(network.scratch_weights(), tmp_path, "start")
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    with pytest.raises(network.InputError, match="hash in the name"):
        network.read_weights(path)


@pytest.mark.parametrize("damage", [name for name in DAMAGES if name != "one byte"])
def test_a_damaged_fold_is_run_again(damage, tmp_path):
    from memaa_lib.protocol import Fold, _result_path, _write_result

    fold = Fold("s01", np.array([0]), np.array([1]))
    fields = {name: None for name in FoldTask.__dataclass_fields__}
    task = FoldTask(**fields | {"fold": fold, "fingerprint": "0123"})
    result = {"fold": "s01", "fingerprint": "0123", "predictions": [2]}
    _write_result(tmp_path, result)
    path = _result_path(tmp_path, "s01", "0123")
    assert _read_result(tmp_path, task) == result
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert _read_result(tmp_path, task) is None


def test_no_kept_file_is_executed():
    assert not [name for name in vars(guard) if name in ("pickle", "eval", "exec")]
