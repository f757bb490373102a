"""Run commands that are killed, stopped and starved, and compare what they leave with a calm run."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
MEMAA = str(Path(sys.executable).with_name("memaa"))
PATIENCE = 300  # seconds that a command may take on a busy machine
QUICK_STOP = 30  # seconds within which Ctrl-C must end a command on a busy machine


def hear_ctrl_c() -> None:
    """Undo what a shell does to commands in the background: they would ignore Ctrl-C for ever."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass
class Job:
    """A command, and where its results are."""

    command: list[str]
    results: Path
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, **options: object) -> subprocess.Popen[str]:
        """Start it in a session of its own, as a shell does."""
        environment = os.environ | {"OMP_NUM_THREADS": "1"} | self.environment
        return subprocess.Popen(
            self.command, env=environment, cwd=self.environment.get("MEMAA_PROJECT", str(ROOT)),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            preexec_fn=hear_ctrl_c,
        )  # fmt: skip

    def run(self) -> tuple[int, str, float]:
        """Let it run to its end: exit code, standard error, seconds."""
        started = time.monotonic()
        process = self.start()
        _, err = process.communicate(timeout=PATIENCE)
        return process.returncode, err, time.monotonic() - started


TOOK = re.compile(rb'"seconds": [0-9.]+')  # how long a fold took is no result


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, so that two runs can be compared byte for byte."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def leftovers(folder: Path) -> list[str]:
    """Half-written files under temporary names: a kill may leave them, a result never has them."""
    return [name for name in contents(folder) if Path(name).name.startswith(".")]


def whole(folder: Path) -> dict[str, bytes]:
    """The results alone: no temporary files that a kill has left, no times that folds took."""
    half = leftovers(folder)
    return {
        name: TOOK.sub(b"", data) if name.endswith(".json") else data
        for name, data in contents(folder).items()
        if name not in half
    }


def kill_at_random(job: Job, times: int, seconds: float, seed: int) -> int:
    """Start a job again and again and kill its whole session; how often, before it was done."""
    rng = random.Random(seed)
    killed = 0
    for _ in range(times):
        process = job.start()
        try:
            process.communicate(timeout=rng.uniform(0.2, 1.0) * seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            killed += 1
            process.communicate()
        else:
            if process.returncode == 0 and killed:
                break  # it has come to its end between the kills
    return killed


def interrupt(
    job: Job, ready: Callable[[psutil.Process], bool], how: str = "Ctrl-C"
) -> tuple[int, str, float, list[psutil.Process]]:
    """Stop a job when it is ready for it: exit code, last line, seconds to the end, what is left.

    Ctrl-C reaches every process of the session; ``kill`` only the one that is named.
    """
    process = job.start()
    parent = psutil.Process(process.pid)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None and not ready(parent):
        time.sleep(0.1)
    family = parent.children(recursive=True)
    if how == "kill":
        os.kill(process.pid, signal.SIGTERM)
    else:
        os.killpg(process.pid, signal.SIGINT)
    pressed = time.monotonic()
    deadline = pressed + QUICK_STOP
    _, err = process.communicate(timeout=PATIENCE)
    took = time.monotonic() - pressed
    while (left := [one for one in family if still_runs(one)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    lines = err.strip().splitlines()
    return process.returncode, lines[-1] if lines else "", took, left


def still_runs(process: psutil.Process) -> bool:
    """Whether a process has not ended; in some containers nobody waits for those that have."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def has_begun(job: Job) -> Callable[[psutil.Process], bool]:
    """Whether a job has written something, so that it is in the middle of its work."""
    return lambda process: any(job.results.rglob("*.bmp")) or any(job.results.rglob("*.png"))


def runs_a_notebook(process: psutil.Process) -> bool:
    """Whether a kernel is at work below a process: it is a child of the fork server."""
    with contextlib.suppress(psutil.NoSuchProcess):
        children = process.children(recursive=True)
        return any("forkserver" in " ".join(c.parent().cmdline()) for c in children)
    return False


def kill_a_worker(job: Job) -> tuple[int, str]:
    """Kill one of a job's worker processes in the middle of the work."""
    process = job.start()
    parent = psutil.Process(process.pid)
    deadline = time.monotonic() + PATIENCE
    begun = has_begun(job)
    while time.monotonic() < deadline and process.poll() is None and not begun(parent):
        time.sleep(0.05)
    workers = [c for c in parent.children(recursive=True) if "popen_loky" in " ".join(c.cmdline())]
    assert workers, "no worker was seen"
    workers[0].kill()
    _, err = process.communicate(timeout=PATIENCE)
    return process.returncode, err


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int, *, read_only: bool = False) -> Iterator[Path]:
    """A file system of its own, of some kilobytes; raises PermissionError without the right to it."""
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={kilobytes}k" + (",ro" if read_only else "")
    if shutil.which("mount") is None:
        raise PermissionError("no mount command")
    command = ["mount", "-t", "tmpfs", "-o", options, "memaa-test", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise PermissionError(done.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


# ------------------------------------------------------------------ the jobs
def twin_job(folder: Path, jobs: int = 2, program: Sequence[str] = (MEMAA,)) -> Job:
    """Render a few clips."""
    out = folder / "twin"
    command = [*program, "data", "twin", "smic", "--clips", "4", "--out", str(out)]
    return Job([*command, "--jobs", str(jobs)], out, {"MEMAA_CACHE": str(folder / "cache")})


def avatar_job(folder: Path, twin: Path) -> Job:
    """Make the avatars of a few clips."""
    code = (
        "import sys; from memaa_lib.avatar import make_avatars;"
        "from memaa_lib.datasets import load_index;"
        "make_avatars(load_index('smic', sys.argv[1]), (0.0, 10.0))"
    )
    environment = {"MEMAA_CACHE": str(folder / "cache")}
    return Job([sys.executable, "-c", code, str(twin)], folder / "cache" / "avatars", environment)


def train_job(folder: Path, twin: Path, weights: Path) -> Job:
    """Train and test a few folds, from weights that are given."""
    out = folder / "folds"
    command = [MEMAA, "train", "smic", "--method", "memaa", "--weights", str(weights)]
    command += ["--out", str(out), "--jobs", "1"]
    environment = {"MEMAA_CACHE": str(folder / "cache"), "MEMAA_SMIC_ROOT": str(twin)}
    return Job(command, out, environment)


PAGE = """---
jupytext:
  formats: ipynb,md:myst
  text_representation: {{extension: .md, format_name: myst}}
kernelspec: {{display_name: Python 3, language: python, name: python3}}
---

(page-{name})=
# Page {name}

```{{code-cell}} ipython3
:tags: [parameters]

count: int = 3  # how many
```

```{{code-cell}} ipython3
import time
time.sleep({seconds})
print("{name}", count)
```
"""


def book_job(folder: Path, seconds: float = 0.5) -> Job:
    """Build a book of two small pages."""
    import yaml

    project = folder / "project"
    for name in ("_ext", "_static"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "book" / name, project / "book" / name, ignore=ignored)
    for name in ("book/references.bib", "_config.yml"):
        if (ROOT / name).is_file():
            shutil.copy(ROOT / name, project / name)
    # two pages hold none of the paper's equations, figures and tables
    (project / "book" / "paper_numbers.json").write_text("{}\n", "utf-8")
    (project / "book" / "index.md").write_text("# Front\n\n{ref}`page-one`\n", "utf-8")
    (project / "notebooks").mkdir()
    pages = {"31_one": "one", "32_two": "two"}
    for stem, name in pages.items():
        text = PAGE.format(name=name, seconds=seconds)
        (project / "notebooks" / f"{stem}.md").write_text(text, "utf-8")
    chapters = [{"file": f"book/pages/{stem}"} for stem in pages]
    toc = {"format": "jb-book", "root": "book/index", "chapters": chapters}
    (project / "_toc.yml").write_text(yaml.safe_dump(toc), "utf-8")
    environment = {"MEMAA_PROJECT": str(project), "MEMAA_CACHE": str(folder / "cache")}
    return Job([MEMAA, "book", "--jobs", "1"], project / "_build" / "html", environment)
