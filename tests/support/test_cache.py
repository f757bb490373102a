"""The cache: names made from content, files that are whole or absent, what is kept is not made."""

import os
import pwd
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import memaa_lib
from memaa_lib import InputError
from memaa_lib._support.cache import (
    PARTS,
    atomic_path,
    cache_root,
    check_folder,
    fingerprint,
    given_path,
    kept,
    kept_arrays,
    place_compiled_code,
    remove_kept,
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


@pytest.mark.parametrize("named", ["c", "./c", "../c", "d/../c", "~/c", "~no-such-user/c"])
def test_a_given_path_is_absolute_and_counts_from_where_the_user_stands(
    monkeypatch, tmp_path, named
):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    expected = tmp_path / os.path.expanduser(named)
    assert given_path(named) == expected
    monkeypatch.setenv("MEMAA_CACHE", named)
    assert cache_root() == expected


def without_home(monkeypatch) -> None:
    """Be a user that the system does not know, as in a container that was started with a number."""

    def unknown(number):
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "XDG_CACHE_HOME", "MEMAA_CACHE", "NUMBA_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_home_folder_the_cache_is_asked_for(monkeypatch, tmp_path):
    without_home(monkeypatch)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="set MEMAA_CACHE to a folder"):
        cache_root()
    monkeypatch.setenv("MEMAA_CACHE", "c")
    assert cache_root() == tmp_path / "c"


def read_only(folder: Path, monkeypatch) -> Path:
    """Make a folder that cannot be written, even by root."""
    can = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: can(path, mode) and Path(path) != folder)
    folder.mkdir()
    return folder


def test_compiled_code_goes_where_it_can_be_written(monkeypatch, tmp_path):
    installed = read_only(tmp_path / "installed", monkeypatch)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    place_compiled_code(tmp_path / "writable")
    assert "NUMBA_CACHE_DIR" not in os.environ  # beside the code, as Numba has it
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "named"))
    place_compiled_code(installed)
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path / "named")
    for unusable in ("", str(installed)):
        monkeypatch.setenv("NUMBA_CACHE_DIR", unusable)
        monkeypatch.setenv("MEMAA_CACHE", str(tmp_path / "cache"))
        place_compiled_code(installed)
        assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path / "cache" / "compiled")


def test_compiled_code_has_a_place_of_its_own_if_nothing_else_is_left(monkeypatch, tmp_path):
    installed = read_only(tmp_path / "installed", monkeypatch)
    without_home(monkeypatch)
    monkeypatch.chdir(tmp_path)
    place_compiled_code(installed)
    place = Path(os.environ["NUMBA_CACHE_DIR"])
    assert place.is_dir()
    assert place.stat().st_mode & 0o077 == 0  # nobody else puts code there
    shutil.rmtree(place)
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")
    monkeypatch.setenv("MEMAA_CACHE", str(installed))
    place_compiled_code(installed)
    assert Path(os.environ["NUMBA_CACHE_DIR"]).parent == place.parent
    shutil.rmtree(os.environ["NUMBA_CACHE_DIR"])
    assert [path.name for path in tmp_path.iterdir()] == ["installed"]  # no folder called ~


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


def test_a_place_that_cannot_be_written_is_refused_before_the_work(monkeypatch, tmp_path):
    monkeypatch.setenv("MEMAA_CACHE", str(read_only(tmp_path / "cache", monkeypatch)))
    with pytest.raises(InputError, match="cannot be written"):
        kept_arrays("inputs/a.npz", lambda: pytest.fail("the work began"))
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="file: no folder"):
        check_folder(tmp_path / "file" / "below")


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


# ------------------------------------------------------------------ emptying the cache
KEY = fingerprint("anything")
OWN = (
    f"avatars/{KEY}/alpha-10.0.png",
    f"clips/{KEY}.txt",
    f"compiled/_support_{'ab12' * 10}/kernels.half_size-1.py311.nbi",
    f"features/lbp_top/{KEY}.npz",
    f"features/repair/{KEY}.npz",
    f"folds/smic-s01-{KEY}.json",
    f"guard/{KEY}.npz",
    f"inputs/{KEY}.npz",
    f"inputs/.{KEY}-0123abcd.npz",  # of a run that was killed
    f"pictures/{KEY}/alpha-10.0.png",
    f"pictures/{KEY}.npz",
    f"pretraining/identity-0001-{KEY}.npz",
    f"pretraining/resnet34-further-{KEY}-0123abcd.pth",
    f"twins/smic-{KEY}/SMIC_all_cropped/HS/s1/reg_image1.bmp",
)
MINE = (
    ".bashrc",
    "thesis.docx",
    "photographs/me.jpg",
    f"{KEY}.txt",
    f"photographs/{KEY}/me.jpg",
    "avatars/me.png",  # folders of the user's may have the same names
    "clips/holiday.mp4",
    "clips/2024/holiday.mp4",
    "twins/anna-and-berta/1.jpg",
    "pictures/0123456789abcdef0123456789abcdef.jpg",
)


def fill(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() or p.is_symlink()}


@pytest.mark.parametrize("mine", [(), MINE], ids=["cache", "home"])
def test_only_what_the_program_made_is_removed(tmp_path, mine):
    cache = tmp_path / "cache"
    fill(cache, OWN + mine)
    left, failures = remove_kept(cache)
    assert failures == []
    assert files(tmp_path) == {f"cache/{name}" for name in mine}
    assert cache.exists() == bool(mine)
    for name in mine:  # each is named, or a folder above it
        assert any((cache / name).is_relative_to(path) for path in left)


def test_links_are_not_followed(tmp_path):
    outside, cache = tmp_path / "outside", tmp_path / "cache"
    fill(outside, OWN)
    fill(cache, OWN)
    before = files(outside)
    shutil.rmtree(cache / "twins")
    (cache / "twins").symlink_to(outside / "twins")
    (cache / "avatars" / f"{KEY[::-1]}").symlink_to(outside / "avatars" / KEY)
    (cache / "clips" / "elsewhere").symlink_to(outside / "clips")
    (cache / "avatars" / KEY / "link.png").symlink_to(outside / OWN[0])
    (cache / "inputs" / "dangling").symlink_to(tmp_path / "nowhere")
    left, failures = remove_kept(cache)
    assert failures == []
    assert files(outside) == before
    assert files(cache) == {"twins", "clips/elsewhere", "inputs/dangling"}
    assert {str(path.relative_to(cache)) for path in left} == files(cache)


def test_a_cache_that_is_a_link_is_emptied_and_stays(tmp_path):
    fill(tmp_path / "scratch", (*OWN, "mine.txt"))
    (tmp_path / "cache").symlink_to(tmp_path / "scratch")
    assert remove_kept(tmp_path / "cache") == ([tmp_path / "cache" / "mine.txt"], [])
    assert files(tmp_path) == {"cache", "scratch/mine.txt"}
    (tmp_path / "scratch" / "mine.txt").unlink()
    assert remove_kept(tmp_path / "cache") == ([], [])
    assert (tmp_path / "cache").is_symlink()


def test_what_cannot_be_removed_is_named_and_the_rest_is_removed(tmp_path, monkeypatch):
    fill(tmp_path, OWN)
    unlink = Path.unlink

    def stubborn(path, *given, **options):
        if path.parent.name == "clips":
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path, *given, **options)

    monkeypatch.setattr(Path, "unlink", stubborn)
    monkeypatch.setattr(
        shutil, "rmtree", lambda path: unlink(next(p for p in Path(path).rglob("*") if p.is_file()))
    )
    _, failures = remove_kept(tmp_path)
    assert failures == [f"{tmp_path / 'clips' / KEY}.txt: Permission denied"]
    assert files(tmp_path) == {f"clips/{KEY}.txt"}


def test_all_that_is_kept_has_its_part():
    library = Path(memaa_lib.__file__).parent
    places = [*library.rglob("*.py"), *(library.parent / "book" / "memaa_book").glob("*.py")]
    code = "".join(path.read_text("utf-8") for path in places)
    named = set(re.findall(r'cache_root\(\) / "(\w+)"', code))
    named |= set(re.findall(r'f"(\w+)/[^"]*\{(?:key|state)\}(?:\.|/)', code))
    assert named == set(PARTS)
