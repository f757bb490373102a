"""Slides for each lesson of the course: written in ``book/slides/``, with figures from the built pages.

A deck is Markdown, and a line ``---`` ends a slide. ``![How its alternative text begins](page-avatar)``
stands for a figure, film or player of the page with that label, as it is in the first of its tabs, and
``[text](page-avatar)`` leads there. A table that draws intervals goes by how its caption begins.
"""

from __future__ import annotations

import copy
import html
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from memaa_book import pages
from memaa_book.published import built_book, whole_folder
from memaa_lib._support.errors import InputError

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

LESSON = re.compile(r"^## Lesson (\d+): (.+)\n+\*\*Pages?\*\* (.+)$", re.MULTILINE)
LABEL = re.compile(r"\{ref\}`([\w-]+)`")
TAB = re.compile(r"\s+that\s+the\s+tab\s+names")
END_OF_SLIDE = re.compile(r"^---$", re.MULTILINE)


@dataclass(frozen=True)
class Lesson:
    """One lesson of the course: its number, its title, and the labels of its pages."""

    number: int
    title: str
    labels: tuple[str, ...]


def read_lessons() -> list[Lesson]:
    """Return the lessons of the course guide: a heading, then a line that names the pages."""
    text = (pages.ROOT / "book" / "course.md").read_text("utf-8")
    found = LESSON.findall(text)
    if not found:
        raise InputError(
            'book/course.md: no lesson; expected "## Lesson 1: ...", then "**Pages** ..."'
        )
    return [Lesson(int(number), title, tuple(LABEL.findall(line))) for number, title, line in found]


def pages_by_label() -> dict[str, str]:
    """Return the page of each notebook, by the label at its top."""
    found: dict[str, str] = {}
    for run in pages.published_runs():
        labelled = re.search(r"^\((page-[\w-]+)\)=$", run.source.read_text("utf-8"), re.MULTILINE)
        if labelled:
            found.setdefault(labelled[1], run.page)
    return found


def write_slides(target: Path | None = None) -> list[Path]:
    """Write one deck of slides a lesson, from its source and the built pages.

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
        If the book has not been built, or a deck asks for a page or figure that there is not.
    """
    book = built_book()
    folder = target or pages.ROOT / "_build" / "slides"
    lessons, shelf = read_lessons(), Shelf(book, pages_by_label())
    written = []
    with whole_folder(folder) as temporary:
        copy_assets(book, temporary)
        for lesson in lessons:
            source = pages.ROOT / "book" / "slides" / f"lesson-{lesson.number}.md"
            text = deck(f"Lesson {lesson.number}: {lesson.title}", read_deck(source, shelf))
            keep_images(text, book, temporary)
            (temporary / f"lesson-{lesson.number}.html").write_text(text, "utf-8")
            written.append(folder / f"lesson-{lesson.number}.html")
        (temporary / "index.html").write_text(deck_index(lessons), "utf-8")
    return [folder / "index.html", *written]


def read_deck(source: Path, shelf: Shelf) -> list[str]:
    """Return the slides of a deck as HTML, with the figures that it asks for."""
    from bs4 import BeautifulSoup

    markdown = slide_markdown()
    slides = []
    for number, text in enumerate(END_OF_SLIDE.split(source.read_text("utf-8")), start=1):
        slide: Any = BeautifulSoup(markdown.render(text), "html.parser")
        try:
            for image in slide.find_all("img"):
                figure = shelf.figure(image["src"], image["alt"])
                alone = len(image.parent.contents) == 1  # a paragraph may hold no figure
                (image.parent if alone else image).replace_with(figure)
            for link in slide.find_all("a", href=re.compile("^page-")):
                link["href"] = f"../html/{shelf.place(link['href'])}"
        except InputError as error:
            raise InputError(f"{source}, slide {number}: {error}") from None
        slides.append(str(slide))
    return slides


def slide_markdown() -> MarkdownIt:
    """Return a reader of Markdown with tables, formulas for MathJax and colored Python."""
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    def formula(text: str, options: dict[str, bool]) -> str:
        left, right = (r"\[", r"\]") if options["display_mode"] else (r"\(", r"\)")
        return f"{left}{html.escape(text)}{right}"

    def colored(code: str, *_: str) -> str:
        lines = highlight(code, PythonLexer(), HtmlFormatter(nowrap=True))
        return f'<pre class="highlight">{lines}</pre>'

    reader = MarkdownIt("commonmark", {"highlight": colored}).enable("table")
    return reader.use(dollarmath_plugin, renderer=formula)


class Shelf:
    """The built pages, by label, with addresses as a deck has them; each is read once."""

    def __init__(self, book: Path, places: Mapping[str, str]) -> None:
        self.book, self.places = book, places
        self._read: dict[str, list[tuple[str, Any]]] = {}

    def place(self, label: str) -> str:
        """Return a page's file in the book."""
        if label not in self.places:
            raise InputError(f"no page {label!r}; there are {', '.join(sorted(self.places))}")
        return f"{self.places[label]}.html"

    def figure(self, label: str, start: str) -> Any:
        """Return a copy of the figure, film or player whose text or caption begins so."""
        from bs4 import BeautifulSoup

        path = self.book / self.place(label)
        if label not in self._read:
            page: Any = BeautifulSoup(path.read_text("utf-8"), "html.parser").find("article")
            relocate(page, path, self.book)
            self._read[label] = [(said(tag), tag) for tag in page.find_all(True) if said(tag)]
        found = next((tag for text, tag in self._read[label] if text.startswith(start)), None)
        if found is None:
            raise InputError(f"no figure of {label} has a text that begins with {start!r}")
        figure = copy.copy(found.find_parent("figure") or found)
        tab = found.find_parent(class_="sd-tab-content")
        for words in figure.find_all(string=TAB) if tab else ():
            name = tab.find_previous_sibling("label").get_text(strip=True)
            words.replace_with(TAB.sub(f" ({name})", words))
        return figure


def said(tag: Any) -> str:
    """Return the alternative text of an image or player, or a caption; empty for what is none."""
    told = tag.get("alt") or (tag.name.startswith("memaa-") and tag.get("aria-label"))
    if tag.name == "figcaption":  # a drawn table has no other text
        told = tag.get_text()
    return " ".join((told or "").split())


def copy_assets(book: Path, target: Path) -> None:
    """Copy MathJax, styles and players beside the slides."""
    (target / "_static").mkdir(parents=True)
    for name in ("memaa.css", "memaa.js", "pygments.css", "favicon.svg"):
        shutil.copy(book / "_static" / name, target / "_static")
    for name in ("deck.css", "deck.js"):
        shutil.copy(pages.ROOT / "book" / "_static" / name, target / "_static")
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


def deck(title: str, slides: Sequence[str]) -> str:
    """Return a deck of slides, each of them HTML, as one page."""
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


def deck_index(lessons: Sequence[Lesson]) -> str:
    """Return the page that lists the decks."""
    items = "".join(
        f'<li><a href="lesson-{lesson.number}.html">Lesson {lesson.number}: '
        f"{html.escape(lesson.title)}</a></li>"
        for lesson in lessons
    )
    return deck("Slides", [f"<h1>Slides of the MEMAA companion</h1><ul>{items}</ul>"])
