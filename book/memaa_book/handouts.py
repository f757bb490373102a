"""Notebooks to hand out: for students, for instructors, for nbgrader, and for launch buttons.

A graded exercise is a code cell tagged ``exercise``, whose answer stands between the lines
``### BEGIN SOLUTION`` and ``### END SOLUTION``, and the cell of assertions that follows it, tagged
``exercise-test``. A page offers its notebook for download, so solutions are taken out of the notebook
and not only hidden.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat

from memaa_book import pages
from memaa_book.pages import is_tagged
from memaa_book.plain import DIRECTIVE, names_of_book, plain

ANSWER = re.compile(
    r"^( *)### BEGIN SOLUTION\n.*?^ *### END SOLUTION(?:\n|\Z)", re.MULTILINE | re.DOTALL
)
MARK = re.compile(r"^ *### (?:BEGIN|END) SOLUTION\n?", re.MULTILINE)
STUB = '{indent}raise NotImplementedError("your solution")\n'
REPOSITORY = "https://github.com/memaa-companion/memaa-companion"
BRANCH = "published"
# Wheels without CUDA: the machines lent out have no GPU, and 5 GB are not worth the wait. The other
# builds of OpenCV go first, since they and ours write into the same folder.
ON_COLAB = f"""\
# On Colab this installs the library in some minutes; then the session restarts: run all again.
import importlib.util
import subprocess
import sys

if "google.colab" in sys.modules and importlib.util.find_spec("memaa_lib") is None:
    pip = [sys.executable, "-m", "pip"]
    others = ["opencv-python", "opencv-contrib-python", "opencv-python-headless"]
    subprocess.run([*pip, "uninstall", "--quiet", "--yes", *others], check=True)
    source = "git+{REPOSITORY}@{BRANCH}#egg=memaa-companion"
    wheels = "https://download.pytorch.org/whl/cpu"
    subprocess.run([*pip, "install", "--extra-index-url", wheels, "--editable", source], check=True)
    get_ipython().kernel.do_shutdown(restart=True)"""


# ------------------------------------------------------------------ kinds of handouts
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
    gradable(notebook)
    for cell in notebook.cells:
        if is_tagged(cell, "exercise") or is_tagged(cell, "exercise-test"):
            cell.source = without_solution(cell.source)
            cell.outputs = []
            cell.execution_count = None
            untag(cell, "hide-input")


def instructor(notebook: nbformat.NotebookNode) -> None:
    """Open every solution of a notebook."""
    without_marks(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("\n:class: dropdown", "")
        elif is_tagged(cell, "exercise"):
            untag(cell, "hide-input")


def gradable(notebook: nbformat.NotebookNode) -> None:
    """Take the written solutions out of a notebook; code keeps its marks, for nbgrader to clear."""
    kept = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = DIRECTIVE.sub(without_directive, cell.source).strip("\n")
        if cell.cell_type != "markdown" or cell.source:
            kept.append(cell)
    notebook.cells = kept


def without_directive(found: re.Match[str]) -> str:
    """Return nothing for a solution, and every other directive as it is."""
    return "" if found[2] == "solution" else found[0]


def without_marks(notebook: nbformat.NotebookNode) -> None:
    """Take the marks around the solutions out of a notebook."""
    for cell in notebook.cells:
        if is_tagged(cell, "exercise"):
            cell.source = MARK.sub("", cell.source).rstrip("\n")


def launched(notebook: nbformat.NotebookNode) -> None:
    """Begin a notebook with the cell that installs the library on Colab."""
    without_marks(notebook)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(ON_COLAB))


EDITIONS = {"student": student, "instructor": instructor}
HANDOUTS = {**EDITIONS, "nbgrader": gradable, "launch": launched}


# ------------------------------------------------------------------ one notebook
def mark_for_nbgrader(notebook: nbformat.NotebookNode, name: str) -> None:
    """Write nbgrader's metadata beside our tags.

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


def plain_notebook(source: Path, kind: str) -> nbformat.NotebookNode:
    """Return a notebook as one of :data:`HANDOUTS`: without outputs, and without MyST."""
    notebook = pages.read_source(source)
    for key in ("jupytext", "memaa"):
        notebook.metadata.pop(key, None)
    HANDOUTS[kind](notebook)
    mark_for_nbgrader(notebook, source.stem)
    names = names_of_book()
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"c{number:03d}"
        if cell.cell_type == "markdown":
            cell.source = plain(cell.source, names)
    return notebook


def launched_by(page: str, project: Path) -> Path | None:
    """Return the notebook that the launch buttons of a page open; ``None``: the page has no buttons.

    Machines that are lent out are small, so only notebooks that need nothing beforehand are opened.
    """
    source = project / "notebooks" / f"{Path(page).name}.md"
    if not source.is_file() or pages.front_matter(source).get("needs"):
        return None
    return source
