"""Kill, stop and starve the long commands many times: `make long CHECK=faults`.

Each row: a fault, how often it struck, and whether the result was the same, byte for byte, as that of a
run that nobody disturbed. The table goes into results/trust.json.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from memaa_lib import network
from memaa_lib._support.weights import write_weights
from tests.long import harness, trust_results
from tests.long.harness import Job

SAME = "same bytes"


def killed(
    times: int, calm: Callable[[Path], Job], again: Callable[[Path], Job]
) -> tuple[int, str]:
    """Kill a job many times; how often, and how its result compares with a calm run's."""
    with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
        first = calm(Path(a))
        code, err, seconds = first.run()
        if code:
            return 0, f"the calm run failed: {err.strip().splitlines()[-1]}"
        expected = harness.whole(first.results)
        struck, differing = 0, 0
        rounds = 0
        while struck < times and rounds < 4 * times:
            rounds += 1
            place = Path(b, str(rounds))
            place.mkdir()
            job = again(place)
            struck += harness.kill_at_random(job, min(3, times - struck), seconds, seed=rounds)
            code, err, _ = job.run()
            assert code == 0, err
            differing += harness.whole(job.results) != expected
        return struck, SAME if not differing else f"{differing} of {rounds} results differ"


def repeated(times: int, check: Callable[[Path], str]) -> tuple[int, str]:
    """Run a check some times; the first outcome that is not good, else the good one."""
    outcome = ""
    for number in range(times):
        with tempfile.TemporaryDirectory() as place:
            outcome = check(Path(place))
        if not outcome.startswith(SAME) and not outcome.startswith("one line"):
            return number + 1, outcome
    return times, outcome


def main() -> None:
    """Run every fault and print and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="kills of each command")
    parser.add_argument("--only", default="", help="rows whose name holds this")
    options = parser.parse_args()
    few = max(options.times // 4, 1)
    with tempfile.TemporaryDirectory() as base:
        calm = harness.twin_job(Path(base))
        code, err, _ = calm.run()
        if code:
            sys.exit(f"the twin of the tests cannot be made: {err}")
        twin, expected = calm.results, harness.contents(calm.results)
        weights = write_weights(network.scratch_weights(), Path(base), "start")

        def stopped(place: Path) -> str:
            job = harness.twin_job(place)
            code, last, took, left = harness.interrupt(job, harness.has_begun(job))
            if code != 130 or left or took > harness.QUICK_STOP:
                return f"exit code {code}, {len(left)} processes left, {took:.0f} s: {last}"
            job.run()
            return SAME if harness.whole(job.results) == expected else "results differ"

        def stopped_book(place: Path) -> str:
            job = harness.book_job(place, seconds=3)
            code, last, took, left = harness.interrupt(job, harness.runs_a_notebook)
            if code != 130 or left or took > harness.QUICK_STOP:
                return f"exit code {code}, {len(left)} processes left, {took:.0f} s: {last}"
            return SAME if job.run()[0] == 0 else "the next run fails"

        def worker(place: Path) -> str:
            job = harness.twin_job(place)
            code, err = harness.kill_a_worker(job)
            if code != 3 or "Traceback" in err:
                return f"exit code {code}: {err[-200:]}"
            job.run()
            return SAME if harness.whole(job.results) == expected else "results differ"

        def two(place: Path) -> str:
            job = harness.twin_job(place, jobs=1)
            both = [job.start(), job.start()]
            errors = [process.communicate()[1] for process in both]
            if any(process.returncode for process in both):
                return f"one failed: {errors}"
            return SAME if harness.contents(job.results) == expected else "results differ"

        def disk(read_only: bool) -> Callable[[Path], str]:
            def check(place: Path) -> str:
                job = harness.twin_job(place)
                try:
                    with harness.small_disk(job.results, 60, read_only=read_only):
                        code, err, _ = job.run()
                        halves = harness.leftovers(job.results)
                except PermissionError as error:
                    return f"NOT TESTED, no right to mount ({error})"
                if code != 1 or "Traceback" in err or halves:
                    return f"exit code {code}: {err[-200:]}"
                return "one line, exit code 1, nothing half written"

            return check

        rows = {
            "SIGKILL of `memaa data twin`": lambda: killed(
                options.times, harness.twin_job, harness.twin_job
            ),
            "SIGKILL while avatars are made": lambda: killed(
                options.times,
                lambda place: harness.avatar_job(place, twin),
                lambda place: harness.avatar_job(place, twin),
            ),
            "SIGKILL of `memaa train`": lambda: killed(
                options.times,
                lambda place: harness.train_job(place, twin, weights),
                lambda place: harness.train_job(place, twin, weights),
            ),
            "SIGKILL of `memaa book`": lambda: killed(
                options.times, harness.book_job, harness.book_job
            ),
            "Ctrl-C in `memaa data twin`": lambda: repeated(few, stopped),
            "Ctrl-C in `memaa book`": lambda: repeated(few, stopped_book),
            "a worker process killed": lambda: repeated(few, worker),
            "two runs on one folder": lambda: repeated(few, two),
            "full disk": lambda: repeated(few, disk(read_only=False)),
            "read-only disk": lambda: repeated(few, disk(read_only=True)),
        }
        table = []
        for name, run in rows.items():
            if options.only in name:
                times, outcome = run()
                table.append({"fault": name, "times": times, "outcome": outcome})
                print(f"{name:34} {times:4}  {outcome}", flush=True)
                if not options.only:
                    trust_results.write("faults", table)
    bad = [row for row in table if not str(row["outcome"]).startswith((SAME, "one line", "NOT"))]
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
