"""The cache: names made from content, files that are whole or absent, what is kept is not made."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memaa_lib._support.cache import atomic_path, cache_root, fingerprint, kept, kept_arrays


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


def test_only_what_is_missing_or_damaged_is_made_and_together(monkeypatch, tmp_path):
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path))
    made = []

    def make(missing):
        made.append(missing)
        return [f"number {position}" for position in missing]

    def read(path):
        text = path.read_text()
        if not text:
            raise ValueError("damaged")
        return text

    names = ["texts/a", "texts/b", "texts/c"]
    assert kept(names[1:2], lambda _: ["old"], read, Path.write_text) == ["old"]
    assert kept(names, make, read, Path.write_text) == ["number 0", "old", "number 2"]
    (tmp_path / "texts" / "b").write_text("")
    assert kept(names[::-1], make, read, Path.write_text) == ["number 2", "number 1", "number 0"]
    assert made == [[0, 2], [1]]
    assert sorted(path.name for path in (tmp_path / "texts").iterdir()) == ["a", "b", "c"]


def test_arrays_come_back_as_they_were_made(tmp_path):
    arrays = (np.arange(6, dtype=np.uint8).reshape(2, 3), np.array("text"), np.zeros((0, 4)))
    for make in (lambda: arrays, lambda: pytest.fail("made again")):
        found = kept_arrays(tmp_path / "a.npz", make)
        assert [part.dtype for part in found] == [part.dtype for part in arrays]
        for part, expected in zip(found, arrays, strict=True):
            assert np.array_equal(part, expected)


def test_what_fails_to_be_made_is_not_kept(tmp_path):
    with pytest.raises(ZeroDivisionError):
        kept_arrays(tmp_path / "a.npz", lambda: 1 / 0)
    assert list(tmp_path.iterdir()) == []
