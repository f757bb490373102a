"""Student and instructor editions of the book, and the tree of a branch that hosts it.

Both are made from the notebooks that the book is made from. A graded exercise is a code cell
tagged ``exercise``, whose answer stands between the lines ``### BEGIN SOLUTION`` and
``### END SOLUTION``, and the cell of assertions that follows it, tagged ``exercise-test``.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import jupytext
import nbformat

from memaa_lib import publish
from memaa_lib.storage import InputError

EDITIONS = ("student", "instructor")
SOLUTION = re.compile(
    r"^( *)### BEGIN SOLUTION\n.*?^ *### END SOLUTION(?:\n|\Z)", re.MULTILINE | re.DOTALL
)
STUB = '{indent}raise NotImplementedError("your solution")\n'


# ------------------------------------------------------------------ exercises
def is_tagged(cell: nbformat.NotebookNode, tag: str) -> bool:
    """Tell whether a cell has a tag.

    Parameters
    ----------
    cell
        Of a notebook.
    tag
        E.g. ``exercise``.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_tagged(nbformat.v4.new_code_cell("1"), "exercise")
    False
    """
    return tag in cell.metadata.get("tags", [])


def without_solution(code: str) -> str:
    r"""Replace what stands between the solution's marks by a line that raises.

    Parameters
    ----------
    code
        Source of a cell.

    Returns
    -------
    str

    Examples
    --------
    >>> code = "def f(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION\n"
    >>> print(without_solution(code))
    def f(x):
        raise NotImplementedError("your solution")
    """
    return SOLUTION.sub(lambda found: STUB.format(indent=found.group(1)), code).rstrip("\n")


def without_marks(code: str) -> str:
    r"""Remove the two lines that mark a solution and keep the solution.

    Parameters
    ----------
    code
        Source of a cell.

    Returns
    -------
    str

    Examples
    --------
    >>> without_marks("### BEGIN SOLUTION\nx = 1\n### END SOLUTION")
    'x = 1'
    """
    lines = code.split("\n")
    return "\n".join(
        line for line in lines if line.strip() not in ("### BEGIN SOLUTION", "### END SOLUTION")
    )


def without_directive(text: str, name: str) -> str:
    r"""Remove every fenced directive of one name, whatever the length of its fence.

    Parameters
    ----------
    text
        MyST Markdown.
    name
        E.g. ``solution``.

    Returns
    -------
    str

    Examples
    --------
    >>> without_directive("a\n\n````{solution} ex\n```python\nx\n```\n````\n\nb", "solution")
    'a\n\nb'
    """
    kept: list[str] = []
    fence = ""
    for line in text.split("\n"):
        opened = re.match(r"(`{3,}|:{3,})\{" + re.escape(name) + r"\}", line)
        if not fence and opened:
            fence = opened.group(1)
        elif fence:
            if line.strip() == fence:
                fence = ""
        else:
            kept.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip("\n")


def student(notebook: nbformat.NotebookNode) -> None:
    r"""Take the solutions out of a notebook; the assertions stay.

    Parameters
    ----------
    notebook
        Changed in place, executed or not. What a solution printed goes, too.

    Examples
    --------
    >>> cell = nbformat.v4.new_code_cell("### BEGIN SOLUTION", metadata={"tags": ["exercise"]})
    >>> cell.source = "### BEGIN SOLUTION\nx = 1\n### END SOLUTION"
    >>> notebook = nbformat.v4.new_notebook(cells=[cell])
    >>> student(notebook)
    >>> notebook.cells[0].source
    'raise NotImplementedError("your solution")'
    """
    kept = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = without_directive(cell.source, "solution")
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
    r"""Open every solution of a notebook.

    Parameters
    ----------
    notebook
        Changed in place.

    Examples
    --------
    >>> cell = nbformat.v4.new_markdown_cell("```{solution} ex\n:class: dropdown\nYes.\n```")
    >>> notebook = nbformat.v4.new_notebook(cells=[cell])
    >>> instructor(notebook)
    >>> notebook.cells[0].source
    '```{solution} ex\nYes.\n```'
    """
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("\n:class: dropdown", "")
        elif is_tagged(cell, "exercise"):
            cell.source = without_marks(cell.source)
            untag(cell, "hide-input")


def untag(cell: nbformat.NotebookNode, tag: str) -> None:
    """Take a tag off a cell.

    Parameters
    ----------
    cell
        Changed in place.
    tag
        Need not be there.

    Examples
    --------
    >>> cell = nbformat.v4.new_code_cell("1", metadata={"tags": ["a", "b"]})
    >>> untag(cell, "a")
    >>> cell.metadata.tags
    ['b']
    """
    cell.metadata["tags"] = [other for other in cell.metadata.get("tags", []) if other != tag]


def mark_for_nbgrader(notebook: nbformat.NotebookNode, name: str) -> None:
    """Write nbgrader's metadata beside our tags, so that its autograder takes the notebook as it is.

    Parameters
    ----------
    notebook
        Changed in place.
    name
        Stem of the notebook; grade ids are made from it.

    Examples
    --------
    >>> cell = nbformat.v4.new_code_cell("assert 1", metadata={"tags": ["exercise-test"]})
    >>> notebook = nbformat.v4.new_notebook(cells=[cell])
    >>> mark_for_nbgrader(notebook, "05")
    >>> notebook.cells[0].metadata.nbgrader.grade_id
    '05-test-1'
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


FORMS = {"student": student, "instructor": instructor}


def plain_notebook(source: Path, edition: str) -> nbformat.NotebookNode:
    """Return a notebook of an edition, without outputs, for handing out.

    Parameters
    ----------
    source
        ``notebooks/NN_name.md``.
    edition
        ``student`` or ``instructor``.

    Returns
    -------
    nbformat.NotebookNode

    Examples
    --------
    >>> made = plain_notebook(publish.ROOT / "notebooks" / "05_emotion_avatar.md", "student")
    >>> any("{solution}" in cell.source for cell in made.cells)
    False
    """
    notebook = jupytext.read(source)
    notebook.metadata.pop("jupytext", None)
    FORMS[edition](notebook)
    mark_for_nbgrader(notebook, source.stem)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"c{number:03d}"
    return notebook


def write_notebooks(edition: str, target: Path) -> list[Path]:
    """Write the notebooks of an edition, without outputs.

    Parameters
    ----------
    edition
        ``student`` or ``instructor``.
    target
        Folder; made if need be.

    Returns
    -------
    list of Path

    Raises
    ------
    InputError
        If there is no such edition.

    Examples
    --------
    >>> write_notebooks("teacher", Path("x"))
    Traceback (most recent call last):
        ...
    memaa_lib.storage.InputError: teacher: no such edition; there are student, instructor
    """
    check_edition(edition)
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for source in sorted((publish.ROOT / "notebooks").glob("*.md")):
        path = target / f"{source.stem}.ipynb"
        nbformat.write(plain_notebook(source, edition), path)
        written.append(path)
    return written


def check_edition(edition: str) -> None:
    """Raise a clear error for an edition that there is not.

    Parameters
    ----------
    edition
        What was asked for.

    Raises
    ------
    InputError
        Naming the editions.

    Examples
    --------
    >>> check_edition("student")
    """
    if edition not in EDITIONS:
        raise InputError(f"{edition}: no such edition; there are {', '.join(EDITIONS)}")


# ------------------------------------------------------------------ the book of an edition
def executed_runs(datasets: Sequence[str] = ()) -> list[publish.Run]:
    """Return the runs of the book, all of which must have been executed.

    Parameters
    ----------
    datasets
        As for :func:`memaa_lib.publish.published_runs`.

    Returns
    -------
    list of Run

    Raises
    ------
    InputError
        Naming the first page that is missing.
    """
    runs = publish.published_runs(datasets)
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
        If there is no such edition, or a page has not been run.
    RunFailed
        If the book does not build.
    """
    check_edition(edition)
    runs = executed_runs(datasets)
    target = publish.ROOT / "_build" / edition
    project = publish.ROOT / "build" / edition
    shutil.rmtree(project, ignore_errors=True)
    copy_project(project)
    for run in runs:
        notebook = nbformat.read(run.target, as_version=4)
        FORMS[edition](notebook)
        mark_for_nbgrader(notebook, run.notebook)
        place = project / f"{run.page}.ipynb"
        place.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, place)
    command = [sys.executable, "-m", "memaa_lib.editions", *datasets]
    environment = os.environ | {"MEMAA_PROJECT": str(project)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise publish.RunFailed(done.stderr.strip() or f"the {edition} edition does not build")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    (project / "_build" / "html").rename(target / "html")
    write_notebooks(edition, target / "notebooks")
    shutil.rmtree(project)
    return target


def copy_project(target: Path) -> None:
    """Copy what a book is built from, without the executed notebooks.

    Parameters
    ----------
    target
        New folder.
    """
    target.mkdir(parents=True)
    for name in ("_config.yml", "_toc.yml", "CHANGELOG.md", "CITATION.cff"):
        if (publish.ROOT / name).is_file():
            shutil.copy(publish.ROOT / name, target)
    ignored = shutil.ignore_patterns("runs", "__pycache__")
    shutil.copytree(publish.ROOT / "book", target / "book", ignore=ignored)
    for name in ("notebooks", "data_manifests"):
        if (publish.ROOT / name).is_dir():
            shutil.copytree(publish.ROOT / name, target / name)


def main(datasets: Sequence[str] | None = None) -> int:
    """Build the project that ``MEMAA_PROJECT`` names, in a process of its own.

    Parameters
    ----------
    datasets
        As for :func:`build_edition`.

    Returns
    -------
    int
        0, or 1 with the reason on standard error.
    """
    chosen = list(sys.argv[1:] if datasets is None else datasets)
    try:
        publish.build_html(publish.published_runs(chosen), strict=not chosen)
    except (InputError, publish.RunFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


# ------------------------------------------------------------------ the built book
@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder that takes the place of ``path`` when the block ends well.

    Parameters
    ----------
    path
        Folder; what was there is replaced.

    Yields
    ------
    Path

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     for text in ("old", "new"):
    ...         with whole_folder(Path(place, "a")) as folder:
    ...             _ = Path(folder, text).write_text(text)
    ...     [path.name for path in Path(place, "a").iterdir()]
    ['new']
    """
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
    """Return the folder of the built book.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If there is none.
    """
    book = publish.ROOT / "_build" / "html"
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
    done = subprocess.run(command, cwd=publish.ROOT, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"{publish.ROOT}: not a git checkout, so what to publish is not known")
    folder = target or publish.ROOT / "_build" / "published"
    with whole_folder(folder) as temporary:
        files = [name for name in done.stdout.split("\0") if name]
        for name in [*files, *(f"{run.page}.ipynb" for run in runs)]:
            if (publish.ROOT / name).is_file():
                (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(publish.ROOT / name, temporary / name)
        shutil.copytree(book, temporary / "docs")
        (temporary / "docs" / ".nojekyll").touch()
    return folder


if __name__ == "__main__":
    sys.exit(main())
