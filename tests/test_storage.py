"""Storage: names made from content, files that are whole or absent."""

import warnings

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memaa_lib.storage import (
    InputError,
    atomic_path,
    cache_root,
    fingerprint,
    in_parallel,
    progress,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "result.json"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_a_folder_can_be_written_atomically(tmp_path):
    with atomic_path(tmp_path / "folder") as temporary:
        temporary.mkdir()
        (temporary / "file").write_text("x")
    assert (tmp_path / "folder" / "file").read_text() == "x"


@given(st.lists(st.one_of(st.integers(), st.text(), st.floats(allow_nan=False)), max_size=4))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_fingerprint_is_a_function_of_its_parts(parts):
    assert fingerprint(*parts) == fingerprint(*parts)
    assert fingerprint(*parts) != fingerprint(*parts, "one more")


def test_fingerprint_sees_shape_dtype_and_content():
    base = np.arange(6, dtype=np.uint8)
    others = [base.reshape(2, 3), base.astype(np.int8), base[::-1]]
    assert len({fingerprint(array) for array in [base, *others]}) == 4


def test_fingerprint_does_not_join_neighbouring_parts():
    assert fingerprint("ab", "c") != fingerprint("a", "bc")


def test_cache_moves_with_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path / "elsewhere"))
    assert cache_root() == tmp_path / "elsewhere"


def test_progress_tells_another_process_how_far_it_is(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("MEMAA_PROGRESS", str(tmp_path / "state"))
    with progress("counting", 5) as advance:
        advance()
        advance(2)
        assert (tmp_path / "state").read_text() == "counting 3/5"
    assert capsys.readouterr().out == ""


def test_processes_give_what_one_gives_in_the_same_order():
    tasks = [(number, 2) for number in range(7)]
    assert list(in_parallel(pow, tasks, 2)) == list(in_parallel(pow, tasks, 1))
    assert sorted(in_parallel(pow, tasks, 2, ordered=False)) == [n * n for n in range(7)]


def test_no_process_outlives_its_last_result():
    assert list(in_parallel(pow, [(2, 2), (3, 2)], 2)) == [4, 9]
    left = [" ".join(child.cmdline()) for child in psutil.Process().children(recursive=True)]
    assert [command for command in left if "resource_tracker" not in command] == []


def test_an_error_in_a_process_reaches_the_caller_and_ends_the_others():
    with pytest.raises(ZeroDivisionError):
        list(in_parallel(divmod, [(1, 1), (1, 0), (4, 2)], 2))
    assert list(in_parallel(divmod, [(7, 2), (9, 2)], 2)) == [(3, 1), (4, 1)]


def test_processes_warn_as_the_one_that_asked_them():
    tasks = [("odd",), ("odder",)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert list(in_parallel(warnings.warn, tasks, 2)) == [None, None]
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="odd"):
            list(in_parallel(warnings.warn, tasks, 2))


def test_tasks_are_drawn_only_as_processes_become_free():
    drawn = []

    def tasks():
        for number in range(20):
            drawn.append(number)
            yield (number, 1)

    results = in_parallel(pow, tasks(), 1)
    next(results)
    assert drawn == [0]


def test_no_processes_is_an_error():
    with pytest.raises(InputError, match="n_jobs is 0"):
        list(in_parallel(pow, [(1, 1)], 0))
