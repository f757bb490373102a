"""From notebooks to HTML: doit runs what is stale, then jupyter-book builds what was run.

doit remembers what each page was made from, so only stale pages run again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import joblib
import yaml
from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain
from doit.runner import MThreadRunner
from doit.tools import config_changed

from memaa_book import guard, pages
from memaa_book.freshness import code_fingerprint, library_fingerprint
from memaa_book.pages import COMMON, PAGES, Run
from memaa_book.prepare import (
    PRETRAINING,
    TWIN,
    data_state,
    dataset_of,
    members,
    needs_of,
    prepare,
    why_left_out,
)
from memaa_book.processes import (
    RunFailed,
    ending_processes,
    run_forked,
    run_stoppable,
    start_server,
)
from memaa_book.report import BuildReport, last_line
from memaa_book.weave import weave_page
from memaa_lib._support.cache import atomic_path, check_folder
from memaa_lib._support.errors import InputError
from memaa_lib._support.running import end_when_killed
from memaa_lib.datasets import load_index
from memaa_lib.datasets.examples import describe
from memaa_lib.datasets.roots import find_root
from memaa_lib.paper import DATASET_TITLES, DATASETS

logger = logging.getLogger(__name__)

# doit swaps sys.stderr while it captures, and threads get in each other's way
NO_CAPTURE = {"capture": False}
# Jupyter Book's own command, in a process that imports this package first: see its __init__
JUPYTER_BOOK = "import memaa_book; from jupyter_book.cli.main import main; main()"
BOOK_DATE = "1795305600"  # 2026-11-22, in seconds: what the builder takes for today
SECONDS_A_CLIP = 5.5  # s of two cores that a real clip takes in all, once


class WakingQueue(queue.Queue[Any]):
    """A queue whose reader wakes now and then.

    The system may give a signal to any thread, but Python acts on it in the main one, which doit lets
    sleep here: a ``kill`` while a kernel began was seen only when the notebook was done.
    """

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Return the next item; who would wait for ever waits again and again."""
        while block and timeout is None:
            with contextlib.suppress(queue.Empty):
                return super().get(timeout=0.2)
        return super().get(block, timeout)


MThreadRunner.Queue = staticmethod(WakingQueue)


# ------------------------------------------------------------------ the whole build
def build_book(
    datasets: Sequence[str] = (),
    *,
    profile: str = "laptop",
    n_jobs: int | None = None,
    draft: bool = False,
) -> BuildReport:
    """Run every stale notebook and build the book.

    Parameters
    ----------
    datasets
        Data sets to show; empty: all.
    profile
        Training profile, see :data:`memaa_lib.profiles.PROFILES`.
    n_jobs
        Notebooks to run at the same time. Default: one more than there are cores, since a notebook
        waits now and then, but five at most, for the sake of memory.
    draft
        Build into ``build/draft`` what has changed since the last draft, and leave the book alone.

    Returns
    -------
    BuildReport

    Raises
    ------
    InputError
        For an unknown data set.
    """
    known = (*DATASETS, "composite")
    for name in datasets:
        if name not in known:
            raise InputError(f"{name}: unknown data set; there are {', '.join(known)}")
    for folder in ("build", "_build", "book"):
        check_folder(pages.ROOT / folder)
    needs = {run: needs_of(run, datasets) for run in pages.published_runs(datasets)}
    left_out = {run: why for run, some in needs.items() if (why := why_left_out(some))}
    needs |= {run: [] for run in left_out}
    for run, why in left_out.items():
        logger.warning("%s is left out, and says so: %s", run.notebook, why)
    state = pages.ROOT / "build" / ".doit.json"
    state.parent.mkdir(exist_ok=True)
    forget_damaged_state(state)
    trains = any(PRETRAINING in some for some in needs.values())
    if trains and not state.exists():  # in several processes; later builds mostly run pages
        start_server("memaa_book.warm")
    report = BuildReport()
    module = {
        "DOIT_CONFIG": {
            "default_tasks": ["draft" if draft else "html"],
            "dep_file": str(state),
            "backend": "json",
            "continue": True,
            "reporter": report,
            "num_process": n_jobs or 1 + min(joblib.cpu_count(), 4),
            "par_type": "thread",
            "verbosity": 0,
        },
        "task_page": lambda: page_tasks(needs, profile, left_out, datasets),
        "task_prepare": lambda: prepare_tasks(needs, profile),
    }
    if draft:
        module["task_draft"] = lambda: draft_task(needs)
    else:
        module["task_html"] = lambda: html_task(needs, strict=not (datasets or left_out))
    with report.bar, ending_processes():
        status = DoitMain(ModuleTaskLoader(module)).run(["run"])
    if status and report.ok:
        raise RunFailed(f"doit ended with status {status} before any task ran")
    return report


def forecast(datasets: Sequence[str] = ()) -> list[str]:
    """Say which data the book shows and, where they are real, how long they take; read every index.

    Raises
    ------
    InputError
        If a folder that was named does not hold its data set.
    """
    lines = []
    for name in DATASETS:
        root = find_root(name)
        if root.is_twin:
            if not datasets or name in datasets:
                lines.append(f"{DATASET_TITLES[name]}: synthetic twin")
            continue
        index = load_index(name)
        minutes = max(1, round(len(index) * SECONDS_A_CLIP / 60))
        lines.append(
            f"{describe(index)}, real, in {root.path}; with avatars, arms and compared "
            f"systems some {minutes} min on two cores the first time"
        )
    return lines


def forget_damaged_state(path: Path) -> None:
    """Remove doit's memory of what is fresh if a kill left a part of it: doit itself would stop."""
    if not path.exists():
        return
    try:
        state = json.loads(path.read_bytes())
        whole = isinstance(state, dict) and all(isinstance(task, dict) for task in state.values())
    except ValueError:
        whole = False
    if not whole:
        logger.warning("%s: damaged, so every page is taken for stale and runs again", path)
        path.unlink()


# ------------------------------------------------------------------ the tasks
def page_tasks(
    needs: Mapping[Run, list[str]],
    profile: str,
    left_out: Mapping[Run, str],
    datasets: Sequence[str],
) -> Iterator[dict[str, Any]]:
    """Yield a task a page."""
    library = library_fingerprint()
    for run in needs:
        why = left_out.get(run, "")
        data = dataset_of(run, datasets)
        state = {"library": library, "profile": profile, "data": data_state(run.dataset)}
        state |= {"dataset": data, "code": code_fingerprint(run.source)}
        state["left out"] = why and why + pages.read_source(run.source).cells[0].source
        yield {
            "name": f"{run.dataset}/{run.notebook}",
            "actions": [(pages.leave_out, [run, why]) if why else (run_page, [run, profile, data])],
            "io": NO_CAPTURE,
            "targets": [str(run.target)],
            "uptodate": [config_changed(state)],
            "task_dep": [f"prepare:{name}" for name in needs[run]],
        }


def prepare_tasks(needs: Mapping[Run, list[str]], profile: str) -> Iterator[dict[str, Any]]:
    """Yield a task for each thing that pages need."""
    library = library_fingerprint()
    previous: list[str] = []
    for name in dict.fromkeys(name for some in needs.values() for name in some):
        kind, _, what = name.partition("-")
        state = {"library": library, "profile": profile, "data": data_state(what)}
        # twins and avatars use all cores, so they are made one after the other; pre-training and
        # folds use one, and run beside whatever else there is
        before: list[str] = []
        if kind in (TWIN, "avatars"):
            before, previous = previous, [name]
        elif kind != PRETRAINING:
            before = [PRETRAINING, *(f"avatars-{member}" for member in members(what))]
        yield {
            "name": name,
            "actions": [(prepare_in_process, [name, profile])],
            "io": NO_CAPTURE,
            "uptodate": [config_changed(state)],
            "task_dep": [f"prepare:{other}" for other in before],
        }


def html_task(needs: Mapping[Run, list[str]], *, strict: bool) -> dict[str, Any]:
    """Return the task that builds the pages."""
    sources = [pages.ROOT / "_config.yml", pages.ROOT / "_toc.yml"]
    for pattern in ("*.md", "*.bib", "*.json", "_ext/*.py", "_static/*.*"):
        sources += sorted((pages.ROOT / "book").glob(pattern))
    # pre-training takes longest and waits for nothing: it starts first
    trained = any(PRETRAINING in some for some in needs.values())
    return {
        "actions": [(build_html, [list(needs)], {"strict": strict})],
        "io": NO_CAPTURE,
        "file_dep": [str(path) for path in sources]
        + [str(path) for run in needs for path in (run.source, run.target)],
        "targets": [str(pages.ROOT / "_build" / "html" / "index.html")],
        "task_dep": [f"prepare:{PRETRAINING}", "page"] if trained else ["page"],
        "uptodate": [True],
    }


def draft_task(needs: Mapping[Run, list[str]]) -> dict[str, Any]:
    """Return the task that builds a draft."""
    action = (build_html, [list(needs)], {"strict": False, "draft": True})
    return {"actions": [action], "io": NO_CAPTURE, "task_dep": ["page"]}


# ------------------------------------------------------------------ one task
def prepare_in_process(need: str, profile: str) -> None:
    """Make what pages need in a process of its own; raise the last line that it said."""
    log = pages.ROOT / "build" / "logs" / f"prepare-{need}-{profile}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    progress = log.with_suffix(".progress")
    call = partial(make, need, profile)
    status = run_forked(call, pages.ROOT, {"MEMAA_PROGRESS": str(progress)}, log)
    progress.unlink(missing_ok=True)
    if status:
        said = last_line(log.read_text("utf-8", errors="replace"))
        raise RunFailed(said or f"ended with status {status}; see {log}")


def make(need: str, profile: str) -> int:
    """Make what pages need; return a status, as a process does."""
    end_when_killed()
    try:
        prepare(need, profile)
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run_page(run: Run, profile: str, data: str) -> None:
    """Execute one page of the book; its parameters are those that the notebook has."""
    known = pages.known_parameters(run.source)
    parameters: dict[str, Any] = {"dataset": data} if data else {}
    if run.dataset == COMMON and data and "fresh" in known:
        parameters["fresh"] = True  # the reader's own data: no reference run is of them
    if "profile" in known:
        parameters["profile"] = profile
    pages.execute(
        run.source,
        run.target,
        parameters,
        failed=pages.ROOT / "build" / "failed" / run.dataset / f"{run.notebook}.ipynb",
        check=guard.refuse_gated_faces,
    )


# ------------------------------------------------------------------ HTML
def build_html(
    runs: Sequence[Run], *, strict: bool, project: Path | None = None, draft: bool = False
) -> None:
    """Build ``_build/html`` anew from the prose and the executed notebooks of a project.

    The pages are woven of the runs first.
    The book is built beside the old one and takes its place when it is whole. It is always built
    from nothing: an incremental build of Sphinx gives other bytes. ``strict`` makes a warning an
    error (``-W -n --keep-going``). A book of some data sets only cannot be strict: the prose refers
    to all of them. A ``draft`` is the exception: it stays in ``build/draft``, for its author's eyes.
    """
    root = project or pages.ROOT
    woven = pages.runs_by_page(runs)
    for old in (root / PAGES).glob("*.ipynb"):
        if f"{PAGES}{old.stem}" not in woven:
            old.unlink()
    for together in woven.values():
        if project is None:  # another has its own runs
            for run in together:
                pages.renew_prose(run)
        weave_page(together, root)
    vendor(root / "book" / "_static")
    toc = root / "build" / "_toc.yml"
    toc.parent.mkdir(exist_ok=True)
    toc.write_text(yaml.safe_dump(filtered_toc(pages.read_toc(), runs), sort_keys=False), "utf-8")
    fresh = root / "build" / ("draft" if draft else "fresh")
    if not draft:
        shutil.rmtree(fresh, ignore_errors=True)
    command = [sys.executable, "-P", "-c", JUPYTER_BOOK, "build", str(root)]
    command += ["--toc", str(toc), "--path-output", str(fresh), "--quiet"]
    command += [] if draft else ["--all"]
    command += ["-W", "-n", "--keep-going"] if strict else []
    done = run_stoppable(
        command, pages.ROOT, {"SOURCE_DATE_EPOCH": BOOK_DATE, "PYTHONHASHSEED": "0"}
    )
    log = pages.ROOT / "build" / "html.log"
    log.write_text(done.stdout + done.stderr, "utf-8")
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise RunFailed("\n".join(["the book does not build:", *lines[-12:], f"whole log: {log}"]))
    html = fresh / "_build" / "html"
    try:
        guard.refuse_gated_faces(html)
    except RunFailed:
        shutil.rmtree(fresh)
        raise
    if draft:
        return
    # a hash of the folder's name among others, for incremental builds: there are none
    (html / ".buildinfo").unlink(missing_ok=True)
    book = root / "_build" / "html"
    shutil.rmtree(book, ignore_errors=True)
    book.parent.mkdir(exist_ok=True)
    html.rename(book)
    shutil.rmtree(fresh)


def vendor(static: Path) -> None:
    """Put MathJax below the book's static files, so that the book needs no network."""
    target = static / "vendor" / "mathjax"
    if (target / "tex-mml-chtml.js").exists():
        return
    spec = find_spec("mathjax")
    places = list(spec.submodule_search_locations or []) if spec else []
    found = [path for place in places for path in Path(place).rglob("es5/tex-mml-chtml.js")]
    if not found:
        raise InputError("MathJax not found; install the book's packages: pip install -e '.[book]'")
    fonts = Path("output", "chtml", "fonts", "woff-v2")
    with atomic_path(target) as temporary:
        temporary.mkdir()
        shutil.copy(found[0], temporary / "tex-mml-chtml.js")
        shutil.copytree(found[0].parent / fonts, temporary / fonts)


def filtered_toc(toc: dict[str, Any], runs: Sequence[Run]) -> dict[str, Any]:
    """Return the table of contents without the pages of which there is no run."""
    wanted = {run.page for run in runs}
    filtered = dict(toc)
    for key in ("parts", "chapters", "sections"):
        if key in toc:
            filtered[key] = [
                filtered_toc(entry, runs)
                for entry in toc[key]
                if not str(entry.get("file", "")).startswith(PAGES) or entry["file"] in wanted
            ]
    return filtered
