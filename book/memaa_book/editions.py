"""Student and instructor editions of the book, and the tree of a branch that hosts it.

Both are made from the notebooks that the book is made from. A graded exercise is a code cell
tagged ``exercise``, whose answer stands between the lines ``### BEGIN SOLUTION`` and
``### END SOLUTION``, and the cell of assertions that follows it, tagged ``exercise-test``. A page
offers its notebook for download, so solutions are taken out of the notebook and not only hidden.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import jupytext
import nbformat

from memaa_book import build, pages
from memaa_book.pages import Run, is_tagged
from memaa_lib._support.errors import InputError

ANSWER = re.compile(
    r"^( *)### BEGIN SOLUTION\n.*?^ *### END SOLUTION(?:\n|\Z)", re.MULTILINE | re.DOTALL
)
MARK = re.compile(r"^ *### (?:BEGIN|END) SOLUTION\n?", re.MULTILINE)
# a directive ends with a fence as long as the one that opened it
SOLUTION = re.compile(r"^(`{3,}|:{3,})\{solution\}.*?^\1 *(?:\n+|\Z)", re.MULTILINE | re.DOTALL)
STUB = '{indent}raise NotImplementedError("your solution")\n'


# ------------------------------------------------------------------ exercises
def without_solution(code: str) -> str:
    r"""Replace what stands between the solution's marks by a line that raises.

    Examples
    --------
    >>> code = "def f(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION\n"
    >>> print(without_solution(code))
    def f(x):
        raise NotImplementedError("your solution")
    """
    return ANSWER.sub(lambda found: STUB.format(indent=found.group(1)), code).rstrip("\n")


def untag(cell: nbformat.NotebookNode, tag: str) -> None:
    """Take a tag off a cell."""
    cell.metadata["tags"] = [other for other in cell.metadata.get("tags", []) if other != tag]


def student(notebook: nbformat.NotebookNode) -> None:
    """Take the solutions, and what they printed, out of a notebook; the assertions stay."""
    kept = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = SOLUTION.sub("", cell.source).strip("\n")
            if not cell.source:
                continue
        elif is_tagged(cell, "exercise") or is_tagged(cell, "exercise-test"):
            cell.source = without_solution(cell.source)
            cell.outputs = []
            cell.execution_count = None
            untag(cell, "hide-input")
        kept.append(cell)
    notebook.cells = kept


def instructor(notebook: nbformat.NotebookNode) -> None:
    """Open every solution of a notebook."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("\n:class: dropdown", "")
        elif is_tagged(cell, "exercise"):
            cell.source = MARK.sub("", cell.source).rstrip("\n")
            untag(cell, "hide-input")


EDITIONS = {"student": student, "instructor": instructor}


def mark_for_nbgrader(notebook: nbformat.NotebookNode, name: str) -> None:
    """Write nbgrader's metadata beside our tags, so that its autograder takes the notebook as it is.

    Examples
    --------
    >>> cell = nbformat.v4.new_code_cell("assert 1", metadata={"tags": ["exercise-test"]})
    >>> notebook = nbformat.v4.new_notebook(cells=[cell])
    >>> mark_for_nbgrader(notebook, "avatar")
    >>> notebook.cells[0].metadata.nbgrader.grade_id
    'avatar-test-1'
    """
    for tag, grade in (("exercise", False), ("exercise-test", True)):
        cells = [cell for cell in notebook.cells if is_tagged(cell, tag)]
        for number, cell in enumerate(cells, start=1):
            kind = "test" if grade else "answer"
            cell.metadata["nbgrader"] = nbformat.from_dict(
                {
                    "grade": grade,
                    "grade_id": f"{name}-{kind}-{number}",
                    "locked": grade,
                    "schema_version": 3,
                    "solution": not grade,
                    "task": False,
                }
                | ({"points": 1} if grade else {})
            )


def plain_notebook(source: Path, edition: str) -> nbformat.NotebookNode:
    """Return a notebook of an edition, without outputs, for handing out."""
    notebook = jupytext.read(source)
    for key in ("jupytext", "memaa"):
        notebook.metadata.pop(key, None)
    EDITIONS[edition](notebook)
    mark_for_nbgrader(notebook, source.stem)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"c{number:03d}"
    return notebook


def check_edition(edition: str) -> None:
    """Raise a clear error for an edition that there is not."""
    if edition not in EDITIONS:
        raise InputError(f"{edition}: no such edition; there are {', '.join(EDITIONS)}")


# ------------------------------------------------------------------ the book of an edition
def executed_runs(datasets: Sequence[str] = ()) -> list[Run]:
    """Return the runs of the book, all of which must have been executed."""
    runs = pages.published_runs(datasets)
    missing = [run.page for run in runs if not run.target.is_file()]
    if missing:
        raise InputError(
            f"{missing[0]}: this page has not been run ({len(missing)} missing); make book comes first"
        )
    return runs


def build_edition(edition: str, datasets: Sequence[str] = ()) -> Path:
    """Build the book of an edition from the executed notebooks, and the notebooks to hand out.

    Parameters
    ----------
    edition
        ``student`` or ``instructor``.
    datasets
        Data sets to show; empty: all.

    Returns
    -------
    Path
        ``_build/<edition>``: ``html`` and ``notebooks``.

    Raises
    ------
    InputError
        If there is no such edition, a page has not been run, or the book does not build.
    """
    check_edition(edition)
    runs = executed_runs(datasets)
    project = pages.ROOT / "build" / edition
    shutil.rmtree(project, ignore_errors=True)
    copy_project(project)
    for run in runs:
        notebook = nbformat.read(run.target, as_version=4)
        EDITIONS[edition](notebook)
        mark_for_nbgrader(notebook, run.notebook)
        place = project / f"{run.page}.ipynb"
        place.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, place)
    with build.ending_processes():
        build.build_html(runs, strict=not datasets, project=project)
    target = pages.ROOT / "_build" / edition
    shutil.rmtree(target, ignore_errors=True)
    (target / "notebooks").mkdir(parents=True)
    (project / "_build" / "html").rename(target / "html")
    for source in sorted((pages.ROOT / "notebooks").glob("*.md")):
        handed_out = target / "notebooks" / f"{source.stem}.ipynb"
        nbformat.write(plain_notebook(source, edition), handed_out)
    shutil.rmtree(project)
    return target


def copy_project(target: Path) -> None:
    """Copy what a book is built from, without the executed notebooks, into a new folder."""
    target.mkdir(parents=True)
    for name in ("_config.yml", "_toc.yml", "CHANGELOG.md", "CITATION.cff"):
        if (pages.ROOT / name).is_file():
            shutil.copy(pages.ROOT / name, target)
    ignored = shutil.ignore_patterns("runs", "__pycache__")
    for name in ("book", "notebooks", "data_manifests"):
        if (pages.ROOT / name).is_dir():
            shutil.copytree(pages.ROOT / name, target / name, ignore=ignored)


# ------------------------------------------------------------------ the built book
@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder that takes the place of ``path`` when the block ends well."""
    temporary = path.with_name(f".{path.name}-new")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def built_book() -> Path:
    """Return the folder of the built book."""
    book = pages.ROOT / "_build" / "html"
    if not (book / "index.html").is_file():
        raise InputError(f"{book}: no book here yet; make book comes first")
    return book


# ------------------------------------------------------------------ the published branch
def write_published(target: Path | None = None) -> Path:
    """Write the tree of a branch that hosts the book and that launch buttons open.

    Parameters
    ----------
    target
        Default ``_build/published``. It holds every file of the repository that git knows, the
        executed notebooks under ``book/runs``, and the built book under ``docs``.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If there is no book, a page has not been run, or this is no git checkout.
    """
    book = built_book()
    runs = executed_runs()
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=pages.ROOT, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"{pages.ROOT}: not a git checkout, so what to publish is not known")
    folder = target or pages.ROOT / "_build" / "published"
    with whole_folder(folder) as temporary:
        files = [name for name in done.stdout.split("\0") if name]
        for name in [*files, *(f"{run.page}.ipynb" for run in runs)]:
            if (pages.ROOT / name).is_file():
                (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(pages.ROOT / name, temporary / name)
        shutil.copytree(book, temporary / "docs")
        (temporary / "docs" / ".nojekyll").touch()
    return folder
