"""What every long run needs: clear input errors, a cache, atomic files, a progress bar.

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
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import platformdirs
from joblib.externals.loky import get_reusable_executor
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class InputError(ValueError):
    """Something the user gave cannot be used; the message names it and says how to mend it."""


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
    chosen = os.environ.get("MEMAA_CACHE")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("memaa"))


def fingerprint(*parts: Any) -> str:
    """Return 16 hexadecimal digits that change whenever one of the parts changes.

    Parameters
    ----------
    *parts
        Arrays (shape, dtype and bytes count), bytes, dataclasses, paths (as text) and anything that
        JSON can hold.

    Returns
    -------
    str

    Examples
    --------
    >>> fingerprint("casme2", 10.0) == fingerprint("casme2", 10.0)
    True
    >>> fingerprint("casme2", 10.0) == fingerprint("casme2", 15.0)
    False
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


@contextlib.contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside ``path`` and move it there when the block ends well.

    Parameters
    ----------
    path
        Where the file shall be. Its folder is made if needed.

    Yields
    ------
    pathlib.Path
        A path with the same suffix, to be written in the block. If the block raises, nothing is
        left and whatever was at ``path`` stays.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     target = pathlib.Path(folder, "a", "note.txt")
    ...     with atomic_path(target) as temporary:
    ...         _ = temporary.write_text("whole")
    ...     target.read_text(), len(list(target.parent.iterdir()))
    ('whole', 1)
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem[:40]}-{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_arrays(path: Path | str, names: Sequence[str]) -> dict[str, NDArray[Any]] | None:
    """Read arrays that were kept in the cache, if they are there and whole.

    Parameters
    ----------
    path
        An ``.npz`` archive. Nothing in it is executed.
    names
        What it must hold.

    Returns
    -------
    dict or None
        ``None`` if there is no such file or it is damaged: what is kept can be made again.

    Examples
    --------
    >>> read_arrays("nowhere.npz", ["a"]) is None
    True
    """
    try:
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error):
        return None


@contextlib.contextmanager
def progress(description: str, total: int) -> Iterator[Any]:
    """Show a progress bar on standard error; the block calls the function it gets once an item.

    Parameters
    ----------
    description
        What is being done, two or three words.
    total
        Number of items.

    Yields
    ------
    callable
        ``advance(n=1)`` moves the bar.

    Notes
    -----
    Nothing is drawn where standard error is not a terminal (a log file, a notebook). If
    ``$MEMAA_PROGRESS`` names a file, the state is written there too, so that a process that started
    this one can show it.

    Examples
    --------
    >>> with progress("counting", 3) as advance:
    ...     for _ in range(3):
    ...         advance()
    """
    console = Console(stderr=True)
    status = os.environ.get("MEMAA_PROGRESS")
    done = 0
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=False,
    )
    with bar:
        task = bar.add_task(description, total=total)

        def advance(count: int = 1) -> None:
            nonlocal done
            done += count
            bar.advance(task, count)
            if status:
                Path(status).write_text(f"{description} {done}/{total}", "utf-8")

        yield advance


def in_parallel(
    function: Callable[..., Any],
    tasks: Iterable[tuple[Any, ...]],
    n_jobs: int,
    *,
    ordered: bool = True,
) -> Iterator[Any]:
    """Call ``function(*task)`` for every task, in processes of one thread each.

    Parameters
    ----------
    function
        Defined at the top level of a module.
    tasks
        Arguments of each call. They are drawn one by one as processes become free, so the iterable
        may end early, e.g. when the time is up.
    n_jobs
        Processes; 1 runs everything here.
    ordered
        Whether results come in the order of the tasks, or as they are ready.

    Yields
    ------
    object
        What ``function`` returned.

    Raises
    ------
    InputError
        If ``n_jobs`` is below 1.

    Notes
    -----
    The processes warn, or do not, as this one does. They end with the last result: kept alive for a
    next call, they could reach their idle time-out just as that call hands out work, which then
    waits for ever. Ctrl-C or an error ends them at once.

    Examples
    --------
    >>> list(in_parallel(pow, [(2, 3), (2, 4)], n_jobs=1))
    [8, 16]
    """
    if n_jobs < 1:
        raise InputError(f"n_jobs is {n_jobs}, expected at least 1 process")
    if n_jobs == 1:
        for task in tasks:
            yield function(*task)
        return
    finished = False
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        parallel = joblib.Parallel(
            n_jobs=n_jobs,
            return_as="generator" if ordered else "generator_unordered",
            pre_dispatch="n_jobs",
            batch_size=1,
        )
        try:
            filters = list(warnings.filters)
            yield from parallel(
                joblib.delayed(_warning_as)(filters, function, task) for task in tasks
            )
            finished = True
        finally:
            get_reusable_executor().shutdown(wait=True, kill_workers=not finished)


def _warning_as(filters: list[Any], function: Callable[..., Any], task: tuple[Any, ...]) -> Any:
    """Call ``function(*task)`` with the warning filters of the process that asked for it."""
    with warnings.catch_warnings():
        warnings.filters[:] = filters  # type: ignore[index]
        return function(*task)
