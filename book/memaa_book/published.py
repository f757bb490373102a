"""The built book, and the tree of the branch that hosts it and that launch buttons open."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import nbformat

from memaa_book import pages
from memaa_book.handouts import launched_by, plain_notebook
from memaa_lib._support.errors import InputError


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


def write_published(target: Path | None = None) -> Path:
    """Write the tree of a branch that hosts the book and that launch buttons open.

    Parameters
    ----------
    target
        Default ``_build/published``. It holds every file of the repository that git knows but its
        workflows, a notebook for each page with launch buttons, under the page's name, and the built
        book under ``docs``.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If there is no book, or this is no git checkout.
    """
    book = built_book()
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=pages.ROOT, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"{pages.ROOT}: not a git checkout, so what to publish is not known")
    folder = target or pages.ROOT / "_build" / "published"
    with whole_folder(folder) as temporary:
        for name in filter(None, done.stdout.split("\0")):
            # a workflow may not push workflows
            if (pages.ROOT / name).is_file() and not name.startswith(".github/"):
                (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(pages.ROOT / name, temporary / name)
        for page in pages.toc_pages(pages.read_toc()):
            if source := launched_by(page, pages.ROOT):
                (temporary / page).parent.mkdir(parents=True, exist_ok=True)
                nbformat.write(plain_notebook(source, "launch"), temporary / f"{page}.ipynb")
        shutil.copytree(book, temporary / "docs")
        (temporary / "docs" / ".nojekyll").touch()
    return folder
