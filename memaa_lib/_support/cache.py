"""Files that can be made again: where they are, what they are named after, how they are written.

Results are kept on disk under a name made from everything they depend on, so a stopped run resumes
where it was and two processes may share one cache: a file appears whole under its final name or not
at all.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
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

T = TypeVar("T")
Arrays = tuple[NDArray[Any], ...]

_MISSING_OR_DAMAGED = (
    OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


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
        return Path(chosen).expanduser()
    import platformdirs  # here, because a machine that only trains need not have it

    return Path(platformdirs.user_cache_dir("memaa"))


def fingerprint(*parts: Any) -> str:
    """Return 16 hexadecimal digits that change whenever one of the parts changes.

    Parts are arrays (shape, dtype and bytes count), bytes, dataclasses, paths (as text) and
    anything that JSON can hold.
    """
    state = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            state.update(f"array{part.shape}{part.dtype.str}".encode())
            state.update(np.ascontiguousarray(part).tobytes())
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
    path = Path(path).expanduser().absolute()
    there = next(place for place in (path, *path.parents) if place.exists())
    if not there.is_dir():
        raise InputError(f"{there}: no folder, so nothing can be written in {path}; name another")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"{there}: cannot be written, so neither can {path}; name another folder")


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
