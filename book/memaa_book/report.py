"""What a build tells: doit's reporter, shown as a live bar or as lines, and kept as a report."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from doit.exceptions import UnmetDependency
from doit.reporter import ZeroReporter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from memaa_book import pages


class RunningTasks(ProgressColumn):
    """What is being made, and how far it is, e.g. ``rendering clips 31/164``."""

    def render(self, task: Any) -> Text:
        """Return the tasks at work, then the states that their processes wrote down."""
        states = []
        for path in sorted((pages.ROOT / "build" / "logs").glob("*.progress")):
            try:
                states.append(path.read_text("utf-8"))
            except OSError:  # the task has just ended
                continue
        return Text(", ".join([*task.fields["running"], *states]))


class BuildReport(ZeroReporter):  # type: ignore[misc]
    """What a build did, as doit tells it: shown on standard error, and kept.

    In a terminal it is a live bar and a line a finished task, elsewhere lines alone. ``failed`` maps a
    task's name to why it failed.
    """

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.fresh: list[str] = []
        self.failed: dict[str, str] = {}
        self.started = time.monotonic()
        self.running: dict[str, float] = {}  # task to when it began
        self.total = 0
        self.console = Console(stderr=True, soft_wrap=True)
        self.bar = Progress(
            BarColumn(20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            RunningTasks(table_column=Column(no_wrap=True)),
            console=self.console,
            disable=not self.console.is_terminal,
            refresh_per_second=2,
        )
        self.bar_task = self.bar.add_task("", total=None, running=self.running)

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failed

    def initialize(self, tasks: Mapping[str, Any], selected: Sequence[str]) -> None:
        """Count what there is to do; a group of tasks has no action of its own."""
        self.total = sum(bool(task.actions) for task in tasks.values())
        self.bar.update(self.bar_task, total=self.total)

    def execute_task(self, task: Any) -> None:
        """Take note that a task begins."""
        if task.actions:
            self.running[task.name] = time.monotonic()
            if not self.console.is_terminal:
                self._say(f" start         {task.name}")

    def add_success(self, task: Any) -> None:
        """Take note that a task has run."""
        if task.actions:
            seconds = time.monotonic() - self.running[task.name]
            self.ran.append(task.name)
            self._say(f"  done {self._ended(task)} {task.name}, {seconds:.0f} s")

    def skip_uptodate(self, task: Any) -> None:
        """Take note that a task need not run."""
        if task.actions:
            self.fresh.append(task.name)
            self._ended(task)

    def add_failure(self, task: Any, fail: Any) -> None:
        """Take note of a failure, but not of what waited for the task that failed."""
        if not isinstance(fail, UnmetDependency):
            self.failed[task.name] = last_line(fail.get_msg())
            self._say(f"failed {self._ended(task)} {task.name}")

    def _ended(self, task: Any) -> str:
        self.running.pop(task.name, None)
        done = len(self.ran) + len(self.fresh) + len(self.failed)
        self.bar.update(self.bar_task, completed=done)
        return f"{done:>3}/{self.total}"

    def _say(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False)


def last_line(text: str) -> str:
    """Return the last line that says something."""
    return ([line for line in text.splitlines() if line.strip()] or [""])[-1]
