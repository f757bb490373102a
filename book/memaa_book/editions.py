"""Student and instructor editions of the book, made from the notebooks that the book is made from."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import nbformat
import yaml

from memaa_book import build, pages
from memaa_book.handouts import EDITIONS, mark_for_nbgrader, plain_notebook
from memaa_book.pages import Run, is_tagged
from memaa_book.processes import ending_processes
from memaa_book.slides import pages_by_label, read_lessons
from memaa_lib._support.errors import InputError

NBGRADER = """\
c = get_config()
c.Execute.timeout = 600  # s that a cell may take while it is graded; nbgrader's own 30 are too few
"""


def check_edition(edition: str) -> None:
    """Raise a clear error for an edition that there is not."""
    if edition not in EDITIONS:
        raise InputError(f"{edition}: no such edition; there are {', '.join(EDITIONS)}")


# ------------------------------------------------------------------ the book of an edition
def executed_runs(datasets: Sequence[str] = ()) -> list[Run]:
    """Return the runs of the book, all of which must have been executed."""
    runs = pages.published_runs(datasets)
    missing = [run.path for run in runs if not run.target.is_file()]
    if missing:
        raise InputError(
            f"{missing[0]}: this notebook has not been run ({len(missing)} missing); make book comes first"
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
        ``_build/<edition>``: ``html`` and ``notebooks``; the instructor's has ``nbgrader``, too.

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
        place = project / run.path
        place.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, place)
    with ending_processes():
        build.build_html(runs, strict=not datasets, project=project)
    target = pages.ROOT / "_build" / edition
    shutil.rmtree(target, ignore_errors=True)
    (target / "notebooks").mkdir(parents=True)
    (project / "_build" / "html").rename(target / "html")
    for source in sorted((pages.ROOT / "notebooks").glob("*.md")):
        handed_out = target / "notebooks" / f"{source.stem}.ipynb"
        nbformat.write(plain_notebook(source, edition), handed_out)
    if edition == "instructor":
        write_course(target / "nbgrader")
    shutil.rmtree(project)
    return target


def write_course(folder: Path) -> None:
    """Write a course folder of nbgrader: settings, and an assignment for each lesson's graded pages."""
    places = pages_by_label()
    for lesson in read_lessons():
        for label in lesson.labels:
            source = pages.ROOT / "notebooks" / f"{Path(places[label]).name}.md"
            notebook = plain_notebook(source, "nbgrader")
            if any(is_tagged(cell, "exercise") for cell in notebook.cells):
                place = folder / "source" / f"lesson-{lesson.number}" / f"{source.stem}.ipynb"
                place.parent.mkdir(parents=True, exist_ok=True)
                nbformat.write(notebook, place)
    (folder / "nbgrader_config.py").write_text(NBGRADER, "utf-8")


def copy_project(target: Path) -> None:
    """Copy what a book is built from, without the executed notebooks, into a new folder."""
    target.mkdir(parents=True)
    config = yaml.safe_load((pages.ROOT / "_config.yml").read_text("utf-8"))
    del config["launch_buttons"]  # they open the public notebooks, which hold the solutions
    (target / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False), "utf-8")
    for name in ("_toc.yml", "CHANGELOG.md", "CITATION.cff"):
        if (pages.ROOT / name).is_file():
            shutil.copy(pages.ROOT / name, target)
    ignored = shutil.ignore_patterns("runs", "pages", "__pycache__")
    for name in ("book", "notebooks", "data_manifests"):
        if (pages.ROOT / name).is_dir():
            shutil.copytree(pages.ROOT / name, target / name, ignore=ignored)
