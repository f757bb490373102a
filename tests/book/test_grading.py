"""nbgrader on a released page: a right answer scores 1, a wrong and an empty one 0."""

import csv
import inspect
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from memaa_book import editions
from memaa_book.pages import is_tagged

from tests.book import answers

ASSIGNMENT, PAGE = "lesson-1", "01_motion_magnification.ipynb"
RELEASED = '''def added_by_band(frames: np.ndarray, level: int, gamma: np.ndarray) -> np.ndarray:
    """Return B of one band at full size, (T, H, W); gamma is the (T, T) filter."""
    # YOUR CODE HERE
    raise NotImplementedError()'''
ANSWERS = {
    "right": inspect.getsource(answers.added_by_band).partition("\n")[2].strip(),
    "wrong": "return frames",
    "empty": "raise NotImplementedError()",
}


def nbgrader(course: Path, *arguments: str) -> None:
    # it calls a program that stands beside it by name, as it may after "source .venv/bin/activate"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [sys.executable, "-m", "nbgrader", *arguments]
    environment = os.environ | {"PATH": path}
    done = subprocess.run(command, cwd=course, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def graded_part(path: Path) -> None:
    """Leave the imports and the graded cells of a page: the rest of it runs in other tests."""
    notebook = nbformat.read(path, 4)
    notebook.cells = [
        cell
        for cell in notebook.cells
        if "import numpy" in cell.source or "nbgrader" in cell.metadata
    ]
    nbformat.write(notebook, path)


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """The course folder that the instructor edition writes."""
    folder = tmp_path_factory.mktemp("course")
    editions.write_course(folder)
    return folder


def test_every_lesson_with_graded_pages_is_an_assignment(course):
    found = {
        path.name: sorted(page.name[:2] for page in path.iterdir())
        for path in (course / "source").iterdir()
    }
    assert found == {
        "lesson-1": ["01", "02"],
        "lesson-2": ["03"],
        "lesson-3": ["04", "05"],
        "lesson-4": ["06"],
        "lesson-5": ["07", "08"],
    }


def test_a_lesson_sets_every_graded_exercise_of_its_pages(course):
    guide = (editions.pages.ROOT / "book" / "course.md").read_text("utf-8")
    for assignment in (course / "source").iterdir():
        section = guide.split(f"({assignment.name})=")[1]
        line = section.split("**Assignment** ")[1].splitlines()[0]
        assert line.startswith("Do the graded exercise")
        for page in assignment.iterdir():
            assert page.name[:2] in line, (assignment.name, page.name)


@pytest.mark.slow
def test_nbgrader_releases_collects_and_grades(course):
    source = course / "source" / ASSIGNMENT
    for other in source.iterdir():
        if other.name != PAGE:
            other.unlink()
    graded_part(source / PAGE)
    nbgrader(course, "generate_assignment", ASSIGNMENT)
    released = nbformat.read(course / "release" / ASSIGNMENT / PAGE, 4)
    answer = next(cell for cell in released.cells if is_tagged(cell, "exercise"))
    assert answer.source == RELEASED
    for name, code in ANSWERS.items():
        answer.source = RELEASED.replace("raise NotImplementedError()", code)
        handed_in = course / "submitted" / name / ASSIGNMENT / PAGE
        handed_in.parent.mkdir(parents=True)
        nbformat.write(released, handed_in)
    nbgrader(course, "autograde", ASSIGNMENT)
    nbgrader(course, "export")
    with (course / "grades.csv").open() as file:
        scores = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    assert scores == {"right": 1, "wrong": 0, "empty": 0}
