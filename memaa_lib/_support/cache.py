"""Files that can be made again: where they are, what they are named after, how they are written.

Results are kept on disk under a name made from everything they depend on, so a stopped run resumes
where it was and two processes may share one cache: a file appears whole under its final name or not
at all.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from memaa_lib._support.errors import InputError

VERSION = 1
"""Raise it when the same input gives another result, wherever: all that is kept is made once more.

It stands in the name of everything that is kept but the twins, which know their own code.
"""

PARTS = (
    "avatars", "clips", "compiled", "features", "folds", "guard", "inputs", "pictures",
    "pretraining", "twins",
)  # fmt: skip
"""Folders of the cache. What they hold bears a :func:`fingerprint` in its name (compiled code a longer one)."""

_OWN_NAME = re.compile(r"(?<![0-9a-f])([0-9a-f]{16}|[0-9a-f]{40})(?![0-9a-f])")

T = TypeVar("T")
Arrays = tuple[NDArray[Any], ...]

_MISSING_OR_DAMAGED = (
    OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


_may_make = ContextVar("may_make", default=True)


class NotKept(LookupError):
    """What is asked for is not in the cache, and is not to be made: see :func:`nothing_made`."""


@contextlib.contextmanager
def nothing_made() -> Iterator[None]:
    """Within the block, :func:`kept` raises :class:`NotKept` where it would make something."""
    before = _may_make.set(False)
    try:
        yield
    finally:
        _may_make.reset(before)


def cache_root() -> Path:
    """Return the folder for everything that can be made again (twins, avatars, folds).

    Returns
    -------
    pathlib.Path
        ``$MEMAA_CACHE`` if set, else ``memaa`` in the user's cache folder. It need not exist yet.

    Examples
    --------
    >>> import os
    >>> os.environ["MEMAA_CACHE"] = "somewhere"
    >>> cache_root().name
    'somewhere'
    >>> del os.environ["MEMAA_CACHE"]
    """
    if chosen := os.environ.get("MEMAA_CACHE"):
        return given_path(chosen)
    import platformdirs  # here, because a machine that only trains need not have it

    try:
        return Path(platformdirs.user_cache_dir("memaa"))
    except RuntimeError:
        raise InputError(
            "nobody knows your home folder, in which the cache would be: set MEMAA_CACHE to a folder"
        ) from None


def given_path(text: Path | str) -> Path:
    """Return a path that somebody gave as an absolute one; ``~`` is their home folder, if they have one."""
    return Path(os.path.expanduser(text)).absolute()  # pathlib raises for a user that there is not


def place_compiled_code(package: Path) -> None:
    """Tell Numba where to keep compiled code if it cannot stand in the package: Numba gives up without a place.

    That is a folder of the cache, else one that goes when this process ends. Processes that are started
    from here use it, too.
    """
    named = os.environ.get("NUMBA_CACHE_DIR")
    if is_writable(package / "__pycache__") or (named and is_writable(named)):
        return
    with contextlib.suppress(InputError):
        place = cache_root() / "compiled"
        check_folder(place)
        os.environ["NUMBA_CACHE_DIR"] = str(place)
        return
    with contextlib.suppress(OSError):  # nothing at all can be written
        os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="memaa-")
        atexit.register(shutil.rmtree, os.environ["NUMBA_CACHE_DIR"], ignore_errors=True)


def fingerprint(*parts: Any) -> str:
    """Return 16 hexadecimal digits that change whenever one of the parts changes.

    Parts are arrays (shape, dtype and bytes count), bytes, dataclasses, paths (as text) and
    anything that JSON can hold.
    """
    state = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            state.update(f"array{part.shape}{part.dtype.str}".encode())
            state.update(np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)  # no copy
        elif isinstance(part, bytes):
            state.update(b"bytes" + part)
        else:
            if is_dataclass(part) and not isinstance(part, type):
                part = asdict(part)
            state.update(json.dumps(part, sort_keys=True, default=str).encode())
        state.update(b"\0")
    return state.hexdigest()[:16]


def check_folder(path: Path | str) -> None:
    """Raise a clear error unless files can be written in a folder, which need not exist yet."""
    path = given_path(path)
    there = nearest_existing(path)
    if not os.path.isdir(there):
        raise InputError(f"{there}: no folder, so nothing can be written in {path}; name another")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"{there}: cannot be written, so neither can {path}; name another folder")


def nearest_existing(path: Path) -> Path:
    """Return an absolute path itself, or the nearest folder above it that exists."""
    # os.path, because pathlib raises where a folder above may not be looked into
    return next(place for place in (path, *path.parents) if os.path.exists(place))


def is_writable(path: Path | str) -> bool:
    """Tell whether :func:`check_folder` lets a folder pass."""
    try:
        check_folder(path)
    except InputError:
        return False
    return True


def check_file(path: Path | str) -> None:
    """Raise a clear error unless a file can be written at a path; what is there is replaced."""
    if Path(path).is_dir():
        raise InputError(f"{path}: a folder; give the name of a file")
    check_folder(Path(path).parent)


@contextlib.contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside ``path`` and move it there when the block ends well.

    It has the same suffix; the folder is made if needed. If the block raises, nothing is left and
    whatever was at ``path`` stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem[:40]}-{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def kept(
    paths: Sequence[Path | str],
    make: Callable[[list[int]], Iterable[T]],
    read: Callable[[Path], T],
    write: Callable[[Path, T], object],
) -> list[T]:
    """Return what is kept in some files of the cache; what is not is made, together, and kept.

    ``paths`` lie below :func:`cache_root` and are named after :data:`VERSION` and the contents and
    settings that the values depend on, not after places and times: a cache may be copied. ``make``
    gets the positions of those that are missing or damaged; ``read`` raises for damaged files.
    """
    places = [cache_root() / path for path in paths]
    values: dict[int, T] = {}
    for position, place in enumerate(places):
        with contextlib.suppress(*_MISSING_OR_DAMAGED):
            values[position] = read(place)
    missing = [position for position in range(len(places)) if position not in values]
    if missing and not _may_make.get():
        raise NotKept(str(places[missing[0]]))
    for folder in {places[position].parent for position in missing}:
        check_folder(folder)  # before the work, not after it
    made = make(missing) if missing else ()
    for position, value in zip(missing, made, strict=True):
        with atomic_path(places[position]) as temporary:
            write(temporary, value)
        values[position] = value
    return [values[position] for position in range(len(places))]


def kept_arrays(path: Path | str, make: Callable[[], Arrays]) -> Arrays:
    """Return arrays that are kept in one ``.npz`` file of the cache; see :func:`kept`."""
    return kept([path], lambda missing: [make()], _read_arrays, _write_arrays)[0]


def _read_arrays(path: Path) -> Arrays:
    """Read an archive whose parts have check sums; nothing in it is executed."""
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        return tuple(archive[name] for name in archive.files)


def _write_arrays(path: Path, arrays: Arrays) -> None:
    np.savez(path, *arrays)


# ------------------------------------------------------------------ emptying the cache
def remove_kept(root: Path) -> tuple[list[Path], list[str]]:
    """Remove what the program keeps in a cache's folder, and nothing else that stands there.

    Links are not followed. The folder itself goes, too, if that leaves it empty.

    Returns
    -------
    left : list of pathlib.Path
        What still stands in the folder and in its parts.
    failures : list of str
        What could not be removed, each with the reason.
    """
    failures: list[str] = []
    parts = [root / name for name in PARTS if _is_folder(root / name)]
    left = [path for part in parts for path in _remove_own(part, failures)]
    left += [path for path in _entries(root, failures) if path not in parts]
    if not left and not failures and not root.is_symlink():
        root.rmdir()
    return left, failures


def _remove_own(folder: Path, failures: list[str]) -> list[Path]:
    """Remove what bears a fingerprint in its name, here and in folders below; return what is left."""
    left = []
    for path in _entries(folder, failures):
        if not _OWN_NAME.search(path.name):
            left += _remove_own(path, failures) if _is_folder(path) else [path]
            continue
        try:
            shutil.rmtree(path) if _is_folder(path) else path.unlink()
        except OSError as error:
            if os.path.lexists(path):  # else another process was quicker
                failures.append(f"{error.filename or path}: {error.strerror}")
    with contextlib.suppress(OSError):  # it is not empty
        folder.rmdir()
    return left


def _is_folder(path: Path) -> bool:
    """Tell a folder from a link to one; what may not be looked at is none."""
    return os.path.isdir(path) and not os.path.islink(path)


def _entries(folder: Path, failures: list[str]) -> list[Path]:
    """List a folder; one that may not be looked into is a failure."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        failures.append(f"{folder}: {error.strerror}")
        return []
