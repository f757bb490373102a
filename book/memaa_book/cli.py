"""The ``memaa`` command: the library's commands, and those that make the book."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from memaa_lib._support.cache import check_file, given_path
from memaa_lib._support.errors import InputError
from memaa_lib._support.running import progress
from memaa_lib.cli import app, err, main, out

__all__ = ["app", "main"]

PATHS = ("video", "root")  # parameters of notebooks that name a file or folder
ALLOW_SUBJECT = typer.Option(
    metavar="DATASET/SUBJECT",
    help="Let the face of this subject of a real set be seen, if your licence does.",
)


# ------------------------------------------------------------------ notebooks and book
@app.command()
def run(
    notebook: Annotated[str, typer.Argument(metavar="NOTEBOOK", help="E.g. 05 or emotion_avatar.")],
    dataset: Annotated[str | None, typer.Option(help="smic, casme2, samm or composite.")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="NAME=VALUE; repeat for more.")
    ] = None,
    target: Annotated[
        Path | None, typer.Option("--out", help="Where to; default: beside you.")
    ] = None,
    allow_subject: Annotated[list[str] | None, ALLOW_SUBJECT] = None,
    show_faces: Annotated[
        bool,
        typer.Option(help="Show real faces, for your own eyes: the result may not be published."),
    ] = False,
) -> None:
    """Run one notebook with papermill.

    On real data the synthetic twin's faces are shown in the place of real ones, unless you say otherwise.

    Example: [bold]memaa run 05 --dataset casme2 -p alpha=15.0[/bold]
    """
    from memaa_book import guard
    from memaa_book.pages import TITLES, check_parameters, execute, find_notebook, read_parameters
    from memaa_lib.datasets.examples import SHOW_FACES, allow_subjects
    from memaa_lib.datasets.roots import export_roots, tell_root
    from memaa_lib.paper import DATASETS

    source = find_notebook(notebook)
    allow_subjects(allow_subject or [])
    if show_faces:
        os.environ[SHOW_FACES] = "1"
    parameters = from_here(read_parameters(source, parameter or []))
    if dataset is not None:
        if dataset not in TITLES:
            raise InputError(f"{dataset}: unknown data set; there are {', '.join(TITLES)}")
        parameters["dataset"] = dataset
    check_parameters(source, parameters)
    place = target or Path(f"{source.stem}{'-' + dataset if dataset else ''}.ipynb")
    check_file(place)
    export_roots()  # the notebook runs in a folder of its own
    for name in filter(None, DATASETS if dataset == "composite" else [dataset]):
        tell_root(name, parameters.get("root") or None)
    with progress(f"running {source.stem}", 1) as advance:
        check = (lambda path: None) if show_faces else guard.refuse_gated_faces
        execute(source, given_path(place), parameters, check=check)
        advance()
    private = "; it may show faces that must not be published" if show_faces else ""
    out.print(f"wrote {place}{private}", markup=False, highlight=False)


def from_here(parameters: dict[str, Any]) -> dict[str, Any]:
    """Make the paths among the parameters absolute: notebooks run elsewhere."""
    return {
        name: str(given_path(value))
        if name in PATHS and value and isinstance(value, str)
        else value
        for name, value in parameters.items()
    }


@app.command()
def book(
    dataset: Annotated[
        list[str] | None, typer.Option(help="Only these data sets; repeat for more.")
    ] = None,
    profile: Annotated[str, typer.Option(help="Training profile: laptop or paper.")] = "laptop",
    n_jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", min=1, help="Notebooks at a time. Default: one more than cores, five at most."
        ),
    ] = None,
    allow_subject: Annotated[list[str] | None, ALLOW_SUBJECT] = None,
    allow_mixed: Annotated[
        bool,
        typer.Option(help="Let real sets and synthetic twins stand together in the composite."),
    ] = False,
    edition: Annotated[
        str | None,
        typer.Option(help="Then build this edition, too: student or instructor."),
    ] = None,
    draft: Annotated[
        bool,
        typer.Option(
            help="Only build what has changed, into build/draft: for writing, not to publish."
        ),
    ] = False,
) -> None:
    """Run every notebook that is stale and build the book into _build/html.

    A stopped build goes on where it was; a notebook that fails is kept and the others go on.
    The student edition leaves the solutions out, the instructor edition opens them; each has
    notebooks to hand out.

    Example: [bold]memaa book --dataset casme2[/bold]
    """
    from memaa_book.build import build_book, forecast
    from memaa_book.editions import build_edition, check_edition
    from memaa_book.pages import ROOT
    from memaa_lib.datasets.examples import SHOW_FACES, allow_subjects
    from memaa_lib.datasets.index import ALLOW_MIXED
    from memaa_lib.datasets.roots import export_roots

    # what is wrong is an error before hours of work
    if edition is not None:
        check_edition(edition)
    export_roots()
    os.environ.pop(SHOW_FACES, None)  # a book can be published
    if allow_mixed:
        os.environ[ALLOW_MIXED] = "1"
    allow_subjects(allow_subject or [])
    for line in forecast(dataset or []):
        err.print(line, markup=False, highlight=False)
    report = build_book(dataset or [], profile=profile, n_jobs=n_jobs, draft=draft)
    err.print(
        f"{len(report.ran)} tasks ran, {len(report.fresh)} were up to date, "
        f"{len(report.failed)} failed, {time.monotonic() - report.started:.0f} s",
        highlight=False,
    )
    for name, reason in report.failed.items():
        err.print(f"failed: {name}: {reason}", style="red", markup=False, highlight=False)
    if not report.ok:
        err.print(f"logs: {ROOT / 'build' / 'logs'}", markup=False, highlight=False)
        raise typer.Exit(3)
    built = ROOT / "build" / "draft" if draft else ROOT
    out.print(f"{built / '_build' / 'html' / 'index.html'}", markup=False, highlight=False)
    if edition is not None:
        out.print(f"{build_edition(edition, dataset or [])}", markup=False, highlight=False)


@app.command()
def slides() -> None:
    """Write slides for each lesson of the course from the built book: _build/slides.

    Example: [bold]memaa slides[/bold]
    """
    from memaa_book.prepare import real_sets
    from memaa_book.slides import write_slides

    if real := real_sets():
        raise InputError(
            f"{', '.join(real)}: the real data; the slides speak of the synthetic twins, so build the book "
            "and then the slides where no folder of a real set is named"
        )
    out.print(f"{write_slides()[0]}", markup=False, highlight=False)


@app.command()
def pdf(
    target: Annotated[
        Path | None, typer.Option("--out", help="Where to; default: _build/memaa.pdf.")
    ] = None,
) -> None:
    """Print the built book into one PDF with the paper's numbers. Chromium does the printing.

    Example: [bold]memaa pdf --out memaa.pdf[/bold]
    """
    from memaa_book.pdf import write_pdf

    out.print(f"{write_pdf(target)}", markup=False, highlight=False)


@app.command()
def published() -> None:
    """Write the tree of a branch that hosts the book: _build/published. Nothing is pushed.

    Example: [bold]memaa published[/bold]
    """
    from memaa_book.published import write_published

    out.print(f"{write_published()}", markup=False, highlight=False)
