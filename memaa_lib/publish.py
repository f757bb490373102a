"""From notebooks to the book: run them with papermill, keep what is fresh, build the HTML.

What is published stands in ``_toc.yml``: an entry ``book/runs/casme2/05_emotion_avatar`` asks for the
notebook ``05_emotion_avatar`` run on ``casme2``; entries under ``book/runs/common/`` run with their own
defaults. doit remembers what each page was made from, so only stale pages run again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import jupytext
import nbformat
import yaml

from memaa_lib.storage import InputError, atomic_path, fingerprint

logger = logging.getLogger(__name__)

# the checkout; another folder of the same shape can be named, e.g. a course's own copy of the book
ROOT = Path(os.environ.get("MEMAA_PROJECT", Path(__file__).resolve().parents[1]))
DATASETS = ("smic", "casme2", "samm")
COMMON = "common"
TITLES = {
    "smic": "SMIC",
    "casme2": "CASME II",
    "samm": "SAMM",
    "composite": "composite",
}
NO_CAPTURE = {
    "capture": False
}  # doit swaps sys.stderr while it captures, and threads get in each other's way
PRETRAINING = "pretraining"
BOOK_DATE = "1795305600"  # 2026-11-22, in seconds: what the builder takes for today
EXECUTION_TIMEOUT = (
    1800  # seconds a cell may take; a stuck notebook must not hold the book for ever
)


@dataclass(frozen=True)
class Run:
    """One page: a notebook on a data set.

    Parameters
    ----------
    dataset
        ``smic``, ``casme2``, ``samm``, ``composite``, or ``common`` for a notebook that is no data
        set's own.
    notebook
        Stem of the notebook, e.g. ``05_emotion_avatar``.

    Examples
    --------
    >>> Run("casme2", "05_emotion_avatar").page
    'book/runs/casme2/05_emotion_avatar'
    """

    dataset: str
    notebook: str

    @property
    def source(self) -> Path:
        """The paired notebook as text."""
        return ROOT / "notebooks" / f"{self.notebook}.md"

    @property
    def page(self) -> str:
        """Name in ``_toc.yml``."""
        return f"book/runs/{self.dataset}/{self.notebook}"

    @property
    def target(self) -> Path:
        """The executed notebook."""
        return ROOT / f"{self.page}.ipynb"


class RunFailed(RuntimeError):
    """A notebook raised; the message says where its remains are."""


# ------------------------------------------------------------------ what there is to run
def toc_pages(toc: dict[str, Any]) -> Iterator[str]:
    """Yield every page of a table of contents in reading order.

    Parameters
    ----------
    toc
        Parsed ``_toc.yml``.

    Yields
    ------
    str

    Examples
    --------
    >>> list(toc_pages({"root": "a", "parts": [{"chapters": [{"file": "b", "sections": [{"file": "c"}]}]}]}))
    ['a', 'b', 'c']
    """
    if "root" in toc:
        yield toc["root"]
    if "file" in toc:
        yield toc["file"]
    for key in ("parts", "chapters", "sections"):
        for entry in toc.get(key, []):
            yield from toc_pages(entry)


def read_toc() -> dict[str, Any]:
    """Return ``_toc.yml``.

    Returns
    -------
    dict

    Examples
    --------
    >>> read_toc()["format"]
    'jb-book'
    """
    toc: dict[str, Any] = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    return toc


def published_runs(datasets: Sequence[str] = ()) -> list[Run]:
    """List the runs that the book asks for.

    Parameters
    ----------
    datasets
        Keep only these and the common pages; empty: all.

    Returns
    -------
    list of Run

    Examples
    --------
    >>> all(run.source.exists() for run in published_runs())
    True
    """
    pages = [page.split("/") for page in toc_pages(read_toc()) if page.startswith("book/runs/")]
    runs = [Run(dataset, notebook) for _, _, dataset, notebook in pages]
    return [run for run in runs if not datasets or run.dataset in (*datasets, COMMON)]


def label_suffix(run: Run, runs: Sequence[Run]) -> str:
    """Return what keeps the labels of a repeated notebook apart: nothing for its first run.

    Parameters
    ----------
    run
        One of ``runs``.
    runs
        In reading order.

    Returns
    -------
    str

    Examples
    --------
    >>> runs = [Run("smic", "05"), Run("samm", "05")]
    >>> [label_suffix(run, runs) for run in runs]
    ['', '-samm']
    """
    first = next(other for other in runs if other.notebook == run.notebook)
    return "" if run == first else f"-{run.dataset}"


# ------------------------------------------------------------------ one notebook
_DEFINITIONS = re.compile(
    r"^\(([a-z0-9][\w-]*)\)=$|^:(?:label|name): *([a-z0-9][\w-]*)$|\$\$ *\(([a-z0-9][\w-]*)\)$",
    re.MULTILINE,
)


def relabel(notebook: nbformat.NotebookNode, suffix: str) -> None:
    r"""Append ``suffix`` to every label that the notebook defines, and to its uses within it.

    Parameters
    ----------
    notebook
        Changed in place. The same notebook stands in the book once a data set, and a label may stand
        there only once.
    suffix
        E.g. ``-samm``; empty: nothing happens.

    Examples
    --------
    >>> cell = nbformat.v4.new_markdown_cell("(sec-evm)=\n# Magnify\nSee {ref}`sec-evm`.")
    >>> notebook = nbformat.v4.new_notebook(cells=[cell])
    >>> relabel(notebook, "-samm")
    >>> print(notebook.cells[0].source)
    (sec-evm-samm)=
    # Magnify
    See {ref}`sec-evm-samm`.
    """
    if not suffix:
        return
    labels: set[str] = set()
    for cell in notebook.cells:
        one_run = any(tag.startswith("only-") for tag in cell.metadata.get("tags", []))
        if cell.cell_type == "markdown" and not one_run:
            labels |= {
                name for found in _DEFINITIONS.findall(cell.source) for name in found if name
            }
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        if "name" in figure:
            labels.add(figure["name"])
            figure["name"] += suffix
    if not labels:
        return
    names = "|".join(sorted((re.escape(label) for label in labels), key=len, reverse=True))
    use = re.compile(rf"(?<![\w/-])({names})(?![\w-])")
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = use.sub(rf"\1{suffix}", cell.source)


def keep_cells_of(notebook: nbformat.NotebookNode, dataset: str) -> None:
    """Drop the cells that are tagged for another data set, e.g. ``only-smic``.

    Parameters
    ----------
    notebook
        Changed in place.
    dataset
        The one that is run; ``common`` keeps everything.

    Examples
    --------
    >>> cells = [nbformat.v4.new_markdown_cell("x", metadata={"tags": ["only-smic"]})]
    >>> notebook = nbformat.v4.new_notebook(cells=cells)
    >>> keep_cells_of(notebook, "samm")
    >>> notebook.cells
    []
    """
    if dataset == COMMON:
        return
    notebook.cells = [
        cell
        for cell in notebook.cells
        if not any(tag.startswith("only-") for tag in cell.metadata.get("tags", []))
        or f"only-{dataset}" in cell.metadata.tags
    ]


def name_dataset_in_title(notebook: nbformat.NotebookNode, dataset: str) -> None:
    """Append the data set to the notebook's title, so that the side bar tells its pages apart.

    Parameters
    ----------
    notebook
        Changed in place.
    dataset
        A key of :data:`TITLES`.

    Examples
    --------
    >>> notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Avatar")])
    >>> name_dataset_in_title(notebook, "casme2")
    >>> notebook.cells[0].source
    '# Avatar: CASME II'
    """
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and re.search(r"^# .+$", cell.source, re.MULTILINE):
            title = TITLES.get(dataset, dataset)
            cell.source = re.sub(
                r"^(# .+)$", rf"\1: {title}", cell.source, count=1, flags=re.MULTILINE
            )
            return


def known_parameters(source: Path) -> dict[str, Any]:
    """Return the parameters of a notebook with their defaults.

    Parameters
    ----------
    source
        ``.md`` or ``.ipynb``.

    Returns
    -------
    dict
        Name to default value, as the cell tagged ``parameters`` states them.

    Raises
    ------
    InputError
        If there is no such notebook.

    Examples
    --------
    >>> known_parameters(ROOT / "notebooks" / "05_emotion_avatar.md")["dataset"]
    'casme2'
    """
    import ast

    if not source.is_file():
        stems = ", ".join(sorted(path.stem for path in (ROOT / "notebooks").glob("*.md")))
        raise InputError(f"{source.stem}: no such notebook; there are {stems}")
    found: dict[str, Any] = {}
    for cell in jupytext.read(source).cells:
        if "parameters" not in cell.metadata.get("tags", []):
            continue
        for statement in ast.parse(cell.source).body:
            if isinstance(statement, ast.AnnAssign) and statement.value is not None:
                found[ast.unparse(statement.target)] = ast.literal_eval(statement.value)
            elif isinstance(statement, ast.Assign):
                found[ast.unparse(statement.targets[0])] = ast.literal_eval(statement.value)
    return found


def check_parameters(source: Path, given: dict[str, Any]) -> None:
    """Raise a clear error for a parameter that the notebook does not have or of another type.

    Parameters
    ----------
    source
        The notebook.
    given
        Name to value.

    Raises
    ------
    InputError
        Naming the parameter and what there is.

    Examples
    --------
    >>> check_parameters(ROOT / "notebooks" / "05_emotion_avatar.md", {"datset": "smic"})
    Traceback (most recent call last):
        ...
    memaa_lib.storage.InputError: 05_emotion_avatar: no parameter 'datset'; it has ...
    """
    known = known_parameters(source)
    for name, value in given.items():
        if name not in known:
            raise InputError(f"{source.stem}: no parameter {name!r}; it has {', '.join(known)}")
        default = known[name]
        numeric = isinstance(default, float) and isinstance(value, int)
        if type(value) is not type(default) and not (numeric and not isinstance(value, bool)):
            raise InputError(
                f"{source.stem}: parameter {name} is {value!r}, expected a {type(default).__name__} "
                f"such as {default!r}"
            )


def execute(
    source: Path,
    target: Path,
    parameters: dict[str, Any],
    *,
    title: str = "",
    suffix: str = "",
    failed: Path | None = None,
    check: Callable[[Path], None] = lambda path: None,
) -> None:
    """Run one notebook with papermill and write it, tidied, to ``target``.

    Parameters
    ----------
    source
        Notebook as text (``.md``) or ``.ipynb``.
    target
        Where the executed notebook shall be; it appears only if every cell ran.
    parameters
        Values for the cell tagged ``parameters``.
    title
        Data set to name in the title, a key of :data:`TITLES`, and whose cells to keep; empty: the
        notebook stays as it is.
    suffix
        For labels, see :func:`relabel`.
    failed
        Where to leave a notebook that raised.
    check
        Is called with the executed notebook before it appears at ``target``; what it raises keeps
        the notebook away.

    Raises
    ------
    InputError
        For unknown parameters.
    RunFailed
        If a cell raised; says where the notebook is kept.

    Examples
    --------
    >>> execute(ROOT / "notebooks" / "99_none.md", Path("out.ipynb"), {})
    Traceback (most recent call last):
        ...
    memaa_lib.storage.InputError: 99_none: no such notebook; there are ...
    """
    check_parameters(source, parameters)
    import papermill
    from papermill.exceptions import PapermillExecutionError

    notebook = jupytext.read(source)
    if title:
        keep_cells_of(notebook, title)
    relabel(notebook, suffix)
    if title:
        name_dataset_in_title(notebook, title)
    os.environ.setdefault("TQDM_DISABLE", "1")
    with atomic_path(target) as temporary:
        prepared = temporary.with_suffix(".source.ipynb")
        nbformat.write(notebook, prepared)
        try:
            papermill.execute_notebook(
                str(prepared),
                str(temporary),
                parameters=parameters,
                kernel_name="python3",
                cwd=str(ROOT / "notebooks"),
                progress_bar=False,
                execution_timeout=EXECUTION_TIMEOUT,
                extra_arguments=["--log-level=40"],  # the kernel's remarks on its own transport
            )
        except PapermillExecutionError as error:
            kept = failed or target.with_name(f"{target.stem}.failed.ipynb")
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(temporary, kept)
            raise RunFailed(
                f"{source.stem}: {error.ename}: {error.evalue}; the notebook is kept at {kept}"
            ) from None
        finally:
            prepared.unlink(missing_ok=True)
        tidy(temporary)
        check(temporary)


def tidy(path: Path) -> None:
    """Take out of an executed notebook what changes from run to run or says nothing to a reader.

    Parameters
    ----------
    path
        Changed in place: papermill's and the kernel's time stamps go, cell ids are counted through,
        and the default parameters give way to the injected ones.

    Raises
    ------
    RunFailed
        If a cell holds an error or was not executed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.ipynb")
    ...     nbformat.write(nbformat.v4.new_notebook(metadata={"papermill": {"x": 1}}), path)
    ...     tidy(path)
    ...     "papermill" in nbformat.read(path, 4).metadata
    False
    """
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("jupytext", None)
    injected = any("injected-parameters" in c.metadata.get("tags", []) for c in notebook.cells)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"c{number:03d}"
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        tags = cell.metadata.get("tags", [])
        if injected and "parameters" in tags and "remove-cell" not in tags:
            cell.metadata["tags"] = [*tags, "remove-cell"]
        if cell.cell_type == "code":
            cell.outputs = merge_streams(cell.outputs)
            if cell.source.strip() and cell.execution_count is None:
                raise RunFailed(f"{path.stem}: cell {number} was not executed")
            if any(output.output_type == "error" for output in cell.outputs):
                raise RunFailed(f"{path.stem}: cell {number} holds an error")
    nbformat.write(notebook, path)


def merge_streams(outputs: Sequence[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Join neighbouring pieces of one stream: the kernel cuts its output at random places.

    Parameters
    ----------
    outputs
        Of one cell.

    Returns
    -------
    list

    Examples
    --------
    >>> pieces = [nbformat.v4.new_output("stream", text=text) for text in ("one ", "two")]
    >>> [output.text for output in merge_streams(pieces)]
    ['one two']
    """
    merged: list[nbformat.NotebookNode] = []
    for output in outputs:
        last = merged[-1] if merged else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            merged.append(output)
    return merged


# ------------------------------------------------------------------ the book
def library_fingerprint() -> str:
    """Return a digest of what pages compute with: library and facts, not what makes books of pages.

    Facts are the data manifests and the reference runs, which pages read as they read the library.

    Returns
    -------
    str

    Examples
    --------
    >>> len(library_fingerprint())
    16
    """
    folder = Path(__file__).resolve().parent
    skip = {"cli.py", "editions.py", "printing.py", "publish.py", "slides.py", "__main__.py"}
    files = sorted(path for path in folder.rglob("*.py") if path.name not in skip)
    facts = sorted((ROOT / "data_manifests").glob("*.yaml"))
    facts += sorted((ROOT / "results").rglob("*.json"))
    return fingerprint(*(f"{path.name}".encode() + path.read_bytes() for path in files + facts))


def vendor(static: Path | None = None) -> None:
    """Put MathJax below ``book/_static/vendor``, so that the book needs no network.

    Parameters
    ----------
    static
        Folder for static files; default the book's.

    Raises
    ------
    InputError
        If the package that carries MathJax is not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     vendor(Path(folder))
    ...     Path(folder, "vendor", "mathjax", "tex-mml-chtml.js").exists()
    True
    """
    from importlib.util import find_spec

    target = (static or ROOT / "book" / "_static") / "vendor" / "mathjax"
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
    """Return the table of contents without the pages whose run is not among ``runs``.

    Parameters
    ----------
    toc
        Parsed ``_toc.yml``.
    runs
        What was run.

    Returns
    -------
    dict

    Examples
    --------
    >>> filtered_toc({"root": "a", "chapters": [{"file": "book/runs/smic/05"}]}, [])
    {'root': 'a', 'chapters': []}
    """
    pages = {run.page for run in runs}

    def keep(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        kept = []
        for entry in entries:
            page = str(entry.get("file", ""))
            part = filtered_toc(entry, runs)
            if not page.startswith("book/runs/") or page in pages:
                kept.append(part)
            else:  # its sections move up
                kept += part.get("sections", [])
        return kept

    lists = {key: keep(toc[key]) for key in ("parts", "chapters", "sections") if key in toc}
    return {key: value for key, value in (toc | lists).items() if key != "sections" or value}


def build_html(runs: Sequence[Run], *, strict: bool) -> None:
    """Build ``_build/html`` anew from the prose and the executed notebooks.

    The book is built beside the old one and takes its place when it is whole. It is always built
    from nothing: an incremental build of Sphinx gives other bytes.

    Parameters
    ----------
    runs
        Pages to include; they must have been run.
    strict
        Whether a warning is an error (``-W -n --keep-going``). A book of some data sets only cannot
        be strict: the prose refers to all of them.

    Raises
    ------
    RunFailed
        If the build fails; the message ends with the builder's complaint.
    """
    vendor()
    toc = ROOT / "build" / "_toc.yml"
    toc.parent.mkdir(exist_ok=True)
    toc.write_text(yaml.safe_dump(filtered_toc(read_toc(), runs), sort_keys=False), "utf-8")
    builder = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(ROOT)]
    fresh = ROOT / "build" / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    command = [*builder, "--toc", str(toc), "--path-output", str(fresh), "--all", "--quiet"]
    command += ["-W", "-n", "--keep-going"] if strict else []
    environment = os.environ | {"SOURCE_DATE_EPOCH": BOOK_DATE, "PYTHONHASHSEED": "0"}
    done = _run_stoppable(command, environment)
    log = ROOT / "build" / "html.log"
    log.write_text(done.stdout + done.stderr, "utf-8")
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise RunFailed("\n".join(["the book does not build:", *lines[-12:], f"whole log: {log}"]))
    try:
        refuse_gated_faces(fresh / "_build" / "html")
    except RunFailed:
        shutil.rmtree(fresh)
        raise
    # a hash of the folder's name among others, for incremental builds: there are none
    (fresh / "_build" / "html" / ".buildinfo").unlink(missing_ok=True)
    book = ROOT / "_build" / "html"
    shutil.rmtree(book, ignore_errors=True)
    book.parent.mkdir(exist_ok=True)
    (fresh / "_build" / "html").rename(book)
    shutil.rmtree(fresh)


@dataclass
class Report:
    """What a book build did.

    Parameters
    ----------
    ran, fresh
        Names of tasks that ran, and of those that were up to date.
    failed
        Name of a task to why it failed.
    seconds
        Wall-clock time.

    Examples
    --------
    >>> Report([], ["html"], {}, 0.5).ok
    True
    """

    ran: list[str]
    fresh: list[str]
    failed: dict[str, str]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failed


def build_book(
    datasets: Sequence[str] = (),
    *,
    profile: str = "laptop",
    n_jobs: int | None = None,
    notify: Callable[[str, str], None] = lambda name, state: None,
) -> Report:
    """Run every stale notebook and build the book.

    Parameters
    ----------
    datasets
        Data sets to show; empty: all.
    profile
        Training profile, see :data:`memaa_lib.network.PROFILES`.
    n_jobs
        Notebooks to run at the same time. Default: one more than there are cores, since a notebook
        waits now and then, but five at most, for the sake of memory.
    notify
        Called with a task's name and ``"start"``, ``"done"``, ``"fresh"`` or ``"failed"``.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        For an unknown data set.
    """
    unknown = set(datasets) - {*DATASETS, "composite"}
    if unknown:
        raise InputError(
            f"{sorted(unknown)[0]}: unknown data set; there are {', '.join((*DATASETS, 'composite'))}"
        )
    from doit.cmd_base import ModuleTaskLoader
    from doit.doit_cmd import DoitMain

    runs = published_runs(datasets)
    report = Report([], [], {}, 0.0)
    started = time.monotonic()
    state = ROOT / "build" / ".doit.json"
    forget_damaged_state(state)
    module = {
        "DOIT_CONFIG": {
            "default_tasks": ["html"],
            "dep_file": str(state),
            "backend": "json",
            "continue": True,
            "reporter": _reporter(report, notify),
            "num_process": n_jobs or 1 + min(joblib.cpu_count(), 4),
            "par_type": "thread",
            "verbosity": 0,
        },
        "task_page": lambda: _page_tasks(runs, profile),
        "task_prepare": lambda: _prepare_tasks(runs, profile),
        "task_html": lambda: _html_task(runs, strict=not datasets),
    }
    (ROOT / "build").mkdir(exist_ok=True)
    with _noting_ctrl_c():
        status = DoitMain(ModuleTaskLoader(module)).run(["run"])
    if _stopped.is_set():
        raise KeyboardInterrupt
    if status and report.ok:
        raise RunFailed(f"doit ended with status {status} before any task ran")
    report.seconds = time.monotonic() - started
    return report


def forget_damaged_state(path: Path) -> None:
    """Remove doit's memory of what is fresh if it is damaged, and say so: doit itself would stop.

    Parameters
    ----------
    path
        The file. A kill while it is written leaves a part of it.

    Examples
    --------
    >>> forget_damaged_state(Path("nowhere.json"))
    """
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


def count_tasks(datasets: Sequence[str] = ()) -> int:
    """Return how many tasks a build has, fresh or stale: preparations, pages and the HTML.

    Parameters
    ----------
    datasets
        As in :func:`build_book`.

    Returns
    -------
    int

    Examples
    --------
    >>> count_tasks(["smic"]) < count_tasks()
    True
    """
    runs = published_runs(datasets)
    return len(runs) + len({name for run in runs for name in needed_preparations(run)}) + 1


_stopped = threading.Event()
_running: set[subprocess.Popen[str]] = set()


@contextlib.contextmanager
def _noting_ctrl_c() -> Iterator[None]:
    """Take note of Ctrl-C: doit takes it for one task's failure and goes on with the others."""
    _stopped.clear()
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def note(*_: object) -> None:
        _stopped.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        # a terminal sends Ctrl-C to all processes, but kill reaches this one alone
        for process in tuple(_running):
            process.send_signal(signal.SIGINT)
        for process in tuple(_running):
            _stop_soon(process)


def _run_stoppable(
    command: Sequence[str], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command in the project's folder; Ctrl-C ends it, and lets no other begin."""
    if _stopped.is_set():
        raise RunFailed("stopped")
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        _running.add(process)
        try:
            while True:
                try:
                    out, err = process.communicate(timeout=0.5)
                    return subprocess.CompletedProcess(command, process.returncode, out, err)
                except subprocess.TimeoutExpired:
                    if _stopped.is_set():
                        _stop_soon(process)
        finally:
            _running.discard(process)


def _stop_soon(process: subprocess.Popen[str]) -> None:
    """Give a process some seconds to tidy up, then end it."""
    try:
        process.wait(timeout=8)
    except subprocess.TimeoutExpired:
        process.kill()


def run_in_process(*arguments: str) -> None:
    """Run ``python -m memaa_lib.publish`` with ``arguments``, quietly.

    Parameters
    ----------
    *arguments
        A task of :func:`main`.

    Raises
    ------
    RunFailed
        With the last line that the process said.
    """
    command = [sys.executable, "-m", "memaa_lib.publish", *arguments]
    log = ROOT / "build" / "logs" / f"{'-'.join(arguments[:3])}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    status = log.with_suffix(".progress")
    environment = os.environ | {"MEMAA_PROGRESS": str(status)}
    done = _run_stoppable(command, environment)
    status.unlink(missing_ok=True)
    log.write_text(done.stdout + done.stderr, "utf-8")
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise RunFailed(lines[-1] if lines else f"ended with status {done.returncode}; see {log}")


def running_states() -> list[str]:
    """Say how far the running tasks are, e.g. ``rendering clips 31/164``.

    Returns
    -------
    list of str

    Examples
    --------
    >>> isinstance(running_states(), list)
    True
    """
    files = sorted((ROOT / "build" / "logs").glob("*.progress"))
    texts = []
    for path in files:
        try:
            texts.append(path.read_text("utf-8"))
        except OSError:  # the task has just ended
            continue
    return texts


def _page_tasks(runs: Sequence[Run], profile: str) -> Iterator[dict[str, Any]]:
    from doit.tools import config_changed

    library = library_fingerprint()
    for run in runs:
        state = {"library": library, "profile": profile, "data": _data_state(run)}
        suffix = label_suffix(run, runs)
        yield {
            "name": f"{run.dataset}/{run.notebook}",
            "actions": [(run_in_process, ["page", run.dataset, run.notebook, profile, suffix])],
            "io": NO_CAPTURE,
            "file_dep": [str(run.source)],
            "targets": [str(run.target)],
            "uptodate": [config_changed(state)],
            "task_dep": [f"prepare:{name}" for name in needed_preparations(run)],
        }


def _prepare_tasks(runs: Sequence[Run], profile: str) -> Iterator[dict[str, Any]]:
    from doit.tools import config_changed

    names = dict.fromkeys(name for run in runs for name in needed_preparations(run))
    library = library_fingerprint()
    previous = None
    for name in names:
        state = {"library": library, "profile": profile, "data": _data_state(name)}
        if name.startswith("scores-"):
            before = [PRETRAINING, *needed_avatars(name)]
        else:
            before = [previous] if previous else []
        yield {
            "name": name,
            "actions": [(run_in_process, ["prepare", name, profile])],
            "io": NO_CAPTURE,
            "uptodate": [config_changed(state)],
            # twins and avatars use all cores, so they are made one after the other; pre-training and
            # folds use one, and run beside whatever else there is
            "task_dep": [] if name == PRETRAINING else [f"prepare:{other}" for other in before],
        }
        if name.startswith("avatars-"):
            previous = name


def _html_task(runs: Sequence[Run], *, strict: bool) -> dict[str, Any]:
    trained = any(PRETRAINING in needed_preparations(run) for run in runs)
    sources = [ROOT / "_config.yml", ROOT / "_toc.yml"]
    for pattern in ("*.md", "*.bib", "*.json", "_ext/*.py", "_static/*.*"):
        sources += sorted((ROOT / "book").glob(pattern))
    return {
        "actions": [(build_html, [runs], {"strict": strict})],
        "io": NO_CAPTURE,
        "file_dep": [str(path) for path in sources] + [str(run.target) for run in runs],
        "targets": [str(ROOT / "_build" / "html" / "index.html")],
        # pre-training takes longest and waits for nothing: it starts first
        "task_dep": [f"prepare:{PRETRAINING}", "page"] if trained else ["page"],
        "uptodate": [True],
    }


def _data_state(run: Run | str) -> str:
    """Return what identifies the data behind a run: the roots that were set."""
    dataset = run.dataset if isinstance(run, Run) else run.partition("-")[2]
    names = (dataset,) if dataset in DATASETS else DATASETS
    roots = {name: os.environ.get(f"MEMAA_{name.upper()}_ROOT", "") for name in names}
    roots["allowed"] = os.environ.get("MEMAA_ALLOW_SUBJECTS", "")
    settings = ROOT / "memaa.toml"
    return fingerprint(roots, settings.read_bytes() if settings.is_file() else b"")


def _reporter(report: Report, notify: Callable[[str, str], None]) -> type:
    """Return a doit reporter that fills ``report`` and calls ``notify``."""
    from doit.exceptions import UnmetDependency
    from doit.reporter import ConsoleReporter

    class Reporter(ConsoleReporter):  # type: ignore[misc]
        desc = "memaa"

        def execute_task(self, task: Any) -> None:
            if task.actions:
                notify(task.name, "start")

        def add_success(self, task: Any) -> None:
            if task.actions:
                report.ran.append(task.name)
                notify(task.name, "done")

        def skip_uptodate(self, task: Any) -> None:
            if task.actions:
                report.fresh.append(task.name)
                notify(task.name, "fresh")

        def add_failure(self, task: Any, fail: Any) -> None:
            if isinstance(fail, UnmetDependency):
                return  # what it waited for has failed and is reported itself
            cause = getattr(fail, "exception", None) or fail
            text = str(cause) if not isinstance(cause, list) else "".join(cause)
            lines = [line for line in text.strip().splitlines() if line.strip()]
            report.failed[task.name] = lines[-1] if lines else type(fail).__name__
            notify(task.name, "failed")

        def complete_run(self) -> None:
            pass

    return Reporter


# ------------------------------------------------------------------ what is prepared before pages run
def needed_preparations(run: Run) -> list[str]:
    """Name what a page needs on disk before it runs, so that it then runs in seconds.

    Parameters
    ----------
    run
        A page.

    Returns
    -------
    list of str
        ``avatars-<data set>`` (clips and their avatars), ``pretraining`` (starting weights) and
        ``scores-<protocol>`` (trained folds).

    Examples
    --------
    >>> needed_preparations(Run("smic", "07_results"))
    ['avatars-smic', 'pretraining', 'scores-smic']
    """
    number = run.notebook[:2]
    all_avatars = [f"avatars-{dataset}" for dataset in DATASETS]
    if run.dataset in DATASETS:
        scores = [PRETRAINING, f"scores-{run.dataset}"] if number == "07" else []
        return [f"avatars-{run.dataset}", *scores]
    if run.dataset == "composite":
        return [*all_avatars, PRETRAINING, "scores-composite"]
    return {
        "00": ["avatars-casme2"],
        "08": [*all_avatars, PRETRAINING, "scores-cross"],
        "10": [*all_avatars, PRETRAINING, "scores-arms"],
        "12": all_avatars,
        "13": ["avatars-smic"],
    }.get(number, [])


def needed_avatars(scores: str) -> list[str]:
    """Name the avatars that a training reads.

    Parameters
    ----------
    scores
        ``scores-<protocol>``.

    Returns
    -------
    list of str

    Examples
    --------
    >>> needed_avatars("scores-samm"), len(needed_avatars("scores-cross"))
    (['avatars-samm'], 3)
    """
    what = scores.removeprefix("scores-")
    datasets = {"arms": ("smic",)}.get(what, (what,) if what in DATASETS else DATASETS)
    return [f"avatars-{dataset}" for dataset in datasets]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one task in a process of its own.

    Parameters
    ----------
    arguments
        ``page DATASET NOTEBOOK PROFILE SUFFIX`` or ``prepare NAME PROFILE``.

    Returns
    -------
    int
        0, or 1 with one line on standard error.

    Examples
    --------
    >>> main(["page", "smic", "99_none", "laptop", ""])
    1
    """
    task, *rest = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if task == "page":
            dataset, notebook, profile, suffix = rest
            run_page(Run(dataset, notebook), profile, suffix)
        else:
            name, profile = rest
            prepare(name, profile)
    except (InputError, RunFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run_page(run: Run, profile: str, suffix: str) -> None:
    """Execute one page of the book.

    Parameters
    ----------
    run
        The page.
    profile
        Handed on to notebooks that have such a parameter.
    suffix
        For labels.
    """
    known = known_parameters(run.source)
    parameters: dict[str, Any] = {}
    if run.dataset != COMMON:
        parameters["dataset"] = run.dataset
    if "profile" in known:
        parameters["profile"] = profile
    execute(
        run.source,
        run.target,
        parameters,
        title="" if run.dataset == COMMON else run.dataset,
        suffix=suffix,
        failed=ROOT / "build" / "failed" / run.dataset / f"{run.notebook}.ipynb",
        check=refuse_gated_faces,
    )


def refuse_gated_faces(place: Path) -> None:
    """Keep faces that a licence does not let be shown out of what is published.

    Parameters
    ----------
    place
        An executed notebook, or a folder of built pages.

    Raises
    ------
    RunFailed
        If a face of a real set is in it whose subject may not be shown.

    Examples
    --------
    >>> refuse_gated_faces(Path("no set is gated, so nothing is looked at"))
    """
    from memaa_lib import guard

    with contextlib.chdir(ROOT):  # where notebooks find memaa.toml
        roots = guard.gated_roots()
    if not roots:
        return
    try:
        gated = guard.gated_clips(roots)
        if place.is_dir():
            guard.check_folder(place, gated)
        else:
            guard.check_notebook(place, gated)
    except guard.FaceFound as error:
        raise RunFailed(str(error)) from None


def prepare(name: str, profile: str) -> None:
    """Make what pages read: clips, avatars, trained folds.

    Parameters
    ----------
    name
        See :func:`needed_preparations`.
    profile
        Training profile.
    """
    from memaa_lib import arms, network, pretraining, protocol
    from memaa_lib.avatar import make_avatars
    from memaa_lib.datasets import load_index
    from memaa_lib.paper import TRAINING_ALPHAS

    kind, _, what = name.partition("-")
    if kind == PRETRAINING:
        pretraining.starting_weights(network.profile_named(profile), n_jobs=1)
    elif kind == "avatars":
        make_avatars(load_index(what), TRAINING_ALPHAS)  # among them the test's
    elif what == "cross":
        for dataset in DATASETS:
            protocol.train(dataset, "cross", profile, n_jobs=1)
    elif what == "arms":
        for arm in arms.QUICK:
            arms.run_arm(arm, "smic", "loso", profile, n_jobs=1)
    else:
        protocol.train(what, "loso", profile, n_jobs=1)


if __name__ == "__main__":
    sys.exit(main())
