"""The pages of the book: what there is to run, and one notebook through papermill.

What is published stands in ``_toc.yml``: an entry ``book/pages/05_emotion_avatar`` asks for the notebook
``05_emotion_avatar``. It runs once for each of the data sets that its front matter names, as in
``memaa: {sets: [casme2, smic, samm]}``, and its page is woven of these runs (``weave.py``). Without such a
line it runs once, with its own defaults, and that run is called ``common``.
"""

from __future__ import annotations

import ast
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import yaml
from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from memaa_book.processes import KernelManager, RunFailed
from memaa_lib._support.cache import atomic_path, check_file, given_path
from memaa_lib._support.errors import InputError
from memaa_lib.paper import DATASET_TITLES

# the checkout; another folder of the same shape can be named, e.g. a course's own copy of the book
ROOT = given_path(os.environ.get("MEMAA_PROJECT") or Path(__file__).resolve().parents[2])
COMMON = "common"
PAGES = "book/pages/"
TITLES = {**DATASET_TITLES, "composite": "Composite"}
IN_WORDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text"}
KERNEL_OPTIONS = ("--log-level=50", "--IPKernelApp.exec_PYTHONSTARTUP=False")
EXECUTION_TIMEOUT = 1800  # s a cell may take; a stuck notebook must not hold the book for ever


@dataclass(frozen=True)
class Run:
    """One page: a notebook (its stem) on a data set, or on none (``common``)."""

    dataset: str
    notebook: str

    @property
    def source(self) -> Path:
        """The paired notebook as text."""
        return ROOT / "notebooks" / f"{self.notebook}.md"

    @property
    def path(self) -> str:
        """Name of the executed notebook, from the project's folder."""
        return f"book/runs/{self.dataset}/{self.notebook}.ipynb"

    @property
    def target(self) -> Path:
        """The executed notebook."""
        return ROOT / self.path

    @property
    def page(self) -> str:
        """Name in ``_toc.yml`` of the page that shows it, alone or with others."""
        return f"{PAGES}{self.notebook}"


# ------------------------------------------------------------------ what there is to run
def toc_pages(toc: dict[str, Any]) -> Iterator[str]:
    """Yield every page of a table of contents in reading order."""
    if "root" in toc:
        yield toc["root"]
    if "file" in toc:
        yield toc["file"]
    for key in ("parts", "chapters", "sections"):
        for entry in toc.get(key, []):
            yield from toc_pages(entry)


def read_toc() -> dict[str, Any]:
    """Return ``_toc.yml``."""
    check_project("_toc.yml")
    toc: dict[str, Any] = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    return toc


def check_project(needed: str) -> None:
    """Raise a clear error unless the project's folder holds what is needed of the book."""
    if not (ROOT / needed).exists():
        raise InputError(
            f"{ROOT}: holds no {needed}, so it is not the book's folder; set MEMAA_PROJECT to the folder "
            "of the repository"
        )


def published_runs(datasets: Sequence[str] = ()) -> list[Run]:
    """List the runs that the book asks for: all, or those of some data sets and the common ones."""
    runs = [
        Run(dataset, page.removeprefix(PAGES))
        for page in toc_pages(read_toc())
        if page.startswith(PAGES)
        for dataset in sets_of(ROOT / "notebooks" / f"{page.removeprefix(PAGES)}.md")
    ]
    return [run for run in runs if not datasets or run.dataset in (*datasets, COMMON)]


def runs_by_page(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Return the runs that each page is woven of."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run.page, []).append(run)
    return found


def notebook_stems() -> list[str]:
    """Return the stems of all notebooks, e.g. ``05_emotion_avatar``."""
    return sorted(path.stem for path in (ROOT / "notebooks").glob("*.md"))


def find_notebook(name: str) -> Path:
    """Return the notebook that a number, a name, a stem (number and name) or a path names."""
    check_project("notebooks")
    wanted = Path(name).stem
    names = {stem: (stem, *stem.split("_", 1)) for stem in notebook_stems()}
    found = [stem for stem in names if wanted in names[stem]]
    found = found or [stem for stem in names if any(n.startswith(wanted) for n in names[stem])]
    if len(found) > 1:
        raise InputError(f"{name}: fits several notebooks: {', '.join(found)}")
    if not found:
        raise InputError(f"{name}: no such notebook; there are {', '.join(names)}")
    return ROOT / "notebooks" / f"{found[0]}.md"


# ------------------------------------------------------------------ what a notebook says of itself
def read_source(source: Path) -> nbformat.NotebookNode:
    """Read a notebook, as text or ``.ipynb``."""
    if not source.is_file():
        stems = ", ".join(notebook_stems())
        raise InputError(f"{source.stem}: no such notebook; there are {stems}")
    return deepcopy(_parsed(source.read_text("utf-8"), source.suffix))


@lru_cache(maxsize=64)
def _parsed(text: str, suffix: str) -> nbformat.NotebookNode:
    """Return the notebook that a text is; a build asks several times for each, and parsing takes long."""
    return jupytext.reads(text, suffix)


def is_tagged(cell: nbformat.NotebookNode, tag: str) -> bool:
    """Tell whether a cell has a tag."""
    return tag in cell.metadata.get("tags", [])


def known_parameters(source: Path) -> dict[str, Any]:
    """Return the parameters of a notebook with their defaults."""
    return {name: default for name, (default, _) in _parameters(source).items()}


def _parameters(source: Path) -> dict[str, tuple[Any, Any]]:
    """Return the parameters of a notebook with their defaults and types (as annotated, if they are)."""
    # papermill.inspect_notebook reads line by line, and loses a parameter whose comment holds a "="
    found: dict[str, tuple[Any, Any]] = {}
    for cell in read_source(source).cells:
        if not is_tagged(cell, "parameters"):
            continue
        for statement in ast.parse(cell.source).body:
            if isinstance(statement, ast.AnnAssign) and statement.value is not None:
                default = ast.literal_eval(statement.value)
                found[ast.unparse(statement.target)] = default, ast.unparse(statement.annotation)
            elif isinstance(statement, ast.Assign):
                default = ast.literal_eval(statement.value)
                of = (
                    f"[{type(default[0]).__name__}]"
                    if isinstance(default, list) and default
                    else ""
                )
                name = ast.unparse(statement.targets[0])
                found[name] = default, type(default).__name__ + of
    return found


def read_parameters(source: Path, texts: Sequence[str]) -> dict[str, Any]:
    """Understand what a command line gives as ``NAME=VALUE``, by the types that the notebook states.

    A text stays as it was typed; of a list the items stand between commas.
    """
    given = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise InputError(f"-p {text}: expected NAME=VALUE, e.g. -p alpha=15.0")
        given[name] = value
    known = _parameters(source)
    check_names(source, given)
    return {name: _converted(source, name, value, *known[name]) for name, value in given.items()}


def _converted(source: Path, name: str, text: str, default: Any, kind: Any) -> Any:
    """Return a text as a value of the type that an annotation names."""
    if "None" in kind and text.lower() in ("", "none", "null"):
        return None
    value: Any = text
    if kind.startswith(("list", "tuple")):
        value = [item.strip(" '\"") for item in text.strip(" []()").split(",") if item.strip()]
    try:
        return TypeAdapter(kind, config=ConfigDict(allow_inf_nan=False)).validate_python(value)
    except (ValidationError, PydanticUserError):
        raise _misfit(source, name, text, default, kind) from None


def _misfit(source: Path, name: str, value: Any, default: Any, kind: str) -> InputError:
    expected = " or ".join(IN_WORDS.get(word, word) for word in kind.split(" | ") if word != "None")
    example = "" if default is None else f" such as {default!r}"
    return InputError(f"{source.stem}: parameter {name} is {value!r}, expected {expected}{example}")


def check_names(source: Path, given: Iterable[str]) -> None:
    """Raise a clear error for a parameter that the notebook does not have."""
    known = known_parameters(source)
    for name in given:
        if name not in known:
            there = f"it has {', '.join(known)}" if known else "it has none"
            raise InputError(f"{source.stem}: no parameter {name!r}; {there}")


def check_parameters(source: Path, given: dict[str, Any]) -> None:
    """Raise a clear error for a parameter that the notebook does not have or of another type."""
    check_names(source, given)
    for name, value in given.items():
        default, kind = _parameters(source)[name]
        # an int will do for a float; True and False are no numbers here
        fits = type(value) is type(default) or (type(default), type(value)) == (float, int)
        if not fits and "None" not in kind:
            raise _misfit(source, name, value, default, kind)
        if str(value).encode("utf-8", "replace").decode() != str(value):
            raise InputError(
                f"{source.stem}: parameter {name} is {value!r}, which is no Unicode (UTF-8) and cannot "
                "stand in a notebook; give the file or folder another name"
            )


def front_matter(source: Path) -> dict[str, Any]:
    """Return what stands under ``memaa:`` in the front matter of a notebook."""
    return dict(read_source(source).metadata.get("memaa", {}))


def sets_of(source: Path) -> tuple[str, ...]:
    """Return the data sets on which a notebook runs, in the order of the tabs of its page."""
    names = tuple(front_matter(source).get("sets", (COMMON,)))
    for name in names:
        if name not in (*TITLES, COMMON):
            known = ", ".join(TITLES)
            raise InputError(f"{source.stem}: its front matter names {name!r}; there are {known}")
    return names


# ------------------------------------------------------------------ one notebook on one data set
def execute(
    source: Path,
    target: Path,
    parameters: dict[str, Any],
    *,
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
    failed
        Where to leave a notebook that raised; default: beside ``target``.
    check
        Is called with the executed notebook before it appears at ``target``; what it raises keeps
        the notebook away.

    Raises
    ------
    InputError
        For unknown parameters.
    RunFailed
        If a cell raised; says where the notebook is kept.
    """
    check_parameters(source, parameters)
    check_file(target)
    import papermill
    from jupyter_core.utils import ensure_event_loop
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    notebook = read_source(source)
    for number, cell in enumerate(notebook.cells):  # the same in every run, whatever is injected
        cell["id"] = f"c{number:03d}"
    os.environ.setdefault("TQDM_DISABLE", "1")
    # elsewhere, because papermill writes where it stands into the notebook, and not every path is text
    with tempfile.TemporaryDirectory() as folder:
        prepared, executed = Path(folder, "source.ipynb"), Path(folder, f"{source.stem}.ipynb")
        nbformat.write(notebook, prepared)
        try:
            papermill.execute_notebook(
                str(prepared),
                str(executed),
                parameters=parameters,
                kernel_name="python3",
                kernel_manager_class=KernelManager,
                # nothing of the user's own settings, no remarks on the kernel's transport and end
                extra_arguments=[f"--ipython-dir={folder}", *KERNEL_OPTIONS],
                # papermill's own cwd is that of the whole process, and notebooks run beside each other
                resources={"metadata": {"path": str(ROOT / "notebooks")}},
                progress_bar=False,
                execution_timeout=EXECUTION_TIMEOUT,
            )
        except PapermillExecutionError as error:
            kept = failed or target.with_name(f"{target.stem}.failed.ipynb")
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(executed, kept)
            raise RunFailed(
                f"{source.stem}: {error.ename}: {error.evalue}; the notebook is kept at {kept}"
            ) from None
        except DeadKernelError as error:
            raise RunFailed(
                f"{source.stem}: the kernel ended before the notebook did; {error}"
            ) from None
        finally:
            ensure_event_loop().close()  # Jupyter makes one in each thread, and leaves it open
        tidy(executed)
        check(executed)
        with atomic_path(target) as temporary:
            shutil.copyfile(executed, temporary)


def renew_prose(run: Run) -> None:
    """Put the prose of a notebook into what was executed of it: a changed word needs no new run."""
    executed = nbformat.read(run.target, as_version=4)
    ran = deque(cell for cell in executed.cells if cell.cell_type == "code")
    if not ran:  # the page was left out
        return
    cells = []
    for number, cell in enumerate(read_source(run.source).cells):
        code = cell.cell_type == "code"
        cells.append(ran.popleft() if code else cell)
        cells[-1]["id"] = f"c{number:03d}"
        if code and ran and is_tagged(ran[0], "injected-parameters"):
            cells.append(ran.popleft())
            cells[-1]["id"] = f"c{number:03d}-injected"
    if cells != executed.cells:
        executed.cells = cells
        with atomic_path(run.target) as temporary:
            nbformat.write(executed, temporary)


def leave_out(run: Run, why: str) -> None:
    """Write a notebook that says why it was left out, under its title and label."""
    notebook = read_source(run.source)
    notebook.cells = notebook.cells[:1]
    head = notebook.cells[0]
    head.source, head["id"] = head.source.partition("\n\n")[0], "c000"
    of = "" if run.dataset == COMMON else f" ({TITLES[run.dataset]})"
    said = f"*This page{of} was left out.* {why}"
    notebook.cells.append(nbformat.v4.new_markdown_cell(said, id=f"c000-{run.dataset}"))
    with atomic_path(run.target) as temporary:
        nbformat.write(notebook, temporary)


def tidy(path: Path) -> None:
    """Take out of an executed notebook what changes from run to run or says nothing to a reader.

    Time stamps go, and the default parameters give way to the injected ones; what was said on standard
    error is said once. A cell that was not executed or holds an error raises :class:`RunFailed`.
    """
    notebook = nbformat.read(path, as_version=4)
    said: set[str] = set()
    for key in ("papermill", "jupytext", "memaa"):
        notebook.metadata.pop(key, None)
    injected = any(is_tagged(cell, "injected-parameters") for cell in notebook.cells)
    for number, cell in enumerate(notebook.cells):
        if is_tagged(cell, "injected-parameters"):
            cell["id"] = f"{notebook.cells[number - 1]['id']}-injected"
            cell.metadata["tags"] = ["injected-parameters", "hide-input"]
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if injected and is_tagged(cell, "parameters") and not is_tagged(cell, "remove-cell"):
            cell.metadata["tags"] = [*cell.metadata["tags"], "remove-cell"]
        if cell.cell_type == "code":
            cell.outputs = say_once(merge_streams(cell.outputs), said)
            if cell.source.strip() and cell.execution_count is None:
                raise RunFailed(f"{path.stem}: cell {number} was not executed")
            if any(output.output_type == "error" for output in cell.outputs):
                raise RunFailed(f"{path.stem}: cell {number} holds an error")
    nbformat.write(notebook, path)


def merge_streams(outputs: Sequence[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Join neighbouring pieces of one stream: the kernel cuts its output at random places.

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


def say_once(
    outputs: Sequence[nbformat.NotebookNode], said: set[str]
) -> list[nbformat.NotebookNode]:
    """Leave out lines on standard error that a page has said before: each reading of a set says them.

    Examples
    --------
    >>> pieces = [nbformat.v4.new_output("stream", name="stderr", text=text) for text in ("one", "two")]
    >>> [output.text for output in say_once(pieces, {"one"})]
    ['two']
    """
    kept = []
    for output in outputs:
        if output.get("name") == "stderr":
            lines = dict.fromkeys(output.text.splitlines(keepends=True))
            output.text = "".join(line for line in lines if line not in said)
            said.update(lines)
        if output.get("text") != "":
            kept.append(output)
    return kept
