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
from collections.abc import Iterator
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
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
