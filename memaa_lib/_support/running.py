"""Long work: a progress bar, processes of one thread each, and the same on a cluster."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import shutil
import signal
import socket
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import joblib
from joblib.externals.loky import get_reusable_executor
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from memaa_lib._support.cache import NotKept, nothing_made
from memaa_lib._support.errors import InputError

logger = logging.getLogger(__name__)

RETRIES = 3
"""How often a call is made again whose worker died."""

WORTH_PROCESSES = 15.0
"""Seconds of one process below which two gain nothing: each imports ``torch`` before it begins."""

CALLS_AHEAD = 1000
"""How many calls a cluster is given at a time: half a million at once would choke its scheduler."""


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
    cluster: str | None = None,
) -> Iterator[Any]:
    """Call ``function(*task)`` for every task, in processes of one thread each or on a cluster.

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
        Whether results come in the order of the tasks, or as they are ready; on a cluster they do.
    cluster
        See :func:`run_tasks`; then ``n_jobs`` counts only with ``"slurm"``.

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
    OpenCV has one thread during a call, here too. The processes warn, or do not, as this one does.
    They end with the last result: kept alive for a next call, they could reach their idle time-out
    just as that call hands out work, which then waits for ever. Ctrl-C or an error ends them at
    once.

    Examples
    --------
    >>> list(in_parallel(pow, [(2, 3), (2, 4)], n_jobs=1))
    [8, 16]
    """
    if n_jobs < 1:
        raise InputError(f"n_jobs is {n_jobs}, expected at least 1 process")
    if cluster is not None:
        yield from _on_cluster(function, tasks, n_jobs, cluster)
        return
    if n_jobs == 1:
        for task in tasks:
            yield _on_one_thread(function, *task)
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
                joblib.delayed(_in_process)(filters, function, task) for task in tasks
            )
            finished = True
        finally:
            get_reusable_executor().shutdown(wait=True, kill_workers=not finished)


def kept_or_made(
    function: Callable[..., Any],
    tasks: Sequence[tuple[Any, ...]],
    n_jobs: int,
    *,
    cluster: str | None = None,
) -> Iterator[tuple[int, Any]]:
    """Call a function that keeps what it makes; yield position and result of every task.

    What is kept is read here and comes first. The rest is made on a cluster, as by :func:`in_parallel`,
    or here: in several processes if this one would take over :data:`WORTH_PROCESSES`.
    """
    if cluster is None and n_jobs <= 1:  # none will be started, so nothing is looked up twice
        yield from enumerate(in_parallel(function, tasks, n_jobs))
        return
    missing = []
    for position, task in enumerate(tasks):
        try:
            with nothing_made():
                result = function(*task)
        except NotKept:
            missing.append(position)
        else:
            yield position, result
    waiting = (tasks[position] for position in missing)
    if cluster is None or not missing:
        made = _here_at_first(function, waiting, len(missing), n_jobs)
    else:
        made = in_parallel(function, waiting, n_jobs, cluster=cluster)
    yield from zip(missing, made, strict=True)


def _here_at_first(
    function: Callable[..., Any],
    tasks: Iterator[tuple[Any, ...]],
    count: int,
    n_jobs: int,
    *,
    ordered: bool = True,
) -> Iterator[Any]:
    """Make ``count`` calls as :func:`in_parallel` does, but here while no process is worth its start."""
    began = time.monotonic()
    for done, task in enumerate(tasks, 1):
        yield _on_one_thread(function, *task)
        left = count - done
        if left and (time.monotonic() - began) / done * left > WORTH_PROCESSES:
            yield from in_parallel(function, tasks, min(n_jobs, left), ordered=ordered)


def all_kept_or_made(
    description: str,
    function: Callable[..., Any],
    tasks: Sequence[tuple[Any, ...]],
    n_jobs: int,
    *,
    cluster: str | None = None,
) -> list[Any]:
    """Return the results of :func:`kept_or_made` in the order of the tasks, with a progress bar."""
    results: list[Any] = [None] * len(tasks)
    with progress(description, len(tasks)) as advance:
        for position, result in kept_or_made(function, tasks, n_jobs, cluster=cluster):
            results[position] = result
            advance()
    return results


def end_when_killed() -> None:
    """Let ``kill``, a batch system whose time is up and a closed terminal end this process as Ctrl-C does."""

    def end(*_: object) -> None:
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a script
            signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, end)
    hang_up = getattr(signal, "SIGHUP", None)  # not on Windows
    if hang_up and signal.getsignal(hang_up) is not signal.SIG_IGN:  # else nohup asked to go on
        signal.signal(hang_up, end)


def _in_process(filters: list[Any], function: Callable[..., Any], task: tuple[Any, ...]) -> Any:
    """Call ``function(*task)`` with the warning filters of the process that asked for it."""
    with warnings.catch_warnings():
        warnings.filters[:] = filters  # type: ignore[index]
        return _on_one_thread(function, *task)


def _on_one_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    with one_opencv_thread():
        return function(*arguments)


@contextlib.contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Keep OpenCV to one thread within the block: threads of several processes fight for the cores.

    OpenCV takes no notice of ``OMP_NUM_THREADS``, so it has to be told itself.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def run_tasks(
    function: Callable[..., Any],
    shared: Sequence[Any],
    tasks: Sequence[Any],
    n_jobs: int,
    *,
    cluster: str | None = None,
    time_limit: float | None = None,
    gpu: bool = False,
    quick: bool = False,
) -> Iterator[Any]:
    """Call ``function(*shared, task)`` for every task, here or on a cluster; results as they are ready.

    ``cluster`` is ``"tcp://host:port"`` of a Dask scheduler, or ``"slurm"`` to start ``n_jobs``
    workers through dask-jobqueue as its configuration file says; None runs in ``n_jobs`` processes
    here. After ``time_limit`` seconds no call is begun, and a cluster's are cancelled. With ``gpu``
    each call has a graphics card to itself: one call at a time here, the resource ``GPU`` of a
    worker there. A call whose worker dies is made again by another one. ``quick`` calls are made in this
    process unless those that are left would take it over :data:`WORTH_PROCESSES`.
    """
    deadline = math.inf if time_limit is None else time.monotonic() + time_limit
    if cluster is None:
        in_time = ((*shared, task) for task in tasks if time.monotonic() < deadline)
        n_jobs = 1 if gpu else n_jobs
        if quick:
            yield from _here_at_first(function, in_time, len(tasks), n_jobs, ordered=False)
        elif tasks:
            yield from in_parallel(function, in_time, min(n_jobs, len(tasks)), ordered=False)
        return
    with _dask_client(cluster, n_jobs) as client:
        from distributed import as_completed

        scattered = client.scatter(list(shared), broadcast=True, hash=False)
        options = {"resources": {"GPU": 1} if gpu else {}, "retries": RETRIES, "pure": False}
        futures = [
            client.submit(_on_one_thread, function, *scattered, task, **options) for task in tasks
        ]
        for future in as_completed(list(futures)):
            yield _result_of(future, cluster)
            futures.remove(future)
            if time.monotonic() >= deadline:
                client.cancel(futures)
                return


def _on_cluster(
    function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]], n_jobs: int, cluster: str
) -> Iterator[Any]:
    """Call ``function(*task)`` on a cluster, a limited number of calls ahead, results in order."""
    with _dask_client(cluster, n_jobs) as client:
        ahead: deque[Any] = deque()
        for task in tasks:
            if len(ahead) == CALLS_AHEAD:
                yield _result_of(ahead.popleft(), cluster)
            ahead.append(
                client.submit(_on_one_thread, function, *task, retries=RETRIES, pure=False)
            )
        while ahead:
            yield _result_of(ahead.popleft(), cluster)


def _wait_for_a_worker(client: Any, cluster: str) -> None:
    """Wait until there is one: in a queue that may take hours."""
    if not client.nthreads():
        logger.warning("cluster %s: no worker yet; waiting for one (Ctrl-C ends this)", cluster)
        client.wait_for_workers(1)


def _result_of(future: Any, cluster: str) -> Any:
    from distributed import KilledWorker

    try:
        return future.result()
    # a call is cancelled if the last worker dies that had what is shared
    except (KilledWorker, CancelledError):
        raise InputError(
            f"cluster {cluster}: its workers die; look into their logs, give them more memory, and give the "
            "same command again to go on"
        ) from None


def check_cluster(cluster: str) -> None:
    """Refuse what names no cluster, or one that does not answer."""
    if cluster != "slurm" and "://" not in cluster:
        raise InputError(f"cluster {cluster!r}: give 'tcp://host:port' of a scheduler, or 'slurm'")
    if find_spec("distributed" if cluster != "slurm" else "dask_jobqueue") is None:
        raise InputError("--cluster needs Dask: pip install 'memaa-companion[cluster]'")
    if cluster == "slurm" and shutil.which("sbatch") is None:
        raise InputError("cluster slurm: there is no sbatch here; log in where jobs are submitted")
    if cluster.startswith(("tcp://", "tls://")):
        try:
            place = urlsplit(cluster)
            socket.create_connection((place.hostname or "", place.port or 0), timeout=10).close()
        except (OSError, ValueError) as error:
            raise InputError(f"cluster {cluster}: no Dask scheduler answers there") from error


@contextlib.contextmanager
def _dask_client(cluster: str, n_jobs: int) -> Iterator[Any]:
    """Connect to a scheduler, or start one whose workers SLURM runs."""
    check_cluster(cluster)
    from distributed import Client

    if cluster == "slurm":
        from dask_jobqueue import SLURMCluster

        with SLURMCluster() as jobs, Client(jobs) as client:
            jobs.scale(jobs=n_jobs)
            _wait_for_a_worker(client, cluster)
            yield client
        return
    try:
        client = Client(cluster, timeout="10s")
    except (OSError, ValueError) as error:
        raise InputError(f"cluster {cluster}: no Dask scheduler answers there") from error
    with client:
        _wait_for_a_worker(client, cluster)
        yield client
