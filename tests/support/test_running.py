"""Running: progress, processes of one thread, the same calls here and on a cluster."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import warnings
from operator import itemgetter

import cv2
import numpy as np
import psutil
import pytest

from memaa_lib._support import running
from memaa_lib._support.cache import kept_arrays
from memaa_lib._support.errors import InputError
from memaa_lib._support.running import (
    all_kept_or_made,
    end_when_killed,
    in_parallel,
    kept_or_made,
    progress,
    run_tasks,
)


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


def kept_with_process(number: int) -> np.ndarray:
    """The number and the process that made it, from the cache where they are there."""
    return kept_arrays(f"{number}.npz", lambda: (np.array([number, os.getpid()]),))[0]


def test_processes_are_started_only_for_what_is_not_kept_and_takes_long(monkeypatch, tmp_path):
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path / "short"))
    tasks = [(number,) for number in range(4)]
    short = all_kept_or_made("numbers", kept_with_process, tasks, 2)
    assert {process for _, process in short} == {os.getpid()}
    monkeypatch.setenv("MEMAA_CACHE", str(tmp_path / "long"))
    monkeypatch.setattr(running, "WORTH_PROCESSES", -1.0)
    kept_with_process(1)
    made = list(kept_or_made(kept_with_process, tasks, 2))
    assert [position for position, _ in made] == [1, 0, 2, 3], "what is kept comes first"
    here = [process == os.getpid() for _, (_, process) in made]
    assert here == [True, True, False, False], "the first that is made tells how long they take"
    monkeypatch.setattr(running, "in_parallel", None)
    again = all_kept_or_made("numbers", kept_with_process, tasks, 2)
    assert np.array_equal(again, [result for _, result in sorted(made, key=itemgetter(0))])
    _, (position, (_, process)) = kept_or_made(kept_with_process, [(1,), (9,)], 2)
    assert (position, process) == (1, os.getpid()), "one call needs no process of its own"


def test_no_process_outlives_its_last_result():
    before = set(psutil.Process().children(recursive=True))
    assert list(in_parallel(pow, [(2, 2), (3, 2)], 2)) == [4, 9]
    left = set(psutil.Process().children(recursive=True)) - before
    commands = [" ".join(child.cmdline()) for child in left]
    assert [command for command in commands if "resource_tracker" not in command] == []


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


def test_a_cluster_gives_the_same_results_in_order_and_is_not_flooded(cluster, monkeypatch):
    monkeypatch.setattr(running, "CALLS_AHEAD", 3)
    drawn = []

    def tasks():
        for number in range(9):
            drawn.append(number)
            yield (number, 2)

    results = in_parallel(pow, tasks(), 1, cluster=cluster)
    assert next(results) == 0
    assert len(drawn) == 4
    assert list(results) == [number**2 for number in range(1, 9)]


def test_no_processes_is_an_error():
    with pytest.raises(InputError, match="n_jobs is 0"):
        list(in_parallel(pow, [(1, 1)], 0))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_opencv_has_one_thread_in_a_call_and_then_as_many_as_before(n_jobs):
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        assert list(in_parallel(cv2.getNumThreads, [(), ()], n_jobs)) == [1, 1]
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)


def test_tasks_share_their_first_arguments():
    assert sorted(run_tasks(pow, (2,), [3, 5], 1)) == [8, 32]


def process_of(_: object) -> int:
    return os.getpid()


def test_quick_tasks_stay_in_this_process():
    assert set(run_tasks(process_of, (), range(5), 2, quick=True)) == {os.getpid()}


def test_quick_tasks_that_turn_out_long_go_to_other_processes_but_for_the_first(monkeypatch):
    monkeypatch.setattr(running, "WORTH_PROCESSES", -1.0)
    first, *others = run_tasks(process_of, (), range(3), 2, quick=True)
    assert first == os.getpid()
    assert len(others) == 2
    assert os.getpid() not in others


def test_no_task_is_begun_when_the_time_is_up(monkeypatch):
    clock = iter(range(0, 100, 10))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    assert list(run_tasks(pow, (2,), [1, 2, 3, 4], 1, time_limit=25)) == [2, 4]


@pytest.mark.parametrize(("gpu", "resources"), [(False, {}), (True, {"GPU": 1})])
def test_only_calls_on_a_graphics_card_ask_a_cluster_for_one(gpu, resources, monkeypatch):
    asked = []

    class Client:
        def scatter(self, parts, **options):
            return parts

        def submit(self, *call, **options):
            asked.append(options["resources"])

    monkeypatch.setattr(
        running, "_dask_client", lambda address, jobs: contextlib.nullcontext(Client())
    )
    monkeypatch.setattr("distributed.as_completed", lambda futures: iter(()))
    assert list(run_tasks(pow, (2,), [1, 2], 1, cluster="tcp://a:1", gpu=gpu)) == []
    assert asked == [resources, resources]


def test_a_cluster_that_is_none_is_an_error():
    with pytest.raises(InputError, match="'tcp://host:port' of a scheduler"):
        list(run_tasks(pow, (2,), [1], 1, cluster="localhost"))


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("ignored", [False, True])
def test_kill_ends_a_process_as_ctrl_c_does_also_where_ctrl_c_is_ignored(ignored, sent):
    code = (
        "import time\n"
        "from memaa_lib._support.running import end_when_killed\n"
        "end_when_killed()\n"
        "try:\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        "    print('tidied up')\n"
    )

    def begin() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may run under nohup

    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=begin,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(sent)
    assert process.communicate(timeout=30)[0] == "tidied up\n"
    assert process.returncode == 0


def test_a_closed_terminal_does_not_end_what_nohup_started(monkeypatch):
    handlers = {signal.SIGHUP: signal.SIG_IGN}
    monkeypatch.setattr(signal, "getsignal", handlers.get)
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    end_when_killed()
    assert handlers[signal.SIGHUP] is signal.SIG_IGN
    assert callable(handlers[signal.SIGTERM])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_whose_last_worker_dies_is_named():
    distributed = pytest.importorskip("distributed")

    def die(shared, task):
        import os

        os._exit(9)

    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as one,
        pytest.raises(InputError, match="its workers die; look into their logs"),
    ):
        list(run_tasks(die, [0], [1, 2], 1, cluster=one.scheduler_address))
