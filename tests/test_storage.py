"""Storage: names made from content, files that are whole or absent."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memaa_lib.storage import atomic_path, cache_root, fingerprint, progress


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
