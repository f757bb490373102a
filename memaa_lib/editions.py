"""Other forms of the same pages: student and instructor editions, slides, one PDF, a published tree.

All of them are made from the notebooks that the book is made from. A graded exercise is a code cell
tagged ``exercise``, whose answer stands between the lines ``### BEGIN SOLUTION`` and
``### END SOLUTION``, and the cell of assertions that follows it, tagged ``exercise-test``.
"""

from __future__ import annotations

import contextlib
import html
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import jupytext
import nbformat

from memaa_lib import publish
from memaa_lib.storage import InputError, atomic_path

EDITIONS = ("student", "instructor")
SOLUTION = re.compile(
    r"^( *)### BEGIN SOLUTION\n.*?^ *### END SOLUTION(?:\n|\Z)", re.MULTILINE | re.DOTALL
)
STUB = '{indent}raise NotImplementedError("your solution")\n'


@dataclass(frozen=True)
class Lesson:
    """One lesson of the course.

    Parameters
    ----------
    number
        1 to 6.
    title
        As in the course guide.
    notebooks
        First two digits of its pages.
    """

    number: int
    title: str
    notebooks: tuple[str, ...]


LESSONS: tuple[Lesson, ...] = (
    Lesson(1, "Seeing what is too small", ("01", "02")),
    Lesson(2, "Which frames matter", ("03",)),
    Lesson(3, "One picture for a clip", ("04", "05")),
    Lesson(4, "A network on a small data set", ("06",)),
    Lesson(5, "A score and how sure it is", ("07", "08", "10", "13")),
    Lesson(6, "Reading a paper with a computer", ("09", "11", "12", "14")),
)
"""The lessons of ``book/course.md``."""


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


# ------------------------------------------------------------------ slides
SLIDE_LINES = 15  # about so many lines of text fit on a slide
NO_SLIDE = ("Exercises", "All items")
PICTURES = ["img", "video", "memaa-scrubber", "memaa-compare", "memaa-explorer"]
BLOCKS = ["p", "ul", "ol", "dl", "div", "table", "figure", "blockquote"]


def write_slides(target: Path | None = None) -> list[Path]:
    """Write one deck of slides a lesson, from the built pages.

    A heading begins a slide, each sentence is a point, equations keep their numbers and players move.
    The decks need no network; their links lead to the book beside them.

    Parameters
    ----------
    target
        Folder; default ``_build/slides``, beside the book.

    Returns
    -------
    list of Path
        ``lesson-1.html`` to ``lesson-6.html`` and ``index.html``.

    Raises
    ------
    InputError
        If the book has not been built.
    """
    from bs4 import BeautifulSoup

    book = built_book()
    folder = target or publish.ROOT / "_build" / "slides"
    first_run = {run.notebook[:2]: run for run in reversed(publish.published_runs())}
    written = []
    with whole_folder(folder) as temporary:
        copy_assets(book, temporary)
        guide = BeautifulSoup((book / "book/course.html").read_text("utf-8"), "html.parser")
        for lesson in LESSONS:
            slides = [title_slide(lesson, guide)]
            for number in lesson.notebooks:
                path = book / f"{first_run[number].page}.html"
                page = BeautifulSoup(path.read_text("utf-8"), "html.parser")
                relocate(page, path, book)
                slides += page_slides(page)
            text = deck(f"Lesson {lesson.number}: {lesson.title}", slides)
            keep_images(text, book, temporary)
            (temporary / f"lesson-{lesson.number}.html").write_text(text, "utf-8")
            written.append(folder / f"lesson-{lesson.number}.html")
        (temporary / "index.html").write_text(deck_index(), "utf-8")
    return [folder / "index.html", *written]


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


def copy_assets(book: Path, target: Path) -> None:
    """Copy MathJax, styles and players beside the slides."""
    (target / "_static").mkdir(parents=True)
    for name in ("memaa.css", "memaa.js", "pygments.css", "favicon.svg"):
        shutil.copy(book / "_static" / name, target / "_static")
    for name in ("deck.css", "deck.js"):
        shutil.copy(publish.ROOT / "book" / "_static" / name, target / "_static")
    shutil.copytree(book / "_static" / "vendor", target / "_static" / "vendor")


def keep_images(text: str, book: Path, target: Path) -> None:
    """Copy the images that a deck shows."""
    (target / "_images").mkdir(exist_ok=True)
    for name in re.findall(r'src="_images/([^"]+)"', text):
        shutil.copy(book / "_images" / unquote(name), target / "_images")


def relocate(page: Any, path: Path, book: Path) -> None:
    """Make the addresses on a page those of a deck: images beside it, links into the book."""
    for tag in page.find_all(["img", "a"]):
        name = "src" if tag.name == "img" else "href"
        address = tag.get(name, "")
        parts = urlparse(address)
        if parts.scheme or not address:
            continue
        place = (path.parent / parts.path).resolve() if parts.path else path.resolve()
        inside = os.path.relpath(place, book.resolve())
        anchor = f"#{parts.fragment}" if parts.fragment else ""
        tag[name] = inside if tag.name == "img" else f"../html/{inside}{anchor}"


def title_slide(lesson: Lesson, guide: Any) -> str:
    """Return the first slide: the lesson's paragraphs of the course guide without the assignment."""
    section = guide.find(id=f"lesson-{lesson.number}")
    section = section.find_parent("section") or section if section.name != "section" else section
    said = [str(p) for p in section.find_all("p") if not p.get_text().startswith("Assignment")]
    kept = [re.sub(r"</?a\b[^>]*>", "", text) for text in said if "Rubric" not in text]
    return f"<h1>Lesson {lesson.number}: {html.escape(lesson.title)}</h1>" + "".join(kept[:4])


def page_slides(page: Any) -> list[str]:
    r"""Return the slides of a built page as HTML.

    Parameters
    ----------
    page
        Parsed with BeautifulSoup.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from bs4 import BeautifulSoup
    >>> text = "<article><section><h1>A</h1><p>One.\nTwo.</p><section><h2>B</h2></section></section></article>"
    >>> page_slides(BeautifulSoup(text, "html.parser"))
    ['<h1>A</h1><ul><li>One.</li><li>Two.</li></ul>']
    """
    article = page.find("article") or page
    for useless in article.select(".headerlink, .memaa-provenance, .tag_hide-input, .memaa-quiz"):
        useless.decompose()
    for useless in article.select(".tag_injected-parameters, .tag_exercise, .tag_exercise-test"):
        useless.decompose()
    slides: list[str] = []
    for heading, blocks in sections(article):
        if heading.get_text().strip() in NO_SLIDE or not blocks:
            continue
        title = "".join(str(part) for part in heading.contents)
        for count, part in enumerate(packed(blocks)):
            more = " (continued)" if count else ""
            slides.append(f"<{heading.name}>{title}{more}</{heading.name}>{''.join(part)}")
    return slides


def sections(article: Any) -> Iterator[tuple[Any, list[Any]]]:
    """Yield each heading of a page with the blocks below it, down to the next heading."""
    for section in article.find_all("section"):
        heading = section.find(["h1", "h2", "h3", "h4"], recursive=False)
        if heading is not None:
            yield heading, section.find_all(BLOCKS, recursive=False)


def packed(blocks: Sequence[Any]) -> Iterator[list[str]]:
    """Yield the blocks of a section slide by slide."""
    slide: list[str] = []
    filled = 0.0
    for block in blocks:
        imports = "import" in block.get_text()[:7] or "from memaa_lib" in block.get_text()
        if "cell" in block.get("class", []) and imports:
            continue
        if block.find(PICTURES):  # how a figure is drawn is for the page
            for code in block.select(".cell_input"):
                code.decompose()
        text = as_points(block) if block.name == "p" else str(block)
        if filled and filled + lines(block) > SLIDE_LINES:
            yield slide
            slide, filled = [], 0.0
        slide.append(text)
        filled += lines(block)
    if slide:
        yield slide


def as_points(paragraph: Any) -> str:
    """Return a paragraph, in which each sentence has its line, as a list of points."""
    points: list[str] = [""]
    for child in paragraph.children:
        pieces = str(child).split("\n") if isinstance(child, str) else [str(child)]
        points[-1] += pieces[0]
        points += pieces[1:]
    items = [point.strip() for point in points if point.strip()]
    return "<ul>" + "".join(f"<li>{point}</li>" for point in items) + "</ul>"


def lines(block: Any) -> float:
    """Estimate how many lines of a slide a block takes."""
    if block.find(PICTURES):
        return SLIDE_LINES - 3.5
    if block.name == "table" or block.find("table"):
        return 2.0 + float(len(block.find_all("tr")))
    text = str(block.get_text()).strip()
    if "math" in block.get("class", []):
        return 3.0
    if block.find("pre"):
        boxes = [pre.get_text().strip().count("\n") + 1 for pre in block.find_all("pre")]
        return 0.62 * float(sum(boxes)) + 0.8 * len(boxes)
    return 0.6 + sum(1 + len(line) / 95 for line in text.split("\n"))


def deck(title: str, slides: Sequence[str]) -> str:
    """Return a deck as one HTML page.

    Parameters
    ----------
    title
        Of the deck.
    slides
        HTML of each.

    Returns
    -------
    str

    Examples
    --------
    >>> deck("Lesson 1", ["<h1>A</h1>"]).count("<section")
    1
    """
    count = len(slides)
    body = "\n".join(
        f'<section class="slide" aria-label="Slide {number} of {count}">{slide}</section>'
        for number, slide in enumerate(slides, start=1)
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<link rel="icon" href="_static/favicon.svg">
<link rel="stylesheet" href="_static/pygments.css">
<link rel="stylesheet" href="_static/memaa.css">
<link rel="stylesheet" href="_static/deck.css">
<script defer src="_static/vendor/mathjax/tex-mml-chtml.js"></script>
<script defer src="_static/memaa.js"></script>
<script defer src="_static/deck.js"></script>
</head>
<body>
<main class="deck">
{body}
</main>
</body>
</html>
"""


def deck_index() -> str:
    """Return the page that lists the decks."""
    items = "".join(
        f'<li><a href="lesson-{lesson.number}.html">Lesson {lesson.number}: '
        f"{html.escape(lesson.title)}</a></li>"
        for lesson in LESSONS
    )
    return deck("Slides", [f"<h1>Slides of the MEMAA companion</h1><ul>{items}</ul>"])


# ------------------------------------------------------------------ one PDF
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
FOOTER = (
    '<div style="font: 8px sans-serif; width: 100%; padding: 0 15mm; display: flex; '
    'justify-content: space-between"><span class="title"></span>'
    '<span><span class="pageNumber"></span> / <span class="totalPages"></span></span></div>'
)


def find_browser() -> str:
    """Return the path of a Chromium.

    Returns
    -------
    str

    Raises
    ------
    InputError
        If none is installed; says how to get one.
    """
    named = os.environ.get("CHROMIUM")
    found = [named] if named else [path for name in BROWSERS if (path := shutil.which(name))]
    if not found or not Path(found[0]).is_file():
        raise InputError(
            f"{named or 'chromium'}: no such browser; the PDF is printed by Chromium: install it "
            "(Debian: apt install chromium) or set CHROMIUM to its path"
        )
    return found[0]


def write_pdf(target: Path | None = None, pages: Sequence[str] = ()) -> Path:
    """Print the built book, page by page, into one PDF with the paper's numbers.

    Players show their poster; links between pages lead to the place in the PDF.

    Parameters
    ----------
    target
        Default ``_build/memaa.pdf``.
    pages
        Names as in ``_toc.yml``; default: all, in reading order.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If there is no book, no Chromium, or the packages that drive it are not installed.
    """
    book = built_book()
    executable = find_browser()
    try:
        import pypdf
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError as missing:
        raise InputError(
            f"{missing.name}: not installed; make pdf needs it: pip install -e '.[book,test]'"
        ) from None
    names = [
        name
        for name in pages or publish.toc_pages(publish.read_toc())
        if (book / f"{name}.html").is_file()
    ]
    writer = pypdf.PdfWriter()
    starts: dict[str, int] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(BROWSER_FLAGS))
        page = browser.new_page()
        for name in names:
            starts[str((book / f"{name}.html").resolve())] = len(writer.pages)
            title, printed = print_page(page, (book / f"{name}.html").resolve())
            start = len(writer.pages)
            writer.append(printed, import_outline=False)
            writer.add_outline_item(title=title, page_number=start)
        browser.close()
    link_pages(writer, starts)
    writer.add_metadata({"/Title": "MEMAA companion", "/Author": "The MEMAA companion authors"})
    path = target or publish.ROOT / "_build" / "memaa.pdf"
    with atomic_path(path) as temporary:
        writer.write(temporary)
    return path


def print_page(page: Any, path: Path) -> tuple[str, Any]:
    """Return a page's title and itself as a PDF in memory."""
    import io

    page.goto(path.as_uri(), wait_until="load")
    page.emulate_media(media="print", color_scheme="light")
    page.evaluate("async () => { if (window.MathJax?.startup) await MathJax.startup.promise; }")
    title = str(page.title()).partition(" — ")[0]
    margin = {"top": "15mm", "bottom": "18mm", "left": "15mm", "right": "15mm"}
    printed = page.pdf(
        format="A4",
        margin=margin,
        display_header_footer=True,
        header_template="<span></span>",
        footer_template=FOOTER,
        print_background=True,
        scale=0.8,
    )
    return title, io.BytesIO(printed)


def link_pages(writer: Any, starts: dict[str, int]) -> None:
    """Turn links to files of the book into links within the PDF; drop those to files left out."""
    from pypdf.generic import ArrayObject, NameObject

    for page in writer.pages:
        kept = ArrayObject()
        for reference in page.get("/Annots") or []:
            note = reference.get_object()
            address = str(note.get("/A", {}).get("/URI", ""))
            if address.startswith("file:"):
                start = starts.get(unquote(urlparse(address).path))
                if start is None:
                    continue
                del note["/A"]
                place = writer.pages[start].indirect_reference
                note[NameObject("/Dest")] = ArrayObject([place, NameObject("/Fit")])
            kept.append(reference)
        if "/Annots" in page:
            page[NameObject("/Annots")] = kept


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
